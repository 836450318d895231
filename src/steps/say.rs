//! `say`: a language agent completes a prompt, once or `n` times. With `cite` it names the entries of a log that it
//! used.

use super::{
    cite,
    decoding::{self, DecodingFormulas, DecodingKeys},
    misfit,
    prompted::{PromptKeys, PromptOf, Prompted},
    rank, readable, replies,
    restricted::{OverflowWord, SchemaOrName, checked, overflow, scored},
    whole,
};
use crate::{
    dialogue::{At, Expr, NumberExpr, Pos, TextExpr, written},
    exchange::{Kind, LeaveOut, Message, Reply, Request, SayReply, SayRequest},
    grammar::{schema_type, validated},
    plan::{Answered, Ask, Formula, Inside, Planned, Planning, Range, Step, StepError, Turn, Typing, Verb},
    problem::closest,
    prompt::Scope,
    value::{Type, Value},
};
use std::sync::Arc;

written! { "`say`",
    /// A language agent completes a prompt. The value is its text. One of `prompt` and `text`.
    pub struct Say {
        /// The role that speaks.
        pub agent: At<String>,
        /// The prompt.
        #[schemars(flatten)]
        pub prompt: PromptKeys,
        /// A system message.
        pub system: Option<TextExpr>,
        /// The number of samples; more than one gives a list.
        #[schemars(with = "Option<crate::plan::range::WholeFrom1>")]
        pub n: Option<NumberExpr>,
        /// Decoding settings.
        #[schemars(flatten)]
        pub decoding: DecodingKeys,
        /// The allowed replies: a label list, a list, or a template that gives a list.
        pub choices: Option<Expr>,
        /// A JSON Schema, or the name of a file `schemas/NAME.json`. The reply is JSON that fits it, and the step yields
        /// its value: an object gives a record, an array a list.
        #[schemars(with = "Option<SchemaOrName>")]
        pub schema: Option<Expr>,
        /// A regular expression that the whole reply matches.
        pub regex: Option<At<String>>,
        /// True divides the log-likelihood of each of `choices` by its number of tokens, so that long choices are not
        /// worse.
        pub normalise: Option<bool>,
        /// True yields all of `choices` as a list of `scored text`, most likely first: `score` is the log-likelihood,
        /// `probability` the share. The agent must be a local model.
        pub scores: Option<bool>,
        /// A list of entries (a name or a template). The hole `log` shows them as numbered lines. The step reads `[n]`
        /// from the reply, and its value is `{ text, abstained, evidence }`.
        pub cite: Option<TextExpr>,
        /// For `cite`, if the prompt is longer than the model's context: `refuse` (the default) fails, `oldest` leaves out
        /// the first lines of the list, `middle` those in its middle. The other lines keep their numbers.
        #[schemars(with = "Option<OverflowWord>")]
        pub overflow: Option<At<String>>,
        /// The question, for `cite`. An answer becomes an abstention in four cases: one of its words is neither in the
        /// cited entries nor in the question, it cites no entry, no entry contains a word of the question, or the
        /// question asks for yes or no and gets neither. The check knows English words.
        pub question: Option<TextExpr>,
        /// True sends the bare prompt without a chat template.
        pub raw: Option<bool>,
    }
}

/// The hole that `cite` fills.
const LOG: &str = "log";
/// Maximum number of replies to one prompt.
const MAX_SAMPLES: usize = 1000;

impl Verb for Say {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let role = planning.role(&self.agent, Kind::Say);
        let cited = self.cite.as_ref().map(|cite| planning.name_or_template(&cite.0));
        let of = PromptOf { verb: "say", pos: self.agent.pos, own: if cited.is_some() { &[LOG] } else { &[] } };
        let prompt = self.prompt.plan(of, planning);
        if let (Some(cite), Some(prompt)) = (&self.cite, &prompt)
            && !prompt.has(LOG)
        {
            let message = format!("found `cite`, but the prompt lacks the hole `{LOG}` for the numbered lines");
            let hint = format!("put `{{{{ {LOG} }}}}` into the prompt");
            planning.problem("unknown-hole", cite.0.0.pos, message, Some(hint));
        }
        if let (Some(question), None) = (&self.question, &self.cite) {
            let message =
                "found `question` without `cite`: an answer is checked against the entries that it cites".to_owned();
            planning.problem("wrong-value", question.0.0.pos, message, None);
        }
        self.check_choices(planning);
        let overflow = self.overflow(planning);
        let schema = self.schema.as_ref().map(|schema| planning.json_schema(schema));
        let regex = self.regex.as_ref().map(|regex| checked(regex, planning));
        let question = self.question.as_ref().map(|question| planning.expr(&question.0));
        let system = self.system.as_ref().map(|system| planning.expr(&system.0));
        let n = decoding::number(&self.n, "n", Range::WholeFrom(1), planning);
        let decoding = self.decoding.plan(planning);
        let choices = self.choices.as_ref().map(|choices| rank::among(choices, role.as_ref(), planning));
        if let (Some(_), Some(role)) = (&choices, &role) {
            planning.gives_choices(&role.role);
        }
        Some(Arc::new(SayStep {
            role: role?.role,
            role_name: self.agent.value.clone(),
            prompt: prompt?,
            cited: readable(cited)?,
            question: readable(question)?,
            system: readable(system)?,
            n: n?,
            decoding: decoding?,
            choices: readable(choices)?,
            schema: readable(schema)?,
            regex: readable(regex)?,
            overflow: overflow?,
            normalise: self.normalise.unwrap_or(false),
            scores: self.scores.unwrap_or(false),
            raw: self.raw.unwrap_or(false),
        }))
    }
}

