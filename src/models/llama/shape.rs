//! The settings of a decoder in `config.json`, with the defaults of its model type in transformers 5.23. A setting that
//! changes the computation and is not supported is an error.

use super::{
    rotation::{rope, rotates},
    weights::Biases,
};
use crate::{
    error::Fault,
    infer::{
        config::{Config, within},
        ops::Activation,
        rope::Rope,
    },
};
use serde_json::Value as Json;

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// The model types that share the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModelType {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
    SmolLm3,
    Phi3,
    Gemma3,
    Qwen3Vl,
}

impl ModelType {
    /// The type by `model_type`, else by `architectures`. A checkpoint of another `model_type` with the architecture of
    /// Llama is a Llama.
    fn of(config: &Config) -> ModelType {
        let is = |kind: &str, architecture: &str| config.is_type(&[kind], &[architecture]);
        if is("gemma3_text", "Gemma3ForCausalLM") {
            ModelType::Gemma3
        } else if is("phi3", "Phi3ForCausalLM") {
            ModelType::Phi3
        } else if is("smollm3", "SmolLM3ForCausalLM") {
            ModelType::SmolLm3
        } else if is("qwen3_vl_text", "-") {
            ModelType::Qwen3Vl
        } else if is("qwen3", "Qwen3ForCausalLM") {
            ModelType::Qwen3
        } else if is("qwen2", "Qwen2ForCausalLM") {
            ModelType::Qwen2
        } else if is("mistral", "MistralForCausalLM") {
            ModelType::Mistral
        } else {
            ModelType::Llama
        }
    }
}

/// The attention of the layers of one type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LayerType {
    /// A position attends to itself and to the positions before it, this many in all; without it to all.
    pub(super) window: Option<usize>,
    /// The rotation of queries and keys, if they are rotated.
    pub(super) rope: Option<Rope>,
}

/// The matrices that are stored as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fused {
    /// None.
    Not,
    /// Queries, keys and values in `qkv_proj`; the gate and its partner in `gate_up_proj`.
    Phi,
}

/// The settings in `config.json`, with the defaults of transformers.
pub(in crate::models) struct DecoderShape {
    pub(in crate::models) vocab: usize,
    pub(in crate::models) width: usize,
    pub(super) inner: usize,
    /// The index in `types` of each layer's type.
    pub(super) layers: Vec<usize>,
    pub(super) types: Vec<LayerType>,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) head: usize,
    pub(super) eps: f32,
    pub(super) tied: bool,
    pub(super) activation: Activation,
    /// Queries and keys are normalised head by head.
    pub(super) head_norms: bool,
    /// The outputs of attention and of the feed-forward part are normalised before they are added.
    pub(super) norms_after: bool,
    /// The weights of norms are stored less 1.
    pub(super) norms_less_one: bool,
    pub(super) fused: Fused,
    /// All positions are read again when the sequence becomes longer than the trained context.
    pub(super) rereads: bool,
    /// A token sees all others, or those of the window to both sides.
    pub(super) sees_both_sides: bool,
    pub(super) biases: Biases,
    /// The factor of queries before they meet keys.
    pub(super) query_scale: f64,
    /// The factor of the vectors of tokens.
    pub(super) token_scale: Option<f64>,
    /// Bounds logits: cap·tanh(x / cap).
    pub(super) logit_cap: Option<f64>,
    /// The maximum positions of a prompt and its reply together.
    pub(super) positions: usize,
}

impl DecoderShape {
    /// The same decoder, whose map to the vocabulary is the table of tokens if it is `tied`.
    pub(in crate::models) fn tied(self, tied: bool) -> DecoderShape {
        DecoderShape { tied, ..self }
    }

