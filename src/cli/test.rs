//! `elenchus test FILE…`

use super::{Exit, out::Out, settings::Settings, source};
use crate::error::Fault;
use crate::{dialogue, plan::CompileOptions, run::run_tests};
use serde_json::json;

/// The arguments of `test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  elenchus test examples/*.yaml

The command runs the `tests:` of each dialogue with scripted replies, without a model or video. The exit code is 1 if a test fails.")]
pub(crate) struct Args {
    /// Dialogues: files, `-` for standard input, or names
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let (mut passed, mut failed, mut rows) = (0, 0, Vec::new());
        for file in &self.files {
            let source = source::find(file, settings, settings.network(false))?;
            let plan = source::compile(&source, &CompileOptions::default(), out)?;
            let written = dialogue::load(&source.text, &source.file).map_err(|problems| {
                source::show(&source, &problems, out);
                Fault::refused(format!("{file} cannot be read"))
            })?;
            let tests = written.written.tests.unwrap_or_default();
            if tests.is_empty() {
                out.note(format_args!("{file}: no tests"));
            }
            for result in run_tests(&plan, &tests) {
                if result.passed {
                    passed += 1
                } else {
                    failed += 1
                }
                if out.json {
                    rows.push(json!({ "file": file, "result": result }));
                    continue;
                }
                let word = if result.passed { "ok" } else { "FAILED" };
                out.text(format_args!("{file}: {} … {word}", result.name))?;
                for difference in &result.differences {
                    out.text(format_args!("    {difference}"))?;
                }
            }
        }
        if out.json {
            out.value(&json!({ "passed": passed, "failed": failed, "tests": rows }))?;
        } else {
            out.text(format_args!("{passed} passed, {failed} failed"))?;
        }
        Ok(if failed == 0 { Exit::Answered } else { Exit::Failed })
    }
}
