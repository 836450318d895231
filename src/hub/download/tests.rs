//! Downloads from a hub on loopback: completion, resumption, refusals and damage.

use super::*;
use crate::hub::folders::Secret;
use serde_json::json;
use std::sync::Mutex;
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path},
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS: &[u8] = b"the weights of a very small model";

fn sha256(bytes: &[u8]) -> String {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A hub with one model. Its files answer range requests like the real hub.
async fn hub() -> MockServer {
    let server = MockServer::start().await;
    let files = json!([
        {"rfilename": "config.json", "size": 2, "blobId": "9e26dfeeb6e641a33dae4961196235bdb965b21b"},
        {"rfilename": "tokenizer.json", "size": 2, "blobId": "9e26dfeeb6e641a33dae4961196235bdb965b21b"},
        {"rfilename": "1_Pooling/config.json", "size": 2, "blobId": "9e26dfeeb6e641a33dae4961196235bdb965b21b"},
        {"rfilename": "README.md", "size": 9, "blobId": "1111111111111111111111111111111111111111"},
        {"rfilename": "pytorch_model.bin", "size": 9, "blobId": "2222222222222222222222222222222222222222"},
        {"rfilename": "model.safetensors", "size": WEIGHTS.len(), "blobId": "33",
         "lfs": {"sha256": sha256(WEIGHTS), "size": WEIGHTS.len()}},
    ]);
    answer(&server, "/api/models/org/name/revision/main", move |_| {
        ResponseTemplate::new(200).set_body_json(json!({"sha": COMMIT, "siblings": files}))
    })
    .await;
    for file in ["config.json", "tokenizer.json", "1_Pooling/config.json"] {
        answer(&server, &format!("/org/name/resolve/{COMMIT}/{file}"), |request| ranged(request, b"{}")).await;
    }
    server
}

async fn answer(
    server: &MockServer,
    at: &str,
    reply: impl Fn(&Request) -> ResponseTemplate + Send + Sync + Clone + 'static,
) {
    Mock::given(method("GET")).and(path(at)).respond_with(move |r: &Request| reply(r)).mount(server).await;
}

async fn weights(server: &MockServer, reply: impl Fn(&Request) -> ResponseTemplate + Send + Sync + Clone + 'static) {
    answer(server, &format!("/org/name/resolve/{COMMIT}/model.safetensors"), reply).await;
}

/// All of `bytes`, or the part that a `Range` header asks for.
fn ranged(request: &Request, bytes: &[u8]) -> ResponseTemplate {
    let range = request.headers.get("range").map(|range| range.to_str().expect("text").to_owned());
    match range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()) {
        None => ResponseTemplate::new(200).set_body_bytes(bytes),
        Some(from) => ResponseTemplate::new(206)
            .insert_header("content-range", format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()).as_str())
            .set_body_bytes(&bytes[from..]),
    }
}

fn downloader(server: &MockServer, cache: &Path, token: Option<&str>) -> Downloader {
    let settings = HubSettings {
        cache: cache.to_owned(),
        endpoint: server.uri(),
        token: token.map(Secret::new),
        offline: false,
        ..HubSettings::default()
    };
    Downloader { first_wait: Duration::from_millis(1), attempts: 3, ..Downloader::new(settings).expect("client") }
}

/// The error's text, with HUB for the server's changing address.
async fn refusal(server: &MockServer, token: Option<&str>) -> String {
    let cache = tempfile::tempdir().expect("temp");
    let error = downloader(server, cache.path(), token).fetch("org/name", "main", None, &|_| {}).await;
    let line = error.expect_err("refused").line();
    line.replace(&server.uri(), "HUB").replace(&cache.path().display().to_string(), "CACHE")
}

#[tokio::test]
async fn only_the_needed_files_are_downloaded_in_the_layout_of_the_hub() {
    let (server, cache) = (hub().await, tempfile::tempdir().expect("temp"));
    weights(&server, |request| ranged(request, WEIGHTS)).await;
    let reported = Mutex::new(Vec::new());
    let tell = |progress: DownloadProgress| {
        reported.lock().expect("lock").push((progress.file, progress.done, progress.total))
    };
    let folder = downloader(&server, cache.path(), None)
        .fetch("org/name", "main", None, &tell)
        .await
        .expect("fetched")
        .path()
        .to_owned();
    assert_eq!(folder, cache.path().join("models--org--name/snapshots").join(COMMIT));
    assert_eq!(std::fs::read(folder.join("model.safetensors")).expect("read"), WEIGHTS);
    assert_eq!(std::fs::read(folder.join("1_Pooling/config.json")).expect("read"), b"{}");
    assert!(!folder.join("README.md").exists() && !folder.join("pytorch_model.bin").exists());
    let reference = std::fs::read_to_string(cache.path().join("models--org--name/refs/main")).expect("read");
    assert_eq!(reference, COMMIT);
    let size = WEIGHTS.len() as u64;
    assert!(reported.lock().expect("lock").contains(&("model.safetensors".into(), size, Some(size))));
    // found from now on without a request
    assert_eq!(CachedRepo::new(cache.path(), "org/name").complete("main"), Some(folder));
}

