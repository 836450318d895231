//! Data that is kept between runs. The memo keeps finished exchanges.

pub mod memo;

pub use memo::{Memo, MemoError};
