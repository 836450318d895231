//! Tests with real models, which `make real` fetches (tests/real/README.md) and names in `ELENCHUS_REAL`. Tests on real
//! clips read `../shared/media`.

use assert_cmd::Command;
use serde_json::{Value as Json, json};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// The checkpoint folder or GGUF file of a real model.
fn real(name: &str) -> PathBuf {
    let folder =
        std::env::var_os("ELENCHUS_REAL").expect("ELENCHUS_REAL names the folder of real models: `make real` sets it");
    let path = PathBuf::from(folder).join(name);
    assert!(path.exists(), "{} is missing: run `make real`", path.display());
    path
}

/// A clip beside the repository. Without it, stderr says that the test is skipped: the harness hides what it prints.
fn media(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared/media", "../../shared/media"].map(|folder| root.join(folder).join(name));
    let found = found.into_iter().find(|file| file.exists());
    if found.is_none() {
        writeln!(std::io::stderr(), "notice: ../shared/media/{name} is not here; its test is skipped").expect("stderr");
    }
    found
}

/// What the program writes as JSON.
fn elenchus(args: &[&Path]) -> Json {
    let cache = tempfile::tempdir().expect("a folder");
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("ELENCHUS_CACHE", cache.path());
    let output = command.timeout(Duration::from_secs(600)).args(args).arg("--json").output().expect("it ends");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The words and times that `generate` of transformers 5.23 gives for this file (greedy, `return_timestamps=True`).
#[test]
#[ignore = "needs real weights: make real"]
fn whisper_hears_as_transformers() {
    let Some(speech) = media("jfk.flac") else { return };
    let [word, model, audio] = ["try", "--model", "--audio"].map(Path::new);
    let heard = elenchus(&[word, model, &real("whisper-tiny.en"), audio, &speech]);
    let segment = |start: f64, end: f64, text: &str| json!({ "start": start, "end": end, "text": text });
    let segments = [
        segment(0.0, 8.0, "And so my fellow Americans ask not what your country can do for you"),
        segment(8.0, 11.0, "ask what you can do for your country."),
    ];
    assert_eq!(heard["segments"], json!(segments));
    let words =
        "And so my fellow Americans ask not what your country can do for you ask what you can do for your country.";
    assert_eq!(heard["text"], words);
}

/// tests/real/README.md explains the fields of tests/real/gold.json.
#[test]
fn the_gold_words_are_labels_of_the_world() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).expect(file);
    let gold: Json = serde_json::from_str(&read("tests/real/gold.json")).expect("JSON");
    let list = |field: &str| gold[field].as_array().expect(field).clone();
    let clips: Vec<Json> = list("clips").iter().map(|clip| clip["name"].clone()).collect();
    for sight in list("sights") {
        let labels = match sight["kind"].as_str() {
            Some("place") => read("vocab/world/places.txt"),
            Some("thing") => read("vocab/world/things.txt"),
            _ => read("vocab/world/activities.txt"),
        };
        assert!(clips.contains(&sight["clip"]), "{sight}");
        let words = sight["words"].as_array().expect("words");
        assert!(!words.is_empty() && words.iter().all(|word| labels.lines().any(|label| word == label)), "{sight}");
    }
    let questions = list("questions");
    let unanswerable = questions.iter().filter(|question| question["unanswerable"] == true).count();
    assert!(clips.len() >= 6 && questions.len() >= 40 && unanswerable >= 12);
    for question in questions {
        let judged = ["answer", "time", "unanswerable"].iter().filter(|key| !question[**key].is_null()).count();
        assert!(judged == 1 && clips.contains(&question["clip"]), "{question}");
    }
}
