//! Exchanges: one request to one agent, and its reply, the common vocabulary of the engine and the agents. Each kind of
//! request has one file, and one list names all kinds (`exchanges!` below). A file holds the request, its reply, and
//! everything that the engine must know about them.

mod answers;
mod ask_user;
mod card;
mod decoding;
mod detect;
mod embed;
mod frames;
mod hear;
mod item;
mod journal;
mod labels;
mod look;
mod rank;
mod say;
mod script;
mod search;

pub use answers::{Answers, Modalities, Modality, lacks};
pub use ask_user::{AskUserRequest, choice};
pub use card::Card;
pub use decoding::{Decoding, Range, SETTINGS, Setting, SettingForm, SettingValue, WireName};
pub use detect::{DetectRequest, Detection, MAX_OVERLAP, MIN_SCORE, suppressed};
pub use embed::{EmbedPurpose, EmbedRequest};
pub use frames::{FramesRequest, Sampling};
pub use hear::{HearRequest, HearingSettings, Speech, SpokenWord};
pub use item::{Item, MediaRef};
pub use journal::{JournalReply, JournalRequest, LineFilter, Revision, TimeSpan};
pub use labels::LabelList;
pub use look::LookRequest;
pub use rank::{FloorUse, RankRequest};
pub use say::{ChoiceScore, Finish, LeaveOut, Message, Overflow, SayReply, SayRequest, TokenLogprob};
pub use script::{NoReply, Script, ScriptReply, ScriptSegment};
pub use search::{GivenLine, HitReason, RoleVector, SearchHit, SearchRequest, Searched};

use crate::value::{Moment, Scored};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, mem};

/// The JSON of the lists of a [`RankRequest`] or a [`DetectRequest`] without labels.
const NO_LABELS: &[u8] = br#""among":[],"texts":[]"#;

/// One kind of request: the facts that the engine needs besides its fields.
///
/// Contract: a request contains everything that decides the reply, so that its canonical form can be part of the memo
/// key. It names media and never carries them.
pub trait Exchange: Clone + PartialEq + std::fmt::Debug + Serialize {
    /// The reply.
    type Reply;
    /// The usual content of such requests, for agent files that name none.
    const USUAL: Modalities;

    /// Every medium that the request names, by mutable reference. The memo key clears paths, and another process may
    /// have the same bytes under another path.
    fn media(&mut self) -> Vec<MediaRef<'_>>;

    /// The content that a model decodes before it answers, in the order of the request.
    fn items(&self) -> Vec<Item>;

    /// The kinds of content that an agent must accept to answer the request.
    fn takes(&self) -> Modalities {
        self.items().iter().fold(Modalities::default(), |all, item| all.and(item.takes()))
    }

    /// True if chance decides the reply, so that the seed counts.
    fn samples(&self) -> bool {
        false
    }

    /// True if an equal request always has an equal reply, so that the memo may keep the reply and equal requests may share it.
    fn repeats(&self) -> bool {
        true
    }

    /// True if the place in the dialogue is part of the seed, so that two steps with the same request draw differently.
    fn seed_by_place(&self) -> bool {
        true
    }

    /// Checks that `reply` can be the reply to this request. An error is a fault of the agent; it says what was found.
    fn fits(&self, _reply: &Self::Reply) -> Result<(), String> {
        Ok(())
    }

    /// The reply in terms of this request. The memo's reply may come from a request that named the same bytes by
    /// another path.
    fn in_own_terms(&self, reply: Self::Reply) -> Self::Reply {
        reply
    }

    /// The text in which a script searches for a piece: the words of the request, and the paths and times of its media.
    fn words(&self) -> String;

    /// True if requests of this kind accept a scripted reply of this shape.
    fn reads_script(written: &ScriptReply) -> bool;

    /// The scripted reply as the reply to this request. It satisfies [`fits`](Exchange::fits). An error says why it
    /// cannot.
    fn scripted(&self, written: &ScriptReply) -> Result<Self::Reply, String>;

    /// The reply's text, if it has one that can be displayed while it grows.
    fn text(_reply: &Self::Reply) -> Option<&str> {
        None
    }
}

