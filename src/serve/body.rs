//! Reads request bodies and queries: bounded in size and time, with unknown fields refused by name.

use super::{api_error::ApiError, state::SharedState};
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header, request::Parts},
};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

/// A JSON body.
pub(super) struct Read<T>(pub T);

/// The parameters of the query.
pub(super) struct QueryOf<T>(pub T);

impl<T: DeserializeOwned> FromRequest<SharedState> for Read<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &SharedState) -> Result<Read<T>, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        // a form of another site cannot send JSON
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            let message = "the body is not JSON: its Content-Type is not application/json";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "refused", message));
        }
        let bytes = whole(request, state).await?;
        // nothing at all states nothing
        parsed(if bytes.is_empty() { b"{}" } else { &bytes }).map(Read)
    }
}

impl<T: DeserializeOwned> FromRequestParts<SharedState> for QueryOf<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &SharedState) -> Result<QueryOf<T>, ApiError> {
        let read = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        read.map(|query| QueryOf(query.0)).map_err(|error| {
            let text = plain(&error.body_text());
            let message = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text).to_owned();
            let named = unknown_field(&message).or_else(|| message.split_once(": ").map(|(name, _)| name));
            let named = named.filter(|name| !name.contains(' ')).map(str::to_owned);
            let refusal = ApiError::bad(message);
            named.into_iter().fold(refusal, ApiError::param)
        })
    }
}

/// The whole body of a request. Fails if it is too long, as it says itself or as it turns out, or if it does not arrive in time.
pub(super) async fn whole(request: Request, state: &SharedState) -> Result<Bytes, ApiError> {
    let limits = &state.options.limits;
    let too_long = || {
        let message = format!("the body is longer than {} MB", limits.body / 1_000_000);
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_long", message)
            .hint("`elenchus serve --max-body SIZE` allows more")
    };
    let stated = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if stated.is_some_and(|length: u64| length > limits.body) {
        return Err(too_long());
    }
    let reading = async {
        let mut stream = request.into_body().into_data_stream();
        let mut all = Vec::new();
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|_| ApiError::bad("the body ends too early"))?;
            if (all.len() + piece.len()) as u64 > limits.body {
                return Err(too_long());
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    };
    tokio::time::timeout(limits.body_time, reading).await.unwrap_or_else(|_| {
        let message = format!("the body did not arrive within {} s", limits.body_time.as_secs());
        Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message))
    })
}

/// JSON as a request. A wrong or unknown field is named.
pub(super) fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, mut message) = (error.path().to_string(), plain(&error.inner().to_string()));
        // a place in the text helps only if it is no JSON
        if error.inner().is_data()
            && let Some((said, _)) = message.rsplit_once(" at line ")
        {
            message = said.to_owned();
        }
        // the reader does not know the field yet
        let path = if path == "?" { ".".to_owned() } else { path };
        let field = unknown_field(&message).map(str::to_owned);
        let place = if path == "." || field.is_some() { String::new() } else { format!("{path}: ") };
        let refusal = ApiError::bad(format!("{place}{message}"));
        match field.or_else(|| (path != ".").then_some(path)) {
            Some(param) => refusal.param(param),
            None => refusal,
        }
    })?;
    reader.end().map_err(|error| ApiError::bad(plain(&error.to_string())))?;
    Ok(read)
}

/// The field that a message names as unknown.
fn unknown_field(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

/// A message in one line.
fn plain(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asks {
        #[allow(dead_code, reason = "only its reading is tested")]
        question: String,
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, message: &str| {
            let error = parsed::<Asks>(text.as_bytes()).expect_err(text).reply();
            let shown = serde_json::to_value(&error).expect("JSON")["error"]["message"].clone();
            assert!(shown.as_str().is_some_and(|shown| shown.starts_with(message)), "{text}: {shown}");
        };
        check("{\"question\": \"x\", \"colour\": 1}", "unknown field `colour`");
        check("{\"question\": 1}", "question: invalid type: integer `1`, expected a string");
        check("{}", "missing field `question`");
        check("{\"question\": \"x\"} {}", "trailing characters");
        check("", "EOF");
        assert!(parsed::<Asks>(b"{\"question\": \"x\"}").is_ok());
    }
}
