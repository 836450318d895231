"""The parts of the questions that only a long day asks, and the questions by order.

One function for each kind, as in longer.py.
"""

import texts
from day.asking import NUMBER, Case
from day.daylog import lines_of, sentence, time_text

PHRASINGS = texts.sections("phrasings_long")
NTH = dict(zip(range(2, 6), ("second", "third", "fourth", "fifth")))
MOST = len(NUMBER)  # the greatest count that is asked for


def worded(rng, kind, words, activity=None, other=None, place=None, thing=None, **slots):
    """A wording of the kind with its slots filled. Numbers among `slots` are seconds."""
    slots = {k: time_text(v) if isinstance(v, int) else v for k, v in slots.items()}
    for deed, suffix in ((activity, ""), (other, "2")):
        if deed:
            forms = words.forms(deed)
            slots |= {form + suffix: forms[form] for form in ("gerund", "base", "past")}
    if place:
        slots |= {"place": place, "in": words.in_place(place)}
    if thing:
        slots["object"] = thing
    return rng.choice(PHRASINGS[kind]).format(**slots)


def inside(rng, segment):
    """A second well within the segment."""
    return rng.randint(segment.start + 2, segment.end - 3)


def by_activity(segments):
    """{activity: its lines}"""
    found = {}
    for i, s in enumerate(segments, 1):
        found.setdefault(s.activity, []).append(i)
    return found


def chosen(rng, segments, least=1, most=None):
    """(activity, its lines): an activity that occurs `least` to `most` times, or (None, [])."""
    fit = [
        (deed, lines)
        for deed, lines in by_activity(segments).items()
        if least <= len(lines) <= (most or len(segments))
    ]
    return rng.choice(fit) if fit else (None, [])


def stays(segments):
    """[(place, first line, last line)]: stretches in one place."""
    out = []
    for i, s in enumerate(segments, 1):
        if out and out[-1][0] == s.place:
            out[-1] = (s.place, out[-1][1], i)
        else:
            out.append((s.place, i, i))
    return out


def window(rng, segments, least=3, most=40):
    """Two lines, the second `least` to `most` lines after the first, or None."""
    if len(segments) <= least:
        return None
    far = rng.randint(least, min(most, len(segments) - 1))
    first = rng.randint(1, len(segments) - far)
    return first, first + far


def times(rng, segments, first, last):
    """The slots {from} and {to}: a second in each of the two lines."""
    return {"from": inside(rng, segments[first - 1]), "to": inside(rng, segments[last - 1])}


def when_first(rng, segments, words):
    deed, lines = chosen(rng, segments, 2)
    return deed and Case(
        "when_first",
        worded(rng, "when_first", words, deed),
        f"At {time_text(segments[lines[0] - 1].start)}.",
        lines[:1],
    )


def when_nth(rng, segments, words):
    deed, lines = chosen(rng, segments, 2)
    if not deed:
        return None
    n = rng.randint(2, min(len(lines), max(NTH)))
    return Case(
        "when_nth",
        worded(rng, "when_nth", words, deed, nth=NTH[n]),
        f"At {time_text(segments[lines[n - 1] - 1].start)}.",
        [lines[n - 1]],
    )


def where_end(kind, end):
    """The kind that asks where the first or last time was."""

    def make(rng, segments, words):
        deed, lines = chosen(rng, segments, 2)
        return deed and Case(
            kind,
            worded(rng, kind, words, deed),
            sentence(words.in_place(segments[lines[end] - 1].place)),
            [lines[end]],
        )

    return make


def first_seen(rng, segments, words):
    things = sorted({thing for s in segments for thing in (*s.seen, s.held) if thing})
    thing = rng.choice(things)
    line = lines_of(segments, thing=thing)[0]
    return Case(
        "first_seen",
        worded(rng, "first_seen", words, thing=thing),
        sentence(words.in_place(segments[line - 1].place)),
        [line],
    )


def beside(kind, end, step):
    """The kind that asks what came right before or after the first or last time."""

    def make(rng, segments, words):
        deed, lines = chosen(rng, segments, 2)
        line = lines[end] + step if deed else 0
        if not 1 <= line <= len(segments):
            return None
        return Case(
            kind,
            worded(rng, kind, words, deed),
            sentence(segments[line - 1].activity),
            [line],
        )

    return make


def next_time(kind, step):
    """The kind that asks for the first time after a time, or the last time before one."""

    def make(rng, segments, words):
        deed, lines = chosen(rng, segments, 2)
        found = rng.choice(segments)
        if not deed or found.activity == deed:
            return None
        then = inside(rng, found)
        fit = [n for n in lines if (segments[n - 1].start > then) == (step > 0)]
        if not fit or len(fit) == len(lines):
            return None
        line = fit[0] if step > 0 else fit[-1]
        return Case(
            kind,
            worded(rng, kind, words, deed, time=then),
            f"At {time_text(segments[line - 1].start)}.",
            [line],
        )

    return make


def two_deeds(rng, segments):
    """[(activity, its lines)] of two activities, of which every time of the first comes before
    every time of the second; or None."""
    found = list(by_activity(segments).items())
    pair = rng.sample(found, 2) if len(found) > 1 else found
    pair.sort(key=lambda item: item[1])
    if len(pair) < 2 or pair[0][1][-1] > pair[1][1][0]:
        return None
    return pair


def order(rng, segments, words):
    pair = two_deeds(rng, segments)
    if not pair:
        return None
    (first, lines), (second, others) = pair
    asked = rng.sample([first, second], 2)
    question = worded(rng, "order", words, asked[0], asked[1])
    return Case("order", question, sentence(first), [lines[0], others[0]])


def did_before(rng, segments, words):
    pair = two_deeds(rng, segments)
    if not pair:
        return None
    (first, lines), (second, others) = pair
    yes = rng.random() < 0.5
    asked = (first, second) if yes else (second, first)
    question = worded(rng, "did_before", words, *asked)
    return Case("did_before", question, "Yes." if yes else "No.", [lines[0], others[0]])


ORDER_KINDS = {
    "when_first": when_first,
    "when_nth": when_nth,
    "where_first": where_end("where_first", 0),
    "where_last": where_end("where_last", -1),
    "first_seen": first_seen,
    "after_first": beside("after_first", 0, 1),
    "after_last": beside("after_last", -1, 1),
    "before_first": beside("before_first", 0, -1),
    "before_last": beside("before_last", -1, -1),
    "when_after": next_time("when_after", 1),
    "when_before": next_time("when_before", -1),
    "order": order,
    "did_before": did_before,
}
