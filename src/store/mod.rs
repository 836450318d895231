//! Data that is kept between runs: the memo of finished exchanges.

pub mod memo;

pub use memo::{Memo, MemoError};
