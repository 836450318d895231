//! A compiled template: its source, and the instructions of its guarded tree.

use super::{ParseError, guards, survey};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output,
    machinery::{CodeGenerator, Instructions, ast::Stmt, eval, make_string_output, parse},
    syntax::SyntaxConfig,
    value::Value as Shown,
};
use std::collections::BTreeMap;

self_cell::self_cell!(
    struct Cell {
        owner: Box<str>,
        #[covariant]
        dependent: Code,
    }
);

struct Code<'s> {
    instructions: Instructions<'s>,
    blocks: BTreeMap<&'s str, Instructions<'s>>,
}

/// Compiled once, and evaluated any number of times in one engine.
pub(super) struct Program {
    cell: Cell,
    engine: &'static Environment<'static>,
}

impl Program {
    /// Compiles a template's text.
    pub(super) fn text(
        source: &str,
        syntax: SyntaxConfig,
        engine: &'static Environment<'static>,
    ) -> Result<Program, ParseError> {
        Program::compile(source, engine, |source, code| {
            let tree = parse(source, "template", syntax).map_err(|error| survey::syntax_error(&error, source))?;
            code.compile_stmt(&guards::around(&tree)?);
            Ok(())
        })
    }

    /// Compiles the single expression of a template.
    pub(super) fn expression(source: &str, engine: &'static Environment<'static>) -> Result<Program, ParseError> {
        Program::compile(source, engine, |source, code| {
            let tree = survey::tree(source).map_err(|mut errors| errors.remove(0))?;
            let Stmt::Template(template) = &tree else { return Err(broken()) };
            let expression = template.children.iter().find_map(|child| match child {
                Stmt::EmitExpr(emit) => Some(&emit.expr),
                _ => None,
            });
            code.compile_expr(&guards::around_expr(expression.ok_or_else(broken)?));
            Ok(())
        })
    }

    fn compile(
        source: &str,
        engine: &'static Environment<'static>,
        generate: impl for<'s> FnOnce(&'s str, &mut CodeGenerator<'s>) -> Result<(), ParseError>,
    ) -> Result<Program, ParseError> {
        let cell = Cell::try_new(source.into(), |source| {
            let mut code = CodeGenerator::new("template", source);
            generate(source, &mut code)?;
            let (instructions, blocks) = code.finish();
            Ok(Code { instructions, blocks })
        })?;
        Ok(Program { cell, engine })
    }

    /// Evaluates an expression.
    pub(super) fn value(&self, names: Shown) -> Result<Shown, Error> {
        // an expression writes no output
        self.run(names, &mut make_string_output(&mut String::new())).map(Option::unwrap_or_default)
    }

    /// Renders a template's text.
    pub(super) fn render(&self, names: Shown) -> Result<String, Error> {
        let mut text = String::new();
        self.run(names, &mut make_string_output(&mut text))?;
        Ok(text)
    }

    /// Runs the engine. A panic of the engine fails the step and not the run (`"abc"[::-9223372036854775808]` overflows
    /// in a build with overflow checks).
    fn run(&self, names: Shown, out: &mut Output) -> Result<Option<Shown>, Error> {
        let code = self.cell.borrow_dependent();
        let run = || {
            let done = eval(self.engine, &code.instructions, names, &code.blocks, out, AutoEscape::None);
            done.map(|(value, _)| value)
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::InvalidOperation, "the template engine failed: this is a bug"))
        })
    }
}

fn broken() -> ParseError {
    let message = "template: no expression was found: this is a bug".to_owned();
    ParseError { message, code: "template-syntax", hint: None, offset: 0 }
}
