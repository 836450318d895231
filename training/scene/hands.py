"""The wearer's arms and hands, and the pen that activities draw with."""

import functools
import math
import random

from PIL import Image, ImageDraw

from scene.emoji import emoji, paste, rotated_emoji, small_picture
from scene.state import shaded

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
def arm_layers(person, side, kind):
    """(behind, front): the arm in two layers, so that a prop fits between them. The hand's middle
    is the sprite's middle."""
    skin, sleeve = SKINS[person % len(SKINS)], SLEEVES[person // len(SKINS) % len(SLEEVES)]
    # drawn k times larger on an n-pixel square, hand at its centre, arm downward
    dark, k, n = shaded(skin, 0.72), 3, 290
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
                shaded(sleeve, 0.84) + (255,),
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
    behind, front = arm_layers(person, side, kind)
    # the layer before the prop is near the hand's middle: less to turn
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
            sprite = rotated_emoji(char, size, int(round(angle / 2.0)) * 2, flip)
        paste(self.image, sprite, *self.at(x, y))

    def _arm(self, side, kind, x, y):
        ex, ey = ELBOW[side]
        angle = math.degrees(math.atan2(ex - x, ey - y))
        return _turned_arm(self.state.person, side, kind, int(round(angle / 2.0)) * 2)

    def behind(self, side, x, y, kind="hold"):
        paste(self.image, self._arm(side, kind, x, y)[0], *self.at(x, y))

    def front(self, side, x, y, kind="hold"):
        paste(self.image, self._arm(side, kind, x, y)[1], *self.at(x, y))

    def hand(self, side, x, y, kind="fist"):
        self.behind(side, x, y, kind)
        self.front(side, x, y, kind)

    def sprite(self, name, x, y, size, colour=None):
        paste(self.image, small_picture(name, max(3, int(size)), colour), *self.at(x, y))

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
