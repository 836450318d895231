//! Matrices of Q8_0 for processors with AVX2 and without instructions for sums of byte products, on which candle 0.11.1 neither
//! packs them nor multiplies several rows faster than one after the other. (With these instructions, candle packs them.)
//!
//! Eight rows of the matrix lie beside each other, four bytes of each in turn: a lane of a vector belongs to one row, and its sums
//! never leave it. Activations are rounded as candle rounds them, and a block's products are summed as whole numbers. Each number of
//! a product comes from the same operations in the same order for any number of rows of activations and of threads.

use crate::infer::{few::widen_all, linear::in_parallel};
use candle_core::{Device, Result, Tensor};
use half::f16;
use pulp::{NullaryFnOnce, as_arrays, as_arrays_mut, cast, f32x8, i32x8, x86::V3};
use std::arch::x86_64::__m256i;

/// The values of a block, which share a scale.
const BLOCK: usize = 32;

/// The rows of the matrix that lie beside each other.
const GROUP: usize = 8;

/// The steps of a block: four values of each row.
const STEPS: usize = BLOCK / 4;

/// The groups that a thread takes at once: a part of the matrix that fits into the second-level cache.
const AT_ONCE: usize = 8;

/// The bytes of a block in a file: a scale in f16, and the values.
const STORED: usize = 2 + BLOCK;

/// A matrix, (output, input).
#[derive(Debug)]
pub(super) struct Eights {
    /// (groups, blocks, steps), and of each the four values of eight rows.
    values: Vec<[i8; BLOCK]>,
    /// (groups, blocks, 8)
    scales: Vec<f16>,
    dims: (usize, usize),
    simd: V3,
}

/// Rows of activations, rounded: tile by tile of up to eight rows.
struct Rounded {
    /// (tiles, blocks, steps, rows of the tile), and of each four values.
    values: Vec<i32>,
    /// (tiles, blocks, rows of the tile)
    scales: Vec<f32>,
}

impl Eights {
    /// A matrix of `dims`, (output, input), without rows yet. `None` if the processor lacks the instructions.
    pub(super) fn new((n, k): (usize, usize)) -> Option<Eights> {
        let simd = V3::try_new()?;
        let (groups, blocks) = (n.div_ceil(GROUP), k / BLOCK);
        let (values, scales) =
            (Vec::with_capacity(groups * blocks * STEPS), Vec::with_capacity(groups * blocks * GROUP));
        Some(Eights { values, scales, dims: (n, k), simd })
    }

    /// Adds rows in the form of a file. Their number is a multiple of eight, except for the last ones.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let blocks = self.dims.1 / BLOCK;
        let (stored, _) = as_arrays::<STORED, _>(bytes);
        for group in stored.chunks(GROUP * blocks) {
            for block in 0..blocks {
                // rows after the last one are zeros
                let row = |row: usize| group.get(row * blocks + block).copied().unwrap_or([0; STORED]);
                let rows: [[u8; STORED]; GROUP] = std::array::from_fn(row);
                self.scales.extend(rows.iter().map(|row| f16::from_le_bytes([row[0], row[1]])));
                let step = |step: usize| std::array::from_fn(|at| rows[at / 4][2 + 4 * step + at % 4] as i8);
                self.values.extend((0..STEPS).map(step));
            }
        }
    }

    /// The row `n`, dequantised.
    pub(super) fn row(&self, n: usize) -> Vec<f32> {
        let (blocks, lane) = (self.dims.1 / BLOCK, n % GROUP);
        let block = |block: usize| {
            let at = n / GROUP * blocks + block;
            let scale = self.scales[at * GROUP + lane].to_f32();
            let steps = self.values[at * STEPS..(at + 1) * STEPS].iter();
            steps.flat_map(move |step| step[4 * lane..4 * lane + 4].iter().map(move |value| f32::from(*value) * scale))
        };
        (0..blocks).flat_map(block).collect()
    }

    /// x·Wᵀ for `x` (m, input) in f32 and each of `maps`, which have the same inputs: (m, output).
    pub(super) fn multiply(maps: &[&Eights], x: &[f32]) -> Result<Vec<Tensor>> {
        let Some(first) = maps.first() else { return Ok(Vec::new()) };
        let (k, simd) = (first.dims.1, first.simd);
        let m = x.len() / k.max(1);
        let rounded = simd.vectorize(Rounding { x, k });
        // the parts of all maps, one after the other; the last part of a map may have fewer groups
        let parts = |map: &&Eights| map.dims.0.div_ceil(GROUP * AT_ONCE);
        let starts: Vec<(usize, usize)> =
            maps.iter().enumerate().flat_map(|(n, map)| (0..parts(map)).map(move |part| (n, part * AT_ONCE))).collect();
        let size = AT_ONCE * GROUP * m;
        let mut out = vec![0f32; starts.len() * size];
        let read = maps.iter().map(|map| map.values.len() * BLOCK).sum();
        in_parallel(read, &mut out, size, |part, out| {
            let (map, from) = starts[part];
            maps[map].part(from, &rounded, m, out);
        });
        let mut parts = out.chunks(size.max(1));
        let product = |map: &&Eights| {
            let n = map.dims.0;
            let groups = parts.by_ref().take(n.div_ceil(GROUP * AT_ONCE)).flat_map(|part| part.chunks(GROUP * m));
            Tensor::from_vec(by_rows(groups, (m, n)), (m, n), &Device::Cpu)
        };
        maps.iter().map(product).collect()
    }

    /// The products with the groups from `from` on: (groups, m, 8).
    fn part(&self, from: usize, x: &Rounded, m: usize, out: &mut [f32]) {
        let (simd, blocks) = (self.simd, self.dims.1 / BLOCK);
        let groups = AT_ONCE.min(self.dims.0.div_ceil(GROUP) - from);
        let of_groups = |length: usize| from * length..(from + groups) * length;
        let mut scales = vec![0f32; groups * blocks * GROUP];
        widen_all(&self.scales[of_groups(blocks * GROUP)], &mut scales);
        let values = &self.values[of_groups(blocks * STEPS)];
        let mut at = 0;
        while at < m {
            let rows = tile_rows(m - at);
            for group in 0..groups {
                let tile = Tile {
                    values: &values[group * blocks * STEPS..(group + 1) * blocks * STEPS],
                    scales: &scales[group * blocks * GROUP..(group + 1) * blocks * GROUP],
                    x: &x.values[at * blocks * STEPS..(at + rows) * blocks * STEPS],
                    x_scales: &x.scales[at * blocks..(at + rows) * blocks],
                    out: &mut out[(group * m + at) * GROUP..(group * m + at + rows) * GROUP],
                };
                match rows {
                    1 => simd.vectorize(Rows::<1> { tile, simd }),
                    2 => simd.vectorize(Rows::<2> { tile, simd }),
                    4 => simd.vectorize(Rows::<4> { tile, simd }),
                    _ => simd.vectorize(Rows::<8> { tile, simd }),
                }
            }
            at += rows;
        }
    }
}

