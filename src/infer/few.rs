//! Products of few rows of activations with a floating matrix on a CPU: one dot product for each number. A row of the matrix is read
//! once for all rows of activations, so that several replies are written nearly as fast as one.
//!
//! The sums of a row are the same bits for any number of rows. Those of candle's product (`gemm`) are not: it has another
//! kernel for a single row.

use super::linear::in_parallel;
use candle_core::{CpuStorage, DType, Device, Result, Storage, Tensor, bail};
use half::{bf16, f16};
use pulp::{Arch, Simd, WithSimd};

/// The rows of the matrix that a thread takes at once.
const ROWS: usize = 32;
/// The vectors that are summed beside each other, because a sum waits for the one before it. With four, the constants of a widening
/// find no register.
const SUMS: usize = 2;

/// True if [`multiply`] knows this matrix.
pub fn fits(weight: &Tensor) -> bool {
    let floating = matches!(weight.dtype(), DType::F32 | DType::F16 | DType::BF16);
    floating && weight.rank() == 2 && weight.device().is_cpu() && weight.is_contiguous()
}

/// x·Wᵀ for `x`, (m, input), in f32 and `weight`, (output, input), in a floating format: (m, output).
pub fn multiply(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let ((m, k), n) = (x.dims2()?, weight.dim(0)?);
    let x = x.contiguous()?;
    let (x_storage, x_layout) = x.storage_and_layout();
    let (w_storage, w_layout) = weight.storage_and_layout();
    let (Storage::Cpu(CpuStorage::F32(x)), Some((x_from, x_to))) = (&*x_storage, x_layout.contiguous_offsets()) else {
        bail!("few rows must be contiguous numbers in f32 on a CPU: this is a bug")
    };
    let (Storage::Cpu(weight), Some((from, to))) = (&*w_storage, w_layout.contiguous_offsets()) else {
        bail!("the matrix for few rows must be contiguous on a CPU: this is a bug")
    };
    let x = &x[x_from..x_to];
    let columns = match weight {
        CpuStorage::F32(weight) => products(&weight[from..to], x, (n, k)),
        CpuStorage::F16(weight) => products(&weight[from..to], x, (n, k)),
        CpuStorage::BF16(weight) => products(&weight[from..to], x, (n, k)),
        _ => bail!("few rows cannot be multiplied with this format: this is a bug"),
    };
    if m == 1 {
        return Tensor::from_vec(columns, (1, n), &Device::Cpu);
    }
    let mut rows = vec![0f32; m * n];
    for (at, row) in rows.chunks_exact_mut(n).enumerate() {
        row.iter_mut().zip(columns.chunks_exact(m)).for_each(|(y, column)| *y = column[at]);
    }
    Tensor::from_vec(rows, (m, n), &Device::Cpu)
}

/// The products of the rows of `weight`, (n, k), with those of `x`, (m, k): (n, m).
fn products<T: Widen>(weight: &[T], x: &[f32], (n, k): (usize, usize)) -> Vec<f32> {
    let m = x.len() / k.max(1);
    let mut columns = vec![0f32; n * m];
    in_parallel(n * k, &mut columns, ROWS * m.max(1), |chunk, out| {
        let rows = &weight[chunk * ROWS * k..][..out.len() / m.max(1) * k];
        match m {
            1 => Arch::new().dispatch(Dots { rows, x, k, out }),
            _ => {
                let mut wide = vec![0f32; k];
                for (row, out) in rows.chunks_exact(k).zip(out.chunks_exact_mut(m)) {
                    widen_all(row, &mut wide);
                    Arch::new().dispatch(Dots { rows: x, x: &wide, k, out });
                }
            }
        }
    });
    columns
}

/// The numbers in f32, exactly.
pub(super) fn widen_all<T: Widen>(numbers: &[T], wide: &mut [f32]) {
    Arch::new().dispatch(Widening { numbers, wide });
}

/// A number of a matrix that becomes f32, exactly. `half` converts eight numbers in each call of a function, which takes twice as long
/// as the whole product.
pub(super) trait Widen: Copy + Sync {
    fn widen(self) -> f32;
}

