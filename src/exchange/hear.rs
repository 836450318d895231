//! `hear`: speech to timed text.

use super::{Decoding, Exchange, MediaRef, Modalities, Modality};
use crate::value::{Media, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Transcribe `audio` from `start` to `end` (all of it by default).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HearRequest {
    /// The medium whose sound is heard.
    #[serde(with = "crate::value::shared")]
    pub audio: Arc<Media>,
    /// From here.
    pub start: Option<Time>,
    /// To here.
    pub end: Option<Time>,
    /// ISO 639-1 code; detected when absent.
    pub language: Option<String>,
    /// False: one segment for each window, as Whisper's `<|notimestamps|>`.
    pub timestamps: bool,
    /// How to decode.
    pub decoding: Decoding,
}

/// A piece of speech.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Speech {
    /// When it starts.
    pub start: Time,
    /// When it ends.
    pub end: Time,
    /// What was said, trimmed.
    pub text: String,
}

impl Exchange for HearRequest {
    type Reply = Vec<Speech>;
    const USUAL: Modalities = Modalities::of(&[Modality::Sound]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        vec![MediaRef::Whole(&mut self.audio)]
    }

    fn takes(&self) -> Modalities {
        Modalities::of(&[Modality::Sound])
    }

    fn samples(&self) -> bool {
        self.decoding.samples()
    }

    /// Every dialogue finds the words that another has heard.
    fn seed_by_place(&self) -> bool {
        false
    }
}
