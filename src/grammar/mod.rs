//! Restrictions of replies: a JSON Schema or a regular expression. Checks a restriction, gives the type of the replies
//! that it allows, validates them, and finds a short way to complete a reply that has begun.
//!
//! A restriction is hostile until it was checked. `schema` limits its size, depth and counts, and refuses keywords that
//! are not enforced. The limits of llguidance bound the work of each step.

mod closer;
mod formats;
mod schema;
mod typed;

pub use closer::Closer;
pub use schema::{MAX_SCHEMA_BYTES, Unfit, check_schema};
pub use typed::{schema_type, validated};

use llguidance::{
    ParserFactory, TokenParser,
    api::{ParserLimits, TopLevelGrammar},
    toktrie::{InferenceCapabilities, TokEnv},
};
use serde_json::Value as Json;

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
    let slices = llguidance::earley::SlicedBiasComputer::general_slices();
    let factory = ParserFactory::new(tokens, InferenceCapabilities::default(), &slices);
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

/// The first line of an error of llguidance.
fn reason(error: &str) -> String {
    start(error.lines().next().unwrap_or_default().trim().trim_end_matches(':')).to_owned()
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
    schema::check_nesting(regex).and_then(|()| schema::check_length(regex)).map_err(unfit)?;
    let closer = Closer::new(Restriction::Regex(regex)).map_err(|why| {
        unfit(format!("found the regular expression `{}`, which cannot be used: {why}", start(regex)))
    })?;
    match closer.completion() {
        Some(_) => Ok(()),
        None => Err(unfit(format!("found the regular expression `{}`, which no short text matches", start(regex)))),
    }
}
