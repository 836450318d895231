//! Vectors for the journal: of the texts of its lines, and of a frame of each second. Searches find lines and frames by them.
//!
//! They follow from lines and pixels, so they are no exchanges of the dialogue. Only what an index lacks is computed, and what the memo
//! or the store of vectors has is not computed again.

use super::{LoadOptions, Session};
use crate::{
    agent::{Agent, CallContext, ask_alone, journal::JournalAgent, media::MediaAgent, roster},
    error::{Fault, FaultKind},
    exchange::{EmbedPurpose, EmbedRequest, FramesRequest, Item, Kind, Modality, Reply, Request, Sampling},
    run::{Cancel, Event, Progress, RunError, RunOptions},
    store::{
        Journal, JournalError,
        index::{IndexKey, NewVector, OTHER_THINGS, StretchFilter, VectorSense, VectorStretch},
        memo::{Memo, MemoKey},
        vectors::ModelDigest,
    },
    value::{Media, Moment},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// The role whose agent embeds the texts of lines.
const EMBEDDER: &str = "embedder";
/// The interval of the frames, in seconds.
const EVERY_S: f64 = 1.0;
/// Vectors that are written together.
const BATCH: usize = 256;
/// Requests that are open together.
const AT_ONCE: usize = 64;

/// An agent with the index of its vectors.
struct Embedding {
    agent: Arc<dyn Agent>,
    key: IndexKey,
}

/// What an embedding of a video uses besides the session.
pub(super) struct EmbedTools {
    memo: Option<Memo>,
    progress: Arc<dyn Progress>,
    cancel: Cancel,
    /// The end of the time for all work, with its length.
    end: Option<(Instant, Duration)>,
}

impl EmbedTools {
    /// The parts of a run's options.
    pub(super) fn of(options: &RunOptions) -> EmbedTools {
        let memo = options.memo.clone().filter(|_| !options.fresh);
        let end = options.deadline.map(|limit| (Instant::now() + limit, limit));
        EmbedTools { memo, progress: options.progress.clone(), cancel: options.cancel.clone(), end }
    }

    /// The result of the work, or a fault as soon as the run is cancelled or its deadline passes.
    async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        tokio::select! {
            done = work => done,
            () = self.cancel.cancelled() => Err(Fault::new(FaultKind::Cancelled, "interrupted")),
            limit = passed(self.end) => Err(RunError::deadline(limit).into()),
        }
    }
}

/// Waits for the end of the time, for ever without one.
async fn passed(end: Option<(Instant, Duration)>) -> Duration {
    match end {
        Some((at, limit)) => {
            tokio::time::sleep_until(at).await;
            limit
        }
        None => std::future::pending().await,
    }
}

impl Session {
    /// Adds the vectors of a video that the journal lacks, and returns their number.
    pub(super) async fn add_vectors(
        &self,
        video: &Arc<Media>,
        loading: &LoadOptions,
        tools: &EmbedTools,
    ) -> Result<u64, Fault> {
        let mut added = 0;
        for embedding in self.embeddings(loading).await? {
            added += match embedding.key.sense {
                VectorSense::Lines => self.add_lines(video, &embedding, tools).await?,
                VectorSense::Frames if video.has_video => self.add_frames(video, loading, &embedding, tools).await?,
                VectorSense::Frames => 0,
            };
        }
        Ok(added)
    }

    /// The agents of the cast that embed: the embedder for lines, and each that embeds pictures and texts alike for frames.
    async fn embeddings(&self, loading: &LoadOptions) -> Result<Vec<Embedding>, Fault> {
        let roster = self.load(loading).await?;
        let key = |agent: &dyn Agent, sense| IndexKey { model: ModelDigest::of(&agent.card().identity), sense };
        let mut all = Vec::new();
        if let Some(agent) = self.embedder(loading).await?.filter(|agent| embeds(&**agent, Modality::Text)) {
            all.push(Embedding { key: key(&*agent, VectorSense::Lines), agent });
        }
        for (role, agent) in &roster.agents {
            let is_own = ![MediaAgent::NAME, JournalAgent::NAME].contains(&role.as_str());
            let key = key(&**agent, VectorSense::Frames);
            let is_new = all.iter().all(|known: &Embedding| known.key != key);
            if is_own && is_new && embeds(&**agent, Modality::Text) && embeds(&**agent, Modality::Image) {
                all.push(Embedding { key, agent: agent.clone() });
            }
        }
        Ok(all)
    }

