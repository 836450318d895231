//! The transformer block with norms before its parts, as CLIP and SigLIP use it in both towers.

use super::{
    config::{Config, within},
    cost::Transformer,
    ops::{self, Activation, Linear},
};
use crate::error::Fault;
use candle_core::{Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// The settings of a tower.
#[derive(Debug, Clone, Copy)]
pub struct TowerShape {
    /// The width of a state.
    pub width: usize,
    /// The width between the two halves of a feed-forward part.
    pub inner: usize,
    /// The number of blocks.
    pub layers: usize,
    /// The number of attention heads.
    pub heads: usize,
    /// The addend of a norm.
    pub eps: f64,
    /// The activation of a feed-forward part.
    pub activation: Activation,
}

/// The values of absent keys: those of the configuration class in transformers.
#[derive(Debug, Clone, Copy)]
pub struct TowerDefaults {
    /// `hidden_size`
    pub width: usize,
    /// `intermediate_size`
    pub inner: usize,
    /// `num_attention_heads`
    pub heads: usize,
    /// `layer_norm_eps`
    pub eps: f64,
    /// `hidden_act`
    pub activation: &'static str,
}

impl TowerShape {
    /// Reads the settings of a tower. Fails if a value is out of range.
    pub fn read(config: &Config, defaults: TowerDefaults) -> std::result::Result<TowerShape, Fault> {
        let width = config.count("hidden_size", within::WIDTH)?.unwrap_or(defaults.width);
        Ok(TowerShape {
            width,
            inner: config.count("intermediate_size", within::WIDTH)?.unwrap_or(defaults.inner),
            layers: config.count("num_hidden_layers", within::LAYERS)?.unwrap_or(12),
            heads: config.heads("num_attention_heads", defaults.heads, width)?,
            eps: config.number("layer_norm_eps", within::EPSILON)?.unwrap_or(defaults.eps),
            activation: config.activation("hidden_act", defaults.activation)?,
        })
    }

    /// The blocks as a transformer, for an estimate of the work.
    pub fn transformer(&self) -> Transformer {
        let TowerShape { width, inner, layers, heads, .. } = *self;
        Transformer { width, inner, layers, heads, queries: width, keys: width, gated: false }
    }

    /// True if inputs of `rows` states may share a forward pass ([`ops::may_share`]).
    pub fn may_share(&self, rows: usize) -> bool {
        ops::may_share(rows, self.width.min(self.inner))
    }

    /// The blocks below `encoder.layers`.
    pub fn blocks(&self, vb: &VarBuilder<'_>) -> Result<Vec<PreNormBlock>> {
        (0..self.layers).map(|n| PreNormBlock::load(self, vb.pp("encoder.layers").pp(n))).collect()
    }
}

/// Two linear maps with an activation between them.
pub struct FeedForward {
    up: Linear,
    down: Linear,
    activation: Activation,
}

impl FeedForward {
    /// Reads `fc1` and `fc2`.
    pub fn load(shape: &TowerShape, vb: VarBuilder<'_>) -> Result<FeedForward> {
        Ok(FeedForward {
            up: ops::linear_with_bias(shape.width, shape.inner, vb.pp("fc1"))?,
            down: ops::linear_with_bias(shape.inner, shape.width, vb.pp("fc2"))?,
            activation: shape.activation,
        })
    }

    /// (…, width) -> (…, width)
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.down.forward(&self.activation.forward(&self.up.forward(x)?)?)
    }
}

/// A transformer block with norms before its parts.
pub struct PreNormBlock {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: LayerNorm,
    mlp: FeedForward,
    heads: usize,
}

impl PreNormBlock {
    fn load(shape: &TowerShape, vb: VarBuilder<'_>) -> Result<PreNormBlock> {
        let (w, attn) = (shape.width, vb.pp("self_attn"));
        Ok(PreNormBlock {
            norm1: ops::layer_norm(w, shape.eps, vb.pp("layer_norm1"))?,
            query: ops::linear_with_bias(w, w, attn.pp("q_proj"))?,
            key: ops::linear_with_bias(w, w, attn.pp("k_proj"))?,
            value: ops::linear_with_bias(w, w, attn.pp("v_proj"))?,
            out: ops::linear_with_bias(w, w, attn.pp("out_proj"))?,
            norm2: ops::layer_norm(w, shape.eps, vb.pp("layer_norm2"))?,
            mlp: FeedForward::load(shape, vb.pp("mlp"))?,
            heads: shape.heads,
        })
    }

    /// (batch, t, width) -> (batch, t, width)
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let y = self.norm1.forward(x)?;
        let (q, k, v) = (self.query.forward(&y)?, self.key.forward(&y)?, self.value.forward(&y)?);
        let x = (x + self.out.forward(&ops::attend(&q, &k, &v, self.heads, mask)?)?)?;
        let y = self.mlp.forward(&self.norm2.forward(&x)?)?;
        x + y
    }
}

/// The patches of pictures as states: a convolution whose stride is its width is a linear map of each patch.
pub struct Patches {
    /// (width, 3·patch·patch)
    weight: Tensor,
    bias: Option<Tensor>,
    patch: usize,
}

impl Patches {
    /// Reads `weight`, and `bias` if there is one.
    pub fn load(width: usize, patch: usize, vb: &VarBuilder<'_>) -> Result<Patches> {
        let weight = vb.get((width, 3, patch, patch), "weight")?.reshape((width, 3 * patch * patch))?;
        let bias = if vb.contains_tensor("bias") { Some(vb.get(width, "bias")?) } else { None };
        Ok(Patches { weight, bias, patch })
    }

    /// (batch, 3, height, width) -> (batch, patches, width), row by row. Trailing pixels that do not fill a patch are
    /// dropped.
    pub fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let (batch, _, height, width) = pixels.dims4()?;
        let (rows, columns, p) = (height / self.patch, width / self.patch, self.patch);
        let patches = pixels
            .narrow(2, 0, rows * p)?
            .narrow(3, 0, columns * p)?
            .reshape(&[batch, 3, rows, p, columns, p][..])?
            .permute([0, 2, 4, 1, 3, 5])? // (batch, rows, columns, 3, p, p)
            .reshape((batch * rows * columns, 3 * p * p))?
            .matmul(&self.weight.t()?)?
            .reshape((batch, rows * columns, self.weight.dim(0)?))?;
        match &self.bias {
            Some(bias) => patches.broadcast_add(bias),
            None => Ok(patches),
        }
    }
}
