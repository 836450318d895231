"""D7: pictures of absurd shape. The program reads or refuses each in one line, within 1 GiB and a few seconds."""

import struct
import subprocess
import zlib

from attack import GIB

DIALOGUE = """version: 1
dialogue: d
inputs: { picture: image }
cast: { eye: starter-clip }
steps:
  place: { rank: { agent: eye, what: "{{ picture }}", among: [kitchen, cafe] } }
answer: "{{ place }}"
"""


def png(path, width, height, depth=8, colour=2, stated=None):
    """A PNG of a ramp; its header claims the size `stated`."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    channels = {0: 1, 2: 3, 6: 4}[colour]
    row = b"\0" + bytes(i % 251 for i in range(channels * depth // 8)) * width
    packer, packed = zlib.compressobj(9), []
    for _ in range(height):
        packed.append(packer.compress(row))
    packed.append(packer.flush())
    header = struct.pack(">IIBBBBB", *(stated or (width, height)), depth, colour, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", b"".join(packed))
        + chunk(b"IEND", b"")
    )
    path.write_bytes(data)
    return path.name


def attacks(section):
    folder = section.folder("pictures")
    (folder / "rank.yaml").write_text(DIALOGUE)
    limits = {"memory": GIB, "seconds": 20, "cwd": folder}

    pictures = [
        png(folder / "tall300k.png", 1, 300_000),
        png(folder / "tall3m.png", 1, 3_000_000),
        png(folder / "wide3m.png", 3_000_000, 1),
        png(folder / "two.png", 2, 3_000_000),
        png(folder / "deep.png", 1, 1_000_000, depth=16, colour=6),
        png(folder / "grey.png", 3_000_000, 1, colour=0),
        png(folder / "dot.png", 1, 1),
    ]
    for name, size, crop in (
        ("tall.jpg", "2x65000", "1:65000"),
        ("wide.jpg", "65000x2", "65000:1"),
    ):
        command = f"ffmpeg -v error -nostdin -f lavfi -i color=red:s={size}:d=1,format=gray,crop={crop} -frames:v 1 {name}"
        subprocess.run(command.split(), cwd=folder, check=True)
        pictures.append(name)
    for name in pictures:
        section.attack(
            f"{name} ranked",
            "try",
            "starter-clip",
            "--image",
            name,
            "--among",
            "kitchen,cafe",
            out="kitchen",
            **limits,
        )
        section.attack(
            f"{name} embedded", "try", "starter-clip", "--image", name, "--embed", **limits
        )
    section.attack(
        "in a dialogue",
        "run",
        "rank.yaml",
        "-i",
        "picture=tall3m.png",
        "--no-memo",
        out="kitchen|cafe",
        **limits,
    )

    # more pixels than the limit, or than the file has
    refused = [
        png(folder / "claims.png", 3, 3, stated=(1, 1 << 31)),
        png(folder / "huge.png", 3, 3, stated=(1 << 30, 1 << 30)),
        png(folder / "empty.png", 3, 3, stated=(0, 7)),
        png(folder / "short.png", 1, 1000, stated=(1, 300_000)),
    ]
    for name in refused:
        section.attack(
            f"{name} refused",
            "try",
            "starter-clip",
            "--image",
            name,
            "--embed",
            codes=(1, 3),
            err="^error: .*" + name,
            **limits,
        )
