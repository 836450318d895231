//! An ffmpeg process that decodes sound forward: mono samples on a grid of absolute presentation time.
//!
//! Sample `i` at rate `r` is the sound at `i / r` seconds of presentation time. Samples before the start of the stream,
//! in a gap and after its end are silent. The time stamps of its own frame give each sample its position
//! ([`SamplePositions`]), so the same sound gives the same samples for any start time of the stream. Decoding always
//! begins at the start of the stream, so that a stretch has the same samples in any order of requests. The last minutes are
//! kept in memory and all before in a file ([`Spool`]), so that later readers decode nothing.
//!
//! Mixing and resampling equal those of Whisper's reference loader (ffmpeg's own, to 16 bits).

use super::{
    MediaError, MediaFault, ffmpeg,
    pipes::Pipes,
    positions::{SamplePositions, filter},
    probe::AudioStream,
    spool::Spool,
};
use std::{collections::VecDeque, ffi::OsString, path::Path};

/// Length of decoded sound that is kept for later requests, in seconds: five minutes are 10 MB at 16 kHz.
const KEPT_S: usize = 300;
/// Maximum distance, in samples, between a frame and the end of the one before that counts as rounding of times.
const ROUNDING: i64 = 2;

/// Maximum bytes of samples whose positions have not arrived.
const MAX_WAITING: usize = 256 << 10;

/// A running ffmpeg. Dropping it ends the child.
#[derive(Debug)]
pub(crate) struct SoundDecoder {
    pipes: Pipes,
    /// Samples per second.
    pub rate_hz: u32,
    /// The positions of the next samples.
    places: SamplePositions,
    /// Bytes of samples whose positions have not arrived.
    bytes: Vec<u8>,
    /// The decoded samples that are kept in memory.
    track: Track,
    /// Those before.
    spool: Spool,
}

/// The most recently decoded samples.
#[derive(Debug)]
struct Track {
    /// Everything from here to the first sample of `kept` is silence. Earlier samples were dropped.
    since: i64,
    /// The grid position of the first sample of `kept`.
    from: i64,
    kept: VecDeque<i16>,
    /// Maximum number of kept samples.
    max: usize,
}

impl Track {
    fn end(&self) -> i64 {
        self.from.saturating_add(self.kept.len() as i64)
    }

    /// Adds samples that begin at position `at`. Fills a gap with silence; an overlap keeps the older samples. A long gap moves
    /// all samples before it to `spool`.
    fn put(&mut self, at: i64, samples: impl ExactSizeIterator<Item = i16>, spool: &mut Spool) {
        if self.kept.is_empty() {
            self.from = at;
        }
        let gap = at.saturating_sub(self.end());
        if gap > self.max as i64 {
            let end = self.end();
            spool.add(self.from, self.kept.drain(..));
            (self.since, self.from) = (end, at);
        } else if gap > ROUNDING {
            self.kept.extend(std::iter::repeat_n(0, gap as usize));
        }
        let known = if gap < -ROUNDING { gap.unsigned_abs() as usize } else { 0 };
        self.kept.extend(samples.skip(known));
    }

    /// Copies the known samples from position `after` on into `samples`, which begin at `from`.
    fn copy(&self, after: i64, samples: &mut [f32], from: i64) {
        let first = after.max(from).max(self.from);
        let skipped = usize::try_from(first.saturating_sub(self.from)).unwrap_or(0);
        let slots = usize::try_from(first.saturating_sub(from)).ok().and_then(|at| samples.get_mut(at..));
        for (slot, sample) in slots.into_iter().flatten().zip(self.kept.iter().skip(skipped)) {
            *slot = f32::from(*sample) / 32768.0;
        }
    }

    /// Moves the oldest samples beyond the limit to `spool`.
    fn trim(&mut self, spool: &mut Spool) {
        let over = self.kept.len().saturating_sub(self.max);
        if over > 0 {
            spool.add(self.from, self.kept.drain(..over));
            self.from += over as i64;
            self.since = self.from;
        }
    }
}

impl SoundDecoder {
    /// Starts decoding `sound` at its beginning.
    pub(super) fn start(
        path: &Path,
        shown: &str,
        sound: &AudioStream,
        rate_hz: u32,
        spool: Spool,
    ) -> Result<SoundDecoder, MediaError> {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let mut arguments = words("-hide_banner -nostdin -nostats -v info -copyts -threads 1");
        arguments.extend(ffmpeg::input(path));
        arguments.extend(["-map".into(), format!("0:{}", sound.index).into()]);
        arguments.extend(["-vn".into(), "-af".into(), filter(rate_hz).into()]);
        arguments.extend(words("-f s16le pipe:1"));
        Ok(SoundDecoder {
            pipes: Pipes::start(arguments, shown)?,
            rate_hz,
            places: SamplePositions::new(rate_hz),
            bytes: Vec::new(),
            track: Track { since: i64::MIN, from: 0, kept: VecDeque::new(), max: KEPT_S * rate_hz as usize },
            spool,
        })
    }

    /// True if the samples from grid position `from` on are still available.
    pub(super) fn will_give(&self, from: i64) -> bool {
        from >= self.track.since || self.spool.is_whole()
    }

    /// The samples `from..to` of the grid, -1..1. Cancel-safe.
    pub(super) async fn read(&mut self, from: i64, to: i64) -> Result<Vec<f32>, MediaError> {
        let mut samples = vec![0.0; usize::try_from(to.saturating_sub(from)).unwrap_or(0)];
        if from < self.track.since && self.spool.copy(&mut samples, from).is_err() {
            self.spool = Spool::Lost;
            let what = "decoded sound cannot be read back from the cache folder";
            return Err(MediaError::new(MediaFault::Unreadable, &self.pipes.shown, what));
        }
        self.track.copy(i64::MIN, &mut samples, from);
        while self.track.kept.is_empty() || self.track.end() < to {
            let places = &mut self.places;
            if !self.pipes.read(&mut self.bytes, MAX_WAITING, |line| places.hear(line)).await? {
                if self.track.kept.is_empty() && !self.bytes.is_empty() {
                    let what = "ffmpeg gave sound without times";
                    return Err(MediaError::new(MediaFault::Damaged, &self.pipes.shown, what));
                }
                break;
            }
            let mut known = if self.track.kept.is_empty() { i64::MIN } else { self.track.end() };
            while let Some((at, count)) = self.places.next(self.bytes.len() / 2) {
                let bytes = self.bytes.drain(..count * 2).collect::<Vec<_>>();
                let heard = bytes.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]));
                self.track.put(at, heard, &mut self.spool);
                self.track.copy(known, &mut samples, from);
                known = self.track.end();
                self.track.trim(&mut self.spool);
            }
        }
        Ok(samples)
    }
}

#[cfg(test)]
mod tests;
