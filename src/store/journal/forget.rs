//! Removes lines for good: of a medium, of a span of it, or those that hold a word.

use super::{Database, Journal, fault::JournalError, open::next_revision};
use crate::store::index::StretchFilter;
use rusqlite::{Connection, ToSql, TransactionBehavior, params, params_from_iter};
use serde::Serialize;

/// What is to be removed.
#[derive(Debug, Clone, PartialEq)]
pub enum Forget {
    /// Everything about the media with these digests, and optionally only the lines that touch this span, in seconds of presentation time.
    Media {
        /// The digests.
        digests: Vec<String>,
        /// From and to.
        span: Option<(f64, f64)>,
    },
    /// Every line that holds this word or name, in any inflection that the full-text index knows.
    Word(String),
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Forgotten {
    /// The number of lines.
    pub lines: u64,
    /// The number of media that the journal no longer lists.
    pub media: u64,
    /// The number of vectors of lines and frames.
    pub vectors: u64,
    /// The digests of the media that the lines were about.
    pub digests: Vec<String>,
}

impl Journal {
    /// Removes lines, superseded ones and corrections too. Their text is overwritten on the disk. Blocks.
    pub fn forget(&self, what: &Forget) -> Result<Forgotten, JournalError> {
        self.lock().forget(what)
    }
}

impl Database {
    fn forget(&mut self, what: &Forget) -> Result<Forgotten, JournalError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| JournalError::of(&folder, &error);
        self.must_be_writable()?;
        let change = self.base.transaction_with_behavior(TransactionBehavior::Immediate).map_err(wrong)?;
        // vectors go first: after a kill, lines without vectors are forgotten again, and vectors without lines would stay
        let lines = lines_of(&change, what).map_err(wrong)?;
        let vectors = self.indexes.forget(&lines, frames_of(what).as_ref());
        let vectors = vectors.map_err(|error| JournalError::index(&folder, &error))?;
        let forgotten = Forgotten { vectors, ..remove(&change, what).map_err(wrong)? };
        change.commit().map_err(wrong)?;
        // removed text must not stay readable in the log or in free pages
        if !folder.as_os_str().is_empty() {
            let tidy = "INSERT INTO words (words) VALUES ('optimize'); VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
            self.base.execute_batch(tidy).map_err(wrong)?;
        }
        Ok(forgotten)
    }
}

/// The lines to remove, as a condition with its values.
fn condition(what: &Forget) -> (String, Vec<Box<dyn ToSql>>) {
    match what {
        Forget::Media { digests, span } => {
            let of = "medium IN (SELECT id FROM media WHERE digest IN (SELECT value FROM json_each(?)))";
            let digests: Box<dyn ToSql> = Box::new(serde_json::json!(digests).to_string());
            match span {
                None => (of.to_owned(), vec![digests]),
                Some((from, to)) => {
                    (format!("{of} AND start_s < ? AND end_s > ?"), vec![digests, Box::new(*to), Box::new(*from)])
                }
            }
        }
        Forget::Word(word) => {
            let phrase = super::words::phrase(word);
            ("id IN (SELECT rowid FROM words WHERE words MATCH ?)".to_owned(), vec![Box::new(phrase)])
        }
    }
}

/// The numbers of the lines to remove.
fn lines_of(base: &Connection, what: &Forget) -> rusqlite::Result<Vec<i64>> {
    let (condition, values) = condition(what);
    let mut find = base.prepare(&format!("SELECT id FROM lines WHERE {condition}"))?;
    find.query_map(params_from_iter(values), |row| row.get(0))?.collect()
}

/// The frames to remove.
fn frames_of(what: &Forget) -> Option<StretchFilter> {
    let Forget::Media { digests, span } = what else { return None };
    // an empty list would mean all media
    let media = digests.clone();
    let within = span.map(|(from, to)| vec![(None, from, to)]);
    (!media.is_empty()).then_some(StretchFilter { media, within })
}

fn remove(change: &Connection, what: &Forget) -> rusqlite::Result<Forgotten> {
    let (condition, values) = condition(what);
    let digests = {
        let query =
            format!("SELECT DISTINCT digest FROM media JOIN lines ON lines.medium = media.id WHERE lines.{condition}");
        // the condition begins with a column of `lines`
        let mut find = change.prepare(&query)?;
        let rows = find.query_map(params_from_iter(&values), |row| row.get::<_, String>(0))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()?
    };
    let mut forgotten = Forgotten { digests, ..Forgotten::default() };
    forgotten.lines =
        change.execute(&format!("DELETE FROM lines WHERE {condition}"), params_from_iter(&values))? as u64;
    if let Forget::Media { digests, span: None } = what {
        let digests_json = serde_json::json!(digests).to_string();
        let gone = "DELETE FROM media WHERE digest IN (SELECT value FROM json_each(?1))";
        forgotten.media = change.execute(gone, params![digests_json])? as u64;
        let noted = "DELETE FROM files WHERE digest IN (SELECT value FROM json_each(?1))";
        change.execute(noted, params![digests_json])?;
    }
    if forgotten.lines + forgotten.media > 0 {
        next_revision(change)?;
    }
    Ok(forgotten)
}
