//! What a question is about, and the lines that are about it.

use super::{
    LogLine,
    lists::{GENERIC, INTRODUCTIONS, LISTS, MEETING, PERSONAL, PLEDGES, SPEECH},
    parts,
    spelling::same,
    spoken::TELLING,
};
use crate::prompt::{
    english::{self, ASKING, FUNCTION, INTERROGATIVE, content, listed, stem, stems, words},
    thesaurus,
};
use std::collections::{BTreeSet, HashSet};

/// The stems of each line, by part.
pub(super) struct Index {
    pub(super) lines: Vec<LineStems>,
    /// The stems of all lines.
    pub(super) all: HashSet<String>,
    /// The stems of all that the camera saw.
    shown: HashSet<String>,
    /// The first words of the activities: what the wearer does.
    verbs: HashSet<String>,
    /// The places, activities and things of the log, and each of their words, by stems.
    phrases: BTreeSet<String>,
    /// All words as written.
    words: BTreeSet<String>,
    /// The lines that a question leaves out.
    left_out: HashSet<usize>,
}

pub(super) struct LineStems {
    pub(super) place: HashSet<String>,
    pub(super) activity: HashSet<String>,
    /// People and things.
    pub(super) seen: HashSet<String>,
    pub(super) heard: HashSet<String>,
    /// True if somebody says a name.
    pub(super) introduces: bool,
}

/// A word of a question, with the words of the log that it may mean.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Term {
    pub(super) stem: String,
    /// The stems of words or phrases of the log with the same meaning, or a narrower one. Empty if the log has the word itself.
    pub(super) others: Vec<Vec<String>>,
}

impl Term {
    /// True if one of the fields, or all together, have the word.
    fn is_in(&self, fields: &[&HashSet<String>]) -> bool {
        fields.iter().any(|field| field.iter().any(|own| same(own, &self.stem)))
            || self.others.iter().any(|other| other.iter().all(|stem| fields.iter().any(|field| field.contains(stem))))
    }
}

/// What a question is about.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Topic {
    pub(super) terms: Vec<Term>,
    /// True if the answer lies in speech.
    pub(super) is_speech: bool,
    /// True if the answer is somebody who said a name.
    pub(super) is_meeting: bool,
    /// True if the answer is a reason.
    pub(super) is_reason: bool,
    /// True if the answer is a promise.
    pub(super) is_pledge: bool,
    /// True if the question has words of content, and all of them are words with which people ask.
    pub(super) is_emptied: bool,
    /// True if speech about something is asked for, and not speech at a place.
    pub(super) is_about: bool,
}

impl Topic {
    /// True if no word narrows the lines.
    pub(super) fn is_open(&self) -> bool {
        self.terms.is_empty()
    }

    /// The places, things and activities of some lines that a word of the topic covers ("the dog" for "animal"); `None` if the log has all words.
    pub(super) fn covered<'a>(&self, index: &Index, texts: impl Iterator<Item = &'a str>) -> Option<Vec<String>> {
        // "Which foods did I see in the kitchen?": the first is a kind, the others say where
        let (term, places) = self.terms.split_first()?;
        let rest = Topic { terms: places.to_vec(), ..Topic::default() };
        if term.others.is_empty() || !rest.is_open() && !index.has_place(&rest) {
            return None;
        }
        let mut found = Vec::new();
        for text in texts {
            let parts = parts(text);
            // a dressing room is a room, and nothing to wear
            let fits = |name: &str| {
                let (own, last) = (stems(&[name]), words(name).pop().map(|word| stem(&word)));
                let has = |other: &Vec<String>| other.iter().all(|stem| own.contains(stem));
                term.others.iter().any(|other| has(other) && last.as_ref().is_some_and(|last| other.contains(last)))
            };
            // a palace is a building
            let named = std::iter::once(parts.place).chain(parts.things());
            found.extend(named.filter(|name| !name.is_empty() && fits(name)).map(|name| format!("the {name}")));
            // "feeding the cat" has the cat, but "getting dressed" has no dress
            let own = parts.activity.split(' ').skip(1).filter(|word| !word.ends_with("ed") || stem(word) == **word);
            found.extend(own.filter(|word| fits(word)).map(|word| format!("the {word}")));
        }
        (!found.is_empty()).then_some(found)
    }

    /// True if a name consists of the topic's words.
    pub(super) fn names(&self, name: &str) -> bool {
        let own = stems(&[name]);
        own.len() == self.terms.len() && self.terms.iter().all(|term| term.is_in(&[&own]))
    }

    /// True if a text has all words.
    pub(super) fn is_in_text(&self, text: &str) -> bool {
        self.terms.iter().all(|term| term.is_in(&[&stems(&[text])]))
    }

    /// True if the place of a line has all words.
    pub(super) fn is_in_place(&self, line: &LineStems) -> bool {
        self.terms.iter().all(|term| term.is_in(&[&line.place]))
    }
}

