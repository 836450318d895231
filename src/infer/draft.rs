//! Drafts: the tokens that may follow in a reply, looked up in its own prompt ("prompt lookup decoding"). Replies that copy lines of
//! a log are mostly such tokens. The network reads a draft in one call with the last token; the tokens that it would have chosen
//! itself are kept, so a draft changes the speed of a reply and nothing else.

/// The most tokens that are compared to find where the end of a reply occurred before, and the fewest that must be equal.
const COMPARED: usize = 8;
const EQUAL: usize = 2;
/// The length of the first draft.
const FIRST: usize = 4;
/// The length of the longest draft.
const LONGEST: usize = 64;
/// The longest pause after wrong drafts, in tokens.
const LONGEST_PAUSE: usize = 64;

/// The drafts of one reply. They become longer where they are right, and rare where they are wrong.
#[derive(Debug)]
pub(super) struct Drafts {
    /// The length of the next draft.
    length: usize,
    /// The number of wrong drafts in a row.
    wrong: u32,
    /// The tokens until the next draft.
    pause: usize,
}

impl Default for Drafts {
    fn default() -> Drafts {
        Drafts { length: FIRST, wrong: 0, pause: 0 }
    }
}

impl Drafts {
    /// The draft of up to `most` tokens after `tokens`: those that followed the longest equal end, the last one of several.
    pub(super) fn next(&self, tokens: &[u32], most: usize) -> Vec<u32> {
        let most = most.min(self.length);
        if self.pause > 0 || most == 0 {
            return Vec::new();
        }
        let (mut best, mut after) = (EQUAL - 1, 0);
        for end in (1..tokens.len()).rev() {
            let pairs = tokens[..end].iter().rev().zip(tokens.iter().rev());
            let equal = pairs.take(COMPARED).take_while(|(a, b)| a == b).count();
            if equal > best {
                (best, after) = (equal, end);
            }
            if equal == COMPARED {
                break;
            }
        }
        if best < EQUAL { Vec::new() } else { tokens[after..].iter().take(most).copied().collect() }
    }

    /// Notes that the reply grew by `grown` tokens, and that the first `right` of `drafted` tokens were right.
    pub(super) fn note(&mut self, drafted: usize, right: usize, grown: usize) {
        self.pause = self.pause.saturating_sub(grown);
        if drafted == 0 {
            return;
        }
        if right == 0 {
            self.wrong += 1;
            self.pause = (1 << self.wrong.min(16)).min(LONGEST_PAUSE);
            self.length = FIRST;
            return;
        }
        self.wrong = 0;
        self.length = if right == drafted { (2 * self.length).min(LONGEST) } else { right.max(EQUAL) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tokens: &[u32], most: usize, expected: &[u32]) {
        assert_eq!(Drafts::default().next(tokens, most), expected, "{tokens:?}");
    }

    #[test]
    fn a_draft_follows_the_longest_equal_end() {
        check(&[1, 2, 3, 4, 5, 6, 7, 1, 2], 9, &[3, 4, 5, 6]);
        check(&[1, 2, 3, 4, 5, 6, 7, 1, 2], 2, &[3, 4]);
        // the longer one, and of equal ones the last
        check(&[9, 1, 2, 3, 8, 1, 2, 4, 9, 1, 2], 1, &[3]);
        check(&[8, 1, 2, 3, 8, 1, 2, 4, 9, 1, 2], 1, &[4]);
        // a repetition goes on
        check(&[5, 5, 5], 3, &[5]);
        check(&[1, 2, 3, 2], 3, &[]);
        check(&[1], 3, &[]);
        check(&[], 3, &[]);
    }

    #[test]
    fn drafts_adapt() {
        let mut drafts = Drafts::default();
        let tokens: Vec<u32> = (0..40).chain(0..8).collect();
        drafts.note(4, 4, 5);
        assert_eq!(drafts.next(&tokens, 99).len(), 8);
        drafts.note(8, 3, 4);
        assert_eq!(drafts.next(&tokens, 99).len(), 3);
        drafts.note(3, 0, 1);
        assert!(drafts.next(&tokens, 99).is_empty());
        (0..2).for_each(|_| drafts.note(0, 0, 1));
        assert_eq!(drafts.next(&tokens, 99).len(), 4);
        (0..9).for_each(|_| drafts.note(4, 0, 1));
        (0..63).for_each(|_| drafts.note(0, 0, 1));
        assert!(drafts.next(&tokens, 99).is_empty());
        drafts.note(0, 0, 1);
        assert_eq!(drafts.next(&tokens, 99).len(), 4);
    }
}
