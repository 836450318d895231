"""The canvas of a place, and elements that several places share: floors, windows, grass."""

import numpy as np
from PIL import Image, ImageDraw

from scene.emoji import emoji, soft_shadow
from scene.state import MX, MY, SS, B, H, L, R, T, W, jitter, mix, shaded


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
                [(0, y), (self.image.width, y)], mix(top, bottom, i / max(1, (y1 - y0) * SS))
            )

    def emoji(self, char, x, base, size, flip=False, dim=1.0, shadow=True):
        """Puts the emoji on the line y = base."""
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
        soft_shadow(self.image, *self.p(x, y), r * SS, strength)

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


def floor(c, horizon, colour, rng, kind="planks", step=26):
    """A floor in perspective from the horizon to the bottom edge."""
    c.gradient(horizon, B, shaded(colour, 0.85), colour)
    dark = shaded(colour, 0.78)
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


def slabs(c, y, top, most, steps, colour):
    """Joints between paving slabs: across from `y` on, at growing distances, and lengthwise from
    `top` down, `steps` apart there and at the edge."""
    gap = 9.0
    while y < B:
        c.line([(L, y), (R, y)], colour, 1)
        y += gap
        gap *= 1.3
    for k in range(-most, most + 1):
        c.line([(160 + k * steps[0], top), (160 + k * steps[1], B)], colour, 1)


def window(c, x0, y0, x1, y1, rng, frame=(245, 245, 240), view="sky", night=False):
    top, bottom = (
        ((40, 50, 100), (90, 90, 150)) if night else (jitter((120, 185, 240), rng), (215, 235, 250))
    )
    for i in range(int(y1 - y0)):
        c.rect(x0, y0 + i, x1, y0 + i + 1, mix(top, bottom, i / (y1 - y0)))
    if night:
        c.ellipse(x0 + (x1 - x0) * 0.7, y0 + 14, 7, 7, (250, 240, 200))
    elif view == "city":
        x = x0
        while x < x1 - 4:
            w, h = rng.uniform(8, 15), rng.uniform(0.3, 0.85) * (y1 - y0)
            c.rect(x, y1 - h, min(x + w, x1), y1, jitter((130, 145, 170), rng))
            x += w
    elif view == "green":
        for _ in range(7):
            x, r = rng.uniform(x0 + 5, x1 - 5), rng.uniform(6, 11)
            c.ellipse(x, y1 - r * 0.5, min(r, x - x0, x1 - x), r * 0.5, jitter((90, 165, 85), rng))
    c.rect(x0, y0, x1, y1, None, frame, 3)
    c.line([((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1)], frame, 2.5)
    c.line([(x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2)], frame, 2.5)
    c.rect(x0 - 4, y1, x1 + 4, y1 + 4, shaded(frame, 0.9))


def curtains(c, x0, y0, x1, y1, colour):
    for side, sign in ((x0, 1), (x1, -1)):
        for i in range(4):
            a = side - sign * 8 + sign * i * 5
            c.rect(a, y0 - 6, a + sign * 5, y1 + 12, shaded(colour, 0.88 + 0.08 * (i % 2)))
    c.rect(x0 - 14, y0 - 9, x1 + 14, y0 - 5, (120, 90, 60))


def counter(c, y, colour, rng, front=None, grain=True, slope=1.0):
    """A surface that fills the lower half, as seen by somebody in front of it."""
    c.gradient(y, B, shaded(colour, 0.9), shaded(colour, 1.05))
    if grain:
        for _ in range(34):
            yy = y + 5 + rng.random() ** 0.7 * (B - y)
            x = rng.uniform(L, R)
            w = rng.uniform(20, 90) * (yy - y + 30) / 90
            c.line(
                [(x, yy), (x + w, yy + rng.uniform(-1.5, 1.5))],
                shaded(colour, rng.uniform(0.84, 0.95)),
                0.8,
            )
    c.rect(L, y - 1, R, y + 2, shaded(colour, 1.18))


def pot_lamp(c, x, y, colour):
    c.line([(x, T), (x, y - 14)], (50, 50, 50), 1.5)
    c.poly([(x - 6, y - 14), (x + 6, y - 14), (x + 16, y), (x - 16, y)], colour)
    c.ellipse(x, y + 1, 7, 5, (255, 240, 180))
    c.glow(x, y + 6, 46, (255, 225, 150), 120)


def sky(c, rng, bottom=110, clouds=3):
    top = jitter(rng.choice([(88, 160, 232), (110, 180, 240), (130, 170, 225)]), rng, 8)
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


def grass(c, horizon, rng, colour=(110, 180, 74)):
    green = jitter(colour, rng, 10)
    c.gradient(horizon, B, shaded(green, 0.86), shaded(green, 1.06))
    for _ in range(230):
        y = horizon + 3 + (B - horizon) * rng.random()
        x, h = rng.uniform(L, R), 2 + (y - horizon) * 0.05
        c.line(
            [(x, y), (x + rng.uniform(-2, 2), y - h)],
            shaded(green, rng.choice([0.8, 0.88, 1.15])),
            1,
        )
    return green
