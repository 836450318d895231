"""The arithmetic of a comparison: turns, pairs, their ratio, and what makes a row doubtful or invalid. Pure."""

from dataclasses import dataclass, field
from statistics import median

# Other work that kept more of the cores than this busy marks a row.
LOAD = 0.5
# A row whose best and worst pair differ by more than this factor is no measurement.
SPREAD = 2.0
# A side that computed for less than this share of its time did not have a core to itself.
STARVED = 0.8
# A side that waits and still keeps more of a core busy than this slows the other side.
WAITING = 0.1


@dataclass(frozen=True)
class Turn:
    """One side's turn: units of work, seconds that passed, seconds that its threads computed."""

    units: float
    wall_s: float
    cpu_s: float | None

    @property
    def rate(self):
        """Units a second."""
        return self.units / self.wall_s

    @property
    def cpu_rate(self):
        """Units for each second computed; none if the computed time is unknown."""
        return self.units / self.cpu_s if self.cpu_s else None

    @property
    def busy(self):
        """Cores that the side kept busy, on average."""
        return None if self.cpu_s is None else self.cpu_s / self.wall_s


@dataclass(frozen=True)
class Pair:
    """A turn of each side, one right after the other."""

    ours: Turn
    theirs: Turn

    @property
    def ratio(self):
        """How many times as fast elenchus is."""
        return self.ours.rate / self.theirs.rate

    @property
    def cpu_ratio(self):
        """The same for the time computed; none if it is unknown."""
        ours, theirs = self.ours.cpu_rate, self.theirs.cpu_rate
        return ours / theirs if ours and theirs else None


@dataclass
class Verdict:
    """A row: medians over its pairs, and what is wrong with it."""

    ratio: float
    low: float
    high: float
    cpu_ratio: float | None
    ours: float
    theirs: float
    ours_busy: float | None
    theirs_busy: float | None
    # other work, in cores; none if unknown
    other: float | None = None
    # a valid row with a reason for doubt
    marks: list = field(default_factory=list)
    # why the row is no measurement; empty if it is one
    faults: list = field(default_factory=list)

    @property
    def valid(self):
        return not self.faults


def middle(values):
    """The median of the known values; none if there are none."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def judge(pairs, threads, other=None, waiting=(), on_gpu=False):
    """The verdict on a row of pairs. `other` is the work of other processes in cores while it was measured, and
    `waiting` that of the side whose turn it was not."""
    ratios = [pair.ratio for pair in pairs]
    turns = {
        "elenchus": [pair.ours for pair in pairs],
        "the other side": [pair.theirs for pair in pairs],
    }
    busy = {name: middle(turn.busy for turn in own) for name, own in turns.items()}
    made = Verdict(
        ratio=median(ratios),
        low=min(ratios),
        high=max(ratios),
        cpu_ratio=middle(pair.cpu_ratio for pair in pairs),
        ours=median(pair.ours.rate for pair in pairs),
        theirs=median(pair.theirs.rate for pair in pairs),
        ours_busy=busy["elenchus"],
        theirs_busy=busy["the other side"],
        other=other,
    )
    if made.high > SPREAD * made.low:
        made.faults.append(f"the pairs differ {made.high / made.low:.1f} times")
    for name, cores in busy.items():
        if cores is None:
            continue
        if cores < STARVED and not on_gpu:
            made.faults.append(f"{name} had only {cores:.2f} of a core")
        if cores > 1.15 * threads:
            made.faults.append(f"{name} kept {cores:.2f} cores busy with {threads} threads")
    if waiting and max(waiting) > WAITING:
        made.faults.append(f"a side that waited kept {max(waiting):.1f} cores busy")
    if other is not None and other > LOAD:
        made.marks.append(f"load {other:.1f}")
    if len(pairs) < 3:
        made.marks.append(f"{len(pairs)} pairs")
    return made


def agreement(ours, theirs):
    """How far two sides agree, as (text, sound): the largest difference of vectors, or the share of equal tokens or words."""
    if isinstance(ours, str):
        share = equal_words(ours, theirs)
        return f"{100 * share:.1f} % of the words", share >= 0.9
    if ours and isinstance(ours[0], list):
        pairs = [(a, b) for mine, other in zip(ours, theirs) for a, b in zip(mine, other)]
        same = len(ours) == len(theirs) and all(len(a) == len(b) for a, b in zip(ours, theirs))
        if not same:
            return "other shapes", False
        worst = max(abs(a - b) for a, b in pairs)
        return f"within {worst:.0e}", worst < 0.05
    until = next((n for n, (a, b) in enumerate(zip(ours, theirs)) if a != b), len(ours))
    return f"{until} of {len(ours)} tokens", until > 0


def equal_words(ours, theirs):
    """The share of words that both texts have in the same order, without case and punctuation."""
    a, b = (
        ["".join(c for c in word if c.isalnum()).lower() for word in text.split()]
        for text in (ours, theirs)
    )
    row = [0] * (len(b) + 1)
    for word in a:
        last = row
        row = [0]
        for at, other in enumerate(b):
            row.append(last[at] + 1 if word == other else max(last[at + 1], row[at]))
    return row[-1] / max(len(a), len(b), 1)
