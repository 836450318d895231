//! A checkpoint, which is a folder in Hugging Face layout or a GGUF file: its configuration, its weights, and the
//! digest that identifies them.

use super::{
    background,
    config::Config,
    gguf::Gguf,
    weights::{Headers, Safetensors},
};
use crate::{
    error::Fault,
    files,
    hub::{
        checkpoint::{MODULES_FILE, only_gguf},
        digest::{self, Digests, Stamp},
        weights as weight_files,
    },
};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use serde_json::Value as Json;
use std::{
    io::ErrorKind,
    path::{Component, Path, PathBuf},
};

/// Largest tokenizer or vocabulary file, in bytes; the largest published ones have some 35 MB.
const MAX_VOCABULARY_BYTES: usize = 64 << 20;
/// Largest configuration, chat template or other text file, in bytes.
const MAX_CONFIG_BYTES: usize = 16 << 20;

/// The maximum modules of a sentence embedder; published ones have up to five. Each may read the same weights again.
const MAX_MODULES: usize = 32;

/// A key that a configuration gets if the checkpoint has the modules of sentence-transformers. A decoder's own configuration does
/// not say whether it writes or embeds.
pub const SENTENCES: &str = "(modules of sentence-transformers)";

/// A checkpoint whose `config.json` (or GGUF header) was read; weights are not touched before [`Checkpoint::weights`].
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The folder of its files.
    pub folder: PathBuf,
    /// `config.json`, or the same settings from a GGUF header.
    pub config: Config,
    /// The file of background vectors, if one is beside the weights; the loader may name another.
    pub background: Option<PathBuf>,
    stored: Stored,
}

/// The storage of weights.
#[derive(Debug, Clone)]
enum Stored {
    /// One or more safetensors files.
    Safetensors(Vec<PathBuf>),
    /// One file that holds the configuration and the tokenizer too.
    Gguf(Gguf),
}

impl Checkpoint {
    /// Opens a folder: reads `config.json` and finds the weight files (`model.safetensors`, or those that
    /// `model.safetensors.index.json` names). Or opens a GGUF file, or the only one of a folder without `config.json`.
    /// Fails if a file is missing or damaged.
    pub fn open(path: &Path) -> Result<Checkpoint, Fault> {
        let shown = path.display();
        if path.is_file() || path.extension().is_some_and(|e| e == "gguf") {
            return Checkpoint::gguf_file(path);
        }
        if !path.is_dir() {
            return Err(Fault::model(format!("the folder {shown} does not exist")));
        }
        let Some(mut config) = read_json(&path.join("config.json"))? else {
            return match only_gguf(path).map_err(|error| Fault::model(error.line()))? {
                Some(file) => Checkpoint::gguf_file(&file),
                None => Err(Fault::model(format!(
                    "{shown} lacks config.json; a checkpoint folder has config.json, tokenizer.json and model.safetensors, or one GGUF file"
                ))),
            };
        };
        let files = weight_files::files(path).map_err(|error| Fault::model(error.line()))?;
        let stored = Stored::Safetensors(files);
        let background = Some(path.join(background::FILE)).filter(|file| file.exists());
        mark(&mut config, path.join(MODULES_FILE).is_file());
        let config = Config::new("config.json", config);
        Ok(Checkpoint { folder: path.to_owned(), config, background, stored })
    }

