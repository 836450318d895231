//! The language from outside, in temporary folders: loops, fallbacks, calls by path, and tests that fail for the right
//! reason.

use assert_cmd::Command;
use std::{fs, path::Path};

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

/// Runs the program in `folder`. Returns its output and exit code.
fn elenchus(folder: &Path, args: &[&str]) -> (String, i32) {
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    for name in ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE"] {
        command.env(name, folder.join(format!(".{}", name.to_lowercase())));
    }
    command.current_dir(folder).env("NO_COLOR", "1").env("HOME", folder.join(".home"));
    let output = command.args(args).output().expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).expect("UTF-8"), output.status.code().expect("an exit code"))
}

/// A dialogue with these parts and a role `mind`.
fn dialogue(steps: &str, answer: &str, tests: &str) -> String {
    format!(
        "version: 1\ndialogue: d\ninputs: {{ q: {{ type: text, default: hello }} }}\ncast: {{ mind: starter-lm }}\nsteps:\n{steps}\n\
         answer: \"{answer}\"\n{tests}"
    )
}

/// Checks or tests one dialogue. The output must contain all of `expected`, and the exit code must be `code`.
fn check(command: &str, yaml: &str, code: i32, expected: &[&str]) {
    let folder = folder(&[("d.yaml", yaml)]);
    let (said, found) = elenchus(folder.path(), &[command, "d.yaml"]);
    assert_eq!(found, code, "{yaml}\n{said}");
    for part in expected {
        assert!(said.contains(part), "no `{part}` in:\n{said}");
    }
}

fn passes(steps: &str, answer: &str, test: &str) {
    let tests = format!("tests:\n  - name: t\n    {test}\n");
    check("test", &dialogue(steps, answer, &tests), 0, &["t … ok"]);
}

fn fails(steps: &str, answer: &str, test: &str, expected: &[&str]) {
    let tests = format!("tests:\n  - name: t\n    {test}\n");
    check("test", &dialogue(steps, answer, &tests), 1, expected);
}

#[test]
fn previous_is_nothing_in_the_first_round() {
    let rounds = |inner: &str| {
        format!("  l:\n    loop:\n      max_rounds: 3\n      steps:\n        x: {{ compute: \"{inner}\" }}")
    };
    let check = |inner: &str, expected: &str| {
        passes(&rounds(inner), "{{ l.x }}", &format!("expect: {{ answer: \"{expected}\" }}"));
    };
    check("{{ previous.x ~ 'a' if previous else 'a' }}", "aaa");
    check("{{ (previous.x or 'b') ~ 'a' }}", "baaa");
    check("{{ 'first' if previous is none else previous.x ~ '+' }}", "first++");
    check("{{ previous.x ~ 'a' if previous is not none else 'c' }}", "caa");
    check("{{ 'n' if previous.x.y is none else 'some' }}", "some");
    check("{{ (previous | tojson) if round == 1 else previous.x }}", "null");
    check("{{ ([previous, round] | tojson) if round == 1 else previous.x }}", "[null, 1]");
}

#[test]
fn previous_has_the_types_of_a_round() {
    let inner =
        "  l:\n    loop:\n      max_rounds: 3\n      steps:\n        draft: { compute: \"{{ previous.drft or q }}\" }";
    check("check", &dialogue(inner, "{{ l.draft }}", ""), 2, &["unknown-field", "did you mean `draft`?"]);
    let compared = "  l:\n    loop:\n      max_rounds: 3\n      steps:\n        draft: { compute: \"{{ q if previous == none else previous.draft }}\" }";
    check(
        "check",
        &dialogue(compared, "{{ l.draft }}", ""),
        2,
        &["found a comparison with `none`", "write `x is none`"],
    );
}

