//! A matrix that candle has packed, without the blocks that it was packed from.
//!
//! candle 0.11.1 packs a matrix at its first product and keeps the blocks, because some products need them. Here candle
//! gets the blocks from a [`Source`], which drops them after packing. The kernels are tried once for each matrix, with a few
//! of its rows, so that only products are asked that need no blocks (`Kernel`).

use super::row_bytes;
use candle_core::{
    CpuStorage, DType, Device, Result, Tensor, bail,
    quantized::{GgmlDType, QStorage, QTensor, QuantizedType},
};
use half::f16;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The rows that candle packs together.
pub(super) const GROUP: usize = 16;

/// The bytes of packed values whose blocks have `bytes` (`repack_x86.rs` of candle: scales become f32, and six bits a byte).
/// Other processors keep the size.
pub(super) fn bytes(dtype: GgmlDType, bytes: u64) -> u64 {
    match dtype {
        GgmlDType::Q4K if cfg!(target_arch = "x86_64") => bytes / 3 * 4,
        GgmlDType::Q6K if cfg!(target_arch = "x86_64") => bytes / 21 * 32,
        _ => bytes,
    }
}

/// The rows of activations that candle multiplies with a packed matrix alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kernel {
    least: usize,
    most: usize,
}

/// Blocks that candle reads while it packs them.
struct Source {
    blocks: Mutex<Option<Box<dyn QuantizedType>>>,
    dtype: GgmlDType,
    /// The number of times that candle read them.
    reads: AtomicUsize,
}

impl Source {
    fn new(bytes: &[u8], dtype: GgmlDType) -> Arc<Source> {
        let blocks = dtype.from_data(Cow::Borrowed(bytes));
        Arc::new(Source { blocks: Mutex::new(Some(blocks)), dtype, reads: AtomicUsize::new(0) })
    }

    fn matrix(self: &Arc<Source>, dims: (usize, usize)) -> Result<QTensor> {
        QTensor::new(QStorage::Cpu(Box::new(Blocks(self.clone()))), dims)
    }

    fn blocks(&self) -> MutexGuard<'_, Option<Box<dyn QuantizedType>>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, work: impl FnOnce(&dyn QuantizedType) -> Result<T>) -> Result<T> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        match &*self.blocks() {
            Some(blocks) => work(blocks.as_ref()),
            None => bail!("the blocks of a packed matrix are needed again: this is a bug"),
        }
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

/// candle's view of a [`Source`].
struct Blocks(Arc<Source>);

impl QuantizedType for Blocks {
    fn dtype(&self) -> GgmlDType {
        self.0.dtype
    }

    fn matmul_t(&self, mkn: (usize, usize, usize), lhs: &[f32], dst: &mut [f32]) -> Result<()> {
        self.0.read(|blocks| blocks.matmul_t(mkn, lhs, dst))
    }

    fn matmul_t_f16(&self, mkn: (usize, usize, usize), lhs: &[f16], dst: &mut [f16]) -> Result<()> {
        self.0.read(|blocks| blocks.matmul_t_f16(mkn, lhs, dst))
    }

    fn embedding(&self, ids: &[u32], rows: usize, hidden: usize) -> Result<CpuStorage> {
        self.0.read(|blocks| blocks.embedding(ids, rows, hidden))
    }

    fn dequantize(&self, elem_count: usize) -> Result<CpuStorage> {
        self.0.read(|blocks| blocks.dequantize(elem_count))
    }

    /// None after packing, so that candle never reads from the pointer below.
    fn storage_size_in_bytes(&self) -> usize {
        self.0.blocks().as_ref().map_or(0, |blocks| blocks.storage_size_in_bytes())
    }

    /// Blocks leave only after a product, while no other has the matrix.
    fn as_ptr(&self) -> *const u8 {
        self.0.read(|blocks| Ok(blocks.as_ptr())).unwrap_or(ptr::without_provenance(GROUP))
    }

    fn block_size(&self) -> usize {
        self.0.dtype.block_size()
    }

    fn from_float(&mut self, xs: &[f32]) {
        self.0.blocks().iter_mut().for_each(|blocks| blocks.from_float(xs));
    }

    fn from_float_imatrix(&mut self, xs: &[f32], imatrix_weights: &[f32], n_per_row: usize) {
        self.0.blocks().iter_mut().for_each(|blocks| blocks.from_float_imatrix(xs, imatrix_weights, n_per_row));
    }

    fn size(&self) -> usize {
        self.storage_size_in_bytes()
    }
}

