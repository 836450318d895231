//! `rank`: scores labels against an image, a sound or a text.

use super::{Exchange, Item, MediaRef, Modalities, Modality, ScriptReply, script};
use crate::value::Scored;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Asks for the score of each of `texts` against `what`. The reply has one score for each label, in the order of
/// `among`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankRequest {
    /// The content to look at, listen to or read.
    pub what: Item,
    /// The labels as the author wrote them. Replies contain these.
    pub among: Vec<String>,
    /// The labels inserted into the template, same length and order. The model reads these.
    pub texts: Vec<String>,
    /// Asks for each label's floor ([`Scored::floor`]). `false` is not serialised, so that the memo finds exchanges of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub floor: bool,
}

impl Exchange for RankRequest {
    type Reply = Vec<Scored>;
    const USUAL: Modalities = Modalities::of(&[Modality::Text, Modality::Image]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        self.what.media().into_iter().collect()
    }

    fn items(&self) -> Vec<Item> {
        vec![self.what.clone()]
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

    fn words(&self) -> String {
        format!("{}\n{}", self.what.words(), self.texts.join("\n"))
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Text(_) | ScriptReply::Count(_) | ScriptReply::Scores(_))
    }

    /// Scores for all labels. A label that the script omits scores 0, and every floor is 0. Probabilities are shares of
    /// the positive scores.
    fn scripted(&self, written: &ScriptReply) -> Result<Vec<Scored>, String> {
        let winner = || written.text().map(|winner| IndexMap::from([(winner.into_owned(), 1.0)]));
        let scores = match written {
            ScriptReply::Scores(scores) => scores.clone(),
            other => winner().ok_or_else(|| script::misfit(other, "a label, or labels with scores"))?,
        };
        if let Some(unknown) = scores.keys().find(|label| !self.among.contains(label)) {
            let labels = script::start_of(&self.among.join(", "));
            return Err(format!(
                "the script's reply does not fit: found the label `{}`, expected one of {labels}",
                script::start_of(unknown)
            ));
        }
        let total: f64 = scores.values().map(|score| score.max(0.0)).sum();
        let scored = self.among.iter().map(|label| {
            let score = scores.get(label).copied().unwrap_or(0.0);
            let probability = if total > 0.0 { score.max(0.0) / total } else { 1.0 / self.among.len() as f64 };
            let floor = self.floor.then_some(0.0);
            Scored { text: label.clone(), score: score as f32, probability: probability as f32, floor }
        });
        Ok(scored.collect())
    }
}
