"""The sounds of the world, each synthesised from noise, tones and pulses."""

import numpy as np


def hiss(rng, n, rate, low, high, slope=0.5):
    """Noise between two frequencies with soft edges, falling by `slope` as 1/f^slope; RMS 1."""
    f = np.fft.rfftfreq(n, 1 / rate) + 1e-3
    shape = f**-slope / np.sqrt((1 + (low / f) ** 6) * (1 + (f / high) ** 6))
    out = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * shape, n)
    return out / (np.sqrt(np.mean(out**2)) + 1e-9)


def wander(rng, n, rate, every, low, high):
    """A curve that moves smoothly between random values, with a new one each `every` seconds."""
    knots = max(2, int(n / rate / every) + 2)
    return np.interp(np.arange(n) / rate, np.arange(knots) * every, rng.uniform(low, high, knots))


def glide(frequency, rate, partials):
    """Harmonics of a gliding fundamental (array of Hz): {number: amplitude}. Harmonics above the
    rate's limit are left out."""
    phase = 2 * np.pi * np.cumsum(frequency) / rate
    return sum(
        a * np.sin(k * phase) for k, a in partials.items() if k * np.max(frequency) < 0.45 * rate
    )


def struck(seconds, rate, modes):
    """A struck body: [(Hz, amplitude, decay in seconds)] ring together."""
    t = np.arange(max(1, int(seconds * rate))) / rate
    return sum(
        a * np.exp(-t / decay) * np.sin(2 * np.pi * f * t)
        for f, a, decay in modes
        if f < 0.45 * rate
    )


def burst(rng, seconds, rate, low, high, decay):
    """A noise that fades."""
    n = max(8, int(seconds * rate))
    return hiss(rng, n, rate, low, high, 0) * np.exp(-np.arange(n) / rate / decay)


def swell(n):
    """0 to 1 and back, as a raised sine."""
    return np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2


def put(out, rate, at, piece):
    """Adds a piece at a time in seconds. The part beyond the end is cut."""
    a = int(at * rate)
    if 0 <= a < len(out):
        out[a : a + len(piece)] += piece[: len(out) - a]


def beats(rng, seconds, first, step, jitter):
    """Times from about `first` on, `step` apart, each off by up to `jitter`."""
    at = first
    while at < seconds:
        yield max(0.0, at + rng.uniform(-jitter, jitter))
        at += step


# -> samples
def running_water(rng, n, rate):
    out = hiss(rng, n, rate, 400, 6500, 0.3) * wander(rng, n, rate, 0.15, 0.75, 1.0)
    for at in rng.uniform(0, n / rate, int(45 * n / rate)):  # bubbles rise in pitch
        m = int(rng.uniform(0.008, 0.03) * rate)
        put(
            out,
            rate,
            at,
            rng.uniform(0.5, 2)
            * glide(np.linspace(1, 1.3, m) * rng.uniform(450, 1500), rate, {1: 1})
            * swell(m),
        )
    return out


def doorbell(rng, n, rate):
    out, high = np.zeros(n), rng.uniform(620, 720)
    for at in beats(rng, n / rate, rng.uniform(0.1, 0.6), rng.uniform(2.8, 3.8), 0.1):
        for late, f in ((0, high), (0.55, high * 0.794)):
            put(
                out,
                rate,
                at + late,
                struck(
                    1.8,
                    rate,
                    [(f, 1, 0.5), (2 * f, 0.35, 0.3), (3.01 * f, 0.2, 0.15), (5.4 * f, 0.12, 0.05)],
                ),
            )
    return out


def dog_barking(rng, n, rate):
    out, pitch, at = np.zeros(n), rng.uniform(320, 520), rng.uniform(0.1, 0.6)
    while at < n / rate:
        for _ in range(rng.integers(2, 4)):
            m = int(rng.uniform(0.14, 0.2) * rate)
            x = np.arange(m) / m
            f = pitch * rng.uniform(0.92, 1.08) * (0.75 + 0.5 * np.sin(np.pi * x**0.6))
            throat = glide(f, rate, {1: 0.7, 2: 1, 3: 0.8, 4: 0.45, 5: 0.25, 6: 0.12}) + 0.7 * hiss(
                rng, m, rate, 500, 2500, 0.3
            )
            put(out, rate, at, throat * np.minimum(1, x * 12) * (1 - x) ** 1.2)
            at += rng.uniform(0.28, 0.4)
        at += rng.uniform(0.6, 1.3)
    return out


