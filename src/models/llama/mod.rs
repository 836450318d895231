//! The Llama architecture: RMS norms, rotary position embeddings, grouped-query attention and a gated feed-forward
//! layer (Touvron et al. 2023, arXiv 2302.13971). Llama, SmolLM2, Mistral, Qwen2 and Qwen3 checkpoints have it, and
//! GGUF files of `llama`, `qwen2` and `qwen3`. SmolLM3 (some layers without rotation), Phi-3 and Phi-4-mini (joined matrices, a
//! part of each head rotated) and Gemma 3 (norms after the parts, scaled embeddings) differ in details; `gemma3` also as GGUF.
//!
//! The code is our own. The decoders of candle-transformers cannot batch prompts of different length, and each has its own
//! cache and masks.

mod cache;
mod embedder;
mod inputs;
mod layer;
mod map;
mod reranker;
mod rotation;
mod seeing;
mod shape;
mod sight;
mod weights;

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Modality},
    infer::{
        causal::KvFormat,
        chat::{Chat, end_tokens},
        checkpoint::Checkpoint,
        config::Config,
        cost::{CostModel, Pass, Transformer},
        decode::{CacheRow, Decoder, GeneratorParts, TextGenerator},
        dense::Packing,
        failed,
        gguf::Gguf,
        ops::Table,
        prefix::{PromptPosition, kept_bytes},
        processors::LogitsProcessors,
        rope::Rope,
        sampling,
        text::{TextTokenizer, VocabStyle},
    },
};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use inputs::{LayerInputs, RopeLayout};
use layer::{Layer, RootNorm, View};
use map::Map;
use shape::LayerType;
use std::sync::Arc;
use weights::{Naming, Weights};

pub use cache::KvCache;
pub use embedder::EMBEDDER;
pub use reranker::RERANKER;
pub use seeing::{PictureEye, SeeingDecoder, VideoEye};
pub(super) use shape::DecoderShape;
pub use sight::{PictureStates, Sight};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "llama",
    about: "completes prompts and chats; also from GGUF files",
    answers: &[Answers::new(Kind::Say, &[Modality::Text])],
    own_labels: false,
    recognises: |config| {
        config.is_type(
            &["llama", "mistral", "qwen2", "qwen3", "smollm3", "phi3", "gemma3_text"],
            &[
                "LlamaForCausalLM",
                "MistralForCausalLM",
                "Qwen2ForCausalLM",
                "Qwen3ForCausalLM",
                "SmolLM3ForCausalLM",
                "Phi3ForCausalLM",
                "Gemma3ForCausalLM",
            ],
        )
    },
    floors: false,
    packing: Packing::AsStored,
    cost,
    load: |checkpoint, loading| Ok(Box::new(generator(checkpoint, loading)?)),
};

/// The work of a decoder. The last map counts for each token of a reply; a prompt needs it once.
pub(super) fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let shape = DecoderShape::read(config)?;
    let token = Transformer {
        width: shape.width,
        inner: shape.inner,
        layers: shape.layers.len(),
        heads: shape.heads,
        queries: shape.heads * shape.head,
        keys: shape.kv_heads * shape.head,
        gated: true,
    }
    .token();
    let logits = Pass { bytes: token.bytes + 8.0 * shape.vocab as f64, ..token };
    let reply = logits.with(2.0 * (shape.width * shape.vocab) as f64);
    Ok(CostModel { prompt: token, reply, ..CostModel::default() })
}

