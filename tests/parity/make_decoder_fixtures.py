"""Makes the cases of the decoder: configurations of `llama`, `mistral`, `qwen2`, `qwen3`, `smollm3`,
`phi3` and `gemma3_text`, prompts, and the answers of Python's `transformers`.

    OMP_NUM_THREADS=1 python tests/parity/make_decoder_fixtures.py tests/parity/fixtures/decoder.json
    OMP_NUM_THREADS=1 python tests/parity/make_decoder_fixtures.py OUT.json --random 40 --seed 1

It needs torch 2.15 and transformers 5.23. No weights are stored: both sides compute them from a seed
(`weights`; `tests/parity_decoder.rs` has the same function). Every prompt is answered by a fresh
model, because `dynamic` rotary embeddings remember the longest sequence. Greedy tokens end where the
two best logits differ by less than 1e-3.
"""

import argparse
import copy
import json
import random
import zlib

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

VOCAB = 96
STEPS = 32
MARGIN = 1e-3


def weights(name, shape, seed):
    """Uniform numbers from splitmix64: around 16 for the last norm, around 1 for the others, else with a
    deviation of 0.15. The last norm spreads the logits, so that the two best are rarely closer than the
    margin."""
    count = int(np.prod(shape))
    with np.errstate(over="ignore"):
        start = np.uint64(seed) << np.uint64(32) ^ np.uint64(zlib.crc32(name.encode()))
        z = start * np.uint64(0x9E3779B97F4A7C15) + np.arange(
            1, count + 1, dtype=np.uint64
        ) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    unit = (z >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1)  # [-1, 1)
    norm = np.float32(1) + unit * np.float32(0.3)
    if name == "model.norm.weight":
        norm *= np.float32(16)
    made = norm if "norm" in name else unit * np.float32(0.26)
    return torch.from_numpy(made.reshape(shape))


def build(config, seed):
    kind = config["model_type"]
    given = {k: copy.deepcopy(v) for k, v in config.items() if k != "model_type"}
    read = AutoConfig.for_model(kind, **given)
    model = AutoModelForCausalLM.from_config(read, attn_implementation="eager").eval()
    shapes = []
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(weights(name, tuple(p.shape), seed))
            shapes.append([name, list(p.shape)])
    return model, shapes


def answer(config, seed, prompt):
    model, _ = build(config, seed)
    ids = torch.tensor([prompt])
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0]
    model, _ = build(config, seed)
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=STEPS,
        min_new_tokens=STEPS,
        eos_token_id=None,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    tokens = []
    for token, row in zip(out.sequences[0, len(prompt) :].tolist(), out.logits):
        best = row[0].topk(2).values
        if best[0] - best[1] < MARGIN:
            break
        tokens.append(token)
    keep = [len(prompt) // 2, len(prompt) - 1]
    return {
        "prompt": prompt,
        "logits": {str(n): np.round(logits[n].numpy().astype(float), 6).tolist() for n in keep},
        "tokens": tokens,
    }


def case(name, seed, lengths=(5, 40, 44), **config):
    rng = random.Random(seed)
    config = {"vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 48, **config}
    config = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, **config}
    config = {"max_position_embeddings": 1024, "bos_token_id": None, "eos_token_id": None, **config}
    # The prompts share a beginning, so that a prefix is reused, and then differ.
    common = [rng.randrange(VOCAB) for _ in range(max(lengths))]
    prompts = [common[: n - 3] + [rng.randrange(VOCAB) for _ in range(3)] for n in lengths]
    while True:
        _, shapes = build(config, seed)
        cases = [answer(config, seed, prompt) for prompt in prompts]
        # Another seed for a stored case whose comparison would end early.
        if name.startswith("random") or all(len(c["tokens"]) == STEPS for c in cases):
            break
        seed += 100
    print(name, [len(c["tokens"]) for c in cases], flush=True)
    return {"name": name, "seed": seed, "config": config, "tensors": shapes, "cases": cases}


def rope(kind, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **more}}


LONG = {"short_factor": [1.0, 1.05, 1.1, 1.3], "long_factor": [1.0, 2.0, 3.5, 6.0]}


