//! Rebuilds a template's syntax tree with guards around the operations that the engine leaves without a limit.
//!
//! The engine counts the output of a template, but not the walks over it. A list that contains another one twice, forty
//! levels deep, takes few bytes. Comparing it, hashing it as a key or joining it to a text would take endless time. The
//! engine also lets lists nest deeper than the stack can destroy them. Therefore a filter checks each operand of such
//! an operator first, and another filter bounds the depth of each new list, map, slice, filter result and call result.
//! A function of ours sets attributes of a namespace, because the engine's namespaces can contain themselves.
//!
//! A template cannot write the names of the guards.

use super::ParseError;
use minijinja::machinery::{
    Span,
    ast::{self, BinOpKind, CallArg, Expr, Spanned, Stmt},
};
use minijinja::value::ValueKind;

/// Checks an operand that will be walked: compared, searched or hashed.
pub(super) const WEIGHED: &str = "~weighed";
/// Turns an operand of `~` into text of limited length.
pub(super) const WRITTEN: &str = "~written";
/// Checks the depth of a new value, and turns a lazy one into a list.
pub(super) const MADE: &str = "~made";
/// Refuses `loop` itself as a value, because it would contain its own list.
pub(super) const HELD: &str = "~held";
/// Sets an attribute of a namespace.
pub(super) const ASSIGN: &str = "~assign";

/// Filters whose result is never nested deeper than their operand: a text, a number, a truth, or a part of the operand.
const FLAT: &[&str] = &[
    "abs",
    "attr",
    "bool",
    "capitalize",
    "clock",
    "count",
    "d",
    "default",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "indent",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "numbered",
    "pprint",
    "replace",
    "round",
    "safe",
    "string",
    "title",
    "tojson",
    "trim",
    "upper",
];

/// Temporary names for values that one statement sets on several attributes of namespaces.
const PASSING: [&str; 8] = ["~0", "~1", "~2", "~3", "~4", "~5", "~6", "~7"];

type Refused = ParseError;

/// The whole tree with guards. Fails for a statement that templates cannot use.
pub(super) fn around<'s>(tree: &Stmt<'s>) -> Result<Stmt<'s>, Refused> {
    match tree {
        Stmt::Template(template) => {
            let children = body(&template.children)?;
            Ok(Stmt::Template(Spanned::new(ast::Template { children }, template.span())))
        }
        other => body(std::slice::from_ref(other)).map(|mut made| made.remove(0)),
    }
}

/// One expression with guards.
pub(super) fn around_expr<'s>(tree: &Expr<'s>) -> Expr<'s> {
    expr(tree)
}

fn body<'s>(stmts: &[Stmt<'s>]) -> Result<Vec<Stmt<'s>>, Refused> {
    let mut made = Vec::with_capacity(stmts.len());
    stmts.iter().try_for_each(|one| stmt(one, &mut made))?;
    Ok(made)
}

fn refused<T>(what: &str, span: Span) -> Result<T, Refused> {
    let message = format!("template: `{what}` is not available in templates");
    Err(ParseError { message, code: "template-syntax", hint: None, offset: span.start_offset as usize })
}

