"""D6: each file of a checkpoint as a device, a pipe, a folder or a file of a petabyte; and tokenizers that grow (D8d)."""

import json
import os
import shutil

from attack import ROOT

STARTER = ROOT / "agents/starter"
GGUF = ROOT / "tests/parity/fixtures/gguf-bpe"
FILES = {
    "lm": [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "generation_config.json",
        "chat_template.jinja",
        "special_tokens_map.json",
        "model.safetensors",
    ],
    "clip": [
        "config.json",
        "tokenizer.json",
        "preprocessor_config.json",
        "processor_config.json",
        "model.safetensors",
    ],
    "whisper": [
        "config.json",
        "generation_config.json",
        "preprocessor_config.json",
        "tokenizer.json",
        "notes.txt",
    ],
}
ASK = {
    "lm": ["--prompt", "a"],
    "clip": ["--text", "a", "--embed"],
    "whisper": ["--audio", "silence.wav"],
}


def attacks(section):
    silence(section.scratch / "silence.wav")
    for family, names in FILES.items():
        for name in names:
            for kind in ("device", "fifo", "folder", "sparse", "endless"):
                folder = copy(section, STARTER / family)
                put(folder / name, kind)
                refused(section, f"{family}/{name} is a {kind}", folder, ASK[family])
    for kind in ("device", "fifo", "folder", "sparse"):
        folder = copy(section, GGUF)
        put(folder / "tokenizer.json", kind)
        refused(
            section,
            f"tokenizer.json beside a GGUF file is a {kind}",
            folder / "model.gguf",
            ["--prompt", "a", "--raw"],
        )
        put(folder / "model.gguf", kind)
        refused(
            section, f"model.gguf is a {kind}", folder / "model.gguf", ["--prompt", "a", "--raw"]
        )
    index(section)
    tokenizers(section)
    project(section)


def refused(section, what, model, ask, **more):
    more.setdefault("err", r"^error: ")
    section.attack(
        what, "try", "--model", model, *ask, codes=(4,), memory=1 << 30, seconds=20, **more
    )


def copy(section, source):
    folder = section.scratch / "m"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    return folder


def put(file, kind):
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    else:
        file.unlink(missing_ok=True)
    if kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "endless":
        file.symlink_to(
            "/proc/self/pagemap"
        )  # a regular file that is never empty, whatever its stated size
    else:
        with open(file, "wb") as sparse:
            for power in (60, 50, 42, 40):  # as large as the file system allows
                try:
                    sparse.truncate(1 << power)
                    break
                except OSError:
                    pass


def silence(file):
    import wave

    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(bytes(32000))


def index(section):
    """Shards outside the folder, missing shards, and shards that are not files."""
    for shard in (
        "../m.safetensors",
        "/etc/passwd",
        "/dev/zero",
        "a/b",
        "",
        ".",
        "..",
        "missing.safetensors",
        "fifo",
        7,
        None,
    ):
        folder = copy(section, STARTER / "lm")
        (folder / "model.safetensors").rename(section.scratch / "m.safetensors")
        os.mkfifo(folder / "fifo")
        (folder / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"a": shard}})
        )
        refused(section, f"a shard {shard!r}", folder, ASK["lm"])
    for text in ("", "[]", "{}", '{"weight_map": 1}', '{"weight_map": {}}', "[" * 100000):
        (folder / "model.safetensors.index.json").write_text(text)
        refused(section, f"an index {text[:20]!r}", folder, ASK["lm"])


def tokenizers(section):
    """Tokenizer parts that lengthen a text (D8d)."""
    double = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 100}
    empty = {"type": "Replace", "pattern": {"Regex": "x*"}, "content": "a" * 1000000}
    byte = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False}
    text, special = (
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "s", "type_id": 0}},
    )
    pair = [text, {"Sequence": {"id": "B", "type_id": 1}}]

    def template(single, ids):
        known = {"s": {"id": "s", "ids": [0] * ids, "tokens": ["a"] * ids}}
        return {
            "type": "TemplateProcessing",
            "single": single,
            "pair": pair,
            "special_tokens": known,
        }

    def sequence(key, parts):
        return {"type": "Sequence", key: parts}

    cases = {
        "eight times a hundred": {"normalizer": sequence("normalizers", [double] * 8)},
        "nested sequences": {
            "normalizer": sequence("normalizers", [sequence("normalizers", [double] * 4)] * 2)
        },
        "before every byte": {"normalizer": sequence("normalizers", [empty] * 3)},
        "a long prefix": {
            "normalizer": sequence("normalizers", [{"type": "Prepend", "prepend": "a" * 30000000}])
        },
        "byte-level normalizers": {
            "normalizer": sequence("normalizers", [{"type": "ByteLevel"}] * 40)
        },
        "a trie of 4 GB": {
            "normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////wAAAAA="}
        },
        "byte-level pre-tokenizers": {"pre_tokenizer": sequence("pretokenizers", [byte] * 30)},
        "pieces of length 0": {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
        "a text many times": {"post_processor": template([text] * 100000, 1)},
        "many special tokens": {"post_processor": template([special] * 1000 + [text], 10000)},
        "templates in a row": {
            "post_processor": sequence("processors", [template([text] * 4, 1)] * 10)
        },
        "decoders": {"decoder": sequence("decoders", [double] * 8)},
        "a decoder before every byte": {"decoder": sequence("decoders", [empty] * 2)},
    }
    for what, parts in cases.items():
        folder = copy(section, STARTER / "lm")
        file = json.loads((folder / "tokenizer.json").read_text())
        (folder / "tokenizer.json").write_text(json.dumps({**file, **parts}))
        refused(section, f"tokenizer: {what}", folder, ["--prompt", "aé" * 1000])
    folder = copy(section, STARTER / "lm")
    file = json.loads((folder / "tokenizer.json").read_text())
    file["model"]["vocab"]["b" * 1000000] = 3200
    (folder / "tokenizer.json").write_text(json.dumps(file))
    refused(section, "tokenizer: a token of a megabyte", folder, ["--prompt", "a"])
    for cut in range(0, 200000, 25000):
        folder = copy(section, STARTER / "lm")
        text = (folder / "tokenizer.json").read_text()
        (folder / "tokenizer.json").write_text(text[:cut])
        refused(section, f"tokenizer cut at {cut}", folder, ["--prompt", "a"])


def project(section):
    """The same files in commands that only look names up: `check` and `models list` read `config.json` too."""
    folder = copy(section, STARTER / "lm")
    put(folder / "config.json", "device")
    agents = section.folder("p/agents")
    (agents / "odd.yaml").write_text(f"model: {{ path: {folder} }}\n")
    dialogue = section.scratch / "p/d.yaml"
    dialogue.write_text(
        "version: 1\ndialogue: d\ncast: { m: odd }\nsteps:\n  a:\n    say: { agent: m, prompt: hi }\nanswer: '{{ a }}'\n"
    )
    section.attack(
        "check with a config.json that never ends",
        "check",
        dialogue,
        codes=(0, 2, 4),
        memory=1 << 30,
        cwd=dialogue.parent,
    )
    section.attack(
        "models list with it", "models", "list", codes=(0, 4), memory=1 << 30, cwd=dialogue.parent
    )
