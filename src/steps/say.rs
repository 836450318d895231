//! `say`: a language agent completes a prompt, once or `n` times; with `cite` it says which entries of a log it used.

use super::{cite, misfit, rank, replies, whole};
use crate::{
    dialogue::{At, Expr, Node, NumberExpr, TextExpr, written},
    exchange::{Decoding, Kind, Message, Reply, Request, SayReply, SayRequest},
    plan::{Ask, Formula, Heard, Inside, Planned, Planning, Range, Step, StepError, Turn, Typing, Verb},
    prompt::{Scope, Template},
    value::{Type, Value},
};
use indexmap::IndexMap;
use std::sync::Arc;

written! { "`say`",
    /// A language agent completes a prompt: one of `prompt` and `text`.
    pub struct Say {
        /// The role that speaks.
        pub agent: At<String>,
        /// A prompt file: `prompts/NAME.md`. Its holes are taken from `with`, then from inputs and steps.
        pub prompt: Option<At<String>>,
        /// The prompt itself.
        pub text: Option<TextExpr>,
        /// Values for the prompt's holes.
        pub with: Option<IndexMap<At<String>, Expr>>,
        /// A system message.
        pub system: Option<TextExpr>,
        /// So many samples; more than one gives a list.
        #[schemars(with = "Option<crate::plan::range::WholeFrom1>")]
        pub n: Option<NumberExpr>,
        /// 0 is greedy.
        #[schemars(with = "Option<crate::plan::range::NotNegative>")]
        pub temperature: Option<NumberExpr>,
        /// Nucleus mass, 0 to 1.
        #[schemars(with = "Option<crate::plan::range::Share>")]
        pub top_p: Option<NumberExpr>,
        /// Keep the k likeliest tokens.
        #[schemars(with = "Option<crate::plan::range::WholeFrom0>")]
        pub top_k: Option<NumberExpr>,
        /// Most tokens generated.
        #[schemars(with = "Option<crate::plan::range::WholeFrom1>")]
        pub max_tokens: Option<NumberExpr>,
        /// Generation stops before any of these.
        pub stop: Option<Vec<String>>,
        /// The only replies allowed: a label list, a list, or a template that yields one.
        pub choices: Option<Expr>,
        /// A list of entries (a name or a template): bound to the hole `log` as numbered lines; the reply's `[n]` are read
        /// back, and the step yields `{ text, abstained, evidence }`.
        pub cite: Option<TextExpr>,
        /// No chat template: the bare prompt.
        pub raw: Option<bool>,
    }
}

/// The hole that `cite` fills.
const LOG: &str = "log";
/// Most replies to one prompt.
const MAX_SAMPLES: usize = 1000;

impl Verb for Say {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let role = planning.role(&self.agent, Kind::Say);
        let cited = self.cite.as_ref().map(|cite| planning.name_or_template(&cite.0));
        let with = self.with(planning);
        let prompt = self.prompt(planning, &with, cited.is_some());
        let system = self.system.as_ref().map(|system| planning.expr(&system.0));
        let mut number = |expr: &Option<NumberExpr>| expr.as_ref().map(|expr| planning.expr(&expr.0));
        let (n, temperature, top_p) = (number(&self.n), number(&self.temperature), number(&self.top_p));
        let (top_k, max_tokens) = (number(&self.top_k), number(&self.max_tokens));
        let choices = self.choices.as_ref().map(|choices| rank::among(choices, planning));
        for (written, what, range) in [
            (&self.n, "n", Range::WholeFrom(1)),
            (&self.temperature, "temperature", Range::NotNegative),
            (&self.top_p, "top_p", Range::Share),
            (&self.top_k, "top_k", Range::WholeFrom(0)),
            (&self.max_tokens, "max_tokens", Range::WholeFrom(1)),
        ] {
            range.check(written, what, planning);
        }
        // the outer option: was it written; the inner: could it be read
        fn read<T>(part: Option<Option<T>>) -> Option<Option<T>> {
            part.map_or(Some(None), |part| part.map(Some))
        }
        let with = with.into_iter().map(|(name, formula)| Some((name, formula?))).collect::<Option<_>>()?;
        Some(Arc::new(Saying {
            role: role?.role,
            role_name: self.agent.value.clone(),
            prompt: prompt?,
            with,
            cited: read(cited)?,
            system: read(system)?,
            n: read(n)?,
            temperature: read(temperature)?,
            top_p: read(top_p)?,
            top_k: read(top_k)?,
            max_tokens: read(max_tokens)?,
            stop: self.stop.clone().unwrap_or_default(),
            choices: read(choices)?,
            raw: self.raw.unwrap_or(false),
        }))
    }
}

