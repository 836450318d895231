//! Tells what came of an evaluation: figures on stdout, the file of results, the report.

use super::{Exit, eval_data::Loaded, eval_table::table, out::Out};
use crate::{
    error::Fault,
    eval::{
        Case, CaseAnswer, Figures, Measure, Resampling,
        calibration::{self, Judged},
        figures::{self, CaseOutcome, scores},
        markdown::{self, Page, Source},
        results::{ResultLine, Results, key},
    },
    session::cast::Player,
};
use indexmap::IndexMap;
use serde_json::{Value as Json, json};
use std::{path::Path, sync::Arc};

/// A case with its place.
#[derive(Clone, Copy)]
struct Place<'a> {
    of: &'a Loaded,
    line: usize,
    case: &'a Case,
}

/// The answer to a case, or the reason why its run failed.
pub(crate) type GivenAnswer = Result<CaseAnswer, String>;

/// What came of all cases.
pub(crate) struct Asked {
    /// The dialogue; none for given answers.
    pub dialogue: Option<String>,
    /// Who words the answers.
    pub answering: Option<Player>,
    /// The agents of all roles.
    pub players: Vec<Player>,
    /// The digest of dialogue, agents and seed.
    pub run: String,
    /// The answers, in the order of the cases.
    pub answers: Vec<GivenAnswer>,
    /// The answers without the medium or log.
    pub blind: Option<Vec<GivenAnswer>>,
    /// How the blind row was measured, or why it was not.
    pub blind_note: Option<String>,
    /// The file of results, if it is open.
    pub results: Option<Results>,
}

/// Where figures go, and how they are computed.
pub(crate) struct Telling<'a> {
    /// The metrics.
    pub metrics: &'a [Arc<dyn Measure>],
    /// The settings of the intervals.
    pub resampling: Resampling,
    /// The file of results.
    pub details: Option<&'a Path>,
    /// The file of the report.
    pub report: Option<&'a Path>,
    /// The file of the calibration.
    pub calibrate: Option<&'a Path>,
}

impl Telling<'_> {
    /// Prints the figures and writes the files.
    pub(crate) fn tell(&self, loaded: &[Loaded], asked: Asked, out: &Out) -> Result<Exit, Fault> {
        let (metrics, resampling) = (self.metrics, self.resampling);
        let places: Vec<Place<'_>> = loaded
            .iter()
            .flat_map(|one| one.cases.iter().map(move |(line, case)| Place { of: one, line: *line, case }))
            .collect();
        let of = pairs(&places, &asked.answers);
        let figures = figures::figures(&of, metrics, resampling);
        let blind_pairs = asked.blind.as_ref().map(|blind| pairs(&places, blind));
        let blind: Option<Figures> = blind_pairs.as_ref().map(|of| figures::figures(of, metrics, resampling));
        if let Some(file) = self.details {
            let mut lines = self.lines(&places, &asked.run, &asked.answers, false);
            if let Some(blind) = &asked.blind {
                lines.extend(self.lines(&places, &asked.run, blind, true));
            }
            let results = match asked.results {
                Some(results) => results,
                None => Results::open(file, &asked.run, true)?,
            };
            results.finish(lines)?;
        }
        let (mut errors, mut listed) = (IndexMap::<String, Vec<String>>::new(), Vec::new());
        for (Place { of, line, .. }, answer) in places.iter().zip(&asked.answers) {
            let place = &of.place;
            if let Err(message) = answer {
                errors.entry(message.clone()).or_default().push(format!("{place}:{line}"));
                listed.push(json!({ "file": place, "line": line, "message": message }));
            }
        }
        let data: Vec<Source> = loaded.iter().map(|one| one.source.clone()).collect();
        let page = Page {
            dialogue: asked.dialogue.as_deref(),
            answering: asked.answering.as_ref(),
            players: &asked.players,
            data: &data,
            figures: &figures,
            blind: blind.as_ref(),
            blind_note: asked.blind_note.as_deref(),
            samples: resampling.samples,
            seed: resampling.seed,
            errors: &errors,
        };
        if let Some(file) = self.calibrate {
            let name = asked.dialogue.as_deref().unwrap_or("given answers");
            let fitted = calibration::fit(&self.judged(&of), &format!("{name}, {} cases", of.len()));
            if fitted.bases.is_empty() {
                let why = "no answer says what it rests on, so nothing can be calibrated";
                return Err(Fault::failed(why)
                    .hint("the answer must be a record with a text `basis`, as that of examples/reader"));
            }
            let text = serde_json::to_string_pretty(&fitted).map_err(|error| Fault::failed(error.to_string()))?;
            std::fs::write(file, text + "\n").map_err(|error| Fault::failed(format!("{}: {error}", file.display())))?;
        }
        if let Some(file) = self.report {
            std::fs::write(file, markdown::page(&page))
                .map_err(|e| Fault::failed(format!("{}: {e}", file.display())))?;
        }
        if out.json {
            let mut all = json!({
                "dialogue": page.dialogue, "data": page.data, "answer_lm": page.answering, "roles": page.players,
            });
            if let Json::Object(all) = &mut all {
                all.extend(figures.json());
                all.insert("blind".to_owned(), json!(blind.as_ref().map(Figures::json)));
                all.insert("blind_note".to_owned(), json!(page.blind_note));
                all.insert("errors".to_owned(), Json::Array(listed));
            }
            out.value(&all)?;
        } else {
            out.text(table(&page))?;
        }
        let failed = figures.n - figures.scored;
        if failed > 0 {
            out.note(format_args!("{failed} of {} cases failed to run; they are not scored", figures.n));
        }
        Ok(if failed > 0 { Exit::Failed } else { Exit::Answered })
    }

    /// The answers that say what they rest on, with whether the first metric finds them right.
    fn judged(&self, of: &[CaseOutcome<'_>]) -> Vec<Judged> {
        let right = scores(of, self.metrics);
        let one = |((_, answer), scored): (&CaseOutcome<'_>, figures::CaseScores)| {
            let (basis, support) = answer.ok()?.basis.clone()?;
            Some(Judged { basis, support, is_right: scored.scores.values().next().is_some_and(|score| *score >= 1.0) })
        };
        of.iter().zip(right).filter_map(one).collect()
    }

    /// The lines of the file of results.
    fn lines(&self, places: &[Place<'_>], run: &str, answers: &[GivenAnswer], blind: bool) -> Vec<ResultLine> {
        let of = scores(&pairs(places, answers), self.metrics);
        let one = |((place, answer), scored): ((&Place<'_>, &GivenAnswer), figures::CaseScores)| {
            let Place { of, line, case } = *place;
            let mut result = ResultLine::new(run, key(case, &of.folder), case, (&of.place, line), blind, answer);
            result.expected = scored.expected;
            result.score = scored.scores.values().next().copied();
            result.scores = scored.scores.into_iter().map(|(name, score)| (name, json!(score))).collect();
            result
        };
        places.iter().zip(answers).zip(of).map(one).collect()
    }
}

/// The cases with their answers.
fn pairs<'a>(places: &[Place<'a>], answers: &'a [GivenAnswer]) -> Vec<CaseOutcome<'a>> {
    places.iter().zip(answers).map(|(place, answer)| (place.case, answer.as_ref().map_err(String::as_str))).collect()
}
