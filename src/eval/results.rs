//! The file of results: one line of JSON for each answer, so that a killed evaluation goes on where it was.

use super::{answered::CaseAnswer, case::Case};
use crate::{error::Fault, files};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

/// Maximum size of a file of results, in bytes.
const MAX_BYTES: usize = 1 << 30;

/// One line of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResultLine {
    /// A digest of the dialogue, its agents and the seed: other answers cannot be taken for these.
    pub run: String,
    /// A digest of the case ([`key`]).
    pub case: String,
    /// True for the answer without the medium or log.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blind: bool,
    /// The file of cases, or the benchmark.
    pub file: String,
    /// The line in it, or the number of the case, from 1.
    pub line: usize,
    /// The case's name, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its first class, if any.
    pub kind: Option<String>,
    /// The question, or another text that identifies the case to people.
    pub question: String,
    /// The right answer; of several, one that fits best.
    pub expected: String,
    /// The answer; none if the run failed.
    #[serde(flatten)]
    pub answered: Option<CaseAnswer>,
    /// The first metric's figure for this case; none before all cases are done.
    #[serde(default)]
    pub score: Option<f64>,
    /// The figure of each metric for this case.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub scores: serde_json::Map<String, Json>,
    /// The reason why the run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl ResultLine {
    /// The line of a case, without scores.
    pub fn new(
        run: &str,
        key: String,
        case: &Case,
        place: (&str, usize),
        blind: bool,
        outcome: &Result<CaseAnswer, String>,
    ) -> ResultLine {
        let (answered, error) = match outcome {
            Ok(answered) => (Some(answered.clone()), None),
            Err(error) => (None, Some(error.clone())),
        };
        ResultLine {
            run: run.to_owned(),
            case: key,
            blind,
            file: place.0.to_owned(),
            line: place.1,
            id: case.id.clone(),
            kind: case.kinds.first().cloned(),
            question: case.question().to_owned(),
            expected: case.answers.first().cloned().unwrap_or_default(),
            answered,
            score: None,
            scores: serde_json::Map::new(),
            error,
        }
    }
}

