//! Reads a question: finds what asks, then times, events and order, and leaves the words to search for.

use super::asks::{self, Asking};
use super::clauses::{self, Clauses};
use super::clocks::Words;
use super::lexicon::{self, Word};
use super::relations::Link;
use super::tokens::tokens;
use super::when::{Point, TimeRelation, When};
use super::{Asks, Beside, EventRelation, Order, Query, order, times};
use std::ops::Range;

/// The most words that are read: the last ones of a longer text, which a language model then reads too.
const MOST_WORDS: usize = 500;
/// What a token is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenUse {
    /// Outside of the question.
    Out,
    /// Not yet read.
    Free,
    /// Read.
    Used,
    /// Read as a word of order; the words around it belong together.
    Order,
}

/// A question while it is read.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) words: Words<'a>,
    pub(super) roles: Vec<TokenUse>,
    pub(super) parts: Clauses,
    pub(super) query: Query,
    /// Times that the query has no room for.
    pub(super) unplaced: Vec<Range<usize>>,
    /// Words of order, not yet given to the event or to what is asked.
    orders: Vec<(Range<usize>, Order)>,
    /// The tokens of the event beside which the answer lies.
    pub(super) event_range: Option<Range<usize>>,
    /// True if a relation has no event of its own: "and before that?"
    pub(super) wants_event: Option<(Link, Range<usize>)>,
}

/// Reads a question in English. Every text gives a query; `parsed` is false if words of time, order or quantity are left,
/// or if the text is not plainly English or longer than 500 words. Of a longer text, the last words are read.
pub fn parse(question: &str) -> Query {
    let mut tokens = tokens(question);
    let is_cut = tokens.len() > MOST_WORDS;
    tokens.drain(..tokens.len().saturating_sub(MOST_WORDS));
    let words = Words { tokens: &tokens };
    let ask = asks::ask(words);
    let parts = clauses::parts(words, ask.as_ref());
    let mut roles = vec![TokenUse::Out; tokens.len()];
    for place in parts.question.iter().cloned().flatten() {
        roles[place] = TokenUse::Free;
    }
    let mut reader = Reader {
        text: question,
        words,
        roles,
        parts,
        query: Query::default(),
        unplaced: Vec::new(),
        orders: Vec::new(),
        event_range: None,
        wants_event: None,
    };
    reader.read(ask);
    reader.query.parsed &= !is_cut;
    reader.query
}

