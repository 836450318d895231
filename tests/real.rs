//! Tests with real models, which `make real` fetches (tests/real/README.md) and names in `ELENCHUS_REAL`. Tests on real
//! clips read `../shared/media`.

use assert_cmd::Command;
use candle_core::{DType, Device};
use elenchus::{
    infer::{
        chat::Chat,
        checkpoint::Checkpoint,
        text::{TextTokenizer, VocabStyle},
    },
    models::{ModelOptions, llama},
};
use serde_json::{Value as Json, json};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// The checkpoint folder or GGUF file of a real model.
fn real(name: &str) -> PathBuf {
    let folder =
        std::env::var_os("ELENCHUS_REAL").expect("ELENCHUS_REAL names the folder of real models: `make real` sets it");
    let path = PathBuf::from(folder).join(name);
    assert!(path.exists(), "{} is missing: run `make real`", path.display());
    path
}

/// A clip beside the repository. Without it, stderr says that the test is skipped: the harness hides what it prints.
fn media(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared/media", "../../shared/media"].map(|folder| root.join(folder).join(name));
    let found = found.into_iter().find(|file| file.exists());
    if found.is_none() {
        writeln!(std::io::stderr(), "notice: ../shared/media/{name} is not here; its test is skipped").expect("stderr");
    }
    found
}

/// What the program writes as JSON.
fn elenchus(args: &[&Path]) -> Json {
    let cache = tempfile::tempdir().expect("a folder");
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("ELENCHUS_CACHE", cache.path())
        .env("ELENCHUS_DATA", cache.path());
    let output = command.timeout(Duration::from_secs(600)).args(args).arg("--json").output().expect("it ends");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The words and times that `generate` of transformers 5.23 gives for this file (greedy, `return_timestamps=True`).
#[test]
#[ignore = "needs real weights: make real"]
fn whisper_hears_as_transformers() {
    let Some(speech) = media("jfk.flac") else { return };
    let [word, model, audio] = ["try", "--model", "--audio"].map(Path::new);
    let heard = elenchus(&[word, model, &real("whisper-tiny.en"), audio, &speech]);
    let segment = |start: f64, end: f64, text: &str| json!({ "start": start, "end": end, "text": text });
    let segments = [
        segment(0.0, 8.0, "And so my fellow Americans ask not what your country can do for you"),
        segment(8.0, 11.0, "ask what you can do for your country."),
    ];
    assert_eq!(heard["segments"], json!(segments));
    let words =
        "And so my fellow Americans ask not what your country can do for you ask what you can do for your country.";
    assert_eq!(heard["text"], words);
}

/// The same with the times of the words (`return_token_timestamps=True`; `make_speech_fixtures.py OUT real CHECKPOINT AUDIO`).
#[test]
#[ignore = "needs real weights: make real"]
fn whisper_times_words_as_transformers() {
    let Some(speech) = media("jfk.flac") else { return };
    let [word, model, audio, words] = ["try", "--model", "--audio", "--words"].map(Path::new);
    let heard = elenchus(&[word, model, &real("whisper-tiny.en"), audio, &speech, words]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/whisper_words_expected.json");
    let expected: Json = serde_json::from_str(&std::fs::read_to_string(file).expect("a file")).expect("JSON");
    assert_eq!((&heard["words"], &heard["segments"]), (&expected["words"], &expected["segments"]));
    assert_eq!(heard["language"], "en");
}

/// tests/real/README.md explains the fields of tests/real/gold.json.
#[test]
fn the_gold_words_are_labels_of_the_world() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).expect(file);
    let gold: Json = serde_json::from_str(&read("tests/real/gold.json")).expect("JSON");
    let list = |field: &str| gold[field].as_array().expect(field).clone();
    let clips: Vec<Json> = list("clips").iter().map(|clip| clip["name"].clone()).collect();
    for sight in list("sights") {
        let labels = match sight["kind"].as_str() {
            Some("place") => read("vocab/world/places.txt"),
            Some("thing") => read("vocab/world/things.txt"),
            _ => read("vocab/world/activities.txt"),
        };
        assert!(clips.contains(&sight["clip"]), "{sight}");
        let words = sight["words"].as_array().expect("words");
        assert!(!words.is_empty() && words.iter().all(|word| labels.lines().any(|label| word == label)), "{sight}");
    }
    let questions = list("questions");
    let unanswerable = questions.iter().filter(|question| question["unanswerable"] == true).count();
    assert!(clips.len() >= 6 && questions.len() >= 40 && unanswerable >= 12);
    for question in questions {
        let judged = ["answer", "time", "unanswerable"].iter().filter(|key| !question[**key].is_null()).count();
        assert!(judged == 1 && clips.contains(&question["clip"]), "{question}");
    }
}
const QWEN: &str = "qwen2.5-coder-0.5b";
const QWEN_GGUF: &str = "qwen2.5-coder-0.5b-q4_k_m.gguf";

