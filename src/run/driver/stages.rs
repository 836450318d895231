//! The stages of an exchange: looked up, queued, asked, committed, answered.

use super::{
    Agents,
    asking::{Came, Question, ask},
};
use crate::{
    agent::{Agent, Asking, roster},
    error::Fault,
    exchange::Reply,
    media::Store,
    run::{
        machine::Exchange,
        outcome::RunError,
        progress::{Event, Progress},
        transcript::{ExchangeLine, Timing},
    },
    store::memo::{self, Entry, Key, Medium, Memo, MemoError},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc::UnboundedSender, time::Instant};

/// Longest wait of a stopped run for commits under way.
const LAST_COMMITS: Duration = Duration::from_secs(10);

/// The means of the stages.
pub(super) struct Means {
    pub agents: Agents,
    pub at_once: usize,
    pub memo: Option<Memo>,
    pub fresh: bool,
    pub stream: Option<(String, UnboundedSender<String>)>,
    pub store: Option<Arc<Store>>,
    pub progress: Arc<dyn Progress>,
    pub run: Arc<str>,
    /// The media that the run was given.
    pub media: Arc<[Medium]>,
}

/// An exchange that is over.
pub(super) struct Answered {
    pub exchange: Exchange,
    key: Key,
    pub result: Result<Reply, Fault>,
    pub timing: Timing,
}

impl Answered {
    /// Its line in the transcript, and what the machine wants.
    pub fn into_line(self) -> (ExchangeLine, Result<Reply, Fault>) {
        let Exchange { path, role, request, seed, .. } = self.exchange;
        let (reply, error) = match &self.result {
            Ok(reply) => (Some(reply.clone()), None),
            Err(failure) => (None, Some(failure.clone())),
        };
        let line = ExchangeLine { path, role, request, reply, error, seed, key: self.key.hex(), timing: self.timing };
        (line, self.result)
    }
}

/// An exchange under way.
struct Job {
    exchange: Exchange,
    key: Key,
    agent: Arc<dyn Agent>,
}

impl Job {
    /// True if its reply may be kept and shared.
    fn kept(&self) -> bool {
        self.agent.card().memo
    }
}

// the queue is in plan order: what comes first in the dialogue is asked first
impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.exchange.order == other.exchange.order
    }
}
impl Eq for Job {}
impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Job {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.exchange.order.cmp(&other.exchange.order)
    }
}

type Commit = Result<(), MemoError>;

pub(super) struct Stages {
    means: Means,
    queue: BinaryHeap<Reverse<Job>>,
    asking: FuturesUnordered<BoxFuture<'static, (Job, Came)>>,
    committing: FuturesUnordered<BoxFuture<'static, (Job, Came, Commit)>>,
    /// Jobs that wait until their agent is ready, by role. `awake` has the ready roles, `waking` those being made ready.
    asleep: HashMap<String, Vec<Job>>,
    awake: HashSet<String>,
    waking: FuturesUnordered<BoxFuture<'static, (String, Result<(), Fault>)>>,
    /// Why an agent will never be ready.
    unready: Option<RunError>,
    /// Questions under way, with those who asked the same after.
    shared: HashMap<Key, Vec<Job>>,
    /// The start of the first exchange of a task with a limit.
    begun: HashMap<u64, Instant>,
    /// The exchanges that a fresh run has already asked.
    own: HashSet<Key>,
    done: Vec<Answered>,
    memo_failed: bool,
}

impl Stages {
    pub fn new(means: Means) -> Stages {
        Stages {
            means,
            queue: BinaryHeap::new(),
            asking: FuturesUnordered::new(),
            committing: FuturesUnordered::new(),
            asleep: HashMap::new(),
            awake: HashSet::new(),
            waking: FuturesUnordered::new(),
            unready: None,
            shared: HashMap::new(),
            begun: HashMap::new(),
            own: HashSet::new(),
            done: Vec::new(),
            memo_failed: false,
        }
    }

