//! Finds the lines that fit words best. The ranks by words (bm25 over stems) and by vectors are fused by reciprocal rank.

use super::{
    Database, StoredLine,
    fault::JournalError,
    read::{COLUMNS, Condition},
    words::{any_of, present, searched},
};
use crate::exchange::{GivenLine, HitReason, LineFilter, SearchHit, SearchRequest, Searched, TimeSpan};
use rusqlite::{Connection, params, params_from_iter};
use std::collections::HashMap;

/// The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009).
const FUSION: f64 = 60.0;
/// Candidates of each ranking for every hit that is wanted; neighbours of one event leave some out.
const CANDIDATES: usize = 8;
/// The most hits of one request.
const MAX_HITS: usize = 10_000;

/// A line that one of the rankings found.
#[derive(Debug, Default)]
struct Candidate {
    fused: f64,
    score: f64,
    why: Vec<HitReason>,
}

/// The candidates by the number of their line.
#[derive(Debug, Default)]
struct Candidates(HashMap<i64, Candidate>);

impl Candidates {
    /// Adds a ranking: numbers of lines with their fit, best first, among `count` lines.
    fn add(&mut self, ranking: &[(i64, f64)], count: usize, why: impl Fn(i64, f64) -> Option<HitReason>) {
        for (rank, (id, fit)) in ranking.iter().enumerate() {
            // lines that fit equally well count as better, so that the score never flatters
            let as_good = ranking.iter().filter(|(_, other)| other >= fit).count() - 1;
            let score = 1.0 - as_good as f64 / count.max(1) as f64;
            let entry = self.0.entry(*id).or_default();
            entry.fused += 1.0 / (FUSION + rank as f64 + 1.0);
            entry.score = entry.score.max(score.clamp(0.0, 1.0));
            entry.why.extend(why(*id, *fit));
        }
    }

    /// The candidates, best first.
    fn sorted(self) -> Vec<(i64, Candidate)> {
        let mut all: Vec<_> = self.0.into_iter().collect();
        all.sort_by(|(a_id, a), (b_id, b)| b.fused.total_cmp(&a.fused).then(a_id.cmp(b_id)));
        all
    }
}

impl Database {
    pub(super) fn search(&mut self, request: &SearchRequest) -> Result<Vec<SearchHit>, JournalError> {
        let top = request.top.min(MAX_HITS);
        match &request.among {
            Searched::Lines(lines) => among_given(lines, request, top).map_err(|error| self.wrong(&error)),
            Searched::Journal(revision) => {
                self.knows(revision)?;
                self.among_own(revision.number, request, top)
            }
        }
    }

    fn among_own(&self, revision: u64, request: &SearchRequest, top: usize) -> Result<Vec<SearchHit>, JournalError> {
        let wrong = |error: rusqlite::Error| self.wrong(&error);
        let words = searched(&request.text);
        if words.is_empty() {
            let found = self.read(revision, &request.filter, super::MAX_LINES)?;
            let hit =
                |stored: StoredLine| SearchHit { place: None, line: Some(stored.line), score: 1.0, why: Vec::new() };
            return Ok(found.into_iter().take(top).map(hit).collect());
        }
        let query = any_of(&self.base, &words).map_err(wrong)?;
        let condition = || Condition::of(revision, &request.filter);
        let count = self.count(condition()).map_err(wrong)?;
        let ranking =
            if query.is_empty() { Vec::new() } else { self.by_words(&query, condition(), top).map_err(wrong)? };
        let ids = serde_json::json!(ranking.iter().map(|(id, _)| id).collect::<Vec<_>>()).to_string();
        let found = format!("SELECT {COLUMNS} FROM lines l WHERE l.id IN (SELECT value FROM json_each(?))");
        let stored = self.lines(&found, vec![Box::new(ids)])?;
        let mut lines: HashMap<i64, StoredLine> = stored.into_iter().map(|stored| (stored.id, stored)).collect();
        let mut candidates = Candidates::default();
        candidates.add(&ranking, count, |id, _| Some(HitReason::Words(present(&words, &lines.get(&id)?.line.text))));
        let mut hits = Vec::new();
        let mut events = Events::new(request.apart_s);
        for (id, candidate) in candidates.sorted() {
            let Some(StoredLine { line, .. }) = lines.remove(&id) else { continue };
            let moment = &line.moment;
            if hits.len() < top && events.is_new(&moment.media.digest, moment.start.seconds(), moment.end.seconds()) {
                hits.push(SearchHit { place: None, line: Some(line), score: candidate.score, why: candidate.why });
            }
        }
        Ok(hits)
    }

    fn count(&self, condition: Condition) -> rusqlite::Result<usize> {
        let query = format!("SELECT count(*) FROM lines l WHERE {}", condition.text);
        self.base
            .query_row(&query, params_from_iter(condition.values), |row| row.get::<_, i64>(0))
            .map(|count| count as usize)
    }