impl Say {
    /// The rule of `overflow`. Reports an unknown word, and the key without `cite`.
    fn overflow(&self, planning: &mut Planning<'_>) -> Option<Option<LeaveOut>> {
        let Some(written) = &self.overflow else { return Some(None) };
        if self.cite.is_none() {
            let message = "found `overflow` without `cite`: only the lines of a cited list can be left out".to_owned();
            planning.problem("wrong-value", written.pos, message, None);
        }
        let words: Vec<&str> = ["refuse"].into_iter().chain(LeaveOut::ALL.map(|(word, _)| word)).collect();
        if !words.contains(&written.as_str()) {
            let message = format!("found `{}` for `overflow`, expected {}", written.value, words.join(", "));
            planning.problem("wrong-value", written.pos, message, closest(written, words.iter().copied()));
            return None;
        }
        Some(LeaveOut::ALL.into_iter().find(|(word, _)| *word == written.as_str()).map(|(_, rule)| rule))
    }

    /// Reports keys that need `choices`, and keys that cannot be combined with it.
    fn check_choices(&self, planning: &mut Planning<'_>) {
        let pos = self.agent.pos;
        for (key, is_set) in [("normalise", self.normalise == Some(true)), ("scores", self.scores == Some(true))] {
            if is_set && self.choices.is_none() {
                let message = format!("found `{key}` without `choices`");
                planning.problem(
                    "wrong-value",
                    pos,
                    message,
                    Some("list the allowed replies: `choices: [yes, no]`".into()),
                );
            }
        }
        let keys = [
            ("choices", self.choices.as_ref().map(|choices| choices.0.pos)),
            ("schema", self.schema.as_ref().map(|schema| schema.0.pos)),
            ("regex", self.regex.as_ref().map(|regex| regex.pos)),
            // a regular expression may describe a citing reply: `\\[[0-9]+\\] .+`
            ("cite", self.cite.as_ref().filter(|_| self.regex.is_none()).map(|cite| cite.0.0.pos)),
        ];
        let restricts = ["schema", "regex"];
        let written: Vec<(&str, Pos)> = keys.into_iter().filter_map(|(key, pos)| Some((key, pos?))).collect();
        if let [(first, _), (second, pos), ..] = written.as_slice()
            && written.iter().any(|(key, _)| restricts.contains(key))
        {
            let message = format!("found `{second}` beside `{first}`, expected one of them");
            planning.problem("too-many", *pos, message, None);
        }
        if let (Some((key, pos)), true) =
            (written.iter().find(|(key, _)| restricts.contains(key)), self.decoding.stops())
        {
            let message = format!("found `stop` beside `{key}`, expected one of them: it would cut the value");
            planning.problem("too-many", *pos, message, None);
        }
        if self.scores == Some(true) && self.cite.is_some() {
            let message = "found `scores` beside `cite`, expected one of them".to_owned();
            planning.problem("too-many", pos, message, None);
        }
    }
}

#[derive(Debug)]
struct SayStep {
    role: String,
    /// The role's name in the dialogue.
    role_name: String,
    prompt: Prompted,
    cited: Option<Formula>,
    /// The question, for the check of a citing answer.
    question: Option<Formula>,
    system: Option<Formula>,
    n: Option<Formula>,
    decoding: DecodingFormulas,
    choices: Option<rank::Among>,
    schema: Option<serde_json::Value>,
    regex: Option<String>,
    /// The lines of the list that go first if the prompt is too long.
    overflow: Option<LeaveOut>,
    normalise: bool,
    /// The value is the list of choices with their scores.
    scores: bool,
    raw: bool,
}

impl Planned for SayStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        (self.ty(typing), self)
    }
}

impl SayStep {
    /// The type of its value.
    fn ty(&self, typing: &mut Typing<'_>) -> Type {
        if let Some(cited) = &self.cited {
            typing.expect(cited, &[Type::Moment.list(), Type::record(entry_fields()).list()], "`cite`");
        }
        let own = self.cited.is_some().then_some((LOG, Type::Text));
        self.prompt.check(&self.role_name, own.as_slice(), typing);
        if let Some(question) = &self.question {
            typing.expect(question, &[Type::Text], "`question`");
        }
        if let Some(system) = &self.system {
            typing.expect_or_nothing(system, &[Type::Text], "`system`");
        }
        if let Some(n) = &self.n {
            typing.expect(n, &[Type::Number], "`n`");
        }
        self.decoding.check(typing);
        self.choices.iter().for_each(|choices| choices.ty("`choices`", typing));
        let one = match (&self.cited, self.scores) {
            (Some(_), _) => cited_type(),
            (None, true) => Type::Scored.list(),
            (None, false) => self.schema.as_ref().map_or(Type::Text, schema_type),
        };
        if self.many() { one.list() } else { one }
    }
}

