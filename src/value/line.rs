//! Lines of the journal: what was seen, done or heard, and when.

use super::{Moment, Value};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The sense or the process that a line of the journal comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sense {
    /// A place, a thing or a person in the picture.
    Seen,
    /// What the wearer of the camera did.
    Done,
    /// Speech.
    Heard,
    /// A sound that is not speech.
    Sound,
    /// Text in the picture.
    Read,
    /// A thing that a detector found in the picture.
    Detected,
    /// A description of the picture in sentences.
    Caption,
    /// A summary of other lines.
    Summary,
}

impl Sense {
    /// Every sense.
    pub const ALL: &[Sense] = &[
        Sense::Seen,
        Sense::Done,
        Sense::Heard,
        Sense::Sound,
        Sense::Read,
        Sense::Detected,
        Sense::Caption,
        Sense::Summary,
    ];

    /// The word for this sense in dialogues, files and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Sense::Seen => "seen",
            Sense::Done => "done",
            Sense::Heard => "heard",
            Sense::Sound => "sound",
            Sense::Read => "read",
            Sense::Detected => "detected",
            Sense::Caption => "caption",
            Sense::Summary => "summary",
        }
    }

    /// The sense with this word.
    pub fn of(word: &str) -> Option<Sense> {
        Sense::ALL.iter().copied().find(|sense| sense.word() == word)
    }
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word of a line, with the score that a model gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LineLabel {
    /// The label.
    pub text: String,
    /// The probability that the model gave it, 0 to 1; `None` if no model scored it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// The label role that it belongs to, such as `places`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalLine {
    /// The medium, and the exact start and end in it. The moment has no text of its own.
    pub moment: Moment,
    /// The sense.
    pub sense: Sense,
    /// The line as people read it.
    pub text: String,
    /// The words in it that a model scored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LineLabel>,
}

impl JournalLine {
    /// The line as a record for templates: `video`, `start` and `end` in seconds, `clock` if the medium has one, `moment`, `sense`,
    /// `text` and `labels`. A citation accepts it as an entry.
    pub fn to_value(&self) -> Value {
        let mut fields = IndexMap::new();
        let mut set = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        set("video", Value::Text(self.moment.media.path.clone()));
        set("start", Value::Number(self.moment.start.seconds()));
        set("end", Value::Number(self.moment.end.seconds()));
        if let Some(clock) = self.moment.clock() {
            set("clock", Value::Text(clock));
        }
        set("moment", Value::Moment(self.moment.clone()));
        set("sense", Value::Text(self.sense.word().to_owned()));
        set("text", Value::Text(self.text.clone()));
        set("labels", Value::List(self.labels.iter().map(LineLabel::to_value).collect()));
        Value::Record(fields)
    }
}

impl LineLabel {
    fn to_value(&self) -> Value {
        let role = self.role.clone().map_or(Value::Nothing, Value::Text);
        let score = self.score.map_or(Value::Nothing, |score| Value::Number(f64::from(score)));
        Value::Record(
            [("text", Value::Text(self.text.clone())), ("score", score), ("role", role)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sense_has_one_word() {
        for sense in Sense::ALL {
            assert_eq!(Sense::of(sense.word()), Some(*sense));
            assert_eq!(serde_json::to_string(sense).expect("json"), format!("\"{sense}\""));
        }
        assert_eq!(Sense::of("smelt"), None);
    }
}