    pub(in crate::models) fn read(config: &Config) -> Result<DecoderShape> {
        let kind = ModelType::of(config);
        refuse_unsupported(config, kind)?;
        let width = config.size("hidden_size", within::WIDTH)?;
        let heads = config.size("num_attention_heads", within::HEADS)?;
        let by_default = match kind {
            _ if config.states("head_dim") => None,
            ModelType::Qwen3 | ModelType::Qwen3Vl => Some(128),
            ModelType::Gemma3 => Some(256),
            _ => None,
        };
        let head = config.count("head_dim", within::HEADS)?.or(by_default).unwrap_or(width / heads);
        let by_default = match kind {
            ModelType::Llama => 2048,
            ModelType::Phi3 => 4096,
            ModelType::Mistral | ModelType::Gemma3 => 131_072,
            ModelType::Qwen3Vl => 128_000,
            ModelType::Qwen2 | ModelType::Qwen3 | ModelType::SmolLm3 => 32_768,
        };
        let positions = config.count("max_position_embeddings", within::POSITIONS)?.unwrap_or(by_default);
        let by_default = match kind {
            _ if config.states("num_key_value_heads") => heads,
            ModelType::Llama | ModelType::Phi3 => heads,
            ModelType::Mistral => 8,
            ModelType::SmolLm3 | ModelType::Gemma3 => 4,
            ModelType::Qwen2 | ModelType::Qwen3 | ModelType::Qwen3Vl => 32,
        };
        let kv_heads = config.count("num_key_value_heads", within::HEADS)?.unwrap_or(by_default);
        let odd = |what: String| Err(Fault::model(format!("{}: {what}", config.name())));
        if !heads.is_multiple_of(kv_heads) {
            return odd(format!("num_attention_heads {heads} is not divisible by num_key_value_heads {kv_heads}"));
        }
        if head == 0 || !head.is_multiple_of(2) {
            return odd(format!(
                "head_dim is {head}; it must be even and above 0, because the rotary embedding rotates pairs"
            ));
        }
        let (layers, types) = layer_types(config, kind, head, positions)?;
        let served = types.iter().filter_map(|t| t.rope.as_ref()?.positions).max().unwrap_or(positions);
        let gemma = kind == ModelType::Gemma3;
        let scalar = config.number("query_pre_attn_scalar", 1e-3..=1e6)?.unwrap_or(256.0);
        Ok(DecoderShape {
            vocab: config.size("vocab_size", within::VOCABULARY)?,
            width,
            inner: config.size("intermediate_size", within::WIDTH)?,
            layers,
            types,
            heads,
            kv_heads,
            head,
            eps: config.number("rms_norm_eps", within::EPSILON)?.unwrap_or(if kind == ModelType::Phi3 {
                1e-5
            } else {
                1e-6
            }) as f32,
            tied: config.truth("tie_word_embeddings")?.unwrap_or(gemma || kind == ModelType::SmolLm3),
            activation: match gemma {
                true => config.activation("hidden_activation", "gelu_pytorch_tanh")?,
                false => config.activation("hidden_act", "silu")?,
            },
            head_norms: gemma || matches!(kind, ModelType::Qwen3 | ModelType::Qwen3Vl),
            norms_after: gemma,
            norms_less_one: gemma,
            fused: if kind == ModelType::Phi3 { Fused::Phi } else { Fused::Not },
            rereads: kind == ModelType::Phi3,
            sees_both_sides: gemma && config.truth("use_bidirectional_attention")? == Some(true),
            biases: biases(config, kind)?,
            query_scale: if gemma { scalar } else { head as f64 }.powf(-0.5),
            token_scale: gemma.then(|| (width as f64).sqrt()),
            logit_cap: config.number("final_logit_softcapping", 1e-3..=1e6)?.filter(|_| gemma),
            positions: positions.max(served).min(*within::POSITIONS.end()),
        })
    }
}

/// The biases that transformers reads for this type.
fn biases(config: &Config, kind: ModelType) -> Result<Biases> {
    let stated = |key: &str| Ok::<_, Fault>(config.truth(key)?.unwrap_or(false));
    let attention = stated("attention_bias")?;
    Ok(match kind {
        ModelType::Llama | ModelType::SmolLm3 => Biases { qkv: attention, out: attention, mlp: stated("mlp_bias")? },
        ModelType::Mistral | ModelType::Phi3 => Biases { qkv: false, out: false, mlp: false },
        ModelType::Qwen2 => Biases { qkv: true, out: false, mlp: false },
        ModelType::Qwen3 | ModelType::Qwen3Vl | ModelType::Gemma3 => {
            Biases { qkv: attention, out: attention, mlp: false }
        }
    })
}

pub(super) const FULL: &str = "full_attention";
pub(super) const SLIDING: &str = "sliding_attention";

