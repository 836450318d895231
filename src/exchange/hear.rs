//! `hear`: speech to timed text.

use super::{Decoding, Exchange, Item, MediaRef, Modalities, Modality, ScriptReply, script};
use crate::value::{Media, Moment, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Asks for a transcript of `audio` from `start` to `end`. The reply is a list of speech segments in order of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HearRequest {
    /// The medium that contains the sound.
    #[serde(with = "crate::value::shared")]
    pub audio: Arc<Media>,
    /// The start of the stretch; the medium's start if absent.
    pub start: Option<Time>,
    /// The end of the stretch; the medium's end if absent.
    pub end: Option<Time>,
    /// ISO 639-1 code; detected if absent.
    pub language: Option<String>,
    /// False gives one segment for each window, like Whisper's `<|notimestamps|>`.
    pub timestamps: bool,
    /// Decoding settings.
    pub decoding: Decoding,
}

/// A segment of speech.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Speech {
    /// The start.
    pub start: Time,
    /// The end.
    pub end: Time,
    /// The speech, trimmed.
    pub text: String,
}

impl Exchange for HearRequest {
    type Reply = Vec<Speech>;
    const USUAL: Modalities = Modalities::of(&[Modality::Sound]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        vec![MediaRef::Whole(&mut self.audio)]
    }

    fn items(&self) -> Vec<Item> {
        let (start, end) = (self.start.unwrap_or(self.audio.start), self.end.unwrap_or(self.audio.end));
        vec![Item::Sound(Moment { media: self.audio.clone(), start, end, text: None })]
    }

    fn samples(&self) -> bool {
        self.decoding.samples()
    }

    fn words(&self) -> String {
        self.audio.path.clone()
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Text(_) | ScriptReply::Count(_) | ScriptReply::Segments(_))
    }

    /// Scripted segments give those that overlap the requested stretch. A scripted text lasts from the start of the
    /// stretch to its end; an empty text is silence.
    fn scripted(&self, written: &ScriptReply) -> Result<Vec<Speech>, String> {
        if let ScriptReply::Segments(segments) = written {
            let speech = segments.iter().map(|segment| Speech {
                start: Time::from_seconds(segment.start),
                end: Time::from_seconds(segment.end),
                text: segment.text.clone(),
            });
            let is_asked = |speech: &Speech| {
                self.start.is_none_or(|from| speech.end > from) && self.end.is_none_or(|to| speech.start < to)
            };
            return Ok(speech.filter(is_asked).collect());
        }
        let text =
            written.text().ok_or_else(|| script::misfit(written, "a text, or segments with start, end and text"))?;
        let (start, end) = (self.start.unwrap_or(self.audio.start), self.end.unwrap_or(self.audio.end));
        Ok(if text.is_empty() { Vec::new() } else { vec![Speech { start, end, text: text.into_owned() }] })
    }

    /// The place in the dialogue does not count, so that every dialogue finds speech that another dialogue transcribed.
    fn seed_by_place(&self) -> bool {
        false
    }
}
