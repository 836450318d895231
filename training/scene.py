"""Draws the starter world: what the wearer of the camera sees at one instant.

A `State` says everything that a segment's pictures depend on; `draw_frame(state, t)` gives the
picture t seconds into
it. The same state and time give the same picture, always. Sizes are in pixels of the 320x240 frame.
Whatever tells
labels apart (place, prop, objects, persons) lies within the central 240x240, because CLIP crops the
frame to a square.

  place      a procedural room or landscape, jittered by the visit's seed, with typical furniture
             and clutter
  people     up to three drawn persons, who stand, wave or walk behind the place's surface
  objects    big emoji that lie on the place's surface; now and then an arm or something passing
             hides them for a second
  activity   two hands with their props, moving; one function for each activity, found by its gerund
  camera     head sway and turns with motion blur, drifting light, a little noise, a clock in the
             corner if asked for
"""

import functools
import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import vocab

W, H, FPS = 320, 240, 15
# the background is larger than the frame by this margin on every side: room for head sway
MX, MY = 40, 30
SS = 2  # backgrounds are drawn at twice their size
FONT_PATHS = [
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/google-noto-emoji/NotoColorEmoji.ttf",
    "NotoColorEmoji.ttf",
]


WEARERS = 40  # how many different wearers there are: skins and sleeves


@dataclass(frozen=True)
class State:
    """What is seen during one segment. `visit` fixes the place's look, `person` the wearer's,
    `seed` the rest.

    `held` is what is carried while the activity is a carrying one; `people` is how many persons are
    in sight (0 to 3).
    """

    place: str
    activity: str
    objects: tuple
    seed: int
    visit: int
    person: int
    held: str = ""
    people: int = 0

    @property
    def act(self):
        """The activity's name among vocab.SEEN_ACTIVITIES: "carrying the keys" is carrying
        something."""
        return vocab.CARRYING if self.activity.startswith("carrying ") else self.activity

    @property
    def lying(self):
        """The objects that lie about: what is carried does not."""
        return tuple(name for name in self.objects if name != self.held)


def random_state(rng, carrying=0.25):
    """A segment that the vocabulary allows; `rng` is a random.Random. Mostly one or two objects,
    sometimes none or three."""
    place = rng.choice(vocab.PLACE_NAMES)
    count = rng.choices([0, 1, 2, 3], [6, 38, 46, 10])[0]
    activity = (
        vocab.CARRYING if rng.random() < carrying else rng.choice(vocab.activities_of(place)[:-1])
    )
    held = rng.choice(vocab.HELD_NAMES) if activity == vocab.CARRYING else ""
    objects = rng.sample([name for name in vocab.OBJECT_NAMES if name != held], count)
    return State(
        place,
        activity,
        tuple(objects),
        rng.getrandbits(32),
        rng.getrandbits(32),
        rng.randrange(WEARERS),
        held,
        rng.choices([0, 1, 2, 3], [40, 22, 20, 18])[0],
    )


# ---------------------------------------------------------------- emoji and small pictures


@functools.cache
def _font():
    for path in FONT_PATHS:
        try:
            return ImageFont.truetype(path, 109)
        except OSError:
            continue
    raise SystemExit(
        "error: the Noto Color Emoji font is missing (Debian: apt-get install "
        "fonts-noto-color-emoji)"
    )


@functools.cache
def _emoji_full(char):
    image = Image.new("RGBA", (180, 180))
    ImageDraw.Draw(image).text((20, 20), char, font=_font(), embedded_color=True)
    image = image.crop(image.getbbox())
    side = max(image.size)
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


@functools.cache
def _slack(char):
    """How much of the square's height is empty below the emoji."""
    full = _emoji_full(char)
    return 1 - full.getbbox()[3] / full.height


@functools.lru_cache(maxsize=256)
def _halo(char, size):
    """A soft light rim, so that dark things stay visible in dark rooms."""
    grown = Image.new("L", (size + 12, size + 12))
    grown.paste(emoji(char, size).getchannel("A"), (6, 6))
    mask = grown.filter(ImageFilter.GaussianBlur(2.6)).point(lambda v: min(150, int(v * 1.5)))
    rim = Image.new("RGBA", grown.size, (255, 250, 238, 0))
    rim.putalpha(mask)
    return rim


@functools.lru_cache(maxsize=512)
def emoji(char, size, flip=False):
    """The emoji, its longer side `size` pixels, on a transparent square."""
    image = _emoji_full(char).resize((size, size), Image.LANCZOS)
    return image.transpose(Image.FLIP_LEFT_RIGHT) if flip else image


@functools.lru_cache(maxsize=1024)
def _rotated_emoji(char, size, angle, flip):
    return emoji(char, size, flip).rotate(angle, Image.BICUBIC, expand=True)


@functools.lru_cache(maxsize=256)
def _sprite(name, size, colour=None):
    """Small hand-made pictures, antialiased."""
    big = Image.new("RGBA", (size * 4, size * 4))
    d = ImageDraw.Draw(big)
    s = size * 4
    if name == "drop":
        d.polygon([(s * 0.5, 0), (s * 0.2, s * 0.6), (s * 0.8, s * 0.6)], fill=(90, 170, 245, 230))
        d.ellipse([s * 0.17, s * 0.35, s * 0.83, s], fill=(90, 170, 245, 230))
        d.ellipse([s * 0.3, s * 0.55, s * 0.45, s * 0.75], fill=(230, 245, 255, 230))
    elif name == "bubble":
        d.ellipse(
            [s * 0.04, s * 0.04, s * 0.96, s * 0.96],
            fill=(235, 245, 255, 190),
            outline=(160, 200, 240, 255),
            width=s // 12,
        )
        d.ellipse([s * 0.25, s * 0.2, s * 0.45, s * 0.4], fill=(255, 255, 255, 255))
    elif name == "puff":
        for i in range(16):
            r = s * 0.5 * (1 - i / 16)
            d.ellipse(
                [s / 2 - r, s / 2 - r, s / 2 + r, s / 2 + r],
                fill=(colour or (255, 255, 255)) + (8 + 9 * i,),
            )
    elif name == "disc":
        d.ellipse([s * 0.02, s * 0.02, s * 0.98, s * 0.98], fill=colour + (255,))
    return big.resize((size, size), Image.LANCZOS)


def _paste(image, sprite, x, y):
    """Centres the sprite on (x, y); what lies outside is cut."""
    x, y = int(round(x - sprite.width / 2)), int(round(y - sprite.height / 2))
    image.paste(sprite, (x, y), sprite)


def _shadow(image, x, y, r, strength=70):
    w, h = int(r * 2.4), max(4, int(r * 0.55))
    mask = Image.new("L", (w, h))
    ImageDraw.Draw(mask).ellipse([w * 0.08, h * 0.1, w * 0.92, h * 0.9], strength)
    mask = mask.filter(ImageFilter.GaussianBlur(h * 0.12))
    image.paste((0, 0, 0), (int(x - w / 2), int(y - h / 2)), mask)


# ---------------------------------------------------------------- colours


def _jitter(colour, rng, by=14):
    light = rng.uniform(-by, by)
    return tuple(max(0, min(255, int(c + light + rng.uniform(-by, by) * 0.5))) for c in colour)


def _shade(colour, factor):
    return tuple(max(0, min(255, int(c * factor))) for c in colour)


def _mix(a, b, k):
    return tuple(int(x + (y - x) * k) for x, y in zip(a, b))


# ---------------------------------------------------------------- the background's canvas


class Canvas:
    """Draws in frame coordinates, which reach from (-MX, -MY) to (W+MX, H+MY)."""

    def __init__(self):
        self.image = Image.new("RGB", ((W + 2 * MX) * SS, (H + 2 * MY) * SS))
        self.d = ImageDraw.Draw(self.image)

    def p(self, x, y):
        return ((x + MX) * SS, (y + MY) * SS)

    def rect(self, x0, y0, x1, y1, fill, outline=None, width=1, radius=0):
        box = [*self.p(min(x0, x1), min(y0, y1)), *self.p(max(x0, x1), max(y0, y1))]
        if radius:
            self.d.rounded_rectangle(box, radius * SS, fill, outline, width * SS)
        else:
            self.d.rectangle(box, fill, outline, width * SS)

    def ellipse(self, x, y, rx, ry, fill, outline=None, width=1):
        self.d.ellipse(
            [*self.p(x - rx, y - ry), *self.p(x + rx, y + ry)], fill, outline, width * SS
        )

    def poly(self, points, fill):
        self.d.polygon([self.p(*q) for q in points], fill)

    def line(self, points, fill, width=1.0):
        self.d.line([self.p(*q) for q in points], fill, max(1, int(width * SS)), joint="curve")

    def gradient(self, y0, y1, top, bottom):
        for i in range(int((y1 - y0) * SS)):
            y = int((y0 + MY) * SS) + i
            self.d.line(
                [(0, y), (self.image.width, y)], _mix(top, bottom, i / max(1, (y1 - y0) * SS))
            )

    def emoji(self, char, x, base, size, flip=False, dim=1.0, shadow=True):
        """Stands the emoji on the line y = base."""
        if shadow:
            self.shadow(x, base - size * 0.04, size * 0.42)
        sprite = emoji(char, int(size * SS), flip)
        if dim < 1:
            alpha = sprite.getchannel("A")
            sprite = Image.blend(
                sprite, Image.new("RGBA", sprite.size, (235, 235, 240, 255)), 1 - dim
            )
            sprite.putalpha(alpha)
        px, py = self.p(x, base)
        self.image.paste(sprite, (int(px - sprite.width / 2), int(py - sprite.height)), sprite)

    def shadow(self, x, y, r, strength=70):
        _shadow(self.image, *self.p(x, y), r * SS, strength)

    def glow(self, x, y, r, colour, strength=120):
        s = int(2 * r * SS)
        yy, xx = np.mgrid[0:s, 0:s].astype(np.float32) / s * 2 - 1
        mask = np.clip(1 - np.sqrt(xx * xx + yy * yy), 0, 1) ** 1.5 * strength
        px, py = self.p(x, y)
        self.image.paste(
            colour, (int(px - s / 2), int(py - s / 2)), Image.fromarray(mask.astype(np.uint8))
        )

    def finish(self):
        return self.image.reduce(SS)


L, R, T, B = -MX, W + MX, -MY, H + MY  # the canvas' edges


def _floor(c, horizon, colour, rng, kind="planks", step=26):
    """A floor in perspective from the horizon to the bottom edge."""
    c.gradient(horizon, B, _shade(colour, 0.85), colour)
    dark = _shade(colour, 0.78)
    vx = 160 + rng.uniform(-25, 25)
    for k in range(-30, 31):
        c.line([(vx + k * step * 0.45, horizon), (vx + k * step * 3.2, B)], dark, 0.8)
    if kind == "tiles":
        y, gap = float(horizon), 3.0
        while y < B:
            c.line([(L, y), (R, y)], dark, 0.8)
            y += gap
            gap *= 1.35
    elif kind == "planks":
        for _ in range(26):
            y = rng.uniform(horizon + 4, B)
            k = rng.randint(-12, 12)
            f = (y - horizon) / (B - horizon)
            a, b = vx + k * step * (0.45 + 2.75 * f), vx + (k + 1) * step * (0.45 + 2.75 * f)
            c.line([(a, y), (b, y)], dark, 0.8)


def _slabs(c, y, top, most, steps, colour):
    """Joints between paving slabs: across from `y` on, ever wider apart, and lengthwise from `top`
    down, `steps` apart there and at the edge."""
    gap = 9.0
    while y < B:
        c.line([(L, y), (R, y)], colour, 1)
        y += gap
        gap *= 1.3
    for k in range(-most, most + 1):
        c.line([(160 + k * steps[0], top), (160 + k * steps[1], B)], colour, 1)


