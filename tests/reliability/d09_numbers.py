"""D9: false numbers in a checkpoint: configurations, safetensors headers and values, GGUF headers."""

import json
import os
import random
import shutil
import struct
import time

from attack import ROOT
from d06_files import GGUF, STARTER, copy, refused, silence

FIXTURES = ROOT / "tests/parity/fixtures"
ODD = ["x", "", [], {}, True, -3, 0.5, 1 << 32, 1 << 63, 10**9, 1e308]
# Time limit in seconds for the part that changes every number of every file. A line says how many were tried. `ELENCHUS_SECONDS=600`
# is enough for all of them.
SECONDS = float(os.environ.get("ELENCHUS_SECONDS", "30"))


def attacks(section):
    silence(section.scratch / "silence.wav")
    weights(section)
    headers(section)
    gguf(section)
    numbers(section)


ASK = {
    "lm": ["--prompt", "a", "--max-tokens", "2"],
    "clip": ["--text", "a", "--among", "b,c"],
    "whisper": ["--audio", "silence.wav"],
}
# The same families in folders of a few hundred kilobytes.
SMALL = {
    "lm-tied": ASK["lm"] + ["--raw"],
    "clip-legacy": ASK["clip"],
    "whisper-multi": ASK["whisper"] + ["--language", "en"],
    "bert-mean": ASK["clip"],
}
FILES = [
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer_config.json",
]


def numbers(section):
    """Replaces every number of every file. Many changes are harmless. None may cause a panic, a hang or full memory,
    and an answer never has a NaN."""
    cases = []
    for family in SMALL:
        for name in FILES:
            file = FIXTURES / family / name
            if file.exists():
                found = places(json.loads(file.read_text()))
                cases += [(family, name, place, odd) for place in found for odd in ODD]
    random.Random(9).shuffle(cases)
    begun = time.monotonic()
    for done, (family, name, place, odd) in enumerate(cases):
        if time.monotonic() - begun > SECONDS:
            print(f"    D9: {done} of {len(cases)} changed numbers tried")
            break
        folder, ask = copy(section, FIXTURES / family), SMALL[family]
        config = json.loads((folder / name).read_text())
        put(config, place, odd)
        (folder / name).write_text(json.dumps(config))
        what = f"{family}/{name} {'/'.join(map(str, place))} = {odd!r}"
        result = section.attack(
            what, "try", "--model", folder, *ask, codes=(0, 2, 4), memory=1 << 30, seconds=20
        )
        numbers_only(section, what, result)


def numbers_only(section, what, result):
    """An answer must not have a NaN; an error can name one."""
    if "NaN" in result.out:
        section.hold(what, False, f"answered {result.out[:100]!r}")


def places(value, at=()):
    """The paths to the numbers of a file; of each list, the first two."""
    if isinstance(value, dict):
        return [place for key, inner in value.items() for place in places(inner, (*at, key))]
    if isinstance(value, list):
        return [place for n, inner in enumerate(value[:2]) for place in places(inner, (*at, n))]
    return [at] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def put(value, place, new):
    for key in place[:-1]:
        value = value[key]
    value[place[-1]] = new


def weights(section):
    """Values that are not finite, other types, and headers that do not match the bytes."""
    tensors = {
        "lm": [
            "model.embed_tokens.weight",
            "model.norm.weight",
            "model.layers.0.self_attn.q_proj.weight",
        ],
        "clip": ["logit_scale", "text_model.final_layer_norm.weight"],
        "whisper": ["model.encoder.conv1.weight", "model.decoder.layer_norm.bias"],
    }
    for family, names in tensors.items():
        header, data = read(STARTER / family / "model.safetensors")
        for tensor in [name for name in names if name in header]:
            start, end = header[tensor]["data_offsets"]
            for what, value in (("NaN", 0x7E00), ("inf", 0x7C00), ("-inf", 0xFC00)):
                changed = data[: end - 2] + struct.pack("<H", value) + data[end:]
                folder = copy(section, STARTER / family)
                write(folder / "model.safetensors", header, changed)
                refused(
                    section,
                    f"{family} {tensor} holds {what}",
                    folder,
                    ASK[family],
                    err="which f(16|32) cannot represent",
                )
            for dtype in ("I16", "U16", "I8", "U8", "BOOL", "F8_E4M3"):
                odd = dict(header[tensor], dtype=dtype)
                if dtype not in ("I16", "U16"):
                    odd["shape"] = (
                        odd["shape"][:-1] + [2 * odd["shape"][-1]] if odd["shape"] else [2]
                    )
                write(folder / "model.safetensors", {**header, tensor: odd}, data)
                refused(section, f"{family} {tensor} is {dtype}", folder, ASK[family])
            write(
                folder / "model.safetensors",
                {k: v for k, v in header.items() if k != tensor} | {"x": header[tensor]},
                data,
            )
            refused(
                section,
                f"{family} {tensor} is missing",
                folder,
                ASK[family],
                err="the weights lack the tensor",
            )


