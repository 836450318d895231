//! A decoder as a sentence embedder: Qwen3 Embedding (the state of the last token) and EmbeddingGemma, whose tokens see both
//! sides (Zhang et al. 2025, arXiv 2506.05176; Vera et al. 2025, arXiv 2509.20354).

use super::{Llama, Use, load_network, shape::DecoderShape};
use crate::{
    error::Fault,
    infer::{
        checkpoint::{Checkpoint, SENTENCES},
        config::Config,
        cost::{CostModel, Phase},
        dense::Packing,
        failed,
        meter::Meter,
        prefix::PromptPosition,
        text::{Encoded, TextTokenizer, VocabStyle},
    },
    models::{
        Family, ModelOptions,
        bert::{encoder::TextEncoder, sentence::Sentences},
    },
};
use candle_core::{Result, Tensor};
use serde_json::Value as Json;

/// The row of [`super::super::FAMILIES`]. A checkpoint of a decoder is an embedder if it has the modules of
/// sentence-transformers.
pub const EMBEDDER: Family = Family {
    name: "decoder-embedder",
    about: "embeds sentences with a decoder; scores words against text",
    recognises: |config| (config.get(SENTENCES).is_some() || lacks_head(config)) && (super::FAMILY.recognises)(config),
    cost: |config| {
        let decoder = super::cost(config)?;
        let text_tokens = DecoderShape::read(config)?.positions;
        Ok(CostModel { text: decoder.prompt, text_tokens, ..CostModel::default() })
    },
    load: |checkpoint, loading| {
        let text = TextTokenizer::open(checkpoint, VocabStyle::Bytes)?;
        let encoder = DecoderStates::load(checkpoint, loading)?;
        Ok(Box::new(Sentences::new(Box::new(encoder), text, checkpoint, loading)?))
    },
    packing: Packing::AsStored,
    ..crate::models::bert::BERT
};

/// True for a decoder without a map to the vocabulary (`Qwen3Model`).
fn lacks_head(config: &Config) -> bool {
    let names = config.get("architectures").and_then(Json::as_array).into_iter().flatten();
    names.filter_map(Json::as_str).any(|name| name.ends_with("Model"))
}

/// The last states of a decoder.
struct DecoderStates {
    network: Llama,
    meter: Meter,
}

impl DecoderStates {
    fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<DecoderStates, Fault> {
        Ok(DecoderStates { network: load_network(checkpoint, loading, Use::States)?, meter: loading.meter.clone() })
    }
}

impl TextEncoder for DecoderStates {
    fn width(&self) -> usize {
        self.network.shape.width
    }

    fn max_tokens(&self) -> usize {
        self.network.shape.positions
    }

    /// Each text alone: the rows of a decoder's products are those of all texts together.
    fn read(
        &self,
        texts: &[Encoded],
        read: &mut dyn FnMut(&Tensor) -> Result<Vec<f32>>,
    ) -> std::result::Result<Vec<Vec<f32>>, Fault> {
        let mut one = |text: &Encoded| {
            let positions = PromptPosition::tokens(&text.ids);
            let states = self.meter.time(Phase::Text, text.ids.len(), || self.network.states_of(&positions));
            states.and_then(|states| read(&states)).map_err(failed)
        };
        texts.iter().map(&mut one).collect()
    }
}
