//! Checkpoints that a stranger may have damaged: every file, every number, every value. The tests copy the fixtures of
//! the parity tests and change them. The error of the program's own loading must be one line that names the place.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use assert_cmd::Command;
use candle_core::{
    DType, Device,
    quantized::gguf_file::{self, Content, Value},
};
use elenchus::{
    hub::digest::Digests,
    infer::{
        checkpoint::Checkpoint,
        gguf::{Gguf, Lists},
        weights::header,
    },
    models::{self, ModelOptions},
};
use serde_json::{Value as Json, json};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
};

/// A copy of a fixture, for damaging.
struct Copied {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Copied {
    fn of(fixture: &str) -> Copied {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures").join(fixture);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        copy(&from, &path);
        fs::remove_file(path.join("expected.json")).unwrap();
        Copied { _folder: folder, path }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn json(&self, name: &str) -> Json {
        match fs::read_to_string(self.file(name)) {
            Ok(text) => serde_json::from_str(&text).unwrap(),
            Err(_) => json!({}),
        }
    }

    /// Puts a value at a place (`text_config/hidden_size`) of a JSON file. Creates a missing file.
    fn put(&self, name: &str, at: &str, value: &Json) {
        let mut json = self.json(name);
        let mut place = &mut json;
        for key in at.split('/') {
            place = &mut place[key];
        }
        *place = value.clone();
        if let Some(folder) = self.file(name).parent() {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(self.file(name), json.to_string()).unwrap();
    }

    /// Loads the copy like the program. Returns the error's text without the folder's name.
    fn load(&self) -> Result<(), String> {
        load(&self.path).map_err(|error| error.replace(&self.path.display().to_string(), "DIR"))
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn load(path: &Path) -> Result<(), String> {
    let checkpoint = Checkpoint::open(path).map_err(|e| e.to_string())?;
    let family = models::family(None, &checkpoint.config).map_err(|e| e.to_string())?;
    checkpoint.stored_dtype().map_err(|e| e.to_string())?;
    checkpoint.digest(&Digests::default()).map_err(|e| e.to_string())?;
    let loading = ModelOptions::new(Device::Cpu, DType::F32);
    (family.load)(&checkpoint, &loading).map(drop).map_err(|e| e.to_string())
}

const CONFIG: &str = "config.json";
const GENERATION: &str = "generation_config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
const TOKENIZER: &str = "tokenizer_config.json";

/// Every number that a family reads: the fixture, the file, and the keys.
const NUMBERS: &[(&str, &str, &str)] = &[
    ("clip-legacy", CONFIG, "projection_dim"),
    ("clip-legacy", CONFIG, "text_config/hidden_size text_config/intermediate_size text_config/num_hidden_layers"),
    ("clip-legacy", CONFIG, "text_config/num_attention_heads text_config/layer_norm_eps text_config/vocab_size"),
    ("clip-legacy", CONFIG, "text_config/max_position_embeddings text_config/eos_token_id"),
    (
        "clip-legacy",
        CONFIG,
        "vision_config/hidden_size vision_config/intermediate_size vision_config/num_hidden_layers",
    ),
    ("clip-legacy", CONFIG, "vision_config/num_attention_heads vision_config/layer_norm_eps vision_config/patch_size"),
    ("clip-legacy", CONFIG, "vision_config/image_size"),
    ("clip-legacy", PREPROCESSOR, "resample rescale_factor image_mean image_std size crop_size"),
    ("bert-mean", CONFIG, "hidden_size num_attention_heads intermediate_size layer_norm_eps max_position_embeddings"),
    ("bert-mean", CONFIG, "vocab_size type_vocab_size num_hidden_layers"),
    ("bert-mean", "sentence_bert_config.json", "max_seq_length"),
    ("embed-bert-dense", "2_Dense/config.json", "in_features out_features"),
    ("head-roberta-labels", CONFIG, "pad_token_id hidden_size max_position_embeddings type_vocab_size"),
    ("siglip-spiece", CONFIG, "text_config/hidden_size text_config/vocab_size text_config/max_position_embeddings"),
    ("siglip-spiece", CONFIG, "text_config/projection_size vision_config/hidden_size vision_config/image_size"),
    ("siglip-spiece", CONFIG, "vision_config/patch_size vision_config/layer_norm_eps vision_config/num_hidden_layers"),
    ("siglip-spiece", PREPROCESSOR, "resample image_mean image_std size"),
    ("lm-tied", CONFIG, "hidden_size num_attention_heads head_dim num_key_value_heads vocab_size intermediate_size"),
    ("lm-tied", CONFIG, "num_hidden_layers rms_norm_eps max_position_embeddings sliding_window rope_theta"),
    (
        "lm-tied",
        CONFIG,
        "rope_parameters/rope_theta rope_parameters/factor rope_parameters/original_max_position_embeddings",
    ),
    (
        "lm-tied",
        GENERATION,
        "eos_token_id temperature top_p top_k max_new_tokens repetition_penalty no_repeat_ngram_size",
    ),
    ("lm-tied", GENERATION, "min_length min_new_tokens suppress_tokens begin_suppress_tokens forced_bos_token_id"),
    ("lm-tied", GENERATION, "forced_eos_token_id bad_words_ids sequence_bias exponential_decay_length_penalty"),
    ("whisper-multi", CONFIG, "d_model encoder_layers encoder_ffn_dim encoder_attention_heads decoder_layers"),
    ("whisper-multi", CONFIG, "decoder_ffn_dim decoder_attention_heads num_mel_bins vocab_size max_source_positions"),
    ("whisper-multi", CONFIG, "max_target_positions"),
    ("whisper-multi", GENERATION, "eos_token_id decoder_start_token_id no_timestamps_token_id lang_to_id task_to_id"),
    (
        "whisper-multi",
        GENERATION,
        "forced_decoder_ids suppress_tokens begin_suppress_tokens max_initial_timestamp_index",
    ),
    ("whisper-multi", GENERATION, "max_length no_speech_threshold logprob_threshold"),
    ("whisper-multi", PREPROCESSOR, "feature_size sampling_rate n_fft hop_length"),
];

#[test]
fn every_number_of_a_configuration_is_checked_and_named() {
    let mut tried = 0;
    for (fixture, file, keys) in NUMBERS {
        for at in keys.split(' ') {
            let copied = Copied::of(fixture);
            let before = copied.json(file);
            let key = at.rsplit('/').next().unwrap();
            for value in [
                json!("x"),
                json!(-7_000_000_000_000i64),
                json!(1e300),
                json!(1u64 << 63),
                json!(true),
                json!([["x"]]),
                json!({"a": "x"}),
            ] {
                copied.put(file, at, &value);
                let error = copied.load().expect_err(&format!("{fixture} {file} {at} = {value}"));
                assert!(error.contains(&format!("`{key}`")), "{fixture} {file} {at} = {value}: {error}");
                assert!(error.len() < 300 && !error.contains("panic") && !error.contains('\n'), "{error}");
                tried += 1;
            }
            fs::write(copied.file(file), before.to_string()).unwrap();
            copied.load().unwrap();
        }
    }
    assert!(tried > 500, "{tried}");
}

/// The error of loading a fixture with one changed value.
fn changed(fixture: &str, file: &str, at: &str, value: Json) -> String {
    let copied = Copied::of(fixture);
    copied.put(file, at, &value);
    copied.load().expect_err("refused")
}

#[test]
fn numbers_must_fit_each_other() {
    let lm = |at, value| changed("lm-tied", CONFIG, at, value);
    insta::assert_snapshot!(lm("head_dim", json!(1u64 << 32)), @"config.json: `head_dim` must be a whole number from 1 to 65536, found 4294967296");
    insta::assert_snapshot!(lm("head_dim", json!(6)), @"DIR/model.safetensors: the tensor `model.layers.0.self_attn.q_proj.weight` has the shape [48, 48], but the configuration requires [24, 48]");
    insta::assert_snapshot!(lm("head_dim", json!(7)), @"config.json: head_dim is 7; it must be even and above 0, because the rotary embedding rotates pairs");
    insta::assert_snapshot!(lm("num_key_value_heads", json!(3)), @"config.json: num_attention_heads 4 is not divisible by num_key_value_heads 3");
    insta::assert_snapshot!(lm("hidden_size", json!(1 << 20)), @"DIR/model.safetensors: the tensor `model.embed_tokens.weight` has the shape [303, 48], but the configuration requires [303, 1048576]");
    insta::assert_snapshot!(lm("num_hidden_layers", json!(4096)), @"the weights lack the tensor `model.layers.3.post_attention_layernorm.weight`");
    insta::assert_snapshot!(changed("lm-tied", GENERATION, "eos_token_id", json!(1_000_000_000)), @"generation_config.json: `eos_token_id` must be a token id below 303, found 1000000000");
    let whisper = |file, at, value| changed("whisper-multi", file, at, value);
    insta::assert_snapshot!(whisper(PREPROCESSOR, "hop_length", json!(0)), @"preprocessor_config.json: `hop_length` must be a whole number from 1 to 400, found 0");
    insta::assert_snapshot!(whisper(PREPROCESSOR, "hop_length", json!(1_000_000_000)), @"preprocessor_config.json: `hop_length` must be a whole number from 1 to 400, found 1000000000");
    insta::assert_snapshot!(whisper(PREPROCESSOR, "feature_size", json!(128)), @"preprocessor_config.json: `feature_size` must be 80, the model's `num_mel_bins`, found 128");
    insta::assert_snapshot!(whisper(GENERATION, "no_timestamps_token_id", json!(1_000_000_000)), @"generation_config.json: `no_timestamps_token_id` must be a token id below 692, found 1000000000");
    insta::assert_snapshot!(whisper(GENERATION, "lang_to_id", json!({"x": 1})), @r#"generation_config.json: `lang_to_id` must be an object of tokens such as <|en|>, found {"x":1}"#);
    insta::assert_snapshot!(whisper(CONFIG, "max_source_positions", json!(1 << 24)), @"DIR/model.safetensors: the tensor `model.encoder.embed_positions.weight` has the shape [400, 32], but the configuration requires [16777216, 32]");
    insta::assert_snapshot!(changed("clip-legacy", CONFIG, "vision_config/patch_size", json!(4096)), @"config.json: vision_config: `patch_size` must be a whole number from 1 to 32, found 4096");
    insta::assert_snapshot!(changed("clip-legacy", TOKENIZER, "model_max_length", json!("x")), @r#"tokenizer_config.json: `model_max_length` must be a number from 1 to 1e300, found "x""#);
    // transformers writes this number for a missing limit
    let copied = Copied::of("clip-legacy");
    copied.put(TOKENIZER, "model_max_length", &json!(1e30));
    assert_eq!(copied.load(), Ok(()));
}

#[test]
fn the_growth_of_a_tokenizer_is_limited() {
    let copied = Copied::of("lm-tied");
    let step = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "a".repeat(100)});
    copied.put("tokenizer.json", "normalizer", &json!({"type": "Sequence", "normalizers": vec![step; 8]}));
    let error = answer(&copied.path, &["--prompt", "a", "--raw"]);
    assert!(error.contains("the tokenizer can turn a text of 1 bytes into 100000000 bytes"), "{error}");
    let decoders = vec![json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaa"}); 9];
    copied.put("tokenizer.json", "normalizer", &Json::Null);
    copied.put("tokenizer.json", "decoder", &json!({"type": "Sequence", "decoders": decoders}));
    assert!(copied.load().unwrap_err().contains("its decoder can make a text 262144 times longer"));
}

/// The files of each fixture that a hostile checkpoint could replace by something else.
const FILES: &[(&str, &str)] = &[
    (
        "lm-tied",
        "config.json generation_config.json tokenizer.json tokenizer_config.json chat_template.jinja model.safetensors",
    ),
    ("lm-untied", "model.safetensors.index.json model-00002-of-00003.safetensors"),
    ("clip-legacy", "preprocessor_config.json processor_config.json special_tokens_map.json"),
    ("bert-mean", "1_Pooling/config.json modules.json sentence_bert_config.json notes.txt"),
    ("embed-bert-dense", "1_Pooling/config.json 2_Dense/config.json 2_Dense/model.safetensors"),
    ("siglip-spiece", "spiece.model"),
    ("gguf-bpe", "model.gguf tokenizer.json"),
];

#[cfg(target_os = "linux")]
#[test]
fn every_file_of_a_checkpoint_has_a_size_limit() {
    for (fixture, names) in FILES {
        for name in names.split(' ') {
            let copied = Copied::of(fixture);
            let file = copied.file(name);
            let put: [(&str, &dyn Fn()); 5] = [
                // a regular file that reports a size of 0 and never ends
                ("endless", &|| std::os::unix::fs::symlink("/proc/self/pagemap", &file).unwrap()),
                ("device", &|| std::os::unix::fs::symlink("/dev/zero", &file).unwrap()),
                ("fifo", &|| assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success())),
                ("folder", &|| fs::create_dir(&file).unwrap()),
                ("sparse", &|| File::create(&file).unwrap().set_len(1 << 40).unwrap()),
            ];
            for (kind, put) in put {
                let _ = fs::remove_file(&file).or_else(|_| fs::remove_dir(&file));
                put();
                let path = if name.ends_with("gguf") { &file } else { &copied.path };
                let error = load(path).expect_err(&format!("{fixture}/{name} is a {kind}"));
                let short = name.rsplit('/').next().unwrap();
                // a folder without usable weights has a message of its own
                let named = error.contains(short) || error.contains("does not exist");
                assert!(named && error.len() < 400 && !error.contains('\n'), "{fixture}/{name} is a {kind}: {error}");
            }
        }
    }
}

/// Asks the program. It must fail with exit code 4 and one line, without an answer. Returns the line.
fn answer(model: &Path, more: &[&str]) -> String {
    let mut command = Command::cargo_bin("elenchus").unwrap();
    command
        .env("ELENCHUS_CACHE", model.join("../cache"))
        .env("ELENCHUS_DATA", model.join("../cache"))
        .env("NO_COLOR", "1")
        .arg("try")
        .arg("--model")
        .arg(model);
    let output = command.args(more).timeout(std::time::Duration::from_secs(60)).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), said.as_str(), error.lines().count()), (Some(4), "", 1), "{error}");
    assert!(!error.contains("panicked"), "{error}");
    error.replace(&model.display().to_string(), "DIR")
}

/// Overwrites the first value of a tensor in `model.safetensors`.
fn overwrite(model: &Path, tensor: &str, value: &[u8]) {
    let path = model.join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let json: Json = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let at = 8 + header + json[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
    bytes[at..at + value.len()].copy_from_slice(value);
    fs::write(path, bytes).unwrap();
}

#[test]
fn weights_that_are_not_finite_are_refused_and_named() {
    let speak = |copied: &Copied| answer(&copied.path, &["--prompt", "a", "--raw"]);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let copied = Copied::of("lm-tied");
        overwrite(&copied.path, "model.norm.weight", &value.to_le_bytes());
        let shown = format!("the tensor `model.norm.weight` holds {value} at index 0, which f32 cannot represent");
        let error = speak(&copied);
        assert!(error.contains(&shown), "{error}");
    }
    let copied = Copied::of("bert-mean");
    overwrite(&copied.path, "embeddings.LayerNorm.weight", &f32::NAN.to_le_bytes());
    let error = answer(&copied.path, &["--text", "a", "--embed"]);
    assert!(error.contains("`embeddings.LayerNorm.weight` holds NaN"), "{error}");
}

#[test]
fn a_tower_that_is_damaged_is_named_when_it_is_loaded() {
    let copied = Copied::of("siglip-spiece");
    overwrite(&copied.path, "text_model.head.weight", &f32::NAN.to_le_bytes());
    let error = answer(&copied.path, &["--text", "a", "--embed"]);
    assert!(error.contains("`text_model.head.weight` holds NaN"), "{error}");
    assert_eq!(copied.load(), Ok(()), "the values are not read before");
    let spiece = fs::read(copied.file("spiece.model")).unwrap();
    fs::write(copied.file("spiece.model"), &spiece[..99]).unwrap();
    let error = answer(&copied.path, &["--text", "a", "--embed"]);
    assert!(error.contains("spiece.model is not a SentencePiece model, or is truncated"), "{error}");
}

#[test]
fn a_module_that_cannot_be_computed_is_refused() {
    let with = |path: &str, kind: &str| {
        let copied = Copied::of("embed-bert-dense");
        let modules = json!([{"type": "sentence_transformers.models.Transformer", "path": ""},
            {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
            {"type": format!("sentence_transformers.models.{kind}"), "path": path}]);
        fs::write(copied.file("modules.json"), modules.to_string()).unwrap();
        copied.load().expect_err("refused")
    };
    insta::assert_snapshot!(with("../elsewhere", "Dense"), @"modules.json: the path `../elsewhere` leaves the checkpoint");
    insta::assert_snapshot!(with("/etc", "Dense"), @"modules.json: the path `/etc` leaves the checkpoint");
    insta::assert_snapshot!(with("2_LSTM", "LSTM"), @"modules.json: the module `LSTM` is not supported here");
    insta::assert_snapshot!(changed("embed-bert-dense", "2_Dense/config.json", "in_features", json!(33)), @"2_Dense/config.json: `in_features` must be 32, the length of the vector before it, found 33");
    let activation = json!("os.system");
    insta::assert_snapshot!(changed("embed-bert-dense", "2_Dense/config.json", "activation_function", activation), @"2_Dense/config.json: the activation `os.system` is not supported");
    // each dense layer reads its weights again
    let copied = Copied::of("embed-bert-dense");
    let dense = json!({"type": "sentence_transformers.models.Dense", "path": "2_Dense"});
    fs::write(copied.file("modules.json"), Json::from(vec![dense; 1000]).to_string()).unwrap();
    insta::assert_snapshot!(copied.load().unwrap_err(), @"modules.json: found 1000 modules, expected at most 32");
}

#[test]
fn work_that_grows_with_the_square_of_a_number_is_limited() {
    let siglip = |at: &str, value: usize| changed("siglip-spiece", CONFIG, at, json!(value));
    // texts are padded to all positions
    insta::assert_snapshot!(siglip("text_config/max_position_embeddings", 1 << 17), @"config.json: text_config: 131072 positions with 4 heads need more than 536870912 attention scores");
    insta::assert_snapshot!(siglip("vision_config/image_size", 16_000), @"config.json: vision_config: 4000001 patches with 2 heads need more than 536870912 attention scores");
    // each is looked for in each text
    let copied = Copied::of("siglip-spiece");
    let added =
        (0..2000).map(|n| (n.to_string(), json!({"content": format!("<{n}>")}))).collect::<serde_json::Map<_, _>>();
    copied.put(TOKENIZER, "added_tokens_decoder", &added.into());
    let error = answer(&copied.path, &["--text", "a", "--embed"]);
    assert!(error.contains("`added_tokens_decoder` names 2003 tokens, expected at most 1024"), "{error}");
}

#[test]
fn the_weights_of_a_module_are_part_of_the_identity() {
    let copied = Copied::of("embed-bert-dense");
    let digest = || Checkpoint::open(&copied.path).unwrap().digest(&Digests::default()).unwrap();
    let before = digest();
    let file = copied.file("2_Dense/model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_ne!(digest(), before);
}

/// A chat template that uses its whole work limit and then fails.
const SLOW: &str =
    "{% for i in range(99999) %}{% for j in range(99999) %}{{ [i, j] | sort | join }}{% endfor %}{% endfor %}";

#[cfg(unix)]
#[test]
fn a_slow_chat_template_delays_neither_a_deadline_nor_a_signal() {
    let copied = Copied::of("lm-tied");
    fs::write(copied.file("chat_template.jinja"), SLOW).unwrap();
    assert!(answer(&copied.path, &["--prompt", "a"]).contains("template"));
    let start = |more: &[&str]| {
        let mut process = Process::new(env!("CARGO_BIN_EXE_elenchus"));
        process
            .env("ELENCHUS_CACHE", copied.path.join("../cache"))
            .env("ELENCHUS_DATA", copied.path.join("../cache"))
            .env("NO_COLOR", "1")
            .arg("try")
            .args(more);
        process.arg("--model").arg(&copied.path).args(["--prompt", "a"]).stderr(Stdio::piped()).spawn().unwrap()
    };
    let late = start(&["--deadline", "300ms"]).wait_with_output().unwrap();
    let error = String::from_utf8(late.stderr).unwrap();
    assert_eq!(late.status.code(), Some(5), "{error}");
    assert!(error.contains("no answer within 300ms"), "{error}");

    let mut stopped = start(&["-vv"]);
    let mut lines = BufReader::new(stopped.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("one call")), "the model is asked");
    assert!(Process::new("kill").args(["-INT", &stopped.id().to_string()]).status().unwrap().success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(stopped.wait().unwrap().code(), Some(130), "{rest:?}");
}

#[test]
fn a_model_that_computes_nan_gives_no_answer() {
    // finite weights whose products are not finite
    let copied = Copied::of("lm-tied");
    overwrite(&copied.path, "model.norm.weight", &f32::MAX.to_le_bytes());
    overwrite(&copied.path, "model.embed_tokens.weight", &f32::MAX.to_le_bytes());
    let error = answer(&copied.path, &["--prompt", "a", "--raw"]);
    assert!(error.contains("the logits that the model computed hold"), "{error}");
    let copied = Copied::of("bert-mean");
    for tensor in [
        "embeddings.LayerNorm.weight",
        "encoder.layer.0.attention.output.LayerNorm.weight",
        "encoder.layer.0.output.LayerNorm.weight",
    ] {
        overwrite(&copied.path, tensor, &f32::MAX.to_le_bytes());
    }
    let error = answer(&copied.path, &["--text", "a", "--among", "b,c"]);
    assert!(error.contains("that the model computed hold"), "{error}");
}

#[test]
fn integer_weights_are_refused() {
    for dtype in ["I64", "U8", "I16"] {
        let copied = Copied::of("bert-mean");
        let path = copied.file("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut json: Json = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
        // the same bytes under another type, with a shape that fits
        let tensor = &mut json["embeddings.LayerNorm.bias"];
        let length = tensor["data_offsets"][1].as_u64().unwrap() - tensor["data_offsets"][0].as_u64().unwrap();
        let size = if dtype == "I64" {
            8
        } else if dtype == "I16" {
            2
        } else {
            1
        };
        (tensor["dtype"], tensor["shape"]) = (json!(dtype), json!([length / size]));
        let json = json.to_string();
        let all = [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &bytes[8 + header..]].concat();
        fs::write(&path, all).unwrap();
        let error = copied.load().unwrap_err();
        let shown = format!(
            "the tensor `embeddings.LayerNorm.bias` has the type {dtype}; weights must be F16, BF16, F32 or F64"
        );
        assert!(error.contains(&shown), "{error}");
    }
}

/// Writes `model.gguf` again with changed metadata (`None` removes a key).
fn rewrite(path: &Path, changes: &[(&str, Option<Value>)]) {
    let mut file = File::open(path).unwrap();
    let content = Content::read(&mut file).unwrap();
    let names: Vec<String> = content.tensor_infos.keys().cloned().collect();
    let tensors: Vec<_> = names.iter().map(|name| content.tensor(&mut file, name, &Device::Cpu).unwrap()).collect();
    let mut metadata = content.metadata.clone();
    for (key, value) in changes {
        match value {
            Some(value) => drop(metadata.insert((*key).to_owned(), value.clone())),
            None => drop(metadata.remove(*key)),
        }
    }
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let tensors: Vec<_> = names.iter().map(String::as_str).zip(&tensors).collect();
    gguf_file::write(&mut File::create(path).unwrap(), &metadata, &tensors).unwrap();
}

/// The error of a GGUF file with one changed metadata value.
fn stated(key: &str, value: Value) -> String {
    let copied = Copied::of("gguf-bpe");
    let path = copied.file("model.gguf");
    rewrite(&path, &[(key, Some(value))]);
    load(&path).expect_err("refused").replace(&copied.path.display().to_string(), "DIR")
}

#[test]
fn every_number_of_a_gguf_file_is_checked_and_named() {
    let keys = "llama.embedding_length llama.attention.head_count llama.feed_forward_length llama.block_count \
        llama.attention.head_count_kv llama.attention.layer_norm_rms_epsilon llama.context_length llama.rope.freq_base \
        llama.rope.dimension_count llama.expert_count tokenizer.ggml.eos_token_id tokenizer.ggml.bos_token_id \
        tokenizer.ggml.tokens tokenizer.ggml.merges tokenizer.ggml.token_type tokenizer.ggml.model general.architecture \
        tokenizer.ggml.add_bos_token split.count general.alignment";
    let empty = || Value::Array(vec![Value::Bool(true)]);
    for key in keys.split_whitespace() {
        for value in [Value::F64(f64::NAN), Value::I64(-7), empty()] {
            let shown = format!("{value:?}");
            let error = stated(key, value);
            assert!(error.contains(&format!("`{key}`")), "{key} = {shown}: {error}");
        }
    }
    insta::assert_snapshot!(stated("general.alignment", Value::U32(0)), @"DIR/model.gguf states the `general.alignment` 0; it must be a power of two");
    insta::assert_snapshot!(stated("llama.context_length", Value::U64(1 << 63)), @"DIR/model.gguf: `max_position_embeddings` (`llama.context_length`) must be a whole number from 1 to 16777216, found 9223372036854775808");
    insta::assert_snapshot!(stated("llama.attention.head_count", Value::String("x".into())), @r#"DIR/model.gguf states `llama.attention.head_count` as "x"; it must be a whole number"#);
    insta::assert_snapshot!(stated("llama.attention.layer_norm_rms_epsilon", Value::F32(1e30)), @"DIR/model.gguf: `rms_norm_eps` (`llama.attention.layer_norm_rms_epsilon`) must be a number from 0 to 1, found 1.0000000150474662e+30");
    insta::assert_snapshot!(stated("llama.rope.freq_base", Value::F32(0.0)), @"DIR/model.gguf: `rope_theta` (`llama.rope.freq_base`) must be a number from 2 to 1000000000000000, found 0.0");
    insta::assert_snapshot!(stated("tokenizer.ggml.eos_token_id", Value::U32(1 << 30)), @"DIR/model.gguf: `eos_token_id` (`tokenizer.ggml.eos_token_id`) must be a list of token ids below 304, found 1073741824");
    insta::assert_snapshot!(stated("llama.feed_forward_length", Value::U32(1 << 20)), @"DIR/model.gguf does not match its own metadata: the tensor `blk.0.ffn_gate.weight` has the shape [48, 32], but its metadata requires [1048576, 32]");
}

#[test]
fn a_gguf_file_with_alignment_0_gives_one_error() {
    let copied = Copied::of("gguf-bpe");
    rewrite(&copied.file("model.gguf"), &[("general.alignment", Some(Value::U32(0)))]);
    let error = answer(&copied.file("model.gguf"), &["--prompt", "a", "--raw"]);
    assert!(error.contains("states the `general.alignment` 0; it must be a power of two"), "{error}");
}

#[test]
fn a_quantised_scale_that_is_not_finite_is_refused() {
    let copied = Copied::of("gguf-q8");
    let path = copied.file("model.gguf");
    let content = Content::read(&mut File::open(&path).unwrap()).unwrap();
    let at = (content.tensor_data_offset + content.tensor_infos["blk.0.ffn_up.weight"].offset) as usize;
    let mut bytes = fs::read(&path).unwrap();
    bytes[at + 34..at + 36].copy_from_slice(&[0, 0x7e]);
    fs::write(&path, bytes).unwrap();
    let error = load(&path).unwrap_err();
    assert!(error.contains("the tensor `blk.0.ffn_up.weight` holds a value that is not finite, in block 1"), "{error}");
}

#[test]
fn rows_that_no_whole_number_of_blocks_fills_are_refused() {
    let copied = Copied::of("gguf-bpe");
    let path = copied.file("model.gguf");
    let (mut bytes, name) = (fs::read(&path).unwrap(), b"blk.0.ffn_down.weight");
    // the type follows the name, the number of dimensions, and the two dimensions
    let at = bytes.windows(name.len()).position(|found| found == name).unwrap() + name.len() + 4 + 16;
    bytes[at..at + 4].copy_from_slice(&14u32.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let error = load(&path).unwrap_err();
    let expected = "the tensor `blk.0.ffn_down.weight` has rows of 48 numbers, which blocks of 256 (Q6K) do not divide";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_shard_must_lie_beside_its_index() {
    let copied = Copied::of("lm-untied");
    copied.put("model.safetensors.index.json", "weight_map", &json!({"lm_head.weight": "../../secret.safetensors"}));
    insta::assert_snapshot!(copied.load().unwrap_err(), @r#"model.safetensors.index.json names the file "../../secret.safetensors"; a shard must lie beside its index"#);
}

/// A generator with the same numbers everywhere (the linear congruence of Numerical Recipes).
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

/// Does for one second what the fuzz targets do for ten minutes: no damaged header may panic.
#[test]
fn damaged_headers_are_refused_or_read() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures");
    let gguf = fs::read(fixtures.join("gguf-bpe/model.gguf")).unwrap();
    let tensors = fs::read(fixtures.join("bert-plain/model.safetensors")).unwrap();
    let (mut state, mut refused) = (1, 0);
    for _ in 0..300 {
        let (mut one, mut other) = (gguf.clone(), tensors.clone());
        for _ in 0..1 + random(&mut state) % 4 {
            let values = [0, 1, 0x7f, 0x80, 0xff, random(&mut state) as u8];
            let value = values[random(&mut state) % values.len()];
            one[random(&mut state) % 20_000] = value;
            other[random(&mut state) % 3_000] = value;
        }
        match Gguf::read(Path::new("m.gguf"), one.as_slice(), one.len() as u64, Lists::Kept) {
            Ok(gguf) => drop((
                gguf.config(),
                gguf.text("tokenizer.json"),
                gguf.text("tokenizer_config.json"),
                gguf.bytes(None, true),
            )),
            Err(_) => refused += 1,
        }
        match header(other.as_slice(), other.len() as u64) {
            Ok((found, begin)) => assert!(begin + found.data_len() as u64 == other.len() as u64),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 100, "{refused}");
}
