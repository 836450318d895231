"""Days in the starter world: a plot of segments, its log as text, and questions with known answers.

Pure Python, no rendering. `make_day(seed, seconds)` is what world.py draws and what lm.py is
examined on; the
functions below it (one per kind of question) are what lm.py asks about random and noisy logs. The
same seed gives
the same day. `python training/days.py --seed 7` prints one.
"""

import argparse
import math
import random
import re
from dataclasses import dataclass, field

import wordings

import vocab

REFUSAL = "I don't know."
TIMES_WORD = {1: "Once.", 2: "Twice.", 3: "Three times.", 4: "Four times."}


@dataclass
class Segment:
    """Whole seconds [start, end) in one place with one activity; `heard` is one spoken sentence or
    ''.

    `held` is what is carried, while `activity` is `vocab.carrying(held)`; `people` is how many
    persons are in sight (0 to 3); `sound` is one of `vocab.SOUNDS` or ''.
    """

    start: int
    end: int
    place: str
    activity: str
    seen: list = field(default_factory=list)
    heard: str = ""
    held: str = ""
    people: int = 0
    sound: str = ""

    def record(self):
        """The line of log.jsonl."""
        return {
            "start": self.start,
            "end": self.end,
            "place": self.place,
            "activity": self.activity,
            "people": vocab.PEOPLE[self.people] if self.people else "",
            "seen": list(self.seen),
            "heard": self.heard,
            "sound": self.sound,
        }


@dataclass
class Case:
    """A question, its answer without citations, and the numbers (from 1) of the lines that it rests
    on."""

    kind: str
    question: str
    answer: str
    lines: list = field(default_factory=list)
    # lines whose words the question names; lm.py may teach with them
    looked_up: list = field(default_factory=list)

    def reply(self):
        """What the language model is to write: citations, a space, the answer."""
        return "".join(f"[{n}] " for n in self.lines) + self.answer

    def moments(self, segments):
        return [{"start": segments[n - 1].start, "end": segments[n - 1].end} for n in self.lines]

    def record(self, segments, video="day.mp4", log="log.jsonl"):
        """The line of cases.jsonl."""
        return {
            "video": video,
            "log": log,
            "question": self.question,
            "answer": self.answer,
            "kind": self.kind,
            "moments": self.moments(segments),
        }


@dataclass
class Day:
    seed: int
    seconds: int
    segments: list
    cases: list


class Words:
    """The words that questions may use. Answers to "where" need the preposition, questions the
    verb's other forms."""

    def __init__(self, places, objects, activities, plural, phrasings=None):
        self.places, self.objects, self.activities, self.plural = (
            places,
            objects,
            activities,
            plural,
        )
        self.phrasings = phrasings or PHRASINGS
        self.place_names, self.activity_names = list(places), list(activities)

    def in_place(self, place):
        return self.places[place]["in"]

    def forms(self, activity):
        """The activity's gerund, base and past; whatever can be held can be carried."""
        if activity not in self.activities and activity.startswith(CARRYING):
            what = activity[len(CARRYING) :]
            return {"gerund": activity, "base": "carry the " + what, "past": "carried the " + what}
        return self.activities[activity]


CARRYING = vocab.carrying("")


# -------------------------------------------------------------------------------------------------
# the log as text


def time_text(seconds):
    return f"{seconds // 60:02d}:{seconds % 60:02d}"


def log_line(number, segment):
    """As examples/video_log.yaml writes it; a segment without a place is one of which only the
    sound is known."""
    if not segment.place:
        return f"[{number}] {time_text(segment.start)}-{time_text(segment.end)} Heard: {closed(segment.heard)}"
    seen = f" Seen: {', '.join(segment.seen)}." if segment.seen else ""
    people = f" With: {vocab.PEOPLE[segment.people]}." if segment.people else ""
    heard = f" Heard: {closed(segment.heard)}" if segment.heard else ""
    return (
        f"[{number}] {time_text(segment.start)}-{time_text(segment.end)} {segment.place}, "
        f"{segment.activity}."
        f"{people}{seen}{heard}"
    )


def log_text(segments):
    return "\n".join(log_line(i, s) for i, s in enumerate(segments, 1))


