//! The encoder of ModernBERT: rotary positions, norms before the parts, a gated feed-forward part, and layers that see only
//! their neighbourhood (Warner et al. 2024, arXiv 2412.13663).

use super::encoder::{TextEncoder, in_groups};
use crate::{
    error::Fault,
    infer::{
        config::{Config, within},
        cost::{CostModel, Transformer},
        dense::Precision,
        failed,
        meter::Meter,
        ops::{self, Activation, Linear, Table},
        rope::Rope,
        text::Encoded,
    },
    models::ModelOptions,
};
use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};
use serde_json::{Value as Json, json};

/// The settings in `config.json`, with the defaults of transformers.
pub(super) struct ModernShape {
    width: usize,
    inner: usize,
    heads: usize,
    eps: f64,
    activation: Activation,
    /// Norms, attention and feed-forward parts have biases.
    biases: [bool; 3],
    /// True for each layer that sees only its neighbourhood.
    near: Vec<bool>,
    /// The positions to each side that a layer of the neighbourhood sees.
    reach: usize,
    vocab: usize,
    positions: usize,
}

impl ModernShape {
    pub(super) fn read(config: &Config) -> std::result::Result<ModernShape, Fault> {
        let width = config.count("hidden_size", within::WIDTH)?.unwrap_or(768);
        let layers = config.count("num_hidden_layers", within::LAYERS)?.unwrap_or(22);
        let truth = |key: &str| Ok::<_, Fault>(config.truth(key)?.unwrap_or(false));
        let listed = config.list("layer_types")?;
        let every = config.count("global_attn_every_n_layers", within::LAYERS)?.unwrap_or(3);
        let near: Vec<bool> = match listed.is_empty() {
            true => (0..layers).map(|n| !n.is_multiple_of(every)).collect(),
            false => {
                let one = |name: &Json| match name.as_str() {
                    Some("full_attention") => Some(false),
                    Some("sliding_attention") => Some(true),
                    _ => None,
                };
                let near = listed.iter().map(one).collect::<Option<Vec<bool>>>();
                near.filter(|near| near.len() == layers).ok_or_else(|| config.unsupported("layer_types"))?
            }
        };
        Ok(ModernShape {
            width,
            inner: config.count("intermediate_size", within::WIDTH)?.unwrap_or(1152),
            heads: config.heads("num_attention_heads", 12, width)?,
            eps: config.number("norm_eps", within::EPSILON)?.unwrap_or(1e-5),
            activation: config.activation("hidden_activation", "gelu")?,
            biases: [truth("norm_bias")?, truth("attention_bias")?, truth("mlp_bias")?],
            near,
            reach: config.count("local_attention", within::POSITIONS)?.unwrap_or(128) / 2,
            vocab: config.count("vocab_size", within::VOCABULARY)?.unwrap_or(50_368),
            positions: config.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(8192),
        })
    }

    /// A norm of states.
    pub(super) fn norm(&self, vb: &VarBuilder<'_>) -> Result<LayerNorm> {
        let weight = vb.get(self.width, "weight")?;
        Ok(match self.biases[0] {
            true => LayerNorm::new(weight, vb.get(self.width, "bias")?, self.eps),
            false => LayerNorm::new_no_bias(weight, self.eps),
        })
    }
}

/// The work of the encoder for a token.
pub(super) fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let shape = ModernShape::read(config)?;
    let ModernShape { width, inner, heads, near, positions, .. } = shape;
    let text = Transformer { gated: true, ..Transformer::plain(width, inner, near.len(), heads) }.token();
    Ok(CostModel { text, text_tokens: positions, ..CostModel::default() })
}

/// A linear map that has a bias if the configuration says so.
pub(super) fn map(input: usize, output: usize, has_bias: bool, vb: VarBuilder<'_>) -> Result<Linear> {
    let map = match has_bias {
        true => ops::linear_with_bias(input, output, vb.clone())?,
        false => ops::linear_without_bias(input, output, vb.clone())?,
    };
    ops::packed(map, &vb, Precision::F32)
}

