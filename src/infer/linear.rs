//! The linear map of all families. Its matrix stays in the format of the file: f16 and bf16 are widened to f32 while they
//! are multiplied, piece by piece, and quantised blocks are held once (`quantised`). The computation is in f32. Encoders
//! pack their matrices when they load (`dense`).
//!
//! candle can multiply f16 on a CPU only in f16, and it converts a whole matrix to f32 otherwise, which doubles the memory
//! of a checkpoint. Numbers in f32 are multiplied by candle as they are.

use super::{
    dense::{self, Packed, Precision},
    few,
    quantised::Quantised,
};
use candle_core::{
    CpuStorage, DType, Device, Error, Result, Storage, Tensor, bail, quantized::QMatMul, utils::barrier_pool,
};
use candle_nn::Module;
use half::{bf16, f16};
use std::sync::{Arc, Mutex, PoisonError};

/// A linear map `(…, input) -> (…, output)`.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Weight,
    /// Of the floating matrices, `candle_nn` adds the bias.
    bias: Option<Tensor>,
    /// A single row of activations is multiplied without widening a piece of the matrix.
    decodes: bool,
}

#[derive(Debug, Clone)]
enum Weight {
    /// (output, input), in the format of the activations, or narrower on a CPU.
    Floating(candle_nn::Linear),
    /// On a CPU.
    Quantised(Arc<Quantised>),
    /// Quantised, on another device.
    Device(QMatMul),
    /// Packed with its bias, on a CPU.
    Packed(Arc<Packed>),
}