def closed(text):
    """With a final mark."""
    return text if text[-1:] in ".?!" else text + "."


def sentence(text):
    """With a capital and a final mark."""
    return closed(text[:1].upper() + text[1:])


# ------------------------------------------------------------------------------------------
# questions, one per kind
# Each takes (rng, segments, words, strict) and gives a Case, or None when the day has nothing to
# ask about.
# strict: only what has one right answer (gold days). Otherwise the last of several counts, as for
# "last".

PHRASINGS = {
    "where_when": [
        "Where was I when I was {gerund}?",
        "Where was I {gerund}?",
        "Where did I {base}?",
        "In which place was I {gerund}?",
        "Where was I when I {past}?",
    ],
    "doing_at": [
        "What was I doing at {time}?",
        "What did I do at {time}?",
        "At {time}, what was I doing?",
        "What was I busy with at {time}?",
    ],
    "when_last": [
        "When did I last {base}?",
        "When was I last {gerund}?",
        "At what time did I last {base}?",
        "When was the last time that I {past}?",
    ],
    "did_i": [
        "Did I {base}?",
        "Was I {gerund} at any time?",
        "Did I ever {base}?",
        "Did I {base} today?",
    ],
    "how_many": [
        "How many times did I {base}?",
        "How often did I {base}?",
        "How many times was I {gerund}?",
    ],
    "after": [
        "What did I do after {gerund}?",
        "What did I do right after {gerund}?",
        "What did I do after I {past}?",
        "What came after {gerund}?",
    ],
    "before": [
        "What did I do before {gerund}?",
        "What did I do right before {gerund}?",
        "What was I doing before I {past}?",
        "What came before {gerund}?",
    ],
    "last_seen": [
        "Where did I last see the {object}?",
        "Where did I leave the {object}?",
        "Where {are} the {object}?",
        "Where {are} my {object}?",
        "Where did I leave my {object}?",
        "In which place did I last see the {object}?",
    ],
    "why": [
        "Why did I go to the {place}?",
        "Why was I {in}?",
        "What did I go to the {place} for?",
        "What was the reason that I went to the {place}?",
    ],
    "said_at": [
        "What was said at {time}?",
        "What did I hear at {time}?",
        "Which words were spoken at {time}?",
        "At {time}, what was said?",
    ],
    "said_in": [
        "What was said {in}?",
        "What did I hear {in}?",
        "What did someone say {in}?",
        "Which words were spoken {in}?",
    ],
    "promised": [
        "What did I promise?",
        "What did I promise to do?",
        "Which promise did I make?",
        "What have I promised?",
    ],
    "met": [
        "Who did I meet {in}?",
        "Whom did I meet {in}?",
        "What was the name of the person that I met {in}?",
    ],
    "met_any": [
        "Who did I meet?",
        "Whom did I meet today?",
        "What was the name of the person that I met?",
    ],
    "people": [
        "How many people were {in}?",
        "How many people did I see {in}?",
        "How many persons were {in}?",
    ],
}

VOCABULARY = Words(vocab.PLACES, vocab.OBJECT_NAMES, vocab.ACTIVITY, vocab.PLURAL)


def filled(pattern, words, activity=None, place=None, thing=None, time=None):
    """The pattern of a question with its slots filled."""
    slots = {}
    if activity:
        slots.update({k: words.forms(activity)[k] for k in ("gerund", "base", "past")})
    if place:
        slots.update({"place": place, "in": words.in_place(place)})
    if thing:
        many = thing in words.plural
        slots.update(
            {
                "object": thing,
                "are": "are" if many else "is",
                "were": "were" if many else "was",
                "them": "them" if many else "it",
            }
        )
    if time is not None:
        slots["time"] = time_text(time)
    return pattern.format(**slots)


def phrase(rng, kind, words, **known):
    return filled(rng.choice(words.phrasings[kind]), words, **known)


def lines_of(segments, **wanted):
    """Numbers of the lines that hold the wanted activity or place, or show the wanted thing, lying
    about or carried."""
    return [
        i
        for i, s in enumerate(segments, 1)
        if all(
            value in s.seen or value == s.held if key == "thing" else getattr(s, key) == value
            for key, value in wanted.items()
        )
    ]


