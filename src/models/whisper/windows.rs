//! The windows of a sound, one after the other, and the attempts at each.

use super::{
    Task, Whisper,
    align::{Focus, kept},
    net::WindowCache,
    segments::Segment,
    source::SoundFrames,
    words::TimedTokens,
};
use crate::{
    error::Fault,
    infer::{
        cost::Phase,
        failed,
        job::Job,
        processors::SoFar,
        sampling::{Sampler, finite, log_probability},
        voice::Voiced,
    },
};
use candle_core::Tensor;
use miniz_oxide::deflate::core::{
    CompressionStrategy, CompressorOxide, TDEFLFlush, compress, create_comp_flags_from_zip_params,
};

/// The result of one attempt at a window.
struct Decoded<'a> {
    /// The tokens without the prompt and the end token.
    tokens: Vec<u32>,
    /// The end token followed.
    ended: bool,
    mean_log_probability: f64,
    focus: Option<Focus<'a>>,
}

/// The attempt at a window that counts.
struct Attempt<'a> {
    decoded: Decoded<'a>,
    temperature: f32,
    /// It passed the thresholds.
    is_believed: bool,
    /// The window holds no speech.
    is_silent: bool,
}

/// What a sound holds.
#[derive(Default)]
pub(super) struct HeardSound {
    /// The segments with their texts.
    pub segments: Vec<(Segment, String)>,
    /// The tokens with their times, if words are wanted; they count segments as `segments` does.
    pub tokens: TimedTokens,
    /// The heard language, as a token, if it was detected or asked for.
    pub language: Option<u32>,
}

impl Whisper {
    /// Decodes the sound window by window. A window begins with the next voiced stretch, if those are known.
    pub(super) fn transcribe(
        &self,
        job: &Job,
        source: &SoundFrames<'_>,
        mut task: Task,
        voiced: Option<&Voiced>,
    ) -> Result<HeardSound, Fault> {
        let frame_s = self.mel.hop as f64 / f64::from(self.mel.rate_hz);
        let mut sampler = Sampler::new(task.settings.clone(), job.seed);
        let mut max_length = self.rules.max_length;
        let (mut seek, mut heard) = (0, HeardSound::default());
        // the tokens of all segments, and whether the next window gets them
        let (mut said, mut continues) = (Vec::new(), self.hearing.previous_text);
        while seek < source.frames {
            if job.gone() {
                return Err(Fault::cancelled());
            }
            if let Some(voiced) = voiced {
                let Some(next) = voiced.next(seek as f64 * frame_s) else { break };
                // an even frame, because the encoder halves them
                seek = seek.max((next / frame_s) as usize / 2 * 2);
            }
            let frames = (source.frames - seek).min(self.window());
            let features =
                Tensor::from_vec(source.features(seek, frames)?, (1, self.mel.bins, self.window()), &self.device);
            let hear = || features.and_then(|f| self.net.hear(&f.to_dtype(self.dtype)?));
            let memory = self.meter.time(Phase::Sound, 1, hear).map_err(failed)?;
            if task.detected && task.language.is_none() && self.rules.detects() {
                task.language = Some(self.detect(&memory)?);
            }
            let own = self.rules.prompt(task.language, task.detected, task.timestamps);
            let half = (self.net.target_positions / 2).saturating_sub(1);
            let before: &[u32] = if continues { &said } else { &[] };
            let previous = self.rules.previous(before, half);
            let prompt = [previous.as_slice(), &own].concat();
            // As in transformers: a window may use the checkpoint's `max_length` beyond its prompt, and the sum becomes
            // the limit of the next window.
            max_length = max_length.map(|length| (length + prompt.len().min(half)).min(self.net.target_positions));
            let total =
                task.settings.max_tokens.map(|n| n.saturating_add(prompt.len())).or(max_length).unwrap_or(usize::MAX);
            // transformers counts the positions after the end of the sound from the window's end
            let positions = (source.real_frames() as i64 - seek as i64).div_euclid(2);
            let window = Window { job, memory: &memory, prompt: &prompt, before: previous.len(), total, positions };
            let Attempt { decoded, temperature, is_believed, is_silent } =
                self.attempt(&window, &task, &mut sampler)?;
            continues = self.hearing.previous_text && temperature < 0.5;
            if is_silent {
                seek += frames;
                continue;
            }
            let begin = self.begin(task.timestamps);
            let (found, offset) = self.cut(&decoded.tokens, seek, frames, begin);
            let times = decoded.focus.as_ref().map(|focus| self.times(focus, positions));
            let offset_s = seek as f64 * frame_s;
            for segment in found.into_iter().filter(|_| is_believed) {
                // Both timestamps of a window's last pair are in its segment; the next window shall read one.
                let pair = segment.tokens.len() > 2 && segment.tokens[segment.tokens.len() - 2] >= begin;
                said.extend_from_slice(&segment.tokens[..segment.tokens.len() - usize::from(pair)]);
                let text = self.said(&segment.tokens, begin)?;
                if let Some(times) = &times {
                    heard.tokens.push(heard.segments.len(), &segment, times, offset_s);
                }
                if !text.is_empty() {
                    job.piece(&format!("{text} "));
                    heard.segments.push((segment, text));
                }
            }
            seek += if offset == 0 { frames } else { offset };
        }
        heard.language = task.language;
        Ok(heard)
    }

