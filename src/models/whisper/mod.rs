//! Whisper: speech to timed text, window by window, as in `generate` of transformers for sound of any length.
//!
//! A sound that fits one window is padded with silence. In a longer sound, the next window starts at the last timestamp
//! that the model wrote. Features are scaled by the loudest frame of the whole sound, so a sound is read twice, window
//! by window: once for the scale, once for the words. If the last timestamp of a window is its own start, the whole
//! window is skipped, so every sound ends.
//!
//! Unreliable text is dropped, by the thresholds of openai/whisper (`transcribe`). The text of a window counts only if
//! the mean log-probability of its tokens is at least -1.0 and zlib compresses it at most 2.4 times. A window below the
//! first threshold is skipped whole if silence (`<|nospeech|>`) is more probable than 0.6. openai/whisper decodes such
//! windows again at higher temperatures and keeps the last attempt. We decode once and drop the text, because an
//! invented sentence is worse than a missing one. A checkpoint may state its own thresholds (`logprob_threshold`,
//! `compression_ratio_threshold`, `no_speech_threshold` in `generation_config.json`). Text that passes the thresholds
//! equals that of transformers.

mod net;
mod rules;

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    exchange::{Answers, Decoding, HearRequest, Kind, Modality, Reply, Request, Speech},
    infer::{
        audio::{LogMel, mirrored},
        checkpoint::Checkpoint,
        config::within,
        cost::Phase,
        failed,
        job::{Input, Job, Model, SoundSource},
        meter::Meter,
        processors::{LogitsProcessors, SoFar},
        sampling::{self, Sampler, finite, log_probability},
        text::{TextTokenizer, VocabStyle},
    },
    value::Time,
};
use candle_core::{DType, Device, Tensor};
use flate2::{Compression, write::ZlibEncoder};
use net::{Net, WindowCache, mel_bins};
use rules::Rules;
use std::io::Write as _;

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "whisper",
    about: "turns speech into timed text",
    answers: &[Answers::new(Kind::Hear, &[Modality::Sound])],
    own_labels: false,
    recognises: |config| config.is_type(&["whisper"], &["WhisperForConditionalGeneration"]),
    floors: false,
    cost: net::cost,
    load: |checkpoint, loading| Ok(Box::new(Whisper::load(checkpoint, loading)?)),
};

/// A loaded Whisper model.
pub struct Whisper {
    net: Net,
    mel: LogMel,
    rules: Rules,
    processors: LogitsProcessors,
    text: TextTokenizer,
    defaults: Decoding,
    decode: Decoding,
    device: Device,
    dtype: DType,
    meter: Meter,
}

/// The settings of a request, with the checkpoint's defaults filled in.
struct Task {
    timestamps: bool,
    language: Option<u32>,
    detected: bool,
    settings: Decoding,
}

/// A piece of speech in a window, with times in seconds from the start of the sound.
#[derive(Debug, Clone, PartialEq)]
struct Segment {
    start_s: f64,
    end_s: f64,
    tokens: Vec<u32>,
}

/// The result of one window.
struct Decoded {
    tokens: Vec<u32>,
    mean_log_probability: f64,
}

impl Whisper {
    /// Loads the network, the tokenizer and the rules of decoding. Fails if a file of the checkpoint is missing,
    /// damaged or unsupported.
    pub fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> Result<Whisper, Fault> {
        let generation = checkpoint.json("generation_config.json")?;
        let settings = checkpoint.processor("feature_extractor")?;
        let text = TextTokenizer::open(checkpoint, VocabStyle::Bytes)?;
        let vocabulary = checkpoint.config.size("vocab_size", within::VOCABULARY)?;
        let rules = Rules::read(checkpoint, generation.as_ref(), &text, vocabulary)?;
        Ok(Whisper {
            mel: LogMel::new(&settings, mel_bins(&checkpoint.config)?)?,
            processors: LogitsProcessors::read(generation.as_ref(), &[rules.end])?.without_suppressed(),
            defaults: sampling::defaults(generation.as_ref())?,
            net: Net::load(&checkpoint.config, &checkpoint.weights(loading.dtype, &loading.device)?)?,
            rules,
            text,
            decode: loading.decode.clone(),
            device: loading.device.clone(),
            dtype: loading.dtype,
            meter: loading.meter.clone(),
        })
    }

