//! Vectors of pictures, and pictures resized and normalised for a model.
//!
//! Both sides start from decoded RGB pixels. A picture is `x ^ a, y ^ b, c` with the bytes of its number.

use crate::work::{Loaded, Outcome, Work, count, said, vectors, word};
use elenchus::{
    exchange::{EmbedRequest, Item, Request},
    infer::{checkpoint::Checkpoint, image::Preparation, job::Input},
    value::ImageFile,
};
use image::RgbImage;
use serde_json::{Value as Json, json};
use std::{path::Path, sync::Arc};

/// Picture `number` of this size.
pub(crate) fn picture((width, height): (u32, u32), number: u32) -> RgbImage {
    let [a, b, c, _] = number.to_le_bytes();
    RgbImage::from_fn(width, height, |x, y| image::Rgb([(x as u8) ^ a, (y as u8) ^ b, c]))
}

/// A request for the vector of a picture.
fn request() -> Request {
    let file = ImageFile { path: String::new(), digest: String::new() };
    Request::Embed(EmbedRequest::new(Item::Image(file)))
}

/// Vectors of `batch` pictures in one call.
pub(crate) struct Pictures {
    model: Loaded,
    side: u32,
    /// Copies of them are shown; the first pixels of each copy hold its number, because a model remembers what it saw.
    pool: Vec<RgbImage>,
    shown: u32,
}

impl Pictures {
    pub(crate) fn load(asked: &Json) -> Outcome<Pictures> {
        let side = count(asked, "side")? as u32;
        let pool = (0..32).map(|n| picture((side, side), 7 * n)).collect();
        Ok(Pictures { model: Loaded::new(asked)?, side, pool, shown: 0 })
    }

    fn next(&mut self) -> RgbImage {
        self.shown += 1;
        let mut picture = self.pool[self.shown as usize % self.pool.len()].clone();
        picture.as_mut()[..4].copy_from_slice(&self.shown.to_le_bytes());
        picture
    }

    fn embed(&mut self, pictures: Vec<RgbImage>) -> Outcome<Vec<Vec<f32>>> {
        let jobs = pictures.into_iter().map(|picture| (request(), vec![Input::Image(Arc::new(picture))]));
        vectors(self.model.answer(jobs.collect())?)
    }
}

impl Work for Pictures {
    fn once(&mut self, asked: &Json) -> Outcome<f64> {
        let batch = count(asked, "batch")?;
        let pictures = (0..batch).map(|_| self.next()).collect();
        self.embed(pictures)?;
        Ok(batch as f64)
    }

    fn check(&mut self, _: &Json) -> Outcome<Json> {
        let pictures = (1..4).map(|n| picture((self.side, self.side), 1000 * n)).collect();
        self.embed(pictures).map(|vectors| json!(vectors))
    }
}

/// Pictures of 1280 × 720 pixels as the model of a folder gets them: resized, cropped, normalised.
pub(crate) struct Prepare {
    preparation: Preparation,
    frames: Vec<RgbImage>,
}

impl Prepare {
    pub(crate) fn load(asked: &Json) -> Outcome<Prepare> {
        let checkpoint = Checkpoint::open(Path::new(word(asked, "path")?)).map_err(said)?;
        let settings = checkpoint.processor("image_processor").map_err(said)?;
        let preparation = Preparation::new(&settings, count(asked, "side")?).map_err(said)?;
        Ok(Prepare { preparation, frames: (0..8).map(|n| picture((1280, 720), 7 * n)).collect() })
    }
}

impl Work for Prepare {
    fn once(&mut self, _: &Json) -> Outcome<f64> {
        for frame in &self.frames {
            std::hint::black_box(self.preparation.apply(frame).map_err(said)?);
        }
        Ok(self.frames.len() as f64)
    }

    fn check(&mut self, _: &Json) -> Outcome<Json> {
        let (values, _, _) = self.preparation.apply(&self.frames[1]).map_err(said)?;
        Ok(json!([values.into_iter().step_by(101).collect::<Vec<f32>>()]))
    }
}
