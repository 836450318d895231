//! Tests of the program: seeds, signals, processes that share a cache, endpoints and persons.

use assert_cmd::Command;
use serde_json::Value as Json;
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command as Process, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

const KEY: &str = "sk-a-key-nobody-may-see";

/// A project in a temporary folder, with its own cache.
struct Project(tempfile::TempDir);

impl Project {
    /// A project with these files.
    fn new(files: &[(&str, &str)]) -> Project {
        let folder = tempfile::tempdir().expect("temp");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        Project(folder)
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn cache(&self) -> PathBuf {
        self.path("cache")
    }
    /// Starts the program in this folder.
    fn start(&self, args: &[&str]) -> Child {
        let mut process = Process::new(env!("CARGO_BIN_EXE_elenchus"));
        process
            .current_dir(self.0.path())
            .env("ELENCHUS_CACHE", self.cache())
            .env("ELENCHUS_DATA", self.cache())
            .env("NO_COLOR", "1")
            .args(args);
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }
    /// Runs the program and checks the exit code. Gives stdout and stderr.
    #[track_caller]
    fn check(&self, args: &[&str], code: i32) -> (String, String) {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        command
            .current_dir(self.0.path())
            .env("ELENCHUS_CACHE", self.cache())
            .env("ELENCHUS_DATA", self.cache())
            .env("NO_COLOR", "1");
        let output = command.env("ENGINE_TEST_KEY", KEY).args(args).timeout(Duration::from_secs(200)).output();
        let output = output.expect("it ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        (out, err)
    }
    fn json(&self, args: &[&str], code: i32) -> Json {
        let (out, _) = self.check(args, code);
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}: {out}"))
    }
    /// A transcript's lines without `timing`, which may differ.
    fn timeless(&self, name: &str) -> Vec<Json> {
        let text = fs::read_to_string(self.path(name)).expect("a transcript");
        let line = |line: &str| {
            let mut json: Json = serde_json::from_str(line).expect("JSON");
            json.as_object_mut().expect("an object").remove("timing");
            json
        };
        text.lines().map(line).collect()
    }
}

/// A dialogue that samples from the starter cast's language model, in batches.
const SAMPLED: &str = "version: 1
dialogue: sampled
inputs: { words: list of text }
cast: { mind: starter-lm }
steps:
  said:
    each: words
    say: { agent: mind, text: \"Where is the {{ item }}?\", n: 3, temperature: 0.9, max_tokens: 12 }
answer: \"{{ said | length }}\"
";
const WORDS: &str =
    r#"words=["keys","mug on the table","book","phone that rang","red ball","keys and the cup","lamp"]"#;

#[test]
fn the_same_seed_gives_the_same_transcript_with_batching_on() {
    let project = Project::new(&[("d.yaml", SAMPLED)]);
    let run = |record: &str, more: &[&str]| {
        project.check(&[&["run", "d.yaml", "-i", WORDS, "-q", "--record", record], more].concat(), 0);
        project.timeless(record)
    };
    let first = run("a.jsonl", &["--seed", "5", "--fresh"]);
    assert!(first.len() > 21, "{first:?}");
    assert_eq!(first, run("b.jsonl", &["--seed", "5", "--fresh"]));
    assert_eq!(first, run("c.jsonl", &["--seed", "5", "--no-memo"]));
    assert_eq!(first, run("d.jsonl", &["--seed", "5"]), "from the memo");
    assert_ne!(first, run("e.jsonl", &["--seed", "6"]));
    let explained = project.json(&["memo", "explain", "a.jsonl", "said", "--json"], 0);
    assert!(explained.as_array().expect("a list").iter().all(|one| one["kept"] == true), "{explained}");
}

#[test]
fn processes_share_a_cache_from_the_start() {
    let project = Project::new(&[("d.yaml", SAMPLED)]);
    let children: Vec<Child> =
        (0..4).map(|_| project.start(&["run", "d.yaml", "-i", WORDS, "--seed", "1", "--json"])).collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}{err}", String::from_utf8_lossy(&output.stdout));
        assert!(!err.contains("without the memo"), "{err}");
    }
    assert_eq!(project.json(&["memo", "stat", "--json"], 0)["exchanges"], 21);
    let again = project.json(&["run", "d.yaml", "-i", WORDS, "--seed", "1", "--json"], 0);
    assert_eq!(again["memo_hits"], again["exchanges"]);
}

