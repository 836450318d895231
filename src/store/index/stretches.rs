//! What the vectors of frames are about: the stretch of a medium that each stands for.

use super::{IndexError, VectorIndex};
use crate::value::{Time, TimeBase};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params, params_from_iter};
use std::collections::HashMap;

/// A stretch of a medium.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorStretch {
    /// blake3 of the medium's bytes, hex.
    pub medium: String,
    /// The exact start.
    pub start: Time,
    /// The exact end.
    pub end: Time,
}

/// A condition on stretches, with its values.
#[derive(Default)]
pub struct StretchFilter {
    /// The digests of the media; all if empty.
    pub media: Vec<String>,
    /// From and to (exclusive), in seconds of presentation time, for all media, or for the one with this digest. A stretch must touch
    /// one of them. Everything passes if this is `None`.
    pub within: Option<Vec<(Option<String>, f64, f64)>>,
}

impl StretchFilter {
    /// As a condition of SQL over the table of entries.
    fn condition(&self) -> (String, Vec<Box<dyn ToSql>>) {
        const OF: &str = "medium IN (SELECT id FROM media WHERE digest IN (SELECT value FROM json_each(?)))";
        let (mut all, mut values) = (vec!["medium IS NOT NULL".to_owned()], Vec::<Box<dyn ToSql>>::new());
        if !self.media.is_empty() {
            all.push(OF.to_owned());
            values.push(Box::new(serde_json::json!(self.media).to_string()));
        }
        if let Some(within) = &self.within {
            let mut parts = vec!["0".to_owned()];
            for (medium, from, to) in within {
                let mut part = "(start_s < ? AND end_s > ?".to_owned();
                values.extend([Box::new(*to) as Box<dyn ToSql>, Box::new(*from)]);
                if let Some(medium) = medium {
                    part.push_str(" AND ");
                    part.push_str(OF);
                    values.push(Box::new(serde_json::json!([medium]).to_string()));
                }
                parts.push(part + ")");
            }
            all.push(format!("({})", parts.join(" OR ")));
        }
        (all.join(" AND "), values)
    }
}

impl VectorIndex {
    /// The numbers of the vectors whose stretch passes. Blocks.
    pub fn passing(&self, filter: &StretchFilter) -> Result<Vec<i64>, IndexError> {
        let (condition, values) = filter.condition();
        let mut find = self.blocks.base.prepare(&format!("SELECT id FROM entries WHERE {condition} ORDER BY id"))?;
        let rows = find.query_map(params_from_iter(values), |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The stretches of vectors by number. Unknown numbers are left out. Blocks.
    pub fn stretches(&self, ids: &[i64]) -> Result<HashMap<i64, VectorStretch>, IndexError> {
        let query = "SELECT e.id, digest, start_ticks, start_num, start_den, end_ticks, end_num, end_den
             FROM entries e JOIN media m ON m.id = e.medium WHERE e.id IN (SELECT value FROM json_each(?1))";
        let mut find = self.blocks.base.prepare_cached(query)?;
        let rows = find.query_map(params![serde_json::json!(ids).to_string()], |row| {
            let stretch = time(row, 2)?.zip(time(row, 5)?);
            let medium = row.get(1)?;
            Ok((row.get(0)?, stretch.map(|(start, end)| VectorStretch { medium, start, end })))
        })?;
        let rows: Vec<(i64, Option<VectorStretch>)> = rows.collect::<rusqlite::Result<_>>()?;
        Ok(rows.into_iter().filter_map(|(id, stretch)| Some((id, stretch?))).collect())
    }

    /// The starts of a medium's stretches, in seconds. Blocks.
    pub fn starts(&self, medium: &str) -> Result<Vec<f64>, IndexError> {
        let query = "SELECT start_s FROM entries e JOIN media m ON m.id = e.medium WHERE digest = ?1 ORDER BY start_s";
        let mut find = self.blocks.base.prepare(query)?;
        let rows = find.query_map(params![medium], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// What was noted when all vectors of a medium were there; empty if they are not. Blocks.
    pub fn whole(&self, medium: &str) -> Result<String, IndexError> {
        let query = "SELECT whole FROM media WHERE digest = ?1";
        let found: Option<String> = self.blocks.base.query_row(query, params![medium], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or_default())
    }

    /// Notes that all vectors of a medium are there. Blocks.
    pub fn set_whole(&mut self, medium: &str, note: &str) -> Result<(), IndexError> {
        let change = self.blocks.change()?;
        medium_id(&change, medium)?;
        change.execute("UPDATE media SET whole = ?2 WHERE digest = ?1", params![medium, note])?;
        Ok(change.commit()?)
    }

    /// Forgets the names of media without vectors, and of those in `media` always. Blocks.
    pub(super) fn forget_media(change: &Connection) -> Result<(), IndexError> {
        change
            .execute("DELETE FROM media WHERE id NOT IN (SELECT medium FROM entries WHERE medium IS NOT NULL)", [])?;
        Ok(())
    }
}

/// A time in three columns; `None` if it is damaged.
fn time(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Time>> {
    let (ticks, num, den): (i64, u32, u32) = (row.get(first)?, row.get(first + 1)?, row.get(first + 2)?);
    Ok((num > 0 && den > 0).then_some(Time { ticks, base: TimeBase { num, den } }))
}

/// The number of a medium, which is added if it is new.
pub(super) fn medium_id(change: &Connection, digest: &str) -> Result<i64, IndexError> {
    change.prepare_cached("INSERT OR IGNORE INTO media (digest, whole) VALUES (?1, '')")?.execute(params![digest])?;
    let mut find = change.prepare_cached("SELECT id FROM media WHERE digest = ?1")?;
    Ok(find.query_row(params![digest], |row| row.get(0))?)
}