    /// The agent of the role `embedder`. The dialogue need not ask it. One that cannot be loaded is reported, and lines get no vectors.
    async fn embedder(&self, loading: &LoadOptions) -> Result<Option<Arc<dyn Agent>>, Fault> {
        let load = || async {
            if let Some(agent) = self.load(loading).await?.agents.get(EMBEDDER) {
                return Ok(Some(agent.clone()));
            }
            let Some(name) = self.plan.cast.get(EMBEDDER) else { return Ok(None) };
            let options = self.engine.options(&self.catalogue, &loading.device, &loading.listener);
            let options = roster::RosterOptions { memory: loading.memory, ..options };
            match roster::load_one(name, &options).await {
                Ok(agent) => Ok(Some(agent)),
                Err(fault) => {
                    tracing::warn!("the lines of the journal get no vectors: {fault}");
                    Ok::<_, Fault>(None)
                }
            }
        };
        self.embedder.get_or_try_init(load).await.cloned()
    }

    async fn add_lines(&self, video: &Arc<Media>, embedding: &Embedding, tools: &EmbedTools) -> Result<u64, Fault> {
        let (key, digest) = (embedding.key, video.digest.clone());
        let missing = self.with_journal(move |journal| journal.lines_without_vectors(key, &digest)).await?;
        if missing.is_empty() {
            return Ok(0);
        }
        self.add_background(embedding, tools).await?;
        let mut added = 0;
        let steps = Steps::new("line vectors", missing.len(), tools);
        for lines in missing.chunks(BATCH) {
            let texts: Vec<String> = lines.iter().map(|(_, text)| text.clone()).collect();
            let vectors = tools.unless_cancelled(self.vectors_of(embedding, &texts, EmbedPurpose::Document)).await?;
            let new = lines.iter().zip(&texts).filter_map(|((id, _), text)| {
                Some(NewVector { id: Some(*id), at: None, vector: vectors.get(text)?.clone() })
            });
            added += self.keep(embedding, new.collect()).await?;
            steps.done(lines.len());
        }
        self.settle(embedding).await?;
        Ok(added)
    }

    async fn add_frames(
        &self,
        video: &Arc<Media>,
        loading: &LoadOptions,
        embedding: &Embedding,
        tools: &EmbedTools,
    ) -> Result<u64, Fault> {
        let (key, agent) = (embedding.key, embedding.agent.card().name.clone());
        let note = serde_json::to_string(&(EVERY_S, &video.withheld)).expect("times serialise: this is a bug");
        let (digest, withheld) = (video.digest.clone(), video.withheld.clone());
        let known = self.with_journal(move |journal| {
            journal.with_index(key, &agent, |index| {
                if !withheld.is_empty() {
                    // what is withheld now may have been shown before
                    let within = withheld.iter().map(|(from, to)| (None, from.seconds(), to.seconds())).collect();
                    let hidden = StretchFilter { media: vec![digest.clone()], within: Some(within) };
                    if !index.passing(&hidden)?.is_empty() {
                        index.remove_passing(&hidden)?;
                    }
                }
                Ok((index.whole(&digest)?, index.starts(&digest)?))
            })
        });
        let (whole, starts) = known.await?;
        if whole == note {
            return Ok(0);
        }
        let starts: HashSet<u64> = starts.into_iter().map(f64::to_bits).collect();
        let mut moments = tools.unless_cancelled(self.sample(video, loading, tools)).await?;
        moments.retain(|moment| !starts.contains(&moment.start.seconds().to_bits()));
        let digest = video.digest.clone();
        if let Some(spans) = self.with_journal(move |journal| journal.allowed_spans(&digest)).await? {
            let is_in = |time: f64| spans.iter().any(|(from, to)| *from <= time && time < *to);
            moments.retain(|moment| is_in(moment.start.seconds()));
        }
        self.add_background(embedding, tools).await?;
        let mut added = 0;
        let steps = Steps::new("frame vectors", moments.len(), tools);
        for part in moments.chunks(BATCH) {
            let vectors = tools.unless_cancelled(frame_vectors(embedding, part, tools)).await?;
            let new = part.iter().zip(vectors).map(|(moment, vector)| {
                let at = VectorStretch { medium: video.digest.clone(), start: moment.start, end: moment.end };
                NewVector { id: None, at: Some(at), vector }
            });
            added += self.keep(embedding, new.collect()).await?;
            steps.done(part.len());
        }
        let (agent, digest) = (embedding.agent.card().name.clone(), video.digest.clone());
        self.with_journal(move |journal| journal.with_index(key, &agent, |index| index.set_whole(&digest, &note)))
            .await?;
        self.settle(embedding).await?;
        Ok(added)
    }

