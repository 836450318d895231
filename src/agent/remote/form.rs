//! Replies of a demanded form (`choices`, `schema`, `regex`) from an endpoint: what the server supports, else the form in
//! the prompt; always with a validation, and one repair round.

use super::{CallContext, RemoteAgent, wire::Refusal};
use crate::{
    error::Fault,
    exchange::{Finish, Message, SayReply, SayRequest},
    grammar::Restriction,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU8, Ordering};

/// The means by which a server gives a reply its form, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Means {
    /// `response_format` of type `json_schema`.
    Schema,
    /// `response_format` of type `json_object`, with the schema in the prompt.
    Object,
    /// The form in the prompt alone.
    Prompt,
}

const MEANS: [Means; 3] = [Means::Schema, Means::Object, Means::Prompt];

/// The best means that an endpoint is known to support. It is found once and kept as long as the agent lives.
#[derive(Debug, Default)]
pub(super) struct Support(AtomicU8);

impl Support {
    fn best(&self) -> Means {
        MEANS[usize::from(self.0.load(Ordering::Relaxed)).min(MEANS.len() - 1)]
    }

    fn settle(&self, means: Means) {
        self.0.fetch_max(means as u8, Ordering::Relaxed);
    }
}

/// The form that a request demands.
enum Form<'a> {
    Choices(&'a [String]),
    Restricted(Restriction<'a>),
}

impl<'a> Form<'a> {
    fn of(request: &'a SayRequest) -> Option<Form<'a>> {
        match request.choices.is_empty() {
            false => Some(Form::Choices(&request.choices)),
            true => request.restriction().map(Form::Restricted),
        }
    }

    /// The JSON Schema of the reply; none for a regular expression, which the protocol cannot express.
    fn schema(&self) -> Option<Value> {
        match self {
            Form::Choices(choices) => Some(json!({
                "type": "object",
                "properties": {"choice": {"type": "string", "enum": choices}},
                "required": ["choice"],
                "additionalProperties": false,
            })),
            Form::Restricted(Restriction::Schema(schema)) => Some((*schema).clone()),
            Form::Restricted(Restriction::Regex(_)) => None,
        }
    }

    /// The field `response_format`.
    fn response_format(&self, means: Means) -> Option<Value> {
        let schema = self.schema()?;
        match means {
            Means::Schema => {
                let strict = is_strict(&schema);
                let format = json!({"name": "reply", "strict": strict, "schema": schema});
                Some(json!({"type": "json_schema", "json_schema": format}))
            }
            // a choice alone is plain text, which `json_object` forbids
            Means::Object if matches!(self, Form::Restricted(_)) => Some(json!({"type": "json_object"})),
            Means::Object | Means::Prompt => None,
        }
    }

    /// The form as a sentence for the model.
    fn sentence(&self) -> String {
        match self {
            Form::Choices(choices) => format!("Answer with one of these and nothing else: {}", choices.join(", ")),
            Form::Restricted(Restriction::Schema(schema)) => {
                format!("Answer only with JSON that fits this JSON Schema: {schema}")
            }
            Form::Restricted(Restriction::Regex(regex)) => {
                format!("Answer only with a text that this regular expression matches as a whole: {regex}")
            }
        }
    }

    /// The reply in its form. The error says what was found.
    fn read(&self, text: &str) -> Result<String, String> {
        match self {
            Form::Choices(choices) => {
                chosen(text, choices).ok_or_else(|| format!("found `{}`, which is not one of the choices", text.trim()))
            }
            Form::Restricted(restriction) => {
                let text = unfenced(text);
                restriction.accepts(text).map(|()| text.to_owned())
            }
        }
    }
}

/// True if OpenAI's strict mode accepts the schema: each object names all its properties, and requires them.
fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(keywords) => {
            let properties = keywords.get("properties").and_then(Value::as_object);
            let required = keywords.get("required").and_then(Value::as_array);
            let closed = properties.is_none_or(|properties| {
                let all =
                    required.is_some_and(|required| properties.keys().all(|name| required.iter().any(|r| r == name)));
                all && keywords.get("additionalProperties") == Some(&Value::Bool(false))
            });
            let open = keywords.get("type").is_some_and(|ty| ty == "object") && properties.is_none();
            closed && !open && keywords.values().all(is_strict)
        }
        Value::Array(items) => items.iter().all(is_strict),
        _ => true,
    }
}

/// The text without the fence that some models put around JSON.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inner.map_or(text, |inner| inner.trim_start_matches(|c: char| c.is_ascii_alphabetic()).trim())
}

