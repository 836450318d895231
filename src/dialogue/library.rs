//! The source of named resources. Checking reads them only through this trait, so that it stays pure.

use super::Resource;
use crate::exchange::Answers;
use indexmap::IndexMap;
use std::path::PathBuf;

/// A text and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// The file, for problems.
    pub file: String,
    /// Its whole text.
    pub source: String,
}

/// A dialogue that calls others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// Its name among the texts that the plan keeps; empty for the outermost.
    pub key: String,
    /// Its file, if it has one: the dialogues that it calls are looked for in the same folder first.
    pub path: Option<PathBuf>,
}

/// A dialogue that is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Its text.
    pub text: SourceText,
    /// Its file, if it has one.
    pub path: Option<PathBuf>,
}

/// Why a path in a `call` is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRefused {
    /// The finding and the expectation.
    pub message: String,
    /// The remedy.
    pub hint: String,
}

/// The key under which a plan keeps a dialogue that `caller` calls `name`, where another dialogue has the plain name.
pub fn call_key(caller: &str, name: &str) -> String {
    format!("{caller} > {}", call_name(name))
}

/// `./a.yaml` names the same dialogue as `a`.
fn call_name(name: &str) -> &str {
    let name = name.strip_prefix("./").unwrap_or(name);
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(name)
}

/// Finds resources by name.
pub trait Library {
    /// The text of the resource, if there is one. Names are as the user wrote them (`video-qa`, `vocab/places`,
    /// `examples/caption`); a leading folder of the kind (`vocab/`) and a missing extension are the library's concern.
    fn read(&self, kind: Resource, name: &str) -> Option<SourceText>;
    /// The names that there are, for hints.
    fn names(&self, kind: Resource) -> Vec<String>;
    /// The places where such names are looked for, nearest first, for hints.
    fn places(&self, _kind: Resource) -> Vec<String> {
        Vec::new()
    }
    /// The dialogue that `caller` calls by this name or path, if there is one; an error if the path may not be read.
    fn called(&self, name: &str, _caller: &Caller) -> Result<Option<Called>, CallRefused> {
        Ok(self.read(Resource::Dialogue, name).map(|text| Called { text, path: None }))
    }
    /// The names that `caller` may call, for hints.
    fn callable(&self, _caller: &Caller) -> Vec<String> {
        self.names(Resource::Dialogue)
    }
    /// The requests that a local agent takes, if known without loading it (from a checkpoint's `config.json`).
    fn answers_of(&self, _agent: &str) -> Option<Vec<Answers>> {
        None
    }
}

/// A library in memory: for tests, and for compiling a plan again from the texts in a transcript.
#[derive(Debug, Clone, Default)]
pub struct MemoryLibrary {
    texts: IndexMap<(Resource, String), SourceText>,
    answers: IndexMap<String, Vec<Answers>>,
}

impl MemoryLibrary {
    /// With one more resource.
    pub fn with(mut self, kind: Resource, name: &str, source: &str) -> MemoryLibrary {
        let file = format!("{}/{name}", kind.word());
        self.texts.insert((kind, plain_name(kind, name)), SourceText { file, source: source.to_owned() });
        self
    }
    /// With what a local agent can be asked.
    pub fn with_answers(mut self, agent: &str, answers: &[Answers]) -> MemoryLibrary {
        self.answers.insert(agent.to_owned(), answers.to_vec());
        self
    }
}

/// `vocab/places` and `vocab/places.txt` name the same list as `places`.
pub fn plain_name(kind: Resource, name: &str) -> String {
    let name = match kind {
        Resource::Dialogue => call_name(name),
        _ => name.strip_suffix(kind.ending()).and_then(|name| name.strip_suffix('.')).unwrap_or(name),
    };
    name.strip_prefix(kind.folder()).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name).to_owned()
}

impl Library for MemoryLibrary {
    fn read(&self, kind: Resource, name: &str) -> Option<SourceText> {
        self.texts.get(&(kind, plain_name(kind, name))).cloned()
    }
    fn names(&self, kind: Resource) -> Vec<String> {
        self.texts.keys().filter(|(k, _)| *k == kind).map(|(_, name)| name.clone()).collect()
    }
    fn called(&self, name: &str, caller: &Caller) -> Result<Option<Called>, CallRefused> {
        let own = self.texts.get(&(Resource::Dialogue, call_key(&caller.key, name))).cloned();
        Ok(own.or_else(|| self.read(Resource::Dialogue, name)).map(|text| Called { text, path: None }))
    }
    fn answers_of(&self, agent: &str) -> Option<Vec<Answers>> {
        self.answers.get(agent).cloned()
    }
}
