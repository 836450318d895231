//! The self-test of each family: a tiny checkpoint, requests of every kind that the family answers, and the numbers that
//! a CPU computes in f32.
//!
//! A device whose driver or kernels are broken may compute nonsense without an error. Its answers would look like those
//! of a poor model. The self-test loads the checkpoint through the family's own code on the device, and compares the
//! replies with the stored ones. `elenchus doctor` tests every family, and a model is tested before it is loaded on an
//! accelerator.
//!
//! `golden/FAMILY.json` holds the texts of the checkpoint, and the names and shapes of its tensors; the values follow from
//! the names (`tests/parity/make_golden.py`). A further family needs such a file, a row in the list, and its numbers in
//! `expected.json` (`ELENCHUS_RECORD=1 cargo test --lib golden`).

use super::{ModelOptions, family};
use crate::{
    error::Fault,
    exchange::{
        Decoding, DetectRequest, EmbedRequest, FloorUse, HearRequest, Item, Kind, LabelList, Message, Modality,
        RankRequest, Reply, Request, SayRequest,
    },
    infer::{
        checkpoint::Checkpoint,
        device, failed,
        guard::guarded,
        job::{Input, Job, SoundSource},
    },
    value::{ImageFile, Media, Moment, Time},
};
use candle_core::{
    DType, Device, Module, Tensor,
    quantized::{GgmlDType, QMatMul, QTensor},
};
use image::RgbImage;
use safetensors::{Dtype, tensor::TensorView};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

macro_rules! golden {
    ($($family:literal),* $(,)?) => {
        /// The family and the checkpoint of each self-test.
        const ALL: &[(&str, &str)] = &[$(($family, include_str!(concat!("golden/", $family, ".json")))),*];
    };
}

golden![
    "clip",
    "siglip",
    "clap",
    "owlv2",
    "decoder-embedder",
    "qwen3-reranker",
    "llama",
    "qwen3_vl",
    "smolvlm",
    "whisper",
    "parakeet_tdt",
    "bert",
    "roberta",
    "xlm-roberta",
    "modernbert",
    "cross-encoder",
    "entailment",
    "text-classifier",
    "vit",
    "convnext",
    "resnet",
    "mobilenet_v2",
    "efficientnet_lite",
];

/// The numbers of each family's replies.
const EXPECTED: &str = include_str!("golden/expected.json");

/// The largest relative difference (of the whole reply) of a device that computes well; nonsense differs by about 1. On a CPU, f16 gives
/// up to 0.013 and bf16 up to 0.18. Sums in another order give 1e-5 in f32.
fn limit(dtype: DType) -> f32 {
    match dtype {
        DType::BF16 => 0.3,
        DType::F16 => 0.05,
        _ => 1e-3,
    }
}

/// A checkpoint whose values follow from the names of its tensors.
#[derive(Deserialize)]
struct Made {
    files: BTreeMap<String, String>,
    tensors: BTreeMap<String, Vec<usize>>,
}

/// The outcome of each self-test in this process, by family, device and format.
type Outcomes = BTreeMap<(&'static str, String, &'static str), Result<(), String>>;

/// The families with a self-test.
pub fn families() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(family, _)| *family)
}

/// Runs a family's self-test on a device. Gives the largest relative difference from the stored numbers; none if the
/// family has no self-test. Fails with the reason if the device computes nonsense, or cannot compute it. Blocks.
pub fn test(name: &str, device: &Device, dtype: DType) -> Result<Option<f32>, String> {
    let Some((_, made)) = ALL.iter().find(|(family, _)| *family == name) else { return Ok(None) };
    let expected: BTreeMap<String, Vec<Vec<f32>>> =
        serde_json::from_str(EXPECTED).map_err(|error| format!("expected.json: {error}"))?;
    let expected = expected.get(name).ok_or_else(|| format!("no expected numbers are stored for {name}"))?;
    let found = replies(name, made, device, dtype)?;
    compare(&found, expected, dtype).map(Some)
}

