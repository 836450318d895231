//! A server on loopback that behaves like the model hub, and misbehaves when a test asks for it.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Condvar, Mutex},
};

/// A request that the hub got.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The path and the query.
    pub(crate) target: String,
    /// The headers, with names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// How many requests for this target came before.
    pub(crate) before: usize,
    /// True if the request came as one to a proxy.
    pub(crate) proxied: bool,
}

/// An answer of the hub.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Closes the connection after so many bytes of the body.
    pub(crate) cut: Option<usize>,
    /// Waits for the gate after so many bytes of the body.
    pub(crate) hold: Option<(usize, Gate)>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into(), cut: None, hold: None }
    }
    pub(crate) fn with(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A gate that a test opens.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
    fn wait(&self) {
        let open = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(open, |open| !*open).unwrap());
    }
}

/// A revision of a model.
#[derive(Clone, Default)]
pub(crate) struct Model {
    pub(crate) commit: String,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Changes the hub's description of the revision.
    pub(crate) said: Json,
}

type Rule = Box<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;

#[derive(Default)]
struct State {
    /// By `org/name@revision`.
    models: Mutex<BTreeMap<String, Model>>,
    rules: Mutex<Vec<Rule>>,
    log: Mutex<Vec<Asked>>,
    asked: Condvar,
}

/// The hub. It ends with the test's process.
pub(crate) struct Hub {
    pub(crate) url: String,
    state: Arc<State>,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&SHA256, bytes).as_ref())
}

/// git's digest of a file.
pub(crate) fn git_sha1(bytes: &[u8]) -> String {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(format!("blob {}\0", bytes.len()).as_bytes());
    context.update(bytes);
    hex(context.finish().as_ref())
}

/// A commit that follows from a number.
pub(crate) fn commit(number: u64) -> String {
    format!("{number:040x}")
}

impl Hub {
    pub(crate) fn start() -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(State::default());
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || {
                    // a client that goes away is normal here
                    let _ = serve(&state, stream);
                });
            }
        });
        Hub { url, state }
    }

    /// Adds or replaces a revision of a model.
    pub(crate) fn model(&self, id: &str, commit: &str, files: &[(&str, &[u8])]) {
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        self.put(id, Model { commit: commit.to_owned(), files, said: json!({}) });
    }

    pub(crate) fn put(&self, id: &str, model: Model) {
        let id = if id.contains('@') { id.to_owned() } else { format!("{id}@main") };
        self.state.models.lock().unwrap().insert(id, model);
    }

    /// Adds a checkpoint folder; one GGUF file gets the name `gguf`.
    pub(crate) fn folder(&self, id: &str, folder: &Path, gguf: Option<&str>) {
        let mut model = Model { commit: commit(id.len() as u64), ..Model::default() };
        let mut open = vec![(folder.to_owned(), String::new())];
        while let Some((folder, prefix)) = open.pop() {
            for entry in fs::read_dir(&folder).expect("a folder").flatten() {
                let name = entry.file_name().into_string().expect("UTF-8");
                match entry.path().is_dir() {
                    true => open.push((entry.path(), format!("{prefix}{name}/"))),
                    false => {
                        let own = if name == "model.gguf" { gguf.map_or(name, str::to_owned) } else { name };
                        model.files.insert(format!("{prefix}{own}"), fs::read(entry.path()).expect("read"));
                    }
                }
            }
        }
        self.put(id, model);
    }

    /// Answers requests in another way: the last rule that gives an answer wins.
    pub(crate) fn rule(&self, rule: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) {
        self.state.rules.lock().unwrap().push(Box::new(rule));
    }

    /// The usual behaviour again, and an empty log.
    pub(crate) fn calm(&self) {
        self.state.rules.lock().unwrap().clear();
        self.state.log.lock().unwrap().clear();
    }

    /// The requests so far.
    pub(crate) fn log(&self) -> Vec<Asked> {
        self.state.log.lock().unwrap().clone()
    }

    /// The requests for a file.
    pub(crate) fn asked_for(&self, file: &str) -> Vec<Asked> {
        self.log().into_iter().filter(|asked| asked.target.ends_with(file)).collect()
    }

    /// Waits until so many requests have a target that contains `part`.
    pub(crate) fn wait_for(&self, part: &str, count: usize) {
        let log = self.state.log.lock().unwrap();
        let few = |log: &mut Vec<Asked>| log.iter().filter(|asked| asked.target.contains(part)).count() < count;
        drop(self.state.asked.wait_while(log, few).unwrap());
    }

    /// The usual answer to a request, for rules that change a part of it.
    pub(crate) fn usual(&self) -> impl Fn(&Asked) -> Answer + Send + Sync + 'static {
        let state = self.state.clone();
        move |asked| usual(&state, asked)
    }
}

