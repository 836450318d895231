//! One exchange with its agent: tries, waits between them, and the time limit around all of it.

use crate::{
    agent::{Agent, AgentError, Asking},
    exchange::{Reply, Request},
    run::{
        machine::{Failure, FailureKind},
        outcome::seconds,
        progress::{Event, Progress},
        transcript::Timing,
    },
};
use futures_util::FutureExt;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The first wait after a passing failure; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait that we choose ourselves.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What is asked of whom, and within what limits.
pub(super) struct Question {
    pub agent: Arc<dyn Agent>,
    pub path: String,
    pub request: Request,
    pub asking: Asking,
    pub retries: Option<u32>,
    /// The moment after which nobody waits any more, and the limit that set it.
    pub until: Option<(Instant, Duration)>,
    pub progress: Arc<dyn Progress>,
}

/// What came of it.
pub(super) struct Came {
    pub result: Result<Reply, Failure>,
    pub timing: Timing,
    /// Its own limit ended it: who asks the same with time left may still be answered.
    pub timed_out: bool,
}

/// Asks until there is a reply, a failure that will not pass, or no try or time left.
pub(super) async fn ask(question: Question) -> Came {
    let begun = Instant::now();
    let mut attempts = 0;
    let until = question.until;
    let tries = tries(question, &mut attempts);
    let result = match until {
        Some((moment, limit)) => tokio::time::timeout_at(moment, tries).await.map_err(|_| limit),
        None => Ok(tries.await),
    };
    let elapsed_ms = begun.elapsed().as_millis() as u64;
    let timing = Timing { memo_hit: false, elapsed_ms, attempts };
    match result {
        Ok(result) => Came { result, timing, timed_out: false },
        Err(limit) => {
            let result = Err(Failure::failed(format!("not answered within {}", seconds(limit))));
            Came { result, timing, timed_out: true }
        }
    }
}

async fn tries(question: Question, attempts: &mut u32) -> Result<Reply, Failure> {
    let Question { agent, path, request, asking, retries, progress, .. } = question;
    let most = retries.unwrap_or_else(|| agent.retries());
    loop {
        *attempts += 1;
        // an agent must not panic; if one does, it is one exchange that fails, not the run
        let asked = AssertUnwindSafe(agent.ask(request.clone(), asking.clone())).catch_unwind().await;
        let name = &agent.card().name;
        let (message, retry_after) = match asked {
            Ok(Ok(reply)) => return fitting(&request, reply, name),
            Ok(Err(AgentError::Passing { message, retry_after })) => (message, retry_after),
            Ok(Err(error)) => return Err(lasting(error, name)),
            Err(_) => return Err(Failure::failed(format!("{name} panicked; this is a bug"))),
        };
        if *attempts > most {
            let times = if *attempts > 1 { format!(" (asked {attempts} times)") } else { String::new() };
            return Err(Failure::failed(format!("{message}{times}")));
        }
        let wait = pause(&path, *attempts).max(retry_after.unwrap_or_default());
        progress.event(Event::Retrying { path: &path, attempt: *attempts, wait, why: &message });
        tracing::debug!(%path, attempt = *attempts, ?wait, %message, "asking again");
        tokio::time::sleep(wait).await;
    }
}

/// The wait after a try: doubling, and between half and all of it by the exchange's own path, so that many that failed
/// together do not come back together.
fn pause(path: &str, attempt: u32) -> Duration {
    let full = FIRST_WAIT.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_WAIT);
    let hash = blake3::hash(&[path.as_bytes(), &attempt.to_le_bytes()].concat());
    let chance = f64::from(hash.as_bytes()[0]) / 255.0;
    full.mul_f64(0.5 + chance / 2.0)
}

fn lasting(error: AgentError, name: &str) -> Failure {
    let kind = match &error {
        AgentError::Media(_) => FailureKind::Media,
        AgentError::Model(_) => FailureKind::Model,
        _ => FailureKind::Failed,
    };
    let message = match error {
        AgentError::Cancelled => format!("{name} gave up the exchange"),
        other => other.to_string(),
    };
    Failure { kind, message }
}

/// A reply of another kind, or with another number of candidates, is a fault of the agent, caught before a step sees it.
fn fitting(request: &Request, reply: Reply, name: &str) -> Result<Reply, Failure> {
    let fits = match (request, &reply) {
        (Request::Rank { among, .. }, Reply::Rank(scores)) => among.len() == scores.len(),
        (Request::Say { .. }, Reply::Say { .. })
        | (Request::Hear { .. }, Reply::Hear(_))
        | (Request::Embed { .. }, Reply::Embed(_))
        | (Request::Frames { .. }, Reply::Frames(_)) => true,
        _ => false,
    };
    if fits { Ok(reply) } else { Err(Failure::failed(format!("{name} answered something that was not asked"))) }
}
