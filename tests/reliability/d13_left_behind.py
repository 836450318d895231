"""D13: the remains of a killed process are removed, and a memo in any state can be emptied."""

import os
import signal
import sqlite3
import subprocess
import time

from attack import ROOT

UNPACK = ["try", "starter-clip", "--text", "a mug", "--embed", "--json"]
ASK = [
    "run",
    "log_qa",
    "-i",
    f"log={ROOT}/examples/media/day1.log.jsonl",
    "-i",
    "question=Where did I last see the keys?",
    "-q",
]


def attacks(section):
    project = section.folder("project")
    cache = section.home / ".cache" / "elenchus"
    starter = cache / "starter"
    killed = 0
    for n in range(12):
        child = subprocess.Popen(
            [os.environ["ELENCHUS"], *UNPACK],
            cwd=project,
            env=section.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while (
            time.monotonic() < until and child.poll() is None and not list(starter.glob(".*.tmp"))
        ):
            pass
        child.send_signal(signal.SIGKILL)
        child.wait()
        killed += bool(list(starter.glob(".*.tmp")))
        if n % 3 == 2:
            section.attack(
                f"after {n + 1} kills in the middle of unpacking",
                *UNPACK,
                cwd=project,
                out="embedding",
            )
            left = list(starter.glob(".*.tmp")) + list(starter.glob(".*.damaged"))
            section.hold(f"after {n + 1} kills: nothing is left", not left, left)
            for folder in starter.glob("clip-*"):
                subprocess.run(["rm", "-rf", folder], check=True)
    print(f"    ({killed} of 12 kills hit the middle of unpacking)")
    starter.mkdir(exist_ok=True, parents=True)
    (starter / ".clip-1-0badcafe.tmp").mkdir()
    section.attack("purging removes them too", "memo", "purge", "--all", cwd=project)
    section.hold("purging removes them too: gone", not list(starter.glob(".*.tmp")))

    memo = cache / "memo"
    section.attack("an answer to be kept", *ASK, cwd=project, out="cafe")
    for name in ["replies/0123.1.part"]:
        (memo / name).write_text("half")
    section.attack("asking again", *ASK, cwd=project, out="cafe")
    section.hold("half-written replies are gone", not list(memo.glob("replies/*.part")))

    base = sqlite3.connect(memo / "memo.sqlite")
    base.executescript("PRAGMA foreign_keys = 0; DROP TABLE exchanges; DROP TABLE media;")
    base.close()
    section.attack("a memo without its tables answers", *ASK, cwd=project, out="cafe")
    section.attack(
        "and is purged", "memo", "purge", "--all", "--json", cwd=project, out='"removed":1'
    )
    subprocess.run(["rm", "-rf", memo], check=True)
    (memo / "memo.sqlite").mkdir(parents=True)
    folder = "memo.sqlite is a folder"
    section.attack(
        "a folder in the place of the memo",
        *ASK,
        cwd=project,
        codes=(1,),
        err=f"(?s){folder}.*hint: move it away",
    )
    section.attack(
        "a folder in the place of the memo: purge",
        "memo",
        "purge",
        "--all",
        cwd=project,
        codes=(1,),
        err=folder,
    )
    section.attack(
        "a folder in the place of the memo: no memo", *ASK, "--no-memo", cwd=project, out="cafe"
    )
