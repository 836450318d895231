//! Jobs: requests whose media are decoded or can be pulled, with the channel for the reply.

use super::{
    perceived::{Perceived, frame_print},
    thinking::Thoughts,
};
use crate::{
    error::Fault,
    exchange::{Finish, Item, Reply, Request, SayReply, SayRequest},
    value::Time,
};
use ::image::RgbImage;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// An [`Item`] of a request, in the form that a model reads.
#[derive(Debug)]
pub enum Input {
    /// A text.
    Text(String),
    /// A decoded picture.
    Image(Arc<RgbImage>),
    /// What the model computed for this picture before ([`Perceived`]). A model that keeps nothing
    /// there gets none.
    Seen(Arc<Vec<f32>>),
    /// Sound that is decoded piece by piece.
    Sound(SoundSource),
}

/// One request in a model's thread.
#[derive(Debug)]
pub struct Job {
    /// The request.
    pub request: Request,
    /// The request's items, in the order of [`Request::items`].
    pub inputs: Vec<Input>,
    /// The seed of the sampling.
    pub seed: u64,
    stream: Option<mpsc::UnboundedSender<String>>,
    thoughts: Mutex<Thoughts>,
    back: ReplySender,
    span: tracing::Span,
}

impl Job {
    /// A job and the receiver of its reply. Dropping the receiver cancels the job. `stream` receives the text piece by
    /// piece.
    pub fn new(
        request: Request,
        inputs: Vec<Input>,
        seed: u64,
        stream: Option<mpsc::UnboundedSender<String>>,
    ) -> (Job, oneshot::Receiver<Result<Reply, Fault>>) {
        let (back, answer) = oneshot::channel();
        let (thoughts, back, span) = (Mutex::default(), ReplySender::new(back), tracing::Span::current());
        let job = Job { request, inputs, seed, stream, thoughts, back, span };
        (job, answer)
    }

    /// The content of a request to rank, to detect in or to embed.
    pub fn subject(&self) -> Option<&Input> {
        match self.request {
            Request::Rank(_) | Request::Detect(_) | Request::Embed(_) => self.inputs.first(),
            _ => None,
        }
    }

    /// Keeps what was computed for its content, if that is a frame: the next request about it needs no pixels.
    pub fn note(&self, perceived: &Perceived, vector: &Arc<Vec<f32>>) {
        if let Some(Item::Frame(moment)) = self.request.items().first() {
            perceived.keep(frame_print(moment), vector.clone());
        }
    }

    /// Jobs of one group may share a forward pass.
    pub fn group(&self) -> &'static str {
        match (&self.request, self.subject()) {
            (_, Some(Input::Text(_))) => "text",
            (_, Some(Input::Image(_) | Input::Seen(_))) => "image",
            (_, Some(Input::Sound(_))) => "sound",
            (Request::Say(say), None) if !say.choices.is_empty() => "choose",
            (request, None) => request.kind().word(),
        }
    }

    /// True if the job has a reply, or its caller no longer waits.
    pub fn gone(&self) -> bool {
        self.back.gone()
    }

    /// True if the caller receives the text piece by piece.
    pub fn streams(&self) -> bool {
        self.stream.as_ref().is_some_and(|s| !s.is_closed())
    }

    /// True if the reply may begin with thoughts: in a chat, where the model is free to write any text.
    pub fn may_think(&self) -> bool {
        let free = |say: &SayRequest| !say.raw && say.choices.is_empty() && say.restriction().is_none();
        matches!(&self.request, Request::Say(say) if free(say))
    }

    fn thoughts(&self) -> MutexGuard<'_, Thoughts> {
        self.thoughts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the prompt ends with the mark of thoughts.
    pub fn opens_thoughts(&self) {
        self.thoughts().open();
    }

    /// The bytes of thoughts before the answer in the text so far.
    pub fn thoughts_end(&self, said: &str) -> usize {
        if self.may_think() { said.len() - self.thoughts().split(said).1.len() } else { 0 }
    }

    /// Sends a piece of text to the caller, if the caller streams. Thoughts before the answer are left out.
    pub fn piece(&self, text: &str) {
        match self.may_think() {
            true => self.send(&self.thoughts().push(text)),
            false => self.send(text),
        }
    }

    fn send(&self, text: &str) {
        if let Some(stream) = &self.stream
            && !text.is_empty()
        {
            stream.send(text.to_owned()).ok();
        }
    }

    /// Answers with an error that the family does not support the request. Cards normally prevent such requests.
    pub fn refuse(self) {
        self.answer(Err(Fault::failed("this model does not support this kind of request".to_owned())));
    }

    /// Sends the reply; the caller may no longer wait. Thoughts before the answer go from its text to their own field. A
    /// reply with a number that is not finite becomes an error.
    pub fn answer(self, reply: Result<Reply, Fault>) {
        let _inside = self.span.enter();
        let mut reply = reply.and_then(finite);
        if let (true, Ok(Reply::Say(said))) = (self.may_think(), &mut reply) {
            let thoughts = self.thoughts();
            self.send(thoughts.finish());
            let (thinking, answer) = thoughts.split(&said.text);
            (said.thinking, said.text) = (thinking.to_owned(), answer.to_owned());
        }
        if let (Request::Look(_), Ok(Reply::Say(said))) = (&self.request, &mut reply) {
            reply = Ok(Reply::Look(std::mem::replace(said, SayReply::new("", Finish::Stop))));
        }
        if let Err(error) = &reply {
            tracing::debug!(%error, "the job failed");
        }
        self.back.send(reply);
    }

    /// The channel for the reply, for a worker that must answer if the model panics.
    pub fn back(&self) -> ReplySender {
        self.back.clone()
    }
}

