//! `/v1/embeddings`: vectors of texts.

use super::{
    super::{api_error::ApiError, body::Read, state::SharedState},
    chat::ask_alone,
};
use crate::{
    agent::work::prompt_tokens,
    error::Fault,
    exchange::{EmbedRequest, Item, Reply, Request},
};
use axum::{Json, extract::State};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as PlainJson, json};

/// The most texts of one request.
const MAX_TEXTS: usize = 2048;

/// Texts to embed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct EmbeddingsBody {
    /// An agent that embeds.
    model: String,
    /// A text, or several.
    input: TextInput,
    /// How the numbers are written: `float` or `base64` (32-bit floats, little-endian).
    encoding_format: Option<EncodingFormat>,
}

/// A text, or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
enum TextInput {
    /// One text.
    One(String),
    /// Several texts.
    Several(Vec<String>),
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum EncodingFormat {
    /// A list of numbers.
    Float,
    /// The bytes of 32-bit floats.
    Base64,
}

/// A vector.
#[derive(Debug, Serialize, JsonSchema)]
struct EmbeddingRecord {
    /// Always `embedding`.
    object: &'static str,
    /// The number of its text.
    index: usize,
    /// The numbers.
    embedding: PlainJson,
}

/// The vectors.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct EmbeddingsReply {
    /// Always `list`.
    object: &'static str,
    /// The vectors, in the order of the texts.
    data: Vec<EmbeddingRecord>,
    /// The model.
    model: String,
    /// The number of tokens.
    usage: EmbeddingUsage,
}

/// The number of tokens.
#[derive(Debug, Serialize, JsonSchema)]
struct EmbeddingUsage {
    /// Tokens of the texts, as far as they were read.
    prompt_tokens: u64,
    /// The same.
    total_tokens: u64,
}

/// Embeds texts.
pub(in crate::serve) async fn embeddings(
    State(state): State<SharedState>,
    Read(body): Read<EmbeddingsBody>,
) -> Result<Json<EmbeddingsReply>, ApiError> {
    let texts = match body.input {
        TextInput::One(text) => vec![text],
        TextInput::Several(texts) => texts,
    };
    if texts.is_empty() || texts.len() > MAX_TEXTS {
        let message = format!("input: found {} texts, expected 1 to {MAX_TEXTS}", texts.len());
        return Err(ApiError::bad(message).param("input"));
    }
    if let Some(number) = texts.iter().position(String::is_empty) {
        return Err(ApiError::bad(format!("input[{number}]: the text is empty")).param("input"));
    }
    let agent = state.agent(&body.model).await?;
    let requests: Vec<Request> =
        texts.into_iter().map(|text| Request::Embed(EmbedRequest::new(Item::Text(text)))).collect();
    let replies = ask_alone(&state, &agent, requests.iter().map(|request| (request.clone(), 0)).collect()).await?;
    let mut tokens = 0;
    let mut data = Vec::with_capacity(replies.len());
    let is_base64 = body.encoding_format == Some(EncodingFormat::Base64);
    for (index, (request, reply)) in requests.iter().zip(replies).enumerate() {
        tokens += prompt_tokens(&*agent, request, &reply).unwrap_or(0);
        let Reply::Embed(vector) = reply else {
            return Err(Fault::failed("the agent gave another kind of reply: this is a bug").into());
        };
        let embedding = match is_base64 {
            true => {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                json!(STANDARD.encode(bytes))
            }
            false => json!(vector),
        };
        data.push(EmbeddingRecord { object: "embedding", index, embedding });
    }
    let usage = EmbeddingUsage { prompt_tokens: tokens, total_tokens: tokens };
    Ok(Json(EmbeddingsReply { object: "list", data, model: body.model, usage }))
}
