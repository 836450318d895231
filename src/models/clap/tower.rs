//! HTSAT, the sound tower of CLAP: a Swin transformer over a spectrogram, whose blocks attend within windows (Chen et
//! al. 2022, arXiv 2202.00874; Liu et al. 2021, arXiv 2103.14030).

use super::{
    features::SoundFeatures,
    projection::Projection,
    shape::{EPS, HearingShape},
};
use crate::infer::{
    contrast::SoundTower,
    dense::Precision,
    ops::{self, Activation, Linear},
};
use candle_core::{DType, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// The tokens of each window in a shifted grid.
struct Grid {
    /// The token at each place of each window; the one after the last for a place beyond the grid.
    order: Tensor,
    /// The place of each token.
    back: Tensor,
    /// The number of windows.
    windows: usize,
    padded: bool,
    /// The region of each place, which attends to its own only; none without a shift.
    regions: Option<Vec<usize>>,
}

impl Grid {
    /// Windows of `window` × `window` over `side` × `side` tokens that are moved by `shift`.
    fn new(side: usize, window: usize, shift: usize, vb: &VarBuilder<'_>) -> Result<Grid> {
        let whole = side.next_multiple_of(window);
        let across = whole / window;
        let (mut order, mut back, mut regions) = (Vec::new(), vec![0u32; side * side], Vec::new());
        let region = |at: usize| usize::from(at + window >= whole) + usize::from(at + shift >= whole);
        for place in 0..whole * whole {
            let (tile, inside) = (place / (window * window), place % (window * window));
            let row = tile / across * window + inside / window;
            let column = tile % across * window + inside % window;
            regions.push(3 * region(row) + region(column));
            let (row, column) = ((row + shift) % whole, (column + shift) % whole);
            let token = if row < side && column < side { row * side + column } else { side * side };
            if let Some(back) = back.get_mut(token) {
                *back = place as u32;
            }
            order.push(token as u32);
        }
        Ok(Grid {
            order: Tensor::new(order, vb.device())?,
            back: Tensor::new(back, vb.device())?,
            windows: across * across,
            padded: whole > side,
            regions: (shift > 0).then_some(regions),
        })
    }

    /// (tokens, width) -> (windows, places, width)
    fn split(&self, x: &Tensor) -> Result<Tensor> {
        let width = x.dim(1)?;
        let padded = match self.padded {
            true => Tensor::cat(&[x, &Tensor::zeros((1, width), x.dtype(), x.device())?], 0)?,
            false => x.clone(),
        };
        padded.index_select(&self.order, 0)?.reshape((self.windows, (), width))
    }

    /// (windows, places, width) -> (tokens, width)
    fn join(&self, x: &Tensor) -> Result<Tensor> {
        x.reshape((self.windows * x.dim(1)?, x.dim(2)?))?.index_select(&self.back, 0)
    }
}

/// A block: attention within windows, then a map of each token.
struct SwinBlock {
    before: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    after: LayerNorm,
    up: Linear,
    down: Linear,
    activation: Activation,
    heads: usize,
    grid: Grid,
    /// Added to the scores: (1 or windows, heads, places, places).
    bias: Tensor,
}

impl SwinBlock {
    fn load(shape: &HearingShape, stage: usize, block: usize, vb: &VarBuilder<'_>) -> Result<SwinBlock> {
        let (w, heads, window) = (shape.width << stage, shape.stages[stage].1, shape.window);
        let side = (shape.spec / shape.patch) >> stage;
        let shift = if block % 2 == 1 && side > window { window / 2 } else { 0 };
        let (grid, inner) = (Grid::new(side, window, shift, vb)?, shape.inner(w));
        let (attention, out) = (vb.pp("attention.self"), vb.pp("attention.output"));
        let table = attention.get(((2 * window - 1).pow(2), heads), "relative_position_bias_table")?.contiguous()?;
        let pack = |map: Result<Linear>| ops::packed(map?, vb, Precision::F32);
        Ok(SwinBlock {
            before: ops::layer_norm(w, shape.eps, vb.pp("layernorm_before"))?,
            query: pack(ops::linear(w, w, attention.pp("query")))?,
            key: pack(ops::linear(w, w, attention.pp("key")))?,
            value: pack(ops::linear(w, w, attention.pp("value")))?,
            out: pack(ops::linear_with_bias(w, w, out.pp("dense")))?,
            after: ops::layer_norm(w, shape.eps, vb.pp("layernorm_after"))?,
            up: pack(ops::linear_with_bias(w, inner, vb.pp("intermediate.dense")))?,
            down: pack(ops::linear_with_bias(inner, w, vb.pp("output.dense")))?,
            activation: shape.activation,
            heads,
            bias: biases(&table, window, heads, &grid)?,
            grid,
        })
    }

    /// (tokens, width) -> (tokens, width)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.grid.split(&self.before.forward(x)?)?;
        let (windows, places, width) = y.dims3()?;
        let d = width / self.heads;
        let split = |x: Tensor| x.reshape((windows, places, self.heads, d))?.transpose(1, 2)?.contiguous();
        let q = (split(self.query.forward(&y)?)? * (d as f64).powf(-0.5))?;
        let (k, v) = (split(self.key.forward(&y)?)?, split(self.value.forward(&y)?)?);
        let y = ops::attend_heads(&q, &k, &v, Some(&self.bias))?.transpose(1, 2)?.reshape((windows, places, width))?;
        let x = (x + self.grid.join(&self.out.forward(&y)?)?)?;
        let y = self.down.forward(&self.activation.forward(&self.up.forward(&self.after.forward(&x)?)?)?)?;
        x + y
    }
}

