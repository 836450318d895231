"""D17: checkpoints of image classifiers, SigLIP, encoders with heads, sentence embedders, translators and GGUF files: their numbers, tensors,
tokenizers and modules."""

import json
import os
import random
import shutil
import struct
import time

from d06_files import copy
from d09_numbers import FIXTURES, ODD, joined, numbers_only, places, put, read

PICTURE = FIXTURES / "images/odd.png"
SEE = ["--image", PICTURE]
COMPARE = ["--text", "a", "--among", "b,c"]
FAMILIES = {
    "vit-square": SEE,
    "convnext-small": SEE,
    "resnet-basic": SEE,
    "mobilenet-plain": SEE,
    "siglip-spiece": [*SEE, "--among", "b,c"],
    "siglip-gemma": COMPARE,
    "openclip-dict": [*SEE, "--among", "b,c"],
    "head-bert-labels": ["--text", "a"],
    "head-roberta-pair": COMPARE,
    "head-xlmr-nli": COMPARE,
    "embed-bert-dense": COMPARE,
    "embed-roberta": COMPARE,
}
SAY = ["--prompt", "a", "--raw", "--max-tokens", "2"]
# Time limit in seconds for each part that tries many changes. A line says how many were tried.
SECONDS = float(os.environ.get("ELENCHUS_SECONDS", "30"))


def attacks(section):
    labels(section)
    sizes(section)
    modules(section)
    rope(section)
    regexes(section)
    pieces(section)
    special(section)
    gguf_types(section)
    gguf_lists(section)
    translators(section)
    numbers(section)
    tensors(section)


def change(folder, name, **keys):
    file = folder / name
    config = json.loads(file.read_text()) if file.exists() else {}
    for key, value in keys.items():
        put(config, key.split("__"), value)
    file.write_text(json.dumps(config))


def one(section, what, family, codes=(4,), ask=None, **keys):
    """Changes keys of `config.json`."""
    folder = copy(section, FIXTURES / family)
    change(folder, "config.json", **keys)
    attack(section, f"{family} {what}", folder, ask or FAMILIES[family], codes)


def attack(section, what, model, ask, codes=(4,), memory=1 << 30, seconds=20):
    err = r"^error: " if 0 not in codes else None
    result = section.attack(
        what, "try", "--model", model, *ask, codes=codes, memory=memory, seconds=seconds, err=err
    )
    numbers_only(section, what, result)


def rope(section):
    """Rotary variants with odd factors, and configurations that are nested or repeated."""
    odd = [
        0,
        -1,
        1e-300,
        1e300,
        1e39,
        "x",
        None,
        [],
        [1.0],
        [1.0] * 8,
        [0.0] * 8,
        [1e300] * 8,
        [-1.0] * 100_000,
        True,
    ]
    keys = {
        "linear": ["factor"],
        "dynamic": ["factor", "original_max_position_embeddings"],
        "yarn": [
            "factor",
            "beta_fast",
            "beta_slow",
            "original_max_position_embeddings",
            "attention_factor",
            "mscale",
            "mscale_all_dim",
        ],
        "llama3": [
            "factor",
            "low_freq_factor",
            "high_freq_factor",
            "original_max_position_embeddings",
        ],
        "longrope": [
            "factor",
            "short_factor",
            "long_factor",
            "original_max_position_embeddings",
            "attention_factor",
        ],
    }
    usual = {
        "factor": 2.0,
        "original_max_position_embeddings": 16,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "short_factor": [1.0] * 8,
        "long_factor": [2.0] * 8,
    }
    for kind, names in keys.items():
        for name in names:
            for value in odd:
                scaling = {
                    "rope_type": kind,
                    **{key: usual[key] for key in names if key in usual},
                    name: value,
                }
                one(
                    section,
                    f"rope {kind} {name} {value!r:.30}",
                    "lm-tied",
                    (0, 2, 4),
                    SAY,
                    rope_scaling=scaling,
                )
    for scaling in (
        {},
        [],
        5,
        "yarn",
        {"rope_type": "x"},
        {"rope_type": 5},
        {"type": "yarn", "rope_type": "linear"},
    ):
        one(section, f"rope {scaling}", "lm-tied", (0, 4), SAY, rope_scaling=scaling)
    for text in (
        "[" * 100_000,
        '{"a":' * 100_000,
        "",
        "nul",
        '{"model_type": "vit"}',
        "\0",
        "\ufeff{}",
        '{"a":1e999}',
        "9" * 1_000_000,
    ):
        folder = copy(section, FIXTURES / "vit-square")
        (folder / "config.json").write_text(text)
        attack(section, f"config {text[:20]!r}", folder, SEE)


