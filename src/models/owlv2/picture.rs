//! Pictures to tensors as `Owlv2ImageProcessorPil` of transformers: padded below and on the right to a square, blurred
//! if it shrinks, and resized with linear interpolation (scipy's `gaussian_filter` and `zoom` with `grid_mode`).

use crate::{
    error::Fault,
    infer::{
        config::{Config, within},
        image::{CLIP_MEAN, CLIP_STD},
    },
};
use image::RgbImage;

/// The settings in `preprocessor_config.json`.
#[derive(Debug, Clone)]
pub(super) struct SquarePreparation {
    /// The side of a prepared picture, in pixels.
    side: usize,
    /// What a value of 0 to 255 is multiplied with.
    factor: f64,
    mean: [f32; 3],
    std: [f32; 3],
}

/// What one prepared row or column reads: the index of an input, and its weight.
type Taps = Vec<(usize, f64)>;

impl SquarePreparation {
    /// Reads the settings for a model that takes pictures of this side. Fails if a value is out of range, if a step is
    /// off, or if pictures get another size.
    pub(super) fn read(config: &Config, side: usize) -> Result<SquarePreparation, Fault> {
        for key in ["do_resize", "do_pad", "do_rescale", "do_normalize"] {
            if config.truth(key)? == Some(false) {
                return Err(config.unsupported(key));
            }
        }
        let size = config.part("size")?;
        for key in ["height", "width"] {
            if let Some(found) = size.count(key, within::SIDE)?.filter(|found| *found != side) {
                let why = format!("`{key}` is {found}, but the model requires {side}");
                return Err(Fault::model(format!("{}: {why}", size.name())));
            }
        }
        Ok(SquarePreparation {
            side,
            factor: config.number("rescale_factor", -1e3..=1e3)?.unwrap_or(1.0 / 255.0),
            mean: config.triple("image_mean", -1e3..=1e3)?.unwrap_or(CLIP_MEAN),
            std: config.triple("image_std", 1e-6..=1e3)?.unwrap_or(CLIP_STD),
        })
    }

    /// The values of a picture, (3, side, side). Fails for a picture without pixels.
    pub(super) fn apply(&self, picture: &RgbImage) -> Result<Vec<f32>, Fault> {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        if width == 0 || height == 0 {
            return Err(Fault::media("the picture has no pixels"));
        }
        let taps = taps(width.max(height), self.side);
        // the padding is 0 and adds nothing
        let within = |length: usize| -> Vec<Taps> {
            taps.iter().map(|taps| taps.iter().copied().filter(|(at, _)| *at < length).collect()).collect()
        };
        let (across, down) = (within(width), within(height));
        let pixels = picture.as_raw().as_slice();
        // The longer direction first: what is between the passes is at most as large as the picture.
        let resized = match height >= width {
            true => columns(&rows(pixels, width, &down), self.side, &across),
            false => rows(&columns(pixels, height, &across), self.side, &down),
        };
        let plane = |c: usize| {
            let (mean, std) = (f64::from(self.mean[c]), f64::from(self.std[c]));
            resized.iter().skip(c).step_by(3).map(move |value| ((value * self.factor - mean) / std) as f32)
        };
        Ok((0..3).flat_map(plane).collect())
    }
}

/// Rows of `width` RGB pixels, (rows, width, 3) -> (taps, width, 3): each new row is a weighted sum of rows.
fn rows<P: Copy + Into<f64>>(pixels: &[P], width: usize, taps: &[Taps]) -> Vec<f64> {
    let mut out = vec![0.0; taps.len() * width * 3];
    for (row, taps) in out.chunks_exact_mut(width * 3).zip(taps) {
        for (at, weight) in taps {
            let from = &pixels[at * width * 3..(at + 1) * width * 3];
            row.iter_mut().zip(from).for_each(|(sum, value)| *sum += weight * (*value).into());
        }
    }
    out
}

