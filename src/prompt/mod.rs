//! Templates: `{{ }}` in dialogues and prompt files. Both use one expression language (minijinja, strict undefined).
//!
//! A template is parsed once, during the check. Its syntax tree gives the names that it uses ([`Template::uses`]), so
//! that users do not list dependencies. Templates have no access to files, clocks or randomness, and their work and
//! output are limited.

mod chat;
mod convert;
mod engine;
pub mod english;
pub mod filter_list;
pub mod filters;
mod guards;
mod infer;
mod json;
pub mod language;
mod locals;
mod names;
mod nesting;
mod program;
mod scope;
mod survey;
pub(crate) mod thesaurus;
mod vectors;
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

/// Maximum size of a template's source, in bytes.
pub const MAX_SOURCE: usize = 256 * 1024;
static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = engine::bounded(UndefinedBehavior::Strict);
    // the types of values in a namespace cannot be known
    engine.remove_global("namespace");
    filters::add_to(&mut engine);
    engine
});

/// A compiled template. It cannot fail to parse any more.
///
/// A template that is a single `{{ expression }}` evaluates to the expression's own value and keeps its type (a moment
/// stays a moment). Any other text renders to [`Value::Text`].
#[derive(Clone)]
pub struct Template {
    /// The source text.
    pub source: String,
    body: Arc<Body>,
    uses: Arc<Vec<Use>>,
}

enum Body {
    /// Text without holes: the source itself.
    Plain,
    /// One `{{ expression }}`.
    Whole(Program),
    /// Text with holes or statements.
    Mixed(Program),
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// The problem.
    pub message: String,
    /// A stable word: `template-syntax`, `unknown-filter`, …
    pub code: &'static str,
    /// The remedy.
    pub hint: Option<String>,
    /// The position, in bytes from the start of the source.
    pub offset: usize,
}

/// Why a template cannot be evaluated in a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// The reason, in the user's words.
    pub message: String,
}

impl Template {
    /// Parses `source`. Fails with every mistake.
    pub fn parse(source: &str) -> Result<Template, Vec<ParseError>> {
        Template::parse_partly(source).map_err(|(errors, _)| errors)
    }

    /// Like [`Template::parse`]. With the errors it returns the names that could be read.
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

    /// Every place where the template takes a name from its scope, with its offset.
    pub fn uses(&self) -> &[Use] {
        &self.uses
    }

    /// True if the text has no holes.
    pub fn is_plain(&self) -> bool {
        matches!(*self.body, Body::Plain)
    }

    /// The type of its value if names have these types. Adds every attribute that cannot exist to `findings`.
    pub fn ty(&self, known: &dyn NameTypes, findings: &mut Vec<Finding>) -> crate::value::Type {
        infer::template(&self.source, matches!(*self.body, Body::Whole(_)), known, findings)
    }

    /// Evaluates the template in a scope.
    pub fn eval(&self, scope: &Scope) -> Result<Value, TemplateError> {
        if let Some(used) = self.uses.iter().find(|used| scope.get(&used.name).is_none()) {
            return Err(TemplateError { message: format!("`{}` is not bound here", used.name) });
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

    /// Evaluates the template in a scope, as text for a prompt or a label.
    pub fn text(&self, scope: &Scope) -> Result<String, TemplateError> {
        Ok(show(&self.eval(scope)?))
    }

    fn failed(&self, error: &minijinja::Error) -> TemplateError {
        use minijinja::ErrorKind;
        let brief: String = self.source.trim().chars().take(80).collect();
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        let message = match error.kind() {
            ErrorKind::OutOfFuel => format!("`{brief}` exceeds the work limit of a template"),
            ErrorKind::UndefinedError => format!("something in `{brief}` is undefined{detail}"),
            kind => format!("`{brief}`: {kind}{detail}"),
        };
        TemplateError { message }
    }
}

/// A value as text inside a template: a moment's text or times, a candidate's label, a number without needless
/// decimals, a list or record as JSON.
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
