//! What a question asks for: its question words, and how strongly they ask.

use super::clocks::Words;
use super::tokens::Gap;
use super::{Asks, lexicon};

/// Question words at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Asking {
    pub(super) asks: Asks,
    /// The place of the first question word, and the place behind the last one.
    pub(super) from: usize,
    pub(super) to: usize,
    /// The strongest words of a text are its question.
    strength: u8,
}

/// A question word with its verb: "where did", "how many".
const DIRECT: u8 = 40;
/// "Did I", "was there": yes or no.
const INVERTED_I: u8 = 35;
/// A question word inside another sentence: "tell me where I".
const INDIRECT: u8 = 30;
const INVERTED: u8 = 20;
/// A noun in place of a question word: "the number of times".
const NOUN: u8 = 12;
/// "when I": more often a condition than a question.
const WHEN: u8 = 10;
const INVERTED_YOU: u8 = 8;
/// "the last time"
const NOUN_OF_TIME: u8 = 9;
/// "Is that right?", "did I?": they ask about the sentence before.
const TAG: u8 = 6;

pub(super) fn is_auxiliary(word: &str) -> bool {
    matches!(
        word,
        "am" | "is"
            | "are"
            | "was"
            | "were"
            | "do"
            | "does"
            | "did"
            | "have"
            | "has"
            | "had"
            | "will"
            | "would"
            | "shall"
            | "should"
            | "can"
            | "could"
            | "might"
            | "must"
    )
}

pub(super) fn is_subject(word: &str) -> bool {
    matches!(
        word,
        "i" | "you"
            | "he"
            | "she"
            | "it"
            | "we"
            | "they"
            | "somebody"
            | "someone"
            | "anybody"
            | "anyone"
            | "my"
            | "the"
    )
}

/// The question of a text: the strongest question words, in the last sentence that has them.
pub(super) fn ask(words: Words) -> Option<Asking> {
    let mut best: Option<(Asking, usize)> = None;
    let mut sentence = 0;
    for place in 0..words.tokens.len() {
        sentence += usize::from(words.tokens[place].gap == Gap::Stop);
        let Some(found) = ask_at(words, place) else { continue };
        let wins = best.is_none_or(|(best, its_sentence)| {
            let strength = found.strength.min(if sentence > its_sentence { INDIRECT } else { DIRECT });
            let known = best.strength.min(if sentence > its_sentence { INDIRECT } else { DIRECT });
            strength > known || strength == known && sentence > its_sentence
        });
        if wins {
            best = Some((found, sentence));
        }
    }
    best.map(|(ask, _)| ask)
}

fn ask_at(words: Words, place: usize) -> Option<Asking> {
    question_word(words, place).or_else(|| inverted(words, place)).or_else(|| noun(words, place))
}

/// True if the clause ends behind `offset` words.
fn ends(words: Words, place: usize, offset: usize) -> bool {
    words.ahead(place, offset).is_empty()
}

fn before(words: Words<'_>, place: usize) -> &str {
    match words.tokens.get(place) {
        Some(token) if token.gap == Gap::Space && place > 0 => words.at(place - 1),
        _ => "",
    }
}

fn question_word(words: Words, place: usize) -> Option<Asking> {
    let ahead = |offset| words.ahead(place, offset);
    let made = |asks, length, strength| Some(Asking { asks, from: place, to: place + length, strength });
    let strength = |length| if is_auxiliary(ahead(length)) { DIRECT } else { INDIRECT };
    match words.at(place) {
        "where" | "whereabouts" => made(Asks::Where, 1, strength(1)),
        "why" => made(Asks::Why, 1, strength(1)),
        // "the person who greeted me"
        "who" | "whom" | "whose" => {
            let relative = place >= 2
                && matches!(before(words, place - 1), "the" | "a" | "one")
                && !before(words, place).is_empty();
            made(Asks::Who, 1, if relative { 0 } else { strength(1) }).filter(|ask| ask.strength > 0)
        }
        "when" => match ahead(1) {
            word if is_auxiliary(word) => made(Asks::When, 1, DIRECT),
            // "the thing I did when I", "the next activity when I"
            _ if matches!(before(words, place), "did" | "do" | "doing") => None,
            _ if (1..4)
                .any(|back| place >= back && matches!(words.at(place - back), "previous" | "following" | "next")) =>
            {
                None
            }
            "" => made(Asks::When, 1, INDIRECT),
            _ => made(Asks::When, 1, WHEN),
        },
        "what" | "which" => what(words, place),
        "how" => match (ahead(1), ahead(2)) {
            ("many", "seconds" | "minutes" | "hours") | ("much", "time") => made(Asks::HowLong, 3, DIRECT),
            ("many" | "often" | "frequently", _) => {
                let (asks, length) = how_many(words, place);
                made(asks, length, DIRECT)
            }
            ("much", _) => made(Asks::HowManyOf, 2, DIRECT),
            ("long", "ago") => made(Asks::When, 3, DIRECT),
            ("long", _) => made(Asks::HowLong, 2, DIRECT),
            ("late" | "early", _) => made(Asks::When, 2, DIRECT),
            ("come", _) => made(Asks::Why, 2, DIRECT),
            _ => made(Asks::How, 1, strength(1).max(INDIRECT)),
        },
        "whether" => made(Asks::YesNo, 1, INDIRECT),
        // "I forgot if I", but not "If I remember"
        "if" if !before(words, place).is_empty() && !ends(words, place, 1) => made(Asks::YesNo, 1, NOUN),
        _ => None,
    }
}

