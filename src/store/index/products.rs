//! Products of vectors: half-precision rows with one query, and with the centres of clusters.
//!
//! The loops are plain code. `pulp` compiles them for each level of SIMD instructions and selects one at run time. All levels add the
//! numbers in the same order, so that a score does not depend on the processor.

use half::f16;
use pulp::{Arch, Simd, WithSimd};

/// Sums that run side by side.
const LANES: usize = 32;
/// Vectors that are multiplied with one centre together, so that the centre is loaded once.
const TILE: usize = 8;
/// Sums that run side by side for each vector of a tile.
const TILE_LANES: usize = 16;

/// Half-precision numbers as bits, rounded to nearest. The vector is scaled to unit length first. `None` if it is zero or not finite.
pub(super) fn narrow(vector: &[f32]) -> Option<Vec<u16>> {
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if !(length.is_finite() && length > 0.0) {
        return None;
    }
    Some(vector.iter().map(|x| f16::from_f64(f64::from(*x) / length).to_bits()).collect())
}

/// The number with these bits. Infinities and NaN, which no sound vector holds, become large numbers, so that a damaged row cannot
/// give a score that is not a number.
#[inline(always)]
pub(super) fn widen(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let normal = f32::from_bits(magnitude + (112 << 23));
    // below 2^-14, the exponent is 0 and there is no leading one
    let small = f32::from_bits(magnitude + (113 << 23)) - f32::from_bits(113 << 23);
    let value = if magnitude < (1 << 23) { small } else { normal };
    f32::from_bits(value.to_bits() | (u32::from(bits & 0x8000) << 16))
}

/// All numbers with these bits.
pub(super) fn widen_all(bits: &[u16]) -> Vec<f32> {
    let mut numbers = vec![0.0; bits.len()];
    Arch::new().dispatch(Widened { bits, numbers: &mut numbers });
    numbers
}

/// The product of each row with the query, in `out`. The rows lie one after the other and have the query's width.
pub(super) fn products(rows: &[u16], query: &[f32], out: &mut Vec<f32>) {
    out.clear();
    if query.is_empty() {
        return;
    }
    out.resize(rows.len() / query.len(), 0.0);
    Arch::new().dispatch(RowProducts { rows, query, out });
}

/// Calls `found` with the place of each vector, the place of each centre, and their product. `vectors` and `centres` lie one after the
/// other, each with `width` numbers.
pub(super) fn all_products(vectors: &[f32], centres: &[f32], width: usize, mut found: impl FnMut(usize, usize, f32)) {
    if width == 0 {
        return;
    }
    let (count, arch) = (vectors.len() / width, Arch::new());
    let mut products = vec![[0.0; TILE]; centres.len() / width];
    for first in (0..count).step_by(TILE) {
        // a short tile repeats its last row
        let row = |n: usize| (first + n).min(count - 1) * width;
        let rows: [&[f32]; TILE] = std::array::from_fn(|n| &vectors[row(n)..row(n) + width]);
        arch.dispatch(TileProducts { rows: &rows, centres, out: &mut products });
        let found = &mut found;
        products.iter().enumerate().for_each(|(centre, products)| {
            products.iter().enumerate().take(count - first).for_each(|(n, product)| found(first + n, centre, *product));
        });
    }
}

// The work of a dispatch is a type with an inlined method: a closure would be compiled once, for the lowest level.

struct Widened<'a> {
    bits: &'a [u16],
    numbers: &'a mut [f32],
}

impl WithSimd for Widened<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (number, bits) in self.numbers.iter_mut().zip(self.bits) {
            *number = widen(*bits);
        }
    }
}