    /// Decodes a window, at higher temperatures as long as the text fails a threshold.
    fn attempt<'a>(&'a self, window: &Window<'_>, task: &Task, sampler: &mut Sampler) -> Result<Attempt<'a>, Fault> {
        let mut left = task.temperatures.iter().copied().peekable();
        loop {
            let temperature = left.next().unwrap_or(0.0);
            sampler.heat(temperature);
            let decoded = self.decode(window, task, sampler)?;
            let is_unsure = decoded.mean_log_probability < self.rules.min_log_probability;
            let is_silent = is_unsure && self.silent(window)?;
            let end = decoded.ended.then_some(self.rules.end);
            let all: Vec<u32> = decoded.tokens.iter().copied().chain(end).collect();
            let ratio = compression(&all, self.vocabulary);
            let is_believed = !is_unsure && ratio <= self.rules.max_compression;
            let log_probability = decoded.mean_log_probability;
            tracing::debug!(temperature, log_probability, ratio, is_believed, is_silent, "heard a window");
            if is_believed || is_silent || left.peek().is_none() {
                return Ok(Attempt { decoded, temperature, is_believed, is_silent });
            }
        }
    }

    /// The logits after `ids`. Fails if one is not finite.
    pub(super) fn say(
        &self,
        memory: &mut WindowCache,
        ids: &[u32],
        focus: Option<&mut Focus<'_>>,
    ) -> Result<Vec<f32>, Fault> {
        let say = || self.net.say(memory, ids, focus);
        let logits = self.meter.time(Phase::Reply, ids.len(), say).map_err(failed)?;
        finite(&logits)?;
        Ok(logits)
    }

    /// The most likely language of a window.
    fn detect(&self, memory: &WindowCache) -> Result<u32, Fault> {
        let logits = self.say(&mut memory.clone(), &[self.rules.start], None)?;
        let best = self.rules.languages.iter().map(|(_, id)| *id).max_by(|a, b| {
            let logit = |id: &u32| logits.get(*id as usize).copied().unwrap_or(f32::NEG_INFINITY);
            logit(a).total_cmp(&logit(b)).then(b.cmp(a))
        });
        best.ok_or_else(|| Fault::model("the checkpoint lacks a list of languages (`lang_to_id`)".to_owned()))
    }

    /// The tokens of one window.
    fn decode<'a>(&'a self, window: &Window<'_>, task: &Task, sampler: &mut Sampler) -> Result<Decoded<'a>, Fault> {
        let (prompt, mut memory) = (window.prompt, window.memory.clone());
        let total = window.total.min(self.net.target_positions);
        let width = kept(self.net.source_positions, window.positions);
        let mut focus = if task.words { Some(self.alignment.focus(width)?) } else { None };
        let (mut tokens, mut sum, mut count, mut ended) = (Vec::new(), 0.0, 0, false);
        if prompt.len() >= total {
            return Ok(Decoded { tokens, ended, mean_log_probability: 0.0, focus });
        }
        let mut logits = self.say(&mut memory, prompt, None)?;
        while prompt.len() + tokens.len() < total {
            if window.job.gone() {
                return Err(Fault::cancelled());
            }
            if let Some(last) = tokens.last() {
                logits = self.say(&mut memory, &[*last], focus.as_mut())?;
            }
            let seen: Vec<u32> = prompt.iter().chain(&tokens).copied().collect();
            let so_far = SoFar { tokens: &seen, prompt: prompt.len(), max_tokens: total - prompt.len() };
            self.processors.apply(&mut logits, &so_far, &task.settings);
            self.rules.apply(&mut logits, &tokens, task.timestamps);
            let next = sampler.choose(&logits);
            sum += log_probability(&logits, next);
            count += 1;
            if next == self.rules.end {
                ended = true;
                break;
            }
            tokens.push(next);
        }
        Ok(Decoded { tokens, ended, mean_log_probability: sum / f64::from(count.max(1)), focus })
    }

