//! The file of an index: opened, filled, searched, and emptied.

use super::{
    CLUSTERED_FROM, ClusteredIndex, ExactIndex, Index, IndexError, IndexKey, Neighbour, VectorSense, Wanted,
    adding::sum_of,
    blocks::{self, Blocks},
    stretches::StretchFilter,
};
use crate::store::{now_ms, sqlite, vectors::ModelDigest};
use rusqlite::{Connection, TransactionBehavior, params};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The format of the tables, stored in SQLite's `user_version`.
const FORMAT: i64 = 1;
/// Maximum wait for another process.
const BUSY: Duration = Duration::from_secs(20);
/// Large pages, so that a block is few of them.
const PAGE_BYTES: i64 = 32 << 10;
/// Files up to this size are written anew after a removal, so that they become smaller.
const MAX_VACUUM_BYTES: u64 = 1 << 30;
/// The ending of the file.
const ENDING: &str = "sqlite";

const TABLES: &str = "
    CREATE TABLE about (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        model BLOB NOT NULL,
        sense TEXT NOT NULL,
        agent TEXT NOT NULL,
        width INTEGER NOT NULL,
        sum BLOB NOT NULL,
        trained INTEGER NOT NULL,
        probes INTEGER NOT NULL,
        recall REAL NOT NULL,
        changed_ms INTEGER NOT NULL
    );
    CREATE TABLE media (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, whole TEXT NOT NULL);
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        block INTEGER NOT NULL,
        medium INTEGER,
        start_ticks INTEGER, start_num INTEGER, start_den INTEGER,
        end_ticks INTEGER, end_num INTEGER, end_den INTEGER,
        start_s REAL, end_s REAL
    );
    CREATE UNIQUE INDEX entries_at ON entries (medium, start_s) WHERE medium IS NOT NULL;
    CREATE TABLE blocks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        list INTEGER NOT NULL,
        count INTEGER NOT NULL,
        ids BLOB NOT NULL,
        digest BLOB NOT NULL,
        vectors BLOB NOT NULL
    );
    CREATE INDEX blocks_of ON blocks (list, count);
    CREATE TABLE centres (list INTEGER PRIMARY KEY, vector BLOB NOT NULL);
    CREATE TABLE background (n INTEGER PRIMARY KEY, vector BLOB NOT NULL, best REAL NOT NULL);";

/// An open index of vectors.
pub struct VectorIndex {
    pub(super) blocks: Blocks,
    how: Box<dyn Index>,
    key: IndexKey,
    /// The file; empty for an index in memory.
    file: PathBuf,
    pub(super) clustered_from: u64,
}

/// What an index holds.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct IndexAbout {
    /// The name of the agent that made the vectors.
    pub agent: String,
    /// What they were made of.
    pub sense: VectorSense,
    /// The number of vectors.
    pub count: u64,
    /// The length of each; 0 before the first one.
    pub width: usize,
    /// The number of centres; 0 for an exact index.
    pub centres: u64,
    /// The number of groups that a search reads, besides new vectors.
    pub probes: u64,
    /// The share of the ten nearest vectors that a search finds, measured when the centres were placed; 1 for an exact index.
    pub recall: f64,
    /// When it was last changed, in ms since 1970.
    pub changed_ms: i64,
}

impl VectorIndex {
    /// Opens the index in `folder`, or creates it. A damaged one begins again. Blocks.
    pub fn open(folder: &Path, key: IndexKey, agent: &str) -> Result<VectorIndex, IndexError> {
        let file = file_of(folder, key);
        match VectorIndex::at(&file, key, agent) {
            Err(error) if error.is_damage => {
                tracing::warn!("the vectors in {} are damaged; they are computed again", file.display());
                erase(&file)?;
                VectorIndex::at(&file, key, agent)
            }
            opened => opened,
        }
    }

    /// An index in memory.
    pub fn in_memory(key: IndexKey, agent: &str) -> Result<VectorIndex, IndexError> {
        VectorIndex::of(Connection::open_in_memory()?, PathBuf::new(), key, Some(agent))
    }

    /// Opens the index for reading, if it exists. One that is damaged, or of another format, counts as missing. Blocks.
    pub fn existing(folder: &Path, key: IndexKey) -> Option<VectorIndex> {
        let file = file_of(folder, key);
        sqlite::readable(&file, BUSY).find_map(|base| VectorIndex::of(base, file.clone(), key, None).ok())
    }

    /// The keys of the indexes in a folder, with their agents. Blocks.
    pub fn keys(folder: &Path) -> Vec<(IndexKey, String)> {
        files(folder).into_iter().filter_map(|file| key_of(folder, &file)).collect()
    }