#[test]
fn nothing_of_the_first_round_is_refused_where_it_cannot_be_used() {
    let rounds = |step: &str| {
        format!(
            "  l:\n    loop:\n      max_rounds: 2\n      steps:\n        list: {{ compute: \"{{{{ [q] }}}}\" }}\n        \
             many: {{ compute: 2 }}\n        x: {{ {step} }}"
        )
    };
    let dialogue = |step: &str| dialogue(&rounds(step), "{{ l.x }}{{ l.list }}{{ l.many }}", "");
    let refused = |step: &str, found: &str| check("check", &dialogue(step), 2, &["may-be-nothing", found, "round 1"]);
    let accepted = |step: &str| check("check", &dialogue(step), 0, &["d.yaml: ok"]);
    let say = |more: &str| format!("say: {{ agent: mind, text: \"{{{{ q }}}}\", {more} }}");
    refused(&say("n: \"{{ previous.many }}\""), "found number or nothing for `n`, expected number");
    refused(
        &say("choices: \"{{ previous.list }}\""),
        "found list of text or nothing for `choices`, expected list of text",
    );
    refused(&say("n: \"{{ previous.many or previous.many }}\""), "found number or nothing for `n`");
    // the dialogue names a value for nothing, or skips the step
    accepted(&say("n: \"{{ previous.many or 2 }}\""));
    accepted(&say("n: \"{{ previous.many if previous else 2 }}\""));
    accepted(&format!("when: \"{{{{ round > 1 }}}}\", {}", say("n: \"{{ previous.many }}\"")));
    accepted(&format!("or: none, {}", say("n: \"{{ previous.many }}\"")));
    accepted(&format!("each: \"{{{{ previous.list }}}}\", {}", say("n: \"{{ previous.many }}\"")));
    // nothing is the default of this key
    accepted(&say("temperature: \"{{ previous.many }}\", max_tokens: \"{{ previous.many }}\""));
    accepted(&say("system: \"{{ previous.x }}\""));
    accepted("compute: \"{{ previous.many }}\"");
}

#[test]
fn a_skipped_step_has_fields_that_are_nothing() {
    let steps = "  a: { when: \"{{ q == 'x' }}\", say: { agent: mind, text: \"{{ q }}\" } }\n  b: { compute: \"{{ a.text or 'none said' }}\" }";
    // a text lacks fields; only a record can be nothing
    check("check", &dialogue(steps, "{{ b }}", ""), 2, &["unknown-field"]);
    let steps = "  a: { when: \"{{ q == 'x' }}\", compute: \"{{ {'t': q} }}\" }\n  b: { compute: \"{{ a.t or 'none said' }}\" }";
    passes(steps, "{{ b }}", "expect: { answer: none said }");
}

#[test]
fn or_takes_templates() {
    let said = "  a: { say: { agent: mind, text: \"{{ q }}\" }, or: \"nothing about {{ q }}\" }";
    passes(said, "{{ a }}", "script: { mind: [{ fail: busy }] }\n    expect: { answer: nothing about hello }");
    let each = "  a: { each: \"{{ ['x', 'y'] }}\", say: { agent: mind, text: \"{{ item }}\" }, or: \"{{ item }}{{ index }}\" }";
    passes(
        each,
        "{{ a | join(' ') }}",
        "script: { mind: { x: said, y: { fail: busy } } }\n    expect: { answer: said y1 }",
    );
    let skipped = "  a: { each: \"{{ ['x', 'y'] }}\", when: \"{{ item == 'x' }}\", say: { agent: mind, text: \"{{ item }}\" }, or: \"no {{ item }}\" }";
    passes(skipped, "{{ a | join(' ') }}", "script: { mind: said }\n    expect: { answer: said no y }");
    // the step waits for the steps that its `or` names
    let later =
        "  a: { say: { agent: mind, text: \"{{ q }}\" }, or: \"{{ b }}\" }\n  b: { compute: \"{{ q | upper }}\" }";
    passes(later, "{{ a }}", "script: { mind: [{ fail: busy }] }\n    expect: { answer: HELLO }");
    // a failing fallback is reported together with the first failure
    let broken = "  a: { say: { agent: mind, text: \"{{ q }}\" }, or: \"{{ q | int }}\" }";
    fails(
        broken,
        "{{ a }}",
        "script: { mind: [{ fail: busy }] }\n    expect: { answer: x }",
        &["a: busy; `or` failed too: "],
    );
}

