//! Quantised matrices on a CPU, held once.
//!
//! candle 0.11.1 keeps a second copy of a quantised matrix in a layout for wide instructions, from its first use on. A
//! matrix here has one of three forms. The packed one is candle's second copy alone (`packed`); its products are candle's. Q8_0 that
//! candle does not pack has products of our own (`eights`). All other matrices are held as the blocks of the file. Few rows of
//! activations (decoding) are multiplied with the blocks as they are. For many rows (a prompt), pieces of the matrix are packed
//! by candle or dequantised, and dropped after use.
//!
//! All ways round the activations in the same way, so that a row's result does not depend on the number of rows. candle
//! has no fast product for Q4_1 and Q5_1: these are always dequantised, and their activations are not rounded.

#[cfg_attr(not(target_arch = "x86_64"), path = "eights_elsewhere.rs")]
mod eights;
mod packed;

use super::{
    dense,
    linear::{PIECE, in_parallel},
};
use candle_core::{
    Device, Result, Tensor, bail,
    quantized::{GgmlDType, QStorage, QTensor},
};
use eights::Eights;
use packed::{GROUP, Kernel};
use std::{borrow::Cow, fmt, ops::Range};

/// A quantised matrix, (output, input).
#[derive(Debug)]
pub struct Quantised {
    held: Held,
    /// Reads rows of the file. A packed table needs them for look-ups.
    source: Option<Source>,
    /// The rows of a tile; the last one may have fewer.
    step: usize,
    dtype: GgmlDType,
    dims: (usize, usize),
}