/// Lists the kinds: doc comment, variant, word, request and reply. All differences between kinds are in the
/// [`Exchange`] of the request; the matches below only delegate.
macro_rules! exchanges {
    ($($(#[$about:meta])* $Kind:ident $word:literal $Request:ty => $Reply:ty;)*) => {
        /// The kinds of requests.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$about])* $Kind,)*
        }

        impl Kind {
            /// Every kind, in the order of the list.
            pub const ALL: &[Kind] = &[$(Kind::$Kind),*];

            /// The word for this kind in dialogues, agent files and messages.
            pub const fn word(self) -> &'static str {
                match self { $(Kind::$Kind => $word,)* }
            }

            /// [`Exchange::reads_script`]
            pub fn reads_script(self, written: &ScriptReply) -> bool {
                match self { $(Kind::$Kind => <$Request as Exchange>::reads_script(written),)* }
            }

            /// [`Exchange::USUAL`]
            pub const fn usual_content(self) -> Modalities {
                match self { $(Kind::$Kind => <$Request as Exchange>::USUAL,)* }
            }
        }

        /// A request. Serialised as `{"rank": {…}}`.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Request {
            $($(#[$about])* $Kind($Request),)*
        }

        /// A reply, of the same kind as its request.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reply {
            $($(#[$about])* $Kind($Reply),)*
        }

        impl Request {
            /// The kind of this request.
            pub fn kind(&self) -> Kind {
                match self { $(Request::$Kind(_) => Kind::$Kind,)* }
            }

            /// [`Exchange::media`]
            pub fn media(&mut self) -> Vec<MediaRef<'_>> {
                match self { $(Request::$Kind(request) => request.media(),)* }
            }

            /// [`Exchange::items`]
            pub fn items(&self) -> Vec<Item> {
                match self { $(Request::$Kind(request) => request.items(),)* }
            }

            /// [`Exchange::takes`]
            pub fn takes(&self) -> Modalities {
                match self { $(Request::$Kind(request) => request.takes(),)* }
            }

            /// [`Exchange::samples`]
            pub fn samples(&self) -> bool {
                match self { $(Request::$Kind(request) => request.samples(),)* }
            }

            /// [`Exchange::repeats`]
            pub fn repeats(&self) -> bool {
                match self { $(Request::$Kind(request) => request.repeats(),)* }
            }

            /// [`Exchange::seed_by_place`]
            pub fn seed_by_place(&self) -> bool {
                match self { $(Request::$Kind(request) => request.seed_by_place(),)* }
            }

            /// Checks that `reply` can be the reply to this request: the same kind, and [`Exchange::fits`].
            pub fn fits(&self, reply: &Reply) -> Result<(), String> {
                match (self, reply) {
                    $((Request::$Kind(request), Reply::$Kind(reply)) => request.fits(reply),)*
                    _ => Err(format!("found a `{}` reply to a `{}` request", reply.kind().word(), self.kind().word())),
                }
            }

            /// [`Exchange::words`]
            pub fn words(&self) -> String {
                match self { $(Request::$Kind(request) => request.words(),)* }
            }

            /// [`Exchange::scripted`]
            pub fn scripted(&self, written: &ScriptReply) -> Result<Reply, String> {
                Ok(match self { $(Request::$Kind(request) => Reply::$Kind(request.scripted(written)?),)* })
            }

            /// [`Exchange::in_own_terms`]. A reply of another kind stays unchanged.
            pub fn in_own_terms(&self, reply: Reply) -> Reply {
                match (self, reply) {
                    $((Request::$Kind(request), Reply::$Kind(reply)) => Reply::$Kind(request.in_own_terms(reply)),)*
                    (_, reply) => reply,
                }
            }
        }

        impl Reply {
            /// The kind of this reply.
            pub fn kind(&self) -> Kind {
                match self { $(Reply::$Kind(_) => Kind::$Kind,)* }
            }

            /// [`Exchange::text`]
            pub fn text(&self) -> Option<&str> {
                match self { $(Reply::$Kind(reply) => <$Request as Exchange>::text(reply),)* }
            }
        }
    };
}

exchanges! {
    /// Labels scored against an image, a sound or a text.
    Rank "rank" RankRequest => Vec<Scored>;
    /// A chat or prompt, completed by a language model.
    Say "say" SayRequest => SayReply;
    /// A prompt about pictures, answered with text.
    Look "look" LookRequest => SayReply;
    /// Boxes for words in a picture.
    Detect "detect" DetectRequest => Vec<Detection>;
    /// Speech to text with times, in presentation time of the medium.
    Hear "hear" HearRequest => Vec<Speech>;
    /// An item turned into a vector of unit length.
    Embed "embed" EmbedRequest => Vec<f32>;
    /// A video sampled into moments, in order of time.
    Frames "frames" FramesRequest => Vec<Moment>;
    /// Lines added to the journal, or read from it.
    Journal "journal" JournalRequest => JournalReply;
    /// The lines that fit words best.
    Search "search" SearchRequest => Vec<SearchHit>;
    /// A question to a person.
    AskUser "ask_user" AskUserRequest => SayReply;
}

impl Request {
    /// The request in its canonical form for a memo key. Media are their digests, without paths and without values that
    /// follow from the bytes.
    pub fn canonical(&self) -> Request {
        let mut request = self.clone();
        request.media().into_iter().for_each(MediaRef::forget_place);
        request
    }

    /// The JSON of the canonical form, in pieces. A list of labels contributes the JSON that it keeps, because a run asks
    /// thousands of times with the same 1,500 labels.
    pub fn canonical_json(&self, write: &mut dyn FnMut(&[u8])) {
        let mut request = self.canonical();
        let lists = match &mut request {
            Request::Rank(RankRequest { among, texts, .. }) | Request::Detect(DetectRequest { among, texts, .. }) => {
                Some((mem::take(among), mem::take(texts)))
            }
            _ => None,
        };
        let json = serde_json::to_vec(&request).expect("requests serialise: this is a bug");
        let Some((among, texts)) = lists else { return write(&json) };
        // no text contains these bytes, because JSON escapes quotes
        let place = json.windows(NO_LABELS.len()).position(|part| part == NO_LABELS);
        let place = place.expect("a request with labels has its lists: this is a bug");
        for part in [
            &json[..place],
            b"\"among\":",
            among.json(),
            b",\"texts\":",
            texts.json(),
            &json[place + NO_LABELS.len()..],
        ] {
            write(part);
        }
    }

    /// The digests of the media that the request names, sorted and without repetition.
    pub fn digests(&self) -> Vec<String> {
        let mut request = self.clone();
        let digests: BTreeSet<String> = request.media().iter().map(|media| media.digest().to_owned()).collect();
        digests.into_iter().collect()
    }

    /// The same request with new paths: `locate` maps a digest to the path of its bytes. A medium with an unknown
    /// digest keeps its path.
    pub fn relocated(&self, locate: &dyn Fn(&str) -> Option<String>) -> Request {
        let mut request = self.clone();
        for mut media in request.media() {
            if let Some(path) = locate(media.digest()) {
                media.set_path(path);
            }
        }
        request
    }
}

#[cfg(test)]
mod tests;
