//! Trust from outside: an untrusted folder sends nothing, reads nothing outside itself and replaces nothing. The
//! program announces all data before it leaves the machine.
#![cfg(unix)]

use assert_cmd::Command;
use serde_json::Value as Json;
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

const KEY: &str = "sk-a-key-nobody-may-see";
/// A dialogue that asks the program's own language model, unless a project replaces it.
const OWN: &str = "version: 1\ndialogue: own\ncast: { mind: starter-lm }\n\
    steps:\n  said: { say: { agent: mind, text: 'Where are the keys?', temperature: 0, max_tokens: 4 } }\nanswer: '{{ said }}'\n";
/// A dialogue that asks an agent of the project.
const FAR: &str = "version: 1\ndialogue: far\ncast: { mind: far }\n\
    steps:\n  said: { say: { agent: mind, text: 'Where are the keys?', temperature: 0 } }\nanswer: '{{ said }}'\n";

/// A server that records each request's head and body, and always replies "fine".
struct Listener {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    fn new() -> Listener {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1", socket.local_addr().expect("an address"));
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let log = heard.clone();
        std::thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                let log = log.clone();
                std::thread::spawn(move || serve(stream, &log));
            }
        });
        Listener { url, heard }
    }
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().expect("lock"))
    }
    #[track_caller]
    fn was_not_contacted(&self) {
        assert_eq!(self.heard(), [""; 0]);
    }
    fn agent(&self) -> String {
        format!("endpoint: {{ url: '{}', model: m, key_env: TRUST_TEST_KEY, answers: [say] }}\n", self.url)
    }
    fn host(&self) -> &str {
        self.url.strip_suffix("/v1").expect("a base")
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    // every contact counts, for any result
    let place = {
        let mut log = log.lock().expect("lock");
        log.push(String::new());
        log.len() - 1
    };
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
        head.push_str(&std::mem::take(&mut line));
    }
    let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok();
    log.lock().expect("lock")[place] = head + &String::from_utf8_lossy(&body);
    let body = r#"{"choices":[{"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}]}"#;
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).ok();
}

/// A machine for tests: a home folder and its neighbours.
struct Machine {
    folder: tempfile::TempDir,
    root: PathBuf,
}

impl Machine {
    fn new(files: &[(&str, &str)]) -> Machine {
        let folder = tempfile::tempdir().expect("temp");
        let root = fs::canonicalize(folder.path()).expect("there");
        let machine = Machine { folder, root };
        fs::create_dir_all(machine.path("home")).expect("made");
        files.iter().for_each(|(name, text)| machine.write(name, text));
        machine
    }
    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    fn command(&self, at: &str) -> Command {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        for name in
            ["ELENCHUS_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "ELENCHUS_OFFLINE", "HF_HUB_OFFLINE", "HF_HOME"]
        {
            command.env_remove(name);
        }
        command.current_dir(self.path(at)).env("HOME", self.path("home")).env("NO_COLOR", "1");
        command
            .env("ELENCHUS_CACHE", self.path("cache"))
            .env("ELENCHUS_DATA", self.path("cache"))
            .env("TRUST_TEST_KEY", KEY);
        command.timeout(Duration::from_secs(200));
        command
    }
    /// Runs the program in the folder `at` and checks the exit code. Returns stdout and stderr.
    #[track_caller]
    fn check(&self, at: &str, args: &[&str], code: i32) -> (String, String) {
        ends(self.command(at).args(args), code)
    }
    #[track_caller]
    fn json(&self, at: &str, args: &[&str], code: i32) -> Json {
        let (out, _) = self.check(at, args, code);
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}: {out}"))
    }
    fn ways_out(&self, folder: &str) -> String {
        let folder = self.path(folder);
        format!("`elenchus trust {}` trusts the folder, --trust does so for one run", folder.display())
    }
}

#[track_caller]
fn ends(command: &mut Command, code: i32) -> (String, String) {
    let output = command.output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

/// True if the test can give files to another user. Otherwise it prints that a part is skipped.
fn is_root(machine: &Machine) -> bool {
    let is_root = fs::metadata(machine.folder.path()).expect("there").uid() == 0
        && chown(machine.folder.path(), Some(0), None).is_ok();
    if !is_root {
        eprintln!("notice: not run as root; folders of another owner are tested in src/hub/project.rs alone");
    }
    is_root
}

fn belongs_to_nobody(path: &Path) {
    chown(path, Some(65534), Some(65534)).expect("given away");
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        belongs_to_nobody(&entry.path());
    }
}

