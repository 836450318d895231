//! A checkpoint, which is a folder in Hugging Face layout or a GGUF file: its configuration, its weights, and the digest
//! that stands for them.

use super::{failed, gguf::Gguf};
use crate::{
    error::Fault,
    hub::{
        checkpoint::only_gguf,
        digest::{self, Digests, Stamp},
    },
};
use candle_core::{DType, Device, safetensors::MmapedSafetensors};
use candle_nn::VarBuilder;
use serde_json::Value as Json;
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// A checkpoint whose `config.json` (or GGUF header) was read; weights are not touched before [`Checkpoint::weights`].
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Where it lies.
    pub folder: PathBuf,
    /// `config.json`
    pub config: Config,
    stored: Stored,
}

/// How weights are stored.
#[derive(Debug, Clone)]
enum Stored {
    /// In these files.
    Safetensors(Vec<PathBuf>),
    /// In one file, together with the configuration and the tokenizer.
    Gguf(Gguf),
}

impl Checkpoint {
    /// Opens a folder: reads `config.json` and finds the weight files (`model.safetensors`, or those that
    /// `model.safetensors.index.json` names). Or opens a GGUF file, or the only one of a folder without `config.json`.
    pub fn open(path: &Path) -> Result<Checkpoint, Fault> {
        let shown = path.display();
        if path.is_file() || path.extension().is_some_and(|e| e == "gguf") {
            return Checkpoint::gguf_file(path);
        }
        if !path.is_dir() {
            return Err(Fault::model(format!("there is no folder {shown}")));
        }
        let Some(config) = read_json(&path.join("config.json"))? else {
            return match only_gguf(path).map_err(|error| Fault::model(error.line()))? {
                Some(file) => Checkpoint::gguf_file(&file),
                None => Err(Fault::model(format!(
                    "{shown} has no config.json; a checkpoint folder has config.json, tokenizer.json and model.safetensors, or one GGUF file"
                ))),
            };
        };
        let stored = Stored::Safetensors(weight_files(path)?);
        Ok(Checkpoint { folder: path.to_owned(), config: Config::new("config.json", config), stored })
    }

    fn gguf_file(path: &Path) -> Result<Checkpoint, Fault> {
        let gguf = Gguf::open(path)?;
        let config = Config::new(&path.display().to_string(), gguf.config()?);
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Checkpoint { folder, config, stored: Stored::Gguf(gguf) })
    }

    /// The GGUF file, if it is one.
    pub fn gguf(&self) -> Option<&Gguf> {
        match &self.stored {
            Stored::Gguf(gguf) => Some(gguf),
            Stored::Safetensors(_) => None,
        }
    }

    /// Another JSON file of the folder, if it is there.
    pub fn json(&self, name: &str) -> Result<Option<Config>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        Ok(Some(Config::new(name, parse(&text, &self.folder.join(name))?)))
    }

    /// The settings of one part of a processor: `part` of `processor_config.json`, as transformers 5 writes a whole
    /// processor, else `preprocessor_config.json`, else nothing but defaults.
    pub fn processor(&self, part: &str) -> Result<Config, Fault> {
        if let Some(whole) = self.json("processor_config.json")?
            && whole.get(part).is_some_and(Json::is_object)
        {
            return Ok(whole.part(part));
        }
        let own = self.json("preprocessor_config.json")?;
        Ok(own.unwrap_or_else(|| Config::new("preprocessor_config.json", Json::Object(Default::default()))))
    }

    /// A text file of the folder, or what stands for it in the GGUF file, if it is there.
    pub fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        match &self.stored {
            Stored::Gguf(gguf) => gguf.text(name),
            Stored::Safetensors(_) => read(&self.folder.join(name)),
        }
    }

    /// The weights by name, converted to `dtype` on `device` as they are read.
    pub fn weights(&self, dtype: DType, device: &Device) -> Result<VarBuilder<'static>, Fault> {
        Ok(VarBuilder::from_backend(Box::new(map(self.files()?)?), dtype, device.clone()))
    }

    fn files(&self) -> Result<&[PathBuf], Fault> {
        match &self.stored {
            Stored::Safetensors(files) => Ok(files),
            Stored::Gguf(gguf) => {
                Err(Fault::model(format!("{}: only language models are read from GGUF files", gguf.path.display())))
            }
        }
    }

    /// The number format that most of the stored values have; none if they are quantised.
    pub fn stored_dtype(&self) -> Result<Option<DType>, Fault> {
        if let Stored::Gguf(gguf) = &self.stored {
            return Ok(gguf.stored_dtype());
        }
        let mut sizes: Vec<(DType, usize)> = Vec::new();
        for (_, view) in map(self.files()?)?.tensors() {
            let Ok(dtype) = DType::try_from(view.dtype()) else { continue };
            match sizes.iter_mut().find(|(d, _)| *d == dtype) {
                Some((_, size)) => *size += view.data().len(),
                None => sizes.push((dtype, view.data().len())),
            }
        }
        Ok(sizes.into_iter().max_by_key(|(_, size)| *size).map(|(dtype, _)| dtype))
    }

    /// A digest of every file that can decide a reply: weights, configuration, tokenizer, chat template. Hex blake3 over
    /// names and contents, in order of name. Large files that did not change are not read again ([`Digests`]).
    pub fn digest(&self) -> Result<String, Fault> {
        let (digests, mut all) = (Digests::of_user(), blake3::Hasher::new());
        for file in self.deciding() {
            let digest = digests.file(&file);
            let digest = digest.map_err(|e| Fault::model(format!("{}: {e}", file.display())))?;
            all.update(file.strip_prefix(&self.folder).unwrap_or(&file).to_string_lossy().as_bytes());
            all.update(digest.as_bytes());
        }
        Ok(all.finalize().to_hex().to_string())
    }

    /// The stamps of the same files: while they are equal, so is the digest.
    pub fn stamps(&self) -> Vec<Option<Stamp>> {
        self.deciding().iter().map(|file| digest::stamp(file).ok()).collect()
    }

    /// Every file that can decide a reply, by name.
    fn deciding(&self) -> Vec<PathBuf> {
        let (mut files, folders) = match &self.stored {
            Stored::Safetensors(files) => (files.clone(), vec![self.folder.clone(), self.folder.join("1_Pooling")]),
            Stored::Gguf(gguf) => (gguf.files(), Vec::new()),
        };
        for folder in folders {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let ends =
                |p: &PathBuf| p.extension().is_some_and(|e| ["json", "jinja", "txt", "model"].iter().any(|x| e == *x));
            files.extend(entries.filter_map(|e| e.ok().map(|e| e.path())).filter(ends));
        }
        files.sort();
        files.dedup();
        files
    }
}

