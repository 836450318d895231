"""Questions over several dated days, answered again from their log by brute force."""

import json
import os
import re
from collections import Counter

import pytest
import recount

import look
import texts
import week
import when
import world
from day import weekly
from day.daylog import Segment, time_text

ON = re.compile(r" (today|yesterday|on (?:\w+day|\d+ \w+))\?$")
ALL, LONG = texts.sections("phrasings_week"), texts.sections("phrasings_long")


def made(folder, first, clock=True, tz="+01:00", days=7, seed=500):
    """Folders of days, one date after the other, in real time at 09:15:20 without `clock`."""
    out = []
    for n in range(days):
        start = when.date(first if clock else first + "T09:15:20")
        begin = when.beginning(start, 420 if clock else None, when.zone(tz), n)
        shown = look.Look(clock=420 if clock else None, hours=13.3, begin=begin)
        out.append(os.path.join(folder, str(n)))
        world.write_day(seed + n, out[-1], look=shown, video=False)
    return out


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module", params=[True, False], ids=["clock", "real time"])
def asked(request, tmp_path_factory):
    """(the cases of a week, its log)"""
    folder = str(tmp_path_factory.mktemp("week"))
    out = os.path.join(folder, "week.cases.jsonl")
    week.make_week(made(folder, "2026-11-16", request.param), out, 160)
    return read(out), read(os.path.join(folder, "week.log.jsonl"))


def dates(question, log):
    """(the question without its day, the records of that day); without a day, all records."""
    found = ON.search(question)
    if not found:
        return question, log
    said, known = found[1], {r["at"][:10] for r in log}
    last = max(known)
    before = sorted(known)[-2]
    day = {"today": last, "yesterday": before}.get(said)
    for date in known:
        stamp = when.date(date)
        if said in (f"on {stamp:%A}", f"on {stamp.day} {stamp:%B}"):
            day = date
    return ON.sub("?", question), [r for r in log if r["at"][:10] == day]


def clock(record, end="at"):
    """The time of day of a record, as questions say it."""
    return record[end][11:16] if "clock" in record else record[end][11:19]


def at_once(time, log):
    """The records in which that time of day wholly lies; of a minute, every part of it."""
    width = len(time)
    return [r for r in log if r["at"][11 : 11 + width] <= time < r["until"][11:19]]


def week_forms(question):
    """(kind, slots) of a question over all days, or of the first time on a day."""
    for kind, patterns in ALL.items():
        for pattern in patterns:
            parts = re.split(r"\{(\w+)\}", pattern)
            text = "".join(
                f"(?P<{part}>{recount.SLOT.get(part, '.+')})" if i % 2 else re.escape(part)
                for i, part in enumerate(parts)
            )
            found = re.fullmatch(text, question)
            if found:
                slots = {k: recount.value(k, v) for k, v in found.groupdict().items()}
                if None not in slots.values():
                    yield kind, slots


def weekday(record):
    return f"{when.date(record['at'][:10]):%A}"


def over_all(kind, slots, log):
    """All right answers of a question over these records."""
    deed = next((slots[f] for f in recount.FORMS if f in slots), None)
    lines = [r for r in log if r["activity"] == deed]
    met = [r for r, name in recount.names(log) if name == slots.get("name")]
    on = list(dict.fromkeys(weekday(r) for r in lines))
    if kind.startswith("met"):
        return {f"on {weekday(r)}" if kind == "met_day" else recount.there(r) for r in met}
    if not lines:
        return set()
    end = lines[-1 if "last" in kind else 0]
    return {
        "when_first_on": lambda: {f"at {clock(end)}"},
        "when_first_all": lambda: {f"on {weekday(end)} at {clock(end)}"},
        "when_last_all": lambda: {f"on {weekday(end)} at {clock(end)}"},
        "where_first_all": lambda: {recount.there(end)},
        "where_last_all": lambda: {recount.there(end)},
        "how_many_all": lambda: recount.times(len(lines)),
        "how_many_days": lambda: {
            f"{'one two three four five six seven'.split()[len(on) - 1]} day"
        },
        "which_day": lambda: {f"on {day}" for day in on},
        "which_days": lambda: {f"on {recount.joined(on)}"},
    }[kind]()


