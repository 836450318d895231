//! The agents of a run: every agent of a plan is found and checked before the first exchange.

use super::{
    Agent,
    budget::{self, DeviceBudget, Need},
    journal::JournalAgent,
    list::nested,
    local::{LocalAgent, LocalSpec, needs_background, needs_own_labels},
    media::MediaAgent,
    outward::{Announcer, OnNetwork, Outward},
    person::{LineReader, PersonAgent},
    remote::{RemoteAgent, RemoteSpec},
    script::ScriptAgent,
    shared::SharedAgents,
    spec::{self, LocalConfig, Spec},
    translate::{TranslateAgent, TranslateSpec, needs_no_floor},
};
use crate::{
    error::{Fault, FaultKind},
    exchange::{Kind, Modalities, lacks},
    hub::{Catalogue, Network, WeightsPath, WeightsSource, download::DownloadProgress, verdict::plain},
    infer::{checkpoint::Checkpoint, worker::WorkerLimits},
    media::MediaStore,
    models,
    plan::{Plan, Role, USER},
    store::{TimingStore, VectorStore, journal::JournalPlace},
};
use futures_util::future::join_all;
use indexmap::IndexMap;
use std::{ffi::OsString, fmt, sync::Arc};

/// The settings for loading agents, besides the plan.
#[derive(Clone)]
pub struct RosterOptions {
    /// Finds agent files and checkpoints.
    pub catalogue: Catalogue,
    /// The device of all local agents; it replaces the device in their files.
    pub device: Option<String>,
    /// The maximum bytes of all agents together on one device. The free memory is a limit too.
    pub memory: Option<u64>,
    /// The source of pictures and sound.
    pub store: Arc<MediaStore>,
    /// The store of vectors of labels.
    pub vectors: VectorStore,
    /// The store of measured speeds.
    pub timings: TimingStore,
    /// The journal.
    pub journal: Arc<JournalPlace>,
    /// The local agents of this process, for all runs.
    pub shared: Arc<SharedAgents>,
    /// Reads the environment variables that `key_env` names.
    pub keys: FindKey,
    /// Asks a person.
    pub prompt: Arc<dyn LineReader>,
    /// A callback for the progress of downloads.
    pub on_progress: Arc<dyn Fn(DownloadProgress) + Send + Sync>,
    /// A callback for each transfer that is about to begin.
    pub on_network: OnNetwork,
}

/// Gives the value of the environment variable that a `key_env` names, if it is set.
pub type FindKey = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// Adds the agent's name to the fault of an agent that cannot get ready.
pub fn unready(agent: &str, fault: Fault) -> Fault {
    let kind = if fault.kind == FaultKind::Weights { FaultKind::Model } else { fault.kind };
    Fault { who: Some(format!("agent {agent}")), kind, ..fault }
}

/// The agents of a run by role, with the built-in `media` agent.
#[derive(Clone, Default)]
pub struct Roster {
    /// The agent of each role, in the order of the plan.
    pub agents: IndexMap<String, Arc<dyn Agent>>,
    /// The source of pictures and sound for all agents.
    pub store: Option<Arc<MediaStore>>,
    /// The memory of each device that a local agent uses.
    pub budgets: Vec<DeviceBudget>,
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.agents.iter().map(|(role, agent)| (role, agent.card()))).finish()
    }
}

