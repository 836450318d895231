//! Indexes of vectors: which stored vectors lie nearest to a vector. An index holds the vectors of one model and one sense, so that
//! vectors of different models never meet. It is a SQLite file that only the user can read, and several processes can share it.
//!
//! Vectors are kept as half-precision numbers, in blocks of some hundred. Up to [`CLUSTERED_FROM`] vectors, a search reads all of them
//! ([`ExactIndex`]). Above, they are grouped around centres, and a search reads the groups of the nearest centres
//! ([`ClusteredIndex`]). A removed vector is taken out of its block, and its bytes are overwritten. The index is a cache of what a
//! model computes: a damaged file is begun again.

mod adding;
mod background;
mod blocks;
mod clustered;
mod exact;
mod fault;
mod file;
mod products;
mod stretches;
mod training;

#[cfg(test)]
mod tests;

pub use background::OTHER_THINGS;
pub use blocks::Blocks;
pub use clustered::ClusteredIndex;
pub use exact::ExactIndex;
pub use fault::IndexError;
pub use file::{IndexAbout, VectorIndex};
pub use stretches::{StretchFilter, VectorStretch};

use super::vectors::ModelDigest;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The number of vectors above which an index is clustered.
pub const CLUSTERED_FROM: u64 = 1_000_000;
/// The maximum length of a vector.
pub const MAX_WIDTH: usize = 1 << 14;

/// What the vectors of an index were made of. A further sense, such as sound, is a further member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorSense {
    /// The texts of the journal's lines. The number of a vector is that of its line.
    Lines,
    /// Frames of videos. The index numbers them, and knows their media and times.
    Frames,
}

impl VectorSense {
    /// All senses.
    pub const ALL: [VectorSense; 2] = [VectorSense::Lines, VectorSense::Frames];

    /// Its word in file names and messages.
    pub fn word(self) -> &'static str {
        match self {
            VectorSense::Lines => "lines",
            VectorSense::Frames => "frames",
        }
    }
}

/// Identifies an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IndexKey {
    /// The model that made the vectors: the digest of an agent's identity.
    pub model: ModelDigest,
    /// What they were made of.
    pub sense: VectorSense,
}

/// A vector to add.
#[derive(Debug, Clone)]
pub struct NewVector {
    /// Its number; `None` lets the index choose one.
    pub id: Option<i64>,
    /// The stretch of a medium that it is about, for vectors that nothing else knows.
    pub at: Option<VectorStretch>,
    /// The numbers, in any length.
    pub vector: Vec<f32>,
}

/// The vectors that may be found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// The maximum number of neighbours.
    pub top: usize,
    /// Only vectors that were added in this state of the journal, or in an earlier one.
    pub born: i64,
    /// Only vectors with these numbers.
    pub among: Option<&'a HashSet<i64>>,
}

/// A vector that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Its number.
    pub id: i64,
    /// The cosine of the angle to the query.
    pub cosine: f32,
}

/// The neighbours in their order: the nearest first, and of equal ones the older first.
fn by_cosine(a: &Neighbour, b: &Neighbour) -> std::cmp::Ordering {
    b.cosine.total_cmp(&a.cosine).then(a.id.cmp(&b.id))
}

/// A way to find the nearest vectors in blocks.
///
/// Contract: `nearest` gives at most `wanted.top` neighbours, nearest first, and never a removed vector, one that `wanted` excludes, or
/// the same one twice. It gives fewer only if there are no more. The query has unit length and the width of the vectors.
/// `settle` puts vectors that were added since into the order that `nearest` needs. It works in steps, each of which leaves a
/// whole index, and returns false when nothing is left to do. New vectors are found before they are settled.
pub trait Index: Send + std::fmt::Debug {
    /// The nearest vectors. Blocks.
    fn nearest(&self, blocks: &Blocks, query: &[f32], wanted: &Wanted<'_>) -> Result<Vec<Neighbour>, IndexError>;
    /// The next step of putting vectors into order. Blocks.
    fn settle(&mut self, blocks: &mut Blocks) -> Result<bool, IndexError>;
}
