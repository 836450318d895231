//! The passes of a resize with AVX2.
//!
//! The instruction `madd` multiplies 16-bit numbers and adds the products in pairs: here the values of two neighbours,
//! each with its weight. A weight is longer, so it becomes two numbers, `high · 2¹⁵ + low`, with a sum for each. These
//! sums may wrap. Their total does not, so the bits are those of the plain passes.
//!
//! Each function with vectors is inlined into one that is compiled for AVX2. A closure would be too slow: the compiler
//! may leave it outside.

use super::{BITS, HALF, Plane, Taps};
use pulp::{
    Simd, WithSimd,
    bytemuck::{self, Pod},
    cast,
    x86::V3,
};
use std::arch::x86_64::{__m128i, __m256i};

/// The bits of the lower part of a weight.
const LOW: i32 = 15;
/// The most pairs of columns: the transposed copy of 8 rows takes at most 3 MB.
const MOST_PAIRS: usize = 1 << 15;

/// [`Pass::rows`](super::Pass::rows). False if the processor lacks AVX2 or the rows are too long.
pub(super) fn rows(plane: &Plane, taps: &Taps, out: &mut [u8]) -> bool {
    // a window starts at an even column, so it may begin with a weight of zero
    let count = (taps.count + 1).div_ceil(2);
    let length = taps.firsts.iter().map(|first| first / 2 + count).max().unwrap_or(0);
    let Some(v3) = V3::try_new().filter(|_| length <= MOST_PAIRS && plane.height > 0) else { return false };
    let mut weights = Vec::with_capacity(count * taps.firsts.len());
    for (first, each) in taps.each() {
        let weight = |n: usize| n.checked_sub(first % 2).and_then(|n| each.get(n)).copied().unwrap_or(0);
        weights.extend((0..count).map(|n| pair(weight(2 * n), weight(2 * n + 1))));
    }
    let starts = taps.firsts.iter().map(|first| first / 2).collect();
    Simd::vectorize(v3, Rows { v3, plane, starts, length, weights, count, out });
    true
}

/// [`Pass::columns`](super::Pass::columns). False if the processor lacks AVX2.
pub(super) fn columns(plane: &Plane, taps: &Taps, out: &mut [u8]) -> bool {
    let Some(v3) = V3::try_new() else { return false };
    Simd::vectorize(v3, Columns { v3, plane, taps, out });
    true
}

/// The lower and the upper parts of two weights.
fn pair(a: i32, b: i32) -> [i32; 2] {
    let low = (1 << LOW) - 1;
    [(a & low) | ((b & low) << 16), ((a >> LOW) & 0xffff) | ((b >> LOW) << 16)]
}

/// The bytes from a place on. Those after the end are zero.
#[inline(always)]
fn chunk<T: Pod>(bytes: &[u8], at: usize) -> T {
    match bytes.get(at..at + size_of::<T>()) {
        Some(bytes) => bytemuck::pod_read_unaligned(bytes),
        None => last_chunk(bytes.get(at..).unwrap_or_default()),
    }
}

// apart from `chunk`, or the compiler joins both cases into a slow copy of any length; so is `write_last`
#[cold]
#[inline(never)]
fn last_chunk<T: Pod>(rest: &[u8]) -> T {
    let mut chunk = T::zeroed();
    bytemuck::bytes_of_mut(&mut chunk)[..rest.len()].copy_from_slice(rest);
    chunk
}

/// Writes bytes, as far as there is room.
#[inline(always)]
fn write<T: Pod>(to: &mut [u8], bytes: T) {
    match to.get_mut(..size_of::<T>()) {
        Some(to) => to.copy_from_slice(bytemuck::bytes_of(&bytes)),
        None => write_last(to, bytes),
    }
}

#[cold]
#[inline(never)]
fn write_last<T: Pod>(to: &mut [u8], bytes: T) {
    to.copy_from_slice(&bytemuck::bytes_of(&bytes)[..to.len()]);
}

/// The lower and the upper sums of 8 values.
#[derive(Clone, Copy)]
struct Sums(__m256i, __m256i);

impl Sums {
    #[inline(always)]
    fn new(v3: V3) -> Sums {
        Sums(v3.avx._mm256_set1_epi32(HALF), v3.avx._mm256_setzero_si256())
    }

    /// Adds the products of 8 pairs of values with a pair of weights.
    #[inline(always)]
    fn add(&mut self, v3: V3, values: __m256i, (low, high): (__m256i, __m256i)) {
        self.0 = v3.avx2._mm256_add_epi32(self.0, v3.avx2._mm256_madd_epi16(values, low));
        self.1 = v3.avx2._mm256_add_epi32(self.1, v3.avx2._mm256_madd_epi16(values, high));
    }

