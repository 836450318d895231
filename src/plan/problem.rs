//! One thing wrong with a dialogue, agent file or prompt: as data, and how people see it.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One thing wrong with a dialogue, an agent file or a prompt.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Problem {
    /// A stable word, such as `unknown-key`.
    pub code: String,
    /// The file as the user named it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it, if we know.
    pub hint: Option<String>,
}

/// The likeliest meant name, as a hint: ``did you mean `x`?``.
pub fn closest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let word_lower = word.to_lowercase();
    let scored = names.filter(|name| *name != word).map(|name| {
        let likeness = strsim::jaro_winkler(&word_lower, &name.to_lowercase());
        (likeness, name)
    });
    // 0.8 accepts a slip or two in a word and refuses mere shared beginnings; in short words one slip is enough to miss it
    let one_slip =
        |name: &str| word.chars().count() > 2 && strsim::osa_distance(&word_lower, &name.to_lowercase()) == 1;
    let best =
        scored.filter(|(likeness, name)| *likeness > 0.8 || one_slip(name)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(format!("did you mean `{}`?", best.1))
}

/// The problem as a compiler would show it, with the line of `source` it points at. Colours if `colour`.
pub fn render(problem: &Problem, source: &str, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let (start, end) = word_at(source, problem.line, problem.column);
    let snippet =
        Snippet::source(source).path(problem.file.as_str()).annotation(AnnotationKind::Primary.span(start..end));
    let mut group = Level::ERROR.primary_title(problem.message.as_str()).id(problem.code.as_str()).element(snippet);
    if let Some(hint) = &problem.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    renderer.render(&[group])
}

/// Byte range of the word that starts at this place (an empty range at the end of a line or file).
fn word_at(source: &str, line: usize, column: usize) -> (usize, usize) {
    let line_start: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = source[line_start..].lines().next().unwrap_or_default();
    let skip: usize = rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    let ends = |c: char| c.is_whitespace() || ":,{}[]|()\"'".contains(c);
    let word: usize = rest[skip..].chars().take_while(|c| !ends(*c)).map(char::len_utf8).sum();
    // a place that starts with a quote or brace: that one character
    let length = if word > 0 { word } else { rest[skip..].chars().next().map_or(0, char::len_utf8) };
    (line_start + skip, line_start + skip + length)
}
