//! The chat of a checkpoint: its chat template ([`ChatTemplate`]) and special tokens, which turn messages into a
//! prompt.

use super::{checkpoint::Checkpoint, config::Config};
use crate::{
    error::Fault,
    exchange::Message,
    prompt::{ChatTemplate, ChatValue},
};
use serde_json::Value as Json;
use std::time::{SystemTime, UNIX_EPOCH};

/// The rule that turns messages into a prompt.
#[derive(Debug)]
pub struct Chat {
    template: Option<ChatTemplate>,
    specials: Vec<(&'static str, String)>,
}

/// The text of a prompt, and whether the tokenizer must add its special tokens (a chat template writes them itself).
#[derive(Debug, PartialEq, Eq)]
pub struct RenderedPrompt {
    /// The text of the prompt.
    pub text: String,
    /// The tokenizer must add its special tokens.
    pub special: bool,
}

/// What the template of a model expects as the content of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// A text.
    Text,
    /// A list of parts: pictures and a text.
    Pictures,
    /// A list of parts: a video and a text.
    Video,
}

impl Chat {
    /// Reads `chat_template.jinja`, or the template in `tokenizer_config.json`. Fails if the template cannot be parsed.
    pub fn open(checkpoint: &Checkpoint) -> Result<Chat, Fault> {
        let settings = checkpoint.json("tokenizer_config.json")?;
        let map = checkpoint.json("special_tokens_map.json")?;
        let source = match checkpoint.text("chat_template.jinja")? {
            Some(text) => Some(text),
            None => match settings.as_ref().and_then(|config| config.get("chat_template")) {
                None | Some(Json::Null) => None,
                Some(written) => Some(template_of(written).ok_or_else(|| {
                    Fault::model(
                        "tokenizer_config.json: `chat_template` is neither a text nor a list of named templates",
                    )
                })?),
            },
        };
        let special = |key: &'static str| {
            let read = |config: &Option<Config>| config.as_ref().map_or(Ok(None), |config| config.special(key));
            Ok(read(&settings)?.or(read(&map)?).map(|token| (key, token)))
        };
        let specials = ["bos_token", "eos_token", "unk_token", "pad_token"].map(special);
        let specials: Vec<Option<_>> = specials.into_iter().collect::<Result<_, Fault>>()?;
        let specials = specials.into_iter().flatten().collect();
        let template = source.map(|source| ChatTemplate::parse(&source)).transpose();
        let refused = |why| Fault::model(format!("the chat template cannot be read: {why}"));
        Ok(Chat { template: template.map_err(refused)?, specials })
    }

    /// The prompt for `messages`, for an answer without thoughts. Fails as [`Chat::render`].
    pub fn prompt(&self, messages: &[Message], raw: bool) -> Result<RenderedPrompt, Fault> {
        self.render(messages, raw, false, Contents::Text)
    }

    /// The prompt for `messages`. Without a template, or with `raw`, blank lines separate the messages: a model that
    /// was not trained to chat expects plain text. `think` is the template's `enable_thinking`: whether a model that can
    /// think writes its thoughts first. Fails if the template fails or makes an empty prompt.
    pub fn render(
        &self,
        messages: &[Message],
        raw: bool,
        think: bool,
        reads: Contents,
    ) -> Result<RenderedPrompt, Fault> {
        let Some(template) = self.template.as_ref().filter(|_| !raw) else {
            if messages.iter().any(|message| !message.images.is_empty()) {
                return Err(Fault::failed("pictures need the model's chat template".to_owned()));
            }
            let texts: Vec<&str> = messages.iter().map(|m| m.content.as_str()).collect();
            return Ok(RenderedPrompt { text: texts.join("\n\n"), special: true });
        };
        let special = |(name, token): &(&'static str, String)| (*name, ChatValue::from(token.as_str()));
        let mut names: Vec<(&str, ChatValue)> = self.specials.iter().map(special).collect();
        let message = |m: &Message| {
            let content = match reads {
                Contents::Text => ChatValue::from(m.content.as_str()),
                Contents::Pictures | Contents::Video => parts(m, m.video && reads == Contents::Video),
            };
            ChatValue::from_pairs([("role", ChatValue::from(m.role.as_str())), ("content", content)])
        };
        names.push(("messages", messages.iter().map(message).collect()));
        names.push(("add_generation_prompt", ChatValue::from(true)));
        names.push(("enable_thinking", ChatValue::from(think)));
        names.extend(["tools", "documents"].map(|name| (name, ChatValue::from(()))));
        let refused = |why| Fault::model(format!("the chat template failed on these messages: {why}"));
        let text = template.render(names, now()).map_err(refused)?;
        if text.is_empty() {
            return Err(Fault::model("the chat template makes an empty prompt of these messages"));
        }
        Ok(RenderedPrompt { text, special: false })
    }
}

/// The content of a message with its pictures first, as templates of models that see expect it. A video is one part.
fn parts(message: &Message, video: bool) -> ChatValue {
    let (count, what) = if video { (1, "video") } else { (message.images.len(), "image") };
    let pictures = (0..count).map(|_| ChatValue::from_pairs([("type", ChatValue::from(what))]));
    let text = [("type", ChatValue::from("text")), ("text", ChatValue::from(message.content.as_str()))];
    pictures.chain([ChatValue::from_pairs(text)]).collect()
}

/// The chat template at `chat_template`: a text, or a list of named templates, of which `default` (else the first) is
/// used.
fn template_of(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Array(list) => {
            let default = list.iter().find(|t| t["name"] == "default").or_else(|| list.first())?;
            default["template"].as_str().map(str::to_owned)
        }
        _ => None,
    }
}

/// Seconds since 1970, for templates that write the date.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// The ids of all tokens that end a reply: `eos_token_id` of `generation_config.json`, else of `config.json`.
pub fn end_tokens(generation: Option<&Config>, config: &Config, vocabulary: usize) -> Result<Vec<u32>, Fault> {
    let ends = generation.map_or(Ok(Vec::new()), |g| g.tokens("eos_token_id", vocabulary))?;
    if ends.is_empty() { config.tokens("eos_token_id", vocabulary) } else { Ok(ends) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_render_as_in_python() {
        let check = |source: &str| {
            let chat = Chat {
                template: Some(ChatTemplate::parse(source).unwrap()),
                specials: vec![("bos_token", "<s>".to_owned())],
            };
            let messages = [Message::new("user", " Hé <b> ")];
            chat.prompt(&messages, false).map(|p| p.text).unwrap_or_else(|e| e.to_string())
        };
        insta::assert_snapshot!(check("{{ bos_token }}{% for m in messages %}\n  {{- m.content.strip() }}|{{ m['role'].upper() }}{% endfor %}"), @"<s>Hé <b>|USER");
        insta::assert_snapshot!(check("{{ messages | tojson }}"), @r#"[{"role": "user", "content": " Hé <b> "}]"#);
        insta::assert_snapshot!(check("{% if tools is not none %}t{% endif %}{{ missing }}."), @".");
        insta::assert_snapshot!(check("{{ raise_exception('only two roles') }}"), @"the chat template failed on these messages: only two roles");
    }
}
