//! Convolutions of image models, with batch norms folded into them.
//!
//! A picture's features are one matrix with a row for each pixel and a column for each channel. A convolution of 1×1 is
//! then one matrix product, a larger one is a product of gathered rows, and a depthwise one runs over neighbouring
//! channels. On a CPU these are our own loops over slices: candle 0.11.1 runs a depthwise convolution as one small
//! product for each channel. Other devices use candle's `conv2d`.

mod kernels;
mod residual;
mod window;

pub use residual::{Residual, Shortcut, divisible};
pub use window::{Padding, Window};

use super::ops::Activation;
use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::{Module, VarBuilder};
use kernels::{Add, AddBias, Depthwise, Gather, MaxPool, simple};
use std::ops::Range;
use window::Grid;

/// The maximum numbers of one layer's features: 256 MB in f32. A damaged configuration could ask for more than any
/// machine has.
const MAX_NUMBERS: usize = 1 << 26;

/// The numbers of gathered rows that are multiplied at once: 16 MB.
const GATHERED: usize = 1 << 22;

/// The features of one picture.
#[derive(Debug, Clone)]
pub struct Features {
    /// (height · width, channels)
    pub rows: Tensor,
    /// The number of rows of pixels.
    pub height: usize,
    /// The number of columns of pixels.
    pub width: usize,
}

impl Features {
    /// The features of a prepared picture: (3, height, width) as numbers in row-major order.
    pub fn of(values: Vec<f32>, height: usize, width: usize, dtype: DType, device: &Device) -> Result<Features> {
        let channels = values.len() / (height * width).max(1);
        let pixels = Tensor::from_vec(values, (channels, height * width), device)?;
        Ok(Features { rows: pixels.t()?.contiguous()?.to_dtype(dtype)?, height, width })
    }

    /// The number of channels.
    pub fn channels(&self) -> Result<usize> {
        self.rows.dim(1)
    }

    /// The mean over all pixels, (1, channels).
    pub fn mean(&self) -> Result<Tensor> {
        self.rows.mean_keepdim(0)
    }

    /// The same grid of pixels with other channels.
    pub fn with(&self, rows: Tensor) -> Features {
        Features { rows, height: self.height, width: self.width }
    }

    /// The sum with other features of the same form, then the activation.
    pub fn plus(self, other: &Features, activation: Option<Activation>) -> Result<Features> {
        if self.rows.device().is_cpu() && self.rows.dtype() == DType::F32 && self.rows.dims() == other.rows.dims() {
            self.rows.inplace_op2(&other.rows.contiguous()?, &Add { activation: simple(activation) })?;
            return match activation {
                Some(activation) if simple(Some(activation)).is_none() => {
                    Ok(self.with(activation.forward(&self.rows)?))
                }
                _ => Ok(self),
            };
        }
        let sum = (&self.rows + &other.rows)?;
        Ok(self.with(if let Some(activation) = activation { activation.forward(&sum)? } else { sum }))
    }

    /// (1, channels, height, width)
    fn planes(&self) -> Result<Tensor> {
        self.rows.t()?.reshape((1, self.channels()?, self.height, self.width))
    }

    /// From (1, channels, height, width).
    fn from_planes(planes: &Tensor) -> Result<Features> {
        let (_, channels, height, width) = planes.dims4()?;
        Ok(Features { rows: planes.reshape((channels, height * width))?.t()?.contiguous()?, height, width })
    }
}

/// The form of a convolution's kernel.
#[derive(Debug, Clone)]
enum Kernel {
    /// (inputs, outputs): one pixel.
    Point(Tensor),
    /// (cells · inputs, outputs): several pixels, on a CPU.
    Gathered(Tensor),
    /// (cells, channels): each channel alone, on a CPU.
    Depthwise(Tensor),
    /// (outputs, inputs / groups, side, side), with the number of groups: other devices.
    Candle(Tensor, usize),
}

/// A convolution with its batch norm, bias and activation.
#[derive(Debug, Clone)]
pub struct Conv {
    kernel: Kernel,
    window: Window,
    /// (outputs)
    bias: Option<Tensor>,
    activation: Option<Activation>,
    outputs: usize,
}

