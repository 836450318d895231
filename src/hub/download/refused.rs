//! What the hub's refusals mean, and what the user can do: unknown, private and gated repositories, missing revisions,
//! and repositories whose only weights are a pickle.

use super::{Downloader, HubError, HubSettings, listing::RepoListing};
use crate::problem::closest;
use reqwest::StatusCode;
use serde::Deserialize;

/// The end of the message about a missing revision.
pub(super) const NO_REVISION: &str = "(no such revision)";
/// The weights that cannot be loaded.
const PICKLES: [&str; 3] = ["pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt"];

/// The error for a status that another try does not change.
pub(super) fn explained(status: StatusCode, code: &str, repo: &str, settings: &HubSettings) -> HubError {
    let (endpoint, number) = (&settings.endpoint, status.as_u16());
    match (status, code) {
        (_, "RevisionNotFound") => HubError::new(
            format!("{endpoint} has {repo}, but not the revision that is asked for {NO_REVISION}"),
            "check the spelling behind the @",
        ),
        (_, "GatedRepo") => gated(repo, settings),
        (_, "DisabledRepo") => HubError::new(
            format!("{endpoint} has disabled {repo} ({number})"),
            format!("{endpoint}/{repo} may tell the reason; another model is the way out"),
        ),
        (StatusCode::NOT_FOUND, "EntryNotFound") => {
            HubError::plain(format!("{endpoint} lists a file of {repo} that it does not have ({number})"))
        }
        (StatusCode::NOT_FOUND, _) | (_, "RepoNotFound") => HubError::new(
            format!("{endpoint} does not know this model or revision: {repo} ({number})"),
            "check the spelling and the revision; a private model needs HF_TOKEN",
        ),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => HubError::new(
            format!("{endpoint} refuses access to {repo} ({number}): it is gated or private"),
            match settings.token {
                None => format!("accept its terms at {endpoint}/{repo}, then set HF_TOKEN to a token of your account"),
                Some(_) => format!(
                    "accept its terms at {endpoint}/{repo} with the account that HF_TOKEN belongs to; a token may also have expired"
                ),
            },
        ),
        (StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS, _) => HubError::new(
            format!("{endpoint} does not give {repo} to this place, for legal reasons ({number})"),
            "another model is the way out",
        ),
        _ => HubError::plain(format!("{endpoint} answers {status} for {repo}")),
    }
}

/// The error for a repository whose owner asks for the acceptance of terms.
pub(super) fn gated(repo: &str, settings: &HubSettings) -> HubError {
    let endpoint = &settings.endpoint;
    let (why, hint) = match settings.token {
        None => (
            "no token is set",
            format!(
                "log in and accept the terms at {endpoint}/{repo}, make a token that may read at {endpoint}/settings/tokens, and set \
                 HF_TOKEN to it"
            ),
        ),
        Some(_) => (
            "the account of your token did not accept them, or waits for the owner",
            format!(
                "accept the terms at {endpoint}/{repo} with the account that HF_TOKEN belongs to; a fine-grained token also needs the \
                 right to read gated repositories"
            ),
        ),
    };
    HubError::new(format!("{repo} is gated: its owner gives it to accounts that accepted the terms, and {why}"), hint)
}

/// The revisions of a repository, as the hub lists them.
#[derive(Deserialize)]
struct Refs {
    #[serde(default)]
    branches: Vec<NamedRef>,
    #[serde(default)]
    tags: Vec<NamedRef>,
}

#[derive(Deserialize)]
struct NamedRef {
    name: String,
}

/// The discussions of a repository. A proposed change is one of them.
#[derive(Deserialize)]
struct Discussions {
    #[serde(default)]
    discussions: Vec<Discussion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discussion {
    num: u64,
    title: String,
    #[serde(default)]
    is_pull_request: bool,
    #[serde(default)]
    status: String,
}

impl Downloader {
    /// The error for a missing revision, with those that there are. A list that cannot be had is left out.
    pub(super) async fn no_revision(&self, repo: &str, revision: &str, error: HubError) -> HubError {
        let names = self.refs(repo).await.unwrap_or_default();
        let known = match names.is_empty() {
            true => error.hint,
            false => closest(revision, names.iter().map(String::as_str))
                .or_else(|| Some(format!("its revisions are {}", names.join(", ")))),
        };
        HubError { hint: known, ..HubError::plain(format!("{repo} has no revision `{revision}`")) }
    }

    async fn refs(&self, repo: &str) -> Option<Vec<String>> {
        let url = self.url(&["api", "models"], repo, &["refs"]).ok()?;
        let text = self.text(&url, repo).await.ok()?;
        let refs: Refs = serde_json::from_str(&text).ok()?;
        Some(refs.branches.into_iter().chain(refs.tags).map(|found| found.name).take(20).collect())
    }

    /// The error for a repository without safetensors weights: names its GGUF files, or a proposed change that adds the
    /// weights, or the command that converts a pickle.
    pub(super) async fn without_safetensors(&self, repo: &str, revision: &str, listing: &RepoListing) -> HubError {
        let gguf = listing.gguf_files();
        let Some(pickle) = PICKLES.iter().find(|name| listing.siblings.iter().any(|listed| listed.name == **name))
        else {
            let hint = match gguf.as_str() {
                "" => "only safetensors and GGUF weights are loaded; look for a converted copy".to_owned(),
                files => format!("name one of its GGUF files beside `hub`, as `gguf`, or as {repo}:FILE.gguf: {files}"),
            };
            return HubError::new(format!("{repo} lacks model.safetensors"), hint);
        };
        let message = format!(
            "{repo} has its weights as {pickle} only, a pickle, which can run code when it is opened; it is not loaded"
        );
        let converted = match self.conversion(repo).await.filter(|number| revision != format!("refs/pr/{number}")) {
            Some(number) => format!(
                "its proposed change {number} adds safetensors: read it at {}/{repo}/discussions/{number}, then name \
                 `{repo}@refs/pr/{number}`",
                self.settings.endpoint
            ),
            None => format!(
                "convert it once, and name the folder as `path`: hf download {repo} --local-dir DIR && cd DIR && {CONVERT}"
            ),
        };
        HubError::new(
            message,
            if gguf.is_empty() { converted } else { format!("its GGUF files are {gguf}; or {converted}") },
        )
    }

    /// The number of an open proposed change that adds safetensors weights. The hub's own bot and its users make them.
    async fn conversion(&self, repo: &str) -> Option<u64> {
        let mut url = self.url(&["api", "models"], repo, &["discussions"]).ok()?;
        url.set_query(Some("p=0&type=pull_request"));
        let text = self.text(&url, repo).await.ok()?;
        let found: Discussions = serde_json::from_str(&text).ok()?;
        let adds = |one: &&Discussion| {
            let title = one.title.to_ascii_lowercase();
            one.is_pull_request && matches!(&*one.status, "open" | "draft" | "") && title.contains("safetensors")
        };
        found.discussions.iter().find(adds).map(|one| one.num)
    }
}

/// Converts a pickle in the working folder. `weights_only` opens it without running code.
pub(super) const CONVERT: &str = "python -c \"import torch, safetensors.torch as s; s.save_file({k: v.clone().contiguous() for k, v in \
    torch.load('pytorch_model.bin', map_location='cpu', weights_only=True).items()}, 'model.safetensors', {'format': 'pt'})\"";
