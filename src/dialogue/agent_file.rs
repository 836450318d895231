//! Agent files (`agents/NAME.yaml`) and casts (`casts/NAME.yaml`), exactly as written.

use super::{At, DecodeWritten, HearingWritten, Reading, Span, written};
use crate::{
    exchange::{Answers, Kind, Modality, SETTINGS, Script, Setting, WireName},
    problem::{Problem, closest},
};
use indexmap::IndexMap;

written! { "an agent file",
    /// An agent: exactly one of `model`, `endpoint`, `translate`, `script` and `person`.
    pub struct AgentFile {
        /// A description of this agent, for people.
        pub about: Option<String>,
        /// A local model.
        pub model: Option<At<ModelWritten>>,
        /// An OpenAI-compatible endpoint.
        pub endpoint: Option<At<EndpointWritten>>,
        /// An image classifier and a text embedder as one agent that ranks an image among any words.
        pub translate: Option<At<TranslateWritten>>,
        /// Prepared replies, in order or by a piece of the prompt.
        pub script: Option<At<Script>>,
        /// A person at the terminal.
        pub person: Option<At<PersonWritten>>,
        /// Decoding settings for steps that do not set their own.
        pub decode: Option<DecodeWritten>,
        /// How a local model hears speech.
        pub hearing: Option<At<HearingWritten>>,
        /// Limits of the agent's work.
        pub limits: Option<LimitsWritten>,
    }
}

written! { "`model`",
    /// A local model: exactly one of `path`, `hub` and `gguf`, or `hub` with `gguf`.
    pub struct ModelWritten {
        /// A checkpoint folder in Hugging Face format, or the name of a checkpoint that comes with the program
        /// (`starter/clip`).
        pub path: Option<At<String>>,
        /// A repository of the Hugging Face hub: `owner/name`, `owner/name@revision` or `owner/name:FILE.gguf`.
        pub hub: Option<At<String>>,
        /// A GGUF file of a language model; with `hub`, a file of that repository, or its quantisation (`Q4_K_M`).
        pub gguf: Option<At<String>>,
        /// The model family; `auto` (the default) recognises it by the checkpoint's config.json.
        pub family: Option<At<String>>,
        /// `auto`, `f32`, `f16`, `bf16` or, on a CPU and for Whisper and image towers, `int8`.
        pub dtype: Option<At<String>>,
        /// The keys and values that a language model keeps on a CPU: `f32` (the default), or `f16`, which takes half the memory.
        pub kv_cache: Option<At<String>>,
        /// `auto`, `cpu`, `cuda:0` or `metal`.
        pub device: Option<At<String>>,
    }
}

written! { "`endpoint`",
    /// An OpenAI-compatible endpoint.
    pub struct EndpointWritten {
        /// The base address, up to and including `/v1`.
        pub url: At<String>,
        /// The model's name at the endpoint.
        pub model: At<String>,
        /// The environment variable that holds the key.
        pub key_env: Option<At<String>>,
        /// The kinds of request that the endpoint answers; `[say]` if absent.
        pub answers: Option<Vec<At<Answers>>>,
        /// Maximum wait for one reply, or between two pieces of a streamed reply.
        pub timeout: Option<At<Span>>,
        /// Retries after a passing failure, for steps that do not set their own number; 2 if absent.
        pub retries: Option<At<usize>>,
        /// Decoding settings beyond OpenAI's protocol that the server supports: `top_k`, `min_p`, `repetition_penalty`
        /// or `repeat_penalty`. Other servers ignore such settings silently, so none is sent if the list lacks it.
        pub extensions: Option<Vec<At<String>>>,
    }
}

written! { "`translate`",
    /// Two agents that never met: the labels that one sees are read by the other.
    pub struct TranslateWritten {
        /// An agent that classifies images among labels of its own.
        pub eye: At<String>,
        /// An agent that embeds texts.
        pub words: At<String>,
        /// The number of likeliest labels that decide the vector of an image; 10 if absent.
        #[schemars(range(min = 1))]
        pub labels: Option<At<usize>>,
        /// A label list that says what the classifier's labels mean, as `label: meaning` on each line.
        pub senses: Option<At<String>>,
    }
}

written! { "`person`",
    /// A person at the terminal.
    pub struct PersonWritten {
        /// Shown before each question.
        pub greeting: Option<String>,
    }
}

