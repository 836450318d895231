//! Finds lines and frames by meaning: those whose vectors lie nearest to the vector of the words.

use super::{Database, fault::JournalError, read::Condition};
use crate::{
    exchange::{LineFilter, TimeSpan},
    store::index::{IndexError, IndexKey, Neighbour, StretchFilter, VectorIndex, VectorStretch, Wanted},
    value::{Media, Moment, Sense},
};
use rusqlite::{OptionalExtension, params_from_iter};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// A fit at least this share of the queries about other things do not reach. What fits worse is no hit: it would be found for any words.
const LEAST_SHARE: f64 = 0.9;
/// Frames of one video that are less than this many seconds apart are one event: only the peak counts.
pub(super) const PEAK_S: f64 = 5.0;

/// The maximum number of frames among which peaks are searched.
const MAX_FRAMES: usize = 1 << 16;

/// A line or a frame that fits.
#[derive(Debug, Clone)]
pub(super) struct FitNear {
    pub id: i64,
    /// The cosine with the words.
    pub cosine: f32,
    /// The share of queries about other things that fit worse; `None` if that is unknown.
    pub share: Option<f64>,
}

impl Database {
    /// The lines of a revision whose texts fit `query` best, best first. `None` if no index holds vectors of the model.
    pub(super) fn near_lines(
        &mut self,
        key: IndexKey,
        query: &[f32],
        (revision, filter): (u64, &LineFilter),
        top: usize,
    ) -> Result<Option<Vec<FitNear>>, JournalError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| JournalError::of(&folder, &error);
        let Some(index) = self.indexes.existing(key) else { return Ok(None) };
        let search = |among: Option<&HashSet<i64>>, top: usize| {
            let wanted = Wanted { top, born: revision as i64, among };
            index.nearest(query, &wanted).map_err(|error| JournalError::index(&folder, &error))
        };
        // of lines that pass no filter, such as superseded ones, a few are among the nearest: the lock-step way is faster than a list of
        // all that pass
        let found = search(None, 2 * top)?;
        let is_all = found.len() < 2 * top;
        let passing = |condition: Condition, ids: Option<&[Neighbour]>| {
            let Condition { mut text, mut values } = condition;
            if let Some(near) = ids {
                text.push_str(" AND l.id IN (SELECT value FROM json_each(?))");
                values
                    .push(Box::new(serde_json::json!(near.iter().map(|near| near.id).collect::<Vec<_>>()).to_string()));
            }
            let mut find = self.base.prepare(&format!("SELECT l.id FROM lines l WHERE {text}"))?;
            let rows = find.query_map(params_from_iter(values), |row| row.get(0))?;
            rows.collect::<rusqlite::Result<HashSet<i64>>>()
        };
        let pass = passing(Condition::of(revision, filter), Some(&found)).map_err(wrong)?;
        let mut passed: Vec<Neighbour> = found.into_iter().filter(|near| pass.contains(&near.id)).collect();
        if passed.len() < top && !is_all {
            let pass = passing(Condition::of(revision, filter), None).map_err(wrong)?;
            passed = search(Some(&pass), top)?;
        }
        passed.truncate(top);
        let near = rated(index, query, &passed).map_err(|error| JournalError::index(&folder, &error))?;
        Ok(Some(near))
    }

    /// The frames that fit `query` best, best first: peaks that lie apart. `None` if no index holds vectors of the model.
    pub(super) fn near_frames(
        &mut self,
        key: IndexKey,
        query: &[f32],
        (revision, filter): (u64, &LineFilter),
        top: usize,
    ) -> Result<Option<Vec<(FitNear, Moment)>>, JournalError> {
        let folder = self.folder.clone();
        let wrong = |error: IndexError| JournalError::index(&folder, &error);
        let media: HashMap<String, Arc<Media>> =
            self.media()?.into_values().map(|media| (media.digest.clone(), media)).collect();
        let Some(index) = self.indexes.existing(key) else { return Ok(None) };
        let passes = |stretch: &VectorStretch| {
            media.get(&stretch.medium).is_some_and(|media| frame_passes(stretch, media, filter))
        };
        // a peak has many neighbours
        let (mut wide, mut among) = ((32 * top).min(MAX_FRAMES), None);
        loop {
            let wanted = Wanted { top: wide, born: revision as i64, among: among.as_ref() };
            let found = index.nearest(query, &wanted).map_err(wrong)?;
            let is_all = found.len() < wide;
            let near = rated(index, query, &found).map_err(wrong)?;
            let fitting = near.len() == found.len();
            let stretches = index.stretches(&near.iter().map(|near| near.id).collect::<Vec<_>>()).map_err(wrong)?;
            let mut peaks: Vec<(FitNear, Moment)> = Vec::new();
            for near in near {
                let Some(stretch) = stretches.get(&near.id).filter(|stretch| passes(stretch)) else { continue };
                let Some(media) = media.get(&stretch.medium) else { continue };
                let is_apart = |(_, peak): &(FitNear, Moment)| {
                    peak.media.digest != stretch.medium
                        || (peak.start.seconds() - stretch.start.seconds()).abs() >= PEAK_S
                };
                if peaks.len() < top && peaks.iter().all(is_apart) {
                    let moment = Moment { media: media.clone(), start: stretch.start, end: stretch.end, text: None };
                    peaks.push((near, moment));
                }
            }
            // worse ones fit no better than for any words
            if peaks.len() >= top || is_all || !fitting || wide >= MAX_FRAMES {
                return Ok(Some(peaks));
            }
            let is_filtered = *filter != LineFilter::default();
            if is_filtered && among.is_none() {
                let ids = index.passing(&StretchFilter { media: filter.media.clone(), within: None }).map_err(wrong)?;
                let stretches = index.stretches(&ids).map_err(wrong)?;
                among = Some(stretches.into_iter().filter(|(_, stretch)| passes(stretch)).map(|(id, _)| id).collect());
            } else {
                wide *= 8;
            }
        }
    }

    /// The line that tells what a frame shows, if one passes: of a sense of sight, and the shortest around it.
    pub(super) fn line_at(&self, moment: &Moment, revision: u64, filter: &LineFilter) -> rusqlite::Result<Option<i64>> {
        let senses = [Sense::Seen, Sense::Done, Sense::Detected, Sense::Caption, Sense::Read].map(Sense::word);
        let Condition { text, mut values } = Condition::of(revision, filter);
        values.push(Box::new(moment.media.digest.clone()));
        let middle = (moment.start.seconds() + moment.end.seconds()) / 2.0;
        values.push(Box::new(middle));
        values.push(Box::new(middle));
        values.push(Box::new(serde_json::json!(senses).to_string()));
        let query = format!(
            "SELECT l.id FROM lines l WHERE {text} AND l.medium = (SELECT id FROM media WHERE digest = ?)
             AND l.start_s <= ? AND l.end_s > ? AND l.sense IN (SELECT value FROM json_each(?))
             ORDER BY l.sense <> 'seen', l.end_s - l.start_s, l.id LIMIT 1"
        );
        self.base.query_row(&query, params_from_iter(values), |row| row.get(0)).optional()
    }
}