/// The fields of a citable entry.
fn entry_fields() -> Vec<(String, Type)> {
    vec![("start".into(), Type::Number), ("end".into(), Type::Number), ("text".into(), Type::Text)]
}

fn cited_type() -> Type {
    let mut entry = vec![("video".to_owned(), Type::Text), ("clock".to_owned(), Type::Text)];
    entry.extend(entry_fields());
    Type::record([
        ("text".into(), Type::Text),
        ("abstained".into(), Type::Truth),
        ("evidence".into(), Type::record(entry).list()),
    ])
}

impl SayStep {
    /// True if the value is a list: `n` is not 1, or unknown before the run.
    fn many(&self) -> bool {
        self.n.as_ref().is_some_and(|n| n.literal() != Some(Value::Number(1.0)))
    }

    /// The value of a reply without citations and scores.
    fn value(&self, text: &str) -> Result<Value, StepError> {
        match (&self.schema, &self.regex) {
            (Some(schema), _) => validated(schema, text).map_err(StepError),
            (None, Some(_)) => Ok(Value::Text(text.to_owned())),
            (None, None) => Ok(Value::Text(text.trim().to_owned())),
        }
    }

    fn request(&self, scope: &Scope, log: Option<&[cite::LogEntry]>) -> Result<Request, StepError> {
        let own = log.map(|entries| (LOG, Value::Text(cite::numbered(entries))));
        let message = |role: &str, content: String| Message::new(role, content);
        let mut messages = Vec::new();
        if let Some(system) = &self.system {
            messages.push(message("system", system.text(scope)?));
        }
        let lines = own.as_ref().map(|(_, lines)| crate::prompt::show(lines));
        let text = self.prompt.text(scope, own.as_slice())?;
        let overflow = match (self.overflow, lines) {
            (Some(first), Some(lines)) if !lines.is_empty() => Some(overflow(first, &text, &lines, messages.len())?),
            _ => None,
        };
        messages.push(message("user", text));
        let choices = self.choices.as_ref().map(|choices| choices.labels(scope, "choices")).transpose()?;
        let choices = choices.map(|choices| choices.to_vec()).unwrap_or_default();
        let (raw, decoding, normalise) = (self.raw, self.decoding.eval(scope)?, self.normalise);
        let (schema, regex) = (self.schema.clone(), self.regex.clone());
        Ok(Request::Say(SayRequest {
            raw,
            decoding,
            choices,
            normalise,
            schema,
            regex,
            overflow,
            ..SayRequest::new(messages)
        }))
    }
}

impl Step for SayStep {
    fn inside(&self) -> Inside {
        Inside::Asks(self.role.clone())
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        let log = match &self.cited {
            Some(cited) => Some(cite::entries(&cited.eval(scope)?)?),
            None => None,
        };
        if let Some(replies) = replies(answered) {
            let question = self.question.as_ref().map(|question| question.text(scope)).transpose()?;
            let value = |reply: &Reply| match (reply, &log) {
                (Reply::Say(SayReply { text, left_out, .. }), Some(entries)) => {
                    let (value, note) = cite::answer(text, entries, question.as_deref());
                    let all = entries.len();
                    let left_out = (*left_out > 0).then(|| format!("left out {left_out} of {all} lines of the list"));
                    let notes: Vec<String> = left_out.into_iter().chain(note).collect();
                    Ok((value, (!notes.is_empty()).then(|| notes.join("; "))))
                }
                (Reply::Say(said), None) if self.scores => Ok((scored(said)?, None)),
                (Reply::Say(SayReply { text, .. }), None) => Ok((self.value(text)?, None)),
                _ => Err(misfit("say")),
            };
            let said: Vec<(Value, Option<String>)> = replies.iter().map(value).collect::<Result<_, _>>()?;
            let (mut values, notes): (Vec<Value>, Vec<Option<String>>) = said.into_iter().unzip();
            let value = if self.many() { Value::List(values) } else { values.pop().ok_or_else(|| misfit("say"))? };
            let notes: Vec<String> = notes.into_iter().flatten().collect();
            return Ok(if notes.is_empty() {
                Turn::Done(value)
            } else {
                Turn::Noted { value, note: notes.join("; ") }
            });
        }
        let samples = match &self.n {
            Some(n) => whole(&n.eval(scope)?, "n")?,
            None => 1,
        };
        if samples > MAX_SAMPLES {
            return Err(StepError(format!("found {samples} for `n`, expected at most {MAX_SAMPLES}")));
        }
        if samples == 0 {
            return Ok(Turn::Done(Value::List(Vec::new())));
        }
        let request = self.request(scope, log.as_deref())?;
        let ask = |sample: usize| Ask { role: self.role.clone(), request: request.clone(), sample: sample as u32 };
        Ok(Turn::Ask((0..samples).map(ask).collect()))
    }
}