/// The rows of activations in the next tile, if `left` are left.
fn tile_rows(left: usize) -> usize {
    match left {
        1 => 1,
        2 | 3 => 2,
        4..8 => 4,
        _ => 8,
    }
}

/// Numbers of groups, each (m, 8), as (m, n).
fn by_rows<'a>(groups: impl Iterator<Item = &'a [f32]>, (m, n): (usize, usize)) -> Vec<f32> {
    let mut rows = vec![0f32; m * n];
    for (group, numbers) in groups.enumerate().take(n.div_ceil(GROUP)) {
        let (from, to) = (group * GROUP, n.min((group + 1) * GROUP));
        for (row, eight) in numbers.chunks_exact(GROUP).enumerate() {
            rows[row * n + from..row * n + to].copy_from_slice(&eight[..to - from]);
        }
    }
    rows
}

/// Rounds rows of `k` activations.
struct Rounding<'a> {
    x: &'a [f32],
    k: usize,
}

impl NullaryFnOnce for Rounding<'_> {
    type Output = Rounded;

    #[inline(always)]
    fn call(self) -> Rounded {
        let Rounding { x, k } = self;
        let (m, blocks) = (x.len() / k.max(1), k / BLOCK);
        let mut rounded = Rounded { values: vec![0; m * blocks * STEPS], scales: vec![0.0; m * blocks] };
        let mut from = 0;
        while from < m {
            let rows = tile_rows(m - from);
            for n in from..from + rows {
                let (row, _) = as_arrays::<BLOCK, _>(&x[n * k..(n + 1) * k]);
                for (block, numbers) in row.iter().enumerate() {
                    let (scale, bytes) = rounded_block(numbers);
                    rounded.scales[from * blocks + block * rows + n - from] = scale;
                    let values = &mut rounded.values[(from * blocks + block * rows) * STEPS..];
                    for (step, four) in as_arrays::<4, _>(&bytes).0.iter().enumerate() {
                        values[step * rows + n - from] = i32::from_le_bytes(four.map(|value| value as u8));
                    }
                }
            }
            from += rows;
        }
        rounded
    }
}

/// The scale of a block of activations, and their values (`BlockQ8_0::from_float` of candle).
#[inline(always)]
fn rounded_block(numbers: &[f32; BLOCK]) -> (f32, [i8; BLOCK]) {
    let most = numbers.iter().fold(0f32, |most, x| most.max(x.abs()));
    let scale = most / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    (f16::from_f32(scale).to_f32(), numbers.map(|x| nearest(x * inverse) as i8))
}

/// The nearest integer, halves away from zero, as `f32::round` gives it. Unlike that, it becomes vector instructions.
#[inline(always)]
fn nearest(x: f32) -> i32 {
    const BELOW_HALF: f32 = 0.499_999_97;
    (x + BELOW_HALF.copysign(x)) as i32
}

