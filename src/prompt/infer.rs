//! Infers the type of a template's value as far as it is known before the run, and finds attributes that cannot exist.

use super::{
    convert::{IMAGE_ATTRIBUTES, MEDIA_ATTRIBUTES, MOMENT_ATTRIBUTES, SCORED_ATTRIBUTES},
    filter_list,
    locals::Locals,
};
use crate::{problem::closest, value::Type};
use minijinja::{
    machinery::{Span, ast, ast::Expr, ast::Stmt, parse},
    value::ValueKind,
};
use std::sync::Arc;

/// The types of the names that a template can use.
pub trait NameTypes {
    /// The type of `name`; `None` if the name is unknown (reported elsewhere).
    fn ty(&self, name: &str) -> Option<Type>;
}

/// A mistake found while a template is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A stable word for the kind of mistake.
    pub code: &'static str,
    /// The finding and the expectation.
    pub message: String,
    /// The remedy.
    pub hint: Option<String>,
    /// The position, in bytes from the start of the template.
    pub offset: usize,
}

/// The type of a template; `whole` if it is a single expression.
pub(super) fn template(source: &str, whole: bool, known: &dyn NameTypes, findings: &mut Vec<Finding>) -> Type {
    let Ok(Stmt::Template(tree)) = parse(source, "template", Default::default()) else { return Type::Text };
    let mut typing = Typing { known, local: Locals::new(), findings };
    let mut last = Type::Text;
    for stmt in &tree.children {
        match (whole, stmt) {
            (true, Stmt::EmitExpr(emit)) => last = typing.expr(&emit.expr),
            _ => typing.stmt(stmt),
        }
    }
    last
}

struct Typing<'a> {
    known: &'a dyn NameTypes,
    /// The names bound inside the template.
    local: Locals<Type>,
    findings: &'a mut Vec<Finding>,
}

/// The type of the items of a value of this type.
pub(super) fn element(list: &Type) -> Type {
    match list.required() {
        Type::List(item) => (**item).clone(),
        Type::Vector => Type::Number,
        _ => Type::Any,
    }
}

pub(super) fn list_of(item: Type) -> Type {
    Type::List(Box::new(item))
}

/// The common type: `any` if the two differ.
fn join(a: Type, b: Type) -> Type {
    if a == b { a } else { Type::Any }
}

/// The common type of two values if an operator chooses between them, so that a value that is nothing is not chosen.
fn either(a: &Type, b: &Type) -> Type {
    join(a.required().clone(), b.required().clone())
}

