//! Word error rate, as jiwer 4.0 computes it on texts after Whisper's English normaliser.

use super::{Graded, Measure, Part};
use crate::eval::text::whisper::words;

/// Word error rate: the edits between the words of the answer and those of the reference, by the number of reference
/// words. It can exceed 1. Over several cases, all edits are divided by all words. Of several references the one with
/// the lowest rate counts. A word that is heard in silence is an error and adds no reference word.
#[derive(Debug, Clone, Copy)]
pub struct Wer;

impl Measure for Wer {
    fn name(&self) -> String {
        "wer".to_owned()
    }

    fn lower_is_better(&self) -> bool {
        true
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        let one = |graded: &Graded<'_>| {
            let heard = words(&graded.answered.answer);
            let against = graded.case.answers.iter().map(|right| {
                let right = words(right);
                vec![edits(&heard, &right) as f64, right.len() as f64]
            });
            let rate = |part: &Part| part[0] / part[1].max(1.0);
            against.min_by(|a, b| rate(a).total_cmp(&rate(b)))
        };
        graded.iter().map(one).collect()
    }

    /// The quotient. If all references are silence, it is the number of words that were heard, or nothing without any.
    fn total(&self, parts: &[&Part]) -> Option<f64> {
        let (edits, words) = parts.iter().fold((0.0, 0.0), |(e, w), part| (e + part[0], w + part[1]));
        match words {
            0.0 if edits == 0.0 => None,
            0.0 => Some(edits),
            _ => Some(edits / words),
        }
    }
}

/// Levenshtein distance over words.
fn edits(a: &[String], b: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
