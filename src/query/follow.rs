//! Follow-ups: a question that leans on the one before it, made into one that stands alone.
//!
//! `And the purse?`, `When?`, `Who did I meet there?` and `What did I do after that?` mean nothing alone. [`standalone()`] puts in the words
//! of the question before, and the place, the time or the activity of the line that answered it. Like all of `query`, it knows function words and
//! words of time, order and quantity only.

use super::{
    asks::{self, Asking},
    clocks::Words,
    lexicon, times,
    tokens::{Gap, Token, tokens},
};
use std::ops::Range;

/// What was asked and answered before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EarlierTurn {
    /// The question, as one that stands alone.
    pub question: String,
    /// Its answer; empty if it had none.
    pub answer: String,
    /// The place of the line that answered; empty if none did.
    pub place: String,
    /// The activity of that line; may be empty.
    pub activity: String,
    /// The start and the end of that line as a question names times: `08:10`, `01:44`, `09:15 on 2026-11-23`.
    pub times: Option<(String, String)>,
}

/// Words that open a follow-up without saying anything.
const OPENINGS: [&[&str]; 11] = [
    &["and", "what", "about"],
    &["what", "about"],
    &["and", "how", "about"],
    &["how", "about"],
    &["ok", "and"],
    &["okay", "and"],
    &["and", "then"],
    &["and"],
    &["or"],
    &["but"],
    &["so"],
];

/// Question words that may stand alone.
const BARE: [&[&str]; 14] = [
    &["how", "long"],
    &["for", "how", "long"],
    &["how", "often"],
    &["how", "many", "times"],
    &["how", "many"],
    &["who", "with"],
    &["with", "whom"],
    &["with", "who"],
    &["at", "what", "time"],
    &["what", "time"],
    &["when"],
    &["where"],
    &["why"],
    &["who"],
];

/// Words between a bare question word and its end that add nothing: "when was that?"
const TAILS: [&[&str]; 7] = [
    &["was", "that"],
    &["was", "it"],
    &["is", "that"],
    &["did", "that", "happen"],
    &["then"],
    &["exactly"],
    &["again"],
];

/// The follow-up as a question that stands alone, or `None` if it does not lean on what was said, or if nothing fits.
pub fn standalone(question: &str, before: &EarlierTurn) -> Option<String> {
    let all = tokens(question);
    let follow = Text { text: question, tokens: &all };
    let earlier = tokens(&before.question);
    let earlier = Text { text: &before.question, tokens: &earlier };
    if follow.tokens.is_empty() || earlier.tokens.is_empty() || follow.tokens.len() > 60 {
        return None;
    }
    let opening = OPENINGS.iter().find(|words| follow.words().are(0, words)).map_or(0, |words| words.len());
    let is_then = opening == 2 && follow.words().at(1) == "then";
    let rest = opening..follow.tokens.len();
    if rest.is_empty() {
        return is_then
            .then_some(before.times.as_ref())
            .flatten()
            .map(|(_, end)| format!("What did I do first after {end}?"));
    }
    bare(&follow, rest.clone(), &earlier, before)
        .or_else(|| (opening > 0).then(|| elliptic(&follow, rest.clone(), &earlier, before)).flatten())
        .or_else(|| pointing(&follow, rest, &earlier, before))
}

/// The question without the words of a day ("on Monday", "yesterday"); `None` if it names none. A language model that reads the lines of that day
/// looks for such words in vain.
pub fn without_day(question: &str) -> Option<String> {
    let all = tokens(question);
    let text = Text { text: question, tokens: &all };
    let time = text.time()?;
    let is_clock = text.slice(time.clone()).contains(':');
    let rest = text.with(time.clone(), "");
    (!is_clock && time.len() < all.len()).then(|| format!("{}?", capital(&rest)))
}