/// Runs a family's self-test on a device by its name, in each format that models compute in there. Gives the largest
/// difference of each format. Blocks. Fails with the reason if the device cannot be opened or computes nonsense.
pub fn on(name: &str, device: &str) -> Result<Vec<(&'static str, f32)>, String> {
    let device = device::open(device).map_err(|fault| fault.message)?;
    let formats: &[DType] = if device.is_cpu() { &[DType::F32] } else { &[DType::F32, DType::F16, DType::BF16] };
    let mut found = Vec::new();
    for dtype in formats {
        let difference = test(name, &device, *dtype).map_err(|why| format!("{}: {why}", dtype.as_str()))?;
        found.extend(difference.map(|difference| (dtype.as_str(), difference)));
    }
    Ok(found)
}

/// The formats of the matrices in GGUF files that are tested.
const FORMATS: [GgmlDType; 5] = [GgmlDType::Q8_0, GgmlDType::Q6K, GgmlDType::Q5K, GgmlDType::Q4K, GgmlDType::Q4_0];
/// The largest relative difference of a product with a quantised matrix: its activations are rounded to 8 bits.
const QUANTISED_LIMIT: f64 = 0.05;

/// Multiplies with quantised matrices, as models from GGUF files do, on a device by its name. Gives the largest relative
/// difference from the product with the same numbers in f32 on the CPU. Fails with the reason if it is nonsense. Blocks.
pub fn quantised(device: &str) -> Result<f32, String> {
    products(&device::open(device).map_err(|fault| fault.message)?)
}

fn products(device: &Device) -> Result<f32, String> {
    let matrix = |name: &str, rows: usize, columns: usize| {
        let bytes = values(name, &[rows, columns]);
        let numbers: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Tensor::from_vec(numbers, (rows, columns), &Device::Cpu)
    };
    let difference = |format: GgmlDType, rows: usize| -> candle_core::Result<f64> {
        let (weights, input) = (matrix("quantised weights", 64, 256)?, matrix("quantised input", rows, 256)?);
        let stored = QTensor::quantize(&weights, format)?;
        let expected = input.matmul(&stored.dequantize(&Device::Cpu)?.t()?)?;
        let there = QMatMul::from_qtensor(QTensor::quantize(&weights.to_device(device)?, format)?)?;
        let found = there.forward(&input.to_device(device)?)?.to_device(&Device::Cpu)?;
        let norm = |tensor: &Tensor| -> candle_core::Result<f64> {
            Ok(f64::from(tensor.sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt())
        };
        Ok(norm(&(found - &expected)?)? / norm(&expected)?)
    };
    let mut worst = 0f64;
    for format in FORMATS {
        // one row and several are multiplied by different kernels
        for rows in [1, 40] {
            let found = guarded(|| difference(format, rows))?.map_err(|error| failed(error).message)?;
            if found.is_nan() || found > QUANTISED_LIMIT {
                return Err(format!("products of {rows} rows with {format:?} differ by {found:.1e}"));
            }
            worst = worst.max(found);
        }
    }
    Ok(worst as f32)
}

/// Fails if the device computes nonsense for this family, or with `is_gguf` for quantised matrices. The result is kept for the process, because it is a fact of
/// the device. The CPU is trusted: it computed the stored numbers, unless another library multiplies its matrices.
pub fn trusted(name: &'static str, device: &Device, dtype: DType, is_gguf: bool) -> Result<(), Fault> {
    static KNOWN: Mutex<Outcomes> = Mutex::new(BTreeMap::new());
    if device.is_cpu() && !cfg!(any(feature = "mkl", feature = "accelerate")) {
        return Ok(());
    }
    let place = format!("{:?}", device.location());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (name, place, if is_gguf { "quantised" } else { dtype.as_str() });
    let before = known().get(&key).cloned();
    let result = match before {
        Some(result) => result,
        None => {
            let result =
                test(name, device, dtype).and_then(|_| if is_gguf { products(device).map(drop) } else { Ok(()) });
            known().insert(key, result.clone());
            result
        }
    };
    result.map_err(|why| {
        let (class, dtype) = (device::class(device), dtype.as_str());
        Fault::model(format!("{class} is not used for {name} in {dtype}, because it fails the self-test: {why}"))
            .hint("`elenchus doctor` tests every family; update the driver, or use `--device cpu`")
    })
}

/// The largest relative difference of the replies. Fails if one is too large.
fn compare(found: &[Vec<f32>], expected: &[Vec<f32>], dtype: DType) -> Result<f32, String> {
    if found.len() != expected.len() {
        return Err(format!("it gives {} replies, expected {}", found.len(), expected.len()));
    }
    let mut worst = 0f32;
    for (found, expected) in found.iter().zip(expected) {
        // a text in a half format
        if found.is_empty() && dtype != DType::F32 {
            continue;
        }
        if found.len() != expected.len() {
            return Err(format!("a reply has {} numbers, expected {}", found.len(), expected.len()));
        }
        let norm = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|n| f64::from(n).powi(2)).sum::<f64>().sqrt();
        let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
        let relative = (difference / norm(&mut expected.iter().copied()).max(1e-6)) as f32;
        if relative.is_nan() || relative > limit(dtype) {
            return Err(format!("its numbers differ by {relative:.1e}, expected at most {:.0e}", limit(dtype)));
        }
        worst = worst.max(relative);
    }
    Ok(worst)
}

