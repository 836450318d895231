//! The linear maps of a decoder: those of all families, but few rows are multiplied so that each row's result is the same bits for
//! any number of rows. Replies that are written together, and drafts, rely on it.

use crate::infer::{few, linear::in_array, ops::Linear, quantised::FEW};
use candle_core::{DType, Result, Tensor};
use candle_nn::Module;

/// A linear map `(rows, input) -> (rows, output)`.
pub(super) struct Map {
    linear: Linear,
    /// The matrix and the bias, if few rows are multiplied here.
    floating: Option<(Tensor, Option<Tensor>)>,
}

impl Map {
    /// The map of a matrix, (output, input), in any floating format.
    pub(super) fn new(weight: Tensor, bias: Option<Tensor>) -> Map {
        let floating = few::fits(&weight).then(|| (weight.clone(), bias.clone()));
        Map { linear: Linear::new(weight, bias).for_decoding(), floating }
    }

    /// The map of a quantised matrix: products with few rows are such that need no other.
    pub(super) fn quantised(linear: Linear) -> Map {
        Map { linear, floating: None }
    }

    /// The products of one input with several maps.
    pub(super) fn forward_all<const N: usize>(maps: [&Map; N], x: &Tensor) -> Result<[Tensor; N]> {
        if maps.iter().all(|map| map.floating.is_none()) {
            return Linear::forward_all(maps.map(|map| &map.linear), x);
        }
        in_array(maps.iter().map(|map| map.forward(x)).collect::<Result<_>>()?)
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.floating {
            Some((weight, bias)) if x.dim(0)? <= FEW && x.dtype() == DType::F32 => {
                let y = few::multiply(x, weight)?;
                match bias {
                    Some(bias) => y.broadcast_add(bias),
                    None => Ok(y),
                }
            }
            _ => self.linear.forward(x),
        }
    }
}
