//! One OS thread for each loaded model; async code holds a cheap handle. Waiting jobs of one group are answered in one
//! call of the model, up to a limit. Replies that a model writes in steps are different: waiting jobs join between two
//! steps, up to the same limit.

use super::{
    failed,
    guard::guarded,
    is_out_of_memory,
    job::{Job, Model, ReplySender},
};
use crate::error::Fault;
use std::collections::VecDeque;
use tokio::sync::{mpsc, oneshot, watch};

/// The settings of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerLimits {
    /// The maximum jobs in one call of the model.
    pub batch: usize,
    /// The maximum jobs that may wait; further callers wait before they send. The default is two batches: one forms
    /// while another computes. A longer queue would only hold more pixels in memory.
    pub queue: usize,
}

impl Default for WorkerLimits {
    fn default() -> WorkerLimits {
        WorkerLimits { batch: 16, queue: 32 }
    }
}

/// The sending side of a model's thread.
#[derive(Debug, Clone)]
pub struct Worker {
    jobs: mpsc::Sender<Job>,
    name: String,
    /// Closed when the thread has ended and the model is freed.
    ended: watch::Receiver<()>,
}

impl Worker {
    /// Starts the thread and loads the model on it. Returns when the model is loaded. Fails if loading fails or panics.
    pub async fn start(
        name: &str,
        limits: WorkerLimits,
        load: impl FnOnce() -> Result<Box<dyn Model>, Fault> + Send + 'static,
    ) -> Result<Worker, Fault> {
        let (jobs, waiting) = mpsc::channel(limits.queue.max(1));
        let (ready, loaded) = oneshot::channel();
        let (alive, ended) = watch::channel(());
        let worker = Worker { jobs, name: name.to_owned(), ended };
        let name_there = name.to_owned();
        let run = move || {
            match guarded(load) {
                Ok(Ok(model)) => {
                    if ready.send(Ok(())).is_ok() {
                        serve(model, waiting, limits, &name_there);
                    }
                }
                Ok(Err(error)) => drop(ready.send(Err(error))),
                Err(why) => drop(ready.send(Err(Fault::model(format!("loading panicked: {why}"))))),
            };
            drop(alive);
        };
        std::thread::Builder::new()
            .name(format!("model {name}"))
            .stack_size(8 << 20)
            .spawn(run)
            .map_err(|e| Fault::model(format!("{name}: the model's thread cannot be started: {e}")))?;
        loaded.await.map_err(|_| Fault::model(format!("{name}: the loading thread ended")))??;
        Ok(worker)
    }

    /// Waits for a place in the queue and puts the job there. Fails if the thread has ended.
    pub async fn send(&self, job: Job) -> Result<(), Fault> {
        self.jobs.send(job).await.map_err(|_| Fault::model(format!("{}: the model's thread has ended", self.name)))
    }

    /// Ends the thread after the waiting jobs, and waits until the model is freed. Other clones must be dropped.
    pub async fn stop(self) {
        let Worker { jobs, mut ended, .. } = self;
        drop(jobs);
        // nothing is ever sent, so this ends when the thread drops its side
        while ended.changed().await.is_ok() {}
    }

    /// The error for a caller whose job was dropped without a reply.
    pub fn dropped(&self) -> Fault {
        Fault::model(format!("{} could not answer: the request was dropped", self.name))
    }
}

/// The loop of a model's thread.
struct Desk<'a> {
    model: Box<dyn Model>,
    limits: WorkerLimits,
    name: &'a str,
    waiting: VecDeque<Job>,
    /// The jobs that the model writes in steps.
    written: Vec<ReplySender>,
    /// The number of jobs that the model still has of them.
    left: usize,
}

fn serve(model: Box<dyn Model>, mut channel: mpsc::Receiver<Job>, limits: WorkerLimits, name: &str) {
    let mut desk = Desk { model, limits, name, waiting: VecDeque::new(), written: Vec::new(), left: 0 };
    loop {
        if desk.waiting.is_empty() && desk.left == 0 {
            match channel.blocking_recv() {
                Some(job) => desk.waiting.push_back(job),
                None => return,
            }
        }
        while desk.waiting.len() < limits.queue.max(1)
            && let Ok(job) = channel.try_recv()
        {
            desk.waiting.push_back(job);
        }
        desk.begin();
        desk.step();
    }
}

