"""Train starter-whisper: a small Whisper (multilingual layout, timestamps) for the speech of the
starter world.

    python training/whisper.py                       train from nothing (resumes), exporting to
                                                     agents/starter/whisper
    python training/whisper.py --start FOLDER        ... from the weights of a checkpoint folder,
                                                     with today's words
    python training/whisper.py --export              write the newest checkpoint to
                                                     agents/starter/whisper
    python training/whisper.py --test                word error rates on unseen sentences
    python training/whisper.py --evaluate DAY_DIR …  word error rate on DAY_DIR/day.mp4 against
                                                     DAY_DIR/speech.jsonl

Needs espeak-ng (its library and its data) and ffmpeg. One thread, no GPU. See training/WHISPER.md.
"""

import argparse
import csv
import ctypes
import hashlib
import json
import math
import os
import random
import subprocess
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import cards  # noqa: E402
import sounds  # noqa: E402
import vocab  # noqa: E402
import world  # noqa: E402

WORK = os.path.join(HERE, "work", "whisper")
TARGET = os.path.join(HERE, "..", "agents", "starter", "whisper")
CURVE = os.path.join(HERE, "curves", "whisper.csv")

RATE = 16000
CHUNK = 6  # seconds in a window
SAMPLES = CHUNK * RATE
FRAMES = CHUNK * 50  # encoder positions
MAX_TOKENS = 96
MERGED = 1400  # at most so many byte-level BPE entries before the special tokens
LANGUAGES = ["en", "de", "es", "fr", "it"]
LANGUAGE_NAMES = ["english", "german", "spanish", "french", "italian"]
UTTERANCES = 9000
SHORT = 160  # encoder positions in the short windows that training begins with
LISTEN = 0.1  # seconds of quiet after a sentence without which it may go on beyond the window
LEAD = 0.2  # a sentence that is to be heard again is sought this long before its start
# what begins so shortly before the window's end is left to the next window, which begins here at
# the latest
LATE = 0.3
NEAR = 0.5  # a sentence that begins before this is not heard again: that might never end

# ----------------------------------------------------------------------------------------------------
# words


FIXED = {pattern for pattern in vocab.SPEECH if "{" not in pattern}


def held_out(sentence):
    """An eighth of all sentences is never trained on; those that have no variants are, or nobody
    could know their words."""
    return sentence not in FIXED and hashlib.md5(sentence.encode()).digest()[0] % 8 == 0


CARRIERS = (
    vocab.NAMES
    + vocab.OBJECT_NAMES
    + vocab.FOODS
    + vocab.PLACE_NAMES
    + vocab.COLOURS
    + vocab.DAYS
    + vocab.NUMBERS
    + vocab.TIMES
)


DEEDS = [pattern for pattern in vocab.SPEECH if "{base}" in pattern]


def scrambled(rng, words):
    """Words in no order, half of them such as answers consist of, so that the decoder has to listen
    rather than to guess."""
    return " ".join(
        rng.choice(CARRIERS if rng.random() < 0.5 else words) for _ in range(rng.randint(2, 7))
    ) + rng.choice([".", ".", "?"])


def training_sentence(rng, words):
    """A fifth scrambled, two fifths what plots hang on (errands above all, which hold the most
    words), a tenth what can be done, the rest any."""
    kind = rng.random()
    if kind < 0.2:
        return scrambled(rng, words)
    for share, patterns in (
        (0.40, vocab.ERRANDS),
        (0.52, vocab.PROMISES),
        (0.60, vocab.GREETINGS),
        (0.70, DEEDS),
    ):
        if kind < share:
            return vocab.fill(rng, rng.choice(patterns))
    return vocab.sample_sentence(rng)


def all_words(rng):
    words = set()
    for _ in range(20000):
        words.update(vocab.sample_sentence(rng).rstrip(".?").replace(",", "").split())
    return sorted(words)


