//! Descriptions of a dialogue's inputs: for `run NAME --help`, `check` and `show --json`.

use super::{out::Out, settings::Settings, source};
use crate::{
    error::Fault,
    plan::{CompileOptions, DeclaredInput, Plan},
    value::json::to_json,
};
use serde_json::{Value as Json, json};

/// The inputs as JSON.
pub(crate) fn inputs_json(plan: &Plan) -> Json {
    let one = |(name, input): (&String, &DeclaredInput)| {
        json!({
            "name": name,
            "type": input.ty.to_string(),
            "required": input.default.is_none(),
            "default": input.default.as_ref().map(to_json),
            "about": input.about,
        })
    };
    plan.inputs.iter().map(one).collect()
}

/// The inputs as text, one a line.
fn inputs_text(plan: &Plan) -> String {
    let line = |(name, input): (&String, &DeclaredInput)| {
        let default = input.default.as_ref().map(|value| format!(" (default: {})", to_json(value)));
        let about = input.about.as_ref().map(|about| format!("  {about}"));
        let text = format!("  -i {name}=…  {}{}{}", input.ty, default.unwrap_or_default(), about.unwrap_or_default());
        text.trim_end().to_owned() + "\n"
    };
    plan.inputs.iter().map(line).collect()
}

/// The inputs in one line, for `check`.
pub(crate) fn inputs_brief(plan: &Plan) -> String {
    let one = |(name, input): (&String, &DeclaredInput)| match &input.default {
        Some(default) => format!("{name}: {} = {}", input.ty, to_json(default)),
        None => format!("{name}: {}", input.ty),
    };
    plan.inputs.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The options of `run` that have a value.
const WITH_VALUE: &[&str] =
    &["-i", "--input", "--cast", "--device", "--memory", "--seed", "--deadline", "--record", "--color"];

/// The dialogue of `run DIALOGUE --help`; none for other arguments.
pub(crate) fn dialogue(args: &[String]) -> Option<&str> {
    let command = args.iter().position(|arg| !arg.starts_with('-'))?;
    if args[command] != "run" {
        return None;
    }
    let rest = &args[command + 1..];
    let is_value = |i: usize| i > 0 && WITH_VALUE.contains(&rest[i - 1].as_str());
    let name = rest.iter().enumerate().find(|(i, arg)| !arg.starts_with('-') && !is_value(*i));
    name.map(|(_, name)| name.as_str())
}

/// The help of a dialogue as text or JSON. Fails if the dialogue does not exist or has problems, which it prints.
pub(crate) fn help(name: &str, out: &Out, settings: &Settings) -> Result<String, Fault> {
    let source = source::find(name, settings, settings.network(false))?;
    let plan = source::compile(&source, &CompileOptions::default(), out)?;
    if out.json {
        return Ok(json!({ "dialogue": name, "about": plan.about, "inputs": inputs_json(&plan) }).to_string() + "\n");
    }
    let about = plan.about.as_ref().map(|about| format!("{about}\n\n")).unwrap_or_default();
    let inputs = inputs_text(&plan);
    let inputs =
        if inputs.is_empty() { "This dialogue takes no inputs.\n".to_owned() } else { format!("Inputs:\n{inputs}") };
    Ok(format!("{name}: {about}{inputs}\n"))
}