def labels(section):
    """Millions of classes, names of millions of words, and odd lists of names."""
    for family in ("vit-square", "head-bert-labels"):
        for count in (0, -1, 3, 1 << 20, 1 << 24, 1 << 40, 0.5, "x"):
            folder = copy(section, FIXTURES / family)
            config = json.loads((folder / "config.json").read_text())
            config.pop("id2label", None)
            config.pop("label2id", None)
            (folder / "config.json").write_text(json.dumps({**config, "num_labels": count}))
            # one class is a head for pairs, which needs candidates
            codes = (2, 4) if "head" in family else (4,)
            attack(section, f"{family}: {count} classes", folder, FAMILIES[family], codes)
        million = {str(n): "x" for n in range(1 << 20)}
        one(section, "a million names", family, id2label=million)
        words = ",".join(f"{n:x}" for n in range(2_500_000))
        one(section, "a name of 2.5 million words", family, codes=(0, 4), id2label__0=words)
        for odd in ({}, [], {"0": 1}, {"-1": "a"}, {"a": "b"}, "x", 5, {"0": "a", "00": "b"}):
            codes = (2, 4) if "head" in family else (4,)
            one(section, f"names {odd}", family, codes, id2label=odd)


def sizes(section):
    """Settings that are within their range, but whose product needs more memory than any machine has."""
    for part, family in (
        ("vision_config_dict", "openclip-dict"),
        ("vision_config", "siglip-spiece"),
    ):
        many = {f"{part}__image_size": 512, f"{part}__patch_size": 1}
        one(section, "262,144 patches", family, **many)
    siglip(section, 1 << 17)
    for family in ("vit-square", "convnext-small", "resnet-basic", "mobilenet-plain"):
        for size in (
            {"height": 1 << 14, "width": 1 << 14},
            1 << 14,
            {"shortest_edge": 2000},
            0,
            -1,
        ):
            folder = copy(section, FIXTURES / family)
            change(folder, "preprocessor_config.json", size=size)
            # a processor that crops keeps a part of the picture
            codes = (4,) if size in (0, -1) else (0, 4)
            attack(section, f"{family} size {size}", folder, FAMILIES[family], codes, seconds=60)
    one(section, "4096 stages", "convnext-small", hidden_sizes=[8] * 4096, depths=[4096] * 4096)
    one(section, "depths", "resnet-basic", depths=[4096, 4096])
    one(section, "layers", "vit-square", num_hidden_layers=4096)
    for factor in (1e-3, 1e2, 0, -1, 1e300):
        one(section, f"multiplier {factor}", "mobilenet-plain", depth_multiplier=factor)
    long_text(section)


def siglip(section, positions):
    """A text tower whose texts are padded to very many tokens, with weights that fit."""
    folder = copy(section, FIXTURES / "siglip-spiece")
    name = "text_model.embeddings.position_embedding.weight"
    resize(folder / "model.safetensors", name, 0, positions)
    change(folder, "config.json", text_config__max_position_embeddings=positions)
    change(folder, "tokenizer_config.json", model_max_length=positions)
    attack(section, f"siglip with {positions} positions", folder, COMPARE)


