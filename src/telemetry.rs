//! Spans for OpenTelemetry (feature `otel`): one for each run, and one for each exchange with an agent. Only this module
//! knows the names of the semantic conventions for generative AI (`gen_ai.*`, version 0.1.0).
//!
//! The spans are `tracing` spans with the target [`SPANS`], so that a program that uses this library can collect them with
//! a layer of its own. What was said is an attribute only if somebody listens to the target [`CONTENTS`]. Without the
//! feature there are no spans.

use crate::{
    error::Fault,
    exchange::{Card, Reply, Request},
};
use tracing::Span;

/// The target of the spans.
pub const SPANS: &str = "gen_ai";
/// Who enables this target at level `TRACE` gets the texts of prompts and replies too.
pub const CONTENTS: &str = "gen_ai.contents";

/// The target of the spans of requests over HTTP.
pub const REQUESTS: &str = "elenchus::serve";

/// The span of a run of a dialogue.
pub(crate) fn run_span(dialogue: &str, seed: u64) -> Span {
    #[cfg(feature = "otel")]
    return spans::run(dialogue, seed);
    #[cfg(not(feature = "otel"))]
    {
        let _ = (dialogue, seed);
        Span::none()
    }
}

/// Records what a run cost that has an answer.
pub(crate) fn run_answered(span: &Span, exchanges: u64, memo_hits: u64) {
    #[cfg(feature = "otel")]
    spans::run_answered(span, exchanges, memo_hits);
    #[cfg(not(feature = "otel"))]
    let _ = (span, exchanges, memo_hits);
}

/// Records why a run has no answer.
pub(crate) fn run_failed(span: &Span, fault: &Fault) {
    #[cfg(feature = "otel")]
    spans::failed(span, fault);
    #[cfg(not(feature = "otel"))]
    let _ = (span, fault);
}

/// The span of a request to an agent. `path` is its place in the dialogue; empty if the agent is asked alone.
pub(crate) fn exchange_span(agent: &Card, request: &Request, path: &str, seed: u64) -> Span {
    #[cfg(feature = "otel")]
    return spans::exchange(agent, request, path, seed);
    #[cfg(not(feature = "otel"))]
    {
        let _ = (agent, request, path, seed);
        Span::none()
    }
}

/// Records the reply to a request.
pub(crate) fn exchange_ended(span: &Span, result: &Result<Reply, Fault>, attempts: u32) {
    #[cfg(feature = "otel")]
    spans::exchange_ended(span, result, attempts);
    #[cfg(not(feature = "otel"))]
    let _ = (span, result, attempts);
}

/// The span of a request over HTTP, which the log shows too. A client that sends `traceparent` makes it a part of its own trace.
#[cfg(feature = "serve")]
pub(crate) fn request_span(id: &str, method: &str, route: &str, headers: &axum::http::HeaderMap) -> Span {
    #[cfg(feature = "otel")]
    return spans::request(id, method, route, headers);
    #[cfg(not(feature = "otel"))]
    {
        let _ = headers;
        tracing::info_span!(target: REQUESTS, "request", id, method, route)
    }
}

/// Records the status of a response.
#[cfg(feature = "serve")]
pub(crate) fn request_ended(span: &Span, status: u16) {
    #[cfg(feature = "otel")]
    spans::request_ended(span, status);
    #[cfg(not(feature = "otel"))]
    let _ = (span, status);
}