impl Index {
    pub(super) fn of(log: &[LogLine]) -> Index {
        let line = |line: &LogLine| {
            let parts = parts(&line.text);
            LineStems {
                place: stems(&[parts.place]),
                activity: stems(&[parts.activity]),
                seen: stems(&[parts.people, parts.seen, parts.detected, parts.told]),
                heard: stems(&[parts.heard]),
                introduces: INTRODUCTIONS.iter().any(|phrase| parts.heard.to_lowercase().contains(phrase)),
            }
        };
        let lines: Vec<LineStems> = log.iter().map(line).collect();
        let seen = |line: &LineStems| {
            [&line.place, &line.activity, &line.seen].into_iter().flatten().cloned().collect::<Vec<_>>()
        };
        let shown: HashSet<String> = lines.iter().flat_map(seen).collect();
        let all = lines.iter().flat_map(|line| &line.heard).chain(&shown).cloned().collect();
        let first = |line: &LogLine| words(parts(&line.text).activity).first().map(|word| stem(word));
        let mut phrases = BTreeSet::new();
        for line in log {
            let parts = parts(&line.text);
            for phrase in [parts.place, parts.activity].into_iter().chain(parts.things()) {
                let key = english::key(phrase);
                phrases.extend(key.split(' ').filter(|word| !word.is_empty()).map(str::to_owned));
                // "playing table tennis" has "table tennis"
                if let Some((_, object)) = key.split_once(' ') {
                    phrases.insert(object.to_owned());
                }
                phrases.insert(key);
            }
        }
        let written = log.iter().flat_map(|line| words(&line.text)).collect();
        let verbs = log.iter().filter_map(first).collect();
        Index { lines, all, shown, verbs, phrases, words: written, left_out: HashSet::new() }
    }

    /// Leaves out the lines in which the camera saw what these words name.
    pub(super) fn leave_out(&mut self, words: &str) {
        let topic = self.topic(words);
        let lines = 0..self.lines.len();
        self.left_out = lines.filter(|place| !topic.is_open() && self.shows(&topic, &[*place])).collect();
    }

    /// What the words of a topic are about, without verbs that only word it: "bang in a nail" is about the nail.
    pub(super) fn topic(&self, topic: &str) -> Topic {
        let mut found = self.whole_topic(topic);
        let has = |term: &Term| !term.others.is_empty() || term.is_in(&[&self.all]);
        if found.terms.iter().any(has) {
            found.terms.retain(|term| has(term) || !thesaurus::is_wording(&term.stem));
        }
        found
    }

