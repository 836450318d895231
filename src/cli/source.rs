//! Finding and compiling the dialogue that a verb names.

use super::{
    out::Out,
    print,
    settings::{Settings, tell},
};
use crate::{
    dialogue::{self, Resource},
    error::Fault,
    files,
    hub::{Hub, Network, inside, verdict::ways_out},
    plan::{self, CompileOptions, Plan, Problem},
};
use std::path::{Path, PathBuf};

/// A dialogue's text, where its names are looked up, and what its relative paths are relative to.
#[derive(Debug)]
pub(crate) struct Source {
    /// As messages call it.
    pub file: String,
    /// The whole YAML.
    pub text: String,
    /// Finds prompts, agents, label lists and casts.
    pub hub: Hub,
    /// The file, if it is one: dialogues that it calls may lie beside it.
    pub path: Option<PathBuf>,
}

impl Source {
    /// A path to a file, `-` for standard input, or a name such as `video_qa`.
    ///
    /// A name without a folder and an ending is no file where a dialogue has that name: a file in the working folder does not
    /// replace it.
    pub fn find(name: &str, settings: &Settings, network: Network) -> Result<Source, Fault> {
        let here = PathBuf::from(".");
        if name == "-" {
            let text = files::read_from(std::io::stdin(), dialogue::MAX_BYTES)
                .map_err(|error| unreadable("<stdin>", &error))?;
            let path = settings.folders.here.as_ref().map(|here| here.join("stdin"));
            return Ok(Source { file: "<stdin>".into(), text, hub: settings.hub(&here, network)?, path });
        }
        let is_path = name.contains(['/', '\\']) || name.ends_with(".yaml") || name.ends_with(".yml");
        if is_path && let Some(source) = Source::read(name, settings, network)? {
            return Ok(source);
        }
        let hub = settings.hub(&here, network)?;
        let found = hub.find(Resource::Dialogue, name).map_err(Fault::refused)?;
        match found {
            Some(found) => {
                let path = found.path();
                Ok(Source { file: found.file, text: found.text, hub, path })
            }
            None if is_path => Err(Fault::refused(format!("{name}: no such file"))),
            None if let Some(source) = Source::read(name, settings, network)? => Ok(source),
            None => {
                let names = hub.names(Resource::Dialogue);
                let hint = plan::closest(name, names.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("the dialogues that have a name: {}", names.join(", ")));
                Err(Fault::refused(format!("there is no dialogue `{name}`")).hint(hint))
            }
        }
    }

    /// The file of this path, if there is one. Its project is the one that it lies in, not that of the working folder.
    fn read(name: &str, settings: &Settings, network: Network) -> Result<Option<Source>, Fault> {
        let path = Path::new(name);
        let hub = settings.hub(path, network)?;
        if let Some(project) = hub.project.as_ref().filter(|project| !project.trusted)
            && let Some(own) = beside(path)
            && let Err(why) = inside::check(&project.folder, &own)
        {
            return Err(Fault::refused(format!("{name} is refused: {why}; {}", ways_out(&project.folder))));
        }
        match files::read_given(path, dialogue::MAX_BYTES) {
            Ok(text) => {
                // the folder's real path; a link to the dialogue itself stays where it is
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let path =
                    std::fs::canonicalize(folder).ok().zip(path.file_name()).map(|(folder, file)| folder.join(file));
                Ok(Some(Source { file: name.to_owned(), text, hub, path }))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(name, &error)),
        }
    }

    /// Checks it; problems are printed (or become the JSON result) and end the verb.
    pub fn compile(&self, options: &CompileOptions, out: &Out) -> Result<Plan, Fault> {
        self.check_cast(options.cast.as_deref())?;
        let compiled = self.plan(options);
        tell(&self.hub.verdicts, out)?;
        compiled.map_err(|problems| {
            self.show(&problems, out);
            let count = problems.len();
            let first = &problems[0];
            let place = format!("{}:{}:{}: {}", first.file, first.line, first.column, first.message);
            let message = match count {
                1 if out.json => place,
                1 => format!("{} has a problem", first.file),
                _ if out.json => format!("{place} (and {} more problems)", count - 1),
                _ => format!("{} has {count} problems", self.file),
            };
            Fault::refused(message)
        })
    }

    /// The plan, or every problem.
    pub fn plan(&self, options: &CompileOptions) -> Result<Plan, Vec<Problem>> {
        let options = CompileOptions { path: self.path.clone(), ..options.clone() };
        plan::compile_text(&self.text, &self.file, &self.hub, &options)
    }

    /// Is there a cast of that name? Its file would be no place to point at.
    pub fn check_cast(&self, cast: Option<&str>) -> Result<(), Fault> {
        let Some(name) = cast else { return Ok(()) };
        match self.hub.find(Resource::Cast, name).map_err(Fault::refused)? {
            Some(_) => Ok(()),
            None => Err(Fault::refused(format!("there is no cast `{name}`")).hint(plan::closest_cast(name, &self.hub))),
        }
    }

    /// Problems as a compiler shows them, on stderr.
    pub fn show(&self, problems: &[Problem], out: &Out) {
        if !out.json {
            for problem in problems {
                let shown = plan::render(problem, &self.text_of(&problem.file), out.colored());
                print::to_stderr_styled(&format!("{shown}\n"));
            }
        }
    }

    /// The text of a file that a problem points at: this dialogue's, or that of a prompt or agent beside it.
    fn text_of(&self, file: &str) -> String {
        if file == self.file {
            return self.text.clone();
        }
        files::read_text(Path::new(file), files::MAX_BYTES).unwrap_or_default()
    }
}

/// The path with its folder's real path; the file itself may be a link.
fn beside(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?))
}

/// A dialogue that is no text, or too much of it, as `FILE:LINE:COLUMN: …`; anything else as the system says it.
fn unreadable(name: &str, error: &std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::InvalidData => Fault::refused(format!("{name}:{error}")),
        _ => Fault::refused(format!("{name} cannot be read: {error}")),
    }
}
