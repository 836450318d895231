//! Resolves the `model: {path | hub | gguf}` of an agent file to a folder or file on this machine.

use super::{
    HubError, HubSettings, Network, Pins,
    cache::{CachedRepo, missing_files},
    digest::Digests,
    download::{Downloader, OnProgress},
    embedded,
    pins::Pin,
    source::is_projector,
};
use crate::files;
use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

pub use super::source::WeightsSource;

/// Weights on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightsPath {
    /// A Hugging Face checkpoint folder.
    Folder(PathBuf),
    /// A GGUF file.
    Gguf(PathBuf),
}

impl WeightsPath {
    /// The folder or file.
    pub fn path(&self) -> &Path {
        match self {
            WeightsPath::Folder(path) | WeightsPath::Gguf(path) => path,
        }
    }
}

/// The location of an agent file: the base of its relative paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In this folder.
    Folder(PathBuf),
    /// In the binary, in this folder of the repository (`agents`).
    Embedded(&'static str),
}

/// Finds checkpoints on this machine and downloads those of the hub.
#[derive(Debug, Clone)]
pub struct Resolver {
    /// The cache folder of elenchus, for the starter cast.
    pub cache: PathBuf,
    /// The user's folder of models, for a relative path that does not exist beside its agent file.
    pub models: PathBuf,
    /// The user's home folder, for `~/` in a path.
    pub home: Option<PathBuf>,
    /// The settings of the hub.
    pub hub: HubSettings,
    /// Decides whether downloads are permitted.
    pub network: Network,
    /// The pins of the trusted project, or why they cannot be read.
    pub pins: PinsOf,
}

/// The pins of a trusted project: none without `agents.lock`, or the error of a file that cannot be read.
pub type PinsOf = Option<Arc<Result<Pins, HubError>>>;

impl Resolver {
    /// The checkpoint, if it is on this machine or in the binary. Downloads nothing.
    pub fn local(&self, source: &WeightsSource, origin: &Origin) -> Result<WeightsPath, HubError> {
        match (source, origin) {
            (WeightsSource::Hub { repo, revision, gguf }, _) => {
                let cached = CachedRepo::new(&self.hub.cache, repo);
                let revision = self.pin(source)?.map_or(revision, |pin| &pin.commit);
                let found = match gguf {
                    Some(file) => cached.gguf(revision, file).map(WeightsPath::Gguf),
                    None => cached.complete(revision).map(WeightsPath::Folder),
                };
                found.ok_or_else(|| self.not_here(source, &cached))
            }
            (WeightsSource::Path(path), Origin::Embedded(folder)) if let Some(name) = in_program(folder, path) => {
                embedded::folder(&name, &self.cache, &self.digests()).map(WeightsPath::Folder)
            }
            (WeightsSource::Path(path), _) => {
                let folder = self.located(path, origin);
                if folder.is_file() && folder.extension().is_some_and(|ending| ending == "gguf") {
                    return Ok(WeightsPath::Gguf(folder));
                }
                if let Some(file) = only_gguf(&folder)? {
                    return Ok(WeightsPath::Gguf(file));
                }
                // `starter/clip` also names the checkpoint of the binary, for the user's own agent files
                match in_program("agents", path).filter(|_| !folder.exists()) {
                    Some(name) => embedded::folder(&name, &self.cache, &self.digests()).map(WeightsPath::Folder),
                    None if !folder.exists() => Err(self.nowhere(&folder)),
                    None => whole_folder(&folder).map(WeightsPath::Folder),
                }
            }
            (WeightsSource::Gguf(path), _) => {
                let file = self.located(path, origin);
                match file.is_file() {
                    true => Ok(WeightsPath::Gguf(file)),
                    false => Err(self.nowhere(&file)),
                }
            }
        }
    }

    /// `path` relative to the agent file; `~/` is the user's home folder.
    pub fn against(&self, path: &Path, origin: &Origin) -> PathBuf {
        if let (Ok(rest), Some(home)) = (path.strip_prefix("~"), &self.home) {
            return home.join(rest);
        }
        match origin {
            Origin::Folder(folder) => folder.join(path),
            Origin::Embedded(_) => path.to_owned(),
        }
    }

