//! The engine of all templates: those of dialogues and the chat templates of checkpoints. [`bounded`] makes both
//! dialects. They differ in their additions to the language (filters for dialogues, methods of Python for chats).

use super::{
    convert, guards, json, names,
    work::{BYTE, made, show, spend, text_of, walk, work, wrong},
};
use minijinja::{
    Environment, Error, State, UndefinedBehavior,
    tests::{is_in, is_sameas},
    value::{Kwargs, Rest, Tuple, Value as Shown, ValueKind},
};
use std::sync::LazyLock;

/// Maximum work of one evaluation in minijinja's fuel: instructions, visited items and written bytes. One unit pays for
/// 64 bytes, so this is 128 MB. The numbered log of a whole day takes a hundredth of it.
const FUEL: u64 = 2_000_000;
/// Maximum size of a rendered text, in bytes.
pub(super) const MAX_OUTPUT: usize = 8 * 1024 * 1024;
/// Maximum recursion of blocks and macros; a macro counts four times. It fits a stack of one MiB in a debug build.
const MAX_RECURSION: usize = 128;
/// Maximum width of a field of `format`, in columns.
const MAX_WIDTH: usize = 10_000;

/// The built-in filters that walk a value to its end.
const DEEP: &[&str] = &[
    "abs",
    "capitalize",
    "dictsort",
    "e",
    "escape",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "join",
    "lower",
    "max",
    "min",
    "pprint",
    "replace",
    "round",
    "safe",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "trim",
    "unique",
    "upper",
];

/// An engine with every limit of templates.
pub(super) fn bounded(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(undefined);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(MAX_RECURSION);
    engine.set_formatter(show);
    engine.remove_filter("urlencode");
    engine.remove_global("debug");
    DEEP.iter().for_each(|name| guard_filter(&mut engine, name));
    engine.add_filter("tojson", json::filter);
    guard_tests(&mut engine);
    engine.add_function("namespace", names::namespace);
    engine.add_function(guards::ASSIGN, names::assign);
    engine.add_filter(guards::WEIGHED, |state: &mut State, value: Shown| walk(state, &value).map(|()| value));
    engine.add_filter(guards::WRITTEN, written);
    engine.add_filter(guards::MADE, settled);
    engine.add_filter(guards::HELD, |value: Shown| match is_loop(&value) {
        true => Err(wrong("`loop` is used as a value, expected one of its fields (`loop.index`)")),
        false => Ok(value),
    });
    engine
}

/// The built-in filters.
static BUILTIN: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_fuel(Some(FUEL));
    engine
});

/// The built-in filters for templates that may display undefined values.
static LENIENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = BUILTIN.clone();
    engine.set_undefined_behavior(UndefinedBehavior::Lenient);
    engine
});

/// Replaces a built-in filter by one that checks its input first. The built-in one would walk a list that contains
/// itself many times to its end.
fn guard_filter(engine: &mut Environment<'static>, name: &'static str) {
    engine.add_filter(name, move |state: &mut State, args: Rest<Shown>, named: Kwargs| {
        let mut args = args.0;
        let mut arguments: Vec<Shown> = args.clone();
        for name in named.args() {
            arguments.push(named.peek(name)?);
        }
        arguments.iter().try_for_each(|arg| walk(state, arg))?;
        foresee(state, name, &arguments)?;
        if name == "pprint"
            && let Some(first) = args.first_mut()
        {
            *first = convert::with_none(first)?;
        }
        if named.args().next().is_some() {
            args.push(named.into());
        }
        let builtin = match state.undefined_behavior() {
            UndefinedBehavior::Strict => &BUILTIN,
            _ => &LENIENT,
        };
        builtin.empty_state().apply_filter(name, &args)
    });
}

/// Spends the work of text filters and methods whose cost or result grows faster than their text.
fn foresee(state: &mut State, name: &str, args: &[Shown]) -> Result<(), Error> {
    let text = |at: usize| args.get(at).and_then(Shown::as_str);
    let Some(first) = text(0) else { return Ok(()) };
    match name {
        // every letter is compared with each of the given ones
        "trim" | "strip" | "lstrip" | "rstrip" => work(state, first.len().saturating_mul(text(1).map_or(1, str::len))),
        "split" => {
            let parts = text(1).filter(|by| !by.is_empty()).map_or(first.len() / 2, |by| first.matches(by).count());
            spend(state, parts)
        }
        "splitlines" => spend(state, first.matches('\n').count()),
        "format" => {
            let digits = first.split(|letter: char| !letter.is_ascii_digit()).filter(|run| !run.is_empty());
            let widest = digits.map(|run| run.parse().unwrap_or(usize::MAX)).max().unwrap_or(0);
            if widest > MAX_WIDTH {
                return Err(wrong(format!("found a field wider than {MAX_WIDTH} columns")));
            }
            let fields = first.matches(['{', '%']).count();
            let mut longest = widest;
            for arg in &args[1..] {
                longest += match arg.as_str() {
                    Some(text) => text.len(),
                    None if arg.kind() == ValueKind::Number => MAX_WIDTH.min(arg.as_usize().unwrap_or(0)) + 400,
                    None => text_of(state, arg)?.len(),
                };
            }
            work(state, fields.saturating_mul(longest).saturating_mul(BYTE))
        }
        _ => Ok(()),
    }
}

