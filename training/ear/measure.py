"""Measures starter-whisper: word error rates on unseen sentences and on days."""

import json
import os
import random

import numpy as np
import torch

import cards
import sayings
import sounds
from ear.beds import beds, noises
from ear.mel import Mel, extractor
from ear.shape import LISTEN, RATE, SAMPLES, WORK
from ear.speech import ffmpeg, speak_all
from ear.words import held_out


# tests
def plain(text):
    return "".join(c if c.isalnum() or c == " " else " " for c in text.lower()).split()


def errors(truth, heard):
    """Word edits between two lists of words."""
    row = list(range(len(heard) + 1))
    for i, t in enumerate(truth, 1):
        last, row[0] = row[0], i
        for j, h in enumerate(heard, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (t != h))
    return row[-1]


class Ear:
    """A checkpoint through Hugging Face generate."""

    def __init__(self, folder):
        from transformers import WhisperForConditionalGeneration, WhisperProcessor

        self.model = WhisperForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32
        ).eval()
        # transformers reads this threshold from the file, but then lacks the scores to compare
        # with. It would only decode improbable windows again; elenchus drops them.
        self.model.generation_config.logprob_threshold = None
        self.processor = WhisperProcessor.from_pretrained(folder)

    def window(self, sound, stamped=True):
        """The tokens of one window."""
        features = self.processor.feature_extractor(
            sound, sampling_rate=RATE, return_tensors="pt"
        ).input_features
        with torch.no_grad():
            out = self.model.generate(
                features, language="en", task="transcribe", return_timestamps=stamped
            )
        return out[0].tolist()

    def text(self, tokens):
        return self.processor.tokenizer.decode(tokens, skip_special_tokens=True)

    def long(self, sound):
        """[(start, end, text)] of sound of any length, by Whisper's sequential windows."""
        features = self.processor.feature_extractor(
            sound,
            sampling_rate=RATE,
            return_tensors="pt",
            truncation=False,
            padding="longest",
            return_attention_mask=True,
        )
        with torch.no_grad():
            out = self.model.generate(
                features.input_features,
                attention_mask=features.attention_mask,
                language="en",
                task="transcribe",
                return_timestamps=True,
                return_segments=True,
                condition_on_prev_tokens=False,
            )
        if isinstance(out, torch.Tensor):
            return [(0.0, len(sound) / RATE, self.text(out[0].tolist()))]
        return [
            (float(s["start"]), float(s["end"]), self.text(s["tokens"].tolist()).strip())
            for s in out["segments"][0]
        ]


def report(name, pairs):
    """Pairs of (truth, heard) texts."""
    wrong = sum(errors(plain(t), plain(h)) for t, h in pairs)
    words = sum(len(plain(t)) for t, _ in pairs)
    said = f"{100 * wrong / max(words, 1):.1f} % ({wrong} of {words} words)"
    print(f"{name}: WER {said}", flush=True)
    return said


def unseen(rng, count):
    sentences = []
    while len(sentences) < count:
        sentence = sayings.sample_sentence(rng)
        if held_out(sentence):
            sentences.append(sentence)
    return sentences


def noisy_windows(notes, wave, bed, ratio, rng):
    """(note, its start, a window of sound): each note alone in a window, with a bed `ratio` dB
    below it (none: in silence)."""
    for i, note in enumerate(notes):
        sound = np.zeros(SAMPLES, np.float32)
        at = rng.randrange(max(1, SAMPLES - note["length"] - int(LISTEN * RATE)))
        piece = wave[note["at"] : note["at"] + note["length"]][: SAMPLES - at] / 32768 * 0.7
        sound[at : at + len(piece)] += piece
        if ratio is not None:
            under = bed[i % len(bed)]
            shift = rng.randrange(len(under) - SAMPLES)
            sound += (
                sounds.loudness(piece, RATE) * 10 ** (-ratio / 20) * under[shift : shift + SAMPLES]
            )
        yield note, at / RATE, sound


