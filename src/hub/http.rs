//! The HTTP client of downloads and remote agents, and the reading of servers' requests to wait.

use reqwest::{Response, StatusCode, header::HeaderMap};
use std::{
    sync::Once,
    time::{Duration, SystemTime},
};

/// Maximum wait that a server's `Retry-After` can request.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// A client with the TLS provider installed. It never follows a redirect by itself, because a redirect must not get a
/// key. It reaches an endpoint on this machine without a proxy. Fails if the client cannot be built.
pub fn client(url: &str, connect_timeout: Duration) -> Result<reqwest::Client, String> {
    static PROVIDER: Once = Once::new();
    // rustls needs one cryptography provider. A second installation fails harmlessly.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let builder = || {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("elenchus/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(connect_timeout);
        if is_loopback(url) { builder.no_proxy() } else { builder }
    };
    // A machine without certificate authorities can still use plain HTTP; HTTPS then fails when it is used.
    builder().build().or_else(|_| builder().tls_certs_only([]).build()).map_err(|error| chain(&error))
}

/// True for `localhost`, `127.0.0.0/8` and `::1`.
pub fn is_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// True if the same request may succeed a little later.
pub fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// The wait of `Retry-After`: seconds or an HTTP date, counted from `now`; at most two minutes.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(MAX_WAIT))
}

/// The whole body; `None` if it has more than `limit` bytes. Reads no further than that.
pub async fn body(mut response: Response, limit: usize) -> reqwest::Result<Option<Vec<u8>>> {
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Ok(None);
    }
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await? {
        if body.len() + bytes.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&bytes);
    }
    Ok(Some(body))
}

/// An error with its causes on one line ("error sending request: connection refused"). It omits the URL, which may
/// contain a signed token.
pub fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "timed out".to_owned() } else { String::new() };
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = if text.is_empty() { inner_text } else { format!("{text}: {inner_text}") };
        }
        cause = inner.source();
    }
    if text.is_empty() { "the request failed".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_retry_after(value: &str, expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", value.parse().expect("a header"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000); // 2001-09-09 01:46:40
        assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{value}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        check_retry_after("7", Some(7));
        check_retry_after("Sun, 09 Sep 2001 01:46:55 GMT", Some(15));
        check_retry_after("Sun, 09 Sep 2001 01:46:00 GMT", Some(0));
        check_retry_after("86400", Some(120));
        check_retry_after("soon", None);
        check_retry_after("-3", None);
    }

    #[test]
    fn loopback_is_recognised() {
        for url in ["http://localhost:1/v1", "http://127.0.0.1:8080", "http://[::1]:3/"] {
            assert!(is_loopback(url), "{url}");
        }
        assert!(!is_loopback("https://example.org"));
    }
}