/// The index of each layer's type, and the types.
fn layer_types(
    config: &Config,
    kind: ModelType,
    head: usize,
    positions: usize,
) -> Result<(Vec<usize>, Vec<LayerType>)> {
    let count = config.size("num_hidden_layers", within::LAYERS)?;
    let window = window(config, kind, positions)?;
    let rotates = rotates(config, kind, count)?;
    // The first layer that slides, unless the layers are listed.
    let first = match (window, kind) {
        (None, _) => count,
        (Some(_), ModelType::Qwen2 | ModelType::Qwen3) => {
            config.count("max_window_layers", 0..=*within::LAYERS.end())?.unwrap_or(28)
        }
        (Some(_), _) => 0,
    };
    let mut slides: Vec<bool> = match kind {
        ModelType::SmolLm3 => rotates.iter().map(|rotates| window.is_some() && !rotates).collect(),
        ModelType::Gemma3 => {
            let pattern = config.count("sliding_window_pattern", within::LAYERS)?.unwrap_or(6);
            (1..=count).map(|n| !n.is_multiple_of(pattern)).collect()
        }
        _ => (0..count).map(|n| n >= first).collect(),
    };
    let listed = config.list("layer_types")?;
    if !listed.is_empty() {
        let named = listed.iter().map(|name| match name.as_str() {
            Some(FULL) => Some(false),
            Some(SLIDING) if window.is_some() => Some(true),
            // transformers ignores the name unless `use_sliding_window` is set
            Some(SLIDING) if kind == ModelType::SmolLm3 => Some(false),
            _ => None,
        });
        let named = named.collect::<Option<Vec<bool>>>().filter(|named| named.len() == count);
        let free = !matches!(kind, ModelType::Llama | ModelType::Mistral | ModelType::Phi3);
        slides = named.filter(|named| free || *named == slides).ok_or_else(|| config.unsupported("layer_types"))?;
    }
    let mut known: Vec<(bool, bool)> = Vec::new();
    let mut types = Vec::new();
    let mut layers = Vec::with_capacity(count);
    for (slides, rotates) in slides.into_iter().zip(rotates) {
        let index = match known.iter().position(|known| *known == (slides, rotates)) {
            Some(index) => index,
            None => {
                let rope = || rope(config, kind, (head, positions), if slides { SLIDING } else { FULL });
                types.push(LayerType { window: window.filter(|_| slides), rope: rotates.then(rope).transpose()? });
                known.push((slides, rotates));
                types.len() - 1
            }
        };
        layers.push(index);
    }
    Ok((layers, types))
}

/// The window of the layers that slide, if any may.
fn window(config: &Config, kind: ModelType, positions: usize) -> Result<Option<usize>> {
    let stated = config.count("sliding_window", within::TOKENS)?;
    let is_used = config.truth("use_sliding_window")?;
    // A window of 0 positions makes no sense; some files write it for none.
    let stated = stated.filter(|window| *window > 0);
    Ok(match kind {
        ModelType::Llama => {
            if let (Some(_), true) = (stated.filter(|window| *window < positions), is_used != Some(false)) {
                return Err(config.unsupported("sliding_window"));
            }
            None
        }
        ModelType::SmolLm3 => stated.filter(|_| is_used == Some(true)),
        ModelType::Qwen3Vl => None,
        ModelType::Phi3 => stated,
        ModelType::Mistral | ModelType::Gemma3 if config.states("sliding_window") => stated,
        ModelType::Mistral | ModelType::Gemma3 => Some(4096),
        ModelType::Qwen2 | ModelType::Qwen3 if is_used != Some(true) => None,
        ModelType::Qwen2 | ModelType::Qwen3 if config.states("sliding_window") => stated,
        ModelType::Qwen2 | ModelType::Qwen3 => Some(4096),
    })
}

