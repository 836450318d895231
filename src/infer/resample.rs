//! Resizing of 8-bit pictures, bit for bit as in Pillow: a pass over rows and one over columns, with whole numbers
//! between them.
//!
//! Faster libraries use coefficients of 16 bits or fewer and differ in places by one step of 255. This error would
//! change a model's vectors more than all others together. The formulas are those of Pillow's `Resample.c`. `avx2` has
//! faster passes with the same bits for processors with AVX2.

#[cfg(target_arch = "x86_64")]
mod avx2;

use std::{borrow::Cow, f64::consts::PI, ops::Range};

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
/// What a sum starts with, so that it is rounded to nearest.
const HALF: i32 = 1 << (BITS - 1);

/// For each output place: the first input that it reads, and its weights.
struct Taps {
    firsts: Vec<usize>,
    /// (places, count). Zeros follow the weights of a place that reads fewer inputs than another.
    weights: Vec<i32>,
    count: usize,
}

impl Taps {
    fn new(from: usize, to: usize, places: &Range<usize>, filter: Filter) -> Taps {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let centre = |place: usize| (place as f64 + 0.5) * scale;
        let first = |place: usize| (centre(place) - support + 0.5).max(0.0) as usize;
        let end = |place: usize| ((centre(place) + support + 0.5) as usize).min(from);
        let count = places.clone().map(|place| end(place).saturating_sub(first(place))).max().unwrap_or(0);
        let mut weights = vec![0; count * places.len()];
        let mut raw: Vec<f64> = Vec::with_capacity(count);
        for (place, weights) in places.clone().zip(weights.chunks_exact_mut(count.max(1))) {
            raw.clear();
            raw.extend((first(place)..end(place)).map(|x| filter.at((x as f64 - centre(place) + 0.5) / stretch)));
            let sum: f64 = raw.iter().sum();
            for (weight, w) in weights.iter_mut().zip(&raw) {
                let w = (if sum == 0.0 { *w } else { w / sum }) * f64::from(1 << BITS);
                *weight = (if w < 0.0 { w - 0.5 } else { w + 0.5 }) as i32;
            }
        }
        Taps { firsts: places.clone().map(first).collect(), weights, count }
    }

    /// The first input of each place, and its weights.
    fn each(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.firsts.iter().copied().zip(self.weights.chunks_exact(self.count.max(1)))
    }
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
    let needed = Plane::part(pixels, from.0, (&across.reads, &down.reads));
    if height > 0 && height > 2 * width {
        across.rows(down.columns(needed)).packed()
    } else {
        down.columns(across.rows(needed)).packed()
    }
}

/// Rows of RGB pixels.
struct Plane<'a> {
    /// From the first pixel of the first row on. Other pixels may lie between rows and after the last.
    bytes: Cow<'a, [u8]>,
    /// The bytes from the start of a row to the start of the next.
    stride: usize,
    width: usize,
    height: usize,
}

impl<'a> Plane<'a> {
    /// These columns and rows of a picture.
    fn part(pixels: &'a [u8], width: usize, (columns, rows): (&Range<usize>, &Range<usize>)) -> Plane<'a> {
        let bytes = pixels.get(3 * (rows.start * width + columns.start)..).unwrap_or_default();
        Plane { bytes: Cow::Borrowed(bytes), stride: 3 * width, width: columns.len(), height: rows.len() }
    }

    /// A picture for [`Pass::rows`] and [`Pass::columns`] to fill.
    fn black(width: usize, height: usize) -> Plane<'static> {
        Plane { bytes: Cow::Owned(vec![0; 3 * width * height]), stride: 3 * width, width, height }
    }

    /// The bytes of each row from `first` on.
    fn rows(&self, first: usize) -> impl Iterator<Item = &[u8]> {
        let bytes = self.bytes.get(first * self.stride..).unwrap_or_default();
        bytes.chunks(self.stride.max(1)).take(self.height - first).map(|row| &row[..3 * self.width])
    }

    /// The rows without other pixels.
    fn packed(self) -> Vec<u8> {
        if let Cow::Owned(bytes) = self.bytes {
            return bytes;
        }
        let mut packed = Vec::with_capacity(3 * self.width * self.height);
        self.rows(0).for_each(|row| packed.extend_from_slice(row));
        packed
    }
}

/// A pass over one direction.
struct Pass {
    /// The input positions that the pass reads.
    reads: Range<usize>,
    /// The inputs are counted from the start of `reads`. None if the size stays.
    taps: Option<Taps>,
}

