//! What the layers of one call share: the rotation of queries and keys, and what each row sees.

use super::layer::View;
use crate::infer::config::Config;
use candle_core::{Result, Tensor};

/// The pairs of dimensions of a head that the rotary embedding rotates together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RopeLayout {
    /// i and i + head/2: the layout of checkpoint folders.
    Halves,
    /// 2i and 2i + 1: GGUF files of the architecture `llama` store the rows of queries and keys in this order.
    Neighbours,
}

impl RopeLayout {
    /// The layout of a GGUF file: llama.cpp's converter reorders the rows of `llama` only, whose files may state a window
    /// and are then `mistral`.
    pub(super) fn of_gguf(config: &Config) -> RopeLayout {
        if config.is_type(&["llama", "mistral"], &[]) { RopeLayout::Neighbours } else { RopeLayout::Halves }
    }
}

/// The shared inputs of all layers of one call. Its lists have one entry for each type of layer.
pub(super) struct LayerInputs {
    pub(super) head: usize,
    pub(super) layout: RopeLayout,
    /// Cosines and sines: (tokens of all rows, rotated / 2); none for layers that do not rotate.
    pub(super) angles: Vec<Option<(Tensor, Tensor)>>,
    /// For each row.
    pub(super) views: Vec<Vec<View>>,
}

impl LayerInputs {
    /// (tokens, heads, head) -> rotated by position, (heads, tokens, head)
    pub(super) fn rotate(&self, x: &Tensor, kind: usize) -> Result<Tensor> {
        let x = x.transpose(0, 1)?.contiguous()?;
        let Some((cos, sin)) = &self.angles[kind] else { return Ok(x) };
        let rotated = 2 * cos.dim(1)?;
        let part =
            if rotated == self.head { x.unsqueeze(0)? } else { x.narrow(2, 0, rotated)?.contiguous()?.unsqueeze(0)? };
        let part = match self.layout {
            RopeLayout::Halves => candle_nn::rotary_emb::rope(&part, cos, sin)?.squeeze(0)?,
            RopeLayout::Neighbours => candle_nn::rotary_emb::rope_i(&part, cos, sin)?.squeeze(0)?,
        };
        match rotated == self.head {
            true => Ok(part),
            false => Tensor::cat(&[&part, &x.narrow(2, rotated, self.head - rotated)?], 2),
        }
    }
}
