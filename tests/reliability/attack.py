"""The harness of the attacks: runs the program within limits and counts the attacks that succeed.

A section is a file `dNN_name.py` beside this one with a function `attacks(section)`. Each attack is one call of
`section.attack(...)`. Every attack fails, besides its own conditions, if the program panics, dies by a signal that
nobody sent, exceeds its time or memory limit, or prints more than one `error:` line.
"""

import importlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GIB = 1 << 30


@dataclass
class Result:
    """The result of one run of the program."""

    code: int | None  # None: the run exceeded its time limit and was killed
    out: str
    err: str
    seconds: float
    peak_bytes: int


class Section:
    """One section of the review: a scratch folder, and a count of attacks."""

    def __init__(self, name, scratch):
        self.name, self.scratch = name, Path(scratch)
        self.tried, self.failures = 0, []
        self.home = self.folder("home")

    def folder(self, name):
        """An empty folder of this section."""
        path = self.scratch / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def environment(self, **more):
        """A separate user: home, configuration and cache lie in the scratch folder."""
        keep = {
            key: value
            for key, value in os.environ.items()
            if key in ("PATH", "LANG", "LD_LIBRARY_PATH")
        }
        home = {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": f"{self.home}/.config",
            "XDG_CACHE_HOME": f"{self.home}/.cache",
        }
        return {**keep, **home, "NO_COLOR": "1", **{key: str(value) for key, value in more.items()}}

    def run(
        self,
        *args,
        cwd=None,
        env=None,
        stdin=b"",
        seconds=30,
        stdout=None,
        stderr=None,
        program=None,
        signals=(),
    ):
        """Runs the program to its end, or for `seconds`. `stdout` and `stderr` can be open files. `signals` are pairs
        of seconds after the start and a signal, in order."""
        command = [
            program or os.environ["ELENCHUS"],
            *map(os.fsencode, map(os.fspath, map(_text, args))),
        ]
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            tempfile.TemporaryFile() as inn,
        ):
            inn.write(stdin)
            inn.seek(0)
            begun = time.monotonic()
            child = subprocess.Popen(
                command,
                cwd=cwd or self.scratch,
                env=env or self.environment(),
                stdin=inn,
                stdout=stdout or out,
                stderr=stderr or err,
                start_new_session=True,
            )
            code, peak = _wait(
                child, begun + seconds, [(begun + at, number) for at, number in signals]
            )
            out.seek(0)
            err.seek(0)
            texts = [file.read(1 << 24).decode(errors="replace") for file in (out, err)]
            return Result(code, *texts, time.monotonic() - begun, peak)

    def attack(
        self,
        what,
        *args,
        codes=(0,),
        out=None,
        err=None,
        never=(),
        memory=2 * GIB,
        seconds=30,
        **options,
    ):
        """One attack. `codes` are the right exit codes, `out` and `err` patterns that must occur, `never` patterns that
        must not occur in either output. Returns the result for further checks with `hold`."""
        result = self.run(*args, seconds=seconds, **options)
        wrong = []
        if result.code is None:
            wrong.append(f"did not end within {seconds} s")
        elif result.code not in codes:
            wrong.append(f"exit code {result.code}, expected {' or '.join(map(str, codes))}")
        if "panicked" in result.err or "overflowed its stack" in result.err:
            wrong.append("panicked")
        if result.peak_bytes > memory:
            wrong.append(f"took {result.peak_bytes / GIB:.1f} GiB")
        if len(re.findall(r"^error:", result.err, re.M)) > 1:
            wrong.append("more than one error line")
        wrong += [f"no `{out}` on stdout"] if out and not re.search(out, result.out) else []
        wrong += [f"no `{err}` on stderr"] if err and not re.search(err, result.err) else []
        wrong += [
            f"`{bad}` was printed" for bad in never if re.search(bad, result.out + result.err)
        ]
        self._count(what, wrong, result)
        return result

    def hold(self, what, truth, detail=""):
        """A check without a run: `truth` must hold."""
        self._count(what, [] if truth else [str(detail) or "does not hold"], None)

    def _count(self, what, wrong, result):
        self.tried += 1
        if wrong:
            said = (
                ""
                if result is None
                else f"\n      stdout: {result.out[:300]!r}\n      stderr: {result.err[:600]!r}"
            )
            self.failures.append(f"{self.name} {what}: {'; '.join(wrong)}{said}")


def _text(argument):
    return argument if isinstance(argument, (str, bytes, os.PathLike)) else str(argument)


def _wait(child, until, signals):
    """The exit code (negative: a signal) and the peak of resident memory. Kills the whole group at the limit."""
    while True:
        while signals and time.monotonic() > signals[0][0]:
            os.kill(child.pid, signals.pop(0)[1])
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, usage.ru_maxrss * 1024
        if time.monotonic() > until:
            os.killpg(child.pid, signal.SIGKILL)
            _, _, usage = os.wait4(child.pid, 0)
            child.returncode = -signal.SIGKILL
            return None, usage.ru_maxrss * 1024
        time.sleep(0.005)


def main(wanted):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    names = sorted(path.stem for path in HERE.glob("d[0-9][0-9]_*.py"))
    tried, failures = 0, []
    sys.path.insert(0, str(HERE))
    for stem in names:
        name = "D" + str(int(stem[1:3]))
        if wanted and name not in wanted:
            continue
        with tempfile.TemporaryDirectory(prefix="elenchus-attack-") as scratch:
            section = Section(name, scratch)
            importlib.import_module(stem).attacks(section)
        print(f"{name}: {section.tried} tried, {len(section.failures)} failed", flush=True)
        for failure in section.failures:
            print(f"    {failure}", flush=True)
        tried, failures = tried + section.tried, failures + section.failures
    print(f"all: {tried} tried, {len(failures)} failed")
    return 1 if failures or not tried else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