    /// Takes in exchanges that are due: what the memo has is answered at once, the rest is asked as there is room.
    pub async fn add(&mut self, due: Vec<Exchange>) {
        let mut jobs = Vec::with_capacity(due.len());
        for exchange in due {
            match self.means.agents.get(&exchange.role).cloned() {
                Some(agent) => {
                    let key = Key::of(agent.card(), &exchange.request, exchange.seed);
                    jobs.push(Job { exchange, key, agent });
                }
                None => {
                    let result = Err(Fault::failed(format!("no agent plays the role `{}`", exchange.role)));
                    self.done.push(Answered { exchange, key: Key([0; 32]), result, timing: Timing::default() });
                }
            }
        }
        let found = self.look_up(&jobs).await;
        for job in jobs {
            match found.get(&job.key).filter(|_| job.kept()) {
                // a kept reply that does not answer the request was kept for another one
                Some(reply) if job.exchange.request.fits(reply).is_ok() => self.hit(job, reply.clone()),
                _ => self.join_or_queue(job),
            }
        }
        self.begin();
    }

    async fn look_up(&mut self, jobs: &[Job]) -> HashMap<Key, Reply> {
        let Some(memo) = self.means.memo.clone() else { return HashMap::new() };
        let wanted = |job: &&Job| job.kept() && (!self.means.fresh || self.own.contains(&job.key));
        let keys: Vec<Key> = jobs.iter().filter(wanted).map(|job| job.key).collect();
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

    /// A failing memo does not fail the run. The user reads of it once; the readable part is still read.
    fn memo_failed(&mut self, error: &MemoError) {
        if !std::mem::replace(&mut self.memo_failed, true) {
            let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            let why = format!("{error}{hint}");
            tracing::info!("{why}");
            self.means.progress.event(Event::MemoFailed { why });
        }
    }

    fn hit(&mut self, job: Job, reply: Reply) {
        let reply = job.exchange.request.in_own_terms(reply);
        if let (Some(stream), Some(text)) = (self.stream(&job.exchange), reply.text()) {
            let _ = stream.send(text.to_owned());
        }
        if let (Some(store), Reply::Frames(moments)) = (&self.means.store, &reply) {
            store.expect(moments);
        }
        let timing = Timing { memo_hit: true, elapsed_ms: 0, attempts: 0 };
        self.done.push(Answered { exchange: job.exchange, key: job.key, result: Ok(reply), timing });
    }

    fn join_or_queue(&mut self, job: Job) {
        if job.kept() {
            if let Some(others) = self.shared.get_mut(&job.key) {
                return others.push(job);
            }
            self.shared.insert(job.key, Vec::new());
        }
        if self.awake.contains(&job.exchange.role) { self.queue.push(Reverse(job)) } else { self.wake(job) }
    }

    /// Lets a job wait until its agent is ready. Its time limit begins after that: loading weights is not its fault.
    fn wake(&mut self, job: Job) {
        let role = &job.exchange.role;
        if let Some(others) = self.asleep.get_mut(role) {
            return others.push(job);
        }
        let (agent, role) = (job.agent.clone(), role.clone());
        self.waking.push(
            async move {
                let ready = AssertUnwindSafe(agent.ready()).catch_unwind().await;
                (role, ready.unwrap_or_else(|_| Err(Fault::failed("it panicked; this is a bug".to_owned()))))
            }
            .boxed(),
        );
        self.asleep.insert(job.exchange.role.clone(), vec![job]);
    }

    fn woken(&mut self, role: String, ready: Result<(), Fault>) {
        let jobs = self.asleep.remove(&role).unwrap_or_default();
        match ready {
            Ok(()) => {
                self.queue.extend(jobs.into_iter().map(Reverse));
                self.awake.insert(role);
            }
            Err(error) => {
                let agent = jobs.first().map_or(role.as_str(), |job| &job.agent.card().name);
                self.unready.get_or_insert(roster::unready(agent, error).into());
            }
        }
    }

    /// Begins what is queued, as far as there is room.
    fn begin(&mut self) {
        while self.asking.len() + self.committing.len() < self.means.at_once {
            let Some(Reverse(job)) = self.queue.pop() else { return };
            let question = self.question(&job);
            self.asking.push(async move { (job, ask(question).await) }.boxed());
        }
    }

    fn question(&mut self, job: &Job) -> Question {
        let exchange = &job.exchange;
        let now = Instant::now();
        let ends = exchange.limits.iter().map(|limit| {
            let begun = *self.begun.entry(limit.task).or_insert(now);
            (begun + limit.limit, limit.limit)
        });
        Question {
            until: ends.min(),
            agent: job.agent.clone(),
            path: exchange.path.clone(),
            request: exchange.request.clone(),
            asking: Asking { seed: exchange.seed, stream: self.stream(exchange) },
            retries: exchange.retries,
            progress: self.means.progress.clone(),
        }
    }

    fn stream(&self, exchange: &Exchange) -> Option<UnboundedSender<String>> {
        let (step, stream) = self.means.stream.as_ref()?;
        let wanted = *step == *exchange.step;
        wanted.then(|| stream.clone())
    }

    /// Waits until something is answered or asked again. False if nothing is under way at all; an error if an agent
    /// that is needed cannot get ready.
    pub async fn wait(&mut self) -> Result<bool, RunError> {
        tokio::select! {
            biased;
            Some((job, came, commit)) = self.committing.next() => self.committed(job, came, commit),
            Some((job, came)) = self.asking.next() => self.came(job, came),
            Some((role, ready)) = self.waking.next() => self.woken(role, ready),
            else => return Ok(false),
        }
        // everything else that is ready comes along: one turn of the machine for all of it
        while let Some(Some((job, came, commit))) = self.committing.next().now_or_never() {
            self.committed(job, came, commit);
        }
        while let Some(Some((job, came))) = self.asking.next().now_or_never() {
            self.came(job, came);
        }
        if let Some(unready) = self.unready.take() {
            return Err(unready);
        }
        self.begin();
        Ok(true)
    }

    /// The replies since the last call.
    pub fn answered(&mut self) -> Vec<Answered> {
        std::mem::take(&mut self.done)
    }

    /// Asks no more; waits for commits under way.
    pub async fn stop(&mut self) {
        self.queue.clear();
        self.asleep.clear();
        self.waking.clear();
        self.asking.clear();
        let last = async {
            while let Some((job, came, commit)) = self.committing.next().await {
                self.committed(job, came, commit);
            }
        };
        let _ = tokio::time::timeout(LAST_COMMITS, last).await;
    }

    /// An agent answered, or did not.
    fn came(&mut self, job: Job, came: Came) {
        match (&self.means.memo, &came.result) {
            (Some(memo), Ok(reply)) if job.kept() && !self.memo_failed => {
                let commit = memo.put(self.entry(&job, reply.clone(), came.timing.elapsed_ms));
                let commit = async move {
                    let commit = commit
                        .await
                        .unwrap_or_else(|_| Err(MemoError::other("the memo's thread has ended".to_owned())));
                    (job, came, commit)
                };
                self.committing.push(commit.boxed());
            }
            _ => self.settle(job, came),
        }
    }

    fn entry(&self, job: &Job, reply: Reply, elapsed_ms: u64) -> Entry {
        let exchange = &job.exchange;
        let own = memo::media(&exchange.request);
        Entry {
            key: job.key,
            identity: job.agent.card().identity.clone(),
            request: memo::request_digest(&exchange.request),
            kind: exchange.request.kind().word().to_owned(),
            seed: exchange.request.samples().then_some(exchange.seed),
            reply,
            media: if own.is_empty() { self.means.media.clone() } else { own.into() },
            elapsed_ms,
            run: self.means.run.clone(),
            path: exchange.path.clone(),
        }
    }

    fn committed(&mut self, job: Job, came: Came, commit: Commit) {
        match commit {
            Ok(()) if self.means.fresh => drop(self.own.insert(job.key)),
            Ok(()) => {}
            Err(error) => self.memo_failed(&error),
        }
        self.settle(job, came);
    }

    /// An exchange is over; so are those who asked the same.
    fn settle(&mut self, job: Job, came: Came) {
        let mut others = if job.kept() { self.shared.remove(&job.key).unwrap_or_default() } else { Vec::new() };
        if came.timed_out && !others.is_empty() {
            // they have limits of their own: the first of them asks for the rest
            let next = others.remove(0);
            self.shared.insert(next.key, others);
            self.queue.push(Reverse(next));
        } else {
            for other in others {
                match &came.result {
                    Ok(reply) => self.hit(other, reply.clone()),
                    Err(failure) => {
                        let (result, timing) = (Err(failure.clone()), Timing::default());
                        self.done.push(Answered { exchange: other.exchange, key: other.key, result, timing });
                    }
                }
            }
        }
        self.done.push(Answered { exchange: job.exchange, key: job.key, result: came.result, timing: came.timing });
    }
}