    fn gguf_file(path: &Path) -> Result<Checkpoint, Fault> {
        let gguf = Gguf::open(path)?;
        let config = Config::new(&path.display().to_string(), gguf.config()?).with_alias(gguf.alias());
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Checkpoint { folder, config, background: None, stored: Stored::Gguf(gguf) })
    }

    /// The GGUF file, if the checkpoint is one.
    pub fn gguf(&self) -> Option<&Gguf> {
        match &self.stored {
            Stored::Gguf(gguf) => Some(gguf),
            Stored::Safetensors(_) => None,
        }
    }

    /// Another JSON file of the folder, if it exists. Fails unless it holds an object.
    pub fn json(&self, name: &str) -> Result<Option<Config>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let json = parse(&text, &self.folder.join(name))?;
        if !json.is_object() {
            return Err(Fault::model(format!("{name} must hold an object")));
        }
        Ok(Some(Config::new(name, json)))
    }

    /// The settings of one part of a processor: `part` of `processor_config.json` (the file that transformers 5
    /// writes), else `preprocessor_config.json` (of videos `video_preprocessor_config.json`), else an empty object, so
    /// that all defaults apply.
    pub fn processor(&self, part: &str) -> Result<Config, Fault> {
        if let Some(whole) = self.json("processor_config.json")?
            && whole.get(part).is_some_and(Json::is_object)
        {
            return whole.part(part);
        }
        let name =
            if part == "video_processor" { "video_preprocessor_config.json" } else { "preprocessor_config.json" };
        Ok(self.json(name)?.unwrap_or_else(|| Config::empty(name)))
    }

    /// The bytes of a vocabulary file of the folder, if it exists.
    pub fn vocabulary(&self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let path = self.folder.join(name);
        match files::read(&path, MAX_VOCABULARY_BYTES) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::model(format!("{}: {error}", path.display()))),
        }
    }

    /// A text file of the folder, or its equivalent from the GGUF file, if it exists.
    pub fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        match &self.stored {
            Stored::Gguf(gguf) => gguf.text(name),
            Stored::Safetensors(_) => read(&self.folder.join(name)),
        }
    }

    /// The weights by name. Each is converted to `dtype` on `device` when it is read. Of a GGUF file they are those of the
    /// projector beside it.
    pub fn weights(&self, dtype: DType, device: &Device) -> Result<VarBuilder<'static>, Fault> {
        match &self.stored {
            Stored::Safetensors(files) => {
                let weights = Safetensors::open(files)?;
                Ok(VarBuilder::from_backend(Box::new(weights), dtype, device.clone()))
            }
            Stored::Gguf(gguf) => match gguf.projector() {
                Some(projector) => projector.tower(dtype, device),
                None => {
                    Err(Fault::model(format!("{}: only language models are read from GGUF files", gguf.path.display())))
                }
            },
        }
    }

    /// The weights by name, without their values: a model that is built from them finds missing tensors and wrong
    /// shapes at no cost.
    pub fn headers(&self, dtype: DType) -> Result<VarBuilder<'static>, Fault> {
        match &self.stored {
            Stored::Safetensors(files) => {
                let headers = Headers(Safetensors::open(files)?);
                Ok(VarBuilder::from_backend(Box::new(headers), dtype, Device::Cpu))
            }
            Stored::Gguf(_) => self.weights(dtype, &Device::Cpu),
        }
    }

    /// The modules of sentence-transformers in `modules.json`, in order: the name of each one's class, and its folder,
    /// which is empty for the checkpoint's own. No modules if the file is absent. Fails if it is damaged, or if a folder
    /// lies outside of the checkpoint.
    pub fn modules(&self) -> Result<Vec<(String, String)>, Fault> {
        let Some(text) = self.text(MODULES_FILE)? else { return Ok(Vec::new()) };
        let modules: Vec<Json> = serde_json::from_str(&text).map_err(|e| Fault::model(format!("modules.json: {e}")))?;
        if modules.len() > MAX_MODULES {
            let count = modules.len();
            return Err(Fault::model(format!("modules.json: found {count} modules, expected at most {MAX_MODULES}")));
        }
        let one = |module: &Json| {
            let kind = module["type"].as_str().and_then(|kind| kind.rsplit('.').next()).unwrap_or_default();
            let folder = module["path"].as_str().unwrap_or_default().trim_end_matches('/');
            let inside = Path::new(folder).components().all(|part| matches!(part, Component::Normal(_)));
            match inside {
                true => Ok((kind.to_owned(), folder.to_owned())),
                false => Err(Fault::model(format!("modules.json: the path `{folder}` leaves the checkpoint"))),
            }
        };
        modules.iter().map(one).collect()
    }

    /// The weights of a module in a folder of the checkpoint.
    pub fn weights_in(&self, folder: &str, dtype: DType, device: &Device) -> Result<VarBuilder<'static>, Fault> {
        let files = weight_files::files(&self.folder.join(folder)).map_err(|error| Fault::model(error.line()))?;
        Ok(VarBuilder::from_backend(Box::new(Safetensors::open(&files)?), dtype, device.clone()))
    }

    /// The number format of most stored values; none if they are quantised.
    pub fn stored_dtype(&self) -> Result<Option<DType>, Fault> {
        match &self.stored {
            Stored::Safetensors(files) => Ok(Safetensors::open(files)?.dtype()),
            Stored::Gguf(gguf) => Ok(gguf.stored_dtype()),
        }
    }

    /// Bytes of the weights in memory if a floating value takes `each` bytes (`None`: as stored). Only headers are
    /// read.
    pub fn bytes(&self, each: Option<u64>, on_cpu: bool) -> Result<u64, Fault> {
        match &self.stored {
            Stored::Safetensors(files) => Ok(Safetensors::open(files)?.bytes(each, on_cpu)),
            Stored::Gguf(gguf) => Ok(gguf.bytes(each, on_cpu)),
        }
    }

    /// A digest of every file that a reply depends on: weights, configuration, tokenizer, chat template. Hex blake3
    /// over names and contents, in order of name. Large files that did not change are not read again ([`Digests`]).
    pub fn digest(&self, digests: &Digests) -> Result<String, Fault> {
        let mut all = blake3::Hasher::new();
        for file in self.deciding() {
            let unread = |what: &str| Fault::model(format!("{}: {what}", file.display()));
            let digest = match self.holds_weights(&file) {
                true => digests.file(&file),
                // The size that a file states may be wrong (files in /proc state 0 and can be endless), so a limit
                // applies.
                false => files::read(&file, MAX_VOCABULARY_BYTES).map(|bytes| blake3::hash(&bytes)),
            };
            let digest = digest.map_err(|e| unread(&e.to_string()))?;
            all.update(file.strip_prefix(&self.folder).unwrap_or(&file).to_string_lossy().as_bytes());
            all.update(digest.as_bytes());
        }
        Ok(all.finalize().to_hex().to_string())
    }

    fn holds_weights(&self, file: &Path) -> bool {
        match &self.stored {
            Stored::Safetensors(files) => files.iter().any(|f| f == file),
            Stored::Gguf(gguf) => gguf.weight_files().any(|own| own == file),
        }
    }

    /// The stamps of the files that [`Checkpoint::digest`] reads: while the stamps stay the same, so does the digest.
    pub fn stamps(&self) -> Vec<Option<Stamp>> {
        self.deciding().iter().map(|file| digest::stamp(file).ok()).collect()
    }

    /// The folders of those files: the checkpoint's own, and those of its modules.
    fn folders(&self) -> Vec<PathBuf> {
        // A damaged list is an error of its reader.
        let modules = self.modules().unwrap_or_default();
        let named = modules.iter().map(|(_, folder)| folder.as_str()).filter(|folder| !folder.is_empty());
        let mut folders = vec![self.folder.clone(), self.folder.join("1_Pooling")];
        folders.extend(named.map(|folder| self.folder.join(folder)));
        folders
    }

    /// Every file that a reply depends on, sorted by path.
    fn deciding(&self) -> Vec<PathBuf> {
        let (mut files, folders) = match &self.stored {
            Stored::Safetensors(files) => (files.clone(), self.folders()),
            Stored::Gguf(gguf) => (gguf.files(), Vec::new()),
        };
        for folder in folders {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let is_own = folder == self.folder;
            let ends = |p: &PathBuf| {
                let known = ["json", "jinja", "txt", "model"];
                p.extension().is_some_and(|e| known.iter().any(|x| e == *x) || !is_own && e == "safetensors")
            };
            files.extend(entries.filter_map(|e| e.ok().map(|e| e.path())).filter(ends));
        }
        files.sort();
        files.dedup();
        files
    }
}

