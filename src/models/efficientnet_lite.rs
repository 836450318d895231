//! timm's EfficientNet-Lite as an image classifier (Tan & Le 2019, arXiv 1905.11946; without squeeze-and-excitation).
//!
//! Our own code on [`crate::infer::conv`]. candle-transformers' `efficientnet` has squeeze-and-excitation and swish, and
//! runs depthwise convolutions channel by channel.

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        classes::{self, Classes},
        classify::{self, PictureNetwork},
        config::{Config, within},
        conv::{self, Conv, Features, Norm, Padding, Residual, Window},
        cost::{self, CostModel, Pass},
        image::{Preparation, Resize},
        job::Model,
        ops::{self, Activation, Linear},
        resample::Filter,
    },
};
use candle_core::{Result, Tensor};
use candle_nn::{Module, VarBuilder};

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    about: "image classifier (timm's efficientnet_lite0 to 4): ranks pictures among its own labels",
    ..Family::classifier("efficientnet_lite", |config| Variant::read(config).is_ok(), cost, load)
};

/// Mean and deviation of ImageNet: timm's default.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// The stages: repeats, kernel, stride, expansion, channels. timm neither repeats the first and the last stage more
/// often nor changes the stem and the head in larger variants.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];
const STEM: usize = 32;
const HEAD: usize = 1280;

/// One of the ten architectures.
struct Variant {
    /// Multipliers of channels and of repeats.
    scale: (f64, f64),
    /// The weights come from TensorFlow (`tf_…`): its padding and its addend of the variance.
    is_tf: bool,
}

impl Variant {
    fn read(config: &Config) -> std::result::Result<Variant, Fault> {
        let Some(value) = config.get("architecture") else {
            return Err(Fault::model(format!("{} lacks `architecture`", config.name())));
        };
        // a tag may follow the name: `tf_efficientnet_lite0.in1k`
        let name = value.as_str().and_then(|name| name.split('.').next()).unwrap_or_default();
        let (is_tf, plain) = match name.strip_prefix("tf_") {
            Some(plain) => (true, plain),
            None => (false, name),
        };
        let scale = match plain {
            "efficientnet_lite0" => (1.0, 1.0),
            "efficientnet_lite1" => (1.0, 1.1),
            "efficientnet_lite2" => (1.1, 1.2),
            "efficientnet_lite3" => (1.2, 1.4),
            "efficientnet_lite4" => (1.4, 1.8),
            _ => {
                return Err(config.wrong(
                    "architecture",
                    "one of efficientnet_lite0 to 4 or tf_efficientnet_lite0 to 4",
                    value,
                ));
            }
        };
        Ok(Variant { scale, is_tf })
    }

    /// A multiple of 8 near the scaled number of channels, and at least nine tenths of it.
    fn channels(&self, channels: usize) -> usize {
        conv::divisible(channels as f64 * self.scale.0, 8, 8)
    }

    fn repeats(&self, stage: usize) -> usize {
        let repeats = STAGES[stage].0;
        let is_fixed = stage == 0 || stage == STAGES.len() - 1;
        if is_fixed { repeats } else { (repeats as f64 * self.scale.1).ceil() as usize }
    }

    fn window(&self, kernel: usize, stride: usize) -> Window {
        let each = Padding::Each((stride - 1 + kernel - 1) / 2);
        Window { kernel, stride, dilation: 1, padding: if self.is_tf { Padding::Same } else { each } }
    }

