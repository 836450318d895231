//! GGUF files: one file that holds weights (often quantised), hyper-parameters and the tokenizer. What it says is put in
//! the words of a checkpoint folder (`config.json`, `tokenizer.json`, `tokenizer_config.json`), so that everything after
//! this module reads both alike. Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod tokenizer;

use crate::error::Fault;
use candle_core::{
    DType, Device,
    quantized::{
        GgmlDType,
        gguf_file::{Content, Value},
    },
};
use candle_transformers::quantized_var_builder::VarBuilder;
use serde_json::{Value as Json, json};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read as _, Seek as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The architectures whose tensors we know. Llama, SmolLM2, TinyLlama and most Mistral models are `llama`.
pub const ARCHITECTURES: &[&str] = &["llama"];

/// A GGUF file whose header was read; weights are not touched before [`Gguf::weights`].
#[derive(Debug, Clone)]
pub struct Gguf {
    /// The file.
    pub path: PathBuf,
    content: Arc<Content>,
}

impl Gguf {
    /// Reads the header. Says so if the file is something else, of an unknown architecture, cut short, or one part of several.
    pub fn open(path: &Path) -> Result<Gguf, Fault> {
        let named = |what: String| Fault::model(format!("{} {what}", path.display()));
        let file = File::open(path).map_err(|e| named(format!("cannot be opened: {e}")))?;
        let length = file.metadata().map_err(|e| named(format!("cannot be read: {e}")))?.len();
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut magic = [0; 4];
        if reader.read_exact(&mut magic).is_err() || &magic != b"GGUF" {
            return Err(named("is not a GGUF file".to_owned()));
        }
        reader.rewind().map_err(|e| named(format!("cannot be read: {e}")))?;
        // candle divides by the alignment that the file states, which may be zero.
        let content = catch_unwind(AssertUnwindSafe(|| Content::read(&mut reader)))
            .map_err(|_| named("has a header that makes no sense".to_owned()))?
            .map_err(|e| named(unreadable(&said(&e))))?;
        let gguf = Gguf { path: path.to_owned(), content: Arc::new(content) };
        gguf.is_whole(length).map_err(named)?;
        Ok(gguf)
    }

