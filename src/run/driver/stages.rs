//! The stages of an exchange: look-up in the memo, queue, request, commit to the memo, reply.

use super::{
    Agents,
    asking::{AgentCall, Attempt, ask},
    origins::{Origins, media_of},
    pending::{FinishedExchange, PendingExchange},
};
use crate::{
    agent::{CallContext, roster},
    error::{Fault, FaultKind},
    exchange::{JournalRequest, Reply, Request, SayReply},
    media::MediaStore,
    run::{
        machine::DueExchange,
        outcome::RunError,
        progress::{Event, Progress},
        transcript::Timing,
    },
    store::{
        journal::{LineOrigin, RoleModels},
        memo::{self, Medium, Memo, MemoEntry, MemoError, MemoKey},
        vectors::ModelDigest,
    },
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc::UnboundedSender, time::Instant};

/// Longest wait of a stopped run for open commits.
const LAST_COMMITS: Duration = Duration::from_secs(10);

/// The resources that the stages use.
pub(super) struct Deps {
    pub agents: Agents,
    pub at_once: usize,
    pub memo: Option<Memo>,
    pub fresh: bool,
    pub stream: Option<(String, UnboundedSender<String>)>,
    pub store: Option<Arc<MediaStore>>,
    pub progress: Arc<dyn Progress>,
    pub run: Arc<str>,
    /// The roles of each dialogue that adds lines to the journal ([`crate::plan::Block::writers`]).
    pub writers: BTreeMap<String, BTreeSet<String>>,
    /// The media in the run's inputs.
    pub media: Arc<[Medium]>,
}

type Commit = Result<(), MemoError>;

pub(super) struct Stages {
    deps: Deps,
    queue: BinaryHeap<Reverse<PendingExchange>>,
    asking: FuturesUnordered<BoxFuture<'static, (PendingExchange, Attempt)>>,
    committing: FuturesUnordered<BoxFuture<'static, (PendingExchange, Attempt, Commit)>>,
    /// The exchanges that wait until their agent is ready, by role.
    waiting_for_load: HashMap<String, Vec<PendingExchange>>,
    /// The roles whose agents are ready.
    loaded: HashSet<String>,
    /// The agents that are getting ready, with their roles.
    loading: FuturesUnordered<BoxFuture<'static, (String, Result<(), Fault>)>>,
    /// The fault of an agent that cannot get ready.
    unready: Option<RunError>,
    /// The later exchanges that wait for an equal open one, by its key.
    shared: HashMap<MemoKey, Vec<PendingExchange>>,
    /// The start of the first exchange of each task with a time limit.
    begun: HashMap<u64, Instant>,
    /// The exchanges that this run has committed, if it is a fresh one.
    own: HashSet<MemoKey>,
    done: Vec<FinishedExchange>,
    memo_failed: bool,
    origins: Origins,
}

impl Stages {
    pub(super) fn new(deps: Deps) -> Stages {
        let origins = Origins::new(&deps.agents, &deps.writers, deps.media.clone());
        Stages {
            origins,
            deps,
            queue: BinaryHeap::new(),
            asking: FuturesUnordered::new(),
            committing: FuturesUnordered::new(),
            waiting_for_load: HashMap::new(),
            loaded: HashSet::new(),
            loading: FuturesUnordered::new(),
            unready: None,
            shared: HashMap::new(),
            begun: HashMap::new(),
            own: HashSet::new(),
            done: Vec::new(),
            memo_failed: false,
        }
    }

    /// Adds due exchanges. Memo hits get their reply at once; the others are asked within the limit `at_once`.
    pub(super) async fn add(&mut self, due: Vec<DueExchange>) {
        let mut jobs = Vec::with_capacity(due.len());
        for exchange in due {
            match self.deps.agents.get(&exchange.role).cloned() {
                Some(agent) => {
                    let key = MemoKey::of(agent.card(), &exchange.request, exchange.seed);
                    jobs.push(PendingExchange { exchange, key, agent });
                }
                None => {
                    let result = Err(Fault::failed(format!("no agent plays the role `{}`", exchange.role)));
                    self.done.push(FinishedExchange {
                        exchange,
                        key: MemoKey([0; 32]),
                        result,
                        timing: Timing::default(),
                    });
                }
            }
        }
        let found = self.look_up(&jobs).await;
        for job in jobs {
            match found.get(&job.key).filter(|_| job.kept()) {
                // a reply that does not fit the request belongs to another one, so it is not used
                Some(reply) if job.exchange.request.fits(reply).is_ok() => self.hit(job, reply.clone()),
                _ => self.join_or_queue(job),
            }
        }
        self.begin();
    }

