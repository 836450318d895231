//! From blocks to pixels: planes of samples are upsampled as in libjpeg and converted to red, green and blue.

use super::{Component, Frame, block};

/// The samples of one component, upsampled to the size of the picture, row by row. `None` if the component lacks its
/// table or the sampling factors do not divide.
pub(super) fn plane(component: &Component, frame: &Frame) -> Option<Vec<u8>> {
    let table = component.table?;
    let stride = 8 * component.across;
    let mut samples = vec![0; component.coefficients.len()];
    for (n, coefficients) in component.coefficients.chunks_exact(64).enumerate() {
        let from = n / component.across * 8 * stride + n % component.across * 8;
        for (y, row) in block::samples(coefficients, &table).chunks_exact(8).enumerate() {
            samples[from + y * stride..][..8].copy_from_slice(row);
        }
    }
    let most = |side: fn(&Component) -> usize| frame.components.iter().map(side).max().unwrap_or(1);
    let (h, v) = (most(|c| c.h), most(|c| c.v));
    if h % component.h != 0 || v % component.v != 0 {
        return None;
    }
    let source = Source { samples, stride, width: component.width, height: component.height };
    let mut out = Vec::with_capacity(frame.width * frame.height);
    let mut wide = Vec::new();
    for y in 0..frame.height {
        wide.clear();
        source.row(y, h / component.h, v / component.v, &mut wide);
        out.extend_from_slice(wide.get(..frame.width)?);
    }
    Some(out)
}

struct Source {
    samples: Vec<u8>,
    stride: usize,
    width: usize,
    height: usize,
}

impl Source {
    fn line(&self, y: usize) -> &[u8] {
        &self.samples[y * self.stride..][..self.width]
    }

    /// Appends row `y` of the picture; the plane has one sample for `h`·`v` pixels. Doubled sides use a triangle
    /// filter: three parts of the nearest sample, one of the next. Rounding alternates where libjpeg's does.
    fn row(&self, y: usize, h: usize, v: usize, out: &mut Vec<u8>) {
        let near = self.line(y / v);
        // the next nearest row; the outer rows are their own neighbours
        let next = || match y % 2 {
            0 => self.line((y / 2).saturating_sub(1)),
            _ => self.line((y / 2 + 1).min(self.height - 1)),
        };
        match (h, v) {
            (1, 1) => out.extend_from_slice(near),
            (2, 1) if self.width > 2 => {
                let near: Vec<u32> = near.iter().map(|s| u32::from(*s)).collect();
                spread(&near, 1, [1, 2], out);
            }
            (2, 2) if self.width > 2 => {
                let sums: Vec<u32> = near.iter().zip(next()).map(|(a, b)| 3 * u32::from(*a) + u32::from(*b)).collect();
                spread(&sums, 4, [8, 7], out);
            }
            (1, 2) => {
                let more = 1 + (y % 2) as u32;
                out.extend(
                    near.iter().zip(next()).map(|(a, b)| ((3 * u32::from(*a) + u32::from(*b) + more) >> 2) as u8),
                );
            }
            _ => out.extend(near.iter().flat_map(|sample| std::iter::repeat_n(*sample, h))),
        }
    }
}

/// Doubles the number of values: each gives one value that leans to its left neighbour and one that leans to its right.
/// `values` are samples times `unit`; `round` is added before the division. The outer values are their own neighbours.
fn spread(values: &[u32], unit: u32, round: [u32; 2], out: &mut Vec<u8>) {
    let shift = 2 + unit.trailing_zeros();
    let last = values.len() - 1;
    for (n, value) in values.iter().enumerate() {
        let (left, right) = (values[n.saturating_sub(1)], values[(n + 1).min(last)]);
        out.push(((3 * value + left + round[0]) >> shift) as u8);
        out.push(((3 * value + right + round[1]) >> shift) as u8);
    }
}

/// Joins planes to RGB pixels. The planes are grey, or red, green and blue (`plain`), or luma and chroma.
pub(super) fn join(planes: &[Vec<u8>], plain: bool) -> Vec<u8> {
    let [luma, blue, red] = planes else {
        return planes.first().into_iter().flatten().flat_map(|grey| [*grey; 3]).collect();
    };
    let all = luma.iter().zip(blue).zip(red);
    if plain {
        return all.flat_map(|((r, g), b)| [*r, *g, *b]).collect();
    }
    let half = 1 << 15;
    let fixed = |value: f64| (value * 65536.0 + 0.5) as i32;
    let (red_r, blue_b, red_g, blue_g) = (fixed(1.402), fixed(1.772), fixed(0.714_14), fixed(0.344_14));
    let byte = |value: i32| value.clamp(0, 255) as u8;
    all.flat_map(|((y, b), r)| {
        let (y, b, r) = (i32::from(*y), i32::from(*b) - 128, i32::from(*r) - 128);
        [
            byte(y + ((red_r * r + half) >> 16)),
            byte(y + ((half - blue_g * b - red_g * r) >> 16)),
            byte(y + ((blue_b * b + half) >> 16)),
        ]
    })
    .collect()
}