    /// The place of `path`: relative to the agent file or, if nothing is there, in the user's folder of models.
    fn located(&self, path: &Path, origin: &Origin) -> PathBuf {
        let beside = self.against(path, origin);
        let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let own = self.models.join(path);
        match is_plain && (matches!(origin, Origin::Embedded(_)) || !beside.exists() && own.exists()) {
            true => own,
            false => beside,
        }
    }

    /// The checkpoint at a path that the user gave: relative to the working folder or, if nothing is there, in the
    /// user's folder of models. Fails if nothing is in either.
    pub fn given(&self, path: &Path) -> Result<PathBuf, HubError> {
        let own = self.models.join(path);
        if path.exists() {
            return Ok(path.to_owned());
        }
        let models = self.models.display();
        own.exists().then_some(own).ok_or_else(|| {
            HubError::new(
                format!("the checkpoint {} does not exist", path.display()),
                format!("name a folder or a GGUF file, here or in your folder of models, {models}"),
            )
        })
    }

    /// True if the checkpoint is in the program: that of an agent of the starter cast.
    pub fn is_in_program(&self, source: &WeightsSource, origin: &Origin) -> bool {
        match (source, origin) {
            (WeightsSource::Path(path), Origin::Embedded(folder)) => in_program(folder, path).is_some(),
            _ => false,
        }
    }

    /// True if the weights are in the user's folder of models, outside of the agent file's project.
    pub fn is_own_model(&self, path: &Path, origin: &Origin) -> bool {
        let place = self.located(path, origin);
        place != self.against(path, origin) && place.exists()
    }

    fn nowhere(&self, place: &Path) -> HubError {
        let models = self.models.display();
        HubError::new(
            format!("the checkpoint {} does not exist", place.display()),
            format!(
                "put it into your folder of models, {models}, or set ELENCHUS_MODELS to the folder that contains it; a relative \
                 path is relative to the agent file or to that folder",
            ),
        )
    }

    /// The checkpoint; a missing one is downloaded if that is permitted.
    pub async fn resolve(
        &self,
        source: &WeightsSource,
        origin: &Origin,
        on_progress: OnProgress<'_>,
    ) -> Result<WeightsPath, HubError> {
        let found = self.local(source, origin);
        let WeightsSource::Hub { repo, revision, gguf } = source else { return found };
        let pin = self.pin(source)?;
        let found = match found {
            Err(_) if self.fetches() => {
                let revision = pin.map_or(revision, |pin| &pin.commit);
                Downloader::new(self.hub.clone())?.fetch(repo, revision, gguf.as_deref(), on_progress).await?
            }
            found => found?,
        };
        if let Some(pin) = pin.cloned() {
            let (source, digests) = (source.clone(), self.digests());
            let root = CachedRepo::new(&self.hub.cache, repo).snapshot(&pin.commit);
            let checked = tokio::task::spawn_blocking(move || pin.check(&source, &root, &digests)).await;
            checked.map_err(|error| HubError::plain(error.to_string()))??;
        }
        Ok(found)
    }

    /// The pin of a checkpoint. Fails if the project's pins cannot be read.
    pub fn pin(&self, source: &WeightsSource) -> Result<Option<&Pin>, HubError> {
        match self.pins.as_deref() {
            None => Ok(None),
            Some(Ok(pins)) => Ok(pins.of(source)),
            Some(Err(error)) => Err(error.clone()),
        }
    }

    /// The digests of files, in the cache folder.
    pub fn digests(&self) -> Digests {
        Digests::at(self.cache.join("digests"))
    }

    /// True if a missing checkpoint is downloaded.
    pub fn fetches(&self) -> bool {
        self.network == Network::All && !self.hub.offline
    }