    /// The moments of a video, one for each second. The dialogue has mostly asked for them before.
    async fn sample(
        &self,
        video: &Arc<Media>,
        loading: &LoadOptions,
        tools: &EmbedTools,
    ) -> Result<Vec<Moment>, Fault> {
        let roster = self.load(loading).await?;
        let Some(agent) = roster.agents.get(MediaAgent::NAME) else { return Ok(Vec::new()) };
        let request = Request::Frames(FramesRequest::new(video.clone(), Sampling::Every(EVERY_S)));
        let known = known(&**agent, std::slice::from_ref(&request), tools).await.remove(0);
        let reply = match known {
            Some(reply) => request.in_own_terms(reply),
            None => agent.ask(request, CallContext::default()).await?,
        };
        let Reply::Frames(moments) = reply else { return Ok(Vec::new()) };
        if let Some(store) = &roster.store {
            store.expect(&moments);
        }
        Ok(moments)
    }

    /// Gives an index the vectors of queries about other things, which its scores need.
    async fn add_background(&self, embedding: &Embedding, tools: &EmbedTools) -> Result<(), Fault> {
        let (key, agent) = (embedding.key, embedding.agent.card().name.clone());
        let (name, has) =
            (agent.clone(), self.with_journal(move |j| j.with_index(key, &agent, |i| i.has_background())));
        if has.await? {
            return Ok(());
        }
        let texts: Vec<String> = OTHER_THINGS.iter().map(|text| (*text).to_owned()).collect();
        let mut vectors = tools.unless_cancelled(self.vectors_of(embedding, &texts, EmbedPurpose::Query)).await?;
        let vectors: Vec<Vec<f32>> = texts.iter().filter_map(|text| vectors.remove(text)).collect();
        self.with_journal(move |journal| journal.with_index(key, &name, |index| index.set_background(&vectors))).await
    }

