//! The blocks of an index: some hundred vectors each, in a list. List 0 holds new vectors; the others belong to centres.

use super::{
    IndexError, MAX_WIDTH, Neighbour, Wanted, by_cosine,
    products::{products, widen},
};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

/// The size of a full block, in bytes.
const BLOCK_BYTES: usize = 256 << 10;
/// The largest block that is read: a full one, with its numbers of vectors.
const MAX_BLOCK_BYTES: usize = 4 * BLOCK_BYTES;
/// The maximum size of the blocks that are kept in memory: three days with a vector of 512 numbers for each second.
const CACHE_BYTES: usize = 272 << 20;
/// The maximum threads of a search.
const MAX_THREADS: usize = 8;
/// Fewer blocks are searched by the calling thread.
const MIN_SHARED: usize = 8;
/// The list of new vectors.
pub(super) const NEW: i64 = 0;

/// The blocks of an index, in its file.
#[derive(Debug)]
pub struct Blocks {
    pub(super) base: Connection,
    /// The length of each vector; 0 before the first one.
    pub(super) width: usize,
    cache: Mutex<Cache>,
}

/// Vectors with their numbers, and with the states of the journal in which they were added.
#[derive(Debug, Default, Clone)]
pub(super) struct VectorBlock {
    pub ids: Vec<i64>,
    pub born: Vec<i64>,
    /// One row after the other.
    pub rows: Vec<u16>,
}

/// The lists of a search.
#[derive(Debug, Clone)]
pub(super) enum ListChoice {
    All,
    These(Vec<i64>),
}

#[derive(Debug, Default)]
struct Cache {
    /// SQLite's number of the state that other connections wrote.
    version: i64,
    bytes: usize,
    blocks: HashMap<i64, Arc<VectorBlock>>,
}

/// The number of vectors of a length in a full block.
pub(super) fn capacity(width: usize) -> usize {
    (BLOCK_BYTES / (2 * width.max(1))).max(1)
}

impl Blocks {
    pub(super) fn new(base: Connection, width: usize) -> Blocks {
        Blocks { base, width, cache: Mutex::default() }
    }

