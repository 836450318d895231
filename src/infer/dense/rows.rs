//! Vectorised passes over rows: norms, activations, softmax.

use super::{has_values, with_values};
use crate::infer::ops::Activation;
use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Result, Tensor, bail};
use rayon::prelude::*;
use rten_simd::{SimdOp as _, SimdUnaryOp as _};
use rten_vecmath::{ApproxGelu, Gelu, Normalize, NormalizeOptions, Silu, Softmax, Sum, SumSquareSub, Swish};

/// A layer normalisation over rows.
#[derive(Debug, Clone)]
pub(super) struct RowNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl RowNorm {
    pub(super) fn new(weight: &Tensor, bias: &Tensor, eps: f64) -> Result<RowNorm> {
        let values = |x: &Tensor| x.to_dtype(DType::F32)?.to_vec1::<f32>();
        Ok(RowNorm { weight: values(weight)?, bias: values(bias)?, eps: eps as f32 })
    }

    /// Normalises each row.
    pub(super) fn apply(&self, rows: &mut [f32]) {
        let width = self.weight.len();
        for row in rows.chunks_exact_mut(width) {
            let mean = Sum::new(row).dispatch() / width as f32;
            let variance = SumSquareSub::new(row, mean).dispatch() / width as f32;
            let options = NormalizeOptions {
                pre_scale_bias: mean,
                scale: 1.0 / (variance + self.eps).sqrt(),
                element_scale: Some(&self.weight),
                element_bias: Some(&self.bias),
                ..NormalizeOptions::default()
            };
            Normalize::new_mut(row, options).dispatch();
        }
    }
}

/// Applies an activation to each number.
pub fn activate(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::Gelu => Gelu {}.map_mut(values),
        Activation::GeluTanh => ApproxGelu {}.map_mut(values),
        Activation::QuickGelu => Swish { alpha: 1.702 }.map_mut(values),
        Activation::Silu => Silu {}.map_mut(values),
        Activation::Relu => values.iter_mut().for_each(|x| *x = x.max(0.0)),
        Activation::Relu6 => values.iter_mut().for_each(|x| *x = x.clamp(0.0, 6.0)),
    }
}

/// The numbers that a thread takes at once.
pub(super) const PIECE: usize = 1 << 14;

/// An activation of each number of a tensor for which [`has_values`] holds.
pub fn activated(activation: Activation, x: &Tensor) -> Result<Tensor> {
    let mut values = with_values(x, |x| Ok(x.to_vec()))?;
    match values.len() > PIECE {
        true => values.par_chunks_mut(PIECE).for_each(|piece| activate(activation, piece)),
        false => activate(activation, &mut values),
    }
    Tensor::from_vec(values, x.shape(), &Device::Cpu)
}

/// The softmax of the last dimension of scores that nobody else holds.
pub fn softmax(scores: Tensor) -> Result<Tensor> {
    if !has_values(&scores) {
        return candle_nn::ops::softmax_last_dim(&scores);
    }
    scores.inplace_op1(&SoftenRows)?;
    Ok(scores)
}

struct SoftenRows;

impl InplaceOp1 for SoftenRows {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((from, to))) = (storage, layout.contiguous_offsets()) else {
            bail!("softmax in place needs contiguous numbers in f32")
        };
        let width = layout.dims().last().copied().unwrap_or(1).max(1);
        let rows = PIECE.div_ceil(width) * width;
        values[from..to].par_chunks_mut(rows).for_each(|rows| rows.chunks_exact_mut(width).for_each(soften));
        Ok(())
    }
}

/// The softmax of one row, in place.
pub(super) fn soften(row: &mut [f32]) {
    Softmax::new_mut(row).dispatch();
}
