"""The starter cast's figures: `elenchus eval` on days that nobody has seen, as a table in Markdown.

  python training/figures.py --out DIR [--elenchus target/release/elenchus] [--seeds 777 901 902 903 904 905 906]

renders the days that are not in DIR yet (world.py) and runs, from the repository's root, for each dialogue

  elenchus eval examples/NAME.yaml --data DIR/*/FILE.jsonl --metric METRIC --json

Every answer stays in DIR/NAME.details.jsonl. Beyond what world.py needs, only elenchus is needed.
"""

import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS = [("log_qa", "cases", "exact_match"), ("video_qa", "cases", "exact_match"), ("place", "places", "accuracy"),
        ("activity", "activities", "accuracy"), ("transcript", "transcript", "wer")]


def render(seed, folder):
    if not os.path.exists(os.path.join(folder, "transcript.jsonl")):
        subprocess.run([sys.executable, os.path.join(HERE, "world.py"), "--seed", str(seed), "--out", folder], check=True)


def evaluate(args, days, name, data, metric):
    command = [os.path.abspath(args.elenchus), "eval", f"examples/{name}.yaml", "--data", *(os.path.join(d, data + ".jsonl") for d in days),
               "--metric", metric, "--details", os.path.join(os.path.abspath(args.out), f"{name}.details.jsonl"), "--json", "--quiet"]
    print("$ " + " ".join(command), file=sys.stderr)
    done = subprocess.run(command, cwd=os.path.join(HERE, ".."), stdout=subprocess.PIPE, check=True)
    figures = json.loads(done.stdout)
    print(json.dumps(figures), file=sys.stderr)
    return figures


def percent(figure):
    return "–" if figure is None else f"{100 * figure:.1f} %"


def table(found):
    log, video = found["log_qa"], found["video_qa"]
    lines = ["| questions | cases | from the gold log | from the video |", "| --- | --- | --- | --- |"]
    for kind, row in log["kinds"].items():
        lines.append(f"| {kind} | {row['n']} | {percent(row['exact_match'])} | {percent(video['kinds'][kind]['exact_match'])} |")
    lines += [f"| all, exact match | {log['n']} | {percent(log['exact_match'])} | {percent(video['exact_match'])} |",
              f"| unanswerable, refused | | {percent(log['refused_unanswerable'])} | {percent(video['refused_unanswerable'])} |",
              f"| answerable, answered | | {percent(log['answered_answerable'])} | {percent(video['answered_answerable'])} |", "",
              "| perception | cases | figure |", "| --- | --- | --- |",
              f"| place of each second | {found['place']['n']} | {percent(found['place']['accuracy'])} right |",
              f"| activity of each second | {found['activity']['n']} | {percent(found['activity']['accuracy'])} right |",
              f"| words of each day | {found['transcript']['n']} | {percent(found['transcript']['wer'])} word error rate |"]
    return "\n".join(lines)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--out", required=True, help="folder of the days, one folder for each seed")
    args.add_argument("--elenchus", default=os.path.join(HERE, "..", "target", "release", "elenchus"))
    args.add_argument("--seeds", type=int, nargs="+", default=[777, *range(901, 907)])
    args = args.parse_args()
    days = [os.path.join(os.path.abspath(args.out), str(seed)) for seed in args.seeds]
    for seed, folder in zip(args.seeds, days):
        render(seed, folder)
    print(table({name: evaluate(args, days, name, data, metric) for name, data, metric in RUNS}))


if __name__ == "__main__":
    main()
