//! `/v1/audio/transcriptions`: sound to timed text.

use super::RemoteAgent;
use crate::{
    error::Fault,
    exchange::{HearRequest, Speech, SpokenWord},
    value::{
        Time,
        language::{language_code, language_name},
    },
};
use reqwest::multipart::{Form, Part};
use serde_json::Value;

/// Longest stretch in one request, in seconds: 10 minutes of 16 kHz WAV are 19 MB, and servers accept 25 MB.
const WINDOW_SECONDS: f64 = 600.0;

impl RemoteAgent {
    pub(super) async fn hear(&self, request: HearRequest) -> Result<Vec<Speech>, Fault> {
        if !request.audio.has_audio {
            return Ok(Vec::new());
        }
        let start = request.start.unwrap_or(request.audio.start).seconds();
        let end = request.end.unwrap_or(request.audio.end).seconds();
        let mut heard = Vec::new();
        let mut from = start;
        while from < end {
            let to = (from + WINDOW_SECONDS).min(end);
            let wav = self.media.wav(&request.audio, Time::from_seconds(from), Time::from_seconds(to)).await?;
            let answer =
                self.wire.json(self.wire.post("audio/transcriptions").multipart(self.form(&request, wav)?)).await?;
            heard.extend(self.segments(&answer, &request, from, to)?);
            from = to;
        }
        Ok(heard)
    }

    fn form(&self, request: &HearRequest, wav: Vec<u8>) -> Result<Form, Fault> {
        let file = Part::bytes(wav).file_name("audio.wav").mime_str("audio/wav");
        let file =
            file.map_err(|error| Fault::failed(format!("the sound cannot be attached to the request: {error}")))?;
        let mut form = Form::new()
            .part("file", file)
            .text("model", self.spec.model.clone())
            .text("response_format", "verbose_json")
            .text("timestamp_granularities[]", "segment");
        if request.words {
            form = form.text("timestamp_granularities[]", "word");
        }
        if let Some(language) = &request.language {
            form = form.text("language", language.clone());
        }
        if let Some(temperature) = request.decoding.temperature.or(self.spec.decoding.temperature) {
            form = form.text("temperature", temperature.to_string());
        }
        Ok(form)
    }

    /// The answer's segments in the medium's presentation time. If the server gives no segments, or without
    /// `timestamps`, one segment covers the whole stretch, `from` to `to` in seconds.
    fn segments(&self, answer: &Value, request: &HearRequest, from: f64, to: f64) -> Result<Vec<Speech>, Fault> {
        let at = |seconds: f64| Time::from_seconds((from + seconds.max(0.0)).min(to));
        let language = answer["language"].as_str().map(str::to_lowercase);
        let code = |name: String| language_code(&name).map(str::to_owned).or(language_name(&name).map(|_| name));
        let language = language.and_then(code);
        let one = |start: f64, end: f64, text: &str| Speech {
            language: language.clone(),
            ..Speech::new(at(start), at(end.max(start)), text.trim())
        };
        let invalid = |what: &str| self.wire.malformed(what, &answer.to_string());
        let mut found: Vec<Speech> = match answer["segments"].as_array().filter(|_| request.timestamps) {
            Some(segments) => segments
                .iter()
                .map(|s| Some(one(s["start"].as_f64()?, s["end"].as_f64()?, s["text"].as_str()?)))
                .collect::<Option<_>>()
                .ok_or_else(|| invalid("contains an invalid segment"))?,
            None => {
                let text = answer["text"].as_str().ok_or_else(|| invalid("contains no text"))?;
                vec![one(0.0, to - from, text)]
            }
        };
        found.retain(|heard| !heard.text.is_empty());
        for word in answer["words"].as_array().into_iter().flatten().filter(|_| request.words) {
            let read = || Some((word["start"].as_f64()?, word["end"].as_f64()?, word["word"].as_str()?.trim()));
            let (start, end, text) = read().ok_or_else(|| invalid("contains an invalid word"))?;
            let word = SpokenWord { start: at(start), end: at(end.max(start)), text: text.to_owned() };
            // the first segment that does not end before the word's middle
            let middle = f64::midpoint(word.start.seconds(), word.end.seconds());
            let place = found.iter().position(|heard| heard.end.seconds() >= middle);
            let place = place.or(found.len().checked_sub(1));
            if let Some(place) = place {
                found[place].words.push(word);
            }
        }
        Ok(found)
    }
}
