"""The persons in sight."""

import functools
import math
import random

from PIL import Image, ImageDraw

from scene.hands import SKINS
from scene.places import drawn_place
from scene.state import TALL, H, mix, shaded

HAIR = [(40, 30, 28), (92, 56, 32), (164, 92, 44), (232, 190, 96), (190, 190, 196), (150, 50, 40)]
SHIRTS = [
    (222, 60, 60),
    (44, 110, 210),
    (250, 200, 50),
    (52, 160, 90),
    (150, 80, 190),
    (245, 130, 50),
    (240, 240, 244),
    (230, 110, 160),
    (40, 170, 180),
]
TROUSERS = [(50, 60, 90), (60, 56, 56), (120, 92, 66), (150, 150, 156), (40, 90, 80)]
# The persons' feet are on visible floor or ground. Elsewhere, the persons are behind a counter, a
# table or a bed.
STANDING = {"gym", "garden", "street", "park", "beach", "bus stop", "train station"}


@functools.lru_cache(maxsize=256)
def _person(look, r, pose, step):
    """A person whose head has radius r. The pose is "stand", "wave" or "walk" to the right; `step`
    is one of 8 of its motion."""
    rng = random.Random(f"person {look}")
    skin, hair, shirt, legs = (
        rng.choice(SKINS),
        rng.choice(HAIR),
        SHIRTS[look % len(SHIRTS)],
        rng.choice(TROUSERS),
    )
    style, stripes, k = (
        rng.choice(["short", "long", "bun", "curly", "tail", "bald"]),
        rng.random() < 0.3,
        3,
    )
    swing = math.sin(step / 8 * 6.2832)
    w, h, u = int(4.6 * r), int(7.5 * r), r * k
    image = Image.new("RGBA", (w * k, h * k))
    d = ImageDraw.Draw(image)
    m, dark = w * k / 2, shaded(skin, 0.7)

    def limb(x0, y0, x1, y1, width, fill, end=None):
        for grow, colour in ((0.12, shaded(fill, 0.66)), (0, fill)):
            q = (width + grow) * u / 2
            d.line([(m + x0 * u, y0 * u), (m + x1 * u, y1 * u)], colour + (255,), int(2 * q))
            for x, y in ((x0, y0), (x1, y1)):
                d.ellipse(
                    [m + x * u - q, y * u - q, m + x * u + q, y * u + q], fill=colour + (255,)
                )
        if end:
            d.ellipse(
                [m + x1 * u - 0.3 * u, y1 * u - 0.3 * u, m + x1 * u + 0.3 * u, y1 * u + 0.3 * u],
                fill=end + (255,),
            )

    def oval(x, y, rx, ry, fill, outline=None):
        d.ellipse(
            [m + (x - rx) * u, (y - ry) * u, m + (x + rx) * u, (y + ry) * u],
            fill=fill + (255,),
            outline=outline and outline + (255,),
            width=max(1, int(0.07 * u)),
        )

    walk = swing if pose == "walk" else 0
    for s in (-1, 1):
        foot = s * 0.38 + s * walk * 0.55
        limb(s * 0.36, 4.4, foot, 6.9, 0.62, legs)
        oval(foot + 0.16 * (pose == "walk"), 7.14, 0.46, 0.26, (50, 40, 40))
    if style in ("long", "tail"):
        oval(
            0 if style == "long" else -0.7,
            1.5,
            1.08 if style == "long" else 0.5,
            1.5 if style == "long" else 1.2,
            hair,
            shaded(hair, 0.7),
        )
    limb(-1.0, 2.55, -1.25 - 0.5 * walk, 4.3, 0.52, shaded(shirt, 0.86), skin)
    if pose == "wave":
        limb(1.0, 2.55, 1.75 + 0.2 * swing, 1.1, 0.52, shaded(shirt, 0.86), skin)
    else:
        limb(1.0, 2.55, 1.25 - 0.5 * walk, 4.3, 0.52, shaded(shirt, 0.86), skin)
    d.rounded_rectangle(
        [m - 1.08 * u, 2.0 * u, m + 1.08 * u, 4.75 * u], 0.55 * u, shaded(shirt, 0.66) + (255,)
    )
    d.rounded_rectangle([m - u, 2.08 * u, m + u, 4.67 * u], 0.5 * u, shirt + (255,))
    if stripes:
        for y in (2.7, 3.3, 3.9):
            d.rectangle(
                [m - u, y * u, m + u, (y + 0.24) * u],
                fill=mix(shirt, (255, 255, 255), 0.55) + (255,),
            )
    oval(0, 2.1, 0.42, 0.3, dark)
    if style == "bun":
        oval(0, 0.1 + 0.12, 0.42, 0.22, hair)
    oval(0, 1.12, 0.95, 1.0, skin, dark)
    if style != "bald":
        if style == "curly":
            for q in range(7):
                oval(
                    math.cos(math.pi * (1 + q / 6)) * 0.86,
                    1.0 + math.sin(math.pi * (1 + q / 6)) * 0.78,
                    0.36,
                    0.34,
                    hair,
                )
        d.chord([m - 1.0 * u, 0.08 * u, m + 1.0 * u, 2.0 * u], 186, 354, fill=hair + (255,))
    turn = 0.22 if pose == "walk" else 0
    for s in (-1, 1):
        oval(s * 0.34 + turn, 1.2, 0.12, 0.15, (36, 30, 34))
        oval(s * 0.52 + turn, 1.52, 0.17, 0.11, mix(skin, (240, 110, 100), 0.5))
    d.arc(
        [m + (-0.3 + turn) * u, 1.2 * u, m + (0.3 + turn) * u, 1.72 * u],
        20,
        160,
        fill=(150, 50, 50, 255),
        width=max(2, int(0.09 * u)),
    )
    return image.reduce(k)


