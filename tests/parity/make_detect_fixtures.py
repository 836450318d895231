"""Makes the parity fixtures of OWLv2: small random checkpoints, and the boxes that Python's `transformers`
finds for words in pictures.

    OMP_NUM_THREADS=1 python tests/parity/make_detect_fixtures.py tests/parity/fixtures [NAME…]
    python tests/parity/make_detect_fixtures.py OUT random SEED COUNT

Pictures are prepared with scipy. `transformers` has no non-maximum suppression for words, and leaves boxes
in the padding; both are done here.
"""

import random
import sys

import torch
from PIL import Image
from transformers import Owlv2Config, Owlv2ForObjectDetection
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

from make_fixtures import ROOT, clip_tokenizer, expect, pictures, randomise, save

LABELS = [
    "a cup",
    "the keys on the table",
    "",
    "somebody who waters the plants in the hallway of the house",
]
PICTURES = ["wide", "tall", "odd", "tiny"]
# the least score and the greatest overlap
SETTINGS = [(0.1, 0.5), (0.5, 0.2), (0.0, 1.0)]


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0) * max(height, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def kept(found, least, most):
    """The boxes above a score, without those that overlap a better one of the same label."""
    better = []
    for label, score, box in found:
        if score > least and not any(label == o[0] and overlap(box, o[2]) > most for o in better):
            better.append((label, score, box))
    return [{"label": LABELS[label], "score": score, "box": box} for label, score, box in better]


def margin(found, least, most):
    """How far all numbers are from a decision that rounding could turn."""
    near = [abs(score - least) for _, score, _ in found]
    scores = sorted(score for _, score, _ in found)
    near += [b - a for a, b in zip(scores, scores[1:])]
    for n, one in enumerate(found):
        near += [abs(overlap(one[2], o[2]) - most) for o in found[:n] if one[0] == o[0]]
    return min(near, default=1.0)


def owlv2(folder, seed, text, vision, dtype=torch.float32, width=16):
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = clip_tokenizer(folder, False)
    tokenizer.pad_token = "!"
    tokenizer.save_pretrained(folder)
    config = Owlv2Config(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": width,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            **text,
        },
        vision_config=vision,
        projection_dim=width,
    )
    model = randomise(Owlv2ForObjectDetection(config), seed)
    with torch.no_grad():
        # boxes of about a third of the picture, so that some overlap
        model.box_head.dense2.bias += torch.tensor([0.0, 0.0, 1.5, 1.5])
    save(model, folder, dtype)
    # read again, because the table of box places must not be rounded to `dtype`
    model = Owlv2ForObjectDetection.from_pretrained(folder, dtype=torch.float32)
    side = config.vision_config.image_size
    processor = Owlv2ImageProcessorPil(size={"height": side, "width": side})
    processor.save_pretrained(folder)
    model.eval()
    words = tokenizer(
        LABELS, padding="max_length", max_length=16, truncation=True, return_tensors="pt"
    )
    seen = {}
    for name in PICTURES:
        picture = Image.open(ROOT / "images" / f"{name}.png").convert("RGB")
        pixels = processor(picture, return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            outputs = model(
                input_ids=words["input_ids"],
                attention_mask=words["attention_mask"],
                pixel_values=pixels.float(),
            )
        size = [(picture.height, picture.width)]
        (all_boxes,) = processor.post_process_object_detection(outputs, 0.0, size)
        edge = torch.tensor([picture.width, picture.height] * 2)
        found = []
        boxes = zip(all_boxes["labels"], all_boxes["scores"], all_boxes["boxes"])
        for label, score, box in boxes:
            box = box.clamp(torch.zeros(4), edge).tolist()
            if box[0] < box[2] and box[1] < box[3]:
                found.append((int(label), float(score), box))
        found.sort(key=lambda one: -one[1])
        seen[name] = {
            "settings": [
                {"min": least, "overlap": most, "found": kept(found, least, most)}
                for least, most in SETTINGS
                if margin(found, least, most) > 2e-6
            ]
        }
    expect(folder, labels=LABELS, pictures=seen)
    return sum(len(one["settings"]) for one in seen.values())


def text(**more):
    return {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32, **more}


def vision(**more):
    return {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "image_size": 32,
        "patch_size": 8,
        **more,
    }


def jobs():
    return {
        "owlv2-plain": lambda f: owlv2(f, 81, text(), vision()),
        # trailing pixels that do not fill a patch, and another activation
        "owlv2-half": lambda f: owlv2(
            f,
            82,
            text(hidden_act="gelu"),
            vision(image_size=45, patch_size=7, num_attention_heads=2, hidden_act="gelu"),
            dtype=torch.float16,
            width=24,
        ),
    }


def at_random(out, seed, count):
    """Checkpoints of random shapes."""
    for n in range(count):
        draw = random.Random(f"{seed} {n}")
        patch = draw.choice([4, 5, 8, 16])
        settings = owlv2(
            out / f"owlv2-{seed}-{n}",
            seed * 1000 + n,
            text(
                num_hidden_layers=draw.randint(1, 3),
                num_attention_heads=draw.choice([1, 2, 4]),
                layer_norm_eps=draw.choice([1e-5, 1e-6]),
                hidden_act=draw.choice(["quick_gelu", "gelu"]),
            ),
            vision(
                hidden_size=draw.choice([16, 32, 48]),
                num_hidden_layers=draw.randint(1, 3),
                num_attention_heads=draw.choice([1, 2, 4]),
                image_size=patch * draw.randint(2, 9) + draw.choice([0, 0, 1, 3]),
                patch_size=patch,
                hidden_act=draw.choice(["quick_gelu", "gelu"]),
            ),
            dtype=draw.choice([torch.float32, torch.float16, torch.bfloat16]),
            width=draw.choice([8, 16, 32]),
        )
        print(n, "patch", patch, "compared", settings, flush=True)


def main():
    out = ROOT
    pictures()
    if sys.argv[2:3] == ["random"]:
        return at_random(out, int(sys.argv[3]), int(sys.argv[4]))
    for name, job in jobs().items():
        if name in (sys.argv[2:] or jobs()):
            print(name, job(out / name), flush=True)


if __name__ == "__main__":
    main()
