//! Agents behind an OpenAI-compatible endpoint: chat completions, embeddings, transcriptions.
//!
//! Each `ask` makes one attempt. A failure that may pass is a [`FaultKind::Passing`](crate::error::FaultKind::Passing)
//! with the wait that the server requests, and the driver retries. The key is read once from the environment and sent
//! in one header. It never appears in an error, log, identity or transcript, and is removed from everything that a
//! server sends.

mod bytes;
mod embed;
mod form;
mod hear;
mod long;
mod redact;
mod say;
mod sse;
mod wire;

pub use bytes::wav;

use super::{Agent, CallContext, Card, outward::Announcer};
use crate::{
    error::Fault,
    exchange::{
        Answers, Decoding, Item, Kind, Range, Reply, Request, SETTINGS, Setting, SettingForm, SettingValue, WireName,
    },
    hub::folders::{Secret, Vars},
    value::{Media, Time},
};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
use wire::Wire;

/// The kinds of request that the protocol supports.
const KINDS: &[Kind] = &[Kind::Say, Kind::Look, Kind::Embed, Kind::Hear];

/// The address and settings of a remote agent; from `agents/NAME.yaml`.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteSpec {
    /// The agent's name.
    pub name: String,
    /// The endpoint's base address, with or without `/v1`.
    pub url: String,
    /// The model's name at that endpoint.
    pub model: String,
    /// The environment variable of the key; none for endpoints without keys.
    pub key_env: Option<String>,
    /// The kinds of request that it answers.
    pub answers: Vec<Answers>,
    /// The maximum wait for a reply; for a streamed one, the maximum pause between two pieces.
    pub timeout: Duration,
    /// The maximum time of a whole streamed reply.
    pub reply_time: Duration,
    /// The maximum bytes of a reply. A larger reply is an error, and no part of it is kept.
    pub reply_bytes: usize,
    /// The number of retries after a passing fault, unless the step sets it.
    pub retries: u32,
    /// The settings beyond OpenAI's protocol that the server supports, by their names there.
    pub extensions: Vec<String>,
    /// The maximum tokens of a prompt and its reply, if the agent file states it. A server may cut longer prompts
    /// silently.
    pub context_tokens: Option<usize>,
    /// The defaults of requests without decoding settings.
    pub decoding: Decoding,
}

impl RemoteSpec {
    /// The fields of a chat completion for these settings. Fails if the server may not know one, because it would ignore
    /// it silently.
    fn settings(&self, decoding: &Decoding) -> Result<Vec<(&'static str, serde_json::Value)>, String> {
        let written = SETTINGS.iter().filter_map(|setting| Some((setting, (setting.get)(decoding)?)));
        let field = |(setting, value): (&Setting, SettingValue)| {
            let name = match setting.wire {
                WireName::Standard(name) => Some(name),
                WireName::Extension(names) => {
                    names.iter().copied().find(|name| self.extensions.iter().any(|known| known == name))
                }
            };
            let (key, value) = (setting.name, json_of(setting, value));
            name.map(|name| (name, value)).ok_or_else(|| {
                format!("`{key}` is not part of the endpoint's protocol; if the server supports it, add it to `extensions` of the agent file")
            })
        };
        written.map(field).collect()
    }
}

/// A setting's value as servers read it: a count has no decimal point.
fn json_of(setting: &Setting, value: SettingValue) -> serde_json::Value {
    match (value, setting.form) {
        (SettingValue::Number(number), SettingForm::Number(Range::WholeFrom(_))) => (number as u64).into(),
        (SettingValue::Number(number), _) => number.into(),
        (SettingValue::Texts(texts), _) => texts.into(),
        (SettingValue::Truth(truth), _) => truth.into(),
    }
}

