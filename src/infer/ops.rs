//! Small tensor operations that several families share, and readers of common layers.

use super::{
    dense::{self, Precision},
    weights::AS_STORED,
};
use crate::value::Scored;
use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{LayerNorm, Module, VarBuilder};

pub use super::linear::{Linear, Table};

/// The activation between the two halves of a feed-forward block, by its name in `config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x·Φ(x), with the error function.
    Gelu,
    /// The tanh approximation of GELU.
    GeluTanh,
    /// x·σ(1.702x), as OpenAI's CLIP.
    QuickGelu,
    /// max(x, 0)
    Relu,
    /// min(max(x, 0), 6)
    Relu6,
    /// x·σ(x)
    Silu,
}

impl Activation {
    /// The activation with this name in transformers.
    pub fn named(name: &str) -> std::result::Result<Activation, String> {
        Ok(match name {
            "gelu" | "gelu_python" => Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_python_tanh" | "gelu_fast" | "gelu_accurate" => {
                Activation::GeluTanh
            }
            "quick_gelu" => Activation::QuickGelu,
            "relu" => Activation::Relu,
            "relu6" => Activation::Relu6,
            "silu" | "swish" => Activation::Silu,
            other => return Err(format!("the activation `{other}` is not supported")),
        })
    }
}

impl Module for Activation {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if dense::has_values(x) {
            return dense::activated(*self, x);
        }
        match self {
            Activation::Gelu => x.gelu_erf(),
            Activation::GeluTanh => x.gelu(),
            Activation::QuickGelu => x * candle_nn::ops::sigmoid(&(x * 1.702f64)?)?,
            Activation::Relu => x.relu(),
            Activation::Relu6 => x.relu()?.minimum(6f64),
            Activation::Silu => x.silu(),
        }
    }
}

/// A linear map `(…, input) -> (…, output)`; its bias is read if the checkpoint has one.
pub fn linear(input: usize, output: usize, vb: VarBuilder<'_>) -> Result<Linear> {
    let weight = matrix(input, output, "weight", &vb)?;
    let bias = if vb.contains_tensor("bias") { Some(vb.get(output, "bias")?) } else { None };
    Ok(Linear::new(weight, bias))
}

/// A linear map `(…, input) -> (…, output)` with a required bias.
pub fn linear_with_bias(input: usize, output: usize, vb: VarBuilder<'_>) -> Result<Linear> {
    Ok(Linear::new(matrix(input, output, "weight", &vb)?, Some(vb.get(output, "bias")?)))
}

/// A linear map `(…, input) -> (…, output)` without a bias, whatever the checkpoint holds.
pub fn linear_without_bias(input: usize, output: usize, vb: VarBuilder<'_>) -> Result<Linear> {
    Ok(Linear::new(matrix(input, output, "weight", &vb)?, None))
}

/// The same map with a packed matrix, if `vb` computes in f32 on a CPU: for encoders, whose products have many rows.
pub fn packed(map: Linear, vb: &VarBuilder<'_>, precision: Precision) -> Result<Linear> {
    if vb.device().is_cpu() && vb.dtype() == DType::F32 { map.packed(precision) } else { Ok(map) }
}

/// The vectors of `vocab` tokens, each of `width` numbers.
pub fn table(vocab: usize, width: usize, name: &str, vb: &VarBuilder<'_>) -> Result<Table> {
    matrix(width, vocab, name, vb).map(Table::Floating)
}

/// A matrix (output, input) for a [`Linear`] or a [`Table`]: in the format of the file, if that is narrower than f32 and
/// the device is a CPU.
fn matrix(input: usize, output: usize, name: &str, vb: &VarBuilder<'_>) -> Result<Tensor> {
    vb.get_with_hints((output, input), name, AS_STORED)
}

/// A layer normalisation over the last dimension; older checkpoints name its parts `gamma` and `beta`.
pub fn layer_norm(size: usize, eps: f64, vb: VarBuilder<'_>) -> Result<LayerNorm> {
    let (weight, bias) = if vb.contains_tensor("gamma") { ("gamma", "beta") } else { ("weight", "bias") };
    Ok(LayerNorm::new(vb.get(size, weight)?, vb.get(size, bias)?, eps))
}

/// Multi-head attention of projected queries, keys and values.
///
/// `q` is (batch, t, heads·d), `k` and `v` are (batch, s, heads·d); `mask` is added to the scores and is broadcast from
/// (t, s). Gives (batch, t, heads·d).
pub fn attend(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Option<&Tensor>) -> Result<Tensor> {
    let (batch, t, width) = q.dims3()?;
    let d = width / heads;
    // (batch, heads, t, d)
    let split = |x: &Tensor| x.reshape((batch, x.dim(1)?, heads, d))?.transpose(1, 2)?.contiguous();
    let q = (split(q)? * (d as f64).powf(-0.5))?;
    attend_heads(&q, &split(k)?, &split(v)?, mask)?.transpose(1, 2)?.reshape((batch, t, width))
}

/// The maximum attention scores in memory at once: 256 MB in f32.
const SCORES_AT_ONCE: usize = 1 << 26;

/// softmax(q·kᵀ + mask)·v for (batch, heads, t, d) with scaled queries. Inputs with very many scores are computed one
/// by one, and their queries in pieces, so that the memory does not grow with the square of a text's length.
pub fn attend_heads(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    attend_in_pieces(q, k, v, mask, SCORES_AT_ONCE)
}

