"""Runs groups of rows: both sides loaded first, then in turn, and the verdict on each row."""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import machine
from machine import Failed, Refused, Side
from measure import Pair, Turn, agreement, judge

OPPONENTS = Path(__file__).parent.parent / "opponents"
# threads of a library wait for more work in a loop before they sleep
REST_S = 0.3


@dataclass
class Settings:
    """What all rows share."""

    side: list
    python: str
    work: Path
    # folders of models that exist already, by name
    real: Path | None
    sound: Path | None
    pairs: int = 5
    seconds: float = 1.0
    device: str = "cpu"
    # what is asked of both sides, before their own settings
    more: dict = field(default_factory=dict)
    # --quick: no pair begins after this moment of the monotonic clock, except the first of a row
    until: float | None = None
    # seconds of speech
    speech_s: int = 176


@dataclass
class Outcome:
    """What became of a row: a verdict, or the reason why it has none."""

    group: object
    row: object
    threads: int
    verdict: object = None
    agreed: tuple | None = None
    skipped: str | None = None
    about: str | None = None
    # the limit of the machine with these threads, in the units of `Row.work` a second
    limit: float | None = None

    @property
    def share(self):
        """The share of the limit that elenchus reached; none if it is unknown."""
        if not (self.verdict and self.verdict.valid and self.limit and self.row.work):
            return None
        return self.verdict.ours * self.row.work / self.limit


class Places:
    """Where the weights of rows are. What is missing is made once and kept below `work`."""

    SOURCES = {"ctranslate": "whisper-tiny.en", "onnx": "all-MiniLM-L6-v2"}

    def __init__(self, settings):
        self.settings = settings

    def __call__(self, name):
        if isinstance(name, Path):
            return name
        if name in ("whisper-tiny.en", "all-MiniLM-L6-v2"):
            return self.model(name)
        if name == "sound":
            return self.samples()
        out = self.settings.work / name
        if not out.exists():
            source = self.SOURCES.get(name)
            told = [str(self.model(source))] if source else []
            maker = str(Path(__file__).parent / "weights.py")
            self.made(name, [self.settings.python, maker, name, str(out), *told])
        return out

    def model(self, name):
        found = self.settings.real and self.settings.real / name
        if not found or not found.exists():
            raise Refused(
                f"there is no {name}: `make real` fetches it, and REAL=… names its folder"
            )
        return found

    def samples(self):
        """The speech of the rows, as f32 samples: the sound of the settings, again and again."""
        sound, seconds = self.settings.sound, self.settings.speech_s
        if not sound or not sound.exists():
            raise Refused("there is no speech: SOUND=… names a file of it")
        out = self.settings.work / f"{sound.stem}-{seconds}s.f32"
        if not out.exists():
            command = [
                "ffmpeg",
                "-v",
                "error",
                "-nostdin",
                "-y",
                "-stream_loop",
                "-1",
                "-i",
                str(sound),
            ]
            form = ["-t", str(seconds), "-ac", "1", "-ar", "16000", "-f", "f32le", str(out)]
            self.made("the speech", [*command, *form])
        return out

    def made(self, name, command):
        print(f"… making {name}", file=sys.stderr)
        log = self.settings.work / "made.log"
        with open(log, "a") as file:
            code = subprocess.run(command, stdout=file, stderr=file).returncode
        if code:
            said = log.read_text().strip().splitlines()
            raise Refused(f"{name} cannot be made: {said[-1] if said else code}")


def rows_of(group, threads, settings, limits):
    """The outcomes of all rows of a group with this number of threads."""
    outcomes = [
        Outcome(group, row, threads, limit=limits.get((group.limit, threads))) for row in group.rows
    ]
    try:
        ours, theirs = (
            {"do": "load", **asked, "device": settings.device, **settings.more}
            for asked in group.load(Places(settings))
        )
        free = machine.free_gb()
        if free is not None and free < group.memory_gb:
            raise Refused(f"needs {group.memory_gb} GB of free memory, and {free:.1f} are free")
        log = settings.work / "sides.log"
        opponent = [settings.python, str(OPPONENTS / f"{group.opponent}.py")]
        command = settings.side if group.opponent == "elenchus" else opponent
        with Side(settings.side, threads, log) as mine, Side(command, threads, log) as other:
            mine.ask(ours)
            about = other.ask(theirs).get("about")
            for outcome in outcomes:
                outcome.about = about
                compare(outcome, (mine, other), settings)
    except Failed as why:
        for outcome in outcomes:
            if outcome.verdict is None and outcome.skipped is None:
                outcome.skipped = str(why)
    return outcomes


def compare(outcome, sides, settings):
    """Lets both sides do the work of a row in turn."""
    group, row = outcome.group, outcome.row
    quick = row.quick if settings.until else {}
    asked = [{**row.asked, **quick}, {**(row.theirs or row.asked), **quick}]
    found = [side.ask({"do": "check", **row.asked}).get("found") for side in sides]
    outcome.agreed = agreement(*found)
    go = {"do": "go", "seconds": 0 if group.long else settings.seconds, "warm": not group.long}
    if not group.long:
        for side, own in zip(sides, asked):
            side.ask({**go, "seconds": 0, **own})
    others = machine.Others([side.pid for side in sides])
    pairs, waiting = [], []
    for number in range(settings.pairs):
        if number and settings.until and time.monotonic() > settings.until:
            break
        # the order alternates, so that a slow change of the machine meets both sides
        turns = [None, None]
        for at in (0, 1) if number % 2 == 0 else (1, 0):
            time.sleep(REST_S)
            before, begun = machine.cpu_ticks(sides[1 - at].pid), time.monotonic()
            turns[at] = Turn(**sides[at].ask({**go, **asked[at]}))
            after, passed = machine.cpu_ticks(sides[1 - at].pid), time.monotonic() - begun
            if before is not None and after is not None:
                waiting.append((after - before) / machine.TICKS / passed)
        pairs.append(Pair(*turns))
    on_gpu = settings.device != "cpu"
    outcome.verdict = judge(pairs, outcome.threads, others.busy(), waiting, on_gpu)


def limits(settings, threads, names=("product", "reading")):
    """The rates of the machine with PyTorch: a large product of matrices, and reading of memory.

    On a CPU it is the best rate for each second computed, times the threads: other work slows a turn, and is no limit.
    """
    found = {}
    command = [settings.python, str(OPPONENTS / "pytorch.py")]
    for name in names:
        try:
            with Side(command, threads, settings.work / "sides.log") as side:
                load = {"do": "load", "work": name, "device": settings.device}
                side.ask({**load, **settings.more})
                go = {"do": "go", "seconds": settings.seconds, "warm": True}
                turns = [Turn(**side.ask(go)) for _ in range(3)]
        except Failed as why:
            print(f"notice: the limit `{name}` is unknown: {why}", file=sys.stderr)
            continue
        if settings.device == "cpu" and all(turn.cpu_rate for turn in turns):
            found[name, threads] = threads * max(turn.cpu_rate for turn in turns)
        else:
            found[name, threads] = max(turn.rate for turn in turns)
    return found
