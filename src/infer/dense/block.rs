//! Transformer blocks over slices.

use super::{
    Packed, Precision, Sees,
    attention::Heads,
    has_values,
    rows::{PIECE, RowNorm, activate},
    with_values,
};
use crate::infer::ops::{Activation, Linear};
use candle_core::{Device, Result, Tensor, bail};
use candle_nn::LayerNorm;
use rayon::prelude::*;
use std::cell::RefCell;

/// The place of the norms of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormPlace {
    /// Before attention and before the feed-forward part, as in ViT.
    Before,
    /// After each of them and its residual, as in BERT.
    After,
}

/// Weight and bias of a norm, with its addend of the variance.
pub struct NormParts<'a>(pub &'a LayerNorm, pub f64);

/// The layers of a block as candle holds them.
pub struct BlockParts<'a> {
    /// The norms in the order in which they are applied.
    pub norms: [NormParts<'a>; 2],
    /// Queries, keys, values.
    pub attention: [&'a Linear; 3],
    /// The output of attention.
    pub out: &'a Linear,
    /// The two maps of the feed-forward part.
    pub feed_forward: [&'a Linear; 2],
    /// The activation between them.
    pub activation: Activation,
    /// The number of attention heads.
    pub heads: usize,
    /// The place of the norms.
    pub place: NormPlace,
}

/// A transformer block.
#[derive(Debug)]
pub struct DenseBlock {
    norms: [RowNorm; 2],
    joined: Packed,
    out: Packed,
    up: Packed,
    down: Packed,
    activation: Activation,
    heads: usize,
    place: NormPlace,
}

/// The most rows that a thread takes at once. Their activations should stay in its cache, and the weights are read once
/// for all of them.
const ROWS: usize = 198;
/// The products compute so many rows together.
const TOGETHER: usize = 6;
/// The least rows of a thread that are worth reading all weights for.
const WORTH: usize = 64;

/// The rows of one piece of work: an equal share for each thread. Shares above [`ROWS`] are cut into equal pieces, so that no last
/// piece reads all weights for few rows. Few rows are one piece: the threads share the columns of its products.
pub(super) fn share(rows: usize, threads: usize) -> usize {
    let few = rows < WORTH * threads;
    equal(rows, if few { 1 } else { threads }, ROWS).next_multiple_of(TOGETHER)
}

/// The size of equal pieces of at most so many rows, as many for each thread.
fn equal(rows: usize, threads: usize, most: usize) -> usize {
    let each = rows.div_ceil(threads);
    each.div_ceil(each.div_ceil(most).max(1))
}

/// The buffers of a thread, taken while in use.
#[derive(Default)]
struct Scratch {
    normed: Vec<f32>,
    inner: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

impl DenseBlock {
    /// Packs the layers of a block. `None` if it is computed on another device or in another format, or if its weights
    /// hold no numbers.
    pub fn new(parts: &BlockParts<'_>, precision: Precision) -> Result<Option<DenseBlock>> {
        let pack = |maps: &[&Linear]| Linear::pack(maps, precision);
        let [NormParts(first, _), _] = &parts.norms;
        if !has_values(first.weight()) {
            return Ok(None);
        }
        let packed = (pack(&parts.attention)?, pack(&[parts.out])?);
        let [up, down] = parts.feed_forward;
        let (Some(joined), Some(out), Some(up), Some(down)) = (packed.0, packed.1, pack(&[up])?, pack(&[down])?) else {
            return Ok(None);
        };
        let norm = |NormParts(norm, eps): &NormParts<'_>| match norm.bias() {
            Some(bias) => RowNorm::new(norm.weight(), bias, *eps),
            None => RowNorm::new(norm.weight(), &norm.weight().zeros_like()?, *eps),
        };
        let norms = [norm(&parts.norms[0])?, norm(&parts.norms[1])?];
        let BlockParts { activation, heads, place, .. } = *parts;
        Ok(Some(DenseBlock { norms, joined, out, up, down, activation, heads, place }))
    }

    fn width(&self) -> usize {
        self.joined.inputs()
    }

    /// Replaces the states of inputs with so many rows. `buffers` are reused.
    fn apply(&self, x: &mut [f32], lengths: &[usize], pass: Pass, buffers: &mut Buffers) {
        let width = self.width();
        let (rows, each) = (x.len() / width, share(x.len() / width, pass.threads));
        let Buffers { joined, mixed } = buffers;
        joined.resize(rows * 3 * width, 0.0);
        mixed.resize(rows * width, 0.0);
        let pieces = x.par_chunks(each * width).zip(joined.par_chunks_mut(each * 3 * width));
        pieces.for_each(|(x, joined)| match self.place {
            NormPlace::After => self.joined.multiply(x, joined, false),
            NormPlace::Before => {
                let mut scratch = SCRATCH.take();
                copy(x, &mut scratch.normed);
                self.norms[0].apply(&mut scratch.normed);
                self.joined.multiply(&scratch.normed, joined, false);
                SCRATCH.set(scratch);
            }
        });
        self.attend(joined, lengths, pass, mixed);
        let pieces = x.par_chunks_mut(each * width).zip(mixed.par_chunks(each * width));
        pieces.for_each(|(x, mixed)| {
            self.out.multiply(mixed, x, true);
            self.feed(x, if each < rows { 1 } else { pass.threads });
        });
    }

    /// Writes the attention of each input to `mixed`.
    fn attend(&self, mut joined: &[f32], lengths: &[usize], pass: Pass, mut mixed: &mut [f32]) {
        let (width, mut inputs) = (self.width(), Vec::with_capacity(lengths.len()));
        for t in lengths {
            let (this, others) = mixed.split_at_mut(t * width);
            inputs.push((*t, &joined[..t * 3 * width], this));
            (joined, mixed) = (&joined[t * 3 * width..], others);
        }
        let threads = pass.threads.div_ceil(lengths.len().max(1));
        let one = |(t, joined, mixed): (usize, &[f32], &mut [f32])| {
            Heads { t, heads: self.heads, d: width / self.heads, sees: pass.sees }.attend(joined, mixed, threads);
        };
        match pass.threads {
            1 => inputs.into_iter().for_each(one),
            _ => inputs.into_par_iter().for_each(one),
        }
    }

    /// The feed-forward part of some rows, with the norm before it and those after it. So many threads share the activation.
    fn feed(&self, x: &mut [f32], threads: usize) {
        let mut scratch = SCRATCH.take();
        let Scratch { normed, inner } = &mut scratch;
        inner.resize(x.len() / self.width() * self.up.outputs(), 0.0);
        match self.place {
            NormPlace::Before => {
                copy(x, normed);
                self.norms[1].apply(normed);
                self.up.multiply(normed, inner, false);
            }
            NormPlace::After => {
                self.norms[0].apply(x);
                self.up.multiply(x, inner, false);
            }
        }
        match threads {
            1 => activate(self.activation, inner),
            _ => inner.par_chunks_mut(PIECE).for_each(|piece| activate(self.activation, piece)),
        }
        self.down.multiply(inner, x, true);
        if self.place == NormPlace::After {
            self.norms[1].apply(x);
        }
        SCRATCH.set(scratch);
    }
}

fn copy(from: &[f32], to: &mut Vec<f32>) {
    to.clear();
    to.extend_from_slice(from);
}

/// The buffers that all blocks of a tower share.
#[derive(Debug, Default)]
struct Buffers {
    joined: Vec<f32>,
    mixed: Vec<f32>,
}

/// The most numbers that a buffer keeps for the next input: 64 MB.
const KEPT: usize = 1 << 24;
/// The numbers of the states and buffers of the inputs that pass through all blocks together: 8 MB, a share of a usual
/// last-level cache.
const CACHED: usize = 1 << 21;

/// How inputs pass through the blocks.
#[derive(Debug, Clone, Copy)]
struct Pass {
    sees: Sees,
    /// The threads that share the rows of each block.
    threads: usize,
}

/// The blocks of a network, in order.
pub enum Stack<B> {
    /// On other devices and in other formats.
    Tensors(Vec<B>),
    /// In f32 on a CPU.
    Dense(DenseBlocks),
}

impl<B> Stack<B> {
    /// Reads blocks one by one; `pack` makes the form for a CPU of one, and gives `None` for other devices and formats.
    pub fn load(
        blocks: impl Iterator<Item = Result<B>>,
        pack: impl Fn(&B) -> Result<Option<DenseBlock>>,
    ) -> Result<Stack<B>> {
        let (mut tensors, mut dense) = (Vec::new(), Vec::new());
        for block in blocks {
            let block = block?;
            match pack(&block)? {
                Some(block) => dense.push(block),
                None => tensors.push(block),
            }
        }
        Ok(if tensors.is_empty() { Stack::Dense(DenseBlocks { blocks: dense }) } else { Stack::Tensors(tensors) })
    }

    /// True if the result of an input does not depend on those beside it, whatever their number is.
    pub fn is_dense(&self) -> bool {
        matches!(self, Stack::Dense(_))
    }
}

/// The packed blocks of a network.
#[derive(Debug)]
pub struct DenseBlocks {
    blocks: Vec<DenseBlock>,
}

impl DenseBlocks {
    /// (batch, t, width) -> (batch, t, width), both contiguous and in f32 on a CPU.
    pub fn forward(&self, x: &Tensor, sees: Sees) -> Result<Tensor> {
        let (batch, t, width) = x.dims3()?;
        self.forward_each(&x.reshape((batch * t, width))?, &vec![t; batch], sees)?.reshape((batch, t, width))
    }

    /// The states of inputs one below the other, which have so many rows: (rows, width) -> (rows, width), both contiguous and in f32
    /// on a CPU.
    ///
    /// Each thread takes some inputs through all blocks, so that no thread waits for another in between. Threads share the rows of the
    /// inputs that are left over.
    pub fn forward_each(&self, x: &Tensor, lengths: &[usize], sees: Sees) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        if lengths.iter().sum::<usize>() != rows {
            bail!("found {rows} rows for inputs of {lengths:?}: this is a bug");
        }
        let mut states = with_values(x, |x| Ok(x.to_vec()))?;
        let threads = rayon::current_num_threads();
        let (many, few) = lengths.split_at(lengths.len() - lengths.len() % threads);
        let (first, rest) = states.split_at_mut(many.iter().sum::<usize>() * width);
        let alone = Pass { sees, threads: 1 };
        let pieces = pieces(first, many, width, threads).into_par_iter().with_max_len(1);
        pieces.for_each(|(states, lengths)| self.pass(states, lengths, alone));
        if !few.is_empty() {
            // on a thread of the pool, so that each part begins without a message to it
            rayon::scope(|_| self.pass(rest, few, Pass { sees, threads }));
        }
        Tensor::from_vec(states, (rows, width), &Device::Cpu)
    }

    fn pass(&self, states: &mut [f32], lengths: &[usize], pass: Pass) {
        let mut buffers = BUFFERS.take();
        self.blocks.iter().for_each(|block| block.apply(states, lengths, pass, &mut buffers));
        if buffers.joined.len() <= KEPT {
            BUFFERS.set(buffers);
        }
    }
}

/// Whole inputs in equal groups, whose states and buffers stay in the cache.
fn pieces<'a, 'b>(
    mut states: &'a mut [f32],
    mut lengths: &'b [usize],
    width: usize,
    threads: usize,
) -> Vec<(&'a mut [f32], &'b [usize])> {
    // states, queries, keys, values and the result of attention are alive at once
    let most = (CACHED / (5 * width).max(1)).max(ROWS);
    let (each, mut pieces) = (equal(lengths.iter().sum(), threads, most), Vec::new());
    while !lengths.is_empty() {
        let (mut count, mut rows) = (1, lengths[0]);
        while let Some(next) = lengths.get(count).filter(|next| rows + **next / 2 <= each) {
            (count, rows) = (count + 1, rows + next);
        }
        let (these, others) = states.split_at_mut(rows * width);
        pieces.push((these, &lengths[..count]));
        (states, lengths) = (others, &lengths[count..]);
    }
    pieces
}