struct Block {
    /// The first block has none: the states of tokens are normalised already.
    norm1: Option<LayerNorm>,
    /// Queries, keys and values.
    joined: Linear,
    out: Linear,
    norm2: LayerNorm,
    /// The input of the activation, and the gate.
    up: Linear,
    down: Linear,
    is_near: bool,
}

/// A loaded encoder.
pub(super) struct ModernEncoder {
    shape: ModernShape,
    tokens: Table,
    norm: LayerNorm,
    blocks: Vec<Block>,
    last: LayerNorm,
    /// The rotation of layers that see everything, and of those that see their neighbourhood.
    ropes: [Rope; 2],
    dtype: DType,
    device: Device,
    meter: Meter,
}

impl ModernEncoder {
    /// Reads the encoder, whose weights have the prefix `model` in a model with a head.
    pub(super) fn load(
        config: &Config,
        vb: &VarBuilder<'_>,
        loading: &ModelOptions,
    ) -> std::result::Result<ModernEncoder, Fault> {
        let shape = ModernShape::read(config)?;
        let vb = if vb.contains_tensor("model.embeddings.tok_embeddings.weight") { vb.pp("model") } else { vb.clone() };
        let ropes = [rope(config, &shape, "full_attention")?, rope(config, &shape, "sliding_attention")?];
        let load = || -> Result<ModernEncoder> {
            let e = vb.pp("embeddings");
            let block = |(n, is_near): (usize, &bool)| block(&shape, n, *is_near, &vb.pp("layers").pp(n));
            Ok(ModernEncoder {
                tokens: ops::table(shape.vocab, shape.width, "tok_embeddings.weight", &e)?,
                norm: shape.norm(&e.pp("norm"))?,
                blocks: shape.near.iter().enumerate().map(block).collect::<Result<_>>()?,
                last: shape.norm(&vb.pp("final_norm"))?,
                ropes,
                dtype: loading.dtype,
                device: loading.device.clone(),
                meter: loading.meter.clone(),
                shape,
            })
        };
        load().map_err(failed)
    }

    /// The states of texts of one length, one below the other, (batch · t, width).
    fn states(&self, texts: &[&Encoded]) -> Result<Tensor> {
        let (batch, t) = (texts.len(), texts[0].ids.len());
        let ids: Vec<u32> = texts.iter().flat_map(|text| text.ids.iter().copied()).collect();
        let ids = Tensor::from_vec(ids, batch * t, &self.device)?;
        let x = self.tokens.rows(&ids, self.dtype)?.reshape((batch, t, self.shape.width))?;
        let mut x = self.norm.forward(&x)?;
        let angles = [self.angles(&self.ropes[0], t)?, self.angles(&self.ropes[1], t)?];
        let mask = match t > self.shape.reach + 1 {
            true => Some(ops::reaching_mask(t, self.shape.reach, self.dtype, &self.device)?),
            false => None,
        };
        for block in &self.blocks {
            let angles = &angles[usize::from(block.is_near)];
            x = self.block(block, &x, angles, mask.as_ref().filter(|_| block.is_near))?;
        }
        self.last.forward(&x)?.flatten(0, 1)
    }

    /// Cosines and sines of `t` positions, (t, head / 2).
    fn angles(&self, rope: &Rope, t: usize) -> Result<(Tensor, Tensor)> {
        let frequencies = rope.frequencies(t);
        let angles = (0..t).flat_map(|at| frequencies.iter().map(move |f| at as f32 * f)).collect::<Vec<f32>>();
        let angles = Tensor::from_vec(angles, (t, frequencies.len()), &self.device)?;
        let scaled = |x: Tensor| (x * rope.scale)?.to_dtype(self.dtype);
        Ok((scaled(angles.cos()?)?, scaled(angles.sin()?)?))
    }

