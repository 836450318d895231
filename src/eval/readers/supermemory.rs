//! SuperMemory-VQA (Alam et al. 2026): questions with ordered options about days of first-person video, causal, some of
//! them unanswerable.

use super::{Benchmark, Dataset, Media, Wanted, dataset, first_of, json, media_folder, multiple_choice};
use crate::{
    error::Fault,
    eval::case::{CaseSpan, Choice, UNANSWERABLE, Worth},
};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::HashMap;

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "supermemory",
    about: "questions with ordered options (right, vague, wrong, unanswerable); only earlier recordings are given",
    layout: "data/json/all_qa.json; videos data/video/Person_1/VIDEO_ID.mp4",
    source: "AIoT-MLSys-Lab/supermemory-vqa (schema), EventHorizon-Lab/MindBridge (a reader of the release)",
    read,
};

/// The option that says that a question cannot be answered, in the release.
const CANNOT: &str = "This question can not be answered.";

#[derive(Deserialize)]
struct Question {
    question_id: Json,
    question: String,
    choices: Vec<String>,
    choice_types: Vec<String>,
    is_answerable: bool,
    subject: u32,
    metadata: Metadata,
    #[serde(default)]
    video_ids: Vec<String>,
    question_evidence: Asked,
    answer_evidence: Option<Evidence>,
}

#[derive(Deserialize)]
struct Metadata {
    skill: String,
    primary_video_id: Option<String>,
    primary_video_start_time: Option<f64>,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    time_spans: Vec<AskedSpan>,
    time_span: Option<Times>,
    video_id: Option<String>,
    start_time: Option<f64>,
}

#[derive(Deserialize)]
struct AskedSpan {
    start_time: Clock,
    video_id: String,
    video_start_time_unix: f64,
}

#[derive(Deserialize)]
struct Times {
    start_time: Clock,
    end_time: Clock,
}

#[derive(Deserialize)]
struct Evidence {
    #[serde(default)]
    evidence_list: Vec<Shown>,
}

#[derive(Deserialize)]
struct Shown {
    video_id: String,
    time_span: Times,
    /// The start of the recording, Unix time.
    start_time: Option<f64>,
}

/// Seconds, or `MM:SS`, or `HH:MM:SS`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Clock {
    Seconds(f64),
    Text(String),
}

impl Clock {
    fn seconds(&self) -> Option<f64> {
        match self {
            Clock::Seconds(seconds) => Some(*seconds).filter(|seconds| *seconds >= 0.0),
            Clock::Text(text) => {
                let parts: Option<Vec<f64>> =
                    text.split(':').map(|part| part.parse().ok().filter(|part: &f64| *part >= 0.0)).collect();
                match parts?.as_slice() {
                    [minutes, seconds] => Some(minutes * 60.0 + seconds),
                    [hours, minutes, seconds] => Some(hours * 3600.0 + minutes * 60.0 + seconds),
                    _ => None,
                }
            }
        }
    }
}

