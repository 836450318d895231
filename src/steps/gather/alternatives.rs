//! Which of two: "What did I do first, walk or run?", "Did I spend more time cooking or reading?"

use super::{
    Gathered, LogLine, MAX_LINES,
    computed::sentence,
    parts,
    topic::{Index, Topic},
};
use crate::{
    prompt::english::words,
    query::{Asks, Order, Query},
};

/// What the lines of each side are compared by.
#[derive(Clone, Copy)]
enum Measure {
    Time,
    Count,
}

/// The quantity that a question compares: "more time", "longer", "more often".
fn measure(question: &str) -> Option<Measure> {
    let words = words(question);
    let has = |first: &[&str], second: &[&str]| {
        words.windows(2).any(|pair| first.contains(&pair[0].as_str()) && second.contains(&pair[1].as_str()))
    };
    if has(&["more", "most"], &["time"]) || words.iter().any(|word| word == "longer" || word == "longest") {
        Some(Measure::Time)
    } else if has(&["more"], &["often", "frequently", "times"]) || has(&["most"], &["often"]) {
        Some(Measure::Count)
    } else {
        None
    }
}

/// "Did I get to the kitchen before or after the bathroom?": the side, by the first line of each.
fn side(question: &str, scope: &[usize], index: &Index) -> Option<Gathered> {
    let lower = question.to_lowercase();
    let (first, second) =
        lower.split_once(" before or after ").or_else(|| lower.split_once(" earlier or later than "))?;
    let line = |words: &str| {
        let topic = index.topic(words);
        (!topic.is_open()).then(|| index.matching(&topic, scope).first().copied()).flatten()
    };
    let (one, other) = (line(first)?, line(second)?);
    let answer = if one < other { "Before." } else { "After." };
    (one != other).then(|| Gathered::answered(vec![one.min(other), one.max(other)], answer.to_owned()))
}

/// The answer to a question that offers two activities, things or places.
pub(super) fn alternatives(
    question: &str,
    query: &Query,
    scope: &[usize],
    index: &Index,
    log: &[LogLine],
) -> Option<Gathered> {
    if let Some(found) = side(question, scope, index) {
        return Some(found);
    }
    let of_two =
        ["which of the two", "which of them", "which one"].iter().any(|of| question.to_lowercase().contains(of));
    let split = query.topic.split_once(" or ").or_else(|| query.topic.split_once(" and ").filter(|_| of_two));
    let (first, second) = split?;
    if !matches!(query.asks, Asks::What | Asks::Which | Asks::YesNo | Asks::Where | Asks::Other) {
        return None;
    }
    // "Medal or ball: which was I carrying first?"
    let own = (index.topic(first), index.topic(second));
    let mut shared = own.clone();
    index.share_act(&mut shared.0, &mut shared.1);
    if shared.0.is_open() || shared.1.is_open() {
        return None;
    }
    let lines = |topics: &(Topic, Topic)| (index.matching(&topics.0, scope), index.matching(&topics.1, scope));
    let (mut topics, (mut one, mut other)) = (own, lines(&shared));
    if one.is_empty() || other.is_empty() {
        // "carrying the hat or the juice": nobody carried the juice
        (one, other) = lines(&topics);
    } else {
        topics = shared;
    }
    let amount = |found: &[usize], measure| match measure {
        Measure::Time => found.iter().map(|place| log[*place].end - log[*place].start).sum(),
        Measure::Count => found.len() as f64,
    };
    let (wins, mut lines) = match (query.order, measure(question)) {
        (Order::First, _) => ((*one.first()?).min(*other.first()?), vec![*one.first()?, *other.first()?]),
        (Order::Last, _) => ((*one.last()?).max(*other.last()?), vec![*one.last()?, *other.last()?]),
        (_, Some(measure)) => {
            let wins = if amount(&one, measure) > amount(&other, measure) { &one } else { &other };
            (*wins.first()?, one.iter().chain(&other).copied().collect())
        }
        _ => return None,
    };
    lines.sort_unstable();
    lines.dedup();
    lines.truncate(MAX_LINES);
    let parts = parts(&log[wins].text);
    let (topic, words) = if one.contains(&wins) { (&topics.0, first) } else { (&topics.1, second) };
    let own = words.split_whitespace().next().unwrap_or_default();
    let answer = if query.asks == Asks::Where {
        parts.place
    } else if topic.is_meeting || !topic.is_in_text(parts.activity) && topic.is_in_text(parts.heard) {
        // a name, of which only the speech tells
        own
    } else {
        parts.activity
    };
    Some(Gathered::answered(lines, sentence(answer)))
}
