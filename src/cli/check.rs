//! `elenchus check FILE…`

use super::{
    Exit, describe,
    out::Out,
    settings::{Settings, report},
    source,
};
use crate::{
    agent::spec,
    error::Fault,
    hub::Catalogue,
    plan::{CompileOptions, Plan, Problem, Severity},
    problem::Pos,
};
use std::collections::BTreeSet;

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus check examples/*.yaml
  elenchus check mine.yaml --json        # [{code, severity, file, line, column, message, hint}, …]

Checking loads no model, opens no video and contacts no server. The exit code is 2 if a file has a problem.")]
pub(crate) struct Args {
    /// Dialogues: files, `-` for standard input, or names
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Check with the agents of casts/NAME.yaml
    #[arg(long, value_name = "NAME")]
    cast: Option<String>,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let options = CompileOptions { cast: self.cast.clone(), ..CompileOptions::default() };
        let mut all = Vec::new();
        for file in &self.files {
            match self.one(file, &options, out, settings) {
                Ok(problems) => all.extend(problems),
                // the other files are still checked if one cannot be read
                Err(fault) => {
                    if !out.json {
                        out.failure(&fault);
                    }
                    let start = Pos { line: 1, column: 1 };
                    all.push(Problem::new("unreadable", file, start, fault.to_string(), fault.hint));
                }
            }
        }
        if out.json {
            out.value(&all)?;
        }
        let errors = all.iter().filter(|problem| problem.severity == Severity::Error).count();
        if errors == 0 {
            return Ok(Exit::Answered);
        }
        out.note(format!("{errors} problem{} found", if errors == 1 { "" } else { "s" }));
        Ok(Exit::Refused)
    }

    /// The problems of one file; they are printed unless the output is JSON.
    fn one(&self, file: &str, options: &CompileOptions, out: &Out, settings: &Settings) -> Result<Vec<Problem>, Fault> {
        let source = source::find(file, settings, settings.network(false))?;
        if !out.json {
            source.check_cast(self.cast.as_deref())?;
        }
        let compiled = source.plan(options);
        report(&source.catalogue.verdicts, out)?;
        match compiled {
            Ok(plan) => {
                let warnings: Vec<Problem> =
                    plan.warnings.iter().cloned().chain(refused(&plan, &source.catalogue)).collect();
                source::show(&source, &warnings, out);
                if !out.json {
                    plan.notes.iter().for_each(|note| out.note(format_args!("note: {note}")));
                    let takes = Some(describe::inputs_brief(&plan)).filter(|takes| !takes.is_empty());
                    out.note(format!("{file}: ok{}", takes.map(|takes| format!(" ({takes})")).unwrap_or_default()));
                }
                Ok(warnings)
            }
            Err(problems) => {
                source::show(&source, &problems, out);
                Ok(problems)
            }
        }
    }
}

/// A warning for each agent that a run would refuse, because its project is not trusted.
fn refused(plan: &Plan, catalogue: &Catalogue) -> Vec<Problem> {
    let agents: BTreeSet<&str> = plan.roles.values().map(|role| role.agent.as_str()).collect();
    let warning = |name| {
        let (file, why) = spec::refusal(name, catalogue)?;
        let start = Pos { line: 1, column: 1 };
        Some(Problem { severity: Severity::Warning, ..Problem::new("untrusted", &file, start, why.message, why.hint) })
    };
    agents.into_iter().filter_map(warning).collect()
}
