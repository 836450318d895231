//! Compares GGUF files with Python `transformers` on the same files (`tests/parity/make_gguf_fixtures.py`).
//!
//! Floating-point files agree to 1e-4. For quantised matrices, candle rounds activations to 8 bits block by block, as
//! llama.cpp does, while transformers dequantises the matrix. Each product differs by up to 1/254 of the block's
//! largest activation. The tolerance is therefore wider, and a dequantised copy of the same weights shows that there is
//! no other difference.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use candle_core::{
    DType, Device,
    quantized::{
        GgmlDType, QTensor,
        gguf_file::{self, Content, Value},
    },
};
use elenchus::{
    error::FaultKind,
    exchange::{Decoding, Message, Reply, Request, SayReply, SayRequest},
    hub::digest::Digests,
    infer::{
        chat::Chat,
        checkpoint::Checkpoint,
        decode::TextGenerator,
        job::{Job, Model},
        text::{TextTokenizer, VocabStyle},
    },
    models::{self, ModelOptions, llama},
};
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

const EXACT: f32 = 1e-4;
/// The tolerance for quantised weights: the length of the difference of the logits, as a share of the length of the
/// logits.
const ROUNDED: f32 = 0.05;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures").join(name)
}

fn expected(name: &str) -> Json {
    serde_json::from_str(&fs::read_to_string(folder(name).join("expected.json")).unwrap()).unwrap()
}

fn loading() -> ModelOptions {
    ModelOptions::new(Device::Cpu, DType::F32)
}

fn generator(path: &Path) -> TextGenerator<llama::Llama> {
    llama::generator(&Checkpoint::open(path).unwrap(), &loading()).unwrap()
}

fn say(prompt: &str) -> Request {
    let messages = vec![Message::new("user", prompt)];
    let decoding = Decoding { max_tokens: Some(24), temperature: Some(0.0), ..Decoding::default() };
    Request::Say(SayRequest { raw: true, decoding, ..SayRequest::new(messages) })
}

/// The greedy tokens and text of prompts asked in one call.
fn together(model: &mut dyn Model, prompts: &[&str]) -> Vec<(Vec<u32>, String)> {
    let (jobs, answers): (Vec<_>, Vec<_>) =
        prompts.iter().map(|prompt| Job::new(say(prompt), Vec::new(), 7, None)).unzip();
    model.answer(jobs);
    let said = |reply| match reply {
        Reply::Say(SayReply { tokens, text, .. }) => (tokens, text),
        other => panic!("{other:?}"),
    };
    answers.into_iter().map(|answer| said(answer.blocking_recv().unwrap().unwrap())).collect()
}

