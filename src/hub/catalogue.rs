//! The catalogue of named text files. The project comes first, then the user's folder, then the binary. An untrusted
//! project comes last.

use super::{
    Folders, HubSettings, Network, PassedOver, Pins, Project, ProjectSearch,
    cache::is_file_name,
    checkpoint::{Origin, PinsOf, Resolver},
    embedded, inside,
    verdict::{NameOwner, Verdict, Verdicts, ways_out},
};
use crate::{
    dialogue::{CallRefused, Called, Caller, Library, Resource, SourceText},
    exchange::Answers,
    files,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// A named file with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// The name in messages: the shortest path, or `agents/NAME.yaml` for a file of the binary.
    pub file: String,
    /// The content.
    pub text: String,
    /// The base of its relative paths.
    pub origin: Origin,
    /// The folder of the untrusted project that contains the file; `None` for any other file.
    pub stranger: Option<PathBuf>,
}

impl FoundFile {
    /// The file's path; `None` for a file of the binary.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.origin {
            Origin::Folder(folder) => Path::new(&self.file).file_name().map(|name| folder.join(name)),
            Origin::Embedded(_) => None,
        }
    }
}

/// A named file that exists and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} cannot be read: {why}")]
pub struct Unreadable {
    /// The file.
    pub file: String,
    /// The reason.
    pub why: String,
}

/// Finds every named file for one dialogue.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// The project of the dialogue, if any.
    pub project: Option<Project>,
    /// A nearer folder that looks like a project but does not count as one.
    pub passed_over: Option<PassedOver>,
    /// The user's folders.
    pub folders: Folders,
    /// The settings of the model hub.
    pub settings: HubSettings,
    /// The network access.
    pub network: Network,
    /// The decisions about files of the project. The caller reports them to the user.
    pub verdicts: Verdicts,
    /// The requests that an agent answers. The agents' layer supplies the function.
    answers: AnswersOf,
    /// The pins of the trusted project. They are read once, when a checkpoint is looked for.
    pins: Arc<OnceLock<PinsOf>>,
}

/// Finds the requests that an agent answers, without loading it.
pub type AnswersOf = fn(&str, &Catalogue) -> Option<Vec<Answers>>;

impl Catalogue {
    /// The catalogue for the result of a search for a project.
    pub fn new(search: ProjectSearch, folders: Folders, settings: HubSettings, network: Network) -> Catalogue {
        let ProjectSearch { project, passed_over } = search;
        Catalogue {
            project,
            passed_over,
            folders,
            settings,
            network,
            verdicts: Verdicts::default(),
            answers: |_, _| None,
            pins: Arc::default(),
        }
    }

    /// The same catalogue with a function that finds the requests of agents.
    pub fn with_answers(self, answers: AnswersOf) -> Catalogue {
        Catalogue { answers, ..self }
    }

    /// A resolver of checkpoints with the same settings.
    pub fn resolver(&self) -> Resolver {
        let Folders { cache, models, home, .. } = self.folders.clone();
        Resolver { cache, models, home, hub: self.settings.clone(), network: self.network, pins: self.pins() }
    }

    /// The pins of the project, if it is trusted and has some.
    fn pins(&self) -> PinsOf {
        let read = || {
            let project = self.project.as_ref().filter(|project| project.trusted)?;
            Pins::read(&project.folder).transpose().map(Arc::new)
        };
        self.pins.get_or_init(read).clone()
    }

    /// The file of this name. Order: a trusted project, the user's folder, the program, an untrusted project.
    pub fn find(&self, kind: Resource, name: &str) -> Result<Option<FoundFile>, Unreadable> {
        let file = kind.file(name);
        if !file.split('/').all(is_file_name) {
            return Ok(None);
        }
        let found = self.decide(kind, &file);
        if let Err(error) = &found {
            self.verdicts.note(Verdict::Refused(error.to_string()));
        }
        found
    }

