//! Templates: `{{ }}` in dialogues and prompt files. One expression language (minijinja, strict undefined) for both.
//!
//! A template is parsed once, at check time; what it names is read from its own syntax tree ([`Template::uses`]), so
//! that users do not list dependencies. Templates reach no file, clock or randomness, and are limited in work and output.

mod chat;
mod convert;
mod engine;
pub mod filter_list;
pub mod filters;
mod guards;
mod infer;
mod json;
mod locals;
mod names;
mod nesting;
mod program;
mod scope;
mod survey;
mod work;

pub use chat::{ChatTemplate, ChatValue};
pub use infer::{Finding, NameTypes};
pub use scope::Scope;
pub use survey::Use;

use crate::value::{Value, size::Room};
use engine::MAX_OUTPUT;
use minijinja::{Environment, UndefinedBehavior};
use program::Program;
use std::{
    fmt,
    sync::{Arc, LazyLock},
};

/// Longest template source, in bytes.
pub const MAX_SOURCE: usize = 256 * 1024;
static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = engine::bounded(UndefinedBehavior::Strict);
    // the types of what a loop writes there cannot be known
    engine.remove_global("namespace");
    filters::add_to(&mut engine);
    engine
});

/// A template that was compiled at check time and cannot fail to parse any more.
///
/// A template of just one `{{ expression }}` evaluates to the expression's own value and keeps
/// its type (a moment stays a moment); any other text renders to [`Value::Text`].
#[derive(Clone)]
pub struct Template {
    /// As written.
    pub source: String,
    body: Arc<Body>,
    uses: Arc<Vec<Use>>,
}

enum Body {
    /// No hole at all: the source is the text.
    Plain,
    /// One `{{ expression }}`.
    Whole(Program),
    /// Text with holes or statements.
    Mixed(Program),
}

/// Why a text is not a template; `offset` is in bytes from the start of the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// The problem.
    pub message: String,
    /// A stable word: `template-syntax`, `unknown-filter`, …
    pub code: &'static str,
    /// The remedy.
    pub hint: Option<String>,
    /// Where, in bytes.
    pub offset: usize,
}

/// Why a template could not be evaluated in this scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// In the user's words.
    pub message: String,
}

impl Template {
    /// Parses `source`, or reports every place that it cannot understand.
    pub fn parse(source: &str) -> Result<Template, Vec<ParseError>> {
        Template::parse_partly(source).map_err(|(errors, _)| errors)
    }

    /// The same; beside the errors, the names that the template takes from its scope as far as they could be read.
    pub fn parse_partly(source: &str) -> Result<Template, (Vec<ParseError>, Vec<Use>)> {
        let alone = |errors| (errors, Vec::new());
        let done = |body, uses| Template { source: source.to_owned(), body: Arc::new(body), uses: Arc::new(uses) };
        if source.len() > MAX_SOURCE {
            let message = format!("a template of {} bytes, expected at most {MAX_SOURCE}", source.len());
            return Err(alone(vec![ParseError { message, code: "too-large", hint: None, offset: 0 }]));
        }
        if !["{{", "{%", "{#"].iter().any(|open| source.contains(open)) {
            return Ok(done(Body::Plain, Vec::new()));
        }
        nesting::check(source).map_err(|error| alone(vec![error]))?;
        let tree = survey::tree(source).map_err(alone)?;
        let (uses, errors) = survey::survey(&tree, &ENGINE);
        if !errors.is_empty() {
            return Err((errors, uses));
        }
        let body = match survey::whole_expression(&tree, source) {
            Some(_) => Program::expression(source, &ENGINE).map(Body::Whole),
            None => Program::text(source, Default::default(), &ENGINE).map(Body::Mixed),
        };
        let body = body.map_err(|error| alone(vec![error]))?;
        Ok(done(body, uses))
    }

    /// The names that this template takes from its scope, in the order of their first appearance.
    pub fn names(&self) -> Vec<&str> {
        let names: indexmap::IndexSet<&str> = self.uses.iter().map(|used| used.name.as_str()).collect();
        names.into_iter().collect()
    }

    /// Every place where a name is taken from the scope, with its path (`item.start`) and offset.
    pub fn uses(&self) -> &[Use] {
        &self.uses
    }

    /// True if the text is without holes.
    pub fn is_plain(&self) -> bool {
        matches!(*self.body, Body::Plain)
    }

    /// The type that it evaluates to where names have these types; every attribute that cannot exist is reported.
    pub fn ty(&self, known: &dyn NameTypes, findings: &mut Vec<Finding>) -> crate::value::Type {
        infer::template(&self.source, matches!(*self.body, Body::Whole(_)), known, findings)
    }

    /// The value in this scope.
    pub fn eval(&self, scope: &Scope) -> Result<Value, TemplateError> {
        if let Some(used) = self.uses.iter().find(|used| scope.get(&used.name).is_none()) {
            return Err(TemplateError { message: format!("`{}` has no value here", used.name) });
        }
        let shown = scope.shown();
        match &*self.body {
            Body::Plain => Ok(Value::Text(self.source.clone())),
            Body::Whole(expression) => {
                let value = expression.value(shown).map_err(|error| self.failed(&error))?;
                if value.is_undefined() {
                    let message = format!("`{}` is undefined", self.source.trim());
                    return Err(TemplateError { message });
                }
                convert::from_shown(&value, &mut Room::new()).map_err(|message| TemplateError { message })
            }
            Body::Mixed(program) => {
                let text = program.render(shown).map_err(|error| self.failed(&error))?;
                if text.len() > MAX_OUTPUT {
                    let message = format!("the template renders to {} bytes, more than {MAX_OUTPUT}", text.len());
                    return Err(TemplateError { message });
                }
                Ok(Value::Text(text))
            }
        }
    }

    /// The value as text: what a prompt or a label would show of it.
    pub fn text(&self, scope: &Scope) -> Result<String, TemplateError> {
        Ok(show(&self.eval(scope)?))
    }

    fn failed(&self, error: &minijinja::Error) -> TemplateError {
        use minijinja::ErrorKind;
        let brief: String = self.source.trim().chars().take(80).collect();
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        let message = match error.kind() {
            ErrorKind::OutOfFuel => format!("`{brief}` does more work than a template may"),
            ErrorKind::UndefinedError => format!("something in `{brief}` is undefined{detail}"),
            kind => format!("`{brief}`: {kind}{detail}"),
        };
        TemplateError { message }
    }
}

/// The text of a value inside a template: a moment's text or times, a candidate's label, a number without
/// needless decimals, a list or record as JSON.
pub fn show(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Nothing => String::new(),
        other => convert::shown(other).to_string(),
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.source).finish()
    }
}

#[cfg(test)]
mod tests;
