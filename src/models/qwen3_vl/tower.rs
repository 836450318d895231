//! The image tower of Qwen3-VL: patches as states, positions interpolated from a square table, rotation by row and column, and groups of
//! patches merged into vectors of the decoder.

use super::pictures::{PicturePatches, merged_order};
use crate::{
    error::Fault,
    infer::{
        config::{Config, within},
        cost::{Pass, Transformer},
        ops::{self, Activation, Linear},
    },
};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// The settings in `vision_config`, with the defaults of transformers.
#[derive(Debug, Clone)]
pub(super) struct TowerConfig {
    width: usize,
    inner: usize,
    layers: usize,
    heads: usize,
    activation: Activation,
    /// The side of a patch, in pixels.
    pub(super) patch: usize,
    /// The side of a group that is merged, in patches.
    pub(super) merge: usize,
    /// The frames of a patch.
    pub(super) frames: usize,
    /// The width of the decoder.
    pub(super) out: usize,
    /// The side of the table of positions.
    side: usize,
    /// The layers whose states go to the first layers of the decoder.
    deep: Vec<usize>,
    theta: f32,
}

impl TowerConfig {
    pub(super) fn read(config: &Config) -> std::result::Result<TowerConfig, Fault> {
        let width = config.count("hidden_size", within::WIDTH)?.unwrap_or(1152);
        let layers = config.count("depth", within::LAYERS)?.unwrap_or(27);
        if config.count("in_channels", 1..=64)?.is_some_and(|channels| channels != 3) {
            return Err(config.unsupported("in_channels"));
        }
        let table = config.count("num_position_embeddings", 1..=1 << 20)?.unwrap_or(2304);
        let side = table.isqrt();
        if side * side != table {
            return Err(config.unsupported("num_position_embeddings"));
        }
        let heads = config.heads("num_heads", 16, width)?;
        if !(width / heads).is_multiple_of(4) {
            return Err(config.unsupported("num_heads"));
        }
        let listed = config.list("deepstack_visual_indexes")?;
        let deep =
            listed.iter().map(|layer| layer.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n < layers));
        let deep: Option<Vec<usize>> = deep.collect();
        let deep = match deep {
            Some(_) if !config.states("deepstack_visual_indexes") => vec![8, 16, 24],
            Some(deep) => deep,
            None => return Err(config.unsupported("deepstack_visual_indexes")),
        };
        Ok(TowerConfig {
            width,
            inner: config.count("intermediate_size", within::WIDTH)?.unwrap_or(4304),
            layers,
            heads,
            activation: config.activation("hidden_act", "gelu_pytorch_tanh")?,
            patch: config.count("patch_size", 1..=1024)?.unwrap_or(16),
            merge: config.count("spatial_merge_size", 1..=16)?.unwrap_or(2),
            frames: config.count("temporal_patch_size", 1..=16)?.unwrap_or(2),
            out: config.count("out_hidden_size", within::WIDTH)?.unwrap_or(3584),
            side,
            deep,
            theta: config.part("rope_parameters")?.number("rope_theta", 2.0..=1e15)?.unwrap_or(10_000.0) as f32,
        })
    }

    /// The work for a square picture of this side, in pixels.
    pub(super) fn cost(&self, side: usize) -> Pass {
        let patches = (side / self.patch).pow(2) as f64;
        let embedding = 2.0 * patches * (3 * self.patch * self.patch * self.width) as f64;
        Transformer::plain(self.width, self.inner, self.layers, self.heads).token().whole(patches).with(embedding)
    }
}

struct Block {
    norm1: LayerNorm,
    /// Queries, keys and values.
    joined: Linear,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

/// Turns groups of patches into vectors of the decoder.
struct Merger {
    norm: LayerNorm,
    /// The states of a group are joined before the norm, not after it.
    joins_first: bool,
    up: Linear,
    down: Linear,
}

impl Merger {
    fn load(config: &TowerConfig, joins_first: bool, vb: &VarBuilder<'_>) -> Result<Merger> {
        let group = config.width * config.merge * config.merge;
        Ok(Merger {
            norm: ops::layer_norm(if joins_first { group } else { config.width }, EPS, vb.pp("norm"))?,
            joins_first,
            up: ops::linear_with_bias(group, group, vb.pp("linear_fc1"))?,
            down: ops::linear_with_bias(group, config.out, vb.pp("linear_fc2"))?,
        })
    }

