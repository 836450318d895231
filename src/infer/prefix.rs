//! The positions that a language model reads, and the caches of its last prompts.
//!
//! Two prompts may share the cache of their common prefix. Pictures of one size have the same placeholder tokens, so
//! token ids cannot distinguish them: a picture is compared by the digest of its pixels.

use candle_core::Result;
use std::collections::HashMap;

/// One position of a prompt, as the network reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromptPosition {
    /// A token of the vocabulary.
    Token(u32),
    /// One of the vectors that a picture becomes.
    Picture {
        /// blake3 of the picture's size and pixels.
        digest: [u8; 32],
        /// The index of the vector, from 0.
        n: u32,
    },
}

impl PromptPosition {
    /// The positions of token ids.
    pub fn tokens(ids: &[u32]) -> Vec<PromptPosition> {
        ids.iter().map(|id| PromptPosition::Token(*id)).collect()
    }
}

/// The token ids of `read`, for a network without vision. Fails if a position is a picture.
pub fn tokens_only(read: &[PromptPosition]) -> Result<Vec<u32>> {
    let token = |read: &PromptPosition| match read {
        PromptPosition::Token(id) => Ok(*id),
        PromptPosition::Picture { .. } => candle_core::bail!("this network cannot read pictures"),
    };
    read.iter().map(token).collect()
}

/// The keys and values of one prompt. They can be truncated to a prefix and copied.
pub trait Prefix: Sized {
    /// Prepares for a prompt of `prompt` positions, which are read next, in one or several calls. The keys of some
    /// networks depend on the length of the whole prompt.
    fn announce(&mut self, prompt: usize);
    /// How many of the first `positions` another prompt of `prompt` positions may reuse.
    fn usable(&self, positions: usize, prompt: usize) -> usize;
    /// True if the next `count` positions are the same in one call as in one call each.
    fn is_steady(&self, count: usize) -> bool;
    /// Removes everything after the first `positions`.
    fn truncate(&mut self, positions: usize);
    /// A copy of the first `positions`. The two change independently.
    fn copy(&self, positions: usize) -> Result<Self>;
    /// Gives the parts in memory to `part`: an address, which is the same for a part that copies share, and its bytes. None if
    /// copies share nothing.
    fn parts(&self, part: &mut dyn FnMut(usize, usize)) -> Option<()>;
}

