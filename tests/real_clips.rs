//! Real models on real clips, end to end: what the eye sees in them, and questions that a person would ask
//! (tests/real/gold.json, described in tests/real/README.md). `make real` makes the models and the clips.
//!
//! The questions of a clip are one run with the cast `real`: the shipped dialogue `video_log` once, and `reader` for each question,
//! as `video_qa` does. The reports are written to `target/real_clips.*.json`, with the reason of each failure.

use assert_cmd::Command;
use regex::RegexBuilder;
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The least share of moments at which the eye names a right place, thing or activity among its first three.
const MIN_SEEN: f64 = 0.6;
/// The least share of right answers among the questions that the clips answer.
const MIN_RIGHT: f64 = 0.45;
/// The same if the log has what a perfect eye sees.
const MIN_READ: f64 = 0.72;
/// The least share of refusals among the questions that the clips do not answer.
const MIN_REFUSED: f64 = 0.9;

/// The program, the folder of real models, and the clips that are here.
struct Bench {
    models: PathBuf,
    cache: tempfile::TempDir,
    clips: BTreeMap<String, PathBuf>,
    gold: Json,
}

/// The bench of all tests, for one of them at a time: the second one finds the vectors of the labels that the first one stored.
fn bench() -> MutexGuard<'static, Bench> {
    static BENCH: LazyLock<Mutex<Bench>> = LazyLock::new(|| Mutex::new(Bench::new()));
    BENCH.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bench {
    fn new() -> Bench {
        let models = PathBuf::from(std::env::var_os("ELENCHUS_MODELS").expect("`make real` sets ELENCHUS_MODELS"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let gold = fs::read_to_string(root.join("tests/real/gold.json")).expect("the gold file");
        let gold: Json = serde_json::from_str(&gold).expect("JSON");
        let place = |clip: &Json| -> Option<(String, PathBuf)> {
            let (name, file) = (clip["name"].as_str()?, clip["file"].as_str()?);
            let folders = match clip["folder"].as_str()? {
                "shared" => ["../shared/media", "../../shared/media"].map(|folder| root.join(folder)).to_vec(),
                _ => vec![models.clone()],
            };
            let found = folders.into_iter().map(|folder| folder.join(file)).find(|path| path.exists());
            if found.is_none() {
                eprintln!("notice: the clip {name} is not here; its questions are skipped");
            }
            Some((name.to_owned(), found?))
        };
        let clips = gold["clips"].as_array().expect("clips").iter().filter_map(place).collect();
        Bench { models, cache: tempfile::tempdir().expect("a folder"), clips, gold }
    }

    /// The rows of `kind` about a clip.
    fn of_clip(&self, kind: &str, clip: &str) -> Vec<&Json> {
        self.gold[kind].as_array().expect("rows").iter().filter(|row| row["clip"] == clip).collect()
    }

    /// What the program writes as JSON for a dialogue and its inputs, with the cast `real`.
    fn run(&self, dialogue: &str, inputs: &[(&str, String)]) -> Json {
        let file = self.cache.path().join("dialogue.yaml");
        fs::write(&file, dialogue).expect("written");
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        command.current_dir(env!("CARGO_MANIFEST_DIR")).timeout(Duration::from_secs(1800));
        command
            .env("ELENCHUS_CACHE", self.cache.path())
            .env("ELENCHUS_DATA", self.cache.path())
            .env("ELENCHUS_MODELS", &self.models);
        command.arg("run").arg(file).args(["--cast", "real", "--json"]);
        for (name, value) in inputs {
            command.arg("-i").arg(format!("{name}={value}"));
        }
        let output = command.output().expect("it ends");
        assert!(
            output.status.success(),
            "{inputs:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// The questions of some rows as an input.
fn questions_of(rows: &[&Json]) -> String {
    Json::from(rows.iter().map(|row| row["question"].clone()).collect::<Vec<_>>()).to_string()
}

fn seconds(row: &Json) -> Option<(f64, f64)> {
    Some((row["time"][0].as_f64()?, row["time"][1].as_f64()?))
}

fn matches(patterns: &Json, text: &str) -> bool {
    let patterns = patterns.as_array().into_iter().flatten().filter_map(Json::as_str);
    let found =
        |pattern: &str| RegexBuilder::new(pattern).case_insensitive(true).build().expect("a pattern").is_match(text);
    patterns.into_iter().any(found)
}

/// The three likeliest places, things and activities at some seconds of a video.
const SIGHTS: &str = r#"version: 1
dialogue: sights
inputs: { video: video, at: list of number }
cast: real
steps:
  moments: { frames: { video: "{{ video }}", at: "{{ at }}" } }
  place: { each: moments, rank: { agent: eye, what: "{{ item }}", among: places, as: "a photo of a {}", top: 3 } }
  thing: { each: moments, rank: { agent: eye, what: "{{ item }}", among: things, as: "a photo of a {}", top: 3 } }
  activity: { each: moments, rank: { agent: eye, what: "{{ item }}", among: activities, as: "a photo of someone {}", top: 3 } }
  sights: { compute: { place: "{{ place }}", thing: "{{ thing }}", activity: "{{ activity }}" } }
answer: "{{ sights }}"
"#;

#[test]
#[ignore = "needs real weights: make real"]
fn the_eye_names_what_real_clips_show() {
    let bench = bench();
    let (mut seen, mut all, mut report) = (0, 0, Vec::new());
    let mut moments: BTreeMap<(&String, String), bool> = BTreeMap::new();
    for (name, clip) in &bench.clips {
        let sights = bench.of_clip("sights", name);
        let middle = |sight: &Json| seconds(sight).map_or(0.0, |(from, to)| (from + to) / 2.0);
        let mut at: Vec<f64> = sights.iter().map(|sight| middle(sight)).collect();
        at.sort_by(f64::total_cmp);
        at.dedup();
        let inputs = [("video", clip.display().to_string()), ("at", format!("{at:?}"))];
        let found = bench.run(SIGHTS, &inputs);
        for sight in sights {
            let kind = sight["kind"].as_str().expect("a kind");
            let n = at.iter().position(|second| *second == middle(sight)).expect("a moment");
            let labels = found["value"][kind][n].as_array().expect("labels");
            let labels: Vec<&Json> = labels.iter().map(|label| &label["text"]).collect();
            let words = sight["words"].as_array().expect("words");
            let right = labels.iter().any(|label| words.contains(label));
            *moments.entry((name, sight["time"].to_string())).or_default() |= right;
            (seen, all) = (seen + usize::from(right), all + 1);
            report.push(json!({ "clip": name, "kind": kind, "right": right, "found": labels, "gold": words }));
        }
    }
    let known = moments.values().filter(|right| **right).count();
    let figures = json!({ "sights": [seen, all], "moments": [known, moments.len()] });
    write("sights", &json!({ "figures": figures, "sights": report }));
    let share = known as f64 / moments.len() as f64;
    assert!(share >= MIN_SEEN, "{figures}; see target/real_clips.sights.json");
}

/// The log of a video, and an answer to each question.
const QUESTIONS: &str = r#"version: 1
dialogue: questions
inputs: { video: video, questions: list of text }
cast: real
steps:
  log: { call: { dialogue: examples/video_log, with: { video: "{{ video }}" } } }
  answers: { each: questions, call: { dialogue: examples/reader, with: { log: "{{ log or [] }}", question: "{{ item }}" } } }
  out: { compute: { log: "{{ log }}", answers: "{{ answers }}" } }
answer: "{{ out }}"
"#;

/// How many questions were answered rightly, and how many without an answer refused.
#[derive(Default)]
struct Tally {
    right: usize,
    answerable: usize,
    refused: usize,
    unanswerable: usize,
    report: Vec<Json>,
}

impl Tally {
    /// Counts the answers to the questions of one clip.
    fn count(&mut self, clip: &str, rows: &[&Json], answers: &Json, log: &str) {
        let answers = answers.as_array().expect("answers");
        assert_eq!(answers.len(), rows.len(), "{clip}");
        for (row, found) in rows.iter().zip(answers) {
            let (answer, abstained) = (found["text"].as_str().unwrap_or_default(), found["abstained"] == true);
            let is_right = if row["unanswerable"] == true {
                (self.refused, self.unanswerable) = (self.refused + usize::from(abstained), self.unanswerable + 1);
                abstained
            } else {
                let is_right = !abstained && (matches(&row["answer"], answer) || in_time(row, found));
                (self.right, self.answerable) = (self.right + usize::from(is_right), self.answerable + 1);
                is_right
            };
            let failed = (!is_right).then(|| culprit(row, log));
            self.report.push(json!({ "clip": clip, "question": row["question"], "right": is_right, "answer": answer, "failed": failed }));
        }
    }

    /// Writes the report; fails if a share is below its least.
    #[track_caller]
    fn check(&self, name: &str, min_right: f64, min_refused: f64) {
        let figures = json!({ "right": self.right, "answerable": self.answerable, "refused": self.refused, "unanswerable": self.unanswerable });
        write(name, &json!({ "figures": figures, "questions": self.report }));
        let share = |n: usize, of: usize| n as f64 / of as f64;
        let good =
            share(self.right, self.answerable) >= min_right && share(self.refused, self.unanswerable) >= min_refused;
        assert!(good, "{figures}; see target/real_clips.{name}.json");
    }
}

#[test]
#[ignore = "needs real weights: make real"]
fn questions_about_real_clips_are_answered_or_refused() {
    let bench = bench();
    let mut tally = Tally::default();
    for (name, clip) in &bench.clips {
        let rows = bench.of_clip("questions", name);
        let found = bench.run(QUESTIONS, &[("video", clip.display().to_string()), ("questions", questions_of(&rows))]);
        tally.count(name, &rows, &found["value"]["answers"], &found["value"]["log"].to_string());
    }
    tally.check("questions", MIN_RIGHT, MIN_REFUSED);
}

/// An answer to each question about a log.
const READING: &str = r#"version: 1
dialogue: reading
inputs: { log: any, questions: list of text }
cast: real
steps:
  answers: { each: questions, call: { dialogue: examples/reader, with: { log: "{{ log }}", question: "{{ item }}" } } }
answer: "{{ answers }}"
"#;

/// What everything but the eye can do: the log has the first right labels of each sight, and what was said.
#[test]
#[ignore = "needs real weights: make real"]
fn questions_about_what_a_perfect_eye_sees_are_answered_or_refused() {
    let bench = bench();
    let mut tally = Tally::default();
    for name in bench.clips.keys() {
        let mut sights: Vec<(f64, f64, [Vec<&str>; 3])> = Vec::new();
        for row in bench.of_clip("sights", name) {
            let (start, end) = seconds(row).expect("times");
            let place = sights.iter().position(|(from, to, _)| (*from, *to) == (start, end)).unwrap_or_else(|| {
                sights.push((start, end, Default::default()));
                sights.len() - 1
            });
            let kind = ["place", "activity", "thing"].iter().position(|kind| row["kind"] == *kind).expect("a kind");
            let words = row["words"].as_array().expect("words").iter().filter_map(Json::as_str);
            sights[place].2[kind] = words.take(if kind == 2 { 2 } else { 1 }).collect();
        }
        sights.sort_by(|a, b| a.0.total_cmp(&b.0));
        let speech = bench.of_clip("speech", name);
        let line = |(start, end, [place, activity, things]): &(f64, f64, [Vec<&str>; 3])| {
            let heard = speech.iter().filter(|row| {
                let (from, to) = seconds(row).expect("times");
                (*start..*end).contains(&((from + to) / 2.0))
            });
            let mut text = place.first().copied().unwrap_or("unknown place").to_owned();
            text.extend(activity.iter().map(|activity| format!(", {activity}")));
            text.push('.');
            if !things.is_empty() {
                text += &format!(" Seen: {}.", things.join(", "));
            }
            text.extend(heard.map(|row| format!(" Heard: {}", row["text"].as_str().expect("text"))));
            json!({ "start": start, "end": end, "text": text })
        };
        let log = Json::from(sights.iter().map(line).collect::<Vec<_>>()).to_string();
        let rows = bench.of_clip("questions", name);
        let found = bench.run(READING, &[("log", log.clone()), ("questions", questions_of(&rows))]);
        tally.count(name, &rows, &found["value"], &log);
    }
    tally.check("reading", MIN_READ, MIN_REFUSED);
}

/// True if the middle of a cited moment lies between the two times of the question.
fn in_time(row: &Json, found: &Json) -> bool {
    let Some((from, to)) = seconds(row) else { return false };
    let cited = found["evidence"].as_array().into_iter().flatten();
    cited
        .filter_map(|entry| Some((entry["start"].as_f64()? + entry["end"].as_f64()?) / 2.0))
        .any(|middle| from <= middle && middle <= to)
}

/// Who failed: the first sense that the question needs and whose part of the log lacks every right answer; else the mind.
fn culprit(row: &Json, log: &str) -> &'static str {
    let needs = |sense: &str| row["needs"].as_array().is_some_and(|needs| needs.iter().any(|need| need == sense));
    match matches(&row["answer"], log) {
        false if !row["answer"].is_null() && needs("eye") => "eye",
        false if !row["answer"].is_null() && needs("ear") => "ear",
        _ => "mind",
    }
}

fn write(name: &str, report: &Json) {
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let text = serde_json::to_string_pretty(report).expect("JSON");
    fs::write(folder.join(format!("real_clips.{name}.json")), text).expect("written");
}
