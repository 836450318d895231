//! Fast Conformer (Rekesh et al. 2023, arXiv 2305.05084): convolutions that halve the frames, then blocks of attention with
//! relative positions (Shaw et al. 2018, arXiv 1803.02155) and of convolutions along time.

use super::shape::{EncoderShape, SCORES_AT_ONCE};
use crate::infer::{
    dense::{self, Precision},
    ops::{self, Activation, Linear},
};
use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, LayerNorm, Module, VarBuilder};

/// A convolution along time and mel bins that halves both, channel by channel.
struct Halving {
    /// (channels, kernel · kernel)
    weight: Tensor,
    bias: Tensor,
    /// (channels, channels): mixes the channels afterwards.
    mix: Tensor,
    mix_bias: Tensor,
    kernel: usize,
}

impl Halving {
    fn load(shape: &EncoderShape, vb: &VarBuilder<'_>, n: usize) -> Result<Halving> {
        let (c, k) = (shape.channels, shape.halving_kernel);
        let (each, mix) = (vb.pp(2 + 3 * n), vb.pp(3 + 3 * n));
        Ok(Halving {
            weight: each.get((c, 1, k, k), "weight")?.reshape((c, k * k))?,
            bias: each.get(c, "bias")?.reshape((c, 1, 1))?,
            mix: mix.get((c, c, 1, 1), "weight")?.reshape((c, c))?,
            mix_bias: mix.get(c, "bias")?.reshape((c, 1))?,
            kernel: k,
        })
    }

    /// (channels, frames, bins) to (channels, frames / 2, bins / 2), rounded up.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (channels, frames, bins) = x.dims3()?;
        let (reach, halves) = (self.kernel / 2, |n: usize| n.div_ceil(2));
        let places = |from: usize, count: usize| {
            let all: Vec<u32> = (0..count).map(|n| (from + 2 * n) as u32).collect();
            Tensor::new(all, x.device())
        };
        let padded = x.pad_with_zeros(1, reach, reach)?.pad_with_zeros(2, reach, reach)?;
        let mut sum = self.bias.broadcast_as((channels, halves(frames), halves(bins)))?.contiguous()?;
        for row in 0..self.kernel {
            let rows = padded.index_select(&places(row, halves(frames))?, 1)?;
            for column in 0..self.kernel {
                let part = rows.index_select(&places(column, halves(bins))?, 2)?;
                let weight = self.weight.narrow(1, row * self.kernel + column, 1)?.unsqueeze(2)?;
                sum = (sum + part.broadcast_mul(&weight)?)?;
            }
        }
        let mixed = self.mix.matmul(&sum.reshape((channels, ()))?)?.broadcast_add(&self.mix_bias)?;
        mixed.reshape((channels, halves(frames), halves(bins)))?.relu()
    }
}

struct FeedForward {
    up: Linear,
    down: Linear,
    activation: Activation,
}

impl FeedForward {
    fn load(shape: &EncoderShape, vb: &VarBuilder<'_>) -> Result<FeedForward> {
        Ok(FeedForward {
            up: map(shape.width, shape.inner, shape.attention_bias, vb.pp("linear1"))?,
            down: map(shape.inner, shape.width, shape.attention_bias, vb.pp("linear2"))?,
            activation: shape.activation,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.down.forward(&self.activation.forward(&self.up.forward(x)?)?)
    }
}

fn map(input: usize, output: usize, bias: bool, vb: VarBuilder<'_>) -> Result<Linear> {
    let map = match bias {
        true => ops::linear_with_bias(input, output, vb.clone())?,
        false => ops::linear_without_bias(input, output, vb.clone())?,
    };
    ops::packed(map, &vb, Precision::F32)
}

struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    position: Linear,
    /// (heads, 1, d): added to the queries of contents and of positions.
    content_bias: Tensor,
    position_bias: Tensor,
    heads: usize,
}

impl Attention {
    fn load(shape: &EncoderShape, vb: &VarBuilder<'_>) -> Result<Attention> {
        let (w, heads) = (shape.width, shape.heads);
        let square = |name: &str| map(w, w, shape.attention_bias, vb.pp(name));
        let bias = |name: &str| vb.get((heads, w / heads), name)?.unsqueeze(1);
        Ok(Attention {
            query: square("q_proj")?,
            key: square("k_proj")?,
            value: square("v_proj")?,
            out: square("o_proj")?,
            position: map(w, w, false, vb.pp("relative_k_proj"))?,
            content_bias: bias("bias_u")?,
            position_bias: bias("bias_v")?,
            heads,
        })
    }

