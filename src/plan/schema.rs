//! JSON Schemas for editors, from the same types that read the files.

use super::VerbRow;
use crate::dialogue::{AgentFile, CastFile, DialogueFile, StepWritten};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

/// The schema of dialogue files with these verbs. A step has the common keys and all verbs as properties, and requires
/// exactly one verb; editors complete this form best.
pub fn schema(verbs: &[VerbRow]) -> Value {
    let mut generator = generator();
    let rows: Vec<(&str, Value)> = verbs.iter().map(|row| (row.name, row.schema(&mut generator).into())).collect();
    // registers the definition of a step, which the steps of a loop use too
    let _ = generator.subschema_for::<StepWritten>();
    if let Some(step) = generator.definitions_mut().get_mut("Step") {
        if let Some(properties) = step.get_mut("properties").and_then(Value::as_object_mut) {
            properties.extend(rows.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
        }
        step["oneOf"] = verbs.iter().map(|row| serde_json::json!({ "required": [row.name] })).collect();
    }
    finished(generator.into_root_schema_for::<DialogueFile>(), "elenchus dialogue, version 1")
}

/// The schema of agent files.
pub fn agent_schema() -> Value {
    schema_of::<AgentFile>("elenchus agent")
}

/// The schema of cast files.
pub fn cast_schema() -> Value {
    schema_of::<CastFile>("elenchus cast")
}

fn schema_of<T: JsonSchema>(title: &str) -> Value {
    finished(generator().into_root_schema_for::<T>(), title)
}

fn generator() -> SchemaGenerator {
    // editors' YAML plug-ins support draft-07 best
    SchemaSettings::draft07().into_generator()
}

fn finished(schema: Schema, title: &str) -> Value {
    let mut schema = schema.to_value();
    without_null(&mut schema);
    schema["title"] = title.into();
    schema
}

/// Removes `null` from the types. An `Option` means that a key may be absent; a key without a value is an error.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let just_null = |branch: &Value| branch.get("type").is_some_and(|ty| ty == "null");
            if let Some(Value::Array(branches)) = fields.get_mut("anyOf") {
                branches.retain(|branch| !just_null(branch));
                if branches.len() == 1 {
                    let only = branches.remove(0);
                    fields.remove("anyOf");
                    if let Value::Object(only) = only {
                        // the field's own description takes precedence
                        for (key, value) in only {
                            fields.entry(key).or_insert(value);
                        }
                    }
                }
            }
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|ty| ty != "null");
                if types.len() == 1 {
                    let only = types.remove(0);
                    fields.insert("type".into(), only);
                }
            }
            fields.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}