def build_tokenizer():
    """Byte-level BPE with Whisper's special tokens in Whisper's order."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    rng = random.Random(1)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=MERGED,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((" " + vocab.sample_sentence(rng) for _ in range(20000)), trainer)
    special = ["<|endoftext|>", "<|startoftranscript|>"]
    special += [f"<|{language}|>" for language in LANGUAGES]
    special += [
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
    ]
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    stamps = [f"<|{i * 0.02:.2f}|>" for i in range(CHUNK * 50 + 1)]
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in stamps])
    return tokenizer


class Ids:
    def __init__(self, tokenizer):
        one = tokenizer.token_to_id
        self.eot, self.sot = one("<|endoftext|>"), one("<|startoftranscript|>")
        self.en, self.translate, self.transcribe = (
            one("<|en|>"),
            one("<|translate|>"),
            one("<|transcribe|>"),
        )
        self.lm, self.prev = one("<|startoflm|>"), one("<|startofprev|>")
        self.nospeech, self.notimestamps = one("<|nospeech|>"), one("<|notimestamps|>")
        self.zero = one("<|0.00|>")
        self.space = one("Ġ")
        self.languages = {f"<|{language}|>": one(f"<|{language}|>") for language in LANGUAGES}
        self.size = tokenizer.get_vocab_size()

    def stamp(self, seconds):
        return self.zero + min(max(round(seconds * 50), 0), CHUNK * 50)


# ---------------------------------------------------------------------------------------------------
# speech


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("id", _EventId),
    ]


class Espeak:
    """The espeak-ng library: the same sound as the program's, plus the time of every word and
    phoneme."""

    WORD, PHONEME = 1, 7

    def __init__(self):
        self.lib = ctypes.CDLL("libespeak-ng.so.1")
        self.rate = self.lib.espeak_Initialize(2, 0, None, 1)  # synchronous, phoneme events on
        if self.rate <= 0:
            raise RuntimeError("espeak-ng cannot start: is espeak-ng-data installed?")
        callback = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
        )
        self._heard = callback(self._hear)
        self.lib.espeak_SetSynthCallback(self._heard)

    def _hear(self, wave, count, events):
        if wave and count > 0:
            self.wave.append(np.ctypeslib.as_array(wave, shape=(count,)).copy())
        i = 0
        while events[i].type != 0:
            event = events[i]
            if event.type == self.WORD:
                self.words.append((event.audio_position / 1000, event.text_position - 1))
            elif event.type == self.PHONEME:
                self.phonemes.append(
                    (event.audio_position / 1000, event.id.string.decode("utf-8", "replace"))
                )
            i += 1
        return 0

    def say(self, text, voice, pitch, speed):
        """-> (samples at self.rate, [(seconds, character)], [(seconds, phoneme)])"""
        self.wave, self.words, self.phonemes = [], [], []
        if self.lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice}")
        self.lib.espeak_SetParameter(1, int(speed), 0)
        self.lib.espeak_SetParameter(3, int(pitch), 0)
        raw = text.encode()
        self.lib.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        return np.concatenate(self.wave), self.words, self.phonemes


def word_starts(text, events, end):
    """The time at which each word of `text` begins; espeak joins some words, whose starts are
    interpolated."""
    places, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        places.append(at)
        at += len(word)
    starts = [None] * len(places)
    for seconds, position in events:
        for i, place in enumerate(places):
            if place <= position < place + len(text.split()[i]) and starts[i] is None:
                starts[i] = seconds
    known = [(i, s) for i, s in enumerate(starts) if s is not None] + [(len(starts), end)]
    if known[0][0] != 0:
        known.insert(0, (0, 0.0))
    return [
        float(np.interp(i, [k for k, _ in known], [s for _, s in known]))
        for i in range(len(places))
    ]


def ffmpeg(arguments, data=None):
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin" if data is None else "-y", *arguments],
        input=data,
        capture_output=True,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    return done.stdout


def to_16k(wave, rate, codec=None):
    """Resample int16 mono; `codec` = (sample rate, bit rate) sends it through AAC on the way."""
    raw = ["-f", "s16le", "-ac", "1", "-ar", str(rate), "-i", "pipe:0"]
    out = ["-f", "s16le", "-ac", "1", "-ar", str(RATE), "pipe:1"]
    if codec is None:
        return np.frombuffer(ffmpeg(raw + out, wave.tobytes()), np.int16)
    path = os.path.join(WORK, f"codec{os.getpid()}.m4a")
    ffmpeg(raw + ["-ar", str(codec[0]), "-c:a", "aac", "-b:a", codec[1], path], wave.tobytes())
    try:
        return np.frombuffer(ffmpeg(["-i", path] + out), np.int16)
    finally:
        os.remove(path)


ACCENTS = [
    "en",
    "en-us",
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
]
VARIANTS = [
    "",
    "+m1",
    "+m2",
    "+m3",
    "+m4",
    "+m5",
    "+m6",
    "+m7",
    "+m8",
    "+f1",
    "+f2",
    "+f3",
    "+f4",
    "+f5",
]


def training_voice(rng):
    """Three in five are the days' own voices; the others any accent with any throat, but never one
    of OTHER_VOICES."""
    if rng.random() < 0.6:
        return rng.choice(vocab.VOICES)
    while True:
        voice = rng.choice(ACCENTS) + rng.choice(VARIANTS)
        if voice not in {other["voice"] for other in vocab.OTHER_VOICES}:
            return {"name": voice, "voice": voice, "pitch": 50 + rng.uniform(-10, 10), "speed": 145}


def speak_all(sentences, rng, codecs, voices=None):
    """Speak every (text); -> (int16 samples at 16 kHz, [{text, voice, at, length, start, end,
    words, phonemes}]).

    With `voices`, by those as they are; otherwise by the training's, with jitter.
    """
    espeak, gap = Espeak(), 0.3
    waves, notes = [], []
    for part, codec in enumerate(codecs):
        mine = sentences[part :: len(codecs)]
        pieces, at, first = [], 0, len(notes)
        for text in mine:
            voice = rng.choice(voices) if voices else training_voice(rng)
            pitch, speed = voice["pitch"], voice["speed"]
            if not voices:
                pitch, speed = pitch + rng.uniform(-10, 10), speed * rng.uniform(0.88, 1.15)
            wave, events, phonemes = espeak.say(text, voice["voice"], pitch, speed)
            loud = np.flatnonzero(
                np.abs(wave.astype(np.int32)) > 0.015 * np.abs(wave.astype(np.int32)).max()
            )
            start, end = float(loud[0]) / espeak.rate, float(loud[-1]) / espeak.rate
            silence = np.zeros(int(gap * espeak.rate), np.int16)
            pieces += [wave, silence]
            notes.append(
                {
                    "text": text,
                    "voice": voice["name"],
                    "at": at / espeak.rate,
                    "length": len(wave) / espeak.rate,
                    "start": start,
                    "end": end,
                    "words": word_starts(text, events, end),
                    "phonemes": phonemes,
                }
            )
            at += len(wave) + len(silence)
        offset = sum(map(len, waves))
        waves.append(to_16k(np.concatenate(pieces), espeak.rate, codec))
        for note in notes[first:]:
            note["at"] = offset + round(note["at"] * RATE)
            note["length"] = round(note["length"] * RATE)
    return np.concatenate(waves), notes


CODECS = [None, (22050, "48k"), (22050, "32k"), (44100, "64k")]


def build_pool(count):
    """Speak the training sentences once and keep them under training/work/whisper."""
    os.makedirs(WORK, exist_ok=True)
    rng = random.Random(7)
    words = all_words(random.Random(2))
    sentences = []
    while len(sentences) < count:
        sentence = training_sentence(rng, words)
        if not held_out(sentence):
            sentences.append(sentence)
    wave, notes = speak_all(sentences, rng, CODECS)
    wave.tofile(os.path.join(WORK, "pool.s16"))
    with open(os.path.join(WORK, "pool.json"), "w") as out:
        json.dump(notes, out)


def load_pool(count):
    if not os.path.exists(os.path.join(WORK, "pool.json")):
        build_pool(count)
    wave = np.fromfile(os.path.join(WORK, "pool.s16"), np.int16)
    return wave, json.load(open(os.path.join(WORK, "pool.json")))


def noises(seed, count=48, seconds=20):
    """Room tones with RMS 1: white, pink, brown, band-limited and hum."""
    rng = np.random.default_rng(seed)
    n = seconds * RATE
    frequency = np.fft.rfftfreq(n, 1 / RATE)
    out = np.empty((count, n), np.float32)
    for i in range(count):
        spectrum = np.fft.rfft(rng.standard_normal(n))
        shape = 1 / np.maximum(frequency, 20) ** rng.choice([0, 0.5, 0.5, 1, 1])
        if rng.random() < 0.3:
            shape = shape * np.exp(
                -(((frequency - rng.uniform(100, 4000)) / rng.uniform(200, 2000)) ** 2)
            )
        if rng.random() < 0.3:
            shape = shape * (frequency < rng.uniform(2000, 7000))
        wave = np.fft.irfft(spectrum * shape, n)
        wave /= wave.std() + 1e-9
        if rng.random() < 0.3:
            t = np.arange(n) / RATE
            hum = sum(
                rng.uniform(0, 1) / k * np.sin(2 * np.pi * k * rng.choice([50, 60, 100, 120]) * t)
                for k in range(1, 5)
            )
            wave += hum * rng.uniform(0.3, 2)
        if rng.random() < 0.3:  # slow swell: wind, sea, traffic
            wave *= 1 + 0.8 * np.sin(
                2 * np.pi * rng.uniform(0.1, 0.7) * np.arange(n) / RATE + rng.uniform(0, 6)
            )
        out[i] = wave / wave.std()
    return out


def new_bed(name, seed, seconds=12):
    """One of the world's sounds at RATE, with RMS 1 while it sounds."""
    made = sounds.sound(name, seconds, RATE, seed)
    return made / sounds.loudness(made, RATE)


