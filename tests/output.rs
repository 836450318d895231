//! Output that cannot be written: a full or closed stderr changes neither the answer nor the exit code.

#![cfg(unix)]

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    process::{Command, Stdio},
};

const DIALOGUE: &str = "version: 1\ndialogue: d\ncast: { mind: m }\nsteps:\n  \
                        said: { say: { agent: mind, text: Well? } }\nanswer: \"{{ said }}\"\n";

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temp");
    fs::create_dir(folder.path().join("agents")).expect("made");
    for (name, text) in [
        ("agents/m.yaml", "script: fine"),
        ("good.yaml", DIALOGUE),
        ("bad.yaml", &DIALOGUE.replace("agent: mind", "agent: mnid")),
    ] {
        fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

/// Runs the program. Gives the exit code and stdout.
fn run(folder: &Path, args: &[&str], stderr: Stdio) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elenchus"));
    command
        .current_dir(folder)
        .env("ELENCHUS_CACHE", folder.join("cache"))
        .env("ELENCHUS_DATA", folder.join("cache"))
        .env("RUST_LOG", "trace");
    let mut child = command.args(args).stdout(Stdio::piped()).stderr(stderr).spawn().expect("it starts");
    let mut out = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
    (child.wait().expect("it ends").code(), out)
}

/// A pipe without a reader.
fn closed() -> Stdio {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("a full device").into()
}

#[test]
fn a_failing_stderr_changes_nothing() {
    let folder = project();
    let check = |args: &[&str], code: i32, out: &str| {
        for stderr in [Stdio::null(), closed()].into_iter().chain(cfg!(target_os = "linux").then(full)) {
            let (found, said) = run(folder.path(), args, stderr);
            assert_eq!(found, Some(code), "{args:?}");
            assert!(said.contains(out), "{args:?}: {said}");
        }
    };
    check(&["run", "good.yaml"], 0, "fine");
    check(&["run", "good.yaml", "-vv"], 0, "fine");
    check(&["run", "good.yaml", "--json"], 0, "fine");
    check(&["check", "bad.yaml"], 2, "");
    check(&["ask", "none.mp4", "x"], 3, "");
    check(&["ask", "none.mp4", "x", "--json"], 3, "no such file");
    check(&["ask"], 2, "");
    check(&["ask", "--json"], 2, "error");
}

#[test]
fn a_failing_stdout_does_not_panic() {
    let folder = project();
    let check = |args: &[&str], stdout: Stdio, code: i32| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elenchus"));
        command
            .current_dir(folder.path())
            .env("ELENCHUS_CACHE", folder.path().join("cache"))
            .env("ELENCHUS_DATA", folder.path().join("cache"));
        let ended = command.args(args).stdout(stdout).output().expect("it ends");
        let err = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{args:?}: {err}");
        assert!(!err.contains("panicked"), "{args:?}: {err}");
        err
    };
    for args in [&["run", "good.yaml"][..], &["list", "--json"], &["--help"], &["completions", "bash"]] {
        check(args, closed(), 0);
    }
    check(&["ask", "--json"], closed(), 2);
    if cfg!(target_os = "linux") {
        // the output was lost, and one line says so
        for args in [
            &["run", "good.yaml"][..],
            &["run", "good.yaml", "--json", "-q"],
            &["run", "good.yaml", "--help"],
            &["list", "--json"],
            &["check", "good.yaml", "--json"],
            &["completions", "bash"],
            &["graph", "--json"],
            &["--help"],
            &["--version"],
        ] {
            let err = check(args, full(), 1);
            let lost = "error: the result cannot be written: No space left on device (os error 28)\n";
            assert!(err.ends_with(lost) && err.matches("error:").count() == 1, "{args:?}: {err}");
        }
        // a failure keeps its code
        let err = check(&["ask", "none.mp4", "x", "--json"], full(), 3);
        assert!(err.ends_with("error: none.mp4: no such file\n"), "{err}");
    }
}
