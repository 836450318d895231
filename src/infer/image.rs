//! Pictures to tensors, as the reference image processors do it with Pillow: resize, centre crop, rescale, normalise.

use super::{
    config::{Config, within},
    resample::{Filter, resample},
};
use crate::error::Fault;
use ::image::RgbImage;
use serde_json::Value as Json;
use std::ops::Range;

/// The size that a picture is resized to, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// The length of the shorter edge. The aspect ratio stays; the longer edge is rounded down.
    ShortestEdge(u32),
    /// As `ShortestEdge`, with the second number as the maximum of the longer edge.
    Edges(u32, u32),
    /// Width and height; the aspect ratio may change.
    Exact(u32, u32),
}

/// The settings in `preprocessor_config.json` of an image model.
#[derive(Debug, Clone)]
pub struct Preparation {
    /// The file of the settings, for errors.
    pub name: String,
    resize: Option<(Size, Filter)>,
    crop: Option<(u32, u32)>,
    centre: Rounding,
    rescale: Option<f64>,
    normalise: Option<([f32; 3], [f32; 3])>,
}

/// The settings that apply where a file states none: those of the image processor's class in transformers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureDefaults {
    /// The side in pixels that a picture is resized to.
    pub side: u32,
    /// True: the picture becomes a square of that side. False: its shorter edge gets that length.
    pub square: bool,
    /// The side of the centre crop; none for a class that does not crop.
    pub crop: Option<u32>,
    /// Mean of the three channels.
    pub mean: [f32; 3],
    /// Deviation of the three channels.
    pub std: [f32; 3],
}

impl PictureDefaults {
    fn clip(side: usize) -> PictureDefaults {
        let side = side as u32;
        PictureDefaults { side, square: false, crop: Some(side), mean: CLIP_MEAN, std: CLIP_STD }
    }
}

/// The maximum pixels of a prepared picture: 200 MB of numbers.
const MAX_PIXELS: usize = 1 << 24;

/// Mean and deviation of the pictures that CLIP saw.
pub const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// See [`CLIP_MEAN`].
pub const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

impl Preparation {
    /// Reads the settings. An absent key has CLIP's default, with the model's `side` in pixels. Fails if a value is out
    /// of range.
    pub fn new(config: &Config, side: usize) -> Result<Preparation, Fault> {
        Preparation::with(config, PictureDefaults::clip(side))
    }

    /// Reads the settings. Fails if a value is out of range.
    pub fn with(config: &Config, defaults: PictureDefaults) -> Result<Preparation, Fault> {
        Preparation::read(config, &Processor::of(defaults))
    }

    /// Reads the settings of a classifier. They name their processor; `usual` is the one that is meant if they do not.
    /// Fails if the processor is not supported, or if a value is out of range.
    pub fn of_classifier(config: &Config, usual: &str, side: usize) -> Result<Preparation, Fault> {
        let named = config.string("image_processor_type")?.or(config.string("feature_extractor_type")?);
        let processor = Processor::named(named.unwrap_or(usual), side)
            .map_err(|why| Fault::model(format!("{}: {why}", config.name())))?;
        Preparation::read(config, &processor)
    }

    /// The evaluation transform of timm: resize, centre crop, normalise. `name` is the file of the settings. Fails if
    /// pictures would become too large.
    pub fn plain(
        name: &str,
        resize: (Resize, Filter),
        crop: (u32, u32),
        normalise: ([f32; 3], [f32; 3]),
    ) -> Result<Preparation, Fault> {
        let size = match resize.0 {
            Resize::ShortestEdge(edge) => Size::ShortestEdge(edge),
            Resize::Exact(width, height) => Size::Exact(width, height),
        };
        check_area(name, Some(size), Some(crop))?;
        Ok(Preparation {
            name: name.to_owned(),
            resize: Some((size, resize.1)),
            crop: Some(crop),
            centre: Rounding::HalfToEven,
            rescale: Some(1.0 / 255.0),
            normalise: Some(normalise),
        })
    }

