//! The reference of the language as Markdown, from the schemas and the list of filters, so that it says what the program does.

use super::{VerbRow, agent_schema, cast_schema, schema};
use crate::prompt::filter_list::FILTERS;
use serde_json::Value;
use std::fmt::Write;

/// The reference of dialogues, agent files and casts, with these verbs.
pub fn reference(verbs: &[VerbRow]) -> String {
    let dialogue = schema(verbs);
    let mut page = Page { text: String::new(), definitions: &dialogue["definitions"] };
    page.add(HEAD);
    page.object("Dialogue", "`examples/NAME.yaml`.", &dialogue);
    page.named("Input", "InputFields", "An input is a type, or these keys.");
    page.step(verbs);
    for verb in verbs {
        page.verb(verb.name, &dialogue["definitions"]["Step"]["properties"][verb.name]);
    }
    page.named("Test", "TestWritten", "");
    page.named("Expectation", "ExpectWritten", "");
    page.filters();
    let agent = agent_schema();
    let mut page = Page { definitions: &agent["definitions"], text: page.text };
    page.object("Agent file", "`agents/NAME.yaml`.", &agent);
    page.definitions(&agent);
    let cast = cast_schema();
    let mut page = Page { definitions: &cast["definitions"], text: page.text };
    page.object("Cast", "`casts/NAME.yaml`.", &cast);
    page.text
}

const HEAD: &str = "\
# The dialogue language

This page is made by `elenchus schema --markdown` from the types that read the files. The README introduces the language
(its part on writing a dialogue). Templates are in `{{ }}`; a key that takes a template also takes a plain value.

";

struct Page<'a> {
    text: String,
    definitions: &'a Value,
}

impl Page<'_> {
    fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A section about an object with keys.
    fn object(&mut self, title: &str, about: &str, schema: &Value) {
        let described = schema["description"].as_str().unwrap_or_default();
        let about = [about, described].iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join(" ");
        let _ = write!(self.text, "## {title}\n\n{}\n\n", line(&about));
        self.keys(schema);
    }

    /// A section about a definition.
    fn named(&mut self, title: &str, name: &str, about: &str) {
        let schema = self.definitions[name].clone();
        self.object(title, about, &schema);
    }

    /// The sections of the definitions that agent files use.
    fn definitions(&mut self, schema: &Value) {
        for (name, definition) in schema["definitions"].as_object().into_iter().flatten() {
            if definition["properties"].is_object() {
                self.object(&format!("`{}`", spoken(name)), "", definition);
            }
        }
    }

    /// The keys that all steps have.
    fn step(&mut self, verbs: &[VerbRow]) {
        let mut step = self.definitions["Step"].clone();
        if let Some(keys) = step["properties"].as_object_mut() {
            keys.retain(|name, _| verbs.iter().all(|verb| verb.name != name));
        }
        let names = verbs.iter().map(|verb| format!("[`{0}`](#{0})", verb.name)).collect::<Vec<_>>().join(", ");
        self.object("Step", &format!("The verbs are {names}. Each step may have these keys too."), &step);
    }

    fn verb(&mut self, name: &str, schema: &Value) {
        let schema = self.resolved(schema).clone();
        let _ = write!(self.text, "## {name}\n\n{}\n\n", line(schema["description"].as_str().unwrap_or_default()));
        self.keys(&schema);
    }

    /// A table of the keys of an object.
    fn keys(&mut self, schema: &Value) {
        let Some(keys) = schema["properties"].as_object().filter(|keys| !keys.is_empty()) else { return };
        let required = |name: &str| {
            schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)))
        };
        self.add("| key | takes | |\n| --- | --- | --- |\n");
        for (name, schema) in keys {
            let about = line(schema["description"].as_str().unwrap_or_default());
            let needed = if required(name) { " (needed)" } else { "" };
            let _ = writeln!(self.text, "| `{name}`{needed} | {} | {} |", self.form(schema), about.replace('|', "\\|"));
        }
        self.add("\n");
    }

    fn resolved<'v>(&'v self, schema: &'v Value) -> &'v Value {
        let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next());
        name.map_or(schema, |name| &self.definitions[name])
    }

    /// The form of a value in words.
    fn form(&self, schema: &Value) -> String {
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
            let inner = &self.definitions[name];
            return if inner["properties"].is_object() { spoken(name) } else { self.form(inner) };
        }
        if let Some(value) = schema.get("const") {
            return format!("`{value}`");
        }
        if let Some(values) = schema["enum"].as_array() {
            let words = values.iter().filter(|value| !value.is_null());
            let word = |value: &Value| format!("`{}`", value.as_str().map_or(value.to_string(), str::to_owned));
            return words.map(word).collect::<Vec<_>>().join(", ");
        }
        for key in ["anyOf", "allOf", "oneOf"] {
            if let Some(branches) = schema[key].as_array().filter(|_| schema["type"].is_null()) {
                let mut forms: Vec<String> = branches.iter().map(|branch| self.form(branch)).collect();
                forms.retain(|form| !form.is_empty());
                forms.dedup();
                return forms.join(" or ");
            }
        }
        let kinds = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).map(word).collect::<Vec<_>>().join(" or "),
            Value::String(kind) => word(kind).to_owned(),
            _ => return "any value".to_owned(),
        };
        let items = schema.get("items").filter(|items| items.as_object().is_some_and(|items| !items.is_empty()));
        let kinds = match items {
            Some(items) => format!("{kinds} of: {}", self.form(items)),
            None if schema["pattern"] == "\\{\\{" => "template".to_owned(),
            None => kinds,
        };
        let bound = |key: &str| schema[key].as_f64();
        match (bound("minimum"), bound("exclusiveMinimum"), bound("maximum")) {
            (Some(least), _, Some(most)) if most < 1e8 => format!("{kinds}, {least} to {most}"),
            (Some(least), ..) => format!("{kinds}, {least} or more"),
            (None, Some(below), Some(most)) => format!("{kinds}, more than {below}, at most {most}"),
            _ => kinds,
        }
    }

    fn filters(&mut self) {
        self.add("## Filters\n\nTemplates have minijinja's filters, and these.\n\n| filter | example | gives |\n| --- | --- | --- |\n");
        for filter in FILTERS {
            let (usage, about) = (filter.usage.replace('|', "\\|"), filter.about.replace('|', "\\|"));
            let _ = writeln!(self.text, "| `{}` | `{{{{ {usage} }}}}` | {about} |", filter.name);
        }
        self.add("\n");
    }
}

/// The word for a type.
fn word(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "boolean" => "`true` or `false`",
        "integer" => "whole number",
        "array" => "list",
        "object" => "record",
        other => other,
    }
}

/// The name of a definition for people.
fn spoken(name: &str) -> String {
    let name = name.trim_end_matches("Written").trim_end_matches("Fields").trim_end_matches("Verb");
    let mut spoken = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !spoken.is_empty() {
            spoken.push(' ');
        }
        spoken.extend(c.to_lowercase());
    }
    spoken
}

/// A text on one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
