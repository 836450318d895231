//! The work limit of our own filters and `{{ }}` in one evaluation, beside the engine's fuel: the engine counts the output of
//! a filter, but not the work inside it.

use super::convert;
use crate::value::size::MAX_DEPTH;
use minijinja::{
    Error, ErrorKind, Output, State, escape_formatter,
    value::{Value as Shown, ValueKind},
};
use std::fmt::Write;

/// Most work that our own filters may do in one evaluation, in nanoseconds (estimated): a second, in which the speech of
/// a day can be compared with every minute of it.
const MAX_WORK: usize = 1_000_000_000;
/// Work to visit one item of a list.
const ITEM: usize = 50;
/// Work to write one byte of text.
pub(super) const BYTE: usize = 8;
/// Longest text of one value, in bytes.
const MAX_TEXT: usize = 16 << 20;

/// The work that the filters of one evaluation have done.
struct Work(usize);

/// An error in the user's words.
pub(super) fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// Takes the work of visiting `items` from what the filters of one evaluation may do together.
pub(super) fn spend(state: &mut State, items: usize) -> Result<(), Error> {
    work(state, items.saturating_mul(ITEM))
}

pub(super) fn work(state: &mut State, more: usize) -> Result<(), Error> {
    let work = state.get_or_insert_extension(Work(0));
    work.0 = work.0.saturating_add(more);
    if work.0 > MAX_WORK { Err(Error::from(ErrorKind::OutOfFuel)) } else { Ok(()) }
}

/// The items of a list.
pub(super) fn items(state: &mut State, list: &Shown) -> Result<Vec<Shown>, Error> {
    match list.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            // a list may be made of few bytes and be endless: `[1] * 10**9`
            let most = MAX_WORK / ITEM;
            let items: Vec<Shown> = list.try_iter()?.take(most + 1).collect();
            spend(state, items.len())?;
            Ok(items)
        }
        kind => Err(wrong(format!("found {kind}, expected a list"))),
    }
}

/// The value as text, or an error once that is too long: a list may contain itself many times.
pub(super) fn text_of(state: &mut State, value: &Shown) -> Result<String, Error> {
    made(state, value)?;
    bounded(state, |out| write!(out, "{value}").map_err(|_| Error::from(ErrorKind::OutOfFuel)))
}

/// The text that `write` writes, or an error once that is too long.
pub(super) fn bounded(
    state: &mut State,
    write: impl FnOnce(&mut Bounded) -> Result<(), Error>,
) -> Result<String, Error> {
    let mut out = Bounded(String::new());
    let written = write(&mut out);
    work(state, out.0.len().saturating_mul(BYTE))?;
    written.map(|()| out.0)
}

/// A value in an error: its text if it is short, or what it is.
pub(super) fn brief(value: &Shown) -> String {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => format!("a {}", value.kind()),
        _ => value.to_string().chars().take(80).collect(),
    }
}

/// Spends the work of visiting every item of a value, and of reading its texts.
pub(super) fn walk(state: &mut State, value: &Shown) -> Result<(), Error> {
    match value.as_str() {
        // the engine counts the text that a filter is given
        Some(_) => spend(state, 1),
        // counted and, by the filter itself, walked again
        None => visit(state, value, MAX_DEPTH, 4 * ITEM, BYTE),
    }
}

/// Bounds how deep a value is.
pub(super) fn made(state: &mut State, value: &Shown) -> Result<(), Error> {
    visit(state, value, MAX_DEPTH, 4 * ITEM, 0)
}

/// Visits every item of a value, at this cost for each item and each byte of text.
fn visit(state: &mut State, value: &Shown, depth: usize, item: usize, byte: usize) -> Result<(), Error> {
    work(state, item + value.as_str().map_or(0, |text| text.len().saturating_mul(byte)))?;
    if convert::is_whole(value) {
        // with the fields of its medium
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

/// The text of `{{ value }}`. The engine would write a list that contains itself many times to its end before it
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

/// A text that refuses to become longer than [`MAX_TEXT`].
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
