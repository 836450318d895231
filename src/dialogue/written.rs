//! Reads written types from a tree with positions. Every problem is reported, and reading continues.

use super::{
    Pos, Reading,
    yaml::{Data, Node, TextStyle},
};
use crate::problem::closest;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// A type that can be read from a YAML value.
pub trait Written: Sized {
    /// Reads `node`. Reports its problems, and returns `None` if it cannot be read.
    fn read(node: &Node, reading: &mut Reading) -> Option<Self>;
    /// The value of a missing key; `None` if the key is required.
    fn absent() -> Option<Self> {
        None
    }
    /// True if a missing key is reported even though [`Written::absent`] gives a value.
    const WANTED: bool = false;
}

/// A required value. Reading continues without it, so that other problems of the same mapping are reported too.
#[derive(Debug, Clone, PartialEq)]
pub struct Required<T>(pub Option<T>);

impl<T: Written> Written for Required<T> {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        Some(Required(T::read(node, reading)))
    }
    fn absent() -> Option<Self> {
        Some(Required(None))
    }
    const WANTED: bool = true;
}

impl<T: JsonSchema> JsonSchema for Required<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A value and its position. Equality ignores the position, so that two keys of one name are one key.
#[derive(Debug, Clone, Copy, Default)]
pub struct At<T> {
    /// The written value.
    pub value: T,
    /// Its position.
    pub pos: Pos,
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for At<T> {}

impl<T> std::ops::Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Written> Written for At<T> {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        T::read(node, reading).map(|value| At { value, pos: node.pos })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Any YAML value with templates inside its texts: `"{{ item }}"`, `[a, "{{ b }}"]`, `3`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr(pub Node);

impl Written for Expr {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        no_duplicates(node, reading);
        Some(Expr(node.clone()))
    }
}

impl JsonSchema for Expr {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Expr".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

/// A number, or a template that yields one.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberExpr(pub Expr);

impl Written for NumberExpr {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match &node.data {
            Data::Number(_) => Some(NumberExpr(Expr(node.clone()))),
            Data::Text(text, _) if text.contains("{{") => Some(NumberExpr(Expr(node.clone()))),
            _ => reading.wrong(node, "a number"),
        }
    }
}

impl JsonSchema for NumberExpr {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "NumberExpr".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "number" }, { "type": "string", "pattern": "\\{\\{" }] })
    }
}

/// Text with templates inside.
#[derive(Debug, Clone, PartialEq)]
pub struct TextExpr(pub Expr);

impl Written for TextExpr {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match &node.data {
            Data::Text(..) => Some(TextExpr(Expr(node.clone()))),
            _ => reading.wrong(node, "text"),
        }
    }
}

impl JsonSchema for TextExpr {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "TextExpr".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// The name of a role, or a list of such names.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleNames(pub Vec<At<String>>);

impl Written for RoleNames {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match &node.data {
            Data::List(_) => Vec::read(node, reading).map(RoleNames),
            Data::Text(..) => At::read(node, reading).map(|role| RoleNames(vec![role])),
            _ => reading.wrong(node, "a role or a list of roles"),
        }
    }
}

impl JsonSchema for RoleNames {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "RoleNames".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

/// Reports keys that appear twice, at any depth.
fn no_duplicates(node: &Node, reading: &mut Reading) {
    match &node.data {
        Data::List(items) => items.iter().for_each(|item| no_duplicates(item, reading)),
        Data::Map(entries) => {
            reading.duplicates(entries);
            entries.iter().for_each(|(_, value)| no_duplicates(value, reading));
        }
        _ => {}
    }
}

impl Written for String {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match &node.data {
            Data::Text(text, _) => Some(text.clone()),
            _ => {
                let hint = match node.data {
                    Data::Bool(_) | Data::Number(_) => Some("put it in quotes if it is meant as text".to_owned()),
                    _ => None,
                };
                reading.problem("wrong-type", node.pos, format!("found {}, expected text", node.describe()), hint);
                None
            }
        }
    }
}

impl Written for bool {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match node.data {
            Data::Bool(truth) => Some(truth),
            _ => reading.wrong(node, "`true` or `false`"),
        }
    }
}

impl Written for f64 {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match node.data {
            Data::Number(number) if number.is_finite() => Some(number),
            _ => reading.wrong(node, "a number"),
        }
    }
}

impl Written for usize {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match node.data {
            // the limit rejects numbers that cannot be counts or sizes
            Data::Number(number) if number.fract() == 0.0 && (0.0..=1e12).contains(&number) => Some(number as usize),
            _ => reading.wrong(node, "a whole number, 0 or more"),
        }
    }
}

