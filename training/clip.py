"""Trains starter-clip on pictures of the starter world. Run from anywhere:

  python training/clip.py cache [--chunks 15]      renders training pictures into
                                                   training/work/clip/cache
  python training/clip.py train [--minutes 70 95]  trains on what the cache holds, resumes, exports
                                                   again and again
                                [--start FOLDER]   begins with the weights of an earlier checkpoint,
                                                   whose words may differ
  python training/clip.py measure [--days 6]       renders days nobody has seen to MP4 and measures
                                                   on their frames

A picture is scored against ALL place texts, ALL activity texts, ALL objects, ALL things that can be
held and ALL numbers of persons,
each list in randomly chosen wordings. All but the objects have one right text; the right answer for
the objects is spread evenly over
the visible ones, so that at run time `softmax > 0.15` means "it is there". In every other step each
picture must also find its own
caption among those of the batch and one that tells a single thing wrongly, so that free captions
can be ranked.
While training, a second head on the patches must say which object or head each patch shows; it is
thrown away afterwards.
"""

import argparse
import dataclasses
import glob
import io
import json
import math
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

import cards  # noqa: E402
import scene  # noqa: E402
import vocab  # noqa: E402

CURVE = os.path.join(HERE, "curves", "clip.csv")
WORK = os.path.join(HERE, "work", "clip")
EXPORT = os.path.join(HERE, "..", "agents", "starter", "clip")
SIZE, PATCH, CONTEXT = 64, 8, 32
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
GROUPS = {
    "place": vocab.PLACE_NAMES,
    "activity": vocab.SEEN_ACTIVITIES,
    "object": vocab.OBJECT_NAMES,
    "held": vocab.HELD_NAMES,
    "people": vocab.PEOPLE,
}
GENERAL = [
    "{}",
    "a photo of {}",
    "a picture of {}",
    "this is {}",
    "a video frame of {}",
    "a first-person photo of {}",
]
TEMPLATES = {
    "place": GENERAL
    + [
        "a photo of a {}",
        "a photo of the {}",
        "in the {}",
        "I am in the {}",
        "a {}",
        "the {}",
        "a photo taken in the {}",
        "a photo taken in a {}",
        "this is the {}",
        "at the {}",
        "a picture of a {}",
        "I am in a {}",
        "a first-person photo of a {}",
    ],
    "activity": GENERAL
    + [
        "a photo of someone {}",
        "I am {}",
        "someone is {}",
        "a photo of me {}",
        "a person {}",
        "someone {}",
        "a photo of a person {}",
        "a photo of hands {}",
        "a first-person photo of someone {}",
        "a video of someone {}",
    ],
    "object": GENERAL
    + [
        "a photo of a {}",
        "a photo of the {}",
        "a {}",
        "the {}",
        "there is a {}",
        "a photo of some {}",
        "I see a {}",
        "I see the {}",
        "a picture of a {}",
        "a {} on the table",
        "a first-person photo of a {}",
        "a photo with a {}",
    ],
    "held": [
        "a photo of someone carrying the {}",
        "a photo of someone carrying a {}",
        "carrying the {}",
        "I am carrying the {}",
        "someone carrying the {}",
        "a photo of me carrying the {}",
        "a hand holding the {}",
        "holding the {}",
        "a first-person photo of someone carrying the {}",
    ],
    "people": [
        "a photo with {}",
        "a photo of {}",
        "{}",
        "I see {}",
        "a picture with {}",
        "there is {}",
        "a video frame with {}",
        "with {}",
        "a first-person photo with {}",
    ],
}
# Sentences about a whole picture, as the language model writes them for examples/caption.yaml, and
# shorter ones.
CAPTIONS = [
    "I am {doing} {in}.",
    "a photo of someone {doing} {in}",
    "{doing} {in}",
    "I am {in}, {doing}.",
]
CAPTIONS_WITH = [
    "I am {doing} {in}, with {things} beside me.",
    "I am {in}, {doing} next to {things}.",
    "I see {things} while I am {doing} {in}.",
    "I am {doing} {in} and see {things}.",
    "a photo of {things} {in}",
    "{things} {in}",
    "a photo of {things}",
]
CAPTIONS_PEOPLE = [
    "a photo of {people} {in}",
    "I am {doing} {in} with {people}.",
    "I see {people} while I am {doing} {in}.",
]

