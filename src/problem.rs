//! A mistake in a dialogue, agent file or prompt: as data, and rendered for people.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Maximum number of problems in a report. Nobody reads more, and hostile input could cause millions.
pub const MAX_PROBLEMS: usize = 1000;
/// Maximum length of a message or hint, in characters. A file can contain a name of a megabyte.
const MAX_MESSAGE: usize = 2000;
/// Maximum length of a word that is compared with others, in bytes.
const MAX_WORD: usize = 100;

/// A position in a file. Lines and columns count from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Pos {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// Whether a problem prevents the dialogue from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The dialogue cannot run.
    #[default]
    Error,
    /// The dialogue still runs.
    Warning,
}

/// One mistake in a dialogue, an agent file or a prompt.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Problem {
    /// A stable word, such as `unknown-key`.
    pub code: String,
    /// Whether the problem prevents the dialogue from running.
    pub severity: Severity,
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// The finding and the expectation.
    pub message: String,
    /// The remedy, if it is known.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem at `pos`. A message or hint over the length limit is cut.
    pub fn new(code: &str, file: &str, pos: Pos, message: String, hint: Option<String>) -> Problem {
        let cut = |text: String| match text.char_indices().nth(MAX_MESSAGE) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        };
        Problem {
            code: code.into(),
            severity: Severity::Error,
            file: file.into(),
            line: pos.line.max(1),
            column: pos.column.max(1),
            message: cut(message),
            hint: hint.map(cut),
        }
    }
}

/// The most likely intended name, as a hint: ``did you mean `x`?``.
pub fn closest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    if word.len() > MAX_WORD {
        return None;
    }
    let word_lower = word.to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&word_lower, &name.to_lowercase());
    let scored = names.filter(|name| *name != word && name.len() <= MAX_WORD).map(|name| {
        // a name in a folder (`starter/places`) may be meant without its folder
        let last = name.rsplit('/').next().unwrap_or(name);
        (likeness(name).max(likeness(last)), name)
    });
    // 0.8 accepts one or two typing errors in a word and refuses words that only share a beginning. One error in a
    // short word gives less than 0.8, so a distance of 1 is accepted too.
    let one_slip =
        |name: &str| word.chars().count() > 2 && strsim::osa_distance(&word_lower, &name.to_lowercase()) == 1;
    let best =
        scored.filter(|(likeness, name)| *likeness > 0.8 || one_slip(name)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(format!("did you mean `{}`?", best.1))
}

/// The problem in the style of a compiler, with its line of `source`; coloured if `colour`.
pub fn render(problem: &Problem, source: &str, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    // the renderer gets one line only: it would scan the whole file again for each problem
    let line = source.split('\n').nth(problem.line - 1).unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    let span = word_at(line, problem.column);
    let snippet = Snippet::source(line)
        .line_start(problem.line)
        .path(problem.file.as_str())
        .annotation(AnnotationKind::Primary.span(span));
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(problem.message.as_str()).id(problem.code.as_str()).element(snippet);
    if let Some(hint) = &problem.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    renderer.render(&[group])
}

/// Byte range of the word that starts at this column (an empty range at the end of the line).
fn word_at(line: &str, column: usize) -> std::ops::Range<usize> {
    let skip: usize = line.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    let ends = |c: char| c.is_whitespace() || ":,{}[]|()\"'".contains(c);
    let word: usize = line[skip..].chars().take_while(|c| !ends(*c)).map(char::len_utf8).sum();
    // a quote or brace at the position is marked alone
    let length = if word > 0 { word } else { line[skip..].chars().next().map_or(0, char::len_utf8) };
    skip..skip + length
}
