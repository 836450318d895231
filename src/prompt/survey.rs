//! Reads a template's syntax tree: the names that it takes from its scope, and unknown filters, tests and functions.
//! Refuses statements that use other templates.

use super::{ParseError, filter_list, locals::Locals};
use crate::problem::{MAX_PROBLEMS, closest};
use minijinja::{
    Environment,
    machinery::{Span, ast, ast::Expr, ast::Stmt, parse},
};

/// One place where a template takes a name from its scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The name.
    pub name: String,
    /// The position, in bytes from the start of the source.
    pub offset: usize,
}

/// Parses `source` to its syntax tree.
pub(super) fn tree(source: &str) -> Result<Stmt<'_>, Vec<ParseError>> {
    parse(source, "template", Default::default()).map_err(|error| vec![syntax_error(&error, source)])
}

/// Converts an error of minijinja.
pub(super) fn syntax_error(error: &minijinja::Error, source: &str) -> ParseError {
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let line_start = |line: usize| source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let offset = error.range().map(|range| range.start).or_else(|| error.line().map(line_start)).unwrap_or(0);
    ParseError { message: format!("template: {message}"), code: "template-syntax", hint: None, offset }
}

/// The line of an offset, counted from 1.
pub(super) fn line(source: &str, offset: usize) -> usize {
    source.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The text between the braces, if the template is a single `{{ expression }}`.
pub(super) fn whole_expression<'s>(tree: &Stmt<'_>, source: &'s str) -> Option<&'s str> {
    let Stmt::Template(template) = tree else { return None };
    let blank = |stmt: &&Stmt| !matches!(stmt, Stmt::EmitRaw(raw) if raw.raw.trim().is_empty());
    let mut parts = template.children.iter().filter(blank);
    let (Some(Stmt::EmitExpr(_)), None) = (parts.next(), parts.next()) else { return None };
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    Some(inner.strip_suffix('-').unwrap_or(inner))
}

/// Every use of a name from outside, and every unknown filter and test and forbidden statement.
pub(super) fn survey(tree: &Stmt<'_>, engine: &Environment<'_>) -> (Vec<Use>, Vec<ParseError>) {
    let globals = engine.globals().map(|(name, _)| name.to_owned()).collect();
    let mut walk = Walk { globals, bound: Locals::new(), uses: Vec::new(), errors: Vec::new() };
    walk.stmt(tree);
    (walk.uses, walk.errors)
}

/// A hint with the nearest name, or all names.
fn near_or_all<'n>(name: &str, plural: &str, names: impl Iterator<Item = &'n str> + Clone) -> Option<String> {
    let all = || format!("the {plural} are {}", names.clone().collect::<Vec<_>>().join(", "));
    Some(closest(name, names.clone()).unwrap_or_else(all))
}

fn is_none(expr: &Expr<'_>) -> bool {
    matches!(expr, Expr::Const(constant) if constant.value.is_none())
}

struct Walk {
    globals: Vec<String>,
    /// The names bound inside the template at this point (loops, `set`, `with`, macros).
    bound: Locals<()>,
    uses: Vec<Use>,
    errors: Vec<ParseError>,
}

impl Walk {
    fn error(&mut self, span: Span, code: &'static str, message: String, hint: Option<String>) {
        if self.errors.len() < MAX_PROBLEMS {
            self.errors.push(ParseError { message, code, hint, offset: span.start_offset as usize });
        }
    }

    fn refuse(&mut self, what: &str, span: Span) {
        let hint = "write the text here, or bind it with `with:`".to_owned();
        self.error(span, "template-syntax", format!("`{what}` is not available in templates"), Some(hint));
    }

