//! A cache of the most recently used pictures.

use image::RgbImage;
use indexmap::IndexMap;
use std::sync::Arc;

/// The time of a still image in a key; a frame has its presentation time.
pub(crate) const STILL: i64 = i64::MIN;

/// Pictures by digest of their medium and time, up to a number of bytes and of pictures.
#[derive(Debug)]
pub(crate) struct PictureCache {
    max_bytes: usize,
    max: usize,
    bytes: usize,
    /// The pictures, least recently used first.
    images: IndexMap<(String, i64), Arc<RgbImage>>,
}

impl PictureCache {
    /// An empty cache with these limits.
    pub(super) fn new(max_bytes: usize, max: usize) -> PictureCache {
        PictureCache { max_bytes, max, bytes: 0, images: IndexMap::new() }
    }

    /// The picture under `key`. A look-up counts as a use.
    pub(super) fn get(&mut self, key: &(String, i64)) -> Option<Arc<RgbImage>> {
        let at = self.images.get_index_of(key)?;
        self.images.move_index(at, self.images.len() - 1);
        self.images.get(key).cloned()
    }

    /// Adds `image` and removes the least recently used pictures beyond the limits.
    pub(super) fn put(&mut self, key: (String, i64), image: Arc<RgbImage>) {
        self.bytes += image.as_raw().len();
        if let Some(old) = self.images.shift_remove(&key) {
            self.bytes -= old.as_raw().len();
        }
        self.images.insert(key, image);
        while self.bytes > self.max_bytes || self.images.len() > self.max {
            let Some((_, old)) = self.images.shift_remove_index(0) else { break };
            self.bytes -= old.as_raw().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_picture_is_removed_first() {
        let mut cache = PictureCache::new(25, 100);
        let key = |n: i64| ("a".to_owned(), n);
        let ten = || Arc::new(RgbImage::from_raw(1, 1, vec![7; 3]).unwrap());
        (0..8).for_each(|n| cache.put(key(n), ten()));
        assert!(cache.get(&key(0)).is_some());
        cache.put(key(8), ten());
        assert!(cache.get(&key(0)).is_some() && cache.get(&key(1)).is_none());
        cache.put(key(8), ten());
        assert_eq!(cache.bytes, 24);

        let mut cache = PictureCache::new(25, 3);
        (0..5).for_each(|n| cache.put(key(n), ten()));
        assert_eq!((cache.bytes, cache.get(&key(1)).is_some(), cache.get(&key(2)).is_some()), (9, false, true));
    }
}
