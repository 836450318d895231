"""Days in the starter world: a plot of segments, its log as text, and questions with known answers.

Pure Python, no rendering. `make_day(seed, seconds)` is what world.py draws and what lm.py is examined on; the
functions below it (one per kind of question) are what lm.py asks about random and noisy logs. The same seed gives
the same day. `python training/days.py --seed 7` prints one.
"""

import argparse
import math
import random
from dataclasses import dataclass, field

import vocab

REFUSAL = "I don't know."
TIMES_WORD = {1: "Once.", 2: "Twice.", 3: "Three times.", 4: "Four times."}


@dataclass
class Segment:
    """Whole seconds [start, end) in one place with one activity; `heard` is one spoken sentence or ''.

    `held` is what is carried, while `activity` is `vocab.carrying(held)`; `people` is how many persons are in sight (0 to 3);
    `sound` is one of `vocab.SOUNDS` or ''.
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
        return {"start": self.start, "end": self.end, "place": self.place, "activity": self.activity,
                "people": vocab.PEOPLE[self.people] if self.people else "", "seen": list(self.seen), "heard": self.heard,
                "sound": self.sound}


@dataclass
class Case:
    """A question, its answer without citations, and the numbers (from 1) of the lines that it rests on."""
    kind: str
    question: str
    answer: str
    lines: list = field(default_factory=list)
    looked_up: list = field(default_factory=list)   # lines whose words the question names; lm.py may teach with them

    def reply(self):
        """What the language model is to write: citations, a space, the answer."""
        return "".join(f"[{n}] " for n in self.lines) + self.answer

    def moments(self, segments):
        return [{"start": segments[n - 1].start, "end": segments[n - 1].end} for n in self.lines]

    def record(self, segments, video="day.mp4", log="log.jsonl"):
        """The line of cases.jsonl."""
        return {"video": video, "log": log, "question": self.question, "answer": self.answer, "kind": self.kind,
                "moments": self.moments(segments)}


@dataclass
class Day:
    seed: int
    seconds: int
    segments: list
    cases: list


class Words:
    """The words that questions may use. Answers to "where" need the preposition, questions the verb's other forms."""

    def __init__(self, places, objects, activities, plural, phrasings=None):
        self.places, self.objects, self.activities, self.plural = places, objects, activities, plural
        self.phrasings = phrasings or PHRASINGS
        self.place_names, self.activity_names = list(places), list(activities)

    def in_place(self, place):
        return self.places[place]["in"]


# ------------------------------------------------------------------------------------------------- the log as text

def time_text(seconds):
    return f"{seconds // 60:02d}:{seconds % 60:02d}"


def log_line(number, segment):
    seen = f" Seen: {', '.join(segment.seen)}." if segment.seen else ""
    people = f" With: {vocab.PEOPLE[segment.people]}." if segment.people else ""
    heard = f" Heard: {closed(segment.heard)}" if segment.heard else ""
    return (f"[{number}] {time_text(segment.start)}-{time_text(segment.end)} {segment.place}, {segment.activity}."
            f"{people}{seen}{heard}")


def log_text(segments):
    return "\n".join(log_line(i, s) for i, s in enumerate(segments, 1))


def closed(text):
    """With a final mark."""
    return text if text[-1:] in ".?!" else text + "."


def sentence(text):
    """With a capital and a final mark."""
    return closed(text[:1].upper() + text[1:])


# ------------------------------------------------------------------------------------------ questions, one per kind
# Each takes (rng, segments, words, strict) and gives a Case, or None when the day has nothing to ask about.
# strict: only what has one right answer (gold days). Otherwise the last of several counts, as for "last".

PHRASINGS = {
    "where_when": ["Where was I when I was {gerund}?", "Where was I {gerund}?", "Where did I {base}?",
                   "In which place was I {gerund}?", "Where was I when I {past}?"],
    "doing_at": ["What was I doing at {time}?", "What did I do at {time}?", "At {time}, what was I doing?",
                 "What was I busy with at {time}?"],
    "when_last": ["When did I last {base}?", "When was I last {gerund}?", "At what time did I last {base}?",
                  "When was the last time that I {past}?"],
    "did_i": ["Did I {base}?", "Was I {gerund} at any time?", "Did I ever {base}?", "Did I {base} today?"],
    "how_many": ["How many times did I {base}?", "How often did I {base}?", "How many times was I {gerund}?"],
    "after": ["What did I do after {gerund}?", "What did I do right after {gerund}?", "What did I do after I {past}?",
              "What came after {gerund}?"],
    "last_seen": ["Where did I last see the {object}?", "Where did I leave the {object}?", "Where {are} the {object}?",
                  "Where {are} my {object}?", "Where did I leave my {object}?",
                  "In which place did I last see the {object}?"],
    "why": ["Why did I go to the {place}?", "Why was I {in}?", "What did I go to the {place} for?",
            "What was the reason that I went to the {place}?"],
    "said_at": ["What was said at {time}?", "What did I hear at {time}?", "Which words were spoken at {time}?",
                "At {time}, what was said?"],
    "said_in": ["What was said {in}?", "What did I hear {in}?", "What did someone say {in}?",
                "Which words were spoken {in}?"],
}