def beds(seed, each):
    """Of each of the world's sounds so many."""
    return [new_bed(name, 1000 * seed + k) for name in vocab.SOUNDS for k in range(each)]


def rooms(seed, seconds=20):
    """The room tone of each place with RMS 1, after the codec of the days, which leaves holes in
    what is quiet."""
    out = []
    for k, place in enumerate(vocab.PLACE_NAMES):
        tone = world.room_tone(place, seconds + 0.1, seed + k)
        tone = to_16k((tone * 32767).astype(np.int16), world.RATE, (world.RATE, "48k"))[
            : seconds * RATE
        ].astype(np.float32)
        out.append(tone / tone.std())
    return out


class Mel:
    """Exactly WhisperFeatureExtractor's numbers, for a batch, in torch."""

    def __init__(self):
        self.filters = torch.from_numpy(np.asarray(extractor().mel_filters, np.float32))
        self.window = torch.hann_window(400)

    def __call__(self, wave, louder=0.0):
        """`louder`: by how much (log10 of power) something outside of the window is louder than all
        within: in a long sound the loudest frame of all sets the floor."""
        power = (
            torch.stft(wave, 400, 160, window=self.window, center=True, return_complex=True)[
                ..., :-1
            ].abs()
            ** 2
        )
        log = torch.clamp(self.filters.T @ power, min=1e-10).log10()
        log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) + louder - 8.0)
        return (log + 4.0) / 4.0


