"""CLIP images a second, elenchus against PyTorch: the same weights and threads, in one run, each side in turn twice.

    python benches/clip.py [path of the built `clip` bench]      (else: cargo bench --bench clip)

Prints Markdown: the better of two rounds of each side, their ratio, and elenchus' share of the limit. Two threads are measured in
wall-clock time. One thread is measured in computing time, which other work on the machine lengthens little.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from tokenizers import Tokenizer, models
from transformers import CLIPConfig, CLIPModel

SECONDS, BATCHES = 3.0, [1, 8, 32]
STARTER = Path(__file__).parent.parent / "agents/starter/clip"


def make(folder):
    """Random weights in the shape of ViT-B/32, with the smallest text tower that loads."""
    vision = {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "image_size": 224,
        "patch_size": 32,
    }
    text = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_attention_heads": 1,
        "num_hidden_layers": 1,
        "vocab_size": 8,
        "max_position_embeddings": 8,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(vision_config=vision, text_config=text, projection_dim=512)).eval()
    model.save_pretrained(folder)
    Tokenizer(models.WordLevel({"a": 0}, unk_token="a")).save(str(Path(folder) / "tokenizer.json"))
    return model


def operations(config):
    """Floating-point operations of one image: the matrix products, with two operations for each multiply-add."""
    w, tokens = config.hidden_size, (config.image_size // config.patch_size) ** 2 + 1
    layer = 2 * tokens * (4 * w * w + 2 * w * config.intermediate_size) + 4 * tokens * tokens * w
    return config.num_hidden_layers * layer + 2 * (tokens - 1) * 3 * config.patch_size**2 * w


def rates(call, work):
    """(units of `work` a second of wall-clock time, units a second of computing time)."""
    call()
    start, computed, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < SECONDS:
        call()
        done += work
    return done / (time.perf_counter() - start), done / (time.process_time() - computed)


def theirs(model):
    side = model.config.vision_config.image_size
    with torch.inference_mode():
        batches = {batch: torch.rand(batch, 3, side, side) for batch in BATCHES}
        return {
            str(b): rates(lambda: model.get_image_features(pixel_values=pixels), b)
            for b, pixels in batches.items()
        }


def ours(folder, threads, command):
    environment = {
        **os.environ,
        "ELENCHUS_CLIP_BENCH": str(folder),
        "RAYON_NUM_THREADS": str(threads),
    }
    out = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(out.stdout.strip().splitlines()[-1])


def limit():
    """f32 operations a second of a large matrix product in PyTorch: the practical limit of this machine."""
    a = torch.rand(2048, 2048)
    return rates(lambda: a @ a, 2 * 2048**3)


def table(name, folder, model, command):
    flops = operations(model.config.vision_config)
    for threads, measure, how in [
        (1, 1, "one thread, images for each second computed"),
        (2, 0, "two threads, images a second"),
    ]:
        torch.set_num_threads(threads)
        rounds = [(ours(folder, threads, command), theirs(model), limit()) for _ in range(2)]
        most = max(r[2][measure] for r in rounds)
        print(
            f"\n{name}, f32, {how} ({flops / 1e9:.2f} Gflop each; a large product runs at {most / 1e9:.0f} Gflop/s)\n"
        )
        print(
            "| batch | elenchus | PyTorch | ratio | elenchus, of the limit |\n| --- | --- | --- | --- | --- |"
        )
        for batch in map(str, BATCHES):
            a, b = (max(r[side][batch][measure] for r in rounds) for side in (0, 1))
            print(
                f"| {batch} | {a:.1f} | {b:.1f} | {a / b:.2f} | {100 * a * flops / most:.0f} % |",
                flush=True,
            )


def main():
    command = sys.argv[1:] or ["cargo", "bench", "--locked", "--bench", "clip"]
    table(
        "starter-clip",
        STARTER,
        CLIPModel.from_pretrained(STARTER, dtype=torch.float32).eval(),
        command,
    )
    with tempfile.TemporaryDirectory() as folder:
        table("ViT-B/32, random weights", folder, make(folder), command)


if __name__ == "__main__":
    main()
