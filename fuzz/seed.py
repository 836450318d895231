"""Writes tiny complete safetensors and GGUF files into fuzz/corpus, because the fuzzers change their headers."""

import json
import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def safetensors(tensors):
    """A safetensors file of tensors (name, type, shape, bytes of a value)."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, dtype, shape, size in tensors:
        count = size
        for side in shape:
            count *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + count]}
        data += bytes(count)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def typed(value):
    """A value with its type, in GGUF's form."""
    if isinstance(value, bool):
        return struct.pack("<IB", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    items = [typed(item) for item in value]
    return struct.pack("<I", 9) + items[0][:4] + struct.pack("<Q", len(items)) + b"".join(item[4:] for item in items)


def gguf(metadata, tensors):
    """A GGUF file of values and F32 tensors (name, shape), in version 3."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(text(key) + typed(value) for key, value in metadata.items())
    offset = 0
    for name, shape in tensors:
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        head += struct.pack("<IQ", 0, offset)
        size = 4
        for side in shape:
            size *= side
        offset += (size + 31) // 32 * 32
    return head + bytes(-len(head) % 32) + bytes(offset)


TOKENS = ["<unk>", "<s>", "</s>", "a", "b", "ab"]
MODEL = {
    "general.architecture": "llama", "general.alignment": 32, "llama.embedding_length": 4, "llama.feed_forward_length": 4,
    "llama.block_count": 1, "llama.attention.head_count": 1, "llama.attention.head_count_kv": 1, "llama.context_length": 16,
    "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.freq_base": 10000.0, "llama.rope.scaling.type": "linear",
    "llama.rope.scaling.factor": 2.0, "tokenizer.ggml.tokens": TOKENS, "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.token_type": [2, 3, 3, 1, 1, 1],
    "tokenizer.chat_template": "{{ messages }}",
}
TENSORS = [("token_embd.weight", (4, 6)), ("blk.0.attn_q.weight", (4, 4)), ("output_norm.weight", (4,))]
PIECES = {**MODEL, "tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": [0.0, 0.0, 0.0, -1.0, -2.0, -3.0]}
BYTES = {**MODEL, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.merges": ["a b"], "tokenizer.ggml.pre": "llama-bpe"}

(CORPUS / "safetensors/one").write_bytes(safetensors([("a", "F32", [2, 2], 4)]))
(CORPUS / "safetensors/several").write_bytes(safetensors([("a", "F16", [3], 2), ("b", "I64", [], 8), ("c", "BF16", [0, 4], 2)]))
(CORPUS / "safetensors/none").write_bytes(safetensors([]))
(CORPUS / "gguf/pieces").write_bytes(gguf(PIECES, TENSORS))
(CORPUS / "gguf/bytes").write_bytes(gguf(BYTES, TENSORS))
(CORPUS / "gguf/none").write_bytes(gguf({}, []))