/// A text with its words.
struct Text<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl Text<'_> {
    fn words(&self) -> Words<'_> {
        Words { tokens: self.tokens }
    }

    /// The words of a range, as written.
    fn slice(&self, range: Range<usize>) -> &str {
        match self.tokens.get(range).and_then(|tokens| Some((tokens.first()?, tokens.last()?))) {
            Some((first, last)) => &self.text[first.start..last.end],
            None => "",
        }
    }

    /// The text without its final punctuation, with words in place of a range.
    fn with(&self, range: Range<usize>, words: &str) -> String {
        let (head, tail) = (self.slice(0..range.start), self.slice(range.end..self.tokens.len()));
        [head, words, tail].into_iter().filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// The places of words that name a time.
    fn time(&self) -> Option<Range<usize>> {
        (0..self.tokens.len())
            .find_map(|place| times::time(self.words(), place).map(|(_, length)| place..place + length))
    }

    /// The last thing that is named: a determiner with the words behind it, else the last words that are no function words.
    fn thing(&self) -> Option<Range<usize>> {
        let time = self.time().unwrap_or(0..0);
        let is_content = |place: usize| {
            !time.contains(&place)
                && lexicon::is_content(&self.tokens[place].low)
                && !asks::is_auxiliary(&self.tokens[place].low)
        };
        let last = (0..self.tokens.len()).rev().find(|place| is_content(*place))?;
        let joined = |place: &usize| is_content(*place) && (*place == last || self.tokens[place + 1].gap == Gap::Space);
        let first = (0..=last).rev().take_while(joined).last()?;
        let determined = first.checked_sub(1).filter(|place| is_determiner(self.words().at(*place)));
        // without a determiner, the words before the last one may be a verb: "drink coffee"
        Some(determined.unwrap_or(last)..last + 1)
    }

    fn asking(&self) -> Option<Asking> {
        asks::ask(self.words())
    }
}

fn is_determiner(word: &str) -> bool {
    matches!(word, "the" | "a" | "an" | "my" | "any" | "some" | "his" | "her" | "their" | "our" | "your")
}

fn is_preposition(word: &str) -> bool {
    matches!(word, "in" | "at" | "on" | "with" | "to" | "into" | "near" | "from" | "for" | "by")
}

/// "When?", "And how long?": the question before, asked with other question words.
fn bare(follow: &Text<'_>, rest: Range<usize>, earlier: &Text<'_>, before: &EarlierTurn) -> Option<String> {
    let words = follow.words();
    let asked = BARE.iter().find(|bare| words.are(rest.start, bare))?;
    let behind = rest.start + asked.len();
    let is_bare =
        behind == rest.end || TAILS.iter().any(|tail| behind + tail.len() == rest.end && words.are(behind, tail));
    if !is_bare {
        return None;
    }
    let asked = match asked {
        ["who", "with"] | ["with", "whom"] | ["with", "who"] => "who did i meet when",
        ["for", "how", "long"] => "how long",
        ["at", "what", "time"] | ["what", "time"] => "when",
        ["how", "many"] => "how many times",
        _ => follow.slice(rest.start..behind),
    };
    let asking = earlier.asking()?;
    // "what did i do": what was done is in the line that answered
    let names_thing = matches!(earlier.words().at(asking.from), "what" | "which" | "who" | "whom" | "whose");
    if names_thing {
        return (!before.activity.is_empty()).then(|| format!("{} was I {}?", capital(asked), before.activity));
    }
    let auxiliary = (asking.from..earlier.tokens.len()).find(|place| asks::is_auxiliary(earlier.words().at(*place)))?;
    let rest = earlier.slice(auxiliary + 1..earlier.tokens.len());
    Some(format!("{} {} {rest}?", capital(asked), earlier.words().at(auxiliary)))
}

/// "And the purse?", "And yesterday?", "What about the park?": the question before, about another thing, time or place.
fn elliptic(follow: &Text<'_>, rest: Range<usize>, earlier: &Text<'_>, before: &EarlierTurn) -> Option<String> {
    let words = follow.words();
    let timeless = || match earlier.time() {
        Some(range) => earlier.with(range, ""),
        None => earlier.slice(0..earlier.tokens.len()).to_owned(),
    };
    if rest.len() == 2 && matches!(words.at(rest.start + 1), "that" | "this" | "it") {
        let (start, end) = before.times.as_ref()?;
        match words.at(rest.start) {
            "before" => return Some(format!("{} before {start}?", timeless())),
            "after" => return Some(format!("{} after {end}?", timeless())),
            _ => {}
        }
    }
    let verbs = rest.clone().any(|place| asks::is_auxiliary(words.at(place)) || is_question_word(words.at(place)));
    if verbs || rest.len() > 8 {
        return None;
    }
    let said = follow.slice(rest.clone());
    let time = times::time(words, rest.start).filter(|(_, length)| *length == rest.len());
    if time.is_some() {
        return Some(format!("{} {said}?", timeless()));
    }
    if is_preposition(words.at(rest.start)) {
        let place = (0..earlier.tokens.len()).rev().find(|place| is_preposition(earlier.words().at(*place)));
        let to_end = |place: usize| {
            earlier.time().filter(|time| time.start > place).map_or(earlier.tokens.len(), |time| time.start)
        };
        return Some(match place {
            Some(place) => format!("{}?", earlier.with(place..to_end(place), said)),
            None => format!("{} {said}?", earlier.slice(0..earlier.tokens.len())),
        });
    }
    let thing = earlier.thing()?;
    let determiner = earlier.words().at(thing.start);
    let needs = is_determiner(determiner) && !is_determiner(words.at(rest.start)) && thing.len() > 1;
    let said = if needs { format!("{determiner} {said}") } else { said.to_owned() };
    Some(format!("{}?", earlier.with(thing, &said)))
}

