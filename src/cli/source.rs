//! Finding and compiling the dialogue that a verb names.

use super::out::Out;
use crate::{
    dialogue::{self, Library as _, Resource},
    error::Fault,
    hub::{Hub, text},
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
}

impl Source {
    /// A path to a file, `-` for standard input, or a name such as `video_qa`.
    pub fn find(name: &str) -> Result<Source, Fault> {
        let here = PathBuf::from(".");
        if name == "-" {
            let text = text::read_from(std::io::stdin(), dialogue::MAX_BYTES)
                .map_err(|error| unreadable("<stdin>", &error))?;
            return Ok(Source { file: "<stdin>".into(), text, hub: Hub::at(&here) });
        }
        let path = Path::new(name);
        match text::read(path, dialogue::MAX_BYTES) {
            Ok(text) => return Ok(Source { file: name.to_owned(), text, hub: Hub::at(path) }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(name, &error)),
        }
        let hub = Hub::at(&here);
        let found = hub.find(Resource::Dialogue, name).map_err(Fault::refused)?;
        match found {
            Some(found) => Ok(Source { file: found.file, text: found.text, hub }),
            None if name.contains(['/', '\\']) || name.ends_with(".yaml") || name.ends_with(".yml") => {
                Err(Fault::refused(format!("{name}: no such file")))
            }
            None => {
                let names = hub.names(Resource::Dialogue);
                let hint = plan::closest(name, names.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("the dialogues that have a name: {}", names.join(", ")));
                Err(Fault::refused(format!("there is no dialogue `{name}`")).hint(hint))
            }
        }
    }

    /// Checks it; problems are printed (or become the JSON result) and end the verb.
    pub fn compile(&self, options: &CompileOptions, out: &Out) -> Result<Plan, Fault> {
        self.check_cast(options.cast.as_deref())?;
        plan::compile_text(&self.text, &self.file, &self.hub, options).map_err(|problems| {
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

    /// Is there a cast of that name? Its file would be no place to point at.
    pub fn check_cast(&self, cast: Option<&str>) -> Result<(), Fault> {
        match cast {
            Some(name) if self.hub.read(Resource::Cast, name).is_none() => {
                Err(Fault::refused(format!("there is no cast `{name}`")).hint(plan::closest_cast(name, &self.hub)))
            }
            _ => Ok(()),
        }
    }

    /// Problems as a compiler shows them, on stderr.
    pub fn show(&self, problems: &[Problem], out: &Out) {
        if !out.json {
            for problem in problems {
                eprintln!("{}\n", plan::render(problem, &self.text_of(&problem.file), out.colored()));
            }
        }
    }

    /// The text of a file that a problem points at: this dialogue's, or that of a prompt or agent beside it.
    fn text_of(&self, file: &str) -> String {
        if file == self.file {
            return self.text.clone();
        }
        text::read(Path::new(file), text::MAX_BYTES).unwrap_or_default()
    }
}

/// A dialogue that is no text, or too much of it, as `FILE:LINE:COLUMN: …`; anything else as the system says it.
fn unreadable(name: &str, error: &std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::InvalidData => Fault::refused(format!("{name}:{error}")),
        _ => Fault::refused(format!("{name} cannot be read: {error}")),
    }
}