impl Reader<'_> {
    fn read(&mut self, ask: Option<Asking>) {
        if let Some(ask) = ask {
            self.query.asks = ask.asks;
            self.use_up(ask.from..ask.to);
        }
        self.read_times(self.parts.question.clone());
        self.read_fillers();
        self.read_alternatives();
        self.read_order();
        self.read_events(ask);
        self.place_orders();
        self.leave_out_matrix(ask);
        self.read_list(ask);
        let refers = self.refers_back(ask);
        self.leave_out_request(refers, ask);
        self.read_statement(refers);
        self.read_fillers();
        self.read_order();
        self.place_orders();
        self.query.topic = self.topic();
        self.settle(ask);
        self.query.unknown = self.unknown();
        self.query.parsed = self.query.unknown.is_empty() && self.is_english();
    }

    pub(super) fn use_up(&mut self, range: Range<usize>) {
        let end = range.end.min(self.roles.len());
        for role in &mut self.roles[range.start.min(end)..end] {
            *role = TokenUse::Used;
        }
    }

    pub(super) fn is_free(&self, place: usize) -> bool {
        self.roles.get(place) == Some(&TokenUse::Free)
    }

    pub(super) fn free_places(&self) -> Vec<usize> {
        (0..self.roles.len()).filter(|place| self.is_free(*place)).collect()
    }

    fn read_fillers(&mut self) {
        for place in self.free_places() {
            if let Some(length) = order::filler(self.words, place).filter(|_| self.is_free(place)) {
                self.use_up(place..place + length);
            }
        }
    }

    /// Reads the times in some clauses; several pieces become one time.
    pub(super) fn read_times(&mut self, clauses: Vec<Range<usize>>) {
        for clause in clauses {
            let mut place = clause.start;
            while place < clause.end {
                let found = (self.roles[place] != TokenUse::Used).then(|| times::time(self.words, place)).flatten();
                let Some((when, length)) = found.filter(|(_, length)| place + length <= clause.end) else {
                    place += 1;
                    continue;
                };
                let range = place..place + length;
                match merged(self.query.when.as_ref(), &when) {
                    Some(whole) => self.query.when = Some(whole),
                    None => self.unplaced.push(range.clone()),
                }
                self.use_up(range);
                place += length;
            }
        }
    }

    /// Drops the words around the question in its own clause: "Could you tell me where".
    fn leave_out_matrix(&mut self, ask: Option<Asking>) {
        let Some(ask) = ask else { return };
        let Some(clause) = self.parts.question.iter().find(|clause| clause.contains(&ask.from)).cloned() else {
            return;
        };
        let has_content = (ask.to..clause.end).any(|place| {
            self.is_free(place) && lexicon::is_content(self.words.at(place)) || self.roles[place] == TokenUse::Used
        });
        if has_content || self.query.beside.is_some() && ask.asks != Asks::When {
            for place in clause.start..ask.from {
                if self.roles[place] == TokenUse::Free {
                    self.roles[place] = TokenUse::Out;
                }
            }
        }
    }

    /// Drops "could you tell me" before a question that leans on what was said before.
    fn leave_out_request(&mut self, refers: bool, ask: Option<Asking>) {
        let Some(ask) = ask.filter(|_| refers && !self.parts.stated.is_empty()) else { return };
        let clause = self.parts.question.iter().find(|clause| clause.contains(&ask.from)).cloned();
        for place in clause.map_or(0..0, |clause| clause.start..ask.from) {
            if self.roles[place] == TokenUse::Free {
                self.roles[place] = TokenUse::Out;
            }
        }
    }

    /// "before or after", "which came later": words that leave a side open, or choose one.
    fn read_alternatives(&mut self) {
        for place in self.free_places() {
            let are = |words: &[&str]| self.words.are(place, words);
            if are(&["before", "or", "after"]) || are(&["after", "or", "before"]) {
                self.unplaced.push(place..place + 3);
                self.use_up(place..place + 3);
            } else if matches!(self.query.asks, Asks::Which | Asks::What)
                && matches!(self.words.at(place), "later" | "earlier" | "sooner")
                && (self.query.asks == Asks::Which || self.words.tokens.iter().any(|token| token.low == "or"))
            {
                let order = if self.words.at(place) == "later" { Order::Last } else { Order::First };
                self.orders.push((place..place + 1, order));
                self.roles[place] = TokenUse::Order;
            }
        }
    }

    /// Gives each word of order to the event that contains it, or to what is asked.
    fn place_orders(&mut self) {
        for (range, order) in std::mem::take(&mut self.orders) {
            let inside = self.event_range.as_ref().is_some_and(|event| event.contains(&range.start));
            let slot = match self.query.beside.as_mut().filter(|_| inside) {
                Some(beside) => &mut beside.order,
                None => &mut self.query.order,
            };
            match *slot {
                Order::None | Order::Next => *slot = order,
                known if known == order || order == Order::Next => {}
                _ => self.unplaced.push(range),
            }
        }
    }

    /// "List all the places", "everything I ate".
    fn read_list(&mut self, ask: Option<Asking>) {
        let places = self.free_places();
        let first = places
            .iter()
            .copied()
            .find(|place| !matches!(lexicon::group(self.words.at(*place)), Some(Word::Interjection)));
        let lists = |place: usize| {
            let next = self.words.ahead(place, 1);
            match self.words.at(place) {
                "all" => matches!(next, "the" | "my" | "of" | "places" | "that" | "i"),
                "every" | "each" => next != "time" && lexicon::is_content(next) || next == "place",
                "everything" | "everyone" | "everybody" => true,
                _ => false,
            }
        };
        let imperative = first.filter(|place| {
            matches!(self.words.at(*place), "list" | "name")
                && matches!(self.words.ahead(*place, 1), "all" | "the" | "my" | "every" | "everything" | "out" | "what")
        });
        let all = places.iter().copied().find(|place| lists(*place));
        // "What are all the things"
        let near =
            ask.zip(all).is_some_and(|(ask, all)| all <= ask.to + 1 && matches!(ask.asks, Asks::What | Asks::Who));
        let asked = self.query.asks == Asks::Other || near;
        if let Some(place) = imperative {
            self.query.asks = Asks::List;
            self.use_up(place..place + 1);
        } else if asked && all.is_some() {
            self.query.asks = Asks::List;
        }
        // "Give me the words"
        if self.query.asks == Asks::Other
            && let Some(place) = first.filter(|place| self.words.ahead(*place, 1) == "me")
        {
            self.use_up(place..place + 2);
        }
        if self.query.asks == Asks::List
            && let Some(place) = all
        {
            // the words before it ask for the list: "Give me", "Name"
            for before in places.iter().copied().filter(|before| *before < place) {
                self.roles[before] = TokenUse::Out;
            }
            self.use_up(place..place + 1);
        }
    }

    fn read_order(&mut self) {
        for place in self.free_places() {
            if !self.is_free(place) {
                continue;
            }
            let Some((order, length)) = order::order(self.words, place, self.query.asks) else { continue };
            if (place..place + length).any(|at| !self.is_free(at)) {
                continue;
            }
            // "the last three things"
            let counted = self.words.ahead(place, length);
            if matches!(order, Order::First | Order::Last | Order::Next)
                && !counted.is_empty()
                && order::is_number(self.words, place + length)
            {
                self.unplaced.push(place..place + length + 1);
            }
            self.orders.push((place..place + length, order));
            self.roles[place..place + length].fill(TokenUse::Order);
        }
        for place in self.free_places() {
            let word = self.words.at(place);
            let counts = self.query.asks == Asks::HowMany && matches!(word, "twice" | "thrice" | "often");
            if matches!(word, "again" | "finally") || counts || word == "previous" && self.words.ahead(place, 1) != "to"
            {
                self.roles[place] = TokenUse::Order;
            }
        }
    }

    /// The last decisions, once everything is read.
    fn settle(&mut self, ask: Option<Asking>) {
        let merges = matches!(
            self.query.asks,
            Asks::Where | Asks::When | Asks::YesNo | Asks::HowMany | Asks::HowLong | Asks::HowManyOf | Asks::Who
        );
        if let Some(beside) = &self.query.beside
            && beside.relation == EventRelation::While
            && merges
            && self.query.topic.is_empty()
        {
            self.query.topic = beside.event.clone();
            if self.query.order == Order::None {
                self.query.order = beside.order;
            }
            self.query.beside = None;
        }
        // "When I said it, what came next?", "What was my previous activity when I started?"
        if let Some(beside) = self.query.beside.as_mut().filter(|beside| beside.relation == EventRelation::While) {
            let earlier = self.words.tokens.iter().any(|token| token.low == "previous");
            if self.query.order == Order::Next || earlier {
                (beside.relation, beside.near) =
                    (if earlier { EventRelation::Before } else { EventRelation::After }, true);
            }
        }
        // "Which places was I in", "On which days", "List what I did"
        let plural = |place: usize| matches!(self.words.at(place), "places" | "days");
        let lists = matches!(self.query.asks, Asks::Where | Asks::When | Asks::What | Asks::Which | Asks::Who);
        if let Some(ask) = ask.filter(|_| lists)
            && self.query.order == Order::None
            && (plural(ask.to) || plural(ask.to - 1) || ask.from > 0 && self.words.at(0) == "list")
        {
            self.query.order = Order::Every;
        }
        // "I read a book and then what did I do next?"
        if let Some(ask) = ask.filter(|_| self.query.order == Order::Next && self.query.beside.is_none())
            && (0..ask.from).any(|place| self.words.at(place) == "then")
            && self.free_places().iter().all(|place| *place < ask.from || !lexicon::is_content(self.words.at(*place)))
            && !self.query.topic.is_empty()
        {
            let event = std::mem::take(&mut self.query.topic);
            self.query.beside =
                Some(Beside { relation: EventRelation::After, near: true, order: Order::None, event, other: None });
        }
        // "After washing?", "And then?"
        if self.query.asks == Asks::Other && self.query.beside.is_some() {
            self.query.asks = Asks::What;
        }
        // "What was I doing until I washed?"
        if self.query.asks == Asks::What
            && let Some(beside) = self.query.beside.as_mut().filter(|beside| beside.relation == EventRelation::Until)
        {
            (beside.relation, beside.near) = (EventRelation::Before, true);
        }
        // "What did I go there for?"
        if let Some(ask) = ask.filter(|ask| matches!(ask.asks, Asks::What)) {
            let clause = self.parts.question.iter().find(|clause| clause.contains(&ask.from)).cloned();
            // a time may follow: "for on Tuesday"
            let mut free = clause.into_iter().flatten().rev().filter(|place| self.roles[*place] == TokenUse::Free);
            let last = free.next();
            let is_last = |place: usize| {
                self.words.ahead(place, 1).is_empty() || self.roles.get(place + 1) != Some(&TokenUse::Free)
            };
            if last.is_some_and(|place| self.words.at(place) == "for" && is_last(place)) {
                self.query.asks = Asks::Why;
            }
        }
    }
}

/// One time from two pieces; none if both name the same part of it differently.
fn merged(known: Option<&When>, more: &When) -> Option<When> {
    let Some(known) = known else { return Some(more.clone()) };
    fn one<T: Copy + PartialEq>(a: Option<T>, b: Option<T>) -> Option<Option<T>> {
        match (a, b) {
            (Some(a), Some(b)) => (a == b).then_some(Some(a)),
            (a, b) => Some(a.or(b)),
        }
    }
    let point = |a: &Point, b: &Point| -> Option<Point> {
        Some(Point { day: one(a.day, b.day)?, part: one(a.part, b.part)?, time: one(a.time, b.time)? })
    };
    let (relation, to) = match (known.relation, more.relation) {
        (TimeRelation::At, relation) => (relation, &more.to),
        (relation, TimeRelation::At) => (relation, &known.to),
        (a, b) if a == b && known.to.is_none() && more.to.is_none() => (a, &None),
        _ => return None,
    };
    let to = match to {
        Some(to) => {
            // the other piece names the day of both points
            let other = if known.to.is_some() { &more.point } else { &known.point };
            Some(point(to, &Point { time: None, ..other.clone() })?)
        }
        None => None,
    };
    Some(When { relation, point: point(&known.point, &more.point)?, to })
}
