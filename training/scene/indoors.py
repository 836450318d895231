"""The indoor places away from home. Each function draws one and returns the objects' base line."""

from scene.canvas import counter, floor, pot_lamp, window
from scene.state import B, L, R, T, jitter, mix, shaded


def office(c, rng):
    wall = jitter(rng.choice([(190, 198, 205), (176, 190, 196)]), rng, 8)
    c.rect(L, T, R, B, wall)
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    a, b = sorted((m(34), m(128)))
    window(c, a, -12, b, 56, rng, frame=(110, 115, 125), view="city")
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
    counter(c, y, jitter((222, 214, 200), rng, 8), rng, grain=False)
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
    c.rect(L, T, R, B, jitter((236, 240, 244), rng, 5))
    for y in (-22, -8):
        c.rect(L, y, R, y + 5, (255, 255, 255))
    goods = ["🥫", "🥬", "🍅", "🌽", "🧴", "🥔", "🧅", "🍯", "🍝", "🥛"]
    goods.remove("🥛")
    rail = jitter((205, 40, 45), rng, 10)
    for base in (26, 66):
        c.rect(L, base - 36, R, base, jitter((198, 205, 214), rng, 5))
        x = L + rng.uniform(0, 14)
        while x < R:
            e, n = rng.choice(goods), rng.randint(2, 3)
            for _ in range(n):
                c.emoji(e, x, base + 1, 27, shadow=False, dim=0.86)
                x += 23
        c.rect(L, base, R, base + 6, rail)
        for x in range(L, R, 34):
            c.rect(x + 6, base + 1, x + 22, base + 5, (255, 255, 255))
    c.rect(L, 72, R, 124, jitter((222, 228, 234), rng, 5))
    for x in range(L, R, 80):
        c.rect(x, 72, x + 3, 126, (170, 178, 188))
    floor(c, 124, jitter((218, 222, 226), rng, 6), rng, "tiles")
    c.rect(L, 120, R, 127, (250, 250, 250))
    c.rect(L, 127, R, 136, rail)
    for x in range(L, R, 40):
        c.rect(x + 8, 128, x + 28, 135, (255, 240, 120))
    return 125


def cafe(c, rng):
    brick = jitter((140, 74, 54), rng, 9)
    c.rect(L, T, R, B, shaded(brick, 0.6))
    for j, y in enumerate(range(T, 124, 10)):
        for x in range(L - 12 * (j % 2), R, 25):
            c.rect(x, y, x + 23, y + 8.4, jitter(brick, rng, 9))
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
        pot_lamp(c, x, 14, (30, 90, 80))
    table = jitter((134, 86, 54), rng, 8)
    c.rect(L, 122, R, B, (84, 56, 40))
    c.ellipse(160, 236, 236, 118, shaded(table, 0.75))
    c.ellipse(160, 231, 234, 116, table)
    c.ellipse(160, 231, 214, 102, None, shaded(table, 1.22), 1)
    return 132


def gym(c, rng):
    wall = jitter((58, 64, 84), rng, 6)
    c.rect(L, T, R, B, wall)
    stripe = jitter(rng.choice([(250, 140, 30), (240, 200, 40)]), rng, 8)
    c.poly([(L, 2), (R, -18), (R, -6), (L, 14)], stripe)
    c.poly([(L, 20), (R, 0), (R, 4), (L, 24)], shaded(stripe, 0.8))
    for x in (-36, 44, 124, 204, 284):
        c.rect(x, 30, x + 74, 92, (128, 150, 176), (190, 195, 205), 2)
        c.poly([(x + 14, 88), (x + 44, 34), (x + 58, 34), (x + 28, 88)], (152, 174, 198))
    flip = rng.random() < 0.5
    m = (lambda x: 320 - x) if flip else (lambda x: x)
    c.line([(m(62), T), (m(62), 22)], (30, 30, 34), 2)
    c.rect(m(62) - 15, 22, m(62) + 15, 88, (176, 44, 44), (110, 24, 28), 2, radius=9)
    c.rect(m(62) - 15, 40, m(62) + 15, 46, (240, 236, 230))
    c.ellipse(m(268), 92, 25, 24, jitter((50, 170, 170), rng), (24, 110, 116), 2)
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
    mat = jitter(rng.choice([(40, 150, 160), (150, 70, 170)]), rng)
    c.poly([(60, 150), (260, 150), (316, B), (4, B)], mat)
    for k in range(7):
        c.line([(74 + k * 29, 150), (24 + k * 45, B)], shaded(mat, 0.86), 1)
    c.rect(56, 118, 264, 130, (30, 30, 34), radius=5)
    c.rect(56, 118, 264, 122, (200, 45, 45), radius=2)
    c.rect(76, 130, 84, 150, (150, 150, 155))
    c.rect(236, 130, 244, 150, (150, 150, 155))
    return 124


def workshop(c, rng):
    board = jitter((214, 178, 124), rng, 9)
    c.rect(L, T, R, B, board)
    for y in range(T, 112, 9):
        for x in range(L, R, 9):
            c.rect(x, y, x + 1.6, y + 1.6, shaded(board, 0.7))
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
    bench = jitter((128, 88, 56), rng, 9)
    counter(c, y, bench, rng)
    for k in range(1, 5):
        yy = y + 6 + 9 * k * k * 0.55 + 8 * k
        c.line([(L, yy), (R, yy)], shaded(bench, 0.68), 1.4)
    for _ in range(16):
        x, yy = rng.uniform(L, R), rng.uniform(y + 8, B)
        c.line([(x, yy), (x + rng.uniform(4, 12), yy + rng.uniform(-4, 4))], (216, 180, 120), 1.4)
    return y + 10


def library(c, rng):
    wood = jitter(rng.choice([(106, 66, 38), (84, 52, 32), (128, 84, 50)]), rng, 7)
    c.rect(L, T, R, B, shaded(wood, 0.5))
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
            colour = jitter(rng.choice(spines), rng, 10)
            c.rect(x, base - h, x + w - 0.7, base, colour)
            c.rect(x, base - h + 5, x + w - 0.7, base - h + 7, mix(colour, (250, 230, 160), 0.6))
            x += w
        c.rect(L, base, R, base + 5, shaded(wood, 1.25))
    for x in range(L + rng.randint(0, 40), R, 104):
        c.rect(x, T, x + 8, 120, shaded(wood, 1.12), shaded(wood, 0.7), 1)
    m = (lambda x: 320 - x) if rng.random() < 0.5 else (lambda x: x)
    for k in (0, 1):
        c.line([(m(270 + k * 24), 124), (m(254 + k * 20), T)], (196, 150, 90), 3)
    for k in range(10):
        y = 112 - k * 14
        c.line([(m(268.5 - k * 1.6), y), (m(292 - k * 1.9), y)], (196, 150, 90), 2.5)
    table = jitter((140, 88, 50), rng, 8)
    counter(c, 120, table, rng)
    c.poly([(88, 146), (232, 146), (262, B), (58, B)], jitter((40, 96, 66), rng, 6))
    for x in (m(58), m(282)):
        c.rect(x - 2.5, 76, x + 2.5, 124, (206, 168, 80))
        c.ellipse(x, 125, 15, 5, (206, 168, 80))
        c.glow(x, 88, 48, (255, 236, 170), 150)
        c.poly([(x - 19, 80), (x + 19, 80), (x + 12, 64), (x - 12, 64)], (30, 130, 84))
        c.rect(x - 19, 79, x + 19, 82, (220, 240, 180))
    return 130
