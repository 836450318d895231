//! From a dialogue as written to a plan, or every problem with it.

use super::{
    Block, Input, Plan, Planning, Problem, Typing,
    block::{self, Draft},
    closest,
    planning::{Mention, Player},
    shared::Shared,
};
use crate::{
    dialogue::{self, At, Dialogue, DialogueFile, Library, Pos, Resource, Shelf},
    prompt::Template,
    value::{Type, Value},
};
use indexmap::IndexMap;
use std::sync::Arc;

/// How deep dialogues may call dialogues.
const MAX_DEPTH: usize = 16;
/// How many calls one run may hold, those of called dialogues too: each is compiled where it stands.
const MAX_CALLS: usize = 1000;

/// What a run changes of a dialogue before it is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompileOptions {
    /// `--cast NAME`: a cast file that swaps roles.
    pub cast: Option<String>,
    /// Role to agent, over everything else.
    pub roles: IndexMap<String, String>,
}

/// Checks a dialogue. Pure but for what `library` reads.
pub fn compile(dialogue: &Dialogue, library: &dyn Library, options: &CompileOptions) -> Result<Plan, Vec<Problem>> {
    compile_partly(Some(dialogue), Vec::new(), &dialogue.file, &dialogue.source, library, options)
}

/// Reads and checks a dialogue: every problem of its YAML and of its meaning at once.
pub fn compile_text(
    source: &str,
    file: &str,
    library: &dyn Library,
    options: &CompileOptions,
) -> Result<Plan, Vec<Problem>> {
    let (dialogue, problems) = dialogue::load_partly(source, file);
    compile_partly(dialogue.as_ref(), problems, file, source, library, options)
}

/// Compiles a plan again from the texts it was made of ([`Plan::sources`]).
pub fn recompile(sources: &IndexMap<String, String>) -> Result<Plan, Vec<Problem>> {
    let kinds = [Resource::Dialogue, Resource::Prompt, Resource::Labels, Resource::Agent, Resource::Cast];
    let mut shelf = Shelf::default();
    for (key, source) in sources {
        let resource = key.split_once('/');
        if let Some((kind, name)) =
            resource.and_then(|(word, name)| Some((kinds.iter().find(|k| k.word() == word)?, name)))
        {
            shelf = shelf.with(*kind, name, source);
        }
    }
    let cast = sources.get("cast").map(|source| dialogue::cast(source, "cast")).transpose()?;
    let roles = cast.iter().flat_map(|cast| &cast.cast).map(|(role, agent)| (role.value.clone(), agent.value.clone()));
    let options = CompileOptions { cast: None, roles: roles.collect() };
    compile_text(sources.get("dialogue").map_or("", String::as_str), "dialogue", &shelf, &options)
}

fn compile_partly(
    dialogue: Option<&Dialogue>,
    problems: Vec<Problem>,
    file: &str,
    source: &str,
    library: &dyn Library,
    options: &CompileOptions,
) -> Result<Plan, Vec<Problem>> {
    let mut shared = Shared { problems, ..Shared::default() };
    shared.sources.insert("dialogue".into(), source.to_owned());
    swap(&mut shared, library, options, file);
    let compiled = dialogue.and_then(|dialogue| {
        let name = dialogue::plain_name(Resource::Dialogue, file);
        shared.stack.push(name);
        compiled(dialogue, library, &mut shared)
    });
    if compiled.is_some() && shared.problems.is_empty() {
        check_swapped_roles(&mut shared);
    }
    match compiled {
        Some(compiled) if shared.problems.is_empty() => {
            let Compiled { name, inputs, block, answer, .. } = compiled;
            Ok(Plan { name, sources: shared.sources, inputs, roles: shared.roles, block, answer })
        }
        _ => Err(dialogue::in_order(shared.problems)),
    }
}

