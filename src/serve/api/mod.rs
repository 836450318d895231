//! The server's own API.

pub(super) mod ask;
mod conversations;
mod dialogues;
pub(super) mod library;
pub(super) mod lines;
mod runs;
pub(super) mod search;

pub(super) use conversations::Conversations;

use super::{
    api_error::{ApiError, printable},
    operation::{Operation, Routes},
};
use crate::value::StatedTime;
use axum::routing::{get, post};

/// The routes.
pub(super) fn routes() -> Routes {
    let new = Operation::new;
    Routes::default()
        .with(
            new("post", "/api/ask", "Answers a question from the journal; with `Accept: text/event-stream`, as events: progress, text, answer or error.")
                .body::<ask::AskBody>()
                .json::<ask::AnswerRecord>()
                .other("text/event-stream"),
            post(ask::ask),
        )
        .with(
            new("post", "/api/search", "Lines and frames that fit words, the best first.")
                .body::<search::SearchBody>()
                .json::<search::SearchReply>(),
            post(search::search),
        )
        .with(
            new("get", "/api/library", "The videos of the journal and of the served folders.").json::<library::LibraryReply>(),
            get(library::list),
        )
        .with(
            new("post", "/api/index", "Puts videos of the served folders into the queue of those to be indexed.")
                .body::<library::IndexBody>()
                .json::<library::QueuedReply>(),
            post(library::index),
        )
        .with(
            new("get", "/api/events", "Changes of the work on videos, as events.").other("text/event-stream"),
            get(library::events),
        )
        .with(
            new("get", "/api/media/{digest}", "The file of a video; ranges are answered.").other("video/*"),
            get(library::file),
        )
        .with(
            new("get", "/api/media/{digest}/thumbnail", "A picture of a video.")
                .query::<library::PictureQuery>()
                .other("image/jpeg"),
            get(library::thumbnail),
        )
        .with(
            new("get", "/api/media/{digest}/clip", "A part of a video, not encoded again.")
                .query::<library::ClipQuery>()
                .other("video/*"),
            get(library::clip),
        )
        .with(
            new("get", "/api/lines", "Lines of the journal, in order of time.")
                .query::<lines::LinesQuery>()
                .json::<lines::LinesReply>(),
            get(lines::list),
        )
        .with(
            new("get", "/api/lines/{id}", "A line with the exchanges that it came from.").json::<lines::LineReply>(),
            get(lines::one),
        )
        .with(
            new("post", "/api/lines/{id}/correct", "Says what a line should be. The correction wins, and both are kept.")
                .body::<lines::CorrectBody>()
                .json::<crate::store::journal::LineRecord>(),
            post(lines::correct),
        )
        .with(
            new("get", "/api/lines/{id}/clip", "The part of the video that a line is about, not encoded again.").other("video/*"),
            get(lines::clip),
        )
        .with(
            new("get", "/api/lines/{id}/thumbnail", "A picture of a line.").other("image/jpeg"),
            get(lines::thumbnail),
        )
        .with(
            new("get", "/api/export", "Lines in the format of another program.").query::<lines::ExportQuery>().other("text/plain"),
            get(lines::export),
        )
        .with(
            new("post", "/api/forget", "Removes a video, a part of it, or a word from every store, and lists what was removed.")
                .body::<lines::ForgetBody>()
                .json::<crate::session::forgetting::Receipt>(),
            post(lines::forget),
        )
        .with(
            new("get", "/api/dialogues", "The dialogues that are served.").json::<dialogues::DialoguesReply>(),
            get(dialogues::list),
        )
        .with(
            new("get", "/api/dialogues/{name}/graph", "The graph of a dialogue.")
                .query::<dialogues::GraphQuery>()
                .other("image/svg+xml"),
            get(dialogues::graph),
        )
        .with(new("get", "/api/runs", "The last runs.").json::<runs::RunsReply>(), get(runs::list))
        .with(
            new("get", "/api/runs/{id}", "A run with its exchanges.").json::<runs::RunReply>(),
            get(runs::one),
        )
        .with(
            new("get", "/api/runs/{id}/transcript", "The transcript of a run, for `elenchus replay`.").other("application/jsonl"),
            get(runs::transcript),
        )
}

/// A time of a request.
fn stated(field: &str, text: Option<&str>) -> Result<Option<StatedTime>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let read = StatedTime::parse(text);
    let wrong = || {
        let shown = printable(text, 60);
        ApiError::bad(format!("{field}: found `{shown}`, expected a date and time such as 2026-11-23T09:15"))
            .param(field)
    };
    read.map(Some).ok_or_else(wrong)
}

/// A time zone of a request.
fn zone(field: &str, text: Option<&str>) -> Result<Option<String>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    match crate::value::wall::zone(text) {
        Some(_) => Ok(Some(text.to_owned())),
        None => {
            let message = format!("{field}: expected a zone such as Europe/Berlin, UTC or +02:00");
            Err(ApiError::bad(message).param(field))
        }
    }
}

/// The instant of a stated time, in ms since 1970 (UTC).
fn instant(field: &str, stated: Option<StatedTime>, system: &str) -> Result<Option<i64>, ApiError> {
    let Some(stated) = stated else { return Ok(None) };
    let wall = stated.wall(system, None);
    let none = || ApiError::bad(format!("{field}: the time zone `{system}` has no such time")).param(field);
    wall.map(|wall| Some(wall.at_ms)).ok_or_else(none)
}
