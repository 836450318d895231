//! The encoder that BERT, RoBERTa and XLM-RoBERTa share. They differ in the numbering of positions.

use super::modern::ModernEncoder;
use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        cost::Phase,
        dense::{BlockParts, DenseBlock, NormParts, NormPlace, Precision, Sees, Stack},
        failed,
        meter::Meter,
        ops::{self, Activation, Linear, Table},
        text::{Encoded, TextTokenizer, VocabStyle, by_length},
    },
    models::ModelOptions,
};
use candle_core::{Device, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// Turns a text into states, one for each token.
pub(in crate::models) trait TextEncoder {
    /// The width of a state.
    fn width(&self) -> usize;

    /// The maximum tokens of a text.
    fn max_tokens(&self) -> usize;

    /// Calls `read` with the states (t, width) of each text, and gives the results in the order of `texts`. A result does
    /// not depend on the other texts.
    fn read(
        &self,
        texts: &[Encoded],
        read: &mut dyn FnMut(&Tensor) -> Result<Vec<f32>>,
    ) -> std::result::Result<Vec<Vec<f32>>, Fault>;
}

/// The variants of the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::models) enum Kin {
    /// Positions begin at 0.
    Bert,
    /// Positions begin after that of the padding token.
    Roberta,
    /// Positions rotate queries and keys (`modern`).
    Modern,
}

impl Kin {
    /// The name of the encoder inside a model with a head.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Kin::Bert => "bert",
            Kin::Roberta => "roberta",
            Kin::Modern => "model",
        }
    }

    /// The rules for a checkpoint with the older vocabulary files.
    pub(super) fn style(self) -> VocabStyle {
        match self {
            Kin::Bert => VocabStyle::WordPiece,
            Kin::Roberta => VocabStyle::Roberta,
            Kin::Modern => VocabStyle::Bytes,
        }
    }
}

/// The number that a norm adds to the variance to prevent division by zero.
fn epsilon(config: &Config) -> std::result::Result<f64, Fault> {
    Ok(config.number("layer_norm_eps", within::EPSILON)?.unwrap_or(1e-12))
}

/// The settings of a block.
struct BlockShape {
    width: usize,
    inner: usize,
    heads: usize,
    eps: f64,
    activation: Activation,
}

impl BlockShape {
    fn read(config: &Config) -> std::result::Result<BlockShape, Fault> {
        let width = config.size("hidden_size", within::WIDTH)?;
        Ok(BlockShape {
            width,
            inner: config.size("intermediate_size", within::WIDTH)?,
            heads: config.heads("num_attention_heads", 12, width)?,
            eps: epsilon(config)?,
            activation: config.activation("hidden_act", "gelu")?,
        })
    }
}

/// A transformer block with norms after its parts.
struct Block {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm1: LayerNorm,
    up: Linear,
    down: Linear,
    norm2: LayerNorm,
    activation: Activation,
    heads: usize,
    eps: f64,
}

impl Block {
    fn load(shape: &BlockShape, vb: VarBuilder<'_>) -> Result<Block> {
        let BlockShape { width: w, inner, heads, eps, activation } = *shape;
        let (attn, out) = (vb.pp("attention.self"), vb.pp("attention.output"));
        Ok(Block {
            query: ops::linear_with_bias(w, w, attn.pp("query"))?,
            key: ops::linear_with_bias(w, w, attn.pp("key"))?,
            value: ops::linear_with_bias(w, w, attn.pp("value"))?,
            out: ops::linear_with_bias(w, w, out.pp("dense"))?,
            norm1: ops::layer_norm(w, eps, out.pp("LayerNorm"))?,
            up: ops::linear_with_bias(w, inner, vb.pp("intermediate.dense"))?,
            down: ops::linear_with_bias(inner, w, vb.pp("output.dense"))?,
            norm2: ops::layer_norm(w, eps, vb.pp("output.LayerNorm"))?,
            activation,
            heads,
            eps,
        })
    }

    /// The same block for a CPU; `None` where candle computes it.
    fn dense(&self) -> Result<Option<DenseBlock>> {
        let parts = BlockParts {
            norms: [NormParts(&self.norm1, self.eps), NormParts(&self.norm2, self.eps)],
            attention: [&self.query, &self.key, &self.value],
            out: &self.out,
            feed_forward: [&self.up, &self.down],
            activation: self.activation,
            heads: self.heads,
            place: NormPlace::After,
        };
        DenseBlock::new(&parts, Precision::F32)
    }

