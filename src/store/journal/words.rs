//! Queries to the full-text index: words in any inflection, also misspelt ones.

use crate::{
    prompt::english::{FUNCTION, INTERROGATIVE, is_clock, listed, stem, words},
    store::index::OTHER_THINGS,
};
use rusqlite::{Connection, params};

/// Maximum number of words that are searched for.
const MAX_WORDS: usize = 32;
/// Words with at least this many letters may have one wrong letter, and longer ones of [`LONG`] letters two.
const SHORT: usize = 4;
const LONG: usize = 9;

/// The words of a text that are searched for: all but function words, unless the text has no others.
pub(super) fn searched(text: &str) -> Vec<String> {
    let all = words(text);
    let counts = |word: &&String| !listed(FUNCTION, word) && !listed(INTERROGATIVE, word);
    let mut about: Vec<String> = all.iter().filter(counts).cloned().collect();
    if about.is_empty() {
        about = all;
    }
    about.dedup();
    about.truncate(MAX_WORDS);
    about
}

/// The share of the words of [`OTHER_THINGS`] that an index has: how probable a word that is about something else occurs in it. One that
/// has none of them is not certain to have none.
pub(super) fn strangers(base: &Connection) -> rusqlite::Result<f64> {
    let mut all: Vec<String> = OTHER_THINGS.iter().flat_map(|query| searched(query)).collect();
    all.sort_unstable();
    all.dedup();
    let mut find = base.prepare("SELECT EXISTS (SELECT 1 FROM words WHERE words MATCH ?1)")?;
    let mut known = 0;
    for word in &all {
        known += usize::from(find.query_row(params![phrase(word)], |row| row.get::<_, bool>(0))?);
    }
    Ok((known + 1) as f64 / (all.len() + 2) as f64)
}

/// The chance that at least `some` of `all` words occur, if each occurs with probability `rate` (the tail of the binomial distribution).
pub(super) fn chance(some: usize, all: usize, rate: f64) -> f64 {
    let (mut ways, mut sum) = (1.0, 0.0);
    for count in 0..=all {
        if count > 0 {
            ways *= (all - count + 1) as f64 / count as f64;
        }
        if count >= some {
            sum += ways * rate.powi(count as i32) * (1.0 - rate).powi((all - count) as i32);
        }
    }
    f64::clamp(sum, 0.0, 1.0)
}

/// The words as a query that finds lines with any of them. Words that occur nowhere are replaced by similar ones that do.
pub(super) fn any_of(base: &Connection, words: &[String]) -> rusqlite::Result<String> {
    let mut count = base.prepare("SELECT EXISTS (SELECT 1 FROM words WHERE words MATCH ?1)")?;
    let mut parts = Vec::new();
    for word in words {
        let quoted = phrase(word);
        let known: bool = count.query_row(params![quoted], |row| row.get(0))?;
        match known || is_clock(word) {
            true => parts.push(quoted),
            false => parts.extend(similar(base, word)?.iter().map(|term| phrase(term))),
        }
    }
    Ok(parts.join(" OR "))
}

/// A text as a phrase of the query language.
pub(super) fn phrase(text: &str) -> String {
    format!("\"{}\"", text.replace('"', " "))
}

/// The terms of the index that a typing error may have turned into `word`. They begin with the same letter.
fn similar(base: &Connection, word: &str) -> rusqlite::Result<Vec<String>> {
    let word = stem(word);
    let length = word.chars().count();
    let Some(first) = word.chars().next().filter(|_| length >= SHORT) else { return Ok(Vec::new()) };
    let allowed = if length >= LONG { 2 } else { 1 };
    let mut find = base.prepare("SELECT term FROM word_list WHERE term >= ?1 AND term < ?2")?;
    let next = char::from_u32(first as u32 + 1).unwrap_or(char::MAX);
    let terms = find.query_map(params![first.to_string(), next.to_string()], |row| row.get::<_, String>(0))?;
    let mut near = Vec::new();
    for term in terms {
        let term = term?;
        if term.chars().count().abs_diff(length) <= allowed && strsim::osa_distance(&term, &word) <= allowed {
            near.push(term);
        }
    }
    near.truncate(MAX_WORDS);
    Ok(near)
}

/// The searched words that a line has, in any inflection.
pub(super) fn present(searched: &[String], text: &str) -> Vec<String> {
    let stems: Vec<String> = words(text).iter().map(|word| stem(word)).collect();
    let close = |word: &str| {
        let word = stem(word);
        stems.iter().any(|stem| *stem == word || (word.len() >= SHORT && strsim::osa_distance(stem, &word) <= 1))
    };
    searched.iter().filter(|word| close(word)).cloned().collect()
}
