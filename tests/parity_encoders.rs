//! Compares text encoders with Python on the same weights: sentence embedders with sentence-transformers, heads for
//! pairs and classes with transformers. `tests/parity/make_encoder_fixtures.py` made the fixtures.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use elenchus::{
    exchange::{EmbedPurpose, EmbedRequest, Reply, Request},
    infer::job::Model,
    value::Scored,
};
use serde_json::Value as Json;
use std::path::Path;

#[path = "parity/common.rs"]
mod common;

use common::*;

fn strings(json: &Json) -> Vec<String> {
    json.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Checks a fixture, alone and in a batch.
fn check(path: &Path) {
    let expected = json_of(&path.join("expected.json"));
    let name = path.file_name().unwrap().to_string_lossy();
    let mut model = model(path.to_owned());
    match expected.get("texts") {
        Some(texts) => check_vectors(path, &mut *model, texts, &name),
        None => check_scores(&mut *model, &expected["cases"], &name),
    }
}

fn check_vectors(path: &Path, model: &mut dyn Model, texts: &Json, name: &str) {
    let mut alone = Vec::new();
    for case in texts.as_array().unwrap() {
        let what = case["text"].as_str().unwrap();
        let purpose = EmbedPurpose::ALL.into_iter().find(|(word, _)| case["purpose"] == *word).map(|(_, known)| known);
        let (request, inputs) = embed(text(what));
        let request = match request {
            Request::Embed(embed) => Request::Embed(EmbedRequest { purpose, ..embed }),
            other => other,
        };
        let ours = vector(one(model, (request, inputs)));
        close(&ours, &numbers(&case["vector"]), &format!("{name}, {what:?}"));
        if purpose.is_none() {
            alone.push((what.to_owned(), ours));
        }
    }
    let batch = alone.iter().map(|(what, _)| embed(text(what))).collect();
    for (reply, (what, alone)) in together(model, batch).into_iter().zip(&alone) {
        assert_eq!(&vector(reply.unwrap()), alone, "{name}, {what:?}: batched and alone");
    }
    // a new model, so that the cache holds nothing
    let labels: Vec<String> = alone.iter().map(|(text, _)| text.clone()).collect();
    let ranked = scores(one(&mut *common::model(path.to_owned()), rank(text(&labels[0]), &labels[1..])));
    for (scored, (_, vector)) in ranked.iter().zip(&alone[1..]) {
        let cosine: f32 = alone[0].1.iter().zip(vector).map(|(a, b)| a * b).sum();
        assert!((scored.score - cosine).abs() < 1e-5, "{name}, {:?}", scored.text);
    }
}

/// The labels, scores and probabilities of a case. A case without labels has candidates.
fn asked(case: &Json) -> (Work, Vec<String>) {
    let what = text(case["what"].as_str().unwrap());
    match case.get("labels") {
        Some(labels) => (rank(what, &[]), strings(labels)),
        None => (rank(what, &strings(&case["texts"])), strings(&case["texts"])),
    }
}

fn check_scores(model: &mut dyn Model, cases: &Json, name: &str) {
    let mut alone: Vec<Reply> = Vec::new();
    for case in cases.as_array().unwrap() {
        let (work, labels) = asked(case);
        let what = format!("{name}, {:?}", case["what"]);
        let reply = one(model, work);
        let ours = scores(reply.clone());
        let column = |pick: fn(&Scored) -> f32| ours.iter().map(pick).collect::<Vec<f32>>();
        close(&column(|s| s.score), &numbers(&case["scores"]), &format!("{what}, scores"));
        close(&column(|s| s.probability), &numbers(&case["probabilities"]), &format!("{what}, probabilities"));
        // labels with nearly equal scores may change places
        let mut found: Vec<String> = ours.iter().map(|s| s.text.clone()).collect();
        let mut labels = labels;
        if case.get("labels").is_some() {
            found.sort();
            labels.sort();
        }
        assert_eq!(found, labels, "{what}");
        alone.push(reply);
    }
    let batch = cases.as_array().unwrap().iter().map(|case| asked(case).0).collect();
    for (reply, alone) in together(model, batch).into_iter().zip(&alone) {
        assert_eq!(&reply.unwrap(), alone, "{name}: batched and alone");
    }
}

#[test]
fn sentence_embedders_equal_sentence_transformers() {
    let names = ["bert-dense", "roberta", "roberta-cls", "roberta-two", "xlmr", "xlmr-dense", "xlmr-plain"];
    let names = names.iter().chain(&["modern", "modern-biases", "qwen3", "gemma"]);
    names.for_each(|name| check(&folder(&format!("embed-{name}"))));
    eprintln!("largest difference so far {:e}", *WORST.lock().unwrap());
}

#[test]
fn heads_equal_transformers() {
    for kin in ["bert", "roberta", "xlmr"] {
        ["pair", "nli", "labels"].iter().for_each(|kind| check(&folder(&format!("head-{kin}-{kind}"))));
    }
    ["", "-head"].iter().for_each(|kind| check(&folder(&format!("rerank-qwen3{kind}"))));
    ["pair", "labels"].iter().for_each(|kind| check(&folder(&format!("head-modern-{kind}"))));
    eprintln!("largest difference so far {:e}", *WORST.lock().unwrap());
}

/// Further checkpoints: `make_encoder_fixtures.py OUT random SEED COUNT`.
#[test]
#[ignore = "needs ELENCHUS_PARITY, a folder of checkpoints with expected answers"]
fn further_encoders_equal_python() {
    check_further("encoder-", check);
}