#[test]
fn or_is_checked() {
    let refused = |or: &str, expected: &[&str]| {
        let steps = format!("  a: {{ say: {{ agent: mind, text: \"{{{{ q }}}}\" }}, or: \"{or}\" }}");
        check("check", &dialogue(&steps, "{{ a }}", ""), 2, expected);
    };
    refused("{{ qq }}", &["unknown-name", "did you mean `q`?"]);
    refused("{{ item }}", &["`item` and `index` are bound in a step with `each`"]);
    refused("{{ q.text }}", &["unknown-field"]);
    refused("{{ a }}", &["found steps that wait for each other: a → a"]);
}

#[test]
fn a_script_can_fail_on_purpose() {
    let step = "  a: { say: { agent: mind, text: \"{{ q }}\" }, retries: 2 }";
    passes(step, "{{ a }}", "script: { mind: [{ fail: busy }, { fail: busy }, hi] }\n    expect: { answer: hi }");
    fails(step, "{{ a }}", "script: { mind: { hello: { fail: busy } } }\n    expect: { answer: hi }", &["a: busy"]);
    let once = "  a: { say: { agent: mind, text: \"{{ q }}\" } }";
    fails(
        once,
        "{{ a }}",
        "script: { mind: [{ fail: busy }, hi] }\n    expect: { answer: hi }",
        &["a: busy", "reply 2 was never requested: `hi`"],
    );
}

#[test]
fn a_script_that_does_not_fit_fails_the_test() {
    let step = "  a: { say: { agent: mind, text: \"Shorten: {{ q }}\" }, or: fallback }";
    let check = |script: &str, expected: &[&str]| {
        fails(step, "{{ a }}", &format!("script: {{ mind: {script} }}\n    expect: {{ answer: fallback }}"), expected);
    };
    check("{ \"Shrten: hello\": hi }", &["a: no piece of the script (`Shrten: hello`) occurs in: Shorten: hello"]);
    check("[]", &["a: request 1 came, but the script holds 0 replies"]);
    let check = |script: &str, expected: &[&str]| {
        fails(step, "{{ a }}", &format!("script: {{ mind: {script} }}\n    expect: {{ answer: hi }}"), expected);
    };
    check(
        "[hi, never used, nor this]",
        &["reply 2 was never requested: `never used`", "reply 3 was never requested: `nor this`"],
    );
    check("{ Shorten: hi, Lengthen: ho }", &["script of `mind`: no request contains the piece `Lengthen`"]);
    // a piece for all other requests may stay unused
    passes(step, "{{ a }}", "script: { mind: { Shorten: hi, \"\": ho } }\n    expect: { answer: hi }");
    let never = "  a: { when: \"{{ q == 'x' }}\", say: { agent: mind, text: x }, or: no }";
    fails(never, "{{ a }}", "script: { mind: hi }\n    expect: { answer: no }", &["script of `mind`: no request came"]);
}

#[test]
fn a_reply_that_fits_no_request_is_refused() {
    let tests = |script: &str| format!("tests: [{{ name: t, script: {{ {script} }}, expect: {{ answer: hi }} }}]\n");
    let refused = |script: &str, expected: &[&str]| {
        check(
            "check",
            &dialogue("  a: { say: { agent: mind, text: \"{{ q }}\" } }", "{{ a }}", &tests(script)),
            2,
            expected,
        );
    };
    refused("mind: [{ fail: 1 }]", &["found number 1", "expected text"]);
    refused("mind: [{ fail: x, more: 1 }]", &["unknown key `more`"]);
    refused("mind: [{ dog: 0.5 }]", &["found a reply (scores for dog) that no `say` request takes"]);
    refused("media: hi", &["found a reply (`hi`) that no `frames` request takes"]);
}

/// A dialogue that answers `text`.
fn callee(text: &str) -> String {
    format!("version: 1\ndialogue: c\nsteps:\n  s: {{ compute: \"{text}\" }}\nanswer: \"{{{{ s }}}}\"\n")
}

fn caller(name: &str) -> String {
    format!("version: 1\ndialogue: z\nsteps:\n  s: {{ call: {{ dialogue: \"{name}\" }} }}\nanswer: \"{{{{ s }}}}\"\n")
}

