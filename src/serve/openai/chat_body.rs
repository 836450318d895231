//! The request of `/v1/chat/completions`.

use super::{super::api_error::ApiError, messages::ChatMessage};
use crate::exchange::{Decoding, SETTINGS, SettingForm, SettingValue};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as PlainJson;

/// A chat, and how it goes on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct ChatBody {
    /// An agent by its name, or a dialogue as `elenchus/NAME`.
    pub model: String,
    /// The messages so far.
    pub messages: Vec<ChatMessage>,
    /// True sends the text piece by piece.
    #[serde(default)]
    pub stream: bool,
    /// Options of a stream.
    pub stream_options: Option<StreamOptions>,
    /// Temperature of the sampling; 0 is greedy.
    temperature: Option<f64>,
    /// Probability mass of nucleus sampling.
    top_p: Option<f64>,
    /// Maximum number of generated tokens.
    max_tokens: Option<u64>,
    /// The same as `max_tokens`.
    max_completion_tokens: Option<u64>,
    /// Generation stops before any of these texts.
    stop: Option<StopTexts>,
    /// Subtracted once from the logits of tokens that occurred in the reply.
    presence_penalty: Option<f64>,
    /// Subtracted from a token's logit for each occurrence in the reply.
    frequency_penalty: Option<f64>,
    /// True returns the log-probability of each generated token.
    logprobs: Option<bool>,
    /// Seed of the sampling, 0 if absent: the same request gives the same reply.
    pub seed: Option<u64>,
    /// The number of replies.
    pub n: Option<u64>,
    /// The form of the reply.
    pub response_format: Option<ResponseFormat>,
}

/// Options of a stream.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct StreamOptions {
    /// True sends the number of tokens before the end.
    #[serde(default)]
    pub include_usage: bool,
}

/// One text or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum StopTexts {
    /// One text.
    One(String),
    /// Several texts.
    Several(Vec<String>),
}

/// The form of a reply.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::serve) enum ResponseFormat {
    /// Any text.
    Text {},
    /// A JSON object.
    JsonObject {},
    /// JSON that fits a schema.
    JsonSchema {
        /// The schema with its name.
        json_schema: NamedSchema,
    },
}

/// A schema with a name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct NamedSchema {
    /// A name for people.
    #[allow(dead_code, reason = "clients must send it, and nothing depends on it")]
    name: String,
    /// The JSON Schema that the reply fits.
    pub schema: PlainJson,
    /// A description for people.
    #[allow(dead_code, reason = "clients may send it, and nothing depends on it")]
    description: Option<String>,
    /// Replies always fit the schema, so `false` asks for nothing else.
    #[allow(dead_code, reason = "both values are kept")]
    strict: Option<bool>,
}

impl ChatBody {
    /// The decoding settings. Fails for a number out of its range.
    pub(super) fn decoding(&self) -> Result<Decoding, ApiError> {
        if self.max_tokens.is_some() && self.max_completion_tokens.is_some() {
            return Err(ApiError::bad("`max_tokens` and `max_completion_tokens` are the same; expected one of them")
                .param("max_completion_tokens"));
        }
        let whole = |number: Option<u64>| number.map(|number| number as f64);
        let numbers = [
            ("temperature", self.temperature),
            ("top_p", self.top_p),
            ("max_tokens", whole(self.max_tokens.or(self.max_completion_tokens))),
            ("presence_penalty", self.presence_penalty),
            ("frequency_penalty", self.frequency_penalty),
        ];
        let mut decoding = Decoding { logprobs: self.logprobs.filter(|wanted| *wanted), ..Decoding::default() };
        for (name, number) in numbers {
            let (Some(number), Some(setting)) = (number, SETTINGS.iter().find(|setting| setting.name == name)) else {
                continue;
            };
            if let SettingForm::Number(range) = setting.form
                && !range.holds(number)
            {
                let message = format!("{name}: found {number}, expected {}", range.expected());
                return Err(ApiError::bad(message).param(name));
            }
            (setting.set)(&mut decoding, SettingValue::Number(number));
        }
        decoding.stop = match &self.stop {
            None => Vec::new(),
            Some(StopTexts::One(text)) => vec![text.clone()],
            Some(StopTexts::Several(texts)) => texts.clone(),
        };
        if decoding.stop.iter().any(String::is_empty) {
            return Err(ApiError::bad("stop: found an empty text").param("stop"));
        }
        Ok(decoding)
    }

    /// The first setting that a dialogue cannot honour, because its steps have their own.
    pub(super) fn of_agents(&self) -> Option<&'static str> {
        let given = [
            ("temperature", self.temperature.is_some()),
            ("top_p", self.top_p.is_some()),
            ("max_tokens", self.max_tokens.is_some()),
            ("max_completion_tokens", self.max_completion_tokens.is_some()),
            ("stop", self.stop.is_some()),
            ("presence_penalty", self.presence_penalty.is_some()),
            ("frequency_penalty", self.frequency_penalty.is_some()),
            ("logprobs", self.logprobs == Some(true)),
            ("n", self.n.is_some_and(|n| n != 1)),
            ("response_format", !matches!(self.response_format, None | Some(ResponseFormat::Text {}))),
        ];
        given.iter().find(|(_, is_given)| *is_given).map(|(name, _)| *name)
    }
}
