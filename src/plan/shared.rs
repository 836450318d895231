//! What checking one dialogue, and all that it calls, collects.

use super::{Problem, Role, planning::Player};
use crate::{
    dialogue::{self, Pos, Resource, Text},
    exchange::Kind,
};
use indexmap::IndexMap;
use std::sync::Arc;

/// What checking one dialogue, and all that it calls, collects.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub problems: Vec<Problem>,
    pub roles: IndexMap<String, Role>,
    pub sources: IndexMap<String, String>,
    /// Agents by name, with the kinds that they answer, if known.
    pub agents: IndexMap<String, Option<Vec<Kind>>>,
    /// Dialogues being compiled, outermost first.
    pub stack: Vec<String>,
    /// Dialogues that were compiled because they are called.
    pub calls: usize,
    /// Agents put in place of what dialogues say.
    pub swapped: IndexMap<String, Player>,
}

impl Shared {
    pub fn problem(&mut self, code: &str, file: &Arc<str>, pos: Pos, message: String, hint: Option<String>) {
        if self.problems.len() >= crate::problem::MAX_PROBLEMS {
            return;
        }
        self.problems.push(Problem::new(code, file, pos, message, hint));
    }

    /// True if a problem was noted between these places.
    pub fn has_problem(&self, file: &str, from: Pos, until: Option<Pos>) -> bool {
        let inside = |pos: Pos| pos >= from && until.is_none_or(|until| pos < until);
        self.problems.iter().any(|p| p.file == file && inside(Pos { line: p.line, column: p.column }))
    }

    /// Keeps a text that the plan is made of.
    pub fn keep(&mut self, kind: Resource, name: &str, text: &Text) {
        let key = format!("{}/{}", kind.word(), dialogue::plain_name(kind, name));
        self.sources.insert(key, text.source.clone());
    }

    /// The plan's name for a role: its own, or a longer one if another dialogue of this run means another agent by it.
    pub fn cast_role(&mut self, role: &str, agent: &str, kind: Kind) -> String {
        let taken = self.roles.get(role).is_some_and(|known| known.agent != agent);
        let name = if taken { format!("{role} ({agent})") } else { role.to_owned() };
        let known =
            self.roles.entry(name.clone()).or_insert_with(|| Role { agent: agent.to_owned(), kinds: Vec::new() });
        if !known.kinds.contains(&kind) {
            known.kinds.push(kind);
        }
        name
    }
}