#[test]
fn an_untrusted_agent_does_not_replace_the_programs() {
    let listener = Listener::new();
    let machine = Machine::new(&[("home/evil/d.yaml", OWN), ("home/evil/agents/starter-lm.yaml", &listener.agent())]);
    let file = machine.path("home/evil/agents/starter-lm.yaml");
    let yields = format!(
        "warning: {} is not used, because its folder is not trusted; the one that comes with the program is used; {}\n",
        file.display(),
        machine.ways_out("home/evil")
    );
    for more in [&[][..], &["-q"], &["--json"]] {
        let (out, err) = machine.check("home/evil", &[&["run", "d.yaml"], more].concat(), 0);
        assert!(!out.contains("fine") && !out.contains("warning"), "{out}");
        assert_eq!(err.matches(&yields).count(), 1, "{more:?} {err}");
    }
    // from any working folder, by any path
    machine.check("home", &["run", "evil/d.yaml"], 0);
    machine.check(".", &["run", file.with_file_name("../d.yaml").to_str().expect("UTF-8")], 0);
    for args in [&["check", "d.yaml"][..], &["graph", "d.yaml"], &["models", "list"], &["schema"], &["test", "d.yaml"]]
    {
        machine.check("home/evil", args, 0);
    }
    machine.check("home/evil", &["try", "starter-lm", "--prompt", "Where?", "--max-tokens", "2"], 0);
    listener.was_not_contacted();

    let (out, err) = machine.check("home/evil", &["run", "d.yaml", "--trust"], 0);
    assert_eq!(out.trim(), "fine");
    let shown = "note: agents/starter-lm.yaml is used instead of the one that comes with the program\n";
    assert!(err.contains(shown), "{err}");
    let sent = format!(
        "network: agent starter-lm sends text to {} (model m, with the key in TRUST_TEST_KEY)\n",
        listener.host()
    );
    assert!(err.contains(&sent), "{err}");
    let heard = listener.heard();
    assert!(heard.len() == 1 && heard[0].contains(KEY) && heard[0].contains("Where are the keys?"), "{heard:?}");
    // a memo hit: nothing leaves the machine, and no line is printed
    let (_, err) = machine.check("home/evil", &["run", "d.yaml", "--trust"], 0);
    assert!(!err.contains("network:"), "{err}");
    let (out, err) = machine.check("home/evil", &["run", "d.yaml", "--trust", "-q", "--fresh", "--json"], 0);
    assert_eq!(err, sent, "only the privacy notice remains with -q");
    assert!(serde_json::from_str::<Json>(&out).is_ok_and(|json| json["answer"] == "fine"), "{out}");
    assert_eq!(listener.heard().len(), 1);
}

#[test]
fn an_untrusted_project_can_use_local_models_only() {
    let listener = Listener::new();
    let machine = Machine::new(&[
        ("home/p/d.yaml", FAR),
        ("home/p/agents/far.yaml", &listener.agent()),
        ("home/p/agents/hub.yaml", "model: { hub: org/name }"),
        ("home/p/agents/up.yaml", "model: { path: ../../weights }"),
        ("home/p/agents/root.yaml", "model: { gguf: /etc/hostname }"),
        ("home/p/agents/home.yaml", "model: { path: ~/weights }"),
        ("home/p/agents/script.yaml", "script: [hello]"),
        ("home/p/agents/own.yaml", "model: { path: starter/lm }"),
    ]);
    let hub = format!("{}/", listener.host());
    let check = |agent: &str, code: i32, expected: &str| {
        let dialogue = FAR.replace("mind: far", &format!("mind: {agent}")).replace("temperature: 0", "max_tokens: 2");
        machine.write("home/p/d.yaml", &dialogue);
        let mut command = machine.command("home/p");
        let (out, err) = ends(command.env("HF_ENDPOINT", &hub).args(["run", "d.yaml", "--allow-network"]), code);
        assert!(err.contains(expected) || out.contains(expected), "{agent}: {out}{err}");
        if code != 0 {
            let lines: Vec<&str> = err.lines().collect();
            assert!(lines.len() == 1 && lines[0].starts_with("error: "), "{agent}: one line: {err}");
            assert!(err.contains(&format!("agents/{agent}.yaml is refused: ")), "{err}");
            assert!(err.contains(&machine.ways_out("home/p")), "{err}");
        }
    };
    check("far", 2, "it names the endpoint http://127.0.0.1:");
    // `check` refuses nothing, but it warns
    machine.write("home/p/far.yaml", FAR);
    let warned = machine.json("home/p", &["check", "far.yaml", "--json"], 0);
    assert_eq!(
        (warned[0]["code"].as_str(), warned[0]["severity"].as_str()),
        (Some("untrusted"), Some("warning")),
        "{warned}"
    );
    assert!(warned[0]["message"].as_str().expect("text").contains("it names the endpoint"), "{warned}");
    assert_eq!(machine.json("home/p", &["check", "far.yaml", "--json", "--trust"], 0), serde_json::json!([]));
    check("hub", 2, "it names org/name, and only a trusted project may download");
    check("up", 2, "the weights at ../../weights: it lies outside its project");
    check("root", 2, "the weights at /etc/hostname: it lies outside its project");
    check("home", 2, "the weights at ~/weights: it lies outside its project");
    check("script", 0, "hello");
    check("own", 0, "");
    listener.was_not_contacted();
    let row = |name: &str| {
        let rows = machine.json("home/p", &["models", "list", "--json"], 0);
        rows["agents"].as_array().expect("rows").iter().find(|row| row["name"] == name).expect("a row").clone()
    };
    assert_eq!((&row("far")["present"], &row("script")["present"]), (&Json::Bool(false), &Json::Bool(true)));
    assert!(row("far")["note"].as_str().expect("a note").contains("is refused"));
    listener.was_not_contacted();
}

