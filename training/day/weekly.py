"""Questions over several dated days: what happened when, and on which day.

A day's own kinds of question name the day ("on Tuesday", "yesterday"); others go over all days.
Times in these segments are seconds since midnight and a hundred hours, so that daylog.time_text
gives nine characters that `told` turns into times of day.
"""

import datetime
import re
from dataclasses import dataclass

import sayings
import texts
import wordings
from day import questions
from day.asking import NUMBER, TIMES_WORD, VOCABULARY, Case, Words, absent_activities
from day.daylog import greetings, lines_of, listed, sentence
from day.ordered import by_activity
from day.refusals import refused, silence, strange_thing, too_late, unvisited

BASE = 100 * 3600
ON_DAY = texts.sections("phrasings_week")


def fits_a_day(pattern):
    """Whether "on Tuesday" can follow the wording."""
    return not re.search(r"today|^Where \{are\}|at any time", pattern)


WORDS = Words(
    VOCABULARY.places,
    VOCABULARY.objects,
    VOCABULARY.activities,
    VOCABULARY.plural,
    {k: [p for p in v if fits_a_day(p)] for k, v in wordings.PHRASINGS.items()},
)


@dataclass
class Dated:
    """The segments of one date, in order, and of each its video, its own seconds, and whether it is
    shown in whole minutes (a medium's clock) or in seconds."""

    date: datetime.date
    segments: list
    videos: list
    spans: list
    minutes: bool

    def told(self, text, asking=False):
        """The text with times of day. `asking`: a time within a segment becomes a minute that lies
        completely in it, so that no other segment has it."""

        def shown(found):
            hours, rest, seconds = (int(part) for part in found.groups())
            then = 3600 * hours + 60 * rest + seconds
            if self.minutes and asking:
                then = self.whole_minute(then)
            then = (then - BASE) % (24 * 3600)
            text = f"{then // 3600:02d}:{then // 60 % 60:02d}"
            return text if self.minutes else f"{text}:{then % 60:02d}"

        return re.sub(r"\b(1\d\d):(\d\d):(\d\d)\b", shown, text)

    def whole_minute(self, then):
        """The start of a minute that lies in the same segment, or after the last one."""
        minute = then // 60 * 60
        for s in self.segments:
            if s.start <= then < s.end:
                if minute < s.start:
                    return minute + 60
                return minute - 60 if minute + 60 > s.end else minute
        return minute + 60

    def moments(self, lines):
        return [
            {
                "video": self.videos[n - 1],
                "start": self.spans[n - 1][0],
                "end": self.spans[n - 1][1],
            }
            for n in lines
        ]


class Week:
    """Dated days in order, and how questions name them. `now` is the date of "today"."""

    def __init__(self, days, now):
        self.days, self.now = days, now
        first, last = days[0].date, max(now, days[-1].date)
        self.weekdays = (last - first).days < 7

    def name(self, date):
        """'on Tuesday', or 'on 17 November' if the days are more than a week."""
        return f"on {date:%A}" if self.weekdays else f"on {date.day} {date:%B}"

    def said(self, rng, date):
        """A way to name the date: its name, its date, today or yesterday."""
        near = {0: "today", 1: "yesterday"}.get((self.now - date).days)
        if near and rng.random() < 0.4:
            return near
        return self.name(date) if rng.random() < 0.8 else f"on {date.day} {date:%B}"

    def every(self, fits):
        """[(day, line)] of all segments that fit."""
        return [(day, n) for day in self.days for n, s in enumerate(day.segments, 1) if fits(s)]


def ask(kind, question, answer, found):
    """The case of lines [(day, line)]."""
    moments = [moment for day, line in found for moment in day.moments([line])]
    return {"question": question, "answer": answer, "kind": kind, "moments": moments}


def on_day(week, rng, day, case, kind):
    """A day's own case, with the day named."""
    when = week.said(rng, day.date)
    question = f"{day.told(case.question, asking=True).rstrip('?.')} {when}?"
    return ask(kind, question, day.told(case.answer), [(day, n) for n in case.lines])


def daily(kind, **choice):
    """The kind of a single day, asked of one of the days."""
    make = questions.KINDS[kind]

    def made(week, rng):
        day = rng.choice(week.days)
        case = make(rng, day.segments, WORDS, **choice)
        return case and on_day(week, rng, day, case, f"{kind}_on")

    return made


def not_that_day(week, rng):
    """Did I do on that day what I did on another?"""
    day = rng.choice(week.days)
    done = {s.activity for other in week.days for s in other.segments}
    fit = sorted(done - {s.activity for s in day.segments})
    if not fit:
        return None
    pattern = rng.choice(WORDS.phrasings["did_i"])
    case = Case("did_i", pattern.format(**WORDS.forms(rng.choice(fit))), "No.")
    return on_day(week, rng, day, case, "did_i_on")


