//! Reads lists of files from texts: repeated paths, JSON, a file of paths, a folder or a pattern.

use crate::{error::Fault, files};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The maximum number of files in a list.
const MAX_FILES: usize = 10_000;
/// The endings of videos in a folder.
const VIDEOS: &[&str] = &["mp4", "mov", "m4v", "mkv", "webm", "avi", "mts", "m2ts", "ts", "mpg", "mpeg", "3gp"];
/// The endings of sounds in a folder.
const SOUNDS: &[&str] = &["wav", "mp3", "m4a", "aac", "flac", "ogg", "opus", "wma"];
/// The endings of images in a folder.
const IMAGES: &[&str] = &["png", "jpg", "jpeg"];

/// The type of a list's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    /// Videos.
    Videos,
    /// Sounds; videos count too.
    Sounds,
    /// Images.
    Images,
}

impl Files {
    fn word(self) -> &'static str {
        match self {
            Files::Videos => "videos",
            Files::Sounds => "sounds",
            Files::Images => "images",
        }
    }

    pub(super) fn has_ending(self, path: &Path) -> bool {
        let Some(ending) = path.extension().and_then(|ending| ending.to_str()) else { return false };
        let is_in = |list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(ending));
        match self {
            Files::Videos => is_in(VIDEOS),
            Files::Sounds => is_in(SOUNDS) || is_in(VIDEOS),
            Files::Images => is_in(IMAGES),
        }
    }
}

/// The accepted forms of a list input, for hints.
pub(super) fn forms(name: &str, files: Option<Files>) -> String {
    match files {
        Some(_) => format!(
            "repeat -i {name}=FILE, or give JSON (`[\"a.mp4\", \"b.mp4\"]`), a .json or .jsonl file, @FILE with one path a line, a folder, \
             or a pattern (`'days/*.mp4'`)"
        ),
        None => format!(
            "repeat -i {name}=ITEM, or give JSON (`[\"a\", \"b\"]`), a .json or .jsonl file, or @FILE with one text a line"
        ),
    }
}

/// The files that the texts name, in order. Fails if a file is missing or a form is invalid.
pub(super) fn paths(name: &str, texts: &[String], kind: Files) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    for text in texts {
        found.extend(expand(name, text, kind)?);
        if found.len() > MAX_FILES {
            return Err(Fault::refused(format!("the input `{name}` names more than {MAX_FILES} files")));
        }
    }
    Ok(found)
}

/// The files that one text names. A text that is itself the path of a file names only this file.
fn expand(name: &str, text: &str, kind: Files) -> Result<Vec<String>, Fault> {
    let wrong = |what: String| Fault::refused(format!("the input `{name}`: {what}")).hint(forms(name, Some(kind)));
    let listed = |text: &str, from: &str| {
        let items: Result<Vec<String>, _> = serde_json::from_str(text);
        items.map_err(|error| wrong(format!("{from} is not a JSON list of paths: {error}")))
    };
    if text.contains("://") {
        return Ok(vec![text.to_owned()]);
    }
    if text.trim_start().starts_with('[') && fs::symlink_metadata(text).is_err() {
        return listed(text, &format!("`{text}`"));
    }
    let (path, is_names) = match text.strip_prefix('@') {
        Some(file) if fs::symlink_metadata(text).is_err() => (files::path(file), true),
        _ => (files::path(text), false),
    };
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if is_names || matches!(ending, "json" | "jsonl") {
        let shown = path.display().to_string();
        let read = files::read_given(&path, files::MAX_INPUT_BYTES);
        let content = read.map_err(|error| wrong(format!("{shown} cannot be read: {error}")))?;
        let names = match ending {
            "json" => listed(&content, &shown)?,
            "jsonl" => {
                let lines = content.lines().filter(|line| !line.trim().is_empty());
                let one = |line: &str| serde_json::from_str::<String>(line);
                lines
                    .map(one)
                    .collect::<Result<_, _>>()
                    .map_err(|e| wrong(format!("{shown}: a line is not a path in quotes: {e}")))?
            }
            _ => content
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(str::to_owned)
                .collect(),
        };
        // names in a file are relative to it
        let folder = path.parent().unwrap_or(Path::new(""));
        return Ok(names
            .into_iter()
            .map(|file| if file.contains("://") { file } else { shown_path(&folder.join(file)) })
            .collect());
    }
    if path.is_dir() {
        let entries = fs::read_dir(&path).map_err(|error| wrong(format!("{text} cannot be read: {error}")))?;
        let entries =
            entries.flatten().map(|entry| entry.path()).filter(|path| kind.has_ending(path) && path.is_file());
        let mut found: Vec<PathBuf> = entries.take(MAX_FILES + 1).collect();
        found.sort();
        if found.is_empty() {
            return Err(wrong(format!("the folder {text} contains no {}", kind.word())));
        }
        return Ok(found.iter().map(|path| shown_path(path)).collect());
    }
    if fs::symlink_metadata(&path).is_ok() {
        return Ok(vec![text.to_owned()]);
    }
    if text.contains(['*', '?', '[']) {
        let matches = glob::glob(text).map_err(|error| wrong(format!("the pattern `{text}`: {error}")))?;
        let found: Vec<String> = matches.flatten().take(MAX_FILES + 1).map(|path| shown_path(&path)).collect();
        if found.is_empty() {
            return Err(wrong(format!("no file matches `{text}`")));
        }
        return Ok(found);
    }
    if text.contains(',') {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        return parts.map(|part| expand(name, part, kind)).collect::<Result<Vec<_>, _>>().map(|all| all.concat());
    }
    Err(Fault::media(format!("{text}: no such file")).hint(forms(name, Some(kind))))
}