    fn decide(&self, kind: Resource, file: &str) -> Result<Option<FoundFile>, Unreadable> {
        let own = self.own(kind, file)?;
        if let Some(passed) = &self.passed_over {
            self.note_passed_over(passed, file, own.as_ref());
        }
        let Some(project) = &self.project else { return Ok(own.map(|(found, _)| found)) };
        let theirs = match project.trusted {
            true => read(&self.folders, &project.folder, file, None),
            false => read(&self.folders, &project.folder, file, Some(&project.folder)),
        };
        match (theirs, own) {
            (Ok(None), own) => Ok(own.map(|(found, _)| found)),
            (theirs, None) => theirs,
            // An agent file names weights relative to itself, so the equal file of a trusted project may name other
            // weights.
            (Ok(Some(theirs)), Some((own, _)))
                if theirs.text == own.text && !(project.trusted && kind == Resource::Agent) =>
            {
                Ok(Some(own))
            }
            (theirs, Some((own, over))) if project.trusted => {
                let theirs = theirs?;
                if let Some(found) = theirs.as_ref().filter(|theirs| theirs.text != own.text) {
                    self.verdicts.note(Verdict::Replaces { file: found.file.clone(), over });
                }
                Ok(theirs)
            }
            (_, Some((own, to))) => {
                let (file, folder) = (file.to_owned(), project.folder.clone());
                self.verdicts.note(Verdict::Yields { file, folder, to: Some(to), why: None });
                Ok(Some(own))
            }
        }
    }

    /// The user's own file, or else the program's.
    fn own(&self, kind: Resource, file: &str) -> Result<Option<(FoundFile, NameOwner)>, Unreadable> {
        let folders = &self.folders;
        if let Some(found) = folders.own_config().map(|config| read(folders, config, file, None)).transpose()?.flatten()
        {
            return Ok(Some((found, NameOwner::User)));
        }
        Ok(embedded::text(file).map(|text| {
            let origin = Origin::Embedded(kind.folder());
            (FoundFile { text: text.to_owned(), file: file.to_owned(), origin, stranger: None }, NameOwner::Program)
        }))
    }

    /// Chooses between a dialogue beside its caller and the user's or the program's of the same name. An untrusted
    /// project cannot replace those. `./NAME` always means the dialogue beside the caller.
    fn beside_or_own(&self, name: &str, beside: Called) -> Called {
        let file = Resource::Dialogue.file(name);
        if !file.split('/').all(is_file_name) {
            return beside;
        }
        match self.own(Resource::Dialogue, &file) {
            Ok(Some((own, over))) if own.text != beside.text.source => match &self.project {
                Some(project) if !project.trusted => {
                    let (folder, path) = (project.folder.clone(), beside.path.unwrap_or_default());
                    let file = path.strip_prefix(&folder).unwrap_or(&path).display().to_string();
                    self.verdicts.note(Verdict::Yields { file, folder, to: Some(over), why: None });
                    let path = own.path();
                    Called { text: SourceText { file: own.file, source: own.text }, path }
                }
                _ => {
                    self.verdicts.note(Verdict::Replaces { file: beside.text.file.clone(), over });
                    beside
                }
            },
            _ => beside,
        }
    }

    /// Records that a folder that does not count as a project contains a file of this name, unless its text is the
    /// same.
    fn note_passed_over(&self, passed: &PassedOver, file: &str, own: Option<&(FoundFile, NameOwner)>) {
        let path = passed.folder.join(file);
        if path.is_file() {
            let text = files::read_text(&path, files::MAX_BYTES).ok();
            if own.is_none() || own.map(|(own, _)| &own.text) != text.as_ref() {
                let to = own.map(|(_, keeper)| *keeper);
                self.verdicts.note(Verdict::passed_over(file, &passed.folder, passed.why, to));
            }
        }
    }

    /// Every name that hints and lists show, sorted: the files of the kind's folder and, for label lists, those of its
    /// subfolders (`starter/places`).
    pub fn names(&self, kind: Resource) -> Vec<String> {
        let mut names: BTreeSet<String> = embedded::names(kind.folder(), kind.ending()).into_iter().collect();
        for root in self.roots() {
            add_names(&root.join(kind.folder()), "", kind, &mut names);
        }
        names.into_iter().collect()
    }

    fn roots(&self) -> impl Iterator<Item = &Path> {
        let project = self.project.as_ref().map(|project| project.folder.as_path());
        project.into_iter().chain(self.folders.own_config())
    }
}

/// Adds the names of a folder's files of this kind, each after `prefix`.
fn add_names(folder: &Path, prefix: &str, kind: Resource, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| is_file_name(name)) else {
            continue;
        };
        if path.extension().is_some_and(|found| found == kind.ending()) {
            names.insert(format!("{prefix}{name}"));
        } else if kind == Resource::Labels && prefix.is_empty() && path.is_dir() {
            add_names(&path, &format!("{name}/"), kind, names);
        }
    }
}

