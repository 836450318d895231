"""The model of starter-whisper and its files."""

import json
import math
import os

import torch
import torch.nn.functional as F

from ear.mel import extractor
from ear.shape import CHUNK, FRAMES, LANGUAGES, MAX_TOKENS
from ear.words import Ids


# model
def build_model(ids):
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        vocab_size=ids.size,
        num_mel_bins=80,
        d_model=128,
        encoder_layers=3,
        encoder_attention_heads=4,
        encoder_ffn_dim=512,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=512,
        max_source_positions=FRAMES,
        max_target_positions=MAX_TOKENS,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        use_cache=True,
        pad_token_id=ids.eot,
        bos_token_id=ids.eot,
        eos_token_id=ids.eot,
        decoder_start_token_id=ids.sot,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config)
    encoder = model.model.encoder
    # The usual 0.02 is for wide models. Here the positions would drown the sound.
    with torch.no_grad():
        encoder.conv1.weight.normal_(0, 0.11)
        encoder.conv2.weight.normal_(0, 0.08)
        for name, p in model.named_parameters():
            if (
                p.ndim == 2
                and "embed" not in name
                and "q_proj" not in name
                and "k_proj" not in name
            ):
                p.normal_(0, 0.06)
    for layer, shifts in zip(encoder.layers, SHIFTS):
        listen_nearby(layer.self_attn, shifts)
    return model


def carry_over(model, tokenizer, folder):
    """Loads the weights of a trained checkpoint. Tokens are matched by their text; a new one begins
    as the mean of its old pieces."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    old = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    weights = {
        k: v.float() for k, v in load_file(os.path.join(folder, "model.safetensors")).items()
    }
    name = "model.decoder.embed_tokens.weight"
    known, rows = weights[name], []
    bytes_of = tokenizer.decoder
    for i in range(tokenizer.get_vocab_size()):
        token = tokenizer.id_to_token(i)
        same = old.token_to_id(token)
        pieces = (
            [same]
            if same is not None
            else old.encode(bytes_of.decode([token]), add_special_tokens=False).ids
        )
        rows.append(known[pieces].mean(0))
    weights[name] = torch.stack(rows)
    weights.pop("proj_out.weight", None)
    missing, unknown = model.load_state_dict(weights, strict=False)
    assert not unknown and set(missing) <= {"proj_out.weight"}, (missing, unknown)
    model.tie_weights()


SHIFTS = [(-4, -1, 1, 4), (-9, -3, 3, 9), (-15, -5, 5, 15)]


def listen_nearby(attention, shifts, scale=1.7, pairs=range(3, 19)):
    """Begins with heads that look at the frame `shift` positions away, as far as the sinusoids of
    the positions allow.

    A Transformer needs thousands of steps to learn to look nearby. This starting point costs
    nothing, and training can move away from it.
    """
    half = attention.q_proj.in_features // 2
    width = attention.q_proj.out_features // len(shifts)
    with torch.no_grad():
        for head, shift in enumerate(shifts):
            for row, k in enumerate(pairs):
                angle = math.exp(-math.log(10000) * k / (half - 1)) * shift
                sin, cos = head * width + row, head * width + row + len(pairs)
                attention.q_proj.weight[sin, k] += scale * math.cos(angle)
                attention.q_proj.weight[sin, half + k] += scale * math.sin(angle)
                attention.q_proj.weight[cos, half + k] += scale * math.cos(angle)
                attention.q_proj.weight[cos, k] -= scale * math.sin(angle)
                attention.k_proj.weight[sin, k] += scale
                attention.k_proj.weight[cos, half + k] += scale


def generation_settings(ids):
    """All settings that generate() needs, here or in Rust."""
    return {
        "_from_model_config": False,
        "bos_token_id": ids.eot,
        "eos_token_id": ids.eot,
        "pad_token_id": ids.eot,
        "decoder_start_token_id": ids.sot,
        "prev_sot_token_id": ids.prev,
        "is_multilingual": True,
        "lang_to_id": ids.languages,
        "task_to_id": {"transcribe": ids.transcribe, "translate": ids.translate},
        # The task's token always follows the language's, even after a detected language: training
        # always had both.
        "forced_decoder_ids": [[1, None], [2, ids.transcribe]],
        "no_timestamps_token_id": ids.notimestamps,
        # Unseen days stay above -0.25, other voices below -0.6. Below this, it invents words.
        "logprob_threshold": -0.45,
        # Speech can begin anywhere in these short windows, not only in the first second.
        "max_initial_timestamp_index": CHUNK * 50,
        # <|endoftext|> is not suppressed at the beginning: it marks a silent window.
        "begin_suppress_tokens": [ids.space],
        "suppress_tokens": sorted(
            [
                ids.sot,
                ids.translate,
                ids.transcribe,
                ids.lm,
                ids.prev,
                ids.nospeech,
                *ids.languages.values(),
            ]
        ),
        "return_timestamps": False,
        "max_length": MAX_TOKENS,
    }


def export(model, tokenizer, folder):
    from transformers import WhisperForConditionalGeneration

    ids = Ids(tokenizer)
    os.makedirs(folder, exist_ok=True)
    half = WhisperForConditionalGeneration(model.config)
    half.load_state_dict(model.state_dict())
    half = half.half()
    half.config.dtype = torch.float16
    half.save_pretrained(folder)
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
    settings = generation_settings(ids)
    with open(os.path.join(folder, "generation_config.json"), "w") as out:
        json.dump(settings, out, indent=2)
        out.write("\n")
    path = os.path.join(folder, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    # null breaks readers that expect lists
    for name in ("suppress_tokens", "begin_suppress_tokens"):
        config[name] = settings[name]
    with open(path, "w") as out:
        json.dump(config, out, indent=2)
        out.write("\n")
    extractor().save_pretrained(folder)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    special = [f"<|{language}|>" for language in LANGUAGES]
    settings = {
        "tokenizer_class": "WhisperTokenizer",
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": MAX_TOKENS,
        "language": None,
        "task": None,
        "additional_special_tokens": [
            "<|endoftext|>",
            "<|startoftranscript|>",
            *special,
            "<|translate|>",
            "<|transcribe|>",
            "<|startoflm|>",
            "<|startofprev|>",
            "<|nospeech|>",
            "<|notimestamps|>",
        ],
    }
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as out:
        json.dump(settings, out, indent=2)
        out.write("\n")


def encode(encoder, mel, firsts):
    """The encoder, from the given positions; -> (after the first layer, at the end)."""
    x = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).transpose(1, 2)
    x = x + encoder.embed_positions.weight[firsts[:, None] + torch.arange(x.shape[1])]
    outs = []
    for layer in encoder.layers:
        x = layer(x, None)
        x = x[0] if isinstance(x, tuple) else x
        outs.append(x)
    return outs[0], encoder.layer_norm(x)


def groups(model, heads):
    """The matrices for Muon, and all other parameters for AdamW."""
    matrices, rest = [], []
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        (matrices if p.ndim == 2 and "embed" not in name else rest).append(p)
    return matrices, rest + list(heads.parameters())
