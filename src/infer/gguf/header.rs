//! The header of a GGUF file, read within limits. candle's own reader divides by the alignment that a file states,
//! which may be 0, and uses 32 bytes of memory for each byte of a list. Format:
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use candle_core::{
    Shape,
    quantized::{
        GgmlDType,
        gguf_file::{Content, DEFAULT_ALIGNMENT, TensorInfo, Value, VersionedMagic},
    },
};
use std::{
    collections::HashMap,
    io::{BufRead, ErrorKind, Read as _},
};

/// Largest header, in bytes: a vocabulary of 256 thousand tokens with its merges and scores has some 10 MB.
const MAX_BYTES: u64 = 256 << 20;
/// The maximum number of values in all lists together.
const MAX_VALUES: u64 = 4 << 20;
/// Deepest nesting of lists.
const MAX_DEPTH: usize = 4;
/// The maximum number of dimensions of a tensor.
const MAX_DIMENSIONS: u32 = 4;

/// What becomes of the lists of a header, which are nearly all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// They are read.
    Kept,
    /// They are passed over, and become empty lists: their values are not needed.
    Skipped,
}

/// Reads the header of a file of `length` bytes. The error is a message that follows the file's name.
pub fn read(file: impl BufRead, length: u64, lists: Lists) -> Result<Content, String> {
    let is_long = length > MAX_BYTES;
    let mut bytes = Bytes { file: file.take(MAX_BYTES.min(length)), is_long, wide: true, values: MAX_VALUES, lists };
    if &bytes.array::<4>().unwrap_or_default() != b"GGUF" {
        return Err("is not a GGUF file".to_owned());
    }
    let magic = match bytes.u32()? {
        1 => VersionedMagic::GgufV1,
        2 => VersionedMagic::GgufV2,
        3 => VersionedMagic::GgufV3,
        other => return Err(format!("has version {other} of the GGUF format; versions 1 to 3 are supported")),
    };
    bytes.wide = magic != VersionedMagic::GgufV1;
    let (tensors, values) = (bytes.size()?, bytes.size()?);
    let mut metadata = HashMap::new();
    for _ in 0..values {
        let key = bytes.text()?;
        let kind = bytes.u32()?;
        let value = bytes.value(kind, 0)?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(format!("states `{key}` twice"));
        }
    }
    let mut tensor_infos = HashMap::new();
    for _ in 0..tensors {
        let name = bytes.text()?;
        let info = bytes.tensor(&name)?;
        if tensor_infos.insert(name.clone(), info).is_some() {
            return Err(format!("lists the tensor `{name}` twice"));
        }
    }
    let alignment = match metadata.get("general.alignment") {
        None => DEFAULT_ALIGNMENT,
        Some(stated) => super::whole(stated).filter(|n| n.is_power_of_two() && *n <= 1 << 20).ok_or_else(|| {
            format!("states the `general.alignment` {}; it must be a power of two", super::shown(stated))
        })?,
    };
    let read = MAX_BYTES.min(length) - bytes.file.limit();
    Ok(Content { magic, metadata, tensor_infos, tensor_data_offset: read.div_ceil(alignment) * alignment })
}

/// A reader of the header's values.
struct Bytes<R> {
    file: std::io::Take<R>,
    /// The file is longer than the largest header.
    is_long: bool,
    /// Lengths have eight bytes; in version 1 they have four.
    wide: bool,
    /// The number of values that further lists may hold.
    values: u64,
    lists: Lists,
}