/// Loads a checkpoint folder or a GGUF file as a language model that answers `say`. Fails if a file is missing, damaged
/// or unsupported.
pub fn generator(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<TextGenerator<Llama>, Fault> {
    let shape = DecoderShape::read(&checkpoint.config)?;
    let parts = parts(checkpoint, &checkpoint.config, &shape, loading)?;
    Ok(TextGenerator::new(load_network(checkpoint, loading, Use::Tokens)?.keeping(loading.kv_cache), parts))
}

/// The parts of a language model besides its network. `config` is that of its text.
pub(super) fn parts(
    checkpoint: &Checkpoint,
    config: &Config,
    shape: &DecoderShape,
    loading: &ModelOptions,
) -> std::result::Result<GeneratorParts, Fault> {
    let generation = checkpoint.json("generation_config.json")?;
    let ends = end_tokens(generation.as_ref(), config, shape.vocab)?;
    Ok(GeneratorParts {
        text: TextTokenizer::open(checkpoint, VocabStyle::Bytes)?,
        chat: Chat::open(checkpoint)?,
        processors: LogitsProcessors::read(generation.as_ref(), &ends)?,
        ends,
        defaults: sampling::defaults(generation.as_ref())?,
        decode: loading.decode.clone(),
        meter: loading.meter.clone(),
        kept_bytes: kept_bytes(checkpoint.bytes(Some(loading.dtype.size_in_bytes() as u64), true)?),
        context_tokens: loading.context_tokens.unwrap_or(shape.positions).min(shape.positions),
    })
}

/// The network of a model that sees and whose text part is a GGUF file.
pub(super) fn seeing_gguf(
    gguf: &Gguf,
    shape: DecoderShape,
    loading: &ModelOptions,
    sections: Option<[usize; 3]>,
) -> std::result::Result<Llama, Fault> {
    let weights = Weights::gguf(gguf.weights(&loading.device)?, Naming::Usual, loading.dtype);
    let shape = DecoderShape { biases: weights.biases(), ..shape };
    let network = Llama::load(shape, RopeLayout::Halves, weights, Use::Tokens).map_err(|error| gguf.unfit(&error))?;
    Ok(Llama { sight: Sight::new(sections), ..network })
}

/// The network of a model that sees: its text part is below `prefix`.
pub(super) fn seeing_network(
    shape: DecoderShape,
    prefix: &str,
    vb: VarBuilder<'static>,
    sections: Option<[usize; 3]>,
) -> std::result::Result<Llama, Fault> {
    let weights = Weights::folder(vb);
    let parts = (&weights, &weights.pp(prefix));
    let network = Llama::load_parts(shape, RopeLayout::Halves, parts, Use::Tokens).map_err(failed)?;
    Ok(Llama { sight: Sight::new(sections), ..network })
}

/// What is wanted of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The next tokens.
    Tokens,
    /// The last states; the map to the vocabulary is not read.
    States,
}

/// Loads the network of a checkpoint folder or a GGUF file.
fn load_network(checkpoint: &Checkpoint, loading: &ModelOptions, used: Use) -> std::result::Result<Llama, Fault> {
    let config = &checkpoint.config;
    let shape = DecoderShape::read(config)?;
    match checkpoint.gguf() {
        Some(gguf) => {
            let naming = if shape.norms_after { Naming::Gemma } else { Naming::Usual };
            let weights = Weights::gguf(gguf.weights(&loading.device)?, naming, loading.dtype);
            let biases = if shape.biases.qkv { shape.biases } else { weights.biases() };
            // the converter stores the norms whole
            let shape = DecoderShape { biases, norms_less_one: false, ..shape };
            Llama::load(shape, RopeLayout::of_gguf(config), weights, used).map_err(|error| gguf.unfit(&error))
        }
        None => {
            let weights = Weights::folder(checkpoint.weights(loading.dtype, &loading.device)?);
            Llama::load(shape, RopeLayout::Halves, weights, used).map_err(failed)
        }
    }
}

/// A decoder-only network of the Llama architecture.
pub struct Llama {
    tokens: Table,
    layers: Vec<Layer>,
    norm: RootNorm,
    /// The map to the vocabulary.
    head: Option<Map>,
    ropes: Arc<[Rope]>,
    shape: DecoderShape,
    layout: RopeLayout,
    /// The pictures of prompts.
    pub(super) sight: Sight,
    device: Device,
    dtype: DType,
    kv_cache: KvFormat,
}

