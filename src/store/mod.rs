//! Data that is kept between runs: the memo of finished exchanges, and the vectors of texts.

pub mod memo;
mod sqlite;
pub mod vectors;

pub use memo::{Memo, MemoError};
pub use vectors::VectorStore;
