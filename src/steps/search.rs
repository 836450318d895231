//! `search`: the lines of the journal, or of a list, that fit words best. The journal agent, which every run has, answers it.

use super::{
    asked::{AskedStep, INSTANT, ZONE, instant, is_instant},
    found,
    journal::JOURNAL,
    lines::{check_media, check_senses, check_text, digests, senses_of, stretches},
    misfit, readable, whole,
};
use crate::{
    dialogue::{Expr, NumberExpr, RoleNames, TextExpr, written},
    exchange::{
        EmbedPurpose, EmbedRequest, GivenLine, JournalReply, JournalRequest, Kind, LineFilter, Reply, Request,
        RoleVector, SearchHit, SearchRequest, Searched,
    },
    plan::{Answered, Ask, Formula, Inside, Planned, Planning, Range, Step, StepError, Turn, Typing, Verb},
    prompt::{Scope, show},
    value::{JournalLine, Sense, Type, Value},
};
use indexmap::IndexMap;
use std::sync::Arc;

/// Hits of a search that sets no `top`.
const TOP: usize = 16;

written! { "`search`",
    /// The lines of a list, or of the journal, that fit words best, best first. Words count in any inflection, and with
    /// one wrong letter. Each hit is the line as a record, with `score` (the share of searches about other things that find nothing
    /// here that fits as well, 0 to 1), `why`, and for a given list its `index` in it. A line of the journal has its number as `line`.
    pub struct Search {
        /// The words to search for. Without words, all lines that pass are hits, in order of time.
        pub r#for: Option<TextExpr>,
        /// In place of `for`, with `among`: a question in English. Its words of time, order and quantity choose the lines, in order of
        /// time. The value is then a record: `lines`, `fitting` (those that fit, without their neighbours), `asks` (`where`, `how_many`, …), `question` (as one that
        /// stands alone), `ask` (the same for a small mind), `place` (the place that answers, without its preposition; else nothing), `answer` (a count, duration, time or list that follows from the lines,
        /// else nothing), `missing` (true if the log has nothing about it), `parsed` (true if the grammar, or `query`, places every word of time, order and quantity) and `searched` (the question as it was understood).
        pub question: Option<TextExpr>,
        /// With `question`: the time at which it is asked, as `2026-11-23T21:00:00+01:00`; the end of the log if absent.
        pub now: Option<TextExpr>,
        /// With `question`: the turns before it, as a list of records with `question`, `text` (the answer) and `evidence`. A question such as
        /// "And the purse?" is then understood from the last one.
        pub history: Option<Expr>,
        /// With `question`: how to understand it, in place of the grammar: a record with `asks`, `topic`, `order`, `side` and `event`, such as the mind
        /// gives for prompts/understand.md. Times are always read by the grammar. Words that are not in the question are ignored.
        pub query: Option<Expr>,
        /// With `question`: the time zone of days and times of day; that of the latest recording if absent.
        pub zone: Option<TextExpr>,
        /// The lines: moments with text, or records with `text` and optionally `start` and `end` in seconds. Without this
        /// key, the journal is searched.
        pub among: Option<Expr>,
        /// Without `among`: the videos whose lines are searched: one, a list, or `all` (usual).
        pub of: Option<Expr>,
        /// Without `among`: the senses whose lines are searched; all if absent.
        pub senses: Option<Expr>,
        /// A list of records with `from` and `to` in seconds; a hit must touch one of them.
        pub within: Option<Expr>,
        /// Without `among`: nothing later than this time is found, such as `2026-11-23T21:00:00+01:00`. A line that ends later is left out.
        pub as_of: Option<TextExpr>,
        /// The role of an agent that embeds texts, or a list of such roles. Lines then count by their meaning too. In the journal, lines
        /// and frames count that `index` gave vectors of the same agent.
        pub agent: Option<RoleNames>,
        /// The maximum number of hits; 16 if absent.
        #[schemars(with = "Option<crate::plan::range::WholeFrom1>")]
        pub top: Option<NumberExpr>,
        /// Lines that are less than this many seconds apart are one event, and only the best of them is a hit. If absent,
        /// every line counts.
        pub apart: Option<NumberExpr>,
    }
}

