//! One connection to the memo's database, and the files of large replies beside it.

use super::{BIG, ENGINE, MemoEntry, MemoKey, fault::MemoError};
use crate::{
    exchange::Reply,
    private,
    store::{absolute, now_ms},
};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

pub(crate) struct Database {
    pub(super) base: Connection,
    pub(super) folder: PathBuf,
    is_writable: bool,
    /// The pairs of medium and path that are already in the database.
    named: HashSet<(String, String)>,
}

/// The columns of a reply.
struct Row {
    kind: String,
    reply: Option<String>,
    file: Option<String>,
    digest: Option<Vec<u8>>,
}

impl Database {
    pub(super) fn new(base: Connection, folder: &Path, is_writable: bool) -> Database {
        Database { base, folder: folder.to_owned(), is_writable, named: HashSet::new() }
    }

    pub(crate) fn get_all(&mut self, keys: &[MemoKey]) -> Result<Vec<Option<Reply>>, MemoError> {
        let (base, folder) = (&mut self.base, &self.folder);
        let wrong = |error: rusqlite::Error| MemoError::of(folder, &error);
        // one transaction, so that the database is locked once and not for each key
        let read = base.transaction().map_err(wrong)?;
        let (mut replies, mut damaged) = (Vec::with_capacity(keys.len()), 0);
        {
            let query = "SELECT kind, reply, file, digest FROM exchanges WHERE key = ?1";
            let mut find = read.prepare_cached(query).map_err(wrong)?;
            for key in keys {
                let row = find.query_row(params![key.0], |row| {
                    Ok(Row { kind: row.get(0)?, reply: row.get(1)?, file: row.get(2)?, digest: row.get(3)? })
                });
                let row = match row.optional() {
                    // a value of another type means a damaged row, not a damaged database
                    Err(rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::Utf8Error(..)) => {
                        damaged += 1;
                        None
                    }
                    row => row.map_err(wrong)?,
                };
                let reply = row.map(|row| reply_of(folder, *key, row));
                damaged += usize::from(matches!(reply, Some(None)));
                replies.push(reply.flatten());
            }
        }
        read.commit().map_err(wrong)?;
        if damaged > 0 {
            tracing::warn!("{damaged} replies of the memo are damaged; they are asked again");
        }
        Ok(replies)
    }

    pub(crate) fn put_all(&mut self, entries: &[MemoEntry]) -> Result<(), MemoError> {
        if !self.is_writable {
            let error = std::io::Error::from(std::io::ErrorKind::ReadOnlyFilesystem);
            return Err(MemoError::unwritable(&self.folder, &error));
        }
        let (base, folder) = (&mut self.base, &self.folder);
        let wrong = |error: rusqlite::Error| MemoError::of(folder, &error);
        let now = now_ms();
        let change = base.transaction_with_behavior(TransactionBehavior::Immediate).map_err(wrong)?;
        let mut named = Vec::new();
        {
            let mut put = change
                .prepare_cached(
                    "INSERT INTO exchanges (key, identity, request, kind, seed, engine, reply, file, bytes, made_ms,
                         elapsed_ms, run, path, digest)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
                     ON CONFLICT (key) DO UPDATE SET kind = excluded.kind, reply = excluded.reply,
                         file = excluded.file, bytes = excluded.bytes, made_ms = excluded.made_ms,
                         elapsed_ms = excluded.elapsed_ms, run = excluded.run, path = excluded.path,
                         digest = excluded.digest
                     RETURNING id",
                )
                .map_err(wrong)?;
            let mut link = change
                .prepare_cached("INSERT OR IGNORE INTO media (digest, exchange) VALUES (?1, ?2)")
                .map_err(wrong)?;
            let mut name =
                change.prepare_cached("INSERT OR IGNORE INTO names (digest, path) VALUES (?1, ?2)").map_err(wrong)?;
            for entry in entries {
                let json = serde_json::to_string(&entry.reply).expect("replies serialise: this is a bug");
                let (bytes, digest) = (json.len() as i64, digest_of(entry.key, &json));
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
                            ENGINE,
                            reply,
                            file,
                            bytes,
                            now,
                            elapsed,
                            &*entry.run,
                            entry.path,
                            digest
                        ],
                        |row| row.get(0),
                    )
                    .map_err(wrong)?;
                for medium in entry.media.iter() {
                    link.execute(params![medium.digest, id]).map_err(wrong)?;
                    let pair = (medium.digest.clone(), medium.path.clone());
                    if !self.named.contains(&pair) && !named.contains(&pair) {
                        name.execute(params![medium.digest, absolute(&medium.path)]).map_err(wrong)?;
                        named.push(pair);
                    }
                }
            }
        }
        change.commit().map_err(wrong)?;
        self.named.extend(named);
        Ok(())
    }

    /// Removes partial files of killed processes. Only the holder of the write lock writes a file, so the holder of
    /// that lock finds only files that no process will finish.
    pub(crate) fn sweep(&mut self) -> Result<(), MemoError> {
        let replies = self.folder.join("replies");
        if !self.is_writable || !files_of(&replies).any(|(path, _)| is_part(&path)) {
            return Ok(());
        }
        let wrong = |error: rusqlite::Error| MemoError::of(&self.folder, &error);
        let lock = self.base.transaction_with_behavior(TransactionBehavior::Immediate).map_err(wrong)?;
        private::sweep_parts(&replies, std::time::Duration::ZERO);
        lock.commit().map_err(wrong)
    }
}

/// The digest over a reply and its key. A reply with a missing or wrong digest does not count.
pub(super) fn digest_of(key: MemoKey, json: &str) -> [u8; 32] {
    *blake3::keyed_hash(&key.0, json.as_bytes()).as_bytes()
}

/// The reply of a row; `None` if it is damaged or missing, or has another kind than its row states.
fn reply_of(folder: &Path, key: MemoKey, row: Row) -> Option<Reply> {
    let json = match (row.reply, row.file) {
        (Some(json), _) => json,
        (None, file) => fs::read_to_string(folder.join("replies").join(file?)).ok()?,
    };
    if row.digest? != digest_of(key, &json) {
        return None;
    }
    let reply: Reply = serde_json::from_str(&json).ok()?;
    (reply.kind().word() == row.kind).then_some(reply)
}

/// Writes a reply to a file with its digest as name. The file appears only when complete.
fn put_file(folder: &Path, json: &str) -> Result<String, MemoError> {
    let name = blake3::hash(json.as_bytes()).to_hex().to_string();
    let path = folder.join("replies").join(&name);
    let part = folder.join("replies").join(format!("{name}.{}.part", std::process::id()));
    let written = private::write_private(&part, json.as_bytes()).and_then(|()| fs::rename(&part, &path));
    written.map_err(|error| {
        let _ = fs::remove_file(&part);
        MemoError::unwritable(&path, &error)
    })?;
    Ok(name)
}

fn is_part(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "part")
}

/// The files directly in a folder, with their sizes.
pub(super) fn files_of(folder: &Path) -> impl Iterator<Item = (PathBuf, u64)> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let meta = entry.metadata().ok()?;
        meta.is_file().then(|| (entry.path(), meta.len()))
    })
}
