//! The first half of checking a step, with helpers for verbs: names, prompts and roles.

use super::{Rule, closest, shared::Shared};
use crate::{
    dialogue::{self, At, Caller, Data, Library, Node, Pos, Resource, TextStyle},
    exchange::{Answers, Kind, Modalities, Modality},
    prompt::{Template, Use},
};
use indexmap::IndexMap;
use std::{collections::BTreeSet, sync::Arc};

/// A mention of a name in a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mention {
    pub name: String,
    pub file: Arc<str>,
    pub pos: Pos,
    /// The prompt file, if the mention is a hole of one.
    pub hole_of: Option<Hole>,
}

/// A prompt file and the step that uses it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hole {
    /// The prompt's name.
    pub prompt: String,
    /// File and line of the step.
    pub used_at: String,
}

/// The agent of a role, and the position that assigns it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CastEntry {
    pub agent: String,
    pub file: Arc<str>,
    pub pos: Pos,
}

/// A role that a step asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedRole {
    /// The role's name in the plan.
    pub role: String,
    /// The role's name in the step.
    pub name: String,
    /// The content that the agent accepts with this kind of request, if known before the run.
    pub content: Option<Modalities>,
}

impl AskedRole {
    /// True if the agent accepts sound and no pictures. For such an agent a moment is its sound.
    pub fn only_listens(&self) -> bool {
        self.content.is_some_and(|content| content.has(Modality::Sound) && !content.has(Modality::Image))
    }
}

/// The first half of checking a step: reads its templates, prompts, label lists and roles, and collects the names that
/// it uses.
pub struct Planning<'a> {
    pub(super) shared: &'a mut Shared,
    /// The source of prompts, labels, agents and other dialogues.
    pub(super) library: &'a dyn Library,
    /// The file that is being checked.
    pub(super) file: Arc<str>,
    /// The dialogue that is being checked, as the caller of others.
    pub(super) caller: Caller,
    /// The agents of this dialogue by role.
    pub(super) cast: &'a IndexMap<String, CastEntry>,
    /// The names in the current step.
    pub(super) mentions: Vec<Mention>,
    /// The roles that the steps ask.
    pub(super) asked: BTreeSet<String>,
    /// The ranges of inputs that are used as numbers.
    pub(super) rules: Vec<Rule>,
    /// True in a step that may be skipped or may run without its value.
    pub(super) conditional: bool,
    /// True in a step whose YAML has problems: a missing key may only be misspelt.
    pub(super) doubtful: bool,
}

