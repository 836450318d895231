//! Compares image classifiers with `transformers` and timm on the same weights: the logits of every picture, with the
//! preparation of pictures included. `tests/parity/make_classifier_fixtures.py` made the fixtures.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use candle_core::{DType, Device, Tensor, safetensors};
use elenchus::{
    error::Fault,
    exchange::{FloorUse, Item, LabelList, RankRequest, Reply, Request},
    infer::{
        checkpoint::Checkpoint,
        job::{Input, Job, Model},
    },
    models::{self, ModelOptions},
    value::{ImageFile, Scored},
};
use serde_json::Value as Json;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

const TOLERANCE: f32 = 1e-4;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures").join(name)
}

fn json(path: &Path) -> Json {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn load(path: &Path) -> Result<Box<dyn Model>, Fault> {
    let checkpoint = Checkpoint::open(path)?;
    let family = models::family(None, &checkpoint.config)?;
    (family.load)(&checkpoint, &ModelOptions::new(Device::Cpu, DType::F32))
}

/// Ranks pictures among these labels (none: the model's own) in one call.
fn rank(model: &mut dyn Model, pictures: &[&str], among: &[&str]) -> Vec<Result<Vec<Scored>, Fault>> {
    let job = |picture: &&str| {
        let pixels = image::open(folder("images").join(format!("{picture}.png"))).unwrap().to_rgb8();
        let what = Item::Image(ImageFile { path: (*picture).to_owned(), digest: (*picture).to_owned() });
        let among: LabelList = among.iter().map(|label| (*label).to_owned()).collect();
        let request = Request::Rank(RankRequest { what, texts: among.clone(), among, floor: FloorUse::Unused });
        Job::new(request, vec![Input::Image(Arc::new(pixels))], 0, None)
    };
    let (jobs, answers): (Vec<_>, Vec<_>) = pictures.iter().map(job).unzip();
    model.answer(jobs);
    let scores = |reply| match reply {
        Reply::Rank(scores) => scores,
        other => panic!("{other:?}"),
    };
    answers.into_iter().map(|answer| answer.blocking_recv().unwrap().map(scores)).collect()
}

/// Compares the scores of every picture of a fixture with the expected logits; gives the largest difference, as a
/// share of the largest logit (at least 1).
fn check(path: &Path, expected: &Json) -> f32 {
    let mut model = load(path).unwrap();
    let mut worst = 0f32;
    let pictures = expected["logits"].as_object().unwrap();
    for (picture, theirs) in pictures {
        let theirs: Vec<f32> = theirs.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
        let ours = rank(&mut *model, &[picture], &[]).remove(0).unwrap();
        let mut sorted = theirs.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(ours.len(), sorted.len(), "{}", path.display());
        let most = theirs.iter().fold(1f32, |most, logit| most.max(logit.abs()));
        let differs = ours.iter().zip(&sorted).map(|(a, b)| (a.score - b).abs()).fold(0.0, f32::max) / most;
        assert!(differs <= TOLERANCE, "{}, {picture}: {differs}\n{ours:?}\n{sorted:?}", path.display());
        let powers: Vec<f64> = sorted.iter().map(|logit| f64::from(logit - sorted[0]).exp()).collect();
        let sum: f64 = powers.iter().sum();
        for (label, power) in ours.iter().zip(powers) {
            assert!((f64::from(label.probability) - power / sum).abs() < 1e-4, "{}, {picture}", path.display());
        }
        worst = worst.max(differs);
    }
    let all: Vec<&str> = pictures.keys().map(String::as_str).collect();
    let alone: Vec<_> = all.iter().map(|picture| rank(&mut *load(path).unwrap(), &[picture], &[]).remove(0)).collect();
    assert_eq!(rank(&mut *load(path).unwrap(), &all, &[]), alone, "{}: batched and alone", path.display());
    worst
}

#[test]
fn classifiers_equal_transformers() {
    let names = [
        ["vit-square", "vit-wide", "vit-half"],
        ["convnext-small", "convnext-whole", "convnext-plain"],
        ["resnet-bottleneck", "resnet-basic", "resnet-early"],
        ["mobilenet-tf", "mobilenet-plain", "mobilenet-fine"],
    ];
    for name in names.into_iter().flatten() {
        let worst = check(&folder(name), &json(&folder(name).join("expected.json")));
        println!("{name}: {worst:.1e}");
    }
}

/// Checks the checkpoints of another folder too, which `make_classifier_fixtures.py DIR random COUNT SEED` made.
#[test]
fn classifiers_of_random_shapes_equal_the_references() {
    let Ok(cases) = std::env::var("ELENCHUS_CLASSIFIER_CASES") else { return };
    let mut worst = 0f32;
    let mut paths: Vec<PathBuf> = std::fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.join("expected.json").exists());
    paths.sort();
    for path in &paths {
        worst = worst.max(check(path, &json(&path.join("expected.json"))));
    }
    println!("{} checkpoints: {worst:.1e}", paths.len());
}

