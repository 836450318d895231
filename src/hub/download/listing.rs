//! The hub's list of a revision: the files that loading needs, and their digests.

use super::DownloadProgress;
use crate::hub::{
    HubError,
    cache::{CachedRepo, is_file_name},
};
use serde::Deserialize;
use std::io::{Read as _, Seek as _};

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
}

/// One file of one commit, to be downloaded.
pub(super) struct FileFetch<'a> {
    pub(super) repo: &'a str,
    pub(super) commit: &'a str,
    pub(super) cached: &'a CachedRepo,
    pub(super) listed: &'a RemoteFile,
}

impl FileFetch<'_> {
    /// The name of the blob: the digest that the hub states, or else a digest of repository, commit and file name.
    pub(super) fn etag(&self) -> Result<String, HubError> {
        let stated = self.listed.lfs.as_ref().map(|large| &large.sha256).or(self.listed.git.as_ref());
        match stated {
            Some(etag) if !is_file_name(etag) => {
                Err(HubError::plain(format!("found the digest {etag:?} from the hub, expected letters and digits")))
            }
            Some(etag) => Ok(etag.clone()),
            None => {
                let names = format!("{}\n{}\n{}", self.repo, self.commit, self.listed.name);
                Ok(format!("named-{}", &blake3::hash(names.as_bytes()).to_hex()[..32]))
            }
        }
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.listed.lfs.as_ref().and_then(|large| large.size).or(self.listed.size)
    }

    pub(super) fn progress(&self, done: u64) -> DownloadProgress {
        DownloadProgress { repo: self.repo.to_owned(), file: self.listed.name.clone(), done, total: self.size() }
    }

    /// The digest that the hub states, and the file's own digest; `None` if the hub states none.
    pub(super) fn digest(&self, file: &std::fs::File) -> std::io::Result<Option<(String, String)>> {
        let (expected, algorithm) = match (&self.listed.lfs, &self.listed.git) {
            (Some(large), _) => (&large.sha256, &ring::digest::SHA256),
            (None, Some(git)) if git.len() == 40 => (git, &ring::digest::SHA1_FOR_LEGACY_USE_ONLY),
            _ => return Ok(None),
        };
        let mut file = file.try_clone()?;
        file.seek(std::io::SeekFrom::Start(0))?;
        let mut context = ring::digest::Context::new(algorithm);
        if self.listed.lfs.is_none() {
            context.update(format!("blob {}\0", file.metadata()?.len()).as_bytes()); // git's header of a blob
        }
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => context.update(&buffer[..n]),
            }
        }
        let found = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Some((expected.clone(), found)))
    }
}

/// True for the files besides the weights that loading reads.
pub(super) fn is_needed(name: &str) -> bool {
    const NAMES: [&str; 11] = [
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

/// The GGUF files of a revision, separated by commas.
pub(super) fn gguf_files(listing: &RepoListing) -> String {
    let names = listing.siblings.iter().map(|listed| listed.name.as_str());
    names.filter(|name| name.ends_with(".gguf")).take(20).collect::<Vec<_>>().join(", ")
}

/// The error for a repository without safetensors weights.
pub(super) fn without_safetensors(repo: &str, listing: &RepoListing) -> HubError {
    let hint = match gguf_files(listing).as_str() {
        "" => {
            "only safetensors weights are loaded; look for a converted copy or convert it with transformers".to_owned()
        }
        files => format!("name one of its GGUF files beside `hub`, as `gguf`: {files}"),
    };
    HubError::new(format!("{repo} lacks model.safetensors"), hint)
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
