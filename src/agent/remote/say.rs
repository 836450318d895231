//! `/v1/chat/completions`: whole or streamed, with pictures.

use super::{
    CallContext, RemoteAgent,
    redact::Stream as KeyFilter,
    sse::{Events, TooLarge},
    wire::{self, Refusal},
};
use crate::error::Fault;
use crate::exchange::{Finish, Message, SayReply, SayRequest, TokenLogprob};
use crate::infer::thinking::{Thoughts, split};
use base64::Engine as _;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

/// The text of the reply so far, and why it ended.
#[derive(Default)]
struct Said {
    text: String,
    thinking: String,
    finish: Option<String>,
    logprobs: Vec<TokenLogprob>,
}

impl RemoteAgent {
    /// One request whose reply comes whole. A form arrives as JSON, which is of no use to a reader before it is complete.
    pub(super) async fn say_once(
        &self,
        request: &SayRequest,
        format: Option<&Value>,
        asking: &CallContext,
    ) -> Result<SayReply, Refusal> {
        self.say_streaming(request, format, CallContext { seed: asking.seed, stream: None, ..CallContext::default() })
            .await
    }

    /// One request, whose reply is streamed if its caller wants that.
    pub(super) async fn say_streaming(
        &self,
        request: &SayRequest,
        format: Option<&Value>,
        asking: CallContext,
    ) -> Result<SayReply, Refusal> {
        let decoding = request.decoding.or(&self.spec.decoding);
        // Log-probabilities arrive whole, so that the key can be found in them.
        let stream = asking.stream.filter(|_| decoding.logprobs != Some(true));
        let body = self.say_body(request, format, asking.seed, stream.is_some()).await?;
        let until = self.wire.until();
        let response = self.wire.try_send(self.wire.post("chat/completions").json(&body), until).await?;
        let is_events = response
            .headers()
            .get(reqwest::header::CONTENT_TYPE)
            .is_some_and(|kind| kind.to_str().unwrap_or_default().starts_with("text/event-stream"));
        let said = match stream {
            Some(stream) if is_events => self.streamed(response, &stream).await?,
            // Some servers answer in one piece even if a stream is requested.
            stream => {
                let said = self.whole(self.wire.read_json(response, until).await?)?;
                stream.map(|stream| stream.send(split(&said.text, false).1.to_owned()));
                said
            }
        };
        let finish = match said.finish.as_deref() {
            Some("stop") | None => Finish::Stop,
            Some("length") => Finish::Length,
            Some(other) => {
                return Err(Fault::failed(format!("the model stopped: {}", self.wire.excerpt(other))).into());
            }
        };
        let (inline, text) = split(&said.text, false);
        let thinking = if inline.is_empty() { said.thinking.trim().to_owned() } else { inline.to_owned() };
        Ok(SayReply { thinking, logprobs: said.logprobs, ..SayReply::new(text, finish) })
    }

    async fn say_body(
        &self,
        request: &SayRequest,
        format: Option<&Value>,
        seed: u64,
        stream: bool,
    ) -> Result<Value, Fault> {
        if request.raw {
            let why = "a raw prompt needs a local model: an endpoint applies its own chat template";
            return Err(Fault::failed(why.to_owned()));
        }
        let mut messages = Vec::new();
        for message in &request.messages {
            messages.push(self.message(message).await?);
        }
        let mut body = json!({
            "model": self.spec.model,
            "messages": messages,
            // Servers store seeds in 31 to 64 bits; all of them accept 31.
            "seed": (seed ^ (seed >> 32)) & 0x7fff_ffff,
            "stream": stream,
        });
        let decoding = request.decoding.or(&self.spec.decoding);
        for (name, value) in self.spec.settings(&decoding).map_err(Fault::failed)? {
            body[name] = value;
        }
        if let Some(format) = format {
            body["response_format"] = format.clone();
        }
        Ok(body)
    }