def cat_meowing(rng, n, rate):
    out, pitch, at = np.zeros(n), rng.uniform(520, 680), rng.uniform(0.1, 0.7)
    while at < n / rate:
        m = int(rng.uniform(0.6, 0.95) * rate)
        x = np.arange(m) / m
        f = (
            pitch
            * rng.uniform(0.95, 1.05)
            * (0.85 + 0.4 * np.sin(np.pi * x**0.7))
            * (1 + 0.012 * np.sin(2 * np.pi * 7 * np.arange(m) / rate))
        )
        closed, opened = (
            glide(f, rate, {1: 1, 2: 0.25}),
            glide(f, rate, {1: 0.7, 2: 1, 3: 0.8, 4: 0.5, 5: 0.25}),
        )
        mouth = np.sin(np.pi * x) ** 1.5  # m - ia - u
        put(
            out,
            rate,
            at,
            (closed * (1 - mouth) + opened * mouth)
            * np.minimum(1, x * 9)
            * np.minimum(1, (1 - x) * 3),
        )
        at += m / rate + rng.uniform(0.7, 1.6)
    return out


def footsteps(rng, n, rate):
    out, sole = np.zeros(n), rng.uniform(900, 2200)
    for k, at in enumerate(
        beats(rng, n / rate, rng.uniform(0, 0.4), rng.uniform(0.48, 0.62), 0.02)
    ):
        strength = rng.uniform(0.8, 1) * (1 if k % 2 else 0.85)
        put(out, rate, at, strength * 1.3 * struck(0.2, rate, [(75, 1, 0.05), (140, 0.6, 0.03)]))
        put(out, rate, at, strength * 0.5 * burst(rng, 0.08, rate, 300, sole, 0.018))
        put(out, rate, at + 0.09, strength * 0.25 * burst(rng, 0.1, rate, sole, 2.5 * sole, 0.03))
    return out


def kettle(rng, n, rate):
    """Boiling, with a whistle that settles at its pitch within a second and a half."""
    t = np.arange(n) / rate
    boil = hiss(rng, n, rate, 150, 2500, 0.5) * wander(rng, n, rate, 0.06, 0.4, 1)
    pitch = (
        rng.uniform(2100, 2700)
        * (1 - 0.12 * np.exp(-t / 0.5))
        * (1 + 0.004 * np.sin(2 * np.pi * rng.uniform(9, 14) * t))
    )
    return 0.4 * boil + (1 - 0.8 * np.exp(-t / 0.7)) * (
        glide(pitch, rate, {1: 1, 2: 0.2}) + 0.15 * hiss(rng, n, rate, 2000, 6000, 0)
    )


def traffic(rng, n, rate):
    t, out = np.arange(n) / rate, 0.35 * hiss(rng, n, rate, 40, 700, 1)
    at = rng.uniform(-1, 1)
    while at < n / rate + 1:
        near = 1 / (1 + ((t - at) / rng.uniform(0.4, 0.9)) ** 2)
        # lower after it has passed
        engine = rng.uniform(55, 110) * (1 - 0.06 * np.tanh((t - at) / 0.4))
        out += near * (
            0.8 * hiss(rng, n, rate, 120, 2200, 0.6)
            + 0.5 * glide(engine, rate, {1: 1, 2: 0.8, 3: 0.5, 4: 0.4, 6: 0.3})
        )
        at += rng.uniform(1.4, 3.2)
    if rng.random() < 0.4:
        m = int(0.45 * rate)
        horn = glide(np.full(m, 392.0), rate, {1: 1, 2: 0.7, 3: 0.5, 4: 0.3}) + glide(
            np.full(m, 494.0), rate, {1: 1, 2: 0.7, 3: 0.5}
        )
        put(
            out,
            rate,
            rng.uniform(0, max(0.1, n / rate - 0.5)),
            0.9 * horn * np.minimum(1, 12 * swell(m)),
        )
    return out


