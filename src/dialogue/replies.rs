//! Scripted replies, exactly as written: in the tests of dialogues and in agent files.

use super::{At, Data, Node, Reading, Written, written};
use crate::exchange::{Detection, Script, ScriptReply, ScriptSegment};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// Maximum number of moments that a scripted reply can count.
const MAX_MOMENTS: f64 = 100_000.0;

impl Written for Script {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match &node.data {
            Data::List(_) => Vec::read(node, reading).map(Script::InOrder),
            Data::Map(entries) => {
                reading.duplicates(entries);
                let read = |(key, value): &(super::YamlKey, Node)| {
                    Some((key.name.clone(), ScriptReply::read(value, reading)?))
                };
                Some(Script::ByPiece(entries.iter().filter_map(read).collect()))
            }
            // a single reply answers every request
            Data::Text(..) | Data::Number(_) | Data::Bool(_) => {
                Some(Script::ByPiece(vec![(String::new(), ScriptReply::read(node, reading)?)]))
            }
            Data::Null => reading.wrong(node, "a list of replies, or a mapping from a piece of the prompt to a reply"),
        }
    }
}

impl JsonSchema for Script {
    fn schema_name() -> Cow<'static, str> {
        "Script".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let reply = generator.subschema_for::<ScriptReply>();
        json_schema!({
            "description": "Scripted replies: a list is used up in order; a mapping answers by a piece of the prompt.",
            "anyOf": [
                { "type": ["string", "number", "boolean"] },
                { "type": "array", "items": reply },
                { "type": "object", "additionalProperties": reply },
            ]
        })
    }
}

impl Written for ScriptReply {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match &node.data {
            Data::Text(text, _) => Some(ScriptReply::Text(text.clone())),
            Data::Bool(truth) => Some(ScriptReply::Text(truth.to_string())),
            Data::Number(number) if *number > MAX_MOMENTS => {
                reading.wrong(node, &format!("at most {MAX_MOMENTS} moments"))
            }
            Data::Number(_) => usize::read(node, reading).map(ScriptReply::Count),
            Data::List(items) if !items.is_empty() && items.iter().all(|item| matches!(item.data, Data::Number(_))) => {
                Vec::read(node, reading).map(ScriptReply::Numbers)
            }
            Data::List(items) if items.first().is_some_and(is_box) => {
                let boxes: Vec<BoxWritten> = Vec::read(node, reading)?;
                let boxes = boxes.into_iter().map(|one| one.detection(node, reading));
                boxes.collect::<Option<_>>().map(ScriptReply::Boxes)
            }
            Data::List(_) => Vec::read(node, reading).map(ScriptReply::Segments),
            Data::Map(entries) if entries.iter().any(|(key, _)| key.name == "fail") => {
                FailWritten::read(node, reading).map(|written| ScriptReply::Fail(written.fail))
            }
            Data::Map(_) => {
                let scores: IndexMap<At<String>, f64> = IndexMap::read(node, reading)?;
                Some(ScriptReply::Scores(scores.into_iter().map(|(key, score)| (key.value, score)).collect()))
            }
            Data::Null => reading.wrong(node, "a reply"),
        }
    }
}

impl JsonSchema for ScriptReply {
    fn schema_name() -> Cow<'static, str> {
        "ScriptReply".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let segment = generator.subschema_for::<SegmentWritten>();
        let found = generator.subschema_for::<BoxWritten>();
        let fail = generator.subschema_for::<FailWritten>();
        json_schema!({
            "description": "A text (say; rank: the winner), label: score (rank, detect), segments (hear), boxes (detect), a count or times (frames), or { fail: why }.",
            "anyOf": [
                { "type": ["string", "boolean"] },
                { "type": "integer", "minimum": 0 },
                { "type": "array", "items": { "type": "number" } },
                { "type": "array", "items": segment },
                { "type": "array", "items": found },
                { "type": "object", "additionalProperties": { "type": "number" }, "not": { "required": ["fail"] } },
                fail,
            ]
        })
    }
}

written! { "a scripted failure",
    /// A reply that fails on purpose, to test `or` and `retries`.
    pub struct FailWritten {
        /// The reason of the failure.
        pub fail: String,
    }
}

written! { "a segment",
    /// A piece of speech with its times.
    pub struct SegmentWritten {
        /// The start, in seconds.
        pub start: f64,
        /// The end, in seconds.
        pub end: f64,
        /// The speech.
        pub text: Option<String>,
    }
}

written! { "a box",
    /// A thing in a picture.
    pub struct BoxWritten {
        /// The label.
        pub label: String,
        /// Left, top, right and bottom, in pixels.
        pub r#box: Vec<f64>,
        /// How certain the detector is, 0 to 1; 1 if absent.
        pub score: Option<f64>,
    }
}

/// True for a record with the key of a box.
fn is_box(node: &Node) -> bool {
    matches!(&node.data, Data::Map(entries) if entries.iter().any(|(key, _)| key.name == "box"))
}

impl BoxWritten {
    /// The box. Reports another number of sides than four.
    fn detection(self, node: &Node, reading: &mut Reading) -> Option<Detection> {
        let BoxWritten { label, r#box, score } = self;
        match <[f64; 4]>::try_from(r#box) {
            Ok(sides) => {
                let (score, area) = (score.unwrap_or(1.0) as f32, sides.map(|side| side as f32));
                Some(Detection { label, score, area })
            }
            Err(_) => reading.wrong(node, "four numbers for `box`: left, top, right and bottom"),
        }
    }
}

impl Written for ScriptSegment {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        let SegmentWritten { start, end, text } = SegmentWritten::read(node, reading)?;
        Some(ScriptSegment { start, end, text: text.unwrap_or_default() })
    }
}
