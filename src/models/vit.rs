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
        classify::{self, PictureNetwork},
        config::Config,
        conv::{Conv, Features, Norm, Padding, Window},
        cost::CostModel,
        dense::{Packing, Precision, Sees},
        image::Preparation,
        job::Model,
        ops::{self, Linear},
        prenorm::{AttentionBiases, BlockNames, TowerBlocks, TowerDefaults, TowerShape},
    },
};
use candle_core::{Result, Tensor, bail};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    packing: Packing::Int8,
    ..Family::classifier("vit", |config| config.is_type(&["vit"], &["ViTForImageClassification"]), cost, load)
};

/// Absent keys have the values of transformers' `ViTConfig`.
const DEFAULTS: TowerDefaults = TowerDefaults { width: 768, inner: 3072, heads: 12, eps: 1e-12, activation: "gelu" };

/// The settings of the network.
struct Shape {
    tower: TowerShape,
    biases: AttentionBiases,
    /// Height and width of a picture.
    picture: (usize, usize),
    patch: usize,
}

impl Shape {
    fn read(config: &Config, precision: Precision) -> std::result::Result<Shape, Fault> {
        let tower = TowerShape::read(config, DEFAULTS)?.with(precision);
        let (patch, other) = classify::sides(config, "patch_size", 16)?;
        let picture = classify::sides(config, "image_size", 224)?;
        if patch != other || patch > picture.0.min(picture.1) {
            return Err(Fault::model(format!(
                "{}: `patch_size` {patch}×{other} does not fit `image_size` {}×{}; square patches that fit are supported",
                config.name(),
                picture.0,
                picture.1
            )));
        }
        tower.check_attention(config, "patches", (picture.0 / patch) * (picture.1 / patch) + 1)?;
        let biases =
            if config.truth("qkv_bias")? == Some(false) { AttentionBiases::None } else { AttentionBiases::All };
        Ok(Shape { tower, biases, picture, patch })
    }
}

/// The names of the layers of a block.
const NAMES: BlockNames = BlockNames {
    norms: ["layernorm_before", "layernorm_after"],
    attention: [
        "attention.attention.query",
        "attention.attention.key",
        "attention.attention.value",
        "attention.output.dense",
    ],
    feed_forward: ["intermediate.dense", "output.dense"],
};

struct Vit {
    class: Tensor,
    patches: Conv,
    /// (1, patches + 1, width)
    positions: Tensor,
    blocks: TowerBlocks,
    norm: LayerNorm,
    head: Linear,
    /// Height and width of a picture.
    picture: (usize, usize),
}

impl Vit {
    fn load(shape: &Shape, classes: usize, vb: &VarBuilder<'_>) -> Result<Vit> {
        let (w, patch, v) = (shape.tower.width, shape.patch, vb.pp("vit"));
        let e = v.pp("embeddings");
        let count = (shape.picture.0 / patch) * (shape.picture.1 / patch) + 1;
        let window = Window { kernel: patch, stride: patch, dilation: 1, padding: Padding::Each(0) };
        Ok(Vit {
            class: e.get((1, 1, w), "cls_token")?,
            patches: Conv::load((3, w), false, window, e.pp("patch_embeddings.projection"), &Norm::Bias, None)?,
            positions: e.get((1, count, w), "position_embeddings")?,
            blocks: shape.tower.named_blocks(&NAMES, shape.biases, &v.pp("encoder.layer"))?,
            norm: ops::layer_norm(w, shape.tower.eps, v.pp("layernorm"))?,
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
        let x = (Tensor::cat(&[&self.class, &patches], 1)? + &self.positions)?;
        let x = self.blocks.forward(x, Sees::All)?;
        self.head.forward(&self.norm.forward(&x.narrow(1, 0, 1)?.contiguous()?)?.squeeze(0)?)
    }
}

fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let Shape { tower, picture, patch, .. } = Shape::read(config, Precision::F32)?;
    let patches = (picture.0 / patch) * (picture.1 / patch);
    let embedding = 2.0 * (patches * 3 * patch * patch * tower.width) as f64;
    let token = tower.transformer().token();
    Ok(CostModel::classifier(token.whole(patches as f64 + 1.0).with(embedding)))
}

fn load(checkpoint: &Checkpoint, options: &ModelOptions) -> std::result::Result<Box<dyn Model>, Fault> {
    let (config, classes) = (&checkpoint.config, Classes::read(&checkpoint.config)?);
    let shape = Shape::read(config, options.precision)?;
    let side = shape.picture.0.min(shape.picture.1);
    let preparation = Preparation::of_classifier(&checkpoint.processor("image_processor")?, "ViT", side)?;
    options.classifier(checkpoint, (classes, preparation), |classes, vb| Vit::load(&shape, classes, vb))
}