fn stmt<'s>(one: &Stmt<'s>, made: &mut Vec<Stmt<'s>>) -> Result<(), Refused> {
    made.push(match one {
        Stmt::Template(inner) => return inner.children.iter().try_for_each(|child| stmt(child, made)),
        Stmt::EmitExpr(emit) => {
            // a value that is only displayed needs no check of its depth
            let shown = match &emit.expr {
                Expr::Call(inner) => Expr::Call(call(inner)),
                other => expr(other),
            };
            Stmt::EmitExpr(Spanned::new(ast::EmitExpr { expr: shown }, emit.span()))
        }
        Stmt::EmitRaw(raw) => Stmt::EmitRaw(Spanned::new(ast::EmitRaw { raw: raw.raw }, raw.span())),
        Stmt::ForLoop(each) => Stmt::ForLoop(Spanned::new(
            ast::ForLoop {
                target: target(&each.target, &mut Vec::new())?,
                iter: expr(&each.iter),
                filter_expr: each.filter_expr.as_ref().map(expr),
                recursive: each.recursive,
                body: body(&each.body)?,
                else_body: body(&each.else_body)?,
            },
            each.span(),
        )),
        Stmt::IfCond(branch) => Stmt::IfCond(Spanned::new(
            ast::IfCond {
                expr: expr(&branch.expr),
                true_body: body(&branch.true_body)?,
                false_body: body(&branch.false_body)?,
            },
            branch.span(),
        )),
        Stmt::WithBlock(with) => {
            let bound = with.assignments.iter();
            let assignments = bound
                .map(|(name, value)| Ok((target(name, &mut Vec::new())?, expr(value))))
                .collect::<Result<_, _>>()?;
            Stmt::WithBlock(Spanned::new(ast::WithBlock { assignments, body: body(&with.body)? }, with.span()))
        }
        Stmt::Set(set) => {
            let mut attributes = Vec::new();
            let name = target(&set.target, &mut attributes)?;
            made.push(Stmt::Set(Spanned::new(ast::Set { target: name, expr: expr(&set.expr) }, set.span())));
            made.extend(attributes);
            return Ok(());
        }
        Stmt::SetBlock(set) => {
            let mut attributes = Vec::new();
            let name = target(&set.target, &mut attributes)?;
            let (filter, body) = (set.filter.as_ref().map(expr), body(&set.body)?);
            made.push(Stmt::SetBlock(Spanned::new(ast::SetBlock { target: name, filter, body }, set.span())));
            made.extend(attributes);
            return Ok(());
        }
        Stmt::AutoEscape(escape) => Stmt::AutoEscape(Spanned::new(
            ast::AutoEscape { enabled: expr(&escape.enabled), body: body(&escape.body)? },
            escape.span(),
        )),
        Stmt::FilterBlock(block) => Stmt::FilterBlock(Spanned::new(
            ast::FilterBlock { filter: expr(&block.filter), filter_span: block.filter_span, body: body(&block.body)? },
            block.span(),
        )),
        Stmt::Macro(declared) => Stmt::Macro(macro_of(declared)?),
        Stmt::CallBlock(block) => Stmt::CallBlock(Spanned::new(
            ast::CallBlock {
                call: call(&block.call),
                call_expr_span: block.call_expr_span,
                macro_decl: macro_of(&block.macro_decl)?,
            },
            block.span(),
        )),
        Stmt::Continue(one) => Stmt::Continue(Spanned::new(ast::Continue, one.span())),
        Stmt::Break(one) => Stmt::Break(Spanned::new(ast::Break, one.span())),
        Stmt::Do(done) => Stmt::Do(Spanned::new(ast::Do { call: call(&done.call) }, done.span())),
        Stmt::Block(block) => return refused("block", block.span()),
        Stmt::Import(import) => return refused("import", import.span()),
        Stmt::FromImport(import) => return refused("from", import.span()),
        Stmt::Extends(extends) => return refused("extends", extends.span()),
        Stmt::Include(include) => return refused("include", include.span()),
    });
    Ok(())
}

fn macro_of<'s>(declared: &Spanned<ast::Macro<'s>>) -> Result<Spanned<ast::Macro<'s>>, Refused> {
    let args = declared.args.iter().map(|arg| target(arg, &mut Vec::new())).collect::<Result<_, _>>()?;
    let defaults = declared.defaults.iter().map(expr).collect();
    Ok(Spanned::new(ast::Macro { name: declared.name, args, defaults, body: body(&declared.body)? }, declared.span()))
}

