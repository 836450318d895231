//! A translator through the real program: an image classifier and a text embedder as one agent.

use assert_cmd::Command;
use serde_json::Value as Json;
use std::{fs, path::Path};

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// A project with two small models, and these further agents.
    fn new(agents: &[(&str, &str)]) -> Bench {
        let bench = Bench { folder: tempfile::tempdir().expect("temp") };
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures");
        let model = |name: &str| format!("model: {{ path: {} }}\n", fixtures.join(name).display());
        bench.write("agents/sight.yaml", &model("vit-square"));
        bench.write("agents/reading.yaml", &model("bert-mean"));
        agents.iter().for_each(|(name, text)| bench.write(&format!("agents/{name}.yaml"), text));
        fs::copy(fixtures.join("images/wide.png"), bench.folder.path().join("wide.png")).expect("copied");
        bench
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// Runs the program and gives its exit code, what it printed, and its messages.
    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        for name in ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE", "HOME"] {
            command.env(name, self.folder.path().join(format!(".{}", name.to_lowercase())));
        }
        let output = command.current_dir(self.folder.path()).args(args).arg("--trust").output().expect("it ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    fn json(&self, args: &[&str]) -> Json {
        let (code, out, err) = self.run(&[args, &["--json"]].concat());
        assert_eq!(code, Some(0), "{args:?}\n{out}\n{err}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}: {out}"))
    }
}

const TRANSLATOR: &str = "about: Any words.\ntranslate: { eye: sight, words: reading, labels: 3 }\n";

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn unit(v: Vec<f64>) -> Vec<f64> {
    let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
    v.into_iter().map(|x| x / length).collect()
}

#[test]
fn a_translator_ranks_an_image_among_words_that_its_eye_never_learnt() {
    let bench = Bench::new(&[("translator", TRANSLATOR)]);
    let own = bench.json(&["try", "sight", "--image", "wide.png"]);
    let embed = |text: &str| numbers(&bench.json(&["try", "reading", "--text", text, "--embed"])["embedding"]);
    let mut image = vec![0.0; embed("x").len()];
    for label in own["scores"].as_array().expect("labels").iter().take(3) {
        let weight = label["probability"].as_f64().expect("a number");
        let vector = embed(label["text"].as_str().expect("text"));
        image.iter_mut().zip(vector).for_each(|(sum, x)| *sum += weight * x);
    }
    let image = unit(image);
    let ranked =
        bench.json(&["try", "translator", "--image", "wide.png", "--among", "kitchen,street,where are my keys"]);
    for label in ranked["scores"].as_array().expect("labels") {
        let vector = embed(label["text"].as_str().expect("text"));
        let cosine: f64 = image.iter().zip(vector).map(|(a, b)| a * b).sum();
        assert!((label["score"].as_f64().expect("a number") - cosine).abs() < 1e-5, "{label} {cosine}");
    }
    let found = numbers(&bench.json(&["try", "translator", "--image", "wide.png", "--embed"])["embedding"]);
    assert!(found.iter().zip(&image).all(|(a, b)| (a - b).abs() < 1e-5));
    assert_eq!(bench.json(&["try", "translator", "--image", "wide.png"]), own, "its eye's labels");

    let agents = bench.json(&["models", "list"]);
    let row = agents["agents"].as_array().expect("rows").iter().find(|row| row["name"] == "translator").expect("there");
    assert_eq!((row["sort"].as_str(), row["place"].as_str()), (Some("translate"), Some("sight through reading")));
    let (code, out, _) = bench.run(&["show", "agents/translator"]);
    assert!(code == Some(0) && out.contains("translate:"), "{out}");
    let dialogue = "version: 1\ndialogue: d\ninputs: { x: image }\ncast: { eye: translator }\nsteps:\n  \
                    a: { rank: { agent: eye, what: \"{{ x }}\", among: [kitchen, street], top: 1 } }\nanswer: \"{{ a[0].text }}\"\n";
    bench.write("d.yaml", dialogue);
    let answer = bench.json(&["run", "d.yaml", "-i", "x=wide.png", "--record", "run.jsonl"]);
    assert!(["kitchen", "street"].contains(&answer["answer"].as_str().expect("text")), "{answer}");
    assert_eq!(bench.json(&["replay", "run.jsonl"])["answer"], answer["answer"]);
}