    /// What the words of a topic are about. Words that questions use and logs do not are left out.
    pub(super) fn whole_topic(&self, topic: &str) -> Topic {
        let words = words(topic);
        // "call a friend" is an activity where the log has one, and else about speech
        // "when the clock said 11:50"
        let is_speech = words.iter().any(|word| listed(SPEECH, word) && !self.verbs.contains(&stem(word)))
            && !words.iter().any(|word| word == "clock");
        // "what the person said" asks for the words
        let says = words.iter().any(|word| listed("say said says told tell hear heard", word));
        let meets = |word: &String| listed(MEETING, word) && !(says && listed("person persons people", word));
        let is_meeting = is_speech && words.iter().any(meets);
        let known = if is_speech { &self.all } else { &self.shown };
        let asks_only = |stem: &String, word: &str| {
            LISTS.asking.contains(stem)
                || LISTS.stay.contains(stem)
                || (LISTS.generic.contains(stem) && !known.contains(stem))
                || (is_meeting && listed(PERSONAL, word))
        };
        let kept = |(stem, word): &(String, &str)| {
            self.verbs.contains(stem) || (listed(PLEDGES, word) && self.all.contains(stem)) || !asks_only(stem, word)
        };
        let (mut terms, mut place) = (Vec::new(), 0);
        while place < words.len() {
            if let Some((term, length)) = self.phrase(&words[place..]) {
                terms.push(term);
                place += length;
                continue;
            }
            let word = content(&words[place..=place], &[FUNCTION, INTERROGATIVE]);
            terms.extend(word.into_iter().filter(kept).map(|(stem, _)| self.term(stem)));
            place += 1;
        }
        // "the first thing I saw" sees, "I saw wood" saws
        if let ([only], true) = (&terms[..], words.iter().any(|word| word == "saw"))
            && only.stem == "saw"
        {
            terms.clear();
        }
        let is_emptied = terms.is_empty()
            && content(&words, &[FUNCTION, INTERROGATIVE]).iter().any(|(stem, _)| {
                LISTS.generic.contains(stem) && !LISTS.asking.contains(stem) && !LISTS.stay.contains(stem)
            });
        let is_pledge = words.iter().any(|word| listed(PLEDGES, word));
        Topic { terms, is_speech, is_meeting, is_reason: false, is_pledge, is_about: false, is_emptied }
    }

    /// The two to six words at the beginning that the thesaurus knows as a phrase, if the log has another word for it: "ping pong".
    fn phrase(&self, words: &[String]) -> Option<(Term, usize)> {
        [6, 5, 4, 3, 2].into_iter().find_map(|length| {
            let own = words.get(..length)?;
            // "get up to" has no word to look for
            if content(own, &[FUNCTION, INTERROGATIVE, ASKING]).iter().all(|(stem, _)| LISTS.stay.contains(stem)) {
                return None;
            }
            let stem = english::key(&own.join(" "));
            if !stem.contains(' ') || self.phrases.contains(&stem) {
                return None;
            }
            let term = self.term(stem);
            (!term.others.is_empty()).then_some((term, length))
        })
    }

    /// A word without its typing error: as the log writes it, or as one that questions use. `None` if it is right, or no such word is near.
    pub(super) fn spelled(&self, word: &str, grammar: &HashSet<&str>) -> Option<String> {
        let stemmed = stem(word);
        let is_known = self.all.contains(&stemmed)
            || LISTS.asking.contains(&stemmed)
            || LISTS.stay.contains(&stemmed)
            || LISTS.generic.contains(&stemmed)
            || listed(FUNCTION, word)
            || listed(INTERROGATIVE, word)
            || thesaurus::has(word);
        if is_known {
            return None;
        }
        let of_log = || self.words.iter().find(|known| same(known, word)).cloned();
        let mut asking: Vec<&str> = grammar.iter().copied().filter(|known| same(known, word)).collect();
        asking.sort_unstable();
        let generic =
            || [ASKING, GENERIC, TELLING].into_iter().flat_map(str::split_whitespace).find(|known| same(known, word));
        of_log().or_else(|| asking.first().map(|word| (*word).to_owned())).or_else(|| generic().map(str::to_owned))
    }

    /// A word of a question. The thesaurus is asked if the log does not have it.
    fn term(&self, stem: String) -> Term {
        if self.all.iter().any(|own| same(own, &stem)) {
            return Term { stem, others: Vec::new() };
        }
        let covered = self.phrases.iter().filter(|phrase| thesaurus::covers(&stem, phrase));
        let others = covered.map(|phrase| phrase.split(' ').map(str::to_owned).collect()).collect();
        Term { stem, others }
    }

