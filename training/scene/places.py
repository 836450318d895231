"""The places with their clutter, and the objects that lie about in them."""

import functools
import random

from PIL import Image

import vocab
from scene import indoors, outdoors, rooms
from scene.canvas import Canvas
from scene.emoji import emoji, halo, slack, soft_shadow
from scene.state import MX, MY, TALL, H, W, jitter, shaded

# Clutter without a name in the vocabulary, so that not every small thing is an object.
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
            jitter(
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
            c.rect(x - w, y - size, x + w, y, colour, shaded(colour, 0.7), 1, radius=3)
            c.rect(
                x - w * 0.8, y - size - 4, x + w * 0.8, y - size + 1, shaded(colour, 0.6), radius=1
            )
            c.rect(x - w * 0.7, y - size * 0.6, x + w * 0.7, y - size * 0.3, (246, 242, 230))
        elif kind < 0.84:
            w = rng.uniform(9, 13)
            c.shadow(x, y, w * 1.2, 50)
            for k in range(rng.randint(2, 4)):
                shade = jitter(colour, rng, 30)
                c.rect(
                    x - w + rng.uniform(-2, 2),
                    y - 5 - k * 5,
                    x + w + rng.uniform(-2, 2),
                    y - k * 5,
                    shade,
                    shaded(shade, 0.7),
                    1,
                )
        else:
            w, h = rng.uniform(9, 13), rng.uniform(10, 17)
            c.shadow(x, y, w * 1.2, 50)
            c.rect(x - w, y - h, x + w, y, colour, shaded(colour, 0.7), 1)
            c.poly(
                [(x - w, y - h), (x - w + 5, y - h - 5), (x + w + 5, y - h - 5), (x + w, y - h)],
                shaded(colour, 1.15),
            )
            c.poly(
                [(x + w, y - h), (x + w + 5, y - h - 5), (x + w + 5, y - 5), (x + w, y)],
                shaded(colour, 0.8),
            )


PLACES = {
    "kitchen": rooms.kitchen,
    "living room": rooms.living_room,
    "bedroom": rooms.bedroom,
    "bathroom": rooms.bathroom,
    "hallway": rooms.hallway,
    "office": indoors.office,
    "supermarket": indoors.supermarket,
    "cafe": indoors.cafe,
    "gym": indoors.gym,
    "workshop": indoors.workshop,
    "library": indoors.library,
    "garden": outdoors.garden,
    "street": outdoors.street,
    "park": outdoors.park,
    "beach": outdoors.beach,
    "bus stop": outdoors.bus_stop,
    "train station": outdoors.train_station,
}
assert set(PLACES) == set(vocab.PLACE_NAMES), set(PLACES) ^ set(vocab.PLACE_NAMES)


def object_slots(state):
    """The positions of the objects: [(name, x, base, size)] in frame coordinates, for a head that
    does not sway."""
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
            rng.uniform(-5, 2) - 16 * slack(vocab.OBJECT[name]["emoji"]),
            rng.randint(60, 70),
        )
        for name, x in zip(state.lying, xs)
    ]


@functools.lru_cache(maxsize=8)
def drawn_place(place, visit):
    canvas = Canvas()
    rng = random.Random(f"place {visit} {place}")
    base = PLACES[place](canvas, rng)
    _clutter(canvas, rng, place, base)
    return canvas.finish(), base


@functools.lru_cache(maxsize=4)
def things_lying(state):
    """(picture with alpha, left, top) of the objects on the larger background; None without
    objects."""
    if not state.lying:
        return None
    base = drawn_place(state.place, state.visit)[1]
    layer = Image.new("RGBA", (W + 2 * MX, H + 2 * MY))
    for name, x, dy, size in object_slots(state):
        char = vocab.OBJECT[name]["emoji"]
        middle = base + dy + MY - size * (0.5 - slack(char))
        shade = Image.new("RGBA", layer.size)
        soft_shadow(shade, x + MX, base + dy + MY - size * 0.04, size * 0.42)
        for sprite in (halo(char, size), emoji(char, size)):
            part = Image.new("RGBA", layer.size)
            part.paste(
                sprite,
                (int(round(x + MX - sprite.width / 2)), int(round(middle - sprite.height / 2))),
            )
            shade = Image.alpha_composite(shade, part)
        layer = Image.alpha_composite(layer, shade)
    box = layer.getbbox()
    return layer.crop(box), box[0], box[1]
