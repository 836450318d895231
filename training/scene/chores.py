"""Housework, cooking, eating, drinking, washing and garden work: hands with their props."""

import math

from scene.state import shaded
from scene.table import table

ACTS, activity = table()


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
            shaded(colour, 0.75) + (255,),
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


@activity("eating ice cream")
def _(p):
    lick = max(0.0, p.wave(0.5)) ** 2
    y = 180 - 10 * lick
    p.behind("right", 176, y + 40)
    p.emoji("🍦", 158, y, 128, 5 * p.wave(0.5))
    p.front("right", 178, y + 40, "fist")
