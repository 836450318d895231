//! `hear`: turns speech into text with times.

use super::{found, misfit, replies};
use crate::{
    dialogue::{At, TextExpr, written},
    exchange::{Decoding, HearRequest, Kind, Reply, Request},
    plan::{Answered, Ask, Formula, Inside, Planned, Planning, Step, StepError, Turn, Typing, Verb},
    prompt::Scope,
    value::{Media, Moment, Time, Type, Value},
};
use std::sync::Arc;

written! { "`hear`",
    /// Speech to text with times. The value is a list of moments with text.
    pub struct Hear {
        /// The role that listens.
        pub agent: At<String>,
        /// A sound, a video (its sound) or a moment (its stretch of sound). Nothing gives an empty list.
        pub audio: TextExpr,
        /// ISO 639-1 code (`en`); detected if absent.
        pub language: Option<TextExpr>,
        /// False gives one segment for each window of the model, without times inside it.
        pub timestamps: Option<bool>,
    }
}

impl Verb for Hear {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let role = planning.role(&self.agent, Kind::Hear);
        let audio = planning.expr(&self.audio.0);
        let language = match &self.language {
            Some(language) => Some(planning.expr(&language.0)?),
            None => None,
        };
        let timestamps = self.timestamps.unwrap_or(true);
        Some(Arc::new(HearStep { role: role?.role, audio: audio?, language, timestamps }))
    }
}

#[derive(Debug)]
struct HearStep {
    role: String,
    audio: Formula,
    language: Option<Formula>,
    timestamps: bool,
}

impl Planned for HearStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        (self.ty(typing), self)
    }
}

impl HearStep {
    /// The type of its value.
    fn ty(&self, typing: &mut Typing<'_>) -> Type {
        typing.expect_or_nothing(&self.audio, &[Type::Audio], "`audio`");
        if let Some(language) = &self.language {
            typing.expect_or_nothing(language, &[Type::Text], "`language`");
        }
        Type::Moment.list()
    }
}

/// The medium, and the start and end of the stretch; `None` without sound.
type Stretch = Option<(Arc<Media>, Option<Time>, Option<Time>)>;

impl HearStep {
    fn stretch(&self, scope: &Scope) -> Result<Stretch, StepError> {
        Ok(match self.audio.eval(scope)? {
            Value::Nothing => None,
            Value::Audio(media) | Value::Video(media) => Some((media, None, None)),
            Value::Moment(moment) => Some((moment.media, Some(moment.start), Some(moment.end))),
            other => return Err(StepError(format!("found {} for `audio`, expected a sound", found(&other)))),
        }
        .filter(|(media, ..)| media.has_audio))
    }
}

impl Step for HearStep {
    fn inside(&self) -> Inside {
        Inside::Asks(self.role.clone())
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        let Some((audio, start, end)) = self.stretch(scope)? else { return Ok(Turn::Done(Value::List(Vec::new()))) };
        if let Some(replies) = replies(answered) {
            let [Reply::Hear(pieces)] = replies else { return Err(misfit("hear")) };
            let moment = |piece: &crate::exchange::Speech| {
                let text = Some(piece.text.clone());
                Value::Moment(Moment { media: audio.clone(), start: piece.start, end: piece.end, text })
            };
            return Ok(Turn::Done(Value::List(pieces.iter().map(moment).collect())));
        }
        let language = self.language.as_ref().map(|language| language.text(scope)).transpose()?;
        // an empty text means "detect it", for templates
        let language = language.filter(|language| !language.is_empty());
        let (timestamps, decoding) = (self.timestamps, Decoding::default());
        let request = Request::Hear(HearRequest { audio, start, end, language, timestamps, decoding });
        Ok(Turn::Ask(vec![Ask { role: self.role.clone(), request, sample: 0 }]))
    }
}