fn how_many(words: Words, place: usize) -> (Asks, usize) {
    let is_times = |word: &str| matches!(word, "times" | "time" | "occasions" | "moments" | "visits" | "trips");
    match (words.ahead(place, 1), words.ahead(place, 2), words.ahead(place, 3)) {
        // "on how many days", but "how many days did I stay" is a duration that no rule reads
        ("many", "days", _) if before(words, place) == "on" => (Asks::HowManyDays, 3),
        ("many", _, "days") if before(words, place) == "on" => (Asks::HowManyDays, 4),
        ("often" | "frequently", _, _) => (Asks::HowMany, 2),
        (_, times, _) if is_times(times) => (Asks::HowMany, 3),
        // "how many separate times"
        (_, _, times) if is_times(times) => (Asks::HowMany, 4),
        _ => (Asks::HowManyOf, 2),
    }
}

fn what(words: Words, place: usize) -> Option<Asking> {
    let ahead = |offset| words.ahead(place, offset);
    let made = |asks, length: usize| {
        let strength = if is_auxiliary(ahead(length)) { DIRECT } else { INDIRECT };
        Some(Asking { asks, from: place, to: place + length, strength })
    };
    let which = words.at(place) == "which";
    // "What I want to know is when": the second question word asks
    let asked_later =
        |offset: &usize| words.ahead(place, *offset) == "is" && question_word(words, place + offset + 1).is_some();
    if ahead(1) == "i" && (2..7).any(|offset| asked_later(&offset) || words.are(place + offset, &["is", "if"])) {
        return None;
    }
    // "What do I say?" behind a question asks nothing of the log
    if matches!(ahead(1), "do" | "should" | "shall" | "can")
        && ahead(2) == "i"
        && !ends(words, place, 3)
        && ends(words, place, 4)
    {
        return Some(Asking { asks: Asks::What, from: place, to: place + 1, strength: TAG });
    }
    match ahead(1) {
        "a" | "an" if !which => return None,
        // the order is `every`: see `Order`
        "days" if which => return made(Asks::When, 2),
        "time" | "hour" | "day" | "date" | "moment" | "minute" => {
            let length = if words.are(place + 1, &["hour", "and", "minute"]) { 4 } else { 2 };
            return made(Asks::When, length);
        }
        "place" | "places" => return made(Asks::Where, 2),
        "of" if which && words.are(place, &["which", "of", "the", "places"]) => return made(Asks::Where, 4),
        "reason" | "purpose" => return made(Asks::Why, 2),
        "number" => {
            let times = matches!(ahead(3), "times" | "occasions");
            return made(if times { Asks::HowMany } else { Asks::HowManyOf }, if times { 4 } else { 2 });
        }
        // "a moment at which I", "the dog which barked"
        word if which && (is_subject(word) && word != "the" && word != "my") => return None,
        _ => {}
    }
    if matches!(ahead(1), "is" | "was" | "are" | "were") {
        let the = 2 + usize::from(matches!(ahead(2), "the" | "my"));
        if let Some((asks, length)) = noun_of(words, place + the).filter(|_| !ahead(the).is_empty()) {
            return Some(Asking { asks, from: place, to: place + the + length, strength: DIRECT });
        }
    }
    made(if which { Asks::Which } else { Asks::What }, 1)
}

