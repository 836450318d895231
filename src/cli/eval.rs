//! `elenchus eval DIALOGUE --data cases.jsonl`

use super::{
    Exit,
    common::RunArgs,
    out::Out,
    session::{CliSession, block_on},
    settings::Settings,
};
use crate::{
    error::{Fault, FaultKind},
    files,
    run::{
        Cancel,
        eval::{Case, Metric, ScoredCase, summary},
    },
    session::inputs,
};
use indexmap::IndexMap;
use std::path::{Path, PathBuf};

/// The arguments of `eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus eval examples/video_qa.yaml --data day/cases.jsonl --json
  elenchus eval log_qa --data day/cases.jsonl --metric contains --details answers.jsonl
  elenchus eval place --data monday/places.jsonl tuesday/places.jsonl --metric accuracy
  elenchus eval transcript --data day/transcript.jsonl --metric wer

A case is a line of JSON. It has an `answer` (or several `answers`, of which the best match counts), an optional `kind`, and one field \
for each input of the dialogue. With the kind `unanswerable`, an abstention is right. Paths are relative to the file of cases. `wer` is the \
number of word errors in all cases, divided by the number of reference words. A case whose run fails is reported and not scored.")]
pub(crate) struct Args {
    /// A dialogue: a file or a name
    dialogue: String,
    /// Files of cases, one JSON object a line; several files make one evaluation
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Comparison of answers: exact_match (ignores case, punctuation and articles), contains, accuracy (every
    /// character), or wer (word error rate)
    #[arg(long, value_name = "METRIC", default_value = "exact_match", value_parser = metric)]
    metric: Metric,
    /// Use only the first N cases of each file
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Write every case with its answer and score to this file (JSONL)
    #[arg(long, value_name = "FILE")]
    details: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

fn metric(text: &str) -> Result<Metric, String> {
    let names = || Metric::ALL.map(Metric::name).join(", ");
    Metric::ALL.into_iter().find(|m| m.name() == text).ok_or_else(|| format!("expected one of {}", names()))
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        if self.run.record.is_some() {
            return Err(Fault::refused("--record keeps one run, but an evaluation has many")
                .hint("--details keeps every answer"));
        }
        let mut cases = Vec::new();
        for file in &self.data {
            cases.extend(read(file, self.limit)?.into_iter().map(|(line, case)| (file.as_path(), line, case)));
        }
        let scored = block_on(|cancel| self.cases(&cases, out, settings, cancel))?;
        if let Some(file) = &self.details {
            let lines: String = scored
                .iter()
                .map(|s| serde_json::to_string(s).expect("scores serialise: this is a bug") + "\n")
                .collect();
            std::fs::write(file, lines).map_err(|e| Fault::failed(format!("{}: {e}", file.display())))?;
        }
        let figures = summary(&scored, self.metric);
        if out.json {
            out.value(&figures)?
        } else {
            out.text(table(&figures, self.metric))?
        }
        let failed = scored.iter().filter(|s| s.error.is_some()).count();
        if failed > 0 {
            out.note(format_args!("{failed} of {} cases failed to run; they are not scored", scored.len()));
        }
        Ok(if failed > 0 { Exit::Failed } else { Exit::Answered })
    }

    async fn cases(
        &self,
        cases: &[(&Path, usize, Case)],
        out: &Out,
        settings: &Settings,
        cancel: Cancel,
    ) -> Result<Vec<ScoredCase>, Fault> {
        // the bars of single runs would flicker
        let session = CliSession::open_with(&self.dialogue, &self.run, out, settings, cancel, false)?.without_bars();
        let inputs = &session.plan().inputs;
        if !inputs.contains_key("question") && cases.iter().all(|(_, _, case)| case.fields.contains_key("question")) {
            out.note(format_args!(
                "warning: the cases ask a `question`, which {} does not take; its inputs: {}",
                session.plan().name,
                inputs.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
            ));
        }
        let bar = indicatif::ProgressBar::new(cases.len() as u64);
        if !out.bars() {
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        let (mut scored, mut opened) = (Vec::new(), inputs::Opened::default());
        for (n, (file, line, case)) in cases.iter().enumerate() {
            let folder = file.parent().unwrap_or(Path::new(""));
            let bound = inputs::from_case(session.plan(), &case.fields, folder, session.access(), &mut opened).await;
            let outcome = match bound {
                Ok(bound) => session.run(bound, &self.run, None).await,
                Err(failure) => Err(failure),
            };
            let outcome = match outcome {
                // these faults would stop every case
                Err(fault) if matches!(fault.kind, FaultKind::Cancelled | FaultKind::Model) => return Err(fault),
                Err(fault) => Err(fault.to_string()),
                Ok(outcome) => Ok((outcome.answer, outcome.abstained)),
            };
            scored.push(ScoredCase::new((&file.display().to_string(), *line), case, self.metric, outcome));
            bar.inc(1);
            if !out.bars() && (n + 1) % 10 == 0 {
                out.note(format_args!("{} of {} cases", n + 1, cases.len()));
            }
        }
        bar.finish_and_clear();
        Ok(scored)
    }
}

/// The cases with their line numbers. Fails if a line is not a case, before the first run.
fn read(file: &Path, limit: Option<usize>) -> Result<Vec<(usize, Case)>, Fault> {
    let text = files::read_given(file, files::MAX_INPUT_BYTES)
        .map_err(|e| Fault::refused(format!("{} cannot be read: {e}", file.display())))?;
    let parse = |(line, case): (usize, Result<Case, String>)| {
        case.map(|case| (line, case))
            .map_err(|e| Fault::refused(format!("{}:{line}: this is not a case: {e}", file.display())))
    };
    let cases: Vec<_> =
        inputs::json_lines(&text).take(limit.unwrap_or(usize::MAX)).map(parse).collect::<Result<_, _>>()?;
    if cases.is_empty() {
        return Err(Fault::refused(format!("{} contains no cases", file.display())));
    }
    Ok(cases)
}

/// The figures as a table.
fn table(figures: &serde_json::Value, metric: Metric) -> String {
    let name = metric.name();
    let figure = |value: &serde_json::Value| value.as_f64().map_or("–".to_owned(), |f| format!("{:.1} %", f * 100.0));
    let mut text = format!("{:24} {:>5}  {:>11}\n", "kind", "cases", name);
    for (kind, row) in figures["kinds"].as_object().into_iter().flatten() {
        text += &format!("{kind:24} {:>5}  {:>11}\n", row["n"], figure(&row[name]));
    }
    text += &format!("{:24} {:>5}  {:>11}\n", "all", figures["scored"], figure(&figures[name]));
    text += &format!("{:24} {:>5}  {:>11}\n", "unanswerable, refused", "", figure(&figures["refused_unanswerable"]));
    text += &format!("{:24} {:>5}  {:>11}\n", "answerable, answered", "", figure(&figures["answered_answerable"]));
    // one mistake in a dialogue fails every case with the same message, so equal messages are printed once
    let mut errors: IndexMap<&str, Vec<String>> = IndexMap::new();
    for error in figures["errors"].as_array().into_iter().flatten() {
        let place = format!("{}:{}", error["file"].as_str().unwrap_or_default(), error["line"]);
        errors.entry(error["message"].as_str().unwrap_or_default()).or_default().push(place);
    }
    for (message, places) in errors {
        let more = if places.len() > 1 { format!(" (and {} more)", places.len() - 1) } else { String::new() };
        text += &format!("{}: {message}{more}\n", places[0]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_errors_are_printed_once() {
        let error =
            |line: usize, message: &str| serde_json::json!({ "file": "a.jsonl", "line": line, "message": message });
        let figures = serde_json::json!({ "n": 3, "scored": 0, "kinds": {}, "errors": [error(1, "no video"), error(2, "no log"), error(3, "no video")] });
        let table = table(&figures, Metric::ExactMatch);
        let errors: Vec<&str> = table.lines().filter(|line| line.starts_with("a.jsonl")).collect();
        assert_eq!(errors, ["a.jsonl:1: no video (and 1 more)", "a.jsonl:2: no log"]);
    }

    #[test]
    fn an_invalid_case_is_reported_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("cases.jsonl");
        let check = |text: &str, expected: &str| {
            std::fs::write(&file, text).expect("written");
            match read(&file, None) {
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
    }
}