/// Replaces the tests that compare by ones that check both sides first.
fn guard_tests(engine: &mut Environment<'static>) {
    type Compare = fn(&Shown, &Shown) -> bool;
    const COMPARE: &[(&[&str], Compare)] = &[
        (&["eq", "equalto", "=="], |a, b| a == b),
        (&["ne", "!="], |a, b| a != b),
        (&["lt", "lessthan", "<"], |a, b| a < b),
        (&["le", "<="], |a, b| a <= b),
        (&["gt", "greaterthan", ">"], |a, b| a > b),
        (&["ge", ">="], |a, b| a >= b),
        (&["sameas"], |a, b| is_sameas(a, b)),
    ];
    for (names, compare) in COMPARE {
        for name in *names {
            engine.add_test(*name, move |state: &mut State, a: &Shown, b: &Shown| -> Result<bool, Error> {
                weigh(state, a, b)?;
                Ok(compare(a, b))
            });
        }
    }
    engine.add_test("in", |state: &mut State, a: &Shown, b: &Shown| -> Result<bool, Error> {
        weigh(state, a, b)?;
        is_in(state, a, b)
    });
    for (name, at_start) in [("startingwith", true), ("endingwith", false)] {
        engine.add_test(name, move |state: &mut State, a: &Shown, b: &Shown| -> Result<bool, Error> {
            let (text, part) = (text_of(state, a)?, text_of(state, b)?);
            Ok(if at_start { text.starts_with(&part) } else { text.ends_with(&part) })
        });
    }
}

/// Spends the work of a comparison. A comparison with a text or a number does not walk the other side.
fn weigh(state: &mut State, a: &Shown, b: &Shown) -> Result<(), Error> {
    match a.as_object().and(b.as_object()) {
        Some(_) => [a, b].into_iter().try_for_each(|side| walk(state, side)),
        None => spend(state, 1),
    }
}

/// Converts an operand of `~` to text within limits, unless it is a plain value.
fn written(state: &mut State, value: Shown) -> Result<Shown, Error> {
    match value.as_object() {
        Some(_) => text_of(state, &value).map(Shown::from),
        None => Ok(value),
    }
}

/// Checks a new value: limits its depth, and replaces lazy parts, whose nesting could not be seen.
fn settled(state: &mut State, value: Shown) -> Result<Shown, Error> {
    let Some(object) = value.as_object() else { return Ok(value) };
    if is_loop(&value) {
        return Err(wrong("`loop` is used as a value, expected one of its fields (`loop.index`)"));
    }
    let value = match value.kind() {
        ValueKind::Seq | ValueKind::Iterable
            if object.downcast_ref::<Vec<Shown>>().is_none()
                && object.downcast_ref::<Tuple>().is_none()
                && !convert::is_vector(&value) =>
        {
            let mut items = Vec::new();
            for item in value.try_iter()?.checked() {
                spend(state, 1)?;
                items.push(item?);
            }
            Shown::from(items)
        }
        // `chain` of maps reads each of them
        ValueKind::Map if object.type_name().ends_with("MergeDict") => {
            let mut pairs = Vec::new();
            for key in value.try_iter()? {
                spend(state, 1)?;
                let inner = value.get_item(&key)?;
                pairs.push((key, inner));
            }
            pairs.into_iter().collect::<Shown>()
        }
        _ => value,
    };
    made(state, &value)?;
    Ok(value)
}

fn is_loop(value: &Shown) -> bool {
    value.as_object().is_some_and(|object| object.type_name().ends_with("::Loop"))
}

/// A method of Python's texts, lists and dicts, with the same checks as the filters.
pub(super) fn method(state: &mut State, value: &Shown, name: &str, args: &[Shown]) -> Result<Shown, Error> {
    args.iter().try_for_each(|arg| walk(state, arg))?;
    let all: Vec<Shown> = std::iter::once(value).chain(args).cloned().collect();
    match (value.kind(), name) {
        (ValueKind::String, "join") => {
            let [list] = args else { return Err(wrong("`join` expects one list")) };
            return joined(state, value.as_str().unwrap_or_default(), list);
        }
        (ValueKind::String, _) => foresee(state, name, &all)?,
        (ValueKind::Seq, "count") => walk(state, value)?,
        _ => {}
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args)
}

fn joined(state: &mut State, by: &str, list: &Shown) -> Result<Shown, Error> {
    let mut text = String::new();
    for (at, item) in list.try_iter()?.checked().enumerate() {
        let more = text_of(state, &item?)?;
        work(state, by.len().saturating_mul(BYTE))?;
        text += if at > 0 { by } else { "" };
        text += &more;
    }
    Ok(Shown::from(text))
}
