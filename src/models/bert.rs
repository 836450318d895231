//! BERT as a sentence embedder: the mean of the last hidden states, at unit length (Reimers & Gurevych 2019, arXiv
//! 1908.10084).

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    exchange::{Answers, FloorUse, Kind, Modality, RankRequest, Reply, Request},
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        cost::{CostModel, Phase, Transformer},
        failed,
        job::{Input, Job, Model},
        meter::Meter,
        ops::{self, Activation, Linear},
        text::{TextTokenizer, VocabStyle},
    },
};
use candle_core::{Device, IndexOp, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};
use std::collections::HashMap;

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "bert",
    about: "embeds sentences; scores words against text",
    answers: &[Answers::new(Kind::Embed, &[Modality::Text]), Answers::new(Kind::Rank, &[Modality::Text])],
    own_labels: false,
    recognises: |config| config.is_type(&["bert"], &["BertModel", "BertFor"]),
    floors: false,
    cost,
    load: |checkpoint, loading| Ok(Box::new(Bert::load(checkpoint, loading)?)),
};

/// The work of the encoder for a token.
fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let text = Transformer::read(config, (768, 12, 12))?.token();
    let text_tokens = config.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(512);
    Ok(CostModel { text, text_tokens, ..CostModel::default() })
}

/// The scale of cosines before the softmax over labels. Sentence embedders are trained with it: it is the default of
/// the ranking loss in sentence-transformers.
const SCALE: f64 = 20.0;

/// The number that a norm adds to the variance to prevent division by zero.
fn epsilon(config: &Config) -> std::result::Result<f64, Fault> {
    Ok(config.number("layer_norm_eps", within::EPSILON)?.unwrap_or(1e-12))
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
}

impl Block {
    fn load(config: &Config, vb: VarBuilder<'_>) -> std::result::Result<Block, Fault> {
        let w = config.size("hidden_size", within::WIDTH)?;
        let heads = config.heads("num_attention_heads", 12, w)?;
        let inner = config.size("intermediate_size", within::WIDTH)?;
        let eps = epsilon(config)?;
        let activation = config.activation("hidden_act", "gelu")?;
        let load = || -> Result<Block> {
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
            })
        };
        load().map_err(failed)
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

/// The pooling of the states of a text into one vector. `1_Pooling/config.json` of sentence-transformers selects it. It
/// may select several, whose vectors are then concatenated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pooling {
    First,
    Max,
    Mean,
    /// The sum divided by the square root of the number of tokens.
    MeanRoot,
    /// A mean with the weights 1, 2, 3, …
    WeightedMean,
    Last,
}

impl Pooling {
    /// In the order in which sentence-transformers concatenates vectors.
    const ALL: [(&str, Pooling); 6] = [
        ("cls_token", Pooling::First),
        ("max_tokens", Pooling::Max),
        ("mean_tokens", Pooling::Mean),
        ("mean_sqrt_len_tokens", Pooling::MeanRoot),
        ("weightedmean_tokens", Pooling::WeightedMean),
        ("lasttoken", Pooling::Last),
    ];

    fn read(config: Option<Config>) -> std::result::Result<Vec<Pooling>, Fault> {
        let Some(config) = config else { return Ok(vec![Pooling::Mean]) };
        let mut asked = Vec::new();
        for (mode, pooling) in Pooling::ALL {
            asked.extend(config.truth(&format!("pooling_mode_{mode}"))?.filter(|on| *on).map(|_| pooling));
        }
        let named = config.string("pooling_mode")?;
        if !asked.is_empty() {
            return Ok(asked);
        }
        let short = |mode: &str| named.is_some_and(|name| mode == name || mode.trim_end_matches("_tokens") == name);
        match (Pooling::ALL.iter().find(|(mode, _)| short(mode)), named) {
            (Some((_, pooling)), _) => Ok(vec![*pooling]),
            (None, Some("cls")) => Ok(vec![Pooling::First]),
            (None, None) => Ok(vec![Pooling::Mean]),
            (None, Some(other)) => {
                Err(Fault::model(format!("1_Pooling/config.json: the pooling `{other}` is not supported")))
            }
        }
    }