def headers(section):
    """Headers of safetensors files, whole and damaged."""
    source = STARTER / "clip/model.safetensors"
    header, data = read(source)
    whole = source.read_bytes()
    size = struct.unpack("<Q", whole[:8])[0]
    folder = copy(section, STARTER / "clip")
    cases = {
        f"cut at {at}": whole[:at]
        for at in (0, 4, 8, 100, size, size + 8, size + 9, len(whole) - 1)
    }
    cases["longer"] = whole + b"x"
    for length in (1, size - 1, size + 1, len(whole), 1 << 40, (1 << 64) - 1):
        cases[f"header of {length}"] = struct.pack("<Q", length) + whole[8:]
    tensor = "text_model.final_layer_norm.weight"
    for what, change in {
        "shape": {"shape": [1 << 62, 4]},
        "shape 0": {"shape": [0]},
        "offsets": {"data_offsets": [0, 1 << 62]},
        "backwards": {"data_offsets": [100, 10]},
        "type": {"dtype": "F99"},
        "text": {"shape": "x"},
        "negative": {"shape": [-1]},
    }.items():
        cases[what] = joined({**header, tensor: {**header[tensor], **change}}, data)
    cases["nested"] = joined(None, data, b'{"a":' * 50000)
    chance = random.Random(6)
    for n in range(60):
        bits = bytearray(whole)
        at = chance.randrange(size + 8)
        bits[at] ^= 1 << chance.randrange(8)
        cases[f"bit {n} at {at}"] = bytes(bits)
    for what, content in cases.items():
        (folder / "model.safetensors").write_bytes(content)
        codes = (0, 4) if what.startswith("bit") else (4,)
        section.attack(
            f"safetensors: {what}",
            "try",
            "--model",
            folder,
            *ASK["clip"],
            codes=codes,
            memory=1 << 30,
            seconds=20,
            never=("NaN",),
        )


def read(file):
    content = file.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def write(file, header, data):
    file.write_bytes(joined(header, data))


def joined(header, data, text=None):
    text = json.dumps(header).encode() if text is None else text
    return struct.pack("<Q", len(text)) + text + data


def gguf(section):
    """GGUF files with changed values, types, counts and bits."""
    whole = (GGUF / "model.gguf").read_bytes()
    folder = section.folder("g")
    ask = ["--prompt", "a", "--raw", "--max-tokens", "2"]

    def attack(what, content, codes=(0, 2, 4)):  # 2: the prompt exceeds a context of 1 token
        file = folder / "model.gguf"
        file.write_bytes(content)
        result = section.attack(
            f"gguf: {what}", "try", "--model", file, *ask, codes=codes, memory=1 << 30, seconds=20
        )
        numbers_only(section, what, result)

    for version in (0, 4, 1 << 31):
        attack(f"version {version}", whole[:4] + struct.pack("<I", version) + whole[8:], (4,))
    for field in (8, 16):
        for count in (0, 1, 1 << 32, 1 << 63, (1 << 64) - 1):
            attack(
                f"count {count} at {field}",
                whole[:field] + struct.pack("<Q", count) + whole[field + 8 :],
                (4,),
            )
    for at in (0, 3, 7, 20, 100, 1000, 20000, len(whole) - 1):
        attack(f"cut at {at}", whole[:at], (4,))
    alignment = struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<II", 4, 0)
    count = struct.unpack("<Q", whole[16:24])[0]
    attack("alignment 0", whole[:16] + struct.pack("<Q", count + 1) + alignment + whole[24:], (4,))
    keys = [
        b"llama.embedding_length",
        b"llama.attention.head_count",
        b"llama.feed_forward_length",
        b"llama.block_count",
        b"llama.context_length",
        b"llama.rope.freq_base",
        b"llama.attention.layer_norm_rms_epsilon",
        b"tokenizer.ggml.eos_token_id",
        b"tokenizer.ggml.tokens",
        b"tokenizer.ggml.merges",
    ]
    for key in keys:
        named = struct.pack("<Q", len(key)) + key
        at = whole.find(named) + len(named)
        if at < len(named):
            continue
        for kind in (0, 6, 7, 8, 9, 12, 13, 1 << 30):
            attack(
                f"{key.decode()} of type {kind}",
                whole[:at] + struct.pack("<I", kind) + whole[at + 4 :],
            )
        for value in (0, 1, 0x7FC00000, (1 << 32) - 1):
            attack(
                f"{key.decode()} is {value:x}",
                whole[: at + 4] + struct.pack("<I", value) + whole[at + 8 :],
            )
    chance = random.Random(7)
    for n in range(100):
        bits = bytearray(whole)
        at = chance.randrange(24, 30000)
        bits[at] ^= 1 << chance.randrange(8)
        attack(f"bit {n} at {at}", bytes(bits))
    scales(section)


def scales(section):
    """Values of quantised and floating tensors that are not finite: 0x7fc0 is NaN as a half and as part of a float."""
    folder = section.folder("q")
    for name in ("gguf-q8", "gguf-q4k"):
        shutil.copy(FIXTURES / name / "model.gguf", folder / "model.gguf")
        whole = (folder / "model.gguf").read_bytes()
        for at in range(len(whole) - 6000, len(whole) - 2, 500):
            changed = whole[:at] + struct.pack("<H", 0x7FC0) * 200 + whole[at + 400 :]
            (folder / "model.gguf").write_bytes(changed)
            ask = ["--prompt", "a", "--raw", "--max-tokens", "2"]
            section.attack(
                f"{name}: NaN at {at}",
                "try",
                "--model",
                folder / "model.gguf",
                *ask,
                codes=(4,),
                memory=1 << 30,
                err="not finite|logits",
            )
