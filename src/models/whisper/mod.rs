//! Whisper: speech to timed text, window by window, as in `generate` of transformers for sound of any length.
//!
//! A sound that fits one window is padded with silence and decoded until the window is used up; a longer one moves on by the last
//! timestamp that the model wrote. Features of a long sound are scaled by its loudest frame, so it is read twice, a window at
//! a time: once for the scale, once for the words. A window whose last timestamp is its own start is skipped whole, so every sound ends.
//!
//! Text that the model does not believe in itself is dropped, by the thresholds of openai/whisper (`transcribe`): a window counts
//! only if the mean log-probability of its tokens is at least -1.0 and its text is not compressed by zlib more than 2.4 times. A
//! window below the first whose silence (`<|nospeech|>`) is more probable than 0.6 is passed over whole. The reference tries such
//! windows again at higher temperatures and keeps the last try, whatever it is; we decode once and keep nothing, since an invented
//! sentence is worse than a missing one. A checkpoint may state thresholds of its own (`logprob_threshold`,
//! `compression_ratio_threshold`, `no_speech_threshold` in `generation_config.json`). Text that passes is that of transformers.

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
        failed,
        job::{Input, Job, Model, SoundSource},
        processors::LogitsProcessors,
        sampling::{self, Sampler, SamplingSettings, finite, log_probability},
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
    recognises: |config| config.is_type(&["whisper"], &["WhisperForConditionalGeneration"]),
    load: |checkpoint, loading| Ok(Box::new(Whisper::load(checkpoint, loading)?)),
};

/// A loaded Whisper.
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
}

/// The settings of a request, with the checkpoint's own filled in.
struct Task {
    timestamps: bool,
    language: Option<u32>,
    detected: bool,
    settings: SamplingSettings,
}

/// Text of a window, in frames from the start of the sound.
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
    /// Loads the network, the tokenizer and the rules of decoding.
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
        })
    }

    /// Feature frames that the encoder takes at once; its second convolution halves them.
    fn window(&self) -> usize {
        2 * self.net.source_positions
    }

    fn hear(&self, job: &Job) -> Result<Reply, Fault> {
        let (Request::Hear(request), [Input::Sound(sound)]) = (&job.request, job.inputs.as_slice()) else {
            return Err(Fault::failed("this model only answers `hear`".to_owned()));
        };
        let HearRequest { language, timestamps, decoding, .. } = request;
        if *timestamps && self.rules.no_timestamps.is_none() {
            return Err(Fault::failed("this model was not taught timestamps; ask without them".to_owned()));
        }
        let source = Source::new(sound, &self.mel, self.window())?;
        let language = language.as_ref().or(self.rules.language.as_ref().filter(|_| !self.rules.languages.is_empty()));
        let mut task = Task {
            timestamps: *timestamps,
            language: None,
            detected: language.is_none(),
            settings: SamplingSettings::new(decoding, &self.decode, &self.defaults),
        };
        match language {
            Some(asked) if !self.rules.languages.is_empty() => task.language = Some(self.rules.language(asked)?),
            Some(asked) if !matches!(asked.to_lowercase().as_str(), "en" | "english" | "<|en|>") => {
                return Err(Fault::failed(format!("this model only hears English, not `{asked}`")));
            }
            _ => {}
        }
        self.transcribe(job, &source, task).map(|segments| Reply::Hear(self.heard(sound.start, segments)))
    }

    /// Goes through the sound window by window.
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
            let memory = features.and_then(|f| self.net.hear(&f.to_dtype(self.dtype)?)).map_err(failed)?;
            if task.detected && task.language.is_none() && self.rules.detects() {
                task.language = Some(self.detect(&memory)?);
            }
            let prompt = self.rules.prompt(task.language, task.detected, task.timestamps);
            // As transformers: each window may use the checkpoint's `max_length` beyond its prompt, and the sum is carried on.
            max_length = max_length.map(|length| (length + prompt.len()).min(self.net.target_positions));
            let total =
                task.settings.max_tokens.map(|n| n.saturating_add(prompt.len())).or(max_length).unwrap_or(usize::MAX);
            let decoded = self.decode_window(job, memory.clone(), &prompt, total, &task, &mut sampler)?;
            let begin = self.begin(task.timestamps);
            let unsure = decoded.mean_log_probability < self.rules.least_log_probability;
            if unsure && self.silent(&memory)? {
                seek += frames;
                continue;
            }
            let (found, offset) = self.cut(&decoded.tokens, seek, frames, begin);
            let ratio = compression(&self.words(&decoded.tokens, begin)?);
            let believed = !unsure && ratio <= self.rules.most_compression;
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

    /// The logits after `ids`, which must be finite.
    fn say(&self, memory: &mut WindowCache, ids: &[u32]) -> Result<Vec<f32>, Fault> {
        let logits = self.net.say(memory, ids).map_err(failed)?;
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
        best.ok_or_else(|| Fault::model("the checkpoint names no languages".to_owned()))
    }

    /// Tokens of one window, without the prompt and the end.
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
            self.processors.apply(&mut logits, &seen, prompt.len(), total - prompt.len());
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

    /// The first timestamp, beyond all tokens where none is looked for.
    fn begin(&self, timestamps: bool) -> u32 {
        let none = self.rules.no_timestamps.filter(|_| timestamps || self.rules.states_timestamps);
        none.map_or(u32::MAX, |none| none + 1)
    }

    /// Cuts the tokens of a window that began at frame `seek` into segments; gives how many frames to move on.
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
            // The last timestamp of the pair belongs to its segment, which shows that it is not a single end.
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