def long_text(section):
    """A long text for an encoder that states very many positions: it takes time, but no memory."""
    folder = copy(section, FIXTURES / "embed-bert-dense")
    resize(folder / "model.safetensors", "embeddings.position_embeddings.weight", 0, 1 << 17)
    change(folder, "config.json", max_position_embeddings=1 << 17)
    change(folder, "tokenizer_config.json", model_max_length=1 << 17)
    (folder / "sentence_bert_config.json").unlink()
    ask = ["--text", "a " * 8_000, "--among", "b,c"]
    attack(section, "a text of 8,000 tokens", folder, ask, (0,), seconds=120)


def resize(file, name, axis, size):
    """Gives a tensor another size along an axis, and zeros for numbers."""
    header, data = read(file)
    header.pop("__metadata__", None)
    found = header[name]
    shape = list(found["shape"])
    shape[axis] = size
    count = 1
    for side in shape:
        count *= side
    start = len(data)
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, start + 4 * count]}
    # the old bytes stay as a tensor that nobody reads
    header["unused"] = dict(found)
    file.write_bytes(joined(header, data + bytes(4 * count)))


def modules(section):
    """Lists of modules: paths that leave the folder, very many modules, and odd values."""
    source = FIXTURES / "embed-bert-dense"
    plain = json.loads((source / "modules.json").read_text())

    def listed(what, value, codes=(4,)):
        folder = copy(section, source)
        (folder / "modules.json").write_text(value if isinstance(value, str) else json.dumps(value))
        attack(section, f"modules: {what}", folder, COMPARE, codes)

    for path in ("../m", "/etc", "1_Pooling/../..", "./2_Dense", "2_Dense\0", "x" * 5000, 7, None):
        changed = json.loads(json.dumps(plain))
        changed[2]["path"] = path
        listed(f"path {path!r:.40}", changed)
    dense = {**plain[2], "type": "x.Dense"}
    config = json.loads((source / "2_Dense/config.json").read_text())
    if config["in_features"] == config["out_features"]:
        listed("100,000 dense layers", [*plain[:2], *[dense] * 100_000])
    listed("a million of them", [{"type": "x.Normalize", "path": "3_Normalize"}] * 400_000)
    listed("300,000 missing folders", [{"type": "x.Dropout", "path": "z"}] * 300_000, (0, 4))
    for odd in ("", "{}", "[", "[[]]", "[1]", "[" * 100_000, '[{"type": 5}]'):
        listed(f"{odd!r:.20}", odd, (0, 4))
    for name in ("in_features", "out_features", "activation_function", "bias"):
        for value in ODD:
            folder = copy(section, source)
            change(folder, "2_Dense/config.json", **{name: value})
            attack(section, f"dense {name} {value!r}", folder, COMPARE, (0, 4))


def regexes(section):
    """Regular expressions that take exponential time, and huge ones."""
    patterns = [
        "(a*)*b",
        "(a|a)*b",
        "(a|aa)+$",
        "(.*)*\\1b",
        "(?=(a+))a*b\\1",
        "((a{1,100}){1,100}){1,100}",
        "a{1000000}",
        "(" * 5000,
    ]
    patterns += ["\\p{X}", "[", "(?<!a*)b", "(x+x+)+y", "(?:)", "^|$"]
    for pattern in patterns:
        for key, part in {
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": pattern},
                "behavior": "Isolated",
                "invert": False,
            },
            "normalizer": {"type": "Replace", "pattern": {"Regex": pattern}, "content": "b"},
            "decoder": {"type": "Replace", "pattern": {"Regex": pattern}, "content": "b"},
        }.items():
            folder = copy(section, FIXTURES / "lm-tied")
            change(folder, "tokenizer.json", **{key: part})
            ask = ["--prompt", "a" * 3000 + " x" * 1000, "--raw", "--max-tokens", "2"]
            attack(section, f"{key} {pattern[:20]}", folder, ask, (0, 2, 4))