impl Say {
    fn with(&self, planning: &mut Planning<'_>) -> IndexMap<String, Option<Formula>> {
        let bindings = self.with.iter().flatten();
        bindings.map(|(name, expr)| (name.value.clone(), planning.expr(expr))).collect()
    }

    /// The prompt; holes that nothing here binds become mentions.
    fn prompt(
        &self,
        planning: &mut Planning<'_>,
        with: &IndexMap<String, Option<Formula>>,
        cites: bool,
    ) -> Option<Prompt> {
        let bound = |name: &str| with.contains_key(name) || (cites && name == LOG);
        let prompt = match (&self.prompt, &self.text) {
            (Some(name), None) => {
                let (template, node, file) = planning.prompt(name)?;
                planning.holes(name, &template, &node, &file, &bound);
                Prompt { template, node, file }
            }
            (None, Some(text)) => {
                let names: Vec<&str> = with.keys().map(String::as_str).chain(cites.then_some(LOG)).collect();
                let formula = planning.bound_to(&names, |planning| planning.expr(&text.0))?;
                Prompt { template: formula.template()?.clone(), node: formula.node.clone(), file: formula.file }
            }
            (None, None) => {
                let message = "found neither `prompt` nor `text` in `say`, expected one".to_owned();
                planning.problem("missing-key", self.agent.pos, message, None);
                return None;
            }
            (Some(_), Some(text)) => {
                let message = "found `text` beside `prompt`, expected one of them".to_owned();
                planning.problem("too-many", text.0.0.pos, message, None);
                return None;
            }
        };
        let holes = prompt.template.names();
        for (name, _) in self.with.iter().flatten().filter(|(name, _)| !holes.contains(&name.as_str())) {
            let hint = crate::problem::closest(name, holes.iter().copied());
            let message = format!("found `{}` in `with`, but the prompt has no such hole", name.value);
            planning.problem("unknown-hole", name.pos, message, hint);
        }
        if let Some(cite) = self.cite.as_ref().filter(|_| !holes.contains(&LOG)) {
            let message = format!("found `cite`, but the prompt has no hole `{LOG}` for the numbered lines");
            planning.problem(
                "unknown-hole",
                cite.0.0.pos,
                message,
                Some(format!("put `{{{{ {LOG} }}}}` into the prompt")),
            );
        }
        Some(prompt)
    }
}

#[derive(Debug)]
struct Prompt {
    template: Template,
    node: Node,
    file: Arc<str>,
}

#[derive(Debug)]
struct Saying {
    role: String,
    /// As the dialogue names it.
    role_name: String,
    prompt: Prompt,
    with: IndexMap<String, Formula>,
    cited: Option<Formula>,
    system: Option<Formula>,
    n: Option<Formula>,
    temperature: Option<Formula>,
    top_p: Option<Formula>,
    top_k: Option<Formula>,
    max_tokens: Option<Formula>,
    stop: Vec<String>,
    choices: Option<rank::Among>,
    raw: bool,
}

impl Planned for Saying {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        (self.ty(typing), self)
    }
}

impl Saying {
    /// What it yields.
    fn ty(&self, typing: &mut Typing<'_>) -> Type {
        let mut names = typing.names().clone();
        for (name, formula) in &self.with {
            let ty = formula.ty(typing);
            let item = if let Type::List(item) = &ty { item } else { &ty };
            if matches!(item, Type::Image | Type::Moment | Type::Video | Type::Audio) {
                let message = format!("found {ty} for hole `{name}`, but `{}` reads text only", self.role_name);
                let hint = match item {
                    Type::Moment => "use its `.text`, or `| clock` for its time; `rank` looks at its frame",
                    _ => "let an agent that sees or hears turn it into words first",
                };
                typing.problem("agent-cannot", &formula.file, formula.node.pos, message, Some(hint.into()));
            }
            names.insert(name.clone(), ty);
        }
        if let Some(cited) = &self.cited {
            typing.expect(cited, &[Type::Moment.list(), Type::record(entry_fields()).list()], "`cite`");
            names.insert(LOG.into(), Type::Text);
        }
        typing.with(&names, |typing| typing.prompt(&self.prompt.template, &self.prompt.node, &self.prompt.file));
        self.system.iter().for_each(|system| drop(typing.expect(system, &[Type::Text], "`system`")));
        let numbers = [
            ("`n`", &self.n),
            ("`temperature`", &self.temperature),
            ("`top_p`", &self.top_p),
            ("`top_k`", &self.top_k),
            ("`max_tokens`", &self.max_tokens),
        ];
        for (what, formula) in numbers {
            formula.iter().for_each(|formula| drop(typing.expect(formula, &[Type::Number], what)));
        }
        self.choices.iter().for_each(|choices| choices.ty("`choices`", typing));
        let one = if self.cited.is_some() { cited_type() } else { Type::Text };
        if self.many() { one.list() } else { one }
    }
}

