//! CIDEr-D (Vedantam et al. 2015), as `Cider` of pycocoevalcap 1.2 computes it: sequences of one to four words, clipped
//! counts, and a penalty for a different length.

use super::{Graded, Measure, Part, bleu::counted, mean};
use crate::eval::text::{WordSplit, tokens};
use std::collections::{HashMap, HashSet};

/// The agreement with the references in words that few references have, 0 to 10; over several answers the mean. How rare
/// a word is follows from the references of all cases. With a single case every weight is zero, and so is the figure.
#[derive(Debug, Clone, Copy)]
pub struct CiderD {
    /// How texts become words.
    pub tokens: WordSplit,
}

/// The width of the penalty for a different length, in words.
const SIGMA: f64 = 6.0;
/// The longest sequences.
const LONGEST: usize = 4;

impl Measure for CiderD {
    fn name(&self) -> String {
        "cider_d".to_owned()
    }

    fn lower_is_better(&self) -> bool {
        false
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        let words = |text: &str| tokens(text, self.tokens);
        let all: Vec<(Vec<String>, Vec<Vec<String>>)> = graded
            .iter()
            .map(|graded| {
                (words(&graded.answered.answer), graded.case.answers.iter().map(|text| words(text)).collect())
            })
            .collect();
        // the number of cases whose references have a sequence
        let mut cases: HashMap<&[String], f64> = HashMap::new();
        for (_, references) in &all {
            let sequences: HashSet<&[String]> =
                references.iter().flat_map(|words| (1..=LONGEST).flat_map(|k| words.windows(k))).collect();
            sequences.into_iter().for_each(|sequence| *cases.entry(sequence).or_default() += 1.0);
        }
        let corpus = Corpus { log_cases: (all.len() as f64).ln(), cases };
        all.iter().map(|(answer, references)| Some(vec![corpus.score(answer, references)])).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        mean(parts)
    }
}

struct Corpus<'a> {
    log_cases: f64,
    cases: HashMap<&'a [String], f64>,
}

/// A text as weights of its sequences of each length.
struct Weights<'a> {
    of: [HashMap<&'a [String], f64>; LONGEST],
    norms: [f64; LONGEST],
    /// The number of pairs of words: the package measures lengths so.
    pairs: f64,
}

impl Corpus<'_> {
    fn weights<'b>(&self, words: &'b [String]) -> Weights<'b> {
        let of = [1, 2, 3, 4].map(|k| {
            let weight = |(sequence, count): (&'b [String], usize)| {
                let cases = self.cases.get(sequence).copied().unwrap_or(0.0).max(1.0);
                (sequence, count as f64 * (self.log_cases - cases.ln()))
            };
            counted(words, k).into_iter().map(weight).collect::<HashMap<_, _>>()
        });
        let norms = [0, 1, 2, 3].map(|k| of[k].values().map(|weight| weight * weight).sum::<f64>().sqrt());
        Weights { of, norms, pairs: words.len().saturating_sub(1) as f64 }
    }

    fn score(&self, answer: &[String], references: &[Vec<String>]) -> f64 {
        let said = self.weights(answer);
        let against = references.iter().map(|reference| said.similarity(&self.weights(reference)));
        10.0 * against.sum::<f64>() / references.len() as f64
    }
}

impl Weights<'_> {
    /// The mean similarity over the four lengths.
    fn similarity(&self, reference: &Weights<'_>) -> f64 {
        let delta = self.pairs - reference.pairs;
        let penalty = (-(delta * delta) / (2.0 * SIGMA * SIGMA)).exp();
        let of_length = |k: usize| {
            let clipped = self.of[k].iter().map(|(sequence, weight)| {
                let other = reference.of[k].get(sequence).copied().unwrap_or(0.0);
                weight.min(other) * other
            });
            let product = self.norms[k] * reference.norms[k];
            let sum: f64 = clipped.sum();
            penalty * if product == 0.0 { sum } else { sum / product }
        };
        (0..LONGEST).map(of_length).sum::<f64>() / LONGEST as f64
    }
}
