//! Answers that somebody said: the sentence with the words of a question, and what it adds to them.
//!
//! "Who does the violin belong to?" and "the violin belongs to oscar." share two words; the sentence adds "oscar". Who spoke is unknown, so a whole
//! sentence is quoted as what someone said.

use super::{
    LogLine, MAX_LINES,
    computed::{capitalised, sentence as as_sentence},
    speech,
};
use crate::{
    prompt::{
        english::{ASKING, FUNCTION, INTERROGATIVE, content, listed, stem, words},
        thesaurus,
    },
    query::{Asks, Order, Query, SMALL_NUMBERS},
};
use std::collections::HashSet;

/// Words of a question that say that somebody spoke, or that somebody wants something of the person who asks.
pub(super) const TELLING: &str = "mention mentioned mentioning mentions according supposed told tell asked ask said say says saying heard hear \
    should shall must promised promise request requested remind reminded";
/// Words of a question that no sentence needs to have.
const REPORTING: &str = "someone somebody anyone anybody person people something anything \
    many much often long number count total time times";
/// Words of having.
const OWNING: &str = "belong belongs belonged own owns owned owner mine";
/// Words that open a request or a greeting and add nothing.
const OPENING: &str = "please go hello hi good nice let";
/// The beginning of a place, and of a time.
const PLACING: &str = "in on at under behind beside near inside";
const TIMING: &str = "at on in around by before after until tomorrow today tonight this";

/// Words of a question about what somebody wants, told or mentioned, whatever the camera saw.
const WANTING: &str = "mention mentioned mentioning according supposed told asked should requested reminded";

/// True if a question is about what somebody said, and not about what the camera saw.
pub(super) fn is_reported(question: &str) -> bool {
    let words = words(question);
    // "What did they ask about Sarah?" asks for the words
    if words
        .windows(2)
        .any(|pair| listed("said say told tell asked ask heard hear mentioned", &pair[0]) && pair[1] == "about")
    {
        return false;
    }
    let promised = words.windows(2).any(|pair| pair[0] == "i" && pair[1] == "promised");
    words.iter().any(|word| listed(WANTING, word) || word == "whose" || listed(OWNING, word))
        || promised && words.iter().any(|word| word == "who" || word == "whom")
}