    /// (patches, width) -> (groups, width of the decoder)
    fn forward(&self, x: &Tensor, group: usize) -> Result<Tensor> {
        let joined = |x: &Tensor| x.reshape((x.dim(0)? / group, ()));
        let x = match self.joins_first {
            true => self.norm.forward(&joined(x)?)?,
            false => joined(&self.norm.forward(x)?)?,
        };
        self.down.forward(&Activation::Gelu.forward(&self.up.forward(&x)?)?)
    }
}

/// The addend of all norms.
const EPS: f64 = 1e-6;

/// A loaded tower.
pub(super) struct Tower {
    config: TowerConfig,
    /// (3 · patch · patch, width): the sum over the frames of a patch, which are equal in a still picture.
    still: Tensor,
    /// The same for each frame of a patch.
    moving: Vec<Tensor>,
    bias: Tensor,
    /// (side · side, width)
    positions: Tensor,
    blocks: Vec<Block>,
    merger: Merger,
    deep: Vec<Merger>,
    device: Device,
    dtype: DType,
}

impl Tower {
    pub(super) fn load(config: TowerConfig, vb: &VarBuilder<'_>) -> Result<Tower> {
        let TowerConfig { width: w, inner, patch, frames, side, .. } = config;
        let weight = vb.get((w, 3, frames, patch, patch), "patch_embed.proj.weight")?;
        let map = |weight: Tensor| weight.reshape((w, ()))?.t()?.contiguous();
        let block = |n: usize| {
            let vb = vb.pp("blocks").pp(n);
            Ok(Block {
                norm1: ops::layer_norm(w, EPS, vb.pp("norm1"))?,
                joined: ops::linear_with_bias(w, 3 * w, vb.pp("attn.qkv"))?,
                out: ops::linear_with_bias(w, w, vb.pp("attn.proj"))?,
                norm2: ops::layer_norm(w, EPS, vb.pp("norm2"))?,
                up: ops::linear_with_bias(w, inner, vb.pp("mlp.linear_fc1"))?,
                down: ops::linear_with_bias(inner, w, vb.pp("mlp.linear_fc2"))?,
            })
        };
        let deep = |n: usize| Merger::load(&config, true, &vb.pp("deepstack_merger_list").pp(n));
        Ok(Tower {
            still: map(weight.sum(2)?)?,
            moving: (0..frames).map(|n| map(weight.narrow(2, n, 1)?.contiguous()?)).collect::<Result<_>>()?,
            bias: vb.get(w, "patch_embed.proj.bias")?,
            positions: vb.get((side * side, w), "pos_embed.weight")?,
            blocks: (0..config.layers).map(block).collect::<Result<_>>()?,
            merger: Merger::load(&config, false, &vb.pp("merger"))?,
            deep: (0..config.deep.len()).map(deep).collect::<Result<_>>()?,
            device: vb.device().clone(),
            dtype: vb.dtype(),
            config,
        })
    }

    /// The frames of a patch.
    pub(super) fn frames(&self) -> usize {
        self.config.frames
    }

    /// Rows and columns of the vectors of a picture.
    pub(super) fn grid(&self, picture: &PicturePatches) -> (u32, u32) {
        ((picture.rows / self.config.merge) as u32, (picture.columns / self.config.merge) as u32)
    }

    /// The vectors of a picture, and those for the first layers of the decoder: each (groups, width of the decoder).
    pub(super) fn see(&self, picture: &PicturePatches) -> Result<(Tensor, Vec<Tensor>)> {
        let count = picture.rows * picture.columns;
        let weights = if picture.values.len() == 1 { std::slice::from_ref(&self.still) } else { &self.moving[..] };
        let mut x = self.places(picture)?.broadcast_add(&self.bias)?;
        for (values, weights) in picture.values.iter().zip(weights) {
            let pixels = Tensor::from_slice(values, (count, ()), &self.device)?.to_dtype(self.dtype)?;
            x = (x + pixels.matmul(weights)?)?;
        }
        let mut x = x.unsqueeze(0)?;
        let angles = self.angles(picture)?;
        let group = self.config.merge * self.config.merge;
        let mut deep = vec![None; self.deep.len()];
        for (n, block) in self.blocks.iter().enumerate() {
            x = self.block(block, &x, &angles)?;
            for (place, _) in self.config.deep.iter().enumerate().filter(|(_, layer)| **layer == n) {
                deep[place] = Some(self.deep[place].forward(&x.squeeze(0)?, group)?);
            }
        }
        Ok((self.merger.forward(&x.squeeze(0)?, group)?, deep.into_iter().flatten().collect()))
    }