/// The addends of the scores: one for each head and distance, and -100 between regions that were not neighbours.
fn biases(table: &Tensor, window: usize, heads: usize, grid: &Grid) -> Result<Tensor> {
    let places = window * window;
    let distance = |a: usize, b: usize| {
        let apart = |a: usize, b: usize| a + window - 1 - b;
        (apart(a / window, b / window) * (2 * window - 1) + apart(a % window, b % window)) as u32
    };
    let index: Vec<u32> = (0..places).flat_map(|a| (0..places).map(move |b| distance(a, b))).collect();
    let index = Tensor::new(index, table.device())?;
    let near = table
        .index_select(&index, 0)?
        .reshape((places, places, heads))?
        .permute((2, 0, 1))?
        .contiguous()?
        .unsqueeze(0)?;
    let Some(regions) = &grid.regions else { return Ok(near) };
    let apart = regions
        .chunks_exact(places)
        .flat_map(|own| own.iter().flat_map(|a| own.iter().map(move |b| if a == b { 0.0f32 } else { -100.0 })));
    let apart = Tensor::from_vec(apart.collect(), (grid.windows, 1, places, places), table.device())?;
    near.broadcast_add(&apart.to_dtype(table.dtype())?)
}

/// Joins each four neighbours to one token of twice the width.
struct Merging {
    norm: LayerNorm,
    reduction: Linear,
    /// The four neighbours of each new token.
    corners: Vec<Tensor>,
}

