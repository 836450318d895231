"""The machine: its cores, their names, how busy other processes keep them, and the sides as pinned processes."""

import contextlib
import json
import os
import platform
import re
import subprocess
import threading
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
THREADS = """RAYON_NUM_THREADS CANDLE_NUM_THREADS OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS""".split()


def text(path):
    """The text of a file of the kernel; empty where there is none."""
    with contextlib.suppress(OSError):
        return Path(path).read_text()
    return ""


def cores():
    """The cores that this process may use, one of each pair of hyperthreads first, the last core first."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    allowed = sorted(os.sched_getaffinity(0), reverse=True)
    siblings = {}
    for core in allowed:
        listed = text(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").strip()
        siblings.setdefault(listed or str(core), []).append(core)
    return [own[0] for own in siblings.values()] + [
        core for own in siblings.values() for core in own[1:]
    ]


def simd():
    """The tier of SIMD instructions that decides the kernels."""
    listed = re.search(r"^(?:flags|Features)\s*:(.*)$", text("/proc/cpuinfo"), re.M)
    flags = set(listed.group(1).split()) if listed else set()
    tiers = [
        ("AMX", {"amx_int8"}),
        ("AVX-512 VNNI", {"avx512f", "avx512_vnni"}),
        ("AVX-512", {"avx512f"}),
        ("AVX-VNNI", {"avx_vnni"}),
        ("AVX2", {"avx2"}),
        ("dot products", {"asimddp"}),
        ("NEON", {"asimd"}),
    ]
    return next((name for name, needed in tiers if needed <= flags), "unknown")


def describe():
    """One line about the machine."""
    model = re.search(r"^model name\s*:\s*(.*)$", text("/proc/cpuinfo"), re.M)
    name = model.group(1) if model else platform.processor() or platform.machine()
    memory = re.search(r"MemTotal:\s*(\d+)", text("/proc/meminfo"))
    size = f", {int(memory.group(1)) / 2**20:.0f} GiB of memory" if memory else ""
    return f"{name}, {len(cores()) or os.cpu_count()} cores, {simd()}{size}"


def free_gb():
    """Memory that programs can still get, in gigabytes; none if it is unknown."""
    found = re.search(r"MemAvailable:\s*(\d+)", text("/proc/meminfo"))
    return int(found.group(1)) * 1024 / 1e9 if found else None


def cpu_ticks(pid):
    """Ticks that a process and its ended children computed; none if it is gone."""
    fields = text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) if len(fields) > 14 else None


class Others:
    """How busy all other processes keep the machine's cores, from now on. `own` are the processes of the measurement.

    All ticks of all cores that were not idle (`/proc/stat`, with those that a hypervisor took), less those of the own
    processes. The load average is no use here: it counts the sides themselves, and it lags by minutes.
    """

    def __init__(self, own):
        self.own, self.before, self.begun = own, self.ticks(own), time.monotonic()

    @staticmethod
    def ticks(own):
        first = text("/proc/stat").partition("\n")[0].split()
        if first[:1] != ["cpu"]:
            return None
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, first[1:9])
        mine = sum(cpu_ticks(pid) or 0 for pid in [os.getpid(), *own])
        return user + nice + system + irq + softirq + steal - mine

    def busy(self):
        """Cores, on average since the beginning; none where the kernel does not tell."""
        now = self.ticks(self.own)
        if now is None or self.before is None:
            return None
        return max(0.0, (now - self.before) / TICKS / (time.monotonic() - self.begun))


class Failed(Exception):
    """A side could not do what it was asked."""


class Refused(Failed):
    """A side cannot do this work here: the row is skipped with its reason."""


class Side:
    """A long-lived process that loads a model once and then does its work when it is asked."""

    def __init__(self, command, threads, log):
        own = cores()[:threads]
        environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
        pin = (lambda: os.sched_setaffinity(0, own)) if own else None
        self.log = log
        with open(log, "a") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
                preexec_fn=pin,
            )
        self.pid = self.process.pid

    def ask(self, asked, limit_s=600):
        """The answer to one request. Fails after `limit_s` seconds."""
        watch = threading.Timer(limit_s, self.process.kill)
        watch.start()
        try:
            self.process.stdin.write(json.dumps(asked) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            said = text(self.log).strip().splitlines()
            raise Failed(f"it ended: {said[-1] if said else 'without a word'}")
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(answer["refused"])
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def close(self):
        """Ends the process; its model is freed."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
