//! Compares the decoder with Python `transformers` on many shapes (`tests/parity/make_decoder_fixtures.py`): rotary
//! embeddings of every type past their trained length, sliding windows shorter than the prompt, biases, norms of heads,
//! tied and untied outputs. The weights come from a seed on both sides, so that none are stored.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use candle_core::{DType, Device};
use elenchus::{
    error::{Fault, FaultKind},
    exchange::{Decoding, Message, Reply, Request, SayReply, SayRequest},
    infer::{
        checkpoint::Checkpoint,
        decode::TextGenerator,
        job::{Job, Model, StepWriter},
    },
    models::{ModelOptions, llama},
};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value as Json, json};
use std::{collections::HashMap, fs, path::Path};

/// The allowed share of the largest logit.
const TOLERANCE: f32 = 1e-4;
const STEPS: usize = 32;

/// The cases; `ELENCHUS_DECODER_CASES` names another file of the same script.
fn cases() -> Vec<Json> {
    let stored = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parity/fixtures/decoder.json");
    let path = std::env::var("ELENCHUS_DECODER_CASES").unwrap_or_else(|_| stored.to_owned());
    serde_json::from_str::<Json>(&fs::read_to_string(path).unwrap()).unwrap().as_array().unwrap().clone()
}

/// The function `weights` of the script.
fn weights(name: &str, count: usize, seed: u64) -> Vec<f32> {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut crc = !0u32;
    for byte in name.bytes() {
        crc ^= u32::from(byte);
        (0..8).for_each(|_| crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()));
    }
    let start = ((seed << 32) ^ u64::from(!crc)).wrapping_mul(STEP);
    let one = |n: u64| {
        let mut z = start.wrapping_add(n.wrapping_mul(STEP));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let unit = (z >> 40) as f32 * 2f32.powi(-23) - 1.0;
        match name {
            "model.norm.weight" => (1.0 + unit * 0.3) * 16.0,
            _ if name.contains("norm") => 1.0 + unit * 0.3,
            _ => unit * 0.26,
        }
    };
    (1..=count as u64).map(one).collect()
}

