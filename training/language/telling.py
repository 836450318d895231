"""The parts of the questions of newcomers.py: wordings, times in words, and answers."""

import texts
import wordings
from day.asking import Case, filled
from day.daylog import listed, sentence

PATTERNS = texts.sections("newcomers")
HELD_OUT = texts.sections("newcomers_held_out")
NEVER_HELD_OUT = wordings.HELD_OUT["how_many"]
ENDS = {"beginning": 0, "start": 0, "very beginning": 0, "end": -1, "very end": -1}


LONGS = {
    10: "ten seconds",
    15: "15 seconds",
    20: "twenty seconds",
    30: "half a minute",
    40: "40 seconds",
    45: "45 seconds",
    50: "fifty seconds",
    60: "one minute",
    75: "75 seconds",
    80: "1 minute and 20 seconds",
    90: "one and a half minutes",
    100: "100 seconds",
    110: "one minute and 50 seconds",
    120: "two minutes",
    150: "two and a half minutes",
    180: "three minutes",
}
OTHER_LONGS = {60: "a minute", 90: "90 seconds", 30: "30 seconds", 120: "2 minutes"}


def worded(rng, kind, words, bank=None, name="", long="", end="", **known):
    """A question of the kind."""
    pattern = rng.choice((bank or PATTERNS)[kind])
    for slot, text in (("name", name), ("long", long), ("end", end)):
        pattern = pattern.replace("{" + slot + "}", text)
    return filled(pattern, words, **known)


def told(kind, question, answer, lines, named="", copied=""):
    return Case(kind, question, answer, list(lines), list(lines), named, copied)


def at_time(segments, when):
    """The line of a time, or 0."""
    return next((i for i, s in enumerate(segments, 1) if s.start <= when < s.end), 0)


def distinct(names):
    """The names without repetitions of the one before."""
    return [name for i, name in enumerate(names) if not i or names[i - 1] != name]


def any_second(rng, segments):
    """(line, a second in it)"""
    n = rng.randint(1, len(segments))
    return n, rng.randrange(segments[n - 1].start, segments[n - 1].end)


def things(segment):
    return sentence(listed([f"the {thing}" for thing in segment.seen]))


def activity_of(segment, words):
    return sentence(segment.activity)


def place_of(segment, words):
    return sentence(words.in_place(segment.place))


def shown(rng, name):
    return name.capitalize() if rng.random() < 0.8 else name
