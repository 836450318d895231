//! Whisper's English normaliser (`EnglishTextNormalizer` of openai-whisper 20250625; Radford et al. 2022, appendix C).
//!
//! It drops bracketed words and fillers, writes contractions and titles in full, numbers in digits, and spellings in
//! American English. `tests/eval.rs` compares it with stored outputs of the package.

use super::{category, digits, is_space, is_word, split};
use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::props::GeneralCategory;
use std::{collections::HashMap, sync::OnceLock};

/// Words that are dropped.
const FILLERS: [&str; 6] = ["hmm", "mm", "mhm", "mmm", "uh", "um"];

/// What is replaced, in this order. With `true`, only at the start of a word; always only at the end of one.
const REPLACED: [(bool, &str, &str); 49] = [
    (true, "won't", "will not"),
    (true, "can't", "can not"),
    (true, "let's", "let us"),
    (true, "ain't", "aint"),
    (true, "y'all", "you all"),
    (true, "wanna", "want to"),
    (true, "gotta", "got to"),
    (true, "gonna", "going to"),
    (true, "i'ma", "i am going to"),
    (true, "imma", "i am going to"),
    (true, "woulda", "would have"),
    (true, "coulda", "could have"),
    (true, "shoulda", "should have"),
    (true, "ma'am", "madam"),
    (true, "mr", "mister "),
    (true, "mrs", "missus "),
    (true, "st", "saint "),
    (true, "dr", "doctor "),
    (true, "prof", "professor "),
    (true, "capt", "captain "),
    (true, "gov", "governor "),
    (true, "ald", "alderman "),
    (true, "gen", "general "),
    (true, "sen", "senator "),
    (true, "rep", "representative "),
    (true, "pres", "president "),
    (true, "rev", "reverend "),
    (true, "hon", "honorable "),
    (true, "asst", "assistant "),
    (true, "assoc", "associate "),
    (true, "lt", "lieutenant "),
    (true, "col", "colonel "),
    (true, "jr", "junior "),
    (true, "sr", "senior "),
    (true, "esq", "esquire "),
    (false, "'d been", " had been"),
    (false, "'s been", " has been"),
    (false, "'d gone", " had gone"),
    (false, "'s gone", " has gone"),
    (false, "'d done", " had done"),
    (false, "'s got", " has got"),
    (false, "n't", " not"),
    (false, "'re", " are"),
    (false, "'s", " is"),
    (false, "'d", " would"),
    (false, "'ll", " will"),
    (false, "'t", " not"),
    (false, "'ve", " have"),
    (false, "'m", " am"),
];

/// Letters that decomposition does not separate from their marks.
const LETTERS: [(char, &str); 16] = [
    ('œ', "oe"),
    ('Œ', "OE"),
    ('ø', "o"),
    ('Ø', "O"),
    ('æ', "ae"),
    ('Æ', "AE"),
    ('ß', "ss"),
    ('ẞ', "SS"),
    ('đ', "d"),
    ('Đ', "D"),
    ('ð', "d"),
    ('Ð', "D"),
    ('þ', "th"),
    ('Þ', "th"),
    ('ł', "l"),
    ('Ł', "L"),
];

/// The words of a transcript after normalisation, as word error rate counts them.
pub fn words(text: &str) -> Vec<String> {
    split(&normalise(text)).map(str::to_owned).collect()
}

/// The normalised text. It may start or end with a space.
pub fn normalise(text: &str) -> String {
    let mut text = without_brackets(&text.to_lowercase());
    for filler in FILLERS {
        text = replaced(&text, true, filler, "");
    }
    text = without_space_before_apostrophes(&text);
    for (at_start, from, to) in REPLACED {
        text = replaced(&text, at_start, from, to);
    }
    text = without_commas_in_numbers(&text);
    text = without_full_stops(&text);
    text = without_symbols(&text);
    text = digits::in_digits(&text);
    let spellings = spellings();
    let american = split(&text).map(|word| spellings.get(word).copied().unwrap_or(word));
    text = american.collect::<Vec<_>>().join(" ");
    text = without_lonely_signs(&text);
    single_spaces(&text)
}

/// Drops `<…>`, `[…]` and then `(…)`, each up to the first closing bracket.
fn without_brackets(text: &str) -> String {
    let angular = without(text, &['<', '['], &['>', ']'], 0);
    without(&angular, &['('], &[')'], 1)
}

