//! `hear`: turns speech into text with times.

use super::{found, misfit, replies};
use crate::{
    dialogue::{At, TextExpr, written},
    exchange::{Decoding, HearRequest, Kind, Reply, Request, Speech},
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
        /// True gives one moment for each word.
        pub words: Option<bool>,
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
        let words = self.words.unwrap_or(false);
        Some(Arc::new(HearStep { role: role?.role, audio: audio?, language, timestamps, words }))
    }
}

#[derive(Debug)]
struct HearStep {
    role: String,
    audio: Formula,
    language: Option<Formula>,
    timestamps: bool,
    words: bool,
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
            let moment = |start: Time, end: Time, text: &str| {
                Value::Moment(Moment { media: audio.clone(), start, end, text: Some(text.to_owned()) })
            };
            let of = |piece: &Speech| match self.words {
                true => piece.words.iter().map(|word| moment(word.start, word.end, &word.text)).collect(),
                false => vec![moment(piece.start, piece.end, &piece.text)],
            };
            return Ok(Turn::Done(Value::List(pieces.iter().flat_map(of).collect())));
        }
        let language = self.language.as_ref().map(|language| language.text(scope)).transpose()?;
        // an empty text means "detect it", for templates
        let language = language.filter(|language| !language.is_empty());
        let (timestamps, words, decoding) = (self.timestamps, self.words, Decoding::default());
        let request = Request::Hear(HearRequest { audio, start, end, language, timestamps, words, decoding });
        Ok(Turn::Ask(vec![Ask { role: self.role.clone(), request, sample: 0 }]))
    }
}