#[test]
fn a_call_finds_dialogues_beside_its_own_file() {
    let check = |name: &str, expected: &str| {
        let folder = folder(&[
            ("deep/z.yaml", &caller(name)),
            ("deep/a.yaml", &callee("beside")),
            ("deep/more/b.yaml", &caller("a")),
            ("deep/more/a.yaml", &callee("below")),
            ("deep/caption.yaml", &callee("own caption")),
            ("up.yaml", &callee("above")),
            ("examples/a.yaml", &callee("the project's")),
            ("examples/named.yaml", &callee("named")),
            ("prompts/p.md", "x"),
        ]);
        let record = folder.path().join("run.jsonl");
        let record = record.to_str().expect("UTF-8");
        let run = ["run", "deep/z.yaml", "-q", "--no-memo", "--record", record];
        assert_eq!(elenchus(folder.path(), &run), (format!("{expected}\n"), 0), "{name}");
        // a transcript contains the texts of called dialogues
        fs::remove_dir_all(folder.path().join("deep")).expect("removed");
        fs::remove_dir_all(folder.path().join("examples")).expect("removed");
        assert_eq!(elenchus(folder.path(), &["replay", record, "-q"]), (format!("{expected}\n"), 0), "{name}");
    };
    check("a", "beside");
    check("a.yaml", "beside");
    check("./a.yaml", "beside");
    check("./a", "beside");
    check("more/a", "below");
    check("more/b.yaml", "below");
    check("../up", "above");
    check("named", "named");
    check("examples/a", "the project's");
    check("./caption", "own caption");
}

#[test]
fn two_dialogues_of_one_name_are_kept_apart() {
    let both = "version: 1\ndialogue: z\nsteps:\n  s: { call: { dialogue: a } }\n  t: { call: { dialogue: more/b } }\nanswer: \"{{ s }} {{ t }}\"\n";
    let folder = folder(&[
        ("z.yaml", both),
        ("a.yaml", &callee("one")),
        ("more/b.yaml", &caller("a")),
        ("more/a.yaml", &callee("two")),
    ]);
    let run = ["run", "z.yaml", "-q", "--no-memo", "--record", "run.jsonl"];
    assert_eq!(elenchus(folder.path(), &run), ("one two\n".into(), 0));
    for gone in ["a.yaml", "more/b.yaml", "more/a.yaml"] {
        fs::remove_file(folder.path().join(gone)).expect("removed");
    }
    assert_eq!(elenchus(folder.path(), &["replay", "run.jsonl", "-q"]), ("one two\n".into(), 0));
}

#[test]
fn a_call_stays_in_the_project_and_names_the_searched_places() {
    let root = folder(&[("home/z.yaml", ""), ("home/near.yaml", &callee("x")), ("secret.yaml", &callee("secret"))]);
    let home = root.path().join("home");
    std::os::unix::fs::symlink(root.path().join("secret.yaml"), home.join("link.yaml")).expect("linked");
    let check = |name: &str, expected: &[&str]| {
        fs::write(home.join("z.yaml"), caller(name)).expect("written");
        let (said, code) = elenchus(&home, &["check", "z.yaml"]);
        assert_eq!(code, 2, "{name}: {said}");
        for part in expected {
            assert!(said.contains(part), "{name}: no `{part}` in:\n{said}");
        }
    };
    let absolute = root.path().join("secret.yaml").display().to_string();
    check(&absolute, &["an absolute path, which a call cannot read", "copy the file into the project"]);
    check("../secret", &["lies outside of"]);
    check("more/../../secret.yaml", &["lies outside of"]);
    check("link", &["a link that leaves"]);
    check("nera", &["found no dialogue `nera`", "did you mean `near`?", "looked in", "the program"]);
    check("./caption", &["found no dialogue `./caption`"]);
    check("z", &["found a dialogue that calls itself"]);
}

#[test]
fn the_examples_have_no_warnings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cache = tempfile::tempdir().expect("temp");
    let entries = fs::read_dir(root.join("examples")).expect("examples").map(|entry| entry.expect("entry").path());
    let files = entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    for file in files.chain([root.join("examples/project/day.yaml")]) {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        let command = command
            .current_dir(root)
            .env("ELENCHUS_CACHE", cache.path())
            .env("ELENCHUS_DATA", cache.path())
            .arg("check")
            .arg(&file)
            .arg("--json");
        let output = command.output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "[]\n", "{}", file.display());
    }
}

