//! Tests with an endpoint on loopback: requests, replies and errors, and that the key never appears.

mod words;

use super::*;
use crate::{
    error::Fault,
    error::FaultKind,
    exchange::{EmbedRequest, Finish, HearRequest, Message, SayReply, SayRequest},
    value::{ImageFile, TimeBase},
};
use serde_json::{Value, json};
use std::ffi::OsString;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

const KEY: &str = "sk-very-secret";

/// Pictures and sound that a test can recognise in a request.
struct Fake;

#[async_trait]
impl MediaBytes for Fake {
    async fn picture(&self, _: &Item) -> Result<(Vec<u8>, &'static str), Fault> {
        Ok((b"pixels".to_vec(), "image/png"))
    }
    async fn wav(&self, _: &Arc<Media>, start: Time, end: Time) -> Result<Vec<u8>, Fault> {
        Ok(format!("WAV {}..{}", start.seconds(), end.seconds()).into_bytes())
    }
}

fn spec(url: &str) -> RemoteSpec {
    RemoteSpec {
        name: "far".into(),
        url: url.into(),
        model: "big-model".into(),
        key_env: Some("FAR_KEY".into()),
        answers: [Kind::Say, Kind::Embed, Kind::Hear].map(Answers::usual).to_vec(),
        timeout: Duration::from_secs(10),
        reply_time: Duration::from_secs(10),
        reply_bytes: 4096,
        retries: 2,
        extensions: Vec::new(),
        context_tokens: None,
        decoding: Decoding { max_tokens: Some(64), temperature: Some(0.7), ..Decoding::default() },
    }
}

fn vars(name: &str) -> Option<OsString> {
    (name == "FAR_KEY").then(|| OsString::from(KEY))
}

fn agent(server: &MockServer) -> RemoteAgent {
    RemoteAgent::new(spec(&server.uri()), &vars, Arc::new(Fake)).expect("an agent")
}

async fn server(at: &str, answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path(at)).respond_with(answer).mount(&server).await;
    server
}

fn say(text: &str) -> Request {
    let messages = vec![Message::new("user", text)];
    Request::Say(SayRequest::new(messages))
}

fn message(content: &str, finish: &str) -> ResponseTemplate {
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish});
    ResponseTemplate::new(200).set_body_json(json!({"choices": [choice]}))
}

async fn sent(server: &MockServer) -> Value {
    let requests = server.received_requests().await.expect("recorded");
    serde_json::from_slice(&requests.last().expect("a request").body).expect("JSON")
}

fn asking(seed: u64) -> CallContext {
    CallContext { seed, stream: None, ..CallContext::default() }
}

