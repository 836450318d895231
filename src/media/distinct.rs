//! Skips near-duplicates among the sampled frames of a video.
//!
//! A frame is compared with the last kept one, so that slow changes add up. Both are reduced to 32×32 pixels (upright, the
//! mean of areas), which removes the noise of sensors and codecs. The picture is cut into 8×8 parts, and the difference is
//! that of the part that changed most: a small thing that moves counts, although the rest of the picture is still.
//!
//! The pixels come from one forward pass that decodes the candidates at 32×32 pixels. It holds a few of them at a time.

use super::{
    MediaError, MediaFault,
    cache::PictureCache,
    medium::{DecodePlan, MediumDecoder},
};
use crate::{exchange::Range, value::Time};
use image::RgbImage;
use std::sync::{Arc, Mutex};

/// Width and height of the compared pictures, in pixels.
const SIDE: u32 = 32;
/// Width and height of a part, in pixels.
const PART: u32 = 4;
/// The cached pictures, which frames in progress need.
const CACHED: usize = 64;

/// The times of `chosen` whose frames differ by at least `least` from the kept frame before. The first is always kept, and so is
/// the first after each stretch that the user withholds, whose pixels are not decoded. Times without a frame are kept: the step
/// that looks at them reports it.
pub(super) async fn keep(
    decoder: &MediumDecoder,
    chosen: Vec<i64>,
    key_gap: Option<f64>,
    least: f64,
) -> Result<Vec<i64>, MediaError> {
    let media = decoder.media();
    if !Range::PositiveShare.holds(least) {
        let what = format!("found {least} for distinct, expected {}", Range::PositiveShare.expected());
        return Err(MediaError::new(MediaFault::NotInIt, &media.path, what));
    }
    let base = decoder.picture().await?.base;
    let time = |pts: i64| Time { ticks: pts, base };
    let shown: Vec<i64> = chosen.into_iter().filter(|pts| !media.withholds(time(*pts))).collect();
    let small = decoder.reduced((SIDE, SIDE));
    small.expect(DecodePlan::new(shown.clone(), key_gap));
    let cache = Mutex::new(PictureCache::new(usize::MAX, CACHED));
    let mut kept: Vec<i64> = Vec::new();
    let mut before: Option<Arc<RgbImage>> = None;
    for pts in shown {
        let frame = match small.frame(pts, &cache).await {
            Ok(frame) => Some(frame),
            Err(error) if error.kind == MediaFault::NotInIt => None,
            Err(error) => return Err(error),
        };
        let parted = |last: i64| media.withheld.iter().any(|(from, _)| time(last) < *from && *from <= time(pts));
        let same = match (&before, &frame, kept.last()) {
            (Some(before), Some(frame), Some(last)) => !parted(*last) && difference(before, frame) < least,
            _ => false,
        };
        if !same {
            kept.push(pts);
            before = frame;
        }
    }
    Ok(kept)
}

/// The difference of two pictures, 0 to 1: the mean absolute difference of the values of the part that changed most.
fn difference(one: &RgbImage, other: &RgbImage) -> f64 {
    let mut parts = [0u32; ((SIDE / PART) * (SIDE / PART)) as usize];
    for ((x, y, a), b) in one.enumerate_pixels().zip(other.pixels()) {
        let part = &mut parts[(y / PART * (SIDE / PART) + x / PART) as usize];
        *part += a.0.iter().zip(b.0).map(|(a, b)| u32::from(a.abs_diff(b))).sum::<u32>();
    }
    let most = parts.into_iter().max().unwrap_or(0);
    f64::from(most) / f64::from(PART * PART * 3 * 255)
}

#[cfg(test)]
mod tests;
