//! The time of each token, from the decoder's attention to the sound: some heads follow the speech. Their attention is normalised,
//! smoothed by a median filter, and the best monotonic path through it (dynamic time warping) says when each token begins. As
//! `_extract_token_timestamps` of transformers, which follows `timing.py` of openai/whisper.

use crate::{
    error::Fault,
    infer::config::{Config, within},
};

/// The heads that follow the speech, and the smoothing of their attention.
#[derive(Debug)]
pub(super) struct Alignment {
    /// Layer and head of each.
    heads: Vec<(usize, usize)>,
    /// The width of the median filter, odd.
    filter: usize,
}

/// The most attention numbers of a window: 256 MB.
const MAX_NUMBERS: usize = 1 << 26;

impl Alignment {
    /// Reads `alignment_heads` of `generation_config.json`, for a decoder of `layers` with `heads` each that writes `tokens` about a
    /// window of `positions`. Without the key, all heads of the upper half of the layers count, as in openai/whisper. Fails
    /// if a head does not exist.
    pub(super) fn read(
        generation: Option<&Config>,
        config: &Config,
        (layers, heads): (usize, usize),
        (tokens, positions): (usize, usize),
    ) -> Result<Alignment, Fault> {
        const KEY: &str = "alignment_heads";
        let stated = match generation {
            Some(own) => own
                .list(KEY)?
                .iter()
                .map(|pair| {
                    let number = |n: usize, below: usize| {
                        let whole = pair.get(n)?.as_u64().and_then(|number| usize::try_from(number).ok());
                        whole.filter(|number| *number < below)
                    };
                    let both = number(0, layers)
                        .zip(number(1, heads))
                        .filter(|_| pair.as_array().is_some_and(|p| p.len() == 2));
                    let expected = || format!("a list of pairs of a layer below {layers} and a head below {heads}");
                    both.ok_or_else(|| own.wrong(KEY, expected(), pair))
                })
                .collect::<Result<Vec<_>, _>>()?,
            None => Vec::new(),
        };
        let all = || (layers / 2..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head))).collect();
        let found: Vec<(usize, usize)> = if stated.is_empty() { all() } else { stated };
        let fit = MAX_NUMBERS / (tokens * positions).max(1);
        let odd = |n: &usize| n % 2 == 1;
        let filter = config.count("median_filter_width", within::POSITIONS)?.unwrap_or(7);
        if !odd(&filter) || filter > 99 {
            return Err(config.wrong("median_filter_width", "an odd number up to 99", &serde_json::json!(filter)));
        }
        // Too many heads are an error of a request for words only: such a checkpoint can still hear.
        Ok(Alignment { heads: if found.len() > fit { Vec::new() } else { found }, filter })
    }

    /// The attention of one window, of which only the first `width` positions count.
    pub(super) fn focus(&self, width: usize) -> Result<Focus<'_>, Fault> {
        if self.heads.is_empty() {
            let why = "this model cannot time words: its generation_config.json states no `alignment_heads`, and it has too \
                       many heads to use all of them";
            return Err(Fault::failed(why.to_owned()));
        }
        Ok(Focus { heads: &self.heads, width, rows: Vec::new(), steps: 0 })
    }

    /// For each token of a window, the position at which it begins; -1 comes before the first. `positions` is the number of
    /// those that hold sound; it is negative after the end of the sound, and then counts from the end, as in transformers.
    pub(super) fn starts(&self, focus: &Focus<'_>, positions: i64) -> Vec<i64> {
        let (width, count) = (focus.width, self.heads.len());
        let (kept, steps) = (kept(width, positions), focus.steps);
        let mut sum = vec![0f32; steps * kept];
        for head in 0..count {
            let row = |step: usize| {
                let from = (step * count + head) * width;
                &focus.rows[from..from + kept]
            };
            let mut weights = vec![0f32; steps * kept];
            for at in 0..kept {
                let column = || (0..steps).map(|step| f64::from(row(step)[at]));
                let mean = column().sum::<f64>() / steps as f64;
                let spread = (column().map(|w| (w - mean) * (w - mean)).sum::<f64>() / steps as f64).sqrt() as f32;
                (0..steps).for_each(|step| weights[step * kept + at] = (row(step)[at] - mean as f32) / spread);
            }
            for (step, total) in sum.chunks_exact_mut(kept.max(1)).enumerate() {
                let smooth = smoothed(&weights[step * kept..(step + 1) * kept], self.filter);
                total.iter_mut().zip(smooth).for_each(|(total, one)| *total += one);
            }
        }
        sum.iter_mut().for_each(|total| *total /= count as f32);
        warped(&sum, steps, kept)
    }
}

