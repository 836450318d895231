//! What a journal holds, for people.

use super::{Database, Journal, StoredLine, fault::JournalError};
use crate::{
    exchange::{LineFilter, TimeSpan},
    store::index::IndexAbout,
    value::{Level, Media, Sense},
};
use rusqlite::params;
use serde::Serialize;

/// The media and lines of a journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JournalStat {
    /// The journal's state.
    pub revision: u64,
    /// The media, in order of time.
    pub media: Vec<MediumStat>,
    /// The indexes of vectors.
    pub vectors: Vec<IndexAbout>,
}

/// A medium of the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MediumStat {
    /// Its last known path.
    pub path: String,
    /// blake3 of its bytes, hex.
    pub digest: String,
    /// The presentation time of its start, in seconds.
    pub start: f64,
    /// Its length in seconds.
    pub seconds: f64,
    /// When it begins, in ms since 1970 (UTC), if that is known.
    pub wall_ms: Option<i64>,
    /// The zone of that time.
    pub zone: Option<String>,
    /// The senses that were used on it, also those that found nothing.
    pub senses: Vec<Sense>,
    /// The levels that these senses come from, cheapest first.
    pub levels: Vec<Level>,
    /// The number of lines that count.
    pub lines: u64,
}

impl Journal {
    /// The media with the number of their lines. With `as_of_ms`, media that begin later and lines that end later do not count, and
    /// vectors, which are not counted by time, are left out. Blocks.
    pub fn stat(&self, as_of_ms: Option<i64>) -> Result<JournalStat, JournalError> {
        let vectors = match as_of_ms {
            None => self.indexes().into_iter().map(|(_, about)| about).collect(),
            Some(_) => Vec::new(),
        };
        Ok(JournalStat { vectors, ..self.lock().stat(as_of_ms)? })
    }

    /// True if the journal has a line about what is seen or done in a medium. Blocks.
    pub fn has_sights(&self, digest: &str) -> Result<bool, JournalError> {
        let database = self.lock();
        let query = "SELECT EXISTS (SELECT 1 FROM lines l JOIN media m ON l.medium = m.id
                     WHERE m.digest = ?1 AND l.died IS NULL AND l.text <> '' AND l.sense <> 'heard')";
        let found = database.base.query_row(query, params![digest], |row| row.get(0));
        found.map_err(|error| database.wrong(&error))
    }

    /// The lines that pass the filter, in order of time; with `all`, superseded ones too. Blocks. Fails if there are more than `limit`.
    pub fn lines(&self, filter: &LineFilter, all: bool, limit: usize) -> Result<Vec<StoredLine>, JournalError> {
        let database = self.lock();
        let now = database.revision()?.number;
        let mut found = database.read(now, filter, limit)?;
        if all {
            let old = database.superseded(filter, limit)?;
            found.extend(old);
            found.sort_by(|a, b| {
                let key =
                    |stored: &StoredLine| (stored.wall_ms.map_or(i64::MAX, |wall| wall.0), stored.line.moment.start);
                key(a).cmp(&key(b)).then(a.id.cmp(&b.id))
            });
        }
        Ok(found)
    }

    /// The line with this number, also a superseded one. Blocks.
    pub fn line(&self, id: i64) -> Result<Option<StoredLine>, JournalError> {
        self.lock().line(id)
    }

    /// The digests of the media that `name` means: a path that a medium had last, a digest, or the start of one.
    pub fn digests_of(&self, name: &str) -> Result<Vec<String>, JournalError> {
        let database = self.lock();
        let query = "SELECT digest FROM media WHERE path = ?1 OR path = ?2 OR (length(?1) >= 8 AND substr(digest, 1, length(?1)) = ?1)";
        let read = || {
            let mut find = database.base.prepare(query)?;
            let rows = find.query_map(params![name, crate::store::absolute(name)], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<String>>>()
        };
        read().map_err(|error| database.wrong(&error))
    }
}

impl Database {
    fn stat(&self, as_of_ms: Option<i64>) -> Result<JournalStat, JournalError> {
        let revision = self.revision()?.number;
        let media = self.media()?;
        let used = |id: i64| {
            let query = "SELECT DISTINCT value FROM appends, json_each(appends.senses) WHERE medium = ?1";
            let mut find = self.base.prepare_cached(query)?;
            let rows = find.query_map(params![id], |row| row.get::<_, String>(0))?;
            let words = rows.collect::<rusqlite::Result<Vec<String>>>()?;
            let mut senses: Vec<Sense> = words.iter().filter_map(|word| Sense::of(word)).collect();
            senses.sort_unstable();
            let count = "SELECT count(*) FROM lines WHERE medium = ?1 AND died IS NULL AND text <> ''
                 AND (?2 IS NULL OR wall_end_ms IS NULL OR wall_end_ms <= ?2)";
            let lines: i64 = self.base.query_row(count, params![id, as_of_ms], |row| row.get(0))?;
            Ok((senses, lines as u64))
        };
        let mut all = Vec::new();
        let begins_by =
            |medium: &Media| as_of_ms.is_none_or(|as_of| medium.wall.as_ref().is_none_or(|wall| wall.at_ms <= as_of));
        for (id, medium) in media.into_iter().filter(|(_, medium)| begins_by(medium)) {
            let (senses, lines) = used(id).map_err(|error: rusqlite::Error| self.wrong(&error))?;
            all.push(MediumStat {
                path: medium.path.clone(),
                digest: medium.digest.clone(),
                start: medium.start.seconds(),
                seconds: medium.end.seconds() - medium.start.seconds(),
                wall_ms: medium.wall.as_ref().map(|wall| wall.at_ms),
                zone: medium.wall.as_ref().map(|wall| wall.zone.clone()),
                levels: Level::of_senses(&senses),
                senses,
                lines,
            });
        }
        all.sort_by(|a, b| (a.wall_ms.unwrap_or(i64::MAX), &a.path).cmp(&(b.wall_ms.unwrap_or(i64::MAX), &b.path)));
        Ok(JournalStat { revision, media: all, vectors: Vec::new() })
    }

    /// The lines that other lines took the place of.
    fn superseded(&self, filter: &LineFilter, limit: usize) -> Result<Vec<StoredLine>, JournalError> {
        let query = format!(
            "SELECT {} FROM lines l WHERE l.died IS NOT NULL ORDER BY l.id LIMIT {limit}",
            super::read::COLUMNS
        );
        let old = self.lines(&query, Vec::new())?;
        let passes = |stored: &StoredLine| {
            let (line, moment) = (&stored.line, &stored.line.moment);
            (filter.media.is_empty() || filter.media.contains(&moment.media.digest))
                && (filter.senses.is_empty() || filter.senses.contains(&line.sense))
                && filter.as_of_ms.is_none_or(|as_of| stored.wall_ms.is_none_or(|(_, end)| end <= as_of))
                && (filter.within.is_empty() || filter.within.iter().any(|span| touches(span, stored)))
        };
        Ok(old.into_iter().filter(passes).collect())
    }
}

/// True if a line touches a stretch of time.
fn touches(span: &TimeSpan, stored: &StoredLine) -> bool {
    let moment = &stored.line.moment;
    match *span {
        TimeSpan::Played(from, to) => moment.start.seconds() < to && moment.end.seconds() > from,
        TimeSpan::Wall(from, to) => stored.wall_ms.is_some_and(|(start, end)| start < to && end > from),
    }
}
