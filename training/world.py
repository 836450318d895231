"""Renders a day in the starter world to MP4 with sound, with its gold log, questions and answers.

  python training/world.py --seed 777 --out day [--minutes 2] [--name day] [--clock 06:30 --hours
  15] [--scale 0.75] …

writes DIR/day.mp4 (320x240, 15 frames a second, H.264 and AAC) and these files beside it:
  log.jsonl         a line for each segment: start, end (seconds), place, activity, people, seen,
                    heard, sound
  cases.jsonl       a line for each question: video, log, question, answer, kind, moments
  places.jsonl      a case for each second: video, at, answer (the place)
  activities.jsonl  a case for each second: video, at, answer (the activity; "carrying something"
                    for every thing)
  held.jsonl        a case for each second with a carried thing: video, at, answer (the thing)
  people.jsonl      a case for each second: video, at, answer (the number in sight, from
                    vocab.PEOPLE)
  transcript.jsonl  one case: video, answer (all speech)
  captions.jsonl    one or a few sentences for each segment: start, end, text
  speech.jsonl      exact times of the speech: start, end, text, voice
With --name NAME the files are NAME.mp4, NAME.log.jsonl and so on. The same seed, length and options
give the same day. The options change the looks and the sound of the day, not its events. days.py
makes the plot and the questions, scene/ draws the pictures, sounds.py makes the sounds besides
speech. It needs ffmpeg, espeak-ng and Noto Color Emoji.
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

try:
    from film import write_video
    from look import PLAIN, Look
except ImportError as missing:
    raise SystemExit(
        f"error: Python's {missing.name} is missing (pip install numpy pillow)"
    ) from None


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


def write_day(seed, folder, seconds=120, name="day", look=PLAIN):
    """Writes a day's video and gold files, completely or not at all. speech.jsonl comes last."""
    day = days.make_day(seed, seconds)
    prefix = "" if name == "day" else name + "."
    video, log, speech = f"{name}.mp4", f"{prefix}log.jsonl", f"{prefix}speech.jsonl"
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
        spoken = write_video(day, os.path.join(unfinished, video), look)
        records, cases = (
            [s.record() for s in day.segments],
            [c.record(day.segments, video, log) for c in day.cases],
        )
        if look.clock is not None:
            for record in records:
                record["clock"] = "-".join(
                    look.time(record[end], seconds) for end in ("start", "end")
                )
            for case in cases:
                case["question"] = look.told(case["question"], seconds, day.segments)
                case["answer"] = look.told(case["answer"], seconds)
        files = {log: records, f"{prefix}cases.jsonl": cases}
        files |= {
            f"{prefix}{kind}.jsonl": moment_cases(day, answer, video)
            for kind, answer in EACH_SECOND.items()
        }
        files[f"{prefix}transcript.jsonl"] = [
            {"video": video, "answer": " ".join(line["text"] for line in spoken)}
        ]
        files[f"{prefix}captions.jsonl"] = [
            {"start": s.start, "end": s.end, "text": caption(s)} for s in day.segments
        ]
        files[speech] = spoken
        for file, lines in files.items():
            write_lines(os.path.join(unfinished, file), lines)
        # never leave files of two days side by side that look like one day
        if os.path.exists(os.path.join(folder, speech)):
            os.remove(os.path.join(folder, speech))
        for file in [video, *files]:
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
    found = args.parse_args()
    if found.hours and found.clock is None:
        args.error("--hours needs --clock")
    found.hours = found.hours or 1
    if found.clock is not None and found.hours * 60 < SLOWEST * found.minutes:
        args.error(
            f"--hours must be at least {SLOWEST * found.minutes / 60:.3g} for {found.minutes:g} "
            f"minutes of video, because each segment needs a minute of its own"
        )
    if not found.out:
        args.error("--out is empty")
    return found


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for tool in ("ffmpeg", "espeak-ng"):
            if not shutil.which(tool):
                raise SystemExit(
                    f"error: {tool} is missing (Debian: apt-get install ffmpeg espeak-ng "
                    f"fonts-noto-color-emoji)"
                )
        look = Look(
            args.crf, args.scale, args.brightness, args.other_voices, args.clock, args.hours
        )
        day = write_day(
            args.seed, args.out, max(SHORTEST, round(args.minutes * 60)), args.name, look
        )
    except OSError as failed:
        raise SystemExit(f"error: {failed.filename or args.out}: {failed.strerror}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    print(
        f"{os.path.join(args.out, args.name + '.mp4')}: {day.seconds} s, {len(day.segments)} "
        f"segments, {len(day.cases)} questions",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
