"""The work of a run, read from its transcript: what a script without dialogues would have to compute for the same. Pure."""

import json
import re
from dataclasses import dataclass, field


@dataclass
class Work:
    """What a run computed; what its memo answered is left out."""

    # presentation times of the frames, in ticks, and the length of a tick in seconds
    frames: list = field(default_factory=list)
    tick: tuple = (1, 1)
    # for each ranking: the number of its frame (none for other content), and its worded labels
    ranks: list = field(default_factory=list)
    # the likeliest label of each ranking of a frame
    best: list = field(default_factory=list)
    # stretches of sound, in seconds; none is an end of the file
    sounds: list = field(default_factory=list)
    heard: str = ""
    # independent requests to the language model, step by step
    says: list = field(default_factory=list)
    # exchanges of each kind that were computed, and all exchanges
    counts: dict = field(default_factory=dict)
    exchanges: int = 0

    def as_json(self):
        return {**vars(self)}


def seconds(time):
    """A time of a transcript in seconds."""
    return None if time is None else time["ticks"] * time["base"]["num"] / time["base"]["den"]


def read(path):
    """The work of the run whose transcript is in this file."""
    with open(path) as file:
        return of([json.loads(line) for line in file if line.strip()])


def of(lines):
    """The work of the run with these lines."""
    made, frames, ranks, step = Work(), {}, [], None
    for line in lines:
        if "exchange" not in line:
            continue
        made.exchanges += 1
        if line["timing"]["attempts"] == 0 or line.get("reply") is None:
            continue
        ((kind, request),) = line["request"].items()
        made.counts[kind] = made.counts.get(kind, 0) + 1
        what = request.get("what")
        if kind in ("rank", "embed") and isinstance(what, dict) and "frame" in what:
            start = what["frame"]["start"]
            frames[start["ticks"]] = start["base"]
            ranks.append((start["ticks"], request.get("texts", [])))
            scores = [one["score"] for one in line["reply"].get("rank", [])]
            if scores:
                made.best.append(request["texts"][scores.index(max(scores))])
        elif kind == "rank":
            ranks.append((None, request["texts"]))
        elif kind == "hear":
            made.sounds.append((seconds(request.get("start")), seconds(request.get("end"))))
            made.heard = " ".join(one["text"] for one in line["reply"]["hear"])
        elif kind == "say":
            name = re.sub(r"\[\d+\]|#\d+|\b\d+\b", "", line["exchange"])
            if name != step:
                made.says.append([])
            made.says[-1].append(say(request, line["reply"]["say"]))
        step = re.sub(r"\[\d+\]|#\d+|\b\d+\b", "", line["exchange"])
    made.frames = sorted(frames)
    made.tick = next(((base["num"], base["den"]) for base in frames.values()), (1, 1))
    number = {ticks: n for n, ticks in enumerate(made.frames)}
    made.ranks = [(number.get(ticks), list(texts)) for ticks, texts in ranks]
    return made


def say(request, reply):
    """What a language model is asked, and what it said."""
    return {
        "messages": [{k: m[k] for k in ("role", "content")} for m in request["messages"]],
        "raw": request["raw"],
        "choices": request.get("choices", []),
        "tokens": request["decoding"].get("max_tokens") or 64,
        "said": reply["text"],
        "length": len(reply.get("tokens", [])),
    }


def selection(times):
    """An expression of ffmpeg's filter `select` that chooses these times, by halves, as elenchus writes it."""
    if len(times) <= 2:
        return "+".join(f"eq(pts,{time})" for time in times) or "0"
    low, high = times[: len(times) // 2], times[len(times) // 2 :]
    return f"if(lt(pts,{high[0]}),{selection(low)},{selection(high)})"