impl Typing<'_> {
    fn stmt(&mut self, stmt: &Stmt<'_>) {
        match stmt {
            Stmt::EmitExpr(emit) => {
                self.expr(&emit.expr);
            }
            Stmt::ForLoop(each) => {
                let item = element(&self.expr(&each.iter));
                let depth = self.local.len();
                self.bind(&each.target, item);
                self.local.push("loop", Type::Any);
                each.filter_expr.iter().for_each(|filter| drop(self.expr(filter)));
                each.body.iter().for_each(|stmt| self.stmt(stmt));
                self.local.truncate(depth);
                each.else_body.iter().for_each(|stmt| self.stmt(stmt));
            }
            Stmt::IfCond(branch) => {
                self.expr(&branch.expr);
                branch.true_body.iter().chain(&branch.false_body).for_each(|stmt| self.stmt(stmt));
            }
            Stmt::Set(set) => {
                let ty = self.expr(&set.expr);
                self.bind(&set.target, ty);
            }
            // names bound by other statements have an unknown type and are not checked
            _ => {}
        }
    }

    fn bind(&mut self, target: &Expr<'_>, ty: Type) {
        match target {
            // filters nest types too (`| runs`), possibly many times
            Expr::Var(var) => self.local.push(var.id, ty.required().clone().bounded()),
            Expr::List(list) => list.items.iter().for_each(|item| self.bind(item, Type::Any)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.bind(item, Type::Any)),
            _ => {}
        }
    }

    fn name(&self, name: &str) -> Type {
        self.local.get(name).cloned().or_else(|| self.known.ty(name)).unwrap_or(Type::Any)
    }

    fn expr(&mut self, expr: &Expr<'_>) -> Type {
        match expr {
            Expr::Var(var) => self.name(var.id),
            Expr::Const(constant) => match constant.value.kind() {
                ValueKind::Bool => Type::Truth,
                ValueKind::Number => Type::Number,
                ValueKind::String => Type::Text,
                ValueKind::Seq => list_of(Type::Any),
                _ => Type::Any,
            },
            Expr::Slice(slice) => self.expr(&slice.expr).required().clone(),
            Expr::UnaryOp(op) => {
                self.expr(&op.expr);
                if matches!(op.op, ast::UnaryOpKind::Not) { Type::Truth } else { Type::Number }
            }
            Expr::BinOp(op) => self.operation(op),
            Expr::Compare(compare) => {
                self.expr(&compare.expr);
                compare.ops.iter().for_each(|op| drop(self.expr(&op.expr)));
                Type::Truth
            }
            Expr::IfExpr(branch) => {
                self.expr(&branch.test_expr);
                let yes = self.expr(&branch.true_expr);
                let no = branch.false_expr.as_ref().map_or(Type::Any, |other| self.expr(other));
                either(&yes, &no)
            }
            Expr::Filter(filter) => self.filter(filter, filter.span()),
            Expr::Test(test) => {
                // `x.y is defined` asks whether the attribute exists, so nothing inside is a mistake
                let _ = test;
                Type::Truth
            }
            Expr::GetAttr(get) => {
                let of = self.expr(&get.expr);
                self.attribute(&of, get.name, get.span())
            }
            Expr::GetItem(get) => {
                let of = self.expr(&get.expr);
                self.expr(&get.subscript_expr);
                match &get.subscript_expr {
                    Expr::Const(key) if key.value.as_str().is_some() => {
                        self.attribute(&of, key.value.as_str().unwrap_or_default(), get.span())
                    }
                    _ => element(&of),
                }
            }
            Expr::Call(call) => match &call.expr {
                Expr::Var(var) if var.id == "range" => list_of(Type::Number),
                _ => Type::Any,
            },
            Expr::List(list) => self.list(&list.items),
            Expr::Tuple(tuple) => self.list(&tuple.items),
            Expr::Map(map) => {
                let key = |key: &Expr| match key {
                    Expr::Const(key) => key.value.as_str().map(str::to_owned),
                    _ => None,
                };
                let keys: Option<Vec<String>> = map.keys.iter().map(key).collect();
                let types: Vec<Type> = map.values.iter().map(|value| self.expr(value)).collect();
                Type::record(keys.into_iter().flatten().zip(types)).bounded()
            }
        }
    }

    fn list(&mut self, items: &[Expr<'_>]) -> Type {
        let types: Vec<Type> = items.iter().map(|item| self.expr(item)).collect();
        list_of(types.into_iter().reduce(join).unwrap_or(Type::Any)).bounded()
    }

    fn operation(&mut self, op: &ast::BinOp<'_>) -> Type {
        use ast::BinOpKind::*;
        let (left, right) = (self.expr(&op.left), self.expr(&op.right));
        match op.op {
            Eq | Ne | Lt | Lte | Gt | Gte | In => Type::Truth,
            Sub | Div | FloorDiv | Rem | Pow => Type::Number,
            Concat => Type::Text,
            // `previous.x or y` is nothing if `y` is
            ScOr if matches!(right, Type::Optional(_)) => either(&left, &right).or_nothing(),
            ScAnd | ScOr | Add => either(&left, &right),
            Mul => left.required().clone(),
        }
    }

    /// The fields of a value of this type, if they are known.
    fn fields(of: &Type) -> Option<Arc<[(String, Type)]>> {
        let media = |name: &str| match name {
            "path" => Type::Text,
            "audio" => Type::Audio,
            "has_audio" | "has_video" => Type::Truth,
            _ => Type::Number,
        };
        let moment = |name: &str| match name {
            "text" | "clock" => Type::Text,
            "video" => Type::Video,
            _ => Type::Number,
        };
        let scored = |name: &str| if name == "text" { Type::Text } else { Type::Number };
        let table = |names: &[&str], ty: &dyn Fn(&str) -> Type| {
            Some(names.iter().map(|name| ((*name).to_owned(), ty(name))).collect())
        };
        match of {
            Type::Video | Type::Audio => table(MEDIA_ATTRIBUTES, &media),
            Type::Image => table(IMAGE_ATTRIBUTES, &|_| Type::Text),
            Type::Moment => table(MOMENT_ATTRIBUTES, &moment),
            Type::Scored => table(SCORED_ATTRIBUTES, &scored),
            Type::Record(fields) if !fields.is_empty() => Some(fields.clone()),
            Type::Text | Type::Number | Type::Truth | Type::List(_) | Type::Vector => Some(Arc::default()),
            Type::Any | Type::Record(_) | Type::Optional(_) => None,
        }
    }

    fn attribute(&mut self, of: &Type, name: &str, span: Span) -> Type {
        if let Type::Optional(of) = of {
            return self.attribute(of, name, span).or_nothing();
        }
        let Some(fields) = Self::fields(of) else { return Type::Any };
        if let Some((_, ty)) = fields.iter().find(|(field, _)| field == name) {
            return ty.clone();
        }
        let hint = match of {
            Type::List(_) => Some("take one of its items, or `| map(attribute='…')`".to_owned()),
            _ => closest(name, fields.iter().map(|(field, _)| field.as_str())),
        };
        let message = format!("found `.{name}` of a value of type {of}, which lacks this field");
        if self.findings.len() >= crate::problem::MAX_PROBLEMS {
            return Type::Any;
        }
        self.findings.push(Finding { code: "unknown-field", message, hint, offset: span.start_offset as usize });
        Type::Any
    }

    fn filter(&mut self, filter: &ast::Filter<'_>, span: Span) -> Type {
        let of = filter.expr.as_ref().map_or(Type::Any, |expr| self.expr(expr).required().clone());
        for arg in &filter.args {
            if let ast::CallArg::Pos(expr) | ast::CallArg::Kwarg(_, expr) = arg {
                self.expr(expr);
            }
        }
        match filter.name {
            "map" => self.mapped(&of, filter, span),
            name => filter_list::yielded(name, &of),
        }
    }

    /// The type of `map(attribute='x')` and `map('filter')`.
    fn mapped(&mut self, of: &Type, filter: &ast::Filter<'_>, span: Span) -> Type {
        let text = |expr: &Expr| match expr {
            Expr::Const(value) => value.value.as_str().map(str::to_owned),
            _ => None,
        };
        match filter.args.first() {
            Some(ast::CallArg::Kwarg("attribute", expr)) => match text(expr) {
                Some(path) if !path.contains('.') => {
                    let item = element(of);
                    list_of(self.attribute(&item, &path, span))
                }
                _ => list_of(Type::Any),
            },
            Some(ast::CallArg::Pos(expr)) => {
                list_of(text(expr).map_or(Type::Any, |name| filter_list::yielded(&name, &element(of))))
            }
            _ => list_of(Type::Any),
        }
    }
}
