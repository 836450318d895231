//! `frames`: a video sampled into moments, by the media agent that every run has.

use super::{Exchange, MediaRef, Modalities, Modality};
use crate::value::{Media, Moment};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Sample a video into moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FramesRequest {
    /// The video.
    #[serde(with = "crate::value::shared")]
    pub video: Arc<Media>,
    /// Which frames.
    pub sampling: Sampling,
}

/// Which frames of a video become moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// The first frame at or after each multiple of this many seconds from the first frame.
    Every(f64),
    /// Every keyframe.
    Keyframes,
    /// The first frame of each scene (ffmpeg's scene score above the threshold, 0..1).
    Scenes(f64),
    /// The frame shown at each of these times, in seconds of presentation time.
    Times(Vec<f64>),
}

impl Exchange for FramesRequest {
    type Reply = Vec<Moment>;
    const USUAL: Modalities = Modalities::of(&[Modality::Video]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        vec![MediaRef::Whole(&mut self.video)]
    }

    fn takes(&self) -> Modalities {
        Modalities::of(&[Modality::Video])
    }

    /// The moments come back as moments of this request's file.
    fn in_own_terms(&self, reply: Vec<Moment>) -> Vec<Moment> {
        reply.into_iter().map(|moment| Moment { media: self.video.clone(), ..moment }).collect()
    }
}
