"""The parts of a question: the case, its words and its wording."""

from dataclasses import dataclass, field

import vocab
import wordings
from day.daylog import time_text

REFUSAL = "I don't know."
NUMBER = "one two three four five six seven eight nine ten eleven twelve".split()
TIMES_WORD = {1: "Once.", 2: "Twice."} | {
    n: f"{word.capitalize()} times." for n, word in enumerate(NUMBER, 1) if n > 2
}


@dataclass
class Case:
    """A question, its answer without citations, and the numbers (from 1) of the lines that support
    it."""

    kind: str
    question: str
    answer: str
    lines: list = field(default_factory=list)
    # lines whose words the question names; lm.py can teach with them
    looked_up: list = field(default_factory=list)
    # the parts of lines that the question names and that the answer copies; '': those of the kind
    named: str = ""
    copied: str = ""

    def reply(self):
        """The reply that the language model must write: citations, a space, the answer."""
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


class Words:
    """The words that questions can use. Answers to "where" need the preposition, questions the
    verb's other forms."""

    def __init__(self, places, objects, activities, plural, phrasings=None):
        self.places, self.objects, self.activities, self.plural = (
            places,
            objects,
            activities,
            plural,
        )
        self.phrasings = phrasings or wordings.PHRASINGS
        self.place_names, self.activity_names = list(places), list(activities)

    def in_place(self, place):
        return self.places[place]["in"]

    def forms(self, activity):
        """The activity's gerund, base and past. Every thing that can be held can be carried."""
        if activity not in self.activities and activity.startswith(CARRYING):
            what = activity[len(CARRYING) :]
            return {"gerund": activity, "base": "carry the " + what, "past": "carried the " + what}
        return self.activities[activity]


CARRYING = vocab.carrying("")
# questions, one per kind
# Each takes (rng, segments, words, strict) and gives a Case, or None if the day has no such
# question.
# strict: only questions with one right answer (gold days). Otherwise the last of several answers
# counts, as for "last".
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


def absent_activities(segments, words):
    """Activities that never happened, carrying some things among them."""
    done = {s.activity for s in segments}
    carried = [vocab.carrying(thing) for thing in words.objects[::3]]
    return [a for a in words.activity_names + carried[:8] if a not in done]
