//! The loops over slices that convolutions on a CPU use, as operations of candle.

use super::window::Grid;
use crate::infer::ops::Activation;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, InplaceOp2, Layout, Result, Shape, bail};
use std::ops::Range;

/// The activation, if these loops apply it while they add a bias.
pub(super) fn simple(activation: Option<Activation>) -> Option<Activation> {
    activation.filter(|activation| matches!(activation, Activation::Relu | Activation::Relu6))
}

/// The bounds that a simple activation cuts values to.
fn bounds(activation: Option<Activation>) -> (f32, f32) {
    match activation {
        Some(Activation::Relu) => (0.0, f32::INFINITY),
        Some(Activation::Relu6) => (0.0, 6.0),
        _ => (f32::NEG_INFINITY, f32::INFINITY),
    }
}

/// The numbers of a contiguous tensor.
fn numbers<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<f32>()?[from..to]),
        None => bail!("the numbers are not in one piece: this is a bug"),
    }
}

/// The numbers of a contiguous tensor that is changed.
fn numbers_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (layout.contiguous_offsets(), storage) {
        (Some((from, to)), CpuStorage::F32(all)) => Ok(&mut all[from..to]),
        _ => bail!("the numbers are not f32 in one piece: this is a bug"),
    }
}

pub(super) struct AddBias {
    pub(super) activation: Option<Activation>,
}

impl InplaceOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    fn cpu_fwd(&self, to: &mut CpuStorage, to_layout: &Layout, bias: &CpuStorage, layout: &Layout) -> Result<()> {
        let (low, high) = bounds(self.activation);
        let bias = numbers(bias, layout)?;
        for row in numbers_mut(to, to_layout)?.chunks_exact_mut(bias.len().max(1)) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value = cut(*value + bias, low, high);
            }
        }
        Ok(())
    }
}

pub(super) struct Add {
    pub(super) activation: Option<Activation>,
}

impl InplaceOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(&self, to: &mut CpuStorage, to_layout: &Layout, other: &CpuStorage, layout: &Layout) -> Result<()> {
        let (low, high) = bounds(self.activation);
        for (value, other) in numbers_mut(to, to_layout)?.iter_mut().zip(numbers(other, layout)?) {
            *value = cut(*value + other, low, high);
        }
        Ok(())
    }
}

/// The value within both bounds. NaN stays NaN, so that damaged weights are noticed.
fn cut(value: f32, low: f32, high: f32) -> f32 {
    let value = if value < low { low } else { value };
    if value > high { high } else { value }
}

pub(super) struct Depthwise {
    pub(super) grid: Grid,
}

/// The channels that a loop adds up in registers.
const LANES: usize = 16;

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w, channels) = (numbers(x, x_layout)?, numbers(w, w_layout)?, x_layout.dims()[1]);
        let mut out = vec![0f32; self.grid.windows() * channels];
        let mut cells = Vec::with_capacity(self.grid.window.kernel.pow(2));
        for (at, out) in out.chunks_exact_mut(channels.max(1)).enumerate() {
            cells.clear();
            self.grid.cells(at / self.grid.columns, at % self.grid.columns, |cell, pixel| {
                cells.push((&w[cell * channels..][..channels], &x[pixel * channels..][..channels]));
            });
            weigh(&cells, out);
        }
        Ok((CpuStorage::F32(out), Shape::from((self.grid.windows(), channels))))
    }
}

/// Adds the products of weights and values of each cell, channel by channel.
fn weigh(cells: &[(&[f32], &[f32])], out: &mut [f32]) {
    let (whole, rest) = out.as_chunks_mut::<LANES>();
    for (n, out) in whole.iter_mut().enumerate() {
        let mut sums = [0f32; LANES];
        for (weights, values) in cells {
            let (weights, values) = (&weights[n * LANES..][..LANES], &values[n * LANES..][..LANES]);
            for lane in 0..LANES {
                sums[lane] += weights[lane] * values[lane];
            }
        }
        *out = sums;
    }
    let from = whole.len() * LANES;
    for (n, out) in rest.iter_mut().enumerate() {
        *out = cells.iter().map(|(weights, values)| weights[from + n] * values[from + n]).sum();
    }
}

pub(super) struct Gather {
    pub(super) grid: Grid,
    pub(super) part: Range<usize>,
}

impl CustomOp1 for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, channels) = (numbers(x, layout)?, layout.dims()[1]);
        let (windows, cells) = (self.part.len() * self.grid.columns, self.grid.window.kernel.pow(2));
        let mut out = vec![0f32; windows * cells * channels];
        for (at, out) in out.chunks_exact_mut((cells * channels).max(1)).enumerate() {
            let (row, column) = (self.part.start + at / self.grid.columns, at % self.grid.columns);
            self.grid.cells(row, column, |cell, pixel| {
                out[cell * channels..][..channels].copy_from_slice(&x[pixel * channels..][..channels]);
            });
        }
        Ok((CpuStorage::F32(out), Shape::from((windows, cells * channels))))
    }
}

pub(super) struct MaxPool {
    pub(super) grid: Grid,
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max-pool"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, channels) = (numbers(x, layout)?, layout.dims()[1]);
        let mut out = vec![f32::NEG_INFINITY; self.grid.windows() * channels];
        for (at, out) in out.chunks_exact_mut(channels.max(1)).enumerate() {
            self.grid.cells(at / self.grid.columns, at % self.grid.columns, |_, pixel| {
                for (most, value) in out.iter_mut().zip(&x[pixel * channels..][..channels]) {
                    // NaN replaces the maximum, so that damaged weights are noticed.
                    if *value > *most || value.is_nan() {
                        *most = *value;
                    }
                }
            });
        }
        Ok((CpuStorage::F32(out), Shape::from((self.grid.windows(), channels))))
    }
}
