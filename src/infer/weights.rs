//! The weights of a checkpoint folder: the headers of its safetensors files, and tensors read by name.
//!
//! A tensor is read, not mapped: a file that is truncated during use gives an error, while a map would crash the
//! program. The type and shape must equal those that the model expects before a byte is read. Every value must be
//! finite.

use crate::{error::Fault, files};
use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::{Init, var_builder::SimpleBackend};
use safetensors::{Dtype, tensor::Metadata};
use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The hint of a reader that takes 16-bit numbers as they are stored, where it would get f32 on a CPU. A reader without
/// the hint gets the format that it asks for. candle passes the hint through its `VarBuilder`; no weight is ever
/// initialised with it.
pub const AS_STORED: Init = Init::Const(f64::NEG_INFINITY);

/// Longest header of a file, in bytes: that of 100,000 tensors. The format allows ten times as much, which takes 20
/// seconds and 3 GB to read.
const MAX_HEADER_BYTES: u64 = 10_000_000;

/// The tensors of one or several safetensors files.
#[derive(Debug)]
pub struct Safetensors {
    shards: Vec<Shard>,
    tensors: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    file: Mutex<File>,
}

/// The position and form of a tensor.
#[derive(Debug)]
struct Entry {
    shard: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    /// The offset of the tensor, in bytes from the start of the file.
    at: u64,
    bytes: usize,
}

/// Reads the header of a safetensors file of `length` bytes. Gives its tensors, and the offset of their bytes. The
/// error is a message that follows the file's name.
pub fn header(mut file: impl Read, length: u64) -> std::result::Result<(Metadata, u64), String> {
    let mut size = [0; 8];
    file.read_exact(&mut size).map_err(|_| "is not a safetensors file".to_owned())?;
    let size = u64::from_le_bytes(size);
    if size > length.saturating_sub(8) {
        return Err("is not a safetensors file, or is truncated".to_owned());
    }
    if size > MAX_HEADER_BYTES {
        return Err(format!("has a header of {size} bytes, expected at most {MAX_HEADER_BYTES}"));
    }
    let mut header = Vec::new();
    file.take(size).read_to_end(&mut header).map_err(|e| format!("cannot be read: {e}"))?;
    let metadata: Metadata =
        serde_json::from_slice(&header).map_err(|e| format!("has a header that cannot be read: {e}"))?;
    let begin = 8 + size;
    match begin.checked_add(metadata.data_len() as u64) {
        Some(end) if end == length => Ok((metadata, begin)),
        _ => Err(format!(
            "is damaged: its header lists {} bytes of tensors, but {} bytes follow it",
            metadata.data_len(),
            length - begin
        )),
    }
}

impl Safetensors {
    /// Opens the files and reads their headers. If several files contain a tensor, the last one counts. Fails if a file
    /// is missing or damaged.
    pub fn open(paths: &[PathBuf]) -> std::result::Result<Safetensors, Fault> {
        let mut all = Safetensors { shards: Vec::new(), tensors: HashMap::new() };
        for path in paths {
            all.add(path).map_err(|why| Fault::model(format!("{} {why}", path.display())))?;
        }
        Ok(all)
    }

    fn add(&mut self, path: &Path) -> std::result::Result<(), String> {
        let mut file = files::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
        let length = file.metadata().map_err(|e| format!("cannot be read: {e}"))?.len();
        let (metadata, begin) = header(&mut file, length)?;
        let shard = self.shards.len();
        for (name, info) in metadata.tensors() {
            let (from, to) = info.data_offsets;
            let (dtype, shape) = (info.dtype, info.shape.clone());
            let entry = Entry { shard, dtype, shape, at: begin + from as u64, bytes: to - from };
            self.tensors.insert(name, entry);
        }
        self.shards.push(Shard { path: path.to_owned(), file: Mutex::new(file) });
        Ok(())
    }