    /// The number of feature frames in a window; the encoder's second convolution halves it.
    fn window(&self) -> usize {
        2 * self.net.source_positions
    }

    fn hear(&self, job: &Job) -> Result<Reply, Fault> {
        let (Request::Hear(request), [Input::Sound(sound)]) = (&job.request, job.inputs.as_slice()) else {
            return Err(Fault::failed("this model only answers `hear`".to_owned()));
        };
        let HearRequest { language, timestamps, decoding, .. } = request;
        if *timestamps && self.rules.no_timestamps.is_none() {
            return Err(Fault::failed("this model was not trained on timestamps; set `timestamps: false`".to_owned()));
        }
        let source = Source::new(sound, &self.mel, self.window())?;
        let language = language.as_ref().or(self.rules.language.as_ref().filter(|_| !self.rules.languages.is_empty()));
        let mut task = Task {
            timestamps: *timestamps,
            language: None,
            detected: language.is_none(),
            settings: decoding.or(&self.decode).or(&self.defaults),
        };
        match language {
            Some(asked) if !self.rules.languages.is_empty() => task.language = Some(self.rules.language(asked)?),
            Some(asked) if !matches!(asked.to_lowercase().as_str(), "en" | "english" | "<|en|>") => {
                return Err(Fault::failed(format!("this model transcribes only English, not `{asked}`")));
            }
            _ => {}
        }
        self.transcribe(job, &source, task).map(|segments| Reply::Hear(self.heard(sound.start, segments)))
    }

    /// Decodes the sound window by window.
    fn transcribe(&self, job: &Job, source: &Source<'_>, mut task: Task) -> Result<Vec<(Segment, String)>, Fault> {
        let mut sampler = Sampler::new(task.settings.clone(), job.seed);
        let mut max_length = self.rules.max_length;
        let (mut seek, mut segments) = (0, Vec::new());
        while seek < source.frames {
            if job.gone() {
                return Err(Fault::cancelled());
            }
            let frames = (source.frames - seek).min(self.window());
            let features =
                Tensor::from_vec(source.features(seek, frames)?, (1, self.mel.bins, self.window()), &self.device);
            let hear = || features.and_then(|f| self.net.hear(&f.to_dtype(self.dtype)?));
            let memory = self.meter.time(Phase::Sound, 1, hear).map_err(failed)?;
            if task.detected && task.language.is_none() && self.rules.detects() {
                task.language = Some(self.detect(&memory)?);
            }
            let prompt = self.rules.prompt(task.language, task.detected, task.timestamps);
            // As in transformers: a window may use the checkpoint's `max_length` beyond its prompt, and the sum becomes
            // the limit of the next window.
            max_length = max_length.map(|length| (length + prompt.len()).min(self.net.target_positions));
            let total =
                task.settings.max_tokens.map(|n| n.saturating_add(prompt.len())).or(max_length).unwrap_or(usize::MAX);
            let decoded = self.decode_window(job, memory.clone(), &prompt, total, &task, &mut sampler)?;
            let begin = self.begin(task.timestamps);
            let unsure = decoded.mean_log_probability < self.rules.min_log_probability;
            if unsure && self.silent(&memory)? {
                seek += frames;
                continue;
            }
            let (found, offset) = self.cut(&decoded.tokens, seek, frames, begin);
            let ratio = compression(&self.words(&decoded.tokens, begin)?);
            let believed = !unsure && ratio <= self.rules.max_compression;
            tracing::debug!(seek, log_probability = decoded.mean_log_probability, ratio, believed, "heard a window");
            for segment in found.into_iter().filter(|_| believed) {
                let text = self.words(&segment.tokens, begin)?;
                if !text.is_empty() {
                    job.piece(&format!("{text} "));
                    segments.push((segment, text));
                }
            }
            seek += if offset == 0 { frames } else { offset };
        }
        Ok(segments)
    }

    /// The logits after `ids`. Fails if one is not finite.
    fn say(&self, memory: &mut WindowCache, ids: &[u32]) -> Result<Vec<f32>, Fault> {
        let say = || self.net.say(memory, ids);
        let logits = self.meter.time(Phase::Reply, ids.len(), say).map_err(failed)?;
        finite(&logits)?;
        Ok(logits)
    }

