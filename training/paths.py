"""The folders of the trainings' files."""

import os

TRAINING = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TRAINING)
TEXTS = os.path.join(TRAINING, "texts")


def work(name):
    """The folder of a training's own files: caches, tokenizers, the state to resume from."""
    return os.path.join(TRAINING, "work", name)


def curve(name):
    """The CSV file of a training's figures over time."""
    return os.path.join(TRAINING, "curves", f"{name}.csv")


def shipped(name):
    """The folder of a model of the starter cast."""
    return os.path.join(ROOT, "agents", "starter", name)
