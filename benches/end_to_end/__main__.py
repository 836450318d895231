"""Whole questions about a video: elenchus against a script with PyTorch that does the same work on the same weights.

    python benches/end_to_end [--minutes 60] [--elenchus BINARY] [--eye FOLDER --ear FOLDER --mind FOLDER --cast CAST]

A run of elenchus is recorded once. Its transcript says what was computed: frames, rankings, sound, prompts. The script computes the same
with PyTorch, and decodes with the same ffmpeg; it has no dialogue, no memo and no journal. Each pair starts both programs anew, and does
not record. Prints Markdown.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent / "compare"))

import limits
import machine
import report
import run
import work
from machine import Side

ROOT = Path(__file__).parent.parent.parent
DAYS = [ROOT / "examples/media" / name for name in ("day1.mp4", "day2.mp4")]
FIRST, SECOND = "Where did I last see the keys?", "Where was I at the start?"


def arguments():
    parser = argparse.ArgumentParser(
        prog="python benches/end_to_end", description=__doc__.split("\n")[0]
    )
    add = parser.add_argument
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    add("--elenchus", default=str(target / "release/elenchus"), help="the program")
    add("--python", default=sys.executable, help="a Python with PyTorch")
    add("--minutes", type=float, default=10, help="length of the video that is indexed (60)")
    add("--pairs", type=int, default=3, help="runs of each side")
    add("--threads", type=int, default=2, help="cores of each side")
    add("--cast", default="starter", help="the cast of elenchus")
    for role, own in (("eye", "clip"), ("ear", "whisper"), ("mind", "lm")):
        add(
            f"--{role}",
            type=Path,
            default=ROOT / "agents/starter" / own,
            help="weights of the cast",
        )
    add("--work", type=Path, default=target / "bench", help="where the long video is kept")
    add("--keep", type=Path, help="write the transcripts and what PyTorch found there")
    return parser.parse_args()


def long_video(minutes, folder):
    """The sample days in turn, for so many minutes. Noise makes every frame differ, because elenchus computes equal ones once."""
    out = folder / f"days-{minutes:g}min.mp4"
    if out.exists():
        return out
    print(f"… making {minutes:g} minutes of video", file=sys.stderr)
    listed, part = folder / "days.txt", folder / "days.part.mp4"
    listed.write_text("".join(f"file '{day}'\n" for day in DAYS * int(minutes + 1)))
    command = f"ffmpeg -v error -nostdin -y -f concat -safe 0 -i {listed} -t {minutes * 60:g}"
    coded = "-vf noise=c0s=3:c0f=t -c:v libx264 -preset veryfast -crf 23 -c:a aac"
    subprocess.run([*command.split(), *coded.split(), str(part)], check=True)
    part.rename(out)
    return out


def size_of(video):
    """Width and height of a video."""
    asked = "ffprobe -v error -select_streams v:0 -show_entries stream=width,height -of csv=p=0"
    found = subprocess.run([*asked.split(), str(video)], capture_output=True, text=True, check=True)
    return [int(n) for n in found.stdout.strip().strip(",").split(",")[:2]]


class Task:
    """A command of elenchus, run with an own memo and journal."""

    def __init__(self, name, words, video):
        self.name, self.words, self.video = name, words, video

    def run(self, asked, folder, more):
        """(seconds of the process, what it printed). Its memo and journal are in this folder."""
        own = machine.cores()[: asked.threads]
        environment = {**os.environ, **dict.fromkeys(machine.THREADS, str(asked.threads))}
        environment |= {
            "ELENCHUS_CACHE": str(folder / "cache"),
            "ELENCHUS_DATA": str(folder / "data"),
        }
        command = [asked.elenchus, *self.words, "--cast", asked.cast, *more]
        pin = (lambda: os.sched_setaffinity(0, own)) if own else None
        begun = time.perf_counter()
        done = subprocess.run(
            command, cwd=ROOT, env=environment, preexec_fn=pin, capture_output=True, text=True
        )
        passed = time.perf_counter() - begun
        if done.returncode:
            sys.exit(f"error: {' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}")
        return passed, done.stdout

    def ours(self, asked, folder):
        """(seconds of the process, seconds of its run)."""
        passed, printed = self.run(asked, folder, ["--json"])
        return passed, json.loads(printed)["elapsed_ms"] / 1000

    def recorded(self, asked, folder):
        """What a run computes, by its transcript."""
        record = folder / f"{self.name.replace(' ', '-')}.jsonl"
        self.run(asked, folder, ["--record", str(record)])
        if asked.keep:
            shutil.copy(record, asked.keep)
        return work.read(record)


def theirs(asked, task, own_work, folder):
    """(seconds of the start, seconds of the run, what was found)."""
    begun = time.perf_counter()
    script = str(ROOT / "benches/opponents/end_to_end.py")
    with Side([asked.python, script], asked.threads, folder / "side.log") as side:
        load = {"do": "load", "eye": str(asked.eye), "ear": str(asked.ear), "mind": str(asked.mind)}
        side.ask(load)
        started = time.perf_counter() - begun
        given = {**own_work.as_json(), "selection": work.selection(own_work.frames)}
        more = {"video": str(task.video), "size": size_of(task.video), "run": given}
        found = side.ask({"do": "go", "seconds": 0, **more}, limit_s=7200)
        last = side.ask({"do": "last"})["found"]
    return started, found["wall_s"], last


def compared(asked, tasks, folder):
    """The rows of these tasks, which share a memo: the pairs' times and the work."""
    times = {task.name: [] for task in tasks}
    once = folder / "recorded"
    once.mkdir()
    for task in tasks:
        print(f"… {task.name}, recorded", file=sys.stderr)
        task.work = task.recorded(asked, once)
    for number in range(asked.pairs):
        own = folder / str(number)
        own.mkdir()
        for task in tasks:
            print(f"… {task.name}, pair {number + 1}", file=sys.stderr)
            whole, ran_ours = task.ours(asked, own)
            started, ran, task.found = theirs(asked, task, task.work, own)
            times[task.name].append((ran_ours, whole, ran, started + ran))
            if asked.keep:
                name = task.name.replace(" ", "-")
                (asked.keep / f"{name}.pytorch.json").write_text(json.dumps(task.found, indent=1))
    return times


