//! The one module that writes to stdout and stderr.
//!
//! A write never panics. A line that stderr cannot take is dropped, so that a full or closed stderr does not lose the
//! answer. Text from models, servers, videos and file names is foreign. On a terminal its control characters are
//! escaped, so that it cannot move the cursor or change other lines. Pipes and files get the bytes unchanged.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
};

/// Writes a piece of the result to stdout.
pub(crate) fn to_stdout(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let text = if out.is_terminal() { escape(text) } else { Cow::Borrowed(text) };
    out.write_all(text.as_bytes())
}

/// Writes a piece of a streamed result to stdout at once.
pub(crate) fn piece_to_stdout(text: &str) -> io::Result<()> {
    to_stdout(text).and_then(|()| io::stdout().flush())
}

/// Writes whole lines to stderr, and adds a line break at the end.
pub(crate) fn to_stderr(text: &str) {
    write_stderr(&format!("{}\n", foreign(text)));
}

/// Writes text with the program's own colours to stderr, and adds a line break at the end.
pub(crate) fn to_stderr_styled(text: &str) {
    let text = if io::stderr().is_terminal() { escape_but(text, style) } else { Cow::Borrowed(text) };
    write_stderr(&format!("{text}\n"));
}

/// Writes a question to stderr, without a line break.
pub(crate) fn prompt(text: &str) {
    write_stderr(&foreign(text));
}

/// `text` for stderr: escaped if stderr is a terminal.
pub(crate) fn foreign(text: &str) -> Cow<'_, str> {
    if io::stderr().is_terminal() { escape(text) } else { Cow::Borrowed(text) }
}

fn write_stderr(text: &str) {
    // One write for the whole text, so that lines of several threads do not mix. A failure cannot be reported anywhere.
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// The writer of `tracing`: stderr. Failures are ignored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        write_stderr(&if io::stderr().is_terminal() { escape_but(&text, style) } else { text });
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `text` with control characters (except newline and tab) and characters that reorder text in the form `\u001b`.
/// Inside of a JSON string the meaning stays the same. Zero-width joiners stay, because emoji and several scripts need
/// them.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    escape_but(text, |_| 0)
}

/// As [`escape`], but at each unsafe character the first `kept(rest)` bytes stay unchanged.
fn escape_but(text: &str, kept: impl Fn(&str) -> usize) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(is_unsafe) {
        safe.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = if rest.starts_with("\r\n") { 1 } else { kept(rest) };
        let found = rest.chars().next().map_or(0, char::len_utf8);
        match length {
            0 => rest[..found].chars().for_each(|c| safe.push_str(&format!("\\u{:04x}", u32::from(c)))),
            _ => safe.push_str(&rest[..length]),
        }
        rest = &rest[length.max(found)..];
    }
    safe.push_str(rest);
    Cow::Owned(safe)
}

/// True for C0 and C1 controls except newline and tab, for DEL, and for characters that change the direction of text
/// (Unicode's "Bidi_Control").
fn is_unsafe(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The bytes of a colour or weight sequence (`ESC [ 1;31 m`) at the beginning of `text`; 0 if there is none.
fn style(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\x1b[") else { return 0 };
    let numbers = rest.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(rest.len());
    if rest[numbers..].starts_with('m') { 2 + numbers + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_escaped_and_writing_stays() {
        let check = |text: &str, expected: &str| assert_eq!(escape(text), expected, "{text:?}");
        check("In the cafe.\n\tYes: żółw 東京 👩‍🍳", "In the cafe.\n\tYes: żółw 東京 👩‍🍳");
        check("\x1b[31mred\x1b[0m", "\\u001b[31mred\\u001b[0m");
        check("bell\x07 del\x7f csi\u{9b}2J", "bell\\u0007 del\\u007f csi\\u009b2J");
        check("over\rwritten", "over\\u000dwritten");
        check("two\r\nlines", "two\r\nlines");
        check("a\u{202e}b\u{2066}c", "a\\u202eb\\u2066c");
        check("\x1b", "\\u001b");
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let value = serde_json::json!({ "answer": "a\u{202e}b \u{9b}31m \x1b[0m \x7f" });
        let read: serde_json::Value = serde_json::from_str(&escape(&value.to_string())).expect("JSON");
        assert_eq!(read, value);
    }

    #[test]
    fn our_own_colours_stay() {
        let check = |text: &str, expected: &str| assert_eq!(escape_but(text, style), expected, "{text:?}");
        check("\x1b[1;31merror\x1b[0m: x", "\x1b[1;31merror\x1b[0m: x");
        check("\x1b[2J\x1b]0;title\x07", "\\u001b[2J\\u001b]0;title\\u0007");
        check("\x1b[", "\\u001b[");
        check("\x1b[31", "\\u001b[31");
    }
}