    fn read(config: &Config, processor: &Processor) -> Result<Preparation, Fault> {
        let on = |key: &str, default: bool| config.truth(key).map(|on| on.unwrap_or(default));
        let filter =
            config.count("resample", 0..=5)?.map_or(Ok(processor.filter), Filter::numbered).map_err(Fault::model)?;
        let square = config.truth("default_to_square")?.unwrap_or(processor.square);
        let expected = format!("a side from 1 to {}, or an object of sides", within::SIDE.end());
        let mut size = match config.get("size") {
            Some(value) => size(value, square).ok_or_else(|| config.wrong("size", &expected, value))?,
            None => processor.size,
        };
        let crop = match config.get("crop_size") {
            Some(value) => size_of_crop(value).ok_or_else(|| config.wrong("crop_size", &expected, value))?,
            None => processor.crop.unwrap_or((1, 1)),
        };
        let mut crop = on("do_center_crop", processor.crop.is_some())?.then_some(crop);
        if processor.crop_share {
            (size, crop) = cropped_share(config, size, crop)?;
        }
        let resizes = on("do_resize", true)?;
        check_area(config.name(), if resizes { Some(size) } else { None }, crop)?;
        let factor = config.number("rescale_factor", -1e3..=1e3)?.unwrap_or(1.0 / 255.0);
        let mean = config.triple("image_mean", -1e3..=1e3)?.unwrap_or(processor.normalise.0);
        let std = config.triple("image_std", 1e-6..=1e3)?.unwrap_or(processor.normalise.1);
        Ok(Preparation {
            name: config.name().to_owned(),
            resize: resizes.then_some((size, filter)),
            // ConvNext's processor crops while it resizes
            crop: crop.filter(|_| resizes || !processor.crop_share),
            centre: Rounding::Down,
            rescale: on("do_rescale", true)?.then_some(factor),
            normalise: on("do_normalize", true)?.then_some((mean, std)),
        })
    }

    /// The prepared picture, (3, height, width) in row-major order, with its height and width. Fails if the picture is
    /// empty or would become too large.
    pub fn apply(&self, picture: &RgbImage) -> Result<(Vec<f32>, usize, usize), Fault> {
        let (width, height) = picture.dimensions();
        if width == 0 || height == 0 {
            return Err(Fault::media("the picture has no pixels".to_owned()));
        }
        let (pixels, width, height) = self.pixels(picture)?;
        let mut values = Vec::with_capacity(3 * width * height);
        for channel in 0..3 {
            // a channel has only 256 different values
            let table: [f32; 256] = std::array::from_fn(|byte| {
                let mut value = byte as f32;
                if let Some(factor) = self.rescale {
                    value = (f64::from(value) * factor) as f32;
                }
                if let Some((mean, std)) = self.normalise {
                    value = (value - mean[channel]) / std[channel];
                }
                value
            });
            values.extend(pixels.chunks_exact(3).map(|pixel| table[usize::from(pixel[channel])]));
        }
        Ok((values, height, width))
    }

    /// Resizes and crops. Only pixels inside the crop are computed: a picture of 1 × n pixels would otherwise become
    /// 224 × 224 n.
    fn pixels(&self, picture: &RgbImage) -> Result<(Vec<u8>, usize, usize), Fault> {
        let from = (picture.width() as usize, picture.height() as usize);
        let (to, filter) = match self.resize {
            Some((size, filter)) => (target(size, picture.width(), picture.height()), filter),
            None => (from, Filter::Box),
        };
        let (width, height) = self.crop.map_or(to, |(width, height)| (width as usize, height as usize));
        if width.saturating_mul(height) > MAX_PIXELS {
            let said = format!(
                "the picture of {}×{} pixels would become {width}×{height}; the maximum is {MAX_PIXELS} pixels, so crop it first",
                from.0, from.1
            );
            return Err(Fault::media(said));
        }
        let (columns, rows) = (Centre::of(to.0, width, self.centre), Centre::of(to.1, height, self.centre));
        let part = resample(picture.as_raw(), from, to, (&columns.kept, &rows.kept), filter);
        if (columns.kept.len(), rows.kept.len()) == (width, height) {
            return Ok((part, width, height));
        }
        let mut pixels = vec![0u8; 3 * width * height];
        for (row, line) in part.chunks_exact(3 * columns.kept.len()).enumerate() {
            let at = 3 * ((rows.before + row) * width + columns.before);
            pixels[at..at + line.len()].copy_from_slice(line);
        }
        Ok((pixels, width, height))
    }
}

/// Fails if every prepared picture would have too many pixels.
fn check_area(name: &str, size: Option<Size>, crop: Option<(u32, u32)>) -> Result<(), Fault> {
    let exact = if let Some(Size::Exact(width, height)) = size { Some((width, height)) } else { None };
    match crop.or(exact) {
        Some((width, height)) if width as usize * height as usize > MAX_PIXELS => {
            let why = format!("prepares pictures of {width}×{height}; the maximum is {MAX_PIXELS} pixels");
            Err(Fault::model(format!("{name} {why}")))
        }
        _ => Ok(()),
    }
}

/// Identifies a picture: blake3 of its size and pixels, which takes a thousandth of the time of a model.
pub type Fingerprint = [u8; 32];

/// The [`Fingerprint`] of a picture.
pub fn fingerprint(picture: &RgbImage) -> Fingerprint {
    let (width, height) = picture.dimensions();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&width.to_le_bytes()).update(&height.to_le_bytes()).update(picture.as_raw());
    *hasher.finalize().as_bytes()
}

