//! The first half of checking a step, with helpers for verbs: names, prompts and roles.

use super::{
    Rule,
    cast::{Binding, Cast},
    closest,
    shared::Shared,
};
use crate::{
    dialogue::{self, At, Caller, Data, Expr, Library, MAX_LABELS, Node, Pos, Resource, TextStyle},
    exchange::{Answers, Kind, Modalities, Modality},
    grammar::{Restriction, Unfit},
    prompt::{Template, Use},
};
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

/// The position of the part of a tree to which keys and indexes lead.
fn place(node: &Node, path: &[String]) -> Pos {
    let (mut node, mut pos) = (node, node.pos);
    for part in path {
        let inner = match &node.data {
            Data::Map(entries) => {
                entries.iter().find(|(key, _)| key.name == *part).map(|(key, value)| (value, key.pos))
            }
            Data::List(items) => part.parse::<usize>().ok().and_then(|n| items.get(n)).map(|item| (item, item.pos)),
            _ => None,
        };
        match inner {
            Some(found) => (node, pos) = found,
            None => break,
        }
    }
    pos
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
    /// The name of this dialogue.
    pub(super) dialogue: String,
    /// The name of the step that is being read.
    pub(super) step: String,
    /// The agents and the label lists of this dialogue by role.
    pub(super) cast: &'a Cast,
    /// The names in the current step.
    pub(super) mentions: Vec<Mention>,
    /// The roles that the steps ask.
    pub(super) asked: BTreeSet<String>,
    /// The roles that the cast need not fill.
    pub(super) optional: BTreeSet<String>,
    /// The role of the current step that no agent fills, if it is optional.
    pub(super) lacks: Option<String>,
    /// The ranges of inputs that are used as numbers.
    pub(super) rules: Vec<Rule>,
    /// True in a step that may be skipped or may run without its value.
    pub(super) conditional: bool,
    /// True in a step whose YAML has problems: a missing key may only be misspelt.
    pub(super) doubtful: bool,
    /// The position of the current step's verb.
    pub(super) verb_pos: Pos,
}

