//! Which words mean the same, and which name a broader kind: "sofa" and "couch", "animal" and "dog". The data is WordNet's (thesaurus.txt).

use super::english::stem;
use std::{cmp::Ordering, collections::HashSet, sync::LazyLock};

/// The number of steps from a word to a broader one: "guitar", "stringed instrument", "musical instrument".
const MOST_STEPS: usize = 7;
/// Senses this near to the root are too broad to name anything: "entity", "whole", "artifact".
const BROADEST: u8 = 4;
/// A word of the log has its two most frequent senses. More would find "halo" in "doughnut".
const SENSES: u8 = 2;

/// Lines of a key and its senses, each with its rank, in the order of the keys' bytes. The build writes it (`build.rs`), so that
/// nothing is read at a start.
static KEYS: &str = include_str!(concat!(env!("OUT_DIR"), "/senses.txt"));
/// The distance of each sense from its root; 128 more for the sense of a verb.
static DEPTHS: &[u8] = include!(concat!(env!("OUT_DIR"), "/depths.rs"));
/// The broader senses of all senses, one after the other, and where those of each begin.
static ALL_BROADER: &[u16] = include!(concat!(env!("OUT_DIR"), "/broader.rs"));
static STARTS: &[u16] = include!(concat!(env!("OUT_DIR"), "/starts.rs"));

/// Words that are apart from the senses.
#[derive(Default)]
struct Lists {
    /// Labels that an eye tells apart.
    labels: HashSet<&'static str>,
    /// The stems of their words.
    label_words: HashSet<&'static str>,
    /// The stems of verbs that no label has.
    wording: HashSet<&'static str>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let mut found = Lists::default();
    for (list, names) in
        include_str!(concat!(env!("OUT_DIR"), "/lists.txt")).lines().filter_map(|line| line.split_once('\t'))
    {
        if list == "wording" {
            found.wording.extend(names.split(','));
            continue;
        }
        found.labels.extend(names.split(','));
        found.label_words.extend(names.split([',', ' ']));
    }
    found
});

/// The senses of a word or phrase, by its key, with their ranks; none for a key that the thesaurus lacks.
fn senses(key: &str) -> Vec<(usize, u8)> {
    let bytes = KEYS.as_bytes();
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = bytes[low..middle].iter().rposition(|byte| *byte == b'\n').map_or(low, |at| low + at + 1);
        let end = bytes[start..high].iter().position(|byte| *byte == b'\n').map_or(high, |at| start + at);
        let Some((own, senses)) = KEYS.get(start..end).and_then(|line| line.split_once('\t')) else { break };
        match own.cmp(key) {
            Ordering::Less => low = end + 1,
            Ordering::Greater => high = start,
            Ordering::Equal => {
                let sense = |sense: &str| {
                    let (place, rank) = sense.split_once('~')?;
                    Some((place.parse().ok()?, rank.parse().ok()?))
                };
                return senses.split(' ').filter_map(sense).collect();
            }
        }
    }
    Vec::new()
}

/// The broader senses of a sense.
fn broader(place: usize) -> impl Iterator<Item = usize> {
    ALL_BROADER[usize::from(STARTS[place])..usize::from(STARTS[place + 1])].iter().map(|place| usize::from(*place))
}

/// True for a word that the thesaurus has, in any inflection.
pub(crate) fn has(word: &str) -> bool {
    !senses(&stem(word)).is_empty()
}

/// True for the stem of a verb that names nothing which an eye has a label for: "stash", "snap". People word their questions with such verbs.
pub(crate) fn is_wording(stem: &str) -> bool {
    LISTS.wording.contains(stem)
}

/// True if the word or phrase `asked` means the same as `own`, or a broader kind of it. Both are stems, joined by a space.
pub(crate) fn covers(asked: &str, own: &str) -> bool {
    // "office" and "hat" share a rare sense, but a label never stands for another one or for a part of it
    let is_label = |name: &str| LISTS.labels.contains(name);
    if is_label(asked) && (is_label(own) || LISTS.label_words.contains(own)) {
        return false;
    }
    let (asked, own) = (senses(asked), senses(own));
    if asked.is_empty() || own.is_empty() {
        return false;
    }
    let wanted: HashSet<usize> = asked.iter().map(|(place, _)| *place).collect();
    let mut level: Vec<usize> = own.iter().filter(|(_, rank)| *rank < SENSES).map(|(place, _)| *place).collect();
    if level.iter().any(|place| wanted.contains(place)) {
        return true;
    }
    for step in 0..MOST_STEPS {
        // the broader senses of verbs are soon vague: "move", "act"
        let is_act = |place: usize| DEPTHS[place] > 127;
        level = level.iter().filter(|place| step == 0 || !is_act(**place)).flat_map(|place| broader(*place)).collect();
        level.sort_unstable();
        level.dedup();
        if level.iter().any(|place| wanted.contains(place) && DEPTHS[*place] & 127 >= BROADEST) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{ALL_BROADER, DEPTHS, KEYS, STARTS, covers, senses};
    use crate::prompt::english::key;

    #[test]
    fn every_key_is_found_with_its_senses() {
        assert!(KEYS.lines().count() > 20_000);
        assert_eq!((STARTS.len(), ALL_BROADER.len()), (DEPTHS.len() + 1, usize::from(STARTS[DEPTHS.len()])));
        for line in KEYS.lines() {
            let (key, written) = line.split_once('\t').expect("a key");
            let found = senses(key);
            assert_eq!(found.len(), written.split(' ').count(), "{key}");
            assert!(found.iter().all(|(place, _)| *place < DEPTHS.len()), "{key}");
        }
        for absent in ["", "zzz", "blorp", "A"] {
            assert!(senses(absent).is_empty(), "{absent}");
        }
    }

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