def extractor():
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(
        feature_size=80, sampling_rate=RATE, hop_length=160, n_fft=400, chunk_length=CHUNK
    )


# --------------------------------------------------------------------------------------------------
# windows


class Windows:
    """Endless windows of CHUNK seconds: what is heard, and what Whisper should write."""

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
        """[(note, time at which its sound begins)] for one window."""
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
        elif kind < 0.24:  # the last one's end is heard once more after it was written
            out = [(first, rng.uniform(-0.05, 0.15) - first["end"])]
        elif kind < 0.36:  # sought again
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
            # then the window ends in a pair of timestamps, from which to go on
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
            tokens.append(tokens[-1])  # always a pair, from which to go on
            spans.append(spans[-1])
        prompt = [ids.sot, ids.en, ids.transcribe] + ([] if stamped else [ids.notimestamps])
        inputs = prompt + tokens
        labels = (
            [ids.en if said else ids.nospeech] + [-100] * (len(prompt) - 2) + tokens + [ids.eot]
        )
        spans = [(-1, -1)] * (len(prompt) - 1) + spans + [(-1, -1)]
        # the room and what sounds in it
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
        turn = rng.randrange(SAMPLES) if rng.random() < 0.4 else 0  # somewhere else from here on
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
        """A first position such that SHORT positions from there hold all that is said."""
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
        # a few songs are soon known by heart, and new ones then taken for words: each batch brings
        # a new sound
        self.beds[self.rng.randrange(len(self.beds))] = new_bed(
            self.rng.choice(list(vocab.SOUNDS) + ["birds"] * 8), self.rng.getrandbits(32)
        )
        rows = [self.sample(i % 4 != 0, short) for i in range(size)]
        # in a long sound, voices elsewhere are far louder than a window in which nobody speaks
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
                # the recording ends here; generate fills the window with zeros
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


# ----------------------------------------------------------------------------------------------------
# model


def build_model(ids):
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        vocab_size=ids.size,
        num_mel_bins=80,
        d_model=128,
        encoder_layers=3,
        encoder_attention_heads=4,
        encoder_ffn_dim=512,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=512,
        max_source_positions=FRAMES,
        max_target_positions=MAX_TOKENS,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        use_cache=True,
        pad_token_id=ids.eot,
        bos_token_id=ids.eot,
        eos_token_id=ids.eot,
        decoder_start_token_id=ids.sot,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config)
    encoder = model.model.encoder
    # the usual 0.02 is for wide models: here it would drown the sound in the positions
    with torch.no_grad():
        encoder.conv1.weight.normal_(0, 0.11)
        encoder.conv2.weight.normal_(0, 0.08)
        for name, p in model.named_parameters():
            if (
                p.ndim == 2
                and "embed" not in name
                and "q_proj" not in name
                and "k_proj" not in name
            ):
                p.normal_(0, 0.06)
    for layer, shifts in zip(encoder.layers, SHIFTS):
        listen_nearby(layer.self_attn, shifts)
    return model


