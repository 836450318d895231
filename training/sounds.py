"""Synthesises the sounds besides speech: each of vocab.SOUNDS, at any length and rate, from a seed.

    sound(name, seconds, rate, seed) -> float32 samples with a peak of 1

No sound comes from a recording. Noise in bands, decaying partials and glides form each one. `python
training/sounds.py DIR` writes each sound as a WAV file. The caller sets the levels: `loudness`
gives the RMS of a sound while it sounds, so that a doorbell and a waterfall can be equally far
below a voice.
"""

import os
import sys
import wave
import zlib

import numpy as np

import vocab
from soundmakers import (
    beeping,
    birds,
    cat_meowing,
    clock_ticking,
    crowd,
    dog_barking,
    doorbell,
    footsteps,
    hammering,
    kettle,
    music,
    running_water,
    sawing,
    traffic,
    train,
    typing,
    waves,
)

MAKERS = {
    "running water": running_water,
    "doorbell": doorbell,
    "dog barking": dog_barking,
    "cat meowing": cat_meowing,
    "footsteps": footsteps,
    "kettle": kettle,
    "traffic": traffic,
    "birds": birds,
    "waves": waves,
    "typing": typing,
    "hammering": hammering,
    "sawing": sawing,
    "music": music,
    "clock ticking": clock_ticking,
    "train": train,
    "crowd": crowd,
    "beeping": beeping,
}


def sound(name, seconds, rate, seed):
    """float32 samples with peak 1 (silence stays silence). The same arguments give the same
    samples."""
    n = max(1, int(round(seconds * rate)))
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    out = MAKERS[name](rng, n, rate)
    return (out / (np.abs(out).max() + 1e-9)).astype(np.float32)


def loudness(samples, rate):
    """RMS of the louder half of the 50 ms parts with sound: the loudness while it sounds."""
    step = max(1, int(0.05 * rate))
    n = len(samples) // step * step
    if n == 0:
        return float(np.sqrt(np.mean(samples**2)))
    power = np.sort(np.mean(samples[:n].reshape(-1, step) ** 2, axis=1))
    power = power[power > 1e-3 * power[-1]] if power[-1] > 0 else power
    return float(np.sqrt(np.mean(power[len(power) // 2 :])))


def main():
    assert list(MAKERS) == list(vocab.SOUNDS)
    folder, rate = sys.argv[1], 22050
    os.makedirs(folder, exist_ok=True)
    for name in MAKERS:
        samples = sound(name, 6, rate, 1)
        with wave.open(os.path.join(folder, name.replace(" ", "_") + ".wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes((samples * 30000).astype("<i2").tobytes())
        print(
            f"{name:14} peak {np.abs(samples).max():.2f}  rms {np.sqrt(np.mean(samples**2)):.3f}  "
            f"while it sounds {loudness(samples, rate):.3f}"
        )


if __name__ == "__main__":
    main()
