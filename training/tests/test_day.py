"""A day is reproducible, byte for byte."""

import hashlib
import os
import shutil
import subprocess
import sys

import pytest

WORLD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "world.py")
# The log and the questions of seed 777 at 10 seconds, which depend on no tool.
LOG = "cfb21846daa3bc80e14a553935b56dbaa6f69e2e540bef3bd5cd1214b2070c23"
CASES = "e5062d7184b756d9f8fc29edecaafafb6dd9489367682f0498aa50e1b9359988"


def digests(folder):
    """{file: SHA-256 of its bytes}"""
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


def rendered(folder, home, hash_seed):
    """The digests of a day from another process, whose sets have another order, for a new user."""
    home.mkdir()
    command = [sys.executable, "-B", WORLD, "--seed", "777", "--minutes", "0.17", "--out", folder]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "HOME": str(home)},
        capture_output=True,
        text=True,
    )
    if "font is missing" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return digests(folder)


def test_a_day_is_reproducible_byte_for_byte(tmp_path):
    pytest.importorskip("numpy")
    pytest.importorskip("PIL")
    for tool in ("ffmpeg", "espeak-ng"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is missing")
    first = rendered(str(tmp_path / "first"), tmp_path / "home-1", "1")
    assert len(first) == 10 and "day.mp4" in first
    assert first == rendered(str(tmp_path / "second"), tmp_path / "home-2", "2")
    assert (first["log.jsonl"], first["cases.jsonl"]) == (LOG, CASES)
