//! An evaluation as a page of Markdown.

use super::{bootstrap::PERCENT, figures::Figures};
use crate::session::cast::Player;
use indexmap::IndexMap;
use serde_json::Value as Json;
use std::fmt::Write;

/// What a page states beside the figures.
pub struct Page<'a> {
    /// The dialogue; none if the answers came from a file.
    pub dialogue: Option<&'a str>,
    /// Who words the answers.
    pub answering: Option<&'a Player>,
    /// The agent and model of each role.
    pub players: &'a [Player],
    /// The files of cases and the benchmarks, with their facts.
    pub data: &'a [Source],
    /// The figures.
    pub figures: &'a Figures,
    /// The figures of the same cases without the medium or log.
    pub blind: Option<&'a Figures>,
    /// How the blind row was measured, or why there is none.
    pub blind_note: Option<&'a str>,
    /// The number of resamples.
    pub samples: usize,
    /// The seed of all sampling.
    pub seed: u64,
    /// Messages of failed runs, with their places.
    pub errors: &'a IndexMap<String, Vec<String>>,
}

/// A file of cases, or a benchmark.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Source {
    /// The file, or `NAME:DIR`.
    pub data: String,
    /// The number of its cases.
    pub cases: usize,
    /// What its figures depend on: split, task, captions for each video.
    #[serde(flatten)]
    pub facts: IndexMap<String, Json>,
    /// What is missing, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// The page.
pub fn page(page: &Page<'_>) -> String {
    let mut text = format!("# Evaluation of {}\n\n", page.dialogue.unwrap_or("given answers"));
    facts(page, &mut text);
    let figures = page.figures;
    text += "\n## Figures\n\n";
    let blind = page.blind.is_some();
    let _ =
        writeln!(text, "| metric | figure | {PERCENT} % interval | answers |{}", if blind { " blind |" } else { "" });
    let _ = writeln!(text, "| --- | --- | --- | --- |{}", if blind { " --- |" } else { "" });
    for (name, figure) in &figures.metrics {
        let counted = figures.counted.get(name).unwrap_or(&figures.scored);
        let bounds = bounds(figures.intervals.get(name));
        let _ = write!(text, "| {name} | {} | {bounds} | {counted} |", shown(*figure));
        match page.blind {
            Some(blind) => {
                let _ = writeln!(text, " {} |", shown(blind.metrics.get(name).copied().flatten()));
            }
            None => text += "\n",
        }
    }
    let shares = [
        ("unanswerable, refused", figures.refused_unanswerable, page.blind.map(|blind| blind.refused_unanswerable)),
        ("answerable, answered", figures.answered_answerable, page.blind.map(|blind| blind.answered_answerable)),
    ];
    for (name, figure, blind) in shares {
        let _ = write!(text, "| {name} | {} | | |", shown(figure));
        text += &blind.map_or("\n".to_owned(), |blind| format!(" {} |\n", shown(blind)));
    }
    if let Some(note) = page.blind_note {
        let _ = writeln!(text, "\nBlind: {note}.");
    }
    classes(figures, &mut text);
    errors(page, &mut text);
    text
}

fn facts(page: &Page<'_>, text: &mut String) {
    if let Some(answering) = page.answering {
        let (role, agent, model) = (&answering.role, &answering.agent, cell(&answering.model));
        let _ = writeln!(text, "- Answer LM: {agent} (role `{role}`), {model}");
    } else if page.dialogue.is_some() {
        text.push_str("- Answer LM: none\n");
    }
    for player in page.players.iter().filter(|player| Some(*player) != page.answering) {
        let _ = writeln!(text, "- Role `{}`: {}, {}", player.role, player.agent, cell(&player.model));
    }
    for source in page.data {
        let facts: Vec<String> = source
            .facts
            .iter()
            .filter(|(_, fact)| !fact.is_null())
            .map(|(name, fact)| format!("{} {}", name.replace('_', " "), fact.as_str().map_or(fact.to_string(), cell)))
            .collect();
        let more = if facts.is_empty() { String::new() } else { format!(", {}", facts.join(", ")) };
        let _ = writeln!(text, "- Data: `{}`: {} cases{more}", cell(&source.data), source.cases);
        if let Some(missing) = &source.missing {
            let _ = writeln!(text, "- Missing: {}", cell(missing));
        }
    }
    let (n, scored) = (page.figures.n, page.figures.scored);
    let _ = writeln!(text, "- Cases: {n}, scored {scored}, failed {}", n - scored);
    let _ = writeln!(text, "- Seed {}; intervals from {} bootstrap resamples of the cases", page.seed, page.samples);
}

/// Every class, and the worst one of each metric.
fn classes(figures: &Figures, text: &mut String) {
    if figures.kinds.is_empty() {
        return;
    }
    let names: Vec<&str> = figures.metrics.keys().map(String::as_str).collect();
    text.push_str("\n## Classes\n\n");
    let _ = writeln!(text, "| class | n | {} |", names.join(" | "));
    let _ = writeln!(text, "| --- | --- |{}", " --- |".repeat(names.len()));
    for (kind, class) in &figures.kinds {
        let row: Vec<String> = names
            .iter()
            .map(|name| {
                let figure = shown(class.metrics.get(*name).copied().flatten());
                let bounds = bounds(class.intervals.get(*name));
                if bounds.is_empty() { figure } else { format!("{figure} ({bounds})") }
            })
            .collect();
        let _ = writeln!(text, "| {} | {} | {} |", cell(kind), class.n, row.join(" | "));
    }
    text.push_str("\nThe worst class of each metric:\n\n");
    for (name, worst) in &figures.worst {
        let _ = writeln!(text, "- {name}: {}, {} (n = {})", cell(&worst.kind), shown(Some(worst.figure)), worst.n);
    }
}

fn errors(page: &Page<'_>, text: &mut String) {
    if page.errors.is_empty() {
        return;
    }
    text.push_str("\n## Failures\n\nThese cases failed to run and are not scored.\n\n");
    for (message, places) in page.errors {
        let more = if places.len() > 1 { format!(" (and {} more)", places.len() - 1) } else { String::new() };
        let _ = writeln!(text, "- {}: {}{more}", cell(&places[0]), cell(message));
    }
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or("–".to_owned(), |figure| format!("{figure:.4}"))
}

fn bounds(bounds: Option<&[f64; 2]>) -> String {
    bounds.map_or(String::new(), |[low, high]| format!("{low:.4} to {high:.4}"))
}

/// A text that cannot break a table or a line.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|").replace('<', "&lt;")
}
