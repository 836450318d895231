//! The indexes of vectors beside a journal: those of the texts of lines, and those of frames. Each model has its own.
//!
//! Vectors that are added begin with a new revision, so that a search of an earlier one does not see them. The writer holds the
//! journal's lock until both files have the change: a killed process leaves vectors that the next revision shows, and nothing else.

use super::{Database, Journal, fault::JournalError, open::next_revision};
use crate::{
    private,
    store::index::{IndexAbout, IndexError, IndexKey, NewVector, StretchFilter, VectorIndex, VectorSense},
};
use rusqlite::params;
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

/// The folder of the indexes, in the journal's.
const FOLDER: &str = "vectors";

/// The indexes of a journal; the first use opens each.
#[derive(Debug, Default)]
pub(super) struct Indexes {
    /// The folder; none for a journal in memory.
    folder: Option<PathBuf>,
    writable: HashMap<IndexKey, VectorIndex>,
    readable: HashMap<IndexKey, VectorIndex>,
}

impl Indexes {
    /// The indexes of the journal in `folder`, or of one in memory.
    pub(super) fn at(folder: Option<PathBuf>) -> Indexes {
        Indexes { folder: folder.map(|folder| folder.join(FOLDER)), ..Indexes::default() }
    }

    /// The keys of all indexes, with their agents.
    fn keys(&self) -> Vec<(IndexKey, String)> {
        match &self.folder {
            Some(folder) => VectorIndex::keys(folder),
            None => {
                let agent = |index: &VectorIndex| index.about().map(|about| about.agent).unwrap_or_default();
                self.writable.iter().map(|(key, index)| (*key, agent(index))).collect()
            }
        }
    }

    /// The index, if it exists.
    pub(super) fn existing(&mut self, key: IndexKey) -> Option<&VectorIndex> {
        if let Some(index) = self.writable.get_mut(&key) {
            index.refresh().ok()?;
            return self.writable.get(&key);
        }
        // one without a width was opened before its first vector
        if self.readable.get(&key).is_none_or(VectorIndex::is_bare) {
            let index = VectorIndex::existing(self.folder.as_ref()?, key)?;
            self.readable.insert(key, index);
        }
        self.readable.get(&key)
    }

    /// Removes a damaged index, so that it begins again.
    pub(super) fn discard(&mut self, key: IndexKey) {
        self.readable.remove(&key);
        self.writable.remove(&key);
        if let Some(folder) = &self.folder
            && let Err(error) = VectorIndex::erase(folder, key)
        {
            tracing::warn!("{error}");
        }
    }

    /// The index for writing, which is created if it is missing.
    fn writable(&mut self, key: IndexKey, agent: &str) -> Result<&mut VectorIndex, IndexError> {
        if !self.writable.contains_key(&key) {
            let index = match &self.folder {
                None => VectorIndex::in_memory(key, agent)?,
                Some(folder) => {
                    private::private_folder(folder)
                        .map_err(|error| IndexError::new(format!("{}: {error}", folder.display())))?;
                    VectorIndex::open(folder, key, agent)?
                }
            };
            self.readable.remove(&key);
            self.writable.insert(key, index);
        }
        self.writable.get_mut(&key).ok_or_else(|| IndexError::new("the index is closed".to_owned()))
    }
}

impl Indexes {
    /// Removes the vectors of lines, and those of frames that pass, from all indexes. An index that cannot be read goes as a whole. Returns
    /// the number of removed vectors.
    pub(super) fn forget(&mut self, lines: &[i64], frames: Option<&StretchFilter>) -> Result<u64, IndexError> {
        if let Some(folder) = &self.folder {
            VectorIndex::remove_unreadable(folder)?;
        }
        let mut removed = 0;
        for (key, agent) in self.keys() {
            let index = self.writable(key, &agent)?;
            removed += match (key.sense, frames) {
                (VectorSense::Lines, _) => index.remove(lines)?,
                (VectorSense::Frames, Some(frames)) => index.remove_passing(frames)?,
                (VectorSense::Frames, None) => 0,
            };
        }
        Ok(removed)
    }
}

