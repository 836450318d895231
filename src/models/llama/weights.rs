//! The source of the decoder's weights: a checkpoint folder, or a GGUF file, whose matrices stay quantised. Both are
//! read by the names of a checkpoint folder.

use super::map::Map;
use crate::infer::{
    gguf,
    ops::{self, Linear, Table},
    weights::AS_STORED,
};
use candle_core::{
    DType, Device, Error, Result, Tensor, bail,
    quantized::{GgmlDType, QMatMul},
};
use candle_nn::VarBuilder;
use std::sync::Arc;

/// The linear maps that have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Biases {
    /// Queries, keys and values.
    pub(super) qkv: bool,
    /// The output of the attention.
    pub(super) out: bool,
    /// The feed-forward layer.
    pub(super) mlp: bool,
}

impl Biases {
    fn has(self, name: &str) -> bool {
        match name {
            "q_proj" | "k_proj" | "v_proj" => self.qkv,
            "o_proj" => self.out,
            _ => self.mlp,
        }
    }
}

/// Weights by name.
#[derive(Clone)]
pub(super) struct Weights {
    stored: Stored,
    dtype: DType,
    device: Device,
    path: String,
}

#[derive(Clone)]
enum Stored {
    Folder(VarBuilder<'static>),
    Gguf(gguf::Tensors, Naming),
}

/// The names of a GGUF file's norms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// A norm before attention and one before the feed-forward part.
    Usual,
    /// Gemma 3: also one after each.
    Gemma,
}

impl Weights {
    /// The weights of a checkpoint folder.
    pub(super) fn folder(vb: VarBuilder<'static>) -> Weights {
        let (dtype, device) = (vb.dtype(), vb.device().clone());
        Weights { stored: Stored::Folder(vb), dtype, device, path: String::new() }
    }

    /// The weights of a GGUF file; tensors that are not quantised are converted to `dtype`.
    pub(super) fn gguf(tensors: gguf::Tensors, naming: Naming, dtype: DType) -> Weights {
        let device = tensors.device().clone();
        Weights { stored: Stored::Gguf(tensors, naming), dtype, device, path: String::new() }
    }

    /// The weights below `name` (`pp` is candle's name for "push prefix").
    pub(super) fn pp(&self, name: impl std::fmt::Display) -> Weights {
        Weights { path: self.full(&name.to_string()), ..self.clone() }
    }

