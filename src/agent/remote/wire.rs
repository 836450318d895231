//! Sends one request, and turns failures into faults.

use super::{
    RemoteSpec,
    long::{self, TooLong},
    redact::Redaction,
};
use crate::error::Fault;
use crate::hub::{folders::Secret, http};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// The hint if no server answers at an endpoint's address.
const START_IT: &str = "start the server, or correct `url` in the agent's file";

/// Longest excerpt of a server's text in an error, in characters.
const EXCERPT: usize = 200;
/// The maximum bytes of an error's body that are read: servers write a line or a page.
const ERROR_BYTES: usize = 64 * 1024;
/// The maximum bytes of a stream for each byte of the reply's limit: a stream wraps each word in JSON.
const STREAM_FACTOR: usize = 64;

/// Why a request has no answer: the server's status, if it gave one, the numbers of a prompt that is too long, and the
/// fault.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: Option<StatusCode>,
    pub too_long: Option<TooLong>,
    pub fault: Box<Fault>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal { status: None, too_long: None, fault: Box::new(fault) }
    }
}

/// The connection to an endpoint: its address, key and limits.
pub(super) struct Wire {
    client: reqwest::Client,
    base: Url,
    key: Option<Secret>,
    key_env: Option<String>,
    timeout: Duration,
    /// Removes the key from answers.
    pub redaction: Redaction,
    /// The maximum bytes of one reply.
    pub reply_bytes: usize,
    /// The maximum time of one streamed reply.
    reply_time: Duration,
}

impl Wire {
    pub(super) fn new(spec: &RemoteSpec, key: Option<Secret>) -> Result<Wire, Fault> {
        let base = base(&spec.url).map_err(Fault::model)?;
        let connect = spec.timeout.min(Duration::from_secs(20));
        let client = http::client(base.as_str(), connect)
            .map_err(|error| Fault::model(format!("the HTTP client cannot be created: {error}")))?;
        Ok(Wire {
            client,
            base,
            redaction: Redaction::new(key.as_ref()),
            key,
            key_env: spec.key_env.clone(),
            timeout: spec.timeout,
            reply_bytes: spec.reply_bytes,
            reply_time: spec.reply_time,
        })
    }

    /// The endpoint's base address, for identities and errors.
    pub(super) fn base(&self) -> &str {
        self.base.as_str()
    }

    /// A POST to `path` below the base.
    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        let request = self.client.post(format!("{}/{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key.reveal()),
            None => request,
        }
    }

