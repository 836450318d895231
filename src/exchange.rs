//! The vocabulary that the engine and the agents both speak: one request to one agent, and its reply.

use crate::value::{ImageFile, Media, Moment, Scored, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What an agent can be asked. A family or endpoint states which kinds it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Candidate words scored against an image, sound or text.
    Rank,
    /// A prompt completed.
    Say,
    /// Speech to timed text.
    Hear,
    /// Something turned into a vector.
    Embed,
    /// A video sampled into moments (answered by the media agent, which every run has).
    Frames,
}

impl Kind {
    /// The word for it, in dialogues, agent files and messages.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Rank => "rank",
            Kind::Say => "say",
            Kind::Hear => "hear",
            Kind::Embed => "embed",
            Kind::Frames => "frames",
        }
    }
}

/// Something to look at, listen to or read. Media are named, not carried: pixels and samples are fetched
/// by whoever answers, so that an exchange found in the memo decodes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// Text as it is.
    Text(String),
    /// An image file.
    Image(ImageFile),
    /// The video frame shown at `moment.start`.
    Frame(Moment),
    /// The sound of `moment.start..moment.end`.
    Sound(Moment),
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
    /// Pictures that come before the text ([`Item::Image`] or [`Item::Frame`]). An agent that cannot see refuses them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Item>,
}

impl Message {
    /// A message of text alone.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Message {
        Message { role: role.into(), content: content.into(), images: Vec::new() }
    }
}

/// How a language model decodes. `None` means the agent's own default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Decoding {
    /// 0 is greedy.
    pub temperature: Option<f32>,
    /// Nucleus mass, 0..=1.
    pub top_p: Option<f32>,
    /// Keep the k likeliest.
    pub top_k: Option<usize>,
    /// Most tokens generated.
    pub max_tokens: Option<usize>,
    /// Generation stops before any of these strings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

/// A request. Serialised as it stands it is part of the memo key, so it holds all that decides the reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Score each of `texts` against `what`.
    Rank {
        /// What is looked at.
        what: Item,
        /// The labels as the author wrote them; replies carry these.
        among: Vec<String>,
        /// The labels put into the template, same length and order; what the model reads.
        texts: Vec<String>,
    },
    /// Complete a chat (or, `raw`, a bare prompt: one message, no chat template).
    Say {
        /// The chat so far.
        messages: Vec<Message>,
        /// No chat template; the tokenizer's own special tokens only.
        raw: bool,
        /// How to decode.
        decoding: Decoding,
        /// The only replies allowed, if not empty: the likeliest is chosen.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        choices: Vec<String>,
    },
    /// Transcribe `audio` from `start` to `end` (all of it by default).
    Hear {
        /// The medium whose sound is heard.
        #[serde(with = "crate::value::shared")]
        audio: Arc<Media>,
        /// From here.
        start: Option<Time>,
        /// To here.
        end: Option<Time>,
        /// ISO 639-1 code; detected when absent.
        language: Option<String>,
        /// False: one segment for each window, as Whisper's `<|notimestamps|>`.
        timestamps: bool,
        /// How to decode.
        decoding: Decoding,
    },
    /// Turn `what` into a vector of unit length.
    Embed {
        /// What to embed.
        what: Item,
    },
    /// Sample a video into moments.
    Frames {
        /// The video.
        #[serde(with = "crate::value::shared")]
        video: Arc<Media>,
        /// Which frames.
        sampling: Sampling,
    },
}

/// Which frames of a video become moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// The first frame at or after each multiple of this many seconds from the first frame.
    Every(f64),
    /// Every keyframe.
    Keyframes,
    /// The first frame of each scene (ffmpeg's scene score above the threshold, 0..1).
    Scenes(f64),
    /// The frame shown at each of these times, in seconds of presentation time.
    Times(Vec<f64>),
}

/// A piece of speech.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// When it starts.
    pub start: Time,
    /// When it ends.
    pub end: Time,
    /// What was said, trimmed.
    pub text: String,
}

/// Why a language model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// End token, or a stop string.
    Stop,
    /// `max_tokens` or the context length was reached.
    Length,
}

/// A reply, of the same kind as its request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// One for each candidate, in the order of `among`.
    Rank(Vec<Scored>),
    /// Text, generated token ids (without the end token; empty for remote agents), and why it stopped.
    Say {
        /// The text.
        text: String,
        /// Token ids.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tokens: Vec<u32>,
        /// Why it stopped.
        finish: Finish,
    },
    /// Segments in order of time, in the medium's own presentation time.
    Hear(Vec<Heard>),
    /// Unit length.
    Embed(Vec<f32>),
    /// Moments in order of time.
    Frames(Vec<Moment>),
}

impl Reply {
    /// The reply as `request` puts it: the same bytes may have been asked about under another path (a file that was moved, a copy),
    /// and what comes back names the file of this request.
    pub fn in_terms_of(self, request: &Request) -> Reply {
        match (self, request) {
            (Reply::Frames(moments), Request::Frames { video, .. }) => {
                Reply::Frames(moments.into_iter().map(|moment| Moment { media: video.clone(), ..moment }).collect())
            }
            (reply, _) => reply,
        }
    }
}

impl Request {
    /// Which kind of request this is.
    pub fn kind(&self) -> Kind {
        match self {
            Request::Rank { .. } => Kind::Rank,
            Request::Say { .. } => Kind::Say,
            Request::Hear { .. } => Kind::Hear,
            Request::Embed { .. } => Kind::Embed,
            Request::Frames { .. } => Kind::Frames,
        }
    }
}
