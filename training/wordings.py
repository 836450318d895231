"""English wordings of the questions that the wearer of a camera asks about the log of a day.

The language model is trained from scratch and knows only the English of its training. A question in
words that no pattern has is noise to it. So each kind of question is here in the words of many
people: careful, hasty, polite, long-winded. A pattern may change everything but the meaning; the
answer stays that of its kind. The patterns themselves are in texts/.

  PHRASINGS       {kind: patterns} that days ask in
  WORDINGS        {kind: patterns} to train with
  SPOKEN          {kind: patterns} to train with: short spoken forms, other orders of words
  HELD_OUT        {kind: patterns} that no training sees; they examine whether the understanding
                  goes beyond the patterns
  ABOUT           {thing, place, activity: patterns} that a log of places, activities, things and
                  words never answers
  GENERAL         (question, clues): the same without slots; a clue that is spoken in the log
                  can make the question answerable
  SLOTS           the names that str.format fills in the patterns of each kind

`python training/wordings.py` counts them; tests/test_wordings.py checks these promises.
"""

import texts

GROUPS = {
    "activity": ("base", "gerund", "past"),
    "place": ("place", "in"),
    "object": ("object", "are", "were", "them"),
    "time": ("time",),
    "": (),
}
GROUP = {
    "where_when": "activity",
    "doing_at": "time",
    "when_last": "activity",
    "did_i": "activity",
    "how_many": "activity",
    "after": "activity",
    "before": "activity",
    "last_seen": "object",
    "why": "place",
    "said_at": "time",
    "said_in": "place",
    "promised": "",
    "met": "place",
    "met_any": "",
    "people": "place",
}
SLOTS = {kind: GROUPS[group] for kind, group in GROUP.items()}
PHRASINGS = texts.sections("phrasings")
HELD_OUT = texts.sections("held_out")
SPOKEN = texts.sections("spoken")
ABOUT = texts.sections("about")
STATEMENTS, FOLLOW_UP = texts.sections("statements"), texts.sections("follow_up")


def with_statements(kind):
    """The wordings of a kind: those of its list, and statements that a question follows."""
    said = [
        f"{statement} {question}"
        for statement in STATEMENTS.get(GROUP[kind], ())
        for question in FOLLOW_UP.get(kind, ())
    ]
    return list(dict.fromkeys(texts.lines(f"wordings/{kind}") + said))


def with_clues(line):
    """'Was it windy? | wind' -> ("Was it windy?", ["wind"])"""
    question, clues = line.split(" | ")
    return question, clues.split(", ")


WORDINGS = {kind: with_statements(kind) for kind in GROUP}
GENERAL = [with_clues(line) for line in texts.lines("general")]


def main():
    """Prints their numbers."""
    for kind, patterns in WORDINGS.items():
        print(f"{kind:12} {len(patterns):3} patterns, {len(HELD_OUT[kind])} held out")
    counts = [f"{name} {len(patterns)}" for name, patterns in ABOUT.items()]
    print(", ".join([*counts, f"general {len(GENERAL)}"]))


if __name__ == "__main__":
    main()
