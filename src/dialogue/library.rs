//! Where named resources come from. Checking reads them through this trait only, so that it stays pure.

use crate::exchange::Kind;
use indexmap::IndexMap;

/// Kinds of things that dialogues name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Another dialogue, for `call`.
    Dialogue,
    /// `prompts/NAME.md`
    Prompt,
    /// `vocab/NAME.txt`
    Labels,
    /// `agents/NAME.yaml`
    Agent,
    /// `casts/NAME.yaml`
    Cast,
}

impl Resource {
    /// The word for it, in messages and as the first part of a name in [`Plan::sources`](crate::plan::Plan::sources).
    pub fn word(self) -> &'static str {
        match self {
            Resource::Dialogue => "dialogue",
            Resource::Prompt => "prompt",
            Resource::Labels => "labels",
            Resource::Agent => "agent",
            Resource::Cast => "cast",
        }
    }
}

/// A text and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The file, for problems.
    pub file: String,
    /// Its whole text.
    pub source: String,
}

/// Finds resources by name.
pub trait Library {
    /// The text of the resource, if there is one. Names are as the user wrote them (`video-qa`, `vocab/places`,
    /// `examples/caption`); a leading folder of the kind (`vocab/`) and a missing extension are the library's concern.
    fn read(&self, kind: Resource, name: &str) -> Option<Text>;
    /// The names that there are, for hints.
    fn names(&self, kind: Resource) -> Vec<String>;
    /// What a local agent can be asked, if that can be told without loading it (from a checkpoint's `config.json`).
    fn kinds_of(&self, _agent: &str) -> Option<Vec<Kind>> {
        None
    }
}

/// A library in memory: for tests, and for compiling a plan again from the texts in a transcript.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    texts: IndexMap<(Resource, String), Text>,
    kinds: IndexMap<String, Vec<Kind>>,
}

impl Shelf {
    /// With one more resource.
    pub fn with(mut self, kind: Resource, name: &str, source: &str) -> Shelf {
        let file = format!("{}/{name}", kind.word());
        self.texts.insert((kind, plain_name(kind, name)), Text { file, source: source.to_owned() });
        self
    }
    /// With the kinds of request that a local agent answers.
    pub fn with_kinds(mut self, agent: &str, kinds: &[Kind]) -> Shelf {
        self.kinds.insert(agent.to_owned(), kinds.to_vec());
        self
    }
}

/// `vocab/places` and `vocab/places.txt` name the same list as `places`.
pub fn plain_name(kind: Resource, name: &str) -> String {
    let (folder, extension) = match kind {
        Resource::Dialogue => ("examples/", ".yaml"),
        Resource::Prompt => ("prompts/", ".md"),
        Resource::Labels => ("vocab/", ".txt"),
        Resource::Agent => ("agents/", ".yaml"),
        Resource::Cast => ("casts/", ".yaml"),
    };
    let name = name.strip_prefix(folder).unwrap_or(name);
    name.strip_suffix(extension).unwrap_or(name).to_owned()
}

impl Library for Shelf {
    fn read(&self, kind: Resource, name: &str) -> Option<Text> {
        self.texts.get(&(kind, plain_name(kind, name))).cloned()
    }
    fn names(&self, kind: Resource) -> Vec<String> {
        self.texts.keys().filter(|(k, _)| *k == kind).map(|(_, name)| name.clone()).collect()
    }
    fn kinds_of(&self, agent: &str) -> Option<Vec<Kind>> {
        self.kinds.get(agent).cloned()
    }
}
