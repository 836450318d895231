"""The plot of a day: places, activities, things and speech."""

import math

import sayings
import vocab
from day.daylog import Segment

# the plot
# The neighbours of each place.
HOME = ["bedroom", "bathroom", "kitchen", "living room", "hallway"]
WAYS = {place: [p for p in HOME if p != place] for place in HOME}
WAYS.update(
    {
        "garden": ["kitchen", "living room", "workshop", "street"],
        "workshop": ["garden", "street"],
        "street": [
            "garden",
            "hallway",
            "supermarket",
            "cafe",
            "gym",
            "park",
            "bus stop",
            "office",
            "library",
            "train station",
        ],
        "supermarket": ["street", "cafe", "bus stop"],
        "cafe": ["street", "park", "supermarket", "office", "library"],
        "gym": ["street", "bus stop"],
        "park": ["street", "cafe", "beach"],
        "bus stop": ["office", "beach", "gym", "street", "supermarket", "train station"],
        "office": ["bus stop", "cafe", "street"],
        "beach": ["bus stop", "park", "train station"],
        "library": ["street", "cafe"],
        "train station": ["street", "bus stop", "beach"],
    }
)
for _room in ("kitchen", "living room"):
    WAYS[_room] += ["garden"]
WAYS["hallway"] += ["street", "street", "street"]
# Weights of nobody, one, two and three persons in sight.
CROWD = {"home": [85, 11, 3, 1], "else": [48, 24, 17, 11]}


def cut(rng, seconds):
    """Whole-second segments of 6 to 10 s that fill the day."""
    fewest, most = max(1, math.ceil(seconds / 9)), max(1, int(seconds / 7))
    lengths = [6] * rng.randint(fewest, max(fewest, most))
    while sum(lengths) > seconds and len(lengths) > 1:
        lengths.pop()
    for _ in range(seconds - sum(lengths)):
        short = [i for i, n in enumerate(lengths) if n < 10] or range(len(lengths))
        lengths[rng.choice(short)] += 1
    return lengths


def walk(rng, count):
    """Places, one for each segment: each is a neighbour of the one before, or the same."""
    place = rng.choice(HOME[:4]) if rng.random() < 0.7 else rng.choice(list(WAYS))
    out = []
    while len(out) < count:
        out += [place] * rng.choice((1, 1, 2, 2, 3))
        place = rng.choice(WAYS[place])
    return out[:count]


def said_lines(rng, segments):
    """The speech: an errand before the place is reached, a promise, names of people met, and other
    sentences."""
    free = [i for i, s in enumerate(segments)]
    rng.shuffle(free)

    def say(i, text):
        if segments[i].heard or any(s.heard == text for s in segments):
            return
        segments[i].heard = text
        if i in free:
            free.remove(i)

    reached = {}
    for i, s in enumerate(segments):
        reached.setdefault(s.place, i)
    aims = [(place, i) for place, i in reached.items() if i >= 2]
    rng.shuffle(aims)
    for place, i in aims[: rng.choice((1, 1, 2)) if len(segments) > 8 else rng.choice((0, 1))]:
        say(
            rng.randrange(max(0, i - 5), i),
            sayings.fill(rng, rng.choice(sayings.ERRANDS), place=place),
        )
    if rng.random() < 0.85 and free:
        say(free[0], sayings.fill(rng, rng.choice(sayings.PROMISES)))
    with_people = [i for i in free if segments[i].people]
    for i in with_people[: rng.choice((0, 1, 1, 2, 2))]:
        say(i, sayings.fill(rng, rng.choice(sayings.GREETINGS)))
    ordinary = sayings.SPEECH[len(sayings.PROMISES + sayings.GREETINGS + sayings.ERRANDS) :]
    for i in list(free):
        if rng.random() < 0.28:
            say(i, sayings.fill(rng, rng.choice(ordinary)))


def plot(rng, seconds):
    """A day: a walk between neighbouring places, repeated activities, things that are carried off
    and found elsewhere, people, words, sounds."""
    lengths = cut(rng, seconds)
    now, segments = 0, []
    about = rng.sample(vocab.OBJECT_NAMES, min(len(vocab.OBJECT_NAMES), 8 + seconds // 45))
    for length, place in zip(lengths, walk(rng, len(lengths))):
        before_, done = (
            (segments[-1].activity if segments else None),
            {s.activity for s in segments},
        )
        fit = [a for a in vocab.activities_of(place) if a not in (before_, vocab.CARRYING)]
        again = [a for a in fit if a in done]
        activity = rng.choice(again if again and rng.random() < 0.5 else fit)
        crowd = rng.choices(range(4), CROWD["home" if place in HOME else "else"])[0]
        segments.append(
            Segment(
                now,
                now + length,
                place,
                activity,
                rng.sample(about, rng.choice((1, 1, 2))),
                people=crowd,
            )
        )
        now += length
    portable = [thing for thing in about if thing in vocab.HELD_NAMES]
    for thing in rng.sample(
        portable, min(len(portable), 1 + (len(segments) > 6) + (len(segments) > 12))
    ):
        i = rng.randrange(len(segments))
        if segments[i].held or any(
            0 <= k < len(segments) and segments[k].held == thing for k in (i - 1, i + 1)
        ):
            continue
        segments[i].held, segments[i].activity = thing, vocab.carrying(thing)
        later = [k for k in range(i + 1, len(segments)) if segments[k].place != segments[i].place]
        if later and rng.random() < 0.5:  # somebody took it somewhere else
            found = segments[rng.choice(later)]
            found.seen = list(dict.fromkeys([*found.seen[:1], thing]))
    for s in segments:
        s.seen = [thing for thing in s.seen if thing != s.held]
    said_lines(rng, segments)
    for s in segments:
        s.sound = rng.choice(vocab.sounds_of(s.place, s.activity)) if rng.random() < 0.6 else ""
    return segments