impl<T: Written> Written for Vec<T> {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match &node.data {
            Data::List(items) => Some(items.iter().filter_map(|item| T::read(item, reading)).collect()),
            _ => reading.wrong(node, "a list"),
        }
    }
}

impl<T: Written> Written for IndexMap<At<String>, T> {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        let Data::Map(entries) = &node.data else { return reading.wrong(node, "a mapping") };
        reading.duplicates(entries);
        let mut map = IndexMap::new();
        for (key, value) in entries {
            if let Some(value) = reading.named(&key.name, value) {
                map.entry(At { value: key.name.clone(), pos: key.pos }).or_insert(value);
            }
        }
        Some(map)
    }
}

// hashed like its text, so that `str` can look up a key
impl std::hash::Hash for At<String> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.value.as_str().hash(state);
    }
}
impl indexmap::Equivalent<At<String>> for str {
    fn equivalent(&self, key: &At<String>) -> bool {
        self == key.value
    }
}

impl<T: Written> Written for Option<T> {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        // an unreadable part is reported; the rest of the mapping is still read
        Some(T::read(node, reading))
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl Reading {
    /// Reports that `node` is not the expected value.
    pub fn wrong<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        let message = format!("found {}, expected {expected}", node.describe());
        self.problem("wrong-type", node.pos, message, None);
        None
    }

    /// Reports every repeated key.
    pub fn duplicates(&mut self, entries: &[(super::yaml::YamlKey, Node)]) {
        let mut first: std::collections::HashMap<&str, Pos> = std::collections::HashMap::new();
        for (key, _) in entries {
            match first.get(key.name.as_str()) {
                Some(pos) => {
                    let message =
                        format!("found key `{}` a second time; the first is at {}:{}", key.name, pos.line, pos.column);
                    self.problem("duplicate-key", key.pos, message, None);
                }
                None => drop(first.insert(&key.name, key.pos)),
            }
        }
    }

    /// Reports every key that is not one of `known`; `what` names the mapping.
    pub fn unknown_keys(&mut self, entries: &[(super::yaml::YamlKey, Node)], known: &[&str], what: &str) {
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let near = closest(&key.name, known.iter().copied());
            let hint =
                merge_key(&key.name).or(near).unwrap_or_else(|| format!("{what} has the keys {}", known.join(", ")));
            self.problem("unknown-key", key.pos, format!("found unknown key `{}` in {what}", key.name), Some(hint));
        }
    }

    /// Reads the value of a key. A problem with the value itself then names the key.
    fn named<T: Written>(&mut self, name: &str, value: &Node) -> Option<T> {
        let noted = self.problems.len();
        let read = T::read(value, self);
        let at_value = |problem: &&mut crate::problem::Problem| {
            (problem.line, problem.column) == (value.pos.line, value.pos.column)
        };
        for problem in self.problems[noted..].iter_mut().filter(at_value) {
            if matches!(problem.code.as_str(), "wrong-type" | "bad-duration")
                && let Some((found, expected)) = problem.message.split_once(", expected")
                && !found.contains(" for `")
            {
                problem.message = format!("{found} for `{name}`, expected{expected}");
            }
        }
        read
    }

    /// True if an unknown key of the mapping was reported as a misspelt `name`.
    fn is_misspelt(&self, name: &str, entries: &[(super::yaml::YamlKey, Node)]) -> bool {
        let hint = format!("did you mean `{name}`?");
        let at = |pos: Pos| entries.iter().any(|(key, _)| key.pos == pos);
        let mut unknown = self.problems.iter().filter(|problem| problem.code == "unknown-key");
        unknown.any(|problem| {
            problem.hint.as_ref() == Some(&hint) && at(Pos { line: problem.line, column: problem.column })
        })
    }

    /// Reads the key `name` of a mapping. Reports a missing key if it is required.
    pub fn field<T: Written>(&mut self, node: &Node, name: &str, what: &str) -> Option<T> {
        let Data::Map(entries) = &node.data else { return None };
        match entries.iter().find(|(key, _)| key.name == name) {
            Some((_, value)) => self.named(name, value),
            None => {
                let absent = T::absent();
                if (absent.is_none() || T::WANTED) && !self.is_misspelt(name, entries) {
                    self.problem("missing-key", node.pos, format!("found no key `{name}` in {what}"), None);
                }
                absent
            }
        }
    }
}

/// The hint for YAML's merge key.
pub(crate) fn merge_key(name: &str) -> Option<String> {
    (name == "<<")
        .then(|| "merge keys are not supported: repeat the keys, or use an anchor for a whole value".to_owned())
}

/// A node of plain text, for tests and for values that the program makes.
pub fn text_node(text: &str) -> Node {
    Node { pos: Pos::default(), data: Data::Text(text.to_owned(), TextStyle::Plain) }
}