    fn full(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The format of the activations.
    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device of the weights.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// True if the tensor `name` exists.
    pub(super) fn has(&self, name: &str) -> bool {
        let name = self.full(name);
        match &self.stored {
            Stored::Folder(vb) => vb.contains_tensor(&name),
            Stored::Gguf(tensors, naming) => tensors.has(&in_gguf(&name, *naming)),
        }
    }

    /// A vector of `size` numbers, in the format of the activations.
    pub(super) fn vector(&self, size: usize, name: &str) -> Result<Tensor> {
        let name = self.full(name);
        match &self.stored {
            Stored::Folder(vb) => vb.get(size, &name),
            Stored::Gguf(tensors, naming) => {
                self.converted(tensors.floating(size, &in_gguf(&name, *naming))?, self.dtype)
            }
        }
    }

    /// A vector of `size` numbers in f32, without rounding to the format of the activations.
    pub(super) fn numbers(&self, size: usize, name: &str) -> Result<Vec<f32>> {
        let exact = Weights { dtype: DType::F32, ..self.clone() };
        exact.vector(size, name)?.to_dtype(DType::F32)?.to_vec1()
    }

    /// The biases of the first layer: a GGUF file does not state them otherwise.
    pub(super) fn biases(&self) -> Biases {
        let has = |name: &str| self.has(&format!("model.layers.0.{name}.bias"));
        Biases { qkv: has("self_attn.q_proj"), out: has("self_attn.o_proj"), mlp: has("mlp.up_proj") }
    }

    /// The linear map `name`, `(…, input) -> (…, output)`. Fails if it has a bias against the configuration, or none.
    pub(super) fn map(&self, name: &str, input: usize, output: usize, biases: Biases) -> Result<Map> {
        let own = self.pp(name);
        match (biases.has(name), own.has("bias")) {
            (true, false) => Err(self.lacking(&own.stored_name("bias"))),
            (false, true) => {
                bail!("the weights hold the tensor `{}`, but this model has no bias there", own.stored_name("bias"))
            }
            _ => own.linear(input, output),
        }
    }

    /// The linear maps whose rows are one after another in `weight`. Only folders have such matrices.
    pub(super) fn parts<const N: usize>(&self, input: usize, outputs: [usize; N]) -> Result<[Map; N]> {
        let Stored::Folder(vb) = &self.stored else { bail!("a quantised matrix cannot be split") };
        let (weight, bias) = self.floating(vb, input, outputs.iter().sum())?;
        let mut from = 0;
        let mut parts = Vec::with_capacity(N);
        for rows in outputs {
            let bias = bias.as_ref().map(|bias| bias.narrow(0, from, rows)).transpose()?;
            parts.push(Map::new(weight.narrow(0, from, rows)?, bias));
            from += rows;
        }
        parts.try_into().map_err(|_| Error::msg("another number of parts: this is a bug"))
    }

    /// The matrix of a folder, (output, input), as it is stored, and the bias, if there is one.
    fn floating(&self, vb: &VarBuilder<'static>, input: usize, output: usize) -> Result<(Tensor, Option<Tensor>)> {
        let vb = vb.pp(&self.path);
        let bias = if vb.contains_tensor("bias") { Some(vb.get(output, "bias")?) } else { None };
        Ok((vb.get_with_hints((output, input), "weight", AS_STORED)?, bias))
    }

    /// The error for a tensor that must be there, as the reader of this source states it.
    fn lacking(&self, name: &str) -> Error {
        Error::msg(match &self.stored {
            Stored::Folder(_) => format!("the weights lack the tensor `{name}`"),
            Stored::Gguf(..) => format!("cannot find tensor {name}"),
        })
    }

    /// The name of a tensor in the file.
    fn stored_name(&self, name: &str) -> String {
        let name = self.full(name);
        match &self.stored {
            Stored::Folder(_) => name,
            Stored::Gguf(_, naming) => in_gguf(&name, *naming),
        }
    }

    /// A linear map `(…, input) -> (…, output)`; its bias is read if it exists.
    fn linear(&self, input: usize, output: usize) -> Result<Map> {
        let tensors = match &self.stored {
            Stored::Folder(vb) => {
                let (weight, bias) = self.floating(vb, input, output)?;
                return Ok(Map::new(weight, bias));
            }
            Stored::Gguf(tensors, _) => tensors,
        };
        let name = self.stored_name("weight");
        let floating = tensors.dtype(&name).is_none_or(is_floating);
        // Quantised maps compute in f32, so their bias must be f32 too.
        let dtype = if floating { self.dtype } else { DType::F32 };
        let bias = match self.has("bias") {
            true => Some(self.converted(tensors.floating(output, &self.stored_name("bias"))?, dtype)?),
            false => None,
        };
        if floating {
            let weight = self.narrow(tensors.floating((output, input), &name)?)?;
            return Ok(Map::new(weight, bias));
        }
        if self.device.is_cpu() {
            let blocks = Arc::new(tensors.quantised((output, input), &name)?);
            return Ok(Map::quantised(Linear::quantised(blocks, bias)));
        }
        let device = QMatMul::from_arc(tensors.get((output, input), &name)?)?;
        Ok(Map::quantised(Linear::on_device(device, bias)))
    }

    /// The table of token vectors; the map to the vocabulary uses it too if they are `tied`.
    pub(super) fn table(&self, vocab: usize, width: usize, tied: bool) -> Result<Table> {
        let tensors = match &self.stored {
            Stored::Folder(vb) => return ops::table(vocab, width, &self.full("weight"), vb),
            Stored::Gguf(tensors, _) => tensors,
        };
        let name = self.stored_name("weight");
        if tensors.dtype(&name).is_none_or(is_floating) {
            return self.narrow(tensors.floating((vocab, width), &name)?).map(Table::Floating);
        }
        // candle supports look-ups in a quantised table on a CPU only.
        if self.device.is_cpu() {
            return Ok(Table::Quantised(Arc::new(tensors.table((vocab, width), &name, tied)?)));
        }
        let table = tensors.get((vocab, width), &name)?;
        table.dequantize(&self.device)?.to_dtype(self.dtype).map(Table::Floating)
    }

    /// The map from the last hidden state to the vocabulary: `lm_head`, or the table of token vectors if they are `tied`.
    pub(super) fn head(&self, vocab: usize, width: usize, tied: bool, table: &Table) -> Result<Map> {
        match &self.stored {
            _ if !tied => self.pp("lm_head").linear(width, vocab),
            // The table was dequantised for look-ups; the file's quantised matrix is smaller.
            Stored::Gguf(..) if !self.device.is_cpu() => self.pp("model.embed_tokens").linear(width, vocab),
            _ => Ok(match table {
                Table::Floating(table) => Map::new(table.clone(), None),
                Table::Quantised(_) => Map::quantised(table.head()),
            }),
        }
    }

    /// A floating matrix in the format of the activations, or as it is if 16-bit numbers can stay so.
    fn narrow(&self, tensor: Tensor) -> Result<Tensor> {
        let stays = self.device.is_cpu() && self.dtype == DType::F32;
        if stays { Ok(tensor) } else { self.converted(tensor, self.dtype) }
    }

    fn converted(&self, tensor: Tensor, dtype: DType) -> Result<Tensor> {
        tensor.to_dtype(dtype)?.to_device(&self.device)
    }
}

fn is_floating(dtype: GgmlDType) -> bool {
    matches!(dtype, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16)
}

/// The GGUF name of a tensor of a checkpoint folder: `model.layers.3.mlp.up_proj.weight` is `blk.3.ffn_up.weight`.
fn in_gguf(name: &str, naming: Naming) -> String {
    const NAMES: [(&str, &str); 16] = [
        ("embed_tokens", "token_embd"),
        ("norm", "output_norm"),
        ("lm_head", "output"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("pre_feedforward_layernorm", "ffn_norm"),
        ("post_feedforward_layernorm", "post_ffw_norm"),
        ("q_proj", "attn_q"),
        ("k_proj", "attn_k"),
        ("v_proj", "attn_v"),
        ("o_proj", "attn_output"),
        ("q_norm", "attn_q_norm"),
        ("k_norm", "attn_k_norm"),
        ("gate_proj", "ffn_gate"),
        ("up_proj", "ffn_up"),
        ("down_proj", "ffn_down"),
    ];
    let part = |part: &str| match part {
        "post_attention_layernorm" if naming == Naming::Gemma => Some("post_attention_norm".to_owned()),
        "model" | "self_attn" | "mlp" => None,
        "layers" => Some("blk".to_owned()),
        other => Some(NAMES.iter().find(|(ours, _)| *ours == other).map_or(other, |(_, theirs)| *theirs).to_owned()),
    };
    name.split('.').filter_map(part).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::{Naming, in_gguf};

    #[test]
    fn names_of_a_checkpoint_folder_become_gguf_names() {
        let usual = |name| in_gguf(name, Naming::Usual);
        assert_eq!(usual("model.embed_tokens.weight"), "token_embd.weight");
        assert_eq!(usual("model.norm.weight"), "output_norm.weight");
        assert_eq!(usual("lm_head.weight"), "output.weight");
        assert_eq!(usual("model.layers.11.self_attn.q_proj.bias"), "blk.11.attn_q.bias");
        assert_eq!(usual("model.layers.0.mlp.down_proj.weight"), "blk.0.ffn_down.weight");
        assert_eq!(usual("rope_freqs.weight"), "rope_freqs.weight");
        let after = "model.layers.2.post_attention_layernorm.weight";
        assert_eq!(
            (usual(after), in_gguf(after, Naming::Gemma)),
            ("blk.2.ffn_norm.weight".into(), "blk.2.post_attention_norm.weight".into())
        );
    }
}