def fixed():
    old = {"rope_theta": 5000.0, "rope_scaling": {"type": "linear", "factor": 2.0}}
    yield case("llama-plain", 1, model_type="llama", tie_word_embeddings=True)
    yield case(
        "llama-biases",
        2,
        model_type="llama",
        num_key_value_heads=4,
        attention_bias=True,
        mlp_bias=True,
    )
    yield case(
        "llama-head-dim",
        3,
        model_type="llama",
        head_dim=12,
        num_key_value_heads=1,
        hidden_act="gelu",
        **old,
    )
    yield case(
        "llama-linear",
        4,
        model_type="llama",
        max_position_embeddings=32,
        **rope("linear", factor=4.0),
    )
    yield case(
        "llama-dynamic",
        5,
        (5, 30, 40, 44),
        model_type="llama",
        max_position_embeddings=32,
        **rope("dynamic", factor=4.0),
    )
    yield case(
        "llama-yarn",
        6,
        model_type="llama",
        max_position_embeddings=128,
        **rope("yarn", factor=4.0, original_max_position_embeddings=32),
    )
    yield case(
        "llama-yarn-mscale",
        7,
        model_type="llama",
        max_position_embeddings=64,
        **rope(
            "yarn",
            factor=8.0,
            original_max_position_embeddings=16,
            mscale=0.7,
            mscale_all_dim=1.2,
            beta_fast=8,
            beta_slow=2,
            truncate=False,
        ),
    )
    yield case(
        "llama-llama3",
        8,
        model_type="llama",
        max_position_embeddings=256,
        **rope(
            "llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=32,
        ),
    )
    yield case(
        "llama-longrope",
        9,
        (5, 20, 40, 44),
        model_type="llama",
        max_position_embeddings=128,
        **rope("longrope", original_max_position_embeddings=32, **LONG),
    )
    yield case("mistral-window", 10, (5, 40, 44), model_type="mistral", sliding_window=7)
    yield case(
        "mistral-long", 11, (560,), model_type="mistral", sliding_window=100, num_hidden_layers=3
    )
    yield case(
        "mistral-full",
        12,
        model_type="mistral",
        sliding_window=None,
        head_dim=16,
        tie_word_embeddings=True,
    )
    yield case("qwen2-plain", 13, model_type="qwen2", tie_word_embeddings=True)
    yield case(
        "qwen2-window",
        14,
        model_type="qwen2",
        use_sliding_window=True,
        sliding_window=6,
        max_window_layers=1,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=3,
        hidden_size=48,
    )
    yield case(
        "qwen2-types",
        15,
        model_type="qwen2",
        use_sliding_window=True,
        sliding_window=9,
        layer_types=["sliding_attention", "full_attention"],
        rope_theta=1e6,
        rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
    )
    yield case("qwen3-plain", 16, model_type="qwen3", head_dim=16, tie_word_embeddings=True)
    yield case(
        "qwen3-window",
        17,
        model_type="qwen3",
        head_dim=8,
        attention_bias=True,
        use_sliding_window=True,
        sliding_window=5,
        max_window_layers=0,
        max_position_embeddings=32,
        **rope("dynamic", factor=3.0),
    )
    yield case(
        "qwen3-longrope",
        18,
        (5, 20, 44),
        model_type="qwen3",
        head_dim=8,
        num_key_value_heads=1,
        max_position_embeddings=128,
        **rope(
            "longrope",
            factor=6.0,
            original_max_position_embeddings=24,
            attention_factor=1.1,
            **LONG,
        ),
    )

    yield case("smollm3-plain", 19, model_type="smollm3", pad_token_id=0, num_hidden_layers=5)
    yield case(
        "smollm3-window",
        20,
        model_type="smollm3",
        pad_token_id=0,
        num_hidden_layers=4,
        no_rope_layers=[1, 0, 1, 0],
        use_sliding_window=True,
        sliding_window=7,
        attention_bias=True,
        tie_word_embeddings=False,
        rope_theta=5e5,
    )
    yield case("phi3-plain", 21, model_type="phi3", pad_token_id=0)
    yield case(
        "phi3-longrope",
        22,
        (5, 20, 40, 44),
        model_type="phi3",
        pad_token_id=0,
        hidden_size=32,
        partial_rotary_factor=0.75,
        max_position_embeddings=128,
        original_max_position_embeddings=32,
        tie_word_embeddings=True,
        sliding_window=64,
        rope_scaling={
            "type": "longrope",
            "short_factor": [1.0, 1.05, 1.1],
            "long_factor": [1.0, 2.0, 3.5],
        },
    )
    yield case("phi3-window", 23, model_type="phi3", pad_token_id=0, sliding_window=9)
    yield case(
        "gemma3-plain",
        24,
        model_type="gemma3_text",
        num_hidden_layers=7,
        sliding_window=9,
        head_dim=8,
    )
    yield case(
        "gemma3-scaled",
        25,
        model_type="gemma3_text",
        num_hidden_layers=3,
        sliding_window=6,
        head_dim=12,
        query_pre_attn_scalar=20,
        sliding_window_pattern=2,
        attention_bias=True,
        rope_theta=1e5,
        rope_local_base_freq=500.0,
        rope_scaling={"rope_type": "linear", "factor": 8.0},
        tie_word_embeddings=False,
    )
    yield case(
        "gemma3-capped",
        26,
        model_type="gemma3_text",
        num_hidden_layers=2,
        sliding_window=5,
        head_dim=8,
        layer_types=["full_attention", "sliding_attention"],
        final_logit_softcapping=30.0,
        rope_parameters={
            "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 3e4},
            "sliding_attention": {"rope_type": "default", "rope_theta": 700.0},
        },
    )