fn shown_path(path: &Path) -> String {
    files::name(path.as_os_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_list_names_the_same_files() {
        let root = tempfile::tempdir().expect("temp");
        let at = |file: &str| root.path().join(file).display().to_string();
        fs::create_dir(at("days")).expect("made");
        for file in ["b.mp4", "a.MP4", "notes.txt", "a,b.mp4", "s.wav"] {
            fs::write(at(&format!("days/{file}")), "").expect("written");
        }
        fs::write(at("list.json"), r#"["days/b.mp4", "http://x/y.mp4"]"#).expect("written");
        fs::write(at("list.jsonl"), "\"days/b.mp4\"\n\n\"days/a.MP4\"\n").expect("written");
        fs::write(at("list.txt"), "# two\ndays/b.mp4\n").expect("written");
        let check = |texts: &[String], expected: &[&str]| {
            let found = paths("videos", texts, Files::Videos);
            let found = found.map_err(|fault| fault.to_string());
            let expected: Vec<String> =
                expected.iter().map(|file| if file.contains("://") { (*file).to_owned() } else { at(file) }).collect();
            assert_eq!(found, Ok(expected), "{texts:?}");
        };
        check(&[at("days")], &["days/a,b.mp4", "days/a.MP4", "days/b.mp4"]);
        check(&[at("days/b.mp4"), at("days/a.MP4")], &["days/b.mp4", "days/a.MP4"]);
        check(&[format!("{},{}", at("days/b.mp4"), at("days/a.MP4"))], &["days/b.mp4", "days/a.MP4"]);
        check(&[at("days/a,b.mp4")], &["days/a,b.mp4"]);
        check(&[format!("[{:?}]", at("days/b.mp4"))], &["days/b.mp4"]);
        check(&[at("list.json")], &["days/b.mp4", "http://x/y.mp4"]);
        check(&[at("list.jsonl")], &["days/b.mp4", "days/a.MP4"]);
        check(&[format!("@{}", at("list.txt"))], &["days/b.mp4"]);
        check(&[at("days/?.mp4")], &["days/b.mp4"]);
        let refused = |text: String, kind: Files, expected: &str| {
            let fault = paths("videos", &[text], kind).expect_err("refused");
            assert!(fault.message.contains(expected), "{fault}");
            assert!(fault.hint.is_some_and(|hint| hint.contains("repeat -i videos=FILE")));
        };
        refused(at("none.mp4"), Files::Videos, "no such file");
        refused(at("days/*.mkv"), Files::Videos, "no file matches");
        refused(at("days"), Files::Images, "contains no images");
        refused("[1]".into(), Files::Videos, "is not a JSON list of paths");
        refused(at("none.json"), Files::Videos, "cannot be read");
        assert_eq!(paths("x", &[at("days")], Files::Sounds).map(|found| found.len()), Ok(4));
    }
}
