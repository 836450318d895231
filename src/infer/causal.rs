//! Attention of a decoder on a CPU: keys and values in blocks that several prompts share, and scores that are never written
//! as a matrix (online softmax; Milakov and Gimelshein 2018, arXiv 1805.02867).
//!
//! Each query is computed by the same operations in the same order, whatever is computed beside it: the other rows of a call,
//! the other positions of its own row, and the number of threads. A result therefore has the same bits in every batch, in
//! every piece of a prompt, and after every shared prefix.

mod kernel;

use super::{dense::with_values, linear::in_parallel};
use candle_core::{Result, Tensor};
use half::f16;
use kernel::{QueryChunk, Stored, padded};
use std::sync::Arc;

/// The positions of a block.
pub(super) const BLOCK: usize = 64;

/// The queries of one group of heads that are computed together, so that each block is read from memory once for them.
const CHUNK: usize = 64;

/// The format of keys and values that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KvFormat {
    /// As they are computed.
    #[default]
    F32,
    /// Rounded to 16 bits: half of the memory.
    F16,
}

impl KvFormat {
    /// The name in `kv_cache:` of an agent file.
    pub fn as_str(self) -> &'static str {
        match self {
            KvFormat::F32 => "f32",
            KvFormat::F16 => "f16",
        }
    }

    /// The format with this name.
    pub fn named(name: &str) -> Option<KvFormat> {
        [KvFormat::F32, KvFormat::F16].into_iter().find(|format| format.as_str() == name)
    }

    /// The bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            KvFormat::F32 => 4,
            KvFormat::F16 => 2,
        }
    }
}

/// Numbers that are kept.
#[derive(Debug, Clone)]
enum Numbers {
    F32(Vec<f32>),
    F16(Vec<f16>),
}

impl Numbers {
    fn zeros(format: KvFormat, count: usize) -> Numbers {
        match format {
            KvFormat::F32 => Numbers::F32(vec![0.0; count]),
            KvFormat::F16 => Numbers::F16(vec![f16::ZERO; count]),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Numbers::F32(numbers) => 4 * numbers.len(),
            Numbers::F16(numbers) => 2 * numbers.len(),
        }
    }

    /// Writes numbers from the place `at` on, each `step` places after the one before.
    fn write(&mut self, at: usize, step: usize, numbers: &[f32]) {
        match self {
            Numbers::F32(kept) => kept[at..].iter_mut().step_by(step).zip(numbers).for_each(|(to, from)| *to = *from),
            Numbers::F16(kept) => {
                let places = kept[at..].iter_mut().step_by(step);
                places.zip(numbers).for_each(|(to, from)| *to = f16::from_f32(*from));
            }
        }
    }

    fn part(&self, from: usize, count: usize) -> Stored<'_> {
        match self {
            Numbers::F32(numbers) => Stored::F32(&numbers[from..from + count]),
            Numbers::F16(numbers) => Stored::F16(&numbers[from..from + count]),
        }
    }
}

/// Keys and values of up to [`BLOCK`] positions.
#[derive(Debug, Clone)]
struct Block {
    /// (kv heads, head, block): the keys of a dimension are neighbours.
    keys: Numbers,
    /// (kv heads, block, head), where each row is padded.
    values: Numbers,
}

/// Keys and values of one layer of one row. A copy shares the blocks; the first to write to a shared block gets its own.
#[derive(Debug, Clone, Default)]
pub struct KvBlocks {
    blocks: Vec<Arc<Block>>,
    format: KvFormat,
}

impl KvBlocks {
    /// No positions yet.
    pub fn new(format: KvFormat) -> KvBlocks {
        KvBlocks { blocks: Vec::new(), format }
    }

    /// Frees the blocks after the first `positions`.
    pub fn truncate(&mut self, positions: usize) {
        self.blocks.truncate(positions.div_ceil(BLOCK));
    }

    /// A copy of the first `positions`, which shares their blocks.
    pub fn copy(&self, positions: usize) -> KvBlocks {
        let blocks = self.blocks.iter().take(positions.div_ceil(BLOCK)).cloned().collect();
        KvBlocks { blocks, format: self.format }
    }

