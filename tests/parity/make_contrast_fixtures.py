"""Makes the parity fixtures of contrastive models: SigLIP, SigLIP 2 of one size, and CLIP in the
layouts that OpenCLIP's conversions have.

    OMP_NUM_THREADS=1 python tests/parity/make_contrast_fixtures.py tests/parity/fixtures [NAME…]
    python tests/parity/make_contrast_fixtures.py OUT random SEED COUNT

The second form makes further random checkpoints outside the repository. The expected answers are
those of `transformers`, with Pillow's image processors.
"""

import io
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import sentencepiece
import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    CLIPConfig,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    SiglipTokenizer,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from make_fixtures import ROOT, TEXT, clip_tokenizer, expect, pictures, randomise, save

LABELS = [
    "a photo of a cat",
    "a photo of someone reading a book",
    "keys",
    "",
    "Café,  HELLO  world!",
    "the train leaves at nine. somebody said good morning, don't stop -- now?",
    " (the) KEYS ",
]


def spiece(folder, rules):
    """A SigLIP tokenizer with a SentencePiece file. Its table of characters has a few rules only: the
    usual one has 230 kB."""
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "rules.tsv"
        table.write_text("".join(f"{a}\t{b}\n" for a, b in rules))
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(line.lower() for line in TEXT),
            model_writer=model,
            vocab_size=180,
            model_type="unigram",
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            hard_vocab_limit=False,
            normalization_rule_tsv=str(table),
            minloglevel=2,
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(model.getvalue())
    tokenizer = SiglipTokenizer(
        str(folder / "spiece.model"), model_input_names=["input_ids"], model_max_length=24
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def gemma(folder, lower, side, vocab=260):
    """A tokenizer with the parts of Gemma's, as SigLIP 2 has it."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    steps = [normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(
        ([normalizers.Lowercase()] if lower else []) + steps
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.train_from_iterator(
        [t.lower() for t in TEXT],
        trainers.BpeTrainer(
            vocab_size=vocab,
            special_tokens=["<pad>", "<eos>", "<bos>", "<unk>"],
            show_progress=False,
        ),
    )
    eos = tokenizer.token_to_id("<eos>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", pair="$A <eos> $B <eos>", special_tokens=[("<eos>", eos)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
        padding_side=side,
        model_max_length=20,
        model_input_names=["input_ids"],
    )
    fast.save_pretrained(folder)
    return fast


def answers(folder, model, encode, images, normal):
    """The expected vectors, scores and probabilities."""

    def unit(x):
        return (x / x.norm(dim=-1, keepdim=True))[0]

    shown = pictures()
    with torch.no_grad():
        pixels = {k: images(v, return_tensors="pt")["pixel_values"] for k, v in shown.items()}
        seen = {
            k: unit(model.get_image_features(pixel_values=v).pooler_output)
            for k, v in pixels.items()
        }
        ids = [encode(text) for text in LABELS]
        read = [
            unit(model.get_text_features(input_ids=torch.tensor([i])).pooler_output) for i in ids
        ]
        cosines = torch.stack(read) @ seen["wide"]
        logits = cosines * model.logit_scale.exp()
        logits = logits + model.logit_bias if hasattr(model, "logit_bias") else logits
    expect(
        folder,
        images=seen,
        texts=[
            {"text": t, "ids": i, "vector": v.numpy().tolist()}
            for t, i, v in zip(LABELS, ids, read)
        ],
        rank={"scores": cosines, "probabilities": normal(logits)},
    )


def siglip(folder, seed, dtype, shards, tokenizer, text, vision, processor):
    folder.mkdir(parents=True, exist_ok=True)
    length = min(tokenizer.model_max_length, text["max_position_embeddings"])
    config = SiglipConfig(text_config={"vocab_size": len(tokenizer), **text}, vision_config=vision)
    model = randomise(SiglipModel(config), seed)
    with torch.no_grad():
        model.logit_bias.fill_(-1.5)
        model.logit_scale.fill_(1.9)
    model = save(model, folder, dtype, shards)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "SiglipImageProcessor", **processor})
    )

    def encode(text):
        return tokenizer(text, padding="max_length", max_length=length, truncation=True)[
            "input_ids"
        ]

    answers(folder, model, encode, SiglipImageProcessorPil(**processor), torch.sigmoid)


def openclip(folder, seed, dtype, layout, text, vision, projection, processor):
    """A CLIP checkpoint whose configuration has one of the layouts on the hub."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = clip_tokenizer(folder, True)
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": 16, "eos_token_id": 2, **text}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection)
    model = save(randomise(CLIPModel(config), seed), folder, dtype, 1)
    written = {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": projection,
        "logit_scale_init_value": 2.6592,
        "torch_dtype": "float32",
    }
    if layout == "partial":  # only what differs from the defaults
        written |= {"text_config": text, "vision_config": vision}
    elif layout == "dict":  # as laion/CLIP-ViT-H-14: `…_config_dict` beside a complete object
        old = {"eos_token_id": 1, "hidden_act": "quick_gelu"}
        written |= {
            "text_config": {**model.config.text_config.to_dict(), **old},
            "vision_config": {**model.config.vision_config.to_dict(), "hidden_act": "quick_gelu"},
            "text_config_dict": text,
            "vision_config_dict": vision,
        }
    else:  # complete, with nulls
        written |= {
            "text_config": {**model.config.text_config.to_dict(), "dtype": None},
            "vision_config": {**model.config.vision_config.to_dict(), "dtype": None},
            "text_config_dict": None,
            "vision_config_dict": None,
        }
    (folder / "config.json").write_text(json.dumps(written))
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "CLIPImageProcessor", **processor})
    )

    def encode(text):
        return tokenizer(text, truncation=True, max_length=16)["input_ids"]

    answers(folder, model, encode, CLIPImageProcessorPil(**processor), lambda x: x.softmax(-1))


