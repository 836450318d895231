//! The packed layers equal candle's, and the bits of a result do not depend on its batch or on the number of threads.

use super::*;
use crate::infer::{
    ops::{Activation, Linear},
    prenorm::{AttentionBiases, BlockNames, TowerShape},
};
use candle_core::Device;
use candle_nn::{VarBuilder, VarMap};

const NAMES: BlockNames = BlockNames { norms: ["a", "b"], attention: ["q", "k", "v", "o"], feed_forward: ["u", "d"] };

/// Numbers between -1 and 1 that do not repeat.
fn wave(count: usize, step: f32) -> Vec<f32> {
    (1..=count).map(|n| (n as f32 * step).sin() * (n as f32 * 0.618).cos()).collect()
}

fn tensor(shape: &[usize], step: f32) -> Tensor {
    Tensor::from_vec(wave(shape.iter().product(), step), shape, &Device::Cpu).unwrap()
}

fn shape(width: usize, heads: usize, activation: Activation, precision: Precision) -> TowerShape {
    TowerShape { width, inner: 3 * width + 5, layers: 2, heads, eps: 1e-6, activation, precision }
}

/// The weights of the blocks of a tower.
fn weights(shape: &TowerShape) -> VarBuilder<'static> {
    let map = VarMap::new();
    let (w, inner) = (shape.width, shape.inner);
    let add = |name: String, shape: &[usize], scale: f64, shift: f64| {
        let step = 0.1 + name.bytes().map(|b| f32::from(b) * 1e-3).sum::<f32>();
        let values = ((tensor(shape, step) * scale).unwrap() + shift).unwrap();
        map.data().lock().unwrap().insert(name, candle_core::Var::from_tensor(&values).unwrap());
    };
    for n in 0..shape.layers {
        for norm in NAMES.norms {
            add(format!("{n}.{norm}.weight"), &[w], 0.2, 1.0);
            add(format!("{n}.{norm}.bias"), &[w], 0.1, 0.0);
        }
        for name in NAMES.attention {
            add(format!("{n}.{name}.weight"), &[w, w], 1.5 / (w as f64).sqrt(), 0.0);
            add(format!("{n}.{name}.bias"), &[w], 0.1, 0.0);
        }
        for (name, from, to) in [("u", w, inner), ("d", inner, w)] {
            add(format!("{n}.{name}.weight"), &[to, from], 1.5 / (from as f64).sqrt(), 0.0);
            add(format!("{n}.{name}.bias"), &[to], 0.1, 0.0);
        }
    }
    VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu)
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// Twice the square error of `found`, as a share of the squares of `expected`, is at most the square of this.
fn off(found: &Tensor, expected: &Tensor) -> f64 {
    let (found, expected) = (values(found), values(expected));
    assert_eq!(found.len(), expected.len());
    let square = |x: f32| f64::from(x) * f64::from(x);
    let error: f64 = found.iter().zip(&expected).map(|(a, b)| square(a - b)).sum();
    (error / expected.iter().map(|x| square(*x)).sum::<f64>()).sqrt()
}

/// The tower with candle's tensors.
fn reference(shape: &TowerShape, x: &Tensor, sees: Sees) -> Tensor {
    let blocks = shape.named_blocks(&NAMES, AttentionBiases::All, &strided(weights(shape))).unwrap();
    blocks.forward(x.clone(), sees).unwrap()
}

