//! EgoSchema (Mangalam et al. 2023): questions with five options about three minutes of first-person video.

use super::{Benchmark, Dataset, Media, Wanted, dataset, first_of, json, media_folder, multiple_choice, options};
use crate::error::Fault;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "egoschema",
    about: "questions with five options about three minutes of first-person video (500 answers are public)",
    layout: "questions.json, subset_answers.json; videos in videos/ or good_clips_git/",
    source: "egoschema/EgoSchema",
    read,
};

#[derive(Deserialize)]
struct Question {
    q_uid: String,
    question: String,
    #[serde(rename = "option 0")]
    option_0: String,
    #[serde(rename = "option 1")]
    option_1: String,
    #[serde(rename = "option 2")]
    option_2: String,
    #[serde(rename = "option 3")]
    option_3: String,
    #[serde(rename = "option 4")]
    option_4: String,
}

/// A number, or a number as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Index {
    Number(usize),
    Text(String),
}

fn read(wanted: &Wanted) -> Result<Dataset, Fault> {
    wanted.without_captions("egoschema")?;
    wanted.without_task("egoschema")?;
    let split = wanted.split(&["subset", "full"])?;
    let questions: Vec<Question> = json(&first_of(&wanted.folder, &["questions.json"])?)?;
    // the answers to the full set are not public; who has them names the file so
    let file = if split == "subset" { "subset_answers.json" } else { "answers.json" };
    let answers: IndexMap<String, Index> = json(&first_of(&wanted.folder, &[file])?)?;
    let mut media = Media::new(media_folder(&wanted.folder, &["videos", "good_clips_git"]), &[".mp4"]);
    let (mut cases, mut left_out) = (Vec::new(), 0);
    for question in questions {
        let Some(answer) = answers.get(&question.q_uid) else { continue };
        let id = question.q_uid;
        let Some(path) = media.find(&id)? else {
            left_out += 1;
            continue;
        };
        let right = match answer {
            Index::Number(number) => *number,
            Index::Text(text) => text.trim().parse().unwrap_or(usize::MAX),
        };
        let texts = vec![question.option_0, question.option_1, question.option_2, question.option_3, question.option_4];
        let mut case = multiple_choice(id.clone(), &question.question, options(&id, texts, right)?, Vec::new());
        case.fields.insert("video".to_owned(), json!(path));
        cases.push(case);
    }
    let facts = [("split", json!(split)), ("task", json!("choice"))];
    dataset(wanted, cases, &facts, media.missing("videos", left_out), &["choice"])
}