    /// Removes the indexes in a folder that cannot be read. Blocks.
    pub fn remove_unreadable(folder: &Path) -> Result<(), IndexError> {
        let mut unreadable = files(folder);
        unreadable.retain(|file| {
            let key = key_of(folder, file);
            key.is_none_or(|(key, _)| VectorIndex::existing(folder, key).is_none_or(|index| index.check().is_err()))
        });
        unreadable.iter().try_for_each(|file| erase(file))
    }

    /// Removes the index in a folder.
    pub fn erase(folder: &Path, key: IndexKey) -> Result<(), IndexError> {
        erase(&file_of(folder, key))
    }

    /// True before it knows the length of its vectors.
    pub fn is_bare(&self) -> bool {
        self.blocks.width == 0
    }

    /// Learns the length of its vectors, if another process has added the first ones.
    pub fn refresh(&mut self) -> Result<(), IndexError> {
        self.blocks.refresh()
    }

    /// Fails if a block is damaged.
    fn check(&self) -> Result<(), IndexError> {
        self.blocks.visit(&blocks::ListChoice::All, |_| Ok(()))
    }

    fn at(file: &Path, key: IndexKey, agent: &str) -> Result<VectorIndex, IndexError> {
        let (folder, name) = (file.parent().unwrap_or(Path::new(".")), file.file_name().unwrap_or_default());
        let name = name.to_string_lossy();
        let names = [name.to_string(), format!("{name}-wal"), format!("{name}-shm")];
        let place = sqlite::private_place(folder, &names.each_ref().map(String::as_str));
        let file = place.map_err(|(what, error)| IndexError::new(format!("{}: {error}", what.display())))?;
        if fs::metadata(&file).is_ok_and(|meta| meta.len() == 0) {
            // the size of pages is fixed by the first write
            let base = Connection::open(&file)?;
            base.busy_timeout(BUSY)?;
            base.pragma_update(None, "page_size", PAGE_BYTES)?;
            base.pragma_update(None, "journal_mode", "WAL").ok();
        }
        let base = sqlite::writable(&file, BUSY)?;
        VectorIndex::of(base, file, key, Some(agent))
    }

    /// An index over a connection. With an agent, missing tables are created.
    fn of(mut base: Connection, file: PathBuf, key: IndexKey, agent: Option<&str>) -> Result<VectorIndex, IndexError> {
        if let Some(agent) = agent {
            base.pragma_update(None, "secure_delete", true)?;
            if sqlite::format_of(&base)? == 0 {
                let change = base.transaction_with_behavior(TransactionBehavior::Immediate)?;
                if sqlite::format_of(&change)? == 0 {
                    change.execute_batch(TABLES)?;
                    let put = "INSERT INTO about VALUES (1, ?1, ?2, ?3, 0, x'', 0, 0, 1.0, ?4)";
                    change.execute(put, params![key.model.bytes(), key.sense.word(), agent, now_ms()])?;
                    change.pragma_update(None, "user_version", FORMAT)?;
                }
                change.commit()?;
            }
        }
        if sqlite::format_of(&base)? != FORMAT {
            return Err(IndexError::new("another version of elenchus wrote it"));
        }
        if named(&base)?.map(|(found, _)| found) != Some(key) {
            return Err(IndexError::damage("it holds vectors of another model"));
        }
        let width = blocks::width_of(&base)?;
        let blocks = Blocks::new(base, width);
        let mut index = VectorIndex { blocks, how: Box::new(ExactIndex), key, file, clustered_from: CLUSTERED_FROM };
        index.choose()?;
        Ok(index)
    }

    /// The same index, which is clustered above `count` vectors.
    pub fn clustered_from(mut self, count: u64) -> Result<VectorIndex, IndexError> {
        self.clustered_from = count;
        self.choose()?;
        Ok(self)
    }

    /// Chooses the way to search: by the number of vectors.
    pub(super) fn choose(&mut self) -> Result<(), IndexError> {
        let known: i64 = self.blocks.base.query_row("SELECT count(*) FROM centres", [], |row| row.get(0))?;
        self.how = match known > 0 || self.blocks.count()? > self.clustered_from {
            true => Box::new(ClusteredIndex::read(&self.blocks)?),
            false => Box::new(ExactIndex),
        };
        Ok(())
    }

    /// Its model and sense.
    pub fn key(&self) -> IndexKey {
        self.key
    }

