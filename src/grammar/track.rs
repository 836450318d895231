//! The parts of a JSON text that a grammar does not count: the names of each open object, which must not repeat, and the
//! digits of a number, which must be few enough to be read exactly.

use serde_json::{Number, Value as Json};
use std::{collections::BTreeSet, sync::Arc};

/// The maximum digits of a number: as many as an f64 holds exactly. A schema with longer numbers allows as many digits as
/// they have.
const EXACT_DIGITS: usize = 15;
/// The maximum digits for every schema: more may exceed the range of an f64.
const MAX_DIGITS: usize = 300;

/// The place in a JSON text, as far as strings are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    InString,
    AfterBackslash,
}

/// A list or an object that is open.
#[derive(Debug, Clone)]
enum Level {
    List,
    /// An object with the names so far. A name comes next, or its value.
    Object {
        names: BTreeSet<String>,
        wants_name: bool,
    },
}

/// A JSON text that is being written, byte by byte.
#[derive(Debug, Clone)]
pub(super) struct Track {
    place: Place,
    /// The digits of the number at the end of the text.
    digits: usize,
    most_digits: usize,
    open: Vec<Arc<Level>>,
    /// The name that is being written, as bytes of JSON.
    name: Vec<u8>,
}

impl Track {
    /// An empty text that will fit `schema`.
    pub(super) fn new(schema: &Json) -> Track {
        let most_digits = longest_number(schema).clamp(EXACT_DIGITS, MAX_DIGITS);
        Track { place: Place::Outside, digits: 0, most_digits, open: Vec::new(), name: Vec::new() }
    }

    /// Appends a byte. Gives false if a name repeats or if a number has too many digits.
    pub(super) fn push(&mut self, byte: u8) -> bool {
        match (self.place, byte) {
            (Place::Outside, b'0'..=b'9') => self.digits += 1,
            (Place::Outside, b'.') => {}
            (Place::Outside, _) => {
                self.digits = 0;
                self.structure(byte);
            }
            (Place::InString, b'"') => {
                self.place = Place::Outside;
                return !self.is_in_name() || self.end_name();
            }
            (place, _) => {
                let escapes = place == Place::InString && byte == b'\\';
                self.place = if escapes { Place::AfterBackslash } else { Place::InString };
                if self.is_in_name() {
                    self.name.push(byte);
                }
            }
        }
        self.digits <= self.most_digits
    }

    /// A byte outside of strings and numbers.
    fn structure(&mut self, byte: u8) {
        let mut expect = |name: bool| {
            if let Some(Level::Object { wants_name, .. }) = self.open.last_mut().map(Arc::make_mut) {
                *wants_name = name;
            }
        };
        match byte {
            b'"' => {
                self.place = Place::InString;
                self.name.clear();
            }
            b'{' => self.open.push(Arc::new(Level::Object { names: BTreeSet::new(), wants_name: true })),
            b'[' => self.open.push(Arc::new(Level::List)),
            b'}' | b']' => drop(self.open.pop()),
            b',' => expect(true),
            b':' => expect(false),
            _ => {}
        }
    }

    fn is_in_name(&self) -> bool {
        matches!(self.open.last().map(AsRef::as_ref), Some(Level::Object { wants_name: true, .. }))
    }

    /// Adds the name to its object. Gives false if the object has it.
    fn end_name(&mut self) -> bool {
        let quoted = [b"\"", self.name.as_slice(), b"\""].concat();
        let name = serde_json::from_slice::<String>(&quoted);
        match (name, self.open.last_mut().map(Arc::make_mut)) {
            (Ok(name), Some(Level::Object { names, .. })) => names.insert(name),
            _ => false,
        }
    }

    /// True if the next byte is outside of a string.
    pub(super) fn is_outside(&self) -> bool {
        self.place == Place::Outside
    }

    /// True after a digit of a number.
    pub(super) fn is_in_number(&self) -> bool {
        self.digits > 0
    }

    /// The number of quotes until a name can end; `None` outside of objects.
    pub(super) fn quotes_until_name(&self) -> Option<usize> {
        let has_names = |level: &Arc<Level>| matches!(level.as_ref(), Level::Object { names, .. } if !names.is_empty());
        self.open.iter().any(has_names).then_some(match (self.place, self.is_in_name()) {
            (Place::Outside, _) => 2,
            (_, true) => 1,
            (_, false) => 3,
        })
    }

    /// The place as a number, for comparisons.
    pub(super) fn place(&self) -> u8 {
        self.place as u8
    }
}

/// The digits of the longest number in a schema.
fn longest_number(schema: &Json) -> usize {
    match schema {
        Json::Number(number) => digits(number),
        Json::Array(parts) => parts.iter().map(longest_number).max().unwrap_or(0),
        Json::Object(parts) => parts.values().map(longest_number).max().unwrap_or(0),
        _ => 0,
    }
}

/// The digits of a number, as they are printed or in whole.
fn digits(number: &Number) -> usize {
    let printed = number.to_string().bytes().filter(u8::is_ascii_digit).count();
    let size = number.as_f64().map_or(1.0, f64::abs);
    let whole = size.max(1.0).log10() as usize + 1;
    // zeros after the decimal point
    let zeros = if size > 0.0 { -size.min(1.0).log10() } else { 0.0 };
    printed.max(whole) + zeros as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Checks how much of a text is accepted.
    fn check(schema: Json, text: &str, expected: &str) {
        let mut track = Track::new(&schema);
        let end = text.bytes().position(|byte| !track.push(byte)).unwrap_or(text.len());
        assert_eq!(&text[..end], expected, "{text}");
    }

    #[test]
    fn names_do_not_repeat_in_an_object() {
        let all = |text: &str| check(json!({}), text, text);
        all(r#"{"a":1,"b":{"a":2,"c":"a"},"c":[{"a":1},{"a":"a\",\"a"}]}"#);
        check(json!({}), r#"{"a":1,"a":2}"#, r#"{"a":1,"a"#);
        check(json!({}), r#"{"b":{"a":[],"a":2}}"#, r#"{"b":{"a":[],"a"#);
        check(json!({}), r#"{"\n":1,"\u000a":2}"#, r#"{"\n":1,"\u000a"#);
        check(json!({}), r#"[{"a":1},{"a":{},"a":1}]"#, r#"[{"a":1},{"a":{},"a"#);
    }

    #[test]
    fn numbers_have_few_digits() {
        check(json!({}), "123456789012345", "123456789012345");
        check(json!({}), "[1234567890123456]", "[123456789012345");
        check(json!({}), "[-1.234567890123456]", "[-1.23456789012345");
        check(json!({}), r#"["1234567890123456",1,2]"#, r#"["1234567890123456",1,2]"#);
        check(json!({"minimum": 1e17}), "100000000000000001", "100000000000000001");
        check(json!({"items": {"const": 1234567890123456789_u64}}), "1234567890123456789", "1234567890123456789");
        check(json!({"maximum": 2e-16}), "[0.00000000000000012]", "[0.00000000000000012]");
        check(json!({"maximum": 1e308}), &"9".repeat(400), &"9".repeat(300));
    }
}
