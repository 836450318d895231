//! What decides the replies of a local agent, the vectors of its texts and its speed, as texts. The memo and the stores find former
//! results by them.

use super::local::LocalSpec;
use crate::{
    error::Fault,
    exchange::HearingSettings,
    infer::{causal::KvFormat, device, labels::LabelStore, meter::Meter},
    models::{Family, ModelOptions},
    store::vectors::ModelDigest,
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

/// Part of the identity of a text's vector. A correction in a family that changes such vectors raises it.
const TEXT_REVISION: u32 = 1;

/// Everything that decides the vector of a text: the model, and how it is computed.
pub(super) fn labels(spec: &LocalSpec, family: &Family, digest: &str, loading: &ModelOptions) -> LabelStore {
    let identity = format!("text {TEXT_REVISION} {} {digest} {}", family.name, family.computing(loading));
    LabelStore { store: spec.vectors.clone(), model: Some(ModelDigest::of(&identity)) }
}

/// The measurements of a model's speed, for everything that decides it.
pub(super) fn meter(spec: &LocalSpec, family: &Family, digest: &str, loading: &ModelOptions) -> Meter {
    let key = format!("{} {digest} {} {}", family.name, family.computing(loading), device::machine());
    Meter::new(spec.timings.clone(), key)
}
