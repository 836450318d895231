"""Compares elenchus with other programs on the same weights, each row in turn on the same cores.

    python benches/compare [ROW…]          all rows, or those named; prints Markdown
    python benches/compare --quick [ROW…]  at most three minutes: by default the rows that the changes since BASE touch
    python benches/compare --list          what would run

Both sides are processes with a loaded model, pinned to one or two cores. Each does its work in turn; a row is the median of
the pairs' ratios. `Others` in machine.py says how the work of other processes is measured, measure.py what makes a row invalid.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import machine
import report
from machine import Refused
from rows import GROUPS, ROOT, on_gpu, touched
from run import Outcome, Places, Settings, limits, rows_of

QUICK_S = 180


def arguments():
    parser = argparse.ArgumentParser(
        prog="python benches/compare", description=__doc__.split("\n")[0]
    )
    add, env = parser.add_argument, os.environ.get
    target = Path(env("CARGO_TARGET_DIR") or ROOT / "target")
    add("rows", nargs="*", metavar="ROW", help=", ".join(group.key for group in GROUPS))
    add("--quick", action="store_true", help="three pairs, short turns, at most three minutes")
    add("--list", action="store_true", help="print what would run")
    add("--large", action="store_true", help="also the rows that need more than 12 GB of memory")
    add("--side", help="the built `side` bench (else cargo builds it)")
    add("--python", default=sys.executable, help="a Python with the opponents")
    add("--work", type=Path, default=target / "bench", help="where made weights are kept")
    add("--real", type=Path, default=env("ELENCHUS_REAL"), help="the folder of `make real`")
    add("--sound", type=Path, default=env("SOUND"), help="a file of English speech")
    add("--pairs", type=int, help="turns of each side")
    add("--seconds", type=float, help="the least length of a turn")
    add("--threads", default="1,2", help="numbers of threads")
    add("--device", default="cpu", help="cpu or cuda:0")
    add("--json", type=Path, help="also write the outcomes there")
    add("--base", default=env("BASE"), help="the commit whose changes --quick measures (else main)")
    return parser.parse_args()


def git(*command):
    found = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.split() if found.returncode == 0 else []


def changed(base):
    """The files that differ from the commit where this branch began; on main, from the commit before."""
    names = [base] if base else ["main", "origin/main"]
    begun = next(
        (found[0] for name in names if (found := git("merge-base", "HEAD", name))), "HEAD~1"
    )
    if not base and [begun] == git("rev-parse", "HEAD"):
        begun = "HEAD~1"
    return git("diff", "--name-only", begun) + git("ls-files", "--others", "--exclude-standard")


def chosen(asked):
    """The groups to run."""
    names = [key for part in asked.rows for key in part.replace(",", " ").split()]
    unknown = sorted(set(names) - {group.key for group in GROUPS})
    if unknown:
        sys.exit(
            f"error: there is no row {', '.join(unknown)}; the rows are {' '.join(group.key for group in GROUPS)}"
        )
    if not names and asked.quick:
        names = touched(changed(asked.base))
        if not names:
            print("No row is touched by these changes. ROWS=clip,whisper names rows.")
            sys.exit(0)
    groups = [group for group in GROUPS if group.key in names or not names]
    groups = groups if asked.device == "cpu" else on_gpu(groups)
    return [group for group in groups if asked.large or not group.large or group.key in names]


def built(asked):
    """The command of our own side."""
    if asked.side:
        return [asked.side]
    cargo = os.environ.get("CARGO", "cargo")
    more = ["--features", "cuda"] if asked.device != "cpu" else []
    command = [
        cargo,
        "bench",
        "--locked",
        "--bench",
        "side",
        "--no-run",
        "--message-format",
        "json",
        *more,
    ]
    made = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    told = [json.loads(line) for line in made.stdout.splitlines() if line.startswith("{")]
    return [one["executable"] for one in told if one.get("executable")][-1:]


def main():
    asked = arguments()
    groups, threads = chosen(asked), [int(n) for n in asked.threads.split(",")]
    if asked.list:
        for group in groups:
            print(
                f"{group.key:14} {group.title} against {group.against}: {', '.join(r.name for r in group.rows)}"
            )
        return
    asked.work.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        side=built(asked),
        python=shutil.which(asked.python) or asked.python,
        work=asked.work.absolute(),
        real=asked.real and Path(asked.real).absolute(),
        sound=asked.sound and Path(asked.sound).absolute(),
        pairs=asked.pairs or (3 if asked.quick else 5),
        seconds=asked.seconds or (0.5 if asked.quick else 1.0),
        device=asked.device,
        # what counts more than the settings of a group
        more={} if asked.device == "cpu" else {"dtype": "bf16", "compute": "bf16", "compile": True},
        speech_s=44 if asked.quick else 176,
    )
    outcomes, found = measured(groups, threads, settings, asked.quick)
    if asked.json:
        asked.json.write_text(json.dumps(report.as_json(outcomes), indent=1, default=str))
    print(header(settings, outcomes))
    print(
        f"\nLimits of this machine in this run: {report.limits(found, settings.more.get('dtype', 'f32'))}.\n"
        if found
        else ""
    )
    print(report.table(outcomes))


def header(settings, outcomes):
    abouts = sorted({one.about for one in outcomes if one.about})
    parts = [machine.describe(), f"{settings.pairs} pairs", *abouts]
    return f"- {'; '.join(parts)}\n- Load average now: {' '.join(machine.text('/proc/loadavg').split()[:3]) or 'unknown'}"


def measured(groups, threads, settings, quick):
    """The outcomes of all rows, and the limits. With `quick`, rows that do not begin in time are skipped."""
    place = Places(settings)
    for group in groups:
        try:
            for name in group.needs:
                place(name)
        except Refused:
            pass  # its rows say so
    outcomes, found = [], {}
    settings.until = time.monotonic() + QUICK_S * 0.8 if quick else None
    for count in threads:
        names = {group.limit for group in groups if any(row.work for row in group.rows)}
        found |= limits(settings, count, sorted(names))
        for group in groups:
            if settings.device == "cpu" and count not in group.threads:
                continue
            if settings.until and time.monotonic() > settings.until:
                why = "no time was left"
                outcomes += [Outcome(group, row, count, skipped=why) for row in group.rows]
                continue
            print(f"… {group.title} against {group.against}, {count} threads", file=sys.stderr)
            outcomes += rows_of(group, count, settings, found)
    return outcomes, found


if __name__ == "__main__":
    main()