/// The same for columns: (height, columns, 3) -> (height, taps, 3).
fn columns<P: Copy + Into<f64>>(pixels: &[P], height: usize, taps: &[Taps]) -> Vec<f64> {
    let mut out = Vec::with_capacity(height * taps.len() * 3);
    for row in pixels.chunks_exact(pixels.len() / height) {
        for taps in taps {
            let sum = |c: usize| taps.iter().map(|(at, weight)| weight * row[at * 3 + c].into()).sum::<f64>();
            out.extend([sum(0), sum(1), sum(2)]);
        }
    }
    out
}

/// What each of `to` places reads of `from` ones: a Gaussian of deviation (from / to − 1) / 2, cut at four deviations,
/// then linear interpolation between the centres. Beyond its edges the input is mirrored at the centre of its last
/// value.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let deviation = ((scale - 1.0) / 2.0).max(0.0);
    // scipy leaves out a filter of no width
    let reach = if deviation > 1e-15 { (4.0 * deviation + 0.5) as i64 } else { 0 };
    let mut kernel: Vec<f64> = match reach {
        0 => vec![1.0],
        _ => (-reach..=reach).map(|x| (-0.5 / (deviation * deviation) * (x * x) as f64).exp()).collect(),
    };
    let sum: f64 = kernel.iter().sum();
    kernel.iter_mut().for_each(|weight| *weight /= sum);
    let last = from as i64 - 1;
    let mirrored = |at: i64| match last {
        0 => 0,
        last => last - (at.rem_euclid(2 * last) - last).abs(),
    };
    let place = |n: usize| {
        let centre = ((n as f64 + 0.5) * scale - 0.5).abs();
        let centre = if centre > last as f64 { (2 * last) as f64 - centre } else { centre }.max(0.0);
        let (first, share) = (centre.floor() as i64, centre.fract());
        let mut taps: Taps = Vec::with_capacity(kernel.len() + 1);
        for (near, part) in [(first, 1.0 - share), (first + 1, share)].into_iter().filter(|(_, part)| *part > 0.0) {
            let near = mirrored(near);
            for (x, weight) in (-reach..=reach).zip(&kernel) {
                let at = mirrored(near + x) as usize;
                match taps.iter_mut().find(|(known, _)| *known == at) {
                    Some((_, known)) => *known += part * weight,
                    None => taps.push((at, part * weight)),
                }
            }
        }
        taps
    };
    (0..to).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_a_place_sum_to_one() {
        for (from, to) in [(1, 4), (5, 5), (7, 4), (4, 7), (500, 3), (2, 64)] {
            for taps in taps(from, to) {
                let sum: f64 = taps.iter().map(|(_, weight)| weight).sum();
                assert!((sum - 1.0).abs() < 1e-12 && taps.iter().all(|(at, _)| *at < from), "{from} -> {to}: {taps:?}");
            }
        }
    }

    #[test]
    fn a_flat_picture_stays_flat_and_the_padding_is_black() {
        let config = |json| Config::new("preprocessor_config.json", json);
        let plain =
            serde_json::json!({ "image_mean": [0, 0, 0], "image_std": [1, 1, 1], "size": { "height": 8, "width": 8 } });
        let preparation = SquarePreparation::read(&config(plain.clone()), 8).expect("read");
        let values = preparation.apply(&RgbImage::from_pixel(40, 20, image::Rgb([255; 3]))).expect("prepared");
        assert!((values[0] - 1.0).abs() < 1e-6 && values[63].abs() < 1e-6, "{values:?}");
        assert!(preparation.apply(&RgbImage::new(0, 0)).is_err());
        let tall = preparation.apply(&RgbImage::new(1, 60_000)).expect("a narrow picture needs little memory");
        assert_eq!(tall.len(), 3 * 64);
        let error = SquarePreparation::read(&config(plain), 16).expect_err("another size").to_string();
        assert!(error.contains("`height` is 8, but the model requires 16"), "{error}");
        let error = SquarePreparation::read(&config(serde_json::json!({ "do_pad": false })), 8).expect_err("off");
        assert!(error.to_string().contains("do_pad"), "{error}");
    }
}
