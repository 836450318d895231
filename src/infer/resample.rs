//! Resizing of 8-bit pictures, bit for bit as in Pillow: a pass over rows and one over columns, with whole numbers
//! between them.
//!
//! Faster libraries use coefficients of 16 bits or fewer and differ in places by one step of 255. This error would
//! change a model's vectors more than all others together. The formulas are those of Pillow's `Resample.c`.

use std::{f64::consts::PI, ops::Range};

/// A filter kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// Lanczos, three lobes.
    Lanczos,
    /// Triangle.
    Bilinear,
    /// Cubic with a = −½.
    Bicubic,
    /// The mean of an area.
    Box,
    /// Hamming-windowed sinc, one lobe.
    Hamming,
}

impl Filter {
    /// The filter with Pillow's number, as in `resample` of a `preprocessor_config.json`.
    pub fn numbered(number: usize) -> Result<Filter, String> {
        match number {
            1 => Ok(Filter::Lanczos),
            2 => Ok(Filter::Bilinear),
            3 => Ok(Filter::Bicubic),
            4 => Ok(Filter::Box),
            5 => Ok(Filter::Hamming),
            0 => Ok(Filter::Nearest),
            other => Err(format!("unknown resample filter {other}")),
        }
    }

    /// Half the width of the kernel, in pixels.
    fn support(self) -> f64 {
        match self {
            Filter::Lanczos => 3.0,
            Filter::Bicubic => 2.0,
            Filter::Bilinear | Filter::Hamming => 1.0,
            Filter::Box | Filter::Nearest => 0.5,
        }
    }

    fn at(self, x: f64) -> f64 {
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
        let a = x.abs();
        match self {
            Filter::Box if x > -0.5 && x <= 0.5 => 1.0,
            Filter::Bilinear if a < 1.0 => 1.0 - a,
            Filter::Hamming if a < 1.0 => sinc(a) * (0.54 + 0.46 * (a * PI).cos()),
            Filter::Bicubic if a < 1.0 => (1.5 * a - 2.5) * a * a + 1.0,
            Filter::Bicubic if a < 2.0 => ((-0.5 * a + 2.5) * a - 4.0) * a + 2.0,
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            _ => 0.0,
        }
    }
}

/// Fractional bits of a coefficient: of 32 bits, 8 are for the value and 2 are headroom.
const BITS: u32 = 32 - 8 - 2;

/// For each of the output `places`: the first input that it reads, and the weights from there.
fn weights(from: usize, to: usize, places: &Range<usize>, filter: Filter) -> Vec<(usize, Vec<i32>)> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    let place = |n: usize| {
        let centre = (n as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let raw: Vec<f64> = (first..end).map(|x| filter.at((x as f64 - centre + 0.5) / stretch)).collect();
        let sum: f64 = raw.iter().sum();
        let fixed = |w: f64| {
            let w = (if sum == 0.0 { w } else { w / sum }) * f64::from(1 << BITS);
            (if w < 0.0 { w - 0.5 } else { w + 0.5 }) as i32
        };
        (first, raw.into_iter().map(fixed).collect())
    };
    places.clone().map(place).collect()
}

fn rounded(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// Resizes RGB pixels, (height, width, 3) in row-major order, from one (width, height) to another. Only `part` of the
/// result is computed: these columns and rows.
///
/// The part equals the same part of the whole result, and its cost depends on its own size. This matters for a picture
/// of 1 × n pixels: resizing its shortest edge to 224 would give 224 × 224 n pixels.
pub fn resample(
    pixels: &[u8],
    from: (usize, usize),
    to: (usize, usize),
    part: (&Range<usize>, &Range<usize>),
    filter: Filter,
) -> Vec<u8> {
    if filter == Filter::Nearest {
        return nearest(pixels, from, to, part);
    }
    let across = Pass::new(from.0, to.0, part.0, filter);
    let down = Pass::new(from.1, to.1, part.1, filter);
    // The order of the passes changes the result, because values are rounded between them. Pillow 13 takes columns
    // first if the height shrinks more than twice as much as the width (observed in 5,198 random sizes). Older versions
    // take rows first.
    let (width, height) = (from.0 as i64 - to.0 as i64, from.1 as i64 - to.1 as i64);
    let needed = Plane { pixels, width: from.0 }.cut(&across.reads, &down.reads);
    if height > 0 && height > 2 * width {
        across.rows(down.columns(needed)).pixels
    } else {
        down.columns(across.rows(needed)).pixels
    }
}

/// Rows of RGB pixels.
struct Plane<P> {
    pixels: P,
    width: usize,
}

impl Plane<&[u8]> {
    /// A copy of these columns and rows.
    fn cut(&self, columns: &Range<usize>, rows: &Range<usize>) -> Plane<Vec<u8>> {
        let mut pixels = Vec::with_capacity(3 * columns.len() * rows.len());
        for row in rows.clone() {
            let at = |column: usize| 3 * (row * self.width + column);
            pixels.extend_from_slice(&self.pixels[at(columns.start)..at(columns.end)]);
        }
        Plane { pixels, width: columns.len() }
    }
}

/// A pass over one direction.
struct Pass {
    /// The input positions that the pass reads.
    reads: Range<usize>,
    /// For each output position: the first input, counted from the start of `reads`, and the weights. None if the size
    /// stays.
    weights: Option<Vec<(usize, Vec<i32>)>>,
}

impl Pass {
    fn new(from: usize, to: usize, places: &Range<usize>, filter: Filter) -> Pass {
        if from == to {
            return Pass { reads: places.clone(), weights: None };
        }
        let mut weights = weights(from, to, places, filter);
        let first = weights.iter().map(|(first, _)| *first).min().unwrap_or(0);
        let end = weights.iter().map(|(first, weights)| first + weights.len()).max().unwrap_or(0);
        weights.iter_mut().for_each(|(at, _)| *at -= first);
        Pass { reads: first..end, weights: Some(weights) }
    }

    /// Changes the width.
    fn rows(&self, plane: Plane<Vec<u8>>) -> Plane<Vec<u8>> {
        let Some(weights) = &self.weights else { return plane };
        let mut out = Vec::with_capacity(plane.pixels.len() / plane.width.max(1) * weights.len());
        for row in plane.pixels.chunks_exact(3 * plane.width.max(1)) {
            for (first, weights) in weights {
                let mut sums = [1i32 << (BITS - 1); 3];
                for (pixel, weight) in row[3 * first..].chunks_exact(3).zip(weights) {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += i32::from(*value) * weight;
                    }
                }
                out.extend(sums.map(rounded));
            }
        }
        Plane { pixels: out, width: weights.len() }
    }

    /// Changes the height.
    fn columns(&self, plane: Plane<Vec<u8>>) -> Plane<Vec<u8>> {
        let Some(weights) = &self.weights else { return plane };
        let row_bytes = 3 * plane.width;
        let mut out = Vec::with_capacity(row_bytes * weights.len());
        let mut sums = vec![0i32; row_bytes];
        for (first, weights) in weights {
            sums.fill(1 << (BITS - 1));
            for (row, weight) in plane.pixels[row_bytes * first..].chunks_exact(row_bytes.max(1)).zip(weights) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += i32::from(*value) * weight;
                }
            }
            out.extend(sums.iter().map(|sum| rounded(*sum)));
        }
        Plane { pixels: out, width: plane.width }
    }
}