#[tokio::test]
async fn a_chat_is_sent_with_its_decoding_and_seed() {
    let server = server("/v1/chat/completions", message("In the kitchen.", "length")).await;
    let agent = agent(&server);
    let decoding = Decoding { temperature: Some(0.0), stop: vec!["\n".into()], ..Decoding::default() };
    let request = Request::Say(SayRequest {
        messages: vec![Message::new("user", "Where?")],
        raw: false,
        decoding,
        ..SayRequest::default()
    });
    let reply = agent.ask(request, asking(7)).await.expect("a reply");
    assert_eq!(reply, Reply::Say(SayReply::new("In the kitchen.", Finish::Length)));
    insta::assert_snapshot!(sent(&server).await, @r#"{"model":"big-model","messages":[{"role":"user","content":"Where?"}],"seed":7,"stream":false,"temperature":0.0,"max_tokens":64,"stop":["\n"]}"#);
    let requests = server.received_requests().await.expect("recorded");
    assert_eq!(requests[0].headers["authorization"], format!("Bearer {KEY}").as_str());
}

/// Sends a request with one setting to a server with these extensions. Gives the body, or the refusal.
async fn body_with(setting: &Setting, extensions: &[&str]) -> Result<Value, String> {
    let server = server("/v1/chat/completions", message("x", "stop")).await;
    let extensions = extensions.iter().map(|name| (*name).to_owned()).collect();
    let spec = RemoteSpec { extensions, decoding: Decoding::default(), ..spec(&server.uri()) };
    let agent = RemoteAgent::new(spec, &vars, Arc::new(Fake)).expect("an agent");
    let mut decoding = Decoding::default();
    let value = match setting.form {
        SettingForm::Number(_) => SettingValue::Number(1.0),
        SettingForm::Texts => SettingValue::Texts(vec!["x".into()]),
        SettingForm::Truth => SettingValue::Truth(true),
    };
    (setting.set)(&mut decoding, value);
    let request = SayRequest { decoding, ..SayRequest::new(vec![Message::new("user", "Where?")]) };
    agent.ask(Request::Say(request), asking(0)).await.map_err(|fault| fault.to_string())?;
    Ok(sent(&server).await)
}

#[tokio::test]
async fn every_setting_is_sent_or_refused() {
    for setting in SETTINGS {
        match setting.wire {
            WireName::Standard(name) => {
                let body = body_with(setting, &[]).await.expect("sent");
                assert!(body.get(name).is_some(), "{name} in {body}");
            }
            WireName::Extension(names) => {
                let refusal = body_with(setting, &[]).await.expect_err("refused");
                assert!(refusal.contains(&format!("`{}` is not part", setting.name)), "{refusal}");
                for name in names {
                    let body = body_with(setting, &[name]).await.expect("sent");
                    assert!(body.get(*name).is_some(), "{name} in {body}");
                }
            }
        }
    }
}

#[tokio::test]
async fn log_probabilities_of_tokens_are_read() {
    async fn check(tokens: &[&str], expected: usize) {
        let content: Vec<Value> = tokens.iter().map(|token| json!({"token": token, "logprob": -0.5})).collect();
        let choice =
            json!({"message": {"content": tokens.concat()}, "finish_reason": "stop", "logprobs": {"content": content}});
        let answer = ResponseTemplate::new(200).set_body_json(json!({"choices": [choice]}));
        let server = server("/v1/chat/completions", answer).await;
        let Reply::Say(said) = agent(&server).ask(say("Where?"), asking(0)).await.expect("a reply") else { panic!() };
        assert_eq!(said.logprobs.len(), expected);
        assert!(said.logprobs.iter().all(|token| token.logprob == -0.5 && token.id.is_none()));
    }
    check(&["In", " the"], 2).await;
    // the key, spelt by several tokens
    check(&["sk-ve", "ry-sec", "ret"], 0).await;
}

#[tokio::test]
async fn pictures_go_as_data_urls_before_the_text() {
    let server = server("/v1/chat/completions", message("A cat.", "stop")).await;
    let image = Item::Image(ImageFile { path: "a.png".into(), digest: "0".into() });
    let messages = vec![Message { images: vec![image], ..Message::new("user", "What is it?") }];
    let request = Request::Say(SayRequest::new(messages));
    agent(&server).ask(request, asking(0)).await.expect("a reply");
    insta::assert_snapshot!(sent(&server).await["messages"], @r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,cGl4ZWxz"}},{"type":"text","text":"What is it?"}]}]"#);
}

#[tokio::test]
async fn a_stream_is_passed_on_piece_by_piece() {
    let piece = |text: &str| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]}));
    let end = json!({"choices": [{"delta": {}, "finish_reason": "stop"}]});
    let body = format!(": hello\n\n{}{}data: {end}\n\ndata: [DONE]\n\n", piece("In the "), piece("kitchen."));
    let answer = ResponseTemplate::new(200).set_body_raw(body, "text/event-stream; charset=utf-8");
    let server = server("/v1/chat/completions", answer).await;
    let (stream, mut pieces) = tokio::sync::mpsc::unbounded_channel();
    let reply = agent(&server)
        .ask(say("Where?"), CallContext { seed: 1, stream: Some(stream), ..CallContext::default() })
        .await
        .expect("a reply");
    assert_eq!(reply, Reply::Say(SayReply::new("In the kitchen.", Finish::Stop)));
    let mut heard = Vec::new();
    while let Ok(piece) = pieces.try_recv() {
        heard.push(piece);
    }
    assert_eq!(heard, ["In the ", "kitchen."]);
}

