"""Makes clips from photographs, as a head-worn camera that looks from one thing to the next would take them.

    reels.py REAL [SPEECH.flac]

REAL/media comes from fetch.sh. REAL/reels gets one MP4 for each reel: 640x480, 25 frames a second, each photograph
panned and zoomed. Speech, if given, is mixed in where a reel names it. Needs ffmpeg, numpy and pillow. The frames are the
same on every machine; the bytes of the MP4 depend on the version of ffmpeg. Does nothing where all reels are there.
"""

import bz2
import pickletools
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT, RATE = 640, 480, 25
# The sample speech holds three phrases; a reel takes the seconds from START to END and plays them at AT.
FIRST, SECOND, WHOLE = (0.0, 7.9), (7.9, 11.0), (0.0, 11.0)
# Per reel: (photograph, seconds), in order; then (speech, AT) or None. README.md says how the photographs were chosen.
REELS = {
    "morning": (
        [("coffee.png", 6), ("page.png", 6), ("chelsea.png", 6), ("motorcycle_left.png", 7)],
        None,
    ),
    "garden": (
        [("flower.jpg", 6), ("face.dat", 7), ("kiwi.jpg", 6), ("china.jpg", 6)],
        (SECOND, 14.0),
    ),
    "space": ([("rocket.jpg", 7), ("astronaut.png", 7), ("grace_hopper.jpg", 7)], (WHOLE, 8.0)),
    "town": (
        [("camera.png", 7), ("ascent.dat", 6), ("Wall.jpg", 6), ("coins.png", 7)],
        (FIRST, 10.0),
    ),
}


def photograph(path):
    """The photograph in RGB. The two .dat files of SciPy hold bare pixels."""
    if path.suffix != ".dat":
        return Image.open(path).convert("RGB")
    data = path.read_bytes()
    if path.name == "face.dat":  # 768 x 1024 RGB, packed with bzip2
        return Image.fromarray(np.frombuffer(bz2.decompress(data), np.uint8).reshape(768, 1024, 3))
    # ascent.dat is a pickle of a list of 512 lists of 512 numbers. Its opcodes are read as data, never run.
    numbers = [value for code, value, _ in pickletools.genops(data) if code.name == "BININT1"]
    return Image.fromarray(np.array(numbers, np.uint8).reshape(512, 512)).convert("RGB")


def frames(picture, count, turn):
    """`count` frames: a slow zoom towards a point off the middle, and back for every other picture."""
    wide, high = picture.size
    whole = min(wide / WIDTH, high / HEIGHT)  # the largest window of the frame's shape
    for number in range(count):
        along = number / (count - 1)
        along = along if turn % 2 == 0 else 1 - along
        size = whole * (1 - 0.25 * along)
        left = max(0, wide - size * WIDTH) * (0.5 + 0.3 * along * (1 if turn % 4 < 2 else -1))
        top = max(0, high - size * HEIGHT) * (0.5 - 0.2 * along)
        window = (left, top, min(wide, left + size * WIDTH), min(high, top + size * HEIGHT))
        yield picture.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=window)


def make(source, shots, sound, speech, target):
    """One clip."""
    length = sum(seconds for _, seconds in shots)
    command = f"ffmpeg -v error -nostdin -y -f rawvideo -pix_fmt rgb24 -s {WIDTH}x{HEIGHT} -r {RATE} -i -".split()
    if sound and speech:
        (start, end), at = sound
        command += ["-ss", str(start), "-to", str(end), "-i", str(speech)]
        command += [
            "-filter_complex",
            f"[1:a]adelay={int(at * 1000)}:all=1,apad=whole_dur={length}[a]",
            "-map",
            "0:v",
            "-map",
            "[a]",
        ]
        command += "-c:a aac -b:a 96k -ar 44100 -ac 1".split()
    command += f"-c:v libx264 -preset veryfast -crf 18 -pix_fmt yuv420p -threads 1 -t {length} -fflags +bitexact -flags +bitexact".split()
    coder = subprocess.Popen([*command, "-f", "mp4", str(target)], stdin=subprocess.PIPE)
    for turn, (name, seconds) in enumerate(shots):
        for frame in frames(photograph(source / name), seconds * RATE, turn):
            coder.stdin.write(frame.tobytes())
    coder.stdin.close()
    if coder.wait() != 0:
        raise SystemExit(f"error: ffmpeg cannot write {target}")


def main():
    real, speech = Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None
    out = real / "reels"
    out.mkdir(exist_ok=True)
    for name, (shots, sound) in REELS.items():
        heard = bool(sound and speech)
        target = out / f"{name}.mp4"
        mark = out / f".{name}.made"  # what the clip was made of
        made = repr((shots, sound if heard else None, WIDTH, HEIGHT, RATE))
        if target.exists() and mark.exists() and mark.read_text() == made:
            continue
        make(
            real / "media",
            shots,
            sound,
            speech if heard else None,
            target.with_suffix(".part"),
        )
        mark.write_text(made)
        target.with_suffix(".part").replace(target)


main()