def pick_line(rng, segments, strict, alone):
    """A line for which `alone(line)` holds; without strict any line, most often such a one."""
    fit = [s for s in segments if alone(s)]
    if not strict and (not fit or rng.random() < 0.15):
        fit = segments
    return rng.choice(fit) if fit else None


def once(segments):
    return lambda s: len(lines_of(segments, activity=s.activity)) == 1


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
    """A second in the segment; without strict often the first one, which is the easier to find."""
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


ERRAND = re.compile(r"\bgo to the (.+?) and (.+?)[.?!]?$")
PROMISE = re.compile(r"^i promise to (.+?)[.?!]?$")
GREETING = re.compile(r"^(?:hello,|nice to meet you,)? ?(?:i am|my name is) (\w+)[.?!]?$")


def errands(segments):
    """[(line, place, what to do there)]: what the wearer was sent to do."""
    return [
        (i, *found.groups()) for i, s in enumerate(segments, 1) if (found := ERRAND.search(s.heard))
    ]


def promises(segments):
    """[(line, what to do)]"""
    return [
        (i, found.group(1)) for i, s in enumerate(segments, 1) if (found := PROMISE.search(s.heard))
    ]


def greetings(segments):
    """[(line, who it was)]"""
    return [
        (i, found.group(1))
        for i, s in enumerate(segments, 1)
        if (found := GREETING.search(s.heard))
    ]


