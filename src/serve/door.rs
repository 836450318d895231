//! Who may come in: checks the host, the origin and the secret of each request.
//!
//! - **Host.** A page of another site can make a browser resolve its own name to this machine (DNS rebinding). So a request must name an
//!   address or a name of this server.
//! - **Origin.** A page of another site may send requests, but not with its own origin.
//! - **Secret.** A program sends the token as `Authorization: Bearer …`. A browser opens a link with a key that works once, and gets a
//!   cookie that only requests of the same site carry.

use super::{
    api_error::{ApiError, printable},
    state::SharedState,
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// The bytes of a secret.
const SECRET_BYTES: usize = 32;
/// The most browsers that are logged in; the oldest one is logged out.
const MAX_BROWSERS: usize = 64;

/// The characters of a host or an origin that a message shows.
const SHOWN: usize = 60;

/// Checks requests.
pub(super) struct Door {
    /// The digest of the token; none lets everybody in.
    token: Option<blake3::Hash>,
    /// The names, besides addresses and `localhost`, by which the server may be called.
    names: Vec<String>,
    /// The name of the cookie. Cookies do not tell ports apart, so it has the port.
    cookie: String,
    /// Called with a new link when one was used.
    on_link: Box<dyn Fn(&str) + Send + Sync>,
    open: Mutex<OpenDoors>,
}

/// The secrets that open the door for browsers, as digests.
#[derive(Default)]
struct OpenDoors {
    link: Option<blake3::Hash>,
    browsers: Vec<blake3::Hash>,
}

/// A new secret, as text that fits into a URL.
pub fn secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; SECRET_BYTES]>())
}

impl Door {
    /// A door that opens for `token`, or for everybody without one. `names`: other names of the server. `on_link` gets the key of each new
    /// link.
    pub(super) fn new(
        token: Option<&str>,
        names: Vec<String>,
        port: u16,
        on_link: Box<dyn Fn(&str) + Send + Sync>,
    ) -> Door {
        let names = names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        let token = token.map(|token| blake3::hash(token.as_bytes()));
        let door = Door { token, names, cookie: format!("elenchus_{port}"), on_link, open: Mutex::default() };
        if door.token.is_some() {
            door.new_link();
        }
        door
    }

    /// Makes a new link for a browser. An unused one works no more.
    fn new_link(&self) {
        let key = secret();
        self.open().link = Some(blake3::hash(key.as_bytes()));
        (self.on_link)(&key);
    }

    fn open(&self) -> std::sync::MutexGuard<'_, OpenDoors> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cookie for a browser with the key of the open link. The link then works no more.
    fn admit(&self, key: &str) -> Option<HeaderValue> {
        let value = secret();
        {
            let mut open = self.open();
            open.link.take_if(|link| *link == blake3::hash(key.as_bytes()))?;
            let browsers = &mut open.browsers;
            browsers.push(blake3::hash(value.as_bytes()));
            let excess = browsers.len().saturating_sub(MAX_BROWSERS);
            browsers.drain(..excess);
        }
        self.new_link();
        let cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict", self.cookie);
        HeaderValue::from_str(&cookie).ok()
    }

    /// True if the request has the token, or the cookie of a browser that was let in.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let text = |name| headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
        // comparing digests takes the same time for all of them
        let bearer = |value: &str| {
            let (scheme, token_given) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| blake3::hash(token_given.trim().as_bytes()))
        };
        if text(header::AUTHORIZATION).filter_map(bearer).any(|given| given == *token) {
            return true;
        }
        let pairs =
            text(header::COOKIE).flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let given = pairs.filter(|(name, _)| *name == self.cookie).map(|(_, value)| blake3::hash(value.as_bytes()));
        let open = self.open();
        given.into_iter().any(|given| open.browsers.contains(&given))
    }

    /// Refuses a request to another host, and one of another site's page.
    fn check_site(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
        let forbidden = |message: String| Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message));
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().unwrap_or_default(),
            (None, _) => uri.authority().map(axum::http::uri::Authority::as_str).unwrap_or_default(),
            (Some(_), Some(_)) => return forbidden("the request names several hosts".to_owned()),
        };
        if !self.is_own(host) {
            let message = format!("the request is for the host `{}`, which is not this server", printable(host, SHOWN));
            return Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message)
                .hint("`elenchus serve --allow-host NAME` lets the server be called by another name"));
        }
        if let Some(origin) = headers.get(header::ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            let named = origin.split_once("://").map_or("", |(_, rest)| rest);
            if !named.eq_ignore_ascii_case(host) {
                return forbidden(format!("the request comes from a page of `{}`", printable(origin, SHOWN)));
            }
        }
        let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok()).unwrap_or("none");
        // a link on another site may lead to the page, and to nothing else
        let is_page = *method == Method::GET && uri.path() == "/";
        if matches!(site, "cross-site" | "same-site") && !is_page {
            return forbidden("the request comes from a page of another site".to_owned());
        }
        Ok(())
    }

    /// True for an address, `localhost`, or a name of this server, with or without a port.
    fn is_own(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        name == "localhost" || name.parse::<IpAddr>().is_ok() || self.names.contains(&name)
    }
}

