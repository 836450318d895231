//! BLEU (Papineni et al. 2002), as `Bleu` of pycocoevalcap 1.2 computes it for all answers together: the reference of the
//! closest length counts, and nothing is smoothed.

use super::{Graded, Measure, Part};
use crate::eval::text::{WordSplit, tokens};
use std::collections::HashMap;

/// BLEU with sequences of 1 to `n` words (1 to 4), 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct Bleu {
    /// The longest sequence of words that counts, 1 to 4.
    pub n: usize,
    /// How texts become words.
    pub tokens: WordSplit,
}

/// Prevents divisions by zero, as in the package.
const SMALL: f64 = 1e-9;
/// As above: a precision of nothing is not quite zero.
const TINY: f64 = 1e-15;
/// The longest sequences.
const LONGEST: usize = 4;

impl Measure for Bleu {
    fn name(&self) -> String {
        format!("bleu_{}", self.n)
    }

    fn lower_is_better(&self) -> bool {
        false
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        let one = |graded: &Graded<'_>| {
            let answer = tokens(&graded.answered.answer, self.tokens);
            let references: Vec<Vec<String>> =
                graded.case.answers.iter().map(|text| tokens(text, self.tokens)).collect();
            Some(part(&answer, &references))
        };
        graded.iter().map(one).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        if parts.is_empty() {
            return None;
        }
        let sum = |at: usize| parts.iter().map(|part| part[at]).sum::<f64>();
        let mut product = 1.0;
        for k in 0..self.n {
            product *= (sum(2 + LONGEST + k) + TINY) / (sum(2 + k) + SMALL);
        }
        let ratio = (sum(0) + TINY) / (sum(1) + SMALL);
        let penalty = if ratio < 1.0 { (1.0 - 1.0 / ratio).exp() } else { 1.0 };
        Some(f64::powf(product, 1.0 / self.n as f64) * penalty)
    }
}

/// The length of the answer, that of the closest reference, and for each sequence length how many there are and how many
/// of them a reference has.
fn part(answer: &[String], references: &[Vec<String>]) -> Part {
    let closest = references.iter().map(|r| (r.len().abs_diff(answer.len()), r.len())).min();
    let mut part = vec![answer.len() as f64, closest.map_or(0, |(_, length)| length) as f64];
    part.extend((1..=LONGEST).map(|k| (answer.len() + 1).saturating_sub(k) as f64));
    for k in 1..=LONGEST {
        let mut most: HashMap<&[String], usize> = HashMap::new();
        for reference in references {
            for (words, count) in counted(reference, k) {
                let known = most.entry(words).or_default();
                *known = count.max(*known);
            }
        }
        let shared =
            counted(answer, k).into_iter().map(|(words, count)| count.min(most.get(words).copied().unwrap_or(0)));
        part.push(shared.sum::<usize>() as f64);
    }
    part
}

/// The sequences of `k` words, with their numbers.
pub(super) fn counted(words: &[String], k: usize) -> HashMap<&[String], usize> {
    let mut counts = HashMap::new();
    words.windows(k).for_each(|sequence| *counts.entry(sequence).or_default() += 1);
    counts
}