impl Journal {
    /// The indexes of vectors, with what they hold. Blocks.
    pub fn indexes(&self) -> Vec<(IndexKey, IndexAbout)> {
        let mut database = self.lock();
        let keys = database.indexes.keys();
        let about = |(key, _): (IndexKey, String)| Some((key, database.indexes.existing(key)?.about().ok()?));
        keys.into_iter().filter_map(about).collect()
    }

    /// The current lines of a medium whose text has no vector in an index: their numbers and texts. Blocks.
    pub fn lines_without_vectors(&self, key: IndexKey, medium: &str) -> Result<Vec<(i64, String)>, JournalError> {
        let mut database = self.lock();
        let read = || {
            let query = "SELECT l.id, l.text FROM lines l JOIN media m ON m.id = l.medium
                 WHERE m.digest = ?1 AND l.died IS NULL AND l.text <> '' ORDER BY l.id";
            let mut find = database.base.prepare(query)?;
            let rows = find.query_map(params![medium], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(i64, String)>>>()
        };
        let mut lines = read().map_err(|error| database.wrong(&error))?;
        let ids: Vec<i64> = lines.iter().map(|(id, _)| *id).collect();
        let folder = database.folder.clone();
        if let Some(index) = database.indexes.existing(key) {
            let missing = index.missing(&ids).map_err(|error| JournalError::index(&folder, &error))?;
            let missing: HashSet<i64> = missing.into_iter().collect();
            lines.retain(|(id, _)| missing.contains(id));
        }
        Ok(lines)
    }

    /// Works with an index, which is created if it is missing. Blocks.
    pub fn with_index<T>(
        &self,
        key: IndexKey,
        agent: &str,
        work: impl FnOnce(&mut VectorIndex) -> Result<T, IndexError>,
    ) -> Result<T, JournalError> {
        let mut database = self.lock();
        let folder = database.folder.clone();
        let done = database.indexes.writable(key, agent).and_then(work);
        if done.as_ref().is_err_and(|error| error.is_damage) {
            database.indexes.discard(key);
        }
        done.map_err(|error| JournalError::index(&folder, &error))
    }

    /// Adds vectors, and returns the number of new ones. Vectors of lines and media that were forgotten meanwhile are left out. Blocks.
    pub fn add_vectors(&self, key: IndexKey, agent: &str, new: Vec<NewVector>) -> Result<usize, JournalError> {
        self.lock().add_vectors(key, agent, new)
    }
}

impl Database {
    fn add_vectors(&mut self, key: IndexKey, agent: &str, mut new: Vec<NewVector>) -> Result<usize, JournalError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| JournalError::of(&folder, &error);
        self.must_be_writable()?;
        // the lock of the journal is held until both files have the change
        let behavior = rusqlite::TransactionBehavior::Immediate;
        let change = self.base.transaction_with_behavior(behavior).map_err(wrong)?;
        {
            let mut line = change.prepare("SELECT EXISTS (SELECT 1 FROM lines WHERE id = ?1)").map_err(wrong)?;
            let mut medium = change.prepare("SELECT EXISTS (SELECT 1 FROM media WHERE digest = ?1)").map_err(wrong)?;
            let mut is_known = |one: &NewVector| match (&one.at, one.id) {
                (Some(at), _) => medium.query_row(params![at.medium], |row| row.get(0)),
                (None, id) => line.query_row(params![id], |row| row.get(0)),
            };
            let mut kept = Vec::with_capacity(new.len());
            for one in new {
                if is_known(&one).map_err(wrong)? {
                    kept.push(one);
                }
            }
            new = kept;
        }
        let born = next_revision(&change).map_err(wrong)?;
        let added = self.indexes.writable(key, agent).and_then(|index| index.add(born, &new));
        if added.as_ref().is_err_and(|error| error.is_damage) {
            self.indexes.discard(key);
        }
        let added = added.map_err(|error| JournalError::index(&folder, &error))?;
        if added > 0 {
            change.commit().map_err(wrong)?;
        }
        Ok(added)
    }
}