    /// The whole numbers; packing clamps them to bytes.
    #[inline(always)]
    fn rounded(self, v3: V3) -> __m256i {
        let sum = v3.avx2._mm256_add_epi32(self.0, v3.avx2._mm256_slli_epi32::<LOW>(self.1));
        v3.avx2._mm256_srai_epi32::<{ BITS as i32 }>(sum)
    }
}

/// Both weights of a [`pair`], in all lanes.
#[inline(always)]
fn splat(v3: V3, [low, high]: [i32; 2]) -> (__m256i, __m256i) {
    (v3.avx._mm256_set1_epi32(low), v3.avx._mm256_set1_epi32(high))
}

/// The same order of bytes in both halves of a vector.
#[inline(always)]
fn order(order: [i8; 16]) -> __m256i {
    cast([order; 2])
}

/// Takes 8 rows at a time. They are transposed first, so that a vector holds the same place of all of them.
struct Rows<'a> {
    v3: V3,
    plane: &'a Plane<'a>,
    /// For each output place: its first pair of columns, and (places, count) pairs of weights.
    starts: Vec<usize>,
    weights: Vec<[i32; 2]>,
    count: usize,
    /// The number of pairs of columns that the windows cover.
    length: usize,
    out: &'a mut [u8],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let mut columns = vec![[self.v3.avx._mm256_setzero_si256(); 3]; self.length.next_multiple_of(2)];
        let out = std::mem::take(&mut self.out);
        for (n, out) in out.chunks_mut(8 * 3 * self.starts.len().max(1)).enumerate() {
            self.transpose(8 * n, &mut columns);
            self.sum(&columns, out);
        }
    }
}

impl Rows<'_> {
    /// Writes 8 rows from `top` on to `columns`: for each pair of columns and each channel, (8 rows, 2 columns) as
    /// 16-bit numbers.
    #[inline(always)]
    fn transpose(&self, top: usize, columns: &mut [[__m256i; 3]]) {
        let V3 { avx, avx2, .. } = self.v3;
        let start = |row: usize| (top + row).min(self.plane.height - 1) * self.plane.stride;
        let length = self.plane.bytes.len() - start(7);
        let rows: [&[u8]; 8] = std::array::from_fn(|row| &self.plane.bytes[start(row)..][..length]);
        let zero = avx._mm256_setzero_si256();
        let by_channel = order([0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11, -1, -1, -1, -1]);
        // two pairs of columns at a time; a half of a vector has rows 0 to 3, the other has rows 4 to 7
        for (n, columns) in columns.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let mut four = [zero; 4];
            for r in 0..4 {
                let (low, high): (__m128i, __m128i) = (chunk(rows[r], 12 * n), chunk(rows[r + 4], 12 * n));
                four[r] = avx2._mm256_shuffle_epi8(avx._mm256_set_m128i(high, low), by_channel);
            }
            let [a, b, c, d] = four;
            let (ab, cd) = (avx2._mm256_unpacklo_epi16(a, b), avx2._mm256_unpacklo_epi16(c, d));
            let red_green = avx2._mm256_unpacklo_epi32(ab, cd);
            let blue_red = avx2._mm256_unpackhi_epi32(ab, cd);
            let (ab, cd) = (avx2._mm256_unpackhi_epi16(a, b), avx2._mm256_unpackhi_epi16(c, d));
            let green_blue = avx2._mm256_unpacklo_epi32(ab, cd);
            columns[0][0] = avx2._mm256_unpacklo_epi8(red_green, zero);
            columns[0][1] = avx2._mm256_unpackhi_epi8(red_green, zero);
            columns[0][2] = avx2._mm256_unpacklo_epi8(blue_red, zero);
            columns[1][0] = avx2._mm256_unpackhi_epi8(blue_red, zero);
            columns[1][1] = avx2._mm256_unpacklo_epi8(green_blue, zero);
            columns[1][2] = avx2._mm256_unpackhi_epi8(green_blue, zero);
        }
    }

    /// Writes 8 rows of the result.
    #[inline(always)]
    fn sum(&self, columns: &[[__m256i; 3]], out: &mut [u8]) {
        let V3 { avx, avx2, .. } = self.v3;
        let row_bytes = 3 * self.starts.len();
        let without_gaps = order([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1]);
        let mut places = self.starts.iter().zip(self.weights.chunks_exact(self.count));
        for n in 0..self.starts.len().div_ceil(4) {
            let mut four = [avx._mm256_setzero_si256(); 4];
            for (pixel, (start, weights)) in four.iter_mut().zip(&mut places) {
                *pixel = self.pixel(&columns[*start..], weights);
            }
            let [a, b, c, d] = four;
            let (ab, cd) = (avx2._mm256_unpacklo_epi32(a, b), avx2._mm256_unpacklo_epi32(c, d));
            let (row_0, row_1) = (avx2._mm256_unpacklo_epi64(ab, cd), avx2._mm256_unpackhi_epi64(ab, cd));
            let (ab, cd) = (avx2._mm256_unpackhi_epi32(a, b), avx2._mm256_unpackhi_epi32(c, d));
            let (row_2, row_3) = (avx2._mm256_unpacklo_epi64(ab, cd), avx2._mm256_unpackhi_epi64(ab, cd));
            for (r, pixels) in [row_0, row_1, row_2, row_3].into_iter().enumerate() {
                let pixels = avx2._mm256_shuffle_epi8(pixels, without_gaps);
                let halves = [avx._mm256_castsi256_si128(pixels), avx2._mm256_extracti128_si256::<1>(pixels)];
                for (half, bytes) in halves.into_iter().enumerate() {
                    let row = r + 4 * half;
                    // the bytes without meaning at the end are overwritten by the next pixels
                    if let Some(to) = out.get_mut(row * row_bytes + 12 * n..(row + 1) * row_bytes) {
                        write(to, bytes);
                    }
                }
            }
        }
    }

    /// A pixel of 8 rows: for each row, its three values and a byte without meaning.
    #[inline(always)]
    fn pixel(&self, columns: &[[__m256i; 3]], weights: &[[i32; 2]]) -> __m256i {
        let avx2 = self.v3.avx2;
        let mut sums = [Sums::new(self.v3); 3];
        for (channels, weights) in columns.iter().zip(weights) {
            let weights = splat(self.v3, *weights);
            for (sums, values) in sums.iter_mut().zip(channels) {
                sums.add(self.v3, *values, weights);
            }
        }
        let [red, green, blue] = sums;
        let (red, green, blue) = (red.rounded(self.v3), green.rounded(self.v3), blue.rounded(self.v3));
        let (red_green, blue) = (avx2._mm256_packs_epi32(red, green), avx2._mm256_packs_epi32(blue, blue));
        let by_row = order([0, 4, 8, -1, 1, 5, 9, -1, 2, 6, 10, -1, 3, 7, 11, -1]);
        avx2._mm256_shuffle_epi8(avx2._mm256_packus_epi16(red_green, blue), by_row)
    }
}

