//! Endpoints in the form of OpenAI's API, so that programs written for it work with local agents and dialogues. A field that is not
//! supported is refused by its name, never ignored.

mod audio;
mod chat;
mod chat_body;
mod dialogue;
mod embeddings;
mod messages;
mod models;
mod parts;

use super::operation::{Operation, Routes};
use axum::routing::{get, post};

/// The routes.
pub(super) fn routes() -> Routes {
    let new = Operation::new;
    Routes::default()
        .with(
            new("get", "/v1/models", "The models: local agents by their names, and dialogues as `elenchus/NAME`.")
                .json::<models::ModelsReply>(),
            get(models::list),
        )
        .with(
            // the name of a dialogue has a slash
            new("get", "/v1/models/{*model}", "A model.").json::<models::ModelRecord>(),
            get(models::one),
        )
        .with(
            new(
                "post",
                "/v1/chat/completions",
                "The next message of a chat, by an agent or a dialogue; with `stream`, as events.",
            )
            .body::<chat_body::ChatBody>()
            .json::<chat::ChatReply>()
            .other("text/event-stream"),
            post(chat::chat),
        )
        .with(
            new("post", "/v1/embeddings", "Vectors of texts.")
                .body::<embeddings::EmbeddingsBody>()
                .json::<embeddings::EmbeddingsReply>(),
            post(embeddings::embeddings),
        )
        .with(
            new("post", "/v1/audio/transcriptions", "The text of speech.")
                .form::<audio::TranscriptionForm>()
                .json::<audio::VerboseTranscript>()
                .other("text/plain"),
            post(audio::transcriptions),
        )
}
