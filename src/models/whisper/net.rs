//! Whisper's network: an encoder over log-mel frames and a decoder that attends to it (Radford et al. 2022, arXiv
//! 2212.04356).

use super::align::Focus;
use crate::{
    error::Fault,
    infer::{
        causal::{self, KvBlocks, KvFormat, Seen, SeenSpan},
        config::{Config, within},
        cost::{CostModel, Pass, Transformer},
        dense::{FrameConvolution, Precision, Sees},
        failed,
        ops::{self, Activation, Linear, Table},
        prenorm::{AttentionBiases, BlockNames, TowerBlocks, TowerShape},
    },
};
use candle_core::{D, DType, Result, Tensor, bail};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// The names of the layers of an encoder's block.
const NAMES: BlockNames = BlockNames {
    norms: ["self_attn_layer_norm", "final_layer_norm"],
    attention: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"],
    feed_forward: ["fc1", "fc2"],
};
const EPS: f64 = 1e-5;

/// The linear maps of one attention; Whisper's keys lack a bias.
struct Attention {
    /// Queries of tokens; in attention to the tokens themselves, their keys and values beside them.
    tokens: Linear,
    /// Keys and values of the encoder's output, in attention to it.
    sound: Option<Linear>,
    out: Linear,
    width: usize,
    heads: usize,
}

impl Attention {
    /// Attention of the decoder to its own tokens, or with `hears` to the encoder's output.
    fn load(side: &Side, hears: bool, vb: VarBuilder<'_>) -> Result<Attention> {
        let (width, heads) = (side.width, side.heads);
        let map = |name| ops::linear_with_bias(width, width, vb.pp(name));
        let (query, key, value) = (map("q_proj")?, ops::linear(width, width, vb.pp("k_proj"))?, map("v_proj")?);
        let (tokens, sound) = match hears {
            true => (query, Some(ops::packed(Linear::join(&[&key, &value])?, &vb, side.precision)?)),
            false => (Linear::join(&[&query, &key, &value])?, None),
        };
        Ok(Attention {
            tokens: side.token_map(tokens, &vb)?,
            sound,
            out: side.token_map(map("out_proj")?, &vb)?,
            width,
            heads,
        })
    }

    /// The part `n` of `x`, (1, t, parts · width): (1, heads, t, width / heads).
    fn part(&self, x: &Tensor, n: usize) -> Result<Tensor> {
        let x = x.narrow(2, n * self.width, self.width)?;
        x.reshape((1, (), self.heads, self.width / self.heads))?.transpose(1, 2)?.contiguous()
    }

    /// Keys and values of the encoder's output, (1, s, width): both (1, heads, s, width / heads).
    fn keys(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let Some(map) = &self.sound else { bail!("this attention hears nothing: this is a bug") };
        let both = map.forward(x)?;
        Ok((self.part(&both, 0)?, self.part(&both, 1)?))
    }

    /// The scaled queries in what `tokens` gave: (1, heads, t, width / heads).
    fn queries(&self, mapped: &Tensor) -> Result<Tensor> {
        let d = self.width / self.heads;
        self.part(mapped, 0)? * (d as f64).powf(-0.5)
    }

    /// How much some heads attend to each of the `positions` for one token with these queries, (1, heads, 1, width / heads): a row for
    /// each head.
    fn weights(&self, queries: &Tensor, kept: &Kept, positions: usize, heads: &[u32]) -> Result<Vec<Vec<f32>>> {
        let one = |head: &u32| {
            let part = |x: &Tensor| x.narrow(1, *head as usize, 1);
            match kept {
                Kept::Blocks(kv) => {
                    let query: Vec<f32> = part(queries)?.flatten_all()?.to_vec1()?;
                    Ok(ops::softmax(&kv.scores(*head as usize, &query, positions), 1.0))
                }
                Kept::Joined(Some((keys, _))) => {
                    let scores = part(queries)?.matmul(&part(keys)?.t()?)?; // (1, 1, 1, s)
                    candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
                }
                Kept::Joined(None) => bail!("the key cache is empty: this is a bug"),
            }
        };
        heads.iter().map(one).collect()
    }