/// Maps weight files into memory.
#[allow(unsafe_code)]
fn map(files: &[PathBuf]) -> Result<MmapedSafetensors, Fault> {
    // SAFETY: the mapped files must not change while they are mapped. They are read right after, and tensors own copies
    // of what they hold; a checkpoint that is rewritten during those moments is a user's mistake that any loader shares.
    unsafe { MmapedSafetensors::multi(files) }.map_err(|e| Fault::model(format!("the weights cannot be read: {e}")))
}

fn weight_files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let single = folder.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let Some(index) = read_json(&folder.join("model.safetensors.index.json"))? else {
        let hint = if folder.join("pytorch_model.bin").exists() {
            "; pytorch_model.bin is not read, save it as safetensors"
        } else {
            ""
        };
        return Err(Fault::model(format!("{} has no model.safetensors{hint}", folder.display())));
    };
    let map = index.get("weight_map").and_then(Json::as_object);
    let map = map.ok_or_else(|| Fault::model("model.safetensors.index.json has no weight_map".to_owned()))?;
    let mut files: Vec<PathBuf> = map.values().filter_map(Json::as_str).map(|name| folder.join(name)).collect();
    files.sort();
    files.dedup();
    match files.iter().find(|f| !f.is_file()) {
        Some(missing) => Err(Fault::model(format!("{} is named by the index and is missing", missing.display()))),
        None => Ok(files),
    }
}

fn read_json(path: &Path) -> Result<Option<Json>, Fault> {
    read(path)?.map(|text| parse(&text, path)).transpose()
}

fn read(path: &Path) -> Result<Option<String>, Fault> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::model(format!("{}: {error}", path.display()))),
    }
}

fn parse(text: &str, path: &Path) -> Result<Json, Fault> {
    serde_json::from_str(text).map_err(|e| Fault::model(format!("{}: {e}", path.display())))
}

/// A JSON object of a checkpoint, read key by key: files written by many versions of many tools differ in what they leave
/// out, so every reader states its default. A `null` counts as absent.
#[derive(Debug, Clone)]
pub struct Config {
    name: String,
    json: Json,
}