    /// Begins a change.
    pub(super) fn change(&mut self) -> Result<Transaction<'_>, IndexError> {
        self.forget_cache();
        self.refresh()?;
        let change = self.base.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if self.width == 0 {
            // another process may have added the first vectors meanwhile
            self.width = width_of(&change)?;
        }
        Ok(change)
    }

    /// Learns the length of the vectors, if another process has added the first ones.
    pub(super) fn refresh(&mut self) -> Result<(), IndexError> {
        if self.width == 0 {
            self.width = width_of(&self.base)?;
        }
        Ok(())
    }

    /// Empties the memory of blocks, because they change.
    pub(super) fn forget_cache(&self) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        *cache = Cache::default();
    }

    /// The number of vectors.
    pub(super) fn count(&self) -> Result<u64, IndexError> {
        let count: i64 = self.base.query_row("SELECT coalesce(sum(count), 0) FROM blocks", [], |row| row.get(0))?;
        Ok(count.max(0) as u64)
    }

    /// The numbers of the blocks in lists.
    pub(super) fn places(&self, lists: &ListChoice) -> Result<Vec<i64>, IndexError> {
        let (query, given) = match lists {
            ListChoice::All => ("SELECT id FROM blocks WHERE ?1 = '' ORDER BY id", String::new()),
            ListChoice::These(lists) => (
                "SELECT id FROM blocks WHERE list IN (SELECT value FROM json_each(?1)) ORDER BY id",
                serde_json::json!(lists).to_string(),
            ),
        };
        let mut find = self.base.prepare_cached(query)?;
        let rows = find.query_map(params![given], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<Vec<i64>>>()?)
    }

    /// Calls `each` with every block of lists, as they were when the call began.
    pub(super) fn visit(
        &self,
        lists: &ListChoice,
        mut each: impl FnMut(Arc<VectorBlock>) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        if self.width == 0 {
            // the first vectors came after it was opened
            return Ok(());
        }
        // one transaction, so that a block that moves is seen once
        let read = self.base.unchecked_transaction()?;
        let version: i64 = self.base.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        for place in self.places(lists)? {
            each(self.block(place, version)?)?;
        }
        Ok(read.commit()?)
    }

    /// A block, from memory or from the file.
    fn block(&self, place: i64, version: i64) -> Result<Arc<VectorBlock>, IndexError> {
        let known = {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if cache.version != version {
                *cache = Cache { version, ..Cache::default() };
            }
            cache.blocks.get(&place).cloned()
        };
        if let Some(block) = known {
            return Ok(block);
        }
        let block = Arc::new(load(&self.base, place, self.width)?);
        let bytes = block.rows.len() * 2 + block.ids.len() * 16;
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.bytes + bytes <= CACHE_BYTES {
            cache.bytes += bytes;
            cache.blocks.insert(place, block.clone());
        }
        Ok(block)
    }

    /// The vectors of lists that lie nearest to the query.
    pub(super) fn scan(
        &self,
        lists: ListChoice,
        query: &[f32],
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Neighbour>, IndexError> {
        if query.len() != self.width || wanted.top == 0 {
            return Ok(Vec::new());
        }
        let count = self.places(&lists)?.len();
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        if threads < 2 || count < MIN_SHARED {
            let mut best = Best::new(query, wanted);
            self.visit(&lists, |block| {
                best.see(&block);
                Ok(())
            })?;
            return Ok(best.done());
        }
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    let (send, receive) = mpsc::sync_channel::<Arc<VectorBlock>>(4);
                    let work = move || {
                        let mut best = Best::new(query, wanted);
                        receive.iter().for_each(|block| best.see(&block));
                        best
                    };
                    (send, scope.spawn(work))
                })
                .collect();
            let mut turn = 0;
            let read = self.visit(&lists, |block| {
                turn += 1;
                workers[turn % threads].0.send(block).map_err(|_| IndexError::new("a thread of the search stopped"))
            });
            let mut best = Best::new(query, wanted);
            for (send, worker) in workers {
                drop(send);
                let part = worker.join().map_err(|_| IndexError::new("a thread of the search stopped"))?;
                best.found.extend(part.found);
            }
            read?;
            Ok(best.done())
        })
    }

    /// Removes vectors from their blocks. Their bytes are overwritten when the file is written.
    pub(super) fn remove(change: &Connection, width: usize, ids: &[i64], sum: &mut [f64]) -> Result<u64, IndexError> {
        let mut of: HashMap<i64, Vec<i64>> = HashMap::new();
        for id in ids {
            let query = "DELETE FROM entries WHERE id = ?1 RETURNING block";
            let block: Option<i64> = change.query_row(query, params![id], |row| row.get(0)).optional()?;
            if let Some(block) = block {
                of.entry(block).or_default().push(*id);
            }
        }
        let mut removed = 0;
        for (place, gone) in of {
            let block = load(change, place, width)?;
            let mut left = VectorBlock::default();
            for (n, id) in block.ids.iter().enumerate() {
                let row = &block.rows[n * width..(n + 1) * width];
                if gone.contains(id) {
                    removed += 1;
                    sum.iter_mut().zip(row).for_each(|(sum, bits)| *sum -= f64::from(widen(*bits)));
                } else {
                    left.push(*id, block.born[n], row);
                }
            }
            replace(change, place, &left)?;
        }
        Ok(removed)
    }
}

impl VectorBlock {
    pub(super) fn push(&mut self, id: i64, born: i64, row: &[u16]) {
        self.ids.push(id);
        self.born.push(born);
        self.rows.extend_from_slice(row);
    }

    fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let ids = self.ids.iter().zip(&self.born).flat_map(|(id, born)| [*id, *born]);
        (ids.flat_map(i64::to_le_bytes).collect(), self.rows.iter().flat_map(|bits| bits.to_le_bytes()).collect())
    }
}

/// The length of the vectors, as the file states it.
pub(super) fn width_of(base: &Connection) -> Result<usize, IndexError> {
    let width: i64 = base.query_row("SELECT width FROM about", [], |row| row.get(0))?;
    let width = usize::try_from(width).ok().filter(|width| *width <= MAX_WIDTH);
    width.ok_or_else(|| IndexError::damage("the length of its vectors is wrong"))
}