/// Loads the checkpoint on the device, and gives the numbers of the reply to each request that the family answers.
fn replies(name: &str, made: &str, device: &Device, dtype: DType) -> Result<Vec<Vec<f32>>, String> {
    let made: Made = serde_json::from_str(made).map_err(|error| format!("golden/{name}.json: {error}"))?;
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder can be made: {error}"))?;
    write(&made, folder.path())?;
    let fault = |fault: Fault| fault.message;
    guarded(|| {
        let checkpoint = Checkpoint::open(folder.path()).map_err(fault)?;
        let family = family(Some(name), &checkpoint.config).map_err(fault)?;
        let mut model = (family.load)(&checkpoint, &ModelOptions::new(device.clone(), dtype)).map_err(fault)?;
        let mut found = Vec::new();
        for answers in family.answers {
            for modality in answers.takes.iter() {
                let Some((request, input)) = request(answers.kind, modality, family.own_labels) else { continue };
                // the text of a random model changes with the last bit of a sum, so half formats are not compared in it
                let is_text = matches!(request, Request::Hear(_));
                let (job, answer) = Job::new(request, input, 0, None);
                model.answer(vec![job]);
                let reply = answer.blocking_recv().map_err(|_| "it gives no reply".to_owned())?.map_err(fault)?;
                if !(is_text && dtype != DType::F32) {
                    found.push(numbers(&reply));
                } else {
                    found.push(Vec::new());
                }
            }
        }
        Ok(found)
    })?
}

/// Writes the checkpoint as files.
fn write(made: &Made, folder: &Path) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("the checkpoint of the self-test cannot be written: {error}");
    for (name, text) in &made.files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))
            .and_then(|()| fs::write(path, text))
            .map_err(|e| failed(&e))?;
    }
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> =
        made.tensors.iter().map(|(name, shape)| (name, shape, values(name, shape))).collect();
    let mut views = Vec::new();
    for (name, shape, bytes) in &bytes {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes).map_err(|error| failed(&error))?;
        views.push((name.as_str(), view));
    }
    let file = folder.join("model.safetensors");
    safetensors::serialize_to_file(views, None, &file).map_err(|error| failed(&error))
}

