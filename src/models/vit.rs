//! ViT as an image classifier (Dosovitskiy et al. 2020, arXiv 2010.11929).
//!
//! Our own code: candle-transformers' `vit` reads no `preprocessor_config.json`, has only the erf GELU, and takes the
//! patches with a convolution. Here they are one matrix product, as in our CLIP.

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        classes::Classes,
        classify::{self, PictureClassifier, PictureNetwork},
        config::{Config, within},
        conv::{Conv, Features, Norm, Padding, Window},
        cost::{CostModel, Transformer},
        failed,
        image::Preparation,
        ops::{self, Activation, Linear},
    },
};
use candle_core::{Result, Tensor, bail};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "vit",
    about: "image classifier: ranks pictures among its own labels",
    answers: classify::ANSWERS,
    own_labels: true,
    recognises: |config| config.is_type(&["vit"], &["ViTForImageClassification"]),
    floors: false,
    cost,
    load: |checkpoint, loading| Ok(Box::new(load(checkpoint, loading)?)),
};

/// The maximum scores of one attention layer: 1 GB in f32.
const MAX_SCORES: usize = 1 << 28;

/// The settings of the network. Absent keys have the values of transformers' `ViTConfig`.
struct Shape {
    width: usize,
    inner: usize,
    layers: usize,
    heads: usize,
    eps: f64,
    activation: Activation,
    has_bias: bool,
    /// Height and width of a picture.
    picture: (usize, usize),
    patch: usize,
}

impl Shape {
    fn read(config: &Config) -> std::result::Result<Shape, Fault> {
        let width = config.count("hidden_size", within::WIDTH)?.unwrap_or(768);
        let (patch, other) = classify::sides(config, "patch_size", 16)?;
        let picture = classify::sides(config, "image_size", 224)?;
        let heads = config.heads("num_attention_heads", 12, width)?;
        if patch != other || patch > picture.0.min(picture.1) {
            return Err(Fault::model(format!(
                "{}: `patch_size` {patch}×{other} does not fit `image_size` {}×{}; square patches that fit are supported",
                config.name(),
                picture.0,
                picture.1
            )));
        }
        let tokens = (picture.0 / patch) * (picture.1 / patch) + 1;
        if tokens.saturating_mul(tokens).saturating_mul(heads) > MAX_SCORES {
            return Err(Fault::model(format!(
                "{}: {tokens} patches with {heads} heads need more than {MAX_SCORES} attention scores",
                config.name()
            )));
        }
        Ok(Shape {
            width,
            inner: config.count("intermediate_size", within::WIDTH)?.unwrap_or(3072),
            layers: config.count("num_hidden_layers", within::LAYERS)?.unwrap_or(12),
            heads,
            eps: config.number("layer_norm_eps", within::EPSILON)?.unwrap_or(1e-12),
            activation: config.activation("hidden_act", "gelu")?,
            has_bias: config.truth("qkv_bias")?.unwrap_or(true),
            picture,
            patch,
        })
    }
}

/// A transformer block with norms before its parts.
struct Block {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
    activation: Activation,
    heads: usize,
}

impl Block {
    fn load(shape: &Shape, vb: &VarBuilder<'_>) -> Result<Block> {
        let (w, inner, attn) = (shape.width, shape.inner, vb.pp("attention"));
        let projected = |name: &str| {
            let vb = attn.pp("attention").pp(name);
            if shape.has_bias {
                ops::linear_with_bias(w, w, vb)
            } else {
                Ok(Linear::new(vb.get((w, w), "weight")?, None))
            }
        };
        Ok(Block {
            norm1: ops::layer_norm(w, shape.eps, vb.pp("layernorm_before"))?,
            query: projected("query")?,
            key: projected("key")?,
            value: projected("value")?,
            out: ops::linear_with_bias(w, w, attn.pp("output.dense"))?,
            norm2: ops::layer_norm(w, shape.eps, vb.pp("layernorm_after"))?,
            up: ops::linear_with_bias(w, inner, vb.pp("intermediate.dense"))?,
            down: ops::linear_with_bias(inner, w, vb.pp("output.dense"))?,
            activation: shape.activation,
            heads: shape.heads,
        })
    }

    /// (1, t, width) -> (1, t, width)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.norm1.forward(x)?;
        let (q, k, v) = (self.query.forward(&y)?, self.key.forward(&y)?, self.value.forward(&y)?);
        let x = (x + self.out.forward(&ops::attend(&q, &k, &v, self.heads, None)?)?)?;
        let y = self.activation.forward(&self.up.forward(&self.norm2.forward(&x)?)?)?;
        x + self.down.forward(&y)?
    }
}

struct Vit {
    class: Tensor,
    patches: Conv,
    /// (1, patches + 1, width)
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
    /// Height and width of a picture.
    picture: (usize, usize),
}

impl Vit {
    fn load(shape: &Shape, classes: usize, vb: &VarBuilder<'_>) -> Result<Vit> {
        let (w, patch, v) = (shape.width, shape.patch, vb.pp("vit"));
        let e = v.pp("embeddings");
        let count = (shape.picture.0 / patch) * (shape.picture.1 / patch) + 1;
        let window = Window { kernel: patch, stride: patch, dilation: 1, padding: Padding::Each(0) };
        Ok(Vit {
            class: e.get((1, 1, w), "cls_token")?,
            patches: Conv::load((3, w), false, window, e.pp("patch_embeddings.projection"), &Norm::Bias, None)?,
            positions: e.get((1, count, w), "position_embeddings")?,
            blocks: (0..shape.layers)
                .map(|n| Block::load(shape, &v.pp("encoder.layer").pp(n)))
                .collect::<Result<_>>()?,
            norm: ops::layer_norm(w, shape.eps, v.pp("layernorm"))?,
            head: ops::linear_with_bias(w, classes, vb.pp("classifier"))?,
            picture: shape.picture,
        })
    }
}

impl PictureNetwork for Vit {
    fn logits(&self, picture: &Features) -> Result<Tensor> {
        let (height, width) = self.picture;
        if (picture.height, picture.width) != (height, width) {
            let (h, w) = (picture.height, picture.width);
            bail!("the image processor prepares pictures of {w}×{h}, but the model requires {width}×{height}")
        }
        let patches = self.patches.forward(picture)?.rows.unsqueeze(0)?;
        let mut x = (Tensor::cat(&[&self.class, &patches], 1)? + &self.positions)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.head.forward(&self.norm.forward(&x.narrow(1, 0, 1)?.contiguous()?)?.squeeze(0)?)
    }
}

fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let Shape { width, inner, layers, heads, picture, patch, .. } = Shape::read(config)?;
    let patches = (picture.0 / patch) * (picture.1 / patch);
    let embedding = 2.0 * (patches * 3 * patch * patch * width) as f64;
    let token = Transformer::plain(width, inner, layers, heads).token();
    Ok(CostModel::classifier(token.whole(patches as f64 + 1.0).with(embedding)))
}

fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<PictureClassifier, Fault> {
    let (config, classes) = (&checkpoint.config, Classes::read(&checkpoint.config)?);
    let shape = Shape::read(config)?;
    let side = shape.picture.0.min(shape.picture.1);
    let preparation = Preparation::of_classifier(&checkpoint.processor("image_processor")?, "ViT", side)?;
    let vb = checkpoint.weights(loading.dtype, &loading.device)?;
    let network = Vit::load(&shape, classes.count(), &vb).map_err(failed)?;
    Ok(PictureClassifier::new(
        Box::new(network),
        classes,
        preparation,
        (loading.dtype, &loading.device, &loading.meter),
    ))
}