/// Writes the checkpoint folder of a case, in f32 or another format.
fn write(case: &Json, folder: &Path, dtype: Dtype) {
    let narrow = |value: f32| match dtype {
        Dtype::F16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
        Dtype::BF16 => half::bf16::from_f32(value).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    };
    let mut bytes = HashMap::new();
    for tensor in case["tensors"].as_array().unwrap() {
        let name = tensor[0].as_str().unwrap().to_owned();
        let shape: Vec<usize> = tensor[1].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
        let values = weights(&name, shape.iter().product(), case["seed"].as_u64().unwrap());
        bytes.insert(name, (shape, values.into_iter().flat_map(narrow).collect::<Vec<u8>>()));
    }
    let views =
        bytes.iter().map(|(name, (shape, bytes))| (name, TensorView::new(dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    fs::write(folder.join("config.json"), case["config"].to_string()).unwrap();
    let words: serde_json::Map<String, Json> = (0..96).map(|n| (format!("t{n}"), json!(n))).collect();
    let tokenizer = json!({"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "t0"}});
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
}

fn load(folder: &Path) -> Result<TextGenerator<llama::Llama>, Fault> {
    llama::generator(&Checkpoint::open(folder)?, &ModelOptions::new(Device::Cpu, DType::F32))
}

fn ids(json: &Json) -> Vec<u32> {
    json.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

fn say(prompt: &Json) -> Request {
    let text: Vec<String> = ids(prompt).iter().map(|id| format!("t{id}")).collect();
    let messages = vec![Message::new("user", text.join(" "))];
    let decoding = Decoding { max_tokens: Some(STEPS), temperature: Some(0.0), ..Decoding::default() };
    Request::Say(SayRequest { raw: true, decoding, ..SayRequest::new(messages) })
}

/// The greedy tokens of prompts asked in one call.
fn together(model: &mut dyn Model, prompts: &[&Json]) -> Vec<Vec<u32>> {
    let (jobs, answers): (Vec<_>, Vec<_>) =
        prompts.iter().map(|prompt| Job::new(say(prompt), Vec::new(), 7, None)).unzip();
    model.answer(jobs);
    let said = |reply| match reply {
        Reply::Say(SayReply { tokens, .. }) => tokens,
        other => panic!("{other:?}"),
    };
    answers.into_iter().map(|answer| said(answer.blocking_recv().unwrap().unwrap())).collect()
}

/// The largest difference of logits, as a share of the largest of the reference (at least 1).
fn off(model: &TextGenerator<llama::Llama>, answer: &Json) -> f32 {
    let ours = model.logits(&ids(&answer["prompt"])).unwrap();
    let mut worst = 0f32;
    for (at, theirs) in answer["logits"].as_object().unwrap() {
        let theirs: Vec<f32> = theirs.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
        let ours = &ours[at.parse::<usize>().unwrap()];
        assert_eq!(ours.len(), theirs.len());
        let most = theirs.iter().fold(1f32, |most, v| most.max(v.abs()));
        worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs() / most).fold(worst, f32::max);
    }
    worst
}

#[test]
fn decoders_equal_transformers() {
    let (mut worst, mut early) = (0f32, 0);
    let cases = cases();
    for case in &cases {
        let (name, temp) = (&case["name"], tempfile::tempdir().unwrap());
        write(case, temp.path(), Dtype::F32);
        let mut warm = load(temp.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let answers = case["cases"].as_array().unwrap();
        let expected: Vec<Vec<u32>> = answers.iter().map(|answer| ids(&answer["tokens"])).collect();
        early += usize::from(expected.iter().any(|tokens| tokens.len() < STEPS));
        for (answer, expected) in answers.iter().zip(&expected) {
            let off = off(&warm, answer);
            assert!(off <= TOLERANCE, "{name}: logits differ by {off}");
            worst = worst.max(off);
            // The model keeps the cache of its last prompt, so this also tests the reuse of prefixes.
            let tokens = together(&mut warm, &[&answer["prompt"]]).remove(0);
            let at = ids(&answer["prompt"]).len();
            assert_eq!(&tokens[..expected.len()], expected, "{name}: greedy tokens after {at} tokens");
        }
        let prompts: Vec<&Json> = answers.iter().map(|answer| &answer["prompt"]).collect();
        let batch = together(&mut load(temp.path()).unwrap(), &prompts);
        for (tokens, expected) in batch.iter().zip(&expected) {
            assert_eq!(&tokens[..expected.len()], expected, "{name}: greedy tokens in a batch");
        }
    }
    println!("{} checkpoints, largest difference {worst:e}, {early} end early", cases.len());
}

/// The greedy tokens of prompts that join in the order `order`, each after `gaps` further steps. With `leaves`, the caller of
/// that prompt leaves after it joined.
fn joining(model: &mut dyn StepWriter, prompts: &[&Json], arrivals: &[(usize, usize)], leaves: usize) -> Vec<Vec<u32>> {
    let mut answers: Vec<_> = prompts.iter().map(|_| None).collect();
    for (n, gap) in arrivals {
        let (job, answer) = Job::new(say(prompts[*n]), Vec::new(), 7, None);
        assert!(model.writes(&job));
        model.join(vec![job]);
        for _ in 0..*gap {
            model.step();
        }
        answers[*n] = if *n == leaves { None } else { Some(answer) };
    }
    for _ in 0..1000 {
        if model.step() == 0 {
            break;
        }
    }
    let said = |reply| match reply {
        Reply::Say(SayReply { tokens, .. }) => tokens,
        other => panic!("{other:?}"),
    };
    let answers = answers.into_iter().map(|answer| answer.map(|mut answer| answer.try_recv().unwrap().unwrap()));
    answers.map(|reply| reply.map(said).unwrap_or_default()).collect()
}

#[test]
fn replies_do_not_depend_on_the_step_at_which_requests_join() {
    let mut state = 7u64;
    let mut random = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    for case in cases() {
        let (name, temp) = (&case["name"], tempfile::tempdir().unwrap());
        write(&case, temp.path(), Dtype::F32);
        let answers = case["cases"].as_array().unwrap();
        // each prompt twice: the second one shares the first one's
        let prompts: Vec<&Json> = answers.iter().chain(answers).map(|answer| &answer["prompt"]).collect();
        let alone: Vec<_> =
            prompts.iter().map(|prompt| together(&mut load(temp.path()).unwrap(), &[prompt]).remove(0)).collect();
        for round in 0..3 {
            let mut order: Vec<usize> = (0..prompts.len()).collect();
            (1..order.len()).rev().for_each(|n| order.swap(n, random(n + 1)));
            let arrivals: Vec<(usize, usize)> = order.into_iter().map(|n| (n, random(6))).collect();
            let leaves = if round == 2 { arrivals[0].0 } else { usize::MAX };
            let mut model = load(temp.path()).unwrap();
            let found = joining(&mut model, &prompts, &arrivals, leaves);
            for (n, (found, alone)) in found.iter().zip(&alone).enumerate().filter(|(n, _)| *n != leaves) {
                assert_eq!(found, alone, "{name}: prompt {n} of {arrivals:?}");
            }
        }
    }
}

/// The error for a case with other settings.
fn refused(case: &str, change: impl Fn(&mut Json)) -> String {
    let temp = tempfile::tempdir().unwrap();
    let mut case = cases().into_iter().find(|c| c["name"] == case).unwrap();
    change(&mut case);
    write(&case, temp.path(), Dtype::F32);
    let error = load(temp.path()).err().unwrap();
    assert_eq!(error.kind, FaultKind::Model);
    error.to_string().replace(temp.path().to_str().unwrap(), "DIR")
}

#[test]
fn weights_that_do_not_fit_the_configuration_are_refused() {
    let drop = |case: &mut Json, name: &str| case["tensors"].as_array_mut().unwrap().retain(|t| t[0] != name);
    insta::assert_snapshot!(refused("qwen2-plain", |c| drop(c, "model.layers.1.self_attn.k_proj.bias")), @"the weights lack the tensor `model.layers.1.self_attn.k_proj.bias`");
    insta::assert_snapshot!(refused("llama-biases", |c| c["config"]["mlp_bias"] = json!(false)), @"the weights hold the tensor `model.layers.0.mlp.gate_proj.bias`, but this model has no bias there");
    insta::assert_snapshot!(refused("qwen3-plain", |c| drop(c, "model.layers.0.self_attn.q_norm.weight")), @"the weights lack the tensor `model.layers.0.self_attn.q_norm.weight`");
    insta::assert_snapshot!(refused("llama-yarn", |c| drop(c, "lm_head.weight")), @"the weights lack the tensor `lm_head.weight`");
    insta::assert_snapshot!(refused("llama-yarn", |c| c["config"]["rope_parameters"]["rope_type"] = json!("su")), @"config.json: rope_parameters: the rope type `su` is not supported; the types are default, linear, dynamic, yarn, llama3 and longrope");
}
