//! Measuring: scores a dialogue on cases with known answers.
//!
//! A *case* is what the dialogue is asked and what is known about the right answer: a line of a JSONL file, or an item of
//! a benchmark in a local folder ([`readers`]). A *metric* reduces each answer to a few numbers and any set of them to a
//! figure ([`metrics`]). The *figures* are those of all cases, of every class and of the worst class, with intervals.

pub mod answered;
pub mod blind;
pub mod bootstrap;
pub mod calibration;
pub mod case;
pub mod figures;
pub mod markdown;
pub mod metrics;
pub mod readers;
pub mod results;
pub mod text;

pub use answered::{CaseAnswer, Ranking};
pub use case::{Case, CaseSpan, Choice, UNANSWERABLE, Worth};
pub use figures::{Figures, Resampling, figures};
pub use metrics::{Graded, Measure};
pub use readers::{BENCHMARKS, Dataset, Wanted};
