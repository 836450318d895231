//! Compares models that hear with Python `transformers` on the same weights and sounds
//! (`tests/parity/make_speech_fixtures.py`).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use elenchus::{
    exchange::{Decoding, HearRequest, HearingSettings, Reply, Request, Speech},
    infer::{
        checkpoint::Checkpoint,
        job::{Input, Model, SoundSource},
    },
    models::{self, ModelOptions, parakeet::Parakeet},
    value::{Media, Time},
};
use serde_json::{Value as Json, json};
use std::{path::Path, sync::Arc};

#[path = "parity/common.rs"]
mod common;

use common::*;

/// The samples of a stored sound.
fn samples(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(folder("").join("sounds.safetensors")).unwrap();
    let raw = safetensors::SafeTensors::deserialize(&bytes).unwrap().tensor(name).unwrap().data().to_vec();
    raw.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0).collect()
}

/// A sound that begins at `start_s`. No pull may ask for more than `most_s`.
fn sound(samples: Vec<f32>, start_s: f64, most_s: usize) -> SoundSource {
    let (start, end) = (Time::from_seconds(start_s), Time::from_seconds(start_s + samples.len() as f64 / 16_000.0));
    let (source, mut pulls) = SoundSource::new(start, end);
    std::thread::spawn(move || {
        while let Some(pull) = pulls.blocking_recv() {
            assert_eq!(pull.rate_hz, 16_000);
            assert!(pull.to - pull.from <= most_s * 16_000, "more than a piece is asked for");
            let (from, to) = (pull.from.min(samples.len()), pull.to.min(samples.len()));
            pull.back.send(Ok(samples[from..to].to_vec())).ok();
        }
    });
    source
}

fn hear(language: Option<&str>, words: bool, temperature: Option<f32>, source: SoundSource) -> Work {
    let audio = Arc::new(Media { has_video: false, ..Media::new("a", "a", source.start, source.end) });
    let decoding = Decoding { temperature, ..Decoding::default() };
    let language = language.map(str::to_owned);
    let request = HearRequest { audio, start: None, end: None, language, timestamps: true, words, decoding };
    (Request::Hear(request), vec![Input::Sound(source)])
}

fn speech(reply: Reply) -> Vec<Speech> {
    match reply {
        Reply::Hear(speech) => speech,
        other => panic!("{other:?}"),
    }
}

/// A model with settings of an agent file, and with other values in a file of its checkpoint.
fn changed(path: &Path, hearing: HearingSettings, file: &str, values: &[(&str, Json)]) -> Box<dyn Model> {
    let place = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(path).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), place.path().join(entry.file_name())).unwrap();
    }
    let mut settings = json_of(&place.path().join(file));
    values.iter().for_each(|(key, value)| settings[*key] = value.clone());
    std::fs::write(place.path().join(file), settings.to_string()).unwrap();
    let checkpoint = Checkpoint::open(place.path()).unwrap();
    let family = models::family(None, &checkpoint.config).unwrap();
    (family.load)(&checkpoint, &ModelOptions { hearing, ..loading() }).unwrap()
}

/// Times and texts, one a line; blank ones are left out.
fn lines<'a>(all: impl Iterator<Item = (f64, f64, &'a str)>) -> Vec<String> {
    let line = |(start, end, text): (f64, f64, &str)| format!("{:.3}-{:.3} {text}", start.max(0.0), end.max(0.0));
    all.filter(|(.., text)| !text.is_empty()).map(line).collect()
}

fn theirs(all: &Json) -> Vec<String> {
    let number = |one: &Json, key: &str| one[key].as_f64().unwrap();
    let all = all.as_array().unwrap().iter();
    lines(all.map(|one| (number(one, "start"), number(one, "end"), one["text"].as_str().unwrap())))
}

fn segments(all: &[Speech], start_s: f64) -> Vec<String> {
    lines(all.iter().map(|one| (one.start.seconds() - start_s, one.end.seconds() - start_s, one.text.as_str())))
}

fn words(all: &[Speech], start_s: f64) -> Vec<String> {
    let all = all.iter().flat_map(|one| &one.words);
    lines(all.map(|one| (one.start.seconds() - start_s, one.end.seconds() - start_s, one.text.as_str())))
}

