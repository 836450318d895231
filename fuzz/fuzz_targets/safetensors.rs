//! The header of a safetensors file: a header that passes is complete, and its tensors lie within the file.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| elenchus_fuzz::safetensors(file));
