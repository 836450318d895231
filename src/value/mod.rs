//! Values, which steps yield and templates read: their types, exact times, media, sizes and JSON.

pub mod clock;
pub mod json;
pub mod language;
mod level;
mod line;
mod media;
pub mod size;
mod time;
mod types;
pub mod wall;

pub use clock::DayClock;
pub use level::Level;
pub use line::{JournalLine, LineLabel, Sense};
pub(crate) use media::shared;
pub use media::{ImageFile, Media, Moment};
pub use time::{Time, TimeBase};
pub use types::{TYPE_NAMES, Type};
pub use wall::{StatedTime, WallClock};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One candidate with its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The label as written in `among`.
    pub text: String,
    /// Cosine similarity of the normalised embeddings, -1..1.
    pub score: f32,
    /// Softmax of the model's scaled scores over all candidates.
    pub probability: f32,
    /// The score that this label must exceed to count. It is set if the request asked for floors (`floor: true`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f32>,
}

impl Scored {
    /// True if the score exceeds the label's floor, or if no floor is known.
    pub fn is_above_floor(&self) -> bool {
        self.floor.is_none_or(|floor| self.score > floor)
    }
}

/// The values of steps. Serialised with external tags (`{"moment": {…}}`) so that transcripts keep types.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// No value, such as the result of a skipped step or the audio of a silent video.
    #[default]
    Nothing,
    /// True or false.
    Truth(bool),
    /// Any number; integers up to 2^53 are exact.
    Number(f64),
    /// UTF-8 text.
    Text(String),
    /// A video file.
    Video(#[serde(with = "shared")] Arc<Media>),
    /// An audio file, or the sound of a video.
    Audio(#[serde(with = "shared")] Arc<Media>),
    /// A still image.
    Image(ImageFile),
    /// An interval of a medium.
    Moment(Moment),
    /// A candidate with its score.
    Scored(Scored),
    /// An embedding (f32, unit length).
    Vector(Vec<f32>),
    /// Items of one type, in order.
    List(Vec<Value>),
    /// Named values, in order.
    Record(IndexMap<String, Value>),
}

/// The digest of the medium that a record is about: of its `moment`, or its `digest`.
pub(crate) fn digest_of(fields: &IndexMap<String, Value>) -> Option<String> {
    match (fields.get("moment"), fields.get("digest")) {
        (Some(Value::Moment(moment)), _) => Some(moment.media.digest.clone()),
        (_, Some(Value::Text(digest))) => Some(digest.clone()),
        _ => None,
    }
}

impl Value {
    /// The truth rule of `when`, `until` and templates. Nothing, false, 0, and empty texts, lists, vectors and records
    /// are false. Everything else is true.
    pub fn is_truthy(&self) -> bool {
        match self {
            Value::Nothing => false,
            Value::Truth(truth) => *truth,
            Value::Number(number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Vector(numbers) => !numbers.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Record(fields) => !fields.is_empty(),
            Value::Video(_) | Value::Audio(_) | Value::Image(_) | Value::Moment(_) | Value::Scored(_) => true,
        }
    }
}
