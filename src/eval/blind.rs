//! The blind row: the same questions without the medium or log, to see what can be guessed.
//!
//! A dialogue with an input `blind` of the type truth gets it as true, and decides itself. For any other dialogue every video, sound and picture becomes a blank one: grey, silent, two seconds long. Every list of media becomes one blank
//! medium, and every list of records (a log) becomes empty. Texts, choices and candidates stay.

use super::case::Case;
use crate::{error::Fault, plan::Plan, value::Type};
use indexmap::IndexMap;
use serde_json::{Value as Json, json};
use std::path::PathBuf;

/// The input that tells a dialogue to be blind.
const INPUT: &str = "blind";
/// A grey, silent video of two seconds.
const VIDEO: &[u8] = include_bytes!("blank.mp4");
/// A grey picture.
const IMAGE: &[u8] = include_bytes!("blank.png");

/// The blank media, in a folder of their own that ends with this.
pub struct Blanks {
    _folder: tempfile::TempDir,
    video: String,
    image: String,
}

impl Blanks {
    /// Writes the blank media.
    pub fn new() -> Result<Blanks, Fault> {
        let folder = tempfile::tempdir()?;
        let write = |name: &str, bytes: &[u8]| -> Result<PathBuf, Fault> {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes)?;
            Ok(path)
        };
        let (video, image) = (write("blank.mp4", VIDEO)?, write("blank.png", IMAGE)?);
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        Ok(Blanks { _folder: folder, video: text(video), image: text(image) })
    }

    /// The fields of a case that change, with what takes their place; empty if the dialogue gets no medium and no log.
    pub fn fields(&self, plan: &Plan, case: &Case) -> IndexMap<String, Json> {
        if is_asked(plan) {
            return IndexMap::from([(INPUT.to_owned(), json!(true))]);
        }
        let medium = |ty: &Type| match ty {
            Type::Video | Type::Audio => Some(json!(self.video)),
            Type::Image => Some(json!(self.image)),
            _ => None,
        };
        let blank = |ty: &Type| match ty {
            Type::List(item) => match (medium(item), item.as_ref()) {
                (Some(medium), _) => Some(json!([medium])),
                (None, Type::Record(_) | Type::Moment) => Some(json!([])),
                _ => None,
            },
            ty => medium(ty),
        };
        let given = plan.inputs.iter().filter(|(name, _)| case.field(name).is_some());
        given.filter_map(|(name, input)| Some((name.clone(), blank(&input.ty)?))).collect()
    }
}

/// True if the dialogue has an input that tells it to be blind.
fn is_asked(plan: &Plan) -> bool {
    plan.inputs.get(INPUT).is_some_and(|input| input.ty == Type::Truth)
}

/// How a dialogue runs blind on cases like this one, or why it cannot.
pub fn way(plan: &Plan, case: &Case, fields: &IndexMap<String, Json>) -> Result<&'static str, String> {
    if is_asked(plan) {
        return Ok("the same cases with the dialogue's own input `blind`");
    }
    if fields.is_empty() {
        return Err(format!("{} gets no medium and no log from these cases", plan.name));
    }
    match case.field("videos").is_some() && case.options.is_empty() && fields.contains_key("videos") {
        true => Err("without the videos there is nothing to rank".to_owned()),
        false => Ok("the same cases with blank media and empty logs"),
    }
}
