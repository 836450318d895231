//! The vectors of texts by one model: in memory, and those of labels in a [`VectorStore`] too.
//!
//! A run asks for the same labels at each moment, and a later run asks for them again. Both find the vectors here, so
//! that the model's text encoder need not be loaded. The subject of a request (a text to embed, a text to rank) is kept
//! in memory only: the memo keeps such requests, and the store is not a list of what a video said.

use crate::{
    error::Fault,
    store::vectors::{ModelDigest, VectorStore},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The maximum vectors in memory. 4096 vectors of 512 numbers are 8 MB. A cache that would exceed it is emptied first.
pub const MAX_CACHED: usize = 4096;

/// Where a model keeps the vectors of its labels. The default keeps nothing.
#[derive(Debug, Clone, Default)]
pub struct LabelStore {
    /// The store; a store that is off keeps nothing.
    pub store: VectorStore,
    /// Everything that decides the vector of a text.
    pub model: Option<ModelDigest>,
}

/// The known vectors of texts.
#[derive(Debug)]
pub struct LabelVectors {
    known: HashMap<String, Arc<Vec<f32>>>,
    kept: LabelStore,
    /// The length of each vector.
    width: usize,
}

/// The use of a text: only labels are kept in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextUse {
    /// A label that a later run may ask for again.
    Label,
    /// The content of one request.
    Subject,
}

impl LabelVectors {
    /// No vectors yet; those of the store have `width` numbers.
    pub fn new(kept: LabelStore, width: usize) -> LabelVectors {
        LabelVectors { known: HashMap::new(), kept, width }
    }

    /// The vectors of `texts`, in their order. `compute` gets the unknown ones, each once, and is not called if there
    /// are none. Fails if `compute` does.
    pub fn of(
        &mut self,
        texts: &[&str],
        used: TextUse,
        compute: impl FnOnce(&[&str]) -> Result<Vec<Vec<f32>>, Fault>,
    ) -> Result<Vec<Arc<Vec<f32>>>, Fault> {
        let mut unknown = Vec::new();
        let mut seen = HashSet::new();
        unknown.extend(texts.iter().copied().filter(|text| !self.known.contains_key(*text) && seen.insert(*text)));
        if self.known.len() + unknown.len() > MAX_CACHED {
            let asked: Vec<_> = texts.iter().filter_map(|text| self.known.remove_entry(*text)).collect();
            self.known = asked.into_iter().collect();
        }
        let found = if used == TextUse::Label { self.stored(&unknown) } else { vec![None; unknown.len()] };
        let (mut missing, mut vectors) = (Vec::new(), Vec::new());
        for (text, vector) in unknown.into_iter().zip(found) {
            match vector {
                Some(vector) => vectors.push((text, vector)),
                None => missing.push(text),
            }
        }
        if !missing.is_empty() {
            let new = compute(&missing)?;
            if used == TextUse::Label {
                self.store(&missing, &new);
            }
            vectors.extend(missing.into_iter().zip(new));
        }
        self.known.extend(vectors.into_iter().map(|(text, vector)| (text.to_owned(), Arc::new(vector))));
        Ok(texts.iter().map(|text| self.known[*text].clone()).collect())
    }

    fn stored(&self, texts: &[&str]) -> Vec<Option<Vec<f32>>> {
        let Some(model) = self.kept.model.filter(|_| !texts.is_empty()) else { return vec![None; texts.len()] };
        let found = self.kept.store.get_many(model, texts);
        found.into_iter().map(|vector| vector.filter(|vector| vector.len() == self.width)).collect()
    }

    fn store(&self, texts: &[&str], vectors: &[Vec<f32>]) {
        let Some(model) = self.kept.model else { return };
        let rows: Vec<(&str, &[f32])> = texts.iter().copied().zip(vectors.iter().map(Vec::as_slice)).collect();
        self.kept.store.put_many(model, &rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for `texts` and checks which of them are computed.
    fn check(vectors: &mut LabelVectors, texts: &[&str], used: TextUse, computed: &[&str]) {
        let mut asked = Vec::new();
        let found = vectors.of(texts, used, |missing| {
            asked = missing.iter().map(|text| (*text).to_owned()).collect();
            Ok(missing.iter().map(|text| vec![text.len() as f32, 1.0]).collect())
        });
        let found = found.expect("computed");
        assert_eq!(asked, computed);
        assert!(found.iter().zip(texts).all(|(vector, text)| **vector == [text.len() as f32, 1.0]), "{found:?}");
    }

    #[test]
    fn a_label_is_computed_once_and_a_subject_is_not_stored() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = || LabelStore { store: VectorStore::at(folder.path()), model: Some(ModelDigest::of("m")) };
        let mut first = LabelVectors::new(kept(), 2);
        check(&mut first, &["a", "bb", "a"], TextUse::Label, &["a", "bb"]);
        check(&mut first, &["bb", "ccc"], TextUse::Label, &["ccc"]);
        check(&mut first, &["said"], TextUse::Subject, &["said"]);
        let mut second = LabelVectors::new(kept(), 2);
        check(&mut second, &["said", "ccc", "a"], TextUse::Label, &["said"]);
        check(&mut LabelVectors::new(kept(), 3), &["a"], TextUse::Label, &["a"]);
        check(&mut LabelVectors::new(LabelStore::default(), 2), &["a"], TextUse::Label, &["a"]);
    }

    #[test]
    fn a_full_cache_keeps_what_is_asked() {
        let mut vectors = LabelVectors::new(LabelStore::default(), 2);
        let names: Vec<String> = (0..MAX_CACHED).map(|n| "x".repeat(n % 9) + &n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        check(&mut vectors, &names, TextUse::Label, &names);
        check(&mut vectors, &[names[7], "new"], TextUse::Label, &["new"]);
        check(&mut vectors, &[names[8]], TextUse::Label, &[names[8]]);
    }
}