/// The target of an assignment. An attribute (`ns.x`) becomes a temporary name, and a statement that sets it
/// afterwards.
fn target<'s>(one: &Expr<'s>, attributes: &mut Vec<Stmt<'s>>) -> Result<Expr<'s>, Refused> {
    Ok(match one {
        Expr::Var(var) => variable(var.id, var.span()),
        Expr::List(list) => {
            let items = list.items.iter().map(|item| target(item, attributes)).collect::<Result<_, _>>()?;
            Expr::List(Spanned::new(ast::List { items }, list.span()))
        }
        Expr::GetAttr(get) => {
            let Some(passing) = PASSING.get(attributes.len()) else {
                return refused("a `set` of more than 8 attributes", get.span());
            };
            let span = get.span();
            let name = Expr::Const(Spanned::new(ast::Const { value: get.name.into() }, span));
            let args = [base(&get.expr), name, variable(passing, span)].map(CallArg::Pos).into();
            let call = Spanned::new(ast::Call { expr: variable(ASSIGN, span), args }, span);
            attributes.push(Stmt::Do(Spanned::new(ast::Do { call }, span)));
            variable(passing, span)
        }
        other => return refused(other.description(), other.span()),
    })
}

fn variable(id: &str, span: Span) -> Expr<'_> {
    Expr::Var(Spanned::new(ast::Var { id }, span))
}

fn behind<'s>(guard: &'static str, inner: Expr<'s>) -> Expr<'s> {
    let span = inner.span();
    Expr::Filter(Spanned::new(ast::Filter { name: guard, expr: Some(inner), args: Vec::new() }, span))
}

/// An operand that will be walked, with its guard. A constant is small and needs none.
fn weighed<'s>(operand: &Expr<'s>) -> Expr<'s> {
    if operand.as_const().is_some() { expr(operand) } else { behind(WEIGHED, expr(operand)) }
}

/// True for a constant text or number. A comparison with it does not walk the other side.
fn is_scalar(operand: &Expr<'_>) -> bool {
    operand.as_const().is_some_and(|value| value.as_object().is_none())
}

/// True for a constant list of texts and numbers, or one of these.
fn are_scalars(operand: &Expr<'_>) -> bool {
    let flat = |value: minijinja::Value| {
        value.kind() == ValueKind::Seq && value.try_iter().is_ok_and(|mut all| all.all(|one| one.as_object().is_none()))
    };
    is_scalar(operand) || operand.as_const().is_some_and(flat)
}

/// An expression before a field, an item or a call. `loop` is permitted there.
fn base<'s>(one: &Expr<'s>) -> Expr<'s> {
    match one {
        Expr::Var(var) => variable(var.id, var.span()),
        other => expr(other),
    }
}

fn optional<'s>(one: &Option<Expr<'s>>) -> Option<Expr<'s>> {
    one.as_ref().map(expr)
}

fn expr<'s>(one: &Expr<'s>) -> Expr<'s> {
    let span = one.span();
    match one {
        Expr::Var(var) if var.id == "loop" => behind(HELD, variable(var.id, span)),
        Expr::Var(var) => variable(var.id, span),
        Expr::Const(constant) => Expr::Const(Spanned::new(ast::Const { value: constant.value.clone() }, span)),
        Expr::Slice(slice) => {
            let (start, stop, step) = (optional(&slice.start), optional(&slice.stop), optional(&slice.step));
            behind(MADE, Expr::Slice(Spanned::new(ast::Slice { expr: expr(&slice.expr), start, stop, step }, span)))
        }
        Expr::UnaryOp(op) => {
            #[allow(clippy::needless_match, reason = "the engine's operator is not Copy")]
            let kind = match op.op {
                ast::UnaryOpKind::Not => ast::UnaryOpKind::Not,
                ast::UnaryOpKind::Neg => ast::UnaryOpKind::Neg,
            };
            Expr::UnaryOp(Spanned::new(ast::UnaryOp { op: kind, expr: expr(&op.expr) }, span))
        }
        Expr::BinOp(op) => operator(op),
        Expr::Compare(compare) => {
            let ops = compare.ops.iter().map(|op| ast::CompareOp { op: op.op, expr: weighed(&op.expr) }).collect();
            Expr::Compare(Spanned::new(ast::Compare { expr: weighed(&compare.expr), ops }, span))
        }
        Expr::IfExpr(branch) => Expr::IfExpr(Spanned::new(
            ast::IfExpr {
                test_expr: expr(&branch.test_expr),
                true_expr: expr(&branch.true_expr),
                false_expr: optional(&branch.false_expr),
            },
            span,
        )),
        Expr::Filter(filter) => {
            let (inner, args) = (optional(&filter.expr), args(&filter.args));
            let made = Expr::Filter(Spanned::new(ast::Filter { name: filter.name, expr: inner, args }, span));
            if FLAT.contains(&filter.name) { made } else { behind(MADE, made) }
        }
        Expr::Test(test) => {
            let args = args(&test.args);
            Expr::Test(Spanned::new(ast::Test { name: test.name, expr: expr(&test.expr), args }, span))
        }
        Expr::GetAttr(get) => Expr::GetAttr(Spanned::new(ast::GetAttr { expr: base(&get.expr), name: get.name }, span)),
        Expr::GetItem(get) => {
            let subscript_expr = weighed(&get.subscript_expr);
            Expr::GetItem(Spanned::new(ast::GetItem { expr: base(&get.expr), subscript_expr }, span))
        }
        Expr::Call(inner) => behind(MADE, Expr::Call(call(inner))),
        Expr::List(list) => {
            let items = list.items.iter().map(expr).collect();
            literal(one, Expr::List(Spanned::new(ast::List { items }, span)))
        }
        Expr::Tuple(tuple) => {
            let items = tuple.items.iter().map(expr).collect();
            literal(one, Expr::Tuple(Spanned::new(ast::Tuple { items }, span)))
        }
        Expr::Map(map) => {
            let (keys, values) = (map.keys.iter().map(weighed).collect(), map.values.iter().map(expr).collect());
            literal(one, Expr::Map(Spanned::new(ast::Map { keys, values }, span)))
        }
    }
}