    /// The most likely language of a window.
    fn detect(&self, memory: &WindowCache) -> Result<u32, Fault> {
        let logits = self.say(&mut memory.clone(), &[self.rules.start])?;
        let best = self.rules.languages.iter().map(|(_, id)| *id).max_by(|a, b| {
            let logit = |id: &u32| logits.get(*id as usize).copied().unwrap_or(f32::NEG_INFINITY);
            logit(a).total_cmp(&logit(b)).then(b.cmp(a))
        });
        best.ok_or_else(|| Fault::model("the checkpoint lacks a list of languages (`lang_to_id`)".to_owned()))
    }

    /// The tokens of one window, without the prompt and the end token.
    fn decode_window(
        &self,
        job: &Job,
        mut memory: WindowCache,
        prompt: &[u32],
        total: usize,
        task: &Task,
        sampler: &mut Sampler,
    ) -> Result<Decoded, Fault> {
        let total = total.min(self.net.target_positions);
        let (mut tokens, mut sum, mut count) = (Vec::new(), 0.0, 0);
        let mut input = prompt.to_vec();
        while prompt.len() + tokens.len() < total {
            if job.gone() {
                return Err(Fault::cancelled());
            }
            let mut logits = self.say(&mut memory, &input)?;
            let seen: Vec<u32> = prompt.iter().chain(&tokens).copied().collect();
            let so_far = SoFar { tokens: &seen, prompt: prompt.len(), max_tokens: total - prompt.len() };
            self.processors.apply(&mut logits, &so_far, &task.settings);
            self.rules.apply(&mut logits, &tokens, task.timestamps);
            let next = sampler.choose(&logits);
            sum += log_probability(&logits, next);
            count += 1;
            if next == self.rules.end {
                break;
            }
            tokens.push(next);
            input = vec![next];
        }
        Ok(Decoded { tokens, mean_log_probability: sum / f64::from(count.max(1)) })
    }

    /// True for a window in which the model finds no speech.
    fn silent(&self, memory: &WindowCache) -> Result<bool, Fault> {
        let Some(none) = self.rules.no_timestamps else { return Ok(false) };
        let logits = self.say(&mut memory.clone(), &[self.rules.start])?;
        Ok(log_probability(&logits, none.saturating_sub(1)).exp() > self.rules.no_speech)
    }

    /// The id of the first timestamp; beyond all ids if timestamps are ignored.
    fn begin(&self, timestamps: bool) -> u32 {
        let none = self.rules.no_timestamps.filter(|_| timestamps || self.rules.states_timestamps);
        none.map_or(u32::MAX, |none| none + 1)
    }

    /// Splits the tokens of a window that begins at frame `seek` into segments. Gives also the number of frames to the
    /// next window.
    fn cut(&self, tokens: &[u32], seek: usize, frames: usize, begin: u32) -> (Vec<Segment>, usize) {
        let frame_s = self.mel.hop as f64 / f64::from(self.mel.rate_hz);
        let (offset_s, tick_s) = (seek as f64 * frame_s, 2.0 * frame_s);
        let is_time = |id: u32| id >= begin;
        let at = |id: u32| offset_s + (f64::from(id) - f64::from(begin)) * tick_s;
        let mut cuts: Vec<usize> =
            (1..tokens.len()).filter(|n| is_time(tokens[n - 1]) && is_time(tokens[*n])).collect();
        let single_end = tokens.len() >= 2 && !is_time(tokens[tokens.len() - 2]) && is_time(tokens[tokens.len() - 1]);
        if cuts.is_empty() {
            let last = tokens.iter().rev().find(|id| is_time(**id)).filter(|id| **id != begin);
            let end_s = last.map_or(offset_s + (frames / 2) as f64 * tick_s, |id| at(*id));
            return (vec![Segment { start_s: offset_s, end_s, tokens: tokens.to_vec() }], frames);
        }
        if single_end {
            cuts.push(tokens.len());
        } else if let Some(last) = cuts.last_mut() {
            // Both timestamps of the last pair belong to the last segment.
            *last += 1;
        }
        let (mut from, mut segments) = (0, Vec::new());
        for (n, to) in cuts.iter().enumerate() {
            let part = &tokens[from..*to];
            let end = if n + 1 == cuts.len() && !single_end { part.len().saturating_sub(2) } else { part.len() - 1 };
            segments.push(Segment { start_s: at(part[0]), end_s: at(part[end]), tokens: part.to_vec() });
            from = *to;
        }
        let moved = if single_end { frames } else { 2 * (tokens[from - 2] - begin) as usize };
        (segments, moved)
    }

