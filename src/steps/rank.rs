//! `rank`: a contrastive agent scores candidates (labels) against an image, a sound or a text.

use super::{found, misfit, readable, replies, whole};
use crate::{
    dialogue::{At, Data, Expr, Node, NumberExpr, Reading, TextExpr, Written, written},
    exchange::{FloorUse, Item, Kind, LabelList, RankRequest, Reply, Request},
    plan::{Answered, Ask, AskedRole, Formula, Inside, Planned, Planning, Range, Step, StepError, Turn, Typing, Verb},
    prompt::Scope,
    value::{Moment, Scored, Type, Value},
};
use indexmap::IndexSet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, sync::Arc};

written! { "`rank`",
    /// Scores candidates (labels) against an image, a sound or a text. The value is the list of candidates, most likely
    /// first.
    pub struct Rank {
        /// The role that scores.
        pub agent: At<String>,
        /// An image, a moment (its frame), a sound or a text.
        pub what: TextExpr,
        /// The candidates: a label role that the cast binds to a label list (`places`), a label list
        /// (`vocab/rooms`), a list, or a template that gives a list. Without this key, the agent's own labels are the
        /// candidates; an image classifier has some.
        pub among: Option<Expr>,
        /// The text that the agent compares for each candidate: `a photo of a {}`.
        pub r#as: Option<TextExpr>,
        /// Keep this many candidates.
        #[schemars(with = "Option<crate::plan::range::WholeFrom1>")]
        pub top: Option<NumberExpr>,
        /// Keep candidates with at least this probability.
        #[schemars(with = "Option<crate::plan::range::Share>")]
        pub min: Option<NumberExpr>,
        /// Of the candidates that `top` and `min` keep, drop each whose score does not exceed its floor: its score
        /// against background pictures without a subject. The agent needs background vectors (`elenchus calibrate`).
        /// With `optional`, an agent without them keeps all candidates.
        pub floor: Option<FloorUse>,
    }
}

impl Verb for Rank {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let role = planning.role(&self.agent, Kind::Rank);
        let what = planning.expr(&self.what.0);
        let among = self.among.as_ref().map(|written| among(written, role.as_ref(), planning));
        let mut optional = |expr: Option<&Expr>| expr.map(|expr| planning.expr(expr));
        let wording = optional(self.r#as.as_ref().map(|wording| &wording.0));
        let top = optional(self.top.as_ref().map(|top| &top.0));
        let min = optional(self.min.as_ref().map(|min| &min.0));
        if let Some(wording) = &self.r#as {
            check_wording(&wording.0, planning);
        }
        if let (Some(wording), None) = (&self.r#as, &self.among) {
            let message = "found `as` without `among`, expected the candidates that it words".to_owned();
            let hint = Some("an agent's own labels are not worded: drop `as`, or add `among`".to_owned());
            planning.problem("missing-key", wording.0.0.pos, message, hint);
        }
        Range::WholeFrom(1).check(self.top.as_ref(), "top", planning);
        Range::Share.check(self.min.as_ref(), "min", planning);
        let (what, role) = (what?, role?);
        if self.among.is_none() {
            planning.wants_own_labels(&role.role);
        }
        let floor = self.floor.unwrap_or_default();
        if floor == FloorUse::Required {
            planning.wants_floor(&role.role);
        }
        let (wording, top, min) = (readable(wording)?, readable(top)?, readable(min)?);
        Some(Arc::new(RankStep { role, what, among: readable(among)?, wording, top, min, floor }))
    }
}

impl Written for FloorUse {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match &node.data {
            Data::Bool(false) => Some(FloorUse::Unused),
            Data::Bool(true) => Some(FloorUse::Required),
            Data::Text(text, _) if text == "optional" => Some(FloorUse::Optional),
            _ => reading.wrong(node, "`true`, `false` or `optional`"),
        }
    }
}

impl JsonSchema for FloorUse {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "FloorUse".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": [true, false, "optional"] })
    }
}

/// Reports a wording without a place for the candidate: it would give the same text for each.
pub(super) fn check_wording(wording: &Expr, planning: &mut Planning<'_>) {
    let Data::Text(text, _) = &wording.0.data else { return };
    if !text.contains("{}") && !text.contains("{{") {
        let message = format!("found `{text}` for `as`, expected `{{}}` where the candidate goes");
        planning.problem("wrong-value", wording.0.pos, message, Some("for example `a photo of a {}`".into()));
    }
}

/// Reads candidates: a label role of the cast, the name of a label list, or any value that gives a list of texts. `role`
/// reads them.
pub(super) fn among(expr: &Expr, role: Option<&AskedRole>, planning: &mut Planning<'_>) -> Option<Among> {
    match &expr.0.data {
        Data::Text(name, _) if !name.contains("{{") => {
            let name = At { value: name.clone(), pos: expr.0.pos };
            planning.labels(&name, role).map(|labels| Among::Labels(labels.into()))
        }
        _ => planning.expr(expr).map(Among::Formula),
    }
}