/// The rounding of half a pixel at the edge of a centre crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rounding {
    /// As transformers.
    Down,
    /// As torchvision, which timm uses.
    HalfToEven,
}

/// The size that [`Preparation::plain`] resizes to, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// The length of the shorter edge.
    ShortestEdge(u32),
    /// Width and height.
    Exact(u32, u32),
}

/// A processor of transformers: the values of keys that its file lacks.
#[derive(Clone, Copy)]
struct Processor {
    filter: Filter,
    size: Size,
    /// The centre crop; `None` if it does not crop by default.
    crop: Option<(u32, u32)>,
    /// A bare number as `size` is a square.
    square: bool,
    normalise: ([f32; 3], [f32; 3]),
    /// The rule of [`cropped_share`].
    crop_share: bool,
}

impl Processor {
    fn of(defaults: PictureDefaults) -> Processor {
        let PictureDefaults { side, square, crop, mean, std } = defaults;
        Processor {
            filter: Filter::Bicubic,
            size: if square { Size::Exact(side, side) } else { Size::ShortestEdge(side) },
            crop: crop.map(|crop| (crop, crop)),
            square: false,
            normalise: (mean, std),
            crop_share: false,
        }
    }

    /// The processor of this name. The names of older versions (`…FeatureExtractor`) and of variants (`…Fast`) mean the
    /// same.
    fn named(name: &str, side: usize) -> Result<Processor, String> {
        let plain = name.trim_end_matches("Fast").trim_end_matches("Pil");
        let plain = plain.trim_end_matches("ImageProcessor").trim_end_matches("FeatureExtractor");
        let clip = Processor::of(PictureDefaults::clip(side));
        let (exact, normalise) = (|side: usize| Size::Exact(side as u32, side as u32), ([0.5; 3], [0.5; 3]));
        let vit =
            Processor { filter: Filter::Bilinear, size: exact(side), crop: None, square: true, normalise, ..clip };
        Ok(match plain {
            "ViT" => vit,
            "DeiT" => Processor { filter: Filter::Bicubic, size: exact(256), crop: Some((224, 224)), ..vit },
            "ConvNext" => Processor { size: Size::ShortestEdge(384), crop: None, normalise, crop_share: true, ..clip },
            "MobileNetV1" | "MobileNetV2" => Processor {
                filter: Filter::Bilinear,
                size: Size::ShortestEdge(256),
                crop: Some((224, 224)),
                normalise,
                ..clip
            },
            "Bit" | "CLIP" => clip,
            _ => {
                let known = "ViT, DeiT, ConvNext, MobileNetV1, MobileNetV2, Bit and CLIP";
                return Err(format!("the image processor `{name}` is not supported; those of {known} are"));
            }
        })
    }
}

/// ConvNext's processor: below 384 pixels, the shorter edge becomes `size / crop_pct` and the middle is kept; from 384
/// on, the whole picture becomes a square.
fn cropped_share(config: &Config, size: Size, crop: Option<(u32, u32)>) -> Result<(Size, Option<(u32, u32)>), Fault> {
    const WHOLE: u32 = 384;
    let wrong = |key: &str, expected: &str| config.wrong(key, expected, config.get(key).unwrap_or(&Json::Null));
    if crop.is_some() {
        return Err(wrong("do_center_crop", "false for this image processor"));
    }
    let Size::ShortestEdge(edge) = size else { return Err(wrong("size", "an object with `shortest_edge`")) };
    if edge >= WHOLE {
        return Ok((Size::Exact(edge, edge), None));
    }
    let share = config.number("crop_pct", 0.05..=1.0)?.unwrap_or(224.0 / 256.0);
    Ok((Size::ShortestEdge((f64::from(edge) / share) as u32), Some((edge, edge))))
}

/// Reads `size`: a number, `[height, width]`, `{shortest_edge}` (perhaps with `longest_edge`) or `{height, width}`. A
/// bare number is a square if `square`, else the shorter edge.
fn size(value: &Json, square: bool) -> Option<Size> {
    let fits = |n: &u32| within::SIDE.contains(&(*n as usize));
    let number = |v: &Json| v.as_u64().and_then(|n| u32::try_from(n).ok()).filter(fits);
    let at = |key: &str| value.get(key).and_then(number);
    match value {
        Json::Number(_) if square => number(value).map(|n| Size::Exact(n, n)),
        Json::Number(_) => number(value).map(Size::ShortestEdge),
        Json::Array(list) => Some(Size::Exact(list.get(1).and_then(number)?, list.first().and_then(number)?)),
        _ => match (at("shortest_edge"), at("longest_edge")) {
            (Some(edge), Some(most)) => Some(Size::Edges(edge, most)),
            (Some(edge), None) => Some(Size::ShortestEdge(edge)),
            _ => Some(Size::Exact(at("width")?, at("height")?)),
        },
    }
}

