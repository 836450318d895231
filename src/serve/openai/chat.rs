//! `/v1/chat/completions`: a chat with an agent or with a dialogue.

use super::{
    super::{
        api_error::ApiError,
        body::Read,
        state::SharedState,
        stream::{data, events},
    },
    chat_body::{ChatBody, ResponseFormat},
    dialogue,
    messages::{self, ReadMessage},
    models::DIALOGUES,
    parts::RequestMedia,
};
use crate::{
    agent::{self, Agent, CallContext, work::prompt_tokens},
    error::{Fault, FaultKind},
    exchange::{Finish, Reply, Request, SayReply, SayRequest},
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response, sse::Event},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as PlainJson, json};
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::Instrument;

/// The most replies of one request.
const MAX_REPLIES: u64 = 16;

/// A reply to a chat.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::serve) struct ChatReply {
    /// Its name.
    id: String,
    /// Always `chat.completion`.
    object: &'static str,
    /// When it was made, in s since 1970.
    created: u64,
    /// The model.
    model: String,
    /// The replies.
    choices: Vec<ChatChoice>,
    /// The number of tokens, if the model counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<TokenUsage>,
}

/// One reply.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ChatChoice {
    /// Its number.
    pub index: u64,
    /// The message.
    pub message: ReplyMessage,
    /// Why it ends: `stop` or `length`.
    pub finish_reason: &'static str,
    /// The log-probabilities of its tokens, if they were asked for.
    pub logprobs: Option<PlainJson>,
}

/// The message of a reply.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ReplyMessage {
    /// Always `assistant`.
    pub role: &'static str,
    /// The text.
    pub content: String,
    /// The thoughts before the text, if the model writes them apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// Always absent: replies are no refusals.
    pub refusal: Option<String>,
    /// For a dialogue: the whole value of its answer, with evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elenchus: Option<PlainJson>,
}

/// The number of tokens.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(super) struct TokenUsage {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the replies.
    pub completion_tokens: u64,
    /// Both together.
    pub total_tokens: u64,
}

/// Answers a chat.
pub(in crate::serve) async fn chat(
    State(state): State<SharedState>,
    Read(mut body): Read<ChatBody>,
) -> Result<Response, ApiError> {
    let mut media = RequestMedia::default();
    let read = messages::read(std::mem::take(&mut body.messages), &mut media, &state).await?;
    if let Some(name) = body.model.strip_prefix(DIALOGUES).map(str::to_owned) {
        if let Some(setting) = body.of_agents() {
            let message = format!("{setting}: a dialogue sets it in its own steps, so it cannot be changed here");
            return Err(ApiError::bad(message).param(setting));
        }
        return dialogue::answer(&state, &name, body, read, media).await;
    }
    agent(&state, body, read, media).await
}

