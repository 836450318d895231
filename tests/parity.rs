//! Compares the models with Python `transformers` on the same weights. `tests/parity/make_fixtures.py` made the
//! fixtures and their expected answers. The largest difference is 1e-4 in f32, tokens are identical, and batching
//! changes nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use elenchus::{
    agent::{
        Agent, CallContext,
        local::{LocalAgent, LocalSpec},
    },
    error::{Fault, FaultKind},
    exchange::{
        Decoding, EmbedRequest, FloorUse, HearRequest, Item, Kind, LabelList, Message, RankRequest, Reply, Request,
        SayReply, SayRequest, Speech,
    },
    infer::{
        chat::Chat,
        checkpoint::Checkpoint,
        job::{Input, Job, SoundSource},
        text::{TextTokenizer, VocabStyle},
    },
    media::MediaStore,
    models::{llama, whisper::Whisper},
    value::{ImageFile, Media, Time},
};
use serde_json::Value as Json;
use std::{path::PathBuf, sync::Arc};

#[path = "parity/common.rs"]
mod common;

use common::*;

#[test]
fn clip_equals_transformers() {
    for name in ["clip-legacy", "clip-gelu"] {
        let (mut model, expected) = (model(folder(name)), expected(name));
        let mut pictures = Vec::new();
        for (image, theirs) in expected["images"].as_object().unwrap() {
            let ours = vector(one(&mut *model, embed(picture(image))));
            close(&ours, &numbers(theirs), &format!("{name}, image {image}"));
            pictures.push((image, ours));
        }
        let batch = pictures.iter().map(|(image, _)| embed(picture(image))).collect();
        for (reply, (image, alone)) in together(&mut *model, batch).into_iter().zip(&pictures) {
            assert_eq!(&vector(reply.unwrap()), alone, "{name}, {image}: batched and alone");
        }
        let mut labels = Vec::new();
        for case in expected["texts"].as_array().unwrap() {
            let label = case["text"].as_str().unwrap();
            let ours = vector(one(&mut *model, embed(text(label))));
            close(&ours, &numbers(&case["vector"]), &format!("{name}, text {label:?}"));
            labels.push(label.to_owned());
        }
        labels.truncate(3);
        let (what, input) = picture("wide");
        let among = LabelList::from(labels);
        let rank = RankRequest { what, texts: among.clone(), among, floor: FloorUse::Unused };
        let ranked = one(&mut *model, (Request::Rank(rank), vec![input]));
        let Reply::Rank(scores) = ranked else { panic!("{ranked:?}") };
        let ours: Vec<f32> = scores.iter().map(|s| s.probability).collect();
        close(&ours, &numbers(&expected["probabilities"]), &format!("{name}, probabilities"));
    }
}

#[test]
fn pictures_are_prepared_as_pillow_does() {
    for (name, side) in [("clip-legacy", 32), ("clip-gelu", 24)] {
        let settings = Checkpoint::open(&folder(name)).unwrap().json("preprocessor_config.json").unwrap().unwrap();
        let preparation = elenchus::infer::image::Preparation::new(&settings, side).unwrap();
        for (image, theirs) in expected(name)["pixels"].as_object().unwrap() {
            let (values, height, width) = preparation.apply(&pixels(image)).unwrap();
            assert_eq!((height, width), (side, side));
            let theirs = numbers(theirs);
            let step = values.len().div_ceil(theirs.len());
            let step = (1..=step).rev().find(|s| values.len().div_ceil(*s) == theirs.len()).unwrap();
            let ours: Vec<f32> = values.into_iter().step_by(step).collect();
            close(&ours, &theirs, &format!("{name}, pixels of {image}"));
        }
    }
}

fn say(prompt: &str, raw: bool, most: usize, choices: &[&str]) -> Work {
    let messages = vec![Message { role: "user".to_owned(), content: prompt.to_owned(), images: vec![], video: false }];
    let decoding = Decoding { max_tokens: Some(most), temperature: Some(0.0), ..Decoding::default() };
    let choices = choices.iter().map(|c| (*c).to_owned()).collect();
    (Request::Say(SayRequest { raw, decoding, choices, ..SayRequest::new(messages) }), Vec::new())
}