/// One group of the matrix and one tile of activations.
struct Tile<'a> {
    /// (blocks, steps)
    values: &'a [[i8; BLOCK]],
    /// (blocks, 8)
    scales: &'a [f32],
    /// (blocks, steps, rows)
    x: &'a [i32],
    /// (blocks, rows)
    x_scales: &'a [f32],
    /// (rows, 8)
    out: &'a mut [f32],
}

/// The product of a tile of `R` rows.
struct Rows<'a, const R: usize> {
    tile: Tile<'a>,
    simd: V3,
}

impl<const R: usize> NullaryFnOnce for Rows<'_, R> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (Tile { values, scales, x, x_scales, out }, simd) = (self.tile, self.simd);
        let ones: __m256i = cast([1i16; 16]);
        let mut sums = [simd.splat_f32x8(0.0); R];
        let (values, x) = (as_arrays::<STEPS, _>(values).0, as_arrays::<STEPS, _>(as_arrays::<R, _>(x).0).0);
        let (scales, x_scales) = (as_arrays::<GROUP, _>(scales).0, as_arrays::<R, _>(x_scales).0);
        for (((values, scales), x), x_scales) in values.iter().zip(scales).zip(x).zip(x_scales) {
            let mut whole = [simd.splat_i32x8(0); R];
            for (values, x) in values.iter().zip(x) {
                let values: __m256i = cast(*values);
                // the product of signed bytes as one of an unsigned byte and a signed one
                let size = simd.avx2._mm256_abs_epi8(values);
                for (whole, x) in whole.iter_mut().zip(x) {
                    let signed = simd.avx2._mm256_sign_epi8(cast(simd.splat_i32x8(*x)), values);
                    let pairs = simd.avx2._mm256_maddubs_epi16(size, signed);
                    let fours: i32x8 = cast(simd.avx2._mm256_madd_epi16(ones, pairs));
                    *whole = simd.wrapping_add_i32x8(*whole, fours);
                }
            }
            let scales: f32x8 = cast(*scales);
            for ((sum, whole), scale) in sums.iter_mut().zip(whole).zip(x_scales) {
                let whole: f32x8 = cast(simd.avx._mm256_cvtepi32_ps(cast(whole)));
                *sum = simd.mul_add_f32x8(simd.mul_f32x8(scales, simd.splat_f32x8(*scale)), whole, *sum);
            }
        }
        as_arrays_mut::<GROUP, _>(out).0.iter_mut().zip(sums).for_each(|(out, sum)| *out = cast(sum));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix in the form of a file.
    fn stored((n, k): (usize, usize)) -> Vec<u8> {
        let block = |at: usize| {
            let scale = f16::from_f32(0.01 + 0.003 * (at % 11) as f32).to_le_bytes();
            scale.into_iter().chain((0..BLOCK).map(move |i| (((at * BLOCK + i) * 2_654_435_761) >> 9) as u8))
        };
        (0..n * k / BLOCK).flat_map(block).collect()
    }

    /// The product of one row of activations and one of the matrix, number by number.
    fn plain(x: &[f32], row: &[u8]) -> f32 {
        let mut sum = 0f32;
        for (numbers, stored) in as_arrays::<BLOCK, _>(x).0.iter().zip(as_arrays::<STORED, _>(row).0) {
            let (scale, bytes) = rounded_block(numbers);
            let whole: i32 = bytes.iter().zip(&stored[2..]).map(|(a, b)| i32::from(*a) * i32::from(*b as i8)).sum();
            let scales = f16::from_le_bytes([stored[0], stored[1]]).to_f32() * scale;
            sum = scales.mul_add(whole as f32, sum);
        }
        sum
    }

    #[test]
    fn activations_are_rounded_as_by_round() {
        let halves = (-255..=255).map(|n| n as f32 * 0.5);
        for x in halves.flat_map(|x| [x, x.next_up(), x.next_down(), x + 0.3]).chain([f32::NAN]) {
            assert_eq!(nearest(x), x.round() as i32, "{x}");
        }
    }

    #[test]
    fn products_are_the_same_bits_as_plain_sums_for_any_number_of_rows() {
        for (n, k) in [(1, 32), (8, 96), (75, 64), (200, 160)] {
            let bytes = stored((n, k));
            let Some(mut map) = Eights::new((n, k)) else { return };
            map.append(&bytes);
            for m in [1, 2, 3, 5, 8, 21] {
                let x: Vec<f32> = (0..m * k).map(|i| (i as f32 * 0.37).sin()).collect();
                let row = bytes.len() / n;
                let expected: Vec<f32> =
                    x.chunks(k).flat_map(|x| bytes.chunks(row).map(|bytes| plain(x, bytes))).collect();
                for found in Eights::multiply(&[&map, &map], &x).expect("products") {
                    assert_eq!(found.dims(), [m, n]);
                    let found: Vec<f32> = found.flatten_all().and_then(|y| y.to_vec1()).expect("numbers");
                    assert_eq!(found, expected, "{n} × {k}, {m} rows");
                }
            }
        }
    }
}
