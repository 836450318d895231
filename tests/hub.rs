//! Downloads from the model hub by the program itself: `models pull`, `verify`, `remove` and `setup`, against a hub on
//! loopback that misbehaves.

#[path = "hub/fake.rs"]
mod fake;

use fake::{Answer, Asked, Gate, Hub, Model, commit, git_sha1, sha256};
use serde_json::{Value as Json, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

/// A user with folders of its own, and a hub.
struct User {
    hub: Hub,
    folder: tempfile::TempDir,
}

/// The end of a run.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

const CONFIG: &[u8] = b"{}";

/// Weights of a few megabytes, which differ with `seed`.
fn weights(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

impl User {
    fn new() -> User {
        User { hub: Hub::start(), folder: tempfile::tempdir().expect("temp") }
    }

    /// A user, and a hub with `org/name`, whose weights have `bytes`.
    fn with_model(bytes: usize) -> (User, Vec<u8>) {
        let user = User::new();
        let weights = weights(1, bytes);
        user.hub.model("org/name", &commit(1), &[("config.json", CONFIG), ("model.safetensors", &weights)]);
        (user, weights)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cache(&self) -> PathBuf {
        self.path("hf/hub")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elenchus"));
        self.environment(&mut command);
        command.args(args);
        command
    }

    fn environment(&self, command: &mut Command) {
        for name in ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE", "HOME"] {
            command.env(name, self.path(&name.to_lowercase()));
        }
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HF_") || name.ends_with("_PROXY")) {
            command.env_remove(name);
        }
        command.env("HF_HOME", self.path("hf")).env("HF_ENDPOINT", &self.hub.url).env("NO_COLOR", "1");
        command.env_remove("RUST_LOG").current_dir(self.folder.path()).stdin(Stdio::null());
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.ended(self.command(args).output().expect("it ends"))
    }

    fn run_with(&self, variables: &[(&str, &str)], args: &[&str]) -> Ended {
        self.ended(self.command(args).envs(variables.iter().copied()).output().expect("it ends"))
    }

    /// The output with names for what changes from run to run.
    fn ended(&self, output: Output) -> Ended {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).replace(&self.hub.url, "HUB");
            text.replace(&self.folder.path().display().to_string(), "DIR")
        };
        Ended { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    fn ok(&self, args: &[&str]) -> Ended {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}\n{}\n{}", ended.out, ended.err);
        ended
    }

    /// The `error:` and `hint:` lines of a run that fails with this code.
    fn fails(&self, code: i32, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(code), "{args:?}\n{}\n{}", ended.out, ended.err);
        last_words(&ended.err)
    }

    fn snapshot(&self, repo: &str, commit: &str) -> PathBuf {
        self.cache().join(format!("models--{}", repo.replace('/', "--"))).join("snapshots").join(commit)
    }

    /// The weights of `org/name` as a reader finds them.
    fn pulled(&self, number: u64) -> Vec<u8> {
        fs::read(self.snapshot("org/name", &commit(number)).join("model.safetensors")).expect("there")
    }

    /// The unfinished file of these weights.
    fn part(&self, weights: &[u8]) -> PathBuf {
        self.cache().join(format!("models--org--name/blobs/{}.part", sha256(weights)))
    }
}

