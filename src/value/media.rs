//! Media files, moments of them, and still images. A path and a digest name them; their bytes are never carried.

use super::{DayClock, Time, WallClock};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A media file that a run may read: its place, its streams, and the digest of its bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// The path as the user gave it. A relative path starts at the working folder (in the tests of a dialogue, at its
    /// folder).
    pub path: String,
    /// blake3 of the file's bytes, hex.
    pub digest: String,
    /// First presentation time of the file.
    pub start: Time,
    /// End of the file's presentation.
    pub end: Time,
    /// True if there is a video stream (cover art does not count).
    pub has_video: bool,
    /// True if there is an audio stream.
    pub has_audio: bool,
    /// The medium's own clock, if its container states one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<DayClock>,
    /// The wall-clock time of `start`, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<WallClock>,
    /// The parts that no model may see or hear: start (inclusive) and end (exclusive).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<(Time, Time)>,
}

impl Media {
    /// A video with sound, without a clock, a known time of recording, or withheld parts.
    pub fn new(path: impl Into<String>, digest: impl Into<String>, start: Time, end: Time) -> Media {
        Media {
            path: path.into(),
            digest: digest.into(),
            start,
            end,
            has_video: true,
            has_audio: true,
            clock: None,
            wall: None,
            withheld: Vec::new(),
        }
    }

    /// True if the user withholds the picture or the sound at this time.
    pub fn withholds(&self, time: Time) -> bool {
        self.withheld.iter().any(|(from, to)| *from <= time && time < *to)
    }
}

/// An interval of one video or audio with exact times. `start` is the presentation time of a frame if it was sampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// The medium.
    #[serde(with = "shared")]
    pub media: Arc<Media>,
    /// The start, inclusive.
    pub start: Time,
    /// The end, exclusive: the start of the next sample, or the end of the medium.
    pub end: Time,
    /// The moment's text, if it has one: for instance the speech that `hear` found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A still image: a file on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFile {
    /// The path as the user gave it.
    pub path: String,
    /// blake3 of the file's bytes, hex.
    pub digest: String,
}

/// Serialises the target of an [`Arc`] in place, for `#[serde(with)]`.
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
