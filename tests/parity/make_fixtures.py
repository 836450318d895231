"""Makes the parity fixtures: small random checkpoints, inputs, and the answers of Python's
`transformers`.

    OMP_NUM_THREADS=1 python tests/parity/make_fixtures.py tests/parity/fixtures [NAME…]
    python tests/parity/make_fixtures.py minilm ~/.cache/elenchus/models/all-MiniLM-L6-v2

It needs torch, transformers, tokenizers, pillow, safetensors (versions in
training/requirements.txt). The weights have a larger deviation than a fresh model's, so that
attention and greedy choices are far from ties. Every expected number is computed in float32,
whatever dtype the file stores.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
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
    BertConfig,
    BertModel,
    BertTokenizerFast,
    CLIPConfig,
    CLIPModel,
    CLIPTokenizerFast,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/parity/fixtures")
ONLY = set(sys.argv[2:])
TEXT = (
    """where did i last see the keys? the keys were on the kitchen table. i was in the kitchen at noon, cooking.
a photo of a cat, a photo of a dog, a photo of someone reading a book in the garden. what colour was the spaceship?
Hello World! Hello there, how are you today? I am reading the log and answering questions about the video.
somebody said the train leaves at nine. somebody said good morning. naïve café façade 12345 67890""".split(
        "\n"
    )
    * 4
)


def randomise(model, seed, deviation=0.25):
    """Weights far from the usual initialisation. Norms stay near one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "logit_scale" in name:
                p.fill_(2.3)
            elif "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.2 * torch.randn(p.shape, generator=generator))
            elif "embed_positions.weight" in name and "encoder" in name:
                continue
            else:
                p.copy_(deviation * torch.randn(p.shape, generator=generator))
    return model.eval()


def save(model, folder, dtype=torch.float32, shards=1):
    """Rounds the weights to `dtype`, stores them (in `shards` files) and returns the model in
    float32."""
    folder.mkdir(parents=True, exist_ok=True)
    model.to(dtype)
    model.save_pretrained(folder, max_shard_size="10GB")
    if shards > 1:
        whole = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        names, index = sorted(whole), {}
        for n in range(shards):
            file = f"model-{n + 1:05d}-of-{shards:05d}.safetensors"
            part = {k: whole[k] for k in names[n::shards]}
            index.update({k: file for k in part})
            save_file(part, folder / file, metadata={"format": "pt"})
        (folder / "model.safetensors.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": index})
        )
    return model.to(torch.float32)


def expect(folder, **what):
    def plain(x):
        if isinstance(x, torch.Tensor):
            x = x.detach().numpy()
        if isinstance(x, np.ndarray):
            return np.round(x.astype(float), 7).tolist()
        return {k: plain(v) for k, v in x.items()} if isinstance(x, dict) else x

    (folder / "expected.json").write_text(json.dumps(plain(what), ensure_ascii=False))


def bytelevel(vocab, specials, prefix_space=False):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[],
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.add_special_tokens(specials)
    return tokenizer


# ---------------------------------------------------------------- CLIP


