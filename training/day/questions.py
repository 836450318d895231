"""The questions that a log answers: one function for each kind.

Each takes (rng, segments, words, strict) and gives a Case, or None if the day has no such question.
strict: only questions with one right answer (gold days). Otherwise the last of several answers
counts, as for "last".
"""

from collections import Counter

import vocab
from day.asking import TIMES_WORD, Case, absent_activities, phrase
from day.daylog import errands, greetings, lines_of, promises, sentence, time_text


def pick_line(rng, segments, strict, alone):
    """A line for which `alone(line)` holds. Without strict: any line, most often such a line."""
    fit = [s for s in segments if alone(s)]
    if not strict and (not fit or rng.random() < 0.15):
        fit = segments
    return rng.choice(fit) if fit else None


def once(segments):
    counts = Counter(s.activity for s in segments)
    return lambda s: counts[s.activity] == 1


def where_when(rng, segments, words, strict=True):
    found = pick_line(rng, segments, strict, once(segments))
    if found is None:
        return None
    n = lines_of(segments, activity=found.activity)[-1]
    return Case(
        "where_when",
        phrase(rng, "where_when", words, activity=found.activity),
        sentence(words.in_place(segments[n - 1].place)),
        [n],
        [n],
    )


def moment_of(rng, segment, strict):
    """A second in the segment. Without strict: often the first one, which is easier to find."""
    return (
        segment.start
        if not strict and rng.random() < 0.4
        else rng.randrange(segment.start, segment.end)
    )


def doing_at(rng, segments, words, strict=True):
    n = rng.randint(1, len(segments))
    found = segments[n - 1]
    return Case(
        "doing_at",
        phrase(rng, "doing_at", words, time=moment_of(rng, found, strict)),
        sentence(found.activity),
        [n],
        [n],
    )


def when_last(rng, segments, words, strict=True):
    activity = rng.choice(segments).activity
    lines = lines_of(segments, activity=activity)
    return Case(
        "when_last",
        phrase(rng, "when_last", words, activity=activity),
        f"At {time_text(segments[lines[-1] - 1].start)}.",
        [lines[-1]],
        lines,
    )


def did_i(rng, segments, words, strict=True, yes=None):
    yes = rng.random() < 0.5 if yes is None else yes
    absent = absent_activities(segments, words)
    if yes or not absent:
        activity = rng.choice(segments).activity
        lines = lines_of(segments, activity=activity)
        return Case(
            "did_i", phrase(rng, "did_i", words, activity=activity), "Yes.", lines[:1], lines
        )
    return Case("did_i", phrase(rng, "did_i", words, activity=rng.choice(absent)), "No.")


def how_many(rng, segments, words, strict=True, several=None):
    counts = {}
    for s in segments:
        counts[s.activity] = counts.get(s.activity, 0) + 1
    several = rng.random() < 0.7 if several is None else several
    fit = [a for a, n in counts.items() if n <= 4 and (n > 1) == several]
    if not fit:
        return None
    activity = rng.choice(fit)
    lines = lines_of(segments, activity=activity)
    return Case(
        "how_many",
        phrase(rng, "how_many", words, activity=activity),
        TIMES_WORD[len(lines)],
        lines,
        lines,
    )


def after(rng, segments, words, strict=True):
    found = pick_line(rng, segments[:-1], strict, once(segments))
    if found is None:
        return None
    n = lines_of(segments, activity=found.activity)[-1]
    if n == len(segments):
        return None
    return Case(
        "after",
        phrase(rng, "after", words, activity=found.activity),
        sentence(segments[n].activity),
        [n + 1],
        [n],
    )


def before(rng, segments, words, strict=True):
    found = pick_line(rng, segments[1:], strict, once(segments))
    if found is None:
        return None
    n = lines_of(segments, activity=found.activity)[-1]
    if n == 1:
        return None
    return Case(
        "before",
        phrase(rng, "before", words, activity=found.activity),
        sentence(segments[n - 2].activity),
        [n - 1],
        [n],
    )


