//! Relations to events in words: "right after washing the dishes", "until I started reading".

use super::EventRelation;
use super::asks::{is_auxiliary, is_subject};
use super::clocks::Words;
use super::tokens::Gap;

/// Words of a relation at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Link {
    pub(super) relation: EventRelation,
    pub(super) near: bool,
    /// How many tokens they are.
    pub(super) length: usize,
}

fn link(relation: EventRelation, near: bool, length: usize) -> Option<Link> {
    Some(Link { relation, near, length })
}

/// The relation that begins at a place. `behind_ask`: the question word stands directly before it ("what followed").
pub(super) fn relation(words: Words, place: usize, behind_ask: bool) -> Option<Link> {
    let ahead = |offset| words.ahead(place, offset);
    let are = |list: &[&str]| words.are(place, list);
    match words.at(place) {
        "right" | "just" | "straight" | "immediately" | "directly" | "shortly" | "soon" => {
            let found = relation(words, place + 1, false).filter(|_| !ahead(1).is_empty())?;
            let side = matches!(
                ahead(1),
                "after" | "before" | "following" | "prior" | "afterwards" | "afterward" | "beforehand"
            );
            side.then_some(Link { near: true, length: found.length + 1, ..found })
        }
        "after" => link(EventRelation::After, false, 1),
        "afterwards" | "afterward" => link(EventRelation::After, false, 1),
        "before" => link(EventRelation::Before, false, 1),
        "by" if are(&["by", "the", "time"]) && is_subject(ahead(3)) => link(EventRelation::Before, false, 3),
        "beforehand" => link(EventRelation::Before, false, 1),
        "while" | "during" => link(EventRelation::While, false, 1),
        "since" => link(EventRelation::Since, false, 1),
        "until" | "till" => link(EventRelation::Until, false, 1),
        // "washing. And then?"
        "then" if ahead(1).is_empty() && place > 0 && words.at(place - 1) == "and" => {
            link(EventRelation::After, true, 1)
        }
        // "what I did following the meeting", but not "was I following a recipe"
        "following" if !ahead(1).is_empty() && follows_verb(words, place) => link(EventRelation::After, true, 1),
        "followed" if behind_ask => link(EventRelation::After, true, 1 + usize::from(ahead(1) == "after")),
        "preceded" if behind_ask => link(EventRelation::Before, true, 1),
        "prior" | "previous" | "previously" if ahead(1) == "to" => link(EventRelation::Before, true, 2),
        "ahead" if are(&["ahead", "of"]) => link(EventRelation::Before, false, 2),
        "earlier" if are(&["earlier", "than"]) => link(EventRelation::Before, false, 2),
        "later" if are(&["later", "than"]) => link(EventRelation::After, false, 2),
        "next" if matches!(ahead(1), "after") => link(EventRelation::After, true, 2),
        "as" if are(&["as", "soon", "as"]) => link(EventRelation::After, true, 3),
        "once" if is_subject(ahead(1)) => link(EventRelation::After, true, 1),
        "when" if !ahead(1).is_empty() && !is_auxiliary(ahead(1)) => link(EventRelation::While, false, 1),
        // "with the washing done"
        "with" if ends_with_phase(words, place) => link(EventRelation::After, true, 1),
        "every" | "each" if ahead(1) == "time" && is_subject(ahead(2)) => link(EventRelation::While, false, 2),
        "whenever" => link(EventRelation::While, false, 1),
        "between" => link(EventRelation::Between, false, 1),
        _ => None,
    }
}

/// True at the beginning of a clause, and behind "did", "what happened" and the like.
fn follows_verb(words: Words, place: usize) -> bool {
    words.tokens.get(place).is_some_and(|token| token.gap > Gap::Space)
        || place > 0
            && matches!(
                words.at(place - 1),
                "did" | "do" | "doing" | "happened" | "came" | "comes" | "right" | "straight" | "just"
            )
}

/// True if the last word of the clause says that something is over.
fn ends_with_phase(words: Words, place: usize) -> bool {
    let last = (1..12).take_while(|offset| !words.ahead(place, *offset).is_empty()).last();
    last.is_some_and(|last| last > 1 && phase(words.ahead(place, last)) == Some(EventPhase::Over))
}

/// Words that begin or end an event inside its clause: "when I had finished washing" is after washing.
pub(super) fn phase(word: &str) -> Option<EventPhase> {
    Some(match word {
        "finished" | "stopped" | "ended" | "done" | "over" => EventPhase::Over,
        "started" | "began" | "start" | "begin" => EventPhase::Begun,
        _ => return None,
    })
}

/// Whether an event is over or begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventPhase {
    Over,
    Begun,
}

/// The relation, given that the event is over or begins.
pub(super) fn with_phase(relation: EventRelation, phase: Option<EventPhase>) -> EventRelation {
    match (relation, phase) {
        (EventRelation::While, Some(EventPhase::Over)) => EventRelation::After,
        (EventRelation::Until, Some(EventPhase::Begun)) => EventRelation::Before,
        (relation, _) => relation,
    }
}
