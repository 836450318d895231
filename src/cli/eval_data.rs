//! The cases of `elenchus eval`: files of cases, benchmarks in local folders, and answers that were given elsewhere.

use crate::{
    error::Fault,
    eval::{
        BENCHMARKS, Case, CaseAnswer, Wanted,
        answered::{KEPT, Ranking, is_right},
        markdown::Source,
        readers,
    },
    files,
    session::inputs,
};
use indexmap::IndexMap;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// The cases of one `--data`.
pub(crate) struct Loaded {
    /// The file of cases, or `NAME:DIR`, as given.
    pub place: String,
    /// The folder where relative paths start.
    pub folder: PathBuf,
    /// The cases, each with its line or number.
    pub cases: Vec<(usize, Case)>,
    /// What a report says about them.
    pub source: Source,
    /// The usual metrics.
    pub metrics: Vec<&'static str>,
    /// True for a benchmark.
    pub is_benchmark: bool,
}

/// The cases of one `--data`. Fails before any run if they cannot be read.
pub(crate) fn load(data: &Path, wanted: &Wanted, limit: Option<usize>) -> Result<Loaded, Fault> {
    let limit = limit.unwrap_or(usize::MAX);
    let place = data.display().to_string();
    let Some((benchmark, folder)) = data.to_str().and_then(readers::named) else {
        return from_file(data, place, limit);
    };
    let dataset = (benchmark.read)(&Wanted { folder: folder.clone(), ..wanted.clone() })?;
    let cases: Vec<(usize, Case)> =
        dataset.cases.into_iter().take(limit).enumerate().map(|(n, c)| (n + 1, c)).collect();
    let source = Source {
        data: place.clone(),
        cases: cases.len(),
        facts: dataset.facts,
        missing: dataset.missing.line(&folder),
    };
    // its paths are whole already
    Ok(Loaded { place, folder: PathBuf::new(), cases, source, metrics: dataset.metrics, is_benchmark: true })
}

fn from_file(file: &Path, place: String, limit: usize) -> Result<Loaded, Fault> {
    let cases = read(file, limit)?;
    let metrics = if cases.iter().any(|(_, case)| !case.options.is_empty()) { "choice" } else { "exact_match" };
    let source = Source { data: place.clone(), cases: cases.len(), facts: IndexMap::new(), missing: None };
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    Ok(Loaded { place, folder, cases, source, metrics: vec![metrics], is_benchmark: false })
}

/// The cases with their line numbers. Fails if a line is not a case.
fn read(file: &Path, limit: usize) -> Result<Vec<(usize, Case)>, Fault> {
    let text = files::read_given(file, files::MAX_INPUT_BYTES).map_err(|e| {
        let fault = Fault::refused(format!("{} cannot be read: {e}", file.display()));
        let names = || BENCHMARKS.iter().map(|benchmark| benchmark.name).collect::<Vec<_>>().join(", ");
        match file.to_str().is_some_and(|text| text.contains(':')) {
            true => fault.hint(format!("a benchmark is NAME:DIR; the names are {}", names())),
            false => fault,
        }
    })?;
    let parse = |(line, case): (usize, Result<Case, String>)| {
        case.map(|case| (line, case))
            .map_err(|e| Fault::refused(format!("{}:{line}: this is not a case: {e}", file.display())))
    };
    let cases: Vec<_> = inputs::json_lines(&text).take(limit).map(parse).collect::<Result<_, _>>()?;
    if cases.is_empty() {
        return Err(Fault::refused(format!("{} contains no cases", file.display())));
    }
    Ok(cases)
}

/// The answers of a file, for the cases in order. A line belongs to the case of its `id`, else to the case of its place.
/// A `ranking` may be a list of candidates, best first.
pub(crate) fn answers(file: &Path, cases: &[&Case]) -> Result<Vec<Result<CaseAnswer, String>>, Fault> {
    let text = files::read_given(file, files::MAX_INPUT_BYTES)
        .map_err(|e| Fault::refused(format!("{} cannot be read: {e}", file.display())))?;
    let wrong = |line: usize, what: &str| Fault::refused(format!("{}:{line}: {what}", file.display()));
    let mut lines: Vec<(usize, Json)> = Vec::new();
    for (line, parsed) in inputs::json_lines::<Json>(&text) {
        let json = parsed.map_err(|what| wrong(line, &what))?;
        // a file of results has blind answers too
        if json["blind"] != true {
            lines.push((line, json));
        }
    }
    let ids: IndexMap<String, usize> = cases
        .iter()
        .enumerate()
        .filter(|(_, case)| !case.id.is_empty())
        .map(|(at, case)| (case.id.clone(), at))
        .collect();
    let by_id = ids.len() == cases.len() && lines.iter().all(|(_, json)| !json["id"].is_null());
    if !by_id && lines.len() != cases.len() {
        let fault = Fault::refused(format!(
            "{} has {} answers, but there are {} cases",
            file.display(),
            lines.len(),
            cases.len()
        ));
        return Err(fault.hint("give one line for each case in order, or an `id` on each line and in each case"));
    }
    let mut found: Vec<Result<CaseAnswer, String>> = vec![Err("the file has no answer to it".to_owned()); cases.len()];
    for (place, (line, json)) in lines.into_iter().enumerate() {
        let id = json["id"].as_str().map_or_else(|| json["id"].to_string(), str::to_owned);
        // an answer to a case that --limit left out
        let Some(at) = (if by_id { ids.get(&id).copied() } else { Some(place) }) else { continue };
        found[at] = match json["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer(json, cases[at]).map_err(|what| wrong(line, &what))?),
        };
    }
    Ok(found)
}

