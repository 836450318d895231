"""Writes a random language model of a given size, to measure the memory and the speed of a format.

    python benches/random_model.py OUT.gguf --type q8_0 --size 0.8e9
    python benches/random_model.py FOLDER   --type f16  --size 0.8e9

Types: q8_0, q4_k_m and q5_k_m (Q4_K or Q5_K, with Q6_K for values, outputs of the feed-forward layer
and the head, as llama.cpp mixes them), q6_k, and for folders f16, bf16, f32. The widths are multiples of 256. The
tokenizer has one token for each byte. It needs numpy, and `gguf` 0.19.0 for GGUF files.
"""

import argparse
import json
import struct
from pathlib import Path

import numpy as np

WIDTH, INNER, HEADS, KV_HEADS, VOCAB = 1024, 2816, 16, 4, 32000
BITS = {"q8_0": 8.5, "q4_k_m": 5.0, "q5_k_m": 5.8, "q6_k": 6.5625, "f16": 16, "bf16": 16, "f32": 32}


def shapes(layers):
    head = WIDTH // HEADS
    yield "token_embd", "model.embed_tokens", (VOCAB, WIDTH)
    for n in range(layers):
        for ours, theirs, shape in [
            ("attn_q", "self_attn.q_proj", (WIDTH, WIDTH)),
            ("attn_k", "self_attn.k_proj", (KV_HEADS * head, WIDTH)),
            ("attn_v", "self_attn.v_proj", (KV_HEADS * head, WIDTH)),
            ("attn_output", "self_attn.o_proj", (WIDTH, WIDTH)),
            ("ffn_gate", "mlp.gate_proj", (INNER, WIDTH)),
            ("ffn_up", "mlp.up_proj", (INNER, WIDTH)),
            ("ffn_down", "mlp.down_proj", (WIDTH, INNER)),
            ("attn_norm", "input_layernorm", (WIDTH,)),
            ("ffn_norm", "post_attention_layernorm", (WIDTH,)),
        ]:
            yield f"blk.{n}.{ours}", f"model.layers.{n}.{theirs}", shape
    yield "output_norm", "model.norm", (WIDTH,)
    yield "output", "lm_head", (VOCAB, WIDTH)


def blocks(rng, kind, shape):
    """Random blocks with small scales: 34 bytes for 32 values, or 144, 176 or 210 for 256."""
    values, size, halves, scale = {
        "q8_0": (32, 34, [0], 4e-4),
        "q4_k": (256, 144, [0, 2], 1e-4),
        "q5_k": (256, 176, [0, 2], 5e-5),
        "q6_k": (256, 210, [208], 3e-5),
    }[kind]
    count = int(np.prod(shape)) // values
    made = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for n, at in enumerate(halves):
        half = np.full((count, 1), scale * (7.5 if n else 1), np.float16)
        made[:, at : at + 2] = half.view(np.uint8)
    return made.reshape(*shape[:-1], -1)


def byte_tokens():
    """GPT-2's characters for bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    more = iter(range(256, 512))
    named = {b: chr(b) if b in plain else chr(next(more)) for b in range(256)}
    return [named[b] for b in range(256)] + [f"<unused{n}>" for n in range(VOCAB - 256)]


def write_gguf(path, kind, layers, rng):
    import gguf

    types = gguf.GGMLQuantizationType
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(byte_tokens())
    writer.add_token_types([1] * 256 + [5] * (VOCAB - 256))
    writer.add_token_merges(["a b"])  # the writer leaves an empty list out
    for name, _, shape in shapes(layers):
        if len(shape) == 1:
            writer.add_tensor(f"{name}.weight", np.ones(shape, np.float32))
            continue
        own = kind
        if kind in ("q4_k_m", "q5_k_m"):
            six = name == "output" or "attn_v" in name or "ffn_down" in name
            own = "q6_k" if six else kind[:4]
        made = blocks(rng, own, shape)
        dtype = getattr(types, own.upper())
        writer.add_tensor(f"{name}.weight", made, raw_shape=made.shape, raw_dtype=dtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_folder(folder, kind, layers, rng):
    folder.mkdir(parents=True, exist_ok=True)
    size = 4 if kind == "f32" else 2
    header, at = {}, 0
    for _, name, shape in shapes(layers):
        length = int(np.prod(shape)) * size
        header[f"{name}.weight"] = {
            "dtype": kind.upper(),
            "shape": list(shape),
            "data_offsets": [at, at + length],
        }
        at += length
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, shape in shapes(layers):
            made = np.ones(shape, np.float32)
            if len(shape) > 1:
                made = (rng.random(shape, np.float32) - 0.5) * np.float32(0.06)
            if kind == "bf16":
                made = (made.view(np.uint32) >> 16).astype(np.uint16)
            file.write((made.astype(np.float16) if kind == "f16" else made).tobytes())
    config = {
        "model_type": "llama",
        "vocab_size": VOCAB,
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
    }
    (folder / "config.json").write_text(json.dumps(config))
    bytelevel = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {**bytelevel, "use_regex": True},
        "decoder": {**bytelevel, "use_regex": True},
        "model": {
            "type": "BPE",
            "vocab": {t: n for n, t in enumerate(byte_tokens())},
            "merges": [],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--type", choices=BITS, required=True)
    parser.add_argument("--size", type=float, default=0.8e9)
    asked = parser.parse_args()
    values = asked.size * 8 / BITS[asked.type]
    layer = sum(int(np.prod(shape)) for name, _, shape in shapes(1) if name.startswith("blk."))
    layers = max(1, round((values - 2 * VOCAB * WIDTH) / layer))
    rng = np.random.default_rng(0)
    write = write_gguf if asked.out.suffix == ".gguf" else write_folder
    write(asked.out, asked.type, layers, rng)
    print(asked.out, f"{layers} layers")


if __name__ == "__main__":
    main()
