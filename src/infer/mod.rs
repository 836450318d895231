//! The shared parts of candle models: device, checkpoint folder or GGUF file, tokenizer and chat template, decode loop,
//! image and audio preprocessing, and the worker thread that owns a model and batches its waiting jobs.

pub mod audio;
pub mod background;
pub mod causal;
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
pub mod dense;
pub mod device;
mod draft;
pub mod few;
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
pub mod perceived;
pub mod pictures;
pub mod prefix;
pub mod prenorm;
pub mod processors;
mod prompts;
pub mod quantised;
pub mod resample;
mod restrict;
pub mod rope;
pub mod sampling;
pub mod seen;
pub mod sentencepiece;
pub mod text;
pub mod thinking;
mod together;
mod token_bytes;
pub mod towers;
pub mod voice;
pub mod weights;
pub mod worker;
mod writing;

use crate::error::Fault;

/// Turns a failure inside a model into an error of its agent. Only the first line is kept: where backtraces are on,
/// candle prints one below it. A device without memory for a request is an error of that request: the model stays usable.
pub fn failed(error: impl std::fmt::Display) -> Fault {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    if is_out_of_memory(&text) {
        return Fault::failed(format!("the device has no memory left for this request ({line})")).hint(
            "fewer requests at once (`limits: { batch: 1 }` in the agent's file), a shorter prompt (`context_tokens`), smaller \
             pictures (`picture_pixels`) or a smaller model need less; other programs may hold memory of the device; \
             `--device cpu` uses the machine's memory",
        );
    }
    Fault::model(line.to_owned())
}

/// True for an error of CUDA, cuBLAS or Metal that says that the device's memory is used up.
pub fn is_out_of_memory(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    let words = ["out_of_memory", "out of memory", "outofmemory", "cublas_status_alloc_failed", "memory allocation"];
    words.iter().any(|word| error.contains(word))
}

/// The error for computed numbers of which one is not finite: `value`. `what` is a plural, such as `the scores`.
pub fn not_finite(what: &str, value: f32) -> Fault {
    Fault::model(format!("{what} that the model computed hold {value}; its weights or its configuration are damaged"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FaultKind;

    #[test]
    fn a_device_without_memory_fails_the_request_alone() {
        let driver = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")\n   0: candle_core::error";
        let fault = failed(driver);
        assert_eq!(fault.kind, FaultKind::Failed);
        insta::assert_snapshot!(fault, @r#"the device has no memory left for this request (DriverError(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"))"#);
        assert!(fault.hint.is_some_and(|hint| hint.contains("--device cpu")));
        assert_eq!(failed("CublasError(CUBLAS_STATUS_ALLOC_FAILED)").kind, FaultKind::Failed);
        assert_eq!(failed("shape mismatch in matmul\nbacktrace").kind, FaultKind::Model);
    }
}
