"""Questions that newcomers ask about a log and that days of up to three minutes do not ask.

One function for each kind, as in day/questions.py; of several answers the last one counts. The
wordings are in texts/newcomers.txt.
"""

import sayings
import vocab
from day.asking import absent_activities, filled
from day.daylog import greetings, lasting, lines_of, listed, sentence, time_text
from day.refusals import refused, strange_thing
from language.logs import by_clock
from language.telling import (
    ENDS,
    LONGS,
    OTHER_LONGS,
    activity_of,
    any_second,
    at_time,
    distinct,
    place_of,
    shown,
    things,
    told,
    worded,
)

MOST = 4  # lines that a list or a duration rests on


# by time
def where_at(rng, segments, words, bank=None):
    n, when = any_second(rng, segments)
    question = worded(rng, "where_at", words, bank, time=when)
    where = sentence(words.in_place(segments[n - 1].place))
    return told("where_at", question, where, [n], "time", "place")


def people_at(rng, segments, words, bank=None):
    n, when = any_second(rng, segments)
    question = worded(rng, "people_at", words, bank, time=when)
    return told(
        "people_at", question, sentence(vocab.PEOPLE[segments[n - 1].people]), [n], "time", "people"
    )


def seen_at(rng, segments, words, bank=None):
    n, when = any_second(rng, segments)
    found = segments[n - 1]
    if found.held or not found.seen:
        return None
    return told(
        "seen_at", worded(rng, "seen_at", words, bank, time=when), things(found), [n], "time"
    )


def after_long(kind, answer, copied):
    """The kind that asks about a time so many seconds into the video."""

    def make(rng, segments, words, bank=None):
        if by_clock(segments):
            return None
        fit = [t for t in LONGS if at_time(segments, t)]
        late = [t for t in LONGS if t > segments[-1].end + 5]
        if late and rng.random() < 0.1:
            return refused(worded(rng, kind, words, bank, long=LONGS[rng.choice(late)]))
        if not fit:
            return None
        when = rng.choice(fit)
        n = at_time(segments, when)
        long = OTHER_LONGS.get(when, LONGS[when]) if rng.random() < 0.4 else LONGS[when]
        question = worded(rng, kind, words, bank, long=long)
        return told(kind, question, answer(segments[n - 1], words), [n], "time", copied)

    return make


def at_end(kind, answer, copied, end=None):
    """The kind that asks about the first or the last line."""

    def make(rng, segments, words, bank=None):
        name = rng.choice(list(ENDS))
        n = [1, len(segments)][ENDS[name] if end is None else end]
        question = worded(rng, kind, words, bank, end=name)
        return told(kind, question, answer(segments[n - 1], words), [n], "number", copied)

    return make


# by place
def lines_in(rng, segments, most=MOST):
    """(place, its lines) of a place with few lines, or None."""
    place = rng.choice(segments).place
    lines = lines_of(segments, place=place)
    return (place, lines) if len(lines) <= most else None


def listing(kind):
    """The kind that asks what was done in a place."""

    def make(rng, segments, words, bank=None):
        found = lines_in(rng, segments)
        if not found:
            return None
        place, lines = found
        if kind == "list_in" and len(lines) == 1 and rng.random() < 0.6:
            return None
        done = distinct([segments[n - 1].activity for n in lines])
        question = worded(rng, kind, words, bank, place=place)
        one = "activity" if len(lines) == 1 else ""
        return told(kind, question, sentence(listed(done)), lines, "place", one)

    return make


def seen_in(rng, segments, words, bank=None):
    found = lines_in(rng, segments, 1)
    s = found and segments[found[1][0] - 1]
    if not s or s.held or not s.seen:
        return None
    question = worded(rng, "seen_in", words, bank, place=s.place)
    return told("seen_in", question, things(s), found[1], "place")


# lists
def list_places(rng, segments, words, bank=None):
    if len(segments) > MOST + 1:
        return None
    been = distinct([s.place for s in segments])
    question = worded(rng, "list_places", words, bank)
    return told(
        "list_places", question, sentence(listed(been)), range(1, len(segments) + 1), "place"
    )