#[test]
fn language_models_equal_transformers() {
    for name in ["lm-tied", "lm-untied"] {
        let (mut model, expected) = (model(folder(name)), expected(name));
        let checkpoint = Checkpoint::open(&folder(name)).unwrap();
        let generator = llama::generator(&checkpoint, &loading()).unwrap();
        let words = TextTokenizer::open(&checkpoint, VocabStyle::Bytes).unwrap();
        let cases = expected["cases"].as_array().unwrap();
        for case in cases {
            let prompt = case["prompt"].as_str().unwrap();
            assert_eq!(words.encode(prompt, true).unwrap(), ids(&case["ids"]), "{name}: ids of {prompt:?}");
            let logits = generator.logits(&ids(&case["ids"])).unwrap();
            close(logits.last().unwrap(), &numbers(&case["logits"]), &format!("{name}: logits of {prompt:?}"));
            let Reply::Say(SayReply { text, tokens, .. }) = one(&mut *model, say(prompt, true, 24, &[])) else {
                panic!("a reply")
            };
            assert_eq!(tokens, ids(&case["tokens"]), "{name}: greedy tokens of {prompt:?}");
            assert_eq!(text, case["text"].as_str().unwrap());
        }
        let batch = cases.iter().map(|case| say(case["prompt"].as_str().unwrap(), true, 24, &[])).collect();
        for (reply, case) in together(&mut *model, batch).into_iter().zip(cases) {
            let Reply::Say(SayReply { tokens, .. }) = reply.unwrap() else { panic!("a reply") };
            assert_eq!(tokens, ids(&case["tokens"]), "{name}: greedy tokens in a batch");
        }
        let chat = Chat::open(&checkpoint).unwrap();
        for case in expected["chats"].as_array().unwrap() {
            let messages: Vec<Message> = serde_json::from_value(case["messages"].clone()).unwrap();
            let prompt = chat.prompt(&messages, false).unwrap();
            assert_eq!(prompt.text, case["text"].as_str().unwrap(), "{name}: chat template");
            assert_eq!(words.encode(&prompt.text, prompt.special).unwrap(), ids(&case["ids"]), "{name}: chat ids");
        }
    }
}

#[test]
fn choices_are_weighed_by_their_probability() {
    let checkpoint = Checkpoint::open(&folder("lm-untied")).unwrap();
    let generator = llama::generator(&checkpoint, &loading()).unwrap();
    let words = TextTokenizer::open(&checkpoint, VocabStyle::Bytes).unwrap();
    let (prompt, choices) = ("where did i last see the keys?", ["on the table", " keys", "the train leaves"]);
    let before = words.encode(prompt, true).unwrap();
    let weigh = |choice: &str| -> f64 {
        let option = words.encode(choice, false).unwrap();
        let all = generator.logits(&[before.clone(), option.clone()].concat()).unwrap();
        let of = |(n, id): (usize, &u32)| {
            let row = &all[before.len() - 1 + n];
            f64::from(row[*id as usize]) - row.iter().map(|l| f64::from(*l).exp()).sum::<f64>().ln()
        };
        option.iter().enumerate().map(of).sum()
    };
    let mut model = model(folder("lm-untied"));
    for normalise in [false, true, false] {
        let scale = |choice: &str| if normalise { words.encode(choice, false).unwrap().len() as f64 } else { 1.0 };
        let weigh = |choice: &str| weigh(choice) / scale(choice);
        let best = choices.into_iter().max_by(|a, b| weigh(a).total_cmp(&weigh(b))).unwrap();
        let (mut request, inputs) = say(prompt, true, 5, &choices);
        if let Request::Say(say) = &mut request {
            say.normalise = normalise;
        }
        let Reply::Say(SayReply { text, scores, .. }) = one(&mut *model, (request, inputs)) else { panic!("a reply") };
        assert_eq!(text, best);
        for (choice, score) in choices.into_iter().zip(&scores) {
            let near = (f64::from(score.logprob) - weigh(choice)).abs() < 1e-3;
            assert!(near && score.text == choice, "{choice}: {} is not {}", score.logprob, weigh(choice));
        }
    }
}