    /// True for a window in which the model finds no speech.
    fn silent(&self, window: &Window<'_>) -> Result<bool, Fault> {
        let Some(none) = self.rules.no_timestamps else { return Ok(false) };
        let to_start = &window.prompt[..window.before + 1];
        let logits = self.say(&mut window.memory.clone(), to_start, None)?;
        Ok(log_probability(&logits, none.saturating_sub(1)).exp() > self.rules.no_speech)
    }

    /// When each token of a window begins, in seconds from the window's start. The last one has the time of the one before.
    fn times(&self, focus: &Focus<'_>, positions: i64) -> Vec<f32> {
        const TICK_S: f64 = 0.02;
        let starts = self.alignment.starts(focus, positions);
        starts.into_iter().map(|at| (at as f64 * TICK_S) as f32).collect()
    }

    /// The id of the first timestamp; beyond all ids if timestamps are ignored.
    pub(super) fn begin(&self, timestamps: bool) -> u32 {
        let none = self.rules.no_timestamps.filter(|_| timestamps || self.rules.states_timestamps);
        none.map_or(u32::MAX, |none| none + 1)
    }

    /// The text of tokens.
    fn said(&self, tokens: &[u32], begin: u32) -> Result<String, Fault> {
        let text: Vec<u32> = tokens.iter().copied().filter(|id| *id < begin).collect();
        Ok(self.text.decode(&text)?.trim().to_owned())
    }
}

/// What an attempt at a window begins with.
struct Window<'a> {
    job: &'a Job,
    memory: &'a WindowCache,
    prompt: &'a [u32],
    /// The tokens of the prompt that come from earlier windows.
    before: usize,
    /// The most tokens of prompt and text.
    total: usize,
    /// The positions that hold sound.
    positions: i64,
}

/// The compression ratio of tokens with zlib: their bytes, as many for each as an id of the vocabulary needs, divided by the
/// compressed bytes (`_retrieve_compression_ratio` of transformers).
fn compression(tokens: &[u32], vocabulary: usize) -> f64 {
    let each = (((vocabulary as f64).log2() / 8.0) as usize + 1).min(4);
    let bytes: Vec<u8> = tokens.iter().flat_map(|id| id.to_le_bytes().into_iter().take(each)).collect();
    let packed = [CompressionStrategy::Default, CompressionStrategy::Fixed].map(|strategy| packed(&bytes, strategy));
    bytes.len() as f64 / packed.into_iter().min().unwrap_or(bytes.len()).max(1) as f64
}

/// The size of `bytes` after zlib's compression of the usual level. zlib chooses between a table of codes and fixed codes; this
/// library does not, so both are tried.
fn packed(bytes: &[u8], strategy: CompressionStrategy) -> usize {
    const LEVEL: i32 = 6;
    const WINDOW_BITS: i32 = 15;
    let flags = create_comp_flags_from_zip_params(LEVEL, WINDOW_BITS, strategy as i32);
    let mut room = vec![0; 2 * bytes.len() + 64];
    compress(&mut CompressorOxide::new(flags), bytes, &mut room, TDEFLFlush::Finish).2
}

#[cfg(test)]
mod tests {
    use super::compression;

    #[test]
    fn repetitive_tokens_compress_more_than_speech() {
        let check =
            |tokens: &[u32], circles: bool| assert_eq!(compression(tokens, 51_864) > 2.4, circles, "{tokens:?}");
        let speech = [843, 523, 616, 5891, 3399, 1265, 407, 644, 534, 1499, 460, 466, 329, 345, 1265, 644, 345, 460];
        check(&speech, false);
        check(&[], false);
        check(&[5875, 345, 13].repeat(20), true);
    }

    /// The sizes of Python's `zlib.compress(b"".join(t.to_bytes(2, "little") for t in tokens))`, of drawn tokens.
    #[test]
    fn the_ratio_is_near_that_of_the_reference() {
        let check = |tokens: &[u32], packed: usize| {
            let (ours, theirs) = (compression(tokens, 51_864), 2.0 * tokens.len() as f64 / packed as f64);
            assert!((ours / theirs - 1.0).abs() < 0.05, "{ours} is not {theirs}");
        };
        check(&[1, 2, 3], 14);
        check(&[5875, 345, 13].repeat(20), 17);
        let drawn = |(count, kinds, seed): (usize, u32, u32)| {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
                (state >> 16) % kinds * 331 % 50_257
            };
            (0..count).map(|_| next()).collect::<Vec<u32>>()
        };
        for (of, packed) in [
            ((20, 500, 1), 49),
            ((60, 400, 2), 131),
            ((120, 1000, 3), 251),
            ((220, 30, 4), 358),
            ((440, 8, 5), 311),
            ((440, 20000, 6), 891),
        ] {
            check(&drawn(of), packed);
        }
    }
}
