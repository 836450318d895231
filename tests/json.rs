//! Runs the commands and compares their output with the JSON Schemas in docs/json.md.

#[path = "hub/fake.rs"]
mod fake;

use assert_cmd::Command;
use serde_json::Value as Json;
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

/// The schemas of docs/json.md, by the commands in the headings.
fn schemas() -> BTreeMap<String, Json> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md")).expect("docs/json.md");
    let mut schemas = BTreeMap::new();
    for section in page.split("\n## ").skip(1) {
        let heading = section.lines().next().expect("a heading");
        let block = section.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a schema");
        let schema: Json = serde_json::from_str(block).unwrap_or_else(|error| panic!("{heading}: {error}"));
        let names: Vec<&str> = heading.split('`').skip(1).step_by(2).collect();
        let names = if names.is_empty() { vec!["error"] } else { names };
        names.into_iter().for_each(|name| drop(schemas.insert(name.to_owned(), schema.clone())));
    }
    schemas
}

struct Bench {
    schemas: BTreeMap<String, Json>,
    folder: tempfile::TempDir,
    seen: RefCell<Vec<String>>,
    hub: fake::Hub,
}

impl Bench {
    /// The environment of the program: folders of its own, and a hub on this machine.
    fn environment(&self) -> impl Iterator<Item = (&'static str, std::path::PathBuf)> {
        let names = ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE", "HOME", "HF_HOME"];
        let folders =
            names.into_iter().map(|name| (name, self.folder.path().join(format!(".{}", name.to_lowercase()))));
        folders.chain([("HF_ENDPOINT", self.hub.url.clone().into())])
    }

    /// Runs the program and compares its single line of JSON with the schema under `heading`.
    fn check(&self, heading: &str, args: &[&str], code: i32) -> Json {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        command.envs(self.environment());
        let output = command.current_dir(self.folder.path()).args(args).arg("--json").output().expect("it ends");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        self.fits(heading, args, &out)
    }

    /// Starts a program that goes on, compares its first line, and ends it.
    fn check_first(&self, heading: &str, args: &[&str]) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_elenchus"));
        command.envs(self.environment()).current_dir(self.folder.path()).args(args).arg("--json");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
        child.kill().expect("it goes on");
        child.wait().expect("it ends");
        self.fits(heading, args, &line);
    }

    fn fits(&self, heading: &str, args: &[&str], out: &str) -> Json {
        assert_eq!(out.lines().count(), 1, "{args:?}: {out}");
        let json: Json = serde_json::from_str(out).unwrap_or_else(|error| panic!("{args:?}: {error}: {out}"));
        let validator = jsonschema::validator_for(&self.schemas[heading]).expect("a schema");
        let wrong: Vec<String> = validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path)).collect();
        assert!(wrong.is_empty(), "{args:?} does not fit {heading}: {wrong:#?}\n{out}");
        self.seen.borrow_mut().push(heading.to_owned());
        json
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
}

