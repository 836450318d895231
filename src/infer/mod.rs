//! What all candle models share: device, checkpoint folder, tokenizer and chat template, decode loop, image and
//! audio preprocessing, and the worker thread that owns a model and batches what waits for it.

pub mod audio;
pub mod chat;
pub mod checkpoint;
pub mod decode;
pub mod device;
pub mod image;
pub mod job;
pub mod ops;
pub mod resample;
pub mod sampling;
pub mod text;
pub mod worker;

use crate::agent::AgentError;

/// Turns what went wrong inside a model into an error of its agent.
pub fn failed(error: impl std::fmt::Display) -> AgentError {
    AgentError::Model(error.to_string())
}
