//! `elenchus eval DIALOGUE --data cases.jsonl`, or `--data msrvtt:DIR`

use super::{
    Exit,
    common::RunArgs,
    eval_data::{self, Loaded},
    eval_tell::{Asked, GivenAnswer, Telling},
    out::Out,
    session::{CliSession, block_on},
    settings::Settings,
};
use crate::{
    error::{Fault, FaultKind},
    eval::{
        BENCHMARKS, Case, CaseAnswer, Measure, Resampling, Wanted,
        blind::{Blanks, way},
        metrics::{METRICS, named},
        results::{ResultLine, Results, key},
        text::WordSplit,
    },
    run::Cancel,
    session::inputs,
};
use indexmap::IndexMap;
use serde_json::json;
use std::{path::PathBuf, sync::Arc};

/// The arguments of `eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = help())]
pub(crate) struct Args {
    /// A dialogue: a file or a name
    #[arg(required_unless_present = "answers", conflicts_with = "answers")]
    dialogue: Option<String>,
    /// Files of cases, one JSON object a line, or benchmarks in local folders (NAME:DIR); several make one evaluation
    #[arg(long, value_name = "CASES", required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Metrics, separated by commas [default: those of the benchmark; exact_match or choice for files of cases]
    #[arg(long, value_name = "METRIC", value_delimiter = ',', value_parser = metric)]
    metric: Vec<String>,
    /// The split of a benchmark
    #[arg(long, value_name = "SPLIT")]
    split: Option<String>,
    /// The task of a benchmark that has several [default: the one that the dialogue's inputs fit]
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Captions for each video of msrvtt [default: all; 1 for 1k-A]
    #[arg(long, value_name = "N")]
    captions: Option<usize>,
    /// Use only the first N cases of each file or benchmark
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Keep every answer with its scores in this file (JSONL). An evaluation that was stopped goes on with the rest
    #[arg(long, value_name = "FILE")]
    details: Option<PathBuf>,
    /// Write the figures as Markdown to this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write how often answers are right, by what they rest on, to this file: as calibrations/CAST.json it gives answers a confidence
    #[arg(long, value_name = "FILE")]
    calibrate: Option<PathBuf>,
    /// Ask everything a second time with blank media and empty logs, to see what can be guessed
    #[arg(long, conflicts_with = "answers")]
    blind: bool,
    /// Score the answers in this file (JSONL) instead of running a dialogue
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// How captions become words: ptb (as the Penn Treebank tokenizer, without punctuation) or spaces
    #[arg(long, value_name = "HOW", default_value = "ptb", value_parser = word_split)]
    tokens: WordSplit,
    /// Bootstrap resamples for the 95 % intervals; 0 gives none
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=100_000))]
    resamples: u32,
    #[command(flatten)]
    run: RunArgs,
}

