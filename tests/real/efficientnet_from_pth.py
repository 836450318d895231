"""Writes the EfficientNet-Lite0 weights of a .pth file as a checkpoint folder in timm's form (tf_efficientnet_lite0).

    efficientnet_from_pth.py WEIGHTS.pth LABELS.txt TARGET

A .pth file is a pickle, which can run code when it is read. The reader here knows tensors and ordered dictionaries and
refuses every other name. The form is that of torch.save before PyTorch 1.6: four pickles (magic number, protocol,
machine, the tensors' outlines), the list of storages, then per storage its count (i64) and its values.
"""

import collections
import json
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

KINDS = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
BLOCKS = (1, 2, 2, 3, 3, 4, 1)  # of the seven stages
# Names inside a block, of the package and of timm. The first stage does not widen its channels first.
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
LATER = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
OUTER = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}


class Outlines(pickle.Unpickler):
    """Unpickles ordered dictionaries of tensors' outlines: (kind, storage, offset, shape, strides)."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (*storage, offset, shape, strides)
        if module == "torch" and name in KINDS:
            return KINDS[name]
        raise pickle.UnpicklingError(f"found {module}.{name}, expected tensors only")

    def persistent_load(self, key):
        _, kind, storage, _device, _count, _view = key
        return kind, storage


def read(path):
    """The tensors of the file by name."""
    with path.open("rb") as file:
        _magic, _protocol, _machine, outlines, storages = [Outlines(file).load() for _ in range(5)]
        kinds = {storage: kind for kind, storage, *_ in outlines.values()}
        values = {}
        for storage in storages:
            (count,) = struct.unpack("<q", file.read(8))
            values[storage] = np.frombuffer(
                file.read(count * kinds[storage].itemsize), kinds[storage]
            )
    found = {}
    for name, (kind, storage, offset, shape, strides) in outlines.items():
        steps = [step * kind.itemsize for step in strides]
        found[name] = np.lib.stride_tricks.as_strided(values[storage][offset:], shape, steps)
    return found


def timm_name(name):
    """timm's name of a tensor of the package."""
    first, rest = name.split(".", 1)
    if first != "_blocks":
        return f"{OUTER[first]}.{rest}"
    number, inner, rest = rest.split(".", 2)
    stage, block = 0, int(number)
    while block >= BLOCKS[stage]:
        block -= BLOCKS[stage]
        stage += 1
    return f"blocks.{stage}.{block}.{(LATER if stage else FIRST)[inner]}.{rest}"


def main():
    weights, labels, target = map(Path, sys.argv[1:])
    target.mkdir(parents=True)
    # Counters of training steps are not weights.
    found = {
        timm_name(name): value
        for name, value in read(weights).items()
        if not name.endswith("num_batches_tracked")
    }
    names = labels.read_text().splitlines()
    config = {
        "architecture": "tf_efficientnet_lite0",
        "num_classes": len(names),
        "num_features": found["classifier.weight"].shape[1],
        "label_names": names,
        "pretrained_cfg": {
            "tag": "in1k",
            "license": "apache-2.0",
            "input_size": [3, 224, 224],
            "interpolation": "bicubic",
            "crop_pct": 0.875,
            "crop_mode": "center",
            "mean": [127 / 255] * 3,
            "std": [128 / 255] * 3,
            "first_conv": "conv_stem",
            "classifier": "classifier",
        },
    }
    (target / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save_file(
        {name: np.ascontiguousarray(value) for name, value in found.items()},
        target / "model.safetensors",
        {"format": "pt"},
    )


main()