    /// `x` is (t, width); `positions` are those of distances from t - 1 down to 1 - t, (2·t - 1, width).
    fn forward(&self, x: &Tensor, positions: &Tensor) -> Result<Tensor> {
        let (t, width) = x.dims2()?;
        let d = width / self.heads;
        // (heads, rows, d)
        let split = |x: Tensor| x.reshape((x.dim(0)?, self.heads, d))?.transpose(0, 1)?.contiguous();
        let (q, k, v) = (split(self.query.forward(x)?)?, split(self.key.forward(x)?)?, split(self.value.forward(x)?)?);
        let distances = split(self.position.forward(positions)?)?;
        let rows = (SCORES_AT_ONCE / (self.heads * t)).clamp(1, t);
        // rows from `from` on, so that the memory does not grow with the square of the sound's length
        let piece = |from: usize| -> Result<Tensor> {
            let n = rows.min(t - from);
            let q = q.narrow(1, from, n)?;
            let contents = q.broadcast_add(&self.content_bias)?.matmul(&k.t()?)?; // (heads, n, t)
            let near = distances.narrow(1, t - from - n, t + n - 1)?.contiguous()?;
            let raw = q.broadcast_add(&self.position_bias)?.matmul(&near.t()?)?; // (heads, n, t + n - 1)
            let scores = ((contents + shifted(&raw, t)?)? * (d as f64).powf(-0.5))?;
            dense::softmax(scores)?.matmul(&v)
        };
        let all = (0..t).step_by(rows).map(piece).collect::<Result<Vec<_>>>()?;
        self.out.forward(&Tensor::cat(&all, 1)?.transpose(0, 1)?.reshape((t, width))?)
    }
}

/// Moves row `n` of (heads, rows, t + rows - 1) to the left by `rows - 1 - n`, and keeps `t` columns: the relative shift of
/// Transformer-XL (Dai et al. 2019, arXiv 1901.02860, appendix B).
fn shifted(raw: &Tensor, t: usize) -> Result<Tensor> {
    let (heads, rows, wide) = raw.dims3()?;
    let turned = raw.pad_with_zeros(2, 1, 0)?.reshape((heads, wide + 1, rows))?;
    turned.narrow(1, 1, wide)?.contiguous()?.reshape((heads, rows, wide))?.narrow(2, 0, t)
}

struct Convolution {
    into: Linear,
    out: Linear,
    /// (kernel, width), with the batch norm folded in.
    taps: Tensor,
    bias: Tensor,
    activation: Activation,
}

impl Convolution {
    fn load(shape: &EncoderShape, vb: &VarBuilder<'_>) -> Result<Convolution> {
        const EPSILON: f64 = 1e-5;
        let (w, kernel) = (shape.width, shape.kernel);
        let point = |name: &str, output: usize| -> Result<Linear> {
            let v = vb.pp(name);
            let bias = if shape.convolution_bias { Some(v.get(output, "bias")?) } else { None };
            let map = Linear::new(v.get((output, w, 1), "weight")?.squeeze(2)?.contiguous()?, bias);
            ops::packed(map, &v, Precision::F32)
        };
        let (each, norm) = (vb.pp("depthwise_conv"), vb.pp("norm"));
        let full = |name: &str| norm.get(w, name)?.to_dtype(DType::F32);
        let scale = full("weight")?.div(&(full("running_var")? + EPSILON)?.sqrt()?)?;
        let mut bias = full("running_mean")?.neg()?;
        if shape.convolution_bias {
            bias = (bias + each.get(w, "bias")?.to_dtype(DType::F32)?)?;
        }
        let bias = ((bias * &scale)? + full("bias")?)?;
        let taps = each.get((w, 1, kernel), "weight")?.squeeze(1)?.to_dtype(DType::F32)?;
        let taps = taps.broadcast_mul(&scale.unsqueeze(1)?)?.t()?.contiguous()?;
        Ok(Convolution {
            into: point("pointwise_conv1", 2 * w)?,
            out: point("pointwise_conv2", w)?,
            taps: taps.to_dtype(vb.dtype())?,
            bias: bias.to_dtype(vb.dtype())?,
            activation: shape.activation,
        })
    }

    /// `x` is (t, width).
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (t, width) = x.dims2()?;
        let both = self.into.forward(x)?;
        let gate = candle_nn::ops::sigmoid(&both.narrow(1, width, width)?.contiguous()?)?;
        let x = both.narrow(1, 0, width)?.contiguous()?.mul(&gate)?;
        let kernel = self.taps.dim(0)?;
        let padded = x.pad_with_zeros(0, kernel / 2, kernel / 2)?;
        let mut sum = self.bias.broadcast_as((t, width))?.contiguous()?;
        for tap in 0..kernel {
            sum = (sum + padded.narrow(0, tap, t)?.broadcast_mul(&self.taps.narrow(0, tap, 1)?)?)?;
        }
        self.out.forward(&self.activation.forward(&sum)?)
    }
}

struct Block {
    first: (LayerNorm, FeedForward),
    attention: (LayerNorm, Attention),
    convolution: (LayerNorm, Convolution),
    last: (LayerNorm, FeedForward),
    norm: LayerNorm,
}

