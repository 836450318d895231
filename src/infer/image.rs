//! Pictures to tensors, as the reference image processors do it with Pillow: resize, centre crop, rescale, normalise.

use super::{
    checkpoint::Config,
    resample::{Filter, resample},
};
use crate::agent::AgentError;
use ::image::RgbImage;
use serde_json::Value as Json;

/// To what size a picture is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// The shorter edge gets this length; the ratio stays (the longer is rounded down).
    ShortestEdge(u32),
    /// Width and height, whatever the ratio.
    Exact(u32, u32),
}

/// `preprocessor_config.json` of an image model.
#[derive(Debug, Clone)]
pub struct Preparation {
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
    pub fn new(config: &Config, side: usize) -> Result<Preparation, AgentError> {
        let side = side as u32;
        let on = |key: &str| config.truth(key).unwrap_or(true);
        let filter = Filter::numbered(config.count("resample").unwrap_or(3)).map_err(AgentError::Model)?;
        let size = size(config.get("size"), false).unwrap_or(Size::ShortestEdge(side));
        let crop = size_of_crop(config).unwrap_or((side, side));
        Ok(Preparation {
            resize: on("do_resize").then_some((size, filter)),
            crop: on("do_center_crop").then_some(crop),
            rescale: on("do_rescale").then(|| config.number("rescale_factor").unwrap_or(1.0 / 255.0)),
            normalise: on("do_normalize").then(|| {
                (config.triple("image_mean").unwrap_or(CLIP_MEAN), config.triple("image_std").unwrap_or(CLIP_STD))
            }),
        })
    }

    /// The values of a picture, (3, height, width) in row-major order, with height and width.
    pub fn apply(&self, picture: &RgbImage) -> Result<(Vec<f32>, usize, usize), AgentError> {
        let mut pixels = picture.as_raw().clone();
        let (mut width, mut height) = picture.dimensions();
        if width == 0 || height == 0 {
            return Err(AgentError::Media("the picture has no pixels".to_owned()));
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

/// `size` as a number, `{shortest_edge}` or `{height, width}`; a bare number is a square for crops and the shorter edge else.
fn size(value: Option<&Json>, square: bool) -> Option<Size> {
    let number = |v: &Json| v.as_u64().map(|n| n as u32);
    match value? {
        Json::Number(n) if square => n.as_u64().map(|n| Size::Exact(n as u32, n as u32)),
        Json::Number(n) => n.as_u64().map(|n| Size::ShortestEdge(n as u32)),
        object => match object.get("shortest_edge").and_then(number) {
            Some(edge) => Some(Size::ShortestEdge(edge)),
            None => Some(Size::Exact(object.get("width").and_then(number)?, object.get("height").and_then(number)?)),
        },
    }
}

fn size_of_crop(config: &Config) -> Option<(u32, u32)> {
    match size(config.get("crop_size"), true)? {
        Size::Exact(w, h) => Some((w, h)),
        Size::ShortestEdge(edge) => Some((edge, edge)),
    }
}

fn target(size: Size, width: u32, height: u32) -> (u32, u32) {
    match size {
        Size::Exact(w, h) => (w, h),
        Size::ShortestEdge(edge) => {
            let long = |longer: u32, shorter: u32| (u64::from(edge) * u64::from(longer) / u64::from(shorter)) as u32;
            if width <= height { (edge, long(height, width)) } else { (long(width, height), edge) }
        }
    }
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
