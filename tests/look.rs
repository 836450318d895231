//! The verb `look`: scripts and endpoints answer a prompt about pictures.

use async_trait::async_trait;
use elenchus::{
    agent::{
        Agent, CallContext,
        remote::{MediaBytes, RemoteAgent, RemoteSpec},
    },
    dialogue::{self, MemoryLibrary, Resource, ScriptedReplies},
    error::Fault,
    exchange::{Answers, Decoding, Item, Kind, LookRequest, Reply, Request},
    plan::{self, CompileOptions},
    run::scripted,
    value::{ImageFile, Media, Moment, Time, Value},
};
use std::{sync::Arc, time::Duration};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_string_contains, method, path},
};

fn video() -> Arc<Media> {
    let (start, end) = (Time::from_seconds(0.0), Time::from_seconds(4.0));
    Arc::new(Media::new("day.mp4", "d", start, end))
}

/// Compiles the step and runs it with one scripted reply. Returns the answer, or the problems and failures.
fn check(step: &str, agent: &str, script: &str) -> String {
    let source = format!(
        "version: 1\ndialogue: t\ninputs: {{ video: video }}\ncast: {{ eye: a }}\nsteps:\n  frames: {{ frames: {{ video: \
         '{{{{ video }}}}', every: 2s }} }}\n  seen: {{ look: {step} }}\nanswer: '{{{{ seen }}}}'\ntests: [{{ name: t, given: {{ \
         video: day.mp4 }}, script: {{ media: 2, eye: {script} }}, expect: {{}} }}]\n"
    );
    let library = MemoryLibrary::default().with(Resource::Agent, "a", agent);
    let plan = match plan::compile_text(&source, "t.yaml", &library, &CompileOptions::default()) {
        Ok(plan) => plan,
        Err(problems) => return problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; "),
    };
    let inputs = plan.bind([("video".to_owned(), Value::Video(video()))].into_iter().collect()).expect("inputs");
    let test = dialogue::load(&source, "t.yaml").expect("reads").written.tests.expect("a test").remove(0);
    match scripted::run(&plan, &inputs, &ScriptedReplies::of(&test)).answer {
        Ok(Value::Text(text)) => text,
        Ok(other) => format!("{other:?}"),
        Err(failures) => failures.join("; "),
    }
}

#[test]
fn one_or_several_pictures_are_sent() {
    let script = "script: [x]";
    let all = "{ agent: eye, what: frames, text: 'What changes?' }";
    // the script's piece contains the times of both pictures and the prompt
    let piece = r#"{ "day.mp4 00:00:00.000\nday.mp4 00:00:02.000\nWhat changes?": "The light. " }"#;
    assert_eq!(check(all, script, piece).trim(), "The light.");
    let one = "{ agent: eye, what: '{{ frames[0] }}', text: 'What is it?', max_tokens: 8 }";
    assert_eq!(check(one, script, "[a cup]"), "a cup");
    assert_eq!(check("{ agent: eye, what: '{{ frames[9:] }}', text: 'What?' }", script, "[]"), "Nothing");
}

#[test]
fn unsuitable_content_is_reported_by_the_check() {
    let deaf = "endpoint: { url: 'http://127.0.0.1:1', model: m, answers: [say] }";
    let all = "{ agent: eye, what: frames, text: 'What changes?' }";
    assert!(check(all, deaf, "[x]").contains("answers say and not look"), "{}", check(all, deaf, "[x]"));
    let blind = "endpoint: { url: 'http://127.0.0.1:1', model: m, answers: [{ look: [text] }] }";
    assert!(check(all, blind, "[x]").contains("takes only text"), "{}", check(all, blind, "[x]"));
    let text = "{ agent: eye, what: 'a text', text: 'What?' }";
    assert!(check(text, "script: [x]", "[x]").contains("expected image"), "{}", check(text, "script: [x]", "[x]"));
}

/// Pictures that are easy to recognise in a request.
struct Pixels;

#[async_trait]
impl MediaBytes for Pixels {
    async fn picture(&self, item: &Item) -> Result<(Vec<u8>, &'static str), Fault> {
        Ok((format!("{item:?}").into_bytes(), "image/png"))
    }
    async fn wav(&self, _: &Arc<Media>, _: Time, _: Time) -> Result<Vec<u8>, Fault> {
        Err(Fault::failed("nobody listens"))
    }
}

#[tokio::test]
async fn an_endpoint_gets_the_pictures_before_the_prompt() {
    let server = MockServer::start().await;
    let choice =
        serde_json::json!({"message": {"role": "assistant", "content": "A kitchen."}, "finish_reason": "stop"});
    let answer = ResponseTemplate::new(200).set_body_json(serde_json::json!({ "choices": [choice] }));
    let asked = Mock::given(method("POST")).and(path("/v1/chat/completions")).and(body_string_contains("image_url"));
    asked.respond_with(answer).mount(&server).await;
    let spec = RemoteSpec {
        name: "far".into(),
        url: server.uri(),
        model: "sees".into(),
        key_env: None,
        answers: vec![Answers::usual(Kind::Look)],
        timeout: Duration::from_secs(10),
        reply_time: Duration::from_secs(10),
        reply_bytes: 4096,
        retries: 0,
        decoding: Decoding::default(),
        extensions: Vec::new(),
        context_tokens: None,
    };
    let agent = RemoteAgent::new(spec, &|_| None, Arc::new(Pixels)).expect("an agent");
    let frame = Moment { media: video(), start: Time::from_seconds(1.0), end: Time::from_seconds(2.0), text: None };
    let images = vec![Item::Image(ImageFile { path: "a.png".into(), digest: "x".into() }), Item::Frame(frame)];
    let request = LookRequest { images, video: false, prompt: "Where is this?".into(), decoding: Decoding::default() };
    let reply = agent.ask(Request::Look(request), CallContext::default()).await.expect("a reply");
    assert_eq!(reply.text(), Some("A kitchen."));
    assert!(matches!(reply, Reply::Look(_)), "{reply:?}");
    let body: serde_json::Value = server.received_requests().await.expect("recorded")[0].body_json().expect("JSON");
    let parts: Vec<&str> =
        body["messages"][0]["content"].as_array().expect("parts").iter().filter_map(|p| p["type"].as_str()).collect();
    assert_eq!(parts, ["image_url", "image_url", "text"]);
}
