//! A decoder that sees: its pictures become vectors at the places of their marks in a prompt.

use super::{KvCache, Llama, PictureStates};
use crate::{
    error::Fault,
    infer::{
        decode::{CacheRow, Decoder},
        image::fingerprint,
        meter::Meter,
        prefix::PromptPosition,
        seen::SeenPicture,
    },
};
use candle_core::{Result, Tensor};
use image::RgbImage;

/// Turns pictures into the vectors that a decoder reads.
pub trait PictureEye {
    /// The mark of a picture in a prompt, and of each of its vectors.
    const MARK: &'static str;

    /// The vectors of a picture. `meter` measures the work of the network. Fails if the picture cannot be prepared.
    fn look(&self, picture: &RgbImage, meter: &Meter) -> std::result::Result<PictureStates, Fault>;

    /// The eye for videos, if there is one.
    fn video(&self) -> Option<&dyn VideoEye> {
        None
    }
}

/// Turns pieces of a video into the vectors that a decoder reads.
pub trait VideoEye {
    /// The token that stands for a vector of a video, and the mark of a video in a prompt.
    fn mark(&self) -> (u32, &str);

    /// The number of frames in a piece.
    fn frames(&self) -> usize;

    /// The vectors of one piece of a video that has `all` frames; its text is that at `seconds`. Fails if a frame cannot be prepared.
    fn watch(&self, piece: &[&RgbImage], all: usize, meter: &Meter) -> std::result::Result<PictureStates, Fault>;

    /// The text that takes the place of a piece in a prompt.
    fn text(&self, vectors: u32, seconds: f64) -> String;
}

/// A decoder with an eye.
pub struct SeeingDecoder<E> {
    /// The decoder.
    pub text: Llama,
    /// The eye.
    pub eye: E,
    /// The token that stands for a vector of a picture.
    pub token: u32,
    /// Measures the speed.
    pub meter: Meter,
}

impl<E: PictureEye> Decoder for SeeingDecoder<E> {
    type Cache = KvCache;

    fn cache(&self) -> KvCache {
        self.text.cache()
    }

    fn forward(&self, rows: &mut [CacheRow<'_, KvCache>], all: bool) -> Result<Tensor> {
        self.text.forward(rows, all)
    }

    fn picture_mark(&self) -> Option<(u32, &str)> {
        Some((self.token, E::MARK))
    }

    fn see(&mut self, pictures: &[&RgbImage]) -> std::result::Result<Vec<SeenPicture>, Fault> {
        let mut seen = Vec::with_capacity(pictures.len());
        for picture in pictures {
            let print = fingerprint(picture);
            let states = match self.text.sight.get(&print) {
                Some(known) => known,
                None => {
                    let states = self.eye.look(picture, &self.meter)?;
                    self.text.sight.keep(print, states)
                }
            };
            let (rows, columns) = states.grid;
            seen.push(SeenPicture { print, vectors: rows * columns, text: states.text.clone() });
        }
        Ok(seen)
    }

    fn video_mark(&self) -> Option<(u32, &str)> {
        self.eye.video().map(VideoEye::mark)
    }

    fn watch(&mut self, frames: &[(f64, &RgbImage)]) -> std::result::Result<Vec<SeenPicture>, Fault> {
        let Some(eye) = self.eye.video() else {
            return Err(Fault::failed("this model does not see videos".to_owned()));
        };
        let (each, mut seen) = (eye.frames().max(1), Vec::new());
        for piece in frames.chunks(each) {
            // the last frame fills the last piece
            let last = piece[piece.len() - 1];
            let full: Vec<_> = piece.iter().copied().chain(std::iter::repeat(last)).take(each).collect();
            let mut hasher = blake3::Hasher::new();
            hasher.update(&frames.len().to_le_bytes());
            for (_, frame) in &full {
                hasher.update(&fingerprint(frame));
            }
            let print = *hasher.finalize().as_bytes();
            let states = match self.text.sight.get(&print) {
                Some(known) => known,
                None => {
                    let pictures: Vec<&RgbImage> = full.iter().map(|(_, frame)| *frame).collect();
                    let states = eye.watch(&pictures, frames.len(), &self.meter)?;
                    self.text.sight.keep(print, states)
                }
            };
            let vectors = states.grid.0 * states.grid.1;
            let seconds = (full[0].0 + full[each - 1].0) / 2.0;
            seen.push(SeenPicture { print, vectors, text: eye.text(vectors, seconds) });
        }
        Ok(seen)
    }

    fn rest(&mut self, prompts: &[&[PromptPosition]]) {
        self.text.sight.rest(prompts);
    }
}
