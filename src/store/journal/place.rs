//! Where a journal is. The first use opens it.

use super::{Journal, JournalError};
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The place of a journal. The default is the memory of this process.
#[derive(Debug, Default)]
pub struct JournalPlace {
    folder: Option<PathBuf>,
    open: Mutex<Option<Journal>>,
}

impl JournalPlace {
    /// The journal in `folder`.
    pub fn at(folder: &Path) -> JournalPlace {
        JournalPlace { folder: Some(folder.to_owned()), open: Mutex::default() }
    }

    /// The folder, unless the journal is in memory.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The journal; the first call opens it. Blocks.
    pub fn open(&self) -> Result<Journal, JournalError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(journal) = open.as_ref() {
            return Ok(journal.clone());
        }
        let journal = match &self.folder {
            Some(folder) => Journal::open(folder),
            None => Journal::in_memory(),
        }?;
        Ok(open.insert(journal).clone())
    }
}
