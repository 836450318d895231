//! A matrix of weights that is packed once, in the layout that the product reads.

use super::Precision;
use candle_core::{DType, Result, Tensor, bail};
use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::SimdOp as _;
use rten_tensor::NdTensorView;
use rten_vecmath::{ExtendInit as _, MinMax, Quantize};
use std::cell::RefCell;

/// A linear map of rows: x·Wᵀ + b.
pub struct Packed {
    weights: Weights,
    bias: Option<Vec<f32>>,
    inputs: usize,
    outputs: usize,
}

enum Weights {
    F32(PackedBMatrix<f32>),
    Int8(Integers),
}

/// A matrix in 8-bit integers.
struct Integers {
    packed: PackedBMatrix<i8>,
    /// The scale of each output.
    scales: Vec<f32>,
    /// The sum of each output's integers.
    sums: Vec<i32>,
}

/// The instructions of the products on this machine. Results of other instructions differ in the last bits.
pub fn tier() -> String {
    let (floats, integers) = (GemmExecutor::<f32>::new(), GemmExecutor::<u8, i8, i32>::new());
    format!("{} {}", floats.kernel_name(), integers.kernel_name())
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packed({} -> {}, {})", self.inputs, self.outputs, self.precision().as_str())
    }
}

impl Packed {
    /// Packs matrices (output, input) of any floating format that share their input, one after the other, with their
    /// biases; a missing bias is zero. `None` if a matrix holds no numbers of its own (`weights::Headers`).
    pub fn new(parts: &[(&Tensor, Option<&Tensor>)], precision: Precision) -> Result<Option<Packed>> {
        let Some((first, _)) = parts.first() else { bail!("no matrix: this is a bug") };
        let inputs = first.dim(1)?;
        if parts.iter().any(|(weight, _)| !weight.is_contiguous()) {
            return Ok(None);
        }
        let (mut values, mut bias, mut outputs) = (Vec::new(), Vec::new(), 0);
        for (weight, own) in parts {
            if weight.dim(1)? != inputs {
                bail!("matrices of one product need the same inputs: {inputs} and {}", weight.dim(1)?)
            }
            let count = weight.dim(0)?;
            outputs += count;
            values.extend(weight.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
            match own {
                Some(own) => bias.extend(own.to_dtype(DType::F32)?.to_vec1::<f32>()?),
                None => bias.resize(outputs, 0.0),
            }
        }
        let bias = Some(bias).filter(|_| parts.iter().any(|(_, bias)| bias.is_some()));
        let weights = match precision {
            Precision::F32 => {
                let matrix = NdTensorView::from_data([outputs, inputs], &values[..]);
                Weights::F32(GemmExecutor::<f32>::new().prepack_b(matrix.transposed()))
            }
            Precision::Int8 => Weights::Int8(quantised(&values, [outputs, inputs])),
        };
        Ok(Some(Packed { weights, bias, inputs, outputs }))
    }

    /// The numbers of a row of input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The numbers of a row of output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    fn precision(&self) -> Precision {
        match self.weights {
            Weights::F32(_) => Precision::F32,
            Weights::Int8(_) => Precision::Int8,
        }
    }

    /// Writes x·Wᵀ + b to `out`, (m, output), or adds it to what is there. `x` is (m, input).
    ///
    /// # Panics
    ///
    /// If a length does not fit.
    pub fn multiply(&self, x: &[f32], out: &mut [f32], is_added: bool) {
        self.multiply_windows(x, self.inputs, out, is_added);
    }

    /// The same for rows of `x` that begin every `stride` numbers, and may overlap.
    pub(super) fn multiply_windows(&self, x: &[f32], stride: usize, out: &mut [f32], is_added: bool) {
        let rows = out.len() / self.outputs.max(1);
        if rows == 0 {
            return;
        }
        let read = (rows - 1) * stride + self.inputs;
        assert_eq!((read, rows * self.outputs), (x.len(), out.len()), "lengths of a product");
        match &self.weights {
            Weights::F32(packed) => {
                let view = NdTensorView::from_slice_with_strides([rows, self.inputs], x, [stride, 1]);
                let a = GemmInputA::Unpacked(view.expect("the length was compared: this is a bug"));
                let bias = self.bias.as_deref().map(BiasVector::Row);
                let beta = if is_added { 1.0 } else { 0.0 };
                let options = GemmOptions { beta, bias, ..GemmOptions::default() };
                let done = GemmExecutor::<f32>::new().gemm(out, a, GemmInputB::Packed(packed), options);
                done.expect("the packed form is that of this machine: this is a bug");
            }
            Weights::Int8(integers) => self.multiply_int8((x, stride), out, is_added, integers),
        }
    }

