//! An encoder with a head for classes (`…ForSequenceClassification`): a cross-encoder, natural-language inference, or a
//! classifier with labels of its own.
//!
//! A cross-encoder and an inference model read each pair of the subject and a candidate as transformers tokenizes pairs:
//! the longer text is cut first. The score of a cross-encoder is its logit, its probability the sigmoid of it. The score
//! of an inference model is the log-odds of entailment, its probability that of entailment among the model's classes.
//! Neither depends on the other candidates.

use super::{
    super::ModelOptions,
    Head,
    encoder::{self, Kin, TextEncoder},
    head_of, kin,
    modern::{ModernShape, map},
};
use crate::{
    error::Fault,
    exchange::{FloorUse, RankRequest, Reply, Request},
    infer::{
        checkpoint::Checkpoint,
        classes::Classes,
        config::{Config, within},
        failed,
        job::{Input, Job, Model},
        ops::{self, Activation, Linear},
        text::{Encoded, TextTokenizer},
    },
    value::Scored,
};
use candle_core::{DType, IndexOp, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// A loaded classifier.
pub(super) struct Classifier {
    encoder: Box<dyn TextEncoder>,
    text: TextTokenizer,
    layers: HeadLayers,
    head: Head,
    classes: Classes,
}

impl Classifier {
    /// Loads the encoder and its head. Fails if a file of the checkpoint is missing, damaged or unsupported.
    pub(super) fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> std::result::Result<Classifier, Fault> {
        let config = &checkpoint.config;
        let head = head_of(config).ok_or_else(|| {
            let names = "BertForSequenceClassification, RobertaForSequenceClassification, XLMRobertaForSequenceClassification or ModernBertForSequenceClassification";
            Fault::model(format!("{}: `architectures` must name {names}", config.name()))
        })?;
        let classes = Classes::read(config)?;
        let (encoder, vb, text) = encoder::open(checkpoint, loading, false)?;
        let (w, count) = (config.size("hidden_size", within::WIDTH)?, classes.count());
        let layers = HeadLayers::load(config, (w, count), &vb).map_err(failed)?;
        let max_tokens = text.max_tokens(encoder.max_tokens());
        let text = text.truncated(max_tokens)?;
        Ok(Classifier { encoder, text, layers, head, classes })
    }

    /// The inputs of a job: the pairs, or the text alone.
    fn inputs(&self, job: &Job) -> std::result::Result<Vec<Encoded>, Fault> {
        let (Some(Input::Text(what)), Request::Rank(rank)) = (job.subject(), &job.request) else {
            return Err(Fault::failed("a text classifier ranks texts only".to_owned()));
        };
        if rank.floor == FloorUse::Required {
            return Err(Fault::model("a text classifier lacks background vectors, which `floor: true` needs"));
        }
        match self.head {
            Head::Labels => Ok(vec![self.text.encoded(what, None)?]),
            _ => rank.texts.iter().map(|text| self.text.encoded(what, Some(text))).collect(),
        }
    }

    /// The logits of each input. Inputs of one length share a forward pass.
    fn logits(&self, inputs: &[Encoded]) -> std::result::Result<Vec<Vec<f32>>, Fault> {
        self.encoder.read(inputs, &mut |states| {
            let logits = self.layers.forward(states)?;
            logits.flatten_all()?.to_dtype(DType::F32)?.to_vec1()
        })
    }

    /// The scores of a request from the logits of its inputs.
    fn score(&self, rank: &RankRequest, logits: &[Vec<f32>]) -> std::result::Result<Vec<Scored>, Fault> {
        let scores: Vec<f32> = match self.head {
            Head::Labels if rank.wants_own_labels() => return Ok(self.classes.all(&logits[0])),
            Head::Labels => {
                return self.classes.among(&rank.texts, &logits[0]).map(|scored| renamed(scored, &rank.among));
            }
            Head::Pair => logits.iter().map(|logits| logits[0]).collect(),
            Head::Entailment(class) => logits.iter().map(|logits| log_odds(logits, class)).collect(),
        };
        let probabilities = scores.iter().map(|score| ops::sigmoid(f64::from(*score)) as f32).collect();
        Ok(ops::scored(&rank.among, &scores, probabilities))
    }
}

/// The layers between the states of a text and its logits.
struct HeadLayers {
    /// The map of the pooled state.
    dense: Linear,
    squash: HeadSquash,
    /// (classes, width)
    out: Linear,
    is_mean: bool,
}

/// What follows the map of the pooled state.
enum HeadSquash {
    Tanh,
    /// An activation and a norm.
    Normed(Activation, LayerNorm),
}

impl HeadLayers {
    fn load(config: &Config, (w, count): (usize, usize), vb: &VarBuilder<'_>) -> Result<HeadLayers> {
        let plain = |dense: &str, out: &str| -> Result<HeadLayers> {
            Ok(HeadLayers {
                dense: ops::linear_with_bias(w, w, vb.pp(dense))?,
                squash: HeadSquash::Tanh,
                out: ops::linear_with_bias(w, count, vb.pp(out))?,
                is_mean: false,
            })
        };
        let read = |fault: Fault| candle_core::Error::msg(fault);
        match kin(config) {
            Kin::Bert => plain("bert.pooler.dense", "classifier"),
            Kin::Roberta => plain("classifier.dense", "classifier.out_proj"),
            Kin::Modern => {
                let shape = ModernShape::read(config).map_err(read)?;
                let has_bias = config.truth("classifier_bias").map_err(read)?.unwrap_or(false);
                let activation = config.activation("classifier_activation", "gelu").map_err(read)?;
                let pooling = config.string("classifier_pooling").map_err(read)?.unwrap_or("cls");
                Ok(HeadLayers {
                    dense: map(w, w, has_bias, vb.pp("head.dense"))?,
                    squash: HeadSquash::Normed(activation, shape.norm(&vb.pp("head.norm"))?),
                    out: ops::linear_with_bias(w, count, vb.pp("classifier"))?,
                    is_mean: match pooling {
                        "cls" => false,
                        "mean" => true,
                        other => candle_core::bail!("`classifier_pooling` must be cls or mean, found {other}"),
                    },
                })
            }
        }
    }

    /// The states of a text (t, width) -> (1, classes)
    fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let pooled = if self.is_mean { ops::mean_rows(states)? } else { states.i(0)? };
        let x = self.dense.forward(&pooled.unsqueeze(0)?)?;
        let x = match &self.squash {
            HeadSquash::Tanh => x.tanh()?,
            HeadSquash::Normed(activation, norm) => norm.forward(&activation.forward(&x)?)?,
        };
        self.out.forward(&x)
    }
}

