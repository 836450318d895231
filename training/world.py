"""Renders a day in the starter world to MP4 with sound, with its gold log, questions and answers.

  python training/world.py --seed 777 --out day [--minutes 1.5] [--name day]

writes DIR/day.mp4 (320x240, 12 frames a second, H.264 and AAC) and beside it
  log.jsonl         a line for each segment: start, end (seconds), place, activity, seen, heard
  cases.jsonl       a line for each question: video, log, question, answer, kind, moments
  places.jsonl      a case for each second: video, at, answer (the place)
  activities.jsonl  a case for each second: video, at, answer (the activity)
  transcript.jsonl  one case: video, answer (all that is said)
  captions.jsonl    a sentence for each segment: start, end, text
  speech.jsonl      what is spoken exactly when: start, end, text, voice
With --name NAME they are NAME.mp4, NAME.log.jsonl and so on. The same seed and length give the same day.
days.py makes the plot and the questions, scene.py draws the pictures. Needs ffmpeg, espeak-ng, Noto Color Emoji.
"""

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import wave

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import numpy as np  # noqa: E402

import days  # noqa: E402
import scene  # noqa: E402
import vocab  # noqa: E402

FPS, RATE = 12, 22050

# ---------------------------------------------------------------- pictures


def states(day):
    """A scene.State for each segment. A place keeps its looks all day, the wearer their sleeves."""
    person = random.Random(f"person {day.seed}").randrange(scene.PEOPLE)
    return [scene.State(s.place, s.activity, tuple(s.seen), random.Random(f"segment {day.seed} {i}").getrandbits(32),
                        random.Random(f"visit {day.seed} {s.place}").getrandbits(32), person) for i, s in enumerate(day.segments)]


def frames(day):
    """(segment number, seconds into it, picture), one after the other."""
    for number, (segment, state) in enumerate(zip(day.segments, states(day))):
        for k in range((segment.end - segment.start) * FPS):
            yield number, k / FPS, scene.draw_frame(state, k / FPS)


# ---------------------------------------------------------------- sound


def speak(text, voice, hurry=1.0):
    """The sentence as float32 samples at RATE, silence trimmed."""
    done = subprocess.run(["espeak-ng", "-v", voice["voice"], "-p", str(voice["pitch"]), "-s", str(int(voice["speed"] * hurry)),
                           "--stdout", text], capture_output=True, check=True)
    head = done.stdout.index(b"data") + 8  # a streamed WAV does not know its own length
    with wave.open(io.BytesIO(done.stdout[:head]), "rb") as header:
        rate = header.getframerate()
    samples = np.frombuffer(done.stdout[head:len(done.stdout) - (len(done.stdout) - head) % 2], np.int16).astype(np.float32) / 32768
    loud = np.flatnonzero(np.abs(samples) > .01 * max(1e-6, np.abs(samples).max()))
    samples = samples[loud[0]:loud[-1] + 1] if len(loud) else samples
    if rate != RATE:
        samples = np.interp(np.arange(int(len(samples) * RATE / rate)) * rate / RATE, np.arange(len(samples)), samples).astype(np.float32)
    return samples


