"""Measures starter-clip on unseen days."""

import os

import numpy as np
from PIL import Image

import cards
import days
import scene
import vocab
from eye.model import EXPORT, pooled
from eye.pictures import WORK
from eye.words import GROUPS, WORDING

# The second look of the same days: smaller, coarser, darker or brighter by 15 % of the range.
SHOWN = {
    "as rendered": None,
    "CRF 32, 0.75, darker": "scale=240:180,eq=brightness=-0.15",
    "CRF 32, 0.75, brighter": "scale=240:180,eq=brightness=0.15",
}


def day_file(seed, shown):
    """(the folder of a rendered day, the MP4 in it with this look)."""
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
    """Counts of right answers, and of confused labels."""

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
    """Measures on unseen days, as MP4, one frame a second, with the exported checkpoint and
    transformers alone."""
    import torch
    import transformers

    import film

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
            for segment, state in zip(day.segments, film.states(day)):
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
