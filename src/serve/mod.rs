//! The server: the page, its own API (`/api`), and endpoints in the form of OpenAI's API (`/v1`), over HTTP. It adds nothing to what the
//! engine, the sessions and the journal do; it carries their requests and answers.
//!
//! Every request passes the `door` first: host, origin and secret. Runs pass the `gate`, which limits how many go on.

mod api;
mod api_error;
mod body;
mod door;
mod files;
mod gate;
mod library;
#[cfg(feature = "mcp")]
mod mcp;
mod metrics;
mod openai;
mod operation;
mod page;
mod runs;
mod state;
mod stream;
mod thumbnails;

pub use door::secret;
#[cfg(feature = "mcp")]
pub use mcp::serve_stdio;
pub use state::{ServeLimits, ServeOptions};

use crate::{
    error::Fault,
    run::Cancel,
    session::{DialogueSource, Engine},
    telemetry,
};
use api_error::ApiError;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use door::Door;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use library::VideoLibrary;
use operation::{Operation, Routes};
use state::{ServerState, SharedState};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::Semaphore};
use tracing::Instrument;

/// How long open requests may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    state: SharedState,
    described: Router<SharedState>,
    address: SocketAddr,
}

/// Where a server listens, and who may use it.
pub struct ServeAddress {
    /// The address.
    pub host: IpAddr,
    /// The port; 0 chooses a free one.
    pub port: u16,
    /// Other names by which it may be called.
    pub names: Vec<String>,
    /// The token of programs; none lets everybody in.
    pub token: Option<String>,
    /// Receives the link for a browser: the first one, and a new one whenever one was used.
    pub on_link: Box<dyn Fn(&str) + Send + Sync>,
}

impl Server {
    /// Listens at an address. Fails if the address is in use, if a folder is missing, or if everybody could come in from other machines.
    pub async fn bind(
        engine: Arc<Engine>,
        at: ServeAddress,
        options: ServeOptions,
        cancel: Cancel,
    ) -> Result<Server, Fault> {
        if at.token.is_none() && !at.host.is_loopback() {
            let message = format!("without a token, the server would be open to everybody who reaches {}", at.host);
            return Err(Fault::refused(message).hint("leave --no-auth out, or serve at 127.0.0.1"));
        }
        // before the link is printed
        for dialogue in [&options.answering, &options.looking] {
            let source = DialogueSource::find(dialogue, &engine.settings, engine.settings.network(false))?;
            source.check_cast(options.cast.as_deref())?;
        }
        let library = VideoLibrary::new(&options.folders)?;
        let wanted = SocketAddr::new(at.host, at.port);
        let listener = TcpListener::bind(wanted).await.map_err(|error| {
            let fault = Fault::failed(format!("the server cannot listen at {wanted}: {error}")).caused_by(&error);
            fault.hint("--port chooses another port; with 0, the system chooses one")
        })?;
        let address = listener.local_addr()?;
        let on_link = at.on_link;
        // an address that means all of the machine's is no address to open
        let shown = if address.ip().is_unspecified() {
            SocketAddr::new([127, 0, 0, 1].into(), address.port())
        } else {
            address
        };
        let tell = Box::new(move |key: &str| on_link(&format!("http://{shown}/?key={key}")));
        let door = Door::new(at.token.as_deref(), at.names, address.port(), tell);
        let (described, openapi) = routes().build();
        let state = Arc::new(ServerState::new(engine, options, library, door, openapi, cancel)?);
        Ok(Server { listener, state, described, address })
    }

    /// True if it was given folders, and none of them has a video.
    pub fn lacks_videos(&self) -> bool {
        !self.state.options.folders.is_empty() && self.state.library.files().is_empty()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the server is told to stop. Open requests then have a moment to end.
    pub async fn run(self) {
        let cancel = self.state.cancel.clone();
        let worker = library::start(self.state.clone());
        let router = router(self.described, self.state.clone());
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.state.options.limits.connections));
        let mut server = Builder::new(TokioExecutor::new());
        server.http1().timer(TokioTimer::new()).header_read_timeout(self.state.options.limits.head_time);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = cancel.cancelled() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // too many open files: the next connection may succeed
                    tracing::warn!(%error, "a connection was lost");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            // a connection beyond the limit is closed at once, which a client can see
            let Ok(place) = places.clone().try_acquire_owned() else { continue };
            let service = TowerToHyperService::new(router.clone());
            let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
            let watched = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = watched.await {
                    tracing::debug!("a connection ended: {error}");
                }
                drop(place);
            });
        }
        drop(self.listener);
        let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
        let _ = tokio::time::timeout(GRACE, worker).await;
    }
}

/// All routes with their descriptions.
fn routes() -> Routes {
    let about_itself = Routes::default()
        .with(Operation::new("get", "/health", "True if the server answers.").json::<Health>(), get(health))
        .with(Operation::new("get", "/metrics", "Metrics for Prometheus.").other("text/plain"), get(metrics));
    about_itself.and(api::routes()).and(openai::routes())
}

/// The whole service: the routes that the document describes, and those of the page.
fn router(described: Router<SharedState>, state: SharedState) -> Router {
    let pages = Router::new()
        .route("/", get(page::index))
        .route("/page/{name}", get(page::file))
        .route("/openapi.json", get(openapi));
    #[cfg(feature = "mcp")]
    let pages = pages.route_service("/mcp", mcp::service(&state));
    described
        .merge(pages)
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        // bodies have the server's own limit
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(state.clone(), door::check))
        .layer(middleware::from_fn_with_state(state.clone(), observe))
        .with_state(state)
}

/// The reply of `/health`.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
struct Health {
    /// Always `ok`.
    status: &'static str,
    /// The version of the program.
    version: &'static str,
}

async fn health() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

async fn metrics(State(state): State<SharedState>) -> Response {
    state.metrics.waiting.set(state.gate.waiting() as i64);
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], state.metrics.text())
        .into_response()
}

async fn openapi(State(state): State<SharedState>) -> Json<serde_json::Value> {
    Json(state.openapi.clone())
}

async fn nothing() -> ApiError {
    ApiError::missing("there is nothing at this path").hint("/openapi.json lists all paths")
}

async fn wrong_method() -> ApiError {
    ApiError::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "refused", "this path has no such method")
        .hint("/openapi.json lists all paths")
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Logs and counts each request, and gives it a number that the client sees too. Contents are not logged.
async fn observe(
    State(state): State<SharedState>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let is_plain =
        |id: &&str| (1..=128).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let id = given.filter(is_plain).map_or_else(|| door::secret()[..16].to_owned(), str::to_owned);
    let method = request.method().clone();
    let route = matched.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let span = telemetry::request_span(&id, method.as_str(), &route, request.headers());
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    telemetry::request_ended(&span, status);
    state.metrics.request(method.as_str(), &route, status, took);
    span.in_scope(|| tracing::info!(status, ms = took.as_millis() as u64, "answered"));
    let headers = response.headers_mut();
    for (name, value) in page::HEADERS {
        headers.entry(name).or_insert(value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}