fn attend_in_pieces(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>, most: usize) -> Result<Tensor> {
    let (batch, heads, t, _) = q.dims4()?;
    let row = heads * k.dim(2)?;
    if batch * t * row <= most {
        return attend_whole(q, k, v, mask);
    }
    let rows = (most / row.max(1)).clamp(1, t);
    let one = |n: usize| {
        let (q, k, v) = (q.narrow(0, n, 1)?, k.narrow(0, n, 1)?, v.narrow(0, n, 1)?);
        let piece = |from: usize| {
            let rows = rows.min(t - from);
            let mask = mask.map(|mask| mask.narrow(0, from, rows)).transpose()?;
            attend_whole(&q.narrow(2, from, rows)?.contiguous()?, &k, &v, mask.as_ref())
        };
        Tensor::cat(&(0..t).step_by(rows).map(piece).collect::<Result<Vec<_>>>()?, 2)
    };
    Tensor::cat(&(0..batch).map(one).collect::<Result<Vec<_>>>()?, 0)
}

fn attend_whole(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let scores = q.matmul(&k.t()?)?; // (batch, heads, t, s)
    let scores = match mask {
        Some(mask) => scores.broadcast_add(mask)?,
        None => scores,
    };
    dense::softmax(scores)?.matmul(v)
}

/// The mask of causal attention, (rows, offset + rows): 0 for columns up to `offset + row`, −∞ for later ones.
pub fn causal_mask(rows: usize, offset: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    let columns = offset + rows;
    let cell = |n: usize| if n % columns > offset + n / columns { f32::NEG_INFINITY } else { 0.0 };
    let mask: Vec<f32> = (0..rows * columns).map(cell).collect();
    Tensor::from_vec(mask, (rows, columns), device)?.to_dtype(dtype)
}

/// The mask of causal attention in a sliding window, (rows, offset + rows - from): 0 where row `offset + r` may see
/// column `from + c`, which is at most itself and among the last `window` columns, −∞ elsewhere.
pub fn sliding_mask(
    rows: usize,
    offset: usize,
    from: usize,
    window: usize,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let columns = offset + rows - from;
    let cell = |n: usize| {
        let (row, column) = (offset + n / columns, from + n % columns);
        if column > row || column + window <= row { f32::NEG_INFINITY } else { 0.0 }
    };
    let mask: Vec<f32> = (0..rows * columns).map(cell).collect();
    Tensor::from_vec(mask, (rows, columns), device)?.to_dtype(dtype)
}

/// The mask of attention to both sides, (rows, rows): 0 up to `reach` positions away, −∞ beyond.
pub fn reaching_mask(rows: usize, reach: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    let cell = |n: usize| if (n / rows).abs_diff(n % rows) > reach { f32::NEG_INFINITY } else { 0.0 };
    let mask: Vec<f32> = (0..rows * rows).map(cell).collect();
    Tensor::from_vec(mask, (rows, rows), device)?.to_dtype(dtype)
}

/// A vector in f32 on the host, scaled to unit length.
pub fn unit(x: &Tensor) -> Result<Vec<f32>> {
    let x: Vec<f32> = x.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?;
    let norm = x.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    Ok(x.into_iter().map(|v| (f64::from(v) / norm.max(1e-12)) as f32).collect())
}

/// The cosine of two vectors of unit length.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>() as f32
}

/// softmax(scale · scores)
pub fn softmax(scores: &[f32], scale: f64) -> Vec<f32> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = scores.iter().map(|s| (scale * f64::from(s - most)).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| (p / sum) as f32).collect()
}

/// True if inputs of `rows` rows may share a forward pass through layers with at least `narrowest` outputs, and each
/// result is the same as alone. The library for matrix products (gemm 0.19) has other kernels for products of at most
/// 256 numbers, and splits sums in another way above 64 rows if there are at most 64 columns.
pub fn may_share(rows: usize, narrowest: usize) -> bool {
    narrowest > 64 && rows * narrowest > 256
}

/// 1 / (1 + e^−x)
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln Σ exp(x); of one number it is that number.
pub fn log_sum_exp(all: impl Iterator<Item = f32> + Clone) -> f32 {
    let most = all.clone().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = all.map(|x| f64::from(x - most).exp()).sum();
    (f64::from(most) + sum.ln()) as f32
}

/// Labels with their scores and probabilities.
pub fn scored(among: &[String], scores: &[f32], probabilities: Vec<f32>) -> Vec<Scored> {
    let all = among.iter().zip(scores).zip(probabilities);
    all.map(|((text, score), probability)| Scored { text: text.clone(), score: *score, probability, floor: None })
        .collect()
}

/// The mean over all but the last dimension of (t, width): (width).
pub fn mean_rows(x: &Tensor) -> Result<Tensor> {
    x.mean(D::Minus2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_in_pieces_is_that_of_the_whole() {
        let numbers = |count: usize, by: f32| (0..count).map(move |n| (n as f32 * by).sin());
        let states = |by: f32| {
            let values: Vec<f32> = numbers(2 * 3 * 5 * 4, by).collect();
            Tensor::from_vec(values, (2, 3, 5, 4), &Device::Cpu).expect("a tensor")
        };
        let (q, k, v) = (states(0.3), states(0.7), states(1.1));
        let causal = causal_mask(5, 0, DType::F32, &Device::Cpu).expect("a mask");
        let flat = |x: Result<Tensor>| x.and_then(|x| x.flatten_all()?.to_vec1::<f32>()).expect("numbers");
        for mask in [None, Some(&causal)] {
            let whole = flat(attend_in_pieces(&q, &k, &v, mask, usize::MAX));
            // all of one input, two rows, and one row at a time
            for most in [3 * 5 * 5, 2 * 3 * 5, 1] {
                let found = flat(attend_in_pieces(&q, &k, &v, mask, most));
                let near = whole.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-6);
                assert!(near && found.len() == whole.len(), "{most}: {found:?}");
            }
        }
    }
}
