"""Makes the GGUF fixtures: small random models of the architectures `llama`, `qwen2`, `qwen3` and
`gemma3`, and the answers of Python's `transformers`.

    OMP_NUM_THREADS=1 python tests/parity/make_gguf_fixtures.py tests/parity/fixtures [NAME…]

It needs the packages of make_fixtures.py, and `gguf` 0.19.0 and `accelerate`. The package `gguf`
writes each file in the layout of llama.cpp's converter (`llama`: interleaved rows of queries and
keys).
transformers reads it back, which makes every weight floating, and answers in float32. Two answers
are not transformers' own reading of the file:

- transformers ignores `rope_freqs.weight`. The model with this tensor gets its Llama 3 rope
  parameters separately.
- Expected ids of other pre-tokenizers (`splits`) come from the pre-tokenizers of the published
  tokenizer.json files.
"""

import json
import shutil

import gguf
import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from make_fixtures import CHATML, ONLY, ROOT, TEXT, bytelevel, expect, randomise

NAMES = {
    "embed_tokens": "token_embd",
    "norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "q_norm": "attn_q_norm",
    "k_norm": "attn_k_norm",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
TYPES = gguf.GGMLQuantizationType
PROMPTS = [
    "where did i last see the keys?",
    "Hello",
    "the train leaves at nine. somebody said good morning, café 12345 ☃",
]


GEMMA = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def gguf_name(name, architecture):
    names = NAMES | (GEMMA if architecture == "gemma3" else {})
    parts = [
        "blk" if p == "layers" else names.get(p, p)
        for p in name.split(".")
        if p not in ("model", "self_attn", "mlp")
    ]
    return ".".join(parts)


def interleave(weight, heads):
    """Puts rows i and i + head/2 of each head side by side, as llama.cpp's converter does for
    queries and keys."""
    return (
        weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
        .swapaxes(1, 2)
        .reshape(weight.shape)
    )


def random_q4_k(rng, shape):
    """Random blocks of 256: two f16 scales, 12 bytes of 6-bit scales and minima, 128 bytes of 4-bit
    values. Mean near 0."""
    blocks = np.empty((int(np.prod(shape)) // 256, 144), np.uint8)
    blocks[:, 4:] = rng.integers(0, 256, (len(blocks), 140))
    step = np.full((len(blocks), 1), 3.5e-4, np.float16)
    blocks[:, 0:2], blocks[:, 2:4] = step.view(np.uint8), (step * np.float16(7.5)).view(np.uint8)
    return blocks.reshape(*shape[:-1], -1)


def random_q6_k(rng, shape):
    """Random blocks of 256: 128 + 64 bytes of 6-bit values, 16 signed scales, one f16 scale."""
    blocks = rng.integers(0, 256, (int(np.prod(shape)) // 256, 210), dtype=np.uint8)
    blocks[:, 208:] = np.full((len(blocks), 1), 7e-5, np.float16).view(np.uint8)
    return blocks.reshape(*shape[:-1], -1)


def byte_vocabulary(writer, pre, add_bos):
    specials = ["<|begin|>", "<|im_start|>", "<|im_end|>"]
    backend = bytelevel(300, specials + ["<unused>"])
    state = json.loads(backend.to_str())["model"]
    tokens = [t for t, _ in sorted(backend.get_vocab().items(), key=lambda x: x[1])]
    kinds = [
        gguf.TokenType.CONTROL
        if t in specials
        else gguf.TokenType.UNUSED
        if t == "<unused>"
        else gguf.TokenType.NORMAL
        for t in tokens
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(m) for m in state["merges"]])
    writer.add_bos_token_id(tokens.index("<|begin|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(add_bos)
    writer.add_chat_template(CHATML)
    return tokens, state


def splits(state, first):
    """The ids of a text under the pre-tokenizers of the published tokenizers, by name."""
    llama3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

    def bytes_(regex):
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)

    def cut(regex):
        return pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(regex), behavior="isolated"), bytes_(False)]
        )

    known = {
        "gpt-2": bytes_(True),
        "smollm": pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), bytes_(True)]
        ),
        "llama-bpe": cut(llama3),
        "qwen2": cut(llama3.replace("{1,3}", "")),
    }
    text, rows = "I've seen 12345 keys\n\n  on the TABLE, naïve café!!\n", {}
    # Merges across some of their boundaries, so that the ids differ.
    more = [
        ("1", "2"),
        ("12", "3"),
        ("123", "4"),
        ("1234", "5"),
        ("Ġ", "1"),
        ("!", "!"),
        ("!!", "Ċ"),
        ("Ċ", "Ċ"),
        ("ĊĊ", "Ġ"),
    ]
    vocab, merges = dict(state["vocab"]), [tuple(m) for m in state["merges"]] + more
    more_tokens = ["".join(pair) for pair in more]
    for token in more_tokens:
        vocab[token] = first + more_tokens.index(token)
    for name, pre in known.items():
        tokenizer = Tokenizer(
            models.BPE(vocab=vocab, merges=merges, ignore_merges=name == "llama-bpe")
        )
        tokenizer.pre_tokenizer = pre
        rows[name] = tokenizer.encode(text).ids
    return {"text": text, "ids": rows, "tokens": more_tokens, "merges": [" ".join(m) for m in more]}


