//! Removes exchanges: from the open database, in place on a full disk, or with the memo's files.

use super::{
    fault::{MemoError, MemoErrorKind},
    store::{Database, files_of},
};
use rusqlite::{Connection, TransactionBehavior, params, types::Value};
use std::{collections::HashSet, fs, path::Path, time::Duration};

/// The entries to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purge {
    /// All entries.
    All,
    /// The entries that used the media with these digests.
    Media(Vec<String>),
    /// The entries older than this age.
    Older(Duration),
}

/// Removes the chosen entries from the memo in `folder`, in any state of the memo. Returns the number of removed
/// exchanges, or `None` if they could not be counted.
pub fn purge(folder: &Path, what: &Purge) -> Result<Option<u64>, MemoError> {
    let purged = Database::writable(folder).and_then(|mut store| store.purge(what));
    match (purged, what) {
        // all entries are unwanted, so the files are removed if the database cannot do it
        (Err(error), Purge::All) if error.sort != MemoErrorKind::Other => {
            let counted = Database::readable(folder).and_then(|store| store.stat().ok()).map(|stat| stat.exchanges);
            erase(folder)?;
            Ok(counted)
        }
        (Err(error), what) if error.sort == MemoErrorKind::Unwritable => match in_place(folder, what) {
            Ok(removed) => Ok(Some(removed)),
            Err(_) => Err(error),
        },
        (purged, _) => purged.map(Some),
    }
}

impl Database {
    /// Removes exchanges and returns their number.
    pub(crate) fn purge(&mut self, what: &Purge) -> Result<u64, MemoError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| MemoError::of(&folder, &error);
        // Removed text must not stay readable: overwrite it, rewrite the file, and empty the log.
        self.base.pragma_update(None, "secure_delete", true).map_err(wrong)?;
        let removed = remove(&mut self.base, &folder, what).map_err(wrong)?;
        if let Err(error) = self.base.execute_batch("VACUUM") {
            tracing::debug!(%error, "the file of the memo cannot be made smaller");
        }
        self.base.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(wrong)?;
        Ok(removed)
    }
}

/// Removes exchanges without a log, because a full disk has no space for its pages. Needs exclusive access to the
/// database.
fn in_place(folder: &Path, what: &Purge) -> Result<u64, MemoError> {
    let wrong = |error: rusqlite::Error| MemoError::of(folder, &error);
    let mut base = Connection::open(folder.join("memo.sqlite")).map_err(wrong)?;
    base.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(wrong)?;
    base.pragma_update(None, "journal_mode", "MEMORY").map_err(wrong)?;
    base.pragma_update(None, "foreign_keys", true).map_err(wrong)?;
    base.pragma_update(None, "secure_delete", true).map_err(wrong)?;
    remove(&mut base, folder, what).map_err(wrong)
}

fn remove(base: &mut Connection, folder: &Path, what: &Purge) -> rusqlite::Result<u64> {
    let (chosen, with) = match what {
        Purge::All => ("?1 IS NULL", Value::Null),
        Purge::Media(digests) => (
            "id IN (SELECT exchange FROM media WHERE digest IN (SELECT value FROM json_each(?1)))",
            Value::Text(serde_json::json!(digests).to_string()),
        ),
        Purge::Older(age) => (
            "made_ms < ?1",
            Value::Integer(crate::store::now_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))),
        ),
    };
    let change = base.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let files = format!("SELECT file FROM exchanges WHERE file IS NOT NULL AND {chosen}");
    let gone = names(&change, &files, &with)?;
    let removed = change.execute(&format!("DELETE FROM exchanges WHERE {chosen}"), params![with])?;
    change.execute("DELETE FROM names WHERE digest NOT IN (SELECT digest FROM media)", [])?;
    let kept = names(&change, "SELECT file FROM exchanges WHERE file IS NOT NULL AND ?1 IS NULL", &Value::Null)?;
    let (gone, left): (Vec<_>, Vec<_>) = files_of(&folder.join("replies"))
        .map(|(path, _)| path)
        .filter(|path| !kept.contains(name_of(path)))
        .partition(|path| gone.contains(name_of(path)));
    // No process writes a file during this lock, so a file without a row remained from a killed process.
    left.iter().for_each(|path| drop(fs::remove_file(path)));
    change.commit()?;
    gone.iter().for_each(|path| drop(fs::remove_file(path)));
    Ok(removed as u64)
}

/// The names that a query returns.
fn names(base: &Connection, query: &str, with: &Value) -> rusqlite::Result<HashSet<String>> {
    base.prepare(query)?.query_map(params![with], |row| row.get(0))?.collect()
}

/// Removes a memo's own files, and no other files of the folder.
pub(super) fn erase(folder: &Path) -> Result<(), MemoError> {
    // large files first: on a full disk, their removal frees space
    let replies = files_of(&folder.join("replies")).map(|(path, _)| path);
    let databases = ["memo.sqlite", "memo.sqlite-wal", "memo.sqlite-shm"].map(|name| folder.join(name));
    for path in replies.chain(databases) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(MemoError::other(format!("{} cannot be removed: {error}", path.display())));
            }
            _ => {}
        }
    }
    Ok(())
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
