//! JSON Schemas for editors, from the very types that files are read into.

use crate::dialogue::{AgentFile, CastFile, DialogueFile};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

/// The schema of dialogue files.
pub fn schema() -> Value {
    schema_of::<DialogueFile>("elenchus dialogue, version 1")
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
    // draft-07 is what editors' YAML plug-ins read best
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    schema["title"] = title.into();
    schema
}

/// `Option` is "may be absent" here, not "may be null": a key without a value is a slip.
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
                        // the field's own description stays
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
