//! `agents.lock` of a project: the commit and the file digests of each checkpoint that its agents use.
//!
//! The user commits the file beside `agents/`. With it, everybody who runs the project loads the same bytes: the pinned
//! commit is downloaded in place of the newest one, and a file with another digest is refused by name. Only a trusted
//! project's file counts, and it pins what the project runs, also where an agent file of the user or
//! of the program names the checkpoint.

use super::{HubError, WeightsSource, cache::is_file_name, digest::Digests};
use crate::files;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// The name of the file, in the project's folder.
pub const FILE: &str = "agents.lock";
/// Maximum size of the file, in bytes: a thousand checkpoints need a tenth of it.
const MAX_BYTES: usize = 4 << 20;
/// The version of the form that this program writes.
const VERSION: u32 = 1;

/// The pins of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins {
    /// The file.
    path: PathBuf,
    /// The pin of each checkpoint, by the text that names it: `org/name@revision:FILE.gguf`.
    checkpoints: BTreeMap<String, Pin>,
}

/// One checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The commit of the repository.
    pub commit: String,
    /// The files that loading reads, by their names in the repository.
    pub files: BTreeMap<String, PinnedFile>,
}

/// One file of a pinned checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedFile {
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    checkpoints: BTreeMap<String, Pin>,
}

impl Pins {
    /// The pins of the project in `folder`; none if it has no such file. Fails if the file cannot be read or has a
    /// mistake.
    pub fn read(folder: &Path) -> Result<Option<Pins>, HubError> {
        let path = folder.join(FILE);
        let bad = |why: String| {
            HubError::new(
                format!("{} cannot be read: {why}", path.display()),
                "take the file from your version control again, or remove it; `elenchus models pull` then writes a new one",
            )
        };
        let text = match files::read_text(&path, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(bad(error.to_string())),
        };
        let written: Written = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if written.version != VERSION {
            return Err(bad(format!("found version {}, expected {VERSION}", written.version)));
        }
        for (name, pin) in &written.checkpoints {
            pin.checked().map_err(|why| bad(format!("{name}: {why}")))?;
        }
        Ok(Some(Pins { path, checkpoints: written.checkpoints }))
    }

