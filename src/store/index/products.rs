//! Products of vectors: half-precision rows with one query, and with the centres of clusters.
//!
//! The loops are plain code. `pulp` compiles them for each level of SIMD instructions and selects one at run time. All levels add the
//! numbers in the same order, so that a score does not depend on the processor.

use half::f16;
use pulp::Arch;

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
    Arch::new().dispatch(|| bits.iter().map(|bits| widen(*bits)).collect())
}

/// The product of each row with the query, in `out`. The rows lie one after the other and have the query's width.
pub(super) fn products(rows: &[u16], query: &[f32], out: &mut Vec<f32>) {
    out.clear();
    if query.is_empty() {
        return;
    }
    Arch::new().dispatch(|| {
        for row in rows.chunks_exact(query.len()) {
            let (chunks, rest) = row.as_chunks::<LANES>();
            let (parts, last) = query.as_chunks::<LANES>();
            let mut sums = [0.0f32; LANES];
            for (chunk, part) in chunks.iter().zip(parts) {
                for lane in 0..LANES {
                    sums[lane] += widen(chunk[lane]) * part[lane];
                }
            }
            let tail: f32 = rest.iter().zip(last).map(|(bits, number)| widen(*bits) * number).sum();
            out.push(total(&mut sums) + tail);
        }
    });
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

/// Calls `found` with the place of each vector, the place of each centre, and their product. `vectors` and `centres` lie one after the
/// other, each with `width` numbers.
pub(super) fn all_products(vectors: &[f32], centres: &[f32], width: usize, mut found: impl FnMut(usize, usize, f32)) {
    if width == 0 {
        return;
    }
    let vectors: Vec<&[f32]> = vectors.chunks_exact(width).collect();
    for (tile, rows) in vectors.chunks(TILE).enumerate() {
        // a short tile repeats its last row
        let row = |n: usize| rows[n.min(rows.len() - 1)];
        let rows: [&[f32]; TILE] = std::array::from_fn(row);
        let count = vectors.len() - tile * TILE;
        for (centre, numbers) in centres.chunks_exact(width).enumerate() {
            let sums = tile_products(&rows, numbers);
            for (n, sum) in sums.iter().enumerate().take(count) {
                found(tile * TILE + n, centre, *sum);
            }
        }
    }
}

/// The products of a tile of rows with one centre.
fn tile_products(rows: &[&[f32]; TILE], centre: &[f32]) -> [f32; TILE] {
    Arch::new().dispatch(|| {
        let mut sums = [[0.0f32; TILE_LANES]; TILE];
        let (parts, last) = centre.as_chunks::<TILE_LANES>();
        let chunks: [&[[f32; TILE_LANES]]; TILE] = std::array::from_fn(|n| &rows[n].as_chunks().0[..parts.len()]);
        for (at, part) in parts.iter().enumerate() {
            for n in 0..TILE {
                let chunk = &chunks[n][at];
                for lane in 0..TILE_LANES {
                    sums[n][lane] += chunk[lane] * part[lane];
                }
            }
        }
        std::array::from_fn(|n| {
            let rest = &rows[n][parts.len() * TILE_LANES..];
            let tail: f32 = rest.iter().zip(last).map(|(a, b)| a * b).sum();
            total(&mut sums[n]) + tail
        })
    })
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