/// Reads the cast that replaces the dialogue's own.
fn swap(shared: &mut Shared, library: &dyn Library, options: &CompileOptions, file: &str) {
    let start = Pos { line: 1, column: 1 };
    if let Some(name) = &options.cast {
        match library.read(Resource::Cast, name) {
            Some(text) => match dialogue::cast(&text.source, &text.file) {
                Ok(cast) => {
                    let file: Arc<str> = text.file.as_str().into();
                    for (role, agent) in cast.cast {
                        let player = Player { agent: agent.value, file: file.clone(), pos: agent.pos };
                        shared.swapped.insert(role.value, player);
                    }
                }
                Err(problems) => shared.problems.extend(problems),
            },
            None => {
                let hint = closest_cast(name, library);
                let file = format!("casts/{}.yaml", dialogue::plain_name(Resource::Cast, name)).into();
                shared.problem("unknown-cast", &file, start, format!("found no cast `{name}`"), Some(hint));
            }
        }
    }
    for (role, agent) in &options.roles {
        shared.swapped.insert(role.clone(), Player { agent: agent.clone(), file: file.into(), pos: start });
    }
    if !shared.swapped.is_empty() {
        let cast: serde_json::Map<_, _> =
            shared.swapped.iter().map(|(role, player)| (role.clone(), player.agent.clone().into())).collect();
        // JSON is YAML
        shared.sources.insert("cast".into(), serde_json::json!({ "cast": cast }).to_string());
    }
}

/// What to say where there is no cast of that name.
pub(crate) fn closest_cast(name: &str, library: &dyn Library) -> String {
    let (name, names) = (dialogue::plain_name(Resource::Cast, name), library.names(Resource::Cast));
    let listed = || format!("the casts are {}; one of your own is a file `casts/NAME.yaml`", names.join(", "));
    closest(&name, names.iter().map(String::as_str)).unwrap_or_else(listed)
}

/// A cast of which the dialogue uses no role at all was meant for other names. A cast made for many dialogues may fill more roles
/// than one of them has.
fn check_swapped_roles(shared: &mut Shared) {
    let known: Vec<String> = shared.roles.keys().cloned().collect();
    if known.is_empty() || shared.swapped.keys().any(|role| known.contains(role)) {
        return;
    }
    if let Some((role, player)) = shared.swapped.first().map(|(role, player)| (role.clone(), player.clone())) {
        let listed = || format!("its roles are {}", known.join(", "));
        let hint = closest(&role, known.iter().map(String::as_str)).unwrap_or_else(listed);
        let message = format!("found role `{role}`, which the dialogue does not use");
        shared.problem("unknown-role", &player.file, player.pos, message, Some(hint));
    }
}

/// A dialogue that was compiled, as the outermost or as one that is called.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub name: String,
    pub inputs: IndexMap<String, Input>,
    pub block: Arc<Block>,
    pub answer: Template,
    pub answer_ty: Type,
}

/// Compiles one dialogue; problems are noted in `shared`.
pub(super) fn compiled(dialogue: &Dialogue, library: &dyn Library, shared: &mut Shared) -> Option<Compiled> {
    let file: Arc<str> = dialogue.file.as_str().into();
    let written = &dialogue.written;
    let cast = cast_of(written, &file, library, shared);
    let inputs = inputs_of(written, &file, shared);
    let mut planning =
        Planning { shared, library, file: file.clone(), cast: &cast, mentions: Vec::new(), doubtful: false };
    let (draft, mut open) = block::plan(&written.steps, &mut planning);
    let answer = written.answer.as_ref().and_then(|answer| planning.expr(&answer.0));
    let answer_names = std::mem::take(&mut planning.mentions);
    block::unused(&draft, &written.steps, &answer_names, answer.is_some(), &file, shared);
    open.extend(answer_names.into_iter().filter(|mention| !written.steps.contains_key(mention.name.as_str())));
    unknown_names(&open, &inputs, written, shared);
    check_tests(written, &inputs, &cast, &file, shared);

    let mut names: IndexMap<String, Type> =
        inputs.iter().map(|(name, input)| (name.clone(), input.ty.clone())).collect();
    let block = block::typed(&draft, &mut names, shared);
    let answer = answer?;
    let answer_ty = answer.ty(&mut Typing { shared, names: &names });
    let name = written.dialogue.as_ref().map(|name| name.value.clone()).unwrap_or_default();
    Some(Compiled { name, inputs, block: Arc::new(block), answer: answer.template()?.clone(), answer_ty })
}

