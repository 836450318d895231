//! A sound as windows of log-mel features.

use crate::{
    error::Fault,
    infer::{
        audio::{LogMel, mirrored},
        job::SoundSource,
    },
};

/// A sound as feature frames, read window by window.
pub(super) struct SoundFrames<'a> {
    sound: &'a SoundSource,
    mel: &'a LogMel,
    window: usize,
    /// The samples of the sound, with the silence that pads a short one to a window.
    samples: usize,
    /// The samples of the sound alone.
    real: usize,
    /// The frames to decode.
    pub frames: usize,
    /// The log10 of the largest mel power.
    loudest: f32,
}

impl<'a> SoundFrames<'a> {
    pub(super) fn new(sound: &'a SoundSource, mel: &'a LogMel, window: usize) -> Result<SoundFrames<'a>, Fault> {
        let real = ((sound.end.seconds() - sound.start.seconds()) * f64::from(mel.rate_hz)).round().max(0.0) as usize;
        let samples = real.max(window * mel.hop);
        let frames = if real == 0 { 0 } else { samples / mel.hop };
        let mut source = SoundFrames { sound, mel, window, samples, real, frames, loudest: f32::NEG_INFINITY };
        for from in (0..frames).step_by(window) {
            let powers = source.powers(from, window.min(frames - from))?;
            source.loudest = powers.into_iter().fold(source.loudest, f32::max);
        }
        Ok(source)
    }

    /// The frames that hold sound and no padding, as the attention mask of transformers counts them.
    pub(super) fn real_frames(&self) -> usize {
        let hop = self.mel.hop;
        if self.real > self.window * hop { self.real / hop } else { self.real.div_ceil(hop) }
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
    pub(super) fn features(&self, from: usize, count: usize) -> Result<Vec<f32>, Fault> {
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