/// Drops what begins with one of `open` and ends with the next of `close`, if there are `least` characters between.
fn without(text: &str, open: &[char], close: &[char], least: usize) -> String {
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(open) {
        let inside = &rest[at + 1..];
        match inside.find(close) {
            Some(end) if inside[..end].chars().count() >= least => {
                kept += &rest[..at];
                rest = &inside[end + 1..];
            }
            Some(_) => {
                kept += &rest[..=at];
                rest = inside;
            }
            // nothing closes from here on
            None => break,
        }
    }
    kept + rest
}

/// Replaces `from` where it ends with a word and, if `at_start`, also begins with one.
pub(super) fn replaced(text: &str, at_start: bool, from: &str, to: &str) -> String {
    let (mut kept, mut copied, mut seen) = (String::with_capacity(text.len()), 0, 0);
    while let Some(found) = text[seen..].find(from) {
        let (start, end) = (seen + found, seen + found + from.len());
        let begins = !at_start || !text[..start].chars().next_back().is_some_and(is_word);
        let ends = !text[end..].chars().next().is_some_and(is_word);
        if begins && ends {
            kept += &text[copied..start];
            kept += to;
            (copied, seen) = (end, end);
        } else {
            seen = start + text[start..].chars().next().map_or(1, char::len_utf8);
        }
    }
    kept + &text[copied..]
}

fn without_space_before_apostrophes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\'' {
            kept.truncate(kept.trim_end_matches(is_space).len());
        }
        kept.push(c);
    }
    kept
}

/// Drops a comma between digits. A digit that follows a dropped comma is not looked at again, as in the package.
fn without_commas_in_numbers(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (mut kept, mut at) = (String::with_capacity(text.len()), 0);
    let is_digit = |c: Option<&char>| c.is_some_and(|c| super::digit(*c).is_some());
    while at < chars.len() {
        kept.push(chars[at]);
        if is_digit(chars.get(at)) && chars.get(at + 1) == Some(&',') && is_digit(chars.get(at + 2)) {
            kept.push(chars[at + 2]);
            at += 3;
        } else {
            at += 1;
        }
    }
    kept
}

/// Replaces a full stop by a space, unless an ASCII digit follows. The following character is not looked at again.
fn without_full_stops(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '.' {
            kept.push(c);
            continue;
        }
        match chars.peek() {
            Some(next) if next.is_ascii_digit() => kept.push('.'),
            Some(next) => {
                kept.push(' ');
                kept.push(*next);
                chars.next();
            }
            None => kept.push(' '),
        }
    }
    kept
}

/// Decomposes (NFKD), drops marks, and replaces symbols and punctuation by spaces, without `.%$¢€£`.
fn without_symbols(text: &str) -> String {
    use GeneralCategory as G;
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    let mut kept = String::with_capacity(decomposed.len());
    for c in decomposed.chars() {
        if c.is_ascii_alphanumeric() || ".%$¢€£".contains(c) {
            kept.push(c);
        } else if let Some((_, plain)) = LETTERS.iter().find(|(letter, _)| *letter == c) {
            kept += plain;
        } else {
            match category(c) {
                G::NonspacingMark => {}
                G::SpacingMark
                | G::EnclosingMark
                | G::MathSymbol
                | G::CurrencySymbol
                | G::ModifierSymbol
                | G::OtherSymbol
                | G::ConnectorPunctuation
                | G::DashPunctuation
                | G::OpenPunctuation
                | G::ClosePunctuation
                | G::InitialPunctuation
                | G::FinalPunctuation
                | G::OtherPunctuation => kept.push(' '),
                _ => kept.push(c),
            }
        }
    }
    kept
}

/// Drops `.$¢€£` without a digit after it, and `%` without one before it.
fn without_lonely_signs(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek().copied() {
            Some(next) if ".$¢€£".contains(c) && !next.is_ascii_digit() => {
                kept.push(' ');
                kept.push(next);
                chars.next();
            }
            _ => kept.push(c),
        }
    }
    let mut signs = String::with_capacity(kept.len());
    let mut chars = kept.chars().peekable();
    while let Some(c) = chars.next() {
        signs.push(c);
        if !c.is_ascii_digit() && chars.peek() == Some(&'%') {
            signs.push(' ');
            chars.next();
        }
    }
    signs
}

fn single_spaces(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match is_space(c) {
            false => kept.push(c),
            true if kept.ends_with(' ') => {}
            true => kept.push(' '),
        }
    }
    kept
}

/// British spellings with the American ones.
fn spellings() -> &'static HashMap<&'static str, &'static str> {
    static SPELLINGS: OnceLock<HashMap<&str, &str>> = OnceLock::new();
    SPELLINGS.get_or_init(|| {
        let lines = include_str!("spellings.txt").lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split_once(' ')).collect()
    })
}
