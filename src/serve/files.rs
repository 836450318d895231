//! Media and parts of them as responses, with ranges. A path never comes from a request: the journal knows where its videos are.

use super::{api_error::ApiError, state::SharedState};
use crate::{
    error::Fault,
    files, media,
    value::{Media, Moment},
};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::{path::Path, sync::Arc};
use tower_http::services::ServeFile;

/// The medium of the journal with a digest, or with the beginning of one.
pub(super) async fn medium(state: &SharedState, digest: &str) -> Result<Arc<Media>, ApiError> {
    const LEAST: usize = 8;
    let missing = || ApiError::missing("the journal has no video with this digest");
    if digest.len() < LEAST || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(missing());
    }
    let digest = digest.to_owned();
    let found = state
        .with_journal(move |journal| {
            let mut digests = journal.digests_of(&digest)?;
            digests.retain(|known| known.starts_with(&digest));
            match digests.as_slice() {
                [only] => Ok(journal.medium(only)?),
                _ => Ok(None),
            }
        })
        .await?;
    found.map(Arc::new).ok_or_else(missing)
}

/// Fails if the file of a medium is gone, or has another content now.
pub(super) async fn check_unchanged(state: &SharedState, media: &Media) -> Result<(), ApiError> {
    let gone = |why: &str| {
        ApiError::new(StatusCode::GONE, "gone", format!("the video {} {why}", media.path))
            .hint("index it again; the journal keeps its lines")
    };
    match media::digest_of(&media.path, &state.engine.settings.access(false)).await {
        Ok(digest) if digest == media.digest => Ok(()),
        Ok(_) => Err(gone("was replaced by another one")),
        Err(_) => Err(gone("is no longer where it was")),
    }
}

/// The file of a medium, or the part of it that the request asks for.
pub(super) async fn whole(state: &SharedState, media: &Media, request: Request) -> Result<Response, ApiError> {
    check_unchanged(state, media).await?;
    served(&files::path(&media.path), request).await
}

/// A file as a response to a request with or without a range.
async fn served(path: &Path, request: Request) -> Result<Response, ApiError> {
    let response = ServeFile::new(path).try_call(request).await;
    let response = response.map_err(|error| Fault::media(format!("the file cannot be read: {error}")))?;
    Ok(response.map(Body::new))
}

/// The ending of a medium's file.
pub(super) fn ending(media: &Media) -> String {
    let path = files::path(&media.path);
    path.extension().map_or_else(|| "mp4".to_owned(), |ending| ending.to_string_lossy().into_owned())
}

/// A clip of a moment, for saving.
pub(super) async fn clip(state: &SharedState, moment: &Moment, request: Request) -> Result<Response, ApiError> {
    check_unchanged(state, &moment.media).await?;
    let ending = ending(&moment.media);
    let folder = tempfile::tempdir().map_err(Fault::from)?;
    let file = folder.path().join(format!("clip.{ending}"));
    media::clip(moment, &file).await.map_err(Fault::from)?;
    let mut response = served(&file, request).await?;
    // the file is open, so its name can go
    drop(folder);
    let stem = files::path(&moment.media.path).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = format!("{}-{}.{ending}", stem.unwrap_or_default(), moment.start.to_string().replace(':', "-"));
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// A picture of a moment.
pub(super) fn picture(bytes: axum::body::Bytes) -> Response {
    ([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, max-age=300")], bytes).into_response()
}
