//! Sounds as CLAP hears them: log-mel spectrograms that are folded into a square, as `ClapFeatureExtractor` and
//! `ClapAudioEncoder` of transformers make them.

use crate::{
    error::Fault,
    infer::{
        audio::{LogMel, MelSettings, mirrored},
        config::Config,
    },
};

/// The way in which a sound that is shorter than the window fills it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filling {
    /// The whole sound as often as it fits, then silence.
    RepeatAndSilence,
    /// The sound again and again; the last time in part.
    Repeat,
    /// Silence.
    Silence,
}

/// Turns a window of sound into a picture.
pub(super) struct SoundFeatures {
    mel: LogMel,
    /// Samples in a window.
    pub(super) window: usize,
    filling: Filling,
    /// The side of the picture.
    spec: usize,
    /// The stretches of time that lie above each other in the picture.
    ratio: usize,
}

impl SoundFeatures {
    /// Reads `preprocessor_config.json`; an absent key has the default of `ClapFeatureExtractor`. The model takes `bins`
    /// mel bins and pictures of `spec` × `spec`. Fails if a value is out of range, or if the model cannot take a window.
    pub(super) fn read(config: &Config, bins: usize, spec: usize) -> Result<SoundFeatures, Fault> {
        let stated = config.count("feature_size", 1..=4096)?.unwrap_or(64);
        let wrong = |why: String| Err(Fault::model(format!("{}: {why}", config.name())));
        if stated != bins {
            return wrong(format!("`feature_size` must be {bins}, the model's `num_mel_bins`, found {stated}"));
        }
        let rate_hz = config.count("sampling_rate", 1_000..=384_000)?.unwrap_or(48_000);
        let width = config.count("fft_window_size", 16..=1 << 14)?.unwrap_or(1024);
        let hop = config.count("hop_length", 1..=width)?.unwrap_or(480);
        let seconds = config.number("max_length_s", 1e-3..=600.0)?.unwrap_or(10.0);
        let window = (seconds * rate_hz as f64) as usize;
        let low = config.number("frequency_min", 0.0..=192_000.0)?.unwrap_or(0.0);
        let high = config.number("frequency_max", 0.0..=192_000.0)?.unwrap_or(14_000.0);
        if low >= high || window < width {
            return wrong(format!(
                "`frequency_min` {low} must be below `frequency_max` {high}, and `max_length_s` {seconds} must not be shorter \
                 than a frame of {width} samples"
            ));
        }
        match config.string("truncation")?.unwrap_or("fusion") {
            "rand_trunc" => {}
            other => {
                return wrong(format!(
                    "`truncation` must be rand_trunc, as in laion/clap-htsat-unfused, found {other}; models with fusion are \
                     not supported"
                ));
            }
        }
        let filling = match config.string("padding")?.unwrap_or("repeatpad") {
            "repeatpad" => Filling::RepeatAndSilence,
            "repeat" => Filling::Repeat,
            "pad" => Filling::Silence,
            other => return wrong(format!("`padding` must be repeatpad, repeat or pad, found {other}")),
        };
        let ratio = (spec / bins).max(1);
        let (columns, frames) = (spec * ratio, 1 + window / hop);
        if bins > spec / ratio || frames > columns || !columns.is_multiple_of(ratio) {
            return wrong(format!(
                "a window has {frames} frames of {bins} bins, more than the {columns} frames of {} that the model takes",
                spec / ratio
            ));
        }
        let settings = MelSettings { bins, rate_hz: rate_hz as u32, width, hop, range_hz: (low, high) };
        Ok(SoundFeatures { mel: LogMel::of(settings), window, filling, spec, ratio })
    }

    /// Samples in a second.
    pub(super) fn rate_hz(&self) -> u32 {
        self.mel.rate_hz
    }

    /// 1 to `window` samples, and the scale and addend of each mel bin -> (spec, spec) in row-major order. A row is a
    /// frequency in a stretch of time.
    pub(super) fn picture(&self, samples: &[f32], norms: &[(f32, f32)]) -> Vec<f32> {
        let bins = self.mel.bins;
        let sound = mirrored(&self.filled(samples), self.mel.reach());
        let frames = 1 + self.window / self.mel.hop;
        let mut mel = self.mel.powers(&sound, frames);
        // decibels, then the batch norm of each bin
        for frame in mel.chunks_exact_mut(bins) {
            frame.iter_mut().zip(norms).for_each(|(x, (scale, add))| *x = *x * 10.0 * scale + add);
        }
        let (high, wide) = (self.spec / self.ratio, self.spec * self.ratio);
        let mel = stretched(&mel, frames, bins, wide);
        let mel = transposed(&stretched(&transposed(&mel, wide, bins), bins, wide, high), high, wide);
        // frames of `high` bins; the stretches of `spec` frames follow each other
        let mut picture = Vec::with_capacity(self.spec * self.spec);
        for stretch in mel.chunks_exact(self.spec * high) {
            picture.extend(transposed(stretch, self.spec, high));
        }
        picture
    }

    /// Samples that fill a window.
    fn filled(&self, samples: &[f32]) -> Vec<f32> {
        let all = samples.iter().cycle().copied();
        let mut filled: Vec<f32> = match self.filling {
            Filling::Repeat => all.take(self.window).collect(),
            Filling::RepeatAndSilence => all.take(self.window / samples.len() * samples.len()).collect(),
            Filling::Silence => samples.to_vec(),
        };
        filled.resize(self.window, 0.0);
        filled
    }
}

/// (rows, columns) -> (columns, rows), both in row-major order.
fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| x[row * columns + column])).collect()
}

/// (rows, columns) -> (`to`, columns): bicubic, with the outer rows kept where they are (PyTorch's `align_corners`).
/// Unchanged if there are as many rows.
fn stretched(x: &[f32], rows: usize, columns: usize, to: usize) -> Vec<f32> {
    if rows == to {
        return x.to_vec();
    }
    const A: f32 = -0.75;
    let near = |t: f32| ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0;
    let far = |t: f32| ((A * t - 5.0 * A) * t + 8.0 * A) * t - 4.0 * A;
    let scale = if to > 1 { (rows - 1) as f32 / (to - 1) as f32 } else { 0.0 };
    let mut out = Vec::with_capacity(to * columns);
    for row in 0..to {
        let place = scale * row as f32;
        let (base, t) = (place.floor(), place - place.floor());
        let weights = [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)];
        let source = |n: usize| ((base as isize + n as isize - 1).clamp(0, rows as isize - 1)) as usize * columns;
        let sources = [source(0), source(1), source(2), source(3)];
        out.extend((0..columns).map(|column| {
            sources.iter().zip(weights).map(|(source, weight)| x[source + column] * weight).sum::<f32>()
        }));
    }
    out
}
