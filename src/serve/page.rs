//! The page. Its files are part of the program; the browser needs nothing else.

use axum::{
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

/// A script of the page.
macro_rules! script {
    ($name:literal) => {
        ($name, "text/javascript; charset=utf-8", include_bytes!(concat!("page/", $name)))
    };
}

/// The files of the page, with their types.
const FILES: &[(&str, &str, &[u8])] = &[
    ("app.css", "text/css; charset=utf-8", include_bytes!("page/app.css")),
    ("icon.svg", "image/svg+xml", include_bytes!("page/icon.svg")),
    script!("ask.js"),
    script!("app.js"),
    script!("dom.js"),
    script!("library.js"),
    script!("lines.js"),
    script!("player.js"),
    script!("run.js"),
    script!("search.js"),
    script!("timeline.js"),
    script!("videos.js"),
];

/// What a page may load: its own files and answers, and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of every response.
pub(super) const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The page itself.
pub(super) async fn index() -> Html<&'static str> {
    Html(include_str!("page/index.html"))
}

/// What a browser without a cookie sees.
pub(super) fn closed() -> Html<&'static str> {
    Html(include_str!("page/closed.html"))
}

/// A file of the page.
pub(super) async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, bytes)) => {
            ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")], *bytes).into_response()
        }
        None => (StatusCode::NOT_FOUND, "there is no such file").into_response(),
    }
}
