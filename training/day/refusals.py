"""The questions that no log answers."""

import re

import wordings
from day.asking import REFUSAL, Case, absent_activities, filled, phrase
from day.daylog import greetings, lines_of, promises

# the unanswerable
STRANGE = [
    "spaceship",
    "elephant",
    "telescope",
    "ladder",
    "piano",
    "wallet",
    "passport",
    "remote control",
    "toaster",
    "newspaper",
    "guitar",
    "camera",
    "pillow",
    "hammer",
    "bicycle",
    "tiger",
    "statue",
    "helmet",
    "kettle",
    "carpet",
    "painting",
    "necklace",
    "skateboard",
    "rocket",
    "sword",
    "tent",
    "bracelet",
    "calculator",
    "flute",
]


def refused(question, looked_up=()):
    return Case("unanswerable", question, REFUSAL, looked_up=list(looked_up))


def strange_thing(rng, segments, words):
    """A thing that is neither seen nor mentioned, nor part of an activity."""
    told = " ".join(f"{s.activity} {s.heard} {s.held} {' '.join(s.seen)}" for s in segments)
    pool = STRANGE if rng.random() < 0.4 else words.objects
    fit = [thing for thing in pool if thing not in told]
    return rng.choice(fit) if fit else "spaceship"


def unseen_thing(rng, segments, words):
    return refused(phrase(rng, "last_seen", words, thing=strange_thing(rng, segments, words)))


def undone(rng, segments, words):
    """A question that assumes an event that never happened."""
    absent = absent_activities(segments, words)
    if not absent:
        return None
    kind = rng.choice(("where_when", "where_when", "when_last", "after", "before"))
    return refused(phrase(rng, kind, words, activity=rng.choice(absent)))


def unvisited(rng, segments, words):
    been = {s.place for s in segments}
    away = [p for p in words.place_names if p not in been]
    away = [p for p in away if not any(p in s.heard for s in segments)]
    return (
        refused(
            phrase(
                rng, rng.choice(("why", "said_in", "met", "people")), words, place=rng.choice(away)
            )
        )
        if away
        else None
    )


def silence(rng, segments, words):
    """A question about speech at a time or place without speech."""
    quiet = [s for s in segments if not s.heard]
    loud = {s.place for s in segments if s.heard}
    if not quiet:
        return None
    found = rng.choice(quiet)
    if found.place not in loud and rng.random() < 0.5:
        return refused(phrase(rng, "said_in", words, place=found.place))
    return refused(
        phrase(rng, "said_at", words, time=rng.randrange(found.start, found.end)),
        [segments.index(found) + 1],
    )


def too_late(rng, segments, words):
    """A question about a time after the end of the day, or about the time after its last line."""
    last = segments[-1]
    if (
        last.activity
        and rng.random() < 0.3
        and len(lines_of(segments, activity=last.activity)) == 1
    ):
        return refused(phrase(rng, "after", words, activity=last.activity))
    return refused(
        phrase(
            rng, rng.choice(("doing_at", "said_at")), words, time=last.end + rng.randint(20, 600)
        )
    )


def unpromised(rng, segments, words):
    """A question about a promise that nobody made, or about a name that nobody said."""
    known, choices = greetings(segments), []
    if not promises(segments):
        choices.append(("promised", {}))
    if not known:
        choices.append(("met_any", {}))
    silent = [
        s.place
        for s in segments
        if s.place and s.place not in {segments[line - 1].place for line, _ in known}
    ]
    if silent:
        choices.append(("met", {"place": rng.choice(silent)}))
    if not choices:
        return None
    kind, slots = rng.choice(choices)
    return refused(phrase(rng, kind, words, **slots))


def about(rng, words, bank):
    """A question that no log answers about a thing, a place or an activity."""
    return rng.choice(words.phrasings.get("about " + bank, wordings.ABOUT[bank]))


def unstated(rng, segments, words):
    """A question whose answer a log like this never has."""
    spoken, dice = " ".join(s.heard for s in segments), rng.random()
    if dice < 0.4:
        seen = [thing for s in segments for thing in s.seen if thing not in spoken]
        thing = (
            rng.choice(seen) if seen and rng.random() < 0.5 else strange_thing(rng, segments, words)
        )
        return refused(filled(about(rng, words, "thing"), words, thing=thing))
    if dice < 0.5:
        return refused(filled(about(rng, words, "place"), words, place=rng.choice(segments).place))
    if dice < 0.6:
        return refused(
            filled(about(rng, words, "activity"), words, activity=rng.choice(segments).activity)
        )
    return unstated_general(rng, segments, words)


def unstated_general(rng, segments, words):
    spoken = " ".join(s.heard for s in segments)
    return refused(
        rng.choice(
            [q for q, clues in wordings.GENERAL if not any(clue in spoken for clue in clues)]
        )
    )


REFUSALS = [unseen_thing, undone, unvisited, silence, too_late, unpromised, unstated]


# what a video with a date may answer after all
DATED = re.compile(
    r"\b(?:day|date|month|year|season|week|yesterday|tomorrow|calendar|christmas|holidays?)\b", re.I
)


def undated(rng, segments, words, cases):
    """The cases, with other unanswerable ones for those that a date could answer."""
    asked = {case.question for case in cases}
    for i, case in enumerate(cases):
        while case.kind == "unanswerable" and DATED.search(case.question):
            other = unstated(rng, segments, words)
            if other.question not in asked and not DATED.search(other.question):
                asked.add(other.question)
                cases[i] = case = other
    return cases
