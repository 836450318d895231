//! The keys and values of a decoder.

use super::sight::Places;
use crate::infer::{
    causal::{KvBlocks, KvFormat},
    prefix::{Prefix, PromptPosition},
    rope::Rope,
};
use candle_core::{Result, Tensor};
use std::sync::Arc;

/// Keys and values of one layer of one row, in a buffer with room to grow: (kv heads, room, head).
#[derive(Default)]
pub(super) struct KvBuffer(Option<(Tensor, Tensor)>);

impl KvBuffer {
    /// The buffer grows by half its length, but at least by this many tokens.
    const ROOM: usize = 64;

    /// Writes `k` and `v`, (kv heads, t, head), after the first `length` tokens. Gives all keys and values, (kv heads,
    /// length + t, head).
    pub(super) fn append(&mut self, k: &Tensor, v: &Tensor, length: usize) -> Result<(Tensor, Tensor)> {
        let (heads, t, head) = k.dims3()?;
        let room = self.0.as_ref().map_or(Ok(0), |(k, _)| k.dim(1))?;
        if length + t > room {
            let more = (length + t + (length / 2).max(KvBuffer::ROOM), head);
            let grow = |old: Option<&Tensor>| -> Result<Tensor> {
                let new = Tensor::zeros((heads, more.0, more.1), v.dtype(), v.device())?;
                if let (Some(old), true) = (old, length > 0) {
                    new.slice_set(&old.narrow(1, 0, length)?.contiguous()?, 1, 0)?;
                }
                Ok(new)
            };
            self.0 = Some((grow(self.0.as_ref().map(|s| &s.0))?, grow(self.0.as_ref().map(|s| &s.1))?));
        }
        let Some((keys, values)) = &self.0 else { candle_core::bail!("a cache without a buffer") };
        keys.slice_set(&k.contiguous()?, 1, length)?;
        values.slice_set(&v.contiguous()?, 1, length)?;
        Ok((keys.narrow(1, 0, length + t)?, values.narrow(1, 0, length + t)?))
    }

    fn copy(&self, positions: usize) -> Result<KvBuffer> {
        let part = |x: &Tensor| x.narrow(1, 0, positions)?.copy();
        Ok(KvBuffer(match &self.0 {
            Some((k, v)) => Some((part(k)?, part(v)?)),
            None => None,
        }))
    }
}

/// Keys and values of one layer of one row.
pub(super) enum LayerCache {
    /// On a CPU.
    Blocks(KvBlocks),
    /// On other devices, and in other formats.
    Joined(KvBuffer),
}

impl LayerCache {
    fn copy(&self, positions: usize) -> Result<LayerCache> {
        Ok(match self {
            LayerCache::Blocks(blocks) => LayerCache::Blocks(blocks.copy(positions)),
            LayerCache::Joined(buffer) => LayerCache::Joined(buffer.copy(positions)?),
        })
    }
}

/// Keys and values of one row. All positions are kept, also those that left a sliding window, so that the cache can be
/// truncated to any prefix.
pub struct KvCache {
    pub(super) layers: Vec<LayerCache>,
    pub(super) length: usize,
    /// The number of positions of the whole prompt, if it was announced.
    prompt: usize,
    ropes: Arc<[Rope]>,
    /// The rotation of the keys: the regimes of all ropes ([`Rope::regime`]) for the positions up to an end.
    rotated: Vec<(usize, Vec<usize>)>,
    /// The positions that it holds, if they may have to be read again ([`KvCache::renewed`]).
    held: Option<Vec<PromptPosition>>,
    /// Where its positions are, for a network that sees.
    pub(super) places: Places,
}

