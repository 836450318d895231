//! What is left of a question: the words to search for, and the words that found no place.

use super::asks;
use super::lexicon::{self, Word};
use super::parse::Reader;
use super::tokens::{Gap, Token};
use super::{Asks, order};
use std::ops::Range;

impl Reader<'_> {
    /// The free words, each run without function words at its edges.
    pub(super) fn topic(&self) -> String {
        let breaks = |place: usize| {
            asks::is_auxiliary(self.words.at(place)) && !self.is_kept(place)
                || matches!(self.words.at(place), "be" | "been")
        };
        let places: Vec<usize> = self.free_places().into_iter().filter(|place| !breaks(*place)).collect();
        let joins = |a: &usize, b: &usize| a + 1 == *b && self.words.tokens[*b].gap == Gap::Space;
        let kept = |at: &&usize| self.is_kept(**at);
        let runs = places.chunk_by(joins).filter_map(|run| Some(*run.iter().find(kept)?..run.iter().rfind(kept)? + 1));
        runs.map(|run| self.slice(run)).collect::<Vec<_>>().join(" ")
    }

    /// True for a word that may begin or end a topic.
    fn is_kept(&self, place: usize) -> bool {
        let word = self.words.at(place);
        let next = self.words.ahead(place, 1);
        let before_content = !next.is_empty() && lexicon::is_content(next);
        match lexicon::group(word) {
            // a time that could not be read
            None => !is_odd_time(word),
            // "two apples", "night market"
            Some(Word::Time) => before_content && is_noun(word),
            Some(Word::Weak) => before_content && order::is_number(self.words, place),
            // "did I help", "to wait"
            Some(Word::Interjection) => {
                let previous =
                    if place > 0 && self.words.tokens[place].gap == Gap::Space { self.words.at(place - 1) } else { "" };
                !matches!(word, "know" | "remember" | "recall" | "wonder" | "think" | "please")
                    && (asks::is_subject(previous) || matches!(previous, "to" | "a"))
            }
            Some(Word::Function) => {
                let listed =
                    matches!(self.query.asks, Asks::List | Asks::HowManyOf) && matches!(word, "place" | "places");
                let previous = place.checked_sub(1).filter(|_| self.words.tokens[place].gap == Gap::Space);
                let behind_content = previous.is_some_and(|previous| lexicon::is_content(self.words.at(previous)));
                let noun = previous.is_some_and(|previous| matches!(self.words.at(previous), "the" | "a" | "my"));
                // "tidying up", "a can", "the beer can"
                let particle = matches!(word, "up" | "off" | "out") && behind_content;
                listed || particle || word == "can" && (noun || behind_content) && !asks::is_subject(next)
            }
        }
    }

    /// Tokens as written, with single spaces.
    pub(super) fn slice(&self, range: Range<usize>) -> String {
        let tokens: &[Token] = self.words.tokens.get(range).unwrap_or_default();
        match (tokens.first(), tokens.last()) {
            (Some(first), Some(last)) => {
                self.text[first.start..last.end].split_whitespace().collect::<Vec<_>>().join(" ")
            }
            _ => String::new(),
        }
    }

    /// Words of time, order and quantity without a place, as written.
    pub(super) fn unknown(&self) -> Vec<String> {
        let mut found: Vec<String> = self.unplaced.iter().map(|range| self.slice(range.clone())).collect();
        for place in self.free_places() {
            let next = self.words.ahead(place, 1);
            let compound = !next.is_empty() && lexicon::is_content(next);
            let word = self.words.at(place);
            if lexicon::group(word) == Some(Word::Time) && !(compound && is_noun(word)) || is_odd_time(word) {
                found.push(self.slice(place..place + 1));
            }
        }
        found
    }

    pub(super) fn is_english(&self) -> bool {
        let tokens = self.words.tokens;
        let known = tokens.iter().any(|token| lexicon::is_plainly_english(&token.low));
        let functions = tokens.iter().filter(|token| lexicon::is_function(&token.low)).count();
        let all = tokens.iter().filter(|token| token.low.starts_with(char::is_alphabetic)).count();
        let known = known || functions * 5 >= all * 2;
        let foreign = self.text.chars().filter(|c| c.is_alphabetic() && !c.is_ascii()).count();
        let latin = self.text.chars().filter(char::is_ascii_alphabetic).count();
        (known || tokens.len() < 3) && foreign * 4 <= latin && !tokens.is_empty()
    }
}

/// True for digits with colons or slashes, which would be a time or a date: "25:61", "03/04/2026".
fn is_odd_time(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && (word.contains(':') || word.matches(['/', '.']).count() == 2)
}

/// Words of time that may be a part of another word: "night market", "second floor".
fn is_noun(word: &str) -> bool {
    let ordinal = super::order::nth(word).is_some();
    ordinal
        || matches!(
            word,
            "night"
                | "evening"
                | "morning"
                | "afternoon"
                | "midnight"
                | "weekend"
                | "minute"
                | "hour"
                | "final"
                | "next"
        )
}
