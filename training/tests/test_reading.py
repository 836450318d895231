"""The lessons of the prompts that read questions and claims are right by construction."""

import json
import random

import pytest

pytest.importorskip("jinja2")

from day.daylog import Segment  # noqa: E402
from language import claims, lexicon, newcomers, slips, understanding  # noqa: E402

ORDERS, SIDES = ("none", "first", "last", "every"), ("none", "before", "after", "while")
SEGMENTS = [
    Segment(0, 8, "kitchen", "cooking soup", ["keys", "cap"], "i promise to call ben."),
    Segment(8, 20, "garden", "picking apples", ["keys"], "hello, i am anna.", people=2),
    Segment(20, 30, "kitchen", "washing my hands", [], ""),
]


def lines(*numbers):
    """Some of the lines."""
    return claims.Lines([(n, SEGMENTS[n - 1]) for n in numbers], lexicon.STARTER_WORDS)


@pytest.mark.parametrize("held", [False, True])
def test_a_query_copies_words_of_its_question(held):
    for seed in range(600):
        text, reply, links = understanding.understand_example(random.Random(seed), held)
        question = text[text.rindex("Question: ") + len("Question: ") :]
        query = json.loads(reply)
        assert list(query) == ["asks", "topic", "order", "side", "event"]
        assert query["asks"] in understanding.ASKS, question
        assert query["order"] in ORDERS and query["side"] in SIDES, question
        assert bool(query["event"]) == (query["side"] != "none"), question
        for word in f"{query['topic']} {query['event']}".split():
            assert word in question, (word, question)
        for (a, b), (c, d) in links:
            assert reply[a:b] == text[c:d]


def test_the_truth_follows_from_the_cited_lines():
    every, first = lines(1, 2, 3), lines(1)
    for kind, value, answer in [
        ("where_when", "picking apples", "In the garden."),
        ("last_seen", "keys", "In the garden."),
        ("first_seen", "keys", "In the kitchen."),
        ("doing_at", 9, "Picking apples."),
        ("how_many", "shaving", "Never."),
        ("after", "cooking soup", "Picking apples."),
        ("before", "washing my hands", "Picking apples."),
        ("met", "garden", "Anna."),
        ("promised", "", "To call ben."),
        ("people", "garden", "Two people."),
        ("seen_in", "garden", "The keys."),
        ("doing_in", "kitchen", "Cooking soup and washing my hands."),
        ("how_long", "cooking soup", "8 seconds."),
        ("did_see", "bell", "No."),
    ]:
        assert claims.truth(kind, value, every) == answer, kind
    assert claims.truth("where_when", "picking apples", first) is None
    assert claims.right("last_seen", "keys", first, "In the kitchen.")
    # the line of the answer alone does not show what came before
    assert claims.right("after", "shaving", first, "Cooking soup.")
    assert not claims.right("after", "cooking soup", first, "Cooking soup.")


def test_claims_are_half_right():
    replies = [claims.claim_example(random.Random(seed))[1] for seed in range(600)]
    assert set(replies) == {"yes", "no"} and 0.4 < replies.count("yes") / 600 < 0.6


def test_newcomers_answers_rest_on_their_lines():
    rng, words = random.Random(1), lexicon.STARTER_WORDS
    met = {}
    for _ in range(600):
        case = newcomers.newcomers_case(rng, SEGMENTS, words)
        if case:
            met[case.kind] = case
            assert all(1 <= n <= len(SEGMENTS) for n in case.lines), case
    assert {"list_in", "list_places", "how_long", "did_see", "did_visit", "where_end"} <= set(met)
    assert met["list_places"].reply() == "[1] [2] [3] Kitchen, garden and kitchen."
    assert met["how_long_in"].answer in ("18 seconds.", "12 seconds.")


def test_a_typing_error_makes_no_other_word():
    rng = random.Random(2)
    for word in ("boots", "kitchen", "scissors", "reading", "Where"):
        for _ in range(50):
            typed = slips.slip(rng, word)
            assert typed == word or typed.lower() not in slips.KNOWN
            assert abs(len(typed) - len(word)) <= 1
