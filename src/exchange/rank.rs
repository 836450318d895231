//! `rank`: candidate words scored against an image, a sound or a text.

use super::{Exchange, Item, MediaRef, Modalities, Modality};
use crate::value::Scored;
use serde::{Deserialize, Serialize};

/// Score each of `texts` against `what`. The reply has one score for each candidate, in the order of `among`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankRequest {
    /// What is looked at, listened to or read.
    pub what: Item,
    /// The labels as the author wrote them; replies carry these.
    pub among: Vec<String>,
    /// The labels put into the template, same length and order; the model reads these.
    pub texts: Vec<String>,
}

impl Exchange for RankRequest {
    type Reply = Vec<Scored>;
    const USUAL: Modalities = Modalities::of(&[Modality::Text, Modality::Image]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        self.what.media().into_iter().collect()
    }

    fn takes(&self) -> Modalities {
        self.what.takes()
    }

    fn fits(&self, reply: &Vec<Scored>) -> Result<(), String> {
        let (found, expected) = (reply.len(), self.among.len());
        let labels = reply.iter().map(|scored| &scored.text);
        match found == expected && labels.eq(&self.among) {
            true => Ok(()),
            false => {
                Err(format!("found {found} scores for {expected} candidates, or other labels than were asked for"))
            }
        }
    }
}
