"""CLIP images a second, ours against PyTorch: the same random weights, two threads, in one run, each side in turn twice.

    python benches/clip.py [path of the built `clip` bench]      (else: cargo bench --bench clip)

Prints a Markdown table of the better of two rounds of each side, and their ratio.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="2", MKL_NUM_THREADS="2", RAYON_NUM_THREADS="2")
import torch
from tokenizers import Tokenizer, models
from transformers import CLIPConfig, CLIPModel

SECONDS, BATCHES = 4.0, [1, 8, 32]


def make(folder):
    """Random weights of ViT-B/32's width with half its layers; a text tower just large enough to load."""
    vision = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 6, "image_size": 224, "patch_size": 32}
    text = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 1, "num_hidden_layers": 1, "vocab_size": 8, "max_position_embeddings": 8}
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(vision_config=vision, text_config=text, projection_dim=512)).eval()
    model.save_pretrained(folder)
    Tokenizer(models.WordLevel({"a": 0}, unk_token="a")).save(str(Path(folder) / "tokenizer.json"))
    return model


def theirs(model):
    rates = {}
    for batch in BATCHES:
        pixels = torch.rand(batch, 3, 224, 224)
        with torch.no_grad():
            model.get_image_features(pixel_values=pixels)
            start, images = time.perf_counter(), 0
            while time.perf_counter() - start < SECONDS:
                model.get_image_features(pixel_values=pixels)
                images += batch
            rates[str(batch)] = images / (time.perf_counter() - start)
    return rates


def ours(folder, command):
    out = subprocess.run(command, env={**os.environ, "ELENCHUS_CLIP_BENCH": folder}, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(out.stdout.strip().splitlines()[-1])


def main():
    command = sys.argv[1:] or ["cargo", "bench", "--bench", "clip"]
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        model = make(folder)
        rounds = [(ours(folder, command), theirs(model)) for _ in range(2)]
    print("| CLIP ViT-B/32, 6 layers, f32, 2 threads | elenchus images/s | PyTorch images/s | ratio |\n| --- | --- | --- | --- |")
    for batch in map(str, BATCHES):
        a, b = (max(r[side][batch] for r in rounds) for side in (0, 1))
        print(f"| batch {batch} | {a:.1f} | {b:.1f} | {a / b:.2f} |")


if __name__ == "__main__":
    main()
