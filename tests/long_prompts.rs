//! Prompts that are longer than the context of a model behind an endpoint: lines of a cited list are left out (`overflow`),
//! or the run fails with one line that names step, agent and both numbers.

use assert_cmd::Command;
use serde_json::{Value as Json, json};
use std::{fs, time::Duration};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::method};

/// The tokens that the server's model reads.
const CONTEXT: usize = 400;
/// The tokens of the reply.
const REPLY: usize = 40;
const LINES: usize = 60;

/// The text of a request's prompt.
fn prompt(request: &Request) -> String {
    let body: Json = request.body_json().expect("JSON");
    let messages = body["messages"].as_array().expect("messages").iter();
    messages.map(|message| message["content"].as_str().expect("text").to_owned()).collect::<Vec<_>>().join("\n")
}

/// The server's tokens of a text: other than this program estimates.
fn tokens(text: &str) -> usize {
    10 + text.split_whitespace().count() * 2
}

/// A server that refuses long prompts as one of these does: `vllm`, `llama-cpp-python`, `llama.cpp` (also without its
/// numbers, `mute`), or in the first event of a stream. `cuts` refuses nothing.
async fn server(manner: &'static str) -> MockServer {
    let server = MockServer::start().await;
    let respond = move |request: &Request| {
        let found = tokens(&prompt(request));
        let said = if prompt(request).starts_with("Summarise") { "Mugs." } else { "[1] In the kitchen." };
        let choice = json!({"message": {"content": said}, "finish_reason": "stop"});
        if found + REPLY <= CONTEXT || manner == "cuts" {
            return ResponseTemplate::new(200).set_body_json(json!({"choices": [choice]}));
        }
        let both = format!(
            "This model's maximum context length is {CONTEXT} tokens. However, you requested {} tokens ({found} in the \
             messages, {REPLY} in the completion).",
            found + REPLY
        );
        let size = "the request exceeds the available context size";
        let sized = json!({"code": 400, "message": size, "type": "exceed_context_size_error", "n_prompt_tokens": found, "n_ctx": CONTEXT});
        let (status, error) = match manner {
            "vllm" => (400, json!({"object": "error", "message": both, "code": 400})),
            "llama-cpp-python" => {
                let message = format!("Requested tokens ({found}) exceed context window of {CONTEXT}");
                (500, json!({"error": {"message": message}}))
            }
            "mute" => (400, json!({"error": {"message": size, "code": 400}})),
            _ => (400, json!({ "error": sized })),
        };
        ResponseTemplate::new(status).set_body_json(error)
    };
    Mock::given(method("POST")).respond_with(respond).mount(&server).await;
    server
}

/// Asks about a list of lines. `limits` is the end of the agent file, `more` that of the step. Gives the exit code, the
/// JSON, and the transcript; if the run fails, stderr.
fn run(server: &MockServer, limits: &str, more: &str) -> (Option<i32>, Json, String) {
    let step = format!(
        "say: {{ agent: mind, text: \"Where is the mug?\\n{{{{ log }}}}\", cite: log, max_tokens: {REPLY}{more} }}"
    );
    run_step(server, limits, &step)
}

/// The same with another step.
fn run_step(server: &MockServer, limits: &str, step: &str) -> (Option<i32>, Json, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    };
    let url = server.uri();
    write("agents/far.yaml", &format!("endpoint: {{ url: '{url}', model: m, retries: 2 }}\n{limits}\n"));
    write(
        "d.yaml",
        &format!(
            "version: 1\ndialogue: d\ninputs: {{ log: list of record }}\ncast: {{ mind: far }}\nsteps:\n  found: {{ {step} }}\nanswer: \"{{{{ found }}}}\"\n"
        ),
    );
    let line = |n: usize| json!({"start": n, "end": n + 1, "text": format!("a mug number {n} in the kitchen")});
    write("log.json", &Json::from((1..=LINES).map(line).collect::<Vec<_>>()).to_string());
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    for name in ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE", "HOME"] {
        command.env(name, folder.path().join(format!(".{}", name.to_lowercase())));
    }
    let args = ["run", "d.yaml", "-i", "log=log.json", "--trust", "--record", "run.jsonl", "--json"];
    let output =
        command.current_dir(folder.path()).timeout(Duration::from_secs(60)).args(args).output().expect("it ends");
    let record = fs::read_to_string(folder.path().join("run.jsonl")).unwrap_or_default();
    let json: Json = serde_json::from_slice(&output.stdout).unwrap_or(Json::Null);
    let seen = if output.status.success() { record } else { String::from_utf8_lossy(&output.stderr).into_owned() };
    (output.status.code(), json, seen)
}

async fn prompts(server: &MockServer) -> Vec<String> {
    server.received_requests().await.expect("recorded").iter().map(prompt).collect()
}

