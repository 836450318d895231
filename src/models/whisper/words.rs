//! Words with their times, from the tokens of a sound and the time of each. As `_decode_asr` of transformers with
//! `return_timestamps="word"`.

use super::{Whisper, segments::Segment};
use crate::error::Fault;

/// A word, with times in seconds from the start of the sound.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimedWord {
    pub start_s: f64,
    pub end_s: f64,
    pub text: String,
    /// The place of its segment in the list of all.
    pub segment: usize,
}

/// The tokens of a sound, in order.
#[derive(Debug, Default)]
pub(super) struct TimedTokens {
    ids: Vec<u32>,
    /// When each ends, in seconds.
    times: Vec<f32>,
    /// The place of each one's segment.
    segments: Vec<usize>,
}

impl TimedTokens {
    /// Adds a segment of a window that begins at `offset_s`. `times` are those of the window's tokens.
    pub(super) fn push(&mut self, place: usize, segment: &Segment, times: &[f32], offset_s: f64) {
        let count = segment.tokens.len();
        self.ids.extend_from_slice(&segment.tokens);
        self.segments.extend(std::iter::repeat_n(place, count));
        let last = times.last().copied().unwrap_or(0.0);
        let time = |n: usize| times.get(n).copied().unwrap_or(last) + offset_s as f32;
        self.times.extend((segment.from..segment.from + count).map(time));
    }
}

/// Whole hundredths of a second.
fn rounded(seconds: f64) -> f64 {
    (seconds * 100.0).round_ties_even() / 100.0
}

/// Tokens of one text, with the place of each in the list of all.
type Pieces = Vec<(String, Vec<usize>)>;

/// Punctuation that belongs to the next word, and to the word before.
const PREPENDED: &str = "\"'“¡¿([{-";
const APPENDED: &str = "\"'.。,，!！?？:：”)]}、";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
/// Languages that write no spaces between words.
const WITHOUT_SPACES: &[&str] = &["zh", "ja", "th", "lo", "my", "yue"];
/// The most tokens of one character; a longer run of tokens without a whole character becomes a word.
const MAX_PARTS: usize = 64;

impl Whisper {
    /// All words. `begin` is the id of the first timestamp; a word never crosses a pair of timestamps.
    pub(super) fn timed_words(
        &self,
        all: &TimedTokens,
        begin: u32,
        language: Option<&str>,
    ) -> Result<Vec<TimedWord>, Fault> {
        const TICK_S: f64 = 0.02;
        let window_s = TICK_S * self.net.source_positions as f64;
        let (mut words, mut current) = (Vec::new(), Vec::new());
        // When the open chunk began; its times, and those of earlier windows, decide where it ends.
        let (mut opened, mut latest, mut before_latest, mut earlier) = (None::<f64>, 0.0, 0.0, 0.0);
        for (n, id) in all.ids.iter().enumerate() {
            if *id < begin {
                current.push(n);
                continue;
            }
            let time = f64::from(id - begin) * TICK_S;
            if time < latest {
                let pair = n >= 2 && all.ids[n - 1] >= begin && all.ids[n - 2] >= begin;
                if n >= 2 && !pair {
                    earlier += window_s;
                } else {
                    latest = before_latest;
                    earlier += before_latest;
                }
            }
            before_latest = latest;
            latest = time;
            let at = rounded(time + earlier);
            match opened {
                None => opened = Some(at),
                Some(start) if start == at => {}
                Some(_) => {
                    words.extend(self.words_of(all, &std::mem::take(&mut current), language)?);
                    opened = None;
                }
            }
        }
        words.extend(self.words_of(all, &current, language)?);
        Ok(words)
    }

