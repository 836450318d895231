//! Statistics of a memo.

use super::{
    fault::MemoError,
    store::{Database, files_of},
};
use rusqlite::{Row, params};
use std::path::PathBuf;

/// The statistics of a memo.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stat {
    /// The folder of the memo.
    pub folder: PathBuf,
    /// The number of exchanges.
    pub exchanges: u64,
    /// Total size of all replies, in bytes.
    pub reply_bytes: u64,
    /// Size on disk, in bytes.
    pub disk_bytes: u64,
    /// Exchanges for each kind of request, most frequent first.
    pub kinds: indexmap::IndexMap<String, u64>,
    /// The number of media that the exchanges used.
    pub media: u64,
    /// The number of runs that made the exchanges.
    pub runs: u64,
    /// The cost of asking everything again: the time that runs waited for agents, in milliseconds.
    pub asked_ms: u64,
    /// The media, those with most exchanges first.
    pub sources: Vec<MediaUse>,
}

/// A medium that exchanges used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MediaUse {
    /// The digest of its bytes.
    pub digest: String,
    /// Its paths in the runs.
    pub paths: Vec<String>,
    /// The number of exchanges that used it.
    pub exchanges: u64,
}

/// Minimum length of the start of a digest that identifies a medium, in hex digits.
const MIN_DIGITS: usize = 8;

impl Database {
    /// Computes the statistics. Checks the whole database, and fails if it is damaged.
    pub(crate) fn stat(&self) -> Result<Stat, MemoError> {
        let wrong = |error: rusqlite::Error| MemoError::of(&self.folder, &error);
        let check: String = self.base.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(wrong)?;
        if check != "ok" {
            return Err(MemoError::damage(&self.folder, &check));
        }
        self.figures().map_err(wrong)
    }

    fn figures(&self) -> rusqlite::Result<Stat> {
        let totals = "SELECT count(*), coalesce(sum(bytes), 0), count(DISTINCT run) FROM exchanges";
        let (exchanges, reply_bytes, runs) =
            self.base.query_row(totals, [], |row| Ok((count(row, 0)?, count(row, 1)?, count(row, 2)?)))?;
        let mut asked = self.base.prepare("SELECT made_ms - elapsed_ms, made_ms FROM exchanges ORDER BY 1")?;
        let asked = asked
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)?;
        let mut kinds =
            self.base.prepare("SELECT kind, count(*) AS n FROM exchanges GROUP BY kind ORDER BY n DESC, kind")?;
        let kinds = kinds.query_map([], |row| Ok((row.get(0)?, count(row, 1)?))).and_then(Iterator::collect)?;
        let sources = self.sources()?;
        let disk_bytes = files_of(&self.folder).chain(files_of(&self.folder.join("replies"))).map(|(_, n)| n).sum();
        Ok(Stat {
            folder: self.folder.clone(),
            exchanges,
            reply_bytes,
            disk_bytes,
            kinds,
            media: sources.len() as u64,
            runs,
            asked_ms: covered(asked),
            sources,
        })
    }

    fn sources(&self) -> rusqlite::Result<Vec<MediaUse>> {
        let mut media =
            self.base.prepare("SELECT digest, count(*) AS n FROM media GROUP BY digest ORDER BY n DESC, digest")?;
        let mut paths = self.base.prepare("SELECT path FROM names WHERE digest = ?1 ORDER BY path")?;
        let mut sources = Vec::new();
        let mut rows = media.query([])?;
        while let Some(row) = rows.next()? {
            let (digest, exchanges): (String, u64) = (row.get(0)?, count(row, 1)?);
            let paths = paths.query_map(params![digest], |row| row.get(0)).and_then(Iterator::collect)?;
            sources.push(MediaUse { digest, paths, exchanges });
        }
        Ok(sources)
    }

    /// The digests of the media that `name` identifies: a path that a medium had in some run, a digest, or the start of
    /// a digest.
    pub(crate) fn digests_of(&self, name: &str) -> Result<Vec<String>, MemoError> {
        let is_digest = name.len() >= MIN_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let path = crate::store::absolute(name);
        let named = |source: &MediaUse| {
            source.paths.contains(&path) || (is_digest && source.digest.starts_with(&name.to_ascii_lowercase()))
        };
        let sources = self.sources().map_err(|error| MemoError::of(&self.folder, &error))?;
        Ok(sources.into_iter().filter(named).map(|source| source.digest).collect())
    }
}

/// The total time covered by at least one span, because exchanges of one batch wait at the same time. The spans are
/// sorted by their starts.
pub(super) fn covered(spans: Vec<(i64, i64)>) -> u64 {
    let (mut sum, mut reached) = (0, i64::MIN);
    for (begin, end) in spans {
        sum += (end - begin.max(reached)).max(0) as u64;
        reached = reached.max(end);
    }
    sum
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|count| count.max(0) as u64)
}