/// The number of the first of `width` positions that Python's `[:positions]` keeps.
pub(super) fn kept(width: usize, positions: i64) -> usize {
    match usize::try_from(positions) {
        Ok(positions) => positions.min(width),
        Err(_) => width.saturating_sub(positions.unsigned_abs() as usize),
    }
}

/// The attention of the heads that count, token by token.
pub(super) struct Focus<'a> {
    /// Layer and head of each.
    pub heads: &'a [(usize, usize)],
    /// The positions that are kept.
    pub width: usize,
    /// (tokens, heads, width)
    rows: Vec<f32>,
    /// The tokens so far.
    steps: usize,
}

impl Focus<'_> {
    /// Adds the attention of the next token: one row for each head, in order.
    pub(super) fn push(&mut self, rows: &[Vec<f32>]) {
        self.steps += 1;
        for row in rows {
            self.rows.extend_from_slice(&row[..self.width.min(row.len())]);
        }
    }
}

/// A median filter of odd width; the ends are mirrored. NaN counts as the largest number, as in torch.
fn smoothed(row: &[f32], filter: usize) -> Vec<f32> {
    let reach = filter / 2;
    if row.len() <= reach {
        return row.to_vec();
    }
    let last = row.len() as isize - 1;
    let at = |n: isize| {
        let mirrored = if n < 0 {
            -n
        } else if n > last {
            2 * last - n
        } else {
            n
        };
        row[mirrored as usize]
    };
    let mut window = vec![0f32; filter];
    let median = |n: isize| {
        window.iter_mut().zip(n - reach as isize..).for_each(|(slot, n)| *slot = at(n));
        window.sort_unstable_by(|a, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
        window[reach]
    };
    (0..=last).map(median).collect()
}

/// The column at which the best monotonic path through `weights`, (rows, columns), enters each row; -1 if there is no column.
fn warped(weights: &[f32], rows: usize, columns: usize) -> Vec<i64> {
    const BOTH: u8 = 0;
    const ROW: u8 = 1;
    const COLUMN: u8 = 2;
    let wide = columns + 1;
    let mut cost = vec![f32::INFINITY; (rows + 1) * wide];
    let mut trace = vec![COLUMN; (rows + 1) * wide];
    cost[0] = 0.0;
    for column in 1..=columns {
        for row in 1..=rows {
            let both = cost[(row - 1) * wide + column - 1];
            let (up, left) = (cost[(row - 1) * wide + column], cost[row * wide + column - 1]);
            // No comparison with NaN, the weights of a single token, is true: the path then goes along the row.
            let (best, way) = if both < up && both < left {
                (both, BOTH)
            } else if up < both && up < left {
                (up, ROW)
            } else {
                (left, COLUMN)
            };
            let here = -f64::from(weights[(row - 1) * columns + column - 1]);
            cost[row * wide + column] = (here + f64::from(best)) as f32;
            trace[row * wide + column] = way;
        }
    }
    (0..=rows).for_each(|row| trace[row * wide] = ROW);
    let (mut row, mut column) = (rows, columns);
    let mut entered = vec![-1; rows];
    while row > 0 || column > 0 {
        if row > 0 {
            entered[row - 1] = column as i64 - 1;
        }
        match trace[row * wide + column] {
            BOTH => (row, column) = (row - 1, column - 1),
            ROW => row -= 1,
            _ => column -= 1,
        }
    }
    entered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_follows_the_weights() {
        let check = |rows: usize, weights: &[f32], expected: &[i64]| {
            assert_eq!(warped(weights, rows, weights.len() / rows.max(1)), expected, "{weights:?}");
        };
        check(2, &[1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 1.0, 1.0], &[0, 2]);
        check(3, &[1.0, -1.0, -1.0, -1.0, 1.0, -1.0, -1.0, -1.0, 1.0], &[0, 1, 2]);
        // one token has no spread
        check(1, &[f32::NAN, f32::NAN], &[0]);
        check(2, &[], &[-1, -1]);
        check(0, &[], &[]);
    }

    #[test]
    fn the_median_is_that_of_the_neighbours() {
        let check = |row: &[f32], expected: &[f32]| assert_eq!(smoothed(row, 3), expected);
        check(&[5.0, 1.0, 9.0, 2.0], &[1.0, 5.0, 2.0, 9.0]);
        check(&[5.0], &[5.0]);
    }

    #[test]
    fn positions_are_kept_as_python_slices_do() {
        assert_eq!([kept(9, 4), kept(9, 20), kept(9, -2), kept(9, -20), kept(9, 0)], [4, 9, 7, 0, 0]);
    }
}
