//! `journal`: adds lines to the journal, or reads them. The built-in journal agent, which every run has, answers it.

use super::{Exchange, Item, MediaRef, Modalities, Modality, ScriptReply, script};
use crate::value::{JournalLine, Media, Sense, shared};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Adds to the journal, reads it, or asks for its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalRequest {
    /// Adds these lines. The same request adds nothing a second time. Lines of the same writer, medium and sense that an earlier request
    /// added are superseded: they are kept, but no longer read.
    Append {
        /// The dialogue and the step that write: part of a line's origin.
        writer: String,
        /// The medium that the lines are about. It is listed in the journal even if no line was found.
        #[serde(with = "shared")]
        medium: Arc<Media>,
        /// The senses that were used on the medium; also those that found nothing.
        senses: Vec<Sense>,
        /// The lines, in order of time.
        lines: Vec<JournalLine>,
    },
    /// Says what a line should be. The correction is a line of its own that takes its place; both are kept. The same request changes nothing
    /// a second time.
    Correct {
        /// The line, as the journal gave it.
        line: Box<JournalLine>,
        /// The right text; an empty one removes the line.
        text: String,
    },
    /// Asks for the journal's state. A later request that names the state has one reply for ever.
    Revision,
    /// Reads lines in order of time.
    Read {
        /// The state of the journal, as an earlier request gave it.
        revision: Revision,
        /// The lines that are wanted.
        filter: LineFilter,
    },
}

/// The state of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The journal's own id; two journals never share it.
    pub journal: String,
    /// Grows with every change.
    pub number: u64,
}

/// The lines that a request wants. An empty list wants all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LineFilter {
    /// The digests of the media.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<String>,
    /// The senses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub senses: Vec<Sense>,
    /// The stretches of time that a line must touch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<TimeSpan>,
    /// The wall-clock time in ms since 1970 (UTC) after which nothing is read: a line that ends later is left out. A line without a
    /// known time counts as earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of_ms: Option<i64>,
}

/// A stretch of time: of wall-clock time, or of the presentation time of each medium.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeSpan {
    /// From and to (exclusive), in ms since 1970 (UTC).
    Wall(i64, i64),
    /// From and to (exclusive), in seconds of presentation time.
    Played(f64, f64),
}

/// The journal's reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalReply {
    /// To `append`: the number of lines that the request holds.
    Added(usize),
    /// To `revision`: the state.
    Revision(Revision),
    /// To `read`: the lines, in order of time.
    Lines(Vec<JournalLine>),
    /// To `correct`: the line that took the place of the wrong one.
    Corrected(Box<JournalLine>),
}

impl Exchange for JournalRequest {
    type Reply = JournalReply;
    const USUAL: Modalities = Modalities::of(&[Modality::Text]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        match self {
            JournalRequest::Append { medium, lines, .. } => {
                let of_lines = lines.iter_mut().map(|line| MediaRef::Sound(&mut line.moment));
                [MediaRef::Whole(medium)].into_iter().chain(of_lines).collect()
            }
            JournalRequest::Correct { line, .. } => vec![MediaRef::Sound(&mut line.moment)],
            JournalRequest::Revision | JournalRequest::Read { .. } => Vec::new(),
        }
    }

    /// Empty, because the journal holds words alone.
    fn items(&self) -> Vec<Item> {
        Vec::new()
    }

    fn takes(&self) -> Modalities {
        Modalities::of(&[Modality::Text])
    }

    /// An append must reach the journal again if its line was removed from there, and the state changes. Only a reading of a stated state has one
    /// reply for ever.
    fn repeats(&self) -> bool {
        matches!(self, JournalRequest::Read { .. })
    }

    fn fits(&self, reply: &JournalReply) -> Result<(), String> {
        let fits = match (self, reply) {
            (JournalRequest::Append { lines, .. }, JournalReply::Added(count)) => *count == lines.len(),
            (JournalRequest::Correct { text, .. }, JournalReply::Corrected(line)) => line.text == *text,
            (JournalRequest::Revision, JournalReply::Revision(_)) => true,
            (JournalRequest::Read { .. }, JournalReply::Lines(_)) => true,
            _ => false,
        };
        if fits { Ok(()) } else { Err("found a reply to another request to the journal".to_owned()) }
    }

    fn words(&self) -> String {
        match self {
            JournalRequest::Append { medium, lines, .. } => {
                let texts = lines.iter().map(|line| line.text.as_str());
                [medium.path.as_str()].into_iter().chain(texts).collect::<Vec<_>>().join("\n")
            }
            JournalRequest::Correct { line, text } => format!("{}\n{text}", line.text),
            JournalRequest::Revision => "revision".to_owned(),
            JournalRequest::Read { .. } => "read".to_owned(),
        }
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Count(0))
    }

    /// A scripted journal is empty: it takes every line and keeps none. The tests of a dialogue use a real one in memory instead, unless they
    /// script it.
    fn scripted(&self, written: &ScriptReply) -> Result<JournalReply, String> {
        let ScriptReply::Count(0) = written else { return Err(script::misfit(written, "0, an empty journal")) };
        Ok(match self {
            JournalRequest::Append { lines, .. } => JournalReply::Added(lines.len()),
            JournalRequest::Correct { line, text } => {
                JournalReply::Corrected(Box::new(JournalLine { text: text.clone(), ..(**line).clone() }))
            }
            JournalRequest::Revision => JournalReply::Revision(Revision { journal: "script".to_owned(), number: 0 }),
            JournalRequest::Read { .. } => JournalReply::Lines(Vec::new()),
        })
    }
}
