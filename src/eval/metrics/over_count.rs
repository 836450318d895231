//! Over-count rate: how often an answer counts too many (or too few).

use super::{Graded, Measure, Part, mean, truth};
use crate::query::SMALL_NUMBERS;

/// The share of answered counts that are higher (or lower) than the right one, 0 to 1. A question is a count if it asks
/// "how many" or "how often", or if its kind contains `count`, and if both answers contain a number.
#[derive(Debug, Clone, Copy)]
pub struct OverCount {
    /// True for counts that are too high.
    pub too_high: bool,
}

impl Measure for OverCount {
    fn name(&self) -> String {
        if self.too_high { "over_count" } else { "under_count" }.to_owned()
    }

    fn lower_is_better(&self) -> bool {
        true
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        let one = |graded: &Graded<'_>| {
            let Graded { case, answered } = *graded;
            let question = case.question().to_lowercase();
            let asks = ["how many", "how often", "number of"].iter().any(|words| question.contains(words))
                || case.kinds.iter().any(|kind| kind.contains("count"));
            if !asks || answered.abstained {
                return None;
            }
            let said = count(&answered.answer)?;
            let right: Vec<f64> = case.answers.iter().filter_map(|answer| count(answer)).collect();
            let wrong = |right: &f64| if self.too_high { said > *right } else { said < *right };
            (!right.is_empty()).then(|| vec![truth(right.iter().all(wrong))])
        };
        graded.iter().map(one).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        mean(parts)
    }
}

/// The first number of a text: digits, a number word up to twenty, or `once`, `twice`, `never`.
fn count(text: &str) -> Option<f64> {
    let number = |word: &str| {
        let at = match word {
            "never" | "no" | "none" | "nobody" | "nothing" => 0,
            "once" | "single" => 1,
            "twice" | "both" => 2,
            "thrice" => 3,
            "twenty" => 20,
            _ => match word.parse::<f64>() {
                Ok(number) => return Some(number).filter(|number| number.is_finite()),
                Err(_) => SMALL_NUMBERS.iter().position(|known| *known == word)?,
            },
        };
        Some(at as f64)
    };
    let text = text.to_lowercase();
    text.split(|c: char| !c.is_alphanumeric()).find_map(number)
}
