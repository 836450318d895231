//! What our own filters and `{{ }}` may do in one evaluation, beside the engine's fuel: the engine counts what comes out of
//! a filter, and not what happens in it.

use super::convert;
use minijinja::{
    Environment, Error, ErrorKind, Output, State, UndefinedBehavior, escape_formatter,
    value::{Kwargs, Rest, Value as Shown, ValueKind},
};
use std::{fmt::Write, sync::LazyLock};

/// Most work that our own filters may do in one evaluation, in nanoseconds (estimated): a second, in which the speech of
/// a day can be compared with every minute of it.
const MAX_WORK: usize = 1_000_000_000;
/// Work to visit one item of a list.
const ITEM: usize = 50;
/// Work to write one byte of text.
const BYTE: usize = 8;
/// Longest text of one value, in bytes.
const MAX_TEXT: usize = 16 << 20;

/// What the filters of one evaluation did so far.
struct Work(usize);

/// An error in the user's words.
pub(super) fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// Takes the work of visiting `items` from what the filters of one evaluation may do together.
pub(super) fn spend(state: &mut State, items: usize) -> Result<(), Error> {
    work(state, items.saturating_mul(ITEM))
}

fn work(state: &mut State, more: usize) -> Result<(), Error> {
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

/// The value as text, or an error once that is too long: a list may hold itself many times over.
pub(super) fn text_of(state: &mut State, value: &Shown) -> Result<String, Error> {
    let mut bounded = Bounded(String::new());
    let written = write!(bounded, "{value}");
    work(state, bounded.0.len().saturating_mul(BYTE))?;
    written.map_err(|_| Error::from(ErrorKind::OutOfFuel))?;
    Ok(bounded.0)
}

/// A value in an error: its text if it is short, or what it is.
pub(super) fn brief(value: &Shown) -> String {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => format!("a {}", value.kind()),
        _ => value.to_string().chars().take(80).collect(),
    }
}

/// The engine's own filters.
static BUILTIN: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_fuel(Some(super::FUEL));
    engine
});

/// Puts the engine's own filter behind a look at what it is given: it would walk a list that holds itself many times over
/// to its end, and indent by whatever it is told.
pub(super) fn guard(engine: &mut Environment<'static>, name: &'static str) {
    engine.add_filter(name, move |state: &mut State, args: Rest<Shown>, named: Kwargs| {
        let mut args = args.0;
        for arg in &args {
            walk(state, arg)?;
        }
        let mut names = named.args().map(str::to_owned).collect::<Vec<_>>();
        names.sort();
        for name in &names {
            walk(state, &named.get::<Shown>(name)?)?;
        }
        if name == "tojson" {
            let indent = named.get::<Option<Shown>>("indent")?.or(args.get(1).cloned());
            if indent.filter(Shown::is_number).is_some_and(|n| f64::try_from(n).is_ok_and(|n| n > MAX_INDENT)) {
                return Err(wrong(format!("found an indentation of more than {MAX_INDENT} columns")));
            }
        }
        if matches!(name, "tojson" | "pprint")
            && let Some(first) = args.first_mut()
        {
            *first = convert::with_none(first)?;
        }
        if !names.is_empty() {
            args.push(named.into());
        }
        BUILTIN.empty_state().apply_filter(name, &args)
    });
}

/// Deepest indentation of JSON, in columns.
const MAX_INDENT: f64 = 64.0;

/// Takes the work of visiting all that is in a value.
pub(super) fn walk(state: &mut State, value: &Shown) -> Result<(), Error> {
    // counted and, by the filter itself, walked again
    spend(state, 4)?;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.try_for_each(|item| walk(state, &item)),
        ValueKind::Map => value.try_iter()?.try_for_each(|key| {
            walk(state, &key)?;
            walk(state, &value.get_item(&key)?)
        }),
        _ => Ok(()),
    }
}

/// What `{{ value }}` writes. The engine would write a list that holds itself many times over to its end before it
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
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        if self.0.len() + more.len() > MAX_TEXT {
            return Err(std::fmt::Error);
        }
        self.0.push_str(more);
        Ok(())
    }
}