impl<R: BufRead> Bytes<R> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(|e| self.failed(&e))?;
        Ok(bytes)
    }

    fn failed(&self, error: &std::io::Error) -> String {
        match error.kind() {
            ErrorKind::UnexpectedEof => self.ended(),
            _ => format!("cannot be read: {error}"),
        }
    }

    fn ended(&self) -> String {
        match self.is_long {
            true => format!("has a header of more than {MAX_BYTES} bytes"),
            false => "is truncated: its header is incomplete".to_owned(),
        }
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length or a count.
    fn size(&mut self) -> Result<u64, String> {
        if self.wide { self.u64() } else { self.u32().map(u64::from) }
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.size()?;
        if length > self.file.limit() {
            return Err(self.ended());
        }
        let mut bytes = Vec::new();
        (&mut self.file).take(length).read_to_end(&mut bytes).map_err(|e| self.failed(&e))?;
        // Some programs end texts with a zero byte.
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::U8(u8::from_le_bytes(self.array()?)),
            1 => Value::I8(i8::from_le_bytes(self.array()?)),
            2 => Value::U16(u16::from_le_bytes(self.array()?)),
            3 => Value::I16(i16::from_le_bytes(self.array()?)),
            4 => Value::U32(self.u32()?),
            5 => Value::I32(i32::from_le_bytes(self.array()?)),
            6 => Value::F32(f32::from_le_bytes(self.array()?)),
            7 => Value::Bool(self.array::<1>()? != [0]),
            8 => Value::String(self.text()?),
            9 => self.list(depth)?,
            10 => Value::U64(self.u64()?),
            11 => Value::I64(i64::from_le_bytes(self.array()?)),
            12 => Value::F64(f64::from_le_bytes(self.array()?)),
            other => return Err(format!("has a header that cannot be read: unknown value type {other}")),
        })
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let (kind, length) = (self.u32()?, self.size()?);
        if depth >= MAX_DEPTH {
            return Err(format!("has lists nested deeper than {MAX_DEPTH} levels"));
        }
        self.values =
            self.values.checked_sub(length).ok_or_else(|| format!("has lists of more than {MAX_VALUES} values"))?;
        if self.lists == Lists::Skipped {
            (0..length).try_for_each(|_| self.skip_value(kind, depth + 1))?;
            return Ok(Value::Array(Vec::new()));
        }
        (0..length).map(|_| self.value(kind, depth + 1)).collect::<Result<_, _>>().map(Value::Array)
    }

    fn skip_value(&mut self, kind: u32, depth: usize) -> Result<(), String> {
        if kind != 8 {
            return self.value(kind, depth).map(drop);
        }
        let mut left = self.size()?;
        if left > self.file.limit() {
            return Err(self.ended());
        }
        while left > 0 {
            let found = self.file.fill_buf().map(|bytes| bytes.len() as u64).map_err(|e| self.failed(&e))?.min(left);
            if found == 0 {
                return Err(self.ended());
            }
            self.file.consume(found as usize);
            left -= found;
        }
        Ok(())
    }

    fn tensor(&mut self, name: &str) -> Result<TensorInfo, String> {
        let dimensions = self.u32()?;
        if dimensions > MAX_DIMENSIONS {
            return Err(format!("has a tensor `{name}` of {dimensions} dimensions; the maximum is {MAX_DIMENSIONS}"));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let size = self.size()?;
            shape.push(usize::try_from(size).map_err(|_| format!("has a tensor `{name}` of {size} rows"))?);
        }
        shape.reverse();
        let (number, offset) = (self.u32()?, self.u64()?);
        let ggml_dtype = tensor_type(number)
            .ok_or_else(|| format!("holds tensors of type {}, which is not supported", type_name(number)))?;
        Ok(TensorInfo { ggml_dtype, shape: Shape::from(shape), offset })
    }
}

/// The tensor types that candle computes with, by their numbers in `enum ggml_type` of ggml.h. Q8_1 and Q8_K are those of
/// activations, which no file holds.
fn tensor_type(number: u32) -> Option<GgmlDType> {
    Some(match number {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        30 => GgmlDType::BF16,
        _ => return None,
    })
}

