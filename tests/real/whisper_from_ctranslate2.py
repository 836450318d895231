"""Writes a Whisper checkpoint of CTranslate2 (model.bin, config.json, tokenizer.json) as a folder that transformers reads.

    whisper_from_ctranslate2.py SOURCE TARGET

model.bin: u32 layout; text kind; u32 revision; u32 count, then per variable: text name, u8 rank, u32 sizes, u8 type,
u32 bytes, the values; u32 count, then per alias: text alias, text name. A text is u16 length and bytes that end with 0.
The layout is that of CTranslate2's ModelSpec (python/ctranslate2/specs/model_spec.py, MIT licence), layout 6. Weights
stay f16.
"""

import json
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

FLOATS = {0: np.float32, 4: np.float16}  # CTranslate2's numbers of types
COUNTS = {1: np.int8, 2: np.int16, 3: np.int32}


class Bytes:
    """Reads little-endian numbers, texts and arrays from front to back."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, code):
        (value,) = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return value

    def text(self):
        length = self.number("H")
        self.at += length
        return self.data[self.at - length : self.at].rstrip(b"\0").decode()

    def array(self):
        sizes = [self.number("I") for _ in range(self.number("B"))]
        kind = {**FLOATS, **COUNTS}[self.number("B")]
        length = self.number("I")
        self.at += length
        return np.frombuffer(self.data[self.at - length : self.at], kind).reshape(sizes)


def read_variables(path):
    """All variables of model.bin by name."""
    file = Bytes(path.read_bytes())
    layout, kind, _revision = file.number("I"), file.text(), file.number("I")
    if (layout, kind) != (6, "WhisperSpec"):
        raise SystemExit(
            f"error: {path}: found {kind} in layout {layout}, expected WhisperSpec in layout 6"
        )
    found = {}
    for _ in range(file.number("I")):
        name = file.text()
        found[name] = file.array()
    for _ in range(file.number("I")):
        alias = file.text()
        found[alias] = found[file.text()]
    return found


def names(layers):
    """Pairs of CTranslate2's name and the names in transformers. Several names share a fused map, in order."""
    for side, prefix in (("encoder", "model.encoder"), ("decoder", "model.decoder")):
        yield f"{side}/layer_norm", [f"{prefix}.layer_norm"]
        yield f"{side}/position_encodings/encodings", [f"{prefix}.embed_positions"]
        for layer in range(layers[side]):
            theirs, ours = f"{side}/layer_{layer}", f"{prefix}.layers.{layer}"
            yield f"{theirs}/self_attention/layer_norm", [f"{ours}.self_attn_layer_norm"]
            yield f"{theirs}/self_attention/linear_0", [f"{ours}.self_attn.{x}_proj" for x in "qkv"]
            yield f"{theirs}/self_attention/linear_1", [f"{ours}.self_attn.out_proj"]
            if side == "decoder":
                yield f"{theirs}/attention/layer_norm", [f"{ours}.encoder_attn_layer_norm"]
                yield f"{theirs}/attention/linear_0", [f"{ours}.encoder_attn.q_proj"]
                yield (
                    f"{theirs}/attention/linear_1",
                    [f"{ours}.encoder_attn.{x}_proj" for x in "kv"],
                )
                yield f"{theirs}/attention/linear_2", [f"{ours}.encoder_attn.out_proj"]
            yield f"{theirs}/ffn/layer_norm", [f"{ours}.final_layer_norm"]
            yield f"{theirs}/ffn/linear_0", [f"{ours}.fc1"]
            yield f"{theirs}/ffn/linear_1", [f"{ours}.fc2"]
    yield "encoder/conv1", ["model.encoder.conv1"]
    yield "encoder/conv2", ["model.encoder.conv2"]
    yield "decoder/embeddings", ["model.decoder.embed_tokens"]


def tensors(found):
    """The tensors in transformers' names; f16."""
    layers = {
        side: 1
        + max(
            int(name.split("/")[1][6:])
            for name in found
            if name.startswith(f"{side}/layer_") and not name.startswith(f"{side}/layer_norm")
        )
        for side in ("encoder", "decoder")
    }
    out = {}
    for theirs, ours in names(layers):
        weight = found.get(f"{theirs}/weight", found.get(f"{theirs}/gamma", found.get(theirs)))
        bias = found.get(f"{theirs}/bias", found.get(f"{theirs}/beta"))
        if weight.dtype.type not in FLOATS.values():
            raise SystemExit(f"error: {theirs} holds {weight.dtype}, expected f16 or f32")
        for part, name in enumerate(ours):
            rows = weight.shape[0] // len(ours)
            take = slice(part * rows, (part + 1) * rows)
            out[f"{name}.weight"] = np.ascontiguousarray(weight[take], np.float16)
            # Whisper's keys have no bias; a fused map stores zeros there.
            if bias is not None and not name.endswith("k_proj"):
                out[f"{name}.bias"] = np.ascontiguousarray(bias[take], np.float16)
    return out, layers


def settings(out, layers, theirs):
    """config.json, generation_config.json and preprocessor_config.json."""
    words, width = out["model.decoder.embed_tokens.weight"].shape
    if words != 51864:
        raise SystemExit(
            f"error: found {words} tokens, expected the 51864 of an English-only checkpoint"
        )
    end, start, previous, no_times = (
        50256,
        50257,
        50360,
        50362,
    )  # ids of special tokens in tokenizer.json
    special = {
        "decoder_start_token_id": start,
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
    }
    special |= {
        "suppress_tokens": theirs["suppress_ids"],
        "begin_suppress_tokens": theirs["suppress_ids_begin"],
    }
    config = {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "vocab_size": words,
        "d_model": width,
        "num_mel_bins": out["model.encoder.conv1.weight"].shape[1],
        "max_source_positions": out["model.encoder.embed_positions.weight"].shape[0],
        "max_target_positions": out["model.decoder.embed_positions.weight"].shape[0],
        "activation_function": "gelu",
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
        **special,
    }
    for side in ("encoder", "decoder"):
        config[f"{side}_layers"] = layers[side]
        config[f"{side}_attention_heads"] = width // 64
        config[f"{side}_ffn_dim"] = out[f"model.{side}.layers.0.fc1.weight"].shape[0]
    generation = {
        "max_length": config["max_target_positions"],
        "is_multilingual": False,
        "return_timestamps": False,
        "max_initial_timestamp_index": 50,
        "no_timestamps_token_id": no_times,
        "prev_sot_token_id": previous,
        "alignment_heads": theirs["alignment_heads"],
        **special,
    }
    preprocessor = {
        "processor_class": "WhisperProcessor",
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": config["num_mel_bins"],
        "sampling_rate": 16000,
        "hop_length": 160,
        "n_fft": 400,
        "chunk_length": 30,
        "n_samples": 480000,
        "nb_max_frames": 3000,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }
    return {"config": config, "generation_config": generation, "preprocessor_config": preprocessor}


def main():
    source, target = map(Path, sys.argv[1:])
    target.mkdir(parents=True)
    out, layers = tensors(read_variables(source / "model.bin"))
    theirs = json.loads((source / "config.json").read_text())
    for name, value in settings(out, layers, theirs).items():
        (target / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")
    shutil.copyfile(source / "tokenizer.json", target / "tokenizer.json")
    save_file(out, target / "model.safetensors", {"format": "pt"})


main()
