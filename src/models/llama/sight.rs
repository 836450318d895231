//! Pictures in the prompt of a decoder: their vectors, and the places of all positions for rotary embeddings with three axes
//! (M-RoPE; Wang et al. 2024, arXiv 2409.12191).

use crate::infer::{image::Fingerprint, prefix::PromptPosition};
use candle_core::{Result, Tensor, bail};
use std::collections::{HashMap, HashSet};

/// The vectors that a picture becomes, row by row.
#[derive(Debug, Clone)]
pub struct PictureStates {
    /// Rows and columns of the vectors.
    pub grid: (u32, u32),
    /// (rows · columns, width)
    pub states: Tensor,
    /// Added to the states after the first layers, each (rows · columns, width).
    pub deep: Vec<Tensor>,
    /// The text that takes the place of the picture's mark in a prompt.
    pub text: String,
}

/// Pictures beyond this number are forgotten before the next call.
const KEPT: usize = 32;

/// What a network knows of pictures.
#[derive(Debug, Default)]
pub struct Sight {
    known: HashMap<Fingerprint, PictureStates>,
    /// The pairs of dimensions for time, rows and columns; none if positions are counted as in a text.
    pub(super) sections: Option<[usize; 3]>,
}

impl Sight {
    /// Nothing seen yet.
    pub fn new(sections: Option<[usize; 3]>) -> Sight {
        Sight { known: HashMap::new(), sections }
    }

    /// The picture with this fingerprint, if it was seen.
    pub fn get(&self, print: &Fingerprint) -> Option<&PictureStates> {
        self.known.get(print)
    }

    /// Remembers a picture.
    pub fn keep(&mut self, print: Fingerprint, states: PictureStates) -> &PictureStates {
        self.known.entry(print).insert_entry(states).into_mut()
    }

    /// Forgets the pictures that none of `prompts` contains, if there are many.
    pub fn rest(&mut self, prompts: &[&[PromptPosition]]) {
        if self.known.len() > KEPT {
            let runs = prompts.iter().flat_map(|prompt| runs(prompt.iter()));
            let needed: HashSet<Fingerprint> = runs.map(|run| run.print).collect();
            self.known.retain(|print, _| needed.contains(print));
        }
    }

    fn of(&self, print: &Fingerprint) -> Result<&PictureStates> {
        match self.get(print) {
            Some(states) => Ok(states),
            None => bail!("a picture of the prompt was not seen: this is a bug"),
        }
    }

    /// Writes the vectors of pictures into `x`, (positions, width).
    pub(super) fn fill(&self, x: &Tensor, runs: &[PictureRun]) -> Result<()> {
        for run in runs {
            let states = self.of(&run.print)?.states.narrow(0, run.from, run.count)?;
            x.slice_set(&states.to_dtype(x.dtype())?.contiguous()?, 0, run.at)?;
        }
        Ok(())
    }

    /// Adds what pictures add after the layer `layer` to `x`, (positions, width), which nothing else reads.
    pub(super) fn deepen(&self, x: &Tensor, layer: usize, runs: &[PictureRun]) -> Result<()> {
        for run in runs {
            if let Some(deep) = self.of(&run.print)?.deep.get(layer) {
                let deep = deep.narrow(0, run.from, run.count)?.to_dtype(x.dtype())?;
                let sum = (x.narrow(0, run.at, run.count)? + deep)?;
                x.slice_set(&sum.contiguous()?, 0, run.at)?;
            }
        }
        Ok(())
    }

    /// The axis of each of `pairs` pairs of dimensions: time 0, rows 1, columns 2. Rows and columns take every third pair in turn.
    pub(super) fn axes(sections: [usize; 3], pairs: usize) -> Vec<usize> {
        let axis = |n: usize| if !n.is_multiple_of(3) && n < 3 * sections[n % 3] { n % 3 } else { 0 };
        (0..pairs).map(axis).collect()
    }
}

/// Neighbouring vectors of one picture among the positions of a call.
#[derive(Debug, Clone)]
pub(super) struct PictureRun {
    print: Fingerprint,
    /// The first vector of the picture.
    from: usize,
    /// Its index among the positions.
    at: usize,
    count: usize,
}

/// The runs of pictures among positions.
pub(super) fn runs<'a>(read: impl Iterator<Item = &'a PromptPosition>) -> Vec<PictureRun> {
    let mut runs: Vec<PictureRun> = Vec::new();
    for (at, position) in read.enumerate() {
        let PromptPosition::Picture { digest, n } = position else { continue };
        match runs.last_mut() {
            Some(run) if run.print == *digest && run.from + run.count == *n as usize && run.at + run.count == at => {
                run.count += 1;
            }
            _ => runs.push(PictureRun { print: *digest, from: *n as usize, at, count: 1 }),
        }
    }
    runs
}

/// The places of the positions of one row: time, row and column.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// The place of each position, and that of a text after it.
    held: Vec<([u32; 3], u32)>,
}

impl Places {
    /// Appends positions, and gives their places. A text counts on all axes. A picture begins where the text before it ends, counts its
    /// rows and columns from there, and the text after it continues after the longer side.
    pub(super) fn extend(&mut self, read: &[PromptPosition], sight: &Sight) -> Result<Vec<[u32; 3]>> {
        let mut places = Vec::with_capacity(read.len());
        for position in read {
            let next = self.held.last().map_or(0, |(_, next)| *next);
            let (place, next) = match position {
                PromptPosition::Token(_) => ([next; 3], next + 1),
                PromptPosition::Picture { digest, n } => {
                    let (rows, columns) = sight.of(digest)?.grid;
                    // within a picture, the time is that of its start
                    let start = match self.held.last() {
                        Some((place, _)) if *n > 0 => place[0],
                        _ => next,
                    };
                    ([start, start + n / columns, start + n % columns], start + rows.max(columns))
                }
            };
            self.held.push((place, next));
            places.push(place);
        }
        Ok(places)
    }

    pub(super) fn truncate(&mut self, positions: usize) {
        self.held.truncate(positions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn places_are_those_of_transformers() {
        let mut sight = Sight::new(Some([2, 1, 1]));
        let states = Tensor::zeros((6, 4), candle_core::DType::F32, &Device::Cpu).expect("zeros");
        sight.keep([1; 32], PictureStates { grid: (2, 3), states, deep: Vec::new(), text: String::new() });
        let picture = (0..6).map(|n| PromptPosition::Picture { digest: [1; 32], n });
        let read: Vec<PromptPosition> =
            PromptPosition::tokens(&[5, 6]).into_iter().chain(picture).chain(PromptPosition::tokens(&[7])).collect();
        let expected = [[0; 3], [1; 3], [2, 2, 2], [2, 2, 3], [2, 2, 4], [2, 3, 2], [2, 3, 3], [2, 3, 4], [5; 3]];
        assert_eq!(Places::default().extend(&read, &sight).expect("places"), expected);
        // in pieces, and after a cut within the picture
        let mut places = Places::default();
        places.extend(&read[..5], &sight).expect("places");
        places.truncate(4);
        assert_eq!(places.extend(&read[4..], &sight).expect("places"), expected[4..]);
        assert_eq!(Sight::axes([2, 1, 1], 4), [0, 1, 2, 0]);
    }
}
