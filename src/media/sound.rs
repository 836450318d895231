//! One ffmpeg that decodes sound forward: mono samples on a grid of absolute presentation time.
//!
//! Sample `i` at rate `r` is the sound at `i / r` seconds of presentation time. Where the stream starts late, has a gap or has
//! ended there is silence. Decoding always begins at the start of the stream, so that the same stretch is the same samples
//! whatever was asked before: sound decodes some hundred times faster than it plays.
//!
//! Mixing and resampling are those of whisper's reference loader (ffmpeg's own, to 16 bits).

use super::{
    MediaError,
    ffmpeg::{self, STALL_LIMIT, Trouble},
    probe::Sound,
};
use std::{collections::VecDeque, ffi::OsString, path::Path};
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStdout},
    time::timeout,
};

/// How much of what was decoded is kept for those who come back: five minutes, 10 MB at 16 kHz.
const KEPT_S: usize = 300;

/// A running ffmpeg. Dropping it kills the child.
#[derive(Debug)]
pub(crate) struct SoundDecoder {
    /// Held so that dropping it kills.
    _child: Child,
    stdout: Option<ChildStdout>,
    /// Samples per second.
    pub rate_hz: u32,
    /// The grid position where decoding began: before it is silence.
    first: i64,
    /// The grid position of the first of `kept`.
    from: i64,
    kept: VecDeque<i16>,
    /// The first half of a sample whose other half has not arrived.
    half: Option<u8>,
}

impl SoundDecoder {
    /// Starts decoding `sound` from its beginning.
    pub fn start(path: &Path, shown: &str, sound: &Sound, rate_hz: u32) -> Result<SoundDecoder, MediaError> {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let first = (sound.start.seconds() * f64::from(rate_hz)).round() as i64;
        let mut arguments = words("-hide_banner -nostdin -nostats -v quiet -copyts -threads 1");
        arguments.extend(ffmpeg::input(path));
        // async=1: silence into gaps (from 20 ms, so that the millisecond times of Matroska are no gaps), overlaps cut.
        let chain = format!(
            "aresample={rate_hz}:async=1:min_hard_comp=0.02:first_pts={first},aformat=sample_fmts=s16:channel_layouts=mono"
        );
        arguments.extend([
            "-map".into(),
            format!("0:{}", sound.index).into(),
            "-vn".into(),
            "-af".into(),
            chain.into(),
        ]);
        arguments.extend(words("-f s16le pipe:1"));
        let mut command = ffmpeg::command("ffmpeg", arguments);
        command.stderr(std::process::Stdio::null());
        let mut child = command.spawn().map_err(|e| Trouble::Start("ffmpeg", e).about(shown))?;
        Ok(SoundDecoder {
            stdout: child.stdout.take(),
            _child: child,
            rate_hz,
            first,
            from: first,
            kept: VecDeque::new(),
            half: None,
        })
    }

    /// True if the samples from grid position `from` on can still be given.
    pub fn will_give(&self, from: i64) -> bool {
        from.max(self.first) >= self.from
    }

    /// The samples `from..to` of the grid, -1..1. Safe to cancel.
    pub async fn read(&mut self, from: i64, to: i64, shown: &str) -> Result<Vec<f32>, MediaError> {
        let mut samples = vec![0.0; usize::try_from(to - from).unwrap_or(0)];
        let put = |samples: &mut Vec<f32>, at: i64, sample: i16| {
            if let Some(slot) = usize::try_from(at - from).ok().and_then(|index| samples.get_mut(index)) {
                *slot = f32::from(sample) / 32768.0;
            }
        };
        let skipped = usize::try_from(from - self.from).unwrap_or(0);
        for (index, sample) in self.kept.iter().enumerate().skip(skipped) {
            let at = self.from + index as i64;
            if at >= to {
                return Ok(samples);
            }
            put(&mut samples, at, *sample);
        }
        let mut piece = vec![0; 64 << 10];
        while let Some(stdout) = &mut self.stdout
            && self.from + (self.kept.len() as i64) < to
        {
            match timeout(STALL_LIMIT, stdout.read(&mut piece)).await {
                Err(_) => return Err(Trouble::Stuck(STALL_LIMIT).about(shown)),
                Ok(Ok(n @ 1..)) => {
                    for byte in &piece[..n] {
                        match self.half.take() {
                            None => self.half = Some(*byte),
                            Some(low) => {
                                let sample = i16::from_le_bytes([low, *byte]);
                                put(&mut samples, self.from + self.kept.len() as i64, sample);
                                self.kept.push_back(sample);
                            }
                        }
                    }
                }
                Ok(_) => self.stdout = None,
            }
            let most = KEPT_S * self.rate_hz as usize;
            let over = self.kept.len().saturating_sub(most);
            self.kept.drain(..over);
            self.from += over as i64;
        }
        Ok(samples)
    }
}
