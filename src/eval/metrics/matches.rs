//! Exact match, containment and equality: 1 or 0 for each answer.

use super::{Graded, Measure, Part, mean, truth};
use crate::eval::text::normalise;

/// A comparison that an answer passes or fails. With several right answers one match is enough. An abstention is right
/// for an unanswerable question, whatever its text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// Equal after SQuAD's normalisation.
    Exact,
    /// The normalised answer contains the normalised right answer, at word borders.
    Contains,
    /// Equal, except for white space at the ends.
    Same,
}

impl Match {
    /// True if the answer fits a right one.
    pub fn fits(self, answer: &str, right: &str) -> bool {
        match self {
            Match::Exact => normalise(answer) == normalise(right),
            Match::Contains => format!(" {} ", normalise(answer)).contains(&format!(" {} ", normalise(right))),
            Match::Same => answer.trim() == right.trim(),
        }
    }

    /// True if the answer is right.
    pub fn is_right(self, graded: Graded<'_>) -> bool {
        let Graded { case, answered } = graded;
        (case.is_unanswerable() && answered.abstained)
            || case.answers.iter().any(|right| self.fits(&answered.answer, right))
    }
}

impl Measure for Match {
    fn name(&self) -> String {
        match self {
            Match::Exact => "exact_match",
            Match::Contains => "contains",
            Match::Same => "accuracy",
        }
        .to_owned()
    }

    fn lower_is_better(&self) -> bool {
        false
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        graded.iter().map(|graded| Some(vec![truth(self.is_right(*graded))])).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        mean(parts)
    }
}
