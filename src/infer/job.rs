//! Jobs: requests with their media decoded or within reach, and the way back to the caller.

use crate::{
    error::Fault,
    exchange::{Reply, Request},
    value::Time,
};
use ::image::RgbImage;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// An [`Item`](crate::exchange::Item) of a request, as a model takes it.
#[derive(Debug)]
pub enum Input {
    /// Text as it is.
    Text(String),
    /// A decoded picture.
    Image(Arc<RgbImage>),
    /// Sound that is decoded as it is needed.
    Sound(SoundSource),
}

/// One request on its way through a model's thread.
#[derive(Debug)]
pub struct Job {
    /// The request.
    pub request: Request,
    /// Its items, in their order ([`Request::items`]).
    pub inputs: Vec<Input>,
    /// Seed of the sampling.
    pub seed: u64,
    stream: Option<mpsc::UnboundedSender<String>>,
    back: ReplySender,
    span: tracing::Span,
}

impl Job {
    /// A job and the place where its answer will arrive. Dropping the receiver cancels the job.
    pub fn new(
        request: Request,
        inputs: Vec<Input>,
        seed: u64,
        stream: Option<mpsc::UnboundedSender<String>>,
    ) -> (Job, oneshot::Receiver<Result<Reply, Fault>>) {
        let (back, answer) = oneshot::channel();
        let job = Job { request, inputs, seed, stream, back: ReplySender::new(back), span: tracing::Span::current() };
        (job, answer)
    }

    /// The content of a request to rank or to embed.
    pub fn subject(&self) -> Option<&Input> {
        match self.request {
            Request::Rank(_) | Request::Embed(_) => self.inputs.first(),
            _ => None,
        }
    }

    /// Jobs of one group may share a forward pass.
    pub fn group(&self) -> &'static str {
        match (&self.request, self.subject()) {
            (_, Some(Input::Text(_))) => "text",
            (_, Some(Input::Image(_))) => "image",
            (_, Some(Input::Sound(_))) => "sound",
            (Request::Say(say), None) if !say.choices.is_empty() => "choose",
            (request, None) => request.kind().word(),
        }
    }

    /// True once the caller has stopped waiting.
    pub fn gone(&self) -> bool {
        self.back.gone()
    }

    /// True if someone listens to the pieces of text.
    pub fn streams(&self) -> bool {
        self.stream.as_ref().is_some_and(|s| !s.is_closed())
    }

    /// Hands a piece of text to the listener, if there is one.
    pub fn piece(&self, text: &str) {
        if let Some(stream) = &self.stream
            && !text.is_empty()
        {
            stream.send(text.to_owned()).ok();
        }
    }

    /// Refuses what a family does not answer; the card keeps such requests away.
    pub fn refuse(self) {
        self.answer(Err(Fault::failed("this model does not answer such requests".to_owned())));
    }

    /// Answers; the caller may have stopped waiting. A number that is not finite is never an answer.
    pub fn answer(self, reply: Result<Reply, Fault>) {
        let _inside = self.span.enter();
        let reply = reply.and_then(finite);
        if let Err(error) = &reply {
            tracing::debug!(%error, "not answered");
        }
        self.back.send(reply);
    }

    /// The way back alone, for a worker that must answer if the model cannot.
    pub fn back(&self) -> ReplySender {
        self.back.clone()
    }
}

/// A reply whose numbers are all finite.
fn finite(reply: Reply) -> Result<Reply, Fault> {
    let odd = |n: &f32| !n.is_finite();
    let found = match &reply {
        Reply::Rank(scores) => {
            scores.iter().flat_map(|s| [s.score, s.probability]).find(odd).map(|n| ("the scores", n))
        }
        Reply::Embed(vector) => vector.iter().copied().find(odd).map(|n| ("the numbers of the vector", n)),
        _ => None,
    };
    match found {
        Some((what, n)) => Err(super::not_finite(what, n)),
        None => Ok(reply),
    }
}

type Way = oneshot::Sender<Result<Reply, Fault>>;

/// The way back to an asker. The first answer counts.
#[derive(Debug, Clone)]
pub struct ReplySender(Arc<Mutex<Option<Way>>>);

impl ReplySender {
    fn new(way: Way) -> ReplySender {
        ReplySender(Arc::new(Mutex::new(Some(way))))
    }

    /// Answers unless the job was answered before; the caller may have stopped waiting.
    pub fn send(&self, reply: Result<Reply, Fault>) {
        let way = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(way) = way {
            way.send(reply).ok();
        }
    }

    fn gone(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

/// A blocking model: owned by one thread, asked in groups.
///
/// Contract: answers every job (through [`Job::answer`]); all jobs of one call are of one [`Job::group`]. A job's reply does
/// not depend on the others in the call. May panic: the worker turns that into an error of the jobs it held.
pub trait Model {
    /// Answers all of `jobs`.
    fn answer(&mut self, jobs: Vec<Job>);
}

/// A wish for samples, sent from a model's thread to the asker's task, which decodes them.
#[derive(Debug)]
pub struct SampleRequest {
    /// First sample, counted at `rate_hz` from the start of the sound.
    pub from: usize,
    /// One after the last sample.
    pub to: usize,
    /// Samples in a second.
    pub rate_hz: u32,
    /// The buffer for the samples; fewer than requested means that the sound ended.
    pub back: oneshot::Sender<Result<Vec<f32>, Fault>>,
}

/// A stretch of sound whose samples are pulled piece by piece, so that no more than a window is in memory.
#[derive(Debug)]
pub struct SoundSource {
    /// The start, in the medium's presentation time.
    pub start: Time,
    /// The end.
    pub end: Time,
    pulls: mpsc::Sender<SampleRequest>,
}

impl SoundSource {
    /// A sound and the requests to its owner. The channel has room for one request: the thread waits for each.
    pub fn new(start: Time, end: Time) -> (SoundSource, mpsc::Receiver<SampleRequest>) {
        let (pulls, wishes) = mpsc::channel(1);
        (SoundSource { start, end, pulls }, wishes)
    }

    /// Samples `from..to` at `rate_hz`, mono, fewer at the end. Blocks; fails as cancelled when the asker has gone.
    pub fn samples(&self, from: usize, to: usize, rate_hz: u32) -> Result<Vec<f32>, Fault> {
        let (back, answer) = oneshot::channel();
        self.pulls.blocking_send(SampleRequest { from, to, rate_hz, back }).map_err(|_| Fault::cancelled())?;
        answer.blocking_recv().map_err(|_| Fault::cancelled())?
    }
}
