//! Checks a JSON Schema: limits of size, and keywords that are enforced.

use super::{Closer, MAX_REGEX_BYTES, MAX_REGEX_DEPTH, Restriction};
use crate::problem::closest;
use serde_json::{Map, Value as Json, json};

/// The maximum bytes of a schema as JSON.
pub const MAX_SCHEMA_BYTES: usize = 256 * 1024;
/// The maximum nesting of a schema.
const MAX_DEPTH: usize = 32;
/// The maximum number of its parts.
const MAX_PARTS: usize = 20_000;
/// The maximum of a keyword that counts characters.
const MAX_CHARACTERS: u64 = 2_000;
/// The maximum of a keyword that counts items or properties.
const MAX_ITEMS: u64 = 500;
/// The maximum patterns in a schema with `allOf`: the states of an intersection double with each pattern.
const MAX_INTERSECTED: usize = 8;

/// Why a restriction cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The keys and indexes that lead to the part.
    pub path: Vec<String>,
    /// The finding and the expectation.
    pub message: String,
    /// The remedy, if there is one.
    pub hint: Option<String>,
}

/// The content of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// A schema.
    Schema,
    /// A list of schemas.
    Schemas,
    /// A mapping of names to schemas.
    Named,
    /// A number of characters.
    Characters,
    /// A number of items or properties.
    Items,
    /// A regular expression.
    Pattern,
    /// A reference to a part of the same schema.
    Reference,
    /// Data, or an annotation.
    Data,
}

/// The keywords that are enforced, and annotations, which restrict nothing.
const KEYWORDS: &[(&str, Holds)] = &[
    ("type", Holds::Data),
    ("enum", Holds::Data),
    ("const", Holds::Data),
    ("properties", Holds::Named),
    ("required", Holds::Data),
    ("additionalProperties", Holds::Schema),
    ("patternProperties", Holds::Named),
    ("minProperties", Holds::Items),
    ("maxProperties", Holds::Items),
    ("items", Holds::Schema),
    ("prefixItems", Holds::Schemas),
    ("minItems", Holds::Items),
    ("maxItems", Holds::Items),
    ("minLength", Holds::Characters),
    ("maxLength", Holds::Characters),
    ("pattern", Holds::Pattern),
    ("format", Holds::Data),
    ("minimum", Holds::Data),
    ("maximum", Holds::Data),
    ("exclusiveMinimum", Holds::Data),
    ("exclusiveMaximum", Holds::Data),
    ("multipleOf", Holds::Data),
    ("anyOf", Holds::Schemas),
    ("oneOf", Holds::Schemas),
    ("allOf", Holds::Schemas),
    ("$ref", Holds::Reference),
    ("$defs", Holds::Named),
    ("definitions", Holds::Named),
    ("$schema", Holds::Data),
    ("$comment", Holds::Data),
    ("title", Holds::Data),
    ("description", Holds::Data),
    ("default", Holds::Data),
    ("examples", Holds::Data),
    ("readOnly", Holds::Data),
    ("writeOnly", Holds::Data),
];

/// Fails if the schema is invalid, too large, or has a keyword that is not enforced.
pub fn check_schema(schema: &Json) -> Result<(), Unfit> {
    let whole = |message: String| Unfit { path: Vec::new(), message, hint: None };
    let mut walk = Walk { root: schema, path: Vec::new(), parts: 0, patterns: 0, intersects: false };
    walk.schema(schema)?;
    if walk.intersects && walk.patterns > MAX_INTERSECTED {
        let patterns = walk.patterns;
        return Err(whole(format!(
            "found {patterns} patterns in a schema with `allOf`, expected at most {MAX_INTERSECTED}"
        )));
    }
    super::typed::validator(schema).map_err(|(path, why)| Unfit {
        path,
        message: format!("found an invalid schema: {why}"),
        hint: None,
    })?;
    let closer = Closer::new(Restriction::Schema(schema)).map_err(|why| match why.contains("coerce_one_of") {
        true => Unfit {
            hint: Some("write `anyOf`, which is the same for parts that cannot fit together".to_owned()),
            ..whole("found `oneOf`, whose parts may fit together, which cannot be enforced".to_owned())
        },
        false => whole(format!("found a schema that cannot be enforced: {why}")),
    })?;
    match closer.completion() {
        Some(_) => Ok(()),
        None => Err(whole("found a schema that no short value fits".to_owned())),
    }
}