#[test]
fn links_of_an_untrusted_project_cannot_leave_it() {
    let listener = Listener::new();
    let secret = "PRIVATE-KEY-MATERIAL-777";
    let machine = Machine::new(&[
        ("home/.ssh/id_rsa", secret),
        ("home/.ssh/d.yaml", OWN),
        ("home/.ssh/w/config.json", "{}"),
        ("home/p/agents/script.yaml", "script: [hello]"),
        ("home/p/weights/config.json", "{}"),
    ]);
    for (to, name) in [
        ("../../.ssh/id_rsa", "prompts/out.md"),
        ("../../.ssh/id_rsa", "vocab/out.txt"),
        ("../../.ssh/id_rsa", "agents/out.yaml"),
        ("../../.ssh/id_rsa", "casts/out.yaml"),
        ("../../.ssh/d.yaml", "examples/out.yaml"),
        ("../../.ssh/w", "agents/w"),
        ("../../.ssh/id_rsa", "weights/tokenizer.json"),
    ] {
        let path = machine.path("home/p").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        symlink(to, path).expect("linked");
    }
    machine.write("home/p/agents/w1.yaml", "model: { path: w }");
    machine.write("home/p/agents/w2.yaml", "model: { path: ../weights }");
    let dialogue = |cast: &str, step: &str| {
        format!(
            "version: 1\ndialogue: d\ncast: {{ mind: {cast} }}\nsteps:\n  said: {{ {step} }}\nanswer: '{{{{ said }}}}'\n"
        )
    };
    let say = "say: { agent: mind, text: hi, temperature: 0 }";
    let check = |cast: &str, step: &str, more: &[&str], file: &str| {
        machine.write("home/p/d.yaml", &dialogue(cast, step));
        let (out, err) = machine.check("home/p", &[&["run", "d.yaml"], more].concat(), 2);
        assert!(!out.contains(secret) && !err.contains(secret), "{out}{err}");
        let errors: Vec<&str> = err.lines().collect();
        assert!(errors.len() == 1 && errors[0].starts_with("error: "), "{file}: one line: {err}");
        assert!(errors[0].contains(file) && errors[0].contains("leaves its project"), "{file}: {err}");
        assert!(errors[0].contains(&machine.ways_out("home/p")), "{err}");
    };
    check("script", "say: { agent: mind, prompt: out }", &[], "prompts/out.md");
    check("script", "rank: { agent: mind, what: a, among: vocab/out }", &[], "vocab/out.txt");
    check("out", say, &[], "agents/out.yaml");
    check("script", say, &["--cast", "out"], "casts/out.yaml");
    check("script", "call: { dialogue: out }", &[], "examples/out.yaml");
    check("w1", say, &[], "agents/w1.yaml");
    check("w2", say, &[], "tokenizer.json");
    for name in ["out", "examples/out.yaml"] {
        let (_, err) = machine.check("home/p", &["run", name], 2);
        assert!(err.contains("examples/out.yaml") && err.contains("leaves its project"), "{err}");
    }
    listener.was_not_contacted();
    // links work once the user trusts the project
    machine.write("home/p/d.yaml", &dialogue("script", "say: { agent: mind, prompt: out }"));
    assert_eq!(machine.check("home/p", &["run", "d.yaml", "--trust"], 0).0.trim(), "hello");
}

