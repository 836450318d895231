"""Long days: many questions of every kind, each with exactly one right answer."""

import random
import time
from collections import Counter

import pytest
from recount import bare, right

import days
import texts
import vocab
import wordings
from day import longer, longexam
from day.asking import REFUSAL
from day.daylog import lasting, time_text

HOURS = (3600, 3600, 3600, 5400)


@pytest.fixture(scope="module")
def long_days():
    """Days of an hour or more, and shorter ones, which no training and no figure uses."""
    lengths = [*HOURS, *(181 + 97 * n for n in range(12))]
    return [days.make_day(800_000 + n, seconds) for n, seconds in enumerate(lengths)]


def test_each_answer_is_the_only_right_one(long_days):
    checked = Counter()
    for day in long_days:
        log = [s.record() for s in day.segments]
        for case in day.cases:
            where = (day.seed, case.kind, case.question, case.answer)
            found = right(case.question, log)
            if case.kind == "unanswerable":
                assert not any(answers for _, answers in found), (*where, found)
                assert not case.lines and case.answer == REFUSAL
            else:
                assert found, where
                for kind, answers in found:
                    assert answers == {bare(case.answer)}, (*where, kind, answers)
            checked[case.kind] += 1
    assert set(checked) == {*days.KINDS, *longer.LONG_KINDS, "unanswerable"}


def test_supporting_moments_are_lines_that_matter(long_days):
    for day in long_days:
        log = [s.record() for s in day.segments]
        for case in day.cases:
            if case.kind == "unanswerable" or case.answer == "No.":
                continue
            where = (day.seed, case.kind, case.question)
            spans = [(m["start"], m["end"]) for m in case.moments(day.segments)]
            kept = [s for s in log if (s["start"], s["end"]) in spans]
            assert spans and len(kept) == len(spans), where
            if case.kind in ("count_in", "how_many", "how_long", "how_long_total", "list_between"):
                answers = [x for kind, x in right(case.question, kept) if kind == case.kind]
                assert answers == [{bare(case.answer)}], where


def test_an_hour_has_every_kind_and_a_fifth_without_an_answer(long_days):
    for day in long_days[: len(HOURS)]:
        kinds = Counter(case.kind for case in day.cases)
        assert len(day.cases) >= 100 and kinds["unanswerable"] * 5 == len(day.cases)
        assert {*days.KINDS, *longer.LONG_KINDS} <= set(kinds)
        counts = {case.answer for case in day.cases if case.kind in ("how_many", "count_between")}
        assert len(counts) >= 4
        assert len({case.question for case in day.cases}) == len(day.cases)


def test_questions_grow_with_the_length():
    assert len(days.make_day(5, 120).cases) == 35
    assert [longexam.wanted(60 * n) for n in (4, 10, 60, 24 * 60)] == [66, 75, 150, 600]


def test_an_hour_of_questions_takes_seconds():
    begin = time.process_time()
    days.make_day(801_000, 3600)
    assert time.process_time() - begin < 30


def test_segments_fill_a_long_day_without_repeating():
    for seed in range(20):
        segments = days.long_plot(random.Random(seed), 181 + seed)
        assert segments[0].start == 0 and segments[-1].end == 181 + seed
        for a, b in zip(segments, segments[1:]):
            assert a.end == b.start and a.activity != b.activity
        assert all(6 <= s.end - s.start <= 10 for s in segments)
        for s in segments:
            assert s.held or s.activity in vocab.activities_of(s.place)


def test_times_and_durations_read_as_elenchus_shows_them():
    assert [time_text(n) for n in (0, 67, 3599, 3600, 3667)] == [
        "00:00",
        "01:07",
        "59:59",
        "01:00:00",
        "01:01:07",
    ]
    assert lasting(8) == "8 seconds"
    assert lasting(61) == "1 minute and 1 second"
    assert lasting(3600 + 120 + 3) == "1 hour, 2 minutes and 3 seconds"


def test_long_wordings_belong_to_one_kind():
    bank, met = texts.sections("phrasings_long"), {}
    assert set(bank) == set(longer.LONG_KINDS)
    for kind, patterns in [*bank.items(), *wordings.PHRASINGS.items()]:
        assert len(patterns) >= 2, kind
        for pattern in patterns:
            assert pattern not in met, (pattern, kind, met[pattern])
            met[pattern] = kind