fn cast_of(
    written: &DialogueFile,
    file: &Arc<str>,
    library: &dyn Library,
    shared: &mut Shared,
) -> IndexMap<String, Player> {
    let mut cast: IndexMap<String, Player> = IndexMap::new();
    for (role, agent) in written.cast.iter().flatten() {
        let own = Player { agent: agent.value.clone(), file: file.clone(), pos: agent.pos };
        let player = shared.swapped.get(&role.value).cloned().unwrap_or(own);
        if role.value == "media" {
            let message = "found role `media`, which every run has already".to_owned();
            shared.problem("wrong-value", file, role.pos, message, Some("give the role another name".into()));
        }
        know_agent(&player, library, shared);
        cast.insert(role.value.clone(), player);
    }
    // a swapped cast may fill roles that the dialogue leaves open
    for (role, player) in shared.swapped.clone() {
        if !cast.contains_key(&role) {
            know_agent(&player, library, shared);
            cast.insert(role, player);
        }
    }
    cast
}

/// Reads an agent's file once and keeps what it answers.
fn know_agent(player: &Player, library: &dyn Library, shared: &mut Shared) {
    if shared.agents.contains_key(&player.agent) {
        return;
    }
    let mut kinds = None;
    match library.read(Resource::Agent, &player.agent) {
        Some(text) => {
            shared.keep(Resource::Agent, &player.agent, &text);
            match dialogue::agent_file(&text.source, &text.file) {
                Ok(agent) => kinds = agent.kinds().or_else(|| library.kinds_of(&player.agent)),
                Err(problems) => shared.problems.extend(problems),
            }
        }
        None => {
            let names = library.names(Resource::Agent);
            let hint = closest(&player.agent, names.iter().map(String::as_str));
            shared.problem(
                "unknown-agent",
                &player.file,
                player.pos,
                format!("found no agent `{}`", player.agent),
                hint,
            );
        }
    }
    shared.agents.insert(player.agent.clone(), kinds);
}

fn inputs_of(written: &DialogueFile, file: &Arc<str>, shared: &mut Shared) -> IndexMap<String, Input> {
    let mut inputs = IndexMap::new();
    for (name, input) in written.inputs.iter().flatten() {
        if let Some((step, _)) = written.steps.get_key_value(name.value.as_str()) {
            let message = format!("found step `{}`, which is the name of an input too", step.value);
            shared.problem("duplicate-name", file, step.pos, message, None);
        }
        let default = input.default.as_ref().map(|default| {
            let value = dialogue::plain(default);
            if !input.ty.accepts(&value.ty()) {
                let message =
                    format!("found {} for the default of `{}`, expected {}", value.ty(), name.value, input.ty.value);
                shared.problem("wrong-type", file, default.0.pos, message, None);
            }
            value
        });
        inputs.insert(name.value.clone(), Input { ty: input.ty.value.clone(), default });
    }
    inputs
}

/// Names that are neither step, nor input, nor bound where they stand.
fn unknown_names(open: &[Mention], inputs: &IndexMap<String, Input>, written: &DialogueFile, shared: &mut Shared) {
    for mention in open.iter().filter(|mention| !inputs.contains_key(&mention.name)) {
        if shared.problems.len() >= crate::problem::MAX_PROBLEMS {
            return;
        }
        let names = written.steps.keys().map(|name| name.as_str()).chain(inputs.keys().map(String::as_str));
        let near = closest(&mention.name, names);
        let Mention { name, file, pos, hole_of } = mention;
        match hole_of {
            Some(prompt) => {
                let message = format!("found hole `{name}` in prompt `{prompt}`, which nothing binds");
                let hint = near.unwrap_or_else(|| format!("bind it: `with: {{ {name}: … }}`"));
                shared.problem("unbound-hole", file, *pos, message, Some(hint));
            }
            None => {
                let hint = near.or_else(|| match name.as_str() {
                    "item" | "index" => Some("`item` and `index` are bound in a step with `each`".to_owned()),
                    "round" | "previous" => Some("`round` and `previous` are bound inside a `loop`".to_owned()),
                    _ => None,
                });
                let message = format!("found `{name}`, which is neither a step nor an input");
                shared.problem("unknown-name", file, *pos, message, hint);
            }
        }
    }
}