/// The walk over a schema.
struct Walk<'a> {
    root: &'a Json,
    path: Vec<String>,
    parts: usize,
    patterns: usize,
    /// True if an `allOf` was found.
    intersects: bool,
}

impl Walk<'_> {
    fn unfit<T>(&self, message: String, hint: Option<String>) -> Result<T, Unfit> {
        Err(Unfit { path: self.path.clone(), message, hint })
    }

    fn inside<T>(&mut self, key: &str, then: impl FnOnce(&mut Self) -> Result<T, Unfit>) -> Result<T, Unfit> {
        self.path.push(key.to_owned());
        let done = then(self)?;
        self.path.pop();
        Ok(done)
    }

    fn schema(&mut self, schema: &Json) -> Result<(), Unfit> {
        self.parts += 1;
        if self.parts > MAX_PARTS || self.path.len() > 2 * MAX_DEPTH {
            let message = format!("found a schema with more than {MAX_PARTS} parts or {MAX_DEPTH} levels");
            return self.unfit(message, None);
        }
        match schema {
            Json::Bool(_) => Ok(()),
            Json::Object(keywords) => {
                keywords.iter().try_for_each(|(key, value)| self.inside(key, |walk| walk.keyword(key, value)))
            }
            other => self.unfit(format!("found {other}, expected a schema"), None),
        }
    }

    fn keyword(&mut self, key: &str, value: &Json) -> Result<(), Unfit> {
        let Some((_, holds)) = KEYWORDS.iter().find(|(known, _)| *known == key) else {
            let message = format!("found the keyword `{key}` in a schema, which is not supported");
            return self.unfit(message, closest(key, KEYWORDS.iter().map(|(known, _)| *known)));
        };
        match (holds, value) {
            (Holds::Schema, schema) => self.schema(schema),
            (Holds::Schemas, Json::Array(schemas)) => {
                self.intersects |= key == "allOf";
                let all = schemas.iter().enumerate();
                all.into_iter().try_for_each(|(n, schema)| self.inside(&n.to_string(), |walk| walk.schema(schema)))
            }
            (Holds::Named, Json::Object(named)) => named.iter().try_for_each(|(name, schema)| {
                self.inside(name, |walk| {
                    walk.is_short(name)?;
                    if key == "patternProperties" {
                        walk.pattern(name)?;
                    }
                    walk.schema(schema)
                })
            }),
            (Holds::Characters, number) => self.at_most(key, number, MAX_CHARACTERS),
            (Holds::Items, number) => self.at_most(key, number, MAX_ITEMS),
            (Holds::Pattern, Json::String(pattern)) => self.pattern(pattern),
            (Holds::Reference, Json::String(to)) => match self.root.pointer(to.trim_start_matches('#')) {
                Some(_) if to.starts_with('#') && !to.contains('~') => Ok(()),
                _ => self
                    .unfit(format!("found the reference `{to}`, expected a part of this schema, `#/$defs/NAME`"), None),
            },
            (Holds::Data, value) if matches!(key, "const" | "enum" | "required") => self.are_short(value),
            // the meta-schema of JSON Schema checks the rest
            _ => Ok(()),
        }
    }

    fn at_most(&mut self, key: &str, number: &Json, most: u64) -> Result<(), Unfit> {
        match number.as_u64() {
            Some(count) if count <= most => Ok(()),
            _ => self.unfit(format!("found {number} for `{key}`, expected a whole number, at most {most}"), None),
        }
    }

    /// Refuses a long text: the work for a fixed text grows with the square of its length.
    fn is_short(&self, text: &str) -> Result<(), Unfit> {
        match text.chars().count() as u64 {
            length if length > MAX_CHARACTERS => {
                self.unfit(format!("found a text of {length} characters, expected at most {MAX_CHARACTERS}"), None)
            }
            _ => Ok(()),
        }
    }

    fn are_short(&self, value: &Json) -> Result<(), Unfit> {
        match value {
            Json::String(text) => self.is_short(text),
            Json::Array(values) => values.iter().try_for_each(|value| self.are_short(value)),
            Json::Object(fields) => {
                fields.iter().try_for_each(|(name, value)| self.is_short(name).and_then(|()| self.are_short(value)))
            }
            _ => Ok(()),
        }
    }

    fn pattern(&mut self, pattern: &str) -> Result<(), Unfit> {
        self.patterns += 1;
        if pattern.len() > MAX_REGEX_BYTES {
            let length = pattern.len();
            return self.unfit(format!("found a pattern of {length} bytes, expected at most {MAX_REGEX_BYTES}"), None);
        }
        check_nesting(pattern).and_then(|()| check_length(pattern)).or_else(|message| self.unfit(message, None))?;
        match super::typed::validator(&json!({ "pattern": pattern })) {
            Ok(_) => Ok(()),
            Err(_) => {
                let message = format!("found the pattern `{}`, which is not supported", super::start(pattern));
                let hint = "look-around, back references and large repetitions are not supported".to_owned();
                self.unfit(message, Some(hint))
            }
        }
    }
}

