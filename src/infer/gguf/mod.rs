//! GGUF files: one file with weights (often quantised), hyper-parameters and the tokenizer. Its metadata is converted
//! to the files of a checkpoint folder (`config.json`, `tokenizer.json`, `tokenizer_config.json`), so that all other
//! code reads one layout. Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod gemma;
pub mod header;
mod meta;
mod projector;
mod refused;
mod tensors;
mod tokenizer;

pub use header::Lists;
use meta::{Meta, number, shown, whole};
pub use tensors::Tensors;

use crate::{
    error::Fault,
    files,
    infer::{config::Alias, quantised::held_bytes},
};
use candle_core::{
    DType, Device,
    quantized::{GgmlDType, gguf_file::Content},
};
use serde_json::{Value as Json, json};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The supported architectures. Llama, SmolLM2, TinyLlama and most Mistral models are `llama`; Qwen 2.5 is `qwen2`.
pub const ARCHITECTURES: &[&str] = &["llama", "qwen2", "qwen3", "qwen3vl", "gemma3"];

/// A GGUF file whose header was read; weights are not touched before [`Gguf::weights`].
#[derive(Debug, Clone)]
pub struct Gguf {
    /// The file.
    pub path: PathBuf,
    content: Arc<Content>,
    /// The image tower of a model that sees, from a file beside it.
    projector: Option<Arc<Gguf>>,
}

impl Gguf {
    /// Opens a file and reads its header. Fails if the file is something else, of an unknown architecture, truncated,
    /// or one part of several.
    pub fn open(path: &Path) -> Result<Gguf, Fault> {
        Gguf::opened(path, Lists::Kept)
    }

    /// The same without the lists of the header: enough for its configuration and the size of its weights, in a tenth of
    /// the time. It has no tokenizer. Fails as [`Gguf::open`].
    pub fn sketch(path: &Path) -> Result<Gguf, Fault> {
        Gguf::opened(path, Lists::Skipped)
    }

    fn opened(path: &Path, lists: Lists) -> Result<Gguf, Fault> {
        let named = |what: String| Fault::model(format!("{} {what}", path.display()));
        let file = files::open(path).map_err(|e| named(format!("cannot be opened: {e}")))?;
        let length = file.metadata().map_err(|e| named(format!("cannot be read: {e}")))?.len();
        let gguf = Gguf::read(path, BufReader::with_capacity(1 << 20, file), length, lists)?;
        if gguf.meta().text("general.architecture").ok().flatten() != Some("qwen3vl") {
            return Ok(gguf);
        }
        let projector = Gguf::projector_beside(path)?.map(Arc::new);
        if projector.is_none() {
            tracing::warn!(file = %path.display(), "no projector (mmproj-….gguf) is beside the model: it reads texts only");
        }
        Ok(Gguf { projector, ..gguf })
    }

    /// The file of the image tower, if the model has one.
    pub fn projector(&self) -> Option<&Gguf> {
        self.projector.as_deref()
    }

    /// Reads the header from `file`, a reader at the first byte. `path` is the name in errors, `length` the file's
    /// length in bytes.
    pub fn read(path: &Path, file: impl BufRead, length: u64, lists: Lists) -> Result<Gguf, Fault> {
        let named = |what: String| Fault::model(format!("{} {what}", path.display()));
        let content = header::read(file, length, lists).map_err(named)?;
        let gguf = Gguf { path: path.to_owned(), content: Arc::new(content), projector: None };
        gguf.is_whole(length).map_err(named)?;
        Ok(gguf)
    }

    /// Fails if a tensor ends after the end of the file, or the file is one part of several.
    fn is_whole(&self, length: u64) -> Result<(), String> {
        let parts = self.meta().count("split.count")?.unwrap_or(1);
        if parts > 1 {
            return Err(format!("is one of {parts} parts of a model; merge them with `llama-gguf-split --merge`"));
        }
        for (name, info) in &self.content.tensor_infos {
            let bytes = stored(info.shape.dims(), info.ggml_dtype);
            let end = bytes.and_then(|b| b.checked_add(info.offset)?.checked_add(self.content.tensor_data_offset));
            if end.is_none_or(|end| end > length) {
                return Err(format!("is truncated: it has {length} bytes, and the tensor {name} ends after them"));
            }
        }
        Ok(())
    }

