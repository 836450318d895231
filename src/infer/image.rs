//! Pictures to tensors, as the reference image processors do it with Pillow: resize, centre crop, rescale, normalise.

use super::{
    config::{Config, within},
    resample::{Filter, resample},
};
use crate::error::Fault;
use ::image::RgbImage;
use serde_json::Value as Json;

/// To what size a picture is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// The shorter edge gets this length; the ratio stays (the longer is rounded down).
    ShortestEdge(u32),
    /// As `ShortestEdge`, but the longer edge becomes no longer than the second number.
    Edges(u32, u32),
    /// Width and height, whatever the ratio.
    Exact(u32, u32),
}

/// `preprocessor_config.json` of an image model.
#[derive(Debug, Clone)]
pub struct Preparation {
    /// Where the settings stand.
    pub name: String,
    resize: Option<(Size, Filter)>,
    crop: Option<(u32, u32)>,
    rescale: Option<f64>,
    normalise: Option<([f32; 3], [f32; 3])>,
}

/// Mean and deviation of the pictures that CLIP saw.
const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

impl Preparation {
    /// Reads the settings; what is absent is CLIP's default at the model's `side` in pixels.
    pub fn new(config: &Config, side: usize) -> Result<Preparation, Fault> {
        let side = side as u32;
        let on = |key: &str| config.truth(key).map(|on| on.unwrap_or(true));
        let filter = Filter::numbered(config.count("resample", 0..=5)?.unwrap_or(3)).map_err(Fault::model)?;
        let square = config.truth("default_to_square")?.unwrap_or(false);
        let expected = format!("a side from 1 to {}, or an object of sides", within::SIDE.end());
        let size = match config.get("size") {
            Some(value) => size(value, square).ok_or_else(|| config.wrong("size", &expected, value))?,
            None => Size::ShortestEdge(side),
        };
        let crop = match config.get("crop_size") {
            Some(value) => size_of_crop(value).ok_or_else(|| config.wrong("crop_size", &expected, value))?,
            None => (side, side),
        };
        let factor = config.number("rescale_factor", -1e3..=1e3)?.unwrap_or(1.0 / 255.0);
        let mean = config.triple("image_mean", -1e3..=1e3)?.unwrap_or(CLIP_MEAN);
        let std = config.triple("image_std", 1e-6..=1e3)?.unwrap_or(CLIP_STD);
        Ok(Preparation {
            name: config.name().to_owned(),
            resize: on("do_resize")?.then_some((size, filter)),
            crop: on("do_center_crop")?.then_some(crop),
            rescale: on("do_rescale")?.then_some(factor),
            normalise: on("do_normalize")?.then_some((mean, std)),
        })
    }

    /// The values of a picture, (3, height, width) in row-major order, with height and width.
    pub fn apply(&self, picture: &RgbImage) -> Result<(Vec<f32>, usize, usize), Fault> {
        let mut pixels = picture.as_raw().clone();
        let (mut width, mut height) = picture.dimensions();
        if width == 0 || height == 0 {
            return Err(Fault::media("the picture has no pixels".to_owned()));
        }
        if let Some((size, filter)) = self.resize {
            let (w, h) = target(size, width, height);
            pixels = resample(pixels, (width as usize, height as usize), (w as usize, h as usize), filter);
            (width, height) = (w, h);
        }
        if let Some((w, h)) = self.crop {
            pixels = centre_crop(&pixels, (width, height), (w, h));
            (width, height) = (w, h);
        }
        let area = (width * height) as usize;
        let mut values = vec![0f32; 3 * area];
        for (at, pixel) in pixels.chunks_exact(3).enumerate() {
            for channel in 0..3 {
                let mut value = f32::from(pixel[channel]);
                if let Some(factor) = self.rescale {
                    value = (f64::from(value) * factor) as f32;
                }
                if let Some((mean, std)) = self.normalise {
                    value = (value - mean[channel]) / std[channel];
                }
                values[channel * area + at] = value;
            }
        }
        Ok((values, height as usize, width as usize))
    }
}

/// `size` as a number, `[height, width]`, `{shortest_edge}` (perhaps with `longest_edge`) or `{height, width}`; a bare number
/// is a square or the shorter edge.
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

/// Width and height after resizing, never nothing.
fn target(size: Size, width: u32, height: u32) -> (u32, u32) {
    let (short, long) = (f64::from(width.min(height)), f64::from(width.max(height)));
    // As Python's int(): rounded down.
    let (shorter, longer) = match size {
        Size::Exact(w, h) => return (w, h),
        Size::ShortestEdge(edge) => (edge, (f64::from(edge) * long / short) as u32),
        Size::Edges(edge, most) if long / short * f64::from(edge) > f64::from(most) => {
            let raw = f64::from(most) * short / long;
            (raw.round_ties_even() as u32, (raw * long / short) as u32)
        }
        Size::Edges(edge, _) => (edge, (f64::from(edge) * long / short) as u32),
    };
    let (shorter, longer) = (shorter.max(1), longer.max(1));
    if width <= height { (shorter, longer) } else { (longer, shorter) }
}

/// The middle of a picture; what lies outside it is black.
fn centre_crop(pixels: &[u8], (width, height): (u32, u32), (to_width, to_height): (u32, u32)) -> Vec<u8> {
    // Rounded down, also when negative: the reference pads a picture that is too small with the odd row on top.
    let offset = |have: u32, want: u32| (i64::from(have) - i64::from(want)).div_euclid(2);
    let (left, top) = (offset(width, to_width), offset(height, to_height));
    let mut out = vec![0u8; (to_width * to_height * 3) as usize];
    for y in 0..i64::from(to_height) {
        for x in 0..i64::from(to_width) {
            let (from_x, from_y) = (x + left, y + top);
            if (0..i64::from(width)).contains(&from_x) && (0..i64::from(height)).contains(&from_y) {
                let from = ((from_y * i64::from(width) + from_x) * 3) as usize;
                let to = ((y * i64::from(to_width) + x) * 3) as usize;
                out[to..to + 3].copy_from_slice(&pixels[from..from + 3]);
            }
        }
    }
    out
}
