//! Where somebody speaks in a sound: a small recurrent network (the crate `earshot`) that is some thousand times faster than the
//! sound. benches/RESULTS.md says what it keeps and what it drops.

use super::job::SoundSource;
use crate::error::Fault;
use earshot::Detector;

/// The stretches of a sound in which somebody may speak.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Voiced {
    /// Start and end in seconds from the start of the sound, in order, apart from each other.
    stretches: Vec<(f64, f64)>,
}

const RATE_HZ: u32 = 16_000;
/// The samples that the network judges at once: 16 ms.
const FRAME: usize = 256;
/// The probability of speech from which a frame counts, lower than the usual 0.5: a missed word is worse than a heard noise.
const LIKELY: f32 = 0.3;
/// Sound that is kept before and after a voiced frame, in seconds.
const MARGIN_S: f64 = 0.5;
/// The samples that are read at once, a whole number of frames.
const PIECE: usize = FRAME * 1875;

impl Voiced {
    /// Reads a sound. `gone` says that nobody waits any more.
    pub fn of(sound: &SoundSource, gone: impl Fn() -> bool) -> Result<Voiced, Fault> {
        let seconds = sound.end.seconds() - sound.start.seconds();
        let samples = (seconds * f64::from(RATE_HZ)).round().max(0.0) as usize;
        let (mut detector, mut voiced) = (Detector::default(), Voiced::default());
        for from in (0..samples).step_by(PIECE) {
            if gone() {
                return Err(Fault::cancelled());
            }
            let piece = sound.samples(from, samples.min(from + PIECE), RATE_HZ)?;
            for (n, frame) in piece.chunks(FRAME).enumerate() {
                let mut whole = [0f32; FRAME];
                whole[..frame.len()].copy_from_slice(frame);
                if detector.predict_f32(&whole) >= LIKELY {
                    voiced.add((from + n * FRAME) as f64 / f64::from(RATE_HZ), seconds);
                }
            }
        }
        Ok(voiced)
    }

    /// Adds a voiced frame at `at_s`.
    fn add(&mut self, at_s: f64, end_s: f64) {
        let frame_s = FRAME as f64 / f64::from(RATE_HZ);
        let (start, end) = ((at_s - MARGIN_S).max(0.0), (at_s + frame_s + MARGIN_S).min(end_s));
        match self.stretches.last_mut().filter(|last| last.1 >= start) {
            Some(last) => last.1 = end,
            None => self.stretches.push((start, end)),
        }
    }

    /// The first time at or after `at_s` in a voiced stretch; none after the last.
    pub fn next(&self, at_s: f64) -> Option<f64> {
        self.stretches.iter().find(|(_, end)| *end > at_s).map(|(start, _)| start.max(at_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_grow_together() {
        let mut voiced = Voiced::default();
        [2.0, 2.5, 9.0].into_iter().for_each(|at| voiced.add(at, 9.2));
        assert_eq!(voiced.stretches, [(1.5, 3.016), (8.5, 9.2)]);
        assert_eq!([0.0, 2.0, 4.0, 9.5].map(|at| voiced.next(at)), [Some(1.5), Some(2.0), Some(8.5), None]);
    }
}