    /// Walks `body` with the names that `names` binds, and removes them afterwards.
    fn inside(&mut self, body: &[Stmt<'_>], names: impl FnOnce(&mut Walk)) {
        let depth = self.bound.len();
        names(self);
        body.iter().for_each(|stmt| self.stmt(stmt));
        self.bound.truncate(depth);
    }

    fn bind(&mut self, target: &Expr<'_>) {
        match target {
            Expr::Var(var) => self.bound.push(var.id, ()),
            Expr::List(list) => list.items.iter().for_each(|item| self.bind(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.bind(item)),
            other => self.expr(other),
        }
    }

    fn stmt(&mut self, stmt: &Stmt<'_>) {
        match stmt {
            Stmt::Template(template) => template.children.iter().for_each(|child| self.stmt(child)),
            Stmt::EmitExpr(emit) => self.expr(&emit.expr),
            Stmt::EmitRaw(_) | Stmt::Continue(_) | Stmt::Break(_) => {}
            Stmt::ForLoop(each) => {
                self.expr(&each.iter);
                self.inside(&each.body, |walk| {
                    walk.bind(&each.target);
                    walk.bound.push("loop", ());
                    each.filter_expr.iter().for_each(|filter| walk.expr(filter));
                });
                self.inside(&each.else_body, |_| {});
            }
            Stmt::IfCond(branch) => {
                self.expr(&branch.expr);
                branch.true_body.iter().chain(&branch.false_body).for_each(|stmt| self.stmt(stmt));
            }
            Stmt::WithBlock(with) => self.inside(&with.body, |walk| {
                for (target, value) in &with.assignments {
                    walk.expr(value);
                    walk.bind(target);
                }
            }),
            Stmt::Set(set) => {
                self.expr(&set.expr);
                self.bind(&set.target);
            }
            Stmt::SetBlock(set) => {
                set.filter.iter().for_each(|filter| self.expr(filter));
                self.inside(&set.body, |_| {});
                self.bind(&set.target);
            }
            Stmt::AutoEscape(escape) => self.inside(&escape.body, |_| {}),
            Stmt::FilterBlock(block) => {
                self.expr(&block.filter);
                self.inside(&block.body, |_| {});
            }
            Stmt::Macro(declared) => self.macro_body(declared),
            Stmt::CallBlock(block) => {
                self.call(&block.call);
                self.macro_body(&block.macro_decl);
            }
            Stmt::Do(statement) => self.call(&statement.call),
            Stmt::Block(block) => self.refuse("block", block.span()),
            Stmt::Import(import) => self.refuse("import", import.span()),
            Stmt::FromImport(import) => self.refuse("from", import.span()),
            Stmt::Extends(extends) => self.refuse("extends", extends.span()),
            Stmt::Include(include) => self.refuse("include", include.span()),
        }
    }

    fn macro_body(&mut self, declared: &ast::Macro<'_>) {
        declared.defaults.iter().for_each(|default| self.expr(default));
        self.inside(&declared.body, |walk| {
            declared.args.iter().for_each(|arg| walk.bind(arg));
            walk.bound.push("caller", ());
        });
        self.bound.push(declared.name, ());
    }

    fn call(&mut self, call: &ast::Call<'_>) {
        match &call.expr {
            Expr::Var(var) if self.globals.iter().any(|name| name == var.id) => {}
            callee => self.expr(callee),
        }
        self.args(&call.args);
    }

    fn args(&mut self, args: &[ast::CallArg<'_>]) {
        for arg in args {
            match arg {
                ast::CallArg::Pos(expr)
                | ast::CallArg::Kwarg(_, expr)
                | ast::CallArg::PosSplat(expr)
                | ast::CallArg::KwargSplat(expr) => self.expr(expr),
            }
        }
    }

    /// Reports a comparison with `none`. It would be false for a step that yields nothing; only `is none` covers both.
    fn compared_with_none(&mut self, span: Span) {
        let hint = Some("write `x is none` or `x is not none`".to_owned());
        self.error(span, "template-syntax", "found a comparison with `none`, expected `is none`".into(), hint);
    }

    fn expr(&mut self, expr: &Expr<'_>) {
        match expr {
            Expr::Var(var) => {
                if self.bound.get(var.id).is_none() && !self.globals.iter().any(|name| name == var.id) {
                    self.uses.push(Use { name: var.id.to_owned(), offset: var.span().start_offset as usize });
                }
            }
            Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.expr(&slice.expr);
                [&slice.start, &slice.stop, &slice.step].into_iter().flatten().for_each(|part| self.expr(part));
            }
            Expr::UnaryOp(op) => self.expr(&op.expr),
            Expr::BinOp(op) => {
                let is_equality = matches!(op.op, ast::BinOpKind::Eq | ast::BinOpKind::Ne);
                if is_equality && (is_none(&op.left) || is_none(&op.right)) {
                    self.compared_with_none(op.span());
                }
                [&op.left, &op.right].into_iter().for_each(|side| self.expr(side));
            }
            Expr::Compare(compare) => {
                self.expr(&compare.expr);
                compare.ops.iter().for_each(|op| self.expr(&op.expr));
            }
            Expr::IfExpr(branch) => {
                [&branch.test_expr, &branch.true_expr].into_iter().for_each(|part| self.expr(part));
                branch.false_expr.iter().for_each(|part| self.expr(part));
            }
            Expr::Filter(filter) => {
                filter.expr.iter().for_each(|expr| self.expr(expr));
                if !filter_list::names().any(|name| name == filter.name) {
                    let hint = near_or_all(filter.name, "filters", filter_list::names());
                    self.error(filter.span(), "unknown-filter", format!("unknown filter `{}`", filter.name), hint);
                }
                self.args(&filter.args);
            }
            Expr::Test(test) => {
                self.expr(&test.expr);
                if !filter_list::TESTS.contains(&test.name) {
                    let words = filter_list::TESTS.iter().copied().filter(|name| name.chars().all(char::is_alphabetic));
                    let hint = near_or_all(test.name, "tests", words);
                    self.error(test.span(), "unknown-filter", format!("unknown test `is {}`", test.name), hint);
                }
                self.args(&test.args);
            }
            Expr::GetAttr(get) => self.expr(&get.expr),
            Expr::GetItem(get) => [&get.expr, &get.subscript_expr].into_iter().for_each(|part| self.expr(part)),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => list.items.iter().for_each(|item| self.expr(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expr(item)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|part| self.expr(part)),
        }
    }
}
