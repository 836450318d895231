//! Finds the lines that fit words best. The ranks by words (bm25 over stems), by the meaning of lines, and by frames are fused by
//! reciprocal rank.
//!
//! The score of a hit is its rank among searches about other things: the share of them that find nothing in this library that fits as
//! well. For words that is the chance that so many of the searched words occur here, if they are about other things. For vectors it is the
//! share of such queries whose best fit is worse (`store/index/background`). The best of the rankings counts. A search with
//! several rankings has several chances to fit by accident, so the score is the power of their number.

use super::{
    Database, RoleModels, StoredLine,
    fault::JournalError,
    read::{COLUMNS, Condition},
    words::{any_of, chance, present, searched, strangers},
};
use crate::{
    exchange::{GivenLine, HitReason, LineFilter, SearchHit, SearchRequest, Searched, TimeSpan},
    store::index::{IndexKey, VectorSense},
    value::{Moment, Sense},
};
use rusqlite::{Connection, params, params_from_iter};
use std::collections::{HashMap, HashSet};

/// The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009).
const FUSION: f64 = 60.0;
/// Candidates of each ranking for every hit that is wanted; neighbours of one event leave some out.
const CANDIDATES: usize = 8;
/// The most hits of one request.
const MAX_HITS: usize = 10_000;

/// What a ranking found: a line by its number or place, or a frame by its place among the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Found {
    Line(i64),
    Frame(usize),
}

/// A place in a ranking by meaning.
#[derive(Debug)]
struct Ranked {
    found: Found,
    /// The share of searches about other things that fit worse.
    share: f64,
    why: HitReason,
    /// The frame that fits.
    frame: Option<Moment>,
}

/// Something that one of the rankings found.
#[derive(Debug, Default)]
struct Candidate {
    fused: f64,
    share: f64,
    why: Vec<HitReason>,
}

/// What the rankings found.
#[derive(Debug, Default)]
struct Candidates {
    of: HashMap<Found, Candidate>,
    rankings: i32,
}

impl Candidates {
    /// Adds a ranking, best first: each with the share of searches about other things that fit worse, and the reason. Of several about
    /// the same, the first counts.
    fn add(&mut self, ranking: impl IntoIterator<Item = (Found, f64, HitReason)>) {
        self.rankings += 1;
        let (mut rank, mut seen) = (0.0, HashSet::new());
        for (found, share, why) in ranking {
            if !seen.insert(found) {
                continue;
            }
            rank += 1.0;
            let entry = self.of.entry(found).or_default();
            entry.fused += 1.0 / (FUSION + rank);
            entry.share = entry.share.max(share.clamp(0.0, 1.0));
            entry.why.push(why);
        }
    }

    /// The candidates with their scores, best first.
    fn sorted(self) -> Vec<(Found, f64, Vec<HitReason>)> {
        let mut all: Vec<_> = self.of.into_iter().collect();
        // of equal ones, the one that says the words comes first
        let says = |candidate: &Candidate| candidate.why.iter().any(|why| matches!(why, HitReason::Words(_)));
        all.sort_by(|(a_id, a), (b_id, b)| {
            let by_rank = b.fused.total_cmp(&a.fused).then_with(|| says(b).cmp(&says(a)));
            by_rank.then_with(|| b.share.total_cmp(&a.share)).then(a_id.cmp(b_id))
        });
        let score = |share: f64| share.powi(self.rankings.max(1));
        all.into_iter().map(|(found, candidate)| (found, score(candidate.share), candidate.why)).collect()
    }
}

impl Database {
    pub(super) fn search(
        &mut self,
        request: &SearchRequest,
        models: &RoleModels,
    ) -> Result<Vec<SearchHit>, JournalError> {
        let top = request.top.min(MAX_HITS);
        match &request.among {
            Searched::Lines(lines) => among_given(lines, request, top).map_err(|error| self.wrong(&error)),
            Searched::Journal(revision) => {
                self.knows(revision)?;
                self.among_own(revision.number, request, models, top)
            }
        }
    }

