//! What a question is about, and the lines that are about it.

use super::{LogLine, parts};
use crate::prompt::english::{ASKING, FUNCTION, INTERROGATIVE, content, listed, stem, stems, words};
use std::collections::HashSet;

/// Words about speech: the answer lies in what was heard.
const SPEECH: &str = "say said says tell told talk talked speak spoke spoken hear heard words word promise promised promises \
    introduce introduced name names meet met call called ask asked reason";
/// Words about getting to know somebody, and the phrases of somebody who says a name.
const MEETING: &str = "meet met introduce introduced name names person persons people";
const INTRODUCTIONS: [&str; 5] = ["my name is", "i am ", "i'm ", "nice to meet", "call me "];
/// Words of speech that speech itself holds.
const PLEDGES: &str = "promise promised promises agree agreed";
/// Words of being somewhere, which a log does not write.
const STAY: &str = "stay stayed staying spend spent visit visited visiting enter entered come came coming go went going gone get got be";

/// The stems of each line, by part.
pub(super) struct Index {
    pub(super) lines: Vec<LineStems>,
    /// The stems of all lines.
    pub(super) all: HashSet<String>,
    /// The first words of the activities: what the wearer does.
    verbs: HashSet<String>,
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

/// What a question is about.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Topic {
    pub(super) stems: Vec<String>,
    /// True if the answer lies in speech.
    pub(super) is_speech: bool,
    /// True if the answer is somebody who said a name.
    pub(super) is_meeting: bool,
    /// True if the answer is a reason.
    pub(super) is_reason: bool,
}

impl Topic {
    /// True if no word narrows the lines.
    pub(super) fn is_open(&self) -> bool {
        self.stems.is_empty()
    }
}

impl Index {
    pub(super) fn of(log: &[LogLine]) -> Index {
        let line = |line: &LogLine| {
            let parts = parts(&line.text);
            LineStems {
                place: stems(&[parts.place]),
                activity: stems(&[parts.activity]),
                seen: stems(&[parts.people, parts.seen]),
                heard: stems(&[parts.heard]),
                introduces: INTRODUCTIONS.iter().any(|phrase| parts.heard.to_lowercase().contains(phrase)),
            }
        };
        let lines: Vec<LineStems> = log.iter().map(line).collect();
        let each = |line: &LineStems| {
            [&line.place, &line.activity, &line.seen, &line.heard].into_iter().flatten().cloned().collect::<Vec<_>>()
        };
        let all = lines.iter().flat_map(each).collect();
        let first = |line: &LogLine| words(parts(&line.text).activity).first().map(|word| stem(word));
        Index { lines, all, verbs: log.iter().filter_map(first).collect() }
    }

    /// What the words of a topic are about. Words that questions use and logs do not are left out.
    pub(super) fn topic(&self, topic: &str) -> Topic {
        let words = words(topic);
        // "call a friend" is an activity where the log has one, and else about speech
        let is_speech = words.iter().any(|word| listed(SPEECH, word) && !self.verbs.contains(&stem(word)));
        let is_meeting = is_speech && words.iter().any(|word| listed(MEETING, word));
        let about = content(&words, &[FUNCTION, INTERROGATIVE]);
        let kept = |(stem, word): &(String, &str)| {
            self.verbs.contains(stem)
                || (listed(PLEDGES, word) && self.all.contains(stem))
                || !(listed(ASKING, word) || listed(STAY, word))
        };
        Topic {
            stems: about.into_iter().filter(kept).map(|(stem, _)| stem).collect(),
            is_speech,
            is_meeting,
            is_reason: false,
        }
    }

    /// The lines of `scope` about the topic. An activity is looked for in what was done, a place in where it was, and a thing in everything that
    /// was seen or done. Only then speech counts.
    pub(super) fn matching(&self, topic: &Topic, scope: &[usize]) -> Vec<usize> {
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
                topic.stems.iter().all(|stem| fields.iter().any(|field| field.iter().any(|own| same(own, stem))))
            };
            scope.iter().copied().filter(has).collect::<Vec<_>>()
        };
        if topic.is_speech {
            let found = all(|line| vec![&line.heard, &line.place, &line.activity, &line.seen]);
            let in_speech = all(|line| vec![&line.heard]);
            let spoken = |found: &[usize]| found.iter().copied().filter(heard).collect::<Vec<usize>>();
            // "why did I go to the office" is answered by somebody who names the office
            let found =
                if topic.is_reason && !spoken(&in_speech).is_empty() { spoken(&in_speech) } else { spoken(&found) };
            if !found.is_empty() || topic.is_meeting {
                return found;
            }
        }
        if topic.stems.iter().any(|stem| self.verbs.contains(stem)) {
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

    /// True if every word occurs somewhere in the log.
    pub(super) fn knows(&self, topic: &Topic) -> bool {
        topic.stems.iter().all(|stem| self.all.iter().any(|known| same(known, stem)))
    }
}

/// True for equal stems, and for those that one typing error may have made of each other. Short words differ by a wrong letter too often ("boots" and
/// "books"), so only letters in the wrong order ("tabel") or a missing one ("hamer") count there.
fn same(own: &str, stem: &str) -> bool {
    if own == stem {
        return true;
    }
    let (short, long) = (own.len().min(stem.len()), own.len().max(stem.len()));
    if short < 4 || long > short + 1 || own.chars().next() != stem.chars().next() && short < 6 {
        return false;
    }
    if strsim::osa_distance(own, stem) != 1 {
        return false;
    }
    let swapped = || {
        let letters = |word: &str| {
            let mut letters: Vec<char> = word.chars().collect();
            letters.sort_unstable();
            letters
        };
        letters(own) == letters(stem)
    };
    short >= 6 || (long > short && short >= 5) || (long == short && swapped())
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn a_typing_error_is_forgiven_where_it_makes_no_other_word() {
        for (own, typed) in
            [("tabl", "tabl"), ("table", "tabel"), ("play", "paly"), ("hammer", "hamer"), ("supermarket", "supermaket")]
        {
            assert!(same(own, typed), "{own} {typed}");
        }
        for (own, other) in
            [("boot", "book"), ("cake", "lake"), ("boots", "books"), ("map", "amp"), ("coat", "cat"), ("cart", "art")]
        {
            assert!(!same(own, other), "{own} {other}");
        }
    }
}