/// The part that follows a convolution.
#[derive(Clone)]
pub enum Norm<'a> {
    /// A batch norm (`weight`, `bias`, `running_mean`, `running_var`) with this addend of the variance. The convolution
    /// has no bias.
    Batch(VarBuilder<'a>, f64),
    /// No norm. The convolution has a bias.
    Bias,
}

impl Conv {
    /// Reads a convolution of `inputs` to `outputs` channels. With `depthwise`, each channel has a kernel of its own.
    /// Fails if a tensor is missing, has another shape, or gives numbers that are not finite.
    pub fn load(
        (inputs, outputs): (usize, usize),
        depthwise: bool,
        window: Window,
        vb: VarBuilder<'_>,
        norm: &Norm<'_>,
        activation: Option<Activation>,
    ) -> Result<Conv> {
        let (dtype, device, side) = (vb.dtype(), vb.device().clone(), window.kernel);
        let each = if depthwise { 1 } else { inputs };
        let weight = vb.get((outputs, each, side, side), "weight")?;
        let (weight, bias) = match norm {
            Norm::Batch(norm, eps) => {
                let (scale, shift) = folded(outputs, norm, *eps)?;
                let weight = weight.to_dtype(DType::F32)?.broadcast_mul(&scale.reshape((outputs, 1, 1, 1))?)?;
                (weight.to_dtype(dtype)?, shift.to_dtype(dtype)?)
            }
            Norm::Bias => (weight, vb.get(outputs, "bias")?),
        };
        let cells = side * side;
        let kernel = match (side, depthwise, device.is_cpu()) {
            (1, false, _) => Kernel::Point(weight.reshape((outputs, inputs))?.t()?.contiguous()?),
            (_, true, true) => Kernel::Depthwise(weight.reshape((outputs, cells))?.t()?.contiguous()?),
            (_, false, true) => {
                Kernel::Gathered(weight.permute((2, 3, 1, 0))?.reshape((cells * inputs, outputs))?.contiguous()?)
            }
            _ => Kernel::Candle(weight, if depthwise { inputs } else { 1 }),
        };
        Ok(Conv { kernel, window, bias: Some(bias), activation, outputs })
    }

    /// The features after the convolution. Fails if the picture is too small for the window.
    pub fn forward(&self, x: &Features) -> Result<Features> {
        let grid = self.window.grid(x.height, x.width)?;
        if grid.windows().saturating_mul(self.outputs) > MAX_NUMBERS {
            bail!(
                "a layer would have {}×{} pixels of {} channels; the maximum is {MAX_NUMBERS} numbers",
                grid.columns,
                grid.rows,
                self.outputs
            )
        }
        let (height, width) = (grid.rows, grid.columns);
        let rows = match &self.kernel {
            Kernel::Point(weight) if self.window == Window::POINT => x.rows.matmul(weight)?,
            Kernel::Point(weight) => gather(&x.rows, grid, 0..grid.rows)?.matmul(weight)?,
            Kernel::Gathered(weight) => gathered(&x.rows, weight, grid)?,
            Kernel::Depthwise(weight) => {
                let dtype = x.rows.dtype();
                let (rows, weight) = (x.rows.to_dtype(DType::F32)?, weight.to_dtype(DType::F32)?);
                rows.contiguous()?.apply_op2_no_bwd(&weight, &Depthwise { grid })?.to_dtype(dtype)?
            }
            Kernel::Candle(weight, groups) => return self.by_candle(x, weight, *groups, grid),
        };
        Ok(Features { rows: self.finish(rows)?, height, width })
    }

    /// The same with candle's own convolution.
    fn by_candle(&self, x: &Features, weight: &Tensor, groups: usize, grid: Grid) -> Result<Features> {
        let [top, bottom, left, right] = grid.pads;
        let padded = x.planes()?.pad_with_zeros(2, top, bottom)?.pad_with_zeros(3, left, right)?;
        let planes = padded.conv2d(weight, 0, self.window.stride, self.window.dilation, groups)?;
        let features = Features::from_planes(&planes)?;
        let rows = self.finish(features.rows.clone())?;
        Ok(features.with(rows))
    }

