//! Places the centres of a clustered index, and measures how many groups a search must read.

use super::{
    IndexError, Neighbour, background,
    blocks::{Blocks, ListChoice, NEW},
    by_cosine,
    file::unit,
    products::{all_products, widen_all},
};
use rusqlite::params;
use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// The number of groups of a search that was not measured yet: all.
pub(super) const UNMEASURED: usize = usize::MAX;
/// The vectors of the sample for each centre.
const SAMPLE: usize = 32;
/// Rounds of k-means. The groups hardly change afterwards.
const ROUNDS: usize = 8;
/// The fewest centres.
const MIN_CENTRES: usize = 16;
/// Vectors whose nearest centres are computed together.
const TOGETHER: usize = 512;
/// Queries of each kind in a measurement.
const QUERIES: usize = 96;
/// The neighbours that a search must find, and the share of them. The index promises 0.95.
const NEIGHBOURS: usize = 10;
const RECALL: f64 = 0.97;

/// Places centres by k-means on the sphere over a sample, and makes all vectors new ones.
pub(super) fn place_centres(blocks: &mut Blocks, count: u64) -> Result<(), IndexError> {
    let width = blocks.width;
    let wanted = ((2.0 * (count as f64).sqrt()) as usize).max(MIN_CENTRES);
    let sample: Vec<u16> = sample(blocks, count, wanted * SAMPLE)?.into_iter().flat_map(|(_, row)| row).collect();
    let centres = centres(&sample, width, wanted);
    let change = blocks.change()?;
    change.execute("UPDATE blocks SET list = ?1 WHERE list <> ?1", params![NEW])?;
    change.execute("DELETE FROM centres", [])?;
    for (n, centre) in centres.chunks_exact(width).enumerate() {
        let bytes: Vec<u8> = centre.iter().flat_map(|x| x.to_le_bytes()).collect();
        change.execute("INSERT INTO centres VALUES (?1, ?2)", params![NEW + 1 + n as i64, bytes])?;
    }
    change.execute("UPDATE about SET trained = ?1, probes = 0, recall = 1.0", params![count as i64])?;
    Ok(change.commit()?)
}

/// Vectors from all parts of the index with their numbers, at most `most`.
fn sample(blocks: &Blocks, count: u64, most: usize) -> Result<Vec<(i64, Vec<u16>)>, IndexError> {
    let width = blocks.width;
    let stride = (count as usize).div_ceil(most.max(1)).max(1);
    let (mut seen, mut sample) = (0, Vec::new());
    blocks.visit(&ListChoice::All, |block| {
        for (n, id) in block.ids.iter().enumerate() {
            if seen % stride == 0 {
                sample.push((*id, block.rows[n * width..(n + 1) * width].to_vec()));
            }
            seen += 1;
        }
        Ok(())
    })?;
    Ok(sample)
}

/// The centres of `rows`, at most `wanted`, each of unit length.
fn centres(rows: &[u16], width: usize, wanted: usize) -> Vec<f32> {
    let count = rows.len() / width;
    let wanted = wanted.min(count).max(1);
    let row = |n: usize| widen_all(&rows[n * width..(n + 1) * width]);
    let mut centres: Vec<f32> = (0..wanted).flat_map(|n| row(n * count / wanted)).collect();
    for _ in 0..ROUNDS {
        let nearest = |rows: &[u16]| {
            let rows = widen_all(rows);
            let mut best = vec![(f32::NEG_INFINITY, 0); rows.len() / width];
            all_products(&rows, &centres, width, |row, centre, product| {
                if product > best[row].0 {
                    best[row] = (product, centre);
                }
            });
            best
        };
        let best = in_parts(rows, TOGETHER * width, nearest).concat();
        let mut sums = vec![0.0f32; centres.len()];
        for (n, (_, centre)) in best.iter().enumerate() {
            let sum = &mut sums[centre * width..(centre + 1) * width];
            sum.iter_mut().zip(row(n)).for_each(|(sum, x)| *sum += x);
        }
        // the vectors that fit worst begin the groups that lost all members
        let mut worst: Vec<usize> = (0..best.len()).collect();
        worst.sort_by(|a, b| best[*a].0.total_cmp(&best[*b].0));
        let mut worst = worst.into_iter();
        for sum in sums.chunks_exact_mut(width) {
            let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
            match length > 0.0 && length.is_finite() {
                true => sum.iter_mut().for_each(|x| *x /= length),
                false => sum.copy_from_slice(&row(worst.next().unwrap_or_default())),
            }
        }
        centres = sums;
    }
    centres
}

/// The kinds of queries in a measurement.
const KINDS: usize = 3;

