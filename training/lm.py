"""Trains and examines starter-lm, the language model of the starter cast.

    python training/lm.py train             # resumable; writes agents/starter/lm every few minutes
    python training/lm.py exam --days 10    # greedy replies of the written checkpoint, by kind
    python training/lm.py verify            # the training forward pass against transformers
    python training/lm.py examples          # some of each prompt and its reply

One process runs on each of two cores. training/LM.md explains the method.
"""

import argparse
import os
import random

# read when torch is loaded
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch  # noqa: E402

import paths  # noqa: E402
from language import tasks  # noqa: E402
from language.exam import EXAM_SEED, exam, verify  # noqa: E402
from language.train import keep_memory, train  # noqa: E402

OUT = paths.shipped("lm")


def examples(args):
    """Prints some of each prompt, with its reply and the links from reply to prompt."""
    for name, example in tasks.EXAMPLES.items():
        for seed in range(args.count):
            print(*example(random.Random(f"{name} {seed}")), "", sep="\n--> ")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True)
    t = verbs.add_parser("train")
    t.set_defaults(run=train)
    for name, value in {
        "steps": 12_000,
        "batch": 2,
        "workers": 2,
        "questions": 24,
        "hidden": 192,
        "layers": 6,
        "heads": 6,
        "inner": 512,
        "seed": 1,
        "muon-lr": 0.004,
        "adam-lr": 0.001,
        "coach-until": 0.9,
        "decay": 0.65,
        "average": 0.997,
        "late": 0.6,
        "simple": 0.1,
        "exam-every": 500,
    }.items():
        t.add_argument("--" + name, type=type(value), default=value)
    t.add_argument("--name", default="starter-lm")
    t.add_argument(
        "--start",
        help="folder that --export wrote: begin with its weights if training/work has no state",
    )
    t.add_argument("--bf16", action="store_true", help="matrix products in bfloat16")
    t.add_argument("--export", default=OUT, help="folder for the checkpoint; '' for none")
    e = verbs.add_parser(
        "exam",
        description="Examines the checkpoint in a folder, and writes the results into that "
        "folder's card, if it has one.",
    )
    e.set_defaults(run=exam)
    e.add_argument("--model", default=OUT)
    e.add_argument("--days", type=int, default=10)
    e.add_argument("--seconds", type=int, default=120)
    e.add_argument("--seed", type=int, default=EXAM_SEED + 500)
    e.add_argument("--prose", type=int, default=100, help="number of examples of each other prompt")
    e.add_argument("--judging", action="store_true", help="also examine what judging.py examines")
    e.add_argument("--held-out", action="store_true", help="ask in wordings that no training used")
    e.add_argument("--show", action="store_true", help="print the wrong replies")
    e.add_argument(
        "--noisy",
        action="store_true",
        help="use logs with errors of perception; the right answers follow those logs",
    )
    verbs.add_parser("verify").set_defaults(run=verify)
    x = verbs.add_parser("examples")
    x.set_defaults(run=examples)
    x.add_argument("--count", type=int, default=4, help="number of examples of each prompt")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    args.run(args)


if __name__ == "__main__":
    main()