/// ggml's name for a tensor type that is not read (`enum ggml_type` of ggml.h).
fn type_name(number: u32) -> String {
    let known = match number {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        other => return format!("number {other}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Vec<u8> {
        [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat()
    }

    /// A header of version 3 with these values (key, type, bytes) and tensors (name, dimensions, type).
    fn header(values: &[(&str, u32, &[u8])], tensors: &[(&str, &[u64], u32)]) -> Vec<u8> {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend((tensors.len() as u64).to_le_bytes());
        bytes.extend((values.len() as u64).to_le_bytes());
        for (key, kind, value) in values {
            bytes.extend([&text(key), &kind.to_le_bytes()[..], value].concat());
        }
        for (name, shape, kind) in tensors {
            bytes.extend([&text(name), &(shape.len() as u32).to_le_bytes()[..]].concat());
            shape.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
            bytes.extend([&kind.to_le_bytes()[..], &0u64.to_le_bytes()].concat());
        }
        bytes
    }

    fn check(bytes: &[u8]) -> Result<Content, String> {
        let whole = read(bytes, bytes.len() as u64, Lists::Kept);
        let sketch = read(bytes, bytes.len() as u64, Lists::Skipped);
        let shown = |content: &Result<Content, String>| match content {
            Ok(content) => Ok((content.tensor_data_offset, content.metadata.len(), content.tensor_infos.len())),
            Err(error) => Err(error.clone()),
        };
        assert_eq!(shown(&whole), shown(&sketch));
        whole
    }

    #[test]
    fn a_header_is_read() {
        let list = [&8u32.to_le_bytes()[..], &2u64.to_le_bytes(), &text("a"), &text("b\0")].concat();
        let bytes = header(&[("l", 9, &list), ("general.alignment", 4, &64u32.to_le_bytes())], &[("t", &[3, 2], 0)]);
        let content = check(&bytes).expect("read");
        assert_eq!(content.metadata["l"].to_vec().expect("a list")[1].to_string().expect("text"), "b");
        assert_eq!(content.tensor_infos["t"].shape.dims(), [2, 3]);
        assert_eq!(content.tensor_data_offset, (bytes.len() as u64).div_ceil(64) * 64);
    }

    #[test]
    fn an_invalid_header_gives_a_clear_error() {
        let refused = |values: &[(&str, u32, &[u8])], tensors: &[(&str, &[u64], u32)]| {
            check(&header(values, tensors)).map(|_| ()).expect_err("refused")
        };
        insta::assert_snapshot!(refused(&[("general.alignment", 4, &[0; 4])], &[]), @"states the `general.alignment` 0; it must be a power of two");
        insta::assert_snapshot!(refused(&[("general.alignment", 8, &text("x"))], &[]), @r#"states the `general.alignment` "x"; it must be a power of two"#);
        insta::assert_snapshot!(refused(&[("a", 0, &[1]), ("a", 0, &[1])], &[]), @"states `a` twice");
        insta::assert_snapshot!(refused(&[("a", 13, &[1])], &[]), @"has a header that cannot be read: unknown value type 13");
        insta::assert_snapshot!(refused(&[("a", 9, &[&0u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat())], &[]), @"has lists of more than 4194304 values");
        insta::assert_snapshot!(refused(&[("a", 8, &u64::MAX.to_le_bytes())], &[]), @"is truncated: its header is incomplete");
        insta::assert_snapshot!(refused(&[], &[("t", &[1, 1, 1, 1, 1], 0)]), @"has a tensor `t` of 5 dimensions; the maximum is 4");
        insta::assert_snapshot!(refused(&[], &[("t", &[1], 15)]), @"holds tensors of type Q8_K, which is not supported");
        insta::assert_snapshot!(refused(&[], &[("t", &[1], 16)]), @"holds tensors of type IQ2_XXS, which is not supported");
        let nested = [&9u32.to_le_bytes()[..], &1u64.to_le_bytes()].concat().repeat(9);
        insta::assert_snapshot!(refused(&[("a", 9, &nested)], &[]), @"has lists nested deeper than 4 levels");
    }

    #[test]
    fn a_truncated_header_is_refused() {
        let bytes = header(&[("a", 4, &[1; 4])], &[("t", &[3], 0)]);
        (0..bytes.len()).for_each(|n| assert!(check(&bytes[..n]).is_err(), "{n}"));
        assert!(check(&bytes).is_ok());
    }
}