    /// (batch, t, width) -> (batch, t, width)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (q, k, v) = (self.query.forward(x)?, self.key.forward(x)?, self.value.forward(x)?);
        let y = self.out.forward(&ops::attend(&q, &k, &v, self.heads, None)?)?;
        let x = self.norm1.forward(&(y + x)?)?;
        let y = self.down.forward(&self.activation.forward(&self.up.forward(&x)?)?)?;
        self.norm2.forward(&(y + x)?)
    }
}

/// The maximum texts in a forward pass.
const MAX_TEXTS: usize = 64;

/// A loaded encoder.
pub(in crate::models) struct Encoder {
    tokens: Table,
    positions: Tensor,
    kinds: Tensor,
    norm: LayerNorm,
    blocks: Stack<Block>,
    /// The padding token, after whose position the others begin.
    padding: Option<u32>,
    width: usize,
    /// The smallest number of outputs of a layer.
    pub(in crate::models) narrowest: usize,
    pub(in crate::models) max_tokens: usize,
    device: Device,
    meter: Meter,
}

impl Encoder {
    /// Reads the encoder, whose weights may have the prefix of a model with a head. Fails if a tensor is missing or the
    /// configuration asks for something else.
    pub(in crate::models) fn load(
        config: &Config,
        kin: Kin,
        vb: &VarBuilder<'_>,
        loading: &ModelOptions,
    ) -> std::result::Result<Encoder, Fault> {
        let inside = vb.contains_tensor(&format!("{}.embeddings.word_embeddings.weight", kin.prefix()));
        let vb = if inside { vb.pp(kin.prefix()) } else { vb.clone() };
        refuse_variants(config)?;
        let width = config.size("hidden_size", within::WIDTH)?;
        let (vocab, eps) = (config.size("vocab_size", within::VOCABULARY)?, epsilon(config)?);
        let most = config.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(512);
        let types = config.count("type_vocab_size", within::VOCABULARY)?.unwrap_or(2);
        let padding = match kin {
            Kin::Bert | Kin::Modern => None,
            Kin::Roberta => Some(config.token("pad_token_id", vocab)?.unwrap_or(1)),
        };
        let before = padding.map_or(0, |id| id as usize + 1);
        if before >= most {
            let why = format!("`max_position_embeddings` must be above {before}, found {most}");
            return Err(Fault::model(format!("{}: {why}", config.name())));
        }
        let e = vb.pp("embeddings");
        let embeddings = || -> Result<(Table, Tensor, Tensor, LayerNorm)> {
            Ok((
                ops::table(vocab, width, "word_embeddings.weight", &e)?,
                e.get((most, width), "position_embeddings.weight")?,
                e.get((types, width), "token_type_embeddings.weight")?,
                ops::layer_norm(width, eps, e.pp("LayerNorm"))?,
            ))
        };
        let (tokens, positions, kinds, norm) = embeddings().map_err(failed)?;
        let layers = config.size("num_hidden_layers", within::LAYERS)?;
        let shape = BlockShape::read(config)?;
        let blocks = (0..layers).map(|n| Block::load(&shape, vb.pp("encoder.layer").pp(n)));
        let blocks = Stack::load(blocks, Block::dense).map_err(failed)?;
        Ok(Encoder {
            tokens,
            positions,
            kinds,
            norm,
            blocks,
            padding,
            width,
            narrowest: width.min(config.size("intermediate_size", within::WIDTH)?),
            max_tokens: most - before,
            device: loading.device.clone(),
            meter: loading.meter.clone(),
        })
    }

    /// The states of texts one below the other, (tokens of all texts, width). Texts of several lengths need blocks that are dense.
    pub(in crate::models) fn states(&self, texts: &[&Encoded]) -> Result<Tensor> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
        let flat = |ids: Vec<u32>| Tensor::new(ids, &self.device);
        let look_up = |table: &Tensor, ids| table.index_select(&flat(ids)?, 0);
        let all = |pick: fn(&Encoded) -> &[u32]| texts.iter().flat_map(|text| pick(text)).copied().collect();
        let places = texts.iter().flat_map(|text| self.places(&text.ids)).collect();
        let x = self.tokens.rows(&flat(all(|text| &text.ids))?, self.positions.dtype())?;
        let x = (x + look_up(&self.kinds, self.types(all(|text| &text.types)))?)?;
        let x = self.norm.forward(&(x + look_up(&self.positions, places)?)?)?; // (tokens, width)
        match &self.blocks {
            Stack::Dense(blocks) => blocks.forward_each(&x.contiguous()?, &lengths, Sees::All),
            Stack::Tensors(blocks) => {
                let x = x.reshape((texts.len(), lengths[0], self.width))?;
                blocks.iter().try_fold(x, |x, block| block.forward(&x))?.flatten(0, 1)
            }
        }
    }

    /// The token types; a model with one type has no other.
    fn types(&self, types: Vec<u32>) -> Vec<u32> {
        let most = self.kinds.dim(0).unwrap_or(1).saturating_sub(1) as u32;
        types.into_iter().map(|kind| kind.min(most)).collect()
    }

    /// The positions of a text. RoBERTa counts from the position after the padding token's and skips padding tokens.
    fn places(&self, ids: &[u32]) -> Vec<u32> {
        let Some(padding) = self.padding else { return (0..ids.len() as u32).collect() };
        let mut last = padding;
        let place = |id: &u32| {
            last += u32::from(*id != padding);
            if *id == padding { padding } else { last }
        };
        ids.iter().map(place).collect()
    }
}

