//! `search`: the lines of the journal, or of a given list, that fit words best. The built-in journal agent answers it.

use super::{Exchange, Item, LineFilter, MediaRef, Modalities, Modality, Revision, ScriptReply, script};
use crate::value::{JournalLine, Moment, Sense};
use serde::{Deserialize, Serialize};

/// Asks for the lines that fit `text` best. The reply is a list of hits, best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchRequest {
    /// Where to search.
    pub among: Searched,
    /// The words to search for. Without words, every line that passes the filter is a hit, in order of time.
    pub text: String,
    /// The vectors of the words, each by the agent of a role. Lines and frames with a vector of the same agent are compared with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vectors: Vec<RoleVector>,
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
    /// The vectors of the text by the agents of the request's vectors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vectors: Vec<RoleVector>,
}

/// A vector with the role whose agent made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleVector {
    /// The role.
    pub role: String,
    /// The vector, of unit length.
    pub vector: Vec<f32>,
}

/// A line or a frame that was found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SearchHit {
    /// Its place in the given list, from 0; `None` for a line of the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<usize>,
    /// The number of the line in the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The line of the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<JournalLine>,
    /// The frame, if it fits and no line of the journal tells of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<Moment>,
    /// Its rank among searches about other things: the share of them that find nothing here that fits as well, 0 to 1. With 0.99, one
    /// in a hundred does. In a list that is given, meaning counts as the share of its lines that fit worse.
    pub score: f64,
    /// Why it is a hit.
    pub why: Vec<HitReason>,
}

/// Why a line or a frame is a hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HitReason {
    /// These words of the search occur in it.
    Words(Vec<String>),
    /// The meaning of the line: the cosine of its vector with that of the words.
    Meaning(f64),
    /// A frame in it shows what the words say.
    Frame {
        /// The cosine of the frame's vector with that of the words.
        cosine: f64,
        /// The start of the frame, in seconds of presentation time.
        at_s: f64,
    },
    /// Another line of the same event, of this sense, fits too.
    Also(Sense),
}

impl std::fmt::Display for HitReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HitReason::Words(words) => write!(f, "words: {}", words.join(", ")),
            HitReason::Meaning(cosine) => write!(f, "meaning: {cosine:.2}"),
            HitReason::Frame { cosine, at_s } => write!(f, "frame at {at_s:.1} s: {cosine:.2}"),
            HitReason::Also(sense) => write!(f, "also {sense}"),
        }
    }
}

impl SearchHit {
    /// What it is about; `None` for a line of a given list.
    pub fn moment(&self) -> Option<&Moment> {
        self.line.as_ref().map(|line| &line.moment).or(self.frame.as_ref())
    }

    /// Adds the reasons of another hit of the same event. Its score stays.
    pub fn join(&mut self, other: &SearchHit) {
        let own = self.line.as_ref().map(|line| line.sense);
        let sense = other.line.as_ref().map(|line| line.sense).filter(|sense| Some(*sense) != own);
        let new = sense.map(HitReason::Also);
        let frame = other.why.iter().find(|why| matches!(why, HitReason::Frame { .. }));
        let has_frame = self.why.iter().any(|why| matches!(why, HitReason::Frame { .. }));
        for why in new.into_iter().chain(frame.filter(|_| !has_frame).cloned()) {
            if !self.why.contains(&why) {
                self.why.push(why);
            }
        }
    }
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
            None => hit.line.is_some() || hit.frame.is_some(),
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
            let hit = |place| SearchHit { place: Some(place), score: 1.0, ..SearchHit::default() };
            fits.then(|| hit(*place as usize - 1))
                .ok_or_else(|| format!("found place {place}, expected 1 to {}", lines.len()))
        };
        places.iter().take(self.top).map(hit).collect()
    }
}
