//! Reads a dialogue's inputs from texts (`name=value`), or from the fields of a case.

use super::lists;
use crate::{
    error::Fault,
    files,
    media::{self, Access},
    plan::{self, Inputs, Plan},
    value::json as value_json,
    value::{Media, Time, Type, Value},
};
use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::{path::Path, sync::Arc};

/// The inputs from `name=value` pairs, each read as the input's type. Fails if a name is unknown, doubled or missing,
/// or if a value does not fit its type.
pub async fn bind(plan: &Plan, pairs: &[String], access: &Access) -> Result<Inputs, Fault> {
    let mut given: IndexMap<&str, Vec<String>> = IndexMap::new();
    for pair in pairs {
        let (name, text) = pair.split_once('=').ok_or_else(|| {
            Fault::refused(format!("`-i {pair}` is not an input")).hint("write -i name=value, such as -i video=day.mp4")
        })?;
        if !plan.inputs.contains_key(name) {
            return Err(vec![plan::bind::unknown(&plan.name, &plan.inputs, name.to_owned())].into());
        }
        given.entry(name).or_default().push(text.to_owned());
    }
    let mut bound = IndexMap::new();
    for (name, input) in &plan.inputs {
        let value = match (given.get(name.as_str()).map(Vec::as_slice), &input.ty) {
            (None, _) => continue,
            (Some(texts), Type::List(item)) => list_from(name, texts, &input.ty, item, access).await?,
            (Some([text]), ty) => from_text(name, text, ty, access).await?,
            (Some(_), ty) => {
                let fault = Fault::refused(format!("the input `{name}` is given twice, but it is a single {ty}"));
                return Err(fault.hint(format!("give one -i {name}=…")));
            }
        };
        bound.insert(name.clone(), value);
    }
    Ok(plan.bind(bound)?)
}

/// A list from texts. Lists of files have the forms of [`lists`]. Other lists are repeated items, JSON, or a file.
async fn list_from(name: &str, texts: &[String], ty: &Type, item: &Type, access: &Access) -> Result<Value, Fault> {
    if !matches!(item, Type::Video | Type::Audio | Type::Image) {
        return plain_list(name, texts, ty, item, access).await;
    }
    let mut items = Vec::new();
    for path in list_paths(name, texts, item)? {
        items.push(from_text(name, &path, item, access).await?);
    }
    Ok(Value::List(items))
}

/// The files of a list of media.
fn list_paths(name: &str, texts: &[String], item: &Type) -> Result<Vec<String>, Fault> {
    let kind = match item {
        Type::Audio => lists::Files::Sounds,
        Type::Image => lists::Files::Images,
        _ => lists::Files::Videos,
    };
    lists::paths(name, texts, kind)
}

async fn plain_list(name: &str, texts: &[String], ty: &Type, item: &Type, access: &Access) -> Result<Value, Fault> {
    let hint = |fault: Fault| if fault.hint.is_some() { fault } else { fault.hint(lists::forms(name, None)) };
    if let [text] = texts {
        let is_file = is_json(text) || text.starts_with('@');
        let is_simple = matches!(item, Type::Text | Type::Any | Type::Number | Type::Truth);
        if text.starts_with(['[', '{']) || is_file || !is_simple || files::path(text).is_file() {
            return from_text(name, text, ty, access).await.map_err(hint);
        }
    }
    let mut items = Vec::new();
    for text in texts {
        items.push(from_text(name, text, item, access).await.map_err(hint)?);
    }
    Ok(Value::List(items))
}

async fn from_text(name: &str, text: &str, ty: &Type, access: &Access) -> Result<Value, Fault> {
    let wrong = |expected: &str| Fault::refused(format!("the input `{name}` expects {expected}, found `{text}`"));
    Ok(match ty {
        Type::Video => Value::Video(media::open(text, access).await?),
        Type::Audio => Value::Audio(media::open(text, access).await?),
        Type::Image => Value::Image(media::image_file(text, access).await?),
        Type::Number => Value::Number(text.parse().map_err(|_| wrong("a number"))?),
        Type::Truth => match text {
            "true" | "yes" => Value::Truth(true),
            "false" | "no" => Value::Truth(false),
            _ => return Err(wrong("true or false")),
        },
        // a text that only looks like JSON stays a text
        Type::Any if text.starts_with(['[', '{']) => match serde_json::from_str(text) {
            Ok(json) => value_json::from_json_as(&json, ty).map_err(|e| wrong(&e))?,
            Err(_) => Value::Text(text.to_owned()),
        },
        Type::Any if is_json(text) && files::path(text).is_file() => from_file(name, Path::new(text), ty)?,
        Type::Text | Type::Any => match text.strip_prefix('@') {
            Some(file) => Value::Text(read(name, Path::new(file))?),
            None => Value::Text(text.to_owned()),
        },
        _ if text.starts_with(['[', '{']) => {
            let json = serde_json::from_str(text).map_err(|e| wrong(&format!("JSON ({e})")))?;
            value_json::from_json_as(&json, ty).map_err(|e| wrong(&e))?
        }
        Type::List(item) if **item == Type::Text && is_plain_list(text) => {
            let lines = read(name, Path::new(&text[1..]))?;
            let lines = lines.trim_start_matches('\u{feff}').lines().map(str::trim);
            Value::List(lines.filter(|line| !line.is_empty()).map(|line| Value::Text(line.to_owned())).collect())
        }
        _ => from_file(name, Path::new(text.strip_prefix('@').unwrap_or(text)), ty)?,
    })
}