/// Nouns that ask: "number of times", "last time", "reason". The order word stays for the order.
fn noun_of(words: Words, place: usize) -> Option<(Asks, usize)> {
    let ahead = |offset| words.ahead(place, offset);
    Some(match words.at(place) {
        "number" | "count" | "total" if ahead(1) == "of" => match (ahead(1), ahead(2), ahead(3)) {
            ("of", "times" | "occasions", _) => (Asks::HowMany, 3),
            ("of", word, _) if word.ends_with("ing") => (Asks::HowMany, 2),
            ("of", "the", "times") => (Asks::HowMany, 4),
            ("of", _, _) => (Asks::HowManyOf, 2),
            _ => return None,
        },
        "count" => match (ahead(1), ahead(2)) {
            ("", _) if place > 0 => (Asks::HowMany, 1),
            ("the", "times" | "occasions") => (Asks::HowMany, 3),
            ("the", _) => (Asks::HowManyOf, 2),
            _ => return None,
        },
        "times" if matches!(ahead(1), "that" | "i" | "you" | "when") => (Asks::HowMany, 1),
        "reason" | "reasons" => (Asks::Why, 1),
        "place" => (Asks::Where, 1),
        "last" | "latest" | "first" | "final" | "earliest" if matches!(ahead(1), "time" | "moment") => (Asks::When, 0),
        ordinal if super::order::nth(ordinal).is_some() && ahead(1) == "time" => (Asks::When, 0),
        "most" if ahead(1) == "recent" && ahead(2) == "time" => (Asks::When, 0),
        "time" if ahead(1) == "spent" => (Asks::HowLong, 2),
        "time" if place > 0 && words.at(place - 1) == "total" => (Asks::HowLong, 1),
        "total" if ahead(1) == "time" => (Asks::HowLong, 2),
        "time" if ahead(1) == "of" || matches!(ahead(1), "when" | "i" | "you" | "that" | "at") => (Asks::When, 1),
        "moment" if ahead(1) == "at" && ahead(2) == "which" => (Asks::When, 3),
        _ => return None,
    })
}

fn noun(words: Words, place: usize) -> Option<Asking> {
    let (asks, length) = noun_of(words, place)?;
    // "when I washed for the last time" asks by its "when"
    let strength = if asks == Asks::When { NOUN_OF_TIME } else { NOUN };
    Some(Asking { asks, from: place, to: place + length, strength })
}

/// "Did I", "was there", "have you seen me": yes or no.
fn inverted(words: Words, place: usize) -> Option<Asking> {
    let aux = words.at(place);
    let previous = before(words, place);
    if !is_auxiliary(aux)
        || !(previous.is_empty() || matches!(previous, "and" | "but" | "or" | "so" | "well" | "okay" | "please"))
    {
        return None;
    }
    // "didn't I"
    let not = usize::from(words.ahead(place, 1) == "not");
    let subject = words.ahead(place, 1 + not);
    let request = matches!(aux, "can" | "could" | "would" | "will") && subject == "you";
    // "Does the log say"
    let frame = aux == "does" && matches!(words.ahead(place, 3), "say" | "show");
    if subject.is_empty() || request || frame || matches!(subject, "not" | "to" | "be" | "been") {
        return None;
    }
    // "Was it cycling or walking that I did first?"
    if subject == "it"
        && said_that(words, place) > 0
        && (2..said_that(words, place)).any(|at| words.ahead(place, at) == "or")
    {
        return Some(Asking { asks: Asks::Which, from: place, to: place + 2, strength: INVERTED });
    }
    let rest = 2 + not;
    let is_tag = ends(words, place, rest) || ends(words, place, rest + 1) && matches!(aux, "am" | "is" | "was");
    let strength = match subject {
        _ if is_tag => TAG,
        "i" | "we" => INVERTED_I,
        "you" => INVERTED_YOU,
        _ => INVERTED,
    };
    Some(Asking { asks: Asks::YesNo, from: place, to: place + 1 + said_that(words, place), strength })
}

/// How many words lead from "is it", "am I", "would you" to what is asked: "is it true that I", "am I right that I".
fn said_that(words: Words, place: usize) -> usize {
    let that =
        (2..8).find(|offset| words.ahead(place, *offset) == "that" && is_subject(words.ahead(place, offset + 1)));
    // "was it after nine that I"
    let timed = |that: usize| (2..that).any(|at| lexicon::group(words.ahead(place, at)) == Some(lexicon::Word::Time));
    that.filter(|that| matches!(words.ahead(place, 1), "it" | "i" | "you") && !timed(*that)).unwrap_or_default()
}
