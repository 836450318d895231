//! The work limit of our own filters and of `{{ }}` in one evaluation. It complements the engine's fuel, which counts
//! the output of a filter but not the work inside it.

use super::convert;
use crate::value::size::MAX_DEPTH;
use minijinja::{
    Error, ErrorKind, Output, State, escape_formatter,
    value::{Value as Shown, ValueKind},
};
use std::fmt::Write;

/// Maximum work of our own filters in one evaluation, in nanoseconds (estimated). One second allows comparing the
/// speech of a day with every minute of it.
const MAX_WORK: usize = 1_000_000_000;
/// Work of visiting one item of a list.
const ITEM: usize = 50;
/// Work of writing one byte of text.
pub(super) const BYTE: usize = 8;
/// Maximum text of one value, in bytes.
const MAX_TEXT: usize = 16 << 20;

/// The work of the filters of one evaluation so far.
struct Work(usize);

/// An error in the user's words.
pub(super) fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// Spends the work of visiting `items`. Fails beyond the limit.
pub(super) fn spend(state: &mut State, items: usize) -> Result<(), Error> {
    work(state, items.saturating_mul(ITEM))
}

pub(super) fn work(state: &mut State, more: usize) -> Result<(), Error> {
    let work = state.get_or_insert_extension(Work(0));
    work.0 = work.0.saturating_add(more);
    if work.0 > MAX_WORK { Err(Error::from(ErrorKind::OutOfFuel)) } else { Ok(()) }
}

/// The items of a list. Spends the work of visiting them.
pub(super) fn items(state: &mut State, list: &Shown) -> Result<Vec<Shown>, Error> {
    match list.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            // few bytes can make an endless list: `[1] * 10**9`
            let max_items = MAX_WORK / ITEM;
            let items: Vec<Shown> = list.try_iter()?.take(max_items + 1).collect();
            spend(state, items.len())?;
            Ok(items)
        }
        kind => Err(wrong(format!("found {kind}, expected a list"))),
    }
}

/// The value as text. Fails if it becomes too long: a list can contain itself many times.
pub(super) fn text_of(state: &mut State, value: &Shown) -> Result<String, Error> {
    made(state, value)?;
    bounded(state, |out| write!(out, "{value}").map_err(|_| Error::from(ErrorKind::OutOfFuel)))
}

/// The text that `write` writes. Fails if it becomes too long.
pub(super) fn bounded(
    state: &mut State,
    write: impl FnOnce(&mut Bounded) -> Result<(), Error>,
) -> Result<String, Error> {
    let mut out = Bounded(String::new());
    let written = write(&mut out);
    work(state, out.0.len().saturating_mul(BYTE))?;
    written.map(|()| out.0)
}

/// A value in an error: its text, or its kind if it contains others.
pub(super) fn brief(value: &Shown) -> String {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => format!("a {}", value.kind()),
        _ => value.to_string().chars().take(80).collect(),
    }
}

/// Spends the work of visiting every item of a value and of reading its texts.
pub(super) fn walk(state: &mut State, value: &Shown) -> Result<(), Error> {
    match value.as_str() {
        // the engine itself counts the text that a filter gets
        Some(_) => spend(state, 1),
        // counted here, and walked again by the filter
        None => visit(state, value, MAX_DEPTH, 4 * ITEM, BYTE),
    }
}

/// Limits the depth of a value.
pub(super) fn made(state: &mut State, value: &Shown) -> Result<(), Error> {
    visit(state, value, MAX_DEPTH, 4 * ITEM, 0)
}

/// Visits every item of a value. Spends this work for each item and each byte of text.
fn visit(state: &mut State, value: &Shown, depth: usize, item: usize, byte: usize) -> Result<(), Error> {
    work(state, item + value.as_str().map_or(0, |text| text.len().saturating_mul(byte)))?;
    if convert::is_whole(value) {
        // counts the fields of its medium too
        return work(state, 20 * item);
    }
    let deeper = || depth.checked_sub(1).ok_or_else(too_deep);
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let depth = deeper()?;
            value.try_iter()?.try_for_each(|inner| visit(state, &inner, depth, item, byte))
        }
        ValueKind::Map => {
            let depth = deeper()?;
            value.try_iter()?.try_for_each(|key| {
                visit(state, &key, depth, item, byte)?;
                visit(state, &value.get_item(&key)?, depth, item, byte)
            })
        }
        _ => Ok(()),
    }
}

fn too_deep() -> Error {
    wrong(format!("found a value nested deeper than {MAX_DEPTH} levels"))
}

/// Writes the text of `{{ value }}`. The engine would write a list that contains itself many times to its end before it
/// counts the bytes.
pub(super) fn show(out: &mut Output, state: &mut State, value: &Shown) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            let text = text_of(state, value)?;
            escape_formatter(out, state, &Shown::from(text))
        }
        _ => escape_formatter(out, state, value),
    }
}

/// A text that cannot become longer than [`MAX_TEXT`].
pub(super) struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        if self.0.len() + more.len() > MAX_TEXT {
            return Err(std::fmt::Error);
        }
        self.0.push_str(more);
        Ok(())
    }
}
