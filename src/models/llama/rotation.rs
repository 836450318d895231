//! The rotation of queries and keys of each type of layer, with the defaults of its model type in transformers 5.23.

use super::shape::{ModelType, Result, SLIDING};
use crate::infer::{
    config::{Config, within},
    rope::Rope,
};
use serde_json::{Value as Json, json};

/// True for each layer whose queries and keys are rotated.
pub(super) fn rotates(config: &Config, kind: ModelType, count: usize) -> Result<Vec<bool>> {
    if kind != ModelType::SmolLm3 {
        return Ok(vec![true; count]);
    }
    let listed = config.list("no_rope_layers")?;
    if listed.is_empty() {
        let every = config.count("no_rope_layer_interval", within::LAYERS)?.unwrap_or(4);
        return Ok((1..=count).map(|n| !n.is_multiple_of(every)).collect());
    }
    // in spite of the name of the key, 1 is a layer that rotates
    let one = |value: &Json| value.as_u64().filter(|n| *n < 2).map(|n| n == 1);
    let named = listed.iter().take(count).map(one).collect::<Option<Vec<bool>>>();
    named.filter(|named| named.len() == count).ok_or_else(|| config.unsupported("no_rope_layers"))
}

/// The rotation of the layers of one type.
pub(super) fn rope(config: &Config, kind: ModelType, (head, positions): (usize, usize), layers: &str) -> Result<Rope> {
    match kind {
        ModelType::Gemma3 => Rope::read(&gemma_rope(config, layers)?, head, positions, layers),
        ModelType::Phi3 => {
            let (config, part) = phi_rope(config)?;
            let rotated = (head as f64 * part) as usize;
            if rotated == 0 || !rotated.is_multiple_of(2) {
                return Err(config.unsupported("partial_rotary_factor"));
            }
            Rope::read(&config, rotated, positions, layers)
        }
        ModelType::SmolLm3 => Rope::read(&smol_rope(config), head, positions, layers),
        ModelType::Qwen3Vl => Rope::read(&seeing_rope(config)?, head, positions, layers),
        _ => Rope::read(config, head, positions, layers),
    }
}

/// Qwen3-VL states here, too, which dimensions count rows and columns ([`super::Sight`]).
fn seeing_rope(config: &Config) -> Result<Config> {
    let scaling = config.part("rope_scaling")?;
    let stated = if scaling.is_empty() { config.part("rope_parameters")? } else { scaling };
    let theta = config.number("rope_theta", 2.0..=1e15)?.unwrap_or(5e5);
    let mut rope = json!({ "rope_theta": theta });
    let own = stated.keys().filter(|key| !["mrope_section", "mrope_interleaved"].contains(key));
    own.for_each(|key| rope[key] = stated.get(key).cloned().unwrap_or_default());
    Ok(Config::new(config.name(), json!({ "rope_parameters": rope })))
}

/// SmolLM3 has a wavelength of its own if none is stated.
fn smol_rope(config: &Config) -> Config {
    let mut stated = json!({ "rope_theta": 2e6 });
    for key in ["rope_theta", "rope_scaling", "rope_parameters", "original_max_position_embeddings"] {
        if let Some(value) = config.get(key) {
            stated[key] = value.clone();
        }
    }
    Config::new(config.name(), stated)
}

/// Gemma 3 has a wavelength for layers that slide and another for the others; only the latter are scaled.
fn gemma_rope(config: &Config, layers: &str) -> Result<Config> {
    let slides = layers == SLIDING;
    let stated = config.part("rope_parameters")?.part(layers)?;
    let (key, usual) = if slides { ("rope_local_base_freq", 1e4) } else { ("rope_theta", 1e6) };
    let theta = config.number(key, 2.0..=1e15)?.unwrap_or(usual);
    let mut rope = json!({ "rope_theta": theta });
    stated.keys().for_each(|key| rope[key] = stated.get(key).cloned().unwrap_or_default());
    if let Some(scaling) = config.get("rope_scaling").and_then(Json::as_object).filter(|_| !slides) {
        scaling.iter().for_each(|(key, value)| rope[key] = value.clone());
    }
    Ok(Config::new(config.name(), json!({ "rope_parameters": rope })))
}

/// Phi-3 rotates a part of each head, and has older names for `longrope`. Gives the part too.
fn phi_rope(config: &Config) -> Result<(Config, f64)> {
    let stated = config.part("rope_scaling")?;
    let stated = if stated.is_empty() { config.part("rope_parameters")? } else { stated };
    let part = |config: &Config| config.number("partial_rotary_factor", 0.0..=1.0);
    let part = part(&stated)?.or(part(config)?).unwrap_or(1.0);
    let theta = |config: &Config| config.number("rope_theta", 2.0..=1e15);
    let theta = theta(&stated)?.or(theta(config)?).unwrap_or(1e4);
    let mut rope = json!({});
    stated.keys().for_each(|key| rope[key] = stated.get(key).cloned().unwrap_or_default());
    for key in ["rope_type", "type"] {
        if rope.get(key).and_then(Json::as_str).is_some_and(|kind| ["su", "yarn"].contains(&kind)) {
            rope[key] = json!("longrope");
        }
    }
    rope["rope_theta"] = json!(theta);
    rope["partial_rotary_factor"] = json!(1.0);
    let trained = config.count("original_max_position_embeddings", within::POSITIONS)?.unwrap_or(4096);
    Ok((
        Config::new(config.name(), json!({ "rope_parameters": rope, "original_max_position_embeddings": trained })),
        part,
    ))
}