impl Roster {
    /// Prepares every agent of the plan once. Fails with one fault for each agent that cannot answer (missing or
    /// damaged files, keys, memory). Weights are loaded when the first exchange is due that the memo does not have
    /// ([`Agent::ready`]).
    pub async fn load(plan: &Plan, options: &RosterOptions) -> Result<Roster, Vec<Fault>> {
        let mut wanted: IndexMap<&str, Vec<Kind>> = IndexMap::new();
        for role in plan.roles.values() {
            wanted.entry(&role.agent).or_default().extend(&role.kinds);
        }
        let names: Vec<&str> = wanted.keys().copied().collect();
        let (agents, budgets) = load_all(&names, options).await?;
        let mut unready = Vec::new();
        for (agent, kinds) in agents.iter().zip(wanted.values()) {
            unready.extend(unable(agent.as_ref(), kinds));
            let card = agent.card();
            let any = |wants: fn(&Role) -> bool| plan.roles.values().any(|role| wants(role) && role.agent == card.name);
            if any(|role| role.floor) && !agent.states_floors() {
                let translates = matches!(spec::of(&card.name, &options.catalogue), Ok(Spec::Translate(_)));
                let fault = if translates { needs_no_floor } else { needs_background };
                unready.push(fault(&card.name));
            }
            if any(|role| role.own_labels) && !card.own_labels {
                unready.push(needs_own_labels(&card.name));
            }
        }
        if !unready.is_empty() {
            return Err(unready);
        }
        let by_name: IndexMap<&str, Arc<dyn Agent>> = names.iter().copied().zip(agents).collect();
        let mut roles: IndexMap<String, Arc<dyn Agent>> =
            plan.roles.iter().map(|(role, played)| (role.clone(), by_name[played.agent.as_str()].clone())).collect();
        roles.insert(MediaAgent::NAME.to_owned(), Arc::new(MediaAgent::new(options.store.clone())));
        roles.insert(JournalAgent::NAME.to_owned(), Arc::new(JournalAgent::new(options.journal.clone())));
        if plan.block.questions().iter().any(|(question, _)| question.is_of_run) && !roles.contains_key(USER) {
            roles.insert(USER.to_owned(), Arc::new(PersonAgent::new(USER, None, options.prompt.clone())));
        }
        Ok(Roster { agents: roles, store: Some(options.store.clone()), budgets })
    }
}

/// Prepares one agent by its name.
pub async fn load_one(name: &str, options: &RosterOptions) -> Result<Arc<dyn Agent>, Fault> {
    match load_all(&[name], options).await {
        Ok((mut agents, _)) => Ok(agents.remove(0)),
        Err(mut unready) => Err(unready.remove(0)),
    }
}

/// The fault of an agent that does not answer one of the kinds.
fn unable(agent: &dyn Agent, kinds: &[Kind]) -> Option<Fault> {
    let card = agent.card();
    let lacking = kinds.iter().find_map(|kind| lacks(&card.answers, *kind, Modalities::default()));
    lacking.map(|why| unready(&card.name, Fault::model(why)))
}

/// The agents, in the order of their names, and the memory of their devices.
type LoadedAgents = (Vec<Arc<dyn Agent>>, Vec<DeviceBudget>);

/// An agent that is being loaded.
enum Stage {
    /// The agent can answer.
    Ready(Arc<dyn Agent>),
    /// The agent file of a local model was read.
    Configured(LocalConfig),
    /// The weights of a local model were found.
    Found(LocalConfig, WeightsPath),
    /// The agent file of a translator was read; its two agents are loaded with it.
    Joined(TranslateSpec),
}

async fn load_all(names: &[&str], options: &RosterOptions) -> Result<LoadedAgents, Vec<Fault>> {
    let asked = names.len();
    let (names, stages) = read_all(names, options)?;
    let names: &[&str] = &names.iter().map(String::as_str).collect::<Vec<_>>();
    let found = join_all(names.iter().zip(stages).map(|(name, stage)| find(name, stage, options))).await;
    let stages = all_or_errors(names, found)?;
    let _turn = options.shared.turn.lock().await;
    let budgets = fits(names, &stages, options)?;
    let mut joined: IndexMap<&str, TranslateSpec> = IndexMap::new();
    let mut single = Vec::new();
    for (name, stage) in names.iter().zip(stages) {
        match stage {
            Stage::Joined(two) => drop(joined.insert(*name, two)),
            stage => single.push((*name, stage)),
        }
    }
    let singles: Vec<&str> = single.iter().map(|(name, _)| *name).collect();
    let ready = join_all(single.into_iter().map(|(name, stage)| ready(name, stage, options))).await;
    let ready: IndexMap<&str, Arc<dyn Agent>> = singles.iter().copied().zip(all_or_errors(&singles, ready)?).collect();
    let agent = |name: &&str| match joined.get(name) {
        None => Ok(ready[name].clone()),
        Some(two) => {
            let (eye, words) = (ready[two.eye.as_str()].clone(), ready[two.words.as_str()].clone());
            let agent = TranslateAgent::new(name, two, eye, words, options.vectors.clone())?;
            Ok(Arc::new(agent) as Arc<dyn Agent>)
        }
    };
    let agents = names[..asked].iter().map(agent).collect();
    Ok((all_or_errors(&names[..asked], agents)?, budgets))
}