def list_all(rng, segments, words, bank=None):
    if len(segments) > MOST:
        return None
    done = distinct([s.activity for s in segments])
    question = worded(rng, "list_all", words, bank)
    return told(
        "list_all", question, sentence(listed(done)), range(1, len(segments) + 1), "activity"
    )


def list_where(rng, segments, words, bank=None):
    deed = rng.choice(segments).activity
    lines = lines_of(segments, activity=deed)
    if not 2 <= len(lines) <= MOST:
        return None
    been = distinct([segments[n - 1].place for n in lines])
    question = worded(rng, "list_where", words, bank, activity=deed)
    return told("list_where", question, sentence(listed(been)), lines, "activity")


# how long
def how_long(rng, segments, words, bank=None):
    deed = rng.choice(segments).activity
    return duration(
        segments,
        lines_of(segments, activity=deed),
        "how_long",
        "activity",
        lambda: worded(rng, "how_long", words, bank, activity=deed),
    )


def how_long_in(rng, segments, words, bank=None):
    place = rng.choice(segments).place
    return duration(
        segments,
        lines_of(segments, place=place),
        "how_long_in",
        "place",
        lambda: worded(rng, "how_long_in", words, bank, place=place),
    )


def duration(segments, lines, kind, named, question):
    if by_clock(segments) or len(lines) > 2:
        return None
    whole = sum(segments[n - 1].end - segments[n - 1].start for n in lines)
    return told(kind, question(), sentence(lasting(whole)), lines, named)


# first
def when_first(rng, segments, words, bank=None):
    deed = rng.choice(segments).activity
    lines = lines_of(segments, activity=deed)
    question = worded(rng, "when_first", words, bank, activity=deed)
    start = time_text(segments[lines[0] - 1].start)
    return told("when_first", question, f"At {start}.", lines[:1], "activity", "time")


def first_seen(rng, segments, words, bank=None):
    known = sorted({thing for s in segments for thing in (*s.seen, s.held) if thing})
    if not known:
        return None
    thing = rng.choice(known)
    n = lines_of(segments, thing=thing)[0]
    question = worded(rng, "first_seen", words, bank, thing=thing)
    return told(
        "first_seen",
        question,
        place_of(segments[n - 1], words),
        [n],
        "thing " + thing,
        "place",
    )


# yes or no
def did_see(rng, segments, words, bank=None):
    known = sorted({thing for s in segments for thing in (*s.seen, s.held) if thing})
    if known and rng.random() < 0.5:
        thing = rng.choice(known)
        lines = lines_of(segments, thing=thing)[:1]
        return told(
            "did_see",
            worded(rng, "did_see", words, bank, thing=thing),
            "Yes.",
            lines,
            "thing " + thing,
        )
    thing = strange_thing(rng, segments, words)
    return told("did_see", worded(rng, "did_see", words, bank, thing=thing), "No.", [])


def did_visit(rng, segments, words, bank=None):
    been = {s.place for s in segments}
    spoken = " ".join(s.heard for s in segments)
    away = [p for p in words.place_names if p not in been and p not in spoken]
    yes = rng.random() < 0.5 or not away
    place = rng.choice(segments).place if yes else rng.choice(away)
    question = worded(rng, "did_visit", words, bank, place=place)
    if yes:
        return told("did_visit", question, "Yes.", lines_of(segments, place=place)[:1], "place")
    return told("did_visit", question, "No.", [])


def did_in(rng, segments, words, bank=None):
    found = rng.choice(segments)
    place = found.place if rng.random() < 0.5 else rng.choice(segments).place
    lines = lines_of(segments, activity=found.activity, place=place)[:1]
    question = worded(rng, "did_in", words, bank, activity=found.activity, place=place)
    return told("did_in", question, "Yes." if lines else "No.", lines, "activity")


def did_meet(rng, segments, words, bank=None):
    known = greetings(segments)
    spoken = " ".join(s.heard for s in segments)
    strange = [name for name in sayings.NAMES if name not in spoken]
    if known and rng.random() < 0.5:
        line, name = known[0]
        return told(
            "did_meet",
            worded(rng, "did_meet", words, bank, shown(rng, name)),
            "Yes.",
            [line],
            "name",
        )
    name = rng.choice(strange) if strange else None
    return name and told(
        "did_meet", worded(rng, "did_meet", words, bank, shown(rng, name)), "No.", []
    )


