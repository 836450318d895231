"""Renders a day in the starter world to MP4 with sound, with its gold log, questions and answers.

  python training/world.py --seed 777 --out day                            two minutes
  python training/world.py --seed 777 --out hour --minutes 60              an hour, 150 questions
  python training/world.py --seed 777 --out day --clock 07:00 --hours 14   two minutes show a day
  python training/world.py --seed 777 --out day --date 2026-11-23T09:15 --tz Europe/Berlin
  python training/world.py --seed 1 --count 7 --out week --date 2026-11-16 --clock 07:00 --hours 14
  python training/world.py --seed 1 --count 100 --out days --no-video      logs and questions alone

writes DIR/day.mp4 (320x240, 15 frames a second, H.264 and AAC) and these files beside it:
  log.jsonl         a line for each segment: start, end (seconds), place, activity, people, seen,
                    heard, sound; with --clock also clock; with --date also at and until (RFC 3339)
  cases.jsonl       a line for each question: video, log, question, answer, kind, moments
  places.jsonl      a case for each second: video, at, answer (the place)
  activities.jsonl  a case for each second: video, at, answer (the activity; "carrying something"
                    for every thing)
  held.jsonl        a case for each second with a carried thing: video, at, answer (the thing)
  people.jsonl      a case for each second: video, at, answer (the number in sight, from
                    vocab.PEOPLE)
  transcript.jsonl  one case: video, answer (all speech)
  captions.jsonl    one or a few sentences for each segment: start, end, text
  speech.jsonl      exact times of the speech: start, end, text, voice (not with --no-video)
With --name NAME the files are NAME.mp4, NAME.log.jsonl and so on. The same seed, length and options
give the same day. The options change the looks and the sound of the day, not its events. days.py
makes the plot and the questions, scene/ draws the pictures, sounds.py makes the sounds besides
speech. It needs ffmpeg, espeak-ng and Noto Color Emoji; with --no-video it needs Python alone.

--date is the day of the video's beginning; the file's creation_time states it in UTC. The time of
day is that of --clock, whose clock then runs through --hours, or else that of --date (midnight if
it has none), and the video is in real time. --tz is the time zone of both. week.py asks questions
about several dated days.
"""

import argparse
import json
import math
import os
import re
import shutil
import signal
import sys
import tempfile

import days
import vocab
import when
from look import PLAIN, Look


def caption(segment):
    """The segment in sentences."""
    parts = [f"I am {vocab.in_place(segment.place)}, {segment.activity}."]
    if segment.people:
        parts.append(
            f"{vocab.PEOPLE[segment.people].capitalize()} "
            f"{'is' if segment.people == 1 else 'are'} there."
        )
    if segment.seen:
        parts.append(f"I see {' and '.join('the ' + name for name in segment.seen)}.")
    if segment.sound:
        parts.append(f"I hear {SOUND_PHRASES.get(segment.sound, segment.sound)}.")
    return " ".join(parts)


SOUND_PHRASES = {
    "doorbell": "the doorbell",
    "dog barking": "a dog barking",
    "cat meowing": "a cat meowing",
    "kettle": "the kettle",
    "clock ticking": "a clock ticking",
    "train": "a train",
    "crowd": "a crowd",
}
# Cases for each second: the file's name and the answer ("" for no case).
EACH_SECOND = {
    "places": lambda s: s.place,
    "activities": lambda s: vocab.CARRYING if s.held else s.activity,
    "held": lambda s: s.held,
    "people": lambda s: vocab.PEOPLE[s.people],
}


def moment_cases(day, answer, video):
    """A case for every second, as `frames: {every: 1s}` samples them. Its kind is the right answer,
    for figures by label."""
    return [
        {"video": video, "at": second, "answer": answer(s), "kind": answer(s)}
        for s in day.segments
        if answer(s)
        for second in range(s.start, s.end)
    ]


def write_lines(path, records):
    with open(path, "w", encoding="utf-8") as out:
        for record in records:
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def log_records(day, look=PLAIN):
    """The lines of log.jsonl."""
    records = [s.record() for s in day.segments]
    for record in records:
        start, end = record["start"], record["end"]
        if look.clock is not None:
            record["clock"] = "-".join(look.time(second, day.seconds) for second in (start, end))
        if look.begin is not None:
            record["at"], record["until"] = (look.at(n, day.seconds) for n in (start, end))
    return records