/// Fails if a regular expression is nested too deeply. Escapes are not considered, so the count may be too high.
pub(super) fn check_nesting(regex: &str) -> Result<(), String> {
    let mut depth = 0_usize;
    for byte in regex.bytes() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_REGEX_DEPTH {
            return Err(format!("found a regular expression that is nested deeper than {MAX_REGEX_DEPTH} levels"));
        }
    }
    Ok(())
}

/// Fails if every match of a regular expression is long. One that cannot be parsed here is left to its user.
pub(super) fn check_length(regex: &str) -> Result<(), String> {
    match regex_syntax::parse(regex).ok().and_then(|parsed| parsed.properties().minimum_len()) {
        Some(least) if least as u64 > MAX_CHARACTERS => Err(format!(
            "found a regular expression whose shortest match has {least} bytes, expected at most {MAX_CHARACTERS}"
        )),
        _ => Ok(()),
    }
}

/// The schema as llguidance reads it: without free white space, without properties that it does not name, and with
/// patterns for formats.
pub(super) fn compact(schema: &Json) -> Json {
    let mut schema = match schema {
        Json::Object(_) => schema.clone(),
        Json::Bool(true) => json!({}),
        other => json!({ "allOf": [other] }),
    };
    if !combines(&schema) {
        each_part(&mut schema, &mut close_object);
    }
    each_part(&mut schema, &mut super::formats::tightened);
    if let Json::Object(keywords) = &mut schema {
        keywords.insert("x-guidance".to_owned(), json!({ "whitespace_flexible": false }));
    }
    schema
}

/// True if a schema joins the properties of several parts, so that no part may forbid those of the others.
fn combines(schema: &Json) -> bool {
    match schema {
        Json::Object(keywords) => {
            let joins = |key: &str| keywords.contains_key(key);
            joins("allOf")
                || (joins("properties") && ["anyOf", "oneOf", "$ref"].into_iter().any(joins))
                || keywords.values().any(combines)
        }
        Json::Array(items) => items.iter().any(combines),
        _ => false,
    }
}

/// Changes every part of a schema that is a schema itself, the inner ones first.
fn each_part(schema: &mut Json, change: &mut impl FnMut(&mut Map<String, Json>)) {
    let Json::Object(keywords) = schema else { return };
    for (key, value) in keywords.iter_mut() {
        match KEYWORDS.iter().find(|(known, _)| known == key).map(|(_, holds)| *holds) {
            Some(Holds::Schema) => each_part(value, change),
            Some(Holds::Schemas) => value.as_array_mut().into_iter().flatten().for_each(|part| each_part(part, change)),
            Some(Holds::Named) => {
                let none = &mut Map::new();
                value.as_object_mut().unwrap_or(none).values_mut().for_each(|part| each_part(part, change));
            }
            _ => {}
        }
    }
    change(keywords);
}

