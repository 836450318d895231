//! Compares OWLv2 with Python `transformers` on the same weights, pictures and words
//! (`tests/parity/make_detect_fixtures.py`).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use elenchus::{
    exchange::{DetectRequest, Detection, LabelList, Reply, Request},
    infer::job::Model,
};
use serde_json::Value as Json;
use std::path::Path;

#[path = "parity/common.rs"]
mod common;
#[path = "journal/place.rs"]
mod place;

use common::*;
use place::Place;

fn detect(name: &str, labels: &[String], settings: &Json) -> Work {
    let (what, input) = picture(name);
    let among = LabelList::from(labels.to_vec());
    let number = |key: &str| settings[key].as_f64().unwrap() as f32;
    let (min, overlap) = (number("min"), number("overlap"));
    (Request::Detect(DetectRequest { what, texts: among.clone(), among, min, overlap }), vec![input])
}

fn boxes(reply: Reply) -> Vec<Detection> {
    match reply {
        Reply::Detect(boxes) => boxes,
        other => panic!("{other:?}"),
    }
}

/// Compares boxes; their sides as shares of the picture's longer side.
fn same(ours: &[Detection], theirs: &Json, side: u32, what: &str) {
    let labels = |found: &[Detection]| found.iter().map(|one| one.label.clone()).collect::<Vec<_>>();
    let theirs: Vec<Detection> = serde_json::from_value(theirs.clone()).unwrap();
    assert_eq!(labels(ours), labels(&theirs), "{what}");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        close(&[ours.score], &[theirs.score], what);
        close(&ours.area.map(|n| n / side as f32), &theirs.area.map(|n| n / side as f32), what);
    }
}

/// Checks a fixture: each request alone, and all in one batch.
fn check(path: &Path) {
    let expected = json_of(&path.join("expected.json"));
    let name = path.file_name().unwrap().to_string_lossy();
    let labels: Vec<String> = serde_json::from_value(expected["labels"].clone()).unwrap();
    let pictures = expected["pictures"].as_object().unwrap().iter();
    let cases: Vec<(&String, &Json)> = pictures
        .flat_map(|(picture, seen)| seen["settings"].as_array().unwrap().iter().map(move |case| (picture, case)))
        .collect();
    let mut owl: Box<dyn Model> = model(path.to_owned());
    let work = || cases.iter().map(|(picture, case)| detect(picture, &labels, case)).collect();
    let together = together(&mut *model(path.to_owned()), work());
    for ((picture, case), batched) in cases.iter().zip(together) {
        let (width, height) = pixels(picture).dimensions();
        let what = format!("{name}: {picture} {} {}", case["min"], case["overlap"]);
        let ours = boxes(one(&mut *owl, detect(picture, &labels, case)));
        same(&ours, &case["found"], width.max(height), &what);
        assert_eq!(ours, boxes(batched.unwrap()), "{what}: in a batch");
    }
}

#[test]
fn owlv2_equals_transformers() {
    for name in ["owlv2-plain", "owlv2-half"] {
        check(&folder(name));
    }
}

/// Further checkpoints: `make_detect_fixtures.py OUT random SEED COUNT`.
#[test]
#[ignore = "needs ELENCHUS_PARITY, a folder of checkpoints with expected answers"]
fn further_detectors_equal_transformers() {
    check_further("owlv2-", check);
}

#[test]
fn the_command_line_finds_and_draws_boxes() {
    let place = Place::new();
    let (fixture, image) = (folder("owlv2-plain"), folder("images").join("wide.png"));
    let try_with = |more: &[&str]| {
        let who = ["try", "--model", fixture.to_str().unwrap(), "--image", image.to_str().unwrap()];
        [&who[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let json = |more: &[&str]| place.json(&try_with(more).iter().map(String::as_str).collect::<Vec<_>>());
    let refused = |more: &[&str]| place.run(&try_with(more).iter().map(String::as_str).collect::<Vec<_>>(), 2);
    place.write("labels.txt", "a cup\nthe keys on the table\n");
    let found = json(&["--detect", "labels.txt", "--min", "0", "--overlap", "1", "--draw", "found.png"]);
    let found = found.as_array().unwrap();
    assert!(!found.is_empty() && found.iter().all(|one| one["box"].as_array().unwrap().len() == 4), "{found:?}");
    let drawn = image::open(place.path("found.png")).unwrap().to_rgb8();
    let plain = pixels("wide");
    assert!(drawn.dimensions() == plain.dimensions() && drawn != *plain);
    // a wording changes what the model reads
    let worded =
        json(&["--detect", "a cup,the keys on the table", "--template", "a {}", "--min", "0", "--overlap", "1"]);
    assert_ne!(worded.as_array().unwrap(), found);
    assert_eq!(json(&["--detect", "a cup,a key", "--min", "1"]), Json::Array(Vec::new()));
    // one label with a space needs no comma
    assert_eq!(json(&["--detect", "a cup", "--min", "0"]), json(&["--detect", "a cup,", "--min", "0"]));
    for (more, expected) in [
        (&["--detect", "a cup,a key", "--min", "2"][..], "expected a number from 0 to 1"),
        (&["--among", "a cup,a key"], "cannot answer `rank`"),
        (&["--detect", "nothing.txt"], "no file or list of labels is named `nothing.txt`"),
        (&["--detect", "a,b", "--template", "a photo"], "lacks {}"),
        (&["--draw", "x.png"], "--detect"),
        (&["--detect", "a,b", "--draw", "x.jpg"], "does not end with .png"),
        (&["--detect", "a,b", "--draw", "none/x.png"], "is in a folder that does not exist"),
        (&["--detect", "a,b", "--draw", image.to_str().unwrap()], "is the image itself"),
        (&["--among", "a,b", "--min", "0.5"], "cannot be used with"),
        (&[], "add --detect LABELS"),
    ] {
        let (_, err) = refused(more);
        assert!(err.contains(expected), "{more:?}: {err}");
    }
    let (clip, image) = (folder("clip-gelu"), image.to_str().unwrap());
    let (_, err) = place.run(&["try", "--model", clip.to_str().unwrap(), "--image", image, "--detect", "a,b"], 2);
    assert!(err.contains("`detect`"), "{err}");
}

/// A cast with a detector names the things in the pictures of a video, and the search finds them.
#[test]
fn detection_is_a_level() {
    let place = Place::new();
    place.write("agents/owl.yaml", &format!("model: {{ path: {} }}\n", folder("owlv2-plain").display()));
    place.write("vocab/tools.txt", "cup\nkeys\nplants\n");
    let cast = starter_cast().replace("cast: {", "cast: { detector: owl,").replace("starter/objects", "tools");
    place.write("casts/finding.yaml", &cast);
    let index = ["index", "days/one.mp4", "--trust", "--levels", "detection"];
    place.run(&index, 2);
    // a cast with the role alone is enough
    place.write("casts/bare.yaml", "cast: { detector: owl }\n");
    place.json(&[&index[..], &["--cast", "bare"]].concat());
    let indexed = place.json(&[&index[..], &["--cast", "finding"]].concat());
    assert!(indexed.to_string().contains("\"detection\""), "{indexed}");
    let shown = place.json(&["journal", "show"]);
    let line = shown.as_array().unwrap().iter().find(|line| line["sense"] == "detected").cloned();
    let line = line.unwrap_or_else(|| panic!("{shown}"));
    let word = line["labels"][0]["text"].as_str().unwrap().to_owned();
    assert!(["cup", "keys", "plants"].contains(&word.as_str()), "{line}");
    let hits = place.json(&["search", &word]);
    assert!(hits.to_string().contains("\"detected\""), "{hits}");
}