/// Gives the bytes of a range of rows in the file.
struct Source(Box<dyn Fn(Range<usize>) -> Result<Vec<u8>> + Send + Sync>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// The tiles of a matrix: neighbouring rows.
#[derive(Debug)]
enum Held {
    /// With a row of zeros after the last one if their number is even: candle packs only matrices of an even number.
    Blocks(Vec<QTensor>),
    /// With rows of zeros up to a multiple of [`GROUP`].
    Packed(Vec<QTensor>, Kernel),
    Eights(Eights),
}

/// Up to this many rows of activations are multiplied with the blocks as they are. Each row's product is then the same bits for
/// any number of rows; beyond, it is rounded differently.
pub const FEW: usize = 16;

/// The values of a tile. Each tile rounds the activations again and waits for all threads, so a small one is slow; while a
/// tile is packed, it is held twice.
const TILE: usize = 1 << 23;

/// A block of 32 values in a file: one scale of two bytes, four bytes of fifth bits, 16 bytes of four bits for two values.
const Q5_0_BYTES: usize = 22;

/// The bytes of a matrix of `dims`, (output, input), and of a type of a file: as it is held for products, or for look-ups
/// alone. `None` if the number overflows.
pub fn held_bytes(stored: GgmlDType, dims: (usize, usize), products: bool) -> Option<u64> {
    let ((n, k), dtype) = (dims, held_as(stored));
    let bytes = (n as u64).checked_mul(row_bytes(dtype, k) as u64)?;
    match products.then(|| Kernel::find(dtype, k)) {
        Some(Ok(Some(_))) => Some(packed::bytes(dtype, bytes)),
        _ => Some(bytes),
    }
}

/// The type that a matrix of `dtype` is held in. candle has no fast product for Q5_0; Q8_0 represents each of its values
/// exactly.
pub fn held_as(dtype: GgmlDType) -> GgmlDType {
    if dtype == GgmlDType::Q5_0 { GgmlDType::Q8_0 } else { dtype }
}

impl Quantised {
    /// A matrix for products, of `dims`, (output, input), whose blocks in the file have the type `stored`. `read` gives the
    /// bytes of a range of rows; the whole matrix is never in memory twice.
    pub fn read(
        stored: GgmlDType,
        dims: (usize, usize),
        mut read: impl FnMut(Range<usize>) -> Result<Vec<u8>>,
    ) -> Result<Quantised> {
        let (n, dtype) = (dims.0, held_as(stored));
        let kernel = Kernel::find(dtype, dims.1)?;
        if let (GgmlDType::Q8_0, None, Some(mut eights)) = (dtype, kernel, Eights::new(dims)) {
            let step = rows_at_once(dims, dtype)?;
            for at in (0..n).step_by(step) {
                eights.append(&in_held_type(stored, read(at..n.min(at + step))?));
            }
            return Ok(Quantised { held: Held::Eights(eights), source: None, step, dtype, dims });
        }
        Quantised::in_tiles(stored, dims, kernel, read)
    }

    /// As [`read`](Self::read), for a matrix whose rows are looked up; with `products`, it is multiplied too. `read` is then
    /// kept for look-ups, if the matrix is packed.
    pub fn table(
        stored: GgmlDType,
        dims: (usize, usize),
        products: bool,
        read: impl Fn(Range<usize>) -> Result<Vec<u8>> + Send + Sync + 'static,
    ) -> Result<Quantised> {
        if !products {
            return Quantised::in_tiles(stored, dims, None, read);
        }
        let mut table = Quantised::read(stored, dims, &read)?;
        if let Held::Packed(..) = table.held {
            table.source = Some(Source(Box::new(move |rows| read(rows).map(|bytes| in_held_type(stored, bytes)))));
        }
        Ok(table)
    }

    fn in_tiles(
        stored: GgmlDType,
        dims: (usize, usize),
        kernel: Option<Kernel>,
        mut read: impl FnMut(Range<usize>) -> Result<Vec<u8>>,
    ) -> Result<Quantised> {
        let ((n, k), dtype) = (dims, held_as(stored));
        let step = rows_at_once(dims, dtype)?;
        let tile = |at: usize| {
            let rows = step.min(n - at);
            let mut bytes = in_held_type(stored, read(at..at + rows)?);
            let padded = if kernel.is_some() { rows.next_multiple_of(GROUP) } else { rows | 1 };
            bytes.resize(padded * row_bytes(dtype, k), 0);
            match kernel {
                Some(kernel) => kernel.pack(&bytes, dtype, (padded, k)),
                None => matrix(&bytes, dtype, k),
            }
        };
        let tiles = (0..n).step_by(step).map(tile).collect::<Result<_>>()?;
        let held = match kernel {
            Some(kernel) => Held::Packed(tiles, kernel),
            None => Held::Blocks(tiles),
        };
        Ok(Quantised { held, source: None, step, dtype, dims })
    }

    /// (output, input)
    pub fn dims(&self) -> (usize, usize) {
        self.dims
    }

    /// x·Wᵀ for `x` (m, input) in f32 and each of `maps`: (m, output). They have the same inputs.
    pub fn forward_all(maps: &[&Quantised], x: &Tensor) -> Result<Vec<Tensor>> {
        match maps.iter().map(|map| map.eights()).collect::<Option<Vec<_>>>() {
            Some(eights) => dense::with_values(x, |x| Eights::multiply(&eights, x)),
            None => maps.iter().map(|map| map.forward(x)).collect(),
        }
    }

    /// x·Wᵀ for `x` (m, input) in f32: (m, output).
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let few = x.dim(0)? <= FEW && has_product(self.dtype);
        let mut products = Vec::new();
        match &self.held {
            Held::Packed(tiles, kernel) => {
                for (n, tile) in tiles.iter().enumerate() {
                    products.push(kernel.multiply(x, tile)?.narrow(1, 0, self.rows_of(n).len())?);
                }
            }
            Held::Blocks(tiles) if few => {
                for (n, tile) in tiles.iter().enumerate() {
                    products.push(x.apply_op1_no_bwd(tile)?.narrow(1, 0, self.rows_of(n).len())?);
                }
            }
            Held::Blocks(tiles) => self.in_pieces(x, tiles, &mut products)?,
            Held::Eights(eights) => products = dense::with_values(x, |x| Eights::multiply(&[eights], x))?,
        }
        match products.as_slice() {
            [one] => one.contiguous(),
            _ => Tensor::cat(&products, 1),
        }
    }

    fn eights(&self) -> Option<&Eights> {
        if let Held::Eights(eights) = &self.held { Some(eights) } else { None }
    }

    /// The rows of the tile `n`.
    fn rows_of(&self, n: usize) -> Range<usize> {
        n * self.step..self.dims.0.min((n + 1) * self.step)
    }

    /// The products with many rows. Pieces of the tiles are packed, if candle then rounds activations as it does for few
    /// rows, or dequantised.
    fn in_pieces(&self, x: &Tensor, tiles: &[QTensor], products: &mut Vec<Tensor>) -> Result<()> {
        const AT_ONCE: usize = 4;
        let k = self.dims.1;
        let rounded = match has_product(self.dtype) {
            true => QTensor::quantize(x, activations(self.dtype))?.dequantize(&Device::Cpu)?,
            false => x.clone(),
        };
        let step = tile_rows(PIECE, k);
        for (n, tile) in tiles.iter().enumerate() {
            let (rows, bytes) = (self.rows_of(n).len(), tile.data()?);
            let bytes =
                |rows: Range<usize>| &bytes[rows.start * row_bytes(self.dtype, k)..rows.end * row_bytes(self.dtype, k)];
            let starts: Vec<usize> = (0..rows).step_by(step).collect();
            for starts in starts.chunks(AT_ONCE) {
                let mut wide: Vec<Option<Result<Tensor>>> = starts.iter().map(|_| None).collect();
                in_parallel(starts.len() * step * k, &mut wide, 1, |n, out| {
                    let piece = matrix(bytes(starts[n]..rows.min(starts[n] + step)), self.dtype, k);
                    out[0] = Some(piece.and_then(|piece| piece.dequantize(&Device::Cpu)));
                });
                for wide in wide {
                    let Some(wide) = wide.transpose()? else { bail!("a piece was not dequantised: this is a bug") };
                    products.push(rounded.matmul(&wide.t()?)?);
                }
            }
        }
        Ok(())
    }

    /// The rows with the numbers `ids`, dequantised: (ids, input). Fails for a packed matrix that was not read as a table.
    pub fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        let row = |id: &u32| {
            let id = *id as usize;
            if id >= self.dims.0 {
                bail!("the token {id} is beyond the table of {} rows", self.dims.0)
            }
            match (&self.held, &self.source) {
                (Held::Blocks(tiles), _) => {
                    tiles[id / self.step].embedding(&Tensor::new(&[(id % self.step) as u32], &Device::Cpu)?)
                }
                (Held::Eights(eights), _) => Tensor::from_vec(eights.row(id), (1, self.dims.1), &Device::Cpu),
                (_, Some(source)) => matrix(&source.0(id..id + 1)?, self.dtype, self.dims.1)?.dequantize(&Device::Cpu),
                _ => bail!("a packed matrix has no rows to look up: this is a bug"),
            }
        };
        Tensor::cat(&ids.iter().map(row).collect::<Result<Vec<_>>>()?, 0)
    }
}