impl Linear {
    /// The map of a matrix, (output, input), in any floating format.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Linear {
        Linear { weight: Weight::Floating(candle_nn::Linear::new(weight, bias.clone())), bias, decodes: false }
    }

    /// The number of outputs; none if another device holds the matrix in a form of its own.
    pub fn outputs(&self) -> Option<usize> {
        match &self.weight {
            Weight::Floating(linear) => linear.weight().dim(0).ok(),
            Weight::Quantised(blocks) => Some(blocks.dims().0),
            Weight::Packed(packed) => Some(packed.outputs()),
            Weight::Device(_) => None,
        }
    }

    /// The same map for a decoder, which often has a single row of activations. That row's sums are then rounded in another
    /// order than those of several rows; an encoder's vectors must be the same bits in every batch.
    #[must_use]
    pub fn for_decoding(self) -> Linear {
        Linear { decodes: true, ..self }
    }

    /// One map with the outputs of several, whose matrices are floating and of one format.
    pub fn join(maps: &[&Linear]) -> Result<Linear> {
        let weight = |map: &&Linear| match &map.weight {
            Weight::Floating(linear) => Ok(linear.weight().clone()),
            _ => bail!("only floating matrices are joined"),
        };
        let weights = maps.iter().map(weight).collect::<Result<Vec<_>>>()?;
        let Some(like) = maps.iter().find_map(|map| map.bias.as_ref()) else {
            return Ok(Linear::new(Tensor::cat(&weights, 0)?, None));
        };
        let bias = |(map, weight): (&&Linear, &Tensor)| match &map.bias {
            Some(bias) => Ok(bias.clone()),
            None => Tensor::zeros(weight.dim(0)?, like.dtype(), like.device()),
        };
        let biases = maps.iter().zip(&weights).map(bias).collect::<Result<Vec<_>>>()?;
        Ok(Linear::new(Tensor::cat(&weights, 0)?, Some(Tensor::cat(&biases, 0)?)))
    }

    /// True if its matrix is stored with 16 bits and is widened while it is multiplied.
    pub fn is_narrow(&self) -> bool {
        matches!(&self.weight, Weight::Floating(linear) if is_narrow(linear.weight()))
    }

    /// The map of `count` outputs from the output `from` on. Fails for quantised matrices, whose blocks are not split.
    pub fn rows(&self, from: usize, count: usize) -> Result<Linear> {
        let Weight::Floating(linear) = &self.weight else { bail!("a quantised matrix cannot be split") };
        let bias = self.bias.as_ref().map(|bias| bias.narrow(0, from, count)).transpose()?;
        Ok(Linear { decodes: self.decodes, ..Linear::new(linear.weight().narrow(0, from, count)?, bias) })
    }

    /// Packs floating matrices that share their input into one product. `None` for matrices that other devices hold, are
    /// quantised, or hold no numbers.
    pub fn pack(maps: &[&Linear], precision: Precision) -> Result<Option<Packed>> {
        let part = |map: &&Linear| match &map.weight {
            Weight::Floating(linear) if linear.weight().device().is_cpu() => {
                Some((linear.weight().clone(), map.bias.clone()))
            }
            _ => None,
        };
        let Some(parts) = maps.iter().map(part).collect::<Option<Vec<_>>>() else { return Ok(None) };
        let parts: Vec<_> = parts.iter().map(|(weight, bias)| (weight, bias.as_ref())).collect();
        Packed::new(&parts, precision)
    }

    /// The same map with a packed matrix, if it computes in f32 on a CPU.
    pub fn packed(self, precision: Precision) -> Result<Linear> {
        match Linear::pack(&[&self], precision)? {
            Some(packed) => Ok(Linear { weight: Weight::Packed(Arc::new(packed)), bias: None, ..self }),
            None => Ok(self),
        }
    }

    /// The map of a quantised matrix on a CPU. `bias` is in f32.
    pub fn quantised(weight: Arc<Quantised>, bias: Option<Tensor>) -> Linear {
        Linear { weight: Weight::Quantised(weight), bias, decodes: true }
    }

    /// The products of one input with several maps. Quantised matrices share the rounding of the activations and the threads'
    /// work where they can.
    pub fn forward_all<const N: usize>(maps: [&Linear; N], x: &Tensor) -> Result<[Tensor; N]> {
        let products = match maps.iter().map(|map| map.blocks()).collect::<Option<Vec<_>>>() {
            Some(blocks) => {
                let input = blocks.first().map_or(0, |blocks| blocks.dims().1);
                let products = Quantised::forward_all(&blocks, &flat(&x.to_dtype(DType::F32)?, input)?)?;
                let finished = |((map, blocks), y): ((&&Linear, &&Quantised), Tensor)| {
                    map.with_bias(shaped(y, x, blocks.dims().0)?)?.to_dtype(x.dtype())
                };
                maps.iter().zip(&blocks).zip(products).map(finished).collect::<Result<Vec<_>>>()?
            }
            None => maps.iter().map(|map| map.forward(x)).collect::<Result<Vec<_>>>()?,
        };
        in_array(products)
    }

    /// Its quantised matrix, on a CPU.
    fn blocks(&self) -> Option<&Quantised> {
        if let Weight::Quantised(blocks) = &self.weight { Some(blocks) } else { None }
    }

    fn with_bias(&self, y: Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }

    /// The map of a quantised matrix on another device. `bias` is in f32.
    pub fn on_device(weight: QMatMul, bias: Option<Tensor>) -> Linear {
        Linear { weight: Weight::Device(weight), bias, decodes: true }
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.weight {
            Weight::Packed(packed) => rows(x, (packed.outputs(), packed.inputs()), |x| multiply_packed(x, packed)),
            Weight::Floating(linear) if x.dtype() == DType::F32 && is_narrow(linear.weight()) => {
                let product = |x: &Tensor| multiply_narrow(x, linear.weight(), self.decodes);
                self.with_bias(rows(x, linear.weight().dims2()?, product)?)
            }
            Weight::Floating(linear) => linear.forward(x),
            Weight::Quantised(blocks) => {
                let y = rows(&x.to_dtype(DType::F32)?, blocks.dims(), |x| blocks.forward(x))?;
                self.with_bias(y)?.to_dtype(x.dtype())
            }
            // Some devices cannot multiply quantised weights with half-precision activations.
            Weight::Device(map) => {
                self.with_bias(map.forward(&x.to_dtype(DType::F32)?.contiguous()?)?)?.to_dtype(x.dtype())
            }
        }
    }
}

/// A list of `N` products. Fails for another number.
pub fn in_array<const N: usize>(products: Vec<Tensor>) -> Result<[Tensor; N]> {
    products.try_into().map_err(|_| Error::msg("another number of products: this is a bug"))
}

