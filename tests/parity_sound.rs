//! Compares CLAP with Python `transformers` on the same weights, sounds and texts
//! (`tests/parity/make_sound_fixtures.py`).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use elenchus::{
    exchange::{EmbedRequest, FloorUse, Item, LabelList, RankRequest, Reply, Request},
    infer::job::{Input, Model, SoundSource},
    value::{Media, Moment, Time},
};
use serde_json::{Value as Json, json};
use std::{path::Path, sync::Arc};

#[path = "parity/common.rs"]
mod common;
#[path = "journal/place.rs"]
mod place;

use common::*;
use place::Place;

/// The stored sounds of which the cases take the first samples, and their number.
const SOUNDS: [(&str, &str, usize); 4] =
    [("tiny", "short", 3000), ("short", "short", 9000), ("exact", "short", 16_000), ("long", "long", 37_000)];

fn sound(name: &str) -> (Item, Input) {
    let (_, stored, count) = SOUNDS.into_iter().find(|sound| sound.0 == name).unwrap();
    let bytes = std::fs::read(folder("").join("sounds.safetensors")).unwrap();
    let raw = safetensors::SafeTensors::deserialize(&bytes).unwrap().tensor(stored).unwrap().data().to_vec();
    let sample = |b: &[u8]| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0;
    let samples: Vec<f32> = raw.chunks_exact(2).map(sample).take(count).collect();
    let (start, end) = (Time::from_seconds(0.0), Time::from_seconds(count as f64 / 16_000.0));
    let (source, mut pulls) = SoundSource::new(start, end);
    std::thread::spawn(move || {
        while let Some(pull) = pulls.blocking_recv() {
            assert_eq!(pull.rate_hz, 16_000);
            let (from, to) = (pull.from.min(samples.len()), pull.to.min(samples.len()));
            pull.back.send(Ok(samples[from..to].to_vec())).ok();
        }
    });
    let media: Media = serde_json::from_value(json!({
        "path": name, "digest": name, "start": start, "end": end, "has_video": false, "has_audio": true,
    }))
    .unwrap();
    (Item::Sound(Moment { media: Arc::new(media), start, end, text: None }), Input::Sound(source))
}

fn rank(name: &str, labels: &[String]) -> Work {
    let (what, input) = sound(name);
    let list: LabelList = labels.to_vec().into();
    (Request::Rank(RankRequest { what, among: list.clone(), texts: list, floor: FloorUse::Unused }), vec![input])
}

fn embed(what: Item, input: Input) -> Work {
    (Request::Embed(EmbedRequest::new(what)), vec![input])
}

fn vector(reply: Reply) -> Vec<f32> {
    match reply {
        Reply::Embed(vector) => vector,
        other => panic!("{other:?}"),
    }
}

/// Checks a fixture: each sound and text alone, and all in one batch.
fn check(path: &Path) {
    let expected = json_of(&path.join("expected.json"));
    let name = path.file_name().unwrap().to_string_lossy();
    let mut clap: Box<dyn Model> = model(path.to_owned());
    for (text, theirs) in expected["texts"].as_object().unwrap() {
        let ours = vector(one(&mut *clap, embed(Item::Text(text.clone()), Input::Text(text.clone()))));
        close(&ours, &numbers(theirs), &format!("{name}: `{text}`"));
    }
    let labels: Vec<String> = serde_json::from_value(expected["labels"].clone()).unwrap();
    let names = SOUNDS.map(|(name, ..)| name);
    let scores = |reply: Reply, sound: &str| {
        let Reply::Rank(scored) = reply else { panic!("{reply:?}") };
        let theirs = &expected["scores"][sound];
        let cosines: Vec<f32> = scored.iter().map(|s| s.score).collect();
        close(&cosines, &numbers(&theirs["cosine"]), &format!("{name}: cosines of {sound}"));
        let ours: Vec<f32> = scored.iter().map(|s| s.probability).collect();
        close(&ours, &numbers(&theirs["probability"]), &format!("{name}: probabilities of {sound}"));
    };
    for sound_name in names {
        let (what, input) = sound(sound_name);
        let ours = vector(one(&mut *clap, embed(what, input)));
        close(&ours, &numbers(&expected["sounds"][sound_name]), &format!("{name}: {sound_name}"));
        scores(one(&mut *clap, rank(sound_name, &labels)), sound_name);
    }
    let all = names.map(|sound| rank(sound, &labels)).into();
    for (reply, sound) in together(&mut *model(path.to_owned()), all).into_iter().zip(names) {
        scores(reply.unwrap(), sound);
    }
}

