"""The motion of the wearer's head."""

import functools
import math
import random

import vocab

WALKING = (
    "walking the dog",
    "riding a bike",
    "pushing a trolley",
    "sweeping the floor",
    vocab.CARRYING,
)


@functools.lru_cache(maxsize=32)
def _motion(state):
    """The head's phases, and its turns: [(middle in seconds, pixels)], one in two segments."""
    rng = random.Random(f"sway {state.seed}")
    phases = tuple(rng.uniform(0, 6.28) for _ in range(4))
    turns = tuple(
        (rng.uniform(0.8, 8), rng.choice([-1, 1]) * rng.uniform(14, 24))
        for _ in range(rng.choice([0, 0, 1, 1, 2]))
    )
    return phases, turns


def sway(state, t):
    """The head's turn from straight ahead, in pixels."""
    (a, b, c, d), turns = _motion(state)
    walking = 1.6 if state.act in WALKING else 1.0
    turned = sum(by * max(0.0, 1 - ((t - middle) / 0.55) ** 2) ** 2 for middle, by in turns)
    shake = 0.7 * math.sin(13.1 * t + b) + 0.5 * math.sin(19.7 * t + d)
    return (
        5.5 * math.sin(0.9 * t + a) + 2.5 * math.sin(2.3 * t + b) + turned + shake * 0.6,
        3.0 * math.sin(1.1 * t + c) + 1.4 * walking * math.sin(5.5 * t * walking + d) + shake,
    )