#[cfg(feature = "otel")]
mod spans {
    #[cfg(feature = "serve")]
    use super::REQUESTS;
    use super::{CONTENTS, SPANS};
    use crate::{
        error::Fault,
        exchange::{Card, Decoding, Finish, Message, Reply, Request, SayReply},
    };
    use opentelemetry::{Array, StringValue, Value, trace::Status};
    use serde_json::json;
    use tracing::{Level, Span};
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    const OPERATION: &str = "gen_ai.operation.name";
    const PROVIDER: &str = "gen_ai.provider.name";
    const AGENT: &str = "gen_ai.agent.name";
    const MODEL: &str = "gen_ai.request.model";
    const SEED: &str = "gen_ai.request.seed";
    const TEMPERATURE: &str = "gen_ai.request.temperature";
    const TOP_P: &str = "gen_ai.request.top_p";
    const TOP_K: &str = "gen_ai.request.top_k";
    const MAX_TOKENS: &str = "gen_ai.request.max_tokens";
    const STOPS: &str = "gen_ai.request.stop_sequences";
    const OUTPUT_TYPE: &str = "gen_ai.output.type";
    const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    const FINISH: &str = "gen_ai.response.finish_reasons";
    const INPUT: &str = "gen_ai.input.messages";
    const OUTPUT: &str = "gen_ai.output.messages";
    const ERROR: &str = "error.type";

    pub(super) fn run(dialogue: &str, seed: u64) -> Span {
        let name = format!("invoke_workflow {dialogue}");
        let span = tracing::trace_span!(target: SPANS, "run", otel.name = name, otel.kind = "internal");
        if !span.is_disabled() {
            span.set_attribute(OPERATION, "invoke_workflow");
            span.set_attribute(PROVIDER, "elenchus");
            span.set_attribute(AGENT, dialogue.to_owned());
            span.set_attribute(SEED, whole(seed));
        }
        span
    }

    pub(super) fn run_answered(span: &Span, exchanges: u64, memo_hits: u64) {
        if !span.is_disabled() {
            span.set_attribute("elenchus.exchanges", whole(exchanges));
            span.set_attribute("elenchus.memo_hits", whole(memo_hits));
        }
    }

    pub(super) fn exchange(agent: &Card, request: &Request, path: &str, seed: u64) -> Span {
        let name = || format!("{} {}", operation(request).unwrap_or(request.kind().word()), agent.name);
        let span = tracing::trace_span!(target: SPANS, "exchange", otel.name = name(), otel.kind = "internal");
        if span.is_disabled() {
            return span;
        }
        if !path.is_empty() {
            span.set_attribute("elenchus.exchange", path.to_owned());
        }
        let Some(operation) = operation(request) else { return span };
        span.set_attribute(OPERATION, operation);
        span.set_attribute(PROVIDER, "elenchus");
        span.set_attribute(MODEL, agent.name.clone());
        let (decoding, messages) = match request {
            Request::Say(say) => (Some(&say.decoding), say.messages.clone()),
            Request::Look(look) => (Some(&look.decoding), look.clone().into_say().messages),
            _ => (None, Vec::new()),
        };
        if let Some(decoding) = decoding {
            decoded(&span, decoding, seed);
            let form = if matches!(request, Request::Say(say) if say.schema.is_some()) { "json" } else { "text" };
            span.set_attribute(OUTPUT_TYPE, form);
        }
        if wants_contents() && !messages.is_empty() {
            span.set_attribute(INPUT, json!(messages.iter().map(message).collect::<Vec<_>>()).to_string());
        }
        span
    }

    pub(super) fn exchange_ended(span: &Span, result: &Result<Reply, Fault>, attempts: u32) {
        if span.is_disabled() {
            return;
        }
        if attempts > 1 {
            span.set_attribute("elenchus.attempts", i64::from(attempts));
        }
        match result {
            Ok(Reply::Say(reply) | Reply::Look(reply)) => said(span, reply),
            Ok(_) => {}
            Err(fault) => failed(span, fault),
        }
    }

