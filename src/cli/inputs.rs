//! A dialogue's inputs from the command line, or from the fields of a case.

use crate::{
    error::Fault,
    files,
    media::{self, Access},
    plan::{self, Plan},
    value::json as value_json,
    value::{Type, Value},
};
use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::path::Path;

/// `name=value` pairs, each read as its input's type wants. Unknown, doubled and missing names are refused.
pub(crate) async fn bind(plan: &Plan, pairs: &[String], access: &Access) -> Result<IndexMap<String, Value>, Fault> {
    let mut bound = IndexMap::new();
    for pair in pairs {
        let (name, text) = pair.split_once('=').ok_or_else(|| {
            Fault::refused(format!("`-i {pair}` is not an input")).hint("write -i name=value, such as -i video=day.mp4")
        })?;
        let input = plan.inputs.get(name).ok_or_else(|| unknown(plan, name))?;
        let value = from_text(name, text, &input.ty, access).await?;
        if bound.insert(name.to_owned(), value).is_some() {
            return Err(Fault::refused(format!("the input `{name}` is given twice")));
        }
    }
    complete(plan, &bound)?;
    Ok(bound)
}

/// Fails if an input that has no default is not bound.
pub(crate) fn complete(plan: &Plan, bound: &IndexMap<String, Value>) -> Result<(), Fault> {
    let missing: Vec<&str> = plan.required_inputs().filter(|name| !bound.contains_key(*name)).collect();
    let example = |name: &str| format!("-i {name}=…");
    match missing.as_slice() {
        [] => Ok(()),
        [name] => Err(Fault::refused(format!("the input `{name}` has no value")).hint(example(name))),
        names => Err(Fault::refused(format!("the inputs {} have no value", names.join(", ")))
            .hint(names.iter().map(|n| example(n)).collect::<Vec<_>>().join(" "))),
    }
}

fn unknown(plan: &Plan, name: &str) -> Fault {
    let known: Vec<&str> = plan.inputs.keys().map(String::as_str).collect();
    let hint = plan::closest(name, known.iter().copied())
        .unwrap_or_else(|| format!("the inputs of {}: {}", plan.name, known.join(", ")));
    Fault::refused(format!("{} has no input `{name}`", plan.name)).hint(hint)
}

async fn from_text(name: &str, text: &str, ty: &Type, access: &Access) -> Result<Value, Fault> {
    let wrong = |expected: &str| Fault::refused(format!("the input `{name}` wants {expected}, found `{text}`"));
    Ok(match ty {
        Type::Video => Value::Video(media::open(text, access).await?),
        Type::Audio => Value::Audio(media::open(text, access).await?),
        Type::Image => Value::Image(media::image_file(text).await?),
        Type::Number => Value::Number(text.parse().map_err(|_| wrong("a number"))?),
        Type::Truth => match text {
            "true" | "yes" => Value::Truth(true),
            "false" | "no" => Value::Truth(false),
            _ => return Err(wrong("true or false")),
        },
        Type::Text | Type::Any => match text.strip_prefix('@') {
            Some(file) => Value::Text(read(name, Path::new(file))?),
            None => Value::Text(text.to_owned()),
        },
        Type::List(item) if matches!(**item, Type::Video | Type::Audio | Type::Image) => {
            let mut items = Vec::new();
            for path in text.split(',') {
                items.push(Box::pin(from_text(name, path.trim(), item, access)).await?);
            }
            Value::List(items)
        }
        _ if text.starts_with(['[', '{']) => {
            let json = serde_json::from_str(text).map_err(|e| wrong(&format!("JSON ({e})")))?;
            value_json::from_json_as(&json, ty).map_err(|e| wrong(&e))?
        }
        _ => from_file(name, Path::new(text.strip_prefix('@').unwrap_or(text)), ty)?,
    })
}

fn read(name: &str, file: &Path) -> Result<String, Fault> {
    let text = files::read_given(&files::path(&file.to_string_lossy()), files::MAX_INPUT_BYTES);
    text.map_err(|e| Fault::refused(format!("the input `{name}`: {} cannot be read: {e}", file.display())))
}

/// A list or record from a `.json` file, or a list from the lines of a `.jsonl` file.
fn from_file(name: &str, file: &Path, ty: &Type) -> Result<Value, Fault> {
    let text = read(name, file)?;
    let wrong = |what: String| Fault::refused(format!("the input `{name}`: {}: {what}", file.display()));
    let json = if file.extension().is_some_and(|e| e == "jsonl") {
        let parse = |(line, json): (usize, Result<Json, String>)| json.map_err(|e| wrong(format!("line {line}: {e}")));
        Json::Array(json_lines(&text).map(parse).collect::<Result<_, _>>()?)
    } else {
        serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?
    };
    value_json::from_json_as(&json, ty).map_err(wrong)
}

/// The lines of a JSONL file that are not blank, with their numbers from 1: what each holds, or what is wrong with it.
pub(crate) fn json_lines<T: DeserializeOwned>(text: &str) -> impl Iterator<Item = (usize, Result<T, String>)> {
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(n, line)| {
        let held = serde_json::from_str(line).map_err(|e| {
            // of the line within the line there is nothing to tell
            let said = e.to_string();
            let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
            if e.column() > 0 { format!("{said} (column {})", e.column()) } else { said.to_owned() }
        });
        (n + 1, held)
    })
}

/// Media that earlier cases named, by path: many cases ask about one video, and looking into it takes longer than many an
/// answer from the memo.
pub(crate) type Opened = IndexMap<String, Value>;

/// The inputs of one case: fields of the same name, paths relative to the cases file. Fields that the dialogue does not
/// take are left alone.
pub(crate) async fn from_case(
    plan: &Plan,
    fields: &IndexMap<String, Json>,
    folder: &Path,
    access: &Access,
    opened: &mut Opened,
) -> Result<IndexMap<String, Value>, Fault> {
    let mut bound = IndexMap::new();
    for (name, input) in &plan.inputs {
        let Some(field) = fields.get(name) else { continue };
        let path = |text: &str| match text.contains("://") {
            true => text.to_owned(),
            false => files::name(folder.join(text).as_os_str()),
        };
        let value = match (&input.ty, field) {
            (Type::Text | Type::Any, Json::String(text)) => Value::Text(text.clone()),
            (Type::Video | Type::Audio | Type::Image, Json::String(text)) => {
                let path = path(text);
                let known = opened.get(&path).filter(|medium| medium.ty() == input.ty).cloned();
                match known {
                    Some(medium) => medium,
                    None => {
                        let medium = from_text(name, &path, &input.ty, access).await?;
                        opened.insert(path, medium.clone());
                        medium
                    }
                }
            }
            (Type::List(_) | Type::Record(_), Json::String(text)) => {
                from_file(name, Path::new(&path(text)), &input.ty)?
            }
            (ty, json) => {
                value_json::from_json_as(json, ty).map_err(|e| Fault::refused(format!("the field `{name}`: {e}")))?
            }
        };
        bound.insert(name.clone(), value);
    }
    complete(plan, &bound)?;
    Ok(bound)
}