    /// The attention of `queries`, (1, heads, t, width / heads), each of which sees a span of what is kept: (1, t, width). `mask` is the
    /// same for scores.
    fn attend(&self, queries: &Tensor, kept: &Kept, spans: &[SeenSpan], mask: Option<&Tensor>) -> Result<Tensor> {
        let mixed = match kept {
            Kept::Blocks(kv) => causal::look(&queries.squeeze(0)?, self.heads, &[Seen { kv, spans }])?,
            Kept::Joined(Some((k, v))) => ops::attend_heads(queries, k, v, mask)?.transpose(1, 2)?,
            Kept::Joined(None) => bail!("the key cache is empty: this is a bug"),
        };
        self.out.forward(&mixed.reshape((1, (), self.width))?)
    }
}

/// Keys and values of one attention.
#[derive(Clone)]
enum Kept {
    /// In f32 on a CPU.
    Blocks(KvBlocks),
    /// Each (1, heads, s, width / heads); none before the first position.
    Joined(Option<(Tensor, Tensor)>),
}

impl Kept {
    /// No positions yet, of a network that computes like `x`.
    fn new(x: &Tensor) -> Kept {
        match x.device().is_cpu() && x.dtype() == DType::F32 {
            true => Kept::Blocks(KvBlocks::new(KvFormat::F32)),
            false => Kept::Joined(None),
        }
    }

    /// Appends keys and values, both (1, heads, t, width / heads), after the first `length` positions.
    fn append(&mut self, (k, v): (Tensor, Tensor), length: usize) -> Result<()> {
        match self {
            Kept::Blocks(kv) => kv.extend(&k.squeeze(0)?, &v.squeeze(0)?, length)?,
            Kept::Joined(joined) => {
                *joined = Some(match joined.take() {
                    Some((keys, values)) => (Tensor::cat(&[&keys, &k], 2)?, Tensor::cat(&[&values, &v], 2)?),
                    None => (k, v),
                });
            }
        }
        Ok(())
    }
}

/// A block of the decoder.
struct Block {
    attention: Attention,
    norm: LayerNorm,
    /// The attention to the encoder, with its norm.
    cross: (Attention, LayerNorm),
    up: Linear,
    down: Linear,
    norm_last: LayerNorm,
    activation: Activation,
}

impl Block {
    fn load(side: &Side, vb: VarBuilder<'_>) -> Result<Block> {
        let w = side.width;
        let norm = |name: &str| ops::layer_norm(w, EPS, vb.pp(name));
        Ok(Block {
            attention: Attention::load(side, false, vb.pp("self_attn"))?,
            norm: norm("self_attn_layer_norm")?,
            cross: (Attention::load(side, true, vb.pp("encoder_attn"))?, norm("encoder_attn_layer_norm")?),
            up: side.token_map(ops::linear_with_bias(w, side.inner, vb.pp("fc1"))?, &vb)?,
            down: side.token_map(ops::linear_with_bias(side.inner, w, vb.pp("fc2"))?, &vb)?,
            norm_last: norm("final_layer_norm")?,
            activation: side.activation,
        })
    }

    fn feed(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.activation.forward(&self.up.forward(&self.norm_last.forward(x)?)?)?;
        x + self.down.forward(&y)?
    }
}

/// The number of mel bins of a frame.
pub(super) fn mel_bins(config: &Config) -> std::result::Result<usize, Fault> {
    Ok(config.count("num_mel_bins", 1..=1024)?.unwrap_or(80))
}

/// Frames of a window after the encoder's convolutions.
fn source_positions(config: &Config) -> std::result::Result<usize, Fault> {
    Ok(config.count("max_source_positions", within::POSITIONS)?.unwrap_or(1500))
}

/// The work of the encoder for a window, and of the decoder for a token.
pub(super) fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let activation = config.activation("activation_function", "gelu")?;
    let side = |name| Side::read(config, name, activation, Precision::F32);
    let (into, out) = (side("encoder")?, side("decoder")?);
    let plain = |side: &Side| Transformer::plain(side.width, side.inner, side.layers, side.heads).token();
    let (positions, bins) = (source_positions(config)? as f64, mel_bins(config)? as f64);
    let (width, vocab) = (into.width as f64, config.size("vocab_size", within::VOCABULARY)? as f64);
    // two convolutions of three frames, the first over twice as many frames; then the keys and values for the decoder
    let convolutions = 2.0 * positions * width * 3.0 * (2.0 * bins + width);
    let crossing = 2.0 * positions * out.layers as f64 * 2.0 * width * width;
    let sound = plain(&into).whole(positions).with(convolutions + crossing);
    let cross = out.layers as f64 * (4.0 * width * width + 4.0 * positions * width);
    let token = plain(&out).with(cross + 2.0 * width * vocab);
    let reply = Pass { bytes: token.bytes + 8.0 * vocab, ..token };
    let cached = 8.0 * out.layers as f64 * width * positions;
    // a frame of the first convolution is 10 ms of sound in every published model
    let window_s = 0.02 * positions;
    let sound = Pass { bytes: sound.bytes.max(8.0 * 2.0 * positions * width * 3.0), cache_bytes: cached, ..sound };
    Ok(CostModel { sound, reply, window_s, ..CostModel::default() })
}

