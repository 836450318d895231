//! The inputs that a language model has read, and the cache of its last prompt.
//!
//! Two prompts may share a cache as far as they read the same. Pictures of one size have the same placeholder tokens, so
//! that token ids do not tell them apart: a picture is compared by the digest of its pixels.

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
        /// Which of its vectors, from 0.
        n: u32,
    },
}

impl PromptPosition {
    /// Tokens as they are read.
    pub fn tokens(ids: &[u32]) -> Vec<PromptPosition> {
        ids.iter().map(|id| PromptPosition::Token(*id)).collect()
    }
}

/// The token ids of positions that must not be pictures: the input of a network without vision.
pub fn tokens_only(read: &[PromptPosition]) -> Result<Vec<u32>> {
    let token = |read: &PromptPosition| match read {
        PromptPosition::Token(id) => Ok(*id),
        PromptPosition::Picture { .. } => candle_core::bail!("this network does not take pictures"),
    };
    read.iter().map(token).collect()
}

/// The keys and values of one prompt, which can be cut back to a prefix and copied.
pub trait Prefix: Sized {
    /// Forgets everything after the first `positions`.
    fn truncate(&mut self, positions: usize);
    /// A copy of the first `positions` with storage of its own.
    fn copy(&self, positions: usize) -> Result<Self>;
}

/// A shared beginning shorter than this is not worth copying.
const WORTH_IT: usize = 16;

/// The cache of the prompt answered last: the next often begins alike (the same log, another question).
#[derive(Debug)]
pub struct LastPrompt<C> {
    last: Option<(Vec<PromptPosition>, C)>,
}

impl<C: Prefix> LastPrompt<C> {
    /// Nothing is known yet.
    pub fn none() -> LastPrompt<C> {
        LastPrompt { last: None }
    }

    /// A cache with the part of `read` that the last prompt shares, and its length. Never all of it: the
    /// last position gives the logits. With `alone` the last prompt's own cache is given away.
    pub fn begin(&mut self, read: &[PromptPosition], alone: bool, empty: impl FnOnce() -> C) -> Result<(C, usize)> {
        let shared = |known: &[PromptPosition]| {
            let alike = known.iter().zip(read).take_while(|(a, b)| a == b).count();
            alike.min(read.len().saturating_sub(1))
        };
        match self.last.take() {
            Some((known, mut cache)) if shared(&known) >= WORTH_IT => {
                let length = shared(&known);
                if alone {
                    cache.truncate(length);
                    return Ok((cache, length));
                }
                let copy = cache.copy(length)?;
                self.last = Some((known, cache));
                Ok((copy, length))
            }
            last => {
                self.last = last;
                Ok((empty(), 0))
            }
        }
    }

    /// Remembers a cache and what it has read.
    pub fn keep(&mut self, read: Vec<PromptPosition>, mut cache: C) {
        cache.truncate(read.len());
        self.last = Some((read, cache));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers what it was fed.
    #[derive(Debug, Clone, PartialEq)]
    struct Fed(Vec<PromptPosition>);

    impl Prefix for Fed {
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

    /// The share of the second prompt that comes from the first one's cache.
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
    fn prompts_share_what_they_read_alike() {
        check(&prompt(1, 24), &prompt(1, 25), 22);
        check(&prompt(1, 24), &prompt(1, 24), 22);
        check(&prompt(1, 24), &prompt(1, 24)[..20], 19);
        // Fifteen positions are too few to be worth it.
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
    fn a_network_without_eyes_refuses_pictures() {
        assert_eq!(tokens_only(&PromptPosition::tokens(&[3, 4])).unwrap(), [3, 4]);
        assert!(tokens_only(&prompt(1, 24)).is_err());
    }
}
