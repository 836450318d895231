//! `say`: a language model completes a prompt, with or without pictures.

use super::{Decoding, Exchange, Item, MediaRef, Modalities, Modality, ScriptReply, script};
use crate::grammar::Restriction;
use serde::{Deserialize, Serialize};

/// Asks for the next message of a chat, or (`raw`) for the continuation of a bare prompt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
    /// True divides the log-likelihood of a choice by its number of tokens, so that long choices are not worse.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub normalise: bool,
    /// A JSON Schema that the reply fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
    /// A regular expression that the whole reply matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// The lines that an agent may leave out of a prompt that is too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow: Option<Overflow>,
}

/// The lines of a prompt that may be left out, and which go first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overflow {
    /// The lines that go first.
    pub first: LeaveOut,
    /// The index of the message.
    pub message: usize,
    /// The start of the first line in the message's text, in bytes.
    pub start: usize,
    /// The end of the last line.
    pub end: usize,
}

/// The lines that go first if a list is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveOut {
    /// The first lines.
    Oldest,
    /// The lines in the middle.
    Middle,
    /// The last lines, without a line in their place: the asker reads them in another request.
    Rest,
}

impl LeaveOut {
    /// The rules that `say` offers, with their words in dialogues.
    pub const ALL: [(&str, LeaveOut); 2] = [("oldest", LeaveOut::Oldest), ("middle", LeaveOut::Middle)];
}

impl Overflow {
    /// The number of lines; 0 if the message lacks them.
    pub fn lines(&self, messages: &[Message]) -> usize {
        self.text(messages).map_or(0, |lines| lines.split('\n').count())
    }

    fn text<'a>(&self, messages: &'a [Message]) -> Option<&'a str> {
        messages.get(self.message)?.content.get(self.start..self.end)
    }

    /// The messages without `count` of the lines. A line in their place says how many are missing, unless they are
    /// read later ([`LeaveOut::Rest`]).
    pub fn without(&self, messages: &[Message], count: usize) -> Vec<Message> {
        let mut messages = messages.to_vec();
        let Some(lines) = self.text(&messages).map(|text| text.split('\n').map(str::to_owned).collect::<Vec<_>>())
        else {
            return messages;
        };
        let count = count.min(lines.len());
        if count == 0 {
            return messages;
        }
        let first = match self.first {
            LeaveOut::Oldest => 0,
            LeaveOut::Middle => (lines.len() - count).div_ceil(2),
            LeaveOut::Rest => lines.len() - count,
        };
        let note = (self.first != LeaveOut::Rest).then(|| format!("({count} lines are left out here)"));
        let kept = lines[..first].iter().chain(&note).chain(&lines[first + count..]);
        let kept = kept.cloned().collect::<Vec<_>>().join("\n");
        messages[self.message].content.replace_range(self.start..self.end, &kept);
        messages
    }
}

/// Text, generated token ids, and why generation stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SayReply {
    /// The text.
    pub text: String,
    /// The thoughts that the model wrote before the text, if it thinks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub thinking: String,
    /// Token ids without the end token, those of the thoughts first; empty for remote agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<u32>,
    /// Why generation stopped.
    pub finish: Finish,
    /// The log-probability of each of `tokens`, if the request asked for them (`logprobs`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<TokenLogprob>,
    /// The score of each choice, in the order of the request, if the agent knows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ChoiceScore>,
    /// The number of lines that were left out of the prompt ([`SayRequest::overflow`]).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A choice and its log-likelihood after the prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChoiceScore {
    /// The choice.
    pub text: String,
    /// The sum of its tokens' natural log-probabilities; with `normalise` their mean.
    pub logprob: f32,
}

/// A generated token with its log-probability: the model's own, before penalties, temperature and restrictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token's id; absent for remote agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// The text that it added to the reply. Empty for a token that ends inside a character.
    pub text: String,
    /// The natural logarithm of its probability.
    pub logprob: f32,
}

impl SayRequest {
    /// A chat with default settings.
    pub fn new(messages: Vec<Message>) -> SayRequest {
        SayRequest { messages, ..SayRequest::default() }
    }

    /// The restriction of the reply, if it has one.
    pub fn restriction(&self) -> Option<Restriction<'_>> {
        let schema = self.schema.as_ref().map(Restriction::Schema);
        schema.or_else(|| self.regex.as_deref().map(Restriction::Regex))
    }
}

impl SayReply {
    /// A reply of text alone.
    pub fn new(text: impl Into<String>, finish: Finish) -> SayReply {
        SayReply {
            text: text.into(),
            thinking: String::new(),
            tokens: Vec::new(),
            finish,
            logprobs: Vec::new(),
            scores: Vec::new(),
            left_out: 0,
        }
    }
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
    /// The pictures are frames of one video, in order of time. An agent that reads no videos sees single pictures.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub video: bool,
}

impl Message {
    /// A message of text alone.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Message {
        Message { role: role.into(), content: content.into(), images: Vec::new(), video: false }
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
        if !self.choices.is_empty() && !self.choices.contains(&reply.text) {
            return Err(format!("found `{}`, which is not one of the choices", reply.text));
        }
        self.restriction().map_or(Ok(()), |restriction| restriction.accepts(&reply.text))
    }

    fn words(&self) -> String {
        self.messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Text(_) | ScriptReply::Count(_) | ScriptReply::Scores(_))
    }

    /// A text, or for `choices` the log-likelihood of each: the likeliest is chosen.
    fn scripted(&self, written: &ScriptReply) -> Result<SayReply, String> {
        let choices = || script::start_of(&self.choices.join(", "));
        if let (ScriptReply::Scores(scores), false) = (written, self.choices.is_empty()) {
            let score = |text: &String| {
                let logprob = *scores.get(text)? as f32;
                Some(ChoiceScore { text: text.clone(), logprob })
            };
            let scored: Option<Vec<ChoiceScore>> = self.choices.iter().map(score).collect();
            let best = |scored: &[ChoiceScore]| scored.iter().max_by(|a, b| a.logprob.total_cmp(&b.logprob)).cloned();
            return match scored.filter(|_| scores.len() == self.choices.len()) {
                Some(scores) => {
                    let text = best(&scores).map(|choice| choice.text).unwrap_or_default();
                    Ok(SayReply { scores, ..SayReply::new(text, Finish::Stop) })
                }
                None => Err(script::misfit(written, &format!("a score for each of the choices {}", choices()))),
            };
        }
        let text = written.text().ok_or_else(|| script::misfit(written, "a text"))?.into_owned();
        if !self.choices.is_empty() && !self.choices.contains(&text) {
            return Err(script::misfit(written, &format!("one of the choices {}", choices())));
        }
        if let Some(Err(why)) = self.restriction().map(|restriction| restriction.accepts(&text)) {
            return Err(format!("the script's reply does not fit: {why}"));
        }
        Ok(SayReply::new(text, Finish::Stop))
    }

    fn text(reply: &SayReply) -> Option<&str> {
        Some(&reply.text)
    }
}