struct RowProducts<'a> {
    rows: &'a [u16],
    query: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for RowProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (parts, last) = self.query.as_chunks::<LANES>();
        for (out, row) in self.out.iter_mut().zip(self.rows.chunks_exact(self.query.len())) {
            let (chunks, rest) = row.as_chunks::<LANES>();
            let mut sums = [0.0f32; LANES];
            for (chunk, part) in chunks.iter().zip(parts) {
                for lane in 0..LANES {
                    sums[lane] += widen(chunk[lane]) * part[lane];
                }
            }
            let mut tail = 0.0;
            for (bits, number) in rest.iter().zip(last) {
                tail += widen(*bits) * number;
            }
            *out = total(&mut sums) + tail;
        }
    }
}

/// The products of a tile of rows with each centre.
struct TileProducts<'a> {
    rows: &'a [&'a [f32]; TILE],
    centres: &'a [f32],
    out: &'a mut [[f32; TILE]],
}

impl WithSimd for TileProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.rows[0].len();
        let whole = width / TILE_LANES;
        let mut chunks: [&[[f32; TILE_LANES]]; TILE] = [&[]; TILE];
        for (chunks, row) in chunks.iter_mut().zip(self.rows) {
            *chunks = &row.as_chunks().0[..whole];
        }
        for (out, centre) in self.out.iter_mut().zip(self.centres.chunks_exact(width)) {
            let (parts, last) = centre.as_chunks::<TILE_LANES>();
            let parts = &parts[..whole];
            let mut sums = [[0.0f32; TILE_LANES]; TILE];
            for at in 0..whole {
                for n in 0..TILE {
                    sums[n] = plus_product(sums[n], &chunks[n][at], &parts[at]);
                }
            }
            for n in 0..TILE {
                let mut tail = 0.0;
                for (a, b) in self.rows[n][whole * TILE_LANES..].iter().zip(last) {
                    tail += a * b;
                }
                out[n] = total(&mut sums[n]) + tail;
            }
        }
    }
}

#[inline(always)]
fn plus_product<const N: usize>(mut sums: [f32; N], a: &[f32; N], b: &[f32; N]) -> [f32; N] {
    for lane in 0..N {
        sums[lane] += a[lane] * b[lane];
    }
    sums
}

/// The sum of the lanes, in pairs.
#[inline(always)]
fn total<const N: usize>(sums: &mut [f32; N]) -> f32 {
    let mut width = N;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_number_is_widened_exactly() {
        for bits in 0..=u16::MAX {
            let exact = f16::from_bits(bits).to_f32();
            if exact.is_finite() {
                assert_eq!(widen(bits).to_bits(), exact.to_bits(), "{bits:#x}");
            } else {
                assert!(widen(bits).is_finite(), "{bits:#x}");
            }
        }
    }

    #[test]
    fn products_are_those_of_plain_sums() {
        for width in [1, 7, 16, 32, 45, 160, 512] {
            let wave = |seed: f32| (0..width).map(|i| ((i as f32 + seed + 0.1) * 0.37).sin()).collect::<Vec<f32>>();
            let rows: Vec<Vec<u16>> = (0..19).map(|n| narrow(&wave(n as f32)).expect("a vector")).collect();
            let query = wave(0.5);
            let plain =
                |row: &[u16]| row.iter().zip(&query).map(|(a, b)| f64::from(widen(*a)) * f64::from(*b)).sum::<f64>();
            let mut found = Vec::new();
            products(&rows.concat(), &query, &mut found);
            assert_eq!(found.len(), rows.len());
            for (row, product) in rows.iter().zip(&found) {
                assert!((plain(row) - f64::from(*product)).abs() < 1e-4, "width {width}");
            }
            let mut tiled = vec![0.0; rows.len()];
            all_products(&widen_all(&rows.concat()), &query, width, |vector, _, product| tiled[vector] = product);
            for (row, product) in rows.iter().zip(&tiled) {
                assert!((plain(row) - f64::from(*product)).abs() < 1e-4, "width {width}");
            }
        }
        assert_eq!(narrow(&[0.0, 0.0]), None);
        assert_eq!(narrow(&[f32::NAN, 1.0]), None);
    }
}
