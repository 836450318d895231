//! What the journal remembers besides lines: which media were indexed by which plan, and which files were made of them.

use super::{Database, Journal, append::put_medium, fault::JournalError};
use crate::{store::absolute, value::Media};
use rusqlite::{OptionalExtension, params};
use std::path::PathBuf;

impl Journal {
    /// True if a plan with this digest has finished with the medium. Blocks.
    pub fn is_indexed(&self, medium: &Media, plan: &[u8; 32]) -> Result<bool, JournalError> {
        let query = "SELECT EXISTS (SELECT 1 FROM indexed JOIN media ON media.id = indexed.medium WHERE digest = ?1 AND plan = ?2)";
        let database = self.lock();
        let found = database.base.query_row(query, params![medium.digest, plan], |row| row.get(0));
        found.map_err(|error| database.wrong(&error))
    }

    /// The medium with this digest, as it was last written. Blocks.
    pub fn medium(&self, digest: &str) -> Result<Option<Media>, JournalError> {
        let database = self.lock();
        let query = "SELECT media FROM media WHERE digest = ?1";
        let json: Option<String> = database
            .base
            .query_row(query, params![digest], |row| row.get(0))
            .optional()
            .map_err(|error| database.wrong(&error))?;
        Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
    }

    /// Notes that a plan with this digest has finished with the medium, and where the medium is now. Blocks.
    pub fn mark_indexed(&self, medium: &Media, plan: &[u8; 32]) -> Result<(), JournalError> {
        let note = |database: &mut Database| {
            let folder = database.folder.clone();
            let wrong = |error: rusqlite::Error| JournalError::of(&folder, &error);
            let change = database.change()?;
            let id = put_medium(&change, medium).map_err(wrong)?;
            // only the last plan's lines are the current ones
            change.execute("DELETE FROM indexed WHERE medium = ?1", params![id]).map_err(wrong)?;
            let put = "INSERT OR REPLACE INTO indexed (medium, plan) VALUES (?1, ?2)";
            change.execute(put, params![id, plan]).map_err(wrong)?;
            change.commit().map_err(wrong)
        };
        note(&mut self.lock())
    }

    /// Notes that `file` (a transcript, a clip, a picture) was made of these media, so that forgetting one of them reaches it. Blocks.
    pub fn note_file(&self, file: &str, media: &[String]) -> Result<(), JournalError> {
        let note = |database: &mut Database| {
            let folder = database.folder.clone();
            let wrong = |error: rusqlite::Error| JournalError::of(&folder, &error);
            let change = database.change()?;
            for digest in media {
                let put = "INSERT OR REPLACE INTO files (path, digest) VALUES (?1, ?2)";
                change.execute(put, params![absolute(file), digest]).map_err(wrong)?;
            }
            change.commit().map_err(wrong)
        };
        note(&mut self.lock())
    }

    /// The files that were made of these media. Blocks.
    pub fn files_of(&self, media: &[String]) -> Result<Vec<PathBuf>, JournalError> {
        let database = self.lock();
        let read = || {
            let query =
                "SELECT DISTINCT path FROM files WHERE digest IN (SELECT value FROM json_each(?1)) ORDER BY path";
            let mut find = database.base.prepare(query)?;
            let rows = find.query_map(params![serde_json::json!(media).to_string()], |row| row.get::<_, String>(0))?;
            rows.map(|path| path.map(PathBuf::from)).collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| database.wrong(&error))
    }

    /// The path that the journal knows for another content: the file there was replaced. `None` if it knows no other.
    pub fn replaced_at(&self, medium: &Media) -> Result<Option<String>, JournalError> {
        let database = self.lock();
        let query = "SELECT digest FROM media WHERE path = ?1 AND digest <> ?2 LIMIT 1";
        let mut find = database.base.prepare(query).map_err(|error| database.wrong(&error))?;
        let mut rows = find
            .query_map(params![absolute(&medium.path), medium.digest], |row| row.get::<_, String>(0))
            .map_err(|error| database.wrong(&error))?;
        rows.next().transpose().map_err(|error| database.wrong(&error))
    }
}
