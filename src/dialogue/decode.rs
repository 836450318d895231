//! The decoding settings of an agent file, from the table of settings ([`SETTINGS`]).

use super::{At, Data, Node, Reading, Written};
use crate::exchange::{Decoding, SETTINGS, Setting, SettingForm, SettingValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// `decode` of an agent file: its settings in the order of the table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecodeWritten(pub Vec<(&'static Setting, SettingValue)>);

impl DecodeWritten {
    /// The settings as fields.
    pub fn decoding(&self) -> Decoding {
        let mut decoding = Decoding::default();
        self.0.iter().for_each(|(setting, value)| (setting.set)(&mut decoding, value.clone()));
        decoding
    }
}

impl Written for DecodeWritten {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        let Data::Map(entries) = &node.data else { return reading.wrong(node, "a mapping (`decode`)") };
        reading.duplicates(entries);
        let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        reading.unknown_keys(entries, &names, "`decode`");
        let value = |setting: &'static Setting, reading: &mut Reading| Some((setting, read(setting, node, reading)?));
        Some(DecodeWritten(SETTINGS.iter().filter_map(|setting| value(setting, reading)).collect()))
    }
}

/// The value of a setting in a mapping. Reports a value of another form or outside the range.
fn read(setting: &Setting, mapping: &Node, reading: &mut Reading) -> Option<SettingValue> {
    fn field<T: Written>(name: &str, mapping: &Node, reading: &mut Reading) -> Option<T> {
        reading.field::<Option<T>>(mapping, name, "`decode`").flatten()
    }
    let name = setting.name;
    match setting.form {
        SettingForm::Number(range) => {
            let At { value, pos } = field::<At<f64>>(name, mapping, reading)?;
            if range.holds(value) {
                return Some(SettingValue::Number(value));
            }
            let message = format!("found {value} for `{name}`, expected {}", range.expected());
            reading.problem("wrong-value", pos, message, None);
            None
        }
        SettingForm::Texts => texts(name, mapping, "`decode`", reading),
        SettingForm::Truth => field(name, mapping, reading).map(SettingValue::Truth),
    }
}

/// A setting of texts in a mapping. Reports an empty text, because it occurs everywhere.
pub(crate) fn texts(name: &'static str, mapping: &Node, what: &str, reading: &mut Reading) -> Option<SettingValue> {
    let texts = reading.field::<Option<Vec<At<String>>>>(mapping, name, what).flatten()?;
    for text in texts.iter().filter(|text| text.value.is_empty()) {
        let message = format!("found an empty text for `{name}`, expected at least one character");
        reading.problem("wrong-value", text.pos, message, None);
    }
    Some(SettingValue::Texts(texts.into_iter().map(|text| text.value).collect()))
}

impl JsonSchema for DecodeWritten {
    fn schema_name() -> Cow<'static, str> {
        "DecodeWritten".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = settings_schema(Setting::schema);
        schema.insert("additionalProperties".into(), false.into());
        schema
    }
}

/// The schema of a mapping with the keys of all settings.
pub(crate) fn settings_schema(value: impl Fn(&Setting) -> Schema) -> Schema {
    let property = |setting: &Setting| {
        let mut schema = value(setting);
        schema.insert("description".into(), format!("{}.", setting.about).into());
        (setting.name.to_owned(), schema.to_value())
    };
    let properties: serde_json::Map<String, serde_json::Value> = SETTINGS.iter().map(property).collect();
    json_schema!({ "type": "object", "description": "Decoding settings of a language model.", "properties": properties })
}
