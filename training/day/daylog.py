"""A day's segments, and the log of them as text."""

import re
from dataclasses import dataclass, field

import vocab


@dataclass
class Segment:
    """Whole seconds [start, end) in one place with one activity. `heard` is one spoken sentence or
    ''.

    `held` is the carried thing; `activity` is then `vocab.carrying(held)`. `people` is the number
    of persons in sight (0 to 3). `sound` is one of `vocab.SOUNDS` or ''.
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


# the log as text
def time_text(seconds):
    """MM:SS, or HH:MM:SS from one hour on, as elenchus shows it."""
    hours = f"{seconds // 3600:02d}:" if seconds >= 3600 else ""
    return f"{hours}{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def log_line(number, segment):
    """The line as examples/video_log.yaml writes it. Of a segment without a place, only the sound
    is known."""
    if not segment.place:
        times = f"{time_text(segment.start)}-{time_text(segment.end)}"
        return f"[{number}] {times} Heard: {closed(segment.heard)}"
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


def listed(names):
    """'a, b and c'"""
    return " and ".join([", ".join(names[:-1])] * (len(names) > 1) + [names[-1]])


def lasting(seconds):
    """'1 minute and 8 seconds'"""
    parts = zip((seconds // 3600, seconds // 60 % 60, seconds % 60), ("hour", "minute", "second"))
    return listed([f"{n} {unit}{'s' * (n != 1)}" for n, unit in parts if n] or ["0 seconds"])


def sentence(text):
    """With a capital and a final mark."""
    return closed(text[:1].upper() + text[1:])


def lines_of(segments, **wanted):
    """Numbers of the lines with the wanted activity or place, or with the wanted thing, lying about
    or carried."""
    return [
        i
        for i, s in enumerate(segments, 1)
        if all(
            value in s.seen or value == s.held if key == "thing" else getattr(s, key) == value
            for key, value in wanted.items()
        )
    ]


ERRAND = re.compile(r"\bgo to the (.+?) and (.+?)[.?!]?$")
PROMISE = re.compile(r"^i promise to (.+?)[.?!]?$")
GREETING = re.compile(r"^(?:hello,|nice to meet you,)? ?(?:i am|my name is) (\w+)[.?!]?$")


def errands(segments):
    """[(line, place, task there)]: the errands of the wearer."""
    return [
        (i, *found.groups()) for i, s in enumerate(segments, 1) if (found := ERRAND.search(s.heard))
    ]


def promises(segments):
    """[(line, promised task)]"""
    return [
        (i, found.group(1)) for i, s in enumerate(segments, 1) if (found := PROMISE.search(s.heard))
    ]


def greetings(segments):
    """[(line, name)] of persons who introduce themselves."""
    return [
        (i, found.group(1))
        for i, s in enumerate(segments, 1)
        if (found := GREETING.search(s.heard))
    ]