def carry_over(model, tokenizer, folder):
    """The weights of a trained checkpoint; tokens go by their text, a new one begins as the mean of
    the old pieces it was."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    old = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    weights = {
        k: v.float() for k, v in load_file(os.path.join(folder, "model.safetensors")).items()
    }
    name = "model.decoder.embed_tokens.weight"
    known, rows = weights[name], []
    bytes_of = tokenizer.decoder
    for i in range(tokenizer.get_vocab_size()):
        token = tokenizer.id_to_token(i)
        same = old.token_to_id(token)
        pieces = (
            [same]
            if same is not None
            else old.encode(bytes_of.decode([token]), add_special_tokens=False).ids
        )
        rows.append(known[pieces].mean(0))
    weights[name] = torch.stack(rows)
    weights.pop("proj_out.weight", None)
    missing, unknown = model.load_state_dict(weights, strict=False)
    assert not unknown and set(missing) <= {"proj_out.weight"}, (missing, unknown)
    model.tie_weights()


SHIFTS = [(-4, -1, 1, 4), (-9, -3, 3, 9), (-15, -5, 5, 15)]


def listen_nearby(attention, shifts, scale=1.7, pairs=range(3, 19)):
    """Begin with heads that look at the frame `shift` positions away, as the sinusoids of the
    positions allow.

    Learning to look nearby takes a Transformer thousands of steps; as a starting point it costs
    nothing, and training is free to move away from it.
    """
    half = attention.q_proj.in_features // 2
    width = attention.q_proj.out_features // len(shifts)
    with torch.no_grad():
        for head, shift in enumerate(shifts):
            for row, k in enumerate(pairs):
                angle = math.exp(-math.log(10000) * k / (half - 1)) * shift
                sin, cos = head * width + row, head * width + row + len(pairs)
                attention.q_proj.weight[sin, k] += scale * math.cos(angle)
                attention.q_proj.weight[sin, half + k] += scale * math.sin(angle)
                attention.q_proj.weight[cos, half + k] += scale * math.cos(angle)
                attention.q_proj.weight[cos, k] -= scale * math.sin(angle)
                attention.k_proj.weight[sin, k] += scale
                attention.k_proj.weight[cos, half + k] += scale


class Pointing:
    """Teaches half of the decoder's cross-attention heads where to look: espeak-ng says when each
    word was spoken.

    The first layer looks at the word just written, the last one at the word to be written.
    """

    def __init__(self, model):
        self.layers = [
            model.model.decoder.layers[0].encoder_attn,
            model.model.decoder.layers[-1].encoder_attn,
        ]
        self.asked = [None, None]
        for i, attention in enumerate(self.layers):
            attention.register_forward_pre_hook(
                lambda _, args, kwargs, i=i: self.remember(i, args, kwargs), with_kwargs=True
            )

    def remember(self, i, args, kwargs):
        self.asked[i] = args[0] if args else kwargs["hidden_states"]

    def loss(self, heard, spans):
        """spans: (batch, tokens, 2) frames of each token that is written, first and one past the
        last; -1 where none."""
        total = 0.0
        before = torch.full_like(spans, -1)
        before[:, 1:] = spans[:, :-1]
        frames = torch.arange(heard.shape[1])
        for attention, asked, where in zip(self.layers, self.asked, (before, spans)):
            batch, length, width = asked.shape
            heads, each = attention.num_heads, attention.head_dim
            q = attention.q_proj(asked).view(batch, length, heads, each)[:, :, : heads // 2]
            k = attention.k_proj(heard).view(batch, -1, heads, each)[:, :, : heads // 2]
            scores = torch.einsum("bthe,bfhe->bthf", q, k).float() * attention.scaling
            there = (frames >= where[..., :1]) & (frames < where[..., 1:])
            known = there.any(-1)
            inside = scores.masked_fill(~there[:, :, None], -1e4).logsumexp(-1) - scores.logsumexp(
                -1
            )
            total = total - inside[known].mean()
        return total


def generation_settings(ids):
    """Everything that generate() needs, here or in Rust."""
    return {
        "_from_model_config": False,
        "bos_token_id": ids.eot,
        "eos_token_id": ids.eot,
        "pad_token_id": ids.eot,
        "decoder_start_token_id": ids.sot,
        "prev_sot_token_id": ids.prev,
        "is_multilingual": True,
        "lang_to_id": ids.languages,
        "task_to_id": {"transcribe": ids.transcribe, "translate": ids.translate},
        # the task's token always follows the language's, also where the language is detected: never
        # trained without
        "forced_decoder_ids": [[1, None], [2, ids.transcribe]],
        "no_timestamps_token_id": ids.notimestamps,
        # speech may begin anywhere in these short windows, not only in the first second
        "max_initial_timestamp_index": CHUNK * 50,
        # <|endoftext|> is not suppressed at the beginning: it says that a window is silent
        "begin_suppress_tokens": [ids.space],
        "suppress_tokens": sorted(
            [
                ids.sot,
                ids.translate,
                ids.transcribe,
                ids.lm,
                ids.prev,
                ids.nospeech,
                *ids.languages.values(),
            ]
        ),
        "return_timestamps": False,
        "max_length": MAX_TOKENS,
    }


def export(model, tokenizer, folder):
    from transformers import WhisperForConditionalGeneration

    ids = Ids(tokenizer)
    os.makedirs(folder, exist_ok=True)
    half = WhisperForConditionalGeneration(model.config)
    half.load_state_dict(model.state_dict())
    half = half.half()
    half.config.dtype = torch.float16
    half.save_pretrained(folder)
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
    settings = generation_settings(ids)
    with open(os.path.join(folder, "generation_config.json"), "w") as out:
        json.dump(settings, out, indent=2)
        out.write("\n")
    path = os.path.join(folder, "config.json")
    config = json.load(open(path))
    # null breaks readers that expect lists
    for name in ("suppress_tokens", "begin_suppress_tokens"):
        config[name] = settings[name]
    with open(path, "w") as out:
        json.dump(config, out, indent=2)
        out.write("\n")
    extractor().save_pretrained(folder)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    special = [f"<|{language}|>" for language in LANGUAGES]
    settings = {
        "tokenizer_class": "WhisperTokenizer",
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": MAX_TOKENS,
        "language": None,
        "task": None,
        "additional_special_tokens": [
            "<|endoftext|>",
            "<|startoftranscript|>",
            *special,
            "<|translate|>",
            "<|transcribe|>",
            "<|startoflm|>",
            "<|startofprev|>",
            "<|nospeech|>",
            "<|notimestamps|>",
        ],
    }
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as out:
        json.dump(settings, out, indent=2)
        out.write("\n")


def encode(encoder, mel, firsts):
    """The encoder, from given positions on; -> (after the first layer, at the end)."""
    x = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).transpose(1, 2)
    x = x + encoder.embed_positions.weight[firsts[:, None] + torch.arange(x.shape[1])]
    outs = []
    for layer in encoder.layers:
        x = layer(x, None)
        x = x[0] if isinstance(x, tuple) else x
        outs.append(x)
    return outs[0], encoder.layer_norm(x)


def groups(model, heads):
    """Matrices for Muon; everything else for AdamW."""
    matrices, rest = [], []
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        (matrices if p.ndim == 2 and "embed" not in name else rest).append(p)
    return matrices, rest + list(heads.parameters())


def rate_at(progress, step, warm=150, decay_from=0.45):
    """Warm up, hold, then fall in a straight line to a fiftieth."""
    scale = min(1.0, (step + 1) / warm)
    if progress > decay_from:
        scale *= max(0.02, 1 - (progress - decay_from) / (1 - decay_from))
    return scale


def train(minutes, size, muon_rate, adam_rate, start=None, utterances=UTTERANCES, save_every=240):
    os.makedirs(WORK, exist_ok=True)
    os.makedirs(os.path.dirname(CURVE), exist_ok=True)
    tokenizer = load_tokenizer()
    ids = Ids(tokenizer)
    wave, notes = load_pool(utterances)
    windows = Windows(0, wave, notes, tokenizer)
    fixed = Windows(99, wave, notes, tokenizer).batch(48, augment=False)
    model = build_model(ids)
    if start:
        carry_over(model, tokenizer, start)
    heads = torch.nn.ModuleList(
        [
            torch.nn.Linear(128, len(windows.phonemes) + 1),
            torch.nn.Linear(128, len(windows.words) + 1),
        ]
    )
    pointing = Pointing(model)
    matrices, rest = groups(model, heads)
    optimisers = [
        torch.optim.Muon(
            matrices, lr=muon_rate, weight_decay=0.05, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(rest, lr=adam_rate, betas=(0.9, 0.98), weight_decay=0.01),
    ]
    average = {k: v.clone() for k, v in model.state_dict().items()}
    step, spent, before = 0, 0.0, cards.earlier(start)
    path = os.path.join(WORK, "checkpoint.pt")
    if os.path.exists(path):
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        heads.load_state_dict(state["heads"])
        for optimiser, saved in zip(optimisers, state["optimisers"]):
            optimiser.load_state_dict(saved)
        average, step, spent, before = (
            state["average"],
            state["step"],
            state["spent"],
            state.get("before") or before,
        )
        print(f"resumed at step {step}, {spent / 60:.1f} min", flush=True)
    else:
        with open(CURVE, "w") as out:
            out.write("step,minutes,loss,phone,word,right,point,rate\n")
    windows.rng.seed(step)
    shadow = build_model(ids)
    print(
        f"{sum(p.numel() for p in model.parameters())} parameters, {len(notes)} utterances, "
        f"{ids.size} tokens, {len(windows.words)} words",
        flush=True,
    )

    def save():
        torch.save(
            {
                "model": model.state_dict(),
                "heads": heads.state_dict(),
                "optimisers": [o.state_dict() for o in optimisers],
                "average": average,
                "step": step,
                "spent": spent,
                "before": before,
            },
            path + ".new",
        )
        os.replace(path + ".new", path)
        shadow.load_state_dict(average)
        shadow.eval()
        export(shadow, tokenizer, os.path.join(WORK, "export"))
        with torch.no_grad():
            out = shadow(fixed[0], decoder_input_ids=fixed[1]).logits
            mask = fixed[2] != -100
            loss = F.cross_entropy(out[mask], fixed[2][mask]).item()
            words = mask & (fixed[2] < ids.eot)
            right = (out.argmax(-1) == fixed[2])[words].float().mean().item()
        cards.write_training(
            "whisper",
            os.path.join(WORK, "export"),
            before,
            cards.origin(start),
            step,
            f"{step * size:,} windows of 6 s",
            f"{spent / 60:.0f} min of computing",
            1,
            f"Of the words of 48 windows, the ones before given, {right:.1%} are right; loss "
            f"{loss:.3f}.",
        )
        print(
            f"== saved at step {step}: averaged weights, fixed loss {loss:.3f}, words right "
            f"(forced) {right:.3f}",
            flush=True,
        )

    saved = time.time()
    sums, count = np.zeros(6), 0
    while spent < minutes * 60:
        # computing time, so that a busy machine does not cut the schedule short
        began = time.process_time()
        progress = spent / (minutes * 60)
        scale = rate_at(progress, step, *((60, 0.25) if start else ()))
        for optimiser, base in zip(optimisers, (muon_rate, adam_rate)):
            for group in optimiser.param_groups:
                group["lr"] = base * scale
        help_weight = max(0.1, (0.5 if start else 1) - progress * (0.8 if start else 1.8))
        short = not start and progress < 0.4 and windows.rng.random() < 0.8
        mel, inputs, labels, phones, spoken, spans, firsts = windows.batch(size, short=short)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            first, heard = encode(model.model.encoder, mel, firsts)
            out = model.model.decoder(
                input_ids=inputs, encoder_hidden_states=heard
            ).last_hidden_state
            mask = labels != -100
            logits = model.proj_out(out[mask])
            pointed = pointing.loss(heard, spans)
        first, heard = first.float(), heard.float()
        if start and step < 60:  # the heads are new: they learn first, before they teach
            first, heard = first.detach(), heard.detach()
        loss = F.cross_entropy(logits.float(), labels[mask])
        phone = F.cross_entropy(heads[0](first).flatten(0, 1), phones.flatten())
        word = F.cross_entropy(heads[1](heard).flatten(0, 1), spoken.flatten())
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        (loss + help_weight * (0.5 * phone + word + 0.3 * pointed)).backward()
        torch.nn.utils.clip_grad_norm_(rest, 1.0)
        for optimiser in optimisers:
            optimiser.step()
        step += 1
        decay = min(0.99, (step + 1) / (step + 20))
        with torch.no_grad():
            for key, value in model.state_dict().items():
                average[key].lerp_(value, 1 - decay)
            target = labels[mask]
            text = target < ids.eot
            right = (logits.argmax(-1) == target)[text].float().mean().item()
        sums += [
            loss.item(),
            phone.item(),
            word.item(),
            right,
            pointed.item(),
            time.process_time() - began,
        ]
        count += 1
        spent += time.process_time() - began
        if step % 25 == 0:
            a = sums / count
            print(
                f"step {step} {spent / 60:.1f} min loss {a[0]:.3f} phone {a[1]:.3f} word "
                f"{a[2]:.3f} right {a[3]:.3f} point {a[4]:.3f} rate {scale:.2f} {a[5]:.2f} s/step",
                flush=True,
            )
            with open(CURVE, "a") as out:
                csv.writer(out, lineterminator="\n").writerow(
                    [step, round(spent / 60, 2), *(f"{v:.4f}" for v in a[:5]), f"{scale:.3f}"]
                )
            sums, count = np.zeros(6), 0
        if time.time() - saved > save_every:
            save()
            saved = time.time()
    save()


def load_tokenizer():
    from tokenizers import Tokenizer

    path = os.path.join(WORK, "tokenizer.json")
    if not os.path.exists(path):
        os.makedirs(WORK, exist_ok=True)
        build_tokenizer().save(path)
    return Tokenizer.from_file(path)


# ----------------------------------------------------------------------------------------------------
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
        self.processor = WhisperProcessor.from_pretrained(folder)

    def window(self, sound, stamped=True):
        """Tokens for one window."""
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
        """[(start, end, text)] of any length, by Whisper's sequential windows."""
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
        sentence = vocab.sample_sentence(rng)
        if held_out(sentence):
            sentences.append(sentence)
    return sentences


