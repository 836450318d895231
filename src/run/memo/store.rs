//! One connection to the memo's database, and the files beside it.

use super::{BIG, Entry, Key, MemoError, Purge, Stat};
use crate::exchange::Reply;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Counts changes to the tables; kept in SQLite's `user_version`.
const SCHEMA: i64 = 1;
/// How long one process waits for another's commit.
const BUSY: Duration = Duration::from_secs(20);
/// Purging a medium leaves the files of others alone that are being written this minute.
const FRESH_FILE: Duration = Duration::from_secs(60);

/// Pages in the log before they are copied into the database, which waits for the disk: 16 MiB.
const LOG_PAGES: i64 = 4096;

/// Only keys and media are indexed: each further index would write a page for nearly every exchange, and explaining one
/// can afford to read the table.
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
        path TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS media (
        digest TEXT NOT NULL,
        exchange INTEGER NOT NULL REFERENCES exchanges (id) ON DELETE CASCADE,
        PRIMARY KEY (digest, exchange)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_exchange ON media (exchange);";

pub(in crate::run) struct Store {
    pub(super) base: Connection,
    folder: PathBuf,
}

impl Store {
    /// Opens or makes the database in `folder`.
    pub fn open(folder: &Path) -> Result<Store, MemoError> {
        let io = |error: std::io::Error| MemoError {
            message: format!("the memo's folder {} cannot be made: {error}", folder.display()),
            hint: Some("set ELENCHUS_CACHE to a folder that can be written, or run with --no-memo".to_owned()),
        };
        fs::create_dir_all(folder.join("replies")).map_err(io)?;
        let wrong = |error: rusqlite::Error| damaged(folder, &error);
        let base = Connection::open(folder.join("memo.sqlite")).map_err(wrong)?;
        base.busy_timeout(BUSY).map_err(wrong)?;
        base.pragma_update(None, "journal_mode", "WAL").map_err(wrong)?;
        base.pragma_update(None, "synchronous", "NORMAL").map_err(wrong)?;
        base.pragma_update(None, "wal_autocheckpoint", LOG_PAGES).map_err(wrong)?;
        base.pragma_update(None, "foreign_keys", true).map_err(wrong)?;
        let mut store = Store { base, folder: folder.to_owned() };
        store.prepare_tables()?;
        Ok(store)
    }

    fn prepare_tables(&mut self) -> Result<(), MemoError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| damaged(&folder, &error);
        let version = |base: &Connection| base.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
        if version(&self.base).map_err(wrong)? == SCHEMA {
            return Ok(());
        }
        // two processes may come here together: who is second finds the work done
        let change = self.base.transaction_with_behavior(TransactionBehavior::Immediate).map_err(wrong)?;
        match version(&change).map_err(wrong)? {
            0 => {
                change.execute_batch(TABLES).map_err(wrong)?;
                change.pragma_update(None, "user_version", SCHEMA).map_err(wrong)?;
                change.commit().map_err(wrong)
            }
            SCHEMA => Ok(()),
            other => Err(MemoError {
                message: format!("the memo in {} has version {other}, expected {SCHEMA}", folder.display()),
                hint: Some("another version of elenchus made it; empty it with `elenchus memo purge --all`".to_owned()),
            }),
        }
    }

    pub fn get_all(&mut self, keys: &[Key]) -> Result<Vec<Option<Reply>>, MemoError> {
        let (base, folder) = (&mut self.base, &self.folder);
        let wrong = |error: rusqlite::Error| damaged(folder, &error);
        // one transaction: the database is locked once for all, not once for each
        let read = base.transaction().map_err(wrong)?;
        let mut replies = Vec::with_capacity(keys.len());
        {
            let mut find = read.prepare_cached("SELECT reply, file FROM exchanges WHERE key = ?1").map_err(wrong)?;
            for key in keys {
                let found: Option<(Option<String>, Option<String>)> =
                    find.query_row(params![key.0], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(wrong)?;
                replies.push(found.and_then(|(reply, file)| reply_of(folder, reply, file)));
            }
        }
        read.commit().map_err(wrong)?;
        Ok(replies)
    }

    pub fn put_all(&mut self, entries: &[Entry]) -> Result<(), MemoError> {
        let (base, folder) = (&mut self.base, &self.folder);
        let wrong = |error: rusqlite::Error| damaged(folder, &error);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        let change = base.transaction_with_behavior(TransactionBehavior::Immediate).map_err(wrong)?;
        {
            let mut put = change
                .prepare_cached(
                    "INSERT INTO exchanges (key, identity, request, kind, seed, engine, reply, file, bytes, made_ms,
                         elapsed_ms, run, path)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                     ON CONFLICT (key) DO UPDATE SET reply = excluded.reply, file = excluded.file,
                         bytes = excluded.bytes, made_ms = excluded.made_ms, elapsed_ms = excluded.elapsed_ms,
                         run = excluded.run, path = excluded.path
                     RETURNING id",
                )
                .map_err(wrong)?;
            let mut link = change
                .prepare_cached("INSERT OR IGNORE INTO media (digest, exchange) VALUES (?1, ?2)")
                .map_err(wrong)?;
            for entry in entries {
                let json = serde_json::to_string(&entry.reply).expect("replies serialise: this is a bug");
                let bytes = json.len() as i64;
                let (reply, file) =
                    if json.len() > BIG { (None, Some(put_file(folder, &json)?)) } else { (Some(json), None) };
                let seed = entry.seed.map(|seed| seed as i64);
                let elapsed = entry.elapsed_ms as i64;
                let id: i64 = put
                    .query_row(
                        params![
                            entry.key.0,
                            entry.identity,
                            entry.request,
                            entry.kind,
                            seed,
                            super::ENGINE,
                            reply,
                            file,
                            bytes,
                            now,
                            elapsed,
                            &*entry.run,
                            entry.path
                        ],
                        |row| row.get(0),
                    )
                    .map_err(wrong)?;
                for digest in entry.media.iter() {
                    link.execute(params![digest, id]).map_err(wrong)?;
                }
            }
        }
        change.commit().map_err(wrong)
    }

    pub fn stat(&self) -> Result<Stat, MemoError> {
        let wrong = |error: rusqlite::Error| damaged(&self.folder, &error);
        let check: String = self.base.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(wrong)?;
        if check != "ok" {
            return Err(damage(&self.folder, &check));
        }
        let totals = "SELECT count(*), coalesce(sum(bytes), 0), count(DISTINCT run) FROM exchanges";
        let (exchanges, reply_bytes, runs) = self
            .base
            .query_row(totals, [], |row| Ok((count(row, 0)?, count(row, 1)?, count(row, 2)?)))
            .map_err(wrong)?;
        let mut asked =
            self.base.prepare("SELECT made_ms - elapsed_ms, made_ms FROM exchanges ORDER BY 1").map_err(wrong)?;
        let asked = asked
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .map_err(wrong)?;
        let asked_ms = covered(asked);
        let media =
            self.base.query_row("SELECT count(DISTINCT digest) FROM media", [], |row| count(row, 0)).map_err(wrong)?;
        let mut kinds = self
            .base
            .prepare("SELECT kind, count(*) AS n FROM exchanges GROUP BY kind ORDER BY n DESC, kind")
            .map_err(wrong)?;
        let kinds = kinds
            .query_map([], |row| Ok((row.get(0)?, count(row, 1)?)))
            .and_then(Iterator::collect::<rusqlite::Result<_>>)
            .map_err(wrong)?;
        let disk_bytes = files(&self.folder).chain(files(&self.folder.join("replies"))).map(|(_, bytes)| bytes).sum();
        Ok(Stat { folder: self.folder.clone(), exchanges, reply_bytes, disk_bytes, kinds, media, runs, asked_ms })
    }

    pub fn purge(&mut self, what: &Purge) -> Result<u64, MemoError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| damaged(&folder, &error);
        let change = self.base.transaction_with_behavior(TransactionBehavior::Immediate).map_err(wrong)?;
        let (chosen, digest) = match what {
            Purge::All => ("?1 IS NULL", None),
            Purge::Media(digest) => ("id IN (SELECT exchange FROM media WHERE digest = ?1)", Some(digest)),
        };
        let gone = names(&change, &format!("SELECT file FROM exchanges WHERE file IS NOT NULL AND {chosen}"), digest);
        let gone = gone.map_err(wrong)?;
        let removed =
            change.execute(&format!("DELETE FROM exchanges WHERE {chosen}"), params![digest]).map_err(wrong)?;
        let kept = names(&change, "SELECT file FROM exchanges WHERE file IS NOT NULL AND ?1 IS NULL", None);
        let kept = kept.map_err(wrong)?;
        change.commit().map_err(wrong)?;
        for (path, _) in files(&folder.join("replies")) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !kept.contains(name) && (gone.contains(name) || !being_written(&path)) {
                let _ = fs::remove_file(&path);
            }
        }
        // what was removed must not stay readable in the file: rewrite it, and empty the log
        self.base.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);").map_err(wrong)?;
        Ok(removed as u64)
    }
}

