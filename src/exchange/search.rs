//! `search`: the lines of the journal, or of a given list, that fit words best. The built-in journal agent answers it.

use super::{Exchange, Item, LineFilter, MediaRef, Modalities, Modality, Revision, ScriptReply, script};
use crate::value::JournalLine;
use serde::{Deserialize, Serialize};

/// Asks for the lines that fit `text` best. The reply is a list of hits, best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchRequest {
    /// Where to search.
    pub among: Searched,
    /// The words to search for. Without words, every line that passes the filter is a hit, in order of time.
    pub text: String,
    /// The vector of the words, and the role of the agent that made it. Lines with a vector of the same agent are compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<RoleVector>,
    /// The lines that may be hits.
    #[serde(default)]
    pub filter: LineFilter,
    /// The maximum number of hits.
    pub top: usize,
    /// Lines of one medium that are less than this far apart, in seconds, are one event: only the best of them is a hit.
    pub apart_s: f64,
}

/// What is searched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Searched {
    /// The journal, in the state that an earlier request gave.
    Journal(Revision),
    /// These lines.
    Lines(Vec<GivenLine>),
}

/// A line of a list that is searched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenLine {
    /// The text.
    pub text: String,
    /// The start in seconds, if the line has a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_s: Option<f64>,
    /// The end in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_s: Option<f64>,
    /// The vector of the text by the agent of the request's vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
}

/// A vector with the role whose agent made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleVector {
    /// The role.
    pub role: String,
    /// The vector, of unit length.
    pub vector: Vec<f32>,
}

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchHit {
    /// Its place in the given list, from 0; `None` for a line of the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<usize>,
    /// The line of the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<JournalLine>,
    /// The share of unrelated lines that fit worse, 0 to 1: 0.99 means that one unrelated line in a hundred fits as well.
    pub score: f64,
    /// Why it is a hit: `words` and the words that it has, or `meaning` and the cosine.
    pub why: Vec<HitReason>,
}

/// Why a line is a hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HitReason {
    /// These words of the search occur in it.
    Words(Vec<String>),
    /// The cosine of both vectors.
    Meaning(f64),
}

impl Exchange for SearchRequest {
    type Reply = Vec<SearchHit>;
    const USUAL: Modalities = Modalities::of(&[Modality::Text]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        Vec::new()
    }

    /// Empty, because only words are searched.
    fn items(&self) -> Vec<Item> {
        Vec::new()
    }

    fn takes(&self) -> Modalities {
        Modalities::of(&[Modality::Text])
    }

    fn fits(&self, reply: &Vec<SearchHit>) -> Result<(), String> {
        let lines = match &self.among {
            Searched::Journal(_) => None,
            Searched::Lines(lines) => Some(lines.len()),
        };
        let is_sound = |hit: &SearchHit| match lines {
            None => hit.line.is_some(),
            Some(count) => hit.place.is_some_and(|place| place < count),
        };
        match reply.len() <= self.top && reply.iter().all(|hit| is_sound(hit) && (0.0..=1.0).contains(&hit.score)) {
            true => Ok(()),
            false => Err("found hits that are not among the searched lines".to_owned()),
        }
    }

    fn words(&self) -> String {
        self.text.clone()
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Numbers(_) | ScriptReply::Count(_))
    }

    /// The numbers are the places of the hits in the given list, best first. They count from 1, and 0 means no hit.
    fn scripted(&self, written: &ScriptReply) -> Result<Vec<SearchHit>, String> {
        let places = match written {
            ScriptReply::Numbers(places) => places.clone(),
            ScriptReply::Count(0) => Vec::new(),
            ScriptReply::Count(place) => vec![*place as f64],
            other => return Err(script::misfit(other, "the places of the hits in the list, from 1")),
        };
        let Searched::Lines(lines) = &self.among else {
            return if places.is_empty() {
                Ok(Vec::new())
            } else {
                Err("a script cannot find lines of the journal".into())
            };
        };
        let hit = |place: &f64| {
            let fits = place.fract() == 0.0 && (1.0..=lines.len() as f64).contains(place);
            let hit = |place| SearchHit { place: Some(place), line: None, score: 1.0, why: Vec::new() };
            fits.then(|| hit(*place as usize - 1))
                .ok_or_else(|| format!("found place {place}, expected 1 to {}", lines.len()))
        };
        places.iter().take(self.top).map(hit).collect()
    }
}
