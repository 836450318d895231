//! The Llama architecture: RMS norms, rotary position embeddings, grouped-query attention and a gated feed-forward
//! layer (Touvron et al. 2023, arXiv 2302.13971). Llama, SmolLM2, Mistral, Qwen2 and Qwen3 checkpoints have it, and
//! GGUF files of `llama`.

mod weights;

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Modality},
    infer::{
        chat::{Chat, end_tokens},
        checkpoint::Checkpoint,
        config::{Config, within},
        decode::{CacheRow, Decoder, GeneratorParts, TextGenerator},
        failed,
        ops::{self, Activation},
        prefix::{Prefix, tokens_only},
        processors::LogitsProcessors,
        rope::Rope,
        sampling,
        text::{TextTokenizer, VocabStyle},
    },
};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::Module;
use weights::{Map, Table, Weights};

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
    load: |checkpoint, loading| Ok(Box::new(generator(checkpoint, loading)?)),
};

/// Loads a checkpoint folder or a GGUF file as a language model that answers `say`. Fails if a file is missing, damaged
/// or unsupported.
pub fn generator(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<TextGenerator<Llama>, Fault> {
    let (config, generation) = (&checkpoint.config, checkpoint.json("generation_config.json")?);
    let (shape, positions) = (Shape::read(config)?, positions(config)?);
    let ends = end_tokens(generation.as_ref(), config, shape.vocab)?;
    let parts = GeneratorParts {
        text: TextTokenizer::open(checkpoint, VocabStyle::Bytes)?,
        chat: Chat::open(checkpoint)?,
        processors: LogitsProcessors::read(generation.as_ref(), &ends)?,
        ends,
        defaults: sampling::defaults(generation.as_ref())?,
        decode: loading.decode.clone(),
        context_tokens: loading.context_tokens.unwrap_or(positions).min(positions),
    };
    let net = match checkpoint.gguf() {
        Some(gguf) => {
            let weights = Weights::gguf(gguf.weights(&loading.device)?, loading.dtype);
            Llama::load(shape, RopeLayout::Neighbours, weights).map_err(|error| gguf.unfit(&error))?
        }
        None => {
            let weights = Weights::folder(checkpoint.weights(loading.dtype, &loading.device)?);
            Llama::load(shape, RopeLayout::Halves, weights).map_err(failed)?
        }
    };
    Ok(TextGenerator::new(net, parts))
}

/// The maximum positions of a prompt and its reply together.
fn positions(config: &Config) -> std::result::Result<usize, Fault> {
    Ok(config.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(2048))
}

/// The settings in `config.json`, with the defaults of transformers.
struct Shape {
    vocab: usize,
    width: usize,
    inner: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    head: usize,
    eps: f32,
    tied: bool,
    activation: Activation,
    rope: Rope,
}

impl Shape {
    fn read(config: &Config) -> std::result::Result<Shape, Fault> {
        let width = config.size("hidden_size", within::WIDTH)?;
        let heads = config.size("num_attention_heads", within::HEADS)?;
        let head = config.count("head_dim", within::HEADS)?.unwrap_or(width / heads);
        let positions = positions(config)?;
        let window = config.count("sliding_window", within::TOKENS)?.filter(|window| *window < positions);
        if let (Some(window), true) = (window, config.truth("use_sliding_window")? != Some(false)) {
            return Err(Fault::model(format!("attention in a sliding window of {window} tokens is not supported")));
        }
        let kv_heads = config.count("num_key_value_heads", within::HEADS)?.unwrap_or(heads);
        let odd = |what: String| Err(Fault::model(format!("{}: {what}", config.name())));
        if !heads.is_multiple_of(kv_heads) {
            return odd(format!("num_attention_heads {heads} is not divisible by num_key_value_heads {kv_heads}"));
        }
        if head == 0 || !head.is_multiple_of(2) {
            return odd(format!(
                "head_dim is {head}; it must be even and above 0, because the rotary embedding rotates pairs"
            ));
        }
        Ok(Shape {
            vocab: config.size("vocab_size", within::VOCABULARY)?,
            width,
            inner: config.size("intermediate_size", within::WIDTH)?,
            layers: config.size("num_hidden_layers", within::LAYERS)?,
            heads,
            kv_heads,
            head,
            eps: config.number("rms_norm_eps", within::EPSILON)?.unwrap_or(1e-6) as f32,
            tied: config.truth("tie_word_embeddings")?.unwrap_or(false),
            activation: config.activation("hidden_act", "silu")?,
            rope: Rope::read(config, head, positions)?,
        })
    }
}

/// The pairs of dimensions of a head that the rotary embedding rotates together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RopeLayout {
    /// i and i + head/2: the layout of checkpoint folders.
    Halves,
    /// 2i and 2i + 1: GGUF files of the architecture `llama` store the rows of queries and keys in this order.
    Neighbours,
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
    query: Map,
    key: Map,
    value: Map,
    out: Map,
    /// Qwen3 normalises each head of queries and keys.
    head_norms: Option<(Norm, Norm)>,
    norm2: Norm,
    gate: Map,
    up: Map,
    down: Map,
    activation: Activation,
}

