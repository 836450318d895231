//! One OS thread for each loaded model; async code holds a cheap handle. Waiting jobs of one group are answered in one
//! call of the model, up to a limit.

use super::{
    failed,
    guard::guarded,
    is_out_of_memory,
    job::{Job, Model},
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

fn serve(mut model: Box<dyn Model>, mut channel: mpsc::Receiver<Job>, limits: WorkerLimits, name: &str) {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match channel.blocking_recv() {
                Some(job) => waiting.push_back(job),
                None => return,
            }
        }
        while let Ok(job) = channel.try_recv() {
            waiting.push_back(job);
        }
        let jobs = gather(&mut waiting, limits.batch.max(1));
        if jobs.is_empty() {
            continue;
        }
        tracing::debug!(jobs = jobs.len(), group = jobs[0].group(), waiting = waiting.len(), "one call");
        let backs: Vec<_> = jobs.iter().map(Job::back).collect();
        if let Err(why) = guarded(|| model.answer(jobs)) {
            for back in backs {
                let fault = match is_out_of_memory(&why) {
                    true => failed(&why).of(name),
                    false => Fault::model(format!("{name} could not answer: it panicked: {why}")),
                };
                back.send(Err(fault));
            }
        }
    }
}

/// The oldest job whose caller still waits, and later ones of its group, in order of arrival, up to `max_jobs`.
fn gather(waiting: &mut VecDeque<Job>, max_jobs: usize) -> Vec<Job> {
    waiting.retain(|job| !job.gone());
    let Some(first) = waiting.pop_front() else { return Vec::new() };
    let group = first.group();
    let mut jobs = vec![first];
    let mut rest = VecDeque::new();
    while let Some(job) = waiting.pop_front() {
        if jobs.len() < max_jobs && job.group() == group { jobs.push(job) } else { rest.push_back(job) }
    }
    *waiting = rest;
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exchange::{EmbedRequest, Item, Reply, Request},
        infer::job::Input,
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
