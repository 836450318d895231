"""The loop of one side of a comparison, as in `benches/side`: JSON lines in, JSON lines out.

An opponent is a script with one function that loads a work and hands it to `serve`. A work has `once(asked)`, which
gives the number of units done, and `check(asked)`, which gives what it computes for inputs that both sides know.
"""

import json
import os
import sys
import time
import traceback
from itertools import count
from pathlib import Path

import numpy as np

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


class Refused(Exception):
    """This work cannot be done here; its row is skipped with the reason."""


def serve(load):
    """Answers requests until the input ends."""
    answers, work = os.fdopen(os.dup(1), "w"), None
    os.dup2(2, 1)  # libraries print to standard output
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if asked["do"] == "load":
                work = load(asked)
                answer = {"ready": True, "about": getattr(work, "about", None)}
            elif asked["do"] == "check":
                answer = {"found": work.check(asked)}
            elif asked["do"] == "last":
                answer = {"found": work.last}
            else:
                answer = go(work, asked)
        except (Refused, ImportError) as why:
            answer = {"refused": str(why)}
        except Exception as why:
            traceback.print_exc()
            answer = {"error": f"{type(why).__name__}: {why}"}
        print(json.dumps(answer), file=answers, flush=True)


def go(work, asked):
    """Repeats the work for at least `seconds`, after one call to warm up if `warm`."""
    if asked.get("warm"):
        work.once(asked)
    begun, before, units = time.perf_counter(), time.process_time(), 0.0
    while True:
        units += work.once(asked)
        if time.perf_counter() - begun >= asked.get("seconds", 0):
            break
    wall_s, cpu_s = time.perf_counter() - begun, time.process_time() - before
    return {"units": units, "wall_s": wall_s, "cpu_s": cpu_s}


def picture(width, height, number):
    """Picture `number` of the Rust side: (height, width, 3) bytes."""
    a, b, c, _ = number.to_bytes(4, "little")
    made = np.empty((height, width, 3), np.uint8)
    made[..., 0] = (np.arange(width) & 255) ^ a
    made[..., 1] = ((np.arange(height) & 255) ^ b)[:, None]
    made[..., 2] = c
    return made


def text(words, n, length):
    """Text `n` of the Rust side."""

    def number(at):
        return n >> (6 * at) if at < 4 else n * 31 + at * (n % 61 + 1)

    return " ".join(words[number(at) % 64] for at in range(length or 6 + n * 7 % 30))


def prompt(n, length):
    """Prompt `n` of the Rust side: printable characters."""

    def number(at):
        return n // 94**at if at < 3 else n * 17 + at * (at + n % 13 + 3)

    return "".join(chr(33 + number(at) % 94) for at in range(length))


class Sentences:
    """Texts whose vectors `embed` gives: what all opponents do with them in the same way."""

    def open_texts(self, asked):
        """Reads the words that the texts consist of, and the tokenizer."""
        from tokenizers import Tokenizer

        self.words, self.read = asked["words"], count()
        self.tokenizer = Tokenizer.from_file(str(Path(asked["path"]) / "tokenizer.json"))
        self.tokenizer.enable_padding()

    def once(self, asked):
        self.embed(
            [text(self.words, next(self.read), asked["words"]) for _ in range(asked["batch"])]
        )
        return asked["batch"]

    def check(self, _):
        return self.embed([text(self.words, 1_000_003 * n, 0) for n in (1, 2, 3)]).tolist()