/// Fails if a key asks for a computation that no model type of this decoder has. Each key comes from a related family of
/// transformers, whose checkpoints are sometimes renamed.
fn refuse_unsupported(config: &Config, kind: ModelType) -> Result<()> {
    // Numbers that change nothing if they are 1.
    const FACTORS: [&str; 7] = [
        "attention_multiplier",
        "embedding_multiplier",
        "residual_multiplier",
        "logits_scaling",
        "logit_scale",
        "embedding_scale",
        "residual_scale",
    ];
    // Settings that change nothing if they are absent, null, false, 0 or empty.
    const SWITCHES: [&str; 27] = [
        "alibi",
        "attention_chunk_size",
        "attention_sink",
        "attn_logit_softcapping",
        "attn_temperature_tuning",
        "clip_qkv",
        "final_logit_softcapping",
        "fuse_norm",
        "lm_head_bias",
        "logit_softcapping",
        "moe_intermediate_size",
        "n_routed_experts",
        "no_rope_layer_interval",
        "no_rope_layers",
        "num_experts",
        "num_experts_per_tok",
        "num_local_experts",
        "parallel_attn",
        "qk_layernorm",
        "qk_norm",
        "quantization_config",
        "query_pre_attn_scalar",
        "sandwich_norm",
        "scale_attn_by_inverse_layer_idx",
        "use_bidirectional_attention",
        "use_parallel_residual",
        "use_qk_norm",
    ];
    for key in FACTORS {
        if config.get(key).is_some_and(|value| value.as_f64() != Some(1.0)) {
            return Err(config.unsupported(key));
        }
    }
    let is_off = |value: &Json| match value {
        Json::Bool(truth) => !truth,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::Array(list) => list.is_empty(),
        Json::Object(map) => map.is_empty(),
        _ => false,
    };
    let own: &[&str] = match kind {
        ModelType::SmolLm3 => &["no_rope_layers", "no_rope_layer_interval"],
        // transformers ignores `attn_logit_softcapping` here; no published file has it
        ModelType::Gemma3 => &["final_logit_softcapping", "query_pre_attn_scalar", "use_bidirectional_attention"],
        _ => &[],
    };
    for key in SWITCHES.iter().filter(|key| !own.contains(key)) {
        if config.get(key).is_some_and(|value| !is_off(value)) {
            return Err(config.unsupported(key));
        }
    }
    if config.truth("is_causal")? == Some(false) { Err(config.unsupported("is_causal")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(kind: &str, more: Json) -> Config {
        let mut json = json!({"model_type": kind, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100, "max_position_embeddings": 128});
        more.as_object().unwrap().iter().for_each(|(key, value)| json[key] = value.clone());
        Config::new("config.json", json)
    }

    /// The window of each layer, 0 for none.
    fn windows(kind: &str, more: Json) -> std::result::Result<Vec<usize>, String> {
        let shape = DecoderShape::read(&config(kind, more)).map_err(|e| e.to_string())?;
        Ok(shape.layers.iter().map(|n| shape.types[*n].window.unwrap_or(0)).collect())
    }

    #[test]
    fn windows_are_those_of_transformers() {
        assert_eq!(windows("llama", json!({})), Ok(vec![0; 4]));
        assert_eq!(windows("mistral", json!({})), Ok(vec![4096; 4]));
        assert_eq!(windows("mistral", json!({"sliding_window": null})), Ok(vec![0; 4]));
        assert_eq!(windows("mistral", json!({"sliding_window": 8})), Ok(vec![8; 4]));
        let qwen = json!({"sliding_window": 8, "max_window_layers": 3});
        assert_eq!(windows("qwen2", qwen.clone()), Ok(vec![0; 4]));
        let mut used = qwen;
        used["use_sliding_window"] = json!(true);
        assert_eq!(windows("qwen3", used.clone()), Ok(vec![0, 0, 0, 8]));
        used["layer_types"] = json!(["sliding_attention", "full_attention", "sliding_attention", "full_attention"]);
        assert_eq!(windows("qwen2", used), Ok(vec![8, 0, 8, 0]));
        insta::assert_snapshot!(windows("llama", json!({"sliding_window": 8})).unwrap_err(), @"config.json: `sliding_window` 8 is not supported");
        insta::assert_snapshot!(windows("qwen2", json!({"layer_types": vec!["sliding_attention"; 4]})).unwrap_err(), @r#"config.json: `layer_types` ["sliding_attention","sliding_attention","sliding_attention" is not supported"#);
        assert!(windows("qwen2", json!({"layer_types": vec!["full_attention"; 3]})).is_err());
        assert!(windows("mistral", json!({"layer_types": vec!["full_attention"; 4]})).is_err());
    }

    #[test]
    fn defaults_are_those_of_the_model_type() {
        let read = |kind| {
            let mut config = json!({"model_type": kind, "hidden_size": 128, "intermediate_size": 64, "num_hidden_layers": 1,
                "num_attention_heads": 32, "vocab_size": 100, "sliding_window": null});
            config["rope_parameters"] = json!({"rope_theta": 1e6});
            let shape = DecoderShape::read(&Config::new("config.json", config)).unwrap();
            (shape.head, shape.kv_heads, shape.positions)
        };
        assert_eq!(read("llama"), (4, 32, 2048));
        assert_eq!(read("mistral"), (4, 8, 131_072));
        assert_eq!(read("qwen2"), (4, 32, 32_768));
        assert_eq!(read("qwen3"), (128, 32, 32_768));
    }

    #[test]
    fn a_setting_that_is_not_supported_is_refused() {
        let check = |more: Json| DecoderShape::read(&config("llama", more)).map(drop).map_err(|e| e.to_string());
        assert_eq!(
            check(
                json!({"attention_multiplier": 1.0, "num_local_experts": 0, "attn_logit_softcapping": null, "alibi": false})
            ),
            Ok(())
        );
        insta::assert_snapshot!(check(json!({"attention_multiplier": 0.5})).unwrap_err(), @"config.json: `attention_multiplier` 0.5 is not supported");
        insta::assert_snapshot!(check(json!({"num_local_experts": 8})).unwrap_err(), @"config.json: `num_local_experts` 8 is not supported");
        insta::assert_snapshot!(check(json!({"final_logit_softcapping": 30.0})).unwrap_err(), @"config.json: `final_logit_softcapping` 30.0 is not supported");
        insta::assert_snapshot!(check(json!({"quantization_config": {"bits": 4}})).unwrap_err(), @r#"config.json: `quantization_config` {"bits":4} is not supported"#);
        insta::assert_snapshot!(check(json!({"rope_interleaved": true})).unwrap_err(), @"config.json: `rope_interleaved` true is not supported");
        assert!(check(json!({"is_causal": false})).is_err());
    }
}
