//! The metrics: one file each, and one plain list.
//!
//! A metric reduces each answer to a few numbers (its part), and any set of parts to one figure. The figure of a class of
//! questions and the figure of a bootstrap sample are therefore computed like the figure of all.

mod bleu;
mod choice;
mod cider_d;
mod evidence;
mod matches;
mod over_count;
mod recall;
mod risk;
mod rouge_l;
#[cfg(test)]
mod tests;
mod wer;

pub use bleu::Bleu;
pub use choice::{Answerable, Ordered, RightChoice};
pub use cider_d::CiderD;
pub use evidence::EvidenceHit;
pub use matches::Match;
pub use over_count::OverCount;
pub use recall::{MedianRank, Recall, ReciprocalRank};
pub use risk::{CoverageAt, RiskArea};
pub use rouge_l::RougeL;
pub use wer::Wer;

use super::{answered::CaseAnswer, case::Case, text::WordSplit};
use std::sync::Arc;

/// The numbers of one answer from which a metric computes its figure.
pub type Part = Vec<f64>;

/// A case with its answer.
#[derive(Debug, Clone, Copy)]
pub struct Graded<'a> {
    /// The case.
    pub case: &'a Case,
    /// The answer.
    pub answered: &'a CaseAnswer,
}

/// A metric.
///
/// Contract: `parts` gives one entry for each answer, in order; an entry is absent if the metric says nothing about that
/// case. `total` takes any of these parts, repeated or not, and gives a finite number, or nothing if there are too few.
pub trait Measure: Send + Sync {
    /// Its name on the command line and in results.
    fn name(&self) -> String;
    /// True if a smaller figure is better.
    fn lower_is_better(&self) -> bool;
    /// The parts of all answers.
    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>>;
    /// The figure of some parts.
    fn total(&self, parts: &[&Part]) -> Option<f64>;
}

/// A metric that can be named.
pub struct Listed {
    /// Its name; `K` stands for a number.
    pub name: &'static str,
    /// What it measures, in one line.
    pub about: &'static str,
    make: fn(&str, WordSplit) -> Option<Measures>,
}

/// Metrics that one name stands for.
type Measures = Vec<Arc<dyn Measure>>;

