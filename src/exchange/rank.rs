//! `rank`: scores labels against an image, a sound or a text.

use super::{Exchange, Item, LabelList, MediaRef, Modalities, Modality, ScriptReply, script};
use crate::value::Scored;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Asks for the score of each of `texts` against `what`. The reply has one score for each label, in the order of
/// `among`. Without labels it asks an agent for all labels of its own, best first ([`Card::own_labels`]).
///
/// [`Card::own_labels`]: super::Card::own_labels
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankRequest {
    /// The content to look at, listen to or read.
    pub what: Item,
    /// The labels as the author wrote them. Replies contain these. Empty: the agent's own labels.
    pub among: LabelList,
    /// The labels inserted into the template, same length and order. The model reads these.
    pub texts: LabelList,
    /// Asks for each label's floor ([`Scored::floor`]). The default is not serialised, so that the memo finds exchanges
    /// of earlier versions.
    #[serde(default, skip_serializing_if = "FloorUse::is_unused")]
    pub floor: FloorUse,
}

/// The use of floors: `false`, `true` or `optional`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum FloorUse {
    /// Floors are not stated.
    #[default]
    Unused,
    /// The agent states floors, or fails.
    Required,
    /// The agent states floors if it can.
    Optional,
}

impl FloorUse {
    /// True if floors are not stated.
    pub fn is_unused(&self) -> bool {
        *self == FloorUse::Unused
    }

    /// True if an agent states floors; `able` says whether it can.
    pub fn applies(self, able: bool) -> bool {
        self == FloorUse::Required || self == FloorUse::Optional && able
    }
}

impl From<FloorUse> for serde_json::Value {
    fn from(floor: FloorUse) -> Self {
        match floor {
            FloorUse::Unused => false.into(),
            FloorUse::Required => true.into(),
            FloorUse::Optional => "optional".into(),
        }
    }
}

impl TryFrom<serde_json::Value> for FloorUse {
    type Error = String;
    fn try_from(json: serde_json::Value) -> Result<FloorUse, String> {
        let known = [FloorUse::Unused, FloorUse::Required, FloorUse::Optional];
        let found = known.into_iter().find(|floor| serde_json::Value::from(*floor) == json);
        found.ok_or_else(|| format!("found {json} for `floor`, expected true, false or optional"))
    }
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
        if self.wants_own_labels() {
            return fits_own(reply);
        }
        let (found, expected) = (reply.len(), self.among.len());
        let labels = reply.iter().map(|scored| &scored.text);
        match found == expected && labels.eq(self.among.iter()) {
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
        if self.wants_own_labels() {
            return self.scripted_own(&scores);
        }
        let mut labels: Vec<(&String, f64)> = self.among.iter().map(|label| (label, 0.0)).collect();
        for (scored, score) in &scores {
            let mut own = labels.iter_mut().filter(|(label, _)| *label == scored).peekable();
            if own.peek().is_none() {
                let labels = script::start_of(&self.among.join(", "));
                return Err(format!(
                    "the script's reply does not fit: found the label `{}`, expected one of {labels}",
                    script::start_of(scored)
                ));
            }
            own.for_each(|(_, own)| *own = *score);
        }
        Ok(self.shared_out(&labels))
    }
}

impl RankRequest {
    /// True if the request names no labels, so that it asks for the agent's own.
    pub fn wants_own_labels(&self) -> bool {
        self.among.is_empty() && self.texts.is_empty()
    }

    /// The labels of a script as an agent's own: best first.
    fn scripted_own(&self, scores: &IndexMap<String, f64>) -> Result<Vec<Scored>, String> {
        let mut labels: Vec<(&String, f64)> = scores.iter().map(|(label, score)| (label, *score)).collect();
        labels.sort_by(|a, b| b.1.total_cmp(&a.1));
        let scored = self.shared_out(&labels);
        fits_own(&scored).map(|()| scored)
    }

    /// Labels with their scores. Probabilities are shares of the positive scores.
    fn shared_out(&self, labels: &[(&String, f64)]) -> Vec<Scored> {
        let count = labels.len();
        let total: f64 = labels.iter().map(|(_, score)| score.max(0.0)).sum();
        let scored = labels.iter().map(|(text, score)| {
            let probability = if total > 0.0 { score.max(0.0) / total } else { 1.0 / count as f64 };
            let floor = self.floor.applies(true).then_some(0.0);
            Scored { text: (*text).clone(), score: *score as f32, probability: probability as f32, floor }
        });
        scored.collect()
    }
}

/// Checks a reply with an agent's own labels: at least one, best first, with finite numbers. Labels may repeat, because
/// two classes of ImageNet are called `crane`.
fn fits_own(reply: &[Scored]) -> Result<(), String> {
    if reply.is_empty() {
        return Err("found no labels, expected the agent's own".to_owned());
    }
    if let Some(odd) = reply.iter().find(|scored| !scored.score.is_finite() || !scored.probability.is_finite()) {
        return Err(format!("found the score {} for `{}`, expected a finite number", odd.score, odd.text));
    }
    match reply.is_sorted_by(|a, b| a.score >= b.score) {
        true => Ok(()),
        false => Err("found the agent's own labels in another order, expected the best first".to_owned()),
    }
}
