"""The training texts of the language model are the same in every process."""

import os
import subprocess
import sys

import pytest

TRAINING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
# Prints samples of every prompt, and of logs with their questions.
SAMPLES = """
import random
from language import logs, queries, tasks

for name, example in tasks.EXAMPLES.items():
    rng = random.Random(name)
    for _ in range(40):
        print(name, example(rng))
rng = random.Random("logs")
for _ in range(40):
    segments, words = logs.random_log(rng, 20)
    print(segments, queries.random_cases(rng, segments, words, 24))
"""


def samples(hash_seed):
    """The samples of a process whose sets have their own order."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", SAMPLES],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": TRAINING},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_training_texts_do_not_depend_on_the_process():
    pytest.importorskip("jinja2")
    first = samples("1")
    assert len(first) > 300
    assert first == samples("2")
