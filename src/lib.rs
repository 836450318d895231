//! elenchus runs dialogues among models that see, hear and reason.
//!
//! A dialogue is a YAML file. It names its inputs, a cast of agents, steps, and an answer. Each step makes requests of
//! one kind: `frames` samples a video into moments, `rank` scores labels against a picture, `hear` turns speech into
//! text, `say` completes a prompt. Steps use each other's values in templates. Models exchange nothing but text.
//!
//! A dialogue passes through three stages, each with its own type:
//!
//! 1. **As written.** [`dialogue`] reads YAML, with the line and column of each value.
//! 2. **Checked.** [`compile_text`] checks names, types and cycles, and returns a [`Plan`] or every [`Problem`] at once. It opens
//!    no file and loads no model; texts come from a [`Library`](dialogue::Library).
//! 3. **Running.** [`Plan::bind`] checks the inputs. [`run()`] takes the plan, the [`Inputs`] and one [`Agent`] for each role. It
//!    returns a [`Run`] with an [`Outcome`], or a [`RunError`] with the steps that failed.
//!
//! [`session`] does all three for dialogues and agents in files. Its [`Engine`](session::Engine) shares the memo and
//! the loaded agents among the runs of a process.
//!
//! An agent is a local model, a remote endpoint, a person, a script, or your own type that implements [`Agent`]. A
//! [`Memo`] keeps every finished exchange, so that a stopped run can continue.
//!
//! # Example
//!
//! A dialogue of one step, answered by a script instead of a model:
//!
//! ```
//! use elenchus::{Agents, CompileOptions, RunOptions, Value, compile_text, run};
//! use elenchus::agent::script::ScriptAgent;
//! use elenchus::dialogue::{MemoryLibrary, Resource};
//! use elenchus::exchange::{Script, ScriptReply};
//! use elenchus::indexmap::IndexMap;
//! use std::sync::Arc;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), elenchus::RunError> {
//! let text = r#"
//! version: 1
//! dialogue: greeting
//! inputs: { name: text }
//! cast: { mind: writer }
//! steps:
//!   draft:
//!     say: { agent: mind, text: "Greet {{ name }} in one line." }
//! answer: "{{ draft }}"
//! "#;
//!
//! // The plan reads the agent's file to know which requests the agent answers.
//! let library = MemoryLibrary::default().with(Resource::Agent, "writer", "script: []");
//! let plan = compile_text(text, "greeting.yaml", &library, &CompileOptions::default())
//!     .expect("the dialogue has no problems");
//!
//! // One agent for each role of the cast.
//! let script = Script::ByPiece(vec![("Greet Ada".to_owned(), ScriptReply::Text("Good morning, Ada!".to_owned()))]);
//! let mut agents = Agents::new();
//! agents.insert("mind".to_owned(), Arc::new(ScriptAgent::new("writer", script)));
//!
//! let given = IndexMap::from([("name".to_owned(), Value::Text("Ada".to_owned()))]);
//! let inputs = plan.bind(given).expect("every input has a value of its type");
//! let run = run(&plan, inputs, RunOptions::new(agents)).await;
//! assert_eq!(run.outcome?.answer, "Good morning, Ada!");
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! `cli` (a default feature) is the command line. `default-features = false` leaves it out, with clap and indicatif.
//! `serve` (a default feature) is the server.
//! `otel` sends spans of runs and exchanges to an OpenTelemetry collector ([`telemetry`]).
//! `cuda`, `metal`, `accelerate` and `mkl` select candle's backend.
//!
//! The modules are in layer order: none imports a later one.
//! ARCHITECTURE.md in the repository has the layers and the invariants.
// These macros panic if a write fails; see cli/print.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod value;

pub mod query;

pub mod problem;

pub mod error;

pub mod files;

pub mod private;

pub mod grammar;

pub mod exchange;

pub mod telemetry;

pub mod prompt;

pub mod dialogue;

pub mod plan;

pub mod steps;

pub mod store;

pub mod hub;

pub mod media;

pub mod infer;

pub mod models;

pub mod agent;

pub mod run;

pub mod session;

pub mod eval;

pub mod doctor;

#[cfg(feature = "serve")]
pub mod serve;

#[cfg(feature = "cli")]
pub mod cli;

/// Re-exported because signatures use it: inputs, agents and records are maps that keep their order.
pub use indexmap;
/// Re-exported because [`run()`] needs its runtime, with time enabled.
pub use tokio;

pub use agent::{Agent, CallContext};
pub use dialogue::Dialogue;
pub use error::{Fault, FaultKind};
pub use exchange::{Card, Kind, Reply, Request};
pub use plan::{CompileOptions, Inputs, Plan, compile, compile_text};
pub use problem::Problem;
pub use run::{Agents, Outcome, Run, RunError, RunOptions, run};
pub use store::Memo;
pub use value::{Type, Value};
