//! Finds a dialogue by its name or path, and compiles it.

use super::Settings;
use crate::{
    dialogue::{self, CastWritten, Resource},
    error::Fault,
    files,
    hub::{Catalogue, Network, Preferences, inside, verdict::ways_out},
    plan::{self, CompileOptions, Plan, Problem},
};
use std::path::{Path, PathBuf};

/// The cast of the models in the program.
const STARTER: &str = "starter";

/// Former names of dialogues of the program, each with its present one.
const RENAMED: &[(&str, &str)] =
    &[("find", "video_search"), ("caption", "image_caption"), ("sounds", "world_state"), ("entities", "world_state")];

/// A dialogue's text, with the catalogue of its names and the base of its relative paths.
#[derive(Debug)]
pub struct DialogueSource {
    /// The name in messages.
    pub file: String,
    /// The whole YAML.
    pub text: String,
    /// Finds prompts, agents, label lists and casts.
    pub catalogue: Catalogue,
    /// The path of the file, if it is one; called dialogues may be beside it.
    pub path: Option<PathBuf>,
}

impl DialogueSource {
    /// A dialogue without a file: `text`, with `name` in messages. Its names are looked up from the working folder.
    pub fn given(name: &str, text: String, settings: &Settings, network: Network) -> Result<DialogueSource, Fault> {
        let path = settings.folders.here.as_ref().map(|here| here.join(name.trim_matches(['<', '>'])));
        Ok(DialogueSource {
            file: name.to_owned(),
            text,
            catalogue: settings.catalogue(Path::new("."), network)?,
            path,
        })
    }

    /// Finds a dialogue by a path, or by a name such as `video_qa`. Fails if there is none, or if an untrusted project
    /// refuses it.
    ///
    /// If a dialogue has the given name, a file in the working folder with the same name does not replace it, unless
    /// `name` contains a folder or an ending.
    pub fn find(name: &str, settings: &Settings, network: Network) -> Result<DialogueSource, Fault> {
        let here = PathBuf::from(".");
        let is_path = name.contains(['/', '\\']) || name.ends_with(".yaml") || name.ends_with(".yml");
        if is_path && let Some(source) = DialogueSource::read(name, settings, network)? {
            return Ok(source);
        }
        let catalogue = settings.catalogue(&here, network)?;
        let found = catalogue.find(Resource::Dialogue, name).map_err(Fault::refused)?;
        match found {
            Some(found) => {
                let path = found.path();
                Ok(DialogueSource { file: found.file, text: found.text, catalogue, path })
            }
            None if is_path => Err(Fault::refused(format!("{name}: no such file"))),
            None if let Some(source) = DialogueSource::read(name, settings, network)? => Ok(source),
            None => {
                let names = catalogue.names(Resource::Dialogue);
                let renamed = RENAMED.iter().find(|(old, _)| *old == name);
                let renamed =
                    renamed.map(|(_, new)| format!("it is `{new}` now; `elenchus run {new} --help` shows its inputs"));
                let hint = renamed
                    .or_else(|| plan::closest(name, names.iter().map(String::as_str)))
                    .unwrap_or_else(|| format!("the dialogues are {}", names.join(", ")));
                Err(Fault::refused(format!("no dialogue is named `{name}`")).hint(hint))
            }
        }
    }

    /// Reads the file at this path, if it exists. Its project is found from the file, not from the working folder.
    fn read(name: &str, settings: &Settings, network: Network) -> Result<Option<DialogueSource>, Fault> {
        let path = Path::new(name);
        let catalogue = settings.catalogue(path, network)?;
        if let Some(project) = catalogue.project.as_ref().filter(|project| !project.trusted)
            && let Some(own) = beside(path)
            && let Err(why) = inside::check(&project.folder, &own)
        {
            return Err(Fault::refused(format!("{name} is refused: {why}; {}", ways_out(&project.folder))));
        }
        match files::read_given(path, dialogue::MAX_BYTES) {
            Ok(text) => {
                // only the folder is resolved; a link to the dialogue itself keeps its place
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let path =
                    std::fs::canonicalize(folder).ok().zip(path.file_name()).map(|(folder, file)| folder.join(file));
                Ok(Some(DialogueSource { file: name.to_owned(), text, catalogue, path }))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(name, &error)),
        }
    }

    /// Compiles the dialogue. Fails with every problem.
    pub fn plan(&self, options: &CompileOptions) -> Result<Plan, Vec<Problem>> {
        let options = CompileOptions { path: self.path.clone(), ..options.clone() };
        plan::compile_text(&self.text, &self.file, &self.catalogue, &options)
    }

    /// The cast in place of the dialogue's own: `asked`, else the user's default (`elenchus setup`) for a dialogue that
    /// names the starter cast. A dialogue with agents of its own keeps them. Fails if the user's settings cannot be read,
    /// or if the default cast is gone.
    pub fn cast(&self, asked: Option<&str>) -> Result<Option<String>, Fault> {
        if let Some(asked) = asked {
            return Ok(Some(asked.to_owned()));
        }
        let Some(default) = Preferences::read(&self.catalogue.folders)?.cast else { return Ok(None) };
        if default == STARTER || !self.has_starter_cast() {
            return Ok(None);
        }
        match self.catalogue.find(Resource::Cast, &default).map_err(Fault::refused)? {
            Some(_) => Ok(Some(default)),
            None => Err(Fault::refused(format!("your default cast, `{default}`, does not exist any more"))
                .hint("`elenchus setup` chooses another one; `--cast starter` does without for one run")),
        }
    }

    /// True if the dialogue names the starter cast as its own.
    pub fn has_starter_cast(&self) -> bool {
        let (read, _) = dialogue::load_partly(&self.text, &self.file);
        let named = read.and_then(|read| match read.written.cast {
            Some(CastWritten::Named(name)) => Some(name.value),
            _ => None,
        });
        named.as_deref() == Some(STARTER)
    }

    /// Fails if the cast does not exist. A problem could not report this, because it needs a position in a file.
    pub fn check_cast(&self, cast: Option<&str>) -> Result<(), Fault> {
        let Some(name) = cast else { return Ok(()) };
        match self.catalogue.find(Resource::Cast, name).map_err(Fault::refused)? {
            Some(_) => Ok(()),
            None => {
                Err(Fault::refused(format!("no cast is named `{name}`"))
                    .hint(plan::closest_cast(name, &self.catalogue)))
            }
        }
    }

    /// The text of the file that a problem names: this dialogue, a prompt or an agent.
    pub fn text_of(&self, file: &str) -> String {
        if file == self.file {
            return self.text.clone();
        }
        files::read_text(Path::new(file), files::MAX_BYTES).unwrap_or_default()
    }
}

/// The path with its folder resolved; the file itself may be a link.
fn beside(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?))
}

/// The fault for a dialogue that cannot be read. If it is not text, or too long, the message is `FILE:LINE:COLUMN: …`.
pub fn unreadable(name: &str, error: &std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::InvalidData => Fault::refused(format!("{name}:{error}")),
        _ => Fault::refused(format!("{name} cannot be read: {error}")),
    }
}
