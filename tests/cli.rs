//! Tests of the program: exit codes, JSON, and questions about a sample day with the starter cast.

use assert_cmd::Command;
use serde_json::Value as Json;
use std::{
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
    time::{Duration, Instant},
};

const DAY: &str = "examples/media/day1.mp4";
const KEYS: &str = "Where did I last see the keys?";

/// The repository, which is the working folder of every command.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program with its own cache.
fn elenchus(cache: &Path) -> Command {
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    command
        .current_dir(root())
        .env("ELENCHUS_CACHE", cache)
        .env("ELENCHUS_DATA", cache)
        .env("NO_COLOR", "1")
        .timeout(Duration::from_secs(300));
    command
}

/// Runs the program and checks the exit code. Gives stdout and stderr.
#[track_caller]
fn check(cache: &Path, args: &[&str], code: i32) -> (String, String) {
    let output = elenchus(cache).args(args).output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    (out, err)
}

#[track_caller]
fn json(cache: &Path, args: &[&str], code: i32) -> Json {
    let (out, _) = check(cache, args, code);
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}: {out}"))
}

#[test]
fn a_day_is_asked_remembered_and_replayed() {
    let cache = tempfile::tempdir().expect("temp");
    let record = cache.path().join("run.jsonl");
    let record = record.to_str().expect("UTF-8");
    let first = json(cache.path(), &["ask", DAY, KEYS, "--json", "--record", record], 0);
    assert_eq!(first["abstained"], false, "{first}");
    assert!(!first["answer"].as_str().expect("text").is_empty());
    let evidence = &first["evidence"][0];
    assert_eq!(evidence["video"], DAY);
    assert!(evidence["start"].as_f64() < evidence["end"].as_f64(), "{evidence}");
    assert!(evidence["text"].as_str().expect("text").contains("keys"), "{evidence}");

    let again = json(cache.path(), &["ask", DAY, KEYS, "--json"], 0);
    // only the journal is asked again
    assert_eq!(again["memo_hits"].as_u64().map(|hits| hits + 1), again["exchanges"].as_u64());
    assert_eq!(again["answer"], first["answer"]);

    let nothing = json(cache.path(), &["ask", DAY, "What colour was the spaceship?", "--json"], 0);
    assert_eq!(nothing["abstained"], true, "{nothing}");
    check(cache.path(), &["ask", DAY, "What colour was the spaceship?", "--fail-on-abstain"], 6);

    // in another folder, without weights, video and memo
    let empty = tempfile::tempdir().expect("temp");
    let replayed = elenchus(empty.path())
        .current_dir(empty.path())
        .env("HOME", empty.path())
        .env("PATH", "")
        .args(["replay", record, "--json"])
        .output()
        .expect("it ends");
    let replayed: Json = serde_json::from_slice(&replayed.stdout).expect("JSON");
    let timeless = |json: &Json| {
        let mut json = json.clone();
        let fields = json.as_object_mut().expect("an object");
        fields.retain(|key, _| key != "elapsed_ms" && key != "memo_hits");
        json.to_string()
    };
    assert_eq!(timeless(&replayed), timeless(&first));

    let explained = json(cache.path(), &["memo", "explain", record, "answer", "--json"], 0);
    assert_eq!(explained[0]["kept"], true);
    let removed = json(cache.path(), &["memo", "purge", "--video", DAY, "--json"], 0);
    assert!(removed["removed"].as_u64() > Some(100), "{removed}");
}

#[cfg(unix)]
#[test]
fn a_killed_run_repeats_nothing() {
    let cache = tempfile::tempdir().expect("temp");
    let mut run = Process::new(env!("CARGO_BIN_EXE_elenchus"))
        .current_dir(root())
        .env("ELENCHUS_CACHE", cache.path())
        .env("ELENCHUS_DATA", cache.path())
        .args(["run", "video_log", "-i", &format!("video={DAY}"), "-q"])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let kept = || json(cache.path(), &["memo", "stat", "--json"], 0)["exchanges"].as_u64().unwrap_or(0);
    let (begun, mut before) = (Instant::now(), 0);
    while before < 20 && begun.elapsed() < Duration::from_secs(120) && run.try_wait().expect("alive").is_none() {
        before = kept();
    }
    run.kill().expect("SIGKILL");
    run.wait().expect("gone");
    let before = kept();
    assert!(before >= 20, "it was killed in the middle: {before}");
    let again = json(cache.path(), &["run", "video_log", "-i", &format!("video={DAY}"), "--json", "-q"], 0);
    assert!(again["memo_hits"].as_u64() >= Some(before), "{again} after {before}");
}

