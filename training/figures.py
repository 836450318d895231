"""The starter cast's figures: `elenchus eval` on unseen days, as tables in Markdown.

  python training/figures.py --out DIR [--elenchus target/release/elenchus] [--seeds 5101 5102 …]
  [--record FILE | --check FILE]

The script renders the days that are missing in DIR (world.py), each twice: plain and re-encoded.
The re-encoded form has CRF 32, three quarters of the size, and is 15 % brighter or darker. Voices
that no training used speak in it. For each dialogue and both renderings, the script then runs from
the repository's root:

  elenchus eval examples/NAME.yaml --data DIR/*/FILE.jsonl --metric METRIC --json

The cases of single seconds are thinned to one in three (--every 3), because neighbours show nearly
the same picture. Every answer stays in DIR/NAME.details.jsonl. --record writes the figures as JSON,
and their tables into the README, docs/accuracy.md and the model cards. --check compares them with
such a file and fails if one is more than 3 points worse. The script needs elenchus and the
requirements of world.py.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cards

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..")
ALLOWED = 0.03  # points by which a figure may be worse than the recorded one

# dialogue, cases, metric, and the name in the table
PERCEPTION = [
    ("place", "places", "accuracy", "place"),
    ("activity", "activities", "accuracy", "activity"),
    ("held", "held", "accuracy", "what is carried"),
    ("people", "people", "accuracy", "how many people"),
]
TRANSCRIPT = ("transcript", "transcript", "wer", "words, error rate")


def looks(number):
    """The options of world.py for the re-encoded rendering of the day with this number (from 0)."""
    return [
        "--crf",
        "32",
        "--scale",
        "0.75",
        f"--brightness={'-' if number % 2 else ''}0.15",
        "--other-voices",
    ]


def render(seed, folder, options=()):
    # world.py writes speech.jsonl last
    if not os.path.exists(os.path.join(folder, "speech.jsonl")):
        subprocess.run(
            [
                sys.executable,
                os.path.join(HERE, "world.py"),
                "--seed",
                str(seed),
                "--out",
                folder,
                *options,
            ],
            check=True,
        )


def thinned(folder, name, every):
    """The file of cases with one second in `every`; nothing if there is none (a day without
    carrying)."""
    if every > 1:
        with open(os.path.join(folder, name + ".jsonl"), encoding="utf-8") as lines:
            kept = [line for line in lines if json.loads(line)["at"] % every == every // 2]
        name = f"{name}-{every}"
        with open(os.path.join(folder, name + ".jsonl"), "w", encoding="utf-8") as out:
            out.writelines(kept)
    path = os.path.join(folder, name + ".jsonl")
    return path if os.path.getsize(path) else None


def evaluate(args, name, files, metric, details):
    kept = os.path.join(os.path.abspath(args.out), f"{details}.details.jsonl")
    # answers of an earlier model are not wanted
    if os.path.exists(kept):
        os.remove(kept)
    command = [
        os.path.abspath(args.elenchus),
        "eval",
        f"examples/{name}.yaml",
        "--data",
        *files,
        "--metric",
        metric,
        "--details",
        kept,
        "--json",
        "--quiet",
    ]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE)
    # 1: a case failed to run; it counts as wrong and is listed under "errors"
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}")
    figures = json.loads(done.stdout)
    print(f"{details}: {json.dumps(figures)}", file=sys.stderr)
    return figures


def measure(args, days, again):
    """{name of an evaluation: output of elenchus eval}. Names of re-encoded days end in "
    re-encoded"."""
    runs = {
        "log_qa": (
            "log_qa",
            [os.path.join(folder, "cases.jsonl") for folder in days],
            "exact_match",
        )
    }
    for folders, suffix in ((days, ""), (again, " re-encoded")):

        def of_days(data):
            return [os.path.join(folder, data + ".jsonl") for folder in folders]

        runs["video_qa" + suffix] = "video_qa", of_days("cases"), "exact_match"
        runs["transcript" + suffix] = "transcript", of_days("transcript"), "wer"
        for name, data, metric, _ in PERCEPTION:
            runs[name + suffix] = (
                name,
                [
                    path
                    for path in (thinned(folder, data, args.every) for folder in folders)
                    if path
                ],
                metric,
            )
    with ThreadPoolExecutor(args.jobs) as pool:
        done = {
            name: pool.submit(evaluate, args, dialogue, files, metric, name.replace(" ", "-"))
            for name, (dialogue, files, metric) in runs.items()
        }
        return {name: figures.result() for name, figures in done.items()}


def percent(figure):
    return "–" if figure is None else f"{100 * figure:.1f} %"


