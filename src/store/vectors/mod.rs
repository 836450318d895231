//! Vectors of texts, kept between processes: a model computes the vector of a label once, ever.
//!
//! A caller names its model by a [`ModelDigest`] over everything that decides the vector of a text: weights, tokenizer,
//! number format and device class. It asks [`VectorStore::get_many`], computes the vectors that are missing, and adds
//! them with [`VectorStore::put_many`]. Both block, so call them from a model's thread.
//!
//! ```
//! # use elenchus::store::vectors::{ModelDigest, VectorStore};
//! # let folder = tempfile::tempdir().unwrap();
//! let store = VectorStore::at(&folder.path().join("vectors"));
//! let model = ModelDigest::of("local bert 0123… f32 cpu");
//! store.put_many(model, &[("a kitchen", &[0.6, 0.8])]);
//! assert_eq!(store.get_many(model, &["a kitchen", "a street"]), [Some(vec![0.6, 0.8]), None]);
//! ```
//!
//! The store never fails: it is a cache. A vector with a wrong digest does not count, a damaged file is begun again, a
//! folder that cannot be written is only read, and a full disk ends the writing. Only the user can read it. Several
//! processes can share it. It holds digests of texts, and no texts. When it exceeds its limit, the vectors that were
//! not used for the longest time are removed.

mod database;
#[cfg(test)]
mod tests;

use database::VectorDatabase;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The maximum size of a store, in bytes: some 80,000 vectors of 768 numbers.
pub const MAX_BYTES: u64 = 256 << 20;
/// The maximum length of a vector.
pub const MAX_WIDTH: usize = 1 << 16;

/// Identifies a model: a digest over everything that decides the vector of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelDigest([u8; 32]);

impl ModelDigest {
    /// The digest of a text that names all that decides a vector.
    pub fn of(identity: &str) -> ModelDigest {
        ModelDigest(*blake3::hash(identity.as_bytes()).as_bytes())
    }

    /// The digest with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> ModelDigest {
        ModelDigest(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its bytes as lowercase hex.
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

/// A store of vectors in a folder. Clones share it. The default store keeps nothing.
#[derive(Clone, Default)]
pub struct VectorStore {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    folder: PathBuf,
    max_bytes: u64,
    state: Mutex<State>,
}

/// The database, which the first use opens.
enum State {
    Unopened,
    Open(Box<VectorDatabase>),
    /// It can neither be written nor read.
    Off,
}

/// The statistics of a store of vectors.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct VectorStat {
    /// The number of vectors.
    pub count: u64,
    /// The number of models that made them.
    pub models: u64,
    /// Size on disk, in bytes.
    pub disk_bytes: u64,
}

impl VectorStore {
    /// The store in `folder`. The first use opens it, and creates it if needed.
    pub fn at(folder: &Path) -> VectorStore {
        VectorStore::bounded(folder, MAX_BYTES)
    }

    /// The store in `folder` with another maximum size in bytes.
    pub fn bounded(folder: &Path, max_bytes: u64) -> VectorStore {
        let state = Mutex::new(State::Unopened);
        VectorStore { inner: Some(Arc::new(Inner { folder: folder.to_owned(), max_bytes, state })) }
    }

    /// The vectors of `texts` by this model, in their order; `None` for a text whose vector the store lacks.
    pub fn get_many(&self, model: ModelDigest, texts: &[&str]) -> Vec<Option<Vec<f32>>> {
        let found = self.with("read", |base| base.get_many(model.0, &keys(texts)));
        found.unwrap_or_else(|| vec![None; texts.len()])
    }

    /// Adds the vectors of texts by this model. A vector that is empty, too long or not finite is left out.
    pub fn put_many(&self, model: ModelDigest, vectors: &[(&str, &[f32])]) {
        let sound = |v: &[f32]| (1..=MAX_WIDTH).contains(&v.len()) && v.iter().all(|n| n.is_finite());
        let rows: Vec<_> =
            vectors.iter().filter(|(_, vector)| sound(vector)).map(|(text, v)| (key(text), *v)).collect();
        if !rows.is_empty() {
            self.with("written", |base| base.put_many(model.0, &rows));
        }
    }

    /// The statistics. A store that cannot be read counts as empty.
    pub fn stat(&self) -> VectorStat {
        let folder_bytes = |inner: &Arc<Inner>| database::disk_bytes(&inner.folder);
        if self.inner.as_ref().is_none_or(|inner| !inner.folder.exists()) {
            return VectorStat::default();
        }
        let (count, models) = self.with("read", |base| base.count()).unwrap_or_default();
        VectorStat { count, models, disk_bytes: self.inner.as_ref().map_or(0, folder_bytes) }
    }

    /// Removes the vectors that were not used for `older`, or all of them, and returns their number. Removed data is
    /// overwritten. The files are removed if all vectors go and the database cannot do it. Fails if nothing can be
    /// removed.
    pub fn purge(&self, older: Option<Duration>) -> std::io::Result<u64> {
        let Some(inner) = self.inner.as_ref().filter(|inner| inner.folder.exists()) else { return Ok(0) };
        match (self.with("emptied", |base| base.purge(older)), older) {
            (Some(removed), _) => Ok(removed),
            (None, Some(_)) => Err(std::io::Error::other("the store of vectors cannot be written")),
            (None, None) => {
                let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
                *state = State::Unopened;
                database::erase(&inner.folder).map(|()| 0)
            }
        }
    }

    /// Uses the database; none if it cannot be used. A damaged file is removed, and the use is tried once more.
    fn with<T>(&self, done: &str, mut using: impl FnMut(&mut VectorDatabase) -> rusqlite::Result<T>) -> Option<T> {
        let inner = self.inner.as_ref()?;
        let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        for attempt in 0..2 {
            if matches!(*state, State::Unopened) {
                *state = inner.open();
            }
            let State::Open(base) = &mut *state else { return None };
            match using(base) {
                Ok(value) => return Some(value),
                Err(error) if attempt == 0 && database::is_damage(&error) => {
                    tracing::warn!("the store of vectors in {} is damaged; it begins again", inner.folder.display());
                    *state = State::Unopened;
                    database::erase(&inner.folder).ok()?;
                }
                Err(error) => {
                    tracing::debug!(%error, "the store of vectors cannot be {done}");
                    return None;
                }
            }
        }
        None
    }
}

impl Inner {
    fn open(&self) -> State {
        let opened =
            VectorDatabase::open(&self.folder, self.max_bytes).or_else(|error| match database::is_damage(&error) {
                true => {
                    tracing::warn!("the store of vectors in {} is damaged; it begins again", self.folder.display());
                    database::erase(&self.folder).ok();
                    VectorDatabase::open(&self.folder, self.max_bytes)
                }
                false => Err(error),
            });
        match opened {
            Ok(base) => State::Open(Box::new(base)),
            Err(error) => {
                tracing::debug!(%error, "vectors are not kept in {}", self.folder.display());
                State::Off
            }
        }
    }
}

/// The digest of a text.
fn key(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

fn keys(texts: &[&str]) -> Vec<[u8; 32]> {
    texts.iter().map(|text| key(text)).collect()
}

/// Stores are equal if they use the same folder.
impl PartialEq for VectorStore {
    fn eq(&self, other: &VectorStore) -> bool {
        let folder = |store: &VectorStore| store.inner.as_ref().map(|inner| inner.folder.clone());
        folder(self) == folder(other)
    }
}

impl fmt::Debug for VectorStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VectorStore").field(&self.inner.as_ref().map(|inner| &inner.folder)).finish()
    }
}