# The wordings of run time.
WORDING = {
    "place": "a photo of a {}",
    "activity": "a photo of someone {}",
    "object": "a photo of a {}",
    "held": "a photo of someone carrying the {}",
    "people": "a photo with {}",
}

# ---------------------------------------------------------------- pictures


def preprocess(image):
    """What preprocessor_config.json declares, up to rescaling: shortest edge to 64 (bicubic),
    central 64x64."""
    w, h = image.size
    short = min(w, h)
    nw, nh = (SIZE, int(SIZE * h / w)) if w <= h else (int(SIZE * w / h), SIZE)
    if short != SIZE or (w, h) != (nw, nh):
        image = image.resize((nw, nh), Image.BICUBIC)
    x, y = (nw - SIZE) // 2, (nh - SIZE) // 2
    return np.asarray(image.crop((x, y, x + SIZE, y + SIZE)).convert("RGB"))


def degrade(image, rng):
    """About what H.264 does to a frame; a third of the pictures is also made smaller first."""
    if rng.random() < 0.35:
        k = rng.uniform(0.6, 0.9)
        image = image.resize((int(image.width * k), int(image.height * k)), Image.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=rng.randint(14, 75))
    return Image.open(out).convert("RGB")


PERSON = 1 + len(vocab.OBJECT_NAMES)  # the patch label of a person's head


def patch_labels(state, t):
    """For each of the 8x8 patches the number of the object it shows, PERSON for a head, 0 for
    neither."""
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
    """The numbers of what the picture shows; -1 where nothing is to be learned from it."""
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


# ---------------------------------------------------------------- words


def article(thing):
    """'egg' -> 'an egg', 'keys' -> 'some keys'."""
    if thing in vocab.PLURAL | {"bread", "cheese", "milk", "pizza", "yarn"}:
        return "some " + thing
    return ("an " if thing[0] in "aeiou" else "a ") + thing


def random_facts(rng):
    """(place, activity, things, number of persons) of no picture at all."""
    state = scene.random_state(rng)
    return (
        state.place,
        vocab.carrying(state.held) if state.held else state.activity,
        list(state.objects),
        state.people,
    )


def caption(rng, place, doing, things, people):
    """One sentence that is true of these facts; names some of the things, or the persons, or
    neither."""
    named = rng.sample(things, 2 if len(things) > 1 and rng.random() < 0.4 else 1) if things else []
    kind = rng.random()
    patterns = (
        CAPTIONS_WITH
        if named and kind < 0.7
        else CAPTIONS_PEOPLE
        if people > 0 and kind < 0.85
        else CAPTIONS
    )
    said = [
        article(thing) if rng.random() < 0.7 else rng.choice(["a ", "the "]) + thing
        for thing in named
    ]
    return rng.choice(patterns).format(
        doing=doing,
        things=" and ".join(said),
        people=vocab.PEOPLE[max(0, people)],
        **{"in": vocab.in_place(place)},
    )


def caption_pair(rng, place, doing, things, people, seen):
    """A true caption and one that tells one thing wrongly: mostly a thing that is not `seen`, else
    activity, place or persons."""
    draw = rng.getrandbits(32)  # both in the same words
    true = caption(random.Random(draw), place, doing, things, people)
    wrong = [
        (
            place,
            doing,
            [rng.choice([n for n in vocab.OBJECT_NAMES if n not in seen]) for _ in things],
            people,
        )
    ] * 5
    wrong += [(place, rng.choice(vocab.ACTIVITY_NAMES), things, people)] * 2 + [
        (rng.choice(vocab.PLACE_NAMES), doing, things, people)
    ]
    wrong += [(place, doing, things, rng.choice([1, 2, 3]))] * (2 if people > 0 else 0)
    if doing.startswith("carrying "):
        wrong += [(place, vocab.carrying(rng.choice(vocab.HELD_NAMES)), things, people)] * 2
    rng.shuffle(wrong)
    for facts in wrong:
        other = caption(random.Random(draw), *facts)
        if other != true:
            return true, other
    return true, true


