//! The Llama architecture: RMS norms, rotary position embeddings, grouped-query attention and a gated feed-forward
//! layer (Touvron et al. 2023, arXiv 2302.13971). Llama, SmolLM2, Mistral, Qwen2 and Qwen3 checkpoints have it, and
//! GGUF files of `llama`, `qwen2` and `qwen3`.
//!
//! The code is our own. The decoders of candle-transformers cannot batch prompts of different length, and each has its own
//! cache and masks.

mod cache;
mod shape;
mod weights;

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Modality},
    infer::{
        chat::{Chat, end_tokens},
        checkpoint::Checkpoint,
        config::Config,
        cost::{CostModel, Pass, Transformer},
        decode::{CacheRow, Decoder, GeneratorParts, TextGenerator},
        failed,
        ops::{self, Activation, Linear, Table},
        prefix::tokens_only,
        processors::LogitsProcessors,
        rope::Rope,
        sampling,
        text::{TextTokenizer, VocabStyle},
    },
};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::Module;
use shape::{DecoderShape, LayerType};
use std::sync::Arc;
use weights::Weights;

pub use cache::KvCache;

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "llama",
    about: "completes prompts and chats; also from GGUF files",
    answers: &[Answers::new(Kind::Say, &[Modality::Text])],
    own_labels: false,
    recognises: |config| {
        config.is_type(
            &["llama", "mistral", "qwen2", "qwen3"],
            &["LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"],
        )
    },
    floors: false,
    cost,
    load: |checkpoint, loading| Ok(Box::new(generator(checkpoint, loading)?)),
};

/// The work of a decoder. The last map counts for each token of a reply; a prompt needs it once.
fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
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
    let (config, generation) = (&checkpoint.config, checkpoint.json("generation_config.json")?);
    let shape = DecoderShape::read(config)?;
    let ends = end_tokens(generation.as_ref(), config, shape.vocab)?;
    let parts = GeneratorParts {
        text: TextTokenizer::open(checkpoint, VocabStyle::Bytes)?,
        chat: Chat::open(checkpoint)?,
        processors: LogitsProcessors::read(generation.as_ref(), &ends)?,
        ends,
        defaults: sampling::defaults(generation.as_ref())?,
        decode: loading.decode.clone(),
        meter: loading.meter.clone(),
        context_tokens: loading.context_tokens.unwrap_or(shape.positions).min(shape.positions),
    };
    let net = match checkpoint.gguf() {
        Some(gguf) => {
            let weights = Weights::gguf(gguf.weights(&loading.device)?, loading.dtype);
            let biases = if shape.biases.qkv { shape.biases } else { weights.biases() };
            let shape = DecoderShape { biases, ..shape };
            Llama::load(shape, RopeLayout::of_gguf(config), weights).map_err(|error| gguf.unfit(&error))?
        }
        None => {
            let weights = Weights::folder(checkpoint.weights(loading.dtype, &loading.device)?);
            Llama::load(shape, RopeLayout::Halves, weights).map_err(failed)?
        }
    };
    Ok(TextGenerator::new(net, parts))
}

/// The pairs of dimensions of a head that the rotary embedding rotates together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RopeLayout {
    /// i and i + head/2: the layout of checkpoint folders.
    Halves,
    /// 2i and 2i + 1: GGUF files of the architecture `llama` store the rows of queries and keys in this order.
    Neighbours,
}

impl RopeLayout {
    /// The layout of a GGUF file: llama.cpp's converter reorders the rows of `llama` only, whose files may state a window
    /// and are then `mistral`.
    fn of_gguf(config: &Config) -> RopeLayout {
        if config.is_type(&["llama", "mistral"], &[]) { RopeLayout::Neighbours } else { RopeLayout::Halves }
    }
}

struct Norm {
    weight: Tensor,
    eps: f32,
}

impl Norm {
    fn load(size: usize, eps: f32, weights: Weights) -> Result<Norm> {
        Ok(Norm { weight: weights.vector(size, "weight")?, eps })
    }
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        candle_nn::ops::rms_norm(&x.contiguous()?, &self.weight, self.eps)
    }
}

struct Layer {
    norm1: Norm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    /// Qwen3 normalises each head of queries and keys.
    head_norms: Option<(Norm, Norm)>,
    norm2: Norm,
    gate: Linear,
    up: Linear,
    down: Linear,
    activation: Activation,
    /// The index of the layer's type.
    kind: usize,
}

