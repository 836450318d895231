//! Reads lines: those of a revision that pass a filter, in order of time.

use super::{Database, fault::JournalError};
use crate::{
    exchange::{LineFilter, TimeSpan},
    store::memo::MemoKey,
    value::{JournalLine, LineLabel, Media, Moment, Sense, Time, TimeBase},
};
use rusqlite::{Row, ToSql, params_from_iter};
use std::{collections::HashMap, sync::Arc};

/// A line with what the journal knows about it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredLine {
    /// Its number, for `journal correct`.
    pub id: i64,
    /// The line. The path of its medium is the last known one.
    pub line: JournalLine,
    /// The wall-clock start and end, in ms since 1970 (UTC), if they are known.
    pub wall_ms: Option<(i64, i64)>,
    /// The cast that wrote it; empty for a correction and for a run without a cast.
    pub cast: String,
    /// The exchanges that it came from.
    pub exchanges: Vec<MemoKey>,
    /// The line that it corrects.
    pub corrects: Option<i64>,
    /// True if another line took its place.
    pub is_superseded: bool,
}

/// A condition on lines, with its values.
#[derive(Default)]
pub(super) struct Condition {
    pub text: String,
    pub values: Vec<Box<dyn ToSql>>,
}

impl Condition {
    /// The lines of a revision that pass the filter.
    pub(super) fn of(revision: u64, filter: &LineFilter) -> Condition {
        let mut all = Condition::default();
        let number = revision as i64;
        all.and("l.born <= ? AND (l.died IS NULL OR l.died > ?)", vec![Box::new(number), Box::new(number)]);
        all.and("l.text <> ''", Vec::new());
        if !filter.media.is_empty() {
            let digests = serde_json::json!(filter.media).to_string();
            all.and(
                "l.medium IN (SELECT id FROM media WHERE digest IN (SELECT value FROM json_each(?)))",
                vec![Box::new(digests)],
            );
        }
        if !filter.senses.is_empty() {
            let senses = serde_json::json!(filter.senses).to_string();
            all.and("l.sense IN (SELECT value FROM json_each(?))", vec![Box::new(senses)]);
        }
        if let Some(as_of) = filter.as_of_ms {
            // the text of a line that ends later may tell of later things
            all.and("(l.wall_end_ms IS NULL OR l.wall_end_ms <= ?)", vec![Box::new(as_of)]);
        }
        if !filter.within.is_empty() {
            let (mut parts, mut values) = (Vec::new(), Vec::<Box<dyn ToSql>>::new());
            for stretch in &filter.within {
                match *stretch {
                    TimeSpan::Wall(from, to) => {
                        parts.push("(l.wall_ms < ? AND l.wall_end_ms > ?)");
                        values.extend([Box::new(to) as Box<dyn ToSql>, Box::new(from)]);
                    }
                    TimeSpan::Played(from, to) => {
                        parts.push("(l.start_s < ? AND l.end_s > ?)");
                        values.extend([Box::new(to) as Box<dyn ToSql>, Box::new(from)]);
                    }
                }
            }
            all.and(&format!("({})", parts.join(" OR ")), values);
        }
        all
    }

    fn and(&mut self, text: &str, values: Vec<Box<dyn ToSql>>) {
        if !self.text.is_empty() {
            self.text.push_str(" AND ");
        }
        self.text.push_str(text);
        self.values.extend(values);
    }
}

/// The columns of a line, with its cast.
pub(super) const COLUMNS: &str = "l.id, l.medium, l.start_ticks, l.start_num, l.start_den, l.end_ticks, l.end_num, l.end_den, l.wall_ms,
     l.wall_end_ms, l.sense, l.text, l.labels, l.exchanges, l.corrects, l.died, (SELECT cast_name FROM appends a WHERE a.id = l.append)";

/// Lines in order of time. Lines without a known time follow, by medium.
const BY_TIME: &str = "l.wall_ms IS NULL, l.wall_ms, l.medium, l.start_s, l.end_s, l.id";