#[test]
fn trust_is_kept_listed_and_removed() {
    let listener = Listener::new();
    let machine = Machine::new(&[("home/p/d.yaml", FAR), ("home/p/agents/far.yaml", &listener.agent())]);
    let folder = machine.path("home/p").display().to_string();
    let run = |code: i32| machine.check("home/p", &["run", "d.yaml", "--no-memo"], code).1;
    assert!(run(2).contains("is refused"));
    assert_eq!(machine.json("home", &["trust", "--list", "--json"], 0), serde_json::json!({ "folders": [] }));
    let trusted = machine.json("home", &["trust", "p", "--json"], 0);
    assert_eq!(trusted["trusted"]["folder"], folder.as_str(), "{trusted}");
    assert!(run(0).contains("network: agent far sends text to"));
    assert_eq!(machine.check("home", &["trust", "--list"], 0).0.trim(), folder);
    // trust excludes an inner project, a copy, and the folder above
    machine.write("home/p/inner/d.yaml", FAR);
    machine.write("home/p/inner/agents/far.yaml", &listener.agent());
    machine.check("home/p/inner", &["run", "d.yaml"], 2);
    listener.heard();

    // a new owner ends trust
    let list = machine.path("home/.config/elenchus/trusted.json");
    let text = fs::read_to_string(&list).expect("a list");
    assert_eq!(fs::metadata(&list).expect("there").permissions().mode() & 0o777, 0o600);
    let owner = fs::metadata(&folder).expect("there").uid();
    fs::write(&list, text.replace(&format!("\"owner\": {owner}"), "\"owner\": 4242")).expect("written");
    assert!(run(2).contains("is refused"));
    let shown = machine.json("home", &["trust", "--list", "--json"], 0);
    assert_eq!(shown["folders"][0]["counts"], false, "{shown}");
    let why = shown["folders"][0]["why"].as_str().expect("a reason").to_owned();
    assert!(why.contains("4242"), "{why}");
    machine.check("home", &["trust", "p"], 0);
    run(0);
    listener.heard();

    assert!(machine.check("home", &["trust", "p", "--remove"], 0).0.contains("is no longer trusted"));
    assert!(run(2).contains("is refused"));
    machine.check("home", &["trust", "--remove", "p"], 2);
    machine.check("home", &["trust", "none"], 2);
    machine.check("home", &["trust"], 2);
    fs::write(&list, "{").expect("damaged");
    let err = run(2);
    assert!(
        err.contains("trusted.json") && err.contains("cannot be read") && err.contains("move the file away"),
        "{err}"
    );
    listener.was_not_contacted();
}

#[test]
fn untrusted_folders_above_are_not_projects() {
    let listener = Listener::new();
    let agent = listener.agent();
    let machine = Machine::new(&[
        ("agents/starter-lm.yaml", &agent),
        ("home/agents/starter-lm.yaml", &agent),
        ("home/videos/d.yaml", OWN),
        ("tmp/agents/starter-lm.yaml", &agent),
        ("tmp/mine/d.yaml", OWN),
        ("multi/agents/starter-lm.yaml", &agent),
        ("multi/user/d.yaml", OWN),
    ]);
    fs::set_permissions(machine.path("tmp"), fs::Permissions::from_mode(0o1777)).expect("set");
    let check = |at: &str, more: &[&str], expected: &str| {
        let (_, err) = machine.check(at, &[&["run", "d.yaml", "--no-memo"], more].concat(), 0);
        assert!(err.contains(expected), "{at}: {err}");
        listener.was_not_contacted();
    };
    check("home/videos", &[], "because it is the home folder, and it is not trusted");
    check("home/videos", &["--trust"], "because it is the home folder, and it is not trusted");
    check("tmp/mine", &[], "because every user can write to it, and it is not trusted");
    check("tmp/mine", &["--trust"], "because every user can write to it, and it is not trusted");
    if is_root(&machine) {
        belongs_to_nobody(&machine.path("multi/agents"));
        chown(machine.path("multi"), Some(65534), None).expect("given away");
        let theirs = "because it belongs to the user with id 65534, and it is not trusted";
        check("multi/user", &[], theirs);
        check("multi/user", &["--trust"], theirs);
        // the user can trust the folder, until its owner changes
        machine.check("home", &["trust", "../multi"], 0);
        machine.check("multi/user", &["run", "d.yaml"], 0);
        assert_eq!(listener.heard().len(), 1);
        chown(machine.path("multi"), Some(65533), None).expect("given away");
        check("multi/user", &[], "is not trusted");
        // a shared folder of another user cannot be trusted
        chown(machine.path("tmp"), Some(65534), None).expect("given away");
        assert!(machine.check("home", &["trust", "../tmp"], 2).1.contains("every user can write to it"));
        // a folder of another user, trusted for this run
        machine.write("theirs/agents/far.yaml", &agent);
        machine.write("theirs/d.yaml", FAR);
        belongs_to_nobody(&machine.path("theirs"));
        let (_, err) = machine.check("theirs", &["run", "d.yaml"], 2);
        assert!(err.contains("agents/far.yaml is not used, because it belongs to the user with id 65534"), "{err}");
        machine.check("theirs", &["run", "d.yaml", "--trust"], 0);
        assert_eq!(listener.heard().len(), 1);
    }
}

