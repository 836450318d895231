//! MSR-VTT (Xu et al. 2016): retrieval in both directions, and captions of videos.

use super::{Benchmark, Dataset, Media, Wanted, csv, dataset, first_of, json, media_folder, one_of};
use crate::{
    error::Fault,
    eval::case::{Case, SharedFields},
};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::Arc;

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "msrvtt",
    about: "retrieval between 10 s videos and captions, or captions of videos",
    layout: "test_videodatainfo.json (full) or MSRVTT_JSFUSION_test.csv and MSRVTT_data.json (1k-A); videos in TestVideo/, all/ or videos/",
    source: "ArrowLuo/CLIP4Clip (1k-A), crux82/msr-vtt-it (videodatainfo)",
    read,
};

/// Files with all sentences, of several releases.
const INFO: [&str; 6] = [
    "test_videodatainfo.json",
    "annotation/test_videodatainfo.json",
    "test_videodatainfo_2017.json",
    "MSRVTT_data.json",
    "annotation/MSR_VTT.json",
    "videodatainfo_2017.json",
];
const JSFUSION: [&str; 2] = ["MSRVTT_JSFUSION_test.csv", "annotation/MSRVTT_JSFUSION_test.csv"];
const VIDEOS: [&str; 6] = ["TestVideo", "videos/all", "all", "MSRVTT_Videos", "videos", "data/MSRVTT/MSRVTT_Videos"];

#[derive(Deserialize)]
struct Info {
    videos: Vec<InfoVideo>,
    sentences: Vec<Sentence>,
}

#[derive(Deserialize)]
struct InfoVideo {
    video_id: String,
    #[serde(default)]
    split: String,
    category: Option<u32>,
}

#[derive(Deserialize)]
struct Sentence {
    video_id: String,
    caption: String,
}

#[derive(Deserialize)]
struct Pair {
    video_id: String,
    sentence: String,
}

/// A video with its captions and class.
struct Item {
    id: String,
    captions: Vec<String>,
    kinds: Vec<String>,
}

fn read(wanted: &Wanted) -> Result<Dataset, Fault> {
    let split = wanted.split(&["full", "1k-A"])?;
    let items = if split == "full" { full(wanted)? } else { one_k(wanted)? };
    let usual = match () {
        () if wanted.takes("captions") => "video_to_text",
        () if wanted.takes("videos") => "text_to_video",
        () => "caption",
    };
    let task = match wanted.task.as_deref() {
        None => usual,
        given => one_of("--task", given, &["video_to_text", "text_to_video", "caption"])?,
    };
    let mut media = Media::new(media_folder(&wanted.folder, &VIDEOS), &[".mp4", ".webm", ".avi"]);
    let mut found = Vec::new();
    let mut left_out = 0;
    for item in &items {
        match media.find(&item.id)? {
            Some(path) => found.push((item, path)),
            None => left_out += if task == "text_to_video" { item.captions.len() } else { 1 },
        }
    }
    let cases: Vec<Case> = match task {
        "text_to_video" => text_to_video(&found),
        "video_to_text" => video_to_text(&items, &found),
        _ => found.iter().map(|(item, path)| case(item, item.captions.clone(), path)).collect(),
    };
    let counts = items.iter().map(|item| item.captions.len());
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.clone().max().unwrap_or(0));
    let each = if least == most { json!(least) } else { json!(format!("{least} to {most}")) };
    let candidates = match task {
        "video_to_text" => json!(counts.sum::<usize>()),
        "text_to_video" => json!(found.len()),
        _ => Json::Null,
    };
    let facts =
        [("split", json!(split)), ("task", json!(task)), ("captions_per_video", each), ("candidates", candidates)];
    let metrics: &[&str] = if task == "caption" { &["cider_d", "bleu", "rouge_l"] } else { &["recall"] };
    dataset(wanted, cases, &facts, media.missing("videos", left_out), metrics)
}

