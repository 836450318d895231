//! Counters and gauges for Prometheus (`/metrics`).

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::time::Duration;

/// The labels of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    /// The route (`/api/lines/{id}`), not the path, so that their number is bounded.
    route: String,
    status: u32,
}

/// The metrics of a server.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Histogram,
    /// Runs of dialogues that go on.
    pub running: Gauge,
    /// Requests that wait for a run.
    pub waiting: Gauge,
    /// Answered exchanges.
    pub exchanges: Counter,
    /// Exchanges that the memo answered.
    pub memo_hits: Counter,
}

impl Metrics {
    /// Metrics that all begin at 0.
    pub(super) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("elenchus");
        let requests = Family::<RequestLabels, Counter>::default();
        // 1 ms to 8 minutes
        let seconds = Histogram::new(exponential_buckets(0.001, 2.0, 20));
        let (running, waiting) = (Gauge::default(), Gauge::default());
        let (exchanges, memo_hits) = (Counter::default(), Counter::default());
        registry.register("http_requests", "Requests by route and status", requests.clone());
        registry.register("http_request_duration_seconds", "Time until the response begins", seconds.clone());
        registry.register("runs_active", "Runs of dialogues that go on", running.clone());
        registry.register("runs_waiting", "Requests that wait for a run", waiting.clone());
        registry.register("exchanges", "Answered exchanges", exchanges.clone());
        registry.register("exchanges_from_memo", "Exchanges that the memo answered", memo_hits.clone());
        Metrics { registry, requests, seconds, running, waiting, exchanges, memo_hits }
    }

    /// Counts a request.
    pub(super) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = RequestLabels { method: method.to_owned(), route: route.to_owned(), status: status.into() };
        self.requests.get_or_create(&labels).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// The text of `/metrics`.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(%error, "the metrics cannot be written");
                String::new()
            }
        }
    }
}
