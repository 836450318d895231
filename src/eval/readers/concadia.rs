//! Concadia (Kreiss et al. 2022): captions and descriptions of pictures of Wikipedia, with the paragraph beside them.

use super::{Benchmark, Dataset, Media, Wanted, dataset, first_of, json, media_folder};
use crate::{error::Fault, eval::case::Case};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "concadia",
    about: "captions or descriptions of pictures of Wikipedia, with the paragraph beside them",
    layout: "wiki_split.json; pictures in resized/",
    source: "elisakreiss/concadia",
    read,
};

#[derive(Deserialize)]
struct Split {
    images: Vec<Picture>,
}

#[derive(Deserialize)]
struct Picture {
    filename: String,
    split: String,
    description: Raw,
    caption: Raw,
    context: Raw,
}

#[derive(Deserialize)]
struct Raw {
    raw: String,
}

fn read(wanted: &Wanted) -> Result<Dataset, Fault> {
    wanted.without_captions("concadia")?;
    let split = wanted.split(&["test", "val", "train"])?;
    let task = wanted.task(&["caption", "description"])?;
    let all: Split = json(&first_of(&wanted.folder, &["wiki_split.json"])?)?;
    let mut media = Media::new(media_folder(&wanted.folder, &["resized", "wikicommons/resized"]), &[""]);
    let (mut cases, mut left_out) = (Vec::new(), 0);
    for picture in all.images.into_iter().filter(|picture| picture.split == split) {
        let Some(path) = media.find(&picture.filename)? else {
            left_out += 1;
            continue;
        };
        let answer = if task == "caption" { picture.caption.raw } else { picture.description.raw };
        let fields = IndexMap::from([
            ("image".to_owned(), json!(path)),
            ("context".to_owned(), json!(picture.context.raw)),
            ("kind".to_owned(), json!(task)),
        ]);
        cases.push(Case::new(picture.filename, vec![answer], fields));
    }
    let facts = [("split", json!(split)), ("task", json!(task))];
    dataset(wanted, cases, &facts, media.missing("images", left_out), &["cider_d", "bleu", "rouge_l"])
}
