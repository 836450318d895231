//! The layers of the decoder: norms, attention and feed-forward part.

use super::{
    KvCache,
    cache::LayerCache,
    inputs::LayerInputs,
    map::Map,
    shape::{DecoderShape, Fused},
    weights::Weights,
};
use crate::infer::{
    causal::{self, SeenSpan},
    decode::CacheRow,
    ops::{self, Activation},
};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::Module;

/// A norm by the root of the mean square.
pub(super) struct RootNorm {
    weight: Tensor,
    eps: f32,
}

impl RootNorm {
    /// Reads `weight`, which Gemma stores less 1.
    pub(super) fn load(size: usize, shape: &DecoderShape, weights: Weights) -> Result<RootNorm> {
        let weight = weights.vector(size, "weight")?;
        let weight = if shape.norms_less_one { (weight + 1.0)? } else { weight };
        Ok(RootNorm { weight, eps: shape.eps })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        candle_nn::ops::rms_norm(&x.contiguous()?, &self.weight, self.eps)
    }
}

/// A layer.
pub(super) struct Layer {
    norm1: RootNorm,
    query: Map,
    key: Map,
    value: Map,
    out: Map,
    /// Qwen3 and Gemma 3 normalise each head of queries and keys.
    head_norms: Option<(RootNorm, RootNorm)>,
    norm2: RootNorm,
    gate: Map,
    up: Map,
    down: Map,
    activation: Activation,
    /// Gemma 3 normalises the outputs of attention and of the feed-forward part.
    after: Option<(RootNorm, RootNorm)>,
    /// The factor of queries.
    query_scale: f64,
    /// The index of the layer's type.
    kind: usize,
}