/// Reads a block. Fails if it is damaged.
pub(super) fn load(base: &Connection, place: i64, width: usize) -> Result<VectorBlock, IndexError> {
    let query = "SELECT ids, vectors, digest FROM blocks WHERE id = ?1 AND length(ids) + length(vectors) <= ?2";
    let mut find = base.prepare_cached(query)?;
    let read = |row: &rusqlite::Row<'_>| {
        let (ids, rows) = (row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
        if digest_of(ids, rows)[..] != *row.get_ref(2)?.as_blob()? || rows.len() * 8 != ids.len() * width {
            return Ok(None);
        }
        let numbers = ids.as_chunks::<16>().0.iter().map(|pair| {
            let (id, born) = pair.split_at(8);
            let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().unwrap_or_default());
            (number(id), number(born))
        });
        let (ids, born) = numbers.unzip();
        let rows = rows.as_chunks::<2>().0.iter().map(|bits| u16::from_le_bytes(*bits)).collect();
        Ok(Some(VectorBlock { ids, born, rows }))
    };
    let block = find.query_row(params![place, MAX_BLOCK_BYTES as i64], read).optional()?;
    block.flatten().ok_or_else(|| IndexError::damage(format!("block {place} is damaged")))
}

/// Adds a block to a list, and returns its number.
pub(super) fn insert(change: &Connection, list: i64, block: &VectorBlock) -> Result<i64, IndexError> {
    let (ids, rows) = block.bytes();
    let mut put =
        change.prepare_cached("INSERT INTO blocks (list, count, ids, vectors, digest) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    put.execute(params![list, block.ids.len() as i64, ids, rows, &digest_of(&ids, &rows)[..]])?;
    Ok(change.last_insert_rowid())
}

/// Writes a block again; an empty one is removed.
pub(super) fn replace(change: &Connection, place: i64, block: &VectorBlock) -> Result<(), IndexError> {
    if block.ids.is_empty() {
        change.execute("DELETE FROM blocks WHERE id = ?1", params![place])?;
        return Ok(());
    }
    let (ids, rows) = block.bytes();
    let mut put =
        change.prepare_cached("UPDATE blocks SET count = ?2, ids = ?3, vectors = ?4, digest = ?5 WHERE id = ?1")?;
    put.execute(params![place, block.ids.len() as i64, ids, rows, &digest_of(&ids, &rows)[..]])?;
    Ok(())
}

fn digest_of(ids: &[u8], rows: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(ids).update(rows);
    *hasher.finalize().as_bytes()
}

/// The nearest vectors so far.
struct Best<'a> {
    query: &'a [f32],
    wanted: &'a Wanted<'a>,
    found: Vec<Neighbour>,
    /// Vectors below it are not among the nearest.
    least: f32,
    scores: Vec<f32>,
}

impl<'a> Best<'a> {
    fn new(query: &'a [f32], wanted: &'a Wanted<'a>) -> Best<'a> {
        Best { query, wanted, found: Vec::new(), least: f32::NEG_INFINITY, scores: Vec::new() }
    }

    fn see(&mut self, block: &VectorBlock) {
        let mut scores = std::mem::take(&mut self.scores);
        products(&block.rows, self.query, &mut scores);
        for (n, cosine) in scores.iter().enumerate() {
            let id = block.ids[n];
            let passes = || self.wanted.among.is_none_or(|among| among.contains(&id));
            if *cosine >= self.least && block.born[n] <= self.wanted.born && passes() {
                self.found.push(Neighbour { id, cosine: *cosine });
                if self.found.len() >= 4 * self.wanted.top + 64 {
                    self.shrink();
                }
            }
        }
        self.scores = scores;
    }

    fn shrink(&mut self) {
        self.found.sort_unstable_by(by_cosine);
        self.found.truncate(self.wanted.top);
        if self.found.len() == self.wanted.top {
            self.least = self.found.last().map_or(f32::NEG_INFINITY, |last| last.cosine);
        }
    }

    fn done(mut self) -> Vec<Neighbour> {
        self.shrink();
        self.found
    }
}