#[test]
fn a_new_project_passes_its_own_tests() {
    let root = folder(&[]);
    let (said, code) = elenchus(root.path(), &["init", "demo"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("demo is a trusted project now"), "{said}");
    let demo = root.path().join("demo");
    let home = |args: &[&str]| {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        for name in ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE"] {
            command.env(name, root.path().join(format!(".{}", name.to_lowercase())));
        }
        let output = command.current_dir(&demo).env("NO_COLOR", "1").args(args).output().expect("it ends");
        (String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(), output.status.code())
    };
    let yaml: Vec<String> = fs::read_dir(&demo)
        .expect("made")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    assert_eq!(yaml, ["day.yaml"]);
    let (said, code) = home(&["check", "day.yaml"]);
    assert!(code == Some(0) && said.contains("day.yaml: ok") && !said.contains("warning"), "{said}");
    let (said, code) = home(&["test", "day.yaml"]);
    assert!(code == Some(0) && said.contains("2 passed, 0 failed"), "{said}");
    let (said, _) = home(&["list"]);
    assert!(said.contains("day-sentence       project"), "{said}");
    let (trusted, _) = elenchus(root.path(), &["trust", "--list"]);
    assert!(trusted.contains("demo"), "{trusted}");
    let (said, code) = elenchus(root.path(), &["init", "demo"]);
    assert!(code == 2 && said.contains("demo is not empty") && said.contains("name a new folder"), "{said}");
}

#[test]
fn named_files_are_listed_and_shown() {
    let root = folder(&[("prompts/places.md", "x"), ("prompts/p.md", "Say {{ q }}."), ("vocab/places.txt", "attic")]);
    let check = |args: &[&str], code: i32, expected: &str| {
        let (said, found) = elenchus(root.path(), args);
        assert!(found == code && said.contains(expected), "{args:?} {found}: {said}");
    };
    check(&["show", "p"], 0, "Say {{ q }}.");
    check(&["show", "video_qa"], 0, "dialogue: video_qa");
    check(&["show", "prompts/video-qa"], 0, "{{ question");
    check(&["show", "places"], 2, "write `elenchus show prompts/places` or `elenchus show vocab/places`");
    check(&["show", "vocab/places"], 0, "attic");
    check(&["show", "vocab/starter/places"], 0, "kitchen");
    check(&["show", "vido_qa"], 2, "did you mean `video_qa`?");
    check(&["show", "zzzz"], 2, "`elenchus list` shows the names");
    check(&["list", "labels"], 0, "17 labels: kitchen");
    check(&["rn"], 2, "hint: did you mean `run`?");
}

#[test]
fn lists_can_be_given_in_many_ways() {
    let dialogue = "version: 1\ndialogue: d\ninputs: { xs: list of text, n: { type: number, default: 2 } }\ncast: { mind: teller }\n\
                    steps:\n  s: { say: { agent: mind, text: hi, n: \"{{ n }}\" } }\nanswer: \"{{ xs | join('|') }} {{ s }}\"\n";
    let root = folder(&[
        ("d.yaml", dialogue),
        ("agents/teller.yaml", "script: { '': yes }"),
        ("xs.json", "[\"a\", \"b\"]"),
        ("xs.jsonl", "\"a\"\n\"b\"\n"),
        ("xs.txt", "a\n\nb\n"),
    ]);
    let check = |inputs: &[&str], code: i32, expected: &str| {
        let mut args = vec!["run", "d.yaml", "-q", "--no-memo"];
        inputs.iter().for_each(|input| args.extend(["-i", input]));
        let (said, found) = elenchus(root.path(), &args);
        assert!(found == code && said.contains(expected), "{inputs:?} {found}: {said}");
    };
    check(&["xs=[\"a\", \"b\"]"], 0, "a|b");
    check(&["xs=xs.json"], 0, "a|b");
    check(&["xs=xs.jsonl"], 0, "a|b");
    check(&["xs=@xs.txt"], 0, "a|b");
    check(&["xs=@xs.json"], 0, "a|b");
    check(&["xs=a", "xs=b"], 0, "a|b");
    check(&["xs=a,b"], 0, "a,b");
    check(&["xs=none.json"], 2, "repeat -i xs=ITEM");
    check(&["xs=a", "n=1", "n=2"], 2, "the input `n` is given twice, but it is a single number");
    check(&["xs=a", "n=1.5"], 2, "found 1.5, expected a whole number, 1 or more (it is the `n` of a step)");
}

