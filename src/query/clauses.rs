//! Which parts of a text belong to its question: the clause that asks, the clauses that say when, and what was said first.

use super::asks::Asking;
use super::clocks::Words;
use super::lexicon;
use super::tokens::Gap;
use std::ops::Range;

/// The parts of a text, as ranges of tokens.
#[derive(Debug, Default)]
pub(super) struct Clauses {
    /// The clauses of the question: the one that asks, and those that say when or where.
    pub(super) question: Vec<Range<usize>>,
    /// Clauses before it that state something, nearest sentence only.
    pub(super) stated: Vec<Range<usize>>,
    /// Clauses behind it in its sentence: "what were they called, the people I met?"
    pub(super) added: Vec<Range<usize>>,
    /// Short fragments before it that name its subject: "Soup: last cooked when?"
    pub(super) named: Vec<Range<usize>>,
}

/// Words with which a clause says when, where, or beside which event.
const KEPT: [&str; 27] = [
    "in",
    "on",
    "at",
    "during",
    "from",
    "with",
    "around",
    "about",
    "near",
    "after",
    "before",
    "while",
    "when",
    "once",
    "since",
    "until",
    "till",
    "between",
    "right",
    "just",
    "straight",
    "immediately",
    "following",
    "prior",
    "as",
    "yesterday",
    "whenever",
];

/// Openings of clauses that begin like a time and are none.
const CHATTER: &[&[&str]] = &[
    &["before", "i", "go"],
    &["before", "i", "forget"],
    &["while", "you", "are", "at"],
    &["while", "you're", "at"],
    &["while", "i", "remember"],
    &["while", "i", "am", "at"],
    &["while", "we", "are", "at"],
    &["since", "you", "ask"],
    &["since", "you", "asked"],
    &["on", "another", "note"],
    &["with", "all", "due"],
    &["just", "for"],
    &["only", "for"],
    &["purely", "for"],
    &["for", "the"],
    &["for", "my"],
    &["just", "checking"],
    &["just", "curious"],
    &["between", "you", "and", "me"],
    &["as", "far", "as"],
    &["in", "a", "few", "words"],
    &["at", "least"],
    &["right", "then"],
    &["when", "you", "can"],
    &["here", "i", "go"],
    &["i", "forgot", "again"],
    &["not", "again"],
    &["when", "you", "have", "time"],
];

/// Splits a range before each token whose gap is at least `gap`.
fn split(words: Words, range: Range<usize>, gap: Gap) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut from = range.start;
    for place in range.start + 1..range.end {
        if words.tokens[place].gap >= gap {
            parts.push(from..place);
            from = place;
        }
    }
    if from < range.end {
        parts.push(from..range.end);
    }
    parts
}

/// How many words of a range may be searched for.
pub(super) fn content(words: Words, range: &Range<usize>) -> usize {
    range.clone().filter(|place| lexicon::is_content(words.at(*place))).count()
}

fn is_chatter(words: Words, clause: &Range<usize>) -> bool {
    CHATTER.iter().any(|opening| words.are(clause.start, opening) && opening.len() <= clause.len())
}

/// True if a clause says when, where or beside which event.
fn is_kept(words: Words, clause: &Range<usize>) -> bool {
    let timed = || super::times::time(words, clause.start).is_some_and(|(_, length)| length <= clause.len());
    // "the last time I was there"
    let of_order = (clause.start..clause.end.min(clause.start + 4)).any(|place| {
        words.at(place) == "time"
            && place > clause.start
            && super::order::order(words, place - 1, super::Asks::Other).is_some()
            || words.at(place) == "time" && matches!(words.at(place.saturating_sub(1)), "every" | "each")
    });
    (KEPT.contains(&words.at(clause.start)) || of_order || timed()) && !is_chatter(words, clause)
}

/// "Soup:", "The garden.": one or two words, and no interjection.
fn is_fragment(words: Words, clause: &Range<usize>) -> bool {
    let first = words.at(clause.start);
    let rest = &words.tokens[clause.start + 1..clause.end];
    match rest {
        [] => lexicon::is_content(first) && !first.ends_with("ly") && first != "well",
        [second] => matches!(first, "the" | "my") && lexicon::is_content(&second.low),
        _ => false,
    }
}

