//! What all candle models share: device, checkpoint folder, tokenizer and chat template, decode loop, image and
//! audio preprocessing, and the worker thread that owns a model and batches what waits for it.

pub mod audio;
pub mod chat;
pub mod checkpoint;
pub mod decode;
pub mod device;
pub mod gguf;
pub mod image;
pub mod job;
pub mod manners;
pub mod ops;
pub mod resample;
pub mod rope;
pub mod sampling;
pub mod text;
pub mod worker;

use crate::error::Fault;

/// Turns what went wrong inside a model into an error of its agent. Only the first line is kept: where backtraces are on,
/// candle prints one below it.
pub fn failed(error: impl std::fmt::Display) -> Fault {
    Fault::model(error.to_string().lines().next().unwrap_or_default().to_owned())
}
