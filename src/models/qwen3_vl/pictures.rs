//! Pictures as patches, as `Qwen2VLImageProcessor` with Pillow prepares them: resized to whole patches within a number of pixels,
//! normalised, and cut into patches in the order of the groups that the tower merges.

use super::tower::TowerConfig;
use crate::{
    error::Fault,
    infer::{
        config::Config,
        image::{CLIP_MEAN, CLIP_STD, Preparation, Resize},
        resample::Filter,
    },
};
use ::image::RgbImage;

/// The most pixels that a file may ask for.
const MOST_PIXELS: usize = 1 << 24;
/// The largest ratio of the sides of a picture.
const MAX_RATIO: f64 = 200.0;

/// The settings of the preparation.
pub(super) struct PictureRule {
    name: String,
    patch: usize,
    merge: usize,
    /// The fewest and the most pixels of a prepared picture.
    pixels: (usize, usize),
    normalise: ([f32; 3], [f32; 3]),
}

/// A prepared picture.
pub(super) struct PicturePatches {
    /// Rows and columns of patches.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// (patches, 3 · patch · patch), in the order of the groups.
    pub(super) values: Vec<f32>,
}

impl PictureRule {
    /// Reads the settings. `most` limits the pixels further. Fails if a value is out of range, or if patches differ from those of the
    /// tower.
    pub(super) fn read(config: &Config, tower: &TowerConfig, most: Option<usize>) -> Result<PictureRule, Fault> {
        for (key, expected) in [("patch_size", tower.patch), ("merge_size", tower.merge)] {
            // the class has other defaults than the towers that are published
            if config.count(key, 1..=1024)?.is_some_and(|found| found != expected) {
                return Err(config.wrong(
                    key,
                    format!("{expected}, that of the tower"),
                    config.get(key).unwrap_or_default(),
                ));
            }
        }
        if config.count("temporal_patch_size", 1..=16)?.is_some_and(|found| found != tower.frames) {
            return Err(config.unsupported("temporal_patch_size"));
        }
        for key in ["do_resize", "do_rescale", "do_normalize"] {
            if config.truth(key)? == Some(false) {
                return Err(config.unsupported(key));
            }
        }
        let size = config.part("size")?;
        let stated = |own: &str, of_size: &str, usual: usize| -> Result<usize, Fault> {
            let stated = config.count(own, 1..=usize::MAX)?.or(size.count(of_size, 1..=usize::MAX)?);
            Ok(stated.unwrap_or(usual).min(MOST_PIXELS))
        };
        let (fewest, limit) =
            (stated("min_pixels", "shortest_edge", 56 * 56)?, stated("max_pixels", "longest_edge", 28 * 28 * 1280)?);
        let limit = limit.min(most.unwrap_or(usize::MAX));
        let mean = config.triple("image_mean", -1e3..=1e3)?.unwrap_or(CLIP_MEAN);
        let std = config.triple("image_std", 1e-6..=1e3)?.unwrap_or(CLIP_STD);
        Ok(PictureRule {
            name: config.name().to_owned(),
            patch: tower.patch,
            merge: tower.merge,
            pixels: (fewest.min(limit), limit),
            normalise: (mean, std),
        })
    }

    /// The sides that a picture is resized to, in pixels: multiples of a group of patches, with nearly the same ratio.
    fn sides(&self, height: usize, width: usize) -> Result<(usize, usize), Fault> {
        let factor = (self.patch * self.merge) as f64;
        let (h, w) = (height as f64, width as f64);
        if h.max(w) / h.min(w) > MAX_RATIO {
            let why = format!("a picture of {width}×{height} pixels is too narrow for this model");
            return Err(Fault::media(why));
        }
        // Python rounds half to even
        let whole = |side: f64| (side / factor).round_ties_even() * factor;
        let (fewest, most) = (self.pixels.0 as f64, self.pixels.1 as f64);
        let (mut rows, mut columns) = (whole(h), whole(w));
        if rows * columns > most {
            let scale = (h * w / most).sqrt();
            let down = |side: f64| ((side / scale / factor).floor() * factor).max(factor);
            (rows, columns) = (down(h), down(w));
        } else if rows * columns < fewest {
            let scale = (fewest / (h * w)).sqrt();
            let up = |side: f64| (side * scale / factor).ceil() * factor;
            (rows, columns) = (up(h), up(w));
        }
        Ok((rows as usize, columns as usize))
    }

    /// Prepares a picture. Fails if it is empty or too narrow.
    pub(super) fn apply(&self, picture: &RgbImage) -> Result<PicturePatches, Fault> {
        let (width, height) = picture.dimensions();
        if width == 0 || height == 0 {
            return Err(Fault::media("the picture has no pixels".to_owned()));
        }
        let (height, width) = self.sides(height as usize, width as usize)?;
        let sides = (width as u32, height as u32);
        let resize = (Resize::Exact(sides.0, sides.1), Filter::Bicubic);
        let (pixels, ..) = Preparation::plain(&self.name, resize, sides, self.normalise)?.apply(picture)?;
        let (p, m) = (self.patch, self.merge);
        let (rows, columns) = (height / p, width / p);
        let mut values = Vec::with_capacity(pixels.len());
        for (row, column) in merged_order(rows, columns, m) {
            for channel in 0..3 {
                for line in row * p..(row + 1) * p {
                    let from = (channel * height + line) * width + column * p;
                    values.extend_from_slice(&pixels[from..from + p]);
                }
            }
        }
        Ok(PicturePatches { rows, columns, values })
    }
}

/// Row and column of each patch, group by group of `merge` × `merge` patches.
pub(super) fn merged_order(rows: usize, columns: usize, merge: usize) -> impl Iterator<Item = (usize, usize)> {
    let groups = (0..rows / merge).flat_map(move |row| (0..columns / merge).map(move |column| (row, column)));
    groups.flat_map(move |(row, column)| {
        (0..merge * merge).map(move |n| (row * merge + n / merge, column * merge + n % merge))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_those_of_transformers() {
        let rule =
            |pixels| PictureRule { name: "p".into(), patch: 16, merge: 2, pixels, normalise: ([0.5; 3], [0.5; 3]) };
        let check = |pixels, size: (usize, usize), expected| {
            assert_eq!(rule(pixels).sides(size.0, size.1).expect("sides"), expected, "{pixels:?} {size:?}");
        };
        // transformers.models.qwen2_vl.image_processing_pil_qwen2_vl.smart_resize(h, w, 32, …)
        check((65_536, 16_777_216), (480, 640), (480, 640));
        check((65_536, 16_777_216), (100, 60), (352, 224));
        check((65_536, 16_777_216), (720, 1280), (704, 1280));
        check((1024, 100_000), (720, 1280), (224, 416));
        check((1024, 100_000), (48, 80), (64, 64));
        assert!(rule((1, 9)).sides(1, 300).is_err());
    }
}
