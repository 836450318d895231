"""The plot of a day of more than three minutes.

In a long day everything repeats. Such a plot therefore keeps some things rare: places that are
reached once, activities that are done once. Others never occur at all, are not mentioned either,
and so questions about them have no answer.
"""

import re

import sayings
import vocab
from day.daylog import Segment
from day.plot import CROWD, HOME, WAYS

LONG = 180  # seconds; a longer day has this plot
# Places that the others can be reached without.
ASIDE = [
    "workshop",
    "supermarket",
    "cafe",
    "gym",
    "park",
    "office",
    "beach",
    "library",
    "train station",
]
ORDINARY = sayings.SPEECH[len(sayings.PROMISES + sayings.GREETINGS + sayings.ERRANDS) :]


def lengths(rng, seconds):
    """Whole-second segments of 6 to 10 s that fill the day."""
    out, left = [], seconds
    while left >= 24:
        out.append(rng.randint(6, 10))
        left -= out[-1]
    parts = 2 if left <= 20 else 3
    return out + [left // parts + (i < left % parts) for i in range(parts)]


class Cast:
    """What is rare in a day, and what never occurs in it."""

    def __init__(self, rng, seconds):
        aside = rng.sample(ASIDE, 6 if seconds >= 600 else 4)
        few = 2 if seconds >= 600 else 1
        self.away, self.rare = set(aside[:few]), aside[few:]
        deeds = rng.sample(vocab.ACTIVITY_NAMES, 12 if seconds >= 600 else 7)
        self.undone, self.once = set(deeds[:4]), deeds[4:]
        things = rng.sample(vocab.OBJECT_NAMES, len(vocab.OBJECT_NAMES))
        self.unseen, self.about = set(things[:10]), things[10:]
        held = [thing for thing in self.about if thing in vocab.HELD_NAMES]
        self.portable = held[: max(4, min(len(held) - 8, seconds // 30))]
        names = rng.sample(sayings.NAMES, len(sayings.NAMES))
        self.strangers, self.names = set(names[:4]), names[4:]
        # no ordinary sentence has these words
        unsaid = sorted(self.away | set(self.rare) | self.unseen | self.strangers)
        self.unsaid = re.compile(r"\b(?:" + "|".join(unsaid) + r")\b")
        self.liking = {name: rng.choice((1, 1, 2, 4, 8)) for name in vocab.ACTIVITY_NAMES}


def long_walk(rng, count, cast):
    """Places, one for each segment. A rare place has one segment, between two of its neighbours."""
    shut = {*cast.away, *cast.rare}
    place, out = rng.choice(HOME[:4]), []
    while len(out) < count:
        out += [place] * rng.choice((1, 1, 2, 2, 3))
        place = rng.choice([p for p in WAYS[place] if p not in shut])
    del out[count:]
    for rare in cast.rare:
        near = WAYS[rare]
        free = [i for i in range(2, count - 1) if not {out[i - 1], out[i], out[i + 1]} & shut]
        fit = [i for i in free if out[i - 1] in near and out[i + 1] in near]
        fit = fit or [i for i in free if out[i - 1] in near] or free
        if fit:
            out[rng.choice(fit)] = rare
    return out


def deeds(rng, places, cast):
    """Activities, one for each segment, none of them twice in a row."""
    out = []
    for place in places:
        rare = {*cast.undone, *cast.once}
        known = [a for a in vocab.activities_of(place)[:-1] if a not in out[-1:]]
        fit = [a for a in known if a not in rare] or known
        out.append(rng.choices(fit, [cast.liking[a] for a in fit])[0])
    for deed in cast.once:
        fit = [
            i
            for i, place in enumerate(places)
            if place in vocab.ACTIVITY[deed]["places"]
            and deed not in out[max(0, i - 1) : i + 2]
            and out[i] not in cast.once
        ]
        if fit and deed not in out:
            out[rng.choice(fit)] = deed
    return out


def carry(rng, segments, cast):
    """Things that are carried off and found elsewhere: in one of seven segments."""
    for _ in range(len(segments) // 7):
        thing, i = rng.choice(cast.portable), rng.randrange(len(segments))
        s = segments[i]
        near = segments[max(0, i - 1) : i + 2]
        if s.held or s.place in cast.rare or s.activity in cast.once:
            continue
        if any(other.held == thing for other in near):
            continue
        s.held, s.activity = thing, vocab.carrying(thing)
        later = [
            k for k in range(i + 1, min(len(segments), i + 60)) if segments[k].place != s.place
        ]
        if later and rng.random() < 0.5:
            found = segments[rng.choice(later)]
            found.seen = list(dict.fromkeys([*found.seen[:1], thing]))


def speech(rng, segments, cast):
    """Errands before their places are reached, one promise, the names of people met, and other
    sentences."""
    seconds, spoken = segments[-1].end, set()

    def say(i, make):
        """Says a sentence in the segment; of twenty tries, the first new one that is allowed."""
        for _ in range(20):
            text = make()
            if not segments[i].heard and text not in spoken:
                segments[i].heard = text
                spoken.add(text)
                return

    def quiet(pattern, **known):
        """A sentence without the unsaid words."""
        for _ in range(100):
            text = sayings.fill(rng, pattern, **known)
            bare = text.replace(f" {known['place']} ", " ") if "place" in known else text
            if not cast.unsaid.search(bare):
                return text
        return "what a beautiful day."

    reached = {}
    for i, s in enumerate(segments):
        reached.setdefault(s.place, i)
    aims = [place for place, i in reached.items() if i >= 2]
    rng.shuffle(aims)
    aims = cast.rare[: len(cast.rare) // 2] + [p for p in aims if p not in cast.rare]
    for place in aims[: 2 + seconds // 600]:
        if place in reached:
            i = reached[place]
            at = rng.randrange(max(0, i - 5), i)
            say(at, lambda: quiet(rng.choice(sayings.ERRANDS), place=place))
    say(rng.randrange(len(segments)), lambda: quiet(rng.choice(sayings.PROMISES)))
    # somebody in a rare place, and somebody elsewhere
    met = [reached[place] for place in cast.rare[-1:] if place in reached]
    crowd = [i for i, s in enumerate(segments) if s.people and not s.heard and i not in met]
    met += rng.sample(crowd, min(len(crowd), 1 + seconds // 400))
    for i, name in zip(met, cast.names):
        segments[i].people = max(1, segments[i].people)
        say(i, lambda: rng.choice(sayings.GREETINGS).format(name=name))
    for i, s in enumerate(segments):
        if not s.heard and rng.random() < (0.7 if s.place in cast.rare else 0.28):
            say(i, lambda: quiet(rng.choice(ORDINARY)))


def long_plot(rng, seconds):
    """A day of more than three minutes, as plot.plot makes shorter ones."""
    cast, now, segments = Cast(rng, seconds), 0, []
    long = lengths(rng, seconds)
    places = long_walk(rng, len(long), cast)
    for length, place, deed in zip(long, places, deeds(rng, places, cast)):
        seen = rng.sample(cast.about, rng.choice((1, 1, 2)))
        crowd = rng.choices(range(4), CROWD["home" if place in HOME else "else"])[0]
        segments.append(Segment(now, now + length, place, deed, seen, people=crowd))
        now += length
    carry(rng, segments, cast)
    for s in segments:
        s.seen = [thing for thing in s.seen if thing != s.held]
    speech(rng, segments, cast)
    for s in segments:
        s.sound = rng.choice(vocab.sounds_of(s.place, s.activity)) if rng.random() < 0.6 else ""
    return segments
