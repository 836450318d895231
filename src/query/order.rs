//! Words of order: "last", "the second time", "again", "every".

use super::clocks::{Words, whole};
use super::{Asks, Order};

const ORDINALS: [&str; 12] = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth",
];

/// The order word at a place, with the number of its tokens ("for the last time").
pub(super) fn order(words: Words, place: usize, asks: Asks) -> Option<(Order, usize)> {
    let word = words.at(place);
    let skip = match word {
        "for" if words.ahead(place, 1) == "the" => 2,
        "the" | "my" | "that" => 1,
        _ => 0,
    };
    let ahead = |offset: usize| words.ahead(place, skip + offset);
    let is_time = |word: &str| matches!(word, "time" | "times" | "occasion" | "moment" | "one");
    let time = |offset: usize| usize::from(is_time(ahead(offset)));
    let found = match ahead(0) {
        "last" | "latest" | "final" => (Order::Last, 1 + time(1)),
        "most" if matches!(ahead(1), "recent" | "recently") => (Order::Last, 2 + time(2)),
        "first" | "earliest" => (Order::First, 1 + time(1)),
        "next" if ahead(1) != "after" && ahead(1) != "to" => (Order::Next, 1 + time(1)),
        "following" if words.ahead(place, 0) != "following" => (Order::Next, 1),
        // "every time I opened it" is a relation
        "every" | "each" if ahead(1) == "time" && super::asks::is_subject(ahead(2)) => return None,
        "every" | "each" if super::days::part(words, place, false).is_none() => (Order::Every, 1 + time(1)),
        "again" if repeats(words, place, asks) => (Order::Again, 1),
        // "in order", "in which order"
        "order" if place > 0 && words.at(place - 1) == "in" && skip == 0 => (Order::Every, 1),
        word => {
            let number = nth(word)?;
            // "my second visit"
            if words.at(place) == "my" && !ahead(1).is_empty() && super::lexicon::is_content(ahead(1)) {
                return Some((Order::Nth(number), 2));
            }
            (is_time(ahead(1)) && ahead(1) != "one").then_some((Order::Nth(number), 2))?
        }
    };
    // "for the" and "the" belong to it only before "time"
    let (order, length) = found;
    let counts = skip == 0 || length > 1 && is_time(ahead(length - 1)) || skip == 1;
    counts.then_some((order, skip + length))
}

/// "2nd", "second", "21st".
pub(super) fn nth(word: &str) -> Option<u16> {
    if let Some(place) = ORDINALS.iter().position(|ordinal| *ordinal == word) {
        return u16::try_from(place + 1).ok();
    }
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|ending| word.strip_suffix(ending))?;
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// "Did I wash my hands again?" asks for a repetition, "What was it again?" does not.
fn repeats(words: Words, place: usize, asks: Asks) -> bool {
    let last = place > 0
        && matches!(words.at(place - 1), "it" | "for" | "that" | "is" | "was" | "they" | "there" | "back" | "once");
    let future = words.tokens.iter().any(|token| token.low == "will");
    matches!(asks, Asks::YesNo | Asks::When | Asks::HowMany) && !last && !future
}

/// Phrases of time and quantity that change nothing, with the number of their tokens: "at any time", "that day".
pub(super) fn filler(words: Words, place: usize) -> Option<usize> {
    const FILLERS: &[&[&str]] = &[
        &["on", "that", "day"],
        &["that", "day"],
        &["all", "day"],
        &["all", "day", "long"],
        &["at", "any", "time", "of", "the", "day"],
        &["at", "any", "time", "of", "day"],
        &["at", "any", "time"],
        &["at", "some", "time"],
        &["at", "the", "same", "time"],
        &["at", "some", "point"],
        &["at", "any", "point"],
        &["at", "one", "point"],
        &["any", "time"],
        &["at", "all"],
        &["at", "the", "moment"],
        &["at", "the", "time"],
        &["in", "the", "end"],
        &["on", "earth"],
        &["over", "all", "days"],
        &["over", "all", "these", "days"],
        &["on", "all", "days"],
        &["on", "all", "days", "together"],
        &["in", "all", "these", "days"],
        &["before", "me"],
        &["after", "me"],
        &["in", "the", "log"],
        &["in", "the", "video"],
        &["in", "the", "recording"],
        &["in", "the", "film"],
        &["in", "the", "footage"],
        &["on", "camera"],
        &["on", "video"],
        &["according", "to", "the", "log"],
        &["does", "the", "log", "say"],
        &["does", "the", "log", "say", "that"],
        &["does", "the", "video", "show"],
        &["does", "the", "log", "show"],
        &["back", "then"],
        &["in", "my", "day"],
        &["of", "the", "day"],
        &["of", "my", "day"],
        &["during", "the", "day"],
        &["these", "days"],
        &["one", "day"],
        &["all", "in", "all"],
        &["in", "all"],
        &["in", "total"],
        &["so", "far"],
        &["right", "now"],
        &["for", "now"],
        &["for", "once"],
        &["of", "all", "the", "times"],
        &["most", "of", "the", "time"],
        &["in", "the", "middle", "of"],
        &["once", "more"],
        &["once", "again"],
        &["last", "but", "not", "least"],
        &["one", "after", "the", "other"],
        &["one", "after", "another"],
        &["earliest", "first"],
        &["in", "the", "right", "order"],
        &["in", "right", "order"],
        &["in", "the", "order", "they", "came"],
        &["in", "order", "of", "time"],
        &["in", "the", "correct", "order"],
        &["in", "the", "order", "i", "was", "there"],
        &["for", "the", "life", "of", "me"],
        &["this", "hour"],
        &["in", "this", "hour"],
        &["in", "the", "hour"],
        &["all", "of", "it"],
        &["each", "other"],
        &["one", "another"],
        &["of", "the", "video"],
        &["of", "this", "video"],
        &["of", "the", "recording"],
        &["of", "the", "film"],
        &["when", "the", "clock", "said"],
        &["when", "the", "clock", "showed"],
        &["when", "the", "clock", "of", "the", "video", "said"],
        &["when", "the", "clock", "of", "the", "video", "showed"],
        &["when", "it", "said"],
    ];
    FILLERS.iter().filter(|filler| words.are(place, filler)).map(|filler| filler.len()).max()
}

/// True if a number word counts the word behind it.
pub(super) fn is_number(words: Words, place: usize) -> bool {
    whole(words, place).is_some()
}