    /// The bytes of each block, with a number that is the same for a shared one.
    pub fn sizes(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.blocks.iter().map(|block| (Arc::as_ptr(block).addr(), block.keys.bytes() + block.values.bytes()))
    }

    /// Appends keys and values, both (kv heads, positions, head), after the first `length` positions.
    pub fn extend(&mut self, k: &Tensor, v: &Tensor, length: usize) -> Result<()> {
        let t = k.dim(1)?;
        append_each(k, v, &mut [(self, length, t)])
    }

    /// The products of one query with the keys of a head, for the first `positions`.
    pub fn scores(&self, kv: usize, query: &[f32], positions: usize) -> Vec<f32> {
        let mut scores = vec![0f32; self.blocks.len() * BLOCK];
        for (block, scores) in self.blocks.iter().zip(scores.chunks_exact_mut(BLOCK)) {
            let mut room = Vec::new();
            let keys = block.of(kv, query.len()).0.wide(&mut room).chunks_exact(BLOCK);
            for (q, keys) in query.iter().zip(keys) {
                scores.iter_mut().zip(keys).for_each(|(score, key)| *score += q * key);
            }
        }
        scores.truncate(positions);
        scores
    }

    /// Writes the keys and values of `t` positions after the first `length`. `k` and `v` give the vector of a head at one
    /// of these positions.
    fn append<'a>(
        &mut self,
        (kv_heads, head): (usize, usize),
        (length, t): (usize, usize),
        k: impl Fn(usize, usize) -> &'a [f32],
        v: impl Fn(usize, usize) -> &'a [f32],
    ) {
        let (wide, format) = (padded(head), self.format);
        let zeros = |count: usize| Numbers::zeros(format, kv_heads * BLOCK * count);
        let block = || Arc::new(Block { keys: zeros(head), values: zeros(wide) });
        self.blocks.resize_with((length + t).div_ceil(BLOCK), block);
        for n in 0..t {
            let at = (length + n) % BLOCK;
            let block = Arc::make_mut(&mut self.blocks[(length + n) / BLOCK]);
            for kv in 0..kv_heads {
                block.keys.write(kv * head * BLOCK + at, BLOCK, k(kv, n));
                block.values.write((kv * BLOCK + at) * wide, 1, v(kv, n));
            }
        }
    }
}

/// The positions that a query sees: from the first on, up to before the second.
pub type SeenSpan = (usize, usize);

/// A row of a call: its keys and values, the positions that these hold, and what each new position sees.
pub struct Row<'a> {
    /// Keys and values; the new ones are appended.
    pub kv: &'a mut KvBlocks,
    /// The positions before the new ones.
    pub length: usize,
    /// What each new position sees.
    pub spans: &'a [SeenSpan],
}

/// The queries of one chunk: those of the group of heads that shares the keys `kv`.
struct Unit {
    row: usize,
    kv: usize,
    /// The first query: position by position, and head by head within a position.
    from: usize,
    count: usize,
}

/// Appends the keys and values of the new positions of all rows, and gives the attention of their queries, (positions of all rows,
/// heads · head). `q` is (heads, positions of all rows, head), scaled; `k` and `v` are (kv heads, positions of all rows, head).
pub fn attend(q: &Tensor, k: &Tensor, v: &Tensor, rows: &mut [Row<'_>]) -> Result<Tensor> {
    let mut new: Vec<_> = rows.iter_mut().map(|row| (&mut *row.kv, row.length, row.spans.len())).collect();
    append_each(k, v, &mut new)?;
    let seen: Vec<_> = rows.iter().map(|row| Seen { kv: row.kv, spans: row.spans }).collect();
    look(q, k.dim(0)?, &seen)
}

/// Appends to each of `rows`, with the positions that it has, so many positions of `k` and `v`, (kv heads, positions of all rows, head).
fn append_each(k: &Tensor, v: &Tensor, rows: &mut [(&mut KvBlocks, usize, usize)]) -> Result<()> {
    let ((kv_heads, n, head), mut at) = (k.dims3()?, 0);
    with_values(&k.contiguous()?, |k| {
        with_values(&v.contiguous()?, |v| {
            for (kv, length, t) in rows {
                let vector = |kv: usize, i: usize| (kv * n + at + i) * head..(kv * n + at + i + 1) * head;
                kv.append((kv_heads, head), (*length, *t), |kv, i| &k[vector(kv, i)], |kv, i| &v[vector(kv, i)]);
                at += *t;
            }
            Ok(())
        })
    })
}

/// The queries of a row: the keys and values that they look at, and the span of each.
pub struct Seen<'a> {
    /// Keys and values.
    pub kv: &'a KvBlocks,
    /// What each query sees.
    pub spans: &'a [SeenSpan],
}

