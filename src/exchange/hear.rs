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
    /// True gives the times of each word too. Absent in the canonical form if false, so that older memo keys stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub words: bool,
    /// Decoding settings.
    pub decoding: Decoding,
}

/// How an agent hears: settings of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct HearingSettings {
    /// The temperatures of the attempts at a stretch of sound whose text is unlikely or repeats itself; 0 is greedy. A request
    /// with a temperature has one attempt.
    pub temperatures: Vec<f32>,
    /// True if the model reads the text before a stretch of sound.
    pub previous_text: bool,
    /// True if stretches without a voice are left out before the model hears them.
    pub voice: bool,
}

impl Default for HearingSettings {
    /// The temperatures of openai/whisper (`transcribe`), without the text before: it makes loops of repeated text likelier.
    fn default() -> HearingSettings {
        HearingSettings { temperatures: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0], previous_text: false, voice: false }
    }
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
    /// The language that was heard, as ISO 639-1 code, if the agent knows it. Transcripts of older versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The words with their times, if the request asked for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<SpokenWord>,
}

/// A word of speech.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpokenWord {
    /// The start.
    pub start: Time,
    /// The end.
    pub end: Time,
    /// The word with its punctuation, trimmed.
    pub text: String,
}

impl Speech {
    /// A segment whose language and words are unknown.
    pub fn new(start: Time, end: Time, text: impl Into<String>) -> Speech {
        Speech { start, end, text: text.into(), language: None, words: Vec::new() }
    }

    /// The segment with words that share its time by their lengths: for scripts, which state no times of words.
    fn with_even_words(mut self) -> Speech {
        let (start, end) = (self.start.seconds(), self.end.seconds());
        let total: usize = self.text.split_whitespace().map(|word| word.chars().count()).sum();
        let each = (end - start) / total.max(1) as f64;
        let mut from = start;
        let timed = |word: &str| {
            let to = from + each * word.chars().count() as f64;
            let timed = SpokenWord { start: Time::from_seconds(from), end: Time::from_seconds(to), text: word.into() };
            from = to;
            timed
        };
        self.words = self.text.split_whitespace().map(timed).collect();
        self
    }
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

    fn fits(&self, reply: &Vec<Speech>) -> Result<(), String> {
        let spoken = || reply.iter().filter(|speech| !speech.text.trim().is_empty());
        if self.words && spoken().next().is_some() && spoken().all(|speech| speech.words.is_empty()) {
            return Err("found speech without the times of its words, which the request asks for".to_owned());
        }
        Ok(())
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Text(_) | ScriptReply::Count(_) | ScriptReply::Segments(_))
    }

    /// Scripted segments give those that overlap the requested stretch. A scripted text lasts from the start of the
    /// stretch to its end; an empty text is silence. Words share the time of their segment by their lengths.
    fn scripted(&self, written: &ScriptReply) -> Result<Vec<Speech>, String> {
        let worded = |speech: Speech| if self.words { speech.with_even_words() } else { speech };
        if let ScriptReply::Segments(segments) = written {
            let speech = segments.iter().map(|segment| {
                Speech::new(Time::from_seconds(segment.start), Time::from_seconds(segment.end), &segment.text)
            });
            let is_asked = |speech: &Speech| {
                self.start.is_none_or(|from| speech.end > from) && self.end.is_none_or(|to| speech.start < to)
            };
            return Ok(speech.filter(is_asked).map(worded).collect());
        }
        let text =
            written.text().ok_or_else(|| script::misfit(written, "a text, or segments with start, end and text"))?;
        let (start, end) = (self.start.unwrap_or(self.audio.start), self.end.unwrap_or(self.audio.end));
        Ok(if text.is_empty() { Vec::new() } else { vec![worded(Speech::new(start, end, text))] })
    }

    /// The place in the dialogue does not count, so that every dialogue finds speech that another dialogue transcribed.
    fn seed_by_place(&self) -> bool {
        false
    }
}
