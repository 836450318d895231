//! The content of requests: text, pictures, frames and stretches of sound, named by digest and time.

use super::{Modalities, Modality};
use crate::value::{ImageFile, Media, Moment, Time, TimeBase};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Content of a request. It names media and does not carry them: the agent fetches pixels and samples, so that a memo
/// hit decodes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A text.
    Text(String),
    /// An image file.
    Image(ImageFile),
    /// The video frame shown at `moment.start`.
    Frame(Moment),
    /// The sound of `moment.start..moment.end`.
    Sound(Moment),
}

impl Item {
    /// The kind of content that an agent must accept to answer for this item.
    pub fn takes(&self) -> Modalities {
        Modalities::of(&[match self {
            Item::Text(_) => Modality::Text,
            Item::Image(_) | Item::Frame(_) => Modality::Image,
            Item::Sound(_) => Modality::Sound,
        }])
    }

    /// The medium that the item names, if any.
    pub fn media(&mut self) -> Option<MediaRef<'_>> {
        match self {
            Item::Text(_) => None,
            Item::Image(image) => Some(MediaRef::Image(image)),
            Item::Frame(moment) => Some(MediaRef::Frame(moment)),
            Item::Sound(moment) => Some(MediaRef::Sound(moment)),
        }
    }

    /// The text in which a script searches for a piece: the text itself, or the medium's path and the time.
    pub fn words(&self) -> String {
        match self {
            Item::Text(text) => text.clone(),
            Item::Image(image) => image.path.clone(),
            Item::Frame(moment) | Item::Sound(moment) => format!("{} {}", moment.media.path, moment.start),
        }
    }
}

/// A medium that a request names, by mutable reference so that its path can change.
#[derive(Debug)]
pub enum MediaRef<'a> {
    /// A whole medium.
    Whole(&'a mut Arc<Media>),
    /// An image file.
    Image(&'a mut ImageFile),
    /// The frame at the moment's start.
    Frame(&'a mut Moment),
    /// The sound from the moment's start to its end.
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

    /// The path of the bytes.
    pub fn path(&self) -> &str {
        match self {
            MediaRef::Whole(media) => &media.path,
            MediaRef::Image(image) => &image.path,
            MediaRef::Frame(moment) | MediaRef::Sound(moment) => &moment.media.path,
        }
    }

    /// Sets the path of the bytes.
    pub fn set_path(&mut self, path: String) {
        match self {
            MediaRef::Whole(media) => Arc::make_mut(media).path = path,
            MediaRef::Image(image) => image.path = path,
            MediaRef::Frame(moment) | MediaRef::Sound(moment) => Arc::make_mut(&mut moment.media).path = path,
        }
    }

    /// Keeps only the parts that decide the reply, the digest and the times. Clears the path and everything that
    /// follows from the bytes.
    pub(super) fn forget_place(self) {
        let bare = |media: &Media, withheld: Vec<(Time, Time)>| {
            let zero = Time { ticks: 0, base: TimeBase { num: 1, den: 1 } };
            let (has_video, has_audio) = (false, false);
            Arc::new(Media { has_video, has_audio, withheld, ..Media::new("", &media.digest, zero, zero) })
        };
        match self {
            MediaRef::Whole(media) => *media = bare(media, media.withheld.clone()),
            MediaRef::Image(image) => image.path = String::new(),
            // a frame is the picture at the moment's start, so neither the end nor what is withheld elsewhere counts
            MediaRef::Frame(moment) => {
                *moment = Moment {
                    media: bare(&moment.media, Vec::new()),
                    start: moment.start,
                    end: moment.start,
                    text: None,
                };
            }
            MediaRef::Sound(moment) => {
                let touches = |(from, to): &&(Time, Time)| *from < moment.end && *to > moment.start;
                let withheld = moment.media.withheld.iter().filter(touches).copied().collect();
                *moment =
                    Moment { media: bare(&moment.media, withheld), start: moment.start, end: moment.end, text: None };
            }
        }
    }
}