#[test]
fn a_changed_transcript_is_reported() {
    let dialogue = dialogue(
        "  a: { say: { agent: mind, text: one } }\n  b: { say: { agent: mind, text: two } }",
        "{{ a }} {{ b }}",
        "",
    );
    let root =
        folder(&[("d.yaml", &dialogue.replace("starter-lm", "teller")), ("agents/teller.yaml", "script: { '': yes }")]);
    let (said, code) = elenchus(root.path(), &["run", "d.yaml", "-q", "--no-memo", "--record", "run.jsonl"]);
    assert_eq!(code, 0, "{said}");
    let text = fs::read_to_string(root.path().join("run.jsonl")).expect("a transcript");
    let check = |keep: &dyn Fn(&str) -> bool, code: i32, expected: &str| {
        let kept: String = text.lines().filter(|line| keep(line)).map(|line| format!("{line}\n")).collect();
        fs::write(root.path().join("cut.jsonl"), kept).expect("written");
        let (said, found) = elenchus(root.path(), &["replay", "cut.jsonl"]);
        assert!(found == code && said.contains(expected), "{found}: {said}");
    };
    check(&|_| true, 0, "yes yes");
    let counted = "the transcript lacks the exchange `a`: the file was changed: its last line counts 2 answered exchanges, but it contains 1";
    check(&|line| !line.starts_with("{\"exchange\":\"a\""), 1, counted);
    check(&|line| !line.starts_with("{\"outcome\""), 0, "note: the transcript lacks its last line");
}

#[test]
fn a_server_that_is_down_is_reported_once() {
    let dialogue = "version: 1\ndialogue: d\ncast: { mind: srv }\nsteps:\n  s: { each: \"{{ range(10) }}\", say: { agent: mind, text: \"{{ item }}\" } }\nanswer: \"{{ s | length }}\"\n";
    let root = folder(&[
        ("d.yaml", dialogue),
        ("agents/srv.yaml", "endpoint: { url: 'http://127.0.0.1:1/v1', model: m }"),
        ("agents/big.yaml", "model: { path: ../none }"),
        ("agents/hub.yaml", "model: { hub: org/name }"),
    ]);
    let (said, code) = elenchus(root.path(), &["run", "d.yaml", "--trust", "--no-memo"]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("hint: start the server") && said.matches("hint").count() == 1, "{said}");
    assert_eq!(said.matches("again in").count(), 1, "{said}");
    let check = |args: &[&str], expected: &[&str]| {
        let (said, code) = elenchus(root.path(), &[&["doctor", "--trust"], args].concat());
        assert_eq!(code, 1, "{said}");
        for part in expected {
            let is_there = said.lines().any(|line| part.split('|').all(|piece| line.contains(piece)));
            assert!(is_there, "no `{part}` in:\n{said}");
        }
        assert!(!said.contains("(hint"), "one hint for each agent:\n{said}");
    };
    check(
        &[],
        &["FAIL|agents/big", "FAIL|agents/hub", "hint: `elenchus models pull org/name`", "ok|agents/srv|not contacted"],
    );
    check(&["--network"], &["FAIL|agents/srv|cannot be reached"]);
}

/// A dialogue with a role that its cast leaves open.
const OPEN: &str = "version: 1\ndialogue: d\ninputs: { q: { type: text, default: hello } }\noptional: [critic]\nsteps:\n  \
    each_word: { each: \"{{ q | words }}\", say: { agent: critic, text: \"{{ item }}\" } }\n  \
    whole: { say: { agent: critic, text: \"{{ q }}\" }, or: nobody }\n\
    answer: \"{{ whole }} {{ each_word | length if each_word else 0 }}\"\n\
    tests:\n  - { name: open, expect: { answer: nobody 0 } }\n  \
    - { name: played, script: { critic: [one, all] }, expect: { answer: all 1 } }\n";

