//! EgoLifeQA (Yang et al. 2025): questions with four options about a week in a house, asked at a time of that week.

use super::{Benchmark, Dataset, Missing, Wanted, dataset, first_of, json, media_folder, multiple_choice, options};
use crate::{
    error::Fault,
    eval::case::{CaseSpan, SharedFields},
    files,
};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::path::Path;

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "egolife",
    about: "questions with four options about a week, asked at a time of that week; only earlier clips are given",
    layout: "EgoLifeQA/EgoLifeQA_A1_JAKE.json; clips A1_JAKE/DAY1/DAY1_A1_JAKE_11094208.mp4 (also below train/)",
    source: "EvolvingLMMs-Lab/EgoLife",
    read,
};

/// Frames a second in times such as `11210217` (11:21:02, frame 17).
const FRAMES_A_SECOND: f64 = 20.0;
/// The length of a clip, in seconds.
const CLIP_SECONDS: f64 = 30.0;
const DAY: f64 = 86_400.0;

#[derive(Deserialize)]
struct Question {
    #[serde(rename = "ID")]
    id: Json,
    query_time: When,
    #[serde(rename = "type")]
    kind: String,
    question: String,
    choice_a: String,
    choice_b: String,
    choice_c: String,
    choice_d: String,
    answer: String,
    /// One time, several, or a list of both.
    target_time: Option<Json>,
}

#[derive(Deserialize)]
struct When {
    date: String,
    time: String,
}

/// A clip: its path and its start, in seconds from midnight of the first day.
struct Clip {
    path: String,
    start: f64,
}

fn read(wanted: &Wanted) -> Result<Dataset, Fault> {
    wanted.without_captions("egolife")?;
    wanted.without_task("egolife")?;
    let person = wanted.split(&["A1_JAKE", "A2_ALICE", "A3_TASHA", "A4_LUCIA", "A5_KATRINA", "A6_SHURE"])?;
    let file = format!("EgoLifeQA_{person}.json");
    let path = first_of(&wanted.folder, &[&format!("EgoLifeQA/{file}"), &file])?;
    let questions: Vec<Question> = json(&path)?;
    let clips = clips(&media_folder(&wanted.folder, &[person, &format!("train/{person}")]), person)?;
    let (mut cases, mut left_out) = (Vec::new(), 0);
    let mut pools: IndexMap<usize, std::sync::Arc<SharedFields>> = IndexMap::new();
    for question in questions {
        let id = question.id.as_str().map_or_else(|| question.id.to_string(), str::to_owned);
        let wrong = |what: &str| Fault::refused(format!("{}: question {id}: {what}", path.display()));
        let asked = seconds(&question.query_time.date, &question.query_time.time)
            .ok_or_else(|| wrong("`query_time` is no day and time"))?;
        // a clip that has not ended when the question is asked is not given
        let before = clips.iter().take_while(|clip| clip.start + CLIP_SECONDS <= asked).count();
        if before == 0 {
            left_out += 1;
            continue;
        }
        let right = "ABCD".find(question.answer.trim()).filter(|_| question.answer.trim().len() == 1);
        let right = right.ok_or_else(|| wrong("`answer` is not A, B, C or D"))?;
        let texts = vec![question.choice_a, question.choice_b, question.choice_c, question.choice_d];
        let mut case =
            multiple_choice(id.clone(), &question.question, options(&id, texts, right)?, vec![question.kind]);
        let moments: Vec<CaseSpan> =
            question.target_time.iter().flat_map(times).filter_map(|at| moment(&clips, at)).collect();
        case.moments = Some(moments).filter(|moments| !moments.is_empty());
        let asked_at = format!("{} {}", question.query_time.date, question.query_time.time);
        case.fields.insert("asked_at".to_owned(), json!(asked_at));
        let pool = || {
            let paths: Json = clips[..before].iter().map(|clip| json!(clip.path)).collect();
            SharedFields::new(IndexMap::from([("videos".to_owned(), paths)]))
        };
        case.shared = pools.entry(before).or_insert_with(pool).clone();
        cases.push(case);
    }
    // the annotations do not name the clips, so that what is missing is known only by a question that has none
    let missing = Missing {
        what: "days with clips before a question",
        of: cases.len() + left_out,
        names: vec![format!("{person}/DAY…"); left_out],
        cases: left_out,
    };
    let facts = [("split", json!(person)), ("task", json!("choice")), ("clips", json!(clips.len()))];
    dataset(wanted, cases, &facts, missing, &["choice", "evidence_hit_rate"])
}