def pieces(section):
    """SentencePiece files: damaged ones, very many pieces, huge pieces and odd values."""
    source = FIXTURES / "siglip-spiece"
    whole = (source / "spiece.model").read_bytes()

    def spiece(what, content, ask=COMPARE, codes=(4,), more=()):
        folder = copy(section, source)
        with open(folder / "spiece.model", "wb") as file:
            file.write(content)
            write_parts(file, more)
        attack(section, f"spiece: {what}", folder, ask, codes)

    spiece("30 million empty pieces", whole, more=(b"\x0a\x00" * 1_000_000 for _ in range(30)))
    several = (b"\x0a\x09\x0a\x02ab\x15\0\0\0\0" * 100_000 for _ in range(50))
    spiece("5 million pieces", whole, more=several)
    spiece("one piece often", whole + b"\x0a\x0a\x0a\x03abc\x15\0\0\0\0" * 400_000, codes=(0, 4))
    for length in (1100, 20_000, 50_000_000):
        inner = b"\x0a" + varint(length) + b"a" * length + b"\x15\0\0\x80\xbf"
        spiece(f"a piece of {length} bytes", whole + b"\x0a" + varint(len(inner)) + inner)
    inner = b"\x0a" + varint(1000) + b"a" * 1000 + b"\x15\0\0\x80\xbf"
    long = ["--text", "a" * 100_000, "--among", "b,c"]
    spiece(
        "a long piece and a long text", whole + b"\x0a" + varint(len(inner)) + inner, long, (0, 4)
    )
    for cut in range(0, len(whole), 97):
        spiece(f"cut at {cut}", whole[:cut], codes=(0, 4))
    spiece("nested", b"\x1a\xff\xff\xff\xff\x0f" + whole)
    spiece("a length of 2^63", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
    spiece("a number without end", b"\xff" * 1000)
    chance = random.Random(17)
    begun = time.monotonic()
    for n in range(400):
        if time.monotonic() - begun > SECONDS / 2:
            break
        bits = bytearray(whole)
        for _ in range(chance.choice((1, 1, 3))):
            bits[chance.randrange(len(bits))] ^= 1 << chance.randrange(8)
        spiece(f"bits {n}", bytes(bits), codes=(0, 4))


def write_parts(file, parts):
    """Writes a large file in parts: the memory of this program would count as that of the programs that it starts."""
    for part in parts:
        file.write(part)


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def special(section):
    """Special tokens: very many, empty, with odd ids; and the same in `tokenizer.json`."""
    source = FIXTURES / "siglip-spiece"
    long = ["--text", "a" * 30_000, "--among", "b,c"]
    for what, added, codes in (
        ("200,000 special tokens", {str(n): {"content": f"<{n}>"} for n in range(200_000)}, (0, 4)),
        ("the token a, very often", {str(n): {"content": "a"} for n in range(200_000)}, (0, 4)),
        ("an id of a billion", {"1000000000": {"content": "a"}}, (4,)),
        ("an id of 2^32", {str(1 << 32): {"content": "a"}}, (0, 4)),
        ("an empty one", {"1": {"content": ""}}, (0,)),
        ("odd values", {"x": 5, "1": [], "2": {"content": 7}}, (0, 4)),
    ):
        folder = copy(section, source)
        change(folder, "tokenizer_config.json", added_tokens_decoder=added)
        attack(section, f"siglip: {what}", folder, long, codes)
    for family in ("lm-tied", "head-bert-labels", "siglip-gemma"):
        ask = FAMILIES.get(family, SAY)
        for what, added in {
            "300,000 added tokens": [token(f"<{n}>", 5 + n) for n in range(300_000)],
            "an added token of a billion": [token("a", 1_000_000_000)],
            "an empty added token": [token("", 3)],
            "an added token of 15,000 bytes": [token("a" * 15_000, 3)],
            "one added token often": [token("a", 3)] * 50_000,
        }.items():
            folder = copy(section, FIXTURES / family)
            change(folder, "tokenizer.json", added_tokens=added)
            attack(section, f"{family}: {what}", folder, ask, (0, 4), 2 << 30, 60)
        for what, vocab in {
            "ids of a billion": {"a": 1_000_000_000, "b": 4_000_000_000},
            "ids that repeat": {"a": 0, "b": 0, "c": 0},
            "no token": {},
        }.items():
            folder = copy(section, FIXTURES / family)
            file = json.loads((folder / "tokenizer.json").read_text())
            if isinstance(file["model"].get("vocab"), dict):
                file["model"]["vocab"] = vocab
                (folder / "tokenizer.json").write_text(json.dumps(file))
                attack(section, f"{family}: {what}", folder, ask, (0, 4))
    for count in (1_000_000, 6_000_000):
        folder = copy(section, FIXTURES / "lm-tied")
        text = (folder / "tokenizer.json").read_text()
        size = len(json.loads(text)["model"]["vocab"])
        before, after = text.split('"vocab"', 1)
        at = after.index("{") + 1
        with open(folder / "tokenizer.json", "wb") as file:
            file.write((before + '"vocab"' + after[:at]).encode())
            write_parts(file, (f'"~{n:x}":{size + n},'.encode() for n in range(count)))
            file.write(after[at:].encode())
        attack(section, f"a tokenizer.json of {count} tokens", folder, SAY, (0, 4), 2 << 30, 60)


def token(text, number):
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"id": number, "content": text, **flags}