impl Layer {
    fn load(shape: &Shape, weights: &Weights) -> Result<Layer> {
        let (w, attn, mlp) = (shape.width, weights.pp("self_attn"), weights.pp("mlp"));
        let (queries, keys) = (shape.heads * shape.head, shape.kv_heads * shape.head);
        let head_norms = attn.has("q_norm.weight").then(|| -> Result<_> {
            let norm = |name| Norm::load(shape.head, shape.eps, attn.pp(name));
            Ok((norm("q_norm")?, norm("k_norm")?))
        });
        Ok(Layer {
            norm1: Norm::load(w, shape.eps, weights.pp("input_layernorm"))?,
            query: attn.pp("q_proj").map(w, queries)?,
            key: attn.pp("k_proj").map(w, keys)?,
            value: attn.pp("v_proj").map(w, keys)?,
            out: attn.pp("o_proj").map(queries, w)?,
            head_norms: head_norms.transpose()?,
            norm2: Norm::load(w, shape.eps, weights.pp("post_attention_layernorm"))?,
            gate: mlp.pp("gate_proj").map(w, shape.inner)?,
            up: mlp.pp("up_proj").map(w, shape.inner)?,
            down: mlp.pp("down_proj").map(shape.inner, w)?,
            activation: shape.activation,
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
        let (q, k) = (step.rotate(&q)?, step.rotate(&k)?); // (heads, tokens, head)
        let q = (q * (step.head as f64).powf(-0.5))?;
        let mut mixed = Vec::with_capacity(rows.len());
        let mut at = 0;
        for (row, (cache, read)) in rows.iter_mut().enumerate() {
            let t = read.len();
            let of_row = |x: &Tensor| x.narrow(1, at, t);
            let (keys, values) = cache.layers[layer].append(&of_row(&k)?, &of_row(&v)?, cache.length)?;
            mixed.push(attend_row(&of_row(&q)?, &keys, &values, step.masks[row].as_ref())?);
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

/// The shared inputs of all layers of one call.
struct Step {
    head: usize,
    layout: RopeLayout,
    cos: Tensor,
    sin: Tensor,
    masks: Vec<Option<Tensor>>,
}

impl Step {
    /// (tokens, heads, head) -> rotated by position, (heads, tokens, head)
    fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.transpose(0, 1)?.contiguous()?.unsqueeze(0)?;
        match self.layout {
            RopeLayout::Halves => candle_nn::rotary_emb::rope(&x, &self.cos, &self.sin)?.squeeze(0),
            RopeLayout::Neighbours => candle_nn::rotary_emb::rope_i(&x, &self.cos, &self.sin)?.squeeze(0),
        }
    }
}

/// Keys and values of one layer of one row, in a buffer with room to grow: (kv heads, room, head).
#[derive(Default)]
struct KvBuffer(Option<(Tensor, Tensor)>);

impl KvBuffer {
    /// The buffer grows by half its length, but at least by this many tokens.
    const ROOM: usize = 64;

    /// Writes `k` and `v`, (kv heads, t, head), after the first `length` tokens. Gives all keys and values, (kv heads,
    /// length + t, head).
    fn append(&mut self, k: &Tensor, v: &Tensor, length: usize) -> Result<(Tensor, Tensor)> {
        let (heads, t, head) = k.dims3()?;
        let room = self.0.as_ref().map_or(Ok(0), |(k, _)| k.dim(1))?;
        if length + t > room {
            let more = (length + t + (length / 2).max(KvBuffer::ROOM), head);
            let grow = |old: Option<&Tensor>| -> Result<Tensor> {
                let new = Tensor::zeros((heads, more.0, more.1), v.dtype(), v.device())?;
                if let (Some(old), true) = (old, length > 0) {
                    new.slice_set(&old.narrow(1, 0, length)?.contiguous()?, 1, 0)?;
                }
                Ok(new)
            };
            self.0 = Some((grow(self.0.as_ref().map(|s| &s.0))?, grow(self.0.as_ref().map(|s| &s.1))?));
        }
        let Some((keys, values)) = &self.0 else { candle_core::bail!("a cache without a buffer") };
        keys.slice_set(&k.contiguous()?, 1, length)?;
        values.slice_set(&v.contiguous()?, 1, length)?;
        Ok((keys.narrow(1, 0, length + t)?, values.narrow(1, 0, length + t)?))
    }
}

/// Keys and values of one row.
pub struct KvCache {
    layers: Vec<KvBuffer>,
    length: usize,
}

impl Prefix for KvCache {
    fn truncate(&mut self, positions: usize) {
        self.length = self.length.min(positions);
    }

    fn copy(&self, positions: usize) -> Result<KvCache> {
        let part = |x: &Tensor| x.narrow(1, 0, positions)?.copy();
        let copy = |store: &KvBuffer| {
            Ok(KvBuffer(match &store.0 {
                Some((k, v)) => Some((part(k)?, part(v)?)),
                None => None,
            }))
        };
        Ok(KvCache { layers: self.layers.iter().map(copy).collect::<Result<_>>()?, length: positions.min(self.length) })
    }
}

/// A decoder-only network of the Llama architecture.
pub struct Llama {
    tokens: Table,
    layers: Vec<Layer>,
    norm: Norm,
    head: Map,
    shape: Shape,
    layout: RopeLayout,
    device: Device,
    dtype: DType,
}

impl Llama {
    fn load(mut shape: Shape, layout: RopeLayout, weights: Weights) -> Result<Llama> {
        let model = weights.pp("model");
        // GGUF files store Llama 3's scaling of wavelengths as one divisor for each pair of dimensions.
        if weights.has("rope_freqs.weight") {
            let divisors = weights.numbers(shape.head / 2, "rope_freqs.weight")?;
            shape.rope.frequencies.iter_mut().zip(divisors).for_each(|(f, divisor)| *f /= divisor);
            if shape.rope.frequencies.iter().any(|f| !f.is_finite()) {
                candle_core::bail!("rope_freqs.weight gives angles that are not finite");
            }
        }
        let tokens = model.pp("embed_tokens").table(shape.vocab, shape.width)?;
        let layer = |n| Layer::load(&shape, &model.pp("layers").pp(n));
        Ok(Llama {
            layers: (0..shape.layers).map(layer).collect::<Result<_>>()?,
            norm: Norm::load(shape.width, shape.eps, model.pp("norm"))?,
            head: weights.head(shape.vocab, shape.width, shape.tied, &tokens)?,
            tokens,
            shape,
            layout,
            device: weights.device().clone(),
            dtype: weights.dtype(),
        })
    }

    fn step(&self, rows: &[CacheRow<'_, KvCache>]) -> Result<Step> {
        let positions = rows.iter().flat_map(|(cache, read)| cache.length..cache.length + read.len());
        let angles: Vec<f32> =
            positions.flat_map(|p| self.shape.rope.frequencies.iter().map(move |f| p as f32 * f)).collect();
        let angles = Tensor::from_vec(angles, ((), self.shape.rope.frequencies.len()), &self.device)?;
        let mask = |(cache, read): &CacheRow<'_, KvCache>| -> Result<Option<Tensor>> {
            if read.len() == 1 {
                Ok(None)
            } else {
                ops::causal_mask(read.len(), cache.length, self.dtype, &self.device).map(Some)
            }
        };
        Ok(Step {
            head: self.shape.head,
            layout: self.layout,
            cos: (angles.cos()? * self.shape.rope.scale)?.to_dtype(self.dtype)?,
            sin: (angles.sin()? * self.shape.rope.scale)?.to_dtype(self.dtype)?,
            masks: rows.iter().map(mask).collect::<Result<_>>()?,
        })
    }
}

impl Decoder for Llama {
    type Cache = KvCache;

    fn cache(&self) -> KvCache {
        KvCache { layers: (0..self.shape.layers).map(|_| KvBuffer::default()).collect(), length: 0 }
    }

    fn forward(&self, rows: &mut [CacheRow<'_, KvCache>], all: bool) -> Result<Tensor> {
        let mut ids: Vec<u32> = Vec::new();
        for (_, read) in rows.iter() {
            ids.extend(tokens_only(read)?);
        }
        let step = self.step(rows)?;
        let mut x = self.tokens.rows(&Tensor::new(ids, &self.device)?)?; // (tokens of all rows, width)
        for (n, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, &step, rows, n)?;
        }
        let mut last = Vec::with_capacity(rows.len());
        for (cache, read) in rows {
            cache.length += read.len();
            last.push(last.last().map_or(0, |at| at + 1) + read.len() as u32 - 1);
        }
        let x = if all || last.len() == x.dim(0)? { x } else { x.index_select(&Tensor::new(last, &self.device)?, 0)? };
        self.head.forward(&self.norm.forward(&x)?)?.to_dtype(DType::F32)
    }
}
