//! The prompt of a generative verb: a file or a text with holes, and the values for the holes.

use crate::{
    dialogue::{At, Expr, Node, Pos, TextExpr, written},
    plan::{Formula, Planning, StepError, Typing},
    prompt::{Scope, Template},
    value::{Type, Value},
};
use indexmap::IndexMap;
use std::sync::Arc;

written! { keys of
    /// The keys of a prompt: one of `prompt` and `text`.
    pub struct PromptKeys {
        /// A prompt file: `prompts/NAME.md`. `with` fills its holes first, then inputs and steps.
        pub prompt: Option<At<String>>,
        /// The prompt itself.
        pub text: Option<TextExpr>,
        /// Values for the prompt's holes.
        pub with: Option<IndexMap<At<String>, Expr>>,
    }
}

/// The verb of a prompt.
#[derive(Debug, Clone, Copy)]
pub(super) struct PromptOf<'a> {
    /// The verb's name, for messages.
    pub verb: &'static str,
    /// The position of a problem about a missing prompt.
    pub pos: Pos,
    /// The holes that the verb itself fills.
    pub own: &'a [&'static str],
}

/// A prompt with known names.
#[derive(Debug)]
pub(super) struct Prompted {
    template: Template,
    node: Node,
    file: Arc<str>,
    with: IndexMap<String, Formula>,
}

impl PromptKeys {
    /// Reads the prompt. Its unbound holes become mentions.
    pub(super) fn plan(&self, of: PromptOf<'_>, planning: &mut Planning<'_>) -> Option<Prompted> {
        let written = self.with.iter().flatten();
        let with: IndexMap<String, Option<Formula>> =
            written.map(|(name, expr)| (name.value.clone(), planning.expr(expr))).collect();
        let (template, node, file) = self.template(of, &with, planning)?;
        let holes = template.names();
        for (name, _) in self.with.iter().flatten().filter(|(name, _)| !holes.contains(&name.as_str())) {
            let hint = crate::problem::closest(name, holes.iter().copied());
            let message = format!("found `{}` in `with`, but the prompt lacks this hole", name.value);
            planning.problem("unknown-hole", name.pos, message, hint);
        }
        let with = with.into_iter().map(|(name, formula)| Some((name, formula?))).collect::<Option<_>>()?;
        Some(Prompted { template, node, file, with })
    }

    fn template(
        &self,
        of: PromptOf<'_>,
        with: &IndexMap<String, Option<Formula>>,
        planning: &mut Planning<'_>,
    ) -> Option<(Template, Node, Arc<str>)> {
        match (&self.prompt, &self.text) {
            (Some(name), None) => {
                let (template, node, file) = planning.prompt(name)?;
                let is_bound = |name: &str| with.contains_key(name) || of.own.contains(&name);
                planning.holes(name, &template, &node, &file, &is_bound);
                Some((template, node, file))
            }
            (None, Some(text)) => {
                let names: Vec<&str> = with.keys().map(String::as_str).chain(of.own.iter().copied()).collect();
                let formula = planning.bound_to(&names, |planning| planning.expr(&text.0))?;
                Some((formula.template()?.clone(), formula.node.clone(), formula.file))
            }
            (None, None) => {
                let message = format!("found neither `prompt` nor `text` in `{}`, expected one", of.verb);
                planning.problem("missing-key", of.pos, message, None);
                None
            }
            (Some(_), Some(text)) => {
                let message = "found `text` beside `prompt`, expected one of them".to_owned();
                planning.problem("too-many", text.0.0.pos, message, None);
                None
            }
        }
    }
}

impl Prompted {
    /// True if the prompt contains this hole.
    pub(super) fn has(&self, hole: &str) -> bool {
        self.template.names().contains(&hole)
    }

    /// Types the holes and the prompt. Reports values that a text model cannot read. `own` are the verb's own holes.
    pub(super) fn check(&self, role: &str, own: &[(&str, Type)], typing: &mut Typing<'_>) {
        let mut names = typing.names().clone();
        for (name, formula) in &self.with {
            let ty = formula.ty(typing);
            let item = if let Type::List(item) = ty.required() { item } else { ty.required() };
            if matches!(item, Type::Image | Type::Moment | Type::Video | Type::Audio) {
                let message = format!("found {ty} for hole `{name}`, but `{role}` reads text only");
                let hint = match item {
                    Type::Moment => "use its `.text`, or `| clock` for its time; `rank` looks at its frame",
                    _ => "let an agent that sees or hears turn it into text first",
                };
                typing.problem("agent-cannot", &formula.file, formula.node.pos, message, Some(hint.into()));
            }
            names.insert(name.clone(), ty);
        }
        names.extend(own.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())));
        typing.with(&names, |typing| typing.prompt(&self.template, &self.node, &self.file));
    }

    /// The prompt with its holes filled. Fails if a template fails.
    pub(super) fn text(&self, scope: &Scope, own: &[(&str, Value)]) -> Result<String, StepError> {
        let mut holes = scope.clone();
        for (name, formula) in &self.with {
            holes.bind(name, formula.eval(scope)?);
        }
        own.iter().for_each(|(name, value)| holes.bind(name, value.clone()));
        Ok(self.template.text(&holes)?)
    }
}