/// Checks a Whisper: segments, words and language, with and without the text before, and with windows that are skipped.
fn check_whisper(path: &Path) {
    let (name, expected) = (path.file_name().unwrap().to_string_lossy(), json_of(&path.join("expected.json")));
    for case in expected["cases"].as_array().unwrap() {
        let (language, which) = (case["language"].as_str(), case["sound"].as_str().unwrap());
        let previous_text = case["previous"].as_bool().unwrap();
        let what = format!("{name}: {which}, {language:?}, text before {previous_text}, {}", case["threshold"]);
        let mut values = Vec::new();
        if !case["threshold"].is_null() {
            values = vec![("logprob_threshold", case["threshold"].clone()), ("no_speech_threshold", json!(0.0))];
        }
        let hearing = HearingSettings { previous_text, ..HearingSettings::default() };
        let mut model = changed(path, hearing, "generation_config.json", &values);
        let start_s = 2.5;
        let heard = |model: &mut dyn Model, words: bool| {
            speech(one(model, hear(language, words, Some(0.0), sound(samples(which), start_s, 31))))
        };
        let ours = heard(&mut *model, true);
        assert_eq!(segments(&ours, start_s), theirs(&case["segments"]), "{what}");
        assert_eq!(words(&ours, start_s), theirs(&case["words"]), "{what}: words");
        let code = language.or(expected["detected"].as_str()).unwrap_or("en");
        if which == "short" {
            assert!(ours.iter().all(|one| one.language.as_deref() == Some(code)), "{what}: {code}");
        }
        if previous_text || !case["threshold"].is_null() {
            continue;
        }
        let plain = heard(&mut *model, false);
        assert_eq!(segments(&plain, start_s), theirs(&case["segments"]), "{what}: without words");
        assert!(plain.iter().all(|one| one.words.is_empty()));
    }
}

#[test]
fn whisper_hears_words_as_transformers() {
    check_whisper(&folder("whisper-words"));
}

/// Further checkpoints: `make_speech_fixtures.py OUT random SEED COUNT`.
#[test]
#[ignore = "needs ELENCHUS_PARITY, a folder of checkpoints with expected answers"]
fn further_whispers_equal_transformers() {
    check_further("whisper-", check_whisper);
}

/// Checks a Parakeet: features, states, text and words, in one pass and in windows that see the whole sound.
fn check_parakeet(path: &Path) {
    let (name, expected) = (path.file_name().unwrap().to_string_lossy(), json_of(&path.join("expected.json")));
    let load = || Parakeet::load(&Checkpoint::open(path).unwrap(), &loading()).unwrap();
    for (which, case) in expected["cases"].as_object().unwrap() {
        let what = format!("{name}: {which}");
        let whole = || sound(samples(which), 2.5, 31);
        let (features, states) = load().perceived(&whole()).unwrap();
        let every = |all: Vec<f32>, step| all.into_iter().step_by(step).collect::<Vec<f32>>();
        // relative to the largest, because the reference's transform is in f32
        let reference = numbers(&case["features"]);
        let largest = reference.iter().fold(1f32, |most, value| most.max(value.abs()));
        let part = |all: Vec<f32>| all.into_iter().map(|value| value / largest).collect::<Vec<f32>>();
        close(&part(every(features, 31)), &part(reference), &format!("{what}: features"));
        close(&every(states, 7), &numbers(&case["states"]), &format!("{what}: states"));
        // a window of seven frames, which the decoder crosses, with all of the sound as its context
        for mut model in [load(), load().with_windows(7, 100_000)] {
            let ours = speech(one(&mut model, hear(None, true, None, whole())));
            let text = ours.iter().map(|one| one.text.as_str()).collect::<Vec<_>>().join(" ");
            let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(plain(&text), plain(case["text"].as_str().unwrap()), "{what}");
            assert_eq!(words(&ours, 2.5), theirs(&case["words"]), "{what}: words");
        }
    }
}

#[test]
fn parakeet_hears_as_transformers() {
    for name in ["parakeet-plain", "parakeet-bare"] {
        check_parakeet(&folder(name));
    }
}

#[test]
#[ignore = "needs ELENCHUS_PARITY, a folder of checkpoints with expected answers"]
fn further_parakeets_equal_transformers() {
    check_further("parakeet-", check_parakeet);
}

