"""Makes the checkpoints of the self-tests in src/models/golden: the texts of a small fixture, and the names and shapes of its tensors.

The values of the tensors follow from their names (src/models/golden.rs), so no weights are stored. The expected numbers are computed by
the program itself on a CPU in f32: ELENCHUS_RECORD=1 cargo test --lib golden. That the families compute what transformers computes, the
parity tests show; a self-test shows that a device computes what the CPU does.

Usage: python tests/parity/make_golden.py
"""

import json
import struct
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"
OUT = Path(__file__).parents[2] / "src/models/golden"

# The family, and the fixture that it begins with.
FAMILIES = {
    "clip": "clip-gelu",
    "siglip": "siglip-gemma",
    "clap": "clap-plain",
    "owlv2": "owlv2-plain",
    "decoder-embedder": "embed-qwen3",
    "qwen3-reranker": "rerank-qwen3-head",
    "llama": "lm-tied",
    "qwen3_vl": "qwen3vl-plain",
    "smolvlm": "smolvlm-whole",
    "whisper": "whisper-multi",
    "parakeet_tdt": "parakeet-plain",
    "bert": "bert-mean",
    "roberta": "embed-roberta",
    "xlm-roberta": "embed-xlmr",
    "modernbert": "embed-modern",
    "cross-encoder": "head-bert-pair",
    "entailment": "head-bert-nli",
    "text-classifier": "head-bert-labels",
    "vit": "vit-square",
    "convnext": "convnext-whole",
    "resnet": "resnet-early",
    "mobilenet_v2": "mobilenet-plain",
    "efficientnet_lite": "efficientnet-plain1",
}
# Files of a fixture that are no part of its checkpoint.
OTHERS = {"expected.json", "shapes.json", "model.safetensors.index.json"}


def header(path):
    """The names and shapes of the tensors of numbers with a fraction in a safetensors file. No family reads others."""
    with path.open("rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        tensors = json.loads(file.read(length))
    tensors.pop("__metadata__", None)
    return {name: tensor["shape"] for name, tensor in tensors.items() if "F" in tensor["dtype"]}


def main():
    OUT.mkdir(exist_ok=True)
    for family, fixture in FAMILIES.items():
        folder, files, tensors = FIXTURES / fixture, {}, {}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.suffix == ".safetensors":
                tensors |= header(path)
            elif path.is_file() and name not in OTHERS:
                files[name] = path.read_text()
        if (folder / "shapes.json").exists():
            tensors = json.loads((folder / "shapes.json").read_text())
        made = {"files": files, "tensors": dict(sorted(tensors.items()))}
        (OUT / f"{family}.json").write_text(
            json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n"
        )


if __name__ == "__main__":
    main()
