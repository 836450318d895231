//! Questions that need a rule of their own: whether somebody was there, and what the mind is asked instead.

use super::{LogLine, parts, topic::Topic};
use crate::{
    prompt::english::{listed, words},
    query::{Asks, Query},
};

/// The answer to "Was anybody with me?" and "Was I alone?".
pub(super) fn company(question: &str, query: &Query, found: &[usize], log: &[LogLine]) -> Option<String> {
    let asked = words(question);
    let has = |list: &str| asked.iter().any(|word| listed(list, word));
    let alone = has("alone");
    let somebody = has("anybody anyone somebody someone people company") && has("with around there near");
    if query.asks != Asks::YesNo
        || !(alone || somebody)
        || found.is_empty()
        || has("say said tell told ask asked hear heard meet met")
    {
        return None;
    }
    let accompanied = found.iter().any(|place| !parts(&log[*place].text).people.is_empty());
    Some(if accompanied != alone { "Yes." } else { "No." }.to_owned())
}

/// A question for the reason of going somewhere, in simple words.
pub(super) fn reason(topic: &Topic, log: &[LogLine]) -> Option<String> {
    let of_place = |line: &&LogLine| topic.names(parts(&line.text).place);
    let place = log.iter().find(of_place).filter(|_| topic.is_reason && !topic.is_open())?;
    Some(format!("Why did I go to the {}?", parts(&place.text).place))
}

/// A question in capitals as people usually write it.
pub(super) fn in_small_letters(question: &str) -> Option<String> {
    let letters = || question.chars().filter(|c| c.is_alphabetic());
    if letters().count() < 4 || letters().any(char::is_lowercase) {
        return None;
    }
    let lower = question.to_lowercase();
    let words = lower.split(' ').map(|word| if word == "i" { "I" } else { word }).collect::<Vec<_>>().join(" ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect())
}
