//! What all requests share: the engine, the sessions of the dialogues that were asked, and the limits.

use super::{
    api::Conversations,
    api_error::{ApiError, printable},
    door::Door,
    gate::Gate,
    library::VideoLibrary,
    metrics::Metrics,
    runs::RunLog,
    thumbnails::Thumbnails,
};
use crate::{
    agent::{Agent, journal::JournalAgent, person::LineReader, roster},
    dialogue::Resource,
    error::Fault,
    hub::Catalogue,
    plan::CompileOptions,
    run::{Agents, Cancel},
    session::{DialogueSource, Engine, Listener, LoadOptions, Session},
    store::journal::Journal,
};
use async_trait::async_trait;
use axum::http::StatusCode;
use serde_json::Value as Json;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Mutex;

/// The shared state, as handlers get it.
pub(super) type SharedState = Arc<ServerState>;

/// The limits of a server.
#[derive(Debug, Clone)]
pub struct ServeLimits {
    /// Runs at the same time.
    pub runs: usize,
    /// Requests that wait for a run.
    pub queue: usize,
    /// The longest body, in bytes.
    pub body: u64,
    /// The time for a body to arrive.
    pub body_time: Duration,
    /// The time for a run.
    pub run_time: Duration,
    /// The time for the headers of a request to arrive.
    pub head_time: Duration,
    /// Connections at the same time.
    pub connections: usize,
}

impl Default for ServeLimits {
    fn default() -> ServeLimits {
        ServeLimits {
            runs: 2,
            queue: 16,
            body: 256_000_000,
            body_time: Duration::from_secs(60),
            run_time: Duration::from_secs(600),
            head_time: Duration::from_secs(10),
            connections: 512,
        }
    }
}

/// What a server serves.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// The cast of all dialogues, in place of their own.
    pub cast: Option<String>,
    /// The device of all local agents.
    pub device: String,
    /// The maximum bytes of all agents together on one device.
    pub memory: Option<u64>,
    /// The folders whose videos may be indexed.
    pub folders: Vec<PathBuf>,
    /// The dialogue that answers questions.
    pub answering: String,
    /// The dialogue that looks at videos.
    pub looking: String,
    /// The limits.
    pub limits: ServeLimits,
}

/// What all requests share.
pub(super) struct ServerState {
    pub engine: Arc<Engine>,
    pub options: ServeOptions,
    pub door: Door,
    pub gate: Gate,
    pub metrics: Metrics,
    pub runs: RunLog,
    pub library: VideoLibrary,
    pub thumbnails: Thumbnails,
    pub conversations: Conversations,
    /// The description of the API.
    pub openapi: Json,
    /// Stops all runs.
    pub cancel: Cancel,
    /// The names of dialogues, agents and all else that can be named.
    pub catalogue: Catalogue,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    /// The agents of the last run of each dialogue that left nothing behind, so that they stay loaded.
    passing_agents: Mutex<HashMap<String, Agents>>,
}

/// A server has nobody to ask.
struct Nobody;

#[async_trait]
impl LineReader for Nobody {
    fn given(&self, _: &str) -> Option<String> {
        None
    }

    async fn line(&self, _: &str) -> Result<String, String> {
        Err("a server cannot ask a person".to_owned())
    }
}

impl ServerState {
    /// The state of a server. Fails if the list of trusted folders cannot be read.
    pub(super) fn new(
        engine: Arc<Engine>,
        options: ServeOptions,
        library: VideoLibrary,
        door: Door,
        openapi: Json,
        cancel: Cancel,
    ) -> Result<ServerState, Fault> {
        let limits = &options.limits;
        let catalogue = engine.settings.catalogue(Path::new("."), engine.settings.network(false))?;
        Ok(ServerState {
            gate: Gate::new(limits.runs, limits.queue, limits.run_time),
            metrics: Metrics::new(),
            runs: RunLog::default(),
            library,
            thumbnails: Thumbnails::default(),
            conversations: Conversations::default(),
            passing_agents: Mutex::default(),
            sessions: Mutex::default(),
            engine,
            options,
            door,
            openapi,
            cancel,
            catalogue,
        })
    }

    /// The state of a server that nobody reaches over the network.
    #[cfg(feature = "mcp")]
    pub(super) fn without_door(
        engine: Arc<Engine>,
        options: ServeOptions,
        cancel: Cancel,
    ) -> Result<ServerState, Fault> {
        let door = Door::new(None, Vec::new(), 0, Box::new(|_| {}));
        let library = VideoLibrary::new(&options.folders)?;
        ServerState::new(engine, options, library, door, Json::Null, cancel)
    }

