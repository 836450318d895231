//! The inverse cosine transform of a block, in the integer arithmetic of libjpeg's accurate method (Loeffler,
//! Ligtenberg and Moschytz 1989).

/// Fractional bits of a constant.
const BITS: u32 = 13;
/// Additional fractional bits that values keep between the passes.
const KEPT: u32 = 2;

/// A constant with [`BITS`] fractional bits.
const fn fixed(value: f64) -> i32 {
    (value * (1 << BITS) as f64 + 0.5) as i32
}

/// Transforms eight values and rounds `shift` bits away.
fn transform(c: [i32; 8], shift: u32) -> [i32; 8] {
    let times = |a: i32, b: i32| a.wrapping_mul(b);
    let z1 = times(c[2].wrapping_add(c[6]), fixed(0.541_196_100));
    let even2 = z1.wrapping_sub(times(c[6], fixed(1.847_759_065)));
    let even3 = z1.wrapping_add(times(c[2], fixed(0.765_366_865)));
    let even0 = c[0].wrapping_add(c[4]) << BITS;
    let even1 = c[0].wrapping_sub(c[4]) << BITS;
    let evens =
        [even0.wrapping_add(even3), even1.wrapping_add(even2), even1.wrapping_sub(even2), even0.wrapping_sub(even3)];
    let z5 = times(c[7].wrapping_add(c[3]).wrapping_add(c[5]).wrapping_add(c[1]), fixed(1.175_875_602));
    let z1 = times(c[7].wrapping_add(c[1]), -fixed(0.899_976_223));
    let z2 = times(c[5].wrapping_add(c[3]), -fixed(2.562_915_447));
    let z3 = times(c[7].wrapping_add(c[3]), -fixed(1.961_570_560)).wrapping_add(z5);
    let z4 = times(c[5].wrapping_add(c[1]), -fixed(0.390_180_644)).wrapping_add(z5);
    let sum = |a: i32, b: i32, c: i32| a.wrapping_add(b).wrapping_add(c);
    let odds = [
        sum(times(c[1], fixed(1.501_321_110)), z1, z4),
        sum(times(c[3], fixed(3.072_711_026)), z2, z3),
        sum(times(c[5], fixed(2.053_119_869)), z2, z4),
        sum(times(c[7], fixed(0.298_631_336)), z1, z3),
    ];
    let round = |value: i32| value.wrapping_add(1 << (shift - 1)) >> shift;
    let mut out = [0; 8];
    for n in 0..4 {
        out[n] = round(evens[n].wrapping_add(odds[n]));
        out[7 - n] = round(evens[n].wrapping_sub(odds[n]));
    }
    out
}

/// The 64 samples of a block of coefficients, row by row.
pub(super) fn samples(coefficients: &[i16], table: &[u16; 64]) -> [u8; 64] {
    let mut half = [[0; 8]; 8]; // columns
    for (x, column) in half.iter_mut().enumerate() {
        let one = |y: usize| i32::from(coefficients[8 * y + x]).wrapping_mul(i32::from(table[8 * y + x]));
        *column = transform(std::array::from_fn(one), BITS - KEPT);
    }
    let mut out = [0; 64];
    for (y, row) in out.chunks_exact_mut(8).enumerate() {
        let values = transform(std::array::from_fn(|x| half[x][y]), BITS + KEPT + 3);
        for (sample, value) in row.iter_mut().zip(values) {
            *sample = (value.saturating_add(128)).clamp(0, 255) as u8;
        }
    }
    out
}
