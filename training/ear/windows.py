"""Endless windows of sound with the tokens that Whisper must write."""

import math
import random

import numpy as np
import torch

import vocab
from ear.beds import beds, new_bed, noises, rooms
from ear.mel import Mel
from ear.shape import CHUNK, FRAMES, LATE, LEAD, LISTEN, NEAR, RATE, SAMPLES, SHORT
from ear.words import Ids


# windows
class Windows:
    """Endless windows of CHUNK seconds: the sound, and the tokens that Whisper must write."""

    def __init__(self, seed, wave, notes, tokenizer):
        self.rng = random.Random(seed)
        self.wave, self.notes, self.tokenizer, self.ids = wave, notes, tokenizer, Ids(tokenizer)
        self.noise, self.rooms, self.beds = noises(3), rooms(3), beds(3, each=10)
        self.mel = Mel()
        phonemes = sorted({name for note in notes for _, name in note["phonemes"]})
        self.phonemes = {name: i + 1 for i, name in enumerate(phonemes)}
        self.words = {
            word: i + 1
            for i, word in enumerate(
                sorted({w.strip(".,?") for n in notes for w in n["text"].split()})
            )
        }

    def encode(self, text):
        return self.tokenizer.encode(" " + text, add_special_tokens=False).ids

    def place(self, short):
        """[(note, start of its sound)] for one window."""
        rng = self.rng
        if short:
            while True:
                note = rng.choice(self.notes)
                if note["length"] < (SHORT / 50 - 0.1) * RATE:
                    return [(note, rng.uniform(-0.1, CHUNK - note["length"] / RATE + 0.1))]
        if rng.random() < 0.16:
            return []
        first = rng.choice(self.notes)
        long = first["length"] / RATE
        kind = rng.random()
        if kind < 0.12:
            out = [(first, -rng.uniform(0.05, long))]
        elif kind < 0.24:  # the end of the last one is heard once more after it was written
            out = [(first, rng.uniform(-0.05, 0.15) - first["end"])]
        elif kind < 0.36:  # heard again
            out = [(first, rng.uniform(0, 2 * LEAD) - first["start"])]
        elif kind < 0.7:
            out = [(first, rng.uniform(0, CHUNK - 0.3))]
        else:
            out = [(first, rng.uniform(0, 1.5))]
        if rng.random() < 0.65:
            after = out[0][1] + long + rng.uniform(0.1, 2.0)
            if after < CHUNK - 0.2:
                out.append((rng.choice(self.notes), after))
        return out

    def sample(self, stamped, short=False):
        rng, ids = self.rng, self.ids
        sound = np.zeros(SAMPLES, np.float32)
        phones, spoken = np.zeros(FRAMES, np.int64), np.zeros(FRAMES, np.int64)
        centres = (np.arange(FRAMES) + 0.5) / 50
        tokens, spans, said = [], [], []
        level = 10 ** (rng.uniform(-20, -1) / 20)
        places = self.place(short)
        for note, begin in places:
            piece = self.wave[note["at"] : note["at"] + note["length"]].astype(np.float32)
            peak = np.abs(piece).max() + 1.0
            piece *= level * 10 ** (rng.uniform(-3, 0) / 20) / peak
            at = round(begin * RATE)
            low, high = max(at, 0), min(at + len(piece), SAMPLES)
            if high <= low:
                continue
            sound[low:high] += piece[low - at : high - at]
            start, end = begin + note["start"], begin + note["end"]
            words = note["text"].split()
            starts = [begin + s for s in note["words"]]
            ends = starts[1:] + [end]
            inside = (centres >= start) & (centres < end)
            times = np.array([begin + s for s, _ in note["phonemes"]])
            names = np.array([self.phonemes[name] for _, name in note["phonemes"]])
            phones[inside] = names[
                np.clip(np.searchsorted(times, centres[inside], "right") - 1, 0, None)
            ]
            numbers = np.array([self.words[w.strip(".,?")] for w in words])
            spoken[inside] = numbers[
                np.clip(np.searchsorted(starts, centres[inside], "right") - 1, 0, None)
            ]
            cut = end > CHUNK - LISTEN
            # the window then ends in a pair of timestamps, where the next one begins
            again = stamped and cut and start > NEAR
            if again and start > CHUNK - LATE:
                continue  # left to the next window
            text, where, kept = [], [], []
            for word, s, e in zip(words, starts, ends):
                if s >= -0.07 and e <= CHUNK + 0.03:
                    kept.append(word)
                    pieces = self.tokenizer.encode(" " + word, add_special_tokens=False).ids
                    text += pieces
                    frames = (
                        max(int(s * 50), 0),
                        min(max(math.ceil(e * 50), int(s * 50) + 2), FRAMES),
                    )
                    where += [frames] * len(pieces)
            if not kept and not again:
                continue
            said += kept
            edge = [
                (min(max(round(t * 50) - 2, 0), FRAMES - 3), min(max(round(t * 50) + 3, 3), FRAMES))
                for t in (start, end)
            ]
            if again and not tokens:
                tokens += [ids.zero, ids.space, ids.stamp(start - LEAD)]
                spans += [(-1, -1), (-1, -1), edge[0]]
            if stamped:
                closed = not again and end <= CHUNK + 0.03
                tokens += [ids.stamp(start)] + text + ([ids.stamp(end)] if closed else [])
                spans += edge[:1] + where + (edge[1:] if closed else [])
            else:
                tokens += text
                spans += where
        if stamped and not tokens:  # silence
            tokens = [ids.zero, ids.space, *[ids.stamp(CHUNK - LATE)] * 2]
            spans = [(-1, -1)] * 4
        elif stamped and tokens[-1] >= ids.zero and (len(tokens) < 2 or tokens[-2] < ids.zero):
            tokens.append(tokens[-1])  # always a pair, where the next window begins
            spans.append(spans[-1])
        prompt = [ids.sot, ids.en, ids.transcribe] + ([] if stamped else [ids.notimestamps])
        inputs = prompt + tokens
        labels = (
            [ids.en if said else ids.nospeech] + [-100] * (len(prompt) - 2) + tokens + [ids.eot]
        )
        spans = [(-1, -1)] * (len(prompt) - 1) + spans + [(-1, -1)]
        # the room and its sounds
        kind, voice = rng.random(), 0.22 * level
        if kind < 0.9:
            bed = rng.choice(self.noise if rng.random() < 0.6 else self.rooms)
            shift = rng.randrange(len(bed) - SAMPLES)
            loud = (
                voice * 10 ** (-rng.uniform(6, 40) / 20)
                if rng.random() < 0.9
                else 10 ** (-rng.uniform(50, 80) / 20)
            )
            sound += loud * bed[shift : shift + SAMPLES]
        turn = rng.randrange(SAMPLES) if rng.random() < 0.4 else 0  # other sounds from here on
        for low, high in ((0, turn), (turn, SAMPLES)):
            if high > low and rng.random() < 0.6:
                bed = rng.choice(self.beds)
                shift = rng.randrange(len(bed) - SAMPLES)
                sound[low:high] += (
                    voice * 10 ** (-rng.uniform(4, 28) / 20) * bed[shift : shift + high - low]
                )
        sound = np.clip(sound, -1, 1)
        if kind < 0.97:
            sound = np.round(sound * 32767) / 32768
        return sound, inputs, labels, phones, spoken, spans, self.crop(places) if short else 0

    def crop(self, places):
        """A first position such that SHORT positions from there hold all speech."""
        note, begin = places[0]
        low = max(0, math.ceil((begin + note["length"] / RATE) * 50) - SHORT)
        return self.rng.randint(
            min(low, FRAMES - SHORT), max(0, min(int(begin * 50), FRAMES - SHORT))
        )

    def batch(self, size, augment=True, short=False):
        """(mel, decoder inputs, labels, phonemes, words, spans of the written tokens, first
        positions).

        With `short`, the mels are cut to SHORT positions around one sentence: half the work, for
        the beginning.
        """
        # The model soon knows a few songs by heart and takes new ones for words. So each batch
        # brings a new sound.
        self.beds[self.rng.randrange(len(self.beds))] = new_bed(
            self.rng.choice(list(vocab.SOUNDS) + ["birds"] * 8), self.rng.getrandbits(32)
        )
        rows = [self.sample(i % 4 != 0, short) for i in range(size)]
        # In a long sound, voices elsewhere are far louder than a window without speech.
        reach = [1.5 if row[3].any() else 4.5 for row in rows]
        louder = [
            self.rng.uniform(0, most)
            if augment and self.rng.random() < (0.4 if most < 2 else 0.8)
            else 0.0
            for most in reach
        ]
        mel = self.mel(
            torch.from_numpy(np.stack([r[0] for r in rows]).astype(np.float32)),
            torch.tensor(louder)[:, None, None],
        )
        if augment:
            for i in range(size):
                if self.rng.random() < 0.5:
                    low, high = self.rng.randrange(80), self.rng.randint(1, 10)
                    mel[i, low : low + high] = mel[i].mean()
                if self.rng.random() < 0.3:
                    low, high = self.rng.randrange(CHUNK * 100), self.rng.randint(1, 12)
                    mel[i, :, low : low + high] = mel[i].mean()
                # The recording ends here; generate fills the window with zeros.
                if self.rng.random() < 0.08:
                    heard = np.flatnonzero(rows[i][3])
                    low = self.rng.randint(min(heard[-1] + 6, FRAMES) if len(heard) else 20, FRAMES)
                    mel[i, :, 2 * low :] = 0
        longest = max(len(r[1]) for r in rows)
        inputs = torch.full((size, longest), self.ids.eot)
        labels = torch.full((size, longest), -100)
        spans = torch.full((size, longest, 2), -1)
        for i, row in enumerate(rows):
            inputs[i, : len(row[1])] = torch.tensor(row[1])
            labels[i, : len(row[2])] = torch.tensor(row[2])
            spans[i, : len(row[5])] = torch.tensor(row[5])
        phones, spoken = (torch.from_numpy(np.stack([r[k] for r in rows])) for k in (3, 4))
        firsts = torch.tensor([r[6] for r in rows])
        if short:
            mel = torch.stack(
                [m[:, 2 * f : 2 * f + 2 * SHORT] for m, f in zip(mel, firsts.tolist())]
            )
            near = firsts[:, None] + torch.arange(SHORT)
            phones, spoken = phones.gather(1, near), spoken.gather(1, near)
            spans = spans - firsts[:, None, None]
        return mel, inputs, labels, phones, spoken, spans, firsts