fn last_words(err: &str) -> String {
    let lines = err.lines().filter(|line| line.starts_with("error:") || line.starts_with("hint:"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_weights(asked: &Asked) -> bool {
    asked.target.ends_with("/model.safetensors")
}

#[test]
fn a_model_is_pulled_in_the_layout_of_python_and_found_by_the_next_run() {
    let (user, weights) = User::with_model(3000);
    let found = user.ok(&["models", "pull", "org/name", "--json"]).json();
    let snapshot = user.snapshot("org/name", &commit(1));
    insta::assert_json_snapshot!(found, @r#"
    {
      "pulled": [
        {
          "agent": null,
          "source": "org/name",
          "commit": "0000000000000000000000000000000000000001",
          "license": "apache-2.0",
          "path": "DIR/hf/hub/models--org--name/snapshots/0000000000000000000000000000000000000001",
          "bytes": 3002,
          "downloaded": 3002,
          "replaced": [],
          "pinned": false
        }
      ],
      "lock": null
    }
    "#);
    let blobs = user.cache().join("models--org--name/blobs");
    let link = fs::read_link(snapshot.join("model.safetensors")).expect("a link");
    assert_eq!(link, Path::new("../../blobs").join(sha256(&weights)));
    assert_eq!(fs::read(blobs.join(git_sha1(CONFIG))).expect("read"), CONFIG);
    let reference = user.cache().join("models--org--name/refs/main");
    assert_eq!(fs::read_to_string(reference).expect("read"), commit(1));
    assert_eq!(
        user.ok(&["models", "path", "org/name"]).out.trim(),
        "DIR/hf/hub/models--org--name/snapshots/0000000000000000000000000000000000000001"
    );

    // what is here is not downloaded again
    user.hub.calm();
    let again = user.ok(&["models", "pull", "org/name", "--json"]).json();
    assert_eq!((again["pulled"][0]["downloaded"].as_u64(), user.hub.log().len()), (Some(0), 1));

    // a new commit gets its new file alone
    user.hub.calm();
    let newer = super_weights();
    user.hub.model("org/name", &commit(2), &[("config.json", CONFIG), ("model.safetensors", &newer)]);
    let pulled = user.ok(&["models", "pull", "org/name", "--json"]).json();
    assert_eq!(pulled["pulled"][0]["downloaded"].as_u64(), Some(newer.len() as u64));
    assert_eq!((user.pulled(2), user.hub.asked_for("config.json").len()), (newer, 0));
    let listed = user.ok(&["models", "list"]).out;
    assert!(listed.contains("  000000000000 main\n"), "{listed}");
}

fn super_weights() -> Vec<u8> {
    weights(2, 4000)
}

#[test]
fn a_gguf_file_is_named_by_its_quantisation() {
    let user = User::new();
    let (small, large) = (weights(1, 900), weights(2, 1900));
    let files: [(&str, &[u8]); 3] = [("m-Q4_K_M.gguf", &small), ("m-Q8_0.gguf", &large), ("README.md", b"x")];
    user.hub.model("org/name@v2", &commit(1), &files);
    user.ok(&["models", "pull", "org/name@v2:q4_k_m"]);
    let path = user.ok(&["models", "path", "org/name@v2:Q4_K_M"]).out;
    assert!(path.trim().ends_with("m-Q4_K_M.gguf"), "{path}");
    assert!(!user.snapshot("org/name", &commit(1)).join("m-Q8_0.gguf").exists());
    insta::assert_snapshot!(user.fails(4, &["models", "pull", "org/name@v2:Q2_K"]), @"
    error: org/name lacks Q2_K
    hint: its GGUF files are m-Q4_K_M.gguf, m-Q8_0.gguf
    ");
    let planned = user.ok(&["models", "pull", "org/name@v2:m-Q8_0.gguf", "--dry-run"]);
    assert!(planned.out.contains("1.9 kB would be downloaded") && user.hub.asked_for("m-Q8_0.gguf").is_empty());
}

#[test]
fn a_killed_download_continues_where_it_stopped() {
    let (user, weights) = User::with_model(5 << 20);
    let (usual, gate) = (user.hub.usual(), Gate::default());
    let held = gate.clone();
    user.hub
        .rule(move |asked| is_weights(asked).then(|| Answer { hold: Some((3 << 20, held.clone())), ..usual(asked) }));
    let mut child = user.command(&["models", "pull", "org/name"]);
    let mut child = child.env("RUST_LOG", "elenchus=trace").stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("bytes arrived")), "it downloads");
    child.kill().expect("it is running");
    child.wait().expect("it ends");
    let size = fs::metadata(user.part(&weights)).expect("an unfinished file").len();
    assert!((500_000..=3 << 20).contains(&size), "{size}");
    assert!(!user.snapshot("org/name", &commit(1)).join("model.safetensors").exists());
    assert!(user.ok(&["models", "list"]).out.contains("of an unfinished download"));

    user.hub.calm();
    gate.open();
    let err = user.ok(&["models", "pull", "org/name"]).err;
    assert!(err.contains("; continues after"), "{err}");
    let asked = user.hub.asked_for("model.safetensors");
    assert_eq!(
        asked.iter().map(|asked| asked.headers["range"].clone()).collect::<Vec<_>>(),
        [format!("bytes={size}-")]
    );
    assert_eq!(user.pulled(1), weights);
}

#[test]
fn files_are_downloaded_at_once() {
    let user = User::new();
    let index = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    let files: [(&str, &[u8]); 4] = [
        ("config.json", CONFIG),
        ("model.safetensors.index.json", index),
        ("model-1.safetensors", b"one of two shards"),
        ("model-2.safetensors", b"the other one"),
    ];
    user.hub.model("org/name", &commit(1), &files);
    let (usual, gate) = (user.hub.usual(), Gate::default());
    let held = gate.clone();
    let is_shard = |asked: &Asked| asked.target.contains("/model-");
    user.hub.rule(move |asked| is_shard(asked).then(|| Answer { hold: Some((5, held.clone())), ..usual(asked) }));
    let child = user.command(&["models", "pull", "org/name"]).stderr(Stdio::piped()).spawn().expect("it starts");
    // each waits for the other to be asked for
    user.hub.wait_for("/model-1", 1);
    user.hub.wait_for("/model-2", 1);
    gate.open();
    let ended = user.ended(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let second = fs::read(user.snapshot("org/name", &commit(1)).join("model-2.safetensors")).expect("there");
    assert_eq!(second, b"the other one");
}

#[test]
fn two_pulls_at_once_download_each_file_once() {
    let (user, weights) = User::with_model(200_000);
    let (usual, gate) = (user.hub.usual(), Gate::default());
    let held = gate.clone();
    user.hub.rule(move |asked| is_weights(asked).then(|| Answer { hold: Some((1000, held.clone())), ..usual(asked) }));
    let start = || -> Child {
        let mut command = user.command(&["models", "pull", "org/name"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let first = start();
    user.hub.wait_for("model.safetensors", 1);
    let second = start();
    user.hub.wait_for("/revision/", 2);
    user.hub.wait_for("config.json", 1);
    gate.open();
    for child in [first, second] {
        let ended = user.ended(child.wait_with_output().expect("it ends"));
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
    assert_eq!((user.hub.asked_for("model.safetensors").len(), user.pulled(1)), (1, weights.clone()));
    assert!(!user.part(&weights).exists());
}

/// Pulls `org/name` of 100 kB from a hub that answers requests for its weights by `rule`, and checks the result.
fn pulls_anyway(rule: impl Fn(&Asked, Answer) -> Option<Answer> + Send + Sync + 'static, requests: usize) {
    let (user, weights) = User::with_model(100_000);
    let usual = user.hub.usual();
    user.hub.rule(move |asked| is_weights(asked).then(|| rule(asked, usual(asked)))?);
    let ended = user.run_with(&[("HF_HUB_DOWNLOAD_TIMEOUT", "0.5")], &["models", "pull", "org/name"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let asked = user.hub.asked_for("model.safetensors");
    assert_eq!((asked.len(), user.pulled(1)), (requests, weights), "{asked:?}");
    let verified = user.ok(&["models", "verify", "--json"]).json();
    assert_eq!(verified["wrong"], 0);
}

#[test]
fn passing_trouble_is_overcome() {
    pulls_anyway(|asked, usual| (asked.before == 0).then_some(Answer { cut: Some(40_000), ..usual }), 2);
    pulls_anyway(|asked, usual| (asked.before == 0).then(|| Answer::new(200, &usual.body[..60_000])), 2);
    pulls_anyway(|asked, _| (asked.before == 0).then(|| Answer::new(429, "").with("retry-after", "0")), 2);
    pulls_anyway(|asked, _| (asked.before < 2).then(|| Answer::new(503, "")), 3);
    pulls_anyway(|asked, usual| (asked.before == 0).then(|| Answer::new(200, vec![0; usual.body.len()])), 2);
    // a wrong etag in the answer does not matter: the digest of the bytes does
    pulls_anyway(|_, usual| Some(usual.with("etag", "\"0000\"").with("x-linked-etag", "\"0000\"")), 1);
}

#[test]
fn a_silent_server_is_left_and_asked_again() {
    let gate = Gate::default();
    let held = gate.clone();
    let hold =
        move |asked: &Asked, usual| (asked.before == 0).then(|| Answer { hold: Some((10_000, held.clone())), ..usual });
    pulls_anyway(hold, 2);
    gate.open();
}

#[test]
fn a_poor_line_does_not_end_a_download() {
    // more interruptions than tries, but each brings new bytes
    pulls_anyway(|_, usual| Some(Answer { cut: Some(usual.body.len().min(12_000)), ..usual }), 9);
}

#[test]
fn a_server_without_ranges_begins_again() {
    let (user, weights) = User::with_model(100_000);
    let all = weights.clone();
    user.hub.rule(move |asked| {
        let cut = (asked.before == 0).then_some(40_000);
        is_weights(asked).then(|| Answer { cut, ..Answer::new(200, all.clone()) })
    });
    user.ok(&["models", "pull", "org/name"]);
    let ranges: Vec<bool> =
        user.hub.asked_for("model.safetensors").iter().map(|asked| asked.headers.contains_key("range")).collect();
    assert_eq!((ranges, user.pulled(1)), (vec![false, true], weights));
}

#[test]
fn retry_after_is_kept() {
    let begun = std::time::Instant::now();
    pulls_anyway(|asked, _| (asked.before == 0).then(|| Answer::new(429, "").with("retry-after", "2")), 2);
    assert!(begun.elapsed().as_secs_f64() >= 2.0);
}

#[test]
fn a_store_behind_a_redirect_gets_no_token() {
    let (user, weights) = User::with_model(50_000);
    let store = Hub::start();
    let bytes = weights.clone();
    store.rule(move |asked| {
        let leaked = asked.headers.contains_key("authorization");
        Some(if leaked { Answer::new(400, "") } else { fake::ranged(asked, &bytes) })
    });
    let to = format!("{}/bytes?signature=secret", store.url);
    user.hub.rule(move |asked| is_weights(asked).then(|| Answer::new(302, "").with("location", &to)));
    // a renamed repository redirects its description, too
    user.hub.rule(|asked| {
        let old = asked.target.starts_with("/api/models/old/name/");
        old.then(|| Answer::new(307, "").with("location", &asked.target.replace("/old/name/", "/org/name/")))
    });
    let ended = user.run_with(&[("HF_TOKEN", "hf_secret")], &["models", "pull", "org/name", "-vv"]);
    assert_eq!((ended.code, user.pulled(1)), (Some(0), weights), "{}", ended.err);
    assert!(user.hub.log().iter().all(|asked| asked.headers["authorization"] == "Bearer hf_secret"));
    assert!(!ended.err.contains("hf_secret") && !ended.err.contains("signature"), "{}", ended.err);
    assert_eq!(user.run(&["models", "pull", "old/name", "--dry-run"]).code, Some(0));
}

#[test]
fn a_wrong_digest_is_refused_and_leaves_nothing_visible() {
    let (user, weights) = User::with_model(1000);
    let wrong = json!([
        { "rfilename": "config.json", "size": 2, "blobId": git_sha1(CONFIG) },
        { "rfilename": "model.safetensors", "size": 1000, "lfs": { "sha256": "0".repeat(64), "size": 1000 } },
    ]);
    let files = [("config.json".to_owned(), CONFIG.to_vec()), ("model.safetensors".to_owned(), weights)].into();
    user.hub.put("org/name", Model { commit: commit(1), files, said: json!({ "siblings": wrong }) });
    let refused = user.fails(4, &["models", "pull", "org/name"]);
    assert!(refused.contains("model.safetensors is damaged: its digest is") && refused.contains("the hub states 0000"));
    assert!(!user.snapshot("org/name", &commit(1)).join("model.safetensors").exists());
    assert!(user.fails(4, &["models", "path", "org/name"]).contains("is incomplete in the hub's cache"));
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    let said = |said: Json| {
        let (user, weights) = User::with_model(1000);
        let index = br#"{"weight_map": {"a": "../../../../escaped.safetensors"}}"#.to_vec();
        let files = [
            ("config.json".to_owned(), CONFIG.to_vec()),
            ("model.safetensors".to_owned(), weights),
            ("model.safetensors.index.json".to_owned(), index),
        ];
        user.hub.put("org/name", Model { commit: commit(1), files: files.into(), said });
        let ended = user.run(&["models", "pull", "org/name"]);
        let mut open = vec![user.folder.path().to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).expect("listed").flatten() {
                let name = entry.file_name().into_string().expect("UTF-8");
                assert!(!name.contains("escaped"), "{}", entry.path().display());
                open.extend(entry.path().is_dir().then(|| entry.path()));
            }
        }
        (ended.code, last_words(&ended.err))
    };
    let file = |name: &str, digest: &str| json!({ "rfilename": name, "size": 2, "blobId": digest });
    let (_, refused) = said(json!({ "sha": "../../escaped" }));
    assert_eq!(refused, "error: found \"../../escaped\" from HUB, expected the name of a commit");
    let plain = file("config.json", &git_sha1(CONFIG));
    let (_, refused) = said(json!({ "siblings": [plain, file("model.safetensors", "../../escaped")] }));
    assert_eq!(refused, "error: found the digest \"../../escaped\" from the hub, expected letters and digits");
    let index = json!({ "rfilename": "model.safetensors.index.json", "blobId": "33" });
    let (_, refused) = said(json!({ "siblings": [plain, index] }));
    assert!(refused.contains("a shard must lie beside its index"), "{refused}");
    // a name that no loading needs is not asked for
    let evil = file("../../../escaped.json", "33");
    let (code, _) = said(json!({ "siblings": [plain, evil, file("model.safetensors", "44")] }));
    assert_ne!(code, None);
}

#[test]
fn refusals_are_explained() {
    let (user, _) = User::with_model(1000);
    insta::assert_snapshot!(user.fails(4, &["models", "pull", "org/nane"]), @"
    error: HUB does not know this model or revision: org/nane (401)
    hint: check the spelling and the revision; a private model needs HF_TOKEN
    ");
    insta::assert_snapshot!(user.fails(4, &["models", "pull", "org/name@mian"]), @"
    error: org/name has no revision `mian`
    hint: did you mean `main`?
    ");
    insta::assert_snapshot!(user.fails(4, &["models", "pull", "org/name@x", "org/none"]), @"error: 2 models cannot be downloaded: org/name has no revision `x` (hint: its revisions are main); HUB does not know this model or revision: org/none (401) (hint: check the spelling and the revision; a private model needs HF_TOKEN)");
    insta::assert_snapshot!(user.fails(4, &["models", "pull", "nosuchagent"]), @"error: agents/nosuchagent.yaml does not exist");
    insta::assert_snapshot!(user.fails(2, &["models", "pull", "starter-lm"]), @"
    error: the weights of starter-lm are not of the model hub
    hint: `elenchus models list` shows where they are; name a model of the hub as org/name
    ");
    insta::assert_snapshot!(user.fails(2, &["models", "pull"]), @"
    error: found neither a name nor a project
    hint: `elenchus models pull --cast laptop`, `elenchus models pull org/name`, or go to the folder of a project
    ");
}

#[test]
fn a_gated_model_says_what_to_do() {
    let (user, weights) = User::with_model(1000);
    let files = [("config.json".to_owned(), CONFIG.to_vec()), ("model.safetensors".to_owned(), weights)].into();
    let said = json!({ "gated": "manual", "cardData": { "license": "other", "license_name": "gemma" } });
    user.hub.put("org/name", Model { commit: commit(1), files, said });
    let usual = user.hub.usual();
    user.hub.rule(move |asked| {
        let refused = || Answer::new(403, "").with("x-error-code", "GatedRepo");
        let allowed = asked.headers.get("authorization").is_some_and(|token| token == "Bearer hf_good");
        asked.target.contains("/resolve/").then(|| if allowed { usual(asked) } else { refused() })
    });
    insta::assert_snapshot!(user.fails(4, &["models", "pull", "org/name"]), @"
    error: org/name is gated: its owner gives it to accounts that accepted the terms, and no token is set
    hint: log in and accept the terms at HUB/org/name, make a token that may read at HUB/settings/tokens, and set HF_TOKEN to it
    ");
    assert!(user.hub.asked_for("model.safetensors").is_empty(), "nothing is tried without a token");
    let refused = user.run_with(&[("HF_TOKEN", "hf_other")], &["models", "pull", "org/name"]);
    insta::assert_snapshot!(last_words(&refused.err), @"
    error: org/name is gated: its owner gives it to accounts that accepted the terms, and the account of your token did not accept them, or waits for the owner
    hint: accept the terms at HUB/org/name with the account that HF_TOKEN belongs to; a fine-grained token also needs the right to read gated repositories
    ");
    // the token of a login
    fs::write(user.path("hf/token"), "hf_good\n").expect("written");
    let err = user.ok(&["models", "pull", "org/name"]).err;
    assert!(
        err.contains("org/name at 000000000000: 1.0 kB, licence gemma, gated: you accepted its owner's terms"),
        "{err}"
    );
}

#[test]
fn a_hub_that_does_not_answer_is_asked_for_one_model_alone() {
    let (user, _) = User::with_model(1000);
    user.hub.rule(|_| Some(Answer::new(503, "").with("retry-after", "0")));
    let refused = user.fails(4, &["models", "pull", "--cast", "laptop"]);
    assert!(
        refused
            .starts_with("error: google/siglip2-base-patch16-224 could not be fetched from HUB: the hub answers 503"),
        "{refused}"
    );
    assert_eq!(user.hub.log().len(), 5, "its tries");
}

#[test]
fn offline_nothing_is_asked() {
    let (user, _) = User::with_model(1000);
    insta::assert_snapshot!(user.fails(4, &["models", "pull", "org/name", "--offline"]), @"
    error: org/name is not in the hub's cache (DIR/hf/hub/models--org--name)
    hint: `elenchus models pull org/name` without --offline downloads it; or copy that folder from a machine that has it; or put the checkpoint anywhere and name its folder as `path`
    ");
    let offline = user.run_with(&[("HF_HUB_OFFLINE", "1")], &["models", "pull", "org/name"]);
    assert!(offline.code == Some(4) && offline.err.contains("without HF_HUB_OFFLINE"), "{}", offline.err);
    assert!(user.hub.log().is_empty());
    user.ok(&["models", "pull", "org/name"]);
    user.hub.calm();
    let pulled = user.ok(&["models", "pull", "org/name", "--offline", "--json"]).json();
    assert_eq!((&pulled["pulled"][0]["downloaded"], user.hub.log().len()), (&json!(0), 0));
}

#[test]
fn a_proxy_is_used() {
    let (user, weights) = User::with_model(1000);
    // the proxy answers for a host that does not exist
    let variables = [("HTTP_PROXY", user.hub.url.as_str()), ("HF_ENDPOINT", "http://hub.invalid")];
    let ended = user.run_with(&variables, &["models", "pull", "org/name"]);
    assert_eq!((ended.code, user.pulled(1)), (Some(0), weights), "{}", ended.err);
    assert!(user.hub.log().iter().all(|asked| asked.proxied));
}

#[test]
fn a_disk_without_room_is_found_before_the_download() {
    let (user, weights) = User::with_model(1000);
    let huge = 60_000_000_000_u64;
    let mut siblings = vec![json!({ "rfilename": "config.json", "size": 2, "blobId": git_sha1(CONFIG) })];
    let mut map = serde_json::Map::new();
    for number in 0..5000 {
        let name = format!("model-{number}.safetensors");
        map.insert(format!("t{number}"), json!(name));
        siblings.push(
            json!({ "rfilename": name, "size": huge, "lfs": { "sha256": sha256(name.as_bytes()), "size": huge } }),
        );
    }
    let index = json!({ "weight_map": map }).to_string().into_bytes();
    siblings
        .push(json!({ "rfilename": "model.safetensors.index.json", "size": index.len(), "blobId": git_sha1(&index) }));
    let files = [("model.safetensors.index.json".to_owned(), index), ("config.json".to_owned(), weights)].into();
    user.hub.put("org/name", Model { commit: commit(1), files, said: json!({ "siblings": siblings }) });
    let refused = user.fails(4, &["models", "pull", "org/name"]);
    assert!(refused.starts_with("error: 300 TB must be downloaded, and the disk of DIR/hf/hub has "), "{refused}");
    assert!(user.hub.log().iter().all(|asked| !asked.target.contains("/model-")), "nothing was begun");
}

/// A limit of the file size behaves like a disk that is full in the middle.
#[cfg(unix)]
#[test]
fn a_full_disk_gives_one_line_and_the_next_run_continues() {
    let (user, weights) = User::with_model(4 << 20);
    let mut limited = Command::new("sh");
    user.environment(&mut limited);
    limited.args([
        "-c",
        "trap '' XFSZ; ulimit -f 2048; exec \"$0\" models pull org/name",
        env!("CARGO_BIN_EXE_elenchus"),
    ]);
    let ended = user.ended(limited.output().expect("it ends"));
    let words = last_words(&ended.err);
    assert!(
        ended.code == Some(4) && words.starts_with("error: the hub's cache cannot be written: DIR/hf/hub/"),
        "{}",
        ended.err
    );
    assert!(words.contains("run the command again, which continues the download"), "{words}");
    let size = fs::metadata(user.part(&weights)).expect("an unfinished file").len();
    assert!(size > 0 && size < 4 << 20, "{size}");
    user.hub.calm();
    user.ok(&["models", "pull", "org/name"]);
    assert_eq!(user.hub.asked_for("model.safetensors")[0].headers["range"], format!("bytes={size}-"));
    assert_eq!(user.pulled(1), weights);
}

#[test]
fn a_pickle_is_refused_with_the_way_out() {
    let user = User::new();
    user.hub.model("org/name", &commit(1), &[("config.json", CONFIG), ("pytorch_model.bin", b"pickle")]);
    insta::assert_snapshot!(user.fails(4, &["models", "pull", "org/name"]), @r#"
    error: org/name has its weights as pytorch_model.bin only, a pickle, which can run code when it is opened; it is not loaded
    hint: convert it once, and name the folder as `path`: hf download org/name --local-dir DIR && cd DIR && python -c "import torch, safetensors.torch as s; s.save_file({k: v.clone().contiguous() for k, v in torch.load('pytorch_model.bin', map_location='cpu', weights_only=True).items()}, 'model.safetensors', {'format': 'pt'})"
    "#);
    // somebody proposes the converted weights
    user.hub.rule(|asked| {
        let changes = json!({ "discussions": [
            { "num": 2, "title": "How to use?", "isPullRequest": false, "status": "open" },
            { "num": 3, "title": "Adding `safetensors` variant of this model", "isPullRequest": true, "status": "open" },
        ] });
        asked.target.contains("/discussions").then(|| Answer::new(200, changes.to_string()))
    });
    let refused = user.fails(4, &["models", "pull", "org/name"]);
    assert!(refused.ends_with("hint: its proposed change 3 adds safetensors: read it at HUB/org/name/discussions/3, then name `org/name@refs/pr/3`"), "{refused}");
    user.hub.model("org/name@refs/pr/3", &commit(3), &[("config.json", CONFIG), ("model.safetensors", b"safe")]);
    user.ok(&["models", "pull", "org/name@refs/pr/3"]);
    assert_eq!(user.pulled(3), b"safe");
    assert!(user.hub.asked_for("pytorch_model.bin").is_empty());
}

#[test]
fn verify_finds_damage_and_pull_repairs_it() {
    let (user, weights) = User::with_model(5000);
    user.ok(&["models", "pull", "org/name"]);
    let ended = user.ok(&["models", "verify", "org/name"]);
    assert_eq!(ended.out, "2 files as the hub stated\n");
    let blob = user.cache().join("models--org--name/blobs").join(sha256(&weights));
    let mut bytes = weights.clone();
    bytes[100] ^= 1;
    fs::write(&blob, &bytes).expect("written");
    let found = user.run(&["models", "verify", "--json"]);
    assert_eq!(found.code, Some(1));
    let file = &found.json()["snapshots"][0]["files"][1];
    assert_eq!((&file["state"], &file["found"]), (&json!("damaged"), &json!(sha256(&bytes))));
    assert!(user.run(&["models", "verify"]).out.contains("org/name model.safetensors: DAMAGED, its digest is"));
    let repaired = user.ok(&["models", "pull", "org/name", "--check", "--json"]).json();
    assert_eq!((&repaired["pulled"][0]["replaced"], user.pulled(1)), (&json!(["model.safetensors"]), weights));
    fs::remove_file(&blob).expect("removed");
    let missing = user.run(&["models", "verify", "--json"]).json();
    assert_eq!(missing["snapshots"][0]["files"][1]["state"], "missing");
    assert!(user.fails(4, &["models", "verify", "org/none"]).contains("org/none is not in the hub's cache"));
}

#[test]
fn remove_asks_first_and_frees_what_nobody_else_needs() {
    let (user, weights) = User::with_model(5000);
    user.ok(&["models", "pull", "org/name"]);
    user.hub.model("org/name@v2", &commit(2), &[("config.json", CONFIG), ("model.safetensors", b"other")]);
    user.ok(&["models", "pull", "org/name@v2"]);
    insta::assert_snapshot!(user.fails(2, &["models", "remove", "org/name@v2"]), @"
    error: Remove org/name (5 bytes) from the hub's cache? Nobody can be asked without a terminal
    hint: --yes removes without asking; --dry-run shows what would go
    ");
    let would = user.ok(&["models", "remove", "org/name", "--dry-run", "--json"]).json();
    assert_eq!((&would["bytes"], user.pulled(2).len()), (&json!(5007), 5));
    user.ok(&["models", "remove", "org/name@v2", "--yes"]);
    assert_eq!((user.pulled(1), user.snapshot("org/name", &commit(2)).exists()), (weights, false));
    assert!(user.snapshot("org/name", &commit(1)).join("config.json").exists(), "shared by both");
    user.ok(&["models", "remove", "org/name", "--yes"]);
    assert!(!user.cache().join("models--org--name").exists());
    assert!(user.fails(4, &["models", "remove", "org/name", "--yes"]).contains("org/name is not in the hub's cache"));
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures").join(name)
}

#[test]
fn agents_lock_pins_what_a_project_runs() {
    let user = User::new();
    user.hub.folder("org/words", &fixture("bert-mean"), None);
    fs::create_dir(user.path("agents")).expect("made");
    fs::write(user.path("agents/words.yaml"), "model: { hub: org/words }\n").expect("written");
    let refused = user.fails(2, &["models", "pull"]);
    assert!(refused.contains("the agents of an untrusted project download nothing"), "{refused}");
    user.ok(&["trust", "."]);
    insta::assert_snapshot!(user.fails(2, &["models", "pull", "--locked"]), @"
    error: agents.lock does not pin org/words
    hint: `elenchus models pull` without --locked pins it, in the folder of a trusted project
    ");
    let pulled = user.ok(&["models", "pull", "--json"]).json();
    let first = pulled["pulled"][0]["commit"].as_str().expect("a commit").to_owned();
    assert_eq!((&pulled["lock"], &pulled["pulled"][0]["pinned"]), (&json!("DIR/agents.lock"), &json!(true)));
    let lock = fs::read_to_string(user.path("agents.lock")).expect("written");
    let embed = |user: &User| user.run(&["try", "words", "--text", "hello", "--embed", "--json"]);
    assert_eq!(embed(&user).code, Some(0));

    // the hub moves on; the project does not
    let mut newer = Model { commit: commit(77), said: json!({}), ..Model::default() };
    for entry in fs::read_dir(fixture("bert-mean")).expect("listed").flatten().filter(|entry| entry.path().is_file()) {
        newer.files.insert(entry.file_name().into_string().expect("UTF-8"), fs::read(entry.path()).expect("read"));
    }
    newer.files.insert("vocab.txt".into(), b"changed".to_vec());
    user.hub.put("org/words", newer);
    user.hub.calm();
    let pulled = user.ok(&["models", "pull", "--locked", "--json"]).json();
    assert_eq!((&pulled["pulled"][0]["commit"], user.hub.log().len()), (&json!(first), 0), "the pin is here");
    assert_eq!(fs::read_to_string(user.path("agents.lock")).expect("there"), lock);

    // a changed file is refused by name
    let config = user.snapshot("org/words", &first).join("config.json");
    let blob = fs::canonicalize(&config).expect("a blob");
    let before = fs::read(&blob).expect("read");
    let longer = [&before[..], b" "].concat();
    fs::write(&blob, &longer).expect("written");
    let refused = embed(&user);
    assert_eq!(refused.code, Some(4));
    let words = refused.json()["error"]["message"].to_string();
    assert!(words.contains("config.json of org/words is not the file that agents.lock pins: it has"), "{words}");
    let verified = user.run(&["models", "verify", "--json"]);
    assert_eq!((verified.code, verified.json()["pins"][0]["source"].as_str()), (Some(1), Some("org/words")));
    fs::write(&blob, &before).expect("written");
    assert_eq!(embed(&user).code, Some(0));

    // the user takes the newest one
    user.ok(&["models", "pull", "--update"]);
    let updated = fs::read_to_string(user.path("agents.lock")).expect("there");
    assert!(updated.contains(&commit(77)) && updated != lock);
    // an old lock, as from version control, brings the old commit back, though the cache's main is the newer one
    fs::write(user.path("agents.lock"), &lock).expect("written");
    assert_eq!(user.ok(&["models", "pull", "--json"]).json()["pulled"][0]["commit"], json!(first));
    // a hub that has other bytes under the pinned commit is refused, too
    user.ok(&["models", "remove", "org/words", "--yes"]);
    let mut other = Model { commit: first.clone(), said: json!({}), ..Model::default() };
    other.files.insert("config.json".into(), CONFIG.to_vec());
    other.files.insert("model.safetensors".into(), b"other".to_vec());
    user.hub.put("org/words", other);
    let refused = user.fails(4, &["models", "pull"]);
    assert!(refused.contains("of org/words is not the file that agents.lock pins"), "{refused}");
    fs::write(user.path("agents.lock"), "{").expect("written");
    assert!(user.fails(4, &["models", "pull"]).contains("DIR/agents.lock cannot be read"));
}

/// A hub with tiny models under the names of the cast `laptop`.
fn laptop(hub: &Hub) {
    hub.folder("google/siglip2-base-patch16-224", &fixture("siglip-gemma"), None);
    hub.folder("openai/whisper-base", &fixture("whisper-multi"), None);
    hub.folder("Qwen/Qwen3-1.7B-GGUF", &fixture("gguf-qwen3"), Some("Qwen3-1.7B-Q8_0.gguf"));
    hub.folder("sentence-transformers/all-MiniLM-L6-v2", &fixture("bert-mean"), None);
    hub.folder("cross-encoder/ms-marco-MiniLM-L6-v2", &fixture("head-bert-pair"), None);
}

const DAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/media/day1.mp4");

#[test]
fn setup_downloads_tests_and_uses_a_cast() {
    let user = User::new();
    laptop(&user.hub);
    // nothing is downloaded without a yes
    let proposed = user.ok(&["setup", "--cast", "laptop", "--dry-run", "--json"]).json();
    let agents = proposed["agents"].as_array().expect("a list");
    assert_eq!(agents.len(), 5, "{proposed}");
    for agent in agents {
        let (bytes, missing) = (agent["bytes"].as_u64(), agent["missing"].as_u64());
        assert!(bytes > Some(10_000) && bytes == missing && agent["license"] == "apache-2.0", "{agent}");
    }
    let eye = agents.iter().find(|agent| agent["agent"] == "laptop-eye").expect("the eye");
    assert_eq!((&eye["roles"], &eye["estimated"]), (&json!(["eye", "witness"]), &json!(true)), "{eye}");
    assert!(eye["seconds_per_hour"].as_f64() > Some(0.0));
    let refused = user.fails(2, &["setup", "--cast", "laptop"]);
    assert!(refused.contains("make laptop your default cast? Nobody can be asked without a terminal"), "{refused}");
    assert!(!user.cache().exists(), "nothing was kept");

    let done = user.ok(&["setup", "--cast", "laptop", "--yes", "--json"]).json();
    assert_eq!((&done["default"], &done["missing"]), (&json!(true), &json!(0)), "{done}");
    assert_eq!(done["downloaded"], proposed["missing"]);
    let checks = done["checks"].as_array().expect("a list");
    assert!(checks.len() == 5 && checks.iter().all(|check| check["status"] == "ok"), "{done}");
    let eye = done["agents"].as_array().expect("a list").iter().find(|agent| agent["agent"] == "laptop-eye");
    let eye = eye.expect("the eye");
    assert!(eye["estimated"] == false && eye["seconds_per_hour"].as_f64() > Some(0.0), "measured now: {eye}");
    let settings = fs::read_to_string(user.path("elenchus_home/settings.json")).expect("kept");
    assert_eq!(serde_json::from_str::<Json>(&settings).expect("JSON"), json!({ "cast": "laptop" }));

    // dialogues of the program use it from now on, unless a run chooses another one
    let video = format!("video={DAY}");
    let agents = |more: &[&str]| -> Vec<String> {
        let plan = [&["plan", "video_log", "-i", &video, "--json"], more].concat();
        let found = user.ok(&plan).json();
        let agents = found["agents"].as_array().expect("a list");
        agents.iter().filter_map(|agent| agent["agent"].as_str().map(str::to_owned)).collect()
    };
    let own = agents(&[]);
    assert!(own.contains(&"laptop-eye".to_owned()) && own.iter().all(|name| !name.starts_with("starter")), "{own:?}");
    assert!(agents(&["--cast", "starter"]).contains(&"starter-clip".to_owned()));
    let doctor = user.run(&["doctor", "--json"]).json();
    let cast = doctor.as_array().expect("a list").iter().find(|check| check["name"] == "cast").expect("the cast");
    assert_eq!(cast["detail"], "laptop (`elenchus setup` chose it)");

    // a second time nothing is downloaded, so nobody is asked, and no network is needed; a project's pins are its own
    fs::create_dir(user.path("agents")).expect("made");
    user.ok(&["trust", "."]);
    let again = user.ok(&["setup", "--cast", "laptop", "--offline"]);
    assert!(again.err.contains("laptop is your default cast now; an hour of video takes about"), "{}", again.err);
    assert!(!user.path("agents.lock").exists());
    user.ok(&["setup", "--cast", "starter"]);
    assert!(agents(&[]).contains(&"starter-clip".to_owned()));
}

#[test]
fn a_model_that_fails_its_test_is_no_default() {
    let user = User::new();
    laptop(&user.hub);
    // a repository whose weights do not fit its configuration
    let mut wrong = Model { commit: commit(9), said: json!({}), ..Model::default() };
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        wrong.files.insert(name.into(), fs::read(fixture("bert-mean").join(name)).expect("read"));
    }
    let weights = fs::read(fixture("head-bert-pair").join("model.safetensors")).expect("read");
    wrong.files.insert("model.safetensors".into(), weights[..1000].to_vec());
    user.hub.put("sentence-transformers/all-MiniLM-L6-v2", wrong);
    let ended = user.run(&["setup", "--cast", "laptop", "--yes"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("FAIL  laptop-embedder"), "{}", ended.err);
    assert!(
        ended.err.contains("the default cast stays what it was") && !user.path("elenchus_home/settings.json").exists()
    );
    // a cast that the hub does not have is refused before anything is downloaded
    let refused = user.fails(4, &["setup", "--cast", "server", "--yes"]);
    assert!(refused.contains("models cannot be downloaded") && refused.contains("Qwen/Qwen3-32B-GGUF"), "{refused}");
}

#[test]
fn a_default_cast_that_is_gone_is_named() {
    let user = User::new();
    fs::create_dir_all(user.path("elenchus_home")).expect("made");
    fs::write(user.path("elenchus_home/settings.json"), r#"{"cast": "gone"}"#).expect("written");
    insta::assert_snapshot!(user.fails(2, &["ask", "--journal", "Where?"]), @"
    error: your default cast, `gone`, does not exist any more
    hint: `elenchus setup` chooses another one; `--cast starter` does without for one run
    ");
    assert!(user.fails(2, &["ask", "--journal", "Where?", "--cast", "starter"]).contains("the journal is empty"));
    fs::write(user.path("elenchus_home/settings.json"), "{").expect("written");
    assert!(
        user.fails(2, &["ask", "--journal", "Where?"])
            .contains("your settings, DIR/elenchus_home/settings.json, cannot be read")
    );
}

#[test]
fn ask_tells_once_how_to_get_real_models() {
    let user = User::new();
    let told =
        |args: &[&str]| user.run(&[&["ask", "--journal", "Where?"], args].concat()).err.contains("elenchus setup");
    assert!(!told(&["--json"]) && !told(&["-q"]) && !told(&["--cast", "real"]));
    assert!(told(&[]) && !told(&[]), "once");
}
