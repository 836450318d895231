"""Renders a day in the starter world to MP4 with sound, with its gold log, questions and answers.

  python training/world.py --seed 777 --out day [--minutes 2] [--name day] [--clock 06:30 --hours
  15] [--scale 0.75] …

writes DIR/day.mp4 (320x240, 15 frames a second, H.264 and AAC) and beside it
  log.jsonl         a line for each segment: start, end (seconds), place, activity, people, seen,
                    heard, sound
  cases.jsonl       a line for each question: video, log, question, answer, kind, moments
  places.jsonl      a case for each second: video, at, answer (the place)
  activities.jsonl  a case for each second: video, at, answer (the activity; "carrying something",
                    whatever it is)
  held.jsonl        a case for each second in which something is carried: video, at, answer (what)
  people.jsonl      a case for each second: video, at, answer (how many are in sight, from
                    vocab.PEOPLE)
  transcript.jsonl  one case: video, answer (all that is said)
  captions.jsonl    a sentence or a few for each segment: start, end, text
  speech.jsonl      what is spoken exactly when: start, end, text, voice
With --name NAME they are NAME.mp4, NAME.log.jsonl and so on. The same seed, length and options give
the same day; the options change how the day looks and sounds, not what happens. days.py makes the
plot and the questions, scene.py draws the pictures, sounds.py makes what is heard besides speech.
Needs ffmpeg, espeak-ng, Noto Color Emoji.
"""

import argparse
import io
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import wave
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

try:
    import numpy as np
    from PIL import Image
except ImportError as missing:
    raise SystemExit(f"error: Python's {missing.name} is missing (pip install numpy pillow)")

import days  # noqa: E402
import scene  # noqa: E402
import sounds  # noqa: E402
import vocab  # noqa: E402

FPS, RATE = scene.FPS, 22050


@dataclass(frozen=True)
class Look:
    """How a day is shown and spoken, apart from what happens in it."""

    crf: float = 26  # H.264 quality, lower is better and larger
    scale: float = 1.0  # of the picture's width and height
    brightness: float = 0.0  # added to the picture's values, as a part of their range
    other_voices: bool = False  # spoken by vocab.OTHER_VOICES, which no training hears
    # minutes after midnight at which the day begins, burnt in and told in the metadata
    clock: int | None = None
    hours: float = 1.0  # how many of them pass in the length of the video

    def size(self):
        """Width and height, even as H.264 wants them."""
        return tuple(2 * round(side * self.scale / 2) for side in (scene.W, scene.H))

    def time(self, second, seconds):
        """'07:42' at that second of a video so long; None without a clock."""
        if self.clock is None:
            return None
        minutes = self.clock + int(second * self.hours * 60 / seconds + 1e-6)
        return f"{minutes // 60 % 24:02}:{minutes % 60:02}"

    def told(self, text, seconds, segments=()):
        """A text with its times of the video (MM:SS) as times of the clock: where one lies in a
        segment, a minute that lies whole in it, so that it is no other's. What is after the end
        stays outside the day."""
        if self.clock is None:
            return text
        passed, end = self.hours * 60 / seconds, self.clock + self.hours * 60

        def clocked(found):
            second = int(found.group(1)) * 60 + int(found.group(2))
            for segment in segments:
                if segment.start <= second < segment.end:
                    first, last = (
                        math.ceil(segment.start * passed),
                        math.floor(segment.end * passed) - 1,
                    )
                    return self.time(min(max(int(second * passed), first), last) / passed, seconds)
            if second <= seconds:
                return self.time(second, seconds)
            # between the end and midnight, or the beginning where midnight is past
            last = 24 * 60 - 1 if end < 24 * 60 - 2 else self.clock + 24 * 60 - 1
            minutes = int(end + 1 + second % (last - end - 1))
            return f"{minutes // 60 % 24:02}:{minutes % 60:02}"

        return re.sub(r"\b(\d\d):(\d\d)\b", clocked, text)

    def metadata(self, seconds):
        """Ffmpeg's options that say when the day began and how fast it passes."""
        if self.clock is None:
            return []
        start = self.time(0, seconds)
        return [
            "-metadata",
            f"creation_time=2026-01-01T{start}:00Z",
            "-metadata",
            f"comment=clock {start}, {self.hours * 3600 / seconds:g} seconds a second",
        ]

    def developed(self, image):
        """The picture as this look shows it."""
        if self.brightness:
            image = image.point(
                [min(255, max(0, round(v + 255 * self.brightness))) for v in range(256)] * 3
            )
        return (
            image
            if self.scale == 1
            else image.resize(self.size(), Image.BOX if self.scale < 0.6 else Image.BICUBIC)
        )


# ---------------------------------------------------------------- pictures


