//! The shared parts of candle models: device, checkpoint folder or GGUF file, tokenizer and chat template, decode loop,
//! image and audio preprocessing, and the worker thread that owns a model and batches its waiting jobs.

pub mod audio;
pub mod background;
pub mod chat;
pub mod checkpoint;
pub mod choices;
pub mod classes;
pub mod classify;
pub mod config;
pub mod contrast;
pub mod conv;
pub mod cost;
pub mod decode;
pub mod device;
pub mod gguf;
pub mod growth;
pub mod guard;
pub mod image;
pub mod job;
pub mod labels;
pub mod linear;
pub mod meter;
pub mod ops;
mod overflow;
pub mod pictures;
pub mod prefix;
pub mod prenorm;
pub mod processors;
pub mod quantised;
pub mod resample;
mod restrict;
pub mod rope;
pub mod sampling;
pub mod seen;
pub mod sentencepiece;
pub mod text;
pub mod thinking;
mod token_bytes;
pub mod towers;
pub mod voice;
pub mod weights;
pub mod worker;
mod writing;

use crate::error::Fault;

/// Turns a failure inside a model into an error of its agent. Only the first line is kept: where backtraces are on,
/// candle prints one below it.
pub fn failed(error: impl std::fmt::Display) -> Fault {
    Fault::model(error.to_string().lines().next().unwrap_or_default().to_owned())
}

/// The error for computed numbers of which one is not finite: `value`. `what` is a plural, such as `the scores`.
pub fn not_finite(what: &str, value: f32) -> Fault {
    Fault::model(format!("{what} that the model computed hold {value}; its weights or its configuration are damaged"))
}