def _window(c, x0, y0, x1, y1, rng, frame=(245, 245, 240), view="sky", night=False):
    top, bottom = (
        ((40, 50, 100), (90, 90, 150))
        if night
        else (_jitter((120, 185, 240), rng), (215, 235, 250))
    )
    for i in range(int(y1 - y0)):
        c.rect(x0, y0 + i, x1, y0 + i + 1, _mix(top, bottom, i / (y1 - y0)))
    if night:
        c.ellipse(x0 + (x1 - x0) * 0.7, y0 + 14, 7, 7, (250, 240, 200))
    elif view == "city":
        x = x0
        while x < x1 - 4:
            w, h = rng.uniform(8, 15), rng.uniform(0.3, 0.85) * (y1 - y0)
            c.rect(x, y1 - h, min(x + w, x1), y1, _jitter((130, 145, 170), rng))
            x += w
    elif view == "green":
        for _ in range(7):
            x, r = rng.uniform(x0 + 5, x1 - 5), rng.uniform(6, 11)
            c.ellipse(x, y1 - r * 0.5, min(r, x - x0, x1 - x), r * 0.5, _jitter((90, 165, 85), rng))
    c.rect(x0, y0, x1, y1, None, frame, 3)
    c.line([((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1)], frame, 2.5)
    c.line([(x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2)], frame, 2.5)
    c.rect(x0 - 4, y1, x1 + 4, y1 + 4, _shade(frame, 0.9))


def _curtains(c, x0, y0, x1, y1, colour):
    for side, sign in ((x0, 1), (x1, -1)):
        for i in range(4):
            a = side - sign * 8 + sign * i * 5
            c.rect(a, y0 - 6, a + sign * 5, y1 + 12, _shade(colour, 0.88 + 0.08 * (i % 2)))
    c.rect(x0 - 14, y0 - 9, x1 + 14, y0 - 5, (120, 90, 60))


def _counter(c, y, colour, rng, front=None, grain=True, slope=1.0):
    """A surface that fills the lower half, as one sees what one stands at."""
    c.gradient(y, B, _shade(colour, 0.9), _shade(colour, 1.05))
    if grain:
        for _ in range(34):
            yy = y + 5 + rng.random() ** 0.7 * (B - y)
            x = rng.uniform(L, R)
            w = rng.uniform(20, 90) * (yy - y + 30) / 90
            c.line(
                [(x, yy), (x + w, yy + rng.uniform(-1.5, 1.5))],
                _shade(colour, rng.uniform(0.84, 0.95)),
                0.8,
            )
    c.rect(L, y - 1, R, y + 2, _shade(colour, 1.18))


def _pot_lamp(c, x, y, colour):
    c.line([(x, T), (x, y - 14)], (50, 50, 50), 1.5)
    c.poly([(x - 6, y - 14), (x + 6, y - 14), (x + 16, y), (x - 16, y)], colour)
    c.ellipse(x, y + 1, 7, 5, (255, 240, 180))
    c.glow(x, y + 6, 46, (255, 225, 150), 120)


# ---------------------------------------------------------------- the places: each draws itself,
# returns the objects' base line


def kitchen(c, rng):
    wall = _jitter(rng.choice([(236, 226, 200), (205, 230, 214), (240, 214, 180)]), rng, 8)
    c.rect(L, T, R, B, wall)
    for y in range(40, 124, 14):
        for x in range(L, R, 14):
            c.rect(x, y, x + 13, y + 13, _jitter(_shade(wall, 1.05), rng, 5))
    cup = _jitter(rng.choice([(200, 120, 70), (90, 140, 170), (225, 215, 195)]), rng, 8)
    wx = rng.choice([60, 190])
    for x in range(L, R, 46):
        if not wx - 40 < x < wx + 74:
            c.rect(x + 1, T, x + 45, 36, cup, _shade(cup, 0.8), 1)
            c.rect(x + 36, 20, x + 39, 30, (60, 60, 60))
    _window(c, wx, -4, wx + 62, 56, rng, view="green")
    _curtains(c, wx, -4, wx + 62, 20, _jitter((220, 80, 70), rng))
    ox = 262 if wx < 100 else 36
    c.rect(ox - 34, 62, ox + 34, 66, _shade(cup, 0.7))
    for i, e in enumerate(rng.sample(["🥫", "🌽", "🍅", "🧂", "🥫"], 3)):
        c.emoji(e, ox - 22 + i * 22, 63, 20, shadow=False)
    y = 120
    _counter(c, y, _jitter((196, 140, 86), rng, 12), rng)
    hx = 300 if wx < 100 else 20
    c.poly([(hx - 50, y + 8), (hx + 50, y + 8), (hx + 74, y + 60), (hx - 74, y + 60)], (45, 45, 50))
    for dx, dy, r in ((-26, 20, 16), (26, 20, 16), (0, 44, 22)):
        c.ellipse(hx + dx, y + dy, r, r * 0.36, None, (210, 70, 50), 2)
    return y + 10


def living_room(c, rng):
    wall = _jitter(rng.choice([(226, 176, 110), (205, 110, 90), (230, 190, 140)]), rng, 9)
    c.rect(L, T, R, B, wall)
    for x in range(L, R, 20):
        c.rect(x, T, x + 9, 104, _shade(wall, 1.07))
    _floor(c, 104, _jitter((150, 95, 55), rng), rng)
    c.rect(L, 100, R, 106, (245, 235, 220))
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    wx = 100 if not flip else 166
    _window(c, wx, -2, wx + 54, 54, rng, view="green")
    _curtains(c, wx, -2, wx + 54, 66, _jitter((70, 120, 90), rng))
    c.emoji("🖼️", m(192), 46, 44, shadow=False)
    c.emoji("🛋️", m(52), 130, 96, flip)
    c.emoji("📺", m(274), 116, 66)
    rug = _jitter(rng.choice([(170, 40, 50), (60, 80, 150)]), rng)
    c.ellipse(160, 160, 190, 44, rug)
    c.ellipse(160, 160, 170, 37, None, (235, 205, 150), 3)
    table = _jitter((120, 72, 40), rng)
    c.poly([(56, 122), (264, 122), (320, B), (0, B)], _shade(table, 1.1))
    for i in range(9):
        c.line([(70 + i * 22, 126), (20 + i * 35, B)], _shade(table, 1.0), 1)
    c.rect(56, 120, 264, 124, _shade(table, 1.4))
    return 132


def bedroom(c, rng):
    wall = _jitter(rng.choice([(176, 160, 210), (160, 176, 220), (205, 170, 205)]), rng, 9)
    c.rect(L, T, R, B, wall)
    for _ in range(46):
        x, y = rng.uniform(L, R), rng.uniform(T, 96)
        c.ellipse(x, y, 2.2, 2.2, _shade(wall, 1.16))
    wx = rng.choice([44, 210])
    _window(c, wx, -6, wx + 60, 54, rng, night=rng.random() < 0.6)
    _curtains(c, wx, -6, wx + 60, 62, _jitter((120, 90, 170), rng))
    ox = 320 - wx - 34
    c.emoji("🕰️", ox, 42, 38, shadow=False)
    c.emoji("🛏️", ox + (18 if wx < 100 else -18), 118, 92, wx > 100)
    c.glow(wx + 30, 90, 46, (255, 230, 160), 90)
    y = 120
    colours = [
        _jitter(q, rng)
        for q in (
            (220, 120, 150),
            (240, 225, 235),
            (120, 130, 200),
            (150, 190, 215),
            (245, 200, 160),
        )
    ]
    c.rect(L, y, R, B, colours[1])
    rows, yy, hgt = 6, float(y), 14.0
    for r in range(rows):
        w = 30 + r * 9
        vx = 160 - w * 6.5
        for k in range(13):
            c.poly(
                [
                    (vx + k * w, yy),
                    (vx + k * w + w, yy),
                    (160 + (vx + k * w + w - 160) * 1.2, yy + hgt),
                    (160 + (vx + k * w - 160) * 1.2, yy + hgt),
                ],
                rng.choice(colours),
            )
        yy += hgt
        hgt *= 1.3
    c.rect(L, y - 4, R, y + 5, (250, 246, 250))
    return y + 12


def bathroom(c, rng):
    tile = _jitter(rng.choice([(120, 190, 220), (110, 205, 205), (140, 180, 235)]), rng, 9)
    c.rect(L, T, R, B, (240, 248, 252))
    for j, y in enumerate(range(T, 120, 18)):
        for i, x in enumerate(range(L, R, 18)):
            c.rect(
                x,
                y,
                x + 16.5,
                y + 16.5,
                _jitter(tile if (j > 3 or (i + j) % 7 == 0) else (238, 246, 250), rng, 5),
            )
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    c.rect(m(120), 0, m(200), 62, (200, 165, 90), radius=4)
    c.rect(m(124), 4, m(196), 58, (205, 228, 240))
    c.poly([(m(130), 50), (m(160), 6), (m(176), 6), (m(146), 50)], (228, 242, 250))
    c.emoji("🚿", m(66), 56, 52, flip, shadow=False)
    c.emoji("🛁", m(48), 122, 84, flip)
    c.emoji("🚽", m(288), 122, 72)
    c.emoji("🧻", m(238), 50, 28, shadow=False)
    y = 120
    _counter(c, y, _jitter((236, 236, 240), rng, 5), rng, grain=False)
    for _ in range(9):
        x, yy = rng.uniform(L, R), rng.uniform(y + 6, B)
        c.line([(x, yy), (x + 25, yy + 8), (x + 60, yy + 5)], (214, 216, 224), 1)
    c.ellipse(160, 204, 112, 36, (205, 214, 222))
    c.ellipse(160, 207, 102, 30, (250, 252, 255))
    c.ellipse(160, 214, 10, 4, (120, 125, 130))
    c.emoji("🧴", m(272), 150, 36)
    return y + 10


def office(c, rng):
    wall = _jitter(rng.choice([(190, 198, 205), (176, 190, 196)]), rng, 8)
    c.rect(L, T, R, B, wall)
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    a, b = sorted((m(34), m(128)))
    _window(c, a, -12, b, 56, rng, frame=(110, 115, 125), view="city")
    for y in range(-12, 10, 4):
        c.rect(a, y, b, y + 2, (225, 228, 232))
    a, b = sorted((m(156), m(262)))
    c.rect(a, -6, b, 60, (252, 252, 252), (130, 135, 140), 3)
    for i in range(4):
        c.rect(
            a + 12 + i * 15,
            46 - rng.uniform(8, 34),
            a + 22 + i * 15,
            46,
            rng.choice([(60, 120, 200), (220, 80, 70), (60, 160, 90), (240, 170, 50)]),
        )
    c.line([(a + 74, 8), (b - 8, 8)], (60, 60, 60), 2)
    c.line([(a + 74, 18), (b - 16, 18)], (60, 60, 60), 2)
    c.line([(a + 74, 28), (b - 10, 28)], (200, 60, 60), 2)
    c.emoji("🖥️", m(52), 128, 74)
    c.emoji("🗄️", m(290), 122, 66)
    y = 120
    _counter(c, y, _jitter((222, 214, 200), rng, 8), rng, grain=False)
    c.emoji("🖥️", m(44), 132, 72)
    c.emoji("🖨️", m(286), 140, 60)
    for _ in range(3):
        x, yy = rng.choice([rng.uniform(L, 60), rng.uniform(230, R - 40)]), rng.uniform(150, 225)
        c.poly([(x, yy), (x + 40, yy + 4), (x + 34, yy + 30), (x - 8, yy + 25)], (250, 250, 250))
        for k in range(4):
            c.line([(x + 2, yy + 5 + k * 5), (x + 30, yy + 8 + k * 5)], (170, 175, 185), 1)
    x = rng.uniform(60, 240)
    c.rect(x, 140, x + 17, 157, (250, 225, 90))
    return y + 10


def supermarket(c, rng):
    c.rect(L, T, R, B, _jitter((236, 240, 244), rng, 5))
    for y in (-22, -8):
        c.rect(L, y, R, y + 5, (255, 255, 255))
    goods = ["🥫", "🥬", "🍅", "🌽", "🧴", "🥔", "🧅", "🍯", "🍝", "🥛"]
    goods.remove("🥛")
    rail = _jitter((205, 40, 45), rng, 10)
    for base in (26, 66):
        c.rect(L, base - 36, R, base, _jitter((198, 205, 214), rng, 5))
        x = L + rng.uniform(0, 14)
        while x < R:
            e, n = rng.choice(goods), rng.randint(2, 3)
            for _ in range(n):
                c.emoji(e, x, base + 1, 27, shadow=False, dim=0.86)
                x += 23
        c.rect(L, base, R, base + 6, rail)
        for x in range(L, R, 34):
            c.rect(x + 6, base + 1, x + 22, base + 5, (255, 255, 255))
    c.rect(L, 72, R, 124, _jitter((222, 228, 234), rng, 5))
    for x in range(L, R, 80):
        c.rect(x, 72, x + 3, 126, (170, 178, 188))
    _floor(c, 124, _jitter((218, 222, 226), rng, 6), rng, "tiles")
    c.rect(L, 120, R, 127, (250, 250, 250))
    c.rect(L, 127, R, 136, rail)
    for x in range(L, R, 40):
        c.rect(x + 8, 128, x + 28, 135, (255, 240, 120))
    return 125


def cafe(c, rng):
    brick = _jitter((140, 74, 54), rng, 9)
    c.rect(L, T, R, B, _shade(brick, 0.6))
    for j, y in enumerate(range(T, 124, 10)):
        for x in range(L - 12 * (j % 2), R, 25):
            c.rect(x, y, x + 23, y + 8.4, _jitter(brick, rng, 9))
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    a, b = sorted((m(98), m(206)))
    c.rect(a, -16, b, 50, (40, 48, 44), (150, 110, 70), 4)
    for i in range(5):
        c.line(
            [(a + 14, -6 + i * 11), (a + 40 + rng.uniform(0, 22), -6 + i * 11)], (225, 230, 225), 2
        )
        c.line([(b - 26, -6 + i * 11), (b - 14, -6 + i * 11)], (245, 215, 120), 2)
    c.rect(L, 66, R, 122, (112, 78, 52))
    a, b = sorted((m(210), m(R + 10 if not flip else R + 10)))
    for x0, x1 in ((a, b), tuple(sorted((m(L - 10), m(84))))):
        c.rect(x0, 70, x1, 112, (250, 226, 180), (60, 40, 26), 2)
        x = x0 + 18
        while x < x1 - 8:
            c.emoji(rng.choice(["🥐", "🧁", "🍰", "🥨"]), x, 106, 29, shadow=False)
            x += 31
    for x in (rng.uniform(40, 80), rng.uniform(235, 280)):
        _pot_lamp(c, x, 14, (30, 90, 80))
    table = _jitter((134, 86, 54), rng, 8)
    c.rect(L, 122, R, B, (84, 56, 40))
    c.ellipse(160, 236, 236, 118, _shade(table, 0.75))
    c.ellipse(160, 231, 234, 116, table)
    c.ellipse(160, 231, 214, 102, None, _shade(table, 1.22), 1)
    return 132


def gym(c, rng):
    wall = _jitter((58, 64, 84), rng, 6)
    c.rect(L, T, R, B, wall)
    stripe = _jitter(rng.choice([(250, 140, 30), (240, 200, 40)]), rng, 8)
    c.poly([(L, 2), (R, -18), (R, -6), (L, 14)], stripe)
    c.poly([(L, 20), (R, 0), (R, 4), (L, 24)], _shade(stripe, 0.8))
    for x in (-36, 44, 124, 204, 284):
        c.rect(x, 30, x + 74, 92, (128, 150, 176), (190, 195, 205), 2)
        c.poly([(x + 14, 88), (x + 44, 34), (x + 58, 34), (x + 28, 88)], (152, 174, 198))
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    c.line([(m(62), T), (m(62), 22)], (30, 30, 34), 2)
    c.rect(m(62) - 15, 22, m(62) + 15, 88, (176, 44, 44), (110, 24, 28), 2, radius=9)
    c.rect(m(62) - 15, 40, m(62) + 15, 46, (240, 236, 230))
    c.ellipse(m(268), 92, 25, 24, _jitter((50, 170, 170), rng), (24, 110, 116), 2)
    c.ellipse(m(260), 82, 7, 5, (170, 230, 230))
    c.rect(L, 104, R, 112, (96, 100, 112))
    for k in range(12):
        x = L + 14 + k * 36
        col = rng.choice([(220, 60, 60), (70, 170, 90), (60, 120, 220), (30, 30, 34)])
        c.rect(x - 9, 96, x - 3, 107, col, radius=2)
        c.rect(x + 3, 96, x + 9, 107, col, radius=2)
        c.rect(x - 4, 100, x + 4, 103, (200, 200, 205))
    c.gradient(112, B, (44, 46, 52), (66, 68, 76))
    for _ in range(240):
        x, y = rng.uniform(L, R), rng.uniform(128, B)
        c.rect(x, y, x + 1.5, y + 1, rng.choice([(110, 150, 190), (150, 150, 155), (200, 120, 70)]))
    mat = _jitter(rng.choice([(40, 150, 160), (150, 70, 170)]), rng)
    c.poly([(60, 150), (260, 150), (316, B), (4, B)], mat)
    for k in range(7):
        c.line([(74 + k * 29, 150), (24 + k * 45, B)], _shade(mat, 0.86), 1)
    c.rect(56, 118, 264, 130, (30, 30, 34), radius=5)
    c.rect(56, 118, 264, 122, (200, 45, 45), radius=2)
    c.rect(76, 130, 84, 150, (150, 150, 155))
    c.rect(236, 130, 244, 150, (150, 150, 155))
    return 124


def workshop(c, rng):
    board = _jitter((214, 178, 124), rng, 9)
    c.rect(L, T, R, B, board)
    for y in range(T, 112, 9):
        for x in range(L, R, 9):
            c.rect(x, y, x + 1.6, y + 1.6, _shade(board, 0.7))
    c.rect(L, T, R, -18, (92, 70, 50))
    tools = ["🔩", "⚙️", "🪝", "🗜️", "⛓️"]
    spots = [52, 104, 160, 216, 268]
    rng.shuffle(spots)
    for x, e in zip(spots[:4], rng.sample(tools, 4)):
        c.shadow(x + 4, 36, 16, 40)
        c.emoji(e, x, 38, 34, shadow=False)
    c.rect(L, 52, R, 57, (120, 84, 50))
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    c.emoji("🪜", m(46), 122, 96)
    c.emoji("🧰", m(276), 122, 58)
    x = m(160 + rng.uniform(-30, 30))
    c.line([(x, T), (x, -12)], (30, 30, 30), 1.5)
    c.glow(x, 0, 70, (255, 230, 150), 150)
    c.ellipse(x, -6, 6, 7, (255, 250, 210))
    y = 120
    bench = _jitter((128, 88, 56), rng, 9)
    _counter(c, y, bench, rng)
    for k in range(1, 5):
        yy = y + 6 + 9 * k * k * 0.55 + 8 * k
        c.line([(L, yy), (R, yy)], _shade(bench, 0.68), 1.4)
    for _ in range(16):
        x, yy = rng.uniform(L, R), rng.uniform(y + 8, B)
        c.line([(x, yy), (x + rng.uniform(4, 12), yy + rng.uniform(-4, 4))], (216, 180, 120), 1.4)
    return y + 10


def _sky(c, rng, bottom=110, clouds=3):
    top = _jitter(rng.choice([(88, 160, 232), (110, 180, 240), (130, 170, 225)]), rng, 8)
    c.gradient(T, bottom, top, (218, 236, 250))
    for _ in range(clouds):
        x, y, s = rng.uniform(0, W), rng.uniform(-16, 28), rng.uniform(10, 16)
        for dx, dy, r in (
            (-s, 2, 0.8),
            (0, -3, 1.1),
            (s, 2, 0.8),
            (s * 0.5, 3, 0.8),
            (-s * 0.5, 3, 0.8),
        ):
            c.ellipse(x + dx, y + dy, s * r, s * r * 0.6, (250, 252, 255))


def _grass(c, horizon, rng, colour=(110, 180, 74)):
    green = _jitter(colour, rng, 10)
    c.gradient(horizon, B, _shade(green, 0.86), _shade(green, 1.06))
    for _ in range(230):
        y = horizon + 3 + (B - horizon) * rng.random()
        x, h = rng.uniform(L, R), 2 + (y - horizon) * 0.05
        c.line(
            [(x, y), (x + rng.uniform(-2, 2), y - h)],
            _shade(green, rng.choice([0.8, 0.88, 1.15])),
            1,
        )
    return green


def garden(c, rng):
    _sky(c, rng, 84)
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    c.emoji("🏡", m(70), 88, 92, flip, shadow=False)
    c.emoji("🌳", m(262), 90, 88, shadow=False)
    for x in range(L, R, 13):
        c.ellipse(x, 86 + rng.uniform(-3, 2), 12, 13, _jitter((50, 120, 56), rng, 8))
    for x in range(L, R, 15):
        c.poly([(x, 62), (x + 5.5, 55), (x + 11, 62), (x + 11, 106), (x, 106)], (250, 250, 246))
        c.line([(x + 11, 62), (x + 11, 106)], (205, 205, 205), 1)
    c.rect(L, 72, R, 76, (236, 236, 232))
    c.rect(L, 94, R, 98, (236, 236, 232))
    _grass(c, 104, rng)
    for _ in range(9):
        x = rng.choice([rng.uniform(L, 74), rng.uniform(246, R)])
        c.emoji(rng.choice(["🌼", "🌺", "🌼"]), x, rng.uniform(114, 190), 21)
    return 130


def street(c, rng):
    _sky(c, rng, 90, 2)
    x = L - rng.uniform(0, 30)
    while x < R:
        w, top = rng.uniform(56, 76), rng.uniform(-26, 6)
        face = _jitter(
            rng.choice(
                [(206, 120, 90), (226, 190, 130), (160, 170, 180), (190, 150, 150), (150, 120, 110)]
            ),
            rng,
            8,
        )
        c.rect(x, top, x + w, 100, face, _shade(face, 0.75), 1)
        c.rect(x, top, x + w, top + 5, _shade(face, 0.7))
        for yy in range(int(top) + 12, 70, 24):
            for k in range(3):
                a = x + 8 + k * (w - 12) / 3
                c.rect(
                    a,
                    yy,
                    a + 11,
                    yy + 15,
                    rng.choice([(100, 130, 160), (240, 220, 140), (130, 160, 190)]),
                    (245, 245, 240),
                    1,
                )
        c.rect(x + w / 2 - 8, 76, x + w / 2 + 8, 100, _jitter((90, 60, 50), rng))
        x += w
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    c.rect(L, 98, R, 112, (176, 176, 178))
    c.emoji("🚗", m(rng.uniform(40, 70)), 122, 66, flip)
    c.gradient(112, B, (78, 80, 86), (98, 100, 106))
    c.emoji("🚗", m(58), 130, 70, flip)
    c.emoji("🚦", m(272), 112, 70, shadow=False)
    c.rect(L, 110, R, 114, (220, 220, 216))
    for k in range(-2, 6):
        x = 160 + (k - 1.5) * 58
        c.poly(
            [
                (x - 11, 142),
                (x + 11, 142),
                (160 + (x + 20 - 160) * 1.8, B),
                (160 + (x - 20 - 160) * 1.8, B),
            ],
            (236, 236, 232),
        )
    return 130


def park(c, rng):
    _sky(c, rng, 92)
    for x in range(L - 10, R, 17):
        c.ellipse(
            x, 82 + rng.uniform(-5, 5), 17, rng.uniform(14, 24), _jitter((84, 150, 84), rng, 9)
        )
    green = _grass(c, 88, rng, (140, 200, 80))
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    c.poly(
        [
            (m(150), 90),
            (m(164), 90),
            (m(230), 118),
            (m(330), 150),
            (m(420), B),
            (m(250), B),
            (m(190), 128),
        ],
        (226, 206, 160),
    )
    c.ellipse(m(92), 106, 58, 12, (100, 170, 215))
    c.ellipse(m(92), 106, 58, 12, None, _shade(green, 0.75), 2)
    c.emoji("🦆", m(100), 108, 25, flip, shadow=False)
    c.emoji("🌳", m(34), 112, 100)
    c.emoji("🌲", m(286), 116, 104)
    c.emoji("⛲", m(216), 100, 50)
    cloth = _jitter((214, 56, 56), rng, 9)
    pts = [(66, 120), (254, 120), (296, 176), (24, 176)]
    c.poly(pts, (250, 244, 240))
    for k in range(0, 12, 2):
        f, g = k / 12, (k + 1) / 12
        c.poly(
            [(66 + 188 * f, 120), (66 + 188 * g, 120), (24 + 272 * g, 176), (24 + 272 * f, 176)],
            _mix(cloth, (255, 255, 255), 0.35),
        )
    for f in (0, 0.2, 0.42, 0.68):
        y0, y1 = 120 + 56 * f, 120 + 56 * (f + 0.1 + 0.06 * f)
        c.poly(
            [
                (66 - 42 * (y0 - 120) / 56, y0),
                (254 + 42 * (y0 - 120) / 56, y0),
                (254 + 42 * (y1 - 120) / 56, y1),
                (66 - 42 * (y1 - 120) / 56, y1),
            ],
            cloth,
        )
    return 132


def beach(c, rng):
    _sky(c, rng, 64, 2)
    if rng.random() < 0.7:
        x = rng.uniform(40, 280)
        c.glow(x, 0, 60, (255, 245, 190), 220)
        c.ellipse(x, 0, 11, 11, (255, 245, 170))
    sea = _jitter((30, 130, 190), rng, 10)
    c.gradient(64, 100, _shade(sea, 0.85), _mix(sea, (140, 225, 225), 0.7))
    for _ in range(26):
        x, y = rng.uniform(L, R), rng.uniform(68, 98)
        c.line([(x, y), (x + rng.uniform(8, 22), y)], (215, 240, 248), 1)
    sand = _jitter((240, 214, 150), rng, 7)
    c.gradient(100, B, _shade(sand, 0.96), _shade(sand, 1.04))
    for k in range(L, R, 12):
        c.ellipse(k, 100 + 2 * math.sin(k * 0.07), 9, 3, (250, 253, 255))
    for _ in range(160):
        x, y = rng.uniform(L, R), rng.uniform(108, B)
        c.rect(x, y, x + 1.6, y + 1.2, _shade(sand, rng.choice([0.82, 0.9, 1.06])))
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    c.emoji("⛵", m(rng.uniform(120, 210)), 74, 36, flip, shadow=False)
    c.emoji("🌴", m(44), 128, 108, flip)
    c.emoji("⛱️", m(278), 134, 76, flip)
    c.emoji("🦀", m(34), 168, 30)
    c.emoji("🐚", m(292), 190, 30)
    stripes = [_jitter(q, rng) for q in ((60, 150, 210), (250, 250, 245))]
    for k in range(8):
        f, g = k / 8, (k + 1) / 8
        c.poly(
            [(72 + 176 * f, 120), (72 + 176 * g, 120), (40 + 240 * g, 158), (40 + 240 * f, 158)],
            stripes[k % 2],
        )
    return 132


def bus_stop(c, rng):
    _sky(c, rng, 90, 1)
    for x in range(L, R, 26):
        c.rect(x, rng.uniform(10, 50), x + 25, 96, _jitter((150, 160, 172), rng, 9))
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    c.rect(L, 86, R, 120, (92, 94, 100))
    c.emoji("🚌", m(rng.uniform(96, 130)), 104, 84, flip)
    c.emoji("🚌", m(60), 108, 92, flip)
    glass = c.image.copy()
    d = ImageDraw.Draw(glass)
    d.rectangle([*c.p(16, -6), *c.p(304, 118)], (160, 215, 215))
    c.image.paste(Image.blend(c.image, glass, 0.34))
    c.d = ImageDraw.Draw(c.image)
    frame = _jitter((40, 110, 90), rng, 8)
    c.rect(L, -30, R, -8, frame)
    c.rect(L, -10, R, -6, _shade(frame, 1.4))
    for x in (12, 112, 212, 308):
        c.rect(x - 3, -8, x + 3, 124, frame)
    c.emoji("🚏", m(258), 92, 78, shadow=False)
    a, b = sorted((m(122), m(166)))
    c.rect(a, 4, b, 56, (250, 250, 245), frame, 3)
    for k in range(6):
        c.line([(a + 7, 13 + k * 7), (b - 7, 13 + k * 7)], (110, 110, 120), 1.4)
    c.gradient(118, B, (150, 148, 144), (184, 182, 176))
    _slabs(c, 140.0, 136, 8, (34, 84), (132, 130, 126))
    wood = _jitter((186, 120, 66), rng, 9)
    for k in range(3):
        c.rect(44, 116 + k * 7, 276, 121.5 + k * 7, _shade(wood, 1.1 - 0.1 * k), radius=1)
    for x in (64, 256):
        c.rect(x - 4, 136, x + 4, 158, (60, 64, 70))
    return 128


def hallway(c, rng):
    wall = _jitter(rng.choice([(72, 128, 124), (96, 120, 92), (180, 130, 60)]), rng, 8)
    c.rect(L, T, R, B, wall)
    for x in range(L, R, 16):
        c.line([(x, T), (x, 78)], _shade(wall, 1.1), 2)
    panel = _jitter((236, 230, 216), rng, 5)
    c.rect(L, 78, R, 124, panel)
    c.rect(L, 76, R, 81, _shade(panel, 0.86))
    for x in range(L, R, 40):
        c.rect(x + 6, 88, x + 34, 118, panel, _shade(panel, 0.84), 1)
    m = (lambda x: 320 - x) if rng.random() < 0.5 else (lambda x: x)
    door = _jitter(rng.choice([(176, 52, 48), (46, 84, 140), (60, 110, 70)]), rng, 8)
    a, b = sorted((m(112), m(190)))
    c.rect(a - 7, -26, b + 7, 124, (246, 242, 232), _shade(panel, 0.8), 1)
    c.rect(a, -20, b, 124, door, _shade(door, 0.7), 2)
    half = (a + b) / 2
    for x0, x1 in ((a + 8, half - 4), (half + 4, b - 8)):
        c.rect(x0, -12, x1, 34, (206, 232, 244), _shade(door, 0.6), 2)
        c.line([(x0 + 4, 30), (x1 - 4, -6)], (240, 248, 252), 2)
        c.rect(x0, 62, x1, 112, _shade(door, 1.14), _shade(door, 0.7), 1)
    c.rect(half - 14, 42, half + 14, 48, (214, 178, 84), (130, 100, 40), 1)
    c.ellipse(m(180), 54, 4.5, 4.5, (232, 200, 100), (130, 100, 40), 1)
    c.rect(min(m(204), m(300)), 2, max(m(204), m(300)), 9, (122, 84, 50))
    for i, x in enumerate((216, 242, 268, 294)):
        c.ellipse(m(x), 10, 3, 3, (220, 190, 110))
        if rng.random() < 0.8:
            coat = _jitter(
                rng.choice(
                    [(196, 150, 60), (60, 70, 110), (150, 60, 80), (110, 120, 100), (90, 66, 50)]
                ),
                rng,
            )
            c.poly(
                [
                    (m(x) - 4, 12),
                    (m(x) + 4, 12),
                    (m(x) + 13, 26),
                    (m(x) + 14, 72),
                    (m(x) - 14, 72),
                    (m(x) - 13, 26),
                ],
                coat,
            )
            c.line([(m(x), 16), (m(x), 70)], _shade(coat, 0.7), 1.5)
    c.rect(min(m(26), m(84)), 50, max(m(26), m(84)), 118, (132, 92, 56), (90, 60, 36), 2)
    for y in (60, 80, 100):
        c.rect(min(m(28), m(82)), y + 11, max(m(28), m(82)), y + 14, (90, 60, 36))
        for x in (38, 55, 72):
            c.rect(
                m(x) - 7,
                y + 3,
                m(x) + 7,
                y + 11,
                _jitter(rng.choice([(60, 60, 66), (150, 96, 60), (190, 190, 196)]), rng),
                radius=3,
            )
    _counter(c, 120, _jitter((150, 98, 58), rng, 8), rng)
    rug = _jitter(rng.choice([(160, 60, 60), (60, 90, 130)]), rng)
    c.poly([(76, 150), (244, 150), (284, B), (36, B)], rug)
    for k in range(9):
        y = 156 + k * k * 1.5 + k * 3
        c.line([(70 - k * 3, y), (250 + k * 3, y)], _mix(rug, (250, 240, 220), 0.55), 1.5)
    return 130


def library(c, rng):
    wood = _jitter(rng.choice([(106, 66, 38), (84, 52, 32), (128, 84, 50)]), rng, 7)
    c.rect(L, T, R, B, _shade(wood, 0.5))
    spines = [
        (150, 40, 44),
        (38, 70, 120),
        (50, 100, 70),
        (196, 156, 70),
        (110, 66, 110),
        (220, 208, 180),
        (60, 60, 66),
        (190, 100, 50),
    ]
    for base in (4, 42, 80, 116):
        x = L
        while x < R:
            if rng.random() < 0.05:
                x += rng.uniform(6, 14)
                continue
            w, h = rng.uniform(5, 10), rng.uniform(22, 32)
            colour = _jitter(rng.choice(spines), rng, 10)
            c.rect(x, base - h, x + w - 0.7, base, colour)
            c.rect(x, base - h + 5, x + w - 0.7, base - h + 7, _mix(colour, (250, 230, 160), 0.6))
            x += w
        c.rect(L, base, R, base + 5, _shade(wood, 1.25))
    for x in range(L + rng.randint(0, 40), R, 104):
        c.rect(x, T, x + 8, 120, _shade(wood, 1.12), _shade(wood, 0.7), 1)
    m = (lambda x: 320 - x) if rng.random() < 0.5 else (lambda x: x)
    for k in (0, 1):
        c.line([(m(270 + k * 24), 124), (m(254 + k * 20), T)], (196, 150, 90), 3)
    for k in range(10):
        y = 112 - k * 14
        c.line([(m(268.5 - k * 1.6), y), (m(292 - k * 1.9), y)], (196, 150, 90), 2.5)
    table = _jitter((140, 88, 50), rng, 8)
    _counter(c, 120, table, rng)
    c.poly([(88, 146), (232, 146), (262, B), (58, B)], _jitter((40, 96, 66), rng, 6))
    for x in (m(58), m(282)):
        c.rect(x - 2.5, 76, x + 2.5, 124, (206, 168, 80))
        c.ellipse(x, 125, 15, 5, (206, 168, 80))
        c.glow(x, 88, 48, (255, 236, 170), 150)
        c.poly([(x - 19, 80), (x + 19, 80), (x + 12, 64), (x - 12, 64)], (30, 130, 84))
        c.rect(x - 19, 79, x + 19, 82, (220, 240, 180))
    return 130


def train_station(c, rng):
    c.gradient(T, 60, _jitter((176, 200, 220), rng, 8), (226, 232, 236))
    steel = _jitter(rng.choice([(70, 84, 98), (94, 70, 66), (60, 92, 86)]), rng, 6)
    c.poly([(L, T), (R, T), (R, -14), (160, -24), (L, -14)], steel)
    for k in range(-3, 12):
        c.line([(k * 34, -16), (k * 34 + 17, T)], _shade(steel, 1.3), 2)
        c.line([(k * 34 + 34, -16), (k * 34 + 17, T)], _shade(steel, 1.3), 2)
    for x in range(L, R, 30):
        c.rect(x, rng.uniform(20, 44), x + 29, 80, _jitter((170, 178, 188), rng, 7))
    m = (lambda x: 320 - x) if rng.random() < 0.5 else (lambda x: x)
    c.gradient(88, 112, (112, 104, 98), (88, 82, 78))
    for x in range(L, R, 11):
        c.rect(x, 98, x + 6, 110, (74, 58, 46))
    for y in (98, 106):
        c.rect(L, y, R, y + 2, (196, 200, 206))
    body = _jitter(
        rng.choice([(200, 44, 48), (40, 110, 180), (60, 140, 90), (240, 160, 40)]), rng, 8
    )
    nose = 40
    front, back = (m(nose), R + 10) if m(1) == 1 else (m(nose), L - 10)
    s = 1 if back > front else -1
    c.poly(
        [
            (front, 98),
            (front - s * 12, 84),
            (front + s * 14, 22),
            (front + s * 24, 16),
            (back, 16),
            (back, 98),
        ],
        (238, 240, 242),
    )
    c.poly(
        [(front - s * 10, 78), (front - s * 4, 66), (back, 66), (back, 82), (front - s * 12, 82)],
        body,
    )
    c.poly(
        [(front + s * 4, 58), (front + s * 16, 26), (front + s * 34, 26), (front + s * 34, 58)],
        (40, 52, 66),
    )
    for k in range(9):
        x = front + s * (48 + k * 34)
        c.rect(x, 28, x + s * 25, 56, (58, 78, 98), (200, 204, 210), 1, radius=4)
        c.poly(
            [(x + s * 4, 54), (x + s * 12, 30), (x + s * 18, 30), (x + s * 10, 54)], (96, 120, 140)
        )
    for k in range(3):
        x = front + s * (116 + k * 102)
        c.rect(x - 1, 24, x + 1, 96, (150, 154, 160))
    c.ellipse(front - s * 2, 86, 4, 4, (255, 248, 190))
    for x in (m(26), m(302)):
        c.rect(x - 5, -20, x + 5, 124, steel, _shade(steel, 0.7), 1)
    x = m(rng.choice([96, 214]))
    c.rect(x - 1.5, T, x + 1.5, -8, (40, 44, 50))
    c.ellipse(x, 6, 17, 17, (250, 250, 246), (36, 40, 46), 3)
    for k in range(12):
        q = k * math.pi / 6
        c.line(
            [
                (x + 12 * math.sin(q), 6 - 12 * math.cos(q)),
                (x + 14 * math.sin(q), 6 - 14 * math.cos(q)),
            ],
            (30, 30, 34),
            1.2,
        )
    q, r = rng.uniform(0, 6.28), rng.uniform(0, 6.28)
    c.line([(x, 6), (x + 8 * math.sin(q), 6 - 8 * math.cos(q))], (20, 20, 24), 2.2)
    c.line([(x, 6), (x + 12 * math.sin(r), 6 - 12 * math.cos(r))], (200, 40, 40), 1.5)
    x = m(160)
    c.rect(x - 26, -14, x + 26, 2, (30, 60, 130), (240, 240, 240), 1)
    for k in range(4):
        c.rect(x - 20 + k * 10.5, -9, x - 13 + k * 10.5, -3, (240, 244, 250))
    c.gradient(110, B, (152, 150, 150), (190, 188, 184))
    c.rect(L, 109, R, 114, (236, 236, 232))
    c.rect(L, 116, R, 123, (246, 204, 50))
    for x in range(L, R, 7):
        c.ellipse(x, 119.5, 1.6, 1.3, (206, 164, 30))
    _slabs(c, 136.0, 124, 9, (30, 92), (134, 132, 130))
    return 131


# What stands about without a name in the vocabulary: so that not everything small is an object.
CLUTTER = {
    "kitchen": "🥫🫙🍅🧅🥥🥑",
    "living room": "🏺🪆🗿📚",
    "bedroom": "🪆🏺📚🧻",
    "bathroom": "🧴🧻🫙",
    "office": "📎📐🧮📚",
    "supermarket": "🥫🥔🥦🌽",
    "cafe": "🥐🧁🥨🫙",
    "gym": "",
    "workshop": "🔩🧱📐",
    "hallway": "🏺🪆📚",
    "library": "📚🪶🏺",
    "train station": "🐦",
    "garden": "🪨🍄🐌🌿",
    "street": "🚧🐦🧱",
    "park": "🍄🪨🐦",
    "beach": "🐚🪨",
    "bus stop": "🐦🧱",
}


def _clutter(c, rng, place, base):
    for _ in range(rng.randint(2, 5)):
        x, size = rng.uniform(46, 274), rng.randint(19, 27)
        y = base + rng.uniform(-7, 3)
        kind, colour = (
            rng.random(),
            _jitter(
                rng.choice(
                    [(200, 90, 70), (90, 140, 170), (220, 200, 160), (110, 150, 100), (90, 90, 100)]
                ),
                rng,
            ),
        )
        if CLUTTER[place] and kind < 0.5:
            c.emoji(rng.choice(CLUTTER[place]), x, y, size, rng.random() < 0.5)
        elif kind < 0.68:
            w = rng.uniform(6, 9)
            c.shadow(x, y, w * 1.2, 50)
            c.rect(x - w, y - size, x + w, y, colour, _shade(colour, 0.7), 1, radius=3)
            c.rect(
                x - w * 0.8, y - size - 4, x + w * 0.8, y - size + 1, _shade(colour, 0.6), radius=1
            )
            c.rect(x - w * 0.7, y - size * 0.6, x + w * 0.7, y - size * 0.3, (246, 242, 230))
        elif kind < 0.84:
            w = rng.uniform(9, 13)
            c.shadow(x, y, w * 1.2, 50)
            for k in range(rng.randint(2, 4)):
                shade = _jitter(colour, rng, 30)
                c.rect(
                    x - w + rng.uniform(-2, 2),
                    y - 5 - k * 5,
                    x + w + rng.uniform(-2, 2),
                    y - k * 5,
                    shade,
                    _shade(shade, 0.7),
                    1,
                )
        else:
            w, h = rng.uniform(9, 13), rng.uniform(10, 17)
            c.shadow(x, y, w * 1.2, 50)
            c.rect(x - w, y - h, x + w, y, colour, _shade(colour, 0.7), 1)
            c.poly(
                [(x - w, y - h), (x - w + 5, y - h - 5), (x + w + 5, y - h - 5), (x + w, y - h)],
                _shade(colour, 1.15),
            )
            c.poly(
                [(x + w, y - h), (x + w + 5, y - h - 5), (x + w + 5, y - 5), (x + w, y)],
                _shade(colour, 0.8),
            )


PLACES = {name: globals()[name.replace(" ", "_")] for name in vocab.PLACE_NAMES}


def object_slots(state):
    """Where the objects lie: [(name, x, base, size)] in frame coordinates of a head that does not
    sway."""
    rng = random.Random(f"objects {state.seed} {state.place}")
    xs = {
        0: [],
        1: [rng.choice([88, 124, 196, 232])],
        2: [rng.uniform(84, 104), rng.uniform(216, 236)],
        3: [84, 160, 236],
    }[len(state.lying)]
    if state.act in TALL and len(xs) == 1:
        xs = [rng.choice([84, 236])]
    return [
        (
            name,
            x + rng.uniform(-5, 5),
            rng.uniform(-5, 2) - 16 * _slack(vocab.OBJECT[name]["emoji"]),
            rng.randint(60, 70),
        )
        for name, x in zip(state.lying, xs)
    ]


@functools.lru_cache(maxsize=8)
def _place(place, visit):
    canvas = Canvas()
    rng = random.Random(f"place {visit} {place}")
    base = PLACES[place](canvas, rng)
    _clutter(canvas, rng, place, base)
    return canvas.finish(), base


@functools.lru_cache(maxsize=4)
def _things(state):
    """(picture with alpha, left, top) of the objects as they lie on the larger background; None
    where nothing lies."""
    if not state.lying:
        return None
    base = _place(state.place, state.visit)[1]
    layer = Image.new("RGBA", (W + 2 * MX, H + 2 * MY))
    for name, x, dy, size in object_slots(state):
        char = vocab.OBJECT[name]["emoji"]
        middle = base + dy + MY - size * (0.5 - _slack(char))
        shade = Image.new("RGBA", layer.size)
        _shadow(shade, x + MX, base + dy + MY - size * 0.04, size * 0.42)
        for sprite in (_halo(char, size), emoji(char, size)):
            part = Image.new("RGBA", layer.size)
            part.paste(
                sprite,
                (int(round(x + MX - sprite.width / 2)), int(round(middle - sprite.height / 2))),
            )
            shade = Image.alpha_composite(shade, part)
        layer = Image.alpha_composite(layer, shade)
    box = layer.getbbox()
    return layer.crop(box), box[0], box[1]


def background(state, t):
    """The place with the persons and the objects in it, larger than the frame by the margins."""
    image = _place(state.place, state.visit)[0].copy()
    for x, top, sprite, ground in persons(state, t):
        sprite = (
            sprite
            if top + sprite.height <= ground
            else sprite.crop((0, 0, sprite.width, max(1, ground - top)))
        )
        image.paste(sprite, (x + MX - sprite.width // 2, top + MY), sprite)
    things = _things(state)
    if things:
        image.paste(things[0], things[1:], things[0])
    return image


# ---------------------------------------------------------------- the persons in sight

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
# Where floor and ground are in sight, persons stand on them; elsewhere behind a counter, a table or
# a bed.
STANDING = {"gym", "garden", "street", "park", "beach", "bus stop", "train station"}


@functools.lru_cache(maxsize=256)
def _person(look, r, pose, step):
    """A person whose head has radius r; pose "stand", "wave" or "walk" to the right; `step` of 8 of
    its motion."""
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
    m, dark = w * k / 2, _shade(skin, 0.7)

    def limb(x0, y0, x1, y1, width, fill, end=None):
        for grow, colour in ((0.12, _shade(fill, 0.66)), (0, fill)):
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
            _shade(hair, 0.7),
        )
    limb(-1.0, 2.55, -1.25 - 0.5 * walk, 4.3, 0.52, _shade(shirt, 0.86), skin)
    if pose == "wave":
        limb(1.0, 2.55, 1.75 + 0.2 * swing, 1.1, 0.52, _shade(shirt, 0.86), skin)
    else:
        limb(1.0, 2.55, 1.25 - 0.5 * walk, 4.3, 0.52, _shade(shirt, 0.86), skin)
    d.rounded_rectangle(
        [m - 1.08 * u, 2.0 * u, m + 1.08 * u, 4.75 * u], 0.55 * u, _shade(shirt, 0.66) + (255,)
    )
    d.rounded_rectangle([m - u, 2.08 * u, m + u, 4.67 * u], 0.5 * u, shirt + (255,))
    if stripes:
        for y in (2.7, 3.3, 3.9):
            d.rectangle(
                [m - u, y * u, m + u, (y + 0.24) * u],
                fill=_mix(shirt, (255, 255, 255), 0.55) + (255,),
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
        oval(s * 0.52 + turn, 1.52, 0.17, 0.11, _mix(skin, (240, 110, 100), 0.5))
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
    """[(x, head's radius, look, pose, phase)] of the persons, none hiding another."""
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
    """[(x, top, picture, the y below which a counter hides them)] in frame coordinates of a head
    that does not sway."""
    out, base = [], _place(state.place, state.visit)[1]
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


# ---------------------------------------------------------------- what hides objects for a second


@functools.lru_cache(maxsize=64)
def _occlusion(state):
    """("arm" or "passing", middle in seconds, x, y) or None: in a quarter of the segments something
    gets in the way."""
    rng = random.Random(f"occlusion {state.seed}")
    slots = object_slots(state)
    if not slots or rng.random() > 0.26:
        return None
    _, x, dy, size = rng.choice(slots)
    # an arm in the middle would hide the hands' work
    kind = "passing" if 130 < x < 190 else rng.choice(["arm", "arm", "passing"])
    return (
        kind,
        rng.uniform(1.0, 6.0),
        x,
        _place(state.place, state.visit)[1] + dy - size * 0.5,
        rng.randrange(6),
    )


def _hider(state, t):
    """(x, y, radius) of what is in the way at that instant, or None."""
    found = _occlusion(state)
    if not found or abs(t - found[1]) > 0.8:
        return None
    kind, middle, x, y, _ = found
    if kind == "passing":
        return 160 + (t - middle) / 0.8 * 230 * (1 if state.seed % 2 else -1), y, 50
    reach = min(1.0, (0.8 - abs(t - middle)) / 0.3)
    side = 40 if x > 160 else -40
    return x + side * (1 - reach), y + 130 * (1 - reach), 34


def _draw_hider(image, state, t, dx, dy):
    at = _hider(state, t)
    if not at:
        return
    kind, *_, shade = _occlusion(state)
    x, y = at[0] - dx * 1.2, at[1] - dy * 1.2
    if kind == "arm":
        side = "right" if x > 160 else "left"
        _paste(image, _near_arm(state.person, side), x, y + 12)
    else:
        _paste(
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
    for layer in _arm(person, side, "flat"):
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
    """The names that are in sight at that instant: what lies about and is not hidden, and what is
    held."""
    dx, dy = sway(state, t)
    hider = _hider(state, t)
    base = _place(state.place, state.visit)[1]
    out = [state.held] if state.held else []
    for name, x, oy, size in object_slots(state):
        y = base + oy - size * (0.5 - _slack(vocab.OBJECT[name]["emoji"]))
        covered = hider and math.hypot(x - hider[0], y - hider[1]) < hider[2] * 0.75
        if not covered and 40 + size * 0.1 < x - dx < 280 - size * 0.1:
            out.append(name)
    return out


# ---------------------------------------------------------------- hands

SKINS = [(255, 219, 180), (241, 194, 150), (214, 160, 112), (160, 106, 70), (104, 68, 46)]
SLEEVES = [
    (200, 60, 60),
    (60, 110, 190),
    (70, 150, 90),
    (240, 190, 60),
    (120, 80, 160),
    (60, 64, 72),
    (235, 235, 235),
    (230, 130, 60),
]
ELBOW = {"left": (52, 310), "right": (268, 310)}


@functools.lru_cache(maxsize=128)
def _arm(person, side, kind):
    """(behind, front): the arm in two layers between which a prop fits. The hand's middle is the
    sprite's middle."""
    skin, sleeve = SKINS[person % len(SKINS)], SLEEVES[person // len(SKINS) % len(SLEEVES)]
    # drawn k times larger on an n-pixel square, hand at its centre, arm downward
    dark, k, n = _shade(skin, 0.72), 3, 290
    layers = []
    s = 1 if side == "right" else -1  # thumbs point inward: to the left of a right hand
    for layer in ("behind", "front"):
        image = Image.new("RGBA", (n * k, n * k))
        d = ImageDraw.Draw(image)
        m = n * k / 2

        def capsule(x0, y0, x1, y1, w, fill=skin, edge=dark):
            for width, colour in ((w + 2.4, edge), (w, fill)):
                a, b, r = (m + x0 * k, m + y0 * k), (m + x1 * k, m + y1 * k), width * k / 2
                d.line([a, b], colour + (255,), int(width * k))
                for q in (a, b):
                    d.ellipse([q[0] - r, q[1] - r, q[0] + r, q[1] + r], fill=colour + (255,))

        if layer == "behind":
            d.polygon(
                [(m - 13 * k, m), (m + 13 * k, m), (m + 22 * k, m * 2), (m - 22 * k, m * 2)],
                dark + (255,),
            )
            d.polygon(
                [
                    (m - 11.5 * k, m),
                    (m + 11.5 * k, m),
                    (m + 20.5 * k, m * 2),
                    (m - 20.5 * k, m * 2),
                ],
                skin + (255,),
            )
            d.polygon(
                [
                    (m - 19 * k, m + 46 * k),
                    (m + 19 * k, m + 46 * k),
                    (m + 30 * k, m * 2),
                    (m - 30 * k, m * 2),
                ],
                sleeve + (255,),
            )
            d.rounded_rectangle(
                [m - 21 * k, m + 42 * k, m + 21 * k, m + 52 * k],
                3 * k,
                _shade(sleeve, 0.84) + (255,),
            )
            if kind == "hold":
                for i in range(4):
                    capsule(
                        s * (-9 + i * 6), 2, s * (-11 + i * 7), -16 - (3 if i in (1, 2) else 0), 7
                    )
            capsule(-5, 6, 5, 6, 28)
            capsule(-5, 2, 5, 8, 25, edge=skin)
        elif kind == "fist":
            capsule(-7, 4, 7, 4, 25)
            for i in range(4):
                capsule(s * (10 - i * 6.4), -10, s * (9 - i * 6), 1, 7.4)
            capsule(s * -14, 8, s * -4, -2, 8)
        elif kind == "hold":
            capsule(s * -8, 10, s * -15, -8, 9)
        elif kind == "flat":
            for i in range(4):
                capsule(
                    s * (-9 + i * 6.2), 0, s * (-13 + i * 8), -22 - (5 if i in (1, 2) else 0), 7.6
                )
            capsule(s * -12, 10, s * -24, -4, 8.4)
            capsule(-5, 6, 5, 6, 26, edge=skin)
        layers.append(image.reduce(k))
    return tuple(layers)


@functools.lru_cache(maxsize=160)
def _turned_arm(person, side, kind, angle):
    behind, front = _arm(person, side, kind)
    # what is before the prop is near the hand's middle: less to turn
    front = front.crop((85, 85, 205, 205))
    return behind.rotate(angle, Image.BILINEAR), front.rotate(angle, Image.BILINEAR)


class Pen:
    """Draws hands and props over one frame. Angles in degrees, counter-clockwise."""

    def __init__(self, image, state, t):
        self.image, self.state, self.t = image, state, t
        self.rng = random.Random(f"activity {state.seed}")
        self.phase = self.rng.uniform(0, 6.28)
        self.speed = self.rng.uniform(0.85, 1.15)
        self.scale = self.rng.uniform(0.94, 1.08)
        self.ox, self.oy = self.rng.uniform(-8, 8), self.rng.uniform(-4, 4)

    def wave(self, hertz, shift=0.0):
        return math.sin(6.2832 * hertz * self.speed * self.t + self.phase + shift)

    def cycle(self, hertz, shift=0.0):
        return (hertz * self.speed * self.t + self.phase / 6.2832 + shift) % 1.0

    def at(self, x, y):
        return x + self.ox, y + self.oy

    def emoji(self, char, x, y, size, angle=0, flip=False, squeeze=(1, 1)):
        size = max(8, int(size * self.scale))
        if squeeze != (1, 1):
            sprite = emoji(char, size, flip).resize(
                (max(2, int(size * squeeze[0])), max(2, int(size * squeeze[1]))), Image.BICUBIC
            )
        else:
            sprite = _rotated_emoji(char, size, int(round(angle / 2.0)) * 2, flip)
        _paste(self.image, sprite, *self.at(x, y))

    def _arm(self, side, kind, x, y):
        ex, ey = ELBOW[side]
        angle = math.degrees(math.atan2(ex - x, ey - y))
        return _turned_arm(self.state.person, side, kind, int(round(angle / 2.0)) * 2)

    def behind(self, side, x, y, kind="hold"):
        _paste(self.image, self._arm(side, kind, x, y)[0], *self.at(x, y))

    def front(self, side, x, y, kind="hold"):
        _paste(self.image, self._arm(side, kind, x, y)[1], *self.at(x, y))

    def hand(self, side, x, y, kind="fist"):
        self.behind(side, x, y, kind)
        self.front(side, x, y, kind)

    def sprite(self, name, x, y, size, colour=None):
        _paste(self.image, _sprite(name, max(3, int(size)), colour), *self.at(x, y))

    def shape(self, box, draw):
        """Runs draw(ImageDraw, f) on a 3x picture of the box, f mapping frame points; pastes it
        antialiased."""
        x0, y0, x1, y1 = (int(v) for v in box)
        layer = Image.new("RGBA", ((x1 - x0) * 3, (y1 - y0) * 3))
        draw(
            ImageDraw.Draw(layer), lambda *points: [((x - x0) * 3, (y - y0) * 3) for x, y in points]
        )
        layer = layer.reduce(3)
        x, y = self.at(x0, y0)
        self.image.paste(layer, (int(round(x)), int(round(y))), layer)

    def block(self, points, fill, edge=None):
        xs, ys = [p[0] for p in points], [p[1] for p in points]

        def draw(d, f):
            d.polygon(f(*points), fill)
            if edge:
                d.line(f(*points, points[0]), edge, 5, joint="curve")

        self.shape((min(xs) - 3, min(ys) - 3, max(xs) + 4, max(ys) + 4), draw)

    def oval(self, x, y, rx, ry, fill, edge=None, width=4):
        self.shape(
            (x - rx - 2, y - ry - 2, x + rx + 3, y + ry + 3),
            lambda d, f: d.ellipse(
                [v for p in f((x - rx, y - ry), (x + rx, y + ry)) for v in p],
                fill,
                edge,
                width if edge else 0,
            ),
        )

    def cord(self, points, fill, width=3):
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        self.shape(
            (min(xs) - 6, min(ys) - 6, max(xs) + 7, max(ys) + 7),
            lambda d, f: d.line(f(*points), fill, int(width * 3), joint="curve"),
        )

    def steam(self, x, y, count=3, rise=52):
        for i in range(count):
            f = self.cycle(0.42, i / count)
            self.sprite("puff", x + 12 * math.sin(5 * f + i * 2.1), y - rise * f, 14 + 20 * f)

    def drops(self, x, y, fall, count=4, spread=10, size=9):
        for i in range(count):
            f = self.cycle(1.1, i / count)
            self.sprite("drop", x + spread * math.sin(i * 2.4), y + fall * f, size)

    def bubbles(self, x, y, count=6, spread=38):
        for i in range(count):
            f = self.cycle(0.3, i / count)
            self.sprite(
                "bubble",
                x + spread * math.sin(i * 2.3 + 1),
                y + 14 * math.cos(i * 1.7) - 26 * f,
                8 + (i * 5) % 11,
            )


# ---------------------------------------------------------------- the activities

ACTS = {}
TALL = {"flying a kite"}  # these leave the space above the hands to their prop


def activity(gerund):
    def keep(function):
        ACTS[gerund] = function
        return function

    return keep


@activity("washing the dishes")
def _(p):
    p.oval(160, 214, 118, 40, (150, 158, 168, 255), (110, 116, 124, 255), 6)
    p.oval(160, 216, 104, 32, (120, 190, 225, 255))
    p.behind("left", 104, 184)
    p.oval(148, 178, 50, 46, (250, 250, 252, 255), (170, 180, 200, 255), 5)
    p.oval(148, 178, 32, 29, (232, 240, 250, 255), (190, 205, 225, 255), 3)
    p.front("left", 104, 184)
    x, y = 168 + 22 * p.wave(0.9), 176 + 16 * p.wave(0.9, 1.57)
    p.behind("right", x + 16, y + 18, "flat")
    p.emoji("🧽", x, y, 52, 12 * p.wave(0.9))
    p.front("right", x + 18, y + 22, "fist")
    p.bubbles(150, 208, 8, 66)
    p.drops(140, 204, 28, 3, 26)


@activity("chopping vegetables")
def _(p):
    p.block(
        [(78, 176), (242, 176), (262, 232), (58, 232)], (222, 172, 108, 255), (150, 104, 58, 255)
    )
    for i in range(5):
        p.oval(
            206 + (i % 3) * 15, 206 + (i // 3) * 13, 9, 7, (245, 140, 40, 255), (210, 100, 20, 255)
        )
    p.emoji("🥕", 128, 190, 80, -34)
    p.hand("left", 96, 204, "fist")
    lift = abs(p.wave(1.1))
    y = 180 - 26 * lift
    p.emoji("🔪", 184, y, 92, 84 - 16 * lift)
    p.hand("right", 218, y + 18, "fist")


@activity("cooking soup")
def _(p):
    p.behind("left", 106, 196)
    p.emoji("🍲", 156, 186, 118)
    p.front("left", 106, 196)
    x, y = 168 + 16 * p.wave(0.7), 150 + 6 * p.wave(0.7, 1.57)
    p.emoji("🥄", x, y, 76, 10 + 12 * p.wave(0.7), True)
    p.hand("right", x + 30, y - 18 + 14, "fist")
    p.steam(146, 150, 4)


@activity("drinking coffee")
def _(p):
    lift = max(0.0, p.wave(0.25)) ** 2
    y = 186 - 22 * lift
    p.behind("right", 200, y + 14)
    p.emoji("☕", 156, y, 108 + 12 * lift, 10 * lift)
    p.front("right", 200, y + 14, "fist")
    p.steam(140, y - 44, 4)


@activity("eating a sandwich")
def _(p):
    bite = max(0.0, p.wave(0.5)) ** 2
    y = 190 - 14 * bite
    p.behind("left", 112, y + 10)
    p.behind("right", 208, y + 10)
    p.emoji("🥪", 160, y - 6, 112 + 10 * bite, 6 * p.wave(0.5))
    p.front("left", 112, y + 10)
    p.front("right", 208, y + 10)


@activity("reading a book")
def _(p):
    y = 184 + 3 * p.wave(0.2)
    p.behind("left", 92, y + 20)
    p.behind("right", 228, y + 20)
    p.emoji("📖", 160, y, 146, 2 * p.wave(0.15))
    turn = p.cycle(0.22)
    if turn < 0.25:
        k = math.cos(turn * 4 * math.pi)
        p.block(
            [(160, y - 40), (160 + 52 * k, y - 50), (160 + 52 * k, y + 22), (160, y + 40)],
            (252, 250, 240, 255),
            (190, 186, 170, 255),
        )
    p.front("left", 96, y + 20)
    p.front("right", 224, y + 20)


@activity("reading the newspaper")
def _(p):
    y = 186 + 3 * p.wave(0.25)
    p.behind("left", 74, y)
    p.behind("right", 246, y)
    rng = random.Random(p.state.seed)
    fold = 5 + 2 * p.wave(0.4)
    for sign in (-1, 1):
        p.block(
            [
                (160, y - 46),
                (160 + sign * 86, y - 46 + fold),
                (160 + sign * 86, y + 58 + fold),
                (160, y + 58),
            ],
            (236, 234, 226, 255),
            (150, 150, 146, 255),
        )
        a = 160 + (8 if sign > 0 else -78)
        p.block([(a, y - 36), (a + 70, y - 36), (a + 70, y - 27), (a, y - 27)], (50, 50, 54, 255))
        p.block([(a, y - 20), (a + 32, y - 20), (a + 32, y + 8), (a, y + 8)], (130, 134, 140, 255))
        for k in range(10):
            x0 = a + 38 if k < 4 else a
            yy = y - 18 + k * 8
            p.cord([(x0, yy), (a + 70 - rng.randint(0, 8), yy)], (120, 120, 124, 255), 1.3)
    p.cord([(160, y - 46), (160, y + 58)], (170, 168, 160, 255), 1.5)
    p.front("left", 80, y)
    p.front("right", 240, y)


@activity("typing on the laptop")
def _(p):
    p.emoji("💻", 160, 184, 138)
    left, right = 4 * p.wave(2.3), 4 * p.wave(2.3, 2.0)
    p.hand("left", 128 + left, 230 + left, "flat")
    p.hand("right", 192 + right, 230 - right, "flat")


@activity("writing a letter")
def _(p):
    p.block(
        [(92, 152), (206, 150), (214, 236), (84, 236)], (255, 253, 244, 255), (190, 184, 166, 255)
    )
    done = 1 + int(p.t * 0.7) % 6
    for k in range(done):
        p.cord(
            [
                (104, 164 + k * 11),
                (120 + 4 * (k % 2), 163 + k * 11),
                (140, 165 + k * 11),
                (188 - 8 * (k % 3), 163 + k * 11),
            ],
            (60, 80, 190, 255),
            2,
        )
    p.emoji("✉️", 234, 170, 62, 8)
    p.hand("left", 92, 214, "flat")
    x, y = 160 + 26 * p.wave(0.45), 168 + done * 9 + 3 * p.wave(2.8)
    p.emoji("✏️", x + 16, y - 8, 66, 90)
    p.hand("right", x + 38, y + 16, "fist")


@activity("calling a friend")
def _(p):
    x, y = 172 + 4 * p.wave(0.5), 180 + 4 * p.wave(0.35)
    p.behind("right", x + 22, y + 28)
    p.emoji("📱", x, y, 112, 14)
    p.front("right", x + 26, y + 26, "fist")
    for i in range(3):
        if int(p.t * 2.5) % 4 > i:
            r = 18 + i * 14
            p.shape(
                (x - 50 - r, y - 30 - r, x - 20 + r, y + r),
                lambda d, f: d.arc(
                    [v for q in f((x - 44 - r, y - 20 - r), (x - 44 + r, y - 20 + r)) for v in q],
                    140,
                    220,
                    (50, 200, 90, 255),
                    15,
                ),
            )


@activity("playing the guitar")
def _(p):
    p.emoji("🎸", 164, 190, 152, 84 + 3 * p.wave(0.5), True)
    p.hand("left", 102 + 10 * p.wave(0.3), 192, "fist")
    p.hand("right", 204, 206 + 11 * p.wave(1.8), "fist")
    for i, note in enumerate("🎵🎶"):
        f = p.cycle(0.35, i * 0.5)
        p.emoji(note, 120 + 70 * i + 10 * math.sin(6 * f), 150 - 40 * f, 28)


@activity("playing a video game")
def _(p):
    x, y, a = 160 + 5 * p.wave(0.6), 190 + 3 * p.wave(1.1), 8 * p.wave(0.6)
    p.behind("left", x - 52, y + 16)
    p.behind("right", x + 52, y + 16)
    p.emoji("🎮", x, y, 134, a)
    p.front("left", x - 50, y + 10 + 3 * p.wave(2.4))
    p.front("right", x + 50, y + 10 - 3 * p.wave(2.1))


@activity("brushing my teeth")
def _(p):
    x, y = 150 + 18 * p.wave(2.2), 180 + 3 * p.wave(1.1)
    p.emoji("🪥", x, y, 128, 0, True)
    p.hand("right", x + 40, y + 38, "fist")
    for i in range(7):
        p.sprite(
            "bubble",
            x - 34 + 16 * math.sin(i * 2.2),
            y - 46 + 12 * math.cos(i * 1.9),
            9 + (i * 3) % 8,
        )


@activity("shaving")
def _(p):
    y = 180 + 18 * p.wave(0.8)
    p.behind("left", 104, 206, "flat")
    for dx, dy, r in ((-16, 0, 22), (6, -8, 26), (22, 4, 20), (0, 10, 22)):
        p.oval(104 + dx, 182 + dy, r, r * 0.8, (252, 253, 255, 255), (214, 224, 236, 255), 3)
    p.emoji("🪒", 186, y, 108, 0, True)
    p.hand("right", 222, y + 42, "fist")


@activity("washing my hands")
def _(p):
    p.block(
        [(146, 112), (176, 112), (176, 124), (168, 134), (152, 134), (146, 126)],
        (176, 184, 194, 255),
        (120, 126, 134, 255),
    )
    p.block([(154, 134), (168, 134), (172, 226), (150, 226)], (140, 205, 245, 200))
    rub = 8 * p.wave(1.3)
    p.hand("left", 128 + rub, 194 - rub, "flat")
    p.emoji("🧼", 160, 180 + rub * 0.6, 74, 10 * p.wave(1.3))
    p.hand("right", 194 - rub, 196 + rub, "flat")
    p.bubbles(160, 196, 9, 56)


@activity("folding the laundry")
def _(p):
    for i, colour in enumerate(((220, 90, 90), (240, 200, 90), (120, 170, 110))):
        p.block(
            [(206, 214 - i * 13), (276, 214 - i * 13), (280, 225 - i * 13), (202, 225 - i * 13)],
            colour + (255,),
            _shade(colour, 0.75) + (255,),
        )
    k = 0.5 + 0.5 * p.wave(0.35)
    p.behind("left", 92 + 20 * k, 176)
    p.behind("right", 204 - 20 * k, 176)
    p.emoji("👕", 148, 182, 128, squeeze=(1 - 0.22 * k, 1 - 0.12 * k))
    p.front("left", 92 + 20 * k, 178)
    p.front("right", 204 - 20 * k, 178)


@activity("watering the plants")
def _(p):
    p.emoji("🪴", 112, 188, 92)
    tilt = 4 * p.wave(0.3)
    x, y = 212, 170 + tilt
    blue, edge = (60, 130, 200, 255), (34, 84, 140, 255)
    p.cord([(x - 22, y + 12), (x - 66, y - 14)], edge, 11)
    p.cord([(x - 22, y + 12), (x - 66, y - 14)], blue, 8)
    p.oval(x - 68, y - 15, 11, 8, blue, edge)
    p.block([(x - 28, y - 18), (x + 26, y - 26), (x + 34, y + 30), (x - 24, y + 36)], blue, edge)
    p.shape(
        (x + 10, y - 40, x + 66, y + 36),
        lambda d, f: d.arc(
            [v for q in f((x + 14, y - 30), (x + 56, y + 26)) for v in q], 250, 90, edge, 20
        ),
    )
    p.hand("right", x + 48, y + 6, "fist")
    p.drops(x - 78, y - 6, 48, 6, 14, 10)


@activity("planting flowers")
def _(p):
    p.oval(160, 218, 112, 26, (104, 66, 38, 255), (74, 44, 24, 255), 5)
    p.oval(150, 214, 70, 13, (128, 84, 50, 255))
    push = 9 * p.wave(0.6)
    p.emoji("🌷", 98, 184, 68, 6)
    p.emoji("🌷", 224, 184, 68, -6)
    p.hand("left", 132, 214 + push * 0.4, "flat")
    p.emoji("🌷", 160, 172 + push, 86)
    p.hand("right", 190, 208 + push, "fist")


@activity("picking apples")
def _(p):
    for x, y in ((122, 206), (160, 202), (198, 206), (140, 190), (180, 190)):
        p.emoji("🍎", x, y - 6, 44)
    p.block([(86, 206), (234, 206), (222, 244), (98, 244)], (196, 140, 70, 255), (130, 86, 40, 255))
    p.cord([(90, 218), (230, 218)], (150, 100, 50, 255), 3)
    f = 0.5 + 0.5 * p.wave(0.5)
    x, y = 190 + 8 * f, 172 - 26 * f
    p.behind("right", x + 18, y + 26)
    p.emoji("🍎", x, y, 66)
    p.front("right", x + 20, y + 24)


@activity("feeding the cat")
def _(p):
    p.emoji("🐈", 130, 178 + 2 * p.wave(1.2), 118, 2 * p.wave(0.8), True)
    p.hand("right", 242, 158 + 4 * p.wave(0.9), "fist")
    p.block(
        [(196, 206), (262, 206), (252, 232), (206, 232)], (220, 70, 90, 255), (150, 40, 60, 255)
    )
    p.oval(229, 206, 33, 8, (130, 84, 50, 255), (150, 40, 60, 255))
    for i in range(5):
        f = p.cycle(1.0, i / 5)
        p.sprite("disc", 228 + 6 * math.sin(i * 2.6), 168 + 36 * f, 8, (140, 90, 50))


@activity("walking the dog")
def _(p):
    x, y = 138 + 14 * p.wave(0.4), 190 + 4 * abs(p.wave(1.6))
    p.emoji("🐕", x, y, 112, 3 * p.wave(1.6))
    hx, hy = 236, 190 + 5 * p.wave(0.8)
    p.cord([(x + 6, y + 2), ((x + hx) / 2, max(y, hy) + 14), (hx - 6, hy)], (210, 40, 50, 255), 4)
    p.hand("right", hx, hy, "fist")


@activity("riding a bike")
def _(p):
    a = math.radians(5 * p.wave(0.35))

    def bar(x, y):
        return (160 + x * math.cos(a) - y * math.sin(a), 186 + x * math.sin(a) + y * math.cos(a))

    p.block([bar(-9, 4), bar(9, 4), bar(12, 70), bar(-12, 70)], (30, 32, 36, 255))
    p.block(
        [bar(-5, -2), bar(5, -2), bar(6, 40), bar(-6, 40)], (220, 50, 60, 255), (150, 24, 34, 255)
    )
    p.cord(
        [bar(-100, 22), bar(-66, 2), bar(-30, -6), bar(30, -6), bar(66, 2), bar(100, 22)],
        (196, 202, 210, 255),
        8,
    )
    p.cord([bar(-102, 24), bar(-70, 5)], (40, 40, 44, 255), 13)
    p.cord([bar(102, 24), bar(70, 5)], (40, 40, 44, 255), 13)
    p.oval(*bar(0, -16), 15, 15, (250, 236, 150, 255), (60, 60, 66, 255), 9)
    p.oval(*bar(38, -14), 8, 8, (190, 196, 206, 255), (110, 116, 124, 255))
    p.hand("left", *bar(-82, 14), "fist")
    p.hand("right", *bar(82, 14), "fist")


@activity("holding an umbrella")
def _(p):
    x, y = 160 + 3 * p.wave(0.4), 180 + 2 * p.wave(0.9)
    for i in range(22):
        f = p.cycle(1.2, (i * 0.37) % 1)
        a = 46 + (i * 61) % 230
        if abs(a - x) > 52 or f < 0.4:
            b = 96 + 140 * f
            p.cord([(a, b), (a - 3, b + 13)], (150, 190, 235, 255), 1.8)
    p.emoji("☂️", x, y, 118, 4 * p.wave(0.4))
    p.hand("right", x + 4, y + 45, "fist")


@activity("pushing a trolley")
def _(p):
    y = 192 + 2 * p.wave(2.0)
    p.emoji("🥬", 140, y - 28, 44)
    p.emoji("🥫", 180, y - 28, 40)
    p.block(
        [(104, y - 24), (216, y - 24), (236, y + 24), (84, y + 24)],
        (205, 212, 220, 150),
        (120, 128, 138, 255),
    )
    for k in range(1, 8):
        p.cord([(104 + 14 * k, y - 24), (84 + 19 * k, y + 24)], (130, 138, 148, 255), 2)
    p.cord([(96, y - 4), (224, y - 4)], (130, 138, 148, 255), 2)
    p.cord([(70, y + 32), (250, y + 32)], (225, 50, 50, 255), 11)
    p.hand("left", 98, y + 30, "fist")
    p.hand("right", 222, y + 30, "fist")


@activity("paying the bill")
def _(p):
    p.behind("left", 106, 206)
    p.block([(90, 138), (150, 138), (156, 228), (84, 228)], (52, 56, 66, 255), (24, 26, 32, 255))
    p.block([(98, 146), (142, 146), (143, 170), (97, 170)], (130, 235, 150, 255))
    for k in range(9):
        p.sprite("disc", 104 + (k % 3) * 16, 184 + (k // 3) * 14, 11, (200, 204, 212))
    p.front("left", 92, 212)
    f = 0.5 + 0.5 * p.wave(0.45)
    x, y = 208 - 22 * f, 178 + 4 * f
    p.behind("right", x + 26, y + 28)
    p.emoji("💳", x, y, 88, -8)
    p.front("right", x + 24, y + 26)


@activity("checking the list")
def _(p):
    p.behind("left", 102, 206)
    p.emoji("📋", 146, 184, 122, -3)
    done = 1 + int(p.t * 0.8) % 4
    for k in range(done):
        y = 166 + k * 15
        p.cord([(122, y), (127, y + 6), (136, y - 6)], (40, 180, 70, 255), 4)
    p.front("left", 106, 208)
    x, y = 176 + 4 * p.wave(1.4), 172 + done * 10 + 5 * p.wave(1.4, 1)
    p.cord([(x - 26, y - 6), (x + 16, y + 2)], (36, 70, 190, 255), 7)
    p.cord([(x - 32, y - 7), (x - 26, y - 6)], (20, 20, 24, 255), 4)
    p.hand("right", x + 28, y + 14, "fist")


@activity("sweeping the floor")
def _(p):
    s = 26 * p.wave(0.6)
    for i in range(5):
        p.sprite(
            "puff",
            116 + s + 22 * math.sin(i * 2.5),
            226 + 5 * math.cos(i * 1.7),
            22 + 3 * i,
            (200, 184, 160),
        )
    p.emoji("🧹", 156 + s * 0.8, 180, 158, s * 0.35)
    p.hand("left", 168 + s * 0.6, 188, "fist")
    p.hand("right", 200 + s * 0.4, 148 + 10, "fist")


@activity("lifting weights")
def _(p):
    for side, x, shift in (("left", 104, 0), ("right", 216, 3.14)):
        y = 186 + 20 * p.wave(0.45, shift)
        p.behind(side, x, y, "fist")
        p.cord([(x - 30, y), (x + 30, y)], (170, 176, 184, 255), 7)
        for dx, h in ((-40, 24), (-31, 32), (31, 32), (40, 24)):
            p.block(
                [
                    (x + dx - 6, y - h),
                    (x + dx + 6, y - h),
                    (x + dx + 6, y + h),
                    (x + dx - 6, y + h),
                ],
                (44, 48, 58, 255),
                (14, 16, 20, 255),
            )
        p.front(side, x, y, "fist")


@activity("boxing")
def _(p):
    for side, x, shift in (("left", 110, 0), ("right", 210, 3.14)):
        k = max(0.0, p.wave(0.8, shift))
        a, y = x + (160 - x) * 0.45 * k, 196 - 30 * k
        p.behind(side, a, y + 30, "fist")
        p.emoji("🥊", a, y, 96 - 8 * k, 0, side == "right")


@activity("playing table tennis")
def _(p):
    p.block(
        [(70, 200), (250, 200), (290, 242), (30, 242)], (30, 120, 90, 255), (240, 245, 240, 255)
    )
    p.cord([(160, 200), (160, 242)], (240, 245, 240, 255), 2)
    s = p.wave(0.8)
    x, y = 176 + 30 * s, 172 - 6 * s
    p.emoji("🏓", x, y, 108, -12 * s, True)
    p.hand("right", x + 36, y + 40, "fist")
    f = p.cycle(0.8)
    p.sprite(
        "disc", 110 + 60 * abs(2 * f - 1), 190 - 46 * abs(math.sin(6.28 * f)), 17, (252, 190, 60)
    )


@activity("drinking juice")
def _(p):
    lift = max(0.0, p.wave(0.28)) ** 2
    y = 184 - 16 * lift
    p.behind("right", 184, y + 24)
    p.emoji("🧃", 160, y, 122, 8 + 8 * lift)
    p.front("right", 196, y + 26, "hold")


@activity("hammering a nail")
def _(p):
    p.block([(50, 214), (270, 208), (274, 232), (46, 238)], (206, 160, 98, 255), (140, 98, 52, 255))
    p.cord([(128, 208), (128, 184)], (130, 134, 142, 255), 4)
    p.cord([(122, 183), (134, 183)], (130, 134, 142, 255), 4)
    p.hand("left", 104, 212, "fist")
    k = abs(p.wave(0.75))
    p.emoji("🔨", 172 + 8 * k, 176 - 16 * k, 114, 14 - 34 * k)
    p.hand("right", 212 + 4 * k, 206 - 20 * k, "fist")


@activity("sawing wood")
def _(p):
    p.emoji("🪵", 112, 196, 88)
    s = 20 * p.wave(0.9)
    p.emoji("🪚", 166 + s, 178 + s * 0.3, 118, 10, False)
    p.hand("right", 212 + s, 202 + s * 0.3, "fist")
    p.hand("left", 82, 212, "flat")
    for i in range(6):
        f = p.cycle(0.9, i / 6)
        p.sprite("disc", 136 + 14 * math.sin(i * 2.2), 200 + 34 * f, 5, (236, 200, 130))


@activity("painting a picture")
def _(p):
    p.block(
        [(168, 132), (262, 136), (258, 216), (166, 212)], (255, 255, 250, 255), (150, 110, 70, 255)
    )
    rng = random.Random(p.state.seed)
    done = 4 + int(p.t) % 5
    for i in range(done):
        p.oval(
            184 + rng.uniform(0, 56),
            150 + rng.uniform(0, 46),
            rng.uniform(7, 14),
            rng.uniform(6, 11),
            rng.choice(
                [(230, 60, 60), (60, 130, 220), (250, 200, 50), (80, 180, 90), (160, 80, 180)]
            )
            + (255,),
        )
    p.behind("left", 98, 206)
    p.emoji("🎨", 112, 190, 98)
    p.front("left", 92, 206)
    x, y = 206 + 18 * p.wave(0.7), 186 + 12 * p.wave(0.5, 1)
    p.emoji("🖌️", x + 6, y, 70, 90)
    p.hand("right", x + 30, y + 24, "fist")


@activity("flying a kite")
def _(p):
    x, y = 160 + 12 * p.wave(0.33), 50 + 10 * p.wave(0.5, 1)
    hx, hy = 164, 196 + 4 * p.wave(0.6)
    p.cord(
        [(x + 6, y + 20), ((x + hx) / 2 + 10, (y + hy) / 2), (hx, hy)], (250, 250, 250, 255), 2.4
    )
    p.emoji("🪁", x, y, 88, 12 * p.wave(0.4))
    p.behind("left", 128, 204, "fist")
    p.behind("right", 198, 204, "fist")
    p.block(
        [(132, hy - 13), (196, hy - 13), (196, hy + 13), (132, hy + 13)],
        (240, 150, 50, 255),
        (160, 90, 20, 255),
    )
    for k in range(5):
        p.cord([(146 + k * 9, hy - 12), (146 + k * 9, hy + 12)], (255, 240, 220, 255), 2)
    p.front("left", 126, 202, "fist")
    p.front("right", 202, 202, "fist")


@activity("taking a photo")
def _(p):
    y = 184 + 3 * p.wave(0.4)
    p.behind("left", 100, y + 14)
    p.behind("right", 220, y + 14)
    p.emoji("📷", 160, y, 136)
    p.front("left", 102, y + 14)
    p.front("right", 218, y + 14)
    if p.cycle(0.3) < 0.05:
        _paste(p.image, _sprite("puff", 150), *p.at(186, y - 40))


@activity("eating ice cream")
def _(p):
    lick = max(0.0, p.wave(0.5)) ** 2
    y = 180 - 10 * lick
    p.behind("right", 176, y + 40)
    p.emoji("🍦", 158, y, 128, 5 * p.wave(0.5))
    p.front("right", 178, y + 40, "fist")


BOTH_HANDS = {
    "cake",
    "parcel",
    "watermelon",
    "teddy bear",
    "present",
    "trophy",
    "pizza",
    "backpack",
    "dress",
    "mirror",
    "map",
    "pineapple",
    "bread",
    "crown",
    "violin",
    "basketball",
    "ball",
    "trumpet",
    "microphone",
    "teapot",
    "bucket",
    "cactus",
}


@activity(vocab.CARRYING)
def _(p):
    """Carried with a swing, looked at closely now and then, put down for a second and taken up
    again."""
    char, both = (
        vocab.OBJECT[p.state.held]["emoji"],
        p.state.held in BOTH_HANDS or p.rng.random() < 0.25,
    )
    side = p.rng.choice(["left", "right"])
    s = 1 if side == "right" else -1
    f = p.cycle(0.14)
    # 1 while it stands there and no hand holds it
    down = max(0.0, min(1.0, (f - 0.7) / 0.08, (1 - f) / 0.08))
    near = max(0.0, 1 - abs(f - 0.3) / 0.12)
    swing = (1 - down) * (1 - 0.6 * near)
    x = 160 + 15 * swing * p.wave(0.55) + (0 if both else -6 * s)
    y = 178 + swing * 4 * p.wave(1.1) + 6 * down - 8 * near
    size = int(112 + 12 * near - 6 * down)
    bottom = size * (0.5 - _slack(char))
    away, kind = 42 * down, "flat" if down > 0.5 else "hold"
    if down:
        _shadow(p.image, *p.at(x, y + bottom - 2), size * 0.42, int(90 * down))
    reach = size * (0.5 if both else 0.24)
    hands = (
        [
            ("left", x - reach - away, y + 20 + away * 0.6),
            ("right", x + reach + away, y + 20 + away * 0.6),
        ]
        if both
        else [(side, x + s * (reach + away), y + min(bottom, 46) - 6 + away * 0.6)]
    )
    for which, hx, hy in hands:
        p.behind(which, hx, hy, kind)
    sized = max(8, int(size * p.scale))
    angle = int(round((1 - down) * 5 * p.wave(0.55, 0.6) / 2)) * 2
    _paste(
        p.image, _halo(char, sized) if not angle else _rotated_halo(char, sized, angle), *p.at(x, y)
    )
    p.emoji(char, x, y, size, angle)
    for which, hx, hy in hands:
        p.front(which, hx, hy, "hold" if both and down < 0.5 else "fist" if down < 0.5 else "flat")


@functools.lru_cache(maxsize=128)
def _rotated_halo(char, size, angle):
    return _halo(char, size).rotate(angle, Image.BICUBIC, expand=True)


assert set(ACTS) == set(vocab.SEEN_ACTIVITIES), set(ACTS) ^ set(vocab.SEEN_ACTIVITIES)

# ---------------------------------------------------------------- the camera


WALKING = (
    "walking the dog",
    "riding a bike",
    "pushing a trolley",
    "sweeping the floor",
    vocab.CARRYING,
)


@functools.lru_cache(maxsize=32)
def _motion(state):
    """The head's phases, and its turns: [(middle in seconds, pixels)], one in two segments."""
    rng = random.Random(f"sway {state.seed}")
    phases = tuple(rng.uniform(0, 6.28) for _ in range(4))
    turns = tuple(
        (rng.uniform(0.8, 8), rng.choice([-1, 1]) * rng.uniform(14, 24))
        for _ in range(rng.choice([0, 0, 1, 1, 2]))
    )
    return phases, turns


def sway(state, t):
    """How far the head has turned from straight ahead, in pixels."""
    (a, b, c, d), turns = _motion(state)
    walking = 1.6 if state.act in WALKING else 1.0
    turned = sum(by * max(0.0, 1 - ((t - middle) / 0.55) ** 2) ** 2 for middle, by in turns)
    shake = 0.7 * math.sin(13.1 * t + b) + 0.5 * math.sin(19.7 * t + d)
    return (
        5.5 * math.sin(0.9 * t + a) + 2.5 * math.sin(2.3 * t + b) + turned + shake * 0.6,
        3.0 * math.sin(1.1 * t + c) + 1.4 * walking * math.sin(5.5 * t * walking + d) + shake,
    )


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

    `rng`, a random.Random, only chooses the sensor noise; `clock` is a short text such as "07:42",
    burnt in at the lower left.
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
    _draw_hider(image, state, t, dx, dy)
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
    return _hider(state, t) is None


def object_centres(state, t):
    """[(name, x, y, size)] of the objects in sight in that frame; for the auxiliary loss of the
    CLIP training."""
    base = _place(state.place, state.visit)[1]
    dx, dy = sway(state, t)
    seen = visible_objects(state, t)
    held = [(state.held, 160 - dx * 0.3, 178 - dy * 0.3, 112)] if state.held else []
    return held + [
        (name, x - dx, base + oy - size * (0.5 - _slack(vocab.OBJECT[name]["emoji"])) - dy, size)
        for name, x, oy, size in object_slots(state)
        if name in seen
    ]


def sheet(states, t, columns=6):
    """A contact sheet, for the eye."""
    rows = -(-len(states) // columns)
    out = Image.new("RGB", (columns * W, rows * H))
    for i, s in enumerate(states):
        out.paste(draw_frame(s, t), (i % columns * W, i // columns * H))
    return out
