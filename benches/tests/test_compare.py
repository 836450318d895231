"""The arithmetic of the comparisons: ratios per pair, medians, marks, faults, and which changes touch which rows."""

from pathlib import Path

import machine
import pytest
import report
from measure import Pair, Turn, agreement, judge
from rows import CHANGES, GROUPS, ROOT, WORDS, touched
from run import Outcome

BENCHES = Path(__file__).parent.parent


def pairs(*ratios, ours_busy=1.0, theirs_busy=1.0):
    """Pairs with these ratios. The machine slows down from pair to pair, which no ratio shows."""
    made = []
    for n, ratio in enumerate(ratios):
        pace = 100 / (n + 1)
        ours = Turn(pace * ratio, 1.0, ours_busy)
        made.append(Pair(ours, Turn(pace, 1.0, theirs_busy)))
    return made


def test_a_row_is_the_median_of_the_ratios_of_its_pairs():
    found = judge(pairs(1.0, 1.3, 1.1, 1.2, 0.9), threads=1, other=0.1)
    assert found.ratio == pytest.approx(1.1)
    assert (found.low, found.high) == pytest.approx((0.9, 1.3))
    assert found.cpu_ratio == pytest.approx(1.1)
    assert found.valid and not found.marks


def test_computed_time_has_a_ratio_of_its_own():
    found = judge(pairs(1.0, 1.0, 1.0, ours_busy=1.0, theirs_busy=2.0), threads=2)
    assert (found.ratio, found.cpu_ratio) == pytest.approx((1.0, 2.0))
    unknown = [Pair(Turn(1, 1, None), Turn(1, 1, 0.9))] * 3
    assert judge(unknown, threads=1).cpu_ratio is None


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"pairs": pairs(1.0, 1.1, 114.0)}, "the pairs differ 114.0 times"),
        (
            {"pairs": pairs(1.0, 1.0, 1.0, theirs_busy=0.5)},
            "the other side had only 0.50 of a core",
        ),
        (
            {"pairs": pairs(1.0, 1.0, 1.0, ours_busy=1.9)},
            "elenchus kept 1.90 cores busy with 1 threads",
        ),
        (
            {"pairs": pairs(1.0, 1.0, 1.0), "waiting": [0.0, 0.9]},
            "a side that waited kept 0.9 cores busy",
        ),
    ],
)
def test_an_absurd_row_is_invalid(given, fault):
    found = judge(**{"threads": 1, **given})
    assert found.faults == [fault]
    line = report.table([outcome(found)])
    assert "| invalid |" in line and fault in line and f"**{found.ratio:.2f}**" not in line


def test_other_work_marks_a_row_and_leaves_it_valid():
    found = judge(pairs(1.0, 1.0, 1.0), threads=1, other=0.7)
    assert found.valid and found.marks == ["load 0.7"]
    assert "**1.00** (load 0.7)" in report.table([outcome(found)])
    assert judge(pairs(1.0), threads=1).marks == ["1 pairs"]


def outcome(verdict, **more):
    group = next(group for group in GROUPS if group.key == "clip")
    return Outcome(group, group.rows[0], 1, verdict=verdict, **more)


def test_a_row_says_whether_it_meets_what_was_asked():
    slow = judge(pairs(1.0, 1.0, 1.0), threads=1)
    assert "≥ 1.2 or 90 %: not met" in report.table([outcome(slow)])
    work = outcome(slow).row.work
    # 50 pictures a second are all that the machine can do
    assert "| 100 % | ≥ 1.2 or 90 %: met |" in report.table([outcome(slow, limit=50 * work)])
    fast = judge(pairs(1.3, 1.3, 1.3), threads=1)
    assert "≥ 1.2 or 90 %: met" in report.table([outcome(fast)])
    skipped = Outcome(GROUPS[0], GROUPS[0].rows[0], 1, skipped="there is no PyTorch")
    assert (
        report.table([skipped])
        == "- Skipped: starter-clip against PyTorch f32: there is no PyTorch."
    )


def test_sides_that_compute_something_else_are_seen():
    assert agreement([[0.5, 0.25]], [[0.5, 0.250001]]) == ("within 1e-06", True)
    assert agreement([[0.5, 0.25]], [[0.5, 0.9]])[1] is False
    assert agreement([[0.5]], [[0.5, 0.5]]) == ("other shapes", False)
    assert agreement([3, 4, 5, 6], [3, 4, 9, 6]) == ("2 of 4 tokens", True)
    assert agreement([3, 4], [4, 3])[1] is False
    assert agreement("And so, my fellow!", "and so my fellow") == ("100.0 % of the words", True)
    assert agreement("one two three four", "one two four")[0] == "75.0 % of the words"
    assert "NO: within" in report.table(
        [outcome(judge(pairs(1, 1, 1), 1), agreed=("within 1e+00", False))]
    )


def test_a_change_names_the_rows_that_it_touches():
    assert touched(["src/models/bert/mod.rs", "README.md"]) == ["minilm", "minilm-onnx"]
    assert touched(["src/models/whisper/net.rs"]) == ["whisper", "whisper-int8"]
    assert touched(["docs/eval.md"]) == []
    assert len(touched(["Cargo.lock"])) > 10


def test_the_tables_name_rows_and_files_that_exist():
    keys = [group.key for group in GROUPS]
    assert len(keys) == len(set(keys))
    for start, named in CHANGES:
        assert set(named.split()) <= set(keys), start
    missing = [s for s, _ in CHANGES if not list(ROOT.glob(f"{s}*"))]
    # the layer of dense encoders is new
    assert missing in ([], ["src/infer/dense"])
    assert {group.opponent for group in GROUPS} <= {
        p.stem for p in (BENCHES / "opponents").glob("*.py")
    } | {"elenchus"}
    assert len(WORDS) == len(set(WORDS)) == 64


def test_this_machine_is_described():
    assert " cores, " in machine.describe()
    assert machine.cpu_ticks("self") is None or machine.Others([]).busy() >= 0