impl Llama {
    fn load(shape: DecoderShape, layout: RopeLayout, weights: Weights, used: Use) -> Result<Llama> {
        // a checkpoint without the map to the vocabulary has no prefix
        let is_bare = weights.has("embed_tokens.weight") && used == Use::States;
        let model = if is_bare { weights.clone() } else { weights.pp("model") };
        Llama::load_parts(shape, layout, (&weights, &model), used)
    }

    /// Reads the network below `model`; `weights` has the map to the vocabulary.
    fn load_parts(
        mut shape: DecoderShape,
        layout: RopeLayout,
        (weights, model): (&Weights, &Weights),
        used: Use,
    ) -> Result<Llama> {
        // GGUF files store Llama 3's scaling of wavelengths as one divisor for each pair of dimensions.
        if weights.has("rope_freqs.weight") {
            let divisors = weights.numbers(shape.head / 2, "rope_freqs.weight")?;
            let mut ropes = shape.types.iter_mut().filter_map(|kind| kind.rope.as_mut());
            ropes.try_for_each(|rope| rope.divide(&divisors))?;
        }
        let tokens = model.pp("embed_tokens").table(shape.vocab, shape.width, shape.tied)?;
        let layer = |(n, kind): (usize, &usize)| Layer::load(&shape, *kind, &model.pp("layers").pp(n));
        Ok(Llama {
            layers: shape.layers.iter().enumerate().map(layer).collect::<Result<_>>()?,
            norm: RootNorm::load(shape.width, &shape, model.pp("norm"))?,
            head: match used {
                Use::Tokens => Some(weights.head(shape.vocab, shape.width, shape.tied, &tokens)?),
                Use::States => None,
            },
            tokens,
            ropes: shape.types.iter().filter_map(|kind| kind.rope.clone()).collect(),
            sight: Sight::default(),
            shape,
            layout,
            device: weights.device().clone(),
            dtype: weights.dtype(),
            kv_cache: KvFormat::default(),
        })
    }

    /// The same network, which keeps keys and values in this format where it attends in blocks.
    pub(super) fn keeping(self, kv_cache: KvFormat) -> Llama {
        Llama { kv_cache, ..self }
    }

    /// True if attention reads keys and values in blocks: on a CPU.
    fn in_blocks(&self) -> bool {
        self.device.is_cpu() && self.dtype == DType::F32
    }

    /// The states after the last layer, not yet normalised: (tokens of all rows, width).
    fn states(&self, rows: &mut [CacheRow<'_, KvCache>]) -> Result<Tensor> {
        // a picture's vectors take the place of those of any token
        let id = |position: &PromptPosition| if let PromptPosition::Token(id) = position { *id } else { 0 };
        let ids: Vec<u32> = rows.iter().flat_map(|(_, read)| read.iter().map(id)).collect();
        let runs = sight::runs(rows.iter().flat_map(|(_, read)| read.iter()));
        let step = self.step(rows)?;
        let mut x = self.tokens.rows(&Tensor::new(ids, &self.device)?, self.dtype)?; // (tokens of all rows, width)
        if let Some(scale) = self.shape.token_scale {
            x = (x * scale)?;
        }
        self.sight.fill(&x, &runs)?;
        for (n, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, &step, rows, n)?;
            self.sight.deepen(&x, n, &runs)?;
        }
        Ok(x)
    }

    /// The normalised states of one text, (t, width).
    fn states_of(&self, read: &[PromptPosition]) -> Result<Tensor> {
        self.states_in(&mut self.cache(), read)
    }

    /// The normalised states of the next positions of a text, (t, width).
    fn states_in(&self, cache: &mut KvCache, read: &[PromptPosition]) -> Result<Tensor> {
        let states = self.norm.forward(&self.states(&mut [(&mut *cache, read)])?)?;
        cache.advance(read.len());
        Ok(states)
    }

