//! Resolves the `model: {path | hub | gguf}` of an agent file to a folder or file on this machine.

use super::{
    HubError, HubSettings, Network,
    cache::{CachedRepo, is_file_name, missing_files},
    download::{Downloader, OnProgress},
    embedded,
};
use crate::files;
use std::{
    fmt,
    path::{Component, Path, PathBuf},
};

/// The source of the weights, as an agent file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightsSource {
    /// A checkpoint folder, a GGUF file, or a folder that contains one. Relative to the agent file.
    Path(PathBuf),
    /// A GGUF file. Relative to the agent file.
    Gguf(PathBuf),
    /// A repository of the model hub.
    Hub {
        /// `org/name`
        repo: String,
        /// A branch, tag or commit; `main` by default.
        revision: String,
        /// A GGUF file of the repository; none for a checkpoint folder.
        gguf: Option<String>,
    },
}

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

impl WeightsSource {
    /// Parses `org/name` or `org/name@revision`; `gguf` is the name of a file of that repository.
    pub fn hub(text: &str, gguf: Option<&str>) -> Result<WeightsSource, HubError> {
        let (repo, revision) = text.trim().split_once('@').unwrap_or((text.trim(), "main"));
        let parts: Vec<&str> = repo.split('/').collect();
        let revision_is_plain = revision.split('/').all(is_file_name);
        if parts.len() > 2 || !parts.iter().all(|part| is_file_name(part)) || !revision_is_plain {
            return Err(HubError::new(
                format!("`{text}` is not a Hugging Face id"),
                "write org/name or org/name@revision; a folder on this machine goes under `path`",
            ));
        }
        if let Some(file) = gguf.filter(|file| !file.ends_with(".gguf") || !file.split('/').all(is_file_name)) {
            return Err(HubError::new(
                format!("`{file}` is not the name of a GGUF file of {repo}"),
                "with `hub`, `gguf` names a file of the repository, such as model-Q4_K_M.gguf",
            ));
        }
        Ok(WeightsSource::Hub { repo: repo.to_owned(), revision: revision.to_owned(), gguf: gguf.map(str::to_owned) })
    }
}

impl fmt::Display for WeightsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WeightsSource::Path(path) | WeightsSource::Gguf(path) => write!(f, "{}", path.display()),
            WeightsSource::Hub { repo, revision, gguf } => {
                f.write_str(repo)?;
                if revision != "main" {
                    write!(f, "@{revision}")?;
                }
                gguf.as_ref().map_or(Ok(()), |file| write!(f, " ({file})"))
            }
        }
    }
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
}