/// The clips of a person, in order of time. Files with other names are not clips.
fn clips(folder: &Path, person: &str) -> Result<Vec<Clip>, Fault> {
    let mut clips = Vec::new();
    for day in 1..=7 {
        let Ok(entries) = std::fs::read_dir(folder.join(format!("DAY{day}"))) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let stem = name.strip_suffix(".mp4").unwrap_or_default();
            let time = stem.strip_prefix(&format!("DAY{day}_{person}_"));
            let Some(start) = time.and_then(|time| seconds(&format!("DAY{day}"), time)) else { continue };
            clips.push(Clip { path: files::name(entry.path().as_os_str()), start });
        }
    }
    if clips.is_empty() {
        let shown = folder.display();
        let fault = Fault::refused(format!("{shown} has no clips such as DAY1/DAY1_{person}_11094208.mp4"));
        return Err(fault.hint("docs/eval.md describes the layout of each benchmark"));
    }
    clips.sort_by(|a, b| a.start.total_cmp(&b.start));
    Ok(clips)
}

/// Seconds from midnight of the first day: `DAY2` and `11210217` (HHMMSSFF; a leading zero may lack).
fn seconds(date: &str, time: &str) -> Option<f64> {
    let day: u32 = date.trim().to_ascii_uppercase().strip_prefix("DAY")?.trim().parse().ok()?;
    let time = time.trim();
    let is_time = (7..=8).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_digit());
    let time = is_time.then(|| format!("{time:0>8}"))?;
    let part = |at: usize| time[at..at + 2].parse::<f64>().ok();
    let (hours, minutes, seconds, frames) = (part(0)?, part(2)?, part(4)?, part(6)?);
    let is_clock = (1..=31).contains(&day) && hours < 24.0 && minutes < 60.0 && seconds < 60.0;
    is_clock.then(|| f64::from(day - 1) * DAY + hours * 3600.0 + minutes * 60.0 + seconds + frames / FRAMES_A_SECOND)
}

/// The times of `target_time`: `{date, time}`, `{date, time_list}`, a list of these, or several times in one text
/// (`DAY1_11152408;DAY2_10000000`, `11152408-11160000`).
fn times(target: &Json) -> Vec<f64> {
    match target {
        Json::Array(items) => items.iter().flat_map(times).collect(),
        Json::Object(fields) => {
            let date = fields.get("date").and_then(Json::as_str).unwrap_or_default();
            let listed = fields.get("time_list").and_then(Json::as_array).into_iter().flatten();
            let texts = fields.get("time").into_iter().chain(listed).filter_map(Json::as_str);
            texts.flat_map(|text| several(date, text)).collect()
        }
        _ => Vec::new(),
    }
}

/// The times in a text. A day in the text counts for the times after it.
fn several(date: &str, text: &str) -> Vec<f64> {
    let (mut day, mut found) = (date.to_owned(), Vec::new());
    for part in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        if part.to_ascii_uppercase().starts_with("DAY") {
            day = part.to_owned();
        } else {
            found.extend(seconds(&day, part));
        }
    }
    found
}

/// The moment of a time: a point in the clip that shows it.
fn moment(clips: &[Clip], at: f64) -> Option<CaseSpan> {
    let clip = clips.iter().rev().find(|clip| clip.start <= at && at < clip.start + CLIP_SECONDS)?;
    let start = at - clip.start;
    Some(CaseSpan { video: Some(clip.path.clone()), start, end: start })
}