#[tokio::test]
async fn one_gguf_file_of_a_repository_is_downloaded() {
    let (server, cache) = (MockServer::start().await, tempfile::tempdir().expect("temp"));
    let file = |name: &str| json!({"rfilename": name, "size": WEIGHTS.len(), "lfs": {"sha256": sha256(WEIGHTS), "size": WEIGHTS.len()}});
    let files = json!([file("model-Q4_K_M.gguf"), file("model-Q8_0.gguf")]);
    answer(&server, "/api/models/org/name/revision/main", move |_| {
        ResponseTemplate::new(200).set_body_json(json!({"sha": COMMIT, "siblings": files}))
    })
    .await;
    answer(&server, &format!("/org/name/resolve/{COMMIT}/model-Q8_0.gguf"), |request| ranged(request, WEIGHTS)).await;
    let downloader = downloader(&server, cache.path(), None);
    let path = downloader.fetch("org/name", "main", Some("q8_0"), &|_| {}).await.expect("fetched");
    assert_eq!(std::fs::read(path.path()).expect("read"), WEIGHTS);
    assert_eq!(CachedRepo::new(cache.path(), "org/name").gguf("main", "model-Q8_0.gguf"), Some(path.path().to_owned()));
    let error = downloader.fetch("org/name", "main", Some("model-Q6_K.gguf"), &|_| {}).await.expect_err("absent");
    insta::assert_snapshot!(error.line(), @"org/name lacks model-Q6_K.gguf (hint: its GGUF files are model-Q4_K_M.gguf, model-Q8_0.gguf)");
    insta::assert_snapshot!(refusal(&server, None).await, @"org/name lacks model.safetensors (hint: name one of its GGUF files beside `hub`, as `gguf`, or as org/name:FILE.gguf: model-Q4_K_M.gguf, model-Q8_0.gguf)");
}

#[test]
fn the_needed_files_are_those_that_loading_reads() {
    let needed =
        ["config.json", "tokenizer.model", "2_Dense/model.safetensors", "1_Pooling/config.json", "chat_template.jinja"];
    let others =
        ["README.md", "onnx/config.json", "x_Dense/config.json", "2_/config.json", "1_Pooling/x.py", "../config.json"];
    assert!(needed.iter().all(|name| is_needed(name)) && !others.iter().any(|name| is_needed(name)));
}

#[tokio::test]
async fn a_download_resumes_where_it_stopped() {
    let (server, cache) = (hub().await, tempfile::tempdir().expect("temp"));
    weights(&server, |request| match request.headers.get("range") {
        Some(range) if range == "bytes=10-" => ranged(request, WEIGHTS),
        _ => ResponseTemplate::new(404),
    })
    .await;
    let blobs = cache.path().join("models--org--name/blobs");
    std::fs::create_dir_all(&blobs).expect("made");
    std::fs::write(blobs.join(format!("{}.part", sha256(WEIGHTS))), &WEIGHTS[..10]).expect("written");
    let fetched = downloader(&server, cache.path(), None).fetch("org/name", "main", None, &|_| {}).await;
    assert_eq!(std::fs::read(fetched.expect("fetched").path().join("model.safetensors")).expect("read"), WEIGHTS);
}

#[tokio::test]
async fn a_busy_hub_and_a_damaged_file_are_tried_again() {
    let (server, cache) = (hub().await, tempfile::tempdir().expect("temp"));
    let tries = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    weights(&server, move |request| match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => ResponseTemplate::new(429).insert_header("retry-after", "0"),
        1 => ResponseTemplate::new(200).set_body_bytes(vec![b'x'; WEIGHTS.len()]),
        _ => ranged(request, WEIGHTS),
    })
    .await;
    let fetched = downloader(&server, cache.path(), None).fetch("org/name", "main", None, &|_| {}).await;
    assert_eq!(std::fs::read(fetched.expect("fetched").path().join("model.safetensors")).expect("read"), WEIGHTS);
}

#[tokio::test]
async fn a_file_that_stays_damaged_is_refused() {
    let server = hub().await;
    weights(&server, |_| ResponseTemplate::new(200).set_body_bytes(vec![b'x'; WEIGHTS.len()])).await;
    insta::assert_snapshot!(refusal(&server, None).await, @"org/name could not be fetched from HUB: model.safetensors is damaged: its digest is 11ba55a3a7c1ee0f8eb8867dc40a62c67240eb4a5ea125ee5c383fe996b57cd6, the hub states 8848f57c7a09430cd55ebd8cf562c1e5109a16efff8585bf56ced24aaa0d6e32 (hint: run the command again to continue the download; without a network, copy the checkpoint here and name its folder as `path`, or copy it into CACHE)");
}

#[tokio::test]
async fn unknown_and_gated_models_have_different_messages() {
    let server = MockServer::start().await;
    insta::assert_snapshot!(refusal(&server, None).await, @"HUB does not know this model or revision: org/name (404) (hint: check the spelling and the revision; a private model needs HF_TOKEN)");
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    insta::assert_snapshot!(refusal(&server, None).await, @"HUB refuses access to org/name (401): it is gated or private (hint: accept its terms at HUB/org/name, then set HF_TOKEN to a token of your account)");
    insta::assert_snapshot!(refusal(&server, Some("hf_secret")).await, @"HUB refuses access to org/name (401): it is gated or private (hint: accept its terms at HUB/org/name with the account that HF_TOKEN belongs to; a token may also have expired)");
}

#[tokio::test]
async fn the_token_is_not_sent_to_the_target_of_a_redirect() {
    let (server, store, cache) = (hub().await, MockServer::start().await, tempfile::tempdir().expect("temp"));
    let elsewhere = format!("{}/bytes", store.uri());
    weights(&server, move |_| ResponseTemplate::new(302).insert_header("location", elsewhere.as_str())).await;
    answer(&store, "/bytes", |request| match request.headers.contains_key("authorization") {
        true => ResponseTemplate::new(400),
        false => ranged(request, WEIGHTS),
    })
    .await;
    let fetched = downloader(&server, cache.path(), Some("hf_secret")).fetch("org/name", "main", None, &|_| {}).await;
    assert!(fetched.is_ok(), "{fetched:?}");
    let asked = server.received_requests().await.expect("recorded");
    assert!(asked.iter().all(|request| request.headers.get("authorization").is_some_and(|a| a == "Bearer hf_secret")));
}