/// (m, input) in f32 on a CPU -> (m, output)
fn multiply_packed(x: &Tensor, packed: &Packed) -> Result<Tensor> {
    let mut out = vec![0f32; x.dim(0)? * packed.outputs()];
    dense::with_values(x, |x| {
        packed.multiply(x, &mut out, false);
        Ok(())
    })?;
    Tensor::from_vec(out, (x.dim(0)?, packed.outputs()), &Device::Cpu)
}

/// Applies a product `(m, input) -> (m, output)` to `x`, (…, input).
fn rows(x: &Tensor, (output, input): (usize, usize), product: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    shaped(product(&flat(x, input)?)?, x, output)
}

/// `x`, (…, input), as (m, input).
fn flat(x: &Tensor, input: usize) -> Result<Tensor> {
    match x.dims().last() {
        Some(last) if *last == input => x.reshape(((), input))?.contiguous(),
        _ => bail!("a map of {input} inputs cannot read the shape {:?}", x.dims()),
    }
}

/// `y`, (m, output), with the dimensions of `x`, (…, input).
fn shaped(y: Tensor, x: &Tensor, output: usize) -> Result<Tensor> {
    let mut shape = x.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = output;
    }
    y.reshape(shape)
}

/// The vectors of tokens, (vocabulary, width), in the format of the file. They may be the weights of the output too.
#[derive(Debug, Clone)]
pub enum Table {
    /// In the format of the activations, or narrower on a CPU.
    Floating(Tensor),
    /// On a CPU; rows are dequantised on look-up.
    Quantised(Arc<Quantised>),
}

impl Table {
    /// The rows of `ids`, a list, in `dtype`: (ids, width).
    pub fn rows(&self, ids: &Tensor, dtype: DType) -> Result<Tensor> {
        match self {
            Table::Floating(table) => table.index_select(ids, 0)?.to_dtype(dtype),
            Table::Quantised(table) => table.rows(&ids.to_vec1()?)?.to_dtype(dtype),
        }
    }

    /// The map from a hidden state to the vocabulary with the same weights.
    pub fn head(&self) -> Linear {
        match self {
            Table::Floating(table) => Linear::new(table.clone(), None),
            Table::Quantised(table) => Linear::quantised(table.clone(), None),
        }
    }
}

/// True for a matrix on a CPU that is stored with 16 bits.
fn is_narrow(weight: &Tensor) -> bool {
    matches!(weight.dtype(), DType::F16 | DType::BF16) && weight.device().is_cpu()
}

/// The values of a matrix that are widened at once.
pub(super) const PIECE: usize = 1 << 20;

/// x·Wᵀ for `x` (m, input) in f32 and a 16-bit `weight` (output, input): (m, output). A piece of the matrix is widened and
/// multiplied as a whole. With `decodes`, a single row of activations is multiplied with one row of the matrix after the
/// other.
fn multiply_narrow(x: &Tensor, weight: &Tensor, decodes: bool) -> Result<Tensor> {
    if decodes && x.dim(0)? == 1 && few::fits(weight) {
        return few::multiply(x, weight);
    }
    let (storage, layout) = weight.storage_and_layout();
    let halves = match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F16(values)), Some((from, to))) => Halves::F16(&values[from..to]),
        (Storage::Cpu(CpuStorage::BF16(values)), Some((from, to))) => Halves::BF16(&values[from..to]),
        _ => bail!("a matrix of 16-bit numbers must be contiguous"),
    };
    let (n, k) = weight.dims2()?;
    // The pieces have nearly equal sizes: the library for matrix products has other kernels for few columns.
    let step = n.div_ceil((n * k).div_ceil(PIECE));
    let piece = |at: usize| {
        let rows = step.min(n - at);
        let mut wide = vec![0f32; rows * k];
        in_parallel(rows * k, &mut wide, ROWS * k, |chunk, out| halves.widen((at + ROWS * chunk) * k, out));
        x.matmul(&Tensor::from_vec(wide, (rows, k), &Device::Cpu)?.t()?)
    };
    let pieces: Vec<Tensor> = (0..n).step_by(step).map(piece).collect::<Result<_>>()?;
    Tensor::cat(&pieces, 1)
}

