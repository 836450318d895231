//! Named text files: found first in the project, then in the user's folder, then in the binary.

use super::{
    Folders, HubSettings, Project,
    cache::is_file_name,
    checkpoint::{Origin, Resolver},
    embedded,
};
use crate::{
    dialogue::{Library, Resource, Text},
    exchange::Kind,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The folder of a project that holds such files, and how their names end.
fn place(kind: Resource) -> (&'static str, &'static str) {
    match kind {
        Resource::Agent => ("agents", "yaml"),
        Resource::Prompt => ("prompts", "md"),
        Resource::Labels => ("vocab", "txt"),
        Resource::Cast => ("casts", "yaml"),
        Resource::Dialogue => ("examples", "yaml"),
    }
}

/// `agents/NAME.yaml`; names may be written with the folder and the ending, and without.
pub fn file_name(kind: Resource, name: &str) -> String {
    let (folder, ending) = place(kind);
    let name = name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name);
    let name = name.strip_suffix(ending).and_then(|rest| rest.strip_suffix('.')).unwrap_or(name);
    format!("{folder}/{name}.{ending}")
}

/// A named file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How messages call it: the path as short as it can be, or `agents/NAME.yaml` for one from the binary.
    pub file: String,
    /// What is in it.
    pub text: String,
    /// What its relative paths are relative to.
    pub origin: Origin,
}

/// Why a named file that exists cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} cannot be read: {why}")]
pub struct Unreadable {
    /// The file.
    pub file: String,
    /// The reason.
    pub why: String,
}

/// Where everything that has a name is found, for one dialogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Hub {
    /// The dialogue's project, if it is in one.
    pub project: Option<Project>,
    /// The user's folders.
    pub folders: Folders,
    /// The model hub.
    pub settings: HubSettings,
}

impl Hub {
    /// For a dialogue file, or for a folder; settings from the environment.
    pub fn at(start: &Path) -> Hub {
        Hub { project: Project::find(start), folders: Folders::from_env(), settings: HubSettings::from_env() }
    }

    /// Finds checkpoints with the same settings.
    pub fn resolver(&self) -> Resolver {
        Resolver { cache: self.folders.cache.clone(), hub: self.settings.clone() }
    }

    /// The nearest file of this name.
    pub fn find(&self, kind: Resource, name: &str) -> Result<Option<Found>, Unreadable> {
        let file = file_name(kind, name);
        if !file.split('/').all(is_file_name) {
            return Ok(None);
        }
        for root in self.roots() {
            let path = root.join(&file);
            match super::text::read(&path, super::text::MAX_BYTES) {
                Ok(text) => {
                    let folder = path.parent().map_or_else(|| root.to_owned(), Path::to_owned);
                    return Ok(Some(Found { file: shown(&path), text, origin: Origin::Folder(folder) }));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Unreadable { file: shown(&path), why: error.to_string() }),
            }
        }
        Ok(embedded::text(&file).map(|text| Found {
            text: text.to_owned(),
            file,
            origin: Origin::Embedded(place(kind).0),
        }))
    }

    /// Every name that [`Hub::find`] finds, sorted.
    pub fn names(&self, kind: Resource) -> Vec<String> {
        let (folder, ending) = place(kind);
        let mut names: BTreeSet<String> = embedded::names(folder, ending).into_iter().collect();
        for root in self.roots() {
            for entry in std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
                let path = entry.path();
                let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| is_file_name(name));
                if let Some(name) = name.filter(|_| path.extension().is_some_and(|found| found == ending)) {
                    names.insert(name.to_owned());
                }
            }
        }
        names.into_iter().collect()
    }

    fn roots(&self) -> impl Iterator<Item = &Path> {
        let project = self.project.as_ref().map(|project| project.folder.as_path());
        project.into_iter().chain([self.folders.config.as_path()])
    }
}

impl Library for Hub {
    fn read(&self, kind: Resource, name: &str) -> Option<Text> {
        match self.find(kind, name) {
            Ok(found) => found.map(|found| Text { file: found.file, source: found.text }),
            Err(error) => {
                tracing::warn!(%error, "skipped");
                None
            }
        }
    }

    fn names(&self, kind: Resource) -> Vec<String> {
        Hub::names(self, kind)
    }

    fn kinds_of(&self, agent: &str) -> Option<Vec<Kind>> {
        crate::agent::spec::kinds(agent, self)
    }
}

/// A path from the working folder if it is below it, for messages.
fn shown(path: &Path) -> String {
    let here: Option<PathBuf> = std::env::current_dir().ok();
    let short = here.as_deref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    short.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_wins_and_names_come_from_everywhere() {
        let root = tempfile::tempdir().expect("temp");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("config/prompts/video-qa.md", "the user's");
        write("config/prompts/mine.md", "mine");
        write("project/prompts/mine.md", "the project's");
        write("project/prompts/notes.txt", "no prompt");
        let hub = |project: bool| Hub {
            project: project.then(|| Project { folder: root.path().join("project") }),
            folders: Folders { config: root.path().join("config"), cache: root.path().join("cache") },
            settings: HubSettings::from_vars(&|_| None),
        };
        let check = |project: bool, name: &str, expected: Option<&str>| {
            let found = hub(project).find(Resource::Prompt, name).expect("readable");
            assert_eq!(found.as_ref().map(|found| found.text.as_str()), expected, "{name}");
        };
        check(true, "mine", Some("the project's"));
        check(false, "mine", Some("mine"));
        check(true, "prompts/video-qa.md", Some("the user's"));
        check(true, "notes", None);
        check(true, "../../etc/passwd", None);
        let found = hub(true).find(Resource::Prompt, "activities").expect("readable").expect("carried");
        assert_eq!((found.file.as_str(), found.origin), ("prompts/activities.md", Origin::Embedded("prompts")));
        assert_eq!(
            hub(true).names(Resource::Prompt),
            [
                "activities",
                "caption",
                "entities",
                "forecast",
                "mine",
                "route",
                "search",
                "sounds",
                "story",
                "summary",
                "video-qa"
            ]
        );
    }
}