#[test]
fn samples_of_one_prompt_in_one_batch_are_those_of_single_requests() {
    let hot = |request: &mut Request| {
        if let Request::Say(say) = request {
            say.decoding = Decoding { temperature: Some(1.0), logprobs: Some(true), ..say.decoding.clone() };
        }
    };
    let job = |prompt: &str, seed: u64| {
        let (mut request, inputs) = say(prompt, true, 8, &[]);
        hot(&mut request);
        Job::new(request, inputs, seed, None)
    };
    let prompts = ["where did i last see the keys?", "hello there", "where did i last see the keys?"];
    let asked: Vec<(&str, u64)> = (0..6).map(|n| (prompts[n % 3], n as u64)).collect();
    let mut together = model(folder("lm-untied"));
    let (jobs, answers): (Vec<_>, Vec<_>) = asked.iter().map(|(prompt, seed)| job(prompt, *seed)).unzip();
    together.answer(jobs);
    let mut texts = Vec::new();
    for ((prompt, seed), answer) in asked.into_iter().zip(answers) {
        let Reply::Say(batched) = answer.blocking_recv().unwrap().unwrap() else { panic!("a reply") };
        let mut alone = model(folder("lm-untied"));
        let (one, answer) = job(prompt, seed);
        alone.answer(vec![one]);
        let Reply::Say(single) = answer.blocking_recv().unwrap().unwrap() else { panic!("a reply") };
        assert_eq!((&batched.text, &batched.tokens), (&single.text, &single.tokens), "{prompt} {seed}");
        // each token has its own log-probability, and the pieces of text are the whole text
        assert_eq!(batched.logprobs.iter().filter_map(|token| token.id).collect::<Vec<_>>(), batched.tokens);
        let spelt: String = batched.logprobs.iter().map(|token| token.text.as_str()).collect();
        assert!(batched.text.starts_with(&spelt) && batched.logprobs.iter().all(|token| token.logprob <= 0.0));
        texts.push(batched.text);
    }
    texts.sort();
    texts.dedup();
    assert!(texts.len() > 2, "the seeds draw different texts: {texts:?}");
}

#[test]
fn a_shared_prefix_changes_nothing() {
    let log = "where did i last see the keys? the keys were on the kitchen table. i was in the kitchen at noon. ";
    let questions = ["hello there", "where are you", "what"].map(|q| format!("{log}{q}"));
    for name in ["lm-tied", "lm-untied"] {
        let mut warm = model(folder(name));
        for question in &questions {
            let mut fresh = model(folder(name));
            let work = || say(question, true, 12, &[]);
            assert_eq!(one(&mut *warm, work()), one(&mut *fresh, work()), "{name}: {question:?}");
        }
    }
}