impl Resolver {
    /// The checkpoint, if it is on this machine or in the binary. Downloads nothing.
    pub fn local(&self, source: &WeightsSource, origin: &Origin) -> Result<WeightsPath, HubError> {
        match (source, origin) {
            (WeightsSource::Hub { repo, revision, gguf }, _) => {
                let cached = CachedRepo::new(&self.hub.cache, repo);
                let found = match gguf {
                    Some(file) => cached.file(revision, file).map(WeightsPath::Gguf),
                    None => cached.complete(revision).map(WeightsPath::Folder),
                };
                found.ok_or_else(|| self.not_here(source, &cached))
            }
            (WeightsSource::Path(path), Origin::Embedded(folder)) if let Some(name) = in_program(folder, path) => {
                embedded::folder(&name, &self.cache).map(WeightsPath::Folder)
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
                    Some(name) => embedded::folder(&name, &self.cache).map(WeightsPath::Folder),
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
        match source {
            WeightsSource::Hub { repo, revision, gguf } if found.is_err() && self.fetches() => {
                let downloader = Downloader::new(self.hub.clone())?;
                match gguf {
                    Some(file) => downloader.fetch_file(repo, revision, file, on_progress).await.map(WeightsPath::Gguf),
                    None => downloader.fetch(repo, revision, on_progress).await.map(WeightsPath::Folder),
                }
            }
            _ => found,
        }
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
        let fetch = match (self.network, self.hub.offline) {
            (Network::Off, _) => "a run with --allow-network instead of --offline downloads it",
            (_, true) => "without HF_HUB_OFFLINE a run with --allow-network downloads it",
            (Network::Agents, false) => "a run with --allow-network downloads it",
            (Network::All, false) => "the first run that needs it downloads it",
        };
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
    files.retain(|file| !is_projector(file));
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

/// True for the name of a projector (`mmproj-….gguf`): the image tower of the model beside it.
fn is_projector(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().contains("mmproj"))
}

/// The projectors in a folder, sorted by name.
pub fn projectors(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "gguf") && is_projector(file);
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

    fn check_hub(text: &str, expected: Option<(&str, &str)>) {
        let found = WeightsSource::hub(text, None).ok();
        let expected = expected.map(|(repo, revision)| WeightsSource::Hub {
            repo: repo.into(),
            revision: revision.into(),
            gguf: None,
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_hub_model_is_an_id_with_an_optional_revision() {
        check_hub("org/name", Some(("org/name", "main")));
        check_hub("org/name@v1.0", Some(("org/name", "v1.0")));
        check_hub("gpt2@refs/pr/1", Some(("gpt2", "refs/pr/1")));
        for bad in ["", "a/b/c", "../x", "org/name@", "org/na me", "org/name@../../x"] {
            check_hub(bad, None);
        }
    }

    #[test]
    fn a_hub_model_may_be_one_gguf_file() {
        let cache = tempfile::tempdir().expect("temp");
        let hub = HubSettings { cache: cache.path().into(), endpoint: "http://x".into(), token: None, offline: true };
        let resolver = Resolver {
            cache: cache.path().into(),
            models: cache.path().join("models"),
            home: None,
            hub,
            network: Network::All,
        };
        let source = WeightsSource::hub("org/name", Some("model-Q8_0.gguf")).expect("parsed");
        assert_eq!(source.to_string(), "org/name (model-Q8_0.gguf)");
        let found = || resolver.local(&source, &Origin::Folder(".".into()));
        assert!(
            found().expect_err("absent").message.starts_with("org/name (model-Q8_0.gguf) is not in the hub's cache")
        );
        let repo = CachedRepo::new(cache.path(), "org/name");
        let folder = repo.snapshot("abc");
        std::fs::create_dir_all(&folder).expect("made");
        repo.write_ref("main", "abc").expect("written");
        std::fs::write(folder.join("other.gguf"), "").expect("written");
        assert!(found().is_err());
        std::fs::write(folder.join("model-Q8_0.gguf"), "").expect("written");
        assert_eq!(found().expect("there"), WeightsPath::Gguf(folder.join("model-Q8_0.gguf")));
        for bad in ["model.bin", "../model.gguf", "/model.gguf", ""] {
            assert!(WeightsSource::hub("org/name", Some(bad)).is_err(), "{bad}");
        }
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
        let hub =
            HubSettings { cache: "/nowhere/hub".into(), endpoint: "http://x".into(), token: None, offline: false };
        let source = WeightsSource::hub("org/name", None).expect("parsed");
        let check = |network: Network, expected: &str| {
            let resolver = Resolver {
                cache: cache.path().into(),
                models: cache.path().join("models"),
                home: None,
                hub: hub.clone(),
                network,
            };
            let found = resolver.local(&source, &Origin::Folder(".".into())).expect_err("not there").line();
            assert!(found.contains(&format!("(hint: {expected}; or copy")), "{found}");
        };
        check(Network::All, "the first run that needs it downloads it");
        check(Network::Agents, "a run with --allow-network downloads it");
        check(Network::Off, "a run with --allow-network instead of --offline downloads it");
    }

    #[tokio::test]
    async fn offline_says_how_to_get_a_model() {
        let cache = tempfile::tempdir().expect("temp");
        let hub = HubSettings { cache: "/nowhere/hub".into(), endpoint: "http://x".into(), token: None, offline: true };
        let resolver = Resolver {
            cache: cache.path().into(),
            models: cache.path().join("models"),
            home: None,
            hub,
            network: Network::All,
        };
        let source = WeightsSource::hub("org/name@v2", None).expect("parsed");
        let found = resolver.resolve(&source, &Origin::Folder(".".into()), &|_| {}).await;
        insta::assert_snapshot!(found.expect_err("offline").line(), @"org/name@v2 is not in the hub's cache (/nowhere/hub/models--org--name) (hint: without HF_HUB_OFFLINE a run with --allow-network downloads it; or copy that folder from a machine that has it; or put the checkpoint anywhere and name its folder as `path`)");
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
        let hub = HubSettings { cache: "/nowhere".into(), endpoint: "http://x".into(), token: None, offline: true };
        let models = root.path().join("models");
        let resolver = Resolver { cache: root.path().into(), models, home: None, hub, network: Network::All };
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
        let hub = HubSettings { cache: "/nowhere".into(), endpoint: "http://x".into(), token: None, offline: true };
        let resolver = Resolver {
            cache: cache.path().into(),
            models: cache.path().join("models"),
            home: None,
            hub,
            network: Network::All,
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
