//! The parts that CLIP and SigLIP share besides their blocks: the settings of both towers, and the states of a text's
//! tokens.

use super::{
    config::{Config, within},
    cost::CostModel,
    dense::Precision,
    ops::{self, Table},
    prenorm::{TowerDefaults, TowerShape},
};
use crate::error::Fault;
use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;

/// The settings of an image tower and a text tower.
#[derive(Debug, Clone, Copy)]
pub struct TowerPair {
    /// The image tower.
    pub image: TowerShape,
    /// The side of a prepared picture, in pixels.
    pub side: usize,
    /// The side of a patch, in pixels.
    pub patch: usize,
    /// The text tower.
    pub text: TowerShape,
    /// The number of tokens in the vocabulary.
    pub vocab: usize,
    /// The maximum tokens of a text.
    pub positions: usize,
}

/// The values of absent keys: those of the configuration classes in transformers.
#[derive(Debug, Clone, Copy)]
pub struct PairDefaults {
    /// The image tower.
    pub image: TowerDefaults,
    /// `image_size`
    pub side: usize,
    /// `patch_size`
    pub patch: usize,
    /// The text tower.
    pub text: TowerDefaults,
    /// `vocab_size`
    pub vocab: usize,
    /// `max_position_embeddings`
    pub positions: usize,
}

impl TowerPair {
    /// Reads the settings of both towers, `eye` and `words`. Fails if a value is out of range.
    pub fn read(eye: &Config, words: &Config, defaults: PairDefaults) -> std::result::Result<TowerPair, Fault> {
        let side = eye.count("image_size", within::SIDE)?.unwrap_or(defaults.side);
        let pair = TowerPair {
            image: TowerShape::read(eye, defaults.image)?,
            side,
            patch: eye.count("patch_size", 1..=side)?.unwrap_or(defaults.patch.min(side)),
            text: TowerShape::read(words, defaults.text)?,
            vocab: words.count("vocab_size", within::VOCABULARY)?.unwrap_or(defaults.vocab),
            positions: words.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(defaults.positions),
        };
        pair.image.check_attention(eye, "patches", pair.patches() + 1)?;
        pair.text.check_attention(words, "positions", pair.positions)?;
        Ok(pair)
    }

    /// The same towers, whose image tower has products in another format.
    #[must_use]
    pub fn with(self, precision: Precision) -> TowerPair {
        TowerPair { image: self.image.with(precision), ..self }
    }

    /// The number of patches of a picture.
    pub fn patches(&self) -> usize {
        (self.side / self.patch) * (self.side / self.patch)
    }

    /// The work of the image tower for a picture, and of the text tower for a token.
    pub fn cost(&self) -> CostModel {
        let TowerPair { image, patch, .. } = self;
        let embedding = 2.0 * (self.patches() * 3 * patch * patch * image.width) as f64;
        CostModel {
            picture: image.transformer().token().whole(self.patches() as f64 + 1.0).with(embedding),
            text: self.text.transformer().token(),
            text_tokens: self.positions,
            ..CostModel::default()
        }
    }
}

/// The vectors of tokens and of positions.
pub struct TokenStates {
    tokens: Table,
    /// (positions, width)
    positions: Tensor,
}

impl TokenStates {
    /// Reads both tables of a text tower.
    pub fn load(settings: &TowerPair, vb: &VarBuilder<'_>) -> Result<TokenStates> {
        let TowerPair { text, vocab, positions, .. } = settings;
        Ok(TokenStates {
            tokens: ops::table(*vocab, text.width, "token_embedding.weight", vb)?,
            positions: vb.get((*positions, text.width), "position_embedding.weight")?,
        })
    }

    /// Token ids of texts of one length -> (batch, t, width)
    pub fn of(&self, ids: &[&[u32]], device: &Device) -> Result<Tensor> {
        let (batch, t) = (ids.len(), ids[0].len());
        let flat = Tensor::from_vec(ids.concat(), batch * t, device)?;
        let x = self.tokens.rows(&flat, self.positions.dtype())?.reshape((batch, t, ()))?;
        x.broadcast_add(&self.positions.narrow(0, 0, t)?)
    }
}
