"""Every question's answer is in its log; unanswerable questions have none there."""

import re

import vocab
import wordings
from day import daylog
from day.asking import REFUSAL, VOCABULARY
from day.refusals import STRANGE

THINGS = {*vocab.OBJECT_NAMES, *STRANGE}
COUNTS = {"Once.": 1, "Twice.": 2, "Three times.": 3, "Four times.": 4}


def bare(text):
    """The text without its final mark, in small letters."""
    return text.rstrip(".?!").lower()


def patterns(bank):
    """Regular expressions of wordings, with a group for each slot. Wordings with more text come
    first."""
    for wording in sorted(bank, key=lambda w: -len(re.sub(r"\{\w+\}", "", w))):
        names = re.findall(r"\{(\w+)\}", wording)
        parts = re.split(r"\{\w+\}", wording)
        slots = [f"(?P<{name}>.+)" for name in names] + [""]
        yield re.compile("".join(re.escape(p) + s for p, s in zip(parts, slots)))


BANKS = {
    **wordings.PHRASINGS,
    **{"about " + name: bank for name, bank in wordings.ABOUT.items()},
    "general": [question for question, _ in wordings.GENERAL],
}
PATTERNS = [(kind, pattern) for kind, bank in BANKS.items() for pattern in patterns(bank)]


def activity_of(slots):
    """The activity that a question's slots name."""
    for form in ("gerund", "base", "past"):
        if form in slots:
            known = [*vocab.ACTIVITY_NAMES, *(vocab.carrying(t) for t in vocab.OBJECT_NAMES)]
            fit = [a for a in known if VOCABULARY.forms(a)[form] == slots[form]]
            return fit[0] if fit else None
    return None


def place_of(slots):
    """The place that a question's slots name."""
    if "in" in slots:
        return next((p for p in vocab.PLACE_NAMES if vocab.in_place(p) == slots["in"]), None)
    return slots.get("place") if slots.get("place") in vocab.PLACE_NAMES else None


def time_of(slots):
    """The time that a question's slots name."""
    time = slots.get("time", "")
    return time if re.fullmatch(r"\d\d:\d\d", time) else None


def readings(question):
    """[(kind, subject)]: the possible meanings of a question. Slots hold words of the world."""
    found = []
    for kind, pattern in PATTERNS:
        match = pattern.fullmatch(question)
        if not match:
            continue
        slots = match.groupdict()
        thing = slots.get("object") if slots.get("object") in THINGS else None
        named = thing or activity_of(slots) or place_of(slots) or time_of(slots)
        if named or not slots:
            found.append((kind, named))
    return found


def seconds(clock):
    """'01:07' -> 67"""
    minutes, rest = clock.split(":")
    return 60 * int(minutes) + int(rest)


def told(segments):
    """All speech in one text."""
    return " ".join(s.heard for s in segments)


def answered(kind, named, segments):
    """Whether the log answers a question of that kind about that subject."""
    doing = [i for i, s in enumerate(segments) if s.activity == named]
    there = [s for s in segments if s.place == named]
    spoken = told(segments)
    if kind in ("where_when", "when_last"):
        return bool(doing)
    if kind == "after":
        return any(i + 1 < len(segments) for i in doing)
    if kind == "before":
        return any(i > 0 for i in doing)
    if kind == "last_seen":
        return any(named in (*s.seen, s.held) for s in segments) or named in spoken
    if kind in ("doing_at", "said_at"):
        now = [s for s in segments if s.start <= seconds(named) < s.end]
        return any(kind == "doing_at" or s.heard for s in now)
    if kind in ("why", "people"):
        return bool(there) or f"the {named}" in spoken
    if kind == "said_in":
        return any(s.heard for s in there)
    if kind == "met":
        return any(daylog.GREETING.search(s.heard) for s in there)
    if kind == "met_any":
        return any(daylog.GREETING.search(s.heard) for s in segments)
    if kind == "promised":
        return any(daylog.PROMISE.search(s.heard) for s in segments)
    if kind == "about thing":
        return named in spoken
    return False


def in_its_lines(case, lines):
    """Whether the answer occurs in its supporting lines."""
    answer = bare(case.answer)
    if case.kind in ("where_when", "last_seen"):
        return any(bare(VOCABULARY.in_place(s.place)) == answer for s in lines)
    if case.kind in ("doing_at", "after", "before"):
        return any(bare(s.activity) == answer for s in lines)
    if case.kind == "when_last":
        return any(f"at {daylog.time_text(s.start)}" == answer for s in lines)
    if case.kind == "people":
        return any(vocab.PEOPLE[s.people].lower() == answer for s in lines)
    if case.kind == "said":
        return any(bare(s.heard) == answer for s in lines)
    if case.kind == "met":
        return any(answer in s.heard.lower().split(" ")[-1] for s in lines)
    done = [VOCABULARY.forms(s.activity)["base"].lower() for s in lines]
    aim = answer.removeprefix("to ")
    return any(aim in s.heard.lower() for s in lines) or case.kind == "why" and aim in done


def test_every_answer_is_in_its_log(days_made):
    kinds = set()
    for day in days_made:
        for case in day.cases:
            lines = [day.segments[n - 1] for n in case.lines]
            if case.kind == "unanswerable":
                continue
            kinds.add(case.kind)
            where = (day.seed, case.question, case.answer)
            assert case.answer != REFUSAL, where
            doing = {named for kind, named in readings(case.question) if kind == case.kind}
            times = sum(s.activity in doing for s in day.segments)
            if case.kind == "did_i":
                assert (times > 0) == (case.answer == "Yes."), where
                assert all(s.activity in doing for s in lines), where
            elif case.kind == "how_many":
                assert COUNTS[case.answer] == times == len(lines), where
            else:
                assert lines and in_its_lines(case, lines), where
    assert len(kinds) == 13


def test_unanswerable_questions_have_no_answer_in_the_log(days_made):
    met = set()
    for day in days_made:
        for case in day.cases:
            if case.kind != "unanswerable":
                continue
            where = (day.seed, case.question)
            assert case.answer == REFUSAL and not case.lines, where
            found = readings(case.question)
            assert found, where
            for kind, named in found:
                met.add(kind)
                assert not answered(kind, named, day.segments), (*where, kind, named)
            for question, clues in wordings.GENERAL:
                spoken = told(day.segments)
                assert question != case.question or not any(c in spoken for c in clues), where
    assert {"last_seen", "said_at", "doing_at", "about thing", "general", "met"} <= met