/// A sound with the samples of a fixture.
fn sound(name: &str) -> SoundSource {
    let bytes = std::fs::read(folder("").join("sounds.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let raw = tensors.tensor(name).unwrap();
    let samples: Vec<f32> =
        raw.data().chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0).collect();
    let end = Time::from_seconds(samples.len() as f64 / 16_000.0);
    let (sound, mut pulls) = SoundSource::new(Time::from_seconds(0.0), end);
    std::thread::spawn(move || {
        while let Some(pull) = pulls.blocking_recv() {
            assert_eq!(pull.rate_hz, 16_000);
            assert!(pull.to - pull.from <= 31 * 16_000, "more than a window is asked for");
            pull.back.send(Ok(samples[pull.from..pull.to.min(samples.len())].to_vec())).ok();
        }
    });
    sound
}

#[test]
fn whisper_equals_transformers() {
    for name in ["whisper-multi", "whisper-en"] {
        let expected = expected(name);
        let whisper = Whisper::load(&Checkpoint::open(&folder(name)).unwrap(), &loading()).unwrap();
        let mel = &expected["mel"]["short"];
        let ours: Vec<f32> = whisper.features(&sound("short")).unwrap().into_iter().step_by(97).collect();
        close(&ours, &numbers(&mel["values"]), &format!("{name}: log-mel"));
        let mut model = model(folder(name));
        for case in expected["cases"].as_array().unwrap() {
            let (which, timestamps) = (case["sound"].as_str().unwrap(), case["timestamps"].as_bool().unwrap());
            let language = case["language"].as_str().map(str::to_owned);
            let what = format!("{name}: {which}, timestamps {timestamps}, language {language:?}");
            let decoding = Decoding { temperature: Some(0.0), ..Decoding::default() };
            let (start, end) = (Time::from_seconds(0.0), Time::from_seconds(0.0));
            let audio = Arc::new(Media { has_video: false, ..Media::new(which, which, start, end) });
            let request = HearRequest { audio, start: None, end: None, language, timestamps, words: false, decoding };
            let work = (Request::Hear(request), vec![Input::Sound(sound(which))]);
            let Reply::Hear(ours) = one(&mut *model, work) else { panic!("{what}") };
            let theirs = case["segments"].as_array().unwrap().iter().filter(|s| s["text"] != "");
            let shown = |h: &Speech| format!("{:.2}-{:.2} {}", h.start.seconds(), h.end.seconds(), h.text);
            let ours: Vec<String> = ours.iter().map(shown).collect();
            let theirs: Vec<String> = theirs
                .map(|s| {
                    format!(
                        "{:.2}-{:.2} {}",
                        s["start"].as_f64().unwrap(),
                        s["end"].as_f64().unwrap(),
                        s["text"].as_str().unwrap()
                    )
                })
                .collect();
            assert_eq!(ours, theirs, "{what}");
        }
    }
}

fn check_embedder(path: PathBuf, expected: &Json, name: &str) {
    let mut model = model(path);
    let mut all = Vec::new();
    for case in expected["texts"].as_array().unwrap() {
        let what = case["text"].as_str().unwrap();
        let ours = vector(one(&mut *model, embed(text(what))));
        close(&ours, &numbers(&case["vector"]), &format!("{name}: {what:?}"));
        all.push((what, ours));
    }
    let batch = all.iter().map(|(what, _)| embed(text(what))).collect();
    for (reply, (what, alone)) in together(&mut *model, batch).into_iter().zip(&all) {
        assert_eq!(&vector(reply.unwrap()), alone, "{name}, {what:?}: batched and alone");
    }
}

#[test]
fn sentence_embedders_equal_transformers() {
    for name in ["bert-mean", "bert-plain"] {
        check_embedder(folder(name), &expected(name), name);
    }
}

#[test]
#[ignore = "needs real weights: make real"]
fn the_real_minilm_equals_transformers() {
    let path = PathBuf::from(std::env::var_os("ELENCHUS_REAL").expect("`make real` names it")).join("all-MiniLM-L6-v2");
    let expected = std::fs::read_to_string(folder("").join("../minilm_expected.json")).unwrap();
    check_embedder(path, &serde_json::from_str(&expected).unwrap(), "all-MiniLM-L6-v2");
}

async fn agent(name: &str) -> Result<LocalAgent, Fault> {
    let spec =
        LocalSpec { name: name.to_owned(), path: folder(name), device: Some("cpu".to_owned()), ..LocalSpec::default() };
    LocalAgent::load(spec, Arc::new(MediaStore::new(Default::default()))).await
}

fn shown(name: &str) -> Item {
    let path = folder("images").join(format!("{name}.png"));
    Item::Image(ImageFile { path: path.to_str().unwrap().to_owned(), digest: name.to_owned() })
}

#[tokio::test]
async fn a_batch_does_not_change_a_local_agents_answers() {
    let eye = agent("clip-gelu").await.unwrap();
    assert!(eye.card().can(Kind::Rank) && eye.card().can(Kind::Embed));
    assert!(eye.card().identity.starts_with("local clip "), "{}", eye.card().identity);
    let names = ["wide", "tall", "tiny", "odd"];
    let ask = |name: &str| eye.ask(Request::Embed(EmbedRequest::new(shown(name))), CallContext::default());
    let together = futures_util::future::join_all(names.iter().cycle().take(24).map(|name| ask(name))).await;
    for (reply, name) in together.into_iter().zip(names.iter().cycle()) {
        assert_eq!(reply.unwrap(), ask(name).await.unwrap());
    }
    let refused = eye.ask(Request::Say(SayRequest { raw: true, ..SayRequest::default() }), CallContext::default());
    assert_eq!(
        refused.await.unwrap_err().to_string(),
        "clip-gelu: it cannot answer `say`; it answers only rank (text, image), embed (text, image)"
    );
    let missing = Item::Image(ImageFile { path: "no/such.png".to_owned(), digest: "x".to_owned() });
    let missing = eye.ask(Request::Embed(EmbedRequest::new(missing)), CallContext::default()).await;
    assert!(matches!(&missing, Err(fault) if fault.kind == FaultKind::Media), "{missing:?}");
}

#[tokio::test]
async fn a_local_agent_streams_its_text() {
    let mind = agent("lm-tied").await.unwrap();
    let (stream, mut pieces) = tokio::sync::mpsc::unbounded_channel();
    let request = || {
        Request::Say(SayRequest {
            messages: vec![Message::new("user", "Hello")],
            raw: true,
            decoding: Decoding { max_tokens: Some(20), temperature: Some(0.8), ..Decoding::default() },
            ..SayRequest::default()
        })
    };
    let asking = || CallContext { seed: 3, ..CallContext::default() };
    let reply = mind.ask(request(), CallContext { stream: Some(stream), ..asking() }).await.unwrap();
    let Reply::Say(SayReply { text, .. }) = &reply else { panic!("{reply:?}") };
    let mut streamed = String::new();
    while let Ok(piece) = pieces.try_recv() {
        streamed += &piece;
    }
    assert_eq!(&streamed, text);
    assert_eq!(mind.ask(request(), asking()).await.unwrap(), reply, "the seed decides");
    assert_ne!(mind.ask(request(), CallContext { seed: 4, ..asking() }).await.unwrap(), reply);
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_loaded_gives_a_clear_error() {
    let spec = LocalSpec { name: "eye".to_owned(), path: folder("images"), ..LocalSpec::default() };
    let error = LocalAgent::load(spec, Arc::new(MediaStore::new(Default::default()))).await.err().unwrap();
    assert!(error.to_string().contains("lacks config.json"), "{error}");
    let spec = LocalSpec { name: "mind".to_owned(), path: "some/model.gguf".into(), ..LocalSpec::default() };
    let error = LocalAgent::load(spec, Arc::new(MediaStore::new(Default::default()))).await.err().unwrap();
    assert_eq!(error.to_string(), "mind: some/model.gguf cannot be opened: No such file or directory (os error 2)");
}

/// A checkpoint with the older vocabulary files instead of `tokenizer.json` reads text in the same way.
#[test]
fn vocabulary_files_replace_a_tokenizer() {
    for (name, style) in [
        ("clip-gelu", VocabStyle::Clip),
        ("lm-tied", VocabStyle::Bytes),
        ("bert-mean", VocabStyle::WordPiece),
        ("embed-roberta", VocabStyle::Roberta),
    ] {
        let whole = Checkpoint::open(&folder(name)).unwrap();
        let tokenizer: Json = serde_json::from_str(&whole.text("tokenizer.json").unwrap().unwrap()).unwrap();
        let parts = tempfile::tempdir().unwrap();
        let write = |file: &str, text: String| std::fs::write(parts.path().join(file), text).unwrap();
        write("config.json", "{}".to_owned());
        write("model.safetensors", String::new());
        let vocab = tokenizer["model"]["vocab"].as_object().unwrap();
        if style == VocabStyle::WordPiece {
            let mut words: Vec<(&String, u64)> = vocab.iter().map(|(k, v)| (k, v.as_u64().unwrap())).collect();
            words.sort_by_key(|(_, id)| *id);
            write("vocab.txt", words.into_iter().map(|(word, _)| format!("{word}\n")).collect());
        } else {
            let mut vocab = vocab.clone();
            for token in tokenizer["added_tokens"].as_array().unwrap() {
                vocab.insert(token["content"].as_str().unwrap().to_owned(), token["id"].clone());
            }
            let added: serde_json::Map<String, Json> =
                vocab.iter().filter(|(k, _)| k.starts_with("<|")).map(|(k, v)| (k.clone(), v.clone())).collect();
            let merges = tokenizer["model"]["merges"].as_array().unwrap();
            let line = |m: &Json| format!("{} {}\n", m[0].as_str().unwrap(), m[1].as_str().unwrap());
            write("vocab.json", Json::Object(vocab).to_string());
            write("merges.txt", format!("#version: 0.2\n{}", merges.iter().map(line).collect::<String>()));
            write("added_tokens.json", Json::Object(added).to_string());
        }
        let built = TextTokenizer::open(&Checkpoint::open(parts.path()).unwrap(), style).unwrap();
        let given = TextTokenizer::open(&whole, style).unwrap();
        for text in ["Where did I last see the keys?", "naïve café, 12345!", "<|im_start|>user", ""] {
            let ids = given.encode(text, true).unwrap();
            assert_eq!(built.encode(text, true).unwrap(), ids, "{name}: {text:?}");
            assert_eq!(built.decode(&ids).unwrap(), given.decode(&ids).unwrap(), "{name}: {text:?}");
        }
    }
}
