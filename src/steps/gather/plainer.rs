//! A question in plainer words: without typing errors, with whole words for short ones, and with one word for phrases of the same meaning.

use super::topic::Index;
use crate::query;
use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// Short forms of messages.
const SHORT: &str = "u=you ur=your r=are pls=please plz=please ppl=people lng=long wat=what wht=what wot=what wen=when whn=when teh=the hte=the \
    abt=about thru=through tmrw=tomorrow cuz=because bc=because didnt=didn't wasnt=wasn't im=i'm ive=i've";

/// Phrases, and shorter ones of the same meaning.
const PHRASES: [(&str, &str); 27] = [
    ("get to know each other", "meet"),
    ("got to know each other", "met"),
    ("get to know", "meet"),
    ("got to know", "met"),
    ("make the acquaintance of", "meet"),
    ("made the acquaintance of", "met"),
    ("get introduced to", "meet"),
    ("got introduced to", "met"),
    ("was introduced to", "met"),
    ("lay eyes on", "see"),
    ("laid eyes on", "saw"),
    ("come across", "see"),
    ("came across", "saw"),
    ("in front of my eyes", "in view"),
    ("did i have company", "was anybody with me"),
    ("how did i keep myself busy", "what did i do"),
    ("how did i keep busy", "what did i do"),
    ("how did i spend my time", "what did i do"),
    ("what did the clock say", "when was that"),
    ("could you find out for me", "tell me"),
    ("did i pay to", "did i make to"),
    ("sat down to", ""),
    ("am i meant to", "should i"),
    ("was i meant to", "should i"),
    ("am i supposed to", "should i"),
    ("i been to", "i was"),
    ("i have been to", "i was"),
];

static WHOLE: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| SHORT.split_whitespace().filter_map(|pair| pair.split_once('=')).collect());
static GRAMMAR: LazyLock<HashSet<&str>> = LazyLock::new(|| query::words().map(|(word, _)| word).collect());

/// The question as the grammar reads it best.
pub(super) fn plainer(question: &str, index: &Index) -> String {
    let mut text = String::with_capacity(question.len());
    let is_part = |c: char| c.is_alphanumeric() || c == '\'';
    let mut rest = question;
    while let Some(first) = rest.chars().next() {
        let length = match is_part(first) {
            true => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            false => rest.find(is_part).unwrap_or(rest.len()),
        };
        let (piece, behind) = rest.split_at(length);
        text.push_str(&if is_part(first) { spelled(piece, index) } else { piece.to_owned() });
        rest = behind;
    }
    for (longer, short) in PHRASES {
        let lower = text.to_ascii_lowercase();
        if let Some(at) = lower.find(longer) {
            text.replace_range(at..at + longer.len(), short);
        }
    }
    text
}

/// A word as it should be written. Words of the log, of the grammar and of the thesaurus are right as they are.
fn spelled(word: &str, index: &Index) -> String {
    let lower = word.to_lowercase();
    if let Some(whole) = WHOLE.get(lower.as_str()) {
        return (*whole).to_owned();
    }
    let plain = lower.strip_suffix("'s").unwrap_or(&lower);
    if plain.len() < 4 || !plain.bytes().all(|byte| byte.is_ascii_lowercase()) || GRAMMAR.contains(plain) {
        return word.to_owned();
    }
    index.spelled(plain, &GRAMMAR).unwrap_or_else(|| word.to_owned())
}
