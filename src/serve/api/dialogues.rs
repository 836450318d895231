//! Dialogues: the list, and their graphs.

use super::super::{api_error::ApiError, body::QueryOf, state::SharedState};
use crate::plan::draw::{self, DrawOptions};
use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The dialogues.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct DialoguesReply {
    /// Their names.
    dialogues: Vec<String>,
    /// The one that answers `/api/ask`.
    answering: String,
    /// The cast of all dialogues, if the server has one in place of their own.
    cast: Option<String>,
}

/// Lists the dialogues.
pub(in crate::serve) async fn list(State(state): State<SharedState>) -> Json<DialoguesReply> {
    let (answering, cast) = (state.options.answering.clone(), state.options.cast.clone());
    Json(DialoguesReply { dialogues: state.dialogues(), answering, cast })
}

/// How a graph is drawn.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct GraphQuery {
    /// True draws the steps of called dialogues too.
    #[serde(default)]
    expand: bool,
}

/// Draws a dialogue as SVG.
pub(in crate::serve) async fn graph(
    State(state): State<SharedState>,
    Path(name): Path<String>,
    QueryOf(query): QueryOf<GraphQuery>,
) -> Result<Response, ApiError> {
    let session = state.session(&name).await?;
    let drawn = draw::svg(&session.plan, DrawOptions { expand: query.expand }).map_err(ApiError::bad)?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], drawn).into_response())
}
