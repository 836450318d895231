"""D12: names that are not UTF-8, and names that look like something else."""

import json
import os
import shutil
import subprocess

DIALOGUE = """version: 1
dialogue: d
inputs: { video: video }
steps:
  moments: { frames: { video: "{{ video }}", every: 1s } }
answer: "{{ video.path }} {{ moments | length }}"
"""

# each names the same little video
NAMES = [
    b"bad\xff.mkv",
    b"\xff",
    b"\xc3\x28.mkv",
    b"a\xed\xa0\x80b.mkv",
    b"caf\xe9 au lait.mkv",
    b"tr\xe8s\\xff.mkv",
    "é☃.mkv".encode(),
    b"-x.mkv",
    b"a b.mkv",
    b"a\nb.mkv",
    b"%05d.mkv",
    b"back\\xffslash.mkv",
    b"back\\xzz.mkv",
    b"a=b.mkv",
    b"x" * 250 + b".mkv",
    b"http.mkv",
    b"a:b.mkv",
    b"concat:a.mkv",
]


def attacks(section):
    folder = section.folder("names")
    made = "ffmpeg -v error -nostdin -f lavfi -i sine=d=2 -f lavfi -i color=red:s=64x48:d=2:r=5 -c:v mpeg4 v.mkv -frames:v 1 p.png"
    subprocess.run(made.split(), cwd=folder, check=True)
    (folder / "d.yaml").write_text(DIALOGUE)
    place = os.fsencode(folder)
    for name in NAMES:
        shutil.copy(folder / "v.mkv", place + b"/" + name)
        shown = "elenchus run -i video=" + ascii(name)
        command = ["run", "d.yaml", "-i", b"video=./" + name, "--json"]
        result = section.attack(shown, *command, cwd=folder)
        if result.code == 0:
            answer = json.loads(result.out)["answer"]
            section.hold(f"{shown}: both seconds are seen", answer.endswith(" 2"), answer)
        os.remove(place + b"/" + name)
    for name in (b"bad\xff.png", b"\xe9\xe9.png"):
        shutil.copy(folder / "p.png", place + b"/" + name)
        section.attack(
            f"try --image {name}", "try", "starter-clip", "--image", name, "--embed", cwd=folder
        )
    section.attack(
        "no such name",
        "ask",
        b"none\xff.mkv",
        "Where?",
        codes=(3,),
        err=r"none\\xff.mkv: no such file",
        cwd=folder,
    )
    section.attack(
        "not text",
        "run",
        "d.yaml",
        "-i",
        b"video=none\xff.mkv",
        codes=(2, 3),
        err=r"none\\xff",
        cwd=folder,
    )
    shutil.copy(folder / "v.mkv", place + b"/two\xff.mkv")
    shutil.copy(folder / "v.mkv", folder / "two\\xff.mkv")
    section.attack(
        "two files of one name",
        "ask",
        b"two\xff.mkv",
        "Where?",
        codes=(2,),
        err="two files",
        cwd=folder,
    )