/// The file `file` of the folder `root`, if it exists. With `within`, a link that leaves that folder is refused.
fn read(folders: &Folders, root: &Path, file: &str, within: Option<&Path>) -> Result<Option<FoundFile>, Unreadable> {
    let path = root.join(file);
    let unreadable = |why: String| Unreadable { file: folders.shown(&path), why };
    if let Some(project) = within
        && let Err(why) = inside::check(project, &path)
    {
        return Err(unreadable(format!("{why}; {}", ways_out(project))));
    }
    match files::read_text(&path, files::MAX_BYTES) {
        Ok(text) => {
            let origin = Origin::Folder(path.parent().unwrap_or(root).to_owned());
            Ok(Some(FoundFile { file: folders.shown(&path), text, origin, stranger: within.map(Path::to_owned) }))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

impl Library for Catalogue {
    fn read(&self, kind: Resource, name: &str) -> Option<SourceText> {
        match self.find(kind, name) {
            Ok(found) => found.map(|found| SourceText { file: found.file, source: found.text }),
            Err(error) => {
                // the verdicts contain the error too
                tracing::debug!(%error, "skipped");
                None
            }
        }
    }

    fn names(&self, kind: Resource) -> Vec<String> {
        Catalogue::names(self, kind)
    }

    fn places(&self, kind: Resource) -> Vec<String> {
        let roots = self.roots().map(|root| self.folders.shown(&root.join(kind.folder())));
        roots.chain(["the program".to_owned()]).collect()
    }

    fn called(&self, name: &str, caller: &Caller) -> Result<Option<Called>, CallRefused> {
        let beside = super::calls::beside(name, caller, self)?;
        if beside.is_some() || name.starts_with("./") {
            return Ok(beside.map(|beside| self.beside_or_own(name, beside)));
        }
        match self.find(Resource::Dialogue, name) {
            Ok(found) => Ok(found.map(|found| {
                let path = found.path();
                Called { text: SourceText { file: found.file, source: found.text }, path }
            })),
            Err(error) => Err(CallRefused { message: error.to_string(), hint: "make the file readable".into() }),
        }
    }

    fn callable(&self, caller: &Caller) -> Vec<String> {
        let mut names = super::calls::names_beside(caller);
        names.extend(Catalogue::names(self, Resource::Dialogue));
        names.sort();
        names.dedup();
        names
    }

    fn answers_of(&self, agent: &str) -> Option<Vec<Answers>> {
        (self.answers)(agent, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files in a temporary folder: `config/` is the user's folder, `project/` a project.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("temp");
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        root
    }

    fn catalogue(root: &Path, trusted: Option<bool>) -> Catalogue {
        let root = std::fs::canonicalize(root).expect("there");
        let project = trusted.map(|trusted| Project { folder: root.join("project"), trusted });
        let folders = Folders {
            config: root.join("config"),
            cache: root.join("cache"),
            home: Some(root.clone()),
            ..Folders::default()
        };
        let search = ProjectSearch { project, passed_over: None };
        Catalogue::new(search, folders, HubSettings::from_vars(&|_| None), Network::Agents)
    }

    /// Checks the text that is found (`PROGRAM` for the program's own) and then each verdict.
    fn check(root: &Path, trusted: Option<bool>, name: &str, expected: &[&str]) {
        let catalogue = catalogue(root, trusted);
        let own = embedded::text(&Resource::Prompt.file(name));
        let mut found = match catalogue.find(Resource::Prompt, name) {
            Ok(None) => vec![],
            Ok(Some(found)) if Some(found.text.as_str()) == own => vec!["PROGRAM".to_owned()],
            Ok(Some(found)) => vec![found.text],
            Err(error) => vec![error.to_string()],
        };
        found.extend(catalogue.verdicts.take().iter().map(Verdict::to_string));
        let real = std::fs::canonicalize(root).expect("there").display().to_string();
        let found: Vec<String> = found.iter().map(|line| line.replace(&real, "")).collect();
        assert_eq!(found, expected, "{name} {trusted:?}");
    }

    #[test]
    fn a_trusted_project_wins_and_an_untrusted_one_yields() {
        let own = embedded::text("prompts/caption.md").expect("carried");
        let root = tree(&[
            ("config/prompts/video-qa.md", "the user's"),
            ("config/prompts/mine.md", "mine"),
            ("project/prompts/mine.md", "the project's"),
            ("project/prompts/story.md", "another story"),
            ("project/prompts/caption.md", own),
            ("project/prompts/new.md", "new"),
            ("project/prompts/notes.txt", "not a prompt"),
        ]);
        let check = |trusted: Option<bool>, name: &str, expected: &[&str]| check(root.path(), trusted, name, expected);
        let out = "`elenchus trust /project` trusts the folder, --trust does so for one run";
        let yields = |file: &str, to: NameOwner| {
            format!("/project/prompts/{file} is not used, because its folder is not trusted; {to} is used; {out}")
        };
        check(None, "mine", &["mine"]);
        let over = "/project/prompts/mine.md is used instead of the one in your configuration folder";
        check(Some(true), "mine", &["the project's", over]);
        check(Some(false), "mine", &["mine", &yields("mine.md", NameOwner::User)]);
        let over = "/project/prompts/story.md is used instead of the one that comes with the program";
        check(Some(true), "story", &["another story", over]);
        check(Some(false), "story", &["PROGRAM", &yields("story.md", NameOwner::Program)]);
        for trusted in [true, false] {
            check(Some(trusted), "caption", &["PROGRAM"]);
            check(Some(trusted), "new", &["new"]);
            check(Some(trusted), "prompts/video-qa.md", &["the user's"]);
            check(Some(trusted), "route", &["PROGRAM"]);
            check(Some(trusted), "notes", &[]);
            check(Some(trusted), "../../etc/passwd", &[]);
        }
    }

    #[test]
    fn a_passed_over_folder_is_reported_only_if_it_changes_the_result() {
        let root = tree(&[("above/prompts/mine.md", "theirs"), ("above/prompts/story.md", "theirs")]);
        let folder = root.path().join("above");
        let catalogue = Catalogue {
            passed_over: Some(PassedOver {
                folder: folder.clone(),
                why: super::super::project::PassedOverReason::Home,
            }),
            ..catalogue(root.path(), None)
        };
        let found = |name: &str| catalogue.find(Resource::Prompt, name).expect("readable").is_some();
        assert_eq!((found("mine"), found("story"), found("route"), found("none")), (false, true, true, false));
        let reported: Vec<String> = catalogue.verdicts.take().iter().map(Verdict::to_string).collect();
        assert_eq!(reported.len(), 2, "{reported:?}");
        assert!(
            reported[0]
                .contains("prompts/mine.md is not used, because it is the home folder, and it is not trusted; `elen")
        );
        assert!(reported[1].contains("story.md is not used") && reported[1].contains("comes with the program is used"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_of_an_untrusted_project_cannot_leave_it() {
        let root = tree(&[("secret.md", "secret"), ("project/prompts/a.md", "a"), ("project/more/b.md", "b")]);
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(to, root.path().join("project").join(name)).expect("linked");
        };
        link("../../secret.md", "prompts/out.md");
        link("../../secret.md", "prompts/story.md");
        link("../more/b.md", "prompts/in.md");
        link("nowhere.md", "prompts/gone.md");
        let check = |trusted: bool, name: &str, expected: &[&str]| check(root.path(), Some(trusted), name, expected);
        let why = "/project/prompts/out.md cannot be read: it is a link that leaves its project, which is not trusted; \
                   `elenchus trust /project` trusts the folder, --trust does so for one run";
        check(false, "out", &[why, why]);
        check(true, "out", &["secret"]);
        check(false, "in", &["b"]);
        check(false, "gone", &[]);
        let yields = "/project/prompts/story.md is not used, because its folder is not trusted; the one that comes with the \
                      program is used; `elenchus trust /project` trusts the folder, --trust does so for one run";
        check(false, "story", &["PROGRAM", yields]);
        std::fs::rename(root.path().join("project/prompts"), root.path().join("prompts")).expect("moved");
        link("../prompts", "prompts");
        let why = why.replace("out.md", "a.md");
        check(false, "a", &[&why, &why]);
    }

    #[test]
    fn names_come_from_project_user_and_program() {
        let root = tree(&[("config/prompts/mine.md", "mine"), ("project/prompts/notes.txt", "not a prompt")]);
        let catalogue = catalogue(root.path(), Some(false));
        let found = catalogue.find(Resource::Prompt, "activities").expect("readable").expect("carried");
        assert_eq!((found.file.as_str(), found.origin), ("prompts/activities.md", Origin::Embedded("prompts")));
        let mut names: Vec<String> = embedded::names("prompts", "md").into_iter().chain(["mine".to_owned()]).collect();
        names.sort();
        assert_eq!(catalogue.names(Resource::Prompt), names);
    }
}