    /// No pins yet, for the project in `folder`.
    pub fn none(folder: &Path) -> Pins {
        Pins { path: folder.join(FILE), checkpoints: BTreeMap::new() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The pin of a checkpoint.
    pub fn of(&self, source: &WeightsSource) -> Option<&Pin> {
        self.checkpoints.get(&source.to_string())
    }

    /// The texts that name the pinned checkpoints, sorted.
    pub fn names(&self) -> Vec<String> {
        self.checkpoints.keys().cloned().collect()
    }

    /// Pins a checkpoint. True if its pin changes.
    pub fn put(&mut self, source: &WeightsSource, pin: Pin) -> bool {
        let before = self.checkpoints.insert(source.to_string(), pin.clone());
        before.as_ref() != Some(&pin)
    }

    /// Writes the file: complete, or not at all.
    pub fn write(&self) -> Result<(), HubError> {
        let written = Written { version: VERSION, checkpoints: self.checkpoints.clone() };
        let failed = |why: String| HubError::plain(format!("{} cannot be written: {why}", self.path.display()));
        let mut text = serde_json::to_string_pretty(&written).map_err(|error| failed(error.to_string()))?;
        text.push('\n');
        let part =
            self.path.with_file_name(format!(".{FILE}-{}-{:08x}.tmp", std::process::id(), rand::random::<u32>()));
        let done = fs::write(&part, text).and_then(|()| fs::rename(&part, &self.path));
        done.map_err(|error| {
            // the file that failed is of no use
            let _ = fs::remove_file(&part);
            failed(error.to_string())
        })
    }
}

impl Pin {
    /// The pin of downloaded files: `root` is the snapshot of `commit`. Blocks while it reads files that `digests` does
    /// not know.
    pub fn of_files(commit: &str, root: &Path, names: &[String], digests: &Digests) -> io::Result<Pin> {
        let pinned = |name: &String| {
            let path = root.join(name);
            let (bytes, sha256) = (fs::metadata(&path)?.len(), digests.sha256(&path)?);
            Ok((name.clone(), PinnedFile { bytes, sha256 }))
        };
        Ok(Pin { commit: commit.to_owned(), files: names.iter().map(pinned).collect::<io::Result<_>>()? })
    }

    /// Fails by name for the first file below `root` that is missing or differs. Blocks while it reads files that
    /// `digests` does not know.
    pub fn check(&self, source: &WeightsSource, root: &Path, digests: &Digests) -> Result<(), HubError> {
        for (name, pinned) in &self.files {
            let path = root.join(name);
            let bytes = fs::metadata(&path).map(|meta| meta.len());
            let found = match bytes {
                Ok(bytes) if bytes != pinned.bytes => Ok(format!("{bytes} bytes instead of {}", pinned.bytes)),
                Ok(_) => digests.sha256(&path).map(|found| match found == pinned.sha256 {
                    true => String::new(),
                    false => format!("the SHA-256 {}… instead of {}…", &found[..12], &pinned.sha256[..12]),
                }),
                Err(error) => Err(error),
            };
            let why = match found {
                Ok(why) if why.is_empty() => continue,
                Ok(why) => format!("it has {why}"),
                Err(error) if error.kind() == io::ErrorKind::NotFound => "it is missing".to_owned(),
                Err(error) => error.to_string(),
            };
            return Err(HubError::new(
                format!("{name} of {source} is not the file that {FILE} pins: {why} ({})", path.display()),
                format!(
                    "`elenchus models pull {source} --check` downloads the pinned file again; `elenchus models pull {source} --update` \
                     pins what the hub has now"
                ),
            ));
        }
        Ok(())
    }

    /// Checks the names and digests, which become parts of paths and messages.
    fn checked(&self) -> Result<(), String> {
        if !is_hex(&self.commit, 40) {
            return Err(format!("found the commit {:?}, expected 40 hexadecimal digits", self.commit));
        }
        for (name, file) in &self.files {
            if !name.split('/').all(is_file_name) {
                return Err(format!("found the file {name:?}, expected a name in the repository"));
            }
            if !is_hex(&file.sha256, 64) {
                return Err(format!("found the digest {:?} of {name}, expected 64 hexadecimal digits", file.sha256));
            }
        }
        match self.files.is_empty() {
            true => Err("it names no files".to_owned()),
            false => Ok(()),
        }
    }
}

/// True for this number of lower-case hexadecimal digits.
fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn pins_survive_the_file_and_refuse_a_changed_file_by_name() {
        let folder = tempfile::tempdir().expect("temp");
        assert_eq!(Pins::read(folder.path()), Ok(None));
        let root = folder.path().join("snapshot");
        fs::create_dir_all(root.join("1_Pooling")).expect("made");
        let names = ["model.safetensors".to_owned(), "1_Pooling/config.json".to_owned()];
        names.iter().for_each(|name| fs::write(root.join(name), "abc").expect("written"));
        let digests = Digests::default();
        let source = WeightsSource::hub("org/name@v2", None).expect("parsed");
        let pin = Pin::of_files(COMMIT, &root, &names, &digests).expect("read");
        let mut pins = Pins::none(folder.path());
        assert!(pins.put(&source, pin.clone()) && !pins.put(&source, pin.clone()));
        pins.write().expect("written");
        assert_eq!(Pins::read(folder.path()), Ok(Some(pins.clone())));
        assert_eq!(pins.of(&WeightsSource::hub("org/name", None).expect("parsed")), None, "another revision");
        insta::assert_snapshot!(fs::read_to_string(pins.path()).expect("read"), @r#"
        {
          "version": 1,
          "checkpoints": {
            "org/name@v2": {
              "commit": "0123456789abcdef0123456789abcdef01234567",
              "files": {
                "1_Pooling/config.json": {
                  "bytes": 3,
                  "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
                },
                "model.safetensors": {
                  "bytes": 3,
                  "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
                }
              }
            }
          }
        }
        "#);

        assert_eq!(pin.check(&source, &root, &digests), Ok(()));
        let refused = |what: &str| {
            let error = pin.check(&source, &root, &digests).expect_err(what);
            error.line().replace(&root.display().to_string(), "DIR")
        };
        fs::write(root.join("model.safetensors"), "abd").expect("written");
        insta::assert_snapshot!(refused("changed"), @"model.safetensors of org/name@v2 is not the file that agents.lock pins: it has the SHA-256 a52d159f262b… instead of ba7816bf8f01… (DIR/model.safetensors) (hint: `elenchus models pull org/name@v2 --check` downloads the pinned file again; `elenchus models pull org/name@v2 --update` pins what the hub has now)");
        fs::write(root.join("model.safetensors"), "ab").expect("written");
        assert!(refused("shorter").contains("it has 2 bytes instead of 3"));
        fs::remove_file(root.join("1_Pooling/config.json")).expect("removed");
        assert!(
            refused("gone")
                .contains("1_Pooling/config.json of org/name@v2 is not the file that agents.lock pins: it is missing")
        );
    }

    #[test]
    fn a_mistake_in_the_file_is_named() {
        let folder = tempfile::tempdir().expect("temp");
        let check = |text: &str| {
            fs::write(folder.path().join(FILE), text).expect("written");
            let error = Pins::read(folder.path()).expect_err("refused");
            error.message.replace(&folder.path().display().to_string(), "DIR")
        };
        let file = |commit: &str, name: &str, digest: &str| {
            format!(
                r#"{{"version":1,"checkpoints":{{"o/n":{{"commit":"{commit}","files":{{"{name}":{{"bytes":1,"sha256":"{digest}"}}}}}}}}}}"#
            )
        };
        let digest = "0".repeat(64);
        insta::assert_snapshot!(check("{"), @"DIR/agents.lock cannot be read: EOF while parsing an object at line 1 column 1");
        insta::assert_snapshot!(check(r#"{"version":2,"checkpoints":{}}"#), @"DIR/agents.lock cannot be read: found version 2, expected 1");
        insta::assert_snapshot!(check(&file("../../x", "a", &digest)), @r#"DIR/agents.lock cannot be read: o/n: found the commit "../../x", expected 40 hexadecimal digits"#);
        insta::assert_snapshot!(check(&file(COMMIT, "../a", &digest)), @r#"DIR/agents.lock cannot be read: o/n: found the file "../a", expected a name in the repository"#);
        insta::assert_snapshot!(check(&file(COMMIT, "a", "0")), @r#"DIR/agents.lock cannot be read: o/n: found the digest "0" of a, expected 64 hexadecimal digits"#);
    }
}
