"""The rooms of the home. Each function draws one and returns the objects' base line."""

from scene.canvas import counter, curtains, floor, window
from scene.state import B, L, R, T, jitter, mix, shaded


# returns the objects' base line
def kitchen(c, rng):
    wall = jitter(rng.choice([(236, 226, 200), (205, 230, 214), (240, 214, 180)]), rng, 8)
    c.rect(L, T, R, B, wall)
    for y in range(40, 124, 14):
        for x in range(L, R, 14):
            c.rect(x, y, x + 13, y + 13, jitter(shaded(wall, 1.05), rng, 5))
    cup = jitter(rng.choice([(200, 120, 70), (90, 140, 170), (225, 215, 195)]), rng, 8)
    wx = rng.choice([60, 190])
    for x in range(L, R, 46):
        if not wx - 40 < x < wx + 74:
            c.rect(x + 1, T, x + 45, 36, cup, shaded(cup, 0.8), 1)
            c.rect(x + 36, 20, x + 39, 30, (60, 60, 60))
    window(c, wx, -4, wx + 62, 56, rng, view="green")
    curtains(c, wx, -4, wx + 62, 20, jitter((220, 80, 70), rng))
    ox = 262 if wx < 100 else 36
    c.rect(ox - 34, 62, ox + 34, 66, shaded(cup, 0.7))
    for i, e in enumerate(rng.sample(["🥫", "🌽", "🍅", "🧂", "🥫"], 3)):
        c.emoji(e, ox - 22 + i * 22, 63, 20, shadow=False)
    y = 120
    counter(c, y, jitter((196, 140, 86), rng, 12), rng)
    hx = 300 if wx < 100 else 20
    c.poly([(hx - 50, y + 8), (hx + 50, y + 8), (hx + 74, y + 60), (hx - 74, y + 60)], (45, 45, 50))
    for dx, dy, r in ((-26, 20, 16), (26, 20, 16), (0, 44, 22)):
        c.ellipse(hx + dx, y + dy, r, r * 0.36, None, (210, 70, 50), 2)
    return y + 10


def living_room(c, rng):
    wall = jitter(rng.choice([(226, 176, 110), (205, 110, 90), (230, 190, 140)]), rng, 9)
    c.rect(L, T, R, B, wall)
    for x in range(L, R, 20):
        c.rect(x, T, x + 9, 104, shaded(wall, 1.07))
    floor(c, 104, jitter((150, 95, 55), rng), rng)
    c.rect(L, 100, R, 106, (245, 235, 220))
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    wx = 100 if not flip else 166
    window(c, wx, -2, wx + 54, 54, rng, view="green")
    curtains(c, wx, -2, wx + 54, 66, jitter((70, 120, 90), rng))
    c.emoji("🖼️", m(192), 46, 44, shadow=False)
    c.emoji("🛋️", m(52), 130, 96, flip)
    c.emoji("📺", m(274), 116, 66)
    rug = jitter(rng.choice([(170, 40, 50), (60, 80, 150)]), rng)
    c.ellipse(160, 160, 190, 44, rug)
    c.ellipse(160, 160, 170, 37, None, (235, 205, 150), 3)
    table = jitter((120, 72, 40), rng)
    c.poly([(56, 122), (264, 122), (320, B), (0, B)], shaded(table, 1.1))
    for i in range(9):
        c.line([(70 + i * 22, 126), (20 + i * 35, B)], shaded(table, 1.0), 1)
    c.rect(56, 120, 264, 124, shaded(table, 1.4))
    return 132


