//! Called dialogues: finds them, limits their number and depth, and compiles each at the place of its call.

use super::{Compiled, Draft, Planning, block, compile::compiled, planning::not_found};
use crate::dialogue::{self, At, Called, Caller, Resource};
use indexmap::IndexMap;
use std::{path::Path, sync::Arc};

/// Maximum nesting of calls.
const MAX_DEPTH: usize = 16;
/// Maximum number of calls in one run, including those of called dialogues. Each is compiled at its place.
const MAX_CALLS: usize = 1000;

/// The identity of a dialogue: its file, or its name without a file.
pub(super) fn identity(path: Option<&Path>, name: &str) -> String {
    path.map_or_else(|| name.to_owned(), |path| path.display().to_string())
}

impl Planning<'_> {
    /// Compiles the dialogue that a `call` names. Reports a problem if that is impossible.
    pub(crate) fn called(&mut self, name: &At<String>) -> Option<Compiled> {
        let call = name.pos;
        let bound = self.cast.dialogues.get(&dialogue::plain_name(Resource::Dialogue, name)).cloned();
        // the cast puts another dialogue in the place of the named one
        let (name, file) = match bound {
            Some(bound) => (&At { value: bound.name, pos: bound.pos }, bound.file),
            None => (name, self.file.clone()),
        };
        let found = self.find_called(name, &file)?;
        let plain = dialogue::plain_name(Resource::Dialogue, name);
        let key = self.shared.keep_called(&self.caller.key, name, &found.text);
        let identity = identity(found.path.as_deref(), &key);
        let calls_itself = self.shared.stack.iter().any(|(known, _)| *known == identity);
        if calls_itself || self.shared.stack.len() >= MAX_DEPTH {
            let names = self.shared.stack.iter().map(|(_, name)| name).chain([&plain]);
            let path = names.cloned().collect::<Vec<_>>().join(" → ");
            let what = if calls_itself { "a dialogue that calls itself" } else { "calls nested too deeply" };
            self.problem("cycle", call, format!("found {what}: {path}"), None);
            return None;
        }
        self.shared.calls += 1;
        if self.shared.calls > MAX_CALLS {
            let message = format!("found more than {MAX_CALLS} calls, those of called dialogues included");
            self.problem("too-large", call, message, None);
            return None;
        }
        let dialogue = match dialogue::load(&found.text.source, &found.text.file) {
            Ok(dialogue) => dialogue,
            Err(problems) => {
                self.shared.problems.extend(problems);
                return None;
            }
        };
        self.shared.stack.push((identity, plain));
        let compiled = compiled(&dialogue, Caller { key, path: found.path }, self.library, self.shared);
        self.shared.stack.pop();
        compiled
    }

    /// Finds the dialogue that `file` names for a `call`. Reports a problem if it cannot be read.
    fn find_called(&mut self, name: &At<String>, file: &Arc<str>) -> Option<Called> {
        match self.library.called(name, &self.caller) {
            Ok(Some(found)) => Some(found),
            Ok(None) => {
                let names = self.library.callable(&self.caller);
                let beside = self.caller.path.as_deref().and_then(Path::parent).map(|folder| {
                    match folder.display().to_string() {
                        here if here.is_empty() => ".".to_owned(),
                        folder => folder,
                    }
                });
                let places = beside.into_iter().chain(self.library.places(Resource::Dialogue)).collect::<Vec<_>>();
                let hint = not_found(&dialogue::plain_name(Resource::Dialogue, name), "dialogues", &names, &places);
                self.shared.problem(
                    "unknown-dialogue",
                    file,
                    name.pos,
                    format!("found no dialogue `{}`", name.value),
                    hint,
                );
                None
            }
            Err(refused) => {
                self.shared.problem("outside-project", file, name.pos, refused.message, Some(refused.hint));
                None
            }
        }
    }

    /// Plans inner steps. Names that are not bound inside become mentions of this step.
    pub(crate) fn inner(&mut self, steps: &IndexMap<At<String>, dialogue::StepWritten>, bound: &[&str]) -> Draft {
        let own = std::mem::take(&mut self.mentions);
        let (draft, open) = block::plan(steps, self);
        self.mentions = own;
        self.mentions.extend(open.into_iter().filter(|mention| !bound.contains(&mention.name.as_str())));
        draft
    }
}