def build_tokenizer():
    """Byte-level BPE whose merges know the vocabulary's words; any other word falls apart into
    bytes, never fails."""
    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    rng = random.Random("clip tokenizer")
    texts = [
        t.format(label) for g, labels in GROUPS.items() for label in labels for t in TEMPLATES[g]
    ]
    texts += [caption(rng, *random_facts(rng)) for _ in range(3000)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=1100,
            min_frequency=2,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    bos, eos = tokenizer.token_to_id("<|startoftext|>"), tokenizer.token_to_id("<|endoftext|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>",
        special_tokens=[("<|startoftext|>", bos), ("<|endoftext|>", eos)],
    )
    tokenizer.enable_truncation(CONTEXT)
    return tokenizer


def encode(tokenizer, texts, eos):
    import torch

    rows = [e.ids for e in tokenizer.encode_batch(texts)]
    longest = max(map(len, rows))
    return torch.tensor([r + [eos] * (longest - len(r)) for r in rows])


# ---------------------------------------------------------------- the model


def build_model(tokenizer):
    import torch
    from transformers import CLIPConfig, CLIPModel

    bos, eos = tokenizer.token_to_id("<|startoftext|>"), tokenizer.token_to_id("<|endoftext|>")
    config = CLIPConfig(
        projection_dim=128,
        logit_scale_init_value=math.log(14),
        text_config=dict(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=CONTEXT,
            projection_dim=128,
            hidden_act="quick_gelu",
            bos_token_id=bos,
            eos_token_id=eos,
            pad_token_id=eos,
        ),
        vision_config=dict(
            hidden_size=160,
            intermediate_size=480,
            num_hidden_layers=4,
            num_attention_heads=5,
            image_size=SIZE,
            patch_size=PATCH,
            projection_dim=128,
            hidden_act="quick_gelu",
        ),
    )
    torch.manual_seed(11)
    model = CLIPModel(config)
    model.set_attn_implementation("eager")
    return model


def carry_over(model, tokenizer, folder):
    """Takes the weights of an earlier checkpoint: a token it knew keeps its vector, a new one gets
    the mean of its old pieces."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    old = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    weights, state = load_file(os.path.join(folder, "model.safetensors")), model.state_dict()
    for name, value in weights.items():
        value = value.float()
        if name.endswith("token_embedding.weight"):
            for token, row in tokenizer.get_vocab().items():
                known = old.token_to_id(token)
                text = tokenizer.decode([row], skip_special_tokens=False).strip()
                pieces = (
                    [known] if known is not None else old.encode(text, add_special_tokens=False).ids
                )
                if pieces:
                    state[name][row] = value[pieces].mean(0)
        elif name.endswith("position_embedding.weight") and value.shape != state[name].shape:
            rows = min(len(value), len(state[name]))
            state[name][:rows] = value[:rows]
            state[name][rows:] = value[rows - 1]
        elif name in state and state[name].shape == value.shape:
            state[name].copy_(value)
        else:
            print("not carried over:", name, flush=True)
    model.load_state_dict(state)


def export(model, tokenizer, folder, note):
    import copy

    import torch

    os.makedirs(folder, exist_ok=True)
    half = copy.deepcopy(model).to(torch.float16)
    half.save_pretrained(folder)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))

    def write(name, value):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            json.dump(value, out, indent=2)
            out.write("\n")

    write(
        "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|startoftext|>",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
            "model_max_length": CONTEXT,
            "clean_up_tokenization_spaces": False,
        },
    )
    write(
        "preprocessor_config.json",
        {
            "image_processor_type": "CLIPImageProcessor",
            "do_resize": True,
            "size": {"shortest_edge": SIZE},
            "resample": 3,
            "do_center_crop": True,
            "crop_size": {"height": SIZE, "width": SIZE},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": MEAN,
            "image_std": STD,
            "do_convert_rgb": True,
        },
    )
    print("exported", note, flush=True)


def pooled(output):
    return output if hasattr(output, "norm") else output.pooler_output


def half_precision(module):
    """Runs the module in bfloat16 on its float32 weights: on this CPU almost twice as fast, with
    eager attention."""
    import torch

    weights = {k: v.bfloat16() for k, v in module.named_parameters()}

    def run(**inputs):
        return torch.func.functional_call(module, weights, kwargs=inputs)

    return run


def text_vectors(model, tokenizer, templates, more=()):
    """Unit vectors of every label, group by group, and of `more` texts, in one matrix; {group:
    slice}."""
    import torch

    texts, where = [], {}
    for group, labels in GROUPS.items():
        where[group] = slice(len(texts), len(texts) + len(labels))
        texts += [templates[group].format(label) for label in labels]
    run, vectors = half_precision(model.text_model), []
    # captions are longer than labels: apart they need less padding
    for part in (texts, list(more)):
        if part:
            ids = encode(tokenizer, part, model.config.text_config.eos_token_id)
            vectors.append(model.text_projection(run(input_ids=ids).pooler_output.float()))
    return torch.nn.functional.normalize(torch.cat(vectors), dim=-1), where


def load_cache(known):
    """All chunks as {name: array}, the last 512 pictures of the first one kept apart; None while
    nothing new lies there."""
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


def augment(images, rng):
    """Small shifts, brightness, contrast, tint, noise; (batch, 3, 64, 64) of 0..255."""
    import torch
    from torch.nn import functional as F

    n, dx, dy = len(images), rng.randint(-3, 3), rng.randint(-3, 3)
    images = F.pad(images, (3, 3, 3, 3), mode="replicate")[:, :, 3 + dy : 67 + dy, 3 + dx : 67 + dx]
    images = (
        images
        * (1 + 0.30 * (torch.rand(n, 1, 1, 1) - 0.5))
        * (1 + 0.10 * (torch.rand(n, 3, 1, 1) - 0.5))
    )
    images = (
        images
        + 80 * (torch.rand(n, 1, 1, 1) - 0.5) * (torch.rand(n, 1, 1, 1) < 0.7)
        + rng.uniform(0, 7) * torch.randn_like(images)
    )
    return images.clamp(0, 255)


def facts_of(data, row):
    """What a caption may say of a cached picture, and all objects in it."""
    seen = [vocab.OBJECT_NAMES[i] for i in data["objects"][row].nonzero()[0]]
    held = vocab.HELD_NAMES[data["held"][row]] if data["held"][row] >= 0 else ""
    doing = vocab.carrying(held) if held else vocab.SEEN_ACTIVITIES[data["activity"][row]]
    return (
        vocab.PLACE_NAMES[data["place"][row]],
        doing,
        [n for n in seen if n != held],
        int(data["people"][row]),
        seen,
    )


def check_kept(model, tokenizer, kept, mean, std):
    """Shares right on pictures kept apart, in the wordings of run time."""
    import torch

    with torch.no_grad():
        words, where = text_vectors(model, tokenizer, WORDING)
        images = (torch.from_numpy(kept["images"]).permute(0, 3, 1, 2).float() - mean) / std
        vectors = model.visual_projection(
            half_precision(model.vision_model)(pixel_values=images.bfloat16()).pooler_output.float()
        )
        logits = model.logit_scale.exp() * torch.nn.functional.normalize(vectors, dim=-1) @ words.T
    out = {}
    for group in ("place", "activity", "held", "people"):
        rows = kept[group] >= 0
        out[group] = float((logits[:, where[group]].argmax(1).numpy() == kept[group])[rows].mean())
    found = (logits[:, where["object"]].softmax(-1) > 0.15).numpy()
    both = (found & kept["objects"]).sum()
    return {
        **out,
        "precision": both / max(1, found.sum()),
        "recall": both / max(1, kept["objects"].sum()),
    }


def write_curve(step, minutes, rate, losses, kept):
    row = {
        "step": step,
        "minutes": round(minutes, 2),
        "rate": round(rate, 3),
        **{"loss " + k: round(losses[k], 4) for k in WEIGHTS if k in losses},
        **{"kept " + k: round(float(v), 4) for k, v in kept.items()},
    }
    os.makedirs(os.path.dirname(CURVE), exist_ok=True)
    new = not os.path.exists(CURVE)
    with open(CURVE, "w" if new else "a", encoding="utf-8") as out:
        out.write((",".join(row) + "\n" if new else "") + ",".join(map(str, row.values())) + "\n")


def optimizers_of(model, spot):
    """Muon for the matrices of the vision blocks, AdamW for everything else."""
    import torch

    parameters = list(model.parameters()) + list(spot.parameters())
    matrices = [p for p in model.vision_model.encoder.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in parameters if id(p) not in chosen]
    optimizers = [
        torch.optim.Muon(
            matrices, lr=2e-3, weight_decay=0.03, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(
            [
                {"params": [p for p in others if p.ndim > 1], "weight_decay": 0.03},
                {"params": [p for p in others if p.ndim < 2], "weight_decay": 0},
            ],
            lr=1e-3,
            betas=(0.9, 0.98),
            fused=True,
        ),
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers, parameters


def wrong_sides(chances, there):
    """How far the log probabilities of objects (batch, 62) are from the right side of 0.15, with
    room: a large object near the camera otherwise takes the share of the others, which costs an
    even spread little and the threshold everything. What is missed weighs more than what is
    invented: without that, precision is far above recall."""
    enough = (0.75 / there.sum(1, keepdim=True).clamp_min(1)).clamp_max(0.24).log()
    low = (enough - chances).clamp_min(0) * there
    high = (chances - math.log(0.08)).clamp_min(0) * ~there
    return (2.5 * low.sum() + high.sum()) / len(there)


def losses_of(model, spot, tokenizer, data, pick, images, rng, with_captions):
    """{name: loss} of a batch, and its logits against all labels with {group: slice}."""
    import torch
    from torch.nn import functional as F

    pairs = [caption_pair(rng, *facts_of(data, row)) for row in pick] if with_captions else []
    texts = [true for true, _ in pairs] + [wrong for _, wrong in pairs]
    seen = half_precision(model.vision_model)(
        pixel_values=images.bfloat16(), output_hidden_states=True
    )
    vectors = F.normalize(model.visual_projection(seen.pooler_output.float()), dim=-1)
    words, where = text_vectors(
        model, tokenizer, {g: rng.choice(TEMPLATES[g]) for g in GROUPS}, texts
    )
    logits, losses = model.logit_scale.exp() * vectors @ words.T, {}
    for group in ("place", "activity", "held", "people"):
        right = torch.from_numpy(data[group][pick].astype(np.int64))
        losses[group] = F.cross_entropy(
            logits[:, where[group]], right, ignore_index=-1, reduction="sum"
        ) / len(pick)
    there = torch.from_numpy(data["objects"][pick]).float()
    there[there.sum(1) == 0] = 1
    target = there / there.sum(1, keepdim=True)
    entropy = -(target * target.clamp_min(1e-9).log()).sum(1).mean()
    losses["object"] = F.cross_entropy(logits[:, where["object"]], target) - entropy
    losses["sides"] = wrong_sides(
        logits[:, where["object"]].log_softmax(-1), torch.from_numpy(data["objects"][pick])
    )
    patches = torch.from_numpy(data["patches"][pick].astype(np.int64))
    weight = torch.ones(1 + PERSON)
    weight[0] = 0.2
    losses["spot"] = F.cross_entropy(
        spot(seen.hidden_states[-2][:, 1:].float()).flatten(0, 1), patches.flatten(), weight
    )
    if pairs:
        n, first = len(pick), sum(map(len, GROUPS.values()))
        same = torch.tensor([[a == b for b in texts[:n]] for a in texts[:n]]) & ~torch.eye(
            n, dtype=torch.bool
        )
        own = (
            logits[:, first + n :]
            .diagonal()[:, None]
            .masked_fill(torch.tensor([[a == b] for a, b in pairs]), -1e4)
        )
        losses["caption"] = F.cross_entropy(
            torch.cat([logits[:, first : first + n].masked_fill(same, -1e4), own], 1),
            torch.arange(n),
        )
    return losses, logits, where


WEIGHTS = {
    "place": 0.5,
    "activity": 0.7,
    "held": 1.5,
    "people": 1.0,
    "object": 2.0,
    "sides": 1.5,
    "spot": 1.0,
    "caption": 0.5,
}


def train(minutes, batch, start=None, out=EXPORT):
    import torch
    from tokenizers import Tokenizer

    torch.set_num_threads(1)
    os.makedirs(WORK, exist_ok=True)
    saved, words = os.path.join(WORK, "last.pt"), os.path.join(WORK, "tokenizer.json")
    tokenizer = Tokenizer.from_file(words) if os.path.exists(saved) else build_tokenizer()
    tokenizer.save(words)
    model = build_model(tokenizer)
    spot = torch.nn.Linear(model.config.vision_config.hidden_size, 1 + PERSON)
    optimizers, parameters = optimizers_of(model, spot)
    step, spent, averages = 0, 0.0, {}
    if os.path.exists(saved):
        state = torch.load(saved)
        model.load_state_dict(state["model"]), spot.load_state_dict(state["spot"])
        for optimizer, saved_state in zip(optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved_state)
        step, spent, ema, before = (
            state["step"],
            state["spent"],
            state["ema"],
            state.get("before") or cards.earlier(start),
        )
        print(f"resumed at step {step}, {spent / 60:.1f} min", flush=True)
    else:
        before = cards.earlier(start)
        if start:
            carry_over(model, tokenizer, start)
        ema = {k: v.detach().clone() for k, v in model.state_dict().items()}
        if os.path.exists(CURVE):
            os.remove(CURVE)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
    rng, generator = random.Random(step), np.random.default_rng(step)
    torch.manual_seed(step)
    data, known, budget, last_look, last_log, last_save = (
        None,
        0,
        minutes * 60,
        0.0,
        time.time(),
        time.time(),
    )
    clock = time.process_time()
    model.train()
    while spent < budget:
        if time.time() - last_look > 30:
            last_look, loaded = time.time(), load_cache(known)
            if loaded:
                data, kept, known = loaded
                print(f"{len(data['images'])} pictures", flush=True)
        if data is None:
            time.sleep(5)
            continue
        pick = generator.integers(0, len(data["images"]), batch)
        images = (
            augment(torch.from_numpy(data["images"][pick]).permute(0, 3, 1, 2).float(), rng) - mean
        ) / std
        losses, logits, where = losses_of(
            model, spot, tokenizer, data, pick, images, rng, step % 2 == 0
        )
        loss = sum(WEIGHTS[k] * v for k, v in losses.items())
        # the rate stays high for half of the time and then falls evenly to almost nothing
        rate = min(1, (step + 1) / 300) * max(0.01, min(1, (1 - spent / budget) / 0.5))
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
            keep = min(0.996, (step + 1) / (step + 20))
            for k, v in model.state_dict().items():
                if v.dtype.is_floating_point:
                    ema[k].lerp_(v, 1 - keep)
                else:
                    ema[k].copy_(v)
        step += 1
        now, used = time.time(), time.process_time()
        # computing time, so that a busy machine does not cut the schedule short
        spent, clock = spent + used - clock, used
        for k, v in losses.items():
            averages[k] = v.item() if k not in averages else 0.98 * averages[k] + 0.02 * v.item()
        if now - last_log > 30:
            last_log = now
            print(
                f"step {step} {spent / 60:.1f} min rate {rate:.2f} scale "
                f"{model.logit_scale.exp().item():.1f} "
                + " ".join(f"{k} {v:.3f}" for k, v in averages.items()),
                flush=True,
            )
        if now - last_save > 180 or spent >= budget:
            last_save = now
            torch.save(
                {
                    "model": model.state_dict(),
                    "spot": spot.state_dict(),
                    "optimizers": [o.state_dict() for o in optimizers],
                    "step": step,
                    "spent": spent,
                    "ema": ema,
                    "before": before,
                },
                saved + ".tmp",
            )
            os.replace(saved + ".tmp", saved)
            raw = {k: v.clone() for k, v in model.state_dict().items()}
            model.load_state_dict(ema)
            figures = check_kept(model, tokenizer, kept, mean, std)
            write_curve(step, spent / 60, rate, averages, figures)
            print("kept apart:", " ".join(f"{k} {v:.3f}" for k, v in figures.items()), flush=True)
            export(model, tokenizer, out, f"step {step}")
            cards.write_training(
                "clip",
                out,
                before,
                cards.origin(start),
                step,
                f"{step * batch:,} pictures",
                f"{spent / 60:.0f} min of computing",
                1,
                "Right on 512 pictures kept apart: "
                + ", ".join(f"{k} {v:.1%}" for k, v in figures.items())
                + ".",
            )
            model.load_state_dict(raw)
    print("done", flush=True)


# ---------------------------------------------------------------- measuring


# How the same days are shown once more: smaller, coarser, darker or brighter by 15 % of the range.
SHOWN = {
    "as rendered": None,
    "CRF 32, 0.75, darker": "scale=240:180,eq=brightness=-0.15",
    "CRF 32, 0.75, brighter": "scale=240:180,eq=brightness=0.15",
}


def day_file(seed, shown):
    """(the folder of a rendered day, the MP4 in it that is shown so)."""
    import subprocess

    import world

    folder = os.path.join(WORK, "days", f"{seed}")
    video = os.path.join(folder, "day.mp4")
    if not os.path.exists(os.path.join(folder, "log.jsonl")):
        world.write_day(seed, folder)
    if SHOWN[shown]:
        other = os.path.join(folder, "".join(c if c.isalnum() else "_" for c in shown) + ".mp4")
        if not os.path.exists(other):
            subprocess.run(
                [
                    "ffmpeg",
                    "-v",
                    "error",
                    "-y",
                    "-i",
                    video,
                    "-vf",
                    SHOWN[shown],
                    "-c:v",
                    "libx264",
                    "-crf",
                    "32",
                    "-threads",
                    "1",
                    "-an",
                    other,
                ],
                check=True,
            )
        video = other
    return folder, video


def pictures_of(video):
    """One picture near the middle of each second."""
    import subprocess

    size = subprocess.run(
        [
            "ffprobe",
            "-v",
            "error",
            "-select_streams",
            "v",
            "-show_entries",
            "stream=width,height",
            "-of",
            "csv=p=0",
            video,
        ],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    width, height = (int(v) for v in size.split(",")[:2])
    raw = subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            video,
            "-vf",
            "fps=2",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-",
        ],
        capture_output=True,
        check=True,
    ).stdout
    return [
        Image.fromarray(p) for p in np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)[1::2]
    ]


class Tally:
    """Counts of right answers, and which labels were taken for which."""

    def __init__(self):
        self.counts, self.wrong = {}, {}

    def add(self, key, right, total=1):
        a = self.counts.setdefault(key, [0, 0])
        a[0], a[1] = a[0] + right, a[1] + total

    def compare(self, key, said, gold):
        self.add(key, said == gold)
        if said != gold:
            self.mistake(key, f"{gold} -> {said}")

    def mistake(self, key, what):
        book = self.wrong.setdefault(key, {})
        book[what] = book.get(what, 0) + 1

    def found(self, key, found, there):
        self.add(key + " precision", len(found & there), len(found))
        self.add(key + " recall", len(found & there), len(there))
        for name in there - found:
            self.mistake(key, "missed " + name)
        for name in found - there:
            self.mistake(key, "invented " + name)

    def cell(self, key):
        """'91.9 % (1069/1163)', or nothing."""
        right, total = self.counts.get(key, (0, 0))
        return f"{100 * right / total:.1f} % ({right}/{total})" if total else ""

    def show(self):
        for key, (right, total) in self.counts.items():
            print(f"{key:38} {100 * right / max(1, total):5.1f} %  ({right}/{total})")
        for key, book in self.wrong.items():
            if key.startswith("segment"):
                print(
                    f"  {key}:",
                    ", ".join(
                        f"{what} {n}" for what, n in sorted(book.items(), key=lambda x: -x[1])[:10]
                    ),
                )


TITLES = {
    "place": "place",
    "activity among all 38": "activity among all",
    "activity among the place's": "activity among the place's",
    "what is carried, among 58": "held",
    "number of persons": "people",
    "objects above 0.15: precision": "objects precision",
    "objects above 0.15: recall": "objects recall",
    "… of those not hidden at that instant: recall": "objects not hidden recall",
}


def judge(tally, unit, mean, segment, in_sight):
    """Counts one frame or one segment, whose labels have the mean probabilities `mean`."""
    names = {group: labels[mean[group].argmax()] for group, labels in GROUPS.items()}
    carried = segment.activity.startswith("carrying ")
    activity = vocab.CARRYING if carried else segment.activity
    allowed = [vocab.SEEN_ACTIVITIES.index(a) for a in vocab.activities_of(segment.place)]
    tally.compare(unit + " place", names["place"], segment.place)
    tally.compare(unit + " activity among all", names["activity"], activity)
    tally.compare(
        unit + " activity among the place's",
        vocab.SEEN_ACTIVITIES[allowed[mean["activity"][allowed].argmax()]],
        activity,
    )
    if carried:
        tally.compare(unit + " held", names["held"], segment.held)
    tally.compare(unit + " people", names["people"], vocab.PEOPLE[segment.people])
    found = {vocab.OBJECT_NAMES[i] for i in (mean["object"] > 0.15).nonzero().flatten().tolist()}
    tally.found(
        unit + " objects", found, set(segment.seen) | ({segment.held} if carried else set())
    )
    if in_sight is not None:
        tally.found(unit + " objects not hidden", found, in_sight)


def measure(count, seed=1001, folder=EXPORT):
    """Days nobody has seen, as MP4, one frame a second, through the exported checkpoint and
    transformers alone."""
    import torch
    import transformers

    import days
    import world

    torch.set_num_threads(1)
    model = transformers.CLIPModel.from_pretrained(folder).float().eval()
    processor = transformers.CLIPImageProcessor.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        words = {}
        for group, labels in GROUPS.items():
            batch = tokenizer(
                [WORDING[group].format(label) for label in labels],
                padding=True,
                return_tensors="pt",
            )
            words[group] = torch.nn.functional.normalize(
                pooled(
                    model.get_text_features(
                        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
                    )
                ),
                dim=-1,
            )
    tallies = {}
    for shown in SHOWN:
        tally = tallies[shown] = Tally()
        for n in range(count):
            day = days.make_day(seed + n, 120)
            pictures = pictures_of(day_file(seed + n, shown)[1])
            with torch.no_grad():
                pixels = processor(pictures, return_tensors="pt")["pixel_values"]
                vectors = torch.nn.functional.normalize(
                    pooled(model.get_image_features(pixel_values=pixels)), dim=-1
                )
                chances = {
                    g: (model.logit_scale.exp() * vectors @ w.T).softmax(-1)
                    for g, w in words.items()
                }
            for segment, state in zip(day.segments, world.states(day)):
                rows = list(range(segment.start, min(segment.end, len(pictures))))
                for row in rows:
                    judge(
                        tally,
                        "frame",
                        {g: c[row] for g, c in chances.items()},
                        segment,
                        set(scene.visible_objects(state, row + 0.5 - segment.start)),
                    )
                judge(
                    tally,
                    "segment",
                    {g: c[rows].mean(0) for g, c in chances.items()},
                    segment,
                    None,
                )
        print(
            f"--- {count} days from seed {seed}, {shown}; logit scale "
            f"{model.logit_scale.exp().item():.1f}"
        )
        tally.show()
    rendered, *others = tallies.values()
    columns = [("frame", rendered), ("segment", rendered), *(("frame", tally) for tally in others)]
    rows = [
        [what, *(tally.cell(f"{unit} {key}") for unit, tally in columns)]
        for what, key in TITLES.items()
    ]
    cards.write_measured(
        folder,
        [
            f"{count} days from seed {seed}",
            "each frame",
            "each segment",
            "smaller, coarser, darker",
            "… brighter",
        ],
        rows,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("do", choices=["cache", "train", "measure"])
    parser.add_argument("--chunks", type=int, default=15)
    parser.add_argument(
        "--minutes",
        type=float,
        nargs="+",
        default=[70, 95],
        help="computing time of the training; the rate falls by the first of several, "
        "rises again and falls by the next (warm restarts, Loshchilov and Hutter 2017)",
    )
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--start", help="folder of an earlier checkpoint to begin with")
    parser.add_argument("--export", default=EXPORT, help="folder of the checkpoint that is written")
    parser.add_argument("--days", type=int, default=6)
    args = parser.parse_args()
    if args.do == "cache":
        cache(args.chunks)
    elif args.do == "train":
        for minutes in args.minutes:
            train(minutes, args.batch, args.start, args.export)
    else:
        measure(args.days, folder=args.export)
