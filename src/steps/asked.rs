//! `search` with a question: chooses the lines of a list that a question is about, and computes what follows from them alone.

use super::{
    found,
    gather::{LogLine, gather, whereabouts},
};
use crate::{
    plan::{Answered, Formula, Planned, Step, StepError, Turn, Typing},
    prompt::{Scope, english::stems, show},
    query::{Beside, EarlierTurn, EventRelation, Order, Query, parse, standalone},
    value::{Type, Value, wall::spoken},
};
use std::{collections::HashSet, sync::Arc};

/// What a text that names a zone looks like.
pub(super) const ZONE: &str = "a zone such as Europe/Berlin, UTC or +02:00";

/// The step for a question about a list.
#[derive(Debug)]
pub(super) struct AskedStep {
    pub question: Formula,
    pub among: Formula,
    pub history: Option<Formula>,
    pub query: Option<Formula>,
    pub now: Option<Formula>,
    pub zone: Option<Formula>,
}

impl Planned for AskedStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        typing.expect(&self.question, &[Type::Text], "`question`");
        typing.expect_or_nothing(&self.among, &[Type::Moment.list(), Type::record([]).list()], "`among`");
        if let Some(history) = &self.history {
            typing.expect_or_nothing(history, &[Type::record([]).list()], "`history`");
        }
        if let Some(query) = &self.query {
            typing.expect_or_nothing(query, &[Type::record([])], "`query`");
        }
        for (text, what) in [(&self.now, "`now`"), (&self.zone, "`zone`")] {
            if let Some(text) = text {
                typing.expect_or_nothing(text, &[Type::Text], what);
            }
        }
        let fields = [
            ("lines", Type::Any.list()),
            ("fitting", Type::Any.list()),
            ("asks", Type::Text),
            ("question", Type::Text),
            ("answer", Type::Text.or_nothing()),
            ("ask", Type::Text),
            ("place", Type::Text.or_nothing()),
            ("missing", Type::Truth),
            ("parsed", Type::Truth),
            ("searched", Type::Text),
        ];
        (Type::record(fields.map(|(name, ty)| (name.to_owned(), ty))), self)
    }
}

