//! Calibration pictures for contrastive models: made-up pictures that show nothing in particular, and variations of
//! photographs.
//!
//! The spectrum of photographs falls with frequency (Field 1987). Noise with such a spectrum represents scenes without
//! content. Stripes, gradients, shapes and flat colours represent walls, skies, screens and covered lenses.

use image::{Rgb, RgbImage, imageops};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The side of a made-up picture, in pixels.
const SIDE: u32 = 128;
/// Octaves of noise; the last one has cells of one pixel.
const OCTAVES: u32 = 7;

/// A random source of pictures; the same seed gives the same pictures.
#[derive(Debug)]
pub struct Pictures(ChaCha8Rng);

impl Pictures {
    /// A source of pictures from a seed.
    pub fn new(seed: u64) -> Pictures {
        Pictures(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A made-up picture; `n` selects noise, gradient, shapes, stripes or a flat colour.
    pub fn made_up(&mut self, n: usize) -> RgbImage {
        match n % 8 {
            0 | 1 => self.noise(),
            2 => self.gradient(),
            3 | 4 => self.shapes(),
            5 => self.stripes(),
            6 => self.grain(),
            _ => self.flat(),
        }
    }

    /// A random part of a photograph with changed contrast, brightness and colours, sometimes grey, blurred or
    /// mirrored.
    pub fn variation(&mut self, photograph: &RgbImage) -> RgbImage {
        let (width, height) = photograph.dimensions();
        let share = self.0.random_range(0.25..1.0);
        let part_width = ((f64::from(width) * share) as u32).max(1);
        let part_height = ((f64::from(part_width) * self.0.random_range(0.55..1.3)) as u32).clamp(1, height);
        let (x, y) = (self.0.random_range(0..=width - part_width), self.0.random_range(0..=height - part_height));
        let part = imageops::crop_imm(photograph, x, y, part_width, part_height).to_image();
        let scale = f64::from(SIDE) / f64::from(part_width.min(part_height));
        let side = |length: u32| ((f64::from(length) * scale) as u32).max(1);
        let mut part = imageops::resize(&part, side(part_width), side(part_height), imageops::FilterType::Triangle);
        if self.0.random_bool(0.5) {
            imageops::flip_horizontal_in_place(&mut part);
        }
        if self.0.random_bool(0.3) {
            part = imageops::blur(&part, self.0.random_range(0.3..2.5));
        }
        self.light(&mut part);
        part
    }

    /// Changes contrast, brightness and tint, and may remove colour or add grain.
    fn light(&mut self, picture: &mut RgbImage) {
        let sum: f64 = picture.pixels().flat_map(|pixel| pixel.0).map(f64::from).sum();
        let mean = sum / (3.0 * picture.pixels().len().max(1) as f64);
        let (contrast, brighter) = (self.0.random_range(0.35..1.25), self.0.random_range(-40.0..40.0));
        let tint: [f64; 3] = std::array::from_fn(|_| 1.0 + self.0.random_range(-0.12..0.12));
        let (grey, grain) = (self.0.random_bool(0.15), [0.0, 0.0, 4.0, 10.0][self.0.random_range(0..4)]);
        for pixel in picture.pixels_mut() {
            let average = pixel.0.iter().map(|v| f64::from(*v)).sum::<f64>() / 3.0;
            for (value, tint) in pixel.0.iter_mut().zip(tint) {
                let from = if grey { average } else { f64::from(*value) };
                let lit = ((from - mean) * contrast + mean + brighter) * if grey { 1.0 } else { tint };
                *value = byte(lit + grain * self.spread());
            }
        }
    }

    /// Noise whose amplitude falls with frequency; the colour channels are more or less correlated.
    fn noise(&mut self) -> RgbImage {
        let falling = self.0.random_range(0.4..1.6f64);
        let colour = self.0.random_range(0.0..1.0);
        let common = self.octaves(falling);
        let own: [Vec<f64>; 3] = std::array::from_fn(|_| self.octaves(falling));
        let (contrast, mean) = (self.0.random_range(15.0..70.0), self.colour());
        RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let at = (y * SIDE + x) as usize;
            Rgb(std::array::from_fn(|c| byte(mean[c] + contrast * ((1.0 - colour) * common[at] + colour * own[c][at]))))
        })
    }

    /// Octaves of smooth noise, each weaker than the coarser one before it; mean 0, deviation about 1.
    fn octaves(&mut self, falling: f64) -> Vec<f64> {
        let mut sum = vec![0.0; (SIDE * SIDE) as usize];
        let mut power = 0.0;
        for octave in 0..OCTAVES {
            let cells = 2u32 << octave;
            let weight = 2f64.powf(-falling * f64::from(octave));
            power += weight * weight;
            let grid: Vec<f64> = (0..(cells + 1) * (cells + 1)).map(|_| self.spread()).collect();
            let cell = f64::from(SIDE) / f64::from(cells);
            for (at, value) in sum.iter_mut().enumerate() {
                let (x, y) = (at as u32 % SIDE, at as u32 / SIDE);
                *value += weight * between(&grid, cells + 1, f64::from(x) / cell, f64::from(y) / cell);
            }
        }
        sum.iter_mut().for_each(|value| *value /= power.sqrt());
        sum
    }

