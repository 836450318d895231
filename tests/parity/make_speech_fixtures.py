"""Makes the parity fixtures of models that hear: small random checkpoints of Whisper and Parakeet, and
what Python's `transformers` hears in the stored sounds.

    OMP_NUM_THREADS=1 python tests/parity/make_speech_fixtures.py tests/parity/fixtures [NAME…]
    python tests/parity/make_speech_fixtures.py OUT random SEED COUNT [whisper|parakeet]
    python tests/parity/make_speech_fixtures.py OUT real CHECKPOINT AUDIO
"""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoTokenizer,
    ParakeetFeatureExtractor,
    ParakeetForTDT,
    ParakeetProcessor,
    ParakeetTDTConfig,
    ParakeetTokenizer,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)
from transformers.models.whisper.tokenization_whisper import _decode_asr

from make_fixtures import LANGUAGES, TEXT, bytelevel, expect, randomise, save


def sounds():
    """The stored sounds at 16 kHz."""
    stored = load_file(Path(__file__).parent / "fixtures/sounds.safetensors")
    return {name: stored[name].astype(np.float32) / 32768.0 for name in ("long", "short")}


# ---------------------------------------------------------------- Whisper


class Words:
    """What `_decode_asr` needs of a Whisper tokenizer."""

    language = None

    def __init__(self, inner):
        self.inner = inner
        self.eos_token_id = inner.convert_tokens_to_ids("<|endoftext|>")
        begin = inner.convert_tokens_to_ids("<|notimestamps|>")
        self.all_special_ids = list(range(self.eos_token_id, begin + 1))

    def convert_tokens_to_ids(self, token):
        return self.inner.convert_tokens_to_ids(token)

    def _strip_prompt(self, ids, *_):
        return ids

    def decode(self, ids, **_):
        return self.inner.decode(ids)


def hear(model, extractor, tokenizer, samples, words, **more):
    """Segments, and words if `words`, as the pipeline for speech gets them from the greedy decoder."""
    is_long = samples.size > extractor.n_samples
    inputs = extractor(
        samples,
        sampling_rate=16000,
        return_tensors="pt",
        return_attention_mask=True,
        **({"truncation": False, "padding": "longest"} if is_long else {}),
    )
    with torch.no_grad():
        out = model.generate(
            inputs["input_features"],
            attention_mask=inputs["attention_mask"],
            return_segments=True,
            return_timestamps=True,
            return_token_timestamps=words,
            **more,
        )
    begin = model.generation_config.no_timestamps_token_id
    segments = [
        {
            "start": float(s["start"]),
            "end": float(s["end"]),
            "text": tokenizer.decode(
                [t for t in s["tokens"].tolist() if t < begin], skip_special_tokens=True
            ).strip(),
        }
        for s in out["segments"][0]
    ]
    timed = []
    if words and out["segments"][0]:
        times = torch.cat([s["token_timestamps"] for s in out["segments"][0]])
        _, optional = _decode_asr(
            Words(tokenizer),
            [{"tokens": out["sequences"], "token_timestamps": [times]}],
            return_timestamps="word",
            return_language=None,
            time_precision=0.02,
            segment_size=model.config.max_source_positions,
        )
        timed = [
            {"text": w["text"].strip(), "start": w["timestamp"][0], "end": w["timestamp"][1]}
            for w in optional["chunks"]
            if w["text"].strip()
        ]
    return segments, timed


