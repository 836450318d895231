"""The rows: what is compared with what, on which weights, and which changes of the code touch them. Plain tables."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
STARTER = ROOT / "agents/starter/clip"
# 64 words that are tokens of BERT's vocabulary
WORDS = """the kitchen table keys door window water cup tea coffee bread milk book paper phone light street car bus
train park tree dog cat bird house room chair bed floor wall hand face man woman child people morning evening night
day time walk run open close put take find look see hear read write cook eat drink wash clean talk call work home shop
""".split()


@dataclass(frozen=True)
class Row:
    """One work, done in the same way by both sides."""

    name: str
    # what a side is asked to do in its turns; `theirs` differs for comparisons of elenchus with itself
    asked: dict
    theirs: dict | None = None
    # floating-point operations, or bytes read, of one unit
    work: float | None = None
    # what --quick asks of both sides instead, where a turn would take long
    quick: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Rows that share a loaded model on each side."""

    key: str
    title: str
    against: str
    opponent: str
    unit: str
    # gives what each side loads: (ours, theirs)
    load: Callable
    rows: tuple
    # the least ratio that was asked for; the share of the limit that also counts
    asked: float = 1.0
    share: float | None = None
    # the limit that `work` of a row counts against
    limit: str = "product"
    threads: tuple = (1, 2)
    # the work is long: each turn does it once, without a call to warm up
    long: bool = False
    # gigabytes of free memory that both sides need; large groups run only if asked for
    memory_gb: float = 2
    large: bool = False
    # this work can be done on a GPU by both sides, in bf16
    gpu: bool = True
    # names of weights that are made before
    needs: tuple = field(default=())


def vision_operations(config, pooled=False):
    """Operations of an image tower for one picture: its matrix products, two for each multiply-add."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    patch, patches = config["patch_size"], (config["image_size"] // config["patch_size"]) ** 2
    tokens = patches if pooled else patches + 1
    made = config["num_hidden_layers"] * layer_operations(width, inner, tokens)
    head = 2 * tokens * 2 * width * width + 4 * width * (width + inner) if pooled else 0
    return made + head + 2 * patches * 3 * patch**2 * width


def layer_operations(width, inner, tokens):
    """Operations of one layer: four projections, two of the feed-forward part, and attention."""
    return 2 * tokens * (4 * width * width + 2 * width * inner) + 4 * tokens * tokens * width


def batches(*sizes, work=None, **more):
    """A row for each batch size."""
    return tuple(Row(f"batch {size}", {"batch": size, **more}, work=work) for size in sizes)


STARTER_OPERATIONS = vision_operations(
    json.loads((STARTER / "config.json").read_text())["vision_config"]
)
BASE = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "image_size": 224}
CLIP_OPERATIONS = vision_operations({**BASE, "patch_size": 32})
SIGLIP_OPERATIONS = vision_operations({**BASE, "patch_size": 16}, pooled=True)
# 30 words and two special tokens
TEXT_OPERATIONS = 6 * layer_operations(384, 1536, 32)
# the weights of the random decoder in Q8_0, which a token of a reply reads once
LLAMA_BYTES = 0.8e9 * 8.5 / 8


def pictures(folder, side, **ours):
    """Loads an image tower on both sides."""

    def load(place):
        loaded = {"work": "pictures", "path": str(place(folder)), "side": side}
        return {**loaded, **ours}, loaded

    return load


def texts(opponent):
    """Loads a text encoder on both sides."""

    def load(place):
        loaded = {"work": "texts", "path": str(place("all-MiniLM-L6-v2")), "words": WORDS}
        exported = place("onnx") / "model.onnx" if opponent == "onnx_runtime" else ""
        return loaded, {**loaded, "exported": str(exported)}

    return load


def speech(ours, theirs):
    """Loads a speech model on both sides, which compute in these formats."""

    def load(place):
        loaded = {
            "work": "sound",
            "path": str(place("whisper-tiny.en")),
            "sound": str(place("sound")),
        }
        return (
            {**loaded, "dtype": ours},
            {**loaded, "compute": theirs, "converted": str(place("ctranslate"))},
        )

    return load


def tokens(place):
    """Loads the random decoder on both sides."""
    loaded = {"work": "tokens", "path": str(place("llama") / "model.gguf")}
    return loaded, loaded


def look(place):
    """Loads the random Qwen3-VL on both sides, in bf16."""
    loaded = {"work": "look", "path": str(place("qwen3_vl")), "side": 448, "dtype": "bf16"}
    return loaded, loaded


def prepare(place):
    """Loads the settings of CLIP's image processor."""
    loaded = {"work": "prepare", "path": str(place("clip")), "side": 224}
    return loaded, loaded