/// The names that a query yields.
fn names(base: &Connection, query: &str, digest: Option<&String>) -> rusqlite::Result<HashSet<String>> {
    base.prepare(query)?.query_map(params![digest], |row| row.get(0))?.collect()
}

/// Removes a memo's own files, and nothing else that may lie there.
pub(super) fn erase(folder: &Path) -> Result<(), MemoError> {
    let databases = ["memo.sqlite", "memo.sqlite-wal", "memo.sqlite-shm"].map(|name| folder.join(name));
    let replies = files(&folder.join("replies")).map(|(path, _)| path);
    for path in databases.into_iter().chain(replies) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let message = format!("{} cannot be removed: {error}", path.display());
                return Err(MemoError { message, hint: None });
            }
            _ => {}
        }
    }
    Ok(())
}

/// A reply from its row. A file that is gone or damaged is a reply that we do not have.
fn reply_of(folder: &Path, reply: Option<String>, file: Option<String>) -> Option<Reply> {
    let json = match (reply, file) {
        (Some(json), _) => json,
        (None, Some(name)) => {
            let json = fs::read_to_string(folder.join("replies").join(&name)).ok()?;
            (blake3::hash(json.as_bytes()).to_hex().as_str() == name).then_some(json)?
        }
        (None, None) => return None,
    };
    serde_json::from_str(&json).ok()
}

