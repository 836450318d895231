"""What no program can do faster: the decoding, the arithmetic and the bytes of a run, and whether both sides found the same."""

import json
import re
import subprocess
import time

import work
from measure import equal_words
from rows import layer_operations, vision_operations


def config(folder):
    return json.loads((folder / "config.json").read_text())


def of(task, asked, rates):
    """Seconds that the parts of the work take at the machine's own rates."""
    made, threads = task.work, asked.threads
    eye, ear, mind = config(asked.eye), config(asked.ear), config(asked.mind)
    texts = {text for _, own in made.ranks for text in own}
    operations = len(made.frames) * vision_operations(eye["vision_config"])
    text = eye["text_config"]
    tokens = 8  # a label in its wording
    operations += (
        len(texts)
        * text["num_hidden_layers"]
        * layer_operations(text["hidden_size"], text["intermediate_size"], tokens)
    )
    # two frames of 10 ms become one position
    window_s = 0.02 * ear["max_source_positions"]
    for start, end in made.sounds:
        heard_s = (end or length_of(task.video)) - (start or 0)
        operations += max(1, round(heard_s / window_s)) * hearing_operations(ear)
    layers, width, inner = (
        mind[k] for k in ("num_hidden_layers", "hidden_size", "intermediate_size")
    )
    weights = layers * (4 * width * width + 3 * width * inner) + mind["vocab_size"] * width
    spoken = sum(one["length"] for step in made.says for one in step)
    read = sum(len(m["content"]) / 4 for step in made.says for one in step for m in one["messages"])
    operations += 2 * weights * (spoken + read)
    return {
        "decode": decoding_s(task, threads),
        "arithmetic": operations / rates.get(("product", threads), float("nan")),
        "bytes": 4 * weights * spoken / rates.get(("reading", threads), float("nan")),
    }


def hearing_operations(ear):
    """Operations of Whisper's encoder for one window. Its decoder is small beside it."""
    width, inner = ear["d_model"], ear["encoder_ffn_dim"]
    positions = ear["max_source_positions"]
    stem = 2 * 3 * width * (2 * positions * ear["num_mel_bins"] + positions * width)
    return stem + ear["encoder_layers"] * layer_operations(width, inner, positions)


def length_of(video):
    """Seconds of a video."""
    asked = "ffprobe -v error -show_entries format=duration -of csv=p=0"
    return float(
        subprocess.run([*asked.split(), str(video)], capture_output=True, text=True).stdout
    )


def decoding_s(task, threads):
    """Seconds in which ffmpeg alone decodes the frames and the sound."""
    own, begun = task.work, time.perf_counter()
    command = f"ffmpeg -v error -nostdin -copyts -threads {threads} -i {task.video}".split()
    if own.frames:
        chain = f"select='{work.selection(own.frames)}',format=rgb24"
        more = ["-an", "-vf", chain, "-fps_mode", "passthrough", "-f", "null", "-"]
        subprocess.run([*command, *more], check=True)
    if own.sounds:
        subprocess.run([*command, *"-vn -ac 1 -ar 16000 -f null -".split()], check=True)
    return time.perf_counter() - begun if own.frames or own.sounds else 0.0


def agreement(made, found):
    """The share of equal labels, of equal words of the speech and of the replies, as text."""
    parts = []
    labels = list(zip(made.best, found.get("ranks", [])))
    if labels:
        share = sum(a == b for a, b in labels) / len(labels)
        parts.append(f"{100 * share:.1f} % of {len(labels)} labels")
    if made.sounds:
        heard = re.sub(r"<\|[^|]*\|>", " ", found.get("heard", ""))
        parts.append(f"{100 * equal_words(made.heard, heard):.1f} % of the speech")
    # the script answers those with choices last
    order = [sorted(step, key=lambda one: bool(one["choices"])) for step in made.says]
    said = [one["said"] for step in order for one in step]
    replies = list(zip(said, found.get("said", [])))
    if replies:
        share = sum(equal_words(a, b) for a, b in replies) / len(replies)
        parts.append(f"{100 * share:.0f} % of {len(replies)} replies")
    return ", ".join(parts) or "–"
