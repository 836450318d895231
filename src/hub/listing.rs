//! Lists named files: kind, location, and one line about each.

use super::{Catalogue, catalogue::FoundFile, checkpoint::Origin};
use crate::dialogue::{self, Resource};
use serde::Serialize;

/// The location of a named file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// In the program.
    Program,
    /// In the user's configuration folder.
    User,
    /// In the project.
    Project,
}

/// One named file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedName {
    /// `dialogue`, `prompt`, `labels`, `cast` or `agent`.
    pub kind: &'static str,
    /// The name in dialogues and commands.
    pub name: String,
    /// The location of the file.
    pub from: From,
    /// The file's path.
    pub file: String,
    /// One line about the file, or why it cannot be read.
    pub about: Option<String>,
}

/// Maximum length of the line about a file, in characters.
const MAX_ABOUT: usize = 100;

impl Catalogue {
    /// Every named file of a kind, sorted by name.
    pub fn listed(&self, kind: Resource) -> Vec<ListedName> {
        self.names(kind).into_iter().filter_map(|name| self.listed_one(kind, name)).collect()
    }

    fn listed_one(&self, kind: Resource, name: String) -> Option<ListedName> {
        let found = match self.find(kind, &name) {
            Ok(found) => found?,
            Err(error) => {
                let (from, about) = (From::Project, Some(format!("cannot be read: {}", error.why)));
                return Some(ListedName { kind: kind.word(), name, from, file: error.file, about });
            }
        };
        let (from, about) = (self.from(&found), about(kind, &found));
        Some(ListedName { kind: kind.word(), name, from, file: found.file, about })
    }

    /// The location of a named file.
    pub fn from(&self, found: &FoundFile) -> From {
        match &found.origin {
            Origin::Embedded(_) => From::Program,
            Origin::Folder(folder) if self.folders.own_config().is_some_and(|own| folder.starts_with(own)) => {
                From::User
            }
            Origin::Folder(_) => From::Project,
        }
    }
}

/// One line about a named file, from its text.
fn about(kind: Resource, found: &FoundFile) -> Option<String> {
    let text = match kind {
        Resource::Dialogue => dialogue::load_partly(&found.text, &found.file).0.and_then(|read| read.written.about),
        Resource::Agent => dialogue::agent_file(&found.text, &found.file).ok().and_then(|agent| agent.about),
        Resource::Cast => dialogue::cast(&found.text, &found.file).ok().map(|cast| {
            let roles: Vec<String> =
                cast.cast.iter().map(|(role, agent)| format!("{}: {}", role.value, agent.value)).collect();
            cast.about.unwrap_or_else(|| roles.join(", "))
        }),
        Resource::Prompt => found.text.lines().find(|line| !line.trim().is_empty()).map(str::to_owned),
        Resource::Schema => {
            let schema: Option<serde_json::Value> = serde_json::from_str(&found.text).ok();
            let word = |key: &str| schema.as_ref()?.get(key)?.as_str().map(str::to_owned);
            word("description").or_else(|| word("title"))
        }
        Resource::Calibration => {
            let read: Option<serde_json::Value> = serde_json::from_str(&found.text).ok();
            read.and_then(|read| read.get("about")?.as_str().map(str::to_owned))
        }
        Resource::Labels => {
            let labels = dialogue::labels(&found.text);
            Some(format!("{} labels: {}", labels.len(), labels.join(", ")))
        }
    };
    text.map(|text| one_line(&text))
}

/// The text on one line, cut at the maximum length.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_ABOUT) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}
