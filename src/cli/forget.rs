//! Forgets a video or a word in every store of the user, and lists what was removed.

use super::{
    out::Out,
    session::{block_on, unless},
    settings::Settings,
};
use crate::{
    error::Fault,
    media::{self, Access},
    store::{
        journal::{Forget, Forgotten, Journal},
        memo::{self, Memo, Purge},
        vectors::VectorStore,
    },
};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What was removed.
#[derive(Debug, Default, Serialize)]
pub(super) struct Receipt {
    /// The digests of the media.
    digests: Vec<String>,
    /// Lines of the journal.
    lines: u64,
    /// Exchanges of the memo; `null` if they could not be counted.
    exchanges: Option<u64>,
    /// Vectors of texts and labels, of which all go, because a text may describe the video; and those of the lines and frames.
    vectors: u64,
    /// Transcripts, clips and pictures that were made of the media.
    files: Vec<PathBuf>,
    /// Files that could not be removed, with the reason.
    left: Vec<String>,
}

impl Receipt {
    /// Prints the receipt.
    pub(super) fn print(&self, out: &Out) -> Result<(), Fault> {
        if out.json {
            return out.value(self);
        }
        out.text(format_args!("{} removed from the journal", counted(self.lines, "line")))?;
        match self.exchanges {
            Some(count) => out.text(format_args!("{} removed from the memo", counted(count, "exchange")))?,
            None => out.text("the whole memo was removed; its exchanges could not be counted")?,
        }
        out.text(format_args!("{} of texts and frames removed", counted(self.vectors, "vector")))?;
        self.files.iter().try_for_each(|file| out.text(format_args!("removed {}", file.display())))?;
        self.left.iter().for_each(|line| out.warn(format_args!("warning: {line}")));
        Ok(())
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Forgets a video, or a part of it. `name` is a path, of which the file's content counts, a path that the video had, or a digest.
pub(super) fn video(name: &str, span: Option<(f64, f64)>, settings: &Settings) -> Result<Receipt, Fault> {
    let journal = Journal::open(&settings.journal)?;
    let mut digests = journal.digests_of(name)?;
    digests.extend(Memo::open(&settings.folders.memo())?.digests_of(name)?);
    let access = settings.access(false);
    let none = Fault::media("neither the journal nor the memo has a video of this name")
        .hint("`elenchus journal stat` lists the videos with their digests; `forget` accepts both");
    let mut digests = with_file(name, digests, &access, none)?;
    digests.sort();
    digests.dedup();
    // the files are found before their names are forgotten
    let files = journal.files_of(&digests)?;
    let forgotten = journal.forget(&Forget::Media { digests: digests.clone(), span })?;
    let receipt = everywhere(Forgotten { digests, ..forgotten }, files, settings)?;
    receipt.digests.iter().try_for_each(|digest| media::forget(name, digest, &access))?;
    Ok(receipt)
}

/// The digests of a medium: those that a store has for its name, and the digest of the file with that name. Fails with `none` if there is no digest; its
/// message then begins with the reason why the file cannot be read.
pub(super) fn with_file(
    name: &str,
    mut known: Vec<String>,
    access: &Access,
    none: Fault,
) -> Result<Vec<String>, Fault> {
    // only the bytes count, so a file that is not a video can be forgotten too
    let bytes =
        block_on(|cancel| async move { unless(&cancel, async { Ok(media::digest_of(name, access).await) }).await })?;
    match bytes {
        Ok(digest) if !known.contains(&digest) => known.push(digest),
        Ok(_) => {}
        Err(error) if known.is_empty() => return Err(Fault { message: format!("{error}; {}", none.message), ..none }),
        Err(_) => {}
    }
    Ok(known)
}

/// Forgets a word: every line that has it, and what other stores have of these videos.
pub(super) fn word(word: &str, settings: &Settings) -> Result<Receipt, Fault> {
    if !word.chars().any(char::is_alphanumeric) {
        return Err(Fault::refused(format!("`{word}` contains no word")));
    }
    let journal = Journal::open(&settings.journal)?;
    let forgotten = journal.forget(&Forget::Word(word.to_owned()))?;
    let needle = word.to_lowercase();
    // only a transcript is text; a clip or a picture of other lines stays
    let holds = |file: &PathBuf| fs::read_to_string(file).is_ok_and(|text| text.to_lowercase().contains(&needle));
    let files = journal.files_of(&forgotten.digests)?.into_iter().filter(holds).collect();
    everywhere(forgotten, files, settings)
}

/// Removes what the memo, the vectors and files have of the media.
fn everywhere(forgotten: Forgotten, files: Vec<PathBuf>, settings: &Settings) -> Result<Receipt, Fault> {
    let Forgotten { digests, lines, vectors, .. } = forgotten;
    let mut receipt = Receipt { digests, lines, vectors, ..Receipt::default() };
    receipt.exchanges = match receipt.digests.is_empty() {
        true => Some(0),
        false => memo::purge(&settings.folders.memo(), &Purge::Media(receipt.digests.clone()))?,
    };
    if !receipt.digests.is_empty() {
        receipt.vectors += VectorStore::at(&settings.folders.vectors()).purge(None)?;
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

/// Removes a file; false if it is gone already.
fn remove(file: &Path) -> std::io::Result<bool> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
