//! Risk and coverage: does a dialogue know when it is right? (Geifman and El-Yaniv 2017)
//!
//! Answers are taken surest first. At each number of answers, the coverage is their share of all cases, and the risk is the
//! share of wrong ones among them. An abstention is never taken. Without a stated confidence all answers are equally
//! sure; among equals the order is unknown, so the mean over all orders counts.

use super::{Graded, Match, Measure, Part, choice};
use crate::eval::case::Worth;

/// The area under the curve: the mean risk over all coverages that the answers reach. 0 is best.
#[derive(Debug, Clone, Copy)]
pub struct RiskArea;

/// The largest coverage whose risk is at most `risk`, 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct CoverageAt {
    /// The share of wrong answers that is accepted.
    pub risk: f64,
}

/// Whether it answered, its confidence, and whether it is wrong.
fn parts(graded: &[Graded<'_>]) -> Vec<Option<Part>> {
    let one = |graded: &Graded<'_>| {
        let answered = graded.answered;
        let is_right = match (&answered.ranking, choice::worth(*graded)) {
            (_, Some(worth)) => worth == Worth::Right,
            (Some(ranking), None) => ranking.place == Some(1),
            (None, None) => Match::Exact.is_right(*graded),
        };
        let says = !answered.abstained;
        Some(vec![super::truth(says), answered.confidence.unwrap_or(1.0), super::truth(!is_right)])
    };
    graded.iter().map(one).collect()
}

/// The risk after each answer, surest first.
fn curve(parts: &[&Part]) -> Vec<f64> {
    let mut said: Vec<(f64, f64)> = parts.iter().filter(|part| part[0] == 1.0).map(|part| (part[1], part[2])).collect();
    said.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut risks, mut wrong) = (Vec::with_capacity(said.len()), 0.0);
    for equals in said.chunk_by(|a, b| a.0 == b.0) {
        let each = equals.iter().map(|(_, wrong)| wrong).sum::<f64>() / equals.len() as f64;
        for _ in equals {
            wrong += each;
            risks.push(wrong / (risks.len() + 1) as f64);
        }
    }
    risks
}

impl Measure for RiskArea {
    fn name(&self) -> String {
        "risk_area".to_owned()
    }

    fn lower_is_better(&self) -> bool {
        true
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        parts(graded)
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        let risks = curve(parts);
        (!risks.is_empty()).then(|| risks.iter().sum::<f64>() / risks.len() as f64)
    }
}

impl Measure for CoverageAt {
    fn name(&self) -> String {
        format!("coverage@{}", self.risk)
    }

    fn lower_is_better(&self) -> bool {
        false
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        parts(graded)
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        // sums of thirds may exceed a limit by a rounding error
        let within = curve(parts).iter().rposition(|risk| *risk <= self.risk + 1e-12);
        (!parts.is_empty()).then(|| within.map_or(0, |at| at + 1) as f64 / parts.len() as f64)
    }
}
