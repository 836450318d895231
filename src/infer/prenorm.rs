//! The transformer block with norms before its parts, as ViT and both towers of CLIP and SigLIP use it.

use super::{
    config::{Config, within},
    cost::Transformer,
    dense::{BlockParts, DenseBlock, NormParts, NormPlace, Precision, Sees, Stack},
    ops::{self, Activation, Linear},
};
use crate::error::Fault;
use candle_core::{Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// The maximum scores of one attention layer. OWLv2 large has 430 million.
const MAX_SCORES: usize = 1 << 29;

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
    /// The number format of the products on a CPU.
    pub precision: Precision,
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
            precision: Precision::F32,
        })
    }

    /// The same tower with products in another format.
    #[must_use]
    pub fn with(self, precision: Precision) -> TowerShape {
        TowerShape { precision, ..self }
    }

    /// The blocks as a transformer, for an estimate of the work.
    pub fn transformer(&self) -> Transformer {
        let TowerShape { width, inner, layers, heads, .. } = *self;
        Transformer::plain(width, inner, layers, heads)
    }

    /// Fails if attention over `tokens` states has more scores than any published model. The work grows with their
    /// number, and the weights do not bound it.
    pub fn check_attention(&self, config: &Config, what: &str, tokens: usize) -> std::result::Result<(), Fault> {
        if tokens.saturating_mul(tokens).saturating_mul(self.heads) <= MAX_SCORES {
            return Ok(());
        }
        let (name, heads) = (config.name(), self.heads);
        let why = format!("{tokens} {what} with {heads} heads need more than {MAX_SCORES} attention scores");
        Err(Fault::model(format!("{name}: {why}")))
    }

    /// The blocks below `encoder.layers`, with the names of CLIP.
    pub fn blocks(&self, vb: &VarBuilder<'_>) -> Result<TowerBlocks> {
        self.named_blocks(&CLIP_NAMES, AttentionBiases::All, &vb.pp("encoder.layers"))
    }

    /// The blocks directly below `vb`, with these names and biases.
    pub fn named_blocks(
        &self,
        names: &BlockNames,
        biases: AttentionBiases,
        vb: &VarBuilder<'_>,
    ) -> Result<TowerBlocks> {
        let blocks = (0..self.layers).map(|n| PreNormBlock::load(self, names, biases, &vb.pp(n)));
        Ok(TowerBlocks(Stack::load(blocks, |block| block.dense(self))?))
    }
}

/// The blocks of a tower, in order.
pub struct TowerBlocks(Stack<PreNormBlock>);

impl TowerBlocks {
    /// True if inputs of `rows` states may share a forward pass: the packed form has the same sums in every batch, candle's
    /// products where [`ops::may_share`] says so.
    pub fn may_share(&self, shape: &TowerShape, rows: usize) -> bool {
        self.0.is_dense() || ops::may_share(rows, shape.width.min(shape.inner))
    }

    #[cfg(test)]
    pub(super) fn dense(&self) -> Option<&super::dense::DenseBlocks> {
        if let Stack::Dense(blocks) = &self.0 { Some(blocks) } else { None }
    }

    /// (batch, t, width) -> (batch, t, width)
    pub fn forward(&self, x: Tensor, sees: Sees) -> Result<Tensor> {
        let blocks = match &self.0 {
            Stack::Dense(blocks) => return blocks.forward(&x.contiguous()?, sees),
            Stack::Tensors(blocks) => blocks,
        };
        let mask = match sees {
            Sees::All => None,
            Sees::Before => Some(ops::causal_mask(x.dim(1)?, 0, x.dtype(), x.device())?),
        };
        blocks.iter().try_fold(x, |x, block| block.forward(&x, mask.as_ref()))
    }
}