/// The same weights, whose matrices lie column by column in memory, so that they are not packed.
fn strided(vb: VarBuilder<'static>) -> VarBuilder<'static> {
    VarBuilder::from_backend(Box::new(Strided(vb)), DType::F32, Device::Cpu)
}

struct Strided(VarBuilder<'static>);

impl candle_nn::var_builder::SimpleBackend for Strided {
    fn get(&self, shape: candle_core::Shape, name: &str, _: candle_nn::Init, _: DType, _: &Device) -> Result<Tensor> {
        let x = self.0.get(shape, name)?;
        if x.rank() < 2 { Ok(x) } else { x.transpose(0, 1)?.contiguous()?.transpose(0, 1) }
    }
    fn get_unchecked(&self, name: &str, dtype: DType, _: &Device) -> Result<Tensor> {
        self.0.get_unchecked_dtype(name, dtype)
    }
    fn contains_tensor(&self, name: &str) -> bool {
        self.0.contains_tensor(name)
    }
}

#[test]
fn packed_blocks_equal_those_of_tensors() {
    let check = |(width, heads), t, activation, sees| {
        let shape = shape(width, heads, activation, Precision::F32);
        let x = tensor(&[2, t, width], 0.37);
        let blocks = shape.named_blocks(&NAMES, AttentionBiases::All, &weights(&shape)).unwrap();
        let off = off(&blocks.forward(x.clone(), sees).unwrap(), &reference(&shape, &x, sees));
        assert!(off < 3e-6, "{width} {t} {activation:?} {sees:?}: {off}");
    };
    check((8, 2), 1, Activation::Gelu, Sees::All);
    check((24, 3), 5, Activation::Gelu, Sees::Before);
    check((64, 4), 50, Activation::GeluTanh, Sees::All);
    check((160, 5), 33, Activation::QuickGelu, Sees::Before);
    check((32, 1), 300, Activation::Silu, Sees::All);
    check((32, 2), 1200, Activation::Relu, Sees::Before);
}

#[test]
fn products_of_8_bit_integers_are_near_those_of_floats() {
    for (width, heads, t) in [(8, 2, 1), (64, 4, 50), (160, 5, 33)] {
        let shape = shape(width, heads, Activation::Gelu, Precision::Int8);
        let x = tensor(&[2, t, width], 0.37);
        let blocks = shape.named_blocks(&NAMES, AttentionBiases::All, &weights(&shape)).unwrap();
        let off = off(&blocks.forward(x.clone(), Sees::All).unwrap(), &reference(&shape, &x, Sees::All));
        assert!(off > 1e-5 && off < 3e-2, "{width} {t}: {off}");
    }
}

/// The bits of each input's result for a batch size and a number of threads.
fn bits(blocks: &crate::infer::prenorm::TowerBlocks, x: &Tensor, batch: usize, threads: usize) -> Vec<Vec<u32>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let inputs = x.dim(0).unwrap();
        let one = |at: usize| {
            let x = x.narrow(0, at, batch.min(inputs - at)).unwrap().contiguous().unwrap();
            let y = blocks.forward(x, Sees::All).unwrap();
            (0..y.dim(0).unwrap()).map(|n| values(&y.get(n).unwrap()).iter().map(|x| x.to_bits()).collect()).collect()
        };
        (0..inputs).step_by(batch).flat_map(|at| -> Vec<Vec<u32>> { one(at) }).collect()
    })
}

#[test]
fn results_do_not_depend_on_batch_or_threads() {
    for precision in [Precision::F32, Precision::Int8] {
        for (width, heads, t) in [(8, 2, 1), (40, 5, 7), (160, 5, 33), (96, 2, 130)] {
            let shape = shape(width, heads, Activation::Gelu, precision);
            let blocks = shape.named_blocks(&NAMES, AttentionBiases::All, &weights(&shape)).unwrap();
            let x = tensor(&[32, t, width], 0.37);
            let alone = bits(&blocks, &x, 1, 1);
            for (batch, threads) in [(1, 2), (3, 1), (3, 2), (32, 1), (32, 2), (32, 5)] {
                let together = bits(&blocks, &x, batch, threads);
                let differs = alone.iter().zip(&together).position(|(a, b)| a != b);
                assert_eq!(differs, None, "{precision:?} {width} {t} {batch} {threads}");
            }
        }
    }
}

#[test]
fn inputs_of_several_lengths_are_computed_as_alone() {
    let shape = shape(40, 5, Activation::Gelu, Precision::F32);
    let blocks = shape.named_blocks(&NAMES, AttentionBiases::All, &weights(&shape)).unwrap();
    let blocks = blocks.dense().expect("packed");
    let lengths = [1, 33, 7, 300, 2, 198, 5];
    let x = tensor(&[lengths.iter().sum(), shape.width], 0.37);
    for sees in [Sees::All, Sees::Before] {
        let (mut alone, mut from) = (Vec::new(), 0);
        for t in lengths {
            alone.extend(values(&blocks.forward_each(&x.narrow(0, from, t).unwrap(), &[t], sees).unwrap()));
            from += t;
        }
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let all = pool.install(|| blocks.forward_each(&x, &lengths, sees).unwrap());
            let differs = alone.iter().zip(values(&all)).position(|(a, b)| a.to_bits() != b.to_bits());
            assert_eq!(differs, None, "{sees:?} {threads}");
        }
        assert!(blocks.forward_each(&x, &lengths[1..], sees).is_err());
    }
}