    fn not_here(&self, source: &WeightsSource, cached: &CachedRepo) -> HubError {
        let lacks = match &cached.folder().is_dir() {
            true => "is incomplete in the hub's cache",
            false => "is not in the hub's cache",
        };
        let without = match (self.network, self.hub.offline) {
            (Network::Off, _) => " without --offline",
            (_, true) => " without HF_HUB_OFFLINE",
            (_, false) => "",
        };
        let too = match (self.network, self.hub.offline) {
            (Network::Agents, false) => ", and so does a run with --allow-network",
            _ => "",
        };
        let fetch = format!("`elenchus models pull {source}`{without} downloads it{too}");
        HubError::new(
            format!("{source} {lacks} ({})", cached.folder().display()),
            format!(
                "{fetch}; or copy that folder from a machine that has it; or put the checkpoint anywhere and name its folder as `path`"
            ),
        )
    }

    /// True if the checkpoint is a folder on this machine with the modules of sentence-transformers.
    pub fn peek_modules(&self, source: &WeightsSource, origin: &Origin) -> bool {
        match (source, origin) {
            (WeightsSource::Path(path), Origin::Embedded(folder)) if in_program(folder, path).is_some() => false,
            (WeightsSource::Gguf(_), _) => false,
            _ => self.local(source, origin).is_ok_and(|weights| weights.path().join(MODULES_FILE).is_file()),
        }
    }

    /// The text of `config.json`, if it is available without a download and without unpacking.
    pub fn peek_config(&self, source: &WeightsSource, origin: &Origin) -> Option<String> {
        match (source, origin) {
            (WeightsSource::Path(path), Origin::Embedded(folder)) if let Some(name) = in_program(folder, path) => {
                let bytes = embedded::bytes(&format!("{name}/config.json"))?.ok()?;
                String::from_utf8(bytes.into_owned()).ok()
            }
            (WeightsSource::Gguf(_), _) => None,
            _ => {
                let config = self.local(source, origin).ok()?.path().join("config.json");
                files::read_text(&config, files::MAX_BYTES).ok()
            }
        }
    }
}

/// The list of the modules of sentence-transformers in a checkpoint.
pub const MODULES_FILE: &str = "modules.json";

/// The name of a checkpoint of the binary (`agents` + `starter/clip`), if there is one.
fn in_program(folder: &str, path: &Path) -> Option<String> {
    let parts = path.components().filter(|part| !matches!(part, Component::CurDir));
    let parts: Option<Vec<&str>> = parts.map(|part| part.as_os_str().to_str()).collect();
    let name = format!("{folder}/{}", parts?.join("/"));
    (path.is_relative() && embedded::has_folder(&name)).then_some(name)
}

/// The GGUF file of a folder with exactly one GGUF file and without `config.json`. Fails if the folder contains
/// several.
pub fn only_gguf(folder: &Path) -> Result<Option<PathBuf>, HubError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(None) };
    if folder.join("config.json").exists() {
        return Ok(None);
    }
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "gguf") && file.is_file());
    files.retain(|file| !is_projector(&file.to_string_lossy()));
    files.sort();
    match files.len() {
        0 | 1 => Ok(files.pop()),
        _ => {
            let names: Vec<_> = files.iter().filter_map(|f| f.file_name()).map(|n| n.to_string_lossy()).collect();
            Err(HubError::new(
                format!("{} contains several GGUF files ({})", folder.display(), names.join(", ")),
                "name the file itself",
            ))
        }
    }
}

/// The projectors in a folder, sorted by name.
pub fn projectors(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |file: &PathBuf| {
        file.extension().is_some_and(|ending| ending == "gguf") && is_projector(&file.to_string_lossy())
    };
    let mut found: Vec<PathBuf> = entries.filter(|file| is_one(file) && file.is_file()).collect();
    found.sort();
    found
}

