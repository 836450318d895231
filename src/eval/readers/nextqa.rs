//! NExT-QA (Xiao et al. 2021): causal, temporal and descriptive questions with five options.

use super::{Benchmark, Dataset, Media, Wanted, csv, dataset, first_of, json, media_folder, multiple_choice, options};
use crate::error::Fault;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "nextqa",
    about: "causal, temporal and descriptive questions with five options",
    layout: "val.csv or test.csv (also in dataset/nextqa/), map_vid_vidorID.json; videos in NExTVideo/ or videos/",
    source: "doc-doc/NExT-QA",
    read,
};

#[derive(Deserialize)]
struct Row {
    video: String,
    question: String,
    answer: usize,
    qid: String,
    #[serde(rename = "type")]
    kind: String,
    a0: String,
    a1: String,
    a2: String,
    a3: String,
    a4: String,
}

fn read(wanted: &Wanted) -> Result<Dataset, Fault> {
    wanted.without_captions("nextqa")?;
    wanted.without_task("nextqa")?;
    let split = wanted.split(&["val", "test", "train"])?;
    let file = format!("{split}.csv");
    let path = first_of(&wanted.folder, &[&file, &format!("dataset/nextqa/{file}"), &format!("nextqa/{file}")])?;
    let rows: Vec<Row> = csv(&path)?;
    // videos keep the names of VidOR (0101/2909445186) or have their own number alone
    let beside = path.parent().unwrap_or(&wanted.folder);
    let map: IndexMap<String, String> = match first_of(beside, &["map_vid_vidorID.json"]) {
        Ok(map) => json(&map)?,
        Err(_) => IndexMap::new(),
    };
    let mut media = Media::new(media_folder(&wanted.folder, &["NExTVideo", "videos"]), &[".mp4"]);
    let (mut cases, mut left_out) = (Vec::new(), 0);
    for row in rows {
        let mapped = map.get(&row.video).map(|name| media.probe(name)).transpose()?.flatten();
        let found = match mapped {
            Some(path) => Some(path),
            None => media.find(&row.video)?,
        };
        let Some(path) = found else {
            left_out += 1;
            continue;
        };
        let id = format!("{}_{}", row.video, row.qid);
        let right = options(&id, vec![row.a0, row.a1, row.a2, row.a3, row.a4], row.answer)?;
        let mut case = multiple_choice(id, &row.question, right, kinds(&row.kind));
        case.fields.insert("video".to_owned(), json!(path));
        cases.push(case);
    }
    let facts = [("split", json!(split)), ("task", json!("choice"))];
    dataset(wanted, cases, &facts, media.missing("videos", left_out), &["choice"])
}

/// The classes that `eval_mc.py` of the benchmark reports: the type, and its group. `TP` counts as `TN`.
fn kinds(kind: &str) -> Vec<String> {
    let one = if kind == "TP" { "TN" } else { kind };
    let named = match one {
        "CW" => "CW (why)",
        "CH" => "CH (how)",
        "TN" => "TN (before, after)",
        "TC" => "TC (when)",
        "DC" => "DC (count)",
        "DL" => "DL (place)",
        "DO" => "DO (other)",
        other => other,
    };
    let group = match one.chars().next() {
        Some('C') => "C (causal)",
        Some('T') => "T (temporal)",
        Some('D') => "D (descriptive)",
        _ => return vec![named.to_owned()],
    };
    vec![group.to_owned(), named.to_owned()]
}