impl KvCache {
    /// An empty cache of `layers` layers, whose keys `ropes` rotate; with `blocks`, for attention in blocks of this format.
    /// With `rereads`, all positions are read again when the sequence needs other frequencies, as in transformers' Phi-3.
    pub(super) fn new(layers: usize, ropes: Arc<[Rope]>, blocks: Option<KvFormat>, rereads: bool) -> KvCache {
        let empty = || match blocks {
            Some(format) => LayerCache::Blocks(KvBlocks::new(format)),
            None => LayerCache::Joined(KvBuffer::default()),
        };
        let layers = (0..layers).map(|_| empty()).collect();
        KvCache {
            layers,
            length: 0,
            prompt: 0,
            ropes,
            rotated: Vec::new(),
            held: rereads.then(Vec::new),
            places: Places::default(),
        }
    }

    /// Everything that must be read in place of `read`: if the frequencies change with it, the cache is emptied, and all
    /// positions are read once more.
    pub(super) fn renewed(&mut self, read: &[PromptPosition]) -> Option<Vec<PromptPosition>> {
        let next = self.regimes(self.sequence(read.len()));
        let held = self.held.as_mut()?;
        held.extend(read);
        if self.rotated.last().is_none_or(|(_, last)| *last == next) {
            return None;
        }
        let all = held.clone();
        self.length = 0;
        self.rotated.clear();
        Some(all)
    }

    /// The length of the sequence that decides the rotation of the next `t` positions. As in transformers, all positions
    /// of a prompt are rotated for the length of the whole prompt, and each token of the reply for its own position.
    pub(super) fn sequence(&self, t: usize) -> usize {
        self.prompt.max(self.length + t)
    }

    fn regimes(&self, sequence: usize) -> Vec<usize> {
        self.ropes.iter().map(|rope| rope.regime(sequence)).collect()
    }

    /// Counts `t` positions that were appended to all layers.
    pub(super) fn advance(&mut self, t: usize) {
        let regimes = self.regimes(self.sequence(t));
        self.length += t;
        match self.rotated.last_mut() {
            Some((end, last)) if *last == regimes => *end = self.length,
            _ => self.rotated.push((self.length, regimes)),
        }
    }
}

impl Prefix for KvCache {
    fn announce(&mut self, prompt: usize) {
        self.prompt = prompt;
    }

    fn usable(&self, positions: usize, prompt: usize) -> usize {
        let regimes = self.regimes(prompt);
        let alike = self.rotated.iter().take_while(|(_, rotated)| *rotated == regimes);
        positions.min(alike.last().map_or(0, |(end, _)| *end))
    }

    fn is_steady(&self, count: usize) -> bool {
        let in_blocks = self.layers.iter().all(|layer| matches!(layer, LayerCache::Blocks(_)));
        in_blocks && self.regimes(self.sequence(1)) == self.regimes(self.sequence(count))
    }

    fn truncate(&mut self, positions: usize) {
        self.length = self.length.min(positions);
        for layer in &mut self.layers {
            if let LayerCache::Blocks(blocks) = layer {
                blocks.truncate(self.length);
            }
        }
        let keep = self.rotated.iter().take_while(|(end, _)| *end < self.length).count();
        self.rotated.truncate(if self.length == 0 { 0 } else { keep + 1 });
        if let Some((end, _)) = self.rotated.last_mut() {
            *end = self.length;
        }
        if let Some(held) = &mut self.held {
            held.truncate(self.length);
        }
        self.places.truncate(self.length);
    }

    fn copy(&self, positions: usize) -> Result<KvCache> {
        let layers = self.layers.iter().map(|layer| layer.copy(positions)).collect::<Result<_>>()?;
        let (ropes, rotated) = (self.ropes.clone(), self.rotated.clone());
        let (held, places) = (self.held.clone(), self.places.clone());
        let mut copy = KvCache { layers, length: self.length, prompt: 0, ropes, rotated, held, places };
        copy.truncate(positions);
        Ok(copy)
    }

    fn parts(&self, part: &mut dyn FnMut(usize, usize)) -> Option<()> {
        for layer in &self.layers {
            let LayerCache::Blocks(blocks) = layer else { return None };
            blocks.sizes().for_each(|(address, bytes)| part(address, bytes));
        }
        Some(())
    }
}
