//! Attention of rows that hold queries, keys and values side by side. A piece of the scores is computed at a time, so
//! that they stay in the cache and never become a matrix of all pairs.

use super::rows::soften;
use rayon::prelude::*;
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;
use std::cell::RefCell;

/// The positions that a position attends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// All positions of its input.
    All,
    /// Itself and those before it.
    Before,
}

/// The scores that a thread computes at once: 256 kB.
const SCORES: usize = 1 << 16;

/// The shape of an attention: an input of `t` rows, each with `heads` times `d` queries, then keys, then values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    pub(super) t: usize,
    pub(super) heads: usize,
    pub(super) d: usize,
    pub(super) sees: Sees,
}

thread_local! {
    /// The scores and one head's results, taken while in use.
    static SCRATCH: RefCell<(Vec<f32>, Vec<f32>)> = RefCell::default();
}

impl Heads {
    fn width(self) -> usize {
        self.heads * self.d
    }

    /// Writes softmax(q·kᵀ/√d)·v to `out`, (t, heads · d). `joined` is (t, 3 · heads · d). So many threads share the rows.
    pub(super) fn attend(self, joined: &[f32], out: &mut [f32], threads: usize) {
        if threads == 1 {
            return (0..self.heads).for_each(|head| self.piece(joined, head, &self.keys(joined, head), 0, out));
        }
        let each = self.t.div_ceil(threads).max(1);
        let keys: Vec<Keys> = (0..self.heads).into_par_iter().map(|head| self.keys(joined, head)).collect();
        let pieces = out.par_chunks_mut(each * self.width()).enumerate();
        pieces.for_each(|(n, out)| {
            keys.iter().enumerate().for_each(|(head, keys)| self.piece(joined, head, keys, n * each, out));
        });
    }

    /// The keys and values of a head, packed.
    fn keys(self, joined: &[f32], head: usize) -> Keys {
        let product = GemmExecutor::<f32>::new();
        Keys {
            keys: product.prepack_b(self.part(joined, 1, head, 0, self.t).transposed()),
            values: product.prepack_b(self.part(joined, 2, head, 0, self.t)),
        }
    }

    /// The queries (0), keys (1) or values (2) of a head, from a row on: (rows, d).
    fn part(self, joined: &[f32], part: usize, head: usize, from: usize, rows: usize) -> NdTensorView<'_, f32, 2> {
        let stride = 3 * self.width();
        let at = from * stride + part * self.width() + head * self.d;
        let view = NdTensorView::from_slice_with_strides([rows, self.d], &joined[at..], [stride, 1]);
        view.expect("the rows lie in the slice: this is a bug")
    }

    /// Writes one head's columns of `out`, whose rows begin with the row `first` of the input.
    fn piece(self, joined: &[f32], head: usize, keys: &Keys, first: usize, out: &mut [f32]) {
        let (t, d, width, product) = (self.t, self.d, self.width(), GemmExecutor::<f32>::new());
        let alpha = (d as f64).powf(-0.5) as f32;
        let most = (SCORES / t).max(1);
        let (mut scores, mut mixed) = SCRATCH.take();
        for (n, out) in out.chunks_mut(most * width).enumerate() {
            let (from, rows) = (first + n * most, out.len() / width);
            scores.resize(rows * t, 0.0);
            mixed.resize(rows * d, 0.0);
            let queries = GemmInputA::Unpacked(self.part(joined, 0, head, from, rows));
            let options = GemmOptions { alpha, ..GemmOptions::default() };
            let done = product.gemm(&mut scores, queries, GemmInputB::Packed(&keys.keys), options);
            done.expect("the packed form is that of this machine: this is a bug");
            for (row, scores) in scores.chunks_exact_mut(t).enumerate() {
                let seen = if self.sees == Sees::Before { from + row + 1 } else { t };
                let (seen, unseen) = scores.split_at_mut(seen);
                soften(seen);
                unseen.fill(0.0);
            }
            let shares = GemmInputA::Unpacked(NdTensorView::from_data([rows, t], &scores[..]));
            let done = product.gemm(&mut mixed, shares, GemmInputB::Packed(&keys.values), GemmOptions::default());
            done.expect("the packed form is that of this machine: this is a bug");
            for (out, mixed) in out.chunks_exact_mut(width).zip(mixed.chunks_exact(d)) {
                out[head * d..(head + 1) * d].copy_from_slice(mixed);
            }
        }
        SCRATCH.set((scores, mixed));
    }
}

/// The keys and values of one head.
struct Keys {
    /// (d, t)
    keys: PackedBMatrix<f32>,
    /// (t, d)
    values: PackedBMatrix<f32>,
}
