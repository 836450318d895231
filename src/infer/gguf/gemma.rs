//! The settings of `config.json` that a GGUF file of Gemma 3 states in its own way.

use super::Meta;
use serde_json::{Value as Json, json};

/// Adds what only Gemma 3 has to `config`. The file states the wavelength of all layers but those that slide, and no factor of queries:
/// llama.cpp knows the largest model (62 layers) by its number of layers.
pub(super) fn complete(of: &Meta<'_>, config: &mut Json, (width, heads, head): (u64, u64, u64)) -> Result<(), String> {
    config["rope_theta"] = json!(of.number("rope.freq_base")?.unwrap_or(1e6));
    config["rope_local_base_freq"] = json!(of.number("rope.freq_base_swa")?.unwrap_or(1e4));
    config["sliding_window_pattern"] = json!(of.count("attention.sliding_window_pattern")?.unwrap_or(6));
    let is_largest = config["num_hidden_layers"].as_u64() == Some(62);
    config["query_pre_attn_scalar"] = json!(if is_largest { width / heads } else { head });
    config["final_logit_softcapping"] = json!(of.number("final_logit_softcapping")?.filter(|cap| *cap != 0.0));
    Ok(())
}