/// The folder, if it is a complete checkpoint.
pub fn whole_folder(folder: &Path) -> Result<PathBuf, HubError> {
    let shown = folder.display();
    if !folder.is_dir() {
        return Err(HubError::new(
            format!("the checkpoint folder {shown} does not exist"),
            "a relative `path` is relative to the agent file",
        ));
    }
    let missing = missing_files(folder);
    let has = |ending: &str| {
        std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.path().extension().is_some_and(|found| found == ending))
    };
    match missing.as_slice() {
        [] => Ok(folder.to_owned()),
        [only] if only == "model.safetensors" && (has("bin") || has("pt") || has("pth")) => Err(HubError::new(
            format!("{shown} contains weights in a pickle format, which can run code when it is opened"),
            "convert them to model.safetensors (in Python: save_pretrained(folder, safe_serialization=True))",
        )),
        missing => Err(HubError::new(
            format!("{shown} is an incomplete checkpoint: it lacks {}", missing.join(", ")),
            "a checkpoint folder contains config.json, tokenizer.json and model.safetensors (or its shards and their index)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_model_may_be_one_gguf_file() {
        let cache = tempfile::tempdir().expect("temp");
        let hub = HubSettings {
            cache: cache.path().into(),
            endpoint: "http://x".into(),
            token: None,
            offline: true,
            ..HubSettings::default()
        };
        let resolver = Resolver {
            cache: cache.path().into(),
            models: cache.path().join("models"),
            home: None,
            hub,
            network: Network::All,
            pins: None,
        };
        let source = WeightsSource::hub("org/name", Some("model-Q8_0.gguf")).expect("parsed");
        assert_eq!(source.to_string(), "org/name:model-Q8_0.gguf");
        let found = || resolver.local(&source, &Origin::Folder(".".into()));
        assert!(found().expect_err("absent").message.starts_with("org/name:model-Q8_0.gguf is not in the hub's cache"));
        let repo = CachedRepo::new(cache.path(), "org/name");
        let folder = repo.snapshot("abc");
        std::fs::create_dir_all(&folder).expect("made");
        repo.write_ref("main", "abc").expect("written");
        std::fs::write(folder.join("other.gguf"), "").expect("written");
        assert!(found().is_err());
        std::fs::write(folder.join("model-Q8_0.gguf"), "").expect("written");
        assert_eq!(found().expect("there"), WeightsPath::Gguf(folder.join("model-Q8_0.gguf")));
    }

    fn check_missing(files: &[(&str, &str)], expected: &str) {
        let folder = tempfile::tempdir().expect("temp");
        for (file, text) in files {
            std::fs::write(folder.path().join(file), text).expect("written");
        }
        let error = whole_folder(folder.path()).expect_err("incomplete").line();
        assert_eq!(error.replace(&folder.path().display().to_string(), "DIR"), expected);
    }

    #[test]
    fn missing_files_are_named() {
        check_missing(
            &[],
            "DIR is an incomplete checkpoint: it lacks config.json, model.safetensors (hint: a checkpoint folder contains \
             config.json, tokenizer.json and model.safetensors (or its shards and their index))",
        );
        check_missing(
            &[("config.json", "{}"), ("pytorch_model.bin", "")],
            "DIR contains weights in a pickle format, which can run code when it is opened (hint: convert them to \
             model.safetensors (in Python: save_pretrained(folder, safe_serialization=True)))",
        );
    }

    #[test]
    fn a_look_without_a_download_does_not_blame_the_settings() {
        let cache = tempfile::tempdir().expect("temp");
        let hub = HubSettings {
            cache: "/nowhere/hub".into(),
            endpoint: "http://x".into(),
            token: None,
            offline: false,
            ..HubSettings::default()
        };
        let source = WeightsSource::hub("org/name", None).expect("parsed");
        let check = |network: Network, expected: &str| {
            let resolver = Resolver {
                cache: cache.path().into(),
                models: cache.path().join("models"),
                home: None,
                hub: hub.clone(),
                network,
                pins: None,
            };
            let found = resolver.local(&source, &Origin::Folder(".".into())).expect_err("not there").line();
            assert!(found.contains(&format!("(hint: {expected}; or copy")), "{found}");
        };
        check(Network::All, "`elenchus models pull org/name` downloads it");
        check(Network::Agents, "`elenchus models pull org/name` downloads it, and so does a run with --allow-network");
        check(Network::Off, "`elenchus models pull org/name` without --offline downloads it");
    }

    #[tokio::test]
    async fn offline_says_how_to_get_a_model() {
        let cache = tempfile::tempdir().expect("temp");
        let hub = HubSettings {
            cache: "/nowhere/hub".into(),
            endpoint: "http://x".into(),
            token: None,
            offline: true,
            ..HubSettings::default()
        };
        let resolver = Resolver {
            cache: cache.path().into(),
            models: cache.path().join("models"),
            home: None,
            hub,
            network: Network::All,
            pins: None,
        };
        let source = WeightsSource::hub("org/name@v2", None).expect("parsed");
        let found = resolver.resolve(&source, &Origin::Folder(".".into()), &|_| {}).await;
        insta::assert_snapshot!(found.expect_err("offline").line(), @"org/name@v2 is not in the hub's cache (/nowhere/hub/models--org--name) (hint: `elenchus models pull org/name@v2` without HF_HUB_OFFLINE downloads it; or copy that folder from a machine that has it; or put the checkpoint anywhere and name its folder as `path`)");
    }

    #[test]
    fn a_relative_path_may_be_in_the_folder_of_models() {
        let root = tempfile::tempdir().expect("temp");
        let make = |folder: &str| {
            let folder = root.path().join(folder);
            std::fs::create_dir_all(&folder).expect("made");
            for file in ["config.json", "model.safetensors"] {
                std::fs::write(folder.join(file), "{}").expect("written");
            }
        };
        make("models/tiny");
        make("models/both");
        make("agents/both");
        std::fs::write(root.path().join("models/a.gguf"), "").expect("written");
        let hub = HubSettings {
            cache: "/nowhere".into(),
            endpoint: "http://x".into(),
            token: None,
            offline: true,
            ..HubSettings::default()
        };
        let models = root.path().join("models");
        let resolver =
            Resolver { cache: root.path().into(), models, home: None, hub, network: Network::All, pins: None };
        let own = Origin::Folder(root.path().join("agents"));
        let check = |source: WeightsSource, origin: &Origin, expected: &str| {
            let found = match resolver.local(&source, origin) {
                Ok(found) => found.path().display().to_string(),
                Err(error) => error.line(),
            };
            assert_eq!(found.replace(&root.path().display().to_string(), "DIR"), expected);
        };
        let path = |path: &str| WeightsSource::Path(path.into());
        check(path("tiny"), &own, "DIR/models/tiny");
        check(path("both"), &own, "DIR/agents/both");
        check(path("tiny"), &Origin::Embedded("agents"), "DIR/models/tiny");
        check(WeightsSource::Gguf("a.gguf".into()), &own, "DIR/models/a.gguf");
        assert!(resolver.is_own_model(Path::new("tiny"), &own) && !resolver.is_own_model(Path::new("both"), &own));
        let hint = "(hint: put it into your folder of models, DIR/models, or set ELENCHUS_MODELS to the folder that contains it; \
                    a relative path is relative to the agent file or to that folder)";
        check(path("none"), &own, &format!("the checkpoint DIR/agents/none does not exist {hint}"));
        check(
            path("none"),
            &Origin::Embedded("agents"),
            &format!("the checkpoint DIR/models/none does not exist {hint}"),
        );
        check(path("../models/tiny"), &own, "DIR/agents/../models/tiny");
    }

    #[test]
    fn the_starter_cast_is_found_from_any_agent_file() {
        let cache = tempfile::tempdir().expect("temp");
        let hub = HubSettings {
            cache: "/nowhere".into(),
            endpoint: "http://x".into(),
            token: None,
            offline: true,
            ..HubSettings::default()
        };
        let resolver = Resolver {
            cache: cache.path().into(),
            models: cache.path().join("models"),
            home: None,
            hub,
            network: Network::All,
            pins: None,
        };
        let source = WeightsSource::Path("starter/lm".into());
        for origin in [Origin::Embedded("agents"), Origin::Folder("/nowhere/agents".into())] {
            let found = resolver.local(&source, &origin).expect("carried");
            assert!(found.path().starts_with(cache.path().join("starter")), "{found:?}");
            assert_eq!(missing_files(found.path()), [""; 0]);
        }
        let config = resolver.peek_config(&source, &Origin::Embedded("agents")).expect("carried");
        assert!(config.contains("LlamaForCausalLM"), "{config}");
    }
}