written! { "`limits`",
    /// Limits of an agent's work.
    pub struct LimitsWritten {
        /// Maximum number of requests in one forward pass; for a language model, of replies that are written together.
        #[schemars(range(min = 1))]
        pub batch: Option<At<usize>>,
        /// Maximum number of waiting requests.
        #[schemars(range(min = 1))]
        pub queue: Option<At<usize>>,
        /// Maximum length of a prompt and its reply together, in tokens. For an endpoint: what its server reads, if it cuts
        /// longer prompts silently.
        #[schemars(range(min = 1))]
        pub context_tokens: Option<At<usize>>,
        /// Maximum pixels of a picture that a local model looks at, if fewer than its checkpoint states. Fewer pixels take
        /// less time and show less detail.
        #[schemars(range(min = 1))]
        pub picture_pixels: Option<At<usize>>,
        /// Maximum size of one reply of an endpoint, in bytes; 8388608 (8 MiB) if absent.
        pub reply_bytes: Option<At<usize>>,
        /// Maximum time of a whole streamed reply of an endpoint; 10m if absent.
        pub reply_time: Option<At<Span>>,
    }
}

written! { "a cast file",
    /// The agent of each role, the words that its models know, and the dialogues that suit them.
    pub struct CastFile {
        /// The purpose of this cast.
        pub about: Option<String>,
        /// Role to agent (`agents/NAME.yaml`).
        pub cast: IndexMap<At<String>, At<String>>,
        /// Label role to label list (`vocab/NAME.txt`): the words that the models of this cast know.
        pub labels: Option<IndexMap<At<String>, At<String>>>,
        /// Dialogues that take the place of others in a `call`: small models need another way to read a log than large ones.
        pub dialogues: Option<IndexMap<At<String>, At<String>>>,
    }
}

