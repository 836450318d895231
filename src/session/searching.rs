//! Searching the journal by words and by meaning: a small dialogue with the agents whose vectors the journal has.

use super::{DialogueSource, Engine, LoadOptions, Settings};
use crate::{
    agent::roster,
    error::Fault,
    hub::Network,
    plan::Plan,
    store::{index::IndexKey, journal::Journal, vectors::ModelDigest},
    value::{Media, Sense, Value},
};
use indexmap::IndexMap;
use serde_json::json;
use std::sync::Arc;

/// The maximum number of agents of a search: the ones that wrote last.
const MAX_AGENTS: usize = 4;

/// What is searched for, and where.
#[derive(Debug, Clone, Default)]
pub struct JournalSearch {
    /// The words.
    pub words: String,
    /// The media; all if empty.
    pub media: Vec<Arc<Media>>,
    /// The senses; all if empty.
    pub senses: Vec<Sense>,
    /// The time in ms since 1970 (UTC) after which nothing is found.
    pub as_of_ms: Option<i64>,
    /// The maximum number of hits.
    pub top: usize,
    /// Lines that are less than this many seconds apart are one event.
    pub apart_s: f64,
}

/// The agents whose vectors a journal has and that can be loaded as they were, and one line for each other one.
pub async fn embedders(
    journal: &Journal,
    engine: &Engine,
    source: &DialogueSource,
    loading: &LoadOptions,
) -> (Vec<String>, Vec<String>) {
    let mut indexes = journal.indexes();
    indexes.retain(|(_, about)| about.count > 0);
    indexes.sort_by_key(|(_, about)| std::cmp::Reverse(about.changed_ms));
    let mut models: IndexMap<ModelDigest, String> = IndexMap::new();
    models.extend(indexes.into_iter().map(|(IndexKey { model, .. }, about)| (model, about.agent)));
    models.truncate(MAX_AGENTS);
    let options = engine.options(&source.catalogue, &loading.device, &loading.listener);
    let (mut agents, mut others) = (Vec::new(), Vec::new());
    for (model, name) in models {
        match roster::load_one(&name, &options).await {
            Ok(agent) if ModelDigest::of(&agent.card().identity) == model => agents.push(name),
            Ok(_) => others.push(format!(
                "the vectors of an earlier `{name}` are left out; index again for those of the present one"
            )),
            Err(fault) => others.push(format!("the vectors of `{name}` are left out: {fault}")),
        }
    }
    (agents, others)
}

/// The dialogue that searches with these agents.
pub fn source(
    search: &JournalSearch,
    agents: &[String],
    settings: &Settings,
    network: Network,
) -> Result<DialogueSource, Fault> {
    let role = |n: usize| format!("embedder{}", n + 1);
    let cast: serde_json::Map<_, _> = agents.iter().enumerate().map(|(n, agent)| (role(n), json!(agent))).collect();
    let mut step = json!({ "for": "{{ words }}", "top": search.top, "apart": search.apart_s });
    if !agents.is_empty() {
        step["agent"] = (0..agents.len()).map(role).collect();
    }
    if !search.media.is_empty() {
        step["of"] = json!("{{ videos }}");
    }
    if !search.senses.is_empty() {
        step["senses"] = json!(format!("{{{{ {} }}}}", json!(search.senses)));
    }
    if let Some(at_ms) = search.as_of_ms {
        let instant = jiff::Timestamp::from_millisecond(at_ms).map_err(Fault::refused)?;
        step["as_of"] = json!(instant.to_string());
    }
    let mut inputs = json!({ "words": "text" });
    if !search.media.is_empty() {
        inputs["videos"] = json!("list of video");
    }
    let mut dialogue = json!({
        "version": 1,
        "dialogue": "search",
        "inputs": inputs,
        "steps": { "hits": { "search": step } },
        "answer": "{{ hits }}",
    });
    if !agents.is_empty() {
        dialogue["cast"] = cast.into();
    }
    // JSON is valid YAML
    DialogueSource::given("<search>", dialogue.to_string(), settings, network)
}

/// The inputs of that dialogue.
pub fn inputs(search: &JournalSearch, plan: &Plan) -> Result<crate::plan::Inputs, Fault> {
    let mut inputs = IndexMap::from([("words".to_owned(), Value::Text(search.words.clone()))]);
    if !search.media.is_empty() {
        let videos = search.media.iter().cloned().map(Value::Video).collect();
        inputs.insert("videos".to_owned(), Value::List(videos));
    }
    Ok(plan.bind(inputs)?)
}
