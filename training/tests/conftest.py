"""Shared by the tests: the modules of training/, and some days."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True

SEEDS = range(40)


@pytest.fixture(scope="session")
def days_made():
    """Days of different lengths, which no training and no figure uses."""
    import days

    return [days.make_day(700_000 + seed, 60 + 20 * (seed % 5)) for seed in SEEDS]
