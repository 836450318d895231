"""A card matches its weights."""

import hashlib
import json
import os
import struct

import pytest

import cards

MODELS = ("clip", "lm", "whisper")


def folder_of(model):
    """The folder of a model of the starter cast."""
    return os.path.join(cards.SHIPPED, model)


@pytest.mark.parametrize("model", MODELS)
def test_a_card_matches_its_weights(model):
    with open(os.path.join(folder_of(model), "model.safetensors"), "rb") as file:
        weights = file.read()
    said = cards.part(os.path.join(folder_of(model), "README.md"), "weights")
    assert hashlib.sha256(weights).hexdigest() in said
    header = json.loads(weights[8 : 8 + struct.unpack("<Q", weights[:8])[0]])
    sizes = [t["shape"] for name, t in header.items() if name != "__metadata__"]
    count = sum(product(shape) for shape in sizes)
    assert f"{count:,} parameters" in said


def product(shape):
    """The number of values in a tensor of that shape."""
    count = 1
    for side in shape:
        count *= side
    return count