def drawn(count, seed):
    for n in range(count):
        rng = random.Random(seed * 1000 + n)
        kind = rng.choice(["llama", "mistral", "qwen2", "qwen3", "smollm3", "phi3", "gemma3_text"])
        heads = rng.choice([2, 4, 6])
        head = rng.choice([4, 8, 10, 16])
        config = {
            "model_type": kind,
            "num_attention_heads": heads,
            "num_key_value_heads": rng.choice([n for n in range(1, heads + 1) if heads % n == 0]),
            "hidden_size": heads * head if rng.random() < 0.6 else heads * rng.choice([6, 12]),
            "head_dim": head,
            "intermediate_size": rng.choice([24, 56, 70]),
            "num_hidden_layers": rng.choice([1, 2, 3, 4]),
            "tie_word_embeddings": rng.random() < 0.5,
            "rms_norm_eps": rng.choice([1e-5, 1e-6]),
            "max_position_embeddings": rng.choice([128, 512]),
        }
        if kind in ("llama", "qwen3"):
            config["attention_bias"] = rng.random() < 0.5
        if kind == "llama":
            config["mlp_bias"] = rng.random() < 0.5
        if kind == "mistral":
            config["sliding_window"] = rng.choice([None, 4, 17, 60])
        if kind in ("qwen2", "qwen3") and rng.random() < 0.6:
            config |= {"use_sliding_window": True, "sliding_window": rng.choice([4, 17, 60])}
            config["max_window_layers"] = rng.choice([0, 1, 2])
        if kind == "smollm3":
            config["pad_token_id"] = 0
            config["no_rope_layer_interval"] = rng.choice([2, 3, 4])
            config |= {
                "use_sliding_window": rng.random() < 0.5,
                "sliding_window": rng.choice([4, 17]),
            }
        if kind in ("phi3", "gemma3_text"):
            yield case(
                f"random-{seed}-{n}-{kind}", seed * 1000 + n, (6, 24, 72), **own(kind, config, rng)
            )
            continue
        original = rng.choice([16, 32])
        factor = rng.choice([1.5, 2.0, 4.0])
        theta = rng.choice([500.0, 1e4, 1e6])
        half = head // 2
        kind = rng.choice(["default", "linear", "dynamic", "yarn", "llama3", "longrope"])
        more = {
            "default": {},
            "linear": {"factor": factor},
            "dynamic": {"factor": max(factor, 2.0)},
            "yarn": {"factor": factor, "original_max_position_embeddings": original},
            "llama3": {
                "factor": factor,
                "low_freq_factor": 1.0,
                "high_freq_factor": rng.choice([2.0, 4.0]),
                "original_max_position_embeddings": original,
            },
            "longrope": {
                "original_max_position_embeddings": original,
                "short_factor": [1 + 0.1 * i for i in range(half)],
                "long_factor": [1 + 0.7 * i for i in range(half)],
            },
        }[kind]
        if kind == "dynamic":
            config["max_position_embeddings"] = 64
        if rng.random() < 0.5:
            config["rope_parameters"] = {"rope_type": kind, "rope_theta": theta, **more}
        else:
            config |= {"rope_theta": theta, "rope_scaling": {"type": kind, **more}}
        yield case(
            f"random-{seed}-{n}-{kind}",
            seed * 1000 + n,
            (6, rng.choice([24, 50, 70]), 72),
            **config,
        )


def own(kind, config, rng):
    """The settings of Phi-3 and Gemma 3, whose rotation has keys of its own."""
    heads = config["num_attention_heads"]
    if kind == "phi3":
        part = rng.choice([1.0, 0.5])
        head = rng.choice([8, 16])
        config |= {"pad_token_id": 0, "hidden_size": heads * head, "partial_rotary_factor": part}
        del config["head_dim"]
        config["sliding_window"] = rng.choice([None, 5, 40])
        if rng.random() < 0.5:
            half = int(head * part) // 2
            config |= {"original_max_position_embeddings": 24, "max_position_embeddings": 128}
            config["rope_scaling"] = {
                "type": "longrope",
                "short_factor": [1 + 0.1 * i for i in range(half)],
                "long_factor": [1 + 0.7 * i for i in range(half)],
            }
        return config
    config |= {
        "hidden_size": heads * rng.choice([6, 12]),
        "sliding_window": rng.choice([4, 17]),
        "sliding_window_pattern": rng.choice([2, 3]),
        "query_pre_attn_scalar": rng.choice([8, 30]),
    }
    if rng.random() < 0.4:
        config["final_logit_softcapping"] = rng.choice([3.0, 25.0])
    if rng.random() < 0.5:
        config["rope_scaling"] = {"rope_type": "linear", "factor": 4.0}
    return config


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    cases = list(drawn(asked.random, asked.seed) if asked.random else fixed())
    with open(asked.out, "w") as file:
        json.dump(cases, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
