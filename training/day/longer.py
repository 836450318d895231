"""The questions that only a long day asks: by order, place, time and quantity.

One function for each kind. Each takes (rng, segments, words) and gives a Case with one right
answer, or None if the day has no such question. What goes on at either end of "between 10:00 and
12:30" belongs to that time: both ends lie within segments, at least two seconds from their borders.
Where that could matter, the segments at both ends have nothing to do with the question.
"""

from collections import Counter

import vocab
from day.asking import TIMES_WORD, Case
from day.daylog import greetings, lasting, listed, sentence, time_text
from day.ordered import MOST, ORDER_KINDS, chosen, inside, stays, times, window, worded


# by time
def where_at(rng, segments, words):
    n = rng.randint(1, len(segments))
    question = worded(rng, "where_at", words, time=inside(rng, segments[n - 1]))
    return Case("where_at", question, sentence(words.in_place(segments[n - 1].place)), [n])


def people_at(rng, segments, words):
    n = rng.randint(1, len(segments))
    found = segments[n - 1]
    if not found.people and rng.random() < 0.6:
        return None
    question = worded(rng, "people_at", words, time=inside(rng, found))
    return Case("people_at", question, sentence(vocab.PEOPLE[found.people]), [n])


def seen_at(rng, segments, words):
    n = rng.randint(1, len(segments))
    found = segments[n - 1]
    if len(found.seen) != 1 or found.held:
        return None
    question = worded(rng, "seen_at", words, time=inside(rng, found))
    return Case("seen_at", question, sentence("the " + found.seen[0]), [n])


# by place
def lone_stay(rng, segments, most=1):
    """(place, first line, last line) of a place that is reached once, for at most that many lines;
    or None."""
    every = stays(segments)
    counts = Counter(place for place, _, _ in every)
    fit = [stay for stay in every if counts[stay[0]] == 1 and stay[2] - stay[1] < most]
    return rng.choice(fit) if fit else None


def doing_in(rng, segments, words):
    stay = lone_stay(rng, segments)
    return stay and Case(
        "doing_in",
        worded(rng, "doing_in", words, place=stay[0]),
        sentence(segments[stay[1] - 1].activity),
        [stay[1]],
    )


def visits(rng, segments, words):
    every = stays(segments)
    place = rng.choice(segments).place
    # where the day begins, one has not gone
    there = [stay for stay in every if stay[0] == place]
    if place == segments[0].place or not 2 <= len(there) <= MOST:
        return None
    lines = [n for _, first, last in there for n in range(first, last + 1)]
    return Case("visits", worded(rng, "visits", words, place=place), TIMES_WORD[len(there)], lines)


def count_in(rng, segments, words):
    deed, lines = chosen(rng, segments, 2)
    place = deed and segments[rng.choice(lines) - 1].place
    there = [n for n in lines if segments[n - 1].place == place]
    if not deed or len(there) == len(lines) or len(there) > MOST:
        return None
    question = worded(rng, "count_in", words, deed, place=place)
    return Case("count_in", question, TIMES_WORD[len(there)], there)


# by the time between two times
def between(rng, segments, fits, most=120):
    """(lines between two lines, slots for both times): both lines have fits(segment) = False."""
    ends = window(rng, segments, 3, most)
    if not ends or any(fits(segments[n - 1]) for n in ends):
        return None
    return list(range(ends[0] + 1, ends[1])), times(rng, segments, *ends)


def count_between(rng, segments, words):
    deed, every = chosen(rng, segments, 3)
    found = deed and between(rng, segments, lambda s: s.activity == deed, len(segments))
    if not found:
        return None
    lines = [n for n in found[0] if n in every]
    if not 1 <= len(lines) <= MOST or len(lines) == len(every):
        return None
    question = worded(rng, "count_between", words, deed, **found[1])
    return Case("count_between", question, TIMES_WORD[len(lines)], lines)


def when_between(rng, segments, words):
    deed, every = chosen(rng, segments, 3)
    found = deed and between(rng, segments, lambda s: s.activity == deed)
    lines = [n for n in found[0] if n in every] if found else []
    if len(lines) != 1:
        return None
    question = worded(rng, "when_between", words, deed, **found[1])
    s = segments[lines[0] - 1]
    where = question.startswith("Where")
    answer = sentence(words.in_place(s.place)) if where else f"At {time_text(s.start)}."
    return Case("when_between", question, answer, lines)


