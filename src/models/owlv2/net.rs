//! The image tower of OWLv2 with its heads for boxes and classes.

use crate::{
    infer::{
        dense::Precision,
        ops::{self, Linear},
        towers::TowerPair,
    },
    models::clip::ClipTrunk,
};
use candle_core::{D, DType, IndexOp, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

/// What the tower found in a picture, one row for each patch.
#[derive(Debug)]
pub(super) struct Regions {
    /// Centre, width and height of each box, as shares of the side of the padded picture.
    pub boxes: Vec<[f32; 4]>,
    /// (patches, width of a text's vector), unit length in f32.
    classes: Tensor,
    /// (patches, 1)
    shift: Tensor,
    /// (patches, 1)
    scale: Tensor,
}

impl Regions {
    /// For each box the label that fits it best, and the logit of that; `labels` is (labels, width), unit length in f32.
    pub(super) fn best(&self, labels: &Tensor) -> Result<Vec<(usize, f32)>> {
        let logits = self.classes.matmul(&labels.t()?)?; // (patches, labels)
        let logits = logits.broadcast_add(&self.shift)?.broadcast_mul(&self.scale)?;
        let best: Vec<u32> = logits.argmax(D::Minus1)?.to_vec1()?;
        let most: Vec<f32> = logits.max(D::Minus1)?.to_vec1()?;
        Ok(best.into_iter().map(|label| label as usize).zip(most).collect())
    }
}

/// Three linear maps with GELU between them.
struct BoxHead([Linear; 3]);

impl BoxHead {
    fn load(width: usize, vb: &VarBuilder<'_>) -> Result<BoxHead> {
        let map =
            |name: &str, out: usize| ops::packed(ops::linear_with_bias(width, out, vb.pp(name))?, vb, Precision::F32);
        Ok(BoxHead([map("dense0", width)?, map("dense1", width)?, map("dense2", 4)?]))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let [first, second, last] = &self.0;
        last.forward(&second.forward(&first.forward(x)?.gelu_erf()?)?.gelu_erf()?)
    }
}

/// The image tower with its heads.
pub(super) struct Detector {
    /// The patches of a side.
    grid: usize,
    trunk: ClipTrunk,
    norm: LayerNorm,
    boxes: BoxHead,
    classes: Linear,
    shift: Linear,
    scale: Linear,
}

impl Detector {
    /// Reads the tower; `out` is the width of a text's vector.
    pub(super) fn load(towers: &TowerPair, out: usize, vb: &VarBuilder<'_>) -> Result<Detector> {
        let TowerPair { image: shape, patch, side, .. } = *towers;
        let (w, head) = (shape.width, vb.pp("class_head"));
        Ok(Detector {
            grid: side / patch,
            trunk: ClipTrunk::load(towers, "pre_layernorm", &vb.pp("owlv2.vision_model"))?,
            norm: ops::layer_norm(w, shape.eps, vb.pp("layer_norm"))?,
            boxes: BoxHead::load(w, &vb.pp("box_head"))?,
            classes: ops::linear_with_bias(w, out, head.pp("dense0"))?,
            shift: ops::linear_with_bias(w, 1, head.pp("logit_shift"))?,
            scale: ops::linear_with_bias(w, 1, head.pp("logit_scale"))?,
        })
    }

    /// (1, 3, side, side) -> what is where.
    pub(super) fn see(&self, pixels: &Tensor) -> Result<Regions> {
        let x = self.trunk.norm_after.forward(&self.trunk.states(pixels)?)?;
        let patches = x.dim(1)? - 1;
        let x = x.narrow(1, 1, patches)?.broadcast_mul(&x.narrow(1, 0, 1)?)?;
        let x = self.norm.forward(&x.contiguous()?)?.i(0)?; // (patches, width)
        let boxes: Vec<Vec<f32>> = self.boxes.forward(&x)?.to_dtype(DType::F32)?.to_vec2()?;
        let classes = self.classes.forward(&x)?.to_dtype(DType::F32)?;
        // transformers adds 1e-6 to a length, twice for texts
        let lengths = (classes.sqr()?.sum_keepdim(D::Minus1)?.sqrt()? + 1e-6)?;
        Ok(Regions {
            boxes: boxes.iter().enumerate().map(|(n, sides)| self.placed(n, sides)).collect(),
            classes: (classes.broadcast_div(&lengths)? / (1.0 + 1e-6))?,
            shift: self.shift.forward(&x)?.to_dtype(DType::F32)?,
            scale: (self.scale.forward(&x)?.to_dtype(DType::F32)?.elu(1.0)? + 1.0)?,
        })
    }

    /// The box of a patch: what the head gives is added to the logits of the patch's lower right corner and of its size.
    fn placed(&self, n: usize, sides: &[f32]) -> [f32; 4] {
        let grid = self.grid as f64;
        let (column, row) = ((n % self.grid + 1) as f64 / grid, (n / self.grid + 1) as f64 / grid);
        let bias = |share: f64| (share + 1e-4).ln() - (1.0 - share + 1e-4).ln();
        let share = |n: usize, place: f64| ops::sigmoid(f64::from(sides[n]) + bias(place)) as f32;
        [share(0, column), share(1, row), share(2, 1.0 / grid), share(3, 1.0 / grid)]
    }
}