    /// The vectors of texts: from the store of vectors, else from the agent.
    async fn vectors_of(
        &self,
        embedding: &Embedding,
        texts: &[String],
        purpose: EmbedPurpose,
    ) -> Result<HashMap<String, Vec<f32>>, Fault> {
        let kind = match purpose {
            EmbedPurpose::Document => "text",
            EmbedPurpose::Query => "query",
        };
        let model = ModelDigest::of(&format!("{kind} of {}", embedding.agent.card().identity));
        let mut distinct: Vec<String> = texts.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let (store, asked) = (self.engine.vectors(), distinct.clone());
        let stored = blocking(move || Ok(store.get_many(model, &asked.iter().map(String::as_str).collect::<Vec<_>>())));
        let mut found: HashMap<String, Vec<f32>> = HashMap::new();
        let mut missing = Vec::new();
        for (text, vector) in distinct.into_iter().zip(stored.await?) {
            match vector {
                Some(vector) => drop(found.insert(text, vector)),
                None => missing.push(text),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        embedding.agent.ready().await?;
        let asks = missing.iter().map(|text| embed(embedding.agent.clone(), EmbedRequest::text(text, purpose)));
        let vectors: Vec<Vec<f32>> = stream::iter(asks).buffered(AT_ONCE).try_collect().await?;
        let new: Vec<(String, Vec<f32>)> = missing.into_iter().zip(vectors).collect();
        found.extend(new.iter().cloned());
        let store = self.engine.vectors();
        blocking(move || {
            store.put_many(
                model,
                &new.iter().map(|(text, vector)| (text.as_str(), vector.as_slice())).collect::<Vec<_>>(),
            );
            Ok(())
        })
        .await?;
        Ok(found)
    }

    async fn keep(&self, embedding: &Embedding, new: Vec<NewVector>) -> Result<u64, Fault> {
        let (key, agent) = (embedding.key, embedding.agent.card().name.clone());
        self.with_journal(move |journal| journal.add_vectors(key, &agent, new)).await.map(|added| added as u64)
    }

    /// Puts new vectors into the order that searches need.
    async fn settle(&self, embedding: &Embedding) -> Result<(), Fault> {
        let (key, agent) = (embedding.key, embedding.agent.card().name.clone());
        self.with_journal(move |journal| {
            while journal.with_index(key, &agent, |index| index.settle())? {}
            Ok(())
        })
        .await
    }

    /// The result of work with the journal, on a thread that may wait.
    async fn with_journal<T: Send + 'static>(
        &self,
        work: impl FnOnce(Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, Fault> {
        let journal: Journal = self.engine.journal().open()?;
        blocking(move || Ok(work(journal)?)).await
    }
}

/// The vectors of frames, in their order: from the memo, else from the agent.
async fn frame_vectors(embedding: &Embedding, moments: &[Moment], tools: &EmbedTools) -> Result<Vec<Vec<f32>>, Fault> {
    let item = |moment: &Moment| Item::Frame(Moment { text: None, ..moment.clone() });
    let requests: Vec<Request> = moments.iter().map(|moment| Request::Embed(EmbedRequest::new(item(moment)))).collect();
    let found = known(&*embedding.agent, &requests, tools).await;
    if found.iter().any(Option::is_none) {
        embedding.agent.ready().await?;
    }
    let asks = moments.iter().zip(found).map(|(moment, found)| {
        let (agent, item) = (embedding.agent.clone(), item(moment));
        async move {
            match found {
                Some(Reply::Embed(vector)) => Ok(vector),
                _ => embed(agent, EmbedRequest::new(item)).await,
            }
        }
    });
    stream::iter(asks).buffered(AT_ONCE).try_collect().await
}

/// The replies that the memo has.
async fn known(agent: &dyn Agent, requests: &[Request], tools: &EmbedTools) -> Vec<Option<Reply>> {
    let nothing = || vec![None; requests.len()];
    let Some(memo) = tools.memo.clone().filter(|_| agent.card().memo) else { return nothing() };
    let keys = requests.iter().map(|request| MemoKey::of(agent.card(), request, 0)).collect();
    let found = memo.get_all(keys).await.unwrap_or_else(|_| nothing());
    let fits = |(request, reply): (&Request, Option<Reply>)| reply.filter(|reply| request.fits(reply).is_ok());
    requests.iter().zip(found).map(fits).collect()
}

async fn embed(agent: Arc<dyn Agent>, request: EmbedRequest) -> Result<Vec<f32>, Fault> {
    match ask_alone(&*agent, Request::Embed(request), CallContext::default()).await? {
        Reply::Embed(vector) => Ok(vector),
        _ => Err(Fault::failed("the reply is not a vector: this is a bug").of(&agent.card().name)),
    }
}

fn embeds(agent: &dyn Agent, content: Modality) -> bool {
    agent.card().answers.iter().any(|answers| answers.kind == Kind::Embed && answers.takes.has(content))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Fault::failed(format!("a thread stopped: {error}")))?
}

/// The progress of one kind of vectors, shown as a step.
struct Steps<'a> {
    name: &'a str,
    progress: &'a dyn Progress,
}

impl<'a> Steps<'a> {
    fn new(name: &'a str, count: usize, tools: &'a EmbedTools) -> Steps<'a> {
        let progress = &*tools.progress;
        let verb = Kind::Embed.word().to_owned();
        progress.event(Event::StepStarted { path: name.to_owned(), verb, items: Some(count), depth: 0 });
        Steps { name, progress }
    }

    fn done(&self, count: usize) {
        for _ in 0..count {
            let (step, path) = (self.name.to_owned(), self.name.to_owned());
            self.progress.event(Event::ExchangeDone { step, path, hit: false, error: None });
        }
    }
}

impl Drop for Steps<'_> {
    fn drop(&mut self) {
        self.progress.event(Event::StepDone { path: self.name.to_owned(), depth: 0, skipped: false, error: None });
    }
}
