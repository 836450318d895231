//! Transformer blocks over slices.

use super::{
    Packed, Precision, Sees,
    attention::Heads,
    has_values,
    rows::{RowNorm, activate},
    with_values,
};
use crate::infer::ops::{Activation, Linear};
use candle_core::{Device, Result, Tensor};
use candle_nn::LayerNorm;
use rayon::prelude::*;
use std::{
    cell::RefCell,
    sync::{Mutex, PoisonError},
};

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

/// The rows of one piece of work: an equal share for each thread, but not too few for a product. Shares above [`ROWS`]
/// are cut into equal pieces, so that no last piece reads all weights for few rows.
pub(super) fn share(rows: usize) -> usize {
    let each = rows.div_ceil(rayon::current_num_threads());
    let each = each.div_ceil(each.div_ceil(ROWS).max(1));
    each.next_multiple_of(TOGETHER).max(4 * TOGETHER)
}

/// The buffers of a thread, taken while in use.
#[derive(Default)]
struct Scratch {
    normed: Vec<f32>,
    inner: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
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

    /// Replaces the states of inputs of `t` rows each. `buffers` are reused.
    fn apply(&self, x: &mut [f32], t: usize, sees: Sees, buffers: &mut Buffers) {
        let width = self.width();
        let (rows, each) = (x.len() / width, share(x.len() / width));
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
        Heads { t, heads: self.heads, d: width / self.heads, sees }.attend(joined, mixed);
        let pieces = x.par_chunks_mut(each * width).zip(mixed.par_chunks(each * width));
        pieces.for_each(|(x, mixed)| {
            self.out.multiply(mixed, x, true);
            self.feed(x);
        });
    }

    /// The feed-forward part of some rows, with the norm before it and those after it.
    fn feed(&self, x: &mut [f32]) {
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
        activate(self.activation, inner);
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
/// The least rows of a thread that are worth reading the weights for.
const WORTH: usize = 96;

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
        Ok(if tensors.is_empty() { Stack::Dense(DenseBlocks::new(dense)) } else { Stack::Tensors(tensors) })
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
    buffers: Mutex<Buffers>,
}

impl DenseBlocks {
    fn new(blocks: Vec<DenseBlock>) -> DenseBlocks {
        DenseBlocks { blocks, buffers: Mutex::default() }
    }

    /// (batch, t, width) -> (batch, t, width), both contiguous and in f32 on a CPU.
    pub fn forward(&self, x: &Tensor, sees: Sees) -> Result<Tensor> {
        let (batch, t, width) = x.dims3()?;
        let mut states = with_values(x, |x| Ok(x.to_vec()))?;
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let buffers = &mut *buffers;
        // states, queries, keys, values and the result of attention are alive at once
        let rows = (CACHED / (5 * width).max(1)).max(WORTH * rayon::current_num_threads());
        let group = (rows / t.max(1)).max(1) * t * width;
        // on a thread of the pool, so that each part begins without a message to it
        rayon::scope(|_| {
            for states in states.chunks_mut(group.max(1)) {
                self.blocks.iter().for_each(|block| block.apply(states, t, sees, buffers));
            }
        });
        if buffers.joined.len() > KEPT {
            *buffers = Buffers::default();
        }
        Tensor::from_vec(states, (batch, t, width), &Device::Cpu)
    }
}
