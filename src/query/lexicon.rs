//! The words that the grammar knows: words of time, order and quantity, English function words and interjections.
//!
//! No word of a label list is here, except those that are words of time as well (`night` in "night sky"). A test
//! reads all label lists.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a word of the lexicon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Articles, pronouns, auxiliaries, prepositions, conjunctions, question words.
    Function,
    /// What people say around a question: "well", "please".
    Interjection,
    /// Words of time, order and quantity. One that finds no place is reported.
    Time,
    /// Words of time and order that are harmless without a place: "time", "now", "then".
    Weak,
}

const FUNCTION: &[&str] = &[
    // articles, determiners, pronouns
    "a an the this that these those some any no another other others both i me my mine myself you your yours",
    "yourself he him his she her hers it its we us our ours they them their theirs themselves himself herself",
    "itself there here someone somebody something somewhere anyone anybody anything anywhere everyone",
    "everybody everything nothing one ones such own",
    // auxiliaries
    "am is are was were be been being do does did done doing have has had having will would shall should can",
    "could might must not got ought happen happened happening happens busy came comes",
    // prepositions and particles
    "in on at to of for from with without by about into onto up off out over under near through as like than",
    "besides according among",
    // conjunctions and adverbs
    "and or but if whether because so though although either neither also too very just only really actually",
    "exactly else even ever never yes perhaps maybe straight right immediately directly shortly soon",
    // question words
    "what where when who whom whose which why how whereabouts come",
    // nouns in place of where, how and why
    "place places reason reasons way",
];

const INTERJECTIONS: &[&str] = &[
    "hello hi hey yo oh ah ugh um hm hmm oops argh gosh goodness damn blast okay ok alright anyway please",
    "sorry thanks pardon listen wait help honestly seriously frankly strangely quick cheers dear fine look",
    "correct ta know remember recall wonder think",
];

const TIME: &[&str] = &[
    // units
    "second seconds sec secs minute minutes min mins hour hours hr hrs days week weeks weekend weekends month",
    "months year years fortnight decade",
    // days and parts of the day
    "today yesterday tomorrow monday tuesday wednesday thursday friday saturday sunday mondays tuesdays",
    "wednesdays thursdays fridays saturdays sundays january february april june july august september october",
    "november december morning mornings afternoon afternoons evening evenings night nights tonight noon midday",
    "midnight lunchtime o'clock pm ago",
    // relations
    "before after while during since until till between beforehand afterwards afterward prior previous",
    "previously preceded followed meanwhile halfway whenever",
    // order
    "first last next latest earliest final finally again every each third fourth fifth sixth seventh eighth",
    "ninth tenth eleventh twelfth",
    // quantity
    "twice thrice often usually always sometimes rarely seldom frequently daily weekly hourly fortnightly",
    "monthly recently lately most longest shortest",
];

const WEAK: &[&str] = &[
    "day time times moment moments occasion occasions once now then earlier later early late still already yet",
    "currently all many much more long few several number count total half quarter past around two three",
    "four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen",
    "nineteen twenty thirty forty fifty sixty ninety start started beginning began begin middle end ended",
    "finished finish stopped march may back within ahead",
];

static KNOWN: LazyLock<HashMap<&'static str, Word>> = LazyLock::new(|| {
    let groups =
        [(FUNCTION, Word::Function), (INTERJECTIONS, Word::Interjection), (TIME, Word::Time), (WEAK, Word::Weak)];
    let words = |lines: &'static [&'static str]| lines.iter().flat_map(|line| line.split(' '));
    groups.iter().flat_map(|(lines, group)| words(lines).map(|word| (word, *group))).collect()
});

/// All words of the lexicon, in no order.
pub fn words() -> impl Iterator<Item = (&'static str, Word)> {
    KNOWN.iter().map(|(word, group)| (*word, *group))
}

/// The group of a word in lower case.
pub(super) fn group(word: &str) -> Option<Word> {
    KNOWN.get(word).copied()
}

/// True for articles, pronouns, auxiliaries and the like.
pub(super) fn is_function(word: &str) -> bool {
    group(word) == Some(Word::Function)
}

/// True for a word that may be searched for: it is not in the lexicon.
pub(super) fn is_content(word: &str) -> bool {
    group(word).is_none()
}

/// Function words that no other common language shares: without one of them a sentence is not taken for English.
pub(super) fn is_plainly_english(word: &str) -> bool {
    match group(word) {
        None => false,
        Some(Word::Time | Word::Weak) => !matches!(
            word,
            "min"
                | "sec"
                | "august"
                | "september"
                | "november"
                | "april"
                | "half"
                | "past"
                | "o'clock"
                | "may"
                | "pm"
                | "ten"
                | "total"
                | "end"
                | "final"
        ),
        Some(Word::Interjection) => false,
        Some(Word::Function) => {
            word.len() > 1
                && !matches!(
                    word,
                    "me" | "was"
                        | "am"
                        | "is"
                        | "are"
                        | "in"
                        | "on"
                        | "of"
                        | "so"
                        | "no"
                        | "an"
                        | "also"
                        | "we"
                        | "as"
                        | "do"
                        | "her"
                        | "had"
                        | "over"
                        | "will"
                        | "us"
                        | "place"
                        | "places"
                        | "or"
                        | "to"
                        | "one"
                        | "come"
                        | "else"
                        | "here"
                        | "at"
                        | "he"
                        | "ever"
                        | "by"
                        | "for"
                        | "near"
                        | "not"
                        | "up"
                        | "mine"
                        | "has"
                        | "way"
                        | "just"
                        | "even"
                        | "busy"
                )
        }
    }
}

/// Words of five letters and more that are mended when one letter is wrong. Words that differ in one letter from an
/// ordinary word of another meaning (`sunday`, `later`, `second`) are left out.
const MENDED: &[&str] = &[
    "where which before after while during until between yesterday today tomorrow monday tuesday wednesday",
    "thursday friday saturday january february september october november december morning afternoon evening",
    "tonight midnight lunchtime weekend minute minutes hours weeks months seconds often first again every",
    "twice afterwards midday whether somebody someone something since times latest earliest beginning could",
    "would should there these about around night",
];

/// The word of the lexicon that was misspelt. Two neighbouring letters may be swapped, one may be missing or too
/// many; in words of six letters and more, one may be wrong. The first letter counts as right.
pub(super) fn mended(word: &str) -> Option<&'static str> {
    if !(4..=12).contains(&word.len())
        || KNOWN.contains_key(word)
        || !word.bytes().all(|byte| byte.is_ascii_lowercase())
    {
        return None;
    }
    MENDED.iter().flat_map(|line| line.split(' ')).find(|right| {
        right.as_bytes()[0] == word.as_bytes()[0]
            && word.len().abs_diff(right.len()) <= 1
            && is_near(word.as_bytes(), right.as_bytes())
    })
}

/// True if one edit makes the words equal, as [`mended`] allows.
fn is_near(word: &[u8], right: &[u8]) -> bool {
    let same = word.iter().zip(right).take_while(|(a, b)| a == b).count();
    let (a, b) = (&word[same..], &right[same..]);
    match word.len().cmp(&right.len()) {
        std::cmp::Ordering::Less => word.len() >= 4 && *a == b[1..],
        std::cmp::Ordering::Greater => a[1..] == *b,
        std::cmp::Ordering::Equal => {
            let swapped = a.len() >= 2 && a[0] == b[1] && a[1] == b[0] && a[2..] == b[2..];
            swapped || right.len() >= 6 && a[1..] == b[1..]
        }
    }
}
