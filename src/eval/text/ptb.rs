//! Captions as words, for BLEU, ROUGE-L and CIDEr-D.
//!
//! The captions of COCO are compared after the Penn Treebank tokenizer of Stanford CoreNLP 3.4.1, in lower case and without
//! punctuation (pycocoevalcap). That tokenizer is a Java program; [`WordSplit::Ptb`] follows its rules for captions.
//! `tests/parity/README.md` says how often both agree.

/// How a text becomes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WordSplit {
    /// As the Penn Treebank tokenizer, in lower case and without punctuation.
    #[default]
    Ptb,
    /// At spaces: the texts are words already.
    Spaces,
}

/// Marks that are dropped, as pycocoevalcap lists them. Its brackets have upper case and therefore stay.
const DROPPED: [&str; 13] = ["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"];
/// Words with a full stop of their own.
const ABBREVIATIONS: [&str; 44] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "rev", "gen", "col", "capt", "cpl", "lt", "sgt", "maj", "gov",
    "sen", "rep", "hon", "esq", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
    "vs", "etc", "inc", "corp", "ltd", "co", "ave", "blvd", "rd", "mt", "ft",
];
/// Ends of words that are words of their own.
const ENDS: [&str; 7] = ["n't", "'ll", "'re", "'ve", "'s", "'m", "'d"];
/// Words that are two.
const JOINED: [(&str, &str, &str); 7] = [
    ("cannot", "can", "not"),
    ("gonna", "gon", "na"),
    ("gotta", "got", "ta"),
    ("wanna", "wan", "na"),
    ("gimme", "gim", "me"),
    ("lemme", "lem", "me"),
    ("d'ye", "d'", "ye"),
];

/// The words of a text.
pub fn tokens(text: &str, how: WordSplit) -> Vec<String> {
    match how {
        WordSplit::Spaces => text.split_whitespace().map(str::to_owned).collect(),
        WordSplit::Ptb => {
            let text = text.to_lowercase();
            let chunks: Vec<&str> = text.split_whitespace().collect();
            let mut words = Vec::new();
            for (at, chunk) in chunks.iter().enumerate() {
                let next = chunks.get(at + 1).and_then(|next| next.chars().next());
                let chars: Vec<char> = chunk.chars().map(plain).collect();
                Lexer { chars: &chars, next, words: &mut words }.run();
            }
            words.retain(|word| !DROPPED.contains(&word.as_str()));
            words
        }
    }
}

/// Typographic marks as ASCII.
fn plain(c: char) -> char {
    match c {
        '’' | '‘' => '\'',
        '“' | '”' => '"',
        c => c,
    }
}

/// Splits what stands between white space.
struct Lexer<'a> {
    chars: &'a [char],
    /// The first character after the white space.
    next: Option<char>,
    words: &'a mut Vec<String>,
}