fn size_of_crop(value: &Json) -> Option<(u32, u32)> {
    match size(value, true)? {
        Size::Exact(w, h) => Some((w, h)),
        Size::ShortestEdge(edge) | Size::Edges(edge, _) => Some((edge, edge)),
    }
}

/// Width and height after resizing, each at least 1.
fn target(size: Size, width: u32, height: u32) -> (usize, usize) {
    let (short, long) = (f64::from(width.min(height)), f64::from(width.max(height)));
    // As Python's int(): rounded down.
    let (shorter, longer) = match size {
        Size::Exact(w, h) => return (w as usize, h as usize),
        Size::ShortestEdge(edge) => (edge as usize, (f64::from(edge) * long / short) as usize),
        Size::Edges(edge, most) if long / short * f64::from(edge) > f64::from(most) => {
            let raw = f64::from(most) * short / long;
            (raw.round_ties_even() as usize, (raw * long / short) as usize)
        }
        Size::Edges(edge, _) => (edge as usize, (f64::from(edge) * long / short) as usize),
    };
    let (shorter, longer) = (shorter.max(1), longer.max(1));
    if width <= height { (shorter, longer) } else { (longer, shorter) }
}

/// The part of a side that a centre crop keeps. Pixels outside the picture become black.
struct Centre {
    /// The positions of the picture that are kept.
    kept: Range<usize>,
    /// The number of black positions before them.
    before: usize,
}

impl Centre {
    /// The middle `want` of `have` positions.
    fn of(have: usize, want: usize, rounding: Rounding) -> Centre {
        let spare = have as i64 - want as i64;
        let offset = match rounding {
            // Also when negative: transformers adds the extra row at the top of a too small picture.
            Rounding::Down => spare.div_euclid(2),
            // torchvision adds the extra row at the bottom.
            Rounding::HalfToEven if spare < 0 => spare / 2,
            Rounding::HalfToEven => (spare as f64 / 2.0).round_ties_even() as i64,
        };
        let first = offset.max(0) as usize;
        Centre { kept: first..have.min(first + want), before: offset.min(0).unsigned_abs() as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prepared(settings: Json, picture: &RgbImage) -> Result<(Vec<f32>, usize, usize), Fault> {
        let config = Config::new("preprocessor_config.json", settings);
        Preparation::new(&config, 8).expect("settings").apply(picture)
    }

    #[test]
    fn only_the_cropped_part_of_a_thin_picture_is_computed() {
        // grey, but for a white pixel in the middle: enlarged, it fills the crop
        for (width, height) in [(1, 3_000_001), (3_000_001, 1), (1, 300_001), (2, 3_000_000)] {
            let mut picture = RgbImage::from_pixel(width, height, image::Rgb([128; 3]));
            picture.put_pixel(width / 2, height / 2, image::Rgb([255; 3]));
            let (values, h, w) = prepared(json!({ "do_normalize": false, "resample": 0 }), &picture).expect("prepared");
            assert_eq!((h, w), (8, 8), "{width}×{height}");
            assert!(values.iter().filter(|value| **value == 1.0).count() >= 16, "{width}×{height}: {values:?}");
        }
    }

    #[test]
    fn a_thin_picture_that_is_not_cropped_is_refused() {
        let picture = RgbImage::new(1, 3_000_000);
        let error = prepared(json!({ "do_center_crop": false }), &picture).expect_err("too large").to_string();
        assert!(error.contains("the picture of 1×3000000 pixels would become 8×24000000;"), "{error}");
        assert!(prepared(json!({ "do_center_crop": false }), &RgbImage::new(10, 30)).is_ok());
    }

    #[test]
    fn settings_for_very_large_pictures_are_refused() {
        let check = |settings: Json, expected: &str| {
            let config = Config::new("preprocessor_config.json", settings);
            let found = Preparation::new(&config, 8).map(drop).map_err(|fault| fault.to_string());
            assert_eq!(found.err().unwrap_or_default(), expected);
        };
        let refused = "preprocessor_config.json prepares pictures of 16384×5000; the maximum is 16777216 pixels";
        let large = json!({ "height": 5000, "width": 16384 });
        check(json!({ "crop_size": large }), refused);
        check(json!({ "size": large, "do_center_crop": false }), refused);
        check(json!({ "size": large, "do_center_crop": false, "do_resize": false }), "");
        check(json!({ "size": large }), "");
    }

    #[test]
    fn a_too_small_picture_is_padded_with_the_extra_row_on_top() {
        let picture = RgbImage::from_pixel(3, 9, image::Rgb([255; 3]));
        let settings = json!({ "do_resize": false, "do_normalize": false, "crop_size": 4 });
        let (values, h, w) = prepared(settings, &picture).expect("prepared");
        assert_eq!((h, w), (4, 4));
        assert_eq!(values[..8], [0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
    }
}
