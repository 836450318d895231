//! The clustered index: vectors are grouped around centres, and a search reads the groups of the nearest centres (an inverted file,
//! Sivic and Zisserman 2003). What it reads, it compares exactly. New vectors wait in a list of their own, which every search reads,
//! until there are enough of them to be put into groups.

use super::{
    Index, IndexError, Neighbour, Wanted,
    blocks::{self, Blocks, ListChoice, NEW, VectorBlock},
    products::{all_products, widen_all},
    training,
};
use rusqlite::params;
use std::collections::BTreeMap;

/// New vectors that a search reads before they are put into groups, as a share of all.
const NEW_SHARE: u64 = 20;
/// The most of them: a search reads all, and 36 hours of frames are enough for it.
const MAX_NEW: u64 = 1 << 17;
/// A block with less than this share of its room takes further vectors of its group, so that a group stays in few blocks.
const OPEN_SHARE: usize = 2;
/// The size of the vectors that one step puts into groups, in bytes.
const STEP_BYTES: usize = 256 << 20;
/// The centres are placed again when there are this many times more vectors.
const GROWN: u64 = 4;
/// Vectors whose nearest centres are computed together.
const TOGETHER: usize = 512;

/// Compares the query with the vectors of the nearest groups.
#[derive(Debug, Default)]
pub struct ClusteredIndex {
    /// One after the other; none before they were placed.
    centres: Vec<f32>,
    /// The list of each.
    lists: Vec<i64>,
    /// The number of vectors when they were placed.
    trained: u64,
    /// The number of groups that a search reads.
    probes: usize,
}

impl ClusteredIndex {
    /// Reads the centres from the file. Fails if they are damaged.
    pub(super) fn read(blocks: &Blocks) -> Result<ClusteredIndex, IndexError> {
        let (trained, probes): (i64, i64) =
            blocks.base.query_row("SELECT trained, probes FROM about", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut find = blocks.base.prepare("SELECT list, vector FROM centres ORDER BY list")?;
        let rows = find.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        let probes = if probes > 0 { probes as usize } else { training::UNMEASURED };
        let mut index = ClusteredIndex { trained: trained.max(0) as u64, probes, ..Self::default() };
        for row in rows {
            let (list, bytes) = row?;
            if bytes.len() != 4 * blocks.width || list == NEW {
                return Err(IndexError::damage("a centre is damaged"));
            }
            index.lists.push(list);
            index.centres.extend(bytes.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)));
        }
        match index.centres.iter().all(|number| number.is_finite()) {
            true => Ok(index),
            false => Err(IndexError::damage("a centre is damaged")),
        }
    }

    /// The places of the centres, nearest to the query first.
    fn nearest_centres(&self, query: &[f32], width: usize) -> Vec<usize> {
        let mut scored = Vec::with_capacity(self.lists.len());
        all_products(query, &self.centres, width, |_, centre, product| scored.push((product, centre)));
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored.into_iter().map(|(_, centre)| centre).collect()
    }

    /// The list of the nearest centre for each row.
    fn lists_of(&self, rows: &[u16], width: usize) -> Vec<i64> {
        let part = TOGETHER * width;
        let nearest = |rows: &[u16]| {
            let mut best = vec![(f32::NEG_INFINITY, 0); rows.len() / width];
            all_products(&widen_all(rows), &self.centres, width, |row, centre, product| {
                if product > best[row].0 {
                    best[row] = (product, centre);
                }
            });
            best.into_iter().map(|(_, centre)| self.lists[centre]).collect::<Vec<i64>>()
        };
        training::in_parts(rows, part, nearest).concat()
    }

    /// Puts a step's worth of new vectors into groups.
    fn sort_new(&self, blocks: &mut Blocks) -> Result<bool, IndexError> {
        let (width, capacity) = (blocks.width, blocks::capacity(blocks.width));
        let places = blocks.places(&ListChoice::These(vec![NEW]))?;
        let step = (STEP_BYTES / (2 * width * capacity)).max(1);
        let places = &places[..places.len().min(step)];
        let change = blocks.change()?;
        let mut all = VectorBlock::default();
        for place in places {
            let VectorBlock { ids, born, rows } = blocks::load(&change, *place, width)?;
            all.ids.extend(ids);
            all.born.extend(born);
            all.rows.extend(rows);
        }
        let mut groups: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (n, list) in self.lists_of(&all.rows, width).into_iter().enumerate() {
            groups.entry(list).or_default().push(n);
        }
        for place in places {
            blocks::replace(&change, *place, &VectorBlock::default())?;
        }
        for (list, members) in groups {
            let mut members = members.into_iter().peekable();
            while members.peek().is_some() {
                let small = "SELECT id FROM blocks WHERE list = ?1 AND count < ?2 LIMIT 1";
                let mut find = change.prepare_cached(small)?;
                let small = find.query_map(params![list, (capacity / OPEN_SHARE) as i64], |row| row.get(0))?.next();
                let (place, mut block) = match small.transpose()? {
                    Some(place) => (place, blocks::load(&change, place, width)?),
                    None => (blocks::insert(&change, list, &VectorBlock::default())?, VectorBlock::default()),
                };
                let mut moved = change.prepare_cached("UPDATE entries SET block = ?2 WHERE id = ?1")?;
                while block.ids.len() < capacity
                    && let Some(n) = members.next()
                {
                    block.push(all.ids[n], all.born[n], &all.rows[n * width..(n + 1) * width]);
                    moved.execute(params![all.ids[n], place])?;
                }
                blocks::replace(&change, place, &block)?;
            }
        }
        change.commit()?;
        Ok(true)
    }
}

impl Index for ClusteredIndex {
    fn nearest(&self, blocks: &Blocks, query: &[f32], wanted: &Wanted<'_>) -> Result<Vec<Neighbour>, IndexError> {
        if self.lists.is_empty() || query.len() != blocks.width {
            return blocks.scan(ListChoice::All, query, wanted);
        }
        let order = self.nearest_centres(query, blocks.width);
        let mut probes = self.probes.min(order.len());
        loop {
            let lists = order[..probes].iter().map(|centre| self.lists[*centre]).chain([NEW]).collect();
            let found = blocks.scan(ListChoice::These(lists), query, wanted)?;
            if found.len() >= wanted.top || probes == order.len() {
                return Ok(found);
            }
            // few vectors pass: look further
            probes = (probes * 4).min(order.len());
        }
    }

    fn settle(&mut self, blocks: &mut Blocks) -> Result<bool, IndexError> {
        let count = blocks.count()?;
        if self.lists.is_empty() || count > GROWN * self.trained {
            training::place_centres(blocks, count)?;
            *self = ClusteredIndex::read(blocks)?;
            return Ok(true);
        }
        let new = "SELECT coalesce(sum(count), 0) FROM blocks WHERE list = ?1";
        let new: i64 = blocks.base.query_row(new, params![NEW], |row| row.get(0))?;
        let is_begun = self.probes == training::UNMEASURED;
        if new as u64 > (count / NEW_SHARE).min(MAX_NEW) || (is_begun && new > 0) {
            return self.sort_new(blocks);
        }
        if is_begun {
            let width = blocks.width;
            training::measure(blocks, |query| {
                self.nearest_centres(query, width).into_iter().map(|centre| self.lists[centre]).collect()
            })?;
            *self = ClusteredIndex::read(blocks)?;
            return Ok(true);
        }
        Ok(false)
    }
}