/// Real text: the prose of this repository.
fn prose() -> String {
    ["README.md", "ARCHITECTURE.md"]
        .map(|file| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("prose"))
        .concat()
}

#[test]
#[ignore = "needs real weights: make real"]
fn qwen_answers_from_gguf_and_from_safetensors() {
    for model in [QWEN, QWEN_GGUF] {
        let [word, model_word, prompt_word, temperature] =
            ["try", "--model", "--prompt", "--temperature"].map(Path::new);
        let [prompt, zero] = ["What is the capital of Japan? One word.", "0"].map(Path::new);
        let said = elenchus(&[word, model_word, &real(model), prompt_word, prompt, temperature, zero]);
        assert_eq!(said["text"], "Tokyo", "{model}");
    }
}

/// The file's own tokenizer and chat template equal those of the folder, which Python made from it.
#[test]
#[ignore = "needs real weights: make real"]
fn the_words_of_a_gguf_file_are_those_of_the_folder() {
    let [folder, file] = [QWEN, QWEN_GGUF].map(|name| Checkpoint::open(&real(name)).expect("a checkpoint"));
    let [ours, theirs] = [&file, &folder].map(|it| TextTokenizer::open(it, VocabStyle::Bytes).expect("a tokenizer"));
    let odd = "naïve café 12345\n\n  \t日本語 🗝️ <|im_start|>user\nI've_x<|im_end|>";
    for text in [prose().as_str(), odd] {
        let ids = ours.encode(text, false).expect("ids");
        assert!(ids == theirs.encode(text, false).expect("ids"), "{}", &text[..20]);
        assert_eq!(ours.decode(&ids).expect("text"), theirs.decode(&ids).expect("text"));
    }
    let [ours, theirs] = [&file, &folder].map(|it| Chat::open(it).expect("a template"));
    let messages = [("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi."), ("user", "Where?")]
        .map(|(role, text)| elenchus::exchange::Message::new(role, text));
    for messages in [&messages[..], &messages[1..2]] {
        assert_eq!(ours.prompt(messages, false).expect("a prompt"), theirs.prompt(messages, false).expect("a prompt"));
    }
}

/// The share of positions of real text at which the GGUF file and its dequantised weights predict the same next token.
#[test]
#[ignore = "needs real weights: make real"]
fn a_gguf_file_predicts_as_its_dequantised_weights() {
    const PIECE: usize = 125;
    const PIECES: usize = 8;
    let best = |name: &str| -> Vec<usize> {
        let checkpoint = Checkpoint::open(&real(name)).expect("a checkpoint");
        let words = TextTokenizer::open(&checkpoint, VocabStyle::Bytes).expect("a tokenizer");
        let ids = words.encode(&prose(), false).expect("ids");
        let model = llama::generator(&checkpoint, &ModelOptions::new(Device::Cpu, DType::F32)).expect("a model");
        let most = |row: &Vec<f32>| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).expect("a vocabulary");
        let pieces = ids.chunks_exact(PIECE).take(PIECES).map(|piece| model.logits(piece).expect("logits"));
        pieces.flat_map(|rows| rows.iter().map(most).collect::<Vec<_>>()).collect()
    };
    let (file, folder) = (best(QWEN_GGUF), best(QWEN));
    assert_eq!(file.len(), PIECE * PIECES);
    let alike = file.iter().zip(&folder).filter(|(a, b)| a == b).count();
    writeln!(std::io::stderr(), "the same next token at {alike} of {} positions", file.len()).expect("stderr");
    assert!(alike * 100 >= file.len() * 97, "only {alike} of {} positions agree", file.len());
}

