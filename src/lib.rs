//! elenchus: dialogues among models that see, hear and reason.
//!
//! Data passes through the modules in this order. A YAML file is read by [`dialogue`] (as written),
//! checked by [`plan`] (every problem at once, nothing loaded), and executed by [`run`]: a pure machine
//! that decides which exchanges are due, and a tokio driver that carries them to [`agent`]s and keeps the
//! memo and the transcript. What a step does is in [`steps`], one file for each verb. Local agents stand on
//! [`models`] (one file for each family) and [`infer`] (what all candle models share); [`media`] turns
//! videos into moments, frames and samples with exact times; [`hub`] finds model files.
//! ARCHITECTURE.md has the invariants.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))] // these macros panic where nothing can be written; see cli/print

pub mod agent;
pub mod cli;
pub mod dialogue;
pub mod doctor;
pub mod error;
pub mod exchange;
pub mod files;
pub mod hub;
pub mod infer;
pub mod media;
pub mod models;
pub mod plan;
pub mod private;
pub mod problem;
pub mod prompt;
pub mod run;
pub mod steps;
pub mod store;
pub mod value;