VOCABULARY = Words(vocab.PLACES, vocab.OBJECT_NAMES, vocab.ACTIVITY, vocab.PLURAL)


def phrase(rng, kind, words, activity=None, place=None, thing=None, time=None):
    slots = {}
    if activity:
        slots.update({k: words.activities[activity][k] for k in ("gerund", "base", "past")})
    if place:
        slots.update({"place": place, "in": words.in_place(place)})
    if thing:
        slots.update({"object": thing, "are": "are" if thing in words.plural else "is"})
    if time is not None:
        slots["time"] = time_text(time)
    return rng.choice(words.phrasings[kind]).format(**slots)


def lines_of(segments, **wanted):
    """Numbers of the lines that hold the wanted activity, place or seen object."""
    return [i for i, s in enumerate(segments, 1)
            if all(value in s.seen if key == "seen" else getattr(s, key) == value for key, value in wanted.items())]


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
    return Case("where_when", phrase(rng, "where_when", words, activity=found.activity),
                sentence(words.in_place(segments[n - 1].place)), [n], [n])


def moment_of(rng, segment, strict):
    """A second in the segment; without strict often the first one, which is the easier to find."""
    return segment.start if not strict and rng.random() < 0.4 else rng.randrange(segment.start, segment.end)


def doing_at(rng, segments, words, strict=True):
    n = rng.randint(1, len(segments))
    found = segments[n - 1]
    return Case("doing_at", phrase(rng, "doing_at", words, time=moment_of(rng, found, strict)),
                sentence(found.activity), [n], [n])


def when_last(rng, segments, words, strict=True):
    activity = rng.choice(segments).activity
    lines = lines_of(segments, activity=activity)
    return Case("when_last", phrase(rng, "when_last", words, activity=activity),
                f"At {time_text(segments[lines[-1] - 1].start)}.", [lines[-1]], lines)


def did_i(rng, segments, words, strict=True, yes=None):
    yes = rng.random() < 0.5 if yes is None else yes
    absent = absent_activities(segments, words)
    if yes or not absent:
        activity = rng.choice(segments).activity
        lines = lines_of(segments, activity=activity)
        return Case("did_i", phrase(rng, "did_i", words, activity=activity), "Yes.", lines[:1], lines)
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
    return Case("how_many", phrase(rng, "how_many", words, activity=activity), TIMES_WORD[len(lines)], lines, lines)


def after(rng, segments, words, strict=True):
    found = pick_line(rng, segments[:-1], strict, once(segments))
    if found is None:
        return None
    n = lines_of(segments, activity=found.activity)[-1]
    if n == len(segments):
        return None
    return Case("after", phrase(rng, "after", words, activity=found.activity), sentence(segments[n].activity), [n + 1],
                [n])


def last_seen(rng, segments, words, strict=True):
    things = sorted({thing for s in segments for thing in s.seen})
    if not things:
        return None
    thing = rng.choice(things)
    lines = lines_of(segments, seen=thing)
    return Case("last_seen", phrase(rng, "last_seen", words, thing=thing),
                sentence(words.in_place(segments[lines[-1] - 1].place)), [lines[-1]], lines)


def why(rng, segments, words, strict=True):
    found = pick_line(rng, segments, strict, lambda s: len(lines_of(segments, place=s.place)) == 1)
    if found is None:
        return None
    n = lines_of(segments, place=found.place)[-1]
    base = words.activities[segments[n - 1].activity]["base"]
    return Case("why", phrase(rng, "why", words, place=found.place), f"To {base}.", [n], [n])


def said(rng, segments, words, strict=True, how=None):
    spoken = [i for i, s in enumerate(segments, 1) if s.heard]
    alone = [i for i in spoken if sum(segments[j - 1].place == segments[i - 1].place for j in spoken) == 1]
    how = how or rng.choice(("at", "in"))
    if not (spoken if how == "at" else alone):
        return None
    n = rng.choice(spoken if how == "at" else alone)
    found = segments[n - 1]
    question = (phrase(rng, "said_at", words, time=moment_of(rng, found, strict)) if how == "at"
                else phrase(rng, "said_in", words, place=found.place))
    return Case("said", question, sentence(found.heard), [n], [n])