def tables(found):
    """(questions by kind, perception), in Markdown."""
    asked = [found["log_qa"], found["video_qa"], found["video_qa re-encoded"]]
    lines = [
        "| questions | cases | from the gold log | from the video | from the video, re-encoded |",
        "| --- | --- | --- | --- | --- |",
    ]

    def row(name, cases, figures):
        lines.append(
            f"| {name} | {cases} | " + " | ".join(percent(figure) for figure in figures) + " |"
        )

    for kind in asked[0]["kinds"]:
        row(
            kind,
            asked[0]["kinds"][kind]["n"],
            [figures["kinds"][kind]["exact_match"] for figures in asked],
        )
    row("all, exact match", asked[0]["n"], [figures["exact_match"] for figures in asked])
    row("unanswerable, refused", "", [figures["refused_unanswerable"] for figures in asked])
    row("answerable, answered", "", [figures["answered_answerable"] for figures in asked])
    kinds, lines = (
        "\n".join(lines),
        ["| perception | cases | plain | re-encoded |", "| --- | --- | --- | --- |"],
    )
    for name, _, metric, title in [*PERCEPTION, TRANSCRIPT]:
        row(title, found[name]["n"], [found[name][metric], found[name + " re-encoded"][metric]])
    return kinds, "\n".join(lines)


def write_tables(kinds, perception):
    """Writes into docs/accuracy.md and the model cards. The README has only the totals of
    questions."""
    both = f"{kinds}\n\n{perception}"
    lines = kinds.splitlines()
    totals = "\n".join(lines[:2] + lines[-3:])
    for path, text in (
        ("README.md", f"{totals}\n\n{perception}"),
        ("docs/accuracy.md", both),
        ("agents/starter/lm/README.md", kinds),
        ("agents/starter/clip/README.md", both),
        ("agents/starter/whisper/README.md", both),
    ):
        cards.put(os.path.join(ROOT, path), "figures", text)


def flat(found):
    """{figure: number}, to be recorded and compared. Single kinds have too few cases for that."""
    figures = {}
    for name, said in found.items():
        for metric in (
            "exact_match",
            "accuracy",
            "wer",
            "refused_unanswerable",
            "answered_answerable",
        ):
            kept = metric in ("exact_match", "accuracy", "wer") or name.split()[0] in (
                "log_qa",
                "video_qa",
            )
            if said.get(metric) is not None and kept:
                figures[f"{name} {metric}"] = said[metric]
    return figures


def fallen(figures, recorded):
    """A line for each recorded figure that is missing or more than ALLOWED worse."""
    lines = []
    for name, before in recorded.items():
        now = figures.get(name)
        worse = None if now is None else (now - before if name.endswith(" wer") else before - now)
        if worse is None or worse > ALLOWED + 1e-9:
            lines.append(f"{name}: {percent(now)}, recorded {percent(before)}")
    return lines


def figures_of(path):
    """The figures that --record wrote to a file."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)["figures"]
    except (OSError, ValueError, KeyError) as wrong:
        raise SystemExit(f"error: {path} has no figures of --record: {wrong}") from None


def main():
    args = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args.add_argument(
        "--out", required=True, help="folder of the days; each seed gets two folders in it"
    )
    args.add_argument("--elenchus", default=os.path.join(ROOT, "target", "release", "elenchus"))
    args.add_argument("--seeds", type=int, nargs="+", default=list(range(5101, 5111)))
    args.add_argument(
        "--every", type=int, default=3, help="seconds between the cases of single moments"
    )
    args.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count(),
        help="number of days and evaluations that run at once",
    )
    args.add_argument("--record", help="write the figures to this file")
    args.add_argument(
        "--check", help="fail if a figure is more than 3 points worse than in this file"
    )
    args = args.parse_args()
    program = shutil.which(args.elenchus)
    if not program:
        raise SystemExit(
            f"error: {args.elenchus} is not a program; build it (cargo build --release) or name it "
            f"with --elenchus"
        )
    args.elenchus = program
    if args.jobs < 1 or args.every < 1:
        raise SystemExit("error: --jobs and --every must be at least 1")
    recorded = figures_of(args.check) if args.check else {}
    days = [os.path.join(os.path.abspath(args.out), str(seed)) for seed in args.seeds]
    again = [folder + "-again" for folder in days]
    with ThreadPoolExecutor(args.jobs) as pool:
        rendered = [
            pool.submit(render, seed, days[number]) for number, seed in enumerate(args.seeds)
        ]
        rendered += [
            pool.submit(render, seed, again[number], looks(number))
            for number, seed in enumerate(args.seeds)
        ]
        for done in rendered:
            try:
                done.result()
            except subprocess.CalledProcessError:
                raise SystemExit("error: a day could not be rendered") from None
    found = measure(args, days, again)
    kinds, perception = tables(found)
    print(f"{kinds}\n\n{perception}")
    figures = flat(found)
    if args.record:
        with open(args.record, "w", encoding="utf-8") as out:
            json.dump(
                {
                    "seeds": args.seeds,
                    "figures": figures,
                    "kinds": {
                        name: found[name]["kinds"]
                        for name in found
                        if name.split()[0] in ("log_qa", "video_qa")
                    },
                },
                out,
                indent=1,
            )
            out.write("\n")
        write_tables(kinds, perception)
    if args.check:
        lines = fallen(figures, recorded)
        print("\n".join(lines) or "no figure has fallen", file=sys.stderr)
        if lines:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
