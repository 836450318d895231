//! Readers of benchmarks: one file each, and one plain list. A reader turns a local folder in the published layout into
//! cases. Nothing is downloaded. `docs/eval.md` describes each layout and names its source.

mod coco;
mod concadia;
mod egolife;
mod egoschema;
mod msrvtt;
mod nextqa;
mod qaego4d;
mod supermemory;
#[cfg(test)]
mod tests;

use super::case::{Case, Choice, Worth};
use crate::{error::Fault, files};
use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::{
    io::{BufReader, Read},
    path::{Component, Path, PathBuf},
};

/// Maximum size of a file of annotations, in bytes: the largest that is published has 0.3 GB.
const MAX_ANNOTATIONS: u64 = 1 << 30;
/// The number of missing files that a message names.
const NAMED: usize = 3;

/// What a reader is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The benchmark's folder.
    pub folder: PathBuf,
    /// A split, if the user names one.
    pub split: Option<String>,
    /// A task, if the user names one.
    pub task: Option<String>,
    /// The number of captions for each video, if the user names one.
    pub captions: Option<usize>,
    /// The names of the dialogue's inputs.
    pub inputs: Vec<String>,
}

impl Wanted {
    fn takes(&self, name: &str) -> bool {
        self.inputs.iter().any(|input| input == name)
    }

    /// The named split, or the usual one. Fails for one that is not published.
    fn split(&self, known: &[&'static str]) -> Result<&'static str, Fault> {
        one_of("--split", self.split.as_deref(), known)
    }

    /// The named task, or the usual one.
    fn task(&self, known: &[&'static str]) -> Result<&'static str, Fault> {
        one_of("--task", self.task.as_deref(), known)
    }

    /// Fails if the user names captions, which this benchmark does not count.
    fn without_captions(&self, reader: &str) -> Result<(), Fault> {
        match self.captions {
            None => Ok(()),
            Some(_) => Err(Fault::refused(format!("--captions is for msrvtt; {reader} does not take it"))),
        }
    }

    /// Fails if the user names a task, of which this benchmark has only one.
    fn without_task(&self, reader: &str) -> Result<(), Fault> {
        match self.task {
            None => Ok(()),
            Some(_) => Err(Fault::refused(format!("--task is for msrvtt and concadia; {reader} has one task"))),
        }
    }
}

/// The known word, or the first one if none is given.
fn one_of(flag: &str, given: Option<&str>, known: &[&'static str]) -> Result<&'static str, Fault> {
    match given {
        None => Ok(known[0]),
        Some(word) => known
            .iter()
            .find(|one| **one == word)
            .copied()
            .ok_or_else(|| Fault::refused(format!("{flag} {word}: expected {}", known.join(", ")))),
    }
}

/// The cases of a benchmark.
#[derive(Debug, Default)]
pub struct Dataset {
    /// The cases whose files are there.
    pub cases: Vec<Case>,
    /// Facts that figures cannot be compared without, such as the split and the captions for each video.
    pub facts: IndexMap<String, Json>,
    /// The files that are missing, if any.
    pub missing: Missing,
    /// The usual metrics for this task.
    pub metrics: Vec<&'static str>,
}

/// Files that annotations name and the folder does not have.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What they are: `videos` or `images`.
    pub what: &'static str,
    /// The number of files that the annotations name.
    pub of: usize,
    /// The names of the missing ones.
    pub names: Vec<String>,
    /// The number of cases that are left out.
    pub cases: usize,
}

impl Missing {
    /// One line: how many are missing, and which.
    pub fn line(&self, folder: &Path) -> Option<String> {
        if self.names.is_empty() {
            return None;
        }
        let named = self.names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if self.names.len() > NAMED { ", …" } else { "" };
        let (count, of, what) = (self.names.len(), self.of, self.what);
        let (folder, cases) = (folder.display(), self.cases);
        let left_out = if cases == 1 { "1 case is" } else { &format!("{cases} cases are") };
        Some(format!("{count} of {of} {what} are missing in {folder} ({named}{more}); {left_out} left out"))
    }
}

/// A benchmark that can be read.
pub struct Benchmark {
    /// Its name in `--data NAME:DIR`.
    pub name: &'static str,
    /// What it measures, in one line.
    pub about: &'static str,
    /// The files that it needs in the folder.
    pub layout: &'static str,
    /// The repository whose files the layout was read from.
    pub source: &'static str,
    /// Reads the folder. Fails with one line if a file of annotations is missing or malformed, or if no case is left.
    pub read: fn(&Wanted) -> Result<Dataset, Fault>,
}

/// All benchmarks, in the order of help.
pub const BENCHMARKS: [Benchmark; 8] = [
    msrvtt::BENCHMARK,
    coco::BENCHMARK,
    concadia::BENCHMARK,
    egoschema::BENCHMARK,
    nextqa::BENCHMARK,
    qaego4d::BENCHMARK,
    egolife::BENCHMARK,
    supermemory::BENCHMARK,
];

/// The benchmark of `NAME:DIR`, with the folder; nothing if the text has no such form.
pub fn named(data: &str) -> Option<(&'static Benchmark, PathBuf)> {
    let (name, folder) = data.split_once(':')?;
    let found = BENCHMARKS.iter().find(|benchmark| benchmark.name == name)?;
    Some((found, PathBuf::from(folder)))
}

/// The first of these files that exists. Fails with one line that names all.
fn first_of(folder: &Path, names: &[&str]) -> Result<PathBuf, Fault> {
    if !folder.is_dir() {
        return Err(Fault::refused(format!("{} is not a folder", folder.display())));
    }
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let fault = Fault::refused(format!("{} has no {}", folder.display(), names.join(" and no ")));
        fault.hint("docs/eval.md describes the layout of each benchmark")
    })
}

/// The first of these folders that exists, else the benchmark's folder itself.
fn media_folder(folder: &Path, names: &[&str]) -> PathBuf {
    names.iter().map(|name| folder.join(name)).find(|path| path.is_dir()).unwrap_or_else(|| folder.to_owned())
}

/// A file of annotations as a stream of limited size.
fn open(path: &Path) -> Result<impl Read, Fault> {
    let wrong = |error: std::io::Error| Fault::refused(format!("{} cannot be read: {error}", path.display()));
    let file = files::open(path).map_err(wrong)?;
    let size = file.metadata().map_err(wrong)?.len();
    if size > MAX_ANNOTATIONS {
        return Err(Fault::refused(format!("{} has more than {MAX_ANNOTATIONS} bytes", path.display())));
    }
    Ok(BufReader::new(file.take(MAX_ANNOTATIONS)))
}

/// A JSON file as a type. Fields that the type does not have are skipped.
fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Fault> {
    serde_json::from_reader(open(path)?)
        .map_err(|error| Fault::refused(format!("{} is not as published: {error}", path.display())))
}

/// The rows of a CSV file with a header.
fn csv<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Fault> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(open(path)?);
    let rows: Result<Vec<T>, _> = reader.deserialize().collect();
    rows.map_err(|error| Fault::refused(format!("{} is not as published: {error}", path.display())))
}

/// A file that an annotation names, inside the folder. Fails if the name leads out of it.
fn inside(folder: &Path, name: &str) -> Result<PathBuf, Fault> {
    let path = Path::new(name);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !is_plain || name.contains('\0') {
        let shown: String = name.chars().take(80).collect();
        return Err(Fault::refused(format!("an annotation names the file {shown:?}, which is not inside the folder")));
    }
    Ok(folder.join(path))
}

/// Finds the media that cases name and remembers what is missing.
struct Media {
    folder: PathBuf,
    endings: &'static [&'static str],
    known: IndexMap<String, Option<String>>,
}

impl Media {
    fn new(folder: PathBuf, endings: &'static [&'static str]) -> Media {
        Media { folder, endings, known: IndexMap::new() }
    }