/// True for `@FILE` with one text a line, and not JSON.
fn is_plain_list(text: &str) -> bool {
    text.starts_with('@') && !is_json(text)
}

/// True for the name of a `.json` or `.jsonl` file.
fn is_json(text: &str) -> bool {
    [".json", ".jsonl"].iter().any(|ending| text.ends_with(ending))
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

/// The lines of a JSONL file that are not blank, with their numbers from 1: the value of each, or its problem.
pub fn json_lines<T: DeserializeOwned>(text: &str) -> impl Iterator<Item = (usize, Result<T, String>)> {
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(n, line)| {
        let held = serde_json::from_str(line).map_err(|e| {
            // serde's line number is always 1 here, so it is removed
            let said = e.to_string();
            let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
            if e.column() > 0 { format!("{said} (column {})", e.column()) } else { said.to_owned() }
        });
        (n + 1, held)
    })
}

/// The media of earlier cases, by path. Many cases may ask about one video, and opening it takes longer than a memo
/// hit.
pub type Opened = IndexMap<String, Value>;

/// What a case gives to the inputs.
pub struct Given<'a> {
    /// The field of a name.
    pub field: &'a (dyn Fn(&str) -> Option<&'a Json> + Sync),
    /// The folder where relative paths start.
    pub folder: &'a Path,
    /// Media of which only the beginning may be seen and heard: paths, with the end in seconds. The rest is withheld
    /// from every model.
    pub until: &'a IndexMap<String, f64>,
}

impl Given<'_> {
    /// The path that a field names.
    fn path(&self, text: &str) -> String {
        match text.contains("://") {
            true => text.to_owned(),
            false => files::name(self.folder.join(text).as_os_str()),
        }
    }

    /// The medium at a path, without what is withheld.
    async fn medium(
        &self,
        name: &str,
        path: &str,
        ty: &Type,
        access: &Access,
        opened: &mut Opened,
    ) -> Result<Value, Fault> {
        let known = opened.get(path).filter(|medium| medium.ty() == *ty).cloned();
        let medium = match known {
            Some(medium) => medium,
            None => {
                let medium = from_text(name, path, ty, access).await?;
                opened.insert(path.to_owned(), medium.clone());
                medium
            }
        };
        let Some(end) = self.until.get(path).map(|end| Time::from_seconds(*end)) else { return Ok(medium) };
        let cut = |media: &Arc<Media>| {
            let mut cut = media.as_ref().clone();
            if end < cut.end {
                cut.withheld.push((end.max(cut.start), cut.end));
            }
            Arc::new(cut)
        };
        Ok(match &medium {
            Value::Video(media) => Value::Video(cut(media)),
            Value::Audio(media) => Value::Audio(cut(media)),
            _ => medium,
        })
    }
}

/// The inputs of one case, from its fields of the same names. Other fields are ignored. Fails if a value does not fit
/// its type.
pub async fn from_case(plan: &Plan, given: &Given<'_>, access: &Access, opened: &mut Opened) -> Result<Inputs, Fault> {
    let mut bound = IndexMap::new();
    for (name, input) in &plan.inputs {
        let Some(field) = (given.field)(name) else { continue };
        let value = match (&input.ty, field) {
            (Type::Any, Json::String(text)) if is_json(text) && files::path(&given.path(text)).is_file() => {
                from_file(name, Path::new(&given.path(text)), &input.ty)?
            }
            (Type::Text | Type::Any, Json::String(text)) => Value::Text(text.clone()),
            (Type::Video | Type::Audio | Type::Image, Json::String(text)) => {
                given.medium(name, &given.path(text), &input.ty, access, opened).await?
            }
            (Type::List(item), field) if matches!(**item, Type::Video | Type::Audio | Type::Image) => {
                let texts: Vec<String> = match field {
                    Json::String(text) => vec![given.path(text)],
                    Json::Array(items) => items.iter().filter_map(Json::as_str).map(|text| given.path(text)).collect(),
                    _ => return Err(Fault::refused(format!("the field `{name}`: expected paths"))),
                };
                // a list of thousands of files is not a pattern
                let paths = match texts.iter().all(|text| files::path(text).is_file()) {
                    true => texts,
                    false => list_paths(name, &texts, item)?,
                };
                let mut items = Vec::with_capacity(paths.len());
                for path in paths {
                    items.push(given.medium(name, &path, item, access, opened).await?);
                }
                Value::List(items)
            }
            (Type::List(_) | Type::Record(_), Json::String(text)) => {
                from_file(name, Path::new(&given.path(text)), &input.ty)?
            }
            (ty, json) => {
                value_json::from_json_as(json, ty).map_err(|e| Fault::refused(format!("the field `{name}`: {e}")))?
            }
        };
        bound.insert(name.clone(), value);
    }
    Ok(plan.bind(bound)?)
}