fn read(wanted: &Wanted) -> Result<Dataset, Fault> {
    wanted.without_captions("supermemory")?;
    wanted.without_task("supermemory")?;
    let split = wanted.split(&["all", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"])?;
    let path = first_of(&wanted.folder, &["data/json/all_qa.json", "json/all_qa.json", "all_qa.json"])?;
    let questions: Vec<Question> = json(&path)?;
    let starts = starts(&questions);
    let mut media = Media::new(media_folder(&wanted.folder, &["data/video", "video"]), &[".mp4"]);
    let (mut cases, mut left_out) = (Vec::new(), 0);
    for question in questions.into_iter().filter(|one| split == "all" || split == one.subject.to_string()) {
        let id = question.question_id.as_str().map_or_else(|| question.question_id.to_string(), str::to_owned);
        let wrong = |what: &str| Fault::refused(format!("{}: question {id}: {what}", path.display()));
        let asked = asked(&question.question_evidence).ok_or_else(|| wrong("it has no time at which it is asked"))?;
        let options = ordered(&question).ok_or_else(|| wrong("its options have no right one, or no types"))?;
        let in_folder = |video: &str| format!("Person_{}/{video}", question.subject);
        // only recordings that began before the question, in order of time
        let mut earlier: Vec<(&String, f64)> = question
            .video_ids
            .iter()
            .filter_map(|video| Some((video, *starts.get(video)?)))
            .filter(|(_, start)| *start < asked)
            .collect();
        earlier.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut videos = Vec::new();
        for (video, start) in &earlier {
            if let Some(path) = media.find(&in_folder(video))? {
                videos.push((path, asked - start));
            }
        }
        if videos.is_empty() {
            left_out += 1;
            continue;
        }
        let mut kinds = vec![question.metadata.skill.clone()];
        if !question.is_answerable {
            kinds.push(UNANSWERABLE.to_owned());
        }
        let mut case = multiple_choice(id, &question.question, options, kinds);
        let mut moments = Vec::new();
        for shown in question.answer_evidence.iter().flat_map(|evidence| &evidence.evidence_list) {
            let span = shown.time_span.start_time.seconds().zip(shown.time_span.end_time.seconds());
            if let (Some((start, end)), Some(path)) = (span, media.find(&in_folder(&shown.video_id))?) {
                moments.push(CaseSpan { video: Some(path), start, end });
            }
        }
        case.moments = Some(moments).filter(|moments| question.is_answerable && !moments.is_empty());
        // what was recorded after the question is withheld from every model
        case.until = videos.iter().cloned().collect();
        case.fields.insert("videos".to_owned(), videos.iter().map(|(path, _)| json!(path)).collect());
        cases.push(case);
    }
    let facts = [("split", json!(split)), ("task", json!("choice"))];
    let metrics = ["ordered", "choice", "ans_f1", "mrr", "evidence_hit_rate", "risk_coverage"];
    dataset(wanted, cases, &facts, media.missing("videos", left_out), &metrics)
}

/// The start of each recording (Unix time), as the questions state it.
fn starts(questions: &[Question]) -> HashMap<String, f64> {
    let mut starts = HashMap::new();
    for question in questions {
        let primary = question.metadata.primary_video_id.clone().zip(question.metadata.primary_video_start_time);
        let asked = question.question_evidence.video_id.clone().zip(question.question_evidence.start_time);
        starts.extend(primary.into_iter().chain(asked));
        let spans = question.question_evidence.time_spans.iter();
        starts.extend(spans.map(|span| (span.video_id.clone(), span.video_start_time_unix)));
        let shown = question.answer_evidence.iter().flat_map(|evidence| &evidence.evidence_list);
        starts.extend(shown.filter_map(|shown| Some((shown.video_id.clone(), shown.start_time?))));
    }
    starts
}

/// The first time at which a question is asked (Unix time).
fn asked(asked: &Asked) -> Option<f64> {
    let spans = asked.time_spans.iter();
    let times = spans.filter_map(|span| Some(span.video_start_time_unix + span.start_time.seconds()?));
    let first = times.min_by(f64::total_cmp);
    first.or_else(|| Some(asked.start_time? + asked.time_span.as_ref()?.start_time.seconds()?))
}

/// The options with their worth: `correct`, `vague` and `incorrect` as written, and the one that abstains.
fn ordered(question: &Question) -> Option<Vec<Choice>> {
    if question.choices.len() != question.choice_types.len() {
        return None;
    }
    let one = |(text, kind): (&String, &String)| {
        let abstains = text.trim().eq_ignore_ascii_case(CANNOT);
        let worth = match kind.as_str() {
            "correct" => Worth::Right,
            "vague" => Worth::Vague,
            _ if abstains => Worth::Unanswerable,
            _ => Worth::Wrong,
        };
        Choice { text: text.clone(), worth, abstains }
    };
    let options: Vec<Choice> = question.choices.iter().zip(&question.choice_types).map(one).collect();
    options.iter().any(|option| option.worth == Worth::Right).then_some(options)
}