def gguf_types(section):
    """Each tensor of a file with each type, its bytes as they are: lengths, blocks and scales that fit nothing."""
    for name in ("gguf-bpe", "gguf-qwen2", "gguf-qwen3", "gguf-q4k"):
        whole = (FIXTURES / name / "model.gguf").read_bytes()
        found, end = tensor_infos(whole)
        folder = section.folder("t")
        chance = random.Random(name)
        begun = time.monotonic()
        cases = [(info, kind) for info in found for kind in range(40)]
        chance.shuffle(cases)
        for (tensor, at), kind in cases:
            if time.monotonic() - begun > SECONDS / 3:
                break
            (folder / "model.gguf").write_bytes(
                whole[:at] + struct.pack("<I", kind) + whole[at + 4 :]
            )
            attack(section, f"{name} {tensor} of type {kind}", folder / "model.gguf", SAY, (0, 4))
        for tensor, at in found[:6]:
            for offset in (1, 32, 1 << 40, (1 << 64) - 1, (1 << 64) - 32):
                (folder / "model.gguf").write_bytes(
                    whole[: at + 4] + struct.pack("<Q", offset) + whole[at + 12 :]
                )
                attack(section, f"{name} {tensor} at {offset}", folder / "model.gguf", SAY, (0, 4))
        for tensor, at in found[:6]:
            for size in (0, 1, 31, 1 << 20, 1 << 62, (1 << 64) - 1):
                (folder / "model.gguf").write_bytes(
                    whole[: at - 8] + struct.pack("<Q", size) + whole[at:]
                )
                attack(
                    section,
                    f"{name} {tensor} with {size} rows",
                    folder / "model.gguf",
                    SAY,
                    (4,) if size != 1 else (0, 4),
                )
        # all tensors of one type, at one place
        for kind in (2, 3, 6, 7, 8, 12, 13, 14, 30):
            changed = bytearray(whole)
            for _, at in found:
                changed[at : at + 12] = struct.pack("<IQ", kind, 0)
            (folder / "model.gguf").write_bytes(bytes(changed))
            attack(
                section,
                f"{name} all of type {kind} at one place",
                folder / "model.gguf",
                SAY,
                (0, 4),
            )


def tensor_infos(whole):
    """The name of each tensor and the place of its type (which an offset of 8 bytes follows), and the header's end."""
    at = 24
    tensors, values = struct.unpack("<QQ", whole[8:24])

    def text(at):
        length = struct.unpack("<Q", whole[at : at + 8])[0]
        return whole[at + 8 : at + 8 + length], at + 8 + length

    def value(kind, at):
        if kind == 8:
            return text(at)[1]
        if kind == 9:
            inner, length = struct.unpack("<IQ", whole[at : at + 12])
            at += 12
            for _ in range(length):
                at = value(inner, at)
            return at
        return at + {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}[kind]

    for _ in range(values):
        at = text(at)[1]
        at = value(struct.unpack("<I", whole[at : at + 4])[0], at + 4)
    found = []
    for _ in range(tensors):
        name, at = text(at)
        at += 4 + 8 * struct.unpack("<I", whole[at : at + 4])[0]
        found.append((name.decode(), at))
        at += 12
    return found, at


