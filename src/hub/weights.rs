//! The weight files of a checkpoint folder: `model.safetensors`, or the shards that its index names.

use super::{HubError, cache::is_file_name};
use crate::files;
use std::{
    collections::BTreeSet,
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Maximum size of an index, in bytes. It names every tensor once: thousands, with about a hundred bytes each.
const MAX_INDEX_BYTES: usize = 64 << 20;

/// The names of a folder's weight files, sorted. The files may be missing. `None` if the folder contains neither
/// weights nor an index.
pub fn names(folder: &Path) -> Result<Option<BTreeSet<String>>, HubError> {
    if let Some(meta) = looked_at(&folder.join(SINGLE))? {
        return match meta.is_file() {
            true => Ok(Some([SINGLE.to_owned()].into())),
            false => Err(HubError::plain(format!("{} is not a regular file", folder.join(SINGLE).display()))),
        };
    }
    indexed(&folder.join(INDEX))
}

/// The files that an index names; `None` if the index is missing.
pub fn indexed(index: &Path) -> Result<Option<BTreeSet<String>>, HubError> {
    match files::read_text(index, MAX_INDEX_BYTES) {
        Ok(text) => shards(&text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(HubError::plain(format!("{}: {error}", index.display()))),
    }
}

/// The paths of a folder's weight files, sorted. Fails if one is missing.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, HubError> {
    let Some(names) = names(folder)? else {
        let hint = match folder.join("pytorch_model.bin").exists() {
            true => "; pytorch_model.bin cannot be read, save it as safetensors",
            false => "",
        };
        return Err(HubError::plain(format!("{} lacks {SINGLE}{hint}", folder.display())));
    };
    let files: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    match files.iter().find(|file| !file.is_file()) {
        Some(missing) => Err(HubError::plain(format!("{} is missing, but the index names it", missing.display()))),
        None => Ok(files),
    }
}

/// The files that an index names, sorted. A name that leaves the folder is refused.
pub(super) fn shards(index: &str) -> Result<BTreeSet<String>, HubError> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let index: Index =
        serde_json::from_str(index).map_err(|error| HubError::plain(format!("{INDEX} cannot be read: {error}")))?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    match shards.iter().find(|shard| !is_file_name(shard)) {
        Some(bad) => Err(HubError::plain(format!("{INDEX} names the file {bad:?}; a shard must lie beside its index"))),
        None if shards.is_empty() => Err(HubError::plain(format!("{INDEX} lists no files"))),
        None => Ok(shards),
    }
}

fn looked_at(path: &Path) -> Result<Option<Metadata>, HubError> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(HubError::plain(format!("{}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_cannot_name_files_elsewhere() {
        let check = |file: &str| shards(&format!(r#"{{"weight_map": {{"a": "{file}"}}}}"#)).is_err();
        assert!(check("../../etc/passwd") && check("/etc/passwd") && check(".hidden") && !check("a-1.safetensors"));
        assert!(shards(r#"{"weight_map": {}}"#).is_err());
    }

    #[test]
    fn missing_files_are_named() {
        let folder = tempfile::tempdir().expect("temp");
        let check = || {
            files(folder.path()).expect_err("incomplete").message.replace(&folder.path().display().to_string(), "DIR")
        };
        let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).expect("written");
        assert_eq!(check(), "DIR lacks model.safetensors");
        write("pytorch_model.bin", "");
        assert_eq!(check(), "DIR lacks model.safetensors; pytorch_model.bin cannot be read, save it as safetensors");
        write(INDEX, r#"{"weight_map":{"a":"x.safetensors"}}"#);
        assert_eq!(check(), "DIR/x.safetensors is missing, but the index names it");
        write(INDEX, r#"{"weight_map":{"a":"../x.safetensors"}}"#);
        assert_eq!(
            check(),
            "model.safetensors.index.json names the file \"../x.safetensors\"; a shard must lie beside its index"
        );
        fs::create_dir(folder.path().join(SINGLE)).expect("made");
        assert_eq!(check(), "DIR/model.safetensors is not a regular file");
    }
}