def bedroom(c, rng):
    wall = jitter(rng.choice([(176, 160, 210), (160, 176, 220), (205, 170, 205)]), rng, 9)
    c.rect(L, T, R, B, wall)
    for _ in range(46):
        x, y = rng.uniform(L, R), rng.uniform(T, 96)
        c.ellipse(x, y, 2.2, 2.2, shaded(wall, 1.16))
    wx = rng.choice([44, 210])
    window(c, wx, -6, wx + 60, 54, rng, night=rng.random() < 0.6)
    curtains(c, wx, -6, wx + 60, 62, jitter((120, 90, 170), rng))
    ox = 320 - wx - 34
    c.emoji("🕰️", ox, 42, 38, shadow=False)
    c.emoji("🛏️", ox + (18 if wx < 100 else -18), 118, 92, wx > 100)
    c.glow(wx + 30, 90, 46, (255, 230, 160), 90)
    y = 120
    colours = [
        jitter(q, rng)
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
    tile = jitter(rng.choice([(120, 190, 220), (110, 205, 205), (140, 180, 235)]), rng, 9)
    c.rect(L, T, R, B, (240, 248, 252))
    for j, y in enumerate(range(T, 120, 18)):
        for i, x in enumerate(range(L, R, 18)):
            c.rect(
                x,
                y,
                x + 16.5,
                y + 16.5,
                jitter(tile if (j > 3 or (i + j) % 7 == 0) else (238, 246, 250), rng, 5),
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
    counter(c, y, jitter((236, 236, 240), rng, 5), rng, grain=False)
    for _ in range(9):
        x, yy = rng.uniform(L, R), rng.uniform(y + 6, B)
        c.line([(x, yy), (x + 25, yy + 8), (x + 60, yy + 5)], (214, 216, 224), 1)
    c.ellipse(160, 204, 112, 36, (205, 214, 222))
    c.ellipse(160, 207, 102, 30, (250, 252, 255))
    c.ellipse(160, 214, 10, 4, (120, 125, 130))
    c.emoji("🧴", m(272), 150, 36)
    return y + 10


def hallway(c, rng):
    wall = jitter(rng.choice([(72, 128, 124), (96, 120, 92), (180, 130, 60)]), rng, 8)
    c.rect(L, T, R, B, wall)
    for x in range(L, R, 16):
        c.line([(x, T), (x, 78)], shaded(wall, 1.1), 2)
    panel = jitter((236, 230, 216), rng, 5)
    c.rect(L, 78, R, 124, panel)
    c.rect(L, 76, R, 81, shaded(panel, 0.86))
    for x in range(L, R, 40):
        c.rect(x + 6, 88, x + 34, 118, panel, shaded(panel, 0.84), 1)
    m = (lambda x: 320 - x) if rng.random() < 0.5 else (lambda x: x)
    door = jitter(rng.choice([(176, 52, 48), (46, 84, 140), (60, 110, 70)]), rng, 8)
    a, b = sorted((m(112), m(190)))
    c.rect(a - 7, -26, b + 7, 124, (246, 242, 232), shaded(panel, 0.8), 1)
    c.rect(a, -20, b, 124, door, shaded(door, 0.7), 2)
    half = (a + b) / 2
    for x0, x1 in ((a + 8, half - 4), (half + 4, b - 8)):
        c.rect(x0, -12, x1, 34, (206, 232, 244), shaded(door, 0.6), 2)
        c.line([(x0 + 4, 30), (x1 - 4, -6)], (240, 248, 252), 2)
        c.rect(x0, 62, x1, 112, shaded(door, 1.14), shaded(door, 0.7), 1)
    c.rect(half - 14, 42, half + 14, 48, (214, 178, 84), (130, 100, 40), 1)
    c.ellipse(m(180), 54, 4.5, 4.5, (232, 200, 100), (130, 100, 40), 1)
    c.rect(min(m(204), m(300)), 2, max(m(204), m(300)), 9, (122, 84, 50))
    for _i, x in enumerate((216, 242, 268, 294)):
        c.ellipse(m(x), 10, 3, 3, (220, 190, 110))
        if rng.random() < 0.8:
            coat = jitter(
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
            c.line([(m(x), 16), (m(x), 70)], shaded(coat, 0.7), 1.5)
    c.rect(min(m(26), m(84)), 50, max(m(26), m(84)), 118, (132, 92, 56), (90, 60, 36), 2)
    for y in (60, 80, 100):
        c.rect(min(m(28), m(82)), y + 11, max(m(28), m(82)), y + 14, (90, 60, 36))
        for x in (38, 55, 72):
            c.rect(
                m(x) - 7,
                y + 3,
                m(x) + 7,
                y + 11,
                jitter(rng.choice([(60, 60, 66), (150, 96, 60), (190, 190, 196)]), rng),
                radius=3,
            )
    counter(c, 120, jitter((150, 98, 58), rng, 8), rng)
    rug = jitter(rng.choice([(160, 60, 60), (60, 90, 130)]), rng)
    c.poly([(76, 150), (244, 150), (284, B), (36, B)], rug)
    for k in range(9):
        y = 156 + k * k * 1.5 + k * 3
        c.line([(70 - k * 3, y), (250 + k * 3, y)], mix(rug, (250, 240, 220), 0.55), 1.5)
    return 130
