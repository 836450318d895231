"""Reading, writing, shopping, games and sport: hands with their props."""

import math
import random

from scene.emoji import paste, small_picture
from scene.table import table

ACTS, activity = table()


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


@activity("painting a picture")
def _(p):
    p.block(
        [(168, 132), (262, 136), (258, 216), (166, 212)], (255, 255, 250, 255), (150, 110, 70, 255)
    )
    rng = random.Random(p.state.seed)
    done = 4 + int(p.t) % 5
    for _i in range(done):
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
        paste(p.image, small_picture("puff", 150), *p.at(186, y - 40))
