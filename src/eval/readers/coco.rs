//! COCO captions (Chen et al. 2015), with the splits of Karpathy and Fei-Fei (2015) or as released.

use super::{Benchmark, Dataset, Media, Wanted, dataset, first_of, json};
use crate::{error::Fault, eval::case::Case};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "coco",
    about: "captions of pictures, five references each",
    layout: "dataset_coco.json (Karpathy splits) or annotations/captions_val2014.json; pictures in val2014/, train2014/",
    source: "karpathy/neuraltalk2 (dataset_coco.json), cocodataset/cocoapi (captions_*.json)",
    read,
};

#[derive(Deserialize)]
struct Karpathy {
    images: Vec<KarpathyImage>,
}

#[derive(Deserialize)]
struct KarpathyImage {
    filename: String,
    filepath: Option<String>,
    split: String,
    cocoid: Option<u64>,
    sentences: Vec<Raw>,
}

#[derive(Deserialize)]
struct Raw {
    raw: String,
}

#[derive(Deserialize)]
struct Released {
    images: Vec<ReleasedImage>,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct ReleasedImage {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    caption: String,
}

/// A picture: its name, its file below the benchmark's folder, its captions.
type Picture = (String, String, Vec<String>);

fn read(wanted: &Wanted) -> Result<Dataset, Fault> {
    wanted.without_captions("coco")?;
    wanted.without_task("coco")?;
    let split = wanted.split(&["test", "val", "train", "restval", "val2014", "train2014", "val2017", "train2017"])?;
    let pictures = match split {
        "test" | "val" | "train" | "restval" => karpathy(wanted, split)?,
        _ => released(wanted, split)?,
    };
    let mut media = Media::new(wanted.folder.clone(), &[""]);
    let (mut cases, all) = (Vec::new(), pictures.len());
    for (id, file, answers) in pictures {
        let found = match media.find(&file)? {
            Some(path) => path,
            None => continue,
        };
        let fields = IndexMap::from([("image".to_owned(), json!(found))]);
        cases.push(Case::new(id, answers, fields));
    }
    let left_out = all - cases.len();
    let facts = [("split", json!(split)), ("task", json!("caption"))];
    dataset(wanted, cases, &facts, media.missing("images", left_out), &["cider_d", "bleu", "rouge_l"])
}

fn karpathy(wanted: &Wanted, split: &str) -> Result<Vec<Picture>, Fault> {
    let names = ["dataset_coco.json", "karpathy/dataset_coco.json", "annotations/dataset_coco.json"];
    let path = first_of(&wanted.folder, &names)?;
    let all: Karpathy = json(&path)?;
    let of_split = all.images.into_iter().filter(|image| image.split == split && !image.sentences.is_empty());
    Ok(of_split
        .map(|image| {
            let id = image.cocoid.map_or_else(|| image.filename.clone(), |id| id.to_string());
            let file = match image.filepath {
                Some(folder) => format!("{folder}/{}", image.filename),
                None => image.filename,
            };
            (id, file, image.sentences.into_iter().map(|sentence| sentence.raw).collect())
        })
        .collect())
}

fn released(wanted: &Wanted, split: &str) -> Result<Vec<Picture>, Fault> {
    let name = format!("captions_{split}.json");
    let path = first_of(&wanted.folder, &[&format!("annotations/{name}"), &name])?;
    let all: Released = json(&path)?;
    let mut captions: IndexMap<u64, Vec<String>> = IndexMap::new();
    for annotation in all.annotations {
        captions.entry(annotation.image_id).or_default().push(annotation.caption);
    }
    let of = |image: ReleasedImage| {
        let captions = captions.get(&image.id)?.clone();
        Some((image.id.to_string(), format!("{split}/{}", image.file_name), captions))
    };
    Ok(all.images.into_iter().filter_map(of).collect())
}