    /// Noise without any structure, as of a camera in the dark: grey or coloured, in cells of a few pixels.
    fn grain(&mut self) -> RgbImage {
        let (mean, deviation) = (self.colour(), self.0.random_range(8.0..100.0));
        let (grey, cell) = (self.0.random_bool(0.5), self.0.random_range(1..5));
        let across = SIDE / cell + 1;
        let cells: Vec<[f64; 3]> = (0..across * across).map(|_| [0; 3].map(|_| self.spread())).collect();
        RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let noise = cells[(y / cell * across + x / cell) as usize];
            let channel = |c: usize| if grey { mean[0] + deviation * noise[0] } else { mean[c] + deviation * noise[c] };
            Rgb(std::array::from_fn(|c| byte(channel(c))))
        })
    }

    fn gradient(&mut self) -> RgbImage {
        let (from, to) = (self.colour(), self.colour());
        let turn = self.0.random_range(0.0..std::f64::consts::TAU);
        let grain = self.0.random_range(0.0..12.0);
        let mut picture = RgbImage::new(SIDE, SIDE);
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let (x, y) = (f64::from(x) / f64::from(SIDE) - 0.5, f64::from(y) / f64::from(SIDE) - 0.5);
            let share = (x * turn.cos() + y * turn.sin() + 0.5).clamp(0.0, 1.0);
            let grain = grain * self.spread();
            pixel.0 = std::array::from_fn(|c| byte(from[c] * (1.0 - share) + to[c] * share + grain));
        }
        picture
    }

    /// Blurred rectangles, ellipses and strokes over a gradient or noise.
    fn shapes(&mut self) -> RgbImage {
        let mut picture = if self.0.random_bool(0.5) { self.noise() } else { self.gradient() };
        for _ in 0..self.0.random_range(2..25) {
            let colour = self.colour();
            let side = f64::from(SIDE);
            let (x, y) = (self.0.random_range(-0.2..1.0) * side, self.0.random_range(-0.2..1.0) * side);
            let (width, height) = (self.0.random_range(0.03..0.7) * side, self.0.random_range(0.03..0.7) * side);
            let (round, lean) = (self.0.random_bool(0.5), self.0.random_range(-0.5..0.5));
            for (px, py, pixel) in picture.enumerate_pixels_mut() {
                let v = (f64::from(py) - y) / height;
                let u = (f64::from(px) - x) / width + lean * v;
                let inside = match round {
                    true => (u - 0.5).powi(2) + (v - 0.5).powi(2) < 0.25,
                    false => (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v),
                };
                if inside {
                    pixel.0 = colour.map(byte);
                }
            }
        }
        imageops::blur(&picture, self.0.random_range(0.1..3.0))
    }

    fn stripes(&mut self) -> RgbImage {
        let waves: Vec<[f64; 4]> = (0..self.0.random_range(1..4))
            .map(|_| {
                let turn = self.0.random_range(0.0..std::f64::consts::PI);
                let often = self.0.random_range(0.02..0.4);
                [often * turn.cos(), often * turn.sin(), self.0.random_range(0.0..6.0), self.0.random_range(0.0..3.0)]
            })
            .collect();
        let (mean, swing) = (self.colour(), [0; 3].map(|_| self.0.random_range(-50.0..50.0)));
        let grain = self.0.random_range(0.0..15.0);
        let mut picture = RgbImage::new(SIDE, SIDE);
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let (x, y) = (f64::from(x), f64::from(y));
            let wave = |[a, b, start, bend]: &[f64; 4]| (a * x + b * y + start + bend * (0.05 * y).sin()).sin();
            let height: f64 = waves.iter().map(wave).sum();
            let grain = grain * self.spread();
            pixel.0 = std::array::from_fn(|c| byte(mean[c] + swing[c] * height + grain));
        }
        picture
    }

    fn flat(&mut self) -> RgbImage {
        let colour = match self.0.random_range(0..6) {
            0 => [0.0; 3],
            1 => [255.0; 3],
            2 => [128.0; 3],
            _ => self.colour(),
        };
        RgbImage::from_pixel(SIDE, SIDE, Rgb(colour.map(byte)))
    }

    fn colour(&mut self) -> [f64; 3] {
        std::array::from_fn(|_| self.0.random_range(0.0..255.0))
    }

    /// A random number with a nearly normal distribution: mean 0, deviation 1.
    fn spread(&mut self) -> f64 {
        (0..4).map(|_| self.0.random_range(-1.0..1.0)).sum::<f64>() * 0.866
    }
}

/// Bilinear interpolation in a grid of `across` columns.
fn between(grid: &[f64], across: u32, x: f64, y: f64) -> f64 {
    let (column, row) = (x as u32, y as u32);
    let (u, v) = (x - f64::from(column), y - f64::from(row));
    let at = |dx: u32, dy: u32| grid[((row + dy).min(across - 1) * across + (column + dx).min(across - 1)) as usize];
    (at(0, 0) * (1.0 - u) + at(1, 0) * u) * (1.0 - v) + (at(0, 1) * (1.0 - u) + at(1, 1) * u) * v
}

fn byte(value: f64) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_pictures_and_they_differ_among_themselves() {
        let draw = |seed| {
            let mut pictures = Pictures::new(seed);
            (0..16).map(|n| pictures.made_up(n)).collect::<Vec<_>>()
        };
        let first = draw(1);
        assert_eq!(first, draw(1));
        assert_ne!(first, draw(2));
        assert!((0..16).all(|n| (0..n).all(|m| first[n] != first[m])));
    }

    #[test]
    fn photographs_of_any_size_are_varied() {
        let mut pictures = Pictures::new(1);
        for (width, height) in [(1, 1), (3, 500), (500, 3), (640, 480)] {
            let photograph = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 90]));
            let varied = pictures.variation(&photograph);
            assert!(varied.width() >= 1 && varied.height() >= 1, "{width}×{height}");
        }
    }
}
