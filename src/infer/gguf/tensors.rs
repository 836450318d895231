//! The tensors of a GGUF file, read by name. The shape must equal the one that the model expects before a byte is read.
//! Every value must be finite; for a quantised block, its scales must be.

use crate::{
    files,
    infer::{quantised::Quantised, weights::is_odd_half},
};
use candle_core::{
    DType, Device, Result, Shape, Tensor, bail,
    quantized::{
        GgmlDType, QTensor,
        ggml_file::qtensor_from_ggml,
        gguf_file::{Content, TensorInfo},
    },
};
use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

/// An open GGUF file and its header.
#[derive(Debug, Clone)]
pub struct Tensors {
    file: Arc<Mutex<File>>,
    /// The time of its last change when it was opened.
    changed: Option<SystemTime>,
    content: Arc<Content>,
    device: Device,
}

/// A matrix in an open file.
struct Matrix {
    file: Tensors,
    name: String,
    dtype: GgmlDType,
    width: usize,
    from: u64,
}

impl Matrix {
    /// The bytes of a range of rows.
    fn rows(&self, rows: Range<usize>) -> Result<Vec<u8>> {
        let part = |rows: usize| super::stored(&[rows, self.width], self.dtype).unwrap_or(u64::MAX);
        let (at, length) = (part(rows.start), part(rows.len()));
        let before = at as usize / self.dtype.type_size();
        self.file.checked(&self.name, self.dtype, self.from.saturating_add(at), length, before)
    }
}

impl Tensors {
    /// Opens the file of the header `content`.
    pub fn open(path: &Path, content: Arc<Content>, device: &Device) -> std::io::Result<Tensors> {
        let file = files::open(path)?;
        let changed = file.metadata()?.modified().ok();
        Ok(Tensors { file: Arc::new(Mutex::new(file)), changed, content, device: device.clone() })
    }

    /// The device of the tensors.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// True if the file has the tensor `name`.
    pub fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// The type of the tensor `name`, if the file has it.
    pub fn dtype(&self, name: &str) -> Option<GgmlDType> {
        self.content.tensor_infos.get(name).map(|info| info.ggml_dtype)
    }

    /// Reads the tensor `name` as it is. Fails if it is missing, has another shape, or holds a value that is not finite.
    pub fn get(&self, shape: impl Into<Shape>, name: &str) -> Result<Arc<QTensor>> {
        let (info, from) = self.find(shape.into(), name)?;
        let found = info.shape.dims();
        let Some(length) = super::stored(found, info.ggml_dtype) else { bail!("the tensor `{name}` is too large") };
        let bytes = self.checked(name, info.ggml_dtype, from, length, 0)?;
        qtensor_from_ggml(info.ggml_dtype, &bytes, found.to_vec(), &self.device).map(Arc::new)
    }

    /// Reads a tensor of floating numbers in their own format, onto the CPU. Fails as [`Tensors::get`], and if it is
    /// quantised.
    pub fn floating(&self, shape: impl Into<Shape>, name: &str) -> Result<Tensor> {
        let (info, from) = self.find(shape.into(), name)?;
        let dtype = match info.ggml_dtype {
            GgmlDType::F32 => DType::F32,
            GgmlDType::F16 => DType::F16,
            GgmlDType::BF16 => DType::BF16,
            other => bail!("the tensor `{name}` has the type {other:?}; it must be F32, F16 or BF16"),
        };
        let found = info.shape.dims();
        let Some(length) = super::stored(found, info.ggml_dtype) else { bail!("the tensor `{name}` is too large") };
        let bytes = self.checked(name, info.ggml_dtype, from, length, 0)?;
        Tensor::from_raw_buffer(&bytes, dtype, found, &Device::Cpu)
    }

    /// Reads a quantised matrix (output, input) for the CPU, piece by piece. Fails as [`Tensors::get`].
    pub fn quantised(&self, dims: (usize, usize), name: &str) -> Result<Quantised> {
        let matrix = self.matrix(dims, name)?;
        Quantised::read(matrix.dtype, dims, |rows| matrix.rows(rows))
    }

    /// As [`Tensors::quantised`], for a matrix whose rows are looked up; with `products`, it is multiplied too. Look-ups may
    /// read the file: they fail if it has changed.
    pub fn table(&self, dims: (usize, usize), name: &str, products: bool) -> Result<Quantised> {
        let matrix = self.matrix(dims, name)?;
        Quantised::table(matrix.dtype, dims, products, move |rows| matrix.rows(rows))
    }

    fn matrix(&self, dims: (usize, usize), name: &str) -> Result<Matrix> {
        let (info, from) = self.find(dims.into(), name)?;
        Ok(Matrix { file: self.clone(), name: name.to_owned(), dtype: info.ggml_dtype, width: dims.1, from })
    }

