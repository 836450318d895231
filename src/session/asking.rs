//! Questions about videos and about the journal: checks that a dialogue answers them, and gives its inputs.

use super::Session;
use crate::{
    error::Fault,
    plan::Plan,
    prompt::language::{ENGLISH, language},
    value::{Media, StatedTime, Type, Value},
};
use indexmap::IndexMap;
use std::sync::Arc;

/// The longest question, in characters.
pub const MAX_QUESTION: usize = 2000;

/// Refuses an empty question, and one that is too long.
pub fn check_question(text: &str) -> Result<(), Fault> {
    match text.trim().chars().count() {
        0 => Err(Fault::refused("the question is empty")),
        count if count > MAX_QUESTION => {
            Err(Fault::refused(format!("the question has {count} characters, expected at most {MAX_QUESTION}")))
        }
        _ => Ok(()),
    }
}

/// What to tell of a question that was not answered because of its language: the dialogue has nobody who translates.
pub fn language_note(plan: &Plan, question: &str, abstained: bool) -> Option<String> {
    let language = language(question);
    let is_foreign = abstained && language != ENGLISH && !plan.roles.contains_key("interpreter");
    is_foreign.then(|| {
        format!("The question seems to be in {language}. This cast understands English only; one with an interpreter translates.")
    })
}

/// What a question is about.
#[derive(Debug, Clone)]
pub enum Subject {
    /// One video, which the dialogue looks at itself.
    Video(Arc<Media>),
    /// Videos that the journal has.
    Indexed(Vec<Arc<Media>>),
    /// The whole journal.
    Journal,
}

/// How a dialogue takes what a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// It has the input `videos`, and reads their lines in the journal.
    Journal,
    /// It has the input `video`, and looks at it.
    Video,
}

/// A question with its circumstances.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The question.
    pub text: String,
    /// The answers to the questions before, oldest first: records with `question`, `text` and `evidence`.
    pub history: Vec<Value>,
    /// When it is asked; now if absent.
    pub now: Option<StatedTime>,
    /// Nothing later than this time is read.
    pub as_of: Option<StatedTime>,
    /// The time zone of its times; that of the latest recording if absent.
    pub zone: Option<String>,
}

impl Session {
    /// How the dialogue takes what a question is about. Fails if it lacks an input that questions need. `as_of`: the question has
    /// such a time.
    pub fn reads(&self, as_of: bool) -> Result<Reads, Fault> {
        let has = |name: &str, ty: &Type| self.plan.inputs.get(name).is_some_and(|input| input.ty.accepts(ty));
        let lacks = |name: &str| {
            let message = format!("{} lacks the input `{name}`, which questions need", self.plan.name);
            Fault::refused(message).hint("`elenchus run` runs dialogues with other inputs")
        };
        if !has("question", &Type::Text) {
            return Err(lacks("question"));
        }
        if as_of && !has("as_of", &Type::Text) {
            let message = format!("{} lacks the input `as_of`, so it cannot leave out what came later", self.plan.name);
            return Err(Fault::refused(message).hint("the usual dialogue, journal_qa, has it"));
        }
        match (has("videos", &Type::Video.list()), has("video", &Type::Video)) {
            (true, _) => Ok(Reads::Journal),
            (false, true) => Ok(Reads::Video),
            (false, false) => Err(lacks("videos")),
        }
    }

    /// The inputs of a question; those that the dialogue does not have are left out.
    pub fn question_inputs(&self, about: &Subject, question: &Question) -> IndexMap<String, Value> {
        let zone = question.zone.clone().unwrap_or_default();
        let system = if zone.is_empty() { self.access.zone.clone() } else { zone.clone() };
        let instant = |stated: StatedTime| stated.wall(&system, None).and_then(|wall| shown(wall.at_ms));
        let now = question.now.map_or_else(|| Some(jiff::Timestamp::now().to_string()), instant).unwrap_or_default();
        let all = [
            ("question", Value::Text(question.text.clone())),
            ("history", Value::List(question.history.clone())),
            ("now", Value::Text(now)),
            ("zone", Value::Text(zone)),
            ("as_of", Value::Text(question.as_of.and_then(instant).unwrap_or_default())),
        ];
        let known = |(name, _): &(&str, Value)| self.plan.inputs.contains_key(*name);
        let mut inputs: IndexMap<String, Value> =
            all.into_iter().filter(known).map(|(name, value)| (name.to_owned(), value)).collect();
        match about {
            Subject::Video(video) => inputs.insert("video".to_owned(), Value::Video(video.clone())),
            Subject::Indexed(media) => {
                inputs.insert("videos".to_owned(), Value::List(media.iter().cloned().map(Value::Video).collect()))
            }
            Subject::Journal => inputs.insert("videos".to_owned(), Value::Text("all".to_owned())),
        };
        inputs
    }

    /// The digests of the media whose lines a question about this reads. A transcript of such a run is removed with them.
    pub fn read_digests(&self, about: &Subject) -> Result<Vec<String>, Fault> {
        Ok(match about {
            Subject::Video(video) => vec![video.digest.clone()],
            Subject::Indexed(media) => media.iter().map(|video| video.digest.clone()).collect(),
            Subject::Journal => {
                let stat = self.engine.journal().open()?.stat(None)?;
                stat.media.into_iter().map(|medium| medium.digest).collect()
            }
        })
    }
}

/// An instant with its offset.
fn shown(at_ms: i64) -> Option<String> {
    jiff::Timestamp::from_millisecond(at_ms).ok().map(|instant| instant.to_string())
}
