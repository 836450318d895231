"""The pictures that starter-clip is trained on: rendered, degraded, labelled and cached."""

import dataclasses
import glob
import io
import os
import random
import time

import numpy as np
from PIL import Image

import paths
import scene
import vocab

WORK = paths.work("clip")
SIZE, PATCH, CONTEXT = 64, 8, 32
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def preprocess(image):
    """The steps of preprocessor_config.json up to rescaling: shortest edge to 64 (bicubic), central
    64x64."""
    w, h = image.size
    short = min(w, h)
    nw, nh = (SIZE, int(SIZE * h / w)) if w <= h else (int(SIZE * w / h), SIZE)
    if short != SIZE or (w, h) != (nw, nh):
        image = image.resize((nw, nh), Image.BICUBIC)
    x, y = (nw - SIZE) // 2, (nh - SIZE) // 2
    return np.asarray(image.crop((x, y, x + SIZE, y + SIZE)).convert("RGB"))


def degrade(image, rng):
    """Degrades a frame about as H.264 does. A third of the pictures are also made smaller first."""
    if rng.random() < 0.35:
        k = rng.uniform(0.6, 0.9)
        image = image.resize((int(image.width * k), int(image.height * k)), Image.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=rng.randint(14, 75))
    return Image.open(out).convert("RGB")


PERSON = 1 + len(vocab.OBJECT_NAMES)  # the patch label of a person's head


def patch_labels(state, t):
    """For each of the 8x8 patches: the number of its object, PERSON for a head, 0 for neither."""
    grid = np.zeros((SIZE // PATCH, SIZE // PATCH), np.int64)
    k = SIZE / scene.H
    marks = [(PERSON, x, y, 40) for x, y in scene.head_centres(state, t)]
    marks += [
        (1 + vocab.OBJECT_NAMES.index(name), x, y, size)
        for name, x, y, size in reversed(scene.object_centres(state, t))
    ]
    for label, x, y, size in marks:
        cx, cy, r = (x - (scene.W - scene.H) / 2) * k, y * k, size * k * 0.42
        for j in range(grid.shape[0]):
            for i in range(grid.shape[1]):
                if abs((i + 0.5) * PATCH - cx) < r and abs((j + 0.5) * PATCH - cy) < r:
                    grid[j, i] = label
    return grid.reshape(-1)


def labels_of(state, t):
    """The numbers of the picture's labels; -1 for a label that teaches nothing."""
    seen = scene.visible_objects(state, t)
    return {
        "place": vocab.PLACE_NAMES.index(state.place),
        "activity": vocab.SEEN_ACTIVITIES.index(state.act),
        "held": vocab.HELD_NAMES.index(state.held) if state.held else -1,
        "people": state.people if scene.undisturbed(state, t) else -1,
        "objects": np.array([name in seen for name in vocab.OBJECT_NAMES]),
        "patches": patch_labels(state, t).astype(np.uint8),
    }


def cache(chunks, size=2000):
    folder = os.path.join(WORK, "cache")
    os.makedirs(folder, exist_ok=True)
    for n in range(chunks):
        path = os.path.join(folder, f"chunk_{n:03}.npz")
        if os.path.exists(path):
            continue
        rng, began = random.Random(f"clip cache {n}"), time.time()
        images, rows = [], []
        while len(images) < size:
            first = scene.random_state(rng)
            for _ in range(8):
                other = scene.random_state(rng, carrying=0.3)
                activity = (
                    vocab.CARRYING
                    if other.held
                    else rng.choice(vocab.activities_of(first.place)[:-1])
                )
                state = dataclasses.replace(
                    other,
                    place=first.place,
                    activity=activity,
                    visit=first.visit,
                    person=first.person,
                )
                for _ in range(2):
                    t = rng.uniform(0, 10)
                    clock = (
                        f"{rng.randrange(24):02}:{rng.randrange(60):02}"
                        if rng.random() < 0.3
                        else None
                    )
                    images.append(preprocess(degrade(scene.draw_frame(state, t, clock=clock), rng)))
                    rows.append(labels_of(state, t))
        with open(path + ".tmp", "wb") as out:
            np.savez(
                out,
                images=np.stack(images),
                **{key: np.array([row[key] for row in rows]) for key in rows[0]},
            )
        os.replace(path + ".tmp", path)
        print(f"chunk {n}: {len(images)} pictures, {time.time() - began:.0f} s", flush=True)


def load_cache(known):
    """All chunks as {name: array}, with the last 512 pictures of the first chunk held out. None if
    there are no new chunks."""
    found = sorted(glob.glob(os.path.join(WORK, "cache", "chunk_*.npz")))
    if len(found) == known:
        return None
    chunks = []
    for path in found:
        with np.load(path) as z:
            chunks.append({k: z[k] for k in z.files})
    kept = {k: v[-512:] for k, v in chunks[0].items()}
    chunks[0] = {k: v[:-512] for k, v in chunks[0].items()}
    return {k: np.concatenate([c[k] for c in chunks]) for k in chunks[0]}, kept, len(found)
