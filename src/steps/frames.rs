//! `frames`: samples a video into moments. The media agent, which every run has, answers it.

use super::{decoding::number, found, misfit, replies};
use crate::{
    dialogue::{Data, Expr, NumberExpr, SPAN_USAGE, Span, TextExpr, written},
    exchange::{FramesRequest, Reply, Request, Sampling},
    plan::{Answered, Ask, Formula, Planned, Planning, Range, Step, StepError, Turn, Typing, Verb},
    prompt::Scope,
    value::{Type, Value},
};
use std::sync::Arc;

/// The role that samples videos. No cast names it.
const MEDIA: &str = "media";
/// The score of ffmpeg above which a new scene starts, if the step does not set it.
const SCENE: f64 = 0.3;
/// The setting that skips near-duplicates, with its range.
const DISTINCT: (&str, Range) = ("distinct", Range::PositiveShare);

written! { "`frames`",
    /// Moments of a video: one of `every` and `at`.
    pub struct Frames {
        /// The video, as a template.
        pub video: TextExpr,
        /// A duration (`2s`), or a template that gives one (`{{ n }}s`) or a number of seconds.
        #[schemars(with = "Option<crate::plan::range::Every>")]
        pub every: Option<Expr>,
        /// `keyframes`, `scenes`, or a list of times in seconds.
        #[schemars(with = "Option<crate::plan::range::When>")]
        pub at: Option<Expr>,
        /// For `scenes`: the score (0 to 1) above which a new scene starts; 0.3 if absent.
        #[schemars(with = "Option<crate::plan::range::Share>")]
        pub threshold: Option<NumberExpr>,
        /// Skip a frame that differs less than this from the last kept one, which then lasts on: 0.02 skips still pictures. The
        /// difference is that of the part, of 8 × 8 parts of the picture, that changed most: the mean change of its colours, 0 to 1.
        #[schemars(with = "Option<crate::plan::range::PositiveShare>")]
        pub distinct: Option<NumberExpr>,
    }
}

impl Verb for Frames {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let video = planning.expr(&self.video.0);
        Range::Share.check(self.threshold.as_ref(), "threshold", planning);
        let which = match (&self.every, &self.at) {
            (Some(every), None) => self.every(every, planning),
            (None, Some(at)) => self.at(at, planning),
            (None, None) => {
                let message = "found neither `every` nor `at` in `frames`, expected one".to_owned();
                planning.problem("missing-key", self.video.0.0.pos, message, Some("for example `every: 2s`".into()));
                None
            }
            (Some(_), Some(at)) => {
                let message = "found `at` beside `every`, expected one of them".to_owned();
                planning.problem("too-many", at.0.pos, message, None);
                None
            }
        };
        if let (Some(NumberExpr(at)), Some(Which::Times(_))) = (&self.distinct, &which) {
            let message =
                "found `distinct` beside given times, expected it beside `every`, keyframes or scenes".to_owned();
            planning.problem(
                "too-many",
                at.0.pos,
                message,
                Some("each given time becomes a moment; leave `distinct` out".into()),
            );
        }
        let distinct = number(&self.distinct, DISTINCT.0, DISTINCT.1, planning);
        Some(Arc::new(FramesStep { video: video?, which: which?, distinct: distinct? }))
    }
}

impl Frames {
    fn every(&self, every: &Expr, planning: &mut Planning<'_>) -> Option<Which> {
        if matches!(&every.0.data, Data::Text(text, _) if text.contains("{{")) {
            return planning.expr(every).map(Which::Every);
        }
        match Span::of(&every.0) {
            Ok(span) => Some(Which::Fixed(Sampling::Every(span.0.as_secs_f64()))),
            Err(why) => {
                let message = format!("found {} for `every`, expected {}", every.0.describe(), why.expected());
                planning.problem("bad-duration", every.0.pos, message, Some(SPAN_USAGE.to_owned()));
                None
            }
        }
    }

    fn at(&self, at: &Expr, planning: &mut Planning<'_>) -> Option<Which> {
        match &at.0.data {
            Data::Text(text, _) if text == "keyframes" => Some(Which::Fixed(Sampling::Keyframes)),
            Data::Text(text, _) if text == "scenes" => Some(match &self.threshold {
                Some(threshold) => Which::Scenes(planning.expr(&threshold.0)?),
                None => Which::Fixed(Sampling::Scenes(SCENE)),
            }),
            Data::List(_) => planning.expr(at).map(Which::Times),
            Data::Text(text, _) if text.contains("{{") => planning.expr(at).map(Which::Times),
            _ => {
                let message =
                    format!("found {} for `at`, expected keyframes, scenes or a list of times", at.0.describe());
                planning.problem("wrong-value", at.0.pos, message, None);
                None
            }
        }
    }
}

