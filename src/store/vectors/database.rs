//! The SQLite file of a store of vectors.

use crate::store::sqlite::{self, format_of};
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The format of the table, stored in SQLite's `user_version`.
const FORMAT: i64 = 1;
/// Maximum wait for another process. The store is a cache, so a long wait would cost more than it saves.
const BUSY: Duration = Duration::from_secs(5);
/// A use is recorded if the last recorded one is older than this, in seconds. Most reads then write nothing.
const USE_GRAIN_S: i64 = 3600;
/// The names of SQLite's files.
const FILES: [&str; 3] = ["vectors.sqlite", "vectors.sqlite-wal", "vectors.sqlite-shm"];

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS vectors (
        id INTEGER PRIMARY KEY,
        model BLOB NOT NULL,
        text BLOB NOT NULL,
        vector BLOB NOT NULL,
        digest BLOB NOT NULL,
        used_s INTEGER NOT NULL,
        UNIQUE (model, text)
    );";

/// One connection.
pub(super) struct VectorDatabase {
    base: Connection,
    max_bytes: u64,
    is_writable: bool,
}

type Key = [u8; 32];

impl VectorDatabase {
    /// Opens or creates the file. One that cannot be written is opened for reading. Fails if it cannot be read either,
    /// or if a newer program wrote it.
    pub(super) fn open(folder: &Path, max_bytes: u64) -> rusqlite::Result<VectorDatabase> {
        match sqlite::tables(folder, &FILES, (FORMAT, TABLE), BUSY) {
            Ok(base) => Ok(VectorDatabase { base, max_bytes, is_writable: true }),
            Err(error) if is_damage(&error) => Err(error),
            Err(error) => {
                let known = |base: &Connection| format_of(base).is_ok_and(|found| found == FORMAT);
                let base = sqlite::readable(&folder.join(FILES[0]), BUSY).find(known).ok_or(error)?;
                Ok(VectorDatabase { base, max_bytes, is_writable: false })
            }
        }
    }

    pub(super) fn get_many(&mut self, model: Key, texts: &[Key]) -> rusqlite::Result<Vec<Option<Vec<f32>>>> {
        let now = now_s();
        let (mut vectors, mut stale) = (Vec::with_capacity(texts.len()), Vec::new());
        {
            // One transaction, so that the file is locked once and not for each text.
            let read = self.base.transaction()?;
            let query = "SELECT id, vector, digest, used_s FROM vectors WHERE model = ?1 AND text = ?2";
            let mut find = read.prepare_cached(query)?;
            for text in texts {
                let row = find.query_row(params![model, text], |row| {
                    let vector: Vec<u8> = row.get(1)?;
                    Ok((row.get::<_, i64>(0)?, vector, row.get::<_, Vec<u8>>(2)?, row.get::<_, i64>(3)?))
                });
                let row = match row.optional() {
                    // A value of another type means a damaged row, not a damaged file.
                    Err(rusqlite::Error::InvalidColumnType(..)) => None,
                    row => row?,
                };
                let sound = row.filter(|(_, bytes, digest, _)| digest[..] == digest_of(&model, text, bytes)[..]);
                stale.extend(sound.iter().filter(|row| row.3 < now - USE_GRAIN_S || row.3 > now).map(|row| row.0));
                vectors.push(sound.map(|(_, bytes, ..)| floats(&bytes)));
            }
        }
        if !stale.is_empty()
            && self.is_writable
            && let Err(error) = self.used(&stale, now)
        {
            tracing::debug!(%error, "the use of vectors cannot be recorded");
        }
        Ok(vectors)
    }

    /// Records the use of rows.
    fn used(&mut self, rows: &[i64], now: i64) -> rusqlite::Result<()> {
        let change = self.base.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut set = change.prepare_cached("UPDATE vectors SET used_s = ?2 WHERE id = ?1")?;
            rows.iter().try_for_each(|id| set.execute(params![id, now]).map(drop))?;
        }
        change.commit()
    }

    pub(super) fn put_many(&mut self, model: Key, rows: &[(Key, &[f32])]) -> rusqlite::Result<()> {
        if !self.is_writable {
            return Ok(());
        }
        let max_bytes = self.max_bytes;
        let change = self.base.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put = change.prepare_cached(
                "INSERT OR REPLACE INTO vectors (model, text, vector, digest, used_s) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for (text, vector) in rows {
                let bytes: Vec<u8> = vector.iter().flat_map(|n| n.to_le_bytes()).collect();
                put.execute(params![model, text, bytes, &digest_of(&model, text, &bytes)[..], now_s()])?;
            }
        }
        shrink(&change, max_bytes)?;
        change.commit()
    }

    /// The number of vectors and of models.
    pub(super) fn count(&mut self) -> rusqlite::Result<(u64, u64)> {
        let query = "SELECT count(*), count(DISTINCT model) FROM vectors";
        self.base
            .query_row(query, [], |row| Ok((row.get::<_, i64>(0)?.max(0) as u64, row.get::<_, i64>(1)?.max(0) as u64)))
    }

    /// Removes the vectors that were not used for `older`, or all of them. Removed data is overwritten.
    pub(super) fn purge(&mut self, older: Option<Duration>) -> rusqlite::Result<u64> {
        self.base.pragma_update(None, "secure_delete", true)?;
        let before =
            older.map_or(i64::MAX, |age| now_s().saturating_sub(i64::try_from(age.as_secs()).unwrap_or(i64::MAX)));
        let removed = self.base.execute("DELETE FROM vectors WHERE used_s < ?1", params![before])?;
        if let Err(error) = self.base.execute_batch("VACUUM") {
            tracing::debug!(%error, "the file of vectors cannot be made smaller");
        }
        self.base.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(removed as u64)
    }
}

/// Removes the quarter of the vectors that was not used for the longest time, until the rest fits.
fn shrink(base: &Connection, max_bytes: u64) -> rusqlite::Result<()> {
    let pragma = |name: &str| base.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let size = || Ok::<_, rusqlite::Error>((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?);
    while size()? > i64::try_from(max_bytes).unwrap_or(i64::MAX) {
        let oldest = "DELETE FROM vectors WHERE id IN
            (SELECT id FROM vectors ORDER BY used_s, id LIMIT 1 + (SELECT count(*) FROM vectors) / 4)";
        if base.execute(oldest, [])? == 0 {
            break;
        }
    }
    Ok(())
}

/// The digest over a vector and its keys. A vector with a wrong digest does not count.
fn digest_of(model: &Key, text: &Key, vector: &[u8]) -> Key {
    let mut hasher = blake3::Hasher::new_keyed(model);
    hasher.update(text).update(vector);
    *hasher.finalize().as_bytes()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

/// True for an error of a file that is not a database, or lacks the table.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown))
}

/// Removes the store's own files, and no other files of the folder.
pub(super) fn erase(folder: &Path) -> std::io::Result<()> {
    FILES.iter().try_for_each(|name| match fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
}

/// The size of the store's files, in bytes.
pub(super) fn disk_bytes(folder: &Path) -> u64 {
    FILES.iter().filter_map(|name| fs::metadata(folder.join(name)).ok()).map(|meta| meta.len()).sum()
}

/// Seconds since 1970.
fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64
}
