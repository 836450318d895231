"""A day's pictures, and the video file with its sound."""

import os
import random
import subprocess
import tempfile

import numpy as np

import scene
from look import PLAIN
from progress import Progress
from soundtrack import RATE, segment_sound

FPS = scene.FPS


def states(day):
    """A scene.State for each segment. A place keeps its looks all day; the wearer keeps the
    sleeves."""
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


def frames(day, look=PLAIN):
    """(segment number, seconds into it, picture), one after the other."""
    for number, (segment, state) in enumerate(zip(day.segments, states(day))):
        for k in range((segment.end - segment.start) * FPS):
            clock = look.time(segment.start + k / FPS, day.seconds)
            yield number, k / FPS, look.developed(scene.draw_frame(state, k / FPS, clock=clock))


def write_video(day, path, look=PLAIN):
    """Streams the frames through ffmpeg. Returns the lines of speech.jsonl."""
    speech, progress = [], Progress(os.path.basename(path), day.seconds)
    # beside the video: an hour of sound is 160 MB, and /tmp may be memory
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as folder:
        pcm = os.path.join(folder, "sound.s16")
        with open(pcm, "wb") as out:
            for number in range(len(day.segments)):
                sound, line = segment_sound(day, number, look)
                out.write((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
                if line:
                    speech.append(line)
                progress.sound(day.segments[number].end)
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
        # In a group of its own: Ctrl-C then reaches only this process, which ends ffmpeg.
        encoder = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        try:
            for number, passed, image in frames(day, look):
                encoder.stdin.write(image.tobytes())
                progress.pictures(day.segments[number].start + passed + 1 / FPS)
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