    fn step(&self, rows: &mut [CacheRow<'_, KvCache>]) -> Result<LayerInputs> {
        let mut places = Vec::new();
        for (cache, read) in rows.iter_mut().filter(|_| self.sight.sections.is_some()) {
            places.push(cache.places.extend(read, &self.sight)?);
        }
        let rows = &*rows;
        let view = |(cache, read): &CacheRow<'_, KvCache>| {
            let (t, dtype, device) = (read.len(), self.dtype, &self.device);
            let of = |kind: &LayerType| match (self.in_blocks(), self.shape.sees_both_sides) {
                (true, true) => Ok(View::spans_to_both_sides(t, kind.window)),
                (true, false) => Ok(View::spans(t, cache.length, kind.window)),
                (false, true) => View::both_sides(t, kind.window, dtype, device),
                (false, false) => View::new(t, cache.length, kind.window, dtype, device),
            };
            self.shape.types.iter().map(of).collect::<Result<Vec<View>>>()
        };
        Ok(LayerInputs {
            head: self.shape.head,
            layout: self.layout,
            angles: self.shape.types.iter().map(|kind| self.angles(kind, rows, &places)).collect::<Result<_>>()?,
            views: rows.iter().map(view).collect::<Result<_>>()?,
        })
    }

    /// The cosines and sines of the next positions of all rows: (tokens of all rows, rotated / 2).
    /// `places` has the places of each row, if the network counts on three axes.
    fn angles(
        &self,
        kind: &LayerType,
        rows: &[CacheRow<'_, KvCache>],
        places: &[Vec<[u32; 3]>],
    ) -> Result<Option<(Tensor, Tensor)>> {
        let Some(rope) = &kind.rope else { return Ok(None) };
        let axes = self.sight.sections.map(|sections| Sight::axes(sections, rope.trained.len())).unwrap_or_default();
        let mut angles: Vec<f32> = Vec::new();
        for (row, (cache, read)) in rows.iter().enumerate() {
            let frequencies = rope.frequencies(cache.sequence(read.len()));
            if let Some(places) = places.get(row) {
                for place in places {
                    angles.extend(frequencies.iter().zip(&axes).map(|(f, axis)| place[*axis] as f32 * f));
                }
                continue;
            }
            for position in cache.length..cache.length + read.len() {
                angles.extend(frequencies.iter().map(|f| position as f32 * f));
            }
        }
        let angles = Tensor::from_vec(angles, ((), rope.trained.len()), &self.device)?;
        let scaled = |x: Tensor| (x * rope.scale)?.to_dtype(self.dtype);
        Ok(Some((scaled(angles.cos()?)?, scaled(angles.sin()?)?)))
    }
}

impl Decoder for Llama {
    type Cache = KvCache;

    fn cache(&self) -> KvCache {
        let blocks = self.in_blocks().then_some(self.kv_cache);
        KvCache::new(self.layers.len(), self.ropes.clone(), blocks, self.shape.rereads)
    }

    fn forward(&self, rows: &mut [CacheRow<'_, KvCache>], all: bool) -> Result<Tensor> {
        let renewed: Vec<_> = rows.iter_mut().map(|(cache, read)| cache.renewed(read)).collect();
        // the number of positions with logits, for each row
        let wanted: Vec<usize> = rows.iter().map(|(_, read)| if all { read.len() } else { 1 }).collect();
        let mut own: Vec<CacheRow<'_, KvCache>> = Vec::new();
        for ((cache, read), renewed) in rows.iter_mut().zip(&renewed) {
            own.push((cache, renewed.as_deref().unwrap_or(read)));
        }
        let rows = own.as_mut_slice();
        let x = self.states(rows)?;
        let (mut ends, mut kept) = (0, Vec::new());
        for ((cache, read), wanted) in rows.iter_mut().zip(wanted) {
            cache.advance(read.len());
            ends += read.len() as u32;
            kept.extend(ends - wanted as u32..ends);
        }
        let x = if kept.len() == x.dim(0)? { x } else { x.index_select(&Tensor::new(kept, &self.device)?, 0)? };
        let Some(head) = &self.head else {
            candle_core::bail!("this network was loaded for its states: this is a bug")
        };
        let logits = head.forward(&self.norm.forward(&x)?)?.to_dtype(DType::F32)?;
        match self.shape.logit_cap {
            Some(cap) => (logits / cap)?.tanh()? * cap,
            None => Ok(logits),
        }
    }
}
