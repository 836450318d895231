//! The attention of some queries that share their keys, block by block, with the widest instructions of the processor.

use super::{BLOCK, SeenSpan};
use crate::infer::few::widen_all;
use half::f16;
use pulp::{Arch, Simd, WithSimd};

/// The length of a row of values in a block, for heads of `head` dimensions: a multiple of every vector's length.
pub(super) fn padded(head: usize) -> usize {
    head.next_multiple_of(16)
}

/// Queries of heads that share their keys.
pub(super) struct QueryChunk<'a> {
    /// (queries, head), scaled.
    pub(super) queries: &'a [f32],
    /// What each query sees.
    pub(super) spans: &'a [SeenSpan],
    /// The keys, (head, block), and the values, (block, padded head), of each block.
    pub(super) blocks: &'a [(Stored<'a>, Stored<'a>)],
    pub(super) head: usize,
    /// (queries, head)
    pub(super) out: &'a mut [f32],
}

/// Numbers of a block.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stored<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
}

impl<'a> Stored<'a> {
    /// The numbers in f32; narrow ones are widened into `room`.
    pub(super) fn wide(self, room: &'a mut Vec<f32>) -> &'a [f32] {
        match self {
            Stored::F32(numbers) => numbers,
            Stored::F16(numbers) => {
                room.resize(numbers.len(), 0.0);
                widen_all(numbers, room);
                room
            }
        }
    }
}

/// What is known of some queries after a part of the blocks.
struct Running {
    /// The largest score.
    most: Vec<f32>,
    /// The sum of the powers of all scores, less the largest.
    sum: Vec<f32>,
    /// The sum of the values, each with its power: (queries, padded head).
    mixed: Vec<f32>,
}

impl QueryChunk<'_> {
    /// Writes the attention of each query to `out`.
    pub(super) fn compute(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for QueryChunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (count, wide) = (self.spans.len(), padded(self.head));
        let mut running =
            Running { most: vec![f32::NEG_INFINITY; count], sum: vec![0.0; count], mixed: vec![0.0; count * wide] };
        let first = self.spans.iter().map(|(from, _)| from / BLOCK).min().unwrap_or(0);
        let last = self.spans.iter().map(|(_, to)| to.div_ceil(BLOCK)).max().unwrap_or(0);
        let (mut room_of_keys, mut room_of_values) = (Vec::new(), Vec::new());
        for block in first..last {
            let (keys, values) = self.blocks[block];
            let held = (block, keys.wide(&mut room_of_keys), values.wide(&mut room_of_values));
            let mut at = 0;
            while at < count {
                at += match count - at {
                    1 => self.tile::<S, 1>(simd, held, at, &mut running),
                    2 | 3 => self.tile::<S, 2>(simd, held, at, &mut running),
                    _ => self.tile::<S, 4>(simd, held, at, &mut running),
                };
            }
        }
        for (n, out) in self.out.chunks_exact_mut(self.head).enumerate() {
            let mixed = &running.mixed[n * wide..n * wide + self.head];
            let sum = running.sum[n];
            out.iter_mut().zip(mixed).for_each(|(out, mixed)| *out = mixed / sum);
        }
    }
}

