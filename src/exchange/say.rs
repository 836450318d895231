//! `say`: a language model completes a prompt, with or without pictures.

use super::{Exchange, Item, MediaRef, Modalities, Modality, ScriptReply, script};
use serde::{Deserialize, Serialize};

/// Asks for the next message of a chat, or (`raw`) for the continuation of a bare prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SayRequest {
    /// The chat so far. With `raw`: one message.
    pub messages: Vec<Message>,
    /// True for a prompt without chat template and with the tokenizer's own special tokens only.
    pub raw: bool,
    /// Decoding settings.
    pub decoding: Decoding,
    /// The allowed replies; the agent chooses the most likely one. Empty if every reply is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// Text, generated token ids, and why generation stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SayReply {
    /// The text.
    pub text: String,
    /// Token ids without the end token; empty for remote agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<u32>,
    /// Why generation stopped.
    pub finish: Finish,
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
    /// Pictures that come before the text ([`Item::Image`] or [`Item::Frame`]). An agent that cannot see refuses them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Item>,
}

impl Message {
    /// A message of text alone.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Message {
        Message { role: role.into(), content: content.into(), images: Vec::new() }
    }
}

/// Decoding settings of a language model. `None` means the agent's own default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Decoding {
    /// 0 is greedy.
    pub temperature: Option<f32>,
    /// Nucleus mass, 0..=1.
    pub top_p: Option<f32>,
    /// Keep the k most likely tokens.
    pub top_k: Option<usize>,
    /// Maximum number of generated tokens.
    pub max_tokens: Option<usize>,
    /// Generation stops before any of these strings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

impl Decoding {
    /// True if chance decides the reply. The agent's own default temperature may be anything, so `None` counts as
    /// sampling.
    pub fn samples(&self) -> bool {
        self.temperature != Some(0.0)
    }
}

/// Why generation stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The end token or a stop string.
    Stop,
    /// `max_tokens` or the context length was reached.
    Length,
}

impl Exchange for SayRequest {
    type Reply = SayReply;
    const USUAL: Modalities = Modalities::of(&[Modality::Text, Modality::Image]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        self.messages.iter_mut().flat_map(|message| &mut message.images).filter_map(Item::media).collect()
    }

    fn items(&self) -> Vec<Item> {
        self.messages.iter().flat_map(|message| &message.images).cloned().collect()
    }

    fn takes(&self) -> Modalities {
        let images = self.messages.iter().flat_map(|message| &message.images);
        images.fold(Modalities::of(&[Modality::Text]), |all, image| all.and(image.takes()))
    }

    fn samples(&self) -> bool {
        self.choices.is_empty() && self.decoding.samples()
    }

    fn fits(&self, reply: &SayReply) -> Result<(), String> {
        match self.choices.is_empty() || self.choices.contains(&reply.text) {
            true => Ok(()),
            false => Err(format!("found `{}`, which is not one of the choices", reply.text)),
        }
    }

    fn words(&self) -> String {
        self.messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Text(_) | ScriptReply::Count(_))
    }

    fn scripted(&self, written: &ScriptReply) -> Result<SayReply, String> {
        let text = written.text().ok_or_else(|| script::misfit(written, "a text"))?.into_owned();
        if !self.choices.is_empty() && !self.choices.contains(&text) {
            let choices = script::start_of(&self.choices.join(", "));
            return Err(script::misfit(written, &format!("one of the choices {choices}")));
        }
        Ok(SayReply { text, tokens: Vec::new(), finish: Finish::Stop })
    }

    fn text(reply: &SayReply) -> Option<&str> {
        Some(&reply.text)
    }
}