impl Kernel {
    /// The products of this processor with a packed matrix of this type, with rows of `k` values; none if candle does
    /// not pack it. Each type and length is tried once.
    pub(super) fn find(dtype: GgmlDType, k: usize) -> Result<Option<Kernel>> {
        static KNOWN: Mutex<BTreeMap<(u32, usize), Option<Kernel>>> = Mutex::new(BTreeMap::new());
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (dtype as u32, k);
        if let Some(found) = known().get(&key) {
            return Ok(*found);
        }
        let found = Kernel::tried(dtype, k)?;
        known().insert(key, found);
        Ok(found)
    }

    fn tried(dtype: GgmlDType, k: usize) -> Result<Option<Kernel>> {
        // From 32 rows on, candle packs in another layout on processors with AMX.
        const FEW: usize = 31;
        // candle reads no rows of zero blocks
        if !super::has_product(dtype) || k == 0 || !k.is_multiple_of(dtype.block_size()) {
            return Ok(None);
        }
        for least in [1, 2] {
            let source = Source::new(&vec![0; GROUP * row_bytes(dtype, k)], dtype);
            let matrix = source.matrix((GROUP, k))?;
            product(&matrix, least, k)?;
            let reads = source.reads();
            let alone = |m: usize| product(&matrix, m, k).map(|_| source.reads() == reads);
            let mut works = true;
            for m in (least..9).chain([FEW]) {
                works = works && alone(m)?;
            }
            if works {
                let most = if alone(FEW + 1)? && alone(2 * FEW)? { usize::MAX } else { FEW };
                return Ok(Some(Kernel { least, most }));
            }
        }
        Ok(None)
    }

    /// The packed form of some rows, a multiple of [`GROUP`].
    pub(super) fn pack(&self, bytes: &[u8], dtype: GgmlDType, dims: (usize, usize)) -> Result<QTensor> {
        let source = Source::new(bytes, dtype);
        let matrix = source.matrix(dims)?;
        product(&matrix, self.least, dims.1)?;
        *source.blocks() = None;
        Ok(matrix)
    }

    /// x·Wᵀ for `x` (m, input) and packed rows.
    pub(super) fn multiply(&self, x: &Tensor, packed: &QTensor) -> Result<Tensor> {
        let (m, _) = x.dims2()?;
        if m < self.least {
            let rows = x.pad_with_zeros(0, 0, self.least - m)?;
            return rows.apply_op1_no_bwd(packed)?.narrow(0, 0, m);
        }
        if m <= self.most {
            return x.apply_op1_no_bwd(packed);
        }
        // Pieces of nearly equal sizes, so that none is too small.
        let step = m.div_ceil(m.div_ceil(self.most));
        let piece = |at: usize| self.multiply(&x.narrow(0, at, step.min(m - at))?, packed);
        Tensor::cat(&(0..m).step_by(step).map(piece).collect::<Result<Vec<_>>>()?, 0)
    }
}

/// A product with `m` rows of zeros.
fn product(matrix: &QTensor, m: usize, k: usize) -> Result<Tensor> {
    Tensor::zeros((m, k), DType::F32, &Device::Cpu)?.apply_op1_no_bwd(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(shape: (usize, usize), step: f32) -> Tensor {
        let values: Vec<f32> = (0..shape.0 * shape.1).map(|i| (i as f32 * step).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn a_packed_matrix_needs_no_blocks_for_any_number_of_rows() {
        for dtype in [GgmlDType::Q8_0, GgmlDType::Q4K, GgmlDType::Q6K] {
            let Some(kernel) = Kernel::find(dtype, 512).unwrap() else { continue };
            let stored = QTensor::quantize(&wave((48, 512), 0.37), dtype).unwrap();
            let packed = kernel.pack(&stored.data().unwrap(), dtype, (48, 512)).unwrap();
            let x = wave((100, 512), 0.011);
            let all = kernel.multiply(&x, &packed).unwrap().to_vec2::<f32>().unwrap();
            let expected = x.matmul(&stored.dequantize(&Device::Cpu).unwrap().t().unwrap()).unwrap();
            for (row, expected) in all.iter().zip(expected.to_vec2::<f32>().unwrap()) {
                let off = |a: f32, b: f32| (a - b).abs();
                assert!(row.iter().zip(&expected).all(|(a, b)| off(*a, *b) < 0.3), "{dtype:?}: {row:?} {expected:?}");
            }
            for m in [1, 2, 3, 31, 32, 33, 64] {
                let some = kernel.multiply(&x.narrow(0, 0, m).unwrap(), &packed).unwrap();
                assert_eq!(some.to_vec2::<f32>().unwrap(), all[..m], "{dtype:?}, {m} rows");
            }
        }
    }

    #[test]
    fn a_format_without_a_packed_product_has_no_kernel() {
        for dtype in [GgmlDType::Q4_1, GgmlDType::Q2K] {
            assert_eq!(Kernel::find(dtype, 512).unwrap(), None, "{dtype:?}");
        }
    }
}