    /// The number format of most stored bytes.
    pub fn dtype(&self) -> Option<DType> {
        let mut sizes: Vec<(DType, usize)> = Vec::new();
        for entry in self.tensors.values() {
            let Some(dtype) = floating(entry.dtype) else { continue };
            match sizes.iter_mut().find(|(d, _)| *d == dtype) {
                Some((_, size)) => *size += entry.bytes,
                None => sizes.push((dtype, entry.bytes)),
            }
        }
        sizes.into_iter().max_by_key(|(_, size)| *size).map(|(dtype, _)| dtype)
    }

    /// Bytes of all tensors in memory if each value takes `each` bytes (`None`: as in the files). Matrices of 16-bit
    /// numbers keep their format on a CPU.
    pub fn bytes(&self, each: Option<u64>, on_cpu: bool) -> u64 {
        let stays = |entry: &Entry| {
            on_cpu && each == Some(4) && entry.shape.len() == 2 && matches!(entry.dtype, Dtype::F16 | Dtype::BF16)
        };
        let one = |entry: &Entry| match each {
            _ if stays(entry) => entry.bytes as u64,
            Some(each) => (entry.shape.iter().product::<usize>() as u64).saturating_mul(each),
            None => entry.bytes as u64,
        };
        self.tensors.values().map(one).fold(0, u64::saturating_add)
    }

    /// The position of a tensor. Fails unless it has a floating type and the shape.
    fn entry(&self, name: &str, shape: Option<&Shape>) -> Result<(&Entry, DType)> {
        let Some(entry) = self.tensors.get(name) else { bail!("the weights lack the tensor `{name}`") };
        let shard = &self.shards[entry.shard];
        let shown = shard.path.display();
        let Some(stored) = floating(entry.dtype) else {
            bail!("{shown}: the tensor `{name}` has the type {:?}; weights must be F16, BF16, F32 or F64", entry.dtype)
        };
        if let Some(shape) = shape.filter(|shape| shape.dims() != entry.shape) {
            let asked = shape.dims();
            bail!(
                "{shown}: the tensor `{name}` has the shape {:?}, but the configuration requires {asked:?}",
                entry.shape
            )
        }
        Ok((entry, stored))
    }

    fn read(&self, name: &str, shape: Option<&Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
        let (entry, stored) = self.entry(name, shape)?;
        let shard = &self.shards[entry.shard];
        let shown = shard.path.display();
        let bytes = match shard.bytes(entry) {
            Ok(bytes) => bytes,
            Err(error) => bail!("{shown}: the tensor `{name}` cannot be read: {error}"),
        };
        if let Some((index, value)) = unfit(&bytes, stored, dtype) {
            bail!(
                "{shown}: the tensor `{name}` holds {value} at index {index}, which {} cannot represent",
                dtype.as_str()
            )
        }
        Tensor::from_raw_buffer(&bytes, stored, &entry.shape, device)?.to_dtype(dtype)
    }
}

impl Shard {
    fn bytes(&self, entry: &Entry) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(entry.bytes).map_err(|_| std::io::Error::other("the memory is too small"))?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(entry.at))?;
        (&mut *file).take(entry.bytes as u64).read_to_end(&mut bytes)?;
        match bytes.len() == entry.bytes {
            true => Ok(bytes),
            false => Err(std::io::Error::other("the file is truncated")),
        }
    }
}

impl SimpleBackend for Safetensors {
    fn get(&self, shape: Shape, name: &str, hint: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let as_stored = matches!(hint, Init::Const(f64::NEG_INFINITY)) && dtype == DType::F32 && device.is_cpu();
        let narrow = |entry: &Entry| floating(entry.dtype).filter(|d| matches!(d, DType::F16 | DType::BF16));
        let narrow = self.tensors.get(name).filter(|_| as_stored).and_then(narrow);
        self.read(name, Some(&shape), narrow.unwrap_or(dtype), device)
    }
    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        self.read(name, None, dtype, device)
    }
    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}

/// The same tensors without their values. A model that is built from them finds every missing tensor and every wrong
/// shape, and reads no byte of the weights.
#[derive(Debug)]
pub struct Headers(pub Safetensors);

