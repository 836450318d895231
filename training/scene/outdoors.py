"""The outdoor places and the train station. Each function draws one and returns the
objects' base line."""

import math

from PIL import Image, ImageDraw

from scene.canvas import grass, sky, slabs
from scene.state import B, L, R, T, jitter, mix, shaded


def garden(c, rng):
    sky(c, rng, 84)
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    c.emoji("🏡", m(70), 88, 92, flip, shadow=False)
    c.emoji("🌳", m(262), 90, 88, shadow=False)
    for x in range(L, R, 13):
        c.ellipse(x, 86 + rng.uniform(-3, 2), 12, 13, jitter((50, 120, 56), rng, 8))
    for x in range(L, R, 15):
        c.poly([(x, 62), (x + 5.5, 55), (x + 11, 62), (x + 11, 106), (x, 106)], (250, 250, 246))
        c.line([(x + 11, 62), (x + 11, 106)], (205, 205, 205), 1)
    c.rect(L, 72, R, 76, (236, 236, 232))
    c.rect(L, 94, R, 98, (236, 236, 232))
    grass(c, 104, rng)
    for _ in range(9):
        x = rng.choice([rng.uniform(L, 74), rng.uniform(246, R)])
        c.emoji(rng.choice(["🌼", "🌺", "🌼"]), x, rng.uniform(114, 190), 21)
    return 130


