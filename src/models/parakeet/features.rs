//! A sound as normalised log-mel frames, as `ParakeetFeatureExtractor` of transformers computes them.

use crate::{
    error::Fault,
    infer::{audio::mel_filters, config::Config, job::SoundSource},
};
use realfft::{RealFftPlanner, RealToComplex};
use std::{f64::consts::TAU, sync::Arc};

/// Turns samples into log-mel frames.
pub(super) struct MelFrames {
    pub rate_hz: u32,
    /// Samples between frames.
    pub hop: usize,
    pub bins: usize,
    /// Samples of the transform.
    width: usize,
    /// The window, in the middle of the transform.
    window: Vec<f64>,
    /// The part of a sample that is taken from the next one; none turns it off.
    emphasis: Option<f32>,
    /// For each bin: the first frequency with weight, and the weights from there.
    filters: Vec<(usize, Vec<f64>)>,
    fft: Arc<dyn RealToComplex<f64>>,
}

/// The addend that keeps the logarithm finite.
const GUARD: f64 = 1.0 / 16_777_216.0; // 2^-24
/// The frames that are computed at once.
const PIECE: usize = 3000;

impl MelFrames {
    /// Reads `preprocessor_config.json`. The model takes `bins` mel bins. Fails if a value is out of range, or if `feature_size`
    /// differs from `bins`.
    pub(super) fn read(config: &Config, bins: usize) -> Result<MelFrames, Fault> {
        if config.count("feature_size", 1..=1 << 16)?.unwrap_or(80) != bins {
            let found = config.get("feature_size").cloned().unwrap_or_else(|| 80.into());
            return Err(config.wrong("feature_size", format!("{bins}, the encoder's `num_mel_bins`"), &found));
        }
        let rate_hz = config.count("sampling_rate", 1_000..=384_000)?.unwrap_or(16_000) as u32;
        let width = config.count("n_fft", 16..=1 << 14)?.unwrap_or(512);
        if width % 2 == 1 {
            return Err(config.wrong("n_fft", "an even number", &serde_json::json!(width)));
        }
        let length = config.count("win_length", 2..=width)?.unwrap_or(400.min(width));
        let before = (width - length) / 2;
        // Hann, symmetric
        let hann = |n: usize| 0.5 - 0.5 * (TAU * n as f64 / (length - 1) as f64).cos();
        let at = |n: usize| n.checked_sub(before).filter(|n| *n < length).map_or(0.0, hann);
        let emphasis = match config.states("preemphasis") {
            true => config.number("preemphasis", 0.0..=1.0)?.map(|part| part as f32),
            false => Some(0.97),
        };
        Ok(MelFrames {
            rate_hz,
            hop: config.count("hop_length", 1..=width)?.unwrap_or(160.min(width)),
            bins,
            width,
            window: (0..width).map(at).collect(),
            emphasis,
            filters: mel_filters(1 + width / 2, bins, f64::from(rate_hz), (0.0, f64::from(rate_hz) / 2.0)),
            fft: RealFftPlanner::new().plan_fft_forward(width),
        })
    }

    /// ln of the mel powers of frames `from..to`, (to - from, bins); `samples` are those of the whole sound.
    fn powers(&self, sound: &SoundSource, samples: usize, (from, to): (usize, usize)) -> Result<Vec<f32>, Fault> {
        let half = self.width / 2;
        // the samples around the centres of the frames, and one more for the emphasis; silence on both sides of the sound
        let (low, high) = (from * self.hop, (to - 1) * self.hop + self.width);
        let first = low.saturating_sub(half + 1);
        let read = sound.samples(first, high.saturating_sub(half).min(samples), self.rate_hz)?;
        let sample = |n: usize| n.checked_sub(first).and_then(|n| read.get(n)).copied().unwrap_or(0.0);
        let emphasised = |at: usize| {
            let Some(n) = at.checked_sub(half).filter(|n| *n < samples) else { return 0.0 };
            let before = if n == 0 { 0.0 } else { sample(n - 1) };
            sample(n) - self.emphasis.map_or(0.0, |part| part * before)
        };
        let padded: Vec<f32> = (low..high).map(emphasised).collect();
        let (mut input, mut spectrum) = (self.fft.make_input_vec(), self.fft.make_output_vec());
        let mut powers = Vec::with_capacity((to - from) * self.bins);
        for frame in 0..to - from {
            let part = &padded[frame * self.hop..frame * self.hop + self.width];
            for ((slot, sample), weight) in input.iter_mut().zip(part).zip(&self.window) {
                *slot = f64::from(*sample) * weight;
            }
            self.fft.process(&mut input, &mut spectrum).expect("the buffers were made by the plan: this is a bug");
            for (first, weights) in &self.filters {
                let power: f64 = spectrum[*first..].iter().zip(weights).map(|(c, w)| c.norm_sqr() * w).sum();
                powers.push((power + GUARD).ln() as f32);
            }
        }
        Ok(powers)
    }
}

/// The frames of one sound.
pub(super) struct SoundMel<'a> {
    mel: &'a MelFrames,
    sound: &'a SoundSource,
    samples: usize,
    /// The number of frames.
    pub frames: usize,
    /// The mean of each bin and its deviation, over the whole sound.
    scale: Vec<(f64, f64)>,
}

impl<'a> SoundMel<'a> {
    /// Reads the sound once for the means and deviations.
    pub(super) fn new(sound: &'a SoundSource, mel: &'a MelFrames) -> Result<SoundMel<'a>, Fault> {
        const EPSILON: f64 = 1e-5;
        let seconds = sound.end.seconds() - sound.start.seconds();
        let samples = (seconds * f64::from(mel.rate_hz)).round().max(0.0) as usize;
        let frames = samples / mel.hop;
        let mut sums = vec![(0f64, 0f64); mel.bins];
        for from in (0..frames).step_by(PIECE) {
            let powers = mel.powers(sound, samples, (from, frames.min(from + PIECE)))?;
            for frame in powers.chunks_exact(mel.bins) {
                for ((sum, squares), power) in sums.iter_mut().zip(frame) {
                    *sum += f64::from(*power);
                    *squares += f64::from(*power) * f64::from(*power);
                }
            }
        }
        let count = frames as f64;
        let scale = |(sum, squares): (f64, f64)| {
            let mean = sum / count;
            let variance = (squares - sum * mean).max(0.0) / (count - 1.0);
            (mean, variance.sqrt() + EPSILON)
        };
        Ok(SoundMel { mel, sound, samples, frames, scale: sums.into_iter().map(scale).collect() })
    }

    /// Frames `from..to`, (to - from, bins).
    pub(super) fn features(&self, from: usize, to: usize) -> Result<Vec<f32>, Fault> {
        let mut features = self.mel.powers(self.sound, self.samples, (from, to))?;
        for frame in features.chunks_exact_mut(self.mel.bins) {
            for (value, (mean, deviation)) in frame.iter_mut().zip(&self.scale) {
                *value = ((f64::from(*value) - mean) / deviation) as f32;
            }
        }
        Ok(features)
    }
}