/// The rows that a thread widens before it takes the next ones.
const ROWS: usize = 32;

/// Numbers with 16 bits.
enum Halves<'a> {
    F16(&'a [f16]),
    BF16(&'a [bf16]),
}

impl Halves<'_> {
    /// Writes the values from the index `from` on to `out`.
    fn widen(&self, from: usize, out: &mut [f32]) {
        match self {
            Halves::F16(values) => few::widen_all(&values[from..from + out.len()], out),
            Halves::BF16(values) => few::widen_all(&values[from..from + out.len()], out),
        }
    }
}

/// Calls `work` for each chunk of `out` with the chunk's index, on the threads that candle's quantised products use. A
/// second pool of threads would compete with them.
/// `values` is the number of values that all calls read: little work is done on this thread.
pub(super) fn in_parallel<T: Send>(values: usize, out: &mut [T], chunk: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    const LITTLE: usize = 1 << 17;
    if values < LITTLE {
        return out.chunks_mut(chunk.max(1)).enumerate().for_each(|(n, chunk)| work(n, chunk));
    }
    let chunks: Vec<Mutex<&mut [T]>> = out.chunks_mut(chunk.max(1)).map(Mutex::new).collect();
    barrier_pool().execute_chunked(chunks.len(), |range| {
        for n in range {
            let mut chunk = chunks[n].lock().unwrap_or_else(PoisonError::into_inner);
            work(n, &mut chunk);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest difference between the products with a 16-bit matrix and with its f32 copy.
    fn off(dtype: DType, shape: (usize, usize), m: usize, decodes: bool) -> f32 {
        let (n, k) = shape;
        let wave = |count: usize, step: f32| (0..count).map(|i| (i as f32 * step).sin()).collect::<Vec<_>>();
        let weight = Tensor::from_vec(wave(n * k, 0.37), shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let bias = Tensor::from_vec(wave(n, 0.9), n, &Device::Cpu).unwrap();
        let x = Tensor::from_vec(wave(m * k, 0.11), (1, m, k), &Device::Cpu).unwrap();
        let narrow = Linear::new(weight.clone(), Some(bias.clone()));
        let narrow = if decodes { narrow.for_decoding() } else { narrow }.forward(&x).unwrap();
        let wide = Linear::new(weight.to_dtype(DType::F32).unwrap(), Some(bias)).forward(&x).unwrap();
        assert_eq!(narrow.dims(), [1, m, n]);
        let off = (narrow - wide).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        off.to_vec0::<f32>().unwrap() / (k as f32).sqrt()
    }

    #[test]
    fn a_narrow_matrix_multiplies_as_its_wide_copy() {
        for dtype in [DType::F16, DType::BF16] {
            for m in [1, 2, 40] {
                for shape in [(1, 1), (5, 7), (33, 64), (100, 130)] {
                    assert_eq!(off(dtype, shape, m, false), 0.0, "{dtype:?} {shape:?} {m}");
                    let off = off(dtype, shape, m, true);
                    assert!(off < 1e-6, "{dtype:?} {shape:?} {m}: {off}");
                }
            }
        }
        // Several pieces, of which the last is shorter.
        assert!(off(DType::F16, (PIECE / 500 + 9, 500), 3, false) < 1e-6);
    }

    #[test]
    fn a_narrow_table_gives_wide_rows() {
        let table = Tensor::new(&[[1f32, 2.0], [3.0, 4.0], [5.0, 6.0]], &Device::Cpu).unwrap();
        let table = Table::Floating(table.to_dtype(DType::BF16).unwrap());
        let rows = table.rows(&Tensor::new(&[2u32, 0], &Device::Cpu).unwrap(), DType::F32).unwrap();
        assert_eq!(rows.to_vec2::<f32>().unwrap(), [[5.0, 6.0], [1.0, 2.0]]);
        let x = Tensor::new(&[[1f32, 10.0]], &Device::Cpu).unwrap();
        assert_eq!(table.head().forward(&x).unwrap().to_vec2::<f32>().unwrap(), [[21.0, 43.0, 65.0]]);
    }
}
