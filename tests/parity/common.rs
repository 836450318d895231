//! Helpers of the parity tests: fixtures, requests, and the comparison of numbers.

#![allow(dead_code, reason = "each test uses some of them")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use candle_core::{DType, Device};
use elenchus::{
    error::Fault,
    exchange::{EmbedRequest, FloorUse, Item, LabelList, RankRequest, Reply, Request},
    infer::{
        checkpoint::Checkpoint,
        job::{Input, Job, Model},
    },
    models::{self, ModelOptions},
    value::{ImageFile, Scored},
};
use image::RgbImage;
use serde_json::Value as Json;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

pub(crate) const TOLERANCE: f32 = 1e-4;

/// The largest difference so far.
pub(crate) static WORST: Mutex<f32> = Mutex::new(0.0);

pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures").join(name)
}

pub(crate) fn json_of(path: &Path) -> Json {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn expected(name: &str) -> Json {
    json_of(&folder(name).join("expected.json"))
}

pub(crate) fn loading() -> ModelOptions {
    ModelOptions::new(Device::Cpu, DType::F32)
}

pub(crate) fn model(path: PathBuf) -> Box<dyn Model> {
    let checkpoint = Checkpoint::open(&path).unwrap();
    // a fixture may name its family, as an agent file does
    let family = std::fs::read_to_string(path.join("family")).ok();
    (models::family(family.as_deref().map(str::trim), &checkpoint.config).unwrap().load)(&checkpoint, &loading())
        .unwrap()
}

/// Checks every checkpoint with this prefix in the folder `ELENCHUS_PARITY`.
pub(crate) fn check_further(prefix: &str, check: impl Fn(&Path)) {
    let folder = std::env::var_os("ELENCHUS_PARITY").expect("ELENCHUS_PARITY is set");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            check(&entry.path());
            checked += 1;
        }
    }
    assert!(checked > 0);
    eprintln!("{checked} checkpoints, largest difference {:e}", *WORST.lock().unwrap());
}

/// The file of the starter cast.
pub(crate) fn starter_cast() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("casts/starter.yaml")).unwrap()
}

/// A request with its items.
pub(crate) type Work = (Request, Vec<Input>);

/// Asks all of `work` in one call.
pub(crate) fn together(model: &mut dyn Model, work: Vec<Work>) -> Vec<Result<Reply, Fault>> {
    let jobs = work.into_iter().map(|(request, inputs)| Job::new(request, inputs, 7, None));
    let (jobs, answers): (Vec<_>, Vec<_>) = jobs.unzip();
    model.answer(jobs);
    answers.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect()
}

pub(crate) fn one(model: &mut dyn Model, work: Work) -> Reply {
    together(model, vec![work]).remove(0).unwrap()
}

pub(crate) fn numbers(json: &Json) -> Vec<f32> {
    json.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

pub(crate) fn ids(json: &Json) -> Vec<u32> {
    json.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

#[track_caller]
pub(crate) fn close(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}: lengths differ");
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= TOLERANCE, "{what}: largest difference {worst}");
    let mut seen = WORST.lock().unwrap();
    *seen = seen.max(worst);
}

pub(crate) fn text(what: &str) -> (Item, Input) {
    (Item::Text(what.to_owned()), Input::Text(what.to_owned()))
}

pub(crate) fn pixels(name: &str) -> Arc<RgbImage> {
    Arc::new(image::open(folder("images").join(format!("{name}.png"))).unwrap().to_rgb8())
}

pub(crate) fn picture(name: &str) -> (Item, Input) {
    let file = ImageFile { path: name.to_owned(), digest: name.to_owned() };
    (Item::Image(file), Input::Image(pixels(name)))
}

pub(crate) fn embed((what, input): (Item, Input)) -> Work {
    (Request::Embed(EmbedRequest::new(what)), vec![input])
}

pub(crate) fn vector(reply: Reply) -> Vec<f32> {
    match reply {
        Reply::Embed(vector) => vector,
        other => panic!("{other:?}"),
    }
}

/// Ranks `labels` against an item.
pub(crate) fn rank((what, input): (Item, Input), labels: &[String]) -> Work {
    let among = LabelList::from(labels.to_vec());
    (Request::Rank(RankRequest { what, texts: among.clone(), among, floor: FloorUse::Unused }), vec![input])
}

pub(crate) fn scores(reply: Reply) -> Vec<Scored> {
    match reply {
        Reply::Rank(scores) => scores,
        other => panic!("{other:?}"),
    }
}