def gguf_lists(section):
    """Vocabularies of millions of tokens, of which many are added tokens; and odd lists."""
    whole = (FIXTURES / "gguf-bpe/model.gguf").read_bytes()
    folder = section.folder("l")
    values = struct.unpack("<Q", whole[16:24])[0]

    def with_list(what, key, kind, count, body, codes=(4,), memory=2 << 30):
        # the key's old value gets another name, so that the file states the key once
        old = struct.pack("<Q", len(key)) + key
        changed = whole.replace(old, struct.pack("<Q", len(key)) + b"x" * len(key), 1)
        entry = old + struct.pack("<IIQ", 9, kind, count)
        with open(folder / "model.gguf", "wb") as file:
            file.write(changed[:16] + struct.pack("<Q", values + 1) + entry)
            write_parts(file, [body] if isinstance(body, bytes) else body)
            file.write(changed[24:])
        attack(section, f"gguf list: {what}", folder / "model.gguf", SAY, codes, memory, 60)

    names = b"tokenizer.ggml.tokens"

    def tokens(count):
        return (struct.pack("<Q", 6) + b"%06x" % n for n in range(count))

    with_list("4 million tokens", names, 8, 4_000_000, tokens(4_000_000))
    with_list("300,000 tokens", names, 8, 300_000, tokens(300_000), (0, 4))
    with_list("20 million bytes", b"x.y", 0, 20_000_000, bytes(20_000_000))
    with_list("a list of 2^60", b"x.y", 0, 1 << 60, b"")
    with_list("no token", names, 8, 0, b"")
    with_list("tokens that repeat", names, 8, 1000, (struct.pack("<Q", 1) + b"a") * 1000, (0, 4))
    with_list(
        "all are added tokens",
        b"tokenizer.ggml.token_type",
        5,
        1000,
        struct.pack("<i", 3) * 1000,
        (0, 2, 4),
    )
    with_list("types of 2^31", b"tokenizer.ggml.token_type", 4, 1000, b"\xff" * 4000, (0, 2, 4))
    with_list(
        "merges without a space",
        b"tokenizer.ggml.merges",
        8,
        1000,
        (struct.pack("<Q", 1) + b"a") * 1000,
        (0, 2, 4),
    )


def translators(section):
    """Translators of damaged parts, of themselves, and of each other."""
    home = section.folder("tr")
    (home / "agents").mkdir()
    for name in ("vit-square", "embed-bert-dense", "head-bert-labels"):
        shutil.copytree(FIXTURES / name, home / name)
        (home / f"agents/{name}.yaml").write_text(f"model: {{ path: ../{name} }}\n")

    def translator(what, text, codes=(4,), ask=("--image", PICTURE, "--among", "b,c")):
        (home / "agents/t.yaml").write_text(text)
        section.attack(
            f"translator: {what}",
            "try",
            "t",
            *ask,
            "--trust",
            codes=codes,
            cwd=home,
            seconds=20,
            memory=1 << 30,
            never=("NaN",),
        )

    good = "translate: { eye: vit-square, words: embed-bert-dense }\n"
    translator("whole", good, (0,))
    translator("of itself", "translate: { eye: t, words: t }\n", (2, 4))
    translator(
        "without an eye", "translate: { eye: head-bert-labels, words: embed-bert-dense }\n", (2, 4)
    )
    translator(
        "of a missing agent", "translate: { eye: nobody, words: embed-bert-dense }\n", (2, 3, 4)
    )
    (home / "agents/u.yaml").write_text("translate: { eye: t, words: t }\n")
    translator("of each other", "translate: { eye: u, words: u }\n", (2, 4))
    for count in (0, -1, 1 << 40, "x", 0.5):
        translator(
            f"{count} labels",
            f"translate: {{ eye: vit-square, words: embed-bert-dense, labels: {count} }}\n",
            (2, 4),
        )
    translator(
        "10,000 labels",
        "translate: { eye: vit-square, words: embed-bert-dense, labels: 10000 }\n",
        (0, 2, 4),
    )
    for label in ("", " ", "\0", "x" * 100_000, "\u202e", "é" * 20_000):
        change(home / "vit-square", "config.json", id2label={str(n): label for n in range(4)})
        translator(f"labels {label!r:.20}", good, (0, 4))


