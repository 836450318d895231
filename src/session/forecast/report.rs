//! The predicted cost of a run, as data.

use serde::Serialize;

/// The predicted cost of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// The dialogue's name.
    pub dialogue: String,
    /// The steps, in order of their first exchange.
    pub steps: Vec<StepForecast>,
    /// The agents, in the order of the dialogue.
    pub agents: Vec<AgentForecast>,
    /// The number of exchanges.
    pub exchanges: u64,
    /// The exchanges that the memo answers.
    pub memo_hits: u64,
    /// True if some counts depend on replies that are not known yet.
    pub estimated: bool,
    /// Why the count ended early, if it did; the numbers are then too low.
    pub unfinished: Option<String>,
    /// Floating-point operations of all local models.
    pub flops: f64,
    /// The memory of the program.
    pub memory: MemoryForecast,
    /// The time.
    pub time: TimeForecast,
}

/// The exchanges of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepForecast {
    /// The step's path; a loop's rounds are one step.
    pub step: String,
    /// The agent's name.
    pub agent: String,
    /// The kind of request.
    pub kind: &'static str,
    /// The number of exchanges.
    pub exchanges: u64,
    /// The exchanges that the memo answers.
    pub memo_hits: u64,
    /// The exchanges that an equal one of the same run answers.
    pub repeated: u64,
    /// True if the number of exchanges depends on replies that are not known yet.
    pub estimated: bool,
    /// The units of the work.
    #[serde(flatten)]
    pub units: Units,
    /// Floating-point operations.
    pub flops: f64,
}

/// The units of some work.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Units {
    /// Tokens that language models read.
    pub prompt_tokens: u64,
    /// Tokens that language and speech models write.
    pub reply_tokens: u64,
    /// Tokens that encoders read.
    pub text_tokens: u64,
    /// Pictures.
    pub pictures: u64,
    /// Windows of sound.
    pub windows: u64,
}

/// The cost of one agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentForecast {
    /// The agent's name.
    pub agent: String,
    /// True if its model runs in this process.
    pub local: bool,
    /// The requests that it must answer.
    pub requests: u64,
    /// The units of its work.
    #[serde(flatten)]
    pub units: Units,
    /// Floating-point operations.
    pub flops: f64,
    /// Its memory; none for an agent elsewhere, and for one that is not asked.
    pub memory: Option<AgentMemory>,
    /// The time of its work and of loading, in seconds; none if it was never measured.
    pub seconds: Option<f64>,
}

/// The memory of one local model, in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentMemory {
    /// The device.
    pub device: String,
    /// Its weights as the model holds them.
    pub weights: u64,
    /// Keys and values of the longest prompts and replies.
    pub cache: u64,
    /// Numbers that are computed and freed again.
    pub activations: u64,
}

impl AgentMemory {
    pub(super) fn total(&self) -> u64 {
        self.weights + self.cache + self.activations
    }
}

/// The memory of a run, in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemoryForecast {
    /// The program without models and media.
    pub program: u64,
    /// Decoded pictures.
    pub media: u64,
    /// The agents on the CPU that are loaded together.
    pub models: u64,
    /// ffmpeg, in a process of its own.
    pub ffmpeg: u64,
    /// The largest process: program, media and models together, or ffmpeg.
    pub peak: u64,
    /// The memory that agents may take on their devices.
    pub devices: Vec<DeviceForecast>,
}

/// The memory of one device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceForecast {
    /// The device.
    pub device: String,
    /// The bytes that agents may take; none if they are unknown.
    pub room: Option<u64>,
    /// True if the agents do not fit together, so that they are loaded in turns.
    pub in_turns: bool,
}

/// The time of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimeForecast {
    /// The time in seconds; none if a model was never measured on this machine.
    pub seconds: Option<f64>,
    /// The models without a measurement.
    pub unmeasured: Vec<String>,
    /// True if an earlier run of this dialogue with these agents was measured too.
    pub same_dialogue: bool,
}