/// What a dialogue's tests name must exist.
fn check_tests(
    written: &DialogueFile,
    inputs: &IndexMap<String, Input>,
    cast: &IndexMap<String, Player>,
    file: &Arc<str>,
    shared: &mut Shared,
) {
    let unknown = |key: &At<String>, what: &str, names: Vec<&str>, shared: &mut Shared| {
        if !names.contains(&key.as_str()) {
            let hint = closest(key, names.iter().copied());
            shared.problem("unknown-name", file, key.pos, format!("found no {what} `{}`", key.value), hint);
        }
    };
    for test in written.tests.iter().flatten() {
        for (name, _) in test.given.iter().flatten() {
            unknown(name, "input", inputs.keys().map(String::as_str).collect(), shared);
        }
        // a called dialogue's roles may be scripted too
        let roles: Vec<String> = shared.roles.keys().cloned().collect();
        for (role, _) in test.script.iter().flatten() {
            let names = cast.keys().chain(&roles).map(String::as_str).chain(["media"]).collect();
            unknown(role, "role", names, shared);
        }
        for (name, _) in inputs.iter().filter(|(_, input)| input.default.is_none()) {
            if !test.given.as_ref().is_some_and(|given| given.contains_key(name.as_str())) {
                let message = format!("found no `{name}` in `given` of test `{}`", test.name.value);
                shared.problem("missing-key", file, test.name.pos, message, None);
            }
        }
    }
}

impl Planning<'_> {
    /// Compiles the dialogue that a `call` names, or notes why that cannot be.
    pub(crate) fn called(&mut self, name: &At<String>) -> Option<Compiled> {
        let plain = dialogue::plain_name(Resource::Dialogue, name);
        if self.shared.stack.contains(&plain) || self.shared.stack.len() >= MAX_DEPTH {
            let path = self.shared.stack.iter().chain([&plain]).cloned().collect::<Vec<_>>().join(" → ");
            self.problem("cycle", name.pos, format!("found a dialogue that calls itself: {path}"), None);
            return None;
        }
        self.shared.calls += 1;
        if self.shared.calls > MAX_CALLS {
            let message = format!("found more than {MAX_CALLS} calls, those of called dialogues included");
            self.problem("too-large", name.pos, message, None);
            return None;
        }
        let text = self.resource(Resource::Dialogue, name)?;
        let dialogue = match dialogue::load(&text.source, &text.file) {
            Ok(dialogue) => dialogue,
            Err(problems) => {
                self.shared.problems.extend(problems);
                return None;
            }
        };
        self.shared.stack.push(plain);
        let compiled = compiled(&dialogue, self.library, self.shared);
        self.shared.stack.pop();
        compiled
    }

    /// Reads inner steps; names that they do not bind themselves become mentions of this step.
    pub(crate) fn inner(&mut self, steps: &IndexMap<At<String>, dialogue::StepWritten>, bound: &[&str]) -> Draft {
        let own = std::mem::take(&mut self.mentions);
        let (draft, open) = block::plan(steps, self);
        self.mentions = own;
        self.mentions.extend(open.into_iter().filter(|mention| !bound.contains(&mention.name.as_str())));
        draft
    }
}

impl Plan {
    /// The names of inputs that a run has to give.
    pub fn required_inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().filter(|(_, input)| input.default.is_none()).map(|(name, _)| name.as_str())
    }

    /// The scope that a run starts with: what was given over the defaults, or what is wrong with it.
    pub fn scope(&self, given: &IndexMap<String, Value>) -> Result<crate::prompt::Scope, Vec<String>> {
        let mut wrong = Vec::new();
        let mut scope = crate::prompt::Scope::default();
        for (name, input) in &self.inputs {
            match given.get(name).or(input.default.as_ref()) {
                Some(value) if input.ty.accepts(&value.ty()) => scope.bind(name, value.clone()),
                Some(value) => wrong.push(format!("input `{name}`: found {}, expected {}", value.ty(), input.ty)),
                None => wrong.push(format!("input `{name}` ({}) is missing", input.ty)),
            }
        }
        for name in given.keys().filter(|name| !self.inputs.contains_key(*name)) {
            let hint = closest(name, self.inputs.keys().map(String::as_str)).map(|hint| format!(": {hint}"));
            wrong.push(format!("the dialogue has no input `{name}`{}", hint.unwrap_or_default()));
        }
        if wrong.is_empty() { Ok(scope) } else { Err(wrong) }
    }
}
