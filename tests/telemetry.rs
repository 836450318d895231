//! Spans for OpenTelemetry: what a collector gets, and what never leaves the machine.

#![cfg(feature = "otel")]

#[path = "serve/served.rs"]
mod served;

use assert_cmd::Command;
use serde_json::Value as Json;
use served::{Place, Served};
use std::{fs, time::Duration};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

const DIALOGUE: &str = "version: 1\ndialogue: capitals\ninputs: { country: text }\ncast: { mind: writer }\nsteps:\n  \
    said: { say: { agent: mind, text: 'The capital of {{ country }}?', temperature: 0.5, max_tokens: 9 } }\n\
    answer: '{{ said }}'\n";
const WRITER: &str = "script: { 'Atlantis': 'Poseidonis.', 'Nowhere': { fail: 'no such land' } }\n";

/// A collector.
struct Collector {
    runtime: tokio::runtime::Runtime,
    server: MockServer,
}

impl Collector {
    fn new() -> Collector {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
            server
        });
        Collector { runtime, server }
    }

    /// All that it got, as text.
    fn bodies(&self) -> Vec<String> {
        let requests = self.runtime.block_on(self.server.received_requests()).expect("recorded");
        let body = |request: wiremock::Request| {
            assert_eq!(request.url.path(), "/v1/traces");
            String::from_utf8_lossy(&request.body).into_owned()
        };
        requests.into_iter().map(body).collect()
    }

    /// The spans that it got as JSON.
    fn spans(&self) -> Vec<Json> {
        let bodies = self.bodies().into_iter().map(|body| serde_json::from_str::<Json>(&body).expect("JSON"));
        let list = |json: &Json, name: &str| json[name].as_array().cloned().unwrap_or_default();
        bodies
            .flat_map(|body| list(&body, "resourceSpans"))
            .flat_map(|resource| list(&resource, "scopeSpans"))
            .flat_map(|scope| list(&scope, "spans"))
            .collect()
    }
}

/// The value of an attribute as text.
fn attribute(span: &Json, key: &str) -> Option<String> {
    let all = span["attributes"].as_array()?;
    let value = &all.iter().find(|attribute| attribute["key"] == key)?["value"];
    let (_, value) = value.as_object()?.iter().next()?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[track_caller]
fn named<'a>(spans: &'a [Json], name: &str) -> &'a Json {
    spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {spans:#?}"))
}

/// Runs the dialogue about a country, with these variables; what it says on stderr.
fn run(country: &str, args: &[&str], variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().expect("temp");
    fs::create_dir(folder.path().join("agents")).expect("made");
    fs::write(folder.path().join("agents/writer.yaml"), WRITER).expect("written");
    fs::write(folder.path().join("d.yaml"), DIALOGUE).expect("written");
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    for name in ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE"] {
        command.env(name, folder.path().join(name));
    }
    command.current_dir(folder.path()).env("NO_COLOR", "1").env("HOME", folder.path().join(".home"));
    command.args(["run", "d.yaml", "-q", "-i"]).arg(format!("country={country}")).args(args);
    command.envs(variables.iter().copied()).timeout(Duration::from_secs(60));
    String::from_utf8(command.output().expect("it ends").stderr).expect("UTF-8")
}

#[test]
fn a_run_and_its_exchanges_are_spans_without_what_was_said() {
    let collector = Collector::new();
    let uri = collector.server.uri();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", uri.as_str()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")];
    let said = run("Atlantis", &["--seed", "7"], &variables);
    assert_eq!(said, "", "a collector on this machine needs no note");
    let spans = collector.spans();
    let (run_span, chat) = (named(&spans, "invoke_workflow capitals"), named(&spans, "chat writer"));
    assert_eq!(spans.len(), 2, "{spans:#?}");
    assert_eq!(chat["parentSpanId"], run_span["spanId"]);
    assert_eq!(chat["traceId"], run_span["traceId"]);
    for (span, key, expected) in [
        (run_span, "gen_ai.operation.name", "invoke_workflow"),
        (run_span, "gen_ai.agent.name", "capitals"),
        (run_span, "gen_ai.request.seed", "7"),
        (run_span, "elenchus.exchanges", "1"),
        (chat, "gen_ai.operation.name", "chat"),
        (chat, "gen_ai.provider.name", "elenchus"),
        (chat, "gen_ai.request.model", "writer"),
        (chat, "gen_ai.request.temperature", "0.5"),
        (chat, "gen_ai.request.max_tokens", "9"),
        (chat, "gen_ai.output.type", "text"),
        (chat, "elenchus.exchange", "said"),
    ] {
        assert_eq!(attribute(span, key).as_deref(), Some(expected), "{key} in {span:#?}");
    }
    let all = collector.bodies().concat();
    assert!(all.contains("\"elenchus\"") && all.contains("service.version"), "{all}");
    for private in ["Atlantis", "Poseidonis", "capital of"] {
        assert!(!all.contains(private), "{private} in {all}");
    }
}