/// The thoughts and the text of a reply that comes whole as `message`, and as a stream of `pieces`.
async fn thoughts(message: Value, pieces: &[Value]) -> [String; 2] {
    let choice = json!({"message": message, "finish_reason": "stop"});
    let whole = ResponseTemplate::new(200).set_body_json(json!({"choices": [choice]}));
    let event = |delta: &Value| format!("data: {}\n\n", json!({"choices": [{"delta": delta}]}));
    let events = pieces.iter().map(event).collect::<String>() + "data: [DONE]\n\n";
    let streamed = ResponseTemplate::new(200).set_body_raw(events, "text/event-stream");
    let mut found = Vec::new();
    for answer in [whole, streamed] {
        let server = server("/v1/chat/completions", answer).await;
        let (stream, mut shown) = tokio::sync::mpsc::unbounded_channel();
        let asked = agent(&server)
            .ask(say("Where?"), CallContext { seed: 1, stream: Some(stream), ..CallContext::default() })
            .await;
        let Reply::Say(said) = asked.expect("a reply") else { panic!() };
        let mut streamed = String::new();
        while let Ok(piece) = shown.try_recv() {
            streamed += &piece;
        }
        assert_eq!(streamed, said.text);
        found.push([said.thinking, said.text]);
    }
    assert_eq!(found[0], found[1]);
    found.remove(0)
}

#[tokio::test]
async fn thoughts_have_a_field_of_their_own() {
    for name in ["reasoning_content", "reasoning"] {
        let pieces = ["A ", "cup?", &KEY[..5], &KEY[5..]].map(|text| json!({name: text, "content": null}));
        let pieces = [&pieces[..], &[json!({"content": "In the "}), json!({"content": "kitchen."})]].concat();
        let message = json!({"content": "In the kitchen.", name: format!("A cup?{KEY}")});
        assert_eq!(thoughts(message, &pieces).await, ["A cup?[key]", "In the kitchen."]);
    }
    // servers that do not know the model's marks leave them in the text
    let pieces = ["<thi", "nk>A cup?", "</think>\n\nIn", " it."].map(|text| json!({"content": text}));
    let message = json!({"content": "<think>A cup?</think>\n\nIn it."});
    assert_eq!(thoughts(message, &pieces).await, ["A cup?", "In it."]);
    assert_eq!(thoughts(json!({"content": "No."}), &[json!({"content": "No."})]).await, ["", "No."]);
}

#[tokio::test]
async fn a_choice_is_one_of_the_choices() {
    async fn check(content: &str, expected: Option<&str>) {
        let server = server("/v1/chat/completions", message(content, "stop")).await;
        let choices = vec!["yes".to_owned(), "no".to_owned()];
        let messages = vec![Message::new("user", "Well?")];
        let request = Request::Say(SayRequest { choices, ..SayRequest::new(messages) });
        let reply = agent(&server).ask(request, asking(0)).await.ok();
        let text = reply.map(|reply| match reply {
            Reply::Say(SayReply { text, .. }) => text,
            other => panic!("{other:?}"),
        });
        assert_eq!(text.as_deref(), expected, "{content}");
        let format = &sent(&server).await["response_format"];
        assert_eq!(format["json_schema"]["schema"]["properties"]["choice"]["enum"], json!(["yes", "no"]));
    }
    check(r#"{"choice": "no"}"#, Some("no")).await;
    check(" Yes.", Some("yes")).await;
    check("perhaps", None).await;
}

/// A server that answers each request by its number and its `response_format`.
async fn by_turn(answer: impl Fn(usize, &str) -> ResponseTemplate + Send + Sync + 'static) -> MockServer {
    let server = MockServer::start().await;
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let respond = move |request: &wiremock::Request| {
        let body: Value = request.body_json().expect("JSON");
        let format = body["response_format"]["type"].as_str().unwrap_or("none");
        answer(turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst), format)
    };
    Mock::given(method("POST")).respond_with(respond).mount(&server).await;
    server
}

/// Asks twice for an object with a number. Gives the texts, or the last fault, and the format of each request.
async fn twice(server: &MockServer) -> (Vec<String>, Vec<String>) {
    let agent = agent(server);
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    let mut texts = Vec::new();
    for _ in 0..2 {
        let messages = vec![Message::new("user", "Count.")];
        let request = SayRequest { schema: Some(schema.clone()), ..SayRequest::new(messages) };
        texts.push(match agent.ask(Request::Say(request), asking(0)).await {
            Ok(Reply::Say(said)) => said.text,
            Ok(other) => panic!("{other:?}"),
            Err(fault) => fault.to_string().replace(&server.uri(), "URL"),
        });
    }
    let requests = server.received_requests().await.expect("recorded");
    let format = |request: &wiremock::Request| {
        let body: Value = request.body_json().expect("JSON");
        let last = body["messages"].as_array().and_then(|all| all.last()).map(Value::to_string).unwrap_or_default();
        let told = if last.contains("JSON Schema") { " told" } else { "" };
        format!("{}{told}", body["response_format"]["type"].as_str().unwrap_or("none"))
    };
    (texts, requests.iter().map(format).collect())
}