def did_between(rng, segments, words):
    deed, every = chosen(rng, segments, 2)
    found = deed and between(rng, segments, lambda s: s.activity == deed)
    if not found:
        return None
    lines = [n for n in found[0] if n in every]
    if bool(lines) != (rng.random() < 0.5):
        return None
    question = worded(rng, "did_between", words, deed, **found[1])
    return Case("did_between", question, "Yes." if lines else "No.", lines[:1])


def said_between(rng, segments, words):
    found = between(rng, segments, lambda s: s.heard, 12)
    lines = [n for n in found[0] if segments[n - 1].heard] if found else []
    if len(lines) != 1:
        return None
    question = worded(rng, "said_between", words, **found[1])
    return Case("said_between", question, sentence(segments[lines[0] - 1].heard), lines)


def met_between(rng, segments, words):
    known = dict(greetings(segments))
    met = {segments[line - 1].start for line in known}
    found = between(rng, segments, lambda s: s.start in met, len(segments))
    lines = [n for n in found[0] if n in known] if found else []
    if not 2 <= len(lines) <= 4:
        return None
    question = worded(rng, "met_between", words, **found[1])
    return Case("met_between", question, sentence(listed([known[n] for n in lines])), lines)


def list_between(rng, segments, words):
    ends = window(rng, segments, 1, 3)
    lines = list(range(ends[0], ends[1] + 1)) if ends else []
    done = [segments[n - 1].activity for n in lines]
    if not done or len(set(done)) < len(done):
        return None
    question = worded(rng, "list_between", words, **times(rng, segments, *ends))
    return Case("list_between", question, sentence(listed(done)), lines)


def places_between(rng, segments, words):
    ends = window(rng, segments, 1, 9)
    lines = list(range(ends[0], ends[1] + 1)) if ends else []
    been = [place for place, _, _ in stays([segments[n - 1] for n in lines])]
    if not 2 <= len(been) <= 4 or len(set(been)) < len(been):
        return None
    question = worded(rng, "places_between", words, **times(rng, segments, *ends))
    return Case("places_between", question, sentence(listed(been)), lines)


def where_between(rng, segments, words):
    long = [stay for stay in stays(segments) if stay[2] > stay[1]]
    if not long:
        return None
    place, first, last = rng.choice(long)
    question = worded(rng, "where_between", words, **times(rng, segments, first, last))
    return Case(
        "where_between", question, sentence(words.in_place(place)), list(range(first, last + 1))
    )


# how long
def lasted(kind, question, segments, lines):
    whole = sum(segments[n - 1].end - segments[n - 1].start for n in lines)
    return Case(kind, question, sentence(lasting(whole)), lines)


def how_long(rng, segments, words):
    deed, lines = chosen(rng, segments, 1, 1)
    question = deed and worded(rng, "how_long", words, deed)
    return question and lasted("how_long", question, segments, lines)


def how_long_in(rng, segments, words):
    stay = lone_stay(rng, segments, 8)
    question = stay and worded(rng, "how_long_in", words, place=stay[0])
    return question and lasted("how_long_in", question, segments, list(range(stay[1], stay[2] + 1)))


def how_long_total(rng, segments, words):
    deed, lines = chosen(rng, segments, 2, MOST)
    question = deed and worded(rng, "how_long_total", words, deed)
    return question and lasted("how_long_total", question, segments, lines)


# whom
def met_name(kind, answer):
    """The kind that asks when or where somebody said a name."""

    def make(rng, segments, words):
        known = greetings(segments)
        if not known:
            return None
        line, name = rng.choice(known)
        if [other for _, other in known].count(name) > 1:
            return None
        question = worded(rng, kind, words, name=name.capitalize())
        return Case(kind, question, answer(segments[line - 1], words), [line])

    return make


def many(rng, segments, words):
    """How many times, for more than four times."""
    deed, lines = chosen(rng, segments, 5, MOST)
    return deed and Case(
        "how_many",
        rng.choice(words.phrasings["how_many"]).format(**words.forms(deed)),
        TIMES_WORD[len(lines)],
        lines,
    )


LONG_KINDS = ORDER_KINDS | {
    "where_at": where_at,
    "people_at": people_at,
    "seen_at": seen_at,
    "doing_in": doing_in,
    "visits": visits,
    "count_in": count_in,
    "count_between": count_between,
    "when_between": when_between,
    "did_between": did_between,
    "said_between": said_between,
    "met_between": met_between,
    "list_between": list_between,
    "places_between": places_between,
    "where_between": where_between,
    "how_long": how_long,
    "how_long_in": how_long_in,
    "how_long_total": how_long_total,
    "met_when": met_name("met_when", lambda s, _: f"At {time_text(s.start)}."),
    "met_where": met_name("met_where", lambda s, words: sentence(words.in_place(s.place))),
}