#[test]
fn agents_that_a_translator_cannot_join_are_refused() {
    let bench = Bench::new(&[
        ("translator", TRANSLATOR),
        ("typo", "translate: { eye: sihgt, words: reading }\n"),
        ("chain", "translate: { eye: translator, words: chain }\n"),
        ("swapped", "translate: { eye: reading, words: sight }\n"),
        ("none", "translate: { eye: sight, words: reading, labels: 0 }\n"),
    ]);
    let dialogue = |agent: &str, rest: &str| {
        let step = format!("a: {{ rank: {{ agent: eye, what: \"{{{{ x }}}}\"{rest} }} }}");
        let text = format!(
            "version: 1\ndialogue: d\ninputs: {{ x: image }}\ncast: {{ eye: {agent} }}\nsteps: {{ {step} }}\nanswer: \"{{{{ a }}}}\"\n"
        );
        bench.write("d.yaml", &text);
    };
    let refused = |args: &[&str], code: i32, expected: &[&str]| {
        let (found, out, err) = bench.run(args);
        assert_eq!(found, Some(code), "{args:?}\n{out}\n{err}");
        let all = format!("{out}{err}");
        expected.iter().for_each(|piece| assert!(all.contains(piece), "{piece} in {all}"));
    };
    dialogue("typo", ", among: [a]");
    refused(&["check", "d.yaml"], 2, &["found no agent `sihgt`", "agents/typo.yaml:1:19", "did you mean `sight`?"]);
    dialogue("chain", ", among: [a]");
    refused(
        &["check", "d.yaml"],
        2,
        &["found `translator`, which is a translator too", "found `chain`, which is a translator too"],
    );
    dialogue("none", ", among: [a]");
    refused(&["check", "d.yaml"], 2, &["found 0 for `labels`, expected 1 or more"]);
    refused(&["try", "chain", "--image", "wide.png"], 2, &["agent chain: found `translator` in `translate`"]);
    refused(&["try", "swapped", "--image", "wide.png"], 4, &["found `reading` for `eye` of `translate`"]);
    bench.write("agents/sensed.yaml", "translate: { eye: sight, words: reading, senses: meanings }\n");
    dialogue("sensed", ", among: [a]");
    refused(&["check", "d.yaml"], 2, &["found no label list `meanings` for `senses`", "agents/sensed.yaml:1:"]);
    bench.write("vocab/meanings.txt", "# tea\ncup: for tea\ncup of tea\n\nmug:\n");
    let lines = ["vocab/meanings.txt:3:1", "found `cup of tea`, expected `label: meaning`", "vocab/meanings.txt:5:1"];
    refused(&["check", "d.yaml"], 2, &lines);
    refused(&["try", "sensed", "--image", "wide.png"], 4, &["vocab/meanings.txt:3: found `cup of tea`"]);
    bench.write("vocab/meanings.txt", "# tea\ncup: for tea\n");
    assert_eq!(bench.run(&["check", "d.yaml"]).0, Some(0));
    dialogue("translator", ", among: [a], floor: true");
    refused(&["run", "d.yaml", "-i", "x=wide.png"], 4, &["a translator states no floors", "floor: optional"]);
    let own = "version: 1\ndialogue: d\ncast: { mind: reading }\nsteps: { a: { rank: { agent: mind, what: hello } } }\nanswer: \"{{ a }}\"\n";
    bench.write("d.yaml", own);
    refused(&["run", "d.yaml"], 4, &["a step ranks without `among`, but the agent has no labels of its own"]);
}
