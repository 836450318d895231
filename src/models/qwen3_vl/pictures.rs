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
    /// The fewest and the most pixels of a prepared picture, or of all frames of a video.
    pixels: (usize, usize),
    /// The frames of a patch.
    frames: usize,
    /// The most pixels of a frame that the file states, if it does.
    frame_cap: Option<usize>,
    /// The most pixels of a frame that the user allows, if there is a limit.
    frame_most: Option<usize>,
    normalise: ([f32; 3], [f32; 3]),
}

/// A prepared picture.
pub(super) struct PicturePatches {
    /// Rows and columns of patches.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// For a still picture, or for each frame: (patches, 3 · patch · patch), in the order of the groups.
    pub(super) values: Vec<Vec<f32>>,
}

/// The settings that apply where a file states none.
struct RuleDefaults {
    pixels: (usize, usize),
    normalise: ([f32; 3], [f32; 3]),
    /// No limit above this counts.
    most: usize,
}

/// The defaults of `Qwen2VLImageProcessor`.
const STILL: RuleDefaults =
    RuleDefaults { pixels: (56 * 56, 28 * 28 * 1280), normalise: (CLIP_MEAN, CLIP_STD), most: MOST_PIXELS };
/// The defaults of `Qwen3VLVideoProcessor`. A video may have as many pixels as its frames.
const MOVING: RuleDefaults =
    RuleDefaults { pixels: (128 * 32 * 32, 768 * 32 * 32), normalise: ([0.5; 3], [0.5; 3]), most: MOST_PIXELS << 10 };

impl PictureRule {
    /// Reads the settings of pictures. `most` limits the pixels further. Fails if a value is out of range, or if patches
    /// differ from those of the tower.
    pub(super) fn read(config: &Config, tower: &TowerConfig, most: Option<usize>) -> Result<PictureRule, Fault> {
        let rule = PictureRule::with(config, tower, STILL)?;
        let limit = rule.pixels.1.min(most.unwrap_or(usize::MAX));
        Ok(PictureRule { pixels: (rule.pixels.0.min(limit), limit), ..rule })
    }

    /// Reads the settings of videos; `most` limits the pixels of a frame. Fails as [`PictureRule::read`].
    pub(super) fn of_videos(config: &Config, tower: &TowerConfig, most: Option<usize>) -> Result<PictureRule, Fault> {
        let rule = PictureRule::with(config, tower, MOVING)?;
        let capped = config.truth("cap_pixels_per_frame")? == Some(true);
        let tokens = config.count("max_video_tokens", 1..=1 << 20)?.unwrap_or(768);
        let cap = capped.then(|| tokens * (tower.patch * tower.merge).pow(2));
        Ok(PictureRule { frame_cap: cap, frame_most: most, ..rule })
    }