    async fn look_up(&mut self, jobs: &[PendingExchange]) -> HashMap<MemoKey, Reply> {
        let Some(memo) = self.deps.memo.clone() else { return HashMap::new() };
        let wanted = |job: &&PendingExchange| job.kept() && (!self.deps.fresh || self.own.contains(&job.key));
        let keys: Vec<MemoKey> = jobs.iter().filter(wanted).map(|job| job.key).collect();
        if keys.is_empty() {
            return HashMap::new();
        }
        match memo.get_all(keys.clone()).await {
            Ok(replies) => keys.into_iter().zip(replies).filter_map(|(key, reply)| Some((key, reply?))).collect(),
            Err(error) => {
                self.memo_failed(&error);
                HashMap::new()
            }
        }
    }

    /// Reports a memo error once. A failing memo does not fail the run, and its readable part is still used.
    fn memo_failed(&mut self, error: &MemoError) {
        if !std::mem::replace(&mut self.memo_failed, true) {
            let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            let why = format!("{error}{hint}");
            tracing::info!("{why}");
            self.deps.progress.event(Event::MemoFailed { why });
        }
    }

    fn hit(&mut self, job: PendingExchange, reply: Reply) {
        let reply = job.exchange.request.in_own_terms(reply);
        if let (Some(stream), Some(text)) = (self.stream(&job.exchange), reply.text()) {
            let _ = stream.send(text.to_owned());
        }
        if let (Some(store), Reply::Frames(moments)) = (&self.deps.store, &reply) {
            store.expect(moments);
        }
        let timing = Timing { memo_hit: true, elapsed_ms: 0, attempts: 0 };
        self.done.push(FinishedExchange { exchange: job.exchange, key: job.key, result: Ok(reply), timing });
    }

    fn join_or_queue(&mut self, job: PendingExchange) {
        if job.kept() {
            if let Some(others) = self.shared.get_mut(&job.key) {
                return others.push(job);
            }
            self.shared.insert(job.key, Vec::new());
        }
        if self.loaded.contains(&job.exchange.role) { self.queue.push(Reverse(job)) } else { self.load(job) }
    }

    /// Makes an exchange wait until its agent is ready. Its time limit starts afterwards, so that loading weights does
    /// not count.
    fn load(&mut self, job: PendingExchange) {
        let role = &job.exchange.role;
        if let Some(others) = self.waiting_for_load.get_mut(role) {
            return others.push(job);
        }
        let (agent, role) = (job.agent.clone(), role.clone());
        self.loading.push(
            async move {
                let ready = AssertUnwindSafe(agent.ready()).catch_unwind().await;
                (role, ready.unwrap_or_else(|_| Err(Fault::failed("it panicked; this is a bug".to_owned()))))
            }
            .boxed(),
        );
        self.waiting_for_load.insert(job.exchange.role.clone(), vec![job]);
    }

    fn on_loaded(&mut self, role: String, ready: Result<(), Fault>) {
        let jobs = self.waiting_for_load.remove(&role).unwrap_or_default();
        match ready {
            Ok(()) => {
                self.queue.extend(jobs.into_iter().map(Reverse));
                self.loaded.insert(role);
            }
            Err(error) => {
                let agent = jobs.first().map_or(role.as_str(), |job| &job.agent.card().name);
                self.unready.get_or_insert(roster::unready(agent, error).into());
            }
        }
    }

    /// Asks queued exchanges, up to the limit `at_once`.
    fn begin(&mut self) {
        while self.asking.len() + self.committing.len() < self.deps.at_once {
            let Some(Reverse(job)) = self.queue.pop() else { return };
            let question = self.question(&job);
            self.asking.push(async move { (job, ask(question).await) }.boxed());
        }
    }

    fn question(&mut self, job: &PendingExchange) -> AgentCall {
        let exchange = &job.exchange;
        let now = Instant::now();
        let ends = exchange.limits.iter().map(|limit| {
            let begun = *self.begun.entry(limit.task).or_insert(now);
            (begun + limit.limit, limit.limit)
        });
        AgentCall {
            until: ends.min(),
            agent: job.agent.clone(),
            path: exchange.path.clone(),
            request: exchange.request.clone(),
            asking: CallContext {
                seed: exchange.seed,
                stream: self.stream(exchange),
                origin: self.origin(exchange),
                models: self.models(exchange),
            },
            retries: exchange.retries,
            progress: self.deps.progress.clone(),
        }
    }

    /// Where the lines of a request to the journal come from.
    fn origin(&self, exchange: &DueExchange) -> LineOrigin {
        match &exchange.request {
            Request::Journal(JournalRequest::Append { writer, medium, .. }) => self.origins.of(writer, &medium.digest),
            _ => LineOrigin::default(),
        }
    }

    /// The models that made the vectors of a search, by role.
    fn models(&self, exchange: &DueExchange) -> RoleModels {
        let Request::Search(search) = &exchange.request else { return RoleModels::new() };
        let agents = search.vectors.iter().filter_map(|asked| Some((&asked.role, self.deps.agents.get(&asked.role)?)));
        agents.map(|(role, agent)| (role.clone(), ModelDigest::of(&agent.card().identity))).collect()
    }

    fn stream(&self, exchange: &DueExchange) -> Option<UnboundedSender<String>> {
        let (step, stream) = self.deps.stream.as_ref()?;
        (*step == *exchange.step).then(|| stream.clone())
    }

