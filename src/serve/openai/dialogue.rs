//! A dialogue as a model: the last message is its question, videos and pictures are its inputs, and its answer is the reply.

use super::{
    super::{
        api_error::ApiError,
        runs::{NewRun, RunEvent, start},
        state::SharedState,
        stream::data,
    },
    chat::{ChatChoice, ReplyHead, ReplyMessage, sent},
    chat_body::ChatBody,
    messages::ReadMessage,
    parts::RequestMedia,
};
use crate::{
    error::Fault,
    exchange::Item,
    plan::Plan,
    run::Outcome,
    session::asking::Subject,
    value::{Media, Type, Value, json::to_json},
};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use indexmap::IndexMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Answers with a dialogue.
pub(super) async fn answer(
    state: &SharedState,
    name: &str,
    body: ChatBody,
    mut read: Vec<ReadMessage>,
    media: RequestMedia,
) -> Result<Response, ApiError> {
    // a video that came with the request must leave nothing in the journal
    let session = match media.has_own_video() {
        true => state.passing_session(name).await?,
        false => state.session(name).await?,
    };
    if body.stream_options.is_some_and(|options| options.include_usage) {
        let message = "stream_options.include_usage: a dialogue asks several models, and counts no tokens";
        return Err(ApiError::bad(message).param("stream_options"));
    }
    if let Some(system) = read.iter().position(|message| message.role == "system") {
        let message = "a dialogue has its own prompts, so a system message would be ignored";
        return Err(ApiError::bad(message).param(format!("messages[{system}]")));
    }
    let Some(last) = read.pop().filter(|last| last.role == "user") else {
        return Err(ApiError::bad("the last message is no user message").param("messages"));
    };
    let videos: Vec<Arc<Media>> = read.iter().flat_map(|message| message.videos.clone()).chain(last.videos).collect();
    let images: Vec<Item> = read.iter().flat_map(|message| message.images.clone()).chain(last.images).collect();
    let named: Vec<String> = videos.iter().map(|video| video.digest.clone()).collect();
    // without videos of its own, it may read all of the journal
    let digests = match named.is_empty() {
        true => {
            let session = session.clone();
            state.with_journal(move |_| session.read_digests(&Subject::Journal)).await?
        }
        false => named,
    };
    let inputs = inputs(&session.plan, &last.text, &read, videos, images)?;
    let inputs = session.plan.bind(inputs).map_err(|misfits| {
        // its hint is for the command line
        let fault = Fault { hint: None, ..Fault::from(misfits) };
        ApiError::from(fault)
            .param("messages")
            .hint("the text of the last message is the question; videos and pictures in it are the other inputs")
    })?;
    let new = NewRun {
        session,
        inputs,
        question: last.text,
        digests,
        seed: body.seed.unwrap_or(0),
        streamed: None,
        is_kept: !media.has_own(),
    };
    let head = ReplyHead::new(body.model);
    let mut run = start(state, new).await?;
    if !body.stream {
        let outcome = run.outcome().await?;
        return Ok(Json(head.reply(vec![choice(outcome)], None)).into_response());
    }
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let _media = media;
        loop {
            tokio::select! {
                event = run.next() => match event {
                    Some(RunEvent::Ended(outcome)) => {
                        let events = match *outcome {
                            // the answer is checked before it is said, so it comes as a whole
                            Ok(outcome) => {
                                let mut events = vec![head.chunk(&text(&outcome))];
                                events.extend(head.ending("stop", None));
                                events
                            }
                            Err(fault) => vec![data(&ApiError::from(fault).reply())],
                        };
                        for event in events {
                            let _ = sender.send(event).await;
                        }
                        return;
                    }
                    Some(_) => {}
                    None => return,
                },
                // the client went away, and with it the run
                () = sender.closed() => return,
            }
        }
    });
    Ok(sent(receiver))
}

/// The answer with the moments that support it, as a text.
fn text(outcome: &Outcome) -> String {
    let mut text = outcome.answer.clone();
    for evidence in &outcome.evidence {
        text.push_str(&format!("\n  {evidence}"));
    }
    text
}

fn choice(outcome: Outcome) -> ChatChoice {
    let elenchus = Some(to_json(&outcome.value));
    let message =
        ReplyMessage { role: "assistant", content: text(&outcome), reasoning_content: None, refusal: None, elenchus };
    ChatChoice { index: 0, message, finish_reason: "stop", logprobs: None }
}

/// The inputs of a dialogue from a chat: the text for its only text input (or `question`), and media for the inputs of their type. Fails for
/// anything that has no place, and for an input that a chat cannot give.
fn inputs(
    plan: &Plan,
    text: &str,
    before: &[ReadMessage],
    videos: Vec<Arc<Media>>,
    images: Vec<Item>,
) -> Result<IndexMap<String, Value>, ApiError> {
    let mut inputs = IndexMap::new();
    let only = |ty: &Type| {
        let mut fit = plan.inputs.iter().filter(|(_, input)| input.ty.accepts(ty));
        // one that has no default comes first
        fit.clone().find(|(_, input)| input.default.is_none()).or_else(|| fit.next()).map(|(name, _)| name)
    };
    let no_place =
        |what: &str| ApiError::bad(format!("the dialogue `{}` takes no {what}", plan.name)).param("messages");
    if !text.trim().is_empty() {
        let texts = plan.inputs.iter().filter(|(_, input)| input.ty == Type::Text);
        let name = texts
            .clone()
            .find(|(name, _)| *name == "question")
            .or_else(|| texts.clone().find(|(_, input)| input.default.is_none()));
        let (name, _) = name.ok_or_else(|| no_place("text"))?;
        inputs.insert(name.clone(), Value::Text(text.trim().to_owned()));
    }
    if !before.is_empty() {
        // what was said before leans on what the dialogue answered, which a text does not tell
        let turns = before.iter().filter(|message| message.role == "user").map(|message| {
            let fields = [("question", message.text.clone()), ("text", String::new())];
            let mut turn: IndexMap<String, Value> =
                fields.into_iter().map(|(name, text)| (name.to_owned(), Value::Text(text))).collect();
            turn.insert("evidence".to_owned(), Value::List(Vec::new()));
            Value::Record(turn)
        });
        if plan.inputs.contains_key("history") {
            inputs.insert("history".to_owned(), Value::List(turns.collect()));
        } else {
            return Err(no_place("earlier messages"));
        }
    }
    if !videos.is_empty() {
        let all = Value::List(videos.iter().cloned().map(Value::Video).collect());
        match (videos.as_slice(), only(&Type::Video)) {
            ([one], Some(name)) => inputs.insert(name.clone(), Value::Video(one.clone())),
            (_, _) => {
                let name = only(&Type::Video.list()).ok_or_else(|| no_place("videos"))?;
                inputs.insert(name.clone(), all)
            }
        };
    }
    if !images.is_empty() {
        let mut values = Vec::new();
        for image in images {
            if let Item::Image(image) = image {
                values.push(Value::Image(image));
            }
        }
        match (values.as_slice(), only(&Type::Image)) {
            ([one], Some(name)) => inputs.insert(name.clone(), one.clone()),
            (_, _) => {
                let name = only(&Type::Image.list()).ok_or_else(|| no_place("pictures"))?;
                inputs.insert(name.clone(), Value::List(values))
            }
        };
    }
    Ok(inputs)
}