F32, INT8 = "PyTorch f32", "int8, PyTorch f32"
ONE = {"prompt": 16, "reply": 64, "together": 1}
# short prompts: reading them is no part of writing
SHORT, EIGHT = ({"prompt": 2, "reply": 64, "together": count} for count in (1, 8))
SENTENCES = (
    *batches(1, 32, words=30, work=TEXT_OPERATIONS),
    Row("batch 32, 6 to 35 words", {"batch": 32, "words": 0}),
)
# fmt: off
GROUPS = [
    Group("starter", "starter-clip", F32, "pytorch", "pictures", pictures(STARTER, 64),
          batches(1, 8, 32, work=STARTER_OPERATIONS), 1.2, 0.9),
    Group("clip", "CLIP ViT-B/32", F32, "pytorch", "pictures", pictures("clip", 224),
          batches(1, 8, 32, work=CLIP_OPERATIONS), 1.2, 0.9, needs=("clip",)),
    Group("clip-int8", "CLIP ViT-B/32", INT8, "pytorch", "pictures", pictures("clip", 224, dtype="int8"),
          batches(1, 8, 32), gpu=False, needs=("clip",)),
    Group("siglip", "SigLIP B/16", F32, "pytorch", "pictures", pictures("siglip", 224),
          batches(1, 8, work=SIGLIP_OPERATIONS), 1.2, 0.9, needs=("siglip",)),
    Group("siglip-int8", "SigLIP B/16", INT8, "pytorch", "pictures", pictures("siglip", 224, dtype="int8"),
          batches(1, 8), gpu=False, needs=("siglip",)),
    Group("minilm", "all-MiniLM-L6-v2", F32, "pytorch", "texts", texts("pytorch"), SENTENCES, 1.2),
    Group("minilm-onnx", "all-MiniLM-L6-v2", "ONNX Runtime f32", "onnx_runtime", "texts", texts("onnx_runtime"),
          SENTENCES, gpu=False, needs=("onnx",)),
    Group("prepare", "resize and normalise 1280×720 to 224×224", "torchvision", "pytorch", "pictures", prepare,
          (Row("each alone", {}),), threads=(1,), gpu=False, needs=("clip",)),
    Group("whisper", "Whisper tiny.en, greedy", "faster-whisper f32", "ctranslate", "s of speech", speech("f32", "f32"),
          (Row("f32", {}),), 1.2, long=True, needs=("ctranslate", "sound")),
    Group("whisper-int8", "Whisper tiny.en, greedy", "faster-whisper int8", "ctranslate", "s of speech",
          speech("int8", "int8"), (Row("int8", {}),), long=True, gpu=False, needs=("ctranslate", "sound")),
    Group("prefill", "Llama 0.8 B Q8_0", "llama.cpp", "llama_cpp_python", "tokens", tokens,
          (Row("prefill 512", {"prompt": 512, "reply": 1, "together": 1}, quick={"prompt": 128}),), 1.3,
          long=True, needs=("llama",)),
    Group("decode", "Llama 0.8 B Q8_0", "llama.cpp", "llama_cpp_python", "tokens", tokens,
          (Row("decode 64 after 16", ONE, work=LLAMA_BYTES, quick={"reply": 16}),), limit="reading",
          long=True, needs=("llama",)),
    Group("together", "Llama 0.8 B Q8_0", "one alone", "elenchus", "tokens", tokens,
          (Row("8 requests together", EIGHT, theirs=SHORT, quick={"reply": 16}),), 3.0, long=True, needs=("llama",)),
    Group("look", "Qwen3-VL 2B, a picture of 448² and 32 tokens", "PyTorch bf16", "pytorch", "answers", look,
          (Row("bf16", {"reply": 32}),), long=True, large=True, memory_gb=14, needs=("qwen3_vl",)),
]
# fmt: on


def on_gpu(groups):
    """The groups that a GPU can do, in bf16; PyTorch is compiled there."""
    names = {F32: "PyTorch bf16, compiled", "PyTorch bf16": "PyTorch bf16, compiled"}
    return [
        replace(
            group,
            against=names.get(group.against, group.against.replace("f32", "bf16")),
            rows=tuple(replace(row, name=row.name.replace("f32", "bf16")) for row in group.rows),
        )
        for group in groups
        if group.gpu
    ]


# Which rows a change below these paths touches. The first column is the start of a path.
ENCODERS = "starter clip clip-int8 siglip siglip-int8 minilm minilm-onnx whisper whisper-int8"
DECODERS = "prefill decode together"
CHANGES = [
    ("src/infer/dense", ENCODERS),
    ("src/infer/linear", f"{ENCODERS} {DECODERS}"),
    ("src/infer/ops", f"{ENCODERS} {DECODERS}"),
    ("src/infer/prenorm", "starter clip clip-int8 siglip siglip-int8"),
    ("src/infer/contrast", "starter clip siglip"),
    ("src/infer/towers", "starter clip siglip"),
    ("src/infer/image", "prepare starter clip"),
    ("src/infer/pictures", "prepare starter clip"),
    ("src/infer/resample", "prepare"),
    ("src/infer/conv", "whisper siglip clip"),
    ("src/infer/audio", "whisper"),
    ("src/infer/voice", "whisper"),
    ("src/infer/text", "minilm"),
    ("src/infer/quantised", DECODERS),
    ("src/infer/decode", DECODERS),
    ("src/infer/worker", DECODERS),
    ("src/infer/writing", DECODERS),
    ("src/infer/prefix", DECODERS),
    ("src/infer/prompts", DECODERS),
    ("src/infer/sampling", DECODERS),
    ("src/infer/rope", DECODERS),
    ("src/infer/gguf", DECODERS),
    ("src/models/clip", "starter clip clip-int8"),
    ("src/models/siglip", "siglip siglip-int8"),
    ("src/models/bert", "minilm minilm-onnx"),
    ("src/models/whisper", "whisper whisper-int8"),
    ("src/models/llama", DECODERS),
    ("src/models/qwen3_vl", "look"),
    ("Cargo", f"{ENCODERS} {DECODERS} prepare"),
    ("benches/side", f"{ENCODERS} {DECODERS} prepare"),
]


def touched(paths):
    """The keys of the rows that changes of these files touch, in the order of `GROUPS`."""
    found = {
        key
        for path in paths
        for start, keys in CHANGES
        if path.startswith(start)
        for key in keys.split()
    }
    return [group.key for group in GROUPS if group.key in found]