def case_records(day, video, log, look=PLAIN):
    """The lines of cases.jsonl."""
    records = []
    for case in day.cases:
        record = case.record(day.segments, video, log)
        if look.clock is not None:
            record["question"] = look.told(case.question, day.seconds, day.segments)
            if case.kind.startswith("how_long"):
                spans = [(m["start"], m["end"]) for m in record["moments"]]
                record["answer"] = look.lasted(spans, day.seconds)
            else:
                record["answer"] = look.told(case.answer, day.seconds)
        if record["answer"]:
            records.append(record)
    return records


def log_name(name):
    """The name of a day's log."""
    return "log.jsonl" if name == "day" else f"{name}.log.jsonl"


def gold_files(day, name="day", look=PLAIN):
    """{file: its lines}: the gold files of a day, without those that only its rendering tells."""
    prefix = "" if name == "day" else name + "."
    video, log = f"{name}.mp4", log_name(name)
    files = {log: log_records(day, look)}
    files[f"{prefix}cases.jsonl"] = case_records(day, video, log, look)
    for kind, answer in EACH_SECOND.items():
        files[f"{prefix}{kind}.jsonl"] = moment_cases(day, answer, video)
    spoken = " ".join(s.heard for s in day.segments if s.heard)
    files[f"{prefix}transcript.jsonl"] = [{"video": video, "answer": spoken}]
    files[f"{prefix}captions.jsonl"] = [
        {"start": s.start, "end": s.end, "text": caption(s)} for s in day.segments
    ]
    return files


def write_day(seed, folder, seconds=120, name="day", look=PLAIN, video=True):
    """Writes a day's video and gold files, completely or not at all. speech.jsonl comes last.
    Without `video`, only the gold files, within a moment and without any tool."""
    day = days.make_day(seed, seconds, dated=look.begin is not None)
    speech = ("" if name == "day" else name + ".") + "speech.jsonl"
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
        files = gold_files(day, name, look)
        if video:
            from film import write_video

            files[speech] = write_video(day, os.path.join(unfinished, f"{name}.mp4"), look)
        for file, lines in files.items():
            write_lines(os.path.join(unfinished, file), lines)
        # never leave files of two days side by side that look like one day
        for old in (speech, f"{name}.mp4"):
            if os.path.exists(os.path.join(folder, old)):
                os.remove(os.path.join(folder, old))
        for file in [f"{name}.mp4"] * video + list(files):
            os.replace(os.path.join(unfinished, file), os.path.join(folder, file))
    return day


SHORTEST, LONGEST = 10, 24 * 3600  # seconds of video
# slowest clock, as a factor of the video's speed: each segment then has a minute of its own
SLOWEST = 20


def minutes_of(clock):
    """'07:30' -> 450"""
    found = re.fullmatch(r"(\d\d?):(\d\d)", clock)
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise argparse.ArgumentTypeError(f"expected HH:MM from 00:00 to 23:59, found '{clock}'")
    return 60 * int(found[1]) + int(found[2])


def number(least, most):
    """A type of arguments: a number in a range."""

    def parse(text):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"expected a number from {least:g} to {most:g}, found '{text}'"
            )
        return value

    return parse


def file_name(text):
    """A type of arguments: a file name without `.mp4`."""
    if not text or text.startswith((".", "-")) or re.search(r"[/\\\0]", text):
        raise argparse.ArgumentTypeError(
            f"expected a file's name without folder and ending, found '{text}'"
        )
    return text


