//! The list of all filters and tests of templates, with the type that each filter yields.

use super::infer::{element, list_of};
use crate::value::Type;

/// The type that a filter yields, from the type of its operand.
pub type Yields = fn(&Type) -> Type;

/// A filter that dialogues add: its name, its result and its documentation.
#[derive(Debug, Clone, Copy)]
pub struct FilterDoc {
    /// The name after the bar.
    pub name: &'static str,
    /// The type of its result.
    pub yields: Yields,
    /// An example of its use.
    pub usage: &'static str,
    /// Its behaviour.
    pub about: &'static str,
}

const fn doc(name: &'static str, yields: Yields, usage: &'static str, about: &'static str) -> FilterDoc {
    FilterDoc { name, yields, usage, about }
}

/// The filters that dialogues add to minijinja's.
pub const FILTERS: &[FilterDoc] = &[
    doc(
        "lines",
        texts,
        "reply | lines",
        "the lines of a text as a list; numbering, bullets and empty lines are dropped",
    ),
    doc("words", texts, "question | words", "the words of a text in lower case, without punctuation"),
    doc(
        "keywords",
        texts,
        "question | keywords",
        "the stems of the English words that say what a text is about, each once; other words are dropped",
    ),
    doc(
        "asks_yes_or_no",
        truth,
        "question | asks_yes_or_no",
        "true if a question in English wants yes or no for an answer",
    ),
    doc(
        "asks_about_speech",
        truth,
        "question | asks_about_speech",
        "true if a question in English is about what was said",
    ),
    doc(
        "language",
        text,
        "question | language",
        "the English name of a text's language; `English` if most words are English, or if no other language is likely",
    ),
    doc(
        "runs",
        lists,
        "rows | runs('place')",
        "a list of lists: groups neighbours that are equal (in the named fields, if any)",
    ),
    doc(
        "absorb",
        same,
        "rows | runs('place') | absorb(2)",
        "joins each list shorter than n to the list before it (the first one to the list after it)",
    ),
    doc(
        "smooth",
        same,
        "labels | smooth(3)",
        "replaces each text by the most common of the n texts around it; in a tie the text stays",
    ),
    doc("flatten", element, "lists | flatten", "a list of lists as one list"),
    doc(
        "tally",
        counted,
        "labels | tally",
        "records {text, count, share}, most common first; ties in order of appearance",
    ),
    doc(
        "clock",
        text,
        "moment | clock",
        "the start of a moment (or seconds) as MM:SS, as HH:MM:SS from one hour on, or in the video's own clock time",
    ),
    doc(
        "span",
        moment,
        "moments | span('text')",
        "one moment from the first start to the last end, with the text if given",
    ),
    doc(
        "numbered",
        text,
        "log | numbered",
        "lines `[1] 00:00-00:08 text` of records or moments with start, end and text",
    ),
    doc("mean", vector, "vectors | mean", "the mean of vectors of one model, with length 1"),
    doc(
        "cosine",
        number,
        "vector | cosine(other)",
        "the cosine of two vectors of one model: 1 if they point the same way, 0 if one is zero",
    ),
    doc("overlapping", same, "speech | overlapping(a, b)", "the moments or records that overlap a..b (seconds)"),
    doc("within", same, "speech | within(a, b)", "the moments or records whose midpoint lies in a..b (seconds)"),
];

/// The filters of minijinja that templates can use (dialogues replace `lines`). `infer` gives `map` a narrower type
/// than its row.
pub const BUILTIN: &[(&str, Yields)] = &[
    ("abs", number),
    ("attr", any),
    ("batch", lists),
    ("bool", truth),
    ("capitalize", text),
    ("chain", any),
    ("count", number),
    ("d", any),
    ("default", any),
    ("dictsort", any),
    ("e", text),
    ("escape", text),
    ("first", element),
    ("float", number),
    ("format", text),
    ("groupby", any),
    ("indent", text),
    ("int", number),
    ("items", any),
    ("join", text),
    ("last", element),
    ("length", number),
    ("list", same),
    ("lower", text),
    ("map", any),
    ("max", element),
    ("min", element),
    ("pprint", text),
    ("reject", same),
    ("rejectattr", same),
    ("replace", text),
    ("reverse", same),
    ("round", number),
    ("safe", text),
    ("select", same),
    ("selectattr", same),
    ("slice", lists),
    ("sort", same),
    ("split", texts),
    ("string", text),
    ("sum", number),
    ("title", text),
    ("tojson", text),
    ("trim", text),
    ("unique", same),
    ("upper", text),
    ("zip", any),
];

/// The tests (`x is …`) that templates can use.
pub const TESTS: &[&str] = &[
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// The names of all filters.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    FILTERS.iter().map(|filter| filter.name).chain(BUILTIN.iter().map(|(name, _)| *name))
}

/// The type that the filter `name` yields for an operand of this type; `any` for an unknown filter (reported
/// elsewhere).
pub(super) fn yielded(name: &str, of: &Type) -> Type {
    let own = FILTERS.iter().find(|filter| filter.name == name).map(|filter| filter.yields);
    let yields = own.or_else(|| BUILTIN.iter().find(|(builtin, _)| *builtin == name).map(|(_, yields)| *yields));
    yields.map_or(Type::Any, |yields| yields(of))
}

fn any(_: &Type) -> Type {
    Type::Any
}

fn text(_: &Type) -> Type {
    Type::Text
}

fn texts(_: &Type) -> Type {
    list_of(Type::Text)
}

fn number(_: &Type) -> Type {
    Type::Number
}

fn truth(_: &Type) -> Type {
    Type::Truth
}

fn vector(_: &Type) -> Type {
    Type::Vector
}

fn moment(_: &Type) -> Type {
    Type::Moment
}

fn same(of: &Type) -> Type {
    of.clone()
}

fn lists(of: &Type) -> Type {
    list_of(of.clone())
}

fn counted(_: &Type) -> Type {
    list_of(Type::record([("text".into(), Type::Text), ("count".into(), Type::Number), ("share".into(), Type::Number)]))
}