#[test]
fn clap_equals_transformers() {
    for name in ["clap-plain", "clap-padded"] {
        check(&folder(name));
    }
}

/// Further checkpoints: `make_sound_fixtures.py OUT random SEED COUNT`.
#[test]
#[ignore = "needs ELENCHUS_PARITY, a folder of checkpoints with expected answers"]
fn further_models_of_sound_equal_transformers() {
    check_further("clap-", check);
}

/// A cast with a model of sound names the sounds of a video, and the search finds them.
#[test]
fn a_sound_is_indexed_and_found() {
    let place = Place::new();
    let fixture = folder("clap-plain");
    place.write("agents/clap.yaml", &format!("model: {{ path: {} }}\n", fixture.display()));
    place.write("vocab/noises.txt", "dog\nrain\ndoorbell\n");
    let cast = starter_cast().replace("cast: {", "cast: { listener: clap,").replace("starter/sounds", "noises");
    place.write("casts/sounding.yaml", &cast);
    let (model, day) = (fixture.to_str().unwrap(), "days/one.mp4");
    let ranked = place.json(&["try", "--model", model, "--audio", day, "--among", "dog,rain,doorbell"]);
    assert_eq!(ranked["scores"].as_array().map(Vec::len), Some(3), "{ranked}");
    let vector = place.json(&["try", "--model", model, "--audio", day, "--embed"]);
    assert_eq!(vector["embedding"].as_array().map(Vec::len), Some(24), "{vector}");
    let levels = ["index", day, "--cast", "sounding", "--trust", "--levels", "speech,ranking,sounds"];
    let indexed = place.json(&levels);
    assert!(indexed.to_string().contains("sounds"), "{indexed}");
    let shown = place.json(&["journal", "show"]);
    let of_sound = |lines: &Json| {
        let found = lines.as_array().unwrap().iter().find(|line| line["sense"] == "sound").cloned();
        found.unwrap_or_else(|| panic!("{lines}"))
    };
    let heard = of_sound(&shown);
    let found = of_sound(&place.json(&["search", heard["text"].as_str().unwrap()]));
    assert_eq!((&found["id"], &found["start"]), (&heard["id"], &heard["start"]));
}

/// Settings that this code does not compute are refused, each in one line.
#[test]
fn what_is_not_computed_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let check = |file: &str, change: &dyn Fn(&mut Json), message: &str| {
        for entry in std::fs::read_dir(folder("clap-plain")).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), place.path().join(entry.file_name())).unwrap();
        }
        let mut json = json_of(&place.path().join(file));
        change(&mut json);
        std::fs::write(place.path().join(file), json.to_string()).unwrap();
        let checkpoint = elenchus::infer::checkpoint::Checkpoint::open(place.path()).unwrap();
        let family = elenchus::models::family(None, &checkpoint.config).unwrap();
        let error = (family.load)(&checkpoint, &loading()).map(|_| ()).expect_err(message).to_string();
        assert!(error.contains(message) && !error.contains('\n') && error.len() < 300, "{error}");
    };
    let config = |key: &'static str, value: Json, message: &str| {
        check("config.json", &|json| json["audio_config"][key] = value.clone(), message);
    };
    config("enable_fusion", json!(true), "models with fusion");
    config("patch_stride", json!([2, 2]), "patches of 4 with a stride of 2");
    config("patch_size", json!([4, 5]), "`patch_size` must be two equal numbers");
    config("depths", json!([2, "x"]), "`depths` must be a list");
    config("depths", json!([2, 2, 2]), "3 stages with 2 numbers of heads");
    config("window_size", json!(200), "do not fit");
    let large = |json: &mut Json| {
        json["audio_config"]["spec_size"] = json!(2048);
        json["audio_config"]["depths"] = json!([8, 8]);
    };
    check("config.json", &large, "attend to too much at once");
    config("num_attention_heads", json!([3, 4]), "cannot have 3 heads");
    config("hidden_size", json!(33), "`hidden_size` must be 32");
    let features = |key: &'static str, value: Json, message: &str| {
        check("preprocessor_config.json", &|json| json[key] = value.clone(), message);
    };
    features("truncation", json!("fusion"), "`truncation` must be rand_trunc");
    features("padding", json!("mirror"), "`padding` must be");
    features("feature_size", json!(17), "`feature_size` must be 16");
    features("max_length_s", json!(100), "a window has");
    features("frequency_min", json!(7500), "`frequency_min` 7500 must be below");
}