impl Database {
    /// The lines of a revision that pass the filter, in order of time. Fails if there are more than `limit`.
    pub(super) fn read(
        &self,
        revision: u64,
        filter: &LineFilter,
        limit: usize,
    ) -> Result<Vec<StoredLine>, JournalError> {
        let condition = Condition::of(revision, filter);
        let query =
            format!("SELECT {COLUMNS} FROM lines l WHERE {} ORDER BY {BY_TIME} LIMIT {}", condition.text, limit + 1);
        let found = self.lines(&query, condition.values)?;
        match found.len() > limit {
            false => Ok(found),
            true => Err(JournalError::new(
                format!("more than {limit} lines of the journal are asked for at once"),
                Some("ask for a shorter time, or for fewer videos"),
            )),
        }
    }

    /// The lines that a query over [`COLUMNS`] gives. A damaged line is left out.
    pub(super) fn lines(&self, query: &str, values: Vec<Box<dyn ToSql>>) -> Result<Vec<StoredLine>, JournalError> {
        let media = self.media()?;
        let read = || {
            let mut find = self.base.prepare(query)?;
            let rows = find.query_map(params_from_iter(values), |row| Ok(stored(row, &media)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let rows = read().map_err(|error| self.wrong(&error))?;
        let count = rows.len();
        let lines: Vec<StoredLine> = rows.into_iter().flatten().collect();
        if lines.len() < count {
            tracing::warn!("{} lines of the journal are damaged; they are left out", count - lines.len());
        }
        Ok(lines)
    }

    /// All media by id.
    pub(super) fn media(&self) -> Result<HashMap<i64, Arc<Media>>, JournalError> {
        let read = || {
            let mut find = self.base.prepare("SELECT id, media, path FROM media")?;
            let rows = find.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get(2)?)))?;
            rows.collect::<rusqlite::Result<Vec<(i64, String, String)>>>()
        };
        let rows = read().map_err(|error| self.wrong(&error))?;
        let medium = |(id, json, path): (i64, String, String)| {
            let media: Media = serde_json::from_str(&json).ok()?;
            Some((id, Arc::new(Media { path, ..media })))
        };
        Ok(rows.into_iter().filter_map(medium).collect())
    }
}

/// The line of a row; `None` if it is damaged.
fn stored(row: &Row<'_>, media: &HashMap<i64, Arc<Media>>) -> Option<StoredLine> {
    let medium = media.get(&row.get::<_, i64>(1).ok()?)?;
    let time = |first: usize| {
        let (num, den) = (row.get::<_, u32>(first + 1).ok()?, row.get::<_, u32>(first + 2).ok()?);
        (num > 0 && den > 0).then_some(())?;
        Some(Time { ticks: row.get(first).ok()?, base: TimeBase { num, den } })
    };
    let labels: Vec<LineLabel> = serde_json::from_str(&row.get::<_, String>(12).ok()?).ok()?;
    let keys: Vec<u8> = row.get(13).ok()?;
    let wall = row.get::<_, Option<i64>>(8).ok()?.zip(row.get::<_, Option<i64>>(9).ok()?);
    Some(StoredLine {
        id: row.get(0).ok()?,
        line: JournalLine {
            moment: Moment { media: medium.clone(), start: time(2)?, end: time(5)?, text: None },
            sense: Sense::of(&row.get::<_, String>(10).ok()?)?,
            text: row.get(11).ok()?,
            labels,
        },
        wall_ms: wall,
        cast: row.get::<_, Option<String>>(16).ok()?.unwrap_or_default(),
        exchanges: keys.chunks_exact(32).filter_map(|key| key.try_into().ok().map(MemoKey)).collect(),
        corrects: row.get(14).ok()?,
        is_superseded: row.get::<_, Option<i64>>(15).ok()?.is_some(),
    })
}
