//! Restricted replies: the tokens that a schema or a regular expression allows next, with room kept to close the value.
//!
//! Before the first token, a short completion is known; a request whose completion does not fit is refused. After each
//! chosen token, a completion must still fit into the tokens that are left. If it does not, the known completion is
//! written instead, token by token. A reply therefore always fits its restriction.

use super::text::TextTokenizer;
use crate::{
    error::Fault,
    grammar::{Closer, Restriction, parsers},
};
use llguidance::{
    Matcher, ParserFactory,
    toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie, TokenId},
};
use std::{collections::VecDeque, sync::Arc};

/// The tokens of a model with their bytes; shared by all restricted replies.
pub(super) struct Alphabet {
    tokens: TokEnv,
    factory: ParserFactory,
    /// The tokens with an exponent after a digit. Numbers with exponents may exceed the range of numbers.
    exponents: Vec<u32>,
    /// The tokens that begin with the letter of an exponent.
    letters: Vec<u32>,
    /// The tokens that may lengthen a number.
    numerals: Vec<u32>,
    /// The tokens with at least 1, 2 and 3 quotes.
    quotes: [Vec<u32>; 3],
}

impl Alphabet {
    /// The tokens of a tokenizer.
    pub(super) fn new(text: &TextTokenizer) -> Result<Alphabet, Fault> {
        let refused =
            |why: String| Fault::failed(format!("`schema` and `regex` cannot be used with this model: {why}"));
        let mut bytes = text.token_bytes().map_err(refused)?;
        // The end of a reply is a token beyond the vocabulary: the model has several, and `mask` knows them.
        bytes.push(Vec::new());
        let info = TokRxInfo::new(bytes.len() as u32, bytes.len() as u32 - 1);
        let tokens: TokEnv = Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &bytes)));
        let factory = parsers(&tokens).map_err(refused)?;
        let tokens_with =
            |has: fn(&[u8]) -> bool| bytes.iter().zip(0..).filter(|(token, _)| has(token)).map(|(_, id)| id).collect();
        let exponents = tokens_with(|token| {
            token.windows(2).any(|pair| pair[0].is_ascii_digit() && pair[1].eq_ignore_ascii_case(&b'e'))
        });
        let letters = tokens_with(|token| token.first().is_some_and(|first| first.eq_ignore_ascii_case(&b'e')));
        let numerals = tokens_with(|token| token.first().is_some_and(|b| b.is_ascii_digit() || *b == b'.'));
        let quotes = [1, 2, 3].map(|least| {
            let count = |token: &[u8]| token.iter().filter(|byte| **byte == b'"').count();
            bytes.iter().zip(0..).filter(|(token, _)| count(token) >= least).map(|(_, id)| id).collect()
        });
        Ok(Alphabet { tokens, factory, exponents, letters, numerals, quotes })
    }

    /// The tokens that may repeat a name of an object, or make a number too long.
    fn doubtful(&self, closer: &Closer) -> impl Iterator<Item = &u32> {
        let quotes = closer.quotes_until_name().and_then(|count| self.quotes.get(count - 1));
        let numerals = closer.is_in_number().then_some(&self.numerals);
        quotes.into_iter().chain(numerals).flatten()
    }

    fn trie(&self) -> &TokTrie {
        self.tokens.tok_trie()
    }

    /// The bytes as few tokens; `None` if the vocabulary lacks one.
    fn spell(&self, bytes: &[u8]) -> Option<VecDeque<u32>> {
        let tokens = self.trie().greedy_tokenize(bytes);
        (self.trie().decode_raw(&tokens) == bytes).then(|| tokens.into())
    }
}

/// One reply under a restriction.
pub(super) struct Restricted {
    matcher: Matcher,
    closer: Closer,
    /// The bytes of a known completion.
    rest: Vec<u8>,
    /// Its tokens.
    closing: VecDeque<u32>,
    /// The completion is being written.
    is_closing: bool,
    /// The reply so far.
    said: Vec<u8>,
}