/// All metrics, in the order of help.
pub const METRICS: [Listed; 20] = [
    Listed {
        name: "exact_match",
        about: "equal, without case, punctuation and articles (SQuAD)",
        make: |name, _| one(name, "exact_match", Match::Exact),
    },
    Listed {
        name: "contains",
        about: "the answer contains the right one, at word borders",
        make: |name, _| one(name, "contains", Match::Contains),
    },
    Listed { name: "accuracy", about: "equal in every character", make: |name, _| one(name, "accuracy", Match::Same) },
    Listed {
        name: "wer",
        about: "word error rate with Whisper's English normaliser: all errors by all reference words (lower is better)",
        make: |name, _| one(name, "wer", Wer),
    },
    Listed {
        name: "bleu_1 … bleu_4, bleu",
        about: "BLEU of all answers together; `bleu` gives all four",
        make: |name, tokens| {
            let all = || (1..=4).map(|n| Arc::new(Bleu { n, tokens }) as Arc<dyn Measure>);
            match name {
                "bleu" => Some(all().collect()),
                _ => {
                    Some(all().filter(|bleu| bleu.name() == name).collect()).filter(|found: &Vec<_>| !found.is_empty())
                }
            }
        },
    },
    Listed {
        name: "rouge_l",
        about: "the longest common subsequence of words (mean of all answers)",
        make: |name, tokens| one(name, "rouge_l", RougeL { tokens }),
    },
    Listed {
        name: "cider_d",
        about: "agreement in words that are rare in the references, 0 to 10 (mean of all answers)",
        make: |name, tokens| one(name, "cider_d", CiderD { tokens }),
    },
    Listed {
        name: "r@K",
        about: "share of rankings with a right candidate among the first K",
        make: |name, _| {
            let k = name.strip_prefix("r@")?.parse().ok().filter(|k| *k > 0)?;
            Some(vec![Arc::new(Recall { k })])
        },
    },
    Listed {
        name: "recall",
        about: "r@1, r@5, r@10 and median_rank",
        make: |name, _| {
            let recall = |k| Arc::new(Recall { k }) as Arc<dyn Measure>;
            (name == "recall").then(|| vec![recall(1), recall(5), recall(10), Arc::new(MedianRank)])
        },
    },
    Listed {
        name: "median_rank",
        about: "the median place of the best right candidate (lower is better)",
        make: |name, _| one(name, "median_rank", MedianRank),
    },
    Listed {
        name: "mrr",
        about: "mean reciprocal place of the best right candidate",
        make: |name, _| one(name, "mrr", ReciprocalRank),
    },
    Listed {
        name: "choice",
        about: "the right option is taken, by its text, letter or number",
        make: |name, _| one(name, "choice", RightChoice),
    },
    Listed {
        name: "ordered",
        about: "mean worth of the taken option: right 1, vague 2/3, wrong 1/3, unanswerable 0",
        make: |name, _| one(name, "ordered", Ordered),
    },
    Listed {
        name: "ans_f1",
        about: "F1 of the decision that a question is answerable",
        make: |name, _| one(name, "ans_f1", Answerable),
    },
    Listed {
        name: "evidence_hit_rate",
        about: "share of answers that cite a moment which overlaps the true one",
        make: |name, _| one(name, "evidence_hit_rate", EvidenceHit),
    },
    Listed {
        name: "risk_coverage",
        about: "risk_area, and coverage@0.05, 0.1 and 0.2",
        make: |name, _| {
            let coverage = |risk| Arc::new(CoverageAt { risk }) as Arc<dyn Measure>;
            (name == "risk_coverage").then(|| vec![Arc::new(RiskArea), coverage(0.05), coverage(0.1), coverage(0.2)])
        },
    },
    Listed {
        name: "risk_area",
        about: "area under the risk-coverage curve (lower is better)",
        make: |name, _| one(name, "risk_area", RiskArea),
    },
    Listed {
        name: "coverage@R",
        about: "largest share of answers, surest first, of which at most the share R is wrong",
        make: |name, _| {
            let risk = name.strip_prefix("coverage@")?.parse().ok().filter(|risk| (0.0..1.0).contains(risk))?;
            Some(vec![Arc::new(CoverageAt { risk })])
        },
    },
    Listed {
        name: "over_count",
        about: "share of counts that are too high (lower is better)",
        make: |name, _| one(name, "over_count", OverCount { too_high: true }),
    },
    Listed {
        name: "under_count",
        about: "share of counts that are too low (lower is better)",
        make: |name, _| one(name, "under_count", OverCount { too_high: false }),
    },
];

fn one(name: &str, wanted: &str, metric: impl Measure + 'static) -> Option<Vec<Arc<dyn Measure>>> {
    (name == wanted).then(|| vec![Arc::new(metric) as Arc<dyn Measure>])
}

/// The metrics of a name. Captions are compared as `tokens`.
pub fn named(name: &str, tokens: WordSplit) -> Result<Vec<Arc<dyn Measure>>, String> {
    let known = || METRICS.iter().map(|listed| listed.name).collect::<Vec<_>>();
    METRICS
        .iter()
        .find_map(|listed| (listed.make)(name, tokens))
        .ok_or_else(|| format!("`{name}` is no metric; expected {}", known().join(", ")))
}

/// The mean of the first numbers.
fn mean(parts: &[&Part]) -> Option<f64> {
    (!parts.is_empty()).then(|| parts.iter().map(|part| part[0]).sum::<f64>() / parts.len() as f64)
}

/// 1 for true, 0 for false.
fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}
