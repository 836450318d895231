//! MobileNetV2 as an image classifier (Sandler et al. 2018, arXiv 1801.04381).
//!
//! Our own code on [`crate::infer::conv`], because most of its time is spent in depthwise convolutions, which are slow
//! in candle. candle-transformers has no MobileNetV2.

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        classes::Classes,
        classify::{self, PictureNetwork},
        config::{Config, within},
        conv::{self, Conv, Features, Norm, Padding, Residual, Window},
        cost::{self, CostModel, Pass},
        image::Preparation,
        job::Model,
        ops::{self, Activation, Linear},
    },
};
use candle_core::{Result, Tensor};
use candle_nn::{Module, VarBuilder};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family::classifier(
    "mobilenet_v2",
    |config| config.is_type(&["mobilenet_v2"], &["MobileNetV2ForImageClassification"]),
    cost,
    load,
);

/// The channels after the stem and after each layer, before the multiplier.
const WIDTHS: [usize; 17] = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320];
/// The stride of each layer.
const STRIDES: [usize; 16] = [2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];
/// The channels of the last convolution, before the multiplier.
const LAST: usize = 1280;

/// The settings of the network. Absent keys have the values of transformers' `MobileNetV2Config`.
struct Shape {
    multiplier: f64,
    divisor: usize,
    fewest: usize,
    expansion: f64,
    output_stride: usize,
    expands_first: bool,
    is_finegrained: bool,
    activation: Activation,
    pads_as_tf: bool,
    eps: f64,
}

impl Shape {
    fn read(config: &Config) -> std::result::Result<Shape, Fault> {
        Ok(Shape {
            multiplier: config.number("depth_multiplier", 1e-3..=1e2)?.unwrap_or(1.0),
            divisor: config.count("depth_divisible_by", 1..=1 << 12)?.unwrap_or(8),
            fewest: config.count("min_depth", 1..=1 << 12)?.unwrap_or(8),
            expansion: config.number("expand_ratio", 1e-3..=1e2)?.unwrap_or(6.0),
            output_stride: config.count("output_stride", 1..=1 << 12)?.unwrap_or(32),
            expands_first: config.truth("first_layer_is_expansion")?.unwrap_or(true),
            is_finegrained: config.truth("finegrained_output")?.unwrap_or(true),
            activation: config.activation("hidden_act", "relu6")?,
            pads_as_tf: config.truth("tf_padding")?.unwrap_or(true),
            eps: config.number("layer_norm_eps", within::EPSILON)?.unwrap_or(1e-3),
        })
    }

    /// A number of channels times `factor`, divisible as the configuration asks. Halves are rounded to even, as Python
    /// does.
    fn channels(&self, channels: usize, factor: f64) -> usize {
        conv::divisible((channels as f64 * factor).round_ties_even(), self.divisor, self.fewest)
    }

    fn widened(&self, channels: usize) -> usize {
        self.channels(channels, self.multiplier)
    }

    /// The channels of the last convolution.
    fn last(&self) -> usize {
        let is_large = self.is_finegrained && self.multiplier < 1.0;
        if is_large { LAST } else { self.widened(LAST) }
    }

    fn window(&self, kernel: usize, stride: usize, dilation: usize) -> Window {
        let each = Padding::Each((kernel - 1) / 2 * dilation);
        Window { kernel, stride, dilation, padding: if self.pads_as_tf { Padding::Same } else { each } }
    }

    /// A convolution with its batch norm.
    fn conv(
        &self,
        channels: (usize, usize),
        depthwise: bool,
        window: Window,
        vb: &VarBuilder<'_>,
        is_active: bool,
    ) -> Result<Conv> {
        let norm = Norm::Batch(vb.pp("normalization"), self.eps);
        Conv::load(channels, depthwise, window, vb.pp("convolution"), &norm, is_active.then_some(self.activation))
    }

    /// The stem, which is a block without a sum.
    fn stem(&self, vb: &VarBuilder<'_>) -> Result<Residual> {
        let (wide, out) = (self.widened(32), self.widened(WIDTHS[0]));
        let point = self.window(1, 1, 1);
        let mut convs = vec![self.conv((3, wide), false, self.window(3, 2, 1), &vb.pp("first_conv"), true)?];
        if !self.expands_first {
            convs.push(self.conv((wide, wide), false, point, &vb.pp("expand_1x1"), true)?);
        }
        convs.push(self.conv((wide, wide), true, self.window(3, 1, 1), &vb.pp("conv_3x3"), true)?);
        convs.push(self.conv((wide, out), false, point, &vb.pp("reduce_1x1"), false)?);
        Ok(Residual::inverted(convs, false))
    }