/// The choice in the model's reply. Servers that do not support `response_format` answer in plain text.
fn chosen(text: &str, choices: &[String]) -> Option<String> {
    let said = serde_json::from_str::<Value>(unfenced(text))
        .ok()
        .and_then(|json| json["choice"].as_str().or(json.as_str()).map(str::to_owned))
        .unwrap_or_else(|| text.to_owned());
    let plain = |text: &str| text.trim().trim_end_matches('.').to_lowercase();
    let found = choices.iter().find(|choice| **choice == said);
    found.or_else(|| choices.iter().find(|choice| plain(choice) == plain(&said))).cloned()
}

impl RemoteAgent {
    /// Answers a request with a form; `None` for a request without one. The means that the server does not support are
    /// tried once.
    pub(super) async fn formed(&self, request: &SayRequest, asking: &CallContext) -> Option<Result<SayReply, Refusal>> {
        let form = Form::of(request)?;
        Some(self.formed_as(request, &form, asking).await)
    }

    async fn formed_as(
        &self,
        request: &SayRequest,
        form: &Form<'_>,
        asking: &CallContext,
    ) -> Result<SayReply, Refusal> {
        let (means, first) = self.first(request, form, asking).await?;
        let why = match self.in_form(form, &first) {
            Ok(reply) => return Ok(reply),
            Err(why) => why,
        };
        // the server ignored the form
        self.support.settle(Means::Prompt);
        let mut again = request.clone();
        again.messages.push(Message::new("assistant", first.text.clone()));
        again.messages.push(Message::new("user", format!("This does not fit: {why}. {}", form.sentence())));
        let format = form.response_format(means);
        let second = self.say_once(&again, format.as_ref(), asking).await?;
        self.in_form(form, &second).map_err(|why| {
            let why = self.wire.excerpt(&why);
            let base = self.wire.base();
            Fault::failed(format!("the reply of {base} does not fit, and neither did one before: {why}")).into()
        })
    }

    /// The first reply, with the best means that the server does not refuse.
    async fn first(
        &self,
        request: &SayRequest,
        form: &Form<'_>,
        asking: &CallContext,
    ) -> Result<(Means, SayReply), Refusal> {
        // a regular expression has no other means than the prompt
        let best = if form.schema().is_some() { self.support.best() } else { Means::Prompt };
        let mut means = best;
        loop {
            let mut asked = request.clone();
            if means != Means::Schema
                && let Some(last) = asked.messages.last_mut()
            {
                last.content = format!("{}\n\n{}", last.content, form.sentence());
            }
            let format = form.response_format(means);
            match self.say_once(&asked, format.as_ref(), asking).await {
                Ok(reply) => {
                    if means != best {
                        self.support.settle(means);
                    }
                    return Ok((means, reply));
                }
                Err(refusal) => match MEANS.into_iter().find(|next| *next > means) {
                    Some(next) if format.is_some() && refusal.too_long.is_none() && is_unsupported(refusal.status) => {
                        tracing::debug!(fault = %refusal.fault, ?next, "the server refuses the form");
                        means = next;
                    }
                    _ => return Err(refusal),
                },
            }
        }
    }

    fn in_form(&self, form: &Form<'_>, said: &SayReply) -> Result<SayReply, String> {
        match form.read(&said.text) {
            Ok(text) => Ok(SayReply { text, ..said.clone() }),
            Err(why) if said.finish == Finish::Length => Err(format!("the reply ended at `max_tokens`: {why}")),
            Err(why) => Err(why),
        }
    }
}

/// True for the answers of servers that do not support a field of the request. The server of llama-cpp-python answers
/// 500.
fn is_unsupported(status: Option<StatusCode>) -> bool {
    matches!(status.map(|status| status.as_u16()), Some(400 | 404 | 415 | 422 | 500 | 501))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_schemas_are_recognised() {
        let check = |schema: Value, expected: bool| assert_eq!(is_strict(&schema), expected, "{schema}");
        let object = |required: Value| {
            json!({"type": "object", "properties": {"a": {"type": "string"}},
            "required": required, "additionalProperties": false})
        };
        check(object(json!(["a"])), true);
        check(object(json!([])), false);
        check(json!({"type": "array", "items": {"type": "object"}}), false);
        check(json!({"type": "string"}), true);
    }

    #[test]
    fn a_fence_is_removed() {
        assert_eq!(unfenced("```json\n{\"a\": 1}\n```\n"), "{\"a\": 1}");
        assert_eq!(unfenced(" {} "), "{}");
    }
}
