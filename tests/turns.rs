//! Turns of a person, digests and corrections from outside, with scripted agents: what is asked, what is kept, and what a person is told.

use assert_cmd::Command;
use serde_json::{Value as Json, json};
use std::{fs, path::Path, process::Stdio, time::Duration};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temp");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    folder
}

/// The program in `folder`, with data of its own.
fn elenchus(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    for name in ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE"] {
        command.env(name, folder.join(format!(".{}", name.to_lowercase())));
    }
    command.current_dir(folder).env("NO_COLOR", "1").env("HOME", folder.join(".home"));
    command.timeout(Duration::from_secs(60));
    command
}

/// Runs the program: its exit code, stdout and stderr.
fn run(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = elenchus(folder).args(args).output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

/// The value of a run with `--json`.
fn value(folder: &Path, args: &[&str]) -> Json {
    let (code, stdout, stderr) = run(folder, &[args, &["--json"]].concat());
    assert_eq!(code, 0, "{stderr}{stdout}");
    serde_json::from_str::<Json>(&stdout).expect("JSON")["value"].clone()
}

const WRITER: &str = "script: { '': said. }";

/// Eight lines of two hours.
fn log() -> String {
    let line = |n: usize| json!({"start": n * 900, "end": n * 900 + 60, "text": format!("line {n}")});
    Json::from((0..8).map(line).collect::<Vec<_>>()).to_string()
}

#[test]
fn a_digest_of_groups_cites_what_it_was_made_from() {
    let dialogue = "version: 1\ndialogue: d\ninputs: { log: list of record, about: text }\ncast: { mind: writer }\nsteps:\n  \
         story: { digest: { agent: mind, of: log, span: 1h, lines: 3, words: 30, question: '{{ about }}', \
         text: 'In {{ words }} words about {{ question }}: {{ log }}' } }\nanswer: '{{ story }}'\n";
    let replies = [
        ("[1] 00:00-01:00 line 0\n[2] 15:00-16:00 line 1", "First."),
        ("[1] 30:00-31:00 line 2", "[2] Second."),
        ("[1] 01:00:00-01:01:00 line 4", "Third."),
        ("[1] 01:30:00", "Fourth."),
        ("00:00-46:00 Eins", "whole"),
        ("In 30 words about soup: [1] 00:00-16:00 First.\n[2] 45:00-46:00 Second.", "Eins."),
        ("Third.", "Zwei."),
    ];
    let replies: Vec<String> = replies.iter().map(|(piece, reply)| format!("{piece:?}: {reply:?}")).collect();
    let writer = format!("script: {{ {} }}", replies.join(", "));
    let folder = folder(&[("d.yaml", dialogue), ("agents/writer.yaml", writer.as_str()), ("log.json", &log())]);
    let found = value(folder.path(), &["run", "d.yaml", "-i", "log=log.json", "-i", "about=soup"]);
    assert_eq!((&found["text"], &found["abstained"]), (&json!("whole"), &json!(false)));
    let entry = |entry: &Json| format!("{} {} {}", entry["start"], entry["end"], entry["text"].as_str().expect("text"));
    let evidence: Vec<String> = found["evidence"].as_array().expect("a list").iter().map(entry).collect();
    // an hour each; what the second summary cites is all that it rests on
    assert_eq!(evidence, ["0 2760 Eins.", "3600 6360 Zwei."]);
    let summaries = found["summaries"].as_array().expect("a list");
    let whole = summaries.last().expect("a summary");
    assert_eq!(
        (&whole["level"], &whole["of"], &whole["lines"]),
        (&json!(3), &json!([4, 5]), &json!([0, 1, 3, 4, 5, 6, 7]))
    );
    let (_, stdout, _) = run(folder.path(), &["run", "d.yaml", "-i", "log=log.json", "-i", "about=soup"]);
    assert!(stdout.starts_with("whole\n  00:00:00.000-00:46:00.000 Eins.\n"), "{stdout}");
}

#[test]
fn a_digest_of_nothing_asks_nobody() {
    let dialogue = "version: 1\ndialogue: d\ninputs: { log: list of record }\ncast: { mind: writer }\nsteps:\n  \
         story: { digest: { agent: mind, of: log, text: '{{ log }}' } }\nanswer: '{{ story }}'\n";
    let folder = folder(&[("d.yaml", dialogue), ("agents/writer.yaml", WRITER), ("log.json", "[]")]);
    let (code, stdout, _) = run(folder.path(), &["run", "d.yaml", "-i", "log=log.json", "--json", "--fail-on-abstain"]);
    let found: Json = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, &found["abstained"], &found["exchanges"]), (6, &json!(true), &json!(0)));
}

