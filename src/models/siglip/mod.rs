//! SigLIP and fixed-size SigLIP 2: an image tower and a text tower that were trained with a sigmoid for each pair, so
//! that a label's probability does not depend on the other labels (Zhai et al. 2023, arXiv 2303.15343; Tschannen et al.
//! 2025, arXiv 2502.14786).
//!
//! Our own code: candle-transformers' SigLIP has no lazy towers, reads neither `projection_size` nor the tokenizers,
//! and its vectors depend on the batch. The blocks are those of CLIP (`infer/prenorm`).

mod tokens;

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        contrast::{Contrast, ImageTower, Judge, Lazy, Parts, Perception, TextTower, project},
        cost::CostModel,
        dense::{Precision, Sees},
        failed,
        image::{PictureDefaults, Preparation},
        job::Model,
        labels::LabelVectors,
        ops::{self, Linear},
        prenorm::{FeedForward, Patches, TowerBlocks, TowerDefaults, TowerShape},
        text::TextTokenizer,
        towers::{PairDefaults, TokenStates, TowerPair},
    },
};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};
use tokens::Tokens;

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family::contrastive(
    ("siglip", "scores words against images, each alone; embeds images and text"),
    |config| config.is_type(&["siglip", "siglip2"], &["SiglipModel", "Siglip2Model"]),
    // a text is padded to all its positions
    |config| {
        Settings::read(config, Precision::F32).map(|settings| CostModel { padded: true, ..settings.towers.cost() })
    },
    load,
);

/// Absent keys have the values of transformers' `SiglipTextConfig` and `SiglipVisionConfig`.
const TOWER: TowerDefaults =
    TowerDefaults { width: 768, inner: 3072, heads: 12, eps: 1e-6, activation: "gelu_pytorch_tanh" };
const DEFAULTS: PairDefaults =
    PairDefaults { image: TOWER, side: 224, patch: 16, text: TOWER, vocab: 32000, positions: 64 };
/// The preparation of `SiglipImageProcessor`.
const PICTURES: PictureDefaults =
    PictureDefaults { side: 224, square: true, crop: None, mean: [0.5; 3], std: [0.5; 3] };

/// The settings in `config.json`.
#[derive(Debug, Clone, Copy)]
struct Settings {
    towers: TowerPair,
    /// The length of a vector.
    width: usize,
}

impl Settings {
    /// Fails if a value is out of range, or if the model is one that this code does not compute.
    fn read(config: &Config, precision: Precision) -> std::result::Result<Settings, Fault> {
        if config.is_type(&["siglip2"], &["Siglip2Model"]) {
            return Err(Fault::model(
                "config.json: SigLIP 2 with pictures of any size (NaFlex, `model_type` siglip2) is not supported; use a \
                 checkpoint of one size, such as google/siglip2-base-patch16-224",
            ));
        }
        let (words, eye) = (config.part("text_config")?, config.part("vision_config")?);
        if eye.truth("vision_use_head")? == Some(false) {
            let why = "`vision_use_head` is false, so that the model gives no vector for a picture; expected true";
            return Err(Fault::model(format!("{}: {why}", eye.name())));
        }
        let towers = TowerPair::read(&eye, &words, DEFAULTS)?.with(precision);
        let width = words.count("projection_size", within::WIDTH)?.unwrap_or(towers.text.width);
        if width != towers.image.width {
            let (key, found) = (format!("{}: `hidden_size`", eye.name()), towers.image.width);
            return Err(Fault::model(format!("{key} must be {width}, the length of a text's vector, found {found}")));
        }
        Ok(Settings { towers, width })
    }
}

fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<Box<dyn Model>, Fault> {
    let settings = Settings::read(&checkpoint.config, loading.precision)?;
    let Settings { towers: TowerPair { side, positions, vocab, .. }, width } = settings;
    let words = checkpoint.config.part("text_config")?;
    TextTokenizer::limit(checkpoint)?;
    let vb = checkpoint.weights(loading.dtype, &loading.device)?;
    let number = |name: &str| {
        let number = vb.get(1, name).and_then(|x| x.to_dtype(DType::F32)?.to_vec1::<f32>()).map_err(failed)?;
        Ok::<f64, Fault>(f64::from(number[0]))
    };
    let judge = Judge::Sigmoid { scale: number("logit_scale")?.exp(), bias: number("logit_bias")? };
    let preparation = Preparation::with(&checkpoint.processor("image_processor")?, PICTURES)?;
    let source = checkpoint.clone();
    let parts = Parts {
        perception: Perception::Pictures {
            tower: Lazy::image(move |vb| Vision::load(&settings.towers, vb)),
            preparation,
            side,
        },
        text: Lazy::text(move |vb| Words::load(&settings, vb)),
        tokens: Box::new(move || {
            let tokens = Tokens::open(&source, &words, (positions, vocab))?;
            Ok(Box::new(move |text| tokens.encode(text)))
        }),
        width,
        judge,
        perceived: loading.perceived.clone(),
        meter: loading.meter.clone(),
    };
    let labels = LabelVectors::new(loading.labels.clone(), width);
    Ok(Box::new(Contrast::new(checkpoint, vb, parts, labels)?))
}