impl Layer {
    fn load(shape: &DecoderShape, kind: usize, weights: &Weights) -> Result<Layer> {
        let (w, attn, mlp) = (shape.width, weights.pp("self_attn"), weights.pp("mlp"));
        let (queries, keys) = (shape.heads * shape.head, shape.kv_heads * shape.head);
        let head_norms = shape.head_norms.then(|| -> Result<_> {
            let norm = |name| Norm::load(shape.head, shape.eps, attn.pp(name));
            Ok((norm("q_norm")?, norm("k_norm")?))
        });
        if !shape.head_norms && attn.has("q_norm.weight") {
            candle_core::bail!("the weights hold norms of queries, which this model type does not have");
        }
        let map = |from: &Weights, name: &str, input, output| from.map(name, input, output, shape.biases);
        Ok(Layer {
            norm1: Norm::load(w, shape.eps, weights.pp("input_layernorm"))?,
            query: map(&attn, "q_proj", w, queries)?,
            key: map(&attn, "k_proj", w, keys)?,
            value: map(&attn, "v_proj", w, keys)?,
            out: map(&attn, "o_proj", queries, w)?,
            head_norms: head_norms.transpose()?,
            norm2: Norm::load(w, shape.eps, weights.pp("post_attention_layernorm"))?,
            gate: map(&mlp, "gate_proj", w, shape.inner)?,
            up: map(&mlp, "up_proj", w, shape.inner)?,
            down: map(&mlp, "down_proj", shape.inner, w)?,
            activation: shape.activation,
            kind,
        })
    }