/// "there", "then", "after that", "it": words of a follow-up that point at what was said.
fn pointing(follow: &Text<'_>, rest: Range<usize>, earlier: &Text<'_>, before: &EarlierTurn) -> Option<String> {
    let words = follow.words();
    let mut parts: Vec<String> = Vec::new();
    let mut changed = false;
    let mut place = rest.start;
    while place < rest.end {
        let (word, next) = (words.at(place), words.ahead(place, 1));
        let previous = if place > rest.start { words.at(place - 1) } else { "" };
        let times = before.times.as_ref();
        let found: Option<(String, usize)> = match word {
            "after" | "before" if matches!(next, "that" | "this" | "it") && words.ahead(place, 2).is_empty() => {
                times.map(|(start, end)| (format!("{word} {}", if word == "after" { end } else { start }), 2))
            }
            "at" if next == "that" && matches!(words.ahead(place, 2), "time" | "moment" | "point") => {
                times.map(|(start, _)| (format!("at {start}"), 3))
            }
            "then" if place > rest.start => times.map(|(start, _)| (format!("at {start}"), 1)),
            "next" | "afterwards" if place + 1 == rest.end => times.map(|(_, end)| (format!("first after {end}"), 1)),
            // "was there a dog" asks for something, "who was there" for a place
            "there" if !asks::is_auxiliary(previous) || place + 1 == rest.end => {
                (!before.place.is_empty()).then(|| (format!("in the {}", before.place), 1))
            }
            "it" | "them" | "those" | "that" if place > rest.start && !asks::is_auxiliary(previous) => {
                thing_of(earlier, before).map(|thing| (thing, 1))
            }
            "he" | "she" | "him" | "her" | "they" if !lexicon::is_content(next) || asks::is_auxiliary(previous) => {
                person_of(earlier, before).map(|person| (person, 1))
            }
            _ => None,
        };
        let (part, length) = match found {
            Some(found) => {
                changed = true;
                found
            }
            None => (follow.slice(place..place + 1).to_owned(), 1),
        };
        parts.push(part);
        place += length;
    }
    changed.then(|| format!("{}?", capital(&parts.join(" "))))
}

/// What "it" means: the thing of the question before, or a short answer that names one.
fn thing_of(earlier: &Text<'_>, before: &EarlierTurn) -> Option<String> {
    let asking = earlier.asking();
    let is_open = asking.is_some_and(|ask| matches!(earlier.words().at(ask.from), "what" | "which"));
    let answer = before.answer.trim_end_matches('.').trim();
    if is_open && !answer.is_empty() && answer.split_whitespace().count() <= 3 {
        let low = answer.to_lowercase();
        let has = low.split_whitespace().next().is_some_and(is_determiner);
        return Some(if has { low } else { format!("the {low}") });
    }
    let thing = earlier.thing()?;
    let said = earlier.slice(thing.clone());
    let determined = is_determiner(earlier.words().at(thing.start)) || thing.len() > 1;
    Some(if determined { said.to_owned() } else { format!("the {said}") })
}

/// What "she" means: the short answer to a question about a person.
fn person_of(earlier: &Text<'_>, before: &EarlierTurn) -> Option<String> {
    let ask = earlier.asking()?;
    let is_person = matches!(earlier.words().at(ask.from), "who" | "whom" | "whose");
    let answer = before.answer.trim_end_matches('.').trim();
    (is_person && !answer.is_empty() && answer.split_whitespace().count() <= 2).then(|| answer.to_owned())
}