    /// Fails if a tensor ends after the end of the file, or the file is one part of several.
    fn is_whole(&self, length: u64) -> Result<(), String> {
        let parts = self.meta().count("split.count").unwrap_or(1);
        if parts > 1 {
            return Err(format!("is one of {parts} parts of a model; join them with `llama-gguf-split --merge`"));
        }
        for (name, info) in &self.content.tensor_infos {
            let bytes = stored(info.shape.dims(), info.ggml_dtype);
            let end = bytes.and_then(|b| b.checked_add(info.offset)?.checked_add(self.content.tensor_data_offset));
            if end.is_none_or(|end| end > length) {
                return Err(format!("is cut short: it has {length} bytes and the tensor {name} ends after them"));
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

    /// The hyper-parameters under the names that `config.json` has for them.
    pub fn config(&self) -> Result<Json, Fault> {
        let named = |what: String| Fault::model(format!("{} {what}", self.path.display()));
        let meta = self.meta();
        let architecture =
            meta.text("general.architecture").ok_or_else(|| named("names no architecture".to_owned()))?;
        if !ARCHITECTURES.contains(&architecture) {
            return Err(named(format!(
                "has the architecture `{architecture}`, which is not supported; in a GGUF file these are: {}",
                ARCHITECTURES.join(", ")
            )));
        }
        let of = Meta { values: meta.values, prefix: format!("{architecture}.") };
        let need = |key: &str| {
            of.count(key).filter(|n| *n > 0).ok_or_else(|| named(format!("has no number `{architecture}.{key}`")))
        };
        if of.count("expert_count").is_some_and(|n| n > 0) {
            return Err(named("is a mixture of experts, which is not supported".to_owned()));
        }
        let (width, heads) = (need("embedding_length")?, need("attention.head_count")?);
        let rows = |tensor: &str| self.shape(tensor).and_then(|shape| shape.first().copied());
        let vocab = rows("token_embd.weight").ok_or_else(|| named("has no tensor token_embd.weight".to_owned()))?;
        // The tensor is surer than the metadata, where older files leave the size of a head out.
        let head = rows("blk.0.attn_q.weight").map_or(width / heads, |rows| rows as u64 / heads);
        if of.count("rope.dimension_count").is_some_and(|n| n != head) {
            return Err(named(format!("turns only part of each head of {head} by position, which is not supported")));
        }
        let eps = of.number("attention.layer_norm_rms_epsilon");
        let ends: Vec<u64> = ["eos", "eot", "eom"]
            .iter()
            .filter_map(|end| meta.count(&format!("tokenizer.ggml.{end}_token_id")))
            .collect();
        Ok(json!({
            "model_type": architecture,
            "hidden_size": width,
            "intermediate_size": need("feed_forward_length")?,
            "num_hidden_layers": need("block_count")?,
            "num_attention_heads": heads,
            "num_key_value_heads": of.count("attention.head_count_kv").unwrap_or(heads),
            "head_dim": head,
            "rms_norm_eps": eps.ok_or_else(|| named("has no `attention.layer_norm_rms_epsilon`".to_owned()))?,
            "max_position_embeddings": of.count("context_length").unwrap_or(2048),
            "sliding_window": of.count("attention.sliding_window"),
            "vocab_size": vocab,
            "tie_word_embeddings": self.shape("output.weight").is_none(),
            "rope_theta": of.number("rope.freq_base").unwrap_or(10_000.0),
            "rope_scaling": scaling(&of),
            "bos_token_id": meta.count("tokenizer.ggml.bos_token_id"),
            "eos_token_id": ends,
        }))
    }

    /// A file that a checkpoint folder would have: `tokenizer.json` (one that lies beside the GGUF file comes first) or
    /// `tokenizer_config.json` with its chat template.
    pub fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        match name {
            "tokenizer.json" => {
                let beside = self.beside(name);
                if beside.is_file() {
                    let read = std::fs::read_to_string(&beside);
                    return read.map(Some).map_err(|e| Fault::model(format!("{}: {e}", beside.display())));
                }
                let made = tokenizer::tokenizer(&self.meta());
                made.map(|json| Some(json.to_string()))
                    .map_err(|why| Fault::model(format!("{} {why}", self.path.display())))
            }
            "tokenizer_config.json" => Ok(Some(tokenizer::settings(&self.meta()).to_string())),
            _ => Ok(None),
        }
    }

    /// Everything on this machine that can decide a reply: the file, and a `tokenizer.json` beside it.
    pub fn files(&self) -> Vec<PathBuf> {
        let beside = self.beside("tokenizer.json");
        [self.path.clone()].into_iter().chain(beside.is_file().then_some(beside)).collect()
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(name)
    }

    /// The type that most bytes of the file have.
    fn most(&self) -> Option<GgmlDType> {
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

    /// The floating format that most values have; none if they are quantised.
    pub fn stored_dtype(&self) -> Option<DType> {
        match self.most()? {
            GgmlDType::F32 => Some(DType::F32),
            GgmlDType::F16 => Some(DType::F16),
            GgmlDType::BF16 => Some(DType::BF16),
            _ => None,
        }
    }

    /// Bytes of the weights in memory when a floating value takes `each` bytes (`None`: as in the file).
    pub fn bytes(&self, each: Option<u64>) -> u64 {
        let one = |(shape, dtype): (&[usize], GgmlDType)| match (dtype, each) {
            (GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16, Some(each)) => {
                shape.iter().product::<usize>() as u64 * each
            }
            _ => stored(shape, dtype).unwrap_or(0),
        };
        self.content.tensor_infos.values().map(|info| one((info.shape.dims(), info.ggml_dtype))).sum()
    }

    /// Bytes of the second copy of quantised weights that candle keeps on a CPU, laid out for wide instructions.
    pub fn copied_on_cpu(&self) -> u64 {
        let tensors = self.content.tensor_infos.values();
        let copied = tensors.filter(|t| matches!(t.ggml_dtype, GgmlDType::Q4K | GgmlDType::Q6K | GgmlDType::Q8_0));
        copied.filter_map(|info| stored(info.shape.dims(), info.ggml_dtype)).sum()
    }

    /// Reads all tensors onto `device`, quantised ones as they are.
    pub fn weights(&self, device: &Device) -> Result<VarBuilder, Fault> {
        use GgmlDType::{Q4_0, Q4_1, Q5_0, Q5_1};
        if let (true, Some(slow @ (Q4_0 | Q4_1 | Q5_0 | Q5_1))) = (device.is_cpu(), self.most()) {
            tracing::warn!(file = %self.path.display(), "{slow:?} is slow on a CPU; Q8_0, Q6_K and Q4_K are several times faster");
        }
        VarBuilder::from_gguf(&self.path, device)
            .map_err(|e| Fault::model(format!("{}: the weights cannot be read: {}", self.path.display(), said(&e))))
    }

    /// What went wrong when the weights became a model.
    pub fn unfit(&self, error: &candle_core::Error) -> Fault {
        let said = said(error);
        let said = match said.strip_prefix("cannot find tensor ") {
            Some(tensor) => format!("lacks the tensor {tensor}"),
            None => format!("does not fit its own description: {said}"),
        };
        Fault::model(format!("{} {said}", self.path.display()))
    }
}

/// The first line of an error; candle may put a backtrace below it.
fn said(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Bytes that a tensor takes in the file.
fn stored(shape: &[usize], dtype: GgmlDType) -> Option<u64> {
    let count = shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d as u64))?;
    count.div_ceil(dtype.block_size() as u64).checked_mul(dtype.type_size() as u64)
}

/// What candle said of a header that it could not read, in the words of whoever has the file.
fn unreadable(error: &str) -> String {
    if let Some(number) = error.split("unknown dtype for tensor ").nth(1) {
        let number: String = number.chars().take_while(char::is_ascii_digit).collect();
        return format!("holds tensors of type {}, which is not supported", type_name(&number));
    }
    if error.contains("remaining") || error.contains("fill whole buffer") {
        return "is cut short: its header does not end".to_owned();
    }
    format!("has a header that cannot be read: {error}")
}

/// ggml's name for a tensor type that candle does not know (`enum ggml_type` of ggml.h).
fn type_name(number: &str) -> String {
    let known = match number {
        "16" => "IQ2_XXS",
        "17" => "IQ2_XS",
        "18" => "IQ3_XXS",
        "19" => "IQ1_S",
        "20" => "IQ4_NL",
        "21" => "IQ3_S",
        "22" => "IQ2_S",
        "23" => "IQ4_XS",
        "24" => "I8",
        "25" => "I16",
        "26" => "I32",
        "27" => "I64",
        "28" => "F64",
        "29" => "IQ1_M",
        "34" => "TQ1_0",
        "35" => "TQ2_0",
        "39" => "MXFP4",
        other => return format!("number {other}"),
    };
    known.to_owned()
}

/// `rope_scaling` as `config.json` has it.
fn scaling(of: &Meta<'_>) -> Json {
    match of.text("rope.scaling.type") {
        // Files from before `rope.scaling.*` state a linear scale.
        None => match of.number("rope.scale_linear").filter(|factor| *factor != 0.0 && *factor != 1.0) {
            Some(factor) => json!({"rope_type": "linear", "factor": factor}),
            None => Json::Null,
        },
        Some("none") => Json::Null,
        Some(kind) => json!({
            "rope_type": kind,
            "factor": of.number("rope.scaling.factor").unwrap_or(1.0),
            "original_max_position_embeddings": of.count("rope.scaling.original_context_length"),
        }),
    }
}

/// The metadata of a file; keys are looked up under a prefix.
struct Meta<'a> {
    values: &'a HashMap<String, Value>,
    prefix: String,
}

impl<'a> Meta<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.values.get(&format!("{}{key}", self.prefix))
    }
    fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.to_string().ok().map(String::as_str)
    }
    fn truth(&self, key: &str) -> Option<bool> {
        self.get(key)?.to_bool().ok()
    }
    fn count(&self, key: &str) -> Option<u64> {
        whole(self.get(key)?)
    }
    fn number(&self, key: &str) -> Option<f64> {
        number(self.get(key)?)
    }
    fn list(&self, key: &str) -> Option<&'a [Value]> {
        self.get(key)?.to_vec().ok().map(Vec::as_slice)
    }
}

/// A whole number of any width that is not negative.
fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::I8(n) => u64::try_from(*n).ok(),
        Value::I16(n) => u64::try_from(*n).ok(),
        Value::I32(n) => u64::try_from(*n).ok(),
        Value::I64(n) => u64::try_from(*n).ok(),
        Value::Bool(_) => None,
        other => other.to_u64().ok(),
    }
}

/// Any number.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::F32(n) => Some(f64::from(*n)),
        Value::F64(n) => Some(*n),
        other => whole(other).map(|n| n as f64),
    }
}