def by_name(kind, answer, copied):
    """The kind that asks when or where somebody said a name."""

    def make(rng, segments, words, bank=None):
        known = greetings(segments)
        if not known:
            return None
        name = rng.choice(known)[1]
        line = [n for n, other in known if other == name][-1]
        if not segments[line - 1].place:
            return None
        question = worded(rng, kind, words, bank, shown(rng, name))
        return told(kind, question, answer(segments[line - 1], words), [line], "name", copied)

    return make


# beside an activity
def people_when(rng, segments, words, bank=None):
    deed = rng.choice(segments).activity
    n = lines_of(segments, activity=deed)[-1]
    question = worded(rng, "people_when", words, bank, activity=deed)
    people = sentence(vocab.PEOPLE[segments[n - 1].people])
    return told("people_when", question, people, [n], "activity", "people")


def said_while(rng, segments, words, bank=None):
    deed = rng.choice(segments).activity
    n = lines_of(segments, activity=deed)[-1]
    question = worded(rng, "said_while", words, bank, activity=deed)
    heard = segments[n - 1].heard
    if not heard:
        return refused(question, [n])
    return told("said_while", question, sentence(heard), [n], "activity", "heard")


def place_beside(kind, step):
    """The kind that asks for the place before or after an activity."""

    def make(rng, segments, words, bank=None):
        deed = rng.choice(segments).activity
        lines = lines_of(segments, activity=deed)
        n = lines[-1] + step
        if len(lines) > 1 or not 1 <= n <= len(segments):
            return None
        question = worded(rng, kind, words, bank, activity=deed)
        case = told(kind, question, place_of(segments[n - 1], words), [n], "activity", "place")
        case.looked_up = lines
        return case

    return make


def never(rng, segments, words, bank=None):
    """How many times, of something that never happened."""
    absent = absent_activities(segments, words)
    if not absent:
        return None
    pattern = rng.choice((bank or words.phrasings)["how_many"])
    return told("how_many", filled(pattern, words, activity=rng.choice(absent)), "Never.", [])


KINDS = {
    "where_at": (where_at, 5),
    "doing_in": (listing("doing_in"), 6),
    "list_in": (listing("list_in"), 9),
    "list_places": (list_places, 8),
    "list_all": (list_all, 4),
    "list_where": (list_where, 4),
    "how_long": (how_long, 9),
    "how_long_in": (how_long_in, 7),
    "when_first": (when_first, 5),
    "first_seen": (first_seen, 4),
    "seen_at": (seen_at, 4),
    "seen_in": (seen_in, 5),
    "did_see": (did_see, 9),
    "did_visit": (did_visit, 5),
    "did_in": (did_in, 5),
    "did_meet": (did_meet, 3),
    "met_when": (by_name("met_when", lambda s, _: f"At {time_text(s.start)}.", "time"), 3),
    "met_where": (by_name("met_where", place_of, "place"), 3),
    "doing_after": (after_long("doing_after", activity_of, "activity"), 8),
    "where_after": (after_long("where_after", place_of, "place"), 4),
    "doing_end": (at_end("doing_end", activity_of, "activity"), 3),
    "where_end": (at_end("where_end", place_of, "place"), 3),
    "did_last": (at_end("did_last", activity_of, "activity", 1), 2),
    "did_first": (at_end("did_first", activity_of, "activity", 0), 2),
    "people_at": (people_at, 3),
    "people_when": (people_when, 4),
    "where_after_event": (place_beside("where_after_event", 1), 4),
    "where_before_event": (place_beside("where_before_event", -1), 4),
    "said_while": (said_while, 5),
    "never": (never, 4),
}
WEIGHTS = [weight for _, weight in KINDS.values()]


def newcomers_case(rng, segments, words, bank=None, kind=None):
    """A question of one of the kinds, or None."""
    kind = kind or rng.choices(list(KINDS), WEIGHTS)[0]
    return KINDS[kind][0](rng, segments, words, bank)
