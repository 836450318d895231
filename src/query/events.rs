//! Reads the events beside which an answer lies, and their words.

use super::asks::Asking;
use super::parse::{Reader, TokenUse};
use super::relations::{self, Link};
use super::{Asks, Beside, EventRelation, Order, lexicon};
use std::ops::Range;

/// The most words of an event.
const MOST_EVENT_WORDS: usize = 40;

impl Reader<'_> {
    pub(super) fn read_events(&mut self, ask: Option<Asking>) {
        let behind_ask = ask.map_or(0, |ask| ask.to);
        self.read_followed_by(behind_ask);
        for clause in self.parts.question.clone() {
            let mut place = clause.start;
            while place < clause.end {
                let behind = place == behind_ask && place > 0
                    || place > 0 && self.query.asks == Asks::Which && place == behind_ask + 1;
                let link = self.is_free(place).then(|| relations::relation(self.words, place, behind)).flatten();
                let link = link.filter(|_| {
                    !(self.words.at(place) == "when" && self.query.asks == Asks::When && place < behind_ask)
                });
                let Some(link) = link.filter(|link| place + link.length <= clause.end) else {
                    place += 1;
                    continue;
                };
                place = self.read_event(place, link, &clause, ask);
            }
        }
    }

    /// "what washing was followed by"
    fn read_followed_by(&mut self, behind_ask: usize) {
        let by = (behind_ask..self.roles.len())
            .find(|place| self.words.are(*place, &["followed", "by"]) && self.is_free(*place));
        let Some(by) = by.filter(|by| self.words.ahead(*by, 2).is_empty()) else { return };
        let (event, _) = self.event(behind_ask..by);
        if !event.is_empty() {
            self.query.beside =
                Some(Beside { relation: EventRelation::After, near: true, order: Order::None, event, other: None });
            self.use_up(behind_ask..by + 2);
        }
    }

    /// Reads one event behind a relation; gives the place behind it.
    fn read_event(&mut self, place: usize, link: Link, clause: &Range<usize>, ask: Option<Asking>) -> usize {
        let from = place + link.length;
        let stops = |at: usize| {
            let asked = ask.is_some_and(|ask| ask.from == at);
            let other =
                at > from && relations::relation(self.words, at, false).is_some() && self.words.at(at) != "when";
            asked || other || matches!(self.roles[at], TokenUse::Used | TokenUse::Out)
        };
        let most = clause.end.min(from + MOST_EVENT_WORDS);
        let end = (from..most).find(|at| stops(*at)).unwrap_or(most);
        let and = (link.relation == EventRelation::Between)
            .then(|| (from..end).find(|at| self.words.at(*at) == "and"))
            .flatten();
        let (event, phase) = self.event(from..and.unwrap_or(end));
        let other = and.map(|and| self.event(and + 1..end).0);
        let near = link.near;
        if link.relation == EventRelation::Between && other.as_deref().unwrap_or_default().is_empty() {
            return from;
        }
        // "until when", "since what day"
        if event.is_empty() && ask.is_some_and(|ask| ask.from == from) {
            self.use_up(place..from);
            return from;
        }
        // "when it was 08:30"
        if event.is_empty() && link.relation == EventRelation::While && self.roles.get(end) == Some(&TokenUse::Used) {
            self.use_up(place..end);
            return end;
        }
        if event.is_empty() {
            let behind =
                if matches!(self.words.at(from), "that" | "this" | "it") && from < end { from + 1 } else { from };
            self.use_up(place..behind);
            if self.wants_event.is_none() && self.query.beside.is_none() {
                self.wants_event = Some((link, place..behind));
            }
            return behind;
        }
        // "what I did afterwards, when I had washed"
        let (relation, near) = match self.wants_event.take_if(|_| link.relation == EventRelation::While) {
            Some((wanted, _)) => (wanted.relation, wanted.near),
            None => (link.relation, near),
        };
        if self.query.beside.is_some() {
            // a second relation has no place, unless it only says the same time in other words
            if link.relation != EventRelation::While {
                self.unplaced.push(place..from);
            }
            return end.max(from);
        }
        // "what I had just finished when I started washing"
        let over =
            |at: usize| self.is_free(at) && relations::phase(self.words.at(at)) == Some(relations::EventPhase::Over);
        let was_over = phase == Some(relations::EventPhase::Begun) && (0..place).any(over);
        let (relation, near) = match relations::with_phase(relation, phase) {
            EventRelation::While if was_over => (EventRelation::Before, true),
            relation => (relation, near),
        };
        let mut order = Order::None;
        if matches!(self.words.at(place), "every" | "each" | "whenever") {
            order = Order::Every;
        }
        self.query.beside = Some(Beside { relation, near, order, event, other });
        self.event_range = Some(place..end);
        self.use_up(place..end);
        end.max(from)
    }

    /// The words of an event, without pronouns, auxiliaries and words such as "finished" at its edges.
    pub(super) fn event(&self, range: Range<usize>) -> (String, Option<relations::EventPhase>) {
        let skips = |place: usize| {
            let word = self.words.at(place);
            lexicon::is_function(word)
                || relations::phase(word).is_some()
                || matches!(word, "then" | "once")
                || self.roles[place] == TokenUse::Order
        };
        let phase =
            range.clone().take_while(|place| skips(*place)).find_map(|place| relations::phase(self.words.at(place)));
        let start = range.clone().find(|place| !skips(*place)).unwrap_or(range.end);
        let end = (start..range.end).rev().find(|place| !skips(*place)).map_or(start, |place| place + 1);
        let tail = (end..range.end).find_map(|place| relations::phase(self.words.at(place)));
        let runs: Vec<usize> = (start..end).filter(|place| self.roles[*place] != TokenUse::Order).collect();
        let runs: Vec<String> =
            runs.chunk_by(|a, b| a + 1 == *b).map(|run| self.slice(run[0]..run[0] + run.len())).collect();
        (runs.join(" "), phase.or(tail))
    }
}