fn help() -> String {
    let row = |name: &str, about: &str| format!("  {name:20} {about}\n");
    let metrics: String = METRICS.iter().map(|metric| row(metric.name, metric.about)).collect();
    let benchmarks: String =
        BENCHMARKS.iter().map(|benchmark| row(benchmark.name, benchmark.about) + &row("", benchmark.layout)).collect();
    format!(
        "\
Examples:
  elenchus eval examples/video_qa.yaml --data day/cases.jsonl --json
  elenchus eval log_qa --data day/cases.jsonl --metric contains,evidence_hit_rate --details answers.jsonl
  elenchus eval place --data monday/places.jsonl tuesday/places.jsonl --metric accuracy
  elenchus eval transcript --data day/transcript.jsonl --metric wer
  elenchus eval examples/video_to_text.yaml --data msrvtt:DIR --split 1k-A --report report.md
  elenchus eval --answers answers.jsonl --data cases.jsonl --metric bleu,rouge_l,cider_d
  elenchus eval log_qa --data days/*/cases.jsonl --calibrate calibrations/mine.json

A case is a line of JSON. It has an `answer` (or several `answers`, of which the best match counts), an optional `kind`, and one field \
for each input of the dialogue. With the kind `unanswerable`, an abstention is right. `choices` are the options of a question, and `moments` \
([{{\"start\", \"end\"}}]) what shows its answer. Paths are relative to the file of cases. A ranking is an answer that is a list of \
{{text, score}} or {{video, score}}, best first. A case whose run fails is reported and not scored. A missing file of a benchmark is \
reported, and its cases are left out.

Metrics:
{metrics}
Benchmarks (docs/eval.md says more):
{benchmarks}"
    )
}

/// True if each score of a metric is 1 for a right answer and 0 for a wrong one.
fn says_right(metric: &str) -> bool {
    matches!(metric, "exact_match" | "contains" | "choice" | "accuracy")
}

fn metric(text: &str) -> Result<String, String> {
    named(text, WordSplit::default()).map(|_| text.to_owned())
}

fn word_split(text: &str) -> Result<WordSplit, String> {
    match text {
        "ptb" => Ok(WordSplit::Ptb),
        "spaces" => Ok(WordSplit::Spaces),
        _ => Err("expected ptb or spaces".to_owned()),
    }
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        if self.run.record.is_some() {
            return Err(Fault::refused("--record keeps one run, but an evaluation has many")
                .hint("--details keeps every answer"));
        }
        let (loaded, asked) = match &self.answers {
            Some(file) => {
                let loaded = self.load(&[], out)?;
                let cases: Vec<&Case> = loaded.iter().flat_map(|one| &one.cases).map(|(_, case)| case).collect();
                let answers = eval_data::answers(file, &cases)?;
                let asked = Asked {
                    dialogue: None,
                    answering: None,
                    players: Vec::new(),
                    run: "given".to_owned(),
                    answers,
                    blind: None,
                    blind_note: None,
                    results: None,
                };
                (loaded, asked)
            }
            None => block_on(|cancel| self.ask(out, settings, cancel))?,
        };
        let metrics = self.metrics(&loaded)?;
        if self.calibrate.is_some() && !metrics.first().is_some_and(|metric| says_right(&metric.name())) {
            let why = "--calibrate needs a first metric that says right or wrong";
            return Err(Fault::refused(why).hint("for example --metric exact_match, contains, choice or accuracy"));
        }
        let telling = Telling {
            metrics: &metrics,
            resampling: Resampling { samples: self.resamples as usize, seed: self.run.seed },
            details: self.details.as_deref(),
            report: self.report.as_deref(),
            calibrate: self.calibrate.as_deref(),
        };
        telling.tell(&loaded, asked, out)
    }

    /// The cases of all `--data`. Prints what is missing.
    fn load(&self, inputs: &[String], out: &Out) -> Result<Vec<Loaded>, Fault> {
        let wanted = Wanted {
            folder: PathBuf::new(),
            split: self.split.clone(),
            task: self.task.clone(),
            captions: self.captions,
            inputs: inputs.to_vec(),
        };
        let loaded: Vec<Loaded> =
            self.data.iter().map(|data| eval_data::load(data, &wanted, self.limit)).collect::<Result<_, _>>()?;
        let given = [
            ("--split", self.split.is_some()),
            ("--task", self.task.is_some()),
            ("--captions", self.captions.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given && loaded.iter().all(|one| !one.is_benchmark)) {
            Some((flag, _)) => {
                Err(Fault::refused(format!("{flag} is for benchmarks, and --data names only files of cases")))
            }
            None => {
                let missing = loaded.iter().filter_map(|one| one.source.missing.as_ref());
                missing.for_each(|missing| out.note(format_args!("warning: {missing}")));
                Ok(loaded)
            }
        }
    }

    /// Runs the dialogue on all cases.
    async fn ask(&self, out: &Out, settings: &Settings, cancel: Cancel) -> Result<(Vec<Loaded>, Asked), Fault> {
        let Some(dialogue) = &self.dialogue else { return Err(Fault::refused("no dialogue is named")) };
        // the bars of single runs would flicker
        let session = CliSession::open_with(dialogue, &self.run, out, settings, cancel, false)?.without_bars();
        let names: Vec<String> = session.plan().inputs.keys().cloned().collect();
        let mut loaded = self.load(&names, out)?;
        fit(&mut loaded, &session, out)?;
        let run = session.digest(&self.run).await?;
        let mut results = match &self.details {
            Some(file) => Some(Results::open(file, &run, self.run.fresh)?),
            None => None,
        };
        if let Some(known) = results.as_ref().map(Results::count).filter(|known| *known > 0) {
            out.note(format_args!("{known} of the answers are known from an earlier start"));
        }
        let first = loaded.iter().flat_map(|one| &one.cases).map(|(_, case)| case).next();
        let (blanks, blind_note) = match (self.blind, first) {
            (true, Some(case)) => {
                let blanks = Blanks::new()?;
                match way(session.plan(), case, &blanks.fields(session.plan(), case)) {
                    Err(why) => (None, Some(format!("not measured: {why}"))),
                    Ok(how) => (Some(blanks), Some(how.to_owned())),
                }
            }
            _ => (None, None),
        };
        if let (None, Some(note)) = (&blanks, &blind_note) {
            out.note(format_args!("the blind row is {note}"));
        }
        let answers = self.pass(&loaded, &session, None, &run, &mut results, out).await?;
        let blind = match &blanks {
            Some(blanks) => Some(self.pass(&loaded, &session, Some(blanks), &run, &mut results, out).await?),
            None => None,
        };
        let asked = Asked {
            dialogue: Some(session.plan().name.clone()),
            answering: session.answering(),
            players: session.players(),
            run,
            answers,
            blind,
            blind_note,
            results,
        };
        Ok((loaded, asked))
    }

    /// Asks all cases once. An answer that the file of results has is not asked for again.
    async fn pass(
        &self,
        loaded: &[Loaded],
        session: &CliSession,
        blanks: Option<&Blanks>,
        run: &str,
        results: &mut Option<Results>,
        out: &Out,
    ) -> Result<Vec<GivenAnswer>, Fault> {
        let total: usize = loaded.iter().map(|one| one.cases.len()).sum();
        let bar = indicatif::ProgressBar::new(total as u64);
        if !out.bars() {
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        let (mut answers, mut opened, mut asked) = (Vec::with_capacity(total), inputs::Opened::default(), 0);
        for (one, (line, case)) in loaded.iter().flat_map(|one| one.cases.iter().map(move |case| (one, case))) {
            bar.inc(1);
            let key = results.as_ref().map(|_| key(case, &one.folder)).unwrap_or_default();
            if let Some(known) = results.as_ref().and_then(|results| results.known(&key, blanks.is_some())) {
                answers.push(Ok(known.clone()));
                continue;
            }
            let changed = blanks.map(|blanks| blanks.fields(session.plan(), case)).unwrap_or_default();
            let field = |name: &str| changed.get(name).or_else(|| case.field(name));
            let given = inputs::Given { field: &field, folder: &one.folder, until: &case.until };
            let bound = inputs::from_case(session.plan(), &given, session.access(), &mut opened).await;
            let outcome = match bound {
                Ok(bound) => session.run(bound, &self.run, None).await,
                Err(failure) => Err(failure),
            };
            let outcome = match outcome {
                // these faults would stop every case
                Err(fault) if matches!(fault.kind, FaultKind::Cancelled | FaultKind::Model) => return Err(fault),
                Err(fault) => Err(fault.to_string()),
                Ok(outcome) => Ok(CaseAnswer::of(&outcome, case)),
            };
            if let Some(results) = results {
                results.add(&ResultLine::new(run, key, case, (&one.place, *line), blanks.is_some(), &outcome))?;
            }
            answers.push(outcome);
            asked += 1;
            if !out.bars() && asked % 10 == 0 {
                out.note(format_args!("{} of {total} cases", answers.len()));
            }
        }
        bar.finish_and_clear();
        Ok(answers)
    }

    /// The metrics that the user names, or the usual ones of the data.
    fn metrics(&self, loaded: &[Loaded]) -> Result<Vec<Arc<dyn Measure>>, Fault> {
        let usual = || loaded.iter().flat_map(|one| one.metrics.iter().map(|name| (*name).to_owned())).collect();
        let names: Vec<String> = if self.metric.is_empty() { usual() } else { self.metric.clone() };
        let mut metrics: IndexMap<String, Arc<dyn Measure>> = IndexMap::new();
        for name in names {
            for metric in named(&name, self.tokens).map_err(Fault::refused)? {
                metrics.entry(metric.name()).or_insert(metric);
            }
        }
        Ok(metrics.into_values().collect())
    }
}

/// Fits the cases to the dialogue: options go into the question of a dialogue that takes no `choices`. Fails if a
/// benchmark lacks an input that the dialogue needs, and warns of a question that it does not take.
fn fit(loaded: &mut [Loaded], session: &CliSession, out: &Out) -> Result<(), Fault> {
    let inputs = &session.plan().inputs;
    let names = || inputs.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let name = &session.plan().name;
    for one in loaded.iter().filter(|one| one.is_benchmark) {
        let Some((_, case)) = one.cases.first() else { continue };
        let lacking = inputs.iter().find(|(name, input)| input.default.is_none() && case.field(name).is_none());
        if let Some((lacking, _)) = lacking {
            let given = case.all_fields().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let fault = Fault::refused(format!("{} gives {given}, but {name} needs `{lacking}` too", one.place));
            return Err(fault.hint(format!("the inputs of {name}: {}", names())));
        }
    }
    let mut cases = loaded.iter().flat_map(|one| &one.cases).map(|(_, case)| case).peekable();
    let asks = cases.peek().is_some() && cases.all(|case| case.field("question").is_some());
    if asks && !inputs.contains_key("question") {
        out.note(format_args!(
            "warning: the cases ask a `question`, which {name} does not take; its inputs: {}",
            names()
        ));
    }
    if inputs.contains_key("choices") || !inputs.contains_key("question") {
        return Ok(());
    }
    let mut changed = false;
    for (_, case) in loaded.iter_mut().flat_map(|one| &mut one.cases).filter(|(_, case)| !case.options.is_empty()) {
        let letters = ('A'..='Z').zip(&case.options).map(|(letter, option)| format!("\n{letter}. {}", option.text));
        let question = case.question().to_owned() + &letters.collect::<String>();
        case.fields.insert("question".to_owned(), json!(question));
        changed = true;
    }
    if changed {
        out.note(format_args!("{name} takes no `choices`, so they follow the question"));
    }
    Ok(())
}
