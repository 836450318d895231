//! A question in plainer words: without typing errors, with whole words for short ones, and with plain words for turns of phrase (phrases.txt).

use super::topic::Index;
use crate::query;
use regex_lite::{Regex, RegexBuilder};
use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// Short forms of messages.
const SHORT: &str = "u=you ur=your r=are pls=please plz=please ppl=people lng=long wat=what wht=what wot=what wen=when whn=when teh=the hte=the \
    abt=about thru=through tmrw=tomorrow cuz=because bc=because didnt=didn't wasnt=wasn't im=i'm ive=i've \
    whos=who's whats=what's wheres=where's whens=when's hows=how's thats=that's";

/// Turns of phrase, and what takes their place.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| rules(include_str!("phrases.txt")));
/// A thing in a rule: a word, or up to two behind an article.
const THING: &str = "(?:(?:the|a|an|my|that|this|those|these|some|any|his|her) [a-z]+(?: [a-z]+)??|[a-z]{3,})";
const TIME: &str = "[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?";
/// Longer questions, in bytes, are read as they are.
const MOST_BYTES: usize = 1000;

fn rules(text: &'static str) -> Vec<(Regex, &'static str)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rule = |line: &'static str| {
        let (turn, plain) = line.split_once(" =>")?;
        let turn = turn.replace("{np}", THING).replace("{t}", TIME);
        let regex = RegexBuilder::new(&turn).case_insensitive(true).build().ok()?;
        Some((regex, plain.trim()))
    };
    lines.filter_map(rule).collect()
}

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
    if text.len() <= MOST_BYTES { said_plainly(text) } else { text }
}

/// The text after all rules, each of which is used once.
fn said_plainly(mut text: String) -> String {
    for (turn, plain) in RULES.iter() {
        let Some(found) = turn.captures(&text) else { continue };
        let Some(whole) = found.get(0) else { continue };
        let mut replacement = String::new();
        found.expand(plain, &mut replacement);
        let (before, behind) = (&text[..whole.start()], &text[whole.end()..]);
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let ends = |c: Option<char>| is_word(c) || matches!(c, Some(',' | ':'));
        let starts_anew = is_word(before.chars().next_back()) && is_word(replacement.chars().next());
        let goes_on = is_word(behind.chars().next()) && ends(replacement.chars().next_back());
        let [left, right] = [starts_anew, goes_on].map(|apart| if apart { " " } else { "" });
        text = format!("{before}{left}{replacement}{right}{behind}");
    }
    let spaced = text.split_whitespace().collect::<Vec<_>>().join(" ");
    spaced.replace(" ?", "?").replace("in order? in order", "in order")
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

#[cfg(test)]
mod tests {
    use super::{RULES, said_plainly};

    #[test]
    fn every_rule_is_read() {
        let lines = include_str!("phrases.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(RULES.len(), lines.count());
    }

    #[test]
    fn turns_of_phrase_become_plain() {
        for (asked, plain) in [
            ("How long was the bell in my hands?", "How long did I carry the bell?"),
            ("Who did I bump into?", "Who did I met?"),
            ("Could I saw wood?", "Could I see wood?"),
            ("Did I saw wood?", "Did I saw wood?"),
            ("The keys, where did I see them last?", "where did I last see the keys?"),
            ("55:11 to 55:29, where was I?", "from 55:11 to 55:29, where was I?"),
            ("I had a bell with me. Where was I when I last saw it?", "Where was I when I last see a bell?"),
            ("Is there a doctor?", "Is there a doctor?"),
        ] {
            assert_eq!(said_plainly(asked.to_owned()), plain);
        }
    }
}