/// Writes a reply to the file named by its digest; whole or not at all.
fn put_file(folder: &Path, json: &str) -> Result<String, MemoError> {
    let name = blake3::hash(json.as_bytes()).to_hex().to_string();
    let path = folder.join("replies").join(&name);
    let part = folder.join("replies").join(format!("{name}.{}.part", std::process::id()));
    fs::write(&part, json)
        .and_then(|()| fs::rename(&part, &path))
        .map_err(|error| MemoError { message: format!("{} cannot be written: {error}", path.display()), hint: None })?;
    Ok(name)
}

/// How long at least one of the spans of time lasts, which are sorted by their beginnings: exchanges of one batch wait side by side.
pub(super) fn covered(spans: Vec<(i64, i64)>) -> u64 {
    let (mut sum, mut reached) = (0, i64::MIN);
    for (begin, end) in spans {
        sum += (end - begin.max(reached)).max(0) as u64;
        reached = reached.max(end);
    }
    sum
}

fn being_written(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|meta| meta.modified()).ok().and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age < FRESH_FILE)
}

/// The files directly in a folder, with their sizes.
fn files(folder: &Path) -> impl Iterator<Item = (PathBuf, u64)> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let meta = entry.metadata().ok()?;
        meta.is_file().then(|| (entry.path(), meta.len()))
    })
}

fn count(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|count| count.max(0) as u64)
}

fn damaged(folder: &Path, error: &rusqlite::Error) -> MemoError {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, ReadOnly, SystemIoFailure,
    };
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => damage(folder, &error.to_string()),
        Some(DatabaseBusy) => MemoError {
            message: format!("the memo in {} is busy: {error}", folder.display()),
            hint: Some("another process is writing to it for very long; try again".to_owned()),
        },
        Some(CannotOpen | DiskFull | ReadOnly | SystemIoFailure) => MemoError {
            message: format!("the memo in {} cannot be used: {error}", folder.display()),
            hint: Some("is the disk full, or may the folder not be written? --no-memo runs without it".to_owned()),
        },
        _ => MemoError { message: format!("the memo in {}: {error}", folder.display()), hint: None },
    }
}

fn damage(folder: &Path, what: &str) -> MemoError {
    MemoError {
        message: format!("the memo in {} is damaged: {what}", folder.display()),
        hint: Some("empty it with `elenchus memo purge --all`; it holds only what can be asked again".to_owned()),
    }
}
