//! `search` with a question: chooses the lines of a list that a question is about, and computes what follows from them alone.

use super::{
    found,
    gather::{LogLine, gather},
};
use crate::{
    plan::{Answered, Formula, Planned, Step, StepError, Turn, Typing},
    prompt::{Scope, show},
    value::{Type, Value},
};
use std::sync::Arc;

/// The step for a question about a list.
#[derive(Debug)]
pub(super) struct AskedStep {
    pub question: Formula,
    pub among: Formula,
    pub now: Option<Formula>,
    pub zone: Option<Formula>,
}

impl Planned for AskedStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        typing.expect(&self.question, &[Type::Text], "`question`");
        typing.expect_or_nothing(&self.among, &[Type::Moment.list(), Type::record([]).list()], "`among`");
        for (text, what) in [(&self.now, "`now`"), (&self.zone, "`zone`")] {
            if let Some(text) = text {
                typing.expect_or_nothing(text, &[Type::Text], what);
            }
        }
        let fields = [
            ("lines", Type::Any.list()),
            ("answer", Type::Text.or_nothing()),
            ("ask", Type::Text),
            ("missing", Type::Truth),
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
        let optional = |formula: &Option<Formula>| -> Result<Option<String>, StepError> {
            let text = formula.as_ref().map(|formula| formula.text(scope)).transpose()?;
            Ok(text.filter(|text| !text.trim().is_empty()))
        };
        let zone = optional(&self.zone)?.unwrap_or_else(|| "UTC".to_owned());
        if crate::value::wall::zone(&zone).is_none() {
            return Err(StepError(format!(
                "found `{zone}` for `zone`, expected a zone such as Europe/Berlin, UTC or +02:00"
            )));
        }
        let now_ms = match optional(&self.now)? {
            Some(now) => instant(&now)
                .ok_or_else(|| StepError(format!("found `{now}` for `now`, expected a time with its offset")))?,
            None => log.iter().filter_map(|line| line.wall_ms).map(|(_, end)| end).max().unwrap_or(0),
        };
        let gathered = gather(&question, &log, now_ms, &zone);
        let lines = gathered.lines.iter().map(|place| items[*place].clone()).collect();
        Ok(Turn::Done(Value::Record(
            [
                ("lines", Value::List(lines)),
                ("answer", gathered.answer.map_or(Value::Nothing, Value::Text)),
                ("ask", Value::Text(gathered.ask.unwrap_or(question))),
                ("missing", Value::Truth(gathered.is_missing)),
                ("searched", Value::Text(gathered.searched)),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        )))
    }
}

fn instant(text: &str) -> Option<i64> {
    text.trim().parse::<jiff::Timestamp>().ok().map(|instant| instant.as_millisecond())
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
            let wall = |name: &str| text(name).and_then(|text| instant(&text));
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
