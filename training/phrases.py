"""Wordings that are combined from parts: clauses that state a question, and ways in which people
ask.

`wordings.py` holds whole questions. Here, "where I left my {object}" meets "Tell me {q}.", "My
sister wants to know {q}." and eighty more. So the model learns which words ask and which only
surround them. The parts are in texts/; `made` combines them. None of the results is in
wordings.HELD_OUT, but many words of those occur here in other sentences.
"""

import re

import texts

CLAUSES = texts.sections("clauses")
ASKING = texts.lines("asking")
WHO = texts.lines("who")
CALLED = texts.lines("called")
TALK = texts.lines("talk")
OPENERS = texts.lines("openers")
CLOSERS = texts.lines("closers")
SAID_FIRST = texts.lines("said_first")
MORE_WORDS = texts.words("more_words")


def spun(rng, text):
    """One of the sentences that a pattern with choices can form."""
    text = text.replace("{who}", rng.choice(WHO)).replace("{called}", rng.choice(CALLED))
    while "{" in text:
        text = re.sub(r"\{([^{}]*)\}", lambda found: rng.choice(found.group(1).split("|")), text)
    return text


def made(bank):
    """The patterns of a bank: each clause in each way of asking."""
    out = []
    if bank == "did_i":
        out = [text.replace("{who}", who) for text in SAID_FIRST for who in WHO[::2]]
    for i, clause in enumerate(CLAUSES[bank]):
        for k, asking in enumerate(ASKING):
            text = asking.replace("{who}", WHO[(i * 7 + k) % len(WHO)]).replace("{q}", clause)
            out.append(text)
    return out


YOU = [
    (r"\bwas i\b", "were you"),
    (r"\bi was\b", "you were"),
    (r"\bam i\b", "are you"),
    (r"\bi am\b", "you are"),
    (r"\bi\b", "you"),
    (r"\bmy\b", "your"),
]


def to_you(question):
    """'Where was I reading a book?' -> 'Where were you reading a book?', as others ask the wearer.
    A question that addresses somebody stays unchanged."""
    if re.search(
        r"\byou|\bme\b|my (?:"
        + "|".join(WHO)
        + r")\b|remind|remember|forg|wonder|not sure|no clue|know",
        question,
        re.IGNORECASE,
    ):
        return question
    for pattern, you in YOU:
        question = re.sub(pattern, you, question, flags=re.IGNORECASE)
    return question[:1].upper() + question[1:]