/// The image tower.
struct Vision {
    shape: TowerShape,
    patches: Patches,
    positions: Tensor,
    blocks: TowerBlocks,
    norm: LayerNorm,
    head: Head,
}

impl Vision {
    fn load(settings: &TowerPair, vb: &VarBuilder<'_>) -> Result<Vision> {
        let (shape, v) = (settings.image, vb.pp("vision_model"));
        let (w, e, count) = (shape.width, v.pp("embeddings"), settings.patches());
        Ok(Vision {
            shape,
            patches: Patches::load(w, settings.patch, &e.pp("patch_embedding"))?,
            positions: e.get((count, w), "position_embedding.weight")?,
            blocks: shape.blocks(&v)?,
            norm: ops::layer_norm(w, shape.eps, v.pp("post_layernorm"))?,
            head: Head::load(&shape, &v.pp("head"))?,
        })
    }
}

impl ImageTower for Vision {
    fn see(&self, pixels: &Tensor) -> Result<Vec<Vec<f32>>> {
        let x = self.patches.forward(pixels)?.broadcast_add(&self.positions)?;
        let x = self.norm.forward(&self.blocks.forward(x, Sees::All)?)?;
        // Each picture alone: the head has one row for each, and a vector must not depend on its batch.
        (0..x.dim(0)?).map(|n| ops::unit(&self.head.forward(&x.narrow(0, n, 1)?)?)).collect()
    }

    fn may_share(&self) -> bool {
        self.positions.dim(0).is_ok_and(|rows| self.blocks.may_share(&self.shape, rows))
    }
}

/// The attention pool: one learned query reads the states of all patches. Its attention has the layout of PyTorch's
/// `nn.MultiheadAttention`, with queries, keys and values in one matrix.
struct Head {
    /// The projected query, (1, 1, width).
    query: Tensor,
    key: Linear,
    value: Linear,
    out: Linear,
    norm: LayerNorm,
    mlp: FeedForward,
    heads: usize,
}

impl Head {
    fn load(shape: &TowerShape, vb: &VarBuilder<'_>) -> Result<Head> {
        let (w, attn) = (shape.width, vb.pp("attention"));
        let weight = attn.get((3 * w, w), "in_proj_weight")?;
        let bias = attn.get(3 * w, "in_proj_bias")?;
        let part = |n: usize| -> Result<Linear> {
            let weight = weight.narrow(0, n * w, w)?.contiguous()?;
            Ok(Linear::new(weight, Some(bias.narrow(0, n * w, w)?.contiguous()?)))
        };
        let pack = |map: Linear| ops::packed(map, vb, shape.precision);
        Ok(Head {
            query: part(0)?.forward(&vb.get((1, 1, w), "probe")?)?,
            key: pack(part(1)?)?,
            value: pack(part(2)?)?,
            out: pack(ops::linear_with_bias(w, w, attn.pp("out_proj"))?)?,
            norm: ops::layer_norm(w, shape.eps, vb.pp("layernorm"))?,
            mlp: FeedForward::load(shape, ["mlp.fc1", "mlp.fc2"], vb)?.packed(vb, shape.precision)?,
            heads: shape.heads,
        })
    }

    /// (1, patches, width) -> (1, 1, width)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (k, v) = (self.key.forward(x)?, self.value.forward(x)?);
        let x = self.out.forward(&ops::attend(&self.query, &k, &v, self.heads, None)?)?;
        let y = self.mlp.forward(&self.norm.forward(&x)?)?;
        x + y
    }
}

/// The text tower.
struct Words {
    shape: TowerShape,
    states: TokenStates,
    blocks: TowerBlocks,
    norm: LayerNorm,
    head: Linear,
}

impl Words {
    fn load(settings: &Settings, vb: &VarBuilder<'_>) -> Result<Words> {
        let (shape, v) = (settings.towers.text, vb.pp("text_model"));
        let w = shape.width;
        Ok(Words {
            shape,
            states: TokenStates::load(&settings.towers, &v.pp("embeddings"))?,
            blocks: shape.blocks(&v)?,
            norm: ops::layer_norm(w, shape.eps, v.pp("final_layer_norm"))?,
            head: ops::linear_with_bias(w, settings.width, v.pp("head"))?,
        })
    }
}

impl TextTower for Words {
    fn read(&self, ids: &[&[u32]], device: &Device) -> Result<Vec<Vec<f32>>> {
        let x = self.blocks.forward(self.states.of(ids, device)?, Sees::All)?;
        // The state of the last position, padding included.
        let last = self.norm.forward(&x.narrow(1, ids[0].len() - 1, 1)?.squeeze(1)?.contiguous()?)?;
        project(&last, &self.head)
    }

    fn may_share(&self, tokens: usize) -> bool {
        self.blocks.may_share(&self.shape, tokens)
    }
}
