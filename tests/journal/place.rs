//! Short videos of the sample day, and the program that indexes them in folders of their own.

#![allow(dead_code, reason = "each test file uses a part of it")]

use assert_cmd::Command;
use serde_json::Value as Json;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Ten seconds of the sample day: two stretches, and a sentence at the beginning.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().expect("temp") };
        place.cut("days/one.mp4", 0);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, such as `agents/a.yaml`.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let to = self.path(name);
        fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        fs::write(to, text).expect("written");
    }

    /// Copies ten seconds of the day from `start` on.
    pub(crate) fn cut(&self, name: &str, start: u32) {
        let to = self.path(name);
        fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        let day = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/media/day1.mp4");
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-y", "-ss", &start.to_string(), "-t", "10", "-i"]).arg(day).arg(to);
        ffmpeg.assert().success();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        command.current_dir(self.folder.path()).env("ELENCHUS_CACHE", self.path("cache"));
        command.env("ELENCHUS_DATA", self.path("data")).env("NO_COLOR", "1").env("TZ", "UTC");
        command.env_remove("ELENCHUS_JOURNAL").timeout(Duration::from_secs(300));
        command
    }

    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> (String, String) {
        let output = self.command().args(args).output().expect("it ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        (out, err)
    }

    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Json {
        let (out, _) = self.run(&[args, &["--json"]].concat(), 0);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}: {out}"))
    }

    /// The texts of lines.
    #[track_caller]
    pub(crate) fn texts(&self, args: &[&str]) -> Vec<String> {
        let json = self.json(args);
        json.as_array().expect("a list").iter().map(|line| line["text"].as_str().expect("a text").to_owned()).collect()
    }

    /// The files below the folder.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        fn all(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).expect("listed").flatten() {
                match entry.path() {
                    path if path.is_dir() => all(&path, found),
                    path => found.push(path),
                }
            }
        }
        let mut files = Vec::new();
        all(self.folder.path(), &mut files);
        files
    }

    /// The files below the folder with these bytes in them, in any case.
    pub(crate) fn holding(&self, needle: &str) -> Vec<PathBuf> {
        let needle = needle.to_lowercase().into_bytes();
        let holds = |file: &PathBuf| {
            let bytes = fs::read(file).expect("read").to_ascii_lowercase();
            bytes.windows(needle.len()).any(|window| window == needle)
        };
        self.files().into_iter().filter(holds).collect()
    }
}