#[test]
fn every_command_prints_json_that_fits_its_schema() {
    let (folder, hub) = (tempfile::tempdir().expect("temp"), fake::Hub::start());
    let bench = Bench { schemas: schemas(), folder, seen: RefCell::default(), hub };
    let media = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/media");
    let day = media.join("day1.mp4").display().to_string();
    bench.check("init", &["init", "demo"], 0);
    bench.write("agents/teller.yaml", "about: Tells.\nscript: { '': '[1] In the cafe.' }\n");
    let tests = "tests: [{ name: t, script: { mind: hi }, expect: { answer: hi } }]\n";
    let steps = "steps:\n  s: { say: { agent: mind, text: \"{{ q }}\" } }\nanswer: \"{{ s }}\"\n";
    let inputs = "inputs: { q: { type: text, default: hello, about: What is said. } }\n";
    bench.write(
        "d.yaml",
        &format!(
            "version: 1\ndialogue: d\nabout: Says.\n{inputs}cast: {{ mind: teller, spare: teller }}\n{steps}{tests}"
        ),
    );
    bench.write("bad.yaml", "version: 1\ndialogue: d\nsteps: {}\nanswer: \"{{ x }}\"\n");
    let cited = "version: 1\ndialogue: c\ninputs: { log: list of record }\ncast: { mind: teller }\nsteps:\n  a: { say: { agent: mind, text: \"{{ log }}\", cite: log } }\nanswer: \"{{ a }}\"\n";
    bench.write("cited.yaml", cited);
    bench.write("log.json", r#"[{ "start": 1, "end": 2.5, "text": "cafe" }]"#);
    bench.write(
        "cases.jsonl",
        "{\"answer\": \"In the cafe.\", \"kind\": \"where\", \"q\": \"x\"}\n{\"answer\": \"x\", \"q\": {\"a\": 1}}\n",
    );

    bench.check("run", &["run", "d.yaml", "--record", "run.jsonl"], 0);
    bench.check("run", &["run", "cited.yaml", "-i", "log=log.json"], 0);
    bench.check("replay", &["replay", "run.jsonl"], 0);
    let inputs = bench.check("run DIALOGUE --help", &["run", "d.yaml", "--help"], 0);
    assert_eq!(inputs["inputs"][0]["default"], "hello");
    let problems = bench.check("check", &["check", "d.yaml", "bad.yaml", "none.yaml"], 2);
    let codes: Vec<&str> = problems.as_array().expect("a list").iter().filter_map(|p| p["code"].as_str()).collect();
    assert_eq!(codes, ["unused-role", "unknown-name", "unreadable"], "a missing file hides no problem");
    bench.check("plan", &["plan", "d.yaml"], 0);
    bench.check("graph", &["graph", "d.yaml"], 0);
    bench.check("test", &["test", "d.yaml"], 0);
    bench.check("eval", &["eval", "d.yaml", "--data", "cases.jsonl"], 1);
    bench.check("memo stat", &["memo", "stat"], 0);
    bench.check("memo explain", &["memo", "explain", "run.jsonl", "s"], 0);
    let hint = bench.check("error", &["memo", "explain", "run.jsonl", "none"], 2)["error"]["hint"].to_string();
    assert!(hint.contains("its steps are s"), "{hint}");
    bench.check("memo purge", &["memo", "purge", "--all"], 0);
    bench.check("memo path", &["memo", "path"], 0);
    let heard = bench.check("try --audio", &["try", "starter-whisper", "--audio", &day, "--words"], 0);
    let words: Vec<&str> =
        heard["words"].as_array().expect("words").iter().filter_map(|w| w["text"].as_str()).collect();
    assert_eq!((Some(words.join(" ").as_str()), heard["language"].as_str()), (heard["text"].as_str(), Some("en")));
    bench.check("models path", &["models", "path", "starter-lm"], 0);
    let files: [(&str, &[u8]); 2] = [("config.json", b"{}"), ("model.safetensors", b"weights")];
    bench.hub.model("org/name", &fake::commit(1), &files);
    bench.check("models pull --dry-run", &["models", "pull", "org/name", "--dry-run"], 0);
    bench.check("models pull", &["models", "pull", "org/name"], 0);
    bench.check("models list", &["models", "list"], 0);
    bench.check("models verify", &["models", "verify"], 0);
    bench.check("models remove", &["models", "remove", "org/name", "--yes"], 0);
    bench.check("error", &["models", "remove", "org/name", "--yes"], 4);
    bench.check("setup", &["setup", "--cast", "starter", "--dry-run"], 0);
    bench.check("list", &["list"], 0);
    let dialogue = bench.check("show", &["show", "video_qa"], 0);
    assert_eq!((dialogue["from"].as_str(), dialogue["inputs"][0]["type"].as_str()), (Some("program"), Some("video")));
    bench.check("show", &["show", "agents/teller"], 0);
    bench.check("trust DIR", &["trust", "."], 0);
    bench.check("trust --list", &["trust", "--list"], 0);
    bench.check("trust --remove DIR", &["trust", "--remove", "."], 0);
    let checks = bench.check("doctor", &["doctor"], 0);
    let own = checks.as_array().expect("a list").iter().find(|check| check["name"] == "agents/teller");
    assert_eq!(own.map(|check| &check["status"]), Some(&Json::from("ok")), "the project's agent: {checks}");
    bench.check("calibrate AGENT", &["calibrate", "starter-clip"], 0);
    bench.check("completions", &["completions", "bash"], 0);
    bench.check("--version", &["--version"], 0);
    bench.check("try --prompt", &["try", "starter-lm", "--prompt", "hello", "--max-tokens", "2"], 0);
    bench.check("try --prompt", &["try", "starter-lm", "--prompt", "hello", "--max-tokens", "2", "--logprobs"], 0);
    bench.write("s.json", r#"{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}"#);
    let typed = ["try", "starter-lm", "--prompt", "hello", "--max-tokens", "9", "--schema", "s.json"];
    let said = bench.check("try --prompt", &typed, 0);
    assert!(said["value"]["a"].is_i64(), "{said}");
    // a template that opens thoughts: what this model writes never closes them
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures/lm-tied");
    fs::create_dir(bench.folder.path().join("thinker")).expect("made");
    for file in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(model.join(file), bench.folder.path().join("thinker").join(file)).expect("copied");
    }
    bench.write("thinker/chat_template.jinja", "{{ messages[0].content }}<think>\n");
    let thought = ["try", "--model", "thinker", "--prompt", "hello", "--max-tokens", "8", "--temperature", "0"];
    let thought = bench.check("try --prompt", &thought, 0);
    assert!(thought["text"] == "" && thought["thinking"].as_str().is_some_and(|text| !text.is_empty()), "{thought}");
    let several = ["try", "starter-lm", "--prompt", "hello", "--max-tokens", "3", "--n", "3", "--temperature", "1"];
    assert_eq!(bench.check("try --prompt --n", &several, 0)["replies"].as_array().map(Vec::len), Some(3));
    let choose = ["try", "starter-lm", "--prompt", "hello", "--choices", "in the cafe,at home", "--normalise"];
    bench.check("try --prompt --choices", &choose, 0);
    bench.check("try --embed", &["try", "starter-clip", "--text", "a dog", "--embed"], 0);
    bench.check("try --among", &["try", "starter-clip", "--text", "a kitchen", "--among", "vocab/starter/places"], 0);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures");
    let (owl, picture) = (fixtures.join("owlv2-plain"), fixtures.join("images/wide.png"));
    let (owl, picture) = (owl.to_str().expect("a name"), picture.to_str().expect("a name"));
    bench.check("try --detect", &["try", "--model", owl, "--image", picture, "--detect", "cup,key", "--min", "0"], 0);
    bench.check("try --audio", &["try", "starter-whisper", "--audio", &day], 0);
    let plan = ["plan", "video_qa", "-i", &format!("video={day}"), "-i", "question=Where are the keys?"];
    bench.check("plan", &plan, 0);
    bench.check("ask", &["ask", &day, "Where did I last see the keys?"], 0);
    // what the memo has takes no time, and says nothing about the next run
    bench.check("ask", &[&["run"], &plan[1..], &["--fresh"]].concat(), 0);
    let known = bench.check("plan", &[&plan[..], &["--fresh"]].concat(), 0);
    assert!(known["time"]["seconds"].as_f64() > Some(0.0), "the run above measured every agent: {known}");
    assert_eq!(known["time"]["same_dialogue"], true, "{known}");
    bench.check("index", &["index", &day], 0);
    let hits = bench.check("search", &["search", "keys"], 0);
    assert!(hits.as_array().is_some_and(|hits| !hits.is_empty()), "{hits}");
    bench.check("journal stat", &["journal", "stat"], 0);
    bench.check_first("serve", &["serve", "--port", "0"]);
    bench.check("journal show", &["journal", "show"], 0);
    bench.check("journal forget", &["journal", "forget", &day], 0);
    bench.check("error", &["ask", "none.mp4", "x"], 3);
    let unquoted =
        bench.check("error", &["ask", "day.mp4", "Where", "did", "I", "go?"], 2)["error"]["hint"].to_string();
    assert!(unquoted.contains("put the question in quotes"), "{unquoted}");

    let seen = bench.seen.borrow();
    let unseen: Vec<&String> = bench.schemas.keys().filter(|heading| !seen.contains(heading)).collect();
    assert!(unseen.is_empty(), "no command here prints {unseen:?}");
}