def arguments():
    args = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args.add_argument("--seed", type=int, required=True)
    args.add_argument(
        "--out", required=True, help="folder of the files; it is made if it is missing"
    )
    args.add_argument(
        "--minutes",
        type=number(SHORTEST / 60 - 0.005, LONGEST / 60),
        default=2,
        help="length of the video, from 0.17 (10 seconds) on",
    )
    args.add_argument("--name", type=file_name, default="day")
    args.add_argument(
        "--crf",
        type=number(0, 51),
        default=26,
        help="H.264 quality, 0 to 51, lower is better and larger",
    )
    args.add_argument(
        "--scale", type=number(0.1, 4), default=1, help="factor of the picture's sides, 0.1 to 4"
    )
    args.add_argument(
        "--brightness", type=number(-1, 1), default=0, help="added to the picture's values, -1 to 1"
    )
    args.add_argument(
        "--other-voices", action="store_true", help="use voices that no training heard"
    )
    args.add_argument(
        "--clock",
        type=minutes_of,
        metavar="HH:MM",
        help="beginning of the day: shown in the picture, and written into the metadata",
    )
    args.add_argument(
        "--hours", type=number(0.01, 23.9), help="hours of the clock that the video represents (1)"
    )
    args.add_argument(
        "--date",
        type=when.date,
        metavar="YYYY-MM-DD[THH:MM]",
        help="when the video begins; written into the metadata and the log",
    )
    args.add_argument(
        "--tz",
        type=when.zone,
        metavar="ZONE",
        help="time zone of --date and --clock: Europe/Berlin, +01:00 (UTC)",
    )
    args.add_argument(
        "--count",
        type=int,
        default=1,
        metavar="N",
        help="make N days, of the seeds from --seed on, in DIR/SEED, on N days from --date on",
    )
    args.add_argument(
        "--no-video",
        dest="video",
        action="store_false",
        help="write only the gold files, within moments and without ffmpeg, espeak-ng or a font",
    )
    found = args.parse_args()
    if found.hours and found.clock is None:
        args.error("--hours needs --clock")
    if found.tz and found.date is None:
        args.error("--tz needs --date")
    if found.count < 1:
        args.error(f"--count must be at least 1, found {found.count}")
    found.hours = found.hours or 1
    if found.clock is not None and found.hours * 60 < SLOWEST * found.minutes:
        args.error(
            f"--hours must be at least {SLOWEST * found.minutes / 60:.3g} for {found.minutes:g} "
            f"minutes of video, because each segment needs a minute of its own"
        )
    if not found.out:
        args.error("--out is empty")
    found.seconds = max(SHORTEST, round(found.minutes * 60))
    try:
        found.looks = [look_of(found, later) for later in range(found.count)]
    except (ValueError, OverflowError) as refused:
        args.error(str(refused))
    return found


def look_of(args, later):
    """The look of a day that begins `later` days after --date."""
    begin = args.date and when.beginning(args.date, args.clock, args.tz, later)
    look = Look(
        args.crf, args.scale, args.brightness, args.other_voices, args.clock, args.hours, begin
    )
    if begin and args.clock is not None:
        end = when.after(begin, args.seconds * look.pace(args.seconds))
        if begin.utcoffset() != end.utcoffset():
            raise ValueError(
                f"the clocks change on {begin:%Y-%m-%d} between {begin:%H:%M} and {end:%H:%M}, and "
                "the clock in the picture cannot; choose another --clock, --hours or --date"
            )
    return look


def check_tools():
    """Fails in one line if something that renders a video is missing."""
    try:
        import film  # noqa: F401
    except ImportError as missing:
        raise SystemExit(
            f"error: Python's {missing.name} is missing (pip install numpy pillow)"
        ) from None
    for tool in ("ffmpeg", "espeak-ng"):
        if not shutil.which(tool):
            raise SystemExit(
                f"error: {tool} is missing (Debian: apt-get install ffmpeg espeak-ng "
                f"fonts-noto-color-emoji)"
            )


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if args.video:
        check_tools()
    try:
        for seed, look in enumerate(args.looks, args.seed):
            folder = args.out if args.count == 1 else os.path.join(args.out, str(seed))
            day = write_day(seed, folder, args.seconds, args.name, look, args.video)
            first = log_name(args.name) if not args.video else args.name + ".mp4"
            print(
                f"{os.path.join(folder, first)}: {day.seconds} s, {len(day.segments)} segments, "
                f"{len(day.cases)} questions",
                file=sys.stderr,
            )
    except OSError as failed:
        raise SystemExit(f"error: {failed.filename or args.out}: {failed.strerror}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