    /// (1, patches, width) -> (1, patches, width)
    fn block(&self, block: &Block, x: &Tensor, (cos, sin): &(Tensor, Tensor)) -> Result<Tensor> {
        let (_, count, width) = x.dims3()?;
        let (heads, head) = (self.config.heads, width / self.config.heads);
        let joined = block.joined.forward(&block.norm1.forward(x)?)?.reshape((1, count, 3, heads, head))?;
        // (1, heads, patches, head)
        let part = |n: usize| joined.narrow(2, n, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let rotated = |x: Tensor| candle_nn::rotary_emb::rope(&x, cos, sin);
        let q = (rotated(part(0)?)? * (head as f64).powf(-0.5))?;
        let mixed = ops::attend_heads(&q, &rotated(part(1)?)?, &part(2)?, None)?;
        let x = (x + block.out.forward(&mixed.transpose(1, 2)?.reshape((1, count, width))?)?)?;
        let y = self.config.activation.forward(&block.up.forward(&block.norm2.forward(&x)?)?)?;
        x + block.down.forward(&y)?
    }

    /// Cosines and sines, (patches, head / 2): the first half turns with the row, the second with the column.
    fn angles(&self, picture: &PicturePatches) -> Result<(Tensor, Tensor)> {
        let spatial = self.config.width / self.config.heads / 2;
        let frequencies: Vec<f32> =
            (0..spatial / 2).map(|n| 1.0 / self.config.theta.powf(2.0 * n as f32 / spatial as f32)).collect();
        let mut angles = Vec::with_capacity(picture.rows * picture.columns * spatial);
        for (row, column) in merged_order(picture.rows, picture.columns, self.config.merge) {
            angles.extend([row, column].iter().flat_map(|at| frequencies.iter().map(move |f| *at as f32 * f)));
        }
        let angles = Tensor::from_vec(angles, ((), spatial), &self.device)?;
        Ok((angles.cos()?.to_dtype(self.dtype)?, angles.sin()?.to_dtype(self.dtype)?))
    }

    /// The states of positions, (patches, width): between the four nearest of the table, whose corners are those of the picture.
    fn places(&self, picture: &PicturePatches) -> Result<Tensor> {
        let side = self.config.side;
        let taps = |at: usize, count: usize| -> (usize, usize, f32) {
            let place = at as f32 * (side - 1) as f32 / count.saturating_sub(1).max(1) as f32;
            let low = place.floor() as usize;
            (low.min(side - 1), (low + 1).min(side - 1), place - low as f32)
        };
        let (mut indices, mut weights) = (vec![vec![]; 4], vec![vec![]; 4]);
        for (row, column) in merged_order(picture.rows, picture.columns, self.config.merge) {
            let ((top, bottom, down), (left, right, over)) = (taps(row, picture.rows), taps(column, picture.columns));
            let corners = [
                (top, left, (1.0 - down) * (1.0 - over)),
                (top, right, (1.0 - down) * over),
                (bottom, left, down * (1.0 - over)),
                (bottom, right, down * over),
            ];
            for (n, (row, column, weight)) in corners.into_iter().enumerate() {
                indices[n].push((row * side + column) as u32);
                weights[n].push(weight);
            }
        }
        let mut sum: Option<Tensor> = None;
        for (indices, weights) in indices.into_iter().zip(weights) {
            let rows = self.positions.index_select(&Tensor::new(indices, &self.device)?, 0)?;
            let weights = Tensor::new(weights, &self.device)?.to_dtype(self.dtype)?.unsqueeze(1)?;
            let part = rows.broadcast_mul(&weights)?;
            sum = Some(match sum {
                Some(sum) => (sum + part)?,
                None => part,
            });
        }
        sum.ok_or_else(|| candle_core::Error::msg("no corners: this is a bug"))
    }
}
