//! Opens a journal: creates it, closes it to other users, and refuses a newer format.

use super::{Database, fault::JournalError, indexes::Indexes};
use crate::{
    exchange::Revision,
    store::sqlite::{self, format_of},
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// The format of the tables, stored in SQLite's `user_version`.
const FORMAT: i64 = 1;
/// Maximum wait for another process's commit.
const BUSY: Duration = Duration::from_secs(20);
/// The names of SQLite's files.
pub(super) const FILES: [&str; 3] = ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"];

/// Added to format 1 later. Versions without it read such a journal, and ignore the list.
const DENIED: &str = "CREATE TABLE IF NOT EXISTS denied (kind TEXT NOT NULL, word TEXT NOT NULL, PRIMARY KEY (kind, word)) WITHOUT ROWID";

/// `born` and `died` are revisions. A line with a correction names it in `corrects` of the correcting line. Times are kept exactly as ticks, and in
/// seconds and milliseconds for the indexes.
const TABLES: &str = "
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        journal TEXT NOT NULL,
        revision INTEGER NOT NULL
    );
    INSERT INTO state VALUES (1, lower(hex(randomblob(16))), 0);
    CREATE TABLE media (
        id INTEGER PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        path TEXT NOT NULL,
        media TEXT NOT NULL,
        added_ms INTEGER NOT NULL
    );
    CREATE TABLE appends (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        medium INTEGER NOT NULL REFERENCES media (id) ON DELETE CASCADE,
        writer TEXT NOT NULL,
        cast_name TEXT NOT NULL,
        senses TEXT NOT NULL,
        written_ms INTEGER NOT NULL
    );
    CREATE INDEX appends_of ON appends (medium);
    CREATE TABLE lines (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        append INTEGER REFERENCES appends (id) ON DELETE CASCADE,
        medium INTEGER NOT NULL REFERENCES media (id) ON DELETE CASCADE,
        born INTEGER NOT NULL,
        died INTEGER,
        corrects INTEGER REFERENCES lines (id) ON DELETE CASCADE,
        start_ticks INTEGER NOT NULL,
        start_num INTEGER NOT NULL,
        start_den INTEGER NOT NULL,
        end_ticks INTEGER NOT NULL,
        end_num INTEGER NOT NULL,
        end_den INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        wall_ms INTEGER,
        wall_end_ms INTEGER,
        sense TEXT NOT NULL,
        text TEXT NOT NULL,
        labels TEXT NOT NULL,
        exchanges BLOB NOT NULL
    );
    CREATE INDEX lines_of ON lines (medium, start_s);
    CREATE INDEX lines_at ON lines (wall_ms);
    CREATE INDEX corrections ON lines (corrects);
    CREATE INDEX appended ON lines (append);
    CREATE TABLE indexed (
        medium INTEGER NOT NULL REFERENCES media (id) ON DELETE CASCADE,
        plan BLOB NOT NULL,
        PRIMARY KEY (medium, plan)
    ) WITHOUT ROWID;
    CREATE TABLE files (
        path TEXT NOT NULL,
        digest TEXT NOT NULL,
        PRIMARY KEY (path, digest)
    ) WITHOUT ROWID;
    CREATE VIRTUAL TABLE words USING fts5 (
        text, content = 'lines', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2', prefix = '3 4'
    );
    INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
    CREATE TRIGGER lines_added AFTER INSERT ON lines BEGIN
        INSERT INTO words (rowid, text) VALUES (new.id, new.text);
    END;
    CREATE TRIGGER lines_removed AFTER DELETE ON lines BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
    END;
    CREATE VIRTUAL TABLE word_list USING fts5vocab (words, 'row');";

impl Database {
    /// Opens or creates the database in `folder`. One that cannot be written is opened read-only.
    pub(super) fn open(folder: &Path) -> Result<Database, JournalError> {
        match Database::writable(folder) {
            Err(error) if error.is_unwritable => Database::readable(folder, &error).ok_or(error),
            opened => opened,
        }
    }

    /// A database in memory.
    pub(super) fn in_memory() -> Result<Database, JournalError> {
        let wrong = |error: rusqlite::Error| JournalError::of(Path::new("memory"), &error);
        let base = Connection::open_in_memory().map_err(wrong)?;
        let mut database = Database {
            base,
            folder: PathBuf::new(),
            unwritable: None,
            indexes: Indexes::default(),
            left_out: HashMap::new(),
        };
        database.prepare()?;
        Ok(database)
    }

