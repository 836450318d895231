//! Forgets a video or a word in every store of the user, and lists what was removed.

use super::Engine;
use crate::{
    error::Fault,
    media::{self, Access},
    store::{
        journal::{Forget, Forgotten, Journal},
        memo::{self, Purge},
    },
};
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What was removed.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Receipt {
    /// The digests of the media.
    pub digests: Vec<String>,
    /// Lines of the journal.
    pub lines: u64,
    /// Exchanges of the memo; `null` if they could not be counted.
    pub exchanges: Option<u64>,
    /// Vectors of texts and labels, of which all go, because a text may describe the video; and those of the lines and frames.
    pub vectors: u64,
    /// Transcripts, clips and pictures that were made of the media.
    pub files: Vec<PathBuf>,
    /// Files that could not be removed, with the reason.
    pub left: Vec<String>,
}

impl Engine {
    /// Forgets a video, or a part of it, from and to in seconds. `name` is a path, of which the file's content counts, a path that the
    /// video had, or a digest.
    pub async fn forget_video(&self, name: &str, span: Option<(f64, f64)>) -> Result<Receipt, Fault> {
        let journal = self.journal().open()?;
        let mut digests = journal.digests_of(name)?;
        digests.extend(self.memo()?.digests_of(name)?);
        let access = self.settings.access(false);
        let none = Fault::media("neither the journal nor the memo has a video of this name")
            .hint("`elenchus journal stat` lists the videos with their digests; `forget` accepts both");
        let mut digests = with_file(name, digests, &access, none).await?;
        digests.sort();
        digests.dedup();
        // the files are found before their names are forgotten
        let files = journal.files_of(&digests)?;
        let forgotten = journal.forget(&Forget::Media { digests: digests.clone(), span })?;
        let receipt = self.forget_everywhere(Forgotten { digests, ..forgotten }, files)?;
        receipt.digests.iter().try_for_each(|digest| media::forget(name, digest, &access))?;
        Ok(receipt)
    }

    /// Forgets a word: every line that has it, and what other stores have of these videos. Blocks.
    pub fn forget_word(&self, word: &str) -> Result<Receipt, Fault> {
        if !word.chars().any(char::is_alphanumeric) {
            return Err(Fault::refused(format!("`{word}` contains no word")));
        }
        let journal = self.journal().open()?;
        let forgotten = journal.forget(&Forget::Word(word.to_owned()))?;
        let needle = word.to_lowercase();
        // only a transcript is text; a clip or a picture of other lines stays
        let holds = |file: &PathBuf| fs::read_to_string(file).is_ok_and(|text| text.to_lowercase().contains(&needle));
        let files = journal.files_of(&forgotten.digests)?.into_iter().filter(holds).collect();
        self.forget_everywhere(forgotten, files)
    }

    /// Removes what the memo, the vectors and files have of the media.
    fn forget_everywhere(&self, forgotten: Forgotten, files: Vec<PathBuf>) -> Result<Receipt, Fault> {
        let Forgotten { digests, lines, vectors, .. } = forgotten;
        let mut receipt = Receipt { digests, lines, vectors, ..Receipt::default() };
        receipt.exchanges = match receipt.digests.is_empty() {
            true => Some(0),
            false => memo::purge(&self.settings.folders.memo(), &Purge::Media(receipt.digests.clone()))?,
        };
        if !receipt.digests.is_empty() {
            receipt.vectors += self.vectors().purge(None)?;
        }
        for file in files {
            match remove(&file) {
                Ok(true) => receipt.files.push(file),
                Ok(false) => {}
                Err(error) => receipt.left.push(format!("{} cannot be removed: {error}", file.display())),
            }
        }
        Ok(receipt)
    }
}

/// The digests that a name means in the journal: its path, its digest, or a file with the same content. Fails if the journal has none.
pub async fn known_digests(name: &str, journal: &Journal, access: &Access) -> Result<Vec<String>, Fault> {
    let none = || {
        let fault = Fault::media(format!("the journal has no video `{name}`"));
        fault.hint("`elenchus journal stat` lists its videos; `elenchus index` adds one")
    };
    let mut digests = journal.digests_of(name)?;
    if digests.is_empty() {
        // a copy, or a file that was moved
        digests = with_file(name, digests, access, none()).await?;
        digests.retain(|digest| journal.medium(digest).is_ok_and(|medium| medium.is_some()));
    }
    if digests.is_empty() { Err(none()) } else { Ok(digests) }
}

/// The digests of a medium: those that a store has for its name, and the digest of the file with that name. Fails with `none` if there is no
/// digest; its message then begins with the reason why the file cannot be read.
pub async fn with_file(name: &str, mut known: Vec<String>, access: &Access, none: Fault) -> Result<Vec<String>, Fault> {
    // only the bytes count, so a file that is not a video can be forgotten too
    match media::digest_of(name, access).await {
        Ok(digest) if !known.contains(&digest) => known.push(digest),
        Ok(_) => {}
        Err(error) if known.is_empty() => return Err(Fault { message: format!("{error}; {}", none.message), ..none }),
        Err(_) => {}
    }
    Ok(known)
}

/// Removes a file; false if it is gone already.
fn remove(file: &Path) -> std::io::Result<bool> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
