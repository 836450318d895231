//! Requests to the hub: redirects, tries, and what its answers mean.

use super::{Downloader, HubError, listing::RepoListing, refused};
use crate::hub::{cache::is_file_name, http};
use reqwest::{Response, StatusCode, Url, header};
use std::time::{Duration, SystemTime};

/// Maximum size of a repository's list of files, in bytes.
const MAX_LISTING_BYTES: usize = 16 << 20;

/// Why one try failed.
pub(super) enum Failure {
    /// Another try may succeed, after this wait if the server states one.
    Passing(String, Option<Duration>),
    /// Another try gives the same result.
    Final(HubError),
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Failure::Final(error)
    }
}

impl Downloader {
    /// The hub's description of a revision. Fails if the hub does not know it.
    pub(super) async fn listing(&self, repo: &str, revision: &str) -> Result<RepoListing, HubError> {
        let mut url = self.url(&["api", "models"], repo, &["revision", revision])?;
        url.set_query(Some("blobs=true"));
        let text = match self.text(&url, repo).await {
            Ok(text) => text,
            Err(Failure::Final(error)) if error.message.ends_with(refused::NO_REVISION) => {
                return Err(self.no_revision(repo, revision, error).await);
            }
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing(why, _)) => return Err(self.silent(repo, &why)),
        };
        let listing: RepoListing = serde_json::from_str(&text).map_err(|error| {
            HubError::plain(format!("{} does not answer like a model hub: {error}", self.settings.endpoint))
        })?;
        match is_file_name(&listing.sha) {
            true => Ok(listing),
            false => Err(HubError::plain(format!(
                "found {1:?} from {0}, expected the name of a commit",
                self.settings.endpoint, listing.sha
            ))),
        }
    }

    /// The text of a page of the hub's API.
    pub(super) async fn text(&self, url: &Url, repo: &str) -> Result<String, Failure> {
        self.retried(|| async {
            let response = self.get(url, None, repo).await?;
            let body = tokio::time::timeout(self.settings.patience, http::body(response, MAX_LISTING_BYTES)).await;
            let late = || format!("its answer took over {} s", self.settings.patience.as_secs_f64());
            let body = body.map_err(|_| Failure::Passing(late(), None))?;
            let body = body.map_err(|error| Failure::Passing(http::chain(&error), None))?;
            let large =
                || HubError::plain(format!("the list of files of {repo} is larger than {MAX_LISTING_BYTES} bytes"));
            Ok(String::from_utf8_lossy(&body.ok_or_else(large)?).into_owned())
        })
        .await
    }

    /// GET, with redirects followed here: only the hub may get the token, never the store that it redirects to.
    pub(super) async fn get(&self, url: &Url, from: Option<u64>, repo: &str) -> Result<Response, Failure> {
        let mut url = url.clone();
        for _ in 0..6 {
            let mut request = self.client.get(url.clone());
            if let Some(token) = self.settings.token.as_ref().filter(|_| self.is_hub(&url)) {
                request = request.bearer_auth(token.reveal());
            }
            if let Some(from) = from {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            let patience = self.settings.patience;
            let response = tokio::time::timeout(patience, request.send())
                .await
                .map_err(|_| Failure::Passing(format!("no answer within {} s", patience.as_secs_f64()), None))?
                .map_err(|error| Failure::Passing(http::chain(&error), None))?;
            if !response.status().is_redirection() {
                return self.accepted(response, repo);
            }
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            url = to
                .and_then(|to| url.join(to).ok())
                .ok_or_else(|| HubError::plain(format!("the hub redirects {repo} without a valid address")))?;
        }
        Err(HubError::plain(format!("the hub redirects {repo} more than 5 times")).into())
    }

    fn accepted(&self, response: Response, repo: &str) -> Result<Response, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if http::is_passing(status) {
            let wait = http::retry_after(response.headers(), SystemTime::now());
            return Err(Failure::Passing(format!("the hub answers {status}"), wait));
        }
        if status == StatusCode::RANGE_NOT_SATISFIABLE {
            return Err(Failure::Passing(format!("{status}"), None));
        }
        let code = response.headers().get("x-error-code").and_then(|code| code.to_str().ok()).unwrap_or_default();
        Err(refused::explained(status, code, repo, &self.settings).into())
    }

    /// Tries again after passing failures, with growing waits or those that the server asks for.
    async fn retried<T, F: Future<Output = Result<T, Failure>>>(&self, again: impl Fn() -> F) -> Result<T, Failure> {
        let mut wait = self.first_wait;
        for _ in 1..self.attempts {
            match again().await {
                Err(Failure::Passing(why, asked)) => {
                    tracing::debug!(%why, "the request is tried again");
                    tokio::time::sleep(asked.unwrap_or(wait)).await;
                    wait *= 2;
                }
                settled => return settled,
            }
        }
        again().await
    }

    /// The error of a file after the last try.
    pub(super) fn unreachable(&self, repo: &str, failure: Failure) -> HubError {
        match failure {
            Failure::Final(error) => error,
            Failure::Passing(why, _) => self.silent(repo, &why),
        }
    }

    fn silent(&self, repo: &str, why: &str) -> HubError {
        let error = HubError::new(
            format!("{repo} could not be fetched from {}: {why}", self.settings.endpoint),
            format!(
                "run the command again to continue the download; without a network, copy the checkpoint here and name its folder \
                 as `path`, or copy it into {}",
                self.settings.cache.display()
            ),
        );
        HubError { is_silent: true, ..error }
    }

    /// An address of the hub.
    pub(super) fn url(&self, before: &[&str], repo: &str, after: &[&str]) -> Result<Url, HubError> {
        let bad = || HubError::plain(format!("found HF_ENDPOINT `{}`, expected a web address", self.settings.endpoint));
        let mut url = Url::parse(&self.settings.endpoint).map_err(|_| bad())?;
        url.path_segments_mut()
            .map_err(|()| bad())?
            .pop_if_empty()
            .extend(before.iter().copied().chain(repo.split('/')).chain(after.iter().copied()));
        Ok(url)
    }

    fn is_hub(&self, url: &Url) -> bool {
        Url::parse(&self.settings.endpoint).is_ok_and(|hub| hub.origin() == url.origin())
    }
}
