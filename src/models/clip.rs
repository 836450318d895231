//! CLIP: an image tower and a text tower whose vectors are compared (Radford et al. 2021, arXiv 2103.00020). OpenCLIP
//! checkpoints in the layout of Hugging Face are read, too.
//!
//! Our own code: candle-transformers' CLIP has no lazy towers, fixes the activation of OpenAI's checkpoints, and its
//! vectors depend on the batch.

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Modality},
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        contrast::{self, Contrast, ImageTower, Judge, Lazy, Parts, TextTower, project},
        cost::CostModel,
        failed,
        image::Preparation,
        labels::LabelVectors,
        ops::{self, Linear, Table},
        prenorm::{Patches, PreNormBlock, TowerDefaults, TowerShape},
        text::{TextTokenizer, VocabStyle},
    },
};
use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "clip",
    about: "scores words against images; embeds images and text",
    answers: &[
        Answers::new(Kind::Rank, &[Modality::Text, Modality::Image]),
        Answers::new(Kind::Embed, &[Modality::Text, Modality::Image]),
    ],
    recognises: |config| config.is_type(&["clip"], &["CLIPModel"]),
    floors: true,
    own_labels: false,
    cost: |config| Settings::read(config).map(|settings| settings.cost()),
    load: |checkpoint, loading| Ok(Box::new(load(checkpoint, loading)?)),
};

/// Absent keys have the values of transformers' `CLIPTextConfig`.
const TEXT: TowerDefaults = TowerDefaults { width: 512, inner: 2048, heads: 8, eps: 1e-5, activation: "quick_gelu" };
/// Absent keys have the values of transformers' `CLIPVisionConfig`.
const IMAGE: TowerDefaults = TowerDefaults { width: 768, inner: 3072, heads: 12, eps: 1e-5, activation: "quick_gelu" };
/// The maximum tokens of a text if a checkpoint states no maximum.
const MAX_TOKENS: usize = 77;

/// The settings of a tower. Early files of transformers hold some in `…_config_dict` too, and there they count.
fn part(config: &Config, key: &str) -> std::result::Result<Config, Fault> {
    let older = format!("{key}_dict");
    match config.get(&older) {
        Some(_) => Ok(config.part(&older)?),
        None => config.part(key),
    }
}

/// The settings in `config.json`.
#[derive(Debug, Clone, Copy)]
struct Settings {
    image: TowerShape,
    side: usize,
    patch: usize,
    text: TowerShape,
    vocab: usize,
    positions: usize,
    end: u32,
    projection: usize,
}

impl Settings {
    fn read(config: &Config) -> std::result::Result<Settings, Fault> {
        let (words, eye) = (part(config, "text_config")?, part(config, "vision_config")?);
        let side = eye.count("image_size", within::SIDE)?.unwrap_or(224);
        let vocab = words.count("vocab_size", within::VOCABULARY)?.unwrap_or(49408);
        Ok(Settings {
            image: TowerShape::read(&eye, IMAGE)?,
            side,
            patch: eye.count("patch_size", 1..=side)?.unwrap_or(32.min(side)),
            text: TowerShape::read(&words, TEXT)?,
            vocab,
            positions: words.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(MAX_TOKENS),
            end: words.token("eos_token_id", vocab)?.unwrap_or(49407),
            projection: config.count("projection_dim", within::WIDTH)?.unwrap_or(512),
        })
    }

    fn patches(&self) -> usize {
        (self.side / self.patch) * (self.side / self.patch)
    }

    fn cost(&self) -> CostModel {
        contrast::cost(&self.image, self.patches(), 3 * self.patch * self.patch, &self.text, self.positions)
    }
}

fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<Contrast, Fault> {
    let settings = Settings::read(&checkpoint.config)?;
    let Settings { side, positions, projection, .. } = settings;
    TextTokenizer::limit(checkpoint)?;
    let vb = checkpoint.weights(loading.dtype, &loading.device)?;
    let scale = vb.get((), "logit_scale").and_then(|s| s.to_dtype(DType::F32)?.to_scalar::<f32>()).map_err(failed)?;
    let preparation = Preparation::new(&checkpoint.processor("image_processor")?, side)?;
    let source = checkpoint.clone();
    let parts = Parts {
        image: Lazy::<dyn ImageTower>::new("image", move |vb| {
            Ok(Box::new(Vision::load(&settings, vb).map_err(failed)?))
        }),
        text: Lazy::<dyn TextTower>::new("text", move |vb| Ok(Box::new(Words::load(&settings, vb).map_err(failed)?))),
        tokens: Box::new(move || {
            let tokenizer = TextTokenizer::open(&source, VocabStyle::Clip)?;
            let max_tokens = tokenizer.max_tokens(positions);
            Ok(Box::new(move |text| tokenizer.encode_within(text, max_tokens)))
        }),
        preparation,
        side,
        width: projection,
        judge: Judge::Softmax { scale: f64::from(scale).exp() },
        meter: loading.meter.clone(),
    };
    Contrast::new(checkpoint, vb, parts, LabelVectors::new(loading.labels.clone(), projection))
}

