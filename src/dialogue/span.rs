//! Durations, written alike in dialogues and on the command line: `500ms`, `2s`, `1.5m`, `1h30m`.

use super::{Data, Node, Reading, Written};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, time::Duration};

/// A duration greater than 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span(pub Duration);

/// The units and their seconds. A unit precedes every unit that is its suffix.
const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("min", 60.0), ("m", 60.0), ("h", 3600.0)];
/// Maximum duration: a year. A longer one is a mistake and could overflow later.
const MAX_S: f64 = 31_536_000.0;
/// The pattern of a text that [`Span::parse`] accepts, for editors.
pub const PATTERN: &str = r"^(?=.*[1-9])([0-9]+(\.[0-9]+)?(ms|s|min|m|h))+$";
/// The notation of a duration, for hints.
pub const USAGE: &str = "write a number and a unit: `500ms`, `2s`, `1.5m`, `1h30m`";

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSpan {
    /// A number without a unit.
    Bare,
    /// 0 or less.
    NotPositive,
    /// More than a year.
    TooLong,
    /// Any other text.
    Unreadable,
}

impl NoSpan {
    /// The expected value, for messages.
    pub fn expected(self) -> &'static str {
        match self {
            NoSpan::Bare => "a duration with a unit",
            NoSpan::NotPositive => "more than 0",
            NoSpan::TooLong => "at most a year",
            NoSpan::Unreadable => "a duration",
        }
    }
}

impl Span {
    /// Parses numbers that are each directly followed by a unit.
    pub fn parse(text: &str) -> Result<Span, NoSpan> {
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let is_number =
            |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '.') && text.parse::<f64>().is_ok();
        if is_number(rest) {
            return Err(NoSpan::Bare);
        }
        let mut seconds = 0.0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let letters = rest[digits..].find(|c: char| !c.is_ascii_alphabetic()).map_or(rest.len(), |n| digits + n);
            let (number, unit) = (&rest[..digits], &rest[digits..letters]);
            let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(NoSpan::Unreadable)?;
            if !is_number(number) || number.starts_with('.') || number.ends_with('.') {
                return Err(NoSpan::Unreadable);
            }
            seconds += number.parse::<f64>().map_err(|_| NoSpan::Unreadable)? * unit;
            rest = &rest[letters..];
        }
        match seconds {
            _ if text.is_empty() => Err(NoSpan::Unreadable),
            0.0 => Err(NoSpan::NotPositive),
            _ if negative => Err(NoSpan::NotPositive),
            seconds if seconds > MAX_S => Err(NoSpan::TooLong),
            seconds => Ok(Span(Duration::from_secs_f64(seconds))),
        }
    }

    /// Reads a duration from a YAML value.
    pub fn of(node: &Node) -> Result<Span, NoSpan> {
        match &node.data {
            Data::Text(text, _) => Span::parse(text),
            Data::Number(_) => Err(NoSpan::Bare),
            _ => Err(NoSpan::Unreadable),
        }
    }
}

impl Written for Span {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        let span = Span::of(node);
        if let Err(why) = span {
            let message = format!("found {}, expected {}", node.describe(), why.expected());
            reading.problem("bad-duration", node.pos, message, Some(USAGE.to_owned()));
        }
        span.ok()
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": PATTERN, "examples": ["2s", "500ms", "1h30m"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        let check = |text: &str, expected: Result<f64, NoSpan>| {
            assert_eq!(Span::parse(text).map(|span| span.0.as_secs_f64()), expected, "{text}");
        };
        check("90s", Ok(90.0));
        check("250ms", Ok(0.25));
        check("1h30m", Ok(5400.0));
        check("1.5m", Ok(90.0));
        check("5min", Ok(300.0));
        check("2", Err(NoSpan::Bare));
        check("2.5", Err(NoSpan::Bare));
        check("-3", Err(NoSpan::Bare));
        check("0s", Err(NoSpan::NotPositive));
        check("-1s", Err(NoSpan::NotPositive));
        check("9000h", Err(NoSpan::TooLong));
        for bad in ["", "soon", "5 years", "2 s", "s", "1s2", ".5s", "1.s", "1..2s", "1e3s", "∞s", "1S"] {
            check(bad, Err(NoSpan::Unreadable));
        }
    }
}
