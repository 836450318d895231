//! The windows of convolutions and poolings over a picture.

use candle_core::{Result, bail};

/// The padding around a picture before a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// This many zeros on each side.
    Each(usize),
    /// TensorFlow's `SAME`: as many zeros as the stride needs, the odd one at the end.
    Same,
}

/// The window of a convolution or a pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The side of the kernel.
    pub kernel: usize,
    /// The step from one window to the next.
    pub stride: usize,
    /// The step from one cell of the kernel to the next.
    pub dilation: usize,
    /// The padding.
    pub padding: Padding,
}

impl Window {
    /// A window of one pixel.
    pub const POINT: Window = Window { kernel: 1, stride: 1, dilation: 1, padding: Padding::Each(0) };

    /// A window with zeros on each side, so that a stride of 1 keeps the size.
    pub fn centred(kernel: usize, stride: usize) -> Window {
        Window { kernel, stride, dilation: 1, padding: Padding::Each(kernel / 2) }
    }

    /// The pixels between the first and the last cell of the kernel, plus one.
    fn reach(self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// The zeros before and after `length` pixels, and the number of windows.
    fn along(self, length: usize) -> Result<(usize, usize, usize)> {
        let (before, after) = match self.padding {
            Padding::Each(each) => (each, each),
            Padding::Same => {
                let windows = length.div_ceil(self.stride);
                let all = (windows.saturating_sub(1) * self.stride + self.reach()).saturating_sub(length);
                (all / 2, all - all / 2)
            }
        };
        match (before + length + after).checked_sub(self.reach()) {
            Some(rest) if length > 0 => Ok((before, after, rest / self.stride + 1)),
            _ => bail!("the picture is too small: {length} pixels remain for a window of {}", self.reach()),
        }
    }

    /// The grids of both directions. Fails if the picture is too small.
    pub(super) fn grid(self, height: usize, width: usize) -> Result<Grid> {
        let (top, bottom, rows) = self.along(height)?;
        let (left, right, columns) = self.along(width)?;
        Ok(Grid { window: self, height, width, pads: [top, bottom, left, right], rows, columns })
    }
}

/// The windows over one picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) window: Window,
    pub(super) height: usize,
    pub(super) width: usize,
    /// Top, bottom, left, right.
    pub(super) pads: [usize; 4],
    /// Windows from top to bottom.
    pub(super) rows: usize,
    /// Windows from left to right.
    pub(super) columns: usize,
}

impl Grid {
    /// The pixel under cell `cell` of window `at` in a direction of `length` pixels; none in the padding.
    fn pixel(&self, at: usize, cell: usize, before: usize, length: usize) -> Option<usize> {
        let padded = at * self.window.stride + cell * self.window.dilation;
        padded.checked_sub(before).filter(|pixel| *pixel < length)
    }

    /// Calls `each` with the cell and the pixel for every cell of a window that lies on the picture.
    pub(super) fn cells(&self, row: usize, column: usize, mut each: impl FnMut(usize, usize)) {
        let kernel = self.window.kernel;
        for y in 0..kernel {
            let Some(from_row) = self.pixel(row, y, self.pads[0], self.height) else { continue };
            for x in 0..kernel {
                if let Some(from) = self.pixel(column, x, self.pads[2], self.width) {
                    each(y * kernel + x, from_row * self.width + from);
                }
            }
        }
    }

    pub(super) fn windows(&self) -> usize {
        self.rows * self.columns
    }
}
