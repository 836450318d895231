//! `tojson` with limits. The engine's own writes a list that contains itself many times to its end, and accepts any
//! indentation.

use super::{
    convert,
    work::{self, Bounded, wrong},
};
use minijinja::{
    Error, ErrorKind, State,
    value::{Kwargs, Value as Shown, ValueKind},
};
use std::fmt::Write;

/// Maximum indentation of one level, in columns.
const MAX_INDENT: usize = 64;

/// The layout of JSON. The default equals that of Python's `json.dumps`.
struct Style {
    indent: Option<usize>,
    /// The separators between items and after keys.
    separators: [String; 2],
    sorted: bool,
    /// Writes characters beyond ASCII as escapes.
    ascii: bool,
    /// Writes `<`, `>`, `&` and `'` as escapes, like jinja2.
    html: bool,
}

/// The filter of dialogues. Its result is safe inside HTML.
pub(super) fn filter(state: &mut State, value: &Shown, first: Option<Shown>, named: Kwargs) -> Result<Shown, Error> {
    written(state, value, first, named, true)
}

/// The filter of chat templates, equal to that of transformers: `json.dumps(value, ensure_ascii=False)`. Its first
/// argument after the value is `ensure_ascii`.
pub(super) fn chat_filter(
    state: &mut State,
    value: &Shown,
    first: Option<Shown>,
    named: Kwargs,
) -> Result<Shown, Error> {
    let ascii = named.get::<Option<bool>>("ensure_ascii")?.or(first.map(|ascii| ascii.is_true()));
    let style = Style { ascii: ascii.unwrap_or(false), ..style(None, &named, false)? };
    json(state, value, style)
}

fn written(state: &mut State, value: &Shown, first: Option<Shown>, named: Kwargs, html: bool) -> Result<Shown, Error> {
    let style = style(first, &named, html)?;
    named.assert_all_used()?;
    json(state, value, style)
}

fn style(first: Option<Shown>, named: &Kwargs, html: bool) -> Result<Style, Error> {
    let indent = match first.map_or_else(|| named.get::<Option<Shown>>("indent"), |first| Ok(Some(first)))? {
        None => None,
        Some(given) if given.is_none() => None,
        Some(given) => match bool::try_from(given.clone()) {
            Ok(true) => Some(2),
            Ok(false) => None,
            Err(_) => Some(given.as_usize().filter(|indent| *indent <= MAX_INDENT).ok_or_else(|| {
                wrong(format!("found an indentation of {given}, expected 0 to {MAX_INDENT} columns"))
            })?),
        },
    };
    let mut separators = [if indent.is_some() { "," } else { ", " }, ": "].map(str::to_owned);
    if let Some(given) = named.get::<Option<Shown>>("separators")?.filter(|given| !given.is_none()) {
        for (at, separator) in separators.iter_mut().enumerate() {
            let text = given.get_item_by_index(at)?;
            *separator = text.as_str().filter(|text| text.len() <= 16).ok_or_else(short)?.to_owned();
        }
    }
    let sorted = named.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    Ok(Style { indent, separators, sorted, ascii: false, html })
}

fn short() -> Error {
    wrong("`separators` must be two short texts")
}

fn json(state: &mut State, value: &Shown, style: Style) -> Result<Shown, Error> {
    work::walk(state, value)?;
    work::bounded(state, |out| style.value(out, value, 1)).map(Shown::from_safe_string)
}

impl Style {
    fn value(&self, out: &mut Bounded, value: &Shown, depth: usize) -> Result<(), Error> {
        match value.kind() {
            _ if convert::is_nothing(value) => put(out, "null"),
            ValueKind::Undefined | ValueKind::None => put(out, "null"),
            ValueKind::Bool => put(out, if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => put(out, &value.to_string()),
            ValueKind::Number => put(out, &number(f64::try_from(value.clone())?)),
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter()?;
                self.inside(out, ['[', ']'], depth, items, |out, item| self.value(out, &item, depth + 1))
            }
            ValueKind::Map => {
                let mut keys: Vec<Shown> = value.try_iter()?.collect();
                if self.sorted {
                    keys.sort();
                }
                self.inside(out, ['{', '}'], depth, keys.into_iter(), |out, key| {
                    self.key(out, &key)?;
                    put(out, &self.separators[1])?;
                    self.value(out, &value.get_item(&key)?, depth + 1)
                })
            }
            ValueKind::String => self.text(out, value.as_str().unwrap_or_default()),
            _ => self.text(out, &value.to_string()),
        }
    }

    fn inside(
        &self,
        out: &mut Bounded,
        brackets: [char; 2],
        depth: usize,
        items: impl Iterator<Item = Shown>,
        mut write: impl FnMut(&mut Bounded, Shown) -> Result<(), Error>,
    ) -> Result<(), Error> {
        out.write_char(brackets[0]).map_err(full)?;
        let mut empty = true;
        for item in items {
            if !empty {
                put(out, &self.separators[0])?;
            }
            empty = false;
            self.line(out, depth)?;
            write(out, item)?;
        }
        if !empty {
            self.line(out, depth - 1)?;
        }
        out.write_char(brackets[1]).map_err(full)
    }

    fn line(&self, out: &mut Bounded, depth: usize) -> Result<(), Error> {
        match self.indent {
            Some(indent) => write!(out, "\n{:width$}", "", width = indent * depth).map_err(full),
            None => Ok(()),
        }
    }

    fn key(&self, out: &mut Bounded, key: &Shown) -> Result<(), Error> {
        match key.kind() {
            ValueKind::String => self.text(out, key.as_str().unwrap_or_default()),
            ValueKind::Bool | ValueKind::Number | ValueKind::None => {
                put(out, "\"")?;
                self.value(out, key, 1)?;
                put(out, "\"")
            }
            kind => Err(Error::new(ErrorKind::BadSerialization, format!("{kind} cannot be a key of JSON"))),
        }
    }

    fn text(&self, out: &mut Bounded, text: &str) -> Result<(), Error> {
        put(out, "\"")?;
        let mut plain = 0;
        for (at, letter) in text.char_indices() {
            let escape = match letter {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\u{8}' => "\\b",
                '\u{c}' => "\\f",
                '<' | '>' | '&' | '\'' if self.html => "",
                '\0'..='\u{1f}' => "",
                '\u{80}'.. if self.ascii => "",
                _ => continue,
            };
            put(out, &text[plain..at])?;
            plain = at + letter.len_utf8();
            match escape {
                "" => letter
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .try_for_each(|unit| write!(out, "\\u{unit:04x}"))
                    .map_err(full)?,
                escape => put(out, escape)?,
            }
        }
        put(out, &text[plain..])?;
        put(out, "\"")
    }
}

/// A number; `null` for infinite numbers and NaN, which JSON lacks.
fn number(number: f64) -> String {
    if number.is_finite() { serde_json::Value::from(number).to_string() } else { "null".to_owned() }
}

fn put(out: &mut Bounded, text: &str) -> Result<(), Error> {
    out.write_str(text).map_err(full)
}

fn full(_: std::fmt::Error) -> Error {
    Error::from(ErrorKind::OutOfFuel)
}
