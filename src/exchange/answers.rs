//! The requests that an agent answers: kinds of request, and for each the kinds of content.

use super::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// Text.
    Text,
    /// Pictures: image files and frames of videos.
    Image,
    /// Sound.
    Sound,
    /// Videos as files.
    Video,
}

impl Modality {
    /// Every kind of content.
    pub const ALL: &[Modality] = &[Modality::Text, Modality::Image, Modality::Sound, Modality::Video];

    /// The word for this kind in agent files and messages.
    pub fn word(self) -> &'static str {
        match self {
            Modality::Text => "text",
            Modality::Image => "image",
            Modality::Sound => "sound",
            Modality::Video => "video",
        }
    }
}

/// A set of kinds of content. Serialised as a list: `[text, image]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Modality>", into = "Vec<Modality>")]
pub struct Modalities(u8);

impl Modalities {
    /// The set of these kinds.
    pub const fn of(all: &[Modality]) -> Modalities {
        let (mut bits, mut n) = (0, 0);
        while n < all.len() {
            bits |= 1 << all[n] as u8;
            n += 1;
        }
        Modalities(bits)
    }

    /// True if this kind of content is in the set.
    pub fn has(self, modality: Modality) -> bool {
        self.0 & (1 << modality as u8) != 0
    }

    /// The union of both sets.
    pub fn and(self, other: Modalities) -> Modalities {
        Modalities(self.0 | other.0)
    }

    /// The members of this set that `other` lacks.
    pub fn without(self, other: Modalities) -> Modalities {
        Modalities(self.0 & !other.0)
    }

    /// True if the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of [`Modality::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Modality> {
        Modality::ALL.iter().copied().filter(move |modality| self.has(*modality))
    }
}

impl From<Vec<Modality>> for Modalities {
    fn from(all: Vec<Modality>) -> Modalities {
        Modalities::of(&all)
    }
}

impl From<Modalities> for Vec<Modality> {
    fn from(set: Modalities) -> Vec<Modality> {
        set.iter().collect()
    }
}

/// `text, image`
impl fmt::Display for Modalities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Modality::word).collect::<Vec<_>>().join(", "))
    }
}

/// One kind of request that an agent answers, and the content that it accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Answers {
    /// The kind of request.
    pub kind: Kind,
    /// The accepted content.
    pub takes: Modalities,
}

impl Answers {
    /// A kind of request with its accepted content.
    pub const fn new(kind: Kind, takes: &[Modality]) -> Answers {
        Answers { kind, takes: Modalities::of(takes) }
    }
}

/// `rank (text, image)`
impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.kind.word(), self.takes)
    }
}

impl Answers {
    /// A kind of request with its usual content ([`Kind::usual_content`]).
    pub const fn usual(kind: Kind) -> Answers {
        Answers { kind, takes: kind.usual_content() }
    }
}

/// The part of a request that an agent cannot answer, if any: its kind, or some of its content.
pub fn lacks(answers: &[Answers], kind: Kind, content: Modalities) -> Option<String> {
    let able = || match answers {
        [] => "nothing".to_owned(),
        _ => answers.iter().map(Answers::to_string).collect::<Vec<_>>().join(", "),
    };
    let found: Vec<&Answers> = answers.iter().filter(|answer| answer.kind == kind).collect();
    if found.is_empty() {
        return Some(format!("it cannot answer `{}`; it answers only {}", kind.word(), able()));
    }
    let takes = found.iter().fold(Modalities::default(), |all, answer| all.and(answer.takes));
    let lacking = content.without(takes);
    (!lacking.is_empty())
        .then(|| format!("it cannot answer `{}` with {lacking}; it answers only {}", kind.word(), able()))
}
