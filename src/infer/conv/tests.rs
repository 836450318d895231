//! Our loops against candle's own convolution, and what cannot be computed.

use super::*;
use candle_nn::{Module, ModuleT};
use std::collections::HashMap;

/// Numbers without a pattern, the same for the same seed.
fn noise(shape: impl Into<candle_core::Shape>, seed: u64) -> Tensor {
    let shape = shape.into();
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.elem_count()).map(|_| next()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor")
}

fn weights(inputs: usize, outputs: usize, side: usize, variance: f32) -> VarBuilder<'static> {
    let of = |shape: &[usize], seed| noise(shape.to_vec(), seed);
    let tensors = HashMap::from([
        ("c.weight".to_owned(), of(&[outputs, inputs, side, side], 1)),
        ("c.bias".to_owned(), of(&[outputs], 2)),
        ("n.weight".to_owned(), of(&[outputs], 3)),
        ("n.bias".to_owned(), of(&[outputs], 4)),
        ("n.running_mean".to_owned(), of(&[outputs], 5)),
        ("n.running_var".to_owned(), Tensor::full(variance, outputs, &Device::Cpu).expect("a tensor")),
    ]);
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

fn features(channels: usize, height: usize, width: usize) -> Features {
    Features { rows: noise((height * width, channels), 9), height, width }
}

fn flat(features: &Features) -> Vec<f32> {
    features.rows.flatten_all().and_then(|rows| rows.to_vec1()).expect("numbers")
}

#[test]
fn a_convolution_equals_candles_with_a_batch_norm_after_it() {
    let check = |inputs: usize, outputs: usize, depthwise: bool, window: Window, size: (usize, usize)| {
        let (vb, x) = (
            weights(if depthwise { 1 } else { inputs }, outputs, window.kernel, 0.7),
            features(inputs, size.0, size.1),
        );
        let norm = Norm::Batch(vb.pp("n"), 1e-3);
        let conv = Conv::load((inputs, outputs), depthwise, window, vb.pp("c"), &norm, Some(Activation::Relu6))
            .expect("loads");
        let found = conv.forward(&x).expect("runs");

        let (pads, weight) =
            (window.grid(size.0, size.1).expect("fits").pads, vb.pp("c").get_unchecked("weight").expect("there"));
        let get = |name: &str| vb.pp("n").get(outputs, name).expect("there");
        let norm = candle_nn::BatchNorm::new(
            outputs,
            get("running_mean"),
            get("running_var"),
            get("weight"),
            get("bias"),
            1e-3,
        );
        let groups = if depthwise { inputs } else { 1 };
        let expected = x.planes().and_then(|planes| {
            let planes = planes.pad_with_zeros(2, pads[0], pads[1])?.pad_with_zeros(3, pads[2], pads[3])?;
            let planes = planes.conv2d(&weight, 0, window.stride, window.dilation, groups)?;
            Features::from_planes(&Activation::Relu6.forward(&norm?.forward_t(&planes, false)?)?)
        });
        let expected = expected.expect("runs");
        assert_eq!((found.height, found.width), (expected.height, expected.width), "{window:?}");
        let most = flat(&found).iter().zip(flat(&expected)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most < 2e-5, "{window:?} {inputs} {outputs} {depthwise}: {most}");

        let (kernel, groups) = (
            weight
                .broadcast_mul(
                    &folded(outputs, &vb.pp("n"), 1e-3).expect("folds").0.reshape((outputs, 1, 1, 1)).expect("a shape"),
                )
                .expect("scaled"),
            groups,
        );
        let other = conv.by_candle(&x, &kernel, groups, window.grid(size.0, size.1).expect("fits")).expect("runs");
        let most = flat(&found).iter().zip(flat(&other)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most < 2e-5, "candle's way, {window:?}: {most}");
    };
    let same = |kernel, stride| Window { kernel, stride, dilation: 1, padding: Padding::Same };
    check(3, 5, false, Window::POINT, (4, 6));
    check(3, 5, false, Window { stride: 2, ..Window::POINT }, (5, 6));
    check(3, 18, false, Window::centred(3, 2), (7, 9));
    check(2, 3, false, same(3, 2), (8, 7));
    check(3, 4, false, Window { kernel: 4, stride: 4, dilation: 1, padding: Padding::Each(0) }, (9, 8));
    check(37, 37, true, Window::centred(7, 1), (5, 6));
    check(20, 20, true, same(5, 2), (8, 9));
    check(16, 16, true, Window { dilation: 2, ..same(3, 1) }, (7, 6));
}

#[test]
fn a_pooling_ignores_its_padding() {
    let x = Features { rows: Tensor::full(-3f32, (4, 1), &Device::Cpu).expect("a tensor"), height: 2, width: 2 };
    let pooled = max_pool(&x, Window::centred(3, 2)).expect("runs");
    assert_eq!((pooled.height, pooled.width, flat(&pooled)), (1, 1, vec![-3.0]));
}

#[test]
fn a_sum_is_cut_and_keeps_nan() {
    let one = |values: [f32; 3]| Features {
        rows: Tensor::new(&[values], &Device::Cpu).expect("a tensor"),
        height: 1,
        width: 1,
    };
    let sum = one([1.0, -5.0, f32::NAN]).plus(&one([9.0, 1.0, 1.0]), Some(Activation::Relu6)).expect("runs");
    let sum = flat(&sum);
    assert_eq!((sum[0], sum[1], sum[2].is_nan()), (6.0, 0.0, true));
    let sum = one([1.0, -5.0, 2.0]).plus(&one([9.0, 1.0, 1.0]), Some(Activation::Silu)).expect("runs");
    assert!((flat(&sum)[0] - 9.999_546).abs() < 1e-5);
}

#[test]
fn what_cannot_be_computed_is_an_error() {
    let load = |variance| {
        let vb = weights(2, 2, 3, variance);
        Conv::load((2, 2), false, Window::centred(3, 1), vb.pp("c"), &Norm::Batch(vb.pp("n"), 1e-5), None)
    };
    let refused = |variance: f32| load(variance).expect_err("refused").to_string().lines().next().map(str::to_owned);
    assert_eq!(
        refused(-1.0).as_deref(),
        Some("the tensor `n.running_var` holds -1 at index 0, which is not a usable variance")
    );
    assert!(refused(f32::NAN).is_some(), "no number");
    let conv =
        Conv { window: Window { padding: Padding::Each(0), ..Window::centred(3, 1) }, ..load(1.0).expect("loads") };
    let error = conv.forward(&features(2, 2, 9)).expect_err("too small").to_string();
    assert!(error.starts_with("the picture is too small: 2 pixels remain for a window of 3"), "{error}");
}