impl Restricted {
    /// A reply of at most `most` tokens that has not begun. Fails if no reply fits into them, or if the restriction
    /// cannot be used.
    pub(super) fn new(alphabet: &Alphabet, restriction: Restriction<'_>, most: usize) -> Result<Restricted, Fault> {
        let noun = restriction.noun();
        restriction.check().map_err(|unfit| Fault::failed(format!("`{noun}`: {}", unfit.message)))?;
        let odd = |why: String| Fault::failed(format!("the {noun} cannot be used: {why}"));
        let matcher = Matcher::new(Ok(restriction.parser(&alphabet.factory).map_err(odd)?));
        let closer = Closer::new(restriction).map_err(odd)?;
        let spelt = |rest: Vec<u8>| alphabet.spell(&rest).map(|closing| (rest, closing));
        let found = closer.completion().and_then(spelt);
        // another search may find a shorter one
        let found = match found {
            Some((rest, closing)) if closing.len() > most => {
                closer.shorter(rest.len()).and_then(spelt).or(Some((rest, closing)))
            }
            found => found,
        };
        let (rest, closing) = found.ok_or_else(|| {
            Fault::failed(format!("the model's vocabulary cannot write a short reply that fits the {noun}"))
        })?;
        if closing.len() > most {
            let least = closing.len();
            return Err(Fault::failed(format!(
                "the shortest reply that fits the {noun} has {least} tokens, but `max_tokens` and the context leave {most}"
            )));
        }
        Ok(Restricted { matcher, closer, rest, closing, is_closing: false, said: Vec::new() })
    }

    /// Forbids all tokens that cannot follow. `ends` can follow if the reply is complete. Gives false if no token
    /// remains that the logits allow.
    pub(super) fn mask(&mut self, alphabet: &Alphabet, logits: &mut [f32], ends: &[u32]) -> bool {
        let mut allowed = if self.is_closing { None } else { self.matcher.compute_mask_or_eos().ok() };
        if let Some(allowed) = &mut allowed {
            let exponents = if self.closer.is_outside() { alphabet.exponents.as_slice() } else { &[] };
            let letters = if self.closer.is_in_number() { alphabet.letters.as_slice() } else { &[] };
            exponents.iter().chain(letters).for_each(|id| allowed.disallow_token(*id));
            for id in alphabet.doubtful(&self.closer) {
                if allowed.is_allowed(*id) && !self.closer.tracks(alphabet.trie().token(*id)) {
                    allowed.disallow_token(*id);
                }
            }
        }
        let complete = self.closer.is_complete();
        let mut any = false;
        for (id, logit) in logits.iter_mut().enumerate() {
            let id = id as TokenId;
            let is_open = match (&allowed, ends.contains(&id)) {
                (_, true) => complete,
                (Some(allowed), false) => (id as usize) < allowed.len() && allowed.is_allowed(id),
                (None, false) => false,
            };
            if !is_open {
                *logit = f32::NEG_INFINITY;
            }
            any |= *logit > f32::NEG_INFINITY;
        }
        any
    }

    /// The next token of the completion, if it is being written.
    pub(super) fn forced(&self) -> Option<u32> {
        if self.is_closing { self.closing.front().copied() } else { None }
    }

    /// Begins to write the completion.
    pub(super) fn close(&mut self) {
        self.is_closing = true;
    }

    /// Appends the chosen token, or the next token of the known completion if the chosen one leaves no room to complete
    /// the reply within `left` further tokens. Gives the token that was appended; `None` if the reply ends instead.
    pub(super) fn take(&mut self, alphabet: &Alphabet, chosen: u32, left: usize) -> Option<u32> {
        if !self.is_closing {
            match self.after(alphabet, chosen, left) {
                Some((closer, rest, closing)) => {
                    self.said.extend_from_slice(alphabet.trie().token(chosen));
                    (self.closer, self.rest, self.closing) = (closer, rest, closing);
                    return Some(chosen);
                }
                None => self.is_closing = true,
            }
        }
        let next = self.closing.pop_front()?;
        let bytes = alphabet.trie().token(next);
        self.closer.push(bytes);
        self.said.extend_from_slice(bytes);
        Some(next)
    }

    /// The state after `chosen`, with a completion of at most `left` tokens; `None` if there is none.
    fn after(&mut self, alphabet: &Alphabet, chosen: u32, left: usize) -> Option<(Closer, Vec<u8>, VecDeque<u32>)> {
        let bytes = alphabet.trie().token(chosen);
        let mut closer = self.closer.clone();
        if bytes.is_empty() || !closer.push(bytes) {
            return None;
        }
        let fits = |rest: Vec<u8>| {
            let closing = alphabet.spell(&rest).filter(|closing| closing.len() <= left)?;
            Some((rest, closing))
        };
        // usually the known completion still works, or its remainder does
        let known = self.rest.strip_prefix(bytes).unwrap_or(&self.rest);
        let known = closer.completes_with(known).then(|| known.to_vec()).and_then(fits);
        let (rest, closing) = known.or_else(|| closer.completion().and_then(fits))?;
        // a chosen token comes from the mask of this matcher
        self.matcher.consume_token(chosen).ok()?;
        Some((closer, rest, closing))
    }

    /// True if nothing can follow.
    pub(super) fn is_finished(&self) -> bool {
        if self.is_closing { self.closing.is_empty() } else { self.matcher.is_stopped() }
    }

    /// The reply so far. An incomplete character is U+FFFD.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.said).into_owned()
    }
}