def states(day):
    """A scene.State for each segment. A place keeps its looks all day, the wearer their sleeves."""
    person = random.Random(f"person {day.seed}").randrange(scene.WEARERS)
    return [
        scene.State(
            s.place,
            s.activity,
            tuple(s.seen),
            random.Random(f"segment {day.seed} {i}").getrandbits(32),
            random.Random(f"visit {day.seed} {s.place}").getrandbits(32),
            person,
            held=s.held,
            people=s.people,
        )
        for i, s in enumerate(day.segments)
    ]


def frames(day, look=Look()):
    """(segment number, seconds into it, picture), one after the other."""
    for number, (segment, state) in enumerate(zip(day.segments, states(day))):
        for k in range((segment.end - segment.start) * FPS):
            clock = look.time(segment.start + k / FPS, day.seconds)
            yield number, k / FPS, look.developed(scene.draw_frame(state, k / FPS, clock=clock))


# ---------------------------------------------------------------- sound


def speak(text, voice, hurry=1.0):
    """The sentence as float32 samples at RATE, silence trimmed."""
    done = subprocess.run(
        [
            "espeak-ng",
            "-v",
            voice["voice"],
            "-p",
            str(voice["pitch"]),
            "-s",
            str(int(voice["speed"] * hurry)),
            "--stdout",
            text,
        ],
        capture_output=True,
        check=True,
    )
    head = done.stdout.index(b"data") + 8  # a streamed WAV does not know its own length
    with wave.open(io.BytesIO(done.stdout[:head]), "rb") as header:
        rate = header.getframerate()
    samples = (
        np.frombuffer(
            done.stdout[head : len(done.stdout) - (len(done.stdout) - head) % 2], np.int16
        ).astype(np.float32)
        / 32768
    )
    loud = np.flatnonzero(np.abs(samples) > 0.01 * max(1e-6, np.abs(samples).max()))
    samples = samples[loud[0] : loud[-1] + 1] if len(loud) else samples
    if rate != RATE:
        samples = np.interp(
            np.arange(int(len(samples) * RATE / rate)) * rate / RATE,
            np.arange(len(samples)),
            samples,
        ).astype(np.float32)
    return samples


def room_tone(place, seconds, seed):
    """Quiet noise with the place's colour: a hum indoors, wind outdoors, waves on the beach,
    engines on the street."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    spectrum = np.fft.rfft(rng.normal(0, 1, n))
    f = np.fft.rfftfreq(n, 1 / RATE) + 1
    cut = {
        "beach": 1600,
        "street": 260,
        "bus stop": 300,
        "park": 900,
        "garden": 1100,
        "cafe": 700,
        "gym": 500,
        "library": 250,
        "hallway": 320,
        "train station": 550,
    }.get(place, 400)
    tone = np.fft.irfft(spectrum / (1 + (f / cut) ** 1.5), n).astype(np.float32)
    tone /= np.sqrt(np.mean(tone**2)) + 1e-9
    t = np.arange(n) / RATE
    if place == "beach":
        tone *= (0.55 + 0.45 * np.sin(2 * np.pi * 0.16 * t + rng.uniform(0, 6))).astype(np.float32)
    if place in ("train station", "gym", "hallway"):  # bare walls answer
        late = int(0.09 * RATE)
        tone[late:] += 0.5 * tone[:-late]
    level = 0.0035 if not vocab.PLACES[place]["outdoor"] else 0.006
    if place in ("kitchen", "supermarket", "office"):
        tone += 0.5 * np.sin(2 * np.pi * 100 * t).astype(np.float32)
    return level * tone


VOICE = 0.1  # how loud a voice usually is, as sounds.loudness measures it


def segment_sound(day, number, look=Look()):
    """(samples of the whole segment, its line of speech.jsonl or None): room tone, the segment's
    sound, and speech over both."""
    segment = day.segments[number]
    rng = random.Random(f"sound {day.seed} {number}")
    length = segment.end - segment.start
    out = room_tone(segment.place, length, rng.getrandbits(32))
    line, loud = None, VOICE
    if segment.heard:
        voice = rng.choice(vocab.OTHER_VOICES if look.other_voices else vocab.VOICES)
        for hurry in (1, 1.15, 1.3, 1.45):
            words = speak(segment.heard, voice, hurry)
            if len(words) / RATE <= length - 0.7:
                break
        words = words[: int((length - 0.35) * RATE)]
        words = words * (rng.uniform(0.42, 0.6) / max(0.05, np.abs(words).max()))
        spare = length - len(words) / RATE
        at = rng.uniform(0.4, max(0.4, min(spare - 0.4, 2.5))) if spare > 0.8 else 0.32
        a = int(at * RATE)
        out[a : a + len(words)] += words
        loud = sounds.loudness(words, RATE)
        line = {
            "start": round(segment.start + at, 3),
            "end": round(segment.start + at + len(words) / RATE, 3),
            "text": segment.heard,
            "voice": voice["name"],
        }
    if segment.sound:
        made = sounds.sound(segment.sound, length, RATE, rng.getrandbits(32))
        made *= loud * 10 ** (-rng.uniform(7, 16) / 20) / sounds.loudness(made, RATE)
        fade = np.minimum(
            1, np.minimum(np.arange(len(made)), np.arange(len(made))[::-1]) / (0.15 * RATE)
        )
        out += (made * fade).astype(np.float32)
    return out, line


# ---------------------------------------------------------------- writing


def caption(segment):
    """What the segment is, in sentences."""
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

# What is asked of each second: the file's name and the answer ("" where there is nothing to ask).
EACH_SECOND = {
    "places": lambda s: s.place,
    "activities": lambda s: vocab.CARRYING if s.held else s.activity,
    "held": lambda s: s.held,
    "people": lambda s: vocab.PEOPLE[s.people],
}


def moment_cases(day, answer, video):
    """A case for every second, as `frames: {every: 1s}` samples them; its kind is the right answer,
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


