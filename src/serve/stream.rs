//! Server-sent events.

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use serde::Serialize;
use std::{convert::Infallible, future::Future};

/// A stream of events, each the next one of `state`. It ends with the first `None`.
pub(super) fn events<S, F>(
    state: S,
    next: impl FnMut(S) -> F + Send + 'static,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + Send>
where
    S: Send + 'static,
    F: Future<Output = Option<(Event, S)>> + Send + 'static,
{
    use futures_util::StreamExt;
    let all = stream::unfold(state, next).map(Ok);
    Sse::new(all).keep_alive(KeepAlive::default())
}

/// An event with a name and JSON.
pub(super) fn event(name: &str, data: &impl Serialize) -> Event {
    let data = serde_json::to_string(data).unwrap_or_else(|error| format!("\"{error}\""));
    // JSON has no raw line breaks, so it is one line of the stream
    Event::default().event(name).data(data)
}

/// An event without a name, as clients of OpenAI's API expect it.
pub(super) fn data(data: &impl Serialize) -> Event {
    Event::default().data(serde_json::to_string(data).unwrap_or_else(|error| format!("\"{error}\"")))
}
