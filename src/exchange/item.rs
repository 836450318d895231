//! The content of requests: text, pictures, frames and stretches of sound, named by digest and time.

use super::{Modalities, Modality};
use crate::value::{ImageFile, Media, Moment, Time, TimeBase};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Content to look at, listen to or read. Media are named, not carried: the agent fetches pixels and samples, so an
/// exchange found in the memo decodes nothing.
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

impl Item {
    /// The kind of content that an agent must take to answer for it.
    pub fn takes(&self) -> Modalities {
        Modalities::of(&[match self {
            Item::Text(_) => Modality::Text,
            Item::Image(_) | Item::Frame(_) => Modality::Image,
            Item::Sound(_) => Modality::Sound,
        }])
    }

    /// The medium that it names, if it names one.
    pub fn media(&mut self) -> Option<MediaRef<'_>> {
        match self {
            Item::Text(_) => None,
            Item::Image(image) => Some(MediaRef::Image(image)),
            Item::Frame(moment) => Some(MediaRef::Frame(moment)),
            Item::Sound(moment) => Some(MediaRef::Sound(moment)),
        }
    }

    /// The text that a script may look for: the text itself, or the medium's path and the time.
    pub fn words(&self) -> String {
        match self {
            Item::Text(text) => text.clone(),
            Item::Image(image) => image.path.clone(),
            Item::Frame(moment) | Item::Sound(moment) => format!("{} {}", moment.media.path, moment.start),
        }
    }
}

/// A medium named by a request, open to be renamed.
#[derive(Debug)]
pub enum MediaRef<'a> {
    /// A whole medium.
    Whole(&'a mut Arc<Media>),
    /// An image file.
    Image(&'a mut ImageFile),
    /// The frame at the moment's start.
    Frame(&'a mut Moment),
    /// The moment's stretch of sound.
    Sound(&'a mut Moment),
}

impl MediaRef<'_> {
    /// blake3 of the medium's bytes, hex.
    pub fn digest(&self) -> &str {
        match self {
            MediaRef::Whole(media) => &media.digest,
            MediaRef::Image(image) => &image.digest,
            MediaRef::Frame(moment) | MediaRef::Sound(moment) => &moment.media.digest,
        }
    }

    /// The place of the bytes.
    pub fn path(&self) -> &str {
        match self {
            MediaRef::Whole(media) => &media.path,
            MediaRef::Image(image) => &image.path,
            MediaRef::Frame(moment) | MediaRef::Sound(moment) => &moment.media.path,
        }
    }

    /// Says where the bytes are.
    pub fn set_path(&mut self, path: String) {
        match self {
            MediaRef::Whole(media) => Arc::make_mut(media).path = path,
            MediaRef::Image(image) => image.path = path,
            MediaRef::Frame(moment) | MediaRef::Sound(moment) => Arc::make_mut(&mut moment.media).path = path,
        }
    }

    /// Leaves the digest and the times that decide the reply: no path, and nothing that follows from the bytes.
    pub(super) fn forget_place(self) {
        let bare = |media: &Media| {
            let zero = Time { ticks: 0, base: TimeBase { num: 1, den: 1 } };
            let digest = media.digest.clone();
            let (path, start, end) = (String::new(), zero, zero);
            Arc::new(Media { path, digest, start, end, has_video: false, has_audio: false, clock: None })
        };
        match self {
            MediaRef::Whole(media) => *media = bare(media),
            MediaRef::Image(image) => image.path = String::new(),
            // a frame is the picture at its start; its end does not matter
            MediaRef::Frame(moment) => {
                *moment = Moment { media: bare(&moment.media), start: moment.start, end: moment.start, text: None };
            }
            MediaRef::Sound(moment) => {
                *moment = Moment { media: bare(&moment.media), start: moment.start, end: moment.end, text: None };
            }
        }
    }
}
