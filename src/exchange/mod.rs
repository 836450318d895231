//! The vocabulary that the engine and the agents both speak: one request to one agent, and its reply. One file for each
//! kind of request, and one list (`exchanges!` below); a file holds the request, its reply, and all that the engine
//! must know of them.

mod answers;
mod card;
mod embed;
mod frames;
mod hear;
mod item;
mod look;
mod rank;
mod say;
mod script;

pub use answers::{Answers, Modalities, Modality, lacks};
pub use card::Card;
pub use embed::EmbedRequest;
pub use frames::{FramesRequest, Sampling};
pub use hear::{HearRequest, Speech};
pub use item::{Item, MediaRef};
pub use look::LookRequest;
pub use rank::RankRequest;
pub use say::{Decoding, Finish, Message, SayReply, SayRequest};
pub use script::{NoReply, Script, ScriptReply, ScriptSegment};

use crate::value::{Moment, Scored};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One kind of request: the facts that the engine needs besides its fields.
///
/// Contract: a request contains everything that decides the reply, so that its canonical form can be part of the memo key. It names
/// media and never carries them.
pub trait Exchange: Clone + PartialEq + std::fmt::Debug + Serialize {
    /// The reply.
    type Reply;
    /// The content that comes with such requests unless an agent's file says otherwise.
    const USUAL: Modalities;

    /// Every medium that the request names, open to be renamed: the memo key leaves paths out, and another process may have
    /// the same bytes under another path.
    fn media(&mut self) -> Vec<MediaRef<'_>>;

    /// The content that a model decodes before it answers, in the order in which it comes.
    fn items(&self) -> Vec<Item>;

    /// The kinds of content that an agent must take to answer.
    fn takes(&self) -> Modalities {
        self.items().iter().fold(Modalities::default(), |all, item| all.and(item.takes()))
    }

    /// True if chance decides the reply, so that the seed counts.
    fn samples(&self) -> bool {
        false
    }

    /// True if the place in the dialogue seeds the sampling too, so that two steps that ask the same draw differently.
    fn seed_by_place(&self) -> bool {
        true
    }

    /// Why `reply` cannot be the reply to this request; an agent that sends it is at fault.
    fn fits(&self, _reply: &Self::Reply) -> Result<(), String> {
        Ok(())
    }

    /// The reply in terms of this request: the same bytes may have been asked about under another path.
    fn in_own_terms(&self, reply: Self::Reply) -> Self::Reply {
        reply
    }

    /// What the pieces of a script are looked for in: the words of the request, and where and when the media are.
    fn words(&self) -> String;

    /// True if such requests take a scripted reply of this shape.
    fn reads_script(written: &ScriptReply) -> bool;

    /// The scripted reply as the reply to this request, or why it cannot be one. What it returns [`fits`](Exchange::fits).
    fn scripted(&self, written: &ScriptReply) -> Result<Self::Reply, String>;

    /// The reply as text that can be shown while it grows, if it is text.
    fn text(_reply: &Self::Reply) -> Option<&str> {
        None
    }
}

/// Lists the kinds: what each is, variant, word, request and reply. Everything that differs between kinds is in the
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

            /// The word for it, in dialogues, agent files and messages.
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
            /// Which kind of request this is.
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

            /// [`Exchange::seed_by_place`]
            pub fn seed_by_place(&self) -> bool {
                match self { $(Request::$Kind(request) => request.seed_by_place(),)* }
            }

            /// Why `reply` cannot be the reply to this request: another kind, or [`Exchange::fits`].
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

            /// [`Exchange::in_own_terms`]; a reply of another kind stays as it is.
            pub fn in_own_terms(&self, reply: Reply) -> Reply {
                match (self, reply) {
                    $((Request::$Kind(request), Reply::$Kind(reply)) => Reply::$Kind(request.in_own_terms(reply)),)*
                    (_, reply) => reply,
                }
            }
        }

        impl Reply {
            /// Which kind of reply this is.
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
    /// Candidate words scored against an image, sound or text.
    Rank "rank" RankRequest => Vec<Scored>;
    /// A prompt completed.
    Say "say" SayRequest => SayReply;
    /// A prompt about pictures, answered in words.
    Look "look" LookRequest => SayReply;
    /// Speech to timed text, in the medium's own presentation time.
    Hear "hear" HearRequest => Vec<Speech>;
    /// Something turned into a vector of unit length.
    Embed "embed" EmbedRequest => Vec<f32>;
    /// A video sampled into moments, in order of time.
    Frames "frames" FramesRequest => Vec<Moment>;
}

impl Request {
    /// The request as it counts in a memo key: media as their digests, without paths and what follows from the bytes.
    pub fn canonical(&self) -> Request {
        let mut request = self.clone();
        request.media().into_iter().for_each(MediaRef::forget_place);
        request
    }

    /// The digests of the media that it names, sorted, each once.
    pub fn digests(&self) -> Vec<String> {
        let mut request = self.clone();
        let digests: BTreeSet<String> = request.media().iter().map(|media| media.digest().to_owned()).collect();
        digests.into_iter().collect()
    }

    /// The same request with its media where `locate` finds their bytes: digest to path. A digest that is not found keeps
    /// its path.
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