def numbers(section):
    """Replaces every number of every file, as D9 does."""
    cases = []
    for family in FAMILIES:
        for file in sorted((FIXTURES / family).rglob("*.json")):
            name = str(file.relative_to(FIXTURES / family))
            if file.name in ("expected.json", "tokenizer.json"):
                continue
            found = places(json.loads(file.read_text()))
            cases += [(family, name, place, odd) for place in found for odd in ODD]
    random.Random(17).shuffle(cases)
    begun = time.monotonic()
    for done, (family, name, place, odd) in enumerate(cases):
        if time.monotonic() - begun > SECONDS:
            print(f"    D17: {done} of {len(cases)} changed numbers tried")
            break
        folder = copy(section, FIXTURES / family)
        config = json.loads((folder / name).read_text())
        put(config, place, odd)
        (folder / name).write_text(json.dumps(config))
        what = f"{family}/{name} {'/'.join(map(str, place))} = {odd!r}"
        # a head whose labels change may be of another kind, which lacks the words
        attack(section, what, folder, FAMILIES[family], (0, 2, 4))


def tensors(section):
    """Each tensor missing, of another shape or type, and with a number that is not finite; and random bits."""
    cases = []
    for family in FAMILIES:
        file = next((FIXTURES / family).glob("model.safetensors"), None)
        for tensor in read(file)[0] if file else ():
            if tensor != "__metadata__":
                cases += [
                    (family, tensor, kind)
                    for kind in ("missing", "shape", "type", "nan", "inf", "big")
                ]
        cases += [(family, None, n) for n in range(40)]
    chance = random.Random(18)
    chance.shuffle(cases)
    begun = time.monotonic()
    for done, (family, tensor, kind) in enumerate(cases):
        if time.monotonic() - begun > SECONDS:
            print(f"    D17: {done} of {len(cases)} changed tensors tried")
            break
        folder = copy(section, FIXTURES / family)
        file = sorted(folder.glob("*.safetensors"))[0]
        codes = (4,)
        if tensor is None:
            bits = bytearray(file.read_bytes())
            bits[chance.randrange(len(bits))] ^= 1 << chance.randrange(8)
            file.write_bytes(bytes(bits))
            codes = (0, 4)
        else:
            header, data = read(file)
            info = header[tensor]
            start, end = info["data_offsets"]
            value = {"nan": 0x7FC00000, "inf": 0x7F800000, "big": 0x7F7FFFFF}.get(kind)
            if value is not None and info["dtype"] == "F32" and end > start:
                at = chance.randrange(start, end, 4)
                data = data[:at] + struct.pack("<I", value) + data[at + 4 :]
                codes = (0, 4) if kind == "big" else codes
            elif kind == "missing":
                header = {k: v for k, v in header.items() if k != tensor} | {"x": info}
            elif kind == "shape":
                header[tensor] = dict(info, shape=[*info["shape"], 1])
            else:
                header[tensor] = dict(info, dtype="I32")
            # tensors that the network does not read, such as the ids of positions, may be anything
            if (
                info["dtype"] != "F32"
                or "position_ids" in tensor
                or "num_batches_tracked" in tensor
                or "pooler" in tensor
            ):
                codes = (0, 4)
            file.write_bytes(joined(header, data))
        ask = FAMILIES[family]
        if "siglip" in family or "clip" in family:
            # a tower that the request does not need is not read, so that its values are not seen
            codes = (0, 4)
        attack(section, f"{family} {tensor} {kind}", folder, ask, codes)
