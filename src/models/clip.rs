//! CLIP: an image tower and a text tower whose vectors are compared (Radford et al. 2021, arXiv 2103.00020). OpenCLIP
//! checkpoints in the layout of Hugging Face are read, too.
//!
//! Our own code: candle-transformers' CLIP has no lazy towers, fixes the activation of OpenAI's checkpoints, and its
//! vectors depend on the batch.

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        contrast::{Contrast, ImageTower, Judge, Lazy, Parts, Perception, TextTower, project},
        dense::{Precision, Sees},
        failed,
        image::Preparation,
        job::Model,
        labels::LabelVectors,
        ops::{self, Linear},
        prenorm::{Patches, TowerBlocks, TowerDefaults, TowerShape},
        text::{TextTokenizer, VocabStyle},
        towers::{PairDefaults, TokenStates, TowerPair},
    },
};
use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family::contrastive(
    ("clip", "scores words against images; embeds images and text"),
    |config| config.is_type(&["clip"], &["CLIPModel"]),
    |config| Settings::read(config, Precision::F32).map(|settings| settings.towers.cost()),
    load,
);

/// Absent keys have the values of transformers' `CLIPTextConfig` and `CLIPVisionConfig`.
const DEFAULTS: PairDefaults = PairDefaults {
    image: TowerDefaults { width: 768, inner: 3072, heads: 12, eps: 1e-5, activation: "quick_gelu" },
    side: 224,
    patch: 32,
    text: TowerDefaults { width: 512, inner: 2048, heads: 8, eps: 1e-5, activation: "quick_gelu" },
    vocab: 49408,
    positions: 77,
};

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
    towers: TowerPair,
    end: u32,
    projection: usize,
}

impl Settings {
    fn read(config: &Config, precision: Precision) -> std::result::Result<Settings, Fault> {
        let (words, eye) = (part(config, "text_config")?, part(config, "vision_config")?);
        let towers = TowerPair::read(&eye, &words, DEFAULTS)?.with(precision);
        Ok(Settings {
            towers,
            end: words.token("eos_token_id", towers.vocab)?.unwrap_or(49407),
            projection: config.count("projection_dim", within::WIDTH)?.unwrap_or(512),
        })
    }
}

fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<Box<dyn Model>, Fault> {
    let settings = Settings::read(&checkpoint.config, loading.precision)?;
    let Settings { towers: TowerPair { side, positions, .. }, projection, .. } = settings;
    TextTokenizer::limit(checkpoint)?;
    let vb = checkpoint.weights(loading.dtype, &loading.device)?;
    let scale = vb.get((), "logit_scale").and_then(|s| s.to_dtype(DType::F32)?.to_scalar::<f32>()).map_err(failed)?;
    let preparation = Preparation::new(&checkpoint.processor("image_processor")?, side)?;
    let source = checkpoint.clone();
    let parts = Parts {
        perception: Perception::Pictures {
            tower: Lazy::image(move |vb| Vision::load(&settings, vb)),
            preparation,
            side,
        },
        text: Lazy::text(move |vb| ClipWords::load(&settings.towers, settings.end, projection, vb)),
        tokens: Box::new(move || {
            let tokenizer = TextTokenizer::open(&source, VocabStyle::Clip)?;
            let max_tokens = tokenizer.max_tokens(positions);
            Ok(Box::new(move |text| tokenizer.encode_within(text, max_tokens)))
        }),
        width: projection,
        judge: Judge::Softmax { scale: f64::from(scale).exp() },
        perceived: loading.perceived.clone(),
        meter: loading.meter.clone(),
    };
    let labels = LabelVectors::new(loading.labels.clone(), projection);
    Ok(Box::new(Contrast::new(checkpoint, vb, parts, labels)?))
}

/// The part of the image tower that OWLv2 shares: a class token before the patches, and norms around the blocks.
pub(super) struct ClipTrunk {
    class: Tensor,
    patches: Patches,
    positions: Tensor,
    norm_before: LayerNorm,
    blocks: TowerBlocks,
    /// The norm that follows.
    pub(super) norm_after: LayerNorm,
}