impl TextEncoder for Encoder {
    fn width(&self) -> usize {
        self.width
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    fn read(
        &self,
        texts: &[Encoded],
        read: &mut dyn FnMut(&Tensor) -> Result<Vec<f32>>,
    ) -> std::result::Result<Vec<Vec<f32>>, Fault> {
        let states = |part: &[&Encoded]| self.states(part);
        if !self.blocks.is_dense() {
            return in_groups(texts, |length| ops::may_share(length, self.narrowest), &self.meter, states, read);
        }
        let mut all = Vec::with_capacity(texts.len());
        for part in texts.chunks(MAX_TEXTS) {
            all.extend(together(&part.iter().collect::<Vec<_>>(), &self.meter, states, read)?);
        }
        Ok(all)
    }
}

/// Calls `read` with the states of each text of one forward pass. `states` gives those of all texts, one below the other.
fn together(
    texts: &[&Encoded],
    meter: &Meter,
    states: impl Fn(&[&Encoded]) -> Result<Tensor>,
    read: &mut dyn FnMut(&Tensor) -> Result<Vec<f32>>,
) -> std::result::Result<Vec<Vec<f32>>, Fault> {
    let tokens = texts.iter().map(|text| text.ids.len()).sum();
    let states = meter.time(Phase::Text, tokens, || states(texts)).map_err(failed)?;
    let mut from = 0;
    let mut one = |text: &&Encoded| {
        let states = states.narrow(0, from, text.ids.len())?;
        from += text.ids.len();
        read(&states)
    };
    texts.iter().map(|text| one(text).map_err(failed)).collect()
}

/// Calls `read` with the states of each text. Texts of one length share a forward pass if `may_share` allows it for that
/// length. Without padding, a result does not depend on the other texts.
pub(super) fn in_groups(
    texts: &[Encoded],
    may_share: impl Fn(usize) -> bool,
    meter: &Meter,
    states: impl Fn(&[&Encoded]) -> Result<Tensor>,
    read: &mut dyn FnMut(&Tensor) -> Result<Vec<f32>>,
) -> std::result::Result<Vec<Vec<f32>>, Fault> {
    let most = |length: usize| if may_share(length) { MAX_TEXTS } else { 1 };
    by_length(texts, |text| text.ids.len(), most, |part| together(part, meter, &states, read))
}

/// Fails for settings that change the network in a way that this code does not compute.
fn refuse_variants(config: &Config) -> std::result::Result<(), Fault> {
    if let Some(kind) = config.string("position_embedding_type")?.filter(|kind| *kind != "absolute") {
        let why = format!("`position_embedding_type` must be absolute, found {kind}");
        return Err(Fault::model(format!("{}: {why}", config.name())));
    }
    match config.truth("is_decoder")? {
        Some(true) => Err(Fault::model(format!("{}: `is_decoder` must be false, found true", config.name()))),
        _ => Ok(()),
    }
}

/// The encoder of a checkpoint, its weights, and its tokenizer. With `lower`, texts are read in lower case.
pub(super) fn open(
    checkpoint: &Checkpoint,
    loading: &ModelOptions,
    lower: bool,
) -> std::result::Result<(Box<dyn TextEncoder>, VarBuilder<'static>, TextTokenizer), Fault> {
    let kin = super::kin(&checkpoint.config);
    let vb = checkpoint.weights(loading.dtype, &loading.device)?;
    let encoder: Box<dyn TextEncoder> = match kin {
        Kin::Modern => Box::new(ModernEncoder::load(&checkpoint.config, &vb, loading)?),
        _ => Box::new(Encoder::load(&checkpoint.config, kin, &vb, loading)?),
    };
    let tokenizer = match lower {
        true => TextTokenizer::open_lower(checkpoint, kin.style())?,
        false => TextTokenizer::open(checkpoint, kin.style())?,
    };
    Ok((encoder, vb, tokenizer))
}