impl Planning<'_> {
    /// Reports a problem in the file that is being checked.
    pub fn problem(&mut self, code: &str, pos: Pos, message: String, hint: Option<String>) {
        if self.doubtful && code == "missing-key" {
            return;
        }
        self.shared.problem(code, &self.file.clone(), pos, message, hint);
    }

    /// Parses a template. Its names become mentions.
    pub(super) fn template(&mut self, text: &str, node: &Node) -> Option<Template> {
        let (template, uses) = self.parsed(text, node, &self.file.clone());
        let mut places = node.places();
        self.mentions.extend(uses.iter().map(|used| Mention {
            name: used.name.clone(),
            file: self.file.clone(),
            pos: places.at(used.offset),
            hole_of: None,
        }));
        template
    }

    /// The template, if it can be parsed, and the names found in it.
    fn parsed(&mut self, text: &str, node: &Node, file: &Arc<str>) -> (Option<Template>, Vec<Use>) {
        match Template::parse_partly(text) {
            Ok(template) => {
                let uses = template.uses().to_vec();
                (Some(template), uses)
            }
            Err((errors, uses)) => {
                let mut places = node.places();
                for error in errors {
                    self.shared.problem(error.code, file, places.at(error.offset), error.message, error.hint);
                }
                (None, uses)
            }
        }
    }

    /// Records the range of an input, unless the step can run without it.
    pub(super) fn rule(&mut self, rule: Rule) {
        if !self.conditional {
            self.rules.push(rule);
        }
    }

    /// Records that the step needs the value of `name`.
    pub fn mention(&mut self, name: &str, pos: Pos) {
        self.mentions.push(Mention { name: name.to_owned(), file: self.file.clone(), pos, hole_of: None });
    }

    /// Records the unbound holes of a prompt file as mentions: a step or input of that name fills each.
    pub fn holes(
        &mut self,
        prompt: &At<String>,
        template: &Template,
        node: &Node,
        file: &Arc<str>,
        is_bound: &dyn Fn(&str) -> bool,
    ) {
        let used_at = format!("{}:{}", self.file, prompt.pos.line);
        let mut places = node.places();
        let mut seen: Vec<&str> = Vec::new();
        for used in template.uses() {
            if !is_bound(&used.name) && !seen.contains(&used.name.as_str()) {
                seen.push(&used.name);
                self.mentions.push(Mention {
                    name: used.name.clone(),
                    file: file.clone(),
                    pos: places.at(used.offset),
                    hole_of: Some(Hole { prompt: prompt.value.clone(), used_at: used_at.clone() }),
                });
            }
        }
    }

    /// Reads a part in which these names are bound, so that they do not become mentions.
    pub fn bound_to<T>(&mut self, names: &[&str], read: impl FnOnce(&mut Self) -> T) -> T {
        let own = std::mem::take(&mut self.mentions);
        let read = read(self);
        let inside = std::mem::replace(&mut self.mentions, own);
        self.mentions.extend(inside.into_iter().filter(|mention| !names.contains(&mention.name.as_str())));
        read
    }

    /// Reads a named resource, or reports that it is missing.
    pub(super) fn resource(&mut self, kind: Resource, name: &At<String>) -> Option<dialogue::SourceText> {
        let found = self.library.read(kind, name);
        match &found {
            Some(text) => self.shared.keep(kind, name, text),
            None => {
                let names = self.library.names(kind);
                let word = kind.noun();
                let code = format!("unknown-{}", kind.word());
                let places = self.library.places(kind);
                let hint = not_found(&dialogue::plain_name(kind, name), &format!("{word}s"), &names, &places);
                self.problem(&code, name.pos, format!("found no {word} `{}`", name.value), hint);
            }
        }
        found
    }

    /// A prompt file as a template. Its holes are not mentions yet.
    pub fn prompt(&mut self, name: &At<String>) -> Option<(Template, Node, Arc<str>)> {
        let text = self.resource(Resource::Prompt, name)?;
        // the last line break of a file is not part of the prompt
        let source = text.source.trim_end().to_owned();
        // like a literal block without indentation, whose first line is line 1 of the file
        let node = Node { pos: Pos { line: 0, column: 1 }, data: Data::Text(source.clone(), TextStyle::Literal(0)) };
        let file: Arc<str> = text.file.into();
        let template = self.parsed(&source, &node, &file).0?;
        Some((template, node, file))
    }

    /// A label list by name. Reports a missing or empty list.
    pub fn labels(&mut self, name: &At<String>) -> Option<Vec<String>> {
        let labels = dialogue::labels(&self.resource(Resource::Labels, name)?.source);
        if labels.is_empty() {
            self.problem("wrong-value", name.pos, format!("found no labels in label list `{}`", name.value), None);
        }
        Some(labels)
    }

    /// Records that a step needs each label's floor from the plan's role `name`.
    pub fn wants_floor(&mut self, name: &str) {
        if let Some(role) = self.shared.roles.get_mut(name) {
            role.floor = true;
        }
    }

    /// Records that a step asks the plan's role `name` for the agent's own labels.
    pub fn wants_own_labels(&mut self, name: &str) {
        if let Some(role) = self.shared.roles.get_mut(name) {
            role.own_labels = true;
        }
    }

    /// The first agent that answers requests of this kind, for a hint.
    fn agent_for(&self, kind: Kind) -> Option<String> {
        let answers = |name: &String| {
            let text = self.library.read(Resource::Agent, name)?;
            let agent = dialogue::agent_file(&text.source, &text.file).ok()?;
            let answers = agent.answers().or_else(|| self.library.answers_of(name))?;
            answers.iter().any(|answers| answers.kind == kind).then_some(())
        };
        self.library.names(Resource::Agent).into_iter().take(MAX_AGENTS).find(|name| answers(name).is_some())
    }

    /// The role `name` of the cast for requests of this kind. Reports an unknown role or an unsuitable agent.
    pub fn role(&mut self, name: &At<String>, kind: Kind) -> Option<AskedRole> {
        let Some(entry) = self.cast.get(&name.value).cloned() else {
            let roles: Vec<&str> = self.cast.keys().map(String::as_str).collect();
            let listed = if roles.is_empty() {
                "the dialogue lacks a cast".into()
            } else {
                format!("the cast has {}", roles.join(", "))
            };
            let hint = closest(name, roles.iter().copied()).unwrap_or(listed);
            self.problem(
                "unknown-role",
                name.pos,
                format!("found role `{}`, which no agent fills", name.value),
                Some(hint),
            );
            return None;
        };
        self.asked.insert(name.value.clone());
        let answers = self.shared.agents.get(&entry.agent).cloned().flatten();
        let able = |kind: Kind| move |answers: &&Answers| answers.kind == kind;
        if let Some(answers) = answers.as_ref().filter(|answers| answers.iter().find(able(kind)).is_none()) {
            let can = answers.iter().map(|answers| answers.kind.word()).collect::<Vec<_>>().join(", ");
            let message = format!(
                "found `{}` for role `{}`, which answers {can} and not {}",
                entry.agent,
                name.value,
                kind.word()
            );
            let can = self.agent_for(kind).map(|agent| format!(", such as `{agent}`")).unwrap_or_default();
            let hint = Some(format!("give the role an agent that answers {}{can}", kind.word()));
            self.problem("agent-cannot", name.pos, message, hint);
        }
        let content = answers.map(|answers| {
            answers.iter().filter(able(kind)).fold(Modalities::default(), |all, answers| all.and(answers.takes))
        });
        Some(AskedRole {
            role: self.shared.cast_role(&name.value, &entry.agent, kind),
            name: name.value.clone(),
            content,
        })
    }
}

/// Maximum number of agents that are read for a hint.
const MAX_AGENTS: usize = 100;
/// Maximum number of names in a hint.
const MAX_LISTED: usize = 20;

/// The hint for a name that was not found: the nearest name or all names, and the searched places.
pub(super) fn not_found(name: &str, plural: &str, names: &[String], places: &[String]) -> Option<String> {
    let listed = || {
        let more = if names.len() > MAX_LISTED { ", …" } else { "" };
        let first: Vec<&str> = names.iter().take(MAX_LISTED).map(String::as_str).collect();
        (!first.is_empty()).then(|| format!("the {plural} are {}{more}", first.join(", ")))
    };
    let near = closest(name, names.iter().map(String::as_str)).or_else(listed);
    let looked = (!places.is_empty()).then(|| format!("looked in {}", places.join(", ")));
    match (near, looked) {
        // `did you mean …?` ends a sentence
        (Some(near), Some(looked)) if near.ends_with('?') => Some(format!("{near} {looked}")),
        (Some(near), Some(looked)) => Some(format!("{near}; {looked}")),
        (near, looked) => near.or(looked),
    }
}