/// What an entry that can be cited has.
fn entry_fields() -> Vec<(String, Type)> {
    vec![("start".into(), Type::Number), ("end".into(), Type::Number), ("text".into(), Type::Text)]
}

fn cited_type() -> Type {
    let mut entry = vec![("video".to_owned(), Type::Text), ("clock".to_owned(), Type::Text)];
    entry.extend(entry_fields());
    Type::record([
        ("text".into(), Type::Text),
        ("abstained".into(), Type::Truth),
        ("evidence".into(), Type::record(entry).list()),
    ])
}

impl Saying {
    /// True if the step yields a list: `n` is more than one, or known only when it runs.
    fn many(&self) -> bool {
        self.n.as_ref().is_some_and(|n| n.literal() != Some(Value::Number(1.0)))
    }

    fn decoding(&self, scope: &Scope) -> Result<Decoding, StepError> {
        let number =
            |formula: &Option<Formula>, what: &str| match formula.as_ref().map(|f| f.eval(scope)).transpose()? {
                None | Some(Value::Nothing) => Ok(None),
                Some(Value::Number(number)) if number >= 0.0 => Ok(Some(number as f32)),
                Some(other) => {
                    Err(StepError(format!("found {} for `{what}`, expected a number", crate::prompt::show(&other))))
                }
            };
        let count = |formula: &Option<Formula>, what: &str| -> Result<Option<usize>, StepError> {
            formula.as_ref().map(|formula| whole(&formula.eval(scope)?, what)).transpose()
        };
        Ok(Decoding {
            temperature: number(&self.temperature, "temperature")?,
            top_p: number(&self.top_p, "top_p")?,
            top_k: count(&self.top_k, "top_k")?,
            max_tokens: count(&self.max_tokens, "max_tokens")?,
            stop: self.stop.clone(),
        })
    }

    fn request(&self, scope: &Scope, log: Option<&[cite::Entry]>) -> Result<Request, StepError> {
        let mut holes = scope.clone();
        for (name, formula) in &self.with {
            holes.bind(name, formula.eval(scope)?);
        }
        if let Some(entries) = log {
            holes.bind(LOG, Value::Text(cite::numbered(entries)));
        }
        let message = |role: &str, content: String| Message::new(role, content);
        let mut messages = Vec::new();
        if let Some(system) = &self.system {
            messages.push(message("system", system.text(scope)?));
        }
        messages.push(message("user", self.prompt.template.text(&holes)?));
        let choices = self.choices.as_ref().map(|choices| choices.labels(scope, "choices")).transpose()?;
        let choices = choices.unwrap_or_default();
        Ok(Request::Say(SayRequest { messages, raw: self.raw, decoding: self.decoding(scope)?, choices }))
    }
}

impl Step for Saying {
    fn inside(&self) -> Inside {
        Inside::Asks(self.role.clone())
    }

    fn turn(&self, scope: &Scope, heard: &[Heard]) -> Result<Turn, StepError> {
        let log = match &self.cited {
            Some(cited) => Some(cite::entries(&cited.eval(scope)?)?),
            None => None,
        };
        if let Some(replies) = replies(heard) {
            let value = |reply: &Reply| match (reply, &log) {
                (Reply::Say(SayReply { text, .. }), Some(entries)) => Ok(cite::answer(text, entries)),
                (Reply::Say(SayReply { text, .. }), None) => Ok((Value::Text(text.trim().to_owned()), None)),
                _ => Err(misfit("say")),
            };
            let said: Vec<(Value, Option<String>)> = replies.iter().map(value).collect::<Result<_, _>>()?;
            let (mut values, notes): (Vec<Value>, Vec<Option<String>>) = said.into_iter().unzip();
            let value = if self.many() { Value::List(values) } else { values.pop().ok_or_else(|| misfit("say"))? };
            let notes: Vec<String> = notes.into_iter().flatten().collect();
            return Ok(if notes.is_empty() {
                Turn::Done(value)
            } else {
                Turn::Noted { value, note: notes.join("; ") }
            });
        }
        let samples = match &self.n {
            Some(n) => whole(&n.eval(scope)?, "n")?,
            None => 1,
        };
        if samples > MAX_SAMPLES {
            return Err(StepError(format!("found {samples} for `n`, expected at most {MAX_SAMPLES}")));
        }
        if samples == 0 {
            return Ok(Turn::Done(Value::List(Vec::new())));
        }
        let request = self.request(scope, log.as_deref())?;
        let ask = |sample: usize| Ask { role: self.role.clone(), request: request.clone(), sample: sample as u32 };
        Ok(Turn::Ask((0..samples).map(ask).collect()))
    }
}
