//! Running a plan: a pure machine decides which exchanges are due, a driver sends them to agents, the memo keeps
//! finished exchanges, and a transcript records the run so that it can be replayed.

pub mod cancel;
mod depends;
pub mod driver;
pub mod explain;
pub mod guess;
pub mod machine;
pub mod outcome;
pub mod progress;
pub mod rehearse;
mod rehearsed;
pub mod replay;
pub mod scripted;
pub mod transcript;

pub use crate::store::{Memo, MemoError};
pub use cancel::Cancel;
pub use driver::{Agents, Run, RunOptions, named_media, run};
pub use outcome::{Evidence, Outcome, RunError};
pub use progress::{Event, Progress, Silent};
pub use replay::{ReplayError, replay};
pub use scripted::{TestResult, run_tests};
pub use transcript::{Recorder, Transcript};
