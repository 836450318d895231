//! The data of `elenchus models`: the model families, the agents that were found, and the places of their checkpoints.

use super::{
    budget,
    spec::{self, LocalConfig, Spec},
};
use crate::{
    dialogue::{self, Resource},
    hub::{Catalogue, HubError, WeightsPath, WeightsSource, checkpoint::Origin, embedded},
    models,
};
use serde::Serialize;
use std::path::PathBuf;

/// A model family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FamilyRow {
    /// The name in `family:` of an agent file.
    pub name: &'static str,
    /// A description in one line.
    pub about: &'static str,
    /// The kinds of request that its models answer.
    pub kinds: Vec<&'static str>,
}

/// An agent that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentRow {
    /// The name: `NAME` of `agents/NAME.yaml`.
    pub name: String,
    /// The description in its file.
    pub about: Option<String>,
    /// `model`, `endpoint`, `translate`, `script` or `person`; `broken` for a file that cannot be read.
    pub sort: &'static str,
    /// The kinds of request that it answers, if they are known without loading it.
    pub kinds: Vec<&'static str>,
    /// The place of its weights, or its address.
    pub place: String,
    /// Bytes of its weights, if they are on this machine.
    pub bytes: Option<u64>,
    /// True if it can be used without a download, and its project may use it.
    pub present: bool,
    /// The reason why it cannot be used.
    pub note: Option<String>,
    /// The remedy.
    pub hint: Option<String>,
}

/// Every family.
pub fn families() -> Vec<FamilyRow> {
    let row = |family: &models::Family| FamilyRow {
        name: family.name,
        about: family.about,
        kinds: family.answers.iter().map(|answers| answers.kind.word()).collect(),
    };
    models::FAMILIES.iter().map(row).collect()
}

/// Every agent that the catalogue finds, by name. Nothing is downloaded, unpacked or loaded.
pub fn agents(catalogue: &Catalogue) -> Vec<AgentRow> {
    catalogue.names(Resource::Agent).iter().map(|name| agent(name, catalogue)).collect()
}

/// One role of a cast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CastRow {
    /// The role.
    pub role: String,
    /// The agent of the role.
    #[serde(flatten)]
    pub agent: AgentRow,
}

/// The agents of the cast `name`, in the order of its file. Fails if the cast does not exist or has a mistake.
pub fn of_cast(name: &str, catalogue: &Catalogue) -> Result<Vec<CastRow>, HubError> {
    let found = catalogue.find(Resource::Cast, name).map_err(|error| HubError::refused(error.to_string()))?;
    let Some(found) = found else {
        let hint = crate::plan::closest_cast(name, catalogue);
        return Err(HubError { hint: Some(hint), ..HubError::refused(format!("no cast is named `{name}`")) });
    };
    let cast = dialogue::cast(&found.text, &found.file).map_err(|problems| match problems.first() {
        Some(first) => HubError::plain(format!("{}:{}:{}: {}", first.file, first.line, first.column, first.message)),
        None => HubError::plain(format!("{} cannot be read", found.file)),
    })?;
    let row = |(role, name): (dialogue::At<String>, dialogue::At<String>)| CastRow {
        role: role.value,
        agent: agent(&name, catalogue),
    };
    Ok(cast.cast.into_iter().map(row).collect())
}

/// One agent. A file that cannot be used gives a row that says why.
pub fn agent(name: &str, catalogue: &Catalogue) -> AgentRow {
    let mut refused = None;
    let (about, spec) = match spec::file(name, catalogue) {
        Ok((file, found)) => {
            let spec = Spec::new(name, &file, &found.origin);
            refused = spec.as_ref().ok().and_then(|spec| spec.admit(&found, catalogue).err());
            (file.about.clone(), spec)
        }
        Err(error) => (None, Err(error)),
    };
    let answers = spec::answers(name, catalogue).unwrap_or_default();
    let row = |sort, place: String, weights: Result<Option<u64>, HubError>| AgentRow {
        name: name.to_owned(),
        about,
        sort,
        kinds: answers.iter().map(|answers| answers.kind.word()).collect(),
        place,
        present: weights.is_ok(),
        note: weights.as_ref().err().map(HubError::to_string),
        hint: weights.as_ref().err().and_then(|error| error.hint.clone()),
        bytes: weights.ok().flatten(),
    };
    match spec {
        Ok(Spec::Local(config)) => match refused {
            Some(refused) => row("model", config.source.to_string(), Err(refused)),
            None => {
                let (place, weights) = local(&config, catalogue);
                row("model", place, weights.map(Some))
            }
        },
        Ok(Spec::Remote(remote)) => {
            let place = format!("{} at {}", remote.model, remote.url);
            row("endpoint", place, refused.map_or(Ok(None), Err))
        }
        Ok(Spec::Translate(two)) => {
            let place = format!("{} through {}", two.eye, two.words);
            let absent = [&two.eye, &two.words].into_iter().find_map(|name| missing(name, catalogue));
            row("translate", place, absent.map_or(Ok(None), Err))
        }
        Ok(Spec::Script(_)) => row("script", String::new(), Ok(None)),
        Ok(Spec::Person { .. }) => row("person", String::new(), Ok(None)),
        Err(error) => row("broken", String::new(), Err(error)),
    }
}

/// Why an agent that a translator names cannot be used. A translator there is refused, so that no chain of names is
/// followed.
fn missing(name: &str, catalogue: &Catalogue) -> Option<HubError> {
    if let Ok(Spec::Translate(_)) = spec::of(name, catalogue) {
        return Some(HubError::plain(nested(name)));
    }
    let row = agent(name, catalogue);
    let why = row.note.filter(|_| !row.present)?;
    Some(HubError { hint: row.hint, ..HubError::plain(format!("agent {name}: {why}")) })
}

/// The message for a translator that names another one.
pub(super) fn nested(name: &str) -> String {
    format!("found `{name}` in `translate`, which is a translator too; name a classifier and an embedder")
}

/// The place and the size in bytes of a local agent's weights.
fn local(config: &LocalConfig, catalogue: &Catalogue) -> (String, Result<u64, HubError>) {
    if let (WeightsSource::Path(path), Origin::Embedded(folder)) = (&config.source, &config.origin) {
        let name = format!("{folder}/{}", path.display());
        if let Some(bytes) = embedded::size(&format!("{name}/model.safetensors")) {
            return (format!("{} (in the program)", path.display()), Ok(bytes));
        }
    }
    match catalogue.resolver().local(&config.source, &config.origin) {
        Err(error) => (config.source.to_string(), Err(error)),
        Ok(checkpoint) => {
            let bytes = budget::weights(&checkpoint, None, false).map_err(|error| HubError::plain(error.to_string()));
            (checkpoint.path().display().to_string(), bytes)
        }
    }
}

/// The folder (or GGUF file) of a local agent's checkpoint. An agent of the starter cast is unpacked first. Fails if
/// the agent is not a local model or its checkpoint is not on this machine.
pub fn path(name: &str, catalogue: &Catalogue) -> Result<PathBuf, HubError> {
    match spec::of(name, catalogue)? {
        Spec::Local(config) => match catalogue.resolver().local(&config.source, &config.origin)? {
            WeightsPath::Folder(path) | WeightsPath::Gguf(path) => Ok(path),
        },
        _ => Err(HubError::plain(format!("{name} is not a local model, because its file lacks `model`"))),
    }
}