def street(c, rng):
    sky(c, rng, 90, 2)
    x = L - rng.uniform(0, 30)
    while x < R:
        w, top = rng.uniform(56, 76), rng.uniform(-26, 6)
        face = jitter(
            rng.choice(
                [(206, 120, 90), (226, 190, 130), (160, 170, 180), (190, 150, 150), (150, 120, 110)]
            ),
            rng,
            8,
        )
        c.rect(x, top, x + w, 100, face, shaded(face, 0.75), 1)
        c.rect(x, top, x + w, top + 5, shaded(face, 0.7))
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
        c.rect(x + w / 2 - 8, 76, x + w / 2 + 8, 100, jitter((90, 60, 50), rng))
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
    sky(c, rng, 92)
    for x in range(L - 10, R, 17):
        c.ellipse(
            x, 82 + rng.uniform(-5, 5), 17, rng.uniform(14, 24), jitter((84, 150, 84), rng, 9)
        )
    green = grass(c, 88, rng, (140, 200, 80))
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
    c.ellipse(m(92), 106, 58, 12, None, shaded(green, 0.75), 2)
    c.emoji("🦆", m(100), 108, 25, flip, shadow=False)
    c.emoji("🌳", m(34), 112, 100)
    c.emoji("🌲", m(286), 116, 104)
    c.emoji("⛲", m(216), 100, 50)
    cloth = jitter((214, 56, 56), rng, 9)
    pts = [(66, 120), (254, 120), (296, 176), (24, 176)]
    c.poly(pts, (250, 244, 240))
    for k in range(0, 12, 2):
        f, g = k / 12, (k + 1) / 12
        c.poly(
            [(66 + 188 * f, 120), (66 + 188 * g, 120), (24 + 272 * g, 176), (24 + 272 * f, 176)],
            mix(cloth, (255, 255, 255), 0.35),
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
    sky(c, rng, 64, 2)
    if rng.random() < 0.7:
        x = rng.uniform(40, 280)
        c.glow(x, 0, 60, (255, 245, 190), 220)
        c.ellipse(x, 0, 11, 11, (255, 245, 170))
    sea = jitter((30, 130, 190), rng, 10)
    c.gradient(64, 100, shaded(sea, 0.85), mix(sea, (140, 225, 225), 0.7))
    for _ in range(26):
        x, y = rng.uniform(L, R), rng.uniform(68, 98)
        c.line([(x, y), (x + rng.uniform(8, 22), y)], (215, 240, 248), 1)
    sand = jitter((240, 214, 150), rng, 7)
    c.gradient(100, B, shaded(sand, 0.96), shaded(sand, 1.04))
    for k in range(L, R, 12):
        c.ellipse(k, 100 + 2 * math.sin(k * 0.07), 9, 3, (250, 253, 255))
    for _ in range(160):
        x, y = rng.uniform(L, R), rng.uniform(108, B)
        c.rect(x, y, x + 1.6, y + 1.2, shaded(sand, rng.choice([0.82, 0.9, 1.06])))
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    c.emoji("⛵", m(rng.uniform(120, 210)), 74, 36, flip, shadow=False)
    c.emoji("🌴", m(44), 128, 108, flip)
    c.emoji("⛱️", m(278), 134, 76, flip)
    c.emoji("🦀", m(34), 168, 30)
    c.emoji("🐚", m(292), 190, 30)
    stripes = [jitter(q, rng) for q in ((60, 150, 210), (250, 250, 245))]
    for k in range(8):
        f, g = k / 8, (k + 1) / 8
        c.poly(
            [(72 + 176 * f, 120), (72 + 176 * g, 120), (40 + 240 * g, 158), (40 + 240 * f, 158)],
            stripes[k % 2],
        )
    return 132


def bus_stop(c, rng):
    sky(c, rng, 90, 1)
    for x in range(L, R, 26):
        c.rect(x, rng.uniform(10, 50), x + 25, 96, jitter((150, 160, 172), rng, 9))
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
    frame = jitter((40, 110, 90), rng, 8)
    c.rect(L, -30, R, -8, frame)
    c.rect(L, -10, R, -6, shaded(frame, 1.4))
    for x in (12, 112, 212, 308):
        c.rect(x - 3, -8, x + 3, 124, frame)
    c.emoji("🚏", m(258), 92, 78, shadow=False)
    a, b = sorted((m(122), m(166)))
    c.rect(a, 4, b, 56, (250, 250, 245), frame, 3)
    for k in range(6):
        c.line([(a + 7, 13 + k * 7), (b - 7, 13 + k * 7)], (110, 110, 120), 1.4)
    c.gradient(118, B, (150, 148, 144), (184, 182, 176))
    slabs(c, 140.0, 136, 8, (34, 84), (132, 130, 126))
    wood = jitter((186, 120, 66), rng, 9)
    for k in range(3):
        c.rect(44, 116 + k * 7, 276, 121.5 + k * 7, shaded(wood, 1.1 - 0.1 * k), radius=1)
    for x in (64, 256):
        c.rect(x - 4, 136, x + 4, 158, (60, 64, 70))
    return 128


def train_station(c, rng):
    c.gradient(T, 60, jitter((176, 200, 220), rng, 8), (226, 232, 236))
    steel = jitter(rng.choice([(70, 84, 98), (94, 70, 66), (60, 92, 86)]), rng, 6)
    c.poly([(L, T), (R, T), (R, -14), (160, -24), (L, -14)], steel)
    for k in range(-3, 12):
        c.line([(k * 34, -16), (k * 34 + 17, T)], shaded(steel, 1.3), 2)
        c.line([(k * 34 + 34, -16), (k * 34 + 17, T)], shaded(steel, 1.3), 2)
    for x in range(L, R, 30):
        c.rect(x, rng.uniform(20, 44), x + 29, 80, jitter((170, 178, 188), rng, 7))
    m = (lambda x: 320 - x) if rng.random() < 0.5 else (lambda x: x)
    c.gradient(88, 112, (112, 104, 98), (88, 82, 78))
    for x in range(L, R, 11):
        c.rect(x, 98, x + 6, 110, (74, 58, 46))
    for y in (98, 106):
        c.rect(L, y, R, y + 2, (196, 200, 206))
    body = jitter(
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
        c.rect(x - 5, -20, x + 5, 124, steel, shaded(steel, 0.7), 1)
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
    slabs(c, 136.0, 124, 9, (30, 92), (134, 132, 130))
    return 131