impl Block {
    fn load(shape: &EncoderShape, vb: &VarBuilder<'_>) -> Result<Block> {
        let norm = |name: &str| ops::layer_norm(shape.width, 1e-5, vb.pp(name));
        Ok(Block {
            first: (norm("norm_feed_forward1")?, FeedForward::load(shape, &vb.pp("feed_forward1"))?),
            attention: (norm("norm_self_att")?, Attention::load(shape, &vb.pp("self_attn"))?),
            convolution: (norm("norm_conv")?, Convolution::load(shape, &vb.pp("conv"))?),
            last: (norm("norm_feed_forward2")?, FeedForward::load(shape, &vb.pp("feed_forward2"))?),
            norm: norm("norm_out")?,
        })
    }

    fn forward(&self, x: &Tensor, positions: &Tensor) -> Result<Tensor> {
        let half = |(norm, feed): &(LayerNorm, FeedForward), x: &Tensor| feed.forward(&norm.forward(x)?)? * 0.5;
        let x = (x + half(&self.first, x)?)?;
        let x = (&x + self.attention.1.forward(&self.attention.0.forward(&x)?, positions)?)?;
        let x = (&x + self.convolution.1.forward(&self.convolution.0.forward(&x)?)?)?;
        let x = (&x + half(&self.last, &x)?)?;
        self.norm.forward(&x)
    }
}

/// The encoder.
pub(super) struct FastConformer {
    pub shape: EncoderShape,
    first: Conv2d,
    halvings: Vec<Halving>,
    into: Linear,
    blocks: Vec<Block>,
    device: Device,
    dtype: DType,
}

impl FastConformer {
    pub(super) fn load(shape: EncoderShape, vb: &VarBuilder<'_>) -> Result<FastConformer> {
        let (sub, c, k) = (vb.pp("subsampling"), shape.channels, shape.halving_kernel);
        let layers = sub.pp("layers");
        let settings = Conv2dConfig { padding: k / 2, stride: 2, ..Conv2dConfig::default() };
        // in f32 always: candle has no such convolution in bf16 on a CPU
        let full = |tensor: Result<Tensor>| tensor?.to_dtype(DType::F32);
        let weight = full(layers.pp(0).get((c, 1, k, k), "weight"))?;
        let first = Conv2d::new(weight, Some(full(layers.pp(0).get(c, "bias"))?), settings);
        let flat = c * (shape.bins / shape.factor());
        Ok(FastConformer {
            first,
            halvings: (0..shape.halvings - 1).map(|n| Halving::load(&shape, &layers, n)).collect::<Result<_>>()?,
            into: map(flat, shape.width, true, sub.pp("linear"))?,
            blocks: (0..shape.layers).map(|n| Block::load(&shape, &vb.pp("layers").pp(n))).collect::<Result<_>>()?,
            device: vb.device().clone(),
            dtype: vb.dtype(),
            shape,
        })
    }

    /// The most feature frames that are halved at once.
    pub(super) fn piece(&self) -> usize {
        const NUMBERS: usize = 1 << 25;
        (NUMBERS / (self.shape.channels * self.shape.bins)).clamp(16, 512) * self.shape.factor()
    }

    /// Halves (frames, bins) features of `frames`: (frames / factor, width), rounded up.
    pub(super) fn halve(&self, features: Vec<f32>, frames: usize) -> Result<Tensor> {
        let x = Tensor::from_vec(features, (1, 1, frames, self.shape.bins), &self.device)?;
        let x = self.first.forward(&x)?.relu()?.squeeze(0)?; // (channels, frames, bins)
        let mut x = x.to_dtype(self.dtype)?;
        for halving in &self.halvings {
            x = halving.forward(&x)?;
        }
        let t = x.dim(1)?;
        let x = self.into.forward(&x.transpose(0, 1)?.contiguous()?.reshape((t, ()))?)?;
        if self.shape.is_scaled { x * (self.shape.width as f64).sqrt() } else { Ok(x) }
    }

    /// The states of halved frames, both (t, width).
    pub(super) fn states(&self, halved: &Tensor) -> Result<Tensor> {
        let positions = distances(halved.dim(0)?, self.shape.width, &self.device)?.to_dtype(self.dtype)?;
        self.blocks.iter().try_fold(halved.clone(), |x, block| block.forward(&x, &positions))
    }
}

/// Sines and cosines of the distances from t - 1 down to 1 - t, (2·t - 1, width).
fn distances(t: usize, width: usize, device: &Device) -> Result<Tensor> {
    let speed = |n: usize| (1.0 / 10_000f64.powf(2.0 * n as f64 / width as f64)) as f32;
    let speeds: Vec<f32> = (0..width / 2).map(speed).collect();
    let mut all = Vec::with_capacity((2 * t - 1) * width);
    for distance in (1 - t as i64..t as i64).rev() {
        for speed in &speeds {
            let angle = distance as f32 * speed;
            all.extend([angle.sin(), angle.cos()]);
        }
    }
    Tensor::from_vec(all, (2 * t - 1, width), device)
}

/// The last dimension of a tensor on the host, f32.
pub(super) fn numbers(x: &Tensor) -> Result<Vec<f32>> {
    x.flatten_to(D::Minus1)?.to_dtype(DType::F32)?.to_vec1()
}
