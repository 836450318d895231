//! What the model hub's cache holds: the check of its files, and the removal of models.

use super::pulling::named;
use crate::{
    agent::spec::{self, Spec},
    dialogue::Resource,
    error::Fault,
    hub::{
        Catalogue, HubError, WeightsSource,
        cache::CachedRepo,
        download::{DownloadProgress, FileWork, OnProgress},
        source::gguf_file,
        stored::{self, Removal, StoredRepo, StoredState},
    },
};
use serde::Serialize;
use std::path::PathBuf;

/// A snapshot whose files were checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedSnapshot {
    /// `org/name`
    pub repo: String,
    /// Its commit.
    pub commit: String,
    /// The branches and tags that pointed to it.
    pub revisions: Vec<String>,
    /// Its folder.
    pub path: PathBuf,
    /// Its files, by name.
    pub files: Vec<CheckedFile>,
}

/// A file that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedFile {
    /// Its name in the repository.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The digest that the hub stated.
    pub digest: Option<String>,
    /// What was found.
    #[serde(flatten)]
    pub state: StoredState,
}

/// A pin of the project that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedPin {
    /// The text that names the checkpoint.
    pub source: String,
    /// Why its files are not the pinned ones; null if they are.
    pub why: Option<String>,
}

/// The result of `models verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Verified {
    /// The snapshots.
    pub snapshots: Vec<CheckedSnapshot>,
    /// The pins of the trusted project, as far as their checkpoints are here.
    pub pins: Vec<CheckedPin>,
    /// Files that are damaged or missing, and pins that do not fit.
    pub wrong: usize,
}

/// Every repository of the cache.
pub fn all(catalogue: &Catalogue) -> Vec<StoredRepo> {
    stored::repos(&catalogue.settings.cache)
}

/// Compares every file of the named models, or of all, with its digest, and those of the project with its pins. Blocks.
/// Fails if a named model is not here, or a file cannot be read.
pub fn verify(names: &[String], catalogue: &Catalogue, on_progress: OnProgress<'_>) -> Result<Verified, Fault> {
    let sources = sources(names, catalogue)?;
    let repos = match names.is_empty() {
        true => all(catalogue),
        false => here(&sources, catalogue)?,
    };
    let mut found = Verified::default();
    for repo in repos {
        for snapshot in repo.snapshots {
            let mut files = Vec::new();
            for file in snapshot.files {
                let progress = |done| DownloadProgress {
                    repo: repo.repo.clone(),
                    file: file.name.clone(),
                    done,
                    total: Some(file.bytes),
                    doing: FileWork::Check,
                };
                on_progress(progress(0));
                let state = file.check().map_err(|error| {
                    Fault::failed(format!("{} of {} cannot be read: {error}", file.name, repo.repo))
                })?;
                on_progress(progress(file.bytes));
                found.wrong += usize::from(matches!(state, StoredState::Damaged { .. } | StoredState::Missing));
                files.push(CheckedFile { name: file.name, bytes: file.bytes, digest: file.digest, state });
            }
            let (commit, revisions, path) = (snapshot.commit, snapshot.revisions, snapshot.path);
            found.snapshots.push(CheckedSnapshot { repo: repo.repo.clone(), commit, revisions, path, files });
        }
    }
    let resolver = catalogue.resolver();
    let pinned = match names.is_empty() {
        true => project_sources(catalogue),
        false => sources,
    };
    for source in pinned {
        let WeightsSource::Hub { repo, .. } = &source else { continue };
        let Some(pin) = resolver.pin(&source)? else { continue };
        let root = CachedRepo::new(&resolver.hub.cache, repo).snapshot(&pin.commit);
        if root.is_dir() {
            let why = pin.check(&source, &root, &resolver.digests()).err().map(|error| error.message);
            found.wrong += usize::from(why.is_some());
            found.pins.push(CheckedPin { source: source.to_string(), why });
        }
    }
    Ok(found)
}

/// The checkpoints of the project's pins.
fn project_sources(catalogue: &Catalogue) -> Vec<WeightsSource> {
    let names = match catalogue.resolver().pins.as_deref() {
        Some(Ok(pins)) => pins.names(),
        _ => Vec::new(),
    };
    names.iter().filter_map(|name| WeightsSource::hub(name, None).ok()).collect()
}

fn sources(names: &[String], catalogue: &Catalogue) -> Result<Vec<WeightsSource>, Fault> {
    let mut sources = Vec::new();
    for name in names {
        sources.extend(named(name, catalogue)?.into_iter().map(|one| one.source));
    }
    Ok(sources)
}

/// The repositories of these sources, each once. Fails if one is not in the cache.
fn here(sources: &[WeightsSource], catalogue: &Catalogue) -> Result<Vec<StoredRepo>, Fault> {
    let mut repos: Vec<StoredRepo> = Vec::new();
    for source in sources {
        let WeightsSource::Hub { repo, revision, .. } = source else { continue };
        if repos.iter().any(|known| known.repo == *repo) {
            continue;
        }
        let mut found = stored::repo(&catalogue.settings.cache, repo);
        if revision != "main" {
            let commit = CachedRepo::new(&catalogue.settings.cache, repo).commit(revision);
            found.snapshots.retain(|snapshot| Some(&snapshot.commit) == commit.as_ref());
        }
        match found.snapshots.is_empty() {
            true => return Err(absent(source, catalogue).into()),
            false => repos.push(found),
        }
    }
    Ok(repos)
}

fn absent(source: &WeightsSource, catalogue: &Catalogue) -> HubError {
    HubError::new(
        format!("{source} is not in the hub's cache ({})", catalogue.settings.cache.display()),
        "`elenchus models list` shows what the cache holds",
    )
}

/// What the removal of these models takes away. Without a revision, all snapshots of a repository go. Fails if one is not
/// in the cache.
pub fn removals(names: &[String], catalogue: &Catalogue) -> Result<Vec<Removal>, Fault> {
    let cache = &catalogue.settings.cache;
    let mut found = Vec::new();
    for source in sources(names, catalogue)? {
        let WeightsSource::Hub { repo, revision, gguf } = &source else { continue };
        let revision = Some(revision.as_str()).filter(|revision| *revision != "main");
        let stored = stored::repo(cache, repo);
        let files = stored.snapshots.iter().flat_map(|snapshot| &snapshot.files).map(|file| file.name.as_str());
        let file = match gguf {
            Some(wanted) => {
                let mut names: Vec<&str> = files.collect();
                names.sort_unstable();
                names.dedup();
                Some(gguf_file(repo, wanted, names.into_iter()).map_err(|_| absent(&source, catalogue))?)
            }
            None => None,
        };
        let removal = stored::removal(cache, repo, revision, file).ok_or_else(|| absent(&source, catalogue))?;
        if !found.contains(&removal) {
            found.push(removal);
        }
    }
    Ok(found)
}

/// The agents whose weights are of this repository, by name.
pub fn users(repo: &str, catalogue: &Catalogue) -> Vec<String> {
    let uses = |name: &String| match spec::of(name, catalogue) {
        Ok(Spec::Local(local)) => {
            matches!(&local.source, WeightsSource::Hub { repo: own, .. } if own == repo)
        }
        _ => false,
    };
    catalogue.names(Resource::Agent).into_iter().filter(uses).collect()
}
