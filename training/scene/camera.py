"""The camera: puts place, persons, objects and hands into one frame, with light, blur and noise."""

import functools
import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import vocab
from scene.activities import ACTS
from scene.emoji import slack
from scene.hands import Pen
from scene.hiding import draw_hider, hider_at, visible_objects
from scene.motion import sway
from scene.people import persons
from scene.places import drawn_place, object_slots, things_lying
from scene.state import FPS, MX, MY, H, W


def background(state, t):
    """The place with the persons and the objects in it, larger than the frame by the margins."""
    image = drawn_place(state.place, state.visit)[0].copy()
    for x, top, sprite, ground in persons(state, t):
        sprite = (
            sprite
            if top + sprite.height <= ground
            else sprite.crop((0, 0, sprite.width, max(1, ground - top)))
        )
        image.paste(sprite, (x + MX - sprite.width // 2, top + MY), sprite)
    things = things_lying(state)
    if things:
        image.paste(things[0], things[1:], things[0])
    return image


@functools.lru_cache(maxsize=1)
def _noise():
    return np.random.default_rng(7).normal(0, 3.2, (H * 2, W * 2, 1)).astype(np.float32)


@functools.lru_cache(maxsize=64)
def _light(visit):
    """A gain for each pixel and channel: dim or bright, warm or cold, vignette, a brighter side."""
    rng = random.Random(f"light {visit}")
    yy, xx = np.mgrid[0:H, 0:W].astype(np.float32)
    xx, yy = xx / W * 2 - 1, yy / H * 2 - 1
    gain = 1.03 - 0.10 * (xx * xx + yy * yy) + 0.09 * rng.uniform(-1, 1) * xx
    warm = rng.uniform(-1, 1)
    tint = np.array([1 + 0.08 * warm, 1 + 0.015 * rng.uniform(-1, 1), 1 - 0.10 * warm], np.float32)
    return ((gain * rng.uniform(0.80, 1.17))[:, :, None] * tint).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _clock_font():
    return ImageFont.load_default(11)


def _burn_in(image, clock):
    """The time in the lower left corner, white on dark, as body cameras write it."""
    d = ImageDraw.Draw(image)
    width = int(d.textlength(clock, font=_clock_font()))
    d.rectangle([3, H - 16, 9 + width, H - 3], fill=(16, 16, 18))
    d.text((6, H - 15), clock, font=_clock_font(), fill=(240, 244, 240))


def draw_frame(state, t, rng=None, clock=None):
    """The 320x240 RGB picture t seconds into the segment.

    `rng`, a random.Random, chooses only the sensor noise. `clock` is a short text such as "07:42",
    which is drawn in the lower left corner.
    """
    base = background(state, t)
    dx, dy = sway(state, t)
    image = base.transform((W, H), Image.AFFINE, (1, 0, MX + dx, 0, 1, MY + dy), Image.BILINEAR)
    before = sway(state, t - 1 / FPS)
    blur = int(abs(dx - before[0]) * 0.8)
    if blur >= 2:  # the shutter stays open for most of a frame while the head turns
        image = image.filter(ImageFilter.BoxBlur((blur / 2, 0)))
    pen = Pen(image, state, t)
    pen.ox += dx * -0.3
    pen.oy += dy * -0.3 + 1.5 * math.sin(1.7 * t)
    ACTS[state.act](pen)
    draw_hider(image, state, t, dx, dy)
    rng = rng or random.Random(f"noise {state.seed} {t:.3f}")
    nx, ny = rng.randrange(W), rng.randrange(H)
    flicker = 1 + 0.018 * math.sin(1.3 * t + state.seed % 7) + 0.008 * math.sin(7.1 * t)
    pixels = np.asarray(image).astype(np.float32)
    pixels *= _light(state.visit)
    pixels *= flicker
    pixels += _noise()[ny : ny + H, nx : nx + W]
    image = Image.fromarray(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8))
    if clock:
        _burn_in(image, clock)
    return image


def head_centres(state, t):
    """[(x, y)] of the persons' heads in that frame."""
    dx, dy = sway(state, t)
    return [(x - dx, top + sprite.width * 0.25 - dy) for x, top, sprite, _ in persons(state, t)]


def undisturbed(state, t):
    """Whether nothing hides a part of the scene at that instant."""
    return hider_at(state, t) is None


def object_centres(state, t):
    """[(name, x, y, size)] of the visible objects in that frame, for the auxiliary loss of the CLIP
    training."""
    base = drawn_place(state.place, state.visit)[1]
    dx, dy = sway(state, t)
    seen = visible_objects(state, t)
    held = [(state.held, 160 - dx * 0.3, 178 - dy * 0.3, 112)] if state.held else []
    return held + [
        (name, x - dx, base + oy - size * (0.5 - slack(vocab.OBJECT[name]["emoji"])) - dy, size)
        for name, x, oy, size in object_slots(state)
        if name in seen
    ]


def sheet(states, t, columns=6):
    """Writes a contact sheet, to look at."""
    rows = -(-len(states) // columns)
    out = Image.new("RGB", (columns * W, rows * H))
    for i, s in enumerate(states):
        out.paste(draw_frame(s, t), (i % columns * W, i // columns * H))
    return out
