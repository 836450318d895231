//! Quantised matrices on a CPU, held once.
//!
//! candle 0.11.1 keeps a second copy of a quantised matrix in a layout for wide instructions, from its first use on. This
//! type multiplies without one. Few rows of activations (decoding) are multiplied with the blocks as they are. For many
//! rows (a prompt), a piece of the matrix is packed by candle, or dequantised, and dropped after use: packing costs little
//! beside a product with many rows.
//!
//! Both ways round the activations in the same way, so that a row's result does not depend on the number of rows. candle
//! has no fast product for Q4_1 and Q5_1: these are always dequantised, and their activations are not rounded.

use super::linear::{PIECE, in_parallel};
use candle_core::{
    Device, Result, Tensor, bail,
    quantized::{GgmlDType, QStorage, QTensor},
};
use std::{borrow::Cow, ops::Range};

/// A quantised matrix, (output, input).
#[derive(Debug)]
pub struct Quantised {
    tiles: Vec<Tile>,
    dtype: GgmlDType,
    dims: (usize, usize),
}

/// Neighbouring rows of a matrix.
#[derive(Debug)]
struct Tile {
    /// The rows, and a row of zeros if their number is even: candle packs only matrices of an even number of rows.
    blocks: QTensor,
    rows: usize,
}

/// Up to this many rows of activations are multiplied with the blocks as they are.
const FEW: usize = 16;

/// A block of 32 values in a file: one scale of two bytes, four bytes of fifth bits, 16 bytes of four bits for two values.
const Q5_0_BYTES: usize = 22;

/// The type that a matrix of `dtype` is held in. candle has no fast product for Q5_0; Q8_0 represents each of its values
/// exactly.
pub fn held_as(dtype: GgmlDType) -> GgmlDType {
    if dtype == GgmlDType::Q5_0 { GgmlDType::Q8_0 } else { dtype }
}

impl Quantised {
    /// A matrix of `dims`, (output, input), whose blocks in the file have the type `stored`. `read` gives the bytes of a
    /// range of rows; the whole matrix is never in memory twice.
    pub fn read(
        stored: GgmlDType,
        dims: (usize, usize),
        mut read: impl FnMut(Range<usize>) -> Result<Vec<u8>>,
    ) -> Result<Quantised> {
        let ((n, k), dtype) = (dims, held_as(stored));
        if !k.is_multiple_of(dtype.block_size()) {
            bail!("rows of {k} values cannot be cut into blocks of {}", dtype.block_size())
        }
        let step = tile_rows(k);
        let mut tiles = Vec::with_capacity(n.div_ceil(step));
        for at in (0..n).step_by(step) {
            let rows = step.min(n - at);
            let mut bytes = read(at..at + rows)?;
            if stored == GgmlDType::Q5_0 {
                bytes = bytes.chunks_exact(Q5_0_BYTES).flat_map(as_q8_0).collect();
            }
            let padded = rows | 1;
            bytes.resize(padded * row_bytes(dtype, k), 0);
            let storage = QStorage::from_data(Cow::Owned(bytes), &Device::Cpu, dtype)?;
            tiles.push(Tile { blocks: QTensor::new(storage, (padded, k))?, rows });
        }
        Ok(Quantised { tiles, dtype, dims })
    }

    /// (output, input)
    pub fn dims(&self) -> (usize, usize) {
        self.dims
    }

    /// x·Wᵀ for `x` (m, input) in f32: (m, output).
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let m = x.dim(0)?;
        let tiles: Vec<Tensor> = if m <= FEW && self.has_product() {
            let few = |tile: &Tile| x.apply_op1_no_bwd(&tile.blocks)?.narrow(1, 0, tile.rows);
            self.tiles.iter().map(few).collect::<Result<_>>()?
        } else if self.is_packed() {
            self.tiles.iter().map(|tile| tile.packed(x, self.dims.1)).collect::<Result<_>>()?
        } else {
            self.dequantised(x)?
        };
        match tiles.as_slice() {
            [one] => Ok(one.clone()),
            _ => Tensor::cat(&tiles, 1),
        }
    }

    /// True if candle multiplies the blocks of the matrix quickly.
    fn has_product(&self) -> bool {
        !matches!(self.dtype, GgmlDType::Q4_1 | GgmlDType::Q5_1)
    }

    /// True if candle packs the matrix and then rounds activations as it does for few rows.
    fn is_packed(&self) -> bool {
        matches!(self.dtype, GgmlDType::Q4K | GgmlDType::Q6K) && self.tiles.iter().all(|tile| tile.rows % 16 == 0)
    }

    /// The products of all tiles with dequantised values; a few tiles at once.
    fn dequantised(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        const AT_ONCE: usize = 4;
        let rounded = match self.has_product() {
            true => QTensor::quantize(x, activations(self.dtype))?.dequantize(&Device::Cpu)?,
            false => x.clone(),
        };
        let mut products = Vec::with_capacity(self.tiles.len());
        for tiles in self.tiles.chunks(AT_ONCE) {
            let mut wide: Vec<Option<Result<Tensor>>> = tiles.iter().map(|_| None).collect();
            let values = tiles.len() * tile_rows(self.dims.1) * self.dims.1;
            in_parallel(values, &mut wide, 1, |n, out| out[0] = Some(tiles[n].blocks.dequantize(&Device::Cpu)));
            for (tile, wide) in tiles.iter().zip(wide) {
                let Some(wide) = wide.transpose()? else { bail!("a tile was not dequantised: this is a bug") };
                products.push(rounded.matmul(&wide.narrow(0, 0, tile.rows)?.t()?)?);
            }
        }
        Ok(products)
    }

    /// The rows of `ids`, dequantised: (ids, input).
    pub fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        let step = tile_rows(self.dims.1);
        let row = |id: &u32| {
            let id = *id as usize;
            if id >= self.dims.0 {
                bail!("the token {id} is beyond the table of {} rows", self.dims.0)
            }
            self.tiles[id / step].blocks.embedding(&Tensor::new(&[(id % step) as u32], &Device::Cpu)?)
        };
        Tensor::cat(&ids.iter().map(row).collect::<Result<Vec<_>>>()?, 0)
    }
}

