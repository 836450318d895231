//! The cast of a dialogue: which agent plays each role, and which label list each label role names.

use super::{CompileOptions, Problem, closest, planning::not_found, shared::Shared};
use crate::dialogue::{
    self, AgentFile, At, CastFile, CastWritten, DialogueFile, Library, Pos, Resource, SourceText, WhoWritten,
};
use indexmap::{IndexMap, IndexSet};
use std::sync::Arc;

/// An agent or a label list that fills a role, and the position that says so.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Binding {
    /// The name of the agent or the label list.
    pub name: String,
    pub file: Arc<str>,
    pub pos: Pos,
}

/// The agents, the label lists and the dialogues of a dialogue.
#[derive(Debug, Clone, Default)]
pub(super) struct Cast {
    /// Role to agent.
    pub agents: IndexMap<String, Binding>,
    /// Label role to label list.
    pub labels: IndexMap<String, Binding>,
    /// Called dialogue to the one that takes its place.
    pub dialogues: IndexMap<String, Binding>,
    /// Roles whose agent the run replaces by another one, with the replacement.
    replaced: IndexMap<String, Binding>,
    /// Label roles whose list is the dialogue's own.
    own_labels: IndexSet<String>,
}

/// The agents, the label lists and the called dialogues that a run replaces.
#[derive(Debug, Clone, Default)]
pub(super) struct Swapped {
    agents: IndexMap<String, Binding>,
    labels: IndexMap<String, Binding>,
    dialogues: IndexMap<String, Binding>,
}

impl Cast {
    /// The problem of a run whose cast replaces the agent of `role` and binds no list to the label role `labels`. The
    /// words of the dialogue's own cast are those of other models.
    pub(super) fn lacks_words(&self, role: &str, labels: &str) -> Option<Problem> {
        let replaced = self.replaced.get(role).filter(|_| self.own_labels.contains(labels))?;
        let own = self.labels.get(labels).map(|bound| bound.name.as_str()).unwrap_or_default();
        let message = format!(
            "found the agent `{}` for role `{role}`, but no label list for the label role `{labels}`: a cast brings the words that its models know",
            replaced.name
        );
        let hint = format!(
            "add `labels: {{ {labels}: NAME }}` with a list `vocab/NAME.txt`; `{own}` is the list of the dialogue's own cast"
        );
        Some(Problem::new("unbound-labels", &replaced.file, replaced.pos, message, Some(hint)))
    }

    fn add(&mut self, cast: CastFile, file: &Arc<str>) {
        let CastFile { cast, labels, dialogues, .. } = cast;
        let called = |name: At<String>| dialogue::plain_name(Resource::Dialogue, &name);
        let dialogues = dialogues.into_iter().flatten();
        self.dialogues.extend(dialogues.map(|(name, other)| (called(name), bound(other, file))));
        self.agents.extend(cast.into_iter().map(|(role, agent)| (role.value, bound(agent, file))));
        self.labels.extend(labels.into_iter().flatten().map(|(role, list)| (role.value, bound(list, file))));
    }
}

fn bound(name: At<String>, file: &Arc<str>) -> Binding {
    Binding { name: name.value, file: file.clone(), pos: name.pos }
}

/// Reads the cast, the roles and the label roles that replace those of the dialogue.
pub(super) fn swap(shared: &mut Shared, library: &dyn Library, options: &CompileOptions, file: &str) {
    let start = Pos { line: 1, column: 1 };
    let mut cast = Cast::default();
    if let Some(name) = &options.cast {
        match library.read(Resource::Cast, name) {
            Some(text) => match dialogue::cast(&text.source, &text.file) {
                Ok(read) => cast.add(read, &text.file.as_str().into()),
                Err(problems) => shared.problems.extend(problems),
            },
            None => {
                let hint = closest_cast(name, library);
                let file = Resource::Cast.file(name).into();
                shared.problem("unknown-cast", &file, start, format!("found no cast `{name}`"), Some(hint));
            }
        }
    }
    let given = |(role, name): (&String, &String)| {
        (role.clone(), Binding { name: name.clone(), file: file.into(), pos: start })
    };
    cast.agents.extend(options.roles.iter().map(given));
    cast.labels.extend(options.labels.iter().map(given));
    cast.dialogues.extend(options.dialogues.iter().map(given));
    shared.swapped = Swapped { agents: cast.agents, labels: cast.labels, dialogues: cast.dialogues };
    let Swapped { agents, labels, dialogues } = &shared.swapped;
    if !agents.is_empty() || !labels.is_empty() || !dialogues.is_empty() {
        let names = |map: &IndexMap<String, Binding>| -> serde_json::Map<_, _> {
            map.iter().map(|(role, bound)| (role.clone(), bound.name.clone().into())).collect()
        };
        // JSON is valid YAML
        let mut text = serde_json::json!({ "cast": names(agents), "labels": names(labels) });
        if !dialogues.is_empty() {
            text["dialogues"] = names(dialogues).into();
        }
        let text = text.to_string();
        shared.sources.insert("cast".into(), text);
    }
}

