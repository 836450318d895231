//! A convolution along one dimension as one product with its bias: the windows of rows that follow each other in memory
//! are rows of a matrix already.

use super::{Packed, Precision, activate, block::share, has_values, with_values};
use crate::infer::ops::{Activation, Linear};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Conv1d, Conv1dConfig, Module, VarBuilder};
use rayon::prelude::*;

/// Frames on each side of a window of three.
const PADDING: usize = 1;
/// The frames of a window.
const WINDOW: usize = 3;

/// A convolution with windows of three frames, one frame of zeros on both sides, and an activation.
#[derive(Debug)]
pub struct FrameConvolution {
    form: Form,
    inputs: usize,
    stride: usize,
    activation: Activation,
}

#[derive(Debug)]
enum Form {
    /// On other devices and in other formats.
    Candle(Conv1d),
    Packed(Packed),
}

impl FrameConvolution {
    /// Reads `weight`, (outputs, inputs, 3), and `bias`.
    pub fn load(
        (inputs, outputs): (usize, usize),
        stride: usize,
        activation: Activation,
        vb: &VarBuilder<'_>,
    ) -> Result<FrameConvolution> {
        let (weight, bias) = (vb.get((outputs, inputs, WINDOW), "weight")?, vb.get(outputs, "bias")?);
        let packed = match has_values(&weight) && vb.dtype() == DType::F32 {
            true => {
                let rows = weight.transpose(1, 2)?.reshape((outputs, WINDOW * inputs))?;
                Linear::pack(&[&Linear::new(rows, Some(bias.clone()))], Precision::F32)?
            }
            false => None,
        };
        let settings = Conv1dConfig { padding: PADDING, stride, ..Conv1dConfig::default() };
        let form = packed.map_or_else(|| Form::Candle(Conv1d::new(weight, Some(bias), settings)), Form::Packed);
        Ok(FrameConvolution { form, inputs, stride, activation })
    }

    /// (1, frames, inputs) -> (1, frames / stride, outputs), rounded up
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let packed = match &self.form {
            Form::Packed(packed) => packed,
            Form::Candle(candle) => {
                let y = self.activation.forward(&candle.forward(&x.transpose(1, 2)?.contiguous()?)?)?;
                return y.transpose(1, 2)?.contiguous();
            }
        };
        let (frames, inputs) = (x.dim(1)?, self.inputs);
        let mut padded = vec![0f32; (frames + 2 * PADDING) * inputs];
        with_values(&x.contiguous()?, |x| {
            padded[PADDING * inputs..][..x.len()].copy_from_slice(x);
            Ok(())
        })?;
        let (rows, step, outputs) = (frames.div_ceil(self.stride), self.stride * inputs, packed.outputs());
        let mut out = vec![0f32; rows * outputs];
        let each = share(rows, rayon::current_num_threads());
        out.par_chunks_mut(each * outputs).enumerate().for_each(|(n, out)| {
            let (from, count) = (n * each * step, out.len() / outputs);
            let windows = &padded[from..][..(count - 1) * step + WINDOW * inputs];
            packed.multiply_windows(windows, step, out, false);
            activate(self.activation, out);
        });
        Tensor::from_vec(out, (1, rows, outputs), &Device::Cpu)
    }
}
