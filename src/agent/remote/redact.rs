//! Removes the key from everything that a server sends, because a server may send the key back.

use crate::hub::folders::Secret;
use serde_json::Value;

/// The shortest key that is removed from replies, in bytes. Shorter keys are placeholders such as `none`, and would
/// match ordinary words. Errors never show a key of any length.
const MIN_KEY_BYTES: usize = 8;
/// The replacement for the key.
const SHOWN: &str = "[key]";

/// The forms of a key that are searched: plain, percent-encoded, and escaped within a JSON string.
#[derive(Debug, Clone, Default)]
pub(super) struct Redaction {
    forms: Vec<String>,
}

impl Redaction {
    pub(super) fn new(key: Option<&Secret>) -> Redaction {
        let Some(key) = key.map(Secret::reveal).filter(|key| key.len() >= MIN_KEY_BYTES) else {
            return Redaction::default();
        };
        let quoted = Value::from(key).to_string();
        let mut forms = vec![
            key.to_owned(),
            percent_encoded(key, |byte| format!("%{byte:02X}")),
            percent_encoded(key, |byte| format!("%{byte:02x}")),
            quoted.trim_matches('"').to_owned(),
        ];
        forms.dedup();
        Redaction { forms }
    }

    /// `text` with every form of the key replaced.
    pub(super) fn hide(&self, text: String) -> String {
        let found = |text: &str| self.forms.iter().any(|form| text.contains(form));
        if !found(&text) {
            return text;
        }
        tracing::warn!("the endpoint sent the key back; {SHOWN} replaces it");
        self.forms.iter().fold(text, |text, form| text.replace(form, SHOWN))
    }

    /// Replaces every form of the key in all texts and names of an answer.
    pub(super) fn hide_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.hide(std::mem::take(text)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(fields) => {
                let hidden = std::mem::take(fields).into_iter().map(|(name, mut value)| {
                    self.hide_in(&mut value);
                    (self.hide(name), value)
                });
                *fields = hidden.collect();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A filter for a text that arrives in pieces. A piece may end within the key.
    pub(super) fn stream(&self) -> Stream<'_> {
        Stream { redaction: self, held: String::new() }
    }
}

/// A filter that holds back text that may be the beginning of the key.
pub(super) struct Stream<'r> {
    redaction: &'r Redaction,
    held: String,
}

impl Stream<'_> {
    /// Adds a piece. Gives the text that can be shown now.
    pub(super) fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let mut text = self.redaction.hide(std::mem::take(&mut self.held));
        let begun = self.redaction.forms.iter().map(|form| begun(&text, form)).max().unwrap_or(0);
        self.held = text.split_off(text.len() - begun);
        text
    }

    /// The text that was held back and turned out not to be the key.
    pub(super) fn finish(self) -> String {
        self.held
    }
}

/// The number of bytes at the end of `text` that begin `form`.
fn begun(text: &str, form: &str) -> usize {
    let longest = text.len().min(form.len() - 1);
    (1..=longest).rev().find(|length| form.is_char_boundary(*length) && text.ends_with(&form[..*length])).unwrap_or(0)
}

/// `key` in percent-encoding as in a URL: letters, digits and `-_.~` stay.
fn percent_encoded(key: &str, encode: impl Fn(u8) -> String) -> String {
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    key.bytes().map(|byte| if stays(byte) { char::from(byte).to_string() } else { encode(byte) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_removed_in_every_form_and_across_pieces() {
        let check = |key: &str, text: &str, expected: &str| {
            let redaction = Redaction::new(Some(&Secret::new(key)));
            assert_eq!(redaction.hide(text.to_owned()), expected, "{text}");
            for size in [1, 2, 3, 5, 100] {
                let mut stream = redaction.stream();
                let chars: Vec<char> = text.chars().collect();
                let mut shown: String =
                    chars.chunks(size).map(|piece| stream.push(&piece.iter().collect::<String>())).collect();
                shown += &stream.finish();
                assert_eq!(shown, expected, "{text} in pieces of {size}");
            }
        };
        check("sk-very-secret", "the key is sk-very-secret.", "the key is [key].");
        check("sk-very-secret", "sk-very-sk-very-secret sk-very-secre", "sk-very-[key] sk-very-secre");
        check("a b/c+d\"e=f", "a%20b%2Fc%2Bd%22e%3Df or a%20b%2fc%2bd%22e%3df", "[key] or [key]");
        check("a b/c+d\"e=f", r#"{"key": "a b/c+d\"e=f"}"#, r#"{"key": "[key]"}"#);
        check("none", "none of them", "none of them");
        check("sk-very-secret", "żółw", "żółw");
    }

    #[test]
    fn the_key_is_removed_from_every_text_of_an_answer() {
        let mut answer = serde_json::json!({ "sk-very-secret": [{ "text": "sk-very-secret!" }, 1, null] });
        Redaction::new(Some(&Secret::new("sk-very-secret"))).hide_in(&mut answer);
        assert_eq!(answer, serde_json::json!({ "[key]": [{ "text": "[key]!" }, 1, null] }));
    }
}
