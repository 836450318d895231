//! ResNet as an image classifier (He et al. 2015, arXiv 1512.03385), with basic or bottleneck layers.
//!
//! Our own code on [`crate::infer::conv`], which folds the batch norms. candle-transformers' `resnet` knows only timm's
//! names of tensors, and its convolutions add their bias in a pass of its own.

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        classes::Classes,
        classify::{self, PictureNetwork},
        config::{Config, within},
        conv::{self, Conv, Features, Norm, Residual, Shortcut, Window},
        cost::{self, CostModel, Pass},
        image::Preparation,
        job::Model,
        ops::{self, Activation, Linear},
    },
};
use candle_core::{Result, Tensor};
use candle_nn::{Module, VarBuilder};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family =
    Family::classifier("resnet", |config| config.is_type(&["resnet"], &["ResNetForImageClassification"]), cost, load);

/// The addend of the batch norms: PyTorch's default.
const EPS: f64 = 1e-5;
/// A bottleneck has this fraction of its layer's channels.
const REDUCTION: usize = 4;

/// The settings of the network. Absent keys have the values of transformers' `ResNetConfig`.
struct Shape {
    first: usize,
    widths: Vec<usize>,
    depths: Vec<usize>,
    has_bottlenecks: bool,
    activation: Activation,
    steps_first: bool,
    steps_in_bottleneck: bool,
}

impl Shape {
    fn read(config: &Config) -> std::result::Result<Shape, Fault> {
        let widths = classify::counts(config, "hidden_sizes", within::WIDTH, &[256, 512, 1024, 2048])?;
        let depths = classify::counts(config, "depths", within::LAYERS, &[3, 4, 6, 3])?;
        let kind = config.string("layer_type")?.unwrap_or("bottleneck");
        let wrong = |why: String| Err(Fault::model(format!("{}: {why}", config.name())));
        if widths.len() != depths.len() {
            let (widths, depths) = (widths.len(), depths.len());
            return wrong(format!("found {widths} `hidden_sizes` and {depths} `depths`, expected as many of each"));
        }
        if !["basic", "bottleneck"].contains(&kind) {
            return wrong(format!("`layer_type` must be basic or bottleneck, found {kind}"));
        }
        let has_bottlenecks = kind == "bottleneck";
        if let Some(width) = widths.iter().find(|width| has_bottlenecks && **width < REDUCTION) {
            return wrong(format!("`hidden_sizes` must be {REDUCTION} or more with bottleneck layers, found {width}"));
        }
        Ok(Shape {
            first: config.count("embedding_size", within::WIDTH)?.unwrap_or(64),
            widths,
            depths,
            has_bottlenecks,
            activation: config.activation("hidden_act", "relu")?,
            steps_first: config.truth("downsample_in_first_stage")?.unwrap_or(false),
            steps_in_bottleneck: config.truth("downsample_in_bottleneck")?.unwrap_or(false),
        })
    }
}

/// A convolution with its batch norm. Absent paddings keep the size at a stride of 1.
fn conv(
    channels: (usize, usize),
    (kernel, stride): (usize, usize),
    vb: &VarBuilder<'_>,
    activation: Option<Activation>,
) -> Result<Conv> {
    let norm = Norm::Batch(vb.pp("normalization"), EPS);
    Conv::load(channels, false, Window::centred(kernel, stride), vb.pp("convolution"), &norm, activation)
}

/// A residual layer.
fn layer(shape: &Shape, (input, output): (usize, usize), stride: usize, vb: &VarBuilder<'_>) -> Result<Residual> {
    // transformers has ReLU inside of a layer, whatever `hidden_act` says
    let inside = Some(Activation::Relu);
    let at = |n: usize| vb.pp("layer").pp(n);
    let convs = if shape.has_bottlenecks {
        let (narrow, early) = (output / REDUCTION, shape.steps_in_bottleneck);
        let (first, second) = if early { (stride, 1) } else { (1, stride) };
        vec![
            conv((input, narrow), (1, first), &at(0), inside)?,
            conv((narrow, narrow), (3, second), &at(1), inside)?,
            conv((narrow, output), (1, 1), &at(2), None)?,
        ]
    } else {
        vec![conv((input, output), (3, stride), &at(0), inside)?, conv((output, output), (3, 1), &at(1), None)?]
    };
    let shortcut = if input != output || stride != 1 {
        Shortcut::Fitted(Box::new(conv((input, output), (1, stride), &vb.pp("shortcut"), None)?))
    } else {
        Shortcut::Plain
    };
    Ok(Residual::new(convs, shortcut, Some(shape.activation)))
}

struct ResNet {
    stem: Conv,
    layers: Vec<Residual>,
    head: Linear,
}

impl ResNet {
    fn load(shape: &Shape, classes: usize, vb: &VarBuilder<'_>) -> Result<ResNet> {
        let v = vb.pp("resnet");
        let stem = conv((3, shape.first), (7, 2), &v.pp("embedder.embedder"), Some(shape.activation))?;
        let (mut layers, mut input) = (Vec::new(), shape.first);
        for (stage, (width, depth)) in shape.widths.iter().zip(&shape.depths).enumerate() {
            for block in 0..*depth {
                let steps = block == 0 && (stage > 0 || shape.steps_first);
                let vb = v.pp("encoder.stages").pp(stage).pp("layers").pp(block);
                layers.push(layer(shape, (input, *width), if steps { 2 } else { 1 }, &vb)?);
                input = *width;
            }
        }
        Ok(ResNet { stem, layers, head: ops::linear_with_bias(input, classes, vb.pp("classifier.1"))? })
    }
}

impl PictureNetwork for ResNet {
    fn logits(&self, picture: &Features) -> Result<Tensor> {
        let mut x = conv::max_pool(&self.stem.forward(picture)?, Window::centred(3, 2))?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        self.head.forward(&x.mean()?)
    }
}

/// The side of a picture in an estimate; the configuration states none.
const USUAL_SIDE: usize = 224;

fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let shape = Shape::read(config)?;
    let mut parts: Vec<Pass> = vec![cost::convolution(3, shape.first, 7, USUAL_SIDE / 2, 1)];
    let (mut input, mut side) = (shape.first, USUAL_SIDE / 4);
    for (n, (width, depth)) in shape.widths.iter().zip(&shape.depths).enumerate() {
        side = if n > 0 || shape.steps_first { side / 2 } else { side };
        for _ in 0..*depth {
            let narrow = width / REDUCTION;
            let (first, rest) = if shape.has_bottlenecks {
                let last = cost::convolution(narrow, *width, 1, side, 1);
                (cost::convolution(input, narrow, 1, side, 1), [cost::convolution(narrow, narrow, 3, side, 1), last])
            } else {
                (
                    cost::convolution(input, *width, 3, side, 1),
                    [cost::convolution(*width, *width, 3, side, 1), Pass::default()],
                )
            };
            let shortcut = (input != *width).then(|| cost::convolution(input, *width, 1, side, 1));
            parts.extend([first].into_iter().chain(rest).chain(shortcut));
            input = *width;
        }
    }
    Ok(CostModel::classifier(cost::sequence(parts)))
}

fn load(checkpoint: &Checkpoint, options: &ModelOptions) -> std::result::Result<Box<dyn Model>, Fault> {
    let (config, classes) = (&checkpoint.config, Classes::read(&checkpoint.config)?);
    let shape = Shape::read(config)?;
    let preparation = Preparation::of_classifier(&checkpoint.processor("image_processor")?, "ConvNext", 384)?;
    options.classifier(checkpoint, (classes, preparation), |classes, vb| ResNet::load(&shape, classes, vb))
}