/// The test videos with all their captions, or with the first `--captions`.
fn full(wanted: &Wanted) -> Result<Vec<Item>, Fault> {
    let path = first_of(&wanted.folder, &INFO)?;
    let info: Info = json(&path)?;
    // a file of all splits has others too
    let is_test = |video: &InfoVideo| video.split.is_empty() || video.split == "test";
    let test = info.videos.into_iter().filter(is_test).map(|video| {
        let kinds = video.category.map(|category| format!("category {category}")).into_iter().collect();
        (video.video_id.clone(), Item { id: video.video_id, captions: Vec::new(), kinds })
    });
    let mut items: IndexMap<String, Item> = test.collect();
    captions_into(&mut items, info.sentences);
    limited(items, wanted.captions, &path)
}

/// The 1,000 videos of Yu et al. 2018 (JSFusion): one caption each from the list of pairs, or all of a video's captions.
fn one_k(wanted: &Wanted) -> Result<Vec<Item>, Fault> {
    let path = first_of(&wanted.folder, &JSFUSION)?;
    let pairs: Vec<Pair> = csv(&path)?;
    let mut items: IndexMap<String, Item> = IndexMap::new();
    for pair in pairs {
        let new = || Item { id: pair.video_id.clone(), captions: Vec::new(), kinds: Vec::new() };
        items.entry(pair.video_id.clone()).or_insert_with(new).captions.push(pair.sentence);
    }
    if wanted.captions.is_none_or(|captions| captions == 1) {
        return limited(items, wanted.captions, &path);
    }
    let path = first_of(&wanted.folder, &["MSRVTT_data.json", "annotation/MSR_VTT.json", INFO[0], INFO[1]])?;
    let info: Info = json(&path)?;
    items.values_mut().for_each(|item| item.captions.clear());
    captions_into(&mut items, info.sentences);
    limited(items, wanted.captions, &path)
}

fn captions_into(items: &mut IndexMap<String, Item>, sentences: Vec<Sentence>) {
    for sentence in sentences {
        if let Some(item) = items.get_mut(&sentence.video_id) {
            item.captions.push(sentence.caption);
        }
    }
}

/// The items with as many captions as the user wants. Fails if a video has fewer, or none.
fn limited(items: IndexMap<String, Item>, captions: Option<usize>, path: &std::path::Path) -> Result<Vec<Item>, Fault> {
    let mut items: Vec<Item> = items.into_values().collect();
    let least = captions.unwrap_or(1).max(1);
    let short = items.iter().filter(|item| item.captions.len() < least);
    if let Some(item) = short.clone().next() {
        return Err(Fault::refused(format!(
            "{} videos in {} have fewer than {least} captions ({} has {})",
            short.count(),
            path.display(),
            item.id,
            item.captions.len()
        )));
    }
    if let Some(captions) = captions {
        items.iter_mut().for_each(|item| item.captions.truncate(captions));
    }
    Ok(items)
}

fn case(item: &Item, answers: Vec<String>, path: &str) -> Case {
    let fields = IndexMap::from([("video".to_owned(), json!(path))]);
    let (id, kinds) = (item.id.clone(), item.kinds.clone());
    Case {
        id,
        answers,
        kinds,
        options: Vec::new(),
        moments: None,
        fields,
        shared: Arc::default(),
        until: IndexMap::new(),
    }
}

/// Each video ranks the captions of all videos, those of missing ones too: the task is as hard as published.
fn video_to_text(items: &[Item], found: &[(&Item, String)]) -> Vec<Case> {
    let pool: Json = items.iter().flat_map(|item| &item.captions).map(|text| json!(text)).collect();
    let shared = SharedFields::new(IndexMap::from([("captions".to_owned(), pool)]));
    let one =
        |(item, path): &(&Item, String)| Case { shared: shared.clone(), ..case(item, item.captions.clone(), path) };
    found.iter().map(one).collect()
}

/// Each caption ranks all videos that are there.
fn text_to_video(found: &[(&Item, String)]) -> Vec<Case> {
    let pool: Json = found.iter().map(|(_, path)| json!(path)).collect();
    let shared = SharedFields::new(IndexMap::from([("videos".to_owned(), pool)]));
    let of = |(item, path): &(&Item, String)| {
        let one = |(number, caption): (usize, &String)| Case {
            id: format!("{}#{number}", item.id),
            fields: IndexMap::from([("text".to_owned(), json!(caption))]),
            shared: shared.clone(),
            ..case(item, vec![path.clone()], path)
        };
        item.captions.iter().enumerate().map(one).collect::<Vec<_>>()
    };
    found.iter().flat_map(of).collect()
}