/// The number of lines that the prompt's note states.
fn left_out(prompt: &str) -> usize {
    let line = prompt.lines().find(|line| line.contains("lines are left out here"));
    line.map_or(0, |line| line[1..].split(' ').next().and_then(|n| n.parse().ok()).expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_left_out_until_the_prompt_fits() {
    for (manner, limits, most, near) in [
        ("vllm", "", 4, 20),
        ("llama.cpp", "", 4, 20),
        ("llama-cpp-python", "", 4, 20),
        // without numbers, lines are left out in large steps
        ("mute", "", 8, 200),
        // the agent file tells the context, but not how the server counts
        ("vllm", "limits: { context_tokens: 400 }", 4, 120),
        ("cuts", "limits: { context_tokens: 400 }", 1, 250),
    ] {
        for first in ["oldest", "middle"] {
            let server = server(manner).await;
            let (code, answer, seen) = run(&server, limits, &format!(", overflow: {first}"));
            assert_eq!(code, Some(0), "{manner}: {seen}");
            let prompts = prompts(&server).await;
            let last = prompts.last().expect("a prompt");
            let (count, room) = (left_out(last), CONTEXT - REPLY);
            assert!(count > 0 && prompts.len() <= most, "{manner} {first}: {count} lines, {} requests", prompts.len());
            let used = tokens(last);
            assert!(used <= room && used >= room - near, "{manner} {first}: {used} of {room} tokens are used");
            assert!(last.contains(&format!("mug number {LINES} ")), "the last line stays");
            assert_eq!(last.contains("mug number 1 "), first == "middle", "{last}");
            assert!(seen.contains(&format!("left out {count} of {LINES} lines of the list")), "{seen}");
            assert_eq!(answer["evidence"][0]["start"], 1.0, "entries keep their numbers: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_is_too_long_names_step_agent_and_both_numbers() {
    for manner in ["vllm", "llama.cpp", "llama-cpp-python"] {
        let server = server(manner).await;
        let (code, _, seen) = run(&server, "", "");
        let sent = prompts(&server).await;
        assert_eq!((code, sent.len()), (Some(1), 1), "{manner}: the refusal is final: {seen}");
        let expected = format!(
            "the prompt has {} tokens; the model at {}/v1 reads at most {CONTEXT} together with its reply",
            tokens(&sent[0]),
            server.uri()
        );
        assert!(seen.contains(&format!("found  failed: far: {expected}")), "{manner}: {seen}");
    }
    // the context is known before anything is sent
    let server = server("cuts").await;
    let (code, _, seen) = run(&server, "limits: { context_tokens: 100 }", "");
    assert_eq!((code, prompts(&server).await.len()), (Some(1), 0), "{seen}");
    let limit = "the model reads at most 100 together with its reply (`limits: context_tokens` of the agent)";
    assert!(seen.contains(limit), "{seen}");
    // no line helps
    let (code, _, seen) = run(&server, "limits: { context_tokens: 5 }", ", overflow: oldest");
    let all = format!("without {LINES} of the {LINES} lines of its list, the prompt has at least ");
    assert!(code == Some(1) && seen.contains(&all), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_reads_every_line_and_sends_no_prompt_twice_too_long() {
    for (manner, limits) in [
        ("vllm", ""),
        ("llama.cpp", ""),
        ("mute", ""),
        ("cuts", "limits: { context_tokens: 400 }"),
        ("vllm", "limits: { context_tokens: 400 }"),
    ] {
        let server = server(manner).await;
        // all lines would share a prompt of about 1,100 tokens
        let step = format!(
            "digest: {{ agent: mind, of: log, text: \"Summarise:\\n{{{{ log }}}}\", lines: 100, max_tokens: {REPLY} }}"
        );
        let (code, answer, seen) = run_step(&server, limits, &step);
        assert_eq!(code, Some(0), "{manner}: {seen}");
        let accepted: Vec<String> =
            prompts(&server).await.into_iter().filter(|prompt| tokens(prompt) + REPLY <= CONTEXT).collect();
        for line in 1..=LINES {
            let reads = accepted.iter().filter(|prompt| prompt.contains(&format!("mug number {line} "))).count();
            assert_eq!(reads, 1, "{manner} {limits}: line {line}");
        }
        assert!(!accepted.iter().any(|prompt| prompt.contains("left out")), "{accepted:?}");
        let summaries = answer["value"]["summaries"].as_array().expect("summaries");
        let top = summaries.last().expect("a summary");
        assert_eq!(top["lines"].as_array().map(Vec::len), Some(LINES), "{answer}");
        assert!(top["level"] == 2 && top["start"] == 1 && top["end"] == LINES + 1, "{top}");
        let below = answer["evidence"].as_array().expect("evidence");
        assert_eq!(
            below.len(),
            top["of"].as_array().map_or(0, Vec::len),
            "the last summary cites those below: {answer}"
        );
    }
}
