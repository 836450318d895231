//! Products of few rows of activations with a floating matrix on a CPU: one dot product for each number. A row of the matrix is read
//! once for all rows of activations, so that several replies are written nearly as fast as one.
//!
//! The sums of a row are the same bits for any number of rows. Those of candle's product (`gemm`) are not: it has another
//! kernel for a single row.

use super::linear::in_parallel;
use candle_core::{CpuStorage, DType, Device, Result, Storage, Tensor, bail, quantized::GgmlType};
use half::{bf16, f16};

/// The rows of the matrix that a thread takes at once.
const ROWS: usize = 32;

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
    let mut columns = vec![0f32; n * m]; // (output, m)
    let dots = |row: &[f32], out: &mut [f32]| {
        x.chunks_exact(k).zip(out).for_each(|(x, out)| *out = f32::vec_dot(k, row, x));
    };
    match weight {
        CpuStorage::F32(weight) => {
            let weight = &weight[from..to];
            in_parallel(n * k, &mut columns, ROWS * m, |chunk, out| {
                let rows = weight[chunk * ROWS * k..].chunks_exact(k);
                out.chunks_exact_mut(m).zip(rows).for_each(|(out, row)| dots(row, out));
            });
        }
        CpuStorage::F16(weight) => widened(&weight[from..to], (k, m), &mut columns, f16::to_float, dots),
        CpuStorage::BF16(weight) => widened(&weight[from..to], (k, m), &mut columns, bf16::to_float, dots),
        _ => bail!("few rows cannot be multiplied with this format: this is a bug"),
    }
    if m == 1 {
        return Tensor::from_vec(columns, (1, n), &Device::Cpu);
    }
    let mut rows = vec![0f32; m * n];
    for (at, row) in rows.chunks_exact_mut(n).enumerate() {
        row.iter_mut().zip(columns.chunks_exact(m)).for_each(|(y, column)| *y = column[at]);
    }
    Tensor::from_vec(rows, (m, n), &Device::Cpu)
}

/// The dot products with rows of `k` numbers that `widen` converts to f32; `columns` is (output, m).
fn widened<T: Sync>(
    weight: &[T],
    (k, m): (usize, usize),
    columns: &mut [f32],
    widen: impl Fn(&[T], &mut [f32]) + Sync,
    dots: impl Fn(&[f32], &mut [f32]) + Sync,
) {
    in_parallel(weight.len(), columns, ROWS * m, |chunk, out| {
        let mut wide = vec![0f32; k];
        let rows = weight[chunk * ROWS * k..].chunks_exact(k);
        out.chunks_exact_mut(m).zip(rows).for_each(|(out, row)| {
            widen(row, &mut wide);
            dots(&wide, out);
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

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