def write_video(day, path, look=Look()):
    """Streams the frames through ffmpeg; returns the lines of speech.jsonl."""
    speech = []
    with tempfile.TemporaryDirectory() as folder:
        pcm = os.path.join(folder, "sound.s16")
        with open(pcm, "wb") as out:
            for number in range(len(day.segments)):
                sound, line = segment_sound(day, number, look)
                out.write((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
                if line:
                    speech.append(line)
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-y",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-s",
            "{}x{}".format(*look.size()),
            "-r",
            str(FPS),
            "-i",
            "-",
            "-f",
            "s16le",
            "-ar",
            str(RATE),
            "-ac",
            "1",
            "-i",
            pcm,
            "-map",
            "0:v",
            "-map",
            "1:a",
            "-c:v",
            "libx264",
            "-preset",
            "medium",
            "-crf",
            f"{look.crf:g}",
            "-g",
            str(2 * FPS),
            "-threads",
            "1",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-b:a",
            "48k",
            "-fflags",
            "+bitexact",
            "-flags:v",
            "+bitexact",
            "-flags:a",
            "+bitexact",
            *look.metadata(day.seconds),
            "-movflags",
            "+faststart",
            path,
        ]
        # in a group of its own: an interrupted terminal tells this process alone, which then ends
        # it
        encoder = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        try:
            for _, _, image in frames(day, look):
                encoder.stdin.write(image.tobytes())
            encoder.stdin.close()
        except BrokenPipeError:
            pass
        except BaseException:
            encoder.kill()
            encoder.wait()
            raise
        if encoder.wait() != 0:
            raise SystemExit("error: ffmpeg failed")
    return speech


def write_day(seed, folder, seconds=120, name="day", look=Look()):
    """Writes a day's video and its gold files; all of them or, where something fails, none.
    speech.jsonl comes last."""
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
        # no moment at which files of two days stand side by side as a whole one
        if os.path.exists(os.path.join(folder, speech)):
            os.remove(os.path.join(folder, speech))
        for file in [video, *files]:
            os.replace(os.path.join(unfinished, file), os.path.join(folder, file))
    return day


# ---------------------------------------------------------------- the command line

SHORTEST, LONGEST = 10, 24 * 3600  # seconds of video
# how many times as fast as the video a clock runs at least: then each segment has a minute of its
# own
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
    """A type of arguments: what may stand before `.mp4`."""
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
    args.add_argument("--out", required=True, help="folder to write into, made if missing")
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
        "--scale", type=number(0.1, 4), default=1, help="of the picture's sides, 0.1 to 4"
    )
    args.add_argument(
        "--brightness", type=number(-1, 1), default=0, help="added to the picture's values, -1 to 1"
    )
    args.add_argument(
        "--other-voices", action="store_true", help="speech by voices that no training heard"
    )
    args.add_argument(
        "--clock",
        type=minutes_of,
        metavar="HH:MM",
        help="when the day begins: burnt in, and in the file's metadata",
    )
    args.add_argument(
        "--hours", type=number(0.01, 23.9), help="how many hours of the clock pass in the video (1)"
    )
    found = args.parse_args()
    if found.hours and found.clock is None:
        args.error("--hours goes with --clock")
    found.hours = found.hours or 1
    if found.clock is not None and found.hours * 60 < SLOWEST * found.minutes:
        args.error(
            f"--hours is at least {SLOWEST * found.minutes / 60:.3g} for {found.minutes:g} "
            f"minutes of video, else some segments have no minute of their own"
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
        raise SystemExit(f"error: {failed.filename or args.out}: {failed.strerror}")
    except KeyboardInterrupt:
        raise SystemExit(130)
    print(
        f"{os.path.join(args.out, args.name + '.mp4')}: {day.seconds} s, {len(day.segments)} "
        f"segments, {len(day.cases)} questions",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