    /// The words of the tokens at `places`.
    fn words_of(&self, all: &TimedTokens, places: &[usize], language: Option<&str>) -> Result<Vec<TimedWord>, Fault> {
        let mut pieces = self.characters(all, places)?;
        if !language.is_some_and(|language| WITHOUT_SPACES.contains(&language)) {
            pieces = spaced(pieces);
        }
        let merged = merged(pieces);
        let timed = |(text, places): (String, Vec<usize>)| {
            let (first, last) = (*places.first()?, *places.last()?);
            let text = text.trim();
            (!text.is_empty()).then(|| TimedWord {
                start_s: first.checked_sub(1).map_or(0.0, |before| rounded(f64::from(all.times[before]))),
                end_s: rounded(f64::from(all.times[last])),
                text: text.to_owned(),
                segment: all.segments[first],
            })
        };
        Ok(merged.into_iter().filter_map(timed).collect())
    }

    /// The tokens in groups of whole characters. Special tokens have no text and are left out.
    fn characters(&self, all: &TimedTokens, places: &[usize]) -> Result<Pieces, Fault> {
        const UNKNOWN: char = '\u{fffd}';
        let ids: Vec<u32> = places.iter().map(|place| all.ids[*place]).collect();
        let whole: Vec<char> = self.text.decode(&ids)?.chars().collect();
        let (mut pieces, mut open, mut offset): (Pieces, Vec<usize>, usize) = (Vec::new(), Vec::new(), 0);
        for place in places {
            open.push(*place);
            let ids: Vec<u32> = open.iter().map(|place| all.ids[*place]).collect();
            let text = self.text.decode(&ids)?;
            if text.is_empty() {
                open.clear();
                continue;
            }
            // A part of a character is shown as the mark of the unknown, unless the text itself has the mark there.
            let cut = text.chars().position(|c| c == UNKNOWN);
            let is_whole = cut.is_none_or(|at| whole.get(offset + at).is_none_or(|c| *c == UNKNOWN));
            if is_whole || open.len() >= MAX_PARTS {
                offset += text.chars().count();
                pieces.push((text, std::mem::take(&mut open)));
            }
        }
        Ok(pieces)
    }
}

/// Groups of characters as words, which begin with a space; punctuation is apart.
fn spaced(pieces: Pieces) -> Pieces {
    let mut words: Pieces = Vec::new();
    for (text, places) in pieces {
        let begins = text.starts_with(' ') || PUNCTUATION.contains(text.trim());
        match words.last_mut().filter(|_| !begins) {
            Some((word, all)) => {
                word.push_str(&text);
                all.extend(places);
            }
            None => words.push((text, places)),
        }
    }
    words
}

/// The words, with punctuation joined to its neighbours.
fn merged(mut words: Pieces) -> Pieces {
    let mut next = words.len().saturating_sub(1);
    for n in (0..next).rev() {
        if words[n].0.starts_with(' ') && PREPENDED.contains(words[n].0.trim()) {
            let (text, places) = std::mem::take(&mut words[n]);
            words[next].0.insert_str(0, &text);
            words[next].1.splice(0..0, places);
        } else {
            next = n;
        }
    }
    let mut before = 0;
    for n in 1..words.len() {
        if !words[before].0.ends_with(' ') && APPENDED.contains(words[n].0.as_str()) {
            let (text, places) = std::mem::take(&mut words[n]);
            words[before].0.push_str(&text);
            words[before].1.extend(places);
        } else {
            before = n;
        }
    }
    words.retain(|(text, _)| !text.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_joins_its_word() {
        let check = |pieces: &[&str], expected: &[&str]| {
            let pieces = pieces.iter().enumerate().map(|(n, piece)| ((*piece).to_owned(), vec![n])).collect();
            let words = merged(spaced(pieces));
            assert_eq!(words.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>(), expected);
            let places: Vec<usize> = words.into_iter().flat_map(|(_, places)| places).collect();
            assert!(places.is_sorted());
        };
        check(&[" we", " ne", "ed", " milk", ".", " ", "(", "two", ")", "!"], &[" we", " need", " milk.", " (two)!"]);
        check(&[" \"", "no", "\"", ",", " she", " said"], &[" \"no\",", " she", " said"]);
        check(&["-", "a"], &["-a"]);
        check(&[" a", "-", "b"], &[" a", "-b"]);
        check(&[], &[]);
    }
}
