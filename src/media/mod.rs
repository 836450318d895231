//! Reads video and sound: the streams of a file, the frames that become moments, pixels and samples, all with exact
//! times.
//!
//! [`open()`] turns a path into a checked [`Media`], [`sample()`] selects moments, and a [`MediaStore`] returns the
//! pixels and samples of moments. ffprobe and ffmpeg read the files as child processes: a crash in a codec becomes an
//! error, and every codec that they support works. No whole video is held in memory: packets are streamed, and frames
//! are decoded on request.

mod cache;
mod clip;
mod distinct;
mod error;
mod facts;
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
mod spool;
mod still;
mod store;
#[cfg(test)]
mod tests;

pub use clip::{clip, thumbnail};
pub use error::{MediaError, MediaFault};
pub use ffmpeg::{Tools, tools};
pub use open::{Access, digest_of, is_truncated, open};
pub use remote::{forget, forget_all};
pub use sample::sample;
pub use still::image_file;
pub use store::{MediaLimits, MediaStore};

#[allow(unused_imports, reason = "the docs above link to it")]
use crate::value::Media;