/// A digest of a case, with the sizes and times of the files that it names: an answer about a replaced video does not
/// count. Lists that many cases have in common are not looked at.
pub fn key(case: &Case, folder: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(case.digest().as_bytes());
    let named = case.fields.values().flat_map(|field| match field {
        Json::String(text) => std::slice::from_ref(text).to_vec(),
        Json::Array(items) => items.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    });
    // a long text is no path
    for path in named.filter(|text| text.len() < 1024 && !text.contains("://")) {
        let Ok(meta) = files::path(&files::name(folder.join(path).as_os_str())).metadata() else { continue };
        let since = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let nanos = since.map_or(0, |since| since.as_nanos());
        hasher.update(&meta.len().to_le_bytes()).update(&nanos.to_le_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// An open file of results.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    file: File,
    known: HashMap<(String, bool), CaseAnswer>,
    kept: Vec<ResultLine>,
}

impl Results {
    /// Opens the file, or makes it. Answers of this run are kept, and failed ones are dropped, so that they are tried
    /// again; a last line that is not whole is dropped too. Fails if the file has answers of another run, unless
    /// `replace` is set.
    pub fn open(path: &Path, run: &str, replace: bool) -> Result<Results, Fault> {
        let wrong = |error: std::io::Error| Fault::refused(format!("{} cannot be read: {error}", path.display()));
        let text = match path.symlink_metadata() {
            Ok(_) if !replace => files::read_text(path, MAX_BYTES).map_err(wrong)?,
            _ => String::new(),
        };
        let mut lines = Vec::new();
        let mut known = HashMap::new();
        let written: Vec<&str> = text.lines().collect();
        for (at, line) in written.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let other = |what: &str| {
                let fault = Fault::refused(format!("{}:{}: {what}", path.display(), at + 1));
                fault.hint("name another file for --details, or remove this one; --fresh replaces it")
            };
            let parsed: ResultLine = match serde_json::from_str(line) {
                Ok(parsed) => parsed,
                // the program was killed while it wrote
                Err(_) if at + 1 == written.len() && !text.ends_with('\n') => break,
                Err(_) => return Err(other("this is not an answer that `eval` wrote")),
            };
            if parsed.run != run {
                return Err(other("this answer is of another dialogue, cast, model or seed"));
            }
            if let (Some(answered), None) = (&parsed.answered, &parsed.error) {
                known.insert((parsed.case.clone(), parsed.blind), answered.clone());
                lines.push(parsed);
            }
        }
        write(path, &lines)?;
        let file = File::options().append(true).open(path).map_err(|error| full(path, &error))?;
        Ok(Results { path: path.to_owned(), file, known, kept: lines })
    }

    /// The answer of an earlier start.
    pub fn known(&self, key: &str, blind: bool) -> Option<&CaseAnswer> {
        self.known.get(&(key.to_owned(), blind))
    }

    /// The number of answers of an earlier start.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// Adds one line.
    pub fn add(&mut self, line: &ResultLine) -> Result<(), Fault> {
        let written = self.file.write_all(json(line).as_bytes()).and_then(|()| self.file.flush());
        written.map_err(|error| full(&self.path, &error))
    }

    /// Replaces the lines of this evaluation, now with their scores. Earlier answers to other cases stay behind them.
    pub fn finish(self, mut lines: Vec<ResultLine>) -> Result<(), Fault> {
        let written: HashSet<(String, bool)> = lines.iter().map(|line| (line.case.clone(), line.blind)).collect();
        lines.extend(self.kept.into_iter().filter(|line| !written.contains(&(line.case.clone(), line.blind))));
        write(&self.path, &lines)
    }
}

fn json(line: &ResultLine) -> String {
    serde_json::to_string(line).unwrap_or_default() + "\n"
}

fn full(path: &Path, error: &std::io::Error) -> Fault {
    Fault::failed(format!("{}: {error}", path.display()))
}

/// Writes the lines to a new file, which then takes the place of the old one.
fn write(path: &Path, lines: &[ResultLine]) -> Result<(), Fault> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: std::io::Error| full(path, &error);
    // a device or pipe is written as it is
    if path.metadata().is_ok_and(|meta| !meta.is_file()) {
        let mut file = File::options().write(true).open(path).map_err(failed)?;
        return lines.iter().try_for_each(|line| file.write_all(json(line).as_bytes())).map_err(failed);
    }
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    lines.iter().try_for_each(|line| file.write_all(json(line).as_bytes())).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn case(question: &str) -> Case {
        serde_json::from_value(json!({ "answer": "yes", "question": question })).expect("a case")
    }

    fn line(run: &str, case: &Case, outcome: &Result<CaseAnswer, String>) -> ResultLine {
        ResultLine::new(run, key(case, Path::new("")), case, ("cases.jsonl", 1), false, outcome)
    }

    fn answer(text: &str) -> CaseAnswer {
        serde_json::from_value(json!({ "answer": text })).expect("an answer")
    }

    #[test]
    fn a_stopped_evaluation_goes_on_where_it_was() {
        let folder = tempfile::tempdir().expect("temp");
        let file = folder.path().join("details.jsonl");
        let cases = ["one?", "two?", "three?", "four?"].map(case);
        let keys = cases.each_ref().map(|case| key(case, Path::new("")));
        let mut results = Results::open(&file, "run", false).expect("made");
        results.add(&line("run", &cases[0], &Ok(answer("yes")))).expect("added");
        results.add(&line("run", &cases[1], &Err("no video".to_owned()))).expect("added");
        results.add(&line("run", &cases[2], &Ok(answer("no")))).expect("added");
        drop(results);
        // killed while it wrote the fourth line
        let whole = std::fs::read_to_string(&file).expect("read");
        std::fs::write(&file, format!("{whole}{}", &json(&line("run", &cases[3], &Ok(answer("yes"))))[..40]))
            .expect("written");
        let results = Results::open(&file, "run", false).expect("opened again");
        let known = keys.each_ref().map(|key| results.known(key, false).map(|known| known.answer.as_str()));
        // the failed case and the torn one are asked again
        assert_eq!(known, [Some("yes"), None, Some("no"), None]);
        assert_eq!(results.known(&keys[0], true), None, "the blind answer is another one");
        assert_eq!(std::fs::read_to_string(&file).expect("read").lines().count(), 2);
        // an evaluation of fewer cases keeps the answers to the others
        results.finish(vec![line("run", &cases[0], &Ok(answer("yes")))]).expect("written");
        assert_eq!(Results::open(&file, "run", false).expect("opened again").count(), 2);
    }

    #[test]
    fn answers_of_another_run_are_not_taken_or_lost() {
        let folder = tempfile::tempdir().expect("temp");
        let file = folder.path().join("details.jsonl");
        let mut results = Results::open(&file, "one", false).expect("made");
        results.add(&line("one", &case("q?"), &Ok(answer("yes")))).expect("added");
        drop(results);
        let before = std::fs::read(&file).expect("read");
        let refused = Results::open(&file, "two", false).expect_err("another run").message;
        assert!(refused.ends_with(":1: this answer is of another dialogue, cast, model or seed"), "{refused}");
        assert_eq!(std::fs::read(&file).expect("read"), before, "nothing is lost");
        assert_eq!(Results::open(&file, "two", true).expect("replaced").count(), 0);
        std::fs::write(&file, "my notes\n").expect("written");
        let refused = Results::open(&file, "one", false).expect_err("no results").message;
        assert!(refused.ends_with(":1: this is not an answer that `eval` wrote"), "{refused}");
    }

    #[test]
    fn a_replaced_file_makes_another_case() {
        let folder = tempfile::tempdir().expect("temp");
        let case: Case = serde_json::from_value(json!({ "answer": "yes", "video": "a.mp4" })).expect("a case");
        std::fs::write(folder.path().join("a.mp4"), "one").expect("written");
        let before = key(&case, folder.path());
        assert_eq!(key(&case, folder.path()), before);
        std::fs::write(folder.path().join("a.mp4"), "another").expect("written");
        assert_ne!(key(&case, folder.path()), before);
    }
}