/// Asks for a room, and for an age with a default.
const TOUR: &str = "version: 1\ndialogue: tour\ncast: { mind: writer }\nsteps:\n  \
     room: { ask_user: { text: 'Which room?', choices: [hall, attic] } }\n  \
     age: { ask_user: { text: 'How old?', schema: { type: integer }, default: 7 } }\n  \
     next: { compute: '{{ age + 1 }}' }\nanswer: '{{ room }} {{ next }}'\n\
     tests:\n  - name: scripted\n    script: { user: [Hall, 8] }\n    expect: { answer: hall 9 }\n";

fn tour() -> tempfile::TempDir {
    folder(&[("tour.yaml", TOUR), ("agents/writer.yaml", WRITER)])
}

#[test]
fn answers_are_scripted_given_recorded_and_replayed() {
    let folder = tour();
    let (code, stdout, stderr) = run(folder.path(), &["test", "tour.yaml"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let given = ["run", "tour.yaml", "--answer", "room=2", "--answer", "tour.age=41", "--record", "run.jsonl"];
    let (code, stdout, stderr) = run(folder.path(), &given);
    assert_eq!((code, stdout.as_str()), (0, "attic 42\n"), "{stderr}");
    let recorded = fs::read_to_string(folder.path().join("run.jsonl")).expect("a transcript");
    assert!(recorded.contains(r#""ask_user""#) && recorded.contains("Which room?") && recorded.contains("attic"));
    let (code, stdout, _) = run(folder.path(), &["replay", "run.jsonl"]);
    assert_eq!((code, stdout.as_str()), (0, "attic 42\n"));
    // a file has one answer a line; what is left over is told
    fs::write(folder.path().join("rooms.txt"), "hall\nattic\n").expect("written");
    let (code, stdout, stderr) = run(folder.path(), &["run", "tour.yaml", "--answer", "room=@rooms.txt"]);
    assert_eq!((code, stdout.as_str()), (0, "hall 8\n"), "{stderr}");
    assert!(
        stderr.contains("its default `7` is taken") && stderr.contains("no question used --answer room=attic"),
        "{stderr}"
    );
    // an answer is asked for anew in each run
    let (_, stdout, _) = run(folder.path(), &["run", "tour.yaml", "--answer", "room=attic", "--answer", "age=1"]);
    assert_eq!(stdout, "attic 2\n");
    // the cost of a run that asks is predicted without asking
    let (code, stdout, stderr) = run(folder.path(), &["plan", "tour.yaml"]);
    assert!(code == 0 && stdout.contains("ask_user"), "{stdout}{stderr}");
}

#[test]
fn without_a_terminal_one_line_says_how_to_answer() {
    let folder = tour();
    let check = |args: &[&str], code: i32, expected: &[&str]| {
        let (found, _, stderr) = run(folder.path(), &[&["run", "tour.yaml"], args].concat());
        assert_eq!(found, code, "{stderr}");
        expected.iter().for_each(|part| assert!(stderr.contains(part), "no `{part}` in {stderr}"));
    };
    let how = "hint: give the answer before the run: --answer room=VALUE, once for each time that it is asked";
    check(&[], 2, &["error: `room` asks the user, but no terminal is attached", how]);
    check(&["--answer", "rom=hall"], 2, &["--answer rom: no step of this name asks the user", "did you mean `room`?"]);
    check(&["--answer", "room"], 2, &["found `room` for --answer, expected STEP=VALUE"]);
    check(&["--answer", "room=@none.txt"], 2, &["--answer @none.txt: "]);
    let wrong = "room: user: the answer given for `room` does not fit: `cellar` is not one of the choices hall, attic";
    check(&["--answer", "room=cellar"], 1, &[wrong]);
    check(&["--answer", "room=hall", "--answer", "age=old"], 1, &["the answer given for `age` does not fit: "]);
}

#[test]
fn a_step_that_may_be_skipped_is_asked_when_its_turn_comes() {
    let dialogue = "version: 1\ndialogue: d\ninputs: { ask: truth }\ncast: { mind: writer }\nsteps:\n  \
         name: { when: ask, ask_user: { text: 'Who?' } }\n  \
         old: { when: ask, ask_user: { text: 'Old?' }, or: nobody }\nanswer: \"{{ name or 'no one' }}, {{ old }}\"\n";
    let folder = folder(&[("d.yaml", dialogue), ("agents/writer.yaml", WRITER)]);
    let (code, stdout, stderr) = run(folder.path(), &["run", "d.yaml", "-i", "ask=false"]);
    assert_eq!((code, stdout.as_str()), (0, "no one, nobody\n"), "{stderr}");
    let (code, _, stderr) = run(folder.path(), &["run", "d.yaml", "-i", "ask=true"]);
    assert!(code == 1 && stderr.contains("user cannot be asked: a person must answer, but no terminal"), "{stderr}");
    assert!(stderr.contains("--answer name=VALUE"), "{stderr}");
    let (code, stdout, _) = run(folder.path(), &["run", "d.yaml", "-i", "ask=true", "--answer", "name=ada"]);
    assert_eq!((code, stdout.as_str()), (0, "ada, nobody\n"));
}

#[test]
fn an_agent_of_the_cast_may_be_the_user() {
    let simulated = TOUR.replace("cast: { mind: writer }", "cast: { user: bob }");
    let folder = folder(&[("tour.yaml", simulated.as_str()), ("agents/bob.yaml", "script: [attic, 3]")]);
    let (code, stdout, stderr) = run(folder.path(), &["run", "tour.yaml"]);
    assert_eq!((code, stdout.as_str()), (0, "attic 4\n"), "{stderr}");
}

#[test]
fn a_correction_takes_the_place_of_its_line_and_both_are_kept() {
    let dialogue = "version: 1\ndialogue: d\ninputs: { video: video, right: text }\ncast: { mind: writer }\nsteps:\n  \
         kept: { journal: { about: '{{ video }}', add: [{ start: 0, end: 5, sense: seen, text: kitchen }, { start: 5, end: 9, sense: seen, text: hall }] } }\n  \
         lines: { when: '{{ kept is not none }}', journal: { read: '{{ video }}' } }\n  \
         new: { journal: { correct: '{{ lines[1] }}', text: '{{ right }}' } }\n  \
         after: { when: '{{ new is not none }}', journal: { read: '{{ video }}' } }\n\
         answer: \"{{ new | map(attribute='text') | join }}: {{ after | map(attribute='text') | join(', ') }}\"\n";
    let folder = folder(&[("d.yaml", dialogue), ("agents/writer.yaml", WRITER)]);
    let video = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/media/day1.mp4");
    let video = format!("video={}", video.display());
    let right = |text: &str| run(folder.path(), &["run", "d.yaml", "-i", &video, "-i", &format!("right={text}")]);
    let (code, stdout, stderr) = right("attic");
    assert_eq!((code, stdout.as_str()), (0, "attic: kitchen, attic\n"), "{stderr}");
    let (_, all, _) = run(folder.path(), &["journal", "show", "--all"]);
    assert!(all.contains("hall") && all.contains("(superseded)") && all.contains("attic"), "{all}");
}

/// Types into the terminal of a run as soon as it shows `until`. Gives the exit code and what the terminal showed. The program `script`
/// makes the terminal; it is part of every Linux system.
#[cfg(target_os = "linux")]
fn typed(folder: &Path, args: &[&str], until: &str, keys: &str) -> (Option<i32>, String) {
    use std::io::{Read, Write};
    let program = assert_cmd::cargo::cargo_bin("elenchus");
    let mut command = std::process::Command::new("script");
    for name in ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE"] {
        command.env(name, folder.join(format!(".{}", name.to_lowercase())));
    }
    command.current_dir(folder).env("NO_COLOR", "1").env("HOME", folder.join(".home"));
    command.args(["-qec", &format!("{} {}", program.display(), args.join(" ")), "/dev/null"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` starts");
    // the keyboard stays connected until the program ends
    let mut keyboard = child.stdin.take().expect("piped");
    let mut terminal = child.stdout.take().expect("piped");
    let (mut shown, mut piece, mut is_typed) = (Vec::new(), [0; 4096], false);
    while let Ok(read @ 1..) = terminal.read(&mut piece) {
        shown.extend_from_slice(&piece[..read]);
        if !is_typed && String::from_utf8_lossy(&shown).contains(until) {
            keyboard.write_all(keys.as_bytes()).expect("typed");
            is_typed = true;
        }
    }
    let code = child.wait().expect("it ends").code();
    (code, String::from_utf8_lossy(&shown).into_owned())
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_types_at_a_terminal() {
    let folder = tour();
    let (code, shown) = typed(folder.path(), &["run", "tour.yaml"], "Which room?", "cellar\n2\n\n");
    assert_eq!(code, Some(0), "{shown}");
    for part in ["Which room?", "1) hall", "`cellar` is not one of the choices", "(an empty line means: 7)", "attic 8"]
    {
        assert!(shown.contains(part), "no `{part}` in {shown}");
    }
    // Ctrl-C while a question is open
    let (code, shown) = typed(folder.path(), &["run", "tour.yaml"], "Which room?", "\x03");
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.contains("interrupted after 0 exchanges"), "{shown}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_question_has_a_time_limit() {
    let slow =
        TOUR.replace("'Which room?', choices: [hall, attic] } }", "'Which room?' }, timeout: 500ms, or: nowhere }");
    let folder = folder(&[("tour.yaml", slow.as_str()), ("agents/writer.yaml", WRITER)]);
    let (code, shown) = typed(folder.path(), &["run", "tour.yaml", "--answer", "age=1"], "Which room?", "");
    assert!(code == Some(0) && shown.contains("nowhere 2"), "{shown}");
    let strict = slow.replace(", or: nowhere", "");
    fs::write(folder.path().join("tour.yaml"), strict).expect("written");
    let (code, shown) = typed(folder.path(), &["run", "tour.yaml", "--answer", "age=1"], "Which room?", "");
    assert!(code == Some(1) && shown.contains("the user did not answer within 500ms"), "{shown}");
}