    /// Adds the bias and applies the activation. `rows` belong to the caller alone.
    fn finish(&self, rows: Tensor) -> Result<Tensor> {
        let rows = match &self.bias {
            None => rows,
            Some(bias) if rows.device().is_cpu() && rows.dtype() == DType::F32 => {
                rows.inplace_op2(bias, &AddBias { activation: simple(self.activation) })?;
                if self.activation == simple(self.activation) {
                    return Ok(rows);
                }
                rows
            }
            Some(bias) => rows.broadcast_add(bias)?,
        };
        if let Some(activation) = self.activation { activation.forward(&rows) } else { Ok(rows) }
    }
}

/// The scale and the shift of each channel that equal a batch norm, in f32: γ/√(σ² + ε) and β − μ·γ/√(σ² + ε) (Ioffe &
/// Szegedy 2015, arXiv 1502.03167). They are computed in f64.
fn folded(channels: usize, vb: &VarBuilder<'_>, eps: f64) -> Result<(Tensor, Tensor)> {
    let read = |name: &str| vb.get(channels, name)?.to_dtype(DType::F64)?.to_vec1::<f64>();
    let (weight, bias, mean, variance) = (read("weight")?, read("bias")?, read("running_mean")?, read("running_var")?);
    let (mut scales, mut shifts) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
    for n in 0..channels {
        let scale = weight[n] / (variance[n] + eps).sqrt();
        let shift = bias[n] - mean[n] * scale;
        if !(scale as f32).is_finite() || !(shift as f32).is_finite() {
            let name = format!("{}.running_var", vb.prefix());
            bail!("the tensor `{name}` holds {} at index {n}, which is not a usable variance", variance[n])
        }
        scales.push(scale as f32);
        shifts.push(shift as f32);
    }
    let device = vb.device();
    Ok((Tensor::from_vec(scales, channels, device)?, Tensor::from_vec(shifts, channels, device)?))
}

/// The maximum of each window, as in a pooling layer. Padding does not count.
pub fn max_pool(x: &Features, window: Window) -> Result<Features> {
    let grid = window.grid(x.height, x.width)?;
    let dtype = x.rows.dtype();
    // Pooling is a small part of a network, so other devices take the way over the CPU.
    let rows = x.rows.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.contiguous()?;
    let rows = rows.apply_op1_no_bwd(&MaxPool { grid })?.to_dtype(dtype)?.to_device(x.rows.device())?;
    Ok(Features { rows, height: grid.rows, width: grid.columns })
}

/// A convolution of several pixels on a CPU: the rows of windows are gathered and multiplied in parts.
fn gathered(rows: &Tensor, weight: &Tensor, grid: Grid) -> Result<Tensor> {
    let each = grid.columns * weight.dim(0)?;
    let at_once = (GATHERED / each.max(1)).clamp(1, grid.rows);
    if at_once == grid.rows {
        return gather(rows, grid, 0..grid.rows)?.matmul(weight);
    }
    let parts = (0..grid.rows).step_by(at_once);
    let parts = parts.map(|first| gather(rows, grid, first..grid.rows.min(first + at_once))?.matmul(weight));
    Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)
}

/// The pixels under each window of these rows of windows: (windows, cells · channels).
fn gather(rows: &Tensor, grid: Grid, part: Range<usize>) -> Result<Tensor> {
    if !rows.device().is_cpu() {
        // Only windows of one pixel come here on other devices.
        let indices: Vec<u32> = part
            .flat_map(|row| (0..grid.columns).map(move |column| (row, column)))
            .map(|(row, column)| ((row * grid.width + column) * grid.window.stride) as u32)
            .collect();
        return rows.index_select(&Tensor::new(indices, rows.device())?, 0);
    }
    let dtype = rows.dtype();
    rows.to_dtype(DType::F32)?.contiguous()?.apply_op1_no_bwd(&Gather { grid, part })?.to_dtype(dtype)
}

#[cfg(test)]
mod tests;