/// The hint for an unknown cast.
pub fn closest_cast(name: &str, library: &dyn Library) -> String {
    let (name, names) = (dialogue::plain_name(Resource::Cast, name), library.names(Resource::Cast));
    let listed = || format!("the casts are {}; one of your own is a file `casts/NAME.yaml`", names.join(", "));
    closest(&name, names.iter().map(String::as_str)).unwrap_or_else(listed)
}

/// Reports a cast without any role of the dialogue. A cast for many dialogues may fill more roles than one dialogue
/// has, so further roles are fine.
pub(super) fn check_swapped_roles(written: &DialogueFile, shared: &mut Shared) {
    let own = written.cast.iter().flat_map(CastWritten::roles).map(|(role, _)| role.value.clone());
    let known: IndexSet<String> = own.chain(shared.roles.keys().cloned()).collect();
    // a mistake elsewhere may hide the roles of a called dialogue
    let all_told = shared.problems.iter().all(|problem| problem.code == "unknown-agent");
    let swapped = &shared.swapped.agents;
    if !all_told || known.is_empty() || swapped.keys().any(|role| known.contains(role)) {
        return;
    }
    if let Some((role, entry)) = swapped.first().map(|(role, entry)| (role.clone(), entry.clone())) {
        let listed = || format!("its roles are {}", known.iter().cloned().collect::<Vec<_>>().join(", "));
        let hint = closest(&role, known.iter().map(String::as_str)).unwrap_or_else(listed);
        let filled = swapped.keys().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(", ");
        let message = format!("found a cast for {filled}, and the dialogue uses none of these roles");
        shared.problem("unknown-role", &entry.file, entry.pos, message, Some(hint));
    }
}

/// The cast of one dialogue: its own, changed by the run.
pub(super) fn cast_of(written: &DialogueFile, file: &Arc<str>, library: &dyn Library, shared: &mut Shared) -> Cast {
    let mut cast = own_cast(written, file, library, shared);
    cast.own_labels = cast.labels.keys().filter(|role| !shared.swapped.labels.contains_key(*role)).cloned().collect();
    let Swapped { agents, labels, dialogues } = shared.swapped.clone();
    let mut gone = IndexSet::new();
    for (role, agent) in &agents {
        // a swapped cast may fill roles that the dialogue does not declare
        let own = cast.agents.insert(role.clone(), agent.clone());
        if let Some(own) = own.filter(|own| own.name != agent.name) {
            gone.insert(own.name);
            cast.replaced.insert(role.clone(), agent.clone());
        }
    }
    // a model that is replaced in one role does not judge its successor in an optional one
    let optional: Vec<&str> = written.optional.iter().flatten().map(|role| role.value.as_str()).collect();
    let stays = |role: &String, agent: &Binding| {
        agents.contains_key(role) || !optional.contains(&role.as_str()) || !gone.contains(&agent.name)
    };
    cast.agents.retain(|role, agent| stays(role, agent));
    cast.labels.extend(labels);
    cast.dialogues.extend(dialogues);
    cast.agents.values().for_each(|agent| know_agent(agent, library, shared));
    cast
}

/// The cast that the dialogue itself states.
fn own_cast(written: &DialogueFile, file: &Arc<str>, library: &dyn Library, shared: &mut Shared) -> Cast {
    let mut cast = Cast::default();
    if let Some(CastWritten::Named(name)) = &written.cast {
        match library.read(Resource::Cast, name) {
            Some(text) => {
                shared.keep(Resource::Cast, name, &text);
                match dialogue::cast(&text.source, &text.file) {
                    Ok(read) => cast.add(read, &text.file.as_str().into()),
                    Err(problems) => shared.take(problems),
                }
            }
            None => {
                let names = library.names(Resource::Cast);
                let plain = dialogue::plain_name(Resource::Cast, name);
                let hint = not_found(&plain, "casts", &names, &library.places(Resource::Cast));
                shared.problem("unknown-cast", file, name.pos, format!("found no cast `{}`", name.value), hint);
            }
        }
    }
    for (role, agent) in written.cast.iter().flat_map(CastWritten::roles) {
        if ["media", "journal"].contains(&role.as_str()) {
            let message = format!("found role `{}`, which every run has already", role.value);
            shared.problem("wrong-value", file, role.pos, message, Some("give the role another name".into()));
        }
        cast.agents.insert(role.value.clone(), bound(agent.clone(), file));
    }
    for (role, list) in written.labels.iter().flatten() {
        cast.labels.insert(role.value.clone(), bound(list.clone(), file));
    }
    cast
}

