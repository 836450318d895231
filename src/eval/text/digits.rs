//! A text with its numbers in digits, as in Whisper's English normaliser: what happens to the text around the numbers that
//! [`numbers`](super::numbers) reads.

use super::{
    is_space, is_word,
    numbers::{NumberReader, NumberWord, plain, word},
    split,
    whisper::replaced,
};

/// The text with its numbers in digits. White space becomes single spaces.
pub(super) fn in_digits(text: &str) -> String {
    let text = prepared(text);
    let words: Vec<&str> = split(&text).collect();
    let mut reading = NumberReader::default();
    let mut skips = false;
    for (at, current) in words.iter().enumerate() {
        if std::mem::take(&mut skips) {
            continue;
        }
        let previous = at.checked_sub(1).map(|before| words[before]);
        skips = reading.read(previous, current, words.get(at + 1).copied());
    }
    reading.finish();
    finished(&reading.written.join(" "))
}

/// Writes "and a half" as "point five" after a number, and separates letters from digits.
fn prepared(text: &str) -> String {
    let segments = halves(text);
    let mut parts = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let Some(last) = split(segment).last() else { continue };
        parts.push(*segment);
        if at + 1 < segments.len() {
            let is_decimal = matches!(
                word(last),
                Some(
                    NumberWord::Zero
                        | NumberWord::Ones(_, None)
                        | NumberWord::Tens(_, None)
                        | NumberWord::Multiplier(_, None)
                )
            );
            parts.push(if is_decimal { "point five" } else { "and a half" });
        }
    }
    let text = parts.join(" ");
    let (letter, number) = (|c: char| c.is_ascii_lowercase(), |c: char| c.is_ascii_digit());
    let text = spaced(&spaced(&text, letter, number), number, letter);
    with_suffixes(&text)
}

/// The parts of a text between "and a half".
fn halves(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = text[at..].find("and") {
        let start = at + found;
        at = start + 3;
        if text[..start].chars().next_back().is_some_and(is_word) {
            continue;
        }
        // white space, `a`, white space, `half`
        let spaced = |rest: &str, word: &str| {
            let inner = rest.trim_start_matches(is_space);
            (inner.len() < rest.len() && inner.starts_with(word)).then(|| rest.len() - inner.len() + word.len())
        };
        let Some(one) = spaced(&text[at..], "a") else { continue };
        let Some(two) = spaced(&text[at + one..], "half") else { continue };
        let end = at + one + two;
        if !text[end..].chars().next().is_some_and(is_word) {
            parts.push(&text[from..start]);
            (from, at) = (end, end);
        }
    }
    parts.push(&text[from..]);
    parts
}

/// Puts a space between neighbours of these two sorts.
fn spaced(text: &str, first: impl Fn(char) -> bool, second: impl Fn(char) -> bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut before = None;
    for c in text.chars() {
        if before.is_some_and(&first) && second(c) {
            kept.push(' ');
        }
        kept.push(c);
        before = Some(c);
    }
    kept
}

/// Joins digits with a suffix (`st`, `nd`, `rd`, `th`, `s`) that white space separates from them.
fn with_suffixes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        kept += &rest[..=at];
        rest = &rest[at + 1..];
        let inner = rest.trim_start_matches(is_space);
        let suffix = ["st", "nd", "rd", "th", "s"]
            .into_iter()
            .find(|suffix| inner.strip_prefix(suffix).is_some_and(|after| !after.chars().next().is_some_and(is_word)));
        if let Some(suffix) = suffix.filter(|_| inner.len() < rest.len()) {
            kept += suffix;
            rest = &inner[suffix.len()..];
        }
    }
    kept + rest
}

/// Joins cents with their currency (`$2 and ¢7` becomes `$2.07`, `$0.07` becomes `¢7`), and writes `1` as "one".
fn finished(text: &str) -> String {
    let text = currencies(text, |after| {
        let whole = digits(after, usize::MAX)?;
        let rest = after[whole..].strip_prefix(' ')?;
        let rest = rest.strip_prefix("and ").unwrap_or(rest).strip_prefix('¢')?;
        let cents = digits_before_border(rest)?;
        let used = after.len() - rest.len() + cents;
        Some((format!("{}.{:0>2}", &after[..whole], &rest[..cents]), used, true))
    });
    let text = currencies(&text, |after| {
        let rest = after.strip_prefix('0')?;
        let any = rest.chars().next().filter(|c| *c != '\n')?;
        let rest = &rest[any.len_utf8()..];
        let cents = digits_before_border(rest)?;
        let used = after.len() - rest.len() + cents;
        Some((format!("¢{}", plain(&rest[..cents])), used, false))
    });
    replaced(&replaced(&text, true, "1s", "ones"), true, "1", "one")
}

/// The number of ASCII digits at the start, at most `limit`; none if there is none.
fn digits(text: &str, limit: usize) -> Option<usize> {
    let count = text.bytes().take(limit).take_while(u8::is_ascii_digit).count();
    (count > 0).then_some(count)
}

/// One or two ASCII digits at the start that end a word.
fn digits_before_border(text: &str) -> Option<usize> {
    let count = digits(text, 2)?;
    (!text[count..].chars().next().is_some_and(is_word)).then_some(count)
}

/// Rewrites what follows a currency sign: the new text, the bytes that it replaces, and whether the sign stays.
fn currencies(text: &str, rewrite: impl Fn(&str) -> Option<(String, usize, bool)>) -> String {
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(['€', '£', '$']) {
        kept += &rest[..at];
        let sign = rest[at..].chars().next().map_or(1, char::len_utf8);
        let after = &rest[at + sign..];
        match rewrite(after) {
            Some((text, used, stays)) => {
                if stays {
                    kept += &rest[at..at + sign];
                }
                kept += &text;
                rest = &after[used..];
            }
            None => {
                kept += &rest[at..at + sign];
                rest = after;
            }
        }
    }
    kept + rest
}