/// Takes 32 bytes of a row at a time, whose sums stay in registers.
struct Columns<'a> {
    v3: V3,
    plane: &'a Plane<'a>,
    taps: &'a Taps,
    out: &'a mut [u8],
}

impl WithSimd for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut pairs: Vec<[i32; 2]> = Vec::new();
        for (out, (first, weights)) in self.out.chunks_exact_mut((3 * self.plane.width).max(1)).zip(self.taps.each()) {
            pairs.clear();
            pairs.extend(weights.chunks(2).map(|two| pair(two[0], two.get(1).copied().unwrap_or(0))));
            let rows = &self.plane.bytes[first * self.plane.stride..];
            for (n, out) in out.chunks_mut(32).enumerate() {
                write(out, column(self.v3, rows, 32 * n, self.plane.stride, &pairs));
            }
        }
    }
}

/// The sums of 32 bytes from a place in the first row on, each over the rows.
#[inline(always)]
fn column(v3: V3, rows: &[u8], mut at: usize, stride: usize, weights: &[[i32; 2]]) -> __m256i {
    let V3 { avx, avx2, .. } = v3;
    let zero = avx._mm256_setzero_si256();
    let mut sums = [Sums::new(v3); 4];
    for weights in weights {
        let (a, b): (__m256i, __m256i) = (chunk(rows, at), chunk(rows, at + stride));
        at += 2 * stride;
        let weights = splat(v3, *weights);
        let (low, high) = (avx2._mm256_unpacklo_epi8(a, b), avx2._mm256_unpackhi_epi8(a, b));
        sums[0].add(v3, avx2._mm256_unpacklo_epi8(low, zero), weights);
        sums[1].add(v3, avx2._mm256_unpackhi_epi8(low, zero), weights);
        sums[2].add(v3, avx2._mm256_unpacklo_epi8(high, zero), weights);
        sums[3].add(v3, avx2._mm256_unpackhi_epi8(high, zero), weights);
    }
    let [a, b, c, d] = sums;
    let low = avx2._mm256_packs_epi32(a.rounded(v3), b.rounded(v3));
    let high = avx2._mm256_packs_epi32(c.rounded(v3), d.rounded(v3));
    avx2._mm256_packus_epi16(low, high)
}