impl Config {
    /// `name` is shown in errors.
    pub fn new(name: &str, json: Json) -> Config {
        Config { name: name.to_owned(), json }
    }
    /// The value at `key`, if it is there and not null.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.json.get(key).filter(|v| !v.is_null())
    }
    /// The object at `key`, or an empty one.
    pub fn part(&self, key: &str) -> Config {
        Config {
            name: format!("{}: {key}", self.name),
            json: self.get(key).cloned().unwrap_or_else(|| Json::Object(Default::default())),
        }
    }
    /// A whole number above zero that must be there.
    pub fn size(&self, key: &str) -> Result<usize, Fault> {
        match self.count(key) {
            Some(0) => Err(Fault::model(format!("{}: `{key}` is 0", self.name))),
            Some(size) => Ok(size),
            None => Err(Fault::model(format!("{} has no number `{key}`", self.name))),
        }
    }
    /// A whole number above zero.
    pub fn size_or(&self, key: &str, default: usize) -> Result<usize, Fault> {
        if self.get(key).is_some() { self.size(key) } else { Ok(default) }
    }
    /// A whole number.
    pub fn count(&self, key: &str) -> Option<usize> {
        self.get(key).and_then(Json::as_u64).map(|n| n as usize)
    }
    /// A number of heads that share `width` evenly.
    pub fn heads(&self, key: &str, default: usize, width: usize) -> Result<usize, Fault> {
        let heads = self.size_or(key, default)?;
        if width.is_multiple_of(heads) {
            Ok(heads)
        } else {
            Err(Fault::model(format!("{}: {heads} heads cannot share a width of {width}", self.name)))
        }
    }
    /// A number.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.get(key).and_then(Json::as_f64)
    }
    /// Text.
    pub fn string(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Json::as_str)
    }
    /// True or false.
    pub fn truth(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(Json::as_bool)
    }
    /// A token id.
    pub fn token(&self, key: &str) -> Option<u32> {
        self.get(key).and_then(Json::as_u64).and_then(|n| u32::try_from(n).ok())
    }
    /// Token ids: one, a list, or none.
    pub fn tokens(&self, key: &str) -> Vec<u32> {
        let id = |v: &Json| v.as_u64().and_then(|n| u32::try_from(n).ok());
        match self.get(key) {
            Some(Json::Array(ids)) => ids.iter().filter_map(id).collect(),
            Some(one) => id(one).into_iter().collect(),
            None => Vec::new(),
        }
    }
    /// Names to token ids.
    pub fn token_map(&self, key: &str) -> Vec<(String, u32)> {
        let pairs = self.get(key).and_then(Json::as_object).into_iter().flatten();
        pairs.filter_map(|(k, v)| v.as_u64().map(|n| (k.clone(), n as u32))).collect()
    }
    /// What its errors call it.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Three numbers, or one that stands for all three.
    pub fn triple(&self, key: &str) -> Option<[f32; 3]> {
        if let Some(one) = self.number(key) {
            return Some([one as f32; 3]);
        }
        let list: Vec<f32> = self.get(key)?.as_array()?.iter().filter_map(|v| v.as_f64().map(|v| v as f32)).collect();
        list.try_into().ok()
    }
    /// A special token's text: a string, or an object with `content`.
    pub fn special(&self, key: &str) -> Option<String> {
        let value = self.get(key)?;
        value.as_str().or_else(|| value.get("content").and_then(Json::as_str)).map(str::to_owned)
    }
    /// The activation at `key`.
    pub fn activation(&self, key: &str, default: &str) -> Result<super::ops::Activation, Fault> {
        super::ops::Activation::named(self.string(key).unwrap_or(default)).map_err(failed)
    }
    /// True if `model_type` is one of `types`, or a name in `architectures` starts with one of `prefixes`.
    pub fn is_type(&self, types: &[&str], prefixes: &[&str]) -> bool {
        let by_type = self.string("model_type").is_some_and(|t| types.contains(&t));
        let names = self.get("architectures").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        by_type || names.into_iter().any(|n| prefixes.iter().any(|p| n.starts_with(p)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let check =
            || Checkpoint::open(folder.path()).unwrap_err().to_string().replace(folder.path().to_str().unwrap(), "DIR");
        insta::assert_snapshot!(check(), @"DIR has no config.json; a checkpoint folder has config.json, tokenizer.json and model.safetensors, or one GGUF file");
        std::fs::write(folder.path().join("config.json"), "{").unwrap();
        insta::assert_snapshot!(check(), @"DIR/config.json: EOF while parsing an object at line 1 column 1");
        std::fs::write(folder.path().join("config.json"), "{}").unwrap();
        std::fs::write(folder.path().join("pytorch_model.bin"), "").unwrap();
        insta::assert_snapshot!(check(), @"DIR has no model.safetensors; pytorch_model.bin is not read, save it as safetensors");
        std::fs::write(folder.path().join("model.safetensors.index.json"), r#"{"weight_map":{"a":"x.safetensors"}}"#)
            .unwrap();
        insta::assert_snapshot!(check(), @"DIR/x.safetensors is named by the index and is missing");
    }
}