fn answer(mut json: Json, case: &Case) -> Result<CaseAnswer, String> {
    if let Some(items) = json["ranking"].as_array().cloned() {
        let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        let texts = texts.ok_or("`ranking` is not a list of texts")?;
        let first = texts.first().cloned().ok_or("`ranking` is empty")?;
        let place = texts.iter().position(|text| is_right(case, text));
        let ranking =
            Ranking { place: place.map(|at| at + 1), of: texts.len(), best: texts.into_iter().take(KEPT).collect() };
        json["ranking"] = serde_json::to_value(ranking).map_err(|e| e.to_string())?;
        if json["answer"].is_null() {
            json["answer"] = Json::from(first);
        }
    }
    serde_json::from_value(json).map_err(|e| format!("this is not an answer: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_case_is_reported_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("cases.jsonl");
        let check = |text: &str, expected: &str| {
            std::fs::write(&file, text).expect("written");
            match read(&file, usize::MAX) {
                Ok(cases) => assert_eq!(format!("{} cases", cases.len()), expected, "{text}"),
                Err(failure) => {
                    let place = file.display().to_string();
                    assert_eq!(failure.message.replace(&place, "FILE"), expected, "{text}");
                }
            }
        };
        check("\u{feff}{\"answer\": \"a\"}\r\n\r\n{\"answer\": \"b\"}\r\n", "2 cases");
        check("", "FILE contains no cases");
        check(
            "{\"answer\": \"a\"}\n{\"answer\": \"b\"",
            "FILE:2: this is not a case: EOF while parsing an object (column 14)",
        );
        let wanted = "expected a JSON object with an `answer` and the dialogue's inputs";
        check("[1]", &format!("FILE:1: this is not a case: invalid type: sequence, {wanted}"));
        check(
            "{\"answer\": [\"a\"]}",
            "FILE:1: this is not a case: `answer` is a list; several right answers go into `answers`",
        );
        check("{\"answer\": 3}", "FILE:1: this is not a case: `answer` is not a text");
        check("{\"question\": \"why?\"}", "FILE:1: this is not a case: missing field `answer`");
        check(
            "{\"answer\": \"a\", \"choices\": [\"b\", \"c\"]}",
            "FILE:1: this is not a case: no text of `choices` is the `answer`",
        );
    }

    #[test]
    fn answers_belong_to_cases_by_name_or_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("answers.jsonl");
        let case = |json: &str| serde_json::from_str::<Case>(json).expect("a case");
        let check = |cases: &[Case], text: &str, expected: &[&str]| {
            std::fs::write(&file, text).expect("written");
            let found = match answers(&file, &cases.iter().collect::<Vec<_>>()) {
                Ok(found) => found.into_iter().map(|one| one.map_or_else(|e| e, |one| one.answer)).collect(),
                Err(fault) => vec![fault.message.replace(&file.display().to_string(), "FILE")],
            };
            assert_eq!(found, expected, "{text}");
        };
        let plain = [case(r#"{"answer": "a"}"#), case(r#"{"answer": "b"}"#)];
        check(&plain, "{\"answer\": \"x\"}\n{\"answer\": \"y\"}\n", &["x", "y"]);
        check(&plain, "{\"answer\": \"x\"}\n", &["FILE has 1 answers, but there are 2 cases"]);
        check(
            &plain,
            "{\"answer\": \"x\"}\n{\"text\": 1}\n",
            &["FILE:2: this is not an answer: missing field `answer`"],
        );
        let named = [case(r#"{"id": 1, "answer": "a"}"#), case(r#"{"id": "b", "answer": "b"}"#)];
        check(&named, "{\"id\": \"b\", \"answer\": \"y\"}\n{\"id\": 1, \"answer\": \"x\"}\n", &["x", "y"]);
        check(&named, "{\"id\": \"b\", \"ranking\": [\"c\", \"b\"]}\n", &["the file has no answer to it", "c"]);
    }
}