impl Desk<'_> {
    /// Begins the oldest waiting job, and others with it: they join the jobs that are written, or are answered now.
    fn begin(&mut self) {
        self.waiting.retain(|job| !job.gone());
        let Some(first) = self.waiting.front() else { return };
        let (group, batch) = (first.group(), self.limits.batch.max(1));
        let mut writer = self.model.writer();
        let writes = |job: &Job| writer.as_deref().is_some_and(|writer| writer.writes(job));
        let joins = writes(first);
        let most = if joins { batch.saturating_sub(self.left) } else { batch };
        let jobs = gather(&mut self.waiting, most, |job| writes(job) == joins && (joins || job.group() == group));
        if jobs.is_empty() {
            return;
        }
        tracing::debug!(jobs = jobs.len(), group, joins, beside = self.left, waiting = self.waiting.len(), "one call");
        let backs: Vec<_> = jobs.iter().map(Job::back).collect();
        let done = match writer.as_mut().filter(|_| joins) {
            Some(writer) => guarded(|| writer.join(jobs)),
            None => guarded(|| self.model.answer(jobs)),
        };
        match done {
            Ok(()) if joins => {
                self.left += backs.len();
                self.written.extend(backs);
            }
            Ok(()) => {}
            Err(why) => self.panicked(&why, backs),
        }
    }

    /// One step of the replies that are written.
    fn step(&mut self) {
        let Some(writer) = self.model.writer().filter(|_| self.left > 0) else { return };
        match guarded(|| writer.step()) {
            Ok(left) => {
                self.left = left;
                self.written.retain(|back| !back.gone());
            }
            Err(why) => {
                self.left = 0;
                let open = std::mem::take(&mut self.written);
                self.panicked(&why, open);
            }
        }
    }

    /// Answers jobs after a panic.
    fn panicked(&self, why: &str, backs: Vec<ReplySender>) {
        for back in backs {
            let fault = match is_out_of_memory(why) {
                true => failed(why).of(self.name),
                false => Fault::model(format!("{} could not answer: it panicked: {why}", self.name)),
            };
            back.send(Err(fault));
        }
    }
}

