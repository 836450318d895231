//! `look`: a generative vision agent answers a prompt about one or several pictures.

use super::{
    decoding::{DecodingFormulas, DecodingKeys},
    misfit,
    prompted::{PromptKeys, PromptOf, Prompted},
    rank::item,
    replies,
};
use crate::{
    dialogue::{At, Expr, written},
    exchange::{Kind, LookRequest, Reply, Request},
    plan::{Answered, Ask, AskedRole, Formula, Inside, Planned, Planning, Step, StepError, Turn, Typing, Verb},
    prompt::Scope,
    value::{Type, Value},
};
use std::sync::Arc;

written! { "`look`",
    /// A vision agent answers a prompt about pictures. The value is its text. One of `prompt` and `text`.
    pub struct Look {
        /// The role that looks.
        pub agent: At<String>,
        /// An image, a moment (its frame), or a list of them. The agent sees them in this order.
        pub what: Expr,
        /// True: the pictures are frames of one video, in order of time. A model that reads videos (Qwen3-VL) sees pairs of frames with
        /// their times, and so what moves; others see single pictures.
        pub video: Option<bool>,
        /// The prompt.
        #[schemars(flatten)]
        pub prompt: PromptKeys,
        /// Decoding settings.
        #[schemars(flatten)]
        pub decoding: DecodingKeys,
    }
}

/// Maximum number of pictures in one request. Each is sent or decoded whole.
const MAX_IMAGES: usize = 64;

impl Verb for Look {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let role = planning.role(&self.agent, Kind::Look);
        let what = planning.name_or_template(&self.what);
        let prompt = self.prompt.plan(PromptOf { verb: "look", pos: self.agent.pos, own: &[] }, planning);
        let decoding = self.decoding.plan(planning);
        Some(Arc::new(LookStep {
            role: role?,
            what: what?,
            video: self.video.unwrap_or(false),
            prompt: prompt?,
            decoding: decoding?,
        }))
    }
}

#[derive(Debug)]
struct LookStep {
    role: AskedRole,
    what: Formula,
    video: bool,
    prompt: Prompted,
    decoding: DecodingFormulas,
}

impl Planned for LookStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        let found = typing.expect(&self.what, &[Type::Image, Type::Image.list()], "`what`");
        typing.content(&self.role, &self.what, &found);
        self.prompt.check(&self.role.name, &[], typing);
        self.decoding.check(typing);
        (Type::Text, self)
    }
}

impl Step for LookStep {
    fn inside(&self) -> Inside {
        Inside::Asks(self.role.role.clone())
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        if let Some(replies) = replies(answered) {
            let [Reply::Look(said)] = replies else { return Err(misfit("look")) };
            return Ok(Turn::Done(Value::Text(said.text.trim().to_owned())));
        }
        let pictures = match self.what.eval(scope)? {
            Value::List(pictures) => pictures,
            one => vec![one],
        };
        if pictures.is_empty() {
            return Ok(Turn::Done(Value::Nothing));
        }
        if pictures.len() > MAX_IMAGES {
            let found = pictures.len();
            return Err(StepError(format!("found {found} pictures for `what`, expected at most {MAX_IMAGES}")));
        }
        let images = pictures.into_iter().map(|picture| item(picture, "what", &self.role)).collect::<Result<_, _>>()?;
        let request = LookRequest {
            images,
            video: self.video,
            prompt: self.prompt.text(scope, &[])?,
            decoding: self.decoding.eval(scope)?,
        };
        Ok(Turn::Ask(vec![Ask { role: self.role.role.clone(), request: Request::Look(request), sample: 0 }]))
    }
}
