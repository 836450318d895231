//! Dialogues of several real models, end to end with the cast `real` (docs/dialogues.md). `make real` makes the models and the reels
//! (tests/real/README.md).

use assert_cmd::Command;
use serde_json::{Value as Json, json};
use std::{
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The folder of real models, and a cache for all tests, which run one at a time: the second finds the vectors that the first stored.
struct Bench {
    models: PathBuf,
    cache: tempfile::TempDir,
}

fn bench() -> MutexGuard<'static, Bench> {
    static BENCH: LazyLock<Mutex<Bench>> = LazyLock::new(|| {
        let models = PathBuf::from(std::env::var_os("ELENCHUS_MODELS").expect("`make real` sets ELENCHUS_MODELS"));
        Mutex::new(Bench { models, cache: tempfile::tempdir().expect("a folder") })
    });
    BENCH.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bench {
    fn reel(&self, name: &str) -> String {
        self.models.join(format!("reels/{name}.mp4")).display().to_string()
    }

    /// What a dialogue yields with the cast `real`.
    fn run(&self, dialogue: &str, inputs: &[(&str, String)]) -> Json {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        command
            .current_dir(root)
            .timeout(Duration::from_secs(1800))
            .env("ELENCHUS_CACHE", self.cache.path())
            .env("ELENCHUS_DATA", self.cache.path())
            .env("ELENCHUS_MODELS", &self.models);
        command.args(["run", &format!("examples/{dialogue}.yaml"), "--cast", "real", "--json"]);
        command.args(inputs.iter().flat_map(|(name, value)| ["-i".to_owned(), format!("{name}={value}")]));
        let output = command.output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{dialogue}: {}{said}", String::from_utf8_lossy(&output.stdout));
        let found: Json = serde_json::from_slice(&output.stdout).expect("JSON");
        found["value"].clone()
    }
}

#[test]
#[ignore = "needs real weights: make real"]
fn captions_and_videos_find_each_other() {
    let bench = bench();
    let captions = [
        "a rocket stands on its launch pad",
        "a cat sleeps on a sofa",
        "people cook in a kitchen",
        "an astronaut, and a speech about what you can do for your country",
    ];
    let ranked =
        bench.run("video_to_text", &[("video", bench.reel("space")), ("captions", json!(captions).to_string())]);
    let first: Vec<&str> = (0..2).filter_map(|n| ranked[n]["text"].as_str()).collect();
    assert!(first.contains(&captions[0]) && first.contains(&captions[3]), "{ranked}");

    let videos = ["space", "morning", "garden", "town"].map(|name| bench.reel(name));
    let ranked =
        bench.run("text_to_video", &[("text", "a rocket is launched".into()), ("videos", json!(videos).to_string())]);
    assert_eq!(ranked[0]["video"], json!(videos[0]), "{ranked}");
}

/// The witness knows cartoons only, so a dispute shows which eye to trust: the one that stays steady.
#[test]
#[ignore = "needs real weights: make real"]
fn an_eye_for_cartoons_is_found_out() {
    let bench = bench();
    let labels = ["coffee cup", "cat", "kitchen", "street", "dog", "motorcycle"];
    let told = bench.run(
        "cross_examine",
        &[("video", bench.reel("morning")), ("among", json!(labels).to_string()), ("count", "6".into())],
    );
    let share = |name: &str| told[name].as_f64().expect("a share");
    assert!(share("eye_steady") > share("witness_steady") && share("agreement") < 0.5, "{told}");
    let moments = told["moments"].as_array().expect("moments");
    assert!(
        ["coffee cup", "cat", "motorcycle"].iter().all(|thing| moments.iter().any(|m| m["eye"] == *thing)),
        "{told}"
    );
}

#[test]
#[ignore = "needs real weights: make real"]
fn a_log_changes_the_choice() {
    let log = json!([
        { "start": 0, "end": 7, "text": "cafe, drinking coffee. Seen: coffee cup, spoon." },
        { "start": 7, "end": 14, "text": "living room, petting a cat. Seen: cat, sofa." },
        { "start": 14, "end": 20, "text": "garage, repairing a motorcycle. Seen: motorcycle. Heard: we need a new tyre." },
    ]);
    let inputs = [
        ("log", log.to_string()),
        ("question", "What animal did I see?".to_owned()),
        ("choices", json!(["A dog.", "A cat.", "A horse."]).to_string()),
    ];
    let told = bench().run("log_choice", &inputs);
    assert!(told["text"] == "A cat." && told["blind"] != "A cat.", "{told}");
}

#[test]
#[ignore = "needs real weights: make real"]
fn pictures_are_searched_by_the_words_of_a_question() {
    let bench = bench();
    let about = |question: &str| [("video", bench.reel("morning")), ("question", question.to_owned())];
    let found = bench.run("video_search", &about("When did I see the cat?"));
    let middle = |entry: &Json| (entry["start"].as_f64().unwrap_or(0.0) + entry["end"].as_f64().unwrap_or(0.0)) / 2.0;
    assert!((12.0..18.0).contains(&middle(&found["evidence"][0])), "{found}");
    let found = bench.run("focus", &about("What animal did I see?"));
    assert!(found["text"].as_str().is_some_and(|text| text.contains("cat")), "{found}");
}

/// The mind translates the question and the answer; the lines that it cites are those of the English question.
#[test]
#[ignore = "needs real weights: make real"]
fn a_german_question_is_answered_from_an_english_log() {
    let log = ("log", "@examples/media/day1.log.jsonl".to_owned());
    let found = bench().run("log_qa", &[log, ("question", "Wie oft habe ich die Liste geprüft?".to_owned())]);
    assert_eq!(found["translated_from"], "Twice.", "{found}");
    assert_eq!(found["evidence"].as_array().map(Vec::len), Some(2), "{found}");
}