    fn block(&self, block: &Block, x: &Tensor, (cos, sin): &(Tensor, Tensor), mask: Option<&Tensor>) -> Result<Tensor> {
        let (batch, t, width) = x.dims3()?;
        let (heads, head) = (self.shape.heads, width / self.shape.heads);
        let y = match &block.norm1 {
            Some(norm) => norm.forward(x)?,
            None => x.clone(),
        };
        let joined = block.joined.forward(&y)?.reshape((batch, t, 3, heads, head))?;
        // (batch, heads, t, head)
        let part = |n: usize| joined.narrow(2, n, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let rotated = |x: Tensor| candle_nn::rotary_emb::rope(&x, cos, sin);
        let q = (rotated(part(0)?)? * (head as f64).powf(-0.5))?;
        let mixed = ops::attend_heads(&q, &rotated(part(1)?)?, &part(2)?, mask)?;
        let x = (x + block.out.forward(&mixed.transpose(1, 2)?.reshape((batch, t, width))?)?)?;
        let up = block.up.forward(&block.norm2.forward(&x)?)?;
        let (inner, gate) =
            (up.narrow(D::Minus1, 0, self.shape.inner)?, up.narrow(D::Minus1, self.shape.inner, self.shape.inner)?);
        let y = (self.shape.activation.forward(&inner.contiguous()?)? * gate)?;
        x + block.down.forward(&y)?
    }
}

fn block(shape: &ModernShape, n: usize, is_near: bool, vb: &VarBuilder<'_>) -> Result<Block> {
    let (w, [_, attention, feed_forward]) = (shape.width, shape.biases);
    Ok(Block {
        norm1: if n == 0 { None } else { Some(shape.norm(&vb.pp("attn_norm"))?) },
        joined: map(w, 3 * w, attention, vb.pp("attn.Wqkv"))?,
        out: map(w, w, attention, vb.pp("attn.Wo"))?,
        norm2: shape.norm(&vb.pp("mlp_norm"))?,
        up: map(w, 2 * shape.inner, feed_forward, vb.pp("mlp.Wi"))?,
        down: map(shape.inner, w, feed_forward, vb.pp("mlp.Wo"))?,
        is_near,
    })
}

/// The rotation of one type of layer. Each has a wavelength of its own; `rope_scaling` applies to both.
fn rope(config: &Config, shape: &ModernShape, layers: &str) -> std::result::Result<Rope, Fault> {
    let (key, usual) = match layers {
        "full_attention" => ("global_rope_theta", 160_000.0),
        _ => ("local_rope_theta", 10_000.0),
    };
    let mut stated = json!({ "rope_theta": config.number(key, 2.0..=1e15)?.unwrap_or(usual) });
    let own = config.part("rope_parameters")?.part(layers)?;
    own.keys().for_each(|key| stated[key] = own.get(key).cloned().unwrap_or_default());
    if let Some(scaling) = config.get("rope_scaling").and_then(Json::as_object) {
        scaling.iter().for_each(|(key, value)| stated[key] = value.clone());
    }
    let config = Config::new(config.name(), json!({ "rope_parameters": stated }));
    Rope::read(&config, shape.width / shape.heads, shape.positions, layers)
}

impl TextEncoder for ModernEncoder {
    fn width(&self) -> usize {
        self.shape.width
    }

    fn max_tokens(&self) -> usize {
        self.shape.positions
    }

    fn read(
        &self,
        texts: &[Encoded],
        read: &mut dyn FnMut(&Tensor) -> Result<Vec<f32>>,
    ) -> std::result::Result<Vec<Vec<f32>>, Fault> {
        let narrowest = self.shape.width.min(self.shape.inner);
        in_groups(texts, |length| ops::may_share(length, narrowest), &self.meter, |part| self.states(part), read)
    }
}