impl Verb for Search {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        if let Some(question) = &self.question {
            return self.plan_question(question, planning);
        }
        let Some(words) = &self.r#for else {
            let pos = [&self.among, &self.of, &self.senses]
                .into_iter()
                .flatten()
                .map(|expr| expr.0.pos)
                .next()
                .unwrap_or_default();
            let message = "found neither `for` nor `question` in `search`, expected one".to_owned();
            planning.problem("missing-key", pos, message, Some("for example `for: \"washing hands\"`".into()));
            return None;
        };
        check_senses(self.senses.as_ref(), planning);
        check_media(self.of.as_ref(), "of", planning);
        check_text(self.as_of.as_ref(), "as_of", INSTANT, is_instant, planning);
        let words = planning.expr(&words.0);
        let roles = self.agent.iter().flat_map(|agent| &agent.0).map(|role| planning.role(role, Kind::Embed));
        let roles: Vec<_> = roles.collect();
        let mut optional = |expr: Option<&Expr>| expr.map(|expr| planning.expr(expr));
        let among = optional(self.among.as_ref());
        let (of, senses) = (optional(self.of.as_ref()), optional(self.senses.as_ref()));
        let within = optional(self.within.as_ref());
        let as_of = optional(self.as_of.as_ref().map(|as_of| &as_of.0));
        let top = optional(self.top.as_ref().map(|top| &top.0));
        let apart = optional(self.apart.as_ref().map(|apart| &apart.0));
        Range::WholeFrom(1).check(self.top.as_ref(), "top", planning);
        if self.among.is_some() {
            let as_of = self.as_of.as_ref().map(|as_of| &as_of.0);
            for (key, expr) in [("of", self.of.as_ref()), ("senses", self.senses.as_ref()), ("as_of", as_of)] {
                if let Some(expr) = expr {
                    let message = format!("found `{key}` beside `among`, expected one of them");
                    let hint = format!("`{key}` chooses lines of the journal, and `among` gives the lines");
                    planning.problem("too-many", expr.0.pos, message, Some(hint));
                }
            }
        }
        Some(Arc::new(SearchStep {
            words: words?,
            among: readable(among)?,
            of: readable(of)?,
            senses: readable(senses)?,
            within: readable(within)?,
            as_of: readable(as_of)?,
            roles: roles.into_iter().map(|role| role.map(|role| role.role)).collect::<Option<_>>()?,
            top: readable(top)?,
            apart: readable(apart)?,
        }))
    }
}

impl Search {
    /// The step for a question about a list.
    fn plan_question(&self, question: &TextExpr, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let given = [
            ("for", self.r#for.as_ref().map(|expr| &expr.0)),
            ("of", self.of.as_ref()),
            ("senses", self.senses.as_ref()),
            ("within", self.within.as_ref()),
            ("as_of", self.as_of.as_ref().map(|expr| &expr.0)),
            ("top", self.top.as_ref().map(|expr| &expr.0)),
            ("apart", self.apart.as_ref().map(|expr| &expr.0)),
        ];
        for (key, expr) in given {
            if let Some(expr) = expr {
                let message = format!("found `{key}` beside `question`, expected one of them");
                planning.problem("too-many", expr.0.pos, message, None);
            }
        }
        let Some(among) = &self.among else {
            let message = "found `question` without `among`, expected the lines that it is about".to_owned();
            planning.problem("missing-key", question.0.0.pos, message, Some("for example `among: log`".into()));
            return None;
        };
        check_text(self.now.as_ref(), "now", INSTANT, is_instant, planning);
        let is_zone = |text: &str| crate::value::wall::zone(text).is_some();
        check_text(self.zone.as_ref(), "zone", ZONE, is_zone, planning);
        let mut optional = |expr: Option<&TextExpr>| readable(expr.map(|expr| planning.expr(&expr.0)));
        let (now, zone) = (optional(self.now.as_ref())?, optional(self.zone.as_ref())?);
        let history = readable(self.history.as_ref().map(|history| planning.expr(history)))?;
        let query = readable(self.query.as_ref().map(|query| planning.expr(query)))?;
        let question = planning.expr(&question.0);
        let among = planning.name_or_template(among);
        Some(Arc::new(AskedStep { question: question?, among: among?, history, query, now, zone }))
    }
}

#[derive(Debug)]
struct SearchStep {
    words: Formula,
    among: Option<Formula>,
    of: Option<Formula>,
    senses: Option<Formula>,
    within: Option<Formula>,
    as_of: Option<Formula>,
    roles: Vec<String>,
    top: Option<Formula>,
    apart: Option<Formula>,
}

impl Planned for SearchStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        typing.expect_or_nothing(&self.words, &[Type::Text], "`for`");
        let records = || Type::record([]).list();
        if let Some(among) = &self.among {
            typing.expect_or_nothing(among, &[Type::Moment.list(), records()], "`among`");
        }
        if let Some(of) = &self.of {
            typing.expect_or_nothing(of, &[Type::Video, Type::Audio, Type::Video.list(), Type::Text], "`of`");
        }
        if let Some(senses) = &self.senses {
            typing.expect_or_nothing(senses, &[Type::Text.list(), Type::Text], "`senses`");
        }
        if let Some(within) = &self.within {
            typing.expect_or_nothing(within, &[records()], "`within`");
        }
        if let Some(as_of) = &self.as_of {
            typing.expect_or_nothing(as_of, &[Type::Text], "`as_of`");
        }
        for (number, what) in [(&self.top, "`top`"), (&self.apart, "`apart`")] {
            if let Some(number) = number {
                typing.expect(number, &[Type::Number], what);
            }
        }
        (records(), self)
    }
}

