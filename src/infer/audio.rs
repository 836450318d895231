//! Sound to log-mel spectrograms, as the feature extractors of transformers compute them.

use super::config::Config;
use crate::error::Fault;
use realfft::{RealFftPlanner, RealToComplex};
use std::{f64::consts::TAU, sync::Arc};

/// Turns samples into log-mel frames.
pub struct LogMel {
    /// Mel bins.
    pub bins: usize,
    /// Samples in a second.
    pub rate_hz: u32,
    /// Samples between frames.
    pub hop: usize,
    width: usize,
    window: Vec<f64>,
    /// For each bin: the first frequency with weight, and the weights from there.
    filters: Vec<(usize, Vec<f64>)>,
    fft: Arc<dyn RealToComplex<f64>>,
}

/// The numbers of a spectrogram.
#[derive(Debug, Clone, PartialEq)]
pub struct MelSettings {
    /// Mel bins.
    pub bins: usize,
    /// Samples in a second.
    pub rate_hz: u32,
    /// Samples in a frame.
    pub width: usize,
    /// Samples between frames, at most `width`.
    pub hop: usize,
    /// The lowest and the highest frequency of the filters, in Hz.
    pub range_hz: (f64, f64),
}

impl LogMel {
    /// A spectrogram with Slaney's filters and a periodic Hann window.
    pub fn of(settings: MelSettings) -> LogMel {
        let MelSettings { bins, rate_hz, width, hop, range_hz } = settings;
        LogMel {
            bins,
            rate_hz,
            hop,
            width,
            // Hann, periodic
            window: (0..width).map(|n| 0.5 - 0.5 * (TAU * n as f64 / width as f64).cos()).collect(),
            filters: mel_filters(1 + width / 2, bins, f64::from(rate_hz), range_hz),
            fft: RealFftPlanner::new().plan_fft_forward(width),
        }
    }

    /// Reads Whisper's `preprocessor_config.json`; an absent key has Whisper's default. The model takes `bins` mel bins. Fails if
    /// a value is out of range, or if `feature_size` differs from `bins`.
    pub fn new(config: &Config, bins: usize) -> Result<LogMel, Fault> {
        if let Some(stated) = config.get("feature_size").filter(|stated| stated.as_u64() != Some(bins as u64)) {
            return Err(config.wrong("feature_size", format!("{bins}, the model's `num_mel_bins`"), stated));
        }
        let rate_hz = config.count("sampling_rate", 1_000..=384_000)?.unwrap_or(16_000) as u32;
        let width = config.count("n_fft", 16..=1 << 14)?.unwrap_or(400);
        // A hop longer than the window would skip samples.
        let hop = config.count("hop_length", 1..=width)?.unwrap_or(160);
        Ok(LogMel::of(MelSettings { bins, rate_hz, width, hop, range_hz: (0.0, 8000.0) }))
    }

    /// The samples that a frame needs on each side of its centre.
    pub fn reach(&self) -> usize {
        self.width / 2
    }

    /// log10 of the mel powers of `count` frames, (count, bins) in row-major order. The centre of frame 0 is
    /// `samples[reach]`, so the caller gives `reach` more samples on both sides.
    pub fn powers(&self, samples: &[f32], count: usize) -> Vec<f32> {
        let mut input = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut frames = Vec::with_capacity(count * self.bins);
        for frame in 0..count {
            let from = &samples[frame * self.hop..frame * self.hop + self.width];
            for ((x, s), w) in input.iter_mut().zip(from).zip(&self.window) {
                *x = f64::from(*s) * w;
            }
            self.fft.process(&mut input, &mut spectrum).expect("the buffers were made by the plan: this is a bug");
            for (first, weights) in &self.filters {
                let power: f64 = spectrum[*first..].iter().zip(weights).map(|(c, w)| c.norm_sqr() * w).sum();
                frames.push(power.max(1e-10).log10() as f32);
            }
        }
        frames
    }

    /// Turns log10 powers into features. `loudest` is the largest log10 power of the whole sound; smaller values are
    /// raised to 8 below it.
    pub fn scale(powers: &mut [f32], loudest: f32) {
        for value in powers {
            *value = (value.max(loudest - 8.0) + 4.0) / 4.0;
        }
    }
}

/// `samples` with `reach` more on each side, mirrored at the ends (numpy's `reflect`): the padding of an STFT with
/// centred frames.
pub fn mirrored(samples: &[f32], reach: usize) -> Vec<f32> {
    let n = samples.len() as isize;
    let at = |i: isize| -> f32 {
        if n == 0 {
            return 0.0;
        }
        let period = (2 * (n - 1)).max(1);
        let folded = i.rem_euclid(period);
        samples[(if folded < n { folded } else { period - folded }) as usize]
    };
    (-(reach as isize)..n + reach as isize).map(at).collect()
}

/// Triangular filters of area 1 on Slaney's mel scale over a range of frequencies in Hz (librosa's `mel`,
/// `norm="slaney"`). For each bin: the first frequency with weight, and the weights from there.
pub(crate) fn mel_filters(
    frequencies: usize,
    bins: usize,
    rate_hz: f64,
    range_hz: (f64, f64),
) -> Vec<(usize, Vec<f64>)> {
    const LINEAR_HZ: f64 = 1000.0;
    let step = 27.0 / 6.4f64.ln();
    let to_mel = |hz: f64| if hz >= LINEAR_HZ { 15.0 + (hz / LINEAR_HZ).ln() * step } else { 3.0 * hz / 200.0 };
    let to_hz = |mel: f64| if mel >= 15.0 { LINEAR_HZ * ((mel - 15.0) / step).exp() } else { 200.0 * mel / 3.0 };
    let (bottom, top) = (to_mel(range_hz.0), to_mel(range_hz.1));
    let edges: Vec<f64> =
        (0..bins + 2).map(|n| to_hz(bottom + (top - bottom) * n as f64 / (bins + 1) as f64)).collect();
    let hz = |n: usize| rate_hz / 2.0 * n as f64 / (frequencies - 1) as f64;
    let filter = |bin: usize| {
        let (low, middle, high) = (edges[bin], edges[bin + 1], edges[bin + 2]);
        let weight = |n: usize| {
            ((hz(n) - low) / (middle - low)).min((high - hz(n)) / (high - middle)).max(0.0) * 2.0 / (high - low)
        };
        let first = (0..frequencies).find(|n| weight(*n) > 0.0).unwrap_or(0);
        (first, (first..frequencies).map(weight).take_while(|w| *w > 0.0).collect())
    };
    (0..bins).map(filter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_mirrored_without_repeating_the_edge() {
        assert_eq!(mirrored(&[1.0, 2.0, 3.0], 2), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
        assert_eq!(mirrored(&[], 1), [0.0, 0.0]);
    }
}
