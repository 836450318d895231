//! Downloads of checkpoints for agents, casts and hub ids, with the pins of the project.

use crate::{
    agent::spec::{self, Spec},
    dialogue::{self, Resource},
    error::Fault,
    hub::{
        Catalogue, HubError, Pins, WeightsPath, WeightsSource,
        cache::{CachedRepo, file_names},
        checkpoint::{Origin, Resolver},
        download::{Downloader, OnProgress, PullPlan},
        listing,
        pins::{self, Pin},
        verdict::ways_out,
    },
    plan::closest_cast,
};
use serde::Serialize;
use std::path::PathBuf;

/// A checkpoint of the hub that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedModel {
    /// The agent that uses it; none for a hub id.
    pub agent: Option<String>,
    /// The repository. Always one of the hub.
    pub source: WeightsSource,
}

/// How to download.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PullOptions {
    /// Fail unless the project pins everything, and change no pin.
    pub locked: bool,
    /// Take what the hub has now, and pin it.
    pub update: bool,
    /// Check the files that are here, and download the damaged ones again.
    pub check: bool,
    /// Pin nothing that the project does not pin yet.
    pub no_new_pins: bool,
}

/// A checkpoint that is here now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pulled {
    /// The agent that uses it; null for a hub id.
    pub agent: Option<String>,
    /// `org/name@revision:FILE.gguf`
    pub source: String,
    /// The commit of its files.
    pub commit: String,
    /// The name of its licence; null if the repository states none, or if the hub was not asked.
    pub license: Option<String>,
    /// Its folder or file.
    pub path: PathBuf,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes that were downloaded.
    pub downloaded: u64,
    /// Files that were damaged and are replaced.
    pub replaced: Vec<String>,
    /// True if the project pins it.
    pub pinned: bool,
}

/// A download that is ready to begin: all sizes are known.
#[derive(Debug)]
pub struct Pulling {
    resolver: Resolver,
    options: PullOptions,
    downloader: Option<Downloader>,
    /// The pins of a trusted project, which may be empty.
    pins: Option<Pins>,
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    wanted: WantedModel,
    /// None if the checkpoint is here and the hub need not be asked.
    plan: Option<PullPlan>,
    pin: Option<Pin>,
}

/// What agents, hub ids and a cast name. Without any of them, the agents of the project. Fails for an agent whose weights
/// are not of the hub, unless the cast or the project names it.
pub fn wanted(names: &[String], cast: Option<&str>, catalogue: &Catalogue) -> Result<Vec<WantedModel>, Fault> {
    let mut all = Vec::new();
    for name in names {
        all.extend(named(name, catalogue)?);
    }
    let mut others = Vec::new();
    if let Some(cast) = cast {
        others = of_cast(cast, catalogue)?;
    } else if names.is_empty() {
        let project = catalogue.project.as_ref().ok_or_else(|| {
            Fault::refused("found neither a name nor a project")
                .hint("`elenchus models pull --cast laptop`, `elenchus models pull org/name`, or go to the folder of a project")
        })?;
        if !project.trusted {
            let why = "the agents of an untrusted project download nothing";
            return Err(Fault::refused(why).hint(ways_out(&project.folder)));
        }
        let agents = catalogue.listed(Resource::Agent).into_iter();
        others = agents.filter(|agent| agent.from == listing::From::Project).map(|agent| agent.name).collect();
    }
    for name in others {
        all.extend(of_agent(&name, catalogue)?);
    }
    let mut seen = Vec::new();
    all.retain(|one| {
        let is_new = !seen.contains(&one.source);
        seen.push(one.source.clone());
        is_new
    });
    Ok(all)
}

/// What a hub id or an agent names. Fails if it is neither, or if the agent's weights are not of the hub.
pub fn named(name: &str, catalogue: &Catalogue) -> Result<Vec<WantedModel>, Fault> {
    if name.contains(['/', ':', '@']) {
        return Ok(vec![WantedModel { agent: None, source: WeightsSource::hub(name, None)? }]);
    }
    let found = of_agent(name, catalogue)?;
    match found.is_empty() {
        true => Err(Fault::refused(format!("the weights of {name} are not of the model hub"))
            .hint("`elenchus models list` shows where they are; name a model of the hub as org/name")),
        false => Ok(found),
    }
}

/// The agents of a cast, each once.
fn of_cast(name: &str, catalogue: &Catalogue) -> Result<Vec<String>, Fault> {
    let found = catalogue.find(Resource::Cast, name).map_err(Fault::refused)?;
    let found = found
        .ok_or_else(|| Fault::refused(format!("no cast is named `{name}`")).hint(closest_cast(name, catalogue)))?;
    let cast = dialogue::cast(&found.text, &found.file).map_err(|problems| {
        let first = problems.first().map(|first| format!("{}:{}: {}", first.line, first.column, first.message));
        Fault::refused(format!("{}:{}", found.file, first.unwrap_or_else(|| "0: it cannot be read".to_owned())))
    })?;
    let mut agents: Vec<String> = Vec::new();
    for (_, agent) in cast.cast {
        if !agents.contains(&agent.value) {
            agents.push(agent.value);
        }
    }
    Ok(agents)
}