/// The same scores under the labels as the author wrote them.
fn renamed(scored: Vec<Scored>, among: &[String]) -> Vec<Scored> {
    scored.into_iter().zip(among).map(|(scored, text)| Scored { text: text.clone(), ..scored }).collect()
}

/// ln(p / (1 − p)) of a class: its logit less the logarithm of the summed powers of the others.
fn log_odds(logits: &[f32], class: usize) -> f32 {
    let others = logits.iter().enumerate().filter(|(n, _)| *n != class).map(|(_, logit)| *logit);
    logits[class] - ops::log_sum_exp(others)
}

impl Model for Classifier {
    fn answer(&mut self, jobs: Vec<Job>) {
        let inputs: Vec<_> = jobs.iter().map(|job| self.inputs(job)).collect();
        let all: Vec<Encoded> = inputs.iter().flatten().flatten().cloned().collect();
        let logits = self.logits(&all);
        let mut from = 0;
        for (job, inputs) in jobs.into_iter().zip(inputs) {
            let reply = inputs.and_then(|inputs| {
                let range = from..from + inputs.len();
                from = range.end;
                let logits = logits.as_ref().map_err(Clone::clone)?;
                match &job.request {
                    Request::Rank(rank) => self.score(rank, &logits[range]).map(Reply::Rank),
                    _ => Err(Fault::failed("a text classifier ranks texts only".to_owned())),
                }
            });
            job.answer(reply);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::log_odds;

    #[test]
    fn log_odds_are_those_of_the_softmax() {
        let check = |logits: &[f32], class: usize| {
            let powers: Vec<f64> = logits.iter().map(|logit| f64::from(*logit).exp()).collect();
            let p = powers[class] / powers.iter().sum::<f64>();
            assert!((f64::from(log_odds(logits, class)) - (p / (1.0 - p)).ln()).abs() < 1e-5, "{logits:?}");
        };
        check(&[0.3, -1.0, 2.0], 2);
        check(&[4.0, -3.0], 0);
        check(&[-8.0, 5.0, 5.0], 0);
    }
}
