//! Restrictions of replies: a JSON Schema or a regular expression. Checks a restriction, gives the type of the replies
//! that it allows, validates them, and finds a short way to complete a reply that has begun.
//!
//! A restriction is hostile until it was checked. `schema` limits its size, depth and counts, and refuses keywords that
//! are not enforced. The limits of llguidance bound the work of each step.

mod closer;
mod formats;
mod schema;
mod track;
mod typed;

pub use closer::Closer;
pub use schema::{MAX_SCHEMA_BYTES, Unfit, check_schema};
pub use typed::{schema_type, validated};

use llguidance::{
    ParserFactory, TokenParser,
    api::{ParserLimits, TopLevelGrammar},
    toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv},
};
use serde_json::Value as Json;
use std::sync::LazyLock;

/// The maximum bytes of a regular expression.
const MAX_REGEX_BYTES: usize = 4096;
/// The maximum nesting of a regular expression.
const MAX_REGEX_DEPTH: usize = 32;

/// The restriction of a reply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Restriction<'a> {
    /// The reply is JSON without free white space that fits the schema.
    Schema(&'a Json),
    /// The whole reply matches the regular expression.
    Regex(&'a str),
}

impl Restriction<'_> {
    /// The restriction as a noun, for messages.
    pub fn noun(self) -> &'static str {
        match self {
            Restriction::Schema(_) => "schema",
            Restriction::Regex(_) => "regex",
        }
    }

    /// Fails if the restriction is invalid, unsupported, or needs more work than the limits allow.
    pub fn check(self) -> Result<(), Unfit> {
        match self {
            Restriction::Schema(schema) => check_schema(schema),
            Restriction::Regex(regex) => check_regex(regex),
        }
    }

    /// Fails if `text` does not fit. The error says what was found.
    pub fn accepts(self, text: &str) -> Result<(), String> {
        match self {
            Restriction::Schema(schema) => validated(schema, text).map(drop),
            Restriction::Regex(regex) => match Closer::new(self)?.accepts(text) {
                true => Ok(()),
                false => Err(format!("found `{}`, which the regular expression `{regex}` does not match", start(text))),
            },
        }
    }

    /// The grammar of llguidance.
    fn grammar(self) -> TopLevelGrammar {
        match self {
            Restriction::Schema(schema) => TopLevelGrammar::from_json_schema(schema::compact(schema)),
            Restriction::Regex(regex) => TopLevelGrammar::from_regex(regex),
        }
    }

    /// A parser of this restriction for the tokens of `factory`. Fails with one line.
    pub fn parser(self, factory: &ParserFactory) -> Result<TokenParser, String> {
        factory.create_parser(self.grammar()).map_err(|error| reason(&error.to_string()))
    }
}

/// A factory of parsers for the tokens of `tokens`, with the limits of hostile input.
pub fn parsers(tokens: &TokEnv) -> Result<ParserFactory, String> {
    parsers_with(tokens, &llguidance::earley::SlicedBiasComputer::general_slices())
}

/// The factory of parsers whose tokens are single bytes. These are too few for slices, which speed up large vocabularies.
fn byte_parsers() -> Result<&'static ParserFactory, String> {
    static BYTES: LazyLock<Result<ParserFactory, String>> =
        LazyLock::new(|| parsers_with(&ApproximateTokEnv::single_byte_env(), &[]));
    BYTES.as_ref().map_err(Clone::clone)
}

fn parsers_with(tokens: &TokEnv, slices: &[String]) -> Result<ParserFactory, String> {
    let factory = ParserFactory::new(tokens, InferenceCapabilities::default(), slices);
    let mut factory = factory.map_err(|error| reason(&error.to_string()))?;
    factory.quiet();
    *factory.limits_mut() = ParserLimits {
        initial_lexer_fuel: 500_000,
        max_lexer_states: 50_000,
        max_grammar_size: 100_000,
        precompute_large_lexemes: false,
        verbose_errors: false,
        ..ParserLimits::default()
    };
    Ok(factory)
}

/// The first line of an error of llguidance, without the place in the grammar that it made itself (`at 1(8): `), and
/// without the expression.
fn reason(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default().trim().trim_end_matches(':');
    let line = line.rsplit_once("(in regex): ").map_or(line, |(_, why)| why);
    let place = line.strip_prefix("at ").and_then(|rest| rest.split_once("): "));
    let is_place = |place: &&str| place.chars().all(|c| c.is_ascii_digit() || c == '(');
    start(place.filter(|(place, _)| is_place(place)).map_or(line, |(_, why)| why)).to_owned()
}

/// Fails if a regular expression cannot be parsed, or has word boundaries. The error says where and why.
fn parsed(regex: &str) -> Result<(), String> {
    let (at, why) = match regex_syntax::parse(regex) {
        Ok(parsed) if parsed.properties().look_set().contains_word() => {
            return Err("whose word boundaries are not supported".to_owned());
        }
        Ok(_) => return Ok(()),
        Err(regex_syntax::Error::Parse(error)) => (error.span().start.offset, error.kind().to_string()),
        Err(regex_syntax::Error::Translate(error)) => (error.span().start.offset, error.kind().to_string()),
        Err(other) => (0, other.to_string()),
    };
    let character = regex.get(..at).map_or(0, |before| before.chars().count()) + 1;
    Err(format!("which is not valid at character {character}: {}", reason(&why)))
}

/// The beginning of a text, for messages.
fn start(text: &str) -> &str {
    text.char_indices().nth(200).map_or(text, |(end, _)| &text[..end])
}

/// Fails if the regular expression is invalid, unsupported or too large.
fn check_regex(regex: &str) -> Result<(), Unfit> {
    let unfit = |message: String| Unfit { path: Vec::new(), message, hint: None };
    if regex.len() > MAX_REGEX_BYTES {
        let length = regex.len();
        return Err(unfit(format!("found a regular expression of {length} bytes, expected at most {MAX_REGEX_BYTES}")));
    }
    schema::check_nesting(regex).map_err(unfit)?;
    parsed(regex).map_err(|why| unfit(format!("found the regular expression `{}`, {why}", start(regex))))?;
    schema::check_length(regex).map_err(unfit)?;
    let closer = Closer::new(Restriction::Regex(regex)).map_err(|why| {
        unfit(format!("found the regular expression `{}`, which cannot be used: {why}", start(regex)))
    })?;
    match closer.completion() {
        Some(_) => Ok(()),
        None => Err(unfit(format!("found the regular expression `{}`, which no short text matches", start(regex)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_expression_is_refused_in_plain_words() {
        let check = |regex: &str, expected: &str| {
            let found = check_regex(regex).map_err(|unfit| unfit.message);
            assert_eq!(found.err().unwrap_or_default(), expected, "{regex}");
        };
        let not_valid = |regex: &str, why: &str| {
            check(regex, &format!("found the regular expression `{regex}`, which is not valid at character {why}"));
        };
        not_valid("(a", "1: unclosed group");
        not_valid("äb)", "3: unopened group");
        not_valid("a(?=b)", "2: look-around, including look-ahead and look-behind, is not supported");
        not_valid(r"\p{x}", "1: Unicode property not found");
        check(r"\bword", "found the regular expression `\\bword`, whose word boundaries are not supported");
        check("[a-c]{2}", "");
    }
}