/// An endpoint whose behaviour depends on the path of the address. It counts requests and records their headers.
struct Endpoint {
    address: String,
    asked: Arc<AtomicUsize>,
    headers: Arc<Mutex<String>>,
    /// Receives a message for each request.
    seen: mpsc::Receiver<()>,
}

impl Endpoint {
    fn new() -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (asked, headers) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<String>>::default());
        let (see, seen) = mpsc::channel();
        let endpoint = Endpoint { address, asked: asked.clone(), headers: headers.clone(), seen };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, headers, see) = (asked.clone(), headers.clone(), see.clone());
                std::thread::spawn(move || serve(stream, &asked, &headers, &see));
            }
        });
        endpoint
    }
    /// An agent file for one behaviour.
    fn agent(&self, manner: &str) -> String {
        let address = &self.address;
        format!(
            "endpoint: {{ url: '{address}/{manner}/v1', model: m, key_env: ENGINE_TEST_KEY, timeout: 20s, retries: 1 }}\n"
        )
    }
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, asked: &AtomicUsize, headers: &Mutex<String>, see: &mpsc::Sender<()>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
        head.push_str(&std::mem::take(&mut line));
    }
    let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    reader.read_exact(&mut vec![0; length.unwrap_or(0)]).expect("a body");
    headers.lock().expect("lock").push_str(&head);
    let count = asked.fetch_add(1, Ordering::SeqCst);
    see.send(()).ok();
    let manner = head.split('/').nth(1).unwrap_or_default().to_owned();
    let good = r#"{"choices":[{"message":{"role":"assistant","content":"good"},"finish_reason":"stop"}]}"#.to_owned();
    // the server sends the request's headers back
    let echo = head.lines().find(|l| l.to_lowercase().starts_with("authorization")).unwrap_or_default();
    let (status, more, body) = match manner.as_str() {
        "busy" if count == 0 => ("429 Too Many Requests", "Retry-After: 1\r\n", "{}".to_owned()),
        "ok" | "busy" => ("200 OK", "", good),
        "refuses" => ("401 Unauthorized", "", format!(r#"{{"error":{{"message":"not you: {echo}"}}}}"#)),
        "broken" => ("500 Oops", "", format!(r#"{{"error":{{"message":"oops: {echo}"}}}}"#)),
        "garbles" => ("200 OK", "", r#"{"choices": ["#.to_owned()),
        // never answers, until the client disconnects
        _ => return drop(stream.read(&mut [0])),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\n{more}Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).ok();
}

/// Adds the content of all files below a folder to `all`.
fn written(folder: &Path, all: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).expect("listed").flatten() {
        if entry.path().is_dir() {
            written(&entry.path(), all);
        } else {
            all.extend(fs::read(entry.path()).expect("read"));
        }
    }
}

const ASKS: &str = "version: 1
dialogue: asks
inputs: { q: { type: text, default: hello } }
cast: { mind: AGENT }
steps:
  said: { MORE say: { agent: mind, text: \"{{ q }}\", temperature: 0 } }
answer: \"{{ said }}\"
";

#[test]
fn endpoint_errors_are_clear_and_keys_stay_secret() {
    let check = |manner: &str, more: &str, code: i32, expected: &str, times: usize| {
        let endpoint = Endpoint::new();
        let dialogue = ASKS.replace("AGENT", "far").replace("MORE", more);
        let project = Project::new(&[("d.yaml", &dialogue), ("agents/far.yaml", &endpoint.agent(manner))]);
        let begun = Instant::now();
        let (out, err) = project.check(&["run", "d.yaml", "-vv", "--trust", "--record", "run.jsonl"], code);
        assert!(out.contains(expected) || err.contains(expected), "{manner}\n{out}\n{err}");
        assert_eq!(endpoint.asked(), times, "{manner}");
        assert!(endpoint.headers.lock().expect("lock").contains(KEY), "{manner}: the key was sent");
        assert!(begun.elapsed() < Duration::from_secs(15), "{manner}: {:?}", begun.elapsed());
        let mut all = [out, err].concat().into_bytes();
        written(project.0.path(), &mut all);
        assert!(!all.windows(KEY.len()).any(|part| part == KEY.as_bytes()), "{manner}: the key is nowhere");
        if code == 0 && times > 0 && more.is_empty() {
            let again = project.json(&["run", "d.yaml", "--trust", "--json"], 0);
            assert_eq!((again["memo_hits"].as_u64(), endpoint.asked()), (Some(1), times));
        }
    };
    check("ok", "", 0, "good", 1);
    check("busy", "", 0, "good", 2);
    check("refuses", "", 1, "refuses the key in ENGINE_TEST_KEY (401)", 1);
    check("broken", "", 1, "answers 500: oops", 2);
    check("garbles", "", 1, "is not JSON", 1);
    check("hangs", "timeout: 1s,", 1, "the agent did not answer within 1s", 1);
    check("hangs", "timeout: 1s, or: nothing,", 0, "1 exchange in 1.0 s, 1 failed", 1);
}

#[test]
fn an_agent_that_cannot_be_asked_is_reported_at_once() {
    let agents = [
        ("agents/far.yaml", "endpoint: { url: 'http://127.0.0.1:9', model: m, key_env: ENGINE_TEST_NO_KEY }"),
        ("agents/judge.yaml", "person: {}"),
    ];
    let check = |agent: &str, code: i32, expected: &str| {
        let dialogue = ASKS.replace("AGENT", agent).replace("MORE ", "");
        let project = Project::new(&[&agents[..], &[("d.yaml", &dialogue)]].concat());
        let (_, err) = project.check(&["run", "d.yaml", "--trust"], code);
        assert!(err.contains(expected), "{agent}: {err}");
    };
    check("far", 4, "agent far: the environment variable ENGINE_TEST_NO_KEY (`key_env`) is not set");
    check("judge", 1, "a person must answer, but no terminal is attached");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_in_order() {
    let endpoint = Endpoint::new();
    let dialogue = "version: 1\ndialogue: d\ninputs: { q: { type: text, default: hello } }\ncast: { near: ok, far: hangs }\n\
                    steps:\n  first: { say: { agent: near, text: \"{{ q }}\", temperature: 0 } }\n  \
                    second: { say: { agent: far, text: \"{{ first }}\", temperature: 0 } }\nanswer: \"{{ second }}\"\n";
    let (ok, hangs) = (endpoint.agent("ok"), endpoint.agent("hangs"));
    let check = |signal: &str, code: i32| {
        let project = Project::new(&[("d.yaml", dialogue), ("agents/ok.yaml", &ok), ("agents/hangs.yaml", &hangs)]);
        let mut process = Process::new(env!("CARGO_BIN_EXE_elenchus"));
        process
            .current_dir(project.0.path())
            .env("ELENCHUS_CACHE", project.cache())
            .env("ELENCHUS_DATA", project.cache())
            .env("ENGINE_TEST_KEY", KEY);
        process
            .args(["run", "d.yaml", "--trust", "--record", "run.jsonl"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut run = process.spawn().expect("it starts");
        for _ in 0..2 {
            endpoint.seen.recv_timeout(Duration::from_secs(60)).expect("it is asked");
        }
        let sent = Process::new("kill").args([signal, &run.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let mut err = String::new();
        run.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
        assert_eq!(run.wait().expect("gone").code(), Some(code), "{signal}: {err}");
        assert!(err.contains("interrupted after 1 exchange"), "{signal}: {err}");
        let lines = project.timeless("run.jsonl");
        assert_eq!(lines.last().expect("an end")["outcome"], "cancelled", "{signal}");
        assert_eq!(project.json(&["memo", "stat", "--json"], 0)["exchanges"], 1, "{signal}");
    };
    check("-INT", 130);
    check("-TERM", 143);
    if cfg!(target_os = "linux") {
        check("-HUP", 129);
    }
}