impl QueryChunk<'_> {
    /// Adds one block, with its keys and values, to `R` queries from `at` on. Gives `R`.
    #[inline(always)]
    fn tile<S: Simd, const R: usize>(
        &self,
        simd: S,
        (block, keys, values): (usize, &[f32], &[f32]),
        at: usize,
        running: &mut Running,
    ) -> usize {
        // what each query sees of the block
        let inside = |n: usize| {
            let (from, to) = self.spans[at + n];
            let within = |position: usize| position.saturating_sub(block * BLOCK).min(BLOCK);
            (within(from), within(to))
        };
        let seen: [(usize, usize); R] = std::array::from_fn(inside);
        let (low, high) = seen
            .iter()
            .filter(|(from, to)| from < to)
            .fold((BLOCK, 0), |(low, high), (from, to)| (low.min(*from), high.max(*to)));
        if low >= high {
            return R;
        }
        let mut powers = self.scores::<S, R>(simd, keys, at);
        let wide = padded(self.head);
        for n in 0..R {
            let (from, to) = seen[n];
            let powers = &mut powers[n];
            if from >= to {
                powers.fill(0.0);
                continue;
            }
            powers[..from].fill(f32::NEG_INFINITY);
            powers[to..].fill(f32::NEG_INFINITY);
            let before = running.most[at + n];
            let most = before.max(largest(simd, powers));
            let scale = if before == most { 1.0 } else { (before - most).exp() };
            power(simd, powers, most);
            powers[..from].fill(0.0);
            powers[to..].fill(0.0);
            running.most[at + n] = most;
            running.sum[at + n] = running.sum[at + n] * scale + total(simd, powers);
            if scale != 1.0 {
                let mixed = &mut running.mixed[(at + n) * wide..(at + n + 1) * wide];
                S::as_mut_simd_f32s(mixed).0.iter_mut().for_each(|x| *x = simd.mul_f32s(*x, simd.splat_f32s(scale)));
            }
        }
        self.mix::<S, R>(simd, values, &powers, (low, high), &mut running.mixed[at * wide..(at + R) * wide]);
        R
    }

    /// The products of `R` queries with the keys of a block.
    #[inline(always)]
    fn scores<S: Simd, const R: usize>(&self, simd: S, keys: &[f32], at: usize) -> [[f32; BLOCK]; R] {
        let mut scores = [[0f32; BLOCK]; R];
        let head = self.head;
        let queries: [&[f32]; R] = std::array::from_fn(|n| &self.queries[(at + n) * head..(at + n + 1) * head]);
        let (keys, each) = (S::as_simd_f32s(keys).0, BLOCK / S::F32_LANES);
        for c in (0..each).step_by(2) {
            let mut sums = [[simd.splat_f32s(0.0); 2]; R];
            for (d, keys) in keys.chunks_exact(each).enumerate() {
                let (a, b) = (keys[c], keys[c + 1]);
                for n in 0..R {
                    let x = simd.splat_f32s(queries[n][d]);
                    sums[n][0] = simd.mul_add_e_f32s(x, a, sums[n][0]);
                    sums[n][1] = simd.mul_add_e_f32s(x, b, sums[n][1]);
                }
            }
            for n in 0..R {
                let to = S::as_mut_simd_f32s(&mut scores[n]).0;
                (to[c], to[c + 1]) = (sums[n][0], sums[n][1]);
            }
        }
        scores
    }

    /// Adds the values of the positions `low..high` of a block, each with its power, to `mixed`, (R, padded head).
    #[inline(always)]
    fn mix<S: Simd, const R: usize>(
        &self,
        simd: S,
        values: &[f32],
        powers: &[[f32; BLOCK]; R],
        (low, high): (usize, usize),
        mixed: &mut [f32],
    ) {
        let each = padded(self.head) / S::F32_LANES;
        let (values, mixed) = (S::as_simd_f32s(values).0, S::as_mut_simd_f32s(mixed).0);
        let values = &values[low * each..high * each];
        let mut c = 0;
        while c + 1 < each {
            let mut sums: [[S::f32s; 2]; R] = std::array::from_fn(|n| [mixed[n * each + c], mixed[n * each + c + 1]]);
            for (j, values) in values.chunks_exact(each).enumerate() {
                let (a, b) = (values[c], values[c + 1]);
                for n in 0..R {
                    let power = simd.splat_f32s(powers[n][(low + j) % BLOCK]);
                    sums[n][0] = simd.mul_add_e_f32s(power, a, sums[n][0]);
                    sums[n][1] = simd.mul_add_e_f32s(power, b, sums[n][1]);
                }
            }
            for n in 0..R {
                (mixed[n * each + c], mixed[n * each + c + 1]) = (sums[n][0], sums[n][1]);
            }
            c += 2;
        }
        if c < each {
            let mut sums: [S::f32s; R] = std::array::from_fn(|n| mixed[n * each + c]);
            for (j, values) in values.chunks_exact(each).enumerate() {
                for n in 0..R {
                    let power = simd.splat_f32s(powers[n][(low + j) % BLOCK]);
                    sums[n] = simd.mul_add_e_f32s(power, values[c], sums[n]);
                }
            }
            (0..R).for_each(|n| mixed[n * each + c] = sums[n]);
        }
    }
}

/// The largest number.
#[inline(always)]
fn largest<S: Simd>(simd: S, numbers: &[f32; BLOCK]) -> f32 {
    let vectors = S::as_simd_f32s(numbers).0;
    simd.reduce_max_f32s(vectors[1..].iter().fold(vectors[0], |most, x| simd.max_f32s(most, *x)))
}

/// The sum of all numbers.
#[inline(always)]
fn total<S: Simd>(simd: S, numbers: &[f32; BLOCK]) -> f32 {
    let vectors = S::as_simd_f32s(numbers).0;
    simd.reduce_sum_f32s(vectors[1..].iter().fold(vectors[0], |sum, x| simd.add_f32s(sum, *x)))
}

/// e^(x − most) of each number, with the polynomial of Cephes' `expf`. A number is at most `most`; far below it, the result is
/// about 1e-37. NaN stays NaN.
#[inline(always)]
fn power<S: Simd>(simd: S, numbers: &mut [f32; BLOCK], most: f32) {
    let splat = |x: f32| simd.splat_f32s(x);
    // adding it rounds a number to an integer, which is then in the lowest bits
    let rounder = splat(12_582_912.0);
    for x in S::as_mut_simd_f32s(numbers).0 {
        // of two numbers of which one is NaN, x86 gives the second
        let y = simd.max_f32s(splat(-86.0), simd.sub_f32s(*x, splat(most)));
        let shifted = simd.mul_add_e_f32s(y, splat(std::f32::consts::LOG2_E), rounder);
        let n = simd.sub_f32s(shifted, rounder);
        // ln 2 in two parts, so that the rest is exact
        let rest = simd.mul_add_e_f32s(n, splat(-0.693_359_4), y);
        let rest = simd.mul_add_e_f32s(n, splat(2.121_944_4e-4), rest);
        let mut sum = splat(1.987_569_1e-4);
        for factor in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1] {
            sum = simd.mul_add_e_f32s(sum, rest, splat(factor));
        }
        let sum = simd.mul_add_e_f32s(sum, simd.mul_f32s(rest, rest), simd.add_f32s(rest, splat(1.0)));
        let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
        *x = simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(sum), exponent));
    }
}