def test(folder, count=60, show=6):
    """Measures on sentences, jitter of voices, noise and sounds that the training did not hear."""
    ear = Ear(folder)
    rng = random.Random(12345)
    os.makedirs(WORK, exist_ok=True)
    zero = ear.processor.tokenizer.convert_tokens_to_ids("<|0.00|>")
    space = ear.processor.tokenizer.convert_tokens_to_ids("Ġ")
    hum, things = noises(77, 4), beds(77, each=1)
    sentences = unseen(rng, count)
    spoken = {
        name: speak_all(sentences, rng, [None], voices)
        for name, voices in (
            ("known voices", sayings.VOICES),
            ("other voices", sayings.OTHER_VOICES),
        )
    }
    first = next(
        noisy_windows(spoken["known voices"][1][:1], spoken["known voices"][0], hum, None, rng)
    )[2]
    theirs = extractor()(first, sampling_rate=RATE, return_tensors="pt").input_features
    print(
        f"log-mel differs from WhisperFeatureExtractor by at most "
        f"{(theirs - Mel()(torch.from_numpy(first)[None])).abs().max().item():.1e}"
    )
    rows = {}
    for voices, (wave, notes) in spoken.items():
        for what, bed, ratio in (
            ("clean", hum, None),
            ("room tone 15 dB below", hum, 15),
            ("sounds 12 dB below", things, 12),
            ("sounds 5 dB below", things, 5),
        ):
            pairs, offs = [], []
            for note, at, sound in noisy_windows(notes, wave, bed, ratio, rng):
                tokens = ear.window(sound)
                pairs.append((note["text"], ear.text(tokens)))
                stamps = [(t - zero) * 0.02 if t >= zero else None for t in tokens]
                if stamps[0] is not None and stamps[1:2] == [None] and tokens[1] != space:
                    end = next((stamp for stamp in stamps[1:] if stamp is not None), 0)
                    offs.append(
                        max(abs(stamps[0] - at - note["start"]), abs(end - at - note["end"]))
                    )
            rows.setdefault(f"{count} unseen sentences, {what}", []).append(
                report(f"unseen sentences, {voices}, {what}", pairs)
            )
            print(
                f"   begun at once in {len(offs)} of {count}; the times are off by "
                f"{np.median(offs) if offs else float('nan'):.2f} s (median)"
            )
            for truth, heard in [(t, h) for t, h in pairs if plain(t) != plain(h)][:show]:
                print(f"   {truth!r} -> {heard!r}")
    for name, bed in (("noise", hum), ("the world's sounds", things)):
        silent = sum(
            bool(
                plain(
                    ear.text(
                        ear.window(
                            (0.04 * bed[i % len(bed)][i * 1000 : i * 1000 + SAMPLES]).astype(
                                np.float32
                            )
                        )
                    )
                )
            )
            for i in range(34)
        )
        print(f"windows of {name} alone in which words were heard: {silent} of 34")
        rows[f"windows of {name} alone: words heard in"] = [f"{silent} of 34", ""]
    cards.write_measured(
        folder,
        ["word error rate", "voices of the training", "other voices"],
        [[what, *cells] for what, cells in rows.items()],
    )


def evaluate(folder, days):
    """Measures on whole days, through AAC, by the windows of `generate`."""
    ear, all_pairs = Ear(folder), []
    for day in days:
        raw = ffmpeg(
            [
                "-i",
                os.path.join(day, "day.mp4"),
                "-vn",
                "-f",
                "s16le",
                "-ac",
                "1",
                "-ar",
                str(RATE),
                "pipe:1",
            ]
        )
        sound = np.frombuffer(raw, np.int16).astype(np.float32) / 32768
        with open(os.path.join(day, "speech.jsonl"), encoding="utf-8") as lines:
            truth = [json.loads(line) for line in lines if line.strip()]
        heard = ear.long(sound)
        pair = (" ".join(t["text"] for t in truth), " ".join(t for _, _, t in heard))
        all_pairs.append(pair)
        if plain(pair[0]) != plain(pair[1]):
            report(f"{day}, {len(truth)} sentences", [pair])
            for t in truth:
                near = " / ".join(
                    f"[{a:.1f}-{b:.1f}] {text}"
                    for a, b, text in heard
                    if text and a < t["end"] + 0.3 and b > t["start"] - 0.3
                )
                if plain(near.split("] ", 1)[-1]) != plain(t["text"]):
                    print(
                        f"   {t['start']:6.2f} {t['end']:6.2f} {t['voice']:7} {t['text']} -> {near}"
                    )
    report(f"{len(days)} days", all_pairs)