# ------------------------------------------------------------------------------------------------- the unanswerable

STRANGE = ["spaceship", "elephant", "violin", "telescope", "ladder", "piano", "wallet", "passport", "remote control",
           "toaster", "newspaper", "guitar", "camera", "pillow", "hammer", "bicycle", "tiger", "statue", "helmet", "kettle",
           "carpet", "painting", "necklace", "skateboard", "rocket", "sword", "tent", "bracelet", "calculator", "flute"]

# (question, words that could make it answerable when they are heard)
GENERAL = [
    ("Who phoned me?", ["called", "call"]), ("Who called me?", ["called", "call"]), ("What is my name?", ["name"]),
    ("How old am I?", ["old", "birthday"]), ("How much money did I spend?", ["pounds"]), ("What did I pay?", ["pounds"]),
    ("What day was it?", ["day"]), ("What was the weather like?", ["rain"]), ("Was it raining?", ["rain"]),
    ("Who was with me?", ["waiting", "meet"]), ("What did I dream about?", []), ("Which song was playing?", []),
    ("What is the name of the dog?", ["dog"]), ("Where do I live?", []), ("When was I born?", ["birthday"]),
    ("How tall am I?", []), ("What did I have for breakfast?", []), ("What is my phone number?", []),
    ("How far did I walk?", []), ("Who won the game?", []), ("What is the capital of France?", []),
    ("Which shirt was I wearing?", []), ("How was I feeling?", []), ("What will I do tomorrow?", ["tomorrow"]),
    ("Who is the president?", []), ("How many people were there?", []), ("What was on the television?", []),
    ("Where is my sister?", []), ("What time did I wake up?", []), ("What is the meaning of life?", []),
]
ABOUT_THING = ["What colour {was} the {object}?", "How much did the {object} cost?", "Who gave me the {object}?",
               "How big {was} the {object}?", "Who owns the {object}?", "How old {was} the {object}?"]


def absent_activities(segments, words):
    done = {s.activity for s in segments}
    return [a for a in words.activity_names if a not in done]


def refused(question, looked_up=()):
    return Case("unanswerable", question, REFUSAL, looked_up=list(looked_up))


def strange_thing(rng, segments, words):
    """A thing that is neither seen nor spoken of, nor part of what was done."""
    told = " ".join(f"{s.activity} {s.heard} {' '.join(s.seen)}" for s in segments)
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
    kind = rng.choice(("where_when", "where_when", "when_last", "after"))
    return refused(phrase(rng, kind, words, activity=rng.choice(absent)))


def unvisited(rng, segments, words):
    been = {s.place for s in segments}
    away = [p for p in words.place_names if p not in been]
    return refused(phrase(rng, rng.choice(("why", "said_in")), words, place=rng.choice(away))) if away else None


def silence(rng, segments, words):
    """What was said when, or where, nothing was."""
    quiet = [s for s in segments if not s.heard]
    loud = {s.place for s in segments if s.heard}
    if not quiet:
        return None
    found = rng.choice(quiet)
    if found.place not in loud and rng.random() < 0.5:
        return refused(phrase(rng, "said_in", words, place=found.place))
    return refused(phrase(rng, "said_at", words, time=rng.randrange(found.start, found.end)), [segments.index(found) + 1])


def too_late(rng, segments, words):
    """A time after the end of the day, or what came after its last line."""
    last = segments[-1]
    if rng.random() < 0.3 and len(lines_of(segments, activity=last.activity)) == 1:
        return refused(phrase(rng, "after", words, activity=last.activity))
    return refused(phrase(rng, rng.choice(("doing_at", "said_at")), words, time=last.end + rng.randint(20, 600)))


def unstated(rng, segments, words):
    """What a log like this never says."""
    spoken = " ".join(s.heard for s in segments)
    if rng.random() < 0.5:
        seen = [thing for s in segments for thing in s.seen if thing not in spoken]
        thing = rng.choice(seen) if seen and rng.random() < 0.5 else strange_thing(rng, segments, words)
        was = "were" if thing in words.plural else "was"
        return refused(rng.choice(ABOUT_THING).format(object=thing, was=was))
    return refused(rng.choice([q for q, clues in GENERAL if not any(clue in spoken for clue in clues)]))


KINDS = {"where_when": where_when, "doing_at": doing_at, "when_last": when_last, "did_i": did_i, "how_many": how_many,
         "after": after, "last_seen": last_seen, "why": why, "said": said}
REFUSALS = [unseen_thing, undone, unvisited, silence, too_late, unstated]


# --------------------------------------------------------------------------------------------------------- the plot