/// A list, tuple or map, with its guard. The depth of a constant is limited by the source.
fn literal<'s>(written: &Expr<'s>, rebuilt: Expr<'s>) -> Expr<'s> {
    if written.as_const().is_some() { rebuilt } else { behind(MADE, rebuilt) }
}

fn operator<'s>(op: &Spanned<ast::BinOp<'s>>) -> Expr<'s> {
    use BinOpKind::{Concat, Eq, Gt, Gte, In, Lt, Lte, Mul, Ne};
    let both = |left, right| Expr::BinOp(Spanned::new(ast::BinOp { op: op.op, left, right }, op.span()));
    let plain = || both(expr(&op.left), expr(&op.right));
    match op.op {
        Eq | Ne | Lt | Lte | Gt | Gte if is_scalar(&op.left) || is_scalar(&op.right) => plain(),
        In if is_scalar(&op.left) || are_scalars(&op.right) => plain(),
        Eq | Ne | Lt | Lte | Gt | Gte | In => both(weighed(&op.left), weighed(&op.right)),
        Concat => {
            let [left, right] = [&op.left, &op.right].map(|side| match is_scalar(side) {
                true => expr(side),
                false => behind(WRITTEN, expr(side)),
            });
            both(left, right)
        }
        Mul if op.left.as_const().is_some() && op.right.as_const().is_some() => behind(MADE, plain()),
        Mul if is_number(&op.left) && is_number(&op.right) => plain(),
        Mul => behind(MADE, plain()),
        _ => plain(),
    }
}

fn is_number(operand: &Expr<'_>) -> bool {
    operand.as_const().is_some_and(|value| value.is_number())
}

fn args<'s>(all: &[CallArg<'s>]) -> Vec<CallArg<'s>> {
    let arg = |arg: &CallArg<'s>| match arg {
        CallArg::Pos(value) => CallArg::Pos(expr(value)),
        CallArg::Kwarg(name, value) => CallArg::Kwarg(name, expr(value)),
        CallArg::PosSplat(value) => CallArg::PosSplat(expr(value)),
        CallArg::KwargSplat(value) => CallArg::KwargSplat(expr(value)),
    };
    all.iter().map(arg).collect()
}

fn call<'s>(one: &Spanned<ast::Call<'s>>) -> Spanned<ast::Call<'s>> {
    Spanned::new(ast::Call { expr: base(&one.expr), args: args(&one.args) }, one.span())
}