/// The checkpoints of an agent, as far as they are of the hub. A translator has two agents.
fn of_agent(name: &str, catalogue: &Catalogue) -> Result<Vec<WantedModel>, Fault> {
    let local = |spec: &Spec, name: &str| match spec {
        Spec::Local(local) if matches!(local.source, WeightsSource::Hub { .. }) => {
            Some(WantedModel { agent: Some(name.to_owned()), source: local.source.clone() })
        }
        _ => None,
    };
    match spec::of(name, catalogue)? {
        Spec::Translate(two) => {
            let mut found = Vec::new();
            for inner in [&two.eye, &two.words] {
                found.extend(local(&spec::of(inner, catalogue)?, inner));
            }
            Ok(found)
        }
        spec => Ok(local(&spec, name).into_iter().collect()),
    }
}

impl Pulling {
    /// Asks the hub what must be downloaded. Nothing is asked for a pinned checkpoint that is here. Fails if a repository
    /// cannot be used, before any weights are downloaded; all such failures are in one message.
    pub async fn prepare(
        wanted: Vec<WantedModel>,
        catalogue: &Catalogue,
        options: PullOptions,
    ) -> Result<Pulling, Fault> {
        let resolver = catalogue.resolver();
        let trusted = catalogue.project.as_ref().filter(|project| project.trusted);
        let pins = match (&resolver.pins, trusted) {
            (Some(pins), _) => Some((**pins).clone()?),
            (None, project) => project.map(|project| Pins::none(&project.folder)),
        };
        if options.locked {
            all_pinned(&wanted, pins.as_ref())?;
        }
        let downloader = if resolver.fetches() { Some(Downloader::new(resolver.hub.clone())?) } else { None };
        let (mut items, mut failed) = (Vec::new(), Vec::new());
        for one in wanted {
            let pin = pins.as_ref().and_then(|pins| pins.of(&one.source)).filter(|_| !options.update).cloned();
            match plan(&one, pin.as_ref(), &resolver, downloader.as_ref(), options).await {
                Ok(plan) => items.push(Item { wanted: one, plan, pin }),
                // the others would be asked in vain
                Err(error) if error.is_silent => return Err(error.into()),
                Err(error) => failed.push(error),
            }
        }
        match failed.len() {
            0 => {}
            1 => return Err(failed.remove(0).into()),
            count => {
                let lines: Vec<String> = failed.iter().map(HubError::line).collect();
                return Err(Fault::model(format!("{count} models cannot be downloaded: {}", lines.join("; "))));
            }
        }
        Ok(Pulling { resolver, options, downloader, pins, items })
    }

    /// What will be downloaded. A checkpoint that is here and pinned has no plan.
    pub fn plans(&self) -> impl Iterator<Item = (&WantedModel, Option<&PullPlan>)> {
        self.items.iter().map(|item| (&item.wanted, item.plan.as_ref()))
    }

    /// The text of `config.json` of a planned checkpoint; none if it is a GGUF file, or if the hub does not give it.
    pub async fn config(&self, plan: &PullPlan) -> Option<String> {
        self.downloader.as_ref()?.config(plan).await.ok()?
    }

    /// Bytes that must be downloaded.
    pub fn missing(&self) -> u64 {
        self.items.iter().filter_map(|item| item.plan.as_ref()).map(PullPlan::missing).sum()
    }

    /// The file of pins, if the pins change with this download or did.
    pub fn lock(&self) -> Option<PathBuf> {
        self.pins.as_ref().filter(|pins| pins.path().exists()).map(|pins| pins.path().to_owned())
    }

    /// Downloads everything, and pins it. Fails if the disk has no room, before anything is downloaded, or if a file
    /// differs from its pin.
    pub async fn run(&mut self, on_progress: OnProgress<'_>) -> Result<Vec<Pulled>, Fault> {
        if let Some(downloader) = &self.downloader {
            let plans: Vec<&PullPlan> = self.items.iter().filter_map(|item| item.plan.as_ref()).collect();
            downloader.has_room(&plans)?;
        }
        let (mut done, mut is_changed) = (Vec::new(), false);
        for item in &self.items {
            let mut pulled = match (&item.plan, &self.downloader) {
                (Some(plan), Some(downloader)) => {
                    let replaced = match self.options.check {
                        true => downloader.drop_damaged(plan, on_progress).await?,
                        false => Vec::new(),
                    };
                    let again = plan.files.iter().filter(|file| replaced.contains(&file.name));
                    let downloaded = plan.missing() + again.filter_map(|file| file.bytes).sum::<u64>();
                    let path = downloader.pull(plan, on_progress).await?;
                    item.pulled(path, plan.commit.clone(), plan.license.clone(), (plan.bytes(), downloaded), replaced)
                }
                _ => self.present(item)?,
            };
            // a model that is named by its id alone belongs to no agent of the project
            let may_pin = item.wanted.agent.is_some() && !self.options.no_new_pins;
            if let Some(pins) = &mut self.pins
                && (may_pin || pins.of(&item.wanted.source).is_some())
            {
                let pin = pin(&self.resolver, item, &pulled.commit).await?;
                is_changed |= pins.put(&item.wanted.source, pin);
                pulled.pinned = true;
            }
            done.push(pulled);
        }
        if let Some(pins) = self.pins.as_ref().filter(|_| is_changed && !self.options.locked) {
            pins.write()?;
        }
        Ok(done)
    }