impl ClipTrunk {
    /// Reads the tensors below `vb`; `before` is the name of the first norm.
    pub(super) fn load(towers: &TowerPair, before: &str, vb: &VarBuilder<'_>) -> Result<ClipTrunk> {
        let TowerPair { image: shape, patch, .. } = *towers;
        let (w, e) = (shape.width, vb.pp("embeddings"));
        Ok(ClipTrunk {
            class: e.get(w, "class_embedding")?.reshape((1, 1, w))?,
            patches: Patches::load(w, patch, &e.pp("patch_embedding"))?,
            positions: e.get((towers.patches() + 1, w), "position_embedding.weight")?,
            norm_before: ops::layer_norm(w, shape.eps, vb.pp(before))?,
            blocks: shape.blocks(vb)?,
            norm_after: ops::layer_norm(w, shape.eps, vb.pp("post_layernorm"))?,
        })
    }

    /// (batch, 3, side, side) -> the states of the class and of the patches, (batch, 1 + patches, width), before the last norm.
    pub(super) fn states(&self, pixels: &Tensor) -> Result<Tensor> {
        let patches = self.patches.forward(pixels)?;
        let class = self.class.broadcast_as((pixels.dim(0)?, 1, self.class.dim(2)?))?;
        let x = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.positions)?;
        self.blocks.forward(self.norm_before.forward(&x)?, Sees::All)
    }
}

/// The image tower.
struct Vision {
    shape: TowerShape,
    trunk: ClipTrunk,
    projection: Linear,
}

impl Vision {
    fn load(settings: &Settings, vb: &VarBuilder<'_>) -> Result<Vision> {
        let Settings { towers, projection, .. } = settings;
        Ok(Vision {
            shape: towers.image,
            trunk: ClipTrunk::load(towers, "pre_layrnorm", &vb.pp("vision_model"))?,
            projection: ops::linear(towers.image.width, *projection, vb.pp("visual_projection"))?,
        })
    }
}

impl ImageTower for Vision {
    fn see(&self, pixels: &Tensor) -> Result<Vec<Vec<f32>>> {
        let x = self.trunk.states(pixels)?;
        project(&self.trunk.norm_after.forward(&x.i((.., 0))?.contiguous()?)?, &self.projection)
    }

    fn may_share(&self) -> bool {
        self.trunk.positions.dim(0).is_ok_and(|rows| self.trunk.blocks.may_share(&self.shape, rows))
    }
}

/// The text tower.
pub(super) struct ClipWords {
    shape: TowerShape,
    states: TokenStates,
    blocks: TowerBlocks,
    norm: LayerNorm,
    projection: Linear,
    /// The end token, whose state becomes the text's vector. `None` for checkpoints older than transformers 4.31, which
    /// state an `eos_token_id` of 2: in them the largest id of a text marks its end.
    end: Option<u32>,
}

impl ClipWords {
    /// Reads the tower; `end` is the stated end token.
    pub(super) fn load(towers: &TowerPair, end: u32, projection: usize, vb: &VarBuilder<'_>) -> Result<ClipWords> {
        let shape = towers.text;
        let (w, v) = (shape.width, vb.pp("text_model"));
        Ok(ClipWords {
            shape,
            states: TokenStates::load(towers, &v.pp("embeddings"))?,
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

impl TextTower for ClipWords {
    fn read(&self, ids: &[&[u32]], device: &Device) -> Result<Vec<Vec<f32>>> {
        let x = self.blocks.forward(self.states.of(ids, device)?, Sees::Before)?;
        let x = self.norm.forward(&x)?;
        let ends = ids.iter().enumerate().map(|(row, ids)| x.i((row, self.end_of(ids))));
        project(&Tensor::stack(&ends.collect::<Result<Vec<_>>>()?, 0)?, &self.projection)
    }

    fn may_share(&self, tokens: usize) -> bool {
        self.blocks.may_share(&self.shape, tokens)
    }
}