impl Step for SearchStep {
    fn inside(&self) -> Inside {
        self.roles.first().cloned().map_or(Inside::Nothing, Inside::Asks)
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        let text = match self.words.eval(scope)? {
            Value::Nothing => String::new(),
            words => show(&words).trim().to_owned(),
        };
        let items = match &self.among {
            Some(among) => match among.eval(scope)? {
                Value::Nothing => Some(Vec::new()),
                Value::List(items) => Some(items),
                other => return Err(StepError(format!("found {} for `among`, expected a list", found(&other)))),
            },
            None => None,
        };
        let lines = items.as_ref().map(|items| items.iter().map(given).collect::<Result<Vec<_>, _>>()).transpose()?;
        let has_meaning = !text.is_empty() && lines.as_ref().is_none_or(|lines| !lines.is_empty());
        let roles: &[String] = if has_meaning { &self.roles } else { &[] };
        match answered {
            [] if lines.is_none() || !roles.is_empty() => {
                let mut asks = Vec::new();
                if lines.is_none() {
                    let request = Request::Journal(JournalRequest::Revision);
                    asks.push(Ask { role: JOURNAL.into(), request, sample: 0 });
                }
                for role in roles {
                    let lines = lines.iter().flatten().map(|line| (&line.text, EmbedPurpose::Document));
                    let ask = |(text, purpose): (&String, EmbedPurpose)| {
                        let request = Request::Embed(EmbedRequest::text(text, purpose));
                        Ask { role: role.clone(), request, sample: 0 }
                    };
                    asks.extend([(&text, EmbedPurpose::Query)].into_iter().chain(lines).map(ask));
                }
                Ok(Turn::Ask(asks))
            }
            [.., Answered::Replies(replies)] if matches!(replies.as_slice(), [Reply::Search(_)]) => {
                let [Reply::Search(hits)] = replies.as_slice() else { return Err(misfit("search")) };
                hits.iter()
                    .map(|hit| value(hit, items.as_deref()))
                    .collect::<Result<_, _>>()
                    .map(Value::List)
                    .map(Turn::Done)
            }
            _ => {
                let replies = match answered {
                    [] => &[],
                    [Answered::Replies(replies)] => replies.as_slice(),
                    _ => return Err(misfit("search")),
                };
                let request = self.request(scope, text, lines, replies)?;
                Ok(Turn::Ask(vec![Ask { role: JOURNAL.into(), request: Request::Search(request), sample: 0 }]))
            }
        }
    }
}

