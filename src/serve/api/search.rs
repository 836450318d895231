//! `/api/search`: lines and frames that fit words, by the words and by their meaning.

use super::{
    super::{
        api_error::ApiError,
        body::Read,
        files,
        runs::{NewRun, start},
        state::SharedState,
    },
    instant, stated,
};
use crate::{
    error::Fault,
    plan::CompileOptions,
    session::{
        Session,
        searching::{FoundLine, HitRecord, JournalSearch, embedders, inputs, source},
    },
    value::Sense,
};
use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most hits of a search.
const MAX_HITS: usize = 1000;

/// A search.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct SearchBody {
    /// The words. They are found in any inflection and with one typing error, and by their meaning.
    words: String,
    /// The digests of the videos to search; all if absent.
    #[serde(default)]
    videos: Vec<String>,
    /// The senses to search; all if absent.
    #[serde(default)]
    senses: Vec<Sense>,
    /// Nothing later than this time (2026-11-23T21:00) is found.
    as_of: Option<String>,
    /// The maximum number of hits, 10 if absent.
    top: Option<usize>,
    /// Lines that are less than this many seconds apart are one event, 5 if absent.
    apart: Option<f64>,
    /// True searches for the words alone, without a model.
    #[serde(default)]
    words_only: bool,
}

/// The hits.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct SearchReply {
    /// The hits, the best first.
    hits: Vec<HitRecord>,
    /// What was left out of the search, one line each.
    notes: Vec<String>,
}

/// Searches the journal.
pub(in crate::serve) async fn search(
    State(state): State<SharedState>,
    Read(body): Read<SearchBody>,
) -> Result<Json<SearchReply>, ApiError> {
    Ok(Json(find(&state, body).await?))
}

/// What fits.
pub(in crate::serve) async fn find(state: &SharedState, body: SearchBody) -> Result<SearchReply, ApiError> {
    if !body.words.chars().any(char::is_alphanumeric) {
        return Err(ApiError::bad("the search contains no word").param("words"));
    }
    let top = body.top.unwrap_or(10);
    if !(1..=MAX_HITS).contains(&top) {
        return Err(ApiError::bad(format!("top: found {top}, expected 1 to {MAX_HITS}")).param("top"));
    }
    let apart_s = body.apart.unwrap_or(5.0);
    if !(apart_s >= 0.0 && apart_s.is_finite()) {
        return Err(ApiError::bad(format!("apart: found {apart_s}, expected 0 or more")).param("apart"));
    }
    let mut media = Vec::new();
    for digest in &body.videos {
        media.push(files::medium(state, digest).await?);
    }
    let settings = &state.engine.settings;
    let as_of_ms = instant("as_of", stated("as_of", body.as_of.as_deref())?, &settings.folders.zone)?;
    let search = JournalSearch { words: body.words, media, senses: body.senses, as_of_ms, top, apart_s };
    let network = settings.network(false);
    let (agents, notes) = match body.words_only {
        true => Default::default(),
        false => {
            let journal = state.with_journal(|journal| Ok(journal.clone())).await?;
            let bare = source(&search, &[], settings, network)?;
            embedders(&journal, &state.engine, &bare, &state.loading()).await
        }
    };
    let dialogue = source(&search, &agents, settings, network)?;
    let plan = dialogue.plan(&CompileOptions::default()).map_err(|problems| {
        Fault::failed(problems.first().map(|problem| problem.message.clone()).unwrap_or_default())
    })?;
    let session = Arc::new(Session::new(state.engine.clone(), &dialogue, plan));
    let inputs = inputs(&search, &session.plan)?;
    let new = NewRun {
        session,
        inputs,
        question: search.words,
        digests: Vec::new(),
        seed: 0,
        streamed: None,
        is_kept: false,
    };
    let found = start(state, new).await?.outcome().await?;
    let hits = FoundLine::all(&found.value)?;
    Ok(SearchReply { hits: hits.iter().map(HitRecord::from).collect(), notes })
}
