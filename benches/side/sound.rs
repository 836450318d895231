//! Speech to text: a sound whose samples are in memory on both sides.

use crate::work::{Loaded, Outcome, Work, word};
use elenchus::{
    exchange::{Decoding, HearRequest, Reply, Request, Speech},
    infer::job::{Input, SoundSource},
    value::{Media, Time},
};
use serde_json::{Value as Json, json};
use std::sync::Arc;

const RATE_HZ: usize = 16_000;

/// Hears a file of f32 samples, 16,000 a second, greedily and with the times of its segments.
pub(crate) struct Hearing {
    model: Loaded,
    samples: Arc<[f32]>,
}

impl Hearing {
    pub(crate) fn load(asked: &Json) -> Outcome<Hearing> {
        let path = word(asked, "sound")?;
        let bytes = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
        let samples = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Ok(Hearing { model: Loaded::new(asked)?, samples })
    }

    fn seconds(&self) -> f64 {
        self.samples.len() as f64 / RATE_HZ as f64
    }

    fn hear(&mut self) -> Outcome<Vec<Speech>> {
        let (start, end) = (Time::from_seconds(0.0), Time::from_seconds(self.seconds()));
        let (source, mut pulls) = SoundSource::new(start, end);
        let samples = self.samples.clone();
        std::thread::spawn(move || {
            while let Some(pull) = pulls.blocking_recv() {
                let (from, to) = (pull.from.min(samples.len()), pull.to.min(samples.len()));
                pull.back.send(Ok(samples[from..to].to_vec())).ok();
            }
        });
        let request = HearRequest {
            audio: Arc::new(Media { has_video: false, ..Media::new("", "", start, end) }),
            start: None,
            end: None,
            language: Some("en".to_owned()),
            timestamps: true,
            words: false,
            // one greedy attempt
            decoding: Decoding { temperature: Some(0.0), ..Decoding::default() },
        };
        match self.model.answer(vec![(Request::Hear(request), vec![Input::Sound(source)])])?.pop() {
            Some(Reply::Hear(speech)) => Ok(speech),
            other => Err(format!("expected speech, found {other:?}")),
        }
    }
}

impl Work for Hearing {
    fn once(&mut self, _: &Json) -> Outcome<f64> {
        self.hear()?;
        Ok(self.seconds())
    }

    fn check(&mut self, _: &Json) -> Outcome<Json> {
        let speech = self.hear()?;
        Ok(json!(speech.into_iter().map(|one| one.text).collect::<Vec<_>>().join(" ")))
    }
}