def why(rng, segments, words, strict=True, sent=None):
    """Because somebody said so, or for what was done there."""
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
    found = pick_line(
        rng,
        [s for s in segments if not any(e[1] == s.place for e in asked)],
        strict,
        lambda s: (
            len(lines_of(segments, place=s.place)) == 1 and s.place not in told and not s.held
        ),
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
    found = pick_line(
        rng,
        [s for s in segments if bool(s.people) == crowded],
        strict,
        lambda s: len(lines_of(segments, place=s.place)) == 1,
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
    alone = [
        i
        for i in spoken
        if sum(segments[j - 1].place == segments[i - 1].place for j in spoken) == 1
    ]
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


# -------------------------------------------------------------------------------------------------
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


def absent_activities(segments, words):
    """What was never done, carrying some things among it."""
    done = {s.activity for s in segments}
    carried = [vocab.carrying(thing) for thing in words.objects[::3]]
    return [a for a in words.activity_names + carried[:8] if a not in done]


def refused(question, looked_up=()):
    return Case("unanswerable", question, REFUSAL, looked_up=list(looked_up))


def strange_thing(rng, segments, words):
    """A thing that is neither seen nor spoken of, nor part of what was done."""
    told = " ".join(f"{s.activity} {s.heard} {s.held} {' '.join(s.seen)}" for s in segments)
    pool = STRANGE if rng.random() < 0.4 else words.objects
    fit = [thing for thing in pool if thing not in told]
    return rng.choice(fit) if fit else "spaceship"


def unseen_thing(rng, segments, words):
    return refused(phrase(rng, "last_seen", words, thing=strange_thing(rng, segments, words)))


def undone(rng, segments, words):
    """A question that takes for granted what never happened."""
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
    """What was said when, or where, nothing was."""
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
    """A time after the end of the day, or what came after its last line."""
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
    """A promise that nobody made, or somebody met where nobody said a name."""
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


ABOUT = {
    "thing": wordings.ABOUT_THING,
    "place": wordings.ABOUT_PLACE,
    "activity": wordings.ABOUT_ACTIVITY,
}


def about(rng, words, bank):
    """A wording of what no log says of a thing, a place or an activity."""
    return rng.choice(words.phrasings.get("about " + bank, ABOUT[bank]))


def unstated(rng, segments, words):
    """What a log like this never says."""
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
REFUSALS = [unseen_thing, undone, unvisited, silence, too_late, unpromised, unstated]


# ---------------------------------------------------------------------------------------------------------
# the plot

# Which place one can walk to from where.
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
# How many people one sees: weights of nobody, one, two, three.
CROWD = {"home": [85, 11, 3, 1], "else": [48, 24, 17, 11]}

QUOTA = {
    "where_when": 3,
    "doing_at": 3,
    "when_last": 2,
    "did_i": 2,
    "how_many": 2,
    "after": 2,
    "before": 2,
    "last_seen": 4,
    "why": 2,
    "said": 2,
    "promised": 1,
    "met": 1,
    "people": 2,
}
UNANSWERABLE = 7


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
    """Places, one for each segment, each a neighbour of the one before or the same."""
    place = rng.choice(HOME[:4]) if rng.random() < 0.7 else rng.choice(list(WAYS))
    out = []
    while len(out) < count:
        out += [place] * rng.choice((1, 1, 2, 2, 3))
        place = rng.choice(WAYS[place])
    return out[:count]


def said_lines(rng, segments):
    """Who says what: an errand before the place is reached, a promise, names of people met, and
    whatever else people say."""
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
            rng.randrange(max(0, i - 5), i), vocab.fill(rng, rng.choice(vocab.ERRANDS), place=place)
        )
    if rng.random() < 0.85 and free:
        say(free[0], vocab.fill(rng, rng.choice(vocab.PROMISES)))
    with_people = [i for i in free if segments[i].people]
    for i in with_people[: rng.choice((0, 1, 1, 2, 2))]:
        say(i, vocab.fill(rng, rng.choice(vocab.GREETINGS)))
    ordinary = vocab.SPEECH[len(vocab.PROMISES + vocab.GREETINGS + vocab.ERRANDS) :]
    for i in list(free):
        if rng.random() < 0.28:
            say(i, vocab.fill(rng, rng.choice(ordinary)))


def plot(rng, seconds):
    """A day: a walk between neighbouring places, things done again, things carried off and found
    elsewhere, people, words, sounds."""
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


def examine(rng, segments, words=VOCABULARY):
    """The day's questions: every kind by its quota, all different, a fifth unanswerable. None if a
    kind is missing."""
    cases, asked = [], set()

    def fill(count, make):
        missing = count
        for _ in range(40 * count):
            case = make() if missing else None
            if (
                case
                and case.question not in asked
                and (case.kind, case.answer, tuple(case.lines)) not in asked
            ):
                asked.update(
                    {case.question}
                    if case.kind == "unanswerable"
                    else {case.question, (case.kind, case.answer, tuple(case.lines))}
                )
                cases.append(case)
                missing -= 1
        return missing

    gaps = 0
    for kind, count in QUOTA.items():
        if kind == "did_i":
            gaps += fill(1, lambda: did_i(rng, segments, words, yes=True)) + fill(
                1, lambda: did_i(rng, segments, words, yes=False)
            )
        elif kind == "how_many":
            gaps += fill(1, lambda: how_many(rng, segments, words, several=True))
            gaps += fill(1, lambda: how_many(rng, segments, words, several=False))
        elif kind == "said":
            gaps += fill(1, lambda: said(rng, segments, words, how="at")) + fill(
                1, lambda: said(rng, segments, words, how="in")
            )
        elif kind == "why":
            gaps += fill(1, lambda: why(rng, segments, words, sent=True)) + fill(
                1, lambda: why(rng, segments, words, sent=False)
            )
        else:
            gaps += fill(count, lambda: KINDS[kind](rng, segments, words))
    for make in rng.sample(REFUSALS, UNANSWERABLE):
        gaps += fill(1, lambda: make(rng, segments, words))
    rng.shuffle(cases)
    return cases, gaps


def make_day(seed, seconds=120):
    """A day with questions of every kind; of 300 tries the first with no gap (short days may keep
    one)."""
    rng = random.Random(f"elenchus day {seed} {seconds}")
    best = None
    for _ in range(300):
        segments = plot(rng, seconds)
        cases, gaps = examine(rng, segments)
        if best is None or gaps < best[0]:
            best = (gaps, segments, cases)
        if gaps == 0:
            break
    return Day(seed, seconds, best[1], best[2])


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--seconds", type=int, default=120)
    args = args.parse_args()
    day = make_day(args.seed, args.seconds)
    print(log_text(day.segments))
    for case in day.cases:
        print(f"{case.kind:13} {case.question:55} {case.reply()}")


if __name__ == "__main__":
    main()
