//! Speech at any start offset of a video: the starter ear hears the same words, at times shifted by exactly the offset.
//! (`src/media/sound/tests.rs` compares the samples; this file checks that they reach the user.)

use assert_cmd::Command;
use serde_json::Value as Json;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

const WORDS: &str = "please go to the hallway and look for ben.";

/// The first words of the sample day in a container, at a sample rate, with a start offset in seconds.
fn shifted(folder: &Path, ending: &str, rate: u32, offset: f64) -> PathBuf {
    let file = folder.join(format!("{rate}-{offset}.{ending}"));
    let options = format!(
        "-v error -nostdin -y -t 4.3 -i examples/media/day1.mp4 -c:v copy -c:a aac -ar {rate} -b:a 96k -muxdelay 0 \
         -muxpreload 0 -output_ts_offset {offset}"
    );
    let made = std::process::Command::new("ffmpeg")
        .args(options.split(' '))
        .arg(&file)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(made.expect("the tests of media need ffmpeg").success(), "{}", file.display());
    file
}

fn elenchus(cache: &Path, args: &[&str]) -> Json {
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("ELENCHUS_CACHE", cache)
        .env("ELENCHUS_DATA", cache)
        .timeout(Duration::from_secs(300));
    let output = command.args(args).arg("--json").output().expect("it ends");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The words, and the times of their segments in milliseconds.
fn heard(cache: &Path, file: &Path) -> (String, Vec<i64>) {
    let heard =
        elenchus(cache, &["try", "starter-whisper", "--audio", file.to_str().expect("UTF-8"), "--language", "en"]);
    let ms = |time: &Json| (time.as_f64().expect("seconds") * 1000.0).round() as i64;
    let segments = heard["segments"].as_array().expect("segments");
    (
        heard["text"].as_str().expect("words").to_owned(),
        segments.iter().flat_map(|segment| [ms(&segment["start"]), ms(&segment["end"])]).collect(),
    )
}

#[test]
fn the_same_words_are_heard_at_any_offset() {
    let folder = tempfile::tempdir().expect("a folder");
    for (ending, rate, offset) in
        [("ts", 48000, 600.0), ("mts", 44100, 60.0), ("mkv", 22050, 5.0), ("mp4", 48000, 60.0), ("ts", 8000, 60.5)]
    {
        let name = format!("{rate} Hz, {offset} s, {ending}");
        let (words, times) = heard(folder.path(), &shifted(folder.path(), ending, rate, 1.0));
        if rate > 8000 {
            assert_eq!(words, WORDS, "{name}");
        }
        let later: Vec<i64> = times.iter().map(|ms| ms + (offset * 1000.0) as i64 - 1000).collect();
        assert_eq!(heard(folder.path(), &shifted(folder.path(), ending, rate, offset)), (words, later), "{name}");
    }
    let late = shifted(folder.path(), "ts", 48000, 600.0);
    let video = format!("video={}", late.display());
    let run = elenchus(folder.path(), &["run", "examples/transcribe.yaml", "-i", &video]);
    let answer = run["answer"].as_str().expect("an answer");
    assert!(answer.starts_with("[1] 10:0") && answer.contains(WORDS), "{answer}");
}
