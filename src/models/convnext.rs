//! ConvNeXt as an image classifier (Liu et al. 2022, arXiv 2201.03545).
//!
//! Our own code on [`crate::infer::conv`]: pixels are rows and channels are columns, so that the norms and linear maps
//! of a block need no transposition. candle-transformers' `convnext` knows only timm's names of tensors.

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        classes::Classes,
        classify::{self, PictureNetwork},
        config::{Config, within},
        conv::{Conv, Features, Norm, Padding, Window},
        cost::{self, CostModel, Pass},
        image::Preparation,
        job::Model,
        ops::{self, Activation, Linear},
    },
};
use candle_core::{Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family::classifier(
    "convnext",
    |config| config.is_type(&["convnext"], &["ConvNextForImageClassification"]),
    cost,
    load,
);

/// The addend of all norms but the last; transformers does not read it from the configuration.
const EPS: f64 = 1e-6;

/// The settings of the network. Absent keys have the values of transformers' `ConvNextConfig`.
struct Shape {
    patch: usize,
    widths: Vec<usize>,
    depths: Vec<usize>,
    activation: Activation,
    eps: f64,
    is_scaled: bool,
}

impl Shape {
    fn read(config: &Config) -> std::result::Result<Shape, Fault> {
        let widths = classify::counts(config, "hidden_sizes", within::WIDTH, &[96, 192, 384, 768])?;
        let depths = classify::counts(config, "depths", within::LAYERS, &[3, 3, 9, 3])?;
        let stages = config.count("num_stages", within::LAYERS)?.unwrap_or(4);
        if widths.len() != stages || depths.len() != stages {
            return Err(Fault::model(format!(
                "{}: found {} `hidden_sizes` and {} `depths`, expected {stages} of each (`num_stages`)",
                config.name(),
                widths.len(),
                depths.len()
            )));
        }
        let (patch, other) = classify::sides(config, "patch_size", 4)?;
        if patch != other {
            return Err(Fault::model(format!("{}: `patch_size` must be square", config.name())));
        }
        Ok(Shape {
            patch,
            widths,
            depths,
            activation: config.activation("hidden_act", "gelu")?,
            eps: config.number("layer_norm_eps", within::EPSILON)?.unwrap_or(1e-12),
            is_scaled: config.number("layer_scale_init_value", -1e3..=1e3)?.unwrap_or(1e-6) > 0.0,
        })
    }
}

/// A residual block: depthwise convolution, norm, and two linear maps.
struct Block {
    depthwise: Conv,
    norm: LayerNorm,
    up: Linear,
    down: Linear,
    scale: Option<Tensor>,
    activation: Activation,
}

impl Block {
    fn load(shape: &Shape, width: usize, vb: &VarBuilder<'_>) -> Result<Block> {
        let window = Window::centred(7, 1);
        Ok(Block {
            depthwise: Conv::load((width, width), true, window, vb.pp("dwconv"), &Norm::Bias, None)?,
            norm: ops::layer_norm(width, EPS, vb.pp("layernorm"))?,
            up: ops::linear_with_bias(width, 4 * width, vb.pp("pwconv1"))?,
            down: ops::linear_with_bias(4 * width, width, vb.pp("pwconv2"))?,
            scale: shape.is_scaled.then(|| vb.get(width, "layer_scale_parameter")).transpose()?,
            activation: shape.activation,
        })
    }

    fn forward(&self, x: &Features) -> Result<Features> {
        let y = self.norm.forward(&self.depthwise.forward(x)?.rows)?;
        let y = self.down.forward(&self.activation.forward(&self.up.forward(&y)?)?)?;
        let y = if let Some(scale) = &self.scale { y.broadcast_mul(scale)? } else { y };
        x.with(y).plus(x, None)
    }
}

/// The norm and the convolution of 2×2 between two stages, and the blocks of a stage.
struct Stage {
    smaller: Option<(LayerNorm, Conv)>,
    blocks: Vec<Block>,
}

struct ConvNext {
    patches: Conv,
    norm_before: LayerNorm,
    stages: Vec<Stage>,
    norm: LayerNorm,
    head: Linear,
}

impl ConvNext {
    fn load(shape: &Shape, classes: usize, vb: &VarBuilder<'_>) -> Result<ConvNext> {
        let (v, first) = (vb.pp("convnext"), shape.widths[0]);
        let last = shape.widths[shape.widths.len() - 1];
        let steps = |side: usize| Window { kernel: side, stride: side, dilation: 1, padding: Padding::Each(0) };
        let stage = |n: usize| {
            let (vb, width) = (v.pp("encoder.stages").pp(n), shape.widths[n]);
            let smaller = |before: usize| -> Result<_> {
                let vb = vb.pp("downsampling_layer");
                let norm = ops::layer_norm(before, EPS, vb.pp(0))?;
                Ok((norm, Conv::load((before, width), false, steps(2), vb.pp(1), &Norm::Bias, None)?))
            };
            Ok(Stage {
                smaller: n.checked_sub(1).map(|before| smaller(shape.widths[before])).transpose()?,
                blocks: (0..shape.depths[n])
                    .map(|block| Block::load(shape, width, &vb.pp("layers").pp(block)))
                    .collect::<Result<_>>()?,
            })
        };
        let e = v.pp("embeddings");
        Ok(ConvNext {
            patches: Conv::load((3, first), false, steps(shape.patch), e.pp("patch_embeddings"), &Norm::Bias, None)?,
            norm_before: ops::layer_norm(first, EPS, e.pp("layernorm"))?,
            stages: (0..shape.widths.len()).map(stage).collect::<Result<_>>()?,
            norm: ops::layer_norm(last, shape.eps, v.pp("layernorm"))?,
            head: ops::linear_with_bias(last, classes, vb.pp("classifier"))?,
        })
    }
}

impl PictureNetwork for ConvNext {
    fn logits(&self, picture: &Features) -> Result<Tensor> {
        let patches = self.patches.forward(picture)?;
        let mut x = patches.with(self.norm_before.forward(&patches.rows)?);
        for stage in &self.stages {
            if let Some((norm, conv)) = &stage.smaller {
                x = conv.forward(&x.with(norm.forward(&x.rows)?))?;
            }
            for block in &stage.blocks {
                x = block.forward(&x)?;
            }
        }
        self.head.forward(&self.norm.forward(&x.mean()?)?)
    }
}

fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let shape = Shape::read(config)?;
    let side = classify::sides(config, "image_size", 224)?.0 / shape.patch;
    let mut parts: Vec<Pass> = vec![cost::convolution(3, shape.widths[0], shape.patch, side, 1)];
    for (n, (width, depth)) in shape.widths.iter().zip(&shape.depths).enumerate() {
        let side = side >> n;
        parts.extend(n.checked_sub(1).map(|before| cost::convolution(shape.widths[before], *width, 2, side, 1)));
        let block = [
            cost::convolution(*width, *width, 7, side, *width),
            cost::convolution(*width, 4 * width, 1, side, 1),
            cost::convolution(4 * width, *width, 1, side, 1),
        ];
        parts.extend(std::iter::repeat_n(block, *depth).flatten());
    }
    Ok(CostModel::classifier(cost::sequence(parts)))
}

fn load(checkpoint: &Checkpoint, options: &ModelOptions) -> std::result::Result<Box<dyn Model>, Fault> {
    let (config, classes) = (&checkpoint.config, Classes::read(&checkpoint.config)?);
    let shape = Shape::read(config)?;
    let preparation = Preparation::of_classifier(&checkpoint.processor("image_processor")?, "ConvNext", 384)?;
    options.classifier(checkpoint, (classes, preparation), |classes, vb| ConvNext::load(&shape, classes, vb))
}