def pictures():
    """Noise with the structure of photographs, in shapes that must be scaled up, scaled down and
    cropped off centre."""
    rng = np.random.default_rng(7)
    folder = ROOT / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (width, height) in {
        "wide": (97, 61),
        "tall": (45, 83),
        "tiny": (13, 9),
        "odd": (33, 32),
    }.items():
        y, x = np.mgrid[0:height, 0:width]
        base = np.stack([np.sin(x / 5 + y / 9), np.cos(x / 3), np.sin(y / 4 + 1)], -1) * 90 + 128
        pixels = np.clip(base + rng.normal(0, 30, base.shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return {p.stem: Image.open(p).convert("RGB") for p in sorted(folder.glob("*.png"))}


def jpegs():
    """Variants of chroma subsampling and coefficient order, with the pixels that Pillow decodes."""
    folder = ROOT / "jpeg"
    folder.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[0:19, 0:37]
    pixels = np.stack([x * 6 + y, 255 - y * 12, (x * y) % 256], -1).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    ways = {
        "444": dict(subsampling=0),
        "422": dict(subsampling=1),
        "420": dict(subsampling=2, quality=60, restart_marker_blocks=2),
        "progressive": dict(progressive=True, subsampling=2),
        "grey": dict(quality=40),
        "rgb": dict(keep_rgb=True),
    }
    for name, how in ways.items():
        (image.convert("L") if name == "grey" else image).save(
            folder / f"{name}.jpg", optimize=True, **how
        )
        Image.open(folder / f"{name}.jpg").convert("RGB").save(
            folder / f"{name}.png", optimize=True
        )


def clip_tokenizer(folder, legacy):
    tokenizer = Tokenizer(
        models.BPE(
            continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token="<|endoftext|>"
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(__import__("tokenizers").Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=[],
        end_of_word_suffix="</w>",
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([t.lower() for t in TEXT], trainer)
    state = json.loads(tokenizer.to_str())["model"]
    vocab = dict(state["vocab"])
    for token in ["<|startoftext|>", "<|endoftext|>"]:
        vocab[token] = len(vocab)
    fast = CLIPTokenizerFast(vocab=vocab, merges=[tuple(m) for m in state["merges"]])
    fast.model_max_length = 16
    fast.save_pretrained(folder)
    return fast


def clip(name, seed, dtype, shards, vision, text, projection, processor, legacy):
    folder = ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = clip_tokenizer(folder, legacy)
    bos, eos = tokenizer.convert_tokens_to_ids(["<|startoftext|>", "<|endoftext|>"])
    text = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 16,
        "bos_token_id": bos,
        "pad_token_id": 1,
        "eos_token_id": 2 if legacy else eos,
        **text,
    }
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection)
    model = save(randomise(CLIPModel(config), seed), folder, dtype, shards)
    images = CLIPImageProcessorPil(**processor)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "CLIPImageProcessor", **processor})
    )
    shown = pictures()
    pixels = {k: images(v, return_tensors="pt")["pixel_values"] for k, v in shown.items()}
    texts = [
        "a photo of a cat",
        "a photo of someone reading a book",
        "keys",
        "",
        "Café,  HELLO  world!",
    ]
    with torch.no_grad():

        def unit(x):
            return (x / x.norm(dim=-1, keepdim=True))[0]

        def feature(out):
            return out if isinstance(out, torch.Tensor) else out.pooler_output

        image_vectors = {
            k: unit(feature(model.get_image_features(pixel_values=v))) for k, v in pixels.items()
        }
        ids = [tokenizer(t, truncation=True, max_length=16)["input_ids"] for t in texts]
        text_vectors = [
            unit(feature(model.get_text_features(input_ids=torch.tensor([i])))) for i in ids
        ]
        padded = tokenizer(
            texts[:3], padding=True, truncation=True, max_length=16, return_tensors="pt"
        )
        logits = model(pixel_values=pixels["wide"], **padded).logits_per_image[0]
    expect(
        folder,
        pixels={k: v.flatten()[:: max(1, v.numel() // 400)] for k, v in pixels.items()},
        images=image_vectors,
        texts=[
            {"text": t, "ids": i, "vector": v.numpy().tolist()}
            for t, i, v in zip(texts, ids, text_vectors)
        ],
        probabilities=logits.softmax(-1),
    )


# ---------------------------------------------------------------- language models


def lm(name, seed, dtype, shards, bos, template, **config):
    folder = ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    specials = ["<|begin|>", "<|im_start|>", "<|im_end|>"]
    backend = bytelevel(300, specials)
    if bos:
        backend.post_processor = processors.Sequence(
            [
                processors.ByteLevel(trim_offsets=False),
                processors.TemplateProcessing(
                    single="<|begin|> $A",
                    special_tokens=[("<|begin|>", backend.token_to_id("<|begin|>"))],
                ),
            ]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|begin|>", eos_token="<|im_end|>"
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    begin, end = tokenizer.convert_tokens_to_ids(["<|begin|>", "<|im_end|>"])
    size = {
        "vocab_size": len(tokenizer),
        "bos_token_id": begin,
        "eos_token_id": end,
        "pad_token_id": None,
        "max_position_embeddings": 256,
    }
    model = save(
        randomise(LlamaForCausalLM(LlamaConfig(**{**size, **config})), seed, 0.12),
        folder,
        dtype,
        shards,
    )
    # Read back, because the conversion to `dtype` rounded the buffers of rotary positions.
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompts = [
        "where did i last see the keys?",
        "Hello",
        "the train leaves at nine. somebody said good morning, café 12345",
    ]
    cases = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, -1]
            new = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=24,
                pad_token_id=end,
            )
        new = new[0, ids.shape[1] :].tolist()
        tokens = new[:-1] if new and new[-1] == end else new
        cases.append(
            {
                "prompt": prompt,
                "ids": ids[0].tolist(),
                "logits": logits.numpy().astype(float).round(6).tolist(),
                "tokens": tokens,
                "text": tokenizer.decode(tokens, skip_special_tokens=True),
            }
        )
    chats = [
        [{"role": "user", "content": "Hello there"}],
        [
            {"role": "system", "content": "Be  brief."},
            {"role": "user", "content": "where are the keys?\n"},
            {"role": "assistant", "content": "on the table"},
            {"role": "user", "content": "<b>sure?</b>"},
        ],
    ]
    rendered = []
    for chat in chats:
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        rendered.append(
            {
                "messages": chat,
                "text": text,
                "ids": tokenizer(text, add_special_tokens=False)["input_ids"],
            }
        )
    expect(folder, cases=cases, chats=rendered)


CHATML = (
    "{%- for m in messages %}{{- '<|im_start|>' + m['role'] + '\n' + m.content | trim + '<|im_end|>' + '\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
LLAMAISH = (
    "{{- bos_token }}\n{%- if messages[0]['role'] == 'system' %}\n    "
    "{%- set system = messages[0]['content'].strip() %}\n"
    "    {%- set messages = messages[1:] %}\n{%- else %}\n    "
    "{%- set system = '' %}\n{%- endif %}\n"
    "{{- '<|im_start|>system\n' }}{{- system.upper() if system.startswith('Be') else 'none' }}{{- '<|im_end|>' }}\n"
    "{%- for message in messages %}\n    "
    "{%- if message.role not in ['user', 'assistant'] %}{{ raise_exception('bad role') }}{%- endif %}\n"
    "    {{- '<|im_start|>' ~ message.role ~ '\n' ~ message['content'].strip() ~ '<|im_end|>' }}\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\n' }}\n{%- endif %}"
)


# ---------------------------------------------------------------- Whisper

LANGUAGES = ["en", "de", "fr"]


def sounds():
    """Chirps and noise at 16 kHz. safetensors keeps float32 exactly."""

    def t(seconds):
        return np.arange(int(seconds * 16000)) / 16000

    rng = np.random.default_rng(3)
    short, long = t(3.21), t(19.4)
    made = {
        "short": 0.4 * np.sin(2 * np.pi * (200 + 300 * short) * short)
        + 0.02 * rng.normal(size=short.size),
        "long": 0.3 * np.sin(2 * np.pi * 440 * long) * (np.sin(2 * np.pi * 0.35 * long) > 0)
        + 0.01 * rng.normal(size=long.size),
    }
    made = {k: torch.tensor((np.clip(v, -1, 1) * 32767).astype(np.int16)) for k, v in made.items()}
    save_file(made, ROOT / "sounds.safetensors")
    return {k: (v.numpy().astype(np.float32) / 32768) for k, v in made.items()}


def whisper(name, seed, dtype, multilingual, mels, seconds, **config):
    folder = ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    specials = ["<|endoftext|>", "<|startoftranscript|>"] + [
        f"<|{x}|>" for x in (LANGUAGES if multilingual else ["en"])
    ]
    specials += [
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
    ]
    backend = bytelevel(280, specials)
    backend.add_tokens([f"<|{i * 0.02:.2f}|>" for i in range(seconds * 50 + 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|endoftext|>", bos_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)
    i = tokenizer.convert_tokens_to_ids
    size = dict(
        vocab_size=len(tokenizer),
        num_mel_bins=mels,
        max_source_positions=seconds * 50,
        max_target_positions=64,
        decoder_start_token_id=i("<|startoftranscript|>"),
        eos_token_id=i("<|endoftext|>"),
        bos_token_id=i("<|endoftext|>"),
        pad_token_id=i("<|endoftext|>"),
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = randomise(
        WhisperForConditionalGeneration(WhisperConfig(**{**size, **config})), seed, 0.3
    )
    with torch.no_grad():  # the many timestamps would otherwise outweigh the text
        model.model.decoder.embed_tokens.weight[i("<|notimestamps|>") + 1 :] *= 0.4
    g = model.generation_config
    g.no_timestamps_token_id, g.max_initial_timestamp_index = i("<|notimestamps|>"), 50
    g.is_multilingual, g.prev_sot_token_id = multilingual, i("<|startofprev|>")
    g.suppress_tokens = [3, 7, i("<|startoflm|>"), i("<|nospeech|>")] + [
        i(s) for s in specials[1:-1]
    ]
    g.suppress_tokens = sorted(set(g.suppress_tokens))
    g.begin_suppress_tokens = [i("<|endoftext|>"), 220]
    g.max_length = 64
    if multilingual:
        g.lang_to_id = {f"<|{x}|>": i(f"<|{x}|>") for x in LANGUAGES}
        g.task_to_id = {"transcribe": i("<|transcribe|>"), "translate": i("<|translate|>")}
    model = save(model, folder, dtype)
    extractor = WhisperFeatureExtractor(feature_size=mels, chunk_length=seconds)
    extractor.save_pretrained(folder)
    heard, cases, mel = sounds(), [], {}
    for sound, samples in heard.items():
        is_long = samples.size > seconds * 16000
        features = extractor(samples, sampling_rate=16000, return_tensors="pt")["input_features"]
        mel[sound] = {"shape": list(features.shape[1:]), "values": features.flatten()[::97]}
        if is_long:
            features = extractor(
                samples,
                sampling_rate=16000,
                return_tensors="pt",
                truncation=False,
                padding="longest",
            )["input_features"]
        for timestamps in [True] if is_long else [False, True]:
            for language in ["de", None] if multilingual else [None]:
                more = {"language": language, "task": "transcribe"} if language else {}
                with torch.no_grad():
                    out = model.generate(
                        features, return_timestamps=timestamps, return_segments=True, **more
                    )
                segments = [
                    {
                        "start": float(s["start"]),
                        "end": float(s["end"]),
                        "tokens": s["tokens"].tolist(),
                    }
                    for s in out["segments"][0]
                ]
                begin = g.no_timestamps_token_id
                for s in segments:
                    s["text"] = tokenizer.decode(
                        [t for t in s["tokens"] if t < begin], skip_special_tokens=True
                    ).strip()
                cases.append(
                    {
                        "sound": sound,
                        "timestamps": timestamps,
                        "language": language,
                        "segments": segments,
                    }
                )
    # text of random weights is improbable and repetitive; elenchus would drop it by its default thresholds
    config = json.loads((folder / "generation_config.json").read_text())
    config |= {"compression_ratio_threshold": 1000.0, "logprob_threshold": -1000.0}
    (folder / "generation_config.json").write_text(
        json.dumps(config, indent=2, sort_keys=True) + "\n"
    )
    expect(folder, mel=mel, cases=cases)


# ---------------------------------------------------------------- sentence embedders


def bert(name, seed, dtype, pooling, **config):
    folder = ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.train_from_iterator(
        TEXT,
        trainers.WordPieceTrainer(
            vocab_size=200,
            special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
            show_progress=False,
        ),
    )
    words = sorted(backend.get_vocab().items(), key=lambda x: x[1])
    tokenizer = BertTokenizerFast(vocab=dict(words))
    tokenizer.save_pretrained(folder)
    model = save(
        randomise(
            BertModel(
                BertConfig(**{"vocab_size": len(words), "max_position_embeddings": 48, **config})
            ),
            seed,
        ),
        folder,
        dtype,
    )
    if pooling:
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    texts = [
        "where did i last see the keys?",
        "Hello World!",
        "the train",
        "somebody said the train leaves at nine, café 12345 " * 8,
    ]
    rows = []
    for text in texts:
        batch = tokenizer(text, return_tensors="pt", truncation=True, max_length=48)
        with torch.no_grad():
            hidden = model(**batch).last_hidden_state[0]
        vector = hidden[0] if pooling and pooling.get("pooling_mode_cls_token") else hidden.mean(0)
        rows.append(
            {
                "text": text,
                "ids": batch["input_ids"][0].tolist(),
                "vector": (vector / vector.norm()).numpy().tolist(),
            }
        )
    expect(folder, texts=rows)


def minilm(folder):
    """Writes the answers of transformers for the real all-MiniLM-L6-v2 in `folder` (see
    tests/real/fetch.sh) beside this script."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = (
        AutoTokenizer.from_pretrained(folder),
        AutoModel.from_pretrained(folder, dtype=torch.float32).eval(),
    )
    rows = []
    for text in [
        "Where did I last see the keys?",
        "A photo of a cat.",
        "naïve café 東京 12345",
        "a",
    ]:
        batch = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
        with torch.no_grad():
            vector = model(**batch).last_hidden_state[0].mean(0)
        rows.append({"text": text, "vector": [round(float(v), 7) for v in vector / vector.norm()]})
    (Path(__file__).parent / "minilm_expected.json").write_text(
        json.dumps({"texts": rows}, ensure_ascii=False)
    )


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "minilm":
        return minilm(sys.argv[2])
    torch.manual_seed(0)
    ROOT.mkdir(parents=True, exist_ok=True)
    small = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
    }
    if not ONLY or "jpeg" in ONLY:
        jpegs()
    jobs = {
        "clip-legacy": lambda n: clip(
            n,
            1,
            torch.float32,
            1,
            {**small, "image_size": 32, "patch_size": 8, "hidden_act": "quick_gelu"},
            {**small, "hidden_size": 24, "num_attention_heads": 2, "hidden_act": "quick_gelu"},
            16,
            {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}},
            True,
        ),
        "clip-gelu": lambda n: clip(
            n,
            2,
            torch.bfloat16,
            2,
            {
                **small,
                "num_hidden_layers": 3,
                "image_size": 24,
                "patch_size": 6,
                "hidden_act": "gelu",
            },
            {**small, "num_attention_heads": 8, "hidden_act": "gelu"},
            20,
            {
                "size": 28,
                "crop_size": 24,
                "image_mean": [0.5, 0.4, 0.3],
                "image_std": [0.2, 0.3, 0.4],
            },
            False,
        ),
        "lm-tied": lambda n: lm(
            n,
            3,
            torch.float32,
            1,
            False,
            CHATML,
            hidden_size=48,
            intermediate_size=80,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=True,
            rope_theta=5000.0,
        ),
        "lm-untied": lambda n: lm(
            n,
            4,
            torch.float16,
            3,
            True,
            LLAMAISH,
            hidden_size=48,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=6,
            num_key_value_heads=3,
            head_dim=16,
            tie_word_embeddings=False,
            attention_bias=True,
            mlp_bias=True,
            rms_norm_eps=1e-5,
            rope_parameters={
                "rope_type": "llama3",
                "rope_theta": 10000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
        ),
        "whisper-multi": lambda n: whisper(
            n,
            5,
            torch.float32,
            True,
            80,
            8,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
        ),
        "whisper-en": lambda n: whisper(
            n,
            6,
            torch.float16,
            False,
            128,
            30,
            d_model=24,
            encoder_layers=1,
            decoder_layers=3,
            encoder_attention_heads=2,
            decoder_attention_heads=3,
            encoder_ffn_dim=32,
            decoder_ffn_dim=40,
            scale_embedding=True,
        ),
        "bert-mean": lambda n: bert(
            n,
            7,
            torch.float32,
            {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
            **small,
        ),
        "bert-plain": lambda n: bert(
            n,
            8,
            torch.bfloat16,
            None,
            **{**small, "hidden_size": 40, "num_attention_heads": 5, "hidden_act": "gelu_new"},
        ),
    }
    for name, make in jobs.items():
        if not ONLY or name in ONLY:
            shutil.rmtree(ROOT / name, ignore_errors=True)
            make(name)
            print(
                name,
                sum(f.stat().st_size for f in (ROOT / name).rglob("*") if f.is_file()) // 1024,
                "kB",
            )


if __name__ == "__main__":
    main()