def first_on(week, rng):
    """When did I first do it on that day?"""
    day = rng.choice(week.days)
    deed, lines = rng.choice(list(by_activity(day.segments).items()))
    question = worded(rng, "when_first_on", deed).rstrip("?")
    case = Case("", question, f"At {clock(day, lines[0])}.", lines[:1])
    return on_day(week, rng, day, case, "when_first_on")


def worded(rng, kind, deed=None, **slots):
    return rng.choice(ON_DAY[kind]).format(**(WORDS.forms(deed) if deed else {}), **slots)


def clock(day, line):
    """The time of day at which the line starts."""
    second = day.segments[line - 1].start
    return day.told(f"{second // 3600}:{second // 60 % 60:02d}:{second % 60:02d}")


def deed_lines(week, rng, least=1, most=None):
    """(activity, [(day, line)]) of an activity that occurs `least` to `most` times, or None."""
    deeds = sorted({s.activity for day in week.days for s in day.segments})
    deed = rng.choice(deeds)
    found = week.every(lambda s: s.activity == deed)
    return (deed, found) if least <= len(found) <= (most or len(found)) else None


def end_of(kind, end, answer):
    """The first or the last time over all days."""

    def make(week, rng):
        deed, found = deed_lines(week, rng) or (None, None)
        if not deed:
            return None
        day, line = found[end]
        return ask(kind, worded(rng, kind, deed), answer(week, day, line), [found[end]])

    return make


def day_and_time(week, day, line):
    name = week.name(day.date)
    return f"{name[:1].upper()}{name[1:]} at {clock(day, line)}."


def place_there(week, day, line):
    return sentence(WORDS.in_place(day.segments[line - 1].place))


def how_many_all(week, rng):
    deed, found = deed_lines(week, rng, 1, len(NUMBER)) or (None, None)
    return deed and ask(
        "how_many_all", worded(rng, "how_many_all", deed), TIMES_WORD[len(found)], found
    )


def days_of(found):
    """The different days, in order."""
    return list({day.date: day for day, _ in found}.values())


def how_many_days(week, rng):
    deed, found = deed_lines(week, rng) or (None, None)
    if not deed:
        return None
    count = len(days_of(found))
    if count > len(NUMBER):
        return None
    answer = f"{NUMBER[count - 1].capitalize()} day{'s' * (count > 1)}."
    return ask("how_many_days", worded(rng, "how_many_days", deed), answer, found)


def which_days(week, rng):
    deed, found = deed_lines(week, rng) or (None, None)
    on = days_of(found) if deed else []
    if not 1 <= len(on) <= 3:
        return None
    names = [week.name(day.date).removeprefix("on ") for day in on]
    kind = "which_day" if len(on) == 1 else "which_days"
    return ask(kind, worded(rng, kind, deed), f"On {listed(names)}.", found)


def last_seen_all(week, rng):
    things = sorted({t for day in week.days for s in day.segments for t in (*s.seen, s.held) if t})
    thing = rng.choice(things)
    found = [(day, n) for day in week.days for n in lines_of(day.segments, thing=thing)]
    question = rng.choice(("Where did I last see the {0}?", "Where did I leave the {0}?"))
    return ask("last_seen_all", question.format(thing), place_there(week, *found[-1]), found[-1:])


def met_day(week, rng):
    met = [(day, n, name) for day in week.days for n, name in greetings(day.segments)]
    if not met:
        return None
    day, line, name = rng.choice(met)
    if [other for _, _, other in met].count(name) > 1:
        return None
    kind = rng.choice(("met_day", "met_where_all"))
    answer = week.name(day.date) + "." if kind == "met_day" else place_there(week, day, line)
    answer = answer[:1].upper() + answer[1:]
    return ask(kind, worded(rng, kind, name=name.capitalize()), answer, [(day, line)])


KINDS = {
    "where_when": daily("where_when"),
    "doing_at": daily("doing_at"),
    "when_last": daily("when_last"),
    "when_first": first_on,
    "did_i yes": daily("did_i", yes=True),
    "did_i no": not_that_day,
    "how_many": daily("how_many"),
    "several": daily("how_many", several=True),
    "after": daily("after"),
    "before": daily("before"),
    "last_seen": daily("last_seen"),
    "why": daily("why"),
    "said at": daily("said", how="at"),
    "said in": daily("said", how="in"),
    "promised": daily("promised"),
    "met": daily("met"),
    "people": daily("people"),
    "when_first_all": end_of("when_first_all", 0, day_and_time),
    "when_last_all": end_of("when_last_all", -1, day_and_time),
    "where_first_all": end_of("where_first_all", 0, place_there),
    "where_last_all": end_of("where_last_all", -1, place_there),
    "how_many_all": how_many_all,
    "how_many_days": how_many_days,
    "which_days": which_days,
    "last_seen_all": last_seen_all,
    "met_day": met_day,
}


