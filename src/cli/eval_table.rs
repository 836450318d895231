//! The figures of `elenchus eval` as a table for people.

use crate::eval::{Figures, bootstrap::PERCENT, markdown::Page};
use std::fmt::Write;

/// The number of metrics that a table of classes has room for.
const COLUMNS: usize = 4;

/// The figures as a table.
pub(crate) fn table(page: &Page<'_>) -> String {
    let figures = page.figures;
    let names: Vec<&str> = figures.metrics.keys().map(String::as_str).collect();
    let shown: Vec<&str> = names.iter().take(COLUMNS).copied().collect();
    let heads: String = shown.iter().map(|name| format!("  {name:>17}")).collect();
    let mut text = format!("{:24} {:>5}{heads}\n", "kind", "cases");
    let row = |of: &dyn Fn(&str) -> Option<f64>| -> String {
        shown.iter().map(|name| format!("  {:>17}", figure(name, of(name)))).collect()
    };
    for (kind, class) in &figures.kinds {
        let of = |name: &str| class.metrics.get(name).copied().flatten();
        let _ = writeln!(text, "{kind:24} {:>5}{}", class.n, row(&of));
    }
    let of = |figures: &Figures, name: &str| figures.metrics.get(name).copied().flatten();
    let _ = writeln!(text, "{:24} {:>5}{}", "all", figures.scored, row(&|name| of(figures, name)));
    if let Some(blind) = page.blind {
        let _ = writeln!(text, "{:24} {:>5}{}", "all, blind", blind.scored, row(&|name| of(blind, name)));
    }
    let _ = writeln!(text, "{:24} {:>5}  {:>17}", "unanswerable, refused", "", share(figures.refused_unanswerable));
    let _ = writeln!(text, "{:24} {:>5}  {:>17}", "answerable, answered", "", share(figures.answered_answerable));
    for name in names.iter().skip(COLUMNS) {
        let _ = writeln!(text, "{name:24} {:>5}  {:>17}", "", figure(name, of(figures, name)));
    }
    for (name, [low, high]) in &figures.intervals {
        let (low, high) = (figure(name, Some(*low)), figure(name, Some(*high)));
        let _ = writeln!(text, "{name}: {PERCENT} % of resamples lie between {low} and {high}");
    }
    for (name, worst) in &figures.worst {
        let _ =
            writeln!(text, "{name}: worst in {} ({}, {} cases)", worst.kind, figure(name, Some(worst.figure)), worst.n);
    }
    if let Some(answering) = page.answering {
        let _ = writeln!(text, "answers by {} (role {}): {}", answering.agent, answering.role, answering.model);
    }
    // one mistake in a dialogue fails every case with the same message, so equal messages are printed once
    for (message, places) in page.errors {
        let more = if places.len() > 1 { format!(" (and {} more)", places.len() - 1) } else { String::new() };
        let _ = writeln!(text, "{}: {message}{more}", places[0]);
    }
    text
}

/// A figure as people read it: a share in percent, others as they are.
fn figure(name: &str, figure: Option<f64>) -> String {
    match (figure, name) {
        (None, _) => "–".to_owned(),
        (Some(figure), "median_rank") => format!("{figure:.1}"),
        (Some(figure), "cider_d") => format!("{figure:.3}"),
        (figure, _) => share(figure),
    }
}

fn share(figure: Option<f64>) -> String {
    figure.map_or("–".to_owned(), |figure| format!("{:.1} %", figure * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use indexmap::IndexMap;

    #[test]
    fn equal_errors_are_printed_once() {
        let places = |places: &[&str]| places.iter().map(|place| (*place).to_owned()).collect::<Vec<_>>();
        let errors = IndexMap::from([
            ("no video".to_owned(), places(&["a.jsonl:1", "a.jsonl:3"])),
            ("no log".to_owned(), places(&["a.jsonl:2"])),
        ]);
        let page = Page {
            dialogue: None,
            answering: None,
            players: &[],
            data: &[],
            figures: &Figures::default(),
            blind: None,
            blind_note: None,
            samples: 0,
            seed: 0,
            errors: &errors,
        };
        let table = table(&page);
        let errors: Vec<&str> = table.lines().filter(|line| line.starts_with("a.jsonl")).collect();
        assert_eq!(errors, ["a.jsonl:1: no video (and 1 more)", "a.jsonl:2: no log"]);
    }
}
