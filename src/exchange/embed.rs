//! `embed`: turns an item into a vector.

use super::{Exchange, Item, MediaRef, Modalities, Modality, ScriptReply, script};
use serde::{Deserialize, Serialize};

/// Asks for the vector of `what`. The reply is a vector of unit length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbedRequest {
    /// The input.
    pub what: Item,
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