# without an answer
def refuse(question):
    return ask("unanswerable", question, refused("").answer, [])


def elsewhere(week, rng):
    """A question that assumes on one day what happened on another only."""
    day = rng.choice(week.days)
    done = {s.activity for other in week.days for s in other.segments}
    fit = sorted(done - {s.activity for s in day.segments})
    if not fit:
        return None
    kind = rng.choice(("where_when", "when_last", "after", "before"))
    question = rng.choice(WORDS.phrasings[kind]).format(**WORDS.forms(rng.choice(fit)))
    return refuse(f"{question.rstrip('?')} {week.said(rng, day.date)}?")


def unseen_that_day(week, rng):
    """Where did I see on that day what was there on another, or never?"""
    day = rng.choice(week.days)
    seen = {t for other in week.days for s in other.segments for t in (*s.seen, s.held) if t}
    told = " ".join(s.heard for s in day.segments)
    here = {t for s in day.segments for t in (*s.seen, s.held)}
    fit = sorted(t for t in seen - here if t not in told)
    thing = rng.choice(fit) if fit else strange_thing(rng, day.segments, WORDS)
    return refuse(f"Where did I last see the {thing} {week.said(rng, day.date)}?")


def daily_refusal(make):
    """A day's own question without an answer, with the day named."""

    def made(week, rng):
        day = rng.choice(week.days)
        case = make(rng, day.segments, WORDS)
        # what came after a day's last line may be in the next day
        if not case or make is too_late and not re.search(r"\d:", case.question):
            return None
        return refuse(
            f"{day.told(case.question, asking=True).rstrip('?.')} {week.said(rng, day.date)}?"
        )

    return made


def other_date(week, rng):
    """A question about a day without a video."""
    before = week.days[0].date - datetime.timedelta(days=rng.randint(7, 20))
    between = [
        week.days[0].date + datetime.timedelta(days=n)
        for n in range((week.days[-1].date - week.days[0].date).days)
    ]
    gaps = [date for date in between if date not in {day.date for day in week.days}]
    date = rng.choice(gaps) if gaps and rng.random() < 0.5 else before
    deed = rng.choice(sorted({s.activity for day in week.days for s in day.segments}))
    kind = rng.choice(("where_when", "when_last", "after"))
    question = rng.choice(WORDS.phrasings[kind]).format(**WORDS.forms(deed))
    return refuse(f"{question.rstrip('?')} on {date.day} {date:%B}?")


def never_all(week, rng):
    """A question over all days that assumes what never happened."""
    every = [s for day in week.days for s in day.segments]
    absent = absent_activities(every, WORDS)
    if not absent:
        return None
    kind = rng.choice(("when_last_all", "where_first_all", "which_day"))
    return refuse(worded(rng, kind, rng.choice(absent)))


def never_met(week, rng):
    """On which day did I meet somebody whose name nobody said?"""
    told = " ".join(s.heard for day in week.days for s in day.segments)
    fit = [name for name in sayings.NAMES if name not in told]
    return refuse(worded(rng, "met_day", name=rng.choice(fit).capitalize())) if fit else None


REFUSALS = {
    "elsewhere": elsewhere,
    "unseen_that_day": unseen_that_day,
    "silence": daily_refusal(silence),
    "too_late": daily_refusal(too_late),
    "unvisited": daily_refusal(unvisited),
    "other_date": other_date,
    "never_all": never_all,
    "never_met": never_met,
}


def week_cases(week, rng, count):
    """`count` cases if the days have so many: every kind in turn, a fifth without an answer."""
    asked, out = set(), []
    for makers, wanted in ((KINDS, count - count // 5), (REFUSALS, count // 5)):
        found, left = [], list(makers.values())
        while left and len(found) < wanted:
            rng.shuffle(left)
            for make in list(left):
                tries = (make(week, rng) for _ in range(150)) if len(found) < wanted else ()
                case = next((c for c in tries if c and c["question"].lower() not in asked), None)
                if case:
                    asked.add(case["question"].lower())
                    found.append(case)
                elif len(found) < wanted:
                    left.remove(make)
        out += found
    rng.shuffle(out)
    return out
