"""The sounds under the speech: noise, the world's sounds and room tones."""

import numpy as np

import sounds
import soundtrack
import vocab
from ear.shape import RATE
from ear.speech import to_16k


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
    """`each` examples of each of the world's sounds."""
    return [new_bed(name, 1000 * seed + k) for name in vocab.SOUNDS for k in range(each)]


def rooms(seed, seconds=20):
    """The room tone of each place with RMS 1, after the codec of the days, which leaves gaps in
    quiet parts."""
    out = []
    for k, place in enumerate(vocab.PLACE_NAMES):
        tone = soundtrack.room_tone(place, seconds + 0.1, seed + k)
        tone = to_16k((tone * 32767).astype(np.int16), soundtrack.RATE, (soundtrack.RATE, "48k"))[
            : seconds * RATE
        ].astype(np.float32)
        out.append(tone / tone.std())
    return out