fn serve(state: &State, stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let proxied = target.starts_with("http://");
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
        None => target,
    };
    let mut headers = BTreeMap::new();
    for line in reader.by_ref().lines() {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let asked = {
        let mut log = state.log.lock().unwrap();
        let before = log.iter().filter(|one| one.target == target).count();
        let asked = Asked { target, headers, before, proxied };
        log.push(asked.clone());
        asked
    };
    state.asked.notify_all();
    let changed = state.rules.lock().unwrap().iter().rev().find_map(|rule| rule(&asked));
    let answer = changed.unwrap_or_else(|| usual(state, &asked));
    send(stream, &answer)
}

fn send(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", answer.status);
    if !answer.headers.iter().any(|(name, _)| name == "content-length") {
        head += &format!("content-length: {}\r\n", answer.body.len());
    }
    answer.headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    stream.write_all((head + "\r\n").as_bytes())?;
    let end = answer.cut.unwrap_or(answer.body.len());
    match &answer.hold {
        Some((after, gate)) => {
            stream.write_all(&answer.body[..*after])?;
            stream.flush()?;
            gate.wait();
            stream.write_all(&answer.body[*after..end])
        }
        None => stream.write_all(&answer.body[..end]),
    }
}

/// What the hub answers: descriptions of revisions, revisions, proposed changes, and files.
fn usual(state: &State, asked: &Asked) -> Answer {
    let path = asked.target.split('?').next().unwrap_or_default().replace("%2F", "/");
    let models = state.models.lock().unwrap();
    let no_repo = || Answer::new(401, "").with("x-error-code", "RepoNotFound");
    if let Some(rest) = path.strip_prefix("/api/models/") {
        let known = |repo: &str| models.keys().any(|id| id.split('@').next() == Some(repo));
        if let Some((repo, revision)) = rest.split_once("/revision/") {
            let found = models.get(&format!("{repo}@{revision}"));
            let by_commit = || models.iter().find(|(id, model)| id.starts_with(repo) && model.commit == revision);
            return match found.or_else(|| by_commit().map(|(_, model)| model)) {
                Some(model) => Answer::new(200, described(model).to_string()),
                None if known(repo) => Answer::new(404, "").with("x-error-code", "RevisionNotFound"),
                None => no_repo(),
            };
        }
        if let Some(repo) = rest.strip_suffix("/refs") {
            let names = models.keys().filter_map(|id| id.strip_prefix(repo)?.strip_prefix('@'));
            let branches: Vec<Json> = names.map(|name| json!({ "name": name })).collect();
            return Answer::new(200, json!({ "branches": branches, "tags": [], "converts": [] }).to_string());
        }
        if rest.ends_with("/discussions") {
            return Answer::new(200, json!({ "discussions": [], "count": 0 }).to_string());
        }
        return no_repo();
    }
    let Some((repo, rest)) = path.trim_start_matches('/').split_once("/resolve/") else { return Answer::new(404, "") };
    let (revision, file) = rest.split_once('/').unwrap_or_default();
    let model = models.iter().find(|(id, model)| id.split('@').next() == Some(repo) && model.commit == revision);
    match model.and_then(|(_, model)| model.files.get(file)) {
        Some(bytes) => ranged(asked, bytes),
        None => Answer::new(404, "").with("x-error-code", "EntryNotFound"),
    }
}

/// All of `bytes`, or the part that a `Range` header asks for.
pub(crate) fn ranged(asked: &Asked, bytes: &[u8]) -> Answer {
    let from = asked.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    match from.and_then(|from| from.parse::<usize>().ok()) {
        Some(from) if from < bytes.len() => Answer::new(206, &bytes[from..])
            .with("content-range", &format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len())),
        Some(_) => Answer::new(416, ""),
        None => Answer::new(200, bytes),
    }
}

/// The hub's description of a revision: large files have a SHA-256, small ones git's SHA-1.
fn described(model: &Model) -> Json {
    let sibling = |(name, bytes): (&String, &Vec<u8>)| {
        let is_large = [".safetensors", ".gguf", ".bin", "tokenizer.json"].iter().any(|end| name.ends_with(end));
        let mut file = json!({ "rfilename": name, "size": bytes.len(), "blobId": git_sha1(bytes) });
        if is_large {
            file["lfs"] = json!({ "sha256": sha256(bytes), "size": bytes.len(), "pointerSize": 130 });
        }
        file
    };
    let siblings: Vec<Json> = model.files.iter().map(sibling).collect();
    let mut said = json!({
        "sha": model.commit, "gated": false, "cardData": { "license": "apache-2.0" }, "siblings": siblings,
    });
    for (key, value) in model.said.as_object().into_iter().flatten() {
        said[key] = value.clone();
    }
    said
}
