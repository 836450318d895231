//! One exchange with its agent: the attempts, the waits between them, and the time limit of all together.

use crate::{
    agent::{Agent, CallContext},
    error::{Fault, FaultKind},
    exchange::{Reply, Request},
    run::{
        outcome::seconds,
        progress::{Event, Progress},
        transcript::Timing,
    },
    telemetry,
};
use futures_util::FutureExt;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::Instant;
use tracing::Instrument;

/// The first wait after a passing fault; each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait, unless a server requests a longer one.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The request, its agent, and its limits.
pub(super) struct AgentCall {
    pub agent: Arc<dyn Agent>,
    pub path: String,
    pub request: Request,
    pub asking: CallContext,
    pub retries: Option<u32>,
    /// The time at which the wait ends, and the limit that determines it.
    pub until: Option<(Instant, Duration)>,
    pub progress: Arc<dyn Progress>,
}

/// The result of all attempts.
pub(super) struct Attempt {
    pub result: Result<Reply, Fault>,
    pub timing: Timing,
    /// True if its own time limit ended it. An equal exchange with time left may still get a reply.
    pub timed_out: bool,
}

/// Asks until there is a reply or a lasting fault, or until the retries or the time are used up.
pub(super) async fn ask(question: AgentCall) -> Attempt {
    let span = telemetry::exchange_span(question.agent.card(), &question.request, &question.path, question.asking.seed);
    let attempt = attempt(question).instrument(span.clone()).await;
    telemetry::exchange_ended(&span, &attempt.result, attempt.timing.attempts);
    attempt
}

async fn attempt(question: AgentCall) -> Attempt {
    let begun = Instant::now();
    let mut attempts = 0;
    let until = question.until;
    let who = if matches!(question.request, Request::AskUser(_)) { "the user" } else { "the agent" };
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
            let result = Err(Fault::failed(format!("{who} did not answer within {}", seconds(limit))));
            Attempt { result, timing, timed_out: true }
        }
    }
}

async fn tries(question: AgentCall, attempts: &mut u32) -> Result<Reply, Fault> {
    let AgentCall { agent, path, request, asking, retries, progress, .. } = question;
    let max_retries = retries.unwrap_or_else(|| agent.retries());
    loop {
        *attempts += 1;
        // an agent must not panic; if one does, only its exchange fails
        let asked = AssertUnwindSafe(agent.ask(request.clone(), asking.clone())).catch_unwind().await;
        let name = &agent.card().name;
        let fault = match asked {
            Ok(Ok(reply)) => return fitting(&request, reply, name),
            Ok(Err(fault)) => fault,
            Err(_) => return Err(Fault::failed(format!("{name} panicked; this is a bug"))),
        };
        let FaultKind::Passing { retry_after, is_unreachable } = fault.kind else { return Err(lasting(fault, name)) };
        let message = fault.to_string();
        if *attempts > max_retries {
            let times = if *attempts > 1 { format!(" (asked {attempts} times)") } else { String::new() };
            let kind = if is_unreachable { FaultKind::Model } else { FaultKind::Failed };
            return Err(Fault { kind, message: format!("{}{times}", fault.message), ..fault }.of(name));
        }
        let wait = pause(&path, *attempts).max(retry_after.unwrap_or_default());
        progress.event(Event::Retrying { path: path.to_string(), attempt: *attempts, wait, why: message.clone() });
        tracing::debug!(%path, attempt = *attempts, ?wait, %message, "asking again");
        tokio::time::sleep(wait).await;
    }
}

/// The wait after an attempt. It doubles each time and is reduced by up to half, depending on the path, so that
/// exchanges that failed together are not retried together.
fn pause(path: &str, attempt: u32) -> Duration {
    let full = FIRST_WAIT.saturating_mul(1 << (attempt - 1).min(16)).min(MAX_WAIT);
    let hash = blake3::hash(&[path.as_bytes(), &attempt.to_le_bytes()].concat());
    let chance = f64::from(hash.as_bytes()[0]) / 255.0;
    full.mul_f64(0.5 + chance / 2.0)
}

/// A fault that a retry cannot repair, as a fault of this exchange. An agent that cancels its own request does not
/// cancel the run.
fn lasting(fault: Fault, name: &str) -> Fault {
    match fault.kind {
        FaultKind::Cancelled => Fault::failed(format!("{name} cancelled the request")),
        // the medium is at fault, not the agent that reads it
        FaultKind::Media => fault,
        FaultKind::Model | FaultKind::Weights => fault.of(name),
        _ => Fault { kind: FaultKind::Failed, ..fault }.of(name),
    }
}

/// Checks that the reply fits the request, before a step reads it. A reply that does not fit is a fault of the agent.
fn fitting(request: &Request, reply: Reply, name: &str) -> Result<Reply, Fault> {
    match request.fits(&reply) {
        Ok(()) => Ok(reply),
        Err(why) => Err(Fault::failed(format!("the reply does not fit the request: {why}")).of(name)),
    }
}