/// The agent files of `names`, followed by those that their translators name. Each is there once.
fn read_all(names: &[&str], options: &RosterOptions) -> Result<(Vec<String>, Vec<Stage>), Vec<Fault>> {
    let mut all: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut stages = all_or_errors(names, names.iter().map(|name| read(name, options)).collect())?;
    let mut faults = Vec::new();
    for (stage, name) in names.iter().enumerate() {
        let Stage::Joined(two) = &stages[stage] else { continue };
        for inner in [two.eye.clone(), two.words.clone()] {
            let known = all.iter().position(|known| *known == inner);
            let found = match known {
                Some(known) if matches!(stages[known], Stage::Joined(_)) => Err(Fault::refused(nested(&inner))),
                Some(_) => continue,
                None => read(&inner, options),
            };
            match found {
                Ok(Stage::Joined(_)) => faults.push(unready(name, Fault::refused(nested(&inner)))),
                Ok(stage) => {
                    all.push(inner);
                    stages.push(stage);
                }
                Err(fault) => faults.push(unready(name, fault)),
            }
        }
    }
    if faults.is_empty() { Ok((all, stages)) } else { Err(faults) }
}

/// All values, or every fault with its agent's name.
fn all_or_errors<T>(names: &[&str], results: Vec<Result<T, Fault>>) -> Result<Vec<T>, Vec<Fault>> {
    let (mut values, mut faults) = (Vec::new(), Vec::new());
    for (name, result) in names.iter().zip(results) {
        match result {
            Ok(value) => values.push(value),
            Err(error) => faults.push(unready(name, error)),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

/// Reads the agent file. An agent without weights is ready afterwards.
fn read(name: &str, options: &RosterOptions) -> Result<Stage, Fault> {
    Ok(match spec::of(name, &options.catalogue)? {
        Spec::Local(config) => Stage::Configured(config),
        Spec::Remote(spec) => Stage::Ready(Arc::new(remote(spec, options)?)),
        Spec::Translate(two) => Stage::Joined(two),
        Spec::Script(script) => Stage::Ready(Arc::new(ScriptAgent::new(name, script))),
        Spec::Person { greeting } => Stage::Ready(Arc::new(PersonAgent::new(name, greeting, options.prompt.clone()))),
    })
}

/// An agent behind an endpoint. Fails if the network is off.
fn remote(spec: RemoteSpec, options: &RosterOptions) -> Result<RemoteAgent, Fault> {
    if options.catalogue.network == Network::Off {
        let why = format!("--offline refuses its endpoint {}", plain(&spec.url));
        return Err(Fault::refused(why));
    }
    let announcer = Announcer::new(&spec, options.on_network.clone());
    Ok(RemoteAgent::new(spec, &*options.keys, options.store.clone())?.announced_by(announcer))
}

/// Finds the checkpoint, and downloads it if it is missing and downloads are allowed.
async fn find(name: &str, stage: Stage, options: &RosterOptions) -> Result<Stage, Fault> {
    let Stage::Configured(config) = stage else { return Ok(stage) };
    let resolver = options.catalogue.resolver();
    if let WeightsSource::Hub { repo, .. } = &config.source
        && resolver.fetches()
        && resolver.local(&config.source, &config.origin).is_err()
    {
        (options.on_network)(&Outward::download(name, repo, &options.catalogue.settings));
    }
    let found = resolver.resolve(&config.source, &config.origin, &*options.on_progress).await?;
    Ok(Stage::Found(config, found))
}

/// Fails if an agent alone does not fit into memory. Agents that do not fit together, and with those of other runs, take
/// turns. Each agent is counted once.
fn fits(names: &[&str], stages: &[Stage], options: &RosterOptions) -> Result<Vec<DeviceBudget>, Vec<Fault>> {
    let mut own = Vec::new();
    for (name, stage) in names.iter().zip(stages) {
        let Stage::Found(config, checkpoint) = stage else { continue };
        own.extend(need(name, config, checkpoint, options).map(|need| (spec(name, config, checkpoint, options), need)));
    }
    let (others, held) = options.shared.needs(|spec| own.iter().any(|(own, _)| own == spec));
    let own: Vec<Need> = own.into_iter().map(|(_, need)| need).collect();
    // agents that are loaded already take memory that is not free, but they are counted among the needs
    let free = |device: &str| Some(budget::free_on(device)? + held.get(device).copied().unwrap_or_default());
    let budgets = budget::check(&own, &others, free, options.memory).map_err(|problems| {
        problems.into_iter().map(|(message, hint)| Fault::model(message).hint(hint)).collect::<Vec<_>>()
    })?;
    for budget in &budgets {
        options.shared.pool.set_room(&budget.device, budget.room);
        budget.note().iter().for_each(|note| tracing::warn!("{note}"));
    }
    Ok(budgets)
}

/// The memory that an agent needs; none if a file cannot be read, which the loader reports later.
fn need(name: &str, config: &LocalConfig, checkpoint: &WeightsPath, options: &RosterOptions) -> Option<Need> {
    let device = device(config, options);
    let device = if device == "auto" { crate::infer::device::automatic() } else { &device }.to_owned();
    // Models compute in f32 on the CPU by default, whatever the number format of the file is. Matrices may stay narrower.
    let bytes_each = match config.dtype.as_deref() {
        Some("f32" | "int8") => Some(4),
        Some(_) => Some(2),
        None if device == "cpu" => Some(4),
        None => None,
    };
    let narrow = device == "cpu" && !is_packed(config, checkpoint);
    let weights = budget::weights(checkpoint, bytes_each, narrow).ok()?;
    Some(Need { agent: name.to_owned(), device, weights })
}

/// True if the matrices of a checkpoint are packed in f32, whatever their number format in the file is.
fn is_packed(config: &LocalConfig, checkpoint: &WeightsPath) -> bool {
    let family = |checkpoint: Checkpoint| models::family(config.family.as_deref(), &checkpoint.config);
    let family = Checkpoint::open(checkpoint.path()).and_then(family);
    family.is_ok_and(|family| family.packing.packs())
}

/// The device that an agent is loaded on.
fn device(config: &LocalConfig, options: &RosterOptions) -> String {
    let asked = options.device.clone().or_else(|| config.device.clone()).filter(|device| device != "auto");
    asked.unwrap_or_else(|| "auto".to_owned())
}

/// The settings to load a checkpoint with.
fn spec(name: &str, config: &LocalConfig, checkpoint: &WeightsPath, options: &RosterOptions) -> LocalSpec {
    LocalSpec {
        name: name.to_owned(),
        path: checkpoint.path().to_owned(),
        device: Some(device(config, options)),
        family: config.family.clone(),
        dtype: config.dtype.clone(),
        kv_cache: config.kv_cache,
        decode: config.decoding.clone(),
        limits: limits(config.batch, config.queue),
        context_tokens: config.context_tokens,
        picture_pixels: config.picture_pixels,
        hearing: config.hearing.clone(),
        digests: options.catalogue.folders.digests(),
        vectors: options.vectors.clone(),
        timings: options.timings.clone(),
    }
}

/// Prepares a local agent, or takes it from another run. Its weights are loaded later.
async fn ready(name: &str, stage: Stage, options: &RosterOptions) -> Result<Arc<dyn Agent>, Fault> {
    match stage {
        Stage::Ready(agent) => Ok(agent),
        Stage::Found(config, checkpoint) => {
            let spec = spec(name, &config, &checkpoint, options);
            if let Some(agent) = options.shared.find(&spec) {
                return Ok(agent);
            }
            let need = need(name, &config, &checkpoint, options);
            let pool = &options.shared.pool;
            let agent = LocalAgent::prepare_in(spec, options.store.clone(), pool, need.as_ref()).await?;
            let agent = Arc::new(agent);
            if let Some(need) = need {
                options.shared.add(need, &agent);
            }
            Ok(agent)
        }
        Stage::Joined(_) | Stage::Configured(_) => {
            Err(Fault::model(format!("the weights of {name} were not searched: this is a bug")))
        }
    }
}

fn limits(batch: Option<usize>, queue: Option<usize>) -> WorkerLimits {
    let own = WorkerLimits::default();
    WorkerLimits { batch: batch.unwrap_or(own.batch).max(1), queue: queue.unwrap_or(own.queue).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hub::{Folders, HubSettings, Project, ProjectSearch},
        prompt::Template,
    };

    /// A reader without a terminal.
    struct Nobody;

    #[async_trait::async_trait]
    impl LineReader for Nobody {
        fn given(&self, _: &str) -> Option<String> {
            None
        }
        async fn line(&self, _: &str) -> Result<String, String> {
            Err("no terminal is attached".into())
        }
    }

    /// Loads the agents of a plan with these roles (role, agent, kinds) in a project with these agent files, and checks
    /// the result.
    async fn check(files: &[(&str, &str)], roles: &[(&str, &str, &[Kind])], expected: &str) {
        check_as(true, Network::Agents, files, roles, expected).await;
    }

    /// The same in a project that is trusted or not.
    async fn check_as(
        trusted: bool,
        network: Network,
        files: &[(&str, &str)],
        roles: &[(&str, &str, &[Kind])],
        expected: &str,
    ) {
        let folder = tempfile::tempdir().expect("temp");
        let real = std::fs::canonicalize(folder.path()).expect("there");
        std::fs::create_dir(folder.path().join("agents")).expect("made");
        std::fs::create_dir_all(folder.path().join("cache/models/own")).expect("made");
        for (name, text) in files {
            std::fs::write(folder.path().join(format!("agents/{name}.yaml")), text).expect("written");
        }
        let cache = real.join("cache");
        let settings = HubSettings {
            cache: cache.clone(),
            endpoint: "http://x".into(),
            token: None,
            offline: true,
            ..HubSettings::default()
        };
        let options = RosterOptions {
            catalogue: Catalogue::new(
                ProjectSearch { project: Some(Project { folder: real.clone(), trusted }), passed_over: None },
                Folders {
                    config: real.join("config"),
                    models: cache.join("models"),
                    cache,
                    home: Some(real.clone()),
                    ..Folders::default()
                },
                settings,
                network,
            ),
            device: Some("cpu".into()),
            memory: None,
            store: Arc::new(MediaStore::new(crate::media::MediaLimits::default())),
            vectors: VectorStore::default(),
            timings: TimingStore::default(),
            journal: Arc::default(),
            shared: Arc::default(),
            keys: Arc::new(|_| None),
            prompt: Arc::new(Nobody),
            on_progress: Arc::new(|_| {}),
            on_network: Arc::new(|_| {}),
        };
        let role = |(role, agent, kinds): &(&str, &str, &[Kind])| {
            (
                (*role).to_owned(),
                Role {
                    agent: (*agent).to_owned(),
                    kinds: kinds.to_vec(),
                    floor: false,
                    own_labels: false,
                    choices: false,
                },
            )
        };
        let plan = Plan {
            about: None,
            warnings: Vec::new(),
            notes: Vec::new(),
            name: "test".into(),
            sources: IndexMap::new(),
            inputs: IndexMap::new(),
            roles: roles.iter().map(role).collect(),
            cast: IndexMap::new(),
            block: Arc::default(),
            answer: Template::parse("done").expect("a template"),
        };
        let found = match Roster::load(&plan, &options).await {
            Ok(roster) => roster.agents.iter().map(|(role, agent)| format!("{role}: {}", agent.card().name)).collect(),
            Err(faults) => {
                let hint =
                    |fault: &Fault| fault.hint.as_ref().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
                faults.iter().map(|fault| format!("{fault}{}", hint(fault))).collect::<Vec<_>>()
            }
        };
        let shown = found.join("\n").replace(&real.display().to_string(), "DIR");
        assert_eq!(shown, expected);
    }

    #[tokio::test]
    async fn each_agent_is_loaded_together_with_media() {
        let files = [("judge", "person: {}"), ("parrot", "script: [hello]")];
        let roles: [(&str, &str, &[Kind]); 3] =
            [("a", "parrot", &[Kind::Say]), ("b", "judge", &[Kind::Say, Kind::Rank]), ("c", "parrot", &[Kind::Hear])];
        check(&files, &roles, "a: parrot\nb: judge\nc: parrot\nmedia: media\njournal: journal").await;
    }

    #[tokio::test]
    async fn every_agent_that_is_not_ready_is_named() {
        let files = [
            ("far", "endpoint: { url: 'http://localhost:1', model: m, key_env: ELENCHUS_TEST_NO_SUCH_KEY }"),
            ("odd", "modle: {}"),
            ("ok", "script: [hello]"),
        ];
        let say: &[Kind] = &[Kind::Say];
        let expected = "agent far: the environment variable ELENCHUS_TEST_NO_SUCH_KEY (`key_env`) is not set; it must hold the key";
        check(&files, &[("a", "far", say), ("c", "ok", say)], expected).await;
        let files = [("gone", "model: { path: nowhere }"), ("hub", "model: { hub: org/name }")];
        let expected = "agent gone: the checkpoint DIR/agents/nowhere does not exist (hint: put it into your folder of models, \
            DIR/cache/models, or set ELENCHUS_MODELS to the folder that contains it; a relative path is relative to the agent file or to that folder)\n\
            agent hub: org/name is not in the hub's cache (DIR/cache/models--org--name) (hint: `elenchus models pull org/name` without HF_HUB_OFFLINE downloads it; or copy that \
            folder from a machine that has it; or put the checkpoint anywhere and name its folder as `path`)";
        check(&files, &[("a", "gone", say), ("b", "hub", say)], expected).await;
    }

    #[tokio::test]
    async fn an_untrusted_project_sends_and_downloads_nothing() {
        let files = [
            ("far", "endpoint: { url: 'http://localhost:1', model: m, key_env: PATH }"),
            ("hub", "model: { hub: org/name }"),
            ("out", "model: { path: ../../elsewhere }"),
            ("root", "model: { gguf: /elsewhere.gguf }"),
            ("mine", "model: { path: own }"),
            ("ok", "script: [hello]"),
        ];
        let say: &[Kind] = &[Kind::Say];
        let roles = [
            ("a", "far", say),
            ("b", "hub", say),
            ("c", "out", say),
            ("d", "root", say),
            ("m", "mine", say),
            ("e", "ok", say),
        ];
        let out = "`elenchus trust DIR` trusts the folder, --trust does so for one run";
        let expected = format!(
            "agent far: DIR/agents/far.yaml is refused: it names the endpoint http://localhost:1 and the key in PATH, and only a \
             trusted project may use an endpoint; {out}\n\
             agent hub: DIR/agents/hub.yaml is refused: it names org/name, and only a trusted project may download models; {out}\n\
             agent out: DIR/agents/out.yaml is refused: the weights at ../../elsewhere: it lies outside its project, which is not trusted; {out}\n\
             agent root: DIR/agents/root.yaml is refused: the weights at /elsewhere.gguf: it lies outside its project, which is not trusted; {out}\n\
             agent mine: DIR/agents/mine.yaml is refused: own is in your folder of models, and only a trusted project may use it; {out}"
        );
        check_as(false, Network::All, &files, &roles, &expected).await;
        let expected = "agent far: --offline refuses its endpoint http://localhost:1";
        check_as(true, Network::Off, &files[..1], &roles[..1], expected).await;
        check_as(false, Network::Off, &files[5..], &roles[5..], "e: ok\nmedia: media\njournal: journal").await;
    }

    #[tokio::test]
    async fn an_unsupported_kind_of_request_is_reported_before_the_run() {
        let files = [("judge", "person: {}")];
        let kinds: &[Kind] = &[Kind::Hear, Kind::Say];
        check(
            &files,
            &[("ear", "judge", kinds)],
            "agent judge: it cannot answer `hear`; it answers only say (text, image, sound), rank (text, image, sound), ask_user (text, image, sound)",
        )
        .await;
    }
}
