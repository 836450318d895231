//! The key of an exchange: everything that decides its reply, and nothing else.

use crate::{exchange::Card, exchange::Request};

/// Part of every key, so that a new version of the program asks again. The number after `+` counts corrections within a
/// version that change replies. 2: sound whose time stamps do not start at 0.
pub const ENGINE: &str = concat!(env!("CARGO_PKG_VERSION"), "+2");

/// blake3 of an exchange's canonical JSON: `{"engine": …, "agent": …, "request": …, "seed": …}`. The order of the fields
/// is part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemoKey(pub [u8; 32]);

impl MemoKey {
    /// The key of a request to an agent. The seed counts only if the request samples.
    pub fn of(card: &Card, request: &Request, seed: u64) -> MemoKey {
        let seed = request.samples().then_some(seed);
        let text = |text: &str| serde_json::to_string(text).expect("texts serialise: this is a bug");
        let seed = seed.map_or_else(|| "null".to_owned(), |seed| seed.to_string());
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!(r#"{{"engine":{},"agent":{},"request":"#, text(ENGINE), text(&card.identity)).as_bytes());
        request.canonical_json(&mut |part| {
            hasher.update(part);
        });
        hasher.update(format!(r#","seed":{seed}}}"#).as_bytes());
        MemoKey(*hasher.finalize().as_bytes())
    }
    /// The key as lowercase hex.
    pub fn hex(&self) -> String {
        blake3::Hash::from(self.0).to_hex().to_string()
    }
    /// Parses lowercase hex.
    pub fn from_hex(hex: &str) -> Option<MemoKey> {
        blake3::Hash::from_hex(hex).ok().map(|hash| MemoKey(*hash.as_bytes()))
    }
}

/// The digest of the canonical request without agent and seed. It shows whether a request changed.
pub fn request_digest(request: &Request) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    request.canonical_json(&mut |part| {
        hasher.update(part);
    });
    *hasher.finalize().as_bytes()
}

/// A medium that exchanges used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Medium {
    /// The digest of its bytes.
    pub digest: String,
    /// Its path.
    pub path: String,
}

impl Medium {
    /// The medium with this digest, at this path.
    pub fn new(digest: &str, path: &str) -> Medium {
        Medium { digest: digest.to_owned(), path: path.to_owned() }
    }
}

/// The media that a request names, sorted, each once.
pub fn media(request: &Request) -> Vec<Medium> {
    let mut request = request.clone();
    let mut media: Vec<Medium> =
        request.media().iter().map(|medium| Medium::new(medium.digest(), medium.path())).collect();
    media.sort();
    media.dedup();
    media
}