def birds(rng, n, rate):
    out = np.zeros(n)
    for _ in range(rng.integers(2, 4)):  # each bird repeats a motif of its own
        base, notes, far = rng.uniform(2400, 4600), rng.integers(2, 6), rng.uniform(0.4, 1)
        motif = [
            (rng.uniform(0.85, 1.25), rng.uniform(0.85, 1.25), rng.uniform(0.05, 0.14))
            for _ in range(notes)
        ]
        at = rng.uniform(0, 1.2)
        while at < n / rate:
            for low, high, long in motif:
                m = int(long * rate)
                put(
                    out,
                    rate,
                    at,
                    far * glide(base * np.linspace(low, high, m), rate, {1: 1, 2: 0.1}) * swell(m),
                )
                at += long + rng.uniform(0.02, 0.06)
            at += rng.uniform(0.4, 1.6)
    return out + 0.02 * hiss(rng, n, rate, 300, 3000, 0.7)


def waves(rng, n, rate):
    t, out = np.arange(n) / rate, 0.12 * hiss(rng, n, rate, 60, 900, 0.8)
    at = rng.uniform(-3, 1)
    while at < n / rate + 3:
        rise, fall = rng.uniform(0.7, 1.1), rng.uniform(1.3, 2.2)
        shape = np.where(
            t < at, np.exp(-(((t - at) / rise) ** 2)), np.exp(-np.maximum(0, t - at) / fall)
        )
        out += shape * hiss(rng, n, rate, 120, 3500, 0.6) + 0.5 * shape**2 * hiss(
            rng, n, rate, 2000, 7000, 0.2
        )
        at += rng.uniform(3.5, 5.5)
    return out


def typing(rng, n, rate):
    out, at, body = np.zeros(n), rng.uniform(0, 0.3), rng.uniform(250, 500)
    while at < n / rate:
        for _ in range(rng.integers(4, 12)):
            heavy = rng.uniform(0.5, 1)
            put(out, rate, at, heavy * burst(rng, 0.02, rate, 1500, 6500, 0.003))
            put(
                out,
                rate,
                at,
                0.7 * heavy * struck(0.04, rate, [(body * rng.uniform(0.9, 1.1), 1, 0.008)]),
            )
            put(out, rate, at + 0.05, 0.4 * heavy * burst(rng, 0.015, rate, 2000, 6500, 0.002))
            at += rng.uniform(0.09, 0.2)
        at += rng.uniform(0.2, 0.7)
    return out


def hammering(rng, n, rate):
    out, f = np.zeros(n), rng.uniform(1300, 1900)
    for at in beats(rng, n / rate, rng.uniform(0.1, 0.5), rng.uniform(0.55, 0.8), 0.03):
        hit = struck(
            0.35,
            rate,
            [
                (f, 0.8, 0.05),
                (1.62 * f, 0.6, 0.035),
                (2.53 * f, 0.4, 0.025),
                (180, 1.2, 0.04),
                (310, 0.7, 0.03),
            ],
        )
        put(out, rate, at, rng.uniform(0.75, 1) * hit)
        put(out, rate, at, 0.5 * burst(rng, 0.03, rate, 800, 6000, 0.006))
        f *= 1.008  # a nail rings higher as it goes deeper
    return out


def sawing(rng, n, rate):
    out, at, there = np.zeros(n), 0.0, True
    while at < n / rate:
        m = int(rng.uniform(0.34, 0.46) * rate)
        push = swell(m)
        teeth = 1 + 0.8 * np.sin(2 * np.pi * np.cumsum(40 + 130 * push) / rate)
        low = 700 if there else 1000
        put(
            out,
            rate,
            at,
            (1 if there else 0.7) * push * teeth * hiss(rng, m, rate, low, 5 * low, 0.4),
        )
        at, there = at + m / rate + 0.05, not there
    return out


