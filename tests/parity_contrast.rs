//! Compares contrastive models with Python `transformers` on the same weights: SigLIP, SigLIP 2 of one size, and the
//! layouts of OpenCLIP's conversions. `tests/parity/make_contrast_fixtures.py` made the fixtures.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use elenchus::infer::checkpoint::Checkpoint;
use elenchus::models;
use std::path::Path;

#[path = "parity/common.rs"]
mod common;

use common::*;

/// Compares the vectors of pictures and texts, the scores and the probabilities, alone and in a batch.
fn check_contrast(path: &Path) {
    let name = path.file_name().unwrap().to_string_lossy();
    let mut model = model(path.to_owned());
    let expected = json_of(&path.join("expected.json"));
    let mut pictures = Vec::new();
    for (image, theirs) in expected["images"].as_object().unwrap() {
        let ours = vector(one(&mut *model, embed(picture(image))));
        close(&ours, &numbers(theirs), &format!("{name}, image {image}"));
        pictures.push((image, ours));
    }
    let mut texts = Vec::new();
    for case in expected["texts"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let ours = vector(one(&mut *model, embed(common::text(text))));
        close(&ours, &numbers(&case["vector"]), &format!("{name}, text {text:?}"));
        texts.push((text.to_owned(), ours));
    }
    let labels: Vec<String> = texts.iter().map(|(text, _)| text.clone()).collect();
    let ranked = scores(one(&mut *model, rank(picture("wide"), &labels)));
    let column = |pick: fn(&elenchus::value::Scored) -> f32| ranked.iter().map(pick).collect::<Vec<f32>>();
    close(&column(|s| s.score), &numbers(&expected["rank"]["scores"]), &format!("{name}, scores"));
    close(&column(|s| s.probability), &numbers(&expected["rank"]["probabilities"]), &format!("{name}, probabilities"));
    // a new model, so that nothing is in its caches
    let mut model = common::model(path.to_owned());
    let batch = pictures.iter().map(|(image, _)| embed(picture(image))).collect();
    for (reply, (image, alone)) in together(&mut *model, batch).into_iter().zip(&pictures) {
        assert_eq!(&vector(reply.unwrap()), alone, "{name}, {image}: batched and alone");
    }
    let batch = texts.iter().map(|(text, _)| embed(common::text(text))).collect();
    for (reply, (text, alone)) in together(&mut *model, batch).into_iter().zip(&texts) {
        assert_eq!(&vector(reply.unwrap()), alone, "{name}, {text:?}: batched and alone");
    }
}

#[test]
fn siglip_equals_transformers() {
    ["siglip-spiece", "siglip-gemma", "siglip-left"].iter().for_each(|name| check_contrast(&folder(name)));
    eprintln!("largest difference so far {:e}", *WORST.lock().unwrap());
}

#[test]
fn openclip_layouts_equal_transformers() {
    ["openclip-partial", "openclip-dict", "openclip-nulls"].iter().for_each(|name| check_contrast(&folder(name)));
    eprintln!("largest difference so far {:e}", *WORST.lock().unwrap());
}

/// Further checkpoints: `make_contrast_fixtures.py OUT random SEED COUNT`.
#[test]
#[ignore = "needs ELENCHUS_PARITY, a folder of checkpoints with expected answers"]
fn further_contrastive_checkpoints_equal_transformers() {
    check_further("contrast-", check_contrast);
}

/// The error of loading a fixture with a changed configuration.
fn changed(name: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let copied = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder(name)).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), copied.path().join(entry.file_name())).unwrap();
    }
    let mut config = json_of(&copied.path().join("config.json"));
    change(&mut config);
    std::fs::write(copied.path().join("config.json"), config.to_string()).unwrap();
    let checkpoint = Checkpoint::open(copied.path()).unwrap();
    let loaded = (models::family(None, &checkpoint.config).unwrap().load)(&checkpoint, &loading());
    loaded.err().expect("refused").to_string().replace(&copied.path().display().to_string(), "DIR")
}

#[test]
fn a_siglip_that_cannot_be_computed_is_refused() {
    let siglip = |change: fn(&mut serde_json::Value)| changed("siglip-spiece", change);
    insta::assert_snapshot!(siglip(|c| c["model_type"] = "siglip2".into()), @"config.json: SigLIP 2 with pictures of any size (NaFlex, `model_type` siglip2) is not supported; use a checkpoint of one size, such as google/siglip2-base-patch16-224");
    insta::assert_snapshot!(siglip(|c| c["vision_config"]["vision_use_head"] = false.into()), @"config.json: vision_config: `vision_use_head` is false, so that the model gives no vector for a picture; expected true");
    insta::assert_snapshot!(siglip(|c| c["text_config"]["projection_size"] = 40.into()), @"config.json: vision_config: `hidden_size` must be 40, the length of a text's vector, found 32");
    // the headers of both towers are checked although neither is loaded
    insta::assert_snapshot!(siglip(|c| c["text_config"]["vocab_size"] = 77.into()), @"DIR/model.safetensors: the tensor `text_model.embeddings.token_embedding.weight` has the shape [92, 32], but the configuration requires [77, 32]");
    insta::assert_snapshot!(siglip(|c| c["vision_config"]["num_hidden_layers"] = 9.into()), @"the weights lack the tensor `vision_model.encoder.layers.2.layer_norm1.weight`");
}