    fn meta(&self) -> Meta<'_> {
        Meta { values: &self.content.metadata, prefix: String::new() }
    }

    /// The shape of a tensor, outermost dimension first.
    fn shape(&self, tensor: &str) -> Option<&[usize]> {
        self.content.tensor_infos.get(tensor).map(|info| info.shape.dims())
    }

    /// The hyper-parameters under their names in `config.json`. Fails if one is missing or unsupported.
    pub fn config(&self) -> Result<Json, Fault> {
        self.hyper_parameters().map_err(|what| Fault::model(format!("{} {what}", self.path.display())))
    }

    fn hyper_parameters(&self) -> Result<Json, String> {
        let meta = self.meta();
        let architecture = meta.text("general.architecture")?.ok_or("lacks `general.architecture`")?;
        if !ARCHITECTURES.contains(&architecture) {
            return Err(format!(
                "has the architecture `{architecture}`, which is not supported; supported in GGUF files: {}",
                ARCHITECTURES.join(", ")
            ));
        }
        let of = Meta { values: meta.values, prefix: format!("{architecture}.") };
        let is_gemma = architecture == "gemma3";
        refused::unchanged(&of, is_gemma)?;
        let need = |key: &str| match of.count(key)? {
            Some(0) => Err(format!("states `{architecture}.{key}` as 0; it must be above 0")),
            Some(n) => Ok(n),
            None => Err(format!("lacks `{architecture}.{key}`")),
        };
        if of.count("expert_count")?.is_some_and(|n| n > 0) {
            return Err("is a mixture of experts, which is not supported".to_owned());
        }
        let (width, heads) = (need("embedding_length")?, need("attention.head_count")?);
        let rows = |tensor: &str| self.shape(tensor).and_then(|shape| shape.first().copied());
        let vocab = rows("token_embd.weight").ok_or("lacks the tensor token_embd.weight")?;
        // The tensor is more reliable than the metadata: older files do not state the size of a head.
        let head = rows("blk.0.attn_q.weight").map_or(width / heads, |rows| rows as u64 / heads);
        if of.count("rope.dimension_count")?.is_some_and(|n| n != head) {
            return Err(format!("rotates only a part of the {head} dimensions of each head, which is not supported"));
        }
        let eps = of.number("attention.layer_norm_rms_epsilon")?;
        let window = of.count("attention.sliding_window")?.filter(|window| *window > 0);
        let context = of.count("context_length")?.unwrap_or(2048);
        if architecture != "llama" && !is_gemma && window.is_some_and(|window| window < context) {
            return Err(format!("states `{architecture}.attention.sliding_window`, which is not supported"));
        }
        // Mistral's files have the architecture `llama`.
        let kind = match architecture {
            "llama" if window.is_some() => "mistral",
            "gemma3" => "gemma3_text",
            "qwen3vl" => "qwen3",
            other => other,
        };
        let ends = ["eos", "eot", "eom"].map(|end| meta.count(&format!("tokenizer.ggml.{end}_token_id")));
        let mut config = json!({
            "model_type": kind,
            "hidden_size": width,
            "intermediate_size": need("feed_forward_length")?,
            "num_hidden_layers": need("block_count")?,
            "num_attention_heads": heads,
            "num_key_value_heads": of.count("attention.head_count_kv")?.unwrap_or(heads),
            "head_dim": head,
            "rms_norm_eps": eps.ok_or("lacks `attention.layer_norm_rms_epsilon`")?,
            "max_position_embeddings": context,
            "sliding_window": window,
            "vocab_size": vocab,
            "tie_word_embeddings": self.shape("output.weight").is_none(),
            "rope_theta": of.number("rope.freq_base")?.unwrap_or(10_000.0),
            "rope_scaling": scaling(&of)?,
            "bos_token_id": meta.count("tokenizer.ggml.bos_token_id")?,
            "eos_token_id": ends.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?,
        });
        if is_gemma {
            gemma::complete(&of, &mut config, (width, heads, head))?;
        }
        match &self.projector {
            Some(projector) => projector.seeing(config, &of, &meta),
            None => Ok(config),
        }
    }

    /// The file's own names of the keys of `config.json`.
    pub fn alias(&self) -> Alias {
        let architecture = self.meta().text("general.architecture").ok().flatten();
        Alias { prefix: architecture.unwrap_or_default().to_owned(), name: alias }
    }

    /// The text of a file of a checkpoint folder: `tokenizer.json` (one beside the GGUF file comes first), or
    /// `tokenizer_config.json` with the chat template.
    pub fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        match name {
            "tokenizer.json" => {
                let beside = self.beside(name);
                if beside.exists() {
                    return super::checkpoint::read(&beside);
                }
                let made = tokenizer::tokenizer(&self.meta());
                made.map(|json| Some(json.to_string()))
                    .map_err(|why| Fault::model(format!("{} {why}", self.path.display())))
            }
            "tokenizer_config.json" => {
                let made = tokenizer::settings(&self.meta());
                made.map(|json| Some(json.to_string()))
                    .map_err(|why| Fault::model(format!("{} {why}", self.path.display())))
            }
            "preprocessor_config.json" | "video_preprocessor_config.json" => {
                let Some(projector) = &self.projector else { return Ok(None) };
                let beside = self.beside(name);
                if beside.exists() {
                    return super::checkpoint::read(&beside);
                }
                let made = projector.pictures(name.starts_with("video"));
                made.map(|json| Some(json.to_string()))
                    .map_err(|why| Fault::model(format!("{} {why}", projector.path.display())))
            }
            _ => Ok(None),
        }
    }

    /// The files that a reply depends on: the GGUF file, its projector, and the settings beside it that come before its own.
    pub fn files(&self) -> Vec<PathBuf> {
        let beside = ["tokenizer.json", "preprocessor_config.json", "video_preprocessor_config.json"];
        let used = if self.projector.is_some() { 3 } else { 1 };
        let beside = beside[..used].iter().map(|name| self.beside(name)).filter(|file| file.exists());
        self.weight_files().map(Path::to_owned).chain(beside).collect()
    }

    /// The files of its weights.
    pub fn weight_files(&self) -> impl Iterator<Item = &Path> {
        [&*self.path].into_iter().chain(self.projector.iter().map(|projector| &*projector.path))
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(name)
    }

    /// The type of most bytes of the file.
    fn main_type(&self) -> Option<GgmlDType> {
        let mut sizes: Vec<(GgmlDType, u64)> = Vec::new();
        for info in self.content.tensor_infos.values() {
            let bytes = stored(info.shape.dims(), info.ggml_dtype).unwrap_or(0);
            match sizes.iter_mut().find(|(dtype, _)| *dtype == info.ggml_dtype) {
                Some((_, size)) => *size += bytes,
                None => sizes.push((info.ggml_dtype, bytes)),
            }
        }
        sizes.into_iter().max_by_key(|(_, size)| *size).map(|(dtype, _)| dtype)
    }

    /// The floating-point format of most values; none if they are quantised.
    pub fn stored_dtype(&self) -> Option<DType> {
        match self.main_type()? {
            GgmlDType::F32 => Some(DType::F32),
            GgmlDType::F16 => Some(DType::F16),
            GgmlDType::BF16 => Some(DType::BF16),
            _ => None,
        }
    }

    /// Bytes of the weights in memory if a floating value takes `each` bytes (`None`: as in the file). On a CPU, matrices of
    /// 16-bit numbers keep their format, and quantised ones have the form that they are held in.
    pub fn bytes(&self, each: Option<u64>, on_cpu: bool) -> u64 {
        use GgmlDType::{BF16, F16, F32};
        let infos = &self.content.tensor_infos;
        // The table of token vectors is multiplied only if the map to the vocabulary has no matrix of its own.
        let products = |name: &str| name != "token_embd.weight" || !infos.contains_key("output.weight");
        let one = |name: &str, shape: &[usize], dtype: GgmlDType| match (dtype, each, shape) {
            (F16 | BF16, Some(4), [_, _]) if on_cpu => stored(shape, dtype),
            (F32 | F16 | BF16, Some(each), _) => stored(shape, F32).map(|bytes| bytes / 4 * each),
            (F32 | F16 | BF16, None, _) => stored(shape, dtype),
            (_, _, [n, k]) if on_cpu => held_bytes(dtype, (*n, *k), products(name)),
            _ => stored(shape, dtype),
        };
        let all = infos.iter().map(|(name, info)| one(name, info.shape.dims(), info.ggml_dtype).unwrap_or(0));
        // the tower becomes floating
        let tower = self.projector.iter().flat_map(|projector| projector.content.tensor_infos.values()).map(|info| {
            let each = each.unwrap_or(info.ggml_dtype.type_size() as u64 / info.ggml_dtype.block_size().max(1) as u64);
            stored(info.shape.dims(), F32).unwrap_or(0) / 4 * each
        });
        all.chain(tower).fold(0, u64::saturating_add)
    }

    /// The tensors by name. Each is read to `device` on demand; quantised ones stay quantised.
    pub fn weights(&self, device: &Device) -> Result<Tensors, Fault> {
        use GgmlDType::{Q4_1, Q5_1};
        if let (true, Some(slow @ (Q4_1 | Q5_1))) = (device.is_cpu(), self.main_type()) {
            tracing::warn!(file = %self.path.display(), "{slow:?} is slow on a CPU; Q8_0, Q6_K and Q4_K are several times faster");
        }
        Tensors::open(&self.path, self.content.clone(), device)
            .map_err(|e| Fault::model(format!("{} cannot be opened: {e}", self.path.display())))
    }

    /// The error for weights that cannot be loaded as a model.
    pub fn unfit(&self, error: &candle_core::Error) -> Fault {
        let said = said(error);
        let said = match said.strip_prefix("cannot find tensor ") {
            Some(tensor) => format!("lacks the tensor {tensor}"),
            None => format!("does not match its own metadata: {said}"),
        };
        Fault::model(format!("{} {said}", self.path.display()))
    }
}

