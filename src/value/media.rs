//! Media files, moments of them, and still images: named by path and digest, never carried.

use super::{DayClock, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A media file that a run may read: its place, its streams, and the digest of its bytes.
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
    /// The time of day that it shows, if it represents a longer time than it takes.
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
    /// The words heard or noted, if this moment has text (`hear` yields such moments).
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
