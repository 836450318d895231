"""D2: sound whose time stamps do not start at 0. The words are the same, and their times are shifted by exactly the
offset."""

import json
import re
import shutil
import subprocess

from attack import ROOT

WORDS = "please go to the hallway and look for ben"
DAY = ROOT / "examples/media/day1.mp4"


def make(folder, name, options):
    """The first words of the sample day, in another container, at other times."""
    path = folder / name
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-nostdin",
        "-y",
        "-t",
        "4.3",
        "-i",
        str(DAY),
        *options.split(),
        str(path),
    ]
    subprocess.run(command, check=True)
    return path


def attacks(section):
    if not shutil.which("ffmpeg"):
        section.hold("ffmpeg is there", False, "the attacks of D2 need ffmpeg")
        return
    folder = section.folder("media")
    # the 33 files of the review: 11 offsets in three containers
    for offset in (0, 0.5, 1, 2, 3, 5, 10, 30, 60, 600, 3600):
        for ending in ("ts", "mkv", "mp4"):
            options = f"-c copy -muxdelay 0 -muxpreload 0 -output_ts_offset {offset}"
            listen(section, make(folder, f"o{offset}.{ending}", options), offset)
    for rate in (8000, 44100, 48000):
        for offset in (5, 600):
            options = f"-c:v copy -c:a aac -ar {rate} -b:a 96k -muxdelay 0 -muxpreload 0 -output_ts_offset {offset}"
            listen(
                section,
                make(folder, f"r{rate}-{offset}.mts", options),
                offset,
                WORDS if rate > 8000 else "",
            )
    # sound alone, from the middle of a recording, in stereo
    listen(
        section,
        make(folder, "alone.mkv", "-vn -ac 2 -ar 48000 -c:a flac -output_ts_offset 77.7"),
        77.7,
    )


def listen(section, path, offset, words=WORDS):
    """Transcribes one file with the whole program: the words, and the second in which they begin."""
    what = f"the words of {path.name}"
    result = section.attack(
        what,
        "run",
        ROOT / "examples/transcribe.yaml",
        "-i",
        f"video={path}",
        "--no-memo",
        "--json",
        cwd=ROOT,
        seconds=60,
    )
    if result.code != 0:
        return
    answer = json.loads(result.out)["answer"]
    clock = re.match(r"\[1\] (?:(\d+):)?(\d+):(\d+)-", answer)
    begins = clock and sum(
        int(part or 0) * unit for part, unit in zip(clock.groups(), (3600, 60, 1))
    )
    right = words in answer and begins is not None and offset - 1 <= begins <= offset + 2
    section.hold(f"{what}, in its time", right, answer)
