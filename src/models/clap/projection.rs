//! The maps from the states of both towers to the vectors that are compared.

use crate::infer::ops::{self, Activation, Linear};
use candle_core::{Result, Tensor};
use candle_nn::{Module, VarBuilder};

/// Two linear maps with an activation between them.
pub(super) struct Projection {
    first: Linear,
    second: Linear,
    activation: Activation,
}

impl Projection {
    pub(super) fn load(input: usize, width: usize, activation: Activation, vb: &VarBuilder<'_>) -> Result<Projection> {
        Ok(Projection {
            first: ops::linear_with_bias(input, width, vb.pp("linear1"))?,
            second: ops::linear_with_bias(width, width, vb.pp("linear2"))?,
            activation,
        })
    }

    /// (rows, input) -> (rows, width)
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.second.forward(&self.activation.forward(&self.first.forward(x)?)?)
    }
}
