"""Writes a qwen2 language model of a GGUF file as a checkpoint folder, with weights dequantised to f16.

    folder_from_gguf.py FILE.gguf TARGET

The folder holds the weights of the file, so that tests can compare quantised arithmetic with plain arithmetic.
"""

import json
import sys
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as FromBytes
from tokenizers.models import BPE
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
INNER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
# Qwen2's split of text into pieces (its tokenizer.json on the hub, Apache-2.0)
PIECES = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4  # GGUF's types of tokens


def folder_name(name):
    """transformers' name of a tensor of the file."""
    *block, part, kind = name.split(".")  # blk.0.attn_q.weight or output_norm.weight
    return f"model.layers.{block[1]}.{INNER[part]}.{kind}" if block else f"{OUTER[part]}.{kind}"


def tokenizer(meta):
    """The file's tokenizer: byte-level BPE. Unused tokens at the end of the table are left out."""
    tokens = list(zip(meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"]))
    ids = {token: id for id, (token, kind) in enumerate(tokens) if kind == NORMAL}
    made = Tokenizer(BPE(ids, [tuple(merge.split(" ")) for merge in meta["tokenizer.ggml.merges"]]))
    made.normalizer = NFC()
    made.pre_tokenizer = Sequence(
        [Split(Regex(PIECES), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    made.decoder = FromBytes()
    for id, (token, kind) in enumerate(tokens):
        if kind in (CONTROL, USER_DEFINED):
            made.add_tokens([AddedToken(token, special=kind == CONTROL, normalized=False)])
            if made.token_to_id(token) != id:
                raise SystemExit(
                    f"error: the token {token} gets the id {made.token_to_id(token)}, expected {id}"
                )
    return made


def main():
    source, target = map(Path, sys.argv[1:])
    target.mkdir(parents=True)
    reader = GGUFReader(source)
    meta = {
        name: field.contents()
        for name, field in reader.fields.items()
        if not name.startswith("GGUF.")
    }
    kinds = [meta["general.architecture"], meta["tokenizer.ggml.model"], meta["tokenizer.ggml.pre"]]
    if kinds != ["qwen2", "gpt2", "qwen2"]:
        raise SystemExit(
            f"error: {source}: found architecture and tokenizer {kinds}, expected qwen2, gpt2, qwen2"
        )
    weights = {
        folder_name(tensor.name): dequantize(tensor.data, tensor.tensor_type).astype(np.float16)
        for tensor in reader.tensors
    }
    words, width = weights["model.embed_tokens.weight"].shape
    heads, end = meta["qwen2.attention.head_count"], meta["tokenizer.ggml.eos_token_id"]
    tokens = {"bos_token_id": meta["tokenizer.ggml.bos_token_id"], "eos_token_id": end}
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": words,
        "hidden_size": width,
        "intermediate_size": meta["qwen2.feed_forward_length"],
        "num_hidden_layers": meta["qwen2.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": meta["qwen2.attention.head_count_kv"],
        "head_dim": width // heads,
        "hidden_act": "silu",
        "max_position_embeddings": meta["qwen2.context_length"],
        "rms_norm_eps": meta["qwen2.attention.layer_norm_rms_epsilon"],
        "rope_theta": meta["qwen2.rope.freq_base"],
        "use_sliding_window": False,
        "tie_word_embeddings": "lm_head.weight" not in weights,
        "torch_dtype": "float16",
        **tokens,
    }
    names = meta["tokenizer.ggml.tokens"]
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": names[end],
        "pad_token": names[meta["tokenizer.ggml.padding_token_id"]],
        "clean_up_tokenization_spaces": False,
        "chat_template": meta["tokenizer.chat_template"],
    }
    for name, value in (
        ("config", config),
        ("generation_config", tokens),
        ("tokenizer_config", tokenizer_config),
    ):
        (target / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")
    tokenizer(meta).save(str(target / "tokenizer.json"))
    save_file(weights, target / "model.safetensors", {"format": "pt"})


main()