def music(rng, n, rate):
    """Plucked chords, a melody over them and a soft beat."""
    out, key, beat = np.zeros(n), rng.uniform(110, 165), rng.uniform(0.26, 0.34)
    chords = [(0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14)]

    def pluck(half_tones, seconds, loud):
        f = key * 2 ** (half_tones / 12)
        return loud * struck(seconds, rate, [(k * f, 1 / k, 0.7 / k**0.7) for k in range(1, 7)])

    for k in range(int(n / rate / beat) + 1):
        chord = chords[k // 8 % 4]
        if k % 2 == 0:
            put(out, rate, k * beat, pluck(chord[k // 2 % 3], 1.2, 0.8))
            put(
                out,
                rate,
                k * beat,
                (1 if k % 4 == 0 else 0.4) * struck(0.15, rate, [(62, 1.2, 0.06)]),
            )
        if rng.random() < 0.6:
            put(
                out,
                rate,
                k * beat,
                pluck(24 + int(rng.choice(chord)) + int(rng.choice([0, 0, 0, 2])), 0.8, 0.6),
            )
        put(out, rate, k * beat, 0.12 * burst(rng, 0.05, rate, 5000, 9000, 0.012))
    return out


def clock_ticking(rng, n, rate):
    out, f = np.zeros(n), rng.uniform(2300, 3200)
    for k, at in enumerate(beats(rng, n / rate, rng.uniform(0, 0.4), 0.5, 0.002)):
        g = f * (1 if k % 2 else 0.82)
        put(
            out,
            rate,
            at,
            struck(0.06, rate, [(g, 1, 0.008), (1.7 * g, 0.5, 0.004), (420, 0.5, 0.012)]),
        )
        put(out, rate, at, 0.4 * burst(rng, 0.01, rate, 2000, 7000, 0.002))
    return out


def train(rng, n, rate):
    """Rumble, wheels over the rails' joints (four knocks a carriage), at times the horn."""
    out = 0.4 * hiss(rng, n, rate, 30, 400, 1) * wander(rng, n, rate, 0.3, 0.7, 1) + 0.1 * hiss(
        rng, n, rate, 1500, 5000, 0.3
    )
    step = rng.uniform(0.9, 1.2)
    for at in beats(rng, n / rate, 0, step, 0.01):
        for late in (0, 0.13, 0.42, 0.55):
            put(
                out,
                rate,
                at + late * step,
                1.4 * struck(0.15, rate, [(95, 1, 0.05), (210, 0.7, 0.03), (760, 0.25, 0.015)]),
            )
            put(out, rate, at + late * step, 0.3 * burst(rng, 0.06, rate, 500, 3500, 0.015))
    if rng.random() < 0.5:
        m = int(1.1 * rate)
        horn = sum(
            glide(np.full(m, f), rate, {1: 1, 2: 0.6, 3: 0.4}) for f in (311.0, 370.0, 466.0)
        )
        put(
            out,
            rate,
            rng.uniform(0, max(0.1, n / rate - 1.2)),
            0.4 * horn * np.minimum(1, 8 * swell(m)),
        )
    return out


def crowd(rng, n, rate):
    """A dozen voices at once that nobody can understand: gliding pitch, syllables, each voice with
    its own vowels."""
    out, f = 0.05 * hiss(rng, n, rate, 200, 3000, 0.7), np.fft.rfftfreq(n, 1 / rate)
    for _ in range(12):
        pitch = rng.uniform(95, 240) * wander(rng, n, rate, 0.25, 0.85, 1.15)
        buzz = glide(pitch, rate, {k: 1 / k**0.5 for k in range(1, 13)})
        syllables = np.clip(wander(rng, n, rate, rng.uniform(0.1, 0.16), -0.4, 1), 0, 1) * np.clip(
            wander(rng, n, rate, 0.9, -0.3, 1.2), 0, 1
        )
        first, second = rng.uniform(350, 750), rng.uniform(1000, 2100)
        vowel = 1 / (1 + ((f - first) / 150) ** 2) + 0.5 / (1 + ((f - second) / 250) ** 2)
        out += rng.uniform(0.4, 1) * np.fft.irfft(np.fft.rfft(buzz * syllables) * vowel, n)
    return out


def beeping(rng, n, rate):
    out, f, long = np.zeros(n), rng.uniform(1000, 2200), rng.uniform(0.09, 0.16)
    m = int(long * rate)
    for at in beats(rng, n / rate, rng.uniform(0, 0.5), rng.uniform(0.6, 1.1), 0.05):
        put(
            out,
            rate,
            at,
            glide(np.full(m, f), rate, {1: 1, 2: 0.15, 3: 0.25}) * np.minimum(1, 20 * swell(m)),
        )
    return out
