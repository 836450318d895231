//! Roles that no agent fills: a problem, unless the dialogue says that the role is optional. Each step that asks an optional role
//! without an agent is skipped.

use super::{AskedRole, Planning, Problem, Severity, closest, shared::Shared};
use crate::dialogue::{At, CastWritten, DialogueFile};
use indexmap::IndexSet;
use std::{collections::BTreeSet, sync::Arc};

/// The optional roles of a dialogue. Reports those that no step can ask: a repeated name, or a role of every run.
pub(super) fn optional(written: &DialogueFile, file: &Arc<str>, shared: &mut Shared) -> BTreeSet<String> {
    let mut roles = BTreeSet::new();
    for role in written.optional.iter().flatten() {
        let own = written.cast.iter().flat_map(CastWritten::roles).any(|(name, _)| name.value == role.value);
        let (code, why) = match role.as_str() {
            "media" | "journal" => ("wrong-value", "which every run has"),
            _ if own => ("wrong-value", "which the dialogue's own cast fills"),
            _ if !roles.insert(role.value.clone()) => ("duplicate-name", "which is listed twice"),
            _ => continue,
        };
        let message = format!("found optional role `{}`, {why}", role.value);
        shared.problem(code, file, role.pos, message, Some("remove it from `optional`".into()));
    }
    roles
}

/// Warns of optional roles that no step asks.
pub(super) fn unused(written: &DialogueFile, asked: &BTreeSet<String>, file: &Arc<str>, shared: &mut Shared) {
    for role in written.optional.iter().flatten().filter(|role| !asked.contains(role.as_str())) {
        let message = format!("found optional role `{}`, which no step uses", role.value);
        let problem = Problem::new("unused-role", file, role.pos, message, Some("use it, or remove it".into()));
        shared.warnings.push(Problem { severity: Severity::Warning, ..problem });
    }
}

/// A line for each optional role of the dialogue itself that no agent fills. What a called dialogue does without is not news.
pub(super) fn notes(shared: &Shared, own: &BTreeSet<&str>) -> Vec<String> {
    let note = |(role, steps): (&String, &IndexSet<String>)| {
        let names = steps.iter().map(|step| format!("`{step}`")).collect::<Vec<_>>().join(", ");
        let what = if steps.len() == 1 { "the step" } else { "the steps" };
        let verb = if steps.len() == 1 { "is" } else { "are" };
        format!("no agent fills the optional role `{role}`: {what} {names} {verb} skipped")
    };
    shared.unfilled.iter().filter(|(role, _)| own.contains(role.as_str())).map(note).collect()
}

impl Planning<'_> {
    /// The role of a step for which the cast has no agent. If it is optional, the step will be skipped, and a note says so.
    pub(super) fn unfilled(&mut self, name: &At<String>) -> Option<AskedRole> {
        if self.optional.contains(&name.value) {
            self.asked.insert(name.value.clone());
            self.shared.unfilled.entry(name.value.clone()).or_default().insert(self.step.clone());
            self.lacks = Some(name.value.clone());
            return Some(AskedRole { role: name.value.clone(), name: name.value.clone(), content: None });
        }
        let roles: Vec<&str> =
            self.cast.agents.keys().map(String::as_str).chain(self.optional.iter().map(String::as_str)).collect();
        let listed = if roles.is_empty() {
            "the dialogue lacks a cast".into()
        } else {
            format!("the cast has {}", roles.join(", "))
        };
        let hint = closest(name, roles.iter().copied()).unwrap_or(listed);
        let message = format!("found role `{}`, which no agent fills", name.value);
        self.problem("unknown-role", name.pos, message, Some(hint));
        None
    }
}
