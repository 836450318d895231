//! The type of the replies that a schema allows, and the validation of a reply.

use crate::value::{Type, Value, json};
use indexmap::IndexMap;
use serde_json::Value as Json;

/// The maximum number of references that lead to a type.
const MAX_REFERENCES: usize = 16;
/// The maximum bytes of a reply that is validated.
const MAX_REPLY_BYTES: usize = 8 << 20;

/// A validator of `schema`. Fails with the place and the reason if the schema is invalid.
pub(super) fn validator(schema: &Json) -> Result<jsonschema::Validator, (Vec<String>, String)> {
    // linear time for hostile patterns
    let options = jsonschema::options().with_pattern_options(jsonschema::PatternOptions::regex());
    let options = options.should_validate_formats(true);
    options.build(schema).map_err(|error| {
        let path = error.instance_path.to_string();
        let path = path.split('/').skip(1).map(str::to_owned).collect();
        (path, super::start(&error.to_string()).to_owned())
    })
}

/// The value of a reply: JSON that fits the schema. A property that may be absent, and is, is nothing. The error says
/// what was found.
pub fn validated(schema: &Json, text: &str) -> Result<Value, String> {
    if text.len() > MAX_REPLY_BYTES {
        return Err(format!("found a reply of {} bytes, expected at most {MAX_REPLY_BYTES}", text.len()));
    }
    let text = text.trim();
    let reply: Json = serde_json::from_str(text)
        .map_err(|error| format!("found `{}`, which is not JSON ({error})", super::start(text)))?;
    let validator = validator(schema).map_err(|(_, why)| why)?;
    match validator.validate(&reply) {
        Ok(()) => Ok(complete(json::from_json(&reply), &schema_type(schema))),
        Err(error) => {
            let (place, why) = (error.instance_path.to_string(), error.to_string());
            let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
            Err(format!("found a reply that does not fit the schema{place}: {}", super::start(&why)))
        }
    }
}

/// The value with nothing for each missing field of its type.
fn complete(value: Value, ty: &Type) -> Value {
    match (value, ty.required()) {
        (Value::List(items), Type::List(item)) => {
            Value::List(items.into_iter().map(|value| complete(value, item)).collect())
        }
        (Value::Record(mut fields), Type::Record(types)) if !types.is_empty() => {
            let mut whole: IndexMap<String, Value> = IndexMap::new();
            for (name, ty) in types.iter() {
                let field = fields.shift_remove(name).unwrap_or_default();
                whole.insert(name.clone(), complete(field, ty));
            }
            whole.extend(fields);
            Value::Record(whole)
        }
        (value, _) => value,
    }
}

/// The type of the values that fit the schema; `any` if it has no type of its own.
pub fn schema_type(schema: &Json) -> Type {
    of(schema, schema, 0).unwrap_or(Type::Any).bounded()
}

/// The type of a part; `None` for null.
fn of(schema: &Json, root: &Json, references: usize) -> Option<Type> {
    let Json::Object(keywords) = schema else { return Some(Type::Any) };
    if references > MAX_REFERENCES {
        return Some(Type::Any);
    }
    if let Some(Json::String(to)) = keywords.get("$ref") {
        let found = root.pointer(to.trim_start_matches('#'));
        return found.map_or(Some(Type::Any), |found| of(found, root, references + 1));
    }
    if let Some(value) = keywords.get("const") {
        return literal(value);
    }
    if let Some(Json::Array(values)) = keywords.get("enum") {
        return joined(values.iter().map(literal));
    }
    if let Some(Json::Array(parts)) = keywords.get("anyOf").or_else(|| keywords.get("oneOf")) {
        return joined(parts.iter().map(|part| of(part, root, references + 1)));
    }
    match keywords.get("type") {
        Some(Json::String(ty)) => named(ty, schema, root, references),
        Some(Json::Array(types)) => {
            joined(types.iter().map(|ty| named(ty.as_str().unwrap_or_default(), schema, root, references)))
        }
        _ if keywords.contains_key("properties") => named("object", schema, root, references),
        _ => Some(Type::Any),
    }
}

/// One type for several alternatives. Null beside others makes their type optional.
fn joined(types: impl Iterator<Item = Option<Type>>) -> Option<Type> {
    let (mut is_null, mut common) = (false, None);
    for ty in types {
        match (ty, &common) {
            (None, _) => is_null = true,
            (Some(ty), None) => common = Some(ty),
            (Some(ty), Some(one)) if ty == *one => {}
            (Some(_), Some(_)) => common = Some(Type::Any),
        }
    }
    common.map(|ty| if is_null { ty.or_nothing() } else { ty })
}

fn named(ty: &str, schema: &Json, root: &Json, references: usize) -> Option<Type> {
    let inner = |part: &Json| of(part, root, references + 1).unwrap_or(Type::Any);
    Some(match ty {
        "null" => return None,
        "string" => Type::Text,
        "number" | "integer" => Type::Number,
        "boolean" => Type::Truth,
        "array" if schema.get("prefixItems").is_some() => Type::Any.list(),
        "array" => schema.get("items").map_or(Type::Any, inner).list(),
        "object" => {
            let is_required = |name: &str| {
                let required = schema.get("required").and_then(Json::as_array);
                required.is_some_and(|required| required.iter().any(|required| required == name))
            };
            let properties = schema.get("properties").and_then(Json::as_object);
            let field = |(name, part): (&String, &Json)| {
                let ty = inner(part);
                (name.clone(), if is_required(name) { ty } else { ty.or_nothing() })
            };
            Type::record(properties.into_iter().flatten().map(field))
        }
        _ => Type::Any,
    })
}

fn literal(value: &Json) -> Option<Type> {
    match value {
        Json::Null => None,
        Json::String(_) => Some(Type::Text),
        Json::Number(_) => Some(Type::Number),
        Json::Bool(_) => Some(Type::Truth),
        _ => Some(Type::Any),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_has_a_type() {
        let check = |schema: Json, expected: &str| assert_eq!(schema_type(&schema).to_string(), expected, "{schema}");
        check(json!({"type": "string"}), "text");
        check(json!({"enum": ["a", "b"]}), "text");
        check(json!({"enum": [1, "b"]}), "any");
        check(json!({"type": ["integer", "null"]}), "number or nothing");
        check(json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]}), "truth or nothing");
        check(json!({"type": "array", "items": {"type": "array", "items": {"const": "x"}}}), "list of list of text");
        check(json!({"type": "array", "prefixItems": [{"type": "string"}]}), "list of any");
        check(json!({"$ref": "#/$defs/n", "$defs": {"n": {"type": "number"}}}), "number");
        check(json!({"$ref": "#"}), "any");
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}, "required": ["a"]});
        let fields = [("a".to_owned(), Type::Text), ("b".to_owned(), Type::Number.or_nothing())];
        assert_eq!(schema_type(&schema), Type::record(fields));
    }

    #[test]
    fn a_reply_is_validated_and_completed() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}, "required": ["a"]});
        let value = validated(&schema, " {\"a\": \"x\"}\n").expect("fits");
        let fields = [("a".to_owned(), Value::Text("x".into())), ("b".to_owned(), Value::Nothing)];
        assert_eq!(value, Value::Record(fields.into_iter().collect()));
        let check = |text: &str, expected: &str| {
            let error = validated(&schema, text).expect_err("does not fit");
            assert!(error.starts_with(expected), "{error}");
        };
        check("{\"a\": 1}", "found a reply that does not fit the schema at /a: 1 is not of type \"string\"");
        check("{\"a\": ", "found `{\"a\":`, which is not JSON (");
    }
}