def cells(task, times, bounds):
    run_ratios, whole_ratios = ([row[b] / row[a] for row in times] for a, b in ((0, 2), (1, 3)))
    middle = [median(row[n] for row in times) for n in range(4)]
    ranges = [
        f"**{median(own):.2f}** ({min(own):.2f}–{max(own):.2f})"
        for own in (run_ratios, whole_ratios)
    ]
    made = task.work
    counted = ", ".join(f"{n} {kind}" for kind, n in sorted(made.counts.items()))
    return [
        task.name,
        f"{counted}; {len(made.frames)} frames",
        f"{middle[0]:.2f} s",
        f"{middle[2]:.2f} s",
        ranges[0],
        f"{middle[1]:.2f} s",
        f"{middle[3]:.2f} s",
        ranges[1],
        f"{bounds['decode']:.2f} s",
        f"{bounds['arithmetic']:.2f} s",
        f"{bounds['bytes']:.2f} s",
        limits.agreement(made, task.found),
    ]


COLUMNS = """task | computed | elenchus | PyTorch | ratio | elenchus with start | PyTorch with start | ratio with start | limit: decoding | limit: arithmetic | limit: bytes | same results"""


def main():
    asked = arguments()
    asked.work.mkdir(parents=True, exist_ok=True)
    if asked.keep:
        asked.keep.mkdir(parents=True, exist_ok=True)
    long = long_video(asked.minutes, asked.work)
    settings = run.Settings(side=[], python=asked.python, work=asked.work, real=None, sound=None)
    rates = run.limits(settings, asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        ask = ["run", "examples/video_qa.yaml", "-i", f"video={DAYS[0]}", "-i"]
        tasks = [
            Task("first question", [*ask, f"question={FIRST}"], DAYS[0]),
            Task("new question", [*ask, f"question={SECOND}"], DAYS[0]),
        ]
        log = ["run", "examples/video_log.yaml", "-i", f"video={long}"]
        indexed = Task(f"{asked.minutes:g} minutes indexed", log, long)
        rows = []
        for number, group in enumerate((tasks, [indexed])):
            own = folder / f"group{number}"
            own.mkdir()
            times = compared(asked, group, own)
            for task in group:
                bounds = limits.of(task, asked, rates)
                rows.append(cells(task, times[task.name], bounds))
    names = COLUMNS.split(" | ")
    print(
        f"{asked.pairs} pairs, {asked.threads} cores, cast `{asked.cast}`; {report.limits(rates, 'f32')}.\n"
    )
    print(f"| {' | '.join(names)} |\n|{' --- |' * len(names)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
