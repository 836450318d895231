//! Prompts that are longer than the model's context: the refusal of a server in the words of this program, and lines of a
//! list that are left out until the prompt fits (`overflow`).

use super::{CallContext, RemoteAgent, wire::Refusal};
use crate::{
    error::Fault,
    exchange::{Message, Overflow, SayReply, SayRequest},
};
use reqwest::StatusCode;
use serde_json::Value;

/// The numbers in a server's refusal of a prompt that is too long, as far as it tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TooLong {
    /// The tokens of the prompt.
    pub prompt: Option<usize>,
    /// The tokens that the model reads, with its reply.
    pub context: Option<usize>,
}

/// Room for a reply if neither the request nor the agent sets `max_tokens`, as for local models.
const REPLY_TOKENS: usize = 512;
/// The maximum attempts to send a prompt with fewer lines.
const ATTEMPTS: usize = 24;
/// From this attempt on, at least half of the remaining lines are left out: the server's numbers do not help.
const HALVED: usize = 4;

/// Codes and types of the error, and pieces of its message in lower case: OpenAI, Azure, vLLM, SGLang, llama.cpp,
/// llama-cpp-python, Ollama, LM Studio, TGI, Mistral and Anthropic.
const CODES: &[&str] = &["context_length_exceeded", "exceed_context_size_error", "context_window_exceeded"];
const PIECES: &[&str] = &[
    "context length",
    "context size",
    "context window",
    "prompt is too long",
    "input is too long",
    "tokens exceed",
    "`inputs` tokens + `max_new_tokens` must be",
];
/// The words before the number of tokens that the model reads, and after it.
const CONTEXT: &[(&str, &str)] = &[
    ("context length is only ", ""),
    ("context length is ", ""),
    ("context length of only ", ""),
    ("context length of ", ""),
    ("context length (", " tokens"),
    ("context size (", " tokens"),
    ("context window of ", ""),
    ("configured limit of ", ""),
    ("must be <= ", ""),
    ("tokens > ", " maximum"),
    ("model with ", " maximum context length"),
];
/// The words around the number of the prompt's tokens, the most exact first.
const PROMPT: &[(&str, &str)] = &[
    ("(", " in the messages"),
    ("(", " in your prompt"),
    ("", " tokens from the input"),
    ("", " input tokens"),
    ("resulted in ", " tokens"),
    ("request (", " tokens)"),
    ("input (", " tokens)"),
    ("requested tokens (", ")"),
    ("requested ", " tokens"),
    ("contains ", " tokens"),
    ("too long: ", " tokens"),
    ("given: ", " `inputs`"),
    ("first ", " tokens"),
];

/// Reads the refusal of a prompt that is too long; `None` for any other error.
pub(super) fn too_long(status: Option<StatusCode>, body: &str) -> Option<TooLong> {
    // the server of llama-cpp-python answers 500; an event of a stream has no status
    if !matches!(status.map(|status| status.as_u16()), None | Some(400 | 413 | 422 | 500)) {
        return None;
    }
    let json: Option<Value> = serde_json::from_str(body).ok();
    let error = json.as_ref().map(|json| json.get("error").unwrap_or(json));
    let field = |name: &str| error.and_then(|error| error.get(name));
    let known = |name| field(name).and_then(Value::as_str).is_some_and(|code| CODES.contains(&code));
    let said = super::wire::error_message(body).unwrap_or_else(|| body.to_owned()).to_lowercase();
    if !known("code") && !known("type") && !PIECES.iter().any(|piece| said.contains(piece)) {
        return None;
    }
    let number = |name: &str| field(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let find = |phrases: &[(&str, &str)]| phrases.iter().find_map(|(before, after)| between(&said, before, after));
    let context = number("n_ctx").or_else(|| find(CONTEXT));
    let prompt = number("n_prompt_tokens").or_else(|| find(PROMPT));
    // a text about both without a number is an error of another kind, such as an unknown setting
    (known("code")
        || known("type")
        || context.or(prompt).is_some()
        || said.contains("too long")
        || said.contains("exceed"))
    .then_some(TooLong { prompt, context })
}

/// The whole number between these words.
fn between(text: &str, before: &str, after: &str) -> Option<usize> {
    let digits = |c: char| c.is_ascii_digit();
    let mut starts = text.match_indices(before).map(|(at, _)| at + before.len());
    starts.find_map(|start| {
        let rest = &text[start..];
        // a number that begins here, not the end of a longer one
        if !rest.starts_with(digits) || text[..start].ends_with(digits) {
            return None;
        }
        let (number, rest) = rest.split_at(rest.find(|c| !digits(c)).unwrap_or(rest.len()));
        if rest.starts_with(after) { number.parse().ok() } else { None }
    })
}

impl TooLong {
    /// The fault, with both numbers if they are known. `said` is the server's own message.
    pub(super) fn fault(self, base: &str, said: &str) -> Fault {
        let remedy = "shorten the prompt or use a model that reads more";
        match (self.prompt, self.context) {
            (Some(prompt), Some(context)) => Fault::failed(format!(
                "the prompt has {prompt} tokens; the model at {base} reads at most {context} together with its reply: {remedy}"
            )),
            _ => Fault::failed(format!("the prompt is longer than the model at {base} reads: {said}")).hint(remedy),
        }
    }
}

/// About the number of tokens of these messages, for any tokenizer: rather too many than too few.
fn estimate(messages: &[Message]) -> usize {
    messages.iter().map(|message| 8 + estimate_of(&message.content)).sum()
}

fn estimate_of(text: &str) -> usize {
    let (mut tokens, mut letters) = (0, 0_usize);
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_alphabetic() {
            letters += 1;
            continue;
        }
        tokens += letters.div_ceil(4);
        letters = 0;
        tokens += match c {
            ' ' => 0,
            c if c.is_ascii() => 1,
            _ => 2,
        };
    }
    tokens
}

