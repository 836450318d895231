//! Clock times, numbers and durations: "half past eight", "8.30 pm", "an hour and a half".

use super::tokens::{Gap, Token};
use super::when::Mark;

/// Tokens with a position, for readers that look ahead a fixed number of words.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) tokens: &'a [Token],
}

impl<'a> Words<'a> {
    /// The word at a place; empty behind the end, and where a sentence ends before it (but for the first word asked for).
    pub(super) fn at(self, place: usize) -> &'a str {
        self.tokens.get(place).map_or("", |token| token.low.as_str())
    }

    /// The word that follows within the sentence, at `offset` words behind `place`. A comma or stop between ends it.
    pub(super) fn ahead(self, place: usize, offset: usize) -> &'a str {
        let unbroken =
            (place + 1..=place + offset).all(|at| self.tokens.get(at).is_some_and(|token| token.gap == Gap::Space));
        if unbroken { self.at(place + offset) } else { "" }
    }

    /// True if these words follow each other at a place, without a break.
    pub(super) fn are(self, place: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(offset, word)| self.ahead(place, offset) == *word)
    }
}

/// The words for the numbers below twenty.
pub const SMALL_NUMBERS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [(&str, u32); 5] = [("twenty", 20), ("thirty", 30), ("forty", 40), ("fifty", 50), ("sixty", 60)];

/// A whole number in digits or words, with the number of its tokens.
pub(super) fn whole(words: Words, place: usize) -> Option<(u32, usize)> {
    let word = words.at(place);
    if !word.is_empty() && word.len() <= 6 && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.parse().ok().map(|number| (number, 1));
    }
    let small =
        |word: &str| SMALL_NUMBERS.iter().position(|name| *name == word).and_then(|number| u32::try_from(number).ok());
    if let Some((_, tens)) = TENS.iter().find(|(name, _)| *name == word) {
        let more = small(words.ahead(place, 1)).filter(|number| (1..10).contains(number));
        return Some(more.map_or((*tens, 1), |more| (tens + more, 2)));
    }
    if word == "ninety" {
        return Some((90, 1));
    }
    small(word).map(|number| (number, 1))
}

/// Seconds of a unit of time.
pub(super) fn unit_s(word: &str) -> Option<f64> {
    Some(match word {
        "second" | "seconds" | "sec" | "secs" | "s" => 1.0,
        "minute" | "minutes" | "min" | "mins" => 60.0,
        "hour" | "hours" | "hr" | "hrs" | "h" => 3600.0,
        _ => return None,
    })
}

/// A duration of seconds, minutes and hours, with the number of its tokens: "90 seconds", "an hour and a half",
/// "half a minute", "two minutes and ten seconds".
pub(super) fn duration_s(words: Words, place: usize) -> Option<(f64, usize)> {
    let (mut total_s, mut length) = one_duration(words, place)?;
    for _ in 0..2 {
        let joins = usize::from(words.ahead(place, length) == "and");
        if words.ahead(place, length + joins).is_empty() {
            break;
        }
        let Some((more_s, more)) = one_duration(words, place + length + joins) else { break };
        (total_s, length) = (total_s + more_s, length + joins + more);
    }
    Some((total_s, length))
}

fn one_duration(words: Words, place: usize) -> Option<(f64, usize)> {
    let ahead = |offset| words.ahead(place, offset);
    let unit = |offset| unit_s(ahead(offset));
    if ahead(0) == "half" && ahead(1) == "hour" {
        return Some((1800.0, 2));
    }
    if ahead(0) == "half" && matches!(ahead(1), "a" | "an") {
        return unit(2).map(|unit_s| (unit_s / 2.0, 3));
    }
    if words.are(place, &["a", "quarter", "of", "an", "hour"]) {
        return Some((900.0, 5));
    }
    if words.are(place, &["a", "couple", "of"]) {
        return unit(3).map(|unit_s| (2.0 * unit_s, 4));
    }
    let decimal =
        Some(ahead(0)).filter(|word| word.contains('.') && word.len() <= 8).and_then(|word| word.parse::<f64>().ok());
    let (number, mut length) = match (ahead(0), decimal) {
        (_, Some(number)) => (number, 1),
        ("a" | "an", _) => (1.0, 1),
        _ => whole(words, place).map(|(number, length)| (f64::from(number), length))?,
    };
    let mut more = 0.0;
    if words.are(place + length, &["and", "a", "half"]) && unit(length + 3).is_some() {
        (more, length) = (0.5, length + 3);
    }
    let unit_s = unit(length)?;
    length += 1;
    if words.ahead(place, length) == "and" && words.are(place + length, &["and", "a", "half"]) && unit_s > 1.0 {
        (more, length) = (0.5, length + 3);
    }
    Some(((number + more) * unit_s, length))
}