def noisy_windows(notes, wave, bed, ratio, rng):
    """(note, when it begins, a window of sound): each note alone in a window, a bed `ratio` dB
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
    """Sentences, voices' jitter, noise and sounds that the training did not hear."""
    ear = Ear(folder)
    rng = random.Random(12345)
    os.makedirs(WORK, exist_ok=True)
    zero = ear.processor.tokenizer.convert_tokens_to_ids("<|0.00|>")
    space = ear.processor.tokenizer.convert_tokens_to_ids("Ġ")
    hum, things = noises(77, 4), beds(77, each=1)
    sentences = unseen(rng, count)
    spoken = {
        name: speak_all(sentences, rng, [None], voices)
        for name, voices in (("known voices", vocab.VOICES), ("other voices", vocab.OTHER_VOICES))
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
    """Whole days, through AAC, by generate's own windows."""
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
        truth = [
            json.loads(line) for line in open(os.path.join(day, "speech.jsonl")) if line.strip()
        ]
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


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=None,
        help="computing time of the training in all; 50 from nothing, 25 with --start",
    )
    parser.add_argument("--start", metavar="FOLDER", help="begin with this checkpoint's weights")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--utterances",
        type=int,
        default=UTTERANCES,
        help="sentences to speak before the first training",
    )
    parser.add_argument("--count", type=int, default=60, help="sentences of --test")
    parser.add_argument(
        "--muon", type=float, default=None, help="3e-3 from nothing, 2e-3 with --start"
    )
    parser.add_argument(
        "--adam", type=float, default=None, help="2e-3 from nothing, 1e-3 with --start"
    )
    parser.add_argument(
        "--model", default=TARGET, help="checkpoint folder for --test and --evaluate"
    )
    parser.add_argument("--export", action="store_true")
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--evaluate", metavar="DAY_DIR", nargs="+")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.test:
        test(args.model, args.count)
    elif args.evaluate:
        evaluate(args.model, args.evaluate)
    else:
        if not args.export:
            minutes, muon, adam = (25, 2e-3, 1e-3) if args.start else (50, 3e-3, 2e-3)
            train(
                args.minutes or minutes,
                args.batch,
                args.muon or muon,
                args.adam or adam,
                args.start,
                args.utterances,
            )
        tokenizer = load_tokenizer()
        model = build_model(Ids(tokenizer))
        model.load_state_dict(
            torch.load(os.path.join(WORK, "checkpoint.pt"), weights_only=True)["average"]
        )
        export(model, tokenizer, TARGET)
        trained = cards.part(os.path.join(WORK, "export", "README.md"), "training")
        if trained:
            cards.put_training("whisper", TARGET, trained)


if __name__ == "__main__":
    main()
