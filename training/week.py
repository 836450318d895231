"""Asks questions about several rendered days with dates: which day, when, how often, on Tuesday.

  python training/world.py --seed 1 --count 7 --out week --date 2026-11-16 --clock 07:00 --hours 14
  python training/week.py --days week/* --out week.cases.jsonl

reads every log in the folders (log.jsonl, NAME.log.jsonl; made with --date), and writes
  week.cases.jsonl  a line for each question: video (all of them), log, now, question, answer, kind,
                    moments (video, start, end); a fifth has no answer
  week.log.jsonl    the log: the days' lines in order of time, each with its video
Paths are relative to the file of cases. Days are named by their weekdays if they lie in one week,
otherwise by their dates; "today" and "yesterday" count from --now, which is by default the end of
the last day. Needs Python alone.
"""

import argparse
import datetime
import glob
import json
import os
import random

import vocab
import when
from day.daylog import Segment
from day.weekly import BASE, Dated, Week, week_cases


def logs_in(folder):
    """[(log, video)] of a folder."""
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*log.jsonl"))):
        name = os.path.basename(path).removesuffix("log.jsonl")
        # a merged log, of all days, is no day
        if name == "" or name.endswith("."):
            found.append((path, os.path.join(folder, (name or "day.") + "mp4")))
    return found


def read_lines(path):
    """The records of a log; fails in one line if they have no date."""
    with open(path, encoding="utf-8") as file:
        try:
            records = [json.loads(line) for line in file if line.strip()]
        except ValueError as wrong:
            raise SystemExit(f"error: {path}: not JSON lines: {wrong}") from None
    if any("video" in record for record in records):
        return []  # the log of a whole week
    if not records or not all("at" in record and "until" in record for record in records):
        raise SystemExit(f"error: {path}: no dates; make the day with --date")
    return records


def segment(record, begin, end):
    """The segment of a line, with its times as weekly.py has them."""
    held = record["activity"].removeprefix(vocab.carrying(""))
    return Segment(
        begin,
        end,
        record["place"],
        record["activity"],
        list(record["seen"]),
        record["heard"],
        held if held != record["activity"] else "",
        vocab.PEOPLE.index(record["people"]) if record["people"] else 0,
        record["sound"],
    )


def read_days(folders, base):
    """(the dated days in order, the records of all logs in order, their videos)."""
    rows, videos = [], []
    for folder in folders:
        if not os.path.isdir(folder):
            raise SystemExit(f"error: {folder}: no such folder")
        for path, video in logs_in(folder):
            video = os.path.relpath(video, base)
            records = read_lines(path)
            videos += [video] if records else []
            rows += [
                (datetime.datetime.fromisoformat(record["at"]), record | {"video": video})
                for record in records
            ]
    if not rows:
        raise SystemExit(f"error: no log.jsonl of a day with --date in {', '.join(folders)}")
    rows.sort(key=lambda row: row[0])
    days = {}
    for at, record in rows:
        days.setdefault(at.date(), []).append((at, record))
    return [dated(date, found) for date, found in days.items()], [r for _, r in rows], videos


def dated(date, rows):
    """The day of these [(time, record)]."""
    day = Dated(date, [], [], [], all("clock" in record for _, record in rows))
    midnight = datetime.datetime.combine(date, datetime.time())
    for at, record in rows:
        begin = int((at.replace(tzinfo=None) - midnight).total_seconds())
        until = datetime.datetime.fromisoformat(record["until"])
        end = begin + int((until - at).total_seconds())
        if end > 24 * 3600:
            raise SystemExit(f"error: {record['video']}: the day goes past midnight")
        if day.segments and begin + BASE < day.segments[-1].end:
            raise SystemExit(f"error: {record['video']} and {day.videos[-1]} are at the same time")
        day.segments.append(segment(record, begin + BASE, end + BASE))
        day.videos.append(record["video"])
        day.spans.append((record["start"], record["end"]))
    return day


def make_week(folders, out, count=120, seed=1, now=None):
    """Writes the cases and the log of all days in the folders. Gives the cases."""
    base = os.path.dirname(out) or "."
    days, records, videos = read_days(folders, base)
    if now is None:
        now = datetime.datetime.fromisoformat(records[-1]["until"])
    elif now.tzinfo is None:
        now = now.replace(tzinfo=datetime.datetime.fromisoformat(records[-1]["at"]).tzinfo)
    if now < datetime.datetime.fromisoformat(records[-1]["until"]):
        raise SystemExit(f"error: --now {when.rfc3339(now)} is before the end of the last day")
    log = os.path.basename(out).removesuffix(".jsonl").removesuffix(".cases") + ".log.jsonl"
    about = {"video": videos, "log": log, "now": when.rfc3339(now)}
    rng = random.Random(f"elenchus week {seed}")
    cases = [about | case for case in week_cases(Week(days, now.date()), rng, count)]
    for path, lines in ((os.path.join(base, log), records), (out, cases)):
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return cases


def moment(text):
    """A type of arguments: a date with or without a time; a bare date means its end."""
    found = when.date(text)
    if isinstance(found, datetime.datetime):
        return found
    return datetime.datetime.combine(found, datetime.time(23, 59, 59))


def main():
    args = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args.add_argument("--days", nargs="+", required=True, metavar="DIR", help="folders of days")
    args.add_argument("--out", required=True, metavar="FILE", help="the file of cases")
    args.add_argument("--count", type=int, default=120, help="number of questions (120)")
    args.add_argument("--seed", type=int, default=1)
    args.add_argument(
        "--now", type=moment, metavar="DATE[THH:MM]", help="when the questions are asked"
    )
    args = args.parse_args()
    if args.count < 1:
        raise SystemExit(f"error: --count must be at least 1, found {args.count}")
    try:
        cases = make_week(args.days, args.out, args.count, args.seed, args.now)
    except OSError as failed:
        raise SystemExit(f"error: {failed.filename}: {failed.strerror}") from None
    print(f"{args.out}: {len(cases)} questions")


if __name__ == "__main__":
    main()