/// True if candle multiplies blocks of this type quickly. Its products with Q4_1 and Q5_1 also need an even number of
/// blocks in each row.
fn has_product(dtype: GgmlDType) -> bool {
    !matches!(dtype, GgmlDType::Q4_1 | GgmlDType::Q5_1)
}

/// A matrix with rows of `k` values; a copy of the bytes.
fn matrix(bytes: &[u8], dtype: GgmlDType, k: usize) -> Result<QTensor> {
    let rows = bytes.len() / row_bytes(dtype, k);
    QTensor::new(QStorage::from_data(Cow::Borrowed(bytes), &Device::Cpu, dtype)?, (rows, k))
}

/// The rows of a matrix of `dims` that are read at once. Fails if blocks do not fit into its rows.
fn rows_at_once((_, k): (usize, usize), dtype: GgmlDType) -> Result<usize> {
    match k.is_multiple_of(dtype.block_size()) {
        true => Ok(tile_rows(TILE, k)),
        false => bail!("rows of {k} values cannot be cut into blocks of {}", dtype.block_size()),
    }
}

/// The rows of a part of at most `values` values, a multiple of 16, for rows of `k` values.
fn tile_rows(values: usize, k: usize) -> usize {
    (values / k.max(1) / GROUP).max(1) * GROUP
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

/// Blocks of the type `stored` in the type that they are held in.
fn in_held_type(stored: GgmlDType, bytes: Vec<u8>) -> Vec<u8> {
    match stored {
        GgmlDType::Q5_0 => bytes.chunks_exact(Q5_0_BYTES).flat_map(as_q8_0).collect(),
        _ => bytes,
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

    /// The matrix as it is held for products.
    fn held(stored: &QTensor) -> Quantised {
        let (dims, bytes) = (stored.shape().dims2().unwrap(), stored.data().unwrap());
        let row = row_bytes(stored.dtype(), dims.1);
        Quantised::read(stored.dtype(), dims, |rows| Ok(bytes[rows.start * row..rows.end * row].to_vec())).unwrap()
    }

    fn table(stored: &QTensor, products: bool) -> Quantised {
        let (dims, bytes) = (stored.shape().dims2().unwrap(), stored.data().unwrap().into_owned());
        let row = row_bytes(stored.dtype(), dims.1);
        let read = move |rows: Range<usize>| Ok(bytes[rows.start * row..rows.end * row].to_vec());
        Quantised::table(stored.dtype(), dims, products, read).unwrap()
    }

    /// The length of the difference as a share of the length.
    fn off(a: &Tensor, b: &Tensor) -> f32 {
        let length = |x: &Tensor| x.sqr().unwrap().sum_all().unwrap().to_vec0::<f32>().unwrap().sqrt();
        length(&(a - b).unwrap()) / length(b)
    }

    #[test]
    fn a_matrix_held_once_multiplies_as_candles() {
        for dtype in TYPES {
            for n in [1, 30, 48, 150] {
                let stored = QTensor::quantize(&wave((n, 512), 0.37), dtype).unwrap();
                let candles = QMatMul::from_qtensor(QTensor::quantize(&wave((n, 512), 0.37), dtype).unwrap()).unwrap();
                let x = wave((40, 512), 0.011);
                for ours in [held(&stored), table(&stored, false)] {
                    let many = ours.forward(&x).unwrap();
                    // Both round activations, some types in other blocks.
                    let off_candle = off(&many, &candles.forward(&x).unwrap());
                    assert!(off_candle < 0.05, "{dtype:?} {n}: {off_candle}");
                    // A row's result does not depend on the number of rows, and for few not even its last bit.
                    let few = |m: usize| ours.forward(&x.narrow(0, 0, m).unwrap()).unwrap();
                    let most = few(FEW);
                    for m in [1, 2, 3, 7, 13, FEW] {
                        let off_few = off(&few(m), &many.narrow(0, 0, m).unwrap());
                        assert!(off_few < 1e-4, "{dtype:?} {n}, {m} rows: {off_few}");
                        let same = off(&few(m), &most.narrow(0, 0, m).unwrap()) == 0.0;
                        assert!(same || !has_product(dtype), "{dtype:?} {n}, {m} rows");
                    }
                    let shared = Quantised::forward_all(&[&ours, &ours], &x).unwrap();
                    assert!(shared.iter().all(|y| off(y, &many) == 0.0), "{dtype:?} {n}");
                }
            }
        }
    }

    #[test]
    fn rows_may_have_an_odd_number_of_blocks() {
        for dtype in [Q4_0, Q4_1, Q5_0, Q5_1, Q8_0] {
            let stored = QTensor::quantize(&wave((20, 96), 0.37), dtype).unwrap();
            let x = wave((3, 96), 0.011);
            let plain = x.matmul(&stored.dequantize(&Device::Cpu).unwrap().t().unwrap()).unwrap();
            let found = off(&held(&stored).forward(&x).unwrap(), &plain);
            assert!(found < 0.05, "{dtype:?}: {found}");
        }
    }

    #[test]
    fn rows_of_all_tiles_are_dequantised() {
        let step = tile_rows(TILE, 512);
        let n = step + 5;
        for dtype in [Q5_0, Q6K, Q8_0] {
            let stored = QTensor::quantize(&wave((n, 512), 0.37), dtype).unwrap();
            let ids = [0, n as u32 - 1, 7, step as u32];
            let all = stored.dequantize(&Device::Cpu).unwrap();
            let expected = all.index_select(&Tensor::new(&ids, &Device::Cpu).unwrap(), 0).unwrap();
            for table in [table(&stored, false), table(&stored, true)] {
                assert_eq!(off(&table.rows(&ids).unwrap(), &expected), 0.0, "{dtype:?}");
                assert!(table.rows(&[n as u32]).is_err());
            }
        }
    }
}