/// The paths that need no secret: they contain nothing of the user's.
fn is_public(path: &str) -> bool {
    path == "/health" || path == "/favicon.ico" || path.starts_with("/page/")
}

/// Checks each request, before anything else reads it.
pub(super) async fn check(State(state): State<SharedState>, request: Request, next: Next) -> Response {
    let door = &state.door;
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if let Err(refusal) = door.check_site(method, uri, headers) {
        return refusal.into_response();
    }
    if method == Method::GET
        && uri.path() == "/"
        && let Some(key) = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("key=")))
        && door.token.is_some()
    {
        // a key that was used leads to the page too, which says what to do
        let mut response = Redirect::to("/").into_response();
        if let Some(cookie) = door.admit(key) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        return response;
    }
    if is_public(uri.path()) || door.knows(headers) {
        return next.run(request).await;
    }
    if uri.path() == "/" {
        return (StatusCode::UNAUTHORIZED, super::page::closed()).into_response();
    }
    let refusal = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "the request has no valid token")
        .hint("send `Authorization: Bearer TOKEN`; `elenchus serve` prints where the token is");
    let mut response = refusal.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(token: Option<&str>) -> (Door, std::sync::Arc<Mutex<Vec<String>>>) {
        let keys = std::sync::Arc::new(Mutex::new(Vec::new()));
        let kept = keys.clone();
        let on_link = Box::new(move |key: &str| kept.lock().expect("lock").push(key.to_owned()));
        (Door::new(token, vec!["Glasses.local".to_owned()], 8080, on_link), keys)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (axum::http::HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"))
        });
        pairs.collect()
    }

    #[test]
    fn a_link_works_once() {
        let (door, keys) = door(Some("token"));
        let key = keys.lock().expect("lock")[0].clone();
        assert!(door.admit("another").is_none());
        let cookie = door.admit(&key).expect("a cookie").to_str().expect("text").to_owned();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        assert!(door.admit(&key).is_none(), "the link was used");
        assert_eq!(keys.lock().expect("lock").len(), 2, "there is a new link");
        let value = cookie.split(';').next().expect("a pair");
        assert!(door.knows(&headers(&[("cookie", &format!("theme=dark; {value}"))])));
        assert!(!door.knows(&headers(&[("cookie", "elenchus_8080=guessed")])));
        assert!(!door.knows(&headers(&[("cookie", &value.replace("8080", "8081"))])));
    }

    #[test]
    fn only_the_token_opens() {
        let (door, _) = door(Some("token"));
        assert!(door.knows(&headers(&[("authorization", "Bearer token")])));
        assert!(door.knows(&headers(&[("authorization", "bearer token")])));
        for wrong in ["Bearer", "Bearer tokens", "Bearer ", "Basic token", "token", ""] {
            assert!(!door.knows(&headers(&[("authorization", wrong)])), "{wrong}");
        }
        let (open, keys) = super::tests::door(None);
        assert!(open.knows(&HeaderMap::new()) && keys.lock().expect("lock").is_empty());
    }

    #[test]
    fn other_hosts_and_sites_are_refused() {
        let (door, _) = door(Some("token"));
        let check = |method: Method, path: &str, pairs: &[(&'static str, &str)], expected: bool| {
            let uri = path.parse().expect("a path");
            assert_eq!(door.check_site(&method, &uri, &headers(pairs)).is_ok(), expected, "{method} {path} {pairs:?}");
        };
        for host in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.0.7", "GLASSES.local:8080"]
        {
            check(Method::POST, "/api/ask", &[("host", host)], true);
        }
        for host in
            ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.nip.io", "", "a@localhost:1.x"]
        {
            check(Method::GET, "/api/lines", &[("host", host)], false);
        }
        check(Method::GET, "/api/lines", &[], false);
        let own = ("host", "127.0.0.1:8080");
        check(Method::POST, "/api/ask", &[own, ("origin", "http://127.0.0.1:8080")], true);
        for origin in
            ["http://evil.example", "null", "http://127.0.0.1:8081", "http://localhost:8080", "127.0.0.1:8080"]
        {
            check(Method::POST, "/api/ask", &[own, ("origin", origin)], false);
        }
        check(Method::GET, "/api/lines", &[own, ("sec-fetch-site", "cross-site")], false);
        check(Method::GET, "/api/lines", &[own, ("sec-fetch-site", "same-origin")], true);
        check(Method::GET, "/", &[own, ("sec-fetch-site", "cross-site")], true);
    }
}