# Which place one can walk to from where.
HOME = ["bedroom", "bathroom", "kitchen", "living room"]
WAYS = {place: [p for p in HOME if p != place] for place in HOME}
WAYS.update({
    "garden": ["kitchen", "living room", "workshop", "street"],
    "workshop": ["garden", "street"],
    "street": ["garden", "living room", "supermarket", "cafe", "gym", "park", "bus stop", "office"],
    "supermarket": ["street", "cafe", "bus stop"],
    "cafe": ["street", "park", "supermarket", "office"],
    "gym": ["street", "bus stop"],
    "park": ["street", "cafe", "beach"],
    "bus stop": ["office", "beach", "gym", "street", "supermarket"],
    "office": ["bus stop", "cafe", "street"],
    "beach": ["bus stop", "park"],
})
for _room in ("kitchen", "living room"):
    WAYS[_room] += ["garden", "street"]

QUOTA = {"where_when": 2, "doing_at": 3, "when_last": 2, "did_i": 2, "how_many": 2, "after": 2, "last_seen": 3, "why": 1,
         "said": 2}
UNANSWERABLE = 5


def cut(rng, seconds):
    """Whole-second segments of 5 to 10 s that fill the day."""
    fewest, most = max(1, math.ceil(seconds / 9)), max(1, int(seconds / 6.4))
    lengths = [5] * rng.randint(fewest, max(fewest, most))
    while sum(lengths) > seconds and len(lengths) > 1:
        lengths.pop()
    for _ in range(seconds - sum(lengths)):
        short = [i for i, n in enumerate(lengths) if n < 10] or range(len(lengths))
        lengths[rng.choice(short)] += 1
    return lengths


def plot(rng, seconds):
    """Segments along a walk between neighbouring places, a few objects lying about in several of them."""
    place = rng.choice(HOME) if rng.random() < 0.7 else rng.choice(list(WAYS))
    stay, now, segments, said_before = rng.choice((1, 1, 2, 2, 3)), 0, [], set()
    about = rng.sample(vocab.OBJECT_NAMES, min(len(vocab.OBJECT_NAMES), 8 + seconds // 45))
    for length in cut(rng, seconds):
        if stay == 0:
            place, stay = rng.choice(WAYS[place]), rng.choice((1, 1, 2, 2, 3))
        before = segments[-1].activity if segments else None
        done = {s.activity for s in segments}
        fit = [a for a in vocab.activities_of(place) if a != before]
        again = [a for a in fit if a in done]
        activity = rng.choice(again if again and rng.random() < 0.5 else fit)
        heard = vocab.sample_sentence(rng) if rng.random() < 0.45 else ""
        heard = "" if heard in said_before else heard
        said_before.add(heard)
        segments.append(Segment(now, now + length, place, activity, rng.sample(about, rng.choice((1, 1, 2))), heard))
        now, stay = now + length, stay - 1
    return segments


def examine(rng, segments, words=VOCABULARY):
    """The day's questions: every kind by its quota, all different, a fifth unanswerable. None if a kind is missing."""
    cases, asked = [], set()

    def fill(count, make):
        missing = count
        for _ in range(40 * count):
            case = make() if missing else None
            if case and case.question not in asked and (case.kind, case.answer, tuple(case.lines)) not in asked:
                asked.update({case.question} if case.kind == "unanswerable" else
                             {case.question, (case.kind, case.answer, tuple(case.lines))})
                cases.append(case)
                missing -= 1
        return missing

    gaps = 0
    for kind, count in QUOTA.items():
        if kind == "did_i":
            gaps += fill(1, lambda: did_i(rng, segments, words, yes=True)) + fill(1, lambda: did_i(rng, segments, words, yes=False))
        elif kind == "how_many":
            gaps += fill(1, lambda: how_many(rng, segments, words, several=True))
            gaps += fill(1, lambda: how_many(rng, segments, words, several=False))
        elif kind == "said":
            gaps += fill(1, lambda: said(rng, segments, words, how="at")) + fill(1, lambda: said(rng, segments, words, how="in"))
        else:
            gaps += fill(count, lambda: KINDS[kind](rng, segments, words))
    for make in rng.sample(REFUSALS, UNANSWERABLE):
        gaps += fill(1, lambda: make(rng, segments, words))
    rng.shuffle(cases)
    return cases, gaps


def make_day(seed, seconds=90):
    """A day with questions of every kind; of 300 tries the first with no gap (short days may keep one)."""
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
    args.add_argument("--seconds", type=int, default=90)
    args = args.parse_args()
    day = make_day(args.seed, args.seconds)
    print(log_text(day.segments))
    for case in day.cases:
        print(f"{case.kind:13} {case.question:55} {case.reply()}")


if __name__ == "__main__":
    main()
