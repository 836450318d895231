//! Evidence hit rate: do the cited moments show the answer?

use super::{Graded, Measure, Part, mean, truth};

/// The share of questions with known moments of which an answer cites one: a cited moment overlaps a true one in the same
/// medium, 0 to 1. An answer that cites nothing has no hit.
#[derive(Debug, Clone, Copy)]
pub struct EvidenceHit;

impl Measure for EvidenceHit {
    fn name(&self) -> String {
        "evidence_hit_rate".to_owned()
    }

    fn lower_is_better(&self) -> bool {
        false
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        let one = |graded: &Graded<'_>| {
            let true_ones = graded.case.moments.as_ref().filter(|moments| !moments.is_empty())?;
            let hits = graded.answered.evidence.iter().any(|cited| true_ones.iter().any(|span| span.overlaps(cited)));
            Some(vec![truth(hits)])
        };
        graded.iter().map(one).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        mean(parts)
    }
}