    async fn message(&self, message: &Message) -> Result<Value, Fault> {
        if message.images.is_empty() {
            return Ok(json!({"role": message.role, "content": message.content}));
        }
        let mut parts = Vec::new();
        for image in &message.images {
            let (bytes, kind) = self.media.picture(image).await?;
            let url = format!("data:{kind};base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes));
            parts.push(json!({"type": "image_url", "image_url": {"url": url}}));
        }
        parts.push(json!({"type": "text", "text": message.content}));
        Ok(json!({"role": message.role, "content": parts}))
    }

    fn whole(&self, answer: Value) -> Result<Said, Fault> {
        let choice = &answer["choices"][0];
        let thinking = thinking(&choice["message"]).unwrap_or_default().to_owned();
        match choice["message"]["content"].as_str() {
            Some(text) => {
                let (text, finish, logprobs) = (text.to_owned(), finish(choice), self.logprobs(choice));
                Ok(Said { text, thinking, finish, logprobs })
            }
            None => match (choice["message"]["refusal"].as_str(), finish(choice)) {
                (Some(refusal), _) => Err(self.wire.malformed("is a refusal", refusal)),
                // If a model ends at once, its server sends null for the text.
                (None, Some(reason)) if choice["message"].is_object() => {
                    Ok(Said { thinking, finish: Some(reason), ..Said::default() })
                }
                _ => Err(self.wire.malformed("contains no message", &answer.to_string())),
            },
        }
    }

    /// The log-probabilities of an answer's tokens, if it contains them. None if the tokens together spell the key.
    fn logprobs(&self, choice: &Value) -> Vec<TokenLogprob> {
        let read = |token: &Value| {
            let (text, logprob) = (token["token"].as_str()?.to_owned(), token["logprob"].as_f64()? as f32);
            Some(TokenLogprob { id: None, text, logprob })
        };
        let tokens = choice["logprobs"]["content"].as_array().into_iter().flatten();
        let found: Vec<TokenLogprob> = tokens.filter_map(read).collect();
        let spelt: String = found.iter().map(|token| token.text.as_str()).collect();
        if self.wire.redaction.hide(spelt.clone()) == spelt { found } else { Vec::new() }
    }

    async fn streamed(&self, response: reqwest::Response, stream: &UnboundedSender<String>) -> Result<Said, Refusal> {
        let mut events = Events::new(self.wire.reply_bytes);
        let (mut said, mut is_done) = (Said::default(), false);
        let [mut shown, mut thought] = [(); 2].map(|()| self.wire.redaction.stream());
        let mut thoughts = Thoughts::default();
        let show = |piece: &str| {
            if !piece.is_empty() {
                // The reply is complete even if its reader has left.
                let _ = stream.send(piece.to_owned());
            }
        };
        let mut hear = |data: Vec<String>| {
            for data in data {
                is_done |=
                    self.event(&data, &mut said, [&mut shown, &mut thought], |piece| show(&thoughts.push(piece)))?;
            }
            Ok::<bool, Refusal>(is_done)
        };
        let too_large = |TooLarge| self.wire.too_large();
        self.wire.stream(response, |bytes| hear(events.push(bytes).map_err(too_large)?)).await?;
        hear(events.finish().map_err(too_large)?)?;
        let rest = shown.finish();
        show(&thoughts.push(&rest));
        show(thoughts.finish());
        said.text.push_str(&rest);
        said.thinking.push_str(&thought.finish());
        match is_done || said.finish.is_some() {
            true => Ok(said),
            false => {
                let message = format!("{} ended the stream before the reply was complete", self.wire.base());
                Err(Fault::passing(message, None).into())
            }
        }
    }

    /// Reads one event and appends its pieces of text and of thoughts, each without the key. `show` gets the piece of
    /// text. Gives true for the last event.
    fn event(
        &self,
        data: &str,
        said: &mut Said,
        [shown, thought]: [&mut KeyFilter<'_>; 2],
        show: impl FnOnce(&str),
    ) -> Result<bool, Refusal> {
        if data.trim() == "[DONE]" {
            return Ok(true);
        }
        let event: Value =
            serde_json::from_str(data).map_err(|_| self.wire.malformed("contains an invalid event", data))?;
        if event.get("error").is_some() {
            let said = wire::error_message(data).unwrap_or_default();
            let fault = self.wire.malformed("is an error", &said);
            return Err(self.wire.too_long(None, data, &said).unwrap_or_else(|| fault.into()));
        }
        let choice = &event["choices"][0];
        if let Some(piece) = choice["delta"]["content"].as_str().filter(|piece| !piece.is_empty()) {
            let piece = shown.push(piece);
            show(&piece);
            said.text.push_str(&piece);
        }
        if let Some(piece) = thinking(&choice["delta"]) {
            said.thinking.push_str(&thought.push(piece));
        }
        if said.text.len() + said.thinking.len() > self.wire.reply_bytes {
            return Err(self.wire.too_large().into());
        }
        said.finish = finish(choice).map(|why| self.wire.redaction.hide(why)).or(said.finish.take());
        Ok(false)
    }
}

/// The thoughts of a message or of a piece of one. DeepSeek, llama.cpp and SGLang write `reasoning_content`; vLLM,
/// Ollama and OpenRouter write `reasoning`.
fn thinking(message: &Value) -> Option<&str> {
    ["reasoning_content", "reasoning"]
        .into_iter()
        .find_map(|name| message[name].as_str())
        .filter(|text| !text.is_empty())
}

fn finish(choice: &Value) -> Option<String> {
    choice["finish_reason"].as_str().map(str::to_owned)
}