impl Pass {
    fn new(from: usize, to: usize, places: &Range<usize>, filter: Filter) -> Pass {
        if from == to {
            return Pass { reads: places.clone(), taps: None };
        }
        let mut taps = Taps::new(from, to, places, filter);
        let first = taps.firsts.iter().copied().min().unwrap_or(0);
        let end = taps.firsts.iter().map(|at| (at + taps.count).min(from)).max().unwrap_or(0);
        taps.firsts.iter_mut().for_each(|at| *at -= first);
        Pass { reads: first..end, taps: Some(taps) }
    }

    /// Changes the width.
    fn rows<'a>(&self, plane: Plane<'a>) -> Plane<'a> {
        let Some(taps) = &self.taps else { return plane };
        let mut out = Plane::black(taps.firsts.len(), plane.height);
        #[cfg(target_arch = "x86_64")]
        if avx2::rows(&plane, taps, out.bytes.to_mut()) {
            return out;
        }
        plain_rows(&plane, taps, out.bytes.to_mut());
        out
    }

    /// Changes the height.
    fn columns<'a>(&self, plane: Plane<'a>) -> Plane<'a> {
        let Some(taps) = &self.taps else { return plane };
        let mut out = Plane::black(plane.width, taps.firsts.len());
        #[cfg(target_arch = "x86_64")]
        if avx2::columns(&plane, taps, out.bytes.to_mut()) {
            return out;
        }
        plain_columns(&plane, taps, out.bytes.to_mut());
        out
    }
}

/// [`Pass::rows`] for any processor.
fn plain_rows(plane: &Plane, taps: &Taps, out: &mut [u8]) {
    for (out, row) in out.chunks_exact_mut((3 * taps.firsts.len()).max(1)).zip(plane.rows(0)) {
        for (out, (first, weights)) in out.as_chunks_mut::<3>().0.iter_mut().zip(taps.each()) {
            let [mut r, mut g, mut b] = [HALF; 3];
            for (pixel, weight) in row[3 * first..].as_chunks::<3>().0.iter().zip(weights) {
                r += i32::from(pixel[0]) * weight;
                g += i32::from(pixel[1]) * weight;
                b += i32::from(pixel[2]) * weight;
            }
            *out = [rounded(r), rounded(g), rounded(b)];
        }
    }
}

/// [`Pass::columns`] for any processor.
fn plain_columns(plane: &Plane, taps: &Taps, out: &mut [u8]) {
    let mut sums = vec![0i32; 3 * plane.width];
    for (out, (first, weights)) in out.chunks_exact_mut(sums.len().max(1)).zip(taps.each()) {
        sums.fill(HALF);
        for (row, weight) in plane.rows(first).zip(weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += i32::from(*value) * weight;
            }
        }
        out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = rounded(*sum));
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
                let cut = Plane::part(&whole, to.0, (&part.0, &part.1)).packed();
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

    #[test]
    fn the_passes_equal_those_for_any_processor() {
        let sizes = [1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 31, 33, 50];
        let filters = [Filter::Lanczos, Filter::Bilinear, Filter::Bicubic, Filter::Box, Filter::Hamming];
        // black and white: sums leave the range of a byte
        let pixels: Vec<u8> = (0..60 * 60 * 3u32).map(|n| if (n * n + n / 7) % 5 < 2 { 255 } else { 0 }).collect();
        for (n, from) in sizes.into_iter().enumerate() {
            for (m, to) in sizes.into_iter().enumerate() {
                let (filter, other) = (filters[(n + m) % filters.len()], sizes[(3 * n + 5 * m) % sizes.len()]);
                let pass = Pass::new(from, to, &(to / 4..to), filter);
                let Some(taps) = &pass.taps else { continue };
                // to the last byte of the picture
                let (read, beside) = (&(60 - pass.reads.len()..60), &(60 - other..60));
                let (across, down) = ((read, beside), (beside, read));
                let mut plain = Plane::black(taps.firsts.len(), other);
                plain_rows(&Plane::part(&pixels, 60, across), taps, plain.bytes.to_mut());
                assert_eq!(pass.rows(Plane::part(&pixels, 60, across)).bytes, plain.bytes, "{from} to {to} × {other}");
                let mut plain = Plane::black(other, taps.firsts.len());
                plain_columns(&Plane::part(&pixels, 60, down), taps, plain.bytes.to_mut());
                assert_eq!(pass.columns(Plane::part(&pixels, 60, down)).bytes, plain.bytes, "{other} × {from} to {to}");
            }
        }
    }
}
