"""The sound of a day: room tone, sounds and speech."""

import io
import os
import random
import subprocess
import tempfile
import wave

import numpy as np

import sayings
import sounds
import vocab
from look import PLAIN

RATE = 22050


def speak(text, voice, hurry=1.0):
    """The sentence as float32 samples at RATE, without silence at both ends."""
    done = subprocess.run(
        [
            "espeak-ng",
            "-v",
            voice["voice"],
            "-p",
            str(voice["pitch"]),
            "-s",
            str(int(voice["speed"] * hurry)),
            "--stdout",
            text,
        ],
        # espeak-ng opens the sound system, which makes a folder with a random name for a new user;
        # then the noise in the voice is another. With a folder given, it makes none.
        env={**os.environ, "PULSE_RUNTIME_PATH": tempfile.gettempdir()},
        capture_output=True,
        check=True,
    )
    head = done.stdout.index(b"data") + 8  # a streamed WAV does not state its length
    with wave.open(io.BytesIO(done.stdout[:head]), "rb") as header:
        rate = header.getframerate()
    samples = (
        np.frombuffer(
            done.stdout[head : len(done.stdout) - (len(done.stdout) - head) % 2], np.int16
        ).astype(np.float32)
        / 32768
    )
    loud = np.flatnonzero(np.abs(samples) > 0.01 * max(1e-6, np.abs(samples).max()))
    samples = samples[loud[0] : loud[-1] + 1] if len(loud) else samples
    if rate != RATE:
        samples = np.interp(
            np.arange(int(len(samples) * RATE / rate)) * rate / RATE,
            np.arange(len(samples)),
            samples,
        ).astype(np.float32)
    return samples


def room_tone(place, seconds, seed):
    """Quiet noise with the place's colour: a hum indoors, wind outdoors, waves on the beach,
    engines on the street."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    spectrum = np.fft.rfft(rng.normal(0, 1, n))
    f = np.fft.rfftfreq(n, 1 / RATE) + 1
    cut = {
        "beach": 1600,
        "street": 260,
        "bus stop": 300,
        "park": 900,
        "garden": 1100,
        "cafe": 700,
        "gym": 500,
        "library": 250,
        "hallway": 320,
        "train station": 550,
    }.get(place, 400)
    tone = np.fft.irfft(spectrum / (1 + (f / cut) ** 1.5), n).astype(np.float32)
    tone /= np.sqrt(np.mean(tone**2)) + 1e-9
    t = np.arange(n) / RATE
    if place == "beach":
        tone *= (0.55 + 0.45 * np.sin(2 * np.pi * 0.16 * t + rng.uniform(0, 6))).astype(np.float32)
    if place in ("train station", "gym", "hallway"):  # bare walls echo
        late = int(0.09 * RATE)
        tone[late:] += 0.5 * tone[:-late]
    level = 0.0035 if not vocab.PLACES[place]["outdoor"] else 0.006
    if place in ("kitchen", "supermarket", "office"):
        tone += 0.5 * np.sin(2 * np.pi * 100 * t).astype(np.float32)
    return level * tone


VOICE = 0.1  # the usual loudness of a voice, by sounds.loudness


def segment_sound(day, number, look=PLAIN):
    """(samples of the whole segment, its line of speech.jsonl or None): room tone, the segment's
    sound, and speech over both."""
    segment = day.segments[number]
    rng = random.Random(f"sound {day.seed} {number}")
    length = segment.end - segment.start
    out = room_tone(segment.place, length, rng.getrandbits(32))
    line, loud = None, VOICE
    if segment.heard:
        voice = rng.choice(sayings.OTHER_VOICES if look.other_voices else sayings.VOICES)
        for hurry in (1, 1.15, 1.3, 1.45):
            words = speak(segment.heard, voice, hurry)
            if len(words) / RATE <= length - 0.7:
                break
        words = words[: int((length - 0.35) * RATE)]
        words = words * (rng.uniform(0.42, 0.6) / max(0.05, np.abs(words).max()))
        spare = length - len(words) / RATE
        at = rng.uniform(0.4, max(0.4, min(spare - 0.4, 2.5))) if spare > 0.8 else 0.32
        a = int(at * RATE)
        out[a : a + len(words)] += words
        loud = sounds.loudness(words, RATE)
        line = {
            "start": round(segment.start + at, 3),
            "end": round(segment.start + at + len(words) / RATE, 3),
            "text": segment.heard,
            "voice": voice["name"],
        }
    if segment.sound:
        made = sounds.sound(segment.sound, length, RATE, rng.getrandbits(32))
        made *= loud * 10 ** (-rng.uniform(7, 16) / 20) / sounds.loudness(made, RATE)
        fade = np.minimum(
            1, np.minimum(np.arange(len(made)), np.arange(len(made))[::-1]) / (0.15 * RATE)
        )
        out += (made * fade).astype(np.float32)
    return out, line
