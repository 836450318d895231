//! Explains why an exchange of a run was, or will be, a memo hit or not.

use super::transcript::{ExchangeLine, Transcript};
use crate::store::memo::{ENGINE, Memo, MemoError, MemoKey, request_digest};
use serde::Serialize;

/// The explanation of one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Its path in the run.
    pub path: String,
    /// Its memo key in hex.
    pub key: String,
    /// True if it was a memo hit in that run.
    pub hit: bool,
    /// True if the memo has its reply now.
    pub kept: bool,
    /// The parts of the key, and the reason why the memo has the reply or not.
    pub why: Vec<String>,
}

/// Explains the exchanges of one step of a recorded run, and those of its inner steps. Fails if the memo cannot be
/// read.
pub fn explain(memo: &Memo, transcript: &Transcript, step: &str) -> Result<Vec<Explained>, MemoError> {
    let step = spaced(step);
    let lines = transcript.exchanges.iter().filter(|line| belongs(&line.path, &step));
    lines.map(|line| one(memo, transcript, line)).collect()
}

/// The spelling of a path in transcripts: `log / place` for `log/place`.
fn spaced(step: &str) -> String {
    step.split('/').map(str::trim).collect::<Vec<_>>().join(" / ")
}

/// The steps with exchanges in a transcript, in order: paths without items, rounds and samples.
pub fn steps(transcript: &Transcript) -> Vec<String> {
    let bare = |part: &str| part.split(['[', ' ', '#']).next().unwrap_or_default().to_owned();
    let name = |path: &str| path.split(" / ").map(bare).collect::<Vec<_>>().join(" / ");
    let names: indexmap::IndexSet<String> = transcript.exchanges.iter().map(|line| name(&line.path)).collect();
    names.into_iter().collect()
}

/// True if the exchange at `path` belongs to `step`: `place[3]` belongs to `place` and to `place[3]`.
fn belongs(path: &str, step: &str) -> bool {
    path.strip_prefix(step).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', ' ']))
}

fn one(memo: &Memo, transcript: &Transcript, line: &ExchangeLine) -> Result<Explained, MemoError> {
    let role_record = transcript.header.cast.get(&line.role);
    let identity = role_record.map(|role_record| role_record.identity.clone()).unwrap_or_default();
    let key = MemoKey::from_hex(&line.key);
    let kept = match key {
        Some(key) => memo.get(key)?.is_some(),
        None => false,
    };
    let seed = if line.request.samples() {
        format!("seed {} (it samples)", line.seed)
    } else {
        "no seed (it does not sample)".to_owned()
    };
    let request = blake3::Hash::from(request_digest(&line.request)).to_hex();
    let mut why = vec![
        format!("engine {}", transcript.header.engine),
        format!(
            "agent {}: {identity}",
            role_record.map_or(line.role.as_str(), |role_record| role_record.agent.as_str())
        ),
        format!("request {}", &request[..16]),
        seed,
    ];
    match (kept, line.timing.memo_hit) {
        (true, true) => why.push("it was a memo hit in this run, and the memo still has the reply".to_owned()),
        (true, false) => why.push("this run asked the agent, and the memo has the reply now".to_owned()),
        (false, _) if line.error.is_some() => why.push("it failed; the memo does not keep failures".to_owned()),
        (false, _) => why.push(missing(memo, transcript, line, &identity)?),
    }
    Ok(Explained { path: line.path.clone(), key: line.key.clone(), hit: line.timing.memo_hit, kept, why })
}

/// Describes the nearest exchange in the memo and its difference.
fn missing(memo: &Memo, transcript: &Transcript, line: &ExchangeLine, identity: &str) -> Result<String, MemoError> {
    if transcript.header.engine != ENGINE {
        return Ok(format!("the run used engine {}, but this program is {ENGINE}", transcript.header.engine));
    }
    let near = memo.near(request_digest(&line.request), &line.path)?;
    Ok(match (near.same_request, near.same_path) {
        (Some((other, _)), _) if other != identity => {
            format!("the memo has this request, but from another agent, other weights or other settings: {other}")
        }
        (Some((_, Some(seed))), _) => format!("the memo has this request with another seed ({seed})"),
        (Some(_), _) => "the memo has this request under another key".to_owned(),
        (None, true) => "the memo has an exchange at this path, but with another request".to_owned(),
        (None, false) => "the memo has no similar exchange: its reply was never kept, or was purged".to_owned(),
    })
}
