//! Values: what steps yield and templates read. Exact times live here too.

use crate::value_clock::DayClock;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, fmt, sync::Arc};

/// A rational number of seconds for one tick, as the container states it (1/90000, 1/15360, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeBase {
    /// Numerator, in seconds.
    pub num: u32,
    /// Denominator, never zero.
    pub den: u32,
}

/// An exact presentation time: integer ticks of a [`TimeBase`], counted from the start of the medium's
/// presentation (the container's start offset is kept, not subtracted: equal to ffprobe's `pts`).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Time {
    /// Presentation time stamp.
    pub ticks: i64,
    /// Seconds in one tick.
    pub base: TimeBase,
}

impl Time {
    /// The time in seconds, for people and for scores; never for arithmetic on frames.
    pub fn seconds(self) -> f64 {
        self.ticks as f64 * f64::from(self.base.num) / f64::from(self.base.den)
    }
    /// `seconds` rounded to whole microseconds.
    pub fn from_seconds(seconds: f64) -> Time {
        Time { ticks: (seconds * 1e6).round() as i64, base: TimeBase { num: 1, den: 1_000_000 } }
    }
}
impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Time {}
impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Time {
    fn cmp(&self, other: &Self) -> Ordering {
        let side = |a: &Time, b: &Time| i128::from(a.ticks) * i128::from(a.base.num) * i128::from(b.base.den);
        side(self, other).cmp(&side(other, self))
    }
}
/// `HH:MM:SS.mmm`
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = (self.seconds() * 1000.0).round() as i64;
        let (sign, ms) = if ms < 0 { ("-", -ms) } else { ("", ms) };
        write!(f, "{sign}{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
    }
}

/// A media file that a run may read: where it is, what is in it, and the digest that stands for its bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// As the user gave it; relative paths are relative to the working folder (or to the dialogue, for its tests).
    pub path: String,
    /// blake3 of the file's bytes, hex.
    pub digest: String,
    /// First presentation time and end of presentation of the whole file.
    pub start: Time,
    /// End of presentation.
    pub end: Time,
    /// True if there is a video stream (cover art does not count).
    pub has_video: bool,
    /// True if there is an audio stream.
    pub has_audio: bool,
    /// What time of day it shows, if it stands for a longer time than it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<DayClock>,
}

/// An interval of one video or audio with exact times. `start` is the presentation time of a frame if it was sampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Which medium.
    #[serde(with = "shared")]
    pub media: Arc<Media>,
    /// Inclusive.
    pub start: Time,
    /// Exclusive; equals the next sample's start, or the end of the medium.
    pub end: Time,
    /// What was heard or noted, if this moment carries text (`hear` yields such).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A still image: a file on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFile {
    /// As the user gave it.
    pub path: String,
    /// blake3 of the file's bytes, hex.
    pub digest: String,
}

/// One candidate with its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The label as written in `among`.
    pub text: String,
    /// Cosine similarity of the normalised embeddings, -1..1.
    pub score: f32,
    /// Softmax of the model's scaled scores over all candidates.
    pub probability: f32,
}

/// What steps yield. Serialised with external tags (`{"moment": {…}}`) so that transcripts keep types.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// No value: a step whose `when` was false, the audio of a silent video.
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

/// The type of a port. `Any` is what the checker cannot know before the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Not known before the run.
    Any,
    /// `video`
    Video,
    /// `audio`
    Audio,
    /// `image`; a moment is accepted where an image is wanted (its frame).
    Image,
    /// `moment`
    Moment,
    /// `text`
    Text,
    /// `number`
    Number,
    /// `truth`
    Truth,
    /// `scored text`
    Scored,
    /// `vector`
    Vector,
    /// `record`; the fields that are known, in order (empty: any fields).
    Record(Arc<[(String, Type)]>),
    /// `list of …`
    List(Box<Type>),
}

/// Serialises what an [`Arc`] points to, in place; for `#[serde(with)]`.
pub(crate) mod shared {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    pub(crate) fn serialize<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<Arc<T>, D::Error> {
        T::deserialize(d).map(Arc::new)
    }
}