def piece_vocabulary(writer, space=True):
    """SentencePiece's BPE: pieces with ▁, scores that fall in the order of merging, and bytes as
    the fallback."""
    backend = Tokenizer(models.BPE(byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    backend.train_from_iterator(
        [t[n : n + 40] for t in TEXT for n in range(0, len(t), 23)],
        trainers.BpeTrainer(vocab_size=140, show_progress=False, max_token_length=8),
    )
    learnt = [t for t, _ in sorted(backend.get_vocab().items(), key=lambda x: x[1])]
    merged, single = [t for t in learnt if len(t) > 1], [t for t in learnt if len(t) == 1]
    head, own = ["<unk>", "<s>", "</s>"], ["<think>"]
    bytes_ = [f"<0x{n:02X}>" for n in range(256)]
    tokens = head + bytes_ + merged + single + own
    scores = (
        [0.0] * (len(head) + len(bytes_))
        + [-float(n) for n in range(len(merged) + len(single))]
        + [-1000.0]
    )
    T = gguf.TokenType
    kinds = (
        [T.UNKNOWN, T.CONTROL, T.CONTROL]
        + [T.BYTE] * 256
        + [T.NORMAL] * len(learnt)
        + [T.USER_DEFINED]
    )
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(space)
    writer.add_chat_template(CHATML.replace("<|im_start|>", "<s>").replace("<|im_end|>", "</s>"))
    return tokens, None


def make(
    name,
    seed,
    vocabulary,
    kind,
    rope=None,
    prompts=PROMPTS,
    deviation=0.12,
    architecture="llama",
    **size,
):
    folder = ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(folder / "model.gguf", architecture)
    tokens, state = vocabulary(writer)
    config = AutoConfig.for_model(
        {"gemma3": "gemma3_text"}.get(architecture, architecture),
        **{
            "vocab_size": len(tokens),
            "max_position_embeddings": 256,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": True,
            "pad_token_id": None,
            **size,
            **({"rope_parameters": rope} if rope else {}),
        },
    )
    model = randomise(AutoModelForCausalLM.from_config(config), seed, deviation)
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_context_length(256)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(head)
    full = config.rope_parameters.get("full_attention", config.rope_parameters)
    writer.add_rope_freq_base(full["rope_theta"])
    if architecture == "gemma3":
        writer.add_sliding_window(config.sliding_window)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_vocab_size(len(tokens))
    rng = np.random.default_rng(seed)
    for full, weight in model.state_dict().items():
        if full == "lm_head.weight" and config.tie_word_embeddings:
            continue
        weight, to = weight.numpy(), gguf_name(full, architecture)
        if architecture == "gemma3" and "norm" in to:
            weight = weight + 1  # the converter stores whole weights
        for part, heads in [
            ("attn_q.", config.num_attention_heads),
            ("attn_k.", config.num_key_value_heads),
        ]:
            if part in to and architecture == "llama":
                weight = interleave(weight, heads)
        if weight.ndim == 1:
            writer.add_tensor(to, weight.astype(np.float32))
        elif kind == "k":  # as in Q4_K_M: most matrices Q4_K, values and the table Q6_K
            six = "attn_v" in to or "token_embd" in to
            blocks = (random_q6_k if six else random_q4_k)(rng, weight.shape)
            writer.add_tensor(
                to, blocks, raw_shape=blocks.shape, raw_dtype=TYPES.Q6_K if six else TYPES.Q4_K
            )
        elif kind == TYPES.Q8_0:
            blocks = gguf.quantize(weight, kind)
            writer.add_tensor(to, blocks, raw_shape=blocks.shape, raw_dtype=kind)
        else:
            writer.add_tensor(to, weight.astype(np.float16 if kind == TYPES.F16 else np.float32))
    if rope:
        plain = 1.0 / rope["rope_theta"] ** (np.arange(0, head, 2) / head)
        writer.add_tensor(
            "rope_freqs.weight",
            (plain / model.model.rotary_emb.inv_freq.numpy()).astype(np.float32),
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file="model.gguf", dtype=torch.float32
    ).eval()
    if rope:
        told = AutoModelForCausalLM.from_config(config).eval()
        told.load_state_dict(model.state_dict())
        model = told
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf")
    cases = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, -1]
            end = tokenizer.eos_token_id
            new = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=24,
                eos_token_id=end,
                pad_token_id=end,
            )
        new = new[0, ids.shape[1] :].tolist()
        new = new[:-1] if new and new[-1] == end else new
        cases.append(
            {
                "prompt": prompt,
                "ids": ids[0].tolist(),
                "logits": logits.numpy().astype(float).round(6).tolist(),
                "tokens": new,
                "text": tokenizer.decode(new, skip_special_tokens=True),
            }
        )
    chat = [{"role": "user", "content": "Hello there"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    chat = {
        "messages": chat,
        "text": text,
        "ids": tokenizer(text, add_special_tokens=False)["input_ids"],
    }
    expect(
        folder,
        cases=cases,
        chats=[chat],
        **({"splits": splits(state, len(tokens))} if state and name == "gguf-bpe" else {}),
    )


def main():
    small = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_hidden_layers": 2,
    }
    llama3 = {
        "rope_type": "llama3",
        "rope_theta": 10000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    }
    jobs = {
        "gguf-bpe": lambda n: make(
            n, 21, lambda w: byte_vocabulary(w, "gpt-2", False), TYPES.F32, **small
        ),
        "gguf-spm": lambda n: make(
            n,
            22,
            piece_vocabulary,
            TYPES.F16,
            **{**small, "num_key_value_heads": 1, "head_dim": 12},
            tie_word_embeddings=False,
            prompts=PROMPTS + ["a <think> b", "  two  spaces"],
        ),
        "gguf-q8": lambda n: make(
            n,
            23,
            lambda w: byte_vocabulary(w, "llama-bpe", True),
            TYPES.Q8_0,
            llama3,
            **{**small, "hidden_size": 64, "intermediate_size": 96},
        ),
        "gguf-q4k": lambda n: make(
            n,
            24,
            lambda w: byte_vocabulary(w, "gpt-2", True),
            "k",
            **{
                **small,
                "hidden_size": 256,
                "intermediate_size": 256,
                "num_key_value_heads": 1,
                "num_hidden_layers": 1,
            },
        ),
    }
    jobs |= {
        "gguf-qwen2": lambda n: make(
            n,
            25,
            lambda w: byte_vocabulary(w, "qwen2", False),
            TYPES.F16,
            architecture="qwen2",
            **{**small, "num_attention_heads": 6, "hidden_size": 48, "num_key_value_heads": 3},
            tie_word_embeddings=False,
        ),
        "gguf-qwen3": lambda n: make(
            n,
            26,
            lambda w: byte_vocabulary(w, "qwen2", False),
            TYPES.Q8_0,
            architecture="qwen3",
            # transformers reads no head_dim from a GGUF file of qwen3, so it must be the default.
            **{
                **small,
                "hidden_size": 64,
                "num_attention_heads": 2,
                "num_key_value_heads": 1,
                "intermediate_size": 96,
                "head_dim": 128,
            },
        ),
    }
    # transformers reads no factor of queries from a file, so the size of a head must be its default
    jobs["gguf-gemma3"] = lambda n: make(
        n,
        27,
        lambda w: piece_vocabulary(w, space=False),
        TYPES.F16,
        architecture="gemma3",
        **{
            **small,
            "num_hidden_layers": 6,
            "head_dim": 256,
            "sliding_window": 6,
            "num_attention_heads": 1,
            "num_key_value_heads": 1,
        },
    )
    for name, job in jobs.items():
        if not ONLY or name in ONLY:
            shutil.rmtree(ROOT / name, ignore_errors=True)
            job(name)
            print(
                name,
                sum(f.stat().st_size for f in (ROOT / name).rglob("*") if f.is_file()) // 1024,
                "kB",
            )


if __name__ == "__main__":
    main()