#[tokio::test]
async fn a_server_gets_the_best_form_that_it_supports() {
    let good = || message("{\"a\": 1}", "stop");
    let refused = || ResponseTemplate::new(500).set_body_string("unknown field");
    let all = by_turn(move |_, _| good()).await;
    assert_eq!(twice(&all).await.1, ["json_schema", "json_schema"]);
    // what it refuses is tried once
    let some = by_turn(move |_, format| if format == "json_schema" { refused() } else { good() }).await;
    let (texts, formats) = twice(&some).await;
    assert_eq!(texts, ["{\"a\": 1}", "{\"a\": 1}"]);
    assert_eq!(formats, ["json_schema", "json_object told", "json_object told"]);
    let none = by_turn(
        move |_, format| if format == "none" { message("```json\n{\"a\": 2}\n```", "stop") } else { refused() },
    )
    .await;
    let (texts, formats) = twice(&none).await;
    assert_eq!(texts, ["{\"a\": 2}", "{\"a\": 2}"]);
    assert_eq!(formats, ["json_schema", "json_object told", "none told", "none told"]);
    // a passing failure is not taken for a refusal
    let busy = by_turn(move |_, _| ResponseTemplate::new(503).set_body_string("busy")).await;
    assert_eq!(twice(&busy).await.1, ["json_schema", "json_schema"]);
}

#[tokio::test]
async fn an_invalid_reply_is_repaired_once() {
    let second = by_turn(|turn, _| message(if turn == 0 { "{\"a\": true}" } else { "{\"a\": 3}" }, "stop")).await;
    let (texts, formats) = twice(&second).await;
    assert_eq!(texts, ["{\"a\": 3}", "{\"a\": 3}"]);
    // the server ignores the form, so the next request states it in the prompt
    assert_eq!(formats, ["json_schema", "json_schema told", "none told"]);
    let requests = second.received_requests().await.expect("recorded");
    let repair: Value = requests[1].body_json().expect("JSON");
    assert_eq!(repair["messages"][1], json!({"role": "assistant", "content": "{\"a\": true}"}));
    let never = by_turn(|_, _| message("no idea", "stop")).await;
    let fault = "the reply of URL/v1 does not fit, and neither did one before: found `no idea`, which is not JSON";
    let (texts, formats) = twice(&never).await;
    assert!(texts.iter().all(|text| text.starts_with(fault)), "{texts:?}");
    assert_eq!(formats.len(), 4);
}

#[tokio::test]
async fn a_regular_expression_is_stated_in_the_prompt() {
    let server = by_turn(|turn, _| message(if turn == 0 { "noon" } else { " 12:00\n" }, "stop")).await;
    let request =
        SayRequest { regex: Some("[0-9]{2}:[0-9]{2}".into()), ..SayRequest::new(vec![Message::new("user", "When?")]) };
    let reply = agent(&server).ask(Request::Say(request), asking(0)).await.expect("a reply");
    assert_eq!(reply.text(), Some("12:00"));
    let requests = server.received_requests().await.expect("recorded");
    assert!(
        String::from_utf8_lossy(&requests[0].body).contains("regular expression matches as a whole: [0-9]{2}:[0-9]{2}")
    );
}

#[tokio::test]
async fn an_embedding_has_unit_length() {
    let body = json!({"data": [{"embedding": [3.0, 4.0]}]});
    let server = server("/v1/embeddings", ResponseTemplate::new(200).set_body_json(body)).await;
    let reply = agent(&server).ask(Request::Embed(EmbedRequest::new(Item::Text("hello".into()))), asking(0)).await;
    assert_eq!(reply.expect("a reply"), Reply::Embed(vec![0.6, 0.8]));
}