impl Step for AskedStep {
    fn turn(&self, scope: &Scope, _: &[Answered]) -> Result<Turn, StepError> {
        let question = self.question.text(scope)?;
        let items = match self.among.eval(scope)? {
            Value::Nothing => Vec::new(),
            Value::List(items) => items,
            other => return Err(StepError(format!("found {} for `among`, expected a list", found(&other)))),
        };
        let log = items.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        let zone = self.zone.as_ref().map(|zone| zone.text(scope)).transpose()?;
        let zone = zone.filter(|zone| !zone.trim().is_empty()).unwrap_or_else(|| zone_of(&items));
        if crate::value::wall::zone(&zone).is_none() {
            return Err(StepError(format!("found `{zone}` for `zone`, expected {ZONE}")));
        }
        let now_ms = self.now.as_ref().map(|now| instant(now, "now", scope)).transpose()?.flatten();
        let now_ms =
            now_ms.unwrap_or_else(|| log.iter().filter_map(|line| line.wall_ms).map(|(_, end)| end).max().unwrap_or(0));
        let before = self.history.as_ref().map(|history| history.eval(scope)).transpose()?;
        let before = before.map(|history| said(&history, &zone)).transpose()?.flatten();
        let question = before.and_then(|before| standalone(&question, &before)).unwrap_or(question);
        let given = self.query.as_ref().map(|query| query.eval(scope)).transpose()?;
        let understood = given.and_then(|given| understood(&question, &given));
        let gathered = gather(&question, understood, &log, now_ms, &zone);
        let at = |places: &[usize]| Value::List(places.iter().map(|place| items[*place].clone()).collect());
        let (lines, fitting) = (at(&gathered.lines), at(&gathered.fitting));
        let asks = serde_json::to_value(gathered.asks).ok();
        let asks = asks.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        Ok(Turn::Done(Value::Record(
            [
                ("lines", lines),
                ("fitting", fitting),
                ("asks", Value::Text(asks)),
                ("answer", gathered.answer.map_or(Value::Nothing, Value::Text)),
                ("place", gathered.place.map_or(Value::Nothing, Value::Text)),
                ("ask", Value::Text(gathered.ask.unwrap_or_else(|| question.clone()))),
                ("question", Value::Text(question)),
                ("missing", Value::Truth(gathered.is_missing)),
                ("parsed", Value::Truth(gathered.is_parsed)),
                ("searched", Value::Text(gathered.searched)),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        )))
    }
}

/// A question as a model understood it. Its times are those that the grammar finds, and words that are not in the question are left out. `None` if
/// nothing usable is left.
fn understood(question: &str, given: &Value) -> Option<Query> {
    let Value::Record(fields) = given else { return None };
    let text = |name: &str| fields.get(name).map(show).unwrap_or_default();
    let known: HashSet<String> = stems(&[question]);
    let own = |name: &str| {
        let written = text(name);
        let kept = written.split_whitespace().filter(|word| stems(&[word]).iter().all(|stem| known.contains(stem)));
        kept.collect::<Vec<_>>().join(" ")
    };
    let asks = serde_json::from_value(serde_json::Value::String(text("asks"))).ok()?;
    let order = match text("order").as_str() {
        "first" => Order::First,
        "last" => Order::Last,
        "every" => Order::Every,
        _ => Order::None,
    };
    let relation = match text("side").as_str() {
        "before" => Some(EventRelation::Before),
        "after" => Some(EventRelation::After),
        "while" => Some(EventRelation::While),
        _ => None,
    };
    let (topic, event) = (own("topic"), own("event"));
    let beside = relation.filter(|_| !event.is_empty());
    let beside = beside.map(|relation| Beside { relation, near: true, order: Order::None, event, other: None });
    let read = parse(question);
    if topic.is_empty() && beside.is_none() && read.when.is_none() && order.is_none() {
        return None;
    }
    Some(Query { asks, when: read.when, beside, order, topic, parsed: true, unknown: Vec::new() })
}

/// The last turn of a history.
fn said(history: &Value, zone: &str) -> Result<Option<EarlierTurn>, StepError> {
    let last = match history {
        Value::List(turns) => turns.last(),
        _ => None,
    };
    let Some(last) = last else { return Ok(None) };
    let Value::Record(turn) = last else {
        return Err(StepError(format!(
            "found {} in `history`, expected records with `question` and `text`",
            found(last)
        )));
    };
    let text = |name: &str| turn.get(name).map(show).unwrap_or_default();
    let line = match turn.get("evidence") {
        Some(Value::List(lines)) => lines.last().map(line).transpose()?,
        _ => None,
    };
    let (place, activity) = line.as_ref().map(|line| whereabouts(&line.text)).unwrap_or_default();
    let times = line.as_ref().map(|line| times_of(line, zone));
    Ok(Some(EarlierTurn { question: text("question"), answer: text("text"), place, activity, times }))
}

/// The times of a line as a question names them.
fn times_of(line: &LogLine, zone: &str) -> (String, String) {
    let played = |seconds: f64| {
        let seconds = seconds.round() as u64;
        match seconds / 3600 {
            0 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
            hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
        }
    };
    if let Some((start, end)) = line.wall_ms.map(|(start, end)| (spoken(start, zone), spoken(end, zone))) {
        return (start, end);
    }
    match line.clock.as_deref().and_then(|clock| clock.split_once('-')) {
        Some((start, end)) => (start.to_owned(), end.to_owned()),
        None => (played(line.start), played(line.end)),
    }
}

/// The instant that a key states, in ms since 1970 (UTC); none for an empty text.
pub(super) fn instant(formula: &Formula, key: &str, scope: &Scope) -> Result<Option<i64>, StepError> {
    let text = formula.text(scope)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let wrong = || StepError(format!("found `{text}` for `{key}`, expected {INSTANT}"));
    timestamp(&text).map(Some).ok_or_else(wrong)
}

/// What a text that states an instant looks like.
pub(super) const INSTANT: &str = "a time with its offset (2026-11-23T21:00:00+01:00)";

/// True if a text states an instant.
pub(super) fn is_instant(text: &str) -> bool {
    timestamp(text).is_some()
}

fn timestamp(text: &str) -> Option<i64> {
    text.trim().parse::<jiff::Timestamp>().ok().map(|instant| instant.as_millisecond())
}

/// The zone of the latest recording that has one, else UTC.
fn zone_of(items: &[Value]) -> String {
    let medium = |item: &Value| match item {
        Value::Moment(moment) => moment.media.wall.clone(),
        Value::Record(fields) => match fields.get("moment") {
            Some(Value::Moment(moment)) => moment.media.wall.clone(),
            _ => None,
        },
        _ => None,
    };
    items.iter().rev().find_map(medium).map_or_else(|| "UTC".to_owned(), |wall| wall.zone)
}

/// An item of the list as a line of a log.
fn line(item: &Value) -> Result<LogLine, StepError> {
    match item {
        Value::Moment(moment) => Ok(LogLine {
            medium: moment.media.path.clone(),
            start: moment.start.seconds(),
            end: moment.end.seconds(),
            clock: moment.clock(),
            wall_ms: moment.media.wall_ms(moment.start).zip(moment.media.wall_ms(moment.end)),
            text: moment.text.clone().unwrap_or_default(),
        }),
        Value::Record(fields) => {
            if let Some(Value::Moment(moment)) = fields.get("moment") {
                let own = line(&Value::Moment(moment.clone()))?;
                return Ok(LogLine { text: of_sense(fields), ..own });
            }
            let number = |name: &str| match fields.get(name) {
                Some(Value::Number(number)) => Ok(*number),
                _ => Err(StepError(format!("found a line without the number `{name}` in `among`"))),
            };
            let text = |name: &str| fields.get(name).map(show).filter(|text| !text.is_empty());
            let wall = |name: &str| text(name).and_then(|text| timestamp(&text));
            Ok(LogLine {
                medium: text("video").unwrap_or_default(),
                start: number("start")?,
                end: number("end")?,
                clock: text("clock"),
                wall_ms: wall("at").zip(wall("until")),
                text: of_sense(fields),
            })
        }
        other => Err(StepError(format!("found {} in `among`, expected moments or records", found(other)))),
    }
}

/// The text of a line as the log writes it. A line of the journal has one sense: what was done is an activity, and what was heard is speech.
fn of_sense(fields: &indexmap::IndexMap<String, Value>) -> String {
    let text = fields.get("text").map(show).unwrap_or_default();
    match fields.get("sense").map(show).as_deref() {
        Some("heard") => format!("Heard: {text}"),
        Some("done") => format!(", {text}."),
        _ => text,
    }
}
