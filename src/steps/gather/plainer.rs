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
const PHRASES: &[(&str, &str)] = &[
    // meeting
    ("get to know each other", "meet"),
    ("got to know each other", "met"),
    ("get to know", "meet"),
    ("got to know", "met"),
    ("get acquainted with", "meet"),
    ("got acquainted with", "met"),
    ("make the acquaintance of", "meet"),
    ("made the acquaintance of", "met"),
    ("get introduced to", "meet"),
    ("got introduced to", "met"),
    ("was introduced to", "met"),
    ("introduces himself to me", "meets me"),
    ("introduced himself to me", "met me"),
    ("introduces herself to me", "meets me"),
    ("introduced herself to me", "met me"),
    // seeing
    ("lay eyes on", "see"),
    ("laid eyes on", "saw"),
    ("come across", "see"),
    ("came across", "saw"),
    ("catch sight of", "see"),
    ("caught sight of", "saw"),
    ("turned up in front of me", "was seen"),
    ("in front of my eyes", "in view"),
    ("in front of me", "in view"),
    // company
    ("did i have company", "was anybody with me"),
    ("was i by myself", "was i alone"),
    // doing
    ("how did i keep myself busy", "what did i do"),
    ("how did i keep busy", "what did i do"),
    ("how did i spend my time", "what did i do"),
    ("what kind of thing did i", "what did i"),
    ("what sort of thing did i", "what did i"),
    ("which activity had i just finished", "what did i do right before"),
    ("what activity had i just finished", "what did i do right before"),
    ("what had i just finished", "what did i do right before"),
    ("get up to", "do"),
    ("got up to", "did"),
    ("got carried by me", "was carried by me"),
    ("sat down to", ""),
    // times
    ("what did the clock say", "when was that"),
    ("what time is it when", "when was it that"),
    ("what's the time of", "when was"),
    ("what is the time of", "when was"),
    ("could you give me the exact time", "when was that"),
    ("give me the exact time", "when was that"),
    ("at what exact time", "when"),
    // quantities
    ("count up all the times", "how many times was it that"),
    ("count all the times", "how many times was it that"),
    ("count the times", "how many times was it that"),
    ("count for me the occasions on which", "how many times was it that"),
    ("tell me the number of times", "how many times was it that"),
    ("did i pay to", "did i make to"),
    ("photos did i take", "times did i take a photo"),
    ("photos did i took", "times did i take a photo"),
    ("pictures did i take", "times did i take a photo"),
    // lists
    ("place by place", "which places in order"),
    ("give me a rundown", "list everything"),
    ("everything i got done", "everything i did"),
    ("take place", "happen"),
    ("took place", "happened"),
    ("name them for me", "who did i meet"),
    ("name them", "who did i meet"),
    // speech
    ("repeat it word for word", "what was said"),
    ("word for word", "what was said"),
    ("i gave my word on something. on what", "what did i promise"),
    ("gave my word", "promised"),
    ("give my word", "promise"),
    ("am i meant to", "should i"),
    ("was i meant to", "should i"),
    ("am i supposed to", "should i"),
    // reasons
    ("what on earth made me", "why did i"),
    ("what made me", "why did i"),
    // requests
    ("could you find out for me", "tell me"),
    ("could you look up", "tell me"),
    ("can you look up", "tell me"),
    ("can you check if", "is it true that"),
    ("could you check if", "is it true that"),
    ("could you check whether", "is it true that"),
    ("can you check whether", "is it true that"),
    ("could you be so kind and", "please"),
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
