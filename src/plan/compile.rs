//! Compiles a dialogue as written to a plan, or reports every problem with it.

use super::{
    Block, DeclaredInput, Plan, Planning, Problem, Rule, Severity, Typing, VerbRow, block,
    calls::identity,
    cast::{cast_of, check_swapped_roles, swap},
    closest,
    planning::{Hole, Mention},
    shared::Shared,
    tests_written::check_tests,
    unfilled,
};
use crate::{
    dialogue::{self, At, Caller, CastWritten, Dialogue, DialogueFile, Library, MemoryLibrary, Resource},
    prompt::Template,
    value::Type,
};
use indexmap::IndexMap;
use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

/// The options of a run that change how a dialogue is checked.
#[derive(Debug, Clone)]
pub struct CompileOptions {
    /// The name of a cast file that replaces the dialogue's agents (`--cast NAME`).
    pub cast: Option<String>,
    /// Role to agent; overrides the dialogue and the cast file.
    pub roles: IndexMap<String, String>,
    /// Label role to label list; overrides the dialogue and the cast file.
    pub labels: IndexMap<String, String>,
    /// Called dialogue to the one that takes its place; overrides the cast file.
    pub dialogues: IndexMap<String, String>,
    /// The dialogue's file. Calls look in its folder first.
    pub path: Option<PathBuf>,
    /// The available verbs. `default()` has those of this version.
    pub verbs: &'static [VerbRow],
}

/// Checks a dialogue. Only `library` reads files. Fails with every problem.
pub fn compile(dialogue: &Dialogue, library: &dyn Library, options: &CompileOptions) -> Result<Plan, Vec<Problem>> {
    compile_partly(Some(dialogue), Vec::new(), &dialogue.file, &dialogue.source, library, options)
}

/// Reads and checks a dialogue. Fails with every problem of its YAML and of its meaning at once.
pub fn compile_text(
    source: &str,
    file: &str,
    library: &dyn Library,
    options: &CompileOptions,
) -> Result<Plan, Vec<Problem>> {
    let (dialogue, problems) = dialogue::load_partly(source, file);
    compile_partly(dialogue.as_ref(), problems, file, source, library, options)
}

/// Compiles a plan again from its texts ([`Plan::sources`]).
pub fn recompile(sources: &IndexMap<String, String>) -> Result<Plan, Vec<Problem>> {
    let mut library = MemoryLibrary::default();
    for (key, source) in sources {
        let resource = key.split_once('/');
        if let Some((kind, name)) =
            resource.and_then(|(word, name)| Some((Resource::ALL.into_iter().find(|kind| kind.word() == word)?, name)))
        {
            library = library.with(kind, name, source);
        }
    }
    let cast = sources.get("cast").map(|source| dialogue::cast(source, "cast")).transpose()?;
    let named = |(role, name): (&At<String>, &At<String>)| (role.value.clone(), name.value.clone());
    let roles = cast.iter().flat_map(|cast| &cast.cast).map(named).collect();
    let labels = cast.iter().flat_map(|cast| cast.labels.iter().flatten()).map(named).collect();
    let dialogues = cast.iter().flat_map(|cast| cast.dialogues.iter().flatten()).map(named).collect();
    let options = CompileOptions { roles, labels, dialogues, ..CompileOptions::default() };
    compile_text(sources.get("dialogue").map_or("", String::as_str), "dialogue", &library, &options)
}

fn compile_partly(
    dialogue: Option<&Dialogue>,
    problems: Vec<Problem>,
    file: &str,
    source: &str,
    library: &dyn Library,
    options: &CompileOptions,
) -> Result<Plan, Vec<Problem>> {
    let mut shared = Shared { problems, verbs: options.verbs, ..Shared::default() };
    shared.sources.insert("dialogue".into(), source.to_owned());
    swap(&mut shared, library, options, file);
    let compiled = dialogue.and_then(|dialogue| {
        let name = dialogue::plain_name(Resource::Dialogue, file);
        let caller = Caller { key: String::new(), path: options.path.clone() };
        shared.stack.push((identity(caller.path.as_deref(), &name), name));
        compiled(dialogue, caller, library, &mut shared)
    });
    if let Some(dialogue) = dialogue {
        check_swapped_roles(&dialogue.written, &mut shared);
    }
    match compiled {
        Some(compiled) if shared.problems.is_empty() => {
            let Compiled { name, inputs, cast, block, answer, .. } = compiled;
            let about = dialogue.and_then(|dialogue| dialogue.written.about.clone());
            let own = dialogue.into_iter().flat_map(|dialogue| dialogue.written.optional.iter().flatten());
            let notes = unfilled::notes(&shared, &own.map(|role| role.value.as_str()).collect());
            let warnings = dialogue::in_order(shared.warnings);
            let (sources, roles) = (shared.sources, shared.roles);
            Ok(Plan { name, about, sources, inputs, roles, cast, block, warnings, notes, answer })
        }
        _ => Err(dialogue::in_order(shared.problems)),
    }
}

/// A compiled dialogue, the outermost or a called one.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub name: String,
    pub inputs: IndexMap<String, DeclaredInput>,
    /// Role to agent.
    pub cast: IndexMap<String, String>,
    pub block: Arc<Block>,
    pub answer: Template,
    pub answer_ty: Type,
}

