"""The parts of the model cards that trainings and measurements write. Each part lies between two
marks; the rest of a card is prose.

  <!-- training: written by training/cards.py --> … <!-- end of training -->
                      a line for each training of the weights
  <!-- weights: … -->   the weights' digest and size
  <!-- measured: … -->  results of the model's own examination (`clip.py measure`, `lm.py exam`,
                      `whisper.py --test`)
  <!-- figures: … -->   results of training/figures.py, through elenchus

A training removes earlier measurements. A card without marks gets the part at its end. A folder
without a card gets the prose of the shipped one.
"""

import hashlib
import json
import os
import re
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
SHIPPED = os.path.join(HERE, "..", "agents", "starter")
HEAD = ["| training | steps | read | time | hardware |", "| --- | --- | --- | --- | --- |"]


def marks(name):
    return f"<!-- {name}: written by training/cards.py -->", f"<!-- end of {name} -->"


def part(path, name):
    """The text between the marks, or ''."""
    begin, end = marks(name)
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        found = re.search(re.escape(begin) + r"\n(.*?)" + re.escape(end), file.read(), re.DOTALL)
    return found.group(1).strip() if found else ""


def put(path, name, text, prose=None):
    """Writes the text between the marks of the file. Without a file, copies `prose` first."""
    begin, end = marks(name)
    source = path if os.path.exists(path) else prose
    whole = ""
    if source and os.path.exists(source):
        with open(source, encoding="utf-8") as file:
            whole = file.read()
    block = f"{begin}\n\n{text.strip()}\n\n{end}"
    if begin in whole:
        whole = re.sub(
            re.escape(begin) + r".*?" + re.escape(end), lambda _: block, whole, flags=re.DOTALL
        )
    else:
        whole = (whole.rstrip() + "\n\n" if whole else "") + block + "\n"
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write(whole)
    os.replace(path + ".new", path)


def hardware(threads):
    """'2 threads, 2 cores of Intel(R) Xeon(R) Processor, no GPU'"""
    cpu = "an unknown processor"
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = re.search(r"model name\s*: (.+)", file.read())
            cpu = found.group(1) if found else cpu
    return f"{threads} thread{'s' if threads > 1 else ''}, {os.cpu_count()} cores of {cpu}, no GPU"


def earlier(start):
    """The lines of earlier trainings of the weights in `start`; none without a folder."""
    if not start:
        return []
    return rows_of(part(os.path.join(start, "README.md"), "training"))[1]


def rows_of(text):
    """(head, rows) of the table in a part: its first two lines, and the others."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return lines[:2], lines[2:]


def origin(start):
    """The origin of weights: the first words of a training's row."""
    return "from earlier weights" if start else "from nothing"


def write_training(model, folder, before, what, steps, read, time, threads, figures):
    """Writes the training part of the card in `folder`. `before`: the result of `earlier`;
    `figures`: one sentence."""
    row = f"| {what} | {steps:,} | {read} | {time} | {hardware(threads)} |"
    put_training(model, folder, "\n".join([*HEAD, *before, row]) + "\n\n" + figures)


def put_training(model, folder, text):
    """Writes the training part. Removes the measurements if the training has changed."""
    path = os.path.join(folder, "README.md")
    if part(path, "training") != text.strip():
        put(path, "training", text, os.path.join(SHIPPED, model, "README.md"))
        for name in ("measured", "figures"):
            put(path, name, "Not measured since this training.")
    put(path, "weights", weights_of(folder))


def weights_of(folder):
    """'`model.safetensors`: 12 parameters, SHA-256 `…`.'"""
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        weights = file.read()
    # The first eight bytes hold the length of the JSON header, which locates each tensor.
    header = json.loads(weights[8 : 8 + struct.unpack("<Q", weights[:8])[0]])
    tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
    half = 2  # bytes a parameter
    count = sum(end - start for start, end in (t["data_offsets"] for t in tensors)) // half
    digest = hashlib.sha256(weights).hexdigest()
    return f"`model.safetensors`: {count:,} parameters, SHA-256 `{digest}`."


def write_measured(folder, columns, rows):
    """Writes rows of cells into the measured part of the card in `folder`, if it has one. A row
    replaces the one with the same first cell. If the columns differ, the new rows replace all."""
    path = os.path.join(folder, "README.md")
    if not os.path.exists(path):
        return
    head = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    known, old = rows_of(part(path, "measured"))
    lines = {line.split("|")[1].strip(): line for line in old} if known == head else {}
    lines.update({str(cells[0]): "| " + " | ".join(map(str, cells)) + " |" for cells in rows})
    put(path, "measured", "\n".join([*head, *lines.values()]))