fn ids(json: &Json) -> Vec<u32> {
    json.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

fn worst(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The difference from the expected logits: the largest one if they should be equal, else the relative one.
fn off(ours: &[f32], theirs: &[f32], tolerance: f32) -> f32 {
    let length = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let difference = length(&mut ours.iter().zip(theirs).map(|(a, b)| a - b));
    let relative = (difference / length(&mut theirs.iter().copied())) as f32;
    println!("largest difference {}, relative {relative}", worst(ours, theirs));
    if tolerance == EXACT { worst(ours, theirs) } else { relative }
}

fn check(name: &str, tolerance: f32) {
    check_at(name, &folder(name), tolerance);
}

fn check_at(name: &str, path: &Path, tolerance: f32) {
    let (expected, checkpoint) = (expected(name), Checkpoint::open(path).unwrap());
    let words = TextTokenizer::open(&checkpoint, VocabStyle::Bytes).unwrap();
    let mut model = generator(path);
    let cases = expected["cases"].as_array().unwrap();
    for case in cases {
        let prompt = case["prompt"].as_str().unwrap();
        assert_eq!(words.encode(prompt, true).unwrap(), ids(&case["ids"]), "{name}: ids of {prompt:?}");
        let theirs: Vec<f32> = case["logits"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
        let logits = model.logits(&ids(&case["ids"])).unwrap();
        print!("{name}: ");
        let off = off(logits.last().unwrap(), &theirs, tolerance);
        assert!(off <= tolerance, "{name}: logits of {prompt:?} differ by {off}");
        let (tokens, text) = together(&mut model, &[prompt]).remove(0);
        if tolerance == EXACT {
            assert_eq!(
                (tokens, text.as_str()),
                (ids(&case["tokens"]), case["text"].as_str().unwrap()),
                "{name}: {prompt:?}"
            );
        } else {
            assert_eq!(tokens[0], ids(&case["tokens"])[0], "{name}: first token after {prompt:?}");
        }
    }
    let prompts: Vec<&str> = cases.iter().map(|case| case["prompt"].as_str().unwrap()).collect();
    let alone: Vec<_> = prompts.iter().map(|prompt| together(&mut generator(path), &[prompt]).remove(0)).collect();
    assert_eq!(together(&mut model, &prompts), alone, "{name}: a batch answers as one by one");
    let chat = Chat::open(&checkpoint).unwrap();
    for case in expected["chats"].as_array().unwrap() {
        let messages: Vec<Message> = serde_json::from_value(case["messages"].clone()).unwrap();
        let prompt = chat.prompt(&messages, false).unwrap();
        assert_eq!(prompt.text, case["text"].as_str().unwrap(), "{name}: chat template");
        assert_eq!(words.encode(&prompt.text, prompt.special).unwrap(), ids(&case["ids"]), "{name}: chat ids");
    }
}

#[test]
fn floating_files_equal_transformers() {
    check("gguf-bpe", EXACT);
    check("gguf-spm", EXACT);
    check("gguf-qwen2", EXACT);
    check("gguf-gemma3", EXACT);
}

#[test]
fn quantised_files_equal_transformers_but_for_rounded_activations() {
    let temp = tempfile::tempdir().unwrap();
    for name in ["gguf-q8", "gguf-q4k", "gguf-qwen3"] {
        check(name, ROUNDED);
        let mut floating = Copied::of(name);
        for tensor in floating.tensors.values_mut() {
            *tensor = QTensor::quantize(&tensor.dequantize(&Device::Cpu).unwrap(), GgmlDType::F32).unwrap();
        }
        floating.write(&temp.path().join("model.gguf"));
        check_at(name, temp.path(), EXACT);
    }
}

/// A copy of a fixture's file with other metadata and other tensors.
struct Copied {
    meta: BTreeMap<String, Value>,
    tensors: BTreeMap<String, QTensor>,
}

impl Copied {
    fn of(name: &str) -> Copied {
        let mut file = File::open(folder(name).join("model.gguf")).unwrap();
        let content = Content::read(&mut file).unwrap();
        let tensor = |name: &String| (name.clone(), content.tensor(&mut file, name, &Device::Cpu).unwrap());
        let tensors = content.tensor_infos.keys().map(tensor).collect();
        Copied { meta: content.metadata.into_iter().collect(), tensors }
    }

    fn set(mut self, key: &str, value: impl Into<Option<Value>>) -> Copied {
        match value.into() {
            Some(value) => self.meta.insert(key.to_owned(), value),
            None => self.meta.remove(key),
        };
        self
    }

    fn without(mut self, tensor: &str) -> Copied {
        self.tensors.remove(tensor);
        self
    }

    fn write(&self, path: &Path) {
        let meta: Vec<(&str, &Value)> = self.meta.iter().map(|(k, v)| (k.as_str(), v)).collect();
        let tensors: Vec<(&str, &QTensor)> = self.tensors.iter().map(|(k, v)| (k.as_str(), v)).collect();
        gguf_file::write(&mut File::create(path).unwrap(), &meta, &tensors).unwrap();
    }
}

fn word(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[test]
fn text_is_split_by_the_named_pre_tokenizer() {
    let (expected, temp) = (expected("gguf-bpe"), tempfile::tempdir().unwrap());
    let text = expected["splits"]["text"].as_str().unwrap();
    let file = temp.path().join("a.gguf");
    let mut all = Vec::new();
    let more = |copied: &mut Copied, key: &str, list: &Json| {
        let Some(Value::Array(values)) = copied.meta.get_mut(key) else { panic!("{key}") };
        values.extend(list.as_array().unwrap().iter().map(|text| word(text.as_str().unwrap())));
    };
    for (name, theirs) in expected["splits"]["ids"].as_object().unwrap() {
        let mut copied = Copied::of("gguf-bpe").set("tokenizer.ggml.pre", word(name));
        more(&mut copied, "tokenizer.ggml.tokens", &expected["splits"]["tokens"]);
        more(&mut copied, "tokenizer.ggml.merges", &expected["splits"]["merges"]);
        copied.write(&file);
        let words = TextTokenizer::open(&Checkpoint::open(&file).unwrap(), VocabStyle::Bytes).unwrap();
        assert_eq!(words.encode(text, false).unwrap(), ids(theirs), "{name}");
        assert_eq!(words.decode(&ids(theirs)).unwrap(), text, "{name}");
        all.push(ids(theirs));
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4, "the text tells them apart");
}

/// Compares weights of each matrix type with the same weights dequantised.
#[test]
fn every_type_answers_as_its_floating_copy() {
    use GgmlDType::*;
    let (temp, case) = (tempfile::tempdir().unwrap(), expected("gguf-q4k")["cases"][0].clone());
    let (packed, floating) = (temp.path().join("packed.gguf"), temp.path().join("floating.gguf"));
    for (dtype, tolerance) in [
        (F32, EXACT),
        (F16, EXACT),
        (BF16, EXACT),
        (Q4_0, ROUNDED),
        (Q4_1, ROUNDED),
        (Q5_0, ROUNDED),
        (Q5_1, ROUNDED),
        (Q8_0, ROUNDED),
        (Q2K, ROUNDED),
        (Q3K, ROUNDED),
        (Q4K, ROUNDED),
        (Q5K, ROUNDED),
        (Q6K, ROUNDED),
    ] {
        let (mut one, mut other) = (Copied::of("gguf-q4k"), Copied::of("gguf-q4k"));
        for (name, tensor) in &mut one.tensors {
            if tensor.rank() == 2 {
                *tensor = QTensor::quantize(&tensor.dequantize(&Device::Cpu).unwrap(), dtype).unwrap();
                let plain = QTensor::quantize(&tensor.dequantize(&Device::Cpu).unwrap(), F32).unwrap();
                other.tensors.insert(name.clone(), plain);
            }
        }
        one.write(&packed);
        other.write(&floating);
        let logits = |path: &Path| generator(path).logits(&ids(&case["ids"])).unwrap().pop().unwrap();
        print!("{dtype:?}: ");
        let off = off(&logits(&packed), &logits(&floating), tolerance);
        assert!(off <= tolerance, "{dtype:?}: {off}");
    }
}

#[test]
fn a_tokenizer_json_beside_the_file_comes_first() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("model.gguf");
    let cut = Copied::of("gguf-bpe").set("tokenizer.ggml.model", None);
    cut.write(&file);
    let checkpoint = Checkpoint::open(temp.path()).unwrap();
    let before = checkpoint.digest(&Digests::default()).unwrap();
    let error = TextTokenizer::open(&checkpoint, VocabStyle::Bytes).unwrap_err().to_string();
    assert!(error.contains("lacks `tokenizer.ggml.model`"), "{error}");
    fs::copy(folder("lm-tied").join("tokenizer.json"), temp.path().join("tokenizer.json")).unwrap();
    let checkpoint = Checkpoint::open(temp.path()).unwrap();
    assert!(TextTokenizer::open(&checkpoint, VocabStyle::Bytes).unwrap().id("<|im_end|>").is_some());
    assert_ne!(checkpoint.digest(&Digests::default()).unwrap(), before, "the tokenizer is part of the digest");
    let before = checkpoint.digest(&Digests::default()).unwrap();
    cut.set("llama.rope.freq_base", Value::F32(9000.0)).write(&file);
    assert_ne!(Checkpoint::open(temp.path()).unwrap().digest(&Digests::default()).unwrap(), before, "and the file is");
}

/// The message for a file that cannot be loaded.
fn refused(path: &Path) -> String {
    let tried = Checkpoint::open(path).and_then(|checkpoint| {
        let family = models::family(None, &checkpoint.config)?;
        (family.load)(&checkpoint, &loading()).map(drop)
    });
    let error = tried.unwrap_err();
    assert!(error.kind == FaultKind::Model, "{error:?}");
    error.to_string().replace(path.parent().unwrap().to_str().unwrap(), "DIR")
}

#[test]
fn a_file_that_cannot_be_loaded_gives_a_clear_error() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("a.gguf");
    let check = |copied: Copied| {
        copied.write(&file);
        refused(&file)
    };
    let base = || Copied::of("gguf-bpe");
    insta::assert_snapshot!(check(base().set("general.architecture", word("mamba"))), @"DIR/a.gguf has the architecture `mamba`, which is not supported; supported in GGUF files: llama, qwen2, qwen3, qwen3vl, gemma3");
    insta::assert_snapshot!(check(base().set("general.architecture", None)), @"DIR/a.gguf lacks `general.architecture`");
    insta::assert_snapshot!(check(base().set("llama.attention.head_count", None)), @"DIR/a.gguf lacks `llama.attention.head_count`");
    insta::assert_snapshot!(check(base().set("llama.expert_count", Value::U32(8))), @"DIR/a.gguf is a mixture of experts, which is not supported");
    insta::assert_snapshot!(check(base().set("llama.rope.scaling.type", word("longrope"))), @"DIR/a.gguf states `llama.rope.scaling.type` as `longrope`, which is supported only in folders");
    insta::assert_snapshot!(check(base().set("llama.rope.scaling.type", word("spiral"))), @"DIR/a.gguf: rope_scaling: the rope type `spiral` is not supported; the types are default, linear, dynamic, yarn, llama3 and longrope");
    insta::assert_snapshot!(check(base().set("llama.attention.scale", Value::F32(0.5))), @"DIR/a.gguf states `llama.attention.scale`, which is not supported");
    insta::assert_snapshot!(check(base().set("llama.logit_scale", Value::F32(2.0))), @"DIR/a.gguf states `llama.logit_scale`, which is not supported");
    insta::assert_snapshot!(check(Copied::of("gguf-qwen2").set("qwen2.attention.sliding_window", Value::U32(8))), @"DIR/a.gguf states `qwen2.attention.sliding_window`, which is not supported");
    insta::assert_snapshot!(check(Copied::of("gguf-qwen2").set("qwen2.block_count", Value::U32(0))), @"DIR/a.gguf states `qwen2.block_count` as 0; it must be above 0");
    insta::assert_snapshot!(check(Copied::of("gguf-qwen2").without("blk.1.attn_k.bias")), @"DIR/a.gguf lacks the tensor blk.1.attn_k.bias");
    insta::assert_snapshot!(check(Copied::of("gguf-qwen3").without("blk.1.attn_k_norm.weight")), @"DIR/a.gguf lacks the tensor blk.1.attn_k_norm.weight");
    insta::assert_snapshot!(check(base().set("llama.block_count", Value::U32(3))), @"DIR/a.gguf lacks the tensor blk.2.ffn_norm.weight");
    insta::assert_snapshot!(check(base().set("split.count", Value::U16(2))), @"DIR/a.gguf is one of 2 parts of a model; merge them with `llama-gguf-split --merge`");
    insta::assert_snapshot!(check(base().set("tokenizer.ggml.tokens", None)), @"DIR/a.gguf lacks `tokenizer.ggml.tokens`, so it cannot read text; put the model's tokenizer.json beside it");
    insta::assert_snapshot!(check(base().set("tokenizer.ggml.pre", word("chameleon"))), @"DIR/a.gguf splits text by the pre-tokenizer `chameleon`, which is not supported; put the model's tokenizer.json beside it");
    insta::assert_snapshot!(check(base().set("general.alignment", Value::U32(0))), @"DIR/a.gguf states the `general.alignment` 0; it must be a power of two");

    base().write(&file);
    let whole = fs::read(&file).unwrap();
    let check = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        refused(&file)
    };
    let said = check(&whole[..whole.len() - 64]);
    assert!(said.starts_with("DIR/a.gguf is truncated: it has ") && said.contains(" bytes, and the tensor "), "{said}");
    insta::assert_snapshot!(check(&whole[..2000]), @"DIR/a.gguf is truncated: its header is incomplete");
    insta::assert_snapshot!(check(&whole[..30]), @"DIR/a.gguf is truncated: its header is incomplete");
    insta::assert_snapshot!(check(b"GG"), @"DIR/a.gguf is not a GGUF file");
    insta::assert_snapshot!(check(b"PK\x03\x04 something else"), @"DIR/a.gguf is not a GGUF file");
    // The type of the tensor `output_norm.weight`, after its name, one dimension and its length.
    let at = whole.windows(18).position(|w| w == b"output_norm.weight").unwrap() + 18 + 4 + 8;
    let mut odd = whole.clone();
    odd[at..at + 4].copy_from_slice(&23u32.to_le_bytes());
    insta::assert_snapshot!(check(&odd), @"DIR/a.gguf holds tensors of type IQ4_XS, which is not supported");

    fs::write(temp.path().join("b.gguf"), "").unwrap();
    let said = Checkpoint::open(temp.path()).unwrap_err().to_string().replace(temp.path().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(said, @"DIR contains several GGUF files (a.gguf, b.gguf) (hint: name the file itself)");
}

/// Runs the program with a GGUF file, and with an agent file that names it.
#[test]
fn the_program_takes_gguf_files() {
    let temp = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut program = assert_cmd::Command::cargo_bin("elenchus").unwrap();
        program.current_dir(temp.path()).env("XDG_CACHE_HOME", temp.path()).args(arguments);
        let output = program.output().unwrap();
        (output.status.code(), serde_json::from_slice::<Json>(&output.stdout).unwrap_or_default())
    };
    let (case, file) = (&expected("gguf-spm")["cases"][1], folder("gguf-spm").join("model.gguf"));
    let mut tokens = ids(&case["tokens"]);
    tokens.truncate(16);
    for path in [&file, &folder("gguf-spm")] {
        let path = path.to_str().unwrap();
        let prompt = case["prompt"].as_str().unwrap();
        let (code, said) = run(&[
            "try",
            "--model",
            path,
            "--prompt",
            prompt,
            "--raw",
            "--max-tokens",
            "16",
            "--temperature",
            "0",
            "--json",
        ]);
        assert_eq!((code, ids(&said["tokens"])), (Some(0), tokens.clone()), "{said}");
    }
    fs::create_dir(temp.path().join("agents")).unwrap();
    let agent =
        format!("model: {{ gguf: {:?} }}\ndecode: {{ temperature: 0, max_tokens: 16 }}\n", file.to_str().unwrap());
    fs::write(temp.path().join("agents/mind.yaml"), agent).unwrap();
    let dialogue = "version: 1\ndialogue: one\ninputs: { question: text }\ncast: { mind: mind }\nsteps:\n  said:\n    \
                    say: { agent: mind, text: \"{{ question }}\", raw: true }\nanswer: \"{{ said }}\"\n";
    fs::write(temp.path().join("one.yaml"), dialogue).unwrap();
    let (code, answer) = run(&["run", "one.yaml", "-i", "question=Hello", "--json", "--trust"]);
    let words = TextTokenizer::open(&Checkpoint::open(&file).unwrap(), VocabStyle::Bytes).unwrap();
    assert_eq!((code, answer["answer"].as_str()), (Some(0), Some(words.decode(&tokens).unwrap().as_str())), "{answer}");
    fs::write(temp.path().join("no.gguf"), "no").unwrap();
    let (code, error) = run(&["try", "--model", "no.gguf", "--prompt", "x", "--json"]);
    assert_eq!((code, error["error"]["message"].as_str()), (Some(4), Some("no.gguf is not a GGUF file")), "{error}");
}