    fn multiply_int8(&self, (x, stride): (&[f32], usize), out: &mut [f32], is_added: bool, integers: &Integers) {
        let rows = out.len() / self.outputs;
        let mut scratch = SCRATCH.take();
        let Scratch { bytes, points, steps, sums } = &mut scratch;
        bytes.clear();
        points.clear();
        steps.clear();
        for row in (0..rows).map(|n| &x[n * stride..n * stride + self.inputs]) {
            let (step, point) = step_of(row);
            bytes.reserve(row.len());
            bytes.extend_init(|room| Quantize::new(row, &mut room[..row.len()], 1.0 / step, point).dispatch());
            points.push(point);
            steps.push(step);
        }
        sums.resize(rows * self.outputs, 0);
        let a = GemmInputA::Unpacked(NdTensorView::from_data([rows, self.inputs], &bytes[..]));
        // rten-gemm 0.27.0 takes the zero points of the first rows for all rows, so they are subtracted here
        let b = GemmInputB::Packed(&integers.packed);
        let done = GemmExecutor::<u8, i8, i32>::new().gemm(sums, a, b, GemmOptions::default());
        done.expect("the packed form is that of this machine: this is a bug");
        let rows = sums.chunks_exact(self.outputs).zip(out.chunks_exact_mut(self.outputs));
        for ((sums, out), (step, point)) in rows.zip(steps.iter().zip(points.iter())) {
            let point = i32::from(*point);
            let columns = sums.iter().zip(&integers.sums).zip(&integers.scales);
            let scaled = columns.map(|((sum, all), scale)| (sum - point * all) as f32 * (scale * step));
            match (is_added, &self.bias) {
                (false, None) => out.iter_mut().zip(scaled).for_each(|(y, x)| *y = x),
                (true, None) => out.iter_mut().zip(scaled).for_each(|(y, x)| *y += x),
                (false, Some(bias)) => out.iter_mut().zip(scaled).zip(bias).for_each(|((y, x), b)| *y = x + b),
                (true, Some(bias)) => out.iter_mut().zip(scaled).zip(bias).for_each(|((y, x), b)| *y += x + b),
            }
        }
        SCRATCH.set(scratch);
    }
}

/// The buffers of a product in 8-bit integers.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
    points: Vec<u8>,
    steps: Vec<f32>,
    sums: Vec<i32>,
}

thread_local! {
    /// Taken while in use, because a thread that waits for others may begin another product.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The matrix (output, input) in 8-bit integers. Each output has a scale; its largest number becomes the largest
/// integer. Where the product adds pairs in 16 bits, the integers have 7 bits.
fn quantised(values: &[f32], [outputs, inputs]: [usize; 2]) -> Integers {
    let product = GemmExecutor::<u8, i8, i32>::new();
    let most = if product.may_saturate() { 63.0 } else { 127.0 };
    let (mut scales, mut sums) = (Vec::with_capacity(outputs), Vec::with_capacity(outputs));
    let mut integers: Vec<i8> = Vec::with_capacity(values.len());
    for row in values.chunks_exact(inputs) {
        let largest = row.iter().fold(0f32, |most, x| most.max(x.abs()));
        let scale = if largest > 0.0 { largest / most } else { 1.0 };
        integers.extend(row.iter().map(|x| (x / scale).round_ties_even() as i8));
        scales.push(scale);
        sums.push(integers[integers.len() - inputs..].iter().map(|x| i32::from(*x)).sum());
    }
    let matrix = NdTensorView::from_data([outputs, inputs], &integers[..]);
    Integers { packed: product.prepack_b(matrix.transposed()), scales, sums }
}

/// The step and the zero point that map a row to 0 to 255. Zero is mapped exactly.
fn step_of(row: &[f32]) -> (f32, u8) {
    let (least, most) = MinMax::new(row).dispatch();
    let (least, most) = (least.min(0.0), most.max(0.0));
    let step = (most - least) / 255.0;
    // a row of zeros, or numbers so small that the quotient is not finite
    if !(1.0 / step).is_finite() {
        return (1.0, 0);
    }
    (step, (-least / step).round_ties_even().clamp(0.0, 255.0) as u8)
}