/// A recording of this many seconds whose presentation starts at two seconds.
fn recording(seconds: f64) -> Arc<Media> {
    let time = |ticks: f64| Time { ticks: ticks as i64, base: TimeBase { num: 1, den: 1000 } };
    Arc::new(Media { has_video: false, ..Media::new("a.wav", "0", time(2000.0), time(2000.0 + seconds * 1000.0)) })
}

#[tokio::test]
async fn segments_are_in_the_recordings_own_time() {
    let segments = json!([{"start": 0.5, "end": 1.25, "text": " we need milk"}, {"start": 1.5, "end": 99, "text": "yes"},
        {"start": 2, "end": 2, "text": " "}]);
    let body = json!({"text": "we need milk yes", "segments": segments});
    let server = server("/v1/audio/transcriptions", ResponseTemplate::new(200).set_body_json(body)).await;
    let hear = |timestamps| {
        Request::Hear(HearRequest {
            audio: recording(4.0),
            start: None,
            end: None,
            language: Some("en".into()),
            timestamps,
            words: false,
            decoding: Decoding::default(),
        })
    };
    let show = |reply: Reply| match reply {
        Reply::Hear(heard) => {
            heard.iter().map(|h| format!("{}-{} {}", h.start, h.end, h.text)).collect::<Vec<_>>().join("; ")
        }
        other => panic!("{other:?}"),
    };
    let timed = show(agent(&server).ask(hear(true), asking(0)).await.expect("a reply"));
    assert_eq!(timed, "00:00:02.500-00:00:03.250 we need milk; 00:00:03.500-00:00:06.000 yes");
    let whole = show(agent(&server).ask(hear(false), asking(0)).await.expect("a reply"));
    assert_eq!(whole, "00:00:02.000-00:00:06.000 we need milk yes");
    let requests = server.received_requests().await.expect("recorded");
    let form = String::from_utf8_lossy(&requests[0].body).into_owned();
    for part in ["WAV 2..6", "filename=\"audio.wav\"", "verbose_json", "name=\"language\"\r\n\r\nen", "big-model"] {
        assert!(form.contains(part), "{part} in {form}");
    }
}

/// The agent's fault for this answer, with `passing` if the driver would retry.
async fn failure(answer: ResponseTemplate) -> String {
    let server = server("/v1/chat/completions", answer).await;
    let (stream, _pieces) = tokio::sync::mpsc::unbounded_channel();
    let error = agent(&server)
        .ask(say("Where?"), CallContext { seed: 0, stream: Some(stream), ..CallContext::default() })
        .await
        .expect_err("failed");
    let text = format!("{error:?}");
    assert!(!text.contains(KEY), "{text}");
    let text = match &error.kind {
        FaultKind::Passing { retry_after, .. } => format!("passing, {retry_after:?}: {error}"),
        _ => format!("final: {error}"),
    };
    text.replace(&server.uri(), "URL")
}