#[test]
fn weights_are_loaded_only_for_exchanges_that_the_memo_lacks() {
    let cache = tempfile::tempdir().expect("temp");
    let ask = |question: &str, more: &[&str]| {
        let question = format!("question={question}");
        let log = "log=examples/media/day1.log.jsonl";
        let args = [&["run", "log_qa", "-i", log, "-i", &question, "-v"], more].concat();
        let (_, err) = check(cache.path(), &args, 0);
        err.lines().filter(|line| line.contains("loaded")).count()
    };
    assert_eq!(ask(KEYS, &[]), 1);
    assert_eq!(ask(KEYS, &[]), 0);
    assert_eq!(ask(KEYS, &["--fresh"]), 1);
    assert_eq!(ask("Where was I when I was riding a bike?", &[]), 1);
    let args = ["run", "log_qa", "-i", "log=examples/media/day1.log.jsonl", "-i", "question=x", "--memory", "1MB"];
    let (_, err) = check(cache.path(), &args, 4);
    assert!(err.contains("starter-lm needs about 7.9 MB alone, and cpu has a limit of 1.0 MB"), "{err}");
}

#[test]
fn agents_that_do_not_fit_together_take_turns() {
    let folder = tempfile::tempdir().expect("temp");
    let file = folder.path().join("d.yaml");
    let steps = "steps:\n  a: { rank: { agent: eye, what: \"{{ q }}\", among: [dog, cat] } }\n  \
                 b: { say: { agent: mind, text: \"{{ a[0].text }}\", max_tokens: 2 } }\nanswer: \"{{ b }} {{ a[0].text }}\"\n";
    let head = "version: 1\ndialogue: d\ninputs: { q: text }\ncast: { eye: starter-clip, mind: starter-lm }\n";
    std::fs::write(&file, format!("{head}{steps}")).expect("written");
    let run = |command: &str, memory: &str| {
        let file = file.to_str().expect("UTF-8");
        check(folder.path(), &[command, file, "-i", "q=a dog", "--no-memo", "--json", "--memory", memory], 0)
    };
    let answer = |out: &str| serde_json::from_str::<Json>(out).expect("JSON")["answer"].clone();
    let ((apart, notes), (together, none)) = (run("run", "9MB"), run("run", "1GB"));
    assert_eq!(answer(&apart), answer(&together));
    let note = "cpu has room for 9.0 MB, and the agents need about 15 MB together: they are loaded in turns";
    assert_eq!((notes.matches(note).count(), none.contains("in turns")), (1, false), "{notes} {none}");
    let plan: Json = serde_json::from_str(&run("plan", "9MB").0).expect("JSON");
    assert_eq!(plan["memory"]["devices"][0]["in_turns"], true, "{plan}");
}

#[test]
fn a_transcript_overwrites_only_a_transcript() {
    let folder = tempfile::tempdir().expect("temp");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let record = |to: &str, code: i32| {
        let (log, question) = ("log=examples/media/day1.log.jsonl", format!("question={KEYS}"));
        check(folder.path(), &["run", "log_qa", "-i", log, "-i", &question, "--record", to], code).1
    };
    std::fs::write(path("day.mp4"), "precious").expect("written");
    for (to, expected) in [
        (path("day.mp4"), "it exists and is not a transcript"),
        (path("none/run.jsonl"), "cannot be written"),
        (path("."), "it is a folder"),
        ("/dev/null".to_owned(), "it is not a plain file"),
    ] {
        let err = record(&to, 2);
        assert!(err.contains(expected), "{to}: {err}");
        assert!(!err.contains("exchange"), "it is told before the run: {err}");
    }
    assert_eq!(std::fs::read_to_string(path("day.mp4")).expect("still there"), "precious");
    for _ in 0..2 {
        record(&path("run.jsonl"), 0);
        check(folder.path(), &["replay", &path("run.jsonl")], 0);
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(path("run.jsonl"), path("link.jsonl")).expect("linked");
        record(&path("link.jsonl"), 0);
        assert!(std::fs::symlink_metadata(path("link.jsonl")).expect("there").is_symlink());
    }
}

