//! Background vectors: embeddings of pictures that show nothing in particular, and the floor that they set for each
//! label.
//!
//! A contrastive model scores every label against every picture, even if no label fits, and some labels score high
//! against any picture. The background measures how high: the floor of a label is the [`QUANTILE`] of its scores over
//! the background. With a quantile below 1, a few background pictures that do show the label do not raise its floor.

use super::{checkpoint::Checkpoint, failed, ops};
use crate::{error::Fault, files, value::Scored};
use candle_core::{DType, Device, Tensor, safetensors};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The name of the file in a checkpoint folder.
pub const FILE: &str = "background.safetensors";

/// The share of the background that scores at most the floor. Measured on the starter eye: at 0.985, 68 of 100 moments
/// of unseen sample days pass as a place, a thing and an activity at once, and 4.5 of 100 photographs (0.98: 71 and
/// 5.5).
pub const QUANTILE: f64 = 0.985;

/// The name of the tensor in the file.
const TENSOR: &str = "vectors";
/// The fewest vectors of a background: the quantile of fewer is not reliable.
pub const MIN_VECTORS: usize = 50;
/// The maximum number of vectors: each label is scored against all of them, and more hardly move a quantile.
pub const MAX_VECTORS: usize = 4096;
/// The largest background file, in bytes: 4096 vectors of 1024 numbers in f32.
pub const MAX_FILE_BYTES: usize = 16 << 20;
/// The maximum number of labels whose floors are remembered.
const MAX_FLOORS: usize = 4096;

/// The path in `folder`, in the user's cache, for a checkpoint that cannot hold the file itself. `digest` is the
/// checkpoint's.
pub fn in_folder(folder: &Path, digest: &str) -> PathBuf {
    folder.join(format!("{digest}.safetensors"))
}

/// Background vectors of unit length.
#[derive(Debug, Clone, PartialEq)]
pub struct Background {
    vectors: Vec<Vec<f32>>,
}

impl Background {
    /// Reads a background file whose vectors have `width` numbers. Fails if the file is damaged or does not fit the
    /// model.
    pub fn read(path: &Path, width: usize) -> Result<Background, Fault> {
        let wrong =
            |why: String| Fault::model(format!("{}: {why}; write it again with `elenchus calibrate`", path.display()));
        let bytes = files::read(path, MAX_FILE_BYTES).map_err(|error| wrong(error.to_string()))?;
        let tensors = safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|error| wrong(error.to_string()))?;
        let tensor = tensors.get(TENSOR).ok_or_else(|| wrong(format!("lacks the tensor `{TENSOR}`")))?;
        let (count, found) = tensor.dims2().map_err(|_| wrong("expected a tensor of two dimensions".to_owned()))?;
        if !matches!(tensor.dtype(), DType::F16 | DType::F32) {
            return Err(wrong(format!("found numbers of type {}, expected f16 or f32", tensor.dtype().as_str())));
        }
        if found != width {
            return Err(wrong(format!("found vectors of {found} numbers, expected {width}")));
        }
        let vectors = tensor.to_dtype(DType::F32).and_then(|t| t.to_vec2::<f32>()).map_err(failed)?;
        if !(MIN_VECTORS..=MAX_VECTORS).contains(&count) {
            return Err(wrong(format!("found {count} vectors, expected {MIN_VECTORS} to {MAX_VECTORS}")));
        }
        Background::new(vectors).map_err(|error| wrong(error.to_string()))
    }

    /// Scales `vectors` to unit length. Fails if one is zero or not finite.
    pub fn new(vectors: Vec<Vec<f32>>) -> Result<Background, Fault> {
        let unit = |vector: Vec<f32>| {
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            let good = length.is_finite() && length > 0.0;
            good.then(|| vector.into_iter().map(|x| x / length).collect::<Vec<f32>>())
        };
        let vectors: Option<Vec<Vec<f32>>> = vectors.into_iter().map(unit).collect();
        vectors
            .map(|vectors| Background { vectors })
            .ok_or_else(|| Fault::model("found a vector that is zero or not finite"))
    }

    /// Writes the vectors as f16, through a temporary file, so that `path` never holds a part of them.
    pub fn write(&self, path: &Path) -> Result<(), Fault> {
        let wrong = |error: String| Fault::failed(format!("{} cannot be written: {error}", path.display()));
        let width = self.vectors.first().map_or(0, Vec::len);
        let shape = (self.vectors.len(), width);
        let tensor = Tensor::from_vec(self.vectors.concat(), shape, &Device::Cpu).and_then(|t| t.to_dtype(DType::F16));
        let tensors = HashMap::from([(TENSOR.to_owned(), tensor.map_err(failed)?)]);
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|error| wrong(error.to_string()))?;
        let part = folder.join(format!(".{FILE}-{}.part", std::process::id()));
        let written = safetensors::save(&tensors, &part).map_err(|error| error.to_string());
        let moved = written.and_then(|()| std::fs::rename(&part, path).map_err(|error| error.to_string()));
        if moved.is_err() {
            // The caller gets the error of the write; this one would only hide it.
            let _ = std::fs::remove_file(&part);
        }
        moved.map_err(wrong)
    }

    /// The number of vectors.
    pub fn count(&self) -> usize {
        self.vectors.len()
    }

    /// The score (a cosine) that a label with this vector must exceed.
    pub fn floor(&self, label: &[f32]) -> f32 {
        let mut scores: Vec<f32> = self.vectors.iter().map(|vector| ops::cosine(vector, label)).collect();
        scores.sort_by(f32::total_cmp);
        let at = ((scores.len().saturating_sub(1)) as f64 * QUANTILE).ceil() as usize;
        scores.get(at).copied().unwrap_or(f32::NEG_INFINITY)
    }
}

