//! Which is the most: "Which activity did I do the most often?", "Where was I for the longest time?"

use super::{
    LogLine,
    computed::{joined, sentence},
    parts,
};
use crate::{
    prompt::english::{listed, words},
    query::{Asks, Query},
};
use indexmap::IndexMap;

/// So many equals are named.
const MOST_EQUALS: usize = 3;

/// What is compared.
#[derive(Clone, Copy, PartialEq)]
enum Amount {
    Times,
    Time,
}

/// What a question for the most compares; none if it asks for something else.
fn amount(words: &[String]) -> Option<Amount> {
    let has = |list: &str| words.iter().any(|word| listed(list, word));
    match (has("most") && has("often frequently frequent"), has("longest") || has("most") && has("time")) {
        (true, _) => Some(Amount::Times),
        (_, true) => Some(Amount::Time),
        _ => None,
    }
}

/// True if a question asks for the most.
pub(super) fn asks_for_most(question: &str) -> bool {
    amount(&words(question)).is_some()
}

/// The places or activities of the chosen lines that are there most often, or for the longest time.
pub(super) fn superlative(question: &str, query: &Query, chosen: &[usize], log: &[LogLine]) -> Option<String> {
    let words = words(question);
    let has = |list: &str| words.iter().any(|word| listed(list, word));
    let amount = amount(&words)?;
    let of_place = query.asks == Asks::Where || has("place room location spot");
    let of_activity = has("activity do did doing") && !has("see saw seen");
    if !of_place && !of_activity {
        return None;
    }
    let mut amounts: IndexMap<&str, f64> = IndexMap::new();
    let mut before = None;
    for place in chosen {
        let (line, parts) = (&log[*place], parts(&log[*place].text));
        let name = if of_place { parts.place } else { parts.activity };
        // a stay over several lines is one
        let stays = of_place && before == Some((place.wrapping_sub(1), name));
        *amounts.entry(name).or_default() += match (amount, stays) {
            (Amount::Time, _) => line.end - line.start,
            (Amount::Times, true) => 0.0,
            (Amount::Times, false) => 1.0,
        };
        before = Some((*place, name));
    }
    amounts.shift_remove("");
    let most = amounts.values().copied().fold(0.0, f64::max);
    let names: Vec<&str> =
        amounts.iter().filter(|(_, amount)| **amount >= most - 1e-6).map(|(name, _)| *name).collect();
    (!names.is_empty() && names.len() <= MOST_EQUALS).then(|| sentence(&joined(&names)))
}
