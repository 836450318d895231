//! The positions that a language model reads, and the cache of its last prompt.
//!
//! Two prompts may share the cache of their common prefix. Pictures of one size have the same placeholder tokens, so
//! token ids cannot distinguish them: a picture is compared by the digest of its pixels.

use candle_core::Result;

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
    /// Removes everything after the first `positions`.
    fn truncate(&mut self, positions: usize);
    /// A copy of the first `positions` with storage of its own.
    fn copy(&self, positions: usize) -> Result<Self>;
}

/// The shortest prefix that is reused, in positions: a shorter one is not worth copying.
pub const MIN_SHARED: usize = 16;

/// The cache of the last prompt. The next prompt often begins with the same text (the same log, another question).
#[derive(Debug)]
pub struct LastPrompt<C> {
    last: Option<(Vec<PromptPosition>, C)>,
}

impl<C: Prefix> LastPrompt<C> {
    /// A store without a prompt.
    pub fn none() -> LastPrompt<C> {
        LastPrompt { last: None }
    }

    /// A cache with the prefix of `read` that the last prompt shares, and the length of the prefix. The last position
    /// of `read` is never shared, because the network must read it to give logits. With `alone` the last prompt's own
    /// cache is given away, else a copy.
    pub fn begin(&mut self, read: &[PromptPosition], alone: bool, empty: impl FnOnce() -> C) -> Result<(C, usize)> {
        let shared = |known: &[PromptPosition], cache: &C| {
            let alike = known.iter().zip(read).take_while(|(a, b)| a == b).count();
            cache.usable(alike.min(read.len().saturating_sub(1)), read.len())
        };
        let (mut cache, length) = match self.last.take() {
            Some((known, mut cache)) if shared(&known, &cache) >= MIN_SHARED => {
                let length = shared(&known, &cache);
                if alone {
                    cache.truncate(length);
                    (cache, length)
                } else {
                    let copy = cache.copy(length)?;
                    self.last = Some((known, cache));
                    (copy, length)
                }
            }
            last => {
                self.last = last;
                (empty(), 0)
            }
        };
        cache.announce(read.len());
        Ok((cache, length))
    }

    /// Remembers a cache and the positions that it holds.
    pub fn keep(&mut self, read: Vec<PromptPosition>, mut cache: C) {
        cache.truncate(read.len());
        self.last = Some((read, cache));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache that holds the positions it was given.
    #[derive(Debug, Clone, PartialEq)]
    struct Fed(Vec<PromptPosition>);

    impl Prefix for Fed {
        fn announce(&mut self, _: usize) {}
        fn usable(&self, positions: usize, _: usize) -> usize {
            positions
        }
        fn truncate(&mut self, positions: usize) {
            self.0.truncate(positions);
        }
        fn copy(&self, positions: usize) -> Result<Fed> {
            Ok(Fed(self.0[..positions].to_vec()))
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
            let mut last = LastPrompt::none();
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
    fn a_network_without_vision_refuses_pictures() {
        assert_eq!(tokens_only(&PromptPosition::tokens(&[3, 4])).unwrap(), [3, 4]);
        assert!(tokens_only(&prompt(1, 24)).is_err());
    }
}