    /// What it holds. Blocks.
    pub fn about(&self) -> Result<IndexAbout, IndexError> {
        let count = self.blocks.count()?;
        let query = "SELECT agent, width, (SELECT count(*) FROM centres), probes, recall, changed_ms FROM about";
        let about = self.blocks.base.query_row(query, [], |row| {
            let number = |at| row.get::<_, i64>(at).map(|number| number.max(0) as u64);
            Ok(IndexAbout {
                agent: row.get(0)?,
                sense: self.key.sense,
                count,
                width: number(1)? as usize,
                centres: number(2)?,
                probes: number(3)?,
                recall: row.get(4)?,
                changed_ms: row.get(5)?,
            })
        });
        Ok(about?)
    }

    /// Takes the next step of putting new vectors into order; false if there is none. Blocks, for minutes at ten million vectors.
    pub fn settle(&mut self) -> Result<bool, IndexError> {
        self.how.settle(&mut self.blocks)
    }

    /// The vectors nearest to `query`, which has any length. A query of another width finds nothing. Blocks.
    pub fn nearest(&self, query: &[f32], wanted: &Wanted<'_>) -> Result<Vec<Neighbour>, IndexError> {
        let Some(unit) = unit(query) else { return Ok(Vec::new()) };
        self.how.nearest(&self.blocks, &unit, wanted)
    }

    /// Removes vectors for good, and returns how many there were. Blocks.
    pub fn remove(&mut self, ids: &[i64]) -> Result<u64, IndexError> {
        self.blocks.refresh()?;
        let width = self.blocks.width;
        let change = self.blocks.change()?;
        let mut sum = sum_of(&change, width)?;
        let removed = Blocks::remove(&change, width, ids, &mut sum)?;
        VectorIndex::forget_media(&change)?;
        let bytes: Vec<u8> = sum.iter().flat_map(|x| x.to_le_bytes()).collect();
        change.execute("UPDATE about SET sum = ?1, changed_ms = ?2", params![bytes, now_ms()])?;
        change.commit()?;
        if removed > 0 {
            self.lower()?;
            self.tidy()?;
        }
        Ok(removed)
    }

    /// Removes the vectors about stretches that pass, and returns how many there were. Blocks.
    pub fn remove_passing(&mut self, filter: &StretchFilter) -> Result<u64, IndexError> {
        let ids = self.passing(filter)?;
        self.remove(&ids)
    }

    /// Leaves no removed bytes in the log or in free pages.
    fn tidy(&mut self) -> Result<(), IndexError> {
        if self.file.as_os_str().is_empty() {
            return Ok(());
        }
        if fs::metadata(&self.file).is_ok_and(|meta| meta.len() <= MAX_VACUUM_BYTES) {
            self.blocks.base.execute_batch("VACUUM")?;
        }
        // `secure_delete` overwrote the pages; the log must not keep them
        self.blocks.base.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(())
    }
}

impl fmt::Debug for VectorIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VectorIndex").field("key", &self.key).field("file", &self.file).finish_non_exhaustive()
    }
}

/// The vector, scaled to unit length. `None` if it is zero or not finite.
pub(super) fn unit(vector: &[f32]) -> Option<Vec<f32>> {
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    (length.is_finite() && length > 0.0).then(|| vector.iter().map(|x| (f64::from(*x) / length) as f32).collect())
}

/// The key of an index and its agent, as its file states them.
fn named(base: &Connection) -> Result<Option<(IndexKey, String)>, IndexError> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?, row.get(2)?));
    let (model, sense, agent) = base.query_row("SELECT model, sense, agent FROM about", [], read)?;
    let sense = VectorSense::ALL.into_iter().find(|known| known.word() == sense);
    let key = |(model, sense)| IndexKey { model: ModelDigest::from_bytes(model), sense };
    Ok(model.try_into().ok().zip(sense).map(|found| (key(found), agent)))
}

/// The files of a folder that have the ending of an index.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == ENDING));
    files.sort();
    files
}

/// The key of the index in a file, and its agent. `None` if it cannot be read, or has the name of another one.
fn key_of(folder: &Path, file: &Path) -> Option<(IndexKey, String)> {
    let (key, agent) = named(&sqlite::readable(file, BUSY).next()?).ok()??;
    (file_of(folder, key) == file).then_some((key, agent))
}

/// The file of an index.
fn file_of(folder: &Path, key: IndexKey) -> PathBuf {
    let hex = key.model.hex();
    folder.join(format!("{}-{}.{ENDING}", key.sense.word(), &hex[..16]))
}

/// Removes the file of an index.
fn erase(file: &Path) -> Result<(), IndexError> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(IndexError::new(format!("{} cannot be removed: {error}", file.display())));
            }
            _ => {}
        }
    }
    Ok(())
}