    fn words(&self, tokens: &[u32], begin: u32) -> Result<String, Fault> {
        let text: Vec<u32> = tokens.iter().copied().filter(|id| *id < begin).collect();
        Ok(self.text.decode(&text)?.trim().to_owned())
    }

    /// Segments in the medium's own presentation time.
    fn heard(&self, start: Time, segments: Vec<(Segment, String)>) -> Vec<Speech> {
        let at = |seconds: f64| Time::from_seconds(start.seconds() + seconds);
        segments.into_iter().map(|(s, text)| Speech { start: at(s.start_s), end: at(s.end_s), text }).collect()
    }

    /// The features of a sound that fits one window, (bins, frames): for parity tests.
    pub fn features(&self, sound: &SoundSource) -> Result<Vec<f32>, Fault> {
        Source::new(sound, &self.mel, self.window())?.features(0, self.window())
    }
}

/// The compression ratio of a text with zlib: its bytes divided by the compressed bytes.
fn compression(text: &str) -> f64 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory cannot fail; the default says that the text did not compress.
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.map_or(1.0, |packed| text.len() as f64 / packed.len().max(1) as f64)
}

/// A sound as feature frames, read window by window.
struct Source<'a> {
    sound: &'a SoundSource,
    mel: &'a LogMel,
    window: usize,
    /// The samples of the sound, with the silence that pads a short one to a window.
    samples: usize,
    /// The samples of the sound alone.
    real: usize,
    /// The frames to decode.
    frames: usize,
    /// The log10 of the largest mel power.
    loudest: f32,
}

impl<'a> Source<'a> {
    fn new(sound: &'a SoundSource, mel: &'a LogMel, window: usize) -> Result<Source<'a>, Fault> {
        let real = ((sound.end.seconds() - sound.start.seconds()) * f64::from(mel.rate_hz)).round().max(0.0) as usize;
        let samples = real.max(window * mel.hop);
        let frames = if real == 0 { 0 } else { samples / mel.hop };
        let mut source = Source { sound, mel, window, samples, real, frames, loudest: f32::NEG_INFINITY };
        for from in (0..frames).step_by(window) {
            let powers = source.powers(from, window.min(frames - from))?;
            source.loudest = powers.into_iter().fold(source.loudest, f32::max);
        }
        Ok(source)
    }

    /// log10 mel powers of `count` frames, (count, bins).
    fn powers(&self, from: usize, count: usize) -> Result<Vec<f32>, Fault> {
        let (reach, hop) = (self.mel.reach(), self.mel.hop);
        let (first, last) = (from * hop, (from + count - 1) * hop);
        // The outer frames need `reach` more samples on each side. Another `reach` is read because the ends are
        // mirrored.
        let (lo, hi) = (first.saturating_sub(2 * reach), (last + 2 * reach).min(self.samples));
        let mut samples =
            if lo < self.real { self.sound.samples(lo, hi.min(self.real), self.mel.rate_hz)? } else { Vec::new() };
        samples.resize(hi - lo, 0.0);
        let around = mirrored(&samples, reach); // its index 0 is sample lo - reach
        Ok(self.mel.powers(&around[first - lo..], count))
    }

    /// Features of `count` frames from frame `from`, padded with zeros to a window: (bins, window).
    fn features(&self, from: usize, count: usize) -> Result<Vec<f32>, Fault> {
        let mut powers = self.powers(from, count)?;
        LogMel::scale(&mut powers, self.loudest);
        let mut features = vec![0f32; self.mel.bins * self.window];
        for (frame, bins) in powers.chunks_exact(self.mel.bins).enumerate() {
            for (bin, value) in bins.iter().enumerate() {
                features[bin * self.window + frame] = *value;
            }
        }
        Ok(features)
    }
}

impl Model for Whisper {
    fn answer(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            if matches!(job.request, Request::Hear(_)) {
                let reply = self.hear(&job);
                job.answer(reply);
            } else {
                job.refuse();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::compression;

    #[test]
    fn repetitive_text_compresses_more_than_speech() {
        let check = |text: &str, circles: bool| assert_eq!(compression(text) > 2.4, circles, "{text}");
        check(
            "and so my fellow americans ask not what your country can do for you ask what you can do for your country",
            false,
        );
        check("we need milk.", false);
        check("", false);
        check(&"thank you. ".repeat(20), true);
    }
}