/// A clock time with the number of its tokens. `bare`: a number alone is an hour too, because "at" stands before it.
pub(super) fn clock(words: Words, place: usize, bare: bool) -> Option<(Mark, usize)> {
    let ahead = |offset| words.ahead(place, offset);
    let at = |hour: u32, minute: u32, either_half: bool| clock_mark(hour, minute, None, either_half, false);
    match words.at(place) {
        "noon" | "midday" => return Some((at(12, 0, false)?, 1)),
        "midnight" => return Some((at(0, 0, false)?, 1)),
        "half" => {
            let past = usize::from(ahead(1) == "past");
            let (hour, length) = whole_ahead(words, place, 1 + past)?;
            let (hour, length) = ((1..=12).contains(&hour).then_some(hour)?, 1 + past + length);
            return finish(words, place, hour, 30, None, length, true);
        }
        _ => {}
    }
    // "quarter to nine", "twenty past eight", "five minutes to ten"
    let skip = usize::from(words.at(place) == "a" && ahead(1) == "quarter");
    let minutes = if ahead(skip) == "quarter" { Some((15, skip + 1)) } else { whole(words, place) };
    if let Some((minute, length)) = minutes.filter(|(minute, _)| (1..=30).contains(minute)) {
        let length = length + usize::from(matches!(ahead(length), "minutes" | "minute"));
        let side = ahead(length);
        if matches!(side, "past" | "to")
            && let Some((hour, more)) = hour_ahead(words, place, length + 1)
            // "10-11" and "from 8 to 10" are spans
            && (side == "past" || minute % 5 == 0 && words.at(place).bytes().all(|byte| !byte.is_ascii_digit()))
        {
            let (hour, minute) = if side == "past" { (hour, minute) } else { ((hour + 11) % 12, 60 - minute) };
            let hour = if hour == 0 { 12 } else { hour };
            return finish(words, place, hour, minute, None, length + 1 + more, true);
        }
    }
    let word = words.at(place);
    if let Some(parts) =
        digits(word, ':').or_else(|| digits(word, '.').filter(|parts| (bare || is_half(ahead(1))) && parts.len() == 2))
    {
        return match parts[..] {
            [first, second] => {
                let or_media = word.contains(':');
                written(words, place, first, second, None, or_media)
            }
            [first, second, third] => written(words, place, first, second, Some(third), true),
            _ => None,
        };
    }
    let (hour, length) = whole(words, place).filter(|(hour, _)| *hour <= 24)?;
    if matches!(ahead(length), "o'clock") {
        return finish(words, place, hour, 0, None, length + 1, hour <= 12);
    }
    // "9 o clock"
    if is_half(ahead(length)) {
        return finish(words, place, hour, 0, None, length, true);
    }
    if !bare || unit_s(ahead(length)).is_some() {
        return None;
    }
    // "eight thirty"
    if word.bytes().all(|byte| !byte.is_ascii_digit())
        && let Some((minute, more)) = whole_ahead(words, place, length).filter(|(minute, _)| (10..60).contains(minute))
    {
        return finish(words, place, hour, minute, None, length + more, hour <= 12);
    }
    finish(words, place, hour, 0, None, length, hour <= 12)
}

fn whole_ahead(words: Words, place: usize, offset: usize) -> Option<(u32, usize)> {
    (!words.ahead(place, offset).is_empty()).then(|| whole(words, place + offset)).flatten()
}

fn hour_ahead(words: Words, place: usize, offset: usize) -> Option<(u32, usize)> {
    match words.ahead(place, offset) {
        "noon" | "midday" | "midnight" => Some((12, 1)),
        _ => whole_ahead(words, place, offset).filter(|(hour, _)| (1..=12).contains(hour)),
    }
}

fn is_half(word: &str) -> bool {
    matches!(word, "am" | "pm")
}

/// The numbers of `8:30` and `1:02:03`.
fn digits(word: &str, separator: char) -> Option<Vec<u32>> {
    if word.len() > 9 || !word.contains(separator) {
        return None;
    }
    let parts: Vec<&str> = word.split(separator).collect();
    let later = parts.iter().skip(1).all(|part| part.len() == 2);
    (parts.len() <= 3 && later).then(|| parts.iter().map(|part| part.parse().ok()).collect()).flatten()
}

/// A time in digits. More than 24 hours can only be minutes of the medium.
fn written(
    words: Words,
    place: usize,
    first: u32,
    second: u32,
    third: Option<u32>,
    or_media: bool,
) -> Option<(Mark, usize)> {
    if second > 59 || third.is_some_and(|third| third > 59) {
        return None;
    }
    if first > 24 || first == 24 && second > 0 {
        let seconds = match third {
            Some(third) => f64::from(first) * 3600.0 + f64::from(second * 60 + third),
            None => f64::from(first) * 60.0 + f64::from(second),
        };
        return or_media.then_some((Mark::Into(seconds), 1));
    }
    // two digits are the program's own form, of 24 hours
    let either = (1..10).contains(&first) && !words.at(place).starts_with('0');
    let (mark, length) = finish(words, place, first, second, third, 1, either)?;
    match mark {
        Mark::Clock { hour, minute, second, either_half, .. } => {
            Some((Mark::Clock { hour, minute, second, either_half, or_media: or_media && length == 1 }, length))
        }
        other => Some((other, length)),
    }
}

/// Reads "am", "pm" and "o'clock" behind a time, and makes the mark.
fn finish(
    words: Words,
    place: usize,
    hour: u32,
    minute: u32,
    second: Option<u32>,
    length: usize,
    either_half: bool,
) -> Option<(Mark, usize)> {
    let (word, extra) = match words.ahead(place, length) {
        "o'clock" => (words.ahead(place, length + 1), 1),
        word => (word, 0),
    };
    let (hour, either_half, extra) = match word {
        "am" if (1..=12).contains(&hour) => (hour % 12, false, extra + 1),
        "pm" if (1..=12).contains(&hour) => (hour % 12 + 12, false, extra + 1),
        _ => (hour, either_half && (1..=12).contains(&hour), extra),
    };
    Some((clock_mark(hour, minute, second, either_half, false)?, length + extra))
}

fn clock_mark(hour: u32, minute: u32, second: Option<u32>, either_half: bool, or_media: bool) -> Option<Mark> {
    let byte = |number: u32| u8::try_from(number).ok();
    let second = match second {
        Some(second) => Some(byte(second)?),
        None => None,
    };
    (hour <= 24 && minute < 60).then_some(())?;
    Some(Mark::Clock { hour: byte(hour)?, minute: byte(minute)?, second, either_half, or_media })
}
