//! What the journal remembers besides lines: which media were indexed by which plan, and which files were made of them.

use super::{Database, Journal, append::put_medium, fault::JournalError};
use crate::{
    store::absolute,
    value::{Level, Media, Sense},
};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::PathBuf;

/// The key of a mark: the level's number and the digest of the plan. Marks without a number are those of the first versions.
fn mark(level: Level, plan: &[u8; 32]) -> Vec<u8> {
    std::iter::once(level as u8).chain(*plan).collect()
}

/// Removes the marks of a level: another plan's lines are the current ones.
pub(super) fn unmark(change: &Connection, medium: i64, level: Level) -> rusqlite::Result<()> {
    let remove = "DELETE FROM indexed WHERE medium = ?1 AND (substr(plan, 1, 1) = ?2 OR length(plan) = 32)";
    change.execute(remove, params![medium, [level as u8]])?;
    Ok(())
}

impl Journal {
    /// True if a plan with this digest has finished with a level of the medium. Blocks.
    pub fn is_indexed(&self, medium: &Media, level: Level, plan: &[u8; 32]) -> Result<bool, JournalError> {
        let query = "SELECT EXISTS (SELECT 1 FROM indexed JOIN media ON media.id = indexed.medium WHERE digest = ?1 AND plan = ?2)";
        let database = self.lock();
        let found = database.base.query_row(query, params![medium.digest, mark(level, plan)], |row| row.get(0));
        found.map_err(|error| database.wrong(&error))
    }

    /// The levels whose senses were used on a medium, also those that found nothing, cheapest first. Blocks.
    pub fn levels_of(&self, digest: &str) -> Result<Vec<Level>, JournalError> {
        let database = self.lock();
        let read = || {
            let query = "SELECT DISTINCT value FROM appends a, json_each(a.senses) JOIN media m ON m.id = a.medium WHERE m.digest = ?1";
            let mut find = database.base.prepare(query)?;
            let rows = find.query_map(params![digest], |row| row.get::<_, String>(0))?;
            let words = rows.collect::<rusqlite::Result<Vec<String>>>()?;
            Ok(Level::of_senses(&words.iter().filter_map(|word| Sense::of(word)).collect::<Vec<_>>()))
        };
        read().map_err(|error| database.wrong(&error))
    }

    /// Fails if the journal cannot be written. Blocks.
    pub fn check_writable(&self) -> Result<(), JournalError> {
        let mut database = self.lock();
        let folder = database.folder.clone();
        database.change()?.rollback().map_err(|error| JournalError::of(&folder, &error))
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

    /// Notes that a plan with this digest has finished with levels of the medium, and where the medium is now. Blocks.
    pub fn mark_indexed(&self, medium: &Media, levels: &[Level], plan: &[u8; 32]) -> Result<(), JournalError> {
        let note = |database: &mut Database| {
            let folder = database.folder.clone();
            let wrong = |error: rusqlite::Error| JournalError::of(&folder, &error);
            let change = database.change()?;
            let id = put_medium(&change, medium).map_err(wrong)?;
            for level in levels {
                // only the last plan's lines are the current ones
                unmark(&change, id, *level).map_err(wrong)?;
                let put = "INSERT OR REPLACE INTO indexed (medium, plan) VALUES (?1, ?2)";
                change.execute(put, params![id, mark(*level, plan)]).map_err(wrong)?;
            }
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
