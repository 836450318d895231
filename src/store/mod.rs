//! Data that is kept between runs: the memo of finished exchanges, the vectors of texts, and the speeds of models.

pub mod memo;
mod sqlite;
pub mod timings;
pub mod vectors;

pub use memo::{Memo, MemoError};
pub use timings::TimingStore;
pub use vectors::VectorStore;