    /// The convolution `conv` of a block with its batch norm `norm`.
    fn conv(
        &self,
        channels: (usize, usize),
        (depthwise, window): (bool, Window),
        (vb, conv, norm): (&VarBuilder<'_>, &str, &str),
        is_active: bool,
    ) -> Result<Conv> {
        let norm = Norm::Batch(vb.pp(norm), if self.is_tf { 1e-3 } else { 1e-5 });
        Conv::load(channels, depthwise, window, vb.pp(conv), &norm, is_active.then_some(Activation::Relu6))
    }

    /// A block of a stage: of the first stage without expansion.
    fn block(
        &self,
        (input, output): (usize, usize),
        (kernel, stride, expansion): (usize, usize, usize),
        vb: &VarBuilder<'_>,
    ) -> Result<Residual> {
        let (wide, point, deep) = (input * expansion, (false, Window::POINT), (true, self.window(kernel, stride)));
        let convs = match expansion {
            1 => vec![
                self.conv((wide, wide), deep, (vb, "conv_dw", "bn1"), true)?,
                self.conv((wide, output), point, (vb, "conv_pw", "bn2"), false)?,
            ],
            _ => vec![
                self.conv((input, wide), point, (vb, "conv_pw", "bn1"), true)?,
                self.conv((wide, wide), deep, (vb, "conv_dw", "bn2"), true)?,
                self.conv((wide, output), point, (vb, "conv_pwl", "bn3"), false)?,
            ],
        };
        Ok(Residual::inverted(convs, stride == 1 && input == output))
    }
}

struct EfficientNetLite {
    stem: Conv,
    blocks: Vec<Residual>,
    last: Conv,
    head: Linear,
}

impl EfficientNetLite {
    fn load(variant: &Variant, classes: usize, vb: &VarBuilder<'_>) -> Result<EfficientNetLite> {
        let stem = variant.conv((3, STEM), (false, variant.window(3, 2)), (vb, "conv_stem", "bn1"), true)?;
        let (mut blocks, mut input) = (Vec::new(), STEM);
        for (stage, (_, kernel, stride, expansion, channels)) in STAGES.iter().enumerate() {
            let output = variant.channels(*channels);
            for block in 0..variant.repeats(stage) {
                let stride = if block == 0 { *stride } else { 1 };
                let vb = vb.pp("blocks").pp(stage).pp(block);
                blocks.push(variant.block((input, output), (*kernel, stride, *expansion), &vb)?);
                input = output;
            }
        }
        Ok(EfficientNetLite {
            stem,
            blocks,
            last: variant.conv((input, HEAD), (false, Window::POINT), (vb, "conv_head", "bn2"), true)?,
            head: ops::linear_with_bias(HEAD, classes, vb.pp("classifier"))?,
        })
    }
}

impl PictureNetwork for EfficientNetLite {
    fn logits(&self, picture: &Features) -> Result<Tensor> {
        let mut x = self.stem.forward(picture)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.head.forward(&self.last.forward(&x)?.mean()?)
    }
}

/// The names of the classes: `label_names`, with the words of `label_descriptions` where they have some; `class 0`, …
/// if the file has none.
fn classes(config: &Config) -> std::result::Result<Classes, Fault> {
    let trained = config.part("pretrained_cfg")?.count("num_classes", within::CLASSES)?;
    let count = config.count("num_classes", within::CLASSES)?.or(trained).unwrap_or(1000);
    let Some(names) = config.get("label_names") else {
        return Classes::new(config, (0..count).map(|class| format!("class {class}")).collect());
    };
    let names =
        classes::numbered(names, Some(count)).map_err(|expected| config.wrong("label_names", expected, names))?;
    let words = config.part("label_descriptions")?;
    let described = names.into_iter().map(|name| Ok(words.string(&name)?.map(str::to_owned).unwrap_or(name)));
    Classes::new(config, described.collect::<std::result::Result<_, Fault>>()?)
}

/// timm's evaluation transform for `pretrained_cfg`.
fn preparation(config: &Config) -> std::result::Result<Preparation, Fault> {
    let settings = config.part("pretrained_cfg")?;
    let input = classify::counts(&settings, "input_size", within::SIDE, &[3, 224, 224])?;
    let [3, height, width] = input[..] else {
        return Err(settings.wrong("input_size", "three channels, a height and a width", &input.into()));
    };
    let filter = match settings.string("interpolation")?.unwrap_or("bicubic") {
        "bicubic" => Filter::Bicubic,
        "bilinear" => Filter::Bilinear,
        "lanczos" => Filter::Lanczos,
        "nearest" => Filter::Nearest,
        "box" => Filter::Box,
        "hamming" => Filter::Hamming,
        other => return Err(settings.wrong("interpolation", "the name of a filter, such as bicubic", &other.into())),
    };
    // timm takes 0 as absent
    let share = settings.number("crop_pct", 0.0..=4.0)?.filter(|share| *share > 0.0).unwrap_or(0.875);
    let enlarged = |side: usize| ((side as f64 / share).floor() as u32).clamp(1, *within::SIDE.end() as u32);
    let resize = match settings.string("crop_mode")?.unwrap_or("center") {
        "squash" => Resize::Exact(enlarged(width), enlarged(height)),
        "center" if height == width => Resize::ShortestEdge(enlarged(height)),
        "center" => return Err(settings.wrong("input_size", "a square with `crop_mode` center", &input.into())),
        other => return Err(settings.wrong("crop_mode", "center or squash", &other.into())),
    };
    let mean = settings.triple("mean", -1e3..=1e3)?.unwrap_or(MEAN);
    let std = settings.triple("std", 1e-6..=1e3)?.unwrap_or(STD);
    let crop = (width as u32, height as u32);
    Preparation::plain(settings.name(), (resize, filter), crop, (mean, std))
}

fn cost(config: &Config) -> std::result::Result<CostModel, Fault> {
    let variant = Variant::read(config)?;
    let size = classify::counts(&config.part("pretrained_cfg")?, "input_size", within::SIDE, &[3, 224, 224])?;
    let mut side = size.last().copied().unwrap_or(224).div_ceil(2);
    let mut parts: Vec<Pass> = vec![cost::convolution(3, STEM, 3, side, 1)];
    let mut input = STEM;
    for (stage, (_, kernel, stride, expansion, channels)) in STAGES.iter().enumerate() {
        let output = variant.channels(*channels);
        for block in 0..variant.repeats(stage) {
            let wide = input * expansion;
            parts.extend((*expansion > 1).then(|| cost::convolution(input, wide, 1, side, 1)));
            side = if block == 0 { side.div_ceil(*stride) } else { side };
            parts.push(cost::convolution(wide, wide, *kernel, side, wide));
            parts.push(cost::convolution(wide, output, 1, side, 1));
            input = output;
        }
    }
    parts.push(cost::convolution(input, HEAD, 1, side, 1));
    Ok(CostModel::classifier(cost::sequence(parts)))
}

fn load(checkpoint: &Checkpoint, options: &ModelOptions) -> std::result::Result<Box<dyn Model>, Fault> {
    let config = &checkpoint.config;
    let (variant, classes, preparation) = (Variant::read(config)?, classes(config)?, preparation(config)?);
    let arguments = config.part("model_args")?;
    if let Some(name) = arguments.keys().next() {
        return Err(Fault::model(format!("{}: the argument `{name}` is not supported", arguments.name())));
    }
    options.classifier(checkpoint, (classes, preparation), |classes, vb| EfficientNetLite::load(&variant, classes, vb))
}