impl Lexer<'_> {
    fn run(mut self) {
        let mut at = 0;
        while at < self.chars.len() {
            let used = self.token(at);
            at += used.max(1);
        }
    }

    fn at(&self, at: usize) -> Option<char> {
        self.chars.get(at).copied()
    }

    fn text(&self, from: usize, to: usize) -> String {
        self.chars[from..to].iter().collect()
    }

    /// The number of characters from `at` that pass the test.
    fn run_of(&self, at: usize, test: impl Fn(char) -> bool) -> usize {
        self.chars[at..].iter().take_while(|c| test(**c)).count()
    }

    fn push(&mut self, text: &str) {
        self.words.push(text.to_owned());
    }

    /// Reads one token at a position and gives the number of its characters.
    fn token(&mut self, at: usize) -> usize {
        let c = self.chars[at];
        let before = at.checked_sub(1).map(|before| self.chars[before]);
        let after = self.at(at + 1);
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        match c {
            _ if is_letter(c) => return self.word(at, at),
            '.' | '+' if is_digit(after) && !before.is_some_and(is_letter) => return self.word(at, at + 1),
            '-' if is_digit(after) && !before.is_some_and(is_letter) => return self.word(at, at + 1),
            '.' => {
                let dots = self.run_of(at, |c| c == '.');
                if dots >= 3 {
                    self.push("...");
                    return 3;
                }
                self.push(".");
            }
            '!' | '?' => {
                let marks = self.run_of(at, |c| c == '!' || c == '?');
                let text = self.text(at, at + marks);
                self.push(&text);
                return marks;
            }
            '-' => {
                let dashes = self.run_of(at, |c| c == '-');
                self.push(if dashes > 1 { "--" } else { "-" });
                return dashes;
            }
            '–' | '—' => self.push("--"),
            '…' => self.push("..."),
            '"' => self.push("''"),
            '\'' => return self.apostrophe(at),
            '(' => self.push("-lrb-"),
            ')' => self.push("-rrb-"),
            '[' => self.push("-lsb-"),
            ']' => self.push("-rsb-"),
            '{' => self.push("-lcb-"),
            '}' => self.push("-rcb-"),
            '£' => self.push("#"),
            '€' => self.push("$"),
            '¢' => self.push("cents"),
            '#' | '@' if after.is_some_and(char::is_alphabetic) => {
                let name = 1 + self.run_of(at + 1, |c| is_letter(c) || c == '_');
                let text = self.text(at, at + name);
                self.push(&text);
                return name;
            }
            '<' if after.is_some_and(|c| c == '/' || c.is_alphabetic()) => {
                let inside = self.run_of(at, |c| c != '>');
                if at + inside < self.chars.len() {
                    let text = self.text(at, at + inside + 1);
                    self.push(&text);
                    return inside + 1;
                }
                self.push("<");
            }
            '&' => {
                for (entity, mark) in [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "''")] {
                    if self.starts_with(at, entity) {
                        self.push(mark);
                        return entity.len();
                    }
                }
                self.push("&");
            }
            other => self.push(&other.to_string()),
        }
        1
    }

    fn starts_with(&self, at: usize, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, c)| self.at(at + offset) == Some(c))
    }

    /// True if no letter or digit stands at a position.
    fn ends(&self, at: usize) -> bool {
        !self.at(at).is_some_and(is_letter)
    }

    /// Reads what begins with an apostrophe: the end of a word, a clipped word, a decade, or a quotation mark.
    fn apostrophe(&mut self, at: usize) -> usize {
        let follows_word = at > 0 && (is_letter(self.chars[at - 1]) || self.chars[at - 1] == '.');
        for end in ENDS.iter().filter(|end| end.starts_with('\'')) {
            if self.starts_with(at, end) && self.ends(at + end.len()) && (follows_word || at == 0) {
                self.push(end);
                return end.len();
            }
        }
        for clipped in ["'em", "'cause", "'n'"] {
            if self.starts_with(at, clipped) && self.ends(at + clipped.len()) && !follows_word {
                self.push(clipped);
                return clipped.len();
            }
        }
        for (clipped, rest) in [("'tis", "is"), ("'twas", "was")] {
            if self.starts_with(at, clipped) && self.ends(at + clipped.len()) && !follows_word {
                self.push("'t");
                self.push(rest);
                return clipped.len();
            }
        }
        let digits = self.run_of(at + 1, |c| c.is_ascii_digit());
        if digits == 2 {
            let plural = usize::from(self.at(at + 3) == Some('s'));
            if self.ends(at + 3 + plural) && self.at(at + 3 + plural) != Some('\'') {
                let text = self.text(at, at + 3 + plural);
                self.push(&text);
                return 3 + plural;
            }
        }
        self.push("'");
        if self.at(at + 1) == Some('\'') { 2 } else { 1 }
    }

    /// Reads a word or number from `start`; its first letter or digit is at `at`. A full stop, hyphen, slash or comma
    /// belongs to it if a letter or digit follows.
    fn word(&mut self, start: usize, mut at: usize) -> usize {
        if ["http://", "https://", "www."].iter().any(|scheme| self.starts_with(start, scheme)) {
            let mut end = start + self.run_of(start, |c| !"<>\"'()[]{}".contains(c));
            while end > start && ".,;:!?".contains(self.chars[end - 1]) {
                end -= 1;
            }
            let text = self.text(start, end);
            self.push(&text);
            return end - start;
        }
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        loop {
            at += self.run_of(at, |c| is_letter(c) || c == '_');
            let (before, mark, after) = (self.at(at.wrapping_sub(1)), self.at(at), self.at(at + 1));
            let goes_on = match mark {
                Some('-') => after.is_some_and(is_letter),
                Some('/') => after.is_some_and(is_letter) && (!is_digit(before) || is_digit(after)),
                Some('.') => {
                    let number = is_digit(before) && is_digit(after);
                    after.is_some_and(is_letter) && (number || !(is_digit(before) || is_digit(after)))
                }
                Some(',' | ':') => is_digit(before) && is_digit(after),
                Some('@') => after.is_some_and(is_letter),
                Some('&') => {
                    let short = self.run_of(at + 1, char::is_alphabetic) <= 2 && at - start <= 2;
                    after.is_some_and(char::is_alphabetic) && short
                }
                Some('\'') => return self.before_apostrophe(start, at),
                _ => false,
            };
            if !goes_on {
                break;
            }
            at += 1;
        }
        if self.at(at) == Some('.') && self.keeps_full_stop(start, at) {
            at += 1;
        }
        self.finish(start, at)
    }

    /// True if the full stop at `at` belongs to the word before it: an abbreviation, or single letters with full stops.
    fn keeps_full_stop(&self, start: usize, at: usize) -> bool {
        if self.at(at + 1).is_some_and(|c| is_letter(c) || c == '.') {
            return false;
        }
        let word = self.text(start, at);
        let letters = word.split('.').all(|part| part.chars().count() == 1 && part.chars().all(char::is_alphabetic));
        let number_follows = self.next.is_some_and(|c| c.is_ascii_digit()) && at + 1 == self.chars.len();
        letters
            || ABBREVIATIONS.contains(&word.as_str())
            || ["ph.d", "ed.d"].contains(&word.as_str())
            || (word == "no" && number_follows)
    }

    /// Reads a word up to an apostrophe, with it or without it.
    fn before_apostrophe(&mut self, start: usize, at: usize) -> usize {
        let letters = self.run_of(at + 1, char::is_alphabetic);
        let rest = self.text(at + 1, at + 1 + letters);
        let word = self.text(start, at);
        if self.ends(at + 1 + letters) {
            if rest == "t" && word.ends_with('n') {
                let end = at - 1;
                self.finish(start, end);
                self.push("n't");
                return at + 2 - start;
            }
            if ENDS.contains(&format!("'{rest}").as_str()) {
                return self.finish(start, at);
            }
        }
        if letters > 0 && word == "y" {
            self.push("y'");
            return at + 1 - start;
        }
        if letters > 0 && ["o", "l", "d", "c", "ma", "ol", "ne", "hallowe"].contains(&word.as_str()) {
            // one word, perhaps with an end of its own
            let mut end = at + 1 + letters;
            if self.at(end) == Some('-') && self.at(end + 1).is_some_and(is_letter) {
                end += 1 + self.run_of(end + 1, is_letter);
            }
            return self.finish(start, end);
        }
        if word == "ol" {
            self.push("ol'");
            return at + 1 - start;
        }
        self.finish(start, at)
    }

    fn finish(&mut self, start: usize, end: usize) -> usize {
        let text = self.text(start, end);
        match JOINED.iter().find(|(joined, _, _)| *joined == text) {
            Some((_, one, two)) => {
                self.push(one);
                self.push(two);
            }
            None if !text.is_empty() => self.words.push(text),
            None => {}
        }
        end - start
    }
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c)
}