/// The number of positions at the beginning that are equal.
pub fn alike(a: &[PromptPosition], b: &[PromptPosition]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The shortest prefix that is reused, in positions: a shorter one is not worth copying.
pub const MIN_SHARED: usize = 16;

/// The bytes of keys and values of former prompts that a model keeps: a fifth of its weights, and at least 64 MB. The last prompt
/// is kept, whatever its size.
pub fn kept_bytes(weights: u64) -> usize {
    usize::try_from(weights / 5).unwrap_or(usize::MAX).max(64 << 20)
}

/// The number of former prompts: each new prompt is compared with all of them.
pub const KEPT: usize = 16;

/// A former prompt of which a new one has all but fewer positions is not kept beside it.
const OWN: usize = 64;

/// The caches of the last prompts. The next prompt often begins as one of them does: the same log and another question, or the
/// same instructions and another log.
#[derive(Debug)]
pub struct Prefixes<C> {
    /// In the order of their last use.
    known: Vec<(Vec<PromptPosition>, C)>,
    most_bytes: usize,
}

impl<C: Prefix> Prefixes<C> {
    /// A store without a prompt, for up to `most_bytes`.
    pub fn new(most_bytes: usize) -> Prefixes<C> {
        Prefixes { known: Vec::new(), most_bytes }
    }

    /// The longest prefix of `read` that a known prompt shares: its index and the length.
    fn longest(&self, read: &[PromptPosition]) -> Option<(usize, usize)> {
        let most = read.len().saturating_sub(1);
        let usable = |(known, cache): &(Vec<_>, C)| cache.usable(alike(known, read).min(most), read.len());
        let lengths = self.known.iter().map(usable).enumerate();
        lengths.filter(|(_, length)| *length >= MIN_SHARED).max_by_key(|(_, length)| *length)
    }

    /// The length of the prefix of `read` that [`begin`](Self::begin) would give.
    pub fn shared(&self, read: &[PromptPosition]) -> usize {
        self.longest(read).map_or(0, |(_, length)| length)
    }

    /// A cache with the longest prefix of `read` that a known prompt shares, and the length of the prefix. The last position
    /// of `read` is never shared, because the network must read it to give logits. With `alone`, a cache whose copies share
    /// nothing is given away.
    pub fn begin(&mut self, read: &[PromptPosition], alone: bool, empty: impl FnOnce() -> C) -> Result<(C, usize)> {
        let (mut cache, length) = match self.longest(read) {
            Some((n, length)) => {
                let (known, mut cache) = self.known.remove(n);
                if alone && cache.parts(&mut |_, _| ()).is_none() {
                    cache.truncate(length);
                    (cache, length)
                } else {
                    let copy = cache.copy(length)?;
                    self.known.push((known, cache));
                    (copy, length)
                }
            }
            None => (empty(), 0),
        };
        cache.announce(read.len());
        Ok((cache, length))
    }

    /// Remembers a cache and the positions that it holds. The prompts that were used longest ago make room for it.
    pub fn keep(&mut self, read: Vec<PromptPosition>, mut cache: C) {
        cache.truncate(read.len());
        let covers = |long: &[PromptPosition], short: &[PromptPosition]| {
            let shared = alike(long, short);
            shared == short.len() || (shared >= MIN_SHARED && short.len() - shared < OWN)
        };
        if self.known.iter().any(|(known, _)| known.starts_with(&read)) {
            return;
        }
        self.known.retain(|(known, _)| !covers(&read, known));
        if cache.parts(&mut |_, _| ()).is_none() {
            self.known.clear();
        }
        self.known.push((read, cache));
        while self.known.len() > 1 && (self.known.len() > KEPT || self.bytes() > self.most_bytes) {
            self.known.remove(0);
        }
    }

    /// The bytes of all caches; a shared part counts once.
    pub fn bytes(&self) -> usize {
        let mut parts = HashMap::new();
        for (_, cache) in &self.known {
            cache.parts(&mut |address, bytes| {
                parts.insert(address, bytes);
            });
        }
        parts.into_values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache that holds the positions it was given, ten of them in each part.
    #[derive(Debug, Clone, PartialEq)]
    struct Fed(Vec<PromptPosition>);

    /// The bytes of a part.
    const PART: usize = 100;

    impl Prefix for Fed {
        fn announce(&mut self, _: usize) {}
        fn usable(&self, positions: usize, _: usize) -> usize {
            positions
        }
        fn is_steady(&self, _: usize) -> bool {
            true
        }
        fn truncate(&mut self, positions: usize) {
            self.0.truncate(positions);
        }
        fn copy(&self, positions: usize) -> Result<Fed> {
            Ok(Fed(self.0[..positions].to_vec()))
        }
        fn parts(&self, part: &mut dyn FnMut(usize, usize)) -> Option<()> {
            for n in 0..self.0.len().div_ceil(10) {
                let text = format!("{:?}", &self.0[..self.0.len().min(10 * n + 10)]);
                part(text.bytes().fold(7, |sum, b| usize::from(b).wrapping_add(31_usize.wrapping_mul(sum))), PART);
            }
            Some(())
        }
    }

    /// Ten tokens, a picture of eight vectors, five tokens.
    fn prompt(picture: u8, last: u32) -> Vec<PromptPosition> {
        let vector = |n| PromptPosition::Picture { digest: [picture; 32], n };
        let mut read = PromptPosition::tokens(&(0..10).collect::<Vec<u32>>());
        read.extend((0..8).map(vector));
        read.extend(PromptPosition::tokens(&[20, 21, 22, 23, last]));
        read
    }

    /// Checks how many positions of the second prompt come from the first one's cache.
    fn check(first: &[PromptPosition], second: &[PromptPosition], expected: usize) {
        for alone in [true, false] {
            let mut last = Prefixes::new(1 << 20);
            assert_eq!(last.begin(first, alone, || Fed(vec![])).unwrap(), (Fed(vec![]), 0));
            last.keep(first.to_vec(), Fed(first.to_vec()));
            let (cache, length) = last.begin(second, alone, || Fed(vec![])).unwrap();
            assert_eq!((length, cache.0.as_slice()), (expected, &second[..expected]), "alone: {alone}");
        }
    }

    #[test]
    fn prompts_share_their_common_prefix() {
        check(&prompt(1, 24), &prompt(1, 25), 22);
        check(&prompt(1, 24), &prompt(1, 24), 22);
        check(&prompt(1, 24), &prompt(1, 24)[..20], 19);
        // Fifteen positions are below the minimum.
        check(&prompt(1, 24), &prompt(1, 24)[..16], 0);
    }

    #[test]
    fn another_picture_with_the_same_tokens_shares_nothing_from_there_on() {
        check(&prompt(1, 24), &prompt(2, 24), 0);
        // The first picture is the same, the second is not.
        let two = |second: u8| [prompt(1, 24), prompt(second, 24)].concat();
        check(&two(2), &two(3), 33);
    }

    #[test]
    fn several_prompts_are_kept_within_their_bytes() {
        let tokens = |from: u32, count: u32| PromptPosition::tokens(&(from..from + count).collect::<Vec<_>>());
        let mut known = Prefixes::new(30 * PART);
        let keep = |known: &mut Prefixes<Fed>, read: Vec<PromptPosition>| known.keep(read.clone(), Fed(read));
        // a log with two long questions, and another log
        let (log, other) = (tokens(0, 100), tokens(1000, 100));
        let question = |from| [log.clone(), tokens(from, 80)].concat();
        [question(200), question(300), other.clone()].into_iter().for_each(|read| keep(&mut known, read));
        // the parts of the log count once: 10, two times 8, and 10; the oldest makes room for what exceeds 30
        assert_eq!((known.bytes(), known.known.len()), (28 * PART, 2));
        assert_eq!((known.shared(&question(300)), known.shared(&question(200)), known.shared(&other)), (179, 100, 99));
        assert_eq!(known.shared(&tokens(5, 100)), 0);
        // a prompt that holds another one takes its place; a shorter one is known already
        keep(&mut known, [other.clone(), tokens(500, 5)].concat());
        keep(&mut known, other[..50].to_vec());
        assert_eq!((known.bytes(), known.known.len()), (29 * PART, 2));
        // a prompt that is used stays
        known.begin(&question(300), true, || Fed(vec![])).unwrap();
        keep(&mut known, tokens(2000, 100));
        assert_eq!((known.shared(&question(300)), known.shared(&other)), (179, 0));
        // the last one is kept whatever its size
        keep(&mut known, tokens(3000, 1000));
        assert_eq!((known.bytes(), known.known.len()), (100 * PART, 1));
    }

    #[test]
    fn a_network_without_vision_refuses_pictures() {
        assert_eq!(tokens_only(&PromptPosition::tokens(&[3, 4])).unwrap(), [3, 4]);
        assert!(tokens_only(&prompt(1, 24)).is_err());
    }
}
