//! What was said before a question, when the question refers to it: "I was in the garden. Who did I meet there?"

use super::asks::Asking;
use super::parse::{Reader, TokenUse};
use super::{Asks, Beside, EventRelation, Order, clauses, lexicon, order};
use std::ops::Range;

impl Reader<'_> {
    /// True if words of the question stand for something that was said before.
    pub(super) fn refers_back(&self, ask: Option<Asking>) -> bool {
        let places = self.free_places();
        let content: Vec<usize> =
            places.iter().copied().filter(|place| lexicon::is_content(self.words.at(*place))).collect();
        let pronoun = places.iter().any(|place| {
            let next = self.words.ahead(*place, 1);
            match self.words.at(*place) {
                "them" | "they" | "their" | "he" | "she" | "him" | "his" | "her" => true,
                "there" => next.is_empty() || matches!(next, "for" | "at" | "with" | "then"),
                "that" | "this" | "those" | "these" => next.is_empty() || matches!(next, "happened" | "was"),
                // "what it was that I did"
                "it" if matches!(next, "was" | "is") => {
                    !matches!(self.words.ahead(*place, 2), "that" | "when" | "i" | "true")
                }
                "it" => !matches!(next, "that" | "when" | "i" | "you" | "where" | "who"),
                _ => false,
            }
        });
        // "What was the name?"
        let definite = self.query.asks == Asks::What
            && self.query.when.is_none()
            && matches!(content[..], [only] if only > 0 && self.words.at(only - 1) == "the" && self.words.ahead(only, 1).is_empty());
        let empty = content.is_empty() && self.query.beside.is_none() && (self.query.when.is_none() || ask.is_none());
        pronoun || definite || empty || self.wants_event.is_some()
    }

    /// Uses what was said before the question: as the event of a relation, as a time, or as words to search for.
    pub(super) fn read_statement(&mut self, refers: bool) {
        let stated = clauses::telling(self.words, &self.parts.stated.clone());
        // "The parcel, when did I carry it?"
        let stands_for = |place: usize| matches!(self.words.at(place), "it" | "them");
        let leans = self.event_range.clone().is_some_and(|mut event| event.any(stands_for));
        if let (true, Some(named)) = (leans, stated.last()) {
            let (named, _) = self.event(named.clone());
            if let Some(beside) = &mut self.query.beside {
                beside.event = format!("{} {named}", beside.event);
            } else if !self.query.topic.is_empty() {
                self.query.topic = format!("{} {named}", self.query.topic);
            }
        }
        if let Some((link, place)) = self.wants_event.take() {
            let clauses: Vec<_> =
                if stated.is_empty() { self.matrix_event(place.start).into_iter().collect() } else { stated };
            // "The first time I cooked, what came before that?"
            let order =
                clauses.iter().map(|clause| self.order_in(clause)).find(|order| !order.is_none()).unwrap_or_default();
            let event: Vec<String> =
                clauses.iter().map(|clause| self.event(clause.clone()).0).filter(|event| !event.is_empty()).collect();
            if event.is_empty() {
                self.unplaced.push(place);
            } else {
                for clause in clauses {
                    self.use_up(clause);
                }
                self.query.beside = Some(Beside {
                    relation: link.relation,
                    near: link.near,
                    order,
                    event: event.join(" "),
                    other: None,
                });
            }
            return;
        }
        let no_content = !self.free_places().iter().any(|place| lexicon::is_content(self.words.at(*place)));
        if self.query.when.is_none() && self.query.beside.is_none() {
            let clauses = self.parts.stated.clone();
            if refers || no_content || clauses.iter().any(|clause| self.has_clock(clause)) {
                self.read_times(clauses);
            }
        }
        let follows = self.query.order == Order::Next && self.query.beside.is_none();
        if follows && !stated.is_empty() {
            let order =
                stated.iter().map(|clause| self.order_in(clause)).find(|order| !order.is_none()).unwrap_or_default();
            let event: Vec<String> = stated.iter().map(|clause| self.event(clause.clone()).0).collect();
            self.query.beside =
                Some(Beside { relation: EventRelation::After, near: true, order, event: event.join(" "), other: None });
        } else if refers {
            let stated = if stated.is_empty() { self.parts.added.clone() } else { stated };
            let opens = |place: &usize| matches!(self.words.at(*place), "while" | "when" | "during");
            let openings: Vec<usize> = stated.iter().map(|clause| clause.start).filter(opens).collect();
            for place in stated.into_iter().flatten().filter(|place| !openings.contains(place)) {
                if self.roles[place] == TokenUse::Out {
                    self.roles[place] = TokenUse::Free;
                }
            }
        }
        for clause in self.parts.named.clone() {
            for place in clause {
                if self.roles[place] == TokenUse::Out {
                    self.roles[place] = TokenUse::Free;
                }
            }
        }
    }

    /// The order that a clause names. Its words are then no words of the event.
    fn order_in(&mut self, clause: &Range<usize>) -> Order {
        let found = clause.clone().find_map(|place| Some((place, order::order(self.words, place, self.query.asks)?)));
        let Some((place, (order, length))) = found else { return Order::None };
        let end = (place + length).min(clause.end);
        self.roles[place..end].fill(TokenUse::Order);
        order
    }

    /// True if a clause names a time in digits: "It was 08:30."
    fn has_clock(&self, clause: &Range<usize>) -> bool {
        clause.clone().any(|place| self.words.at(place).contains(':'))
    }

    /// The words of the question's own clause before a relation without an event: "washing, and before that?"
    fn matrix_event(&self, end: usize) -> Option<Range<usize>> {
        let free: Vec<usize> = self.free_places().into_iter().filter(|place| *place < end).collect();
        let content = free.iter().any(|place| lexicon::is_content(self.words.at(*place)));
        match (free.first(), free.last()) {
            (Some(first), Some(last)) if content => Some(*first..*last + 1),
            _ => None,
        }
    }
}