    /// Waits until an exchange or an agent makes progress. Gives false if nothing is open. Fails if an agent cannot get
    /// ready.
    pub(super) async fn wait(&mut self) -> Result<bool, RunError> {
        tokio::select! {
            biased;
            Some((job, attempt, commit)) = self.committing.next() => self.committed(job, attempt, commit),
            Some((job, attempt)) = self.asking.next() => self.attempt(job, attempt),
            Some((role, ready)) = self.loading.next() => self.on_loaded(role, ready),
            else => return Ok(false),
        }
        // all other finished futures are handled too, so that the machine needs only one turn
        while let Some(Some((job, attempt, commit))) = self.committing.next().now_or_never() {
            self.committed(job, attempt, commit);
        }
        while let Some(Some((job, attempt))) = self.asking.next().now_or_never() {
            self.attempt(job, attempt);
        }
        if let Some(unready) = self.unready.take() {
            return Err(unready);
        }
        self.begin();
        Ok(true)
    }

    /// The exchanges that finished since the last call.
    pub(super) fn answered(&mut self) -> Vec<FinishedExchange> {
        let done = std::mem::take(&mut self.done);
        for finished in &done {
            if let Ok(reply) = &finished.result {
                self.origins.note(finished.key, &finished.exchange.request, reply);
                if let Reply::Say(SayReply { left_out: count @ 1.., .. }) = reply {
                    let path = &finished.exchange.path;
                    tracing::warn!(
                        "{path}: {count} lines of the list were left out, because the prompt is longer than the context"
                    );
                }
            }
        }
        done
    }

    /// Cancels all requests, and waits for open commits.
    pub(super) async fn stop(&mut self) {
        self.queue.clear();
        self.waiting_for_load.clear();
        self.loading.clear();
        self.asking.clear();
        let last = async {
            while let Some((job, attempt, commit)) = self.committing.next().await {
                self.committed(job, attempt, commit);
            }
        };
        let _ = tokio::time::timeout(LAST_COMMITS, last).await;
    }

    /// Handles the result of a request: a reply is committed to the memo first.
    fn attempt(&mut self, job: PendingExchange, attempt: Attempt) {
        match (&self.deps.memo, &attempt.result) {
            (Some(memo), Ok(reply)) if job.kept() && !self.memo_failed => {
                let commit = memo.put(self.entry(&job, reply.clone(), attempt.timing.elapsed_ms));
                let commit = async move {
                    let commit = commit
                        .await
                        .unwrap_or_else(|_| Err(MemoError::other("the memo's thread has ended".to_owned())));
                    (job, attempt, commit)
                };
                self.committing.push(commit.boxed());
            }
            (_, Err(fault)) if fault.kind == FaultKind::Weights => {
                let fault = roster::unready(&job.agent.card().name, fault.clone());
                self.unready.get_or_insert(fault.into());
            }
            _ => self.settle(job, attempt),
        }
    }

    fn entry(&self, job: &PendingExchange, reply: Reply, elapsed_ms: u64) -> MemoEntry {
        let exchange = &job.exchange;
        let mut own = memo::media(&exchange.request);
        own.extend(media_of(&reply));
        own.sort();
        own.dedup();
        MemoEntry {
            key: job.key,
            identity: job.agent.card().identity.clone(),
            request: memo::request_digest(&exchange.request),
            kind: exchange.request.kind().word().to_owned(),
            seed: exchange.request.samples().then_some(exchange.seed),
            reply,
            media: if own.is_empty() { self.origins.media().clone() } else { own.into() },
            elapsed_ms,
            run: self.deps.run.clone(),
            path: exchange.path.clone(),
        }
    }

    fn committed(&mut self, job: PendingExchange, attempt: Attempt, commit: Commit) {
        match commit {
            Ok(()) if self.deps.fresh => drop(self.own.insert(job.key)),
            Ok(()) => {}
            Err(error) => self.memo_failed(&error),
        }
        self.settle(job, attempt);
    }

    /// Finishes an exchange, and the equal ones that wait for it.
    fn settle(&mut self, job: PendingExchange, attempt: Attempt) {
        let mut others = if job.kept() { self.shared.remove(&job.key).unwrap_or_default() } else { Vec::new() };
        if attempt.timed_out && !others.is_empty() {
            // the waiting exchanges have their own time limits, so the first of them is asked for all
            let next = others.remove(0);
            self.shared.insert(next.key, others);
            self.queue.push(Reverse(next));
        } else {
            for other in others {
                match &attempt.result {
                    Ok(reply) => self.hit(other, reply.clone()),
                    Err(failure) => {
                        let (result, timing) = (Err(failure.clone()), Timing::default());
                        self.done.push(FinishedExchange { exchange: other.exchange, key: other.key, result, timing });
                    }
                }
            }
        }
        let Attempt { result, timing, .. } = attempt;
        self.done.push(FinishedExchange { exchange: job.exchange, key: job.key, result, timing });
    }
}