/// Reads an agent's file once and records the requests that the agent answers.
fn know_agent(entry: &Binding, library: &dyn Library, shared: &mut Shared) {
    if shared.agents.contains_key(&entry.name) {
        return;
    }
    let mut answers = None;
    match library.read(Resource::Agent, &entry.name) {
        Some(text) => {
            shared.keep(Resource::Agent, &entry.name, &text);
            match dialogue::agent_file(&text.source, &text.file) {
                Ok(agent) => {
                    know_translated(&agent, &text, library, shared);
                    answers = agent.answers().or_else(|| library.answers_of(&entry.name));
                }
                Err(problems) => shared.problems.extend(problems),
            }
        }
        None => {
            let names = library.names(Resource::Agent);
            let hint = not_found(&entry.name, "agents", &names, &library.places(Resource::Agent));
            shared.problem("unknown-agent", &entry.file, entry.pos, format!("found no agent `{}`", entry.name), hint);
        }
    }
    shared.agents.insert(entry.name.clone(), answers);
}

/// Reads the agents that a translator names. Reports those that do not exist and those that are translators too, so that
/// translators form no cycle.
fn know_translated(agent: &AgentFile, text: &SourceText, library: &dyn Library, shared: &mut Shared) {
    let Some(WhoWritten::Translate(two)) = agent.who() else { return };
    let file: Arc<str> = text.file.as_str().into();
    for name in [&two.eye, &two.words] {
        let Some(inner) = library.read(Resource::Agent, name) else {
            let names = library.names(Resource::Agent);
            let hint = not_found(name, "agents", &names, &library.places(Resource::Agent));
            shared.problem("unknown-agent", &file, name.pos, format!("found no agent `{}`", name.value), hint);
            continue;
        };
        shared.keep(Resource::Agent, name, &inner);
        match dialogue::agent_file(&inner.source, &inner.file) {
            Ok(inner) if matches!(inner.who(), Some(WhoWritten::Translate(_))) => {
                let message = format!("found `{}`, which is a translator too", name.value);
                let hint = Some("name an image classifier as `eye` and a text embedder as `words`".into());
                shared.problem("wrong-value", &file, name.pos, message, hint);
            }
            Ok(_) => {}
            Err(problems) => shared.take(problems),
        }
    }
    if let Some(list) = &two.senses {
        know_senses(list, &file, library, shared);
    }
}