/// The fewest tokens that these messages can have: tokens do not reach across spaces.
fn words(messages: &[Message]) -> usize {
    messages.iter().map(|message| message.content.split_whitespace().count()).sum()
}

/// The fewest of `from..=lines` lines without which the prompt has at most `most` tokens by the estimate; all if none
/// suffices.
fn fewest(overflow: &Overflow, messages: &[Message], from: usize, scale: f64, most: f64) -> usize {
    let (mut low, mut high) = (from, overflow.lines(messages));
    while low < high {
        let middle = low + (high - low) / 2;
        let tokens = estimate(&overflow.without(messages, middle)) as f64 * scale;
        if tokens <= most { high = middle } else { low = middle + 1 }
    }
    high
}

impl RemoteAgent {
    /// Answers a request. Lines of its list are left out if the request allows it and the prompt is too long by the
    /// agent file or by the server. Fails with both numbers, if the server tells them, if it does not fit even so.
    pub(super) async fn say(&self, request: SayRequest, asking: CallContext) -> Result<SayReply, Fault> {
        let Some(overflow) = &request.overflow else {
            return self.say_whole(&request, asking).await.map_err(|refusal| *refusal.fault);
        };
        let decoding = request.decoding.or(&self.spec.decoding);
        let reply = decoding.max_tokens.unwrap_or(REPLY_TOKENS);
        let room = |context: usize| context.saturating_sub(reply.min(context.saturating_sub(1))) as f64;
        let (messages, lines) = (&request.messages, overflow.lines(&request.messages));
        let (mut scale, mut context) = (1.0, self.spec.context_tokens);
        let mut count = context.map_or(0, |context| fewest(overflow, messages, 0, scale, room(context)));
        let mut attempt = 0;
        loop {
            attempt += 1;
            let asked = SayRequest { messages: overflow.without(messages, count), overflow: None, ..request.clone() };
            let why = match self.say_whole(&asked, asking.clone()).await {
                Ok(reply) => return Ok(SayReply { left_out: count, ..reply }),
                Err(Refusal { too_long: Some(why), .. }) if count < lines && attempt < ATTEMPTS => why,
                Err(Refusal { fault, .. }) => return Err(without_lines(*fault, count, lines)),
            };
            let sent = estimate(&asked.messages).max(1) as f64;
            scale = why.prompt.map_or(scale * 1.25, |prompt| prompt as f64 / sent);
            context = why.context.or(context);
            let most = context.map_or(sent * scale * 0.6, room);
            let next = fewest(overflow, messages, count + 1, scale, most);
            let least = if attempt < HALVED { count + 1 } else { count + (lines - count).div_ceil(2) };
            count = next.max(least);
            tracing::debug!(count, lines, ?why, "lines are left out of the prompt");
        }
    }

    /// Answers a request as it is. Fails before it sends a prompt that has more words than the agent's `context_tokens`.
    async fn say_whole(&self, request: &SayRequest, asking: CallContext) -> Result<SayReply, Refusal> {
        let words = words(&request.messages);
        if let Some(context) = self.spec.context_tokens.filter(|context| words >= *context) {
            let fault = Fault::failed(format!(
                "the prompt has at least {words} tokens; the model reads at most {context} together with its reply \
                 (`limits: context_tokens` of the agent): shorten the prompt or use a model that reads more"
            ));
            let too_long = TooLong { prompt: None, context: Some(context) };
            return Err(Refusal { too_long: Some(too_long), ..Refusal::from(fault) });
        }
        match self.formed(request, &asking).await {
            Some(reply) => reply,
            None => self.say_streaming(request, None, asking).await,
        }
    }
}

