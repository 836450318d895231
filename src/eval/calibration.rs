//! Fits how often answers are right to what they rest on and how well that supports them: isotonic regression for each basis (pool adjacent violators,
//! Ayer et al. 1955), so that more support never means less confidence.

use crate::session::confidence::{Calibration, ConfidenceStep};
use std::collections::BTreeMap;

/// One answer of a measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What it rests on.
    pub basis: String,
    /// How well it is supported, 0 to 1.
    pub support: f64,
    /// True if it is right.
    pub is_right: bool,
}

/// Each share counts one more right answer and one more wrong one (Laplace's rule), so that a few answers never give 0 or 1.
const PRIOR: f64 = 1.0;
/// Fewer answers than these make no step of their own.
const LEAST: usize = 20;

/// The calibration that fits the answers.
pub fn fit(answers: &[Judged], about: &str) -> Calibration {
    let mut by_basis: BTreeMap<&str, Vec<(f64, bool)>> = BTreeMap::new();
    for answer in answers {
        by_basis.entry(&answer.basis).or_default().push((answer.support.clamp(0.0, 1.0), answer.is_right));
    }
    let bases = by_basis.into_iter().map(|(basis, answers)| (basis.to_owned(), steps(answers))).collect();
    Calibration { about: about.to_owned(), bases }
}

/// Answers next to each other by support, while they are pooled.
#[derive(Clone, Copy)]
struct Pool {
    from: f64,
    right: usize,
    all: usize,
}

impl Pool {
    fn share(self) -> f64 {
        (self.right as f64 + PRIOR) / (self.all as f64 + 2.0 * PRIOR)
    }
}

fn steps(mut answers: Vec<(f64, bool)>) -> Vec<ConfidenceStep> {
    answers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut pools: Vec<Pool> = Vec::new();
    for equals in answers.chunk_by(|a, b| a.0 == b.0) {
        let right = equals.iter().filter(|(_, is_right)| *is_right).count();
        pools.push(Pool { from: equals[0].0, right, all: equals.len() });
        // a pool that is too small, or whose share is not larger than that of the one before, joins it
        while let [.., before, last] = pools[..] {
            let grows = match last.all >= LEAST {
                true => last.share() > before.share(),
                // the next answers may join it
                false => last.share() >= before.share(),
            };
            if before.all >= LEAST && grows {
                break;
            }
            pools.truncate(pools.len() - 2);
            pools.push(Pool { from: before.from, right: before.right + last.right, all: before.all + last.all });
        }
    }
    // the last one may be too small still
    if let [.., before, last] = pools[..]
        && last.all < LEAST
    {
        pools.truncate(pools.len() - 2);
        pools.push(Pool { from: before.from, right: before.right + last.right, all: before.all + last.all });
    }
    if let Some(first) = pools.first_mut() {
        first.from = 0.0;
    }
    let step = |pool: &Pool| ConfidenceStep { from: pool.from, confidence: pool.share(), answers: pool.all };
    pools.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(basis: &str, support: f64, right: usize, wrong: usize) -> Vec<Judged> {
        let one = |is_right| Judged { basis: basis.into(), support, is_right };
        std::iter::repeat_n(one(true), right).chain(std::iter::repeat_n(one(false), wrong)).collect()
    }

    #[test]
    fn more_support_never_means_less_confidence() {
        let answers: Vec<Judged> = [
            judged("read", 0.2, 10, 20),
            judged("read", 0.5, 28, 12),
            // less than the one before: both are pooled
            judged("read", 0.6, 24, 16),
            judged("read", 0.9, 39, 1),
            judged("computed", 0.0, 98, 0),
        ]
        .concat();
        let fitted = fit(&answers, "a test");
        let read = &fitted.bases["read"];
        assert_eq!(
            read.iter().map(|step| (step.from, step.answers)).collect::<Vec<_>>(),
            [(0.0, 30), (0.5, 80), (0.9, 40)]
        );
        assert!(read.windows(2).all(|pair| pair[0].confidence < pair[1].confidence));
        assert!((read[1].confidence - 53.0 / 82.0).abs() < 1e-12);
        assert!((fitted.confidence("computed", 0.0).expect("measured") - 0.99).abs() < 1e-12);
    }

    #[test]
    fn few_answers_make_no_step() {
        let answers = [judged("read", 0.1, 3, 0), judged("read", 0.9, 2, 1)].concat();
        let steps = &fit(&answers, "").bases["read"];
        assert_eq!(steps.len(), 1);
        assert!((steps[0].confidence - 6.0 / 8.0).abs() < 1e-12);
        assert!(fit(&[], "").bases.is_empty());
    }
}