/// The names of the layers of a block.
#[derive(Debug, Clone, Copy)]
pub struct BlockNames {
    /// The norms before attention and before the feed-forward part.
    pub norms: [&'static str; 2],
    /// Queries, keys, values and output of attention.
    pub attention: [&'static str; 4],
    /// The two maps of the feed-forward part.
    pub feed_forward: [&'static str; 2],
}

/// The biases of queries, keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttentionBiases {
    /// Each has one.
    All,
    /// Keys have none.
    NoKeys,
    /// None has one.
    None,
}

const CLIP_NAMES: BlockNames = BlockNames {
    norms: ["layer_norm1", "layer_norm2"],
    attention: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"],
    feed_forward: ["mlp.fc1", "mlp.fc2"],
};

/// Two linear maps with an activation between them.
pub struct FeedForward {
    up: Linear,
    down: Linear,
    activation: Activation,
}

impl FeedForward {
    /// Reads the two maps with these names.
    pub fn load(shape: &TowerShape, [up, down]: [&str; 2], vb: &VarBuilder<'_>) -> Result<FeedForward> {
        Ok(FeedForward {
            up: ops::linear_with_bias(shape.width, shape.inner, vb.pp(up))?,
            down: ops::linear_with_bias(shape.inner, shape.width, vb.pp(down))?,
            activation: shape.activation,
        })
    }

    /// The same maps with packed matrices.
    pub fn packed(self, vb: &VarBuilder<'_>, precision: Precision) -> Result<FeedForward> {
        let pack = |map| ops::packed(map, vb, precision);
        Ok(FeedForward { up: pack(self.up)?, down: pack(self.down)?, ..self })
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
    fn load(
        shape: &TowerShape,
        names: &BlockNames,
        biases: AttentionBiases,
        vb: &VarBuilder<'_>,
    ) -> Result<PreNormBlock> {
        let (w, [query, key, value, out]) = (shape.width, names.attention);
        let projected =
            |name: &str| match biases == AttentionBiases::All || (biases == AttentionBiases::NoKeys && name != key) {
                true => ops::linear_with_bias(w, w, vb.pp(name)),
                false => ops::linear_without_bias(w, w, vb.pp(name)),
            };
        let norm = |name: &str| ops::layer_norm(w, shape.eps, vb.pp(name));
        Ok(PreNormBlock {
            norm1: norm(names.norms[0])?,
            query: projected(query)?,
            key: projected(key)?,
            value: projected(value)?,
            out: ops::linear_with_bias(w, w, vb.pp(out))?,
            norm2: norm(names.norms[1])?,
            mlp: FeedForward::load(shape, names.feed_forward, vb)?,
            heads: shape.heads,
        })
    }

    /// The same block for a CPU; `None` where candle computes it.
    fn dense(&self, shape: &TowerShape) -> Result<Option<DenseBlock>> {
        let parts = BlockParts {
            norms: [NormParts(&self.norm1, shape.eps), NormParts(&self.norm2, shape.eps)],
            attention: [&self.query, &self.key, &self.value],
            out: &self.out,
            feed_forward: [&self.mlp.up, &self.mlp.down],
            activation: self.mlp.activation,
            heads: self.heads,
            place: NormPlace::Before,
        };
        DenseBlock::new(&parts, shape.precision)
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
    map: Linear,
    width: usize,
    patch: usize,
}

impl Patches {
    /// Reads `weight`, and `bias` if there is one.
    pub fn load(width: usize, patch: usize, vb: &VarBuilder<'_>) -> Result<Patches> {
        let weight = vb.get((width, 3, patch, patch), "weight")?.reshape((width, 3 * patch * patch))?;
        let bias = if vb.contains_tensor("bias") { Some(vb.get(width, "bias")?) } else { None };
        let map = ops::packed(Linear::new(weight, bias), vb, Precision::F32)?;
        Ok(Patches { map, width, patch })
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
            .reshape((batch * rows * columns, 3 * p * p))?;
        self.map.forward(&patches)?.reshape((batch, rows * columns, self.width))
    }
}