impl Headers {
    fn placeholder(&self, name: &str, shape: Option<&Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
        let (entry, _) = self.0.entry(name, shape)?;
        // One number for all positions.
        Tensor::zeros((), dtype, device)?.broadcast_as(entry.shape.as_slice())
    }
}

impl SimpleBackend for Headers {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        self.placeholder(name, Some(&shape), dtype, device)
    }
    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        self.placeholder(name, None, dtype, device)
    }
    fn contains_tensor(&self, name: &str) -> bool {
        self.0.contains_tensor(name)
    }
}

/// The number format of weights; none for integers and for formats that need a separate scale.
fn floating(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        Dtype::F32 => Some(DType::F32),
        Dtype::F64 => Some(DType::F64),
        _ => None,
    }
}

/// The first value that is not finite, as stored or in the format `to`, with its index.
fn unfit(bytes: &[u8], stored: DType, to: DType) -> Option<(usize, f64)> {
    // Values up to this one stay finite when they are rounded to `to`.
    let most = match to {
        DType::F16 => 65_519.0,
        DType::BF16 => 3.39e38,
        _ => f32::MAX,
    };
    let narrow = |b: [u8; 4]| f32::from_le_bytes(b);
    let brain = |b: [u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16);
    let wide = |b: [u8; 8]| f64::from_le_bytes(b);
    // Every format can represent a finite half.
    let half_is_odd = |b: [u8; 2]| is_odd_half(b);
    let name_half = |b: [u8; 2]| if u16::from_le_bytes(b) & 0x3ff == 0 { f64::INFINITY } else { f64::NAN };
    match stored {
        DType::F16 => first(bytes, half_is_odd).map(|(n, b)| (n, name_half(b))),
        DType::BF16 => first(bytes, |b| beyond(brain(b), most)).map(|(n, b)| (n, f64::from(brain(b)))),
        DType::F64 => {
            let most = if to == DType::F64 { f64::MAX } else { f64::from(most) };
            first(bytes, |b| wide(b).is_nan() || wide(b).abs() > most).map(|(n, b)| (n, wide(b)))
        }
        _ => first(bytes, |b| beyond(narrow(b), most)).map(|(n, b)| (n, f64::from(narrow(b)))),
    }
}

/// True for NaN, and for a value that is larger than `most`.
fn beyond(value: f32, most: f32) -> bool {
    value.is_nan() || value.abs() > most
}

/// True for a half-precision value that is not finite: all bits of its exponent are set.
pub(super) fn is_odd_half(bytes: [u8; 2]) -> bool {
    u16::from_le_bytes(bytes) & 0x7c00 == 0x7c00
}

