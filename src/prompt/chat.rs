//! Chat templates: the Jinja text of a checkpoint that turns messages into a prompt. They render as in transformers.

use super::{
    MAX_SOURCE, engine, json, nesting,
    program::Program,
    survey,
    work::{text_of, wrong},
};
use minijinja::{
    Environment, Error, ErrorKind, State, UndefinedBehavior,
    syntax::SyntaxConfig,
    value::{Kwargs, Value as Shown},
};
use std::{fmt, sync::LazyLock};

/// A compiled chat template.
pub struct ChatTemplate(Program);

/// The values of a chat template.
pub use minijinja::value::Value as ChatValue;

/// The variable with the current time. A template cannot write this name.
const NOW: &str = "~now";

static CHAT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = engine::bounded(UndefinedBehavior::Lenient);
    engine.set_unknown_method_callback(engine::method);
    engine.add_filter("tojson", json::chat_filter);
    engine.add_function("raise_exception", |state: &mut State, why: &Shown, _more: Kwargs| -> Result<Shown, Error> {
        Err(wrong(text_of(state, why)?))
    });
    engine.add_function("strftime_now", |state: &mut State, format: &Shown| match format.as_str() {
        Some(format) => Ok(date(format, state.lookup(NOW).and_then(|now| u64::try_from(now).ok()).unwrap_or(0))),
        None => Err(wrong(format!("strftime_now of {}, expected a text", format.kind()))),
    });
    engine
});

impl ChatTemplate {
    /// Compiles the template. An error says why it cannot be used.
    pub fn parse(source: &str) -> Result<ChatTemplate, String> {
        if source.len() > MAX_SOURCE {
            return Err(format!("it has {} bytes, expected at most {MAX_SOURCE}", source.len()));
        }
        let source = without_generation(source);
        nesting::check(&source).map_err(|error| error.message)?;
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let syntax = syntax.map_err(|error| error.to_string())?;
        Program::text(&source, syntax, &CHAT).map(ChatTemplate).map_err(|error| match error.code {
            "template-syntax" => format!("line {}: {}", survey::line(&source, error.offset), error.message),
            _ => error.message,
        })
    }

    /// The prompt for these values at this time (seconds since 1970, UTC). An error is one line.
    pub fn render(&self, mut names: Vec<(&str, ChatValue)>, now: u64) -> Result<String, String> {
        names.push((NOW, now.into()));
        match self.0.render(Shown::from_pairs(names)) {
            Ok(text) if text.len() > engine::MAX_OUTPUT => {
                Err(format!("it renders to {} bytes, expected at most {}", text.len(), engine::MAX_OUTPUT))
            }
            Ok(text) => Ok(text),
            Err(error) => Err(one_line(&match (error.kind(), error.detail()) {
                (ErrorKind::OutOfFuel, _) => "it exceeds the work limit of a template".to_owned(),
                (ErrorKind::InvalidOperation, Some(detail)) => detail.to_owned(),
                (kind, Some(detail)) => format!("{kind}: {detail}"),
                (kind, None) => kind.to_string(),
            })),
        }
    }
}

/// A message on one line, without control characters and at most 300 characters long.
fn one_line(said: &str) -> String {
    let plain: String = said.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(300).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChatTemplate")
    }
}

/// Replaces generation markers, which tell a trainer which tokens to learn; the text between them is ordinary. A
/// statement without effect takes the place of each, so that spaces around it are trimmed as before.
fn without_generation(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at + 2);
        out += before;
        let word_at = tag.len() - tag.trim_start_matches(['-', '+']).trim_start().len();
        let (open, word) = tag.split_at(word_at);
        let ends = |rest: &str| rest.trim_start().trim_start_matches(['-', '+']).starts_with("%}");
        rest = match (word.strip_prefix("generation"), word.strip_prefix("endgeneration")) {
            (Some(after), _) if ends(after) => {
                out.extend([open, " if true "]);
                after
            }
            (_, Some(after)) if ends(after) => {
                out.extend([open, " endif "]);
                after
            }
            _ => tag,
        };
    }
    out + rest
}

/// `strftime` in UTC, for the directives that chat templates use.
fn date(format: &str, seconds: u64) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days: years begin in March, and an era has 146,097 days
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (month_name, day_name) = (MONTHS[(month - 1) as usize], DAYS[(days % 7) as usize]);
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        out += &match letters.next() {
            Some('d') => format!("{day:02}"),
            Some('m') => format!("{month:02}"),
            Some('Y') => year.to_string(),
            Some('y') => format!("{:02}", year % 100),
            Some('B') => month_name.to_owned(),
            Some('b') => month_name[..3].to_owned(),
            Some('A') => day_name.to_owned(),
            Some('a') => day_name[..3].to_owned(),
            Some('H') => format!("{:02}", rest / 3600),
            Some('M') => format!("{:02}", rest / 60 % 60),
            Some('S') => format!("{:02}", rest % 60),
            Some(other) => other.to_string(),
            None => String::new(),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generation_markers_keep_their_trimming() {
        let check = |source: &str, expected: &str| {
            assert_eq!(
                ChatTemplate::parse(source).and_then(|template| template.render(Vec::new(), 0)).as_deref(),
                Ok(expected)
            );
        };
        check("a  {%- generation %}\n  b {% endgeneration -%}  c", "a  b c");
        check("a{% generation %}b{%-endgeneration%} c", "ab c");
        check("{% set generation = 1 %}{% if generation %}{{ generation }}{% endif %}", "1");
    }

    #[test]
    fn dates_are_formatted_as_by_strftime() {
        assert_eq!(date("%d %b %Y, %A %B %H:%M:%S %y%%", 1_709_210_096), "29 Feb 2024, Thursday February 12:34:56 24%");
        assert_eq!(date("%Y-%m-%d", 0), "1970-01-01");
    }
}