/// The settings of the encoder or the decoder in `config.json`.
struct Side {
    width: usize,
    inner: usize,
    layers: usize,
    heads: usize,
    activation: Activation,
    precision: Precision,
}

impl Side {
    fn read(
        config: &Config,
        name: &str,
        activation: Activation,
        precision: Precision,
    ) -> std::result::Result<Side, Fault> {
        let width = config.size("d_model", within::WIDTH)?;
        Ok(Side {
            width,
            inner: config.size(&format!("{name}_ffn_dim"), within::WIDTH)?,
            layers: config.size(&format!("{name}_layers"), within::LAYERS)?,
            heads: config.heads(&format!("{name}_attention_heads"), 4, width)?,
            activation,
            precision,
        })
    }

    /// A map of the decoder, which reads one token after the other: a matrix of 16-bit numbers stays as it is, because it is read from
    /// memory for each token; others are packed.
    fn token_map(&self, map: Linear, vb: &VarBuilder<'_>) -> Result<Linear> {
        match self.precision == Precision::F32 && map.is_narrow() {
            true => Ok(map.for_decoding()),
            false => ops::packed(map, vb, self.precision),
        }
    }

    /// The blocks of the encoder.
    fn encoder(&self, vb: &VarBuilder<'_>) -> Result<TowerBlocks> {
        let Side { width, inner, layers, heads, activation, precision } = *self;
        let shape = TowerShape { width, inner, layers, heads, eps: EPS, activation, precision };
        shape.named_blocks(&NAMES, AttentionBiases::NoKeys, &vb.pp("layers"))
    }

    fn decoder(&self, vb: &VarBuilder<'_>) -> Result<Vec<Block>> {
        (0..self.layers).map(|n| Block::load(self, vb.pp("layers").pp(n))).collect()
    }
}

/// Keys and values of the decoder for one window, for each layer: those of the tokens so far, and those of the encoder's output.
#[derive(Clone)]
pub(super) struct WindowCache {
    own: Vec<Kept>,
    heard: Vec<Kept>,
    length: usize,
}

/// Whisper's network.
pub(super) struct Net {
    conv1: FrameConvolution,
    conv2: FrameConvolution,
    positions_in: Tensor,
    encoder: TowerBlocks,
    norm_in: LayerNorm,
    tokens: Table,
    head: Linear,
    positions_out: Tensor,
    decoder: Vec<Block>,
    norm_out: LayerNorm,
    /// Frames of a window after the encoder's convolutions.
    pub source_positions: usize,
    /// The maximum tokens of the decoder.
    pub target_positions: usize,
    /// The layers of the decoder, and the heads of each.
    pub decoder_heads: (usize, usize),
}

impl Net {
    /// Reads the shapes and the weights.
    pub(super) fn load(config: &Config, vb: &VarBuilder<'_>, precision: Precision) -> std::result::Result<Net, Fault> {
        let activation = config.activation("activation_function", "gelu")?;
        let side = |name| Side::read(config, name, activation, precision);
        let (into, out) = (side("encoder")?, side("decoder")?);
        let (w, mels, vocab) = (into.width, mel_bins(config)?, config.size("vocab_size", within::VOCABULARY)?);
        let sources = source_positions(config)?;
        let targets = config.count("max_target_positions", within::POSITIONS)?.unwrap_or(448);
        let load = || -> Result<Net> {
            let vb = if vb.contains_tensor("model.encoder.conv1.weight") { vb.pp("model") } else { vb.clone() };
            let (e, d) = (vb.pp("encoder"), vb.pp("decoder"));
            let conv = |name: &str, from: usize, stride: usize| {
                FrameConvolution::load((from, w), stride, Activation::Gelu, &e.pp(name))
            };
            let tokens = ops::table(vocab, w, "embed_tokens.weight", &d)?;
            Ok(Net {
                conv1: conv("conv1", mels, 1)?,
                conv2: conv("conv2", w, 2)?,
                positions_in: e.get((sources, w), "embed_positions.weight")?,
                encoder: into.encoder(&e)?,
                norm_in: ops::layer_norm(w, EPS, e.pp("layer_norm"))?,
                head: match precision {
                    Precision::F32 => tokens.head().for_decoding(),
                    Precision::Int8 => ops::packed(tokens.head(), &vb, precision)?,
                },
                tokens,
                positions_out: d.get((targets, w), "embed_positions.weight")?,
                decoder: out.decoder(&d)?,
                norm_out: ops::layer_norm(w, EPS, d.pp("layer_norm"))?,
                source_positions: sources,
                target_positions: targets,
                decoder_heads: (out.layers, out.heads),
            })
        };
        load().map_err(failed)
    }

