//! A decoder that sees: its pictures become vectors at the places of their marks in a prompt.

use super::{KvCache, Llama, PictureStates};
use crate::{
    error::Fault,
    infer::{
        decode::{CacheRow, Decoder},
        image::fingerprint,
        meter::Meter,
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

    fn rest(&mut self) {
        self.text.sight.rest();
    }
}