/// The reply, or an error if one of its numbers is not finite.
fn finite(reply: Reply) -> Result<Reply, Fault> {
    let odd = |n: &f32| !n.is_finite();
    let found = match &reply {
        Reply::Rank(scores) => {
            scores.iter().flat_map(|s| [s.score, s.probability]).find(odd).map(|n| ("the scores", n))
        }
        Reply::Detect(boxes) => {
            let numbers = boxes.iter().flat_map(|found| found.area.into_iter().chain([found.score]));
            return match numbers.into_iter().find(|n| !n.is_finite()) {
                Some(n) => Err(super::not_finite("the boxes", n)),
                None => Ok(reply),
            };
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

/// The channel for the reply to a job. The first reply counts.
#[derive(Debug, Clone)]
pub struct ReplySender(Arc<Mutex<Option<Way>>>);

impl ReplySender {
    fn new(way: Way) -> ReplySender {
        ReplySender(Arc::new(Mutex::new(Some(way))))
    }

    /// Sends the reply, unless the job has one already. The caller may no longer wait.
    pub fn send(&self, reply: Result<Reply, Fault>) {
        let way = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(way) = way {
            way.send(reply).ok();
        }
    }

    /// True if the job has a reply, or its caller no longer waits.
    pub fn gone(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

/// A blocking model. One thread owns it and gives it jobs in groups.
///
/// Contract: the model answers every job (through [`Job::answer`]). All jobs of one call belong to one [`Job::group`].
/// The reply to a job does not depend on the other jobs of the call. The model may panic: the worker then answers the
/// open jobs of the call with an error.
pub trait Model {
    /// Answers all of `jobs`.
    fn answer(&mut self, jobs: Vec<Job>);

    /// The model as a writer, if it writes replies in steps.
    fn writer(&mut self) -> Option<&mut dyn StepWriter> {
        None
    }
}

/// A model that writes replies token by token. Jobs join between two steps, and each leaves with its answer: a short
/// reply does not wait for a long one, and a new request waits for neither.
///
/// Contract: every joined job is answered after finitely many steps. Its reply depends neither on the other jobs nor on
/// the step at which it joined. A panic may leave jobs unanswered; the worker then answers them, and the writer drops
/// all that are [`gone`](Job::gone).
pub trait StepWriter {
    /// True if the job is written in steps. [`Model::answer`] answers all others, between two steps.
    fn writes(&self, job: &Job) -> bool;
    /// Takes further jobs.
    fn join(&mut self, jobs: Vec<Job>);
    /// Does one step: reads a piece of the prompts, and adds a token to each reply whose prompt was read. Gives the number of
    /// jobs that are left.
    fn step(&mut self) -> usize;
}

/// A request for samples, sent from a model's thread to the caller's task, which decodes them.
#[derive(Debug)]
pub struct SampleRequest {
    /// First sample, counted at `rate_hz` from the start of the sound.
    pub from: usize,
    /// One after the last sample.
    pub to: usize,
    /// Samples in a second.
    pub rate_hz: u32,
    /// The channel for the samples. Fewer samples than requested mean that the sound has ended.
    pub back: oneshot::Sender<Result<Vec<f32>, Fault>>,
}

/// A stretch of sound. Its samples are pulled piece by piece, so that only one window is in memory.
#[derive(Debug)]
pub struct SoundSource {
    /// The start, in the medium's presentation time.
    pub start: Time,
    /// The end, in the medium's presentation time.
    pub end: Time,
    pulls: mpsc::Sender<SampleRequest>,
}

impl SoundSource {
    /// A sound, and the receiver of its sample requests. The channel has room for one request, because the thread waits
    /// for each.
    pub fn new(start: Time, end: Time) -> (SoundSource, mpsc::Receiver<SampleRequest>) {
        let (pulls, wishes) = mpsc::channel(1);
        (SoundSource { start, end, pulls }, wishes)
    }

    /// Samples `from..to` at `rate_hz`, mono; fewer at the end of the sound. Blocks. Fails as cancelled if the caller
    /// no longer waits.
    pub fn samples(&self, from: usize, to: usize, rate_hz: u32) -> Result<Vec<f32>, Fault> {
        let (back, answer) = oneshot::channel();
        self.pulls.blocking_send(SampleRequest { from, to, rate_hz, back }).map_err(|_| Fault::cancelled())?;
        answer.blocking_recv().map_err(|_| Fault::cancelled())?
    }
}