impl Merging {
    fn load(width: usize, side: usize, vb: &VarBuilder<'_>) -> Result<Merging> {
        let half = side / 2;
        let corner = |(row, column): (usize, usize)| {
            let at = |n: usize| ((2 * (n / half) + row) * side + 2 * (n % half) + column) as u32;
            Tensor::new((0..half * half).map(at).collect::<Vec<_>>(), vb.device())
        };
        let reduction = ops::linear_without_bias(4 * width, 2 * width, vb.pp("reduction"))?;
        Ok(Merging {
            norm: ops::layer_norm(4 * width, EPS, vb.pp("norm"))?,
            reduction: ops::packed(reduction, vb, Precision::F32)?,
            corners: [(0, 0), (1, 0), (0, 1), (1, 1)].into_iter().map(corner).collect::<Result<_>>()?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let parts = self.corners.iter().map(|corner| x.index_select(corner, 0)).collect::<Result<Vec<_>>>()?;
        self.reduction.forward(&self.norm.forward(&Tensor::cat(&parts, 1)?)?)
    }
}

/// The sound tower.
pub(super) struct Hearing {
    features: SoundFeatures,
    /// Scale and addend of each mel bin: the batch norm.
    norms: Vec<(f32, f32)>,
    shape: HearingShape,
    /// (width, patch·patch)
    patches: Linear,
    patch_norm: Option<LayerNorm>,
    stages: Vec<(Vec<SwinBlock>, Option<Merging>)>,
    norm: LayerNorm,
    projection: Projection,
    dtype: DType,
}

impl Hearing {
    pub(super) fn load(
        shape: &HearingShape,
        features: SoundFeatures,
        (width, activation): (usize, Activation),
        vb: &VarBuilder<'_>,
    ) -> Result<Hearing> {
        let v = vb.pp("audio_model.audio_encoder");
        let (w, p, e) = (shape.width, shape.patch, v.pp("patch_embed"));
        let last = shape.stages.len() - 1;
        let stage = |n: usize| -> Result<_> {
            let vb = v.pp("layers").pp(n);
            let blocks =
                (0..shape.stages[n].0).map(|block| SwinBlock::load(shape, n, block, &vb.pp("blocks").pp(block)));
            let side = (shape.spec / p) >> n;
            let merging = (n < last).then(|| Merging::load(w << n, side, &vb.pp("downsample"))).transpose()?;
            Ok((blocks.collect::<Result<Vec<_>>>()?, merging))
        };
        let weight = e.get((w, 1, p, p), "proj.weight")?.reshape((w, p * p))?;
        Ok(Hearing {
            features,
            norms: norms(shape.bins, &v.pp("batch_norm"))?,
            patches: Linear::new(weight, Some(e.get(w, "proj.bias")?)),
            patch_norm: shape.patch_norm.then(|| ops::layer_norm(w, EPS, e.pp("norm"))).transpose()?,
            stages: (0..=last).map(stage).collect::<Result<_>>()?,
            norm: ops::layer_norm(shape.width_out(), EPS, v.pp("norm"))?,
            projection: Projection::load(shape.width_out(), width, activation, &vb.pp("audio_projection"))?,
            shape: shape.clone(),
            dtype: vb.dtype(),
        })
    }
}

/// A batch norm as a scale and an addend of each bin.
fn norms(bins: usize, vb: &VarBuilder<'_>) -> Result<Vec<(f32, f32)>> {
    let read = |name: &str| vb.get(bins, name)?.to_dtype(DType::F32)?.to_vec1::<f32>();
    let (weight, bias, mean, variance) = (read("weight")?, read("bias")?, read("running_mean")?, read("running_var")?);
    let norm = |n: usize| {
        let scale = f64::from(weight[n]) / (f64::from(variance[n]) + EPS).sqrt();
        (scale as f32, (f64::from(bias[n]) - f64::from(mean[n]) * scale) as f32)
    };
    Ok((0..bins).map(norm).collect())
}

impl SoundTower for Hearing {
    fn rate_hz(&self) -> u32 {
        self.features.rate_hz()
    }

    fn window(&self) -> usize {
        self.features.window
    }

    fn hear(&self, samples: &[f32]) -> Result<Vec<f32>> {
        let (p, side) = (self.shape.patch, self.shape.spec / self.shape.patch);
        let picture = self.features.picture(samples, &self.norms);
        let device = self.norm.weight().device();
        let x = Tensor::from_vec(picture, (self.shape.spec, self.shape.spec), device)?.to_dtype(self.dtype)?;
        let x = x.narrow(0, 0, side * p)?.narrow(1, 0, side * p)?.reshape((side, p, side, p))?;
        let mut x = self.patches.forward(&x.permute((0, 2, 1, 3))?.reshape((side * side, p * p))?)?;
        if let Some(norm) = &self.patch_norm {
            x = norm.forward(&x)?;
        }
        for (blocks, merging) in &self.stages {
            for block in blocks {
                x = block.forward(&x)?;
            }
            if let Some(merging) = merging {
                x = merging.forward(&x)?;
            }
        }
        ops::unit(&self.projection.forward(&self.norm.forward(&x)?.mean_keepdim(0)?)?)
    }
}