/// The candidates as the agent reads them.
pub(super) fn worded(among: &LabelList, wording: Option<&Formula>, scope: &Scope) -> Result<LabelList, StepError> {
    let Some(wording) = wording else { return Ok(among.clone()) };
    let wording = wording.text(scope)?;
    match wording.contains("{}") {
        true => Ok(among.worded(&wording)),
        false => Err(StepError(format!("found `{wording}` for `as`, expected a text with {{}} for the candidate"))),
    }
}

/// The source of candidates.
#[derive(Debug)]
pub(super) enum Among {
    Labels(LabelList),
    Formula(Formula),
}

impl Among {
    pub(super) fn ty(&self, what: &str, typing: &mut Typing<'_>) {
        if let Among::Formula(formula) = self {
            typing.expect(formula, &[Type::Text.list()], what);
        }
    }

    pub(super) fn labels(&self, scope: &Scope, what: &str) -> Result<LabelList, StepError> {
        let value = match self {
            Among::Labels(labels) => return Ok(labels.clone()),
            Among::Formula(formula) => formula.eval(scope)?,
        };
        let Value::List(items) = value else {
            return Err(StepError(format!("found {} for `{what}`, expected a list of texts", found(&value))));
        };
        let mut labels: IndexSet<String> = IndexSet::new();
        for item in items {
            // a repeated candidate would split its probability
            labels.insert(crate::prompt::show(&item));
        }
        Ok(labels.into_iter().collect())
    }
}

#[derive(Debug)]
struct RankStep {
    role: AskedRole,
    what: Formula,
    /// `None`: the agent's own labels.
    among: Option<Among>,
    wording: Option<Formula>,
    top: Option<Formula>,
    min: Option<Formula>,
    floor: FloorUse,
}

impl Planned for RankStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        (self.ty(typing), self)
    }
}

impl RankStep {
    /// The type of its value.
    fn ty(&self, typing: &mut Typing<'_>) -> Type {
        let found = typing.expect(&self.what, &[Type::Image, Type::Audio, Type::Text], "`what`");
        typing.content(&self.role, &self.what, &found);
        self.among.iter().for_each(|among| among.ty("`among`", typing));
        self.wording.iter().for_each(|wording| drop(typing.expect(wording, &[Type::Text], "`as`")));
        self.top.iter().for_each(|top| drop(typing.expect(top, &[Type::Number], "`top`")));
        self.min.iter().for_each(|min| drop(typing.expect(min, &[Type::Number], "`min`")));
        Type::Scored.list()
    }
}

/// The content of a request that an agent looks at, listens to or reads.
pub(super) fn item(value: Value, what: &str, role: &AskedRole) -> Result<Item, StepError> {
    Ok(match value {
        Value::Text(text) => Item::Text(text),
        Value::Number(_) | Value::Truth(_) | Value::Scored(_) => Item::Text(crate::prompt::show(&value)),
        Value::Image(image) => Item::Image(image),
        Value::Moment(moment) if moment.media.has_video && !role.only_listens() => Item::Frame(moment),
        Value::Moment(moment) => Item::Sound(moment),
        Value::Audio(media) => {
            let (start, end) = (media.start, media.end);
            Item::Sound(Moment { media, start, end, text: None })
        }
        other => {
            let expected = "an image, a moment, a sound or a text";
            return Err(StepError(format!("found {} for `{what}`, expected {expected}", found(&other))));
        }
    })
}

impl Step for RankStep {
    fn inside(&self) -> Inside {
        Inside::Asks(self.role.role.clone())
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        if let Some(replies) = replies(answered) {
            let [Reply::Rank(scored)] = replies else { return Err(misfit("rank")) };
            return Ok(Turn::Done(self.kept(scored, scope)?));
        }
        let among = match &self.among {
            Some(among) => among.labels(scope, "among")?,
            None => LabelList::default(),
        };
        // a list without candidates must not become a request for the agent's own labels
        if among.is_empty() && self.among.is_some() {
            return Ok(Turn::Done(Value::List(Vec::new())));
        }
        let texts = worded(&among, self.wording.as_ref(), scope)?;
        let what = item(self.what.eval(scope)?, "what", &self.role)?;
        let request = Request::Rank(RankRequest { what, among, texts, floor: self.floor });
        Ok(Turn::Ask(vec![Ask { role: self.role.role.clone(), request, sample: 0 }]))
    }
}

impl RankStep {
    /// Sorts the candidates, most likely first (ties in the order of the candidates), and applies `min`, `top` and the
    /// floors.
    fn kept(&self, scored: &[Scored], scope: &Scope) -> Result<Value, StepError> {
        let mut scored: Vec<&Scored> = scored.iter().collect();
        scored.sort_by(|a, b| b.score.total_cmp(&a.score));
        if let Some(min) = &self.min {
            match min.eval(scope)? {
                Value::Number(min) => scored.retain(|candidate| f64::from(candidate.probability) >= min),
                other => return Err(StepError(format!("found {} for `min`, expected a number", found(&other)))),
            }
        }
        if let Some(top) = &self.top {
            scored.truncate(whole(&top.eval(scope)?, "top")?);
        }
        // Floors come last: a less likely candidate must not take the place of a dropped one.
        if !self.floor.is_unused() {
            scored.retain(|candidate| candidate.is_above_floor());
        }
        Ok(Value::List(scored.into_iter().cloned().map(Value::Scored).collect()))
    }
}
