//! Runs: the last ones, what happened in each, and their transcripts.

use super::super::{api_error::ApiError, runs::RunRecord, state::SharedState};
use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as PlainJson};
use std::sync::Arc;

/// The last runs.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct RunsReply {
    /// The runs, the latest first.
    runs: Vec<RunRecord>,
}

/// A run.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct RunReply {
    /// The run.
    run: RunRecord,
    /// Role to agent.
    cast: Map<String, PlainJson>,
    /// The lines of its transcript that are exchanges: which model was asked what, and what it replied.
    exchanges: Vec<PlainJson>,
}

/// Lists the runs.
pub(in crate::serve) async fn list(State(state): State<SharedState>) -> Json<RunsReply> {
    Json(RunsReply { runs: state.runs.all() })
}

fn found(state: &SharedState, id: &str) -> Result<(RunRecord, Arc<[u8]>), ApiError> {
    let known = id.parse().ok().and_then(|id| state.runs.get(id));
    known.ok_or_else(|| ApiError::missing("there is no run with this number").hint("the server keeps the last 50"))
}

/// A run with its exchanges.
pub(in crate::serve) async fn one(
    State(state): State<SharedState>,
    Path(id): Path<String>,
) -> Result<Json<RunReply>, ApiError> {
    let (run, transcript) = found(&state, &id)?;
    let lines = transcript.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let lines: Vec<PlainJson> = lines.collect();
    let header = lines.first().and_then(|header| header["cast"].as_object()).into_iter().flatten();
    let cast = header.map(|(role, record)| (role.clone(), record["agent"].clone())).collect();
    let exchanges = lines.into_iter().filter(|line| line.get("request").is_some()).collect();
    Ok(Json(RunReply { run, cast, exchanges }))
}

/// The transcript of a run.
pub(in crate::serve) async fn transcript(
    State(state): State<SharedState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let (_, transcript) = found(&state, &id)?;
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], transcript.to_vec()).into_response())
}