/// How many times zlib makes a text smaller.
fn compression(text: &str) -> f64 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory cannot fail; a text that does not compress counts as plain.
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.map_or(1.0, |packed| text.len() as f64 / packed.len().max(1) as f64)
}

/// A sound as feature frames, read a window at a time.
struct Source<'a> {
    sound: &'a SoundSource,
    mel: &'a LogMel,
    window: usize,
    /// Samples of the sound; for one that fits a window, with the silence that fills it up.
    samples: usize,
    /// Samples that there are.
    real: usize,
    /// Frames to be decoded.
    frames: usize,
    /// log10 of the loudest mel power.
    most: f32,
}

impl<'a> Source<'a> {
    fn new(sound: &'a SoundSource, mel: &'a LogMel, window: usize) -> Result<Source<'a>, Fault> {
        let real = ((sound.end.seconds() - sound.start.seconds()) * f64::from(mel.rate_hz)).round().max(0.0) as usize;
        let samples = real.max(window * mel.hop);
        let frames = if real == 0 { 0 } else { samples / mel.hop };
        let mut source = Source { sound, mel, window, samples, real, frames, most: f32::NEG_INFINITY };
        for from in (0..frames).step_by(window) {
            let powers = source.powers(from, window.min(frames - from))?;
            source.most = powers.into_iter().fold(source.most, f32::max);
        }
        Ok(source)
    }

    /// log10 mel powers of `count` frames, (count, bins).
    fn powers(&self, from: usize, count: usize) -> Result<Vec<f32>, Fault> {
        let (reach, hop) = (self.mel.reach(), self.mel.hop);
        let (first, last) = (from * hop, (from + count - 1) * hop);
        // The neighbourhood of the outer frames, and as much again, so that a mirrored end finds what it mirrors.
        let (lo, hi) = (first.saturating_sub(2 * reach), (last + 2 * reach).min(self.samples));
        let mut samples =
            if lo < self.real { self.sound.samples(lo, hi.min(self.real), self.mel.rate_hz)? } else { Vec::new() };
        samples.resize(hi - lo, 0.0);
        let around = mirrored(&samples, reach); // its index 0 is sample lo - reach
        Ok(self.mel.powers(&around[first - lo..], count))
    }

    /// Features of `count` frames from `from`, filled up with zeros to a window: (bins, window).
    fn features(&self, from: usize, count: usize) -> Result<Vec<f32>, Fault> {
        let mut powers = self.powers(from, count)?;
        LogMel::scale(&mut powers, self.most);
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
    fn text_in_circles_is_compressed_more_than_speech() {
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