    /// (t, width) -> (width)
    fn apply(self, states: &Tensor) -> Result<Tensor> {
        let t = states.dim(0)?;
        match self {
            Pooling::First => states.i(0),
            Pooling::Max => states.max(0),
            Pooling::Mean => ops::mean_rows(states),
            Pooling::MeanRoot => ops::mean_rows(states)? * (t as f64).sqrt(),
            Pooling::WeightedMean => {
                let weights = Tensor::arange(1f32, t as f32 + 1.0, states.device())?.to_dtype(states.dtype())?;
                states.broadcast_mul(&weights.unsqueeze(1)?)?.sum(0)? / ((t * (t + 1)) as f64 / 2.0)
            }
            Pooling::Last => states.i(t - 1),
        }
    }
}

/// Fails if `modules.json` names a module of sentence-transformers that this code does not compute, because it would
/// change the vectors.
fn check_modules(checkpoint: &Checkpoint) -> std::result::Result<(), Fault> {
    let Some(text) = checkpoint.text("modules.json")? else { return Ok(()) };
    let modules: Vec<serde_json::Value> =
        serde_json::from_str(&text).map_err(|e| Fault::model(format!("modules.json: {e}")))?;
    let kinds = modules.iter().filter_map(|module| module["type"].as_str()?.rsplit('.').next());
    match kinds.into_iter().find(|kind| !["Transformer", "Pooling", "Normalize"].contains(kind)) {
        Some(other) => Err(Fault::model(format!("modules.json: the module `{other}` is not supported"))),
        None => Ok(()),
    }
}

/// A loaded sentence embedder.
pub struct Bert {
    tokens: Tensor,
    /// Position embeddings plus the embedding of token type 0: (positions, width).
    positions: Tensor,
    norm: LayerNorm,
    blocks: Vec<Block>,
    pooling: Vec<Pooling>,
    /// Texts, including special tokens in them, are converted to lower case before tokenization.
    lower: bool,
    text: TextTokenizer,
    max_tokens: usize,
    device: Device,
    meter: Meter,
}

impl Bert {
    /// Loads the encoder. Fails if a file of the checkpoint is missing, damaged or unsupported.
    pub fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<Bert, Fault> {
        let (config, vb) = (&checkpoint.config, checkpoint.weights(loading.dtype, &loading.device)?);
        let vb = if vb.contains_tensor("bert.embeddings.word_embeddings.weight") { vb.pp("bert") } else { vb };
        let w = config.size("hidden_size", within::WIDTH)?;
        let most = config.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(512);
        let (vocab, eps) = (config.size("vocab_size", within::VOCABULARY)?, epsilon(config)?);
        let types = config.count("type_vocab_size", within::VOCABULARY)?.unwrap_or(2);
        let e = vb.pp("embeddings");
        let embeddings = || -> Result<(Tensor, Tensor, LayerNorm)> {
            let kinds = e.get((types, w), "token_type_embeddings.weight")?;
            let positions = e.get((most, w), "position_embeddings.weight")?.broadcast_add(&kinds.i(0)?)?;
            Ok((e.get((vocab, w), "word_embeddings.weight")?, positions, ops::layer_norm(w, eps, e.pp("LayerNorm"))?))
        };
        let (tokens, positions, norm) = embeddings().map_err(failed)?;
        let layers = config.size("num_hidden_layers", within::LAYERS)?;
        let sentence =
            checkpoint.json("sentence_bert_config.json")?.unwrap_or_else(|| Config::empty("sentence_bert_config.json"));
        let lower = sentence.truth("do_lower_case")?.unwrap_or(false);
        check_modules(checkpoint)?;
        let asked = sentence.count("max_seq_length", within::POSITIONS)?;
        let text = TextTokenizer::open(checkpoint, VocabStyle::WordPiece)?;
        Ok(Bert {
            tokens,
            positions,
            norm,
            blocks: (0..layers)
                .map(|n| Block::load(config, vb.pp("encoder.layer").pp(n)))
                .collect::<std::result::Result<_, _>>()?,
            pooling: Pooling::read(checkpoint.json("1_Pooling/config.json")?)?,
            lower,
            max_tokens: asked.unwrap_or_else(|| text.max_tokens(most)).min(most),
            text,
            device: loading.device.clone(),
            meter: loading.meter.clone(),
        })
    }