/// Compiles one dialogue. Reports problems in `shared`.
pub(super) fn compiled(
    dialogue: &Dialogue,
    caller: Caller,
    library: &dyn Library,
    shared: &mut Shared,
) -> Option<Compiled> {
    let file: Arc<str> = dialogue.file.as_str().into();
    let written = &dialogue.written;
    let cast = cast_of(written, &file, library, shared);
    let mut inputs = inputs_of(written, &file, shared);
    let optional = unfilled::optional(written, &file, shared);
    let mut planning = Planning {
        shared,
        library,
        file: file.clone(),
        caller,
        dialogue: written.dialogue.as_ref().map(|name| name.value.clone()).unwrap_or_default(),
        step: String::new(),
        cast: &cast,
        mentions: Vec::new(),
        asked: BTreeSet::new(),
        optional,
        lacks: None,
        rules: Vec::new(),
        conditional: false,
        doubtful: false,
        verb_pos: Default::default(),
    };
    let (draft, mut open) = block::plan(&written.steps, &mut planning);
    let answer = written.answer.as_ref().and_then(|answer| planning.expr(&answer.0));
    let answer_names = std::mem::take(&mut planning.mentions);
    let (asked, rules) = (planning.asked, planning.rules);
    open.extend(answer_names.iter().filter(|mention| !written.steps.contains_key(mention.name.as_str())).cloned());
    unknown_names(&open, &inputs, written, shared);
    // a misspelt name may mean the unused step
    let readable = answer.is_some() && open.iter().all(|mention| inputs.contains_key(&mention.name));
    block::unused(&draft, &written.steps, &answer_names, readable, &file, shared);
    check_tests(written, &inputs, &cast, &file, shared);
    keep_rules(rules, &mut inputs, written, &file, shared);
    if shared.stack.len() == 1 {
        unused_names(written, &open, &asked, &file, shared);
        unfilled::unused(written, &asked, &file, shared);
    }

    let mut names: IndexMap<String, Type> =
        inputs.iter().map(|(name, input)| (name.clone(), input.ty.clone())).collect();
    let block = block::typed(&draft, &mut names, shared);
    let answer = answer?;
    let answer_ty = answer.ty(&mut Typing { shared, names: &names });
    let name = written.dialogue.as_ref().map(|name| name.value.clone()).unwrap_or_default();
    let cast = cast.agents.iter().map(|(role, agent)| (role.clone(), agent.name.clone())).collect();
    Some(Compiled { name, inputs, cast, block: Arc::new(block), answer: answer.template()?.clone(), answer_ty })
}

fn inputs_of(written: &DialogueFile, file: &Arc<str>, shared: &mut Shared) -> IndexMap<String, DeclaredInput> {
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
        inputs.insert(
            name.value.clone(),
            DeclaredInput { ty: input.ty.value.clone(), default, about: input.about.clone(), rules: Vec::new() },
        );
    }
    inputs
}

/// Records the rules of each input. Reports a default that breaks one.
fn keep_rules(
    rules: Vec<Rule>,
    inputs: &mut IndexMap<String, DeclaredInput>,
    written: &DialogueFile,
    file: &Arc<str>,
    shared: &mut Shared,
) {
    for rule in rules {
        // a step of that name would hide the input, and is reported elsewhere
        let Some(input) = inputs.get_mut(&rule.input) else { continue };
        if let Some(broken) = input.default.as_ref().and_then(|default| rule.broken(default)) {
            let declared = written.inputs.as_ref().and_then(|inputs| inputs.get(rule.input.as_str()));
            let pos =
                declared.and_then(|input| input.default.as_ref()).map(|default| default.0.pos).unwrap_or_default();
            let message = format!("found an invalid default of `{}`: {broken}", rule.input);
            shared.problem("wrong-value", file, pos, message, None);
        }
        input.rules.push(rule);
    }
}

/// Warns of unused inputs and roles.
fn unused_names(
    written: &DialogueFile,
    open: &[Mention],
    asked: &BTreeSet<String>,
    file: &Arc<str>,
    shared: &mut Shared,
) {
    let used: BTreeSet<&str> = open.iter().map(|mention| mention.name.as_str()).collect();
    let mut warn = |code: &str, what: &str, name: &At<String>, user: &str| {
        let message = format!("found {what} `{}`, which {user} uses", name.value);
        let problem = Problem::new(code, file, name.pos, message, Some("use it, or remove it".into()));
        shared.warnings.push(Problem { severity: Severity::Warning, ..problem });
    };
    for (name, _) in written.inputs.iter().flatten().filter(|(name, _)| !used.contains(name.as_str())) {
        warn("unused-input", "input", name, "neither the answer nor any step");
    }
    for (role, _) in written.cast.iter().flat_map(CastWritten::roles).filter(|(role, _)| !asked.contains(role.as_str()))
    {
        warn("unused-role", "role", role, "no step");
    }
}

/// Reports names that are neither a step, nor an input, nor bound at their place.
fn unknown_names(
    open: &[Mention],
    inputs: &IndexMap<String, DeclaredInput>,
    written: &DialogueFile,
    shared: &mut Shared,
) {
    for mention in open.iter().filter(|mention| !inputs.contains_key(&mention.name)) {
        if shared.problems.len() >= crate::problem::MAX_PROBLEMS {
            return;
        }
        let names = written.steps.keys().map(|name| name.as_str()).chain(inputs.keys().map(String::as_str));
        let near = closest(&mention.name, names);
        let Mention { name, file, pos, hole_of } = mention;
        match hole_of {
            Some(Hole { prompt, used_at }) => {
                let message = format!("found hole `{name}` in prompt `{prompt}`, which is not bound");
                let bind = format!("bind it where {used_at} names the prompt: `with: {{ {name}: … }}`");
                let hint = near.map_or(bind.clone(), |near| format!("{near} or {bind}"));
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
