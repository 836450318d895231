"""The pool of spoken sentences."""

import json
import os
import random
import subprocess

import numpy as np

import sayings
from ear.espeak import Espeak, word_starts
from ear.shape import RATE, WORK
from ear.words import all_words, held_out, training_sentence


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
    """Resamples int16 mono; `codec` = (sample rate, bit rate) sends it through AAC on the way."""
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
    """A voice for training. Three in five are those of the days; the others combine any accent with
    any throat, but never one of OTHER_VOICES."""
    if rng.random() < 0.6:
        return rng.choice(sayings.VOICES)
    while True:
        voice = rng.choice(ACCENTS) + rng.choice(VARIANTS)
        if voice not in {other["voice"] for other in sayings.OTHER_VOICES}:
            return {"name": voice, "voice": voice, "pitch": 50 + rng.uniform(-10, 10), "speed": 145}


def speak_all(sentences, rng, codecs, voices=None):
    """Speaks every text; -> (int16 samples at 16 kHz, [{text, voice, at, length, start, end, words,
    phonemes}]).

    With `voices`, these voices speak unchanged. Otherwise the training's voices speak with jitter.
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
    """Speaks the training sentences once and keeps them under training/work/whisper."""
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
