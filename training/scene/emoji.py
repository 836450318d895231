"""Emoji and small hand-made pictures: objects, tools and food."""

import functools

from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONT_PATHS = [
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/google-noto-emoji/NotoColorEmoji.ttf",
    "NotoColorEmoji.ttf",
]


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
def slack(char):
    """The empty part of the square's height below the emoji."""
    full = _emoji_full(char)
    return 1 - full.getbbox()[3] / full.height


@functools.lru_cache(maxsize=256)
def halo(char, size):
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
def rotated_emoji(char, size, angle, flip):
    return emoji(char, size, flip).rotate(angle, Image.BICUBIC, expand=True)


@functools.lru_cache(maxsize=256)
def small_picture(name, size, colour=None):
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


def paste(image, sprite, x, y):
    """Centres the sprite on (x, y). The part outside is cut."""
    x, y = int(round(x - sprite.width / 2)), int(round(y - sprite.height / 2))
    image.paste(sprite, (x, y), sprite)


def soft_shadow(image, x, y, r, strength=70):
    w, h = int(r * 2.4), max(4, int(r * 0.55))
    mask = Image.new("L", (w, h))
    ImageDraw.Draw(mask).ellipse([w * 0.08, h * 0.1, w * 0.92, h * 0.9], strength)
    mask = mask.filter(ImageFilter.GaussianBlur(h * 0.12))
    image.paste((0, 0, 0), (int(x - w / 2), int(y - h / 2)), mask)


@functools.lru_cache(maxsize=128)
def rotated_halo(char, size, angle):
    return halo(char, size).rotate(angle, Image.BICUBIC, expand=True)