/// The first line of an error; candle may put a backtrace below it.
fn said(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// True for tensors that are not quantised.
fn is_floating(dtype: GgmlDType) -> bool {
    matches!(dtype, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16)
}

/// The bytes of a tensor in the file; none if the number overflows.
fn stored(shape: &[usize], dtype: GgmlDType) -> Option<u64> {
    let count = shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d as u64))?;
    count.div_ceil(dtype.block_size() as u64).checked_mul(dtype.type_size() as u64)
}

/// The value of `rope_scaling` in `config.json`.
fn scaling(of: &Meta<'_>) -> Result<Json, String> {
    Ok(match of.text("rope.scaling.type")? {
        // Files older than `rope.scaling.*` state a linear scale.
        None => match of.number("rope.scale_linear")?.filter(|factor| *factor != 0.0 && *factor != 1.0) {
            Some(factor) => json!({"rope_type": "linear", "factor": factor}),
            None => Json::Null,
        },
        Some("none") => Json::Null,
        Some("longrope") => {
            return Err(format!(
                "states `{}rope.scaling.type` as `longrope`, which is supported only in folders",
                of.prefix
            ));
        }
        Some(kind) => json!({
            "rope_type": kind,
            "factor": of.number("rope.scaling.factor")?.unwrap_or(1.0),
            "beta_fast": of.number("rope.scaling.yarn_beta_fast")?,
            "beta_slow": of.number("rope.scaling.yarn_beta_slow")?,
            "original_max_position_embeddings": of.count("rope.scaling.original_context_length")?,
        }),
    })
}

/// The name in a GGUF file of a key of `config.json`, for errors. A leading dot follows the architecture.
fn alias(key: &str) -> Option<&'static str> {
    Some(match key {
        "hidden_size" => ".embedding_length",
        "intermediate_size" => ".feed_forward_length",
        "num_hidden_layers" => ".block_count",
        "num_attention_heads" => ".attention.head_count",
        "num_key_value_heads" => ".attention.head_count_kv",
        "rms_norm_eps" => ".attention.layer_norm_rms_epsilon",
        "max_position_embeddings" => ".context_length",
        "sliding_window" => ".attention.sliding_window",
        "rope_theta" => ".rope.freq_base",
        "factor" => ".rope.scaling.factor",
        "rope_type" => ".rope.scaling.type",
        "beta_fast" => ".rope.scaling.yarn_beta_fast",
        "beta_slow" => ".rope.scaling.yarn_beta_slow",
        "original_max_position_embeddings" => ".rope.scaling.original_context_length",
        "eos_token_id" => "tokenizer.ggml.eos_token_id",
        _ => return None,
    })
}