/// The oldest jobs that `fits` accepts, in order of arrival, up to `most`.
fn gather(waiting: &mut VecDeque<Job>, most: usize, fits: impl Fn(&Job) -> bool) -> Vec<Job> {
    let (mut jobs, mut rest) = (Vec::new(), VecDeque::new());
    while let Some(job) = waiting.pop_front() {
        if jobs.len() < most && fits(&job) { jobs.push(job) } else { rest.push_back(job) }
    }
    *waiting = rest;
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exchange::{EmbedRequest, Item, Reply, Request},
        infer::job::{Input, StepWriter},
    };
    use std::sync::mpsc as blocking;

    /// Answers with the number of jobs in the call. It reports the start of each call, then waits for a permit. It
    /// panics on the text "panic".
    struct Counting {
        begun: mpsc::UnboundedSender<()>,
        permits: blocking::Receiver<()>,
    }
    impl Model for Counting {
        fn answer(&mut self, jobs: Vec<Job>) {
            self.begun.send(()).ok();
            self.permits.recv().ok();
            let count = jobs.len() as f32;
            for job in jobs {
                if let Some(Input::Text(text)) = job.subject() {
                    assert!(text != "panic", "told to panic");
                    assert!(text != "full", "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
                }
                job.answer(Ok(Reply::Embed(vec![count])));
            }
        }
    }

    fn job(what: &str) -> (Job, oneshot::Receiver<Result<Reply, Fault>>) {
        let request = Request::Embed(EmbedRequest::new(Item::Text(what.to_owned())));
        Job::new(request, vec![Input::Text(what.to_owned())], 0, None)
    }

    async fn counting(batch: usize) -> (Worker, blocking::Sender<()>, mpsc::UnboundedReceiver<()>) {
        let (permit, permits) = blocking::channel();
        let (begun, calls) = mpsc::unbounded_channel();
        let load = move || Ok(Box::new(Counting { begun, permits }) as Box<dyn Model>);
        let worker = Worker::start("counting", WorkerLimits { batch, queue: 8 }, load).await.unwrap();
        (worker, permit, calls)
    }

    #[tokio::test]
    async fn waiting_jobs_become_one_call_and_cancelled_ones_are_skipped() {
        let (worker, permits, mut calls) = counting(3).await;
        let mut answers = Vec::new();
        for n in 0..7 {
            let (asked, answer) = job("x");
            worker.send(asked).await.unwrap();
            if n != 5 {
                answers.push(answer); // the sixth caller leaves at once
            }
            if n == 0 {
                permits.send(()).unwrap();
                let first = answers.remove(0).await.unwrap().unwrap();
                assert_eq!(first, Reply::Embed(vec![1.0]));
                calls.recv().await;
                // Keep the thread busy with one call, so that the other jobs wait together.
                let (asked, answer) = job("x");
                worker.send(asked).await.unwrap();
                calls.recv().await;
                answers.push(answer);
            }
        }
        for _ in 0..3 {
            permits.send(()).unwrap();
        }
        let mut counts = Vec::new();
        for answer in answers {
            counts.push(answer.await.unwrap().unwrap());
        }
        assert_eq!(counts, [1.0, 3.0, 3.0, 3.0, 2.0, 2.0].map(|n| Reply::Embed(vec![n])));
    }

    /// Answers each text after as many steps as the text states, with the largest number of jobs that it had beside others.
    /// "panic" panics in its first step. It tells of each step before it waits for a permit.
    struct Stepping {
        open: Vec<(Job, usize, usize)>,
        begun: mpsc::UnboundedSender<()>,
        permits: blocking::Receiver<()>,
    }
    impl Model for Stepping {
        fn answer(&mut self, jobs: Vec<Job>) {
            jobs.into_iter().for_each(|job| job.answer(Ok(Reply::Embed(vec![-1.0]))));
        }
        fn writer(&mut self) -> Option<&mut dyn StepWriter> {
            Some(self)
        }
    }
    impl StepWriter for Stepping {
        fn writes(&self, job: &Job) -> bool {
            !matches!(job.subject(), Some(Input::Text(text)) if text == "now")
        }
        fn join(&mut self, jobs: Vec<Job>) {
            for job in jobs {
                let Some(Input::Text(text)) = job.subject() else { panic!("no text") };
                let steps = text.parse().unwrap_or(0);
                self.open.push((job, steps, 0));
            }
        }
        fn step(&mut self) -> usize {
            self.begun.send(()).ok();
            self.permits.recv().ok();
            let mut open = std::mem::take(&mut self.open);
            open.retain(|(job, ..)| !job.gone());
            let count = open.len();
            for (job, left, most) in open {
                let panics = matches!(job.subject(), Some(Input::Text(text)) if text == "panic");
                assert!(!panics, "told to panic");
                let most = most.max(count);
                match left {
                    0 | 1 => job.answer(Ok(Reply::Embed(vec![most as f32]))),
                    _ => self.open.push((job, left - 1, most)),
                }
            }
            self.open.len()
        }
    }

    #[tokio::test]
    async fn jobs_join_between_steps_and_leave_alone() {
        let ((permit, permits), (begun, mut steps)) = (blocking::channel(), mpsc::unbounded_channel());
        let load = move || Ok(Box::new(Stepping { open: Vec::new(), begun, permits }) as Box<dyn Model>);
        let worker = Worker::start("stepping", WorkerLimits { batch: 2, queue: 8 }, load).await.unwrap();
        let step = || permit.send(()).unwrap();
        // the receiver is in a tuple, because an async block should not yield something to await
        let ask = async |what: &str| {
            let (asked, answer) = job(what);
            worker.send(asked).await.unwrap();
            (answer,)
        };
        let (long,) = ask("4").await;
        steps.recv().await;
        // these come during the first step; the batch has room for one of them at a time
        let ((first,), (now,), (second,)) = (ask("2").await, ask("now").await, ask("1").await);
        (0..4).for_each(|_| step());
        let number = |reply: Result<Reply, Fault>| match reply {
            Ok(Reply::Embed(numbers)) => numbers[0],
            other => panic!("{other:?}"),
        };
        assert_eq!(number(first.await.unwrap()), 2.0);
        assert_eq!(number(now.await.unwrap()), -1.0);
        assert_eq!(number(second.await.unwrap()), 2.0);
        assert_eq!(number(long.await.unwrap()), 2.0);
        // a panic fails the jobs that are open, and no later one
        let (panics,) = ask("panic").await;
        step();
        assert!(panics.await.unwrap().expect_err("a panic").to_string().contains("told to panic"));
        let (gone,) = ask("9").await;
        drop(gone);
        let (last,) = ask("1").await;
        (0..2).for_each(|_| step());
        assert_eq!(number(last.await.unwrap()), 1.0);
        drop(permit);
    }

    #[tokio::test]
    async fn a_panic_fails_its_request_only() {
        let (worker, permits, _calls) = counting(1).await;
        let ask = async |what: &str| {
            let (asked, answer) = job(what);
            worker.send(asked).await.unwrap();
            permits.send(()).unwrap();
            answer.await.unwrap().map_err(|e| e.to_string())
        };
        assert_eq!(ask("panic").await, Err("counting could not answer: it panicked: told to panic".to_owned()));
        assert_eq!(ask("fine").await, Ok(Reply::Embed(vec![1.0])));
        // what a driver reports by a panic
        let full = ask("full").await.expect_err("no memory");
        assert!(full.starts_with("counting: the device has no memory left for this request"), "{full}");
        assert_eq!(ask("fine").await, Ok(Reply::Embed(vec![1.0])));
    }
}