/// Encodes pictures and sound. The media store implements it; tests have their own.
#[async_trait]
pub trait MediaBytes: Send + Sync {
    /// The bytes of an image file or a frame, with their media type (`image/png`).
    async fn picture(&self, item: &Item) -> Result<(Vec<u8>, &'static str), Fault>;
    /// The sound from `start` to `end` as a WAV file, 16 kHz, one channel.
    async fn wav(&self, media: &Arc<Media>, start: Time, end: Time) -> Result<Vec<u8>, Fault>;
}

/// An agent behind an endpoint.
pub struct RemoteAgent {
    card: Card,
    spec: RemoteSpec,
    wire: Wire,
    media: Arc<dyn MediaBytes>,
    announcer: Option<Announcer>,
    /// The forms of replies that the server supports.
    support: form::Support,
}

impl std::fmt::Debug for RemoteAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteAgent").field("card", &self.card).finish_non_exhaustive()
    }
}

impl RemoteAgent {
    /// Checks the address, key, kinds and decoding, and sends nothing. Fails if one of them is invalid.
    pub fn new(spec: RemoteSpec, vars: Vars<'_>, media: Arc<dyn MediaBytes>) -> Result<RemoteAgent, Fault> {
        if let Some(other) = spec.answers.iter().find(|answers| !KINDS.contains(&answers.kind)) {
            let (word, able) = (other.kind.word(), KINDS.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", "));
            return Err(Fault::model(format!("an endpoint cannot answer {word}: its protocol supports {able}")));
        }
        spec.settings(&spec.decoding).map_err(Fault::model)?;
        let key = match &spec.key_env {
            None => None,
            Some(name) => Some(read_key(name, vars)?),
        };
        let wire = Wire::new(&spec, key)?;
        let decoding = serde_json::to_string(&spec.decoding).expect("plain data serialises: this is a bug");
        // it decides which lines of a long list are sent
        let context = spec.context_tokens.map_or_else(String::new, |tokens| format!(" {tokens}"));
        let card = Card {
            name: spec.name.clone(),
            answers: spec.answers.clone(),
            identity: format!("remote {} {} {decoding}{context}", wire.base(), spec.model),
            memo: true,
            own_labels: false,
        };
        Ok(RemoteAgent { card, spec, wire, media, announcer: None, support: form::Support::default() })
    }

    /// The same agent, which announces data before it sends it.
    pub fn announced_by(self, announcer: Announcer) -> RemoteAgent {
        RemoteAgent { announcer: Some(announcer), ..self }
    }
}

/// Fails if no server answers at the address. Sends none of the user's data.
pub async fn reachable(spec: &RemoteSpec) -> Result<(), Fault> {
    Wire::new(spec, None)?.reachable().await
}

fn read_key(name: &str, vars: Vars<'_>) -> Result<Secret, Fault> {
    let key = vars(name).and_then(|key| key.into_string().ok()).map(|key| Secret::new(&key));
    key.filter(|key| !key.reveal().is_empty()).ok_or_else(|| {
        Fault::model(format!("the environment variable {name} (`key_env`) is not set; it must hold the key"))
    })
}

#[async_trait]
impl Agent for RemoteAgent {
    fn card(&self) -> &Card {
        &self.card
    }

    fn retries(&self) -> u32 {
        self.spec.retries
    }

    async fn ask(&self, request: Request, asking: CallContext) -> Result<Reply, Fault> {
        self.card
            .check(&request)
            .map_err(|fault| fault.hint("`answers` in its agent file lists the kinds of request that it answers"))?;
        if let Some(announcer) = &self.announcer {
            announcer.announce(&request);
        }
        match request {
            Request::Say(request) => Ok(Reply::Say(self.say(request, asking).await?)),
            Request::Look(request) => Ok(Reply::Look(self.say(request.into_say(), asking).await?)),
            Request::Embed(request) => Ok(Reply::Embed(self.embed(request).await?)),
            Request::Hear(request) => Ok(Reply::Hear(self.hear(request).await?)),
            Request::Rank(_)
            | Request::Detect(_)
            | Request::Frames(_)
            | Request::Journal(_)
            | Request::Search(_)
            | Request::AskUser(_) => {
                Err(Fault::failed("an endpoint cannot rank, sample, keep a journal, or ask a person".to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