/// The parts of a text; without question words all of it is the question.
pub(super) fn parts(words: Words, ask: Option<&Asking>) -> Clauses {
    let all = 0..words.tokens.len();
    let sentences = split(words, all, Gap::Stop);
    let asked = ask.map_or(sentences.len().saturating_sub(1), |ask| {
        sentences.iter().position(|sentence| sentence.contains(&ask.from)).unwrap_or_default()
    });
    let mut found = Clauses::default();
    let Some(sentence) = sentences.get(asked) else { return found };
    let clauses = split(words, sentence.clone(), Gap::Comma);
    let main = ask.map_or(0, |ask| clauses.iter().position(|clause| clause.contains(&ask.from)).unwrap_or_default());
    for (place, clause) in clauses.iter().enumerate() {
        if place == main || ask.is_none() && !is_chatter(words, clause) || is_kept(words, clause) {
            found.question.push(clause.clone());
        } else if place < main {
            found.stated.push(clause.clone());
        } else if matches!(words.at(clause.start), "and" | "or") && !continues_otherwise(words, clause) {
            // a list: "keys, phone, or wallet"
            found.question.extend(clauses[main + 1..=place].iter().filter(|each| !is_kept(words, each)).cloned());
        }
    }
    found.added = clauses
        .iter()
        .skip(main + 1)
        .filter(|clause| content(words, clause) > 0 && !found.question.contains(clause))
        .cloned()
        .collect();
    // "Where was I, paying the bill?"
    if let Some(next) = clauses
        .get(main + 1)
        .filter(|_| ask.is_some() && content(words, &clauses[main]) == 0 && found.stated.is_empty())
        && content(words, next) > 1
    {
        found.question.push(next.clone());
    }
    // "Which took longer, walking or running?"
    let chooses = |ask: &Asking| matches!(ask.asks, super::Asks::Which | super::Asks::What);
    if let Some(next) = clauses.get(main + 1).filter(|_| ask.is_some_and(chooses))
        && next.clone().any(|place| words.at(place) == "or")
    {
        found.question.push(next.clone());
    }
    // "Which did I do first: walk or run?"
    if let Some(next) = sentences
        .get(asked + 1)
        .filter(|_| ask.is_some() && clauses.len() == main + 1 && content(words, &clauses[main]) == 0)
        && next.clone().any(|place| words.at(place) == "or")
    {
        found.question.extend(split(words, next.clone(), Gap::Comma));
    }
    found.question.sort_by_key(|clause| clause.start);
    found.question.dedup();
    // what was said before: the nearest sentences with something to search for
    for sentence in sentences[..asked].iter().rev().take(2) {
        let clauses = split(words, sentence.clone(), Gap::Comma);
        if let [only] = &clauses[..] {
            if super::times::time(words, only.start).is_some_and(|(_, length)| length == only.len()) {
                // "The last two minutes: what happened?"
                found.question.insert(0, only.clone());
                continue;
            }
            let chooses = only.len() <= 12 && only.clone().any(|place| words.at(place) == "or");
            if is_fragment(words, only) || chooses {
                found.named.push(only.clone());
            }
        }
        found.stated.extend(clauses);
    }
    found.stated.retain(|clause| content(words, clause) > 0 && !is_chatter(words, clause));
    found.stated.sort_by_key(|clause| clause.start);
    found
}

/// "or am I wrong", "and I forgot": another sentence follows the conjunction.
fn continues_otherwise(words: Words, clause: &Range<usize>) -> bool {
    let next = words.at(clause.start + 1);
    super::asks::is_auxiliary(next)
        || super::asks::is_subject(next) && !matches!(next, "my" | "the")
        || matches!(next, "not" | "then" | "thank")
}

/// The clauses among the stated ones that say something: without a single word such as "fine" or "buddy" if others have more.
pub(super) fn telling(words: Words, stated: &[Range<usize>]) -> Vec<Range<usize>> {
    let most = stated.iter().map(|clause| content(words, clause)).max().unwrap_or_default();
    let names = |clause: &Range<usize>| {
        clause.clone().any(|place| matches!(words.at(place), "the" | "my" | "a" | "in" | "on" | "at"))
    };
    stated.iter().filter(|clause| content(words, clause) > usize::from(most > 1) || names(clause)).cloned().collect()
}
