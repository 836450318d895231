//! Qwen3 Reranker: a decoder that judges whether a document meets a query (Zhang et al. 2025, arXiv 2506.05176). The score is the
//! log-odds of "yes" against "no" after the prompt of its card, or the logit of a head that was made from both.

use super::{Llama, Use, load_network, shape::DecoderShape};
use crate::{
    error::Fault,
    exchange::{FloorUse, RankRequest, Reply, Request},
    infer::{
        checkpoint::Checkpoint,
        config::Config,
        cost::{CostModel, Phase},
        decode::Decoder,
        dense::Packing,
        failed,
        job::{Input, Job, Model},
        meter::Meter,
        ops::{self, Linear},
        prefix::{MIN_SHARED, Prefix, PromptPosition},
        text::{TextTokenizer, VocabStyle},
    },
    models::{Family, ModelOptions, bert},
};
use candle_core::{DType, Result};
use candle_nn::Module;
use serde_json::Value as Json;

/// The row of [`super::super::FAMILIES`]. A reranker with the map to the vocabulary looks like any Qwen3, so its agent file names the
/// family; one with a head of its own is recognised.
pub const RERANKER: Family = Family {
    name: "qwen3-reranker",
    about: "scores how well each text meets a query (reranking)",
    recognises: |config| config.is_type(&["qwen3"], &["Qwen3"]) && has_head(config),
    cost: |config| {
        let decoder = super::cost(config)?;
        let text_tokens = DecoderShape::read(config)?.positions;
        Ok(CostModel { text: decoder.prompt, text_tokens, ..CostModel::default() })
    },
    load: |checkpoint, loading| Ok(Box::new(Reranker::load(checkpoint, loading)?)),
    packing: Packing::AsStored,
    ..bert::CROSS_ENCODER
};

// The prompt of the model's card (Apache-2.0).
const BEFORE: &str = "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";
const AFTER: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";
const TASK: &str = "Given a web search query, retrieve relevant passages that answer the query";
/// The most tokens of a prompt, as the card has it.
const MAX_TOKENS: usize = 8192;

/// True for a checkpoint with a head for one class.
fn has_head(config: &Config) -> bool {
    let names = config.get("architectures").and_then(Json::as_array).into_iter().flatten();
    names.filter_map(Json::as_str).any(|name| name == "Qwen3ForSequenceClassification")
}

/// What gives the score at the last position.
enum Verdict {
    /// The logits of these tokens: yes and no.
    Words(u32, u32),
    /// The logit of a head.
    Head(Linear),
}

/// A loaded reranker.
struct Reranker {
    network: Llama,
    text: TextTokenizer,
    verdict: Verdict,
    before: Vec<u32>,
    after: Vec<u32>,
    /// The most tokens between them.
    most: usize,
    meter: Meter,
}

impl Reranker {
    fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<Reranker, Fault> {
        let text = TextTokenizer::open(checkpoint, VocabStyle::Bytes)?;
        let (network, verdict) = match has_head(&checkpoint.config) {
            true => {
                let network = load_network(checkpoint, loading, Use::States)?;
                let vb = checkpoint.weights(loading.dtype, &loading.device)?;
                let head = ops::linear_without_bias(network.shape.width, 1, vb.pp("score")).map_err(failed)?;
                (network, Verdict::Head(head))
            }
            false => {
                let word = |word: &str| {
                    let lacks = || {
                        Fault::model(format!("the tokenizer lacks the token `{word}`, so the model is not a reranker"))
                    };
                    text.id(word).ok_or_else(lacks)
                };
                let verdict = Verdict::Words(word("yes")?, word("no")?);
                (load_network(checkpoint, loading, Use::Tokens)?, verdict)
            }
        };
        let (before, after) = (text.encode(BEFORE, false)?, text.encode(AFTER, false)?);
        let around = before.len() + after.len();
        let most = network.shape.positions.min(MAX_TOKENS);
        let most = most.checked_sub(around).filter(|most| *most > 0).ok_or_else(|| {
            Fault::model(format!("the prompt of a reranker has {around} tokens, and the model reads {most}"))
        })?;
        Ok(Reranker { network, text, verdict, before, after, most, meter: loading.meter.clone() })
    }

    /// The scores of `documents` for a query. Their prompts share the states of their common beginning.
    fn scores(&self, query: &str, documents: &[String]) -> std::result::Result<Vec<f32>, Fault> {
        let prompt = |document: &String| {
            let asked = format!("<Instruct>: {TASK}\n<Query>: {query}\n<Document>: {document}");
            let mut ids = self.text.encode(&asked, false)?;
            ids.truncate(self.most);
            Ok(PromptPosition::tokens(&[&self.before[..], &ids, &self.after].concat()))
        };
        let prompts = documents.iter().map(prompt).collect::<std::result::Result<Vec<_>, Fault>>()?;
        let Some(first) = prompts.first() else { return Ok(Vec::new()) };
        let alike = |other: &Vec<PromptPosition>| first.iter().zip(other).take_while(|(a, b)| a == b).count();
        let shared = prompts.iter().map(|prompt| alike(prompt).min(prompt.len() - 1)).min().unwrap_or(0);
        let shared = if prompts.len() > 1 && shared >= MIN_SHARED { shared } else { 0 };
        let tokens = shared + prompts.iter().map(|prompt| prompt.len() - shared).sum::<usize>();
        let all = || {
            let mut begun = self.network.cache();
            if shared > 0 {
                self.network.states_in(&mut begun, &first[..shared])?;
            }
            prompts.iter().map(|prompt| self.score(&mut begun.copy(shared)?, &prompt[shared..])).collect::<Result<_>>()
        };
        self.meter.time(Phase::Text, tokens, all).map_err(failed)
    }

    /// The score after the rest of a prompt.
    fn score(&self, cache: &mut super::KvCache, rest: &[PromptPosition]) -> Result<f32> {
        match &self.verdict {
            Verdict::Words(yes, no) => {
                let logits = self.network.forward(&mut [(cache, rest)], false)?.get(0)?;
                let logit = |id: u32| logits.get(id as usize)?.to_scalar::<f32>();
                Ok(logit(*yes)? - logit(*no)?)
            }
            Verdict::Head(head) => {
                let states = self.network.states_in(cache, rest)?;
                let last = states.narrow(0, states.dim(0)? - 1, 1)?;
                head.forward(&last)?.to_dtype(DType::F32)?.flatten_all()?.get(0)?.to_scalar()
            }
        }
    }

    fn answer(&self, job: &Job) -> std::result::Result<Reply, Fault> {
        let (Some(Input::Text(query)), Request::Rank(RankRequest { among, texts, floor, .. })) =
            (job.subject(), &job.request)
        else {
            return Err(Fault::failed("a reranker ranks texts only".to_owned()));
        };
        if *floor == FloorUse::Required {
            return Err(Fault::model("a reranker lacks background vectors, which `floor: true` needs"));
        }
        let scores = self.scores(query, texts)?;
        let probabilities = scores.iter().map(|score| ops::sigmoid(f64::from(*score)) as f32).collect();
        Ok(Reply::Rank(ops::scored(among, &scores, probabilities)))
    }
}

impl Model for Reranker {
    fn answer(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            let reply = Reranker::answer(self, &job);
            job.answer(reply);
        }
    }
}
