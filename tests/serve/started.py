"""A server over the first seconds of the sample day, for tests with other programs."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ELENCHUS = str(Path(os.environ["ELENCHUS"]).resolve())
DAY = ROOT / "examples/media/day1.mp4"


def check(name, truth, shown=""):
    """Reports a check; ends the program if it fails."""
    print(f"{'ok' if truth else 'FAILED'}: {name}", flush=True)
    if not truth:
        sys.exit(f"{shown}")


def cut(target, start=0, seconds=10):
    """A part of the sample day."""
    source = ["-ss", str(start), "-t", str(seconds), "-i", str(DAY)]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, str(target)], check=True)


def environment(folder):
    """The environment of a program whose data is in the folder."""
    return dict(os.environ, ELENCHUS_CACHE=f"{folder}/cache", ELENCHUS_DATA=f"{folder}/data")


@contextmanager
def folder_with_day(name="day.mp4", seconds=10, indexed=True):
    """A folder with a part of the sample day in `days`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "days").mkdir()
        cut(Path(folder, "days", name), seconds=seconds)
        if indexed:
            command = [ELENCHUS, "index", "days", "-q"]
            subprocess.run(command, cwd=folder, env=environment(folder), check=True)
        yield folder


@contextmanager
def serving(folder, *more):
    """A server over `days`: its address, its link for a browser, and its token."""
    command = [ELENCHUS, "serve", "days", "--port", "0", "--json", *more]
    server = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        link = json.loads(server.stdout.readline())["link"]
        yield link.split("/?")[0], link, Path(folder, "data/token").read_text().strip()
    finally:
        server.terminate()
        check("the server ends in order", server.wait(30) in (0, 143))
