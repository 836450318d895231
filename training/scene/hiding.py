"""Things that hide an object for a second, and the objects in sight."""

import functools
import math
import random

from PIL import Image, ImageDraw, ImageFilter

import vocab
from scene.emoji import paste, slack
from scene.hands import arm_layers
from scene.motion import sway
from scene.places import drawn_place, object_slots


@functools.lru_cache(maxsize=64)
def _occlusion(state):
    """("arm" or "passing", middle in seconds, x, y) or None: in a quarter of the segments,
    something hides objects."""
    rng = random.Random(f"occlusion {state.seed}")
    slots = object_slots(state)
    if not slots or rng.random() > 0.26:
        return None
    _, x, dy, size = rng.choice(slots)
    # an arm in the middle would hide the hands
    kind = "passing" if 130 < x < 190 else rng.choice(["arm", "arm", "passing"])
    return (
        kind,
        rng.uniform(1.0, 6.0),
        x,
        drawn_place(state.place, state.visit)[1] + dy - size * 0.5,
        rng.randrange(6),
    )


def hider_at(state, t):
    """(x, y, radius) of the hiding thing at that instant, or None."""
    found = _occlusion(state)
    if not found or abs(t - found[1]) > 0.8:
        return None
    kind, middle, x, y, _ = found
    if kind == "passing":
        return 160 + (t - middle) / 0.8 * 230 * (1 if state.seed % 2 else -1), y, 50
    reach = min(1.0, (0.8 - abs(t - middle)) / 0.3)
    side = 40 if x > 160 else -40
    return x + side * (1 - reach), y + 130 * (1 - reach), 34


def draw_hider(image, state, t, dx, dy):
    at = hider_at(state, t)
    if not at:
        return
    kind, *_, shade = _occlusion(state)
    x, y = at[0] - dx * 1.2, at[1] - dy * 1.2
    if kind == "arm":
        side = "right" if x > 160 else "left"
        paste(image, _near_arm(state.person, side), x, y + 12)
    else:
        paste(
            image,
            _veil(
                [
                    (70, 56, 50),
                    (60, 74, 60),
                    (96, 84, 78),
                    (60, 62, 74),
                    (120, 96, 70),
                    (44, 44, 48),
                ][shade]
            ),
            x,
            y + 10,
        )


@functools.lru_cache(maxsize=8)
def _near_arm(person, side):
    """The wearer's own arm close before the lens, a little out of focus; its hand is the picture's
    middle."""
    arm = Image.new("RGBA", (290, 290))
    for layer in arm_layers(person, side, "flat"):
        arm.alpha_composite(layer)
    return arm.resize((500, 500), Image.BILINEAR).filter(ImageFilter.GaussianBlur(1.6))


@functools.lru_cache(maxsize=8)
def _veil(colour):
    mask = Image.new("L", (160, 150))
    ImageDraw.Draw(mask).ellipse([22, 18, 138, 132], fill=255)
    veil = Image.new("RGBA", mask.size, colour + (0,))
    veil.putalpha(mask.filter(ImageFilter.GaussianBlur(8)))
    return veil


def visible_objects(state, t):
    """The names in sight at that instant: visible things that lie about, and the held thing."""
    dx, dy = sway(state, t)
    hider = hider_at(state, t)
    base = drawn_place(state.place, state.visit)[1]
    out = [state.held] if state.held else []
    for name, x, oy, size in object_slots(state):
        y = base + oy - size * (0.5 - slack(vocab.OBJECT[name]["emoji"]))
        covered = hider and math.hypot(x - hider[0], y - hider[1]) < hider[2] * 0.75
        if not covered and 40 + size * 0.1 < x - dx < 280 - size * 0.1:
            out.append(name)
    return out