def right(question, log):
    """[all right answers of a reading]"""
    bare, own = dates(question, log)
    time = re.search(r"\d\d:\d\d(?::\d\d)?", bare)
    if time:  # as the second of a record that the time lies in
        now = at_once(time[0], own)
        assert len(now) <= 1, (question, now)
        own, bare = now, bare.replace(time[0], "00:01")
        own = [r | {"start": 0, "end": 2} for r in own]
    out = []
    for kind, slots in recount.readings(bare):
        if kind in ("when_last", "when_first"):
            lines = [r for r in own if r["activity"] == slots["deed"]]
            end = lines[-1:] if kind == "when_last" else lines[:1]
            out.append({f"at {clock(r)}" for r in end})
        elif kind in ("where_last", "where_first") or kind not in LONG:
            out.append(recount.answers(kind, slots, own))
    out += [over_all(kind, slots, own) for kind, slots in week_forms(bare)]
    return [{recount.bare(x).replace("days", "day") for x in answers} for answers in out]


def test_each_answer_is_the_only_right_one(asked):
    cases, log = asked
    for case in cases:
        where = (case["kind"], case["question"], case["answer"])
        found = right(case["question"], log)
        assert found, where
        for answers in found:
            if case["kind"] == "unanswerable":
                assert not answers, (*where, answers)
            else:
                expected = recount.bare(case["answer"]).replace("days", "day")
                assert answers == {expected}, (*where, answers)


def test_a_week_has_many_questions_and_a_fifth_without_an_answer(asked):
    cases, log = asked
    kinds = Counter(case["kind"] for case in cases)
    assert len(cases) == 160 and kinds["unanswerable"] == 32
    assert len(kinds) >= 22
    assert sum(bool(ON.search(case["question"])) for case in cases) > 80
    words = " ".join(case["question"] for case in cases)
    for day in "Monday Tuesday Wednesday Thursday Friday Saturday Sunday today yesterday".split():
        assert day in words
    assert all(case["now"] == log[-1]["until"] and len(case["video"]) == 7 for case in cases)


def test_moments_name_lines_of_the_log(asked):
    cases, log = asked
    known = {(r["video"], r["start"], r["end"]) for r in log}
    for case in cases:
        spans = {(m["video"], m["start"], m["end"]) for m in case["moments"]}
        assert spans <= known and len(spans) == len(case["moments"])
        assert spans or case["kind"] == "unanswerable" or case["answer"] == "No."


def test_days_of_more_than_a_week_have_dates(tmp_path):
    out = str(tmp_path / "all.jsonl")
    cases = week.make_week(made(str(tmp_path), "2026-11-16", days=9), out)
    names = re.compile("|".join("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()))
    # speech may name weekdays
    assert not any(names.search(case["question"] + case["answer"]) for case in cases)
    assert os.path.exists(tmp_path / "all.log.jsonl")


def test_what_is_no_week_is_refused_in_one_line(tmp_path):
    days = made(str(tmp_path), "2026-11-16", days=2)
    out = str(tmp_path / "w.cases.jsonl")
    for folders, now, expected in (
        ([*days, days[0]], None, "at the same time"),
        ([str(tmp_path / "none")], None, "no such folder"),
        ([str(tmp_path)], None, "no log.jsonl"),
        (days, week.moment("2026-11-16"), "before the end"),
    ):
        with pytest.raises(SystemExit, match=expected):
            week.make_week(folders, out, now=now)
    world.write_day(1, str(tmp_path / "undated"), video=False)
    with pytest.raises(SystemExit, match="no dates"):
        week.make_week([str(tmp_path / "undated")], out)


def test_an_asked_minute_lies_in_one_line():
    day = weekly.Dated(None, [], [], [], True)
    for start, end in ((1000, 1190), (1190, 1500)):
        begin, until = start + weekly.BASE, end + weekly.BASE
        day.segments.append(Segment(begin, until, "cafe", "boxing"))
        minutes = {day.whole_minute(then) - weekly.BASE for then in range(begin, until)}
        assert min(minutes) >= start and max(minutes) + 60 <= end
    # 00:25 begins after the last line
    assert day.told(time_text(weekly.BASE + 1500), asking=True) == "00:26"
    assert day.told(time_text(weekly.BASE + 1190)) == "00:19"
