//! `elenchus init DIR`

use super::{Exit, out::Out, settings::Settings};
use crate::{error::Fault, hub::trust};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The arguments of `init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  elenchus init demo && cd demo && elenchus check *.yaml && elenchus test *.yaml

The command writes a dialogue with tests, a prompt, a list of labels, an agent and a README. It overwrites nothing. The new folder is \
trusted (see `elenchus trust`).")]
pub(crate) struct Args {
    /// A new or empty folder
    dir: PathBuf,
}

/// The files of a new project, from `examples/project/`.
const FILES: &[(&str, &str)] = &[
    ("day.yaml", include_str!("../../examples/project/day.yaml")),
    ("prompts/day-sentence.md", include_str!("../../examples/project/prompts/day-sentence.md")),
    ("vocab/rooms.txt", include_str!("../../examples/project/vocab/rooms.txt")),
    ("agents/writer.yaml", include_str!("../../examples/project/agents/writer.yaml")),
    ("README.md", include_str!("../../examples/project/README.md")),
];

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let shown = self.dir.display();
        let unwritable =
            |path: &Path, error: io::Error| Fault::failed(format!("{} cannot be written: {error}", path.display()));
        fs::create_dir_all(&self.dir).map_err(|error| unwritable(&self.dir, error))?;
        let mut inside = fs::read_dir(&self.dir).map_err(|error| unwritable(&self.dir, error))?;
        if inside.next().is_some() {
            return Err(
                Fault::refused(format!("{shown} is not empty")).hint("name a new folder: `elenchus init my-dialogue`")
            );
        }
        for (file, text) in FILES {
            let path = self.dir.join(file);
            let written = fs::create_dir_all(path.parent().unwrap_or(&self.dir)).and_then(|()| {
                let mut new = fs::File::create_new(&path)?;
                io::Write::write_all(&mut new, text.as_bytes())
            });
            written.map_err(|error| unwritable(&path, error))?;
        }
        // the user made this folder, so it is trusted
        trust::add(&settings.folders, &self.dir)?;
        if out.json {
            let files: Vec<&str> = FILES.iter().map(|(file, _)| *file).collect();
            out.value(&serde_json::json!({ "folder": self.dir, "files": files }))?;
        } else {
            for (file, _) in FILES {
                out.text(self.dir.join(file).display())?;
            }
            out.note(format_args!("{shown} is a trusted project now (`elenchus trust --list`)"));
            out.note(format_args!("next: cd {shown} && elenchus check *.yaml && elenchus test *.yaml"));
        }
        Ok(Exit::Answered)
    }
}