/// The attention of queries of several rows, (positions of all rows, heads · head). `q` is (heads, positions of all rows, head), scaled.
pub fn look(q: &Tensor, kv_heads: usize, rows: &[Seen<'_>]) -> Result<Tensor> {
    let (heads, n, head) = q.dims3()?;
    let all = with_values(&q.contiguous()?, |q| Ok(look_with(q, (heads, n, head), kv_heads, rows)))?;
    Tensor::from_vec(all, (n, heads * head), q.device())
}

/// The same for the numbers of the queries.
fn look_with(q: &[f32], (heads, n, head): (usize, usize, usize), kv_heads: usize, rows: &[Seen<'_>]) -> Vec<f32> {
    let group = heads / kv_heads.max(1);
    let vector = |h: usize, at: usize| (h * n + at) * head..(h * n + at + 1) * head;
    let (mut units, mut starts, mut at, mut read) = (Vec::new(), Vec::new(), 0, 0);
    for (number, row) in rows.iter().enumerate() {
        let t = row.spans.len();
        for kv in 0..kv_heads {
            let chunk = |from: usize| Unit { row: number, kv, from, count: CHUNK.min(t * group - from) };
            units.extend((0..t * group).step_by(CHUNK).map(chunk));
        }
        read += 2 * row.kv.blocks.len() * BLOCK * head * kv_heads * (t * group).div_ceil(CHUNK);
        starts.push(at);
        at += t;
    }
    let most = units.iter().map(|unit| unit.count).max().unwrap_or(0);
    let mut mixed = vec![0f32; units.len() * most * head];
    in_parallel(read, &mut mixed, most * head, |u, out| {
        let Unit { row, kv, from, count } = &units[u];
        let (start, row) = (starts[*row], &rows[*row]);
        let (mut queries, mut spans) = (Vec::with_capacity(count * head), Vec::with_capacity(*count));
        for query in *from..from + count {
            queries.extend_from_slice(&q[vector(kv * group + query % group, start + query / group)]);
            spans.push(row.spans[query / group]);
        }
        let blocks: Vec<(Stored<'_>, Stored<'_>)> = row.kv.blocks.iter().map(|block| block.of(*kv, head)).collect();
        let out = &mut out[..count * head];
        QueryChunk { queries: &queries, spans: &spans, blocks: &blocks, head, out }.compute();
    });
    let mut all = vec![0f32; n * heads * head];
    for (unit, mixed) in units.iter().zip(mixed.chunks(most.max(1) * head)) {
        for (n, vector) in mixed.chunks(head).take(unit.count).enumerate() {
            let (at, h) = (starts[unit.row] + (unit.from + n) / group, unit.kv * group + (unit.from + n) % group);
            all[(at * heads + h) * head..(at * heads + h + 1) * head].copy_from_slice(vector);
        }
    }
    all
}

impl Block {
    /// The keys and the values of one head.
    fn of(&self, kv: usize, head: usize) -> (Stored<'_>, Stored<'_>) {
        let (keys, values) = (head * BLOCK, BLOCK * padded(head));
        (self.keys.part(kv * keys, keys), self.values.part(kv * values, values))
    }
}