#[tokio::test]
async fn failures_are_passing_or_final_and_never_show_the_key() {
    let body = |status: u16, text: &str| ResponseTemplate::new(status).set_body_string(text);
    let error = |message: &str| json!({"error": {"message": message}}).to_string();
    let busy = body(429, &error("slow down")).insert_header("retry-after", "3");
    insta::assert_snapshot!(failure(busy).await, @"passing, Some(3s): URL/v1 answers 429: slow down");
    insta::assert_snapshot!(failure(body(503, "busy")).await, @"passing, None: URL/v1 answers 503: busy");
    let quota = body(429, r#"{"error": {"message": "no credit", "code": "insufficient_quota"}}"#);
    insta::assert_snapshot!(failure(quota).await, @"final: URL/v1 answers 429: no credit");
    let echo = body(401, &error(&format!("Incorrect API key provided: {KEY}")));
    insta::assert_snapshot!(failure(echo).await, @"final: URL/v1 refuses the key in FAR_KEY (401): Incorrect API key provided: [key]");
    insta::assert_snapshot!(failure(body(404, "")).await, @"final: URL/v1 did not find the address or the model (404)");
    insta::assert_snapshot!(failure(body(200, "<html>hello")).await, @"final: the answer of URL/v1 is not JSON: <html>hello");
    insta::assert_snapshot!(failure(body(200, "{}")).await, @"final: the answer of URL/v1 contains no message: {}");
    let broken = format!("data: {}\n\n", json!({"choices": [{"delta": {"content": "In"}}]}));
    let broken = ResponseTemplate::new(200).set_body_raw(broken, "text/event-stream");
    let long = json!({"error": {"type": "exceed_context_size_error", "n_prompt_tokens": 1407, "n_ctx": 256}});
    let long = ResponseTemplate::new(200).set_body_raw(format!("data: {long}\n\n"), "text/event-stream");
    insta::assert_snapshot!(failure(long).await, @"final: the prompt has 1407 tokens; the model at URL/v1 reads at most 256 together with its reply: shorten the prompt or use a model that reads more");
    insta::assert_snapshot!(failure(broken).await, @"passing, None: URL/v1 ended the stream before the reply was complete");
}

#[tokio::test]
async fn an_unreachable_server_is_a_passing_fault() {
    let agent = RemoteAgent::new(spec("http://127.0.0.1:9"), &vars, Arc::new(Fake)).expect("an agent");
    let error = agent.ask(say("Where?"), asking(0)).await.expect_err("nobody");
    assert!(error.is_passing() && error.message.contains("refused"), "{error}");
}

#[test]
fn invalid_settings_are_refused_before_anything_is_sent() {
    fn check(change: impl Fn(&mut RemoteSpec), expected: &str) {
        let mut spec = spec("http://localhost:1");
        change(&mut spec);
        let error = RemoteAgent::new(spec, &vars, Arc::new(Fake)).expect_err("refused").to_string();
        assert!(error.contains(expected), "{error}");
    }
    check(|s| s.key_env = Some("OTHER".into()), "the environment variable OTHER (`key_env`) is not set");
    check(|s| s.answers.push(Answers::usual(Kind::Rank)), "an endpoint cannot answer rank");
    check(|s| s.decoding.top_k = Some(5), "`top_k` is not part of the endpoint's protocol");
    check(|s| s.url = "localhost".into(), "not a web address");
    let agent = RemoteAgent::new(spec("http://localhost:1"), &vars, Arc::new(Fake)).expect("an agent");
    assert!(!format!("{agent:?} {}", agent.card().identity).contains(KEY));
}

/// Serves one request with the output of `answer`, until that returns or the agent disconnects. Gives the address.
fn raw(answer: impl Fn(&mut dyn FnMut(&str) -> bool) + Send + 'static) -> String {
    use std::io::{BufRead, BufReader, Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a request");
        let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
        let (mut length, mut line) = (0, String::new());
        while reader.read_line(&mut line).expect("a head") > 2 {
            if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
                length = bytes.trim().parse().expect("a number");
            }
            line.clear();
        }
        reader.take(length).read_to_end(&mut Vec::new()).expect("a body");
        let mut stream = stream;
        answer(&mut |text| stream.write_all(text.as_bytes()).is_ok());
    });
    url
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: ";

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn piece(text: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]}))
}

/// Asks for a whole or streamed reply that never ends. Gives the error's text, with `URL` for the address.
async fn endless(streamed: bool, head: &str, again: String) -> String {
    let head = head.to_owned();
    let url = raw(move |send| {
        if send(&head) {
            while send(&again) {}
        }
    });
    let mut spec = spec(&url);
    spec.reply_time = Duration::from_millis(200);
    let agent = RemoteAgent::new(spec, &vars, Arc::new(Fake)).expect("an agent");
    let (stream, _pieces) = tokio::sync::mpsc::unbounded_channel();
    let asked = agent
        .ask(say("Where?"), CallContext { seed: 0, stream: streamed.then_some(stream), ..CallContext::default() })
        .await;
    let fault = asked.expect_err("too much");
    assert_eq!(fault.kind, FaultKind::Failed);
    fault.to_string().replace(&url, "URL")
}

