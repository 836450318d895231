//! `elenchus try --n`: several replies to one request.

use super::{
    Exit,
    out::Out,
    try_one::failure,
    try_reply::{as_json, as_text},
};
use crate::{
    agent::{self, Agent, CallContext},
    error::Fault,
    exchange::Request,
};
use serde_json::{Value as Json, json};

/// Asks for `n` replies at once, which share one batch. Each has its own seed, from `seed` on. `schema` adds the values
/// of replies that fit one.
pub(super) async fn ask_several(
    agent: &dyn Agent,
    request: &Request,
    (n, seed): (u64, u64),
    schema: bool,
    out: &Out,
) -> Result<Exit, Fault> {
    let ask = |n: u64| {
        let context = CallContext { seed: seed.wrapping_add(n), stream: None, ..CallContext::default() };
        agent::ask_alone(agent, request.clone(), context)
    };
    let replies = futures_util::future::try_join_all((0..n).map(ask)).await;
    let replies = replies.map_err(|fault| failure(agent, fault))?;
    if out.json {
        let replies: Vec<Json> = replies.iter().map(|reply| as_json(reply, schema)).collect();
        out.value(&json!({ "replies": replies }))?;
    } else {
        out.text(replies.iter().map(|reply| as_text(reply, usize::MAX)).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(Exit::Answered)
}