    /// The path of a file, or nothing if it is missing. `name` may lack its ending.
    fn find(&mut self, name: &str) -> Result<Option<String>, Fault> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let found = self.probe(name)?;
        self.known.insert(name.to_owned(), found.clone());
        Ok(found)
    }

    /// Like [`Media::find`], for another name of a file: it does not count as missing.
    fn probe(&self, name: &str) -> Result<Option<String>, Fault> {
        for ending in self.endings {
            let path = inside(&self.folder, &format!("{name}{ending}"))?;
            if path.is_file() {
                return Ok(Some(files::name(path.as_os_str())));
            }
        }
        Ok(None)
    }

    /// What is missing; `cases` of the annotations are left out.
    fn missing(&self, what: &'static str, cases: usize) -> Missing {
        let missing = self.known.iter().filter(|(_, path)| path.is_none());
        let named = |name: &String| format!("{name}{}", self.endings[0]);
        Missing { what, of: self.known.len(), names: missing.map(|(name, _)| named(name)).collect(), cases }
    }
}

/// The dataset of these cases. Fails if no case is left.
fn dataset(
    wanted: &Wanted,
    cases: Vec<Case>,
    facts: &[(&str, Json)],
    missing: Missing,
    metrics: &[&'static str],
) -> Result<Dataset, Fault> {
    if cases.is_empty() {
        let why = missing.line(&wanted.folder).unwrap_or_else(|| format!("{} has no cases", wanted.folder.display()));
        return Err(Fault::refused(format!("nothing to evaluate: {why}")));
    }
    let facts = facts.iter().map(|(name, fact)| ((*name).to_owned(), fact.clone())).collect();
    Ok(Dataset { cases, facts, missing, metrics: metrics.to_vec() })
}

/// A question with options, of which one is right.
fn multiple_choice(id: String, question: &str, options: Vec<Choice>, kinds: Vec<String>) -> Case {
    let texts: Vec<Json> = options.iter().map(|option| Json::from(option.text.clone())).collect();
    let right = options.iter().filter(|option| option.worth == Worth::Right).map(|option| option.text.clone());
    let fields =
        IndexMap::from([("question".to_owned(), Json::from(question)), ("choices".to_owned(), Json::Array(texts))]);
    let case = Case::new(id, right.collect(), fields);
    Case { kinds, options, ..case }
}

/// Options of which one is right. Fails if there is no such option.
fn options(id: &str, texts: Vec<String>, right: usize) -> Result<Vec<Choice>, Fault> {
    if right >= texts.len() {
        let count = texts.len();
        return Err(Fault::refused(format!("the right option of question {id} is number {right} of {count}, from 0")));
    }
    let worth = |at: usize| if at == right { Worth::Right } else { Worth::Wrong };
    Ok(texts.into_iter().enumerate().map(|(at, text)| Choice { text, worth: worth(at), abstains: false }).collect())
}