def room_tone(place, seconds, seed):
    """Quiet noise with the place's colour: a hum indoors, wind outdoors, waves on the beach, engines on the street."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    spectrum = np.fft.rfft(rng.normal(0, 1, n))
    f = np.fft.rfftfreq(n, 1 / RATE) + 1
    cut = {"beach": 1600, "street": 260, "bus stop": 300, "park": 900, "garden": 1100, "cafe": 700, "gym": 500}.get(place, 400)
    tone = np.fft.irfft(spectrum / (1 + (f / cut) ** 1.5), n).astype(np.float32)
    tone /= np.sqrt(np.mean(tone ** 2)) + 1e-9
    t = np.arange(n) / RATE
    if place == "beach":
        tone *= (.55 + .45 * np.sin(2 * np.pi * .16 * t + rng.uniform(0, 6))).astype(np.float32)
    level = .0035 if not vocab.PLACES[place]["outdoor"] else .006
    if place in ("kitchen", "supermarket", "office"):
        tone += .5 * np.sin(2 * np.pi * 100 * t).astype(np.float32)
    return level * tone


def segment_sound(day, number):
    """(samples of the whole segment, its line of speech.jsonl or None)."""
    segment = day.segments[number]
    rng = random.Random(f"sound {day.seed} {number}")
    length = segment.end - segment.start
    sound = room_tone(segment.place, length, rng.getrandbits(32))
    if not segment.heard:
        return sound, None
    voice = rng.choice(vocab.VOICES)
    words = speak(segment.heard, voice)
    if len(words) / RATE > length - .7:
        words = speak(segment.heard, voice, 1.2)
    words = words[:int((length - .35) * RATE)]
    spare = length - len(words) / RATE
    at = rng.uniform(.4, max(.4, min(spare - .4, 2.5))) if spare > .8 else .32
    a = int(at * RATE)
    sound[a:a + len(words)] += words * (rng.uniform(.42, .6) / max(.05, np.abs(words).max()))
    return sound, {"start": round(segment.start + at, 3), "end": round(segment.start + at + len(words) / RATE, 3),
                   "text": segment.heard, "voice": voice["name"]}


# ---------------------------------------------------------------- writing


def caption(segment):
    seen = [("the " + name) for name in segment.seen]
    sight = f" I see {' and '.join(seen)}." if seen else ""
    return f"I am {vocab.in_place(segment.place)}, {segment.activity}.{sight}"


def moment_cases(day, field, video):
    """A case for every second, as `frames: {every: 1s}` samples them; its kind is the right answer, for figures by label."""
    return [{"video": video, "at": second, "answer": getattr(s, field), "kind": getattr(s, field)}
            for s in day.segments for second in range(s.start, s.end)]


def write_lines(path, records):
    with open(path, "w", encoding="utf-8") as out:
        for record in records:
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def write_video(day, path, crf=26):
    """Streams the frames through ffmpeg; returns the lines of speech.jsonl."""
    speech = []
    with tempfile.TemporaryDirectory() as folder:
        pcm = os.path.join(folder, "sound.s16")
        with open(pcm, "wb") as out:
            for number in range(len(day.segments)):
                sound, line = segment_sound(day, number)
                out.write((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
                if line:
                    speech.append(line)
        command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{scene.W}x{scene.H}", "-r", str(FPS), "-i", "-",
                   "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", pcm, "-map", "0:v", "-map", "1:a",
                   "-c:v", "libx264", "-preset", "medium", "-crf", str(crf), "-g", str(2 * FPS), "-threads", "1", "-pix_fmt", "yuv420p",
                   "-c:a", "aac", "-b:a", "48k", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
                   "-movflags", "+faststart", path]
        encoder = subprocess.Popen(command, stdin=subprocess.PIPE)
        try:
            for _, _, image in frames(day):
                encoder.stdin.write(image.tobytes())
            encoder.stdin.close()
        except BrokenPipeError:
            pass
        if encoder.wait() != 0:
            raise SystemExit("ffmpeg failed")
    return speech


def write_day(seed, folder, seconds=90, name="day", crf=26):
    day = days.make_day(seed, seconds)
    os.makedirs(folder, exist_ok=True)
    prefix = "" if name == "day" else name + "."
    video, log = f"{name}.mp4", f"{prefix}log.jsonl"
    speech = write_video(day, os.path.join(folder, video), crf)
    write_lines(os.path.join(folder, log), [s.record() for s in day.segments])
    write_lines(os.path.join(folder, f"{prefix}cases.jsonl"), [c.record(day.segments, video, log) for c in day.cases])
    for kind, field in (("places", "place"), ("activities", "activity")):
        write_lines(os.path.join(folder, f"{prefix}{kind}.jsonl"), moment_cases(day, field, video))
    write_lines(os.path.join(folder, f"{prefix}transcript.jsonl"), [{"video": video, "answer": " ".join(line["text"] for line in speech)}])
    write_lines(os.path.join(folder, f"{prefix}captions.jsonl"),
                [{"start": s.start, "end": s.end, "text": caption(s)} for s in day.segments])
    write_lines(os.path.join(folder, f"{prefix}speech.jsonl"), speech)
    return day


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--seed", type=int, required=True)
    args.add_argument("--out", required=True, help="folder to write into, made if missing")
    args.add_argument("--minutes", type=float, default=1.5)
    args.add_argument("--name", default="day")
    args.add_argument("--crf", type=int, default=26, help="H.264 quality, lower is better and larger")
    args = args.parse_args()
    day = write_day(args.seed, args.out, max(10, round(args.minutes * 60)), args.name, args.crf)
    print(f"{os.path.join(args.out, args.name + '.mp4')}: {day.seconds} s, {len(day.segments)} segments, {len(day.cases)} questions", file=sys.stderr)


if __name__ == "__main__":
    main()