impl Tile {
    /// The product with a copy of the tile that candle packs.
    fn packed(&self, x: &Tensor, k: usize) -> Result<Tensor> {
        let (dtype, bytes) = (self.blocks.dtype(), self.blocks.data()?);
        let bytes = &bytes[..self.rows * row_bytes(dtype, k)];
        let copy = QStorage::from_data(Cow::Borrowed(bytes), &Device::Cpu, dtype)?;
        x.apply_op1_no_bwd(&QTensor::new(copy, (self.rows, k))?)
    }
}

/// The rows of a tile, a multiple of 16, for rows of `k` values.
fn tile_rows(k: usize) -> usize {
    (PIECE / k.max(1) / 16).max(1) * 16
}

/// The bytes of a row of `k` values.
fn row_bytes(dtype: GgmlDType, k: usize) -> usize {
    k / dtype.block_size() * dtype.type_size()
}

/// The type that candle rounds activations to before it multiplies them with blocks of `dtype` (`VecDotType` in its
/// `k_quants.rs`).
fn activations(dtype: GgmlDType) -> GgmlDType {
    match dtype.block_size() {
        256 => GgmlDType::Q8K,
        _ => GgmlDType::Q8_0,
    }
}

/// A block of Q5_0 as one of Q8_0, with the same scale. The values are the same.
fn as_q8_0(block: &[u8]) -> impl Iterator<Item = u8> {
    let high = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
    let value = |n: usize| {
        let four = if n < 16 { block[6 + n] & 15 } else { block[6 + n - 16] >> 4 };
        let five = four | (((high >> n) & 1) as u8) << 4;
        five.wrapping_sub(16)
    };
    let values: [u8; 32] = std::array::from_fn(value);
    [block[0], block[1]].into_iter().chain(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use GgmlDType::{Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
    use candle_core::{Module, quantized::QMatMul};

    const TYPES: [GgmlDType; 10] = [Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0];

    fn wave(shape: (usize, usize), step: f32) -> Tensor {
        let values: Vec<f32> = (0..shape.0 * shape.1).map(|i| (i as f32 * step).sin() * 3.0).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn held(stored: &QTensor) -> Quantised {
        let (dims, bytes) = (stored.shape().dims2().unwrap(), stored.data().unwrap());
        let row = row_bytes(stored.dtype(), dims.1);
        Quantised::read(stored.dtype(), dims, |rows| Ok(bytes[rows.start * row..rows.end * row].to_vec())).unwrap()
    }

    /// The length of the difference as a share of the length.
    fn off(a: &Tensor, b: &Tensor) -> f32 {
        let length = |x: &Tensor| x.sqr().unwrap().sum_all().unwrap().to_vec0::<f32>().unwrap().sqrt();
        length(&(a - b).unwrap()) / length(b)
    }

    #[test]
    fn a_matrix_held_once_multiplies_as_candles() {
        for dtype in TYPES {
            for n in [1, 30, 48] {
                let stored = QTensor::quantize(&wave((n, 512), 0.37), dtype).unwrap();
                let ours = held(&stored);
                let candles = QMatMul::from_qtensor(QTensor::quantize(&wave((n, 512), 0.37), dtype).unwrap()).unwrap();
                let x = wave((40, 512), 0.011);
                let many = ours.forward(&x).unwrap();
                // Both round activations, some types in other blocks.
                let off_candle = off(&many, &candles.forward(&x).unwrap());
                assert!(off_candle < 0.05, "{dtype:?} {n}: {off_candle}");
                // A row's result does not depend on the number of rows.
                for m in [1, 3, FEW] {
                    let few = ours.forward(&x.narrow(0, 0, m).unwrap()).unwrap();
                    let off_few = off(&few, &many.narrow(0, 0, m).unwrap());
                    assert!(off_few < 1e-4, "{dtype:?} {n}, {m} rows: {off_few}");
                }
            }
        }
    }

    #[test]
    fn rows_of_all_tiles_are_dequantised() {
        let n = tile_rows(512) + 5;
        for dtype in [Q5_0, Q6K] {
            let stored = QTensor::quantize(&wave((n, 512), 0.37), dtype).unwrap();
            let ids = [0, n as u32 - 1, 7, tile_rows(512) as u32];
            let rows = held(&stored).rows(&ids).unwrap();
            let all = stored.dequantize(&Device::Cpu).unwrap();
            assert_eq!(off(&rows, &all.index_select(&Tensor::new(&ids, &Device::Cpu).unwrap(), 0).unwrap()), 0.0);
            assert!(held(&stored).rows(&[n as u32]).is_err());
        }
    }
}