/// Every schema of tests/real/schemas.json, greedy or sampled, in one run of a dialogue.
#[test]
#[ignore = "needs real weights: make real"]
fn every_reply_under_a_schema_validates() {
    let cases = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/schemas.json"));
    let cases: Vec<Json> = serde_json::from_str(&cases.expect("cases")).expect("JSON");
    assert!(cases.len() >= 30);
    let context = "I saw 3 red mugs (größer als 日本) in the kitchen.";
    let mut steps = String::new();
    for (n, case) in cases.iter().enumerate() {
        let (about, schema) = (case["about"].as_str().expect("a text"), &case["schema"]);
        // every other one is sampled
        let (text, temperature) = if n % 2 == 0 { (about.to_owned(), 0) } else { (format!("{context} {about}"), 1) };
        let say = format!("agent: mind, text: {}, max_tokens: 40, temperature: {temperature}", Json::from(text));
        steps += &format!("  s{n}: {{ say: {{ {say}, schema: {schema} }} }}\n");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: String| std::fs::write(folder.path().join(file), text).expect("written");
    std::fs::create_dir(folder.path().join("agents")).expect("made");
    write("agents/qwen.yaml", format!("model: {{ gguf: {} }}\nlimits: {{ batch: 16 }}\n", real(QWEN_GGUF).display()));
    let names = (0..cases.len()).map(|n| format!("s{n}")).collect::<Vec<_>>();
    let head = "version: 1\ndialogue: d\ncast: { mind: qwen }\nsteps:\n";
    write("d.yaml", format!("{head}{steps}answer: \"{{{{ [{}] | length }}}}\"\n", names.join(", ")));
    let path = |file: &str| folder.path().join(file);
    let begun = std::time::Instant::now();
    let args = ["run", "--record"].map(Path::new);
    elenchus(&[args[0], &path("d.yaml"), args[1], &path("run.jsonl"), Path::new("--trust")]);
    let took = begun.elapsed();
    let lines = std::fs::read_to_string(path("run.jsonl")).expect("a transcript");
    let exchanges: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (mut valid, mut tokens, mut wrong) = (0, 0, Vec::new());
    for exchange in &exchanges {
        let (request, reply) = (&exchange["request"]["say"], &exchange["reply"]["say"]);
        let Some(text) = reply["text"].as_str() else { continue };
        let validator =
            jsonschema::options().should_validate_formats(true).build(&request["schema"]).expect("a schema");
        let why = match serde_json::from_str::<Json>(text) {
            Ok(value) => validator.validate(&value).err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        tokens += reply["tokens"].as_array().map_or(0, Vec::len);
        match why {
            None => valid += 1,
            Some(why) => wrong.push(format!("{}: {text}: {why}", request["schema"])),
        }
    }
    writeln!(std::io::stderr(), "{valid} valid replies of {tokens} tokens in {took:.0?}").expect("stderr");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(valid, cases.len(), "{}", exchanges.last().map(Json::to_string).unwrap_or_default());
}

/// Scores, best first, with their probabilities.
fn scores(json: &Json) -> Vec<(String, f64, f64)> {
    let row = |row: &Json| {
        let number = |key: &str| row[key].as_f64().expect("a number");
        (row["text"].as_str().expect("a label").to_owned(), number("score"), number("probability"))
    };
    let rows: Vec<_> = json["scores"].as_array().expect("scores").iter().map(row).collect();
    assert!(rows.windows(2).all(|pair| pair[0].1 >= pair[1].1), "best first: {rows:?}");
    rows
}

#[test]
#[ignore = "needs real weights: make real"]
fn efficientnet_names_what_photographs_show() {
    let check = |photograph: &str, expected: &[&str]| {
        let [word, model, image] = ["try", "--model", "--image"].map(Path::new);
        let file = real("media").join(photograph);
        let rows = scores(&elenchus(&[word, model, &real("efficientnet-lite0"), image, &file]));
        assert_eq!(rows.len(), 1000);
        // the probability is the softmax of the scores
        let sum: f64 = rows.iter().map(|(_, score, _)| score.exp()).sum();
        assert!(rows.iter().all(|(_, score, probability)| (score.exp() / sum - probability).abs() < 1e-5));
        let first: Vec<&str> = rows.iter().take(3).map(|(label, ..)| label.as_str()).collect();
        assert!(first.iter().any(|label| expected.contains(label)), "{photograph}: {first:?}");
    };
    check("chelsea.png", &["tabby", "tiger cat", "Egyptian cat"]);
    check("coffee.png", &["espresso", "cup"]);
    check("rocket.jpg", &["missile", "projectile"]);
}

#[test]
#[ignore = "needs real weights: make real"]
fn a_translator_ranks_photographs_among_any_words() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("agents")).expect("made");
    for (name, text) in [
        ("eye", format!("model: {{ path: {} }}\n", real("efficientnet-lite0").display())),
        ("words", format!("model: {{ path: {} }}\n", real("all-MiniLM-L6-v2").display())),
        ("translator", "translate: { eye: eye, words: words }\n".to_owned()),
    ] {
        std::fs::write(folder.path().join(format!("agents/{name}.yaml")), text).expect("written");
    }
    let check = |photograph: &str, among: &str| {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        command
            .current_dir(folder.path())
            .env("ELENCHUS_CACHE", folder.path().join("cache"))
            .env("ELENCHUS_DATA", folder.path().join("cache"));
        command.args(["try", "translator", "--trust", "--json", "--among", among, "--image"]);
        let output = command.arg(real("media").join(photograph)).output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rows = scores(&serde_json::from_slice(&output.stdout).expect("JSON"));
        assert_eq!(rows.len(), among.split(',').count());
        // a score is a cosine; the probabilities are those of the candidates
        assert!(rows.iter().all(|(_, score, _)| (-1.0..=1.0).contains(score)), "{rows:?}");
        assert!((rows.iter().map(|(.., probability)| probability).sum::<f64>() - 1.0).abs() < 1e-4, "{rows:?}");
        assert_eq!(Some(rows[0].0.as_str()), among.split(',').next(), "{photograph}: {rows:?}");
    };
    check("coffee.png", "cafe,street,office,forest");
    check("chelsea.png", "a cat,a dog,a car,a guitar");
    check("rocket.jpg", "launching a rocket,cooking dinner,reading a book");
}

