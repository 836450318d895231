//! The pages in docs/: every command that begins with `$` in a `console` block runs, the reference of the language is that of the program,
//! and every page is in the book.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// The pages of the book, in order.
fn pages() -> Vec<String> {
    let summary = fs::read_to_string(docs().join("SUMMARY.md")).expect("SUMMARY.md");
    let links = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.map(str::to_owned).collect()
}

/// The blocks of a kind in a page.
fn blocks(text: &str, kind: &str) -> Vec<String> {
    let fence = format!("\n```{kind}\n");
    let starts = text.split(fence.as_str()).skip(1);
    starts.map(|rest| rest.split("\n```").next().expect("an end").to_owned()).collect()
}

/// A command, and the lines that it must print.
struct Shown {
    command: String,
    lines: Vec<String>,
}

fn shown(block: &str) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for line in block.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => all.push(Shown { command: command.to_owned(), lines: Vec::new() }),
            None => all.last_mut().expect("a block begins with a command").lines.push(line.to_owned()),
        }
    }
    all
}

/// Runs the commands of a page in a folder with the first seconds of two days; commands whose answer is shown need the whole days.
fn run(page: &str) {
    let text = fs::read_to_string(docs().join(page)).expect(page);
    let folder = tempfile::tempdir().expect("temp");
    fs::create_dir(folder.path().join("days")).expect("made");
    for day in ["day1", "day2"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/media/{day}.mp4"));
        let to = folder.path().join(format!("days/{day}.mp4"));
        let is_whole = blocks(&text, "console").iter().flat_map(|block| shown(block)).any(|one| !one.lines.is_empty());
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-t", if is_whole { "120" } else { "20" }, "-i"]).arg(from);
        assert!(ffmpeg.args(["-c", "copy"]).arg(to).status().expect("ffmpeg").success());
    }
    let program = Path::new(env!("CARGO_BIN_EXE_elenchus")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    for Shown { command, lines } in blocks(&text, "console").iter().flat_map(|block| shown(block)) {
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).current_dir(folder.path()).env("PATH", &path);
        for name in ["ELENCHUS_DATA", "ELENCHUS_CACHE", "HOME"] {
            shell.env(name, folder.path().join(name.to_lowercase()));
        }
        let output = shell.env("NO_COLOR", "1").env_remove("ELENCHUS_MODELS").output().expect("it runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{page}: {command}\n{out}\n{err}");
        for line in lines {
            assert!(out.lines().any(|printed| printed.trim() == line.trim()), "{page}: {command}\n{line}\n{out}");
        }
    }
}

macro_rules! pages_run {
    ($($test:ident: $page:literal;)*) => {
        $(#[test]
        fn $test() {
            run($page);
        })*

        const RUN: &[&str] = &[$($page),*];
    };
}

pages_run! {
    the_quick_start_runs: "quick-start.md";
    own_footage_runs: "own-footage.md";
    finding_keys_runs: "find-my-keys.md";
    summarising_a_day_runs: "summarise-a-day.md";
    searching_a_year_runs: "search-a-year.md";
    python_runs: "from-python.md";
    casts_run: "casts.md";
    privacy_runs: "privacy.md";
}

/// The anchor that mdBook makes for a heading.
fn heading_anchor(line: &str) -> Option<String> {
    let text = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    Some(kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect())
}

#[test]
fn every_page_with_commands_is_run_and_every_page_is_in_the_book() {
    let pages = pages();
    for entry in fs::read_dir(docs()).expect("listed").map(|entry| entry.expect("entry").path()) {
        let name = entry.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
        if !name.ends_with(".md") || name == "SUMMARY.md" {
            continue;
        }
        assert!(pages.contains(&name), "{name} is not in SUMMARY.md");
        let text = fs::read_to_string(&entry).expect("read");
        assert!(blocks(&text, "console").is_empty() || RUN.contains(&name.as_str()), "{name} is not run");
        // links lead to a page or a picture of the book, and their anchors to a heading
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { name.as_str() } else { file };
            let is_in_the_book = pages.iter().any(|page| page == file) || file.starts_with("images/");
            assert!(is_in_the_book && docs().join(file).exists(), "{name} links to {link}, which is not in the book");
            let headings = fs::read_to_string(docs().join(file)).unwrap_or_default();
            let is_there =
                anchor.is_empty() || headings.lines().any(|line| heading_anchor(line).as_deref() == Some(anchor));
            assert!(is_there, "{name} links to {link}, and there is no such heading");
        }
    }
    assert!(pages.iter().all(|page| docs().join(page).exists()), "{pages:?}");
}

#[test]
fn the_reference_is_that_of_the_program() {
    let output = Command::new(env!("CARGO_BIN_EXE_elenchus")).args(["schema", "--markdown"]).output().expect("it runs");
    let made = String::from_utf8(output.stdout).expect("UTF-8");
    let kept = fs::read_to_string(docs().join("language.md")).unwrap_or_default();
    assert!(made == kept, "docs/language.md is out of date: `elenchus schema --markdown > docs/language.md`");
}