#[test]
fn an_unusable_memo_is_reported_with_a_remedy() {
    let cache = tempfile::tempdir().expect("temp");
    let args =
        ["run", "log_qa", "-i", "log=examples/media/day1.log.jsonl", "-i", "question=Where did I last see the keys?"];
    let base = cache.path().join("memo/memo.sqlite");
    std::fs::create_dir(cache.path().join("memo")).expect("made");
    std::fs::write(&base, [0x5a; 9000]).expect("written");
    let (_, err) = check(cache.path(), &args, 1);
    assert!(err.contains("is damaged") && err.contains("`elenchus memo purge --all`"), "{err}");
    check(cache.path(), &[&args[..], &["--no-memo"]].concat(), 0);
    check(cache.path(), &["memo", "purge", "--all"], 0);
    check(cache.path(), &args, 0);
    // a run continues without a memo that fails
    let mut bytes = std::fs::read(&base).expect("read");
    bytes.iter_mut().skip(4096).for_each(|byte| *byte = 0x5a);
    std::fs::write(&base, bytes).expect("written");
    let (_, err) = check(cache.path(), &args, 0);
    assert_eq!(err.matches("new replies are not kept").count(), 1, "{err}");
}

#[test]
fn a_purge_removes_everything_of_a_medium() {
    let cache = tempfile::tempdir().expect("temp");
    // a file that is not a valid video, with a copy among the fetched media
    let file = cache.path().join("once-a-day.mp4");
    std::fs::write(&file, vec![7; 2 << 20]).expect("written");
    let copy = cache.path().join("media").join(blake3::hash(&vec![7; 2 << 20]).to_hex().as_str());
    let other = cache.path().join("media/other");
    std::fs::create_dir(cache.path().join("media")).expect("made");
    for kept in [&copy, &other] {
        std::fs::write(kept, "kept").expect("written");
    }
    let removed = json(cache.path(), &["memo", "purge", "--video", file.to_str().expect("UTF-8"), "--json"], 0);
    assert_eq!((removed["removed"].as_u64(), copy.exists(), other.exists()), (Some(0), false, true));
    check(cache.path(), &["memo", "purge", "--all"], 0);
    assert!(!other.exists());
    check(cache.path(), &["memo", "purge", "--video", "none.mp4"], 3);
}

#[test]
fn every_ending_has_its_exit_code() {
    let cache = tempfile::tempdir().expect("temp");
    let ends = |args: &[&str], code: i32, expected: &str| {
        let (out, err) = check(cache.path(), args, code);
        assert!(out.contains(expected) || err.contains(expected), "{args:?}\n{out}\n{err}");
    };
    ends(&["ask", "none.mp4", "x"], 3, "no such file");
    ends(&["ask", DAY, " "], 2, "the question is empty");
    ends(&["run", "video_qq", "-i", "video=x"], 2, "did you mean `video_qa`?");
    ends(&["run", "find", "-i", "video=x"], 2, "it is `video_search` now; `elenchus run video_search --help`");
    ends(&["run", "entities", "-i", "video=x"], 2, "it is `world_state` now");
    ends(&["run", "log_qa", "-i", "questoin=x"], 2, "did you mean `question`?");
    ends(&["run", "log_qa", "-i", "question=x"], 2, "the input `log` is missing");
    ends(&["run", "log_qa", "-i", "question=x", "-i", "question=y"], 2, "given twice");
    ends(&["ask", DAY, "x", "--cast", "nobody"], 2, "nobody");
    ends(&["ask", DAY, "x", "--cast", "startr"], 2, "no cast is named `startr`\nhint: did you mean `starter`?");
    ends(
        &["ask", DAY, "x", "--cast", "casts/nobody.yaml"],
        2,
        "the casts are int8, laptop, real, server, starter, workstation",
    );
    ends(&["ask", DAY, "x", "--device", "cuda:0"], 4, "cuda");
    ends(&["ask", DAY, "x", "--device", "gpu"], 2, "expected auto, cpu, cuda:N or metal");
    ends(&["ask", DAY, "x", "--deadline", "1ms"], 5, "deadline");
    ends(&["try", "--model", "none", "--prompt", "x"], 4, "the checkpoint none does not exist");
    ends(&["try", "starter-lm", "--text", "x", "--embed"], 2, "it cannot answer `embed`");
    ends(&["try", "starter-lm", "--prompt", "x", "--stop", ""], 2, "--stop");
    ends(&["run", "video_qq", "--help"], 2, "did you mean `video_qa`?");
    ends(&["run", "tests/problems/cycle.yaml", "--help"], 2, "error[cycle]");
    ends(&["models", "list", "--cast", "startr"], 2, "did you mean `starter`?");
    ends(&["try", "--prompt", "x"], 2, "required");
    ends(&["replay", "none.jsonl"], 2, "the transcript none.jsonl does not exist");
    ends(&["frobnicate"], 2, "unrecognized");
    ends(&["models", "path", "starter-lm"], 0, "lm");
    ends(&["completions", "bash"], 0, "elenchus");
    let error = json(cache.path(), &["ask", "none.mp4", "x", "--json"], 3);
    assert_eq!(error["error"]["code"], 3);
    assert_eq!(error["error"]["kind"], "media");
}

