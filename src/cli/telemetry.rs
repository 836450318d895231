//! Sends spans to an OpenTelemetry collector over HTTP, if the environment names one (feature `otel`).

use super::{Global, print, settings};
use crate::{
    hub::http,
    telemetry::{CONTENTS, REQUESTS, SPANS},
};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use std::{sync::Arc, time::Duration};
use tokio::runtime::Runtime;
use tracing::{Level, Subscriber};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// The time for a connection to the collector.
const CONNECT: Duration = Duration::from_secs(5);
/// The usual time for a request to it, as the specification has it.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for the last spans when the program ends.
const LAST: Duration = Duration::from_secs(5);
/// The longest reply of a collector that is read, in bytes.
const LONGEST_REPLY: usize = 1_000_000;

/// Sends what is left when it is dropped.
pub(crate) struct Exporting(Option<SdkTracerProvider>);

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown_with_timeout(LAST)
        {
            tracing::debug!(%error, "the last spans were not sent");
        }
    }
}

/// The layer that collects the spans, if the environment names a collector and the network may be used. A mistake in the
/// environment gives a warning, and the work goes on without spans.
pub(crate) fn layer<S>(global: &Global) -> (Option<impl Layer<S> + Send + Sync>, Exporting)
where
    S: Subscriber + Send + Sync + for<'span> LookupSpan<'span>,
{
    let provider = endpoint().and_then(|endpoint| match provider(&endpoint, global) {
        Ok(provider) => Some(provider),
        Err(why) => {
            print::to_stderr(&format!("warning: no spans are sent: {why}"));
            None
        }
    });
    let layer = provider.as_ref().map(|provider| {
        let contents = if captures_contents() { Some((CONTENTS, Level::TRACE)) } else { None };
        let wanted = Targets::new()
            .with_target(REQUESTS, Level::INFO)
            .with_target(SPANS, Level::TRACE)
            .with_target(CONTENTS, tracing::metadata::LevelFilter::OFF)
            .with_targets(contents);
        OpenTelemetryLayer::new(provider.tracer("elenchus"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(wanted)
    });
    (layer, Exporting(provider))
}

/// The address of the collector. Without one nothing is sent.
fn endpoint() -> Option<String> {
    let is_off = text("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || text("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
    let named = text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| text("OTEL_EXPORTER_OTLP_ENDPOINT"));
    named.filter(|_| !is_off)
}

fn provider(endpoint: &str, global: &Global) -> Result<SdkTracerProvider, String> {
    let address = reqwest::Url::parse(endpoint).map_err(|error| format!("`{endpoint}` is no address: {error}"))?;
    let is_local = http::is_loopback(endpoint);
    if settings::is_offline(global) && !is_local {
        return Err("the network may not be used (--offline)".to_owned());
    }
    let protocol = text("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").or_else(|| text("OTEL_EXPORTER_OTLP_PROTOCOL"));
    let protocol = match protocol.as_deref() {
        None | Some("http/protobuf") => Protocol::HttpBinary,
        Some("http/json") => Protocol::HttpJson,
        Some(other) => return Err(format!("the protocol `{other}` is not supported; http/protobuf and http/json are")),
    };
    // as before every other byte that leaves this machine, with `-q` too
    if !is_local {
        let host = address.host_str().unwrap_or("the collector");
        let what = if captures_contents() { "with the texts of prompts and replies" } else { "without contents" };
        print::to_stderr(&format!("note: spans of this run are sent to {host} (OpenTelemetry), {what}"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let limit = text("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT").or_else(|| text("OTEL_EXPORTER_OTLP_TIMEOUT"));
    let limit = limit.and_then(|ms| ms.parse().ok()).map_or(USUAL_TIMEOUT, Duration::from_millis);
    let client = CollectorClient { client: http::client(endpoint, CONNECT)?, limit, runtime: Arc::new(runtime) };
    let exporter = SpanExporter::builder().with_http().with_http_client(client).with_protocol(protocol).build();
    let exporter = exporter.map_err(|error| error.to_string())?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build())
}

/// What the spans say of their program.
fn resource() -> Resource {
    let resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    let is_named = text("OTEL_SERVICE_NAME").is_some()
        || text("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|attributes| attributes.contains("service.name="));
    if is_named { resource.build() } else { resource.with_service_name("elenchus").build() }
}

/// True if the texts of prompts and replies may be sent.
fn captures_contents() -> bool {
    let value = text("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT").unwrap_or_default().to_lowercase();
    matches!(value.as_str(), "true" | "span_only" | "span_and_event")
}

fn text(name: &str) -> Option<String> {
    settings::variable(name).and_then(|value| value.into_string().ok())
}

/// The program's own HTTP client for the exporter's thread, which has no runtime.
#[derive(Debug)]
struct CollectorClient {
    client: reqwest::Client,
    limit: Duration,
    runtime: Arc<Runtime>,
}

#[async_trait::async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut request = reqwest::Request::try_from(request)?;
        *request.timeout_mut() = Some(self.limit);
        let sending = async {
            let response = self.client.execute(request).await.map_err(|error| http::chain(&error))?;
            let mut reply = Response::builder().status(response.status());
            if let Some(headers) = reply.headers_mut() {
                headers.extend(response.headers().clone());
            }
            let body = http::body(response, LONGEST_REPLY).await.map_err(|error| http::chain(&error))?;
            let body = body.ok_or("the reply is too long")?;
            reply.body(Bytes::from(body)).map_err(|error| error.to_string())
        };
        // a runtime of its own: the thread that sends belongs to no other
        Ok(self.runtime.block_on(sending)?)
    }
}