/// Neighbours with their share of worse queries, without those that fit any words as well.
fn rated(index: &VectorIndex, query: &[f32], found: &[Neighbour]) -> Result<Vec<FitNear>, IndexError> {
    let cosines: Vec<f32> = found.iter().map(|near| near.cosine).collect();
    let shares = index.shares(query, &cosines)?;
    let near = found.iter().enumerate().map(|(n, near)| FitNear {
        id: near.id,
        cosine: near.cosine,
        share: shares.as_ref().map(|shares| shares[n]),
    });
    Ok(near.filter(|near| near.share.is_none_or(|share| share >= LEAST_SHARE)).collect())
}

/// True if a frame passes the filter. What it shows is seen.
fn frame_passes(stretch: &VectorStretch, media: &Media, filter: &LineFilter) -> bool {
    let (from, to) = (stretch.start.seconds(), stretch.end.seconds());
    let wall = media.wall_ms(stretch.start).zip(media.wall_ms(stretch.end));
    let touches = |span: &TimeSpan| match *span {
        TimeSpan::Played(start, end) => from < end && to > start,
        TimeSpan::Wall(start, end) => wall.is_some_and(|(from, to)| from < end && to > start),
    };
    (filter.media.is_empty() || filter.media.contains(&media.digest))
        && (filter.senses.is_empty() || filter.senses.contains(&Sense::Seen))
        && (filter.within.is_empty() || filter.within.iter().any(touches))
        && filter.as_of_ms.is_none_or(|as_of| wall.is_none_or(|(_, to)| to <= as_of))
}