/// A question as words to look for in sentences.
struct Wanted<'a> {
    asks: Asks,
    /// Words that a sentence must have.
    required: Vec<(String, &'a str)>,
    /// Words that questions use for much else.
    helpful: Vec<(String, &'a str)>,
    /// The stems of all words.
    all: HashSet<String>,
    /// True if the question says that somebody spoke or wants something.
    reports: bool,
    owns: bool,
}

/// A sentence that fits, with its line.
struct Fit {
    line: usize,
    matched: usize,
    answer: String,
}

/// The lines and the answer, if what somebody said answers the question. `asked` are the words to look for, and `question` the whole question.
pub(super) fn spoken(
    question: &str,
    asked: &str,
    query: &Query,
    scope: &[usize],
    log: &[LogLine],
) -> Option<(Vec<usize>, String)> {
    let whole = words(question);
    let asked = words(asked);
    let reports = whole.iter().any(|word| listed(TELLING, word));
    // what others say tells nothing about what the wearer did
    let is_own = whole.iter().any(|word| word == "i");
    if is_own && !reports || query.asks == Asks::YesNo {
        return None;
    }
    let owns = whole.iter().any(|word| word == "whose" || listed(OWNING, word));
    let all = asked.iter().map(|word| stem(word)).collect();
    let about = content(&asked, &[FUNCTION, INTERROGATIVE, TELLING, REPORTING, OWNING]);
    let (helpful, required) = about.into_iter().partition(|(_, word)| listed(ASKING, word));
    let wanted = Wanted { asks: query.asks, required, helpful, all, reports, owns };
    let mut fits: Vec<Fit> = scope.iter().flat_map(|place| fits_of(&wanted, *place, &log[*place])).collect();
    let best = fits.iter().map(|fit| fit.matched).max()?;
    fits.retain(|fit| fit.matched == best);
    match query.order {
        Order::First => fits.truncate(1),
        Order::Last => drop(fits.drain(..fits.len() - 1)),
        Order::Nth(number) => fits = fits.into_iter().skip(usize::from(number).saturating_sub(1)).take(1).collect(),
        _ => {}
    }
    let mut answers: Vec<&str> = fits.iter().map(|fit| fit.answer.as_str()).collect();
    answers.dedup();
    // two different ones say that the question is about something else
    let [answer] = answers[..] else { return None };
    Some((fits.iter().map(|fit| fit.line).take(MAX_LINES).collect(), answer.to_owned()))
}

fn fits_of(wanted: &Wanted, place: usize, line: &LogLine) -> Vec<Fit> {
    let sentences =
        speech(&line.text).split_inclusive(['.', '?', '!']).map(str::trim).filter(|sentence| !sentence.is_empty());
    sentences
        .filter_map(|sentence| {
            let (matched, answer) = fit(wanted, sentence)?;
            Some(Fit { line: place, matched, answer })
        })
        .collect()
}

/// The number of shared words, and the answer, if the sentence has one.
fn fit(wanted: &Wanted, sentence: &str) -> Option<(usize, String)> {
    let said = words(sentence);
    // a question answers nothing
    const DOUBTING: &str = "is are was were do does did have has am";
    let asks = |word: &String| listed(INTERROGATIVE, word) || sentence.ends_with('?') && listed(DOUBTING, word);
    if said.first().is_some_and(asks) {
        return None;
    }
    let stems: Vec<String> = said.iter().map(|word| stem(word)).collect();
    let mut used = vec![false; said.len()];
    let mut take = |(asked, _): &(String, &str)| match stems.iter().position(|own| own == asked) {
        Some(place) => {
            used[place] = true;
            true
        }
        // "colour" is in "brown", which stays a part of the answer
        None => stems.iter().any(|own| thesaurus::covers(asked, own)),
    };
    let required = wanted.required.iter().filter(|word| take(word)).count();
    let helpful = wanted.helpful.iter().filter(|word| take(word)).count();
    let may_lack = usize::from(wanted.required.len() >= 4);
    let is_enough = match wanted.required.len() {
        0 => helpful >= 1 && helpful == wanted.helpful.len() && wanted.reports,
        all => required + may_lack >= all,
    };
    if !is_enough {
        return None;
    }
    if wanted.owns {
        let owning = said.iter().position(|word| listed(OWNING, word))?;
        used[owning] = true;
    }
    let answer = added(wanted.asks, wanted.owns, &said, &used, sentence)?;
    // the same form of a word fits better: "found" and "find"
    let same_form = wanted.helpful.iter().filter(|(_, word)| said.iter().any(|own| own == word)).count();
    let shared = stems.iter().filter(|stem| wanted.all.contains(*stem)).count();
    Some((2 * (required + helpful) + same_form + shared, answer))
}

/// What a sentence adds to the words that it shares with a question.
fn added(asks: Asks, owns: bool, said: &[String], used: &[bool], sentence: &str) -> Option<String> {
    let is_content = |place: usize| {
        !listed(FUNCTION, &said[place]) && !listed(OPENING, &said[place]) && !listed(INTERROGATIVE, &said[place])
    };
    const TENS: &str = "twenty thirty forty fifty sixty seventy eighty ninety hundred";
    let is_number =
        |word: &str| SMALL_NUMBERS.contains(&word) || listed(TENS, word) || word.chars().all(|c| c.is_ascii_digit());
    // stretches of words that the question does not have, each with a word of content
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    let mut from = 0;
    let ends = used.iter().copied().chain([true]).enumerate().filter(|(_, ends)| *ends);
    for (place, _) in ends {
        if (from..place).any(is_content) {
            runs.push(from..place);
        }
        from = place + 1;
    }
    let told = |range: std::ops::Range<usize>| Some(as_sentence(&said[range].join(" ")));
    let begins = |list: &str| {
        runs.iter().find_map(|run| {
            let start = run.clone().find(|place| listed(list, &said[*place]))?;
            (start..run.end).any(is_content).then_some(start..run.end)
        })
    };
    let has_number = || runs.iter().cloned().flatten().find(|place| is_number(&said[*place]));
    match asks {
        Asks::Who => {
            let alone = |run: &std::ops::Range<usize>| {
                let own = run.clone().filter(|place| is_content(*place) && !listed(TELLING, &said[*place]));
                let own: Vec<usize> = own.collect();
                if let [name] = own[..] { Some((run.start, name)) } else { None }
            };
            let names: Vec<(usize, usize)> = runs.iter().filter_map(alone).collect();
            // "henry lost the black magnet": who did it stands first
            let name = match names[..] {
                [(_, name)] | [(0, name), ..] => name,
                _ => return None,
            };
            told(name..name + 1)
        }
        _ if owns => {
            let last = runs.last()?.clone().rfind(|place| is_content(*place))?;
            told(last..last + 1)
        }
        Asks::Where => told(begins(PLACING)?),
        Asks::When => told(begins(TIMING)?),
        Asks::HowMany | Asks::HowManyOf | Asks::HowLong => has_number().and_then(|place| {
            // "twenty bags", but "only six minutes" answers "how many minutes"
            let counts = said.get(place + 1).is_some_and(|_| is_content(place + 1) && !used[place + 1]);
            told(place..place + 1 + usize::from(counts))
        }),
        Asks::HowManyDays => None,
        _ => match &runs[..] {
            [] => None,
            [run] if run.clone().filter(|place| is_content(*place)).count() <= 4 => {
                let start =
                    run.clone().find(|place| is_content(*place) || listed("a an the to in on at", &said[*place]));
                told(start?..run.end)
            }
            _ => Some(format!("Someone said: \"{}\"", capitalised(sentence))),
        },
    }
}
