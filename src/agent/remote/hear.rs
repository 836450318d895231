//! `/v1/audio/transcriptions`: sound to timed text.

use super::RemoteAgent;
use crate::{
    error::Fault,
    exchange::{HearRequest, Speech},
    value::Time,
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
            heard.extend(self.segments(&answer, request.timestamps, from, to)?);
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
    fn segments(&self, answer: &Value, timestamps: bool, from: f64, to: f64) -> Result<Vec<Speech>, Fault> {
        let at = |seconds: f64| Time::from_seconds((from + seconds.max(0.0)).min(to));
        let one = |start: f64, end: f64, text: &str| Speech {
            start: at(start),
            end: at(end.max(start)),
            text: text.trim().to_owned(),
        };
        let found: Vec<Speech> = match answer["segments"].as_array().filter(|_| timestamps) {
            Some(segments) => segments
                .iter()
                .map(|s| Some(one(s["start"].as_f64()?, s["end"].as_f64()?, s["text"].as_str()?)))
                .collect::<Option<_>>()
                .ok_or_else(|| self.wire.malformed("contains an invalid segment", &answer.to_string()))?,
            None => {
                let text = answer["text"].as_str();
                let text = text.ok_or_else(|| self.wire.malformed("contains no text", &answer.to_string()))?;
                vec![one(0.0, to - from, text)]
            }
        };
        Ok(found.into_iter().filter(|heard| !heard.text.is_empty()).collect())
    }
}
