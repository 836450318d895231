"""Days in the starter world: a plot of segments, its log as text, and questions with known answers.

Pure Python, no rendering. world.py films the result of `make_day(seed, seconds)`, and lm.py is
examined on it. The same seed gives the same day. `python training/days.py --seed 7` prints one.
"""

import argparse
import random
from dataclasses import dataclass

from day.asking import VOCABULARY
from day.daylog import log_text
from day.longexam import long_examine
from day.longplot import LONG, long_plot
from day.plot import plot
from day.questions import KINDS, did_i, how_many, said, why
from day.refusals import REFUSALS, undated


@dataclass
class Day:
    """A plot and its questions."""

    seed: int
    seconds: int
    segments: list
    cases: list


QUOTA = {
    "where_when": 3,
    "doing_at": 3,
    "when_last": 2,
    "did_i": 2,
    "how_many": 2,
    "after": 2,
    "before": 2,
    "last_seen": 4,
    "why": 2,
    "said": 2,
    "promised": 1,
    "met": 1,
    "people": 2,
}
UNANSWERABLE = 7


def examine(rng, segments, words=VOCABULARY):
    """The day's questions: every kind by its quota, all different, a fifth unanswerable. None if a
    kind is missing."""
    cases, asked = [], set()

    def fill(count, make):
        missing = count
        for _ in range(40 * count):
            case = make() if missing else None
            if (
                case
                and case.question not in asked
                and (case.kind, case.answer, tuple(case.lines)) not in asked
            ):
                asked.update(
                    {case.question}
                    if case.kind == "unanswerable"
                    else {case.question, (case.kind, case.answer, tuple(case.lines))}
                )
                cases.append(case)
                missing -= 1
        return missing

    gaps = 0
    for kind, count in QUOTA.items():
        if kind == "did_i":
            gaps += fill(1, lambda: did_i(rng, segments, words, yes=True)) + fill(
                1, lambda: did_i(rng, segments, words, yes=False)
            )
        elif kind == "how_many":
            gaps += fill(1, lambda: how_many(rng, segments, words, several=True))
            gaps += fill(1, lambda: how_many(rng, segments, words, several=False))
        elif kind == "said":
            gaps += fill(1, lambda: said(rng, segments, words, how="at")) + fill(
                1, lambda: said(rng, segments, words, how="in")
            )
        elif kind == "why":
            gaps += fill(1, lambda: why(rng, segments, words, sent=True)) + fill(
                1, lambda: why(rng, segments, words, sent=False)
            )
        else:
            gaps += fill(count, lambda: KINDS[kind](rng, segments, words))
    for make in rng.sample(REFUSALS, UNANSWERABLE):
        gaps += fill(1, lambda: make(rng, segments, words))
    rng.shuffle(cases)
    return cases, gaps


def make_day(seed, seconds=120, dated=False):
    """A day with questions of every kind: the first complete one of 300 tries, of 8 for a long day,
    and of one for more than two hours. A day of less than two minutes may lack some kinds. A day
    that is `dated` has the same events, but no unanswerable question that a date could answer."""
    rng = random.Random(f"elenchus day {seed} {seconds}")
    best = None
    for _ in range(300 if seconds <= LONG else 8 if seconds <= 2 * 3600 else 1):
        if seconds <= LONG:
            segments = plot(rng, seconds)
            cases, gaps = examine(rng, segments)
        else:
            segments = long_plot(rng, seconds)
            cases, gaps = long_examine(rng, segments, VOCABULARY)
        if best is None or gaps < best[0]:
            best = (gaps, segments, cases)
        if gaps == 0:
            break
    _, segments, cases = best
    if dated:
        cases = undated(random.Random(f"dated {seed}"), segments, VOCABULARY, cases)
    return Day(seed, seconds, segments, cases)


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--seconds", type=int, default=120)
    args = args.parse_args()
    day = make_day(args.seed, args.seconds)
    print(log_text(day.segments))
    for case in day.cases:
        print(f"{case.kind:13} {case.question:55} {case.reply()}")


if __name__ == "__main__":
    main()
