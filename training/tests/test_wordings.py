"""Wordings keep their meaning: a pattern of a kind has only slots of its kind."""

import string

import pytest

import phrases
import texts
import wordings

EXAMPLES = {
    "base": "drink coffee",
    "gerund": "drinking coffee",
    "past": "drank coffee",
    "time": "09:40",
    "object": "keys",
    "are": "are",
    "were": "were",
    "them": "them",
    "place": "cafe",
    "in": "in the cafe",
}
# The name of `thing` in the other banks.
BANKS = {"thing": "object", "place": "place", "activity": "activity"}


def slots(pattern):
    """The names of the slots in a pattern."""
    return {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}


def plain(pattern):
    """Without capitals and marks, which the examined model ignores."""
    return "".join(c for c in pattern.lower() if c not in ".,:?!")


def check(kind, pattern, allowed):
    """The pattern is a line of ASCII and has only slots of its kind, at least one if the kind has
    any."""
    used = slots(pattern)
    assert used <= set(allowed) and bool(used) == bool(allowed), (kind, pattern)
    text = pattern.format(**EXAMPLES)
    assert text.isascii() and text == " ".join(text.split()), (kind, pattern)


def test_wordings_keep_their_slots():
    kinds = set(wordings.SLOTS)
    assert kinds == set(wordings.WORDINGS) == set(wordings.HELD_OUT) == set(wordings.PHRASINGS)
    assert kinds == set(wordings.SPOKEN)
    met = {}
    for kind, patterns in wordings.SPOKEN.items():
        for pattern in patterns:
            check(kind, pattern, wordings.SLOTS[kind])
    for bank in (wordings.WORDINGS, wordings.HELD_OUT):
        for kind, patterns in bank.items():
            for pattern in patterns:
                check(kind, pattern, wordings.SLOTS[kind])
                assert pattern not in met, (pattern, kind, met[pattern])
                met[pattern] = kind
    for kind, patterns in wordings.PHRASINGS.items():
        for pattern in patterns:
            check(kind, pattern, wordings.SLOTS[kind])
    for name, patterns in wordings.ABOUT.items():
        assert len(patterns) >= 30
        for pattern in patterns:
            check(name, pattern, wordings.GROUPS[BANKS[name]])
            assert pattern not in met, (pattern, name, met[pattern])
    assert len(wordings.GENERAL) >= 80
    for question, clues in wordings.GENERAL:
        check("general", question, ())
        assert clues and all(clue == clue.lower() for clue in clues), question


def test_clauses_keep_their_slots():
    assert set(phrases.CLAUSES) == set(wordings.SLOTS) | set(wordings.ABOUT)
    for kind, clauses in phrases.CLAUSES.items():
        allowed = wordings.GROUPS[BANKS[kind]] if kind in BANKS else wordings.SLOTS[kind]
        for clause in clauses:
            check(kind, clause, allowed)
        assert len(phrases.made(kind)) >= len(clauses) * len(phrases.ASKING)


def test_no_training_sees_what_is_held_out():
    for kind, held in wordings.HELD_OUT.items():
        assert len(wordings.WORDINGS[kind]) >= 60 and 6 <= len(held) <= 8, kind
        used = {plain(p) for p in wordings.WORDINGS[kind]}
        used |= {plain(p) for p in wordings.PHRASINGS[kind]}
        used |= {plain(p) for p in phrases.made(kind)} | {plain(p) for p in wordings.SPOKEN[kind]}
        assert not used & {plain(p) for p in held}, kind


def test_no_training_sees_what_is_held_out_of_the_newer_kinds():
    used, held = texts.sections("newcomers"), texts.sections("newcomers_held_out")
    assert set(used) == set(held)
    for kind, patterns in held.items():
        slots_of_kind = set().union(*map(slots, used[kind]))
        assert set().union(*map(slots, patterns)) <= slots_of_kind, kind
        assert not {plain(p) for p in patterns} & {plain(p) for p in used[kind]}, kind
    understanding = pytest.importorskip("language.understanding")
    for kind, patterns in understanding.LONG_HELD_OUT.items():
        assert not {plain(p) for p in patterns} & {plain(p) for p in understanding.LONG[kind]}, kind
