//! What decides the replies of a local agent, as a text. The memo finds former replies by it.

use super::local::LocalSpec;
use crate::{
    error::Fault,
    exchange::HearingSettings,
    infer::causal::KvFormat,
    models::{Family, ModelOptions},
};

/// The identity of an agent whose weights have the digest `digest`, without background vectors. A setting that is not used is
/// not in it, so that a new version of the program finds the replies of an older one.
pub(super) fn identity(
    spec: &LocalSpec,
    family: &Family,
    digest: &str,
    loading: &ModelOptions,
) -> Result<String, Fault> {
    let decode = serde_json::to_string(&spec.decode).map_err(|e| Fault::model(e.to_string()))?;
    let context = spec.context_tokens.map_or_else(String::new, |n| n.to_string());
    let mut identity = format!("local {} {digest} {} {decode} {context}", family.name, family.computing(loading));
    if let Some(pixels) = spec.picture_pixels {
        identity.push_str(&format!(" pixels {pixels}"));
    }
    if spec.kv_cache != KvFormat::default() {
        identity.push_str(&format!(" kv_cache {}", spec.kv_cache.as_str()));
    }
    if spec.hearing != HearingSettings::default() {
        let HearingSettings { temperatures, previous_text, voice } = &spec.hearing;
        identity.push_str(&format!(" hearing {temperatures:?} {previous_text} {voice}"));
    }
    Ok(identity)
}
