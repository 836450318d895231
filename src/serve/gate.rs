//! Limits how many runs go on at the same time, and how many may wait.

use super::api_error::ApiError;
use axum::http::StatusCode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The wait that a refused client is told, in seconds.
const RETRY_AFTER_S: u64 = 2;

/// Admits runs. A run holds its [`Admission`] until it ends.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    queue: usize,
    patience: Duration,
}

/// The place of a run.
#[derive(Debug)]
pub(super) struct Admission {
    _place: OwnedSemaphorePermit,
}

/// Counts a waiting request as long as it waits.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Gate {
    /// A gate for this many runs, and this many waiting requests, each of which waits no longer than `patience`.
    pub(super) fn new(runs: usize, queue: usize, patience: Duration) -> Gate {
        Gate { places: Arc::new(Semaphore::new(runs.max(1))), waiting: Arc::default(), queue, patience }
    }

    /// A place, as soon as one is free. Fails with 429 if too many requests wait already, or if none gets free in time.
    pub(super) async fn enter(&self) -> Result<Admission, ApiError> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(Admission { _place: place });
        }
        let waiting = Waiting(self.waiting.clone());
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= self.queue {
            return Err(full());
        }
        let place = tokio::time::timeout(self.patience, self.places.clone().acquire_owned()).await;
        drop(waiting);
        match place {
            Ok(Ok(place)) => Ok(Admission { _place: place }),
            Ok(Err(_)) | Err(_) => Err(full()),
        }
    }

    /// The number of requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }
}

fn full() -> ApiError {
    let message = "the server is busy: too many questions wait already";
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", message)
        .retry_after(RETRY_AFTER_S)
        .hint("try again in a moment")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn more_than_the_queue_is_refused() {
        let gate = Gate::new(1, 1, Duration::from_secs(60));
        let first = gate.enter().await.expect("a free place");
        let second = gate.enter();
        tokio::pin!(second);
        // the second one waits, so there is no room for a third
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!(gate.waiting(), 1);
        assert_eq!(gate.enter().await.expect_err("no room").status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(gate.waiting(), 1, "a refused request does not wait");
        drop(first);
        assert!(second.await.is_ok());
        assert_eq!(gate.waiting(), 0);
    }

    #[tokio::test]
    async fn a_client_that_goes_away_waits_no_more() {
        let gate = Gate::new(1, 1, Duration::from_secs(60));
        let _first = gate.enter().await.expect("a free place");
        {
            let second = gate.enter();
            tokio::pin!(second);
            assert!(futures_util::poll!(&mut second).is_pending());
        }
        assert_eq!(gate.waiting(), 0);
    }
}