/// Asks an agent.
async fn agent(
    state: &SharedState,
    body: ChatBody,
    read: Vec<ReadMessage>,
    media: RequestMedia,
) -> Result<Response, ApiError> {
    if read.iter().any(|message| !message.videos.is_empty()) {
        return Err(ApiError::bad("an agent reads texts and pictures, no videos and sounds")
            .param("messages")
            .hint("a dialogue such as `elenchus/video_qa` looks at videos; /v1/audio/transcriptions hears"));
    }
    let decoding = body.decoding()?;
    let schema = match body.response_format {
        None | Some(ResponseFormat::Text {}) => None,
        Some(ResponseFormat::JsonObject {}) => Some(json!({ "type": "object" })),
        Some(ResponseFormat::JsonSchema { json_schema }) => Some(json_schema.schema),
    };
    let messages = read.into_iter().map(Into::into).collect();
    let say = SayRequest { decoding, schema, ..SayRequest::new(messages) };
    if let Some(restriction) = say.restriction() {
        restriction.check().map_err(|unfit| {
            let place = unfit.path.join("/");
            ApiError::bad(format!("response_format: {} (at {place})", unfit.message)).param("response_format")
        })?;
    }
    let count = body.n.unwrap_or(1);
    if !(1..=MAX_REPLIES).contains(&count) {
        return Err(ApiError::bad(format!("n: found {count}, expected 1 to {MAX_REPLIES}")).param("n"));
    }
    if body.stream && count > 1 {
        return Err(ApiError::bad("n: a stream has one reply").param("n"));
    }
    let agent = state.agent(&body.model).await?;
    let request = Request::Say(say);
    let seed = body.seed.unwrap_or(0);
    let head = ReplyHead::new(body.model);
    if !body.stream {
        let requests = (0..count).map(|number| (request.clone(), seed.wrapping_add(number)));
        let replies = ask_alone(state, &agent, requests.collect()).await?;
        let replies = replies.into_iter().map(said).collect::<Result<Vec<_>, _>>()?;
        let usage = usage(&*agent, &request, &replies);
        let choices = replies.into_iter().enumerate().map(|(index, reply)| choice(index as u64, reply)).collect();
        return Ok(Json(head.reply(choices, usage)).into_response());
    }
    check(&*agent, &request)?;
    let place = state.gate.enter().await?;
    let limit = state.options.limits.run_time;
    in_time(limit, async { Ok(agent.ready().await?) }).await?;
    let (pieces, mut texts) = mpsc::unbounded_channel();
    let (sender, receiver) = mpsc::channel(64);
    let include_usage = body.stream_options.is_some_and(|options| options.include_usage);
    let going = async move {
        let context = CallContext { seed, stream: Some(pieces), ..CallContext::default() };
        let asking = agent::ask_alone(&*agent, request.clone(), context);
        tokio::pin!(asking);
        let mut sent = false;
        let late = tokio::time::sleep(limit);
        tokio::pin!(late);
        let reply = loop {
            tokio::select! {
                biased;
                Some(text) = texts.recv() => {
                    sent = true;
                    // a client that went away needs no more text
                    if sender.send(head.chunk(&text)).await.is_err() {
                        return;
                    }
                }
                reply = &mut asking => break reply,
                () = &mut late => break Err(Fault::new(FaultKind::Deadline, "the reply took too long")),
            }
        };
        while let Ok(text) = texts.try_recv() {
            sent = true;
            let _ = sender.send(head.chunk(&text)).await;
        }
        let last = match reply.map_err(ApiError::from).and_then(said) {
            Ok(reply) => {
                if !sent {
                    let _ = sender.send(head.chunk(&reply.text)).await;
                }
                let usage = usage(&*agent, &request, std::slice::from_ref(&reply));
                let mut last: Vec<Event> =
                    logprobs(&reply).map(|logprobs| head.logprobs(logprobs)).into_iter().collect();
                last.extend(head.ending(finish(reply.finish), usage.filter(|_| include_usage)));
                last
            }
            Err(refusal) => vec![data(&refusal.reply())],
        };
        for event in last {
            let _ = sender.send(event).await;
        }
        drop((place, media));
    };
    tokio::spawn(going.in_current_span());
    Ok(sent(receiver))
}

/// Events as a response.
pub(super) fn sent(receiver: mpsc::Receiver<Event>) -> Response {
    events(receiver, |mut receiver| async move {
        let event = receiver.recv().await?;
        Some((event, receiver))
    })
    .into_response()
}

/// The result of the work, or a refusal if it takes too long.
async fn in_time<T>(
    limit: std::time::Duration,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let late = |_| ApiError::from(Fault::new(FaultKind::Deadline, format!("no reply within {} s", limit.as_secs())));
    tokio::time::timeout(limit, work).await.map_err(late)?
}

fn said(reply: Reply) -> Result<SayReply, ApiError> {
    match reply {
        Reply::Say(said) => Ok(said),
        _ => Err(Fault::failed("the agent gave another kind of reply: this is a bug").into()),
    }
}

fn choice(index: u64, reply: SayReply) -> ChatChoice {
    let logprobs = logprobs(&reply);
    let reasoning_content = Some(reply.thinking).filter(|thinking| !thinking.is_empty());
    let message =
        ReplyMessage { role: "assistant", content: reply.text, reasoning_content, refusal: None, elenchus: None };
    ChatChoice { index, message, finish_reason: finish(reply.finish), logprobs }
}