    /// The latest time for a reply to a request that is sent now.
    pub(super) fn until(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Fails if no server answers at the address.
    pub(super) async fn reachable(&self) -> Result<(), Fault> {
        match tokio::time::timeout(self.timeout, self.client.head(self.base()).send()).await {
            Ok(Err(error)) if error.is_connect() => {
                let message = format!("{} cannot be reached: {}", self.base, self.hidden(&http::chain(&error)));
                Err(Fault::model(message).hint(START_IT))
            }
            // any answer shows that a server is there
            _ => Ok(()),
        }
    }

    /// Sends a request. Gives the answer if its status is a success, else a fault with the server's own message.
    pub(super) async fn send(&self, request: RequestBuilder, until: Instant) -> Result<Response, Fault> {
        self.try_send(request, until).await.map_err(|refusal| *refusal.fault)
    }

    /// Like [`Wire::send`], with the status of a refusal.
    pub(super) async fn try_send(&self, request: RequestBuilder, until: Instant) -> Result<Response, Refusal> {
        let mut sent = self.in_time(request.send(), until).await?;
        let status = sent.status();
        if status.is_success() {
            return Ok(sent);
        }
        let retry_after = http::retry_after(sent.headers(), SystemTime::now());
        let mut body = Vec::new();
        while body.len() < ERROR_BYTES {
            // the status is enough if the body does not arrive
            let Ok(Some(bytes)) = self.in_time(sent.chunk(), until).await else { break };
            body.extend_from_slice(&bytes[..bytes.len().min(ERROR_BYTES - body.len())]);
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        let said = self.excerpt(&error_message(&body).unwrap_or(body.clone()));
        if let Some(refusal) = self.too_long(Some(status), &body, &said) {
            return Err(refusal);
        }
        let message = self.refusal(status, &said);
        // A used-up quota is a 429 too, but a retry cannot help.
        let fault = match http::is_passing(status) && !body.contains("insufficient_quota") {
            true => Fault::passing(message, retry_after),
            false => Fault::failed(message),
        };
        Err(Refusal { status: Some(status), ..Refusal::from(fault) })
    }

    /// The refusal of a prompt that is too long, if `body` is one. `said` is its message.
    pub(super) fn too_long(&self, status: Option<StatusCode>, body: &str, said: &str) -> Option<Refusal> {
        let why = long::too_long(status, body)?;
        let fault = why.fault(self.base(), &self.excerpt(said));
        Some(Refusal { status, too_long: Some(why), ..Refusal::from(fault) })
    }

    /// Sends and reads the whole answer as JSON, without the key.
    pub(super) async fn json(&self, request: RequestBuilder) -> Result<serde_json::Value, Fault> {
        let until = self.until();
        let response = self.send(request, until).await?;
        self.read_json(response, until).await
    }

    /// The whole answer as JSON, without the key.
    pub(super) async fn read_json(&self, response: Response, until: Instant) -> Result<serde_json::Value, Fault> {
        let body = self.in_time(http::body(response, self.reply_bytes), until).await?;
        let body = body.ok_or_else(|| self.too_large())?;
        match serde_json::from_slice(&body) {
            Ok(mut answer) => {
                self.redaction.hide_in(&mut answer);
                Ok(answer)
            }
            Err(_) => Err(self.malformed("is not JSON", &String::from_utf8_lossy(&body))),
        }
    }

    /// Passes the chunks of a streamed answer to `take`, until `take` gives true or the stream ends. Fails at the
    /// limits of bytes and time.
    pub(super) async fn stream<E: From<Fault>>(
        &self,
        mut response: Response,
        mut take: impl FnMut(&[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        let (last, mut read) = (Instant::now() + self.reply_time, 0);
        while Instant::now() < last {
            let bytes = match self.in_time(response.chunk(), self.until().min(last)).await {
                Err(_) if Instant::now() >= last => break,
                bytes => bytes?,
            };
            let Some(bytes) = bytes else { return Ok(()) };
            read += bytes.len();
            if read > self.reply_bytes.saturating_mul(STREAM_FACTOR) {
                return Err(self.too_large().into());
            }
            if take(&bytes)? {
                return Ok(());
            }
        }
        let limit = self.reply_time;
        let message = format!("the reply of {} did not end within {limit:?} (`limits: reply_time`)", self.base);
        Err(Fault::failed(message).into())
    }

    /// The error for a reply that exceeds its limit; no part of it is kept.
    pub(super) fn too_large(&self) -> Fault {
        Fault::failed(format!(
            "the reply of {} is larger than {} bytes (`limits: reply_bytes`)",
            self.base, self.reply_bytes
        ))
    }

    /// Awaits a network operation until `until`. A failure becomes a fault.
    async fn in_time<T>(&self, what: impl Future<Output = reqwest::Result<T>>, until: Instant) -> Result<T, Fault> {
        let passing = |message: String| Fault::passing(message, None);
        match tokio::time::timeout_at(until, what).await {
            Err(_) => Err(passing(format!("{} did not answer within {:?}", self.base, self.timeout))),
            Ok(Err(error)) => {
                let message = format!("{}: {}", self.base, self.hidden(&http::chain(&error)));
                Err(if error.is_connect() { Fault::unreachable(message).hint(START_IT) } else { passing(message) })
            }
            Ok(Ok(value)) => Ok(value),
        }
    }

    /// The error for an answer that violates the protocol.
    pub(super) fn malformed(&self, what: &str, body: &str) -> Fault {
        Fault::failed(format!("the answer of {} {what}: {}", self.base, self.excerpt(body)))
    }

    fn refusal(&self, status: StatusCode, said: &str) -> String {
        let number = status.as_u16();
        let base = &self.base;
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        match (status, &self.key_env) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(name)) => {
                format!("{base} refuses the key in {name} ({number}){said}")
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) => {
                format!("{base} requires a key ({number}); name its environment variable as `key_env`{said}")
            }
            (StatusCode::NOT_FOUND, _) => format!("{base} did not find the address or the model ({number}){said}"),
            _ if status.is_redirection() => {
                format!("{base} redirects to another address ({number}); write the final address in `url`")
            }
            _ => format!("{base} answers {number}{said}"),
        }
    }

    /// The beginning of a server's text on one line, without the key.
    pub(super) fn excerpt(&self, text: &str) -> String {
        let line = self.hidden(text).split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(EXCERPT) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }

    fn hidden(&self, text: &str) -> String {
        let text = self.redaction.hide(text.to_owned());
        match &self.key {
            Some(key) => key.hide_in(&text),
            None => text,
        }
    }
}

/// The message in an error's body: `error.message` as in the protocol, or the forms of other servers.
pub(super) fn error_message(body: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    let error = json.get("error").or_else(|| json.get("detail")).or_else(|| json.get("message"))?;
    let text = error.get("message").unwrap_or(error);
    Some(text.as_str().map_or_else(|| text.to_string(), str::to_owned))
}

/// The endpoint's base address, such as `https://host/v1`; `/v1` is added if the path is empty. Fails if `url` contains
/// a secret.
fn base(url: &str) -> Result<Url, String> {
    let mut base = Url::parse(url.trim()).map_err(|_| format!("`{url}` is not a web address"))?;
    if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
        return Err(format!("`{url}` is not a web address: it must start with http:// or https://"));
    }
    if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
        return Err(
            "an endpoint's `url` cannot contain a key or a query; name the key's environment variable as `key_env`"
                .to_owned(),
        );
    }
    base.set_fragment(None);
    let path = base.path().trim_end_matches('/');
    let path = path.strip_suffix("/chat/completions").unwrap_or(path);
    let path = if path.is_empty() { "/v1" } else { path }.to_owned();
    base.set_path(&path);
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_base(url: &str, expected: Result<&str, &str>) {
        let found = base(url);
        let found = found.as_ref().map(Url::as_str).map_err(String::as_str);
        match expected {
            Err(part) => assert!(found.is_err_and(|error| error.contains(part)), "{url}"),
            Ok(_) => assert_eq!(found, expected, "{url}"),
        }
    }

    #[test]
    fn the_base_address_has_several_forms() {
        check_base("http://localhost:8080", Ok("http://localhost:8080/v1"));
        check_base("https://api.example.org/v1/", Ok("https://api.example.org/v1"));
        check_base("https://example.org/openai/v1/chat/completions", Ok("https://example.org/openai/v1"));
        check_base("ftp://example.org", Err("http://"));
        check_base("example.org", Err("not a web address"));
        check_base("https://me:pw@example.org/v1", Err("key_env"));
        check_base("https://example.org/v1?key=1", Err("key_env"));
    }
}