/// The first value of `N` bytes for which `is_odd` is true, with its index. Whole blocks are tested without a branch,
/// so that the compiler can use wide instructions.
fn first<const N: usize>(bytes: &[u8], is_odd: impl Fn([u8; N]) -> bool) -> Option<(usize, [u8; N])> {
    const BLOCK: usize = 1024;
    let (values, _) = bytes.as_chunks::<N>();
    let mut blocks = values.chunks(BLOCK).enumerate();
    let (block, values) = blocks.find(|(_, block)| block.iter().fold(false, |odd, value| odd | is_odd(*value)))?;
    let at = values.iter().position(|value| is_odd(*value))?;
    Some((block * BLOCK + at, values[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of one tensor `x`, as its bytes.
    fn file(dtype: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
        let header = format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[0,{}]}}}}"#, data.len());
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    /// The result of reading `x` with the shape (2) in a format.
    fn check(bytes: &[u8], dtype: DType) -> std::result::Result<Vec<f32>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, bytes).unwrap();
        let said = |e: String| e.lines().next().unwrap_or_default().replace(&path.display().to_string(), "F");
        let all = Safetensors::open(std::slice::from_ref(&path)).map_err(|e| said(e.to_string()))?;
        let read = all.get((2,).into(), "x", Init::Const(0.0), dtype, &Device::Cpu);
        read.and_then(|x| x.to_dtype(DType::F32)?.to_vec1()).map_err(|e| said(e.to_string()))
    }

    fn floats(values: [f32; 2]) -> Vec<u8> {
        file("F32", &[2], &values.map(f32::to_le_bytes).concat())
    }

    #[test]
    fn values_are_read_in_every_floating_format() {
        assert_eq!(check(&floats([1.5, -2.0]), DType::F32), Ok(vec![1.5, -2.0]));
        assert_eq!(check(&file("F16", &[2], &[0, 0x3c, 0, 0xc0]), DType::F32), Ok(vec![1.0, -2.0]));
        assert_eq!(check(&file("BF16", &[2], &[0x80, 0x3f, 0, 0xc0]), DType::F16), Ok(vec![1.0, -2.0]));
        assert_eq!(
            check(&file("F64", &[2], &[1.0f64, -2.0].map(f64::to_le_bytes).concat()), DType::F32),
            Ok(vec![1.0, -2.0])
        );
    }

    #[test]
    fn a_value_that_is_not_finite_is_refused() {
        let refused = |value: &str| Err(format!("F: the tensor `x` holds {value}"));
        for (value, shown) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
            assert_eq!(
                check(&floats([0.0, value]), DType::F32),
                refused(&format!("{shown} at index 1, which f32 cannot represent"))
            );
        }
        assert_eq!(check(&floats([65504.0, 1.0]), DType::F16).map(|v| v[0]), Ok(65504.0));
        assert_eq!(check(&floats([70000.0, 1.0]), DType::F16), refused("70000 at index 0, which f16 cannot represent"));
        assert_eq!(
            check(&file("F16", &[2], &[0, 0, 1, 0x7c]), DType::F32),
            refused("NaN at index 1, which f32 cannot represent")
        );
        assert_eq!(
            check(&file("BF16", &[2], &[0x80, 0x7f, 0, 0]), DType::F32),
            refused("inf at index 0, which f32 cannot represent")
        );
        let huge = [1e300f64, 0.0].map(f64::to_le_bytes).concat();
        assert!(check(&file("F64", &[2], &huge), DType::F32).is_err_and(|e| e.contains("at index 0")));
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_read() {
        assert_eq!(
            check(&file("I64", &[2], &[0; 16]), DType::F32),
            Err("F: the tensor `x` has the type I64; weights must be F16, BF16, F32 or F64".into())
        );
        assert_eq!(
            check(&file("F32", &[1, 2], &[0; 8]), DType::F32),
            Err("F: the tensor `x` has the shape [1, 2], but the configuration requires [2]".into())
        );
        let whole = floats([0.0, 0.0]);
        assert_eq!(
            check(&whole[..whole.len() - 1], DType::F32),
            Err("F is damaged: its header lists 8 bytes of tensors, but 7 bytes follow it".into())
        );
        assert_eq!(check(&whole[..20], DType::F32), Err("F is not a safetensors file, or is truncated".into()));
        assert_eq!(check(&whole[..4], DType::F32), Err("F is not a safetensors file".into()));
        assert!(check(&[&100u64.to_le_bytes()[..], &[b'['; 100]].concat(), DType::F32).is_err());
        let long = [&10_000_001u64.to_le_bytes()[..], &vec![b' '; 10_000_001]].concat();
        assert_eq!(check(&long, DType::F32), Err("F has a header of 10000001 bytes, expected at most 10000000".into()));
    }

    #[test]
    fn a_file_that_is_cut_while_it_is_in_use_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, floats([1.0, 2.0])).unwrap();
        let all = Safetensors::open(std::slice::from_ref(&path)).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(10).unwrap();
        let error = all.get_unchecked("x", DType::F32, &Device::Cpu).unwrap_err().to_string();
        assert!(error.contains("the tensor `x` cannot be read: the file is truncated"), "{error}");
    }
}
