//! The hub's list of a revision: the files that loading needs, and their digests.

use super::transfer::FileFetch;
use crate::hub::{HubError, cache::is_file_name, verdict::plain};
use serde::Deserialize;
use serde_json::Value as Json;

/// Maximum size of a file of weights, in bytes.
const MAX_WEIGHTS_BYTES: u64 = 64 << 30;
/// Maximum size of any other file, in bytes. The largest tokenizers have about 30 MB.
const MAX_OTHER_BYTES: u64 = 256 << 20;

/// A file of a repository, as the hub lists it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RemoteFile {
    #[serde(rename = "rfilename")]
    pub(super) name: String,
    pub(super) size: Option<u64>,
    /// SHA-1 of the git blob, the etag of a small file.
    #[serde(rename = "blobId")]
    pub(super) git: Option<String>,
    /// The pointer to a large file, which the hub stores under its SHA-256.
    pub(super) lfs: Option<LfsPointer>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct LfsPointer {
    pub(super) sha256: String,
    pub(super) size: Option<u64>,
}

/// The hub's description of a revision.
#[derive(Debug, Deserialize)]
pub(super) struct RepoListing {
    pub(super) sha: String,
    pub(super) siblings: Vec<RemoteFile>,
    #[serde(default)]
    gated: Json,
    /// The facts at the head of the repository's README.
    #[serde(default, rename = "cardData")]
    card: Json,
}

impl RemoteFile {
    /// The digest that the hub states: the etag of the file.
    pub(super) fn digest(&self) -> Option<&str> {
        self.lfs.as_ref().map(|large| &large.sha256).or(self.git.as_ref()).map(String::as_str)
    }

    /// The size that the hub states.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.lfs.as_ref().and_then(|large| large.size).or(self.size)
    }
}

impl RepoListing {
    /// True if an account must accept terms before it gets a file: `"gated"` is false, `"auto"` or `"manual"`.
    pub(super) fn is_gated(&self) -> bool {
        !matches!(self.gated, Json::Null | Json::Bool(false))
    }

    /// The name of the licence. Licences of a model's own are `other`, with a name beside it.
    pub(super) fn license(&self) -> Option<String> {
        let word = |key: &str| self.card.get(key).and_then(Json::as_str).map(plain).filter(|word| !word.is_empty());
        word("license_name").or_else(|| word("license"))
    }

    /// The GGUF files of a revision, separated by commas.
    pub(super) fn gguf_files(&self) -> String {
        let names = self.siblings.iter().map(|listed| listed.name.as_str());
        names.filter(|name| name.ends_with(".gguf")).take(20).map(plain).collect::<Vec<_>>().join(", ")
    }
}

/// True for the files besides the weights that loading reads.
pub(super) fn is_needed(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "config.json",
        "generation_config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "modules.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "spiece.model",
        "sentencepiece.bpe.model",
    ];
    // a sentence embedder has a folder for each module after the network, such as `1_Pooling` and `2_Dense`
    let of_module = |(folder, file): (&str, &str)| {
        let (number, kind) = folder.split_once('_').unwrap_or_default();
        let is_module = number.parse::<u8>().is_ok() && is_file_name(kind);
        is_module && matches!(file, "config.json" | "model.safetensors")
    };
    name.split_once('/').is_some_and(of_module)
        || is_file_name(name)
            && (NAMES.contains(&name)
                || (name.starts_with("tokenizer") && !name.ends_with(".safetensors"))
                || name.ends_with(".jinja"))
}

/// Maximum size of a file, in bytes.
pub(super) fn max_bytes(job: &FileFetch<'_>) -> u64 {
    let holds_weights = [".safetensors", ".gguf"].iter().any(|ending| job.listed.name.ends_with(ending));
    if holds_weights { MAX_WEIGHTS_BYTES } else { MAX_OTHER_BYTES }
}

pub(super) fn too_large(job: &FileFetch<'_>) -> HubError {
    HubError::new(
        format!("{} of {} is larger than {} bytes, the limit of a download", job.listed.name, job.repo, max_bytes(job)),
        "download it with the hub's own tools, and name its folder as `path`",
    )
}
