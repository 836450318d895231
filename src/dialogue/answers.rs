//! The requests that an agent answers, as an agent file writes them: a kind alone, or a kind with its content.

use super::{Data, EndpointWritten, Node, Reading, TextStyle, Written};
use crate::exchange::{Answers, Kind, Modalities, Modality};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

impl EndpointWritten {
    /// The requests that the endpoint answers: `say` if the file names none.
    pub fn answers(&self) -> Vec<Answers> {
        let written = self.answers.as_ref().map(|all| all.iter().map(|at| at.value).collect());
        written.unwrap_or_else(|| vec![Answers::usual(Kind::Say)])
    }
}

/// Reads a word that must be one of `known`.
fn word<T: Copy>(node: &Node, known: &[T], word_of: fn(T) -> &'static str, reading: &mut Reading) -> Option<T> {
    let name = String::read(node, reading)?;
    let found = known.iter().copied().find(|one| word_of(*one) == name);
    if found.is_none() {
        let words: Vec<&str> = known.iter().map(|one| word_of(*one)).collect();
        let hint = crate::problem::closest(&name, words.iter().copied());
        reading.problem("wrong-value", node.pos, format!("found `{name}`, expected one of {}", words.join(", ")), hint);
    }
    found
}

/// Written as a kind (`say`), or as a kind with its content (`{ say: [text, image] }`).
impl Written for Answers {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        let Data::Map(entries) = &node.data else {
            return word(node, Kind::ALL, Kind::word, reading).map(Answers::usual);
        };
        let [(key, content)] = entries.as_slice() else {
            return reading.wrong(node, "a kind of request, or one kind with its content: `{ say: [text, image] }`");
        };
        let name = Node { pos: key.pos, data: Data::Text(key.name.clone(), TextStyle::Folded) };
        let kind = word(&name, Kind::ALL, Kind::word, reading);
        let Data::List(items) = &content.data else {
            return reading.wrong(content, "a list of content: `[text, image]`");
        };
        let takes: Option<Vec<Modality>> =
            items.iter().map(|item| word(item, Modality::ALL, Modality::word, reading)).collect();
        Some(Answers { kind: kind?, takes: Modalities::of(&takes?) })
    }
}

impl JsonSchema for Answers {
    fn schema_name() -> Cow<'static, str> {
        "Answers".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        let content: Vec<&str> = Modality::ALL.iter().map(|modality| modality.word()).collect();
        json_schema!({
            "description": "A kind of request, or one kind with the content that may come with it.",
            "anyOf": [
                { "enum": kinds },
                {
                    "type": "object",
                    "propertyNames": { "enum": kinds },
                    "additionalProperties": { "type": "array", "items": { "enum": content } },
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ]
        })
    }
}