    /// How agents are loaded.
    pub(super) fn loading(&self) -> LoadOptions {
        let listener = Listener {
            on_download: Arc::new(|_| {}),
            on_network: Arc::new(|outward| tracing::info!("{outward}")),
            prompt: Arc::new(Nobody),
        };
        LoadOptions { device: self.options.device.clone(), memory: self.options.memory, listener }
    }

    /// The session of a dialogue that is served: one that comes with the program, is in the user's own folders, or belongs to a trusted
    /// project. Agents are loaded at its first run.
    pub(super) async fn session(&self, name: &str) -> Result<Arc<Session>, ApiError> {
        let mut sessions = self.sessions.lock().await;
        if let Some(session) = sessions.get(name) {
            return Ok(session.clone());
        }
        let session = Arc::new(self.session_of(name, self.engine.clone())?);
        sessions.insert(name.to_owned(), session.clone());
        Ok(session)
    }

    /// A session for one run that must leave nothing in the journal. The agents stay loaded for the next one.
    pub(super) async fn passing_session(&self, name: &str) -> Result<Arc<Session>, ApiError> {
        let session = self.session_of(name, Arc::new(self.engine.passing()))?;
        let agents = session.load(&self.loading()).await?.agents.clone();
        // the journal's agent has the lines of this run
        let stays = agents.into_iter().filter(|(role, _)| role != JournalAgent::NAME).collect();
        self.passing_agents.lock().await.insert(name.to_owned(), stays);
        Ok(Arc::new(session))
    }

    fn session_of(&self, name: &str, engine: Arc<Engine>) -> Result<Session, ApiError> {
        let known = self.dialogues();
        if !known.iter().any(|known| known == name) {
            return Err(unknown("dialogue", name, &known));
        }
        let settings = &self.engine.settings;
        let source = DialogueSource::find(name, settings, settings.network(false))?;
        source.check_cast(self.options.cast.as_deref())?;
        let cast = source.cast(self.options.cast.as_deref())?;
        let options = CompileOptions { cast: cast.clone(), ..CompileOptions::default() };
        let plan = source.plan(&options).map_err(|problems| {
            let first = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
            ApiError::new(StatusCode::CONFLICT, "refused", format!("the dialogue `{name}` cannot run: {first}"))
                .hint(format!("`elenchus check {name}` shows every problem"))
        })?;
        Ok(Session::new(engine, &source, plan).with_calibration(cast.as_deref())?)
    }

    /// The names of the dialogues that are served.
    pub(super) fn dialogues(&self) -> Vec<String> {
        self.trusted(Resource::Dialogue)
    }

    /// The names of the agents that can be asked alone.
    pub(super) fn agents(&self) -> Vec<String> {
        self.trusted(Resource::Agent)
    }

    /// Those of them whose weights are here.
    pub(super) fn present_agents(&self) -> Vec<String> {
        let is_here = |name: &String| crate::agent::list::agent(name, &self.catalogue).present;
        self.agents().into_iter().filter(is_here).collect()
    }

    /// The names that mean a file of the program, of the user, or of a trusted project.
    fn trusted(&self, kind: Resource) -> Vec<String> {
        let is_trusted =
            |name: &String| matches!(self.catalogue.find(kind, name), Ok(Some(found)) if found.stranger.is_none());
        self.catalogue.names(kind).into_iter().filter(is_trusted).collect()
    }

    /// An agent that is asked alone. Fails if there is none of this name, or if it cannot be loaded.
    pub(super) async fn agent(&self, name: &str) -> Result<Arc<dyn Agent>, ApiError> {
        if !self.agents().iter().any(|known| known == name) {
            return Err(unknown("model", name, &self.agents()));
        }
        let loading = self.loading();
        let options = self.engine.options(&self.catalogue, &loading.device, &loading.listener);
        Ok(roster::load_one(name, &options).await?)
    }

    /// The journal. Blocks while it is opened for the first time.
    pub(super) fn journal(&self) -> Result<Journal, Fault> {
        Ok(self.engine.journal().open()?)
    }

    /// Work with the journal on a thread that may block.
    pub(super) async fn with_journal<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Journal) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, ApiError> {
        let state = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&state.journal()?)).await;
        Ok(done.map_err(|error| Fault::failed(error.to_string()))??)
    }
}

/// The refusal of a name that means nothing here.
fn unknown(what: &str, name: &str, known: &[String]) -> ApiError {
    let shown = printable(name, 80);
    let refusal = ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("no {what} is named `{shown}`"));
    match crate::problem::closest(name, known.iter().map(String::as_str)) {
        Some(hint) => refusal.hint(hint),
        None => refusal,
    }
}