#[test]
fn contents_are_sent_only_on_request() {
    let contents = |value: &str| {
        let collector = Collector::new();
        let uri = collector.server.uri();
        run(
            "Atlantis",
            &[],
            &[
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{uri}/v1/traces")),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
                ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value),
                // the program's own log may show everything; that changes nothing
                ("RUST_LOG", "trace"),
            ],
        );
        let chat = named(&collector.spans(), "chat writer").clone();
        (attribute(&chat, "gen_ai.input.messages"), attribute(&chat, "gen_ai.output.messages"))
    };
    assert_eq!(contents("false"), (None, None));
    let (asked, said) = contents("true");
    let json = |text: Option<String>| serde_json::from_str::<Json>(&text.expect("an attribute")).expect("JSON");
    let (asked, said) = (json(asked), json(said));
    assert_eq!(asked[0]["role"], "user");
    assert_eq!(asked[0]["parts"][0]["content"], "The capital of Atlantis?");
    assert_eq!((&said[0]["role"], &said[0]["finish_reason"]), (&"assistant".into(), &"stop".into()));
    assert_eq!(said[0]["parts"][0]["content"], "Poseidonis.");
}

#[test]
fn a_failure_is_an_error_without_its_message() {
    let collector = Collector::new();
    let uri = collector.server.uri();
    run("Nowhere", &[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &uri), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]);
    for name in ["chat writer", "invoke_workflow capitals"] {
        let spans = collector.spans();
        let span = named(&spans, name);
        assert_eq!(span["status"]["code"], 2, "{span:#?}");
        assert_eq!(attribute(span, "error.type").as_deref(), Some("failed"));
    }
    assert!(!collector.bodies().concat().contains("no such land"));
}

#[test]
fn protobuf_is_the_usual_form() {
    let collector = Collector::new();
    run("Atlantis", &[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.server.uri())]);
    let bodies = collector.bodies();
    assert!(bodies.concat().contains("chat writer") && !bodies[0].starts_with('{'), "{bodies:?}");
}

#[test]
fn nothing_is_sent_unless_the_environment_asks_for_it() {
    let collector = Collector::new();
    let uri = collector.server.uri();
    let silent = |args: &[&str], more: &[(&str, &str)], expected: &str| {
        let said = run("Atlantis", args, more);
        assert!(said.contains(expected) && (!expected.is_empty() || said.is_empty()), "{said}");
        assert_eq!(collector.bodies(), Vec::<String>::new(), "{more:?}");
    };
    silent(&[], &[], "");
    silent(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &uri), ("OTEL_SDK_DISABLED", "true")], "");
    silent(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &uri), ("OTEL_TRACES_EXPORTER", "none")], "");
    let grpc = [("OTEL_EXPORTER_OTLP_ENDPOINT", uri.as_str()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    silent(&[], &grpc, "warning: no spans are sent: the protocol `grpc` is not supported");
    let far = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://192.0.2.1:4318")];
    silent(&["--offline"], &far, "warning: no spans are sent: the network may not be used (--offline)");
    silent(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense")], "warning: no spans are sent: `nonsense` is no address");
}

#[test]
fn a_collector_that_is_not_there_changes_no_answer() {
    let said = run("Atlantis", &[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")]);
    assert!(!said.contains("error:"), "{said}");
}

#[test]
fn a_request_to_the_server_belongs_to_the_trace_of_its_client() {
    let collector = Collector::new();
    let uri = collector.server.uri();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", uri.as_str()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")];
    let mut served = Served::with(Place::new(), &["--no-auth"], &variables);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = [("traceparent", &*format!("00-{trace}-00f067aa0ba902b7-01"))];
    let body = br#"{"model": "starter-lm", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}"#;
    let headers = [headers[0], ("content-type", "application/json")];
    let answer = served.request("POST", "/v1/chat/completions", &headers, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(served.stop(), Some(0));
    let spans = collector.spans();
    let (request, chat) = (named(&spans, "POST /v1/chat/completions"), named(&spans, "chat starter-lm"));
    assert_eq!((&request["traceId"], &request["parentSpanId"]), (&trace.into(), &"00f067aa0ba902b7".into()));
    assert_eq!(chat["parentSpanId"], request["spanId"]);
    assert_eq!(attribute(request, "http.response.status_code").as_deref(), Some("200"));
    assert!(attribute(chat, "gen_ai.usage.output_tokens").is_some(), "{chat:#?}");
}
