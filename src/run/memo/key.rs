//! The key of an exchange: all that decides its reply, and nothing else.

use crate::{
    agent::Card,
    exchange::{Decoding, Item, Message, Request, Sampling},
    value::{Moment, Time},
};
use serde::Serialize;

/// Part of every key, so that a new version of the program asks again.
pub const ENGINE: &str = env!("CARGO_PKG_VERSION");

/// blake3 of an exchange's canonical JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// The key of asking this agent this. The seed counts only if the request samples: a temperature that the request
    /// leaves to the agent's own default may be anything, so it counts as sampling.
    pub fn of(card: &Card, request: &Request, seed: u64) -> Key {
        let seed = samples(request).then_some(seed);
        let asked = Keyed { engine: ENGINE, agent: &card.identity, request: asked(request), seed };
        Key(hash(&asked))
    }
    /// Lowercase hex.
    pub fn hex(&self) -> String {
        blake3::Hash::from(self.0).to_hex().to_string()
    }
    /// From lowercase hex.
    pub fn from_hex(hex: &str) -> Option<Key> {
        blake3::Hash::from_hex(hex).ok().map(|hash| Key(*hash.as_bytes()))
    }
}

/// The digest of the request alone, as it stands in the key; tells whether a request changed.
pub fn request_digest(request: &Request) -> [u8; 32] {
    hash(&asked(request))
}

/// True if chance decides the reply, so that the seed is part of the key.
pub fn samples(request: &Request) -> bool {
    match request {
        Request::Say { decoding, choices, .. } => choices.is_empty() && decoding.temperature != Some(0.0),
        Request::Hear { decoding, .. } => decoding.temperature != Some(0.0),
        Request::Rank { .. } | Request::Embed { .. } | Request::Frames { .. } => false,
    }
}

/// The digests of the media that a request names.
pub fn media(request: &Request) -> Vec<String> {
    let of = |item: &Item| match item {
        Item::Text(_) => None,
        Item::Image(image) => Some(image.digest.clone()),
        Item::Frame(moment) | Item::Sound(moment) => Some(moment.media.digest.clone()),
    };
    let mut digests: Vec<String> = match request {
        Request::Rank { what, .. } | Request::Embed { what } => of(what).into_iter().collect(),
        Request::Say { messages, .. } => messages.iter().flat_map(|message| &message.images).filter_map(of).collect(),
        Request::Hear { audio, .. } => vec![audio.digest.clone()],
        Request::Frames { video, .. } => vec![video.digest.clone()],
    };
    digests.sort();
    digests.dedup();
    digests
}

fn hash(value: &impl Serialize) -> [u8; 32] {
    let json = serde_json::to_vec(value).expect("requests serialise: this is a bug");
    *blake3::hash(&json).as_bytes()
}

/// Canonical: fields in this order, media as digest and ticks.
#[derive(Serialize)]
struct Keyed<'a> {
    engine: &'a str,
    agent: &'a str,
    request: Asked<'a>,
    seed: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Asked<'a> {
    Rank {
        what: Seen<'a>,
        among: &'a [String],
        texts: &'a [String],
    },
    Say {
        messages: Vec<Told<'a>>,
        raw: bool,
        decoding: &'a Decoding,
        choices: &'a [String],
    },
    Hear {
        audio: &'a str,
        span: (Option<Time>, Option<Time>),
        language: Option<&'a str>,
        timestamps: bool,
        decoding: &'a Decoding,
    },
    Embed {
        what: Seen<'a>,
    },
    Frames {
        video: &'a str,
        sampling: &'a Sampling,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Seen<'a> {
    Text(&'a str),
    Image(&'a str),
    /// A frame is the picture at its start; its end does not matter.
    Frame(&'a str, Time),
    Sound(&'a str, Time, Time),
}

#[derive(Serialize)]
struct Told<'a> {
    role: &'a str,
    content: &'a str,
    images: Vec<Seen<'a>>,
}

fn asked(request: &Request) -> Asked<'_> {
    match request {
        Request::Rank { what, among, texts } => Asked::Rank { what: seen(what), among, texts },
        Request::Say { messages, raw, decoding, choices } => {
            Asked::Say { messages: messages.iter().map(told).collect(), raw: *raw, decoding, choices }
        }
        Request::Hear { audio, start, end, language, timestamps, decoding } => Asked::Hear {
            audio: &audio.digest,
            span: (*start, *end),
            language: language.as_deref(),
            timestamps: *timestamps,
            decoding,
        },
        Request::Embed { what } => Asked::Embed { what: seen(what) },
        Request::Frames { video, sampling } => Asked::Frames { video: &video.digest, sampling },
    }
}

fn told(message: &Message) -> Told<'_> {
    Told { role: &message.role, content: &message.content, images: message.images.iter().map(seen).collect() }
}

fn seen(item: &Item) -> Seen<'_> {
    match item {
        Item::Text(text) => Seen::Text(text),
        Item::Image(image) => Seen::Image(&image.digest),
        Item::Frame(Moment { media, start, .. }) => Seen::Frame(&media.digest, *start),
        Item::Sound(Moment { media, start, end, .. }) => Seen::Sound(&media.digest, *start, *end),
    }
}