/// Runs a dialogue with the cast `real`, without a video.
fn talk(args: &[&str]) -> Json {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("ELENCHUS_CACHE", folder.path())
        .env("ELENCHUS_DATA", folder.path());
    command.env(
        "ELENCHUS_MODELS",
        std::env::var_os("ELENCHUS_REAL").expect("ELENCHUS_REAL names the folder of real models"),
    );
    let output =
        command.timeout(Duration::from_secs(600)).args(["run", "--cast", "real", "-q", "--json"]).args(args).output();
    let output = output.expect("it ends");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
#[ignore = "needs real weights: make real"]
fn a_command_becomes_an_action_that_can_be_undone() {
    let command = "--answer=command=put the red block in the blue bowl";
    let done = talk(&["examples/plan.yaml", command, "--answer=command=done"]);
    assert_eq!(done["answer"], "red block: blue bowl", "{done}");
    let undone = talk(&["examples/plan.yaml", command, "--answer=command=undo", "--answer=command=done"]);
    assert_eq!(undone["answer"], "Nothing was moved.", "{undone}");
}

#[test]
#[ignore = "needs real weights: make real"]
fn requests_are_routed_by_a_real_mind() {
    let asked = [
        ("Where did I leave my umbrella?", "answer"),
        ("Show me when I was at the beach.", "search"),
        ("Tell me what happened today.", "summary"),
        ("What will I do after this?", "forecast"),
    ];
    let right = |(question, route): &&(&str, &str)| {
        talk(&["examples/modality.yaml", "-i", &format!("question={question}")])["answer"] == *route
    };
    assert!(asked.iter().filter(right).count() >= 3);
}