    /// The lines of `scope` about the topic. An activity is looked for in what was done, a place in where it was, and a thing in everything that
    /// was seen or done. Only then speech counts.
    pub(super) fn matching(&self, topic: &Topic, scope: &[usize]) -> Vec<usize> {
        let scope: Vec<usize> = scope.iter().copied().filter(|place| !self.left_out.contains(place)).collect();
        let heard = |place: &usize| match topic.is_meeting {
            true => self.lines[*place].introduces,
            false => !self.lines[*place].heard.is_empty(),
        };
        if topic.is_open() {
            return scope.iter().copied().filter(|place| !topic.is_speech || heard(place)).collect();
        }
        let all = |fields: fn(&LineStems) -> Vec<&HashSet<String>>| {
            let has = |place: &usize| {
                let fields = fields(&self.lines[*place]);
                topic.terms.iter().all(|term| term.is_in(&fields))
            };
            scope.iter().copied().filter(has).collect::<Vec<_>>()
        };
        if topic.is_speech {
            let found = all(|line| vec![&line.heard, &line.place, &line.activity, &line.seen]);
            let in_speech = all(|line| vec![&line.heard]);
            let spoken = |found: &[usize]| found.iter().copied().filter(heard).collect::<Vec<usize>>();
            // "in the workshop" is where something was said, before it is what was said
            let shown = spoken(&all(|line| vec![&line.place, &line.activity, &line.seen]));
            // speech that names a place was not heard there
            let is_elsewhere = || self.has_place(topic) && !topic.is_meeting;
            if !(topic.is_reason || topic.is_pledge || topic.is_about) && (!shown.is_empty() || is_elsewhere()) {
                return shown;
            }
            // "why did I go to the office" is answered by somebody who names the office
            let found =
                if topic.is_reason && !spoken(&in_speech).is_empty() { spoken(&in_speech) } else { spoken(&found) };
            if !found.is_empty() || topic.is_meeting {
                return found;
            }
        }
        if topic.terms.iter().any(|term| self.is_act(term)) {
            return all(|line| vec![&line.activity, &line.place]);
        }
        let of_place = all(|line| vec![&line.place]);
        if !of_place.is_empty() {
            return of_place;
        }
        let visible = all(|line| vec![&line.seen, &line.activity, &line.place]);
        match visible.is_empty() {
            true => all(|line| vec![&line.seen, &line.activity, &line.place, &line.heard]),
            false => visible,
        }
    }

    /// True if the topic is a place of the log.
    pub(super) fn has_place(&self, topic: &Topic) -> bool {
        !topic.is_open() && self.lines.iter().any(|line| topic.is_in_place(line))
    }

    /// True if one of the lines has all words in what the camera saw.
    pub(super) fn shows(&self, topic: &Topic, lines: &[usize]) -> bool {
        let seen =
            |line: &LineStems| topic.terms.iter().all(|term| term.is_in(&[&line.place, &line.activity, &line.seen]));
        lines.iter().any(|place| seen(&self.lines[*place]))
    }

    /// True if the topic is the place of all lines, or a place and an activity.
    pub(super) fn shows_place(&self, topic: &Topic, lines: &[usize]) -> bool {
        let all = |line: &LineStems| topic.terms.iter().all(|term| term.is_in(&[&line.place, &line.activity]));
        lines.iter().all(|place| all(&self.lines[*place]))
    }

    /// True if every word occurs somewhere in the log.
    pub(super) fn knows(&self, topic: &Topic) -> bool {
        topic.terms.iter().all(|term| term.is_in(&[&self.all]))
    }

    /// Gives an act that only one of two topics names to the other: "the medal or the ball that I carried".
    pub(super) fn share_act(&self, one: &mut Topic, other: &mut Topic) {
        let acts = |topic: &Topic| topic.terms.iter().filter(|term| self.is_act(term)).cloned().collect::<Vec<_>>();
        match (acts(one), acts(other)) {
            (own, none) if none.is_empty() && one.terms.len() > own.len() => other.terms.extend(own),
            (none, own) if none.is_empty() && other.terms.len() > own.len() => one.terms.extend(own),
            _ => {}
        }
    }

    /// True for a word of doing: the first word of an activity, or one with the meaning of an activity.
    fn is_act(&self, term: &Term) -> bool {
        let is_verb = |stem: &String| self.verbs.contains(stem);
        is_verb(&term.stem) || term.others.iter().any(|other| other.first().is_some_and(is_verb))
    }
}
