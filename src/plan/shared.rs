//! The results of checking one dialogue and all dialogues that it calls.

use super::{Problem, Role, VerbRow, cast::Swapped};
use crate::{
    dialogue::{self, Pos, Resource, SourceText},
    exchange::{Answers, Kind},
};
use indexmap::{IndexMap, IndexSet};
use std::sync::Arc;

/// The results of checking one dialogue and all dialogues that it calls.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub problems: Vec<Problem>,
    /// Warnings about the outermost dialogue.
    pub warnings: Vec<Problem>,
    pub roles: IndexMap<String, Role>,
    /// Optional roles that no agent fills, with the steps that ask them.
    pub unfilled: IndexMap<String, IndexSet<String>>,
    pub sources: IndexMap<String, String>,
    /// Agents by name, with the requests that they answer, if known.
    pub agents: IndexMap<String, Option<Vec<Answers>>>,
    /// The dialogues that are being compiled, outermost first: the identity and the name of each.
    pub stack: Vec<(String, String)>,
    /// The number of compiled calls.
    pub calls: usize,
    /// The available verbs.
    pub verbs: &'static [VerbRow],
    /// The agents and label lists of `--cast` and other options; they replace those of dialogues.
    pub swapped: Swapped,
}

impl Shared {
    pub(super) fn problem(&mut self, code: &str, file: &Arc<str>, pos: Pos, message: String, hint: Option<String>) {
        if self.problems.len() >= crate::problem::MAX_PROBLEMS {
            return;
        }
        self.problems.push(Problem::new(code, file, pos, message, hint));
    }

    /// Adds problems that another reader reported.
    pub(super) fn take(&mut self, problems: Vec<Problem>) {
        let room = crate::problem::MAX_PROBLEMS.saturating_sub(self.problems.len());
        self.problems.extend(problems.into_iter().take(room));
    }

    /// True if a problem was reported between these positions.
    pub(super) fn has_problem(&self, file: &str, from: Pos, until: Option<Pos>) -> bool {
        let inside = |pos: Pos| pos >= from && until.is_none_or(|until| pos < until);
        self.problems.iter().any(|p| p.file == file && inside(Pos { line: p.line, column: p.column }))
    }

    /// Records a source text of the plan.
    pub(super) fn keep(&mut self, kind: Resource, name: &str, text: &SourceText) {
        let key = format!("{}/{}", kind.word(), dialogue::plain_name(kind, name));
        self.sources.insert(key, text.source.clone());
    }

    /// Records the text of a called dialogue and returns its key. Two folders may contain dialogues of one name.
    pub(super) fn keep_called(&mut self, caller: &str, name: &str, text: &SourceText) -> String {
        let plain = dialogue::plain_name(Resource::Dialogue, name);
        let free = self.sources.get(&format!("dialogue/{plain}")).is_none_or(|kept| *kept == text.source);
        let key = if free { plain } else { dialogue::call_key(caller, name) };
        self.sources.insert(format!("dialogue/{key}"), text.source.clone());
        key
    }

    /// The plan's name for a role. It is longer if another dialogue of this run gives the role to another agent.
    pub(super) fn cast_role(&mut self, role: &str, agent: &str, kind: Kind) -> String {
        let taken = self.roles.get(role).is_some_and(|known| known.agent != agent);
        let name = if taken { format!("{role} ({agent})") } else { role.to_owned() };
        let known = self.roles.entry(name.clone()).or_insert_with(|| Role {
            agent: agent.to_owned(),
            kinds: Vec::new(),
            floor: false,
            own_labels: false,
            choices: false,
        });
        if !known.kinds.contains(&kind) {
            known.kinds.push(kind);
        }
        name
    }
}