/// The log-probabilities of a reply's tokens, if they were asked for.
fn logprobs(reply: &SayReply) -> Option<PlainJson> {
    let token = |token: &crate::exchange::TokenLogprob| json!({ "token": token.text, "logprob": token.logprob, "bytes": token.text.as_bytes(), "top_logprobs": [] });
    let all = || json!({ "content": reply.logprobs.iter().map(token).collect::<Vec<_>>(), "refusal": null });
    (!reply.logprobs.is_empty()).then(all)
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    }
}

/// The number of tokens, if a local model counts them.
fn usage(agent: &dyn Agent, request: &Request, replies: &[SayReply]) -> Option<TokenUsage> {
    let first = Reply::Say(replies.first()?.clone());
    let prompt_tokens = prompt_tokens(agent, request, &first)?;
    let completion_tokens = replies.iter().map(|reply| reply.tokens.len() as u64).sum();
    Some(TokenUsage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens })
}

/// What all pieces of a reply have.
#[derive(Debug, Clone)]
pub(super) struct ReplyHead {
    id: String,
    created: u64,
    model: String,
}

impl ReplyHead {
    pub(super) fn new(model: String) -> ReplyHead {
        let id = format!("chatcmpl-{}", &super::super::door::secret()[..24]);
        ReplyHead { id, created: crate::store::now_ms() as u64 / 1000, model }
    }

    /// A whole reply.
    pub(super) fn reply(self, choices: Vec<ChatChoice>, usage: Option<TokenUsage>) -> ChatReply {
        let ReplyHead { id, created, model } = self;
        ChatReply { id, object: "chat.completion", created, model, choices, usage }
    }

    fn piece(&self, choices: PlainJson, usage: Option<TokenUsage>) -> Event {
        let mut piece = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let Some(usage) = usage {
            piece["usage"] = json!(usage);
        }
        data(&piece)
    }

    /// A piece of text.
    pub(super) fn chunk(&self, text: &str) -> Event {
        let delta = json!({ "role": "assistant", "content": text });
        self.piece(json!([{ "index": 0, "delta": delta, "finish_reason": null }]), None)
    }

    /// The log-probabilities of all tokens, in a piece without text.
    fn logprobs(&self, logprobs: PlainJson) -> Event {
        let delta = json!({ "role": "assistant", "content": "" });
        self.piece(json!([{ "index": 0, "delta": delta, "finish_reason": null, "logprobs": logprobs }]), None)
    }

    /// The last pieces: why it ends, the number of tokens if it is wanted, and the mark of the end.
    pub(super) fn ending(&self, reason: &str, usage: Option<TokenUsage>) -> Vec<Event> {
        let mut all = vec![self.piece(json!([{ "index": 0, "delta": {}, "finish_reason": reason }]), None)];
        if usage.is_some() {
            all.push(self.piece(json!([]), usage));
        }
        all.push(Event::default().data("[DONE]"));
        all
    }
}

/// Refuses a request that the agent cannot answer.
fn check(agent: &dyn Agent, request: &Request) -> Result<(), ApiError> {
    agent.card().check(request).map_err(|fault| ApiError::bad(fault.to_string()).param("model"))
}

/// The replies of an agent to requests, each with its seed, that it answers together.
pub(super) async fn ask_alone(
    state: &SharedState,
    agent: &Arc<dyn Agent>,
    requests: Vec<(Request, u64)>,
) -> Result<Vec<Reply>, ApiError> {
    requests.iter().try_for_each(|(request, _)| check(&**agent, request))?;
    let _place = state.gate.enter().await?;
    let asking = async {
        agent.ready().await?;
        let context = |seed| CallContext { seed, ..CallContext::default() };
        let asking = requests.into_iter().map(|(request, seed)| agent::ask_alone(&**agent, request, context(seed)));
        futures_util::future::try_join_all(asking).await.map_err(ApiError::from)
    };
    in_time(state.options.limits.run_time, asking).await
}
