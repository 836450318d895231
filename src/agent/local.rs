//! A local model as an agent: a handle to the thread that owns it, and the media that its requests name.

use super::{Agent, AgentError, Asking, Card};
use crate::{
    exchange::{Decoding, Item, Reply, Request},
    infer::{
        checkpoint::Checkpoint,
        device,
        job::{Input, Job, Pull, Sound, Work},
        worker::{Limits, Worker},
    },
    media::Store,
    models::{self, Loading},
    value::{Media, Time},
};
use async_trait::async_trait;
use std::{path::PathBuf, sync::Arc};
use tokio::sync::mpsc;

/// Everything that decides how a local model is loaded; `agents/NAME.yaml` as checked.
#[derive(Debug, Clone, Default)]
pub struct LocalSpec {
    /// The agent's name.
    pub name: String,
    /// The checkpoint folder, or a `.gguf` file.
    pub path: PathBuf,
    /// A family's name; recognised by `config.json` when absent or `auto`.
    pub family: Option<String>,
    /// `auto` (default), `f32`, `f16`, `bf16`.
    pub dtype: Option<String>,
    /// `auto` (default), `cpu`, `cuda:N`, `metal`.
    pub device: Option<String>,
    /// The agent's own decoding defaults.
    pub decode: Decoding,
    /// Batch and queue.
    pub limits: Limits,
    /// Most tokens of prompt and reply together.
    pub context_tokens: Option<usize>,
}

/// An agent whose model runs in this process.
pub struct LocalAgent {
    card: Card,
    worker: Worker,
    store: Arc<Store>,
}

impl LocalAgent {
    /// Loads the model on a thread of its own and waits until it is ready.
    pub async fn load(spec: LocalSpec, store: Arc<Store>) -> Result<LocalAgent, AgentError> {
        let name = spec.name.clone();
        let limits = spec.limits;
        let (worker, card) = Worker::start(&name, limits, move || load(&spec)).await?;
        Ok(LocalAgent { card, worker, store })
    }

    /// The work that a request is, with its media at hand or within reach.
    async fn resolve(&self, request: Request) -> Result<(Work, Option<Listening>), AgentError> {
        Ok(match request {
            Request::Rank { what, among, texts } => {
                if texts.is_empty() || texts.len() != among.len() {
                    return Err(AgentError::Final(
                        "there is nothing to rank: the list of candidates is empty".to_owned(),
                    ));
                }
                (Work::Rank { what: self.input(what).await?, among, texts }, None)
            }
            Request::Embed { what } => (Work::Embed { what: self.input(what).await? }, None),
            Request::Say { messages, .. } if messages.iter().any(|message| !message.images.is_empty()) => {
                return Err(AgentError::Final(format!("{} reads text only; it cannot look at images", self.card.name)));
            }
            Request::Say { messages, raw, decoding, choices } => (Work::Say { messages, raw, decoding, choices }, None),
            Request::Hear { audio, start, end, language, timestamps, decoding } => {
                let (start, end) = (start.unwrap_or(audio.start), end.unwrap_or(audio.end));
                let (sound, pulls) = Sound::new(start, end);
                (
                    Work::Hear { sound, language, timestamps, decoding },
                    Some(Listening { media: audio, start, end, pulls }),
                )
            }
            Request::Frames { .. } => return Err(AgentError::Final("a model does not sample videos".to_owned())),
        })
    }

    async fn input(&self, item: Item) -> Result<Input, AgentError> {
        Ok(match item {
            Item::Text(text) => Input::Text(text),
            Item::Image(file) => Input::Image(self.store.image(&file).await?),
            Item::Frame(moment) => Input::Image(self.store.frame(&moment).await?),
            Item::Sound(_) => return Err(AgentError::Final("this model does not take sound".to_owned())),
        })
    }
}

/// The sound of a request and the wishes for its samples.
struct Listening {
    media: Arc<Media>,
    start: Time,
    end: Time,
    pulls: mpsc::Receiver<Pull>,
}

impl Listening {
    /// Decodes what the model's thread wishes for, until it wishes no more.
    async fn serve(mut self, store: &Store) {
        while let Some(pull) = self.pulls.recv().await {
            let at = |sample: usize| Time::from_seconds(self.start.seconds() + sample as f64 / f64::from(pull.rate_hz));
            let (from, to) = (at(pull.from), at(pull.to).min(self.end));
            let samples = if from < to {
                store.samples(&self.media, from, to, pull.rate_hz).await.map_err(AgentError::from)
            } else {
                Ok(Vec::new())
            };
            pull.back.send(samples).ok();
        }
    }
}

fn load(spec: &LocalSpec) -> Result<(Box<dyn crate::infer::job::Model>, Card), AgentError> {
    let named = |error: AgentError| AgentError::Model(format!("{}: {error}", spec.name));
    let checkpoint = Checkpoint::open(&spec.path).map_err(named)?;
    let family = models::family(spec.family.as_deref(), &checkpoint.config).map_err(named)?;
    let device = device::open(spec.device.as_deref().unwrap_or("auto")).map_err(named)?;
    let dtype =
        device::dtype(spec.dtype.as_deref(), checkpoint.stored_dtype().map_err(named)?, &device).map_err(named)?;
    let class = device::class(&device);
    let loading = Loading { device, dtype, decode: spec.decode.clone(), context_tokens: spec.context_tokens };
    let decode = serde_json::to_string(&spec.decode).map_err(|e| AgentError::Model(e.to_string()))?;
    let context = spec.context_tokens.map_or_else(String::new, |n| n.to_string());
    let digest = checkpoint.digest().map_err(named)?;
    let identity = format!("local {} {digest} {} {class} {decode} {context}", family.name, dtype.as_str());
    let model = (family.load)(&checkpoint, &loading).map_err(named)?;
    tracing::info!(agent = spec.name, family = family.name, dtype = dtype.as_str(), device = class, "loaded");
    Ok((model, Card { name: spec.name.clone(), kinds: family.kinds.to_vec(), identity, memo: true }))
}

#[async_trait]
impl Agent for LocalAgent {
    fn card(&self) -> &Card {
        &self.card
    }

    async fn ask(&self, request: Request, asking: Asking) -> Result<Reply, AgentError> {
        let kind = request.kind();
        if !self.card.kinds.contains(&kind) {
            return Err(AgentError::Final(format!("{} does not answer `{}`", self.card.name, kind.word())));
        }
        let (work, listening) = self.resolve(request).await?;
        let (job, answer) = Job::new(work, asking.seed, asking.stream);
        self.worker.send(job).await?;
        let lost = |_| Err(self.worker.dropped());
        let Some(listening) = listening else { return answer.await.unwrap_or_else(lost) };
        let serving = listening.serve(&self.store);
        tokio::pin!(serving);
        tokio::pin!(answer);
        tokio::select! {
            reply = &mut answer => reply.unwrap_or_else(lost),
            () = &mut serving => answer.await.unwrap_or_else(lost),
        }
    }
}
