//! The residual block of convolutional classifiers: convolutions, and a way around them.

use super::{Activation, Conv, Features};
use candle_core::Result;

/// What is added to the result of a block's convolutions.
#[derive(Debug, Clone)]
pub enum Shortcut {
    /// Nothing: the block changes the form of its features.
    Absent,
    /// The features as they came.
    Plain,
    /// The features after a convolution that gives them the form of the result.
    Fitted(Box<Conv>),
}

/// Convolutions one after another, the sum with the shortcut, then the activation.
#[derive(Debug, Clone)]
pub struct Residual {
    convs: Vec<Conv>,
    shortcut: Shortcut,
    activation: Option<Activation>,
}

impl Residual {
    /// A block; `activation` applies to the sum only.
    pub fn new(convs: Vec<Conv>, shortcut: Shortcut, activation: Option<Activation>) -> Residual {
        Residual { convs, shortcut, activation }
    }

    /// An inverted residual block (Sandler et al. 2018, arXiv 1801.04381): the plain sum, if the block keeps the form
    /// of its features.
    pub fn inverted(convs: Vec<Conv>, keeps_form: bool) -> Residual {
        Residual::new(convs, if keeps_form { Shortcut::Plain } else { Shortcut::Absent }, None)
    }

    /// The features after the block. Fails if they do not fit the block's convolutions.
    pub fn forward(&self, x: &Features) -> Result<Features> {
        let mut y: Option<Features> = None;
        for conv in &self.convs {
            y = Some(conv.forward(y.as_ref().unwrap_or(x))?);
        }
        let y = y.unwrap_or_else(|| x.clone());
        match &self.shortcut {
            Shortcut::Absent => Ok(y),
            Shortcut::Plain => y.plus(x, self.activation),
            Shortcut::Fitted(conv) => y.plus(&conv.forward(x)?, self.activation),
        }
    }
}

/// A number of channels near `value` that `divisor` divides, at least `fewest` and nine tenths of `value`: the rule of
/// MobileNet and EfficientNet.
pub fn divisible(value: f64, divisor: usize, fewest: usize) -> usize {
    let whole = ((value + divisor as f64 / 2.0) as usize / divisor * divisor).max(fewest);
    if (whole as f64) < 0.9 * value { whole + divisor } else { whole }
}
