//! Small pictures of moments, kept in memory for a while.

use super::api_error::ApiError;
use crate::{
    error::Fault,
    media::{self, MediaLimits, MediaStore},
    value::Moment,
};
use axum::body::Bytes;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// The most bytes of pictures that are kept.
const KEPT_BYTES: usize = 32_000_000;
/// Pictures that are decoded at the same time.
const AT_ONCE: usize = 2;

/// The pictures, by the digest of their video and the time in ms.
pub(super) struct Thumbnails {
    kept: Mutex<VecDeque<((String, i64), Bytes)>>,
    decoding: Semaphore,
}

impl Default for Thumbnails {
    fn default() -> Thumbnails {
        Thumbnails { kept: Mutex::default(), decoding: Semaphore::new(AT_ONCE) }
    }
}

impl Thumbnails {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<((String, i64), Bytes)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The JPEG picture in the middle of a moment.
    pub(super) async fn of(&self, moment: &Moment) -> Result<Bytes, ApiError> {
        let middle = (moment.start.seconds() + moment.end.seconds()) / 2.0;
        let key = (moment.media.digest.clone(), (middle * 1000.0) as i64);
        if let Some((_, bytes)) = self.lock().iter().find(|(known, _)| *known == key) {
            return Ok(bytes.clone());
        }
        let _turn = self.decoding.acquire().await.map_err(|error| Fault::failed(error.to_string()))?;
        let store = MediaStore::new(MediaLimits::default());
        let folder = tempfile::tempdir().map_err(Fault::from)?;
        let file = folder.path().join("picture.jpg");
        media::thumbnail(moment, &store, file.clone()).await.map_err(Fault::from)?;
        let bytes = Bytes::from(tokio::fs::read(&file).await.map_err(Fault::from)?);
        let mut kept = self.lock();
        kept.push_back((key, bytes.clone()));
        while kept.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > KEPT_BYTES {
            kept.pop_front();
        }
        Ok(bytes)
    }

    /// Removes the pictures of these media.
    pub(super) fn forget(&self, digests: &[String]) {
        self.lock().retain(|((digest, _), _)| !digests.contains(digest));
    }
}
