//! The vectors of labels between processes: a label is computed once for each model, and a tower that is not needed is
//! not loaded.

use assert_cmd::Command;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures").join(name)
}

/// A user with a cache folder.
struct User(tempfile::TempDir);

impl User {
    fn new() -> User {
        User(tempfile::tempdir().expect("a folder"))
    }

    /// Runs the program; it must succeed. Gives its JSON and the names of the towers that it loaded.
    fn run(&self, args: &[&str]) -> (Json, Vec<String>) {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        command
            .env("ELENCHUS_CACHE", self.0.path())
            .env("ELENCHUS_DATA", self.0.path())
            .env("NO_COLOR", "1")
            .env_remove("ELENCHUS_LOG");
        let output = command.args(args).args(["-v", "--json"]).output().expect("it ends");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {log}");
        let towers = log.lines().filter(|line| line.contains("loaded a tower"));
        let name =
            |line: &str| line.split("tower=").nth(1).expect("a name").split_whitespace().next().map(str::to_owned);
        let towers = towers.filter_map(name).map(|name| name.trim_matches('"').to_owned()).collect();
        (serde_json::from_slice(&output.stdout).expect("JSON"), towers)
    }

    /// Asks a fixture about a picture or a text.
    fn ask(&self, model: &str, more: &[&str]) -> (Json, Vec<String>) {
        let (model, image) = (fixture(model), fixture("images/wide.png"));
        let mut args = vec!["try", "--model", model.to_str().expect("UTF-8")];
        let image = image.to_str().expect("UTF-8");
        args.extend(more.iter().map(|arg| if *arg == "PICTURE" { image } else { arg }));
        self.run(&args)
    }
}

#[test]
fn a_request_loads_only_the_tower_that_it_needs() {
    let user = User::new();
    let check = |more: &[&str], expected: &[&str]| assert_eq!(user.ask("siglip-spiece", more).1, expected, "{more:?}");
    check(&["--text", "keys", "--embed"], &["text"]);
    // a text to embed is not a label, so the store does not have it
    check(&["--text", "keys", "--embed"], &["text"]);
    check(&["--image", "PICTURE", "--embed"], &["image"]);
    check(&["--text", "keys", "--among", "a,b"], &["text"]);
}

#[test]
fn a_sentence_embedder_keeps_the_vectors_of_labels() {
    let user = User::new();
    let (first, _) = user.ask("embed-xlmr", &["--text", "where are the keys", "--among", "kitchen,street"]);
    let count = || user.run(&["memo", "stat"]).0["vectors"]["count"].as_u64();
    assert_eq!(count(), Some(2), "the two labels, and not the text");
    let (second, _) = user.ask("embed-xlmr", &["--text", "where are the keys", "--among", "kitchen,street"]);
    assert_eq!((first, count()), (second, Some(2)));
    user.ask("embed-xlmr", &["--text", "where are the keys", "--among", "street,cafe"]);
    assert_eq!(count(), Some(3));
}

mod slow {
    use super::User;

    #[test]
    fn a_second_process_ranks_1500_labels_without_the_text_tower() {
        let check = |model: &str| {
            let user = User::new();
            let list = user.0.path().join("labels.txt");
            let labels: Vec<String> = (0..1500).map(|n| format!("thing {n}")).collect();
            std::fs::write(&list, labels.join("\n")).expect("written");
            let list = list.to_str().expect("UTF-8").to_owned();
            let rank = ["--image", "PICTURE", "--among", &list];
            let (first, towers) = user.ask(model, &rank);
            assert_eq!(towers, ["image", "text"], "{model}");
            let (second, towers) = user.ask(model, &rank);
            assert_eq!(towers, ["image"], "{model}");
            assert_eq!(first, second, "{model}");
            assert_eq!(first["scores"].as_array().map(Vec::len), Some(1500));
            let (stat, _) = user.run(&["memo", "stat"]);
            assert_eq!((stat["vectors"]["count"].as_u64(), stat["vectors"]["models"].as_u64()), (Some(1500), Some(1)));
            // one new label, and the same labels by another number format, need the tower
            let (_, towers) = user.ask(model, &["--image", "PICTURE", "--among", "thing 3,another"]);
            assert_eq!(towers, ["image", "text"], "{model}");
            let (_, towers) = user.ask(model, &["--image", "PICTURE", "--among", "thing 3,thing 4", "--dtype", "f16"]);
            assert_eq!(towers, ["image", "text"], "{model}");
            let (purged, _) = user.run(&["memo", "purge", "--all"]);
            assert_eq!(purged["vectors"].as_u64(), Some(1503));
            let (_, towers) = user.ask(model, &["--image", "PICTURE", "--among", "thing 3,another"]);
            assert_eq!(towers, ["image", "text"], "{model}");
        };
        check("clip-gelu");
        check("siglip-gemma");
    }
}
