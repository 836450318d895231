//! Words, numbers and breaks of a question. Linear in its length.

use super::lexicon;

/// What stands between a token and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// Spaces, or nothing.
    Space,
    /// A comma or a bracket.
    Comma,
    /// The end of a sentence, a colon, or a dash between spaces.
    Stop,
}

/// A word or a number.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// Where it begins and ends in the question, in bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    /// In lower case, without an apostrophe's ending; the lexicon's word if it was misspelt.
    pub(super) low: String,
    pub(super) gap: Gap,
}

/// Words that people write without an apostrophe.
const JOINED: [(&str, &str, &str); 12] = [
    ("whats", "what", "is"),
    ("wheres", "where", "is"),
    ("whos", "who", "is"),
    ("whens", "when", "is"),
    ("hows", "how", "is"),
    ("im", "i", "am"),
    ("ive", "i", "have"),
    ("thats", "that", "is"),
    ("didnt", "did", "not"),
    ("wasnt", "was", "not"),
    ("dont", "do", "not"),
    ("cant", "can", "not"),
];

/// Endings behind an apostrophe and the words that they are short for.
const ENDINGS: [(&str, &str); 7] =
    [("s", "is"), ("d", "did"), ("re", "are"), ("ve", "have"), ("ll", "will"), ("m", "am"), ("t", "not")];

fn is_apostrophe(c: char) -> bool {
    c == '\'' || c == '\u{2019}'
}

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut gap = Gap::Stop;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let at = text.len() - rest.len();
        if c.is_alphanumeric() {
            let end = at + if c.is_ascii_digit() { number_length(rest) } else { word_length(rest) };
            push(&mut found, text, at, end, gap);
            gap = Gap::Space;
            // "10-11" and "10–11" are from ten to eleven
            let after = &text[end..];
            let dash = ["-", "\u{2013}"].iter().find_map(|dash| after.strip_prefix(dash));
            if c.is_ascii_digit()
                && let Some(next) = dash.filter(|next| next.starts_with(|c: char| c.is_ascii_digit()))
            {
                let next = text.len() - next.len();
                found.push(Token { start: end, end: next, low: "to".to_owned(), gap: Gap::Space });
                rest = &text[next..];
            } else {
                rest = after;
            }
            continue;
        }
        gap = gap.max(match c {
            ',' | '(' | ')' | '"' | '\u{201c}' | '\u{201d}' => Gap::Comma,
            '.' | '!' | '?' | ';' | ':' | '\n' | '\u{2014}' | '\u{2026}' | '\u{a1}' | '\u{bf}' | '\u{ff1f}' => {
                Gap::Stop
            }
            '-' | '\u{2013}' if text[..at].ends_with(' ') => Gap::Stop,
            _ => Gap::Space,
        });
        rest = &rest[c.len_utf8()..];
    }
    found
}

/// The length of a number with its separators: `08:30`, `8.30`, `1:02:03`, `2026-03-03`, `3rd`.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let run = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    // an ISO date
    if run(0) == 4 && bytes.get(4) == Some(&b'-') && run(5) == 2 && bytes.get(7) == Some(&b'-') && run(8) == 2 {
        return 10;
    }
    let mut end = run(0);
    while matches!(bytes.get(end), Some(b':' | b'.' | b'/')) && digit(end + 1) {
        end += 1 + run(end + 1);
    }
    let ordinal = ["st", "nd", "rd", "th"].iter().any(|suffix| {
        text.get(end..end + 2).is_some_and(|found| found.eq_ignore_ascii_case(suffix))
            && !text[end + 2..].starts_with(char::is_alphanumeric)
    });
    if ordinal { end + 2 } else { end }
}

/// The length of a word with its apostrophes, or of `a.m.` and `p.m.`.
fn word_length(text: &str) -> usize {
    if let Some(found) = text.get(..4).filter(|found| ["a.m.", "p.m."].iter().any(|m| found.eq_ignore_ascii_case(m))) {
        return found.len();
    }
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let joins = is_apostrophe(c) && chars.peek().is_some_and(|(_, next)| next.is_alphabetic());
        if !(c.is_alphanumeric() || joins) {
            break;
        }
        end = at + c.len_utf8();
    }
    end
}

/// Adds a word; a contraction and a number with a unit become two tokens.
fn push(found: &mut Vec<Token>, text: &str, start: usize, end: usize, gap: Gap) {
    let low = text[start..end].to_lowercase().replace('\u{2019}', "'");
    // the apostrophe in the text, or where the second word of a joined one begins
    let apostrophe = text[start..end].rfind(is_apostrophe);
    let mut two = |first: &str, second: &str, cut: usize| {
        let middle = start + apostrophe.unwrap_or(cut);
        found.push(Token { start, end: middle, low: first.to_owned(), gap });
        found.push(Token { start: middle, end, low: second.to_owned(), gap: Gap::Space });
    };
    if let Some((_, first, second)) = JOINED.iter().find(|(joined, _, _)| *joined == low) {
        return two(first, second, first.len());
    }
    if let Some((base, ending)) = low.rsplit_once('\'') {
        let base = base.strip_suffix('n').filter(|_| ending == "t").unwrap_or(base);
        let base = match base {
            "ca" => "can",
            "wo" => "will",
            base => base,
        };
        let word = ENDINGS.iter().find(|(short, _)| *short == ending).map(|(_, word)| *word);
        let splits = ending == "t" || lexicon::is_function(base);
        if let Some(word) = word.filter(|_| splits) {
            // "I'd" is "I had" more often than "I did"; both are function words
            return two(base, word, 0);
        }
    }
    let low = if low == "a.m." { "am".to_owned() } else { low };
    let low = if low == "p.m." { "pm".to_owned() } else { low };
    let low = lexicon::mended(&low).map_or(low, str::to_owned);
    found.push(Token { start, end, low, gap });
}