#[derive(Debug)]
struct FramesStep {
    video: Formula,
    which: Which,
    distinct: Option<Formula>,
}

#[derive(Debug)]
enum Which {
    Fixed(Sampling),
    Every(Formula),
    Scenes(Formula),
    Times(Formula),
}

impl Planned for FramesStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        (self.ty(typing), self)
    }
}

impl FramesStep {
    /// The type of its value.
    fn ty(&self, typing: &mut Typing<'_>) -> Type {
        typing.expect(&self.video, &[Type::Video], "`video`");
        if let Some(distinct) = &self.distinct {
            typing.expect_or_nothing(distinct, &[Type::Number], "`distinct`");
        }
        match &self.which {
            Which::Fixed(_) => Type::Any,
            Which::Every(formula) => typing.expect(formula, &[Type::Number, Type::Text], "`every`"),
            Which::Scenes(formula) => typing.expect(formula, &[Type::Number], "`threshold`"),
            Which::Times(formula) => typing.expect(formula, &[Type::Number.list()], "`at`"),
        };
        Type::Moment.list()
    }
}

impl FramesStep {
    /// The least difference of a frame; `None` also if the template gives nothing.
    fn distinct(&self, scope: &Scope) -> Result<Option<f64>, StepError> {
        let Some(formula) = &self.distinct else { return Ok(None) };
        match formula.eval(scope)? {
            Value::Nothing => Ok(None),
            Value::Number(number) if DISTINCT.1.holds(number) => Ok(Some(number)),
            other => {
                let (name, expected) = (DISTINCT.0, DISTINCT.1.expected());
                Err(StepError(format!("found {} for `{name}`, expected {expected}", crate::prompt::show(&other))))
            }
        }
    }

    fn sampling(&self, scope: &Scope) -> Result<Sampling, StepError> {
        let number = |value: &Value, what: &str| match value {
            Value::Number(number) if number.is_finite() && *number >= 0.0 => Ok(*number),
            other => Err(StepError(format!("found {} for `{what}`, expected seconds", crate::prompt::show(other)))),
        };
        Ok(match &self.which {
            Which::Fixed(sampling) => sampling.clone(),
            Which::Every(formula) => match formula.eval(scope)? {
                Value::Text(text) => match Span::parse(text.trim()) {
                    Ok(span) => Sampling::Every(span.0.as_secs_f64()),
                    Err(why) => {
                        let expected = why.expected();
                        let message = format!("found text `{text}` for `every`, expected {expected}; {SPAN_USAGE}");
                        return Err(StepError(message));
                    }
                },
                value => match number(&value, "every")? {
                    0.0 => return Err(StepError("found 0 for `every`, expected more than 0".into())),
                    seconds => Sampling::Every(seconds),
                },
            },
            Which::Scenes(formula) => Sampling::Scenes(number(&formula.eval(scope)?, "threshold")?),
            Which::Times(formula) => match formula.eval(scope)? {
                Value::List(times) => {
                    Sampling::Times(times.iter().map(|time| number(time, "at")).collect::<Result<_, _>>()?)
                }
                other => return Err(StepError(format!("found {} for `at`, expected a list of times", found(&other)))),
            },
        })
    }
}

impl Step for FramesStep {
    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        if let Some(replies) = replies(answered) {
            let [Reply::Frames(moments)] = replies else { return Err(misfit("frames")) };
            return Ok(Turn::Done(Value::List(moments.iter().cloned().map(Value::Moment).collect())));
        }
        let video = match self.video.eval(scope)? {
            Value::Video(video) => video,
            other => return Err(StepError(format!("found {} for `video`, expected a video", found(&other)))),
        };
        let (sampling, distinct) = (self.sampling(scope)?, self.distinct(scope)?);
        let request = Request::Frames(FramesRequest { video, sampling, distinct });
        Ok(Turn::Ask(vec![Ask { role: MEDIA.into(), request, sample: 0 }]))
    }
}