/// The image tower.
struct Vision {
    shape: TowerShape,
    class: Tensor,
    patches: Patches,
    positions: Tensor,
    norm_before: LayerNorm,
    blocks: Vec<PreNormBlock>,
    norm_after: LayerNorm,
    projection: Linear,
}

impl Vision {
    fn load(settings: &Settings, vb: &VarBuilder<'_>) -> Result<Vision> {
        let Settings { image: shape, patch, projection, .. } = *settings;
        let count = settings.patches() + 1;
        let (w, v) = (shape.width, vb.pp("vision_model"));
        let e = v.pp("embeddings");
        Ok(Vision {
            shape,
            class: e.get(w, "class_embedding")?.reshape((1, 1, w))?,
            patches: Patches::load(w, patch, &e.pp("patch_embedding"))?,
            positions: e.get((count, w), "position_embedding.weight")?,
            norm_before: ops::layer_norm(w, shape.eps, v.pp("pre_layrnorm"))?,
            blocks: shape.blocks(&v)?,
            norm_after: ops::layer_norm(w, shape.eps, v.pp("post_layernorm"))?,
            projection: ops::linear(w, projection, vb.pp("visual_projection"))?,
        })
    }
}

impl ImageTower for Vision {
    fn see(&self, pixels: &Tensor) -> Result<Vec<Vec<f32>>> {
        let batch = pixels.dim(0)?;
        if batch > 1 && !self.shape.may_share(self.positions.dim(0)?) {
            let alone = (0..batch).map(|n| self.see(&pixels.narrow(0, n, 1)?));
            return Ok(alone.collect::<Result<Vec<_>>>()?.concat());
        }
        let patches = self.patches.forward(pixels)?;
        let class = self.class.broadcast_as((pixels.dim(0)?, 1, self.class.dim(2)?))?;
        let mut x = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.positions)?;
        x = self.norm_before.forward(&x)?;
        for block in &self.blocks {
            x = block.forward(&x, None)?;
        }
        project(&self.norm_after.forward(&x.i((.., 0))?.contiguous()?)?, Some(&self.projection))
    }
}

/// The text tower.
struct Words {
    shape: TowerShape,
    tokens: Table,
    positions: Tensor,
    blocks: Vec<PreNormBlock>,
    norm: LayerNorm,
    projection: Linear,
    /// The end token, whose state becomes the text's vector. `None` for checkpoints older than transformers 4.31, which
    /// state an `eos_token_id` of 2: in them the largest id of a text marks its end.
    end: Option<u32>,
}

impl Words {
    fn load(settings: &Settings, vb: &VarBuilder<'_>) -> Result<Words> {
        let Settings { text: shape, vocab, positions, projection, end, .. } = *settings;
        let (w, v) = (shape.width, vb.pp("text_model"));
        Ok(Words {
            shape,
            tokens: ops::table(vocab, w, "embeddings.token_embedding.weight", &v)?,
            positions: v.get((positions, w), "embeddings.position_embedding.weight")?,
            blocks: shape.blocks(&v)?,
            norm: ops::layer_norm(w, shape.eps, v.pp("final_layer_norm"))?,
            projection: ops::linear(w, projection, vb.pp("text_projection"))?,
            end: Some(end).filter(|id| *id != 2),
        })
    }

    fn end_of(&self, ids: &[u32]) -> usize {
        let end = match self.end {
            Some(end) => ids.iter().position(|id| *id == end),
            None => ids.iter().max().and_then(|most| ids.iter().position(|id| id == most)),
        };
        end.unwrap_or(0)
    }
}

impl TextTower for Words {
    fn read(&self, ids: &[&[u32]], device: &Device) -> Result<Vec<Vec<f32>>> {
        let (batch, t) = (ids.len(), ids[0].len());
        if batch > 1 && !self.shape.may_share(t) {
            let alone = ids.iter().map(|ids| self.read(&[ids], device));
            return Ok(alone.collect::<Result<Vec<_>>>()?.concat());
        }
        let flat = Tensor::from_vec(ids.concat(), batch * t, device)?;
        let x = self.tokens.rows(&flat, self.positions.dtype())?.reshape((batch, t, ()))?;
        let mut x = x.broadcast_add(&self.positions.narrow(0, 0, t)?)?;
        let mask = ops::causal_mask(t, 0, x.dtype(), device)?;
        for block in &self.blocks {
            x = block.forward(&x, Some(&mask))?;
        }
        let x = self.norm.forward(&x)?;
        let ends = ids.iter().enumerate().map(|(row, ids)| x.i((row, self.end_of(ids))));
        project(&Tensor::stack(&ends.collect::<Result<Vec<_>>>()?, 0)?, Some(&self.projection))
    }
}
