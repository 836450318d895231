//! What `elenchus try` reads from files: labels and JSON Schemas.

use crate::{
    dialogue::{self, MAX_LABELS, Resource},
    error::Fault,
    exchange::{EmbedPurpose, Item, Sampling},
    files, grammar,
    hub::Catalogue,
    media::{self, Access},
    problem::closest,
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indexmap::IndexSet;
use serde_json::Value as Json;
use std::{io, path::Path};

/// The labels of `--flag`: a file with one label a line, a list separated by commas, or the name of a list
/// (`starter/places`). A repeated label counts once.
pub(super) fn labels(flag: &str, text: &str, catalogue: &Catalogue) -> Result<Vec<String>, Fault> {
    let found = match files::read_given(Path::new(text), files::MAX_BYTES) {
        Ok(file) => dialogue::labels(&file),
        Err(_) if text.contains(',') => separated(text),
        // names of lists have no spaces
        Err(_) if text.trim().contains(' ') && !text.contains('/') => vec![text.trim().to_owned()],
        Err(error) => match catalogue.find(Resource::Labels, text).map_err(Fault::refused)? {
            Some(found) => dialogue::labels(&found.text),
            None => {
                let names = catalogue.names(Resource::Labels);
                let near = closest(text, names.iter().map(String::as_str));
                let all = || {
                    let names = names.join(", ");
                    format!(
                        "name a file, labels separated by commas (`{text},` is one label), or one of the lists {names}"
                    )
                };
                return Err(missing(flag, text, "file or list of labels", &error).hint(near.unwrap_or_else(all)));
            }
        },
    };
    match found.len() {
        0 => Err(Fault::refused(format!("--{flag}: `{text}` contains no labels"))),
        count if count > MAX_LABELS => {
            Err(Fault::refused(format!("--{flag}: found {count} labels, expected at most {MAX_LABELS}")))
        }
        _ => Ok(found),
    }
}

/// The most frames of a video in one prompt.
const MAX_FRAMES: usize = 64;

/// The frames of a video that a model looks at: two in a second, or evenly spread ones if these are too many.
pub(super) async fn frames(video: &str, access: &Access) -> Result<Vec<Item>, Fault> {
    let media = media::open(video, access).await?;
    if !media.has_video {
        return Err(Fault::refused(format!("--video: {video} has no pictures")));
    }
    let moments = media::sample(&media, &Sampling::Every(0.5)).await?;
    let (all, kept) = (moments.len(), moments.len().min(MAX_FRAMES));
    Ok((0..kept).map(|n| Item::Frame(moments[n * all / kept].clone())).collect())
}

/// Reads `--as`.
pub(super) fn purpose() -> impl TypedValueParser<Value = EmbedPurpose> {
    PossibleValuesParser::new(EmbedPurpose::ALL.map(|(word, _)| word))
        .try_map(|word| EmbedPurpose::of(&word).ok_or("no such purpose: this is a bug"))
}

/// Reads a number from 0 to 1.
pub(super) fn share(text: &str) -> Result<f32, String> {
    let number: Result<f32, _> = text.trim().parse();
    number.ok().filter(|number| (0.0..=1.0).contains(number)).ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

/// The labels between the commas of a text.
fn separated(text: &str) -> Vec<String> {
    let labels: IndexSet<&str> = text.split(',').map(str::trim).filter(|label| !label.is_empty()).collect();
    labels.into_iter().map(str::to_owned).collect()
}

/// The JSON Schema in a file, or of a name.
pub(super) fn schema(name: &str, catalogue: &Catalogue) -> Result<Json, Fault> {
    let text = match files::read_given(Path::new(name), grammar::MAX_SCHEMA_BYTES) {
        Ok(text) => text,
        Err(error) => match catalogue.find(Resource::Schema, name).map_err(Fault::refused)? {
            Some(found) => found.text,
            None => {
                let names = catalogue.names(Resource::Schema);
                let near = closest(name, names.iter().map(String::as_str));
                let places =
                    || "name a file with a JSON Schema, or NAME of schemas/NAME.json in the project".to_owned();
                return Err(missing("schema", name, "file or schema", &error).hint(near.unwrap_or_else(places)));
            }
        },
    };
    serde_json::from_str(&text).map_err(|error| Fault::refused(format!("--schema: {name} is not JSON: {error}")))
}

/// The refusal of a text that names no `what`, or a file that cannot be read.
fn missing(flag: &str, text: &str, what: &str, error: &io::Error) -> Fault {
    Fault::refused(match error.kind() {
        io::ErrorKind::NotFound => format!("--{flag}: no {what} is named `{text}`"),
        _ => format!("--{flag}: `{text}` cannot be read: {error}"),
    })
}