/// Forbids properties that an object with `properties` does not name, unless the schema decides.
fn close_object(keywords: &mut Map<String, Json>) {
    let open = ["additionalProperties", "patternProperties", "minProperties"];
    if keywords.contains_key("properties") && !open.iter().any(|key| keywords.contains_key(*key)) {
        keywords.insert("additionalProperties".to_owned(), false.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks where and why a schema is refused; an empty text for a schema that can be used.
    fn check(schema: Json, expected: &str) {
        let found = match check_schema(&schema) {
            Ok(()) => String::new(),
            Err(Unfit { path, message, hint }) => {
                format!("{}: {message}{}", path.join("/"), hint.map(|hint| format!(" ({hint})")).unwrap_or_default())
            }
        };
        assert!(found.starts_with(expected) && found.is_empty() == expected.is_empty(), "{schema}: {found}");
    }

    #[test]
    fn keywords_that_are_not_enforced_are_refused_by_name() {
        check(
            json!({"type": "object", "properties": {"a": {"type": "array", "uniqueItems": true}}}),
            "properties/a/uniqueItems: found the keyword `uniqueItems` in a schema, which is not supported",
        );
        check(
            json!({"propertes": {}}),
            "propertes: found the keyword `propertes` in a schema, which is not supported (did you mean `properties`?)",
        );
        check(json!({"type": "strin"}), "type: found an invalid schema: ");
        check(json!({"$ref": "https://example.org/a"}), "$ref: found the reference `https://example.org/a`");
        check(json!({"$ref": "#/$defs/a"}), "$ref: found the reference `#/$defs/a`");
        check(json!({"type": "string", "format": "colour"}), ": found a schema that cannot be enforced: ");
        check(
            json!({"type": "string", "pattern": "(?=a)b"}),
            "pattern: found the pattern `(?=a)b`, which is not supported",
        );
        check(json!({"type": "integer", "minimum": 5, "maximum": 4}), ": found a schema that cannot be enforced: ");
        check(json!({"x-guidance": {"lenient": true}}), "x-guidance: found the keyword `x-guidance`");
        check(json!(5), ": found 5, expected a schema");
    }

    #[test]
    fn usual_schemas_can_be_used() {
        check(json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}), "");
        check(json!({"type": "array", "items": {"enum": ["x", "y"]}, "minItems": 2, "maxItems": 4}), "");
        check(json!({"anyOf": [{"type": "string", "maxLength": 8}, {"type": "null"}]}), "");
        check(json!({"type": "string", "format": "date"}), "");
        check(json!({"type": "string", "pattern": r"^\d{3}-\d{4}$"}), "");
        check(json!(true), "");
    }

    #[test]
    fn hostile_schemas_end_with_one_line() {
        let mut deep = json!({"type": "string"});
        for _ in 0..200 {
            deep = json!({"type": "array", "items": deep});
        }
        check(deep, "items/items/");
        check(json!({"type": "array", "items": {}, "minItems": 1_000_000}), "minItems: found 1000000 for `minItems`");
        check(json!({"type": "string", "minLength": 1_000_000_000_u64}), "minLength: found 1000000000");
        check(
            json!({"type": "string", "pattern": "((a{1,1000}){1,1000}){1,1000}"}),
            "pattern: found the pattern `((a{1,1000})",
        );
        check(json!({"type": "string", "pattern": "(a|b)*a(a|b){18}"}), ": found a schema that ");
        check(
            json!({"type": "string", "pattern": "(a{100}){100}"}),
            "pattern: found a regular expression whose shortest match has 10000 bytes",
        );
        let patterns: Vec<Json> = (0..40).map(|i| json!({"pattern": format!("a.*{i}")})).collect();
        check(
            json!({"type": "string", "allOf": patterns}),
            ": found 40 patterns in a schema with `allOf`, expected at most 8",
        );
        let long = "x".repeat(200_000);
        check(json!({"const": long}), "const: found a text of 200000 characters, expected at most 2000");
        check(json!({"enum": ["a", {"b": [long]}]}), "enum: found a text of 200000 characters");
        check(json!({"type": "object", "required": [long]}), "required: found a text of 200000 characters");
        check(
            json!({"type": "string", "pattern": "(".repeat(1000)}),
            "pattern: found a regular expression that is nested",
        );
        check(json!({"$ref": "#"}), ": found a schema");
        check(
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/a"}}, "required": ["b"]}}}),
            ": found a schema",
        );
    }
}