#[test]
fn problems_are_all_shown_at_once() {
    let cache = tempfile::tempdir().expect("temp");
    let folder = std::fs::read_dir(root().join("tests/problems")).expect("listed");
    let mut files: Vec<PathBuf> = folder.map(|e| e.expect("entry").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    let names: Vec<&str> = files.iter().map(|f| f.to_str().expect("UTF-8")).collect();
    let args: Vec<&str> = ["check", "--json"].into_iter().chain(names.iter().copied()).collect();
    let problems = json(cache.path(), &args, 2);
    for file in names {
        let of_file = problems.as_array().expect("an array").iter().filter(|p| p["file"] == file);
        assert!(of_file.clone().count() > 0, "{file} has no problem");
        assert!(of_file.into_iter().all(|p| p["line"].as_u64() > Some(0) && p["column"].as_u64() > Some(0)));
    }
}

#[test]
fn examples_check_test_and_draw() {
    let cache = tempfile::tempdir().expect("temp");
    let folder = std::fs::read_dir(root().join("examples")).expect("listed");
    let files: Vec<String> = folder
        .map(|e| e.expect("entry").path())
        .filter(|f| f.extension().is_some_and(|e| e == "yaml"))
        .map(|f| f.to_str().expect("UTF-8").to_owned())
        .collect();
    assert!(files.len() >= 4);
    for verb in ["check", "test"] {
        let args: Vec<&str> = [verb].into_iter().chain(files.iter().map(String::as_str)).collect();
        check(cache.path(), &args, 0);
    }
    for (format, expected) in [("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg")] {
        let (out, _) = check(cache.path(), &["graph", "examples/video_qa.yaml", "--format", format], 0);
        assert!(out.contains(expected), "{out}");
    }
}

/// A video whose two minutes represent a day shows clock times of that day to the model, to people and to programs.
#[test]
fn a_video_may_have_its_own_clock() {
    let folder = tempfile::tempdir().expect("temp");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let film = |name: &str, comment: &str| {
        let comment = format!("comment={comment}");
        let source = "testsrc=duration=20:size=64x48:rate=5";
        let args = ["-v", "error", "-f", "lavfi", "-i", source, "-metadata", &comment, "-y", name];
        assert!(Process::new("ffmpeg").current_dir(folder.path()).args(args).status().expect("it runs").success());
    };
    film("long.mp4", "clock 20:00, 1200 seconds a second");
    film("long.mkv", "clock 20:00, 1200 seconds a second");
    film("plain.mp4", "clock 20:00, and a remark");
    std::fs::create_dir(path("agents")).expect("made");
    let script = |shown: &str| {
        let script =
            format!("about: It answers if it is shown the right line.\nscript: {{ \"{shown}\": \"[2] dark\" }}\n");
        std::fs::write(path("agents/m.yaml"), script).expect("written");
    };
    let dialogue = "version: 1\ndialogue: d\nabout: d\ninputs: { video: video }\ncast: { mind: m }\nsteps:\n  \
        moments: { frames: { video: \"{{ video }}\", every: 5s } }\n  \
        log: { each: moments, compute: \"{{ [item] | span('from ' ~ (item | clock)) }}\" }\n  \
        answer: { say: { agent: mind, text: \"{{ log }}\", cite: log, temperature: 0 } }\nanswer: \"{{ answer }}\"\n";
    std::fs::write(path("d.yaml"), dialogue).expect("written");
    let run = |more: &[&str]| {
        let mut command = elenchus(folder.path());
        command.current_dir(folder.path()).args(["run", "d.yaml", "-q", "--no-memo", "-i"]).args(more);
        let output = command.output().expect("it ends");
        assert!(output.status.success(), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    script("[2] 21:40-23:20 from 21:40\\n[3] 23:20-01:00 from 23:20\\n[4] 01:00-02:40 from 01:00");
    for name in ["video=long.mp4", "video=long.mkv"] {
        assert_eq!(run(&[name]), "dark\n  00:00:05.000-00:00:10.000 (21:40-23:20) from 21:40\n", "{name}");
    }
    let told: Json = serde_json::from_str(&run(&["video=long.mp4", "--json", "--record", "run.jsonl"])).expect("JSON");
    let evidence = &told["evidence"][0];
    assert_eq!((evidence["start"].as_f64(), evidence["clock"].as_str()), (Some(5.0), Some("21:40-23:20")));
    let (replayed, _) = check(folder.path(), &["replay", &path("run.jsonl"), "--json"], 0);
    assert!(replayed.contains(r#""clock":"21:40-23:20""#), "{replayed}");

    script("[2] 00:05-00:10 from 00:05");
    assert_eq!(run(&["video=plain.mp4"]), "dark\n  00:00:05.000-00:00:10.000 from 00:05\n");
}

/// The README is true: its dialogue passes its tests, its agent files are read, its questions get the answers shown.
#[test]
fn the_readme_is_true() {
    let folder = tempfile::tempdir().expect("temp");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README");
    let blocks: Vec<&str> = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let dialogue = blocks.iter().find(|b| b.contains("dialogue:")).expect("a dialogue");
    let where_ = folder.path().join("where.yaml");
    std::fs::write(&where_, dialogue).expect("written");
    let (out, _) = check(folder.path(), &["test", where_.to_str().expect("UTF-8")], 0);
    assert!(readme.contains(out.lines().last().expect("a count")), "{out}");
    let (_, shown) = readme.split_once("$ elenchus run where.yaml -i ").expect("a run");
    let (video, shown) = shown.split_once('\n').expect("what it prints");
    let (out, _) = check(folder.path(), &["run", where_.to_str().expect("UTF-8"), "-q", "-i", video], 0);
    assert_eq!(Some(out.trim()), shown.lines().next());

    std::fs::create_dir(folder.path().join("agents")).expect("made");
    let agents: Vec<&&str> = blocks.iter().filter(|b| b.starts_with("about:")).collect();
    assert_eq!(agents.len(), 2);
    for (number, agent) in agents.into_iter().enumerate() {
        std::fs::write(folder.path().join(format!("agents/a{number}.yaml")), agent).expect("written");
        let role = format!("  a{number}: a{number}");
        let text = "version: 1\ndialogue: d\nabout: d\ncast:\nROLE\nsteps:\n  s: { say: { agent: a0, text: hello } }\nanswer: \"{{ s }}\"\n";
        let text = text.replace("ROLE", &role).replace("agent: a0", &format!("agent: a{number}"));
        std::fs::write(folder.path().join("d.yaml"), text).expect("written");
        let output =
            elenchus(folder.path()).current_dir(folder.path()).args(["check", "d.yaml"]).output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }

    let (first, rest) = readme.split_once("$ elenchus ask ").expect("a question");
    assert!(first.ends_with("```\n"));
    for shown in rest.split("```").next().expect("a block").split("$ elenchus ask ") {
        let (command, answer) = shown.split_once('\n').expect("an answer");
        let (video, question) = command.split_once(' ').expect("a question");
        let (out, _) = check(folder.path(), &["ask", video, question.trim_matches('"'), "-q"], 0);
        assert_eq!(out.trim(), answer.trim(), "{question}");
    }
}

/// The memo identifies a video by its bytes. Replies from the memo name the file of the current request.
#[test]
fn a_moved_video_is_named_by_its_new_path() {
    let folder = tempfile::tempdir().expect("temp");
    let day = |n: u8| root().join(format!("examples/media/day{n}.mp4"));
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let ask = |dialogue: &str, video: &str, more: &[&str]| {
        let video = format!("video={}", path(video));
        check(folder.path(), &[&["run", dialogue, "-q", "-i", "at=70", "-i", &video], more].concat(), 0).0
    };
    std::fs::copy(day(1), path("monday.mp4")).expect("copied");
    ask("place", "monday.mp4", &[]);
    std::fs::rename(path("monday.mp4"), path("mon.mp4")).expect("moved");
    let moved = ask("held", "mon.mp4", &[]);
    std::fs::copy(day(2), path("monday.mp4")).expect("copied");
    assert_eq!(ask("held", "mon.mp4", &["--fresh"]), moved);
    assert_ne!(ask("held", "monday.mp4", &[]), moved, "the two days differ at that time");
    assert_eq!(ask("held", "mon.mp4", &["--no-memo"]), moved);
}

/// The memo has speech that one dialogue transcribed for every other dialogue.
#[test]
fn another_dialogue_reuses_the_transcription() {
    let cache = tempfile::tempdir().expect("temp");
    let first = json(cache.path(), &["run", "transcribe", "-i", &format!("video={DAY}"), "--json"], 0);
    assert_eq!(first["memo_hits"], 0, "{first}");
    let within = "version: 1\ndialogue: d\nabout: d\ninputs: { video: video }\nsteps:\n  words: { call: { dialogue: transcribe, with: { video: \"{{ video }}\" } } }\nanswer: \"{{ words }}\"\n";
    let file = cache.path().join("d.yaml");
    std::fs::write(&file, within).expect("written");
    let second =
        json(cache.path(), &["run", file.to_str().expect("UTF-8"), "-i", &format!("video={DAY}"), "--json"], 0);
    assert_eq!((&second["memo_hits"], &second["exchanges"]), (&first["exchanges"], &first["exchanges"]), "{second}");
}

/// Mistakes in a cast are reported with their position and the existing names.
#[test]
fn mistakes_in_casts_are_refused() {
    let folder = tempfile::tempdir().expect("temp");
    std::fs::create_dir(folder.path().join("casts")).expect("made");
    std::fs::write(folder.path().join("casts/slip.yaml"), "cast: { eey: starter-clip }\n").expect("written");
    std::fs::write(folder.path().join("casts/more.yaml"), "cast: { eye: starter-clip, nose: starter-clip }\n")
        .expect("written");
    std::fs::copy(root().join("examples/place.yaml"), folder.path().join("d.yaml")).expect("copied");
    let file = folder.path().join("d.yaml");
    let told =
        |cast: &str, code: i32| check(folder.path(), &["check", file.to_str().expect("UTF-8"), "--cast", cast], code).1;
    assert!(told("slip", 2).contains("uses none of these roles"));
    assert!(told("slip", 2).contains("did you mean `eye`?"));
    assert!(
        told("none", 2).contains("the casts are int8, laptop, more, real, server, slip, starter, workstation"),
        "{}",
        told("none", 2)
    );
    told("more", 0);
    let (_, missing) = check(folder.path(), &["check", "none.yaml"], 2);
    assert!(missing.contains("none.yaml: no such file"), "{missing}");
}

#[test]
fn an_evaluation_with_a_case_that_fails_has_failed() {
    let folder = tempfile::tempdir().expect("temp");
    let data = folder.path().join("cases.jsonl");
    let case = |video: &Path| {
        format!("{{\"video\": {:?}, \"at\": 5, \"answer\": \"kitchen\"}}\n", video.to_str().expect("UTF-8"))
    };
    std::fs::write(&data, case(&root().join(DAY)) + &case(Path::new("none.mp4"))).expect("written");
    let args = ["eval", "place", "--data", data.to_str().expect("UTF-8"), "--json"];
    let figures = json(folder.path(), &args, 1);
    assert_eq!((figures["n"].as_u64(), figures["errors"].as_array().map(Vec::len)), (Some(2), Some(1)), "{figures}");
}

#[test]
fn cases_with_an_unknown_question_are_reported() {
    let cache = tempfile::tempdir().expect("temp");
    let eval = |dialogue: &str, data: &str| {
        check(
            cache.path(),
            &["eval", dialogue, "--data", &format!("examples/media/day1.{data}.jsonl"), "--limit", "1"],
            0,
        )
        .1
    };
    let told = eval("place", "cases");
    assert!(
        told.contains("warning: the cases ask a `question`, which place does not take; its inputs: video, at"),
        "{told}"
    );
    assert!(!eval("place", "places").contains("warning"));
    assert!(!eval("log_qa", "cases").contains("warning"));
}

#[test]
fn several_files_are_one_evaluation() {
    let cache = tempfile::tempdir().expect("temp");
    for (name, data) in [("place", "places"), ("held", "held")] {
        let (dialogue, days) = (format!("examples/{name}.yaml"), ["day1", "day2"]);
        let [one, two] = days.map(|day| format!("examples/media/{day}.{data}.jsonl"));
        let details = cache.path().join(format!("{name}.jsonl"));
        let details = details.to_str().expect("UTF-8");
        let rest = ["--limit", "3", "--metric", "accuracy", "--json", "--details", details];
        let args = [["eval", &dialogue, "--data", &one, &two].as_slice(), &rest].concat();
        let figures = json(cache.path(), &args, 0);
        assert_eq!(figures["n"], 6, "{figures}");
        // tests/starter.rs checks the accuracy of the eye
        assert!(figures["accuracy"].as_f64().is_some(), "{figures}");
        let lines = std::fs::read_to_string(details).expect("written");
        let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let places: Vec<_> = lines.iter().map(|l| (l["file"].as_str(), l["line"].as_u64())).collect();
        assert_eq!((places[0], places[5]), ((Some(one.as_str()), Some(1)), (Some(two.as_str()), Some(3))));
    }
}

#[test]
fn try_reads_labels_and_schemas_or_says_what_is_missing() {
    let cache = tempfile::tempdir().expect("temp");
    let refused = |args: &[&str], expected: &str| {
        let (_, err) = check(cache.path(), args, 2);
        assert_eq!(err, format!("error: {expected}\n"), "{args:?}");
    };
    let image = &["try", "starter-clip", "--image", "docs/images/sample.png", "--among"][..];
    let among = |labels| [image, &[labels]].concat();
    refused(
        &among("starter/plces"),
        "--among: no file or list of labels is named `starter/plces`\nhint: did you mean `starter/places`?",
    );
    refused(&among(","), "--among: `,` contains no labels");
    let prompt = &["try", "starter-lm", "--prompt", "x"][..];
    refused(
        &[prompt, &["--schema", "nosuch"]].concat(),
        "--schema: no file or schema is named `nosuch`\nhint: name a file with a JSON Schema, or NAME of schemas/NAME.json in the project",
    );
    let many = cache.path().join("many.txt");
    std::fs::write(&many, (0..100_001).map(|i| format!("{i}\n")).collect::<String>()).expect("written");
    refused(&among(many.to_str().expect("UTF-8")), "--among: found 100001 labels, expected at most 100000");
    // a repeated label would divide its probability
    let ranked = json(cache.path(), &[image, &["cafe, office ,cafe", "--json"]].concat(), 0);
    assert_eq!(ranked["scores"].as_array().map(Vec::len), Some(2), "{ranked}");
}

/// `--model` and agent files find checkpoints in the user's folder of models. All missing ones are named, with one hint.
#[test]
fn models_are_found_in_the_users_folder() {
    let cache = tempfile::tempdir().expect("temp");
    let ends = |models: &Path, args: &[&str], code: i32| {
        let output = elenchus(cache.path()).env("ELENCHUS_MODELS", models).args(args).output().expect("it ends");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{err}");
        err
    };
    ends(&root().join("agents/starter"), &["try", "--model", "lm", "--prompt", "x", "--max-tokens", "1"], 0);
    let empty = cache.path().join("none");
    let video = format!("video={DAY}");
    let err = ends(&empty, &["run", "video_log", "--cast", "real", "-i", &video], 4);
    assert_eq!(err.lines().count(), 2, "{err}");
    for name in ["efficientnet-lite0", "all-MiniLM-L6-v2", "whisper-tiny.en", "qwen2.5-coder-0.5b-q4_k_m.gguf"] {
        assert_eq!(
            err.matches(&format!("the checkpoint {} does not exist", empty.join(name).display())).count(),
            1,
            "{err}"
        );
    }
    assert_eq!(err.matches("put it into your folder of models").count(), 1, "{err}");
}

/// A model may know its own prompts only. The note is the description in the agent's file.
#[test]
fn try_says_what_an_agent_is_for() {
    let folder = tempfile::tempdir().expect("temp");
    let said = |prompt: &str, more: &[&str]| {
        let args = [&["try", "starter-lm", "--max-tokens", "2", "--prompt", prompt], more].concat();
        check(folder.path(), &args, 0).1
    };
    assert!(said("Hello", &[]).starts_with("note: starter-lm: Reads and writes."), "{}", said("Hello", &[]));
    let summary = std::fs::read_to_string(root().join("prompts/summary.md")).expect("a prompt");
    for quiet in [said("Hello", &["-q"]), said("Hello", &["--json"]), said(&summary, &[])] {
        assert_eq!(quiet, "");
    }
}