impl Widen for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

impl Widen for f16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        // exponent and fraction in their places, and the sign
        let wide = (i32::from(self.to_bits() as i16) << 13) as u32 & 0x8fff_e000;
        let usual = wide + ((127 - 15) << 23);
        let next = usual + (1 << 23);
        match wide & 0x0f80_0000 {
            // subnormal numbers (below 2⁻¹⁴) lack the implicit leading bit
            0 => f32::from_bits(next) - f32::from_bits(next & 0xff80_0000),
            // infinity and NaN have the largest exponent
            0x0f80_0000 => f32::from_bits(usual + ((127 - 15) << 23)),
            _ => f32::from_bits(usual),
        }
    }
}

impl Widen for bf16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

struct Widening<'a, T> {
    numbers: &'a [T],
    wide: &'a mut [f32],
}

impl<T: Widen> WithSimd for Widening<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.wide.iter_mut().zip(self.numbers).for_each(|(wide, number)| *wide = number.widen());
    }
}

/// The dot products of rows of `k` numbers with `x`.
struct Dots<'a, T> {
    rows: &'a [T],
    x: &'a [f32],
    k: usize,
    out: &'a mut [f32],
}

impl<T: Widen> WithSimd for Dots<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Dots { rows, x, k, out } = self;
        let piece = SUMS * S::F32_LANES;
        let (whole, (vectors, _)) = (k / piece * piece, S::as_simd_f32s(x));
        // room for the vectors of 512 bits
        let mut wide = [0f32; SUMS * 16];
        let wide = &mut wide[..piece];
        for (row, out) in rows.chunks_exact(k).zip(out) {
            let mut sums = [simd.splat_f32s(0.0); SUMS];
            for (row, x) in row.chunks_exact(piece).zip(vectors.chunks_exact(SUMS)) {
                wide.iter_mut().zip(row).for_each(|(wide, number)| *wide = number.widen());
                let (numbers, _) = S::as_simd_f32s(wide);
                let each = sums.iter_mut().zip(numbers).zip(x);
                each.for_each(|((sum, number), x)| *sum = simd.mul_add_e_f32s(*number, *x, *sum));
            }
            let [a, b] = sums;
            let rest = row[whole..].iter().zip(&x[whole..]).map(|(number, x)| number.widen() * x).sum::<f32>();
            *out = simd.reduce_sum_f32s(simd.add_f32s(a, b)) + rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_16_bits_is_widened_exactly() {
        let same = |wide: f32, expected: f32| wide == expected || expected.is_nan() && wide.is_nan();
        for bits in 0..=u16::MAX {
            let (half, brain) = (f16::from_bits(bits), bf16::from_bits(bits));
            assert!(same(half.widen(), half.to_f32()) && same(brain.widen(), brain.to_f32()), "{bits:x}");
        }
    }

    #[test]
    fn a_row_is_the_same_bits_for_any_number_of_rows() {
        let wave = |shape: (usize, usize), step: f32| {
            let values: Vec<f32> = (0..shape.0 * shape.1).map(|i| (i as f32 * step).sin()).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor")
        };
        for (n, k) in [(1, 1), (5, 7), (100, 130), (300, 512)] {
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                let weight = wave((n, k), 0.37).to_dtype(dtype).expect("a format");
                let x = wave((16, k), 0.11);
                assert!(fits(&weight));
                let all = multiply(&x, &weight).expect("a product");
                let plain =
                    x.matmul(&weight.to_dtype(DType::F32).expect("f32").t().expect("turned")).expect("a product");
                let (all, plain) = (all.to_vec2::<f32>().expect("rows"), plain.to_vec2::<f32>().expect("rows"));
                for m in [1, 2, 3, 16] {
                    let some = multiply(&x.narrow(0, 0, m).expect("rows"), &weight).expect("a product");
                    assert_eq!(some.to_vec2::<f32>().expect("rows"), all[..m], "{dtype:?} {n} {k} {m}");
                }
                let off =
                    all.iter().flatten().zip(plain.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off < 1e-5 * (k as f32), "{dtype:?} {n} {k}: {off}");
            }
        }
    }
}
