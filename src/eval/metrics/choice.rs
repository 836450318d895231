//! Questions with options: the right option, the worth of the taken one, and the decision that a question is answerable.

use super::{Graded, Measure, Part, mean, truth};
use crate::eval::{answered::chosen, case::Worth};

/// The share of questions whose right option is taken, 0 to 1. An answer that names no option is wrong.
#[derive(Debug, Clone, Copy)]
pub struct RightChoice;

/// The mean worth of the taken option, 0 to 1, in the order of SuperMemory-VQA: right, vague, wrong, unanswerable. The
/// benchmark gives the order; the equal steps are ours. An answer that names no option counts as the last.
#[derive(Debug, Clone, Copy)]
pub struct Ordered;

/// F1 of the decision that a question is answerable (`Ans-F1` of SuperMemory-VQA), 0 to 1. To abstain, or to take the
/// option that says so, decides that it is not.
#[derive(Debug, Clone, Copy)]
pub struct Answerable;

/// The worth of the option that an answer takes; nothing if the question has no options.
pub(super) fn worth(graded: Graded<'_>) -> Option<Worth> {
    let Graded { case, answered } = graded;
    if case.options.is_empty() {
        return None;
    }
    let taken = chosen(&case.options, &answered.answer).map(|at| case.options[at].worth);
    Some(match taken {
        Some(worth) => worth,
        None if answered.abstained && case.is_unanswerable() => Worth::Right,
        None => Worth::Unanswerable,
    })
}

impl Measure for RightChoice {
    fn name(&self) -> String {
        "choice".to_owned()
    }

    fn lower_is_better(&self) -> bool {
        false
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        graded.iter().map(|graded| worth(*graded).map(|worth| vec![truth(worth == Worth::Right)])).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        mean(parts)
    }
}

impl Measure for Ordered {
    fn name(&self) -> String {
        "ordered".to_owned()
    }

    fn lower_is_better(&self) -> bool {
        false
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        let credit = |worth: Worth| match worth {
            Worth::Right => 1.0,
            Worth::Vague => 2.0 / 3.0,
            Worth::Wrong => 1.0 / 3.0,
            Worth::Unanswerable => 0.0,
        };
        graded.iter().map(|graded| worth(*graded).map(|worth| vec![credit(worth)])).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        mean(parts)
    }
}

impl Measure for Answerable {
    fn name(&self) -> String {
        "ans_f1".to_owned()
    }

    fn lower_is_better(&self) -> bool {
        false
    }

    /// Answerable and answered, answered wrongly, refused wrongly.
    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        let one = |graded: &Graded<'_>| {
            let (is, said) = (!graded.case.is_unanswerable(), !graded.answered.abstained);
            Some(vec![truth(is && said), truth(!is && said), truth(is && !said)])
        };
        graded.iter().map(one).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        let sum = |at: usize| parts.iter().map(|part| part[at]).sum::<f64>();
        let (hits, others) = (sum(0), sum(1) + sum(2));
        (hits + others > 0.0).then(|| 2.0 * hits / (2.0 * hits + others))
    }
}