/// A query of a measurement.
struct Trial {
    kind: usize,
    /// The number of the stored vector that it is.
    own: Option<i64>,
    vector: Vec<f32>,
}

/// The queries of a measurement: stored vectors, which lie amid their neighbours; blends of two of them, which lie beside them, as the
/// vector of a text does; and queries about other things.
fn trials(blocks: &Blocks) -> Result<Vec<Trial>, IndexError> {
    let width = blocks.width;
    let stored = sample(blocks, blocks.count()?, QUERIES)?;
    let stored: Vec<(i64, Vec<f32>)> = stored.into_iter().map(|(id, row)| (id, widen_all(&row))).collect();
    let beside = |n: usize| {
        let (own, other) = (&stored[n].1, &stored[(n + stored.len() / 2) % stored.len()].1);
        unit(&own.iter().zip(other).map(|(a, b)| 2.0 * a + b).collect::<Vec<f32>>())
    };
    let blends = (0..stored.len()).filter_map(|n| Some(Trial { kind: 1, own: None, vector: beside(n)? }));
    let others = background::read(&blocks.base)?.into_iter().filter(|(_, vector, _)| vector.len() == width);
    let others = others.take(QUERIES).map(|(_, vector, _)| Trial { kind: 2, own: None, vector: widen_all(&vector) });
    let mut all: Vec<Trial> = blends.chain(others).collect();
    all.extend(stored.into_iter().map(|(id, vector)| Trial { kind: 0, own: Some(id), vector }));
    Ok(all)
}

/// Measures how many groups a search must read to find the nearest vectors, and keeps the number. `order` gives the lists for a query,
/// nearest first.
pub(super) fn measure(blocks: &mut Blocks, order: impl Fn(&[f32]) -> Vec<i64>) -> Result<(), IndexError> {
    let width = blocks.width;
    let trials = trials(blocks)?;
    let flat: Vec<f32> = trials.iter().flat_map(|trial| trial.vector.iter().copied()).collect();
    let mut best: Vec<Vec<Neighbour>> = vec![Vec::new(); trials.len()];
    blocks.visit(&ListChoice::All, |block| {
        all_products(&widen_all(&block.rows), &flat, width, |n, query, cosine| {
            let (found, id) = (&mut best[query], block.ids[n]);
            if trials[query].own != Some(id) {
                found.push(Neighbour { id, cosine });
                if found.len() > 64 * NEIGHBOURS {
                    found.sort_by(by_cosine);
                    found.truncate(NEIGHBOURS);
                }
            }
        });
        Ok(())
    })?;
    // the place of each true neighbour's group in the order of its query, for each kind of query
    let mut places: [Vec<usize>; KINDS] = Default::default();
    for (Trial { kind, vector, .. }, mut found) in trials.iter().zip(best) {
        found.sort_by(by_cosine);
        let order: HashMap<i64, usize> =
            order(vector).into_iter().enumerate().map(|(place, list)| (list, place)).collect();
        for Neighbour { id: near, .. } in found.into_iter().take(NEIGHBOURS) {
            let find = "SELECT list FROM blocks WHERE id = (SELECT block FROM entries WHERE id = ?1)";
            let list: i64 = blocks.base.query_row(find, params![near], |row| row.get(0))?;
            // new vectors are read by every search
            let place = if list == NEW { 0 } else { order.get(&list).copied().unwrap_or(order.len()) };
            places[*kind].push(place);
        }
    }
    // the kind that is harder to find decides
    places.iter_mut().for_each(|places| places.sort_unstable());
    let needed = |places: &Vec<usize>| {
        let count = (places.len() as f64 * RECALL).ceil() as usize;
        places.get(count.max(1) - 1).map_or(1, |place| place + 1)
    };
    let probes = places.iter().map(needed).max().unwrap_or(1);
    let recall = |places: &&Vec<usize>| {
        places.iter().filter(|place| **place < probes).count() as f64 / places.len().max(1) as f64
    };
    let recall = places.iter().filter(|places| !places.is_empty()).map(|places| recall(&places)).fold(1.0, f64::min);
    let change = blocks.change()?;
    change.execute("UPDATE about SET probes = ?1, recall = ?2", params![probes as i64, recall])?;
    Ok(change.commit()?)
}

/// The results for parts of `rows`, in their order, computed by all cores. A part has `size` numbers.
pub(super) fn in_parts<T: Send>(rows: &[u16], size: usize, work: impl Fn(&[u16]) -> T + Sync) -> Vec<T> {
    let parts: Vec<&[u16]> = rows.chunks(size.max(1)).collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(parts.len())));
    let threads = thread::available_parallelism().map_or(1, usize::from).min(parts.len().max(1));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(part) = parts.get(place) else { return };
                    let result = work(part);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((place, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}
