//! The user's own settings, which commands write: `settings.json` in the configuration folder.

use super::{Folders, cache::is_file_name};
use crate::{error::Fault, files, private};
use serde::{Deserialize, Serialize};
use std::{fs, io};

/// The name of the file in the user's configuration folder.
const FILE: &str = "settings.json";
/// Maximum size of the file, in bytes.
const MAX_BYTES: usize = 1 << 16;
/// The note that the user was told of `elenchus setup`, in the cache folder.
const TOLD: &str = "told-of-setup";

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// The cast that takes the place of the starter cast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cast: Option<String>,
}

impl Preferences {
    /// The user's settings; none without the file. Fails if the file cannot be read.
    pub fn read(folders: &Folders) -> Result<Preferences, Fault> {
        let Some(config) = folders.own_config() else { return Ok(Preferences::default()) };
        let file = config.join(FILE);
        let bad = |why: String| {
            Fault::refused(format!("your settings, {}, cannot be read: {why}", file.display()))
                .hint("correct the file or remove it; `elenchus setup` writes a new one")
        };
        let text = match files::read_text(&file, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Preferences::default()),
            Err(error) => return Err(bad(error.to_string())),
        };
        let read: Preferences = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        match &read.cast {
            Some(cast) if !cast.split('/').all(is_file_name) => Err(bad(format!("found the cast {cast:?}"))),
            _ => Ok(read),
        }
    }

    /// Writes the settings: complete, or not at all.
    pub fn write(&self, folders: &Folders) -> Result<(), Fault> {
        let config = folders.own_config().ok_or_else(|| {
            Fault::refused(format!(
                "your settings cannot be kept: {} belongs to another user",
                folders.config.display()
            ))
        })?;
        let file = config.join(FILE);
        let failed = |error: io::Error| Fault::failed(format!("{} cannot be written: {error}", file.display()));
        let text = serde_json::to_string_pretty(self).map_err(Fault::failed)? + "\n";
        let part = config.join(format!(".{FILE}-{}.tmp", std::process::id()));
        fs::create_dir_all(config).map_err(failed)?;
        private::write_private(&part, text.as_bytes()).and_then(|()| fs::rename(&part, &file)).map_err(failed)
    }
}

/// True the first time that the note about `elenchus setup` is shown to this user. A note in the cache folder remembers it; if that
/// cannot be written, the user is not told, because it would be at every run.
pub fn tell_of_setup(folders: &Folders) -> bool {
    let note = folders.cache.join(TOLD);
    if note.exists() {
        return false;
    }
    private::private_folder(&folders.cache).and_then(|()| private::write_private(&note, b"")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_the_file_and_mistakes_are_named() {
        let folder = tempfile::tempdir().expect("temp");
        let home = Some(folder.path().to_owned());
        let folders =
            Folders { config: folder.path().join("c"), cache: folder.path().join("k"), home, ..Folders::default() };
        assert_eq!(Preferences::read(&folders), Ok(Preferences::default()));
        let own = Preferences { cast: Some("laptop".into()) };
        own.write(&folders).expect("written");
        assert_eq!(Preferences::read(&folders), Ok(own));
        let refused = |text: &str| {
            fs::write(folders.config.join(FILE), text).expect("written");
            let fault = Preferences::read(&folders).expect_err("refused");
            fault.message.replace(&folder.path().display().to_string(), "DIR")
        };
        insta::assert_snapshot!(refused("{"), @"your settings, DIR/c/settings.json, cannot be read: EOF while parsing an object at line 1 column 1");
        insta::assert_snapshot!(refused(r#"{"cast": "../x"}"#), @r#"your settings, DIR/c/settings.json, cannot be read: found the cast "../x""#);
        assert!(tell_of_setup(&folders) && !tell_of_setup(&folders), "once");
    }
}
