//! The exact index: a search reads every vector.

use super::{
    Index, IndexError, Neighbour, Wanted,
    blocks::{Blocks, ListChoice},
};

/// Compares the query with every vector. A day with a vector of 512 numbers for each second is 88 MB.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExactIndex;

impl Index for ExactIndex {
    fn nearest(&self, blocks: &Blocks, query: &[f32], wanted: &Wanted<'_>) -> Result<Vec<Neighbour>, IndexError> {
        blocks.scan(ListChoice::All, query, wanted)
    }

    fn settle(&mut self, _: &mut Blocks) -> Result<bool, IndexError> {
        Ok(false)
    }
}
