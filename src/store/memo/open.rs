//! Opens a memo: creates it, closes it to other users, and converts an older format. A memo that cannot be written is
//! opened read-only.

use super::{
    MemoKey,
    fault::{MemoError, MemoErrorKind},
    store::{Database, digest_of},
};
use crate::{
    private,
    store::sqlite::{self, format_of},
};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::{fs, path::Path, time::Duration};

/// The format of the tables, stored in SQLite's `user_version`. Format 1 (elenchus 0.1.0) lacks digests and names.
const FORMAT: i64 = 2;
/// The names of SQLite's files.
const FILES: [&str; 3] = ["memo.sqlite", "memo.sqlite-wal", "memo.sqlite-shm"];
/// Maximum wait for another process's commit.
const BUSY: Duration = Duration::from_secs(20);

/// Pages in the log before SQLite copies them into the database, which waits for the disk: 16 MiB.
const LOG_PAGES: i64 = 4096;

/// Only keys and media have indexes. Another index would write a page for nearly every exchange, and `memo explain` can
/// afford to read the table.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS exchanges (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        identity TEXT NOT NULL,
        request BLOB NOT NULL,
        kind TEXT NOT NULL,
        seed INTEGER,
        engine TEXT NOT NULL,
        reply TEXT,
        file TEXT,
        bytes INTEGER NOT NULL,
        made_ms INTEGER NOT NULL,
        elapsed_ms INTEGER NOT NULL,
        run TEXT NOT NULL,
        path TEXT NOT NULL,
        digest BLOB
    );
    CREATE TABLE IF NOT EXISTS media (
        digest TEXT NOT NULL,
        exchange INTEGER NOT NULL REFERENCES exchanges (id) ON DELETE CASCADE,
        PRIMARY KEY (digest, exchange)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS names (
        digest TEXT NOT NULL,
        path TEXT NOT NULL,
        PRIMARY KEY (digest, path)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_exchange ON media (exchange);";

impl Database {
    /// Opens or creates the database in `folder`. One that cannot be written is opened read-only.
    pub(crate) fn open(folder: &Path) -> Result<Database, MemoError> {
        match Database::writable(folder) {
            Err(error) if error.sort == MemoErrorKind::Unwritable => match Database::readable(folder) {
                Some(store) => {
                    tracing::debug!(%error, "the memo is opened read-only");
                    Ok(store)
                }
                None => Err(error),
            },
            opened => opened,
        }
    }

    /// Opens or creates the database in `folder` for reading and writing.
    pub(crate) fn writable(folder: &Path) -> Result<Database, MemoError> {
        let file = folder.join(FILES[0]);
        if file.is_dir() {
            return Err(MemoError {
                sort: MemoErrorKind::Other,
                message: format!("{} is a folder; the memo's file belongs there", file.display()),
                hint: Some("move it away, set ELENCHUS_CACHE to another folder, or run with --no-memo".to_owned()),
            });
        }
        let place = sqlite::private_place(folder, &FILES);
        place.map_err(|(what, error)| MemoError::unwritable(&what, &error))?;
        let replies = folder.join("replies");
        private::private_folder(&replies).map_err(|error| MemoError::unwritable(&replies, &error))?;
        let wrong = |error: rusqlite::Error| MemoError::of(folder, &error);
        let base = sqlite::writable(&file, BUSY).map_err(wrong)?;
        base.pragma_update(None, "wal_autocheckpoint", LOG_PAGES).map_err(wrong)?;
        base.pragma_update(None, "foreign_keys", true).map_err(wrong)?;
        let mut store = Database::new(base, folder, true);
        store.prepare_tables()?;
        Ok(store)
    }

    /// Opens the existing database read-only. `None` if it cannot be read either, or has another format.
    pub(crate) fn readable(folder: &Path) -> Option<Database> {
        sqlite::readable(&folder.join(FILES[0]), BUSY).find_map(|base| {
            let known = base.query_row("SELECT count(digest) FROM exchanges", [], |row| row.get::<_, i64>(0));
            (format_of(&base).ok()? == FORMAT && known.is_ok()).then(|| Database::new(base, folder, false))
        })
    }

    fn prepare_tables(&mut self) -> Result<(), MemoError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| MemoError::of(&folder, &error);
        let tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('exchanges', 'media', 'names')";
        let count: i64 = self.base.query_row(tables, [], |row| row.get(0)).map_err(wrong)?;
        if format_of(&self.base).map_err(wrong)? == FORMAT && count == 3 {
            return Ok(());
        }
        // two processes may arrive here together; the second one finds the work done
        let change = self.base.transaction_with_behavior(TransactionBehavior::Immediate).map_err(wrong)?;
        let found = format_of(&change).map_err(wrong)?;
        if ![0, 1, FORMAT].contains(&found) {
            let last = "SELECT engine FROM exchanges ORDER BY made_ms DESC LIMIT 1";
            let engine = change.query_row(last, [], |row| row.get(0)).ok();
            return Err(MemoError::format(&folder, found, engine));
        }
        change.execute_batch(TABLES).map_err(wrong)?;
        add_digests(&change, &folder).map_err(wrong)?;
        change.pragma_update(None, "user_version", FORMAT).map_err(wrong)?;
        change.commit().map_err(wrong)
    }
}

/// Adds a digest to each reply of a memo of format 1.
fn add_digests(base: &Connection, folder: &Path) -> rusqlite::Result<()> {
    let column = "SELECT 1 FROM pragma_table_info('exchanges') WHERE name = 'digest'";
    if base.query_row(column, [], |_| Ok(())).optional()?.is_some() {
        return Ok(());
    }
    base.execute_batch("ALTER TABLE exchanges ADD COLUMN digest BLOB")?;
    let mut set = base.prepare("UPDATE exchanges SET digest = ?2 WHERE id = ?1")?;
    let mut all = base.prepare("SELECT id, key, reply, file FROM exchanges")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let (id, key, reply, file): (i64, Vec<u8>, Option<String>, Option<String>) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        // a reply in a file of its own already has a digest: its name
        let json = reply.or_else(|| fs::read_to_string(folder.join("replies").join(file?)).ok());
        if let (Ok(key), Some(json)) = (<[u8; 32]>::try_from(key), json) {
            set.execute(params![id, digest_of(MemoKey(key), &json)])?;
        }
    }
    Ok(())
}
