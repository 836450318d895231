//! Failures as HTTP responses. The body has the form of OpenAI's errors, with the hint beside it, so that all clients can read it.

use crate::error::{Fault, FaultKind};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

/// What a client sent, for a message: at most so many characters, without control characters.
pub(super) fn printable(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

/// A request that failed or was refused.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    /// The status of the response.
    pub status: StatusCode,
    body: Box<ErrorBody>,
    retry_after_s: Option<u64>,
}

/// The body of a failed request.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct ErrorReply {
    /// What went wrong.
    error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct ErrorBody {
    /// One line for people.
    message: String,
    /// `invalid_request_error` if the client must change something, else `server_error`.
    r#type: &'static str,
    /// The field of the request that is wrong, if it is one.
    param: Option<String>,
    /// A word for programs.
    code: &'static str,
    /// The remedy, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl ApiError {
    /// A failure with a word for programs and one line for people.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        let r#type = if status.is_client_error() { "invalid_request_error" } else { "server_error" };
        let body = ErrorBody { message: message.into(), r#type, param: None, code, hint: None };
        ApiError { status, body: Box::new(body), retry_after_s: None }
    }

    /// A request that the client must change.
    pub(super) fn bad(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "refused", message)
    }

    /// Something that does not exist.
    pub(super) fn missing(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// The same failure, with the field of the request that is wrong.
    pub(super) fn param(mut self, name: impl Into<String>) -> ApiError {
        self.body.param = Some(name.into());
        self
    }

    /// The same failure, with a remedy.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> ApiError {
        self.body.hint = Some(hint.into());
        self
    }

    /// The same failure; the client should wait so many seconds.
    pub(super) fn retry_after(mut self, seconds: u64) -> ApiError {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The same failure as a fault, for work without a client.
    pub(super) fn fault(self) -> Fault {
        let ErrorBody { message, hint, .. } = *self.body;
        let fault = match self.status.is_client_error() {
            true => Fault::refused(message),
            false => Fault::failed(message),
        };
        hint.into_iter().fold(fault, Fault::hint)
    }

    /// The body, for an event of a stream that has begun already.
    pub(super) fn reply(&self) -> ErrorReply {
        ErrorReply { error: (*self.body).clone() }
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> ApiError {
        let (status, code) = match &fault.kind {
            FaultKind::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
            FaultKind::Refused => (StatusCode::BAD_REQUEST, "refused"),
            FaultKind::Media => (StatusCode::UNPROCESSABLE_ENTITY, "media"),
            FaultKind::Model | FaultKind::Weights => (StatusCode::SERVICE_UNAVAILABLE, "model"),
            FaultKind::Passing { .. } => (StatusCode::BAD_GATEWAY, "failed"),
            FaultKind::Deadline => (StatusCode::GATEWAY_TIMEOUT, "deadline"),
            FaultKind::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "cancelled"),
        };
        let refusal = ApiError::new(status, code, fault.to_string());
        fault.hint.into_iter().fold(refusal, ApiError::hint)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.reply())).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
