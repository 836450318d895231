//! `embed`: turns an item into a vector.

use super::{Exchange, Item, MediaRef, Modalities, Modality, ScriptReply, script};
use serde::{Deserialize, Serialize};

/// What a text is embedded for. Some models read a query in another way than what it is searched among.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbedPurpose {
    /// To search with it.
    Query,
    /// To be found.
    Document,
}

impl EmbedPurpose {
    /// The purposes, with their words in dialogues.
    pub const ALL: [(&str, EmbedPurpose); 2] = [("query", EmbedPurpose::Query), ("document", EmbedPurpose::Document)];

    /// The purpose with this word.
    pub fn of(word: &str) -> Option<EmbedPurpose> {
        EmbedPurpose::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, purpose)| purpose)
    }
}

/// Asks for the vector of `what`. The reply is a vector of unit length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbedRequest {
    /// The input.
    pub what: Item,
    /// What a text is embedded for. A model without prompts of its own reads every text in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<EmbedPurpose>,
}

impl EmbedRequest {
    /// A request without a purpose.
    pub fn new(what: Item) -> EmbedRequest {
        EmbedRequest { what, purpose: None }
    }

    /// A request to embed a text for a purpose.
    pub fn text(text: impl Into<String>, purpose: EmbedPurpose) -> EmbedRequest {
        EmbedRequest { what: Item::Text(text.into()), purpose: Some(purpose) }
    }
}

impl Exchange for EmbedRequest {
    type Reply = Vec<f32>;
    const USUAL: Modalities = Modalities::of(&[Modality::Text]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        self.what.media().into_iter().collect()
    }

    fn items(&self) -> Vec<Item> {
        vec![self.what.clone()]
    }

    fn fits(&self, reply: &Vec<f32>) -> Result<(), String> {
        match reply.is_empty() || reply.iter().any(|number| !number.is_finite()) {
            true => Err("found a vector that is empty or not finite".to_owned()),
            false => Ok(()),
        }
    }

    fn words(&self) -> String {
        self.what.words()
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Numbers(_))
    }

    fn scripted(&self, written: &ScriptReply) -> Result<Vec<f32>, String> {
        match written {
            ScriptReply::Numbers(numbers) => Ok(numbers.iter().map(|number| *number as f32).collect()),
            other => Err(script::misfit(other, "a list of numbers")),
        }
    }
}