#[tokio::test]
async fn a_reply_has_a_maximum_size_and_time() {
    let (json, events) = (format!("{CHUNKED}application/json\r\n\r\n"), format!("{CHUNKED}text/event-stream\r\n\r\n"));
    let large = "the reply of URL/v1 is larger than 4096 bytes (`limits: reply_bytes`)";
    let spaces = " ".repeat(1000);
    assert_eq!(endless(false, &json, chunk(&spaces)).await, large);
    let declared = "HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n";
    assert_eq!(endless(false, declared, String::new()).await, large);
    // a line without an end, an event of many lines, and a text that grows
    assert_eq!(endless(true, &events, chunk(&spaces)).await, large);
    assert_eq!(endless(true, &events, chunk("data: x\n")).await, large);
    assert_eq!(endless(true, &events, chunk(&piece(&spaces))).await, large);
    // comments are not text: only bytes or time limit them
    assert_eq!(endless(true, &events, chunk(&format!(":{spaces}\n").repeat(100))).await, large);
    let late = endless(true, &events, chunk(&piece(""))).await;
    assert!(late == large || late == "the reply of URL/v1 did not end within 200ms (`limits: reply_time`)", "{late}");
}

#[tokio::test]
async fn an_endless_stream_fails_at_its_time_limit() {
    let url = raw(|send| {
        send(&format!("{CHUNKED}text/event-stream\r\n\r\n{}", chunk(&piece("word "))));
        // until the agent disconnects
        while send(&chunk(": still here\n\n")) {
            std::thread::yield_now();
        }
    });
    let mut spec = spec(&url);
    spec.reply_bytes = usize::MAX;
    spec.reply_time = Duration::from_millis(200);
    let agent = RemoteAgent::new(spec, &vars, Arc::new(Fake)).expect("an agent");
    let (stream, _pieces) = tokio::sync::mpsc::unbounded_channel();
    let error = agent
        .ask(say("Where?"), CallContext { seed: 0, stream: Some(stream), ..CallContext::default() })
        .await
        .expect_err("late");
    assert!(error.to_string().contains("did not end within 200ms"), "{error}");
}

#[tokio::test]
async fn a_stream_ends_with_its_last_event() {
    let end = format!("{}data: [DONE]\n\n", piece("fine"));
    let url = raw(move |send| {
        if send(&format!("{CHUNKED}text/event-stream\r\n\r\n{}", chunk(&end))) {
            while send(&chunk(": still here\n\n")) {
                std::thread::yield_now();
            }
        }
    });
    let agent = RemoteAgent::new(spec(&url), &vars, Arc::new(Fake)).expect("an agent");
    let (stream, _pieces) = tokio::sync::mpsc::unbounded_channel();
    let reply = agent
        .ask(say("Where?"), CallContext { seed: 0, stream: Some(stream), ..CallContext::default() })
        .await
        .expect("a reply");
    assert_eq!(reply, Reply::Say(SayReply::new("fine", Finish::Stop)));
}

#[tokio::test]
async fn a_key_is_removed_from_replies() {
    let check = |reply: Reply| {
        let text = format!("{reply:?}");
        assert!(text.contains("[key]") && !text.contains(KEY), "{text}");
    };
    let whole = server("/v1/chat/completions", message(&format!("The key is {KEY}."), "stop")).await;
    check(agent(&whole).ask(say("Where?"), asking(0)).await.expect("a reply"));

    let events: String = ["The key is sk-ve", "ry-sec", "ret."].map(piece).concat() + "data: [DONE]\n\n";
    let streamed =
        server("/v1/chat/completions", ResponseTemplate::new(200).set_body_raw(events, "text/event-stream")).await;
    let (stream, mut pieces) = tokio::sync::mpsc::unbounded_channel();
    check(
        agent(&streamed)
            .ask(say("Where?"), CallContext { seed: 0, stream: Some(stream), ..CallContext::default() })
            .await
            .expect("a reply"),
    );
    let mut shown = String::new();
    while let Ok(piece) = pieces.try_recv() {
        shown += &piece;
    }
    assert_eq!(shown, "The key is [key].");

    let body = json!({"text": KEY, "segments": [{"start": 0, "end": 1, "text": KEY}]});
    let heard = server("/v1/audio/transcriptions", ResponseTemplate::new(200).set_body_json(body)).await;
    let (audio, decoding) = (recording(4.0), Decoding::default());
    let hear = HearRequest { audio, start: None, end: None, language: None, timestamps: true, words: false, decoding };
    check(agent(&heard).ask(Request::Hear(hear), asking(0)).await.expect("a reply"));

    let finish = server("/v1/chat/completions", message("x", KEY)).await;
    let error = agent(&finish).ask(say("Where?"), asking(0)).await.expect_err("an unknown end").to_string();
    assert!(error.contains("[key]") && !error.contains(KEY), "{error}");
}
