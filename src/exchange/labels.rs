//! Lists of labels that thousands of requests share.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// The maximum number of wordings that a list remembers.
const MAX_WORDINGS: usize = 8;

/// The labels of a request, in order. A clone shares them, because a step asks about each moment of a video with the
/// same list. Its JSON and its wordings are made once. Serialised as a list of texts.
#[derive(Clone, Default)]
pub struct LabelList(Arc<Inner>);

#[derive(Default)]
struct Inner {
    labels: Vec<String>,
    json: OnceLock<Vec<u8>>,
    /// The latest wordings, oldest first.
    worded: Mutex<Vec<(String, LabelList)>>,
}

impl LabelList {
    /// The list as JSON.
    pub fn json(&self) -> &[u8] {
        let write = || serde_json::to_vec(&self.0.labels).expect("texts serialise: this is a bug");
        self.0.json.get_or_init(write)
    }

    /// Each label inserted into `wording` in place of `{}`, in the same order.
    pub fn worded(&self, wording: &str) -> LabelList {
        if wording == "{}" {
            return self.clone();
        }
        let mut worded = self.0.worded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, list)) = worded.iter().find(|(known, _)| known == wording) {
            return list.clone();
        }
        let list: LabelList = self.iter().map(|label| wording.replace("{}", label)).collect();
        if worded.len() == MAX_WORDINGS {
            worded.remove(0);
        }
        worded.push((wording.to_owned(), list.clone()));
        list
    }
}

impl Deref for LabelList {
    type Target = [String];
    fn deref(&self) -> &[String] {
        &self.0.labels
    }
}

impl PartialEq for LabelList {
    fn eq(&self, other: &LabelList) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.labels == other.0.labels
    }
}

impl fmt::Debug for LabelList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.labels.fmt(f)
    }
}

impl From<Vec<String>> for LabelList {
    fn from(labels: Vec<String>) -> LabelList {
        LabelList(Arc::new(Inner { labels, ..Inner::default() }))
    }
}

impl FromIterator<String> for LabelList {
    fn from_iter<T: IntoIterator<Item = String>>(labels: T) -> LabelList {
        labels.into_iter().collect::<Vec<_>>().into()
    }
}

impl Serialize for LabelList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.labels.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LabelList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LabelList, D::Error> {
        Vec::deserialize(deserializer).map(LabelList::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(labels: &[&str]) -> LabelList {
        labels.iter().map(|label| (*label).to_owned()).collect()
    }

    #[test]
    fn a_list_is_serialised_as_its_texts() {
        let (labels, json) = (list(&["a \"b\"", "é"]), r#"["a \"b\"","é"]"#);
        assert_eq!(serde_json::to_string(&labels).expect("serialises"), json);
        assert_eq!(labels.json(), json.as_bytes());
        assert_eq!(serde_json::from_str::<LabelList>(json).expect("and comes back"), labels);
        assert_eq!(LabelList::default().json(), b"[]");
    }

    #[test]
    fn a_wording_is_made_once() {
        let labels = list(&["cup", "pan"]);
        let first = labels.worded("a {}, or {}");
        assert_eq!(*first, ["a cup, or cup", "a pan, or pan"]);
        assert!(Arc::ptr_eq(&first.0, &labels.clone().worded("a {}, or {}").0));
        assert!(Arc::ptr_eq(&labels.0, &labels.worded("{}").0));
        for n in 0..2 * MAX_WORDINGS {
            assert_eq!(*labels.worded(&format!("{n} {{}}")), [format!("{n} cup"), format!("{n} pan")]);
        }
        let again = labels.worded("a {}, or {}");
        assert!(again == first && !Arc::ptr_eq(&again.0, &first.0), "the oldest wordings are dropped");
    }
}