fn is_question_word(word: &str) -> bool {
    matches!(word, "what" | "where" | "when" | "who" | "whom" | "whose" | "which" | "why" | "how")
}

/// The words with a capital first letter.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(question: &str, answer: &str) -> EarlierTurn {
        EarlierTurn {
            question: question.to_owned(),
            answer: answer.to_owned(),
            place: "cafe".to_owned(),
            activity: "reading the newspaper".to_owned(),
            times: Some(("08:10".to_owned(), "08:40".to_owned())),
        }
    }

    #[track_caller]
    fn check(question: &str, answer: &str, follow: &str, expected: &str) {
        let found = standalone(follow, &said(question, answer));
        assert_eq!(found.as_deref().unwrap_or_default(), expected, "{question} {follow}");
    }

    #[test]
    fn other_things_times_and_places_are_put_in() {
        let keys = "Where did I last see the keys?";
        check(keys, "In the cafe.", "And the purse?", "Where did I last see the purse?");
        check(keys, "In the cafe.", "what about my umbrella", "Where did I last see my umbrella?");
        check(keys, "In the cafe.", "and purse?", "Where did I last see the purse?");
        check(keys, "In the cafe.", "And yesterday?", "Where did I last see the keys yesterday?");
        check("When did I drink coffee today?", "At 08:10.", "And yesterday?", "When did I drink coffee yesterday?");
        check("When did I drink coffee?", "At 08:10.", "And tea?", "When did I drink tea?");
        check("Who did I meet in the cafe?", "Ben.", "And in the park?", "Who did I meet in the park?");
        check(
            "How many people were in the cafe at 10:00?",
            "Two.",
            "And at 11:00?",
            "How many people were in the cafe at 11:00?",
        );
    }

    #[test]
    fn bare_question_words_ask_the_same_again() {
        let keys = "Where did I last see the keys?";
        check(keys, "In the cafe.", "When?", "When did I last see the keys?");
        check(keys, "In the cafe.", "When was that?", "When did I last see the keys?");
        check("Did I drink coffee?", "Yes.", "how often?", "How often did I drink coffee?");
        check("Did I drink coffee?", "Yes.", "And where?", "Where did I drink coffee?");
        check("What did I do in the cafe?", "Reading.", "How long?", "How long was I reading the newspaper?");
    }

    #[test]
    fn pointing_words_are_replaced() {
        let keys = "Where did I last see the keys?";
        check(keys, "In the cafe.", "Who did I meet there?", "Who did I meet in the cafe?");
        check(keys, "In the cafe.", "What did I do then?", "What did I do at 08:10?");
        check(keys, "In the cafe.", "What did I do after that?", "What did I do after 08:40?");
        check(keys, "In the cafe.", "And before that?", "Where did I last see the keys before 08:10?");
        check(keys, "In the cafe.", "And then?", "What did I do first after 08:40?");
        check(keys, "In the cafe.", "When did I pick them up?", "When did I pick the keys up?");
        check("What did I carry?", "The purse.", "Where did I see it?", "Where did I see the purse?");
        check("Who did I meet?", "Ben.", "What did he say?", "What did Ben say?");
    }

    #[test]
    fn days_are_left_out() {
        let check = |question: &str, expected: Option<&str>| {
            assert_eq!(without_day(question).as_deref(), expected, "{question}")
        };
        check("What did I promise on Monday?", Some("What did I promise?"));
        check("Yesterday, what did I promise?", Some("What did I promise?"));
        check("What did I go to the bedroom for on 17 November?", Some("What did I go to the bedroom for?"));
        check("What was said at 08:30?", None);
        check("What did I promise?", None);
    }

    #[test]
    fn questions_that_stand_alone_stay() {
        let keys = "Where did I last see the keys?";
        for question in
            ["Was there a dog?", "What did I do first?", "Did I say that it is late?", "", "?", "Where is my umbrella?"]
        {
            let found = standalone(question, &said(keys, "In the cafe."));
            assert!(found.is_none() || question.contains("that it"), "{question} {found:?}");
        }
        assert_eq!(standalone("And the purse?", &EarlierTurn::default()), None);
    }
}