/// The values of a tensor: a sequence of SplitMix64 (Steele et al. 2014) that begins with the FNV-1a digest of its name.
/// Norms and variances lie around 1, and a matrix keeps the variance of what it multiplies.
fn values(name: &str, shape: &[usize]) -> Vec<u8> {
    let seed = name
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    let unit = |n: u64| {
        let mut z = seed.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    let count: usize = shape.iter().product();
    let row = count / shape.first().copied().unwrap_or(1).max(1);
    let scale = (3.0 / row.max(1) as f32).sqrt();
    let value = |n: u64| match name {
        _ if shape.len() > 1 => unit(n) * scale,
        _ if name.ends_with("running_var") => 1.0 + 0.5 * unit(n),
        _ if name.ends_with("weight") => 1.0 + 0.3 * unit(n),
        _ => 0.3 * unit(n),
    };
    (1..=count as u64).flat_map(|n| value(n).to_le_bytes()).collect()
}

/// A request of a kind about some content, and its input. None if no self-test asks it.
fn request(kind: Kind, modality: Modality, own_labels: bool) -> Option<(Request, Vec<Input>)> {
    let (item, input) = match modality {
        Modality::Text => {
            let text = "a cat on a mat";
            (Item::Text(text.to_owned()), Input::Text(text.to_owned()))
        }
        Modality::Image => picture(),
        Modality::Sound => sound(),
        Modality::Video => return None,
    };
    let labels = if own_labels { Vec::new() } else { vec!["a cat".to_owned(), "the mat".to_owned(), "no".to_owned()] };
    let list = LabelList::from(labels);
    Some(match kind {
        Kind::Rank => {
            let rank = RankRequest { what: item, among: list.clone(), texts: list, floor: FloorUse::Unused };
            (Request::Rank(rank), vec![input])
        }
        Kind::Embed => (Request::Embed(EmbedRequest::new(item)), vec![input]),
        Kind::Detect => {
            let (min, overlap) = (0.0, 1.0);
            let detect = DetectRequest { what: item, among: list.clone(), texts: list, min, overlap };
            (Request::Detect(detect), vec![input])
        }
        Kind::Say => {
            // the likelihood of given words is a number; written words would hide small differences and show large ones
            let images = if modality == Modality::Image { vec![item] } else { Vec::new() };
            let inputs = if images.is_empty() { Vec::new() } else { vec![input] };
            let messages = vec![Message { images, ..Message::new("user", "a cat on") }];
            let choices = ["a mat", "the cat", "no", "a cat and the mat"].map(str::to_owned).to_vec();
            (Request::Say(SayRequest { choices, normalise: true, ..SayRequest::new(messages) }), inputs)
        }
        Kind::Hear => {
            let Item::Sound(moment) = item else { return None };
            let decoding = Decoding { temperature: Some(0.0), max_tokens: Some(6), ..Decoding::default() };
            let hear = HearRequest {
                audio: moment.media,
                start: None,
                end: None,
                language: Some("en".to_owned()),
                timestamps: false,
                words: false,
                decoding,
            };
            (Request::Hear(hear), vec![input])
        }
        _ => return None,
    })
}

/// A picture with gradients and an edge.
fn picture() -> (Item, Input) {
    let pixels =
        RgbImage::from_fn(60, 44, |x, y| image::Rgb([(4 * x) as u8, (5 * y) as u8, if x > 30 { 220 } else { 40 }]));
    let file = ImageFile { path: "self-test".to_owned(), digest: "self-test".to_owned() };
    (Item::Image(file), Input::Image(Arc::new(pixels)))
}

/// The length of the sound, in seconds.
const SECONDS: f64 = 1.5;

/// A tone that rises.
fn sound() -> (Item, Input) {
    let (start, end) = (Time::from_seconds(0.0), Time::from_seconds(SECONDS));
    let (source, mut pulls) = SoundSource::new(start, end);
    std::thread::spawn(move || {
        while let Some(pull) = pulls.blocking_recv() {
            let rate = f64::from(pull.rate_hz);
            let last = (SECONDS * rate) as usize;
            let sample = |n: usize| {
                let t = n as f64 / rate;
                (0.3 * (std::f64::consts::TAU * (200.0 * t + 400.0 * t * t)).sin()) as f32
            };
            pull.back.send(Ok((pull.from.min(last)..pull.to.min(last)).map(sample).collect())).ok();
        }
    });
    let media = Media { has_video: false, ..Media::new("self-test", "self-test", start, end) };
    (Item::Sound(Moment { media: Arc::new(media), start, end, text: None }), Input::Sound(source))
}

/// The numbers of a reply. Those of a text are its bytes.
fn numbers(reply: &Reply) -> Vec<f32> {
    match reply {
        Reply::Rank(scored) => scored.iter().map(|one| one.score).collect(),
        Reply::Embed(vector) => vector.clone(),
        // a random model finds all words equally unlikely: what tells is the difference between them
        Reply::Say(said) | Reply::Look(said) => {
            let mean = said.scores.iter().map(|choice| choice.logprob).sum::<f32>() / said.scores.len().max(1) as f32;
            said.scores.iter().map(|choice| choice.logprob - mean).collect()
        }
        // the order of boxes changes with the last bit of a score
        Reply::Detect(boxes) => {
            let mean =
                |side: usize| boxes.iter().map(|found| found.area[side] / 60.0).sum::<f32>() / boxes.len() as f32;
            boxes.iter().map(|found| found.score).chain((0..4).map(mean)).collect()
        }
        Reply::Hear(speech) => speech.iter().flat_map(|one| one.text.bytes()).map(f32::from).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::FAMILIES;

    #[test]
    fn every_family_has_a_self_test() {
        let own: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
        let missing: Vec<&&str> = own.iter().filter(|name| !families().any(|known| known == **name)).collect();
        assert!(
            missing.is_empty(),
            "{missing:?} need golden/FAMILY.json (tests/parity/make_golden.py) and a row in the list"
        );
        assert!(families().all(|name| own.contains(&name)));
    }

    #[test]
    fn golden_numbers_are_computed_again() {
        let mut recorded = BTreeMap::new();
        for (name, made) in ALL {
            let found = replies(name, made, &Device::Cpu, DType::F32).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert!(!found.is_empty() && found.iter().all(|reply| !reply.is_empty()), "{name}: {found:?}");
            let varies = |reply: &Vec<f32>| reply.iter().any(|n| (n - reply[0]).abs() > 1e-4);
            assert!(found.iter().all(varies), "{name}: a reply is too plain to show nonsense: {found:?}");
            recorded.insert(*name, found);
        }
        if std::env::var_os("ELENCHUS_RECORD").is_some() {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/models/golden/expected.json");
            let rounded = |n: &f32| serde_json::json!((f64::from(*n) * 1e6).round() / 1e6);
            let lines: Vec<String> = recorded
                .iter()
                .map(|(name, replies)| {
                    let replies: Vec<Vec<_>> =
                        replies.iter().map(|reply| reply.iter().map(rounded).collect()).collect();
                    format!("  {name:?}: {}", serde_json::to_string(&replies).expect("numbers"))
                })
                .collect();
            fs::write(file, format!("{{\n{}\n}}\n", lines.join(",\n"))).expect("written");
            return;
        }
        for name in families() {
            let worst = test(name, &Device::Cpu, DType::F32).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert!(worst.is_some_and(|worst| worst < 1e-4), "{name}: {worst:?}");
        }
        assert_eq!(test("none", &Device::Cpu, DType::F32), Ok(None));
        assert_eq!(trusted("clip", &Device::Cpu, DType::F32, false), Ok(()));
    }

    #[test]
    fn half_formats_stay_within_their_limits() {
        for dtype in [DType::F16, DType::BF16] {
            for name in families() {
                let worst = test(name, &Device::Cpu, dtype).unwrap_or_else(|why| panic!("{name} {dtype:?}: {why}"));
                println!("{name} {dtype:?} {worst:?}");
            }
        }
    }

    #[test]
    fn products_with_quantised_matrices_are_near() {
        let worst = quantised("cpu").expect("the CPU computes them");
        assert!(worst > 0.0 && worst < 0.02, "{worst}");
    }

    #[test]
    fn nonsense_is_found() {
        let right = [vec![1.0, -2.0, 0.5], vec![0.1, 0.2]];
        let check = |found: &[Vec<f32>], dtype| compare(found, &right, dtype);
        assert_eq!(check(&right, DType::F32), Ok(0.0));
        let near = [vec![1.001, -2.0, 0.5], vec![0.1, 0.2]];
        assert!(check(&near, DType::F32).is_ok_and(|worst| worst > 1e-4) && check(&near, DType::BF16).is_ok());
        let zero = [vec![0.0; 3], vec![0.0; 2]];
        insta::assert_snapshot!(check(&zero, DType::BF16).expect_err("nonsense"), @"its numbers differ by 1.0e0, expected at most 3e-1");
        let swapped = [vec![-2.0, 1.0, 0.5], vec![0.1, 0.2]];
        assert!(check(&swapped, DType::F16).is_err());
        assert!(check(&[vec![f32::NAN, -2.0, 0.5], vec![0.1, 0.2]], DType::BF16).is_err());
        assert!(check(&right[..1], DType::F32).is_err());
        assert!(check(&[vec![1.0], vec![0.1, 0.2]], DType::F32).is_err());
    }
}
