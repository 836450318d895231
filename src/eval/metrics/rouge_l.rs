//! ROUGE-L (Lin and Hovy 2004), as `Rouge` of pycocoevalcap 1.2 computes it.

use super::{Graded, Measure, Part, mean};
use crate::eval::text::{WordSplit, tokens};

/// The F-measure of the longest common subsequence of words, with the best precision and the best recall among the
/// references, 0 to 1; over several answers the mean.
#[derive(Debug, Clone, Copy)]
pub struct RougeL {
    /// How texts become words.
    pub tokens: WordSplit,
}

/// The weight of recall, as in the package.
const BETA: f64 = 1.2;

impl Measure for RougeL {
    fn name(&self) -> String {
        "rouge_l".to_owned()
    }

    fn lower_is_better(&self) -> bool {
        false
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        let words = |text: &str| {
            let words = tokens(text, self.tokens);
            // Python's "".split(" ") has one empty word
            if words.is_empty() { vec![String::new()] } else { words }
        };
        let one = |graded: &Graded<'_>| {
            let answer = words(&graded.answered.answer);
            let (mut precision, mut recall) = (0.0_f64, 0.0_f64);
            for reference in &graded.case.answers {
                let reference = words(reference);
                let common = longest_common(&answer, &reference) as f64;
                precision = precision.max(common / answer.len() as f64);
                recall = recall.max(common / reference.len() as f64);
            }
            let score = if precision == 0.0 || recall == 0.0 {
                0.0
            } else {
                (1.0 + BETA * BETA) * precision * recall / (recall + BETA * BETA * precision)
            };
            Some(vec![score])
        };
        graded.iter().map(one).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        mean(parts)
    }
}

/// The length of the longest common subsequence.
fn longest_common(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}