    fn layer(
        &self,
        (input, output): (usize, usize),
        (stride, dilation): (usize, usize),
        vb: &VarBuilder<'_>,
    ) -> Result<Residual> {
        let (wide, point) = (self.channels(input, self.expansion), self.window(1, 1, 1));
        let convs = vec![
            self.conv((input, wide), false, point, &vb.pp("expand_1x1"), true)?,
            self.conv((wide, wide), true, self.window(3, stride, dilation), &vb.pp("conv_3x3"), true)?,
            self.conv((wide, output), false, point, &vb.pp("reduce_1x1"), false)?,
        ];
        Ok(Residual::inverted(convs, stride == 1 && input == output))
    }
}

struct MobileNetV2 {
    layers: Vec<Residual>,
    last: Conv,
    head: Linear,
}

impl MobileNetV2 {
    fn load(shape: &Shape, classes: usize, vb: &VarBuilder<'_>) -> Result<MobileNetV2> {
        let v = vb.pp("mobilenet_v2");
        let widths = WIDTHS.map(|width| shape.widened(width));
        let mut layers = vec![shape.stem(&v.pp("conv_stem"))?];
        // From the output stride on, layers are dilated instead of taking larger steps.
        let (mut reached, mut dilation) = (2, 1);
        for (n, stride) in STRIDES.iter().enumerate() {
            let step = if reached == shape.output_stride {
                let step = (1, dilation);
                dilation *= stride;
                step
            } else {
                reached *= stride;
                (*stride, 1)
            };
            layers.push(shape.layer((widths[n], widths[n + 1]), step, &v.pp("layer").pp(n))?);
        }
        let last = shape.last();
        Ok(MobileNetV2 {
            layers,
            last: shape.conv((widths[16], last), false, shape.window(1, 1, 1), &v.pp("conv_1x1"), true)?,
            head: ops::linear_with_bias(last, classes, vb.pp("classifier"))?,
        })
    }
}

impl PictureNetwork for MobileNetV2 {
    fn logits(&self, picture: &Features) -> Result<Tensor> {
        let mut x = self.layers[0].forward(picture)?;
        for layer in &self.layers[1..] {
            x = layer.forward(&x)?;
        }
        self.head.forward(&self.last.forward(&x)?.mean()?)
    }
}

fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let shape = Shape::read(config)?;
    let widths = WIDTHS.map(|width| shape.widened(width));
    let (stem, mut side) = (shape.widened(32), classify::sides(config, "image_size", 224)?.0 / 2);
    let mut parts: Vec<Pass> = vec![
        cost::convolution(3, stem, 3, side, 1),
        cost::convolution(stem, stem, 3, side, stem),
        cost::convolution(stem, widths[0], 1, side, 1),
    ];
    let mut reached = 2;
    for (n, stride) in STRIDES.iter().enumerate() {
        let wide = shape.channels(widths[n], shape.expansion);
        parts.push(cost::convolution(widths[n], wide, 1, side, 1));
        if reached != shape.output_stride {
            (reached, side) = (reached * stride, side / stride);
        }
        parts.push(cost::convolution(wide, wide, 3, side, wide));
        parts.push(cost::convolution(wide, widths[n + 1], 1, side, 1));
    }
    parts.push(cost::convolution(widths[16], shape.last(), 1, side, 1));
    Ok(CostModel::classifier(cost::sequence(parts)))
}

fn load(checkpoint: &Checkpoint, options: &ModelOptions) -> std::result::Result<Box<dyn Model>, Fault> {
    let (config, classes) = (&checkpoint.config, Classes::read(&checkpoint.config)?);
    let shape = Shape::read(config)?;
    let preparation = Preparation::of_classifier(&checkpoint.processor("image_processor")?, "MobileNetV2", 256)?;
    options.classifier(checkpoint, (classes, preparation), |classes, vb| MobileNetV2::load(&shape, classes, vb))
}
