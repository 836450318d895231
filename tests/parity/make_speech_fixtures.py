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
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)
from transformers.models.whisper.tokenization_whisper import _decode_asr

from make_fixtures import LANGUAGES, bytelevel, expect, randomise, save


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