    /// Reads the settings. Fails if a value is out of range, or if patches differ from those of the tower.
    fn with(config: &Config, tower: &TowerConfig, defaults: RuleDefaults) -> Result<PictureRule, Fault> {
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
            Ok(stated.unwrap_or(usual).min(defaults.most))
        };
        let (fewest, limit) = (
            stated("min_pixels", "shortest_edge", defaults.pixels.0)?,
            stated("max_pixels", "longest_edge", defaults.pixels.1)?,
        );
        let mean = config.triple("image_mean", -1e3..=1e3)?.unwrap_or(defaults.normalise.0);
        let std = config.triple("image_std", 1e-6..=1e3)?.unwrap_or(defaults.normalise.1);
        Ok(PictureRule {
            name: config.name().to_owned(),
            patch: tower.patch,
            merge: tower.merge,
            pixels: (fewest, limit),
            frames: tower.frames,
            frame_cap: None,
            frame_most: None,
            normalise: (mean, std),
        })
    }

    /// The sides that a picture is resized to, in pixels: multiples of a group of patches, with nearly the same ratio.
    fn sides(&self, height: usize, width: usize) -> Result<(usize, usize), Fault> {
        self.fitted((height as f64, width as f64), (1.0, 1.0), self.pixels.1)
    }

    /// The same for frames of one size, whose pixels count together, up to `limit`; `compared` is how many of them count
    /// for the comparison.
    fn fitted(
        &self,
        (h, w): (f64, f64),
        (frames, compared): (f64, f64),
        limit: usize,
    ) -> Result<(usize, usize), Fault> {
        let factor = (self.patch * self.merge) as f64;
        if h.max(w) / h.min(w) > MAX_RATIO {
            let why = format!("a picture of {w}×{h} pixels is too narrow for this model");
            return Err(Fault::media(why));
        }
        // Python rounds half to even
        let whole = |side: f64| (side / factor).round_ties_even() * factor;
        // a limit of the user's also bounds the fewest pixels
        let fewest = self.frame_most.map_or(self.pixels.0, |_| self.pixels.0.min(limit));
        let (fewest, most) = (fewest as f64, limit as f64);
        let (mut rows, mut columns) = (whole(h), whole(w));
        if compared * rows * columns > most {
            let scale = (frames * h * w / most).sqrt();
            let down = |side: f64| ((side / scale / factor).floor() * factor).max(factor);
            (rows, columns) = (down(h), down(w));
        } else if compared * rows * columns < fewest {
            let scale = (fewest / (frames * h * w)).sqrt();
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
        let sides = self.sides(height as usize, width as usize)?;
        self.patches(&[picture], sides)
    }

    /// Prepares the frames of a piece of a video of `all` frames: they get the size that the first one should have. Fails if a frame
    /// is empty or too narrow.
    pub(super) fn apply_frames(&self, piece: &[&RgbImage], all: usize) -> Result<PicturePatches, Fault> {
        let (width, height) = piece.first().map_or((0, 0), |frame| frame.dimensions());
        if piece.iter().any(|frame| frame.width() == 0 || frame.height() == 0) || piece.is_empty() {
            return Err(Fault::media("a frame has no pixels".to_owned()));
        }
        self.patches(piece, self.video_sides(height as usize, width as usize, all.max(self.frames))?)
    }

    /// The sides that the frames of a video are resized to: the pixels of all frames together have the limits.
    fn video_sides(&self, height: usize, width: usize, frames: usize) -> Result<(usize, usize), Fault> {
        let factor = (self.patch * self.merge) as f64;
        let (mut h, mut w) = (height as f64, width as f64);
        if h < factor || w < factor {
            let scale = (factor / h).max(factor / w);
            (h, w) = ((h * scale).trunc(), (w * scale).trunc());
        }
        let (fewest, most) = self.pixels;
        let mut limit = most;
        if let Some(cap) = self.frame_cap {
            limit = cap.min(most / frames).max((fewest as f64 * 1.05) as usize).saturating_mul(frames);
        }
        if let Some(each) = self.frame_most {
            limit = limit.min(each.saturating_mul(frames));
        }
        // whole pieces are compared with the limits, and a half is rounded to even
        let pieces = (frames as f64 / self.frames as f64).round_ties_even() * self.frames as f64;
        let (rows, columns) = self.fitted((h, w), (frames as f64, pieces), limit)?;
        if rows.saturating_mul(columns) > MOST_PIXELS {
            let why = format!("prepares frames of {columns}×{rows}; the maximum is {MOST_PIXELS} pixels");
            return Err(Fault::model(format!("{} {why}", self.name)));
        }
        Ok((rows, columns))
    }

    /// Resizes frames to these sides, and cuts them into patches.
    fn patches(&self, frames: &[&RgbImage], (height, width): (usize, usize)) -> Result<PicturePatches, Fault> {
        let sides = (width as u32, height as u32);
        let resize = (Resize::Exact(sides.0, sides.1), Filter::Bicubic);
        let preparation = Preparation::plain(&self.name, resize, sides, self.normalise)?;
        let (p, m) = (self.patch, self.merge);
        let (rows, columns) = (height / p, width / p);
        let cut = |frame: &&RgbImage| {
            let (pixels, ..) = preparation.apply(frame)?;
            let mut values = Vec::with_capacity(pixels.len());
            for (row, column) in merged_order(rows, columns, m) {
                for channel in 0..3 {
                    for line in row * p..(row + 1) * p {
                        let from = (channel * height + line) * width + column * p;
                        values.extend_from_slice(&pixels[from..from + p]);
                    }
                }
            }
            Ok(values)
        };
        let values = frames.iter().map(cut).collect::<Result<_, Fault>>()?;
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
        let rule = |pixels| PictureRule {
            name: "p".into(),
            patch: 16,
            merge: 2,
            pixels,
            frames: 2,
            frame_cap: None,
            frame_most: None,
            normalise: ([0.5; 3], [0.5; 3]),
        };
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
        // transformers.models.qwen3_vl.video_processing_qwen3_vl.smart_resize(t, h, w, 2, 32, …)
        let video = |pixels, (frames, h, w)| rule(pixels).video_sides(h, w, frames).expect("sides");
        assert_eq!(video((131_072, 786_432), (8, 480, 640)), (256, 352));
        assert_eq!(video((131_072, 786_432), (2, 20, 60)), (160, 448));
        assert_eq!(video((4096, 60_000), (5, 100, 130)), (96, 128));
        let capped = PictureRule { frame_cap: Some(9000), ..rule((1, 1 << 30)) };
        assert_eq!(capped.video_sides(480, 640, 4).expect("sides"), (64, 96));
    }
}