    /// A checkpoint for which the hub was not asked.
    fn present(&self, item: &Item) -> Result<Pulled, Fault> {
        let found = self.resolver.local(&item.wanted.source, &Origin::Embedded("agents"))?;
        let commit = commit_of(&self.resolver, item);
        let root = cached(&self.resolver, &item.wanted.source).snapshot(&commit);
        let names = match &found {
            WeightsPath::Gguf(file) => vec![file.clone()],
            WeightsPath::Folder(_) => file_names(&root).iter().map(|name| root.join(name)).collect(),
        };
        let bytes = names.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|meta| meta.len()).sum();
        Ok(item.pulled(found, commit, None, (bytes, 0), Vec::new()))
    }
}

impl Item {
    fn pulled(
        &self,
        path: WeightsPath,
        commit: String,
        license: Option<String>,
        (bytes, downloaded): (u64, u64),
        replaced: Vec<String>,
    ) -> Pulled {
        Pulled {
            agent: self.wanted.agent.clone(),
            source: self.wanted.source.to_string(),
            commit,
            license,
            path: path.path().to_owned(),
            bytes,
            downloaded,
            replaced,
            pinned: false,
        }
    }
}

/// What to download for one checkpoint; `None` if the hub need not be asked.
async fn plan(
    wanted: &WantedModel,
    pin: Option<&Pin>,
    resolver: &Resolver,
    downloader: Option<&Downloader>,
    options: PullOptions,
) -> Result<Option<PullPlan>, HubError> {
    let WeightsSource::Hub { repo, revision, gguf } = &wanted.source else { return Ok(None) };
    let here = resolver.local(&wanted.source, &Origin::Embedded("agents"));
    match downloader {
        None => here.map(|_| None),
        Some(_) if pin.is_some() && here.is_ok() && !options.check => Ok(None),
        Some(downloader) => {
            let revision = pin.map_or(revision, |pin| &pin.commit);
            downloader.plan(repo, revision, gguf.as_deref()).await.map(Some)
        }
    }
}

/// Fails for a checkpoint that the project does not pin.
fn all_pinned(wanted: &[WantedModel], pins: Option<&Pins>) -> Result<(), Fault> {
    let unpinned: Vec<String> = wanted
        .iter()
        .filter(|one| pins.is_none_or(|pins| pins.of(&one.source).is_none()))
        .map(|one| one.source.to_string())
        .collect();
    match unpinned.is_empty() {
        true => Ok(()),
        false => Err(Fault::refused(format!("{} does not pin {}", pins::FILE, unpinned.join(", ")))
            .hint("`elenchus models pull` without --locked pins it, in the folder of a trusted project")),
    }
}

/// The pin of a downloaded checkpoint. Fails by name for a file that differs from the pin that the project has.
async fn pin(resolver: &Resolver, item: &Item, commit: &str) -> Result<Pin, Fault> {
    let (source, digests, commit) = (item.wanted.source.clone(), resolver.digests(), commit.to_owned());
    let root = cached(resolver, &source).snapshot(&commit);
    let known = item.pin.clone();
    let names = match (&item.plan, &known) {
        (Some(plan), _) => plan.names(),
        (None, Some(pin)) => pin.files.keys().cloned().collect(),
        (None, None) => file_names(&root),
    };
    let read = move || match known {
        Some(pin) => pin.check(&source, &root, &digests).map(|()| pin).map_err(Fault::from),
        None => Pin::of_files(&commit, &root, &names, &digests).map_err(Fault::from),
    };
    tokio::task::spawn_blocking(read).await.map_err(Fault::failed)?
}

fn cached(resolver: &Resolver, source: &WeightsSource) -> CachedRepo {
    let repo = if let WeightsSource::Hub { repo, .. } = source { repo } else { "" };
    CachedRepo::new(&resolver.hub.cache, repo)
}

/// The commit of a checkpoint in the cache.
fn commit_of(resolver: &Resolver, item: &Item) -> String {
    let revision = if let WeightsSource::Hub { revision, .. } = &item.wanted.source { revision } else { "main" };
    let pinned = item.pin.as_ref().map(|pin| pin.commit.clone());
    pinned.or_else(|| cached(resolver, &item.wanted.source).commit(revision)).unwrap_or_default()
}