    fn among_own(
        &mut self,
        revision: u64,
        request: &SearchRequest,
        models: &RoleModels,
        top: usize,
    ) -> Result<Vec<SearchHit>, JournalError> {
        let words = searched(&request.text);
        if words.is_empty() {
            let found = self.read(revision, &request.filter, super::MAX_LINES)?;
            let hit = |stored: StoredLine| SearchHit {
                id: Some(stored.id),
                line: Some(stored.line),
                score: 1.0,
                ..SearchHit::default()
            };
            return Ok(found.into_iter().take(top).map(hit).collect());
        }
        let wrong = |base: &Database, error: rusqlite::Error| base.wrong(&error);
        let query = any_of(&self.base, &words).map_err(|error| self.wrong(&error))?;
        let ranking = match query.is_empty() {
            true => Vec::new(),
            false => {
                let condition = Condition::of(revision, &request.filter);
                self.by_words(&query, condition, top).map_err(|error| wrong(self, error))?
            }
        };
        let rate = strangers(&self.base).map_err(|error| wrong(self, error))?;
        let mut ids: Vec<i64> = ranking.iter().map(|(id, _)| *id).collect();
        let meant = self.by_meaning(revision, request, models, top)?;
        ids.extend(meant.iter().flatten().filter_map(|ranked| match ranked.found {
            Found::Line(id) => Some(id),
            Found::Frame(_) => None,
        }));
        let mut lines = self.stored(&ids)?;
        let mut candidates = Candidates::default();
        candidates.add(ranking.iter().filter_map(|(id, _)| {
            let present = present(&words, &lines.get(id)?.line.text);
            Some((Found::Line(*id), 1.0 - chance(present.len().max(1), words.len(), rate), HitReason::Words(present)))
        }));
        let mut frames: Vec<Moment> = Vec::new();
        for ranking in meant {
            let numbered = ranking.into_iter().map(|Ranked { found, share, why, frame }| match (found, frame) {
                (Found::Frame(_), Some(moment)) => {
                    frames.push(moment);
                    (Found::Frame(frames.len() - 1), share, why)
                }
                (found, _) => (found, share, why),
            });
            candidates.add(numbered.collect::<Vec<_>>());
        }
        let mut hits: Vec<SearchHit> = Vec::new();
        let mut events = Events::new(request.apart_s);
        for (found, score, why) in candidates.sorted() {
            let hit = match found {
                Found::Line(id) => {
                    let Some(StoredLine { line, .. }) = lines.remove(&id) else { continue };
                    SearchHit { id: Some(id), line: Some(line), score, why, ..SearchHit::default() }
                }
                Found::Frame(place) => {
                    SearchHit { frame: frames.get(place).cloned(), score, why, ..SearchHit::default() }
                }
            };
            let Some(moment) = hit.moment() else { continue };
            let (start, end) = (moment.start.seconds(), moment.end.seconds());
            let event = events.event(&moment.media.digest, start, end, hits.len());
            put(hit, event, &mut hits, top);
        }
        Ok(hits)
    }

    /// The rankings by the vectors of the request: of lines, and of frames. A frame that a line tells of counts for that line.
    fn by_meaning(
        &mut self,
        revision: u64,
        request: &SearchRequest,
        models: &RoleModels,
        top: usize,
    ) -> Result<Vec<Vec<Ranked>>, JournalError> {
        let mut rankings = Vec::new();
        let state = (revision, &request.filter);
        let most = top.saturating_mul(CANDIDATES).clamp(64, MAX_HITS);
        for asked in &request.vectors {
            let Some(model) = models.get(&asked.role).copied() else { continue };
            let key = |sense| IndexKey { model, sense };
            let lines = self.near_lines(key(VectorSense::Lines), &asked.vector, state, most);
            if let Some(near) = self.unless_lost(lines, key(VectorSense::Lines))? {
                let meant = near.into_iter().map(|near| {
                    let why = HitReason::Meaning(f64::from(near.cosine));
                    Ranked { found: Found::Line(near.id), share: near.share.unwrap_or_default(), why, frame: None }
                });
                rankings.push(meant.collect());
            }
            let frames = self.near_frames(key(VectorSense::Frames), &asked.vector, state, top.clamp(16, MAX_HITS));
            let Some(near) = self.unless_lost(frames, key(VectorSense::Frames))? else { continue };
            let mut shown = Vec::new();
            for (place, (near, moment)) in near.into_iter().enumerate() {
                let line = self.line_at(&moment, revision, &request.filter).map_err(|error| self.wrong(&error))?;
                let found = line.map_or(Found::Frame(place), Found::Line);
                // a frame of no line is what was seen
                if line.is_none() && !request.filter.senses.is_empty() && !request.filter.senses.contains(&Sense::Seen)
                {
                    continue;
                }
                let why = HitReason::Frame { cosine: f64::from(near.cosine), at_s: moment.start.seconds() };
                shown.push(Ranked { found, share: near.share.unwrap_or_default(), why, frame: Some(moment) });
            }
            rankings.push(shown);
        }
        Ok(rankings)
    }