    /// (tokens of all rows, width) -> (tokens of all rows, width)
    fn forward(&self, x: &Tensor, step: &Step, rows: &mut [CacheRow<'_, KvCache>], layer: usize) -> Result<Tensor> {
        let y = self.norm1.forward(x)?;
        let x = (x + self.out.forward(&self.attend(&y, step, rows, layer)?)?)?;
        let y = self.norm2.forward(&x)?;
        let y = (self.activation.forward(&self.gate.forward(&y)?)? * self.up.forward(&y)?)?;
        x + self.down.forward(&y)?
    }

    fn attend(&self, x: &Tensor, step: &Step, rows: &mut [CacheRow<'_, KvCache>], layer: usize) -> Result<Tensor> {
        let n = x.dim(0)?;
        let split = |x: Tensor| x.reshape((n, (), step.head)); // (tokens, heads, head)
        let (mut q, mut k) = (split(self.query.forward(x)?)?, split(self.key.forward(x)?)?);
        if let Some((q_norm, k_norm)) = &self.head_norms {
            (q, k) = (q_norm.forward(&q)?, k_norm.forward(&k)?);
        }
        let v = split(self.value.forward(x)?)?.transpose(0, 1)?.contiguous()?;
        let (q, k) = (step.rotate(&q, self.kind)?, step.rotate(&k, self.kind)?); // (heads, tokens, head)
        let q = (q * (step.head as f64).powf(-0.5))?;
        let mut mixed = Vec::with_capacity(rows.len());
        let mut at = 0;
        for (row, (cache, read)) in rows.iter_mut().enumerate() {
            let t = read.len();
            let of_row = |x: &Tensor| x.narrow(1, at, t);
            let (keys, values) = cache.layers[layer].append(&of_row(&k)?, &of_row(&v)?, cache.length)?;
            let View { from, mask } = &step.views[row][self.kind];
            let seen = |x: Tensor| x.narrow(1, *from, x.dim(1)? - from);
            mixed.push(attend_row(&of_row(&q)?, &seen(keys)?, &seen(values)?, mask.as_ref())?);
            at += t;
        }
        Tensor::cat(&mixed, 0)
    }
}

/// The attention of one row. `q` is (heads, t, head), `k` and `v` are (kv heads, s, head). The queries of a group are
/// stacked, so that keys and values are not copied. Gives (t, heads·head).
fn attend_row(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let ((heads, t, head), kv_heads) = (q.dims3()?, k.dim(0)?);
    let group = heads / kv_heads;
    let q = q.contiguous()?.reshape((kv_heads, group * t, head))?;
    let scores = q.matmul(&k.t()?)?; // (kv heads, group·t, s)
    let scores = match mask {
        Some(mask) => scores.reshape((kv_heads * group, t, ()))?.broadcast_add(mask)?.reshape(scores.shape())?,
        None => scores,
    };
    let mixed = candle_nn::ops::softmax_last_dim(&scores)?.matmul(v)?;
    mixed.reshape((heads, t, head))?.transpose(0, 1)?.reshape((t, heads * head))
}

/// The positions that the layers of one type read from the cache of one row.
struct View {
    /// The first position.
    from: usize,
    /// Added to the scores, (t, positions from `from`); none if every position is seen.
    mask: Option<Tensor>,
}

impl View {
    /// The view of `t` positions that follow `offset` others.
    fn new(t: usize, offset: usize, window: Option<usize>, dtype: DType, device: &Device) -> Result<View> {
        let window = window.filter(|window| offset + t > *window);
        let from = window.map_or(0, |window| (offset + 1).saturating_sub(window));
        let mask = match (t, window) {
            (1, _) => None,
            (_, Some(window)) => Some(ops::sliding_mask(t, offset, from, window, dtype, device)?),
            (_, None) => Some(ops::causal_mask(t, offset, dtype, device)?),
        };
        Ok(View { from, mask })
    }
}

/// The shared inputs of all layers of one call. Its lists have one entry for each type of layer.
struct Step {
    head: usize,
    layout: RopeLayout,
    /// Cosines and sines: (tokens of all rows, head / 2).
    angles: Vec<(Tensor, Tensor)>,
    /// For each row.
    views: Vec<Vec<View>>,
}

impl Step {
    /// (tokens, heads, head) -> rotated by position, (heads, tokens, head)
    fn rotate(&self, x: &Tensor, kind: usize) -> Result<Tensor> {
        let x = x.transpose(0, 1)?.contiguous()?.unsqueeze(0)?;
        let (cos, sin) = &self.angles[kind];
        match self.layout {
            RopeLayout::Halves => candle_nn::rotary_emb::rope(&x, cos, sin)?.squeeze(0),
            RopeLayout::Neighbours => candle_nn::rotary_emb::rope_i(&x, cos, sin)?.squeeze(0),
        }
    }
}

/// A decoder-only network of the Llama architecture.
pub struct Llama {
    tokens: Table,
    layers: Vec<Layer>,
    norm: Norm,
    head: Linear,
    ropes: Arc<[Rope]>,
    shape: DecoderShape,
    layout: RopeLayout,
    device: Device,
    dtype: DType,
}

impl Llama {
    fn load(mut shape: DecoderShape, layout: RopeLayout, weights: Weights) -> Result<Llama> {
        let model = weights.pp("model");
        // GGUF files store Llama 3's scaling of wavelengths as one divisor for each pair of dimensions.
        if weights.has("rope_freqs.weight") {
            let divisors = weights.numbers(shape.head / 2, "rope_freqs.weight")?;
            shape.types.iter_mut().try_for_each(|kind| kind.rope.divide(&divisors))?;
        }
        let tokens = model.pp("embed_tokens").table(shape.vocab, shape.width, shape.tied)?;
        let layer = |(n, kind): (usize, &usize)| Layer::load(&shape, *kind, &model.pp("layers").pp(n));
        Ok(Llama {
            layers: shape.layers.iter().enumerate().map(layer).collect::<Result<_>>()?,
            norm: Norm::load(shape.width, shape.eps, model.pp("norm"))?,
            head: weights.head(shape.vocab, shape.width, shape.tied, &tokens)?,
            tokens,
            ropes: shape.types.iter().map(|kind| kind.rope.clone()).collect(),
            shape,
            layout,
            device: weights.device().clone(),
            dtype: weights.dtype(),
        })
    }

    fn step(&self, rows: &[CacheRow<'_, KvCache>]) -> Result<Step> {
        let view = |(cache, read): &CacheRow<'_, KvCache>| {
            let of = |kind: &LayerType| View::new(read.len(), cache.length, kind.window, self.dtype, &self.device);
            self.shape.types.iter().map(of).collect::<Result<Vec<View>>>()
        };
        Ok(Step {
            head: self.shape.head,
            layout: self.layout,
            angles: self.ropes.iter().map(|rope| self.angles(rope, rows)).collect::<Result<_>>()?,
            views: rows.iter().map(view).collect::<Result<_>>()?,
        })
    }

    /// The cosines and sines of the next positions of all rows: (tokens of all rows, head / 2).
    fn angles(&self, rope: &Rope, rows: &[CacheRow<'_, KvCache>]) -> Result<(Tensor, Tensor)> {
        let mut angles: Vec<f32> = Vec::new();
        for (cache, read) in rows {
            let frequencies = rope.frequencies(cache.sequence(read.len()));
            for position in cache.length..cache.length + read.len() {
                angles.extend(frequencies.iter().map(|f| position as f32 * f));
            }
        }
        let angles = Tensor::from_vec(angles, ((), self.shape.head / 2), &self.device)?;
        let scaled = |x: Tensor| (x * rope.scale)?.to_dtype(self.dtype);
        Ok((scaled(angles.cos()?)?, scaled(angles.sin()?)?))
    }
}

impl Decoder for Llama {
    type Cache = KvCache;

    fn cache(&self) -> KvCache {
        KvCache::new(self.layers.len(), self.ropes.clone())
    }

    fn forward(&self, rows: &mut [CacheRow<'_, KvCache>], all: bool) -> Result<Tensor> {
        let mut ids: Vec<u32> = Vec::new();
        for (_, read) in rows.iter() {
            ids.extend(tokens_only(read)?);
        }
        let step = self.step(rows)?;
        let mut x = self.tokens.rows(&Tensor::new(ids, &self.device)?, self.dtype)?; // (tokens of all rows, width)
        for (n, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, &step, rows, n)?;
        }
        let mut last = Vec::with_capacity(rows.len());
        for (cache, read) in rows {
            cache.advance(read.len());
            last.push(last.last().map_or(0, |at| at + 1) + read.len() as u32 - 1);
        }
        let x = if all || last.len() == x.dim(0)? { x } else { x.index_select(&Tensor::new(last, &self.device)?, 0)? };
        self.head.forward(&self.norm.forward(&x)?)?.to_dtype(DType::F32)
    }
}