    fn writable(folder: &Path) -> Result<Database, JournalError> {
        let place = sqlite::private_place(folder, &FILES);
        let file = place.map_err(|(what, error)| JournalError::unwritable(&what, &error))?;
        let base = sqlite::writable(&file, BUSY).map_err(|error| JournalError::of(folder, &error))?;
        let indexes = Indexes::at(Some(folder.to_owned()));
        let mut database =
            Database { base, folder: folder.to_owned(), unwritable: None, indexes, left_out: HashMap::new() };
        database.prepare()?;
        Ok(database)
    }

    /// Opens the existing database read-only, because of `why`. `None` if it cannot be read either, or has another format.
    fn readable(folder: &Path, why: &JournalError) -> Option<Database> {
        let known = |base: &Connection| format_of(base).is_ok_and(|found| found == FORMAT);
        let base = sqlite::readable(&folder.join(FILES[0]), BUSY).find(known)?;
        let indexes = Indexes::at(Some(folder.to_owned()));
        let unwritable = Some(why.clone());
        Some(Database { base, folder: folder.to_owned(), unwritable, indexes, left_out: HashMap::new() })
    }

    fn prepare(&mut self) -> Result<(), JournalError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| JournalError::of(&folder, &error);
        self.base.pragma_update(None, "foreign_keys", true).map_err(wrong)?;
        self.base.pragma_update(None, "secure_delete", true).map_err(wrong)?;
        // a cascade fires the triggers of the full-text index only with this
        self.base.pragma_update(None, "recursive_triggers", true).map_err(wrong)?;
        if format_of(&self.base).map_err(wrong)? == FORMAT {
            return self.base.execute_batch(DENIED).map_err(wrong);
        }
        // two processes may arrive here together; the second one finds the work done
        let change = self.base.transaction_with_behavior(TransactionBehavior::Immediate).map_err(wrong)?;
        match format_of(&change).map_err(wrong)? {
            FORMAT => return Ok(()),
            0 => change.execute_batch(TABLES).and_then(|()| change.execute_batch(DENIED)).map_err(wrong)?,
            found => return Err(JournalError::format(&folder, found, FORMAT)),
        }
        change.pragma_update(None, "user_version", FORMAT).map_err(wrong)?;
        change.commit().map_err(wrong)
    }

    /// The error for a failure of SQLite.
    pub(super) fn wrong(&self, error: &rusqlite::Error) -> JournalError {
        JournalError::of(&self.folder, error)
    }

    /// Fails if the journal cannot be written.
    pub(super) fn must_be_writable(&self) -> Result<(), JournalError> {
        self.unwritable.clone().map_or(Ok(()), Err)
    }

    /// Begins a change. Fails if the journal cannot be written.
    pub(super) fn change(&mut self) -> Result<Transaction<'_>, JournalError> {
        self.must_be_writable()?;
        let folder = self.folder.clone();
        let begun = self.base.transaction_with_behavior(TransactionBehavior::Immediate);
        begun.map_err(|error| JournalError::of(&folder, &error))
    }

    /// The current state.
    pub(super) fn revision(&self) -> Result<Revision, JournalError> {
        let read =
            |row: &rusqlite::Row<'_>| Ok(Revision { journal: row.get(0)?, number: row.get::<_, i64>(1)? as u64 });
        self.base.query_row("SELECT journal, revision FROM state", [], read).map_err(|error| self.wrong(&error))
    }

    /// Fails if the state belongs to another journal, or to the future of this one.
    pub(super) fn knows(&self, asked: &Revision) -> Result<(), JournalError> {
        let own = self.revision()?;
        match asked.journal == own.journal && asked.number <= own.number {
            true => Ok(()),
            false => Err(JournalError::new(
                format!("the journal in {} is not the one that this request was made for", self.folder.display()),
                None,
            )),
        }
    }
}

/// Starts the next revision, and returns its number.
pub(super) fn next_revision(change: &Connection) -> rusqlite::Result<i64> {
    change.query_row("UPDATE state SET revision = revision + 1 RETURNING revision", [], |row| row.get(0))
}