/// Reports a list of meanings that does not exist, and each of its lines without a meaning.
fn know_senses(list: &At<String>, file: &Arc<str>, library: &dyn Library, shared: &mut Shared) {
    let Some(found) = library.read(Resource::Labels, list) else {
        let names = library.names(Resource::Labels);
        let hint = not_found(list, "vocab", &names, &library.places(Resource::Labels));
        let message = format!("found no label list `{}` for `senses`", list.value);
        return shared.problem("unknown-labels", file, list.pos, message, hint);
    };
    shared.keep(Resource::Labels, list, &found);
    let file: Arc<str> = found.file.as_str().into();
    for (n, line) in found.source.trim_start_matches('\u{feff}').lines().enumerate() {
        if let Err(why) = dialogue::sense(line) {
            let pos = Pos { line: n + 1, column: 1 };
            shared.problem("wrong-value", &file, pos, why, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dialogue::MemoryLibrary, plan};

    /// Checks the label lists of a plan, or its problems, when `--cast CAST` replaces the dialogue's cast. The plan must
    /// compile again from its texts.
    fn check(cast: Option<&str>, expected: &[&str]) {
        let list = |library: MemoryLibrary, name: &str| library.with(Resource::Labels, name, name);
        let agents = ["small", "large", "mind"].into_iter();
        let library = agents.fold(MemoryLibrary::default(), |l, name| l.with(Resource::Agent, name, "script: [one]"));
        let library = ["own/places", "own/things", "world/places"].into_iter().fold(library, list);
        let casts = [
            ("own", "cast: { eye: small, mind: mind }\nlabels: { places: own/places, things: own/things }"),
            ("world", "cast: { eye: large }\nlabels: { places: world/places, things: own/things }"),
            ("half", "cast: { eye: large }\nlabels: { places: world/places }"),
            ("same", "cast: { eye: small }"),
            ("talk", "cast: { eye: small, mind: large }"),
            ("gone", "cast: { eye: large }\nlabels: { places: world/placse, things: own/things }"),
        ];
        let library = casts.into_iter().fold(library, |l, (name, text)| l.with(Resource::Cast, name, text));
        let dialogue = "version: 1\ndialogue: d\ninputs: { x: text }\ncast: own\nsteps:\n  \
            a: { rank: { agent: eye, what: \"{{ x }}\", among: places } }\n  \
            b: { rank: { agent: eye, what: \"{{ x }}\", among: things } }\n  \
            c: { rank: { agent: eye, what: \"{{ x }}\", among: own/places } }\nanswer: \"{{ a }}{{ b }}{{ c }}\"\n";
        let options = CompileOptions { cast: cast.map(str::to_owned), ..CompileOptions::default() };
        let lists = |plan: &plan::Plan| -> Vec<String> {
            plan.sources.keys().filter(|key| key.starts_with("labels/")).map(|key| key[7..].to_owned()).collect()
        };
        let found = match plan::compile_text(dialogue, "d.yaml", &library, &options) {
            Ok(plan) => {
                let again = plan::recompile(&plan.sources).expect("compiles again");
                assert_eq!((lists(&again), &again.roles), (lists(&plan), &plan.roles));
                lists(&plan)
            }
            Err(problems) => problems
                .iter()
                .map(|p| {
                    format!("{}:{}:{} {} ({})", p.file, p.line, p.column, p.message, p.hint.as_deref().unwrap_or("-"))
                })
                .collect(),
        };
        assert_eq!(found, expected, "{cast:?}");
    }

    #[test]
    fn a_cast_brings_the_words_that_its_models_know() {
        let own = ["own/places", "own/things"];
        check(None, &own);
        check(Some("world"), &["world/places", "own/things", "own/places"]);
        // the same eye, or another mind, keeps the words of the dialogue's own cast
        check(Some("same"), &own);
        check(Some("talk"), &own);
        let expected = "cast/half:1:14 found the agent `large` for role `eye`, but no label list for the label role `things`: a cast \
                        brings the words that its models know (add `labels: { things: NAME }` with a list `vocab/NAME.txt`; \
                        `own/things` is the list of the dialogue's own cast)";
        check(Some("half"), &[expected]);
        let expected = "cast/gone:2:19 found no label list `world/placse` (did you mean `world/places`?)";
        check(Some("gone"), &[expected]);
    }

    #[test]
    fn a_cast_brings_the_dialogues_that_suit_its_models() {
        let part = |answer: &str| {
            format!(
                "version: 1\ndialogue: part\ninputs: {{ x: text }}\nsteps:\n  s: {{ compute: \"{answer} {{{{ x }}}}\" }}\nanswer: \"{{{{ s }}}}\"\n"
            )
        };
        let library = MemoryLibrary::default()
            .with(Resource::Agent, "mind", "script: [one]")
            .with(Resource::Dialogue, "long", &part("long"))
            .with(Resource::Dialogue, "short", &part("short"))
            .with(Resource::Cast, "small", "cast: { mind: mind }\ndialogues: { examples/long: short }")
            .with(Resource::Cast, "lost", "cast: { mind: mind }\ndialogues: { long: shrot }");
        let dialogue = "version: 1\ndialogue: d\ncast: { mind: mind }\nsteps:\n  a: { say: { agent: mind, text: hi } }\n  \
            b: { call: { dialogue: examples/long, with: { x: \"{{ a }}\" } } }\nanswer: \"{{ b }}\"\n";
        let called = |cast: Option<&str>| -> Result<Vec<String>, String> {
            let options = CompileOptions { cast: cast.map(str::to_owned), ..CompileOptions::default() };
            let plan = plan::compile_text(dialogue, "d.yaml", &library, &options);
            let plan =
                plan.map_err(|problems| format!("{}:{} {}", problems[0].file, problems[0].line, problems[0].message))?;
            let names = |plan: &plan::Plan| -> Vec<String> {
                plan.sources.keys().filter_map(|key| key.strip_prefix("dialogue/")).map(str::to_owned).collect()
            };
            assert_eq!(names(&plan::recompile(&plan.sources).expect("compiles again")), names(&plan));
            Ok(names(&plan))
        };
        assert_eq!(called(None), Ok(vec!["long".to_owned()]));
        assert_eq!(called(Some("small")), Ok(vec!["short".to_owned()]));
        assert_eq!(called(Some("lost")), Err("cast/lost:2 found no dialogue `shrot`".to_owned()));
    }
}
