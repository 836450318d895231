//! `/v1/models`: agents and dialogues as models.

use super::super::{api_error::ApiError, state::SharedState};
use axum::{
    Json,
    extract::{Path, State},
};
use schemars::JsonSchema;
use serde::Serialize;

/// Dialogues as models begin with this.
pub(super) const DIALOGUES: &str = "elenchus/";

/// A model.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::serve) struct ModelRecord {
    /// Its name.
    id: String,
    /// Always `model`.
    object: &'static str,
    /// When it was made, in s since 1970; unknown, so 0.
    created: u64,
    /// Always `elenchus`.
    owned_by: &'static str,
}

/// All models.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct ModelsReply {
    /// Always `list`.
    object: &'static str,
    /// The models.
    data: Vec<ModelRecord>,
}

fn record(id: String) -> ModelRecord {
    ModelRecord { id, object: "model", created: 0, owned_by: "elenchus" }
}

fn names(state: &SharedState) -> impl Iterator<Item = String> {
    let dialogues = state.dialogues().into_iter().map(|name| format!("{DIALOGUES}{name}"));
    state.present_agents().into_iter().chain(dialogues)
}

/// Lists the models.
pub(in crate::serve) async fn list(State(state): State<SharedState>) -> Json<ModelsReply> {
    Json(ModelsReply { object: "list", data: names(&state).map(record).collect() })
}

/// A model.
pub(in crate::serve) async fn one(
    State(state): State<SharedState>,
    Path(name): Path<String>,
) -> Result<Json<ModelRecord>, ApiError> {
    let found = names(&state).find(|known| *known == name);
    found.map(|name| Json(record(name))).ok_or_else(|| ApiError::missing("no model has this name").param("model"))
}