impl Planning<'_> {
    /// Reports a problem in the file that is being checked. Without a position of its own (`Pos::default()`), it is at the verb.
    pub fn problem(&mut self, code: &str, pos: Pos, message: String, hint: Option<String>) {
        if self.doubtful && code == "missing-key" {
            return;
        }
        let pos = if pos == Pos::default() { self.verb_pos } else { pos };
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

    /// The labels that `among: NAME` means for the agent of `role`: those that the cast binds to the label role `NAME`, else the
    /// label list of this name. Reports a missing or empty list, and a cast whose agent lacks words.
    pub fn labels(&mut self, name: &At<String>, role: Option<&AskedRole>) -> Option<Vec<String>> {
        let Some(bound) = self.cast.labels.get(&name.value).cloned() else {
            let text = if self.known_list(name) { self.resource(Resource::Labels, name) } else { None }?;
            return Some(self.checked_labels(&text.source, &name.value, &self.file.clone(), name.pos));
        };
        if let Some(missing) = role.and_then(|role| self.cast.lacks_words(&role.name, &name.value)) {
            self.shared.take(vec![missing]);
            return None;
        }
        let text = self.list_of(&bound)?;
        Some(self.checked_labels(&text.source, &bound.name, &bound.file, bound.pos))
    }

    /// True if the list exists or `name` is a path. Otherwise reports a name that is neither a label role nor a list.
    fn known_list(&mut self, name: &At<String>) -> bool {
        if name.contains('/') || self.cast.labels.is_empty() || self.library.read(Resource::Labels, name).is_some() {
            return true;
        }
        let lists = self.library.names(Resource::Labels);
        let roles = self.cast.labels.keys().map(String::as_str);
        let listed = || format!("the label roles are {}", roles.clone().collect::<Vec<_>>().join(", "));
        let near = closest(name, roles.clone()).or_else(|| closest(name, lists.iter().map(String::as_str)));
        let hint = near.unwrap_or_else(listed);
        let message = format!("found `{}`, which is neither a label role of the cast nor a label list", name.value);
        self.problem("unknown-labels", name.pos, message, Some(hint));
        false
    }

    /// The text of a bound label list. Reports a missing list where it is bound.
    fn list_of(&mut self, bound: &Binding) -> Option<dialogue::SourceText> {
        let found = self.library.read(Resource::Labels, &bound.name);
        match &found {
            Some(text) => self.shared.keep(Resource::Labels, &bound.name, text),
            None => {
                let names = self.library.names(Resource::Labels);
                let hint = not_found(&bound.name, "label lists", &names, &self.library.places(Resource::Labels));
                let message = format!("found no label list `{}`", bound.name);
                self.shared.problem("unknown-labels", &bound.file, bound.pos, message, hint);
            }
        }
        found
    }

    fn checked_labels(&mut self, source: &str, list: &str, file: &Arc<str>, pos: Pos) -> Vec<String> {
        let labels = dialogue::labels(source);
        if labels.is_empty() {
            self.shared.problem("wrong-value", file, pos, format!("found no labels in label list `{list}`"), None);
        }
        if labels.len() > MAX_LABELS {
            let message =
                format!("found {} labels in label list `{list}`, expected at most {MAX_LABELS}", labels.len());
            self.shared.problem("too-large", file, pos, message, None);
        }
        labels
    }

    /// A JSON Schema: a mapping, or the name of a file. Reports a missing file, and a schema that cannot be enforced.
    pub fn json_schema(&mut self, written: &Expr) -> Option<serde_json::Value> {
        let (node, file) = match &written.0.data {
            Data::Text(name, _) => {
                let name = At { value: name.clone(), pos: written.0.pos };
                let text = self.resource(Resource::Schema, &name)?;
                match dialogue::tree(&text.source, &text.file) {
                    Ok(node) => (node, text.file.into()),
                    Err(problems) => {
                        problems.into_iter().for_each(|problem| self.shared.problems.push(problem));
                        return None;
                    }
                }
            }
            _ => (written.0.clone(), self.file.clone()),
        };
        let schema = dialogue::json_of(&node);
        match Restriction::Schema(&schema).check() {
            Ok(()) => Some(schema),
            Err(Unfit { path, message, hint }) => {
                self.shared.problem("bad-schema", &file, place(&node, &path), message, hint);
                None
            }
        }
    }

    /// Records that a step needs each label's floor from the plan's role `name`.
    pub fn wants_floor(&mut self, name: &str) {
        if let Some(role) = self.shared.roles.get_mut(name) {
            role.floor = true;
        }
    }

    /// Records that a step gives choices to the plan's role `name`.
    pub fn gives_choices(&mut self, name: &str) {
        if let Some(role) = self.shared.roles.get_mut(name) {
            role.choices = true;
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
        // the agents of the cast come first, and then those whose models come with the program
        let own = self.cast.agents.values().map(|bound| bound.name.clone());
        let mut others: Vec<String> = self.library.names(Resource::Agent).into_iter().take(MAX_AGENTS).collect();
        others.sort();
        others.sort_by_key(|name| !name.starts_with("starter-"));
        own.chain(others).find(|name| answers(name).is_some())
    }

    /// The role `name` of the cast for requests of this kind. Reports an unknown role or an unsuitable agent.
    pub fn role(&mut self, name: &At<String>, kind: Kind) -> Option<AskedRole> {
        let Some(entry) = self.cast.agents.get(&name.value).cloned() else { return self.unfilled(name) };
        self.asked.insert(name.value.clone());
        let answers = self.shared.agents.get(&entry.name).cloned().flatten();
        let able = |kind: Kind| move |answers: &&Answers| answers.kind == kind;
        if let Some(answers) = answers.as_ref().filter(|answers| answers.iter().find(able(kind)).is_none()) {
            let can = answers.iter().map(|answers| answers.kind.word()).collect::<Vec<_>>().join(", ");
            let message = format!(
                "found `{}` for role `{}`, which answers {can} and not {}",
                entry.name,
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
            role: self.shared.cast_role(&name.value, &entry.name, kind),
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