impl SearchStep {
    /// The search, after the replies about the journal's state and the vectors.
    fn request(
        &self,
        scope: &Scope,
        text: String,
        lines: Option<Vec<GivenLine>>,
        replies: &[Reply],
    ) -> Result<SearchRequest, StepError> {
        let mut replies = replies.iter();
        let optional = |formula: &Option<Formula>| formula.as_ref().map(|formula| formula.eval(scope)).transpose();
        let mut filter = LineFilter::default();
        if let Some(within) = optional(&self.within)? {
            filter.within = stretches(&within)?;
        }
        let revision = match &lines {
            Some(_) => None,
            None => match replies.next() {
                Some(Reply::Journal(JournalReply::Revision(revision))) => Some(revision.clone()),
                _ => return Err(misfit("journal")),
            },
        };
        // for each role, the vector of the words, and those of the lines of a list
        let vectors = replies.map(|reply| match reply {
            Reply::Embed(vector) => Ok(vector.clone()),
            _ => Err(misfit("embed")),
        });
        let vectors = vectors.collect::<Result<Vec<_>, _>>()?;
        let each = 1 + lines.as_ref().map_or(0, Vec::len);
        let of_roles = || self.roles.iter().zip(vectors.chunks_exact(each));
        let of = |role: &String, vector: &[f32]| RoleVector { role: role.clone(), vector: vector.to_vec() };
        let asked = of_roles().map(|(role, vectors)| of(role, &vectors[0])).collect();
        let among = match (revision, lines) {
            (Some(revision), _) => {
                if let Some(of) = optional(&self.of)? {
                    filter.media = digests(&of)?;
                }
                if let Some(senses) = optional(&self.senses)? {
                    filter.senses = senses_of(&senses)?;
                }
                if let Some(as_of) = &self.as_of {
                    filter.as_of_ms = instant(as_of, "as_of", scope)?;
                }
                Searched::Journal(revision)
            }
            (None, lines) => {
                let mut lines = lines.unwrap_or_default();
                for (role, vectors) in of_roles() {
                    for (line, vector) in lines.iter_mut().zip(&vectors[1..]) {
                        line.vectors.push(of(role, vector));
                    }
                }
                Searched::Lines(lines)
            }
        };
        let top = match optional(&self.top)? {
            Some(top) => whole(&top, "top")?,
            None => TOP,
        };
        let apart_s = match optional(&self.apart)? {
            Some(Value::Number(seconds)) if seconds.is_finite() && seconds >= 0.0 => seconds,
            Some(other) => return Err(StepError(format!("found {} for `apart`, expected seconds", show(&other)))),
            None => 0.0,
        };
        Ok(SearchRequest { among, text, vectors: asked, filter, top, apart_s })
    }
}

/// An item of the given list as a line.
fn given(item: &Value) -> Result<GivenLine, StepError> {
    let (text, start_s, end_s) = match item {
        Value::Moment(moment) => {
            let text = moment.text.clone().unwrap_or_default();
            (text, Some(moment.start.seconds()), Some(moment.end.seconds()))
        }
        Value::Record(fields) => {
            let number = |name: &str| match fields.get(name) {
                Some(Value::Number(number)) => Some(*number),
                _ => None,
            };
            (fields.get("text").map(show).unwrap_or_default(), number("start"), number("end"))
        }
        Value::Text(text) => (text.clone(), None, None),
        other => return Err(StepError(format!("found {} in `among`, expected lines", found(other)))),
    };
    Ok(GivenLine { text, start_s, end_s, vectors: Vec::new() })
}

/// The value of a hit: its line with `score` and `why`.
fn value(hit: &SearchHit, items: Option<&[Value]>) -> Result<Value, StepError> {
    let line = match (&hit.line, hit.place, items) {
        (Some(line), ..) => line.to_value(),
        (None, None, _) if let Some(frame) = &hit.frame => {
            // what a frame shows was seen
            let line =
                JournalLine { moment: frame.clone(), sense: Sense::Seen, text: String::new(), labels: Vec::new() };
            line.to_value()
        }
        (None, Some(place), Some(items)) => items.get(place).cloned().ok_or_else(|| misfit("search"))?,
        _ => return Err(misfit("search")),
    };
    let mut fields = match line {
        Value::Record(fields) => fields,
        Value::Moment(moment) => IndexMap::from([
            ("video".to_owned(), Value::Text(moment.media.path.clone())),
            ("start".to_owned(), Value::Number(moment.start.seconds())),
            ("end".to_owned(), Value::Number(moment.end.seconds())),
            ("clock".to_owned(), moment.clock().map_or(Value::Nothing, Value::Text)),
            ("text".to_owned(), Value::Text(moment.text.clone().unwrap_or_default())),
            ("moment".to_owned(), Value::Moment(moment)),
        ]),
        other => IndexMap::from([("text".to_owned(), other)]),
    };
    if let Some(place) = hit.place {
        fields.insert("index".to_owned(), Value::Number(place as f64));
    }
    fields.insert("score".to_owned(), Value::Number(hit.score));
    if let Some(id) = hit.id {
        fields.insert("line".to_owned(), Value::Number(id as f64));
    }
    let why = hit.why.iter().map(|why| Value::Text(why.to_string()));
    fields.insert("why".to_owned(), Value::List(why.collect()));
    Ok(Value::Record(fields))
}
