"""Carrying something, in one hand or both."""

import vocab
from scene.emoji import halo, paste, rotated_halo, slack, soft_shadow
from scene.table import table

ACTS, activity = table()

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
    """A carried thing: it swings, comes close now and then, and is put down for a second and taken
    up again."""
    char, both = (
        vocab.OBJECT[p.state.held]["emoji"],
        p.state.held in BOTH_HANDS or p.rng.random() < 0.25,
    )
    side = p.rng.choice(["left", "right"])
    s = 1 if side == "right" else -1
    f = p.cycle(0.14)
    # 1 while it is down and no hand holds it
    down = max(0.0, min(1.0, (f - 0.7) / 0.08, (1 - f) / 0.08))
    near = max(0.0, 1 - abs(f - 0.3) / 0.12)
    swing = (1 - down) * (1 - 0.6 * near)
    x = 160 + 15 * swing * p.wave(0.55) + (0 if both else -6 * s)
    y = 178 + swing * 4 * p.wave(1.1) + 6 * down - 8 * near
    size = int(112 + 12 * near - 6 * down)
    bottom = size * (0.5 - slack(char))
    away, kind = 42 * down, "flat" if down > 0.5 else "hold"
    if down:
        soft_shadow(p.image, *p.at(x, y + bottom - 2), size * 0.42, int(90 * down))
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
    paste(
        p.image, halo(char, sized) if not angle else rotated_halo(char, sized, angle), *p.at(x, y)
    )
    p.emoji(char, x, y, size, angle)
    for which, hx, hy in hands:
        p.front(which, hx, hy, "hold" if both and down < 0.5 else "fist" if down < 0.5 else "flat")
