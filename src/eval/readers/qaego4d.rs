//! QAEgo4D (Bärmann and Waibel 2022): open questions about episodes of Ego4D, with the moment that answers them.

use super::{Benchmark, Dataset, Media, Wanted, dataset, first_of, json, media_folder};
use crate::{
    error::Fault,
    eval::case::{Case, CaseSpan},
};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "qaego4d",
    about: "open questions about first-person video, with the moment that answers each",
    layout: "annotations.test.json or annotations.val.json; the canonical NLQ clips in clips/ or v1/clips/",
    source: "lbaermann/qaego4d",
    read,
};

/// Frames a second of the canonical clips: the annotations count frames so.
const FRAMES_A_SECOND: f64 = 30.0;

#[derive(Deserialize)]
struct Annotation {
    video_id: String,
    sample_id: String,
    question: String,
    answer: String,
    moment_start_frame: Option<f64>,
    moment_end_frame: Option<f64>,
}

fn read(wanted: &Wanted) -> Result<Dataset, Fault> {
    wanted.without_captions("qaego4d")?;
    wanted.without_task("qaego4d")?;
    let split = wanted.split(&["test", "val", "train"])?;
    let annotations: Vec<Annotation> = json(&first_of(&wanted.folder, &[&format!("annotations.{split}.json")])?)?;
    let mut media = Media::new(media_folder(&wanted.folder, &["clips", "v1/clips", "ego4d/v1/clips"]), &[".mp4"]);
    let (mut cases, mut left_out) = (Vec::new(), 0);
    for one in annotations {
        let Some(path) = media.find(&one.video_id)? else {
            left_out += 1;
            continue;
        };
        let moment = one.moment_start_frame.zip(one.moment_end_frame).map(|(start, end)| CaseSpan {
            video: Some(path.clone()),
            start: start / FRAMES_A_SECOND,
            end: end / FRAMES_A_SECOND,
        });
        let fields = IndexMap::from([("video".to_owned(), json!(path)), ("question".to_owned(), json!(one.question))]);
        cases.push(Case {
            kinds: vec![asks(&one.question)],
            id: one.sample_id,
            answers: vec![one.answer],
            options: Vec::new(),
            moments: moment.map(|moment| vec![moment]),
            fields,
            shared: Arc::default(),
            until: IndexMap::new(),
        });
    }
    let facts = [("split", json!(split)), ("task", json!("answer"))];
    let metrics = ["exact_match", "contains", "bleu", "rouge_l", "evidence_hit_rate"];
    dataset(wanted, cases, &facts, media.missing("videos", left_out), &metrics)
}

/// The class of a question: its first word, or `how many`. The benchmark has no classes of its own.
fn asks(question: &str) -> String {
    let question = question.to_lowercase();
    let first = question.split(|c: char| !c.is_alphabetic()).find(|word| !word.is_empty()).unwrap_or("other");
    match first {
        "how" if question.contains("how many") => "how many".to_owned(),
        "where" | "what" | "who" | "how" | "when" | "which" | "did" | "is" | "in" => first.to_owned(),
        _ => "other".to_owned(),
    }
}
