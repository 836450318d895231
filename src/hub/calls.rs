//! Dialogues beside the dialogue that calls them. A path is read only if it stays in the project, or without one in the
//! caller's own folder: an untrusted dialogue must not read elsewhere.

use super::Catalogue;
use crate::{
    dialogue::{self, CallRefused, Called, Caller, SourceText},
    files,
};
use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// Maximum number of files in a folder whose names a hint considers.
const MAX_NAMES: usize = 1000;

/// The dialogue `name`, relative to the caller's folder. `None` if the caller has no file or nothing is found.
pub(super) fn beside(name: &str, caller: &Caller, catalogue: &Catalogue) -> Result<Option<Called>, CallRefused> {
    let outside = |what: String| {
        CallRefused {
        message: format!("found dialogue `{name}`, {what}"),
        hint: "name a dialogue in this folder or in the project: `./mine.yaml`, `image_caption`; or copy the file into the project".into(),
    }
    };
    if Path::new(name).is_absolute() || name.starts_with('~') || name.contains('\\') {
        return Err(outside("an absolute path, which a call cannot read".into()));
    }
    let folder = caller.path.as_deref().and_then(Path::parent).and_then(|folder| fs::canonicalize(folder).ok());
    let Some(folder) = folder else { return Ok(None) };
    let root = root_of(&folder, catalogue);
    let has_ending = name.ends_with(".yaml") || name.ends_with(".yml");
    let files = if has_ending { vec![name.to_owned()] } else { vec![format!("{name}.yaml"), format!("{name}.yml")] };
    for file in files {
        let path = normal(&folder.join(file));
        if !path.starts_with(&root) {
            return Err(outside(format!("which lies outside of {}", catalogue.folders.shown(&root))));
        }
        if fs::symlink_metadata(&path).is_err() || path.is_dir() {
            continue;
        }
        if leaves(&path, &root) {
            return Err(outside(format!("a link that leaves {}", catalogue.folders.shown(&root))));
        }
        let unreadable = |why: String| CallRefused {
            message: format!("found dialogue `{name}`, but {} cannot be read: {why}", catalogue.folders.shown(&path)),
            hint: "make it a readable YAML file".into(),
        };
        if !path.is_file() {
            return Err(unreadable("it is not a regular file".into()));
        }
        let source = files::read_text(&path, dialogue::MAX_BYTES).map_err(|error| unreadable(error.to_string()))?;
        return Ok(Some(Called {
            text: SourceText { file: catalogue.folders.shown(&path), source },
            path: Some(path),
        }));
    }
    Ok(None)
}

/// The folder that a call cannot leave: the project or the user's folder that contains the caller, else the caller's
/// own folder.
fn root_of(folder: &Path, catalogue: &Catalogue) -> PathBuf {
    let project = catalogue.project.as_ref().map(|project| project.folder.as_path());
    let roots = project.into_iter().chain(catalogue.folders.own_config());
    roots.into_iter().find(|root| folder.starts_with(root)).unwrap_or(folder).to_owned()
}

/// True if the path leads out of `root` through a link.
fn leaves(path: &Path, root: &Path) -> bool {
    match (fs::canonicalize(path), fs::canonicalize(root)) {
        (Ok(path), Ok(root)) => !path.starts_with(root),
        _ => true,
    }
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

/// The names of the YAML files beside the caller.
pub(super) fn names_beside(caller: &Caller) -> Vec<String> {
    let Some(path) = caller.path.as_deref() else { return Vec::new() };
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let paths = entries.take(MAX_NAMES).map(|entry| entry.path()).filter(|found| found != path);
    let yaml = paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml"));
    yaml.filter_map(|path| path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned)).collect()
}
