//! The header of a safetensors file: what passes is whole, and its tensors lie within the file.
#![no_main]

use elenchus::infer::weights::header;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let length = file.len() as u64;
    if let Ok((tensors, begin)) = header(file, length) {
        for info in tensors.tensors().values() {
            assert!(begin + info.data_offsets.1 as u64 <= length);
        }
    }
});
