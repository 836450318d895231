"""D15: after the work, a video of any length gets an answer or a refusal, never an error. The evidence lies within the
video."""

import json
import subprocess

from attack import GIB, ROOT

MEDIA = ROOT / "examples/media"
ENTRIES = [json.loads(line) for line in (MEDIA / "day1.log.jsonl").read_text().splitlines()]
DAY_S = 120
ASKED = [
    "Where did I last see the keys?",
    "Why did I go to the hallway?",
    "What colour was the spaceship?",
]


def attacks(section):
    for days in (1, 8, 30):
        log = section.scratch / f"{days}.jsonl"
        log.write_text("\n".join(json.dumps(entry) for entry in shifted(days)))
        for question in ASKED if days < 30 else ASKED[:1]:
            what = f"a log of {2 * days} minutes: {question}"
            asked = ["run", "log_qa", "-i", f"log=@{log}", "-i", f"question={question}", "--json"]
            answered(section, what, asked, days * DAY_S)
    video = section.scratch / "long.mp4"
    looped = f"ffmpeg -v error -nostdin -stream_loop 2 -i {MEDIA}/day1.mp4 -c copy {video}"
    subprocess.run(looped.split(), check=True)
    for question in ASKED[:1]:
        asked = ["ask", video, question, "--json"]
        answered(section, f"a video of 6 minutes: {question}", asked, 3 * DAY_S + 1, seconds=240)


def shifted(days):
    """The log of the sample day, repeated."""
    for day in range(days):
        for entry in ENTRIES:
            later = {key: entry[key] + day * DAY_S for key in ("start", "end")}
            yield {key: value for key, value in {**entry, **later}.items() if key != "clock"}


def answered(section, what, asked, until, seconds=90):
    result = section.attack(what, *asked, cwd=ROOT, seconds=seconds, memory=GIB)
    if result.code != 0:
        return
    found = json.loads(result.out)
    evidence = found["evidence"]
    within = all(0 <= part["start"] < part["end"] <= until for part in evidence)
    whole = found["answer"] and (evidence or found["abstained"])
    section.hold(f"{what}: an answer and its evidence", whole and within, result.out)
