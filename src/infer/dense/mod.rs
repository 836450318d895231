//! The layers of encoders on a CPU: weights that are packed once, and passes over slices instead of tensors.
//!
//! candle packs the weights anew in every product and makes a pass with a fresh buffer for each of bias, activation,
//! softmax and residual. Here the matrices are packed when the model loads (`packed`), the products add bias and
//! residual themselves, the passes are vectorised and stay in the cache (`rows`), and attention computes its scores
//! piece by piece (`attention`). Other devices and formats use candle's tensors.
//!
//! The result of a row does not depend on the rows beside it, nor on the number of threads: each number is summed in
//! an order that follows from the shape of the weights alone. It does depend on the instructions of the CPU ([`tier`]).
//! Products are those of `rten-gemm`, passes those of `rten-vecmath`; no other file names these crates.

mod attention;
mod block;
mod convolution;
mod packed;
mod rows;
#[cfg(test)]
mod tests;

pub use attention::Sees;
pub use block::{BlockParts, DenseBlock, DenseBlocks, NormParts, NormPlace, Stack};
pub use convolution::FrameConvolution;
pub use packed::{Packed, tier};
pub use rows::{activate, activated, softmax};

use candle_core::{CpuStorage, DType, Result, Storage, Tensor, bail};

/// The number format of an encoder's products on a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32-bit floating-point numbers.
    #[default]
    F32,
    /// 8-bit integers: weights with a scale for each output, activations with a scale for each row.
    Int8,
}

impl Precision {
    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Int8 => "int8",
        }
    }
}

/// How a family holds its matrices on a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// In the format of the file, or packed in part.
    AsStored,
    /// Packed in f32.
    F32,
    /// Packed in f32, or in 8-bit integers if the agent asks for it.
    Int8,
}

impl Packing {
    /// True if matrices are packed, which takes four bytes for each number of them.
    pub fn packs(self) -> bool {
        self != Packing::AsStored
    }
}

/// Calls `use_values` with the numbers of a tensor of f32 on a CPU, which must be contiguous.
pub fn with_values<T>(x: &Tensor, use_values: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let (storage, layout) = x.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((from, to))) => use_values(&values[from..to]),
        _ => bail!("expected contiguous f32 numbers on a CPU, found {:?}", x.dtype()),
    }
}

/// True for a tensor whose numbers [`with_values`] reads.
pub fn has_values(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32 && x.is_contiguous()
}