#[test]
fn a_packed_map_equals_that_of_a_tensor() {
    for (m, k, n) in [(1, 1, 1), (1, 300, 7), (5, 64, 33), (40, 130, 100)] {
        let (weight, bias, x) = (tensor(&[n, k], 0.7), tensor(&[n], 0.3), tensor(&[2, m, k], 0.11));
        for bias in [None, Some(bias)] {
            let plain = Linear::new(weight.clone(), bias);
            let expected = candle_nn::Module::forward(&plain, &x).unwrap();
            let found = candle_nn::Module::forward(&plain.packed(Precision::F32).unwrap(), &x).unwrap();
            assert_eq!(found.dims(), [2, m, n]);
            let off = off(&found, &expected);
            assert!(off < 2e-6, "{m} {k} {n}: {off}");
        }
    }
}

#[test]
fn rows_of_any_size_become_integers() {
    let weight = Tensor::new(&[[1f32, -1.0, 0.5], [0.0, 0.0, 0.0]], &Device::Cpu).unwrap();
    let packed = Packed::new(&[(&weight, None)], Precision::Int8).unwrap().unwrap();
    let check = |x: [f32; 3], expected: [f32; 2], near: f32| {
        let mut out = [7.0; 2];
        packed.multiply(&x, &mut out, false);
        assert!(out.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= near), "{x:?}: {out:?}");
    };
    check([0.0; 3], [0.0, 0.0], 0.0);
    check([1.0, 2.0, 4.0], [1.0, 0.0], 0.1);
    check([-1.0, -2.0, -4.0], [-1.0, 0.0], 0.1);
    check([1e30, 0.0, 0.0], [1e30, 0.0], 1e29);
    check([1e-42, 0.0, 0.0], [0.0, 0.0], 1e-40);
}

#[test]
fn windows_of_frames_are_convolved() {
    for (frames, inputs, outputs, stride) in [(1, 1, 1, 1), (7, 5, 8, 1), (8, 5, 8, 2), (301, 16, 24, 2)] {
        let map = VarMap::new();
        for (name, shape) in [("weight", vec![outputs, inputs, 3]), ("bias", vec![outputs])] {
            let value = candle_core::Var::from_tensor(&tensor(&shape, 0.7)).unwrap();
            map.data().lock().unwrap().insert(name.to_owned(), value);
        }
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        let x = tensor(&[1, frames, inputs], 0.11);
        let plain = candle_nn::Conv1dConfig { padding: 1, stride, ..Default::default() };
        let plain = candle_nn::conv1d(inputs, outputs, 3, plain, vb.clone()).unwrap();
        let expected = candle_nn::Module::forward(&plain, &x.transpose(1, 2).unwrap().contiguous().unwrap()).unwrap();
        let expected = candle_nn::Module::forward(&Activation::Gelu, &expected.transpose(1, 2).unwrap()).unwrap();
        let found = FrameConvolution::load((inputs, outputs), stride, Activation::Gelu, &vb).unwrap();
        let found = found.forward(&x).unwrap();
        assert_eq!(found.dims(), expected.dims());
        let off = off(&found, &expected);
        assert!(off < 2e-6, "{frames} {inputs} {outputs} {stride}: {off}");
    }
}

#[test]
fn activations_equal_their_definitions() {
    let all = [
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::QuickGelu,
        Activation::Relu,
        Activation::Relu6,
        Activation::Silu,
    ];
    for activation in all {
        let x = Tensor::arange(-400i64, 400, &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
        let x = (x * 0.05).unwrap();
        let expected: Vec<f64> = candle_nn::Module::forward(&activation, &x).unwrap().to_vec1().unwrap();
        let mut found: Vec<f32> = x.to_dtype(DType::F32).unwrap().to_vec1().unwrap();
        activate(activation, &mut found);
        for (found, expected) in found.iter().zip(&expected) {
            let near = 1e-6 * expected.abs().max(1.0);
            assert!((f64::from(*found) - expected).abs() < near, "{activation:?}: {found} is not {expected}");
        }
    }
}