RULES = [("2581", "20"), ("A0", "20"), ("E9", "65"), ("FB01", "66 69")]


def small(hidden, inner, heads, layers, **more):
    return {
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        **more,
    }


def jobs():
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return {
        "siglip-spiece": lambda f: siglip(
            f,
            31,
            torch.float32,
            1,
            spiece(f, RULES),
            small(32, 48, 4, 2, max_position_embeddings=24),
            small(32, 40, 2, 2, image_size=32, patch_size=8),
            {"size": {"height": 32, "width": 32}, "resample": 3, **half},
        ),
        "siglip-gemma": lambda f: siglip(
            f,
            32,
            torch.bfloat16,
            2,
            gemma(f, True, "right"),
            small(24, 32, 3, 3, max_position_embeddings=20, projection_size=40),
            small(40, 56, 5, 2, image_size=28, patch_size=7, hidden_act="gelu"),
            {"size": {"height": 28, "width": 28}, "resample": 2, **half},
        ),
        "siglip-left": lambda f: siglip(
            f,
            33,
            torch.float16,
            1,
            gemma(f, False, "left"),
            small(40, 64, 8, 1, max_position_embeddings=32, layer_norm_eps=1e-5),
            small(40, 48, 4, 3, image_size=30, patch_size=8),
            {
                "size": {"height": 30, "width": 30},
                "resample": 3,
                "image_mean": [0.4, 0.5, 0.6],
                "image_std": [0.3, 0.2, 0.25],
            },
        ),
        "openclip-partial": lambda f: openclip(
            f,
            41,
            torch.float32,
            "partial",
            small(24, 40, 3, 2, hidden_act="gelu"),
            small(32, 48, 4, 2, hidden_act="gelu", image_size=32, patch_size=8),
            28,
            {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}},
        ),
        "openclip-dict": lambda f: openclip(
            f,
            42,
            torch.float16,
            "dict",
            small(40, 48, 4, 1, hidden_act="gelu"),
            small(64, 40, 4, 2, hidden_act="gelu", image_size=24, patch_size=6),
            36,
            {"size": 24, "crop_size": 24},
        ),
        "openclip-nulls": lambda f: openclip(
            f,
            43,
            torch.bfloat16,
            "nulls",
            small(32, 24, 2, 3),
            small(48, 64, 3, 1, hidden_act="gelu", image_size=28, patch_size=14),
            20,
            {"size": {"shortest_edge": 28}, "crop_size": 28, "image_mean": [0.5, 0.4, 0.3]},
        ),
    }


def at_random(out, seed, count):
    """Checkpoints of random shapes."""
    for n in range(count):
        rng = random.Random(seed + n)
        folder = out / f"contrast-{seed + n}"
        shutil.rmtree(folder, ignore_errors=True)

        def tower(width=None):
            heads = rng.choice([1, 2, 3, 4, 6, 8])
            width = width or heads * rng.choice([4, 6, 8, 12, 16])
            heads = heads if width % heads == 0 else 1
            return small(width, rng.randint(5, 90), heads, rng.randint(1, 4))

        patch = rng.randint(3, 16)
        side = patch * rng.randint(1, 5) + rng.randint(0, 2) % patch
        act = rng.choice(["gelu", "quick_gelu", "gelu_pytorch_tanh", "gelu_new"])
        dtype = rng.choice([torch.float32, torch.float16, torch.bfloat16])
        picture = {
            "image_size": side,
            "patch_size": patch,
            "hidden_act": act,
            "layer_norm_eps": rng.choice([1e-5, 1e-6, 1e-3]),
        }
        resample = {"resample": rng.choice([2, 3]), "image_std": [rng.uniform(0.2, 0.6)] * 3}
        if n % 2:
            text, vision = tower(), tower()
            text["hidden_act"] = act
            openclip(
                folder,
                seed + n,
                dtype,
                rng.choice(["partial", "dict", "nulls"]),
                text,
                {**vision, **picture},
                rng.randint(3, 70),
                {"size": {"shortest_edge": side}, "crop_size": side, **resample},
            )
            continue
        length = rng.randint(2, 40)
        tokenizer = (
            spiece(folder, RULES)
            if rng.random() < 0.5
            else gemma(folder, rng.random() < 0.5, rng.choice(["left", "right"]))
        )
        text = {**tower(), "max_position_embeddings": length, "hidden_act": act}
        vision = {**tower(), **picture}
        text["projection_size"] = vision["hidden_size"]
        siglip(
            folder,
            seed + n,
            dtype,
            1,
            tokenizer,
            text,
            vision,
            {"size": {"height": side, "width": side}, **resample},
        )


def main():
    if sys.argv[2:3] == ["random"]:
        return at_random(ROOT, int(sys.argv[3]), int(sys.argv[4]))
    only = set(sys.argv[2:])
    for name, make in jobs().items():
        if not only or name in only:
            shutil.rmtree(ROOT / name, ignore_errors=True)
            make(ROOT / name)
            size = sum(f.stat().st_size for f in (ROOT / name).rglob("*") if f.is_file())
            print(name, size // 1024, "kB")


if __name__ == "__main__":
    main()
