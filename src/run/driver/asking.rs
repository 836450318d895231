//! One exchange with its agent: tries, waits between them, and the time limit around all of it.

use crate::{
    agent::{Agent, CallContext},
    error::{Fault, FaultKind},
    exchange::{Reply, Request},
    run::{
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

/// The request, its agent, and its limits.
pub(super) struct AgentCall {
    pub agent: Arc<dyn Agent>,
    pub path: String,
    pub request: Request,
    pub asking: CallContext,
    pub retries: Option<u32>,
    /// The time at which the wait ends, and the limit that set it.
    pub until: Option<(Instant, Duration)>,
    pub progress: Arc<dyn Progress>,
}

/// The result.
pub(super) struct Attempt {
    pub result: Result<Reply, Fault>,
    pub timing: Timing,
    /// Its own limit ended it: who asks the same with time left may still be answered.
    pub timed_out: bool,
}

/// Asks until there is a reply, a failure that will not pass, or no try or time left.
pub(super) async fn ask(question: AgentCall) -> Attempt {
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
        Ok(result) => Attempt { result, timing, timed_out: false },
        Err(limit) => {
            let result = Err(Fault::failed(format!("not answered within {}", seconds(limit))));
            Attempt { result, timing, timed_out: true }
        }
    }
}

async fn tries(question: AgentCall, attempts: &mut u32) -> Result<Reply, Fault> {
    let AgentCall { agent, path, request, asking, retries, progress, .. } = question;
    let most = retries.unwrap_or_else(|| agent.retries());
    loop {
        *attempts += 1;
        // an agent must not panic; if one does, it is one exchange that fails, not the run
        let asked = AssertUnwindSafe(agent.ask(request.clone(), asking.clone())).catch_unwind().await;
        let name = &agent.card().name;
        let fault = match asked {
            Ok(Ok(reply)) => return fitting(&request, reply, name),
            Ok(Err(fault)) => fault,
            Err(_) => return Err(Fault::failed(format!("{name} panicked; this is a bug"))),
        };
        let FaultKind::Passing { retry_after, is_unreachable } = fault.kind else { return Err(lasting(fault, name)) };
        let message = fault.to_string();
        if *attempts > most {
            let times = if *attempts > 1 { format!(" (asked {attempts} times)") } else { String::new() };
            let kind = if is_unreachable { FaultKind::Model } else { FaultKind::Failed };
            return Err(Fault { kind, message: format!("{}{times}", fault.message), ..fault });
        }
        let wait = pause(&path, *attempts).max(retry_after.unwrap_or_default());
        progress.event(Event::Retrying { path: path.to_string(), attempt: *attempts, wait, why: message.clone() });
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

/// A failure that a retry cannot repair, as one of this exchange: an agent that gives up has not cancelled the run.
fn lasting(fault: Fault, name: &str) -> Fault {
    match fault.kind {
        FaultKind::Cancelled => Fault::failed(format!("{name} gave up the exchange")),
        FaultKind::Media | FaultKind::Model => fault,
        _ => Fault { kind: FaultKind::Failed, ..fault },
    }
}

/// A reply that does not fit its request is a fault of the agent, caught before a step sees it.
fn fitting(request: &Request, reply: Reply, name: &str) -> Result<Reply, Fault> {
    match request.fits(&reply) {
        Ok(()) => Ok(reply),
        Err(why) => Err(Fault::failed(format!("the reply does not fit the request: {why}")).of(name)),
    }
}
