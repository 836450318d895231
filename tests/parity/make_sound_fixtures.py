"""Makes the parity fixtures of CLAP: small random checkpoints, and the vectors and scores of Python's
`transformers` for sounds and texts.

    OMP_NUM_THREADS=1 python tests/parity/make_sound_fixtures.py tests/parity/fixtures [NAME…]
    python tests/parity/make_sound_fixtures.py OUT random SEED COUNT

A sound that is longer than the window has the mean of the vectors of its windows, each weighted by its
length: the extractor of transformers would take a random window.
"""

import random
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    PreTrainedTokenizerFast,
)

from make_fixtures import TEXT, expect, randomise, save

LABELS = [
    "a dog barks",
    "rain",
    "",
    "Somebody says: good morning!",
    "the doorbell of the house rings",
]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def sounds():
    """Stretches of the stored sounds at 16 kHz, as fractions of their samples."""
    stored = load_file(Path(__file__).parent / "fixtures/sounds.safetensors")
    long, short = (stored[name].astype(np.float32) / 32768.0 for name in ("long", "short"))
    return {
        "tiny": short[:3000],
        "short": short[:9000],
        "exact": short[:16000],
        "long": long[:37000],
    }


def vector(model, extractor, sound):
    """The vector of a sound, window by window."""
    window, whole = extractor.nb_max_samples, 0.0
    for start in range(0, len(sound), window):
        part = sound[start : start + window]
        inputs = extractor(part, sampling_rate=extractor.sampling_rate, return_tensors="pt")
        with torch.no_grad():
            one = model.get_audio_features(
                input_features=inputs["input_features"].float()
            ).pooler_output[0]
        if len(sound) <= window:
            return one
        whole = whole + one.double() * len(part)
    return (whole / whole.norm()).float()


def words():
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290,
        special_tokens=SPECIAL,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    backend.train_from_iterator(TEXT, trainer)
    backend.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), add_prefix_space=False
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=60,
    )


def clap(folder, seed, audio, text, features, dtype=torch.float32, width=24, act="relu"):
    tokenizer = words()
    config = ClapConfig(
        text_config={"vocab_size": len(tokenizer), "max_position_embeddings": 62, **text},
        audio_config=audio,
        projection_dim=width,
        projection_hidden_act=act,
    )
    model = randomise(ClapModel(config), seed)
    norm = model.audio_model.audio_encoder.batch_norm
    generator = torch.Generator().manual_seed(seed)
    norm.running_mean.copy_(-40 + 5 * torch.randn(norm.running_mean.shape, generator=generator))
    norm.running_var.copy_(400 + 100 * torch.rand(norm.running_var.shape, generator=generator))
    model = save(model, folder, dtype)
    extractor = ClapFeatureExtractor(truncation="rand_trunc", **features)
    extractor.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model.eval()
    texts = {}
    for label in LABELS:
        with torch.no_grad():
            texts[label] = model.get_text_features(
                **tokenizer([label], return_tensors="pt")
            ).pooler_output[0]
    heard = {name: vector(model, extractor, sound) for name, sound in sounds().items()}
    scores = {}
    for name, one in heard.items():
        logits = torch.stack([one @ other for other in texts.values()])
        scale = model.logit_scale_a.exp()
        scores[name] = {"cosine": logits, "probability": (logits * scale).softmax(0)}
    expect(folder, labels=LABELS, texts=texts, sounds=heard, scores=scores)


def audio(**more):
    return {
        "window_size": 4,
        "num_mel_bins": 16,
        "spec_size": 64,
        "hidden_size": 32,
        "depths": [2, 2],
        "num_attention_heads": [2, 4],
        "patch_embeds_hidden_size": 16,
        "patch_size": 4,
        "patch_stride": [4, 4],
        **more,
    }


def text(**more):
    return {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        **more,
    }


def features(**more):
    return {
        "feature_size": 16,
        "sampling_rate": 16000,
        "hop_length": 80,
        "fft_window_size": 256,
        "max_length_s": 1,
        "frequency_min": 50,
        "frequency_max": 7000,
        **more,
    }


def jobs():
    return {
        "clap-plain": lambda f: clap(f, 71, audio(), text(), features()),
        # windows that the grid does not fill, three stages, and sounds that are repeated to the end
        "clap-padded": lambda f: clap(
            f,
            72,
            audio(
                spec_size=96,
                window_size=5,
                depths=[2, 2, 1],
                num_attention_heads=[2, 2, 4],
                hidden_size=48,
                patch_embeds_hidden_size=12,
                qkv_bias=False,
                mlp_ratio=2.5,
            ),
            text(num_hidden_layers=1),
            features(padding="repeat", hop_length=160),
            dtype=torch.float16,
            act="gelu",
        ),
    }


def at_random(out, seed, count):
    """Checkpoints of random shapes."""
    for n in range(count):
        draw = random.Random(f"{seed} {n}")
        stages = draw.choice([1, 2, 3])
        window = draw.choice([1, 2, 3, 4, 5, 8])
        patch = draw.choice([2, 4])
        bins = draw.choice([16, 20, 32])
        ratio = draw.choice([2, 4])
        # the grid of the last stage holds a window
        grid = 2 ** (stages - 1) * draw.randint(window, 2 * window + 1)
        while grid * patch < bins * ratio or (grid * patch) % ratio or (grid * patch) // bins < 1:
            grid += 2 ** (stages - 1)
        spec = grid * patch
        if (spec // bins) == 0 or spec % (spec // bins):
            continue
        width = draw.choice([8, 12, 16])
        heads = [draw.choice([1, 2, 4]) for _ in range(stages)]
        hop = max(80, 16000 // (spec * (spec // bins) - 1) + 1)
        if hop > 512:
            continue
        clap(
            out / f"clap-{seed}-{n}",
            seed * 1000 + n,
            audio(
                window_size=window,
                num_mel_bins=bins,
                spec_size=spec,
                depths=[draw.randint(1, 3) for _ in range(stages)],
                num_attention_heads=heads,
                patch_embeds_hidden_size=width,
                hidden_size=width * 2 ** (stages - 1),
                patch_size=patch,
                patch_stride=draw.choice([patch, [patch, patch]]),
                qkv_bias=draw.random() < 0.7,
                enable_patch_layer_norm=draw.random() < 0.8,
                mlp_ratio=draw.choice([1.0, 2.0, 4.0]),
                hidden_act=draw.choice(["gelu", "relu"]),
                layer_norm_eps=draw.choice([1e-5, 1e-6]),
            ),
            text(hidden_size=draw.choice([16, 32]), num_hidden_layers=draw.randint(1, 3)),
            features(
                feature_size=bins,
                hop_length=hop,
                fft_window_size=512,
                padding=draw.choice(["repeatpad", "repeat", "pad"]),
                frequency_min=draw.choice([0, 50]),
                frequency_max=draw.choice([6000, 8000]),
            ),
            dtype=draw.choice([torch.float32, torch.float16, torch.bfloat16]),
            width=draw.choice([8, 24]),
            act=draw.choice(["relu", "gelu"]),
        )
        print(n, "spec", spec, "window", window, "stages", stages, flush=True)


def main():
    out = Path(sys.argv[1])
    if sys.argv[2:3] == ["random"]:
        return at_random(out, int(sys.argv[3]), int(sys.argv[4]))
    for name, job in jobs().items():
        if name in (sys.argv[2:] or jobs()):
            job(out / name)
            print(name, flush=True)


if __name__ == "__main__":
    main()
