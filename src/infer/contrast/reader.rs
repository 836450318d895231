//! The vectors of texts by a text tower: each text is computed once.

use super::tower::{Lazy, TextTower, TowerSource};
use crate::{
    error::Fault,
    infer::{
        cost::Phase,
        failed,
        labels::{LabelVectors, TextUse},
        text::by_length,
    },
};
use candle_nn::VarBuilder;
use std::sync::Arc;

/// Gives the token ids of a text, cut to the model's maximum. Fails if the text cannot be tokenized.
pub type EncodeText = Box<dyn Fn(&str) -> Result<Vec<u32>, Fault>>;

/// Reads the tokenizer, which the first unknown text needs: some have 33 MB.
pub type OpenTokens = Box<dyn Fn() -> Result<EncodeText, Fault>>;

/// The maximum texts in a forward pass.
const MAX_TEXTS: usize = 64;

/// A text tower with its tokenizer, and the vectors that are known. Both are loaded for the first unknown text.
pub struct LabelReader {
    tower: Lazy<dyn TextTower>,
    tokens: OpenTokens,
    encoder: Option<EncodeText>,
    labels: LabelVectors,
}

impl LabelReader {
    /// A reader that has loaded nothing.
    pub fn new(tower: Lazy<dyn TextTower>, tokens: OpenTokens, labels: LabelVectors) -> LabelReader {
        LabelReader { tower, tokens, encoder: None, labels }
    }

    /// Fails if a tensor is missing, or has another shape than the configuration states.
    pub fn check(&self, headers: &VarBuilder<'static>) -> Result<(), Fault> {
        self.tower.check(headers)
    }

    /// Unit vectors of texts, in their order. Texts of one length whose vectors are unknown share a forward pass. Fails
    /// if a text cannot be tokenized, or if the tower cannot be loaded.
    pub fn read(&mut self, source: &TowerSource, texts: &[&str], used: TextUse) -> Result<Vec<Arc<Vec<f32>>>, Fault> {
        let LabelReader { tower, tokens, encoder, labels } = self;
        labels.of(texts, used, |unknown| {
            let encode = match encoder {
                Some(encode) => encode,
                None => encoder.insert(tokens()?),
            };
            let ids = unknown.iter().map(|text| encode(text)).collect::<Result<Vec<_>, _>>()?;
            let tower = source.tower(tower)?;
            let tokens = ids.iter().map(Vec::len).sum();
            let most = |tokens: usize| if tower.may_share(tokens) { MAX_TEXTS } else { 1 };
            let read = |ids: &[&Vec<u32>]| {
                let ids: Vec<&[u32]> = ids.iter().map(|ids| ids.as_slice()).collect();
                tower.read(&ids, source.device()).map_err(failed)
            };
            source.meter.time(Phase::Text, tokens, || by_length(&ids, Vec::len, most, read))
        })
    }
}