/// Resizes with the nearest pixel. Positions are added up step by step as in Pillow, because rounding decides which
/// pixel is the nearest.
fn nearest(pixels: &[u8], from: (usize, usize), to: (usize, usize), part: (&Range<usize>, &Range<usize>)) -> Vec<u8> {
    let places = |from: usize, to: usize, part: &Range<usize>| -> Vec<usize> {
        let step = from as f64 / to as f64;
        let mut at = step * 0.5;
        let mut next = || {
            let place = (at as usize).min(from - 1);
            at += step;
            place
        };
        (0..part.end).map(|_| next()).skip(part.start).collect()
    };
    let (columns, rows) = (places(from.0, to.0, part.0), places(from.1, to.1, part.1));
    let mut out = Vec::with_capacity(3 * columns.len() * rows.len());
    for row in rows {
        for column in &columns {
            let at = 3 * (row * from.0 + column);
            out.extend_from_slice(&pixels[at..at + 3]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_passes_have_the_order_of_pillow() {
        // Image.fromarray((np.arange(n * 3).reshape(h, w, 3) ** 2 % 251).astype("uint8")).resize((3, 2), 3), Pillow 13
        let check = |from: (usize, usize)| -> Vec<u8> {
            let pixels: Vec<u8> = (0..from.0 * from.1 * 3).map(|n| (n * n % 251) as u8).collect();
            resample(&pixels, from, (3, 2), (&(0..3), &(0..2)), Filter::Bicubic).into_iter().step_by(3).collect()
        };
        assert_eq!(check((7, 5)), [72, 119, 108, 89, 134, 89]);
        assert_eq!(check((4, 11)), [87, 106, 113, 95, 80, 135]);
    }

    #[test]
    fn a_part_equals_the_same_part_of_the_whole() {
        let filters =
            [Filter::Lanczos, Filter::Bilinear, Filter::Bicubic, Filter::Box, Filter::Hamming, Filter::Nearest];
        for (from, to) in
            [((7, 5), (30, 21)), ((31, 40), (9, 11)), ((1, 90), (8, 720)), ((50, 3), (50, 9)), ((4, 60), (3, 2))]
        {
            let pixels: Vec<u8> = (0..from.0 * from.1 * 3).map(|n| (n * n % 251) as u8).collect();
            let part = (to.0 / 3..to.0 - to.0 / 4, to.1 / 2..to.1);
            for filter in filters {
                let whole = resample(&pixels, from, to, (&(0..to.0), &(0..to.1)), filter);
                let cut = Plane { pixels: whole.as_slice(), width: to.0 }.cut(&part.0, &part.1).pixels;
                assert_eq!(resample(&pixels, from, to, (&part.0, &part.1), filter), cut, "{from:?} {to:?} {filter:?}");
            }
        }
    }

    #[test]
    fn flat_pictures_stay_flat_and_edges_equal_pillow() {
        let check = |values: &[u8], to: usize, filter: Filter| -> Vec<u8> {
            let pixels: Vec<u8> = values.iter().flat_map(|v| [*v; 3]).collect();
            resample(&pixels, (values.len(), 1), (to, 1), (&(0..to), &(0..1)), filter).into_iter().step_by(3).collect()
        };
        for filter in [Filter::Lanczos, Filter::Bilinear, Filter::Bicubic, Filter::Box, Filter::Hamming] {
            assert_eq!(check(&[77; 9], 4, filter), [77; 4]);
        }
        // Image.fromarray(np.array([[0, 255, 0, 255]], "uint8")).resize((8, 1), n), Pillow 13
        assert_eq!(check(&[0, 255, 0, 255], 5, Filter::Nearest), [0, 255, 0, 0, 255]);
        assert_eq!(check(&[0, 255, 0, 255], 8, Filter::Bilinear), [0, 64, 191, 191, 64, 64, 191, 255]);
    }
}
