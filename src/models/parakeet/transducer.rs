//! The decoder: a token-and-duration transducer (Xu et al. 2023, arXiv 2304.06795). An LSTM reads the tokens so far, and a joint
//! network says for a frame of sound which token follows, and how many frames it lasts.

use super::{encoder::numbers, shape::TransducerShape};
use crate::{
    error::Fault,
    infer::{
        failed,
        ops::{self, Linear, Table},
        sampling::{finite, likeliest},
    },
};
use candle_core::{Device, Result, Tensor};
use candle_nn::{Module, VarBuilder};

/// A layer of the LSTM (Hochreiter & Schmidhuber 1997), with the gates of torch: input, forget, cell, output.
struct LstmLayer {
    input: Linear,
    state: Linear,
}

impl LstmLayer {
    fn load(width: usize, n: usize, vb: &VarBuilder<'_>) -> Result<LstmLayer> {
        let gates = |name: &str| -> Result<Linear> {
            let weight = vb.get((4 * width, width), &format!("weight_{name}_l{n}"))?;
            Ok(Linear::new(weight, Some(vb.get(4 * width, &format!("bias_{name}_l{n}"))?)))
        };
        Ok(LstmLayer { input: gates("ih")?, state: gates("hh")? })
    }

    /// `x` is (1, width), and so are the hidden state and the cell.
    fn forward(&self, x: &Tensor, (hidden, cell): &(Tensor, Tensor)) -> Result<(Tensor, Tensor)> {
        let gates = (self.input.forward(x)? + self.state.forward(hidden)?)?.chunk(4, 1)?;
        let open = |n: usize| candle_nn::ops::sigmoid(&gates[n].contiguous()?);
        let cell = ((open(1)? * cell)? + (open(0)? * gates[2].tanh()?)?)?;
        Ok(((open(3)? * cell.tanh()?)?, cell))
    }
}

/// A token with its first frame and its length in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Emission {
    pub id: u32,
    pub frame: usize,
    pub duration: usize,
}

/// What the decoder has read, and where it is.
pub(super) struct Position {
    layers: Vec<(Tensor, Tensor)>,
    /// The last token, which is read before the next step.
    token: u32,
    /// The output for the tokens so far; none before the first.
    read: Option<Tensor>,
    /// The next frame.
    pub frame: usize,
    /// The steps that are left.
    pub steps: usize,
    pub emitted: Vec<Emission>,
}

/// The decoder and the joint network.
pub(super) struct Transducer {
    pub shape: TransducerShape,
    embedding: Table,
    layers: Vec<LstmLayer>,
    project: Linear,
    head: Linear,
    start: u32,
    device: Device,
}

impl Transducer {
    pub(super) fn load(shape: TransducerShape, start: u32, vb: &VarBuilder<'_>) -> Result<Transducer> {
        let (w, decoder) = (shape.width, vb.pp("decoder"));
        let outputs = shape.vocabulary + shape.durations;
        Ok(Transducer {
            embedding: ops::table(shape.vocabulary, w, "embedding.weight", &decoder)?,
            layers: (0..shape.layers).map(|n| LstmLayer::load(w, n, &decoder.pp("lstm"))).collect::<Result<_>>()?,
            project: ops::linear_with_bias(w, w, decoder.pp("decoder_projector"))?,
            head: ops::linear_with_bias(w, outputs, vb.pp("joint").pp("head"))?.for_decoding(),
            start,
            device: vb.device().clone(),
            shape,
        })
    }

    /// The beginning of a sound of `frames` output frames, counting those of padding.
    pub(super) fn begin(&self, frames: usize, dtype: candle_core::DType) -> std::result::Result<Position, Fault> {
        let zero = Tensor::zeros((1, self.shape.width), dtype, &self.device).map_err(failed)?;
        Ok(Position {
            layers: vec![(zero.clone(), zero); self.shape.layers],
            token: self.start,
            read: None,
            frame: 0,
            // as in transformers, where the start token is one of them
            steps: (self.shape.symbols * frames).saturating_sub(1).max(1),
            emitted: Vec::new(),
        })
    }

    /// Reads the last token, unless it is the blank.
    fn read(&self, position: &mut Position) -> Result<Tensor> {
        if let Some(read) = position.read.as_ref().filter(|_| position.token == self.shape.blank) {
            return Ok(read.clone());
        }
        let ids = Tensor::new(&[position.token], &self.device)?;
        let mut x = self.embedding.rows(&ids, position.layers[0].0.dtype())?;
        for (layer, state) in self.layers.iter().zip(&mut position.layers) {
            *state = layer.forward(&x, state)?;
            x = state.0.clone();
        }
        let read = self.project.forward(&x)?;
        position.read = Some(read.clone());
        Ok(read)
    }

    /// Decodes while the position is before frame `to`; `frames` are those from `from` on, (count, width). `gone` says that nobody
    /// waits any more.
    pub(super) fn decode(
        &self,
        position: &mut Position,
        frames: &Tensor,
        (from, to): (usize, usize),
        gone: impl Fn() -> bool,
    ) -> std::result::Result<usize, Fault> {
        let mut steps = 0;
        while position.frame < to && position.steps > 0 {
            if gone() {
                return Err(Fault::cancelled());
            }
            let joint = |position: &mut Position| -> Result<Vec<f32>> {
                let sum = (frames.narrow(0, position.frame - from, 1)? + self.read(position)?)?;
                numbers(&self.head.forward(&self.shape.activation.forward(&sum)?)?)
            };
            let logits = joint(position).map_err(failed)?;
            finite(&logits)?;
            let (tokens, durations) = logits.split_at(self.shape.vocabulary);
            let (id, mut duration) = (likeliest(tokens), likeliest(durations) as usize);
            if id == self.shape.blank {
                // a blank always moves on
                duration = duration.max(1);
            } else {
                position.emitted.push(Emission { id, frame: position.frame, duration });
            }
            position.token = id;
            position.frame += duration;
            position.steps -= 1;
            steps += 1;
        }
        Ok(steps)
    }
}
