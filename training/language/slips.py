"""Questions as hasty people type them: typing errors and capitals."""

import re

import sayings
import vocab
from language.lexicon import MORE_ACTIVITIES, MORE_OBJECTS, MORE_PLACES

WORD = re.compile(r"[A-Za-z]{4,}")
NEAR = dict(
    zip("qwertyuiopasdfghjklzxcvbnm", "w e r t y u i o p o s d f g h j k l k x c v b n m n".split())
)
# No typing error makes one of these of another word.
KNOWN = {
    word
    for text in (
        *vocab.PLACE_NAMES,
        *vocab.OBJECT_NAMES,
        *MORE_PLACES,
        *MORE_OBJECTS,
        *sayings.NAMES,
        *(form for a in vocab.ACTIVITIES for form in (a["gerund"], a["base"], a["past"])),
        *(form for forms in MORE_ACTIVITIES.values() for form in forms.values()),
    )
    for word in text.split()
}


def slip(rng, word):
    """The word with one typing error: two letters swapped, one missing, doubled or wrong. The first
    letter seldom changes."""
    for _ in range(8):
        at = rng.randrange(0 if rng.random() < 0.05 else 1, len(word) - 1)
        kind = rng.choices(("swap", "drop", "double", "near"), (4, 4, 3, 1))[0]
        wrong = {
            "swap": word[at + 1] + word[at],
            "drop": word[at + 1],
            "double": word[at] * 2 + word[at + 1],
            "near": NEAR.get(word[at].lower(), word[at]) + word[at + 1],
        }[kind]
        out = word[:at] + wrong + word[at + 2 :]
        if out != word and out.lower() not in KNOWN:
            return out
    return word


def slipped(rng, question, most=2):
    """The question with a typing error in one or two of its longer words."""
    spots = [found.span() for found in WORD.finditer(question)]
    chosen = rng.sample(spots, min(len(spots), rng.choice((1, 1, 1, most))))
    for start, end in sorted(chosen, reverse=True):
        question = question[:start] + slip(rng, question[start:end]) + question[end:]
    return question


def typed(rng, question):
    """The question as it is most often; else with typing errors, or all in capitals."""
    dice = rng.random()
    if dice < 0.08:
        return slipped(rng, question)
    if dice < 0.11:
        return question.upper()
    return question
