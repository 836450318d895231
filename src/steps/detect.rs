//! `detect`: a detector finds boxes for words in a picture.

use super::{
    found, misfit,
    rank::{Among, among, check_wording, item, worded},
    readable, replies, whole,
};
use crate::{
    dialogue::{At, Expr, NumberExpr, TextExpr, written},
    exchange::{DetectRequest, Detection, Kind, MAX_OVERLAP, MIN_SCORE, Reply, Request},
    plan::{Answered, Ask, AskedRole, Formula, Inside, Planned, Planning, Range, Step, StepError, Turn, Typing, Verb},
    prompt::Scope,
    value::{Type, Value},
};
use std::sync::Arc;

written! { "`detect`",
    /// A detector finds boxes for words in a picture. The value is a list of records, best first: `label`, `score` (0 to 1), and `box`, which
    /// is left, top, right and bottom in pixels of the upright picture.
    pub struct Detect {
        /// The role that detects.
        pub agent: At<String>,
        /// An image, or a moment (its frame).
        pub what: Expr,
        /// The words to find: a label role that the cast binds to a label list (`things`), a label list
        /// (`vocab/tools`), a list, or a template that gives a list.
        pub among: Expr,
        /// The text that the agent reads for each word: `a photo of a {}`.
        pub r#as: Option<TextExpr>,
        /// Keep boxes with a score above this. 0.1 if absent.
        #[schemars(with = "Option<crate::plan::range::Share>")]
        pub min: Option<NumberExpr>,
        /// Of two boxes for one word whose overlap (intersection over union) is above this, keep the better one. 0.5 if absent.
        #[schemars(with = "Option<crate::plan::range::Share>")]
        pub overlap: Option<NumberExpr>,
        /// Keep this many boxes.
        #[schemars(with = "Option<crate::plan::range::WholeFrom1>")]
        pub top: Option<NumberExpr>,
    }
}

impl Verb for Detect {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let role = planning.role(&self.agent, Kind::Detect);
        let what = planning.name_or_template(&self.what);
        let among = among(&self.among, role.as_ref(), planning);
        let mut optional = |expr: Option<&Expr>| expr.map(|expr| planning.expr(expr));
        let wording = optional(self.r#as.as_ref().map(|wording| &wording.0));
        let min = optional(self.min.as_ref().map(|min| &min.0));
        let overlap = optional(self.overlap.as_ref().map(|overlap| &overlap.0));
        let top = optional(self.top.as_ref().map(|top| &top.0));
        if let Some(wording) = &self.r#as {
            check_wording(&wording.0, planning);
        }
        Range::Share.check(self.min.as_ref(), "min", planning);
        Range::Share.check(self.overlap.as_ref(), "overlap", planning);
        Range::WholeFrom(1).check(self.top.as_ref(), "top", planning);
        let (wording, min) = (readable(wording)?, readable(min)?);
        let (overlap, top) = (readable(overlap)?, readable(top)?);
        Some(Arc::new(DetectStep { role: role?, what: what?, among: among?, wording, min, overlap, top }))
    }
}

#[derive(Debug)]
struct DetectStep {
    role: AskedRole,
    what: Formula,
    among: Among,
    wording: Option<Formula>,
    min: Option<Formula>,
    overlap: Option<Formula>,
    top: Option<Formula>,
}

impl Planned for DetectStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        let found = typing.expect(&self.what, &[Type::Image], "`what`");
        typing.content(&self.role, &self.what, &found);
        self.among.ty("`among`", typing);
        self.wording.iter().for_each(|wording| drop(typing.expect(wording, &[Type::Text], "`as`")));
        for (number, key) in [(&self.min, "`min`"), (&self.overlap, "`overlap`"), (&self.top, "`top`")] {
            number.iter().for_each(|number| drop(typing.expect(number, &[Type::Number], key)));
        }
        let fields = [("label", Type::Text), ("score", Type::Number), ("box", Type::Number.list())];
        (Type::record(fields.map(|(name, ty)| (name.to_owned(), ty))).list(), self)
    }
}

/// A number from 0 to 1.
fn share(formula: Option<&Formula>, key: &str, default: f32, scope: &Scope) -> Result<f32, StepError> {
    let Some(formula) = formula else { return Ok(default) };
    match formula.eval(scope)? {
        Value::Number(number) if (0.0..=1.0).contains(&number) => Ok(number as f32),
        other => {
            Err(StepError(format!("found {} for `{key}`, expected a number from 0 to 1", crate::prompt::show(&other))))
        }
    }
}

fn record(Detection { label, score, area }: &Detection) -> Value {
    let sides = area.iter().map(|side| Value::Number(f64::from(*side))).collect();
    let fields = [
        ("label", Value::Text(label.clone())),
        ("score", Value::Number(f64::from(*score))),
        ("box", Value::List(sides)),
    ];
    Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

impl Step for DetectStep {
    fn inside(&self) -> Inside {
        Inside::Asks(self.role.role.clone())
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        if let Some(replies) = replies(answered) {
            let [Reply::Detect(boxes)] = replies else { return Err(misfit("detect")) };
            let most = self.top.as_ref().map(|top| whole(&top.eval(scope)?, "top")).transpose()?;
            let kept = boxes.iter().take(most.unwrap_or(usize::MAX));
            return Ok(Turn::Done(Value::List(kept.map(record).collect())));
        }
        let among = self.among.labels(scope, "among")?;
        if among.is_empty() {
            return Ok(Turn::Done(Value::List(Vec::new())));
        }
        let texts = worded(&among, self.wording.as_ref(), scope)?;
        let what = match self.what.eval(scope)? {
            picture @ (Value::Image(_) | Value::Moment(_)) => item(picture, "what", &self.role)?,
            other => return Err(StepError(format!("found {} for `what`, expected a picture", found(&other)))),
        };
        let min = share(self.min.as_ref(), "min", MIN_SCORE, scope)?;
        let overlap = share(self.overlap.as_ref(), "overlap", MAX_OVERLAP, scope)?;
        let request = Request::Detect(DetectRequest { what, among, texts, min, overlap });
        Ok(Turn::Ask(vec![Ask { role: self.role.role.clone(), request, sample: 0 }]))
    }
}