#[test]
fn names_of_the_program_are_not_replaced() {
    let machine = Machine::new(&[("home/p/video_qa", "version: 1\nnothing: here\n"), ("home/p/mine", OWN)]);
    // a file in the working folder does not replace a dialogue that `ask` runs by name
    machine.check("home/p", &["check", "video_qa"], 0);
    machine.check("home/p", &["check", "./video_qa"], 2);
    machine.check("home/p", &["check", "mine"], 0);
    let listener = Listener::new();
    machine.write("home/p/examples/video_qa.yaml", FAR);
    machine.write("home/p/agents/far.yaml", &listener.agent());
    let (_, err) = machine.check("home/p", &["check", "video_qa"], 0);
    assert!(err.contains("examples/video_qa.yaml is not used") && err.contains("video_qa: ok"), "{err}");
    let graph = |more: &[&str]| machine.check("home/p", &[&["graph", "video_qa"], more].concat(), 0).0;
    assert_ne!(graph(&[]), graph(&["--trust"]));
    listener.was_not_contacted();
}

#[test]
fn a_dialogue_beside_its_caller_does_not_replace_the_programs() {
    let call = |name: &str| {
        format!(
            "version: 1\ndialogue: d\nsteps:\n  said: {{ call: {{ dialogue: {name} }} }}\nanswer: '{{{{ said }}}}'\n"
        )
    };
    let theirs = "version: 1\ndialogue: theirs\nsteps: { a: { compute: \"{{ 'theirs' }}\" } }\nanswer: '{{ a }}'\n";
    let machine = Machine::new(&[
        ("home/p/agents/script.yaml", "script: [hello]"),
        ("home/p/transcript.yaml", theirs),
        ("home/p/named.yaml", &call("transcript")),
        ("home/p/beside.yaml", &call("./transcript")),
        ("home/q/transcript.yaml", theirs),
        ("home/q/named.yaml", &call("transcript")),
    ]);
    // the program's dialogue needs a video, so this call of it is a mistake
    let (_, err) = machine.check("home/p", &["run", "named.yaml"], 2);
    assert!(err.contains("p/transcript.yaml is not used, because its folder is not trusted"), "{err}");
    let used = "transcript.yaml is used instead of the one that comes with the program";
    for (at, args) in [("home/p", ["run", "named.yaml", "--trust"]), ("home/q", ["run", "named.yaml", "--json"])] {
        let (out, err) = machine.check(at, &args, 0);
        assert!(out.contains("theirs") && err.contains(used), "{out}{err}");
    }
    let (out, err) = machine.check("home/p", &["run", "beside.yaml", "-q"], 0);
    assert_eq!((out.trim(), err.as_str()), ("theirs", ""));
}