@functools.lru_cache(maxsize=16)
def _cast(state):
    """[(x, head's radius, look, pose, phase)] of the persons. None hides another."""
    rng = random.Random(f"people {state.seed} {state.place}")
    if state.act in TALL:
        xs = {0: [], 1: [rng.choice([66, 254])], 2: [66, 254], 3: [60, 106, 256]}[state.people]
    else:
        xs = {
            0: [],
            1: [rng.uniform(72, 248)],
            2: [rng.uniform(66, 128), rng.uniform(192, 254)],
            3: [rng.uniform(60, 84), rng.uniform(142, 178), rng.uniform(236, 260)],
        }[state.people]
    shirts = rng.sample(range(len(SHIRTS)), len(xs))
    r = rng.uniform(14, 15.5) if state.place in STANDING else rng.uniform(16.5, 18.5)
    return [
        (
            x,
            round(r * rng.uniform(0.94, 1.04), 1),
            shirt + len(SHIRTS) * rng.randrange(40),
            rng.choice(["stand", "stand", "walk", "wave"]),
            rng.uniform(0, 6.28),
        )
        for x, shirt in zip(xs, shirts)
    ]


def persons(state, t):
    """[(x, top, picture, the y below which a counter hides them)] in frame coordinates, for a head
    that does not sway."""
    out, base = [], drawn_place(state.place, state.visit)[1]
    for x, r, look, pose, phase in _cast(state):
        q = 1.1 * t + phase
        step = int(t * (9 if pose == "walk" else 7) + phase) % 8 if pose != "stand" else 0
        sprite = _person(look, r, pose, step)
        if pose == "walk" and math.cos(q) < 0:
            sprite = sprite.transpose(Image.FLIP_LEFT_RIGHT)
        shift = (7 if pose == "walk" else 1.5) * math.sin(q)
        bob = (
            abs(math.sin(6 * t + phase)) * 2 if pose == "walk" else math.sin(1.9 * t + phase) * 0.8
        )
        standing = state.place in STANDING
        top = base - 13 - sprite.height if standing else base + 16 - sprite.height
        out.append(
            (int(round(x + shift)), int(round(top + bob)), sprite, H if standing else base - 11)
        )
    return out
