//! Compares decoders that see with Python `transformers` on the same weights and pictures
//! (`tests/parity/make_look_fixtures.py`).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use elenchus::{
    exchange::{Decoding, Item, LookRequest, Reply, Request, SayReply},
    infer::job::{Input, Model},
    value::{ImageFile, Media, Moment, Time},
};
use serde_json::{Value as Json, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

#[path = "parity/common.rs"]
mod common;
#[path = "journal/place.rs"]
mod place;

use common::*;
use place::Place;

fn look(case: &Json) -> Work {
    let names: Vec<&str> = case["images"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let image = |name: &&str| Item::Image(ImageFile { path: (*name).to_owned(), digest: (*name).to_owned() });
    let decoding =
        Decoding { temperature: Some(0.0), max_tokens: Some(24), logprobs: Some(true), ..Decoding::default() };
    let prompt = case["text"].as_str().unwrap().to_owned();
    let request = LookRequest { images: names.iter().map(image).collect(), video: false, prompt, decoding };
    (Request::Look(request), names.iter().map(|name| Input::Image(pixels(name))).collect())
}

/// A video: parts of a picture, each further to the right.
fn watch(case: &Json) -> Work {
    let number = |json: &Json| json.as_u64().unwrap() as u32;
    let (count, fps) = (number(&case["frames"]), case["fps"].as_f64().unwrap());
    let (width, height) = (number(&case["sides"][0]), number(&case["sides"][1]));
    let (from, wide) = (Time::from_seconds(7.0), pixels("wide"));
    let at = |n: u32| Time::from_seconds(7.0 + f64::from(n) / fps);
    let media: Media = serde_json::from_value(json!({
        "path": "v", "digest": "v", "start": from, "end": at(count), "has_video": true, "has_audio": false,
    }))
    .unwrap();
    let media = Arc::new(media);
    let frame = |n| Item::Frame(Moment { media: media.clone(), start: at(n), end: at(n + 1), text: None });
    // beyond the edge of a picture is black
    let part = |n: u32| {
        image::RgbImage::from_fn(width, height, |x, y| {
            wide.get_pixel_checked(3 * n + x, n + y).copied().unwrap_or(image::Rgb([0; 3]))
        })
    };
    let decoding =
        Decoding { temperature: Some(0.0), max_tokens: Some(24), logprobs: Some(true), ..Decoding::default() };
    let prompt = case["text"].as_str().unwrap().to_owned();
    let request = LookRequest { images: (0..count).map(frame).collect(), video: true, prompt, decoding };
    (Request::Look(request), (0..count).map(|n| Input::Image(Arc::new(part(n)))).collect())
}

/// The tokens and their log-probabilities.
fn tokens(reply: Reply) -> (Vec<u32>, Vec<f32>) {
    match reply {
        Reply::Look(SayReply { tokens, logprobs, .. }) => {
            (tokens, logprobs.iter().map(|token| token.logprob).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// Checks a fixture: alone, again with the cache of the last prompt, and in a batch.
fn check(path: &Path) {
    let expected = json_of(&path.join("expected.json"));
    let name = path.file_name().unwrap().to_string_lossy();
    let cases = expected["cases"].as_array().unwrap();
    let ids =
        |json: &Json| -> Vec<u32> { json.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect() };
    let check = |(found, logprobs): (Vec<u32>, Vec<f32>), case: &Json, how: &str| {
        let expected = ids(&case["tokens"]);
        let what = format!("{name}, {} {how}", case["text"]);
        assert_eq!(&found[..expected.len().min(found.len())], expected, "{what}");
        close(&logprobs[..expected.len()], &numbers(&case["logprobs"]), &what);
    };
    let mut model: Box<dyn Model> = model(path.to_owned());
    for case in cases {
        check(tokens(one(&mut *model, look(case))), case, "alone");
        check(tokens(one(&mut *model, look(case))), case, "again");
    }
    for (reply, case) in
        together(&mut *common::model(path.to_owned()), cases.iter().map(look).collect()).into_iter().zip(cases)
    {
        check(tokens(reply.unwrap()), case, "in a batch");
    }
    for case in expected["videos"].as_array().into_iter().flatten() {
        check(tokens(one(&mut *model, watch(case))), case, "of a video");
        check(tokens(one(&mut *model, watch(case))), case, "of the same video");
    }
}

#[test]
fn decoders_that_see_equal_transformers() {
    for name in ["qwen3vl-plain", "qwen3vl-untied", "gguf-qwen3vl", "smolvlm-tiles", "smolvlm-whole", "idefics3-tiles"]
    {
        check(&folder(name));
    }
}

#[test]
fn the_command_line_looks_at_pictures() {
    let place = Place::new();
    let fixture = folder("qwen3vl-plain");
    let agent = format!("model: {{ path: {} }}\nlimits: {{ picture_pixels: 1024 }}\n", fixture.display());
    place.write("agents/small.yaml", &agent);
    let ask = |who: &[&str], case: &Json| -> Json {
        let names = case["images"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        let files: Vec<PathBuf> = names.map(|name| folder("images").join(name).with_extension("png")).collect();
        let images = files.iter().flat_map(|file| ["--image", file.to_str().unwrap()]);
        let prompt = ["--prompt", case["text"].as_str().unwrap(), "--temperature", "0", "--max-tokens", "24"];
        place.json(&[&["try"], who, &images.collect::<Vec<_>>(), &prompt].concat())
    };
    let expected = json_of(&fixture.join("expected.json"));
    let cases = expected["cases"].as_array().unwrap();
    for case in cases {
        let reply = ask(&["--model", fixture.to_str().unwrap()], case);
        assert_eq!(reply["tokens"], case["tokens"], "{case}");
    }
    // a video is watched as pairs of frames, and its prompt must not be that of single pictures
    let who = ["try", "--model", fixture.to_str().unwrap(), "--temperature", "0", "--max-tokens", "8"];
    let watched = place.json(&[&who[..], &["--video", "days/one.mp4", "--prompt", "Hello"]].concat());
    assert_eq!(watched["tokens"].as_array().unwrap().len(), 8, "{watched}");
    place.run(&[&who[..], &["--video", "days/one.mp4"]].concat(), 2);
    // an agent that sees fewer pixels sees another picture
    let large = cases.iter().find(|case| case["images"].as_array().unwrap().len() == 1).unwrap();
    assert_ne!(ask(&["small", "--trust"], large)["tokens"], large["tokens"]);
}

#[test]
fn a_gguf_file_sees_with_the_projector_beside_it() {
    let place = Place::new();
    let (from, image) = (folder("gguf-qwen3vl"), folder("images").join("wide.png"));
    let to = place.path("model");
    std::fs::create_dir(&to).unwrap();
    for name in ["model.gguf", "tokenizer.json"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let text = ["try", "--model", "model/model.gguf", "--prompt", "Hello", "--temperature", "0", "--max-tokens", "4"];
    let look = [&text[..], &["--image", image.to_str().unwrap()]].concat();
    // without a projector it reads texts
    let plain = place.json(&text);
    let (_, err) = place.run(&look, 2);
    assert!(err.contains("image"), "{err}");
    let projector = from.join("mmproj-model.gguf");
    std::fs::copy(&projector, to.join("mmproj-a.gguf")).unwrap();
    assert_eq!(place.json(&text)["tokens"], plain["tokens"], "a projector does not change texts");
    assert_eq!(place.json(&look)["tokens"].as_array().unwrap().len(), 4);
    std::fs::copy(&projector, to.join("mmproj-b.gguf")).unwrap();
    let (_, err) = place.run(&look, 4);
    assert!(err.contains("holds several projectors: mmproj-a.gguf, mmproj-b.gguf"), "{err}");
    std::fs::remove_file(to.join("mmproj-b.gguf")).unwrap();
    // damaged, and of another model
    let bytes = std::fs::read(&projector).unwrap();
    std::fs::write(to.join("mmproj-a.gguf"), &bytes[..bytes.len() - 100]).unwrap();
    let (_, err) = place.run(&look, 4);
    assert!(err.contains("mmproj-a.gguf is truncated"), "{err}");
    std::fs::copy(folder("gguf-qwen3").join("model.gguf"), to.join("mmproj-a.gguf")).unwrap();
    let (_, err) = place.run(&look, 4);
    assert!(err.contains("has the projector type (none); expected qwen3vl_merger"), "{err}");
}

/// A cast with a decoder that sees reads the text in pictures into the journal.
#[test]
fn text_in_pictures_is_a_level() {
    let place = Place::new();
    place.write("agents/seer.yaml", &format!("model: {{ path: {} }}\n", folder("qwen3vl-plain").display()));
    place.write("casts/seeing.yaml", &starter_cast().replace("cast: {", "cast: { viewer: seer,"));
    let index = ["index", "days/one.mp4", "--trust", "--levels", "text"];
    place.run(&index, 2);
    let indexed = place.json(&[&index[..], &["--cast", "seeing"]].concat());
    assert!(indexed.to_string().contains("\"text\""), "{indexed}");
    let shown = place.json(&["journal", "show"]);
    assert!(shown.as_array().unwrap().iter().any(|line| line["sense"] == "read"), "{shown}");
}

/// Further checkpoints: `make_look_fixtures.py OUT random SEED COUNT`.
#[test]
#[ignore = "needs ELENCHUS_PARITY, a folder of checkpoints with expected answers"]
fn further_decoders_that_see_equal_transformers() {
    check_further("look-", check);
}
