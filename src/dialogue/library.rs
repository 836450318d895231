//! The trait through which checking reads named resources, so that checking stays pure.

use super::Resource;
use crate::exchange::Answers;
use indexmap::IndexMap;
use std::path::PathBuf;

/// A text and the file where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// The file, for problems.
    pub file: String,
    /// Its whole text.
    pub source: String,
}

/// The dialogue that contains a `call`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// Its name among the texts that the plan keeps; empty for the outermost dialogue.
    pub key: String,
    /// Its file, if it has one. Calls look in the same folder first.
    pub path: Option<PathBuf>,
}

/// A dialogue that another dialogue calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Its text.
    pub text: SourceText,
    /// Its file, if it has one.
    pub path: Option<PathBuf>,
}

/// Why the path of a `call` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRefused {
    /// The finding and the expectation.
    pub message: String,
    /// The remedy.
    pub hint: String,
}

/// The key under which a plan keeps the dialogue that `caller` calls `name`, if another dialogue already has the plain
/// name.
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
    /// The text of the resource, or `None` if it does not exist. Names are as the user wrote them (`video-qa`,
    /// `vocab/places`, `examples/image_caption`). The library accepts a leading folder of the kind (`vocab/`) and a missing
    /// extension.
    fn read(&self, kind: Resource, name: &str) -> Option<SourceText>;
    /// All names of this kind, for hints.
    fn names(&self, kind: Resource) -> Vec<String>;
    /// The places where the library looks for this kind, nearest first, for hints.
    fn places(&self, _kind: Resource) -> Vec<String> {
        Vec::new()
    }
    /// The dialogue that `caller` calls by this name or path; `None` if it does not exist. Fails if the path cannot be
    /// read.
    fn called(&self, name: &str, _caller: &Caller) -> Result<Option<Called>, CallRefused> {
        Ok(self.read(Resource::Dialogue, name).map(|text| Called { text, path: None }))
    }
    /// The names that `caller` may call, for hints.
    fn callable(&self, _caller: &Caller) -> Vec<String> {
        self.names(Resource::Dialogue)
    }
    /// The requests that a local agent answers, if they are known without loading it (from a checkpoint's
    /// `config.json`).
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
    /// The library with one more resource.
    pub fn with(mut self, kind: Resource, name: &str, source: &str) -> MemoryLibrary {
        let file = format!("{}/{name}", kind.word());
        self.texts.insert((kind, plain_name(kind, name)), SourceText { file, source: source.to_owned() });
        self
    }
    /// The library with the requests that a local agent answers.
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
