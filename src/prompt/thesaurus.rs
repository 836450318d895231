//! Which words mean the same, and which name a broader kind: "sofa" and "couch", "animal" and "dog". The data is WordNet's (thesaurus.txt).

use super::english::stem;
use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// The number of steps from a word to a broader one: "guitar", "stringed instrument", "musical instrument".
const MOST_STEPS: usize = 7;
/// Senses this near to the root are too broad to name anything: "entity", "whole", "artifact".
const BROADEST: usize = 4;
/// A word of the log has its two most frequent senses. More would find "halo" in "doughnut".
const SENSES: u8 = 2;

/// One sense of words.
struct Meaning {
    /// The places of the broader senses.
    broader: Vec<usize>,
    /// Its distance from the root.
    depth: usize,
    /// True if it is the sense of a verb.
    is_act: bool,
}

#[derive(Default)]
struct Thesaurus {
    meanings: Vec<Meaning>,
    /// The senses of each word or phrase, by stems, with the rank of the sense.
    senses: HashMap<&'static str, Vec<(usize, u8)>>,
    /// Labels that an eye tells apart.
    labels: HashSet<&'static str>,
    /// The stems of their words.
    label_words: HashSet<&'static str>,
    /// The stems of verbs that no label has.
    wording: HashSet<&'static str>,
}

/// The build has put the stems of words and phrases into the file.
static THESAURUS: LazyLock<Thesaurus> =
    LazyLock::new(|| read(include_str!(concat!(env!("OUT_DIR"), "/thesaurus.txt"))));

fn read(text: &'static str) -> Thesaurus {
    let mut found = Thesaurus::default();
    for line in text.lines() {
        let (broader, names) = line.split_once('\t').unwrap_or(("", line));
        if broader == "apart" {
            for label in names.split(',') {
                found.label_words.extend(label.split(' '));
                found.labels.insert(label);
            }
            continue;
        }
        if broader == "wording" {
            found.wording.extend(names.split(','));
            continue;
        }
        let place = found.meanings.len();
        let broader: Vec<usize> = broader.split(' ').filter_map(|number| number.parse().ok()).collect();
        let above = broader.iter().filter_map(|number| found.meanings.get(*number));
        let depth = above.map(|meaning| meaning.depth + 1).min().unwrap_or(0);
        // the first root is that of all nouns
        let is_act = match broader.first() {
            Some(above) => found.meanings.get(*above).is_some_and(|meaning| meaning.is_act),
            None => place > 0,
        };
        found.meanings.push(Meaning { broader, depth, is_act });
        for name in names.split(',').filter(|name| !name.is_empty()) {
            let (name, rank) = name.split_once('~').unwrap_or((name, "0"));
            found.senses.entry(name).or_default().push((place, rank.parse().unwrap_or(0)));
        }
    }
    found
}

/// True for a word that the thesaurus has, in any inflection.
pub(crate) fn has(word: &str) -> bool {
    THESAURUS.senses.contains_key(stem(word).as_str())
}

/// True for the stem of a verb that names nothing which an eye has a label for: "stash", "snap". People word their questions with such verbs.
pub(crate) fn is_wording(stem: &str) -> bool {
    THESAURUS.wording.contains(stem)
}

/// True if the word or phrase `asked` means the same as `own`, or a broader kind of it. Both are stems, joined by a space.
pub(crate) fn covers(asked: &str, own: &str) -> bool {
    let thesaurus = &*THESAURUS;
    // "office" and "hat" share a rare sense, but a label never stands for another one or for a part of it
    let is_label = |name: &str| thesaurus.labels.contains(name);
    if is_label(asked) && (is_label(own) || thesaurus.label_words.contains(own)) {
        return false;
    }
    let (Some(asked), Some(own)) = (thesaurus.senses.get(asked), thesaurus.senses.get(own)) else { return false };
    let wanted: HashSet<usize> = asked.iter().map(|(place, _)| *place).collect();
    let mut level: Vec<usize> = own.iter().filter(|(_, rank)| *rank < SENSES).map(|(place, _)| *place).collect();
    if level.iter().any(|place| wanted.contains(place)) {
        return true;
    }
    for step in 0..MOST_STEPS {
        // the broader senses of verbs are soon vague: "move", "act"
        let above = level.iter().map(|place| &thesaurus.meanings[*place]).filter(|own| step == 0 || !own.is_act);
        level = above.flat_map(|own| own.broader.iter().copied()).collect();
        level.sort_unstable();
        level.dedup();
        if level.iter().any(|place| wanted.contains(place) && thesaurus.meanings[*place].depth >= BROADEST) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::covers;
    use crate::prompt::english::key;

    #[test]
    fn words_cover_equal_and_narrower_ones() {
        let check = |asked: &str, own: &str| covers(&key(asked), &key(own));
        for (asked, own) in [
            ("couch", "sofa"),
            ("bicycle", "bike"),
            ("donut", "doughnut"),
            ("animal", "dog"),
            ("fruit", "banana"),
            ("instrument", "guitar"),
            ("flashlight", "torch"),
            ("mend", "fixing"),
            ("cleaning", "washing"),
        ] {
            assert!(check(asked, own), "{asked} {own}");
        }
        for (asked, own) in [
            ("banana", "fruit"),
            ("dog", "cat"),
            ("kitchen", "bathroom"),
            ("entity", "dog"),
            ("spaceship", "bus"),
            ("ring", "doughnut"),
            ("blorp", "dog"),
            // labels of one list
            ("purse", "handbag"),
            // a label and a word of another one, which share a rare sense
            ("office", "hat"),
            ("compass", "sweep"),
        ] {
            assert!(!check(asked, own), "{asked} {own}");
        }
    }
}