/// The sort of an agent: one of the five keys of its file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WhoWritten<'a> {
    /// A local model.
    Model(&'a ModelWritten),
    /// An endpoint.
    Endpoint(&'a EndpointWritten),
    /// A translator.
    Translate(&'a TranslateWritten),
    /// A script.
    Script(&'a Script),
    /// A person.
    Person(&'a PersonWritten),
}

impl AgentFile {
    /// The sort of agent; a checked file has exactly one.
    pub fn who(&self) -> Option<WhoWritten<'_>> {
        let model = self.model.as_ref().map(|at| WhoWritten::Model(at));
        let endpoint = || self.endpoint.as_ref().map(|at| WhoWritten::Endpoint(at));
        let translate = || self.translate.as_ref().map(|at| WhoWritten::Translate(at));
        let script = || self.script.as_ref().map(|at| WhoWritten::Script(at));
        let person = || self.person.as_ref().map(|at| WhoWritten::Person(at));
        model.or_else(endpoint).or_else(translate).or_else(script).or_else(person)
    }

    /// The requests that the agent answers, as far as the file says. For a local model the checkpoint decides.
    pub fn answers(&self) -> Option<Vec<Answers>> {
        match self.who()? {
            WhoWritten::Model(_) | WhoWritten::Script(_) => None,
            WhoWritten::Endpoint(endpoint) => Some(endpoint.answers()),
            WhoWritten::Translate(_) => {
                let content = &[Modality::Text, Modality::Image];
                Some([Kind::Rank, Kind::Embed].map(|kind| Answers::new(kind, content)).to_vec())
            }
            WhoWritten::Person(_) => {
                Some([Kind::Say, Kind::Rank, Kind::AskUser].map(|kind| Answers::new(kind, Modality::ALL)).to_vec())
            }
        }
    }

    /// Checks the rules that concern several keys.
    pub(super) fn check(&self, file: &str) -> Result<(), Vec<Problem>> {
        let mut reading = Reading::new(file);
        let start = super::Pos { line: 1, column: 1 };
        let who = [
            ("model", self.model.as_ref().map(|at| at.pos)),
            ("endpoint", self.endpoint.as_ref().map(|at| at.pos)),
            ("translate", self.translate.as_ref().map(|at| at.pos)),
            ("script", self.script.as_ref().map(|at| at.pos)),
            ("person", self.person.as_ref().map(|at| at.pos)),
        ];
        exactly_one(&who, "an agent file", start, &mut reading);
        if let Some(model) = &self.model {
            let place = |at: &Option<At<String>>| at.as_ref().map(|at| at.pos);
            // `gguf` beside `hub` is a file of the repository
            let gguf = place(&model.gguf).filter(|_| model.hub.is_none());
            let from = [("path", place(&model.path)), ("hub", place(&model.hub)), ("gguf", gguf)];
            exactly_one(&from, "`model`", model.pos, &mut reading);
            let dtypes = ["auto", "f32", "f16", "bf16", "int8"];
            if let Some(dtype) = model.dtype.as_ref().filter(|dtype| !dtypes.contains(&dtype.as_str())) {
                let message = format!("found dtype `{}`, expected one of {}", dtype.value, dtypes.join(", "));
                reading.problem("wrong-value", dtype.pos, message, None);
            }
            let formats = ["f32", "f16"];
            if let Some(format) = model.kv_cache.as_ref().filter(|format| !formats.contains(&format.as_str())) {
                let message = format!("found kv_cache `{}`, expected {}", format.value, formats.join(" or "));
                reading.problem("wrong-value", format.pos, message, None);
            }
            if let Some(device) = model.device.as_ref().filter(|device| !is_device(device)) {
                let message = format!("found device `{}`, expected auto, cpu, cuda:N or metal", device.value);
                reading.problem("wrong-value", device.pos, message, None);
            }
        }
        self.check_numbers(&mut reading);
        if let Some(hearing) = &self.hearing {
            hearing.check(hearing.pos, &mut reading);
            if self.model.is_none() {
                let message = "found `hearing`, which only an agent with a `model` has".to_owned();
                reading.problem("unknown-key", hearing.pos, message, None);
            }
        }
        let web = |url: &&At<String>| url.starts_with("http://") || url.starts_with("https://");
        if let Some(url) = self.endpoint.as_ref().map(|endpoint| &endpoint.url).filter(|url| !web(url)) {
            let message = format!("found `{}`, expected an address that starts with http:// or https://", url.value);
            reading.problem("wrong-value", url.pos, message, None);
        }
        for name in self.endpoint.iter().flat_map(|endpoint| endpoint.extensions.iter().flatten()) {
            let known: Vec<&str> = extensions().collect();
            if !known.contains(&name.as_str()) {
                let message = format!("found `{}` in `extensions`, expected {}", name.value, known.join(", "));
                reading.problem("wrong-value", name.pos, message, closest(name, known.iter().copied()));
            }
        }
        if reading.problems.is_empty() { Ok(()) } else { Err(super::in_order(reading.problems)) }
    }
}

impl AgentFile {
    fn check_numbers(&self, reading: &mut Reading) {
        let limits = self.limits.as_ref();
        let counts = [
            ("batch", limits.and_then(|l| l.batch.as_ref())),
            ("queue", limits.and_then(|l| l.queue.as_ref())),
            ("context_tokens", limits.and_then(|l| l.context_tokens.as_ref())),
            ("picture_pixels", limits.and_then(|l| l.picture_pixels.as_ref())),
            ("labels", self.translate.as_ref().and_then(|translate| translate.labels.as_ref())),
        ];
        for (key, at) in counts.into_iter().filter_map(|(key, at)| at.filter(|at| at.value == 0).map(|at| (key, at))) {
            reading.problem("wrong-value", at.pos, format!("found 0 for `{key}`, expected 1 or more"), None);
        }
    }
}

/// The names of all settings beyond OpenAI's protocol.
fn extensions() -> impl Iterator<Item = &'static str> {
    let names = |setting: &'static Setting| match setting.wire {
        WireName::Extension(names) => names,
        WireName::Standard(_) => &[],
    };
    SETTINGS.iter().flat_map(names).copied()
}

fn exactly_one(given: &[(&str, Option<super::Pos>)], what: &str, pos: super::Pos, reading: &mut Reading) {
    let names = given.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let mut there = given.iter().filter_map(|(name, pos)| pos.map(|pos| (name, pos)));
    if there.next().is_none() {
        reading.problem("missing-key", pos, format!("found none of {names} in {what}, expected exactly one"), None);
    }
    for (name, pos) in there {
        reading.problem(
            "too-many",
            pos,
            format!("found also `{name}` in {what}, expected exactly one of {names}"),
            None,
        );
    }
}

/// True for the name of a device: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`. Whether this machine has it is another question.
pub fn is_device(name: &str) -> bool {
    let is_number = |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(|n| n.parse::<usize>().is_ok());
    matches!(name, "auto" | "cpu" | "metal") || name.strip_prefix("cuda").is_some_and(is_number)
}