/// The floors of labels, each computed once.
#[derive(Debug, Default)]
pub struct Floors {
    background: Option<Background>,
    known: HashMap<String, f32>,
}

impl Floors {
    /// Reads the background of a checkpoint, if it has one; its vectors have `width` numbers.
    pub fn of(checkpoint: &Checkpoint, width: usize) -> Result<Floors, Fault> {
        let background = checkpoint.background.as_ref().map(|path| Background::read(path, width)).transpose()?;
        Ok(Floors { background, known: HashMap::new() })
    }

    /// Adds the floor to each candidate. `texts` are the texts that the model read for the candidates, `labels` their
    /// vectors. Fails if the checkpoint lacks background vectors.
    pub fn state(&mut self, scored: &mut [Scored], texts: &[String], labels: &[Arc<Vec<f32>>]) -> Result<(), Fault> {
        let background = self.background.as_ref().ok_or_else(|| Fault::model("it lacks background vectors"))?;
        if self.known.len() + texts.len() > MAX_FLOORS {
            self.known.clear();
        }
        for ((candidate, text), label) in scored.iter_mut().zip(texts).zip(labels) {
            let floor = *self.known.entry(text.clone()).or_insert_with(|| background.floor(label));
            candidate.floor = Some(floor);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` vectors whose cosine with (1, 0) grows evenly from 0 to 0.5, and `hits` vectors of the same direction as
    /// (1, 0).
    fn background(count: usize, hits: usize) -> Background {
        let around = (0..count).map(|n| {
            let cosine = 0.5 * n as f32 / (count - 1) as f32;
            vec![cosine, (1.0 - cosine * cosine).sqrt()]
        });
        Background::new(around.chain((0..hits).map(|_| vec![2.0, 0.0])).collect()).expect("a background")
    }

    #[test]
    fn a_few_pictures_that_show_the_label_do_not_raise_its_floor() {
        let plain = background(300, 0).floor(&[1.0, 0.0]);
        let hit = background(300, 3).floor(&[1.0, 0.0]);
        assert!((0.45..0.5).contains(&plain), "{plain}");
        assert!((0.45..=0.5).contains(&hit), "{hit}");
    }

    fn check(tensors: &[(&str, Tensor)], expected: &str) {
        let folder = tempfile::tempdir().expect("temp");
        let path = folder.path().join(FILE);
        let tensors: HashMap<String, Tensor> =
            tensors.iter().map(|(name, t)| ((*name).to_owned(), t.clone())).collect();
        safetensors::save(&tensors, &path).expect("written");
        let error = Background::read(&path, 2).expect_err("refused").to_string();
        assert_eq!(error, format!("{}: {expected}; write it again with `elenchus calibrate`", path.display()));
    }

    #[test]
    fn a_file_without_valid_background_vectors_is_refused() {
        let ones = |shape: (usize, usize)| Tensor::ones(shape, DType::F32, &Device::Cpu).expect("ones");
        check(&[("other", ones((60, 2)))], "lacks the tensor `vectors`");
        check(&[("vectors", ones((60, 3)))], "found vectors of 3 numbers, expected 2");
        check(&[("vectors", ones((3, 2)))], "found 3 vectors, expected 50 to 4096");
        check(&[("vectors", ones((5000, 2)))], "found 5000 vectors, expected 50 to 4096");
        let ids = Tensor::ones((60, 2), DType::I64, &Device::Cpu).expect("ones");
        check(&[("vectors", ids)], "found numbers of type i64, expected f16 or f32");
        let nan = (ones((60, 2)) * f64::NAN).expect("nan");
        check(&[("vectors", nan)], "found a vector that is zero or not finite");
        let zero = (ones((60, 2)) * 0.0).expect("zero");
        check(&[("vectors", zero)], "found a vector that is zero or not finite");
    }

    #[test]
    fn damaged_and_special_files_are_refused() {
        let folder = tempfile::tempdir().expect("temp");
        for damage in [&b""[..], b"\xff\xff\xff\xff\xff\xff\xff\x7f{}", b"\x02\0\0\0\0\0\0\0{}"] {
            let path = folder.path().join(FILE);
            std::fs::write(&path, damage).expect("written");
            assert!(Background::read(&path, 2).is_err(), "{damage:?}");
        }
        assert!(Background::read(folder.path(), 2).is_err(), "a folder");
    }

    #[test]
    fn a_written_background_is_read_again() {
        let folder = tempfile::tempdir().expect("temp");
        let path = folder.path().join("new").join(FILE);
        let background = background(60, 0);
        background.write(&path).expect("written");
        let read = Background::read(&path, 2).expect("read");
        assert_eq!(read.count(), 60);
        assert!((read.floor(&[1.0, 0.0]) - background.floor(&[1.0, 0.0])).abs() < 1e-3);
    }
}