    /// Encodes a window of features, (1, bins, frames). Gives the cache that the decoder attends to.
    pub(super) fn hear(&self, features: &Tensor) -> Result<WindowCache> {
        let x = self.conv2.forward(&self.conv1.forward(&features.transpose(1, 2)?)?)?;
        let x = x.broadcast_add(&self.positions_in)?; // (1, positions, width)
        let x = self.norm_in.forward(&self.encoder.forward(x, Sees::All)?)?;
        let heard = |block: &Block| {
            let mut kept = Kept::new(&x);
            kept.append(block.cross.0.keys(&x)?, 0)?;
            Ok(kept)
        };
        let heard = self.decoder.iter().map(heard).collect::<Result<_>>()?;
        Ok(WindowCache { own: vec![Kept::new(&x); self.decoder.len()], heard, length: 0 })
    }

    /// Appends `ids` to the text so far. Gives the logits (f32) after the last of them: (vocabulary). `focus` gets the attention
    /// of a single token.
    pub(super) fn say(&self, memory: &mut WindowCache, ids: &[u32], focus: Option<&mut Focus<'_>>) -> Result<Vec<f32>> {
        let (t, length, positions) = (ids.len(), memory.length, self.source_positions);
        let wanted = focus.as_ref().map_or(&[] as &[_], |focus| focus.heads);
        let mut seen: Vec<Vec<f32>> = vec![Vec::new(); wanted.len()];
        let (device, dtype) = (self.positions_out.device(), self.positions_out.dtype());
        let x = self.tokens.rows(&Tensor::new(ids, device)?, dtype)?;
        // `scale_embedding` of the configuration is not applied; transformers ignores it too.
        let x = (x + self.positions_out.narrow(0, length, t)?)?;
        let mut x = x.unsqueeze(0)?; // (1, t, width)
        // attention in blocks needs spans instead
        let masked = t > 1 && matches!(memory.own.first(), Some(Kept::Joined(_)));
        let mask = if masked { Some(ops::causal_mask(t, length, x.dtype(), x.device())?) } else { None };
        let before: Vec<SeenSpan> = (length..length + t).map(|last| (0, last + 1)).collect();
        let all = vec![(0, positions); t];
        for (n, block) in self.decoder.iter().enumerate() {
            let (own, (cross, norm)) = (&block.attention, &block.cross);
            let mapped = own.tokens.forward(&block.norm.forward(&x)?)?;
            memory.own[n].append((own.part(&mapped, 1)?, own.part(&mapped, 2)?), length)?;
            x = (&x + own.attend(&own.queries(&mapped)?, &memory.own[n], &before, mask.as_ref())?)?;
            let queries = cross.queries(&cross.tokens.forward(&norm.forward(&x)?)?)?;
            let (places, heads): (Vec<usize>, Vec<u32>) = wanted
                .iter()
                .enumerate()
                .filter(|(_, (layer, _))| *layer == n)
                .map(|(at, (_, head))| (at, *head as u32))
                .unzip();
            if !heads.is_empty() {
                let rows = cross.weights(&queries, &memory.heard[n], positions, &heads)?;
                places.into_iter().zip(rows).for_each(|(at, row)| seen[at] = row);
            }
            x = (&x + cross.attend(&queries, &memory.heard[n], &all, None)?)?;
            x = block.feed(&x)?;
        }
        memory.length += t;
        if let Some(focus) = focus {
            focus.push(&seen);
        }
        let last = self.norm_out.forward(&x.narrow(1, t - 1, 1)?)?;
        self.head.forward(&last.flatten_to(D::Minus2)?)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
    }
}
