//! `embed`: something turned into a vector.

use super::{Exchange, Item, MediaRef, Modalities, Modality};
use serde::{Deserialize, Serialize};

/// Turn `what` into a vector of unit length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbedRequest {
    /// What to embed.
    pub what: Item,
}

impl Exchange for EmbedRequest {
    type Reply = Vec<f32>;
    const USUAL: Modalities = Modalities::of(&[Modality::Text]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        self.what.media().into_iter().collect()
    }

    fn takes(&self) -> Modalities {
        self.what.takes()
    }

    fn fits(&self, reply: &Vec<f32>) -> Result<(), String> {
        match reply.is_empty() || reply.iter().any(|number| !number.is_finite()) {
            true => Err("found a vector that is empty or not finite".to_owned()),
            false => Ok(()),
        }
    }
}