impl Layer {
    pub(super) fn load(shape: &DecoderShape, kind: usize, weights: &Weights) -> Result<Layer> {
        let (w, attn, mlp) = (shape.width, weights.pp("self_attn"), weights.pp("mlp"));
        let (queries, keys) = (shape.heads * shape.head, shape.kv_heads * shape.head);
        let head_norms = shape.head_norms.then(|| -> Result<_> {
            let norm = |name| RootNorm::load(shape.head, shape, attn.pp(name));
            Ok((norm("q_norm")?, norm("k_norm")?))
        });
        if !shape.head_norms && attn.has("q_norm.weight") {
            candle_core::bail!("the weights hold norms of queries, which this model type does not have");
        }
        let map = |from: &Weights, name: &str, input, output| from.map(name, input, output, shape.biases);
        let norm = |name: &str| RootNorm::load(w, shape, weights.pp(name));
        let [query, key, value] = match shape.fused {
            Fused::Not => {
                [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)].map(|(name, rows)| map(&attn, name, w, rows))
            }
            Fused::Phi => attn.pp("qkv_proj").parts(w, [queries, keys, keys])?.map(Ok),
        };
        let [gate, up] = match shape.fused {
            Fused::Not => ["gate_proj", "up_proj"].map(|name| map(&mlp, name, w, shape.inner)),
            Fused::Phi => mlp.pp("gate_up_proj").parts(w, [shape.inner; 2])?.map(Ok),
        };
        let (norm2, after) = match shape.norms_after {
            false => (norm("post_attention_layernorm")?, None),
            true => (
                norm("pre_feedforward_layernorm")?,
                Some((norm("post_attention_layernorm")?, norm("post_feedforward_layernorm")?)),
            ),
        };
        Ok(Layer {
            norm1: norm("input_layernorm")?,
            query: query?,
            key: key?,
            value: value?,
            out: map(&attn, "o_proj", queries, w)?,
            head_norms: head_norms.transpose()?,
            norm2,
            gate: gate?,
            up: up?,
            down: map(&mlp, "down_proj", shape.inner, w)?,
            activation: shape.activation,
            after,
            query_scale: shape.query_scale,
            kind,
        })
    }

    /// (tokens of all rows, width) -> (tokens of all rows, width)
    pub(super) fn forward(
        &self,
        x: &Tensor,
        step: &LayerInputs,
        rows: &mut [CacheRow<'_, KvCache>],
        layer: usize,
    ) -> Result<Tensor> {
        let y = self.out.forward(&self.attend(&self.norm1.forward(x)?, step, rows, layer)?)?;
        let y = match &self.after {
            Some((norm, _)) => norm.forward(&y)?,
            None => y,
        };
        let x = (x + y)?;
        let y = self.norm2.forward(&x)?;
        let [gate, up] = Map::forward_all([&self.gate, &self.up], &y)?;
        let y = (self.activation.forward(&gate)? * up)?;
        let y = self.down.forward(&y)?;
        match &self.after {
            Some((_, norm)) => x + norm.forward(&y)?,
            None => x + y,
        }
    }

    fn attend(
        &self,
        x: &Tensor,
        step: &LayerInputs,
        rows: &mut [CacheRow<'_, KvCache>],
        layer: usize,
    ) -> Result<Tensor> {
        let n = x.dim(0)?;
        let split = |x: Tensor| x.reshape((n, (), step.head)); // (tokens, heads, head)
        let [q, k, v] = Map::forward_all([&self.query, &self.key, &self.value], x)?;
        let (mut q, mut k) = (split(q)?, split(k)?);
        if let Some((q_norm, k_norm)) = &self.head_norms {
            (q, k) = (q_norm.forward(&q)?, k_norm.forward(&k)?);
        }
        let v = split(v)?.transpose(0, 1)?.contiguous()?;
        let (q, k) = (step.rotate(&q, self.kind)?, step.rotate(&k, self.kind)?); // (heads, tokens, head)
        let q = (q * self.query_scale)?;
        let (mut mixed, mut blocks, mut at) = (Vec::new(), Vec::new(), 0);
        for (row, (cache, read)) in rows.iter_mut().enumerate() {
            let (t, length) = (read.len(), cache.length);
            match (&mut cache.layers[layer], &step.views[row][self.kind]) {
                (LayerCache::Blocks(kv), View::Spans(spans)) => blocks.push(causal::Row { kv, length, spans }),
                (LayerCache::Joined(kv), View::Masked { from, mask }) => {
                    let of_row = |x: &Tensor| x.narrow(1, at, t);
                    let (keys, values) = kv.append(&of_row(&k)?, &of_row(&v)?, length)?;
                    let seen = |x: Tensor| x.narrow(1, *from, x.dim(1)? - from);
                    mixed.push(attend_row(&of_row(&q)?, &seen(keys)?, &seen(values)?, mask.as_ref())?);
                }
                _ => candle_core::bail!("a cache that does not fit its view: this is a bug"),
            }
            at += t;
        }
        if mixed.is_empty() { causal::attend(&q, &k, &v, &mut blocks) } else { Tensor::cat(&mixed, 0) }
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
pub(super) enum View {
    /// What each new position sees, for attention in blocks.
    Spans(Vec<SeenSpan>),
    /// For products with all scores.
    Masked {
        /// The first position.
        from: usize,
        /// Added to the scores, (t, positions from `from`); none if every position is seen.
        mask: Option<Tensor>,
    },
}

impl View {
    /// What `t` positions that follow `offset` others see in blocks.
    pub(super) fn spans(t: usize, offset: usize, window: Option<usize>) -> View {
        let first = |last: usize| window.map_or(0, |window| (last + 1).saturating_sub(window));
        View::Spans((offset..offset + t).map(|last| (first(last), last + 1)).collect())
    }

    /// As [`spans`](Self::spans), for a text whose `t` tokens see both sides; half of the window lies on each.
    pub(super) fn spans_to_both_sides(t: usize, window: Option<usize>) -> View {
        let reach = window.map_or(t, |window| window / 2);
        View::Spans((0..t).map(|at| (at.saturating_sub(reach), (at + reach + 1).min(t))).collect())
    }

    /// The view of `t` positions that follow `offset` others.
    pub(super) fn new(t: usize, offset: usize, window: Option<usize>, dtype: DType, device: &Device) -> Result<View> {
        let window = window.filter(|window| offset + t > *window);
        let from = window.map_or(0, |window| (offset + 1).saturating_sub(window));
        let mask = match (t, window) {
            (1, _) => None,
            (_, Some(window)) => Some(ops::sliding_mask(t, offset, from, window, dtype, device)?),
            (_, None) => Some(ops::causal_mask(t, offset, dtype, device)?),
        };
        Ok(View::Masked { from, mask })
    }

    /// The view of all `t` positions of a text whose tokens see both sides; half of the window lies on each.
    pub(super) fn both_sides(t: usize, window: Option<usize>, dtype: DType, device: &Device) -> Result<View> {
        let reach = window.map(|window| window / 2).filter(|reach| *reach + 1 < t);
        let mask = reach.map(|reach| ops::reaching_mask(t, reach, dtype, device)).transpose()?;
        Ok(View::Masked { from: 0, mask })
    }
}