#[test]
fn a_step_of_an_optional_role_is_skipped_unless_an_agent_fills_it() {
    let folder = folder(&[
        ("d.yaml", OPEN),
        ("outer.yaml", "version: 1\ndialogue: o\nsteps: { s: { call: { dialogue: d } } }\nanswer: \"{{ s }}\"\n"),
        ("casts/full.yaml", "cast: { critic: reviewer }\n"),
        ("agents/reviewer.yaml", "script: { \"\": good }\n"),
    ]);
    let check = |args: &[&str], expected: &[&str]| {
        let (said, code) = elenchus(folder.path(), args);
        assert_eq!(code, 0, "{said}");
        expected.iter().for_each(|part| assert!(said.contains(part), "no `{part}` in:\n{said}"));
        said
    };
    let note = "note: no agent fills the optional role `critic`: the steps `each_word`, `whole` are skipped";
    check(&["check", "d.yaml"], &[note, "d.yaml: ok"]);
    check(&["run", "d.yaml", "--no-memo"], &["nobody 0", note]);
    // what a called dialogue does without is not told
    let said = check(&["run", "outer.yaml", "--no-memo"], &["nobody 0"]);
    assert!(!said.contains("note: no agent"), "{said}");
    check(&["test", "d.yaml"], &["open … ok", "played … ok"]);
    let said = check(&["run", "d.yaml", "--no-memo", "--cast", "full"], &["good 1"]);
    assert!(!said.contains("note: no agent"), "{said}");
}

#[test]
fn a_model_that_is_replaced_does_not_judge_its_successor() {
    let dialogue = "version: 1\ndialogue: d\ncast: own\noptional: [critic, other]\nsteps:\n  \
        said: { say: { agent: mind, text: hello } }\n  judged: { say: { agent: critic, text: hello } }\n  \
        more: { say: { agent: other, text: hello } }\nanswer: \"{{ said }} {{ judged or 'nobody' }} {{ more or 'nobody' }}\"\n";
    let folder = folder(&[
        ("d.yaml", dialogue),
        ("casts/own.yaml", "cast: { mind: one, critic: one, other: three }\n"),
        ("casts/mind.yaml", "cast: { mind: two }\n"),
        ("casts/both.yaml", "cast: { mind: two, critic: one }\n"),
        ("agents/one.yaml", "script: { \"\": first }\n"),
        ("agents/two.yaml", "script: { \"\": second }\n"),
        ("agents/three.yaml", "script: { \"\": third }\n"),
    ]);
    for (args, expected) in [
        (&[][..], "first first third"),
        (&["--cast", "mind"], "second nobody third"),
        (&["--cast", "both"], "second first third"),
    ] {
        let (said, code) = elenchus(folder.path(), &[&["run", "d.yaml", "--no-memo"], args].concat());
        assert!(code == 0 && said.contains(expected), "{args:?}: {said}");
    }
}

#[test]
fn an_input_of_any_type_takes_json() {
    let folder = folder(&[
        (
            "d.yaml",
            "version: 1\ndialogue: d\ninputs: { x: any }\nsteps: { s: { compute: \"{{ x[0].a if x[0].a is defined else x }}\" } }\nanswer: \"{{ s }}\"\n",
        ),
        ("rows.jsonl", "{\"a\": 5}\n{\"a\": 6}\n"),
        ("broken.json", "[{"),
    ]);
    let check = |given: &str, expected: &str, code: i32| {
        let (said, found) = elenchus(folder.path(), &["run", "d.yaml", "-q", "--no-memo", "-i", &format!("x={given}")]);
        assert!(said.contains(expected) && found == code, "{given}: {said}");
    };
    check("rows.jsonl", "5", 0);
    check("[{\"a\": 7}]", "7", 0);
    check("[1] is no JSON", "[1] is no JSON", 0);
    check("gone.json", "gone.json", 0);
    check("broken.json", "broken.json", 2);
}