    #[cfg(feature = "serve")]
    pub(super) fn request(id: &str, method: &str, route: &str, headers: &axum::http::HeaderMap) -> Span {
        use opentelemetry::{propagation::TextMapPropagator, trace::TraceContextExt};
        let name = format!("{method} {route}");
        let span = tracing::info_span!(
            target: REQUESTS, "request", id, method, route, otel.name = name, otel.kind = "server"
        );
        let callers = opentelemetry_sdk::propagation::TraceContextPropagator::new()
            .extract(&opentelemetry_http::HeaderExtractor(headers));
        if callers.span().span_context().is_valid() {
            // only a span that was entered before refuses a parent
            let _ = span.set_parent(callers);
        }
        span.set_attribute("http.request.method", method.to_owned());
        span.set_attribute("http.route", route.to_owned());
        span
    }

    #[cfg(feature = "serve")]
    pub(super) fn request_ended(span: &Span, status: u16) {
        span.set_attribute("http.response.status_code", i64::from(status));
        if status >= 500 {
            span.set_status(Status::error(status.to_string()));
        }
    }

    /// The operation in the words of the conventions; `None` for requests that no model answers.
    fn operation(request: &Request) -> Option<&'static str> {
        match request {
            Request::Say(say) if say.raw => Some("text_completion"),
            Request::Say(_) | Request::Look(_) => Some("chat"),
            Request::Embed(_) => Some("embeddings"),
            Request::Search(_) => Some("retrieval"),
            Request::Rank(_) | Request::Detect(_) | Request::Hear(_) => Some(request.kind().word()),
            Request::AskUser(_) | Request::Frames(_) | Request::Journal(_) => None,
        }
    }

    fn decoded(span: &Span, decoding: &Decoding, seed: u64) {
        span.set_attribute(SEED, whole(seed));
        let numbers = [(TEMPERATURE, decoding.temperature), (TOP_P, decoding.top_p)];
        numbers.into_iter().filter_map(|(name, number)| Some((name, number?))).for_each(|(name, number)| {
            span.set_attribute(name, f64::from(number));
        });
        let counts = [(TOP_K, decoding.top_k), (MAX_TOKENS, decoding.max_tokens)];
        counts.into_iter().filter_map(|(name, count)| Some((name, count?))).for_each(|(name, count)| {
            span.set_attribute(name, whole(count as u64));
        });
        if !decoding.stop.is_empty() && wants_contents() {
            span.set_attribute(STOPS, texts(decoding.stop.clone()));
        }
    }

    fn said(span: &Span, reply: &SayReply) {
        let finish = match reply.finish {
            Finish::Stop => "stop",
            Finish::Length => "length",
        };
        if !reply.tokens.is_empty() {
            span.set_attribute(OUTPUT_TOKENS, whole(reply.tokens.len() as u64));
        }
        span.set_attribute(FINISH, texts([finish.to_owned()]));
        if wants_contents() {
            let said = json!([{
                "role": "assistant",
                "parts": [{ "type": "text", "content": reply.text }],
                "finish_reason": finish,
            }]);
            span.set_attribute(OUTPUT, said.to_string());
        }
    }

    /// An error's message may quote what was said, so it belongs to the contents.
    pub(super) fn failed(span: &Span, fault: &Fault) {
        if span.is_disabled() {
            return;
        }
        span.set_attribute(ERROR, fault.kind.word());
        let description = if wants_contents() { fault.to_string() } else { fault.kind.word().to_owned() };
        span.set_status(Status::error(description));
    }

    /// A message as the conventions write it. Pictures are named by their kind alone.
    fn message(message: &Message) -> serde_json::Value {
        let pictures = message.images.iter().map(|_| json!({ "type": "image" }));
        let parts: Vec<_> = pictures.chain([json!({ "type": "text", "content": message.content })]).collect();
        json!({ "role": message.role, "parts": parts })
    }

    fn wants_contents() -> bool {
        tracing::enabled!(target: CONTENTS, Level::TRACE)
    }

    fn texts(texts: impl IntoIterator<Item = String>) -> Value {
        Value::Array(Array::String(texts.into_iter().map(StringValue::from).collect()))
    }

    fn whole(number: u64) -> i64 {
        i64::try_from(number).unwrap_or(i64::MAX)
    }
}
