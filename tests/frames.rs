//! `frames` with `distinct` from outside: what a run yields, its memo, its transcript, and a dialogue's own tests.

use assert_cmd::Command;
use serde_json::Value as Json;
use std::path::Path;

/// The dialogue. Its answer is the moments, in seconds.
const DIALOGUE: &str = r#"version: 1
dialogue: d
inputs: { video: video, least: { type: number, default: 0.02 } }
steps:
  moments: { frames: { video: "{{ video }}", every: 1s, distinct: "{{ least }}" } }
  spans: { each: moments, compute: "{{ item.start }}-{{ item.end }}" }
answer: "{{ spans | join(' ') }}"
tests:
  - name: a script decides about the moments
    given: { video: day.mp4 }
    script: { media: [[{ start: 0, end: 4 }, { start: 4, end: 6 }]] }
    expect: { answer: "0-4 4-6" }
"#;

/// Runs the program in `folder`, which has its own memo. Returns stdout, stderr and the exit code.
fn elenchus(folder: &Path, args: &[&str]) -> (String, String, i32) {
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    for name in ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE"] {
        command.env(name, folder.join(format!(".{}", name.to_lowercase())));
    }
    command.current_dir(folder).env("NO_COLOR", "1").env("HOME", folder.join(".home"));
    let output = command.args(args).output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr), output.status.code().expect("an exit code"))
}

/// A folder with the dialogue and a clip: four seconds of a still picture with a noisy sensor, then two of another one.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temp");
    std::fs::write(folder.path().join("d.yaml"), DIALOGUE).expect("written");
    let still =
        |source: &str, seconds: u32| format!("-f lavfi -t {seconds} -i {source}=s=320x240:r=25,noise=alls=6:allf=t");
    let make = format!(
        "-v error -nostdin {} {} -filter_complex concat=n=2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p a.mp4",
        still("smptebars", 4),
        still("pal75bars", 2)
    );
    let made = std::process::Command::new("ffmpeg").args(make.split(' ')).current_dir(folder.path()).status();
    assert!(made.expect("the tests of media need ffmpeg").success());
    folder
}

#[test]
fn near_duplicates_are_skipped_kept_and_replayed() {
    let folder = folder();
    let run = |more: &[&str]| {
        let (out, err, code) =
            elenchus(folder.path(), &[&["run", "d.yaml", "-i", "video=a.mp4", "--json"], more].concat());
        assert_eq!(code, 0, "{err}");
        let told: Json = serde_json::from_str(&out).expect("JSON");
        (told["answer"].as_str().expect("a text").to_owned(), told["memo_hits"].as_u64().expect("a count"))
    };
    let expected = "0-4 4-6".to_owned();
    assert_eq!(run(&["--record", "run.jsonl"]), (expected.clone(), 0));
    assert_eq!(run(&[]), (expected.clone(), 1));
    // another value is another request
    assert_eq!(run(&["-i", "least=1"]), ("0-6".to_owned(), 0));
    let transcript = std::fs::read_to_string(folder.path().join("run.jsonl")).expect("read");
    assert!(transcript.contains(r#""distinct":0.02"#), "{transcript}");

    std::fs::remove_file(folder.path().join("a.mp4")).expect("removed");
    std::fs::remove_dir_all(folder.path().join(".elenchus_cache")).expect("removed");
    let (out, err, code) = elenchus(folder.path(), &["replay", "run.jsonl", "-q"]);
    assert_eq!((out.trim(), code), (expected.as_str(), 0), "{err}");
}

#[test]
fn a_dialogue_tests_itself_with_scripted_moments() {
    let folder = folder();
    let (out, err, code) = elenchus(folder.path(), &["test", "d.yaml"]);
    assert_eq!(code, 0, "{out}{err}");
    for (least, expected) in
        [("0", "found 0, expected more than 0, at most 1"), ("1.5", "found 1.5, expected more than 0")]
    {
        let given = format!("least={least}");
        let (_, err, code) = elenchus(folder.path(), &["run", "d.yaml", "-i", "video=a.mp4", "-i", &given]);
        assert!(code == 2 && err.contains(expected), "{code} {err}");
    }
}

/// Two steps about the same frames, the second after the first.
const TWICE: &str = r#"version: 1
dialogue: twice
inputs: { video: video }
cast: { eye: starter-clip }
steps:
  moments: { frames: { video: "{{ video }}", every: 1s } }
  first: { each: moments, rank: { agent: eye, what: "{{ item }}", among: [red, blue], top: 1 } }
  best: { compute: "{{ first | map('first') | map(attribute='text') | list }}" }
  second: { each: moments, rank: { agent: eye, what: "{{ item }}", among: ["{{ best[index] }}", "green {{ index }}"], top: 2 } }
  vectors: { each: second, embed: { agent: eye, what: "{{ moments[index] }}" } }
answer: "{{ second | map('length') | sum }} {{ vectors | length }}"
"#;

#[test]
fn frames_that_an_agent_has_seen_are_not_decoded_again() {
    let folder = tempfile::tempdir().expect("temp");
    std::fs::write(folder.path().join("d.yaml"), TWICE).expect("written");
    // more frames than the pictures that are kept
    let make = "-v error -nostdin -f lavfi -i testsrc=s=160x120:r=1:d=130 -c:v libx264 -preset ultrafast -g 10 a.mp4";
    let made = std::process::Command::new("ffmpeg").args(make.split(' ')).current_dir(folder.path()).status();
    assert!(made.expect("the tests of media need ffmpeg").success());
    let (out, err, code) = elenchus(folder.path(), &["run", "d.yaml", "-i", "video=a.mp4", "-vv"]);
    assert_eq!((out.trim(), code), ("260 130", 0), "{err}");
    assert_eq!(err.matches("a frame decoder starts").count(), 1, "{err}");
}
