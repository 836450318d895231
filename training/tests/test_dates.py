"""Dates of days: metadata, log, time zones, daylight saving; and the progress of a rendering."""

import argparse
import datetime
import io
import json
import os
import subprocess
import sys

import pytest

import days
import look
import progress
import when
import world
from day.refusals import DATED

WORLD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "world.py")


def berlin():
    """The zone of Berlin, if this machine knows it."""
    try:
        return when.zone("Europe/Berlin")
    except argparse.ArgumentTypeError as missing:
        pytest.skip(str(missing))


def start(text, clock=None, tz=when.UTC, later=0):
    """The beginning of a day, in RFC 3339."""
    return when.rfc3339(when.beginning(when.date(text), clock, tz, later))


def test_a_beginning_has_the_offset_of_its_day():
    assert start("2026-11-16") == "2026-11-16T00:00:00+00:00"
    assert start("2026-11-16", 420, when.zone("+05:30")) == "2026-11-16T07:00:00+05:30"
    assert start("2026-11-16T07:00:30+01:00", tz=None) == "2026-11-16T07:00:30+01:00"
    assert start("2026-11-16T07:00Z", tz=when.zone("+01:00")) == "2026-11-16T08:00:00+01:00"
    assert start("2026-03-28", 420, berlin()) == "2026-03-28T07:00:00+01:00"
    # the same time of day on the day after, though 23 hours later
    assert start("2026-03-28", 420, berlin(), 1) == "2026-03-29T07:00:00+02:00"
    # what occurs twice is the first, unless an offset says otherwise
    assert start("2026-10-25T02:30", tz=berlin()) == "2026-10-25T02:30:00+02:00"
    assert start("2026-10-25T02:30+01:00", tz=berlin()) == "2026-10-25T02:30:00+01:00"
    with pytest.raises(ValueError, match="does not exist"):
        start("2026-03-29T02:30", tz=berlin())
    with pytest.raises(ValueError, match="leave one out"):
        start("2026-03-29T02:30", 420)


@pytest.mark.parametrize(
    "text", ["", "2026-1-1", "2026-02-30", "1066-10-14", "2026-01-01T24:00", "today"]
)
def test_no_date(text):
    with pytest.raises(argparse.ArgumentTypeError):
        when.date(text)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "+25:00", ""])
def test_no_zone(name):
    with pytest.raises(argparse.ArgumentTypeError):
        when.zone(name)


def test_the_log_follows_daylight_saving():
    begin = when.beginning(when.date("2026-03-29T01:59"), None, berlin())
    shown = look.Look(begin=begin)
    assert shown.at(59, 120) == "2026-03-29T01:59:59+01:00"
    assert shown.at(60, 120) == "2026-03-29T03:00:00+02:00"
    assert shown.metadata(120) == ["-metadata", "creation_time=2026-03-29T00:59:00Z"]


def test_a_clock_sets_the_times_of_the_log():
    begin = when.beginning(when.date("2026-11-16"), 420, when.zone("+01:00"))
    shown = look.Look(clock=420, hours=14, begin=begin)
    records = world.log_records(days.make_day(3, 120), shown)
    for record in records:
        assert record["clock"] == record["at"][11:16] + "-" + record["until"][11:16]
    assert records[0]["at"] == "2026-11-16T07:00:00+01:00"
    assert records[-1]["until"] == "2026-11-16T21:00:00+01:00"
    assert shown.metadata(120) == [
        "-metadata",
        "creation_time=2026-11-16T06:00:00Z",
        "-metadata",
        "comment=clock 07:00, 420 seconds a second",
    ]


def test_an_undated_day_is_as_before():
    assert look.PLAIN.metadata(120) == []
    assert look.Look(clock=420, hours=14).metadata(120)[1] == "creation_time=2026-01-01T07:00:00Z"
    assert set(world.log_records(days.make_day(3))[0]) == {
        *("start", "end", "place", "activity", "people", "seen", "heard", "sound")
    }


def test_a_dated_day_asks_no_date():
    replaced = 0
    for seed in range(60):
        plain, dated = days.make_day(seed), days.make_day(seed, dated=True)
        assert plain.segments == dated.segments and len(dated.cases) == 35
        for a, b in zip(plain.cases, dated.cases):
            assert a.kind == b.kind and (a == b or DATED.search(a.question))
            assert b.kind != "unanswerable" or not DATED.search(b.question), b.question
            replaced += a != b
    assert replaced > 3


def test_a_clock_rewrites_durations_and_times_beyond_an_hour():
    shown = look.Look(clock=420, hours=14)
    assert shown.told("At 01:30.", 120) == "At 17:30."
    assert shown.told("At 01:00:00.", 7200) == "At 14:00."
    assert shown.lasted([(0, 8), (10, 17)], 120) == "1 hour and 45 minutes."
    assert look.Look(clock=420, hours=13.3).lasted([(1, 8)], 120) is None
    assert look.PLAIN.lasted([(0, 70)], 120) == "1 minute and 10 seconds."


def run(*options):
    """World.py in a process of its own, without site packages: no NumPy, no Pillow."""
    command = [sys.executable, "-B", "-S", WORLD, *options]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": ""})


def test_days_without_video_need_no_tool(tmp_path):
    out = str(tmp_path / "week")
    options = "--seed 31 --count 3 --no-video --date 2026-11-16 --clock 07:00 --hours 14".split()
    done = run(*options, "--out", out)
    assert done.returncode == 0, done.stderr
    for number, seed in enumerate((31, 32, 33)):
        folder = os.path.join(out, str(seed))
        assert sorted(os.listdir(folder)) == sorted(
            f"{name}.jsonl"
            for name in "activities captions cases held log people places transcript".split()
        )
        with open(os.path.join(folder, "log.jsonl"), encoding="utf-8") as log:
            assert json.loads(log.readline())["at"] == f"2026-11-{16 + number}T07:00:00+00:00"


def test_mistakes_are_one_line():
    for options, expected in (
        ("--tz UTC", "--tz needs --date"),
        ("--date 2026-02-30", "expected YYYY-MM-DD"),
        ("--date 2026-01-01T07:00 --clock 07:00", "leave one out"),
        ("--count 0", "at least 1"),
    ):
        done = run("--seed", "1", "--out", "unused", "--no-video", *options.split())
        assert done.returncode == 2 and expected in done.stderr.splitlines()[-1], done.stderr


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        return True


def test_progress_is_a_line_for_each_minute():
    now, stream = iter(range(1000)), io.StringIO()
    told = progress.Progress("day.mp4", 180, stream, lambda: next(now))
    for second in range(0, 181, 30):
        told.pictures(second)
    lines = stream.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"day.mp4: {n} of 3 minutes" for n in (1, 2, 3)
    ]
    assert lines[-1].endswith("0:00 left")


def test_progress_on_a_terminal_is_one_line():
    now, stream = iter(range(1000)), Terminal()
    told = progress.Progress("day.mp4", 100, stream, lambda: next(now))
    told.sound(100)
    told.pictures(50)
    told.pictures(100)
    assert "day.mp4: 52%" in stream.getvalue() and "\n" not in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_the_beginning_of_a_minute_is_told_in_utc():
    begin = datetime.datetime(2026, 11, 16, 7, tzinfo=when.zone("-08:00"))
    assert look.Look(begin=begin).metadata(60)[1] == "creation_time=2026-11-16T15:00:00Z"
