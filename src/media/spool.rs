//! Decoded sound that no longer fits in memory, in a file without a name. A model reads a sound several times (its loudest
//! moment, its voices, its words), and readers after the first need no second decoding.
//!
//! A sound of up to five minutes stays in memory and never gets a file. The operating system removes the file with the
//! process. Without a folder, with a full disk, or beyond the limits, a second reader decodes again: only time is lost.

use crate::private;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

/// The most bytes of one sound: 37 hours at 16 kHz.
const MAX_BYTES: u64 = 4 << 30;
/// The most stretches of sound apart from each other. A damaged file may have one in each packet.
const MAX_RUNS: usize = 1 << 16;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// The samples of one sound up to some position, in order.
#[derive(Debug)]
pub(super) enum Spool {
    /// Nothing has been added yet.
    Empty(Option<PathBuf>),
    /// The samples are in a file.
    Filled(Filled),
    /// Samples were lost.
    Lost,
}

/// The file, and the grid positions of its samples.
#[derive(Debug)]
pub(super) struct Filled {
    file: File,
    runs: Vec<Run>,
    bytes: u64,
}

/// Samples in a row.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The position of the first sample.
    at: i64,
    /// The number of samples.
    count: u64,
    /// Where the first sample is in the file, in bytes.
    offset: u64,
}

impl Run {
    fn end(&self) -> i64 {
        self.at.saturating_add_unsigned(self.count)
    }
}

impl Spool {
    /// True if it has every sample that was added.
    pub(super) fn is_whole(&self) -> bool {
        !matches!(self, Spool::Lost)
    }

    /// Adds samples that begin at position `at`, after all that were added before. Writes at most what ffmpeg gave at once, which
    /// goes to the memory of the operating system.
    pub(super) fn add(&mut self, at: i64, samples: impl ExactSizeIterator<Item = i16>) {
        if samples.len() == 0 {
            return;
        }
        if let Spool::Empty(folder) = self {
            *self = folder.take().and_then(|folder| Filled::create(&folder)).map_or(Spool::Lost, Spool::Filled);
        }
        let Spool::Filled(filled) = self else { return };
        if let Err(error) = filled.add(at, samples) {
            tracing::debug!(%error, "decoded sound is not kept");
            *self = Spool::Lost;
        }
    }

    /// Copies the samples that it has to their places in `samples`, which begin at position `from`.
    pub(super) fn copy(&mut self, samples: &mut [f32], from: i64) -> io::Result<()> {
        match self {
            Spool::Filled(filled) => filled.copy(samples, from),
            Spool::Empty(_) | Spool::Lost => Ok(()),
        }
    }
}

impl Filled {
    fn create(folder: &std::path::Path) -> Option<Filled> {
        let made = private::private_folder(folder).and_then(|()| tempfile::tempfile_in(folder));
        let made = made.inspect_err(|error| tracing::debug!(%error, "decoded sound is not kept"));
        Some(Filled { file: made.ok()?, runs: Vec::new(), bytes: 0 })
    }

    fn add(&mut self, at: i64, samples: impl ExactSizeIterator<Item = i16>) -> io::Result<()> {
        let count = samples.len() as u64;
        match self.runs.last_mut().filter(|last| last.end() == at) {
            Some(last) => last.count += count,
            None => self.runs.push(Run { at, count, offset: self.bytes }),
        }
        let bytes: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
        if self.runs.len() > MAX_RUNS || self.bytes + bytes.len() as u64 > MAX_BYTES {
            return Err(io::Error::other("the sound is too long"));
        }
        self.file.seek(SeekFrom::Start(self.bytes))?;
        self.file.write_all(&bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn copy(&mut self, samples: &mut [f32], from: i64) -> io::Result<()> {
        let to = from.saturating_add_unsigned(samples.len() as u64);
        let first = self.runs.partition_point(|run| run.end() <= from);
        let mut piece = vec![0; PIECE];
        for run in self.runs[first..].iter().take_while(|run| run.at < to) {
            let (start, end) = (run.at.max(from), run.end().min(to));
            self.file.seek(SeekFrom::Start(run.offset + 2 * start.abs_diff(run.at)))?;
            let places = start.abs_diff(from) as usize..end.abs_diff(from) as usize;
            for slots in samples[places].chunks_mut(PIECE / 2) {
                let bytes = &mut piece[..slots.len() * 2];
                self.file.read_exact(bytes)?;
                for (slot, two) in slots.iter_mut().zip(bytes.chunks_exact(2)) {
                    *slot = f32::from(i16::from_le_bytes([two[0], two[1]])) / 32768.0;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_at_their_positions() {
        let folder = tempfile::tempdir().expect("temp");
        let mut spool = Spool::Empty(Some(folder.path().join("sounds")));
        spool.add(-3, [1, 2].into_iter());
        spool.add(-1, [3].into_iter()); // in a row
        spool.add(4, [4, 5, 6].into_iter()); // after a gap
        let mut check = |from: i64, expected: &[i64]| {
            let mut samples = vec![0.0; expected.len()];
            spool.copy(&mut samples, from).expect("read");
            assert_eq!(samples.iter().map(|s| (s * 32768.0) as i64).collect::<Vec<_>>(), expected, "{from}");
        };
        check(-5, &[0, 0, 1, 2, 3, 0, 0, 0, 0, 4, 5, 6, 0]);
        check(-2, &[2, 3, 0]);
        check(5, &[5]);
        check(7, &[0, 0]);
        check(-9, &[0]);
        assert!(spool.is_whole());
        assert_eq!(
            std::fs::read_dir(folder.path().join("sounds")).expect("a folder").count(),
            0,
            "the file has no name"
        );
    }

    #[test]
    fn a_spool_without_a_place_loses_samples() {
        let folder = tempfile::tempdir().expect("temp");
        std::fs::write(folder.path().join("sounds"), "in the way").expect("written");
        for place in [None, Some(folder.path().join("sounds"))] {
            let mut spool = Spool::Empty(place);
            assert!(spool.is_whole());
            spool.add(0, [1].into_iter());
            assert!(!spool.is_whole());
        }
    }
}