/// Notes in a configuration whether the checkpoint has the modules of sentence-transformers.
pub fn mark(config: &mut Json, has_modules: bool) {
    if let Some(keys) = config.as_object_mut().filter(|_| has_modules) {
        keys.insert(SENTENCES.to_owned(), Json::Bool(true));
    }
}

fn read_json(path: &Path) -> Result<Option<Json>, Fault> {
    read(path)?.map(|text| parse(&text, path)).transpose()
}

/// The text of a file of a checkpoint, if it exists.
pub(super) fn read(path: &Path) -> Result<Option<String>, Fault> {
    let vocabularies = ["tokenizer.json", "vocab.json", "vocab.txt", "merges.txt"];
    let is_vocabulary = path.file_name().is_some_and(|name| vocabularies.iter().any(|v| name == *v));
    let max_bytes = if is_vocabulary { MAX_VOCABULARY_BYTES } else { MAX_CONFIG_BYTES };
    match files::read_text(path, max_bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::model(format!("{}: {error}", path.display()))),
    }
}

fn parse(text: &str, path: &Path) -> Result<Json, Fault> {
    serde_json::from_str(text).map_err(|e| Fault::model(format!("{}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let check =
            || Checkpoint::open(folder.path()).unwrap_err().to_string().replace(folder.path().to_str().unwrap(), "DIR");
        insta::assert_snapshot!(check(), @"DIR lacks config.json; a checkpoint folder has config.json, tokenizer.json and model.safetensors, or one GGUF file");
        std::fs::write(folder.path().join("config.json"), "{").unwrap();
        insta::assert_snapshot!(check(), @"DIR/config.json: EOF while parsing an object at line 1 column 1");
        std::fs::write(folder.path().join("config.json"), "{}").unwrap();
        std::fs::write(folder.path().join("pytorch_model.bin"), "").unwrap();
        insta::assert_snapshot!(check(), @"DIR lacks model.safetensors; pytorch_model.bin cannot be read, save it as safetensors");
        std::fs::write(folder.path().join("model.safetensors.index.json"), r#"{"weight_map":{"a":"x.safetensors"}}"#)
            .unwrap();
        insta::assert_snapshot!(check(), @"DIR/x.safetensors is missing, but the index names it");
    }
}