def whisper(
    folder, seed, dtype, multilingual, mels, seconds, heads, targets=64, few=False, **config
):
    folder.mkdir(parents=True, exist_ok=True)
    specials = ["<|endoftext|>", "<|startoftranscript|>"] + [
        f"<|{x}|>" for x in (LANGUAGES if multilingual else ["en"])
    ]
    specials += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    specials += ["<|nospeech|>", "<|notimestamps|>"]
    backend = bytelevel(440, specials)
    backend.add_tokens([f"<|{i * 0.02:.2f}|>" for i in range(seconds * 50 + 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|endoftext|>", bos_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)
    i = tokenizer.convert_tokens_to_ids
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(tokenizer),
            num_mel_bins=mels,
            max_source_positions=seconds * 50,
            max_target_positions=targets,
            decoder_start_token_id=i("<|startoftranscript|>"),
            eos_token_id=i("<|endoftext|>"),
            bos_token_id=i("<|endoftext|>"),
            pad_token_id=i("<|endoftext|>"),
            suppress_tokens=None,
            begin_suppress_tokens=None,
            **config,
        )
    )
    model = randomise(model, seed, 0.3)
    with torch.no_grad():  # the many timestamps would otherwise outweigh the text
        model.model.decoder.embed_tokens.weight[i("<|notimestamps|>") + 1 :] *= 0.4
    g = model.generation_config
    g.no_timestamps_token_id, g.max_initial_timestamp_index = i("<|notimestamps|>"), 50
    g.is_multilingual, g.prev_sot_token_id = multilingual, i("<|startofprev|>")
    # parts of characters and most punctuation would outweigh whole words
    odd = [n for n in range(256) if tokenizer.decode([n]) not in '".,-?! ' and n not in (127, 102)]
    g.suppress_tokens = sorted(set(odd) | {i(s) for s in specials[1:-1]})
    g.begin_suppress_tokens = [i("<|endoftext|>"), 220]
    g.max_length, g.alignment_heads = targets, heads
    if multilingual:
        g.lang_to_id = {f"<|{x}|>": i(f"<|{x}|>") for x in LANGUAGES}
        g.task_to_id = {"transcribe": i("<|transcribe|>"), "translate": i("<|translate|>")}
    model = save(model, folder, dtype)
    extractor = WhisperFeatureExtractor(feature_size=mels, chunk_length=seconds)
    extractor.save_pretrained(folder)
    cases = []
    for sound, samples in sounds().items():
        for language in ["fr", None] if multilingual else [None]:
            for previous in [False, True]:
                for threshold in [None, "some"]:
                    if few and (threshold is None) == (language is None):
                        continue
                    more = {"language": language, "task": "transcribe"} if language else {}
                    if (
                        threshold
                    ):  # the likelier half of the windows stays: silence is always likely enough
                        threshold = middle(
                            model,
                            extractor,
                            tokenizer,
                            samples,
                            {**more, "condition_on_prev_tokens": previous},
                        )
                        skip = dict(
                            temperature=(0.0,), logprob_threshold=threshold, no_speech_threshold=0.0
                        )
                    else:
                        skip = {}
                    segments, words = hear(
                        model,
                        extractor,
                        tokenizer,
                        samples,
                        True,
                        condition_on_prev_tokens=previous,
                        **more,
                        **skip,
                    )
                    cases.append(
                        {
                            "sound": sound,
                            "language": language,
                            "previous": previous,
                            "threshold": threshold,
                            "segments": segments,
                            "words": words,
                        }
                    )
    detected = None
    if multilingual:
        features = extractor(sounds()["short"], sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            found = model.detect_language(features["input_features"]).item()
        detected = tokenizer.decode([found])[2:-2]
    # text of random weights is improbable and repetitive
    settings = json.loads((folder / "generation_config.json").read_text())
    settings |= {"compression_ratio_threshold": 1000.0, "logprob_threshold": -1000.0}
    (folder / "generation_config.json").write_text(
        json.dumps(settings, indent=2, sort_keys=True) + "\n"
    )
    expect(folder, cases=cases, detected=detected)


def middle(model, extractor, tokenizer, samples, more):
    """A mean log-probability between those of the windows."""
    seen, inner = [], model._retrieve_avg_logprobs

    def spy(scores, tokens, temperature):
        seen.append(float(inner(scores, tokens, temperature)))
        return torch.tensor(seen[-1])

    model._retrieve_avg_logprobs = spy
    hear(
        model,
        extractor,
        tokenizer,
        samples,
        False,
        temperature=(0.0,),
        logprob_threshold=-1e3,
        **more,
    )
    del model._retrieve_avg_logprobs
    seen = sorted(set(seen))
    if len(seen) < 2:
        return seen[0] - 1.0
    return (seen[len(seen) // 2 - 1] + seen[len(seen) // 2]) / 2


def real(out, checkpoint, audio):
    """What a real Whisper hears in a file, for tests/real.rs. The sound has 16 bits, as in `load_audio` of
    openai/whisper."""
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", audio, "-ac", "1", "-ar", "16000", "-f", "s16le", "-"],
        check=True,
        capture_output=True,
    ).stdout
    samples = np.frombuffer(raw, dtype=np.int16).astype(np.float32) / 32768.0
    model = WhisperForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32).eval()
    extractor = WhisperFeatureExtractor.from_pretrained(checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    segments, words = hear(model, extractor, tokenizer, samples, True)
    out.write_text(json.dumps({"segments": segments, "words": words}, ensure_ascii=False) + "\n")


# ---------------------------------------------------------------- Parakeet


def pieces(count):
    """A tokenizer of SentencePiece's form."""
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=count, special_tokens=["<unk>", "<pad>"], show_progress=False
    )
    backend.train_from_iterator(TEXT, trainer)
    backend.add_special_tokens(["<blank>"])
    return ParakeetTokenizer(tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>")


def parakeet(folder, seed, dtype, blank, mel, durations=5, stays=False, **config):
    """Blanks win at the part `blank` of the frames. With `stays`, tokens may last for no frame, and then random
    weights soon repeat one until the limit of steps."""
    encoder = {
        "num_mel_bins": mel["feature_size"],
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "subsampling_conv_channels": 6,
        **config.pop("encoder", {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = pieces(config.pop("pieces", 90))
    count = len(tokenizer)
    model = ParakeetForTDT(
        ParakeetTDTConfig(
            vocab_size=count,
            blank_token_id=count - 1,
            pad_token_id=tokenizer.pad_token_id,
            durations=list(range(durations)),
            encoder_config={"model_type": "parakeet_encoder", **encoder},
            **config,
        )
    )
    randomise(model, seed, 0.3)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(0.3 * torch.randn(buffer.shape, generator=generator))
            elif name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
        # the sound decides more than the tokens so far, and few tokens last for no frame
        model.encoder_projector.weight *= 3.0
        model.decoder.decoder_projector.weight *= 0.5
    extractor = ParakeetFeatureExtractor(**mel)
    inputs = extractor(sounds()["long"], sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():  # blanks win at a part of the frames, and few tokens last for no frame
        states = model.get_audio_features(**inputs).pooler_output
        read = model.decoder(torch.tensor([[count - 1]]))
        logits = model.joint(read, states)[0]
        tokens, times = (
            logits[:, : count - 1].max(-1).values - logits[:, count - 1],
            logits[:, count:],
        )
        model.joint.head.bias[count - 1] += torch.quantile(tokens, blank)
        model.joint.head.bias[count] -= torch.quantile(
            times[:, 0] - times[:, 1:].max(-1).values, 0.9
        )
        if not stays:
            model.joint.head.bias[count] -= 100.0
    g = model.generation_config
    g.decoder_start_token_id = count - 1
    # as in published checkpoints: a duration is no token
    g.suppress_tokens = list(range(count, count + durations))
    save(model, folder, dtype)
    # afresh, because the frequencies of the positions were rounded too
    model = ParakeetForTDT.from_pretrained(folder, dtype=torch.float32).eval()
    processor = ParakeetProcessor(extractor, tokenizer, decoder_type="tdt")
    processor.save_pretrained(folder)
    factor = model.config.encoder_config.subsampling_factor
    cases = {}
    for sound, samples in sounds().items():
        inputs = extractor(samples, sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            out = model.generate(**inputs)
            heard = model.get_audio_features(**inputs, output_attention_mask=True)
        valid = int(heard.attention_mask.sum())
        frames = int(inputs["attention_mask"].sum())
        text, timed = processor.decode(
            out.sequences, durations=out.durations, skip_special_tokens=True
        )
        for token in timed[0]:  # the processor takes every encoder for one that divides by 8
            token["start"], token["end"] = (token[key] * factor / 8 for key in ("start", "end"))
        words = []
        for token in timed[0]:
            if words and not token["token"].startswith(" "):
                words[-1]["text"] += token["token"]
                words[-1]["end"] = max(words[-1]["end"], token["end"])
            else:
                words.append({"text": token["token"], "start": token["start"], "end": token["end"]})
        cases[sound] = {
            "frames": frames,
            "features": inputs["input_features"][0, :frames].flatten()[::31],
            "states": heard.last_hidden_state[0, :valid].flatten()[::7],
            "text": text[0],
            "words": [{**w, "text": w["text"].strip()} for w in words if w["text"].strip()],
        }
        blanks = int((out.sequences == count - 1).sum())
        print(
            folder.name,
            sound,
            valid,
            "frames",
            out.sequences.shape[1],
            "steps",
            blanks,
            "blanks",
            flush=True,
        )
    expect(folder, cases=cases)


# ---------------------------------------------------------------- the list


def jobs():
    return {
        "whisper-words": lambda folder: whisper(
            folder,
            41,
            torch.float16,
            True,
            80,
            8,
            [[0, 1], [1, 0], [1, 3]],
            few=True,
            d_model=32,
            encoder_layers=1,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
        ),
        "parakeet-plain": lambda folder: parakeet(
            folder, 51, torch.float32, 0.4, {"feature_size": 80}, decoder_hidden_size=24
        ),
        "parakeet-bare": lambda folder: parakeet(
            folder,
            52,
            torch.bfloat16,
            0.6,
            {"feature_size": 32, "preemphasis": None, "win_length": 320, "hop_length": 128},
            durations=3,
            stays=True,
            max_symbols_per_step=1,
            decoder_hidden_size=20,
            num_decoder_layers=1,
            hidden_act="silu",
            encoder={
                "attention_bias": False,
                "convolution_bias": False,
                "subsampling_factor": 4,
                "subsampling_conv_kernel_size": 5,
                "conv_kernel_size": 5,
                "scale_input": False,
                "hidden_size": 24,
                "num_attention_heads": 3,
                "num_hidden_layers": 1,
            },
        ),
    }


def at_random(out, seed, count, only):
    """Checkpoints of random shapes."""
    for n in range(count):
        draw = random.Random(f"{seed} {n}")
        if only in (None, "whisper"):
            layers, heads = draw.randint(1, 4), draw.choice([1, 2, 4])
            pairs = [[layer, head] for layer in range(layers) for head in range(heads)]
            whisper(
                out / f"whisper-{seed}-{n}",
                seed * 1000 + n,
                draw.choice([torch.float32, torch.float16, torch.bfloat16]),
                draw.random() < 0.5,
                draw.choice([40, 80, 128]),
                draw.choice([4, 8, 30]),
                draw.sample(pairs, draw.randint(1, len(pairs))),
                targets=draw.choice([32, 48, 64]),
                d_model=draw.choice([16, 24, 32]),
                encoder_layers=draw.randint(1, 3),
                decoder_layers=layers,
                encoder_attention_heads=draw.choice([1, 2, 4]),
                decoder_attention_heads=heads,
                encoder_ffn_dim=draw.choice([16, 48]),
                decoder_ffn_dim=draw.choice([16, 48]),
                median_filter_width=draw.choice([1, 3, 7, 9]),
                activation_function=draw.choice(["gelu", "relu"]),
            )
        if only in (None, "parakeet"):
            heads = draw.choice([1, 2, 4])
            factor = draw.choice([2, 4, 8])
            parakeet(
                out / f"parakeet-{seed}-{n}",
                seed * 1000 + n,
                draw.choice([torch.float32, torch.float16, torch.bfloat16]),
                draw.choice([0.2, 0.5, 0.8]),
                {
                    "feature_size": draw.choice([16, 40, 80, 128]),
                    "hop_length": draw.choice([128, 160, 200]),
                    "n_fft": draw.choice([400, 512]),
                    "win_length": draw.choice([320, 400]),
                    "preemphasis": draw.choice([0.97, 0.5, None]),
                },
                durations=draw.choice([2, 3, 5]),
                stays=draw.random() < 0.3,
                decoder_hidden_size=draw.choice([8, 24, 40]),
                num_decoder_layers=draw.randint(1, 3),
                max_symbols_per_step=draw.choice([1, 2]),
                pieces=draw.choice([60, 90, 150]),
                encoder={
                    "hidden_size": heads * draw.choice([4, 8, 12]),
                    "num_attention_heads": heads,
                    "num_hidden_layers": draw.randint(1, 3),
                    "intermediate_size": draw.choice([16, 48]),
                    "subsampling_factor": factor,
                    "subsampling_conv_channels": draw.choice([4, 10]),
                    "subsampling_conv_kernel_size": draw.choice([3, 5]),
                    "conv_kernel_size": draw.choice([3, 9, 31]),
                    "attention_bias": draw.random() < 0.5,
                    "convolution_bias": draw.random() < 0.5,
                    "scale_input": draw.random() < 0.5,
                },
            )
        print(n, flush=True)


def main():
    out = Path(sys.argv[1])
    if sys.argv[2:3] == ["random"]:
        only = sys.argv[5] if len(sys.argv) > 5 else None
        return at_random(out, int(sys.argv[3]), int(sys.argv[4]), only)
    if sys.argv[2:3] == ["real"]:
        return real(out, sys.argv[3], sys.argv[4])
    for name, job in jobs().items():
        if name in (sys.argv[2:] or jobs()):
            job(out / name)
            print(name, flush=True)


if __name__ == "__main__":
    main()