    /// The header of the tensor `name`, and the offset of its bytes in the file.
    fn find(&self, asked: Shape, name: &str) -> Result<(&TensorInfo, u64)> {
        let Some(info) = self.content.tensor_infos.get(name) else { bail!("cannot find tensor {name}") };
        let found = info.shape.dims();
        if asked.dims() != found {
            bail!("the tensor `{name}` has the shape {found:?}, but its metadata requires {:?}", asked.dims())
        }
        let (row, block) = (found.last().copied().unwrap_or(1), info.ggml_dtype.block_size());
        if !row.is_multiple_of(block) {
            let dtype = info.ggml_dtype;
            bail!("the tensor `{name}` has rows of {row} numbers, which blocks of {block} ({dtype:?}) do not divide")
        }
        Ok((info, self.content.tensor_data_offset.saturating_add(info.offset)))
    }

    /// Reads `length` bytes of a tensor, of which `before` blocks come earlier. Fails if a value is not finite.
    fn checked(&self, name: &str, dtype: GgmlDType, from: u64, length: u64, before: usize) -> Result<Vec<u8>> {
        let bytes = match self.bytes(from, length) {
            Ok(bytes) => bytes,
            Err(error) => bail!("the tensor `{name}` cannot be read: {error}"),
        };
        if let Some(block) = odd_block(&bytes, dtype) {
            bail!("the tensor `{name}` holds a value that is not finite, in block {}", before + block)
        }
        Ok(bytes)
    }

    fn bytes(&self, from: u64, length: u64) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let room = usize::try_from(length).ok().and_then(|length| bytes.try_reserve_exact(length).ok());
        room.ok_or_else(|| std::io::Error::other("the memory is too small"))?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(from))?;
        (&mut *file).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(std::io::Error::other("the file is truncated"));
        }
        match file.metadata()?.modified().ok() == self.changed {
            true => Ok(bytes),
            false => Err(std::io::Error::other("the file has changed since it was opened")),
        }
    }
}

/// The index of the first block with a number that is not finite.
fn odd_block(bytes: &[u8], dtype: GgmlDType) -> Option<usize> {
    use GgmlDType::{BF16, F16, F32, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, Q8_1, Q8K};
    // The offsets of a block's scales (candle-core, `quantized/k_quants.rs`); the rest of a block is whole numbers.
    let halves: &[usize] = match dtype {
        F16 | Q4_0 | Q5_0 | Q8_0 => &[0],
        Q4_1 | Q5_1 | Q8_1 | Q4K | Q5K => &[0, 2],
        Q2K => &[80, 82],
        Q3K => &[108],
        Q6K => &[208],
        BF16 | F32 | Q8K => &[],
    };
    let is_odd = |block: &[u8]| match dtype {
        F32 | Q8K => block.first_chunk().is_none_or(|b| !f32::from_le_bytes(*b).is_finite()),
        BF16 => block.first_chunk().is_none_or(|b| u16::from_le_bytes(*b) & 0x7f80 == 0x7f80),
        _ => halves.iter().any(|at| block[*at..].first_chunk().is_none_or(|b| is_odd_half(*b))),
    };
    bytes.chunks_exact(dtype.type_size()).position(is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_that_is_not_finite_is_found_in_every_format() {
        use GgmlDType::{BF16, F16, F32, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
        let values: Vec<f32> = (0..512).map(|n| (n as f32 * 0.37).sin()).collect();
        let x = Tensor::from_vec(values, (2, 256), &Device::Cpu).unwrap();
        for dtype in [BF16, F16, F32, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0] {
            let good = QTensor::quantize(&x, dtype).unwrap().data().unwrap().into_owned();
            assert_eq!(odd_block(&good, dtype), None, "{dtype:?}");
            // A NaN written anywhere into a block must be found if it changes the block's values.
            let size = dtype.type_size();
            let (mut shown, nan): (usize, &[u8]) = (
                0,
                if dtype == F32 {
                    &[0, 0, 0xc0, 0x7f]
                } else if dtype == BF16 {
                    &[0xc0, 0x7f]
                } else {
                    &[0, 0x7e]
                },
            );
            for at in 0..=size - nan.len() {
                let mut bad = good.clone();
                bad[size + at..size + at + nan.len()].copy_from_slice(nan);
                let tensor = qtensor_from_ggml(dtype, &bad, vec![2, 256], &Device::Cpu).unwrap();
                let values: Vec<f32> =
                    tensor.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                if values.iter().any(|v| !v.is_finite()) {
                    shown += 1;
                    assert_eq!(odd_block(&bad, dtype), Some(1), "{dtype:?} at {at}");
                }
            }
            assert!(shown > 0, "{dtype:?}");
        }
    }
}
