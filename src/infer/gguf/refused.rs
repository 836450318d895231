//! Settings of a GGUF file that change the computation and are not supported.

use super::Meta;

/// Fails if the file states a setting that changes the computation and is not supported.
pub(super) fn unchanged(of: &Meta<'_>, is_gemma: bool) -> Result<(), String> {
    const SCALES: [&str; 7] = [
        "attention.scale",
        "attention.clamp_kqv",
        "attention.max_alibi_bias",
        "attn_logit_softcapping",
        "final_logit_softcapping",
        "rope.scaling.attn_factor",
        "rope.scaling.yarn_attn_factor",
    ];
    const FACTORS: [&str; 4] = ["logit_scale", "embedding_scale", "residual_scale", "rope.scaling.yarn_ext_factor"];
    let refused = |key: &str| Err(format!("states `{}{key}`, which is not supported", of.prefix));
    for key in SCALES.into_iter().filter(|key| !(is_gemma && *key == "final_logit_softcapping")) {
        if of.number(key)?.is_some_and(|n| n != 0.0 && !(key.ends_with("attn_factor") && n == 1.0)) {
            return refused(key);
        }
    }
    for key in FACTORS {
        if of.number(key)?.is_some_and(|n| n != 1.0) {
            return refused(key);
        }
    }
    if of.number("rope.scaling.yarn_log_multiplier")?.is_some_and(|n| n != 0.0) {
        return refused("rope.scaling.yarn_log_multiplier");
    }
    if of.truth("attention.causal")? == Some(false) {
        return refused("attention.causal");
    }
    Ok(())
}
