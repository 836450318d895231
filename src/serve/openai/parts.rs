//! Pictures, videos and sounds in requests: their bytes in a `data:` URL, or a video of the library. Nothing is fetched, and no path is read,
//! so that a request cannot make the server reach for anything.

use super::super::{
    api_error::{ApiError, printable},
    files,
    state::SharedState,
};
use crate::{
    error::Fault,
    media::{self, MediaError},
    value::{ImageFile, Media},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

/// A video of the library: `library:DIGEST`.
const LIBRARY: &str = "library:";

/// The media of a request. Their files are removed with it.
#[derive(Debug, Default)]
pub(super) struct RequestMedia {
    folder: Option<TempDir>,
    count: usize,
    has_own_video: bool,
}

impl RequestMedia {
    /// True if the request brought media of its own.
    pub(super) fn has_own(&self) -> bool {
        self.folder.is_some()
    }

    /// True if one of them is a video or a sound.
    pub(super) fn has_own_video(&self) -> bool {
        self.has_own_video
    }

    /// Writes the bytes of a `data:` URL into a file of this request.
    async fn keep(&mut self, bytes: Vec<u8>) -> Result<PathBuf, ApiError> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => tempfile::Builder::new().prefix("elenchus-").tempdir().map_err(Fault::from)?,
        };
        self.count += 1;
        let path = folder.path().join(format!("part-{}", self.count));
        self.folder = Some(folder);
        tokio::fs::write(&path, bytes).await.map_err(Fault::from)?;
        Ok(path)
    }

    /// The picture of a URL.
    pub(super) async fn image(&mut self, state: &SharedState, param: &str, url: &str) -> Result<ImageFile, ApiError> {
        let bytes = data(param, url)?;
        let path = self.keep(bytes).await?;
        let image = media::image_file(&path.to_string_lossy(), &state.engine.settings.access(false)).await;
        image.map_err(|error| unreadable(param, &path, error))
    }

    /// The video or the sound of a URL.
    pub(super) async fn video(&mut self, state: &SharedState, param: &str, url: &str) -> Result<Arc<Media>, ApiError> {
        if let Some(digest) = url.strip_prefix(LIBRARY) {
            return files::medium(state, digest).await.map_err(|refusal| refusal.param(param));
        }
        let bytes = data(param, url)?;
        self.medium(state, param, bytes).await
    }

    /// The video or the sound with these bytes.
    pub(super) async fn medium(
        &mut self,
        state: &SharedState,
        param: &str,
        bytes: Vec<u8>,
    ) -> Result<Arc<Media>, ApiError> {
        let path = self.keep(bytes).await?;
        self.has_own_video = true;
        let opened = media::open(&path.to_string_lossy(), &state.engine.settings.access(false)).await;
        opened.map_err(|error| unreadable(param, &path, error))
    }
}

/// The error of a medium, without the name of the file that it was written to.
fn unreadable(param: &str, path: &Path, error: MediaError) -> ApiError {
    let fault = Fault::from(error);
    let message = fault.message.replace(&*path.to_string_lossy(), param);
    ApiError::from(Fault { message, ..fault }).param(param)
}

/// The bytes of a `data:` URL. Every other URL is refused.
fn data(param: &str, url: &str) -> Result<Vec<u8>, ApiError> {
    let Some(rest) = url.strip_prefix("data:") else {
        let scheme = printable(url.split(':').next().unwrap_or_default(), 20);
        let message = format!("{param}: media by `{scheme}:` are refused; the server fetches nothing");
        return Err(ApiError::bad(message)
            .param(param)
            .hint("send the bytes as `data:TYPE;base64,…`, or name a video as `library:DIGEST`"));
    };
    let wrong = |why: &str| ApiError::bad(format!("{param}: {why}")).param(param);
    let (kind, bytes) = rest.split_once(',').ok_or_else(|| wrong("the data URL has no comma"))?;
    if !kind.ends_with(";base64") {
        return Err(wrong("the data URL is not in base64"));
    }
    STANDARD.decode(bytes.trim()).map_err(|error| wrong(&format!("the base64 is wrong: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_urls_are_read() {
        assert_eq!(data("x", "data:image/png;base64,aGk=").expect("bytes"), b"hi");
        for url in [
            "http://127.0.0.1/a.png",
            "https://example.com/a.png",
            "file:///etc/passwd",
            "/etc/passwd",
            "http://169.254.169.254/latest/meta-data",
            "ftp://x",
            "data:image/png,hi",
            "data:image/png;base64",
            "data:image/png;base64,*",
            "",
        ] {
            assert!(data("x", url).is_err(), "{url}");
        }
    }
}