def last_seen(rng, segments, words, strict=True):
    things = sorted({thing for s in segments for thing in (*s.seen, s.held) if thing})
    if not things:
        return None
    moved = [
        t for t in things if len({segments[n - 1].place for n in lines_of(segments, thing=t)}) > 1
    ]
    thing = rng.choice(moved if moved and rng.random() < 0.5 else things)
    lines = lines_of(segments, thing=thing)
    return Case(
        "last_seen",
        phrase(rng, "last_seen", words, thing=thing),
        sentence(words.in_place(segments[lines[-1] - 1].place)),
        [lines[-1]],
        lines,
    )


def why(rng, segments, words, strict=True, sent=None):
    """The reason: an errand, or the activity there."""
    sent = rng.random() < 0.6 if sent is None else sent
    asked = [e for e in errands(segments) if e[1] in words.places]
    if sent and asked:
        _, place, _ = rng.choice(asked)
        fit = [e for e in asked if e[1] == place]
        if strict and (
            len(fit) > 1 or min(lines_of(segments, place=place), default=0) <= fit[0][0]
        ):
            return None
        line, _, what = fit[-1]
        return Case("why", phrase(rng, "why", words, place=place), f"To {what}.", [line], [line])
    told = " ".join(s.heard for s in segments)
    counts = Counter(s.place for s in segments)
    found = pick_line(
        rng,
        [s for s in segments if not any(e[1] == s.place for e in asked)],
        strict,
        lambda s: counts[s.place] == 1 and s.place not in told and not s.held,
    )
    if found is None:
        return None
    n = lines_of(segments, place=found.place)[-1]
    return Case(
        "why",
        phrase(rng, "why", words, place=found.place),
        f"To {words.forms(segments[n - 1].activity)['base']}.",
        [n],
        [n],
    )


def promised(rng, segments, words, strict=True):
    made = promises(segments)
    if not made or strict and len(made) > 1:
        return None
    line, what = made[-1]
    return Case("promised", phrase(rng, "promised", words), f"To {what}.", [line], [line])


def met(rng, segments, words, strict=True, how=None):
    known = greetings(segments)
    if not known:
        return None
    how = how or rng.choice(("in", "any"))
    if how == "any":
        if strict and len(known) > 1:
            return None
        line, name = known[-1]
        return Case("met", phrase(rng, "met_any", words), sentence(name), [line], [line])
    place = segments[rng.choice(known)[0] - 1].place
    there = [(line, name) for line, name in known if segments[line - 1].place == place]
    if strict and len(there) > 1:
        return None
    line, name = there[-1]
    return Case("met", phrase(rng, "met", words, place=place), sentence(name), [line], [line])


def people(rng, segments, words, strict=True):
    crowded = rng.random() < 0.75
    counts = Counter(s.place for s in segments)
    found = pick_line(
        rng,
        [s for s in segments if bool(s.people) == crowded],
        strict,
        lambda s: counts[s.place] == 1,
    )
    if found is None:
        return None
    n = lines_of(segments, place=found.place)[-1]
    return Case(
        "people",
        phrase(rng, "people", words, place=found.place),
        sentence(vocab.PEOPLE[segments[n - 1].people]),
        [n],
        [n],
    )


def said(rng, segments, words, strict=True, how=None):
    spoken = [i for i, s in enumerate(segments, 1) if s.heard]
    counts = Counter(segments[i - 1].place for i in spoken)
    alone = [i for i in spoken if counts[segments[i - 1].place] == 1]
    how = how or rng.choice(("at", "in"))
    if not (spoken if how == "at" else alone):
        return None
    n = rng.choice(spoken if how == "at" else alone)
    found = segments[n - 1]
    question = (
        phrase(rng, "said_at", words, time=moment_of(rng, found, strict))
        if how == "at"
        else phrase(rng, "said_in", words, place=found.place)
    )
    return Case("said", question, sentence(found.heard), [n], [n])


KINDS = {
    "where_when": where_when,
    "doing_at": doing_at,
    "when_last": when_last,
    "did_i": did_i,
    "how_many": how_many,
    "after": after,
    "before": before,
    "last_seen": last_seen,
    "why": why,
    "said": said,
    "promised": promised,
    "met": met,
    "people": people,
}
