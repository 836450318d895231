//! What a side can do: the kinds of work, and a loaded model that answers jobs.

use crate::{pictures, replies, sound, texts};
use candle_core::DType;
use elenchus::{
    error::Fault,
    exchange::{Reply, Request},
    infer::{
        checkpoint::Checkpoint,
        device,
        job::{Input, Job, Model},
    },
    models::{self, ModelOptions},
};
use serde_json::Value as Json;
use std::path::Path;

/// What went wrong, as a line.
pub(crate) type Outcome<T> = Result<T, String>;

/// A kind of work with its model.
pub(crate) trait Work {
    /// Does it once. Gives the number of units: pictures, texts, tokens, or seconds of sound.
    fn once(&mut self, asked: &Json) -> Outcome<f64>;
    /// What it computes for inputs that both sides know: vectors, a text or token ids.
    fn check(&mut self, asked: &Json) -> Outcome<Json>;
}

/// Loads the work that `asked` describes.
pub(crate) fn load(asked: &Json) -> Outcome<Box<dyn Work>> {
    Ok(match word(asked, "work")? {
        "pictures" => Box::new(pictures::Pictures::load(asked)?),
        "prepare" => Box::new(pictures::Prepare::load(asked)?),
        "texts" => Box::new(texts::Texts::load(asked)?),
        "sound" => Box::new(sound::Hearing::load(asked)?),
        "tokens" => Box::new(replies::Tokens::load(asked)?),
        "look" => Box::new(replies::Looking::load(asked)?),
        other => return Err(format!("there is no work `{other}`")),
    })
}

/// The model of a checkpoint folder or GGUF file, on the `device` and in the `dtype` that were asked for.
pub(crate) struct Loaded(Box<dyn Model>);

impl Loaded {
    pub(crate) fn new(asked: &Json) -> Outcome<Loaded> {
        let checkpoint = Checkpoint::open(Path::new(word(asked, "path")?)).map_err(said)?;
        let device = device::open(asked["device"].as_str().unwrap_or("cpu")).map_err(said)?;
        let stored: Option<DType> = checkpoint.stored_dtype().map_err(said)?;
        let (dtype, precision) = device::dtype(asked["dtype"].as_str(), stored, &device).map_err(said)?;
        let family = models::family(asked["family"].as_str(), &checkpoint.config).map_err(said)?;
        family.computes_in(precision).map_err(said)?;
        let options = ModelOptions { precision, ..ModelOptions::new(device, dtype) };
        Ok(Loaded((family.load)(&checkpoint, &options).map_err(said)?))
    }

    /// The replies to requests that the model gets in one call.
    pub(crate) fn answer(&mut self, asked: Vec<(Request, Vec<Input>)>) -> Outcome<Vec<Reply>> {
        let jobs = asked.into_iter().map(|(request, inputs)| Job::new(request, inputs, 0, None));
        let (jobs, answers): (Vec<_>, Vec<_>) = jobs.unzip();
        self.0.answer(jobs);
        let reply = |answer: tokio::sync::oneshot::Receiver<Result<Reply, Fault>>| {
            answer.blocking_recv().map_err(|_| "a job was dropped".to_owned())?.map_err(said)
        };
        answers.into_iter().map(reply).collect()
    }
}

/// The vectors of replies to `embed`.
pub(crate) fn vectors(replies: Vec<Reply>) -> Outcome<Vec<Vec<f32>>> {
    let vector = |reply| match reply {
        Reply::Embed(vector) => Ok(vector),
        other => Err(format!("expected a vector, found {other:?}")),
    };
    replies.into_iter().map(vector).collect()
}

pub(crate) fn word<'a>(asked: &'a Json, key: &str) -> Outcome<&'a str> {
    asked[key].as_str().ok_or_else(|| format!("`{key}` is missing"))
}

pub(crate) fn count(asked: &Json, key: &str) -> Outcome<usize> {
    asked[key].as_u64().map(|n| n as usize).ok_or_else(|| format!("`{key}` is missing"))
}

pub(crate) fn said(error: Fault) -> String {
    error.to_string()
}