/// The weights of a tensor of EfficientNet-Lite, as `formula` of `make_classifier_fixtures.py` makes them.
fn formula(name: &str, shape: &[usize]) -> Tensor {
    let seed = name
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325u64, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    let unit = |n: u64| {
        let mut z = seed.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let count = shape.iter().product::<usize>();
    let scale = (3.0 / (count / shape[0]) as f32).sqrt();
    let value = |n: u64| match name {
        _ if shape.len() > 1 => unit(n) * scale,
        _ if name.ends_with("running_var") => 1.0 + 0.5 * unit(n),
        _ if name.ends_with("weight") => 1.0 + 0.3 * unit(n),
        _ => 0.3 * unit(n),
    };
    let values: Vec<f32> = (1..=count as u64).map(value).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// A copy of a fixture of EfficientNet-Lite with its weights.
fn written(name: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(folder(name).join("config.json"), copy.path().join("config.json")).unwrap();
    let shapes: HashMap<String, Vec<usize>> = serde_json::from_value(json(&folder(name).join("shapes.json"))).unwrap();
    let tensors: HashMap<String, Tensor> =
        shapes.into_iter().map(|(name, shape)| (name.clone(), formula(&name, &shape))).collect();
    safetensors::save(&tensors, copy.path().join("model.safetensors")).unwrap();
    copy
}

mod slow {
    use super::*;

    #[test]
    fn efficientnet_lite_equals_timm() {
        for name in ["efficientnet-tf0", "efficientnet-plain1", "efficientnet-tf2"] {
            let worst = check(written(name).path(), &json(&folder(name).join("expected.json")));
            println!("{name}: {worst:.1e}");
        }
    }
}

#[test]
fn words_are_ranked_among_a_models_own_labels() {
    let mut model = load(&folder("vit-square")).unwrap();
    let own = rank(&mut *model, &["wide"], &[]).remove(0).unwrap();
    let names: Vec<&str> = own.iter().map(|label| label.text.as_str()).collect();
    assert_eq!(names.iter().filter(|name| **name == "crane").count(), 2, "{names:?}");
    let logit = |name: &str| own.iter().find(|label| label.text == name).unwrap().score;

    let some = rank(&mut *model, &["wide"], &["MUG", "tinca tinca"]).remove(0).unwrap();
    assert_eq!((some[0].text.as_str(), some[1].text.as_str()), ("MUG", "tinca tinca"));
    assert_eq!((some[0].score, some[1].score), (logit("mug"), logit("tench, Tinca tinca")));
    assert!((some[0].probability + some[1].probability - 1.0).abs() < 1e-6);

    let error = rank(&mut *model, &["wide"], &["mug", "kitchen", "street"]).remove(0).unwrap_err();
    assert_eq!(error.to_string(), "found the word `kitchen`, which is not one of the model's own 4 labels");
    assert!(error.hint.unwrap().contains("`translate:`"));
}

/// Changes a file of a copy of a fixture and checks the error.
fn refused(name: &str, file: &str, change: impl Fn(&mut Json), expected: &str) {
    let copy = tempfile::tempdir().unwrap();
    for file in ["config.json", "preprocessor_config.json", "model.safetensors"] {
        std::fs::copy(folder(name).join(file), copy.path().join(file)).unwrap();
    }
    let mut changed = json(&copy.path().join(file));
    change(&mut changed);
    std::fs::write(copy.path().join(file), changed.to_string()).unwrap();
    let found = load(copy.path()).err().map(|fault| fault.to_string()).unwrap_or_else(|| {
        let mut model = load(copy.path()).unwrap();
        rank(&mut *model, &["wide"], &[]).remove(0).expect_err(expected).to_string()
    });
    assert_eq!(found.replace(&copy.path().display().to_string(), "DIR"), expected, "{name}");
}

#[test]
fn what_does_not_fit_is_refused_with_one_line() {
    let config = |name: &str, key: &str, value: Json, expected: &str| {
        refused(name, "config.json", |json| json[key] = value.clone(), expected);
    };
    let processor = |name: &str, key: &str, value: Json, expected: &str| {
        refused(name, "preprocessor_config.json", |json| json[key] = value.clone(), expected);
    };
    let labels = serde_json::json!({"0": "a", "1": "b"});
    config(
        "vit-square",
        "id2label",
        labels,
        "DIR/model.safetensors: the tensor `classifier.weight` has the shape [4, 24], but the configuration requires [2, 24]",
    );
    config(
        "vit-square",
        "num_labels",
        9.into(),
        "config.json: `id2label` must be the names of 9 classes, from 0 to 8, not 4, found {\"0\":\"tench, Tinca tinca\",\"1\":\"crane\",\"2\":\"crane\",\"3\":\"mug\"}",
    );
    config(
        "vit-square",
        "patch_size",
        64.into(),
        "config.json: `patch_size` 64×64 does not fit `image_size` 32×32; square patches that fit are supported",
    );
    config(
        "vit-square",
        "image_size",
        16384.into(),
        "config.json: 4194305 patches with 4 heads need more than 536870912 attention scores",
    );
    config(
        "vit-square",
        "num_hidden_layers",
        3.into(),
        "the weights lack the tensor `vit.encoder.layer.2.layernorm_before.weight`",
    );
    config(
        "convnext-small",
        "depths",
        serde_json::json!([1, 1]),
        "config.json: found 4 `hidden_sizes` and 2 `depths`, expected 4 of each (`num_stages`)",
    );
    config(
        "resnet-bottleneck",
        "layer_type",
        "odd".into(),
        "config.json: `layer_type` must be basic or bottleneck, found odd",
    );
    config(
        "resnet-bottleneck",
        "hidden_sizes",
        serde_json::json!([3, 24, 32, 40]),
        "config.json: `hidden_sizes` must be 4 or more with bottleneck layers, found 3",
    );
    config(
        "mobilenet-tf",
        "depth_multiplier",
        (1e9).into(),
        "config.json: `depth_multiplier` must be a number from 0.001 to 100, found 1000000000.0",
    );
    processor(
        "vit-square",
        "image_processor_type",
        "OddImageProcessor".into(),
        "preprocessor_config.json: the image processor `OddImageProcessor` is not supported; those of ViT, DeiT, ConvNext, MobileNetV1, MobileNetV2, Bit and CLIP are",
    );
    processor(
        "vit-square",
        "size",
        16.into(),
        "the image processor prepares pictures of 16×16, but the model requires 32×32",
    );
    processor(
        "convnext-small",
        "crop_pct",
        0.into(),
        "preprocessor_config.json: `crop_pct` must be a number from 0.05 to 1, found 0",
    );
    processor(
        "convnext-small",
        "size",
        serde_json::json!({"shortest_edge": 3}),
        "the picture is too small: 3 pixels remain for a window of 4",
    );
    processor(
        "mobilenet-tf",
        "crop_size",
        4000.into(),
        "a layer would have 2000×2000 pixels of 24 channels; the maximum is 67108864 numbers",
    );
}