    /// The lines that a full-text query finds, best first.
    fn by_words(&self, query: &str, condition: Condition, top: usize) -> rusqlite::Result<Vec<(i64, f64)>> {
        let limit = top.saturating_mul(CANDIDATES).max(64);
        let text = format!(
            "SELECT l.id, -bm25(words) FROM words JOIN lines l ON l.id = words.rowid WHERE words MATCH ? AND {}
             ORDER BY bm25(words), l.id LIMIT {limit}",
            condition.text
        );
        let values = [Box::new(query.to_owned()) as Box<dyn rusqlite::ToSql>].into_iter().chain(condition.values);
        let mut find = self.base.prepare(&text)?;
        let rows = find.query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }
}

/// Searches a list. Its full-text index lives for this request.
fn among_given(lines: &[GivenLine], request: &SearchRequest, top: usize) -> rusqlite::Result<Vec<SearchHit>> {
    let passes = |line: &GivenLine| within(line, &request.filter);
    let open: Vec<usize> = (0..lines.len()).filter(|place| passes(&lines[*place])).collect();
    let words = searched(&request.text);
    if words.is_empty() {
        let hit = |place| SearchHit { place: Some(place), line: None, score: 1.0, why: Vec::new() };
        return Ok(open.into_iter().take(top).map(hit).collect());
    }
    let mut candidates = Candidates::default();
    let ranking = by_words_of(lines, &open, &words)?;
    candidates.add(&ranking, open.len(), |id, _| Some(HitReason::Words(present(&words, &lines[id as usize].text))));
    if let Some(asked) = &request.vector {
        let mut ranking: Vec<(i64, f64)> = open
            .iter()
            .filter_map(|place| Some((*place as i64, cosine(&asked.vector, lines[*place].vector.as_ref()?))))
            .collect();
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        candidates.add(&ranking, open.len(), |_, cosine| Some(HitReason::Meaning(cosine)));
    }
    let mut events = Events::new(request.apart_s);
    let is_new = |place: usize| {
        let line = &lines[place];
        match (line.start_s, line.end_s) {
            (Some(start), Some(end)) => events.is_new("", start, end),
            _ => true,
        }
    };
    let hits = candidates.sorted().into_iter().map(|(id, found)| (id as usize, found));
    let mut is_new = is_new;
    let hits = hits.filter(|(place, _)| is_new(*place)).take(top);
    Ok(hits
        .map(|(place, found)| SearchHit { place: Some(place), line: None, score: found.score, why: found.why })
        .collect())
}

/// The places of the lines with any of the words, best first.
fn by_words_of(lines: &[GivenLine], open: &[usize], words: &[String]) -> rusqlite::Result<Vec<(i64, f64)>> {
    let base = Connection::open_in_memory()?;
    base.execute_batch(
        "CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'porter unicode61 remove_diacritics 2');
         CREATE VIRTUAL TABLE word_list USING fts5vocab (words, 'row');
         BEGIN;",
    )?;
    {
        let mut put = base.prepare("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?;
        for place in open {
            put.execute(params![*place as i64, lines[*place].text])?;
        }
    }
    base.execute_batch("COMMIT")?;
    let query = any_of(&base, words)?;
    if query.is_empty() {
        return Ok(Vec::new());
    }
    let mut find =
        base.prepare("SELECT rowid, -bm25(words) FROM words WHERE words MATCH ?1 ORDER BY bm25(words), rowid")?;
    find.query_map(params![query], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// True if a line of a list passes the filter. A list has one clock: its seconds.
fn within(line: &GivenLine, filter: &LineFilter) -> bool {
    let touches = |stretch: &TimeSpan| match (*stretch, line.start_s, line.end_s) {
        (TimeSpan::Played(from, to), Some(start), Some(end)) => start < to && end > from,
        _ => false,
    };
    filter.within.is_empty() || filter.within.iter().any(touches)
}

/// The product of two vectors of unit length.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// The events that have a hit already, so that each has only its best one.
struct Events {
    apart_s: f64,
    known: HashMap<String, Vec<(f64, f64)>>,
}

impl Events {
    fn new(apart_s: f64) -> Events {
        Events { apart_s, known: HashMap::new() }
    }

    /// True if no earlier hit is less than the distance away.
    fn is_new(&mut self, medium: &str, start: f64, end: f64) -> bool {
        if self.apart_s <= 0.0 {
            return true;
        }
        let known = self.known.entry(medium.to_owned()).or_default();
        let near = |(from, to): &(f64, f64)| start < to + self.apart_s && end > from - self.apart_s;
        // a neighbour belongs to the event, and so do its own neighbours
        let is_new = !known.iter().any(near);
        known.push((start, end));
        is_new
    }
}