    /// Token ids of texts of one length -> one unit vector for each text.
    fn forward(&self, ids: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        let (batch, t) = (ids.len(), ids[0].len());
        let flat = Tensor::from_vec(ids.concat(), batch * t, &self.device)?;
        let x = self.tokens.index_select(&flat, 0)?.reshape((batch, t, ()))?;
        let mut x = self.norm.forward(&x.broadcast_add(&self.positions.narrow(0, 0, t)?)?)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        let pooled = |states: Tensor| {
            let parts = self.pooling.iter().map(|pooling| pooling.apply(&states));
            Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)
        };
        (0..batch).map(|row| ops::unit(&pooled(x.i(row)?)?)).collect()
    }

    /// Unit vectors of texts. Texts of one length share a forward pass.
    fn embed(&self, texts: &[&str]) -> std::result::Result<HashMap<String, Vec<f32>>, Fault> {
        let mut all: Vec<(Vec<u32>, &str)> = Vec::new();
        for text in texts {
            if !all.iter().any(|(_, known)| known == text) {
                let lower = self.lower.then(|| text.to_lowercase());
                all.push((self.text.encode_within(lower.as_deref().unwrap_or(text), self.max_tokens)?, text));
            }
        }
        all.sort_by_key(|(ids, _)| ids.len());
        let mut vectors = HashMap::new();
        for group in all.chunk_by(|a, b| a.0.len() == b.0.len()) {
            for part in group.chunks(64) {
                let ids: Vec<&[u32]> = part.iter().map(|(ids, _)| ids.as_slice()).collect();
                let tokens = ids.iter().map(|ids| ids.len()).sum();
                let found = self.meter.time(Phase::Text, tokens, || self.forward(&ids)).map_err(failed)?;
                vectors.extend(part.iter().zip(found).map(|((_, text), v)| ((*text).to_owned(), v)));
            }
        }
        Ok(vectors)
    }
}

/// The texts of a request that need a vector: the subject first, then the labels.
fn texts(job: &Job) -> Vec<&str> {
    let mut texts: Vec<&str> = match job.subject() {
        Some(Input::Text(text)) => vec![text],
        _ => Vec::new(),
    };
    if let Request::Rank(rank) = &job.request {
        texts.extend(rank.texts.iter().map(String::as_str));
    }
    texts
}

impl Model for Bert {
    fn answer(&mut self, jobs: Vec<Job>) {
        let reads = |job: &Job| matches!(job.subject(), Some(Input::Text(_)));
        let (jobs, others): (Vec<_>, Vec<_>) = jobs.into_iter().partition(reads);
        for job in others {
            match job.subject() {
                Some(_) => job.answer(Err(Fault::failed("a sentence embedder reads text only".to_owned()))),
                None => job.refuse(),
            }
        }
        let all: Vec<&str> = jobs.iter().flat_map(texts).collect();
        let vectors = self.embed(&all);
        for job in jobs {
            let reply = vectors.as_ref().map_err(Clone::clone).and_then(|vectors| {
                let found: Vec<&Vec<f32>> = texts(&job).into_iter().map(|t| &vectors[t]).collect();
                match &job.request {
                    Request::Rank(RankRequest { floor: FloorUse::Required, .. }) => {
                        Err(Fault::model("a sentence embedder lacks background vectors, which `floor: true` needs"))
                    }
                    Request::Rank(RankRequest { among, .. }) => {
                        let scores: Vec<f32> = found[1..].iter().map(|label| ops::cosine(found[0], label)).collect();
                        Ok(Reply::Rank(ops::scored(among, &scores, ops::softmax(&scores, SCALE))))
                    }
                    _ => Ok(Reply::Embed(found[0].clone())),
                }
            });
            job.answer(reply);
        }
    }
}
