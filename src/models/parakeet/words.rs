//! The words and the sentences of emitted tokens, with their times. As `ParakeetProcessor.decode` of transformers, which follows
//! NeMo: a token lasts for its duration, and punctuation has the end of the token before it.

use super::transducer::Emission;

/// A part of the text with the frames in which it was said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SpokenPart {
    /// With a space before it if a word begins.
    pub text: String,
    pub start: usize,
    pub end: usize,
}

/// Tokens that take no time.
const PUNCTUATION: &[&str] = &["?", "'", "¡", "¿", "-", ":", ",", "%", "/", ".", "!"];
/// Marks that end a sentence.
const ENDS: &[char] = &['.', '?', '!', '。', '？', '！'];

/// The tokens that give text. `texts` are the pieces of the emissions.
pub(super) fn parts(emitted: &[Emission], texts: Vec<Option<String>>) -> Vec<SpokenPart> {
    let mut parts: Vec<SpokenPart> = Vec::new();
    for (token, text) in emitted.iter().zip(texts) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
        let (start, end) = match parts.last().filter(|_| PUNCTUATION.contains(&text.as_str())) {
            Some(before) => (before.end, before.end),
            None => (token.frame, token.frame + token.duration),
        };
        parts.push(SpokenPart { text, start, end });
    }
    parts
}

/// The parts joined to words, which begin with a space.
pub(super) fn words(parts: Vec<SpokenPart>) -> Vec<SpokenPart> {
    let mut words: Vec<SpokenPart> = Vec::new();
    for part in parts {
        match words.last_mut().filter(|_| !part.text.starts_with(char::is_whitespace)) {
            Some(word) => {
                word.text.push_str(&part.text);
                word.end = part.end.max(word.end);
            }
            None => words.push(part),
        }
    }
    words.retain(|word| !word.text.trim().is_empty());
    words
}

/// Words in sentences: a sentence ends with its mark, or before a silence of `pause` frames.
pub(super) fn sentences(words: Vec<SpokenPart>, pause: usize) -> Vec<Vec<SpokenPart>> {
    let mut sentences: Vec<Vec<SpokenPart>> = Vec::new();
    for word in words {
        let goes_on = |last: &SpokenPart| !last.text.ends_with(ENDS) && word.start < last.end + pause;
        match sentences.last_mut().filter(|open| open.last().is_some_and(goes_on)) {
            Some(open) => open.push(word),
            None => sentences.push(vec![word]),
        }
    }
    sentences
}

/// The text of words.
pub(super) fn text(words: &[SpokenPart]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_words_and_sentences() {
        let tokens =
            [(" we", 2, 1), (" ne", 4, 2), ("ed", 6, 1), (".", 9, 0), ("", 9, 1), (" mi", 12, 0), ("lk", 12, 2)];
        let emitted: Vec<Emission> =
            tokens.iter().map(|(_, frame, duration)| Emission { id: 0, frame: *frame, duration: *duration }).collect();
        let texts = tokens.iter().map(|(text, ..)| Some((*text).to_owned())).collect();
        let all = sentences(words(parts(&emitted, texts)), 25);
        let shown: Vec<Vec<(&str, usize, usize)>> =
            all.iter().map(|all| all.iter().map(|w| (w.text.as_str(), w.start, w.end)).collect()).collect();
        assert_eq!(shown, [vec![(" we", 2, 3), (" need.", 4, 7)], vec![(" milk", 12, 14)]]);
        assert_eq!(text(&all[0]), "we need.");
    }

    #[test]
    fn a_pause_ends_a_sentence() {
        let word = |text: &str, start| SpokenPart { text: text.to_owned(), start, end: start + 2 };
        let count = |second| sentences(vec![word(" we", 0), word(" need", second)], 25).len();
        assert_eq!((count(5), count(26), count(27)), (1, 1, 2));
    }
}