/// The fault of a prompt that is too long even without the lines.
fn without_lines(fault: Fault, count: usize, lines: usize) -> Fault {
    match count {
        0 => fault,
        _ => Fault { message: format!("without {count} of the {lines} lines of its list, {}", fault.message), ..fault },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_each_server_are_read() {
        let check = |status: u16, body: &str, expected: Option<(Option<usize>, Option<usize>)>| {
            let found = too_long(StatusCode::from_u16(status).ok(), body);
            assert_eq!(found.map(|found| (found.prompt, found.context)), expected, "{body}");
        };
        let error = |message: &str| serde_json::json!({"error": {"message": message, "code": 400}}).to_string();
        let both = |prompt, context| Some((Some(prompt), Some(context)));
        // OpenAI
        let coded = |message: &str| {
            serde_json::json!({"error": {"message": message, "code": "context_length_exceeded"}}).to_string()
        };
        check(
            400,
            &coded(
                "This model's maximum context length is 8192 tokens. However, your messages resulted in 8227 tokens. Please reduce the length of the messages.",
            ),
            both(8227, 8192),
        );
        check(
            400,
            &coded(
                "This model's maximum context length is 4097 tokens. However, you requested 4120 tokens (3120 in the messages, 1000 in the completion).",
            ),
            both(3120, 4097),
        );
        check(
            400,
            &coded(
                "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
            ),
            both(300_000, 272_000),
        );
        check(400, &coded("Too much."), Some((None, None)));
        // vLLM, in several versions
        check(
            400,
            &error(
                "This model's maximum context length is 16384 tokens. However, you requested 122946 tokens (112946 in the messages, 10000 in the completion).",
            ),
            both(112_946, 16_384),
        );
        check(
            400,
            "{\"object\":\"error\",\"message\":\"This model's maximum context length is 4096 tokens. However, your request has 5000 input tokens.\",\"code\":400}",
            both(5000, 4096),
        );
        check(
            400,
            &error(
                "You passed 4097 input tokens and requested 100 output tokens. However, the model's context length is only 4096 tokens",
            ),
            both(4097, 4096),
        );
        check(
            400,
            &error(
                "'max_tokens' is too large: 1000. This model's maximum context length is 4096 tokens and your request has 3500 input tokens (1000 > 4096 - 3500).",
            ),
            both(3500, 4096),
        );
        // llama.cpp: fields, and the message alone
        check(
            400,
            "{\"error\":{\"code\":400,\"message\":\"the request exceeds the available context size\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":1407,\"n_ctx\":256}}",
            both(1407, 256),
        );
        check(
            500,
            &error("request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it"),
            both(9412, 8192),
        );
        // llama-cpp-python
        check(500, &error("Requested tokens (2285) exceed context window of 2048"), both(2285, 2048));
        // SGLang, TGI, Mistral, Anthropic, LM Studio
        check(
            400,
            &error("The input (5000 tokens) is longer than the model's context length (4096 tokens)."),
            both(5000, 4096),
        );
        check(
            400,
            &error(
                "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 5000 tokens: 4500 tokens from the input messages and 500 tokens for the completion.",
            ),
            both(4500, 4096),
        );
        check(
            422,
            "{\"error\":\"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1500 `inputs` tokens and 1000 `max_new_tokens`\"}",
            both(1500, 2048),
        );
        check(
            400,
            "{\"message\":\"Prompt contains 40000 tokens, too large for model with 32768 maximum context length\"}",
            both(40_000, 32_768),
        );
        check(400, &error("prompt is too long: 210000 tokens > 200000 maximum"), both(210_000, 200_000));
        check(
            400,
            &error(
                "Trying to keep the first 5000 tokens when context overflows. However, the model is loaded with context length of only 4096 tokens",
            ),
            both(5000, 4096),
        );
        // without numbers, and other errors
        check(400, &error("the input length exceeds the context length"), Some((None, None)));
        check(400, &error("unknown field `response_format`"), None);
        check(400, &error("the setting context size is unknown"), None);
        check(429, &error("This model's maximum context length is 8192 tokens."), None);
        check(400, "", None);
    }

    #[test]
    fn estimates_are_near_and_rather_too_high() {
        let of = |text: &str| estimate(&[Message::new("user", text)]) - 8;
        // Qwen2.5 has 24, 11 and 6 tokens for these
        assert_eq!(of("[12] 00:03:15.000 in the kitchen, a red mug"), 25);
        assert_eq!(of("Where did I leave my keys this morning, please?"), 16);
        assert_eq!(of("日本語のテキスト"), 17);
        assert_eq!(words(&[Message::new("user", "a b\nc"), Message::new("user", " d ")]), 4);
    }
}