/// Settings that this code does not compute are refused, each in one line, before the weights are read.
#[test]
fn what_is_not_computed_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let check = |file: &str, change: &dyn Fn(&mut Json), message: &str| {
        for entry in std::fs::read_dir(folder("parakeet-plain")).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), place.path().join(entry.file_name())).unwrap();
        }
        let mut json = json_of(&place.path().join(file));
        change(&mut json);
        std::fs::write(place.path().join(file), json.to_string()).unwrap();
        let checkpoint = Checkpoint::open(place.path()).unwrap();
        let family = models::family(None, &checkpoint.config).unwrap();
        let error = (family.load)(&checkpoint, &loading()).map(|_| ()).expect_err(message).to_string();
        assert!(error.contains(message) && !error.contains('\n') && error.len() < 300, "{error}");
    };
    let encoder = |key: &'static str, value: Json, message: &str| {
        check("config.json", &|json| json["encoder_config"][key] = value.clone(), message);
    };
    encoder("hidden_size", json!(1 << 21), "`hidden_size` must be");
    encoder("hidden_size", json!(64), "the configuration requires");
    encoder("num_attention_heads", json!(3), "not divisible");
    encoder("head_dim", json!(5), "`head_dim` 5 is not supported");
    encoder("subsampling_factor", json!(6), "a power of two");
    encoder("subsampling_conv_stride", json!(3), "`subsampling_conv_stride` 3 is not supported");
    encoder("num_mel_bins", json!(84), "a multiple of `subsampling_factor` 8");
    encoder("conv_kernel_size", json!(8), "an odd number");
    encoder("model_type", json!("nemotron_asr_streaming_encoder"), "only parakeet_encoder");
    let decoder = |key: &'static str, value: Json, message: &str| {
        check("config.json", &|json| json[key] = value.clone(), message);
    };
    decoder("durations", json!([0, 2, 4]), "`durations` [0,2,4] is not supported");
    decoder("blank_token_id", json!(1_000_000), "`blank_token_id` must be a token id below");
    decoder("max_symbols_per_step", json!(1_000_000), "from 1 to 100");
    decoder("vocab_size", json!(1 << 22), "the configuration requires");
    let features = |key: &'static str, value: Json, message: &str| {
        check("processor_config.json", &|json| json["feature_extractor"][key] = value.clone(), message);
    };
    features("feature_size", json!(128), "`feature_size` must be 80");
    features("hop_length", json!(0), "`hop_length` must be");
    features("n_fft", json!(401), "an even number");
    features("win_length", json!(513), "`win_length` must be");
}

/// A sound without a voice is not heard, if the agent finds voices first.
#[test]
fn silence_is_left_out() {
    let heard = |voice: bool| {
        let hearing = HearingSettings { voice, ..HearingSettings::default() };
        let mut model = changed(&folder("whisper-words"), hearing, "generation_config.json", &[]);
        let silence = sound(vec![0.0; 20 * 16_000], 0.0, 31);
        speech(one(&mut *model, hear(Some("de"), false, Some(0.0), silence)))
    };
    assert!(!heard(false).is_empty(), "random weights hear words in silence");
    assert_eq!(heard(true), []);
}

/// A window whose text repeats itself is decoded again, at temperatures that the seed decides.
#[test]
fn further_attempts_follow_the_seed() {
    let hearing = HearingSettings { temperatures: vec![0.0, 1.0, 2.0], ..HearingSettings::default() };
    // the greedy text of these weights goes in circles
    let limit = ("compression_ratio_threshold", json!(0.9));
    let path = folder("whisper-words");
    let heard = |seed: u64, temperature: Option<f32>, limit: &(&str, Json)| {
        let mut model = changed(&path, hearing.clone(), "generation_config.json", std::slice::from_ref(limit));
        let (request, inputs) = hear(Some("de"), false, temperature, sound(samples("short"), 0.0, 31));
        let (job, answer) = elenchus::infer::job::Job::new(request, inputs, seed, None);
        model.answer(vec![job]);
        segments(&speech(answer.blocking_recv().unwrap().unwrap()), 0.0)
    };
    let greedy = heard(1, Some(0.0), &("compression_ratio_threshold", json!(1e6)));
    assert_eq!(heard(1, None, &("compression_ratio_threshold", json!(1e6))), greedy, "a believed text is not repeated");
    let kept = heard(1, Some(0.0), &limit);
    assert!(kept.len() < greedy.len(), "{kept:?}");
    let (first, second) = (heard(1, None, &limit), heard(2, None, &limit));
    assert_eq!(first, heard(1, None, &limit));
    assert!(first != second && first != kept, "{first:?}");
}
