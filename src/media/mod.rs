//! Video and sound in: what is in a file, which frames become moments, their pixels and samples, with exact times.
//!
//! [`open()`] turns a path into a checked [`Media`]; [`sample()`] picks moments; a [`MediaStore`] hands out the pixels and
//! samples of moments. ffprobe and ffmpeg do the reading, as child processes: a crash in a codec is an error here, and
//! every codec they know works. Nothing here holds a whole video: packets are streamed, frames decoded as they are asked.

mod cache;
mod error;
mod ffmpeg;
mod frames;
mod jpeg;
mod medium;
mod open;
mod packets;
mod pipes;
mod positions;
mod probe;
mod remote;
mod sample;
mod sniff;
mod sound;
mod still;
mod store;
#[cfg(test)]
mod tests;

pub use error::{MediaError, MediaFault};
pub use ffmpeg::{Tools, tools};
pub use open::{Access, digest_of, open};
pub use remote::{forget, forget_all};
pub use sample::sample;
pub use still::image_file;
pub use store::{MediaLimits, MediaStore};

#[allow(unused_imports, reason = "the docs above link to it")]
use crate::value::Media;