    /// Nothing for a damaged index, which is removed: words still find lines.
    fn unless_lost<T>(
        &mut self,
        found: Result<Option<T>, JournalError>,
        key: IndexKey,
    ) -> Result<Option<T>, JournalError> {
        match found {
            Err(error) if error.is_lost_index => {
                tracing::warn!("{error}; `elenchus index` computes them again");
                if self.unwritable.is_none() {
                    self.indexes.discard(key);
                }
                Ok(None)
            }
            found => found,
        }
    }

    /// Lines by number.
    fn stored(&self, ids: &[i64]) -> Result<HashMap<i64, StoredLine>, JournalError> {
        let query = format!("SELECT {COLUMNS} FROM lines l WHERE l.id IN (SELECT value FROM json_each(?))");
        let stored = self.lines(&query, vec![Box::new(serde_json::json!(ids).to_string())])?;
        Ok(stored.into_iter().map(|stored| (stored.id, stored)).collect())
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
        let hit = |place| SearchHit { place: Some(place), score: 1.0, ..SearchHit::default() };
        return Ok(open.into_iter().take(top).map(hit).collect());
    }
    let mut candidates = Candidates::default();
    let (ranking, rate) = by_words_of(lines, &open, &words)?;
    candidates.add(ranking.into_iter().map(|(id, _)| {
        let present = present(&words, &lines[id as usize].text);
        (Found::Line(id), 1.0 - chance(present.len().max(1), words.len(), rate), HitReason::Words(present))
    }));
    // a list has no queries about other things, so its own lines are the measure
    for asked in &request.vectors {
        let vector = |line: &GivenLine| {
            line.vectors.iter().find(|known| known.role == asked.role).map(|known| known.vector.clone())
        };
        let mut ranking: Vec<(i64, f64)> = open
            .iter()
            .filter_map(|place| Some((*place as i64, cosine(&asked.vector, &vector(&lines[*place])?))))
            .collect();
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let count = ranking.len().max(1) as f64;
        let as_good = |fit: f64| ranking.partition_point(|(_, other)| *other >= fit) as f64;
        candidates.add(
            ranking.iter().map(|(id, fit)| (Found::Line(*id), 1.0 - as_good(*fit) / count, HitReason::Meaning(*fit))),
        );
    }
    let mut events = Events::new(request.apart_s);
    let mut hits: Vec<SearchHit> = Vec::new();
    for (found, score, why) in candidates.sorted() {
        let Found::Line(id) = found else { continue };
        let line = &lines[id as usize];
        let event = line.start_s.zip(line.end_s).and_then(|(start, end)| events.event("", start, end, hits.len()));
        let hit = SearchHit { place: Some(id as usize), score, why, ..SearchHit::default() };
        put(hit, event, &mut hits, top);
    }
    Ok(hits)
}

/// Joins a hit to that of its event, or adds it if it begins one and fewer than `top` are there.
fn put(hit: SearchHit, event: Option<usize>, hits: &mut Vec<SearchHit>, top: usize) {
    match event {
        Some(event) => {
            if let Some(first) = hits.get_mut(event) {
                first.join(&hit);
            }
        }
        None if hits.len() < top => hits.push(hit),
        None => {}
    }
}

/// The places of the lines with any of the words, best first, and the share of words about other things that the list has.
fn by_words_of(lines: &[GivenLine], open: &[usize], words: &[String]) -> rusqlite::Result<(Vec<(i64, f64)>, f64)> {
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
    let rate = strangers(&base)?;
    if query.is_empty() {
        return Ok((Vec::new(), rate));
    }
    let mut find =
        base.prepare("SELECT rowid, -bm25(words) FROM words WHERE words MATCH ?1 ORDER BY bm25(words), rowid")?;
    let rows = find.query_map(params![query], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((rows.collect::<rusqlite::Result<_>>()?, rate))
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
    known: HashMap<String, Vec<(f64, f64, usize)>>,
}

impl Events {
    fn new(apart_s: f64) -> Events {
        Events { apart_s, known: HashMap::new() }
    }

    /// The hit of the event that a stretch belongs to. If no earlier one is less than the distance away, the stretch begins the event of hit
    /// `new`.
    fn event(&mut self, medium: &str, start: f64, end: f64, new: usize) -> Option<usize> {
        if self.apart_s <= 0.0 {
            return None;
        }
        let known = self.known.entry(medium.to_owned()).or_default();
        let near = |(from, to, _): &&(f64, f64, usize)| start < to + self.apart_s && end > from - self.apart_s;
        // a neighbour belongs to the event, and so do its own neighbours
        let event = known.iter().find(near).map(|(_, _, event)| *event);
        known.push((start, end, event.unwrap_or(new)));
        event
    }
}