#[test]
fn the_same_files_replace_nothing() {
    let machine = Machine::new(&[]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["agents", "prompts", "vocab", "casts", "examples"] {
        for entry in fs::read_dir(root.join(folder)).expect("listed").flatten() {
            if entry.path().is_file() {
                let to = machine.path("home/clone").join(folder).join(entry.file_name());
                fs::create_dir_all(to.parent().expect("a folder")).expect("made");
                fs::copy(entry.path(), to).expect("copied");
            }
        }
    }
    // an equal agent file does not use the weights beside it
    machine.write("home/clone/agents/starter/lm/config.json", "{}");
    machine.write("home/clone/d.yaml", OWN);
    for args in [
        &["run", "d.yaml"][..],
        &["check", "video_qa"],
        &["check", "examples/video_qa.yaml", "examples/summary.yaml", "--cast", "starter"],
        &["models", "list"],
    ] {
        let (_, err) = machine.check("home/clone", args, 0);
        assert!(!err.contains("trust") && !err.contains("instead of"), "{args:?}: {err}");
    }
    let (_, err) = machine.check("home/clone", &["run", "d.yaml", "-q", "--fresh"], 0);
    assert_eq!(err, "");
}

#[test]
fn offline_refuses_all_network() {
    let listener = Listener::new();
    let machine = Machine::new(&[
        ("home/p/d.yaml", FAR),
        ("home/p/agents/far.yaml", &listener.agent()),
        ("home/p/agents/hub.yaml", "model: { hub: org/name }"),
        (
            "home/p/v.yaml",
            "version: 1\ndialogue: v\ninputs: { v: video }\nsteps: { a: { compute: '{{ 1 }}' } }\nanswer: '{{ a }}'\n",
        ),
    ]);
    machine.check("home", &["trust", "p"], 0);
    let check = |env: Option<&str>, args: &[&str], code: i32, expected: &str| {
        let mut command = machine.command("home/p");
        command.env("HF_ENDPOINT", listener.host()).args(args);
        if let Some(value) = env {
            command.env("ELENCHUS_OFFLINE", value);
        }
        let (_, err) = ends(&mut command, code);
        assert!(err.contains(expected), "{args:?}: {err}");
    };
    let video = format!("v={}/a.mp4", listener.host());
    let hub = ["try", "hub", "--prompt", "hi"];
    let refused = "agent far: --offline refuses its endpoint";
    check(None, &["run", "d.yaml", "--offline", "--allow-network"], 2, refused);
    check(Some("1"), &["run", "d.yaml"], 2, refused);
    check(Some("yes"), &["try", "far", "--prompt", "hi", "--trust"], 2, refused);
    check(None, &["run", "v.yaml", "-i", &video, "--allow-network", "--offline"], 3, "--offline refuses the network");
    check(None, &["run", "v.yaml", "-i", &video], 3, "allow it with --allow-network");
    check(
        None,
        &[&hub[..], &["--offline", "--allow-network"]].concat(),
        4,
        "`elenchus models pull org/name` without --offline downloads it",
    );
    check(None, &hub, 4, "downloads it, and so does a run with --allow-network");
    listener.was_not_contacted();
    check(Some("0"), &["run", "d.yaml"], 0, "network: agent far sends text to");
    assert_eq!(listener.heard().len(), 1);
    let told = format!("network: agent hub downloads org/name from {}", listener.host());
    check(None, &[&hub[..], &["--allow-network"]].concat(), 4, &told);
    assert!(listener.heard()[0].starts_with("GET /api/models/org/name/"));
}

#[test]
fn doctor_contacts_no_server_without_network() {
    let listener = Listener::new();
    let machine = Machine::new(&[("home/.config/elenchus/agents/starter-lm.yaml", &listener.agent())]);
    machine.write("home/p/agents/starter-clip.yaml", &listener.agent());
    let row = |checks: &Json, name: &str| {
        checks.as_array().expect("checks").iter().find(|row| row["name"] == name).expect("a row").clone()
    };
    let checks = machine.json("home/p", &["doctor", "--json"], 0);
    let found = row(&checks, "starter-lm");
    assert_eq!(found["status"], "warn", "{found}");
    assert!(found["detail"].as_str().expect("text").contains("was not asked"), "{found}");
    assert_eq!(row(&checks, "starter-clip")["status"], "ok", "the program's own");
    machine.check("home/p", &["doctor", "--network", "--offline"], 0);
    listener.was_not_contacted();
    // the user's own folder is always trusted
    let (out, err) = machine.check("home/p", &["doctor", "--network"], 0);
    assert!(out.contains(&format!("{:24} loads and speaks", "starter-lm")), "{out}");
    assert!(err.contains("network: agent starter-lm sends text to"), "{err}");
    assert_eq!(listener.heard().len(), 1);
}
